/* The schedule of pointwise and row kernels for blocks and threads.
 *
 * Input: a LOOPS group.  Output: one kernel.  Without reductions every thread has an element of the
 * space.  With them a row belongs to a thread, to a warp or to a block, by the length of the row
 * and by what lies side by side in memory; rows of a warp and of a block are folded by the fixed
 * tree of their loop, so sums do not depend on timing. */
#include "kernel/loops.h"

enum {
    BLOCK_THREADS = 256,
    THREAD_ROW_MAX = 8,  /* longer rows that lie in one piece belong to a warp */
    WARP_ROW_MAX = 1024, /* longer ones to a block */
    COLUMNS_MIN = 32,    /* so many rows that are neighbours in memory have a thread each */
};

/* Who works on one row. */
typedef struct RowForm {
    Binding row;     /* rows of a tile are dealt to threads or warps; SEQ: a tile is one row */
    Binding element; /* elements of a row likewise; SEQ: one after the other */
    int rows;        /* of a tile */
} RowForm;
static const RowForm by_thread = {BIND_THREAD, BIND_SEQ, BLOCK_THREADS};
static const RowForm by_warp = {BIND_WARP, BIND_LANE, BLOCK_THREADS / WARP_LANES};
static const RowForm by_block = {BIND_SEQ, BIND_THREAD, 1};

static const RowForm *form_of(const Loops *x) {
    return x->choice;
}

/* The elements of some axes as one, its index taken apart into `at`. */
static void set_flat(Loops *x, const int *axes, int count, const Index *flat) {
    Shape run = {0};
    const Index *out[SHAPE_MAX_RANK];
    for (int i = 0; i < count; i++) run.dims[run.rank++] = x->group->space.dims[axes[i]];
    index_unflatten(x->b->table, flat, &run, out);
    for (int i = 0; i < count; i++) x->at[axes[i]] = out[i];
}

static const Dim *elements_of(const Loops *x, const int *axes, int count) {
    Shape run = {0};
    for (int i = 0; i < count; i++) run.dims[run.rank++] = x->group->space.dims[axes[i]];
    return dim_need(shape_elements(x->b->dims, &run));
}

/* Tiles of `size` elements of the kept axes, dealt to threads or warps. */
static void open_kept(Loops *x, Binding binding, int64_t size) {
    Builder *b = x->b;
    IndexTable *t = b->table;
    const Dim *total = elements_of(x, x->kept, x->kept_count), *width = dim_const(b->dims, size);
    const Dim *tiles = dim_need(
        dim_floordiv(b->dims, dim_add(b->dims, total, dim_const(b->dims, size - 1)), width));
    if (binding == BIND_SEQ) {
        set_flat(x, x->kept, x->kept_count, builder_tile(b, "row", total));
        return;
    }
    const Index *begin = index_scale(t, builder_tile(b, "tile", tiles), width);
    int axis = builder_axis(b, "i", total);
    builder_open(b, axis, begin,
                 index_min(t, index_dim(t, total), index_add(t, begin, index_dim(t, width))),
                 binding);
    set_flat(x, x->kept, x->kept_count, builder_axis_index(b, axis));
}

static int open_reduced(Loops *x) {
    Builder *b = x->b;
    const Binding binding = form_of(x)->element;
    int depth = b->depth;
    if (binding != BIND_SEQ) {
        int axis = builder_axis(b, "k", elements_of(x, x->reduced, x->reduced_count));
        builder_open(b, axis, NULL, NULL, binding);
        set_flat(x, x->reduced, x->reduced_count, builder_axis_index(b, axis));
        return 1;
    }
    for (int i = 0; i < x->reduced_count; i++) {
        int axis = builder_axis(b, "k", x->group->space.dims[x->reduced[i]]);
        builder_open(b, axis, NULL, NULL, BIND_SEQ);
        x->at[x->reduced[i]] = builder_axis_index(b, axis);
    }
    return b->depth - depth;
}

/* One thread of those that know what belongs to the row. */
static int open_once(Loops *x) {
    if (form_of(x)->element == BIND_SEQ) return 0;
    int axis = builder_axis(x->b, "once", dim_const(x->b->dims, 1));
    builder_open(x->b, axis, NULL, NULL, form_of(x)->element);
    return 1;
}

static const RowForm *choose_form(const Loops *x) {
    const Shape *space = &x->group->space;
    int64_t rows = loops_hint(space, x->kept, 0, x->kept_count);
    int64_t length = loops_hint(space, x->reduced, 0, x->reduced_count);
    bool columns = !(x->group->reduced >> (space->rank - 1) & 1);
    if (length <= THREAD_ROW_MAX || (columns && rows >= COLUMNS_MIN)) return &by_thread;
    return length <= WARP_ROW_MAX && x->kept_count ? &by_warp : &by_block;
}

void schedule_gpu_loops(Lowering *l, Group *group) {
    Loops *x = loops_new(l, group, l->arena);
    x->b->kernel->threads = BLOCK_THREADS;
    x->choice = group->reduced ? choose_form(x) : &by_thread;
    x->open_reduced = open_reduced;
    x->open_once = open_once;
    open_kept(x, form_of(x)->row, form_of(x)->rows);
    loops_body(x);
    loops_close(x);
    group_finish(l, group, x->b, NULL);
}
