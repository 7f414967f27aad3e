/* Random tensor graphs, valid by construction, for comparing two ways of computing them.
 *
 * random_graph(arena, dims, options) -> a graph with inputs and results.  The same options give the
 * same graph.  Ranks 0 to 5, extents from {0, 1, 2, 3, 7, 8, 9, 16, 17, 31, 33}, every class of
 * operator, optionally gradients of the sum of the results by the floating inputs.  Float inputs
 * may be anything moderate (random_graph_number gives [-2, 2)); integer inputs are >= 0. Without
 * `discontinuous` a small change of the inputs makes a small change of the results. */
#ifndef TESTS_NUMERIC_RANDOM_GRAPH_H
#define TESTS_NUMERIC_RANDOM_GRAPH_H

#include "numeric/random_wide.h"

/* ---- one step each: a new floating node, or NULL where the choice does not fit ---- */

static inline Node *rg_unary(RandomBuilder *b, Node *x) {
    if (!dtype_is_float(x->type.dtype)) return rg_row(b, x);
    static const Op smooth[] = {OP_NEG, OP_TANH, OP_SIGMOID, OP_SIN,  OP_COS,  OP_ERF,
                                OP_ABS, OP_ATAN, OP_ASINH,   OP_ERFC, OP_SINH, OP_EXPM1};
    static const Op positive[] = {OP_SQRT, OP_RSQRT, OP_LOG, OP_LOG1P};
    static const Op steps[] = {OP_FLOOR, OP_CEIL, OP_ROUND, OP_TRUNC, OP_SIGN};
    Graph *g = b->g;
    if (b->options.discontinuous && rg_below(b, 6) == 0)
        return op_unary(g, steps[rg_below(b, 5)], x);
    if (rg_below(b, 4) == 0) {
        Node *one = rg_number(b, 1.0, x->type.shape);
        return op_unary(g, positive[rg_below(b, 4)],
                        op_binary(g, OP_ADD, op_unary(g, OP_ABS, x), one));
    }
    if (rg_below(b, 8) == 0)
        return op_unary(g, OP_EXP, op_unary(g, OP_NEG, op_unary(g, OP_ABS, x)));
    Op op = smooth[rg_below(b, 12)];
    if (op == OP_SINH || op == OP_EXPM1) x = op_unary(g, OP_TANH, x);
    return op_unary(g, op, x);
}

static inline Node *rg_binary(RandomBuilder *b, Node *x) {
    if (!dtype_is_float(x->type.dtype)) return rg_row(b, x);
    static const Op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_MAXIMUM, OP_MINIMUM, OP_ATAN2};
    Graph *g = b->g;
    Node *y = rg_pick_like(b, &x->type.shape);
    if (rg_below(b, 6) == 0) {
        Node *one = rg_number(b, 1.5, x->type.shape);
        return op_binary(g, OP_DIV, x, op_binary(g, OP_ADD, op_unary(g, OP_ABS, y), one));
    }
    if (b->options.discontinuous && rg_below(b, 5) == 0)
        return op_select(g, op_binary(g, OP_LT, x, y), x, rg_pick_like(b, &x->type.shape));
    Op op = ops[rg_below(b, 6)];
    if (op == OP_ATAN2) /* kept away from the cut */
        y = op_binary(g, OP_ADD, op_unary(g, OP_ABS, y), rg_number(b, 0.5, x->type.shape));
    return op_binary(g, op, x, y);
}

static inline Node *rg_expand(RandomBuilder *b, Node *x) {
    Shape s = {0};
    int axes[SHAPE_MAX_RANK], from = 0, rank = x->type.shape.rank;
    int fresh = rank < 5 ? rg_below(b, 6 - rank) : 0;
    int total = rank + fresh;
    while (s.rank < total) {
        bool add = fresh && (from == rank || rg_coin(b));
        if (add) {
            fresh--;
            s.dims[s.rank++] = rg_extent(b);
            continue;
        }
        const Dim *d = x->type.shape.dims[from];
        axes[from++] = s.rank;
        s.dims[s.rank++] = dim_is(d, 1) && rg_coin(b) ? rg_extent(b) : d;
    }
    return rg_fits(b, &s) ? op_expand(b->g, x, s, axes) : NULL;
}

static inline Node *rg_slice(RandomBuilder *b, Node *x) {
    Shape s = x->type.shape;
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    for (int i = 0; i < s.rank; i++) {
        int64_t extent;
        begin[i] = rg_dim(b, 0);
        step[i] = 1;
        if (!dim_is_const(s.dims[i], &extent)) {
            if (rg_coin(b)) continue;
            step[i] = -1;
            begin[i] = dim_sub(b->g->dims, s.dims[i], rg_dim(b, 1));
        } else if (extent > 0) {
            int64_t first = rg_below(b, (int)extent);
            step[i] = rg_below(b, 3) + 1;
            int64_t count = rg_below(b, (int)((extent - 1 - first) / step[i]) + 1) + 1;
            bool back = rg_below(b, 3) == 0;
            begin[i] = rg_dim(b, back ? first + (count - 1) * step[i] : first);
            if (back) step[i] = -step[i];
            s.dims[i] = rg_dim(b, count);
        }
    }
    return op_slice(b->g, x, begin, step, s);
}

static inline Node *rg_pad(RandomBuilder *b, Node *x) {
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    Shape s = x->type.shape;
    for (int i = 0; i < s.rank; i++) {
        int64_t extent, l = rg_below(b, 3), h = rg_below(b, 3);
        bool crop = dim_is_const(s.dims[i], &extent) && extent >= 3 && rg_below(b, 3) == 0;
        low[i] = rg_dim(b, crop ? -(l % 2) : l);
        high[i] = rg_dim(b, crop && rg_coin(b) ? -1 : h);
        s.dims[i] = dim_add(b->g->dims, s.dims[i], dim_add(b->g->dims, low[i], high[i]));
    }
    if (!rg_fits(b, &s)) return NULL;
    Shape scalar = {0};
    Node *fill = rg_coin(b) ? rg_number(b, 0.0, scalar) : rg_pick_like(b, &scalar);
    return op_pad(b->g, x, fill, low, high);
}

static inline Node *rg_reshape(RandomBuilder *b, Node *x) {
    Shape s = x->type.shape;
    if (s.rank >= 2 && rg_coin(b)) { /* merge two neighbours */
        int axis = rg_below(b, s.rank - 1);
        s.dims[axis] = dim_mul(b->g->dims, s.dims[axis], s.dims[axis + 1]);
        for (int i = axis + 1; i + 1 < s.rank; i++) s.dims[i] = s.dims[i + 1];
        s.rank--;
    } else if (s.rank < 5) { /* split one, or add an axis of one */
        int axis = rg_below(b, s.rank + 1);
        int64_t extent, factor = 1;
        if (axis < s.rank && dim_is_const(s.dims[axis], &extent))
            factor = extent && extent % 2 == 0 ? 2 : extent && extent % 3 == 0 ? 3 : 1;
        for (int i = s.rank; i > axis; i--) s.dims[i] = s.dims[i - 1];
        s.rank++;
        s.dims[axis] = rg_dim(b, factor);
        if (factor > 1) s.dims[axis + 1] = rg_dim(b, extent / factor);
    }
    return op_reshape(b->g, x, s);
}

static inline Node *rg_permute(RandomBuilder *b, Node *x) {
    int axes[SHAPE_MAX_RANK], rank = x->type.shape.rank;
    for (int i = 0; i < rank; i++) axes[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        int k = rg_below(b, i + 1), swap = axes[i];
        axes[i] = axes[k];
        axes[k] = swap;
    }
    return op_permute(b->g, x, axes);
}

static inline Node *rg_concat(RandomBuilder *b, Node *x) {
    int axis = rg_axis(b, x), count = 2 + rg_below(b, 2);
    Node *parts[3] = {x};
    Shape total = x->type.shape;
    for (int i = 1; i < count; i++) {
        Shape s = x->type.shape;
        if (rg_coin(b)) s.dims[axis] = rg_extent(b);
        if (!rg_fits(b, &s)) return NULL;
        parts[i] = rg_pick_like(b, &s);
        total.dims[axis] = dim_add(b->g->dims, total.dims[axis], s.dims[axis]);
    }
    return rg_fits(b, &total) ? op_concat(b->g, parts, count, axis) : NULL;
}

static inline Node *rg_window(RandomBuilder *b, Node *x) {
    int axis = rg_axis(b, x);
    int64_t extent, size = 1 + rg_below(b, 3), stride = 1 + rg_below(b, 3);
    int64_t dilation = 1 + rg_below(b, 2);
    if (!dim_is_const(x->type.shape.dims[axis], &extent)) return NULL;
    if (extent < dilation * (size - 1) + 1 || x->type.shape.rank > 4) return NULL;
    Node *windows = op_unfold(b->g, x, axis, size, stride, dilation);
    if (!rg_fits(b, &windows->type.shape)) return NULL;
    if (rg_coin(b) || x->type.dtype == DTYPE_BOOL) return windows;
    Node *other = rg_pick_like(b, &windows->type.shape);
    return op_fold(b->g, op_binary(b->g, OP_MUL, windows, other), axis, x->type.shape.dims[axis],
                   stride, dilation);
}

static inline Node *rg_reduce(RandomBuilder *b, Node *x) {
    static const ReduceKind kinds[] = {REDUCE_SUM, REDUCE_SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD};
    Graph *g = b->g;
    ReduceKind kind = kinds[rg_below(b, 5)];
    uint32_t axes = (uint32_t)rg_below(b, 1 << x->type.shape.rank);
    if (!axes) axes = 1;
    bool some = true;
    for (int i = 0; i < x->type.shape.rank; i++)
        if (axes >> i & 1) some &= rg_positive(x->type.shape.dims[i]);
    if (x->type.dtype == DTYPE_BOOL && kind <= REDUCE_PROD)
        kind = rg_coin(b) ? REDUCE_ANY : REDUCE_ALL;
    if (!some && (kind == REDUCE_MAX || kind == REDUCE_MIN)) return NULL;
    if (b->options.discontinuous && some && rg_below(b, 5) == 0) {
        Node *at = op_reduce(g, rg_coin(b) ? REDUCE_ARGMAX : REDUCE_ARGMIN, x, axes & -axes);
        return op_cast(g, at, b->options.dtype);
    }
    if (!dtype_is_float(x->type.dtype)) return op_reduce(g, kind, x, axes);
    if (kind == REDUCE_PROD) x = op_unary(g, OP_COS, x);
    Node *y = op_reduce(g, kind, x, axes);
    return kind == REDUCE_SUM ? op_unary(g, OP_ASINH, y) : y;
}

/* Labels by chance: shared and kept, shared and summed, of one operand and kept or summed. */
static inline Node *rg_contract(RandomBuilder *b, Node *x) {
    if (!dtype_is_float(x->type.dtype)) return NULL;
    int8_t la[SHAPE_MAX_RANK], lb[SHAPE_MAX_RANK], out[SHAPE_MAX_RANK];
    int rank = x->type.shape.rank, out_rank = 0, other = 0, fresh = rg_below(b, 3);
    Shape s = {0}, result = {0};
    for (int i = 0; i < rank; i++) {
        la[i] = (int8_t)i;
        bool shared = rg_coin(b);
        if (shared) {
            lb[other++] = (int8_t)i;
            s.dims[s.rank++] = x->type.shape.dims[i];
        }
        if (rg_below(b, 3) == 0) continue;
        if (shared && rg_coin(b)) continue;
        out[out_rank++] = (int8_t)i;
        result.dims[result.rank++] = x->type.shape.dims[i];
    }
    for (int i = 0; i < fresh && s.rank < 5; i++) {
        lb[other++] = (int8_t)(rank + i);
        s.dims[s.rank++] = rg_extent(b);
        if (rg_below(b, 4) == 0 || result.rank == 5) continue;
        out[out_rank++] = (int8_t)(rank + i);
        result.dims[result.rank++] = s.dims[s.rank - 1];
    }
    if (!rg_fits(b, &s) || !rg_fits(b, &result)) return NULL;
    for (int i = s.rank - 1; i > 0; i--) { /* the second operand's axes in any order */
        int k = rg_below(b, i + 1);
        const Dim *d = s.dims[i];
        int8_t label = lb[i];
        s.dims[i] = s.dims[k];
        s.dims[k] = d;
        lb[i] = lb[k];
        lb[k] = label;
    }
    Node *y = rg_pick_like(b, &s);
    Node *z = rg_coin(b) ? op_contract(b->g, x, y, la, lb, out, out_rank)
                         : op_contract(b->g, y, x, lb, la, out, out_rank);
    return op_unary(b->g, OP_ASINH, z);
}

static inline Node *rg_prefix(RandomBuilder *b, Node *x) {
    static const ReduceKind kinds[] = {REDUCE_SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN};
    ReduceKind kind = kinds[rg_below(b, 4)];
    bool is_float = dtype_is_float(x->type.dtype);
    if (x->type.dtype == DTYPE_BOOL) return NULL;
    if (kind == REDUCE_PROD && is_float) x = op_unary(b->g, OP_COS, x);
    Node *y = op_prefix(b->g, kind, x, rg_axis(b, x), rg_coin(b));
    return kind == REDUCE_SUM && is_float ? op_unary(b->g, OP_TANH, y) : y;
}

static inline Node *rg_indexed(RandomBuilder *b, Node *x) {
    Graph *g = b->g;
    int batch = rg_axis(b, x);
    Shape at = {.rank = batch};
    if (!rg_positive(x->type.shape.dims[batch])) return NULL;
    for (int i = 0; i < batch; i++) at.dims[i] = x->type.shape.dims[i];
    for (int i = rg_below(b, 3); i > 0 && at.rank + x->type.shape.rank - batch < 6; i--)
        at.dims[at.rank++] = rg_extent(b);
    Shape update = at;
    for (int i = batch + 1; i < x->type.shape.rank; i++)
        update.dims[update.rank++] = x->type.shape.dims[i];
    if (!rg_fits(b, &update)) return NULL;
    Node *index = rg_index(b, at, x->type.shape.dims[batch]);
    switch (rg_below(b, 3)) {
    case 0: return op_gather(g, x, index, batch);
    case 1:
        if (x->type.dtype == DTYPE_BOOL) return NULL;
        return op_scatter_add(g, x, index, rg_pick_like(b, &update), batch);
    default: return op_scatter_set(g, x, index, rg_pick_like(b, &update), batch);
    }
}

static inline Node *rg_dynamic(RandomBuilder *b, Node *x) {
    int axis = rg_axis(b, x);
    int64_t extent;
    if (!dim_is_const(x->type.shape.dims[axis], &extent)) return NULL;
    const Dim *part = rg_dim(b, rg_below(b, (int)extent + 1));
    Node *start = rg_input(b, DTYPE_I64, (Shape){0});
    if (rg_coin(b)) return op_dynamic_slice(b->g, x, start, axis, part);
    Shape s = x->type.shape;
    s.dims[axis] = part;
    return op_dynamic_update(b->g, x, rg_pick_like(b, &s), start, axis);
}

static inline Node *rg_sorted(RandomBuilder *b, Node *x) {
    int last = x->type.shape.rank - 1;
    if (!b->options.discontinuous) return NULL;
    if (!rg_positive(x->type.shape.dims[last])) return NULL;
    return op_gather(b->g, x, op_argsort(b->g, x, last, rg_coin(b)), last);
}

/* h' = tanh(h * a + x_t + b), y_t = sin(h' * b): a sequence, a carry, and invariants from
 * the pool. */
static inline Node *rg_scan(RandomBuilder *b, Node *x) {
    Graph *g = b->g;
    if (!dtype_is_float(x->type.dtype)) return NULL;
    TensorType type = {b->options.dtype, {.rank = x->type.shape.rank - 1}};
    for (int i = 0; i < type.shape.rank; i++) type.shape.dims[i] = x->type.shape.dims[i + 1];
    Node *inputs[4] = {rg_pick_like(b, &type.shape), x, rg_pick_like(b, &type.shape),
                       rg_pick_like(b, &type.shape)};
    Graph *body = graph_new(g->arena, g->dims);
    Node *h = op_input(body, name_of("h"), type), *e = op_input(body, name_of("e"), type);
    Node *p = op_input(body, name_of("p"), type), *q = op_input(body, name_of("q"), type);
    Node *sum = op_binary(body, OP_ADD, op_binary(body, OP_MUL, h, p), e);
    Node *next = op_unary(body, OP_TANH, op_binary(body, OP_ADD, sum, q));
    Node *yield = op_unary(body, OP_SIN, op_binary(body, OP_MUL, next, q));
    vector_push(g->arena, &body->results, next);
    vector_push(g->arena, &body->results, yield);
    ScanAttr attr = {.body = body,
                     .length = x->type.shape.dims[0],
                     .carries = 1,
                     .sequences = 1,
                     .invariants = 2,
                     .reverse = rg_coin(b)};
    Node *out[2];
    op_scan(g, attr, inputs, 4, out);
    if (rg_coin(b)) vector_push(g->arena, &b->pool, out[0]);
    return out[1];
}

static inline Node *rg_step(RandomBuilder *b);

/* A scan whose body is a random graph of its own: what it reads from outside are invariants. */
static inline Node *rg_wide_scan(RandomBuilder *b, Node *x) {
    Graph *g = b->g;
    RandomBuilder inner = *b;
    if (b->depth == 2 || x->type.shape.rank == 0) return NULL;
    bool sequence = rg_below(b, 4) != 0;
    TensorType element = x->type;
    for (int i = 1; i < x->type.shape.rank; i++) element.shape.dims[i - 1] = x->type.shape.dims[i];
    element.shape.rank--;
    inner.g = graph_new(g->arena, g->dims);
    inner.depth = b->depth + 1;
    inner.pool.data = NULL;
    inner.pool.count = inner.pool.capacity = 0;
    inner.options.elements = 400;
    Node *carry = op_input(inner.g, name_of("h"), element);
    vector_push(g->arena, &inner.pool, carry);
    if (sequence) vector_push(g->arena, &inner.pool, op_input(inner.g, name_of("e"), element));
    for (int made = 0, tries = 0, count = 1 + rg_below(&inner, 4); made < count && tries < 30;
         tries++) {
        Node *node = rg_step(&inner);
        if (!node || !rg_fits(&inner, &node->type.shape)) continue;
        vector_push(g->arena, &inner.pool, node);
        made++;
    }
    inner.options.dtype = element.dtype;
    Node *other = rg_pick_like(&inner, &element.shape), *next = other;
    if (dtype_is_float(element.dtype)) {
        next = op_binary(inner.g, OP_ADD, rg_times_number(&inner, carry, 0.5), other);
        next = op_unary(inner.g, OP_TANH, next);
    } else if (rg_coin(&inner)) {
        next = op_binary(inner.g, OP_MAXIMUM, carry, other);
    }
    vector_push(g->arena, &inner.g->results, next);
    int yields = rg_below(&inner, 3);
    for (int i = 0; i < yields; i++)
        vector_push(g->arena, &inner.g->results,
                    inner.pool.data[inner.pool.count - 1 - i % inner.pool.count]);
    b->state = inner.state;
    b->site = inner.site;
    int count = inner.g->inputs.count;
    Node **inputs = NEW_ARRAY(g->arena, (size_t)count + 1, Node *), *out[4];
    DType kept = b->options.dtype;
    for (int i = 0; i < count; i++) {
        const TensorType *type = &inner.g->inputs.data[i]->type;
        b->options.dtype = type->dtype;
        inputs[i] = sequence && i == 1 ? x
                    : dtype_is_float(type->dtype) && rg_coin(b)
                        ? rg_pick_like(b, &type->shape)
                        : rg_input(b, type->dtype, type->shape);
    }
    b->options.dtype = kept;
    ScanAttr attr = {.body = inner.g,
                     .length = sequence ? x->type.shape.dims[0] : rg_dim(b, rg_below(b, 5)),
                     .carries = 1,
                     .sequences = sequence,
                     .invariants = count - 1 - sequence,
                     .reverse = rg_coin(b)};
    op_scan(g, attr, inputs, count, out);
    for (int i = 1; i <= yields; i++)
        if (rg_fits(b, &out[i]->type.shape)) vector_push(g->arena, &b->pool, out[i]);
    return out[0];
}

static inline Node *rg_wide_step(RandomBuilder *b) {
    b->options.dtype = b->dtypes[rg_below(b, b->dtype_count)];
    Node *x = rg_pick(b);
    switch (rg_below(b, 16)) {
    case 0: return rg_source(b);
    case 1: return rg_cast(b, x);
    case 2:
    case 3:
    case 4: return rg_product(b);
    case 5: return rg_convolution(b);
    case 6: return rg_call(b, x);
    case 7: return rg_below(b, 3) ? rg_wide_scan(b, x) : op_identity(b->g, x);
    case 8: {
        CellRole role = rg_coin(b) ? CELL_BUFFER : CELL_PARAMETER;
        return rg_cell(b, role, (TensorType){b->options.dtype, rg_shape(b)});
    }
    case 9: return rg_logic(b, x);
    default: return rg_row(b, x);
    }
}

static inline Node *rg_step(RandomBuilder *b) {
    if (b->options.mixed && rg_coin(b)) return rg_wide_step(b);
    Node *x = rg_pick(b);
    if (b->options.mixed && !dtype_is_float(x->type.dtype) && rg_below(b, 3) == 0)
        return rg_row(b, x);
    if (x->type.shape.rank == 0) {
        switch (rg_below(b, 4)) {
        case 0: return rg_unary(b, x);
        case 1: return rg_binary(b, x);
        case 2: return rg_reshape(b, x);
        default: return rg_expand(b, x);
        }
    }
    switch (rg_below(b, 18)) {
    case 0:
    case 1: return rg_unary(b, x);
    case 2:
    case 3:
    case 4: return rg_binary(b, x);
    case 5: return rg_expand(b, x);
    case 6: return rg_slice(b, x);
    case 7: return rg_pad(b, x);
    case 8: return rg_reshape(b, x);
    case 9: return rg_permute(b, x);
    case 10: return rg_concat(b, x);
    case 11: return rg_window(b, x);
    case 12: return rg_reduce(b, x);
    case 13: return rg_contract(b, x);
    case 14: return rg_prefix(b, x);
    case 15: return rg_indexed(b, x);
    case 16: return rg_coin(b) ? rg_dynamic(b, x) : rg_sorted(b, x);
    default: return rg_scan(b, x);
    }
}

/* Appends the gradients of sum over the floating results from `first` on of <dy, result>, by every
 * floating input and cell, with dy that are further inputs. */
static inline void rg_add_gradients(RandomBuilder *b, int first) {
    Graph *g = b->g;
    int ys = 0, xs = 0, results = g->results.count, inputs = g->inputs.count;
    Node **values = NEW_ARRAY(g->arena, (size_t)results + 1, Node *);
    Node **dys = NEW_ARRAY(g->arena, (size_t)results + 1, Node *);
    Node **wrt = NEW_ARRAY(g->arena, (size_t)(inputs + b->cells.count) + 1, Node *);
    for (int i = 0; i < inputs; i++)
        if (dtype_is_float(g->inputs.data[i]->type.dtype)) wrt[xs++] = g->inputs.data[i];
    for (int i = 0; i < b->cell_nodes.count; i++)
        if (dtype_is_float(b->cell_nodes.data[i]->type.dtype)) wrt[xs++] = b->cell_nodes.data[i];
    for (int i = first; i < results; i++) {
        Node *y = g->results.data[i];
        if (!dtype_is_float(y->type.dtype)) continue;
        values[ys] = y;
        dys[ys++] = rg_input(b, y->type.dtype, y->type.shape);
    }
    Node **grads = NEW_ARRAY(g->arena, (size_t)xs + 1, Node *);
    AutodiffError error = {0};
    if (!autodiff_gradients(g, values, dys, ys, wrt, xs, grads, &error)) return;
    for (int i = 0; i < xs; i++)
        if (grads[i]) vector_push(g->arena, &g->results, grads[i]);
}

/* Two to five dtypes, one of them floating, wide ones more often. */
static inline void rg_choose_dtypes(RandomBuilder *b) {
    static const DType floats[] = {DTYPE_F32, DTYPE_F32, DTYPE_F32, DTYPE_F64,
                                   DTYPE_F64, DTYPE_F16, DTYPE_BF16};
    b->options.dtype = b->dtypes[0] = floats[rg_below(b, 7)];
    b->dtype_count = 2 + rg_below(b, 4);
    for (int i = 1; i < b->dtype_count; i++)
        b->dtypes[i] = rg_below(b, 3) ? b->dtypes[0] : (DType)rg_below(b, DTYPE_COUNT);
}

static inline void rg_make(RandomBuilder *b) {
    Arena *arena = b->g->arena;
    RandomGraphOptions *options = &b->options;
    if (options->mixed) rg_choose_dtypes(b);
    for (int i = 0; i < 3; i++) {
        if (options->mixed && i) options->dtype = b->dtypes[i % b->dtype_count];
        vector_push(arena, &b->pool, rg_input(b, options->dtype, rg_shape(b)));
    }
    for (int made = 0, tries = 0; made < options->operators && tries < 20 * options->operators;
         tries++) {
        Node *node = rg_step(b);
        if (!node || !rg_fits(b, &node->type.shape)) continue;
        vector_push(arena, &b->pool, node);
        made++;
    }
    int count = b->pool.count < 4 ? b->pool.count : 4; /* the last ones, and one from the middle */
    for (int i = 1; i < count; i++)
        vector_push(arena, &b->g->results, b->pool.data[b->pool.count - i]);
    vector_push(arena, &b->g->results, b->pool.data[b->pool.count / 2]);
    int first = b->g->results.count;
    if (options->gradient) rg_add_gradients(b, 0);
    if (options->second && b->g->nodes.count < 200) rg_add_gradients(b, first);
}

static inline RandomBuilder rg_builder(Arena *arena, DimTable *dims, RandomGraphOptions options) {
    RandomBuilder b = {.options = options, .state = {options.seed * 0x2545F4914F6CDD1Du + 1}};
    b.site = 1;
    if (options.symbolic) {
        b.symbol = dim_symbol(dims, name_of("N"));
        dim_assume_bounds(dims, b.symbol, 1, 1 << 20);
        if (options.mixed && rg_coin(&b)) {
            b.second_symbol = dim_symbol(dims, name_of("M"));
            dim_assume_bounds(dims, b.second_symbol, 0, 1 << 20);
        }
    }
    b.g = graph_new(arena, dims);
    return b;
}

static inline Graph *random_graph(Arena *arena, DimTable *dims, RandomGraphOptions options) {
    RandomBuilder b = rg_builder(arena, dims, options);
    rg_make(&b);
    return b.g;
}

#endif
