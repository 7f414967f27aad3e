/* The algebra of dims: hash-consed polynomials over atoms (see dim.h), in one normal form.
 *
 * Every operation first brings its operands to the form that the facts known now demand
 * (dim_canonical), so results never mix old and new spellings of one value.  All arithmetic is
 * checked; an overflow makes the whole operation NULL. */
#include "types/dim_internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

int64_t floor_divide(int64_t a, int64_t b) {
    int64_t q = a / b;
    return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

int64_t dim_gcd(int64_t a, int64_t b) {
    uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a, y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    while (y) {
        uint64_t r = x % y;
        x = y;
        y = r;
    }
    return x > INT64_MAX ? 1 : (int64_t)x;
}

DimTable *dim_table_new(Arena *arena) {
    DimTable *table = NEW(arena, DimTable);
    table->arena = arena;
    table->slot_count = 64;
    table->slots = NEW_ARRAY(arena, table->slot_count, const Dim *);
    return table;
}

/* ---- hash consing ---- */

static uint32_t hash_mix(uint32_t h, uint64_t value) {
    h = (h ^ (uint32_t)value) * 16777619u;
    h = (h ^ (uint32_t)(value >> 32)) * 16777619u;
    return h ^ (h >> 15);
}

static uint32_t terms_hash(const DimTerm *terms, int count) {
    uint32_t h = 2166136261u;
    for (int i = 0; i < count; i++) {
        h = hash_mix(h, (uint64_t)terms[i].coefficient);
        for (int j = 0; j < terms[i].factor_count; j++) {
            h = hash_mix(h, (uint64_t)terms[i].factors[j].atom->index);
            h = hash_mix(h, (uint64_t)terms[i].factors[j].power);
        }
    }
    return h;
}

static int term_degree(const DimTerm *t) {
    int degree = 0;
    for (int i = 0; i < t->factor_count; i++) degree += t->factors[i].power;
    return degree;
}

int term_compare(const DimTerm *a, const DimTerm *b) {
    int da = term_degree(a), db = term_degree(b);
    if (da != db) return da > db ? -1 : 1;
    for (int i = 0; i < a->factor_count && i < b->factor_count; i++) {
        const DimFactor *x = &a->factors[i], *y = &b->factors[i];
        if (x->atom != y->atom) return x->atom->index < y->atom->index ? -1 : 1;
        if (x->power != y->power) return x->power > y->power ? -1 : 1;
    }
    return a->factor_count == b->factor_count ? 0 : (a->factor_count > b->factor_count ? -1 : 1);
}

static int term_compare_void(const void *a, const void *b) {
    return term_compare(a, b);
}

/* Polynomials are short, and mostly in order already. */
static void terms_sort(DimTerm *terms, int count) {
    if (count > 2 * POLYNOMIAL_INLINE) {
        qsort(terms, (size_t)count, sizeof *terms, term_compare_void);
        return;
    }
    for (int i = 1; i < count; i++) {
        DimTerm t = terms[i];
        int at = i;
        for (; at > 0 && term_compare(&terms[at - 1], &t) > 0; at--) terms[at] = terms[at - 1];
        terms[at] = t;
    }
}

static bool terms_equal(const DimTerm *a, const DimTerm *b, int count) {
    for (int i = 0; i < count; i++)
        if (a[i].coefficient != b[i].coefficient || term_compare(&a[i], &b[i]) != 0) return false;
    return true;
}

static void table_insert(const Dim **slots, int slot_count, const Dim *d) {
    uint32_t at = d->hash & (uint32_t)(slot_count - 1);
    while (slots[at]) at = (at + 1) & (uint32_t)(slot_count - 1);
    slots[at] = d;
}

static const Dim *table_intern(DimTable *table, const DimTerm *terms, int count) {
    uint32_t hash = terms_hash(terms, count);
    uint32_t at = hash & (uint32_t)(table->slot_count - 1);
    for (; table->slots[at]; at = (at + 1) & (uint32_t)(table->slot_count - 1)) {
        const Dim *d = table->slots[at];
        if (d->hash == hash && d->term_count == count && terms_equal(d->terms, terms, count))
            return d;
    }
    if (table->dim_count * 2 >= table->slot_count) {
        int larger = table->slot_count * 2;
        const Dim **slots = NEW_ARRAY(table->arena, larger, const Dim *);
        for (int i = 0; i < table->slot_count; i++)
            if (table->slots[i]) table_insert(slots, larger, table->slots[i]);
        table->slots = slots;
        table->slot_count = larger;
    }
    Dim *d = NEW(table->arena, Dim);
    d->term_count = count;
    d->terms = count ? arena_copy(table->arena, terms, (size_t)count * sizeof *terms) : NULL;
    d->hash = hash;
    table_insert(table->slots, table->slot_count, d);
    table->dim_count++;
    return d;
}

/* ---- polynomials ---- */

void polynomial_add_term(DimTable *table, Polynomial *p, int64_t coefficient, int factor_count,
                         const DimFactor *factors) {
    if (coefficient == 0) return;
    if (!p->terms.data) {
        p->terms.data = p->first;
        p->terms.capacity = POLYNOMIAL_INLINE;
    }
    vector_push(table->arena, &p->terms, ((DimTerm){coefficient, factor_count, factors}));
}

void polynomial_add(DimTable *table, Polynomial *p, const Dim *d, int64_t scale) {
    if (!d) {
        p->failed = true;
        return;
    }
    for (int i = 0; i < d->term_count; i++) {
        int64_t c;
        if (!checked_mul(d->terms[i].coefficient, scale, &c))
            p->failed = true;
        else
            polynomial_add_term(table, p, c, d->terms[i].factor_count, d->terms[i].factors);
    }
}

const Dim *polynomial_finish(DimTable *table, Polynomial *p) {
    if (p->failed) return NULL;
    terms_sort(p->terms.data, p->terms.count);
    int kept = 0;
    for (int i = 0; i < p->terms.count;) {
        DimTerm t = p->terms.data[i];
        int j = i + 1;
        __int128 sum = t.coefficient;
        for (; j < p->terms.count && term_compare(&t, &p->terms.data[j]) == 0; j++)
            sum += p->terms.data[j].coefficient;
        if (sum > INT64_MAX || sum < INT64_MIN) return NULL;
        t.coefficient = (int64_t)sum;
        if (sum != 0) p->terms.data[kept++] = t;
        i = j;
    }
    return table_intern(table, p->terms.data, kept);
}

/* Factors of a product of two monomials, merged by atom index. */
static bool factors_multiply(DimTable *table, const DimTerm *a, const DimTerm *b, DimTerm *out) {
    if (!checked_mul(a->coefficient, b->coefficient, &out->coefficient) ||
        term_degree(a) + term_degree(b) > DIM_MOST_DEGREE)
        return false;
    if (!a->factor_count || !b->factor_count) {
        const DimTerm *from = a->factor_count ? a : b;
        out->factor_count = from->factor_count;
        out->factors = from->factors;
        return true;
    }
    DimFactor *f = NEW_ARRAY(table->arena, (size_t)(a->factor_count + b->factor_count), DimFactor);
    int n = 0, i = 0, j = 0;
    while (i < a->factor_count || j < b->factor_count) {
        if (j == b->factor_count ||
            (i < a->factor_count && a->factors[i].atom->index < b->factors[j].atom->index)) {
            f[n++] = a->factors[i++];
        } else if (i == a->factor_count || b->factors[j].atom->index < a->factors[i].atom->index) {
            f[n++] = b->factors[j++];
        } else {
            f[n++] = (DimFactor){a->factors[i].atom, a->factors[i].power + b->factors[j].power};
            i++, j++;
        }
    }
    out->factor_count = n;
    out->factors = f;
    return true;
}

static const Dim *multiply(DimTable *table, const Dim *a, const Dim *b) {
    int64_t x, y = 0, product;
    bool constant = dim_is_const(b, &y);
    if (constant && y == 1) return a;
    if (dim_is_const(a, &x)) {
        if (x == 1) return b;
        if (constant) return checked_mul(x, y, &product) ? dim_const(table, product) : NULL;
    }
    DimRemembered *r = dim_remembered(table, DIM_OPERATION_MULTIPLY, a, b);
    if (dim_recalls(table, r, DIM_OPERATION_MULTIPLY, a, b)) return r->result.dim;
    Polynomial p = {0};
    for (int i = 0; i < a->term_count; i++) {
        for (int j = 0; j < b->term_count; j++) {
            DimTerm t;
            if (!factors_multiply(table, &a->terms[i], &b->terms[j], &t)) return NULL;
            polynomial_add_term(table, &p, t.coefficient, t.factor_count, t.factors);
        }
    }
    const Dim *result = polynomial_finish(table, &p);
    *r = (DimRemembered){a, b, DIM_OPERATION_MULTIPLY, table->fact_count, {result}};
    return result;
}

const Dim *dim_scale(DimTable *table, const Dim *d, int64_t scale) {
    Polynomial p = {0};
    polynomial_add(table, &p, d, scale);
    return polynomial_finish(table, &p);
}

/* ---- atoms ---- */

static int dim_parts(const Dim *d) {
    int64_t parts = 0;
    for (int i = 0; i < d->term_count; i++) {
        parts++;
        for (int j = 0; j < d->terms[i].factor_count; j++)
            parts += atom_entry(d->terms[i].factors[j].atom)->parts;
    }
    return parts < INT_MAX ? (int)parts : INT_MAX;
}

bool dim_is_short(const Dim *d) {
    return dim_parts(d) <= DIM_MOST_PARTS;
}

int64_t dim_weight(const Dim *d) {
    int64_t sum = 0;
    for (int i = 0; i < d->term_count; i++) {
        int64_t c = d->terms[i].coefficient;
        if (c == INT64_MIN || !checked_add(sum, c < 0 ? -c : c, &sum)) return INT64_MAX;
    }
    return sum;
}

AtomEntry *dim_atom(DimTable *table, DimAtomKind kind, const Dim *left, const Dim *right,
                    bool exact) {
    if (kind != DIM_ATOM_SYMBOL) {
        for (int i = 0; i < table->atoms.count; i++) {
            AtomEntry *e = table->atoms.data[i];
            if (e->atom.kind == kind && e->atom.left == left && e->atom.right == right) {
                e->exact |= exact;
                return e;
            }
        }
    }
    AtomEntry *e = NEW(table->arena, AtomEntry);
    e->atom = (DimAtom){kind, NULL, left, right, table->atoms.count};
    e->exact = exact;
    int64_t parts = 1 + (left ? (int64_t)dim_parts(left) : 0) + (right ? dim_parts(right) : 0);
    e->parts = parts < INT_MAX ? (int)parts : INT_MAX;
    vector_push(table->arena, &table->atoms, e);
    return e;
}

const Dim *dim_of_atom(DimTable *table, const DimAtom *atom) {
    AtomEntry *e = table->atoms.data[atom->index];
    if (!e->alone) {
        DimFactor *f = NEW(table->arena, DimFactor);
        *f = (DimFactor){atom, 1};
        e->alone = table_intern(table, &(DimTerm){1, 1, f}, 1);
    }
    return e->alone;
}

const Dim *dim_of_term(DimTable *table, const DimTerm *term) {
    return table_intern(table, term, term->coefficient != 0);
}

const Dim *dim_symbol(DimTable *table, Name name) {
    AtomEntry *atom = dim_atom(table, DIM_ATOM_SYMBOL, NULL, NULL, false);
    SymbolEntry *entry = NEW(table->arena, SymbolEntry);
    entry->symbol = (DimSymbol){name, table->symbols.count, 0, INT64_MAX};
    entry->atom = atom;
    atom->atom.symbol = &entry->symbol;
    vector_push(table->arena, &table->symbols, entry);
    return dim_of_atom(table, &atom->atom);
}

const Dim *dim_of_symbol(DimTable *table, const DimSymbol *symbol) {
    return dim_canonical(table,
                         dim_of_atom(table, &table->symbols.data[symbol->index]->atom->atom));
}

int dim_symbol_count(const DimTable *table) {
    return table->symbols.count;
}

const DimSymbol *dim_symbol_at(const DimTable *table, int index) {
    return &table->symbols.data[index]->symbol;
}

const DimSymbol *atom_exact_symbol(const DimAtom *atom, int64_t *divisor) {
    if (atom->kind != DIM_ATOM_FLOORDIV || !atom_entry(atom)->exact) return NULL;
    const Dim *left = atom->left;
    if (left->term_count != 1 || left->terms[0].coefficient != 1 ||
        left->terms[0].factor_count != 1)
        return NULL;
    const DimFactor *f = &left->terms[0].factors[0];
    if (f->power != 1 || f->atom->kind != DIM_ATOM_SYMBOL || !dim_is_const(atom->right, divisor))
        return NULL;
    return f->atom->symbol;
}

/* Rewrites every atom that a fact resolved, or `from` where it is given, by substitution. */
static const Dim *rewrite(DimTable *table, const Dim *d, const DimAtom *from, const Dim *by);

static const Dim *rewrite_atom(DimTable *table, const DimAtom *atom, const DimAtom *from,
                               const Dim *by) {
    if (atom == from) return by;
    const AtomEntry *e = atom_entry(atom);
    if (!from && e->resolved) return rewrite(table, e->resolved, NULL, NULL);
    if (e->exact || atom->kind == DIM_ATOM_SYMBOL) return dim_of_atom(table, atom);
    const Dim *left = rewrite(table, atom->left, from, by);
    const Dim *right = rewrite(table, atom->right, from, by);
    if (!left || !right) return NULL;
    if (left == atom->left && right == atom->right) return dim_of_atom(table, atom);
    return atom->kind == DIM_ATOM_MAX ? dim_max(table, left, right)
                                      : dim_floordiv(table, left, right);
}

static const Dim *rewrite(DimTable *table, const Dim *d, const DimAtom *from, const Dim *by) {
    if (!d) return NULL;
    Polynomial p = {0};
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        const Dim *product = dim_const(table, t->coefficient);
        for (int j = 0; j < t->factor_count && product; j++) {
            const Dim *atom = rewrite_atom(table, t->factors[j].atom, from, by);
            if (!atom) return NULL;
            for (int k = 0; k < t->factors[j].power && product; k++)
                product = multiply(table, product, atom);
        }
        polynomial_add(table, &p, product, 1);
    }
    return polynomial_finish(table, &p);
}

const Dim *dim_canonical(DimTable *table, const Dim *d) {
    int64_t value;
    if (table->resolved_count == 0 || !d || dim_is_const(d, &value)) return d;
    DimRemembered *r = dim_remembered(table, DIM_OPERATION_CANONICAL, d, d);
    if (dim_recalls(table, r, DIM_OPERATION_CANONICAL, d, d)) return r->result.dim;
    const Dim *result = rewrite(table, d, NULL, NULL);
    *r = (DimRemembered){d, d, DIM_OPERATION_CANONICAL, table->fact_count, {result}};
    return result;
}

const Dim *dim_refresh(DimTable *table, const Dim *d) {
    return dim_canonical(table, d);
}

const Dim *dim_replace_atom(DimTable *table, const Dim *d, const DimAtom *atom, const Dim *by) {
    return rewrite(table, d, atom, by);
}

/* ---- arithmetic ---- */

const Dim *dim_const(DimTable *table, int64_t value) {
    if (value < SMALL_LEAST || value >= SMALL_LEAST + SMALL_COUNT)
        return table_intern(table, &(DimTerm){value, 0, NULL}, 1);
    const Dim **known = &table->small[value - SMALL_LEAST];
    if (!*known) *known = table_intern(table, &(DimTerm){value, 0, NULL}, value != 0);
    return *known;
}

/* a + scale * b, where the scale is 1 or -1. */
static const Dim *combine(DimTable *table, const Dim *a, const Dim *b, int64_t scale) {
    int64_t x, y, sum;
    if (!a || !b) return NULL;
    if (dim_is_const(a, &x) && dim_is_const(b, &y)) {
        bool fits = scale > 0 ? checked_add(x, y, &sum) : checked_sub(x, y, &sum);
        return fits ? dim_const(table, sum) : NULL;
    }
    DimOperation operation = scale > 0 ? DIM_OPERATION_ADD : DIM_OPERATION_SUBTRACT;
    DimRemembered *r = dim_remembered(table, operation, a, b);
    if (dim_recalls(table, r, operation, a, b)) return r->result.dim;
    Polynomial p = {0};
    polynomial_add(table, &p, dim_canonical(table, a), 1);
    polynomial_add(table, &p, dim_canonical(table, b), scale);
    const Dim *result = polynomial_finish(table, &p);
    *r = (DimRemembered){a, b, operation, table->fact_count, {result}};
    return result;
}

const Dim *dim_add(DimTable *table, const Dim *a, const Dim *b) {
    return combine(table, a, b, 1);
}

const Dim *dim_sub(DimTable *table, const Dim *a, const Dim *b) {
    return combine(table, a, b, -1);
}

const Dim *dim_neg(DimTable *table, const Dim *a) {
    return dim_scale(table, dim_canonical(table, a), -1);
}

const Dim *dim_mul(DimTable *table, const Dim *a, const Dim *b) {
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    return a && b ? multiply(table, a, b) : NULL;
}

/* One step of polynomial division: the monomial a / b, if it is one with an integer coefficient. */
static bool term_divide(DimTable *table, const DimTerm *a, const DimTerm *b, DimTerm *out) {
    if ((b->coefficient == -1 && a->coefficient == INT64_MIN) || a->coefficient % b->coefficient)
        return false;
    out->coefficient = a->coefficient / b->coefficient;
    DimFactor *f = NEW_ARRAY(table->arena, (size_t)a->factor_count + 1, DimFactor);
    int n = 0, j = 0;
    for (int i = 0; i < a->factor_count; i++) {
        int power = a->factors[i].power;
        if (j < b->factor_count && b->factors[j].atom == a->factors[i].atom)
            power -= b->factors[j++].power;
        if (power < 0) return false;
        if (power > 0) f[n++] = (DimFactor){a->factors[i].atom, power};
    }
    out->factor_count = n;
    out->factors = f;
    return j == b->factor_count;
}

/* a = quotient * b + remainder, dividing every term that the leading term of b divides. */
static bool divide_polynomial(DimTable *table, const Dim *a, const Dim *b, const Dim **quotient,
                              const Dim **remainder) {
    Polynomial q = {0}, r = {0};
    while (a && a->term_count) {
        DimTerm t;
        Polynomial rest = {0};
        if (term_divide(table, &a->terms[0], &b->terms[0], &t)) {
            polynomial_add_term(table, &q, t.coefficient, t.factor_count, t.factors);
            const Dim *product = multiply(table, table_intern(table, &t, 1), b);
            polynomial_add(table, &rest, a, 1);
            polynomial_add(table, &rest, product, -1);
        } else {
            polynomial_add_term(table, &r, a->terms[0].coefficient, a->terms[0].factor_count,
                                a->terms[0].factors);
            polynomial_add(table, &rest, a, 1);
            Polynomial head = {0};
            polynomial_add_term(table, &head, a->terms[0].coefficient, a->terms[0].factor_count,
                                a->terms[0].factors);
            polynomial_add(table, &rest, polynomial_finish(table, &head), -1);
        }
        a = polynomial_finish(table, &rest);
    }
    if (!a) return false;
    *quotient = polynomial_finish(table, &q);
    *remainder = polynomial_finish(table, &r);
    return *quotient && *remainder;
}

static const Dim *divide_exact(DimTable *table, const Dim *a, const Dim *b) {
    const Dim *q, *r;
    if (divide_polynomial(table, a, b, &q, &r) && r->term_count == 0) return q;
    if (dim_is(dim_mod(table, a, b), 0)) return dim_floordiv(table, a, b);
    return NULL;
}

const Dim *dim_divide_exact(DimTable *table, const Dim *a, const Dim *b) {
    int64_t x, y;
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    if (!a || !b || b->term_count == 0) return NULL;
    if (dim_is_const(a, &x) && dim_is_const(b, &y) && y > 0)
        return x % y ? NULL : dim_const(table, x / y);
    DimRemembered *r = dim_remembered(table, DIM_OPERATION_DIVIDE_EXACT, a, b);
    if (dim_recalls(table, r, DIM_OPERATION_DIVIDE_EXACT, a, b)) return r->result.dim;
    const Dim *result = divide_exact(table, a, b);
    *r = (DimRemembered){a, b, DIM_OPERATION_DIVIDE_EXACT, table->fact_count, {result}};
    return result;
}

/* floor(d / k) of a polynomial whose coefficients are in [0, k), k > 1. */
static const Dim *floor_reduced(DimTable *table, const Dim *d, int64_t k) {
    int64_t constant = 0, g = k, lower, upper;
    dim_bounds(d, &lower, &upper);
    if (lower != INT64_MIN && upper != INT64_MAX &&
        floor_divide(lower, k) == floor_divide(upper, k))
        return dim_const(table, floor_divide(lower, k));
    int variable = d->term_count;
    if (variable && d->terms[variable - 1].factor_count == 0)
        constant = d->terms[--variable].coefficient;
    for (int i = 0; i < variable; i++) g = dim_gcd(g, d->terms[i].coefficient);
    if (g > 1) {
        Polynomial p = {0};
        for (int i = 0; i < variable; i++)
            polynomial_add_term(table, &p, d->terms[i].coefficient / g, d->terms[i].factor_count,
                                d->terms[i].factors);
        polynomial_add_term(table, &p, constant / g, 0, NULL);
        return dim_floordiv(table, polynomial_finish(table, &p), dim_const(table, k / g));
    }
    /* floor((floor(p / a) + c) / k) = floor((p + a*c) / (a*k)) */
    if (variable == 1 && d->terms[0].coefficient == 1 && d->terms[0].factor_count == 1 &&
        d->terms[0].factors[0].power == 1) {
        const DimAtom *atom = d->terms[0].factors[0].atom;
        int64_t a, shift, product;
        if (atom->kind == DIM_ATOM_FLOORDIV && !atom_entry(atom)->exact &&
            dim_is_const(atom->right, &a)) {
            if (!checked_mul(a, constant, &shift) || !checked_mul(a, k, &product)) return NULL;
            return dim_floordiv(table, dim_add(table, atom->left, dim_const(table, shift)),
                                dim_const(table, product));
        }
    }
    return dim_of_atom(table,
                       &dim_atom(table, DIM_ATOM_FLOORDIV, d, dim_const(table, k), false)->atom);
}

static const Dim *floor_by_constant(DimTable *table, const Dim *a, int64_t k) {
    if (k == 1) return a;
    Polynomial quotient = {0}, rest = {0};
    for (int i = 0; i < a->term_count; i++) {
        const DimTerm *t = &a->terms[i];
        int64_t q = floor_divide(t->coefficient, k);
        polynomial_add_term(table, &quotient, q, t->factor_count, t->factors);
        polynomial_add_term(table, &rest, t->coefficient - q * k, t->factor_count, t->factors);
    }
    const Dim *r = polynomial_finish(table, &rest);
    if (r && r->term_count) polynomial_add(table, &quotient, floor_reduced(table, r, k), 1);
    return polynomial_finish(table, &quotient);
}

static const Dim *floordiv(DimTable *table, const Dim *a, const Dim *b) {
    int64_t k;
    if (dim_is_const(b, &k)) return k > 0 ? floor_by_constant(table, a, k) : NULL;
    if (!dim_prove_nonnegative(table, dim_sub(table, b, dim_const(table, 1)), 3)) return NULL;
    const Dim *q, *r;
    if (!divide_polynomial(table, a, b, &q, &r)) return NULL;
    if (r->term_count == 0) return q;
    const Dim *one = dim_const(table, 1);
    if (dim_prove_nonnegative(table, r, 3) &&
        dim_prove_nonnegative(table, dim_sub(table, dim_sub(table, b, r), one), 3))
        return q;
    if (dim_prove_nonnegative(table, dim_sub(table, dim_neg(table, r), one), 3) &&
        dim_prove_nonnegative(table, dim_add(table, b, r), 3))
        return dim_sub(table, q, one);
    return dim_add(table, q,
                   dim_of_atom(table, &dim_atom(table, DIM_ATOM_FLOORDIV, r, b, false)->atom));
}

const Dim *dim_floordiv(DimTable *table, const Dim *a, const Dim *b) {
    int64_t x, k;
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    if (!a || !b) return NULL;
    if (dim_is_const(a, &x) && dim_is_const(b, &k))
        return k > 0 ? dim_const(table, floor_divide(x, k)) : NULL;
    DimRemembered *r = dim_remembered(table, DIM_OPERATION_FLOORDIV, a, b);
    if (dim_recalls(table, r, DIM_OPERATION_FLOORDIV, a, b)) return r->result.dim;
    const Dim *result = floordiv(table, a, b);
    *r = (DimRemembered){a, b, DIM_OPERATION_FLOORDIV, table->fact_count, {result}};
    return result;
}

const Dim *dim_mod(DimTable *table, const Dim *a, const Dim *b) {
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    int64_t k;
    if (dim_is_const(b, &k) && k > 0 && a) {
        for (int i = 0; i < table->divisible.count; i++) {
            const Divisibility *fact = &table->divisible.data[i];
            const Dim *known = dim_canonical(table, fact->dim);
            int64_t rest;
            if (fact->divisor % k == 0 && dim_is_const(dim_sub(table, a, known), &rest))
                return dim_const(table, rest - k * floor_divide(rest, k));
        }
    }
    return dim_sub(table, a, dim_mul(table, b, dim_floordiv(table, a, b)));
}

const Dim *dim_ceildiv(DimTable *table, const Dim *a, int64_t by) {
    return dim_floordiv(table, dim_add(table, a, dim_const(table, by - 1)), dim_const(table, by));
}

const Dim *dim_max(DimTable *table, const Dim *a, const Dim *b) {
    a = dim_canonical(table, a);
    b = dim_canonical(table, b);
    if (!a || !b) return NULL;
    if (dim_at_most(table, a, b)) return b;
    if (dim_at_most(table, b, a)) return a;
    /* max(x + p, x + q) = x + max(p, q): the terms that both share come out. */
    Polynomial common = {0};
    for (int i = 0, j = 0; i < a->term_count && j < b->term_count;) {
        int order = term_compare(&a->terms[i], &b->terms[j]);
        if (order == 0 && a->terms[i].coefficient == b->terms[j].coefficient)
            polynomial_add_term(table, &common, a->terms[i].coefficient, a->terms[i].factor_count,
                                a->terms[i].factors);
        i += order <= 0;
        j += order >= 0;
    }
    const Dim *shared = polynomial_finish(table, &common);
    if (!shared) return NULL;
    if (shared->term_count)
        return dim_add(table, shared,
                       dim_max(table, dim_sub(table, a, shared), dim_sub(table, b, shared)));
    bool swap = false;
    for (int i = 0;; i++) {
        if (i == a->term_count || i == b->term_count) {
            swap = a->term_count < b->term_count;
            break;
        }
        int order = term_compare(&a->terms[i], &b->terms[i]);
        if (order == 0 && a->terms[i].coefficient != b->terms[i].coefficient)
            order = a->terms[i].coefficient > b->terms[i].coefficient ? -1 : 1;
        if (order != 0) {
            swap = order > 0;
            break;
        }
    }
    return dim_of_atom(table,
                       &dim_atom(table, DIM_ATOM_MAX, swap ? b : a, swap ? a : b, false)->atom);
}
