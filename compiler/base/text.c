/* Text: string builder, interner, numbers without a locale, edit distance.
 *
 * Numbers: the compiler never calls setlocale, so the C locale rules strtod and printf; a program
 * that embeds the library and does set one is covered by swapping the decimal point explicitly. */
#include "base/text.h"

#include "base/format.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Text text_new(Arena *arena) {
    Text text = {.arena = arena, .capacity = 64};
    text.data = arena_alloc(arena, text.capacity);
    return text;
}

/* From 64 bytes on, always 64 less than a power of two: what stands before a block fits there. */
static void text_grow(Text *text, size_t need) {
    size_t capacity = text->capacity;
    while (capacity < need && capacity <= SIZE_MAX / 4) capacity = 2 * capacity + 64;
    if (capacity < need) capacity = need;
    text->data = arena_extend(text->arena, text->data, text->capacity, capacity);
    text->capacity = capacity;
}

/* Room for n more bytes and the NUL. */
static inline void text_reserve(Text *text, size_t n) {
    size_t need;
    if (__builtin_add_overflow(text->length + 1, n, &need)) need = SIZE_MAX;
    if (need > text->capacity) text_grow(text, need);
}

void text_append_n(Text *text, const char *s, size_t n) {
    text_reserve(text, n);
    if (n) memcpy(text->data + text->length, s, n);
    text->length += n;
    text->data[text->length] = '\0';
}

void text_append(Text *text, const char *s) {
    text_append_n(text, s, strlen(s));
}
void text_char(Text *text, char c) {
    text_reserve(text, 1);
    text->data[text->length++] = c;
    text->data[text->length] = '\0';
}

void text_integer(Text *text, int64_t value) {
    char digits[INTEGER_DIGITS], *end = digits + sizeof digits;
    const char *p = format_integer(end, value);
    text_append_n(text, p, (size_t)(end - p));
}

void text_indent(Text *text, int levels) {
    size_t n = levels > 0 ? 4 * (size_t)levels : 0;
    text_reserve(text, n);
    memset(text->data + text->length, ' ', n);
    text->length += n;
    text->data[text->length] = '\0';
}

void text_replace(Text *text, size_t at, size_t length, const char *by, size_t by_length) {
    text_reserve(text, by_length);
    char *place = text->data + at;
    memmove(place + by_length, place + length, text->length - at - length + 1);
    if (by_length) memcpy(place, by, by_length);
    text->length += by_length - length;
}

void text_vprintf(Text *text, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    size_t room = text->capacity - text->length;
    size_t n = format_bytes(text->data + text->length, room, format, args);
    if (n >= room) {
        text_reserve(text, n);
        format_bytes(text->data + text->length, n + 1, format, again);
    }
    text->length += n;
    va_end(again);
}

void text_printf(Text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    text_vprintf(text, format, args);
    va_end(args);
}

static char locale_point(void) {
    const struct lconv *lc = localeconv();
    return lc && lc->decimal_point && lc->decimal_point[0] ? lc->decimal_point[0] : '.';
}

/* Python's float.__repr__: 17 digits at most, exponent form outside 1e-5 < |x| < 1e16. */
void text_double(Text *text, double value) {
    if (isnan(value)) {
        text_append(text, "nan");
        return;
    }
    if (isinf(value)) {
        text_append(text, value < 0 ? "-inf" : "inf");
        return;
    }
    if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
        if (signbit(value)) text_char(text, '-');
        text_integer(text, (int64_t)fabs(value));
        text_append(text, ".0");
        return;
    }
    char buffer[40];
    char point = locale_point();
    int digits = 1;
    for (; digits <= 17; digits++) {
        snprintf(buffer, sizeof buffer, "%.*e", digits - 1, value);
        if (strtod(buffer, NULL) == value) break;
    }
    char *e = strchr(buffer, 'e');
    int exponent = atoi(e + 1);
    char mantissa[24];
    int count = 0;
    for (const char *p = buffer; p < e; p++)
        if (isdigit((unsigned char)*p))
            mantissa[count++] = *p;
        else if (*p == point)
            continue;
    while (count > 1 && mantissa[count - 1] == '0') count--;
    if (signbit(value)) text_char(text, '-');
    if (exponent < -4 || exponent >= 16) {
        text_char(text, mantissa[0]);
        if (count > 1) {
            text_char(text, '.');
            text_append_n(text, mantissa + 1, (size_t)count - 1);
        }
        text_printf(text, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        text_append(text, "0.");
        for (int i = -1; i > exponent; i--) text_char(text, '0');
        text_append_n(text, mantissa, (size_t)count);
    } else {
        for (int i = 0; i <= exponent; i++) text_char(text, i < count ? mantissa[i] : '0');
        text_char(text, '.');
        if (count > exponent + 1)
            text_append_n(text, mantissa + exponent + 1, (size_t)(count - exponent - 1));
        else
            text_char(text, '0');
    }
}

void text_repr(Text *text, const char *s) {
    char quote = strchr(s, '\'') && !strchr(s, '"') ? '"' : '\'';
    text_char(text, quote);
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if (*p == (unsigned char)quote || *p == '\\')
            text_printf(text, "\\%c", *p);
        else if (*p == '\n')
            text_append(text, "\\n");
        else if (*p == '\r')
            text_append(text, "\\r");
        else if (*p == '\t')
            text_append(text, "\\t");
        else if (*p < 0x20 || *p == 0x7f)
            text_printf(text, "\\x%02x", *p);
        else
            text_char(text, (char)*p);
    }
    text_char(text, quote);
}

/* The interner: open addressing, at most half full. */
static struct {
    Arena *arena;
    NameEntry **slots;
    uint32_t capacity, count;
} names;

void names_init(Arena *arena) {
    names.arena = arena;
    names.capacity = 1024;
    names.count = 0;
    names.slots = NEW_ARRAY(arena, names.capacity, NameEntry *);
}

static void names_grow(void) {
    uint32_t capacity = names.capacity * 2;
    NameEntry **slots = NEW_ARRAY(names.arena, capacity, NameEntry *);
    for (uint32_t i = 0; i < names.capacity; i++) {
        NameEntry *entry = names.slots[i];
        if (!entry) continue;
        uint32_t at = entry->hash & (capacity - 1);
        while (slots[at]) at = (at + 1) & (capacity - 1);
        slots[at] = entry;
    }
    names.slots = slots;
    names.capacity = capacity;
}

Name name_of_n(const char *text, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    uint32_t at = hash & (names.capacity - 1);
    for (; names.slots[at]; at = (at + 1) & (names.capacity - 1)) {
        NameEntry *entry = names.slots[at];
        if (entry->hash == hash && entry->length == length && !memcmp(entry->text, text, length))
            return entry;
    }
    NameEntry *entry = NEW(names.arena, NameEntry);
    *entry = (NameEntry){arena_strndup(names.arena, text, length), length, hash, names.count};
    names.slots[at] = entry;
    if (++names.count * 2 > names.capacity) names_grow();
    return entry;
}

Name name_of(const char *text) {
    return name_of_n(text, strlen(text));
}

bool text_parse_double(const char *s, size_t n, double *out) {
    char copy[4097];
    if (n == 0 || n >= sizeof copy || isspace((unsigned char)s[0])) return false;
    size_t length = 0;
    bool good = true;
    char point = locale_point();
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '_') {
            good = good && i > 0 && i + 1 < n && isdigit((unsigned char)s[i - 1]) &&
                   isdigit((unsigned char)s[i + 1]);
            continue;
        }
        if (c == 'x' || c == 'X' || c == 'p' || c == 'P' || c == '(') good = false;
        copy[length++] = c == '.' ? point : c;
    }
    copy[length] = '\0';
    char *end = copy;
    double value = good ? strtod(copy, &end) : 0;
    good = good && length > 0 && end == copy + length;
    if (good) *out = value;
    return good;
}

bool text_parse_int(const char *s, size_t n, int64_t *out) {
    size_t i = 0;
    bool negative = n > 0 && s[0] == '-';
    if (n > 0 && (s[0] == '-' || s[0] == '+')) i++;
    int base = 10;
    if (i + 2 < n && s[i] == '0') {
        char c = (char)tolower((unsigned char)s[i + 1]);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        if (base != 10) i += 2;
    }
    if (i == n) return false;
    int64_t value = 0;
    bool after_digit = base != 10; /* 0x_f is legal in Python, _1 is not */
    for (; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '_') {
            if (!after_digit || i + 1 == n) return false;
            after_digit = false;
            continue;
        }
        int digit = isdigit(c) ? c - '0' : isalpha(c) ? tolower(c) - 'a' + 10 : 99;
        if (digit >= base) return false;
        if (!checked_mul(value, base, &value)) return false;
        if (!(negative ? checked_sub(value, digit, &value) : checked_add(value, digit, &value)))
            return false;
        after_digit = true;
    }
    *out = value;
    return true;
}

int text_distance(const char *a, const char *b, int limit) {
    enum { LONGEST = 64 };
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST) return strcmp(a, b) ? limit + 1 : 0;
    int rows[3][LONGEST + 1];
    for (size_t j = 0; j <= n; j++) rows[0][j] = (int)j;
    for (size_t i = 1; i <= m; i++) {
        int *now = rows[i % 3], *last = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= n; j++) {
            int best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
    }
    int distance = rows[m % 3][n];
    return distance > limit ? limit + 1 : distance;
}
