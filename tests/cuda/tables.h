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

enum { INPUTS_MAX = 4, RESULTS_MAX = 4 };

/* What a result must be beside within the bound. */
typedef enum Exactness {
    BOUNDED,
    EQUAL, /* to the interpreter's */
    SAME   /* as what is emitted for the CPU, which adds updates one after the other */
} Exactness;

typedef struct TableCase {
    const char *name, *body, *dtypes;
    double from, to; /* of floats; integers: as Case */
    int64_t high;    /* of integers: below this */
    int odd;         /* of so many floats one is NaN or infinite; 0: none */
    Exactness exact;
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

/* What one call of the entry gives. */
static inline void call(const Compiled *c, int number, const int64_t *dims,
                        const void *const *arguments, Bounded *like, int count, Tensor **out) {
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

static inline bool equal(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

/* cpu: the same program, emitted as C; NULL if it is not wanted. */
static inline void run_at(const Compiled *c, const Compiled *cpu, const TableCase *x, int number,
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
    b.how = (Interpretation){INTERPRET_TYPED, symbols, NULL, 7, 0, NULL};
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

/* Every case at every dtype is an entry of one program, whose text has each of `used`; `flags`: of
 * the compiler. */
static inline void run_table_with(const char *name, const char *flags, const KernelOptions *kernels,
                                  const TableCase *cases, int count, const char *used) {
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
    Compiled c = compile_for_shim_with(name, text.data, flags, kernels), cpu = {0};
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

/* Indices are of the type `index`. */
static inline void run_table(const char *name, const char *index, const TableCase *cases, int count,
                             const char *used) {
    char flags[64];
    snprintf(flags, sizeof flags, "-DSCHEDULES=8 -DNN_INDEX=%s", index);
    run_table_with(name, flags, &(KernelOptions){.gpu = true}, cases, count, used);
}

#endif
