/* Builders of statements, types and headers.  See build.h.
 * A type is parsed as an expression (f32[N, ...S], int | (int, int), list[int]) and turned into a
 * TypeExpr here. */
#include "syntax/build.h"

#include <string.h>

/* ---- types ---- */

static TypeExpr *type_new(Parser *p, TypeKind kind, Span span) {
    TypeExpr *type = NEW(p->arena, TypeExpr);
    type->kind = kind;
    type->span = span;
    return type;
}

static TypeExpr *type_bad(Parser *p, Span span) {
    Diagnostic *d = diagnose(p->sink, NN_BAD_TYPE, span, "this is not a type");
    diagnostic_help(d, "write a tensor type f32[N, 10], a word (int, float, bool, str), list[int], "
                       "(int, int), or A | B");
    TypeExpr *type = type_new(p, TYPE_NAME, span);
    type->name = name_of("object");
    return type;
}

static TypeExpr *type_items(Parser *p, TypeExpr *type, const ExprList *items) {
    type->item_count = items->count;
    type->items = NEW_ARRAY(p->arena, (size_t)items->count, TypeExpr *);
    for (int i = 0; i < items->count; i++) type->items[i] = build_type(p, items->items[i]);
    return type;
}

static TypeExpr *type_of_subscript(Parser *p, const Expr *expr) {
    const Expr *head = expr->left;
    if (head->kind != EXPR_NAME) return type_bad(p, expr->span);
    if (head->name == name_of("list") || head->name == name_of("List") ||
        head->name == name_of("tuple") || head->name == name_of("Tuple")) {
        bool list = head->name->text[0] == 'l' || head->name->text[0] == 'L';
        TypeExpr *type =
            type_items(p, type_new(p, list ? TYPE_LIST : TYPE_TUPLE, expr->span), &expr->items);
        return list && type->item_count != 1 ? type_bad(p, expr->span) : type;
    }
    TypeExpr *type = type_new(p, TYPE_TENSOR, expr->span);
    type->name = head->name;
    TypeDim *dims = NEW_ARRAY(p->arena, (size_t)expr->items.count, TypeDim);
    for (int i = 0; i < expr->items.count; i++) {
        Expr *item = expr->items.items[i];
        dims[i].span = item->span;
        if (item->kind == EXPR_ELLIPSIS)
            dims[i].spread = item->name ? item->name : name_of("");
        else
            dims[i].expr = item;
        if (item->kind == EXPR_SLICE || item->kind == EXPR_STAR) return type_bad(p, item->span);
    }
    type->dims = dims;
    type->dim_count = expr->items.count;
    return type;
}

/* f32[] is written without a dim list: f32; the grammar has no empty subscript. */
TypeExpr *build_type(Parser *p, const Expr *expr) {
    if (expr->kind == EXPR_NAME || expr->kind == EXPR_NONE) {
        TypeExpr *type = type_new(p, TYPE_NAME, expr->span);
        type->name = expr->kind == EXPR_NAME ? expr->name : name_of("None");
        return type;
    }
    if (expr->kind == EXPR_ATTRIBUTE) { /* torch.Tensor, nn.Module: the last word counts */
        TypeExpr *type = type_new(p, TYPE_NAME, expr->span);
        type->name = expr->name;
        return type;
    }
    if (expr->kind == EXPR_ERROR) {
        TypeExpr *type = type_new(p, TYPE_NAME, expr->span);
        type->name = name_of("object");
        return type;
    }
    if (expr->kind == EXPR_TUPLE)
        return type_items(p, type_new(p, TYPE_TUPLE, expr->span), &expr->items);
    if (expr->kind == EXPR_SUBSCRIPT) return type_of_subscript(p, expr);
    if (expr->kind == EXPR_CHAIN) {
        for (int i = 0; i + 1 < expr->items.count; i++)
            if (expr->operators[i] != OPERATOR_BITOR) return type_bad(p, expr->span);
        return type_items(p, type_new(p, TYPE_UNION, expr->span), &expr->items);
    }
    return type_bad(p, expr->span);
}

/* ---- headers ---- */

/* The text of the ## lines that end right above `begin`, or on its line; NULL if there are none. */
static const char *doc_before(Parser *p, uint32_t begin) {
    const TriviaVector *trivia = p->trivia;
    int low = 0, high = trivia->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (trivia->data[middle].span.begin < begin)
            low = middle + 1;
        else
            high = middle;
    }
    int last = low - 1, first = last;
    int line = span_line((Span){p->file, begin, begin});
    while (first >= 0 && trivia->data[first].doc && trivia->data[first].own_line &&
           span_line(trivia->data[first].span) == line - (last - first) - 1)
        first--;
    if (first == last) return NULL;
    Text text = text_new(p->arena);
    for (int i = first + 1; i <= last; i++) {
        Span span = trivia->data[i].span;
        uint32_t from = span.begin + 2;
        if (from < span.end && p->file->text[from] == ' ') from++;
        if (i > first + 1) text_char(&text, '\n');
        text_append_n(&text, p->file->text + from, span.end - from);
    }
    return text.data;
}

static const char *docstring(const StmtList *body) {
    if (body->count == 0 || body->items[0]->kind != STMT_EXPR) return NULL;
    const Expr *value = body->items[0]->value;
    return value->kind == EXPR_STRING ? value->text : NULL;
}

ParamVector *build_params(Parser *p) {
    return NEW(p->arena, ParamVector);
}

ParamVector *build_params_add(Parser *p, ParamVector *params, Param next) {
    for (int i = 0; i < params->count; i++)
        if (params->data[i].name == next.name) {
            Diagnostic *d = diagnose(p->sink, NN_SYNTAX, next.span, "parameter `%s` is named twice",
                                     next.name->text);
            diagnostic_label(d, params->data[i].span, "first here");
            break;
        }
    vector_push(p->arena, params, next);
    return params;
}

Param build_param(Parser *p, Span span, const Token *name, TypeExpr *type, Expr *value, bool star) {
    return (Param){name->name, span, type, value, star, doc_before(p, span.begin)};
}

Header build_header(ParamVector *params) {
    return (Header){true, params};
}

ResultDecl build_result(Span span, const Token *name, TypeExpr *type) {
    return (ResultDecl){name ? name->name : NULL, type, span};
}

ResultVector *build_results_add(Parser *p, ResultVector *results, ResultDecl next) {
    if (!results) results = NEW(p->arena, ResultVector);
    vector_push(p->arena, results, next);
    return results;
}

Results build_result_plain(Parser *p, const Expr *type) {
    return (Results){
        true, false,
        build_results_add(p, NULL, build_result(type->span, NULL, build_type(p, type)))};
}

Results build_results_list(ResultVector *results) {
    return (Results){true, true, results};
}

ImportVector *build_imports(Parser *p, ImportVector *imports, const Token *name,
                            const Token *alias) {
    if (!imports) imports = NEW(p->arena, ImportVector);
    ImportName import = {name->name, alias ? alias->name : NULL,
                         alias ? span_join(name->span, alias->span) : name->span};
    vector_push(p->arena, imports, import);
    return imports;
}

/* ---- statements ---- */

static Stmt *stmt_new(Parser *p, StmtKind kind, Span span) {
    Stmt *s = NEW(p->arena, Stmt);
    s->kind = kind;
    s->span = span;
    s->op = OPERATOR_NONE;
    s->depth = 1;
    return s;
}

static int depth_of_list(const StmtList *list, int deepest) {
    for (int i = 0; i < list->count; i++)
        if (list->items[i]->depth > deepest) deepest = list->items[i]->depth;
    return deepest;
}

static Stmt *stmt_finish(Parser *p, Stmt *s) {
    int deepest = s->value ? s->value->depth : 0;
    deepest = depth_of_list(&s->body, deepest);
    deepest = depth_of_list(&s->otherwise, deepest);
    if (s->function) deepest = depth_of_list(&s->function->body, deepest);
    s->depth = deepest + 1;
    if (s->depth <= AST_MAX_DEPTH) return s;
    if (!p->too_deep)
        diagnose(p->sink, NN_TOO_DEEP, s->span, "nested more than %d levels deep", AST_MAX_DEPTH);
    p->too_deep = true;
    return stmt_new(p, STMT_ERROR, s->span);
}

StmtVector *build_statements(Parser *p) {
    return NEW(p->arena, StmtVector);
}

StmtVector *build_statements_add(Parser *p, StmtVector *statements, Stmt *next) {
    vector_push(p->arena, statements, next);
    return statements;
}

static StmtList statements_list(const StmtVector *statements, Span span) {
    StmtList list = {statements->data, statements->count, span, false};
    for (int i = 0; i < list.count && !list.has_vjp; i++)
        list.has_vjp = list.items[i]->kind == STMT_FUNCTION && list.items[i]->function->is_vjp;
    return list;
}

StmtList build_block(Parser *p, Span span, const StmtVector *statements) {
    return statements_list(statements, span);
}

void build_unit(Parser *p, const StmtVector *statements) {
    p->top = statements_list(statements, (Span){p->file, 0, (uint32_t)p->file->length});
}

Stmt *build_error(Parser *p, Span span) {
    vector_push(p->arena, &p->errors, span);
    return stmt_new(p, STMT_ERROR, span);
}

Stmt *build_value_statement(Parser *p, Span span, StmtKind kind, Expr *value) {
    Stmt *s = stmt_new(p, kind, span);
    s->value = value;
    return stmt_finish(p, s);
}

static void check_target(Parser *p, const Expr *target, bool augmented) {
    if (target->kind == EXPR_NAME || target->kind == EXPR_ATTRIBUTE ||
        target->kind == EXPR_SUBSCRIPT || target->kind == EXPR_ERROR)
        return;
    if (!augmented && target->kind == EXPR_STAR) {
        check_target(p, target->left, false);
        return;
    }
    if (!augmented && (target->kind == EXPR_TUPLE || target->kind == EXPR_LIST) &&
        target->items.count) {
        for (int i = 0; i < target->items.count; i++)
            check_target(p, target->items.items[i], false);
        return;
    }
    Diagnostic *d = diagnose(p->sink, NN_BAD_TARGET, target->span, "this cannot be assigned to");
    diagnostic_help(
        d, "the left side of an assignment is a name, self.name, x[i], or several of them");
}

Stmt *build_assign(Parser *p, Span span, const ExprVector *targets, Expr *value) {
    Stmt *s = stmt_new(p, STMT_ASSIGN, span);
    s->targets = (ExprList){targets->data, targets->count};
    s->value = value;
    for (int i = 0; i < targets->count; i++) check_target(p, targets->data[i], false);
    return stmt_finish(p, s);
}

Stmt *build_augmented(Parser *p, Span span, Expr *target, Operator op, Expr *value) {
    Stmt *s = stmt_new(p, STMT_AUGMENTED, span);
    ExprVector *targets = build_exprs(p, target);
    s->targets = (ExprList){targets->data, targets->count};
    s->op = op;
    s->value = value;
    check_target(p, target, true);
    return stmt_finish(p, s);
}

Stmt *build_assert(Parser *p, Span span, Expr *condition, Expr *message, bool colon) {
    Stmt *s = stmt_new(p, STMT_ASSERT, span);
    s->value = condition;
    s->message = message;
    s->assert_colon = colon;
    return stmt_finish(p, s);
}

static void set_name(Stmt *s, const Token *name) {
    if (!name) return;
    s->name = name->name;
    s->name_span = name->span;
}

Stmt *build_declare(Parser *p, Span span, const Token *keyword, const Token *name, TypeExpr *type,
                    Expr *value) {
    Stmt *s = stmt_new(p, STMT_DECLARE, span);
    s->declare = keyword->name->text[0] == 'p'   ? DECLARE_PARAM
                 : keyword->name->text[0] == 'b' ? DECLARE_BUFFER
                                                 : DECLARE_STATE;
    set_name(s, name);
    s->type = type;
    s->value = value;
    s->doc = doc_before(p, span.begin);
    return stmt_finish(p, s);
}

Stmt *build_export(Parser *p, Span span, Expr *value, const Token *alias) {
    Stmt *s = stmt_new(p, STMT_EXPORT, span);
    s->value = value;
    set_name(s, alias);
    s->doc = doc_before(p, span.begin);
    return stmt_finish(p, s);
}

Stmt *build_import(Parser *p, Span span, const Token *path, const Token *alias) {
    Stmt *s = stmt_new(p, STMT_IMPORT, span);
    s->path = path->text;
    s->path_span = path->span;
    set_name(s, alias);
    return s;
}

Stmt *build_from(Parser *p, Span span, const Token *path, const ImportVector *imports) {
    Stmt *s = stmt_new(p, STMT_FROM, span);
    s->path = path->text;
    s->path_span = path->span;
    s->imports = imports->data;
    s->import_count = imports->count;
    return s;
}

Stmt *build_for(Parser *p, Span span, Expr *target, Expr *iterable, StmtList body) {
    Stmt *s = stmt_new(p, STMT_FOR, span);
    ExprVector *targets = build_exprs(p, target);
    s->targets = (ExprList){targets->data, targets->count};
    check_target(p, target, false);
    s->value = iterable;
    s->body = body;
    return stmt_finish(p, s);
}

Stmt *build_no_grad(Parser *p, Span span, StmtList body) {
    Stmt *s = stmt_new(p, STMT_NO_GRAD, span);
    s->body = body;
    return stmt_finish(p, s);
}

Stmt *build_if(Parser *p, Span span, Expr *condition, StmtList body) {
    Stmt *s = stmt_new(p, STMT_IF, span);
    s->value = condition;
    s->body = body;
    return stmt_finish(p, s);
}

Stmt *build_if_else(Parser *p, Span span, Expr *condition, StmtList body, StmtList otherwise) {
    Stmt *s = stmt_new(p, STMT_IF, span);
    s->value = condition;
    s->body = body;
    s->otherwise = otherwise;
    s->has_otherwise = true;
    return stmt_finish(p, s);
}

Stmt *build_if_chain(Parser *p, Span span, Expr *condition, StmtList body, Stmt *otherwise) {
    StmtVector *one = build_statements_add(p, build_statements(p), otherwise);
    return build_if_else(p, span, condition, body,
                         (StmtList){one->data, one->count, otherwise->span, false});
}

Stmt *build_scan(Parser *p, Span span, const ExprVector *carries, const ExprVector *inits,
                 const ExprVector *elements, const ExprVector *sequences, StmtList body) {
    Stmt *s = stmt_new(p, STMT_SCAN, span);
    ScanCarry *list = NEW_ARRAY(p->arena, (size_t)carries->count, ScanCarry);
    bool good = carries->count == inits->count;
    if (!good) {
        Diagnostic *d = diagnose(p->sink, NN_SCAN_COUNT,
                                 span_join(carries->data[0]->span, vector_last(inits)->span),
                                 "%d carries and %d initial values", carries->count, inits->count);
        diagnostic_help(d, "scan h, c = h0, c0 for x in xs { ... yield h }");
    }
    for (int i = 0; i < carries->count; i++) {
        const Expr *carry = carries->data[i];
        if (carry->kind != EXPR_NAME) {
            diagnose(p->sink, NN_BAD_TARGET, carry->span, "a carry of scan is a name");
            good = false;
            continue;
        }
        list[i] = (ScanCarry){carry->name, carry->span, inits->data[i < inits->count ? i : 0]};
    }
    s->carries = list;
    s->carry_count = carries->count;
    s->elements = (ExprList){elements->data, elements->count};
    s->sequences = (ExprList){sequences->data, sequences->count};
    for (int i = 0; i < elements->count; i++) check_target(p, elements->data[i], false);
    if (sequences->count == 1 &&
        elements->count > 1) { /* for a, b in zip(x, y): one tuple per step */
        Span whole = span_join(elements->data[0]->span, vector_last(elements)->span);
        ExprVector *one = build_exprs(p, build_sequence(p, whole, EXPR_TUPLE, elements));
        s->elements = (ExprList){one->data, one->count};
    } else if (sequences->count != elements->count) {
        diagnose(p->sink, NN_SCAN_COUNT,
                 span_join(elements->data[0]->span, vector_last(sequences)->span),
                 "%d elements and %d sequences", elements->count, sequences->count);
        good = false;
    }
    s->body = body;
    return good ? stmt_finish(p, s) : build_error(p, span);
}

Stmt *build_scan_targets(Parser *p, Span span, const ExprVector *targets, Stmt *scan) {
    scan->span = span;
    if (scan->kind == STMT_ERROR) return scan;
    scan->targets = (ExprList){targets->data, targets->count};
    for (int i = 0; i < targets->count; i++) check_target(p, targets->data[i], false);
    return scan;
}

Stmt *build_definition(Parser *p, Span span, const Token *keyword, const Token *name, Header header,
                       StmtList body) {
    StmtKind kind = keyword->name->text[0] == 'o'   ? STMT_OPTIMIZER
                    : keyword->name->text[0] == 't' ? STMT_TRAIN
                                                    : STMT_MODULE;
    Stmt *s = stmt_new(p, kind, span);
    set_name(s, name);
    s->has_params = header.written;
    if (header.params) {
        s->params = header.params->data;
        s->param_count = header.params->count;
    }
    s->body = body;
    s->doc = doc_before(p, span.begin);
    if (!s->doc) s->doc = docstring(&body);
    return stmt_finish(p, s);
}

Stmt *build_function(Parser *p, Span span, const Token *keyword, const Token *name,
                     const ParamVector *params, Results results, const ExprVector *where,
                     StmtList body) {
    Function *f = NEW(p->arena, Function);
    *f = (Function){.name = name->name,
                    .span = span,
                    .name_span = name->span,
                    .is_vjp = keyword->name->text[0] == 'v',
                    .params = params->data,
                    .param_count = params->count,
                    .has_results = results.written,
                    .results_parenthesised = results.parenthesised,
                    .body = body};
    if (results.items) {
        f->results = results.items->data;
        f->result_count = results.items->count;
    }
    if (where) f->where = (ExprList){where->data, where->count};
    f->doc = doc_before(p, span.begin);
    if (!f->doc) f->doc = docstring(&body);
    Stmt *s = stmt_new(p, STMT_FUNCTION, span);
    s->function = f;
    s->name = f->name;
    s->name_span = f->name_span;
    s->doc = f->doc;
    return stmt_finish(p, s);
}
