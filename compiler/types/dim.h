/* Symbolic dimensions.
 *
 * A Dim is an integer expression over named symbols (each >= 0) in normal form: a polynomial with
 * int64 coefficients over monomials of atoms, where an atom is a symbol or floor(p / k), or a
 * max(p, q) of two dims (made only by plans and `ceil`-like shapes).  Dims are hash-consed in a
 * DimTable: equal normal forms <=> equal pointers.  Nested floors merge: floor(floor(p/a)/b) =
 * floor(p/(ab)), multiples come out: floor((k*a + r)/k) = a + floor(r/k).  Constants fold.
 * Arithmetic is checked: an operation that overflows int64 returns NULL, and every operation maps
 * NULL to NULL; so does a product of more than DIM_MOST_DEGREE atoms, which overflows where they
 * are 2.  Atoms stand inside of atoms, so a dim may be short as a graph and too long to walk or to
 * print: whoever makes dims for a program asks dim_is_short. */
#ifndef NNC_TYPES_DIM_H
#define NNC_TYPES_DIM_H

#include "base/text.h"

enum { DIM_MOST_DEGREE = 256, DIM_MOST_PARTS = 10000 };

typedef struct Dim Dim; /* immutable */
typedef struct DimTable DimTable;

/* A symbol: N, T, ...; `hint` is its printed name.  Two symbols with one hint are still two. */
typedef struct DimSymbol {
    Name name;
    int index;     /* position in the table */
    int64_t lower; /* known bounds, inclusive: from `where`; default 0 .. INT64_MAX */
    int64_t upper;
} DimSymbol;

DimTable *dim_table_new(Arena *arena);
const Dim *dim_symbol(DimTable *table, Name name); /* a fresh symbol each call */
const Dim *dim_const(DimTable *table, int64_t value);
const Dim *dim_add(DimTable *table, const Dim *a, const Dim *b);
const Dim *dim_sub(DimTable *table, const Dim *a, const Dim *b);
const Dim *dim_mul(DimTable *table, const Dim *a, const Dim *b);
const Dim *dim_neg(DimTable *table, const Dim *a);
/* Floor division and Python's modulo; b must be provably > 0, else NULL. */
const Dim *dim_floordiv(DimTable *table, const Dim *a, const Dim *b);
const Dim *dim_mod(DimTable *table, const Dim *a, const Dim *b);
/* a / by, rounded up; by > 0. */
const Dim *dim_ceildiv(DimTable *table, const Dim *a, int64_t by);
const Dim *dim_max(DimTable *table, const Dim *a, const Dim *b);

/* a / b when b divides a exactly as polynomials (view(-1)); NULL when it cannot be shown. */
const Dim *dim_divide_exact(DimTable *table, const Dim *a, const Dim *b);

const DimSymbol *dim_as_symbol(const Dim *d); /* NULL unless it is one symbol alone */

/* Facts: what `where` states.  They narrow bounds, substitute N = k*N' (dim_assume_divisible
 * rewrites later normal forms), and unify symbols.  Return false when the fact contradicts what is
 * known. */
bool dim_assume_bounds(DimTable *table, const Dim *d, int64_t lower, int64_t upper);
bool dim_assume_divisible(DimTable *table, const Dim *d, int64_t k);
bool dim_assume_equal(DimTable *table, const Dim *a, const Dim *b);

/* Is nothing known of the symbol but its bounds?  Then it may stand for any other such symbol. */
bool dim_symbol_is_free(const DimTable *table, const DimSymbol *symbol);

/* The normal form under the facts known now: later facts make older dims stale, and two stale dims
 * may be equal without being one pointer (dim_equal sees through that). */
const Dim *dim_refresh(DimTable *table, const Dim *d);

typedef enum DimTruth { DIM_NO, DIM_YES, DIM_UNKNOWN } DimTruth;
DimTruth dim_equal(DimTable *table, const Dim *a, const Dim *b); /* by algebra and bounds */
/* Are they different multiples of one product of names, such as 10 N and 12 N?  Then they are equal
 * where that is 0 only. */
bool dim_equal_if_empty(DimTable *table, const Dim *a, const Dim *b);
DimTruth dim_less_equal(DimTable *table, const Dim *a, const Dim *b);
/* Is a <= b known?  For who does not ask whether the contrary is. */
bool dim_at_most(DimTable *table, const Dim *a, const Dim *b);
/* Interval of the value under the known bounds (INT64_MIN/MAX when unbounded). */
void dim_bounds(const Dim *d, int64_t *lower, int64_t *upper);

/* Value under an assignment of every symbol, indexed by DimSymbol.index; false on overflow. */
bool dim_evaluate(const Dim *d, const int64_t *symbols, int64_t *out);
/* Rewrites symbols: replacement[i] for symbol i (NULL keeps it). */
const Dim *dim_substitute(DimTable *table, const Dim *d, const Dim *const *replacement);

/* Written out, is it of DIM_MOST_PARTS atoms and constants at most? */
bool dim_is_short(const Dim *d);
/* The sum of the coefficients without their signs; INT64_MAX when that overflows. */
int64_t dim_weight(const Dim *d);

/* Structure, for emitters: sum of `term_count` terms, each coefficient * product of atom^power. */
typedef enum DimAtomKind { DIM_ATOM_SYMBOL, DIM_ATOM_FLOORDIV, DIM_ATOM_MAX } DimAtomKind;
typedef struct DimAtom {
    DimAtomKind kind;
    const DimSymbol *symbol; /* SYMBOL */
    const Dim *left, *right; /* FLOORDIV: left / right;  MAX: max(left, right) */
    int index;               /* creation order, for deterministic sorting */
} DimAtom;
typedef struct DimFactor {
    const DimAtom *atom;
    int power;
} DimFactor;
typedef struct DimTerm {
    int64_t coefficient;
    int factor_count;
    const DimFactor *factors;
} DimTerm;
struct Dim {
    int term_count; /* 0: the constant zero */
    uint32_t hash;
    const DimTerm *terms; /* sorted; the constant term (factor_count 0) last */
};

static inline bool dim_is_const(const Dim *d, int64_t *value) {
    if (!d || d->term_count > 1 || (d->term_count && d->terms[0].factor_count)) return false;
    *value = d->term_count ? d->terms[0].coefficient : 0;
    return true;
}
static inline bool dim_is(const Dim *d, int64_t value) {
    int64_t v = 0;
    return dim_is_const(d, &v) && v == value;
}
/* The largest k that `N % k == 0` facts state of a symbol; 1 if there is none. */
int64_t dim_symbol_divisor(const DimTable *table, const DimSymbol *symbol);
int dim_symbol_count(const DimTable *table);
const DimSymbol *dim_symbol_at(const DimTable *table, int index);
const Dim *dim_of_symbol(DimTable *table, const DimSymbol *symbol); /* in normal form */
/* As they stand, whatever facts say of them. */
const Dim *dim_of_atom(DimTable *table, const DimAtom *atom);
const Dim *dim_of_term(DimTable *table, const DimTerm *term);

/* "N", "4*H", "T*N", "(H + 2*p - 3)//2 + 1". */
void dim_print(Text *out, const Dim *d);

/* ---- shapes ---- */
enum { SHAPE_MAX_RANK = 12 };
typedef struct Shape {
    int rank;
    const Dim *dims[SHAPE_MAX_RANK];
} Shape;

bool shape_equal(const Shape *a, const Shape *b);           /* pointer equality of dims */
const Dim *shape_elements(DimTable *table, const Shape *s); /* NULL on overflow */
/* "f32[N, 1, 28, 28]" needs the dtype: see type_print. */
void shape_print(Text *out, const Shape *s); /* "[N, 1, 28, 28]" */
Shape shape_of(int rank, const Dim *const *dims);

#endif
