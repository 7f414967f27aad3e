/* How a product's operand is read: where it lies, copied into panels, or evaluated into scratch.
 *
 * Input: a plan whose labels are sorted and whose axes are there to be probed.  Output: the
 * operand's path, its strides or what tables of its offsets hold, and what packing it costs. */
#include "kernel/contract/contract.h"

enum {
    FAR_ELEMENTS = 64,   /* a stride from which lines of cache do not lie together */
    FAR_DEPTH = 32,      /* with fewer, few lines meet */
    PAGE_ELEMENTS = 256, /* a stride from which a copy pays always: lines are far apart */
    COPY_COLUMNS = 32,   /* what a copy must be shared by to pay */
    COPY_ROWS = 48,
};

const Index *product_offset(ProductPlan *p, const Operand *o, const Index *across,
                            const Index *depth, int *slot, bool *panels) {
    const Index *at[SHAPE_MAX_RANK];
    bool is_row = o == &p->a;
    product_indices_at(p, o->side, is_row ? across : NULL, is_row ? NULL : across, depth, at);
    Gen *gen = gen_new(p->l, p->b, p->group);
    gen->pure = true;
    const Expr *e = gen_value(gen, o->node, at);
    if (e->kind != EXPR_LOAD || e->dtype != p->dtype) return NULL;
    *slot = e->slot;
    const Slot *s = &p->b->kernel->slots.data[e->slot];
    *panels = s->layout != NULL;
    return index_offset(p->b->table, s->layout, &s->shape, e->indices);
}

const Index *product_without(ProductPlan *p, const Index *a, int axis) {
    int count = p->b->kernel->axes.count;
    const Index **replacement = NEW_ARRAY(p->b->arena, (size_t)count, const Index *);
    replacement[axis] = index_const(p->b->table, 0);
    return index_substitute(p->b->table, a, replacement, count);
}

/* The flat position of a row or column inside its block, on the probing axes. */
static const Index *probe_across(ProductPlan *p, bool is_row) {
    IndexTable *t = p->b->table;
    if (is_row) return index_add(t, p->row_begin, builder_axis_index(p->b, p->row_axis));
    const Index *column = index_add(t, p->column_begin, builder_axis_index(p->b, p->column_axis));
    if (p->panel_axis < 0) return column;
    return index_add(t, column,
                     index_scale(t, builder_axis_index(p->b, p->panel_axis),
                                 product_constant(p, PANEL_COLUMNS)));
}

const Dim *product_stride_along(ProductPlan *p, const Index *offset, int axis) {
    const Dim *stride;
    switch (index_motion(offset, axis, &stride)) {
    case MOTION_NONE: return product_constant(p, 0);
    case MOTION_STRIDE: return stride;
    case MOTION_OTHER: break;
    }
    return NULL;
}

/* Can the leaf read the operand where it lies, at an offset of an across part + a depth part? */
static bool operand_direct(ProductPlan *p, Operand *o, const Index *offset) {
    IndexTable *t = p->b->table;
    bool is_row = o == &p->a;
    int across_axis = is_row ? p->row_axis : p->column_axis;
    const Index *across0 = product_without(p, offset, across_axis);
    const Index *depth0 = product_without(p, offset, p->depth_axis);
    if (!is_row && p->panel_axis >= 0) across0 = product_without(p, across0, p->panel_axis);
    const Index *origin = product_without(p, across0, p->depth_axis);
    if (offset != index_sub(t, index_add(t, across0, depth0), origin)) return false;
    o->base = origin;
    o->across = product_stride_along(p, offset, across_axis);
    o->depth = product_stride_along(p, offset, p->depth_axis);
    o->across_entry = index_sub(t, depth0, origin);
    o->depth_entry = index_sub(t, across0, origin);
    if (is_row) return true;
    o->panel = p->panel_axis < 0 ? product_constant(p, PANEL_COLUMNS)
                                 : product_stride_along(p, offset, p->panel_axis);
    if (!o->across || !o->panel) return false;
    return dim_is(p->column_total, 1) || dim_is(o->across, 1);
}

/* Lines that lie far apart meet in few sets of the cache, and each brings neighbours that the next
 * tile wants: where enough rows (or columns) share them they are copied close together first. */
static bool prefers_copy(ProductPlan *p, const Operand *o) {
    bool is_row = o == &p->a;
    int64_t stride;
    if (!o->depth || !o->across || !dim_is(o->across, 1)) return false;
    if (dim_is_const(o->depth, &stride) && stride < FAR_ELEMENTS) return false;
    if (dim_hint(p->depth_total) < FAR_DEPTH) return false;
    const bool pages = !dim_is_const(o->depth, &stride) || stride >= PAGE_ELEMENTS;
    if (is_row) return pages || dim_hint(p->column_total) >= COPY_COLUMNS;
    return !o->stored_panels && dim_hint(p->row_total) >= COPY_ROWS;
}

/* Can the pack leaf copy it? */
static bool operand_copied(ProductPlan *p, Operand *o) {
    IndexTable *t = p->b->table;
    bool is_row = o == &p->a, panels;
    const Index *depth =
        index_add(t, p->depth_begin,
                  index_add(t, builder_axis_index(p->b, p->depth_place_axis),
                            index_scale(t, builder_axis_index(p->b, p->depth_block_axis),
                                        product_constant(p, PANEL_COLUMNS))));
    /* Both as one axis: a copy goes over whole rows of neighbours. */
    int axis = is_row ? p->row_axis : p->columns_axis;
    const Index *across =
        index_add(t, is_row ? p->row_begin : p->column_begin, builder_axis_index(p->b, axis));
    const Index *offset = product_offset(p, o, across, depth, &o->slot, &panels);
    if (!offset) return false;
    o->across = product_stride_along(p, offset, axis);
    o->along = product_stride_along(p, offset, p->depth_place_axis);
    o->block = product_stride_along(p, offset, p->depth_block_axis);
    if (!o->across || !o->along || !o->block) return false;
    const Index *origin = product_without(p, offset, axis);
    origin = product_without(p, origin, p->depth_place_axis);
    o->base = product_without(p, origin, p->depth_block_axis);
    o->pack_cost = dim_is(o->across, 1)             ? (is_row ? 0.4 : 0.15)
                   : dim_is(o->along, 1) && !is_row ? 0.5
                                                    : 1.2;
    return true;
}

void product_operand(ProductPlan *p, Operand *o) {
    IndexTable *t = p->b->table;
    bool is_row = o == &p->a;
    const Index *across = probe_across(p, is_row);
    const Index *depth = index_add(t, p->depth_begin, builder_axis_index(p->b, p->depth_axis));
    const Index *offset = product_offset(p, o, across, depth, &o->slot, &o->stored_panels);
    o->pack_cost = 2;
    o->turned = false;
    o->path = OPERAND_VALUES;
    if (!offset) return;
    int64_t known;
    const Dim *stride = product_stride_along(p, offset, is_row ? p->row_axis : p->column_axis);
    if (stride && (dim_is(stride, 0) || dim_is(stride, 1))) {
        o->pack_cost = 0.2;
    } else if (!is_row && (stride = product_stride_along(p, offset, p->depth_axis)) != NULL &&
               dim_is(stride, 1)) {
        o->turned = true;
        o->pack_cost = 1.2;
    } else if (!is_row && !product_stride_along(p, offset, p->column_axis) &&
               !dim_is_const(p->column_total, &known)) {
        o->pack_cost = 16; /* lane by lane, with divisions by what only a call knows */
    }
    bool direct = operand_direct(p, o, offset);
    if (direct && !prefers_copy(p, o)) {
        o->path = OPERAND_DIRECT;
        return;
    }
    Operand kept = *o;
    if (operand_copied(p, o)) {
        o->path = OPERAND_COPIED;
        return;
    }
    *o = kept;
    if (direct) o->path = OPERAND_DIRECT;
}
