/* Subscripts of tensors, as torch has them: numbers, slices, None, ... and integer tensors.
 *
 * One OP_SLICE does all slices and numbers; a RESHAPE drops and inserts axes; integer tensors
 * gather. Bounds that depend on symbolic dims and cannot be proved become entry checks. */
#include "lower/tensor/tensor_internal.h"

/* left <= right: proved, or checked at the entry; false after an error. */
static bool require_less_equal(Lowerer *lw, const Dim *left, const Dim *right, const char *what,
                               Span span) {
    if (dims_require_order(lw, left, right, NULL, span)) return true;
    lower_error(lw, NN_TENSOR_INDEX, span, "%s: %s is more than %s", what, dim_text(lw, left),
                dim_text(lw, right));
    return false;
}

/* A bound of a slice: negative constants count from the end, and constants are clamped as in
 * Python. */
static bool slice_bound(Lowerer *lw, const Value *v, const Dim *extent, const Dim *otherwise,
                        Span span, const Dim **out) {
    *out = otherwise;
    if (v->kind == VALUE_NONE) return true;
    if (!value_as_dim(lw, v, "slice", span, out)) return false;
    int64_t bound, length;
    if (!dim_is_const(*out, &bound)) return require_less_equal(lw, *out, extent, "slice", span);
    if (dim_is_const(extent, &length)) {
        if (bound < 0) bound += length;
        bound = bound < 0 ? 0 : bound > length ? length : bound;
        *out = dim_const(lw->dims, bound);
        return true;
    }
    if (bound >= 0) return require_less_equal(lw, *out, extent, "slice", span);
    if (!require_less_equal(lw, dim_const(lw->dims, -bound), extent, "slice", span)) return false;
    *out = dim_add(lw->dims, extent, *out);
    return true;
}

static bool slice_axis(Lowerer *lw, const Value *slice, const Dim *extent, Span span,
                       const Dim **begin, int64_t *step, const Dim **count) {
    const Value *parts = slice->as.list->items.data;
    *step = 1;
    if (parts[2].kind != VALUE_NONE && !value_as_int(lw, &parts[2], "slice step", span, step))
        return false;
    if (*step <= 0) {
        Diagnostic *d =
            lower_error(lw, NN_TENSOR_INDEX, span,
                        "the step of a slice must be positive, found %lld", (long long)*step);
        diagnostic_help(d, "use torch.flip(x, dims)");
        return false;
    }
    const Dim *zero = dim_const(lw->dims, 0), *stop;
    if (!slice_bound(lw, &parts[0], extent, zero, span, begin)) return false;
    if (!slice_bound(lw, &parts[1], extent, extent, span, &stop)) return false;
    const Dim *span_dim = dim_sub(lw->dims, stop, *begin);
    DimTruth ordered = dim_less_equal(lw->dims, *begin, stop);
    if (ordered == DIM_NO)
        span_dim = zero;
    else if (ordered == DIM_UNKNOWN)
        span_dim = dim_max(lw->dims, span_dim, zero);
    *count = *step == 1 ? span_dim : dim_ceildiv(lw->dims, span_dim, *step);
    return *count != NULL;
}

/* A number as index of an axis: normalised begin. */
static bool number_index(Lowerer *lw, const Value *v, const Dim *extent, int axis, const Node *x,
                         Span span, const Dim **begin) {
    const Dim *index;
    if (!value_as_dim(lw, v, "index", span, &index)) return false;
    int64_t at, length;
    const Dim *needed = NULL;
    if (dim_is_const(index, &at)) {
        if (dim_is_const(extent, &length) && (at >= length || at < -length)) {
            lower_error(lw, NN_TENSOR_INDEX, span, "index %lld is out of range for axis %d of %s",
                        (long long)at, axis, type_text(lw, &x->type));
            return false;
        }
        needed = dim_const(lw->dims, at < 0 ? -at : at + 1);
        *begin = at < 0 ? dim_add(lw->dims, extent, index) : index;
    } else {
        needed = dim_add(lw->dims, index, dim_const(lw->dims, 1));
        *begin = index;
    }
    return require_less_equal(lw, needed, extent, "index", span);
}

Node *tensor_take(Lowerer *lw, Node *x, int axis, Node *index) {
    if (!x || !index) return NULL;
    if (axis == 0) return op_gather(lw->graph, x, index, 0);
    int rank = x->type.shape.rank, index_rank = index->type.shape.rank, axes[SHAPE_MAX_RANK], n = 0;
    axes[n++] = axis;
    for (int i = 0; i < rank; i++)
        if (i != axis) axes[n++] = i;
    Node *moved = op_permute(lw->graph, x, axes);
    Node *picked = moved ? op_gather(lw->graph, moved, index, 0) : NULL;
    if (!picked) return NULL;
    /* picked is [index.., rest..]; the index's axes go back to where the axis was */
    n = 0;
    for (int i = 0; i < axis; i++) axes[n++] = index_rank + i;
    for (int i = 0; i < index_rank; i++) axes[n++] = i;
    for (int i = axis; i < rank - 1; i++) axes[n++] = index_rank + i;
    return op_permute(lw->graph, picked, axes);
}

/* Negative ids count from the end. */
static Node *wrap_index(Lowerer *lw, Node *index, const Dim *extent) {
    if (index->type.dtype == DTYPE_U8) return op_cast(lw->graph, index, DTYPE_I64);
    Node *wide = op_cast(lw->graph, index, DTYPE_I64);
    TensorType type = wide->type;
    Node *length = op_dim(lw->graph, extent, DTYPE_I64);
    length = tensor_broadcast_to(lw, length, &type.shape, lw->graph->span);
    Node *negative = op_binary(lw->graph, OP_LT, wide, op_const_int(lw->graph, 0, type));
    return op_select(lw->graph, negative, op_binary(lw->graph, OP_ADD, wide, length), wide);
}

/* A list of ints as index: a constant tensor. */
static Node *list_index(Lowerer *lw, const Value *v, Span span) {
    int count = v->as.list->items.count;
    int64_t *data = NEW_ARRAY(lw->arena, count ? count : 1, int64_t);
    for (int i = 0; i < count; i++)
        if (!value_as_int(lw, &v->as.list->items.data[i], "index", span, &data[i])) return NULL;
    const Dim *extent = dim_const(lw->dims, count);
    return op_const_data(lw->graph, data, (TensorType){DTYPE_I64, shape_of(1, &extent)});
}

typedef struct TensorIndex {
    int axis;
    Node *index;
} TensorIndex;

/* The axes of the indices in front, where the result of indices that are apart has its own. */
static Node *indices_first(Lowerer *lw, Node *x, TensorIndex *indices, int count) {
    int axes[SHAPE_MAX_RANK], n = 0;
    uint32_t indexed = 0;
    for (int i = 0; i < count; i++) {
        indexed |= 1u << indices[i].axis;
        axes[n++] = indices[i].axis;
        indices[i].axis = i;
    }
    for (int i = 0; i < x->type.shape.rank; i++)
        if (!(indexed >> i & 1)) axes[n++] = i;
    return op_permute(lw->graph, x, axes);
}

/* Several integer tensors: one gather over the merged axis. */
static Node *take_many(Lowerer *lw, Node *x, TensorIndex *indices, int count, Span span) {
    if (x && indices[count - 1].axis != indices[0].axis + count - 1)
        x = indices_first(lw, x, indices, count);
    if (!x) return NULL;
    const Dim *extent = x->type.shape.dims[indices[0].axis];
    Node *linear = indices[0].index;
    for (int i = 1; i < count; i++) {
        Shape shape;
        const Dim *next = x->type.shape.dims[indices[i].axis];
        if (!tensor_broadcast_shapes(lw, &linear->type.shape, &indices[i].index->type.shape, &shape,
                                     span))
            return NULL;
        Node *length = tensor_broadcast_to(lw, op_dim(lw->graph, next, DTYPE_I64), &shape, span);
        linear =
            op_binary(lw->graph, OP_MUL, tensor_broadcast_to(lw, linear, &shape, span), length);
        linear = op_binary(lw->graph, OP_ADD, linear,
                           tensor_broadcast_to(lw, indices[i].index, &shape, span));
        extent = dim_mul(lw->dims, extent, next);
        if (!linear) return NULL;
    }
    if (count > 1) {
        Shape merged = {.rank = 0};
        for (int i = 0; i < x->type.shape.rank; i++) {
            if (i > indices[0].axis && i < indices[0].axis + count) continue;
            merged.dims[merged.rank++] = i == indices[0].axis ? extent : x->type.shape.dims[i];
        }
        x = op_reshape(lw->graph, x, merged);
    }
    return tensor_take(lw, x, indices[0].axis, linear);
}

Value tensor_subscript(Lowerer *lw, const Value *value, const Value *items, int count, Span span) {
    Node *x = value_node(lw, value, span);
    if (!x) return value_error();
    lower_mark(lw, span);
    Shape shape = x->type.shape;
    int used = 0, ellipses = 0;
    for (int i = 0; i < count; i++) {
        if (items[i].kind == VALUE_ERROR) return value_error();
        if (items[i].kind == VALUE_ELLIPSIS)
            ellipses++;
        else if (items[i].kind != VALUE_NONE)
            used++;
    }
    if (ellipses > 1 || used > shape.rank) {
        lower_error(lw, NN_TENSOR_INDEX, span,
                    ellipses > 1 ? "more than one `...` in a subscript"
                                 : "%d subscripts for %s, which has %d axes",
                    used, type_text(lw, &x->type), shape.rank);
        return value_error();
    }
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    Shape sliced = shape;
    for (int i = 0; i < shape.rank; i++) begin[i] = dim_const(lw->dims, 0), step[i] = 1;
    uint32_t drop = 0, insert = 0;
    bool slices = false;
    TensorIndex indices[SHAPE_MAX_RANK];
    int index_count = 0, axis = 0, kept = 0;
    for (int i = 0; i < count; i++) {
        const Value *item = &items[i];
        switch ((int)item->kind) {
        case VALUE_ELLIPSIS:
            kept += shape.rank - used;
            axis += shape.rank - used;
            continue;
        case VALUE_NONE:
            if (kept >= SHAPE_MAX_RANK) break;
            insert |= 1u << kept++;
            continue;
        case VALUE_SLICE:
            if (!slice_axis(lw, item, shape.dims[axis], span, &begin[axis], &step[axis],
                            &sliced.dims[axis]))
                return value_error();
            slices |= sliced.dims[axis] != shape.dims[axis] || step[axis] != 1;
            axis++, kept++;
            continue;
        case VALUE_INT:
        case VALUE_DIM:
            if (!number_index(lw, item, shape.dims[axis], axis, x, span, &begin[axis]))
                return value_error();
            sliced.dims[axis] = dim_const(lw->dims, 1);
            slices = true;
            drop |= 1u << axis++;
            continue;
        case VALUE_TENSOR:
        case VALUE_CELL:
        case VALUE_LIST: {
            Node *index =
                item->kind == VALUE_LIST ? list_index(lw, item, span) : value_node(lw, item, span);
            if (!index) return value_error();
            if (dtype_kind(index->type.dtype) != DTYPE_KIND_INTEGER) {
                Diagnostic *d = lower_error(lw, NN_TENSOR_INDEX, span,
                                            "a tensor of dtype %s cannot be an index",
                                            dtype_name(index->type.dtype));
                if (index->type.dtype == DTYPE_BOOL)
                    diagnostic_help(
                        d, "the result's shape would depend on values: use where(mask, a, b) or "
                           "masked_fill in the shape of the tensor, (x * mask).sum() for a sum, "
                           "mask.sum() for the number of elements");
                return value_error();
            }
            const Dim *low = dim_neg(lw->dims, shape.dims[axis]);
            if (!tensor_check_range(lw, index, low, shape.dims[axis], NULL, "index", span))
                return value_error();
            indices[index_count++] = (TensorIndex){kept, wrap_index(lw, index, shape.dims[axis])};
            axis++, kept++;
            continue;
        }
        default: break;
        }
        lower_error(lw, NN_TENSOR_INDEX, span, "%s cannot be a subscript of a tensor",
                    value_kind_name(item));
        return value_error();
    }
    if (slices) x = op_slice(lw->graph, x, begin, step, sliced);
    if (drop) x = node_drop_axes(lw, x, drop);
    if (insert) x = node_insert_axes(lw, x, insert);
    /* Tensors last, as torch has it: numbers are no indices beside them. */
    if (index_count) x = take_many(lw, x, indices, index_count, span);
    return value_of_node(lw, x, value);
}
