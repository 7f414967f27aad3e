/* CSV: text in rows and columns, as an array of the dtype that is wanted.
 * Fields are separated by commas (a file named .tsv: by tabs), may stand in "quotes" with "" for
 * one, and lines end in \n or \r\n.  The first line is a header where none of its fields is a
 * number, or where a column is chosen by a "name" of it. Invariants: the size of the array is known
 * before it is allocated; no value changes but by rounding to a float's dtype; every refusal of a
 * value names line and column; control bytes of the file are escaped in messages; the locale does
 * not matter. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "nncrt_files.h"

enum { COLUMN_LIMIT = 1 << 20, FIELD_LIMIT = 256 };

typedef struct Csv {
    const char *at, *end;
    char separator;
    int64_t line; /* of `at` */
} Csv;

/* The raw text of a field, quotes included. */
typedef struct Field {
    const char *text;
    size_t length;
    bool last; /* of its line */
} Field;

static bool next_field(Csv *csv, Field *out, NncError *error) {
    const char *begin = csv->at;
    bool quoted = false;
    int64_t line = csv->line;
    while (csv->at < csv->end && (quoted || (*csv->at != csv->separator && *csv->at != '\n'))) {
        if (*csv->at == '"') quoted = !quoted;
        if (*csv->at == '\n') ++csv->line;
        ++csv->at;
    }
    if (quoted) return nnc_fail(error, "line %" PRId64 ": a quote is not closed", line);
    *out = (Field){begin, (size_t)(csv->at - begin), csv->at == csv->end || *csv->at == '\n'};
    if (csv->at < csv->end) {
        if (*csv->at == '\n') ++csv->line;
        ++csv->at;
    }
    if (out->last && out->length && begin[out->length - 1] == '\r') --out->length;
    return true;
}

/* Lines without anything are no rows. */
static void skip_empty(Csv *csv) {
    for (;;) {
        const char *at = csv->at;
        if (at < csv->end && *at == '\r') ++at;
        if (at == csv->end || *at != '\n') {
            if (at == csv->end) csv->at = at;
            return;
        }
        csv->at = at + 1;
        ++csv->line;
    }
}

/* Without blanks around it, and without its quotes.  False where that is more than FIELD_LIMIT - 1
 * bytes or holds a zero; `out` is then its beginning. */
static bool field_text(const Field *field, char *out) {
    const char *from = field->text, *end = from + field->length;
    while (from < end && (*from == ' ' || *from == '\t')) ++from;
    while (end > from && (end[-1] == ' ' || end[-1] == '\t')) --end;
    bool quoted = end - from >= 2 && *from == '"' && end[-1] == '"';
    if (quoted) ++from, --end;
    size_t length = 0;
    for (; from < end; ++from) {
        if (quoted && *from == '"' && from + 1 < end && from[1] == '"') ++from;
        if (length + 1 >= FIELD_LIMIT || !*from) break;
        out[length++] = *from;
    }
    out[length] = 0;
    return from == end;
}

/* The beginning of a text of the file, for a message: control bytes, those of UTF-8 too, as \xNN.
 */
static void add_text(NncError *error, const char *text) {
    enum { SHOWN = 60 };
    for (int i = 0; text[i]; ++i) {
        unsigned char c = (unsigned char)text[i], next = (unsigned char)text[i + 1];
        bool wide = c == 0xc2 && next >= 0x80 && next < 0xa0;
        if (i >= SHOWN && (c & 0xc0) != 0x80) {
            nnc_error_add(error, "...");
            return;
        }
        if (wide)
            nnc_error_add(error, "\\xc2\\x%02x", next), ++i;
        else if (c < ' ' || c == 0x7f)
            nnc_error_add(error, "\\x%02x", c);
        else
            nnc_error_add(error, "%c", c);
    }
}

/* A decimal number, with an exponent or without; infinite where no double is as large. */
static bool field_number(const char *text, double *out) {
    char copy[FIELD_LIMIT];
    size_t length = strlen(text);
    char probe[8];
    snprintf(probe, sizeof probe, "%.1f", 0.5); /* the locale's point is its second byte */
    char point = probe[1];
    if (!length || length >= sizeof copy) return false;
    for (size_t i = 0; i < length; ++i) {
        if (!strchr("0123456789+-.eE", text[i])) return false;
        copy[i] = text[i] == '.' ? point : text[i];
    }
    copy[length] = 0;
    char *end;
    *out = strtod(copy, &end);
    return *end == 0;
}

/* ---- which columns ---- */

typedef enum FieldKind { FIELD_EMPTY, FIELD_NUMBER, FIELD_NAME } FieldKind;

/* A field of the first line. */
typedef struct Name {
    char text[FIELD_LIMIT];
    bool is_cut; /* only its beginning: no name that a column can be chosen by */
    FieldKind kind;
} Name;

typedef struct Header {
    Name *names;
    int64_t count, line;
    bool is_header, is_mixed; /* is_mixed: data, but some of its fields are no numbers */
} Header;

static FieldKind kind_of(const char *text) {
    static const char *const words[] = {"nan", "inf", "infinity"};
    double number;
    if (!*text) return FIELD_EMPTY;
    if (field_number(text, &number)) return FIELD_NUMBER;
    if (*text == '+' || *text == '-') ++text;
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i)
        if (strcasecmp(text, words[i]) == 0) return FIELD_NUMBER;
    return FIELD_NAME;
}

/* The column of a name, or -1. */
static int64_t find_name(const Header *header, const char *text, size_t length) {
    for (int64_t i = 0; i < header->count; ++i) {
        const Name *name = &header->names[i];
        if (!name->is_cut && strlen(name->text) == length && memcmp(name->text, text, length) == 0)
            return i;
    }
    return -1;
}

static bool is_quoted(const char *text, size_t length) {
    return length >= 2 && text[0] == '"' && text[length - 1] == '"';
}

/* What stands before the end, a comma, or `..`, if asked; these may stand between quotes. */
static size_t part_length(const char *text, bool to_dots) {
    bool quoted = false;
    size_t i = 0;
    for (; text[i] && (quoted || text[i] != ','); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (to_dots && !quoted && text[i] == '.' && text[i + 1] == '.') break;
    }
    return i;
}

/* Who chooses a column by a "name" of the first line says that it has names, numbers or not. */
static bool names_header(const Header *header, const char *columns) {
    for (const char *at = columns; at && *at;) {
        size_t length = part_length(at, true);
        if (is_quoted(at, length) && find_name(header, at + 1, length - 2) >= 0) return true;
        at += length;
        while (*at == '.' || *at == ',') ++at;
    }
    return false;
}

static bool read_header(Csv *csv, const char *columns, Header *out, NncError *error) {
    Csv first = *csv;
    Field field = {0};
    *out = (Header){0};
    while (!field.last) {
        if (!next_field(&first, &field, error)) return false;
        if (++out->count > COLUMN_LIMIT)
            return nnc_fail(error, "more than %d columns", COLUMN_LIMIT);
    }
    size_t bytes;
    if (!nnc_multiply((size_t)out->count, sizeof *out->names, &bytes) || bytes > (size_t)1 << 30)
        return nnc_fail(error, "too many columns");
    out->names = nnc_allocate(bytes, error);
    if (!out->names) return false;
    Csv again = *csv;
    int64_t of_kind[3] = {0};
    for (int64_t i = 0; i < out->count; ++i) {
        Name *name = &out->names[i];
        next_field(&again, &field, error);
        name->is_cut = !field_text(&field, name->text);
        name->kind = name->is_cut ? FIELD_NAME : kind_of(name->text);
        ++of_kind[name->kind];
    }
    out->line = csv->line;
    out->is_header =
        (of_kind[FIELD_NAME] > 0 && of_kind[FIELD_NUMBER] == 0) || names_header(out, columns);
    out->is_mixed = !out->is_header && of_kind[FIELD_NAME] > 0 && of_kind[FIELD_NUMBER] > 0;
    if (out->is_header) *csv = first;
    return true;
}

/* What the first line is may not be in doubt where a chosen column is. */
static bool check_first_line(const Header *header, const int64_t *order, int64_t count,
                             NncError *error) {
    for (int64_t k = 0; k < count; ++k) {
        const Name *name = &header->names[order[k]];
        if (header->is_header && name->kind == FIELD_EMPTY)
            return nnc_fail(error,
                            "line %" PRId64 ", column %" PRId64
                            ": the line has names, but none here: name the column, or choose "
                            "others (FILE.csv:NAME,NAME)",
                            header->line, order[k]);
        if (!header->is_mixed || name->kind != FIELD_NAME) continue;
        nnc_fail(error, "line %" PRId64 ", column %" PRId64 ": '", header->line, order[k]);
        add_text(error, name->text);
        nnc_error_add(error,
                      "' is not a number; other fields of the line are, so it is no header: "
                      "choose columns of numbers by position (FILE.csv:0,2..4), or, if numbers "
                      "are names here, one by its name (FILE.csv:\"NAME\")");
        return false;
    }
    return true;
}

/* A position or a name of the header; -1 after an error. */
static int64_t find_column(const Header *header, const char *text, size_t length, NncError *error) {
    int64_t position = 0;
    bool digits = length > 0 && length < 10;
    if (is_quoted(text, length)) ++text, length -= 2, digits = false;
    for (size_t i = 0; i < length; ++i) {
        digits = digits && isdigit((unsigned char)text[i]);
        if (digits) position = 10 * position + (text[i] - '0');
    }
    if (digits && position < header->count) return position;
    int64_t named = header->is_header ? find_name(header, text, length) : -1;
    if (named >= 0) return named;
    nnc_fail(error, "there is no column '%.*s'", (int)(length < 80 ? length : 80), text);
    if (digits)
        nnc_error_add(error, "; the file has %" PRId64 ", counted from 0", header->count);
    else if (!header->is_header)
        nnc_error_add(error, "; the file has no header%s, so columns are numbers from 0",
                      header->is_mixed ? " (some fields of its first line are numbers; if they are "
                                         "names, choose one as FILE.csv:\"NAME\")"
                                       : "");
    for (int64_t i = 0; header->is_header && !digits && i < header->count && i < 12; ++i) {
        nnc_error_add(error, "%s", i ? ", " : "; the first are ");
        add_text(error, header->names[i].text);
    }
    return -1;
}

/* "a,b", "0..3", "pixel0..", NULL: all.  Marks `chosen`, in the order of `order`. */
static bool choose_columns(const Header *header, const char *columns, int64_t *order,
                           int64_t *count, NncError *error) {
    *count = 0;
    if (!columns) {
        for (; *count < header->count; ++*count) order[*count] = *count;
        return true;
    }
    for (const char *at = columns;; ++at) {
        size_t length = part_length(at, false), head = part_length(at, true);
        const char *dots = head < length ? at + head : NULL;
        size_t tail = dots ? length - head - 2 : 0;
        int64_t first = find_column(header, at, head, error), last = first;
        if (dots) last = tail ? find_column(header, dots + 2, tail, error) : header->count - 1;
        if (first < 0 || last < 0) return false;
        if (last < first)
            return nnc_fail(error, "the columns '%.*s' run backwards", (int)length, at);
        for (int64_t c = first; c <= last; ++c) {
            if (*count == header->count)
                return nnc_fail(error, "the columns '%s' are more than the file has", columns);
            order[(*count)++] = c;
        }
        at += length;
        if (!*at) return true;
    }
}

/* ---- values ---- */

typedef struct Value {
    double number;
    int64_t whole; /* of an integer's dtype */
} Value;

/* Digits alone are exact; with a point or an exponent a whole number below 2^53 is. */
static bool whole_number(const char *text, double number, int64_t *out) {
    const char *at = text + (*text == '+' || *text == '-');
    int64_t value = 0;
    *out = 0;
    for (; isdigit((unsigned char)*at); ++at) {
        int digit = *text == '-' ? '0' - *at : *at - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (!*at) {
        *out = value;
        return true;
    }
    if (number != floor(number) || !(fabs(number) < 0x1p53)) return false;
    *out = (int64_t)number;
    return true;
}

/* Whether the number that `text` is has a place in the dtype. */
static bool check_value(int dtype, const char *text, Value *value) {
    static const struct {
        int dtype;
        int64_t low, high;
    } ranges[] = {{NNC_BOOL, 0, 1},
                  {NNC_U8, 0, UINT8_MAX},
                  {NNC_I8, INT8_MIN, INT8_MAX},
                  {NNC_I16, INT16_MIN, INT16_MAX},
                  {NNC_I32, INT32_MIN, INT32_MAX},
                  {NNC_I64, INT64_MIN, INT64_MAX}};
    if (nnc_dtype_is_float(dtype)) {
        double rounded;
        nnc_element_set(dtype, &rounded, 0, value->number);
        return isfinite(nnc_element_get(dtype, &rounded, 0));
    }
    if (!whole_number(text, value->number, &value->whole)) return false;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; ++i)
        if (ranges[i].dtype == dtype)
            return value->whole >= ranges[i].low && value->whole <= ranges[i].high;
    return false;
}

static void set_value(NncArray *out, size_t element, const Value *value) {
    if (out->dtype == NNC_I64)
        ((int64_t *)out->data)[element] = value->whole;
    else
        nnc_element_set(out->dtype, out->data, element,
                        nnc_dtype_is_float(out->dtype) ? value->number : (double)value->whole);
}

static bool fail_value(const Header *header, int64_t line, int64_t column, const char *text,
                       int dtype, bool is_number, NncError *error) {
    nnc_fail(error, "line %" PRId64 ", column %" PRId64, line, column);
    if (header->is_header) {
        nnc_error_add(error, " (");
        add_text(error, header->names[column].text);
        nnc_error_add(error, ")");
    }
    if (!*text) return nnc_error_add(error, ": there is no value"), false;
    nnc_error_add(error, ": '");
    add_text(error, text);
    if (!is_number)
        nnc_error_add(error, "' is not a number");
    else if (nnc_dtype_is_float(dtype))
        nnc_error_add(error, "' is out of the range of %s", nnc_dtype_name(dtype));
    else
        nnc_error_add(error, "' is not a number of type %s", nnc_dtype_name(dtype));
    return false;
}

/* One row into `row`, a number per column of the file; false at a mistake.  `wanted`: by column. */
static bool read_row(Csv *csv, const Header *header, const bool *wanted, int dtype, Value *row,
                     NncError *error) {
    Field field = {0};
    int64_t line = csv->line, count = 0;
    char text[FIELD_LIMIT];
    while (!field.last) {
        if (!next_field(csv, &field, error)) return false;
        if (count == header->count)
            return nnc_fail(error, "line %" PRId64 " has more than %" PRId64 " columns", line,
                            count);
        if (wanted[count]) {
            bool fits = field_text(&field, text);
            bool is_number = fits && field_number(text, &row[count].number);
            if (!is_number || !check_value(dtype, text, &row[count]))
                return fail_value(header, line, count, text, dtype, is_number, error);
        }
        ++count;
    }
    if (count == header->count) return true;
    return nnc_fail(error, "line %" PRId64 " has %" PRId64 " column%s, not %" PRId64, line, count,
                    count == 1 ? "" : "s", header->count);
}

static int64_t count_rows(Csv csv) {
    int64_t rows = 0;
    for (skip_empty(&csv); csv.at < csv.end; skip_empty(&csv)) {
        Field field = {0};
        NncError ignored;
        while (!field.last)
            if (!next_field(&csv, &field, &ignored))
                return rows + 1; /* found again as it is read */
        ++rows;
    }
    return rows;
}

static bool read_rows(Csv csv, const Header *header, const int64_t *order, int64_t count,
                      bool *wanted, Value *row, NncArray *out, NncError *error) {
    for (int64_t k = 0; k < count; ++k) wanted[order[k]] = true;
    size_t element = 0;
    for (skip_empty(&csv); csv.at < csv.end; skip_empty(&csv)) {
        if (!read_row(&csv, header, wanted, out->dtype, row, error)) return false;
        for (int64_t k = 0; k < count; ++k) set_value(out, element++, &row[order[k]]);
    }
    return true;
}

bool nnc_csv_parse(const void *bytes, size_t length, char separator, const char *columns, int dtype,
                   NncArray *out, NncError *error) {
    Csv csv = {bytes, (const char *)bytes + length, separator, 1};
    *out = (NncArray){0};
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) csv.at += 3;
    skip_empty(&csv);
    if (csv.at == csv.end) return nnc_fail(error, "the file has no rows");
    Header header;
    bool good = read_header(&csv, columns, &header, error);
    size_t room = (size_t)header.count + 1;
    int64_t *order = good ? nnc_allocate(room * sizeof *order, error) : NULL, count = 0;
    Value *row = order ? nnc_allocate(room * sizeof *row, error) : NULL;
    bool *wanted = row ? nnc_allocate_zeroed(room, error) : NULL;
    good = wanted && choose_columns(&header, columns, order, &count, error) &&
           check_first_line(&header, order, count, error);
    if (good) {
        int64_t dims[2] = {count_rows(csv), count};
        good = nnc_array_create(out, dtype, 2, dims, error);
    }
    if (good && !read_rows(csv, &header, order, count, wanted, row, out, error)) {
        nnc_array_free(out);
        good = false;
    }
    nnc_release(wanted);
    nnc_release(row);
    nnc_release(order);
    nnc_release(header.names);
    return good;
}
