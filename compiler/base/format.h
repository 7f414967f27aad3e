/* Formatting as vsnprintf does, fast for what a compiler prints most: strings and whole numbers. */
#ifndef NNC_BASE_FORMAT_H
#define NNC_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum { INTEGER_DIGITS = 20 }; /* of the longest int64, with its sign */

/* Writes at most `capacity` bytes, NUL included; gives the length of the whole text. */
size_t format_bytes(char *out, size_t capacity, const char *format, va_list args);
/* Writes the decimal digits so that they end before `end`, and gives where they begin. */
char *format_integer(char *end, int64_t value);

#endif
