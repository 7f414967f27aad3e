/* The schedule, for blocks and threads, of pointwise kernels that read across the rows they write.
 *
 * Input: a LOOPS group without reductions, some of whose loads run along another axis of memory
 * than its stores.  Output: one kernel, or none where no load does.  A block owns a square of the
 * two axes: it brings such loads into shared memory, neighbouring threads along the axis that is
 * memory's, and computes and stores with neighbouring threads along the last axis.  Both passes
 * generate the same expressions, at other threads, so that a load is known by its number. */
#include "kernel/loops.h"

enum {
    SIDE = WARP_LANES,
    SIDE_MIN = 8,     /* shorter axes are not worth it */
    LOADS_MAX = 32,   /* of a kernel */
    SQUARES_MAX = 4,  /* of these in shared memory: 33 KB of f64 */
    NODES_MAX = 1024, /* of its expressions, as trees */
};

typedef struct Square {
    Loops *x;
    Gen *gen;
    int first, across;      /* the axes, as one, along which the loads run */
    const Index *corner[2]; /* of the square: along `across`, along the last axis */
    int axis[2];            /* of loops: positions in the square along these */
    /* While loads are looked for or replaced: how many have been met, and slots by number. */
    int nodes, loads;
    int votes[SHAPE_MAX_RANK];
    const Expr *seen[LOADS_MAX];
    int slots[LOADS_MAX]; /* -1: it stays */
    const Guard *path;    /* under which the current load is read */
    bool asks, failed;    /* looking for loads; too many nodes or loads */
} Square;

static int last_axis(const Square *s) {
    return s->x->group->space.rank - 1;
}

static const Index *offset_of(Builder *b, const Expr *load) {
    const Slot *slot = &b->kernel->slots.data[load->slot];
    return index_offset(b->table, slot->layout, &slot->shape, load->indices);
}

static bool runs_along(Builder *b, const Expr *load, int axis) {
    const Dim *stride;
    return index_motion(offset_of(b, load), axis, &stride) == MOTION_STRIDE && dim_is(stride, 1);
}

static bool stays(Builder *b, const Expr *load, int axis) {
    return index_motion(offset_of(b, load), axis, NULL) == MOTION_NONE;
}

/* Calls `visit` with every load of a tree, in order, under the guards of its path. */
static const Expr *walk(Square *s, const Expr *e,
                        const Expr *(*visit)(Square *s, const Expr *load)) {
    if (s->asks && ++s->nodes > NODES_MAX) s->failed = true;
    if (s->failed) return e;
    if (e->kind == EXPR_LOAD) return visit(s, e);
    Expr *copy = NULL;
    for (int i = 0; i < e->arg_count; i++) {
        const Guard *outer = s->path;
        for (int t = 0; e->kind == EXPR_GUARD && i == 0 && t < e->guard->count; t++)
            s->path = guard_and(s->x->b, s->path, e->guard->tests[t]);
        const Expr *arg = walk(s, e->args[i], visit);
        s->path = outer;
        if (arg == e->args[i]) continue;
        if (!copy) copy = arena_copy(s->x->arena, e, sizeof *e);
        copy->args[i] = arg;
    }
    return copy ? copy : e;
}

/* ---- which axis ---- */

static const Expr *vote(Square *s, const Expr *load) {
    Builder *b = s->x->b;
    if (s->loads == LOADS_MAX || load->slot >= b->kernel->slots.count)
        s->failed = true;
    else
        s->seen[s->loads++] = load;
    if (s->failed || runs_along(b, load, last_axis(s)) || stays(b, load, last_axis(s))) return load;
    for (int i = 0; i < last_axis(s); i++)
        if (runs_along(b, load, i)) s->votes[i]++;
    return load;
}

static const Dim *run_size(const Square *s) {
    Shape run = {0};
    for (int i = s->first; i <= s->across; i++) run.dims[run.rank++] = s->x->group->space.dims[i];
    return dim_need(shape_elements(s->x->b->dims, &run));
}

/* Do the loads go on along the axis before, where the run of axes ends? */
static bool run_goes_on(const Square *s) {
    Builder *b = s->x->b;
    if (!s->first) return false;
    for (int i = 0; i < s->loads; i++) {
        const Dim *stride;
        if (!runs_along(b, s->seen[i], s->across)) continue;
        if (index_motion(offset_of(b, s->seen[i]), s->first - 1, &stride) != MOTION_STRIDE ||
            dim_equal(b->dims, stride, run_size(s)) != DIM_YES)
            return false;
    }
    return true;
}

/* Finds the axes of most loads that do not run along the last one; false: there are none. */
static bool find_axes(Lowering *l, Group *group, Arena *arena, int *first, int *across) {
    Square s = {.x = loops_new(l, group, arena), .asks = true};
    Builder *b = s.x->b;
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < group->space.rank; i++) {
        int axis = builder_axis(b, "i", group->space.dims[i]);
        builder_open(b, axis, NULL, NULL, BIND_SEQ);
        at[i] = builder_axis_index(b, axis);
    }
    s.x->gen->pure = true;
    for (int m = 0; m < group->members.count; m++) {
        const Node *n = group->members.data[m];
        /* A product that sums nothing has a value that only loops.c can give. */
        if (node_is_reduction(n)) return false;
        if (!lowering_needs_store(l, n)) continue;
        if (n->type.shape.rank != group->space.rank) return false;
        walk(&s, gen_value(s.x->gen, n, at), vote);
    }
    s.across = -1;
    for (int i = 0; i < last_axis(&s); i++)
        if (s.votes[i] && (s.across < 0 || s.votes[i] > s.votes[s.across])) s.across = i;
    if (s.failed || s.x->gen->illegal || s.across < 0 || s.votes[s.across] > SQUARES_MAX)
        return false;
    s.first = s.across;
    while (run_goes_on(&s)) s.first--;
    *first = s.first;
    *across = s.across;
    return gpu_size(run_size(&s)) >= SIDE_MIN &&
           gpu_size(group->space.dims[last_axis(&s)]) >= SIDE_MIN;
}

/* ---- the square ---- */

static const Dim *constant(const Square *s, int64_t v) {
    return dim_const(s->x->b->dims, v);
}

static const Index *open_side(const Square *s, const Dim *size) {
    Builder *b = s->x->b;
    const Dim *count = dim_need(dim_ceildiv(b->dims, size, SIDE));
    return index_scale(b->table, builder_tile(b, "square", count), constant(s, SIDE));
}

/* The axes that the square does not have are tiles of one. */
static void open_others(Square *s) {
    Builder *b = s->x->b;
    Shape others = {0};
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < last_axis(s); i++)
        if (i < s->first || i > s->across) others.dims[others.rank++] = s->x->group->space.dims[i];
    if (!others.rank) return;
    const Dim *count = dim_need(shape_elements(b->dims, &others));
    index_unflatten(b->table, builder_tile(b, "tile", count), &others, at);
    for (int i = 0, next = 0; i < last_axis(s); i++)
        if (i < s->first || i > s->across) s->x->at[i] = at[next++];
}

/* Opens the loops of one pass: the lanes of a warp are neighbours along `lane` (0: across, 1: the
 * last axis), warps go along the other; and what is inside of the space. */
static void open_pass(Square *s, int lane) {
    Loops *x = s->x;
    Builder *b = x->b;
    const Dim *size[2] = {run_size(s), x->group->space.dims[last_axis(s)]};
    const Index *at[2];
    const Guard *inside = NULL;
    Shape run = {0};
    for (int k = 0; k < 2; k++) {
        int side = k ? lane : 1 - lane;
        s->axis[side] = builder_axis(b, k ? "lane" : "warp", constant(s, SIDE));
        builder_open(b, s->axis[side], NULL, NULL, k ? BIND_LANE : BIND_WARP);
    }
    for (int side = 0; side < 2; side++) {
        at[side] = index_add(b->table, s->corner[side], builder_axis_index(b, s->axis[side]));
        inside = guard_range(b, inside, at[side], NULL, size[side]);
    }
    for (int i = s->first; i <= s->across; i++) run.dims[run.rank++] = x->group->space.dims[i];
    index_unflatten(b->table, at[0], &run, x->at + s->first);
    x->at[last_axis(s)] = at[1];
    if (inside) builder_open_if(b, inside);
    s->gen = gen_new(x->l, b, x->group);
    s->gen->pure = true;
    s->loads = 0;
}

/* The place of a load's value in shared memory: lanes of both passes meet different banks. */
static void place_in_square(const Square *s, const Index **place) {
    place[0] = builder_axis_index(s->x->b, s->axis[1]);
    place[1] = builder_axis_index(s->x->b, s->axis[0]);
}

static const Expr *bring(Square *s, const Expr *load) {
    Builder *b = s->x->b;
    int number = s->loads++;
    if (number >= LOADS_MAX) return load;
    s->slots[number] = -1;
    if (!runs_along(b, load, s->axis[0])) return load;
    Shape shape = {2, {constant(s, SIDE), constant(s, SIDE + 1)}};
    s->slots[number] = builder_scratch_in(b, SPACE_SHARED, "square", load->dtype, shape);
    const Index *place[2];
    place_in_square(s, place);
    builder_store(b, s->slots[number], place, 2, load, s->path);
    return load;
}

static const Expr *take(Square *s, const Expr *load) {
    int number = s->loads++, slot = number < LOADS_MAX ? s->slots[number] : -1;
    const Index *place[2];
    place_in_square(s, place);
    return slot < 0 ? load : expr_load(s->x->b, slot, place, 2);
}

static void close_all(Square *s) {
    while (s->x->b->depth > 0) builder_close(s->x->b);
}

static void bring_loads(Square *s) {
    Group *g = s->x->group;
    open_pass(s, 0);
    for (int m = 0; m < g->members.count; m++)
        if (lowering_needs_store(s->x->l, g->members.data[m]))
            walk(s, gen_value(s->gen, g->members.data[m], s->x->at), bring);
    close_all(s);
}

static const Expr *take_loads(void *user, const Expr *value) {
    return walk(user, value, take);
}

static void store_values(Square *s) {
    open_pass(s, 1);
    gen_store_members(s->gen, s->x->at, (StoreRequest){NULL, take_loads, s});
    close_all(s);
}

bool schedule_gpu_transposed(Lowering *l, Group *group) {
    if (group->reduced || group->space.rank < 2) return false;
    Square square = {0}, *s = &square;
    Arena *trial = arena_new();
    bool found = find_axes(l, group, trial, &s->first, &s->across);
    arena_free(trial);
    if (!found) return false;
    s->x = loops_new(l, group, l->arena);
    s->x->b->kernel->threads = GPU_THREADS;
    open_others(s);
    s->corner[0] = open_side(s, run_size(s));
    s->corner[1] = open_side(s, s->x->group->space.dims[last_axis(s)]);
    bring_loads(s);
    builder_leaf(s->x->b, STMT_BARRIER);
    store_values(s);
    group_finish(l, group, s->x->b, NULL);
    return true;
}
