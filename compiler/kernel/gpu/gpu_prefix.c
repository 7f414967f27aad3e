/* The schedule of running sums, products and extrema for blocks and threads.
 *
 * Input: a PREFIX group.  Output: one kernel, or two.  A row along the axis belongs to a thread
 * where rows are neighbours in memory and many, or to a thread of each warp of a block, which fold
 * their segments first; else to a warp or a block, which take it a chunk at a time: the values of
 * a chunk are combined by a scan (STMT_SCAN) and what came before it is carried on.  Few long rows
 * are cut into parts: one kernel folds each part, and in the other a block begins its part with the
 * fold of those before.  Every order is fixed. */
#include "kernel/internal.h"

#include <math.h>

enum {
    PART = 2048,      /* elements of a part, at least */
    PARTS_MAX = 1024, /* of a row whose length is known */
    PART_OPEN = 4096, /* elements of a part of a row whose length only a call knows, */
    ROWS_OPEN = 8,    /* which is cut when there are so few rows: it may be long, */
    LONG = 1 << 16,   /* unless it is known to be shorter than this */
};

/* Who works on one row; estimated cycles of a step of all of them. */
typedef struct RowForm {
    Binding row;     /* rows of a tile are dealt to threads or warps; SEQ: a tile is one row */
    Binding element; /* elements of a row likewise; SEQ: one after the other */
    int rows, lanes; /* of a tile; for a row */
    double step;
    int reads; /* of an element */
} RowForm;
static const RowForm forms[] = {
    {BIND_THREAD, BIND_SEQ, GPU_THREADS, 1, 60, 1},
    {BIND_WARP, BIND_LANE, GPU_WARPS, WARP_LANES, 450, 1},
    {BIND_SEQ, BIND_THREAD, 1, GPU_THREADS, 900, 1},
    {BIND_LANE, BIND_SEQ, WARP_LANES, GPU_WARPS, 120, 2},
};
enum { BY_BLOCK = 2, FORMS = sizeof forms / sizeof *forms };

typedef struct Prefix {
    Lowering *l;
    Builder *b;
    Gen *gen;
    const Node *n;
    DType dtype; /* of the running value */
    Shape others;
    const Dim *length;
    const Index *at[SHAPE_MAX_RANK];
    Buffer *totals; /* [rows, parts]; NULL: rows are not cut */
    int64_t part;   /* elements of a part */
} Prefix;

static void begin(Prefix *p, Group *group) {
    p->b = builder_new(p->l->program, p->l->arena);
    p->gen = gen_new(p->l, p->b, group);
    p->b->kernel->threads = GPU_THREADS;
}

static const Dim *constant(Prefix *p, int64_t v) {
    return dim_const(p->b->dims, v);
}

static void set_row(Prefix *p, const Index *const *other) {
    for (int i = 0, next = 0; i < p->n->type.shape.rank; i++)
        if (i != p->n->attr.prefix.axis) p->at[i] = other[next++];
}

static void set_flat_row(Prefix *p, const Index *row) {
    const Index *other[SHAPE_MAX_RANK];
    index_unflatten(p->b->table, row, &p->others, other);
    set_row(p, other);
}

/* The k-th element of the row, in the order of the sum. */
static void set_place(Prefix *p, const Index *k) {
    IndexTable *t = p->b->table;
    const Dim *last = dim_sub(p->b->dims, p->length, constant(p, 1));
    p->at[p->n->attr.prefix.axis] =
        p->n->attr.prefix.reverse ? index_sub(t, index_dim(t, last), k) : k;
}

static const Expr *value_here(Prefix *p) {
    return expr_cast(p->b, gen_value(p->gen, p->n->inputs[0], p->at), p->dtype);
}

static void store_here(Prefix *p, const Expr *value) {
    gen_store(p->gen, p->n, p->at, expr_cast(p->b, value, p->n->type.dtype));
}

static const Expr *neutral(Prefix *p) {
    const ReduceKind kind = p->n->attr.prefix.kind;
    long long lowest, highest;
    if (kind != REDUCE_MAX && kind != REDUCE_MIN)
        return expr_const(p->b, p->dtype, kind == REDUCE_PROD);
    if (dtype_is_float(p->dtype))
        return expr_const(p->b, p->dtype, kind == REDUCE_MAX ? -INFINITY : INFINITY);
    dtype_int_range(p->dtype, &lowest, &highest);
    return expr_const_int(p->b, p->dtype, kind == REDUCE_MAX ? lowest : highest);
}

static const Expr *combined(Prefix *p, const Expr *before, const Expr *value) {
    static const Op ops[] = {[REDUCE_SUM] = OP_ADD,
                             [REDUCE_PROD] = OP_MUL,
                             [REDUCE_MAX] = OP_MAXIMUM,
                             [REDUCE_MIN] = OP_MINIMUM};
    const Expr *args[2] = {before, value};
    return expr_op(p->b, ops[p->n->attr.prefix.kind], p->dtype, args, 2);
}

static int open_accumulator(Prefix *p, const char *name, const Dim *extent, const Index *first,
                            const Index *end, Binding binding, const Index **k) {
    int reg = builder_register(p->b, p->dtype, "prefix");
    int axis = builder_axis(p->b, name, extent);
    Stmt *loop = builder_open(p->b, axis, first, end, binding);
    builder_accumulator(p->b, loop, p->n->attr.prefix.kind, reg, -1);
    *k = builder_axis_index(p->b, axis);
    return reg;
}

/* ---- a row, or a part of one ---- */

static void write_serial(Prefix *p) {
    const Index *k;
    int reg = open_accumulator(p, "k", p->length, NULL, NULL, BIND_SEQ, &k);
    set_place(p, k);
    builder_accumulate(p->b, p->n->attr.prefix.kind, reg, value_here(p), NULL);
    store_here(p, expr_register(p->b, reg));
}

/* Elements [first, end) by `lanes` threads; `before` (NULL: nothing) comes before all of them. */
static void write_chunks(Prefix *p, const RowForm *form, const Index *first, const Index *end,
                         const Dim *extent, const Expr *before) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Dim *lanes = constant(p, form->lanes);
    const Dim *chunks = dim_need(dim_ceildiv(b->dims, extent, form->lanes));
    const Index *chunk;
    const Index *count = index_add(t, index_sub(t, end, first), index_const(t, form->lanes - 1));
    int carry = open_accumulator(p, "chunk", chunks, NULL, index_floordiv(t, count, lanes),
                                 BIND_SEQ, &chunk);
    int lane = builder_axis(b, "t", lanes);
    builder_open(b, lane, NULL, NULL, form->element);
    const Index *k = index_add(t, index_add(t, first, index_scale(t, chunk, lanes)),
                               builder_axis_index(b, lane));
    set_place(p, k);
    const Index *rest = index_sub(t, end, k);
    const Guard *inside = guard_range(b, NULL, rest, constant(p, 1), NULL);
    p->gen->guard = inside;
    const Expr *value = expr_guard(b, inside, value_here(p), neutral(p));
    p->gen->guard = NULL;
    int reg = builder_register(b, p->dtype, "running");
    Stmt *scan = builder_leaf(b, STMT_SCAN);
    scan->binding = form->element;
    scan->combine = p->n->attr.prefix.kind;
    scan->reg = reg;
    scan->carry = carry;
    scan->value = value;
    if (inside) builder_open_if(b, inside);
    const Expr *running = expr_register(b, reg);
    store_here(p, before ? combined(p, before, running) : running);
}

/* Neighbouring rows are lanes, and each warp takes a segment of them: totals of segments first. */
static void write_segments(Prefix *p, const Dim *rows) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const ReduceKind kind = p->n->attr.prefix.kind;
    const Dim *lanes = constant(p, WARP_LANES), *warps = constant(p, GPU_WARPS);
    const Dim *tiles = dim_need(dim_ceildiv(b->dims, rows, WARP_LANES));
    const Dim *size = dim_need(dim_ceildiv(b->dims, p->length, GPU_WARPS));
    const Shape shape = {2, {warps, lanes}};
    const int totals = builder_scratch_in(b, SPACE_SHARED, "totals", p->dtype, shape);
    const Index *tile = builder_tile(b, "tile", tiles), *k, *w;
    int thread = builder_axis(b, "t", constant(p, GPU_THREADS));
    builder_open(b, thread, NULL, NULL, BIND_THREAD);
    const Index *warp = index_floordiv(t, builder_axis_index(b, thread), lanes);
    const Index *lane = index_mod(t, builder_axis_index(b, thread), lanes);
    const Index *row = index_add(t, index_scale(t, tile, lanes), lane);
    const Guard *exists = guard_range(b, NULL, row, NULL, rows);
    const Index *first = index_scale(t, warp, size);
    const Index *end =
        index_min(t, index_dim(t, p->length), index_add(t, first, index_dim(t, size)));
    const int depth = b->depth;
    set_flat_row(p, row);
    if (exists) builder_open_if(b, exists);
    int sum = open_accumulator(p, "k", p->length, first, end, BIND_SEQ, &k);
    set_place(p, k);
    builder_accumulate(b, kind, sum, value_here(p), NULL);
    builder_close(b);
    const Index *place[2] = {warp, lane};
    builder_store(b, totals, place, 2, expr_register(b, sum), NULL);
    while (b->depth > depth) builder_close(b);
    builder_leaf(b, STMT_BARRIER);
    if (exists) builder_open_if(b, exists);
    int before = open_accumulator(p, "w", warps, NULL, warp, BIND_SEQ, &w);
    place[0] = w;
    builder_accumulate(b, kind, before, expr_load(b, totals, place, 2), NULL);
    builder_close(b);
    int running = open_accumulator(p, "k", p->length, first, end, BIND_SEQ, &k);
    set_place(p, k);
    builder_accumulate(b, kind, running, value_here(p), NULL);
    store_here(p, combined(p, expr_register(b, before), expr_register(b, running)));
}

static void write_rows(Prefix *p, const RowForm *form) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Dim *rows = dim_need(shape_elements(b->dims, &p->others));
    const Index *other[SHAPE_MAX_RANK];
    if (form->row == BIND_THREAD) {
        gpu_open_elements(b, &p->others, other);
        set_row(p, other);
        write_serial(p);
        return;
    }
    if (form->row == BIND_LANE) {
        write_segments(p, rows);
        return;
    }
    if (form->row == BIND_WARP) {
        const Dim *each = constant(p, form->rows);
        const Dim *tiles = dim_need(dim_ceildiv(b->dims, rows, form->rows));
        const Index *first = index_scale(t, builder_tile(b, "tile", tiles), each);
        const Index *end =
            index_min(t, index_dim(t, rows), index_add(t, first, index_dim(t, each)));
        int axis = builder_axis(b, "row", rows);
        builder_open(b, axis, first, end, BIND_WARP);
        set_flat_row(p, builder_axis_index(b, axis));
    } else {
        set_flat_row(p, builder_tile(b, "row", rows));
    }
    write_chunks(p, form, index_const(t, 0), index_dim(t, p->length), p->length, NULL);
}

/* ---- few long rows: parts ---- */

/* The part of this tile, its first element and end. */
static const Index *open_part(Prefix *p, const Index **row, const Index **first,
                              const Index **end) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Dim *size = constant(p, p->part);
    *row = builder_tile(b, "row", p->totals->shape.dims[0]);
    const Index *part = builder_tile(b, "part", p->totals->shape.dims[1]);
    set_flat_row(p, *row);
    *first = index_scale(t, part, size);
    *end = index_min(t, index_dim(t, p->length), index_add(t, *first, index_dim(t, size)));
    return part;
}

static void write_totals(Prefix *p) {
    Builder *b = p->b;
    const Index *row, *first, *end, *k, *part = open_part(p, &row, &first, &end);
    int reg = open_accumulator(p, "k", p->length, first, end, BIND_THREAD, &k);
    set_place(p, k);
    builder_accumulate(b, p->n->attr.prefix.kind, reg, value_here(p), NULL);
    builder_close(b);
    builder_open(b, builder_axis(b, "once", constant(p, 1)), NULL, NULL, BIND_THREAD);
    const Index *place[2] = {row, part};
    builder_store(b, builder_slot(b, p->totals, ACCESS_WRITE), place, 2, expr_register(b, reg),
                  NULL);
}

static void write_part(Prefix *p) {
    Builder *b = p->b;
    const Index *row, *first, *end, *k, *part = open_part(p, &row, &first, &end);
    int reg = open_accumulator(p, "before", p->totals->shape.dims[1], NULL, part, BIND_THREAD, &k);
    const Index *place[2] = {row, k};
    builder_accumulate(b, p->n->attr.prefix.kind, reg,
                       expr_load(b, builder_slot(b, p->totals, ACCESS_READ), place, 2), NULL);
    builder_close(b);
    write_chunks(p, &forms[BY_BLOCK], first, end, constant(p, p->part), expr_register(b, reg));
}

/* ---- choosing ---- */

/* Estimated cycles: the steps of a row one after the other, in waves of rows; or the memory's
 * time, where neighbouring threads that read other cache lines fetch a whole sector each. */
static double form_cost(const RowForm *form, double rows, double length, bool columns) {
    bool beside = (form->element == BIND_SEQ) == columns;
    if (form->row == BIND_LANE && !columns) return INFINITY;
    double tiles = ceil(rows / form->rows), threads = form->rows * form->lanes;
    double waves = ceil(tiles * threads / (GPU_PROCESSORS * GPU_RESIDENT));
    double steps = waves * ceil(length / form->lanes) * form->step;
    return fmax(steps, gpu_traffic(rows * length * (1 + form->reads) * (beside ? 4 : 32)));
}

static int64_t part_size(const Prefix *p) {
    int64_t length;
    if (!dim_is_const(p->length, &length)) return PART_OPEN;
    int64_t least = (length + PARTS_MAX - 1) / PARTS_MAX;
    return least <= PART ? PART : (least + GPU_THREADS - 1) / GPU_THREADS * GPU_THREADS;
}

/* Is it worth a second launch, before which another kernel reads the row? */
static bool is_cut(const Prefix *p, const Dim *rows, int64_t part, double whole, bool columns) {
    const double count = gpu_size(rows), length = gpu_size(p->length);
    int64_t known, lower, upper;
    dim_bounds(p->length, &lower, &upper);
    if (lower < upper && upper >= LONG && dim_is_const(rows, &known) && known <= ROWS_OPEN)
        return true;
    const double parts =
        form_cost(&forms[BY_BLOCK], count * ceil(length / (double)part), (double)part, columns);
    return GPU_LAUNCH + 1.5 * parts < whole;
}

void schedule_gpu_prefix(Lowering *l, Group *group) {
    const Node *n = group->anchor;
    const DType t = n->type.dtype;
    const Shape *s = &n->type.shape;
    Prefix prefix = {.l = l,
                     .n = n,
                     .dtype = dtype_accumulator(t),
                     .length = s->dims[n->attr.prefix.axis]},
           *p = &prefix;
    for (int i = 0; i < s->rank; i++)
        if (i != n->attr.prefix.axis) p->others.dims[p->others.rank++] = s->dims[i];
    const Dim *rows = dim_need(shape_elements(l->dims, &p->others));
    bool columns = n->attr.prefix.axis < s->rank - 1;
    double count = gpu_size(rows), length = gpu_size(p->length);
    const RowForm *best = &forms[0];
    for (int i = 1; i < FORMS; i++)
        if (form_cost(&forms[i], count, length, columns) < form_cost(best, count, length, columns))
            best = &forms[i];
    int64_t part = part_size(p);
    if (is_cut(p, rows, part, form_cost(best, count, length, columns), columns)) {
        const Dim *parts = dim_need(dim_ceildiv(l->dims, p->length, part));
        Shape shape = {2, {rows, parts}};
        p->part = part;
        p->totals = lowering_buffer(l, BUFFER_TEMPORARY, p->dtype, shape, "totals");
        begin(p, group);
        write_totals(p);
        group_finish(l, group, p->b, "totals of parts");
        begin(p, group);
        write_part(p);
    } else {
        begin(p, group);
        write_rows(p, best);
    }
    group_finish(l, group, p->b, NULL);
}
