/* Tokens, dims and types of the textual IR. */
#include <string.h>

#include "tensor/text/read_internal.h"

void reader_fail(Reader *r, const char *format, ...) {
    if (r->error) return;
    Text text = text_new(r->arena);
    text_printf(&text, "line %d: ", r->line);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    r->error = text.data;
}

static void skip(Reader *r) {
    for (;; r->at++) {
        if (*r->at == '#')
            while (*r->at && *r->at != '\n') r->at++;
        if (*r->at == '\n')
            r->line++;
        else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r')
            return;
    }
}

bool reader_more_on_line(Reader *r) {
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\r') r->at++;
    return *r->at && *r->at != '\n' && *r->at != '#';
}

bool reader_at_end(Reader *r) {
    skip(r);
    return *r->at == 0;
}

bool reader_accept(Reader *r, const char *punctuation) {
    if (r->error) return false;
    skip(r);
    size_t n = strlen(punctuation);
    if (strncmp(r->at, punctuation, n) != 0) return false;
    r->at += n;
    return true;
}

void reader_expect(Reader *r, const char *punctuation) {
    if (!r->error && !reader_accept(r, punctuation))
        reader_fail(r, "expected '%s' before '%.12s'", punctuation, r->at);
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

/* Length of the word at the cursor; a range's ".." ends it. */
static size_t word_length(const Reader *r) {
    size_t n = 0;
    while (is_word(r->at[n]) && !(r->at[n] == '.' && r->at[n + 1] == '.')) n++;
    return n;
}

bool reader_accept_word(Reader *r, const char *word) {
    if (r->error) return false;
    skip(r);
    size_t n = word_length(r);
    if (n != strlen(word) || strncmp(r->at, word, n) != 0) return false;
    r->at += n;
    return true;
}

bool reader_peek_name(Reader *r) {
    if (r->error) return false;
    skip(r);
    return word_length(r) > 0 || *r->at == '"';
}

const char *reader_string(Reader *r) {
    reader_expect(r, "\"");
    Text text = text_new(r->arena);
    while (!r->error && *r->at != '"') {
        if (!*r->at || *r->at == '\n') {
            reader_fail(r, "a string without end");
            break;
        }
        if (*r->at == '\\' && r->at[1]) {
            r->at++;
            text_char(&text, *r->at == 'n' ? '\n' : *r->at);
        } else {
            text_char(&text, *r->at);
        }
        r->at++;
    }
    if (!r->error) r->at++;
    return text.data ? text.data : "";
}

Name reader_name(Reader *r) {
    if (!reader_peek_name(r)) {
        reader_fail(r, "expected a name before '%.12s'", r->at);
        return name_of("");
    }
    if (*r->at == '"') return name_of(reader_string(r));
    size_t n = word_length(r);
    Name name = name_of_n(r->at, n);
    r->at += n;
    return name;
}

const char *reader_raw(Reader *r) {
    size_t n = 0;
    while (r->at[n] && !strchr(" \t\r\n", r->at[n])) n++;
    const char *text = arena_strndup(r->arena, r->at, n);
    if (!r->error) r->at += n;
    return text;
}

int64_t reader_integer(Reader *r) {
    bool negative = reader_accept(r, "-");
    if (r->error) return 0;
    skip(r);
    if (reader_accept_word(r, "true")) return 1;
    if (reader_accept_word(r, "false")) return 0;
    const char *start = negative ? r->at - 1 : r->at;
    size_t n = word_length(r);
    int64_t value = 0;
    /* The sign belongs to the number: INT64_MIN has no positive twin. */
    Text text = text_new(r->arena);
    if (negative) text_char(&text, '-');
    text_append_n(&text, r->at, n);
    uint64_t magnitude = 0;
    bool good = n > 0;
    for (size_t i = 0; i < n; i++) {
        if (r->at[i] < '0' || r->at[i] > '9' || magnitude > (UINT64_MAX - 9) / 10)
            good = false;
        else
            magnitude = magnitude * 10 + (uint64_t)(r->at[i] - '0');
    }
    if (!good || magnitude > (uint64_t)INT64_MAX + negative) {
        reader_fail(r, "expected an integer before '%.12s'", start);
        return 0;
    }
    value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    r->at += n;
    return value;
}

double reader_double(Reader *r) {
    if (r->error) return 0;
    skip(r);
    size_t n = 0;
    while (is_word(r->at[n]) || r->at[n] == '-' || r->at[n] == '+') n++;
    double value = 0;
    bool negative = n && r->at[0] == '-';
    const char *body = r->at + negative;
    size_t length = n - negative;
    if (length == 3 && !strncmp(body, "inf", 3))
        value = __builtin_inf();
    else if (length == 3 && !strncmp(body, "nan", 3))
        value = __builtin_nan("");
    else if (!text_parse_double(body, length, &value))
        reader_fail(r, "expected a number before '%.12s'", r->at);
    if (!r->error) r->at += n;
    return negative ? -value : value;
}

/* ---- dims ---- */

const Dim *reader_symbol(Reader *r, Name name) {
    for (Scope *s = r->scope; s; s = s->outer)
        for (int i = s->symbols.count - 1; i >= 0; i--)
            if (dim_as_symbol(s->symbols.data[i])->name == name) return s->symbols.data[i];
    if (r->table_symbols)
        for (int i = dim_symbol_count(r->dims) - 1; i >= 0; i--)
            if (dim_symbol_at(r->dims, i)->name == name)
                return dim_of_symbol(r->dims, dim_symbol_at(r->dims, i));
    /* A new symbol belongs to the outermost scope: a root's cells, or the lone graph. */
    const Dim *d = dim_symbol(r->dims, name);
    Scope *outermost = r->scope;
    while (outermost->outer) outermost = outermost->outer;
    vector_push(r->arena, &outermost->symbols, d);
    return d;
}

static const Dim *read_primary(Reader *r) {
    if (reader_accept(r, "(")) {
        const Dim *d = reader_dim(r);
        reader_expect(r, ")");
        return d;
    }
    if (r->error) return NULL;
    skip(r);
    if (*r->at >= '0' && *r->at <= '9') return dim_const(r->dims, reader_integer(r));
    Name name = reader_name(r);
    if (r->error) return NULL;
    if (strcmp(name->text, "max") == 0 && reader_accept(r, "(")) {
        const Dim *a = reader_dim(r);
        reader_expect(r, ",");
        const Dim *b = reader_dim(r);
        reader_expect(r, ")");
        return dim_max(r->dims, a, b);
    }
    return reader_symbol(r, name);
}

static const Dim *read_unary(Reader *r) {
    if (r->depth > 200) reader_fail(r, "a dim nested too deeply");
    if (r->error) return NULL;
    r->depth++;
    const Dim *d;
    if (reader_accept(r, "-")) {
        skip(r);
        if (*r->at >= '0' && *r->at <= '9') {
            r->at--; /* the number takes its sign, so that INT64_MIN reads */
            if (*r->at != '-') {
                r->at++;
                d = dim_neg(r->dims, read_unary(r));
            } else {
                d = dim_const(r->dims, reader_integer(r));
            }
        } else {
            d = dim_neg(r->dims, read_unary(r));
        }
    } else {
        d = read_primary(r);
    }
    r->depth--;
    return d;
}

static const Dim *read_product(Reader *r) {
    const Dim *d = read_unary(r);
    for (;;) {
        if (reader_accept(r, "//"))
            d = dim_floordiv(r->dims, d, read_unary(r));
        else if (reader_accept(r, "*"))
            d = dim_mul(r->dims, d, read_unary(r));
        else
            return d;
    }
}

const Dim *reader_dim(Reader *r) {
    if (r->depth > 200) reader_fail(r, "a dim nested too deeply");
    if (r->error) return NULL;
    r->depth++;
    const Dim *d = read_product(r);
    for (;;) {
        if (reader_accept(r, "+"))
            d = dim_add(r->dims, d, read_product(r));
        else if (!r->error && (skip(r), r->at[0] == '-' && r->at[1] != '>') &&
                 reader_accept(r, "-"))
            d = dim_sub(r->dims, d, read_product(r));
        else
            break;
    }
    r->depth--;
    if (!d) reader_fail(r, "a dim that overflows, or divides by what may not be positive");
    return d;
}

TensorType reader_type(Reader *r) {
    TensorType type = {0};
    Name name = reader_name(r);
    if (!r->error && !dtype_parse(name->text, &type.dtype))
        reader_fail(r, "%s is no dtype", name->text);
    if (r->error || !reader_accept(r, "[")) return type;
    while (!r->error && !reader_accept(r, "]")) {
        if (type.shape.rank == SHAPE_MAX_RANK) {
            reader_fail(r, "more than %d axes", SHAPE_MAX_RANK);
            break;
        }
        if (type.shape.rank) reader_expect(r, ",");
        type.shape.dims[type.shape.rank++] = reader_dim(r);
    }
    return type;
}
