/* Backends: one row each. */
#ifndef NNC_EMIT_BACKEND_H
#define NNC_EMIT_BACKEND_H

#include "emit/emit.h"

typedef struct Backend {
    const char *name;      /* --target=... picks by it */
    const char *extension; /* of the source file */
    void (*header)(const Plan *plan, const EmitOptions *options, Text *header);
    void (*source)(const Plan *plan, const EmitOptions *options, Text *source);
} Backend;

extern const Backend backends[]; /* ends in a NULL name */
/* NULL if there is none of that name. */
const Backend *backend_find(const char *name);

#endif
