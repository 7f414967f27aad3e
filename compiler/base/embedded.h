/* Files that the build put into the binary (see nnc_embed in cmake/layers.cmake). */
#ifndef NNC_BASE_EMBEDDED_H
#define NNC_BASE_EMBEDDED_H

#include <stddef.h>

typedef struct EmbeddedFile {
    const char *name, *text;
    size_t length;
} EmbeddedFile;
extern const EmbeddedFile prelude_files[];   /* compiler/prelude/ *.nn; ends in a NULL name */
extern const EmbeddedFile templates_files[]; /* templates/ */

#endif
