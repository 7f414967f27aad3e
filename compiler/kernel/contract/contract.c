/* The schedule of contractions: every product goes through one leaf.
 *
 * Input: a CONTRACT group (the product and what is computed from it at the same element).  Output:
 * one kernel. Labels are sorted into batch, rows (one operand), columns (the other) and depth
 * (summed).  Both assignments of operands to sides and several choices of columns are planned, and
 * the cheapest is built.  An operand is read in place where its offset splits into a row part and a
 * depth part (strides or tables of offsets), which covers windows of images and stored panels;
 * otherwise it is evaluated into a panel in scratch. */
#include "kernel/contract/contract.h"

#include <stdlib.h>

enum {
    DEPTH_PACKED = 256,  /* of a chunk in scratch: 16 columns of it fit a first-level cache */
    ROWS_PACKED = 192,   /* of a tile whose depth goes in chunks: with its columns and operands
                            it fills a second-level cache of 512 KiB */
    ROWS_SPLIT = 24,     /* rows that are worth a tile of their own */
    TILES_WANTED = 4,    /* some for each thread of a small machine */
    DEPTH_SHARED = 1024, /* depth of a panel that is packed whole */
    ROWS_SHARED = 384,   /* rows of a tile that share one */
    LOOPS_MAX = 512,     /* products of at most this many multiplications are plain loops */
};

/* What vectors along an unknown extent are taken to cost, of what whole ones do. */
static const double unknown_columns = 1.5;
/* Where two ways cost about the same, that of the usual leaf has less code. */
static const double dots_worth = 0.6;

/* ---- labels ---- */

int contract_labels(const Node *n, int8_t *order) {
    const ContractAttr *c = &n->attr.contract;
    int count = 0;
    for (int i = 0; i < n->type.shape.rank; i++) order[count++] = c->out[i];
    for (int side = 0; side < 2; side++) {
        const int8_t *names = side ? c->b : c->a;
        for (int i = 0; i < n->inputs[side]->type.shape.rank; i++) {
            bool known = false;
            for (int k = 0; k < count; k++) known = known || order[k] == names[i];
            if (!known) order[count++] = names[i];
        }
    }
    return count;
}

const Dim *contract_extent(const Node *n, int label) {
    const ContractAttr *c = &n->attr.contract;
    for (int side = 0; side < 2; side++) {
        const int8_t *names = side ? c->b : c->a;
        for (int i = 0; i < n->inputs[side]->type.shape.rank; i++)
            if (names[i] == label) return n->inputs[side]->type.shape.dims[i];
    }
    abort();
}

const int8_t *contract_names(const Node *n, int side, int *rank) {
    const ContractAttr *c = &n->attr.contract;
    *rank = side == 2 ? n->type.shape.rank : n->inputs[side]->type.shape.rank;
    return side == 0 ? c->a : side == 1 ? c->b : c->out;
}

static bool has_label(const Node *n, int side, int label) {
    int rank;
    const int8_t *names = contract_names(n, side, &rank);
    for (int i = 0; i < rank; i++)
        if (names[i] == label) return true;
    return false;
}

static void labels_add(Labels *list, const Node *n, int label) {
    list->name[list->count] = label;
    list->extent[list->count++] = contract_extent(n, label);
}

void contract_place(const Node *n, int side, const Labels *list, const Index *const *at,
                    const Index **out) {
    int rank;
    const int8_t *names = contract_names(n, side, &rank);
    for (int i = 0; i < list->count; i++)
        for (int r = 0; r < rank; r++)
            if (names[r] == list->name[i]) out[r] = at[i];
}

const Index *contract_flat(IndexTable *t, const Node *n, const Labels *list, const Shape *shape,
                           const Index *const *at) {
    const Index *position[CONTRACT_MAX_LABELS];
    for (int i = 0; i < list->count; i++)
        for (int r = 0; r < n->type.shape.rank; r++)
            if (n->attr.contract.out[r] == list->name[i]) position[i] = at[r];
    return index_flatten(t, position, shape);
}

Shape labels_shape(const Labels *list) {
    Shape s = {0};
    for (int i = 0; i < list->count; i++) s.dims[s.rank++] = list->extent[i];
    return s;
}

double labels_hint(const Labels *list) {
    double p = 1;
    for (int i = 0; i < list->count; i++) p *= (double)dim_hint(list->extent[i]);
    return p;
}

bool labels_one(const Labels *list) {
    for (int i = 0; i < list->count; i++)
        if (!dim_is(list->extent[i], 1)) return false;
    return true;
}

LabelGroups contract_sort_labels(const Node *n) {
    LabelGroups s = {0};
    int8_t order[CONTRACT_MAX_LABELS];
    int count = contract_labels(n, order);
    for (int i = 0; i < count; i++) {
        bool a = has_label(n, 0, order[i]), b = has_label(n, 1, order[i]),
             out = has_label(n, 2, order[i]);
        if (!out)
            labels_add(&s.depth, n, order[i]);
        else if (a && b)
            labels_add(&s.batch, n, order[i]);
        else
            labels_add(&s.side[a ? 0 : 1], n, order[i]);
    }
    return s;
}

bool contract_is_loops(const Lowering *l, const Node *n) {
    LabelGroups s = contract_sort_labels(n);
    if (n->type.dtype != DTYPE_F32 && n->type.dtype != DTYPE_F64 && n->type.dtype != DTYPE_F16 &&
        n->type.dtype != DTYPE_BF16)
        return true;
    if (labels_one(&s.depth)) return true;
    bool vector = labels_one(&s.side[0]) || labels_one(&s.side[1]);
    if (vector) {
        for (int side = 0; side < 2; side++) {
            const Node *base = operand_base(n->inputs[side]);
            if (base->op == OP_CELL && kernel_cell_layout(l->program, base->attr.cell))
                vector = false;
        }
    }
    if (vector) return true;
    int64_t work = 1, e;
    Labels *all[4] = {&s.batch, &s.side[0], &s.side[1], &s.depth};
    for (int k = 0; k < 4; k++)
        for (int i = 0; i < all[k]->count; i++) {
            if (!dim_is_const(all[k]->extent[i], &e) || e > LOOPS_MAX) return false;
            work *= e;
            if (work > LOOPS_MAX) return false;
        }
    return true;
}

/* ---- plans ---- */

const Dim *product_constant(ProductPlan *p, int64_t v) {
    return dim_const(p->l->dims, v);
}

Shape product_columns_shape(const ProductPlan *p) {
    Shape s = labels_shape(&p->columns);
    if (p->pitch) s.dims[s.rank - 1] = dim_const(p->b->dims, p->pitch);
    return s;
}

void product_indices_at(ProductPlan *p, int side, const Index *row, const Index *column,
                        const Index *depth, const Index **out) {
    const Labels *lists[5] = {&p->outer, &p->depth_outer, &p->rows, &p->columns, &p->depth};
    const Index *flats[5] = {NULL, NULL, row, column, depth};
    for (int k = 0; k < 5; k++) {
        const Index *at[CONTRACT_MAX_LABELS];
        Shape shape = k == 3 ? product_columns_shape(p) : labels_shape(lists[k]);
        if (k == 0)
            for (int i = 0; i < shape.rank; i++) at[i] = p->outer_at[i];
        else if (k == 1)
            for (int i = 0; i < shape.rank; i++) at[i] = p->depth_outer_at[i];
        else if (flats[k])
            index_unflatten(p->b->table, flats[k], &shape, at);
        else
            continue;
        contract_place(p->n, side, lists[k], at, out);
    }
}

/* Cycles that the leaf takes for one place of the depth: in its tiles of six rows and what they
 * leave, bound by multiply-adds, by loads, or (4) by the latency of a chain.  An estimate: a rest
 * of five or three rows, which is one tile, counts as two. */
static double leaf_cycles(double rows, double vectors) {
    double cycles = 0;
    while (rows > 0) {
        double r = rows >= 6 ? 6 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
        double repeat = r == 6 ? (double)(int64_t)(rows / 6) : 1;
        double work = r * vectors / 2, loads = (vectors + r) / 2;
        double c = work > loads ? work : loads;
        cycles += repeat * (c < 4 ? 4 : c);
        rows -= r * repeat;
    }
    return cycles;
}

NodeState *product_result_member(const ProductPlan *p, int index) {
    const Node *n = p->group->members.data[index];
    return shape_equal(&n->type.shape, &p->n->type.shape) ? lowering_state(p->l, n) : NULL;
}

/* Cycles per element for what is stored at indices `at` when the vector goes along an axis: its
 * stride in memory.  `at` NULL: the least, all of it contiguous. */
static double cost_of_stores(const ProductPlan *p, const Index *const *at, int axis) {
    double cost = 0;
    for (int i = 0; i < p->group->members.count; i++) {
        const NodeState *s = product_result_member(p, i);
        for (int k = -1; s && k < s->targets.count; k++) {
            const Buffer *buffer = k < 0 ? s->buffer : s->targets.data[k];
            if (!buffer || (k >= 0 && buffer == s->buffer)) continue;
            bool contiguous = true;
            if (at) {
                const Dim *stride;
                const Index *offset = index_offset(p->l->table, buffer->layout, &buffer->shape, at);
                Motion move = index_motion(offset, axis, &stride);
                contiguous = move == MOTION_NONE || (move == MOTION_STRIDE && dim_is(stride, 1));
            }
            bool reads = buffer->kind == BUFFER_CELL;
            cost += (contiguous ? 0.2 : 2.5) * (reads ? 2 : 1);
        }
    }
    return cost;
}

static double store_cost_along(ProductPlan *p, int axis) {
    IndexTable *t = p->b->table;
    const Index *row = index_add(t, p->row_begin, builder_axis_index(p->b, p->row_axis));
    const Index *column = index_add(t, p->column_begin, builder_axis_index(p->b, p->column_axis));
    const Index *at[SHAPE_MAX_RANK];
    product_indices_at(p, 2, row, column, NULL, at);
    return cost_of_stores(p, at, axis);
}

bool product_stores_along_rows(ProductPlan *p) {
    if (dim_is(p->row_total, 1) || p->row_block < TURN) return false;
    return store_cost_along(p, p->row_axis) + 1 < store_cost_along(p, p->column_axis);
}

static double store_cost(ProductPlan *p) {
    return product_stores_along_rows(p) ? store_cost_along(p, p->row_axis) + 1
                                        : store_cost_along(p, p->column_axis);
}

bool product_stores_panels(const ProductPlan *p) {
    if (p->columns.count != 1) return false;
    for (int i = 0; i < p->group->members.count; i++) {
        const NodeState *s = product_result_member(p, i);
        for (int k = 0; s && k < s->targets.count; k++) {
            const Layout *layout = s->targets.data[k]->layout;
            if (layout && p->n->attr.contract.out[layout->axes[0].axis] == p->columns.name[0])
                return true;
        }
    }
    return false;
}

static int64_t at_most(const Dim *total, int64_t limit) {
    int64_t e;
    if (!dim_is_const(total, &e) || e > limit) return limit;
    return e ? e : 1;
}

/* Which operand's labels are rows, and which of the other's are columns: the one at `label` (-1:
 * all), or with `bands` that and all later ones. */
typedef struct Sides {
    int row_side, label;
    bool bands;
} Sides;

static ProductPlan *product_new(Lowering *l, Group *group, Sides sides, Arena *arena) {
    ProductPlan *p = NEW(arena, ProductPlan);
    p->arena = arena;
    const Node *n = group->anchor;
    LabelGroups s = contract_sort_labels(n);
    p->l = l;
    p->group = group;
    p->n = n;
    p->dtype = n->type.dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    p->outer = s.batch;
    p->rows = s.side[sides.row_side];
    const Labels *columns = &s.side[1 - sides.row_side];
    for (int i = 0; i < columns->count; i++) {
        if (sides.label < 0 || i == sides.label || (sides.bands && i > sides.label))
            labels_add(&p->columns, n, columns->name[i]);
        else
            labels_add(&p->outer, n, columns->name[i]);
    }
    /* Depth: the longest constant tail in one call, loops around it. */
    int64_t product = 1, e;
    int split = s.depth.count;
    while (split > 0 && dim_is_const(s.depth.extent[split - 1], &e) && e > 0 &&
           product * e <= DEPTH_CALL_MAX)
        product *= e, split--;
    if (split == s.depth.count && split > 0) split--;
    for (int i = 0; i < s.depth.count; i++)
        labels_add(i < split ? &p->depth_outer : &p->depth, n, s.depth.name[i]);
    Shape shape = labels_shape(&p->rows);
    p->row_total = dim_need(shape_elements(l->dims, &shape));
    shape = labels_shape(&p->columns);
    p->column_total = dim_need(shape_elements(l->dims, &shape));
    shape = labels_shape(&p->depth);
    p->depth_total = dim_need(shape_elements(l->dims, &shape));
    p->a = (Operand){.node = n->inputs[sides.row_side], .side = sides.row_side};
    p->b_side = (Operand){.node = n->inputs[1 - sides.row_side], .side = 1 - sides.row_side};
    p->panel = dim_is_const(p->column_total, &e) ? panel_width(e ? e : 1) : PANEL_MAX;
    p->step = p->panel;
    p->row_block = p->rows_tile = at_most(p->row_total, ROWS_MAX);
    if (sides.bands) product_bands(p);
    return p;
}

void product_tiles(ProductPlan *p) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    for (int i = 0; i < p->outer.count; i++)
        p->outer_at[i] = builder_tile(b, "b", p->outer.extent[i]);
    const Index *panel =
        builder_tile(b, "panel", dim_need(dim_ceildiv(p->b->dims, p->column_total, p->step)));
    const Index *rows =
        builder_tile(b, "rows", dim_need(dim_ceildiv(p->b->dims, p->row_total, p->rows_tile)));
    p->band_index = panel;
    p->column_begin = index_scale(t, panel, product_constant(p, p->step));
    p->column_end = index_min(t, index_dim(t, p->column_total),
                              index_add(t, p->column_begin, index_const(t, p->step)));
    int64_t width;
    if (p->pitch && dim_is_const(p->columns.extent[p->columns.count - 1], &width))
        p->column_end = index_sub(t, p->column_end, index_const(t, p->pitch - width));
    p->tile_row_begin = index_scale(t, rows, product_constant(p, p->rows_tile));
    p->tile_row_end = index_min(t, index_dim(t, p->row_total),
                                index_add(t, p->tile_row_begin, index_const(t, p->rows_tile)));
    int64_t panels = p->panel / PANEL_COLUMNS;
    p->columns_axis = builder_axis(b, "columns", product_constant(p, p->panel));
    p->column_axis = builder_axis(b, "column", product_constant(p, PANEL_COLUMNS));
    p->panel_axis = panels > 1 ? builder_axis(b, "panels", product_constant(p, panels)) : -1;
}

void product_rows(ProductPlan *p, bool open) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    p->row_begin = p->tile_row_begin;
    p->row_end = p->tile_row_end;
    if (p->rows_tile != p->row_block) {
        const Dim *size = product_constant(p, p->row_block);
        const Index *rows = index_sub(t, p->tile_row_end, p->tile_row_begin);
        const Index *round = index_const(t, p->row_block - 1);
        int block = builder_axis(
            b, "block",
            dim_need(dim_ceildiv(p->b->dims, product_constant(p, p->rows_tile), p->row_block)));
        if (open)
            builder_open(b, block, NULL, index_floordiv(t, index_add(t, rows, round), size),
                         BIND_SEQ);
        p->row_begin =
            index_add(t, p->tile_row_begin, index_scale(t, builder_axis_index(b, block), size));
        p->row_end =
            index_min(t, p->tile_row_end, index_add(t, p->row_begin, index_const(t, p->row_block)));
    }
    p->row_axis = builder_axis(b, "row", product_constant(p, p->row_block));
}

void product_depth(ProductPlan *p, bool open) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    for (int i = 0; i < p->depth_outer.count; i++) {
        if (dim_is(p->depth_outer.extent[i], 1)) {
            p->depth_outer_at[i] = index_const(t, 0);
            continue;
        }
        int axis = builder_axis(b, "k", p->depth_outer.extent[i]);
        if (open) builder_open(b, axis, NULL, NULL, BIND_SEQ);
        p->depth_outer_at[i] = builder_axis_index(b, axis);
    }
    p->depth_begin = index_const(t, 0);
    p->depth_end = index_dim(t, p->depth_total);
    const Dim *extent = p->depth_total;
    if (p->chunk) {
        int axis =
            builder_axis(b, "chunk", dim_need(dim_ceildiv(p->b->dims, p->depth_total, p->chunk)));
        if (open) builder_open(b, axis, NULL, NULL, BIND_SEQ);
        p->depth_begin = index_scale(t, builder_axis_index(b, axis), product_constant(p, p->chunk));
        p->depth_end =
            index_min(t, p->depth_end, index_add(t, p->depth_begin, index_const(t, p->chunk)));
        extent = product_constant(p, p->chunk);
    }
    p->depth_axis = builder_axis(b, "depth", extent);
    p->depth_place_axis = builder_axis(b, "place", product_constant(p, PANEL_COLUMNS));
    p->depth_block_axis =
        builder_axis(b, "depths", dim_need(dim_ceildiv(p->b->dims, extent, PANEL_COLUMNS)));
}

/* How a product is cut, and what its parts cost. */
typedef struct Cutting {
    int64_t rows_tile, row_block, step;
    double store;   /* of an element */
    double rows;    /* of reading a row for a panel, beyond the leaf's own loads */
    double columns; /* of reading a column for a tile, likewise */
} Cutting;

static double cutting_cost(const ProductPlan *p, const Cutting *c) {
    double rows = (double)dim_hint(p->row_total), columns = (double)dim_hint(p->column_total);
    double outer = labels_hint(&p->outer),
           depth = labels_hint(&p->depth) * labels_hint(&p->depth_outer);
    double calls = labels_hint(&p->depth_outer);
    double row_blocks = block_count(rows, (double)c->row_block);
    double row_tiles = block_count(rows, (double)c->rows_tile);
    double panels = block_count(columns, (double)c->step);
    double last = columns - (panels - 1) * (double)c->step;
    double cycles = leaf_cycles(rows, block_count((double)c->step, VECTOR_HINT)) * (panels - 1) +
                    leaf_cycles(rows, block_count(last, VECTOR_HINT));
    /* Vectors of an extent that only a call knows may be partial ones, as those of a small batch.
     */
    int64_t known;
    if (!dim_is_const(p->column_total, &known)) cycles *= unknown_columns;
    double cost = outer * depth * cycles + outer * calls * panels * row_blocks * CALL_CYCLES;
    cost += outer * rows * columns * c->store;
    cost += outer * panels * rows * c->rows;
    cost += outer * row_tiles * columns * c->columns;
    /* Few tiles leave threads without work. */
    double tiles = outer * row_tiles * panels;
    return cost > PARALLEL_CYCLES ? cost * (1 + 1 / tiles) : cost;
}

static void product_cost(ProductPlan *p) {
    double depth = labels_hint(&p->depth) * labels_hint(&p->depth_outer);
    Cutting c = {p->rows_tile, p->row_block, p->step, store_cost(p), 0, 0};
    if (p->a.path != OPERAND_DIRECT)
        c.rows = depth * p->a.pack_cost;
    else if (!p->a.across)
        c.rows = labels_hint(&p->depth_outer) * 8;
    if (p->b_side.path != OPERAND_DIRECT) c.columns = depth * p->b_side.pack_cost;
    p->cost = cutting_cost(p, &c);
}

static void product_probe(ProductPlan *p) {
    p->b = builder_new(p->l->program, p->arena);
    p->gen = gen_new(p->l, p->b, p->group);
    product_tiles(p);
    product_depth(p, false);
    product_rows(p, false);
    product_operand(p, &p->a);
    product_operand(p, &p->b_side);
}

/* The columns are packed once for many blocks of rows. */
static void share_panel(ProductPlan *p) {
    p->shared_panel = true;
    p->rows_tile = at_most(p->row_total, ROWS_SHARED);
    if (p->rows_tile < p->row_block) p->row_block = p->rows_tile;
}

/* Rows of a tile when tiles, as few as the caches allow but some for each thread of a small
 * machine, get equal shares in whole groups. */
static int64_t packed_rows(const ProductPlan *p) {
    int64_t e;
    if (!dim_is_const(p->row_total, &e) || e == 0) return at_most(p->row_total, ROWS_PACKED);
    double panels =
        labels_hint(&p->outer) * block_count((double)dim_hint(p->column_total), (double)p->step);
    int64_t tiles = (e + ROWS_PACKED - 1) / ROWS_PACKED;
    int64_t most = (e + ROWS_SPLIT - 1) / ROWS_SPLIT;
    while (2 * tiles <= most && panels * (double)tiles < TILES_WANTED) tiles *= 2;
    int64_t rows = (e + tiles - 1) / tiles;
    rows = (rows + GROUP_ROWS - 1) / GROUP_ROWS * GROUP_ROWS;
    return rows < e ? rows : e;
}

/* Depth goes in chunks that fit the caches, with all rows of a tile in each. */
static void cut_depth(ProductPlan *p, bool rows_packed) {
    int64_t e;
    if (!p->band && rows_packed && dim_hint(p->column_total) >= 2 * PANEL_MAX)
        p->step = p->panel = 2 * PANEL_MAX;
    if (!p->band) p->rows_tile = p->row_block = packed_rows(p);
    if (!dim_is_const(p->depth_total, &e) || e > 2 * DEPTH_PACKED) p->chunk = DEPTH_PACKED;
}

/* Is a panel of all the depth small enough to be packed whole? */
static bool panel_is_small(const ProductPlan *p) {
    int64_t e = 0;
    for (int i = 0; i < p->depth_outer.count; i++)
        if (!dim_is(p->depth_outer.extent[i], 1)) return false;
    return dim_is_const(p->depth_total, &e) && e > 0 && e <= DEPTH_SHARED;
}

/* Plans the product: how its operands are read, which does not depend on how it is cut, then how,
 * and what that costs. */
static void product_make(ProductPlan *p) {
    product_probe(p);
    bool a = p->a.path != OPERAND_DIRECT, b = p->b_side.path != OPERAND_DIRECT;
    if (!a && b && panel_is_small(p))
        share_panel(p);
    else if (a || b)
        cut_depth(p, a);
    product_cost(p);
}

/* ---- the choice ---- */

/* A bound on the cost before any offset is known: the least of all cuttings, operands for free. */
static double product_bound(const ProductPlan *p, double store) {
    ProductPlan cut[4] = {*p, *p, *p, *p};
    share_panel(&cut[1]);
    cut_depth(&cut[2], false);
    cut_depth(&cut[3], true);
    double least = -1;
    for (int i = 0; i < 4; i++) {
        if (i == 1 && !panel_is_small(p)) continue;
        Cutting c = {cut[i].rows_tile, cut[i].row_block, cut[i].step, store, 0, 0};
        double cost = cutting_cost(p, &c);
        if (least < 0 || cost < least) least = cost;
    }
    return least;
}

typedef struct Candidate {
    Sides sides;
    double bound;
    bool tried;
} Candidate;

/* What a plan decides. */
typedef struct Choice {
    Sides sides;
    int64_t rows_tile, row_block, panel, step, chunk;
    bool shared_panel, dots;
    OperandPath row_path, column_path;
    const Dim *along; /* of the columns, where they are copied */
} Choice;

static Choice choice_of(const ProductPlan *p, Sides sides) {
    return (Choice){.sides = sides,
                    .rows_tile = p->rows_tile,
                    .row_block = p->row_block,
                    .panel = p->panel,
                    .step = p->step,
                    .chunk = p->chunk,
                    .shared_panel = p->shared_panel,
                    .dots = p->dots,
                    .row_path = p->a.path,
                    .column_path = p->b_side.path,
                    .along = p->b_side.path == OPERAND_COPIED ? p->b_side.along : NULL};
}

/* Which labels may be rows and columns, each with a bound on its cost.  Where the group has
 * windows, their bands are the one way. */
static int list_candidates(Lowering *l, Group *group, Arena *trial, Candidate *list) {
    LabelGroups s = contract_sort_labels(group->anchor);
    const Windows *w = &group->windows;
    int count = 0;
    for (int row_side = 0; row_side < 2; row_side++) {
        int columns = s.side[1 - row_side].count;
        /* -1: all; 0 .. columns - 1: one; then bands, of at least two labels. */
        for (int k = -1; k < (columns > 1 ? 2 * columns - 1 : 0); k++) {
            Sides sides = {row_side, k < columns ? k : k - columns, k >= columns};
            if (w->shape.rank && (k >= 0 || row_side == w->side)) break;
            if (w->shape.rank) sides = (Sides){row_side, w->first, true};
            const ProductPlan *p = product_new(l, group, sides, trial);
            if (sides.bands && !p->band) continue;
            list[count++] = (Candidate){sides, product_bound(p, cost_of_stores(p, NULL, 0)), false};
        }
    }
    return count;
}

/* The untried one of the least bound; -1: all have been tried. */
static int next_candidate(const Candidate *list, int count) {
    int next = -1;
    for (int i = 0; i < count; i++)
        if (!list[i].tried && (next < 0 || list[i].bound < list[next].bound)) next = i;
    return next;
}

/* Replaces the choice where vectors along the depth cost much less than `cost`. */
static void choose_dots(Lowering *l, Group *group, double cost, Choice *choice) {
    double limit = dots_worth * cost;
    for (int row_side = 0; row_side < 2; row_side++) {
        Arena *trial = arena_new();
        const Sides sides = {row_side, -1, false};
        ProductPlan *p = product_new(l, group, sides, trial);
        if (product_dots(p, cost_of_stores(p, NULL, 0), limit)) {
            limit = p->cost;
            *choice = choice_of(p, sides);
        }
        arena_free(trial);
    }
}

/* The cheapest, the first of equals. */
static Choice choose_product(Lowering *l, Group *group) {
    Candidate list[4 * (CONTRACT_MAX_LABELS + 1)];
    const bool windows = group->windows.shape.rank != 0;
    Arena *trial = arena_new();
    int count = list_candidates(l, group, trial, list), best = -1, next;
    Choice choice = {0};
    double cost = 0;
    while ((next = next_candidate(list, count)) >= 0) {
        Candidate *c = &list[next];
        if (best >= 0 && c->bound > cost) break;
        c->tried = true;
        arena_free(trial);
        trial = arena_new();
        ProductPlan *p = product_new(l, group, c->sides, trial);
        product_make(p);
        /* A pitch is of memory that is read in place. */
        if (p->band && !windows && p->b_side.path != OPERAND_DIRECT) continue;
        if (best >= 0 && (p->cost > cost || (p->cost == cost && next > best))) continue;
        best = next;
        cost = p->cost;
        choice = choice_of(p, c->sides);
    }
    arena_free(trial);
    if (!windows) choose_dots(l, group, cost, &choice);
    return choice;
}

static ProductPlan *plan_product(Lowering *l, Group *group) {
    void **noted = reuse_plan(l, group);
    const Choice *known = noted ? *noted : NULL;
    Choice c = known ? *known : choose_product(l, group);
    if (noted && !known) *noted = arena_copy(l->arena, &c, sizeof c);
    ProductPlan *p = product_new(l, group, c.sides, l->arena);
    p->rows_tile = c.rows_tile;
    p->row_block = c.row_block;
    p->panel = c.panel;
    p->step = c.step;
    p->chunk = c.chunk;
    p->shared_panel = c.shared_panel;
    if (c.dots) product_depth_of_dots(p);
    p->a.path = c.row_path;
    p->b_side.path = c.column_path;
    p->b_side.along = c.along;
    return p;
}

/* Operations of the whole product. */
static const Dim *product_flops(ProductPlan *p) {
    DimTable *t = p->l->dims;
    Shape columns = labels_shape(&p->columns);
    const Dim *flops = dim_mul(t, p->row_total, shape_elements(t, &columns));
    flops = dim_mul(t, flops, dim_mul(t, product_whole_depth(p), dim_const(t, 2)));
    for (int i = 0; i < p->outer.count; i++) flops = dim_mul(t, flops, p->outer.extent[i]);
    return flops;
}

/* "f32[N, 10] = f32[N, 84] x f32[84, 10]: leaf, columns packed stored, ...". */
static void remark_product(ProductPlan *p, const char *joined) {
    const Node *n = p->n;
    Text t = text_new(p->l->arena);
    type_print(&t, &n->type);
    text_printf(&t, " = ");
    for (int k = 0; k < 2; k++) {
        type_print(&t, &n->inputs[k]->type);
        text_append(&t, k ? ": " : " x ");
    }
    const char *columns = p->dots                            ? "along the depth"
                          : p->b_side.path == OPERAND_VALUES ? "evaluated into scratch"
                          : p->b_side.path == OPERAND_COPIED ? "packed scratch"
                          : p->b_side.stored_panels          ? "packed stored"
                                                             : "direct";
    const char *rows = p->dots                       ? "along the depth"
                       : p->a.path == OPERAND_VALUES ? "evaluated into scratch"
                       : p->a.path == OPERAND_COPIED ? "packed scratch"
                       : p->a.across && p->a.depth   ? "direct"
                                                     : "by offsets";
    text_printf(&t, "leaf, columns %s, rows %s, tile %lldx%lld, joined: %s", columns, rows,
                (long long)p->rows_tile, (long long)p->panel, joined);
    lowering_remark(p->l, REMARK_CONTRACTION, n, "%s", t.data);
}

void schedule_contract(Lowering *l, Group *group) {
    ProductPlan *p = plan_product(l, group);
    product_build(p);
    const char *path, *what = group_what(l, group, &path);
    p->b->kernel->flops = product_flops(p);
    remark_product(p, what);
    group_finish(l, group, p->b, NULL);
}
