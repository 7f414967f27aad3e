/* Values of a graph in typed interpretation, and beside each element how far emitted code may be
 * from it.
 *
 * The bound is a forward error analysis of the very graph.  u is half a unit in the last place of
 * the dtype, x an element with bound e (the emitted element lies in [x - e, x + e]):
 *   exact operations (views, max, select, integers, casts that keep the value): the bounds of the
 *     operands go through unchanged; a bound of 0 means equal, NaN and infinities included;
 *   one rounding, in the interpreter and in emitted code:                   2 u |y|
 *   a library function, at most 8 units in the last place:                 17 u |y|
 *   a monotone function at [x - e, x + e]: the larger distance to the values at both ends;
 *   products: |a| eb + |b| ea + ea eb; other functions by their Lipschitz constant;
 *   a sum of n terms in any order (reduce, contract, prefix, fold, scatter): sum of the bounds and
 *     n v sum(|x| + e), v = u, or that of f32 where the dtype is smaller (scatter adds in memory,
 * so there it is u); a decision (comparison, rounding to integers, argmax, sort) that the bounds of
 * its operands do not settle: nothing is claimed of what follows from it (infinite bound: it may be
 * NaN). Passes may replace a sum of sums by one sum; BOUND_SLACK covers that.  The values
 * themselves are computed by the interpreter's own functions, node by node. */
#ifndef TESTS_NUMERIC_BOUND_H
#define TESTS_NUMERIC_BOUND_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/interpret/interpret_internal.h"

#define BOUND_SLACK 2.0

typedef struct Bounded {
    Tensor *value;
    Tensor *error; /* f64, of the same extents */
} Bounded;

typedef struct BoundRun {
    Run run;
    Interpretation how;
    const Bounded *cells; /* by Cell.index */
} BoundRun;

static inline double bound_unit(DType t) {
    switch ((int)t) {
    case DTYPE_F64: return 0x1p-53;
    case DTYPE_F32: return 0x1p-24;
    case DTYPE_F16: return 0x1p-11;
    case DTYPE_BF16: return 0x1p-8;
    default: return 0;
    }
}
/* Unit of the accumulators: sums of small floats are kept in f32. */
static inline double bound_sum_unit(DType t) {
    return dtype_is_float(t) && t != DTYPE_F64 ? 0x1p-24 : bound_unit(t);
}
static inline double bound_tiny(DType t) {
    switch ((int)t) {
    case DTYPE_F64: return DBL_TRUE_MIN;
    case DTYPE_F32: return 0x1p-149;
    case DTYPE_F16: return 0x1p-24;
    case DTYPE_BF16: return 0x1p-133;
    default: return 0;
    }
}
static inline double bound_largest(DType t) {
    switch ((int)t) {
    case DTYPE_F32: return FLT_MAX;
    case DTYPE_F16: return 65504;
    case DTYPE_BF16: return 0x1.fep127;
    default: return DBL_MAX;
    }
}
static inline double bound_rounding(DType t, double y, double units) {
    return units * bound_unit(t) * fabs(y) + 2 * bound_tiny(t);
}

static inline Tensor *bound_like(BoundRun *b, const Tensor *t) {
    Tensor *e = tensor_new(b->run.arena, DTYPE_F64, t->rank, t->extents);
    if (!e) run_fail(&b->run, "out of memory");
    return e;
}
static inline Tensor *bound_absolute(BoundRun *b, const Tensor *t, const Tensor *error) {
    Tensor *a = bound_like(b, t);
    for (int64_t i = 0; i < t->count; i++)
        a->floats[i] = fabs(tensor_get(t, i)) + (error ? error->floats[i] : 0);
    return a;
}

/* A node's operation on other values of its operands, in f64. */
static inline Tensor *bound_apply(BoundRun *b, const Node *n, Tensor *const *in,
                                  const Tensor *like) {
    Tensor *out = bound_like(b, like);
    OpClass class_ = op_info(n->op)->class_;
    if (class_ == CLASS_VIEW || n->op == OP_FOLD)
        interpret_view(&b->run, n, in, out);
    else if (class_ == CLASS_REDUCE)
        interpret_reduce(&b->run, n, in[0], out);
    else if (class_ == CLASS_CONTRACT)
        interpret_contract(&b->run, n, in, out);
    else if (class_ == CLASS_PREFIX)
        interpret_prefix(&b->run, n, in[0], out);
    else if (class_ == CLASS_INDEXED)
        interpret_indexed(&b->run, n, in, out);
    else
        interpret_elementwise(&b->run, n, in, out);
    return out;
}

static inline bool bound_any(const Tensor *error) {
    for (int64_t i = 0; i < error->count; i++)
        if (error->floats[i] > 0) return true;
    return false;
}

/* ---- elementwise ---- */

/* Largest distance from y of the values at the ends of the operands' intervals. */
static inline double *bound_corners(BoundRun *b, const Node *n, const Bounded *in,
                                    const Tensor *like) {
    int count = n->input_count;
    double *far = NEW_ARRAY(b->run.arena, (size_t)like->count + 1, double);
    Tensor *at[3], *middle[3] = {0};
    for (int i = 0; i < count; i++) middle[i] = in[i].value;
    Tensor *exact = bound_apply(b, n, middle, like);
    for (int corner = 0; corner < 1 << count; corner++) {
        for (int i = 0; i < count; i++) {
            at[i] = bound_like(b, like);
            for (int64_t k = 0; k < like->count; k++) {
                double e = in[i].error->floats[k];
                at[i]->floats[k] = in[i].value->floats[k] + (corner >> i & 1 ? e : -e);
            }
        }
        Tensor *y = bound_apply(b, n, at, like);
        for (int64_t k = 0; k < like->count; k++) {
            double d = y->floats[k] == exact->floats[k] ? 0 : fabs(y->floats[k] - exact->floats[k]);
            /* An end that is no number (inf - inf) is no limit. */
            if (!(d <= far[k])) far[k] = isnan(d) ? INFINITY : d;
        }
    }
    return far;
}

static inline double bound_quotient(double a, double b, double ea, double eb) {
    double room = fabs(b) - eb;
    return room > 0 ? (ea + fabs(a / b) * eb) / room : INFINITY;
}

static inline double bound_floor_jump(double q, double e) {
    return floor(q - e) == floor(q + e) ? 0 : floor(q + e) - floor(q - e);
}

static inline double bound_float_op(Op op, DType t, double y, double a, double c, double ea,
                                    double ec, double corner) {
    const double unit = bound_unit(t);
    switch ((int)op) {
    case OP_ADD:
    case OP_SUB: return ea + ec + bound_rounding(t, y, 2);
    case OP_MUL: return fabs(a) * ec + fabs(c) * ea + ea * ec + bound_rounding(t, y, 2);
    case OP_DIV: return bound_quotient(a, c, ea, ec) + bound_rounding(t, y, 2);
    case OP_NEG:
    case OP_ABS: return ea;
    case OP_SIGN: return ea < fabs(a) || ea == 0 ? 0 : 2;
    case OP_MAXIMUM:
    case OP_MINIMUM: return ea > ec ? ea : ec;
    case OP_FLOORDIV:
        return bound_floor_jump(a / c, bound_quotient(a, c, ea, ec) + 2 * unit * fabs(a / c)) +
               bound_rounding(t, y, 2);
    case OP_MOD: {
        double jump = bound_floor_jump(a / c, bound_quotient(a, c, ea, ec) + unit * fabs(a / c));
        if (ea == 0 && ec == 0) jump = 0; /* fmod is exact */
        return ea + (fabs(floor(a / c)) + 1) * ec + jump * (fabs(c) + ec) +
               bound_rounding(t, y, 2) + 2 * unit * fabs(c);
    }
    case OP_SIN:
    case OP_COS: return (ea < 2 ? ea : 2) + bound_rounding(t, y, 17);
    case OP_TAN:
        if (ea > 0.25 || fabs(y) * ea > 0.25) return INFINITY;
        return 2 * ea * (1 + y * y) + bound_rounding(t, y, 17);
    case OP_COSH: return ea * sinh(fabs(a) + ea) + bound_rounding(t, y, 17);
    case OP_POW:
        if (ea + ec > 0 && a - ea <= 0) return INFINITY;
        return corner + bound_rounding(t, y, 17);
    case OP_ATAN2: {
        double far = hypot(a, c) - ea - ec;
        bool cut = c - ec < 0 && fabs(a) <= ea;
        if (ea + ec > 0 && (far <= 0 || cut)) return 6.3;
        return (ea + ec > 0 ? (ea + ec) / far : 0) + bound_rounding(t, y, 17);
    }
    case OP_FLOOR:
    case OP_CEIL:
    case OP_ROUND:
    case OP_TRUNC: return corner;
    case OP_SIGMOID: /* the reference's exp(-a) overflows where the value is below the normal range
                      */
        return corner + bound_rounding(t, y, 17) + DBL_MIN;
    default: return corner + bound_rounding(t, y, 17); /* monotone functions */
    }
}

/* What is not finite is certain where the operands are, or where one of them is NaN. */
static inline double bound_not_finite(double y, const double *x, const double *e, int count) {
    bool exact = true, nan = false;
    for (int i = 0; i < count; i++) {
        exact &= e[i] == 0;
        nan |= isnan(x[i]) && e[i] == 0;
    }
    return exact || (nan && isnan(y)) ? 0 : INFINITY;
}

static inline void bound_elementwise(BoundRun *b, const Node *n, const Bounded *in,
                                     const Tensor *value, Tensor *error) {
    DType t = in[n->input_count - 1].value->dtype;
    bool floats = value->floats != NULL;
    double *corners = floats && n->op != OP_SELECT ? bound_corners(b, n, in, value) : NULL;
    for (int64_t i = 0; i < value->count; i++) {
        double x[3] = {0}, e[3] = {0};
        for (int k = 0; k < n->input_count; k++) {
            x[k] = tensor_get(in[k].value, i);
            e[k] = in[k].error->floats[i];
        }
        double *out = &error->floats[i], y = tensor_get(value, i);
        if (n->op == OP_SELECT) {
            *out = x[0] != 0 ? e[1] : e[2];
            if (e[0] > 0 && !(x[1] == x[2] && e[1] == 0 && e[2] == 0))
                *out = floats ? fmax(e[1], e[2]) + fabs(x[1] - x[2]) : INFINITY;
        } else if (!floats) { /* comparisons, logic, integers */
            bool settled = e[0] == 0 && e[1] == 0;
            if (dtype_is_float(t) && n->input_count == 2)
                settled |= fabs(x[0] - x[1]) > e[0] + e[1];
            if (n->op == OP_ISNAN) settled = isfinite(e[0]);
            *out = settled ? 0 : INFINITY;
        } else if (!isfinite(y)) {
            *out = bound_not_finite(y, x, e, n->input_count);
        } else if (!isfinite(e[0] + e[1] + e[2])) {
            *out = INFINITY; /* the operand may be NaN, which no function's range holds */
        } else {
            *out = bound_float_op(n->op, t, y, x[0], x[1], e[0], e[1], corners[i]);
        }
    }
}

static inline void bound_cast(const Tensor *from, const Tensor *e, const Tensor *value,
                              Tensor *error) {
    for (int64_t i = 0; i < value->count; i++) {
        double x = tensor_get(from, i), y = tensor_get(value, i), known = e->floats[i];
        double *out = &error->floats[i];
        if (value->floats && from->floats)
            *out = isfinite(y)
                       ? known + (y == x && known == 0 ? 0 : bound_rounding(value->dtype, y, 2))
                       : known;
        else if (value->floats)
            *out = known + (y == x ? 0 : bound_rounding(value->dtype, y, 2));
        else if (known == 0)
            *out = 0;
        else if (value->dtype == DTYPE_BOOL)
            *out = from->floats && fabs(x) > known ? 0 : INFINITY;
        else
            *out = from->floats && trunc(x - known) == trunc(x + known) ? 0 : INFINITY;
    }
}

/* ---- reductions, products ---- */

static inline void bound_sums(BoundRun *b, const Node *n, const Bounded *in, int operands,
                              int index_at, double terms, const Tensor *value, Tensor *error) {
    Tensor *errors[3] = {0}, *sizes[3] = {0};
    for (int i = 0; i < operands; i++) {
        errors[i] = i == index_at ? in[i].value : in[i].error;
        sizes[i] = i == index_at ? in[i].value : bound_absolute(b, in[i].value, in[i].error);
    }
    Tensor *sum = bound_apply(b, n, errors, value), *size = bound_apply(b, n, sizes, value);
    for (int64_t i = 0; i < value->count; i++) {
        double e = sum->floats[i];
        double unit =
            n->op == OP_SCATTER_ADD ? bound_unit(value->dtype) : bound_sum_unit(value->dtype);
        if (value->floats)
            e += terms * unit * size->floats[i] + bound_rounding(value->dtype, value->floats[i], 2);
        error->floats[i] = e;
        if (!value->floats || isfinite(value->floats[i])) continue;
        error->floats[i] = sum->floats[i] == 0 ? 0 : INFINITY;
    }
}

static inline void bound_products(BoundRun *b, const Node *n, const Bounded *in, double terms,
                                  const Tensor *value, Tensor *error) {
    Tensor *least[1] = {bound_absolute(b, in[0].value, NULL)};
    Tensor *most[1] = {bound_absolute(b, in[0].value, in[0].error)};
    Tensor *low = bound_apply(b, n, least, value), *high = bound_apply(b, n, most, value);
    bool exact = !bound_any(in[0].error);
    for (int64_t i = 0; i < value->count; i++) {
        if (!value->floats || !isfinite(value->floats[i])) {
            error->floats[i] = exact ? 0 : INFINITY;
            continue;
        }
        /* Partial products may pass through subnormals: each loses a tiny amount, then grows. */
        error->floats[i] = high->floats[i] - low->floats[i] +
                           terms * bound_sum_unit(value->dtype) * high->floats[i] +
                           bound_rounding(value->dtype, value->floats[i], 2);
    }
}

static inline void bound_argument(const Node *n, const Bounded *in, const Tensor *value,
                                  Tensor *error) {
    const Tensor *x = in[0].value, *e = in[0].error;
    int axis = __builtin_ctz(n->attr.reduce.axes);
    int64_t inner = 1, extent = x->extents[axis];
    for (int i = axis + 1; i < x->rank; i++) inner *= x->extents[i];
    for (int64_t i = 0; i < value->count; i++) {
        int64_t base = i / inner * extent * inner + i % inner;
        int64_t best = base + value->integers[i] * inner;
        double bad = 0, exact = 0;
        for (int64_t k = 0; k < extent; k++) {
            int64_t at = base + k * inner;
            exact += e->floats[at];
            double gap = fabs(tensor_get(x, best) - tensor_get(x, at));
            if (at != best && !(gap > e->floats[at] + e->floats[best])) bad = INFINITY;
        }
        error->floats[i] = exact == 0 ? 0 : bad;
    }
}

static inline void bound_reduce(BoundRun *b, const Node *n, const Bounded *in, const Tensor *value,
                                Tensor *error) {
    ReduceKind kind = n->attr.reduce.kind;
    double terms = 0;
    if (value->count) terms = (double)in[0].value->count / (double)value->count;
    if (kind == REDUCE_SUM) {
        bound_sums(b, n, in, 1, -1, terms, value, error);
    } else if (kind == REDUCE_PROD) {
        bound_products(b, n, in, terms, value, error);
    } else if (kind == REDUCE_ARGMAX || kind == REDUCE_ARGMIN) {
        bound_argument(n, in, value, error);
    } else if (in[0].value->count) {
        Node most = *n;
        most.attr.reduce.kind = REDUCE_MAX;
        Tensor *e = bound_apply(b, &most, &in[0].error, value);
        memcpy(error->floats, e->floats, (size_t)value->count * sizeof *e->floats);
    }
}

static inline void bound_prefix(BoundRun *b, const Node *n, const Bounded *in, const Tensor *value,
                                Tensor *error) {
    ReduceKind kind = n->attr.prefix.kind;
    double terms = (double)value->extents[n->attr.prefix.axis];
    if (kind == REDUCE_SUM) {
        bound_sums(b, n, in, 1, -1, terms, value, error);
    } else if (kind == REDUCE_PROD) {
        bound_products(b, n, in, terms, value, error);
    } else {
        Node most = *n;
        most.attr.prefix.kind = REDUCE_MAX;
        Tensor *e = bound_apply(b, &most, &in[0].error, value);
        memcpy(error->floats, e->floats, (size_t)value->count * sizeof *e->floats);
    }
}

static inline void bound_argsort(const Node *n, const Bounded *in, const Tensor *value,
                                 Tensor *error) {
    const Tensor *x = in[0].value, *e = in[0].error;
    int axis = n->attr.sort.axis;
    int64_t inner = 1, extent = x->extents[axis];
    for (int i = axis + 1; i < x->rank; i++) inner *= x->extents[i];
    for (int64_t i = 0; extent && i < value->count / extent; i++) {
        int64_t base = i / inner * extent * inner + i % inner;
        double exact = 0, bad = 0;
        for (int64_t k = 0; k < extent; k++) exact += e->floats[base + k * inner];
        for (int64_t k = 1; k < extent; k++) {
            int64_t p = base + value->integers[base + (k - 1) * inner] * inner;
            int64_t q = base + value->integers[base + k * inner] * inner;
            double gap = fabs(tensor_get(x, p) - tensor_get(x, q));
            if (!(gap > e->floats[p] + e->floats[q])) bad = INFINITY;
        }
        for (int64_t k = 0; k < extent; k++) error->floats[base + k * inner] = exact == 0 ? 0 : bad;
    }
}

static inline void bound_contract(BoundRun *b, const Node *n, const Bounded *in,
                                  const Tensor *value, Tensor *error) {
    int64_t extents[CONTRACT_MAX_LABELS] = {0};
    const ContractAttr *c = &n->attr.contract;
    for (int i = 0; i < in[0].value->rank; i++) extents[c->a[i]] = in[0].value->extents[i];
    for (int i = 0; i < in[1].value->rank; i++) extents[c->b[i]] = in[1].value->extents[i];
    for (int i = 0; i < value->rank; i++) extents[c->out[i]] = 0;
    double terms = 2;
    for (int i = 0; i < CONTRACT_MAX_LABELS; i++)
        if (extents[i]) terms *= (double)extents[i];
    Tensor *a = bound_absolute(b, in[0].value, NULL), *c1 = bound_absolute(b, in[1].value, NULL);
    Tensor *both[] = {bound_absolute(b, in[0].value, in[0].error),
                      bound_absolute(b, in[1].value, in[1].error)};
    Tensor *e1 = bound_apply(b, n, (Tensor *[]){a, in[1].error}, value);
    Tensor *e2 = bound_apply(b, n, (Tensor *[]){in[0].error, c1}, value);
    Tensor *e3 = bound_apply(b, n, (Tensor *[]){in[0].error, in[1].error}, value);
    Tensor *size = bound_apply(b, n, both, value);
    for (int64_t i = 0; i < value->count; i++)
        error->floats[i] = e1->floats[i] + e2->floats[i] + e3->floats[i] +
                           terms * bound_sum_unit(value->dtype) * size->floats[i] +
                           bound_rounding(value->dtype, value->floats[i], 2);
}

static inline void bound_indexed(BoundRun *b, const Node *n, const Bounded *in, const Tensor *value,
                                 Tensor *error) {
    int index = n->op == OP_DYNAMIC_UPDATE ? 2 : 1;
    Tensor *errors[3] = {0};
    for (int i = 0; i < n->input_count; i++) errors[i] = i == index ? in[i].value : in[i].error;
    if (n->op == OP_SCATTER_ADD) {
        bound_sums(b, n, in, 3, 1, (double)in[1].value->count + 1, value, error);
    } else {
        Tensor *e = bound_apply(b, n, errors, value);
        memcpy(error->floats, e->floats, (size_t)value->count * sizeof *e->floats);
    }
    if (bound_any(in[index].error))
        for (int64_t i = 0; i < value->count; i++) error->floats[i] = INFINITY;
}

/* ---- nodes and graphs ---- */

static inline Bounded bound_node(BoundRun *b, const Node *n, const Bounded *in) {
    int64_t extents[SHAPE_MAX_RANK];
    Bounded out = {0};
    if (n->op == OP_IDENTITY) return in[0];
    for (int i = 0; i < n->type.shape.rank; i++)
        if (!run_dim(&b->run, n->type.shape.dims[i], &extents[i])) return out;
    out.value = tensor_new(b->run.arena, n->type.dtype, n->type.shape.rank, extents);
    if (!out.value) {
        run_fail(&b->run, "a tensor too large");
        return out;
    }
    out.error = bound_like(b, out.value);
    Tensor *values[8], **operands = n->input_count <= 8
                                        ? values
                                        : NEW_ARRAY(b->run.arena, (size_t)n->input_count, Tensor *);
    Tensor **errors = NEW_ARRAY(b->run.arena, (size_t)n->input_count + 1, Tensor *);
    for (int i = 0; i < n->input_count; i++) {
        operands[i] = in[i].value;
        errors[i] = in[i].error;
    }
    Run *run = &b->run;
    OpClass class_ = n->op == OP_FOLD ? CLASS_VIEW : op_info(n->op)->class_;
    switch (class_) {
    case CLASS_SOURCE: interpret_source(run, n, out.value); break;
    case CLASS_ELEMENTWISE:
        if (n->op == OP_CAST)
            interpret_cast(run, operands[0], out.value);
        else
            interpret_elementwise(run, n, operands, out.value);
        break;
    case CLASS_VIEW: interpret_view(run, n, operands, out.value); break;
    case CLASS_REDUCE: interpret_reduce(run, n, operands[0], out.value); break;
    case CLASS_CONTRACT: interpret_contract(run, n, operands, out.value); break;
    case CLASS_PREFIX: interpret_prefix(run, n, operands[0], out.value); break;
    case CLASS_SORT: interpret_argsort(run, n, operands[0], out.value); break;
    case CLASS_INDEXED: interpret_indexed(run, n, operands, out.value); break;
    case CLASS_STRUCTURED: break;
    }
    run_round(run, out.value);
    if (run->error) return out;
    switch (class_) {
    case CLASS_SOURCE: break;
    case CLASS_ELEMENTWISE:
        if (n->op == OP_CAST)
            bound_cast(operands[0], errors[0], out.value, out.error);
        else
            bound_elementwise(b, n, in, out.value, out.error);
        break;
    case CLASS_VIEW:
        if (n->op == OP_FOLD)
            bound_sums(b, n, in, 1, -1, (double)in[0].value->extents[in[0].value->rank - 1] + 1,
                       out.value, out.error);
        else
            interpret_view(run, n, errors, out.error);
        break;
    case CLASS_REDUCE: bound_reduce(b, n, in, out.value, out.error); break;
    case CLASS_CONTRACT: bound_contract(b, n, in, out.value, out.error); break;
    case CLASS_PREFIX: bound_prefix(b, n, in, out.value, out.error); break;
    case CLASS_SORT: bound_argsort(n, in, out.value, out.error); break;
    case CLASS_INDEXED: bound_indexed(b, n, in, out.value, out.error); break;
    case CLASS_STRUCTURED: break;
    }
    for (int64_t i = 0; i < out.value->count; i++) {
        double *e = &out.error->floats[i];
        if (isnan(*e) || (!out.value->floats && *e > 0)) *e = INFINITY;
        if (out.value->floats && *e > 0 &&
            !(fabs(out.value->floats[i]) + *e < bound_largest(out.value->dtype)))
            *e = INFINITY; /* may overflow in one and not in the other */
    }
    return out;
}

static inline void bound_graph(BoundRun *b, const Graph *g, const Bounded *inputs,
                               Bounded *results);

static inline Bounded bound_copy(Arena *arena, Bounded from) {
    Bounded to = {tensor_new(arena, from.value->dtype, from.value->rank, from.value->extents),
                  tensor_new(arena, DTYPE_F64, from.value->rank, from.value->extents)};
    size_t bytes = (size_t)from.value->count * 8;
    if (to.value->floats)
        memcpy(to.value->floats, from.value->floats, bytes);
    else
        memcpy(to.value->integers, from.value->integers, bytes);
    memcpy(to.error->floats, from.error->floats, bytes);
    return to;
}

/* Element t along axis 0, or the other way round. */
static inline void bound_element(Tensor *stack, int64_t t, Tensor *element, bool store) {
    char *whole = stack->floats ? (char *)stack->floats : (char *)stack->integers;
    char *part = element->floats ? (char *)element->floats : (char *)element->integers;
    size_t bytes = (size_t)element->count * 8;
    if (store)
        memcpy(whole + (size_t)t * bytes, part, bytes);
    else
        memcpy(part, whole + (size_t)t * bytes, bytes);
}

static inline void bound_scan(BoundRun *b, const Node *n, const Bounded *in, Bounded *out) {
    const ScanAttr *scan = &n->attr.scan;
    Arena *outer = b->run.arena;
    uint32_t outer_index = b->run.scan_index;
    int results = scan->body->results.count;
    int64_t length, extents[SHAPE_MAX_RANK];
    if (!run_dim(&b->run, scan->length, &length)) return;
    for (int i = 0; i < scan->carries; i++) out[i] = bound_copy(outer, in[i]);
    for (int i = scan->carries; i < results; i++) {
        const TensorType *type = &scan->body->results.data[i]->type;
        extents[0] = length;
        for (int k = 0; k < type->shape.rank; k++)
            if (!run_dim(&b->run, type->shape.dims[k], &extents[k + 1])) return;
        out[i].value = tensor_new(outer, type->dtype, type->shape.rank + 1, extents);
        out[i].error = bound_like(b, out[i].value);
    }
    for (int64_t step = 0; step < length && !b->run.error; step++) {
        int64_t t = scan->reverse ? length - 1 - step : step;
        Arena *inner = arena_new();
        b->run.arena = inner;
        Bounded *arguments = NEW_ARRAY(inner, (size_t)n->input_count + 1, Bounded);
        Bounded *next = NEW_ARRAY(inner, (size_t)results + 1, Bounded);
        for (int i = 0; i < n->input_count; i++) {
            arguments[i] = i < scan->carries ? out[i] : in[i];
            if (i < scan->carries || i >= scan->carries + scan->sequences) continue;
            const Tensor *stack = in[i].value;
            Tensor *x = tensor_new(inner, stack->dtype, stack->rank - 1, stack->extents + 1);
            arguments[i] = (Bounded){x, bound_like(b, x)};
            bound_element(in[i].value, t, x, false);
            bound_element(in[i].error, t, arguments[i].error, false);
        }
        b->run.scan_index = outer_index * (uint32_t)length + (uint32_t)t;
        bound_graph(b, scan->body, arguments, next);
        for (int i = 0; i < results && !b->run.error; i++) {
            if (i < scan->carries) {
                out[i] = bound_copy(outer, next[i]);
                continue;
            }
            bound_element(out[i].value, t, next[i].value, true);
            bound_element(out[i].error, t, next[i].error, true);
        }
        b->run.arena = outer;
        if (b->run.error) b->run.error = arena_strdup(outer, b->run.error);
        arena_free(inner);
    }
    b->run.scan_index = outer_index;
}

static inline void bound_graph(BoundRun *b, const Graph *g, const Bounded *inputs,
                               Bounded *results) {
    Arena *arena = b->run.arena;
    int ids = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    Bounded **of = NEW_ARRAY(arena, (size_t)ids + 1, Bounded *);
    for (int k = 0; k < g->nodes.count && !b->run.error; k++) {
        const Node *n = g->nodes.data[k];
        int count = n->op == OP_CALL   ? n->attr.call.body->results.count
                    : n->op == OP_SCAN ? n->attr.scan.body->results.count
                                       : 1;
        Bounded *out = of[n->id] = NEW_ARRAY(arena, (size_t)count + 1, Bounded);
        Bounded *in = NEW_ARRAY(arena, (size_t)n->input_count + 1, Bounded);
        for (int i = 0; i < n->input_count; i++)
            in[i] = of[n->inputs[i]->id][n->op == OP_PROJ ? n->attr.index : 0];
        switch ((int)n->op) {
        case OP_INPUT: out[0] = inputs[n->attr.input.index]; break;
        case OP_CELL: out[0] = b->cells[n->attr.cell->index]; break;
        case OP_PROJ: out[0] = in[0]; break;
        case OP_CALL: bound_graph(b, n->attr.call.body, in, out); break;
        case OP_SCAN: bound_scan(b, n, in, out); break;
        default: out[0] = bound_node(b, n, in); break;
        }
    }
    for (int i = 0; i < g->results.count && !b->run.error; i++)
        results[i] = of[g->results.data[i]->id][0];
}

/* Is `actual` within the bound at element i? */
static inline bool bound_holds(Bounded expected, int64_t i, double actual) {
    double e = expected.error->floats[i], y = tensor_get(expected.value, i);
    if (isinf(e)) return true;
    if (isnan(y)) return isnan(actual);
    return actual == y || fabs(actual - y) <= BOUND_SLACK * e;
}
/* Does the bound say something: nothing is claimed of a sign of a difference of equals, say. */
static inline bool bound_bites(Bounded expected, int64_t i) {
    return expected.error->floats[i] <= 0.05 * (1 + fabs(tensor_get(expected.value, i)));
}

#endif
