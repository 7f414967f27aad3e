/* Bands: tiles that hold whole rows of a product's result, and windows of it.
 *
 * Input: a CONTRACT group and a node that reads its result in another shape (pooling: a reduction
 * of windows); a ProductPlan.  Output: Windows, how far the node's own index moves through the
 * result, when it may join the kernel; the plan's band.  Where windows do not overlap, a tile that
 * holds a band of whole windows holds all that their elements need, so the result itself need not
 * go through memory.  The schedule is that of contract.c: columns are the result's last axes, a
 * band of them a tile. */
#include "kernel/contract/contract.h"

enum {
    BAND_ELEMENTS = 1 << 14, /* of the tile that holds one row of windows, at most */
    BAND_TILE = 4096,        /* of a tile, about */
};

/* ---- which nodes join ---- */

typedef struct ReadsOfResult {
    VECTOR(const Index *const *) at;
} ReadsOfResult;

static const Expr *note_read(Gen *g, const Node *n, const Index *const *indices) {
    ReadsOfResult *reads = g->place_user;
    if (g->guard) g->illegal = true; /* padding: an element that may not exist */
    const Index **copy = NEW_ARRAY(g->b->arena, SHAPE_MAX_RANK, const Index *);
    for (int i = 0; i < n->type.shape.rank; i++) copy[i] = indices[i];
    vector_push(g->b->arena, &reads->at, copy);
    return expr_const(g->b, n->type.dtype, 0);
}

/* The stride of `at` along one of the axes 0 .. rank - 1, when it is stride * axis + a place in
 * 0 .. stride - 1 and no other of them moves it; 0: it is not. */
static int64_t window_stride(Builder *b, const Index *at, int axis, int rank) {
    IndexTable *t = b->table;
    for (int other = 0; other < rank; other++)
        if (other != axis && index_motion(at, other, NULL) != MOTION_NONE) return 0;
    const Index **zero = NEW_ARRAY(b->arena, (size_t)axis + 1, const Index *);
    zero[axis] = index_const(t, 0);
    const Dim *low, *high, *stride = NULL;
    index_bounds(t, index_substitute(t, at, zero, axis + 1), &low, &high);
    int64_t lowest, highest, step = 0;
    if (!low || !high || !dim_is_const(low, &lowest) || !dim_is_const(high, &highest)) return 0;
    if (lowest < 0) return 0;
    switch (index_motion(at, axis, &stride)) {
    case MOTION_NONE: /* an axis of one element */
        return dim_is(b->kernel->axes.data[axis].extent, 1) ? highest + 1 : 0;
    case MOTION_STRIDE: return dim_is_const(stride, &step) && highest < step ? step : 0;
    case MOTION_OTHER: break;
    }
    return 0;
}

/* Strides of n's reads of the group's product; false: they are no windows, or they overlap. */
static bool find_strides(Lowering *l, Group *g, Node *n, int64_t *strides) {
    Arena *trial = arena_new();
    Builder *b = builder_new(l->program, trial);
    Gen *gen = gen_new(l, b, g);
    ReadsOfResult reads = {0};
    int rank = n->type.shape.rank;
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < rank; i++)
        at[i] = builder_axis_index(b, builder_axis(b, "i", n->type.shape.dims[i]));
    gen->dry = true;
    gen->place = note_read;
    gen->place_user = &reads;
    for (int i = 0; i < g->members.count; i++) {
        Node *m = g->members.data[i];
        if (shape_equal(&m->type.shape, &n->type.shape))
            gen_set(gen, m, at, expr_const(b, m->type.dtype, 0));
    }
    NodeState *s = lowering_state(l, n);
    Group *home = s->group;
    s->group = g;
    gen_value(gen, n, at);
    s->group = home;
    bool good = !gen->illegal;
    /* What reads only earlier readers of windows moves as they do. */
    for (int i = 0; i < rank; i++) strides[i] = g->windows.stride[i];
    good = good && (reads.at.count || g->windows.shape.rank);
    for (int r = 0; r < reads.at.count && good; r++)
        for (int i = 0; i < rank && good; i++) {
            int64_t stride = window_stride(b, reads.at.data[r][i], i, rank);
            good = stride && (!strides[i] || strides[i] == stride);
            strides[i] = stride;
        }
    arena_free(trial);
    return good;
}

/* A reshape that only adds or drops axes of one element. */
static bool keeps_axes(const Node *n) {
    const Shape *a = &n->type.shape, *b = &n->inputs[0]->type.shape;
    int i = 0, k = 0;
    while (i < a->rank || k < b->rank) {
        if (i < a->rank && dim_is(a->dims[i], 1))
            i++;
        else if (k < b->rank && dim_is(b->dims[k], 1))
            k++;
        else if (i < a->rank && k < b->rank && a->dims[i] == b->dims[k])
            i++, k++;
        else
            return false;
    }
    return true;
}

/* The operand whose labels are columns is read where it lies, along rows of memory: windows of
 * stride 1 of something that is stored. */
static bool read_in_place(Lowering *l, const Node *operand, const Dim *width) {
    int64_t e, wide;
    while ((operand->op == OP_UNFOLD && operand->attr.window.stride == 1) ||
           (operand->op == OP_RESHAPE && keeps_axes(operand)) || operand->op == OP_IDENTITY)
        operand = operand->inputs[0];
    if (!lowering_state(l, operand)->stored && operand->op != OP_INPUT) return false;
    const Shape *s = &operand->type.shape;
    /* A row of memory is a pitch of the tile: most of it should be columns. */
    return s->rank && dim_is_const(width, &e) && dim_is_const(s->dims[s->rank - 1], &wide) &&
           wide <= 2 * e + PANEL_COLUMNS;
}

bool windows_fit(Lowering *l, Group *g, Node *n, Windows *out, const char **why) {
    *why = "another shape than the product's result";
    if (n->type.shape.rank != g->space.rank) return false;
    if (g->windows.shape.rank && !shape_equal(&g->windows.shape, &n->type.shape)) return false;
    *why = "it reads the product's result otherwise than in windows that do not overlap";
    *out = (Windows){.shape = n->type.shape};
    if (!find_strides(l, g, n, out->stride)) return false;
    *why = "a tile of the product cannot hold its windows whole";
    const ContractAttr *c = &g->anchor->attr.contract;
    LabelGroups s = contract_sort_labels(g->anchor);
    int first = -1;
    for (int i = 0; i < g->space.rank; i++) {
        if (out->stride[i] == 1 && n->type.shape.dims[i] == g->space.dims[i]) continue;
        bool found = false;
        for (int side = 0; side < 2; side++)
            for (int k = 0; k < s.side[side].count; k++) {
                if (s.side[side].name[k] != c->out[i]) continue;
                if (first >= 0 && out->side != side) return false;
                if (first < 0 || k < first) first = k;
                out->side = side;
                found = true;
            }
        if (!found) return false;
    }
    if (first < 0) return false;
    const Labels *columns = &s.side[out->side];
    int64_t elements = 1, e = 0;
    for (int k = columns->count - 1; k >= first; k--) {
        if (!dim_is_const(columns->extent[k], &e) || e == 0) return false; /* as product_bands */
        elements *= k > first ? e : 1;
        if (elements > BAND_ELEMENTS) return false;
    }
    for (int i = 0; i < g->space.rank; i++)
        if (c->out[i] == columns->name[first]) out->axis = i;
    if (elements * out->stride[out->axis] * ROWS_MAX > BAND_ELEMENTS) return false;
    out->first = first;
    *why = "the product's operand is not read in rows of memory";
    return read_in_place(l, g->anchor->inputs[out->side], columns->extent[columns->count - 1]);
}

/* ---- the band of a tile ---- */

/* The distance in memory of the positions of the columns' last label but one, where the last one's
 * are neighbours and the operand is one plain load; 0: otherwise. */
static int64_t memory_pitch(ProductPlan *p) {
    Builder *b = p->b;
    IndexTable *t = b->table;
    const ContractAttr *c = &p->n->attr.contract;
    const int8_t *names = p->b_side.side ? c->b : c->a;
    const Index *at[SHAPE_MAX_RANK];
    int axis[2] = {-1, -1};
    for (int i = 0; i < p->b_side.node->type.shape.rank; i++) {
        int made = builder_axis(b, "p", p->b_side.node->type.shape.dims[i]);
        at[i] = builder_axis_index(b, made);
        for (int k = 0; k < 2; k++)
            if (names[i] == p->columns.name[p->columns.count - 1 - k]) axis[k] = made;
    }
    Gen *gen = gen_new(p->l, b, p->group);
    gen->pure = true;
    const Expr *e = gen_value(gen, p->b_side.node, at);
    if (e->kind != EXPR_LOAD || e->dtype != p->dtype) return 0;
    const Slot *s = &b->kernel->slots.data[e->slot];
    const Index *offset = index_offset(t, s->layout, &s->shape, e->indices);
    const Dim *step = product_stride_along(p, offset, axis[0]),
              *row = product_stride_along(p, offset, axis[1]);
    int64_t pitch;
    return step && row && dim_is(step, 1) && dim_is_const(row, &pitch) ? pitch : 0;
}

bool product_stores_result(const ProductPlan *p) {
    for (int i = 0; i < p->group->members.count; i++) {
        if (product_result_member(p, i) && lowering_needs_store(p->l, p->group->members.data[i]))
            return true;
    }
    return false;
}

/* Chooses the band of a tile: whole windows, two tiles or more, of a size that stays in cache. */
void product_bands(ProductPlan *p) {
    const Windows *w = &p->group->windows;
    int last = p->columns.count - 1;
    int64_t extent, unit = 1, e = 1, windows = 1;
    if (!dim_is_const(p->columns.extent[0], &extent) || extent == 0) return;
    for (int i = 1; i <= last; i++) {
        if (!dim_is_const(p->columns.extent[i], &e) || e == 0) return;
        unit *= i < last ? e : 1;
    }
    if (last) {
        p->b = builder_new(p->l->program, p->arena);
        p->gen = gen_new(p->l, p->b, p->group);
        int64_t pitch = memory_pitch(p);
        p->pitch = pitch >= e && pitch <= 2 * e + PANEL_COLUMNS ? pitch : e;
        unit *= p->pitch;
    }
    if (w->shape.rank) {
        windows = w->stride[w->axis];
        int64_t whole;
        /* What no window reads, and nobody else, is not computed. */
        if (!product_stores_result(p) && dim_is_const(w->shape.dims[w->axis], &whole) &&
            whole * windows < extent)
            extent = whole * windows;
    }
    int64_t rows = p->rows_tile, parts = 2, band;
    do {
        band = (extent + parts - 1) / parts;
        band = (band + windows - 1) / windows * windows;
        parts *= 2;
    } while (band > windows && band * unit * rows > BAND_TILE);
    p->band = band;
    p->step = band * unit;
    p->panel = (p->step + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS;
    p->column_total = dim_const(p->l->dims, extent * unit);
}
