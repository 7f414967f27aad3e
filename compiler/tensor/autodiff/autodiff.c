/* The walk of reverse mode: marks what depends on an x, then visits nodes from the last to the
 * first, handing each adjoint to the rule of the node's class and adding up what the rules return.
 *
 * Input: a graph and nodes of it.  Output: more nodes at its end.  Contributions to one node are
 * added in the order of the visit, so the result does not depend on anything but the graph. */
#include "tensor/autodiff/autodiff_rules.h"

int autodiff_id_count(const Graph *g) {
    return g->nodes.count ? g->nodes.data[g->nodes.count - 1]->id + 1 : 0;
}

/* ---- what depends on what ---- */

static bool call_reached(const Node *call, const bool *reached) {
    for (int i = 0; i < call->attr.call.wrt_count; i++)
        if (reached[call->inputs[call->attr.call.wrt[i]]->id]) return true;
    return false;
}

static bool any_input_reached(const Node *node, const bool *reached) {
    for (int i = 0; i < node->input_count; i++)
        if (reached[node->inputs[i]->id]) return true;
    return false;
}

static bool scan_result_reached(Arena *arena, const Node *scan, int index, const bool *reached) {
    const Graph *body = scan->attr.scan.body;
    bool *active = NEW_ARRAY(arena, (size_t)body->inputs.count, bool);
    bool *results = NEW_ARRAY(arena, (size_t)body->results.count, bool);
    for (int i = 0; i < scan->input_count; i++) active[i] = reached[scan->inputs[i]->id];
    autodiff_scan_active(scan, active, results);
    return results[index];
}

static bool node_reached(Arena *arena, const Node *node, const bool *reached) {
    if (node->no_grad) return false;
    if (node->op == OP_SCAN) return any_input_reached(node, reached);
    if (node->op == OP_CALL) return call_reached(node, reached);
    if (!dtype_is_float(node->type.dtype)) return false;
    if (node->op == OP_PROJ) {
        const Node *parent = node->inputs[0];
        if (!reached[parent->id]) return false;
        return parent->op == OP_CALL ||
               scan_result_reached(arena, parent, node->attr.index, reached);
    }
    return any_input_reached(node, reached);
}

void autodiff_mark_reached(const Graph *g, bool *reached, int count) {
    for (int i = 0; i < g->nodes.count && g->nodes.data[i]->id < count; i++) {
        const Node *node = g->nodes.data[i];
        if (!reached[node->id]) reached[node->id] = node_reached(g->arena, node, reached);
    }
}

void autodiff_scan_active(const Node *scan, bool *active, bool *result_reached) {
    const Graph *body = scan->attr.scan.body;
    int count = autodiff_id_count(body);
    for (bool changed = true; changed;) {
        changed = false;
        bool *reached = NEW_ARRAY(body->arena, (size_t)count, bool);
        for (int i = 0; i < body->inputs.count; i++) {
            const Node *input = body->inputs.data[i];
            active[i] = active[i] && dtype_is_float(input->type.dtype);
            reached[input->id] = active[i];
        }
        autodiff_mark_reached(body, reached, count);
        for (int i = 0; i < body->results.count; i++) {
            const Node *result = body->results.data[i];
            result_reached[i] = reached[result->id];
            if (i >= scan->attr.scan.carries) continue;
            if (result_reached[i] && !active[i]) active[i] = changed = true;
            result_reached[i] |= active[i]; /* without steps the first value is the last one */
        }
    }
}

bool autodiff_depends(const Graph *g, const Node *y, const Node *x) {
    if (!dtype_is_float(x->type.dtype)) return false;
    int count = autodiff_id_count(g);
    bool *reached = NEW_ARRAY(g->arena, (size_t)count, bool);
    reached[x->id] = true;
    autodiff_mark_reached(g, reached, count);
    return reached[y->id];
}

/* ---- the walk ---- */

typedef struct Walk {
    Graph *g;
    bool *reached;
    Node **adjoint;  /* by node id */
    Node ***results; /* by node id: adjoints of a CALL's or SCAN's results */
    AutodiffError *error;
} Walk;

static bool fail(AutodiffError *error, const char *message, const Node *node) {
    error->message = message;
    error->node = node;
    return false;
}

static void add_adjoint(Walk *w, const Node *node, Node *contribution) {
    if (!contribution) return;
    Node **slot = &w->adjoint[node->id];
    *slot = *slot ? op_binary(w->g, OP_ADD, *slot, contribution) : contribution;
}

static int result_count(const Node *structured) {
    return structured->op == OP_CALL ? structured->attr.call.body->results.count
                                     : structured->attr.scan.body->results.count;
}

/* A PROJ hands its adjoint to its CALL or SCAN, which is visited later. */
static void collect_result(Walk *w, const Node *proj) {
    const Node *parent = proj->inputs[0];
    if (!w->results[parent->id])
        w->results[parent->id] = NEW_ARRAY(w->g->arena, (size_t)result_count(parent), Node *);
    Node **slot = &w->results[parent->id][proj->attr.index];
    Node *dy = w->adjoint[proj->id];
    *slot = *slot ? op_binary(w->g, OP_ADD, *slot, dy) : dy;
}

static bool apply_rule(Reverse *r) {
    if (r->node->op == OP_FOLD) return autodiff_rule_view(r);
    switch (op_info(r->node->op)->class_) {
    case CLASS_ELEMENTWISE:
        if (r->node->op == OP_CAST || r->node->op == OP_IDENTITY) return autodiff_rule_view(r);
        return autodiff_rule_elementwise(r);
    case CLASS_VIEW: return autodiff_rule_view(r);
    case CLASS_REDUCE: return autodiff_rule_reduce(r);
    case CLASS_CONTRACT: return autodiff_rule_contract(r);
    case CLASS_PREFIX: return autodiff_rule_prefix(r);
    case CLASS_INDEXED: return autodiff_rule_indexed(r);
    case CLASS_STRUCTURED:
        return r->node->op == OP_CALL ? autodiff_rule_call(r) : autodiff_rule_scan(r);
    case CLASS_SOURCE:
    case CLASS_SORT: break; /* integers or no inputs: nothing is wanted */
    }
    return true;
}

static bool visit(Walk *w, Node *node) {
    bool structured = node->op == OP_CALL || node->op == OP_SCAN;
    if (!(structured ? w->results[node->id] != NULL : w->adjoint[node->id] != NULL)) return true;
    if (node->no_grad || !w->reached[node->id]) return true;
    w->g->span = node->span;
    w->g->path = node->path;
    if (node->op == OP_PROJ) {
        collect_result(w, node);
        return true;
    }
    bool *wanted = NEW_ARRAY(w->g->arena, (size_t)node->input_count, bool);
    bool any = false;
    for (int i = 0; i < node->input_count; i++) {
        const Node *input = node->inputs[i];
        wanted[i] = dtype_is_float(input->type.dtype) && w->reached[input->id];
        any |= wanted[i];
    }
    if (!any) return true;
    Reverse r = {.g = w->g,
                 .node = node,
                 .dy = w->adjoint[node->id],
                 .dys = w->results[node->id],
                 .wanted = wanted,
                 .adjoint = NEW_ARRAY(w->g->arena, (size_t)node->input_count, Node *),
                 .error = w->error};
    if (!apply_rule(&r)) return false;
    for (int i = 0; i < node->input_count; i++)
        if (wanted[i]) add_adjoint(w, node->inputs[i], r.adjoint[i]);
    return true;
}

static bool seed(Walk *w, Node *const *ys, Node *const *dys, int y_count) {
    for (int i = 0; i < y_count; i++) {
        if (!dtype_is_float(ys[i]->type.dtype))
            return fail(w->error, "only floating-point tensors have a derivative", ys[i]);
        if (!w->reached[ys[i]->id]) continue;
        Node *dy = dys ? dys[i] : NULL;
        if (!dy) {
            if (ys[i]->type.shape.rank != 0)
                return fail(w->error, "the derivative of a tensor that is not a scalar needs dy",
                            ys[i]);
            w->g->span = ys[i]->span;
            w->g->path = ys[i]->path;
            dy = op_const(w->g, 1.0, ys[i]->type);
        }
        add_adjoint(w, ys[i], dy);
    }
    return true;
}

bool autodiff_gradients(Graph *g, Node *const *ys, Node *const *dys, int y_count, Node *const *xs,
                        int x_count, Node **grads, AutodiffError *error) {
    int count = autodiff_id_count(g), nodes = g->nodes.count;
    Walk w = {.g = g,
              .reached = NEW_ARRAY(g->arena, (size_t)count, bool),
              .adjoint = NEW_ARRAY(g->arena, (size_t)count, Node *),
              .results = NEW_ARRAY(g->arena, (size_t)count, Node **),
              .error = error};
    for (int k = 0; k < x_count; k++) {
        grads[k] = NULL;
        w.reached[xs[k]->id] = dtype_is_float(xs[k]->type.dtype);
    }
    autodiff_mark_reached(g, w.reached, count);
    Span span = g->span;
    const char *path = g->path;
    bool backward = g->backward;
    g->backward = true;
    bool ok = seed(&w, ys, dys, y_count);
    for (int i = nodes; ok && i-- > 0;) ok = visit(&w, g->nodes.data[i]);
    g->span = span;
    g->path = path;
    g->backward = backward;
    for (int k = 0; ok && k < x_count; k++) grads[k] = w.adjoint[xs[k]->id];
    return ok;
}

/* ---- a function with a derivative of its own ---- */

bool autodiff_rule_call(Reverse *r) {
    const CallAttr *call = &r->node->attr.call;
    if (!call->vjp) return fail(r->error, "this function has no derivative", r->node);
    int inputs = r->node->input_count, results = call->body->results.count;
    Node **arguments = NEW_ARRAY(r->g->arena, (size_t)(inputs + results), Node *);
    for (int i = 0; i < inputs; i++) arguments[i] = r->node->inputs[i];
    for (int i = 0; i < results; i++)
        arguments[inputs + i] =
            r->dys[i] ? r->dys[i] : autodiff_zeros(r->g, call->body->results.data[i]->type);
    Node **out = NEW_ARRAY(r->g->arena, (size_t)call->vjp->results.count + 1, Node *);
    graph_inline(r->g, call->vjp, arguments, out);
    for (int i = 0; i < call->wrt_count; i++) {
        int input = call->wrt[i];
        Node **slot = &r->adjoint[input];
        *slot = *slot ? op_binary(r->g, OP_ADD, *slot, out[i]) : out[i];
    }
    return true;
}
