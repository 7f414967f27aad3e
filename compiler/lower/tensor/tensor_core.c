/* Tensors as values: reading operands, torch's type promotion, broadcasting.
 *
 * Input: values (tensors, cells, Python numbers, dims).  Output: nodes of equal shape and dtype, as
 * the graph wants them.  Python numbers are weak, rank-0 tensors weaker than others, as
 * in torch. */
#include "lower/tensor/tensor_internal.h"

const char *type_text(Lowerer *lw, const TensorType *type) {
    Text text = text_new(lw->arena);
    type_print(&text, type);
    return text.data;
}

const char *shape_text(Lowerer *lw, const Shape *shape) {
    Text text = text_new(lw->arena);
    shape_print(&text, shape);
    return text.data;
}

const char *dim_text(Lowerer *lw, const Dim *dim) {
    Text text = text_new(lw->arena);
    if (dim)
        dim_print(&text, dim);
    else
        text_append(&text, "?");
    return text.data;
}

Graph *entry_graph(Lowerer *lw) {
    return lw->entry ? lw->entry->graph : lw->graph;
}

void lower_mark(Lowerer *lw, Span span) {
    if (!lw->graph) return;
    lw->graph->span = lower_blame(lw, span);
    lw->graph->path = lw->instance && lw->instance->path ? lw->instance->path : "";
}

bool value_is_tensor(const Value *v) {
    return v->kind == VALUE_TENSOR || v->kind == VALUE_CELL;
}

bool value_is_delayed(const Value *v) {
    return v->kind == VALUE_FUNCTION && v->as.closure->initialiser;
}

static bool is_number(const Value *v) {
    return v->kind == VALUE_BOOL || v->kind == VALUE_INT || v->kind == VALUE_FLOAT ||
           v->kind == VALUE_DIM;
}

Node *value_node(Lowerer *lw, const Value *v, Span span) {
    if (v->kind == VALUE_ERROR) return NULL;
    if (v->kind == VALUE_TENSOR)
        return lower_check_reach(lw, v->as.tensor, span) ? v->as.tensor : NULL;
    if (v->kind == VALUE_CELL) {
        Node *node = cell_read(lw, v->as.cell, span);
        if (node && v->detached && !node->no_grad) {
            lower_mark(lw, span);
            node = op_identity(lw->graph, node);
            if (node) node->no_grad = true;
        }
        return node;
    }
    if (v->kind == VALUE_NONE) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "expected a tensor, found None");
        return NULL;
    }
    if (value_is_delayed(v)) {
        Diagnostic *d = lower_error(lw, NN_TENSOR_OPERAND, span,
                                    "a tensor given to a module's header has its value only where "
                                    "the module's body keeps it");
        diagnostic_help(d, "keep it in the body: `self.register_buffer(\"name\", name)`, and read "
                           "`self.name`");
        return NULL;
    }
    lower_error(lw, NN_TENSOR_OPERAND, span, "expected a tensor, found %s", value_kind_name(v));
    return NULL;
}

Value value_of_node(Lowerer *lw, Node *node, const Value *from) {
    (void)lw;
    if (!node) return value_error();
    Value v = value_tensor(node);
    if (from && from->kind == VALUE_TENSOR) v.story = from->story;
    return v;
}

/* ---- promotion ---- */

/* A function that a module's body calls stands elsewhere: the call shows which body it is. */
static void label_body(Lowerer *lw, Diagnostic *d, Span span) {
    Span blamed = lower_blame(lw, span);
    for (const Frame *f = lw->frame; f && f->caller; f = f->caller)
        if (f->caller->declares) {
            bool elsewhere = f->call_span.file != blamed.file || f->call_span.begin != blamed.begin;
            if (elsewhere) diagnostic_label(d, f->call_span, "called by a module's body");
            return;
        }
}

bool need_graph(Lowerer *lw, Span span) {
    if (lw->graph) return true;
    Diagnostic *d = lower_error(lw, NN_TENSOR_OPERAND, span,
                                "there is no tensor computation here, only compile-time values");
    if (!lw->instance) return false;
    diagnostic_help(d,
                    "a module keeps a tensor as `self.name = nn.Parameter(...)`, or, where it is "
                    "not trained, by `self.register_buffer(\"name\", ...)`, with the computation, "
                    "or a call of the function that has it, in its brackets");
    label_body(lw, d, span);
    lw->instance->failed = true; /* what it would have kept is not missed a second time */
    return false;
}

bool operand_read(Lowerer *lw, const Value *v, Span span, Operand *out) {
    out->value = v;
    out->node = NULL;
    if (v->kind == VALUE_ERROR) return false;
    if (is_number(v)) return need_graph(lw, span);
    out->node = value_node(lw, v, span);
    return out->node != NULL;
}

static DType number_dtype(Lowerer *lw, const Value *v) {
    if (v->kind == VALUE_BOOL) return DTYPE_BOOL;
    return v->kind == VALUE_FLOAT ? lw->options->default_dtype : DTYPE_I64;
}

/* torch's combine_categories: the higher rank of operand decides unless the lower has a higher
 * category. */
static DType combine(bool have_high, DType high, bool have_low, DType low) {
    if (!have_high) return low;
    if (!have_low || dtype_is_float(high)) return high;
    if (high == DTYPE_BOOL || dtype_is_float(low)) return dtype_promote(high, low);
    return high;
}

DType operands_dtype(Lowerer *lw, const Operand *operands, int count) {
    bool have[3] = {false, false, false}; /* with axes, rank 0, numbers */
    DType type[3] = {DTYPE_BOOL, DTYPE_BOOL, DTYPE_BOOL};
    for (int i = 0; i < count; i++) {
        const Node *node = operands[i].node;
        int rank = node ? (node->type.shape.rank ? 0 : 1) : 2;
        DType t = node ? node->type.dtype : number_dtype(lw, operands[i].value);
        type[rank] = have[rank] ? dtype_promote(type[rank], t) : t;
        have[rank] = true;
    }
    DType low = combine(have[1], type[1], have[2], type[2]);
    return combine(have[0], type[0], have[1] || have[2], low);
}

Node *node_scalar(Lowerer *lw, double value, DType dtype) {
    return op_const(lw->graph, value, (TensorType){.dtype = dtype, .shape = {.rank = 0}});
}

static Node *number_node(Lowerer *lw, const Value *v, DType dtype) {
    TensorType type = {.dtype = dtype, .shape = {.rank = 0}};
    switch ((int)v->kind) {
    case VALUE_DIM:
        if (dtype == DTYPE_BOOL)
            return op_cast(lw->graph, op_dim(lw->graph, v->as.dim, DTYPE_I64), dtype);
        return op_dim(lw->graph, v->as.dim, dtype);
    case VALUE_BOOL: return op_const(lw->graph, v->as.boolean, type);
    case VALUE_INT:
        if (dtype_is_float(dtype)) return op_const_float(lw->graph, (double)v->as.integer, type);
        return op_const_int(lw->graph, v->as.integer, type);
    default:
        if (dtype_is_float(dtype)) return op_const_float(lw->graph, v->as.number, type);
        return op_const_int(lw->graph, (int64_t)v->as.number, type);
    }
}

Node *tensor_of(Lowerer *lw, const Value *v, const Node *like, Span span) {
    Operand operand;
    if (!operand_read(lw, v, span, &operand)) return NULL;
    lower_mark(lw, span);
    if (operand.node) return operand.node;
    DType dtype = number_dtype(lw, v);
    if (like) {
        Operand both[2] = {operand, {.value = NULL, .node = (Node *)like}};
        dtype = operands_dtype(lw, both, 2);
    }
    return number_node(lw, v, dtype);
}

Node *operand_node(Lowerer *lw, const Operand *operand, DType dtype, const Shape *shape,
                   Span span) {
    Node *node = operand->node ? op_cast(lw->graph, operand->node, dtype)
                               : number_node(lw, operand->value, dtype);
    return node && shape ? tensor_broadcast_to(lw, node, shape, span) : node;
}

/* ---- dims that must agree ---- */

static bool independent_symbols(const Dim *a, const Dim *b) {
    return dim_as_symbol(a) && dim_as_symbol(b);
}

bool dims_unify(Lowerer *lw, const Dim *a, const Dim *b, const char *what, Span span) {
    if (a == b) return true;
    if (!a || !b) {
        lower_error(lw, NN_BROADCAST, span, "%s: an extent is too large", what);
        return false;
    }
    DimTruth truth = dim_equal(lw->dims, a, b);
    if (truth == DIM_YES) return true;
    if (truth == DIM_NO) {
        lower_error(lw, NN_BROADCAST, span, "%s: %s is not %s", what, dim_text(lw, a),
                    dim_text(lw, b));
        return false;
    }
    if (independent_symbols(a, b) || !lw->entry) {
        Diagnostic *d =
            lower_error(lw, NN_DIMS_UNRELATED, span, "%s: nothing says that %s equals %s", what,
                        dim_text(lw, a), dim_text(lw, b));
        diagnostic_help(d, "give both the same name in the signature, or write `where %s == %s`",
                        dim_text(lw, a), dim_text(lw, b));
        return false;
    }
    const char *message = arena_printf(lw->arena, "%s == %s", dim_text(lw, a), dim_text(lw, b));
    entry_add_dim_check(lw, '=', a, b, message, span);
    if (!dim_assume_equal(lw->dims, a, b)) {
        lower_error(lw, NN_BROADCAST, span, "%s: %s is not %s", what, dim_text(lw, a),
                    dim_text(lw, b));
        return false;
    }
    return true;
}

bool dims_require_order(Lowerer *lw, const Dim *left, const Dim *right, const char *what,
                        Span span) {
    DimTruth truth = left && right ? dim_less_equal(lw->dims, left, right) : DIM_NO;
    if (truth == DIM_YES) return true;
    if (truth == DIM_NO || !lw->entry) return false;
    const char *message =
        arena_printf(lw->arena, "%s <= %s", dim_text(lw, left), dim_text(lw, right));
    if (what) message = arena_printf(lw->arena, "%s (%s)", what, message);
    entry_add_dim_check(lw, '<', left, right, message, span);
    return true;
}

/* ---- broadcasting ---- */

/* Joins the extent `d` of one operand into *out; false when they do not fit. */
static bool join_extent(Lowerer *lw, const Dim **out, const Dim *d, const char *what, Span span,
                        bool *told) {
    *told = false;
    if (*out == d || dim_is(d, 1)) return true;
    if (dim_is(*out, 1)) {
        *out = d;
        return true;
    }
    DimTruth truth = dim_equal(lw->dims, *out, d);
    if (truth == DIM_YES) return true;
    if (truth == DIM_NO) return false;
    *told = true;
    return dims_unify(lw, *out, d, what, span);
}

bool tensor_broadcast_shapes(Lowerer *lw, const Shape *a, const Shape *b, Shape *out, Span span) {
    Shape result = a->rank >= b->rank ? *a : *b;
    const Shape *other = a->rank >= b->rank ? b : a;
    int shift = result.rank - other->rank;
    for (int i = 0; i < other->rank; i++) {
        bool told;
        if (join_extent(lw, &result.dims[shift + i], other->dims[i], "broadcasting", span, &told))
            continue;
        if (!told)
            lower_error(lw, NN_BROADCAST, span,
                        "shapes %s and %s do not broadcast: axis %d has %s and %s",
                        shape_text(lw, a), shape_text(lw, b), shift + i - result.rank,
                        dim_text(lw, result.dims[shift + i]), dim_text(lw, other->dims[i]));
        return false;
    }
    *out = result;
    return true;
}

bool operands_shape(Lowerer *lw, const char *what, const Operand *operands, int count, Shape *out,
                    Span span) {
    *out = (Shape){.rank = 0};
    const Node *widest = NULL;
    for (int i = 0; i < count; i++)
        if (operands[i].node &&
            (!widest || operands[i].node->type.shape.rank > widest->type.shape.rank))
            widest = operands[i].node;
    if (!widest) return true;
    *out = widest->type.shape;
    for (int k = 0; k < count; k++) {
        const Node *node = operands[k].node;
        if (!node || node == widest) continue;
        const Shape *shape = &node->type.shape;
        int shift = out->rank - shape->rank;
        for (int i = 0; i < shape->rank; i++) {
            bool told;
            if (join_extent(lw, &out->dims[shift + i], shape->dims[i], what, span, &told)) continue;
            if (!told) {
                const Operand *first = operands[0].node ? &operands[0] : &operands[1];
                Diagnostic *d = lower_error(
                    lw, NN_BROADCAST, span, "%s: %s and %s do not broadcast: axis %d has %s and %s",
                    what, type_text(lw, &first->node->type),
                    type_text(lw, first->node == node ? &widest->type : &node->type),
                    shift + i - out->rank, dim_text(lw, out->dims[shift + i]),
                    dim_text(lw, shape->dims[i]));
                for (int j = 0; j < count; j++)
                    if (operands[j].node)
                        lower_tell_story(lw, d, j ? "the right operand" : "the left operand",
                                         operands[j].value);
            }
            return false;
        }
    }
    return true;
}

Node *tensor_broadcast_to(Lowerer *lw, Node *x, const Shape *shape, Span span) {
    if (!x) return NULL;
    const Shape *from = &x->type.shape;
    if (shape_equal(from, shape)) return x;
    int axes[SHAPE_MAX_RANK], shift = shape->rank - from->rank;
    if (shift < 0) {
        lower_error(lw, NN_BROADCAST, span, "%s cannot be expanded to %s: it has more axes",
                    type_text(lw, &x->type), shape_text(lw, shape));
        return NULL;
    }
    Shape result = *shape;
    bool changed = shift > 0;
    for (int i = 0; i < from->rank; i++) {
        axes[i] = shift + i;
        const Dim *have = from->dims[i], *want = shape->dims[shift + i];
        if (have == want) continue;
        if (dim_is(have, 1)) {
            changed = true;
        } else if (dim_equal(lw->dims, have, want) == DIM_YES) {
            result.dims[shift + i] = have;
        } else {
            lower_error(lw, NN_BROADCAST, span,
                        "%s cannot be expanded to %s: axis %d has %s, not 1 or %s",
                        type_text(lw, &x->type), shape_text(lw, shape), i, dim_text(lw, have),
                        dim_text(lw, want));
            return NULL;
        }
    }
    return changed ? op_expand(lw->graph, x, result, axes) : x;
}

/* ---- axes of extent 1 ---- */

static Node *reshape_or_same(Lowerer *lw, Node *x, const Shape *shape) {
    return shape_equal(&x->type.shape, shape) ? x : op_reshape(lw->graph, x, *shape);
}

Node *node_drop_axes(Lowerer *lw, Node *x, uint32_t drop) {
    if (!x) return NULL;
    Shape shape = {.rank = 0};
    for (int i = 0; i < x->type.shape.rank; i++)
        if (!(drop >> i & 1)) shape.dims[shape.rank++] = x->type.shape.dims[i];
    return reshape_or_same(lw, x, &shape);
}

Node *node_insert_axes(Lowerer *lw, Node *x, uint32_t insert) {
    if (!x) return NULL;
    Shape shape = {.rank = 0};
    int from = 0;
    while (from < x->type.shape.rank || insert >> shape.rank) {
        if (shape.rank == SHAPE_MAX_RANK) {
            lower_error(lw, NN_AXIS, lw->graph->span, "a tensor has at most %d axes",
                        SHAPE_MAX_RANK);
            return NULL;
        }
        bool fresh = insert >> shape.rank & 1;
        shape.dims[shape.rank++] = fresh ? dim_const(lw->dims, 1) : x->type.shape.dims[from++];
    }
    return reshape_or_same(lw, x, &shape);
}

/* ---- lists of dims and axes ---- */

bool value_flatten_dims(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out,
                        int max, int *count) {
    if (value_is_list(v)) {
        for (int i = 0; i < v->as.list->items.count; i++)
            if (!value_flatten_dims(lw, &v->as.list->items.data[i], what, span, out, max, count))
                return false;
        return true;
    }
    if (*count == max) {
        lower_error(lw, NN_AXIS, span, "%s: a tensor has at most %d axes", what, max);
        return false;
    }
    return value_as_dim(lw, v, what, span, &out[(*count)++]);
}

bool value_as_axes(Lowerer *lw, const Value *v, int rank, Span span, uint32_t *axes) {
    if (v->kind == VALUE_NONE) {
        *axes = rank ? (uint32_t)(((uint64_t)1 << rank) - 1) : 0;
        return true;
    }
    *axes = 0;
    int count = value_is_list(v) ? v->as.list->items.count : -1;
    for (int i = 0; i < (count < 0 ? 1 : count); i++) {
        int axis;
        const Value *item = count < 0 ? v : &v->as.list->items.data[i];
        /* torch lets a rank-0 tensor be reduced over its axis 0 */
        if (rank == 0 && item->kind == VALUE_INT &&
            (item->as.integer == 0 || item->as.integer == -1))
            continue;
        if (!value_as_axis(lw, item, rank, span, &axis)) return false;
        if (*axes >> axis & 1) {
            lower_error(lw, NN_AXIS, span, "axis %d appears twice", axis);
            return false;
        }
        *axes |= 1u << axis;
    }
    return true;
}
