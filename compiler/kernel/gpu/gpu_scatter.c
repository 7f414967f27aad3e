/* The schedule of scatters for blocks and threads.
 *
 * Input: a SCATTER group.  Output: kernels.  Few updates, or those of so many columns that they
 * fill the device, are taken one after the other by a thread for each column.  Else the ids are
 * sorted, with the numbers of their updates; every run of one id is then summed by the threads of
 * its columns, or its last update stored.  The sort is stable, so both ways add the updates of an
 * element in the same order, to the same bits. */
#include "kernel/internal.h"

#include <math.h>

enum {
    SERIAL_MAX = 32,   /* updates that are not worth a sort */
    UPDATE_STEP = 500, /* cycles: id, element, sum, one after the other */
    SORT_STEP = 6000,  /* cycles of a tile of the sort, 8 to a processor */
    MERGE_STEP = 8000, /* cycles of a search among runs */
    PAIR_BYTES = 24,   /* of a key and its position, read and written */
};

/* The updates of a batch are numbered by k, in the order of the index. */
typedef struct Scatter {
    Lowering *l;
    Group *group;
    Builder *b;
    Gen *gen;
    const Node *n, *ids, *update;
    Buffer *dst;
    DType key;
    Shape batches, index, columns;    /* dims of the batch, of its updates, of a row */
    const Dim *rows, *length, *width; /* their elements */
    const Index *to[SHAPE_MAX_RANK], *from[SHAPE_MAX_RANK];
} Scatter;

static void begin(Scatter *s) {
    s->b = builder_new(s->l->program, s->l->arena);
    s->gen = gen_new(s->l, s->b, s->group);
    s->b->kernel->threads = GPU_THREADS;
}

static bool adds(const Scatter *s) {
    return s->n->op == OP_SCATTER_ADD;
}

static const Dim *target_extent(const Scatter *s) {
    return s->n->type.shape.dims[s->batches.rank];
}

static void set_batch(Scatter *s, const Index *row) {
    index_unflatten(s->l->table, row, &s->batches, s->to);
    for (int i = 0; i < s->batches.rank; i++) s->from[i] = s->to[i];
}

static void set_update(Scatter *s, const Index *k) {
    index_unflatten(s->l->table, k, &s->index, s->from + s->batches.rank);
}

static void set_column(Scatter *s, const Index *column) {
    const Index *at[SHAPE_MAX_RANK];
    index_unflatten(s->l->table, column, &s->columns, at);
    for (int i = 0; i < s->columns.rank; i++)
        s->to[s->batches.rank + 1 + i] = s->from[s->ids->type.shape.rank + i] = at[i];
}

static const Expr *value_here(Scatter *s) {
    return gen_value(s->gen, s->update, s->from);
}

static const Expr *sum_of(Scatter *s, const Expr *a, const Expr *b) {
    const Expr *args[2] = {a, b};
    return expr_op(s->b, OP_ADD, s->n->type.dtype, args, 2);
}

static const Expr *old_here(Scatter *s) {
    return expr_load(s->b, builder_slot(s->b, s->dst, ACCESS_READ), s->to, s->n->type.shape.rank);
}

static void store_here(Scatter *s, const Expr *value) {
    builder_store(s->b, builder_slot(s->b, s->dst, ACCESS_WRITE), s->to, s->n->type.shape.rank,
                  value, NULL);
}

/* ---- one after the other ---- */

static void write_serial(Scatter *s) {
    Builder *b = s->b;
    const Shape all = {2, {s->rows, s->width}};
    const Index *at[2];
    gpu_open_elements(b, &all, at);
    set_batch(s, at[0]);
    set_column(s, at[1]);
    for (int i = 0; i < s->index.rank; i++) {
        int axis = builder_axis(b, "k", s->index.dims[i]);
        builder_open(b, axis, NULL, NULL, BIND_SEQ);
        s->from[s->batches.rank + i] = builder_axis_index(b, axis);
    }
    s->to[s->batches.rank] = gen_index(s->gen, s->ids, s->from, target_extent(s));
    const Expr *value = value_here(s);
    store_here(s, adds(s) ? sum_of(s, old_here(s), value) : value);
}

/* ---- by runs of one id ---- */

static const Expr *id_at(void *user, Builder *b, Gen *gen, const Index *row, const Index *k) {
    Scatter *s = user;
    set_batch(s, row);
    set_update(s, k);
    return expr_cast(b, gen_value(gen, s->ids, s->from), s->key);
}

static const Expr *sorted_key(Scatter *s, const SortedRows *sorted, const Index *row,
                              const Index *j) {
    const Index *at[2] = {row, j};
    return expr_cast(s->b, expr_load(s->b, builder_slot(s->b, sorted->keys, ACCESS_READ), at, 2),
                     DTYPE_I64);
}

static void set_sorted_update(Scatter *s, const SortedRows *sorted, const Index *row,
                              const Index *j) {
    const Index *at[2] = {row, j};
    const Expr *position = expr_load(s->b, builder_slot(s->b, sorted->order, ACCESS_READ), at, 2);
    set_update(s, index_value(s->l->table, expr_cast(s->b, position, DTYPE_I64), s->length));
}

static const Dim *one_more(const Scatter *s, const Dim *d) {
    return dim_need(dim_add(s->l->dims, d, dim_const(s->l->dims, 1)));
}

/* Only where the element's id differs from that of its neighbour, j + by, or there is none. */
static void open_border(Scatter *s, const SortedRows *sorted, const Index *row, const Index *j,
                        int64_t by, const Expr *id) {
    Builder *b = s->b;
    IndexTable *t = b->table;
    const Dim *extent = target_extent(s);
    const Index *other = index_add(t, j, index_const(t, by));
    const Guard *exists = guard_range(b, NULL, other, dim_const(b->dims, 0), s->length);
    const Expr *none = expr_index(b, index_dim(t, extent), DTYPE_I64);
    const Expr *next = expr_guard(b, exists, sorted_key(s, sorted, row, other), none);
    const Index *distance =
        index_sub(t, index_value(t, id, extent), index_value(t, next, one_more(s, extent)));
    builder_open_if(b, guard_and(b, NULL,
                                 (Test){TEST_OUTSIDE, distance, dim_const(b->dims, 0),
                                        dim_const(b->dims, 1), 0}));
}

/* The thread at the first update of a run adds all of them, in order. */
static void add_run(Scatter *s, const SortedRows *sorted, const Index *row, const Index *j) {
    Builder *b = s->b;
    IndexTable *t = b->table;
    const Shape one = {1, {dim_const(b->dims, 1)}};
    const int sum = builder_scratch_in(b, SPACE_THREAD, "sum", s->n->type.dtype, one);
    const int keys = builder_slot(b, sorted->keys, ACCESS_READ);
    const Index *place[2] = {row, j}, *zero = index_const(t, 0);
    const Expr *key = builder_let_here(b, expr_load(b, keys, place, 2), "key");
    Stmt *search = gpu_search(b, keys, row, j, index_dim(t, s->length), key);
    search->ties = true;
    builder_store(b, sum, &zero, 1, old_here(s), NULL);
    int axis = builder_axis(b, "k", s->length);
    const Index *run = index_value(t, expr_register(b, search->reg), one_more(s, s->length));
    builder_open(b, axis, NULL, run, BIND_SEQ);
    set_sorted_update(s, sorted, row, index_add(t, j, builder_axis_index(b, axis)));
    builder_store(b, sum, &zero, 1, sum_of(s, expr_load(b, sum, &zero, 1), value_here(s)), NULL);
    builder_close(b);
    store_here(s, expr_load(b, sum, &zero, 1));
}

static void write_runs(Scatter *s, const SortedRows *sorted) {
    Builder *b = s->b;
    IndexTable *t = b->table;
    const Shape all = {3, {s->rows, s->length, s->width}};
    const Index *at[3];
    gpu_open_elements(b, &all, at);
    set_batch(s, at[0]);
    set_column(s, at[2]);
    const Expr *id = builder_let_here(b, sorted_key(s, sorted, at[0], at[1]), "id");
    s->to[s->batches.rank] = index_value(t, id, target_extent(s));
    open_border(s, sorted, at[0], at[1], adds(s) ? -1 : 1, id);
    if (adds(s)) {
        add_run(s, sorted, at[0], at[1]);
        return;
    }
    set_sorted_update(s, sorted, at[0], at[1]);
    store_here(s, value_here(s));
}

/* ---- choosing ---- */

/* Estimated cycles.  Serial: every column takes all updates, in waves of columns, or as fast as
 * memory gives them; ids are read by all columns from caches.  Sorted: tiles, merges and launches
 * of the sort; then the same traffic, and as many steps as a run has updates when ids are spread
 * evenly. */
static bool serial_is_cheaper(const Scatter *s) {
    const double updates = gpu_size(s->length), rows = gpu_size(s->rows);
    const double columns = rows * gpu_size(s->width), extent = gpu_size(target_extent(s));
    if (updates <= SERIAL_MAX) return true;
    const double resident = (double)GPU_PROCESSORS * GPU_RESIDENT;
    const double traffic = gpu_traffic(updates * columns * 12);
    const double serial = fmax(updates * UPDATE_STEP * ceil(columns / resident), traffic);
    const double chunks = ceil(updates / GPU_SORT_TILE), merges = ceil(log2(chunks));
    const double tiles = ceil(rows * chunks * GPU_THREADS / resident) * SORT_STEP;
    const double merging =
        merges * (GPU_LAUNCH + fmax(MERGE_STEP, gpu_traffic(rows * updates * PAIR_BYTES)));
    const double run = ceil(updates / fmax(extent, 1));
    const double runs = fmax(run * UPDATE_STEP * ceil(columns * updates / resident / run), traffic);
    return serial <= GPU_LAUNCH + tiles + merging + runs;
}

void schedule_gpu_scatter(Lowering *l, Group *group) {
    const Node *n = group->anchor;
    Scatter scatter = {.l = l, .group = group, .n = n, .ids = n->inputs[1], .update = n->inputs[2]};
    Scatter *s = &scatter;
    const Shape *x = &n->type.shape, *index = &s->ids->type.shape;
    for (int i = 0; i < n->attr.batch; i++) s->batches.dims[s->batches.rank++] = x->dims[i];
    for (int i = n->attr.batch; i < index->rank; i++)
        s->index.dims[s->index.rank++] = index->dims[i];
    for (int i = n->attr.batch + 1; i < x->rank; i++)
        s->columns.dims[s->columns.rank++] = x->dims[i];
    s->rows = dim_need(shape_elements(l->dims, &s->batches));
    s->length = dim_need(shape_elements(l->dims, &s->index));
    s->width = dim_need(shape_elements(l->dims, &s->columns));
    int64_t lower, upper;
    dim_bounds(target_extent(s), &lower, &upper);
    s->key = upper <= INT32_MAX ? DTYPE_I32 : DTYPE_I64;
    s->dst = indexed_start(l, group);
    if (serial_is_cheaper(s)) {
        begin(s);
        write_serial(s);
    } else {
        const SortRequest request = {
            .rows = s->rows, .length = s->length, .dtype = s->key, .key = id_at, .user = s};
        const SortedRows sorted = gpu_sort(l, group, &request);
        begin(s);
        write_runs(s, &sorted);
    }
    group_finish(l, group, s->b, NULL);
    indexed_finish(l, group);
}
