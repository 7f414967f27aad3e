/* The formatter: statements in their canonical layout, comments kept.
 *
 * Comments are placed by position: one at the end of a line stays at the end of its statement, one
 * on its own line stays above what follows it, one in the middle of an expression that no list can
 * hold moves above the statement. At most one blank line is kept.  Invariants: the tree does not
 * change, and formatting again changes nothing. */
#include <string.h>
#include "syntax/print.h"

static void print_statement(Printer *p, const Stmt *s);

static const char *source(const Printer *p) {
    return p->unit->file->text;
}

static bool same_line(const Printer *p, uint32_t a, uint32_t b) {
    for (uint32_t i = a; i < b; i++)
        if (source(p)[i] == '\n' || source(p)[i] == '\r') return false;
    return true;
}

/* Line ends in the blank text before `at`; a comment before it ends the count. */
static int line_ends_before(const Printer *p, uint32_t at) {
    int count = 0;
    while (at > 0) {
        char c = source(p)[at - 1];
        if (c == '\n' || (c == '\r' && source(p)[at] != '\n'))
            count++;
        else if (c != ' ' && c != '\t' && c != '\r' && c != '\f')
            break;
        at--;
    }
    return count;
}

/* Begins the line of the next statement or comment; one blank line if the source has any. */
static void begin_line(Printer *p, uint32_t at, bool first, bool force_blank) {
    if (!first && (force_blank || line_ends_before(p, at) > 1)) text_char(p->out, '\n');
    for (int i = 0; i < p->indent; i++) text_char(p->out, ' ');
}

/* Comments in [begin, end): those on the line of `begin` go to the end of the printed line. */
typedef struct Gap {
    bool first;       /* nothing stands in the block yet */
    bool force_blank; /* before the next thing */
} Gap;

static void print_gap(Printer *p, uint32_t begin, uint32_t end, Gap *gap) {
    for (int t = print_trivia_from(p, begin);
         t < p->unit->trivia_count && p->unit->trivia[t].span.begin < end; t++) {
        if (p->used[t]) continue;
        const Trivia *trivia = &p->unit->trivia[t];
        bool trailing =
            p->out->length > 0 && !trivia->own_line && same_line(p, begin, trivia->span.begin);
        if (trailing) {
            p->out->length--; /* the line end */
            text_append(p->out, "  ");
        } else {
            begin_line(p, trivia->span.begin, gap->first, gap->force_blank);
            gap->first = false;
            gap->force_blank = false;
        }
        print_comment(p, t);
        text_char(p->out, '\n');
    }
}

static bool is_definition(const Stmt *s) {
    return s->kind == STMT_MODULE || s->kind == STMT_OPTIMIZER || s->kind == STMT_TRAIN ||
           s->kind == STMT_FUNCTION;
}

/* Every statement of the list on its own lines, and the comments of [begin, end). */
static void print_list(Printer *p, const StmtList *list, uint32_t begin, uint32_t end, bool top) {
    Gap gap = {true, false};
    for (int i = 0; i < list->count; i++) {
        const Stmt *s = list->items[i];
        uint32_t before = (uint32_t)p->out->length;
        print_gap(p, begin, s->span.begin, &gap);
        bool commented = p->out->length != before;
        bool force = gap.force_blank || (top && !commented && !gap.first && is_definition(s));
        begin_line(p, s->span.begin, gap.first, force);
        print_statement(p, s);
        text_char(p->out, '\n');
        gap = (Gap){false, top && is_definition(s)};
        begin = s->span.end;
    }
    print_gap(p, begin, end, &gap);
}

static bool is_simple(const Stmt *s) {
    return !is_definition(s) && s->kind != STMT_IF && s->kind != STMT_FOR && s->kind != STMT_SCAN &&
           s->kind != STMT_NO_GRAD;
}

/* { statement } on one line, as the author wrote it, if it fits. */
static bool print_inline_block(Printer *p, const StmtList *block) {
    Span span = block->span;
    if (print_has_comment(p, span.begin, span.end) || block->count > 1) return false;
    if (block->count == 0) {
        text_append(p->out, " { }");
        return true;
    }
    if (!same_line(p, span.begin, span.end) || !is_simple(block->items[0])) return false;
    size_t length = p->out->length;
    text_append(p->out, " { ");
    print_statement(p, block->items[0]);
    text_append(p->out, " }");
    if (!memchr(p->out->data + length, '\n', p->out->length - length) &&
        print_column(p) <= PRINT_WIDTH)
        return true;
    p->out->length = length;
    p->out->data[length] = '\0';
    return false;
}

/* ` { ... }`; comments of [from, block) that nobody printed move into the block. */
static void print_block(Printer *p, const StmtList *block, uint32_t from) {
    bool moved = print_has_comment(p, from, block->span.begin);
    if (!moved && print_inline_block(p, block)) return;
    text_append(p->out, " {\n");
    p->indent += PRINT_INDENT;
    if (moved) {
        for (int t = print_trivia_from(p, from);
             t < p->unit->trivia_count && p->unit->trivia[t].span.begin < block->span.begin; t++) {
            if (p->used[t]) continue;
            begin_line(p, 0, true, false);
            print_comment(p, t);
            text_char(p->out, '\n');
        }
    }
    print_list(p, block, block->span.begin, block->span.end, false);
    p->indent -= PRINT_INDENT;
    for (int i = 0; i < p->indent; i++) text_char(p->out, ' ');
    text_char(p->out, '}');
}

/* ---- headers ---- */

typedef struct ParamList {
    const Param *params;
    int count;
} ParamList;
static void item_param(Printer *p, const void *owner, int index) {
    print_param(p, &((const ParamList *)owner)->params[index]);
}
static Span place_param(const void *owner, int index) {
    return ((const ParamList *)owner)->params[index].span;
}

/* The brackets around the parameters, in the source. */
static Span param_span(const Printer *p, const ParamList *list, uint32_t after_name,
                       uint32_t limit) {
    uint32_t end = list->count ? list->params[list->count - 1].span.end : after_name;
    while (end < limit && source(p)[end] != ')') {
        if (source(p)[end] == '#')
            while (end < limit && source(p)[end] != '\n' && source(p)[end] != '\r') end++;
        else
            end++;
    }
    return (Span){p->unit->file, after_name, end < limit ? end + 1 : limit};
}

static void print_params(Printer *p, const ParamList *list, Span span, bool flat) {
    Group group = {"(", ")", span, list->count, false, flat, item_param, place_param, list};
    print_group(p, &group);
}

static void print_results(Printer *p, const Function *f) {
    if (f->has_results) {
        text_append(p->out, "-> ");
        if (f->results_parenthesised) text_char(p->out, '(');
        for (int i = 0; i < f->result_count; i++) {
            if (i) text_append(p->out, ", ");
            if (f->results[i].name) text_printf(p->out, "%s: ", f->results[i].name->text);
            print_type(p, f->results[i].type);
        }
        if (f->results_parenthesised) text_char(p->out, ')');
    }
    if (f->where.count) text_append(p->out, f->has_results ? " where " : "where ");
    for (int i = 0; i < f->where.count; i++) {
        if (i) text_append(p->out, ", ");
        print_expr(p, f->where.items[i]);
    }
}

static int width_of_results(const Printer *p, const Function *f) {
    Text text = text_new(p->out->arena);
    Printer flat = {.out = &text, .unit = p->unit, .used = p->used, .flat = true};
    print_results(&flat, f);
    return print_column(&flat);
}

static void print_function(Printer *p, const Function *f) {
    text_printf(p->out, "%s %s", f->is_vjp ? "vjp" : "def", f->name->text);
    ParamList list = {f->params, f->param_count};
    Span span = param_span(p, &list, f->name_span.end, f->body.span.begin);
    bool tail = f->has_results || f->where.count;
    size_t length = p->out->length;
    print_params(p, &list, span, false);
    bool broken = memchr(p->out->data + length, '\n', p->out->length - length) != NULL;
    if (!broken && tail && print_column(p) + 3 + width_of_results(p, f) > PRINT_WIDTH) {
        print_newline(p, p->indent + 2 * PRINT_INDENT);
        print_results(p, f);
    } else if (tail) {
        text_char(p->out, ' ');
        print_results(p, f);
    }
}

static void print_commas(Printer *p, const ExprList *list) {
    for (int i = 0; i < list->count; i++) {
        if (i) text_append(p->out, ", ");
        print_expr(p, list->items[i]);
    }
}

static void print_scan(Printer *p, const Stmt *s) {
    for (int i = 0; i < s->targets.count; i++) {
        print_expr(p, s->targets.items[i]);
        text_append(p->out, " = ");
    }
    text_append(p->out, "scan ");
    for (int i = 0; i < s->carry_count; i++)
        text_printf(p->out, "%s%s", i ? ", " : "", s->carries[i].name->text);
    text_append(p->out, " = ");
    for (int i = 0; i < s->carry_count; i++) {
        if (i) text_append(p->out, ", ");
        print_expr(p, s->carries[i].init);
    }
    text_append(p->out, " for ");
    print_commas(p, &s->elements);
    text_append(p->out, " in ");
    print_commas(p, &s->sequences);
}

static void print_definition(Printer *p, const Stmt *s) {
    text_printf(p->out, "%s %s",
                s->kind == STMT_MODULE      ? "module"
                : s->kind == STMT_OPTIMIZER ? "optimizer"
                                            : "train",
                s->name->text);
    if (s->param_count == 0) return;
    ParamList list = {s->params, s->param_count};
    print_params(p, &list, param_span(p, &list, s->name_span.end, s->body.span.begin), false);
}

static void print_imports(Printer *p, const Stmt *s) {
    for (int i = 0; i < s->import_count; i++) {
        text_printf(p->out, "%s%s", i ? ", " : "", s->imports[i].name->text);
        if (s->imports[i].alias) text_printf(p->out, " as %s", s->imports[i].alias->text);
    }
}

/* The part of a statement before its block, or all of a simple statement. */
static void print_head(Printer *p, const Stmt *s) {
    static const char *const declares[] = {"param", "buffer", "state"};
    switch (s->kind) {
    case STMT_EXPR: print_expr(p, s->value); break;
    case STMT_ASSIGN:
        for (int i = 0; i < s->targets.count; i++) {
            print_expr(p, s->targets.items[i]);
            text_append(p->out, " = ");
        }
        print_expr(p, s->value);
        break;
    case STMT_AUGMENTED:
        print_expr(p, s->targets.items[0]);
        text_printf(p->out, " %s= ", operator_text(s->op));
        print_expr(p, s->value);
        break;
    case STMT_RETURN:
    case STMT_YIELD:
        text_append(p->out, s->kind == STMT_RETURN ? "return" : "yield");
        if (!s->value) break;
        text_char(p->out, ' ');
        print_expr(p, s->value);
        break;
    case STMT_IF:
        text_append(p->out, "if ");
        print_expr(p, s->value);
        break;
    case STMT_FOR:
        text_append(p->out, "for ");
        print_expr(p, s->targets.items[0]);
        text_append(p->out, " in ");
        print_expr(p, s->value);
        break;
    case STMT_SCAN: print_scan(p, s); break;
    case STMT_NO_GRAD: text_append(p->out, "no_grad"); break;
    case STMT_ASSERT:
        text_append(p->out, "assert ");
        print_expr(p, s->value);
        if (!s->message) break;
        text_append(p->out, s->assert_colon ? " : " : ", ");
        print_expr(p, s->message);
        break;
    case STMT_PASS: text_append(p->out, "pass"); break;
    case STMT_BREAK: text_append(p->out, "break"); break;
    case STMT_CONTINUE: text_append(p->out, "continue"); break;
    case STMT_DECLARE:
        text_printf(p->out, "%s %s", declares[s->declare], s->name->text);
        if (s->type) {
            text_append(p->out, ": ");
            print_type(p, s->type);
        }
        if (s->value) {
            text_append(p->out, " = ");
            print_expr(p, s->value);
        }
        break;
    case STMT_FUNCTION: print_function(p, s->function); break;
    case STMT_MODULE:
    case STMT_OPTIMIZER:
    case STMT_TRAIN: print_definition(p, s); break;
    case STMT_EXPORT:
        text_append(p->out, "export ");
        print_expr(p, s->value);
        if (s->name) text_printf(p->out, " as %s", s->name->text);
        break;
    case STMT_IMPORT:
    case STMT_FROM:
        text_append(p->out, s->kind == STMT_FROM ? "from " : "import ");
        text_append_n(p->out, source(p) + s->path_span.begin,
                      s->path_span.end - s->path_span.begin);
        if (s->kind == STMT_FROM) text_append(p->out, " import ");
        print_imports(p, s);
        if (s->kind == STMT_IMPORT && s->name) text_printf(p->out, " as %s", s->name->text);
        break;
    case STMT_ERROR: break; /* units with errors are not formatted */
    }
}

static const StmtList *block_of(const Stmt *s) {
    if (s->kind == STMT_FUNCTION) return &s->function->body;
    return is_simple(s) ? NULL : &s->body;
}

/* Prints the head; comments inside it that found no place go above it. */
static void print_head_with_comments(Printer *p, const Stmt *s) {
    const StmtList *block = block_of(s);
    uint32_t end = block ? block->span.begin : s->span.end;
    size_t begin = p->out->length;
    print_head(p, s);
    bool lost = false;
    for (int t = print_trivia_from(p, s->span.begin);
         t < p->unit->trivia_count && p->unit->trivia[t].span.begin < end; t++)
        lost = lost || !p->used[t];
    if (!lost) return;
    char *head = arena_strndup(p->out->arena, p->out->data + begin, p->out->length - begin);
    p->out->length = begin;
    for (int t = print_trivia_from(p, s->span.begin);
         t < p->unit->trivia_count && p->unit->trivia[t].span.begin < end; t++) {
        if (p->used[t]) continue;
        print_comment(p, t);
        print_newline(p, p->indent);
    }
    text_append(p->out, head);
}

static void print_otherwise(Printer *p, const Stmt *s) {
    while (s->has_otherwise) {
        const StmtList *otherwise = &s->otherwise;
        uint32_t from = s->body.span.end;
        bool chain = otherwise->count == 1 && otherwise->items[0]->kind == STMT_IF &&
                     source(p)[otherwise->span.begin] != '{';
        if (!chain) {
            text_append(p->out, " else");
            print_block(p, otherwise, from);
            return;
        }
        s = otherwise->items[0];
        text_append(p->out, " elif ");
        print_expr(p, s->value);
        print_block(p, &s->body, from);
    }
}

static void print_statement(Printer *p, const Stmt *s) {
    print_head_with_comments(p, s);
    const StmtList *block = block_of(s);
    if (!block) return;
    print_block(p, block, block->span.begin);
    if (s->kind == STMT_IF) print_otherwise(p, s);
}

void syntax_format(Text *out, const SourceUnit *unit) {
    Printer p = {.out = out, .unit = unit};
    p.used = NEW_ARRAY(out->arena, (size_t)unit->trivia_count, bool);
    uint32_t begin =
        unit->file->length >= 3 && !memcmp(unit->file->text, "\xEF\xBB\xBF", 3) ? 3 : 0;
    print_list(&p, &unit->top, begin, (uint32_t)unit->file->length, true);
}
