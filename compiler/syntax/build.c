/* Builders of expression nodes.  See build.h. */
#include "syntax/build.h"

#include <string.h>

static Expr *expr_new(Parser *p, ExprKind kind, Span span) {
    Expr *e = NEW(p->arena, Expr);
    e->kind = kind;
    e->span = span;
    e->depth = 1;
    e->op = OPERATOR_NONE;
    return e;
}

/* The node is complete except for its depth: 1 + the deepest child. */
static Expr *expr_finish(Parser *p, Expr *e) {
    int deepest = 0;
    const Expr *parts[] = {e->left, e->right, e->third};
    for (int i = 0; i < 3; i++)
        if (parts[i] && parts[i]->depth > deepest) deepest = parts[i]->depth;
    for (int i = 0; i < e->items.count; i++)
        if (e->items.items[i]->depth > deepest) deepest = e->items.items[i]->depth;
    for (int i = 0; i < e->arg_count; i++)
        if (e->args[i].value->depth > deepest) deepest = e->args[i].value->depth;
    for (int i = 0; i < e->clause_count; i++) {
        const ForClause *clause = &e->clauses[i];
        if (clause->target->depth > deepest) deepest = clause->target->depth;
        if (clause->iterable->depth > deepest) deepest = clause->iterable->depth;
        for (int k = 0; k < clause->conditions.count; k++)
            if (clause->conditions.items[k]->depth > deepest)
                deepest = clause->conditions.items[k]->depth;
    }
    e->depth = deepest + 1;
    if (e->depth <= AST_MAX_DEPTH) return e;
    if (!p->too_deep) {
        Diagnostic *d = diagnose(p->sink, NN_TOO_DEEP, e->span, "nested more than %d levels deep",
                                 AST_MAX_DEPTH);
        diagnostic_help(d, "name the inner parts: y = ...");
    }
    p->too_deep = true;
    return expr_new(p, EXPR_ERROR, e->span);
}

static ExprList list_of(const ExprVector *items) {
    return items ? (ExprList){items->data, items->count} : (ExprList){0};
}

Expr *build_name(Parser *p, const Token *name) {
    Expr *e = expr_new(p, EXPR_NAME, name->span);
    e->name = name->name;
    return e;
}

Expr *build_number(Parser *p, const Token *token) {
    Expr *e = expr_new(p, token->is_float ? EXPR_FLOAT : EXPR_INT, token->span);
    e->text = token->text;
    e->text_length = token->length;
    e->integer = token->integer;
    e->number = token->number;
    return e;
}

Expr *build_string(Parser *p, Expr *before, const Token *token) {
    if (!before) {
        Expr *e = expr_new(p, EXPR_STRING, token->span);
        e->text = token->text;
        e->text_length = token->length;
        return e;
    }
    if (p->joined.data != before->text) {
        p->joined = text_new(p->arena);
        text_append_n(&p->joined, before->text, before->text_length);
    }
    text_append_n(&p->joined, token->text, token->length);
    before->text = p->joined.data;
    before->text_length = p->joined.length;
    before->span = span_join(before->span, token->span);
    return before;
}

Expr *build_constant(Parser *p, Span span, ExprKind kind) {
    return expr_new(p, kind, span);
}

Expr *build_ellipsis(Parser *p, Span span, const Token *name) {
    Expr *e = expr_new(p, EXPR_ELLIPSIS, span);
    if (name) {
        e->name = name->name;
        e->name_span = name->span;
    }
    return e;
}

Expr *build_attribute(Parser *p, Span span, Expr *left, const Token *name) {
    Expr *e = expr_new(p, EXPR_ATTRIBUTE, span);
    e->left = left;
    e->name = name->name;
    e->name_span = name->span;
    return expr_finish(p, e);
}

Expr *build_call(Parser *p, Span span, Expr *left, const ArgVector *args) {
    Expr *e = expr_new(p, EXPR_CALL, span);
    e->left = left;
    e->args = args->data;
    e->arg_count = args->count;
    return expr_finish(p, e);
}

Expr *build_subscript(Parser *p, Span span, Expr *left, const ExprVector *items) {
    Expr *e = expr_new(p, EXPR_SUBSCRIPT, span);
    e->left = left;
    e->items = list_of(items);
    return expr_finish(p, e);
}

Expr *build_slice(Parser *p, Span span, Expr *begin, Expr *end, Expr *step) {
    Expr *e = expr_new(p, EXPR_SLICE, span);
    e->left = begin;
    e->right = end;
    e->third = step;
    return expr_finish(p, e);
}

Expr *build_unary(Parser *p, Span span, Operator op, Expr *right) {
    Expr *e = expr_new(p, EXPR_UNARY, span);
    e->op = op;
    e->right = right;
    return expr_finish(p, e);
}

Expr *build_power(Parser *p, Span span, Expr *left, Expr *right) {
    Expr *e = expr_new(p, EXPR_POWER, span);
    e->op = OPERATOR_POW;
    e->left = left;
    e->right = right;
    return expr_finish(p, e);
}

Expr *build_star(Parser *p, Span span, Expr *value) {
    Expr *e = expr_new(p, EXPR_STAR, span);
    e->left = value;
    return expr_finish(p, e);
}

Expr *build_conditional(Parser *p, Span span, Expr *value, Expr *condition, Expr *otherwise) {
    Expr *e = expr_new(p, EXPR_CONDITIONAL, span);
    e->left = value;
    e->third = condition;
    e->right = otherwise;
    return expr_finish(p, e);
}

Expr *build_sequence(Parser *p, Span span, ExprKind kind, const ExprVector *items) {
    Expr *e = expr_new(p, kind, span);
    e->items = list_of(items);
    return expr_finish(p, e);
}

/* Parentheses make no node: a tuple grows over them, anything else remembers them for the
 * formatter. */
Expr *build_parenthesised(Parser *p, Span span, Expr *inner) {
    inner->parenthesised = true;
    inner->span = span;
    return inner;
}

Expr *build_comprehension(Parser *p, Span span, Expr *value, const ClauseVector *clauses,
                          bool generator) {
    Expr *e = expr_new(p, EXPR_COMPREHENSION, span);
    e->left = value;
    e->clauses = clauses->data;
    e->clause_count = clauses->count;
    e->parenthesised = generator;
    return expr_finish(p, e);
}

Expr *build_targets(Parser *p, Span span, const ExprVector *items) {
    return items->count == 1 ? items->data[0] : build_sequence(p, span, EXPR_TUPLE, items);
}

ChainBuilder *build_chain_of(Parser *p, Expr *first) {
    ChainBuilder *chain = NEW(p->arena, ChainBuilder);
    vector_push(p->arena, &chain->items, first);
    return chain;
}

ChainBuilder *build_link(Parser *p, ChainBuilder *chain, Operator op, Expr *next) {
    vector_push(p->arena, &chain->items, next);
    vector_push(p->arena, &chain->operators, op);
    return chain;
}

Expr *build_chain(Parser *p, Span span, ExprKind kind, const ChainBuilder *chain) {
    Expr *e = expr_new(p, kind, span);
    e->items = list_of(&chain->items);
    e->operators = chain->operators.data;
    return expr_finish(p, e);
}

ExprVector *build_exprs(Parser *p, Expr *first) {
    return build_exprs_add(p, NULL, first);
}

ExprVector *build_exprs_add(Parser *p, ExprVector *items, Expr *next) {
    if (!items) items = NEW(p->arena, ExprVector);
    vector_push(p->arena, items, next);
    return items;
}

ArgVector *build_args(Parser *p) {
    return NEW(p->arena, ArgVector);
}

ArgVector *build_args_add(Parser *p, ArgVector *args, const Token *keyword, Expr *value) {
    CallArg arg = {.value = value};
    if (keyword) {
        arg.keyword = keyword->name;
        arg.keyword_span = keyword->span;
        for (int i = 0; i < args->count; i++)
            if (args->data[i].keyword == keyword->name) {
                diagnose(p->sink, NN_SYNTAX, keyword->span, "keyword argument `%s` is given twice",
                         keyword->name->text);
                break;
            }
    } else if (value->kind != EXPR_STAR && args->count && vector_last(args).keyword) {
        diagnose(p->sink, NN_SYNTAX, value->span, "positional argument follows a keyword argument");
    }
    vector_push(p->arena, args, arg);
    return args;
}

ArgVector *build_args_generator(Parser *p, Span span, Expr *value, const ClauseVector *clauses) {
    return build_args_add(p, build_args(p), NULL,
                          build_comprehension(p, span, value, clauses, true));
}

ClauseVector *build_clause(Parser *p, ClauseVector *clauses, Expr *target, Expr *iterable,
                           const ExprVector *conditions) {
    if (!clauses) clauses = NEW(p->arena, ClauseVector);
    ForClause clause = {target, iterable, list_of(conditions)};
    vector_push(p->arena, clauses, clause);
    return clauses;
}
