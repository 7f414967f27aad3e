/* What the files that write model.c share. */
#ifndef NNC_EMIT_C_SOURCE_H
#define NNC_EMIT_C_SOURCE_H

#include "emit/c/writer.h"

typedef struct SourceWriter {
    Arena *arena;
    Text *out;
    const Plan *plan;
    const EmitOptions *options;
    const char **kernel_names;        /* by position in plan->kernel_plans */
    const Dim **work;                 /* by kernel id: operations and bytes; NULL: not known */
    VECTOR(const Buffer *) constants; /* distinct ones; nn_c<position> */
    int sites;                        /* of random numbers, at most, in one kernel */
} SourceWriter;

/* Position of the constant with these contents. */
int source_constant(SourceWriter *w, const Buffer *b);
/* ---- entry.c: what is called ---- */
void source_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *entry);
/* init of a root without an ENTRY_INIT: zeros and default scalars. */
void source_plain_init(SourceWriter *w, const RootPlan *root);
void source_sizes(SourceWriter *w, const RootPlan *root);
/* Locals for the dims that the state region keeps, after a check of its header. */
const char *state_dim_name(SourceWriter *w, int k);
/* ---- table.c: what describes ---- */
void source_tables(SourceWriter *w, const RootPlan *root);
/* ---- source.c ---- */
void source_line(SourceWriter *w, int indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
