/* How large the numbers of a kernel's index arithmetic get: may 32 bits hold them?
 *
 * Input: a finished kernel.  Output: a dim over its symbols that no index, offset, bound of a loop
 * or part of one exceeds in size.  Coefficients are taken by their absolute values, and of two
 * bounds the larger coefficient of every term: symbols are not negative, so the result holds for
 * both.  NULL where nothing is promised: a number that memory holds and no check has seen. */
#include "kernel/internal.h"

typedef struct Width {
    IndexTable *table;
    DimTable *dims;
    const Kernel *kernel;
    const Dim *bound; /* of all so far; NULL: none */
} Width;

static const Dim *size_of(Width *w, const Dim *d);
static const Dim *divided(Width *w, const Dim *size, const Dim *divisor);
static void take(Width *w, const Dim *size);

/* factor * atom.  What is divided is a number of its own; a multiple of a quotient is hardly more
 * than what was divided. */
static const Dim *times_dim_atom(Width *w, const Dim *factor, const DimAtom *a) {
    switch (a->kind) {
    case DIM_ATOM_SYMBOL: return dim_mul(w->dims, factor, dim_of_symbol(w->dims, a->symbol));
    case DIM_ATOM_FLOORDIV:
        take(w, size_of(w, a->left));
        return divided(w, dim_mul(w->dims, factor, size_of(w, a->left)), a->right);
    case DIM_ATOM_MAX:
        return dim_mul(w->dims, factor,
                       dim_add(w->dims, size_of(w, a->left), size_of(w, a->right)));
    }
    return NULL;
}

/* A term with its coefficient's absolute value. */
static const Dim *term_size(Width *w, const DimTerm *t) {
    if (t->coefficient == INT64_MIN) return NULL;
    const Dim *d = dim_const(w->dims, t->coefficient < 0 ? -t->coefficient : t->coefficient);
    for (int i = 0; i < t->factor_count; i++)
        for (int k = 0; k < t->factors[i].power; k++) d = times_dim_atom(w, d, t->factors[i].atom);
    return d;
}

/* |d| <= size_of(d), a sum of symbols' products with coefficients that are not negative. */
static const Dim *size_of(Width *w, const Dim *d) {
    const Dim *sum = d ? dim_const(w->dims, 0) : NULL;
    for (int i = 0; d && i < d->term_count; i++)
        sum = dim_add(w->dims, sum, term_size(w, &d->terms[i]));
    return sum;
}

/* size / divisor, with every coefficient rounded up. */
static const Dim *divided(Width *w, const Dim *size, const Dim *divisor) {
    int64_t by;
    if (!size || !dim_is_const(divisor, &by) || by <= 1) return size;
    const Dim *sum = dim_const(w->dims, 0);
    for (int i = 0; i < size->term_count; i++) {
        DimTerm t = size->terms[i];
        t.coefficient = t.coefficient / by + (t.coefficient % by != 0);
        sum = dim_add(w->dims, sum, dim_of_term(w->dims, &t));
    }
    return sum;
}

/* Both are sizes: their terms stand as they are (a symbol that is known to be even may be twice a
 * quotient, which is not to be taken apart again). */
static const Dim *larger(Width *w, const Dim *a, const Dim *b) {
    const Dim *more = dim_sub(w->dims, b, a), *sum = more ? a : NULL;
    for (int i = 0; more && i < more->term_count; i++)
        if (more->terms[i].coefficient > 0)
            sum = dim_add(w->dims, sum, dim_of_term(w->dims, &more->terms[i]));
    return sum;
}

static void take(Width *w, const Dim *size) {
    w->bound = larger(w, w->bound, size);
}

static const Dim *index_size(Width *w, const Index *a);

/* factor * atom, as above. */
static const Dim *times_atom(Width *w, const Dim *factor, const IndexAtom *a) {
    const Dim *left = a->left ? index_size(w, a->left) : NULL;
    switch (a->kind) {
    case ATOM_AXIS:
    case ATOM_VALUE: return size_of(w, dim_mul(w->dims, factor, a->extent));
    case ATOM_FLOORDIV:
        take(w, left);
        take(w, size_of(w, a->divisor));
        return divided(w, dim_mul(w->dims, factor, left), a->divisor);
    case ATOM_MOD: take(w, left); return size_of(w, dim_mul(w->dims, factor, a->divisor));
    case ATOM_MIN:
    case ATOM_MAX: return dim_mul(w->dims, factor, larger(w, left, index_size(w, a->right)));
    }
    return NULL;
}

static const Dim *index_size(Width *w, const Index *a) {
    const Dim *sum = size_of(w, a->constant);
    for (int i = 0; i < a->count; i++)
        sum =
            dim_add(w->dims, sum, times_atom(w, size_of(w, a->terms[i].factor), a->terms[i].atom));
    return sum;
}

static void take_index(Width *w, const Index *a) {
    if (a) take(w, index_size(w, a));
}

static void take_access(Width *w, int slot, const Index *const *indices, int count) {
    const Slot *s = &w->kernel->slots.data[slot];
    for (int i = 0; i < count; i++) take_index(w, indices[i]);
    take_index(w, index_offset(w->table, s->layout, &s->shape, indices));
}

static void take_guard(Width *w, const Guard *guard) {
    for (int i = 0; guard && i < guard->count; i++) {
        const Test *t = &guard->tests[i];
        take_index(w, t->value);
        if (t->lower) take(w, size_of(w, t->lower));
        if (t->upper) take(w, size_of(w, t->upper));
    }
}

static void take_expr(Width *w, const Expr *e) {
    take_index(w, e->index);
    if (e->kind == EXPR_LOAD) take_access(w, e->slot, e->indices, e->index_count);
    take_guard(w, e->guard);
    for (int i = 0; i < e->arg_count; i++) take_expr(w, e->args[i]);
}

/* The ends of a sorted run. */
static void take_searched(Width *w, const Stmt *s) {
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < s->index_count; i++) at[i] = s->indices[i];
    for (int end = 0; end < 2; end++) {
        at[s->index_count] = end ? s->end : s->begin;
        take_access(w, s->slot, at, s->index_count + 1);
    }
}

static void take_statement(Width *w, const Stmt *s) {
    take_index(w, s->begin);
    take_index(w, s->end);
    take_guard(w, s->guard);
    if (s->value) take_expr(w, s->value);
    if (s->position) take_expr(w, s->position);
    if (s->kind == STMT_LOOP) take(w, size_of(w, w->kernel->axes.data[s->axis].extent));
    if (s->kind == STMT_STORE) take_access(w, s->slot, s->indices, s->index_count);
    if (s->kind == STMT_RANK) take_searched(w, s);
    if (s->kind == STMT_ARGSORT) take_index(w, s->argsort->count);
    for (int i = 0; i < s->body.count; i++) take_statement(w, s->body.data[i]);
}

const Dim *kernel_index_size(const KernelProgram *program, const Kernel *kernel) {
    DimTable *dims = index_dims(program->indices);
    Width width = {program->indices, dims, kernel, dim_const(dims, 0)};
    const Dim *tiles = dim_const(dims, 1);
    for (int i = 0; i < kernel->tiles.count; i++)
        tiles = dim_mul(dims, tiles, size_of(&width, kernel->tiles.data[i].count));
    take(&width, tiles);
    take_statement(&width, kernel->body);
    return width.bound;
}
