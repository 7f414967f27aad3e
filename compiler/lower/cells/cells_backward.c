/* grad() and backward(): derivatives with respect to tensors and parameters, and torch's rules
 * about graphs that were updated or freed in between. */
#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"
#include "tensor/autodiff/autodiff.h"

/* Leaves of the running entry: each parameter's versions. */
typedef struct Leaf {
    Node *node;
    CellState *cell;
    bool old;
} Leaf;
typedef VECTOR(Leaf) LeafList;

static LeafList find_leaves(Lowerer *lw) {
    LeafList leaves = {0};
    for (int i = 0; i < lw->cells.count; i++) {
        CellState *c = lw->cells.data[i];
        if (c->cell->role != CELL_PARAMETER || c->tied_to || !c->requires_grad) continue;
        if (c->entry_serial != lw->entry_serial) continue;
        for (int k = 0; k < c->superseded.count; k++) {
            Leaf old = {c->superseded.data[k], c, true};
            vector_push(lw->arena, &leaves, old);
        }
        Leaf now = {c->current ? c->current : c->read, c, false};
        if (now.node) vector_push(lw->arena, &leaves, now);
    }
    return leaves;
}

/* reach[id]: the node depends on a leaf in a way that passes derivatives. */
static bool *mark_dependent(Lowerer *lw, const LeafList *leaves, int count) {
    bool *reach = NEW_ARRAY(lw->arena, count, bool);
    for (int i = 0; i < leaves->count; i++)
        if (leaves->data[i].node->id < count) reach[leaves->data[i].node->id] = true;
    for (int id = 0; id < count; id++) {
        const Node *n = lw->graph->nodes.data[id];
        if (n->no_grad || reach[id]) continue;
        if (n->op != OP_CALL && n->op != OP_SCAN && !dtype_is_float(n->type.dtype)) continue;
        for (int i = 0; i < n->input_count; i++) reach[id] |= reach[n->inputs[i]->id];
    }
    return reach;
}

/* The part of `reach` that y is computed from. */
static bool *mark_used(Lowerer *lw, const Node *y, const bool *reach) {
    bool *used = NEW_ARRAY(lw->arena, y->id + 1, bool);
    used[y->id] = reach[y->id];
    for (int id = y->id; id >= 0; id--) {
        const Node *n = lw->graph->nodes.data[id];
        if (!used[id] || n->no_grad) continue;
        for (int i = 0; i < n->input_count; i++)
            if (reach[n->inputs[i]->id]) used[n->inputs[i]->id] = true;
    }
    return used;
}

/* Whether torch keeps operands of this node for its derivative, so that freeing them matters. */
static bool saves_operands(const Node *n, const bool *used) {
    switch ((int)n->op) {
    case OP_CELL:
    case OP_INPUT:
    case OP_ADD:
    case OP_SUB:
    case OP_NEG:
    case OP_CAST:
    case OP_IDENTITY:
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_PAD:
    case OP_CONCAT:
    case OP_UNFOLD:
    case OP_FOLD:
    case OP_PROJ: return false;
    case OP_REDUCE: return n->attr.reduce.kind != REDUCE_SUM;
    case OP_MUL:
    case OP_DIV:
        for (int i = 0; i < n->input_count; i++) {
            const Node *x = n->inputs[i];
            while (x->op == OP_EXPAND || x->op == OP_CAST) x = x->inputs[0];
            if (x->op == OP_CONST || x->op == OP_DIM) return false;
        }
        return true;
    default: (void)used; return true;
    }
}

static bool is_one_element(Lowerer *lw, const Node *y) {
    for (int i = 0; i < y->type.shape.rank; i++)
        if (dim_equal(lw->dims, y->type.shape.dims[i], dim_const(lw->dims, 1)) != DIM_YES)
            return false;
    return true;
}

/* y and the derivative to start from; false after an error. */
static bool read_start(Lowerer *lw, const char *what, const Value *y_value, const Value *dy_value,
                       Span span, Node **y, Node **dy) {
    *y = value_node(lw, y_value, span);
    *dy = NULL;
    if (!*y) return false;
    if (!lw->entry || lw->graph != lw->entry->graph) {
        lower_error(lw, NN_DERIVATIVE, span,
                    "%s cannot stand inside a scan or a function with its own derivative", what);
        return false;
    }
    if (!dtype_is_float((*y)->type.dtype)) {
        lower_error(lw, NN_DERIVATIVE, span,
                    "%s of %s: only floating-point tensors have derivatives", what,
                    type_text(lw, &(*y)->type));
        return false;
    }
    lower_mark(lw, span);
    if (dy_value->kind != VALUE_NONE) {
        Operand operand;
        if (!operand_read(lw, dy_value, span, &operand)) return false;
        *dy = operand_node(lw, &operand, (*y)->type.dtype, &(*y)->type.shape, span);
        return *dy != NULL;
    }
    if (is_one_element(lw, *y)) {
        if ((*y)->type.shape.rank) *dy = op_const(lw->graph, 1, (*y)->type);
        return true;
    }
    Diagnostic *d = lower_error(lw, NN_BACKWARD_SCALAR, span, "%s starts from a scalar, found %s",
                                what, type_text(lw, &(*y)->type));
    lower_tell_story(lw, d, "the tensor", y_value);
    diagnostic_help(d, "reduce it with .mean() or .sum(), or pass the derivative: .backward(dy)");
    return false;
}

static bool differentiate(Lowerer *lw, Node *y, Node *dy, Node **xs, int count, Node **grads,
                          Span span) {
    AutodiffError error = {NULL, NULL};
    Graph *g = lw->graph;
    Span saved_span = g->span;
    const char *saved_path = g->path;
    bool no_grad = g->no_grad;
    g->no_grad = false;
    bool ok = autodiff_gradients(g, &y, dy ? &dy : NULL, 1, xs, count, grads, &error);
    g->no_grad = no_grad;
    g->span = saved_span;
    g->path = saved_path;
    if (ok) return true;
    Diagnostic *d =
        lower_error(lw, NN_DERIVATIVE, span, "%s", error.message ? error.message : "no derivative");
    if (error.node && error.node->span.file) diagnostic_label(d, error.node->span, "computed here");
    return false;
}

static bool check_versions(Lowerer *lw, const LeafList *leaves, const bool *used, const Node *y,
                           Span span) {
    for (int i = 0; i < leaves->count; i++) {
        const Leaf *leaf = &leaves->data[i];
        if (!leaf->old || leaf->node->id > y->id || !used[leaf->node->id]) continue;
        Diagnostic *d = lower_error(lw, NN_SUPERSEDED, span,
                                    "the value was computed from %s before that was updated",
                                    leaf->cell->cell->name->text);
        const Node *now = leaf->cell->current;
        if (now && now->span.file) diagnostic_label(d, now->span, "updated here");
        return false;
    }
    return true;
}

static bool check_consumed(Lowerer *lw, const bool *used, const Node *y, bool retain, Span span) {
    CellWork *work = cell_work(lw);
    while (work->consumed.count <= y->id) vector_push(lw->arena, &work->consumed, false);
    for (int id = 0; id <= y->id; id++) {
        if (!used[id] || !work->consumed.data[id]) continue;
        Diagnostic *d = lower_error(lw, NN_SECOND_BACKWARD, span,
                                    "backward goes a second time through a part of the graph");
        if (lw->graph->nodes.data[id]->span.file)
            diagnostic_label(d, lw->graph->nodes.data[id]->span, "this part");
        diagnostic_help(d, "pass retain_graph=True to the first backward()");
        return false;
    }
    if (!retain)
        for (int id = 0; id <= y->id; id++)
            if (used[id] && saves_operands(lw->graph->nodes.data[id], used))
                work->consumed.data[id] = true;
    return true;
}

static Value builtin_backward(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Node *y, *dy;
    if (!args_get(lw, args, "y, gradient=None, retain_graph=False", span, v) ||
        !read_start(lw, "backward()", &v[0], &v[1], span, &y, &dy))
        return value_error();
    lw->trains = true;
    bool retain = v[2].kind == VALUE_BOOL && v[2].as.boolean;
    LeafList leaves = find_leaves(lw);
    bool *reach = mark_dependent(lw, &leaves, lw->graph->nodes.count);
    if (!reach[y->id]) {
        Diagnostic *d =
            lower_error(lw, NN_NO_GRADIENT, span,
                        "the value does not depend on any parameter that requires a gradient");
        lower_tell_story(lw, d, "the value", &v[0]);
        return value_error();
    }
    bool *used = mark_used(lw, y, reach);
    if (!check_versions(lw, &leaves, used, y, span) || !check_consumed(lw, used, y, retain, span))
        return value_error();
    Node **xs = NEW_ARRAY(lw->arena, leaves.count, Node *),
         **grads = NEW_ARRAY(lw->arena, leaves.count, Node *);
    CellState **cells = NEW_ARRAY(lw->arena, leaves.count, CellState *);
    int count = 0;
    for (int i = 0; i < leaves.count; i++) {
        Leaf *leaf = &leaves.data[i];
        if (leaf->old || leaf->node->id > y->id || !used[leaf->node->id]) continue;
        xs[count] = leaf->node;
        cells[count++] = leaf->cell;
    }
    if (!differentiate(lw, y, dy, xs, count, grads, span)) return value_error();
    for (int i = 0; i < count; i++)
        if (grads[i]) cell_gradient_add(lw, cells[i], grads[i], span);
    return value_none();
}

/* Of what y does not depend on, the derivative is None if `v[3]` says so, or else a mistake. */
static Value gradients(Lowerer *lw, const CallArguments *args, const char *signature, Span span) {
    Value v[4] = {[3] = value_bool(false)};
    Node *y, *dy;
    if (!args_get(lw, args, signature, span, v) ||
        !read_start(lw, "grad()", &v[0], &v[2], span, &y, &dy))
        return value_error();
    bool many = value_is_list(&v[1]);
    int count = many ? v[1].as.list->items.count : 1;
    const Value *items = many ? v[1].as.list->items.data : &v[1];
    Node **xs = NEW_ARRAY(lw->arena, count, Node *), **grads = NEW_ARRAY(lw->arena, count, Node *);
    Value *results = NEW_ARRAY(lw->arena, count, Value);
    for (int i = 0; i < count; i++) {
        if (items[i].kind == VALUE_CELL &&
            cell_resolve(items[i].as.cell)->cell->role == CELL_PARAMETER)
            lw->trains = true;
        xs[i] = value_node(lw, &items[i], span);
        if (!xs[i]) return value_error();
    }
    LeafList leaves = find_leaves(lw);
    bool *reach = mark_dependent(lw, &leaves, lw->graph->nodes.count);
    if (reach[y->id] && lw->trains &&
        !check_versions(lw, &leaves, mark_used(lw, y, reach), y, span))
        return value_error();
    if (!differentiate(lw, y, dy, xs, count, grads, span)) return value_error();
    for (int i = 0; i < count; i++) {
        if (!grads[i] && v[3].kind == VALUE_BOOL && v[3].as.boolean) {
            results[i] = value_none();
            continue;
        }
        if (!grads[i]) {
            const char *which = items[i].kind == VALUE_CELL
                                    ? cell_resolve(items[i].as.cell)->cell->name->text
                                    : type_text(lw, &xs[i]->type);
            Diagnostic *d = lower_error(lw, NN_NO_GRADIENT, span,
                                        "grad(): the value does not depend on %s", which);
            if (many) diagnostic_help(d, "element %d of the list", i);
            return value_error();
        }
        results[i] = value_of_node(lw, grads[i], items[i].kind == VALUE_TENSOR ? &items[i] : NULL);
    }
    return many ? value_list(lw->arena, results, count) : results[0];
}

/* grad(y, x) or grad(y, [x, ...]). */
Value builtin_grad(Lowerer *lw, const CallArguments *args, Span span) {
    return gradients(lw, args, "y, x, dy=None", span);
}

Value prim_grad(Lowerer *lw, const CallArguments *args, Span span) {
    return gradients(lw, args, "y, x, dy=None, allow_unused=False", span);
}

static Value builtin_detach(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!args_get(lw, args, "x", span, v)) return value_error();
    Node *x = value_node(lw, &v[0], span);
    lower_mark(lw, span);
    return value_of_node(lw, node_detached(lw, x), &v[0]);
}

const Builtin gradient_builtins[] = {
    {"grad", builtin_grad},
    {"backward", builtin_backward},
    {"detach", builtin_detach},
    {NULL, NULL},
};
