/* For blocks and threads: loops over elements, copies and updates, and what is estimated of the
 * device.
 *
 * Input: a node, or a group with one anchor.  Output: kernels with a thread for each element. */
#include "kernel/internal.h"

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
              *width = dim_const(b->dims, GPU_THREADS);
    const Dim *tiles = dim_need(dim_ceildiv(b->dims, total, GPU_THREADS));
    const Index *first = index_scale(t, builder_tile(b, "tile", tiles), width);
    const Index *end = index_min(t, index_dim(t, total), index_add(t, first, index_dim(t, width)));
    int axis = builder_axis(b, "i", total);
    builder_open(b, axis, first, end, BIND_THREAD);
    index_unflatten(t, builder_axis_index(b, axis), shape, at);
}

void schedule_gpu_copy(Lowering *l, const Node *node, Buffer *dst, const char *what) {
    Builder *b = builder_new(l->program, l->arena);
    const Index *at[SHAPE_MAX_RANK];
    b->kernel->threads = GPU_THREADS;
    gpu_open_elements(b, &node->type.shape, at);
    const Expr *value = gen_value(gen_new(l, b, NULL), node, at);
    builder_store(b, builder_slot(b, dst, ACCESS_WRITE), at, node->type.shape.rank, value, NULL);
    builder_close(b);
    builder_describe(b, node);
    vector_push(l->arena, &l->steps, builder_finish(b, what, node->path));
}

void schedule_gpu_update(Lowering *l, Group *group) {
    const Node *p = group->anchor, *update = p->inputs[1];
    Buffer *dst = indexed_start(l, group);
    Builder *b = builder_new(l->program, l->arena);
    Gen *gen = gen_new(l, b, group);
    IndexTable *t = b->table;
    const Shape *s = &update->type.shape;
    int axis = p->attr.dynamic.axis;
    const Index *from[SHAPE_MAX_RANK], *to[SHAPE_MAX_RANK];
    b->kernel->threads = GPU_THREADS;
    gpu_open_elements(b, s, from);
    for (int i = 0; i < s->rank; i++) to[i] = from[i];
    const Index *limit = index_dim(t, dim_sub(l->dims, p->type.shape.dims[axis], s->dims[axis]));
    const Index *start = gen_index(gen, p->inputs[2], NULL, NULL);
    start = index_max(t, index_const(t, 0), index_min(t, start, limit));
    to[axis] = index_add(t, from[axis], start);
    const Expr *value = gen_value(gen, update, from);
    builder_store(b, builder_slot(b, dst, ACCESS_WRITE), to, s->rank, value, NULL);
    group_finish(l, group, b, NULL);
    indexed_finish(l, group);
}
