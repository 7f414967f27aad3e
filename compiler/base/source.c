/* Source files: copy of the text, and the table of line starts.  A line ends at \n, \r\n or \r. */
#include "base/source.h"

#include <string.h>

/* Past the next end of a line from p on; NULL: none. */
static const char *next_line(const char *p, const char *end, bool returns) {
    if (!returns) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        return newline ? newline + 1 : NULL;
    }
    for (; p < end; p++)
        if (*p == '\n' || (*p == '\r' && p[1] != '\n')) return p + 1;
    return NULL;
}

SourceFile *source_new(Arena *arena, const char *path, const char *text, size_t length) {
    return source_of(arena, path, arena_strndup(arena, text, length), length);
}

SourceFile *source_of(Arena *arena, const char *path, const char *text, size_t length) {
    SourceFile *file = NEW(arena, SourceFile);
    const char *end = text + length;
    bool returns = length && memchr(text, '\r', length);
    int lines = 1;
    for (const char *p = text; (p = next_line(p, end, returns)); lines++) {
    }
    uint32_t *starts = NEW_ARRAY(arena, (size_t)lines, uint32_t);
    int line = 1;
    for (const char *p = text; (p = next_line(p, end, returns));)
        starts[line++] = (uint32_t)(p - text);
    *file = (SourceFile){.path = arena_strdup(arena, path),
                         .text = text,
                         .length = length,
                         .line_starts = starts,
                         .line_count = lines};
    return file;
}

int source_line_of(const SourceFile *file, uint32_t offset) {
    int low = 0, high = file->line_count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (file->line_starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low + 1;
}

void source_position(const SourceFile *file, uint32_t offset, int *line, int *column) {
    if (offset > file->length) offset = (uint32_t)file->length;
    *line = source_line_of(file, offset);
    *column = 1;
    for (uint32_t i = file->line_starts[*line - 1]; i < offset; i++)
        if (((unsigned char)file->text[i] & 0xC0) != 0x80) ++*column;
}
