/* The examples on a GPU without one: every entry of fashion_mnist, lenet and custom as they stand,
 * and of the others in small (small.nn), on the shim (the former with products of our own, by
 * cuBLASLt, and compiled for the CPU), is within the bound of the typed interpreter
 * (numeric/bound.h), element by element, results and cells; on the shim it is the same to the bit
 * under 8 schedules. */
#include "cuda/gemm.h"
#include "lower/lower.h"
#include "numeric/bound.h"

/* In parse.h, whose tree has names that kernels use too. */
SourceUnit *syntax_parse(Arena *arena, const SourceFile *file, DiagnosticSink *sink);

enum { CELLS_MAX = 256, TENSORS_MAX = 16 };

/* The program of an example, with only one of its roots. */
static Program *lower_root(Arena *arena, const char *example, int root) {
    const char *path = arena_printf(arena, "%s/%s.nn", SOURCE_DIR, example), *error = NULL;
    size_t length;
    char *text = file_read_all(arena, path, 1 << 20, &length, &error);
    if (!text) fail_msg("%s", error);
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceUnit *unit = syntax_parse(arena, source_new(arena, path, text, length), sink);
    LowerOptions options = {.default_dtype = DTYPE_F32};
    Program *program = lower_program(arena, unit, &options, sink);
    if (!program) fail_msg("%s does not lower", example);
    if (root >= program->roots.count) return NULL;
    program->roots.data[0] = program->roots.data[root];
    program->roots.count = 1;
    return program;
}

/* What the dims of a state are; entries that have one are called with it alone. */
enum { STATE_DIM = 7 };

typedef enum CandidateKind { CANDIDATE_C, CANDIDATE_CUDA, CANDIDATE_LIBRARY } CandidateKind;
static const char *const candidate_names[] = {"C", "CUDA", "cuBLASLt"};

typedef struct Candidate {
    const char *name;
    Compiled compiled;
    nnc_context context;
} Candidate;

static bool is_example(const char *path) {
    return !strncmp(path, "examples/", strlen("examples/"));
}

static Candidate open_candidate(Arena *arena, const char *example, int root, CandidateKind kind) {
    Candidate c = {.name = candidate_names[kind], .compiled = {.arena = arena}};
    c.compiled.reference = lower_root(arena, example, root);
    Program *program = lower_root(arena, example, root);
    simplify_program(program);
    const char *name = program->roots.data[0]->name->text;
    char *folder = program_folder(
        arena, arena_printf(arena, "%s_%s_%d", c.name, strrchr(example, '/') + 1, root));
    if (kind != CANDIDATE_C) {
        const bool library = kind == CANDIDATE_LIBRARY, small = !is_example(example);
        const KernelOptions kernels = {.gpu = true, .gemm = library ? GEMM_CUBLASLT : GEMM_OWN};
        const char *flags =
            library ? arena_printf(arena, "-DSCHEDULES=2 -DNN_INDEX=int32_t %s", gemm_flag(arena))
            : small ? "-O0 -DSCHEDULES=4" /* compiled for longer than it runs */
                    : "-DSCHEDULES=8";
        c.compiled.plan = emit_shim_program(arena, program, &kernels, folder);
        open_program(&c.compiled, folder, model_command(arena, name, flags));
    } else {
        EmitOptions options = {.header_name = "model.h",
                               .file_name = "model.c",
                               .source_name = "test.nn",
                               .version = "test",
                               .info = true};
        Text header = text_new(arena), source = text_new(arena);
        c.compiled.plan = plan_build(arena, kernel_program_build(arena, program));
        emit_header(c.compiled.plan, &options, &header);
        emit_c(c.compiled.plan, &options, &source);
        write_text(arena_printf(arena, "%s/model.h", folder), &header);
        write_text(arena_printf(arena, "%s/model.c", folder), &source);
        open_program(&c.compiled, folder,
                     "gcc -O1 -Wno-psabi -shared -fPIC model.c -o model.so -lm");
    }
    const nnc_model *m = c.compiled.model;
    c.context.weights_bytes = m->weights_bytes;
    c.context.weights = guarded_alloc(m->weights_bytes, 0xFF);
    const int64_t dims[] = {STATE_DIM, STATE_DIM};
    assert_true(m->init_dim_count <= 2);
    c.context.state_bytes = m->state_bytes(dims);
    c.context.state = guarded_alloc(c.context.state_bytes, 0xFF);
    return c;
}

static void close_candidate(Candidate *c) {
    guarded_free(c->context.weights, c->context.weights_bytes, "weights");
    guarded_free(c->context.state, c->context.state_bytes, "state");
    dlclose(c->compiled.library);
}

static void take_workspace(Candidate *c, size_t bytes) {
    c->context.workspace = guarded_alloc(bytes, 0xFF);
    c->context.workspace_bytes = bytes;
}

static void give_workspace(Candidate *c) {
    guarded_free(c->context.workspace, c->context.workspace_bytes, "workspace");
}

static Tensor *no_error(Arena *arena, const Tensor *t) {
    return tensor_new(arena, DTYPE_F64, t->rank, t->extents);
}

static Tensor *cell_tensor(Arena *arena, const Candidate *c, const Cell *cell) {
    const size_t count = (size_t)dim_symbol_count(c->compiled.reference->dims);
    int64_t *symbols = NEW_ARRAY(arena, count + 1, int64_t);
    for (size_t i = 0; i < count; i++) symbols[i] = STATE_DIM;
    return tensor_of_type(arena, &cell->type, symbols);
}

static void read_cells(Arena *arena, Candidate *c, const Root *root, Bounded *cells) {
    assert_true(root->cells.count <= CELLS_MAX);
    for (int i = 0; i < root->cells.count; i++) {
        Tensor *t = cell_tensor(arena, c, root->cells.data[i]);
        size_t bytes = (size_t)t->count * dtype_bytes(t->dtype);
        char *data = arena_alloc(arena, bytes + 1);
        assert_int_equal(c->compiled.model->get(&c->context, i, data, bytes), NNC_OK);
        tensor_from_bytes(t, data);
        cells[i] = (Bounded){t, no_error(arena, t)};
    }
}

static void check(const Candidate *c, const Entry *e, const char *what, Bounded expected,
                  const Tensor *actual) {
    for (int64_t i = 0; i < actual->count; i++)
        if (!bound_holds(expected, i, tensor_get(actual, i)))
            fail_msg("%s, %s, %s, element %lld: expected %.9g +- %.3g, got %.9g", c->name,
                     e->symbol, what, (long long)i, tensor_get(expected.value, i),
                     expected.error->floats[i], tensor_get(actual, i));
}

/* Of a call of `e`: results, then cells, and how far others may be from them. */
static void expect(Arena *arena, const Entry *e, const Root *root, const Bounded *before,
                   const Bounded *arguments, int64_t *symbols, uint64_t step, Bounded *results,
                   Bounded *after) {
    BoundRun b = {.cells = before};
    b.how = (Interpretation){INTERPRET_TYPED, symbols, NULL, 7, step, NULL};
    b.run = (Run){.arena = arena, .how = &b.how};
    b.run.blocks = (Block){&b.run.blocks, &b.run.blocks};
    bound_graph(&b, e->graph, arguments, results);
    if (b.run.error) fail_msg("%s: %s", e->symbol, b.run.error);
    for (int i = 0; i < root->cells.count; i++) after[i] = before[i];
    for (int i = 0; i < e->writes.count; i++)
        after[e->writes.data[i].cell->index] = results[e->results.count + i];
}

static void compare_cells(Arena *arena, Candidate *c, const Entry *e, const Root *root,
                          const Bounded *after) {
    Bounded cells[CELLS_MAX];
    read_cells(arena, c, root, cells);
    for (int i = 0; i < root->cells.count; i++)
        check(c, e, root->cells.data[i]->name->text, after[i], cells[i].value);
}

/* One call, from the cells as they are. */
static void call_entry(Candidate *c, const Root *root, const Entry *e, int64_t n) {
    Arena *arena = arena_new();
    const nnc_entry_info *info = NULL;
    for (int i = 0; i < c->compiled.model->entry_count; i++)
        if (!strcmp(c->compiled.model->entries[i].name, e->name->text))
            info = &c->compiled.model->entries[i];
    assert_non_null(info);
    int64_t *symbols =
        NEW_ARRAY(arena, (size_t)dim_symbol_count(c->compiled.reference->dims) + 1, int64_t);
    int64_t dims[4];
    for (int i = 0; i < e->dims.count; i++)
        dims[i] = symbols[dim_as_symbol(e->dims.data[i])->index] = n;
    Bounded before[CELLS_MAX], after[CELLS_MAX], arguments[TENSORS_MAX];
    Bounded *expected = NEW_ARRAY(arena, (size_t)e->graph->results.count + 1, Bounded);
    const void *in[TENSORS_MAX];
    void *out[TENSORS_MAX];
    for (int i = 0; i < e->arguments.count; i++) {
        Tensor *t = tensor_of_type(arena, &e->arguments.data[i].node->type, symbols);
        Case range = {.high = strcmp(e->arguments.data[i].name->text, "image") ? 10 : 256,
                      .from = t->rank ? -1 : 0.01,
                      .to = t->rank ? 1 : 0.1};
        fill_input(t, &range);
        arguments[i] = (Bounded){t, no_error(arena, t)};
        char *bytes = arena_alloc(arena, (size_t)t->count * dtype_bytes(t->dtype) + 1);
        tensor_to_bytes(t, bytes);
        in[i] = bytes;
    }
    read_cells(arena, c, root, before);
    expect(arena, e, root, before, arguments, symbols, c->context.step, expected, after);
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *t = expected[i].value;
        out[i] = arena_alloc(arena, (size_t)t->count * dtype_bytes(t->dtype) + 1);
    }
    take_workspace(c, info->workspace_bytes(dims));
    int code = info->call(&c->context, dims, in, out);
    if (code)
        fail_msg("%s, %s: %d %s", c->name, e->symbol, code,
                 c->context.message ? c->context.message : "");
    give_workspace(c);
    for (int i = 0; i < e->results.count; i++) {
        const Tensor *t = expected[i].value;
        Tensor *actual = tensor_new(arena, t->dtype, t->rank, t->extents);
        tensor_from_bytes(actual, out[i]);
        check(c, e, e->results.data[i].name->text, expected[i], actual);
    }
    compare_cells(arena, c, e, root, after);
    arena_free(arena);
}

static void call_init(Candidate *c, const Root *root, const Entry *e) {
    Arena *arena = arena_new();
    const nnc_model *m = c->compiled.model;
    const int64_t dims[] = {STATE_DIM, STATE_DIM};
    take_workspace(c, m->init_workspace_bytes ? m->init_workspace_bytes(dims) : 0);
    int code = m->init(&c->context, 7, dims);
    if (code) fail_msg("%s, init: %d %s", c->name, code, c->context.message);
    give_workspace(c);
    Bounded before[CELLS_MAX], after[CELLS_MAX];
    for (int i = 0; i < root->cells.count; i++) {
        Tensor *t = cell_tensor(arena, c, root->cells.data[i]);
        before[i] = (Bounded){t, no_error(arena, t)};
    }
    Bounded *results = NEW_ARRAY(arena, (size_t)e->graph->results.count + 1, Bounded);
    int64_t *symbols =
        NEW_ARRAY(arena, (size_t)dim_symbol_count(c->compiled.reference->dims) + 1, int64_t);
    for (int i = 0; i < e->dims.count; i++)
        symbols[dim_as_symbol(e->dims.data[i])->index] = STATE_DIM;
    expect(arena, e, root, before, NULL, symbols, 0, results, after);
    for (int i = 0; i < e->writes.count; i++) {
        Bounded cells[CELLS_MAX];
        int at = e->writes.data[i].cell->index;
        read_cells(arena, c, root, cells);
        check(c, e, root->cells.data[at]->name->text, after[at], cells[at].value);
    }
    arena_free(arena);
}

static void test_example(void **state) {
    static const int64_t sizes[] = {1, STATE_DIM};
    /* In small, C is held to PyTorch's numbers by programs/test_agree_compiled.c. */
    const CandidateKind first_kind = is_example(*state) ? CANDIDATE_C : CANDIDATE_CUDA;
    const CandidateKind last_kind = is_example(*state) ? CANDIDATE_LIBRARY : CANDIDATE_CUDA;
    for (int root = 0;; root++) {
        Arena *arena = arena_new();
        names_init(arena);
        if (!lower_root(arena, *state, root)) {
            arena_free(arena);
            return;
        }
        for (CandidateKind kind = first_kind; kind <= last_kind; kind++) {
            Candidate c = open_candidate(arena, *state, root, kind);
            const Root *r = c.compiled.reference->roots.data[0];
            for (int i = 0; i < r->entries.count; i++)
                if (r->entries.data[i]->kind == ENTRY_INIT) call_init(&c, r, r->entries.data[i]);
            const size_t first = c.compiled.model->init_dim_count ? 1 : 0;
            for (size_t k = first; k < sizeof sizes / sizeof *sizes; k++)
                for (int i = 0; i < r->entries.count; i++)
                    if (r->entries.data[i]->kind == ENTRY_INFER ||
                        r->entries.data[i]->kind == ENTRY_TRAIN)
                        call_entry(&c, r, r->entries.data[i], sizes[k]);
            close_candidate(&c);
        }
        arena_free(arena);
    }
}

#define EXAMPLE(name) \
    { #name, test_example, NULL, NULL, "examples/" #name }
#define SMALL \
    { "small", test_example, NULL, NULL, "tests/cuda/small" }

int main(void) {
    const struct CMUnitTest tests[] = {EXAMPLE(custom), EXAMPLE(lenet), EXAMPLE(fashion_mnist),
                                       SMALL};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
