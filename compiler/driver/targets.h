/* What --target may name. */
#ifndef NNC_DRIVER_TARGETS_H
#define NNC_DRIVER_TARGETS_H

#include <stdbool.h>

#include "base/text.h"

typedef struct Target {
    const char *name;    /* "x86-64-v3" may also be called "v3" */
    const char *backend; /* a row of backends (emit/backend.c) */
    const char *emitted; /* EmitOptions.target */
    const char *march;   /* flag of the C compiler for objects and binaries; NULL: its default */
    /* Its part of a standalone binary; NULL: none, --target with --emit=exe does not name it. */
    const char *part; /* ends names in C */
    const char *test; /* C, true where the part may run */
    const char *text; /* what --describe calls it */
    bool common; /* a binary without --target has it; the first one whose test holds is taken */
} Target;

extern const Target targets[];
extern const int target_count;

/* NULL: no such target. */
const Target *target_find(const char *name);
/* All names, as a message lists them. */
void target_list(Text *text);

#endif
