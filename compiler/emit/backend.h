/* Backends: one row each.
 *
 * driver/back_end.c emits through a row, and the table of targets (driver/compile.c) says which row
 * a --target means.  A row may refuse nothing: what it cannot print is an error before emission. */
#ifndef NNC_EMIT_BACKEND_H
#define NNC_EMIT_BACKEND_H

#include "emit/emit.h"

typedef struct Backend {
    const char *name;      /* as the table of targets names it */
    const char *extension; /* of the source file */
    const char *header_extension;
    bool gpu; /* wants kernels whose axes are bound to blocks and threads (KernelOptions) */
    void (*header)(const Plan *plan, const EmitOptions *options, Text *header);
    void (*source)(const Plan *plan, const EmitOptions *options, Text *source);
} Backend;

extern const Backend backends[]; /* ends in a NULL name */
/* NULL if there is none of that name. */
const Backend *backend_find(const char *name);

#endif
