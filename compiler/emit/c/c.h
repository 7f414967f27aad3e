/* What the files that write model.c share. */
#ifndef NNC_EMIT_C_C_H
#define NNC_EMIT_C_C_H

#include "emit/common/entry_writer.h"

/* ---- entry.c: what is called ---- */
void source_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *entry);
/* init of a root without an ENTRY_INIT: zeros and default scalars. */
void source_plain_init(SourceWriter *w, const RootPlan *root);
void source_sizes(SourceWriter *w, const RootPlan *root);

#endif
