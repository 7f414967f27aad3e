/* Builders of index maps: reshape, permute, expand, slice, pad, concat, unfold and its adjoint
 * fold. */
#include "tensor/build.h"

#include <string.h>

Node *op_reshape(Graph *g, Node *x, Shape shape) {
    if (!x) return NULL;
    const Dim *from = shape_elements(g->dims, &x->type.shape);
    const Dim *to = shape_elements(g->dims, &shape);
    if (!from || !to) return build_misuse(g, OP_RESHAPE, "too many elements");
    if (!build_same_dim(g, from, to))
        return build_misuse(g, OP_RESHAPE, "%s has %s elements, %s has %s", build_type_text(g, x),
                            build_dim(g, from), build_shape(g, &shape), build_dim(g, to));
    return graph_node(g, OP_RESHAPE, build_of(x->type.dtype, shape), &x, 1);
}

Node *op_permute(Graph *g, Node *x, const int *axes) {
    if (!x) return NULL;
    Shape shape = {.rank = x->type.shape.rank};
    uint32_t seen = 0;
    for (int i = 0; i < shape.rank; i++) {
        if (axes[i] < 0 || axes[i] >= shape.rank || (seen >> axes[i] & 1))
            return build_misuse(g, OP_PERMUTE, "the axes are no permutation of those of %s",
                                build_type_text(g, x));
        seen |= 1u << axes[i];
        shape.dims[i] = x->type.shape.dims[axes[i]];
    }
    Node *node = graph_node(g, OP_PERMUTE, build_of(x->type.dtype, shape), &x, 1);
    if (node) memcpy(node->attr.axes, axes, (size_t)shape.rank * sizeof *axes);
    return node;
}

Node *op_expand(Graph *g, Node *x, Shape shape, const int *axes) {
    if (!x) return NULL;
    int previous = -1;
    for (int i = 0; i < x->type.shape.rank; i++) {
        if (axes[i] <= previous || axes[i] >= shape.rank)
            return build_misuse(g, OP_EXPAND, "axis %d of %s has no place in %s", i,
                                build_type_text(g, x), build_shape(g, &shape));
        previous = axes[i];
        if (!dim_is(x->type.shape.dims[i], 1) &&
            !build_same_dim(g, x->type.shape.dims[i], shape.dims[axes[i]]))
            return build_misuse(g, OP_EXPAND, "axis %d of %s does not stretch to %s", i,
                                build_type_text(g, x), build_dim(g, shape.dims[axes[i]]));
    }
    Node *node = graph_node(g, OP_EXPAND, build_of(x->type.dtype, shape), &x, 1);
    if (node && x->type.shape.rank)
        memcpy(node->attr.axes, axes, (size_t)x->type.shape.rank * sizeof *axes);
    return node;
}

static bool provably_less(Graph *g, const Dim *a, const Dim *b) {
    return dim_at_most(g->dims, dim_add(g->dims, a, dim_const(g->dims, 1)), b);
}

/* Only what is certainly outside is refused here: undecided bounds are the entry's checks. */
static bool slice_axis_fits(Graph *g, const Dim *length, const Dim *begin, const Dim *extent,
                            int64_t step) {
    const Dim *zero = dim_const(g->dims, 0);
    if (!provably_less(g, zero, extent)) return true;
    const Dim *last = dim_add(g->dims, begin,
                              dim_mul(g->dims, dim_sub(g->dims, extent, dim_const(g->dims, 1)),
                                      dim_const(g->dims, step)));
    return !provably_less(g, begin, zero) && !provably_less(g, last, zero) &&
           dim_less_equal(g->dims, length, begin) != DIM_YES &&
           dim_less_equal(g->dims, length, last) != DIM_YES;
}

Node *op_slice(Graph *g, Node *x, const Dim *const *begin, const int64_t *step, Shape shape) {
    if (!x) return NULL;
    if (shape.rank != x->type.shape.rank)
        return build_misuse(g, OP_SLICE, "%s sliced to %s: the ranks differ", build_type_text(g, x),
                            build_shape(g, &shape));
    for (int i = 0; i < shape.rank; i++) {
        if (step[i] == 0) return build_misuse(g, OP_SLICE, "step 0 on axis %d", i);
        if (!begin[i] || !shape.dims[i])
            return build_misuse(g, OP_SLICE, "the bounds of axis %d are too large", i);
        if (!slice_axis_fits(g, x->type.shape.dims[i], begin[i], shape.dims[i], step[i]))
            return build_misuse(g, OP_SLICE, "%s elements from %s by %lld leave axis %d of %s",
                                build_dim(g, shape.dims[i]), build_dim(g, begin[i]),
                                (long long)step[i], i, build_type_text(g, x));
    }
    Node *node = graph_node(g, OP_SLICE, build_of(x->type.dtype, shape), &x, 1);
    if (!node) return NULL;
    SliceAttr *slice = NEW(g->arena, SliceAttr);
    for (int i = 0; i < shape.rank; i++) {
        slice->begin[i] = dim_refresh(g->dims, begin[i]);
        slice->step[i] = step[i];
    }
    node->attr.slice = slice;
    return node;
}

Node *op_slice_axis(Graph *g, Node *x, int axis, const Dim *begin, const Dim *extent,
                    int64_t step) {
    if (!x) return NULL;
    if (axis < 0 || axis >= x->type.shape.rank)
        return build_misuse(g, OP_SLICE, "axis %d of %s", axis, build_type_text(g, x));
    const Dim *begins[SHAPE_MAX_RANK];
    int64_t steps[SHAPE_MAX_RANK];
    Shape shape = x->type.shape;
    for (int i = 0; i < shape.rank; i++) {
        begins[i] = dim_const(g->dims, 0);
        steps[i] = 1;
    }
    begins[axis] = begin;
    steps[axis] = step;
    shape.dims[axis] = extent;
    return op_slice(g, x, begins, steps, shape);
}

Node *op_pad(Graph *g, Node *x, Node *fill, const Dim *const *low, const Dim *const *high) {
    if (!x || !fill) return NULL;
    if (fill->type.shape.rank != 0 || fill->type.dtype != x->type.dtype)
        return build_misuse(g, OP_PAD, "the fill is one %s, not %s", dtype_name(x->type.dtype),
                            build_type_text(g, fill));
    Shape shape = x->type.shape;
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = dim_add(g->dims, shape.dims[i], dim_add(g->dims, low[i], high[i]));
    Node *node = graph_node(g, OP_PAD, build_of(x->type.dtype, shape), (Node *[]){x, fill}, 2);
    if (!node) return NULL;
    PadAttr *pad = NEW(g->arena, PadAttr);
    for (int i = 0; i < shape.rank; i++) {
        pad->low[i] = dim_refresh(g->dims, low[i]);
        pad->high[i] = dim_refresh(g->dims, high[i]);
    }
    node->attr.pad = pad;
    return node;
}

Node *op_concat(Graph *g, Node *const *xs, int count, int axis) {
    if (count < 1) return build_misuse(g, OP_CONCAT, "of no tensors");
    for (int i = 0; i < count; i++)
        if (!xs[i]) return NULL;
    Shape shape = xs[0]->type.shape;
    if (axis < 0 || axis >= shape.rank)
        return build_misuse(g, OP_CONCAT, "axis %d of %s", axis, build_type_text(g, xs[0]));
    for (int i = 1; i < count; i++) {
        const TensorType *t = &xs[i]->type;
        bool fits = t->dtype == xs[0]->type.dtype && t->shape.rank == shape.rank;
        for (int j = 0; j < shape.rank && fits; j++)
            fits = j == axis || build_same_dim(g, t->shape.dims[j], shape.dims[j]);
        if (!fits)
            return build_misuse(g, OP_CONCAT, "%s and %s differ outside axis %d",
                                build_type_text(g, xs[0]), build_type_text(g, xs[i]), axis);
        shape.dims[axis] = dim_add(g->dims, shape.dims[axis], t->shape.dims[axis]);
    }
    Node *node = graph_node(g, OP_CONCAT, build_of(xs[0]->type.dtype, shape), xs, count);
    if (node) node->attr.axis = axis;
    return node;
}

const Dim *build_window_count(DimTable *dims, const Dim *extent, int64_t size, int64_t stride,
                              int64_t dilation) {
    int64_t reach;
    if (!checked_mul(size - 1, dilation, &reach) || !checked_add(reach, 1, &reach)) return NULL;
    const Dim *room = dim_sub(dims, extent, dim_const(dims, reach));
    return dim_add(dims, dim_floordiv(dims, room, dim_const(dims, stride)), dim_const(dims, 1));
}

static bool window_is_sane(Graph *g, Op op, int64_t size, int64_t stride, int64_t dilation) {
    if (size >= 1 && stride >= 1 && dilation >= 1) return true;
    build_misuse(g, op, "window size %lld, stride %lld, dilation %lld: each is at least 1",
                 (long long)size, (long long)stride, (long long)dilation);
    return false;
}

Node *op_unfold(Graph *g, Node *x, int axis, int64_t size, int64_t stride, int64_t dilation) {
    if (!x) return NULL;
    Shape shape = x->type.shape;
    if (axis < 0 || axis >= shape.rank)
        return build_misuse(g, OP_UNFOLD, "axis %d of %s", axis, build_type_text(g, x));
    if (!window_is_sane(g, OP_UNFOLD, size, stride, dilation)) return NULL;
    if (shape.rank == SHAPE_MAX_RANK)
        return build_misuse(g, OP_UNFOLD, "a tensor has at most %d axes", SHAPE_MAX_RANK);
    const Dim *extent = shape.dims[axis];
    shape.dims[axis] = build_window_count(g->dims, extent, size, stride, dilation);
    if (shape.dims[axis] && dim_at_most(g->dims, shape.dims[axis], dim_const(g->dims, -1)))
        return build_misuse(g, OP_UNFOLD, "no window of %lld fits axis %d of %s", (long long)size,
                            axis, build_type_text(g, x));
    shape.dims[shape.rank++] = dim_const(g->dims, size);
    Node *node = graph_node(g, OP_UNFOLD, build_of(x->type.dtype, shape), &x, 1);
    if (node) node->attr.window = (WindowAttr){axis, size, stride, dilation, extent};
    return node;
}

Node *op_fold(Graph *g, Node *x, int axis, const Dim *extent, int64_t stride, int64_t dilation) {
    if (!x) return NULL;
    Shape shape = x->type.shape;
    int64_t size;
    if (axis < 0 || axis >= shape.rank - 1)
        return build_misuse(g, OP_FOLD, "axis %d of %s", axis, build_type_text(g, x));
    if (!dim_is_const(shape.dims[shape.rank - 1], &size))
        return build_misuse(g, OP_FOLD, "the last axis of %s is no window", build_type_text(g, x));
    if (x->type.dtype == DTYPE_BOOL) return build_misuse(g, OP_FOLD, "not defined for dtype bool");
    if (!window_is_sane(g, OP_FOLD, size, stride, dilation)) return NULL;
    const Dim *count = build_window_count(g->dims, extent, size, stride, dilation);
    if (!count || !build_same_dim(g, count, shape.dims[axis]))
        return build_misuse(g, OP_FOLD, "an axis of %s has %s windows of %lld, not %s",
                            build_dim(g, extent), build_dim(g, count), (long long)size,
                            build_dim(g, shape.dims[axis]));
    shape.dims[axis] = extent;
    shape.rank--;
    Node *node = graph_node(g, OP_FOLD, build_of(x->type.dtype, shape), &x, 1);
    if (node)
        node->attr.window =
            (WindowAttr){axis, size, stride, dilation, dim_refresh(g->dims, extent)};
    return node;
}
