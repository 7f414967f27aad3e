/* Running sums, sorts and scatters at the sizes where their schedules for a GPU change: around a
 * warp, a chunk of a block and a tile, with symbols and without, ties, NaN and infinities.  On the
 * shim, under 8 schedules of the threads, every element is within the bound of the typed
 * interpreter (numeric/bound.h), positions are equal, and scattered sums have the bits of the
 * CPU's.
 *
 * '$' in a body is the dtype. */
#include "cuda/shim.h"
#include "numeric/bound.h"

enum { INPUTS_MAX = 4, RESULTS_MAX = 2 };

/* What a result must be beside within the bound. */
typedef enum Exactness {
    BOUNDED,
    EQUAL, /* to the interpreter's */
    SAME   /* as what is emitted for the CPU, which adds updates one after the other */
} Exactness;

typedef struct Indexed {
    const char *name, *body, *dtypes;
    double from, to; /* of floats; integers: as Case */
    int64_t high;    /* of integers: below this */
    int odd;         /* of so many floats one is NaN or infinite; 0: none */
    Exactness exact;
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

/* What one call of the entry gives. */
static void call(const Compiled *c, int number, const int64_t *dims, const void *const *arguments,
                 Bounded *like, int count, Tensor **out) {
    const nnc_entry_info *info = &c->model->entries[number];
    void *results[RESULTS_MAX];
    nnc_context context = {.seed = 7, .workspace_bytes = info->workspace_bytes(dims)};
    context.workspace = guarded_alloc(context.workspace_bytes, 0xFF);
    for (int i = 0; i < count; i++)
        results[i] =
            guarded_alloc((size_t)like[i].value->count * dtype_bytes(like[i].value->dtype), 0x5A);
    int code = info->call(&context, dims, arguments, results);
    if (code)
        fail_msg("%s, N = %lld: %d %s", info->name, (long long)dims[0], code,
                 context.message ? context.message : "");
    guarded_free(context.workspace, context.workspace_bytes, "workspace");
    for (int i = 0; i < count; i++) {
        tensor_from_bytes(out[i], results[i]);
        guarded_free(results[i], (size_t)out[i]->count * dtype_bytes(out[i]->dtype), "result");
    }
}

static bool equal(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* cpu: the same program, emitted as C; NULL if it is not wanted. */
static void run_at(const Compiled *c, const Compiled *cpu, const Indexed *x, int number,
                   int64_t n) {
    Arena *arena = arena_new();
    const Entry *e = c->reference->roots.data[0]->entries.data[number];
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(c->reference->dims) + 1, int64_t);
    const int64_t dims[2] = {n, 0};
    for (int i = 0; i < e->dims.count; i++) symbols[dim_as_symbol(e->dims.data[i])->index] = n;
    Bounded in[INPUTS_MAX], out[RESULTS_MAX];
    const void *arguments[INPUTS_MAX];
    Tensor *got[RESULTS_MAX], *same[RESULTS_MAX];
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
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *t = out[i].value;
        got[i] = tensor_new(arena, t->dtype, t->rank, t->extents);
        same[i] = tensor_new(arena, t->dtype, t->rank, t->extents);
    }
    call(c, number, dims, arguments, out, e->results.count, got);
    if (x->exact == SAME) call(cpu, number, dims, arguments, out, e->results.count, same);
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *wanted = x->exact == SAME ? same[i] : out[i].value;
        for (int64_t k = 0; k < wanted->count; k++) {
            double value = tensor_get(got[i], k);
            if (bound_holds(out[i], k, value) &&
                (x->exact == BOUNDED || equal(tensor_get(wanted, k), value)))
                continue;
            fail_msg("%s, N = %lld, element %lld: expected %.9g +- %.3g, got %.9g", e->name->text,
                     (long long)n, (long long)k, tensor_get(wanted, k), out[i].error->floats[k],
                     value);
        }
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
    Compiled c = compile_for_shim(name, text.data, "-DSCHEDULES=8"), cpu = {0};
    if (cases[0].exact == SAME)
        cpu = compile_program(arena_printf(arena, "c_%s", name), text.data, "gcc -O1 -Wno-psabi");
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
                run_at(&c, &cpu, &cases[i], entry, atoll(size));
        }
    compiled_free(&c);
    if (cpu.library) compiled_free(&cpu);
    arena_free(arena);
}

#define ALL "f32 f64 i64 i32 i8 u8 f16 bf16"
#define SUM(in, rest) " dims N\n %x: $" in " = input x\n %y = prefix %x kind=" rest "\n return y=%y"

static void test_prefix(void **state) {
    (void)state;
    static const char edges[] = "0 1 31 32 33 255 256 257 1023 1025";
    static const Indexed cases[] = {
        {"thread", SUM("[N, 7]", "sum axis=1"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 33 300"},
        {"warp", SUM("[64, N, 65]", "sum axis=2"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 2"},
        {"warp_last", SUM("[64, N, 64]", "max axis=2 reverse"), ALL, -2, 2, 90, 5, BOUNDED,
         "0 1 2"},
        {"block", SUM("[N, 1025]", "sum axis=1"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 3"},
        {"block_reverse", SUM("[N, 1023]", "sum axis=1 reverse"), "f32 i32", -2, 2, 5, 0, BOUNDED,
         "1 2"},
        {"block_product", SUM("[N, 513]", "prod axis=1"), "f32 f64 i64 u8", 0.98, 1.02, 4, 0,
         BOUNDED, "1 2"},
        {"open", SUM("[3, N]", "sum axis=1"), "f32 i64 f16", -2, 2, 5, 0, BOUNDED, edges},
        {"open_odd", SUM("[3, N]", "sum axis=1"), "f32", -2, 2, 5, 300, BOUNDED, edges},
        {"open_min", SUM("[3, N]", "min axis=1"), "f32 i32", -2, 2, 90, 41, BOUNDED, edges},
        {"alone", SUM("[N]", "max axis=0 reverse"), "f64 i8", -2, 2, 90, 41, BOUNDED, edges},
        {"parts", SUM("[2, 20001]", "sum axis=1"), "f32 i64 bf16", -2, 2, 5, 0, BOUNDED, "0"},
        {"parts_reverse", SUM("[2, 6, 20001]", "max axis=2 reverse"), "f32 i32", -2, 2, 90, 900,
         BOUNDED, "0"},
        {"parts_open", SUM("[512*N]", "sum axis=0 reverse"), "f32 i32", -2, 2, 5, 0, BOUNDED,
         "0 1 16 17 33"},
        {"parts_columns", SUM("[20001, 3]", "prod axis=0"), "f64 i32", 0.9999, 1.0001, 4, 0,
         BOUNDED, "0"},
        {"columns", SUM("[3, N, 1000]", "sum axis=1"), "f32 i16", -2, 2, 5, 0, BOUNDED, "0 1 5"},
        {"few_columns", SUM("[N, 5]", "sum axis=0"), ALL, -2, 2, 5, 0, BOUNDED, edges},
    };
    run_table("prefix", cases, sizeof cases / sizeof *cases,
              "nn_scan_warp<nn_sum_f32> nn_scan_block<8, totals");
}

#define SORT(in, rest) " dims N\n %x: $" in " = input x\n %y = argsort %x " rest "\n return y=%y"

static void test_sort(void **state) {
    (void)state;
    static const char edges[] = "0 1 2 31 32 33 1023 1024 1025 2047 2048 2049 4097";
    static const Indexed cases[] = {
        {"pairs", SORT("[N, 2]", "axis=1"), ALL " bool", -2, 2, 3, 7, EQUAL, "0 1 255 600"},
        {"short", SORT("[N, 7]", "axis=1 descending"), ALL " bool", -2, 2, 3, 7, EQUAL,
         "0 1 64 65"},
        {"warp", SORT("[N, 32]", "axis=1"), ALL, -2, 2, 9, 7, EQUAL, "1 16 17"},
        {"odd", SORT("[N, 33]", "axis=1"), "f32", -2, 2, 9, 7, EQUAL, "1 8 9"},
        {"columns", SORT("[65, N, 3]", "axis=0"), "f32 i64", -2, 2, 9, 7, EQUAL, "1 5"},
        {"one", SORT("[N, 1]", "axis=1"), "f32", -2, 2, 9, 7, EQUAL, "0 3"},
        {"tile", SORT("[N, 1023]", "axis=1 descending"), "f32 f64 i64 f16 bool", -20, 20, 500, 31,
         EQUAL, "1 2"},
        {"full", SORT("[N, 2048]", "axis=1"), "f32 f64", -20, 20, 500, 31, EQUAL, "1"},
        {"two", SORT("[2, 2049]", "axis=1"), "f32 i64", -20, 20, 500, 31, EQUAL, "0"},
        {"chunks", SORT("[2, 3, 10000]", "axis=2 descending"), "f32", -200, 200, 500, 31, EQUAL,
         "0"},
        {"chunks_columns", SORT("[6500, 2]", "axis=0"), "f64 i8", -20, 20, 100, 31, EQUAL, "0"},
        {"open", SORT("[2, N]", "axis=1"), "f32 i32", -20, 20, 500, 31, EQUAL, edges},
        {"open_down", SORT("[N]", "axis=0 descending"), "f64 i64 bf16 bool", -20, 20, 500, 31,
         EQUAL, edges},
        {"in_scan",
         " dims N\n %h: i64[2100] = input h\n %x: $[N, 2100] = input x\n"
         " %s = scan %h, %x carries=1 sequences=1 length=N {\n"
         "  %c: i64[2100] = input\n  %e: $[2100] = input\n"
         "  %o = argsort %e axis=0\n  %n = add %c, %o\n  return %n, %o\n }\n"
         " %l = proj %s index=0\n %a = proj %s index=1\n return l=%l, a=%a",
         "f32", -20, 20, 500, 31, EQUAL, "0 1 3"},
    };
    run_table("sort", cases, sizeof cases / sizeof *cases, "nn_sort_tile<256 nn_rank< nn_width");
}

#define SCATTER(x, ids, u, op, rest)                                                  \
    " dims N\n %x: $" x " = input x\n %i: " ids " = input i\n %u: $" u " = input u\n" \
    " %y = scatter_" op " %x, %i, %u batch=" rest "\n return y=%y"

static void test_scatter(void **state) {
    (void)state;
    static const char edges[] = "0 1 31 32 33 255 257 1023 1025 2048 2049 4100";
    static const Indexed cases[] = {
        {"few", SCATTER("[9, 3]", "i64[32]", "[32, 3]", "add", "0"), ALL, -2, 2, 9, 0, SAME, "0"},
        {"few_set", SCATTER("[9, N]", "i32[32]", "[32, N]", "set", "0"), "f32 bool", -2, 2, 9, 0,
         SAME, "0 1 300"},
        {"rows", SCATTER("[9, 3]", "i64[N]", "[N, 3]", "add", "0"), ALL, -2, 2, 9, 0, SAME, edges},
        {"rows_set", SCATTER("[9, 3]", "i64[N]", "[N, 3]", "set", "0"), ALL " bool", -2, 2, 9, 0,
         SAME, edges},
        {"one_row", SCATTER("[1, 33]", "i64[N]", "[N, 33]", "add", "0"), "f32 f16", -2, 2, 1, 0,
         SAME, "1 100"},
        {"odd", SCATTER("[40, 5]", "u8[N]", "[N, 5]", "add", "0"), "f32 f64", -2, 2, 40, 9, SAME,
         "1 100 300"},
        {"plane", SCATTER("[9]", "i32[N, 3]", "[N, 3]", "add", "0"), "f32 i64", -2, 2, 9, 0, SAME,
         "0 1 33 700"},
        {"batches", SCATTER("[N, 9, 2]", "i64[N, 40]", "[N, 40, 2]", "add", "1"), "f32 f64 i8", -2,
         2, 9, 0, SAME, "0 1 5"},
        {"batches_set", SCATTER("[2, N, 50]", "i64[2, N, 7, 11]", "[2, N, 7, 11]", "set", "2"),
         "f32 i32", -2, 2, 50, 0, SAME, "0 1 3"},
        {"open_rows", SCATTER("[N + 500, 2]", "i64[70, 40]", "[70, 40, 2]", "add", "0"), "f32 bf16",
         -2, 2, 500, 0, SAME, "0 1"},
        {"computed",
         " dims N\n %x: $[20, 3] = input x\n %i: i64[N] = input i\n %u: $[N, 3] = input u\n"
         " %k: i64[N] = const 1\n %j = add %i, %k\n %v = mul %u, %u\n"
         " %y = scatter_add %x, %j, %v batch=0\n return y=%y",
         "f32 f64", -2, 2, 19, 0, SAME, "0 1 100 3000"},
    };
    run_table("scatter", cases, sizeof cases / sizeof *cases, "nn_sort_tile<256 nn_rank<");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefix), cmocka_unit_test(test_sort),
                                       cmocka_unit_test(test_scatter)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
