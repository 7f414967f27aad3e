/* Emission: from kernels and plan to the text of a header and a source file.
 *
 * The output is complete on its own (templates are pasted), has no place for time, path or locale,
 * and is the same bytes for the same input.  Errors of the model were reported earlier: emission
 * never fails. */
#ifndef NNC_EMIT_EMIT_H
#define NNC_EMIT_EMIT_H

#include "plan/plan.h"

typedef struct EmitOptions {
    const char *header_name; /* as the source includes it: "model.h" */
    const char *file_name;   /* of the C file, without folders, for the header's build line */
    const char *source_name; /* of the .nn file, without folders */
    const char *version;     /* of the compiler, for the first line */
    const char *target;      /* NULL: whatever the C compiler is told; "c99": no GNU vectors */
    bool info;               /* tables: <root>_model() and what it needs */
    bool instrument;         /* reports every kernel to the context's profile; <entry>_kernels() */
} EmitOptions;

/* The header is the same for all backends up to the prefix of names. */
void emit_header(const Plan *plan, const EmitOptions *options, Text *header);
/* Backend C: one source file. */
void emit_c(const Plan *plan, const EmitOptions *options, Text *source);
/* One kernel as CUDA text with its device functions: a tile is a block, a vector loop its threads.
 * false when the kernel uses a leaf (products, sorting) or an operator that has no CUDA form yet.
 * Nothing but a unit test asks for it: there is no backend "cuda". */
bool emit_cuda_kernel(const Plan *plan, const Kernel *kernel, Text *source);

#endif
