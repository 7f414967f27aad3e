/* The door to the generated scanner and parser: text -> tokens -> filtered tokens -> tree.
 *
 * The only file that includes generated code.  Scanner and parser allocate in the arena, so a
 * failed allocation leaves nothing behind.  The text is checked to be UTF-8 without zero bytes
 * before it is scanned. */
#include "syntax/parse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "syntax/build.h"
#include "nn_parser.h"

/* ---- scanner callbacks ---- */

static void scanner_skip(Scanner *s, int length) {
    s->offset += (uint32_t)length;
}

static void scanner_newline(Scanner *s, int length) {
    s->offset += (uint32_t)length;
    if (s->at_line_start) s->blank_lines++;
    s->at_line_start = true;
}

/* Limits of a file: what is longer was not written by a person, and every later pass may allocate
 * in proportion to the number of tokens. */
enum { TOKEN_LIMIT = 400000, NAME_LIMIT = 255 };

/* Past the limit tokens go to the last place, which stays the end of the file's text. */
static Token *scanner_token(Scanner *s, int length, int kind) {
    if (s->tokens.count == TOKEN_LIMIT) {
        if (!s->too_long)
            diagnose(s->sink, NN_TOO_LONG, (Span){s->file, s->offset, s->offset + (uint32_t)length},
                     "the file has more than %d tokens", TOKEN_LIMIT);
        s->too_long = true;
        s->tokens.count--;
    }
    Token token = {.kind = kind,
                   .span = {s->file, s->offset, s->offset + (uint32_t)length},
                   .newline_before = s->at_line_start};
    s->offset += (uint32_t)length;
    s->at_line_start = false;
    s->blank_lines = 0;
    vector_push(s->scratch, &s->tokens, token);
    return &vector_last(&s->tokens);
}

static void scanner_comment(Scanner *s, int length) {
    const char *text = s->file->text + s->offset;
    while (length > 1 && (text[length - 1] == ' ' || text[length - 1] == '\t')) length--;
    Trivia trivia = {.span = {s->file, s->offset, s->offset + (uint32_t)length},
                     .doc = length >= 2 && text[1] == '#' && !(length >= 3 && text[2] == '#'),
                     .own_line = s->at_line_start,
                     .blank_lines_before = s->blank_lines};
    s->offset += (uint32_t)length;
    while (text[length] == ' ' || text[length] == '\t') length++, s->offset++;
    s->blank_lines = 0;
    vector_push(s->arena, &s->trivia, trivia);
    /* the line end that follows is not a blank line */
    if (s->at_line_start) s->blank_lines = -1;
}

static const struct {
    const char *word;
    int kind;
} keywords[] = {
    {"and", TOKEN_AND},
    {"as", TOKEN_AS},
    {"assert", TOKEN_ASSERT},
    {"async", TOKEN_ASYNC},
    {"await", TOKEN_AWAIT},
    {"break", TOKEN_BREAK},
    {"class", TOKEN_CLASS},
    {"continue", TOKEN_CONTINUE},
    {"def", TOKEN_DEF},
    {"del", TOKEN_DEL},
    {"elif", TOKEN_ELIF},
    {"else", TOKEN_ELSE},
    {"except", TOKEN_EXCEPT},
    {"False", TOKEN_FALSE},
    {"finally", TOKEN_FINALLY},
    {"for", TOKEN_FOR},
    {"from", TOKEN_FROM},
    {"global", TOKEN_GLOBAL},
    {"if", TOKEN_IF},
    {"import", TOKEN_IMPORT},
    {"in", TOKEN_IN},
    {"is", TOKEN_IS},
    {"lambda", TOKEN_LAMBDA},
    {"None", TOKEN_NONE},
    {"nonlocal", TOKEN_NONLOCAL},
    {"not", TOKEN_NOT},
    {"or", TOKEN_OR},
    {"pass", TOKEN_PASS},
    {"raise", TOKEN_RAISE},
    {"return", TOKEN_RETURN},
    {"True", TOKEN_TRUE},
    {"try", TOKEN_TRY},
    {"while", TOKEN_WHILE},
    {"with", TOKEN_WITH},
    {"yield", TOKEN_YIELD},
};

static void scanner_word(Scanner *s, int length) {
    Token *token = scanner_token(s, length, TOKEN_NAME);
    if (length > NAME_LIMIT)
        diagnose(s->sink, NN_TOO_LONG, token->span, "the name has %d characters, at most %d may be",
                 length, NAME_LIMIT);
    token->name = name_of_n(s->file->text + token->span.begin, (size_t)length);
    const char *text = token->name->text;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (keywords[i].word[0] == text[0] && !strcmp(keywords[i].word, text))
            token->kind = keywords[i].kind;
}

static void number_text(Scanner *s, Token *token) {
    token->length = token->span.end - token->span.begin;
    token->text = arena_strndup(s->arena, s->file->text + token->span.begin, token->length);
}

static void scanner_float(Scanner *s, int length) {
    Token *token = scanner_token(s, length, TOKEN_FLOAT);
    number_text(s, token);
    token->is_float = true;
    if (!text_parse_double(token->text, token->length, &token->number))
        diagnose(s->sink, NN_BAD_NUMBER, token->span, "`%s` is not a number", token->text);
    else if (isinf(token->number)) {
        Diagnostic *d = diagnose(s->sink, NN_NUMBER_TOO_LARGE, token->span,
                                 "`%s` is larger than any double", token->text);
        diagnostic_help(d, "infinity is float(\"inf\")");
    }
}

static void bad_number(Scanner *s, Token *token) {
    diagnose(s->sink, NN_BAD_NUMBER, token->span, "`%s` is not a number", token->text);
}

/* Does the last token follow a minus that has nothing to its left to subtract from? */
static bool after_sign(const Scanner *s) {
    const Token *token = &vector_last(&s->tokens);
    if (s->tokens.count < 2 || token[-1].kind != '-') return false;
    if (s->tokens.count == 2) return true;
    static const int operands[] = {TOKEN_NAME, TOKEN_INT,   TOKEN_FLOAT, TOKEN_STRING,
                                   TOKEN_TRUE, TOKEN_FALSE, TOKEN_NONE,  TOKEN_ELLIPSIS,
                                   ')',        ']',         '}'};
    for (size_t i = 0; i < sizeof operands / sizeof *operands; i++)
        if (token[-2].kind == operands[i]) return false;
    return true;
}

/* 2**63 stands only behind a sign; its token holds the negative number. */
static bool lowest_integer(const Scanner *s, Token *token) {
    if (!after_sign(s)) return false;
    if (token->text[0] == '0' && strchr("0123456789_", token->text[1])) return false;
    const char *text = arena_printf(s->arena, "-%s", token->text);
    return text_parse_int(text, token->length + 1, &token->integer) && token->integer == INT64_MIN;
}

static void scanner_integer(Scanner *s, int length) {
    Token *token = scanner_token(s, length, TOKEN_INT);
    number_text(s, token);
    const char *text = token->text;
    size_t zeros = strspn(text, "0_");
    if (text_parse_int(text, token->length, &token->integer)) {
        token->number = (double)token->integer;
        if (text[0] == '0' && token->length > 1 && text[1] >= '0' && text[1] <= '9' &&
            zeros < token->length)
            bad_number(s, token);
        return;
    }
    if (lowest_integer(s, token)) {
        token->number = -(double)INT64_MIN;
        return;
    }
    /* malformed or too large: too large reads as a number when every digit is replaced by 0 */
    char *zeroed = arena_strdup(s->arena, text);
    bool prefixed = text[0] == '0' && token->length > 2 && strchr("xXoObB", text[1]);
    for (size_t i = prefixed ? 2 : 0; i < token->length; i++) {
        bool digit = zeroed[i] >= '0' && zeroed[i] <= (prefixed && strchr("bB", text[1])   ? '1'
                                                       : prefixed && strchr("oO", text[1]) ? '7'
                                                                                           : '9');
        bool letter = prefixed && strchr("xX", text[1]) && strchr("abcdefABCDEF", zeroed[i]);
        if (digit || letter) zeroed[i] = '0';
    }
    int64_t ignored;
    if (text_parse_int(zeroed, token->length, &ignored)) {
        Diagnostic *d = diagnose(s->sink, NN_NUMBER_TOO_LARGE, token->span,
                                 "the integer does not fit into 64 bits");
        diagnostic_help(d, "the largest is 9223372036854775807; a float is written 1e20");
    } else {
        bad_number(s, token);
    }
}

static void scanner_bad_number(Scanner *s, int length) {
    Token *token = scanner_token(s, length, TOKEN_FLOAT);
    number_text(s, token);
    token->is_float = true;
    bad_number(s, token);
}

static void append_utf8(Text *text, uint32_t c) {
    if (c < 0x80) {
        text_char(text, (char)c);
    } else if (c < 0x800) {
        text_char(text, (char)(0xC0 | c >> 6));
        text_char(text, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        text_char(text, (char)(0xE0 | c >> 12));
        text_char(text, (char)(0x80 | (c >> 6 & 0x3F)));
        text_char(text, (char)(0x80 | (c & 0x3F)));
    } else {
        text_char(text, (char)(0xF0 | c >> 18));
        text_char(text, (char)(0x80 | (c >> 12 & 0x3F)));
        text_char(text, (char)(0x80 | (c >> 6 & 0x3F)));
        text_char(text, (char)(0x80 | (c & 0x3F)));
    }
}

static const char escape_letters[] = "ntr\\'\"abfv", escape_values[] = "\n\t\r\\'\"\a\b\f\v";

/* One escape sequence at p (after the backslash); returns the character after it. */
static const char *string_escape(Scanner *s, Text *out, const char *p, const char *end, Span span) {
    if (*p == '\r' && p + 1 < end && p[1] == '\n') return p + 2;
    if (*p == '\r' || *p == '\n') return p + 1;
    const char *known = strchr(escape_letters, *p);
    if (known && *p) {
        text_char(out, escape_values[known - escape_letters]);
        return p + 1;
    }
    int digits = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0, count = 0;
    uint32_t code = 0;
    if (digits) {
        while (count < digits && p + 1 + count < end &&
               strchr("0123456789abcdefABCDEF", p[1 + count])) {
            char c = p[1 + count++];
            code = code << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        }
        if (count == digits && code > 0 && code < 0x110000 && !(code >= 0xD800 && code < 0xE000)) {
            append_utf8(out, code);
            return p + 1 + count;
        }
    }
    if (digits || (*p >= '0' && *p <= '7')) {
        diagnose(s->sink, NN_BAD_STRING, span, "the escape `\\%c` in the string names no character",
                 *p);
        return p + 1 + count;
    }
    text_char(out, '\\'); /* unknown escapes stand for themselves, as in Python */
    text_char(out, *p);
    return p + 1;
}

static void scanner_string(Scanner *s, int length, int quotes) {
    Token *token = scanner_token(s, length, TOKEN_STRING);
    const char *p = s->file->text + token->span.begin + quotes,
               *end = s->file->text + token->span.end - quotes;
    Text value = text_new(s->arena);
    while (p < end) {
        if (*p != '\\')
            text_char(&value, *p++);
        else
            p = string_escape(s, &value, p + 1, end, token->span);
    }
    token->text = value.data;
    token->length = value.length;
}

static void scanner_open_string(Scanner *s, int length, bool triple) {
    Token *token = scanner_token(s, length, TOKEN_STRING);
    token->text = "";
    Diagnostic *d = diagnose(s->sink, NN_BAD_STRING, token->span, "the string is not closed");
    if (!triple)
        diagnostic_help(d, "end it on this line with %c", s->file->text[token->span.begin]);
}

/* Characters that look like the language's, with the token that is meant (0: none). */
static const struct {
    const char *character, *meant;
    int kind;
} lookalikes[] = {{"×", "*", '*'},
                  {"·", "*", '*'},
                  {"−", "-", '-'},
                  {"–", "-", '-'},
                  {"—", "-", '-'},
                  {"≤", "<=", TOKEN_LE},
                  {"≥", ">=", TOKEN_GE},
                  {"≠", "!=", TOKEN_NE},
                  {"→", "->", TOKEN_ARROW},
                  {"…", "...", TOKEN_ELLIPSIS},
                  {"“", "\"", 0},
                  {"”", "\"", 0},
                  {"‘", "'", 0},
                  {"’", "'", 0},
                  {"!", "not", TOKEN_NOT}};

static void scanner_bad_character(Scanner *s, int length) {
    Span span = {s->file, s->offset, s->offset + (uint32_t)length};
    const char *character = arena_strndup(s->arena, s->file->text + span.begin, (size_t)length);
    bool control = length == 1 && ((unsigned char)character[0] < 0x20 || character[0] == 0x7f);
    Diagnostic *d = control ? diagnose(s->sink, NN_BAD_CHARACTER, span,
                                       "the control character 0x%02x cannot stand here",
                                       (unsigned char)character[0])
                            : diagnose(s->sink, NN_BAD_CHARACTER, span,
                                       "the character `%s` cannot stand here", character);
    if (!strcmp(character, "\xC2\xA0"))
        diagnostic_help(d, "this is a no-break space: write a space");
    for (size_t i = 0; i < sizeof lookalikes / sizeof *lookalikes; i++) {
        if (strcmp(lookalikes[i].character, character)) continue;
        diagnostic_help(d, "write %s", lookalikes[i].meant);
        if (!lookalikes[i].kind) break;
        scanner_token(s, length, lookalikes[i].kind);
        return;
    }
    if (!strcmp(character, "\xC2\xA0"))
        scanner_skip(s, length);
    else
        scanner_token(s, length, '?')->reported =
            true; /* no token: the parser gives the statement up, in silence */
}

/* ---- generated scanner: memory from the arena ---- */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "nn_scanner.inc"
#pragma GCC diagnostic pop

void *nn_scan_alloc(yy_size_t bytes, yyscan_t scanner) {
    return arena_alloc(((struct yyguts_t *)scanner)->yyextra_r->scratch, bytes);
}
void *nn_scan_realloc(void *old, yy_size_t bytes, yyscan_t scanner) {
    /* called only to enlarge the stack of buffers, of which there is one */
    (void)old;
    (void)bytes;
    (void)scanner;
    return NULL;
}
void nn_scan_free(void *memory, yyscan_t scanner) {
    (void)memory;
    (void)scanner;
}

/* ---- generated parser ---- */

static int nn_lex(NN_STYPE *value, Span *location, Parser *parser) {
    const Token *token = &parser->tokens.data[parser->position];
    if (parser->position + 1 < parser->tokens.count) parser->position++;
    value->token = token;
    *location = token->span;
    return token->kind;
}

static void nn_error(Span *location, Parser *parser, const char *message) {
    (void)message; /* only "memory exhausted": the parser's stack is deeper than YYMAXDEPTH */
    if (!parser->too_deep) diagnose(parser->sink, NN_TOO_DEEP, *location, "nested too deeply");
    parser->too_deep = true;
}

#define YYLLOC_DEFAULT(Current, Rhs, N)                                                            \
    ((Current) = (N) ? (Span){YYRHSLOC(Rhs, 1).file, YYRHSLOC(Rhs, 1).begin, YYRHSLOC(Rhs, N).end} \
                     : (Span){YYRHSLOC(Rhs, 0).file, YYRHSLOC(Rhs, 0).end, YYRHSLOC(Rhs, 0).end})
#define YYSTACK_ALLOC(bytes) arena_alloc(parser->arena, (bytes))
#define YYMAXDEPTH 100000

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#undef yylex
#include "nn_parser.inc"
#pragma GCC diagnostic pop

/* Python's words that reach the parser are in a place where not even Python has them. */
static bool is_python_word(int kind) {
    return kind == TOKEN_CLASS || kind == TOKEN_WHILE || kind == TOKEN_WITH || kind == TOKEN_TRY ||
           kind == TOKEN_EXCEPT || kind == TOKEN_FINALLY || kind == TOKEN_LAMBDA ||
           kind == TOKEN_RAISE || kind == TOKEN_DEL || kind == TOKEN_GLOBAL ||
           kind == TOKEN_NONLOCAL || kind == TOKEN_ASYNC || kind == TOKEN_AWAIT;
}

/* `)` for a token of fixed text, "a name" for a kind of token. */
static void append_symbol(Text *text, yysymbol_kind_t symbol) {
    const char *name = yysymbol_name(symbol);
    size_t length = strlen(name);
    bool quoted = length == 3 && name[0] == '\'' && name[2] == '\'';
    if (quoted)
        text_printf(text, "`%c`", name[1]);
    else if (!strncmp(name, "a ", 2) || !strncmp(name, "end", 3))
        text_append(text, name);
    else
        text_printf(text, "`%s`", name);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *parser) {
    if (parser->silent) return 0;
    enum { MOST = 5 };
    yysymbol_kind_t expected[MOST];
    int count = yypcontext_expected_tokens(context, expected, MOST);
    yysymbol_kind_t symbol = yypcontext_token(context);
    Span span = *yypcontext_location(context);
    const Token *token = &parser->tokens.data[parser->position > 0 ? parser->position - 1 : 0];
    if (token->reported) return 0;
    Text message = text_new(parser->arena);
    text_append(&message, "unexpected ");
    if (symbol == YYSYMBOL_YYEOF)
        text_append(&message, "end of the file");
    else if (symbol == YYSYMBOL_NEWLINE)
        text_append(&message, "end of the line");
    else
        text_printf(&message, "`%.*s`", (int)(span.end - span.begin),
                    parser->file->text + span.begin);
    bool listed = count > 0 && count < MOST;
    for (int i = 0; listed && i < count; i++) {
        text_append(&message, i == 0 ? "; expected " : i + 1 < count ? ", " : " or ");
        append_symbol(&message, expected[i]);
    }
    Diagnostic *d = diagnose(parser->sink, NN_SYNTAX, span, "%s", message.data);
    if (is_python_word(token->kind))
        diagnostic_help(d, "`%s` is Python's; it has no meaning here", token->name->text);
    bool assign = false, block = false;
    for (int i = 0; listed && i < count; i++) {
        block = block || expected[i] == YYSYMBOL_BLOCK_OPEN;
    }
    assign = token->kind == '=';
    if (assign && block) diagnostic_help(d, "a comparison is written ==");
    if (symbol == YYSYMBOL_NEWLINE && block)
        diagnostic_help(d, "a block begins with { on the same line");
    return 0;
}

/* ---- encoding ---- */

/* Length of the valid UTF-8 sequence at p, 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left) {
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

static bool encoding_is_good(const SourceFile *file, DiagnosticSink *sink) {
    for (size_t i = 0; i < file->length;) {
        const unsigned char *p = (const unsigned char *)file->text + i;
        size_t n = *p ? utf8_sequence(p, file->length - i) : 0;
        if (n == 0) {
            Span span = {file, (uint32_t)i, (uint32_t)i};
            if (*p == 0)
                diagnose(sink, NN_ENCODING, span, "the file holds a zero byte");
            else
                diagnose(sink, NN_ENCODING, span, "the byte 0x%02x is not UTF-8", *p);
            return false;
        }
        i += n;
    }
    return true;
}

/* ---- the door ---- */

static void scan_tokens(Scanner *scanner, uint32_t begin, uint32_t end) {
    const SourceFile *file = scanner->file;
    scanner->offset = begin;
    scanner->at_line_start = true;
    struct yyguts_t *state = arena_alloc(scanner->scratch, sizeof *state);
    state->yyextra_r = scanner;
    yy_init_globals(state);
    nn_scan__scan_bytes(file->text + begin, (int)(end - begin), state);
    nn_scan_lex(state);
    scanner->offset = end;
    scanner->at_line_start = true;
    scanner_token(scanner, 0, 0);
}

static int compare_names(const void *a, const void *b) {
    uintptr_t x = (uintptr_t) * (const Name *)a, y = (uintptr_t) * (const Name *)b;
    return (x > y) - (x < y);
}

bool syntax_is_lost(const SourceUnit *unit, Name name) {
    return unit->lost_count &&
           bsearch(&name, unit->lost, (size_t)unit->lost_count, sizeof name, compare_names);
}

static void collect_lost_names(Parser *parser, const TokenVector *tokens, SourceUnit *unit) {
    VECTOR(Name) lost = {0};
    for (int e = 0; e < parser->errors.count; e++) {
        Span span = parser->errors.data[e];
        int first = 0, end = tokens->count;
        while (first < end) {
            int middle = first + (end - first) / 2;
            if (tokens->data[middle].span.begin < span.begin)
                first = middle + 1;
            else
                end = middle;
        }
        for (int i = first; i < tokens->count && tokens->data[i].span.end <= span.end; i++)
            if (tokens->data[i].name) vector_push(parser->arena, &lost, tokens->data[i].name);
    }
    if (lost.count) qsort(lost.data, (size_t)lost.count, sizeof *lost.data, compare_names);
    unit->lost = lost.data;
    unit->lost_count = lost.count;
}

/* NULL: too many tokens; the sink has the error. */
static Parser *parse_range(Arena *arena, Arena *scratch, const SourceFile *file, uint32_t begin,
                           uint32_t end, DiagnosticSink *sink, Scanner *scanner) {
    *scanner = (Scanner){.arena = arena, .scratch = scratch, .file = file, .sink = sink};
    size_t expected = (end - begin) / 4 + 16;
    vector_reserve(scratch, &scanner->tokens,
                   expected < TOKEN_LIMIT ? (int)expected : TOKEN_LIMIT + 1);
    scan_tokens(scanner, begin, end);
    if (scanner->too_long) return NULL;
    Parser *parser = NEW(scratch, Parser);
    *parser = (Parser){.arena = arena, .file = file, .sink = sink, .trivia = &scanner->trivia};
    int count = scanner->tokens.count;
    vector_reserve(scratch, &parser->tokens, count + count / 8 + 16);
    tokens_filter(scratch, file, &scanner->tokens, sink, &parser->tokens, &parser->errors,
                  &parser->silent);
    nn_parse(parser);
    return parser;
}

SourceUnit *syntax_parse_part(Arena *arena, const SourceFile *file, uint32_t begin, uint32_t end,
                              DiagnosticSink *sink) {
    SourceUnit *unit = NEW(arena, SourceUnit);
    Scanner scanner;
    unit->file = file;
    Arena *scratch = arena_new();
    Parser *parser = parse_range(arena, scratch, file, begin, end, sink, &scanner);
    if (parser) unit->top = parser->top;
    arena_free(scratch);
    return unit;
}

SourceUnit *syntax_parse(Arena *arena, const SourceFile *file, DiagnosticSink *sink) {
    SourceUnit *unit = NEW(arena, SourceUnit);
    unit->file = file;
    unit->top.span = (Span){file, 0, (uint32_t)file->length};
    if (file->length > INT32_MAX / 2) {
        diagnose(sink, NN_ENCODING, (Span){file, 0, 0}, "the file is larger than 1 GiB");
        return unit;
    }
    if (!encoding_is_good(file, sink)) return unit;
    Arena *scratch = arena_new();
    Scanner *scanner = NEW(scratch, Scanner);
    uint32_t begin = file->length >= 3 && !memcmp(file->text, "\xEF\xBB\xBF", 3) ? 3 : 0;
    Parser *parser =
        parse_range(arena, scratch, file, begin, (uint32_t)file->length, sink, scanner);
    if (parser) {
        unit->top = parser->top;
        collect_lost_names(parser, &scanner->tokens, unit);
        unit->trivia = scanner->trivia.data;
        unit->trivia_count = scanner->trivia.count;
    }
    arena_free(scratch);
    if (!parser) return unit;
    Text doc = text_new(arena);
    for (int i = 0; i < unit->trivia_count && unit->trivia[i].doc && unit->trivia[i].own_line;
         i++) {
        Span span = unit->trivia[i].span;
        if (unit->top.count && span.begin > unit->top.items[0]->span.begin) break;
        if (i > 0) text_char(&doc, '\n');
        uint32_t from = span.begin + 2 + (file->text[span.begin + 2] == ' ');
        text_append_n(&doc, file->text + from, span.end - from);
    }
    if (doc.length)
        unit->doc = doc.data;
    else if (unit->top.count && unit->top.items[0]->kind == STMT_EXPR &&
             unit->top.items[0]->value && unit->top.items[0]->value->kind == EXPR_STRING)
        unit->doc = unit->top.items[0]->value->text;
    return unit;
}
