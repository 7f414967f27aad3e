/* Source files, byte spans into them, and line maps. */
#ifndef NNC_BASE_SOURCE_H
#define NNC_BASE_SOURCE_H

#include "base/memory.h"

typedef struct SourceFile {
    const char *path; /* as the user gave it, or "<prelude>/nn/linear.nn" */
    const char *text; /* NUL-terminated, valid UTF-8 */
    size_t length;
    const uint32_t *line_starts; /* byte offsets, [line_count] */
    int line_count;
    bool is_prelude; /* part of the library: mistakes shown there are reported at the user's call */
} SourceFile;

/* Half-open byte range.  file == NULL: no place (made by the compiler). */
typedef struct Span {
    const SourceFile *file;
    uint32_t begin, end;
} Span;

SourceFile *source_new(Arena *arena, const char *path, const char *text, size_t length);
/* The same on text that lives as long as the file. */
SourceFile *source_of(Arena *arena, const char *path, const char *text, size_t length);
/* 1-based. */
int source_line_of(const SourceFile *file, uint32_t offset);
/* The column, 1-based too, counts code points from the beginning of the line: not for
 * every token. */
void source_position(const SourceFile *file, uint32_t offset, int *line, int *column);
static inline Span span_join(Span a, Span b) {
    if (!a.file) return b;
    if (!b.file || b.file != a.file) return a;
    return (Span){a.file, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}
static inline int span_line(Span s) {
    return s.file ? source_line_of(s.file, s.begin) : 0;
}

#endif
