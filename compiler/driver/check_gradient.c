/* Derivatives against central differences, by the interpreter in f64.
 *
 * A function with a vjp of its own is tested alone, on random arguments and a random upstream
 * gradient; an entry by the gradient of its results (of a training entry: its loss) with respect to
 * its floating arguments and its parameters.  Step and tolerances are those of
 * torch.autograd.gradcheck.  Where a tensor has many elements, some are tested.  Invariant: every
 * number drawn is a function of its place alone, so that a run repeats. */
#include "driver/check_gradient.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "driver/model.h"
#include "tensor/autodiff/autodiff.h"
#include "tensor/interpret/interpret.h"

static const double step_size = 1e-6, absolute = 1e-5, relative = 1e-3;
/* Elements that are tested of one tensor. */
enum { CALL_TESTED = 24, ENTRY_TESTED = 8, ATTEMPTS = 200, SEED = 1 };

typedef struct Checker {
    Arena *arena;
    const Pipeline *pipeline;
    const char *const *excused;
    const char *function; /* only this one's vjp, or NULL */
    int64_t *symbols;
    VECTOR(const void *) seen; /* bodies that were tested */
    int tested, wrong;
    VECTOR(const char *) names; /* that --except can mean: functions that are called, entries */
} Checker;

static bool is_excused(const Checker *k, const char *name) {
    for (int i = 0; i < list_length(k->excused); ++i)
        if (strcmp(k->excused[i], name) == 0) return true;
    return false;
}

/* ---- numbers ---- */

static double draw(uint32_t place, int64_t i) {
    const uint32_t key[2] = {SEED, 0x47524144u};
    uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), place, 0}, word[4];
    nnc_philox(counter, key, word);
    return (double)word[0] * 0x1p-32;
}

/* Floats in [low, low + 1.5), integers below `limit`. */
static Tensor *random_tensor(const Checker *k, Arena *arena, const TensorType *type, uint32_t place,
                             double low, int64_t limit) {
    Tensor *t = tensor_of_type(arena, type, k->symbols);
    for (int64_t i = 0; t && i < t->count; ++i) {
        double u = draw(place, i);
        tensor_set(t, i, dtype_is_float(type->dtype) ? low + 1.5 * u : floor(u * (double)limit));
    }
    return t;
}

/* Sizes of all symbols that every check of the entry accepts: small ones, and not all the same. */
static bool choose_symbols(Checker *k, const Entry *entry) {
    DimTable *dims = entry->graph->dims;
    int count = dim_symbol_count(dims);
    k->symbols = NEW_ARRAY(k->arena, (size_t)count + 1, int64_t);
    for (int attempt = 0; attempt < ATTEMPTS; ++attempt) {
        bool good = true;
        for (int s = 0; s < count; ++s)
            k->symbols[s] = 2 + (s + attempt * (s + 1)) % (3 + attempt / 4);
        for (int d = 0; good && d < entry->dims.count; ++d) {
            const DimSymbol *symbol = dim_as_symbol(entry->dims.data[d]);
            int64_t *value = &k->symbols[symbol->index], known;
            if (*value < symbol->lower) *value = symbol->lower;
            if (*value > symbol->upper) *value = symbol->upper;
            if (!dim_evaluate(dim_refresh(dims, entry->dims.data[d]), k->symbols, &known))
                good = false;
            else
                *value = known;
            good = good && *value >= symbol->lower && *value <= symbol->upper;
        }
        for (int c = 0; good && c < entry->checks.count; ++c) {
            const Check *check = &entry->checks.data[c];
            int64_t left, right;
            if (check->kind != CHECK_DIM) continue;
            good = dim_evaluate(check->left, k->symbols, &left) &&
                   dim_evaluate(check->right, k->symbols, &right) &&
                   (check->relation == '='   ? left == right
                    : check->relation == '<' ? left <= right
                                             : right > 0 && left % right == 0);
        }
        if (good) return true;
    }
    return false;
}

/* ---- one comparison ---- */

/* A function of `x`, which the comparison changes element by element. */
typedef struct Comparison {
    Checker *checker;
    const char *what; /* "vjp of f", "gradient of net" */
    Span span;
    double (*value)(void *user, Arena *arena, const char **error);
    void *user;
    int64_t most; /* elements of one tensor */
    double worst;
    int64_t elements;
    bool failed;
} Comparison;

static void tell_wrong(Comparison *c, const char *argument, const Tensor *x, int64_t at,
                       double given, double wanted) {
    Checker *k = c->checker;
    if (!c->failed) ++k->wrong;
    c->failed = true;
    Text place = text_new(k->arena);
    tensor_print_index(&place, x, at);
    fprintf(stderr, "%s:%d: the %s is wrong in %s: element %s is %.9g, differences give %.9g\n",
            c->span.file ? c->span.file->path : k->pipeline->file,
            c->span.file ? span_line(c->span) : 1, c->what, argument, place.data, given, wanted);
}

/* Compares with differences in some elements of x; tells the worst one. */
static void compare(Comparison *c, const char *argument, Tensor *x, const Tensor *gradient) {
    int64_t count = x->count < c->most ? x->count : c->most, worst_at = -1;
    double worst_given = 0, worst_wanted = 0, worst = 0;
    for (int64_t n = 0; n < count; ++n) {
        int64_t at =
            x->count <= c->most ? n : (int64_t)((double)n * (double)x->count / (double)c->most);
        double old = tensor_get(x, at), h = step_size * fmax(1, fabs(old)), sides[2];
        for (int side = 0; side < 2; ++side) {
            Arena *arena = arena_new();
            const char *error = NULL;
            tensor_set(x, at, side ? old + h : old - h);
            sides[side] = c->value(c->user, arena, &error);
            arena_free(arena);
        }
        tensor_set(x, at, old);
        double wanted = (sides[1] - sides[0]) / (2 * h),
               given = gradient ? tensor_get(gradient, at) : 0;
        double error = fabs(given - wanted) / (absolute + relative * fabs(wanted));
        ++c->elements;
        if (!(error <= worst)) {
            worst = isnan(error) ? INFINITY : error;
            worst_at = at;
            worst_given = given;
            worst_wanted = wanted;
        }
    }
    if (worst > c->worst) c->worst = worst;
    if (worst > 1) tell_wrong(c, argument, x, worst_at, worst_given, worst_wanted);
}

static void tell_right(const Comparison *c) {
    ++c->checker->tested;
    if (!c->failed)
        printf("%s: right in %" PRId64 " elements, at most %.2g of the tolerance\n", c->what,
               c->elements, c->worst);
}

static void tell_unknown(Checker *k, const char *what, const char *why) {
    ++k->wrong;
    fprintf(stderr, "%s: the %s cannot be tested: %s\n", k->pipeline->file, what, why);
}

/* ---- functions with a vjp ---- */

typedef struct CallTest {
    const CallAttr *call;
    Tensor **inputs; /* then one dy for each result */
    int input_count, result_count;
    const Interpretation *how;
} CallTest;

static double call_value(void *user, Arena *arena, const char **error) {
    const CallTest *t = user;
    Tensor **results = NEW_ARRAY(arena, (size_t)t->result_count + 1, Tensor *);
    *error = interpret_graph(arena, t->call->body, t->how, t->inputs, results);
    double sum = *error ? NAN : 0;
    for (int r = 0; !*error && r < t->result_count; ++r)
        for (int64_t i = 0; results[r]->floats && i < results[r]->count; ++i)
            sum += tensor_get(results[r], i) * tensor_get(t->inputs[t->input_count + r], i);
    return sum;
}

static void test_call(Checker *k, const Node *node) {
    const CallAttr *call = &node->attr.call;
    for (int i = 0; i < k->seen.count; ++i)
        if (k->seen.data[i] == call->body) return;
    vector_push(k->arena, &k->seen, call->body);
    const char *name = call->name->text;
    if (k->function && strcmp(k->function, name) != 0) return;
    if (is_excused(k, name)) {
        printf("vjp of %s: not compared\n", name);
        ++k->tested;
        return;
    }
    Interpretation how = {.mode = INTERPRET_VALUE, .symbols = k->symbols, .seed = SEED};
    CallTest test = {.call = call,
                     .input_count = node->input_count,
                     .result_count = call->body->results.count,
                     .how = &how};
    int all = test.input_count + test.result_count;
    test.inputs = NEW_ARRAY(k->arena, (size_t)all + 1, Tensor *);
    Tensor **gradients = NEW_ARRAY(k->arena, (size_t)call->wrt_count + 1, Tensor *);
    const char *what = arena_printf(k->arena, "vjp of %s", name), *error = NULL;
    /* Where negative numbers are outside of its domain, positive ones. */
    for (int attempt = 0; attempt < 2; ++attempt) {
        for (int i = 0; i < all; ++i) {
            bool upstream = i >= test.input_count;
            const Node *of =
                upstream ? call->body->results.data[i - test.input_count] : node->inputs[i];
            test.inputs[i] = random_tensor(k, k->arena, &of->type, (uint32_t)i,
                                           upstream || attempt == 0 ? -0.8 : 0.2, 2);
            if (!test.inputs[i]) {
                tell_unknown(k, what, "its arguments are too large");
                return;
            }
        }
        if (isfinite(call_value(&test, k->arena, &error))) break;
    }
    if (!error) error = interpret_graph(k->arena, call->vjp, &how, test.inputs, gradients);
    if (error) {
        tell_unknown(k, what, error);
        return;
    }
    Comparison c = {.checker = k,
                    .what = what,
                    .span = node->span,
                    .value = call_value,
                    .user = &test,
                    .most = CALL_TESTED};
    for (int w = 0; w < call->wrt_count; ++w) {
        int at = call->wrt[w];
        const Node *input = call->body->inputs.data[at];
        compare(&c, input->attr.input.name ? input->attr.input.name->text : "an argument",
                test.inputs[at], gradients[w]);
    }
    tell_right(&c);
}

static void test_calls(Checker *k, const Graph *g) {
    for (int i = 0; i < g->nodes.count; ++i) {
        const Node *node = g->nodes.data[i];
        if (node->op == OP_SCAN) test_calls(k, node->attr.scan.body);
        if (node->op != OP_CALL) continue;
        if (node->attr.call.vjp) test_call(k, node);
        test_calls(k, node->attr.call.body);
    }
}

static void add_called(Checker *k, const Graph *g) {
    for (int i = 0; i < g->nodes.count; ++i) {
        const Node *node = g->nodes.data[i];
        if (node->op == OP_SCAN) add_called(k, node->attr.scan.body);
        if (node->op != OP_CALL) continue;
        const char *name = node->attr.call.name->text;
        vector_push(k->arena, &k->names, name);
        add_called(k, node->attr.call.body);
    }
}

static const char *find_excused(const Checker *k, const Graph *g) {
    for (int i = 0; i < g->nodes.count; ++i) {
        const Node *node = g->nodes.data[i];
        const char *found = NULL;
        if (node->op == OP_SCAN) found = find_excused(k, node->attr.scan.body);
        if (node->op == OP_CALL && is_excused(k, node->attr.call.name->text))
            found = node->attr.call.name->text;
        if (found) return found;
    }
    return NULL;
}

/* ---- entries ---- */

typedef struct EntryTest {
    const Graph *graph; /* results: those that are differentiated, then gradients */
    const Interpretation *how;
    Tensor **inputs, **upstream;
    int result_count;
} EntryTest;

static double entry_value(void *user, Arena *arena, const char **error) {
    const EntryTest *t = user;
    Tensor **results = NEW_ARRAY(arena, (size_t)t->graph->results.count + 1, Tensor *);
    *error = interpret_graph(arena, t->graph, t->how, t->inputs, results);
    double sum = *error ? NAN : 0;
    for (int r = 0; !*error && r < t->result_count; ++r)
        for (int64_t i = 0; i < results[r]->count; ++i)
            sum += tensor_get(results[r], i) * tensor_get(t->upstream[r], i);
    return sum;
}

/* The graph without what its first results do not need. */
static Graph *forward_part(Checker *k, const Graph *g, int result_count) {
    Graph *forward = arena_copy(k->arena, g, sizeof *g);
    bool *needed = NEW_ARRAY(k->arena, (size_t)vector_last(&g->nodes)->id + 1, bool);
    for (int r = 0; r < result_count; ++r) needed[g->results.data[r]->id] = true;
    for (int i = g->nodes.count - 1; i >= 0; --i) {
        const Node *node = g->nodes.data[i];
        for (int j = 0; needed[node->id] && j < node->input_count; ++j)
            needed[node->inputs[j]->id] = true;
    }
    forward->nodes.data = NULL;
    forward->nodes.count = forward->nodes.capacity = 0;
    for (int i = 0; i < g->nodes.count; ++i)
        if (needed[g->nodes.data[i]->id]) vector_push(k->arena, &forward->nodes, g->nodes.data[i]);
    forward->results.count = result_count;
    return forward;
}

/* The bound that the entry checks argument `a` against. */
static int64_t id_limit(const Checker *k, const Entry *entry, int a) {
    const Node *argument = entry->arguments.data[a].node;
    int64_t limit = argument->type.dtype == DTYPE_U8 ? 256 : 2, value;
    bool bounded = false;
    for (int i = 0; i < entry->checks.count; ++i) {
        const Check *check = &entry->checks.data[i];
        const Node *node = check->kind == CHECK_RANGE ? check->node : NULL;
        while (node && node->input_count == 1) node = node->inputs[0];
        if (node != argument || !dim_evaluate(check->high, k->symbols, &value)) continue;
        if (!bounded || value < limit) limit = value;
        bounded = true;
    }
    return limit;
}

static Environment *fresh_cells(Checker *k, const Root *root) {
    Environment *env = environment_new(k->arena, root, k->pipeline->program->dims);
    env->seed = SEED;
    for (int i = 0; i < root->entries.count; ++i) {
        const Entry *init = root->entries.data[i];
        if (init->kind != ENTRY_INIT) continue;
        int64_t *dims = NEW_ARRAY(k->arena, (size_t)init->dims.count + 1, int64_t);
        for (int d = 0; d < init->dims.count; ++d)
            dims[d] = k->symbols[dim_as_symbol(init->dims.data[d])->index];
        interpret_entry(env, INTERPRET_VALUE, init, dims, NULL, NULL);
    }
    return env;
}

/* What is differentiated: all floating results, or the loss of an entry that trains. */
static int choose_results(const Entry *entry, Node **ys) {
    int count = 0, loss = -1;
    for (int r = 0; r < entry->results.count; ++r) {
        const Result *result = &entry->results.data[r];
        if (!dtype_is_float(result->node->type.dtype)) continue;
        bool scalar = result->node->type.shape.rank == 0;
        if (scalar && (loss < 0 || !strcmp(result->name->text, "loss"))) loss = r;
        ys[count++] = result->node;
    }
    if (entry->kind != ENTRY_TRAIN || loss < 0) return entry->kind == ENTRY_TRAIN ? 0 : count;
    ys[0] = entry->results.data[loss].node;
    return 1;
}

typedef struct Variable {
    Node *node;
    const char *name;
    Tensor *value;
} Variable;

static const char *entry_name(Arena *arena, const Root *root, const Entry *entry) {
    return root->is_train ? arena_printf(arena, "%s.%s", root->name->text, entry->name->text)
                          : entry->name->text;
}

static void test_entry(Checker *k, const Root *root, Entry *entry) {
    const char *name = entry_name(k->arena, root, entry);
    const char *what = arena_printf(k->arena, "gradient of %s", name);
    Graph *g = entry->graph;
    const char *excuse = is_excused(k, name) ? name : find_excused(k, g);
    if (excuse) {
        printf("%s: not compared%s%s\n", what, excuse == name ? "" : ", it calls ",
               excuse == name ? "" : excuse);
        ++k->tested;
        return;
    }
    Environment *env = fresh_cells(k, root);
    Interpretation how = {
        .mode = INTERPRET_VALUE, .symbols = k->symbols, .cells = env->cells, .seed = SEED};
    int arguments = entry->arguments.count, results = entry->results.count;
    Node **ys = NEW_ARRAY(k->arena, (size_t)results + 1, Node *);
    EntryTest test = {.graph = g, .how = &how, .result_count = choose_results(entry, ys)};
    test.inputs = NEW_ARRAY(k->arena, (size_t)(arguments + test.result_count) + 1, Tensor *);
    test.upstream = test.inputs + arguments;
    VECTOR(Variable) xs = {0};
    for (int a = 0; a < arguments; ++a) {
        Node *node = entry->arguments.data[a].node;
        test.inputs[a] =
            random_tensor(k, k->arena, &node->type, (uint32_t)a, -0.8, id_limit(k, entry, a));
        Variable x = {node, entry->arguments.data[a].name->text, test.inputs[a]};
        if (dtype_is_float(node->type.dtype)) vector_push(k->arena, &xs, x);
    }
    for (int i = 0; i < g->nodes.count; ++i) {
        Node *node = g->nodes.data[i];
        if (node->op != OP_CELL || node->attr.cell->role != CELL_PARAMETER) continue;
        Variable x = {node, node->attr.cell->name->text, env->cells[node->attr.cell->index]};
        if (x.value) vector_push(k->arena, &xs, x);
    }
    int kept = 0;
    for (int i = 0; i < arguments; ++i)
        if (!test.inputs[i]) {
            tell_unknown(k, what, "its arguments are too large");
            return;
        }
    for (int i = 0; i < xs.count; ++i) {
        bool reached = false;
        for (int r = 0; r < test.result_count; ++r)
            reached |= autodiff_depends(g, ys[r], xs.data[i].node);
        if (reached) xs.data[kept++] = xs.data[i];
    }
    xs.count = kept;
    if (!kept) {
        printf("%s: nothing to test, no result depends on a floating argument or parameter\n",
               what);
        return;
    }
    Node **dys = NEW_ARRAY(k->arena, (size_t)test.result_count + 1, Node *);
    for (int r = 0; r < test.result_count; ++r) {
        dys[r] = op_input(g, name_of(arena_printf(k->arena, "dy%d", r)), ys[r]->type);
        test.upstream[r] = random_tensor(k, k->arena, &ys[r]->type, (uint32_t)(1000 + r), -0.8, 2);
    }
    Node **nodes = NEW_ARRAY(k->arena, (size_t)kept + 1, Node *);
    Node **grads = NEW_ARRAY(k->arena, (size_t)kept + 1, Node *);
    for (int i = 0; i < kept; ++i) nodes[i] = xs.data[i].node;
    AutodiffError failure = {NULL, NULL};
    if (!autodiff_gradients(g, ys, dys, test.result_count, nodes, kept, grads, &failure)) {
        tell_unknown(k, what, failure.message ? failure.message : "it has no derivative");
        return;
    }
    g->results.count = 0;
    for (int r = 0; r < test.result_count; ++r) vector_push(k->arena, &g->results, ys[r]);
    for (int i = 0; i < kept; ++i)
        if (grads[i]) vector_push(k->arena, &g->results, grads[i]);
    const char *error = NULL;
    if (!isfinite(entry_value(&test, k->arena, &error)))
        /* outside of its domain: arguments that are positive */
        for (int a = 0; a < arguments; ++a)
            for (int64_t i = 0;
                 test.inputs[a] && test.inputs[a]->floats && i < test.inputs[a]->count; ++i)
                test.inputs[a]->floats[i] += 1;
    Tensor **values = NEW_ARRAY(k->arena, (size_t)g->results.count + 1, Tensor *);
    error = interpret_graph(k->arena, g, &how, test.inputs, values);
    if (error) {
        tell_unknown(k, what, error);
        return;
    }
    test.graph = forward_part(k, g, test.result_count);
    if (!isfinite(entry_value(&test, k->arena, &error))) {
        tell_unknown(k, what, "it is not finite on random arguments");
        return;
    }
    Comparison c = {.checker = k,
                    .what = what,
                    .span = entry->span,
                    .value = entry_value,
                    .user = &test,
                    .most = ENTRY_TESTED};
    for (int i = 0, at = test.result_count; i < kept; ++i)
        compare(&c, xs.data[i].name, xs.data[i].value, grads[i] ? values[at++] : NULL);
    tell_right(&c);
}

/* ---- what to test ---- */

static bool is_wanted(const Root *root, const Entry *entry, const char *name) {
    if (entry->kind != ENTRY_INFER && entry->kind != ENTRY_TRAIN) return false;
    if (!name || !strcmp(name, root->name->text) || !strcmp(name, entry->name->text)) return true;
    size_t length = root->name->length;
    return !strncmp(name, root->name->text, length) && name[length] == '.' &&
           !strcmp(name + length + 1, entry->name->text);
}

/* Every --except means something of the file, be it tested this time or not. */
static bool check_excused(Checker *k) {
    const Program *program = k->pipeline->program;
    for (int r = 0; r < program->roots.count; ++r)
        for (int e = 0; e < program->roots.data[r]->entries.count; ++e) {
            const Root *root = program->roots.data[r];
            const Entry *entry = root->entries.data[e];
            if (!is_wanted(root, entry, NULL)) continue;
            vector_push(k->arena, &k->names, entry_name(k->arena, root, entry));
            add_called(k, entry->graph);
        }
    for (int i = 0; i < list_length(k->excused); ++i) {
        const char *closest = NULL;
        int distance = 4;
        for (int n = 0; n < k->names.count; ++n) {
            int found = text_distance(k->names.data[n], k->excused[i], 3);
            if (found >= distance) continue;
            distance = found;
            closest = k->names.data[n];
        }
        if (closest && distance == 0) continue;
        fprintf(stderr, "nnc: --except %s: %s has no such entry, and calls no such function",
                k->excused[i], k->pipeline->file);
        if (closest) fprintf(stderr, "; did you mean '%s'?", closest);
        fprintf(stderr, "\n");
        return false;
    }
    return true;
}

int check_gradients(const Pipeline *pipeline, const char *const *excused) {
    Checker checker = {.arena = pipeline->arena, .pipeline = pipeline, .excused = excused};
    const Program *program = pipeline->program;
    bool found = false;
    if (!check_excused(&checker)) return 2;
    for (int r = 0; r < program->roots.count; ++r)
        for (int e = 0; e < program->roots.data[r]->entries.count; ++e)
            found |= is_wanted(program->roots.data[r], program->roots.data[r]->entries.data[e],
                               pipeline->name);
    if (!found) checker.function = pipeline->name;
    for (int r = 0; r < program->roots.count; ++r) {
        const Root *root = program->roots.data[r];
        for (int e = 0; e < root->entries.count; ++e) {
            Entry *entry = root->entries.data[e];
            if (!is_wanted(root, entry, checker.function ? NULL : pipeline->name)) continue;
            if (!choose_symbols(&checker, entry)) {
                tell_unknown(&checker, entry->name->text, "no small dims hold its conditions");
                continue;
            }
            test_calls(&checker, entry->graph);
            if (!checker.function) test_entry(&checker, root, entry);
        }
    }
    if (checker.function && !checker.tested && !checker.wrong) {
        fprintf(stderr, "nnc: %s has no entry `%s`, and calls no function `%s` with a vjp\n",
                pipeline->file, pipeline->name, pipeline->name);
        return 2;
    }
    if (!checker.tested && !checker.wrong)
        fprintf(stderr, "nnc: %s: no derivative was tested: there is none\n", pipeline->file);
    return checker.wrong ? 1 : 0;
}
