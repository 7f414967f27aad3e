/* Schedules for blocks and threads of what is neither pointwise, nor a row, nor a product: copies,
 * scatter, update; and what is estimated of the device.
 *
 * Input: a group with one anchor.  Output: kernels.  Orders that results depend on are serial in
 * one thread: the updates of a column in the order of the index. */
#include "kernel/internal.h"

enum { THREADS = 256 };

typedef struct Nest {
    Lowering *l;
    Builder *b;
    Gen *gen;
} Nest;

static Nest begin(Lowering *l, Group *group) {
    Nest n = {l, builder_new(l->program, l->arena), NULL};
    n.gen = gen_new(l, n.b, group);
    n.b->kernel->threads = THREADS;
    return n;
}

/* A size that only a call knows is that of a batch worth a GPU. */
double gpu_size(const Dim *d) {
    int64_t value;
    return dim_is_const(d, &value) ? (double)value : 4.0 * (double)dim_hint(d);
}

double gpu_traffic(double bytes) {
    return bytes / GPU_BYTES;
}

void gpu_open_elements(Builder *b, const Shape *shape, const Index **at) {
    IndexTable *t = b->table;
    const Dim *total = dim_need(shape_elements(b->dims, shape)),
              *width = dim_const(b->dims, THREADS);
    const Dim *tiles = dim_need(
        dim_floordiv(b->dims, dim_add(b->dims, total, dim_const(b->dims, THREADS - 1)), width));
    const Index *first = index_scale(t, builder_tile(b, "tile", tiles), width);
    const Index *end = index_min(t, index_dim(t, total), index_add(t, first, index_dim(t, width)));
    int axis = builder_axis(b, "i", total);
    builder_open(b, axis, first, end, BIND_THREAD);
    index_unflatten(t, builder_axis_index(b, axis), shape, at);
}

static const Index *open_serial(Builder *b, const Dim *extent) {
    int axis = builder_axis(b, "k", extent);
    builder_open(b, axis, NULL, NULL, BIND_SEQ);
    return builder_axis_index(b, axis);
}

void schedule_gpu_copy(Lowering *l, const Node *node, Buffer *dst, const char *what) {
    Builder *b = builder_new(l->program, l->arena);
    const Index *at[SHAPE_MAX_RANK];
    b->kernel->threads = THREADS;
    gpu_open_elements(b, &node->type.shape, at);
    const Expr *value = gen_value(gen_new(l, b, NULL), node, at);
    builder_store(b, builder_slot(b, dst, ACCESS_WRITE), at, node->type.shape.rank, value, NULL);
    builder_close(b);
    builder_describe(b, node);
    vector_push(l->arena, &l->steps, builder_finish(b, what, node->path));
}

/* An index that is read at run time; nothing of it may stay in a register of an outer scope. */
static const Index *read_index(Nest *n, const Node *node, const Index *const *at,
                               const Dim *extent) {
    n->gen->pure = true;
    const Expr *value = expr_cast(n->b, gen_value(n->gen, node, at), DTYPE_I64);
    n->gen->pure = false;
    return index_value(n->b->table, value, extent);
}

/* A column of the updated rows belongs to a thread, which takes the updates in their order. */
void schedule_gpu_scatter(Lowering *l, Group *group) {
    const Node *p = group->anchor, *ids = p->inputs[1], *update = p->inputs[2];
    Buffer *dst = indexed_start(l, group);
    Nest n = begin(l, group);
    Builder *b = n.b;
    const Shape *s = &p->type.shape;
    int batch = p->attr.batch, index_rank = ids->type.shape.rank;
    const Index *to[SHAPE_MAX_RANK], *from[SHAPE_MAX_RANK], *column[SHAPE_MAX_RANK];
    Shape columns = {0};
    for (int i = 0; i < s->rank; i++)
        if (i != batch) columns.dims[columns.rank++] = s->dims[i];
    gpu_open_elements(b, &columns, column);
    for (int i = 0; i < batch; i++) to[i] = from[i] = column[i];
    for (int i = batch + 1; i < s->rank; i++)
        to[i] = from[index_rank + i - batch - 1] = column[i - 1];
    for (int i = batch; i < index_rank; i++) from[i] = open_serial(b, ids->type.shape.dims[i]);
    to[batch] = read_index(&n, ids, from, s->dims[batch]);
    bool adds = p->op == OP_SCATTER_ADD;
    int slot = builder_slot(b, dst, adds ? ACCESS_UPDATE : ACCESS_WRITE);
    const Expr *value = gen_value(n.gen, update, from);
    if (adds) {
        const Expr *args[2] = {expr_load(b, slot, to, s->rank), value};
        value = expr_op(b, OP_ADD, p->type.dtype, args, 2);
    }
    builder_store(b, slot, to, s->rank, value, NULL);
    group_finish(l, group, n.b, NULL);
    indexed_finish(l, group);
}

void schedule_gpu_update(Lowering *l, Group *group) {
    const Node *p = group->anchor, *update = p->inputs[1];
    Buffer *dst = indexed_start(l, group);
    Nest n = begin(l, group);
    IndexTable *t = n.b->table;
    const Shape *s = &update->type.shape;
    int axis = p->attr.dynamic.axis;
    const Index *from[SHAPE_MAX_RANK], *to[SHAPE_MAX_RANK];
    gpu_open_elements(n.b, s, from);
    for (int i = 0; i < s->rank; i++) to[i] = from[i];
    const Index *limit = index_dim(t, dim_sub(l->dims, p->type.shape.dims[axis], s->dims[axis]));
    const Index *start = read_index(&n, p->inputs[2], NULL, NULL);
    start = index_max(t, index_const(t, 0), index_min(t, start, limit));
    to[axis] = index_add(t, from[axis], start);
    const Expr *value = gen_value(n.gen, update, from);
    builder_store(n.b, builder_slot(n.b, dst, ACCESS_WRITE), to, s->rank, value, NULL);
    group_finish(l, group, n.b, NULL);
    indexed_finish(l, group);
}
