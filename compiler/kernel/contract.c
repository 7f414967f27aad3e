/* The schedule of contractions: every product goes through one leaf.
 *
 * Input: a CONTRACT group (the product and what is computed from it at the same element).  Output:
 * one kernel. Labels are sorted into batch, rows (one operand), columns (the other) and depth
 * (summed).  Both assignments of operands to sides and several choices of columns are planned, and
 * the cheapest is built.  An operand is read in place where its offset splits into a row part and a
 * depth part (strides or tables of offsets), which covers windows of images and stored panels;
 * otherwise it is evaluated into a panel in scratch. */
#include "kernel/internal.h"

#include <stdlib.h>

enum {
    DEPTH_TABLE_MAX = 4096, /* depth of one leaf call whose offsets are tables */
    DEPTH_PACKED = 512,     /* depth of one panel in scratch */
    ROWS_PACKED = 192,      /* rows that share a panel in scratch */
    LOOPS_MAX = 512,        /* products of at most this many multiplications are plain loops */
    TURN = 16,              /* block of a copy that is contiguous along the outer loop's axis */
};

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

static bool has_label(const Node *n, int side, int label) {
    const ContractAttr *c = &n->attr.contract;
    const int8_t *names = side == 0 ? c->a : side == 1 ? c->b : c->out;
    int rank = side == 2 ? n->type.shape.rank : n->inputs[side]->type.shape.rank;
    for (int i = 0; i < rank; i++)
        if (names[i] == label) return true;
    return false;
}

/* A list of labels and the shape that they span. */
typedef struct Labels {
    int count;
    int name[CONTRACT_MAX_LABELS];
    const Dim *extent[CONTRACT_MAX_LABELS];
} Labels;

static void labels_add(Labels *list, const Node *n, int label) {
    list->name[list->count] = label;
    list->extent[list->count++] = contract_extent(n, label);
}

static Shape labels_shape(const Labels *list) {
    Shape s = {0};
    for (int i = 0; i < list->count; i++) s.dims[s.rank++] = list->extent[i];
    return s;
}

static double labels_hint(const Labels *list) {
    double p = 1;
    for (int i = 0; i < list->count; i++) p *= (double)dim_hint(list->extent[i]);
    return p;
}

static bool labels_one(const Labels *list) {
    for (int i = 0; i < list->count; i++)
        if (!dim_is(list->extent[i], 1)) return false;
    return true;
}

typedef struct Sorted {
    Labels batch, side[2], depth;
} Sorted;

static Sorted sort_labels(const Node *n) {
    Sorted s = {0};
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
    Sorted s = sort_labels(n);
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

/* How an operand reaches the leaf. */
typedef struct Operand {
    const Node *node;
    int side;
    bool direct;
    int slot;
    const Index *base;
    const Dim *across; /* stride over rows; for columns it is 1.  NULL: a table */
    const Dim *depth;  /* stride over depth.  NULL: a table */
    const Index *across_entry, *depth_entry; /* what tables hold, at axes (row or depth) */
    double pack_cost; /* cycles per element when it is evaluated into scratch */
    bool turned;      /* it is contiguous along the outer axis of that scratch */
    bool stored_panels;
} Operand;

typedef struct Plan {
    Lowering *l;
    Group *group;
    const Node *n;
    Arena *arena;
    Builder *b;
    Gen *gen;
    DType dtype; /* of the leaf */
    Labels outer, rows, columns, depth_outer, depth;
    const Dim *row_total, *column_total, *depth_total;
    int64_t row_block, panel, chunk; /* chunk 0: the whole depth in one call */
    const Index *outer_at[CONTRACT_MAX_LABELS], *depth_outer_at[CONTRACT_MAX_LABELS];
    const Index *row_begin, *row_end, *column_begin, *column_end, *depth_begin, *depth_end;
    int row_axis, column_axis, depth_axis; /* probing axes of offsets: positions inside the block */
    Operand a, b_side;
    double cost;
} Plan;

static const Dim *constant(Plan *p, int64_t v) {
    return dim_const(p->b->dims, v);
}

static const Dim *ceil_div(Plan *p, const Dim *a, int64_t b) {
    return dim_need(
        dim_floordiv(p->b->dims, dim_add(p->b->dims, a, constant(p, b - 1)), constant(p, b)));
}

/* The operand's (or result's: side 2) indices when the flat positions of the three groups are
 * given. */
static void indices_at(Plan *p, int side, const Index *row, const Index *column, const Index *depth,
                       const Index **out) {
    const Node *n = p->n;
    const ContractAttr *c = &n->attr.contract;
    const int8_t *names = side == 0 ? c->a : side == 1 ? c->b : c->out;
    int rank = side == 2 ? n->type.shape.rank : n->inputs[side]->type.shape.rank;
    const Labels *lists[5] = {&p->outer, &p->depth_outer, &p->rows, &p->columns, &p->depth};
    const Index *flats[5] = {NULL, NULL, row, column, depth};
    for (int k = 0; k < 5; k++) {
        const Index *at[CONTRACT_MAX_LABELS];
        Shape shape = labels_shape(lists[k]);
        if (k == 0)
            for (int i = 0; i < shape.rank; i++) at[i] = p->outer_at[i];
        else if (k == 1)
            for (int i = 0; i < shape.rank; i++) at[i] = p->depth_outer_at[i];
        else if (flats[k])
            index_unflatten(p->b->table, flats[k], &shape, at);
        else
            continue;
        for (int i = 0; i < shape.rank; i++)
            for (int r = 0; r < rank; r++)
                if (names[r] == lists[k]->name[i]) out[r] = at[i];
    }
}

/* Offset in memory of the operand's element, when it is one plain load of the leaf's dtype. */
static const Index *operand_offset(Plan *p, const Operand *o, const Index *across,
                                   const Index *depth, int *slot, bool *panels) {
    const Index *at[SHAPE_MAX_RANK];
    bool is_row = o == &p->a;
    indices_at(p, o->side, is_row ? across : NULL, is_row ? NULL : across, depth, at);
    Gen *gen = gen_new(p->l, p->b, p->group);
    gen->pure = true;
    const Expr *e = gen_value(gen, o->node, at);
    if (e->kind != EXPR_LOAD || e->dtype != p->dtype) return NULL;
    *slot = e->slot;
    const Slot *s = &p->b->kernel->slots.data[e->slot];
    *panels = s->layout != NULL;
    return index_offset(p->b->table, s->layout, &s->shape, e->indices);
}

/* Replaces one axis by zero. */
static const Index *without(Plan *p, const Index *a, int axis) {
    int count = p->b->kernel->axes.count;
    const Index **replacement = NEW_ARRAY(p->b->arena, (size_t)count, const Index *);
    replacement[axis] = index_const(p->b->table, 0);
    return index_substitute(p->b->table, a, replacement, count);
}

static void plan_operand(Plan *p, Operand *o) {
    IndexTable *t = p->b->table;
    bool is_row = o == &p->a;
    int across_axis = is_row ? p->row_axis : p->column_axis;
    const Index *across = index_add(t, is_row ? p->row_begin : p->column_begin,
                                    builder_axis_index(p->b, across_axis));
    const Index *depth = index_add(t, p->depth_begin, builder_axis_index(p->b, p->depth_axis));
    const Index *offset = operand_offset(p, o, across, depth, &o->slot, &o->stored_panels);
    o->pack_cost = 2;
    o->direct = false;
    if (!offset) return;
    const Dim *stride;
    Motion move = index_motion(offset, across_axis, &stride);
    if (move == MOTION_NONE || (move == MOTION_STRIDE && dim_is(stride, 1))) {
        o->pack_cost = 0.2;
    } else if (!is_row && index_motion(offset, p->depth_axis, &stride) == MOTION_STRIDE &&
               dim_is(stride, 1)) {
        o->turned = true;
        o->pack_cost = 1.2;
    }
    move = index_motion(offset, across_axis, &stride);
    const Index *row0 = without(p, offset, across_axis),
                *depth0 = without(p, offset, p->depth_axis);
    const Index *origin = without(p, row0, p->depth_axis);
    /* The offset must be row part + depth part. */
    if (offset != index_sub(t, index_add(t, row0, depth0), origin)) return;
    o->base = origin;
    o->across = o->depth = NULL;
    const Dim *zero = constant(p, 0);
    if (move == MOTION_NONE)
        o->across = zero;
    else if (move == MOTION_STRIDE)
        o->across = stride;
    else if (!is_row)
        return;
    if (!is_row && !dim_is(o->across, 1) && !dim_is(p->column_total, 1)) return;
    o->across_entry = index_sub(t, depth0, origin);
    move = index_motion(offset, p->depth_axis, &stride);
    if (move == MOTION_NONE)
        o->depth = zero;
    else if (move == MOTION_STRIDE)
        o->depth = stride;
    o->depth_entry = index_sub(t, row0, origin);
    o->direct = true;
}

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

/* Cycles per element for what is stored, when the vector goes along the column (or the row): its
 * stride in memory. */
static double store_cost_along(Plan *p, int axis) {
    IndexTable *t = p->b->table;
    const Index *row = index_add(t, p->row_begin, builder_axis_index(p->b, p->row_axis));
    const Index *column = index_add(t, p->column_begin, builder_axis_index(p->b, p->column_axis));
    const Index *at[SHAPE_MAX_RANK];
    indices_at(p, 2, row, column, NULL, at);
    double cost = 0;
    for (int i = 0; i < p->group->members.count; i++) {
        NodeState *s = lowering_state(p->l, p->group->members.data[i]);
        for (int k = -1; k < s->targets.count; k++) {
            const Buffer *buffer = k < 0 ? s->buffer : s->targets.data[k];
            if (!buffer || (k >= 0 && buffer == s->buffer)) continue;
            const Dim *stride;
            const Index *offset = index_offset(t, buffer->layout, &buffer->shape, at);
            Motion move = index_motion(offset, axis, &stride);
            bool reads = buffer->kind == BUFFER_CELL;
            bool contiguous = move == MOTION_NONE || (move == MOTION_STRIDE && dim_is(stride, 1));
            cost += (contiguous ? 0.2 : 2.5) * (reads ? 2 : 1);
        }
    }
    return cost;
}

static bool stores_along_rows(Plan *p) {
    if (dim_is(p->row_total, 1) || p->row_block < TURN) return false;
    return store_cost_along(p, p->row_axis) + 1 < store_cost_along(p, p->column_axis);
}

static double store_cost(Plan *p) {
    return stores_along_rows(p) ? store_cost_along(p, p->row_axis) + 1
                                : store_cost_along(p, p->column_axis);
}

/* The width of stored panels along some label of the columns in anything that the group reads or
 * writes. */
static int64_t forced_panel(Plan *p) {
    if (p->columns.count != 1) return 0;
    const ContractAttr *c = &p->n->attr.contract;
    const Node *base = operand_base((Node *)p->b_side.node);
    if (base == p->b_side.node && base->op == OP_CELL) {
        const Layout *layout = kernel_cell_layout(p->l->program, base->attr.cell);
        const int8_t *names = p->b_side.side ? c->b : c->a;
        if (layout && names[layout->axes[0].axis] == p->columns.name[0])
            return layout->axes[0].divide;
    }
    for (int i = 0; i < p->group->members.count; i++) {
        NodeState *s = lowering_state(p->l, p->group->members.data[i]);
        for (int k = 0; k < s->targets.count; k++) {
            const Layout *layout = s->targets.data[k]->layout;
            if (layout && c->out[layout->axes[0].axis] == p->columns.name[0])
                return layout->axes[0].divide;
        }
    }
    return 0;
}

static Plan *plan_new(Lowering *l, Group *group, int row_side, int column_label, Arena *arena) {
    Plan *p = NEW(arena, Plan);
    p->arena = arena;
    const Node *n = group->anchor;
    Sorted s = sort_labels(n);
    p->l = l;
    p->group = group;
    p->n = n;
    p->b = builder_new(l->program, arena);
    p->gen = gen_new(l, p->b, group);
    p->dtype = n->type.dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    p->outer = s.batch;
    p->rows = s.side[row_side];
    const Labels *columns = &s.side[1 - row_side];
    for (int i = 0; i < columns->count; i++) {
        if (column_label < 0 || i == column_label)
            labels_add(&p->columns, n, columns->name[i]);
        else
            labels_add(&p->outer, n, columns->name[i]);
    }
    /* Depth: the longest constant tail in one call, loops around it. */
    int64_t product = 1, e;
    int split = s.depth.count;
    while (split > 0 && dim_is_const(s.depth.extent[split - 1], &e) && e > 0 &&
           product * e <= DEPTH_TABLE_MAX)
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
    p->a = (Operand){.node = n->inputs[row_side], .side = row_side};
    p->b_side = (Operand){.node = n->inputs[1 - row_side], .side = 1 - row_side};
    p->panel = forced_panel(p);
    if (!p->panel) p->panel = dim_is_const(p->column_total, &e) ? panel_width(e) : PANEL_MAX;
    p->row_block = dim_is_const(p->row_total, &e) && e <= ROWS_MAX ? (e ? e : 1) : ROWS_MAX;
    return p;
}

static bool is_packed(const Plan *p) {
    return !p->a.direct || !p->b_side.direct;
}

/* Tiles and probing axes.  Run once to learn how operands are read, and again, in a fresh builder,
 * to build. */
static void plan_frame(Plan *p) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    for (int i = 0; i < p->outer.count; i++)
        p->outer_at[i] = builder_tile(b, "b", p->outer.extent[i]);
    const Index *panel = builder_tile(b, "panel", ceil_div(p, p->column_total, p->panel));
    const Index *block = builder_tile(b, "rows", ceil_div(p, p->row_total, p->row_block));
    p->column_begin = index_scale(t, panel, constant(p, p->panel));
    p->column_end = index_min(t, index_dim(t, p->column_total),
                              index_add(t, p->column_begin, index_const(t, p->panel)));
    p->row_begin = index_scale(t, block, constant(p, p->row_block));
    p->row_end = index_min(t, index_dim(t, p->row_total),
                           index_add(t, p->row_begin, index_const(t, p->row_block)));
    p->row_axis = builder_axis(b, "row", constant(p, p->row_block));
    p->column_axis = builder_axis(b, "column", constant(p, p->panel));
}

/* Depth loops; they are opened when `open`. */
static void plan_depth(Plan *p, bool open) {
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
        int axis = builder_axis(b, "chunk", ceil_div(p, p->depth_total, p->chunk));
        if (open) builder_open(b, axis, NULL, NULL, BIND_SEQ);
        p->depth_begin = index_scale(t, builder_axis_index(b, axis), constant(p, p->chunk));
        p->depth_end =
            index_min(t, p->depth_end, index_add(t, p->depth_begin, index_const(t, p->chunk)));
        extent = constant(p, p->chunk);
    }
    p->depth_axis = builder_axis(b, "depth", extent);
}

static void plan_cost(Plan *p) {
    double rows = (double)dim_hint(p->row_total), columns = (double)dim_hint(p->column_total);
    double outer = labels_hint(&p->outer),
           depth = labels_hint(&p->depth) * labels_hint(&p->depth_outer);
    double calls = labels_hint(&p->depth_outer);
    double row_blocks = (double)((int64_t)(rows + (double)p->row_block - 1) / p->row_block);
    double panels = (double)((int64_t)(columns + (double)p->panel - 1) / p->panel);
    double last = columns - (panels - 1) * (double)p->panel;
    double vectors = (double)((int64_t)(last + VECTOR_HINT - 1) / VECTOR_HINT);
    double cycles = leaf_cycles(rows, (double)p->panel / VECTOR_HINT) * (panels - 1) +
                    leaf_cycles(rows, vectors);
    p->cost = outer * depth * cycles + outer * calls * panels * row_blocks * 60;
    p->cost += outer * rows * columns * store_cost(p);
    if (!p->a.direct) p->cost += outer * panels * rows * depth * p->a.pack_cost;
    if (!p->b_side.direct) p->cost += outer * row_blocks * columns * depth * p->b_side.pack_cost;
    if (p->a.direct && !p->a.across) p->cost += outer * calls * panels * rows * 8;
}

static void plan_make(Plan *p) {
    for (int pass = 0; pass < 2; pass++) {
        p->b = builder_new(p->l->program, p->arena);
        p->gen = gen_new(p->l, p->b, p->group);
        plan_frame(p);
        plan_depth(p, false);
        plan_operand(p, &p->a);
        plan_operand(p, &p->b_side);
        if (!is_packed(p)) break;
        /* Panels in scratch: more rows share one, and their depth is bounded. */
        int64_t e;
        if (!p->b_side.direct) {
            p->row_block =
                dim_is_const(p->row_total, &e) && e <= ROWS_PACKED ? (e ? e : 1) : ROWS_PACKED;
        }
        if (!dim_is_const(p->depth_total, &e) || e > 2 * DEPTH_PACKED) p->chunk = DEPTH_PACKED;
    }
    plan_cost(p);
}

/* ---- building ---- */

static int table_constant(Plan *p, const Index *entry, int axis, int64_t count) {
    int64_t *data = NEW_ARRAY(p->l->arena, (size_t)count, int64_t);
    const Index **replacement = NEW_ARRAY(p->arena, (size_t)axis + 1, const Index *);
    for (int64_t i = 0; i < count; i++) {
        replacement[axis] = index_const(p->b->table, i);
        if (!index_is_const(index_substitute(p->b->table, entry, replacement, axis + 1), &data[i]))
            return -1;
        if (data[i] > INT32_MAX || data[i] < INT32_MIN) abort();
    }
    Shape shape = {1, {constant(p, count)}};
    KernelEntry *entry_of = p->l->entry;
    for (int i = 0; i < entry_of->buffers.count; i++) {
        Buffer *old = entry_of->buffers.data[i];
        if (old->kind != BUFFER_CONSTANT || old->dtype != DTYPE_I32 ||
            !shape_equal(&old->shape, &shape))
            continue;
        bool same = true;
        for (int64_t k = 0; same && k < count; k++)
            same = ((const int64_t *)old->data)[k] == data[k];
        if (same) return builder_slot(p->b, old, ACCESS_READ);
    }
    Buffer *buffer = lowering_buffer(p->l, BUFFER_CONSTANT, DTYPE_I32, shape, "offsets");
    buffer->data = data;
    return builder_slot(p->b, buffer, ACCESS_READ);
}

/* A table of `entry` over `axis` (extent: a constant), for the leaf. */
static MmaAccess make_access(Plan *p, const Dim *stride, const Index *entry, int axis,
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
    Scope saved[MAX_SCOPES];
    int depth = builder_index_depth(b, without(p, entry, axis)),
        inner = builder_index_depth(b, count);
    int saved_depth = b->depth;
    for (int i = 0; i < MAX_SCOPES; i++) saved[i] = b->scopes[i];
    b->depth = depth > inner ? depth : inner;
    access.table_slot = builder_scratch(b, "offsets", DTYPE_I32, (Shape){1, {extent}});
    int fill = builder_axis(b, "t", extent);
    builder_open(b, fill, NULL, count, BIND_SEQ);
    const Index **replacement = NEW_ARRAY(p->b->arena, (size_t)axis + 1, const Index *);
    const Index *at = replacement[axis] = builder_axis_index(b, fill);
    const Index *value = index_substitute(b->table, entry, replacement, axis + 1);
    builder_store(b, access.table_slot, &at, 1, expr_index(b, value, DTYPE_I32), NULL);
    builder_close(b);
    for (int i = 0; i < MAX_SCOPES; i++) b->scopes[i] = saved[i];
    b->depth = saved_depth;
    return access;
}

/* Evaluates an operand into scratch: rows as [rows][depth], columns as [depth][panel]. */
static int pack(Plan *p, Operand *o, const Index *across_count, const Index *depth_count) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    bool is_row = o == &p->a;
    const Dim *across = constant(p, is_row ? p->row_block : p->panel);
    const Dim *depth = b->kernel->axes.data[p->depth_axis].extent;
    Shape shape = {2, {is_row ? across : depth, is_row ? depth : across}};
    int slot = builder_scratch(b, is_row ? "rows" : "panel", p->dtype, shape);
    int outer = builder_axis(b, is_row ? "r" : "k", shape.dims[0]);
    int inner = builder_axis(b, "v", shape.dims[1]);
    const Index *outer_count = is_row ? across_count : depth_count;
    if (o->turned) {
        /* Blocks of lanes along the outer axis: whole lines are read, few are written. */
        int block = builder_axis(b, "block", ceil_div(p, shape.dims[0], TURN));
        const Index *turn = index_const(t, TURN - 1);
        builder_open(b, block, NULL,
                     index_floordiv(t, index_add(t, outer_count, turn), constant(p, TURN)),
                     BIND_SEQ);
        const Index *begin = index_scale(t, builder_axis_index(b, block), constant(p, TURN));
        builder_open(b, inner, NULL, across_count, BIND_SEQ);
        builder_open(b, outer, begin,
                     index_min(t, outer_count, index_add(t, begin, index_const(t, TURN))),
                     BIND_VECTOR);
    } else {
        builder_open(b, outer, NULL, outer_count, BIND_SEQ);
        builder_open(b, inner, NULL, is_row ? depth_count : across_count, BIND_VECTOR);
    }
    const Index *place[2] = {builder_axis_index(b, outer), builder_axis_index(b, inner)};
    const Index *a = index_add(t, is_row ? p->row_begin : p->column_begin, place[is_row ? 0 : 1]);
    const Index *k = index_add(t, p->depth_begin, place[is_row ? 1 : 0]);
    const Index *at[SHAPE_MAX_RANK];
    indices_at(p, o->side, is_row ? a : NULL, is_row ? NULL : a, k, at);
    const Expr *value = expr_cast(b, gen_value(p->gen, o->node, at), p->dtype);
    builder_store(b, slot, place, 2, value, NULL);
    if (o->turned) builder_close(b);
    builder_close(b);
    builder_close(b);
    return slot;
}

static void zero_tile(Plan *p, int tile, const Index *rows) {
    Builder *b = p->b;
    int r = builder_axis(b, "r", constant(p, p->row_block));
    builder_open(b, r, NULL, rows, BIND_SEQ);
    int c = builder_axis(b, "v", constant(p, p->panel));
    builder_open(b, c, NULL, NULL, BIND_VECTOR);
    const Index *at[2] = {builder_axis_index(b, r), builder_axis_index(b, c)};
    builder_store(b, tile, at, 2, expr_const(b, p->dtype, 0), NULL);
    builder_close(b);
    builder_close(b);
}

/* What is computed from the product, at the elements of the tile. */
static void epilogue(Plan *p, int tile, const Index *columns) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    int64_t e;
    /* Positions in the block show panels; positions in the whole show that they are in bounds. */
    bool in_block = forced_panel(p) || (dim_is_const(p->column_total, &e) && e % p->panel == 0);
    const Index *row, *column, *in_tile[2];
    bool turned = stores_along_rows(p);
    const Index *begin = p->row_begin, *end = p->row_end;
    if (turned) {
        int block = builder_axis(b, "block", constant(p, (p->row_block + TURN - 1) / TURN));
        const Index *rows = index_sub(t, end, begin);
        builder_open(
            b, block, NULL,
            index_floordiv(t, index_add(t, rows, index_const(t, TURN - 1)), constant(p, TURN)),
            BIND_SEQ);
        begin =
            index_add(t, begin, index_scale(t, builder_axis_index(b, block), constant(p, TURN)));
        end = index_min(t, end, index_add(t, begin, index_const(t, TURN)));
    }
    int r = builder_axis(b, "m", p->row_total);
    if (!turned) builder_open(b, r, begin, end, BIND_SEQ);
    row = builder_axis_index(b, r);
    in_tile[0] = index_sub(t, row, p->row_begin);
    if (dim_is(p->row_total, 1)) in_tile[0] = row = index_const(t, 0);
    if (in_block) {
        int c = builder_axis(b, "n", constant(p, p->panel));
        builder_open(b, c, NULL, columns, turned ? BIND_SEQ : BIND_VECTOR);
        in_tile[1] = builder_axis_index(b, c);
        column = index_add(t, p->column_begin, in_tile[1]);
    } else {
        int c = builder_axis(b, "n", p->column_total);
        builder_open(b, c, p->column_begin, p->column_end, turned ? BIND_SEQ : BIND_VECTOR);
        column = builder_axis_index(b, c);
        in_tile[1] = index_sub(t, column, p->column_begin);
    }
    if (turned) builder_open(b, r, begin, end, BIND_VECTOR);
    const Index *at[SHAPE_MAX_RANK];
    indices_at(p, 2, row, column, NULL, at);
    const Expr *product = expr_cast(b, expr_load(b, tile, in_tile, 2), p->n->type.dtype);
    Group *g = p->group;
    product = builder_let_here(b, product, "product");
    gen_set(p->gen, p->n, at, product);
    const Expr **values = NEW_ARRAY(p->b->arena, (size_t)g->members.count, const Expr *);
    for (int pass = 0; pass < 2; pass++) {
        for (int m = 0; m < g->members.count; m++) {
            Node *n = g->members.data[m];
            if (!lowering_needs_store(p->l, n)) continue;
            if (pass)
                gen_store(p->gen, n, at, values[m]);
            else
                values[m] = builder_let_here(b, gen_value(p->gen, n, at), "out");
        }
    }
    if (turned) builder_close(b);
    builder_close(b);
    builder_close(b);
}

/* The loops over depth with the leaf in them.  accumulate: the tile already holds a value. */
static void leaf(Plan *p, int tile, const Index *rows, const Index *columns, bool accumulate) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    int depth0 = b->depth;
    plan_depth(p, true);
    plan_operand(p, &p->a);
    plan_operand(p, &p->b_side);
    const Index *depth = index_sub(t, p->depth_end, p->depth_begin);
    Mma *mma = NEW(p->arena, Mma);
    *mma = (Mma){.dtype = p->dtype,
                 .tile_slot = tile,
                 .rows_max = p->row_block,
                 .columns_max = p->panel,
                 .rows = rows,
                 .columns = columns,
                 .depth = depth,
                 .accumulate = accumulate};
    const Index *zero = index_const(t, 0);
    const Dim *depth_extent = b->kernel->axes.data[p->depth_axis].extent;
    if (p->b_side.direct) {
        mma->b_slot = p->b_side.slot;
        mma->b_base = p->b_side.base;
        mma->b_depth = make_access(p, p->b_side.depth, p->b_side.depth_entry, p->depth_axis, depth);
        mma->b_padded = p->b_side.stored_panels;
    } else {
        mma->b_slot = pack(p, &p->b_side, columns, depth);
        mma->b_base = zero;
        mma->b_depth = (MmaAccess){constant(p, p->panel), 0, zero};
        mma->b_padded = true;
    }
    if (p->a.direct) {
        mma->a_slot = p->a.slot;
        mma->a_base = p->a.base;
        mma->a_row = make_access(p, p->a.across, p->a.across_entry, p->row_axis, rows);
        mma->a_depth = make_access(p, p->a.depth, p->a.depth_entry, p->depth_axis, depth);
    } else {
        mma->a_slot = pack(p, &p->a, rows, depth);
        mma->a_base = zero;
        mma->a_row = (MmaAccess){depth_extent, 0, zero};
        mma->a_depth = (MmaAccess){constant(p, 1), 0, zero};
    }
    builder_leaf(b, STMT_MMA)->mma = mma;
    while (b->depth > depth0) builder_close(b);
}

static void plan_build(Plan *p) {
    p->b = builder_new(p->l->program, p->arena);
    p->gen = gen_new(p->l, p->b, p->group);
    Builder *b = p->b;
    IndexTable *t = b->table;
    plan_frame(p);
    const Index *rows = index_sub(t, p->row_end, p->row_begin);
    const Index *columns = index_sub(t, p->column_end, p->column_begin);
    Shape tile_shape = {2, {constant(p, p->row_block), constant(p, p->panel)}};
    int tile = builder_scratch(b, "tile", p->dtype, tile_shape);
    bool empty = dim_is(p->depth_total, 0), loops = p->chunk != 0;
    for (int i = 0; i < p->depth_outer.count; i++) {
        loops = loops || !dim_is(p->depth_outer.extent[i], 1);
        empty = empty || dim_is(p->depth_outer.extent[i], 0);
    }
    if (loops || empty) zero_tile(p, tile, rows);
    if (!empty) leaf(p, tile, rows, columns, loops);
    epilogue(p, tile, columns);
    for (int m = 0; m < p->group->members.count; m++)
        builder_describe(b, p->group->members.data[m]);
}

void schedule_contract(Lowering *l, Group *group) {
    const Node *n = group->anchor;
    Sorted s = sort_labels(n);
    int best_side = 0, best_label = -1;
    double best_cost = -1;
    for (int row_side = 0; row_side < 2; row_side++) {
        int columns = s.side[1 - row_side].count;
        for (int label = -1; label < (columns > 1 ? columns : 0); label++) {
            Arena *trial = arena_new();
            Plan *p = plan_new(l, group, row_side, label, trial);
            plan_make(p);
            if (best_cost < 0 || p->cost < best_cost) {
                best_side = row_side;
                best_label = label;
                best_cost = p->cost;
            }
            arena_free(trial);
        }
    }
    Plan *best = plan_new(l, group, best_side, best_label, l->arena);
    plan_make(best);
    plan_build(best);
    const char *path, *what = group_what(l, group, &path);
    Builder *b = best->b;
    const Dim *flops = dim_mul(l->dims, best->row_total, best->column_total);
    flops = dim_mul(l->dims, flops, dim_mul(l->dims, best->depth_total, constant(best, 2)));
    for (int i = 0; i < best->outer.count; i++)
        flops = dim_mul(l->dims, flops, best->outer.extent[i]);
    for (int i = 0; i < best->depth_outer.count; i++)
        flops = dim_mul(l->dims, flops, best->depth_outer.extent[i]);
    b->kernel->flops = flops;
    Text t = text_new(l->arena);
    type_print(&t, &n->type);
    text_printf(&t, " = ");
    for (int k = 0; k < 2; k++) {
        type_print(&t, &n->inputs[k]->type);
        text_append(&t, k ? ": " : " x ");
    }
    const char *column_path = !best->b_side.direct         ? "packed scratch"
                              : best->b_side.stored_panels ? "packed stored"
                                                           : "direct";
    text_printf(&t, "leaf, columns %s, rows %s, tile %lldx%lld, joined: %s", column_path,
                !best->a.direct                   ? "packed scratch"
                : best->a.across && best->a.depth ? "direct"
                                                  : "by offsets",
                (long long)best->row_block, (long long)best->panel, what);
    lowering_remark(l, REMARK_CONTRACTION, n, "%s", t.data);
    vector_push(l->arena, &l->steps, builder_finish(b, what, path));
}
