/* What is known about dims: bounds, divisibility, equalities, and the proofs that use them.
 *
 * A proof never guesses: dim_prove_nonnegative answers true only for what holds under every
 * assignment that obeys the facts.  Facts that name a symbol narrow or resolve that symbol; all
 * others are kept as polynomials and used by the proofs. */
#include "types/dim_internal.h"

/* ---- intervals: INT64_MIN and INT64_MAX stand for the infinities ---- */

typedef struct Interval {
    int64_t lower, upper;
} Interval;

static int64_t clamp_wide(__int128 value) {
    return value >= INT64_MAX ? INT64_MAX : value <= INT64_MIN ? INT64_MIN : (int64_t)value;
}

static int64_t end_multiply(int64_t a, int64_t b) {
    return a == 0 || b == 0 ? 0 : clamp_wide((__int128)a * b);
}

static Interval interval_multiply(Interval a, Interval b) {
    int64_t p[4] = {end_multiply(a.lower, b.lower), end_multiply(a.lower, b.upper),
                    end_multiply(a.upper, b.lower), end_multiply(a.upper, b.upper)};
    Interval r = {p[0], p[0]};
    for (int i = 1; i < 4; i++) {
        if (p[i] < r.lower) r.lower = p[i];
        if (p[i] > r.upper) r.upper = p[i];
    }
    return r;
}

static Interval interval_add(Interval a, Interval b) {
    Interval r;
    r.lower = a.lower == INT64_MIN || b.lower == INT64_MIN
                  ? INT64_MIN
                  : clamp_wide((__int128)a.lower + b.lower);
    r.upper = a.upper == INT64_MAX || b.upper == INT64_MAX
                  ? INT64_MAX
                  : clamp_wide((__int128)a.upper + b.upper);
    return r;
}

static int64_t end_floordiv(int64_t a, int64_t b) {
    if (a == INT64_MIN || a == INT64_MAX) return b == INT64_MAX ? (a < 0 ? -1 : 0) : a;
    if (b == INT64_MAX) return a < 0 ? -1 : 0;
    return floor_divide(a, b);
}

static Interval interval_of(const Dim *d);

static Interval atom_interval(const DimAtom *atom) {
    switch (atom->kind) {
    case DIM_ATOM_SYMBOL: return (Interval){atom->symbol->lower, atom->symbol->upper};
    case DIM_ATOM_MAX: {
        Interval a = interval_of(atom->left), b = interval_of(atom->right);
        return (Interval){a.lower > b.lower ? a.lower : b.lower,
                          a.upper > b.upper ? a.upper : b.upper};
    }
    case DIM_ATOM_FLOORDIV: {
        Interval a = interval_of(atom->left), b = interval_of(atom->right);
        if (b.lower < 1) b.lower = 1;
        int64_t low = end_floordiv(a.lower, a.lower < 0 ? b.lower : b.upper);
        int64_t high = a.upper == INT64_MAX
                           ? INT64_MAX
                           : end_floordiv(a.upper, a.upper < 0 ? b.upper : b.lower);
        return (Interval){low, high};
    }
    }
    return (Interval){INT64_MIN, INT64_MAX};
}

static Interval term_interval(const DimTerm *t) {
    Interval r = {t->coefficient, t->coefficient};
    for (int i = 0; i < t->factor_count; i++) {
        Interval a = atom_interval(t->factors[i].atom), power = a;
        for (int k = 1; k < t->factors[i].power; k++) power = interval_multiply(power, a);
        if (t->factors[i].power % 2 == 0 && power.lower < 0) power.lower = 0;
        r = interval_multiply(r, power);
    }
    return r;
}

static Interval interval_of(const Dim *d) {
    Interval r = {0, 0};
    for (int i = 0; i < d->term_count; i++) r = interval_add(r, term_interval(&d->terms[i]));
    return r;
}

void dim_bounds(const Dim *d, int64_t *lower, int64_t *upper) {
    if (dim_is_const(d, lower)) {
        *upper = *lower;
        return;
    }
    Interval r = d ? interval_of(d) : (Interval){INT64_MIN, INT64_MAX};
    *lower = r.lower;
    *upper = r.upper;
}

/* ---- proofs ---- */

/* The atom's coefficient where it occurs once, alone and linearly, and in no other
 * atom's inside. */
static int64_t linear_coefficient(const Dim *d, const DimAtom *atom) {
    int64_t coefficient = 0;
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        for (int j = 0; j < t->factor_count; j++) {
            if (t->factors[j].atom != atom) continue;
            if (t->factor_count > 1 || t->factors[j].power > 1) return 0;
            coefficient = t->coefficient;
        }
    }
    return coefficient;
}

static const DimAtom *find_atom(const Dim *d, DimAtomKind kind) {
    for (int i = 0; i < d->term_count; i++)
        for (int j = 0; j < d->terms[i].factor_count; j++)
            if (d->terms[i].factors[j].atom->kind == kind) return d->terms[i].factors[j].atom;
    return NULL;
}

static bool has_atom(const Dim *d, const DimAtom *atom) {
    for (int i = 0; i < d->term_count; i++)
        for (int j = 0; j < d->terms[i].factor_count; j++)
            if (d->terms[i].factors[j].atom == atom) return true;
    return false;
}

/* d, which has symbols only, with every symbol N written as N' + lower(N): then all atoms that are
 * symbols are >= 0. */
static const Dim *shift_symbols(DimTable *table, const Dim *d) {
    const Dim *shifted = d;
    for (int i = 0; i < table->symbols.count && shifted; i++) {
        const SymbolEntry *e = table->symbols.data[i];
        if (e->symbol.lower == 0 || e->symbol.lower == INT64_MIN) continue;
        if (!has_atom(shifted, &e->atom->atom)) continue;
        Polynomial p = {0};
        polynomial_add(table, &p, dim_of_atom(table, &e->atom->atom), 1);
        polynomial_add_term(table, &p, e->symbol.lower, 0, NULL);
        shifted = dim_replace_atom(table, shifted, &e->atom->atom, polynomial_finish(table, &p));
    }
    return shifted;
}

/* Every symbol stands for its distance from its lower bound: upper bounds shrink by as much. */
static bool shifted_nonnegative(const Dim *d) {
    Interval total = {0, 0};
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        Interval r = {t->coefficient, t->coefficient};
        for (int j = 0; j < t->factor_count; j++) {
            Interval a = atom_interval(t->factors[j].atom);
            if (t->factors[j].atom->kind == DIM_ATOM_SYMBOL && a.lower != INT64_MIN) {
                if (a.upper != INT64_MAX) a.upper = clamp_wide((__int128)a.upper - a.lower);
                a.lower = 0;
            } else if (t->factors[j].atom->kind != DIM_ATOM_SYMBOL) {
                return false;
            }
            for (int k = 0; k < t->factors[j].power; k++) r = interval_multiply(r, a);
        }
        total = interval_add(total, r);
    }
    return total.lower >= 0;
}

/* Shifting loses nothing where there are no floors and maxes, and gains nothing where no symbols
 * are multiplied: the interval is exact then. */
static bool shifting_helps(const Dim *d) {
    bool product = false;
    for (int i = 0; i < d->term_count; i++)
        product = product || d->terms[i].factor_count > 1 ||
                  (d->terms[i].factor_count && d->terms[i].factors[0].power > 1);
    return product && !find_atom(d, DIM_ATOM_FLOORDIV) && !find_atom(d, DIM_ATOM_MAX);
}

static bool prove_by_floor(DimTable *table, const Dim *d, int depth) {
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        if (t->factor_count != 1 || t->factors[0].atom->kind != DIM_ATOM_FLOORDIV) continue;
        const DimAtom *atom = t->factors[0].atom;
        int64_t c = linear_coefficient(d, atom), k, scaled;
        if (c == 0 || !dim_is_const(atom->right, &k)) continue;
        /* k*floor(p/k) >= p - k + 1 and <= p; exact: = p.  Multiply d by k and replace. */
        Polynomial p = {0};
        polynomial_add(table, &p, d, k);
        if (!checked_mul(c, k, &scaled)) return false;
        polynomial_add(table, &p, dim_of_atom(table, atom), -scaled);
        polynomial_add(table, &p, atom->left, c);
        if (c > 0 && !atom_entry(atom)->exact) {
            int64_t slack;
            if (!checked_mul(c, 1 - k, &slack)) return false;
            polynomial_add_term(table, &p, slack, 0, NULL);
        }
        const Dim *relaxed = polynomial_finish(table, &p);
        if (relaxed && dim_prove_nonnegative(table, relaxed, depth - 1)) return true;
    }
    return false;
}

bool dim_prove_nonnegative(DimTable *table, const Dim *d, int depth) {
    int64_t value;
    if (!d) return false;
    if (dim_is_const(d, &value)) return value >= 0;
    if (interval_of(d).lower >= 0) return true;
    if (shifting_helps(d)) {
        const Dim *shifted = shift_symbols(table, d);
        if (shifted && shifted_nonnegative(shifted)) return true;
    }
    if (depth <= 0) return false;
    const DimAtom *maximum = find_atom(d, DIM_ATOM_MAX);
    if (maximum) {
        const Dim *left = dim_replace_atom(table, d, maximum, maximum->left);
        const Dim *right = dim_replace_atom(table, d, maximum, maximum->right);
        bool one = dim_prove_nonnegative(table, left, depth - 1);
        if (one && linear_coefficient(d, maximum) > 0) return true;
        bool other = dim_prove_nonnegative(table, right, depth - 1);
        if (other && linear_coefficient(d, maximum) > 0) return true;
        if (one && other) return true;
    }
    if (prove_by_floor(table, d, depth)) return true;
    for (int i = 0; i < table->nonnegative.count; i++) {
        const Dim *fact = dim_canonical(table, table->nonnegative.data[i]);
        if (!fact || !fact->term_count) continue;
        int64_t scale = 1, c = 0;
        for (int j = 0; j < d->term_count; j++)
            if (term_compare(&d->terms[j], &fact->terms[0]) == 0) c = d->terms[j].coefficient;
        if (c % fact->terms[0].coefficient == 0 && c / fact->terms[0].coefficient > 0)
            scale = c / fact->terms[0].coefficient;
        Polynomial p = {0};
        polynomial_add(table, &p, d, 1);
        polynomial_add(table, &p, fact, -scale);
        const Dim *rest = polynomial_finish(table, &p);
        if (rest && dim_prove_nonnegative(table, rest, depth - 2)) return true;
    }
    return false;
}

/* Is d a constant multiple of something known to be zero? */
static bool known_zero(DimTable *table, const Dim *d) {
    for (int i = 0; i < table->zero.count; i++) {
        const Dim *fact = dim_canonical(table, table->zero.data[i]);
        const Dim *q = fact && fact->term_count ? dim_divide_exact(table, d, fact) : NULL;
        if (q) return true;
    }
    return false;
}

DimTruth dim_equal(DimTable *table, const Dim *a, const Dim *b) {
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    if (!a || !b) return DIM_UNKNOWN;
    if (a == b) return DIM_YES;
    const Dim *d = dim_sub(table, a, b);
    if (!d) return DIM_UNKNOWN;
    int64_t value, g = 0, constant = 0;
    if (dim_is_const(d, &value)) return value == 0 ? DIM_YES : DIM_NO;
    for (int i = 0; i < d->term_count; i++) {
        if (d->terms[i].factor_count)
            g = dim_gcd(g, d->terms[i].coefficient);
        else
            constant = d->terms[i].coefficient;
    }
    if (constant % g != 0) return DIM_NO;
    const Dim *one = dim_const(table, 1);
    if (dim_prove_nonnegative(table, dim_sub(table, d, one), 3) ||
        dim_prove_nonnegative(table, dim_sub(table, dim_neg(table, d), one), 3))
        return DIM_NO;
    return known_zero(table, d) ? DIM_YES : DIM_UNKNOWN;
}

static bool is_one_product(const Dim *d) {
    return d && d->term_count == 1 && d->terms[0].factor_count > 0;
}

bool dim_equal_if_empty(DimTable *table, const Dim *a, const Dim *b) {
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    return is_one_product(a) && is_one_product(b) && is_one_product(dim_sub(table, a, b));
}

bool dim_at_most(DimTable *table, const Dim *a, const Dim *b) {
    const Dim *d = dim_sub(table, b, a);
    int64_t value;
    if (!d) return false;
    if (dim_is_const(d, &value)) return value >= 0;
    DimRemembered *r = dim_remembered(table, DIM_OPERATION_AT_MOST, a, b);
    if (dim_recalls(table, r, DIM_OPERATION_AT_MOST, a, b)) return r->result.holds;
    bool holds = dim_prove_nonnegative(table, d, 3);
    *r = (DimRemembered){a, b, DIM_OPERATION_AT_MOST, table->fact_count, {.holds = holds}};
    return holds;
}

DimTruth dim_less_equal(DimTable *table, const Dim *a, const Dim *b) {
    if (dim_at_most(table, a, b)) return DIM_YES;
    const Dim *next = dim_add(table, b, dim_const(table, 1));
    return next && dim_at_most(table, next, a) ? DIM_NO : DIM_UNKNOWN;
}

/* ---- assumptions ---- */

bool dim_is_linear(const Dim *d, const DimSymbol **symbol, int64_t *scale, int64_t *offset) {
    if (d->term_count == 0 || d->term_count > 2) return false;
    const DimTerm *t = &d->terms[0];
    *offset = 0;
    if (d->term_count == 2) {
        if (d->terms[1].factor_count) return false;
        *offset = d->terms[1].coefficient;
    }
    if (t->factor_count != 1 || t->factors[0].power != 1) return false;
    const DimAtom *atom = t->factors[0].atom;
    int64_t k = 1;
    *symbol = atom->kind == DIM_ATOM_SYMBOL ? atom->symbol : atom_exact_symbol(atom, &k);
    *scale = t->coefficient / k;
    return *symbol && t->coefficient % k == 0;
}

static bool resolve_atom(DimTable *table, const DimAtom *atom, const Dim *by) {
    AtomEntry *e = table->atoms.data[atom->index];
    if (!by) return false;
    e->resolved = by;
    table->resolved_count++;
    table->fact_count++;
    return true;
}

static bool narrow_symbol(DimTable *table, const DimSymbol *symbol, int64_t lower, int64_t upper) {
    DimSymbol *s = &table->symbols.data[symbol->index]->symbol;
    table->fact_count++;
    if (lower > s->lower) s->lower = lower;
    if (upper < s->upper) s->upper = upper;
    if (s->lower > s->upper) return false;
    const AtomEntry *atom = table->symbols.data[symbol->index]->atom;
    if (s->lower == s->upper && !atom->resolved)
        return resolve_atom(table, &atom->atom, dim_const(table, s->lower));
    return true;
}

bool dim_assume_bounds(DimTable *table, const Dim *d, int64_t lower, int64_t upper) {
    d = dim_canonical(table, d);
    if (!d || lower > upper) return false;
    Interval known = interval_of(d);
    if (known.lower > upper || known.upper < lower) return false;
    const DimSymbol *symbol;
    int64_t scale, offset;
    if (dim_is_linear(d, &symbol, &scale, &offset) && scale != INT64_MIN) {
        /* lower <= scale*N + offset <= upper */
        bool has_lower = lower != INT64_MIN, has_upper = upper != INT64_MAX;
        __int128 low = (__int128)lower - offset, high = (__int128)upper - offset;
        if (scale < 0) {
            __int128 swap = -low;
            low = -high;
            high = swap;
            bool had = has_lower;
            has_lower = has_upper;
            has_upper = had;
            scale = -scale;
        }
        int64_t from = INT64_MIN, to = INT64_MAX;
        if (has_lower) from = clamp_wide(low >= 0 ? (low + scale - 1) / scale : -((-low) / scale));
        if (has_upper) to = clamp_wide(high >= 0 ? high / scale : -((-high + scale - 1) / scale));
        return narrow_symbol(table, symbol, from, to);
    }
    table->fact_count++;
    if (lower != INT64_MIN) {
        const Dim *fact = dim_sub(table, d, dim_const(table, lower));
        if (fact && fact->term_count) vector_push(table->arena, &table->nonnegative, fact);
    }
    if (upper != INT64_MAX) {
        const Dim *fact = dim_sub(table, dim_const(table, upper), d);
        if (fact && fact->term_count) vector_push(table->arena, &table->nonnegative, fact);
    }
    return true;
}

bool dim_assume_divisible(DimTable *table, const Dim *d, int64_t k) {
    d = dim_canonical(table, d);
    if (!d || k <= 0) return false;
    int64_t rest, scale, offset;
    if (k == 1 || dim_is(dim_mod(table, d, dim_const(table, k)), 0)) return true;
    if (dim_is_const(d, &rest)) return rest % k == 0;
    const DimSymbol *symbol;
    if (!dim_is_linear(d, &symbol, &scale, &offset) || scale == INT64_MIN || offset != 0) {
        table->fact_count++;
        vector_push(table->arena, &table->divisible, ((Divisibility){d, k}));
        return true;
    }
    /* scale*N % k == 0  <=>  N % (k / gcd(scale, k)) == 0 */
    k /= dim_gcd(scale, k);
    const AtomEntry *plain = table->symbols.data[symbol->index]->atom;
    const DimAtom *previous = NULL;
    int64_t old = 1;
    if (plain->resolved) {
        const Dim *now = dim_canonical(table, dim_of_atom(table, &plain->atom));
        if (now->term_count != 1 || now->terms[0].factor_count != 1) return true;
        previous = now->terms[0].factors[0].atom;
        if (!atom_exact_symbol(previous, &old)) return true;
        if (!checked_mul(old / dim_gcd(old, k), k, &k)) return false;
    }
    /* The bounds move to multiples of k: an atom floor(N/k) of a multiple is exact. */
    int64_t low = symbol->lower, high = symbol->upper;
    if (high != INT64_MAX) high = floor_divide(high, k) * k;
    if (low > 0) low = low > INT64_MAX - k ? low : floor_divide(low + k - 1, k) * k;
    if (low > high) return false;
    AtomEntry *exact = dim_atom(table, DIM_ATOM_FLOORDIV, dim_of_atom(table, &plain->atom),
                                dim_const(table, k), true);
    const Dim *quotient = dim_of_atom(table, &exact->atom);
    if (previous && !resolve_atom(table, previous, dim_scale(table, quotient, k / old)))
        return false;
    if (!resolve_atom(table, &plain->atom, dim_scale(table, quotient, k))) return false;
    DimSymbol *s = &table->symbols.data[symbol->index]->symbol;
    table->fact_count++;
    s->lower = low;
    s->upper = high;
    return true;
}

int64_t dim_symbol_divisor(const DimTable *table, const DimSymbol *symbol) {
    const Dim *now = table->symbols.data[symbol->index]->atom->resolved;
    int64_t divisor = 1;
    /* Each further divisibility resolves the exact atom of the one before. */
    while (now && now->term_count == 1 && now->terms[0].factor_count == 1) {
        const DimAtom *atom = now->terms[0].factors[0].atom;
        int64_t k;
        if (atom_exact_symbol(atom, &k) != symbol) break;
        divisor = k;
        now = atom_entry(atom)->resolved;
    }
    return divisor;
}

static bool mentions(const Dim *d, const DimAtom *atom) {
    for (int i = 0; i < d->term_count; i++) {
        for (int j = 0; j < d->terms[i].factor_count; j++) {
            const DimAtom *a = d->terms[i].factors[j].atom;
            if (a == atom) return true;
            if (a->kind != DIM_ATOM_SYMBOL && (mentions(a->left, atom) || mentions(a->right, atom)))
                return true;
        }
    }
    return false;
}

bool dim_symbol_is_free(const DimTable *table, const DimSymbol *symbol) {
    const AtomEntry *atom = table->symbols.data[symbol->index]->atom;
    if (atom->resolved) return false;
    for (int i = 0; i < table->nonnegative.count; i++)
        if (mentions(table->nonnegative.data[i], &atom->atom)) return false;
    for (int i = 0; i < table->zero.count; i++)
        if (mentions(table->zero.data[i], &atom->atom)) return false;
    for (int i = 0; i < table->divisible.count; i++)
        if (mentions(table->divisible.data[i].dim, &atom->atom)) return false;
    return true;
}

bool dim_assume_equal(DimTable *table, const Dim *a, const Dim *b) {
    const Dim *d = dim_sub(table, a, b);
    if (!d) return false;
    int64_t value;
    if (dim_is_const(d, &value)) return value == 0;
    if (dim_equal(table, a, b) == DIM_NO) return false;
    const DimSymbol *symbol;
    int64_t scale, offset;
    if (dim_is_linear(d, &symbol, &scale, &offset) && offset != INT64_MIN) {
        if (-offset % scale != 0) return false;
        return narrow_symbol(table, symbol, -offset / scale, -offset / scale);
    }
    /* The youngest symbol that can be isolated is written by the others. */
    for (int i = table->symbols.count - 1; i >= 0; i--) {
        const DimAtom *atom = &table->symbols.data[i]->atom->atom;
        int64_t c = linear_coefficient(d, atom);
        if (c != 1 && c != -1) continue;
        Polynomial p = {0};
        polynomial_add(table, &p, d, -c);
        polynomial_add(table, &p, dim_of_atom(table, atom), 1);
        const Dim *rest = polynomial_finish(table, &p);
        if (!rest || mentions(rest, atom)) continue;
        const DimSymbol *s = atom->symbol;
        int64_t low = s->lower, high = s->upper;
        return resolve_atom(table, atom, rest) && dim_assume_bounds(table, rest, low, high);
    }
    table->fact_count++;
    vector_push(table->arena, &table->zero, d);
    return true;
}
