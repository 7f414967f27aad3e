/* The reference interpreter (interpret.h): graphs node by node, subgraphs, entries. */
#include "tensor/interpret/interpret.h"

#include <stdlib.h>
#include <string.h>

#include "tensor/interpret/interpret_internal.h"

/* Values of one graph by node id; a CALL or SCAN has several. */
typedef struct Frame {
    const Graph *graph;
    Tensor *const *inputs;
    Tensor ***values; /* [id][result] */
    int *uses;        /* reads that are still to come; results count as reads that never come */
    const bool *needed;
    int id_count;
} Frame;

static int results_of(const Node *node) {
    return node->op == OP_CALL   ? node->attr.call.body->results.count
           : node->op == OP_SCAN ? node->attr.scan.body->results.count
                                 : 1;
}

static void run_body(Run *run, const Graph *g, Tensor *const *inputs, const bool *needed,
                     Tensor **results);

static Tensor *stack_slot(Run *run, const Tensor *element, int64_t length) {
    int64_t extents[SHAPE_MAX_RANK];
    if (element->rank == SHAPE_MAX_RANK) {
        run_fail(run, "too many axes");
        return NULL;
    }
    extents[0] = length;
    for (int i = 0; i < element->rank; i++) extents[i + 1] = element->extents[i];
    return run_alloc(run, element->dtype, element->rank + 1, extents);
}

static void copy_elements(Tensor *to, int64_t to_at, const Tensor *from, int64_t from_at,
                          int64_t count) {
    if (to->floats)
        memcpy(to->floats + to_at, from->floats + from_at, (size_t)count * 8);
    else
        memcpy(to->integers + to_at, from->integers + from_at, (size_t)count * 8);
}

static bool same_extents(const Tensor *a, const Tensor *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->extents[i] != b->extents[i]) return false;
    return true;
}

static bool has_type(Run *run, const Tensor *t, const TensorType *type) {
    if (t->dtype != type->dtype || t->rank != type->shape.rank) return false;
    for (int i = 0; i < t->rank; i++) {
        int64_t extent;
        if (!run_dim(run, type->shape.dims[i], &extent) || extent != t->extents[i]) return false;
    }
    return true;
}

/* Empty stacks when there is no step to take their extents from. */
static void scan_empty(Run *run, const ScanAttr *scan, Tensor **out) {
    for (int i = scan->carries; i < scan->body->results.count; i++) {
        Tensor *element = run_alloc_type(run, &scan->body->results.data[i]->type);
        if (element) out[i] = stack_slot(run, element, 0);
        tensor_release(element);
    }
}

static void run_scan(Run *run, const Node *node, Tensor *const *in, Tensor **out) {
    const ScanAttr *scan = &node->attr.scan;
    int count = node->input_count, results = scan->body->results.count;
    int64_t length;
    if (!run_dim(run, scan->length, &length)) return;
    for (int i = scan->carries; i < scan->carries + scan->sequences; i++)
        if (in[i]->extents[0] != length)
            run_fail(run, "%%%d: a sequence of another length", node->id);
    Tensor **arguments = run_get(run, count, sizeof *arguments);
    Tensor **yields = run_get(run, results, sizeof *yields);
    if (!run->error && length == 0) scan_empty(run, scan, out);
    for (int i = 0; i < scan->carries && !run->error; i++) {
        out[i] = in[i];
        tensor_retain(in[i]);
    }
    uint32_t outer_index = run->scan_index;
    for (int64_t step = 0; step < length && !run->error; step++) {
        int64_t t = scan->reverse ? length - 1 - step : step;
        for (int i = 0; i < count && !run->error; i++) {
            if (i >= scan->carries && i < scan->carries + scan->sequences) {
                arguments[i] = run_alloc(run, in[i]->dtype, in[i]->rank - 1, in[i]->extents + 1);
                if (arguments[i])
                    copy_elements(arguments[i], 0, in[i], t * arguments[i]->count,
                                  arguments[i]->count);
            } else {
                arguments[i] = i < scan->carries ? out[i] : in[i];
                tensor_retain(arguments[i]);
            }
        }
        run->scan_index = outer_index * (uint32_t)length + (uint32_t)t;
        if (!run->error) run_body(run, scan->body, arguments, NULL, yields);
        for (int i = 0; i < results && !run->error; i++) {
            if (i < scan->carries) {
                tensor_release(out[i]);
                out[i] = yields[i];
                yields[i] = NULL;
                continue;
            }
            if (!out[i]) out[i] = stack_slot(run, yields[i], length);
            if (out[i]) copy_elements(out[i], t * yields[i]->count, yields[i], 0, yields[i]->count);
        }
        for (int i = 0; i < results; i++) {
            tensor_release(yields[i]);
            yields[i] = NULL;
        }
        for (int i = 0; i < count; i++) {
            tensor_release(arguments[i]);
            arguments[i] = NULL;
        }
    }
    run->scan_index = outer_index;
    run_free(arguments);
    run_free(yields);
}

static Tensor *run_node(Run *run, const Frame *frame, const Node *node, Tensor *const *in) {
    Tensor *out = NULL;
    if (node->op == OP_INPUT || node->op == OP_CELL) {
        bool input = node->op == OP_INPUT;
        const char *what = input ? node->attr.input.name->text : node->attr.cell->name->text;
        if (input)
            out = frame->inputs[node->attr.input.index];
        else if (run->how->cells)
            out = run->how->cells[node->attr.cell->index];
        if (!out) {
            run_fail(run, "%s has no value", what);
            return NULL;
        }
        if (!has_type(run, out, &node->type)) {
            Text text = text_new(run->arena);
            type_print(&text, &node->type);
            run_fail(run, "%s does not have type %s", what, text.data);
            return NULL;
        }
        if (out->references) {
            tensor_retain(out);
            return out;
        }
        Tensor *copy = run_alloc(run, out->dtype, out->rank, out->extents);
        if (copy) copy_elements(copy, 0, out, 0, out->count);
        run_round(run, copy);
        return copy;
    }
    if (node->op == OP_IDENTITY) {
        tensor_retain(in[0]);
        return in[0];
    }
    out = run_alloc_type(run, &node->type);
    if (!out) return NULL;
    switch (op_info(node->op)->class_) {
    case CLASS_SOURCE: interpret_source(run, node, out); break;
    case CLASS_ELEMENTWISE:
        if (node->op == OP_CAST)
            interpret_cast(run, in[0], out);
        else
            interpret_elementwise(run, node, in, out);
        break;
    case CLASS_VIEW: interpret_view(run, node, in, out); break;
    case CLASS_REDUCE:
        if (node->op == OP_FOLD)
            interpret_view(run, node, in, out);
        else
            interpret_reduce(run, node, in[0], out);
        break;
    case CLASS_CONTRACT: interpret_contract(run, node, in, out); break;
    case CLASS_PREFIX: interpret_prefix(run, node, in[0], out); break;
    case CLASS_SORT: interpret_argsort(run, node, in[0], out); break;
    case CLASS_INDEXED: interpret_indexed(run, node, in, out); break;
    case CLASS_STRUCTURED: break;
    }
    run_round(run, out);
    return out;
}

/* Drops one coming read of `from`; after the last one its values go. */
static void drop_read(Frame *frame, int id) {
    if (--frame->uses[id]) return;
    Tensor **values = frame->values[id];
    const Node *node = NULL;
    for (int low = 0, high = frame->graph->nodes.count; low < high && !node;) {
        int middle = (low + high) / 2;
        const Node *at = frame->graph->nodes.data[middle];
        if (at->id == id)
            node = at;
        else if (at->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    for (int i = 0; values && node && i < results_of(node); i++) tensor_release(values[i]);
    run_free(values);
    frame->values[id] = NULL;
}

static void run_one(Run *run, Frame *frame, const Node *node) {
    Tensor **values = run_get(run, results_of(node), sizeof *values);
    Tensor **in = run_get(run, node->input_count, sizeof *in);
    for (int i = 0; i < node->input_count; i++)
        in[i] = frame->values[node->inputs[i]->id][node->op == OP_PROJ ? node->attr.index : 0];
    if (node->op == OP_CALL) {
        run_body(run, node->attr.call.body, in, NULL, values);
    } else if (node->op == OP_SCAN) {
        run_scan(run, node, in, values);
    } else if (node->op == OP_PROJ) {
        values[0] = in[0];
        tensor_retain(in[0]);
    } else {
        values[0] = run_node(run, frame, node, in);
    }
    frame->values[node->id] = values;
    run_free(in);
}

/* results may be NULL: then only the needed nodes' checks matter to the caller, via `values`. */
static void frame_open(Run *run, Frame *frame, const Graph *g, Tensor *const *inputs,
                       const bool *needed) {
    *frame = (Frame){.graph = g, .inputs = inputs, .needed = needed};
    frame->id_count = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    frame->values = run_get(run, frame->id_count, sizeof *frame->values);
    frame->uses = run_get(run, frame->id_count, sizeof *frame->uses);
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        if (needed && !needed[node->id]) continue;
        for (int j = 0; j < node->input_count; j++) frame->uses[node->inputs[j]->id]++;
    }
}

static void show(Run *run, const Frame *frame, const Node *node) {
    Tensor **in = run_get(run, node->input_count + 1, sizeof *in);
    const Watch *watch = run->how->watch;
    for (int i = 0; i < node->input_count; i++) {
        const Node *x = node->inputs[i];
        in[i] = frame->values[x->id][0];
    }
    for (int i = 0; i < results_of(node); i++)
        watch->see(watch->user, node, in, frame->values[node->id][i]);
    run_free(in);
}

static void frame_run(Run *run, Frame *frame) {
    const Graph *g = frame->graph;
    for (int i = 0; i < g->nodes.count && !run->error; i++) {
        const Node *node = g->nodes.data[i];
        if (frame->needed && !frame->needed[node->id]) continue;
        run_one(run, frame, node);
        if (run->error) break;
        if (run->how->watch) show(run, frame, node);
        for (int j = 0; j < node->input_count; j++) drop_read(frame, node->inputs[j]->id);
        if (frame->uses[node->id] == 0) {
            frame->uses[node->id] = 1;
            drop_read(frame, node->id);
        }
    }
}

static void frame_close(Frame *frame) {
    for (int i = 0; i < frame->graph->nodes.count; i++) {
        const Node *node = frame->graph->nodes.data[i];
        Tensor **values = frame->values[node->id];
        for (int j = 0; values && j < results_of(node); j++) tensor_release(values[j]);
        run_free(values);
    }
    run_free(frame->values);
    run_free(frame->uses);
}

/* results[i] gets a reference of its own. */
static void run_body(Run *run, const Graph *g, Tensor *const *inputs, const bool *needed,
                     Tensor **results) {
    Frame frame;
    frame_open(run, &frame, g, inputs, needed);
    for (int i = 0; i < g->results.count; i++) frame.uses[g->results.data[i]->id]++;
    frame_run(run, &frame);
    for (int i = 0; i < g->results.count && !run->error; i++) {
        results[i] = frame.values[g->results.data[i]->id][0];
        tensor_retain(results[i]);
    }
    frame_close(&frame);
}

static Tensor *move_to_arena(Arena *arena, Tensor *t) {
    Tensor *copy = tensor_new(arena, t->dtype, t->rank, t->extents);
    copy_elements(copy, 0, t, 0, t->count);
    tensor_release(t);
    return copy;
}

/* What the two doors below hand to the function that runs under the guard. */
typedef struct Job {
    Run run;
    const Graph *graph;
    Environment *env;
    InterpretMode mode;
    Interpretation how;
    const Entry *entry;
    const int64_t *dims;
    Tensor *const *inputs;
    Tensor **results;
} Job;

static const char *job_run(Job *job, void (*body)(void *job)) {
    Block *ring = &job->run.blocks;
    ring->previous = ring->next = ring;
    if (memory_guard(body, job)) return job->run.error;
    while (ring->next != ring) run_free(ring->next + 1);
    memory_unwind();
}

static void run_graph(void *user) {
    Job *job = user;
    const Graph *g = job->graph;
    Tensor **raw = NEW_ARRAY(job->run.arena, (size_t)g->results.count, Tensor *);
    run_body(&job->run, g, job->inputs, NULL, raw);
    for (int i = 0; i < g->results.count && !job->run.error; i++)
        job->results[i] = move_to_arena(job->run.arena, raw[i]);
}

const char *interpret_graph(Arena *arena, const Graph *g, const Interpretation *how,
                            Tensor *const *inputs, Tensor **results) {
    Job job = {
        .run = {.arena = arena, .how = how}, .graph = g, .inputs = inputs, .results = results};
    return job_run(&job, run_graph);
}

/* ---- entries ---- */

Environment *environment_new(Arena *arena, const Root *root, const DimTable *dims) {
    Environment *env = NEW(arena, Environment);
    env->arena = arena;
    env->root = root;
    env->cells = NEW_ARRAY(arena, (size_t)root->cells.count, Tensor *);
    env->symbol_count = dim_symbol_count(dims);
    env->symbols = NEW_ARRAY(arena, (size_t)env->symbol_count, int64_t);
    for (int i = 0; i < env->symbol_count; i++) env->symbols[i] = -1;
    return env;
}

static void fail_dim(Run *run, const Dim *d, int64_t one, int64_t two) {
    Text text = text_new(run->arena);
    dim_print(&text, d);
    run_fail(run, "dim %s is both %lld and %lld", text.data, (long long)one, (long long)two);
}

static void bind_symbol(Run *run, int64_t *symbols, const Dim *d, int64_t value) {
    const DimSymbol *symbol = dim_as_symbol(d);
    if (!symbol || run->error) return;
    if (symbols[symbol->index] >= 0 && symbols[symbol->index] != value)
        fail_dim(run, d, symbols[symbol->index], value);
    symbols[symbol->index] = value;
}

static void check_dim(Run *run, const Check *check) {
    int64_t left, right;
    if (!run_dim(run, check->left, &left) || !run_dim(run, check->right, &right)) return;
    bool good = check->relation == '='   ? left == right
                : check->relation == '<' ? left <= right
                                         : right > 0 && left % right == 0;
    if (!good) run_fail(run, "%s", check->message);
}

/* Symbols from explicit dims, then from arguments' extents, then from equalities
 * between symbols. */
static void bind_dims(Run *run, const Entry *entry, const int64_t *dims, Tensor *const *arguments,
                      int64_t *symbols) {
    DimTable *table = entry->graph->dims;
    for (int i = 0; i < entry->dims.count && dims; i++)
        if (dims[i] >= 0) bind_symbol(run, symbols, entry->dims.data[i], dims[i]);
    /* Arguments of other extents follow from a condition that the given dims do not meet: it is
     * what there is to say. */
    bool given = dims != NULL;
    for (int i = 0; i < entry->dims.count && given; i++) given = dims[i] >= 0;
    for (int i = 0; i < entry->checks.count && given && !run->error; i++)
        if (entry->checks.data[i].kind == CHECK_DIM) check_dim(run, &entry->checks.data[i]);
    for (int i = 0; i < entry->arguments.count && !run->error; i++) {
        const Node *node = entry->arguments.data[i].node;
        const Tensor *t = arguments[i];
        if (t->rank != node->type.shape.rank) {
            run_fail(run, "argument %s has %d axes instead of %d",
                     entry->arguments.data[i].name->text, t->rank, node->type.shape.rank);
            return;
        }
        for (int j = 0; j < t->rank; j++)
            bind_symbol(run, symbols, node->type.shape.dims[j], t->extents[j]);
    }
    for (int i = 0; i < entry->dims.count && !run->error; i++) {
        const DimSymbol *symbol = dim_as_symbol(entry->dims.data[i]);
        const Dim *now = dim_refresh(table, entry->dims.data[i]);
        int64_t value;
        if (symbols[symbol->index] < 0 && now != entry->dims.data[i] &&
            dim_evaluate(now, symbols, &value) && value >= 0)
            symbols[symbol->index] = value;
        if (symbols[symbol->index] < 0) run_fail(run, "dim %s has no value", symbol->name->text);
    }
}

/* What `where` states: bounds, divisibility and equalities of the symbols. */
static void check_facts(Run *run, const Entry *entry, const int64_t *symbols) {
    DimTable *table = entry->graph->dims;
    for (int i = 0; i < entry->dims.count && !run->error; i++) {
        const DimSymbol *symbol = dim_as_symbol(entry->dims.data[i]);
        int64_t value = symbols[symbol->index], known;
        const Dim *now = dim_refresh(table, entry->dims.data[i]);
        if (value < symbol->lower || value > symbol->upper)
            run_fail(run, "dim %s = %lld is outside %lld..%lld", symbol->name->text,
                     (long long)value, (long long)symbol->lower, (long long)symbol->upper);
        else if (dim_evaluate(now, symbols, &known) && known != value)
            run_fail(run, "dim %s = %lld contradicts what the entry states of it",
                     symbol->name->text, (long long)value);
    }
}

static void check_range(Run *run, const Check *check, const Tensor *t) {
    int64_t low, high;
    if (!run_dim(run, check->low, &low) || !run_dim(run, check->high, &high)) return;
    for (int64_t i = 0; i < t->count; i++) {
        int64_t value = t->integers[i];
        if ((value >= low && value < high) || (check->has_ignore && value == check->ignore))
            continue;
        run_fail(run, "%s: element %lld is %lld", check->message, (long long)i, (long long)value);
        return;
    }
}

static void run_checks(Run *run, const Entry *entry, Tensor *const *arguments,
                       CallRefusal *refusal) {
    const Graph *g = entry->graph;
    Frame frame;
    int id_count = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    bool *needed = NEW_ARRAY(run->arena, (size_t)id_count, bool);
    for (int i = 0; i < entry->checks.count; i++) {
        const Check *check = &entry->checks.data[i];
        if (check->kind == CHECK_DIM)
            check_dim(run, check);
        else
            needed[check->node->id] = true;
    }
    *refusal = run->error ? REFUSED_DIMS : REFUSED_NOTHING;
    if (run->error) return;
    for (int i = g->nodes.count - 1; i >= 0; i--) {
        const Node *node = g->nodes.data[i];
        for (int j = 0; j < node->input_count && needed[node->id]; j++)
            needed[node->inputs[j]->id] = true;
    }
    frame_open(run, &frame, g, arguments, needed);
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].kind == CHECK_RANGE) frame.uses[entry->checks.data[i].node->id]++;
    frame_run(run, &frame);
    bool computed = !run->error;
    for (int i = 0; i < entry->checks.count && !run->error; i++)
        if (entry->checks.data[i].kind == CHECK_RANGE)
            check_range(run, &entry->checks.data[i],
                        frame.values[entry->checks.data[i].node->id][0]);
    if (computed && run->error) *refusal = REFUSED_IDS;
    frame_close(&frame);
}

static void run_entry(void *user) {
    Job *job = user;
    Run *run = &job->run;
    Environment *env = job->env;
    const Entry *entry = job->entry;
    Tensor *const *arguments = job->inputs;
    Tensor **results = job->results;
    if (entry->kind == ENTRY_INIT) {
        env->step = 0;
        for (int i = 0; i < env->symbol_count; i++) env->symbols[i] = -1;
    }
    int count = dim_symbol_count(entry->graph->dims);
    int64_t *symbols = NEW_ARRAY(env->arena, (size_t)count, int64_t);
    for (int i = 0; i < count; i++) symbols[i] = i < env->symbol_count ? env->symbols[i] : -1;
    job->how = (Interpretation){job->mode, symbols, env->cells, env->seed, env->step, env->watch};
    run->how = &job->how;
    bind_dims(run, entry, job->dims, arguments, symbols);
    if (!run->error) check_facts(run, entry, symbols);
    env->refusal = run->error ? REFUSED_DIMS : REFUSED_NOTHING;
    if (!run->error) run_checks(run, entry, arguments, &env->refusal);
    if (run->error) return;
    const Graph *g = entry->graph;
    Tensor **raw = NEW_ARRAY(env->arena, (size_t)g->results.count, Tensor *);
    run_body(run, g, arguments, NULL, raw);
    if (run->error) return;
    for (int i = 0; i < entry->results.count; i++) {
        if (results)
            results[i] = move_to_arena(env->arena, raw[i]);
        else
            tensor_release(raw[i]);
    }
    for (int i = 0; i < entry->writes.count; i++) {
        Tensor *value = raw[entry->results.count + i];
        Tensor **cell = &env->cells[entry->writes.data[i].cell->index];
        if (*cell && same_extents(*cell, value) && (*cell)->dtype == value->dtype) {
            copy_elements(*cell, 0, value, 0, value->count);
            tensor_release(value);
        } else {
            *cell = move_to_arena(env->arena, value);
        }
    }
    if (entry->kind == ENTRY_INIT)
        for (int i = 0; i < entry->dims.count; i++) {
            int index = dim_as_symbol(entry->dims.data[i])->index;
            if (index < env->symbol_count) env->symbols[index] = symbols[index];
        }
    else if (entry->uses_random)
        env->step++;
}

const char *interpret_entry(Environment *env, InterpretMode mode, const Entry *entry,
                            const int64_t *dims, Tensor *const *arguments, Tensor **results) {
    Job job = {.run = {.arena = env->arena},
               .env = env,
               .mode = mode,
               .entry = entry,
               .dims = dims,
               .inputs = arguments,
               .results = results};
    return job_run(&job, run_entry);
}
