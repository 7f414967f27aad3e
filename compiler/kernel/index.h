/* Index algebra: integer expressions over loop axes, with dims as coefficients.
 *
 * An Index is constant + sum of factor * atom, in normal form and hash-consed in an IndexTable, so
 * equal normal forms are equal pointers, and the stride of an offset along an axis is a
 * coefficient. Atoms: a loop axis; floordiv or mod of an Index by a Dim (> 0); min or max of two;
 * an integer value computed at run time (an Expr: gathered row numbers, clamped starts). Floordiv
 * and mod are simplified with the axes' ranges (0 <= axis < extent). */
#ifndef NNC_KERNEL_INDEX_H
#define NNC_KERNEL_INDEX_H

#include "base/vector.h"
#include "types/dim.h"

typedef struct Index Index;
typedef struct IndexTable IndexTable;

typedef enum AtomKind {
    ATOM_AXIS,
    ATOM_FLOORDIV,
    ATOM_MOD,
    ATOM_MIN,
    ATOM_MAX,
    ATOM_VALUE
} AtomKind;
typedef struct IndexAtom {
    AtomKind kind;
    int id;                   /* order of creation */
    int axis;                 /* AXIS: in Kernel.axes */
    const Dim *extent;        /* AXIS: 0 <= axis < extent.  VALUE: the same promise, or NULL */
    const Index *left;        /* FLOORDIV, MOD, MIN, MAX */
    const Dim *divisor;       /* FLOORDIV, MOD */
    const Index *right;       /* MIN, MAX */
    const struct Expr *value; /* VALUE: of dtype i64 */
} IndexAtom;

typedef struct IndexTerm {
    const Dim *factor;
    const IndexAtom *atom;
} IndexTerm;

struct Index {
    const Dim *constant;
    int count;
    const IndexTerm *terms;
    uint32_t hash;
};

IndexTable *index_table_new(Arena *arena, DimTable *dims);
DimTable *index_dims(IndexTable *table);

const Index *index_dim(IndexTable *table, const Dim *d);
const Index *index_const(IndexTable *table, int64_t value);
const Index *index_axis(IndexTable *table, int axis, const Dim *extent);
const Index *index_value(IndexTable *table, const struct Expr *value, const Dim *extent);
const Index *index_add(IndexTable *table, const Index *a, const Index *b);
const Index *index_sub(IndexTable *table, const Index *a, const Index *b);
const Index *index_scale(IndexTable *table, const Index *a, const Dim *factor);
const Index *index_floordiv(IndexTable *table, const Index *a, const Dim *divisor);
const Index *index_mod(IndexTable *table, const Index *a, const Dim *divisor);
const Index *index_min(IndexTable *table, const Index *a, const Index *b);
const Index *index_max(IndexTable *table, const Index *a, const Index *b);

bool index_is_const(const Index *a, int64_t *value);
/* True when 0 <= a < limit is provable from the ranges of the atoms. */
bool index_in_range(IndexTable *table, const Index *a, const Dim *limit);
/* Provable inclusive bounds as dims; NULL where unknown. */
void index_bounds(IndexTable *table, const Index *a, const Dim **lower, const Dim **upper);

/* How an index moves with an axis: not at all, by a constant stride, or otherwise (a gather). */
typedef enum Motion { MOTION_NONE, MOTION_STRIDE, MOTION_OTHER } Motion;
Motion index_motion(const Index *a, int axis, const Dim **stride);
/* The value where axes have these values; false if it depends on more than those. */
typedef struct AxisValue {
    int axis;
    int64_t value;
} AxisValue;
bool index_evaluate(const Index *a, const AxisValue *at, int count, int64_t *value);
/* Replaces axes: replacement[axis], NULL (or axis >= count) keeps the axis. */
const Index *index_substitute(IndexTable *table, const Index *a, const Index *const *replacement,
                              int count);

/* ---- layouts: logical indices -> element offset ---- */

/* One physical axis: (logical[axis] / divide) % modulus (modulus 0: no modulo), of
 * `extent` places. */
typedef struct LayoutAxis {
    int axis;
    int64_t divide, modulus;
    const Dim *extent;
} LayoutAxis;
enum { LAYOUT_MAX_AXES = SHAPE_MAX_RANK + 2 };
/* Physical axes from outermost to innermost; a product of extents may exceed the elements
 * (padding). */
typedef struct Layout {
    int count;
    LayoutAxis axes[LAYOUT_MAX_AXES];
} Layout;

const Index *index_offset(IndexTable *table, const Layout *layout, const Shape *shape,
                          const Index *const *indices);
/* Elements of storage, padding included. */
const Dim *layout_elements(DimTable *dims, const Layout *layout, const Shape *shape);
/* Panels of `width` along `axis` innermost: [axis / width][other axes in order][axis % width]. */
const Layout *layout_panels(Arena *arena, DimTable *dims, const Shape *shape, int axis,
                            int64_t width);

void index_print(Text *out, const Index *a, const char *(*axis_name)(void *user, int axis),
                 void *user);

#endif
