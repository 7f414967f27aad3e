/* The schedule of contractions for blocks and threads: a tiled product of our own.
 *
 * Input: a CONTRACT group (the product and what is computed from it at the same element).  Output:
 * one kernel.  Labels are sorted into batch, rows (one operand), columns (the other) and depth
 * (summed), each read as one flat axis.  A block owns a tile of rows and columns: it brings both
 * operands into shared memory, a chunk of the depth at a time, and every thread adds products to
 * its own small tile in registers.  Where tiles are small, a chunk is sliced: some of the threads
 * see to each slice, and their sums are added at the end.  Operands are whatever expression they
 * are: windows of images, views and guards are followed while loading.  Order of the sum: k = 0, 1,
 * ... within a slice, then slices, then parts, in order; the same for every element. */
#include "kernel/gpu/gpu_contract.h"

#include <stdlib.h>

static const Tiling tilings[] = {
    {128, 128, 8, 8, 8, 1, 0}, {64, 64, 4, 4, 16, 1, 0},  {128, 32, 8, 2, 16, 1, 0},
    {32, 128, 2, 8, 16, 1, 0}, {128, 16, 8, 1, 16, 1, 0}, {16, 128, 1, 8, 16, 1, 0},
    {256, 8, 8, 1, 16, 1, 0},  {8, 256, 1, 8, 16, 1, 0},  {32, 32, 2, 2, 32, 1, 0},
    {16, 16, 1, 1, 32, 1, 0},  {32, 32, 4, 4, 64, 4, 0},  {16, 16, 2, 4, 64, 8, 0},
    {32, 8, 4, 2, 64, 8, 0},   {8, 32, 2, 4, 64, 8, 0},   {16, 8, 2, 2, 64, 8, 0},
    {8, 16, 2, 2, 64, 8, 0},
};
/* On tensor cores a warp has small products of 16 rows and 8 columns: templates/cuda_mma.h. */
static const Tiling core_tilings[] = {
    {128, 128, 8, 8, 16, 1, 2}, {64, 64, 4, 4, 32, 1, 2}, {128, 32, 4, 4, 32, 1, 4},
    {32, 128, 2, 8, 32, 1, 2},  {32, 32, 2, 2, 32, 1, 2},
};
enum {
    PART_DEPTH = 512, /* of a part, at least */
    TILINGS = sizeof tilings / sizeof *tilings,
    CORE_TILINGS = sizeof core_tilings / sizeof *core_tilings,
    CORE_MIN = 8 /* of rows, columns and depth that tensor cores are asked for */
};

/* ---- labels ---- */

/* Columns vary fastest in the result, so that neighbouring threads store neighbours. */
static void sort_labels(Product *p) {
    const Node *n = p->n;
    LabelGroups s = contract_sort_labels(n);
    int last = n->type.shape.rank - 1;
    for (int i = 0; i < s.side[0].count && last >= 0; i++)
        if (s.side[0].name[i] == n->attr.contract.out[last]) p->row_side = 1;
    p->sets[BATCH] = s.batch;
    p->sets[ROWS] = s.side[p->row_side];
    p->sets[COLUMNS] = s.side[1 - p->row_side];
    p->sets[DEPTH] = s.depth;
    for (int set = 0; set < SETS; set++) {
        const Shape shape = labels_shape(&p->sets[set]);
        p->total[set] = dim_need(shape_elements(p->b->dims, &shape));
    }
}

void gpu_product_indices_at(Product *p, int side, const Index *const *flat, const Index **out) {
    for (int s = 0; s < SETS; s++) {
        const Index *at[SHAPE_MAX_RANK];
        const Shape shape = labels_shape(&p->sets[s]);
        if (!flat[s]) continue;
        index_unflatten(p->t, flat[s], &shape, at);
        contract_place(p->n, side, &p->sets[s], at, out);
    }
}

/* ---- choosing ---- */

/* Estimated time: waves of blocks, each with its products, reads of shared memory and loads of
 * every chunk, and the sum of the slices. */
static double tiling_cost(const Product *p, const Tiling *t) {
    double count = gpu_size(p->total[BATCH]) *
                   block_count(gpu_size(p->total[ROWS]), (double)t->rows) *
                   block_count(gpu_size(p->total[COLUMNS]), (double)t->columns);
    double depth = block_count(gpu_size(p->total[DEPTH]), (double)t->chunk) * (double)t->chunk;
    double products = 2.0 * (double)(t->row_each * t->column_each) / (double)t->slices;
    double shared = 2.0 * (double)(t->row_each + t->column_each) / (double)t->slices;
    double folds =
        t->slices > 1 ? 4.0 * (double)(t->slices * t->rows * t->columns) / GPU_THREADS : 0;
    if (t->warps_down) {
        /* Some five times as many products (NVIDIA H100, TF32 by mma.sync), and lanes share what
         * they read: a row of 16 is in 4 registers, a column of 8 in one. */
        products /= 5;
        shared = 2.0 * ((double)t->row_each / 4 + (double)t->column_each / 8);
    }
    double loads = 4.0 * (double)(t->rows + t->columns) / GPU_THREADS;
    double step = products + shared + loads + 64.0 / (double)t->chunk;
    return block_count(count, GPU_PROCESSORS) * (depth * step + folds);
}

static bool suits_cores(const Product *p) {
    if (p->l->program->options.precision == PRECISION_F32 || p->dtype != DTYPE_F32) return false;
    for (int set = ROWS; set <= DEPTH; set++)
        if (gpu_size(p->total[set]) < CORE_MIN) return false;
    return true;
}

static void choose_tiling(Product *p) {
    bool cores = suits_cores(p);
    const Tiling *list = cores ? core_tilings : tilings;
    p->tiling = list;
    for (int i = 1; i < (cores ? CORE_TILINGS : TILINGS); i++)
        if (tiling_cost(p, &list[i]) < tiling_cost(p, p->tiling)) p->tiling = &list[i];
}

/* ---- building ---- */

static const Dim *constant(Product *p, int64_t v) {
    return dim_const(p->b->dims, v);
}

static const Index *open_loop(Product *p, const char *name, int64_t extent, Binding binding) {
    int axis = builder_axis(p->b, name, constant(p, extent));
    builder_open(p->b, axis, NULL, NULL, binding);
    return builder_axis_index(p->b, axis);
}

static const Index *open_threads(Product *p) {
    builder_open(p->b, p->thread, NULL, NULL, BIND_THREAD);
    return builder_axis_index(p->b, p->thread);
}

static void open_tiles(Product *p) {
    Builder *b = p->b;
    const int64_t size[] = {1, p->tiling->rows, p->tiling->columns};
    for (int s = BATCH; s <= COLUMNS; s++) {
        const Dim *count = dim_need(dim_ceildiv(b->dims, p->total[s], size[s]));
        p->begin[s] = index_scale(p->t,
                                  builder_tile(b,
                                               s == BATCH  ? "b"
                                               : s == ROWS ? "m"
                                                           : "n",
                                               count),
                                  constant(p, size[s]));
    }
}

/* Does the operand lie along the depth, neighbour by neighbour? */
static bool runs_along_depth(Product *p, int set, int side) {
    Builder *b = p->b;
    int across = builder_axis(b, "p", p->total[set]), deep = builder_axis(b, "p", p->total[DEPTH]);
    const Index *flat[SETS] = {p->begin[BATCH]}, *at[SHAPE_MAX_RANK];
    flat[set] = builder_axis_index(b, across);
    flat[DEPTH] = builder_axis_index(b, deep);
    gpu_product_indices_at(p, side, flat, at);
    Gen *gen = gen_new(p->l, b, p->group);
    gen->pure = true;
    const Expr *e = gen_value(gen, p->n->inputs[side], at);
    while (e->arg_count && e->kind != EXPR_LOAD) e = e->args[0];
    if (e->kind != EXPR_LOAD) return true;
    const Dim *stride;
    const Index *offset = index_offset(p->t, b->kernel->slots.data[e->slot].layout,
                                       &b->kernel->slots.data[e->slot].shape, e->indices);
    if (index_motion(offset, across, &stride) == MOTION_STRIDE && dim_is(stride, 1)) return false;
    return true;
}

/* Rows of a tile in shared memory, one for each step down the depth: `group` of them lie `pitch`
 * apart, and `skew` elements follow.  Threads meet different banks as long as they go along a row
 * or, in a warp that has several, down the depth. */
typedef struct TileLayout {
    int64_t group, pitch, skew;
} TileLayout;

static TileLayout tile_layout(const Product *p, int64_t width) {
    const Tiling *g = p->tiling;
    if (!g->warps_down) return (TileLayout){1, width + 1, 0};
    /* A group fills the banks but for gaps; a warp that goes down a chunk has so many columns. */
    const bool bf16 = p->l->program->options.precision == PRECISION_BF16;
    const int64_t skew = WARP_LANES / g->chunk;
    return bf16 ? (TileLayout){8, width + 4, skew} : (TileLayout){4, width + 8, skew};
}

static int make_tile(Product *p, const char *name, int64_t width) {
    const TileLayout l = tile_layout(p, width);
    Shape shape = {
        2, {constant(p, p->tiling->chunk / l.group), constant(p, l.group * l.pitch + l.skew)}};
    return builder_scratch_in(p->b, SPACE_SHARED, name, p->dtype, shape);
}

/* The element of a tile at a depth and a row (or column). */
static void place_in_tile(Product *p, int set, const Index *deep, const Index *across,
                          const Index **place) {
    IndexTable *t = p->t;
    const TileLayout l = tile_layout(p, set == ROWS ? p->tiling->rows : p->tiling->columns);
    const Dim *group = constant(p, l.group);
    place[0] = index_floordiv(t, deep, group);
    place[1] =
        index_add(t, index_scale(t, index_mod(t, deep, group), constant(p, l.pitch)), across);
}

/* A chunk of an operand into shared memory; zeros outside of it. */
static void load_tile(Product *p, int set, const Index *chunk) {
    Builder *b = p->b;
    IndexTable *t = p->t;
    const Tiling *g = p->tiling;
    int side = set == ROWS ? p->row_side : 1 - p->row_side;
    int64_t width = set == ROWS ? g->rows : g->columns;
    bool deep = runs_along_depth(p, set, side);
    const Index *e = open_loop(p, "e", width * g->chunk, BIND_THREAD);
    const Dim *run = constant(p, deep ? g->chunk : width);
    const Index *fast = index_mod(t, e, run), *slow = index_floordiv(t, e, run);
    const Index *down = deep ? fast : slow, *across = deep ? slow : fast, *place[2];
    const Index *flat[SETS] = {p->begin[BATCH]}, *at[SHAPE_MAX_RANK];
    flat[set] = index_add(t, p->begin[set], across);
    flat[DEPTH] = index_add(t, chunk, down);
    gpu_product_indices_at(p, side, flat, at);
    const Guard *guard = guard_range(b, NULL, flat[set], NULL, p->total[set]);
    guard = guard_range(b, guard, flat[DEPTH], NULL, p->total[DEPTH]);
    p->gen->guard = guard;
    const Expr *value = expr_cast(b, gen_value(p->gen, p->n->inputs[side], at), p->dtype);
    p->gen->guard = NULL;
    value = expr_guard(b, guard, value, expr_const(b, p->dtype, 0));
    place_in_tile(p, set, down, across, place);
    builder_store(b, p->tile[set == COLUMNS], place, 2, value, NULL);
    builder_close(b);
}

static const Index *scaled_quotient(Product *p, const Index *i, int64_t divisor, int64_t factor) {
    return index_scale(p->t, index_floordiv(p->t, i, constant(p, divisor)), constant(p, factor));
}

static const Index *scaled_rest(Product *p, const Index *i, int64_t divisor, int64_t factor) {
    return index_scale(p->t, index_mod(p->t, i, constant(p, divisor)), constant(p, factor));
}

/* The same of tensor cores: the warp's part of the tile, the small product in it, the lane's place
 * in that. */
static const Index *core_place(Product *p, int set, const Index *thread, const Index *each) {
    IndexTable *t = p->t;
    const Tiling *g = p->tiling;
    const int64_t across = GPU_WARPS / g->warps_down;
    const Index *warp = index_floordiv(t, thread, constant(p, WARP_LANES));
    const Index *lane = index_mod(t, thread, constant(p, WARP_LANES));
    if (set == ROWS) {
        const Index *part = scaled_quotient(p, warp, across, g->rows / g->warps_down);
        return index_add(t, index_add(t, part, scaled_quotient(p, lane, 4, 1)),
                         index_scale(t, each, constant(p, 8)));
    }
    const Index *part = scaled_rest(p, warp, across, g->columns / across);
    return index_add(t, index_add(t, part, scaled_rest(p, lane, 4, 2)),
                     index_add(t, scaled_quotient(p, each, 2, 8), scaled_rest(p, each, 2, 1)));
}

static const Dim *slice_threads(Product *p) {
    return constant(p, GPU_THREADS / p->tiling->slices);
}

/* The rows (or columns) of a thread lie apart by as many as there are threads across. */
static const Index *place_of(Product *p, int set, const Index *thread, const Index *each) {
    IndexTable *t = p->t;
    const Tiling *g = p->tiling;
    if (g->warps_down) return core_place(p, set, thread, each);
    if (g->slices > 1) thread = index_mod(t, thread, slice_threads(p));
    const Dim *across = constant(p, g->columns / g->column_each);
    int64_t apart = set == ROWS ? g->rows / g->row_each : g->columns / g->column_each;
    const Index *first =
        set == ROWS ? index_floordiv(t, thread, across) : index_mod(t, thread, across);
    return index_add(t, first, index_scale(t, each, constant(p, apart)));
}

static void set_sums(Product *p, const Index *i, const Index *j, const Expr *value) {
    const Index *at[2] = {i, j};
    builder_store(p->b, p->sums, at, 2, value, NULL);
}

static const Expr *sum_at(Product *p, const Index *i, const Index *j) {
    const Index *at[2] = {i, j};
    return expr_load(p->b, p->sums, at, 2);
}

/* Opens the loops over the small tile of a thread. */
static void open_each(Product *p, const Index **i, const Index **j) {
    *i = open_loop(p, "i", p->tiling->row_each, BIND_UNROLL);
    *j = open_loop(p, "j", p->tiling->column_each, BIND_UNROLL);
}

static void close_to(Product *p, int depth) {
    while (p->b->depth > depth) builder_close(p->b);
}

static void clear_sums(Product *p) {
    const Index *i, *j;
    open_threads(p);
    open_each(p, &i, &j);
    set_sums(p, i, j, expr_const(p->b, p->dtype, 0));
    close_to(p, 0);
}

/* A column of one tile and a row of the other, from shared memory into registers. */
static void fetch(Product *p, int slot, int set, const Index *thread, const Index *k) {
    int64_t count = set == ROWS ? p->tiling->row_each : p->tiling->column_each;
    const Index *each = open_loop(p, "f", count, BIND_UNROLL);
    const Index *from[2];
    place_in_tile(p, set, k, place_of(p, set, thread, each), from);
    builder_store(p->b, slot, &each, 1, expr_load(p->b, p->tile[set == COLUMNS], from, 2), NULL);
    builder_close(p->b);
}

static void add_on_cores(Product *p) {
    const Tiling *g = p->tiling;
    Stmt *s = builder_leaf(p->b, STMT_TILE_PRODUCT);
    s->product = NEW(p->b->arena, TileProduct);
    *s->product = (TileProduct){p->l->program->options.precision,
                                p->tile[0],
                                p->tile[1],
                                p->sums,
                                g->rows,
                                g->columns,
                                g->chunk,
                                g->warps_down,
                                tile_layout(p, g->rows).skew};
}

static void add_products(Product *p, const int *fragment) {
    Builder *b = p->b;
    int depth = b->depth;
    const Index *i, *j, *thread = open_threads(p);
    const int64_t deep = p->tiling->chunk / p->tiling->slices;
    const Index *k = open_loop(p, "k", deep, BIND_UNROLL);
    if (p->tiling->slices > 1)
        k = index_add(
            p->t, k,
            index_scale(p->t, index_floordiv(p->t, thread, slice_threads(p)), constant(p, deep)));
    fetch(p, fragment[0], ROWS, thread, k);
    fetch(p, fragment[1], COLUMNS, thread, k);
    open_each(p, &i, &j);
    const Expr *pair[2] = {expr_load(b, fragment[0], &i, 1), expr_load(b, fragment[1], &j, 1)};
    const Expr *sum[2] = {sum_at(p, i, j), expr_op(b, OP_MUL, p->dtype, pair, 2)};
    set_sums(p, i, j, expr_op(b, OP_ADD, p->dtype, sum, 2));
    close_to(p, depth);
}

/* Stores what is computed from the product, at one element. */
static void store_members(Product *p, const Index *const *at, const Expr *product) {
    Builder *b = p->b;
    Gen *gen = gen_new(p->l, b, p->group);
    product = expr_cast(b, product, p->n->type.dtype);
    gen_set(gen, p->n, at, builder_let_here(b, product, "product"));
    gen_store_members(gen, at, (StoreRequest){0});
}

/* A place in the tile and its sum: what is computed from it, or what a part of the depth gives. */
static void store_result(Product *p, const Index *part, const Index *row, const Index *column,
                         const Expr *sum) {
    Builder *b = p->b;
    const Index *at[SHAPE_MAX_RANK];
    const Index *flat[SETS] = {p->begin[BATCH], index_add(p->t, p->begin[ROWS], row),
                               index_add(p->t, p->begin[COLUMNS], column)};
    const Guard *inside = guard_range(b, NULL, flat[ROWS], NULL, p->total[ROWS]);
    inside = guard_range(b, inside, flat[COLUMNS], NULL, p->total[COLUMNS]);
    if (inside) builder_open_if(b, inside);
    if (p->parts) {
        const Index *place[4] = {part, flat[BATCH], flat[ROWS], flat[COLUMNS]};
        builder_store(b, builder_slot(b, p->parts, ACCESS_WRITE), place, 4, sum, NULL);
    } else {
        gpu_product_indices_at(p, 2, flat, at);
        store_members(p, at, sum);
    }
    close_to(p, 0);
}

static void store_results(Product *p, const Index *part) {
    const Index *i, *j, *thread = open_threads(p);
    open_each(p, &i, &j);
    store_result(p, part, place_of(p, ROWS, thread, i), place_of(p, COLUMNS, thread, j),
                 sum_at(p, i, j));
}

/* The sums of all slices meet in shared memory; every element is then one thread's, in the order
 * in which elements are stored. */
static void fold_slices(Product *p, const Index *part) {
    Builder *b = p->b;
    IndexTable *t = p->t;
    const Tiling *g = p->tiling;
    /* So much longer that the rows which a warp stores at once begin in banks of their own. */
    const Dim *pitch = constant(p, g->columns + g->columns / g->column_each);
    Shape shape = {3, {constant(p, g->slices), constant(p, g->rows), pitch}};
    int folds = builder_scratch_in(b, SPACE_SHARED, "folds", p->dtype, shape);
    const Index *i, *j, *thread = open_threads(p);
    open_each(p, &i, &j);
    const Index *to[3] = {index_floordiv(t, thread, slice_threads(p)), place_of(p, ROWS, thread, i),
                          place_of(p, COLUMNS, thread, j)};
    builder_store(b, folds, to, 3, sum_at(p, i, j), NULL);
    close_to(p, 0);
    builder_leaf(b, STMT_BARRIER);
    const Index *e = open_loop(p, "e", g->rows * g->columns, BIND_THREAD);
    const Dim *across = constant(p, g->columns);
    const Index *from[3] = {NULL, index_floordiv(t, e, across), index_mod(t, e, across)};
    const Expr *sum = NULL;
    for (int64_t slice = 0; slice < g->slices; slice++) {
        from[0] = index_const(t, slice);
        const Expr *pair[2] = {sum, expr_load(b, folds, from, 3)};
        sum = sum ? expr_op(b, OP_ADD, p->dtype, pair, 2) : pair[1];
    }
    store_result(p, part, from[1], from[2], sum);
}

/* ---- a long depth in parts ---- */

/* How many parts, so that few blocks do not work long while most processors have nothing to do. */
static int64_t part_count(const Product *p) {
    const Tiling *g = p->tiling;
    double count = gpu_size(p->total[BATCH]) *
                   block_count(gpu_size(p->total[ROWS]), (double)g->rows) *
                   block_count(gpu_size(p->total[COLUMNS]), (double)g->columns);
    double depth = gpu_size(p->total[DEPTH]), parts = GPU_PROCESSORS / count;
    if (parts > depth / PART_DEPTH) parts = depth / PART_DEPTH;
    return parts >= 2 ? (int64_t)parts : 1;
}

/* Memory for what the parts give: [parts][batch][rows][columns]. */
static void make_parts(Product *p) {
    int64_t parts = part_count(p);
    if (parts == 1) return;
    Shape shape = {4, {constant(p, parts), p->total[BATCH], p->total[ROWS], p->total[COLUMNS]}};
    p->parts = lowering_buffer(p->l, BUFFER_TEMPORARY, p->dtype, shape, "parts");
}

void gpu_product_rest(Product *p, Buffer *from) {
    p->b = builder_new(p->l->program, p->l->arena);
    Builder *b = p->b;
    IndexTable *t = p->t;
    const Shape *s = &p->n->type.shape;
    const Index *at[SHAPE_MAX_RANK], *place[4];
    const Expr *product;
    b->kernel->threads = GPU_THREADS;
    gpu_open_elements(b, s, at);
    for (int set = BATCH; set <= COLUMNS; set++) {
        const Shape shape = labels_shape(&p->sets[set]);
        place[1 + set] = contract_flat(t, p->n, &p->sets[set], &shape, at);
    }
    if (from == p->parts) {
        int reg = builder_register(b, p->dtype, "sum");
        int axis = builder_axis(b, "part", p->parts->shape.dims[0]);
        builder_accumulator(b, builder_open(b, axis, NULL, NULL, BIND_SEQ), REDUCE_SUM, reg, -1);
        place[0] = builder_axis_index(b, axis);
        builder_accumulate(b, REDUCE_SUM, reg,
                           expr_load(b, builder_slot(b, from, ACCESS_READ), place, 4), NULL);
        builder_close(b);
        product = expr_register(b, reg);
    } else {
        product = expr_load(b, builder_slot(b, from, ACCESS_READ), place + 1, 3);
    }
    store_members(p, at, product);
    close_to(p, 0);
}

static void build(Product *p) {
    Builder *b = p->b;
    const Tiling *g = p->tiling;
    b->kernel->threads = GPU_THREADS;
    open_tiles(p);
    p->thread = builder_axis(b, "t", constant(p, GPU_THREADS));
    Shape sums = {2, {constant(p, g->row_each), constant(p, g->column_each)}};
    Shape row = {1, {sums.dims[0]}}, column = {1, {sums.dims[1]}};
    p->tile[0] = make_tile(p, "rows", g->rows);
    p->tile[1] = make_tile(p, "columns", g->columns);
    p->sums = builder_scratch_in(b, SPACE_THREAD, "sums", p->dtype, sums);
    int fragment[2] = {-1, -1};
    if (!g->warps_down) {
        fragment[0] = builder_scratch_in(b, SPACE_THREAD, "row", p->dtype, row);
        fragment[1] = builder_scratch_in(b, SPACE_THREAD, "column", p->dtype, column);
    }
    clear_sums(p);
    const Dim *chunks = dim_need(dim_ceildiv(b->dims, p->total[DEPTH], g->chunk));
    const Index *part = index_const(p->t, 0), *begin = NULL, *end = NULL;
    if (p->parts) {
        int64_t parts = 0;
        dim_is_const(p->parts->shape.dims[0], &parts);
        const Dim *length = dim_need(dim_ceildiv(b->dims, chunks, parts));
        part = builder_tile(b, "part", p->parts->shape.dims[0]);
        begin = index_scale(p->t, part, length);
        end = index_min(p->t, index_dim(p->t, chunks),
                        index_add(p->t, begin, index_dim(p->t, length)));
    }
    int axis = builder_axis(b, "chunk", chunks);
    builder_open(b, axis, begin, end, BIND_SEQ);
    const Index *chunk = index_scale(p->t, builder_axis_index(b, axis), constant(p, g->chunk));
    load_tile(p, ROWS, chunk);
    load_tile(p, COLUMNS, chunk);
    builder_leaf(b, STMT_BARRIER);
    if (g->warps_down)
        add_on_cores(p);
    else
        add_products(p, fragment);
    builder_leaf(b, STMT_BARRIER);
    close_to(p, 0);
    if (g->slices > 1)
        fold_slices(p, part);
    else
        store_results(p, part);
}

void schedule_gpu_contract(Lowering *l, Group *group) {
    const Node *n = group->anchor;
    DType t = n->type.dtype;
    Product *p = NEW(l->arena, Product);
    *p = (Product){.l = l,
                   .group = group,
                   .n = n,
                   .b = builder_new(l->program, l->arena),
                   .t = l->table,
                   .dtype = dtype_accumulator(t)};
    p->gen = gen_new(l, p->b, group);
    sort_labels(p);
    const char *not_library = NULL;
    if (l->program->options.gemm && gpu_library_product(p, &not_library)) return;
    choose_tiling(p);
    make_parts(p);
    build(p);
    group_finish(l, group, p->b, p->parts ? "parts of a product" : NULL);
    if (p->parts) {
        gpu_product_rest(p, p->parts);
        group_finish(l, group, p->b, NULL);
    }
    const char *path, *what = group_what(l, group, &path);
    lowering_remark(
        l, REMARK_CONTRACTION, n, "blocks of %lldx%lld, %lldx%lld a thread%s%s%s, joined: %s%s%s",
        (long long)p->tiling->rows, (long long)p->tiling->columns, (long long)p->tiling->row_each,
        (long long)p->tiling->column_each, p->tiling->warps_down ? ", on tensor cores" : "",
        p->tiling->slices > 1 ? ", depth in slices" : "", p->parts ? ", depth in parts" : "", what,
        not_library ? "; not by cuBLASLt: " : "", not_library ? not_library : "");
}
