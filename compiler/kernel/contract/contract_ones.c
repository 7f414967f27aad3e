/* Products in which an extent that is known only at run time is one: a step on a single sample.
 *
 * Input: a ProductPlan whose tile is open.  Output: branches before the general way, and that way
 * inside a branch of its own.  Depth of one (the gradient of a layer's weights): the tile is an
 * outer product, computed where it is stored, bound by the bytes of what it updates.  One row
 * against columns that are contiguous along the depth (the gradient of a layer's input): sums of
 * lanes along the depth, which read the columns once and copy nothing. */
#include "kernel/contract/contract.h"

static bool unknown(const Dim *d) {
    int64_t e;
    return !dim_is_const(d, &e);
}

/* The operand's element, as a number of the leaf's dtype. */
static const Expr *operand_at(ProductPlan *p, const Operand *o, const Index *across,
                              const Index *depth) {
    const Index *at[SHAPE_MAX_RANK];
    bool is_row = o == &p->a;
    product_indices_at(p, o->side, is_row ? across : NULL, is_row ? NULL : across, depth, at);
    return expr_cast(p->b, gen_value(p->gen, o->node, at), p->dtype);
}

static const Expr *product_of(ProductPlan *p, const Index *row, const Index *column,
                              const Index *depth) {
    const Expr *args[2] = {
        builder_let(p->b, operand_at(p, &p->a, row, depth), "a"),
        operand_at(p, &p->b_side, column, depth),
    };
    return expr_op(p->b, OP_MUL, p->dtype, args, 2);
}

const Expr *product_outer(ProductPlan *p, const Index *row, const Index *column) {
    return product_of(p, row, column, index_const(p->b->table, 0));
}

static void open_where_one(ProductPlan *p, const Dim *extent) {
    Builder *b = p->b;
    p->gen = gen_new(p->l, b, p->group); /* registers of a branch are not known outside of it */
    builder_open_if(b, guard_range(b, NULL, index_dim(b->table, extent), product_constant(p, 1),
                                   product_constant(p, 2)));
}

/* The sum over the depth of row 0 against a column: its runs of 16, and what is left of them, lanes
 * side by side. */
static const Expr *sum_of_lanes(ProductPlan *p, const Index *column, int64_t depth) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const Dim *width = product_constant(p, PANEL_COLUMNS);
    const Index *row = index_const(t, 0);
    const Expr *sums[2] = {NULL, NULL};
    if (depth >= PANEL_COLUMNS) {
        int lanes = builder_axis(b, "v", width);
        int runs = builder_axis(b, "k", product_constant(p, depth / PANEL_COLUMNS));
        int sum = builder_register(b, p->dtype, "sum");
        builder_accumulator(b, builder_open(b, lanes, NULL, NULL, BIND_VECTOR), REDUCE_SUM, sum,
                            -1);
        int part = builder_register(b, p->dtype, "part");
        builder_accumulator(b, builder_open(b, runs, NULL, NULL, BIND_SEQ), REDUCE_SUM, part, -1);
        const Index *at = index_add(t, index_scale(t, builder_axis_index(b, runs), width),
                                    builder_axis_index(b, lanes));
        builder_accumulate(b, REDUCE_SUM, part, product_of(p, row, column, at), NULL);
        builder_close(b);
        builder_accumulate(b, REDUCE_SUM, sum, expr_register(b, part), NULL);
        builder_close(b);
        sums[0] = expr_register(b, sum);
    }
    int64_t left = depth % PANEL_COLUMNS;
    if (left) {
        int lanes = builder_axis(b, "v", product_constant(p, left));
        int sum = builder_register(b, p->dtype, "rest");
        builder_accumulator(b, builder_open(b, lanes, NULL, NULL, BIND_VECTOR), REDUCE_SUM, sum,
                            -1);
        const Index *at = index_add(t, index_const(t, depth - left), builder_axis_index(b, lanes));
        builder_accumulate(b, REDUCE_SUM, sum, product_of(p, row, column, at), NULL);
        builder_close(b);
        sums[1] = expr_register(b, sum);
    }
    if (!sums[0] || !sums[1]) return sums[0] ? sums[0] : sums[1];
    return expr_op(b, OP_ADD, p->dtype, sums, 2);
}

/* The tile of one row, column by column, and what is computed from it. */
static void build_one_row(ProductPlan *p, const Index *columns, int64_t depth) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    int tile = product_tile(p);
    int c = builder_axis(b, "n", product_constant(p, p->panel));
    builder_open(b, c, NULL, columns, BIND_SEQ);
    const Index *at[2] = {index_const(t, 0), builder_axis_index(b, c)};
    builder_store(b, tile, at, 2, sum_of_lanes(p, index_add(t, p->column_begin, at[1]), depth),
                  NULL);
    builder_close(b);
    p->row_begin = index_const(t, 0);
    p->row_end = index_const(t, 1);
    product_epilogue(p, tile, columns);
}

void product_open_general(ProductPlan *p, const Index *columns) {
    Builder *b = p->b;
    int64_t depth;
    bool plain = labels_one(&p->depth_outer) && !p->band;
    bool loads = p->a.path != OPERAND_VALUES && p->b_side.path != OPERAND_VALUES;
    const Dim *extent = NULL;
    if (plain && loads && unknown(p->depth_total)) {
        extent = p->depth_total;
        open_where_one(p, extent);
        product_depth(p, false);
        product_rows(p, false);
        p->row_begin = p->tile_row_begin;
        p->row_end = p->tile_row_end;
        product_epilogue(p, TILE_OUTER, columns);
        builder_close(b);
    } else if (plain && p->a.path != OPERAND_VALUES && unknown(p->row_total) &&
               p->b_side.path == OPERAND_COPIED && dim_is(p->b_side.along, 1) &&
               dim_is_const(p->depth_total, &depth) && depth > 0) {
        extent = p->row_total;
        open_where_one(p, extent);
        product_depth(p, false);
        product_rows(p, false);
        build_one_row(p, columns, depth);
        builder_close(b);
    }
    if (!extent) return;
    p->gen = gen_new(p->l, b, p->group);
    builder_open_if(b, guard_and(b, NULL,
                                 (Test){.kind = TEST_OUTSIDE,
                                        .value = index_dim(b->table, extent),
                                        .lower = product_constant(p, 1),
                                        .upper = product_constant(p, 2)}));
}
