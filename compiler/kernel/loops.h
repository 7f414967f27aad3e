/* What the schedules of LOOPS groups share, whatever their axes are bound to: which reductions come
 * in which phase, and what is computed and stored at a point.
 *
 * A schedule opens the loops over the kept axes and sets `at`, then calls loops_body, which opens
 * the reduced axes once a phase through `open_reduced`.  Invariant: phase k accumulates all
 * reductions that read only those of phases below k. */
#ifndef NNC_KERNEL_LOOPS_H
#define NNC_KERNEL_LOOPS_H

#include "kernel/internal.h"

/* A reduction and the registers that hold its result, where the loops over a row have ended. */
typedef struct Found {
    const Node *node;
    int reg, position; /* -1: no position */
} Found;

/* A value that a scratch row has from pass `first` on; see keep.c. */
typedef struct Kept {
    const Node *node;
    int slot, first;
} Kept;

typedef struct Loops {
    Lowering *l;
    Group *group;
    Builder *b;
    Gen *gen;
    int kept[SHAPE_MAX_RANK], kept_count; /* axes of the space */
    int reduced[SHAPE_MAX_RANK], reduced_count;
    const Index *at[SHAPE_MAX_RANK]; /* the current point */
    const Index *row[SHAPE_MAX_RANK];
    Arena *arena;
    int stamp;                              /* of the levels that this build knows */
    VECTOR(Stmt *) pending[SHAPE_MAX_RANK]; /* what outer accumulators take after each inner loop */
    VECTOR(Found) found;
    VECTOR(Kept) kept_rows;
    const Guard *inside; /* of stores; NULL: always */
    /* What a reduction takes in at a point, and its position (NULL: that of the axis); NULL: the
     * value of the node's input. */
    const Expr *(*taken)(struct Loops *x, const Node *n, const Expr **position);
    /* Opens loops over the reduced axes and sets `at` there; gives the number of scopes. */
    int (*open_reduced)(struct Loops *x);
    /* Opens scopes in which what belongs to a row is stored once; NULL: none are needed. */
    int (*open_once)(struct Loops *x);
    const void *choice; /* of the schedule */
} Loops;

Loops *loops_new(Lowering *l, Group *group, Arena *arena);
/* With the kept axes open: phases of reductions, then stores. */
void loops_body(Loops *x);
/* The parts of this: how many phases; one of them; stores of what belongs to a row, or to the
 * space. */
int loops_levels(Loops *x);
void loops_phase(Loops *x, int level);
void loops_store_rows(Loops *x);
void loops_store_space(Loops *x);
/* Is something of the whole space stored that reads a reduction, or lies in a cell? */
bool loops_space_waits(Loops *x);
/* The highest level among the group's reductions that n reads; -1 for none. */
int loops_level(Loops *x, const Node *n);
/* A value at every point, not one of each row. */
bool loops_is_of_space(const void *loops, const Node *n);
/* ---- keep.c ---- */
/* With the kept axes open: decides what is kept, and makes its scratch. */
void loops_find_kept(Loops *x);
/* Inside of the loops of a pass: what earlier ones kept is known; what this one is to keep is
 * stored. */
void loops_recall(Loops *x, int pass);
void loops_keep(Loops *x, int pass);
/* Closes all scopes and names the source lines. */
void loops_close(Loops *x);
/* Product of the extents' estimates, of axes[from .. count). */
int64_t loops_hint(const Shape *s, const int *axes, int from, int count);

#endif
