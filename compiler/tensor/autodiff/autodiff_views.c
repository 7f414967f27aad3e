/* Derivatives of index maps and of data-dependent indexing.
 *
 * The adjoint of an index map is again made of index maps (and of a sum, where elements are read
 * several times): slice <-> pad, unfold <-> fold, expand <-> sum.  So a convolution's derivative by
 * its input keeps the form fold(fold(contract)). */
#include "tensor/autodiff/autodiff_rules.h"

Node *autodiff_expand_axes(Graph *g, Node *x, Shape shape, uint32_t axes) {
    if (!axes) return x;
    int kept[SHAPE_MAX_RANK], count = 0;
    for (int i = 0; i < shape.rank; i++)
        if (!(axes >> i & 1)) kept[count++] = i;
    return op_expand(g, x, shape, kept);
}

static Node *zero_of(Graph *g, DType dtype) {
    return op_const(g, 0.0, (TensorType){dtype, {0}});
}

static Node *permute_adjoint(Reverse *r) {
    int inverse[SHAPE_MAX_RANK];
    for (int i = 0; i < r->node->type.shape.rank; i++) inverse[r->node->attr.axes[i]] = i;
    return op_permute(r->g, r->dy, inverse);
}

static Node *expand_adjoint(Reverse *r) {
    const Shape *in = &r->node->inputs[0]->type.shape, *out = &r->node->type.shape;
    uint32_t axes = (1u << out->rank) - 1;
    bool stretched = false;
    for (int i = 0; i < in->rank; i++) {
        int axis = r->node->attr.axes[i];
        if (dim_is(in->dims[i], 1) && !dim_is(out->dims[axis], 1))
            stretched = true;
        else
            axes &= ~(1u << axis);
    }
    Node *sum = axes ? op_reduce(r->g, REDUCE_SUM, r->dy, axes) : r->dy;
    return stretched ? op_reshape(r->g, sum, *in) : sum;
}

/* Elements n, n-1, ..., 0 of the axes in the mask. */
static Node *flip_axes(Graph *g, Node *x, uint32_t axes) {
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    Shape shape = x->type.shape;
    for (int i = 0; i < shape.rank; i++) {
        bool flip = axes >> i & 1;
        begin[i] =
            flip ? dim_sub(g->dims, shape.dims[i], dim_const(g->dims, 1)) : dim_const(g->dims, 0);
        step[i] = flip ? -1 : 1;
    }
    return op_slice(g, x, begin, step, shape);
}

/* Puts step - 1 zeros behind every element along the axis: [.., n, ..] -> [.., n*step, ..], by
 * padding a new axis after it. */
static Node *dilate_axis(Graph *g, Node *x, int axis, int64_t step) {
    const Dim *zero = dim_const(g->dims, 0);
    Shape split = {.rank = x->type.shape.rank + 1}, merged = x->type.shape;
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    for (int i = 0; i < split.rank; i++) {
        split.dims[i] =
            i == axis + 1 ? dim_const(g->dims, 1) : x->type.shape.dims[i <= axis ? i : i - 1];
        low[i] = zero;
        high[i] = i == axis + 1 ? dim_const(g->dims, step - 1) : zero;
    }
    merged.dims[axis] = dim_mul(g->dims, merged.dims[axis], dim_const(g->dims, step));
    Node *padded = op_pad(g, op_reshape(g, x, split), zero_of(g, x->type.dtype), low, high);
    return op_reshape(g, padded, merged);
}

static bool slice_adjoint(Reverse *r) {
    Graph *g = r->g;
    const SliceAttr *slice = r->node->attr.slice;
    const Shape *in = &r->node->inputs[0]->type.shape, *out = &r->node->type.shape;
    uint32_t flips = 0;
    for (int i = 0; i < out->rank; i++)
        if (slice->step[i] < 0 && !dim_is(out->dims[i], 0)) flips |= 1u << i;
    Node *x = flips ? flip_axes(g, r->dy, flips) : r->dy;
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    bool pads = false;
    for (int i = 0; i < out->rank; i++) {
        int64_t step = slice->step[i], size = step < 0 ? -step : step;
        if (size > 1) {
            if (out->rank == SHAPE_MAX_RANK) {
                *r->error = (AutodiffError){
                    "the derivative of a slice with a step needs one axis more than is allowed",
                    r->node};
                return false;
            }
            x = dilate_axis(g, x, i, size);
        }
        low[i] = slice->begin[i];
        if (step < 0) { /* the smallest index that was read: begin - (n - 1) * size */
            const Dim *last = dim_sub(g->dims, out->dims[i], dim_const(g->dims, 1));
            low[i] = dim_sub(g->dims, low[i], dim_mul(g->dims, last, dim_const(g->dims, size)));
        }
        high[i] = dim_sub(g->dims, dim_sub(g->dims, in->dims[i], low[i]), x->type.shape.dims[i]);
        pads |= !dim_is(low[i], 0) || !dim_is(high[i], 0);
    }
    r->adjoint[0] = pads ? op_pad(g, x, zero_of(g, x->type.dtype), low, high) : x;
    return true;
}

static void pad_adjoint(Reverse *r) {
    Graph *g = r->g;
    const PadAttr *pad = r->node->attr.pad;
    const Node *x = r->node->inputs[0];
    int rank = x->type.shape.rank;
    if (r->wanted[0]) {
        const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
        for (int i = 0; i < rank; i++) {
            low[i] = dim_neg(g->dims, pad->low[i]);
            high[i] = dim_neg(g->dims, pad->high[i]);
        }
        r->adjoint[0] = op_pad(g, r->dy, zero_of(g, x->type.dtype), low, high);
    }
    if (r->wanted[1]) { /* the sum over what was filled */
        Node *inside = op_const_int(g, 0, (TensorType){DTYPE_BOOL, x->type.shape});
        Node *yes = op_const_int(g, 1, (TensorType){DTYPE_BOOL, {0}});
        Node *filled = op_pad(g, inside, yes, pad->low, pad->high);
        Node *kept = op_select(g, filled, r->dy, autodiff_zeros(g, r->dy->type));
        r->adjoint[1] = rank ? op_reduce(g, REDUCE_SUM, kept, (1u << rank) - 1) : kept;
    }
}

static void concat_adjoint(Reverse *r) {
    int axis = r->node->attr.axis;
    const Dim *begin = dim_const(r->g->dims, 0);
    for (int i = 0; i < r->node->input_count; i++) {
        const Dim *extent = r->node->inputs[i]->type.shape.dims[axis];
        if (r->wanted[i]) r->adjoint[i] = op_slice_axis(r->g, r->dy, axis, begin, extent, 1);
        begin = dim_add(r->g->dims, begin, extent);
    }
}

bool autodiff_rule_view(Reverse *r) {
    Node *node = r->node;
    const Node *x = node->inputs[0];
    switch ((int)node->op) {
    case OP_CAST: r->adjoint[0] = op_cast(r->g, r->dy, x->type.dtype); return true;
    case OP_IDENTITY: r->adjoint[0] = r->dy; return true;
    case OP_RESHAPE: r->adjoint[0] = op_reshape(r->g, r->dy, x->type.shape); return true;
    case OP_PERMUTE: r->adjoint[0] = permute_adjoint(r); return true;
    case OP_EXPAND: r->adjoint[0] = expand_adjoint(r); return true;
    case OP_SLICE: return slice_adjoint(r);
    case OP_PAD: pad_adjoint(r); return true;
    case OP_CONCAT: concat_adjoint(r); return true;
    case OP_UNFOLD: {
        const WindowAttr *w = &node->attr.window;
        r->adjoint[0] =
            op_fold(r->g, r->dy, w->axis, x->type.shape.dims[w->axis], w->stride, w->dilation);
        return true;
    }
    case OP_FOLD: {
        const WindowAttr *w = &node->attr.window;
        r->adjoint[0] = op_unfold(r->g, r->dy, w->axis, w->size, w->stride, w->dilation);
        return true;
    }
    default: break;
    }
    *r->error = (AutodiffError){"this index map has no derivative", node};
    return false;
}

/* ---- indexing by data ---- */

/* True for the update elements that remain: those that no later one overwrites.  Every update row
 * writes its number into a tensor of numbers and looks whether it is still there. */
static Node *last_writers(Graph *g, const Node *x, Node *index, int batch) {
    const Shape *at = &index->type.shape;
    Shape rows = {.rank = at->rank - batch}, flat = {.rank = 1}, table = {.rank = batch + 1};
    flat.dims[0] = dim_const(g->dims, 1);
    for (int i = 0; i < rows.rank; i++) {
        rows.dims[i] = at->dims[batch + i];
        flat.dims[0] = dim_mul(g->dims, flat.dims[0], rows.dims[i]);
    }
    for (int i = 0; i <= batch; i++) table.dims[i] = x->type.shape.dims[i];
    Node *number = op_reshape(g, op_iota(g, 0, (TensorType){DTYPE_I64, flat}), rows);
    number = autodiff_expand_axes(g, number, *at, (1u << batch) - 1);
    Node *none = op_const_int(g, -1, (TensorType){DTYPE_I64, table});
    Node *winner = op_scatter_set(g, none, index, number, batch);
    return op_binary(g, OP_EQ, op_gather(g, winner, index, batch), number);
}

static void scatter_set_adjoint(Reverse *r) {
    Graph *g = r->g;
    Node *index = r->node->inputs[1], *update = r->node->inputs[2];
    int batch = r->node->attr.batch;
    if (r->wanted[0])
        r->adjoint[0] = op_scatter_set(g, r->dy, index, autodiff_zeros(g, update->type), batch);
    if (!r->wanted[2]) return;
    uint32_t payload = 0;
    for (int i = index->type.shape.rank; i < update->type.shape.rank; i++) payload |= 1u << i;
    Node *kept = last_writers(g, r->node->inputs[0], index, batch);
    kept = autodiff_expand_axes(g, kept, update->type.shape, payload);
    r->adjoint[2] =
        op_select(g, kept, op_gather(g, r->dy, index, batch), autodiff_zeros(g, update->type));
}

bool autodiff_rule_indexed(Reverse *r) {
    Graph *g = r->g;
    Node *node = r->node, **in = node->inputs;
    switch ((int)node->op) {
    case OP_GATHER:
        r->adjoint[0] =
            op_scatter_add(g, autodiff_zeros(g, in[0]->type), in[1], r->dy, node->attr.batch);
        return true;
    case OP_SCATTER_ADD:
        r->adjoint[0] = r->dy;
        if (r->wanted[2]) r->adjoint[2] = op_gather(g, r->dy, in[1], node->attr.batch);
        return true;
    case OP_SCATTER_SET: scatter_set_adjoint(r); return true;
    case OP_DYNAMIC_SLICE:
        r->adjoint[0] = op_dynamic_update(g, autodiff_zeros(g, in[0]->type), r->dy, in[1],
                                          node->attr.dynamic.axis);
        return true;
    case OP_DYNAMIC_UPDATE: {
        int axis = node->attr.dynamic.axis;
        if (r->wanted[0])
            r->adjoint[0] =
                op_dynamic_update(g, r->dy, autodiff_zeros(g, in[1]->type), in[2], axis);
        if (r->wanted[1])
            r->adjoint[1] = op_dynamic_slice(g, r->dy, in[2], axis, in[1]->type.shape.dims[axis]);
        return true;
    }
    default: break;
    }
    *r->error = (AutodiffError){"this indexing has no derivative", node};
    return false;
}
