/* A planned product as a kernel: packed operands, the leaf, and what is computed from its tile.
 *
 * Input: a ProductPlan whose choices are made.  Output: the kernel's statements in its builder. */
#include "kernel/contract/contract.h"

/* ---- operands ---- */

/* A constant table of the entry's values for `axis` = 0 .. count - 1; -1: they depend on more. */
static int table_constant(ProductPlan *p, const Index *entry, int axis, int64_t count) {
    int64_t *data = NEW_ARRAY(p->l->arena, (size_t)count, int64_t);
    for (int64_t i = 0; i < count; i++) {
        AxisValue at = {axis, i};
        if (!index_evaluate(entry, &at, 1, &data[i])) return -1;
    }
    Shape shape = {1, {product_constant(p, count)}};
    return builder_slot(p->b, lowering_constant(p->l, DTYPE_I64, shape, data, "offsets"),
                        ACCESS_READ);
}

MmaAccess product_access(ProductPlan *p, const Dim *stride, const Index *entry, int axis,
                         const Index *count) {
    Builder *b = p->b;
    MmaAccess access = {.stride = stride, .table_base = index_const(b->table, 0)};
    if (stride) return access;
    const Dim *extent = b->kernel->axes.data[axis].extent;
    int64_t known;
    if (dim_is_const(extent, &known) && known <= DEPTH_TABLE_MAX) {
        access.table_slot = table_constant(p, entry, axis, known);
        if (access.table_slot >= 0) return access;
    }
    /* Filled where all that it depends on is known, so outside of the loops that it does not depend
     * on. */
    OpenScopes open;
    int depth = builder_index_depth(b, entry), inner = builder_index_depth(b, count);
    builder_go_out(b, depth > inner ? depth : inner, &open);
    access.table_slot = builder_scratch(b, "offsets", DTYPE_I64, (Shape){1, {extent}});
    int fill = builder_axis(b, "t", extent);
    builder_open(b, fill, NULL, count, BIND_SEQ);
    const Index **replacement = NEW_ARRAY(p->b->arena, (size_t)axis + 1, const Index *);
    const Index *at = replacement[axis] = builder_axis_index(b, fill);
    const Index *value = index_substitute(b->table, entry, replacement, axis + 1);
    builder_store(b, access.table_slot, &at, 1, expr_index(b, value, DTYPE_I64), NULL);
    builder_close(b);
    builder_return(b, &open);
    return access;
}

/* Places along the depth that a packed group has: where a power of two divides them, one more than
 * are used, so that equal places of neighbouring groups, which are written together, lie in other
 * sets of the cache. */
static const Dim *packed_depth(ProductPlan *p) {
    const Dim *extent = p->b->kernel->axes.data[p->depth_axis].extent;
    int64_t e;
    return dim_is_const(extent, &e) && e % 16 == 0 ? product_constant(p, e + 1) : extent;
}

/* One or two rows take all lanes of a panel, also vectors that hold no column. */
static void clear_beyond(Builder *b, int slot, const Index *columns) {
    int64_t known;
    if (index_is_const(columns, &known) && known % PANEL_COLUMNS) builder_clear(b, slot);
}

/* Copies an operand into groups of neighbours. */
static int pack_copied(ProductPlan *p, const Operand *o, const Index *count,
                       const Index *depth_count) {
    Builder *b = p->b;
    bool is_row = o == &p->a;
    int64_t group = is_row ? GROUP_ROWS : PANEL_COLUMNS;
    const Dim *groups = dim_need(
        dim_ceildiv(p->b->dims, product_constant(p, is_row ? p->row_block : p->panel), group));
    PackLeaf *pack = NEW(p->arena, PackLeaf);
    *pack = (PackLeaf){.dtype = p->dtype,
                       .group = group,
                       .depth_max = packed_depth(p),
                       .from_slot = o->slot,
                       .base = o->base,
                       .count = count,
                       .depth = depth_count,
                       .across = o->across,
                       .along = o->along,
                       .block = o->block};
    Shape shape = {3, {groups, pack->depth_max, product_constant(p, group)}};
    pack->to_slot = builder_scratch(b, is_row ? "rows" : "panel", p->dtype, shape);
    if (!is_row) clear_beyond(b, pack->to_slot, count);
    builder_leaf(b, STMT_PACK)->pack = pack;
    return pack->to_slot;
}

/* Stores one value of an operand at `row` or `column` and depth, counted from the block's begin. */
static void pack_value(ProductPlan *p, const Operand *o, int slot, const Index *across,
                       const Index *k, const Index *const *place, int rank) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    bool is_row = o == &p->a;
    const Index *a = index_add(t, is_row ? p->row_begin : p->column_begin, across);
    const Index *at[SHAPE_MAX_RANK];
    product_indices_at(p, o->side, is_row ? a : NULL, is_row ? NULL : a,
                       index_add(t, p->depth_begin, k), at);
    const Expr *value = expr_cast(b, gen_value(p->gen, o->node, at), p->dtype);
    builder_store(b, slot, place, rank, value, NULL);
}

/* Evaluates the rows into scratch, [rows][depth]. */
static int pack_rows(ProductPlan *p, const Index *count, const Index *depth_count) {
    Builder *b = p->b;
    Shape shape = {2,
                   {product_constant(p, p->row_block), b->kernel->axes.data[p->depth_axis].extent}};
    int slot = builder_scratch(b, "rows", p->dtype, shape);
    int row = builder_axis(b, "r", shape.dims[0]), k = builder_axis(b, "v", shape.dims[1]);
    builder_open(b, row, NULL, count, BIND_SEQ);
    builder_open(b, k, NULL, depth_count, BIND_VECTOR);
    const Index *place[2] = {builder_axis_index(b, row), builder_axis_index(b, k)};
    pack_value(p, &p->a, slot, place[0], place[1], place, 2);
    builder_close(b);
    builder_close(b);
    return slot;
}

/* The panels that `count` columns begin, and the columns of panel q. */
static const Index *panel_count(ProductPlan *p, const Index *count) {
    IndexTable *t = p->b->table;
    return index_floordiv(t, index_add(t, count, index_const(t, PANEL_COLUMNS - 1)),
                          product_constant(p, PANEL_COLUMNS));
}
static const Index *columns_of(ProductPlan *p, const Index *count, const Index *panel_begin) {
    IndexTable *t = p->b->table;
    return index_min(t, index_const(t, PANEL_COLUMNS), index_sub(t, count, panel_begin));
}

/* Evaluates the columns into scratch, [panels][depth][16]. */
static int pack_columns(ProductPlan *p, const Index *count, const Index *depth_count) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Dim *depth = b->kernel->axes.data[p->depth_axis].extent;
    const Dim *width = product_constant(p, PANEL_COLUMNS);
    Shape shape = {3, {product_constant(p, p->panel / PANEL_COLUMNS), depth, width}};
    int slot = builder_scratch(b, "panel", p->dtype, shape);
    clear_beyond(b, slot, count);
    int q = builder_axis(b, "q", shape.dims[0]), k = builder_axis(b, "k", depth),
        v = builder_axis(b, "v", width);
    builder_open(b, q, NULL, panel_count(p, count), BIND_SEQ);
    const Index *first = index_scale(t, builder_axis_index(b, q), width);
    const Index *columns = columns_of(p, count, first);
    int opened = 3;
    if (p->b_side.turned) {
        /* Blocks of lanes along the depth: whole lines are read, few are written. */
        int block = builder_axis(b, "block", dim_need(dim_ceildiv(p->b->dims, depth, TURN)));
        const Index *turn = index_const(t, TURN - 1);
        builder_open(b, block, NULL,
                     index_floordiv(t, index_add(t, depth_count, turn), product_constant(p, TURN)),
                     BIND_SEQ);
        const Index *begin =
            index_scale(t, builder_axis_index(b, block), product_constant(p, TURN));
        builder_open(b, v, NULL, columns, BIND_SEQ);
        builder_open(b, k, begin,
                     index_min(t, depth_count, index_add(t, begin, index_const(t, TURN))),
                     BIND_VECTOR);
        opened = 4;
    } else {
        builder_open(b, k, NULL, depth_count, BIND_SEQ);
        builder_open(b, v, NULL, columns, BIND_VECTOR);
    }
    const Index *place[3] = {builder_axis_index(b, q), builder_axis_index(b, k),
                             builder_axis_index(b, v)};
    pack_value(p, &p->b_side, slot, index_add(t, first, place[2]), place[1], place, 3);
    while (opened--) builder_close(b);
    return slot;
}

/* ---- the tile ---- */

static void zero_tile(ProductPlan *p, int tile, const Index *rows) {
    Builder *b = p->b;
    int r = builder_axis(b, "r", product_constant(p, p->row_block));
    builder_open(b, r, NULL, rows, BIND_SEQ);
    int c = builder_axis(b, "v", product_constant(p, p->panel));
    builder_open(b, c, NULL, NULL, BIND_VECTOR);
    const Index *at[2] = {builder_axis_index(b, r), builder_axis_index(b, c)};
    builder_store(b, tile, at, 2, expr_const(b, p->dtype, 0), NULL);
    builder_close(b);
    builder_close(b);
}

static bool has_shape(const void *shape, const Node *n) {
    return shape_equal(&n->type.shape, shape);
}

/* Stores the members of one shape at one element. */
static void store_members(ProductPlan *p, const Shape *shape, const Index *const *at) {
    Shape wanted = *shape;
    gen_store_members(p->gen, at, (StoreRequest){has_shape, NULL, &wanted});
}

/* Stores what is computed from the product at one element. */
static void store_element(ProductPlan *p, const Index *row, const Index *column,
                          const Expr *product) {
    const Index *at[SHAPE_MAX_RANK];
    product_indices_at(p, 2, row, column, NULL, at);
    product = expr_cast(p->b, product, p->n->type.dtype);
    gen_set(p->gen, p->n, at, builder_let_here(p->b, product, "product"));
    store_members(p, &p->n->type.shape, at);
}

static const Expr *tile_element(ProductPlan *p, int tile, const Index *row, const Index *column) {
    IndexTable *t = p->b->table;
    if (tile == TILE_OUTER) return product_outer(p, row, column);
    const Index *at[2] = {index_sub(t, row, p->row_begin), index_sub(t, column, p->column_begin)};
    if (dim_is(p->row_total, 1)) at[0] = index_const(t, 0);
    return expr_load(p->b, tile, at, 2);
}

typedef struct TilePlace {
    ProductPlan *plan;
    int tile;
} TilePlace;

/* Panel by panel, as stored panels lie. */
static void epilogue_by_panels(ProductPlan *p, int tile, const Index *columns) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Index *first = index_const(t, 0);
    int opened = 2;
    if (p->panel > PANEL_COLUMNS) {
        int q = builder_axis(b, "q", product_constant(p, p->panel / PANEL_COLUMNS));
        builder_open(b, q, NULL, panel_count(p, columns), BIND_SEQ);
        first = index_scale(t, builder_axis_index(b, q), product_constant(p, PANEL_COLUMNS));
        opened++;
    }
    int r = builder_axis(b, "m", p->row_total);
    builder_open(b, r, p->row_begin, p->row_end, BIND_SEQ);
    int c = builder_axis(b, "n", product_constant(p, PANEL_COLUMNS));
    builder_open(b, c, NULL, columns_of(p, columns, first), BIND_VECTOR);
    const Index *row = dim_is(p->row_total, 1) ? index_const(t, 0) : builder_axis_index(b, r);
    const Index *column =
        index_add(t, p->column_begin, index_add(t, first, builder_axis_index(b, c)));
    store_element(p, row, column, tile_element(p, tile, row, column));
    while (opened--) builder_close(b);
}

/* Row by row, or (where memory does) along the rows, in blocks of lanes. */
static void epilogue_by_rows(ProductPlan *p, int tile, const Index *columns) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    int64_t e;
    /* Columns are counted from the tile's first one where tiles divide them, and otherwise from the
     * first of all: the bound of that axis shows that no store lies outside. */
    bool in_block = dim_is_const(p->column_total, &e) && e % p->panel == 0;
    bool turned = product_stores_along_rows(p);
    const Index *begin = p->row_begin, *end = p->row_end;
    int opened = 2;
    if (turned) {
        int block = builder_axis(b, "block", product_constant(p, (p->row_block + TURN - 1) / TURN));
        const Index *rows = index_sub(t, end, begin);
        builder_open(b, block, NULL,
                     index_floordiv(t, index_add(t, rows, index_const(t, TURN - 1)),
                                    product_constant(p, TURN)),
                     BIND_SEQ);
        begin = index_add(t, begin,
                          index_scale(t, builder_axis_index(b, block), product_constant(p, TURN)));
        end = index_min(t, end, index_add(t, begin, index_const(t, TURN)));
        opened++;
    }
    int r = builder_axis(b, "m", p->row_total);
    if (!turned) builder_open(b, r, begin, end, BIND_SEQ);
    int c = builder_axis(b, "n", in_block ? product_constant(p, p->panel) : p->column_total);
    builder_open(b, c, in_block ? NULL : p->column_begin, in_block ? columns : p->column_end,
                 turned ? BIND_SEQ : BIND_VECTOR);
    if (turned) builder_open(b, r, begin, end, BIND_VECTOR);
    const Index *row = dim_is(p->row_total, 1) ? index_const(t, 0) : builder_axis_index(b, r);
    const Index *column = builder_axis_index(b, c);
    if (in_block) column = index_add(t, p->column_begin, column);
    store_element(p, row, column, tile_element(p, tile, row, column));
    while (opened--) builder_close(b);
}

/* Where the product's element at `indices` lies in the tile. */
static const Expr *tile_at(Gen *g, const Node *n, const Index *const *indices) {
    const TilePlace *place = g->place_user;
    const ProductPlan *p = place->plan;
    const Shape rows = labels_shape(&p->rows), columns = product_columns_shape(p);
    const Index *row = contract_flat(g->b->table, n, &p->rows, &rows, indices);
    const Index *column = contract_flat(g->b->table, n, &p->columns, &columns, indices);
    return expr_cast(g->b, tile_element(place->plan, place->tile, row, column), n->type.dtype);
}

/* The members of one shape, whole rows of the last label at a time: the result's own, or those that
 * read its windows.  strides: of windows in the result, by axis; NULL: its own elements. */
static void store_band(ProductPlan *p, const Shape *shape, const int64_t *strides) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const int8_t *out = p->n->attr.contract.out;
    int r = builder_axis(b, "m", p->row_total), opened = 1;
    builder_open(b, r, p->row_begin, p->row_end, BIND_SEQ);
    const Index *row = dim_is(p->row_total, 1) ? index_const(t, 0) : builder_axis_index(b, r);
    const Index *at[SHAPE_MAX_RANK];
    product_indices_at(p, 2, row, NULL, NULL, at);
    for (int i = 0; i < p->columns.count; i++, opened++) {
        int axis = 0;
        while (out[axis] != p->columns.name[i]) axis++;
        const Dim *extent = shape->dims[axis];
        int c = builder_axis(b, "n", extent);
        const Index *begin = NULL, *end = NULL;
        if (i == 0) {
            const int64_t band = strides ? p->band / strides[axis] : p->band;
            begin = index_scale(t, p->band_index, product_constant(p, band));
            end = index_min(t, index_dim(t, extent), index_add(t, begin, index_const(t, band)));
        }
        builder_open(b, c, begin, end, i == p->columns.count - 1 ? BIND_VECTOR : BIND_SEQ);
        at[axis] = dim_is(extent, 1) ? index_const(t, 0) : builder_axis_index(b, c);
    }
    store_members(p, shape, at);
    while (opened--) builder_close(b);
}

static void epilogue_by_bands(ProductPlan *p, int tile) {
    TilePlace place = {p, tile};
    p->gen->place = tile_at;
    p->gen->place_user = &place;
    const Windows *w = &p->group->windows;
    if (product_stores_result(p)) store_band(p, &p->n->type.shape, NULL);
    if (w->shape.rank) store_band(p, &w->shape, w->stride);
    p->gen->place = NULL;
}

void product_epilogue(ProductPlan *p, int tile, const Index *columns) {
    if (p->band)
        epilogue_by_bands(p, tile);
    else if (product_stores_panels(p))
        epilogue_by_panels(p, tile, columns);
    else
        epilogue_by_rows(p, tile, columns);
}

/* ---- the product ---- */

/* A last, partial vector of columns may be read whole unless it lies at the very end of
 * the tensor. */
static void allow_whole_rows(ProductPlan *p, Mma *mma) {
    IndexTable *t = p->b->table;
    const Operand *o = &p->b_side;
    int64_t columns;
    bool exact = dim_is_const(p->column_total, &columns) && columns % p->panel == 0;
    if (exact || o->stored_panels || !dim_is(o->panel, PANEL_COLUMNS)) return;
    const Dim *lowest, *highest;
    index_bounds(t, o->depth_entry, &lowest, &highest);
    if (!highest) return;
    const Index *last = index_add(t, o->base, index_dim(t, highest));
    mma->b_end = index_add(t, last, index_const(t, p->panel));
    mma->b_elements = shape_elements(p->b->dims, builder_slot_shape(p->b, o->slot));
}

static void read_columns(ProductPlan *p, Mma *mma, const Index *columns, const Index *depth) {
    const Operand *o = &p->b_side;
    const Dim *extent = p->b->kernel->axes.data[p->depth_axis].extent;
    if (o->path == OPERAND_DIRECT) {
        mma->b_slot = o->slot;
        mma->b_base = o->base;
        mma->b_panel = o->panel;
        mma->b_depth = product_access(p, o->depth, o->depth_entry, p->depth_axis, depth);
        mma->b_padded = o->stored_panels;
        allow_whole_rows(p, mma);
        return;
    }
    mma->b_slot = o->path == OPERAND_COPIED ? pack_copied(p, o, columns, depth)
                                            : pack_columns(p, columns, depth);
    mma->b_base = index_const(p->b->table, 0);
    const Dim *places = o->path == OPERAND_COPIED ? packed_depth(p) : extent;
    mma->b_panel = dim_mul(p->b->dims, places, product_constant(p, PANEL_COLUMNS));
    mma->b_depth =
        (MmaAccess){.stride = product_constant(p, PANEL_COLUMNS), .table_base = mma->b_base};
    mma->b_padded = true;
}

static void read_rows(ProductPlan *p, Mma *mma, const Index *rows, const Index *depth) {
    const Operand *o = &p->a;
    const Dim *extent = p->b->kernel->axes.data[p->depth_axis].extent;
    const Index *zero = index_const(p->b->table, 0);
    if (o->path == OPERAND_DIRECT) {
        mma->a_slot = o->slot;
        mma->a_base = o->base;
        mma->a_row = product_access(p, o->across, o->across_entry, p->row_axis, rows);
        mma->a_depth = product_access(p, o->depth, o->depth_entry, p->depth_axis, depth);
        return;
    }
    mma->a_base = zero;
    if (o->path == OPERAND_COPIED) {
        const Dim *group = product_constant(p, GROUP_ROWS);
        mma->a_slot = pack_copied(p, o, rows, depth);
        mma->a_row = (MmaAccess){.stride = dim_mul(p->b->dims, packed_depth(p), group),
                                 .grouped = true,
                                 .table_base = zero};
        mma->a_depth = (MmaAccess){.stride = group, .table_base = zero};
    } else {
        mma->a_slot = pack_rows(p, rows, depth);
        mma->a_row = (MmaAccess){.stride = extent, .table_base = zero};
        mma->a_depth = (MmaAccess){.stride = product_constant(p, 1), .table_base = zero};
    }
}

static Mma *new_mma(ProductPlan *p, int tile, const Index *rows, const Index *columns,
                    const Index *depth) {
    Mma *mma = NEW(p->arena, Mma);
    *mma = (Mma){.dtype = p->dtype,
                 .tile_slot = tile,
                 .rows_max = p->row_block,
                 .columns_max = p->panel,
                 .rows = rows,
                 .columns = columns,
                 .depth = depth};
    return mma;
}

int product_tile(ProductPlan *p) {
    if (p->tile) return p->tile;
    Shape shape = {2, {product_constant(p, p->row_block), product_constant(p, p->panel)}};
    return p->tile = builder_scratch(p->b, "tile", p->dtype, shape);
}

/* The columns packed once, then block after block of rows. */
static void build_shared_panel(ProductPlan *p, const Index *columns) {
    Builder *b = p->b;
    product_depth(p, false);
    const Index *depth = index_sub(b->table, p->depth_end, p->depth_begin);
    product_operand(p, &p->b_side);
    Mma panel = {0};
    read_columns(p, &panel, columns, depth);
    int depth0 = b->depth;
    product_rows(p, true);
    product_operand(p, &p->a);
    const Index *rows = index_sub(b->table, p->row_end, p->row_begin);
    int tile = product_tile(p);
    Mma *mma = new_mma(p, tile, rows, columns, depth);
    mma->b_slot = panel.b_slot;
    mma->b_base = panel.b_base;
    mma->b_panel = panel.b_panel;
    mma->b_depth = panel.b_depth;
    mma->b_padded = true;
    read_rows(p, mma, rows, depth);
    builder_leaf(b, STMT_MMA)->mma = mma;
    product_epilogue(p, tile, columns);
    while (b->depth > depth0) builder_close(b);
}

const Dim *product_whole_depth(ProductPlan *p) {
    const Dim *total = p->depth_total;
    for (int i = 0; i < p->depth_outer.count; i++)
        total = dim_need(dim_mul(p->b->dims, total, p->depth_outer.extent[i]));
    return total;
}

void product_zero_if_empty(ProductPlan *p, int tile, const Index *rows) {
    Builder *b = p->b;
    const Index *total = index_dim(b->table, product_whole_depth(p));
    int64_t known;
    if (index_is_const(total, &known)) return;
    builder_open_if(b, guard_range(b, NULL, total, NULL, product_constant(p, 1)));
    zero_tile(p, tile, rows);
    builder_close(b);
}

/* One block of rows whose product is summed in one call of the leaf or in several. */
static void build_block(ProductPlan *p, const Index *columns) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    product_rows(p, true);
    const Index *rows = index_sub(t, p->row_end, p->row_begin);
    int tile = product_tile(p), depth0 = b->depth;
    if (dim_is(product_whole_depth(p), 0)) {
        zero_tile(p, tile, rows);
        product_epilogue(p, tile, columns);
        while (b->depth) builder_close(b);
        return;
    }
    bool loops = p->chunk != 0;
    for (int i = 0; i < p->depth_outer.count; i++)
        loops = loops || !dim_is(p->depth_outer.extent[i], 1);
    if (loops) product_zero_if_empty(p, tile, rows);
    product_depth(p, true);
    product_operand(p, &p->a);
    product_operand(p, &p->b_side);
    const Index *depth = index_sub(t, p->depth_end, p->depth_begin);
    Mma *mma = new_mma(p, tile, rows, columns, depth);
    if (loops) {
        mma->earlier = p->depth_begin;
        for (int i = 0; i < p->depth_outer.count; i++)
            mma->earlier = index_add(t, mma->earlier, p->depth_outer_at[i]);
    }
    read_columns(p, mma, columns, depth);
    read_rows(p, mma, rows, depth);
    builder_leaf(b, STMT_MMA)->mma = mma;
    while (b->depth > depth0) builder_close(b);
    product_epilogue(p, tile, columns);
    while (b->depth) builder_close(b);
}

void product_build(ProductPlan *p) {
    if (p->dots) {
        product_build_dots(p);
        return;
    }
    p->b = builder_new(p->l->program, p->arena);
    p->gen = gen_new(p->l, p->b, p->group);
    product_tiles(p);
    const Index *columns = index_sub(p->b->table, p->column_end, p->column_begin);
    product_open_general(p, columns);
    if (p->shared_panel)
        build_shared_panel(p, columns);
    else
        build_block(p, columns);
}
