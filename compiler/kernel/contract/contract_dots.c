/* Products of few rows with few columns, whose vectors lie along the depth (templates/dot.h).
 *
 * Input: a product whose last label of the depth lies side by side in both operands.  Output: what
 * the way costs, and its kernel.  The gradient of the weights of a convolution with few channels is
 * the case: its columns are the places of a window, which would leave most of a vector of the other
 * leaf unused. */
#include "kernel/contract/contract.h"

#include <stdlib.h>

enum {
    RESULTS_MAX = 1024,
    LEVELS = 2, /* of the depth around its last label, inside the leaf */
};

/* The depth of one call: the last label in vectors, up to two around it. */
void product_depth_of_dots(ProductPlan *p) {
    p->dots = true;
    Labels all = p->depth_outer;
    for (int i = 0; i < p->depth.count; i++) {
        all.name[all.count] = p->depth.name[i];
        all.extent[all.count++] = p->depth.extent[i];
    }
    p->depth_outer = p->depth = (Labels){0};
    for (int i = 0; i < all.count; i++) {
        Labels *to = i < all.count - 1 ? &p->depth_outer : &p->depth;
        to->name[to->count] = all.name[i];
        to->extent[to->count++] = all.extent[i];
    }
    p->depth_total = p->depth.extent[0];
}

/* The labels of the depth that are loops around the leaf: the first ones of depth_outer. */
static int loops_outside(const ProductPlan *p) {
    return p->depth_outer.count > LEVELS ? p->depth_outer.count - LEVELS : 0;
}

/* Cycles of a tile for a vector of the depth: blocks of 3 by 9 (those of f32 with 32 registers in
 * templates/dot.h), bound by products or by loads, and the loop. */
static double step_cycles(int64_t rows, int64_t columns) {
    double cycles = 0;
    for (int64_t i = 0; i < rows; i += 3)
        for (int64_t j = 0; j < columns; j += 9) {
            double r = rows - i < 3 ? (double)(rows - i) : 3;
            double c = columns - j < 9 ? (double)(columns - j) : 9;
            double work = r * c / 2, loads = (r + c) / 2 * 1.2;
            cycles += (work > loads ? work : loads) + 1;
        }
    return cycles;
}

/* What tiles of so many rows and columns cost. */
static double tiles_cost(const ProductPlan *p, int64_t rows, int64_t columns, double store) {
    double along = (double)dim_hint(p->depth_total), around = labels_hint(&p->depth_outer);
    double all_rows = (double)dim_hint(p->row_total), all = (double)dim_hint(p->column_total);
    double outer = labels_hint(&p->outer);
    double tiles = outer * (all_rows / (double)rows) * (all / (double)columns);
    double each = around * block_count(along, VECTOR_HINT) * step_cycles(rows, columns);
    each += around * along * (double)(rows + 1) / 4; /* rows and windows pass through the caches */
    each += 8 * (double)(rows * columns);            /* sums of lanes */
    for (int i = 0; i < loops_outside(p); i++)
        each += CALL_CYCLES * (double)dim_hint(p->depth_outer.extent[i]);
    double cost = tiles * each + outer * all_rows * all * store;
    /* An odd tile leaves a second thread without work. */
    return cost > PARALLEL_CYCLES ? cost * (block_count(tiles, 2) * 2 / tiles) * (1 + 0.5 / tiles)
                                  : cost;
}

/* The tile, as the plan's rows_tile and panel; false: there is none. */
static bool choose_tile(ProductPlan *p, double store) {
    int64_t rows, columns;
    if (!dim_is_const(p->row_total, &rows) || !dim_is_const(p->column_total, &columns))
        return false;
    if (rows < 1 || columns < 1 || rows > RESULTS_MAX || rows * columns > RESULTS_MAX) return false;
    bool found = false;
    for (int64_t r = 1; r <= rows && r <= DOT_ROWS_MAX; r++)
        for (int64_t c = 1; c <= columns && c <= DOT_COLUMNS_MAX; c++) {
            if (rows % r || columns % c) continue;
            double cost = tiles_cost(p, r, c, store);
            if (found && cost >= p->cost) continue;
            p->cost = cost;
            p->rows_tile = p->row_block = r;
            p->panel = p->step = c;
            found = true;
        }
    return found;
}

/* Axes for the labels around the last one.  The leaf's own are only there to be probed; loops
 * around the leaf are opened with `open`. */
static void depth_axes(ProductPlan *p, bool open) {
    Builder *b = p->b;
    for (int i = 0; i < p->depth_outer.count; i++) {
        if (dim_is(p->depth_outer.extent[i], 1)) {
            p->depth_outer_at[i] = index_const(b->table, 0);
            continue;
        }
        int axis = p->depth_outer_axis[i] = builder_axis(b, "k", p->depth_outer.extent[i]);
        if (open && i < loops_outside(p)) builder_open(b, axis, NULL, NULL, BIND_SEQ);
        p->depth_outer_at[i] = builder_axis_index(b, axis);
    }
    p->depth_begin = index_const(b->table, 0);
    p->depth_end = index_dim(b->table, p->depth_total);
    p->depth_axis = builder_axis(b, "depth", p->depth_total);
}

/* The label that is `level` outwards from the last one; -1: there is none. */
static int around(const ProductPlan *p, int level) {
    int label = p->depth_outer.count - 1 - level;
    return label < 0 || dim_is(p->depth_outer.extent[label], 1) ? -1 : label;
}

/* Where an operand lies, as the leaf takes it; false: it lies otherwise. */
static bool dot_operand(ProductPlan *p, Operand *o, DotOperand *dot, Operand *found) {
    IndexTable *t = p->b->table;
    bool is_row = o == &p->a, panels;
    int axis = is_row ? p->row_axis : p->columns_axis;
    const Index *across =
        index_add(t, is_row ? p->row_begin : p->column_begin, builder_axis_index(p->b, axis));
    const Index *depth = builder_axis_index(p->b, p->depth_axis);
    const Index *rest = product_offset(p, o, across, depth, &dot->slot, &panels);
    if (!rest) return false;
    const Dim *strides[LEVELS], *along = product_stride_along(p, rest, p->depth_axis);
    if (!along || !dim_is(along, 1)) return false;
    rest = product_without(p, rest, p->depth_axis);
    for (int level = 0; level < LEVELS; level++) {
        int label = around(p, level);
        strides[level] = product_constant(p, 0);
        if (label < 0) continue;
        int outer = p->depth_outer_axis[label];
        strides[level] = product_stride_along(p, rest, outer);
        if (!strides[level]) return false;
        rest = product_without(p, rest, outer);
    }
    dot->line = strides[0];
    dot->plane = strides[1];
    dot->base = product_without(p, rest, axis);
    found->across = product_stride_along(p, rest, axis);
    found->across_entry = index_sub(t, rest, dot->base);
    return true;
}

bool product_dots(ProductPlan *p, double store, double limit) {
    if (!p->depth.count || product_stores_panels(p)) return false;
    product_depth_of_dots(p);
    if (!choose_tile(p, store) || p->cost >= limit) return false;
    p->b = builder_new(p->l->program, p->arena);
    p->gen = gen_new(p->l, p->b, p->group);
    product_tiles(p);
    product_rows(p, false);
    depth_axes(p, false);
    DotOperand dot;
    Operand found;
    return dot_operand(p, &p->a, &dot, &found) && dot_operand(p, &p->b_side, &dot, &found);
}

static void read_operand(ProductPlan *p, Operand *o, DotOperand *dot) {
    bool is_row = o == &p->a;
    Operand found;
    if (!dot_operand(p, o, dot, &found)) abort();
    dot->across =
        product_access(p, found.across, found.across_entry, is_row ? p->row_axis : p->columns_axis,
                       index_const(p->b->table, is_row ? p->rows_tile : p->panel));
}

static const Dim *level_extent(ProductPlan *p, int level) {
    int label = around(p, level);
    return label < 0 ? product_constant(p, 1) : p->depth_outer.extent[label];
}

void product_build_dots(ProductPlan *p) {
    p->b = builder_new(p->l->program, p->arena);
    p->gen = gen_new(p->l, p->b, p->group);
    Builder *b = p->b;
    IndexTable *t = b->table;
    product_tiles(p);
    product_rows(p, true);
    int tile = product_tile(p), depth0 = b->depth;
    if (loops_outside(p)) product_zero_if_empty(p, tile, index_const(t, p->rows_tile));
    depth_axes(p, true);
    Dot *dot = NEW(p->arena, Dot);
    *dot = (Dot){.dtype = p->dtype,
                 .tile_slot = tile,
                 .rows = (int)p->rows_tile,
                 .columns = (int)p->panel,
                 .planes = level_extent(p, 1),
                 .lines = level_extent(p, 0),
                 .along = p->depth_total};
    for (int i = 0; i < loops_outside(p); i++)
        dot->earlier =
            dot->earlier ? index_add(t, dot->earlier, p->depth_outer_at[i]) : p->depth_outer_at[i];
    read_operand(p, &p->a, &dot->a);
    read_operand(p, &p->b_side, &dot->b);
    builder_leaf(b, STMT_DOT)->dot = dot;
    while (b->depth > depth0) builder_close(b);
    product_epilogue(p, tile, index_const(t, p->panel));
    while (b->depth) builder_close(b);
}
