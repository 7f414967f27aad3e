/* What the files that write model.cu share. */
#ifndef NNC_EMIT_CUDA_CUDA_H
#define NNC_EMIT_CUDA_CUDA_H

#include "emit/common/entry_writer.h"

/* ---- launch.c: kernels that are launched together ---- */
enum { LAUNCH_MAX = 4 };
typedef struct Launch {
    int count;
    const Kernel *kernels[LAUNCH_MAX];
    const Step *steps[LAUNCH_MAX];
    int64_t shared;    /* bytes of a block's memory, at most */
    const char *times; /* how often it runs in a call of its entry; "": once */
} Launch;
typedef VECTOR(Launch) LaunchList;
/* Of an entry: checks first, in the order of its steps. */
LaunchList cuda_launches(SourceWriter *w, const EntryPlan *plan);
const char *cuda_launch_name(SourceWriter *w, const Launch *launch);
void cuda_write_launches(SourceWriter *w);

/* ---- source.c ---- */
/* Sets the widths of nn_call, on which it depends what fits into a launch. */
void cuda_find_widths(SourceWriter *w);
bool cuda_has_library(const Plan *plan);

/* ---- cublaslt.c: calls of cuBLASLt ---- */
void cuda_library_call(EntryWriter *e, const Step *s, int indent);
/* nn_products_<symbol>: asks what the library may not be asked while the entry's steps are
 * captured; false: it has no products of its, and nothing was written. */
bool cuda_library_questions(EntryWriter *e, const char *symbol, const char *parameters);

/* ---- entry.c: what is called ---- */
void cuda_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *entry, int number);
/* init of a root without an ENTRY_INIT: zeros and default scalars. */
void cuda_plain_init(SourceWriter *w, const RootPlan *root);
/* Sizes, wait and close of a root. */
void cuda_root(SourceWriter *w, const RootPlan *root);

#endif
