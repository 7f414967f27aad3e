/* The schedule of pointwise and row kernels for blocks and threads.
 *
 * Input: a LOOPS group.  Output: one kernel, or two.  Without reductions every thread has an
 * element of the space.  With them a row belongs to a thread, to a warp, to a block, or, where rows
 * are neighbours in memory, to the lanes of one number in all warps of a block; few long rows are
 * cut into parts: one kernel folds each part, a second one the parts.  All folds take the fixed
 * tree of their loop, so sums do not depend on timing. */
#include "kernel/loops.h"

enum {
    THREAD_ROW_MAX = 8,  /* longer rows that lie in one piece belong to a warp */
    WARP_ROW_MAX = 1024, /* longer ones to a block */
    COLUMNS_MIN = 2,     /* so many rows that are neighbours in memory are read side by side */
    STEP = 32,           /* cycles, about, of one step of a thread down its row */
    PART_STEPS = 64,     /* of a thread in a part, at least */
};

/* Who works on one row. */
typedef struct RowForm {
    Binding row;     /* rows of a tile are dealt to threads or warps; SEQ: a tile is one row */
    Binding element; /* elements of a row likewise; SEQ: one after the other */
    int rows, lanes; /* of a tile; of those that share a row */
} RowForm;
static const RowForm by_thread = {BIND_THREAD, BIND_SEQ, GPU_THREADS, 1};
static const RowForm by_warp = {BIND_WARP, BIND_LANE, GPU_WARPS, WARP_LANES};
static const RowForm by_block = {BIND_SEQ, BIND_THREAD, 1, GPU_THREADS};
static const RowForm by_columns = {BIND_LANE, BIND_WARP, WARP_LANES, GPU_WARPS};

typedef struct Choice {
    const RowForm *form;
    const Index *row; /* the current one, of all kept axes as one */
    /* Rows that are cut; part NULL: they are not. */
    int64_t parts;
    const Index *part;
    const Loops *first;           /* which folded the parts; NULL in that one */
    Buffer **values, **positions; /* [parts, rows], by the number in `found` */
} Choice;

static Choice *choice_of(const Loops *x) {
    return (Choice *)x->choice;
}

static const RowForm *form_of(const Loops *x) {
    return choice_of(x)->form;
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

/* All lanes come, since the fold of a column needs them: those beyond the last column read it
 * again, and store nothing. */
static const Index *open_columns(Loops *x, const Index *begin, const Dim *total) {
    Builder *b = x->b;
    IndexTable *t = b->table;
    int lane = builder_axis(b, "i", dim_const(b->dims, WARP_LANES));
    builder_open(b, lane, NULL, NULL, BIND_LANE);
    const Index *column = index_add(t, begin, builder_axis_index(b, lane));
    x->inside = guard_range(b, NULL, column, NULL, total);
    if (!x->inside) return column;
    const Dim *last = dim_sub(b->dims, total, dim_const(b->dims, 1));
    return index_min(t, column, index_dim(t, last));
}

/* Tiles of rows, which are dealt as the form says. */
static void open_kept(Loops *x) {
    Builder *b = x->b;
    IndexTable *t = b->table;
    const RowForm *form = form_of(x);
    const Dim *total = elements_of(x, x->kept, x->kept_count);
    const Index *row;
    if (form->row == BIND_SEQ) {
        row = builder_tile(b, "row", total);
    } else {
        const Dim *width = dim_const(b->dims, form->rows);
        const Index *begin = index_scale(
            t, builder_tile(b, "tile", dim_need(dim_ceildiv(b->dims, total, form->rows))), width);
        if (form->row == BIND_LANE) {
            row = open_columns(x, begin, total);
        } else {
            int axis = builder_axis(b, "i", total);
            builder_open(
                b, axis, begin,
                index_min(t, index_dim(t, total), index_add(t, begin, index_dim(t, width))),
                form->row);
            row = builder_axis_index(b, axis);
        }
    }
    choice_of(x)->row = row;
    set_flat(x, x->kept, x->kept_count, row);
    for (int i = 0; i < x->kept_count; i++) x->row[i] = x->at[x->kept[i]];
}

static int open_reduced(Loops *x) {
    Builder *b = x->b;
    IndexTable *t = b->table;
    const Binding binding = form_of(x)->element;
    int depth = b->depth;
    if (binding == BIND_SEQ) {
        for (int i = 0; i < x->reduced_count; i++) {
            int axis = builder_axis(b, "k", x->group->space.dims[x->reduced[i]]);
            builder_open(b, axis, NULL, NULL, BIND_SEQ);
            x->at[x->reduced[i]] = builder_axis_index(b, axis);
        }
        return b->depth - depth;
    }
    const Dim *length = elements_of(x, x->reduced, x->reduced_count);
    const Index *begin = NULL, *end = NULL;
    if (choice_of(x)->part) {
        const Dim *size = dim_need(dim_ceildiv(b->dims, length, choice_of(x)->parts));
        begin = index_scale(t, choice_of(x)->part, size);
        end = index_min(t, index_dim(t, length), index_add(t, begin, index_dim(t, size)));
    }
    int axis = builder_axis(b, "k", length);
    builder_open(b, axis, begin, end, binding);
    set_flat(x, x->reduced, x->reduced_count, builder_axis_index(b, axis));
    return 1;
}

/* One thread of those that know what belongs to the row. */
static int open_once(Loops *x) {
    if (form_of(x)->element == BIND_SEQ) return 0;
    int axis = builder_axis(x->b, "once", dim_const(x->b->dims, 1));
    builder_open(x->b, axis, NULL, NULL, form_of(x)->element);
    return 1;
}

static Loops *begin(Lowering *l, Group *group, const RowForm *form) {
    Loops *x = loops_new(l, group, l->arena);
    Choice *choice = NEW(l->arena, Choice);
    choice->form = form;
    x->b->kernel->threads = GPU_THREADS;
    x->choice = choice;
    x->open_reduced = open_reduced;
    x->open_once = open_once;
    return x;
}

/* ---- rows in parts ---- */

/* Memory for what the parts of every row give. */
static void make_parts(Loops *x) {
    Choice *c = choice_of(x);
    const size_t count = (size_t)x->found.count;
    Shape shape = {2, {dim_const(x->b->dims, c->parts), elements_of(x, x->kept, x->kept_count)}};
    c->values = NEW_ARRAY(x->arena, count, Buffer *);
    c->positions = NEW_ARRAY(x->arena, count, Buffer *);
    for (int i = 0; i < x->found.count; i++) {
        const Found *f = &x->found.data[i];
        const DType t = x->b->kernel->registers.data[f->reg].dtype;
        c->values[i] = lowering_buffer(x->l, BUFFER_TEMPORARY, t, shape, "parts");
        if (f->position >= 0)
            c->positions[i] =
                lowering_buffer(x->l, BUFFER_TEMPORARY, f->node->type.dtype, shape, "positions");
    }
}

static void store_part(Loops *x, Buffer *to, int reg) {
    const Index *place[2] = {choice_of(x)->part, choice_of(x)->row};
    if (to)
        builder_store(x->b, builder_slot(x->b, to, ACCESS_WRITE), place, 2,
                      expr_register(x->b, reg), NULL);
}

/* Folds every part, and stores what belongs to the points of the space. */
static Loops *fold_parts(Lowering *l, Group *group, const RowForm *form, int64_t parts) {
    Loops *x = begin(l, group, form);
    Choice *c = choice_of(x);
    Builder *b = x->b;
    c->parts = parts;
    c->part = builder_tile(b, "part", dim_const(b->dims, parts));
    open_kept(x);
    int depth = b->depth;
    loops_phase(x, 0);
    make_parts(x);
    open_once(x);
    if (x->inside) builder_open_if(b, x->inside);
    for (int i = 0; i < x->found.count; i++) {
        store_part(x, c->values[i], x->found.data[i].reg);
        store_part(x, c->positions[i], x->found.data[i].position);
    }
    while (b->depth > depth) builder_close(b);
    loops_store_space(x);
    loops_close(x);
    group_finish(l, group, b, "parts of rows");
    return x;
}

/* What a part has given, in place of a point of the row. */
static const Expr *taken_part(Loops *x, const Node *n, const Expr **position) {
    const Choice *c = choice_of(x), *first = choice_of(c->first);
    const Index *place[2] = {c->part, c->row};
    int i = 0;
    while (c->first->found.data[i].node != n) i++;
    if (first->positions[i])
        *position = expr_load(x->b, builder_slot(x->b, first->positions[i], ACCESS_READ), place, 2);
    return expr_load(x->b, builder_slot(x->b, first->values[i], ACCESS_READ), place, 2);
}

static int open_parts(Loops *x) {
    Choice *c = choice_of(x);
    int axis = builder_axis(x->b, "part", dim_const(x->b->dims, choice_of(c->first)->parts));
    builder_open(x->b, axis, NULL, NULL, form_of(x)->element);
    c->part = builder_axis_index(x->b, axis);
    return 1;
}

static void sum_parts(Lowering *l, Group *group, const Loops *first) {
    bool one = dim_is(elements_of(first, first->kept, first->kept_count), 1);
    bool few = choice_of(first)->parts <= THREAD_ROW_MAX;
    Loops *x = begin(l, group, few ? &by_thread : one ? &by_warp : &by_columns);
    choice_of(x)->first = first;
    x->open_reduced = open_parts;
    x->taken = taken_part;
    open_kept(x);
    loops_phase(x, 0);
    loops_store_rows(x);
    loops_close(x);
    group_finish(l, group, x->b, NULL);
}

/* ---- choosing ---- */

static double size_of(const Loops *x, const int *axes, int count) {
    double size = 1;
    for (int i = 0; i < count; i++) size *= gpu_size(x->group->space.dims[axes[i]]);
    return size;
}

static const RowForm *choose_form(const Loops *x) {
    const Shape *space = &x->group->space;
    int64_t rows = loops_hint(space, x->kept, 0, x->kept_count);
    int64_t length = loops_hint(space, x->reduced, 0, x->reduced_count);
    bool columns = !(x->group->reduced >> (space->rank - 1) & 1);
    if (length <= THREAD_ROW_MAX) return &by_thread;
    if (columns && rows >= COLUMNS_MIN)
        return rows >= GPU_PROCESSORS * GPU_RESIDENT ? &by_thread : &by_columns;
    return length <= WARP_ROW_MAX && x->kept_count ? &by_warp : &by_block;
}

/* How many parts, so that all processors have some, where that is worth another launch. */
static int64_t part_count(Loops *x, const RowForm *form) {
    if (form != &by_block && form != &by_columns) return 1;
    if (loops_levels(x) != 1 || loops_space_waits(x)) return 1;
    double tiles = size_of(x, x->kept, x->kept_count) / form->rows;
    double steps = size_of(x, x->reduced, x->reduced_count) / form->lanes;
    double parts = 2 * GPU_PROCESSORS / (tiles < 1 ? 1 : tiles);
    if (parts > steps / PART_STEPS) parts = steps / PART_STEPS;
    return parts >= 2 && steps * STEP > 2 * GPU_LAUNCH ? (int64_t)parts : 1;
}

void schedule_gpu_loops(Lowering *l, Group *group) {
    if (schedule_gpu_transposed(l, group)) return;
    Loops *x = begin(l, group, &by_thread);
    if (group->reduced) choice_of(x)->form = choose_form(x);
    int64_t parts = group->reduced ? part_count(x, form_of(x)) : 1;
    if (parts > 1) {
        sum_parts(l, group, fold_parts(l, group, form_of(x), parts));
        return;
    }
    open_kept(x);
    loops_body(x);
    loops_close(x);
    group_finish(l, group, x->b, NULL);
}
