/* What the files of the dim algebra share.  Not for other layers.
 *
 * A fact may resolve an atom: later normal forms write `resolved` instead of it.  Divisibility
 * N % k == 0 makes the *exact* atom floor(N/k), whose left side keeps the plain symbol, and
 * resolves N to k * floor(N/k).  Exact atoms are leaves: no rewriting enters them. */
#ifndef NNC_TYPES_DIM_INTERNAL_H
#define NNC_TYPES_DIM_INTERNAL_H

#include "base/vector.h"
#include "types/dim.h"

typedef struct AtomEntry {
    DimAtom atom; /* first: a DimAtom pointer is an AtomEntry pointer */
    const Dim *resolved;
    const Dim *alone; /* the atom as a dim; NULL until somebody asks */
    int parts;        /* atoms and constants when it is written out; saturated */
    bool exact;
} AtomEntry;

typedef struct SymbolEntry {
    DimSymbol symbol; /* first */
    const AtomEntry *atom;
} SymbolEntry;

typedef struct Divisibility {
    const Dim *dim;
    int64_t divisor;
} Divisibility;

/* What an operation gave lately, under the facts of then.  A miss only costs time: results are
 * hash-consed. */
typedef enum DimOperation {
    DIM_OPERATION_ADD,
    DIM_OPERATION_SUBTRACT,
    DIM_OPERATION_MULTIPLY,
    DIM_OPERATION_FLOORDIV,
    DIM_OPERATION_DIVIDE_EXACT,
    DIM_OPERATION_AT_MOST,
    DIM_OPERATION_CANONICAL /* right: the same dim */
} DimOperation;
typedef struct DimRemembered {
    const Dim *left, *right;
    DimOperation operation;
    int fact_count;
    union {
        const Dim *dim;
        bool holds; /* AT_MOST */
    } result;
} DimRemembered;

enum { SMALL_LEAST = -1, SMALL_COUNT = 258, DIM_CACHE_SIZE = 1024 };

struct DimTable {
    Arena *arena;
    const Dim
        *small[SMALL_COUNT]; /* the constants from SMALL_LEAST on, where they were asked for */
    VECTOR(AtomEntry *) atoms;
    VECTOR(SymbolEntry *) symbols;
    VECTOR(const Dim *) nonnegative; /* facts: dim >= 0 */
    VECTOR(const Dim *) zero;        /* facts: dim == 0 that could not be substituted */
    VECTOR(Divisibility) divisible;
    int resolved_count; /* atoms that a fact has resolved */
    int fact_count;     /* changes of what is known */
    const Dim **slots;  /* open addressing, power of two */
    int slot_count, dim_count;
    DimRemembered cache[DIM_CACHE_SIZE];
};

static inline const AtomEntry *atom_entry(const DimAtom *atom) {
    return (const AtomEntry *)atom;
}

/* A polynomial being built: terms in any order; `failed` after an overflow.  Few terms need no
 * memory of the arena; a Polynomial is not copied. */
enum { POLYNOMIAL_INLINE = 6 };
typedef struct Polynomial {
    VECTOR(DimTerm) terms;
    bool failed;
    DimTerm first[POLYNOMIAL_INLINE];
} Polynomial;

void polynomial_add(DimTable *table, Polynomial *p, const Dim *d, int64_t scale);
void polynomial_add_term(DimTable *table, Polynomial *p, int64_t coefficient, int factor_count,
                         const DimFactor *factors);
const Dim *polynomial_finish(DimTable *table, Polynomial *p);

/* Order of monomials: higher degree first, then lexicographic by atom index. */
int term_compare(const DimTerm *a, const DimTerm *b);
/* The place for the result of an operation on two dims, which are not NULL. */
static inline DimRemembered *dim_remembered(DimTable *table, DimOperation operation,
                                            const Dim *left, const Dim *right) {
    uint32_t hash = (left->hash * 31 + right->hash) * 31 + operation;
    return &table->cache[(hash ^ hash >> 15) % DIM_CACHE_SIZE];
}
static inline bool dim_recalls(const DimTable *table, const DimRemembered *r,
                               DimOperation operation, const Dim *left, const Dim *right) {
    return r->left == left && r->right == right && r->operation == operation &&
           r->fact_count == table->fact_count;
}
/* The canonical form under the facts known now. */
const Dim *dim_canonical(DimTable *table, const Dim *d);
AtomEntry *dim_atom(DimTable *table, DimAtomKind kind, const Dim *left, const Dim *right,
                    bool exact);
/* d with `atom` replaced; enters atoms that contain it. */
const Dim *dim_replace_atom(DimTable *table, const Dim *d, const DimAtom *atom, const Dim *by);
const Dim *dim_scale(DimTable *table, const Dim *d, int64_t scale);
/* d == scale * symbol + offset, seen through exact atoms. */
bool dim_is_linear(const Dim *d, const DimSymbol **symbol, int64_t *scale, int64_t *offset);
/* Can d >= 0 be shown?  A false answer means "not shown". */
bool dim_prove_nonnegative(DimTable *table, const Dim *d, int depth);
int64_t floor_divide(int64_t a, int64_t b);
int64_t dim_gcd(int64_t a, int64_t b);
/* The symbol under an exact atom floor(N/k), else NULL. */
const DimSymbol *atom_exact_symbol(const DimAtom *atom, int64_t *divisor);

#endif
