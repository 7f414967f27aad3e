/* Normalization: a private copy of a graph in the form that fusion expects.
 *
 * Results that are sources get a node of their own, so that each result is computed by some kernel.
 * A product whose windows are then summed back (FOLD of stride 1 of a CONTRACT: the gradient of a
 * convolution's input) becomes a product of the padded operand's windows with the other operand
 * turned round, which never stores the windows; one of stride s whose taps are a multiple of s is s
 * such products side by side.  Positions (ARGMAX, ARGMIN of an axis of known
 * extent) are i32 where they are computed and compared: a quarter of the lanes' work and half of
 * the bytes of i64.  Input: a simplified graph.  Output: a new graph with equal results. */
#include "kernel/internal.h"

static bool needs_own_node(const Node *n) {
    return n->op == OP_INPUT || n->op == OP_CELL || node_is_inline_source(n);
}

static int position_of(const int8_t *names, int rank, int label) {
    for (int i = 0; i < rank; i++)
        if (names[i] == label) return i;
    return -1;
}

static bool is_zero(const Node *n) {
    return n->op == OP_CONST && !n->attr.constant.data && n->attr.constant.value == 0;
}

/* x with `amount` zeros before and after along an axis; below windows of other axes, so that one
 * pad remains. */
static Node *pad_axis(Graph *g, Node *x, int axis, const Dim *amount) {
    if (x->op == OP_UNFOLD && x->attr.window.axis != axis && x->type.shape.rank - 1 != axis) {
        const WindowAttr *w = &x->attr.window;
        return op_unfold(g, pad_axis(g, x->inputs[0], axis, amount), w->axis, w->size, w->stride,
                         w->dilation);
    }
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    const Dim *zero = dim_const(g->dims, 0);
    bool merge = x->op == OP_PAD && is_zero(x->inputs[1]) && dim_is(x->attr.pad->low[axis], 0) &&
                 dim_is(x->attr.pad->high[axis], 0);
    for (int i = 0; i < x->type.shape.rank; i++) {
        low[i] = i == axis ? amount : merge ? x->attr.pad->low[i] : zero;
        high[i] = i == axis ? amount : merge ? x->attr.pad->high[i] : zero;
    }
    Node *fill = op_const_float(g, 0, (TensorType){x->type.dtype, {0}});
    return op_pad(g, merge ? x->inputs[0] : x, fill, low, high);
}

/* x along an axis, its last entry first. */
static Node *turn_axis(Graph *g, Node *x, int axis) {
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    for (int i = 0; i < x->type.shape.rank; i++) {
        const Dim *last = dim_sub(g->dims, x->type.shape.dims[i], dim_const(g->dims, 1));
        begin[i] = i == axis ? last : dim_const(g->dims, 0);
        step[i] = i == axis ? -1 : 1;
    }
    return op_slice(g, x, begin, step, x->type.shape);
}

/* The product behind a RESHAPE that leaves out axes of one place, without them; otherwise x. */
static Node *without_ones(Graph *g, Node *x) {
    if (x->op != OP_RESHAPE || x->inputs[0]->op != OP_CONTRACT) return x;
    const Node *product = x->inputs[0];
    const ContractAttr *c = &product->attr.contract;
    int8_t out[SHAPE_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < product->type.shape.rank; i++) {
        const Dim *extent = product->type.shape.dims[i];
        if (rank < x->type.shape.rank && x->type.shape.dims[rank] == extent)
            out[rank++] = c->out[i];
        else if (!dim_is(extent, 1))
            return x;
    }
    if (rank < x->type.shape.rank) return x;
    return op_contract(g, product->inputs[0], product->inputs[1], c->a, c->b, out, rank);
}

/* ---- windows of a product that are summed back ---- */

/* A product whose places of some axes lie apart: axis j of what it stands for is the place and,
 * where bit j of `pairs` is set, the phase behind it, one axis more of the product. */
typedef struct Phased {
    Node *product; /* NULL: there is none */
    unsigned pairs;
} Phased;

static int8_t new_label(const ContractAttr *c, int ra, int rb) {
    for (int8_t label = 0;; label++)
        if (position_of(c->a, ra, label) < 0 && position_of(c->b, rb, label) < 0) return label;
}

/* y with its taps, `stride` phases of each, as two axes; one phase is none. */
static Node *split_taps(Graph *g, Node *y, int axis, int64_t taps, int64_t stride) {
    if (stride == 1) return y;
    Shape split = {0};
    for (int i = 0; i < y->type.shape.rank; i++) {
        split.dims[split.rank++] = i == axis ? dim_const(g->dims, taps) : y->type.shape.dims[i];
        if (i == axis) split.dims[split.rank++] = dim_const(g->dims, stride);
    }
    return op_reshape(g, y, split);
}

/* fold(phased) with stride s and s * n taps: place s * q + p is the sum over its n taps u of
 * x[q - u] * y[s * u + p].  False where the pattern does not hold. */
static bool sum_windows(Graph *g, const Node *fold, Phased *phased) {
    const WindowAttr *w = &fold->attr.window;
    const Node *product = phased->product;
    const bool apart = w->stride > 1;
    if (product->op != OP_CONTRACT || w->size % w->stride || (apart && w->dilation != 1))
        return false;
    const ContractAttr *c = &product->attr.contract;
    const int64_t taps = w->size / w->stride;
    int rank = product->type.shape.rank, axis = w->axis;
    for (int j = 0; j < w->axis; j++) axis += phased->pairs >> j & 1;
    const int place = c->out[axis], tap = c->out[rank - 1];
    for (int side = 0; side < 2; side++) {
        const int8_t *names[2] = {c->a, c->b};
        Node *x = product->inputs[side], *y = product->inputs[1 - side];
        const int8_t *nx = names[side], *ny = names[1 - side];
        int rx = x->type.shape.rank, ry = y->type.shape.rank;
        int px = position_of(nx, rx, place), ty = position_of(ny, ry, tap);
        if (px < 0 || ty < 0 || position_of(nx, rx, tap) >= 0 || position_of(ny, ry, place) >= 0)
            continue;
        if (rx + 1 > SHAPE_MAX_RANK || ry + apart > SHAPE_MAX_RANK) return false;
        const Dim *reach = dim_const(g->dims, (taps - 1) * w->dilation);
        const Dim *places = dim_add(g->dims, x->type.shape.dims[px], reach);
        const Dim *extent = places ? dim_mul(g->dims, places, dim_const(g->dims, w->stride)) : NULL;
        if (extent != w->extent) return false;
        Node *windows = op_unfold(g, pad_axis(g, x, px, reach), px, taps, 1, w->dilation);
        Node *turned = turn_axis(g, split_taps(g, y, ty, taps, w->stride), ty);
        const int8_t phase =
            new_label(c, product->inputs[0]->type.shape.rank, product->inputs[1]->type.shape.rank);
        int8_t lx[SHAPE_MAX_RANK], ly[SHAPE_MAX_RANK], out[SHAPE_MAX_RANK];
        for (int i = 0; i < rx; i++) lx[i] = nx[i];
        lx[rx] = (int8_t)tap;
        for (int i = 0, to = 0; i < ry; i++) {
            ly[to++] = ny[i];
            if (apart && i == ty) ly[to++] = phase;
        }
        int count = 0;
        for (int i = 0; i < rank - 1; i++) {
            out[count++] = c->out[i];
            if (apart && i == axis) out[count++] = phase;
        }
        phased->product = side == 0 ? op_contract(g, windows, turned, lx, ly, out, count)
                                    : op_contract(g, turned, windows, ly, lx, out, count);
        phased->pairs |= (unsigned)apart << w->axis;
        return true;
    }
    return false;
}

/* fold(operand): see above; `of_operand` is what the operand itself has come from.  NULL where the
 * pattern does not hold. */
static Node *windowed_product(Graph *g, const Node *fold, Node *operand, const Phased *of_operand,
                              Phased *made) {
    *made = of_operand->product ? *of_operand : (Phased){operand, 0};
    if (sum_windows(g, fold, made))
        return made->pairs ? op_reshape(g, made->product, fold->type.shape) : made->product;
    *made = (Phased){0};
    return NULL;
}

/* ---- positions in i32 ---- */

static bool fits_i32(const Dim *extent) {
    int64_t e = 0;
    return dim_is_const(extent, &e) && e <= INT32_MAX;
}

/* ARGMAX, ARGMIN as an i32 that is then converted; NULL where its values may be too large. */
static Node *narrow_position(Graph *g, const Node *n, Node *x) {
    if (n->attr.reduce.kind != REDUCE_ARGMAX && n->attr.reduce.kind != REDUCE_ARGMIN) return NULL;
    for (int i = 0; i < x->type.shape.rank; i++)
        if (n->attr.reduce.axes >> i & 1 && !fits_i32(x->type.shape.dims[i])) return NULL;
    Node *position = op_reduce(g, n->attr.reduce.kind, x, n->attr.reduce.axes);
    position->type.dtype = DTYPE_I32;
    return op_cast(g, position, DTYPE_I64);
}

/* An i64 node whose values are known to fit, as i32; NULL: it is not known. */
static Node *narrowed(Graph *g, Node *x) {
    const TensorType type = {DTYPE_I32, x->type.shape};
    switch ((int)x->op) {
    case OP_CAST: return x->inputs[0]->type.dtype == DTYPE_I32 ? x->inputs[0] : NULL;
    case OP_IOTA:
        return fits_i32(x->type.shape.dims[x->attr.axis]) ? op_iota(g, x->attr.axis, type) : NULL;
    case OP_CONST: {
        const int64_t value = x->attr.constant.integer;
        bool fits = !x->attr.constant.data && value >= INT32_MIN && value <= INT32_MAX;
        return fits ? op_const_int(g, value, type) : NULL;
    }
    case OP_EXPAND:
    case OP_RESHAPE:
    case OP_PERMUTE: {
        Node *inner = narrowed(g, x->inputs[0]);
        return inner ? op_like(g, x, &inner) : NULL;
    }
    default: return NULL;
    }
}

static Node *narrow_comparison(Graph *g, const Node *n, Node *const *operands) {
    if (!op_is_elementwise(n->op) || n->input_count != 2 || n->type.dtype != DTYPE_BOOL ||
        operands[0]->type.dtype != DTYPE_I64)
        return NULL;
    Node *a = narrowed(g, operands[0]), *b = a ? narrowed(g, operands[1]) : NULL;
    return b ? op_binary(g, n->op, a, b) : NULL;
}

/* ---- signs of what a product reads ---- */

/* select(x <= 0, 0, x), as it stands in a graph. */
static bool is_relu(const Node *n) {
    return n->op == OP_SELECT && n->inputs[0]->op == OP_LE &&
           n->inputs[0]->inputs[0] == n->inputs[2] && n->inputs[0]->inputs[1] == n->inputs[1] &&
           is_zero(n->inputs[1]);
}

/* Where a product reads r = relu(x), r is in memory, and r <= 0 exactly where x <= 0 (NaN neither):
 * other choices by x <= 0, the derivative above all, ask r, so that x is not stored, too. */
static Node *ask_relu(Graph *g, const Node *n, Node *const *operands, Node *const *relus) {
    if (n->op != OP_SELECT || is_relu(n) || !relus[n->inputs[0]->id]) return NULL;
    Node *r = relus[n->inputs[0]->id], *zero = r->inputs[1];
    return op_select(g, op_binary(g, OP_LE, r, zero), operands[1], operands[2]);
}

/* Once, and what a RESHAPE shows, too. */
static bool is_used_once(const Node *n, const int *uses) {
    return uses[n->id] == 1 && (n->op != OP_RESHAPE || uses[n->inputs[0]->id] == 1);
}

Graph *graph_normalize(Arena *arena, const Graph *graph) {
    Graph *g = graph_new(arena, graph->dims);
    int top = 0;
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.data[i]->id >= top) top = graph->nodes.data[i]->id + 1;
    Node **copy = NEW_ARRAY(arena, (size_t)top, Node *);
    int *uses = NEW_ARRAY(arena, (size_t)top, int);
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < graph->nodes.data[i]->input_count; k++)
            uses[graph->nodes.data[i]->inputs[k]->id]++;
    for (int i = 0; i < graph->results.count; i++) uses[graph->results.data[i]->id]++;
    bool *multiplied = NEW_ARRAY(arena, (size_t)top, bool);
    for (int i = 0; i < graph->nodes.count; i++)
        for (int k = 0; k < 2 && graph->nodes.data[i]->op == OP_CONTRACT; k++)
            multiplied[operand_base(graph->nodes.data[i]->inputs[k])->id] = true;
    Node **relus = NEW_ARRAY(arena, (size_t)top, Node *); /* by the id of their condition */
    Phased *phases = NEW_ARRAY(arena, (size_t)top, Phased);
    for (int i = 0; i < graph->inputs.count; i++) {
        const Node *n = graph->inputs.data[i];
        copy[n->id] = op_input(g, n->attr.input.name, n->type);
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *n = graph->nodes.data[i];
        if (n->op == OP_INPUT) continue;
        Node **operands = NEW_ARRAY(arena, (size_t)n->input_count, Node *);
        for (int k = 0; k < n->input_count; k++) operands[k] = copy[n->inputs[k]->id];
        g->span = n->span;
        g->path = n->path;
        Node *made = NULL;
        if (n->op == OP_FOLD && is_used_once(n->inputs[0], uses)) {
            Node *product = without_ones(g, operands[0]);
            made = windowed_product(g, n, product, &phases[n->inputs[0]->id], &phases[n->id]);
        } else if (n->op == OP_REDUCE)
            made = narrow_position(g, n, operands[0]);
        else if (n->op == OP_SELECT)
            made = ask_relu(g, n, operands, relus);
        else
            made = narrow_comparison(g, n, operands);
        copy[n->id] = made ? made : op_like(g, n, operands);
        if (multiplied[n->id] && is_relu(n)) relus[n->inputs[0]->id] = copy[n->id];
    }
    for (int i = 0; i < graph->results.count; i++) {
        Node *n = copy[graph->results.data[i]->id];
        g->span = n->span;
        g->path = n->path;
        vector_push(arena, &g->results, needs_own_node(n) ? op_identity(g, n) : n);
    }
    return g;
}
