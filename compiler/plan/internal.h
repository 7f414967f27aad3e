/* What the files of the plan share. */
#ifndef NNC_PLAN_INTERNAL_H
#define NNC_PLAN_INTERNAL_H

#include "plan/plan.h"

/* A buffer to place: alive from step `first` to step `last`, both included. */
typedef struct Interval {
    int id;
    int first, last;
    const Dim *bytes; /* not rounded */
} Interval;

/* Offsets for all intervals into places[id]; the end of the arena into *total, its value at the
 * reference dims into *reference. */
void plan_pack(Arena *arena, DimTable *dims, const Interval *intervals, int count, Place *places,
               const Dim **total, int64_t *reference);
/* Most bytes alive at once, at the reference dims. */
int64_t plan_lower_bound(Arena *arena, DimTable *dims, const Interval *intervals, int count);
int64_t plan_reference(Arena *arena, DimTable *dims, const Dim *d);
/* The smallest multiple of 64 that is >= bytes. */
const Dim *plan_round(DimTable *dims, const Dim *bytes);
/* An upper bound of both, of the same form as they (see pack.c). */
const Dim *plan_upper(DimTable *dims, const Dim *a, const Dim *b);
/* A plain polynomial >= bytes; NULL when there is none. */
const Dim *plan_plain(DimTable *dims, const Dim *bytes);
/* Fills EntryPlan.after; places are known. */
void plan_order(Arena *arena, DimTable *dims, EntryPlan *plan);
/* Aborts on NULL: sizes were validated when shapes were made. */
const Dim *plan_need(const Dim *d);

#endif
