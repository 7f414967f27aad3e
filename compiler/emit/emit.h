/* Emission: from kernels and plan to the text of a header and a source file.
 *
 * The output is complete on its own (templates are pasted), has no place for time, path or locale,
 * and is the same bytes for the same input.  Errors of the model were reported earlier: emission
 * never fails. */
#ifndef NNC_EMIT_EMIT_H
#define NNC_EMIT_EMIT_H

#include "plan/plan.h"

typedef struct EmitOptions {
    const char *header_name; /* as the source includes it: "model.h"; no quote or line end in it */
    const char *file_name;   /* of the C file, without folders, for the header's build line */
    const char *source_name; /* of the .nn file, without folders */
    const char *version;     /* of the compiler, for the first line */
    const char *target;      /* NULL: whatever the C compiler is told; "c99": no GNU vectors */
    bool info;               /* tables: <root>_model() and what it needs */
    bool instrument;         /* reports every kernel to the context's profile; <entry>_kernels() */
    const char *family; /* in names of functions and types: "" or "_cuda"; set by the backend */
    bool no_graph;      /* CUDA: an entry launches its kernels one by one */
} EmitOptions;

/* The header is the same for all backends up to the prefix of names. */
void emit_header(const Plan *plan, const EmitOptions *options, Text *header);
/* Backend C: one source file. */
void emit_c(const Plan *plan, const EmitOptions *options, Text *source);
/* Backend CUDA: kernels that were made for a GPU (KernelOptions.gpu), and host code in C++. */
void emit_cuda_header(const Plan *plan, const EmitOptions *options, Text *header);
void emit_cuda(const Plan *plan, const EmitOptions *options, Text *source);

/* One launch of an entry, as emit_cuda writes it. */
typedef struct EmittedLaunch {
    const char *function; /* "nn_launch_3", a template of the width of indices; or a library's */
    const Step *const *steps;
    int count, threads; /* threads 0: a call of a library, of which nothing else is known */
    const Dim *blocks;  /* in the entry's dims; NULL: too many for a number */
    int64_t shared;     /* bytes of a block's memory, at most */
    const char *times;  /* in one call of the entry: "(T)"; "": once */
} EmittedLaunch;
typedef VECTOR(EmittedLaunch) EmittedLaunches;
EmittedLaunches emit_cuda_launches(Arena *arena, const Plan *plan, const EntryPlan *entry);

#endif
