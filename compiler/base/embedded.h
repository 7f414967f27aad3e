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
/* One definition of a folder's files of the language, with the comments above it. */
typedef struct EmbeddedPart {
    const char *space, *name; /* the folder, what is defined */
    int file;                 /* row of the table of files */
    uint32_t begin, end;      /* in the file's text */
    bool is_vjp;
} EmbeddedPart;
extern const EmbeddedFile prelude_files[]; /* compiler/prelude/; ends in a NULL name */
extern const int prelude_file_count;
extern const EmbeddedPart prelude_parts[]; /* sorted by space, name, is_vjp */
extern const int prelude_part_count;
extern const EmbeddedFile templates_files[]; /* templates/ */

#endif
