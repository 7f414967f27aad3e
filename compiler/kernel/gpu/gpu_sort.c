/* Stable sorts for blocks and threads.
 *
 * Input: rows of keys, any expression.  Output: kernels.  A block sorts a tile in shared memory:
 * several short rows, one row, or a chunk of a long one.  Chunks are then merged two by two in a
 * loop of steps whose count depends on the dims: every element finds its place by searching for it
 * in the sibling run.  Keys go with their positions, which tell equal keys apart.
 * Work for a row of n: n log^2 n, in log(n / GPU_SORT_TILE) + 2 launches. */
#include "kernel/internal.h"

enum {
    TILE_MIN = 2 * GPU_THREADS, /* of the rows of a tile together: each thread has a pair */
    RUN_BITS = 40, /* of the length of a run: keys of more have no place in any memory */
};

typedef struct Sort {
    Lowering *l;
    Group *group;
    const SortRequest *r;
    Builder *b;
    Gen *gen;
    int64_t tile, width; /* elements of a tile, of a row in it */
    DType position;
} Sort;

static const Dim *constant(const Sort *s, int64_t v) {
    return dim_const(s->l->dims, v);
}

static void begin(Sort *s) {
    s->b = builder_new(s->l->program, s->l->arena);
    s->gen = gen_new(s->l, s->b, s->group);
    s->b->kernel->threads = GPU_THREADS;
}

/* ---- tiles ---- */

/* The tile of this block: its first row, and its first element in the row. */
typedef struct TilePlace {
    const Index *row, *first;
} TilePlace;

static TilePlace open_tile(Sort *s) {
    IndexTable *t = s->l->table;
    int64_t each = s->tile / s->width;
    TilePlace at = {builder_tile(s->b, "row", dim_need(dim_ceildiv(s->l->dims, s->r->rows, each))),
                    index_const(t, 0)};
    at.row = index_scale(t, at.row, constant(s, each));
    if (s->width == GPU_SORT_TILE)
        at.first = index_scale(
            t,
            builder_tile(s->b, "chunk",
                         dim_need(dim_ceildiv(s->l->dims, s->r->length, GPU_SORT_TILE))),
            constant(s, GPU_SORT_TILE));
    return at;
}

/* A loop over the elements e of the tile that exist: element k of `row`, `inside` its part of it.
 */
static const Index *open_elements(Sort *s, const TilePlace *at, const Index **row,
                                  const Index **inside, const Index **k) {
    Builder *b = s->b;
    IndexTable *t = b->table;
    int axis = builder_axis(b, "e", constant(s, s->tile));
    builder_open(b, axis, NULL, NULL, BIND_THREAD);
    const Index *e = builder_axis_index(b, axis);
    *row = index_add(t, at->row, index_floordiv(t, e, constant(s, s->width)));
    *inside = index_mod(t, e, constant(s, s->width));
    *k = index_add(t, at->first, *inside);
    const Guard *guard = guard_range(b, NULL, *row, NULL, s->r->rows);
    guard = guard_range(b, guard, *k, NULL, s->r->length);
    if (guard) builder_open_if(b, guard);
    return e;
}

static void store_row(Sort *s, Buffer *to, const Index *row, const Index *k, const Expr *value) {
    const Index *at[2] = {row, k};
    builder_store(s->b, builder_slot(s->b, to, ACCESS_WRITE), at, 2, value, NULL);
}

static void sort_tiles(Sort *s, const SortedRows *out) {
    begin(s);
    Builder *b = s->b;
    IndexTable *t = b->table;
    const SortRequest *r = s->r;
    TilePlace at = open_tile(s);
    const Shape shape = {1, {constant(s, s->tile)}};
    int keys = builder_scratch_in(b, SPACE_SHARED, "keys", r->dtype, shape);
    int order = builder_scratch_in(b, SPACE_SHARED, "order", DTYPE_I32, shape);
    const Index *row, *inside, *k, *e = open_elements(s, &at, &row, &inside, &k);
    builder_store(b, keys, &e, 1, r->key(r->user, b, s->gen, row, k), NULL);
    builder_store(b, order, &e, 1, expr_index(b, inside, DTYPE_I32), NULL);
    while (b->depth) builder_close(b);
    Stmt *sort = builder_leaf(b, STMT_ARGSORT);
    sort->argsort = NEW(b->arena, ArgsortLeaf);
    *sort->argsort = (ArgsortLeaf){keys,          order,
                                   order,         index_sub(t, index_dim(t, r->length), at.first),
                                   r->descending, s->width};
    e = open_elements(s, &at, &row, &inside, &k);
    const Expr *old = expr_cast(b, expr_load(b, order, &e, 1), DTYPE_I64);
    const Index *position = index_add(t, at.first, index_value(t, old, constant(s, s->width)));
    if (out->order) {
        store_row(s, out->keys, row, k, expr_load(b, keys, &e, 1));
        store_row(s, out->order, row, k, expr_index(b, position, s->position));
    } else {
        r->store(r->user, b, s->gen, row, k, position);
    }
    group_finish(s->l, s->group, b, "sort tiles");
}

/* ---- merges ---- */

static const Dim *run_length(const Sort *s) {
    KernelProgram *p = s->l->program;
    if (!p->run) {
        const Dim *run = dim_symbol(s->l->dims, name_of("sorted run"));
        dim_assume_bounds(s->l->dims, run, GPU_SORT_TILE, INT64_C(1) << RUN_BITS);
        p->run = dim_as_symbol(run);
    }
    return dim_of_symbol(s->l->dims, p->run);
}

Stmt *gpu_search(Builder *b, int slot, const Index *row, const Index *begin, const Index *end,
                 const Expr *value) {
    Stmt *search = builder_leaf(b, STMT_RANK);
    search->reg = builder_register(b, DTYPE_I64, "rank");
    search->slot = slot;
    search->index_count = 1;
    search->indices = arena_copy(b->arena, &row, sizeof row);
    search->begin = begin;
    search->end = end;
    search->value = value;
    return search;
}

/* An element of the left run comes before those of the right one that equal it. */
static void merge_side(Sort *s, const SortedRows *from, const SortedRows *to, bool right,
                       const Index *const *at, const Dim *run) {
    Builder *b = s->b;
    IndexTable *t = b->table;
    DimTable *dims = s->l->dims;
    const Dim *both = dim_need(dim_add(dims, run, run));
    const Index *inside = index_mod(t, at[1], both), *first = index_sub(t, at[1], inside);
    const Index *length = index_dim(t, s->r->length);
    builder_open_if(b, guard_range(b, NULL, inside, right ? run : NULL, right ? NULL : run));
    int depth = b->depth;
    const int keys = builder_slot(b, from->keys, ACCESS_READ);
    const Expr *key = builder_let_here(b, expr_load(b, keys, at, 2), "key");
    Stmt *search = gpu_search(
        b, keys, at[0], right ? first : index_add(t, first, index_dim(t, run)),
        index_min(t, length, index_add(t, first, index_dim(t, right ? run : both))), key);
    search->ties = right;
    search->descending = s->r->descending;
    const Dim *ranks = dim_need(dim_add(dims, s->r->length, constant(s, 1)));
    const Index *rank = index_value(t, expr_register(b, search->reg), ranks);
    const Index *place = index_add(t, right ? index_sub(t, at[1], index_dim(t, run)) : at[1], rank);
    store_row(s, to->keys, at[0], place, key);
    store_row(s, to->order, at[0], place,
              expr_load(b, builder_slot(b, from->order, ACCESS_READ), at, 2));
    while (b->depth >= depth) builder_close(b);
}

static SortedRows make_rows(Sort *s) {
    const Shape shape = {2, {s->r->rows, s->r->length}};
    return (SortedRows){
        lowering_buffer(s->l, BUFFER_TEMPORARY, s->r->dtype, shape, "sorted keys"),
        lowering_buffer(s->l, BUFFER_TEMPORARY, s->position, shape, "sorted positions")};
}

static void merge_runs(Sort *s, const SortedRows *rows) {
    const SortedRows next = make_rows(s);
    const Dim *run = run_length(s);
    Step *loop = NEW(s->l->arena, Step);
    loop->kind = STEP_LOOP;
    loop->first = constant(s, GPU_SORT_TILE);
    loop->count = s->r->length;
    vector_push(s->l->arena, &loop->rotations, ((Rotation){rows->keys, next.keys}));
    vector_push(s->l->arena, &loop->rotations, ((Rotation){rows->order, next.order}));
    begin(s);
    const Index *at[SHAPE_MAX_RANK];
    gpu_open_elements(s->b, &rows->keys->shape, at);
    merge_side(s, rows, &next, false, at, run);
    merge_side(s, rows, &next, true, at, run);
    group_finish(s->l, s->group, s->b, "merge runs");
    vector_push(s->l->arena, &loop->body, s->l->steps.data[--s->l->steps.count]);
    vector_push(s->l->arena, &s->l->steps, loop);
}

SortedRows gpu_sort(Lowering *l, Group *group, const SortRequest *request) {
    Sort sort = {.l = l, .group = group, .r = request, .width = 2}, *s = &sort;
    int64_t lower, longest;
    dim_bounds(request->length, &lower, &longest);
    while (s->width < longest && s->width < GPU_SORT_TILE) s->width *= 2;
    s->tile = s->width < TILE_MIN ? TILE_MIN : s->width;
    s->position = longest <= INT32_MAX ? DTYPE_I32 : DTYPE_I64;
    SortedRows rows = {NULL, NULL};
    if (longest > GPU_SORT_TILE || !request->store) rows = make_rows(s);
    sort_tiles(s, &rows);
    if (longest > GPU_SORT_TILE) merge_runs(s, &rows);
    return rows;
}

/* ---- argsort ---- */

typedef struct Argsort {
    const Node *n;
    Shape others;
    DType dtype;
} Argsort;

static void place_of(const Argsort *a, Builder *b, const Index *row, const Index *k,
                     const Index **at) {
    const Index *other[SHAPE_MAX_RANK];
    index_unflatten(b->table, row, &a->others, other);
    for (int i = 0, next = 0; i < a->n->type.shape.rank; i++)
        at[i] = i == a->n->attr.sort.axis ? k : other[next++];
}

static const Expr *key_at(void *user, Builder *b, Gen *gen, const Index *row, const Index *k) {
    const Argsort *a = user;
    const Index *at[SHAPE_MAX_RANK];
    place_of(a, b, row, k, at);
    return expr_cast(b, gen_value(gen, a->n->inputs[0], at), a->dtype);
}

static void store_position(void *user, Builder *b, Gen *gen, const Index *row, const Index *k,
                           const Index *position) {
    const Argsort *a = user;
    const Index *at[SHAPE_MAX_RANK];
    place_of(a, b, row, k, at);
    gen_store(gen, a->n, at, expr_index(b, position, a->n->type.dtype));
}

void schedule_gpu_argsort(Lowering *l, Group *group) {
    const Node *n = group->anchor;
    const Shape *shape = &n->type.shape;
    const int axis = n->attr.sort.axis;
    const DType t = n->inputs[0]->type.dtype;
    Argsort a = {n, {0}, dtype_accumulator(t)};
    for (int i = 0; i < shape->rank; i++)
        if (i != axis) a.others.dims[a.others.rank++] = shape->dims[i];
    const SortRequest request = {.rows = dim_need(shape_elements(l->dims, &a.others)),
                                 .length = shape->dims[axis],
                                 .dtype = a.dtype,
                                 .descending = n->attr.sort.descending,
                                 .key = key_at,
                                 .store = store_position,
                                 .user = &a};
    const SortedRows rows = gpu_sort(l, group, &request);
    if (!rows.order) return;
    Builder *b = builder_new(l->program, l->arena);
    Gen *gen = gen_new(l, b, group);
    b->kernel->threads = GPU_THREADS;
    const Index *at[SHAPE_MAX_RANK], *other[SHAPE_MAX_RANK], *from[2];
    gpu_open_elements(b, shape, at);
    for (int i = 0, next = 0; i < shape->rank; i++)
        if (i != axis) other[next++] = at[i];
    from[0] = index_flatten(b->table, other, &a.others);
    from[1] = at[axis];
    const Expr *position = expr_load(b, builder_slot(b, rows.order, ACCESS_READ), from, 2);
    gen_store(gen, n, at, expr_cast(b, position, n->type.dtype));
    group_finish(l, group, b, "sorted positions");
}
