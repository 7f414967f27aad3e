/* Values: the expression of "node n at index i" inside a kernel.
 *
 * Elementwise nodes, views, random numbers and gathers are followed to what is stored; small
 * windows become inner loops.  Input: a node and its logical indices.  Output: an Expr; statements
 * go into the builder's scopes.  Invariant: a load under padding carries the guard under which it
 * is in bounds, so every value is total and may be computed anywhere. */
#include "kernel/internal.h"

#include <stdlib.h>

Gen *gen_new(Lowering *l, Builder *b, Group *group) {
    Gen *g = NEW(b->arena, Gen);
    g->b = b;
    g->l = l;
    g->group = group;
    return g;
}

Gen *gen_new_dry(Lowering *l, Group *group, Arena *trial, const Index **full, const Index **row,
                 int *rows) {
    Builder *b = builder_new(l->program, trial);
    Gen *g = gen_new(l, b, group);
    g->dry = true;
    *rows = 0;
    for (int i = 0; i < group->space.rank; i++) {
        full[i] = builder_axis_index(b, builder_axis(b, "i", group->space.dims[i]));
        if (!(group->reduced >> i & 1)) row[(*rows)++] = full[i];
    }
    return g;
}

static bool same_indices(const Index *const *a, const Index *const *b, int count) {
    for (int i = 0; i < count; i++)
        if (a[i] != b[i]) return false;
    return true;
}

static Memo *memo_find(Gen *g, const Node *n, const Index *const *indices) {
    for (Memo *m = g->memo[n->id % 64]; m; m = m->next)
        if (m->node == n && (m->guard == g->guard || !m->guard) &&
            same_indices(m->indices, indices, n->type.shape.rank))
            return m;
    return NULL;
}

static void memo_add(Gen *g, const Node *n, const Guard *guard, const Index *const *indices,
                     const Expr *value) {
    int rank = n->type.shape.rank;
    const Index **copy = NEW_ARRAY(g->b->arena, (size_t)rank, const Index *);
    for (int i = 0; i < rank; i++) copy[i] = indices[i];
    Memo *m = NEW(g->b->arena, Memo);
    *m = (Memo){n, guard, copy, value, g->memo[n->id % 64]};
    g->memo[n->id % 64] = m;
}

void gen_set(Gen *g, const Node *n, const Index *const *indices, const Expr *value) {
    memo_add(g, n, NULL, indices, value);
}

void index_unflatten(IndexTable *t, const Index *flat, const Shape *shape, const Index **out) {
    DimTable *dims = index_dims(t);
    const Dim *stride = dim_const(dims, 1);
    for (int i = shape->rank - 1; i >= 0; i--) {
        const Index *q = index_floordiv(t, flat, stride);
        out[i] = i ? index_mod(t, q, shape->dims[i]) : q;
        stride = dim_need(dim_mul(dims, stride, shape->dims[i]));
    }
}

const Index *index_flatten(IndexTable *t, const Index *const *indices, const Shape *shape) {
    return index_offset(t, NULL, shape, indices);
}

/* Splits both shapes into the shortest runs of equal products, so that each run is mapped alone. */
static void reshape_indices(Gen *g, const Shape *from, const Index *const *indices, const Shape *to,
                            const Index **out) {
    IndexTable *t = g->b->table;
    DimTable *dims = g->b->dims;
    const Index *zero = index_const(t, 0);
    int i = 0, j = 0;
    while (i < from->rank || j < to->rank) {
        int i0 = i, j0 = j;
        const Dim *p = i < from->rank ? from->dims[i++] : dim_const(dims, 1);
        const Dim *q = j < to->rank ? to->dims[j++] : dim_const(dims, 1);
        while (p != q && (i < from->rank || j < to->rank)) {
            /* Grow the side that divides the other; when neither shows, the one with fewer left. */
            bool grow_from = i < from->rank &&
                             (j >= to->rank || dim_divide_exact(dims, q, p) ||
                              (!dim_divide_exact(dims, p, q) && from->rank - i >= to->rank - j));
            if (grow_from)
                p = dim_need(dim_mul(dims, p, from->dims[i++]));
            else
                q = dim_need(dim_mul(dims, q, to->dims[j++]));
        }
        Shape run = {0}, target = {0};
        for (int a = i0; a < i; a++) run.dims[run.rank++] = from->dims[a];
        for (int a = j0; a < j; a++) target.dims[target.rank++] = to->dims[a];
        if (run.rank == 0) {
            for (int a = j0; a < j; a++) out[a] = zero;
            continue;
        }
        if (target.rank == 0) continue;
        index_unflatten(t, index_flatten(t, indices + i0, &run), &target, out + j0);
    }
}

static const Index *stretch(Gen *g, const Dim *extent, const Index *index) {
    return dim_is(extent, 1) ? index_const(g->b->table, 0) : index;
}

static const Expr *zero_of(Gen *g, DType dtype) {
    return expr_const_int(g->b, dtype, 0);
}

static const Expr *load_buffer(Gen *g, Buffer *buffer, const Index *const *indices) {
    int slot = builder_slot(g->b, buffer, ACCESS_READ);
    const Expr *load = expr_load(g->b, slot, indices, buffer->shape.rank);
    return g->guard ? expr_guard(g->b, g->guard, load, zero_of(g, buffer->dtype)) : load;
}

const Index *gen_index(Gen *g, const Node *n, const Index *const *indices, const Dim *extent) {
    bool pure = g->pure;
    g->pure = true;
    const Expr *e = expr_cast(g->b, gen_value(g, n, indices), DTYPE_I64);
    g->pure = pure;
    return index_value(g->b->table, e, extent);
}

static const Index *clamped_start(Gen *g, const Node *start, const Dim *length, const Dim *extent) {
    IndexTable *t = g->b->table;
    const Index *s = gen_index(g, start, NULL, NULL);
    const Index *last = index_dim(t, dim_sub(g->b->dims, length, extent));
    return index_max(t, index_const(t, 0), index_min(t, s, last));
}

/* The value under a further guard, `fill` elsewhere. */
static const Expr *guarded(Gen *g, const Guard *guard, const Node *n, const Index *const *indices,
                           const Expr *fill) {
    const Guard *outer = g->guard;
    g->guard = guard;
    const Expr *value = gen_value(g, n, indices);
    g->guard = outer;
    return guard == outer ? value : expr_guard(g->b, guard, value, fill);
}

static const Expr *gen_pad(Gen *g, const Node *n, const Index *const *indices) {
    const Node *x = n->inputs[0];
    const Guard *guard = g->guard;
    const Index *at[SHAPE_MAX_RANK];
    const Dim *zero = dim_const(g->b->dims, 0);
    for (int i = 0; i < x->type.shape.rank; i++) {
        at[i] = index_sub(g->b->table, indices[i], index_dim(g->b->table, n->attr.pad->low[i]));
        guard = guard_range(g->b, guard, at[i], zero, x->type.shape.dims[i]);
    }
    const Expr *fill = gen_value(g, n->inputs[1], NULL);
    return guarded(g, guard, x, at, fill);
}

static const Expr *gen_concat(Gen *g, const Node *n, const Index *const *indices) {
    int axis = n->attr.axis;
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < n->type.shape.rank; i++) at[i] = indices[i];
    const Dim *zero = dim_const(g->b->dims, 0);
    const Expr *value = NULL;
    const Dim **offsets = NEW_ARRAY(g->b->arena, (size_t)n->input_count + 1, const Dim *);
    offsets[0] = zero;
    for (int i = 0; i < n->input_count; i++)
        offsets[i + 1] =
            dim_need(dim_add(g->b->dims, offsets[i], n->inputs[i]->type.shape.dims[axis]));
    for (int i = n->input_count - 1; i >= 0; i--) {
        const Dim *extent = n->inputs[i]->type.shape.dims[axis];
        if (dim_is(extent, 0) && n->input_count > 1 && (value || i > 0)) continue;
        at[axis] = index_sub(g->b->table, indices[axis], index_dim(g->b->table, offsets[i]));
        const Guard *guard = guard_range(g->b, g->guard, at[axis], zero, extent);
        value = guarded(g, guard, n->inputs[i], at, value ? value : zero_of(g, n->type.dtype));
    }
    return value;
}

/* The scope that knows all of the indices and what the guard asks: a value that inner loops share
 * is computed once there. */
static int scope_of(const Gen *g, const Index *const *indices, int count) {
    Builder *b = g->b;
    int depth = b->scopes[b->depth].floor, d;
    for (int i = 0; i < count; i++)
        if ((d = builder_index_depth(b, indices[i])) > depth) depth = d;
    for (int i = 0; g->guard && i < g->guard->count; i++)
        if ((d = builder_index_depth(b, g->guard->tests[i].value)) > depth) depth = d;
    return depth;
}

/* Of a reduction of `kind`, the member that reduces the same by `wanted`: a loop for the position
 * of the best element gives its value too. */
static const Node *twin_of(const Gen *g, const Node *n, ReduceKind kind, ReduceKind wanted) {
    if (n->op != OP_REDUCE || n->attr.reduce.kind != kind || !g->group) return NULL;
    for (int i = 0; i < g->group->members.count; i++) {
        const Node *m = g->group->members.data[i];
        if (m->op == OP_REDUCE && m->inputs[0] == n->inputs[0] && m->attr.reduce.kind == wanted &&
            m->attr.reduce.axes == n->attr.reduce.axes)
            return m;
    }
    return NULL;
}

/* select(x <= 0, 0, x) */
static bool is_relu(const Expr *e) {
    if (e->kind != EXPR_OP || e->op != OP_SELECT || e->args[0]->kind != EXPR_OP) return false;
    const Expr *test = e->args[0], *zero = e->args[1];
    return test->op == OP_LE && test->args[0] == e->args[2] && test->args[1] == zero &&
           zero->kind == EXPR_CONST && dtype_is_float(e->dtype) && zero->number == 0;
}

/* An inner loop over the window: the value needs members of the group only at their own index, so a
 * dependence on a register of an inner scope cannot arise at an outer one. */
static const Expr *gen_window(Gen *g, const Node *n, const Index *const *indices) {
    Builder *b = g->b;
    const Node *x = n->inputs[0];
    const Shape *s = &x->type.shape;
    const Node *position_of = twin_of(g, n, REDUCE_MAX, REDUCE_ARGMAX);
    if (!position_of) position_of = twin_of(g, n, REDUCE_MIN, REDUCE_ARGMIN);
    if (position_of && !g->guard && !g->pure && !g->dry) {
        gen_value(g, position_of, indices);
        const Memo *known = memo_find(g, n, indices);
        if (known) return known->value;
    }
    OpenScopes open;
    builder_go_out(b, scope_of(g, indices, n->type.shape.rank), &open);
    bool fold = n->op == OP_FOLD;
    uint32_t axes = fold ? 1u << (s->rank - 1) : n->attr.reduce.axes;
    ReduceKind kind = fold ? REDUCE_SUM : n->attr.reduce.kind;
    bool arg = reduce_is_arg(kind);
    DType dtype = dtype_accumulator(arg ? x->type.dtype : n->type.dtype);
    const Index *at[SHAPE_MAX_RANK];
    int regs[SHAPE_MAX_RANK], loops = 0, out = 0;
    int positions[SHAPE_MAX_RANK];
    for (int i = 0; i < s->rank; i++) {
        if (!(axes >> i & 1)) {
            at[i] = indices[out++];
            continue;
        }
        int64_t extent = 0;
        int axis = builder_axis(b, "w", s->dims[i]);
        regs[loops] = builder_register(b, dtype, "window");
        positions[loops] = arg ? builder_register(b, n->type.dtype, "position") : -1;
        Stmt *loop = builder_open(b, axis, NULL, NULL, BIND_SEQ);
        if (dim_is_const(s->dims[i], &extent) && extent <= 8) loop->binding = BIND_UNROLL;
        builder_accumulator(b, loop, kind, regs[loops], positions[loops]);
        at[i] = builder_axis_index(b, axis);
        loops++;
    }
    const Expr *value, *position = NULL;
    if (fold) {
        const WindowAttr *w = &n->attr.window;
        IndexTable *t = b->table;
        const Index *tap = at[s->rank - 1];
        const Index *from =
            index_sub(t, indices[w->axis], index_scale(t, tap, dim_const(b->dims, w->dilation)));
        const Guard *guard = g->guard;
        const Index *window = from;
        if (w->stride > 1) {
            guard = guard_and(b, guard, (Test){TEST_DIVIDES, from, NULL, NULL, w->stride});
            window = index_floordiv(t, from, dim_const(b->dims, w->stride));
        }
        guard = guard_range(b, guard, window, dim_const(b->dims, 0), s->dims[w->axis]);
        at[w->axis] = window;
        value = guarded(g, guard, x, at, zero_of(g, x->type.dtype));
    } else {
        value = gen_value(g, x, at);
        if (arg) {
            int a = 0;
            while (!(axes >> a & 1)) a++;
            position = expr_index(b, at[a], n->type.dtype);
        }
    }
    value = expr_cast(b, value, dtype);
    /* x <= 0 ? 0 : x rises and keeps NaN, so that of the best is the best of all. */
    const Expr *rectified =
        (kind == REDUCE_MAX || kind == REDUCE_MIN) && is_relu(value) ? value : NULL;
    if (rectified) value = rectified->args[2];
    for (int i = loops - 1; i >= 0; i--) {
        builder_accumulate(b, kind, regs[i], value, position);
        builder_close(b);
        value = expr_register(b, regs[i]);
    }
    builder_return(b, &open);
    if (arg) {
        const Node *best = twin_of(g, n, REDUCE_ARGMAX, REDUCE_MAX);
        if (!best) best = twin_of(g, n, REDUCE_ARGMIN, REDUCE_MIN);
        if (best && !g->guard) gen_set(g, best, indices, expr_cast(b, value, best->type.dtype));
        value = expr_register(b, positions[0]);
    }
    if (rectified) {
        const Expr *zero = rectified->args[1], *test[2] = {value, zero};
        const Expr *choice[3] = {expr_op(b, OP_LE, DTYPE_BOOL, test, 2), zero, value};
        value = expr_op(b, OP_SELECT, dtype, choice, 3);
    }
    return expr_cast(b, value, n->type.dtype);
}

static const Expr *gen_gather(Gen *g, const Node *n, const Index *const *indices) {
    const Node *x = n->inputs[0], *ids = n->inputs[1];
    int batch = n->attr.batch, index_rank = ids->type.shape.rank;
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < batch; i++) at[i] = indices[i];
    /* Ids of an axis of one element are 0, whatever they are read from. */
    at[batch] = dim_is(x->type.shape.dims[batch], 1)
                    ? index_const(g->b->table, 0)
                    : gen_index(g, ids, indices, x->type.shape.dims[batch]);
    for (int i = batch + 1; i < x->type.shape.rank; i++)
        at[i] = indices[index_rank + i - batch - 1];
    return gen_value(g, x, at);
}

/* One update per batch: every element asks whether the update is its own. */
static const Expr *gen_scatter(Gen *g, const Node *n, const Index *const *indices) {
    const Node *x = n->inputs[0], *ids = n->inputs[1], *update = n->inputs[2];
    IndexTable *t = g->b->table;
    int batch = n->attr.batch, index_rank = ids->type.shape.rank;
    const Index *at_ids[SHAPE_MAX_RANK], *at[SHAPE_MAX_RANK];
    for (int i = 0; i < index_rank; i++)
        at[i] = at_ids[i] = i < batch ? indices[i] : index_const(t, 0);
    for (int i = batch + 1; i < n->type.shape.rank; i++)
        at[index_rank + i - batch - 1] = indices[i];
    const Index *target = gen_index(g, ids, at_ids, NULL);
    const Index *distance = index_sub(t, indices[batch], target);
    const Guard *guard =
        guard_range(g->b, g->guard, distance, dim_const(g->b->dims, 0), dim_const(g->b->dims, 1));
    const Expr *base = gen_value(g, x, indices);
    if (n->op == OP_SCATTER_SET) return guarded(g, guard, update, at, base);
    const Expr *added = guarded(g, guard, update, at, zero_of(g, n->type.dtype));
    const Expr *args[2] = {base, added};
    return expr_op(g->b, OP_ADD, n->type.dtype, args, 2);
}

static const Expr *gen_constant(Gen *g, const Node *n, const Index *const *indices) {
    if (!n->attr.constant.data) {
        return dtype_is_float(n->type.dtype)
                   ? expr_const(g->b, n->type.dtype, n->attr.constant.value)
                   : expr_const_int(g->b, n->type.dtype, n->attr.constant.integer);
    }
    /* A constant that is stored too (a product's operand) is copied from its data into
     * its buffer. */
    NodeState *s = lowering_state(g->l, n);
    Buffer *data = s->buffer;
    if (!data || data->kind != BUFFER_CONSTANT) {
        data = lowering_buffer(g->l, BUFFER_CONSTANT, n->type.dtype, n->type.shape, NULL);
        data->data = n->attr.constant.data;
        if (!s->buffer) s->buffer = data;
    }
    return load_buffer(g, data, indices);
}

/* What is computed here and not read from memory. */
static const Expr *gen_inline(Gen *g, const Node *n, const Index *const *indices) {
    Builder *b = g->b;
    IndexTable *t = b->table;
    const Node *x = n->input_count ? n->inputs[0] : NULL;
    const Index *at[SHAPE_MAX_RANK];
    switch ((int)n->op) {
    case OP_CONST: return gen_constant(g, n, indices);
    case OP_IOTA: return expr_index(b, indices[n->attr.axis], n->type.dtype);
    case OP_DIM: return expr_index(b, index_dim(t, n->attr.dim), n->type.dtype);
    case OP_RANDOM:
        return expr_random(b, &n->attr.random, index_flatten(t, indices, &n->type.shape),
                           n->type.dtype);
    case OP_CAST: return expr_cast(b, gen_value(g, x, indices), n->type.dtype);
    case OP_IDENTITY: return gen_value(g, x, indices);
    case OP_RESHAPE:
        reshape_indices(g, &n->type.shape, indices, &x->type.shape, at);
        return gen_value(g, x, at);
    case OP_PERMUTE:
        for (int i = 0; i < n->type.shape.rank; i++) at[n->attr.axes[i]] = indices[i];
        return gen_value(g, x, at);
    case OP_EXPAND:
        for (int i = 0; i < x->type.shape.rank; i++)
            at[i] = stretch(g, x->type.shape.dims[i], indices[n->attr.axes[i]]);
        return gen_value(g, x, at);
    case OP_SLICE:
        for (int i = 0; i < x->type.shape.rank; i++)
            at[i] =
                index_add(t, index_dim(t, n->attr.slice->begin[i]),
                          index_scale(t, indices[i], dim_const(b->dims, n->attr.slice->step[i])));
        return gen_value(g, x, at);
    case OP_PAD: return gen_pad(g, n, indices);
    case OP_CONCAT: return gen_concat(g, n, indices);
    case OP_UNFOLD: {
        const WindowAttr *w = &n->attr.window;
        for (int i = 0; i < x->type.shape.rank; i++) at[i] = indices[i];
        at[w->axis] =
            index_add(t, index_scale(t, indices[w->axis], dim_const(b->dims, w->stride)),
                      index_scale(t, indices[x->type.shape.rank], dim_const(b->dims, w->dilation)));
        return gen_value(g, x, at);
    }
    case OP_FOLD:
    case OP_REDUCE: return gen_window(g, n, indices);
    case OP_GATHER: return gen_gather(g, n, indices);
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET: return gen_scatter(g, n, indices);
    case OP_DYNAMIC_SLICE: {
        int axis = n->attr.dynamic.axis;
        for (int i = 0; i < x->type.shape.rank; i++) at[i] = indices[i];
        at[axis] = index_add(
            t, indices[axis],
            clamped_start(g, n->inputs[1], x->type.shape.dims[axis], n->attr.dynamic.extent));
        return gen_value(g, x, at);
    }
    default: break;
    }
    if (!op_is_elementwise(n->op)) abort();
    const Expr *args[EXPR_MAX_ARGS];
    for (int i = 0; i < n->input_count; i++) args[i] = gen_value(g, n->inputs[i], indices);
    return expr_op(b, n->op, n->type.dtype, args, n->input_count);
}

const Expr *gen_value(Gen *g, const Node *n, const Index *const *indices) {
    Memo *m = memo_find(g, n, indices);
    if (m && (!g->pure || m->value->kind != EXPR_REGISTER || !op_is_elementwise(n->op)))
        return m->value;
    NodeState *s = lowering_state(g->l, n);
    const Expr *value;
    bool follow = !s->stored;
    if (s->stored && s->group == g->group && g->group) {
        /* A member away from its own index: what is no reduction and no anchor is
         * computed again. */
        if (g->joining && g->joining != n && s->spread) g->illegal = true;
        follow = g->group->kind == GROUP_LOOPS ? !node_is_reduction(n)
                                               : n != g->group->anchor && n->op != OP_PROJ;
        if (!follow && g->place && n == g->group->anchor) {
            value = g->place(g, n, indices);
            memo_add(g, n, g->guard, indices, value);
            return value;
        }
        if (!follow) {
            g->illegal = true;
            return zero_of(g, n->type.dtype);
        }
    }
    if (follow && (n->op == OP_INPUT || n->op == OP_CELL || n->op == OP_PROJ)) follow = false;
    if (follow) {
        value = gen_inline(g, n, indices);
        if (!g->dry && !g->pure && value->kind == EXPR_OP &&
            (s->users > 1 || builder_expr_depth(g->b, value) < g->b->depth))
            value = builder_let(g->b, value, "t");
    } else {
        if (g->dry && n->op == OP_CELL && g->space &&
            !same_indices(g->space, indices, n->type.shape.rank))
            vector_push(g->b->arena, &g->elsewhere, n->attr.cell);
        if (g->dry && !s->buffer) return zero_of(g, n->type.dtype);
        value = load_buffer(g, s->buffer, indices);
    }
    if (!m) memo_add(g, n, g->guard, indices, value);
    return value;
}

bool lowering_needs_store(Lowering *l, const Node *n) {
    NodeState *s = lowering_state(l, n);
    return s->buffer || s->targets.count;
}

void gen_store(Gen *g, const Node *n, const Index *const *indices, const Expr *value) {
    NodeState *s = lowering_state(g->l, n);
    int rank = n->type.shape.rank;
    bool done = false;
    for (int i = 0; i < s->targets.count; i++) {
        builder_store(g->b, builder_slot(g->b, s->targets.data[i], ACCESS_WRITE), indices, rank,
                      value, NULL);
        done = done || s->targets.data[i] == s->buffer;
    }
    if (s->buffer && !done)
        builder_store(g->b, builder_slot(g->b, s->buffer, ACCESS_WRITE), indices, rank, value,
                      NULL);
}

void gen_store_members(Gen *g, const Index *const *indices, StoreRequest request) {
    const Group *group = g->group;
    const Expr **values = NEW_ARRAY(g->b->arena, (size_t)group->members.count, const Expr *);
    for (int pass = 0; pass < 2; pass++)
        for (int m = 0; m < group->members.count; m++) {
            const Node *n = group->members.data[m];
            if (!lowering_needs_store(g->l, n)) continue;
            if (request.wanted && !request.wanted(request.user, n)) continue;
            if (pass) {
                gen_store(g, n, indices, values[m]);
                continue;
            }
            values[m] = gen_value(g, n, indices);
            if (request.change) values[m] = request.change(request.user, values[m]);
            if (values[m]->kind != EXPR_CONST) values[m] = builder_let_here(g->b, values[m], "out");
        }
}
