/* Printing, evaluation and substitution of dims, and shapes.
 *
 * An exact atom floor(N/k) is spelled by its symbol wherever its coefficient allows: 8*floor(N/8)
 * prints as N, is recognised as the symbol N, and substitutes as N. */
#include "types/dim_internal.h"

const DimSymbol *dim_as_symbol(const Dim *d) {
    const DimSymbol *symbol;
    int64_t scale, offset;
    if (!d || !dim_is_linear(d, &symbol, &scale, &offset)) return NULL;
    return scale == 1 && offset == 0 ? symbol : NULL;
}

/* Takes k out of the coefficient, so that k*floor(N/k) can be written N. */
static const DimSymbol *take_exact(const DimAtom *atom, int64_t *coefficient) {
    int64_t k;
    const DimSymbol *symbol = atom_exact_symbol(atom, &k);
    if (!symbol || *coefficient % k != 0) return NULL;
    *coefficient /= k;
    return symbol;
}

static bool dim_is_simple(const Dim *d) {
    int64_t value;
    return (dim_is_const(d, &value) && value >= 0) || dim_as_symbol(d);
}

static void print_grouped(Text *out, const Dim *d) {
    bool simple = dim_is_simple(d);
    if (!simple) text_char(out, '(');
    dim_print(out, d);
    if (!simple) text_char(out, ')');
}

static void print_atom(Text *out, const DimAtom *atom, bool alone) {
    switch (atom->kind) {
    case DIM_ATOM_SYMBOL: text_append(out, atom->symbol->name->text); break;
    case DIM_ATOM_FLOORDIV:
        if (!alone) text_char(out, '(');
        print_grouped(out, atom->left);
        text_append(out, "//");
        print_grouped(out, atom->right);
        if (!alone) text_char(out, ')');
        break;
    case DIM_ATOM_MAX:
        text_append(out, "max(");
        dim_print(out, atom->left);
        text_append(out, ", ");
        dim_print(out, atom->right);
        text_char(out, ')');
        break;
    }
}

/* Unsigned, so that every int64 has one. */
static void print_magnitude(Text *out, int64_t c) {
    if (c == INT64_MIN)
        text_append(out, "9223372036854775808");
    else
        text_integer(out, c < 0 ? -c : c);
}

/* One term without its sign. */
static void print_term(Text *out, const DimTerm *t) {
    int64_t c = t->coefficient;
    int factors = 0;
    if (!t->factor_count) {
        print_magnitude(out, c);
        return;
    }
    Text body = text_new(out->arena);
    int total = 0;
    for (int i = 0; i < t->factor_count; i++) total += t->factors[i].power;
    for (int i = 0; i < t->factor_count; i++) {
        for (int k = 0; k < t->factors[i].power; k++) {
            const DimAtom *atom = t->factors[i].atom;
            const DimSymbol *symbol = take_exact(atom, &c);
            if (factors++) text_char(&body, '*');
            if (symbol)
                text_append(&body, symbol->name->text);
            else
                print_atom(&body, atom, total == 1 && (c == 1 || c == -1));
        }
    }
    if (c != 1 && c != -1) {
        print_magnitude(out, c);
        text_char(out, '*');
    }
    text_append(out, body.data);
}

void dim_print(Text *out, const Dim *d) {
    if (!d) {
        text_append(out, "overflow");
        return;
    }
    if (d->term_count == 0) text_char(out, '0');
    /* A positive term first, if there is one: N - 1, 3 - N. */
    int first = 0;
    while (first < d->term_count && d->terms[first].coefficient < 0) first++;
    if (first == d->term_count) first = 0;
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i == 0 ? first : i <= first ? i - 1 : i];
        bool negative = t->coefficient < 0;
        if (i > 0)
            text_append(out, negative ? " - " : " + ");
        else if (negative)
            text_char(out, '-');
        print_term(out, t);
    }
}

/* ---- evaluation ---- */

static bool evaluate_atom(const DimAtom *atom, const int64_t *symbols, int64_t *out) {
    if (atom->kind == DIM_ATOM_SYMBOL) {
        *out = symbols[atom->symbol->index];
        return true;
    }
    int64_t a, b;
    if (!dim_evaluate(atom->left, symbols, &a) || !dim_evaluate(atom->right, symbols, &b))
        return false;
    if (atom->kind == DIM_ATOM_MAX) {
        *out = a > b ? a : b;
        return true;
    }
    if (b <= 0) return false;
    *out = floor_divide(a, b);
    return true;
}

bool dim_evaluate(const Dim *d, const int64_t *symbols, int64_t *out) {
    if (!d) return false;
    int64_t sum = 0;
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        int64_t product = t->coefficient, value;
        for (int j = 0; j < t->factor_count; j++) {
            if (!evaluate_atom(t->factors[j].atom, symbols, &value)) return false;
            for (int k = 0; k < t->factors[j].power; k++)
                if (!checked_mul(product, value, &product)) return false;
        }
        if (!checked_add(sum, product, &sum)) return false;
    }
    *out = sum;
    return true;
}

/* ---- substitution ---- */

static const Dim *substitute_atom(DimTable *table, const DimAtom *atom,
                                  const Dim *const *replacement) {
    if (atom->kind == DIM_ATOM_SYMBOL) {
        const Dim *by = replacement[atom->symbol->index];
        return by ? by : dim_of_atom(table, atom);
    }
    const Dim *left = dim_substitute(table, atom->left, replacement);
    const Dim *right = dim_substitute(table, atom->right, replacement);
    if (left == atom->left && right == atom->right) return dim_of_atom(table, atom);
    return atom->kind == DIM_ATOM_MAX ? dim_max(table, left, right)
                                      : dim_floordiv(table, left, right);
}

const Dim *dim_substitute(DimTable *table, const Dim *d, const Dim *const *replacement) {
    if (!d) return NULL;
    const Dim *sum = dim_const(table, 0);
    for (int i = 0; i < d->term_count && sum; i++) {
        const DimTerm *t = &d->terms[i];
        int64_t c = t->coefficient;
        const Dim *product = dim_const(table, 1);
        for (int j = 0; j < t->factor_count; j++) {
            for (int k = 0; k < t->factors[j].power && product; k++) {
                const DimSymbol *exact = take_exact(t->factors[j].atom, &c);
                const Dim *by;
                if (exact)
                    by = replacement[exact->index]
                             ? replacement[exact->index]
                             : dim_of_atom(table, &table->symbols.data[exact->index]->atom->atom);
                else
                    by = substitute_atom(table, t->factors[j].atom, replacement);
                product = dim_mul(table, product, by);
            }
        }
        sum = dim_add(table, sum, dim_mul(table, product, dim_const(table, c)));
    }
    return dim_canonical(table, sum);
}

/* ---- shapes ---- */

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

const Dim *shape_elements(DimTable *table, const Shape *s) {
    const Dim *product = dim_const(table, 1);
    for (int i = 0; i < s->rank; i++) product = dim_mul(table, product, s->dims[i]);
    return product;
}

void shape_print(Text *out, const Shape *s) {
    text_char(out, '[');
    for (int i = 0; i < s->rank; i++) {
        if (i) text_append(out, ", ");
        dim_print(out, s->dims[i]);
    }
    text_char(out, ']');
}

Shape shape_of(int rank, const Dim *const *dims) {
    Shape s = {.rank = rank};
    for (int i = 0; i < rank; i++) s.dims[i] = dims[i];
    return s;
}
