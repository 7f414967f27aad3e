/* From a program's graphs to the text of a backend: kernels, plan, emission.
 *
 * Input: a simplified program and what the user asked of these passes.  Output: what the last pass
 * that ran made; --print-after goes to stdout, remarks go to stderr.  A result of a pass behind
 * --stop-after is NULL or empty. */
#ifndef NNC_DRIVER_BACK_END_H
#define NNC_DRIVER_BACK_END_H

#include "driver/pipeline.h"
#include "emit/backend.h"

typedef struct BackEnd {
    Arena *arena;
    Program *program;
    const Pipeline *pipeline; /* its file, and --no-fuse */
    PassControl *passes;      /* NULL: nothing is asked of single passes */
    unsigned remarks;         /* 1 << RemarkKind of those to print */
    const Backend *backend;
    bool ends_with_plan; /* nothing is emitted */
    EmitOptions options; /* version and source_name are filled in here */
    /* results */
    const KernelProgram *kernels;
    const Plan *plan;
    Text header, source;
    int errors; /* the target has no form for something; nothing was emitted */
} BackEnd;

void back_end_run(BackEnd *b);

#endif
