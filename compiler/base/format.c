/* The conversions %s, %.*s, %c, %d and %lld without flags or widths, written straight to their
 * place; from the first other one on, the rest of a format is left to vsnprintf.
 *
 * Invariant: the result is that of vsnprintf. */
#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Output {
    char *data;
    size_t capacity, length; /* the length may exceed the capacity: bytes past it are counted */
} Output;

static void put(Output *out, const char *s, size_t n) {
    if (out->length < out->capacity) {
        size_t room = out->capacity - out->length;
        memcpy(out->data + out->length, s, n < room ? n : room);
    }
    out->length += n;
}

static void put_integer(Output *out, long long value) {
    char digits[24];
    char *end = digits + sizeof digits, *p = end;
    unsigned long long rest = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
    do {
        *--p = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) *--p = '-';
    put(out, p, (size_t)(end - p));
}

size_t format_bytes(char *data, size_t capacity, const char *format, va_list args) {
    Output out = {data, capacity, 0};
    const char *p = format;
    for (;;) {
        const char *percent = strchr(p, '%');
        put(&out, p, percent ? (size_t)(percent - p) : strlen(p));
        if (!percent) break;
        p = percent + 1;
        if (*p == 's') {
            const char *s = va_arg(args, const char *);
            if (!s) s = "(null)";
            put(&out, s, strlen(s));
        } else if (*p == 'd') {
            put_integer(&out, va_arg(args, int));
        } else if (*p == 'c') {
            char c = (char)va_arg(args, int);
            put(&out, &c, 1);
        } else if (*p == '%') {
            put(&out, p, 1);
        } else if (!strncmp(p, "lld", 3)) {
            put_integer(&out, va_arg(args, long long));
            p += 2;
        } else if (!strncmp(p, ".*s", 3)) {
            int most = va_arg(args, int);
            const char *s = va_arg(args, const char *);
            put(&out, s, most < 0 ? strlen(s) : strnlen(s, (size_t)most));
            p += 2;
        } else {
            bool room = out.length < capacity;
            int n = vsnprintf(room ? data + out.length : NULL, room ? capacity - out.length : 0,
                              percent, args);
            if (n > 0) out.length += (size_t)n;
            break;
        }
        p++;
    }
    if (capacity) data[out.length < capacity ? out.length : capacity - 1] = '\0';
    return out.length;
}
