/* Between scanner and parser: what a newline means, which words are keywords where, brackets,
 * pasted Python.
 *
 * Input: raw tokens.  Output: tokens for the grammar, always balanced in brackets and blocks, each
 * simple statement followed by NEWLINE.  Everything that is inserted to repair a mistake follows a
 * diagnostic, so one mistake gives one message.  Python's indented blocks are read as blocks
 * (virtual braces). */
#include <string.h>
#include "syntax/build.h"
#include "nn_parser.h"

typedef enum OpenKind {
    OPEN_PAREN,
    OPEN_BRACKET,
    OPEN_DICT,
    OPEN_BLOCK,
    OPEN_INDENT,
    OPEN_LINE
} OpenKind;
typedef struct Open {
    OpenKind kind;
    Span span;
    uint32_t column; /* INDENT: of the statement that owns the block */
} Open;

typedef struct Filter {
    Arena *arena;
    const SourceFile *file;
    DiagnosticSink *sink;
    const Token *raw;
    int at, count;
    TokenVector *out;
    SpanVector *lost;
    VECTOR(Open) open;
    bool start; /* the next token begins a statement */
    int head;   /* kind of the token that began the statement */
    uint32_t head_column;
    uint32_t column,
        column_at; /* of the token whose column was asked for last; column 0: none yet */
    bool scan_head, where_seen, block_reported, try_reported, abandoned;
} Filter;

static const Token *peek(const Filter *f, int ahead) {
    int at = f->at + ahead;
    return &f->raw[at < f->count ? at : f->count - 1];
}

static int previous_kind(const Filter *f) {
    return f->out->count ? vector_last(f->out).kind : TOKEN_NEWLINE;
}

static void emit(Filter *f, const Token *token, int kind) {
    Token copy = *token;
    copy.kind = kind;
    vector_push(f->arena, f->out, copy);
}

static void emit_virtual(Filter *f, int kind) {
    uint32_t end = f->out->count ? vector_last(f->out).span.end : 0;
    Token token = {.kind = kind, .span = {f->file, end, end}};
    vector_push(f->arena, f->out, token);
}

static bool in_brackets(const Filter *f) {
    return f->open.count && vector_last(&f->open).kind <= OPEN_DICT;
}

/* Counted on from the place asked for before, since source_position walks the line from
 * its start. */
static uint32_t column_of(Filter *f, const Token *token) {
    uint32_t at = token->span.begin, from = f->column_at;
    bool same_line = f->column && at >= from;
    for (; same_line && from < at; from++) {
        char c = f->file->text[from];
        same_line = c != '\n' && c != '\r';
        f->column += ((unsigned char)c & 0xC0) != 0x80;
    }
    if (!same_line) {
        int line, column;
        source_position(f->file, at, &line, &column);
        f->column = (uint32_t)column;
    }
    f->column_at = at;
    return f->column;
}

static void push_open(Filter *f, OpenKind kind, const Token *token, uint32_t column) {
    Open open = {kind, token->span, column};
    vector_push(f->arena, &f->open, open);
}

static void begin_statement(Filter *f) {
    f->start = true;
    f->head = 0;
    f->scan_head = false;
    f->where_seen = false;
}

static void end_statement(Filter *f) {
    if (!f->start) emit_virtual(f, TOKEN_NEWLINE);
    begin_statement(f);
}

/* ---- newlines ---- */

static bool can_end(int kind) {
    return kind == TOKEN_NAME || kind == TOKEN_INT || kind == TOKEN_FLOAT || kind == TOKEN_STRING ||
           kind == ')' || kind == ']' || kind == TOKEN_DICT_CLOSE || kind == TOKEN_TRUE ||
           kind == TOKEN_FALSE || kind == TOKEN_NONE || kind == TOKEN_ELLIPSIS ||
           kind == TOKEN_RETURN || kind == TOKEN_PASS || kind == TOKEN_BREAK ||
           kind == TOKEN_CONTINUE;
}

static bool in_function_head(const Filter *f) {
    return f->head == TOKEN_DEF || f->head == TOKEN_VJP;
}

static bool is_word(const Token *token, const char *word) {
    return token->name && !strcmp(token->name->text, word);
}

/* `where` is a keyword once in a function's head, outside brackets; `def where` is a name. */
static bool is_where(const Filter *f, const Token *token) {
    return in_function_head(f) && !f->where_seen && is_word(token, "where") &&
           previous_kind(f) != f->head;
}

/* Tokens that continue the statement when they stand at the beginning of a line. */
static bool continues(const Filter *f, const Token *token) {
    switch (token->kind) {
    case TOKEN_ARROW:
    case TOKEN_ELSE:
    case '.':
    case '/':
    case TOKEN_FLOORDIV:
    case '%':
    case TOKEN_POW:
    case TOKEN_EQ:
    case TOKEN_NE:
    case '<':
    case TOKEN_LE:
    case '>':
    case TOKEN_GE:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_IN:
    case TOKEN_IS:
    case '&':
    case '|':
    case '^':
    case TOKEN_BLOCK_OPEN: return true;
    case TOKEN_NOT: return peek(f, 1)->kind == TOKEN_IN;
    case TOKEN_FOR: return f->scan_head;
    default: return is_where(f, token);
    }
}

static void close_indented(Filter *f, uint32_t column) {
    while (f->open.count) {
        const Open *top = &vector_last(&f->open);
        if (top->kind != OPEN_LINE && !(top->kind == OPEN_INDENT && column <= top->column)) return;
        end_statement(f);
        (void)vector_pop(&f->open);
        emit_virtual(f, TOKEN_BLOCK_CLOSE);
    }
}

/* ---- brackets ---- */

static const char *open_text(OpenKind kind) {
    return kind == OPEN_PAREN ? "(" : kind == OPEN_BRACKET ? "[" : "{";
}

static void close_virtual(Filter *f, OpenKind kind) {
    int close = kind == OPEN_PAREN     ? ')'
                : kind == OPEN_BRACKET ? ']'
                : kind == OPEN_DICT    ? TOKEN_DICT_CLOSE
                                       : 0;
    if (close) {
        if (previous_kind(f) == ',' && kind != OPEN_DICT) f->out->count--;
        emit_virtual(f, close);
    } else {
        end_statement(f);
        emit_virtual(f, TOKEN_BLOCK_CLOSE);
    }
}

static void report_unclosed(Filter *f, const Open *open, const Token *here) {
    Diagnostic *d =
        diagnose(f->sink, NN_UNBALANCED, open->span, "`%s` is never closed", open_text(open->kind));
    if (here && here->kind) diagnostic_label(d, here->span, "this begins a new statement");
}

/* Closes ( [ and dicts down to the next block, reporting the outermost one. */
static void abandon_brackets(Filter *f, const Token *here) {
    int first = f->open.count;
    while (first > 0 && f->open.data[first - 1].kind <= OPEN_DICT) first--;
    if (first == f->open.count) return;
    report_unclosed(f, &f->open.data[first], here);
    while (f->open.count > first) {
        OpenKind kind = vector_last(&f->open).kind;
        (void)vector_pop(&f->open);
        close_virtual(f, kind);
    }
}

/* Inside brackets, at the beginning of a line: can this only be a new statement? */
static bool must_begin_statement(const Filter *f, const Token *token) {
    switch (token->kind) {
    case TOKEN_DEF:
    case TOKEN_RETURN:
    case TOKEN_CLASS:
    case TOKEN_IMPORT:
    case TOKEN_WHILE:
    case TOKEN_ASSERT:
    case TOKEN_PASS:
    case TOKEN_BREAK:
    case TOKEN_CONTINUE:
    case TOKEN_WITH:
    case TOKEN_YIELD: return true;
    case TOKEN_NAME: break;
    default: return false;
    }
    const Token *next = peek(f, 1);
    if (next->newline_before) return false;
    if (next->kind == TOKEN_NAME)
        return is_word(token, "module") || is_word(token, "train") || is_word(token, "optimizer") ||
               is_word(token, "param") || is_word(token, "buffer") || is_word(token, "state") ||
               is_word(token, "export") || is_word(token, "vjp");
    if (!is_word(token, "self") || next->kind != '.') return false;
    int ahead = 1;
    while (peek(f, ahead)->kind == '.' && peek(f, ahead + 1)->name) ahead += 2;
    return peek(f, ahead)->kind == '=';
}

static bool depth_is_good(Filter *f, const Token *token) {
    if (f->open.count < AST_MAX_DEPTH) return true;
    diagnose(f->sink, NN_TOO_DEEP, token->span, "brackets nested more than %d levels deep",
             AST_MAX_DEPTH);
    f->abandoned = true;
    return false;
}

/* ---- pasted Python ---- */

static void skip_line(Filter *f) {
    int depth = 0;
    do {
        int kind = peek(f, 0)->kind;
        if (kind == 0 || (kind == TOKEN_BLOCK_CLOSE && depth == 0)) return;
        if (kind == '(' || kind == '[' || kind == TOKEN_BLOCK_OPEN) depth++;
        if (kind == ')' || kind == ']' || kind == TOKEN_BLOCK_CLOSE) depth--;
        f->at++;
        if (kind == TOKEN_NEWLINE) return;
    } while (depth > 0 || !peek(f, 0)->newline_before);
}

/* Skips to the ':' or '{' that ends a header; the token stays. */
static void skip_header(Filter *f) {
    int depth = 0;
    for (;; f->at++) {
        int kind = peek(f, 0)->kind;
        if (kind == 0 ||
            (depth == 0 && (kind == ':' || kind == TOKEN_BLOCK_OPEN || peek(f, 0)->newline_before)))
            return;
        if (kind == '(' || kind == '[') depth++;
        if (kind == ')' || kind == ']') depth--;
    }
}

static void begin_block_statement(Filter *f, const Token *token, int kind) {
    f->start = false;
    f->head = kind;
    emit(f, token, kind);
    f->at++;
}

static void python_class(Filter *f, const Token *token) {
    const Token *name = peek(f, 1);
    Span span = name->kind == TOKEN_NAME ? span_join(token->span, name->span) : token->span;
    Diagnostic *d =
        diagnose(f->sink, NN_PYTHON_CLASS, span, "a network is a module, not a Python class");
    diagnostic_help(d, "module %s(arguments of __init__) { ... }",
                    name->name ? name->name->text : "Net");
    f->block_reported = true;
    begin_block_statement(f, token, TOKEN_MODULE);
    if (peek(f, 0)->kind == TOKEN_NAME) {
        emit(f, peek(f, 0), TOKEN_NAME);
        f->at++;
    }
    skip_header(f);
}

static void python_statement(Filter *f, const Token *token, const char *help) {
    Diagnostic *d = diagnose(f->sink, NN_PYTHON_STATEMENT, token->span, "`%s` has no meaning here",
                             token->name ? token->name->text : "@");
    diagnostic_help(d, "%s", help);
}

/* What stands for a context manager, from the words of its header. */
static const char *instead_of_context(const Filter *f) {
    for (int i = 1;; i++) {
        const Token *t = peek(f, i);
        if (t->kind == 0 || t->kind == ':' || t->kind == TOKEN_BLOCK_OPEN || t->newline_before)
            break;
        if (is_word(t, "autocast"))
            return "delete the line: the program says no precision; nnc --precision=bf16 or tf32 "
                   "chooses that of products on a GPU, and x.to(torch.bfloat16) converts";
        if (is_word(t, "enable_grad"))
            return "delete the line: derivatives are taken wherever grad or backward asks for them";
        if (is_word(t, "no_grad") || is_word(t, "inference_mode") || is_word(t, "set_grad_enabled"))
            return "no_grad { ... }";
    }
    return "the only block of this kind is no_grad { ... }; delete the line";
}

/* A statement that begins with a word of Python; true when it has been dealt with. */
static bool python_begins(Filter *f, const Token *token) {
    const Token *next = peek(f, 1);
    Diagnostic *d;
    switch (token->kind) {
    case TOKEN_IMPORT:
    case TOKEN_FROM:
        if (next->kind == TOKEN_STRING) return false;
        d = diagnose(f->sink, NN_PYTHON_IMPORT, token->span, "Python modules cannot be imported");
        diagnostic_help(d, "delete the line: nn., F., torch., init. and optim. are always there; "
                           "other files: import \"blocks.nn\" as blocks");
        skip_line(f);
        vector_push(f->arena, f->lost, span_join(token->span, f->raw[f->at - 1].span));
        return true;
    case TOKEN_CLASS: python_class(f, token); return true;
    case TOKEN_WITH:
        d = diagnose(f->sink, NN_PYTHON_WITH, token->span, "there is no `with`");
        diagnostic_help(d, "%s", instead_of_context(f));
        f->block_reported = true;
        begin_block_statement(f, token, TOKEN_NO_GRAD);
        skip_header(f);
        return true;
    case TOKEN_WHILE:
        python_statement(f, token,
                         "for i in range(n) { ... }, or scan h = h0 for x in xs { ... } over time");
        begin_block_statement(f, token, TOKEN_IF);
        return true;
    case TOKEN_TRY:
    case TOKEN_EXCEPT:
    case TOKEN_FINALLY:
        if (token->kind == TOKEN_TRY || !f->try_reported)
            python_statement(
                f, token,
                "there are no exceptions; `assert condition, \"text\"` checks while compiling");
        f->try_reported = true;
        f->block_reported = true;
        begin_block_statement(f, token, TOKEN_NO_GRAD);
        skip_header(f);
        return true;
    case TOKEN_RAISE:
        python_statement(f, token, "assert condition, \"text\"");
        skip_line(f);
        return true;
    case TOKEN_DEL:
    case TOKEN_GLOBAL:
    case TOKEN_NONLOCAL:
        python_statement(f, token,
                         "delete the line: names are local, memory is planned by the compiler");
        skip_line(f);
        return true;
    case TOKEN_ASYNC:
        python_statement(f, token, "delete the word");
        f->at++;
        return true;
    case '@':
        python_statement(f, token, "there are no decorators: delete the line");
        skip_line(f);
        return true;
    case TOKEN_NAME:
        if (!is_word(token, "super") || next->kind != '(') return false;
        d = diagnose(f->sink, NN_PYTHON_SUPER, token->span, "a module has no base class");
        diagnostic_help(d, "delete the line");
        skip_line(f);
        return true;
    default: return false;
    }
}

static void python_init(Filter *f) {
    const Token *name = peek(f, 1);
    if (!is_word(name, "__init__")) return;
    Diagnostic *d = diagnose(f->sink, NN_PYTHON_INIT, name->span, "a module has no __init__");
    diagnostic_help(
        d, "put its lines directly into the module's braces and its arguments on the header: "
           "module Net(hidden: int) { self.fc = ... }");
}

/* `:` where a block should begin. */
static void python_colon(Filter *f, const Token *token) {
    if (!f->block_reported) {
        Diagnostic *d = diagnose(f->sink, NN_PYTHON_BLOCK, token->span, "a block stands in braces");
        diagnostic_help(
            d, "if c { ... } else { ... }    for x in xs { ... }    def f(self, x) { ... }");
    }
    f->block_reported = true;
    const Token *next = peek(f, 1);
    bool indented = next->newline_before || next->kind == 0;
    push_open(f, indented ? OPEN_INDENT : OPEN_LINE, token, f->head_column);
    emit(f, token, TOKEN_BLOCK_OPEN);
    begin_statement(f);
    f->at++;
}

static bool owns_block(int head) {
    return head == TOKEN_DEF || head == TOKEN_VJP || head == TOKEN_IF || head == TOKEN_ELIF ||
           head == TOKEN_ELSE || head == TOKEN_FOR || head == TOKEN_MODULE || head == TOKEN_TRAIN ||
           head == TOKEN_OPTIMIZER || head == TOKEN_NO_GRAD;
}

static bool is_string_prefix(const Token *token) {
    return token->name && token->name->length <= 2 &&
           strspn(token->name->text, "fFrRbBuU") == token->name->length;
}

/* ---- contextual keywords at the beginning of a statement ---- */

static const struct {
    const char *word;
    int kind;
} statement_words[] = {{"module", TOKEN_MODULE}, {"optimizer", TOKEN_OPTIMIZER},
                       {"train", TOKEN_TRAIN},   {"param", TOKEN_PARAM},
                       {"buffer", TOKEN_BUFFER}, {"state", TOKEN_STATE},
                       {"export", TOKEN_EXPORT}, {"vjp", TOKEN_VJP},
                       {"scan", TOKEN_SCAN}};

static int statement_word(const Filter *f, const Token *token) {
    const Token *next = peek(f, 1);
    if (token->kind != TOKEN_NAME || next->newline_before) return token->kind;
    if (is_word(token, "no_grad") && next->kind == TOKEN_BLOCK_OPEN) return TOKEN_NO_GRAD;
    if (next->kind != TOKEN_NAME) return token->kind;
    for (size_t i = 0; i < sizeof statement_words / sizeof *statement_words; i++)
        if (is_word(token, statement_words[i].word)) return statement_words[i].kind;
    return token->kind;
}

/* ---- one token ---- */

/* x in {"a", "b"}: the set stands as an empty list behind its message. */
static bool skip_set(Filter *f, const Token *token) {
    int depth = 0, length = 0;
    do {
        int kind = peek(f, length++)->kind;
        if (kind == 0 || kind == TOKEN_NEWLINE || (kind == ':' && depth == 1)) return false;
        depth += kind == '(' || kind == '[' || kind == TOKEN_BLOCK_OPEN;
        depth -= kind == ')' || kind == ']' || kind == TOKEN_BLOCK_CLOSE;
    } while (depth > 0);
    Diagnostic *d = diagnose(f->sink, NN_SET, token->span, "there are no sets");
    diagnostic_help(d, "a list: `in [...]`");
    emit(f, token, '[');
    f->at += length;
    emit(f, &f->raw[f->at - 1], ']');
    return true;
}

static void open_bracket(Filter *f, const Token *token) {
    if (!depth_is_good(f, token)) return;
    bool dict = token->kind == TOKEN_BLOCK_OPEN && in_brackets(f);
    int previous = previous_kind(f);
    if (token->kind == TOKEN_BLOCK_OPEN && !dict &&
        (previous == '=' || previous == TOKEN_RETURN || previous == ',')) {
        Diagnostic *d =
            diagnose(f->sink, NN_DICT_PLACE, token->span, "a dict stands only inside brackets");
        diagnostic_help(d, "nn.ModuleDict({\"a\": ...}), or a list of pairs");
        dict = true;
    }
    if (token->kind == TOKEN_BLOCK_OPEN && (previous == TOKEN_IN || previous == TOKEN_NOT_IN) &&
        skip_set(f, token))
        return;
    OpenKind kind = token->kind == '('   ? OPEN_PAREN
                    : token->kind == '[' ? OPEN_BRACKET
                    : dict               ? OPEN_DICT
                                         : OPEN_BLOCK;
    push_open(f, kind, token, 0);
    emit(f, token, dict ? TOKEN_DICT_OPEN : token->kind);
    if (kind == OPEN_BLOCK) begin_statement(f);
    f->at++;
}

static void close_bracket(Filter *f, const Token *token) {
    if (token->kind != TOKEN_BLOCK_CLOSE && in_brackets(f)) {
        OpenKind top = vector_last(&f->open).kind,
                 other = token->kind == ')' ? OPEN_PAREN : OPEN_BRACKET;
        bool known = false;
        for (int i = f->open.count; i > 0 && f->open.data[i - 1].kind <= OPEN_DICT; i--)
            known = known || f->open.data[i - 1].kind == other;
        if (top != other && !known) { /* ( ... ]: one message, read as ( ... ) */
            Diagnostic *d = diagnose(f->sink, NN_UNBALANCED, token->span, "`%c` closes `%s`",
                                     token->kind, open_text(top));
            diagnostic_label(d, vector_last(&f->open).span, "opened here");
            (void)vector_pop(&f->open);
            close_virtual(f, top);
            f->at++;
            return;
        }
    }
    OpenKind wanted = token->kind == ')'                                          ? OPEN_PAREN
                      : token->kind == ']'                                        ? OPEN_BRACKET
                      : in_brackets(f) && vector_last(&f->open).kind == OPEN_DICT ? OPEN_DICT
                                                                                  : OPEN_BLOCK;
    int match = f->open.count;
    while (match > 0) {
        OpenKind kind = f->open.data[match - 1].kind;
        if (kind == wanted) break;
        if (wanted != OPEN_BLOCK && kind > OPEN_DICT) match = 1; /* a ) never closes a block */
        match--;
    }
    f->at++;
    if (match == 0) {
        diagnose(f->sink, NN_UNBALANCED, token->span, "`%s` closes nothing",
                 token->kind == ')'   ? ")"
                 : token->kind == ']' ? "]"
                                      : "}");
        if (token->kind == TOKEN_BLOCK_CLOSE) {
            end_statement(f);
        } else { /* the parser gives the statement up, in silence */
            emit(f, token, token->kind);
            vector_last(f->out).reported = true;
        }
        return;
    }
    bool reported = false;
    while (f->open.count > match) { /* brackets that were left open inside */
        Open open = vector_last(&f->open);
        (void)vector_pop(&f->open);
        if (!reported && open.kind <= OPEN_DICT) {
            Diagnostic *d = diagnose(f->sink, NN_UNBALANCED, open.span, "`%s` is not closed",
                                     open_text(open.kind));
            diagnostic_label(d, token->span, "before this");
            reported = true;
        }
        close_virtual(f, open.kind);
    }
    (void)vector_pop(&f->open);
    if (wanted == OPEN_BLOCK) {
        end_statement(f);
        emit(f, token, TOKEN_BLOCK_CLOSE);
        begin_statement(f);
    } else {
        emit(f, token, wanted == OPEN_DICT ? TOKEN_DICT_CLOSE : token->kind);
    }
}

static void line_begins(Filter *f, const Token *token) {
    if (in_brackets(f) && must_begin_statement(f, token)) abandon_brackets(f, token);
    if (in_brackets(f)) return;
    bool line_block = f->open.count && vector_last(&f->open).kind == OPEN_LINE;
    if (!f->start && !continues(f, token) && (can_end(previous_kind(f)) || line_block))
        end_statement(f);
    if (f->start || token->kind == TOKEN_ELSE) close_indented(f, column_of(f, token));
}

static void filter_token(Filter *f) {
    const Token *token = peek(f, 0);
    if (token->newline_before) line_begins(f, token);
    if (token->name && f->at > 0 && f->raw[f->at - 1].kind == '.' && !f->start) {
        emit(f, token, TOKEN_NAME); /* after a dot every word is a name */
        f->at++;
        return;
    }
    if (f->start && token->kind != TOKEN_BLOCK_CLOSE && token->kind != TOKEN_NEWLINE) {
        f->head_column = column_of(f, token);
        if (python_begins(f, token)) return;
        if (token->kind == TOKEN_DEF) python_init(f);
        int kind = statement_word(f, token);
        if (token->kind != '(' && token->kind != '[' && token->kind != TOKEN_BLOCK_OPEN &&
            token->kind != ')' && token->kind != ']') {
            f->start = false;
            f->head = kind;
            f->scan_head = kind == TOKEN_SCAN;
            if (kind == TOKEN_NAME && is_string_prefix(token) && peek(f, 1)->kind == TOKEN_STRING &&
                peek(f, 1)->span.begin == token->span.end) {
                f->start = true;
            } else {
                emit(f, token, kind);
                f->at++;
                return;
            }
        }
        if (token->kind == '(' || token->kind == '[' || token->kind == TOKEN_BLOCK_OPEN)
            f->start = false;
    }
    const Token *next = peek(f, 1);
    switch (token->kind) {
    case '(':
    case '[':
    case TOKEN_BLOCK_OPEN: open_bracket(f, token); return;
    case ')':
    case ']':
    case TOKEN_BLOCK_CLOSE: close_bracket(f, token); return;
    case TOKEN_NEWLINE: /* a semicolon */
        if (!in_brackets(f)) end_statement(f);
        f->at++;
        return;
    case ':':
        if (in_brackets(f) || !owns_block(f->head)) break;
        python_colon(f, token);
        return;
    case TOKEN_LAMBDA: {
        python_statement(f, token,
                         "def f(x) { return ... }, a function inside a function may use its names");
        Span span = token->span;
        for (f->at++; peek(f, 0)->kind && peek(f, 0)->kind != ':' && !peek(f, 0)->newline_before;
             f->at++)
            span = span_join(span, peek(f, 0)->span);
        vector_push(f->arena, f->lost, span);
        if (peek(f, 0)->kind == ':') f->at++;
        return;
    }
    case TOKEN_AWAIT:
        python_statement(f, token, "delete the word");
        f->at++;
        return;
    case TOKEN_NOT:
    case TOKEN_IS:
        if (next->kind == (token->kind == TOKEN_NOT ? TOKEN_IN : TOKEN_NOT)) {
            emit(f, token, token->kind == TOKEN_NOT ? TOKEN_NOT_IN : TOKEN_IS_NOT);
            f->at += 2;
            return;
        }
        break;
    case TOKEN_FOR: f->scan_head = false; break;
    case TOKEN_NAME:
        if (next->kind == TOKEN_STRING && next->span.begin == token->span.end &&
            is_string_prefix(token)) {
            Diagnostic *d =
                diagnose(f->sink, NN_PYTHON_STRING, token->span, "strings have no prefix");
            diagnostic_help(
                d, "delete the %s: {x} is interpolated in messages of assert and in extra_repr",
                token->name->text);
            f->at++;
            return;
        }
        if (!in_brackets(f) && is_where(f, token)) {
            emit(f, token, TOKEN_WHERE);
            f->where_seen = true;
            f->at++;
            return;
        }
        if (!in_brackets(f) && previous_kind(f) == '=' && is_word(token, "scan") &&
            next->kind == TOKEN_NAME && !next->newline_before) {
            emit(f, token, TOKEN_SCAN);
            f->scan_head = true;
            f->at++;
            return;
        }
        break;
    default: break;
    }
    emit(f, token, token->kind);
    f->at++;
}

void tokens_filter(Arena *arena, const SourceFile *file, const TokenVector *raw,
                   DiagnosticSink *sink, TokenVector *out, SpanVector *lost, bool *abandoned) {
    Filter filter = {.arena = arena,
                     .file = file,
                     .sink = sink,
                     .raw = raw->data,
                     .count = raw->count,
                     .out = out,
                     .lost = lost};
    Filter *f = &filter;
    begin_statement(f);
    while (peek(f, 0)->kind != 0 && !f->abandoned) filter_token(f);
    const Token *end = &f->raw[f->count - 1];
    if (!f->abandoned) {
        abandon_brackets(f, NULL);
        while (f->open.count) {
            Open open = vector_last(&f->open);
            (void)vector_pop(&f->open);
            if (open.kind == OPEN_BLOCK) report_unclosed(f, &open, NULL);
            close_virtual(f, open.kind <= OPEN_DICT ? open.kind : OPEN_BLOCK);
            begin_statement(f);
        }
        end_statement(f);
    }
    emit(f, end, 0);
    *abandoned = f->abandoned;
}
