/* Reductions, prefixes, sorts and contractions of the interpreter.  Accumulation is in f64. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O3") /* debug builds run whole models through these loops */
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/interpret/interpret_internal.h"

/* One line of `n` elements, `step` apart. */
static double combine_floats(ReduceKind kind, double a, double b) {
    switch ((int)kind) {
    case REDUCE_SUM: return a + b;
    case REDUCE_PROD: return a * b;
    case REDUCE_MAX: return reference_max(a, b);
    default: return reference_min(a, b);
    }
}

static int64_t combine_integers(ReduceKind kind, int64_t a, int64_t b) {
    switch ((int)kind) {
    case REDUCE_SUM: return (int64_t)((uint64_t)a + (uint64_t)b);
    case REDUCE_PROD: return (int64_t)((uint64_t)a * (uint64_t)b);
    case REDUCE_MAX: return a > b ? a : b;
    case REDUCE_MIN: return a < b ? a : b;
    case REDUCE_ANY: return a | b;
    default: return a & b;
    }
}

typedef struct Reduction {
    ReduceKind kind;
    const Tensor *in;
    Tensor *out;
    bool *started; /* max, min: the result holds an element already */
} Reduction;

/* a walks the result (step 0 on reduced axes), b the operand. */
static void reduce_row(void *user, int64_t a, int64_t b, int64_t n, int64_t step_a,
                       int64_t step_b) {
    const Reduction *r = user;
    if (r->kind == REDUCE_SUM && r->out->floats) {
        for (int64_t i = 0; i < n; i++)
            r->out->floats[a + i * step_a] += r->in->floats[b + i * step_b];
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t to = a + i * step_a, from = b + i * step_b;
        bool first = r->started && !r->started[to];
        if (first) r->started[to] = true;
        if (r->out->floats)
            r->out->floats[to] =
                first ? r->in->floats[from]
                      : combine_floats(r->kind, r->out->floats[to], r->in->floats[from]);
        else
            r->out->integers[to] =
                first ? r->in->integers[from]
                      : combine_integers(r->kind, r->out->integers[to], r->in->integers[from]);
    }
}

/* Does x take the place of the best so far? */
static bool takes_over(const Tensor *t, ReduceKind kind, int64_t x, int64_t best) {
    if (t->floats) {
        double a = t->floats[x], b = t->floats[best];
        if (isnan(b)) return false;
        return isnan(a) || (kind == REDUCE_ARGMAX ? a > b : a < b);
    }
    return kind == REDUCE_ARGMAX ? t->integers[x] > t->integers[best]
                                 : t->integers[x] < t->integers[best];
}

static void split_at(const Tensor *t, int axis, int64_t *outer, int64_t *inner) {
    *outer = *inner = 1;
    for (int i = 0; i < axis; i++) *outer *= t->extents[i];
    for (int i = axis + 1; i < t->rank; i++) *inner *= t->extents[i];
}

static void reduce_argument(const Node *node, const Tensor *in, Tensor *out) {
    int axis = __builtin_ctz(node->attr.reduce.axes);
    int64_t outer, inner, extent = in->extents[axis];
    split_at(in, axis, &outer, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * extent * inner + i % inner, best = 0;
        for (int64_t k = 1; k < extent; k++)
            if (takes_over(in, node->attr.reduce.kind, base + k * inner, base + best * inner))
                best = k;
        out->integers[i] = best;
    }
}

/* What max or min of no elements is, as in emitted code. */
static void fill_with_identity(ReduceKind kind, Tensor *out) {
    long long low = 0, high = 1;
    if (!out->floats && out->dtype != DTYPE_BOOL) dtype_int_range(out->dtype, &low, &high);
    for (int64_t i = 0; i < out->count; i++) {
        if (out->floats)
            out->floats[i] = kind == REDUCE_MAX ? -(double)INFINITY : (double)INFINITY;
        else
            out->integers[i] = kind == REDUCE_MAX ? low : high;
    }
}

void interpret_reduce(Run *run, const Node *node, const Tensor *in, Tensor *out) {
    ReduceKind kind = node->attr.reduce.kind;
    bool needs_element = kind == REDUCE_MAX || kind == REDUCE_MIN || reduce_is_arg(kind);
    if (reduce_is_arg(kind)) {
        reduce_argument(node, in, out);
        return;
    }
    int64_t strides[SHAPE_MAX_RANK], from[SHAPE_MAX_RANK], to[SHAPE_MAX_RANK];
    row_major_strides(out, strides);
    row_major_strides(in, from);
    for (int i = 0, j = 0; i < in->rank; i++)
        to[i] = node->attr.reduce.axes >> i & 1 ? 0 : strides[j++];
    if (needs_element && in->count == 0) {
        fill_with_identity(kind, out);
        return;
    }
    bool one = kind == REDUCE_PROD || kind == REDUCE_ALL;
    for (int64_t i = 0; i < out->count && one; i++) {
        if (out->floats)
            out->floats[i] = 1;
        else
            out->integers[i] = 1;
    }
    Reduction r = {kind, in, out, NULL};
    if (needs_element) r.started = run_get(run, out->count, 1);
    walk_rows(in->rank, in->extents, to, 0, from, 0, reduce_row, &r);
    run_free(r.started);
    for (int64_t i = 0; i < out->count && out->integers; i++)
        out->integers[i] = wrap_integer(out->integers[i], out->dtype);
}

void interpret_prefix(Run *run, const Node *node, const Tensor *in, Tensor *out) {
    const PrefixAttr *p = &node->attr.prefix;
    int64_t outer, inner, extent = in->extents[p->axis];
    split_at(in, p->axis, &outer, &inner);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * extent * inner + i % inner;
        for (int64_t k = 0; k < extent; k++) {
            int64_t at = base + (p->reverse ? extent - 1 - k : k) * inner;
            int64_t before = p->reverse ? at + inner : at - inner;
            if (out->floats)
                out->floats[at] = k ? combine_floats(p->kind, out->floats[before], in->floats[at])
                                    : in->floats[at];
            else
                out->integers[at] = wrap_integer(
                    k ? combine_integers(p->kind, out->integers[before], in->integers[at])
                      : in->integers[at],
                    out->dtype);
        }
    }
}

/* ---- sorts ---- */

/* Must b stand before a?  Equal elements keep their order; NaN is larger than every number. */
static bool out_of_order(const Tensor *t, int64_t a, int64_t b, bool descending) {
    if (!t->floats)
        return descending ? t->integers[b] > t->integers[a] : t->integers[b] < t->integers[a];
    double x = t->floats[a], y = t->floats[b];
    if (isnan(x) || isnan(y)) return descending ? isnan(y) && !isnan(x) : isnan(x) && !isnan(y);
    return descending ? y > x : y < x;
}

void interpret_argsort(Run *run, const Node *node, const Tensor *in, Tensor *out) {
    int64_t outer, inner, n = in->extents[node->attr.sort.axis];
    split_at(in, node->attr.sort.axis, &outer, &inner);
    int64_t *order = run_get(run, n, sizeof *order), *merged = run_get(run, n, sizeof *merged);
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * n * inner + i % inner;
        for (int64_t k = 0; k < n; k++) order[k] = k;
        for (int64_t width = 1; width < n; width *= 2) {
            for (int64_t begin = 0; begin < n; begin += 2 * width) {
                int64_t middle = begin + width < n ? begin + width : n;
                int64_t end = begin + 2 * width < n ? begin + 2 * width : n;
                int64_t a = begin, b = middle;
                for (int64_t k = begin; k < end; k++) {
                    bool right =
                        a == middle || (b < end && out_of_order(in, base + order[a] * inner,
                                                                base + order[b] * inner,
                                                                node->attr.sort.descending));
                    merged[k] = right ? order[b++] : order[a++];
                }
            }
            memcpy(order, merged, (size_t)n * sizeof *order);
        }
        for (int64_t k = 0; k < n; k++) out->integers[base + k * inner] = order[k];
    }
    run_free(order);
    run_free(merged);
}

/* ---- contraction ---- */

typedef struct Packed {
    const double *from;
    double *to;
} Packed;

static void pack_row(void *user, int64_t a, int64_t b, int64_t n, int64_t step_a, int64_t step_b) {
    const Packed *p = user;
    for (int64_t i = 0; i < n; i++) p->to[a + i * step_a] += p->from[b + i * step_b];
}

/* Labels in the order of a packed operand, with their extents; a label's place in the pack. */
typedef struct Pack {
    int64_t stride[CONTRACT_MAX_LABELS]; /* 0 for labels summed while packing */
    int64_t count;
} Pack;

/* Gives strides to the labels of `set`, the last one fastest, after what the pack has. */
static int64_t pack_labels(Pack *pack, uint32_t set, const int64_t *extents, const int8_t *order,
                           int order_count) {
    int64_t group = 1;
    for (int i = order_count - 1; i >= 0; i--) {
        int label = order[i];
        if (!(set >> label & 1)) continue;
        pack->stride[label] = pack->count;
        pack->count *= extents[label];
        group *= extents[label];
    }
    return group;
}

static double *pack_operand(Run *run, const Tensor *t, const int8_t *labels, const Pack *pack) {
    double *data = run_get(run, pack->count, sizeof *data);
    int64_t from[SHAPE_MAX_RANK], to[SHAPE_MAX_RANK];
    row_major_strides(t, from);
    for (int i = 0; i < t->rank; i++) to[i] = pack->stride[labels[i]];
    walk_rows(t->rank, t->extents, to, 0, from, 0, pack_row, &(Packed){t->floats, data});
    return data;
}

static uint32_t label_set(const int8_t *labels, int count) {
    uint32_t set = 0;
    for (int i = 0; i < count; i++) set |= 1u << labels[i];
    return set;
}

/* c [rows, columns] += a [rows, depth] b [depth, columns], in blocks that stay in cache. */
static void multiply(int64_t rows, int64_t columns, int64_t depth, const double *a, const double *b,
                     double *c) {
    enum { BLOCK = 128 };
    for (int64_t k0 = 0; k0 < depth; k0 += BLOCK) {
        int64_t k1 = k0 + BLOCK < depth ? k0 + BLOCK : depth;
        for (int64_t j0 = 0; j0 < columns; j0 += BLOCK) {
            int64_t j1 = j0 + BLOCK < columns ? j0 + BLOCK : columns;
            for (int64_t i = 0; i < rows; i++) {
                double *restrict row = c + i * columns;
                for (int64_t k = k0; k < k1; k++) {
                    double x = a[i * depth + k];
                    const double *restrict other = b + k * columns;
                    for (int64_t j = j0; j < j1; j++) row[j] += x * other[j];
                }
            }
        }
    }
}

void interpret_contract(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    const ContractAttr *c = &node->attr.contract;
    const Tensor *a = in[0], *b = in[1];
    int64_t extents[CONTRACT_MAX_LABELS] = {0};
    for (int i = 0; i < a->rank; i++) extents[c->a[i]] = a->extents[i];
    for (int i = 0; i < b->rank; i++) {
        if ((label_set(c->a, a->rank) >> c->b[i] & 1) && extents[c->b[i]] != b->extents[i]) {
            run_fail(run, "%%%d: one label, two extents", node->id);
            return;
        }
        extents[c->b[i]] = b->extents[i];
    }
    uint32_t in_a = label_set(c->a, a->rank), in_b = label_set(c->b, b->rank);
    uint32_t in_out = label_set(c->out, out->rank);
    uint32_t batch = in_a & in_b & in_out, rows = in_a & in_out & ~in_b;
    uint32_t columns = in_b & in_out & ~in_a, depth = in_a & in_b & ~in_out;
    Pack pa = {.count = 1}, pb = {.count = 1}, pc = {.count = 1};
    int64_t k = pack_labels(&pa, depth, extents, c->a, a->rank);
    int64_t m = pack_labels(&pa, rows, extents, c->out, out->rank);
    int64_t n = pack_labels(&pb, columns, extents, c->out, out->rank);
    pack_labels(&pb, depth, extents, c->a, a->rank);
    pack_labels(&pc, columns, extents, c->out, out->rank);
    pack_labels(&pc, rows, extents, c->out, out->rank);
    int64_t batches = pack_labels(&pa, batch, extents, c->out, out->rank);
    pack_labels(&pb, batch, extents, c->out, out->rank);
    pack_labels(&pc, batch, extents, c->out, out->rank);
    double *x = pack_operand(run, a, c->a, &pa), *y = pack_operand(run, b, c->b, &pb);
    double *z = run_get(run, pc.count, sizeof *z);
    for (int64_t i = 0; i < batches; i++)
        multiply(m, n, k, x + i * m * k, y + i * k * n, z + i * m * n);
    int64_t from[SHAPE_MAX_RANK], to[SHAPE_MAX_RANK];
    row_major_strides(out, to);
    for (int i = 0; i < out->rank; i++) from[i] = pc.stride[c->out[i]];
    walk_rows(out->rank, out->extents, to, 0, from, 0, pack_row, &(Packed){z, out->floats});
    run_free(x);
    run_free(y);
    run_free(z);
}
