/* Steps of mixed random graphs: every row of ops.def at every dtype, sources, casts, large
 * products, convolutions, calls with their own derivative.
 *
 * A step returns a new node, of any dtype, or NULL where the choice does not fit. */
#ifndef TESTS_NUMERIC_RANDOM_WIDE_H
#define TESTS_NUMERIC_RANDOM_WIDE_H

#include <math.h>

#include "numeric/random_base.h"

typedef struct RandomRow {
    Op op;
    int arity;
    bool of_floats, of_integers, of_bools;
} RandomRow;

/* The rows of ops.def with the dtypes that their type rules accept. */
static inline const RandomRow *rg_rows(int *count) {
    enum { SAME, FLOAT, BOOL, SELECT, LOGIC, BITS };
    static const RandomRow rows[] = {
#define ELEMENTWISE(e, name, arity, rule, properties, reference)                     \
    {OP_##e, arity, rule == SAME || rule == FLOAT || rule == BOOL || rule == SELECT, \
     rule != FLOAT && rule != LOGIC,                                                 \
     rule == BOOL || rule == SELECT || rule == LOGIC || rule == BITS},
#include "tensor/ops.def"
#undef ELEMENTWISE
    };
    *count = sizeof rows / sizeof *rows;
    return rows;
}

static inline Node *rg_add_number(RandomBuilder *b, Node *x, double value) {
    return op_binary(b->g, OP_ADD, x, rg_number(b, value, x->type.shape));
}
static inline Node *rg_times_number(RandomBuilder *b, Node *x, double value) {
    return op_binary(b->g, OP_MUL, x, rg_number(b, value, x->type.shape));
}

/* The operand brought into the domain where the operator is moderate. */
static inline Node *rg_guarded(RandomBuilder *b, Op op, Node *x) {
    Graph *g = b->g;
    switch ((int)op) {
    case OP_ASIN:
    case OP_ACOS:
    case OP_ATANH: return rg_times_number(b, op_unary(g, OP_TANH, x), 0.875);
    case OP_ACOSH: return rg_add_number(b, op_unary(g, OP_ABS, x), 1.25);
    case OP_TAN: return op_unary(g, OP_TANH, x);
    case OP_EXP:
    case OP_EXPM1:
    case OP_SINH:
    case OP_COSH: return rg_times_number(b, op_unary(g, OP_TANH, x), 2);
    case OP_SQRT:
    case OP_RSQRT:
    case OP_LOG:
    case OP_POW:
    case OP_DIV:
    case OP_FLOORDIV:
    case OP_MOD: return rg_add_number(b, op_unary(g, OP_ABS, x), 0.5);
    case OP_LOG1P: return op_unary(g, OP_ABS, x);
    default: return x;
    }
}

static inline Node *rg_exponent(RandomBuilder *b, const Shape *shape) {
    static const double exponents[] = {2, 3, 0.5, -1, 0, 1, -2, 1.5, 4, -0.5};
    if (rg_coin(b)) return rg_number(b, exponents[rg_below(b, 10)], *shape);
    return rg_times_number(b, op_unary(b->g, OP_TANH, rg_pick_like(b, shape)), 2);
}

static inline Node *rg_row(RandomBuilder *b, Node *x) {
    Graph *g = b->g;
    DType t = x->type.dtype;
    bool is_float = dtype_is_float(t);
    int count;
    const RandomRow *rows = rg_rows(&count);
    const RandomRow *row = &rows[rg_below(b, count)];
    bool fits = is_float          ? row->of_floats
                : t == DTYPE_BOOL ? row->of_bools || row->op == OP_MAXIMUM || row->op == OP_MINIMUM
                                  : row->of_integers;
    if (!fits) return NULL;
    bool guard = is_float && !(b->options.hostile && rg_coin(b));
    if (row->op == OP_SELECT) {
        DType kept = b->options.dtype;
        b->options.dtype = DTYPE_BOOL;
        Node *c = rg_pick_like(b, &x->type.shape);
        b->options.dtype = kept;
        return op_select(g, c, x, rg_pick_like(b, &x->type.shape));
    }
    if (row->arity == 1) return op_unary(g, row->op, guard ? rg_guarded(b, row->op, x) : x);
    if (row->op == OP_POW) {
        Node *base = guard ? rg_guarded(b, OP_POW, x) : x;
        return op_binary(g, OP_POW, base, rg_exponent(b, &x->type.shape));
    }
    Node *y = rg_below(b, 6) ? rg_pick_like(b, &x->type.shape) : x;
    if (row->op == OP_ATAN2 && guard) y = rg_add_number(b, op_unary(g, OP_ABS, y), 0.5);
    return op_binary(g, row->op, x, guard ? rg_guarded(b, row->op, y) : y);
}

static inline Node *rg_source(RandomBuilder *b) {
    Graph *g = b->g;
    DType t = b->options.dtype;
    Shape s = rg_shape(b);
    int64_t count;
    switch (rg_below(b, 4)) {
    case 0:
        if (t == DTYPE_BOOL || s.rank == 0) return NULL;
        return op_iota(g, rg_below(b, s.rank), (TensorType){t, s});
    case 1: {
        if (t == DTYPE_BOOL) return NULL;
        const Dim *d = rg_extent(b);
        if (rg_coin(b)) d = dim_add(g->dims, d, rg_extent(b));
        return op_dim(g, d, t);
    }
    case 2:
        if (t != DTYPE_F32 && t != DTYPE_F64) return NULL;
        return op_random(g, b->site++, "", false, (TensorType){t, s});
    default: break;
    }
    if (!dim_is_const(shape_elements(g->dims, &s), &count) || count > 100) return NULL;
    double *floats = NEW_ARRAY(g->arena, (size_t)count + 1, double);
    int64_t *integers = NEW_ARRAY(g->arena, (size_t)count + 1, int64_t);
    static const double special[] = {INFINITY, -INFINITY, NAN, -0.0, 0x1p-149, 65504, 3e38};
    for (int64_t i = 0; i < count; i++) {
        double x = random_graph_number(&b->state);
        floats[i] = x;
        if (b->options.hostile && rg_below(b, 4) == 0) floats[i] = special[rg_below(b, 7)];
        integers[i] = t == DTYPE_BOOL ? x > 0
                      : t == DTYPE_U8 ? rg_below(b, 256)
                                      : (int64_t)(30 * x);
    }
    TensorType type = {t, s};
    return dtype_is_float(t) ? op_const_data(g, floats, type) : op_const_data(g, integers, type);
}

static inline Node *rg_cast(RandomBuilder *b, Node *x) {
    if (rg_below(b, 3) == 0)
        return op_cast(b->g, op_cast(b->g, x, (DType)rg_below(b, DTYPE_COUNT)), x->type.dtype);
    return op_cast(b->g, x, b->dtypes[rg_below(b, b->dtype_count)]);
}

/* A comparison, over some axes or none. */
static inline Node *rg_logic(RandomBuilder *b, Node *x) {
    static const Op compare[] = {OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE};
    Node *y = op_binary(b->g, compare[rg_below(b, 6)], x, rg_pick_like(b, &x->type.shape));
    uint32_t axes = (uint32_t)rg_below(b, 1 << x->type.shape.rank);
    return axes ? op_reduce(b->g, rg_coin(b) ? REDUCE_ANY : REDUCE_ALL, y, axes) : y;
}

/* A product large enough for panels, of a parameter half of the time, rows by N at times. */
static inline Node *rg_product(RandomBuilder *b) {
    static const int sizes[] = {1, 3, 8, 16, 17, 33, 48, 64, 65, 96, 130};
    Graph *g = b->g;
    DType t = b->options.dtype;
    if (!dtype_is_float(t)) return NULL;
    const Dim *m = rg_dim(b, sizes[rg_below(b, 11)]), *n = rg_dim(b, sizes[rg_below(b, 11)]);
    const Dim *k = rg_dim(b, sizes[rg_below(b, 11)]);
    if (b->symbol && rg_coin(b)) m = b->symbol;
    Shape sa = {2, {m, k}}, sb = {2, {k, n}}, batch = {3, {rg_dim(b, 2), m, k}};
    static const int8_t ab[] = {0, 1}, ba[] = {1, 0}, bc[] = {1, 2}, cb[] = {2, 1};
    static const int8_t out[] = {0, 2}, turned[] = {2, 0}, zab[] = {3, 0, 1}, zac[] = {3, 0, 2};
    bool turn_a = rg_coin(b), turn_b = rg_coin(b), batched = rg_below(b, 4) == 0;
    if (turn_a && !batched) sa = (Shape){2, {k, m}};
    if (turn_b) sb = (Shape){2, {n, k}};
    Node *w = b->options.cells && rg_below(b, 4) ? rg_cell(b, CELL_PARAMETER, (TensorType){t, sb})
                                                 : rg_pick_like(b, &sb);
    Node *x = rg_pick_like(b, batched ? &batch : &sa), *y;
    if (batched)
        y = op_contract(g, x, w, zab, turn_b ? cb : bc, zac, 3);
    else
        y = op_contract(g, x, w, turn_a ? ba : ab, turn_b ? cb : bc, rg_coin(b) ? out : turned, 2);
    y = rg_times_number(b, y, 0.125);
    switch (rg_below(b, 4)) { /* what a layer does next */
    case 0: {
        if (batched || y->type.shape.rank != 2) return y;
        Node *bias = rg_cell(b, CELL_PARAMETER, (TensorType){t, {1, {y->type.shape.dims[1]}}});
        y = op_binary(g, OP_ADD, y, op_expand(g, bias, y->type.shape, (const int[]){1}));
        return op_binary(g, OP_MAXIMUM, y, rg_number(b, 0, y->type.shape));
    }
    case 1: return op_unary(g, OP_TANH, y);
    default: return y;
    }
}

/* A convolution of two axes: stride, dilation, padding, groups. */
static inline Node *rg_convolution(RandomBuilder *b) {
    static const int extents[] = {5, 7, 8, 9, 12, 16};
    Graph *g = b->g;
    DType t = b->options.dtype;
    if (!dtype_is_float(t)) return NULL;
    int groups = rg_below(b, 3) ? 1 : 2;
    int64_t kh = 1 + rg_below(b, 3), kw = 1 + rg_below(b, 3), pad = rg_below(b, 2);
    const Dim *batch = b->symbol && rg_coin(b) ? b->symbol : rg_dim(b, 1 + rg_below(b, 2));
    const Dim *c = rg_dim(b, 1 + rg_below(b, 4)), *o = rg_dim(b, 1 + rg_below(b, 5));
    const Dim *h = rg_dim(b, extents[rg_below(b, 6)]), *w = rg_dim(b, extents[rg_below(b, 6)]);
    Shape sx = {5, {batch, rg_dim(b, groups), c, h, w}};
    Shape sw = {5, {rg_dim(b, groups), o, c, rg_dim(b, kh), rg_dim(b, kw)}};
    if (!rg_fits(b, &sx)) return NULL;
    Node *x = rg_pick_like(b, &sx);
    Node *weight =
        rg_coin(b) ? rg_cell(b, CELL_PARAMETER, (TensorType){t, sw}) : rg_pick_like(b, &sw);
    if (pad) {
        const Dim *zero = rg_dim(b, 0), *one = rg_dim(b, 1);
        const Dim *around[] = {zero, zero, zero, one, one};
        x = op_pad(g, x, rg_number(b, 0, (Shape){0}), around, around);
    }
    int64_t dilation = 1 + (rg_below(b, 3) == 0);
    x = op_unfold(g, x, 3, kh, 1 + rg_below(b, 2), dilation);
    x = op_unfold(g, x, 4, kw, 1 + rg_below(b, 2), 1);
    if (!rg_fits(b, &x->type.shape) && x->type.shape.rank <= 6) return NULL;
    /* n g c y x i j, g o c i j -> n g o y x */
    static const int8_t lx[] = {0, 1, 2, 3, 4, 5, 6}, lw[] = {1, 7, 2, 5, 6},
                        lo[] = {0, 1, 7, 3, 4};
    return rg_times_number(b, op_contract(g, x, weight, lx, lw, lo, 5), 0.25);
}

/* tanh(x) * y with a derivative of its own. */
static inline Node *rg_call(RandomBuilder *b, Node *x) {
    Graph *g = b->g;
    if (!dtype_is_float(x->type.dtype)) return NULL;
    static const int wrt[] = {0, 1};
    Graph *body = graph_new(g->arena, g->dims), *vjp = graph_new(g->arena, g->dims);
    Node *u = op_input(body, name_of("u"), x->type), *v = op_input(body, name_of("v"), x->type);
    vector_push(g->arena, &body->results, op_binary(body, OP_MUL, op_unary(body, OP_TANH, u), v));
    u = op_input(vjp, name_of("u"), x->type);
    v = op_input(vjp, name_of("v"), x->type);
    Node *dy = op_input(vjp, name_of("dy"), x->type), *y = op_unary(vjp, OP_TANH, u);
    Node *slope = op_binary(vjp, OP_SUB, op_const(vjp, 1, x->type), op_binary(vjp, OP_MUL, y, y));
    vector_push(g->arena, &vjp->results,
                op_binary(vjp, OP_MUL, dy, op_binary(vjp, OP_MUL, v, slope)));
    vector_push(g->arena, &vjp->results, op_binary(vjp, OP_MUL, dy, y));
    CallAttr call = {.name = name_of("gate"), .body = body, .vjp = vjp, .wrt = wrt, .wrt_count = 2};
    Node *out[1];
    op_call(g, call, (Node *[]){x, rg_pick_like(b, &x->type.shape)}, 2, out);
    return out[0];
}

#endif
