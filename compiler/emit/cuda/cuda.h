/* What the files that write model.cu share. */
#ifndef NNC_EMIT_CUDA_CUDA_H
#define NNC_EMIT_CUDA_CUDA_H

#include "emit/c/entry.h"

/* ---- entry.c: what is called ---- */
void cuda_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *entry, int number);
/* init of a root without an ENTRY_INIT: zeros and default scalars. */
void cuda_plain_init(SourceWriter *w, const RootPlan *root);
/* Sizes, wait and close of a root. */
void cuda_root(SourceWriter *w, const RootPlan *root);

#endif
