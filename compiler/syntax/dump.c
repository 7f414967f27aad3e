/* The tree as text: one node per line, children indented.  No places, so that equal trees have
 * equal dumps. */
#include "syntax/parse.h"

static const char *const expr_names[] = {
    [EXPR_INT] = "int",
    [EXPR_FLOAT] = "float",
    [EXPR_STRING] = "string",
    [EXPR_TRUE] = "true",
    [EXPR_FALSE] = "false",
    [EXPR_NONE] = "none",
    [EXPR_NAME] = "name",
    [EXPR_ELLIPSIS] = "ellipsis",
    [EXPR_ATTRIBUTE] = "attribute",
    [EXPR_CALL] = "call",
    [EXPR_SUBSCRIPT] = "subscript",
    [EXPR_SLICE] = "slice",
    [EXPR_UNARY] = "unary",
    [EXPR_CHAIN] = "chain",
    [EXPR_POWER] = "power",
    [EXPR_COMPARE] = "compare",
    [EXPR_AND] = "and",
    [EXPR_OR] = "or",
    [EXPR_CONDITIONAL] = "conditional",
    [EXPR_TUPLE] = "tuple",
    [EXPR_LIST] = "list",
    [EXPR_DICT] = "dict",
    [EXPR_COMPREHENSION] = "comprehension",
    [EXPR_STAR] = "star",
    [EXPR_ERROR] = "error",
};
static const char *const stmt_names[] = {
    [STMT_EXPR] = "expression",   [STMT_ASSIGN] = "assign",       [STMT_AUGMENTED] = "augmented",
    [STMT_RETURN] = "return",     [STMT_YIELD] = "yield",         [STMT_IF] = "if",
    [STMT_FOR] = "for",           [STMT_SCAN] = "scan",           [STMT_NO_GRAD] = "no_grad",
    [STMT_ASSERT] = "assert",     [STMT_PASS] = "pass",           [STMT_BREAK] = "break",
    [STMT_CONTINUE] = "continue", [STMT_DECLARE] = "declare",     [STMT_FUNCTION] = "function",
    [STMT_MODULE] = "module",     [STMT_OPTIMIZER] = "optimizer", [STMT_TRAIN] = "train",
    [STMT_EXPORT] = "export",     [STMT_IMPORT] = "import",       [STMT_FROM] = "from",
    [STMT_ERROR] = "error",
};
static const char *const type_names[] = {
    [TYPE_TENSOR] = "tensor", [TYPE_NAME] = "word",   [TYPE_LIST] = "list",
    [TYPE_TUPLE] = "tuple",   [TYPE_UNION] = "union",
};

typedef struct Dump {
    Text *out;
    int level;
} Dump;

static void line(Dump *d, const char *word) {
    if (d->out->length) text_char(d->out, '\n');
    for (int i = 0; i < d->level; i++) text_append(d->out, "  ");
    text_append(d->out, word);
}

static void dump_expr(Dump *d, const char *role, const Expr *e);

static void dump_exprs(Dump *d, const char *role, const ExprList *list) {
    for (int i = 0; i < list->count; i++) dump_expr(d, role, list->items[i]);
}

static void dump_expr(Dump *d, const char *role, const Expr *e) {
    if (!e) return;
    line(d, role);
    text_append(d->out, role[0] ? " " : "");
    text_append(d->out, expr_names[e->kind]);
    if (e->kind == EXPR_INT) text_printf(d->out, " %lld", (long long)e->integer);
    if (e->kind == EXPR_FLOAT) {
        text_char(d->out, ' ');
        text_double(d->out, e->number);
    }
    if (e->kind == EXPR_STRING) {
        text_char(d->out, ' ');
        text_repr(d->out, e->text);
    }
    if (e->name) text_printf(d->out, " %s", e->name->text);
    if (e->op != OPERATOR_NONE) text_printf(d->out, " %s", operator_text(e->op));
    for (int i = 0; e->operators && i + 1 < e->items.count; i++)
        text_printf(d->out, " %s", operator_text(e->operators[i]));
    d->level++;
    dump_expr(d, "", e->left);
    dump_expr(d, e->kind == EXPR_SLICE ? "end" : "", e->right);
    dump_expr(d, e->kind == EXPR_SLICE ? "step" : "if", e->third);
    dump_exprs(d, "", &e->items);
    for (int i = 0; i < e->arg_count; i++)
        dump_expr(d, e->args[i].keyword ? e->args[i].keyword->text : "", e->args[i].value);
    for (int i = 0; i < e->clause_count; i++) {
        dump_expr(d, "for", e->clauses[i].target);
        dump_expr(d, "in", e->clauses[i].iterable);
        dump_exprs(d, "if", &e->clauses[i].conditions);
    }
    d->level--;
}

static void dump_type(Dump *d, const TypeExpr *type) {
    if (!type) return;
    line(d, "type ");
    text_append(d->out, type_names[type->kind]);
    if (type->name) text_printf(d->out, " %s", type->name->text);
    d->level++;
    for (int i = 0; i < type->dim_count; i++) {
        if (type->dims[i].spread) {
            line(d, "spread ");
            text_append(d->out, type->dims[i].spread->text);
        } else {
            dump_expr(d, "dim", type->dims[i].expr);
        }
    }
    for (int i = 0; i < type->item_count; i++) dump_type(d, type->items[i]);
    d->level--;
}

static void dump_params(Dump *d, const Param *params, int count) {
    for (int i = 0; i < count; i++) {
        line(d, params[i].star ? "parameter *" : "parameter ");
        text_append(d->out, params[i].name->text);
        d->level++;
        dump_type(d, params[i].type);
        dump_expr(d, "default", params[i].default_value);
        d->level--;
    }
}

static void dump_list(Dump *d, const char *role, const StmtList *list);

static void dump_function(Dump *d, const Function *f) {
    text_printf(d->out, "%s %s", f->is_vjp ? " vjp" : "", f->name->text);
    d->level++;
    dump_params(d, f->params, f->param_count);
    for (int i = 0; i < f->result_count; i++) {
        line(d, "result ");
        text_append(d->out, f->results[i].name ? f->results[i].name->text : "");
        d->level++;
        dump_type(d, f->results[i].type);
        d->level--;
    }
    dump_exprs(d, "where", &f->where);
    d->level--;
    dump_list(d, "body", &f->body);
}

static void dump_stmt(Dump *d, const Stmt *s) {
    static const char *const declares[] = {"param", "buffer", "state"};
    line(d, stmt_names[s->kind]);
    if (s->kind == STMT_DECLARE) text_printf(d->out, " %s", declares[s->declare]);
    if (s->kind == STMT_FUNCTION) {
        dump_function(d, s->function);
        return;
    }
    if (s->name) text_printf(d->out, " %s", s->name->text);
    if (s->op != OPERATOR_NONE) text_printf(d->out, " %s=", operator_text(s->op));
    if (s->path) {
        text_char(d->out, ' ');
        text_repr(d->out, s->path);
    }
    d->level++;
    for (int i = 0; i < s->import_count; i++) {
        line(d, "name ");
        text_append(d->out, s->imports[i].name->text);
        if (s->imports[i].alias) text_printf(d->out, " as %s", s->imports[i].alias->text);
    }
    dump_params(d, s->params, s->param_count);
    dump_exprs(d, "target", &s->targets);
    dump_type(d, s->type);
    dump_expr(d, "value", s->value);
    dump_expr(d, "message", s->message);
    for (int i = 0; i < s->carry_count; i++)
        dump_expr(d, s->carries[i].name->text, s->carries[i].init);
    dump_exprs(d, "element", &s->elements);
    dump_exprs(d, "sequence", &s->sequences);
    d->level--;
    dump_list(d, "body", &s->body);
    if (s->has_otherwise) dump_list(d, "else", &s->otherwise);
}

static void dump_list(Dump *d, const char *role, const StmtList *list) {
    d->level++;
    if (list->count || role[0] == 'e') line(d, role);
    d->level++;
    for (int i = 0; i < list->count; i++) dump_stmt(d, list->items[i]);
    d->level -= 2;
}

void syntax_dump(Text *out, const SourceUnit *unit) {
    Dump d = {out, 0};
    for (int i = 0; i < unit->top.count; i++) dump_stmt(&d, unit->top.items[i]);
    text_char(out, '\n');
}
