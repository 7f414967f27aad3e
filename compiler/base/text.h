/* Text: string builder, interned names, locale-free number formatting, edit distance. */
#ifndef NNC_BASE_TEXT_H
#define NNC_BASE_TEXT_H

#include <stdarg.h>
#include "base/memory.h"

/* A growing, always NUL-terminated string in an arena. */
typedef struct Text {
    Arena *arena;
    char *data;
    size_t length, capacity;
} Text;

Text text_new(Arena *arena);
void text_append(Text *text, const char *s);
void text_append_n(Text *text, const char *s, size_t n);
void text_char(Text *text, char c);
void text_integer(Text *text, int64_t value);
/* Four spaces for each level. */
void text_indent(Text *text, int levels);
/* `by` takes the place of the `length` bytes from `at` on; it is no part of the text. */
void text_replace(Text *text, size_t at, size_t length, const char *by, size_t by_length);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(Text *text, const char *format, va_list args);
/* Shortest decimal that reads back to the same double, with Python's repr spelling (1e-05, 0.1,
 * inf). */
void text_double(Text *text, double value);
/* Python's repr of a string: quotes and escapes. */
void text_repr(Text *text, const char *s);

/* An interned string: equal text <=> equal pointer, for the life of the process-wide interner that
 * the arena of `names_init` owns.  `index` numbers names by first appearance (deterministic). */
typedef struct NameEntry {
    const char *text;
    size_t length;
    uint32_t hash, index;
} NameEntry;
typedef const NameEntry *Name;

void names_init(Arena *arena); /* forgets all earlier names */
Name name_of(const char *text);
Name name_of_n(const char *text, size_t length);

/* Locale-independent strtod on exactly [s, s+n); false if malformed or trailing bytes. */
bool text_parse_double(const char *s, size_t n, double *out);
/* Decimal, 0x, 0o, 0b, underscores as in Python; false on malformed or overflow of int64. */
bool text_parse_int(const char *s, size_t n, int64_t *out);

/* Damerau-Levenshtein distance, capped at `limit` + 1.  For did-you-mean. */
int text_distance(const char *a, const char *b, int limit);

#endif
