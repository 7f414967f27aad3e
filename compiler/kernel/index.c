/* Index algebra: construction in normal form, simplification by ranges.
 *
 * Input: axes, dims, run-time values.  Output: hash-consed Index objects.
 * Invariants: terms sorted by the structure of their atoms, no zero factor, no atom twice; a pair
 * (d*f)*floordiv(x, d) + f*mod(x, d) is replaced by f*x, so that offsets of reshaped tensors become
 * linear. */
#include "kernel/index.h"
#include "kernel/internal.h"

#include <stdlib.h>
#include <string.h>

enum { HASH_SIZE = 4096, CACHE_SIZE = 2048, SUM_INLINE = 8 };

typedef struct IndexEntry {
    Index index;
    struct IndexEntry *next;
} IndexEntry;
typedef struct AtomEntry {
    IndexAtom atom;
    struct AtomEntry *next;
} AtomEntry;

/* What an operation gave lately.  A miss only costs time: results are hash-consed. */
typedef enum Operation {
    OPERATION_SUM,
    OPERATION_SCALE,
    OPERATION_FLOORDIV,
    OPERATION_MOD
} Operation;
typedef struct Remembered {
    Operation operation;
    const Index *left;
    const void *right; /* an Index or a Dim */
    const Index *result;
} Remembered;

struct IndexTable {
    Arena *arena;
    DimTable *dims;
    const Dim *zero, *one;
    int atom_count;
    IndexEntry *entries[HASH_SIZE];
    AtomEntry *atoms[HASH_SIZE];
    Remembered cache[CACHE_SIZE];
};

const Dim *dim_need(const Dim *d) {
    /* Sizes were validated when the shapes were made: an overflow here is a bug of this layer. */
    if (!d) abort();
    return d;
}

IndexTable *index_table_new(Arena *arena, DimTable *dims) {
    IndexTable *t = NEW(arena, IndexTable);
    t->arena = arena;
    t->dims = dims;
    t->zero = dim_need(dim_const(dims, 0));
    t->one = dim_need(dim_const(dims, 1));
    return t;
}

DimTable *index_dims(IndexTable *table) {
    return table->dims;
}

static uint32_t mix(uint32_t h, uintptr_t v) {
    h ^= (uint32_t)(v ^ (v >> 32));
    h *= 0x9e3779b1u;
    return h ^ (h >> 15);
}

static const IndexAtom *atom_get(IndexTable *t, IndexAtom key) {
    uint32_t h = mix(key.kind + 1u, (uintptr_t)(key.axis + 1));
    h = mix(h, (uintptr_t)key.extent);
    h = mix(h, (uintptr_t)key.left);
    h = mix(h, (uintptr_t)key.right);
    h = mix(h, (uintptr_t)key.divisor);
    h = mix(h, (uintptr_t)key.value);
    AtomEntry **bucket = &t->atoms[h % HASH_SIZE];
    for (AtomEntry *e = *bucket; e; e = e->next) {
        const IndexAtom *a = &e->atom;
        if (a->kind == key.kind && a->axis == key.axis && a->extent == key.extent &&
            a->left == key.left && a->right == key.right && a->divisor == key.divisor &&
            a->value == key.value)
            return a;
    }
    AtomEntry *e = NEW(t->arena, AtomEntry);
    e->atom = key;
    e->atom.id = t->atom_count++;
    e->next = *bucket;
    *bucket = e;
    return &e->atom;
}

static const Index *intern(IndexTable *t, const Dim *constant, const IndexTerm *terms, int count) {
    uint32_t h = mix(7, (uintptr_t)constant);
    for (int i = 0; i < count; i++) {
        h = mix(h, (uintptr_t)terms[i].factor);
        h = mix(h, (uintptr_t)terms[i].atom->id);
    }
    IndexEntry **bucket = &t->entries[h % HASH_SIZE];
    for (IndexEntry *e = *bucket; e; e = e->next) {
        if (e->index.hash != h || e->index.constant != constant || e->index.count != count)
            continue;
        bool same = true;
        for (int i = 0; same && i < count; i++)
            same = e->index.terms[i].factor == terms[i].factor &&
                   e->index.terms[i].atom == terms[i].atom;
        if (same) return &e->index;
    }
    IndexEntry *e = NEW(t->arena, IndexEntry);
    IndexTerm *copy = NEW_ARRAY(t->arena, (size_t)count, IndexTerm);
    for (int i = 0; i < count; i++) copy[i] = terms[i];
    e->index = (Index){constant, count, copy, h};
    e->next = *bucket;
    *bucket = e;
    return &e->index;
}

static Remembered *remembered(IndexTable *t, Operation operation, const Index *left,
                              const void *right) {
    uint32_t h = mix(mix(operation + 1u, (uintptr_t)left), (uintptr_t)right);
    return &t->cache[h % CACHE_SIZE];
}

static const Index *recall(const Remembered *r, Operation operation, const Index *left,
                           const void *right) {
    return r->result && r->operation == operation && r->left == left && r->right == right
               ? r->result
               : NULL;
}

/* A sum under construction.  Few terms need no memory of the arena; a Sum is not copied. */
typedef struct Sum {
    const Dim *constant;
    VECTOR(IndexTerm) terms;
    IndexTerm first[SUM_INLINE];
} Sum;

static int compare_index(const Index *a, const Index *b);

/* An order that does not depend on what other kernels made before: equal kernels print equal. */
static int compare_atom(const IndexAtom *a, const IndexAtom *b) {
    if (a == b) return 0;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    if (a->axis != b->axis) return a->axis < b->axis ? -1 : 1;
    if (a->divisor && a->divisor->hash != b->divisor->hash)
        return a->divisor->hash < b->divisor->hash ? -1 : 1;
    int c = a->left ? compare_index(a->left, b->left) : 0;
    if (!c && a->right) c = compare_index(a->right, b->right);
    return c ? c : a->id < b->id ? -1 : 1;
}

static int compare_index(const Index *a, const Index *b) {
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (int i = 0; i < a->count; i++) {
        int c = compare_atom(a->terms[i].atom, b->terms[i].atom);
        if (c) return c;
        if (a->terms[i].factor->hash != b->terms[i].factor->hash)
            return a->terms[i].factor->hash < b->terms[i].factor->hash ? -1 : 1;
    }
    return 0;
}

static void sum_term(IndexTable *t, Sum *s, const Dim *factor, const IndexAtom *atom) {
    if (dim_is(factor, 0)) return;
    int at = 0;
    while (at < s->terms.count && compare_atom(s->terms.data[at].atom, atom) < 0) at++;
    if (at < s->terms.count && s->terms.data[at].atom == atom) {
        const Dim *sum = dim_need(dim_add(t->dims, s->terms.data[at].factor, factor));
        if (dim_is(sum, 0)) {
            for (int i = at; i + 1 < s->terms.count; i++) s->terms.data[i] = s->terms.data[i + 1];
            s->terms.count--;
        } else {
            s->terms.data[at].factor = sum;
        }
        return;
    }
    IndexTerm term = {factor, atom};
    if (!s->terms.data) {
        s->terms.data = s->first;
        s->terms.capacity = SUM_INLINE;
    }
    vector_push(t->arena, &s->terms, term);
    for (int i = s->terms.count - 1; i > at; i--) s->terms.data[i] = s->terms.data[i - 1];
    s->terms.data[at] = term;
}

static const Dim *scaled(IndexTable *t, const Dim *d, const Dim *factor) {
    return factor == t->one ? d : dim_need(dim_mul(t->dims, d, factor));
}

static void sum_index(IndexTable *t, Sum *s, const Index *a, const Dim *factor) {
    if (a->constant != t->zero)
        s->constant = dim_need(dim_add(t->dims, s->constant, scaled(t, a->constant, factor)));
    for (int i = 0; i < a->count; i++)
        sum_term(t, s, scaled(t, a->terms[i].factor, factor), a->terms[i].atom);
}

static const Index *of_atom(IndexTable *t, const IndexAtom *atom);

/* f*(x mod d) and (f*d)*floor(x / d), whatever normal form the quotient has, join to f*x. */
static bool sum_recombine(IndexTable *t, Sum *s) {
    if (s->terms.count < 2) return false;
    for (int j = 0; j < s->terms.count; j++) {
        const IndexAtom *m = s->terms.data[j].atom;
        if (m->kind != ATOM_MOD) continue;
        const Dim *f = s->terms.data[j].factor;
        const Dim *wanted = dim_mul(t->dims, f, m->divisor);
        const Index *quotient = index_floordiv(t, m->left, m->divisor);
        if (quotient->count != 1 || !dim_is(quotient->constant, 0) ||
            !dim_is(quotient->terms[0].factor, 1))
            continue;
        const IndexAtom *q = quotient->terms[0].atom;
        for (int i = 0; i < s->terms.count; i++) {
            if (s->terms.data[i].atom != q || s->terms.data[i].factor != wanted) continue;
            sum_term(t, s, dim_need(dim_neg(t->dims, wanted)), q);
            sum_term(t, s, dim_need(dim_neg(t->dims, f)), m);
            sum_index(t, s, m->left, f);
            return true;
        }
    }
    return false;
}

/* With x, k, m and A, which holds floor(x / k) once: f*(x mod k) + (f*k)*(A mod m) is
 * f*((k*A + x mod k) mod (k*m)), since x mod k is less than k. */
static bool sum_join_mods(IndexTable *t, Sum *s) {
    for (int j = 0; j < s->terms.count; j++) {
        const IndexAtom *low = s->terms.data[j].atom;
        if (low->kind != ATOM_MOD) continue;
        const Dim *f = s->terms.data[j].factor;
        const Dim *wanted = dim_mul(t->dims, f, low->divisor);
        const Index *quotient = index_floordiv(t, low->left, low->divisor);
        if (quotient->count != 1 || !dim_is(quotient->terms[0].factor, 1)) continue;
        for (int i = 0; i < s->terms.count; i++) {
            const IndexAtom *high = s->terms.data[i].atom;
            if (high->kind != ATOM_MOD || s->terms.data[i].factor != wanted) continue;
            bool holds = false;
            for (int k = 0; k < high->left->count; k++)
                holds = holds || (high->left->terms[k].atom == quotient->terms[0].atom &&
                                  dim_is(high->left->terms[k].factor, 1));
            const Dim *modulus = dim_mul(t->dims, low->divisor, high->divisor);
            if (!holds || !modulus) continue;
            const Index *joined = index_mod(
                t, index_add(t, index_scale(t, high->left, low->divisor), of_atom(t, low)),
                modulus);
            sum_term(t, s, dim_need(dim_neg(t->dims, wanted)), high);
            sum_term(t, s, dim_need(dim_neg(t->dims, f)), low);
            sum_index(t, s, joined, f);
            return true;
        }
    }
    return false;
}

static const Index *sum_done(IndexTable *t, Sum *s) {
    while (sum_recombine(t, s) || sum_join_mods(t, s)) {
    }
    return intern(t, s->constant, s->terms.data, s->terms.count);
}

static const Index *of_atom(IndexTable *t, const IndexAtom *atom) {
    IndexTerm term = {t->one, atom};
    return intern(t, t->zero, &term, 1);
}

const Index *index_dim(IndexTable *t, const Dim *d) {
    return intern(t, dim_need(d), NULL, 0);
}

const Index *index_const(IndexTable *t, int64_t value) {
    return index_dim(t, dim_const(t->dims, value));
}

const Index *index_axis(IndexTable *t, int axis, const Dim *extent) {
    if (dim_is(extent, 1)) return index_const(t, 0);
    return of_atom(t, atom_get(t, (IndexAtom){.kind = ATOM_AXIS, .axis = axis, .extent = extent}));
}

const Index *index_value(IndexTable *t, const Expr *value, const Dim *extent) {
    if (value->kind == EXPR_INDEX) return value->index;
    if (value->kind == EXPR_CONST) return index_const(t, value->integer);
    return of_atom(
        t,
        atom_get(t, (IndexAtom){.kind = ATOM_VALUE, .axis = -1, .value = value, .extent = extent}));
}

static bool is_zero(const IndexTable *t, const Index *a) {
    return a->count == 0 && a->constant == t->zero;
}

const Index *index_add(IndexTable *t, const Index *a, const Index *b) {
    if (is_zero(t, a)) return b;
    if (is_zero(t, b)) return a;
    Remembered *r = remembered(t, OPERATION_SUM, a, b);
    const Index *known = recall(r, OPERATION_SUM, a, b);
    if (known) return known;
    Sum s = {.constant = t->zero};
    sum_index(t, &s, a, t->one);
    sum_index(t, &s, b, t->one);
    const Index *result = sum_done(t, &s);
    *r = (Remembered){OPERATION_SUM, a, b, result};
    return result;
}

const Index *index_sub(IndexTable *t, const Index *a, const Index *b) {
    Sum s = {.constant = t->zero};
    sum_index(t, &s, a, t->one);
    sum_index(t, &s, b, dim_const(t->dims, -1));
    return sum_done(t, &s);
}

const Index *index_scale(IndexTable *t, const Index *a, const Dim *factor) {
    dim_need(factor);
    if (factor == t->one || is_zero(t, a)) return a;
    Remembered *r = remembered(t, OPERATION_SCALE, a, factor);
    const Index *known = recall(r, OPERATION_SCALE, a, factor);
    if (known) return known;
    Sum s = {.constant = t->zero};
    sum_index(t, &s, a, factor);
    const Index *result = sum_done(t, &s);
    *r = (Remembered){OPERATION_SCALE, a, factor, result};
    return result;
}

bool index_is_const(const Index *a, int64_t *value) {
    return a->count == 0 && dim_is_const(a->constant, value);
}

static bool dim_positive(IndexTable *t, const Dim *d) {
    return dim_at_most(t->dims, t->zero, d);
}

static void atom_bounds(IndexTable *t, const IndexAtom *a, const Dim **lower, const Dim **upper) {
    *lower = *upper = NULL;
    const Dim *l0, *u0, *l1, *u1;
    switch (a->kind) {
    case ATOM_AXIS:
    case ATOM_VALUE:
        if (!a->extent) return;
        *lower = t->zero;
        *upper = dim_sub(t->dims, a->extent, t->one);
        return;
    case ATOM_MOD:
        *lower = t->zero;
        *upper = dim_sub(t->dims, a->divisor, t->one);
        return;
    case ATOM_FLOORDIV: {
        int64_t k;
        index_bounds(t, a->left, &l0, &u0);
        if (l0 && dim_positive(t, l0)) *lower = t->zero;
        if (u0 && dim_is_const(a->divisor, &k) && k > 0) {
            *upper = dim_floordiv(t->dims, u0, a->divisor);
        } else if (u0) {
            /* floor((q*d - 1) / d) = q - 1 */
            const Dim *q = dim_divide_exact(t->dims, dim_add(t->dims, u0, t->one), a->divisor);
            if (q) *upper = dim_sub(t->dims, q, t->one);
        }
        return;
    }
    case ATOM_MIN:
        index_bounds(t, a->left, &l0, &u0);
        index_bounds(t, a->right, &l1, &u1);
        *upper = u0 && u1 ? (dim_less_equal(t->dims, u0, u1) == DIM_NO ? u1 : u0) : u0 ? u0 : u1;
        if (l0 && l1) {
            if (dim_at_most(t->dims, l0, l1))
                *lower = l0;
            else if (dim_at_most(t->dims, l1, l0))
                *lower = l1;
            else if (dim_positive(t, l0) && dim_positive(t, l1))
                *lower = t->zero;
        }
        return;
    case ATOM_MAX:
        index_bounds(t, a->left, &l0, &u0);
        index_bounds(t, a->right, &l1, &u1);
        *lower = l0 && l1 ? (dim_at_most(t->dims, l0, l1) ? l1 : l0) : l0 ? l0 : l1;
        if (u0 && u1) *upper = dim_max(t->dims, u0, u1);
        return;
    }
}

void index_bounds(IndexTable *t, const Index *a, const Dim **lower, const Dim **upper) {
    const Dim *lo = a->constant, *hi = a->constant;
    for (int i = 0; i < a->count; i++) {
        const Dim *f = a->terms[i].factor, *l, *u;
        atom_bounds(t, a->terms[i].atom, &l, &u);
        if (!dim_positive(t, f)) {
            if (dim_less_equal(t->dims, f, t->zero) != DIM_YES) {
                l = u = NULL;
            } else {
                const Dim *swap = l;
                l = u;
                u = swap;
            }
        }
        lo = lo && l ? dim_add(t->dims, lo, dim_mul(t->dims, f, l)) : NULL;
        hi = hi && u ? dim_add(t->dims, hi, dim_mul(t->dims, f, u)) : NULL;
    }
    *lower = lo;
    *upper = hi;
}

bool index_in_range(IndexTable *t, const Index *a, const Dim *limit) {
    const Dim *lower, *upper;
    index_bounds(t, a, &lower, &upper);
    return lower && upper && dim_positive(t, lower) &&
           dim_at_most(t->dims, dim_add(t->dims, upper, t->one), limit);
}

/* a = quotient * divisor + rest, moving whole multiples out of the sum. */
static void split(IndexTable *t, const Index *a, const Dim *divisor, Sum *quotient, Sum *rest) {
    quotient->constant = rest->constant = t->zero;
    for (int i = 0; i < a->count; i++) {
        const Dim *q = dim_divide_exact(t->dims, a->terms[i].factor, divisor);
        if (q)
            sum_term(t, quotient, q, a->terms[i].atom);
        else
            sum_term(t, rest, a->terms[i].factor, a->terms[i].atom);
    }
    int64_t c, d;
    if (dim_is_const(a->constant, &c) && dim_is_const(divisor, &d) && d > 0) {
        int64_t q = c / d - (c % d < 0);
        quotient->constant = dim_need(dim_const(t->dims, q));
        rest->constant = dim_need(dim_const(t->dims, c - q * d));
        return;
    }
    const Dim *q = dim_divide_exact(t->dims, a->constant, divisor);
    if (q)
        quotient->constant = q;
    else
        rest->constant = a->constant;
}

/* rest = g * x + y with 0 <= y < g, g a factor of the divisor: for floor(rest / d) = floor(x / (d /
 * g)). */
static bool common_factor(IndexTable *t, const Index *rest, const Dim *divisor, const Dim **g,
                          const Dim **remaining, const Index **x, const Index **y) {
    for (int i = 0; i < rest->count; i++) {
        const Dim *f = rest->terms[i].factor;
        if (dim_is(f, 1) || dim_is(f, -1) || !dim_positive(t, f)) continue;
        const Dim *left = dim_divide_exact(t->dims, divisor, f);
        if (!left) continue;
        Sum q = {0}, r = {0};
        split(t, rest, f, &q, &r);
        const Index *low = sum_done(t, &r);
        if (!index_in_range(t, low, f)) continue;
        *g = f;
        *remaining = left;
        *x = sum_done(t, &q);
        *y = low;
        return true;
    }
    return false;
}

static const Index *make_floordiv(IndexTable *t, const Index *a, const Dim *divisor) {
    Sum q = {0}, r = {0};
    split(t, a, divisor, &q, &r);
    const Index *quotient = sum_done(t, &q), *rest = sum_done(t, &r);
    if (index_in_range(t, rest, divisor)) return quotient;
    const Dim *g, *remaining;
    const Index *x, *y;
    if (common_factor(t, rest, divisor, &g, &remaining, &x, &y))
        return index_add(t, quotient, index_floordiv(t, x, remaining));
    if (rest->count == 1 && dim_is(rest->constant, 0) && dim_is(rest->terms[0].factor, 1) &&
        rest->terms[0].atom->kind == ATOM_FLOORDIV) {
        const IndexAtom *inner = rest->terms[0].atom;
        return index_add(t, quotient,
                         index_floordiv(t, inner->left, dim_mul(t->dims, inner->divisor, divisor)));
    }
    IndexAtom key = {.kind = ATOM_FLOORDIV, .axis = -1, .left = rest, .divisor = divisor};
    return index_add(t, quotient, of_atom(t, atom_get(t, key)));
}

const Index *index_floordiv(IndexTable *t, const Index *a, const Dim *divisor) {
    dim_need(divisor);
    if (divisor == t->one) return a;
    Remembered *r = remembered(t, OPERATION_FLOORDIV, a, divisor);
    const Index *result = recall(r, OPERATION_FLOORDIV, a, divisor);
    if (!result) result = make_floordiv(t, a, divisor);
    *r = (Remembered){OPERATION_FLOORDIV, a, divisor, result};
    return result;
}

static const Index *make_mod(IndexTable *t, const Index *a, const Dim *divisor) {
    Sum q = {0}, r = {0};
    split(t, a, divisor, &q, &r);
    const Index *rest = sum_done(t, &r);
    if (index_in_range(t, rest, divisor)) return rest;
    const Dim *g, *remaining;
    const Index *x, *y;
    if (common_factor(t, rest, divisor, &g, &remaining, &x, &y))
        return index_add(t, index_scale(t, index_mod(t, x, remaining), g), y);
    IndexAtom key = {.kind = ATOM_MOD, .axis = -1, .left = rest, .divisor = divisor};
    return of_atom(t, atom_get(t, key));
}

const Index *index_mod(IndexTable *t, const Index *a, const Dim *divisor) {
    dim_need(divisor);
    if (divisor == t->one) return index_const(t, 0);
    Remembered *r = remembered(t, OPERATION_MOD, a, divisor);
    const Index *result = recall(r, OPERATION_MOD, a, divisor);
    if (!result) result = make_mod(t, a, divisor);
    *r = (Remembered){OPERATION_MOD, a, divisor, result};
    return result;
}

const Index *index_min(IndexTable *t, const Index *a, const Index *b) {
    const Dim *l0, *u0, *l1, *u1;
    int64_t x, y;
    if (a == b) return a;
    if (index_is_const(a, &x) && index_is_const(b, &y)) return x < y ? a : b;
    index_bounds(t, a, &l0, &u0);
    index_bounds(t, b, &l1, &u1);
    if (u0 && l1 && dim_at_most(t->dims, u0, l1)) return a;
    if (u1 && l0 && dim_at_most(t->dims, u1, l0)) return b;
    return of_atom(t,
                   atom_get(t, (IndexAtom){.kind = ATOM_MIN, .axis = -1, .left = a, .right = b}));
}

const Index *index_max(IndexTable *t, const Index *a, const Index *b) {
    const Dim *l0, *u0, *l1, *u1;
    int64_t x, y;
    if (a == b) return a;
    if (index_is_const(a, &x) && index_is_const(b, &y)) return x > y ? a : b;
    index_bounds(t, a, &l0, &u0);
    index_bounds(t, b, &l1, &u1);
    if (l0 && u1 && dim_at_most(t->dims, u1, l0)) return a;
    if (l1 && u0 && dim_at_most(t->dims, u0, l1)) return b;
    return of_atom(t,
                   atom_get(t, (IndexAtom){.kind = ATOM_MAX, .axis = -1, .left = a, .right = b}));
}

/* ---- reading ---- */

static bool atom_depends(const IndexAtom *a, int axis);

bool index_depends(const Index *a, int axis) {
    for (int i = 0; i < a->count; i++)
        if (atom_depends(a->terms[i].atom, axis)) return true;
    return false;
}

static bool atom_depends(const IndexAtom *a, int axis) {
    switch (a->kind) {
    case ATOM_AXIS: return a->axis == axis;
    case ATOM_FLOORDIV:
    case ATOM_MOD: return index_depends(a->left, axis);
    case ATOM_MIN:
    case ATOM_MAX: return index_depends(a->left, axis) || index_depends(a->right, axis);
    case ATOM_VALUE: return expr_depends(a->value, axis);
    }
    return true;
}

Motion index_motion(const Index *a, int axis, const Dim **stride) {
    Motion motion = MOTION_NONE;
    for (int i = 0; i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        if (atom->kind == ATOM_AXIS && atom->axis == axis) {
            motion = MOTION_STRIDE;
            if (stride) *stride = a->terms[i].factor;
        } else if (atom_depends(atom, axis)) {
            return MOTION_OTHER;
        }
    }
    return motion;
}

static bool atom_evaluate(const IndexAtom *a, const AxisValue *at, int count, int64_t *value) {
    int64_t left = 0, right = 0;
    if (a->left && !index_evaluate(a->left, at, count, &left)) return false;
    if (a->right && !index_evaluate(a->right, at, count, &right)) return false;
    switch (a->kind) {
    case ATOM_AXIS:
        for (int i = 0; i < count; i++) {
            *value = at[i].value;
            if (at[i].axis == a->axis) return true;
        }
        return false;
    case ATOM_FLOORDIV:
    case ATOM_MOD: {
        if (!dim_is_const(a->divisor, &right) || right <= 0) return false;
        int64_t rest = left % right;
        if (rest < 0) rest += right;
        *value = a->kind == ATOM_MOD ? rest : (left - rest) / right;
        return true;
    }
    case ATOM_MIN: *value = left < right ? left : right; return true;
    case ATOM_MAX: *value = left > right ? left : right; return true;
    case ATOM_VALUE: break;
    }
    return false;
}

bool index_evaluate(const Index *a, const AxisValue *at, int count, int64_t *value) {
    int64_t sum, factor, term;
    if (!dim_is_const(a->constant, &sum)) return false;
    for (int i = 0; i < a->count; i++)
        if (!dim_is_const(a->terms[i].factor, &factor) ||
            !atom_evaluate(a->terms[i].atom, at, count, &term) ||
            !checked_mul(factor, term, &term) || !checked_add(sum, term, &sum))
            return false;
    *value = sum;
    return true;
}

static bool axis_is_replaced(const Index *a, const Index *const *replacement, int count) {
    for (int i = 0; i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        if (atom->kind == ATOM_AXIS && atom->axis < count && replacement[atom->axis]) return true;
        if (atom->left && axis_is_replaced(atom->left, replacement, count)) return true;
        if (atom->right && axis_is_replaced(atom->right, replacement, count)) return true;
    }
    return false;
}

static const Index *substitute_atom(IndexTable *t, const IndexAtom *atom,
                                    const Index *const *replacement, int count) {
    const Index *left = atom->left ? index_substitute(t, atom->left, replacement, count) : NULL;
    const Index *right = atom->right ? index_substitute(t, atom->right, replacement, count) : NULL;
    switch (atom->kind) {
    case ATOM_AXIS:
        return atom->axis < count && replacement[atom->axis] ? replacement[atom->axis]
                                                             : of_atom(t, atom);
    case ATOM_FLOORDIV: return index_floordiv(t, left, atom->divisor);
    case ATOM_MOD: return index_mod(t, left, atom->divisor);
    case ATOM_MIN: return index_min(t, left, right);
    case ATOM_MAX: return index_max(t, left, right);
    case ATOM_VALUE: break;
    }
    return of_atom(t, atom);
}

const Index *index_substitute(IndexTable *t, const Index *a, const Index *const *replacement,
                              int count) {
    if (!axis_is_replaced(a, replacement, count)) return a;
    Sum sum = {.constant = a->constant};
    for (int i = 0; i < a->count; i++)
        sum_index(t, &sum, substitute_atom(t, a->terms[i].atom, replacement, count),
                  a->terms[i].factor);
    return sum_done(t, &sum);
}
