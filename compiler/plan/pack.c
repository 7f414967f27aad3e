/* Packing: offsets of buffers with lifetimes in one arena.
 *
 * Input: intervals with symbolic sizes.  Output: offsets, valid for all values of the symbols.
 * Buffers are placed one by one, in several orders, into the lowest gap that is provably large
 * enough; the order whose arena is smallest at the reference dims wins.  A gap that cannot be
 * proved is not used.  Thousands of buffers are placed as a heap would: by birth, into gaps that
 * their deaths leave, which takes time linear in their number for chains of layers. */
#include "plan/internal.h"

#include <stdlib.h>

/* Buffers that are packed in several orders, and in more than one look at each other. */
enum { SEVERAL = 600, MANY = 1200 };

const Dim *plan_need(const Dim *d) {
    if (!d) abort();
    return d;
}

int64_t plan_reference(Arena *arena, DimTable *dims, const Dim *d) {
    int64_t value;
    if (dim_is_const(d, &value)) return value;
    int count = dim_symbol_count(dims);
    int64_t *symbols = NEW_ARRAY(arena, (size_t)count, int64_t);
    for (int i = 0; i < count; i++) {
        const DimSymbol *s = dim_symbol_at(dims, i);
        symbols[i] = s->upper < 64 ? s->upper : s->lower > 64 ? s->lower : 64;
    }
    return dim_evaluate(d, symbols, &value) ? value : INT64_MAX / 4;
}

const Dim *plan_round(DimTable *dims, const Dim *bytes) {
    const Dim *unit = dim_const(dims, PLAN_ALIGNMENT);
    bool whole = true;
    for (int i = 0; i < bytes->term_count; i++)
        whole = whole && bytes->terms[i].coefficient % PLAN_ALIGNMENT == 0;
    if (whole) return bytes;
    const Dim *up = dim_add(dims, bytes, dim_const(dims, PLAN_ALIGNMENT - 1));
    return plan_need(dim_mul(dims, dim_floordiv(dims, up, unit), unit));
}

/* ---- bounds that are plain polynomials ----
 *
 * A plain polynomial has positive coefficients over monomials that are never negative, so that
 * "every coefficient of a is at most that of b" proves a <= b, and the larger coefficients of both
 * make an upper bound of the maximum, without a max in the offsets. */

/* A plain polynomial >= bytes whose coefficients are multiples of `unit` (the constant: of 64). */
static const Dim *round_terms(DimTable *dims, const Dim *bytes, int64_t unit) {
    const Dim *sum = dim_const(dims, 0);
    for (int i = 0; i < bytes->term_count; i++) {
        const DimTerm *t = &bytes->terms[i];
        if (t->coefficient < 0 && !t->factor_count) {
            /* A negative constant rounds toward zero. */
            sum = dim_add(dims, sum,
                          dim_const(dims, -(-t->coefficient / PLAN_ALIGNMENT * PLAN_ALIGNMENT)));
            continue;
        }
        int64_t step = t->factor_count ? unit : PLAN_ALIGNMENT;
        const Dim *term = dim_const(dims, (t->coefficient + step - 1) / step * step);
        bool negative = t->coefficient < 0;
        for (int f = 0; f < t->factor_count; f++) {
            const Dim *atom = dim_of_atom(dims, t->factors[f].atom);
            int64_t lower, upper;
            dim_bounds(atom, &lower, &upper);
            if (lower < 0 && negative) return NULL;
            if (lower < 0) atom = dim_max(dims, atom, dim_const(dims, 0));
            for (int k = 0; k < t->factors[f].power; k++) term = dim_mul(dims, term, atom);
        }
        if (!negative) sum = dim_add(dims, sum, term);
    }
    for (int i = 0; sum && i < sum->term_count; i++)
        if (sum->terms[i].coefficient < 0) {
            /* Only the constant can be: leave it out. */
            sum = dim_sub(dims, sum, dim_const(dims, sum->terms[i].coefficient));
            break;
        }
    return plan_need(sum);
}

static bool same_monomial(const DimTerm *a, const DimTerm *b) {
    if (a->factor_count != b->factor_count) return false;
    for (int i = 0; i < a->factor_count; i++)
        if (a->factors[i].atom != b->factors[i].atom || a->factors[i].power != b->factors[i].power)
            return false;
    return true;
}

static int64_t coefficient_of(const Dim *d, const DimTerm *monomial) {
    for (int i = 0; i < d->term_count; i++)
        if (same_monomial(&d->terms[i], monomial)) return d->terms[i].coefficient;
    return 0;
}

/* For plain polynomials. */
static bool provably_le(const Dim *a, const Dim *b) {
    if (a == b) return true;
    for (int i = 0; i < a->term_count; i++)
        if (a->terms[i].coefficient > coefficient_of(b, &a->terms[i])) return false;
    return true;
}

const Dim *plan_upper(DimTable *dims, const Dim *a, const Dim *b) {
    if (provably_le(b, a)) return a;
    if (provably_le(a, b)) return b;
    const Dim *sum = a;
    for (int i = 0; i < b->term_count; i++) {
        int64_t more = b->terms[i].coefficient - coefficient_of(a, &b->terms[i]);
        if (more <= 0) continue;
        DimTerm t = b->terms[i];
        t.coefficient = more;
        sum = plan_need(dim_add(dims, sum, dim_of_term(dims, &t)));
    }
    return sum;
}

const Dim *plan_plain(DimTable *dims, const Dim *bytes) {
    return round_terms(dims, bytes, PLAN_ALIGNMENT);
}

typedef struct Item {
    Interval interval;
    const Dim *bytes, *offset, *end;
    int64_t size, at, top; /* at the reference dims */
    bool small;            /* aligned to 8 bytes only */
} Item;

/* Small ones come last in every order, so that they shift no other. */
static int by_size(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->small != y->small) return x->small - y->small;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    if (x->interval.first != y->interval.first)
        return x->interval.first < y->interval.first ? -1 : 1;
    return x->interval.id - y->interval.id;
}
static int by_birth(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->small != y->small) return x->small - y->small;
    if (x->interval.first != y->interval.first)
        return x->interval.first < y->interval.first ? -1 : 1;
    return by_size(a, b);
}
static int by_area(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->small != y->small) return x->small - y->small;
    double p = (double)x->size * (x->interval.last - x->interval.first + 1);
    double q = (double)y->size * (y->interval.last - y->interval.first + 1);
    if (p != q) return p < q ? 1 : -1;
    return by_size(a, b);
}
static int by_offset(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->top != y->top) return x->top < y->top ? -1 : 1;
    return x->interval.id - y->interval.id;
}

/* Places `item` among the conflicting ones, which are sorted by offset. */
static void place_item(Arena *arena, DimTable *dims, Item *item, Item **near, int count) {
    const Dim *at = dim_const(dims, 0);
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (value + item->size <= near[i]->at && item->size > 0) {
            const Dim *end = plan_need(dim_add(dims, at, item->bytes));
            bool fits = true;
            for (int k = i; k < count && fits; k++) fits = provably_le(end, near[k]->offset);
            if (fits) break;
        }
        at = plan_upper(dims, at, near[i]->end);
        if (near[i]->top > value) value = plan_reference(arena, dims, at);
    }
    item->offset = at;
    item->end = plan_need(dim_add(dims, at, item->bytes));
    item->at = plan_reference(arena, dims, at);
    item->top = item->at + item->size;
}

static int64_t pack_in_order(Arena *arena, DimTable *dims, Item **order, int count, Item **near,
                             const Dim **total) {
    *total = dim_const(dims, 0);
    for (int i = 0; i < count; i++) {
        int conflicts = 0;
        for (int k = 0; k < i; k++)
            if (order[k]->interval.first <= order[i]->interval.last &&
                order[i]->interval.first <= order[k]->interval.last)
                near[conflicts++] = order[k];
        qsort(near, (size_t)conflicts, sizeof *near, by_offset);
        place_item(arena, dims, order[i], near, conflicts);
        *total = plan_upper(dims, *total, order[i]->end);
    }
    return plan_reference(arena, dims, *total);
}

int64_t plan_lower_bound(Arena *arena, DimTable *dims, const Interval *intervals, int count) {
    int last = 0;
    for (int i = 0; i < count; i++)
        if (intervals[i].last > last) last = intervals[i].last;
    int64_t *alive = NEW_ARRAY(arena, (size_t)last + 2, int64_t);
    for (int i = 0; i < count; i++) {
        int64_t bytes = plan_reference(arena, dims, intervals[i].bytes);
        alive[intervals[i].first] += bytes;
        alive[intervals[i].last + 1] -= bytes;
    }
    int64_t most = 0, now = 0;
    for (int i = 0; i <= last; i++) {
        now += alive[i];
        if (now > most) most = now;
    }
    return most;
}

/* ---- many buffers: a heap in time ---- */

typedef struct Gap {
    const Dim *offset, *bytes;
} Gap;

typedef struct Heap {
    Arena *arena;
    DimTable *dims;
    VECTOR(Gap) gaps; /* by offset; neighbours do not touch */
    const Dim *top;
} Heap;

static void heap_remove(Heap *h, int at) {
    for (int i = at; i + 1 < h->gaps.count; i++) h->gaps.data[i] = h->gaps.data[i + 1];
    h->gaps.count--;
}

/* The lowest gap that is provably large enough, else the top. */
static const Dim *heap_take(Heap *h, const Dim *bytes) {
    for (int i = 0; i < h->gaps.count; i++) {
        Gap *g = &h->gaps.data[i];
        if (!provably_le(bytes, g->bytes)) continue;
        const Dim *offset = g->offset;
        if (g->bytes == bytes) {
            heap_remove(h, i);
        } else {
            g->offset = plan_need(dim_add(h->dims, offset, bytes));
            g->bytes = plan_need(dim_sub(h->dims, g->bytes, bytes));
        }
        return offset;
    }
    const Dim *offset = h->top;
    if (h->gaps.count) {
        const Gap *last = &vector_last(&h->gaps);
        const Dim *end = plan_need(dim_add(h->dims, last->offset, last->bytes));
        if (end == h->top && provably_le(last->bytes, bytes)) {
            offset = last->offset;
            h->gaps.count--;
        }
    }
    h->top = plan_need(dim_add(h->dims, offset, bytes));
    return offset;
}

static void heap_give(Heap *h, const Item *item) {
    int at = h->gaps.count;
    vector_push(h->arena, &h->gaps, ((Gap){0}));
    /* Offsets of what is alive or free at one time are ordered at all dims, so at the reference. */
    for (; at > 0; at--) {
        if (plan_reference(h->arena, h->dims, h->gaps.data[at - 1].offset) < item->at) break;
        h->gaps.data[at] = h->gaps.data[at - 1];
    }
    Gap *g = &h->gaps.data[at];
    *g = (Gap){item->offset, item->bytes};
    if (at + 1 < h->gaps.count && item->end == g[1].offset) {
        g->bytes = plan_need(dim_add(h->dims, g->bytes, g[1].bytes));
        heap_remove(h, at + 1);
    }
    if (at > 0 && dim_add(h->dims, g[-1].offset, g[-1].bytes) == g->offset) {
        g[-1].bytes = plan_need(dim_add(h->dims, g[-1].bytes, g->bytes));
        heap_remove(h, at);
    }
}

static int by_death(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->interval.last != y->interval.last) return x->interval.last < y->interval.last ? -1 : 1;
    return by_size(a, b);
}

/* Items [0, count) of `order` from `base` up; the first of them is the first to be born. */
static const Dim *heap_pack(Arena *arena, DimTable *dims, Item **order, int count,
                            const Dim *base) {
    Heap h = {arena, dims, {0}, base};
    Item **dying = NEW_ARRAY(arena, (size_t)count, Item *);
    for (int i = 0; i < count; i++) dying[i] = order[i];
    if (count) qsort(dying, (size_t)count, sizeof *dying, by_death);
    for (int i = 0, dead = 0; i < count; i++) {
        Item *item = order[i];
        while (dying[dead]->interval.last < item->interval.first) heap_give(&h, dying[dead++]);
        item->offset = heap_take(&h, item->bytes);
        item->end = plan_need(dim_add(dims, item->offset, item->bytes));
        item->at = plan_reference(arena, dims, item->offset);
    }
    return h.top;
}

void plan_pack(Arena *arena, DimTable *dims, const Interval *intervals, int count, Place *places,
               const Dim **total, int64_t *reference) {
    *total = dim_const(dims, 0);
    *reference = 0;
    if (!count) return;
    Item *items = NEW_ARRAY(arena, (size_t)count, Item);
    Item **order = NEW_ARRAY(arena, (size_t)count, Item *);
    Item **near = NEW_ARRAY(arena, (size_t)count, Item *);
    int64_t exact = 0, plain = 0;
    for (int i = 0; i < count; i++) {
        exact += plan_reference(arena, dims, intervals[i].bytes);
        items[i].bytes = round_terms(dims, intervals[i].bytes, PLAN_ALIGNMENT);
        if (!items[i].bytes) /* one opaque monomial that is not negative */
            items[i].bytes =
                plan_need(dim_max(dims, plan_round(dims, intervals[i].bytes), dim_const(dims, 0)));
        plain += plan_reference(arena, dims, items[i].bytes);
    }
    /* Where rounding costs, buffers of few bytes per unit of a dim are aligned to 8 bytes only. */
    bool tight = plain - exact > exact / 50;
    for (int i = 0; i < count; i++) {
        items[i].interval = intervals[i];
        int64_t bytes = plan_reference(arena, dims, intervals[i].bytes);
        int64_t rounded = plan_reference(arena, dims, items[i].bytes), constant;
        const Dim *close = round_terms(dims, intervals[i].bytes, 8);
        if (tight && close && rounded - bytes > bytes / 50 &&
            !dim_is_const(intervals[i].bytes, &constant)) {
            items[i].bytes = close;
            items[i].small = true;
        }
        items[i].size = plan_reference(arena, dims, items[i].bytes);
        order[i] = &items[i];
    }
    if (count > MANY) {
        qsort(order, (size_t)count, sizeof *order, by_birth);
        int large = 0; /* small ones come last */
        while (large < count && !order[large]->small) large++;
        *total = heap_pack(arena, dims, order, large, *total);
        *total = heap_pack(arena, dims, order + large, count - large, *total);
        *reference = plan_reference(arena, dims, *total);
        for (int i = 0; i < count; i++)
            places[items[i].interval.id] = (Place){items[i].offset, items[i].bytes};
        return;
    }
    int (*const orders[])(const void *, const void *) = {by_size, by_birth, by_area};
    int best = 0, tries = count <= SEVERAL ? 3 : 1;
    int64_t smallest = INT64_MAX;
    for (int i = 0; i < tries; i++) {
        qsort(order, (size_t)count, sizeof *order, orders[i]);
        int64_t top = pack_in_order(arena, dims, order, count, near, total);
        if (top < smallest) {
            smallest = top;
            best = i;
        }
    }
    if (best != tries - 1) {
        qsort(order, (size_t)count, sizeof *order, orders[best]);
        pack_in_order(arena, dims, order, count, near, total);
    }
    for (int i = 0; i < count; i++)
        places[items[i].interval.id] = (Place){items[i].offset, items[i].bytes};
    *reference = smallest;
}
