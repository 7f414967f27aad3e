/* Packing: offsets of buffers with lifetimes in one arena.
 *
 * Input: intervals with symbolic sizes.  Output: offsets, valid for all values of the symbols.
 * Buffers are placed one by one, in several orders, into the lowest gap that is provably large
 * enough; the order whose arena is smallest at the reference dims wins.  A gap that cannot be
 * proved is not used. */
#include "plan/internal.h"

#include <stdlib.h>

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

/* Every positive coefficient to the next multiple of 64: larger than plan_round, but a plain
 * polynomial, which proofs and readers of the output like better.  NULL when a term is not plain.
 */
static const Dim *round_terms(Arena *arena, DimTable *dims, const Dim *bytes) {
    const Dim *sum = bytes;
    for (int i = 0; i < bytes->term_count; i++) {
        const DimTerm *t = &bytes->terms[i];
        int64_t rest = t->coefficient % PLAN_ALIGNMENT;
        if (!rest) continue;
        if (t->coefficient < 0) return NULL;
        for (int f = 0; f < t->factor_count; f++)
            if (t->factors[f].atom->kind != DIM_ATOM_SYMBOL) return NULL;
        /* The term's monomial alone, as a dim. */
        DimTerm *unit = NEW(arena, DimTerm);
        *unit = (DimTerm){PLAN_ALIGNMENT - rest, t->factor_count, t->factors};
        Dim *more = NEW(arena, Dim);
        *more = (Dim){1, unit, 0};
        sum = dim_add(dims, sum, more);
    }
    return sum;
}

typedef struct Item {
    Interval interval;
    const Dim *bytes, *offset, *end;
    int64_t size, at, top; /* at the reference dims */
} Item;

static int by_size(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    if (x->interval.first != y->interval.first)
        return x->interval.first < y->interval.first ? -1 : 1;
    return x->interval.id - y->interval.id;
}
static int by_birth(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    if (x->interval.first != y->interval.first)
        return x->interval.first < y->interval.first ? -1 : 1;
    return by_size(a, b);
}
static int by_area(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
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

static bool provably_le(DimTable *dims, const Dim *a, const Dim *b) {
    return a == b || dim_less_equal(dims, a, b) == DIM_YES;
}

/* Places `item` among the conflicting ones, which are sorted by offset. */
static void place_item(DimTable *dims, Item *item, Item **near, int count) {
    const Dim *at = dim_const(dims, 0);
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (value + item->size <= near[i]->at && item->size > 0) {
            const Dim *end = plan_need(dim_add(dims, at, item->bytes));
            bool fits = true;
            for (int k = i; k < count && fits; k++) fits = provably_le(dims, end, near[k]->offset);
            if (fits) break;
        }
        if (near[i]->top > value) {
            if (provably_le(dims, at, near[i]->end))
                at = near[i]->end;
            else
                at = plan_need(dim_max(dims, at, near[i]->end));
            value = near[i]->top;
        } else if (!provably_le(dims, near[i]->end, at)) {
            at = plan_need(dim_max(dims, at, near[i]->end));
        }
    }
    item->offset = at;
    item->end = plan_need(dim_add(dims, at, item->bytes));
    item->at = value;
    item->top = value + item->size;
}

static int64_t pack_in_order(DimTable *dims, Item **order, int count, Item **near,
                             const Dim **total) {
    int64_t top = 0;
    *total = dim_const(dims, 0);
    for (int i = 0; i < count; i++) {
        int conflicts = 0;
        for (int k = 0; k < i; k++)
            if (order[k]->interval.first <= order[i]->interval.last &&
                order[i]->interval.first <= order[k]->interval.last)
                near[conflicts++] = order[k];
        qsort(near, (size_t)conflicts, sizeof *near, by_offset);
        place_item(dims, order[i], near, conflicts);
        const Dim *end = order[i]->end;
        if (provably_le(dims, *total, end))
            *total = end;
        else if (!provably_le(dims, end, *total))
            *total = plan_need(dim_max(dims, *total, end));
        if (order[i]->top > top) top = order[i]->top;
    }
    return top;
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
        const Dim *rounded = round_terms(arena, dims, intervals[i].bytes);
        exact += plan_reference(arena, dims, intervals[i].bytes);
        plain += rounded ? plan_reference(arena, dims, rounded) : INT64_MAX / 8 / count;
    }
    bool use_plain = plain - exact <= exact / 50;
    for (int i = 0; i < count; i++) {
        const Dim *rounded = use_plain ? round_terms(arena, dims, intervals[i].bytes) : NULL;
        items[i].interval = intervals[i];
        items[i].bytes = rounded ? rounded : plan_round(dims, intervals[i].bytes);
        items[i].size = plan_reference(arena, dims, items[i].bytes);
        order[i] = &items[i];
    }
    int (*const orders[])(const void *, const void *) = {by_size, by_birth, by_area};
    int best = 0, tries = count <= 600 ? 3 : 1;
    int64_t smallest = INT64_MAX;
    for (int i = 0; i < tries; i++) {
        qsort(order, (size_t)count, sizeof *order, orders[i]);
        int64_t top = pack_in_order(dims, order, count, near, total);
        if (top < smallest) {
            smallest = top;
            best = i;
        }
    }
    if (best != tries - 1) {
        qsort(order, (size_t)count, sizeof *order, orders[best]);
        pack_in_order(dims, order, count, near, total);
    }
    for (int i = 0; i < count; i++)
        places[items[i].interval.id] = (Place){items[i].offset, items[i].bytes};
    *reference = smallest;
}
