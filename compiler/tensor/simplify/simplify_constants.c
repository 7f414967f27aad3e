/* Rules for constants: operators on splats become splats, views of splats become splats.
 *
 * Values are those of the interpreter's typed mode: computed in double and rounded to the dtype, or
 * exact integers; what would overflow or divide by zero is left for run time. */
#include <math.h>
#include "tensor/simplify/simplify_rules.h"

static Node *splat(Graph *g, double value, int64_t integer, TensorType type) {
    return dtype_is_float(type.dtype) ? op_const_float(g, value, type)
                                      : op_const_int(g, integer, type);
}

static Node *of_view(Graph *g, const Node *node, Node **in) {
    if (!simplify_is_splat(in[0])) return NULL;
    switch ((int)node->op) {
    case OP_PAD:
        if (!simplify_is_splat(in[1])) return NULL;
        if (dtype_is_float(node->type.dtype)
                ? !simplify_is_value(in[1], in[0]->attr.constant.value)
                : in[1]->attr.constant.integer != in[0]->attr.constant.integer)
            return NULL;
        break;
    case OP_CONCAT:
        for (int i = 1; i < node->input_count; i++)
            if (!simplify_is_splat(in[i]) ||
                (dtype_is_float(node->type.dtype)
                     ? !simplify_is_value(in[i], in[0]->attr.constant.value)
                     : in[i]->attr.constant.integer != in[0]->attr.constant.integer))
                return NULL;
        break;
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_UNFOLD: break;
    default: return NULL;
    }
    return simplify_splat_like(g, in[0], node->type);
}

/* ---- elementwise ---- */

static double rounded(double value, DType dtype) {
    return dtype == DTYPE_F32 ? (double)(float)value : value;
}

/* Arithmetic, which rounds the same everywhere, and the elementary functions that are frequent on
 * constants; run time may differ from them by its own error bound. */
static bool float_value(Op op, double a, double b, double *out) {
    switch ((int)op) {
    case OP_ADD: *out = a + b; return true;
    case OP_SUB: *out = a - b; return true;
    case OP_MUL: *out = a * b; return true;
    case OP_DIV: *out = a / b; return true;
    case OP_NEG: *out = -a; return true;
    case OP_ABS: *out = fabs(a); return true;
    case OP_SIGN: *out = (a > 0) - (a < 0); return true;
    case OP_MAXIMUM: *out = isnan(a) || a > b ? a : b; return true;
    case OP_MINIMUM: *out = isnan(a) || a < b ? a : b; return true;
    case OP_SQRT: *out = sqrt(a); return true;
    case OP_RSQRT: *out = 1 / sqrt(a); return true;
    case OP_EXP: *out = exp(a); return true;
    case OP_LOG: *out = log(a); return true;
    case OP_POW: *out = pow(a, b); return true;
    case OP_FLOOR: *out = floor(a); return true;
    case OP_CEIL: *out = ceil(a); return true;
    default: return false;
    }
}

static bool comparison(Op op, double a, double b, int64_t *out) {
    switch ((int)op) {
    case OP_EQ: *out = a == b; return true;
    case OP_NE: *out = a != b; return true;
    case OP_LT: *out = a < b; return true;
    case OP_LE: *out = a <= b; return true;
    case OP_GT: *out = a > b; return true;
    case OP_GE: *out = a >= b; return true;
    case OP_ISNAN: *out = isnan(a); return true;
    default: return false;
    }
}

static bool integer_comparison(Op op, int64_t a, int64_t b, int64_t *out) {
    switch ((int)op) {
    case OP_EQ: *out = a == b; return true;
    case OP_NE: *out = a != b; return true;
    case OP_LT: *out = a < b; return true;
    case OP_LE: *out = a <= b; return true;
    case OP_GT: *out = a > b; return true;
    case OP_GE: *out = a >= b; return true;
    case OP_ISNAN: *out = 0; return true;
    default: return false;
    }
}

static bool integer_value(Op op, int64_t a, int64_t b, DType dtype, int64_t *out) {
    switch ((int)op) {
    case OP_ADD: return checked_add(a, b, out);
    case OP_SUB: return checked_sub(a, b, out);
    case OP_MUL: return checked_mul(a, b, out);
    case OP_NEG: return checked_sub(0, a, out);
    case OP_ABS: return a < 0 ? checked_sub(0, a, out) : checked_add(0, a, out);
    case OP_SIGN: *out = (a > 0) - (a < 0); return true;
    case OP_MAXIMUM: *out = a > b ? a : b; return true;
    case OP_MINIMUM: *out = a < b ? a : b; return true;
    case OP_AND: *out = a & b; return true;
    case OP_OR: *out = a | b; return true;
    case OP_XOR: *out = a ^ b; return true;
    case OP_NOT:
        if (dtype != DTYPE_BOOL) return false;
        *out = !a;
        return true;
    default: return false;
    }
}

static bool folds_floats(DType dtype) {
    return dtype == DTYPE_F32 || dtype == DTYPE_F64;
}

static Node *of_elementwise(Graph *g, const Node *node, Node **in) {
    if (node->input_count > 2) return NULL;
    for (int i = 0; i < node->input_count; i++)
        if (!simplify_is_splat(in[i])) return NULL;
    const ConstAttr *a = &in[0]->attr.constant, *b = &in[node->input_count - 1]->attr.constant;
    DType dtype = in[0]->type.dtype;
    double value = 0;
    int64_t integer = 0;
    if (!dtype_is_float(dtype)) {
        if (integer_comparison(node->op, a->integer, b->integer, &integer))
            return splat(g, 0, integer, node->type);
        long long low, high;
        dtype_int_range(dtype, &low, &high);
        if (!integer_value(node->op, a->integer, b->integer, dtype, &integer) || integer < low ||
            integer > high)
            return NULL;
        return splat(g, 0, integer, node->type);
    }
    double x = rounded(a->value, dtype), y = rounded(b->value, dtype);
    if (comparison(node->op, x, y, &integer)) return splat(g, 0, integer, node->type);
    if (!folds_floats(dtype) || !float_value(node->op, x, y, &value)) return NULL;
    return splat(g, rounded(value, dtype), 0, node->type);
}

static Node *of_cast(Graph *g, const Node *node, const Node *in) {
    if (!simplify_is_splat(in)) return NULL;
    const ConstAttr *c = &in->attr.constant;
    DType from = in->type.dtype, to = node->type.dtype;
    if (dtype_is_float(from)) {
        if (!folds_floats(from)) return NULL;
        double value = rounded(c->value, from);
        if (folds_floats(to)) return splat(g, rounded(value, to), 0, node->type);
        if (dtype_is_float(to)) return NULL;
        if (to == DTYPE_BOOL) return splat(g, 0, value != 0, node->type);
        long long low, high;
        dtype_int_range(to, &low, &high);
        if (!(trunc(value) >= (double)low && trunc(value) < (double)high)) return NULL;
        return splat(g, 0, (int64_t)value, node->type);
    }
    if (folds_floats(to)) {
        double value = to == DTYPE_F32 ? (double)(float)c->integer : (double)c->integer;
        return splat(g, value, 0, node->type);
    }
    if (dtype_is_float(to)) return NULL;
    if (to == DTYPE_BOOL) return splat(g, 0, c->integer != 0, node->type);
    long long low, high;
    dtype_int_range(to, &low, &high);
    return c->integer < low || c->integer > high ? NULL : splat(g, 0, c->integer, node->type);
}

/* ---- reductions, dims ---- */

/* Reductions of a splat: sums are products with the number of terms. */
static Node *of_reduce(Graph *g, const Node *node, Node *in) {
    if (!simplify_is_splat(in)) return NULL;
    ReduceKind kind = node->attr.reduce.kind;
    const Dim *count = dim_const(g->dims, 1);
    for (int i = 0; i < in->type.shape.rank; i++)
        if (node->attr.reduce.axes >> i & 1)
            count = dim_mul(g->dims, count, in->type.shape.dims[i]);
    if (!count) return NULL;
    int64_t low, high;
    dim_bounds(count, &low, &high);
    if (kind == REDUCE_MAX || kind == REDUCE_MIN || kind == REDUCE_ANY || kind == REDUCE_ALL)
        return low >= 1 ? simplify_splat_like(g, in, node->type) : NULL;
    bool integer = !dtype_is_float(node->type.dtype);
    if (kind != REDUCE_SUM || !(integer || folds_floats(node->type.dtype))) return NULL;
    if (integer ? in->attr.constant.integer == 0 : simplify_is_value(in, 0.0))
        return simplify_splat_like(g, in, node->type);
    Node *term = simplify_splat_like(g, in, node->type);
    Node *terms = op_dim(g, count, node->type.dtype);
    if (node->type.shape.rank) terms = op_expand(g, terms, node->type.shape, (const int[]){0});
    return op_binary(g, OP_MUL, term, terms);
}

static Node *of_dim(Graph *g, const Node *node) {
    int64_t value;
    if (!dim_is_const(node->attr.dim, &value)) return NULL;
    DType dtype = node->type.dtype;
    if (folds_floats(dtype)) return splat(g, rounded((double)value, dtype), 0, node->type);
    if (dtype_is_float(dtype)) return NULL;
    long long low, high;
    dtype_int_range(dtype, &low, &high);
    return value < low || value > high ? NULL : splat(g, 0, value, node->type);
}

Node *simplify_constant(Rewriter *w, const Node *node, Node **in) {
    switch ((int)node->op) {
    case OP_DIM: return of_dim(w->g, node);
    case OP_CAST: return of_cast(w->g, node, in[0]);
    case OP_REDUCE: return of_reduce(w->g, node, in[0]);
    case OP_IDENTITY:
    case OP_SELECT: return NULL; /* their own rules suffice */
    default: break;
    }
    OpClass class_ = op_info(node->op)->class_;
    if (class_ == CLASS_VIEW) return of_view(w->g, node, in);
    return class_ == CLASS_ELEMENTWISE ? of_elementwise(w->g, node, in) : NULL;
}
