/* Elementwise operators and sources of the interpreter.
 *
 * Float operands use the reference expressions of ops.def in f64; integer operands, which f64 does
 * not hold exactly, have their own loops with wraparound. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O2") /* debug builds run whole models through these loops */
#endif
#include <math.h>

#include "tensor/interpret/interpret_internal.h"

double reference_max(double a, double b) {
    return isnan(a) || a > b ? a : b;
}

double reference_min(double a, double b) {
    return isnan(a) || a < b ? a : b;
}

static double reference_mod(double a, double b) {
    double r = fmod(a, b);
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static double reference_sign(double a) {
    return (double)((a > 0) - (a < 0));
}

static double reference_not(double a) {
    return a == 0;
}

static void compute_floats(Op op, int64_t n, const double *x, const double *y, const double *z,
                           double *out) {
    switch ((int)op) {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) \
    case OP_##e:                                                 \
        for (int64_t i = 0; i < n; i++) {                        \
            double a = x[i], b = y[i], c = z[i];                 \
            (void)a, (void)b, (void)c;                           \
            out[i] = reference;                                  \
        }                                                        \
        break;
#include "tensor/ops.def"
#undef ELEMENTWISE
    default: break;
    }
}

static void compare_floats(Op op, int64_t n, const double *x, const double *y, int64_t *out) {
    switch ((int)op) {
    case OP_EQ:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] == y[i];
        break;
    case OP_NE:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] != y[i];
        break;
    case OP_LT:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] < y[i];
        break;
    case OP_LE:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] <= y[i];
        break;
    case OP_GT:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] > y[i];
        break;
    case OP_GE:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] >= y[i];
        break;
    case OP_ISNAN:
        for (int64_t i = 0; i < n; i++) out[i] = x[i] != x[i];
        break;
    default: break;
    }
}

static int64_t floor_quotient(int64_t a, int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return (int64_t)(0 - (uint64_t)a);
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t floor_remainder(int64_t a, int64_t b) {
    if (b == 0 || b == -1) return 0;
    int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static void compute_integers(Op op, DType dtype, int64_t n, const int64_t *x, const int64_t *y,
                             int64_t *out) {
#define EACH(expression)                \
    for (int64_t i = 0; i < n; i++) {   \
        int64_t a = x[i], b = y[i];     \
        (void)a, (void)b;               \
        out[i] = (int64_t)(expression); \
    }                                   \
    break
    switch ((int)op) {
    case OP_ADD: EACH((uint64_t)a + (uint64_t)b);
    case OP_SUB: EACH((uint64_t)a - (uint64_t)b);
    case OP_MUL: EACH((uint64_t)a * (uint64_t)b);
    case OP_FLOORDIV: EACH(floor_quotient(a, b));
    case OP_MOD: EACH(floor_remainder(a, b));
    case OP_NEG: EACH(0 - (uint64_t)a);
    case OP_ABS: EACH(a < 0 ? 0 - (uint64_t)a : (uint64_t)a);
    case OP_SIGN: EACH((a > 0) - (a < 0));
    case OP_MAXIMUM: EACH(a > b ? a : b);
    case OP_MINIMUM: EACH(a < b ? a : b);
    case OP_EQ: EACH(a == b);
    case OP_NE: EACH(a != b);
    case OP_LT: EACH(a < b);
    case OP_LE: EACH(a <= b);
    case OP_GT: EACH(a > b);
    case OP_GE: EACH(a >= b);
    case OP_ISNAN: EACH(0);
    case OP_AND: EACH(a & b);
    case OP_OR: EACH(a | b);
    case OP_XOR: EACH(a ^ b);
    case OP_NOT: EACH(dtype == DTYPE_BOOL ? !a : ~a);
    default: break;
    }
#undef EACH
}

void interpret_elementwise(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    int64_t n = out->count;
    for (int i = 0; i < node->input_count; i++) {
        if (in[i]->count == n) continue;
        run_fail(run, "%%%d: operands of different extents", node->id);
        return;
    }
    const Tensor *last = in[node->input_count - 1];
    if (node->op == OP_SELECT) {
        const int64_t *condition = in[0]->integers;
        if (out->floats)
            for (int64_t i = 0; i < n; i++)
                out->floats[i] = condition[i] ? in[1]->floats[i] : in[2]->floats[i];
        else
            for (int64_t i = 0; i < n; i++)
                out->integers[i] = condition[i] ? in[1]->integers[i] : in[2]->integers[i];
    } else if (out->floats) {
        compute_floats(node->op, n, in[0]->floats, last->floats, last->floats, out->floats);
    } else if (in[0]->floats) {
        compare_floats(node->op, n, in[0]->floats, last->floats, out->integers);
    } else {
        compute_integers(node->op, in[0]->dtype, n, in[0]->integers, last->integers, out->integers);
        for (int64_t i = 0; i < n; i++)
            out->integers[i] = wrap_integer(out->integers[i], out->dtype);
    }
}

static int64_t truncate_saturating(double value, DType dtype) {
    long long low, high;
    dtype_int_range(dtype, &low, &high);
    if (isnan(value)) return 0;
    value = trunc(value);
    if (value <= (double)low) return low;
    if (value >= (double)high) return high;
    return (int64_t)value;
}

void interpret_cast(Run *run, const Tensor *in, Tensor *out) {
    for (int64_t i = 0; i < out->count; i++) {
        if (in->floats && out->floats)
            out->floats[i] = in->floats[i];
        else if (in->floats && out->dtype == DTYPE_BOOL)
            out->integers[i] = in->floats[i] != 0;
        else if (in->floats)
            out->integers[i] = truncate_saturating(in->floats[i], out->dtype);
        else if (!out->floats)
            out->integers[i] = wrap_integer(in->integers[i], out->dtype);
        else if (out->dtype == DTYPE_F32 && run->how->mode == INTERPRET_TYPED)
            out->floats[i] = (double)(float)in->integers[i]; /* one rounding, not two */
        else
            out->floats[i] = (double)in->integers[i];
    }
}

/* ---- sources ---- */

static void philox(uint32_t c[4], uint64_t seed) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ k1, (uint32_t)p0};
        for (int i = 0; i < 4; i++) c[i] = next[i];
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

static void draw(Run *run, const RandomAttr *attr, Tensor *out) {
    uint32_t step = attr->at_init ? 0 : (uint32_t)run->how->step, block[4] = {0};
    int per_block = out->dtype == DTYPE_F64 ? 2 : 4;
    for (int64_t i = 0; i < out->count; i++) {
        int at = (int)(i % per_block);
        if (at == 0) {
            block[0] = (uint32_t)(i / per_block);
            block[1] = run->scan_index;
            block[2] = attr->site;
            block[3] = step;
            philox(block, run->how->seed);
        }
        if (per_block == 4)
            out->floats[i] = (double)(block[at] >> 8) * 0x1p-24;
        else
            out->floats[i] =
                ((double)(block[2 * at] >> 5) * 0x1p26 + (double)(block[2 * at + 1] >> 6)) *
                0x1p-53;
    }
}

void interpret_source(Run *run, const Node *node, Tensor *out) {
    const ConstAttr *c = &node->attr.constant;
    int64_t value;
    switch ((int)node->op) {
    case OP_CONST:
        for (int64_t i = 0; i < out->count; i++) {
            if (out->floats)
                out->floats[i] = c->data ? ((const double *)c->data)[i] : c->value;
            else
                out->integers[i] = c->data ? ((const int64_t *)c->data)[i] : c->integer;
        }
        break;
    case OP_IOTA: {
        int64_t inner = 1, extent = out->extents[node->attr.axis];
        for (int i = node->attr.axis + 1; i < out->rank; i++) inner *= out->extents[i];
        for (int64_t i = 0; i < out->count; i++) {
            int64_t at = i / inner % extent;
            if (out->floats)
                out->floats[i] = (double)at;
            else
                out->integers[i] = wrap_integer(at, out->dtype);
        }
        break;
    }
    case OP_DIM:
        if (!run_dim(run, node->attr.dim, &value)) return;
        if (out->floats)
            out->floats[0] = (double)value;
        else
            out->integers[0] = wrap_integer(value, out->dtype);
        break;
    case OP_RANDOM: draw(run, &node->attr.random, out); break;
    default: break;
    }
}
