/* Tables of programs at the sizes where schedules for a GPU change: around a warp, a chunk of a
 * block and a tile, with symbols and without, ties, NaN and infinities.  On the shim, under 8
 * schedules of the threads, every element is within the bound of the typed interpreter
 * (numeric/bound.h).
 *
 * '$' in a body is the dtype. */
#ifndef NNC_TESTS_CUDA_TABLES_H
#define NNC_TESTS_CUDA_TABLES_H

#include "cuda/shim.h"
#include "numeric/bound.h"

enum { INPUTS_MAX = 4 };

typedef struct TableCase {
    const char *name, *body, *dtypes;
    double from, to;   /* of floats; integers: as Case */
    int64_t high;      /* of integers: below this */
    int odd;           /* of so many floats one is NaN or infinite; 0: none */
    bool exact;        /* equal to the interpreter, whatever the bound says */
    const char *sizes; /* of N */
} TableCase;

static inline void fill(Tensor *t, const TableCase *x) {
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

static inline void run_at(const Compiled *c, const TableCase *x, int number, int64_t n) {
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

static inline void append_typed(Text *text, const char *body, const char *dtype) {
    for (; *body; body++) {
        if (*body == '$')
            text_append(text, dtype);
        else
            text_char(text, *body);
    }
}

/* The next word of a list in `word`; false at its end. */
static inline bool next_word(const char **list, char *word) {
    while (**list == ' ') ++*list;
    int length = 0;
    while (**list && **list != ' ') word[length++] = *(*list)++;
    word[length] = 0;
    return length > 0;
}

/* Every case at every dtype is an entry of one program, whose text has each of `used`. */
static inline void run_table(const char *name, const TableCase *cases, int count,
                             const char *used) {
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

#endif
