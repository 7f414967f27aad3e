/* Rules for elementwise operators, reductions and constants.
 *
 * Exact for all values, NaN, infinities and signed zeros included, with two stated exceptions: a
 * sum of n equal terms becomes one product with n, and pow with the exponents 2, 3, 0.5 and -1
 * becomes the operations that torch uses for them. */
#include <math.h>
#include <string.h>
#include "tensor/simplify/simplify_rules.h"

static double splat_value(const Node *node) {
    return dtype_is_float(node->type.dtype) ? node->attr.constant.value
                                            : (double)node->attr.constant.integer;
}

bool simplify_is_value(const Node *node, double value) {
    if (!simplify_is_splat(node)) return false;
    double own = splat_value(node);
    return memcmp(&own, &value, sizeof own) == 0;
}

Node *simplify_splat_like(Graph *g, const Node *splat, TensorType type) {
    return dtype_is_float(type.dtype) ? op_const_float(g, splat->attr.constant.value, type)
                                      : op_const_int(g, splat->attr.constant.integer, type);
}

/* ---- elementwise ---- */

/* The operand that a binary operator with a constant returns unchanged. */
static Node *neutral_operand(const Node *node, Node **in) {
    bool floating = dtype_is_float(node->type.dtype);
    switch ((int)node->op) {
    case OP_MUL:
        if (simplify_is_value(in[1], 1.0)) return in[0];
        if (simplify_is_value(in[0], 1.0)) return in[1];
        return NULL;
    case OP_DIV: return simplify_is_value(in[1], 1.0) ? in[0] : NULL;
    case OP_ADD: { /* x + 0.0 turns -0.0 into 0.0, so only -0.0 is neutral */
        double zero = floating ? -0.0 : 0.0;
        if (simplify_is_value(in[1], zero)) return in[0];
        if (simplify_is_value(in[0], zero)) return in[1];
        return NULL;
    }
    case OP_SUB: return simplify_is_value(in[1], 0.0) ? in[0] : NULL;
    case OP_POW: return simplify_is_value(in[1], 1.0) ? in[0] : NULL;
    case OP_MAXIMUM:
    case OP_MINIMUM:
    case OP_AND:
    case OP_OR: return in[0] == in[1] ? in[0] : NULL;
    default: return NULL;
    }
}

static Node *negated(const Node *node) {
    return node->op == OP_NEG ? node->inputs[0] : NULL;
}

static Node *with_negation(Graph *g, const Node *node, Node **in) {
    Node *a = negated(in[0]), *b = node->input_count == 2 ? negated(in[1]) : NULL;
    switch ((int)node->op) {
    case OP_NEG: return a;
    case OP_ABS:
        if (in[0]->op == OP_ABS) return in[0];
        return a ? op_unary(g, OP_ABS, a) : NULL;
    case OP_NOT: return in[0]->op == OP_NOT ? in[0]->inputs[0] : NULL;
    case OP_ADD:
        if (b) return op_binary(g, OP_SUB, in[0], b);
        return a ? op_binary(g, OP_SUB, in[1], a) : NULL;
    case OP_SUB: return b ? op_binary(g, OP_ADD, in[0], b) : NULL;
    case OP_MUL:
        if (a && b) return op_binary(g, OP_MUL, a, b);
        if (simplify_is_value(in[1], -1.0)) return op_unary(g, OP_NEG, in[0]);
        return simplify_is_value(in[0], -1.0) ? op_unary(g, OP_NEG, in[1]) : NULL;
    case OP_DIV: return a && b ? op_binary(g, OP_DIV, a, b) : NULL;
    default: return NULL;
    }
}

/* Division by a power of two is a product with its reciprocal, to the last bit. */
static Node *exact_reciprocal(Graph *g, Node **in) {
    if (!simplify_is_splat(in[1])) return NULL;
    int exponent;
    double value = in[1]->attr.constant.value;
    if (!isfinite(value) || fabs(frexp(value, &exponent)) != 0.5) return NULL;
    if (exponent < -8 || exponent > 12) return NULL; /* normal in every dtype */
    return op_binary(g, OP_MUL, in[0], op_const_float(g, 1.0 / value, in[1]->type));
}

static Node *power(Graph *g, Node **in) {
    if (simplify_is_value(in[1], 2.0)) return op_binary(g, OP_MUL, in[0], in[0]);
    if (simplify_is_value(in[1], 3.0))
        return op_binary(g, OP_MUL, op_binary(g, OP_MUL, in[0], in[0]), in[0]);
    if (simplify_is_value(in[1], 0.5)) return op_unary(g, OP_SQRT, in[0]);
    if (simplify_is_value(in[1], -1.0))
        return op_binary(g, OP_DIV, op_const_float(g, 1.0, in[0]->type), in[0]);
    return NULL;
}

/* Every value of `from` is a value of `to`. */
static bool dtype_contains(DType to, DType from) {
    if (to == from || from == DTYPE_BOOL) return true;
    if (to == DTYPE_BOOL) return false;
    if (dtype_is_float(from)) {
        if (!dtype_is_float(to)) return false;
        if (to == DTYPE_F64) return true;
        return to == DTYPE_F32 && from != DTYPE_F64;
    }
    long long from_low, from_high, to_low, to_high;
    dtype_int_range(from, &from_low, &from_high);
    if (!dtype_is_float(to)) {
        dtype_int_range(to, &to_low, &to_high);
        return to_low <= from_low && from_high <= to_high;
    }
    long long exact = to == DTYPE_F64   ? 1LL << 53
                      : to == DTYPE_F32 ? 1LL << 24
                      : to == DTYPE_F16 ? 1LL << 11
                                        : 1LL << 8;
    return -exact <= from_low && from_high <= exact;
}

static Node *cast_of_cast(Graph *g, const Node *node, Node *in) {
    if (in->op != OP_CAST || node->type.dtype == DTYPE_BOOL) return NULL;
    Node *x = in->inputs[0];
    /* Floats saturate where integers wrap. */
    bool whole = !dtype_is_float(x->type.dtype) && !dtype_is_float(node->type.dtype);
    if (whole && dtype_is_float(in->type.dtype) && !dtype_contains(node->type.dtype, x->type.dtype))
        return NULL;
    return dtype_contains(in->type.dtype, x->type.dtype) ? op_cast(g, x, node->type.dtype) : NULL;
}

static Node *selection(Graph *g, Node **in) {
    if (in[1] == in[2]) return in[1];
    if (in[0]->op == OP_NOT) return op_select(g, in[0]->inputs[0], in[2], in[1]);
    if (!simplify_is_splat(in[0])) return NULL;
    return in[0]->attr.constant.integer ? in[1] : in[2];
}

Node *simplify_identity(Rewriter *w, const Node *node, Node **in) {
    Node *result = NULL;
    if (node->op == OP_SELECT) return selection(w->g, in);
    if (node->op == OP_CAST) return cast_of_cast(w->g, node, in[0]);
    if (node->input_count == 2) result = neutral_operand(node, in);
    if (!result && node->op == OP_ADD) result = simplify_sum_of_pads(w->g, in);
    if (!result && node->op == OP_POW) result = power(w->g, in);
    if (!result && node->op == OP_DIV) result = exact_reciprocal(w->g, in);
    return result ? result : with_negation(w->g, node, in);
}

/* ---- reductions ---- */

/* n in the dtype of x, as a tensor like x: sums of this many equal terms are a product. */
static Node *times_dim(Graph *g, Node *x, const Dim *n) {
    Node *factor = op_dim(g, n, x->type.dtype);
    if (x->type.shape.rank) factor = op_expand(g, factor, x->type.shape, (const int[]){0});
    return op_binary(g, OP_MUL, x, factor);
}

static bool sums_by_product(DType dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F64 || dtype_kind(dtype) == DTYPE_KIND_INTEGER;
}

static bool ignores_repeats(ReduceKind kind) {
    return kind == REDUCE_MAX || kind == REDUCE_MIN || kind == REDUCE_ANY || kind == REDUCE_ALL;
}

static bool all_one(const Shape *shape, uint32_t axes) {
    for (int i = 0; i < shape->rank; i++)
        if (axes >> i & 1 && !dim_is(shape->dims[i], 1)) return false;
    return true;
}

/* Reduction of axes that an EXPAND made: reduce without them, then account for the repetition. */
static Node *reduce_of_expand(Graph *g, const Node *node, Node *in) {
    ReduceKind kind = node->attr.reduce.kind;
    Node *x = in->inputs[0];
    const Shape *wide = &in->type.shape;
    uint32_t fresh = (1u << wide->rank) - 1, axes = node->attr.reduce.axes, rest = 0;
    for (int i = 0; i < x->type.shape.rank; i++) fresh &= ~(1u << in->attr.axes[i]);
    fresh &= axes;
    if (!fresh) return NULL;
    const Dim *count = dim_const(g->dims, 1);
    Shape narrow = {0};
    int place[SHAPE_MAX_RANK], kept[SHAPE_MAX_RANK];
    for (int i = 0; i < wide->rank; i++) {
        place[i] = narrow.rank;
        if (fresh >> i & 1) {
            count = dim_mul(g->dims, count, wide->dims[i]);
            continue;
        }
        if (axes >> i & 1) rest |= 1u << narrow.rank;
        narrow.dims[narrow.rank++] = wide->dims[i];
    }
    if (!count) return NULL;
    int64_t low, high;
    dim_bounds(count, &low, &high);
    bool repeats = ignores_repeats(kind) && low >= 1;
    if (!repeats && !(kind == REDUCE_SUM && sums_by_product(node->type.dtype))) return NULL;
    for (int i = 0; i < x->type.shape.rank; i++) kept[i] = place[in->attr.axes[i]];
    Node *inner = shape_equal(&narrow, &x->type.shape) ? x : op_expand(g, x, narrow, kept);
    Node *reduced = rest ? op_reduce_again(g, kind, inner, rest) : inner;
    return kind == REDUCE_SUM ? times_dim(g, reduced, count) : reduced;
}

Node *simplify_reduction(Rewriter *w, const Node *node, Node **in) {
    ReduceKind kind = node->attr.reduce.kind;
    uint32_t axes = node->attr.reduce.axes;
    if (reduce_is_arg(kind)) return NULL;
    if (all_one(&in[0]->type.shape, axes) && in[0]->type.dtype == node->type.dtype)
        return op_reshape(w->g, in[0], node->type.shape);
    if (in[0]->op == OP_EXPAND) return reduce_of_expand(w->g, node, in[0]);
    return NULL;
}
