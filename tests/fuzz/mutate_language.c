/* Mutation of source text by tokens and by grammar.
 *
 * The text is cut into tokens (roughly: words, numbers, strings, operators, line ends).  A change
 * replaces a token by one of its class, moves balanced parts and lines, or puts a new expression or
 * statement made from a small grammar in a place where one stands.  Names come from the text itself
 * and from the library, operators and keywords from the grammar's own token list. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "fuzz.h"
#include "base/text.h"
#include "fuzz_tokens.inc"
#include "lower/lower.h"

enum { TOKEN_LIMIT = 8192, NAME_LIMIT = 2048, OUT_LIMIT = 4096 };

typedef enum TokenClass {
    CLASS_NAME,
    CLASS_NUMBER,
    CLASS_STRING,
    CLASS_OPERATOR,
    CLASS_LINE
} TokenClass;
typedef struct Token {
    TokenClass kind;
    size_t begin, end;
} Token;

typedef struct Mutation {
    uint8_t *data;
    size_t size, capacity;
    uint64_t *random;
    Token tokens[TOKEN_LIMIT];
    size_t count;
    char out[OUT_LIMIT]; /* generated text */
    size_t used;
} Mutation;

/* ---- words ---- */

static const char *library[NAME_LIMIT];
static size_t library_count;

static void add_name(void *user, const char *space, const char *name) {
    static char text[NAME_LIMIT][64];
    (void)user;
    if (library_count + 1 >= NAME_LIMIT) return;
    snprintf(text[library_count], sizeof text[0], "%s%s%s", space, *space ? "." : "", name);
    library[library_count] = text[library_count];
    library_count++;
}

static void load_library(void) {
    if (library_count) return;
    Arena *arena = arena_new(); /* of the names, which add_name copies */
    names_init(arena);
    lower_visit_library(add_name, NULL);
    arena_free(arena);
}

const char *target_word(int index) {
    load_library();
    size_t tokens = sizeof token_words / sizeof *token_words;
    if ((size_t)index < tokens) return token_words[index];
    return (size_t)index < tokens + library_count ? library[(size_t)index - tokens] : NULL;
}

static const char *const numbers[] = {"0",
                                      "1",
                                      "2",
                                      "3",
                                      "8",
                                      "-1",
                                      "0.5",
                                      "1e-5",
                                      "1e300",
                                      "1e400",
                                      "255",
                                      "65536",
                                      "2147483648",
                                      "4294967296",
                                      "9223372036854775807",
                                      "100",
                                      "1_000",
                                      "0x7fffffffffffffff",
                                      "0b1",
                                      "9223372036854775808"};
static const char *const strings[] = {
    "\"\"",   "'x'",         "\"{x}\"",          "\"*/ ?\?/ %s \\\\\"",
    "'self'", "\"\\u00e9\"", "\"\"\"a\nb\"\"\"", "'mean'",
    "'sum'",  "'none'",      "\"a b->c\""};
static const char *const types[] = {"f32",  "f64", "i64",   "u8",  "bool", "f16",
                                    "bf16", "int", "float", "str", "D"};
#define PICK(m, list) (list)[fuzz_below((m)->random, sizeof(list) / sizeof *(list))]

/* ---- tokens ---- */

static size_t end_of_string(const uint8_t *data, size_t size, size_t at) {
    uint8_t quote = data[at];
    for (size_t i = at + 1; i < size && data[i] != '\n'; i++) {
        if (data[i] == '\\')
            i++;
        else if (data[i] == quote)
            return i + 1;
    }
    return at + 1;
}

static void cut_tokens(Mutation *m) {
    m->count = 0;
    for (size_t at = 0, end; at < m->size && m->count < TOKEN_LIMIT; at = end) {
        uint8_t c = m->data[at];
        TokenClass kind = CLASS_OPERATOR;
        end = at + 1;
        if (c == ' ' || c == '\t' || c == '\r') continue;
        if (isalpha(c) || c == '_') {
            kind = CLASS_NAME;
            while (end < m->size && (isalnum(m->data[end]) || m->data[end] == '_')) end++;
        } else if (isdigit(c)) {
            kind = CLASS_NUMBER;
            while (end < m->size && (isalnum(m->data[end]) || m->data[end] == '.')) end++;
        } else if (c == '"' || c == '\'') {
            kind = CLASS_STRING;
            end = end_of_string(m->data, m->size, at);
        } else if (c == '#') {
            while (end < m->size && m->data[end] != '\n') end++;
            continue;
        } else if (c == '\n') {
            kind = CLASS_LINE;
        } else {
            while (end < m->size && end < at + 3 && strchr("=*/<>-.", m->data[end])) end++;
        }
        m->tokens[m->count++] = (Token){kind, at, end};
    }
}

/* A token of the class, from a random place on; NULL if there is none. */
static const Token *pick_token(const Mutation *m, TokenClass kind) {
    size_t start = fuzz_below(m->random, m->count);
    for (size_t i = 0; i < m->count; i++) {
        const Token *t = &m->tokens[(start + i) % m->count];
        if (t->kind == kind) return t;
    }
    return NULL;
}

/* The balanced part that begins at token i, as the end of its last token; 0 if it is none. */
static size_t end_of_part(const Mutation *m, size_t i) {
    int depth = 0;
    for (size_t k = i; k < m->count; k++) {
        uint8_t c = m->data[m->tokens[k].begin];
        if (m->tokens[k].kind != CLASS_OPERATOR) continue;
        if (strchr("([{", c)) depth++;
        if (strchr(")]}", c) && --depth == 0) return m->tokens[k].end;
        if (depth <= 0) return 0;
    }
    return 0;
}

/* ---- generation ---- */

static void put(Mutation *m, const char *text) {
    size_t length = strlen(text);
    if (m->used + length >= OUT_LIMIT) return;
    memcpy(m->out + m->used, text, length);
    m->used += length;
}

static void put_name(Mutation *m) {
    const Token *t = pick_token(m, CLASS_NAME);
    size_t length = t ? t->end - t->begin : 0;
    if (!t || m->used + length >= OUT_LIMIT || fuzz_below(m->random, 6) == 0) {
        put(m, PICK(m, ((const char *const[]){"x", "self", "N", "i", "main", "loss", "self.fc"})));
        return;
    }
    memcpy(m->out + m->used, m->data + t->begin, length);
    m->used += length;
}

static void put_expression(Mutation *m, int depth);

static void put_list(Mutation *m, int depth) {
    for (size_t n = fuzz_below(m->random, 4), i = 0; i < n; i++) {
        if (i) put(m, ", ");
        put_expression(m, depth);
    }
}

/* A row per form: literal text; e an expression, n a name, l a list of expressions, f a function of
 * the library, # a number, s a string, t a type, o an operator. */
static const char *const expression_forms[] = {"n",
                                               "#",
                                               "n",
                                               "s",
                                               "n.n",
                                               "(e o e)",
                                               "e o e",
                                               "-e",
                                               "not e",
                                               "f(l)",
                                               "f(e)",
                                               "e.n(l)",
                                               "n(l)",
                                               "n(e, n=e)",
                                               "e[e]",
                                               "e[e:e]",
                                               "e[..., e]",
                                               "e[None, :, e]",
                                               "(l)",
                                               "[l]",
                                               "[e for n in e]",
                                               "[e for n in range(#) if e]",
                                               "e if e else e",
                                               "(e)",
                                               "e ** #",
                                               "e @ e.T",
                                               "{'k': e}",
                                               "tuple(l)",
                                               "e.view(-1, #)",
                                               "f(e, dim=#)",
                                               "zeros(l)",
                                               "grad(e, e)",
                                               "where(e > #, e, e)",
                                               "e.mean()",
                                               "None",
                                               "True",
                                               "(e < e <= e)",
                                               "t",
                                               "len(e)",
                                               "sum(l)",
                                               "e in e",
                                               "e.shape[#]",
                                               "s * #",
                                               "[e] * #",
                                               "e // #",
                                               "e % #"};
static const char *const statement_forms[] = {
    "n = e",
    "n = e",
    "n o= e",
    "n, n = e",
    "if e { n = e }",
    "if e { n = e } else { n = e }",
    "for n in e { n = e }",
    "for n in range(#) { n = e }",
    "return e",
    "return e, e",
    "assert e, s",
    "self.n = e",
    "param n: t[l] = e",
    "buffer n: t = #",
    "state n: t[l] = #",
    "n = scan n = e for n in e { n = e\nyield n }",
    "no_grad { n = e }",
    "e.backward()",
    "self.n.step()",
    "def n(n, n: t[n], n=e) -> t[n] { return e }",
    "module n(n: int = #) { self.n = e }",
    "export e as n",
    "import s as n",
    "import \"self.nn\" as n",
    "from \"self.nn\" import n",
    "pass",
    "e",
    "vjp n(n, dy) { return e }",
    "train n { self.n = e }",
    "optimizer n(n: f32 = #) { state n = # }",
    "def forward(self, n: t[n, #]) -> (n: t[n]) where n % # == 0 { return e }"};

static void put_form(Mutation *m, const char *form, int depth) {
    for (; *form; form++) {
        bool word = (isalpha((unsigned char)form[0]) && isalpha((unsigned char)form[1]));
        if (word) {
            do {
                char one[2] = {*form, 0};
                put(m, one);
            } while (isalpha((unsigned char)*++form));
            form--;
            continue;
        }
        switch (*form) {
        case 'e': put_expression(m, depth - 1); break;
        case 'n': put_name(m); break;
        case 'l': put_list(m, depth - 1); break;
        case 'f':
            put(m, library_count ? library[fuzz_below(m->random, library_count)] : "F.relu");
            break;
        case '#': put(m, PICK(m, numbers)); break;
        case 's': put(m, PICK(m, strings)); break;
        case 't': put(m, PICK(m, types)); break;
        case 'o':
            put(m, PICK(m, ((const char *const[]){"+", "-", "*", "/", "//", "%", "@", "&", "|"})));
            break;
        default: {
            char one[2] = {*form, 0};
            put(m, one);
        }
        }
    }
}

static void put_expression(Mutation *m, int depth) {
    put_form(m, depth <= 0 ? expression_forms[fuzz_below(m->random, 4)] : PICK(m, expression_forms),
             depth);
}

/* ---- changes ---- */

static void replace(Mutation *m, size_t begin, size_t end, const void *text, size_t length) {
    m->size = replace_bytes(m->data, m->size, m->capacity, begin, end, text, length);
}

static void replace_by_class(Mutation *m) {
    Token t = m->tokens[fuzz_below(m->random, m->count)];
    m->used = 0;
    if (t.kind == CLASS_NUMBER)
        put(m, PICK(m, numbers));
    else if (t.kind == CLASS_STRING)
        put(m, PICK(m, strings));
    else if (t.kind == CLASS_OPERATOR)
        put(m, PICK(m, token_words));
    else if (t.kind == CLASS_NAME && fuzz_below(m->random, 3))
        put_name(m);
    else if (t.kind == CLASS_NAME)
        put_form(m, fuzz_below(m->random, 3) ? "f" : "t", 0);
    else
        put(m, "; ");
    replace(m, t.begin, t.end, m->out, m->used);
}

/* A new expression for a name, a number or a balanced part, or around one. */
static void replace_expression(Mutation *m) {
    size_t i = fuzz_below(m->random, m->count), end = end_of_part(m, i);
    Token t = m->tokens[i];
    if (!end && t.kind != CLASS_NAME && t.kind != CLASS_NUMBER) return;
    m->used = 0;
    put_form(m, "(e)", 3);
    replace(m, t.begin, end ? end : t.end, m->out, m->used);
}

static void move_part(Mutation *m) {
    size_t i = fuzz_below(m->random, m->count), k = fuzz_below(m->random, m->count);
    size_t from_end = end_of_part(m, i), to_end = end_of_part(m, k);
    Token from = m->tokens[i], to = m->tokens[k];
    if (!from_end) from_end = from.end;
    if (!to_end) to_end = to.end;
    size_t length = from_end - from.begin;
    if (length > OUT_LIMIT) return;
    memcpy(m->out, m->data + from.begin, length);
    replace(m, to.begin, to_end, m->out, length);
}

static void change_line(Mutation *m, const uint8_t *other, size_t other_size) {
    const Token *at = pick_token(m, CLASS_LINE);
    if (!at) return;
    size_t begin = at->end, end = begin;
    while (end < m->size && m->data[end] != '\n') end++;
    size_t length = end - begin;
    switch (fuzz_below(m->random, 5)) {
    case 0: replace(m, begin, end < m->size ? end + 1 : end, NULL, 0); break;
    case 1:
        if (length >= OUT_LIMIT) break;
        memcpy(m->out, m->data + begin, length);
        m->out[length] = '\n';
        replace(m, begin, begin, m->out, length + 1);
        break;
    case 2: {
        if (!other_size) break;
        size_t from = fuzz_below(m->random, other_size), to = from;
        while (from > 0 && other[from - 1] != '\n') from--;
        while (to < other_size && other[to] != '\n') to++;
        replace(m, begin, begin, other + from, to < other_size ? to + 1 - from : to - from);
        break;
    }
    default:
        m->used = 0;
        put_form(m, PICK(m, statement_forms), 3);
        put(m, "\n");
        replace(m, begin, begin, m->out, m->used);
    }
}

/* The token many times: depth, and long chains. */
static void repeat_token(Mutation *m) {
    Token t = m->tokens[fuzz_below(m->random, m->count)];
    size_t length = t.end - t.begin, times = (size_t)1 << fuzz_below(m->random, 12);
    uint8_t word[64];
    if (length > sizeof word) return;
    memcpy(word, m->data + t.begin, length);
    for (size_t i = 0; i < times; i++) replace(m, t.begin, t.begin, word, length);
}

size_t target_mutate(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                     size_t other_size, uint64_t *random) {
    static Mutation m;
    m.data = data;
    m.size = size;
    m.capacity = capacity;
    m.random = random;
    load_library();
    for (size_t edits = 1 + fuzz_below(random, 3); edits; edits--) {
        cut_tokens(&m);
        size_t what = m.count ? fuzz_below(random, 40) : 0;
        if (what < 2)
            m.size = mutate_bytes(data, m.size, capacity, other, other_size, random);
        else if (what < 14)
            replace_by_class(&m);
        else if (what < 24)
            replace_expression(&m);
        else if (what < 29)
            move_part(&m);
        else if (what < 39)
            change_line(&m, other, other_size);
        else
            repeat_token(&m);
    }
    return m.size;
}
