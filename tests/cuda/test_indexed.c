/* Running sums, sorts and scatters at the sizes where their schedules for a GPU change: around a
 * warp, a chunk of a block and a tile, with symbols and without, ties, NaN and infinities.  On the
 * shim, under 8 schedules of the threads, every element is within the bound of the typed
 * interpreter (numeric/bound.h), and integers, positions and scattered sums are equal.
 *
 * '$' in a body is the dtype. */
#include "cuda/shim.h"
#include "numeric/bound.h"

enum { INPUTS_MAX = 4 };

typedef struct Indexed {
    const char *name, *body, *dtypes;
    double from, to;   /* of floats; integers: as Case */
    int64_t high;      /* of integers: below this */
    int odd;           /* of so many floats one is NaN or infinite; 0: none */
    bool exact;        /* equal to the interpreter, whatever the bound says */
    const char *sizes; /* of N */
} Indexed;

static void fill(Tensor *t, const Indexed *x) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
    Case range = {.from = x->from, .to = x->to, .high = x->high};
    fill_input(t, &range);
    if (!dtype_is_float(t->dtype) || !x->odd) return;
    for (int64_t i = 0; i < t->count; i++) {
        /* Few values, so that there are ties. */
        tensor_set(t, i, round(tensor_get(t, i) * 4) / 4);
        if (i * 7 % x->odd == 0) tensor_set(t, i, odd[i % 5]);
    }
}

static void run_at(const Compiled *c, const Indexed *x, int number, int64_t n) {
    Arena *arena = arena_new();
    const Root *root = c->reference->roots.data[0];
    const Entry *e = root->entries.data[number];
    const nnc_entry_info *info = &c->model->entries[number];
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(c->reference->dims) + 1, int64_t);
    int64_t dims[2] = {n, 0};
    for (int i = 0; i < e->dims.count; i++) symbols[dim_as_symbol(e->dims.data[i])->index] = n;
    Bounded in[INPUTS_MAX], *out = NEW_ARRAY(arena, (size_t)e->results.count, Bounded);
    const void *arguments[INPUTS_MAX];
    void *results[INPUTS_MAX];
    for (int i = 0; i < e->arguments.count; i++) {
        Tensor *t = tensor_of_type(arena, &e->arguments.data[i].node->type, symbols);
        fill(t, x);
        in[i] = (Bounded){t, tensor_new(arena, DTYPE_F64, t->rank, t->extents)};
        char *bytes = arena_alloc(arena, (size_t)t->count * dtype_bytes(t->dtype) + 1);
        tensor_to_bytes(t, bytes);
        arguments[i] = bytes;
    }
    BoundRun b = {0};
    b.how = (Interpretation){INTERPRET_TYPED, symbols, NULL, 7, 0};
    b.run = (Run){.arena = arena, .how = &b.how};
    b.run.blocks = (Block){&b.run.blocks, &b.run.blocks};
    bound_graph(&b, e->graph, in, out);
    if (b.run.error) fail_msg("%s: %s", e->name->text, b.run.error);
    nnc_context context = {.seed = 7, .workspace_bytes = info->workspace_bytes(dims)};
    context.workspace = guarded_alloc(context.workspace_bytes, 0xFF);
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *t = out[i].value;
        results[i] = guarded_alloc((size_t)t->count * dtype_bytes(t->dtype), 0x5A);
    }
    int code = info->call(&context, dims, arguments, results);
    if (code)
        fail_msg("%s, N = %lld: %d %s", e->name->text, (long long)n, code,
                 context.message ? context.message : "");
    guarded_free(context.workspace, context.workspace_bytes, "workspace");
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *t = out[i].value;
        Tensor *actual = tensor_new(arena, t->dtype, t->rank, t->extents);
        tensor_from_bytes(actual, results[i]);
        for (int64_t k = 0; k < t->count; k++) {
            double wanted = tensor_get(t, k), got = tensor_get(actual, k);
            bool holds = x->exact ? wanted == got || (isnan(wanted) && isnan(got))
                                  : bound_holds(out[i], k, got);
            if (!holds)
                fail_msg("%s, N = %lld, element %lld: expected %.9g +- %.3g, got %.9g",
                         e->name->text, (long long)n, (long long)k, wanted, out[i].error->floats[k],
                         got);
        }
        guarded_free(results[i], (size_t)t->count * dtype_bytes(t->dtype), "result");
    }
    arena_free(arena);
}

static void append_typed(Text *text, const char *body, const char *dtype) {
    for (; *body; body++) {
        if (*body == '$')
            text_append(text, dtype);
        else
            text_char(text, *body);
    }
}

/* The next word of a list in `word`; false at its end. */
static bool next_word(const char **list, char *word) {
    while (**list == ' ') ++*list;
    int length = 0;
    while (**list && **list != ' ') word[length++] = *(*list)++;
    word[length] = 0;
    return length > 0;
}

/* Every case at every dtype is an entry of one program, whose text has each of `used`. */
static void run_table(const char *name, const Indexed *cases, int count, const char *used) {
    Arena *arena = arena_new();
    names_init(arena);
    Text text = text_new(arena);
    char word[64];
    text_append(&text, "root test infer {\n");
    for (int i = 0; i < count; i++)
        for (const char *list = cases[i].dtypes; next_word(&list, word);) {
            text_printf(&text, "entry infer %s_%s symbol=test_%s_%s {\n", cases[i].name, word,
                        cases[i].name, word);
            append_typed(&text, cases[i].body, word);
            text_append(&text, "\n}\n");
        }
    text_append(&text, "}\n");
    Compiled c = compile_for_shim(name, text.data, "-DSCHEDULES=8");
    const char *path = arena_printf(arena, "%s/numeric/cuda_%s/model.cu", BINARY_DIR, name);
    const char *error = NULL;
    size_t length;
    char *emitted = file_read_all(arena, path, 1 << 26, &length, &error);
    assert_non_null(emitted);
    for (const char *list = used; next_word(&list, word);)
        if (!strstr(emitted, word)) fail_msg("%s is not used", word);
    int entry = 0;
    for (int i = 0; i < count; i++)
        for (const char *list = cases[i].dtypes; next_word(&list, word); entry++) {
            char size[64];
            for (const char *sizes = cases[i].sizes; next_word(&sizes, size);)
                run_at(&c, &cases[i], entry, atoll(size));
        }
    compiled_free(&c);
    arena_free(arena);
}

#define ALL "f32 f64 i64 i32 i8 u8 f16 bf16"
#define SUM(in, rest) " dims N\n %x: $" in " = input x\n %y = prefix %x kind=" rest "\n return y=%y"

static void test_prefix(void **state) {
    (void)state;
    static const char edges[] = "0 1 31 32 33 255 256 257 1023 1025";
    static const Indexed cases[] = {
        {"thread", SUM("[N, 7]", "sum axis=1"), ALL, -2, 2, 5, 0, false, "0 1 33 300"},
        {"warp", SUM("[64, N, 65]", "sum axis=2"), ALL, -2, 2, 5, 0, false, "0 1 2"},
        {"warp_last", SUM("[64, N, 64]", "max axis=2 reverse"), ALL, -2, 2, 90, 5, false, "0 1 2"},
        {"block", SUM("[N, 1025]", "sum axis=1"), ALL, -2, 2, 5, 0, false, "0 1 3"},
        {"block_reverse", SUM("[N, 1023]", "sum axis=1 reverse"), "f32 i32", -2, 2, 5, 0, false,
         "1 2"},
        {"block_product", SUM("[N, 513]", "prod axis=1"), "f32 f64 i64 u8", 0.98, 1.02, 4, 0, false,
         "1 2"},
        {"open", SUM("[3, N]", "sum axis=1"), "f32 i64 f16", -2, 2, 5, 0, false, edges},
        {"open_odd", SUM("[3, N]", "sum axis=1"), "f32", -2, 2, 5, 300, false, edges},
        {"open_min", SUM("[3, N]", "min axis=1"), "f32 i32", -2, 2, 90, 41, false, edges},
        {"alone", SUM("[N]", "max axis=0 reverse"), "f64 i8", -2, 2, 90, 41, false, edges},
        {"parts", SUM("[2, 20001]", "sum axis=1"), "f32 i64 bf16", -2, 2, 5, 0, false, "0"},
        {"parts_reverse", SUM("[2, 6, 20001]", "max axis=2 reverse"), "f32 i32", -2, 2, 90, 900,
         false, "0"},
        {"parts_open", SUM("[512*N]", "sum axis=0 reverse"), "f32 i32", -2, 2, 5, 0, false,
         "0 1 16 17 33"},
        {"parts_columns", SUM("[20001, 3]", "prod axis=0"), "f64 i32", 0.9999, 1.0001, 4, 0, false,
         "0"},
        {"columns", SUM("[3, N, 1000]", "sum axis=1"), "f32 i16", -2, 2, 5, 0, false, "0 1 5"},
        {"few_columns", SUM("[N, 5]", "sum axis=0"), ALL, -2, 2, 5, 0, false, edges},
    };
    run_table("prefix", cases, sizeof cases / sizeof *cases,
              "nn_scan_warp<nn_sum_f32> nn_scan_block<8, totals");
}

#define SORT(in, rest) " dims N\n %x: $" in " = input x\n %y = argsort %x " rest "\n return y=%y"

static void test_sort(void **state) {
    (void)state;
    static const char edges[] = "0 1 2 31 32 33 1023 1024 1025 2047 2048 2049 4097";
    static const Indexed cases[] = {
        {"pairs", SORT("[N, 2]", "axis=1"), ALL " bool", -2, 2, 3, 7, true, "0 1 255 600"},
        {"short", SORT("[N, 7]", "axis=1 descending"), ALL " bool", -2, 2, 3, 7, true, "0 1 64 65"},
        {"warp", SORT("[N, 32]", "axis=1"), ALL, -2, 2, 9, 7, true, "1 16 17"},
        {"odd", SORT("[N, 33]", "axis=1"), "f32", -2, 2, 9, 7, true, "1 8 9"},
        {"columns", SORT("[65, N, 3]", "axis=0"), "f32 i64", -2, 2, 9, 7, true, "1 5"},
        {"one", SORT("[N, 1]", "axis=1"), "f32", -2, 2, 9, 7, true, "0 3"},
        {"tile", SORT("[N, 1023]", "axis=1 descending"), "f32 f64 i64 f16 bool", -20, 20, 500, 31,
         true, "1 2"},
        {"full", SORT("[N, 2048]", "axis=1"), "f32 f64", -20, 20, 500, 31, true, "1"},
        {"two", SORT("[2, 2049]", "axis=1"), "f32 i64", -20, 20, 500, 31, true, "0"},
        {"chunks", SORT("[2, 3, 10000]", "axis=2 descending"), "f32", -200, 200, 500, 31, true,
         "0"},
        {"chunks_columns", SORT("[6500, 2]", "axis=0"), "f64 i8", -20, 20, 100, 31, true, "0"},
        {"open", SORT("[2, N]", "axis=1"), "f32 i32", -20, 20, 500, 31, true, edges},
        {"open_down", SORT("[N]", "axis=0 descending"), "f64 i64 bf16 bool", -20, 20, 500, 31, true,
         edges},
        {"in_scan",
         " dims N\n %h: i64[2100] = input h\n %x: $[N, 2100] = input x\n"
         " %s = scan %h, %x carries=1 sequences=1 length=N {\n"
         "  %c: i64[2100] = input\n  %e: $[2100] = input\n"
         "  %o = argsort %e axis=0\n  %n = add %c, %o\n  return %n, %o\n }\n"
         " %l = proj %s index=0\n %a = proj %s index=1\n return l=%l, a=%a",
         "f32", -20, 20, 500, 31, true, "0 1 3"},
    };
    run_table("sort", cases, sizeof cases / sizeof *cases, "nn_sort_tile<256 nn_rank< nn_width");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefix), cmocka_unit_test(test_sort)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
