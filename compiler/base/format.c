/* The conversions %s, %.*s, %c, %d and %lld without flags or widths, written straight to their
 * place; from the first other one on, the rest of a format is left to vsnprintf.
 *
 * Invariant: the result is that of vsnprintf. */
#include "base/format.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes past `end` are counted, not written; `at` then stands still. */
typedef struct Output {
    char *at, *end;
    size_t left_out;
} Output;

static void put(Output *out, const char *s, size_t n) {
    size_t room = (size_t)(out->end - out->at), written = n < room ? n : room;
    memcpy(out->at, s, written);
    out->at += written;
    out->left_out += n - written;
}

/* Most strings are short: a byte at a time is quicker than to measure them first. */
static void put_string(Output *out, const char *s) {
    char *at = out->at, *const end = out->end;
    for (; *s && at < end; s++) *at++ = *s;
    out->at = at;
    if (*s) out->left_out += strlen(s);
}

char *format_integer(char *end, int64_t value) {
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--end = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0) *--end = '-';
    return end;
}

static void put_integer(Output *out, int64_t value) {
    char digits[INTEGER_DIGITS], *end = digits + sizeof digits;
    const char *p = format_integer(end, value);
    put(out, p, (size_t)(end - p));
}

size_t format_bytes(char *data, size_t capacity, const char *format, va_list args) {
    char none[1];
    if (!capacity) data = none;
    Output out = {data, data + (capacity ? capacity - 1 : 0), 0};
    for (const char *p = format; *p; p++) {
        if (*p != '%') {
            if (out.at < out.end)
                *out.at++ = *p;
            else
                out.left_out++;
            continue;
        }
        const char *percent = p++;
        if (*p == 's') {
            const char *s = va_arg(args, const char *);
            put_string(&out, s ? s : "(null)");
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
            size_t room = (size_t)(out.end - out.at);
            int n = vsnprintf(capacity ? out.at : NULL, capacity ? room + 1 : 0, percent, args);
            size_t more = n > 0 ? (size_t)n : 0, written = more < room ? more : room;
            out.at += written;
            out.left_out += more - written;
            break;
        }
    }
    if (capacity) *out.at = '\0';
    return (size_t)(out.at - data) + out.left_out;
}
