/* Expressions as source: on one line for messages, in the formatter's layout otherwise.
 *
 * Parentheses are printed where the tree remembers them.  Spaces around arithmetic follow the
 * author's (x*x + b): the first operator of a chain decides for all.  A bracketed list is broken,
 * one item per line, when it holds a comment, was broken with a comma after its last item, or is
 * too long for the line. */
#include "syntax/print.h"

#include <string.h>

static const char *const operator_texts[] = {
    [OPERATOR_ADD] = "+",         [OPERATOR_SUB] = "-",         [OPERATOR_MUL] = "*",
    [OPERATOR_DIV] = "/",         [OPERATOR_FLOORDIV] = "//",   [OPERATOR_MOD] = "%",
    [OPERATOR_MATMUL] = "@",      [OPERATOR_POW] = "**",        [OPERATOR_BITAND] = "&",
    [OPERATOR_BITOR] = "|",       [OPERATOR_BITXOR] = "^",      [OPERATOR_NEG] = "-",
    [OPERATOR_POS] = "+",         [OPERATOR_INVERT] = "~",      [OPERATOR_NOT] = "not",
    [OPERATOR_EQ] = "==",         [OPERATOR_NE] = "!=",         [OPERATOR_LT] = "<",
    [OPERATOR_LE] = "<=",         [OPERATOR_GT] = ">",          [OPERATOR_GE] = ">=",
    [OPERATOR_IN] = "in",         [OPERATOR_NOT_IN] = "not in", [OPERATOR_IS] = "is",
    [OPERATOR_IS_NOT] = "is not", [OPERATOR_NONE] = "",
};

const char *operator_text(Operator op) {
    return operator_texts[op];
}

int print_column(const Printer *p) {
    int column = 0;
    for (size_t i = p->out->length; i > 0 && p->out->data[i - 1] != '\n'; i--)
        if (((unsigned char)p->out->data[i - 1] & 0xC0) != 0x80) column++;
    return column;
}

void print_newline(Printer *p, int indent) {
    text_char(p->out, '\n');
    for (int i = 0; i < indent; i++) text_char(p->out, ' ');
}

int print_trivia_from(const Printer *p, uint32_t offset) {
    int low = 0, high = p->unit ? p->unit->trivia_count : 0;
    while (low < high) {
        int middle = (low + high) / 2;
        if (p->unit->trivia[middle].span.begin < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool print_has_comment(const Printer *p, uint32_t begin, uint32_t end) {
    int i = print_trivia_from(p, begin);
    return p->unit && i < p->unit->trivia_count && p->unit->trivia[i].span.begin < end;
}

void print_comment(Printer *p, int index) {
    Span span = p->unit->trivia[index].span;
    text_append_n(p->out, p->unit->file->text + span.begin, span.end - span.begin);
    p->used[index] = true;
}

/* ---- groups ---- */

static bool wants_break(const Printer *p, const Group *group) {
    if (!p->unit || p->flat || group->count == 0 || group->never_breaks) return false;
    const char *text = p->unit->file->text;
    uint32_t begin = group->span.begin, end = group->span.end;
    if (print_has_comment(p, begin, end)) return true;
    uint32_t last = group->place(group->owner, group->count - 1).end;
    bool comma = last < end && memchr(text + last, ',', end - last) != NULL;
    return comma && memchr(text + last, '\n', end - last) != NULL;
}

static void print_items(Printer *p, const Group *group) {
    text_append(p->out, group->open);
    for (int i = 0; i < group->count; i++) {
        if (i) text_append(p->out, ", ");
        group->item(p, group->owner, i);
    }
    if (group->lone_comma) text_char(p->out, ',');
    text_append(p->out, group->close);
}

/* Comments in [begin, end): on lines of their own. */
static void print_own_lines(Printer *p, uint32_t begin, uint32_t end) {
    for (int t = print_trivia_from(p, begin);
         t < p->unit->trivia_count && p->unit->trivia[t].span.begin < end; t++) {
        if (p->used[t]) continue;
        print_newline(p, p->indent);
        print_comment(p, t);
    }
}

static void print_broken(Printer *p, const Group *group) {
    text_append(p->out, group->open);
    int outer = p->indent;
    p->indent += PRINT_INDENT;
    uint32_t at = group->span.begin;
    for (int i = 0; i < group->count; i++) {
        Span place = group->place(group->owner, i);
        print_own_lines(p, at, place.begin);
        print_newline(p, p->indent);
        group->item(p, group->owner, i);
        text_char(p->out, ',');
        uint32_t next =
            i + 1 < group->count ? group->place(group->owner, i + 1).begin : group->span.end;
        int t = print_trivia_from(p, place.begin);
        while (t < p->unit->trivia_count && p->used[t]) t++;
        if (t < p->unit->trivia_count && p->unit->trivia[t].span.begin < next &&
            !p->unit->trivia[t].own_line && p->unit->trivia[t].span.begin >= place.end) {
            text_append(p->out, "  ");
            print_comment(p, t);
        }
        at = place.begin;
    }
    print_own_lines(p, at, group->span.end);
    p->indent = outer;
    print_newline(p, p->indent);
    text_append(p->out, group->close);
}

void print_group(Printer *p, const Group *group) {
    bool broken = wants_break(p, group);
    if (!broken && p->unit && !p->flat && group->count > 0 && !group->never_breaks) {
        Text measure = text_new(p->out->arena);
        Printer flat = *p;
        flat.out = &measure;
        flat.flat = true;
        print_items(&flat, group);
        int used = print_column(p);
        broken = used + print_column(&flat) > PRINT_WIDTH && !strchr(measure.data, '\n');
    }
    if (broken)
        print_broken(p, group);
    else
        print_items(p, group);
}

/* ---- items of expressions ---- */

static void item_expr(Printer *p, const void *owner, int index) {
    print_expr(p, ((const Expr *)owner)->items.items[index]);
}
static Span place_expr(const void *owner, int index) {
    return ((const Expr *)owner)->items.items[index]->span;
}

static void item_pair(Printer *p, const void *owner, int index) {
    const Expr *e = owner;
    print_expr(p, e->items.items[2 * index]);
    text_append(p->out, ": ");
    print_expr(p, e->items.items[2 * index + 1]);
}
static Span place_pair(const void *owner, int index) {
    const Expr *e = owner;
    return span_join(e->items.items[2 * index]->span, e->items.items[2 * index + 1]->span);
}

static void print_clause(Printer *p, const ForClause *clause) {
    text_append(p->out, "for ");
    print_expr(p, clause->target);
    text_append(p->out, " in ");
    print_expr(p, clause->iterable);
    for (int k = 0; k < clause->conditions.count; k++) {
        text_append(p->out, " if ");
        print_expr(p, clause->conditions.items[k]);
    }
}

/* With its brackets, if any; one clause per line when it is too long for one. */
static void print_comprehension(Printer *p, const Expr *e, const char *open, const char *close) {
    bool broken = false;
    if (p->unit && !p->flat) {
        Text measure = text_new(p->out->arena);
        Printer flat = *p;
        flat.out = &measure;
        flat.flat = true;
        print_comprehension(&flat, e, open, close);
        broken = open[0] && print_column(p) + print_column(&flat) > PRINT_WIDTH;
    }
    text_append(p->out, open);
    int outer = p->indent;
    if (broken) {
        p->indent += PRINT_INDENT;
        print_newline(p, p->indent);
    }
    print_expr(p, e->left);
    for (int i = 0; i < e->clause_count; i++) {
        if (broken)
            print_newline(p, p->indent);
        else
            text_char(p->out, ' ');
        print_clause(p, &e->clauses[i]);
    }
    p->indent = outer;
    if (broken) print_newline(p, p->indent);
    text_append(p->out, close);
}

static void item_argument(Printer *p, const void *owner, int index) {
    const CallArg *arg = &((const Expr *)owner)->args[index];
    if (arg->keyword) text_printf(p->out, "%s=", arg->keyword->text);
    const Expr *value = arg->value;
    bool generator = value->kind == EXPR_COMPREHENSION && value->parenthesised;
    if (generator && !arg->keyword && ((const Expr *)owner)->arg_count == 1)
        print_comprehension(p, value, "", "");
    else
        print_expr(p, value);
}
static Span place_argument(const void *owner, int index) {
    const CallArg *arg = &((const Expr *)owner)->args[index];
    return arg->keyword ? span_join(arg->keyword_span, arg->value->span) : arg->value->span;
}

static void print_call(Printer *p, const Expr *e) {
    print_expr(p, e->left);
    Span span = {e->span.file, e->left->span.end, e->span.end};
    if (e->parenthesised && p->unit) /* the span holds the outer parentheses */
        while (span.end > span.begin && p->unit->file->text[span.end - 1] != ')') span.end--;
    bool generator = e->arg_count == 1 && !e->args[0].keyword &&
                     e->args[0].value->kind == EXPR_COMPREHENSION &&
                     e->args[0].value->parenthesised;
    Group group = {"(", ")", span, e->arg_count, false, generator, item_argument, place_argument,
                   e};
    print_group(p, &group);
}

/* Are two neighbours written without spaces around their operator? */
static bool is_tight(const Printer *p, const Expr *a, const Expr *b, Operator op) {
    return p->unit && b->span.begin - a->span.end == strlen(operator_text(op));
}

static void print_operator(Printer *p, Operator op, bool tight) {
    if (!tight) text_char(p->out, ' ');
    text_append(p->out, operator_text(op));
    if (!tight) text_char(p->out, ' ');
}

static void print_quoted(Printer *p, const char *value) {
    text_char(p->out, '"');
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_printf(p->out, "\\%c", *c);
        else if (*c == '\n')
            text_append(p->out, "\\n");
        else if (*c == '\t')
            text_append(p->out, "\\t");
        else if (*c < 0x20 || *c == 0x7f)
            text_printf(p->out, "\\x%02x", *c);
        else
            text_char(p->out, (char)*c);
    }
    text_char(p->out, '"');
}

/* As it was written, unless it was joined from several lines. */
static void print_string(Printer *p, const Expr *e) {
    if (!p->unit) {
        print_quoted(p, e->text);
        return;
    }
    const char *begin = p->unit->file->text + e->span.begin,
               *end = p->unit->file->text + e->span.end;
    while (begin < end && *begin != '"' && *begin != '\'') begin++;
    while (end > begin && end[-1] != '"' && end[-1] != '\'') end--;
    size_t length = (size_t)(end - begin);
    bool triple = length >= 6 && begin[0] == begin[1] && begin[1] == begin[2];
    if (triple || !memchr(begin, '\n', length))
        text_append_n(p->out, begin, length);
    else
        print_quoted(p, e->text);
}

static void print_inner(Printer *p, const Expr *e) {
    switch (e->kind) {
    case EXPR_INT:
    case EXPR_FLOAT: text_append(p->out, e->text); break;
    case EXPR_STRING: print_string(p, e); break;
    case EXPR_TRUE: text_append(p->out, "True"); break;
    case EXPR_FALSE: text_append(p->out, "False"); break;
    case EXPR_NONE: text_append(p->out, "None"); break;
    case EXPR_NAME: text_append(p->out, e->name->text); break;
    case EXPR_ELLIPSIS: text_printf(p->out, "...%s", e->name ? e->name->text : ""); break;
    case EXPR_ATTRIBUTE:
        print_expr(p, e->left);
        /* `1.x` would be a malformed number. */
        if (e->left->kind == EXPR_INT && !e->left->parenthesised) text_char(p->out, ' ');
        text_printf(p->out, ".%s", e->name->text);
        break;
    case EXPR_CALL: print_call(p, e); break;
    case EXPR_SUBSCRIPT: {
        print_expr(p, e->left);
        Span span = {e->span.file, e->left->span.end, e->span.end};
        Group group = {"[", "]", span, e->items.count, false, false, item_expr, place_expr, e};
        print_group(p, &group);
        break;
    }
    case EXPR_SLICE:
        if (e->left) print_expr(p, e->left);
        text_char(p->out, ':');
        if (e->right) print_expr(p, e->right);
        if (e->third) {
            text_char(p->out, ':');
            print_expr(p, e->third);
        }
        break;
    case EXPR_UNARY:
        text_append(p->out, operator_text(e->op));
        if (e->op == OPERATOR_NOT) text_char(p->out, ' ');
        print_expr(p, e->right);
        break;
    case EXPR_CHAIN: {
        bool tight = is_tight(p, e->items.items[0], e->items.items[1], e->operators[0]);
        for (int i = 0; i < e->items.count; i++) {
            if (i) print_operator(p, e->operators[i - 1], tight);
            print_expr(p, e->items.items[i]);
        }
        break;
    }
    case EXPR_COMPARE:
        for (int i = 0; i < e->items.count; i++) {
            if (i) print_operator(p, e->operators[i - 1], false);
            print_expr(p, e->items.items[i]);
        }
        break;
    case EXPR_POWER:
        print_expr(p, e->left);
        print_operator(p, OPERATOR_POW, is_tight(p, e->left, e->right, OPERATOR_POW));
        print_expr(p, e->right);
        break;
    case EXPR_AND:
    case EXPR_OR:
        for (int i = 0; i < e->items.count; i++) {
            if (i) text_append(p->out, e->kind == EXPR_AND ? " and " : " or ");
            print_expr(p, e->items.items[i]);
        }
        break;
    case EXPR_CONDITIONAL:
        print_expr(p, e->left);
        text_append(p->out, " if ");
        print_expr(p, e->third);
        text_append(p->out, " else ");
        print_expr(p, e->right);
        break;
    case EXPR_TUPLE: /* without parentheses; with them see print_expr */
        for (int i = 0; i < e->items.count; i++) {
            if (i) text_append(p->out, ", ");
            print_expr(p, e->items.items[i]);
        }
        if (e->items.count == 1) text_char(p->out, ',');
        break;
    case EXPR_LIST: {
        Group group = {"[", "]", e->span, e->items.count, false, false, item_expr, place_expr, e};
        print_group(p, &group);
        break;
    }
    case EXPR_DICT: {
        Group group = {"{",       "}",        e->span, e->items.count / 2, false, false,
                       item_pair, place_pair, e};
        print_group(p, &group);
        break;
    }
    case EXPR_COMPREHENSION:
        print_comprehension(p, e, e->parenthesised ? "" : "[", e->parenthesised ? "" : "]");
        break;
    case EXPR_STAR:
        text_char(p->out, '*');
        print_expr(p, e->left);
        break;
    case EXPR_ERROR: text_append(p->out, "<error>"); break;
    }
}

void print_expr(Printer *p, const Expr *e) {
    if (e->kind == EXPR_TUPLE && (e->parenthesised || e->items.count == 0)) {
        Group group = {"(",
                       ")",
                       e->span,
                       e->items.count,
                       e->items.count == 1,
                       e->items.count == 1,
                       item_expr,
                       place_expr,
                       e};
        print_group(p, &group);
        return;
    }
    if (e->parenthesised) text_char(p->out, '(');
    print_inner(p, e);
    if (e->parenthesised) text_char(p->out, ')');
}

/* ---- types and parameters ---- */

void print_type(Printer *p, const TypeExpr *type) {
    switch (type->kind) {
    case TYPE_NAME: text_append(p->out, type->name->text); break;
    case TYPE_TENSOR:
        text_printf(p->out, "%s[", type->name->text);
        for (int i = 0; i < type->dim_count; i++) {
            if (i) text_append(p->out, ", ");
            if (type->dims[i].spread)
                text_printf(p->out, "...%s", type->dims[i].spread->text);
            else
                print_expr(p, type->dims[i].expr);
        }
        text_char(p->out, ']');
        break;
    case TYPE_LIST:
        text_append(p->out, "list[");
        print_type(p, type->items[0]);
        text_char(p->out, ']');
        break;
    case TYPE_TUPLE:
        text_char(p->out, '(');
        for (int i = 0; i < type->item_count; i++) {
            if (i) text_append(p->out, ", ");
            print_type(p, type->items[i]);
        }
        text_append(p->out, type->item_count == 1 ? ",)" : ")");
        break;
    case TYPE_UNION:
        for (int i = 0; i < type->item_count; i++) {
            bool inner = type->items[i]->kind == TYPE_UNION;
            if (i) text_append(p->out, " | ");
            if (inner) text_char(p->out, '(');
            print_type(p, type->items[i]);
            if (inner) text_char(p->out, ')');
        }
        break;
    }
}

void print_param(Printer *p, const Param *param) {
    text_printf(p->out, "%s%s", param->star ? "*" : "", param->name->text);
    if (param->type) {
        text_append(p->out, ": ");
        print_type(p, param->type);
    }
    if (param->default_value) {
        text_append(p->out, param->type ? " = " : "=");
        print_expr(p, param->default_value);
    }
}

void syntax_print_expr(Text *out, const Expr *expr) {
    Printer p = {.out = out};
    print_expr(&p, expr);
}
