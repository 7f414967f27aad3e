/* Files that the build put into the binary (see nnc_embed in cmake/layers.cmake). */
#ifndef NNC_BASE_EMBEDDED_H
#define NNC_BASE_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct EmbeddedFile {
    const char *name, *text;
    size_t length;
} EmbeddedFile;
/* One definition of a file of the language, with the comments above it. */
typedef struct EmbeddedPart {
    const char *file, *name;
    uint32_t begin, end; /* in the file's text */
    bool is_vjp;
} EmbeddedPart;
extern const EmbeddedFile prelude_files[]; /* compiler/prelude/ *.nn; ends in a NULL name */
extern const EmbeddedPart prelude_parts[]; /* sorted by file, name, is_vjp */
extern const int prelude_part_count;
extern const EmbeddedFile templates_files[]; /* templates/ */

#endif
