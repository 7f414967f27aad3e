/* Every primitive of the tensor IR on the shim, with a dim that only a call knows, and with two
 * numbers in its place: primitives.nn and primitives.ir say what is computed, and the table of
 * operators (tensor/graph.h) what there must be.
 *
 * Each element is within the bound of the typed interpreter (numeric/bound.h), at the sizes below
 * and where a kernel begins another tile or another turn of a loop, which the kernels themselves
 * are asked for.  What no elements are an error of says so.  The adapter compares what 2 schedules
 * of the threads give. */
#include "cuda/shim.h"
#include "lower/lower.h"
#include "numeric/bound.h"

/* In parse.h, whose tree has names that kernels use too. */
SourceUnit *syntax_parse(Arena *arena, const SourceFile *file, DiagnosticSink *sink);

enum { CELLS_MAX = 4, TENSORS_MAX = 16, SIZES_MAX = 32, LARGEST_SIZE = 4097 };

/* None, one, around a warp and 1024, and one past tiles of any power of two up to 4096, whatever
 * the kernels say of theirs. */
static const int64_t plain_sizes[] = {0, 1, 31, 32, 33, 1023, 1025, 4097};
/* What N is in the versions that follow the one where it is a symbol. */
static const int64_t numbers[] = {33, 1025};
enum { VERSIONS = 1 + sizeof numbers / sizeof *numbers };

/* ---- the program ---- */

static const char *read_source(Arena *arena, const char *name) {
    const char *error = NULL;
    size_t length;
    char *text = file_read_all(arena, arena_printf(arena, "%s/tests/cuda/%s", SOURCE_DIR, name),
                               1 << 20, &length, &error);
    if (!text) fail_msg("%s", error);
    return text;
}

static bool is_word_byte(char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The entries of `text` with `n` in the place of N, which is in their names too. */
static void append_bound(Text *out, const char *text, int64_t n) {
    const char *name_follows[] = {"def", "infer", "symbol"};
    bool named = false;
    while (*text) {
        if (!is_word_byte(*text)) {
            text_char(out, *text++);
            continue;
        }
        size_t length = 1;
        while (is_word_byte(text[length])) length++;
        char word[64];
        assert_true(length < sizeof word);
        memcpy(word, text, length);
        word[length] = 0;
        text += length;
        if (!strcmp(word, "dims")) {
            while (*text && *text != '\n') text++;
            continue;
        }
        if (!strcmp(word, "N"))
            text_printf(out, "%lld", (long long)n);
        else
            text_append(out, word);
        if (named) text_printf(out, "_%lld", (long long)n);
        named = false;
        for (size_t i = 0; i < sizeof name_follows / sizeof *name_follows; i++)
            named |= !strcmp(word, name_follows[i]);
    }
}

/* All versions of both files as textual IR. */
static const char *whole_program(Arena *arena) {
    const char *nn = read_source(arena, "primitives.nn"), *ir = read_source(arena, "primitives.ir");
    const char *entries = strstr(nn, "    def "), *end = strrchr(nn, '}');
    assert_true(entries && end && entries < end);
    char *body = arena_copy(arena, entries, (size_t)(end - entries) + 1);
    body[end - entries] = 0;
    Text source = text_new(arena), more = text_new(arena), text = text_new(arena);
    text_printf(&source, "%.*s", (int)(end - nn), nn);
    text_append(&more, ir);
    for (int i = 0; i < VERSIONS - 1; i++) {
        append_bound(&source, body, numbers[i]);
        append_bound(&more, ir, numbers[i]);
    }
    text_append(&source, "}\n");
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceUnit *unit =
        syntax_parse(arena, source_new(arena, "primitives.nn", source.data, source.length), sink);
    LowerOptions options = {.default_dtype = DTYPE_F32};
    Program *program = lower_program(arena, unit, &options, sink);
    if (!program) {
        diagnostics_print(sink, stderr, FORM_TEXT, false);
        fail_msg("primitives.nn does not lower");
    }
    program_print(&text, program, 0);
    char *init = strstr(text.data, "  entry init ");
    assert_non_null(init);
    return arena_printf(arena, "%.*s%s%s", (int)(init - text.data), text.data, more.data, init);
}

/* ---- what there is of the table ---- */

typedef struct Seen {
    bool ops[OP_COUNT], reductions[REDUCE_ARGMIN + 1], prefixes[REDUCE_ARGMIN + 1];
} Seen;

static void see_graph(Seen *seen, const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        seen->ops[n->op] = true;
        if (n->op == OP_REDUCE) seen->reductions[n->attr.reduce.kind] = true;
        if (n->op == OP_PREFIX) seen->prefixes[n->attr.prefix.kind] = true;
        if (n->op == OP_SCAN) see_graph(seen, n->attr.scan.body);
        if (n->op == OP_CALL) see_graph(seen, n->attr.call.body);
    }
}

/* Which version an entry is of. */
static int version_of(Arena *arena, const Entry *e) {
    const char *name = e->name->text;
    size_t length = strlen(name);
    for (int i = 1; i < VERSIONS; i++) {
        const char *end = arena_printf(arena, "_%lld", (long long)numbers[i - 1]);
        if (length > strlen(end) && !strcmp(name + length - strlen(end), end)) return i;
    }
    return 0;
}

/* Does simplification, by design, leave none in the program that kernels are made of? */
static bool is_simplified_away(Op op, int version) {
    return op == OP_CALL || op == OP_IDENTITY || (op == OP_DIM && version);
}

/* Each row of the table is in some entry of the version, as lowered and as kernels are made of it.
 */
static void check_seen(Arena *arena, const Root *root, int version, bool simplified) {
    const char *where =
        arena_printf(arena, "version %d%s has", version, simplified ? ", simplified," : "");
    Seen seen = {0};
    for (int i = 0; i < root->entries.count; i++) {
        const Entry *e = root->entries.data[i];
        if (e->kind == ENTRY_INFER && version_of(arena, e) == version) see_graph(&seen, e->graph);
    }
    for (Op op = 0; op < OP_COUNT; op++)
        if (!seen.ops[op] && !(simplified && is_simplified_away(op, version)))
            fail_msg("%s no %s", where, op_info(op)->name);
    for (ReduceKind kind = REDUCE_SUM; kind <= REDUCE_ARGMIN; kind++)
        if (!seen.reductions[kind]) fail_msg("%s no reduction by %s", where, reduce_name(kind));
    for (ReduceKind kind = REDUCE_SUM; kind <= REDUCE_MIN; kind++)
        if (!seen.prefixes[kind]) fail_msg("%s no prefix by %s", where, reduce_name(kind));
}

/* ---- sizes ---- */

/* The least size at which `d` is more than at size 1; 0: none that is sought. */
static int64_t size_of_growth(const Dim *d, int64_t *symbols, int symbol_count) {
    int64_t first = 0, value, low = 1, high = LARGEST_SIZE;
    for (int64_t n = 1; low <= high; n = low + (high - low) / 2) {
        for (int i = 0; i < symbol_count; i++) symbols[i] = n;
        if (!dim_evaluate(d, symbols, &value)) return 0;
        if (n == 1 && low == 1) first = value;
        if (value > first)
            high = n - 1;
        else
            low = n + 1;
    }
    return low <= LARGEST_SIZE ? low : 0;
}

typedef struct Sizes {
    int count;
    int64_t data[SIZES_MAX];
} Sizes;

static void add_size(Sizes *sizes, int64_t n) {
    for (int i = 0; i < sizes->count; i++)
        if (sizes->data[i] == n) return;
    assert_true(sizes->count < SIZES_MAX);
    sizes->data[sizes->count++] = n;
}

/* Where a kernel has one more tile, and where a loop in it turns once more; the largest of them. */
static int64_t add_edges(Sizes *sizes, Step *const *steps, int count, int64_t *symbols,
                         int symbol_count) {
    int64_t largest = 0;
    for (int i = 0; i < count; i++) {
        const Step *step = steps[i];
        if (step->kind == STEP_LOOP) {
            int64_t n = add_edges(sizes, step->body.data, step->body.count, symbols, symbol_count);
            if (n > largest) largest = n;
        }
        for (int a = 0; step->kernel && a < step->kernel->axes.count; a++) {
            int64_t n = size_of_growth(step->kernel->axes.data[a].extent, symbols, symbol_count);
            if (n) add_size(sizes, n);
            if (n > largest) largest = n;
        }
    }
    return largest;
}

/* ---- calls ---- */

/* What an argument is drawn from: the letter that its name begins with says. */
static const struct {
    const char *letters;
    double from, to;
} ranges[] = {{"xyzwbcij", -2, 2}, {"pq", 0.3, 2}, {"u", -0.9, 0.9}, {"t", 1.1, 4}};

static void fill(Tensor *t, const char *name) {
    Case range = {.high = 3};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (strchr(ranges[i].letters, *name)) range.from = ranges[i].from, range.to = ranges[i].to;
    if (range.from == range.to) fail_msg("nothing is known of arguments called %s", name);
    fill_input(t, &range);
}

typedef struct Model {
    Compiled compiled;
    const char *source; /* of primitives.nn */
    nnc_context context;
    Bounded cells[CELLS_MAX];
} Model;

static Bounded exactly(Arena *arena, Tensor *t) {
    return (Bounded){t, tensor_new(arena, DTYPE_F64, t->rank, t->extents)};
}

static void open_model(Arena *arena, Model *m) {
    const Root *root = m->compiled.reference->roots.data[0];
    const nnc_model *table = m->compiled.model;
    m->context = (nnc_context){.weights_bytes = table->weights_bytes};
    m->context.weights = guarded_alloc(table->weights_bytes, 0xFF);
    m->context.workspace_bytes =
        table->init_workspace_bytes ? table->init_workspace_bytes(NULL) : 0;
    m->context.workspace = guarded_alloc(m->context.workspace_bytes, 0xFF);
    assert_int_equal(table->init(&m->context, 7, NULL), NNC_OK);
    guarded_free(m->context.workspace, m->context.workspace_bytes, "workspace");
    assert_true(root->cells.count <= CELLS_MAX);
    for (int i = 0; i < root->cells.count; i++) {
        Tensor *t = tensor_of_type(arena, &root->cells.data[i]->type, NULL);
        size_t bytes = (size_t)t->count * dtype_bytes(t->dtype);
        char *data = arena_alloc(arena, bytes + 1);
        assert_int_equal(table->get(&m->context, i, data, bytes), NNC_OK);
        tensor_from_bytes(t, data);
        m->cells[i] = exactly(arena, t);
    }
}

/* What an entry says of no elements by the comment above it; NULL: nothing, it takes them. */
static const char *said_of_none(Arena *arena, const Model *m, const Entry *e) {
    const char *def = strstr(m->source, arena_printf(arena, "    def %s(", e->name->text));
    const char *line = def;
    if (!def || def == m->source) return NULL;
    for (line--; line > m->source && line[-1] != '\n';) line--;
    const char *text = strstr(line, "# none: ");
    if (!text || text > def) return NULL;
    text += strlen("# none: ");
    return arena_printf(arena, "%.*s", (int)(def - 1 - text), text);
}

/* The reason why the interpreter refuses a call; NULL if it does not. */
static const char *refused(Arena *arena, const Model *m, const Entry *e, const int64_t *dims,
                           Bounded *in) {
    const Program *p = m->compiled.reference;
    Environment *env = environment_new(arena, p->roots.data[0], p->dims);
    Tensor *inputs[TENSORS_MAX], *results[TENSORS_MAX];
    for (int i = 0; i < e->arguments.count; i++) inputs[i] = in[i].value;
    for (int i = 0; i < p->roots.data[0]->cells.count; i++) env->cells[i] = m->cells[i].value;
    env->seed = 7;
    return interpret_entry(env, INTERPRET_TYPED, e, dims, inputs, results);
}

static void run_entry(Model *m, int number, int64_t n) {
    Arena *arena = arena_new();
    const Program *program = m->compiled.reference;
    const Entry *e = program->roots.data[0]->entries.data[number];
    const nnc_entry_info *info = &m->compiled.model->entries[number];
    const char *name = e->name->text;
    assert_string_equal(info->name, name);
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(program->dims) + 1, int64_t);
    const int64_t dims[2] = {n, 0};
    assert_true(e->dims.count <= 1 && e->arguments.count <= TENSORS_MAX &&
                e->results.count <= TENSORS_MAX);
    if (e->dims.count) symbols[dim_as_symbol(e->dims.data[0])->index] = n;
    Bounded in[TENSORS_MAX], wanted[TENSORS_MAX];
    const void *arguments[TENSORS_MAX];
    void *results[TENSORS_MAX];
    for (int i = 0; i < e->arguments.count; i++) {
        Tensor *t = tensor_of_type(arena, &e->arguments.data[i].node->type, symbols);
        fill(t, e->arguments.data[i].name->text);
        in[i] = exactly(arena, t);
        char *bytes = arena_alloc(arena, (size_t)t->count * dtype_bytes(t->dtype) + 1);
        tensor_to_bytes(t, bytes);
        arguments[i] = bytes;
    }
    const char *refusal = n ? NULL : refused(arena, m, e, dims, in);
    const char *none = n ? NULL : said_of_none(arena, m, e);
    if (!refusal != !none || (none && !strstr(refusal, none)))
        fail_msg("%s of no elements: expected %s, the interpreter says %s", name,
                 none ? none : "a result", refusal ? refusal : "nothing");
    Tensor *got[TENSORS_MAX];
    for (int i = 0; i < e->results.count; i++) {
        got[i] = tensor_of_type(arena, &e->results.data[i].node->type, symbols);
        results[i] = guarded_alloc((size_t)got[i]->count * dtype_bytes(got[i]->dtype), 0x5A);
    }
    m->context.seed = 7;
    m->context.step = 0;
    m->context.message = NULL;
    m->context.workspace_bytes = info->workspace_bytes(dims);
    m->context.workspace = guarded_alloc(m->context.workspace_bytes, 0xFF);
    int code = info->call(&m->context, dims, arguments, results);
    const char *message = m->context.message ? m->context.message : "";
    if (!code != !none || (none && !strstr(message, none)))
        fail_msg("%s, N = %lld: %d %s", name, (long long)n, code, message);
    guarded_free(m->context.workspace, m->context.workspace_bytes, "workspace");
    for (int i = 0; i < e->results.count; i++) {
        tensor_from_bytes(got[i], results[i]);
        guarded_free(results[i], (size_t)got[i]->count * dtype_bytes(got[i]->dtype), name);
    }
    if (!none) {
        BoundRun b = {.cells = m->cells};
        b.how = (Interpretation){INTERPRET_TYPED, symbols, NULL, 7, 0, NULL};
        b.run = (Run){.arena = arena, .how = &b.how};
        b.run.blocks = (Block){&b.run.blocks, &b.run.blocks};
        bound_graph(&b, e->graph, in, wanted);
        if (b.run.error) fail_msg("%s, N = %lld: %s", name, (long long)n, b.run.error);
        for (int i = 0; i < e->results.count; i++)
            for (int64_t k = 0; k < got[i]->count; k++)
                if (!bound_holds(wanted[i], k, tensor_get(got[i], k)))
                    fail_msg("%s, N = %lld, %s, element %lld: expected %.9g +- %.3g, got %.9g",
                             name, (long long)n, e->results.data[i].name->text, (long long)k,
                             tensor_get(wanted[i].value, k), wanted[i].error->floats[k],
                             tensor_get(got[i], k));
    }
    arena_free(arena);
}

static void test_primitives(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    const char *text = whole_program(arena);
    Model m = {.source = read_source(arena, "primitives.nn")};
    m.compiled = compile_for_shim("primitives", text,
                                  "-DSCHEDULES=2 -DNN_INDEX=int32_t -DADAPTER_ENTRIES=256");
    const Root *root = m.compiled.reference->roots.data[0];
    const KernelProgram *kernels = m.compiled.plan->kernels;
    for (int v = 0; v < VERSIONS; v++) {
        check_seen(arena, root, v, false);
        check_seen(arena, kernels->program->roots.data[0], v, true);
    }
    open_model(arena, &m);
    const int symbol_count = dim_symbol_count(kernels->program->dims);
    int64_t *symbols = NEW_ARRAY(arena, (size_t)symbol_count + 1, int64_t);
    for (int i = 0; i < root->entries.count; i++) {
        if (root->entries.data[i]->kind != ENTRY_INFER) continue;
        const int version = version_of(arena, root->entries.data[i]);
        Sizes sizes = {0};
        if (version) {
            add_size(&sizes, numbers[version - 1]);
        } else {
            const KernelEntry *e = kernels->roots.data[0]->entries.data[i];
            for (size_t k = 0; k < sizeof plain_sizes / sizeof *plain_sizes; k++)
                add_size(&sizes, plain_sizes[k]);
            if (add_edges(&sizes, e->steps.data, e->steps.count, symbols, symbol_count) <= 2)
                fail_msg("%s: no tile of more than one index ends", e->entry->name->text);
        }
        for (int k = 0; k < sizes.count; k++) run_entry(&m, i, sizes.data[k]);
    }
    guarded_free(m.context.weights, m.context.weights_bytes, "weights");
    compiled_free(&m.compiled);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_primitives)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
