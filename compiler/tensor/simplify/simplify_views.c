/* Rules for index maps: maps that change nothing, maps of maps, and parts of what was put together.
 *
 * They move no arithmetic; a FOLD whose windows do not overlap has one term per sum and becomes a
 * map. */
#include "tensor/simplify/simplify_rules.h"

static bool is_zero(const Dim *d) {
    return dim_is(d, 0);
}

static Node *reshape(Graph *g, const Node *node, Node *in) {
    if (shape_equal(&in->type.shape, &node->type.shape)) return in;
    return in->op == OP_RESHAPE ? op_reshape(g, in->inputs[0], node->type.shape) : NULL;
}

/* A permutation that only moves axes of extent 1 is a reshape. */
static Node *permute(Graph *g, const Node *node, Node *in) {
    int axes[SHAPE_MAX_RANK], rank = node->type.shape.rank, last = -1;
    bool same = true, ordered = true;
    for (int i = 0; i < rank; i++) {
        int from = node->attr.axes[i];
        same &= from == i;
        if (in->op == OP_PERMUTE) axes[i] = in->attr.axes[from];
        if (dim_is(node->type.shape.dims[i], 1)) continue;
        ordered &= from > last;
        last = from;
    }
    if (same) return in;
    if (ordered) return op_reshape(g, in, node->type.shape);
    return in->op == OP_PERMUTE ? op_permute(g, in->inputs[0], axes) : NULL;
}

/* The result of a product in another order of axes is the product with that order. */
static Node *permute_of_contract(Graph *g, const Node *node, Node *in) {
    int8_t out[SHAPE_MAX_RANK];
    const ContractAttr *c = &in->attr.contract;
    for (int i = 0; i < node->type.shape.rank; i++) out[i] = c->out[node->attr.axes[i]];
    return op_contract(g, in->inputs[0], in->inputs[1], c->a, c->b, out, node->type.shape.rank);
}

/* Whether an EXPAND reads an element more than once: else it only adds axes of extent 1. */
static bool repeats(const Node *node, const Node *in) {
    const Shape *wide = &node->type.shape, *narrow = &in->type.shape;
    uint32_t fresh = (1u << wide->rank) - 1;
    for (int i = 0; i < narrow->rank; i++)
        if (!dim_is(narrow->dims[i], 1)) fresh &= ~(1u << node->attr.axes[i]);
    for (int i = 0; i < wide->rank; i++)
        if (fresh >> i & 1 && !dim_is(wide->dims[i], 1)) return true;
    return false;
}

/* A reshape that only added axes of extent 1 is a part of the expansion. */
static Node *expand_of_reshape(Graph *g, const Node *node, const Node *in) {
    Node *x = in->inputs[0];
    const Shape *from = &x->type.shape, *to = &in->type.shape;
    int axes[SHAPE_MAX_RANK], next = 0;
    for (int i = 0; i < to->rank; i++) {
        if (next < from->rank && from->dims[next] == to->dims[i])
            axes[next++] = node->attr.axes[i];
        else if (!dim_is(to->dims[i], 1))
            return NULL;
    }
    return next == from->rank ? op_expand(g, x, node->type.shape, axes) : NULL;
}

static Node *expand(Graph *g, const Node *node, Node *in) {
    if (shape_equal(&in->type.shape, &node->type.shape)) return in;
    if (!repeats(node, in)) return op_reshape(g, in, node->type.shape);
    if (in->op == OP_RESHAPE) return expand_of_reshape(g, node, in);
    if (in->op != OP_EXPAND) return NULL;
    int axes[SHAPE_MAX_RANK];
    Node *x = in->inputs[0];
    for (int i = 0; i < x->type.shape.rank; i++) axes[i] = node->attr.axes[in->attr.axes[i]];
    return op_expand(g, x, node->type.shape, axes);
}

/* ---- slices ---- */

static bool is_whole(const Node *node, const Node *in) {
    const SliceAttr *slice = node->attr.slice;
    for (int i = 0; i < node->type.shape.rank; i++)
        if (slice->step[i] != 1 || !is_zero(slice->begin[i]) ||
            node->type.shape.dims[i] != in->type.shape.dims[i])
            return false;
    return true;
}

static Node *slice_of_slice(Graph *g, const Node *node, const Node *in) {
    const SliceAttr *outer = node->attr.slice, *inner = in->attr.slice;
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    for (int i = 0; i < node->type.shape.rank; i++) {
        const Dim *skipped = dim_mul(g->dims, outer->begin[i], dim_const(g->dims, inner->step[i]));
        begin[i] = dim_add(g->dims, inner->begin[i], skipped);
        if (!begin[i] || !checked_mul(outer->step[i], inner->step[i], &step[i])) return NULL;
    }
    return op_slice(g, in->inputs[0], begin, step, node->type.shape);
}

/* The slice takes back exactly what was padded. */
static bool undoes_pad(const Node *node, const Node *pad) {
    const SliceAttr *slice = node->attr.slice;
    const Shape *original = &pad->inputs[0]->type.shape;
    for (int i = 0; i < node->type.shape.rank; i++) {
        int64_t low, high;
        dim_bounds(pad->attr.pad->low[i], &low, &high);
        if (low < 0) return false;
        dim_bounds(pad->attr.pad->high[i], &low, &high);
        if (low < 0 || slice->step[i] != 1 || slice->begin[i] != pad->attr.pad->low[i] ||
            node->type.shape.dims[i] != original->dims[i])
            return false;
    }
    return true;
}

static Node *part_of_concat(const Node *node, const Node *concat, DimTable *dims) {
    const SliceAttr *slice = node->attr.slice;
    int axis = concat->attr.axis;
    for (int i = 0; i < node->type.shape.rank; i++)
        if (slice->step[i] != 1 ||
            (i != axis &&
             (!is_zero(slice->begin[i]) || node->type.shape.dims[i] != concat->type.shape.dims[i])))
            return NULL;
    const Dim *begin = dim_const(dims, 0);
    for (int i = 0; i < concat->input_count; i++) {
        const Dim *extent = concat->inputs[i]->type.shape.dims[axis];
        if (begin == slice->begin[axis] && extent == node->type.shape.dims[axis])
            return concat->inputs[i];
        begin = dim_add(dims, begin, extent);
    }
    return NULL;
}

static Node *slice(Graph *g, const Node *node, Node *in) {
    if (is_whole(node, in)) return in;
    switch ((int)in->op) {
    case OP_SLICE: return slice_of_slice(g, node, in);
    case OP_PAD: return undoes_pad(node, in) ? in->inputs[0] : NULL;
    case OP_CONCAT: return part_of_concat(node, in, g->dims);
    default: return NULL;
    }
}

/* ---- pads, concatenations, windows ---- */

static bool is_nonnegative(const Dim *d) {
    int64_t low, high;
    dim_bounds(d, &low, &high);
    return low >= 0;
}

static bool same_fill(const Node *a, const Node *b) {
    if (a == b) return true;
    if (!simplify_is_splat(a) || !simplify_is_splat(b) || !simplify_type_equal(&a->type, &b->type))
        return false;
    return dtype_is_float(a->type.dtype) ? simplify_is_value(b, a->attr.constant.value)
                                         : a->attr.constant.integer == b->attr.constant.integer;
}

static Node *pad(Graph *g, const Node *node, Node **in) {
    const PadAttr *outer = node->attr.pad, *inner = in[0]->attr.pad;
    int rank = node->type.shape.rank;
    bool none = true, both = in[0]->op == OP_PAD && same_fill(in[0]->inputs[1], in[1]);
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        none &= is_zero(outer->low[i]) && is_zero(outer->high[i]);
        if (!both) continue;
        both = is_nonnegative(outer->low[i]) && is_nonnegative(outer->high[i]) &&
               is_nonnegative(inner->low[i]) && is_nonnegative(inner->high[i]);
        low[i] = dim_add(g->dims, outer->low[i], inner->low[i]);
        high[i] = dim_add(g->dims, outer->high[i], inner->high[i]);
    }
    if (none) return in[0];
    return both ? op_pad(g, in[0]->inputs[0], in[1], low, high) : NULL;
}

/* The axis along which a PAD adds zeros, if it is the only one and nothing is cropped, else -1. */
static int zero_padded_axis(const Node *node) {
    int axis = -1;
    if (node->op != OP_PAD || !simplify_is_splat(node->inputs[1])) return -1;
    if (!simplify_is_value(node->inputs[1], 0.0)) return -1;
    for (int i = 0; i < node->type.shape.rank; i++) {
        if (is_zero(node->attr.pad->low[i]) && is_zero(node->attr.pad->high[i])) continue;
        if (axis >= 0 || !is_nonnegative(node->attr.pad->low[i]) ||
            !is_nonnegative(node->attr.pad->high[i]))
            return -1;
        axis = i;
    }
    return axis;
}

/* Two neighbours, each padded with zeros to the whole, then added: put together instead. */
Node *simplify_sum_of_pads(Graph *g, Node **in) {
    int axis = zero_padded_axis(in[0]);
    if (axis < 0 || zero_padded_axis(in[1]) != axis) return NULL;
    for (int first = 0; first < 2; first++) {
        const Node *left = in[first], *right = in[1 - first];
        const Dim *end =
            dim_add(g->dims, left->attr.pad->low[axis], left->inputs[0]->type.shape.dims[axis]);
        if (end != right->attr.pad->low[axis]) continue;
        const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
        for (int i = 0; i < left->type.shape.rank; i++) low[i] = high[i] = dim_const(g->dims, 0);
        low[axis] = left->attr.pad->low[axis];
        high[axis] = right->attr.pad->high[axis];
        Node *joined = op_concat(g, (Node *[]){left->inputs[0], right->inputs[0]}, 2, axis);
        if (is_zero(low[axis]) && is_zero(high[axis])) return joined;
        return op_pad(g, joined, left->inputs[1], low, high);
    }
    return NULL;
}

/* A concatenation in a concatenation along the same axis. */
static Node *flat_concat(Graph *g, const Node *node, Node **in) {
    int count = 0, axis = node->attr.axis;
    bool nested = false;
    for (int i = 0; i < node->input_count; i++) {
        bool inner = in[i]->op == OP_CONCAT && in[i]->attr.axis == axis;
        nested |= inner;
        count += inner ? in[i]->input_count : 1;
    }
    if (!nested) return NULL;
    Node **parts = NEW_ARRAY(g->arena, (size_t)count, Node *);
    count = 0;
    for (int i = 0; i < node->input_count; i++) {
        bool inner = in[i]->op == OP_CONCAT && in[i]->attr.axis == axis;
        for (int k = 0; inner && k < in[i]->input_count; k++) parts[count++] = in[i]->inputs[k];
        if (!inner) parts[count++] = in[i];
    }
    return op_concat(g, parts, count, axis);
}

/* Neighbouring slices of one tensor, put together again. */
static Node *concat(Graph *g, const Node *node, Node **in) {
    if (node->input_count == 1) return in[0];
    int axis = node->attr.axis, rank = node->type.shape.rank;
    const Node *first = in[0];
    if (first->op != OP_SLICE) return flat_concat(g, node, in);
    const Dim *next = first->attr.slice->begin[axis];
    for (int k = 0; k < node->input_count; k++) {
        if (in[k]->op != OP_SLICE || in[k]->inputs[0] != first->inputs[0])
            return flat_concat(g, node, in);
        const SliceAttr *slice = in[k]->attr.slice;
        for (int i = 0; i < rank; i++)
            if (slice->step[i] != 1 ||
                (i != axis && slice->begin[i] != first->attr.slice->begin[i]))
                return NULL;
        if (slice->begin[axis] != next) return NULL;
        next = dim_add(g->dims, next, in[k]->type.shape.dims[axis]);
    }
    return op_slice(g, first->inputs[0], first->attr.slice->begin, first->attr.slice->step,
                    node->type.shape);
}

/* Windows side by side: [.., O, .., K] -> [.., O, K, ..] -> [.., O*K, ..], and zeros up to the
 * extent where the last window does not reach it. */
static Node *fold(Graph *g, const Node *node, Node *in) {
    const WindowAttr *window = &node->attr.window;
    int axis = window->axis, rank = in->type.shape.rank, order[SHAPE_MAX_RANK];
    if (window->stride != window->size || (window->dilation != 1 && window->size != 1)) return NULL;
    Shape covered = node->type.shape;
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK], *zero = dim_const(g->dims, 0);
    covered.dims[axis] =
        dim_mul(g->dims, in->type.shape.dims[axis], dim_const(g->dims, window->size));
    if (!covered.dims[axis]) return NULL;
    for (int i = 0; i < rank; i++) {
        order[i] = i <= axis ? i : i == axis + 1 ? rank - 1 : i - 1;
        low[i] = high[i] = zero;
    }
    Node *joined = op_reshape(g, op_permute(g, in, order), covered);
    high[axis] = dim_sub(g->dims, node->type.shape.dims[axis], covered.dims[axis]);
    if (dim_is(high[axis], 0)) return joined;
    return op_pad(g, joined, op_const(g, 0.0, (TensorType){node->type.dtype, {0}}), low, high);
}

/* A window of one element, at every place: an axis of extent 1 at the end. */
static Node *unfold(Graph *g, const Node *node, Node *in) {
    bool single = node->attr.window.size == 1 && node->attr.window.stride == 1;
    return single ? op_reshape(g, in, node->type.shape) : NULL;
}

/* ---- products of views ---- */

/* One operand seen through a permutation, or through an expansion along labels that the other
 * operand has: the same product with other labels. */
static Node *operand_of_view(Graph *g, Node *view, const int8_t *labels, const int8_t *others,
                             int other_rank, int8_t *result) {
    Node *x = view->inputs[0];
    int rank = x->type.shape.rank;
    if (view->op == OP_PERMUTE) {
        for (int i = 0; i < rank; i++) result[view->attr.axes[i]] = labels[i];
        return x;
    }
    if (view->op != OP_EXPAND) return NULL;
    uint32_t fresh = (1u << view->type.shape.rank) - 1;
    for (int i = 0; i < rank; i++) {
        if (x->type.shape.dims[i] != view->type.shape.dims[view->attr.axes[i]]) return NULL;
        fresh &= ~(1u << view->attr.axes[i]);
        result[i] = labels[view->attr.axes[i]];
    }
    for (int i = 0; i < view->type.shape.rank; i++) {
        bool shared = !(fresh >> i & 1);
        for (int k = 0; k < other_rank; k++) shared |= others[k] == labels[i];
        if (!shared) return NULL;
    }
    return x;
}

Node *simplify_contract(Rewriter *w, const Node *node, Node **in) {
    const ContractAttr *c = &node->attr.contract;
    int8_t labels[SHAPE_MAX_RANK];
    int rank = node->type.shape.rank;
    if (in[0]->input_count) {
        Node *x = operand_of_view(w->g, in[0], c->a, c->b, in[1]->type.shape.rank, labels);
        if (x) return op_contract(w->g, x, in[1], labels, c->b, c->out, rank);
    }
    if (in[1]->input_count) {
        Node *x = operand_of_view(w->g, in[1], c->b, c->a, in[0]->type.shape.rank, labels);
        if (x) return op_contract(w->g, in[0], x, c->a, labels, c->out, rank);
    }
    return NULL;
}

Node *simplify_view(Rewriter *w, const Node *node, Node **in) {
    switch ((int)node->op) {
    case OP_RESHAPE: return reshape(w->g, node, in[0]);
    case OP_PERMUTE: {
        Node *result = permute(w->g, node, in[0]);
        bool only = in[0]->op == OP_CONTRACT && w->uses[node->inputs[0]->id] == 1;
        return !result && only ? permute_of_contract(w->g, node, in[0]) : result;
    }
    case OP_EXPAND: return expand(w->g, node, in[0]);
    case OP_SLICE: return slice(w->g, node, in[0]);
    case OP_PAD: return pad(w->g, node, in);
    case OP_CONCAT: return concat(w->g, node, in);
    case OP_UNFOLD: return unfold(w->g, node, in[0]);
    case OP_FOLD: return fold(w->g, node, in[0]);
    default: return NULL;
    }
}
