/* What the files that write model.c and model.cu share. */
#ifndef NNC_EMIT_COMMON_SOURCE_WRITER_H
#define NNC_EMIT_COMMON_SOURCE_WRITER_H

#include "emit/kernel/writer.h"

typedef struct SourceWriter {
    Arena *arena;
    Text *out;
    const Plan *plan;
    const EmitOptions *options;
    const char **kernel_names;        /* by position in plan->kernel_plans */
    const Dim **work;                 /* by kernel id: operations and bytes; NULL: not known */
    VECTOR(const Buffer *) constants; /* distinct ones; nn_c<position> */
    int sites;                        /* of random numbers, at most, in one kernel */
    struct {
        int buffers, dims, sites;
    } widths; /* CUDA: of nn_call */
} SourceWriter;

/* Position of the constant with these contents. */
int source_constant(SourceWriter *w, const Buffer *b);
/* Locals for the dims that the state was made for, after a check of its header. */
const char *state_dim_name(SourceWriter *w, int k);
/* Where such a dim is kept: word 0 says that the state was made. */
const char *source_state_word(SourceWriter *w, int k);
bool source_is_cuda(const SourceWriter *w);
/* ---- table.c: what describes ---- */
void source_tables(SourceWriter *w, const RootPlan *root);
void source_constants(SourceWriter *w, const char *qualifiers); /* as arrays */
void source_kernel_names(SourceWriter *w);
extern const char source_size_code[]; /* nn_size and what saturates */
void source_line(SourceWriter *w, int indent, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
