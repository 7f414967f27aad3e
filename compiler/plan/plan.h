/* The plan: where every buffer lies.
 *
 * Input: a KernelProgram.  Output: per root the weights and state regions, per entry the offsets of
 * temporaries in the workspace, per kernel its scratch.  Offsets and sizes are dims, valid for all
 * values of the symbols; offsets are multiples of 64 bytes.  Two buffers share bytes only when
 * their lifetimes are apart for certain.  Deterministic. */
#ifndef NNC_PLAN_PLAN_H
#define NNC_PLAN_PLAN_H

#include "kernel/kernel.h"

enum {
    PLAN_ALIGNMENT = 64,
    PLAN_STACK_LIMIT = 32768 /* bytes of scratch that one kernel may keep on the stack */
};

/* Bytes [offset, offset + bytes) of a region; bytes == NULL: the buffer lies elsewhere. */
typedef struct Place {
    const Dim *offset, *bytes;
} Place;

typedef struct KernelPlan {
    const Kernel *kernel;
    VECTOR(const DimSymbol *) symbols; /* that its text needs, in order of index */
    Place *scratch;           /* [slots]: in the slice of a worker; bytes NULL: on the stack */
    const Dim *scratch_bytes; /* of one slice; 0 when all scratch is on the stack */
} KernelPlan;

typedef struct EntryPlan {
    const KernelEntry *entry;
    Place *places;            /* [buffers], TEMPORARY ones have bytes */
    const Dim *arena_bytes;   /* temporaries */
    const Dim *scratch_bytes; /* largest slice of its kernels, in the entry's dims */
    int64_t arena_reference;  /* arena_bytes with every symbol at its reference value */
    int64_t lower_bound;      /* most bytes alive at once, likewise */
    VECTOR(int)
    after; /* of each call of `steps`, in order: it needs nothing of the after - 1
              calls before it; 1: it may need the last one */
} EntryPlan;

typedef struct RootPlan {
    const KernelRoot *root;
    Place *cells; /* [cells]: of parameters in the weights, of others in the state region */
    const Dim *weights_bytes;                /* constant */
    const Dim *state_bytes;                  /* in the state symbols */
    VECTOR(const DimSymbol *) state_symbols; /* dims of init, by first appearance */
    bool state_header; /* the state region begins with 64 bytes: magic, then the dims */
    VECTOR(EntryPlan *) entries;
} RootPlan;

typedef struct Plan {
    const KernelProgram *kernels;
    VECTOR(RootPlan *) roots;
    VECTOR(KernelPlan *) kernel_plans; /* by kernel id order of KernelProgram.kernels */
} Plan;

Plan *plan_build(Arena *arena, const KernelProgram *kernels);

/* Bytes that a cell takes in its stored form, without padding to the next cell. */
const Dim *plan_cell_bytes(const KernelProgram *kernels, const Cell *cell);
/* The entry's dim that a kernel's or cell's symbol means: the same symbol, or the one of its name.
 * NULL: none. */
const Dim *plan_entry_symbol(const Entry *entry, const DimSymbol *symbol);
const KernelPlan *plan_kernel(const Plan *plan, const Kernel *kernel);
/* One line per entry: arena, lower bound, ratio at the reference dims (every symbol 64 or its
 * bound). */
void plan_print(Text *out, const Plan *plan);

#endif
