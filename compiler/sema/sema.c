/* The walk over statements and expressions: scopes, places, names.  See sema.h. */
#include "sema/internal.h"

#include <string.h>

static void check_list(Sema *s, const StmtList *list);
static void check_expr(Sema *s, const Expr *e);

static void check_exprs(Sema *s, const ExprList *list) {
    for (int i = 0; i < list->count; i++) check_expr(s, list->items[i]);
}

static void check_name(Sema *s, Name name, Span span) {
    if (scope_resolve(s, name) || library_has(s, "", name) || s->open_dims) return;
    if (s->in_type)
        diagnose(s->sink, NN_TYPE_NAME, span, "the dim `%s` is not known here", name->text);
    else
        names_report_unknown(s, name, span);
}

/* nn.Linaer: an attribute of a namespace of the library that no definition hides. */
static bool check_namespace(Sema *s, const Expr *e) {
    static const char *const spaces[] = {"nn", "F", "init", "optim"};
    if (e->left->kind != EXPR_NAME) return false;
    for (NameScope *scope = s->scope; scope; scope = scope->parent)
        if (scope_lookup(scope, e->left->name)) return false;
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (strcmp(e->left->name->text, spaces[i]) || !library_has_space(s, spaces[i])) continue;
        static const char *const nested[] = {"functional", "init",         "utils",    "Module",
                                             "Parameter",  "lr_scheduler", "swa_utils"};
        for (size_t k = 0; k < sizeof nested / sizeof *nested; k++)
            if (!strcmp(e->name->text, nested[k])) return true;
        if (!library_has(s, spaces[i], e->name))
            names_report_attribute(s, spaces[i], e->name, e->name_span);
        return true;
    }
    return false;
}

/* self.fc3 where there is an fc2 and no fc3; members that resemble nothing are left to lowering. */
static void check_member(Sema *s, const Expr *e) {
    if (!s->members || e->left->kind != EXPR_NAME || strcmp(e->left->name->text, "self")) return;
    if (scope_lookup(s->members, e->name)) return;
    for (int i = 0; s->owner && i < s->owner->param_count; i++)
        if (s->owner->params[i].name == e->name) return;
    static const char *const own[] = {"train",
                                      "eval",
                                      "training",
                                      "type",
                                      "to",
                                      "half",
                                      "float",
                                      "double",
                                      "apply",
                                      "children",
                                      "modules",
                                      "zero_grad",
                                      "step",
                                      "lr",
                                      "named_parameters",
                                      "parameters",
                                      "buffers",
                                      "forward",
                                      "begin",
                                      "update",
                                      "extra_repr",
                                      "state_dict",
                                      "requires_grad_",
                                      "named_children",
                                      "add_module",
                                      "register_buffer",
                                      "register_parameter",
                                      "param_groups",
                                      "named_modules",
                                      "named_buffers",
                                      "defaults",
                                      "state",
                                      "params"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strcmp(e->name->text, own[i])) return;
    const char *best = NULL;
    for (int i = 0; i < s->members->names.count; i++)
        best = names_closest(e->name->text, s->members->names.data[i].name->text, best);
    if (!best) return;
    Diagnostic *d = diagnose(s->sink, NN_UNKNOWN_ATTRIBUTE, e->name_span, "%s has no member `%s`",
                             s->owner->name->text, e->name->text);
    diagnostic_help(d, "did you mean `self.%s`?", best);
}

static void check_comprehension(Sema *s, const Expr *e) {
    scope_push(s);
    for (int i = 0; i < e->clause_count; i++) {
        check_expr(s, e->clauses[i].iterable);
        names_collect_target(s, s->scope, e->clauses[i].target, false);
        check_exprs(s, &e->clauses[i].conditions);
    }
    check_expr(s, e->left);
    scope_pop(s);
}

static bool is_device(const Expr *call) {
    return call->left->kind == EXPR_ATTRIBUTE && !strcmp(call->left->name->text, "to") &&
           call->arg_count && call->args[0].value->kind == EXPR_NAME &&
           !strcmp(call->args[0].value->name->text, "device");
}

static void check_call(Sema *s, const Expr *e) {
    check_expr(s, e->left);
    calls_check_python(s, e);
    for (int i = 0; i < e->arg_count; i++)
        if (!(i == 0 && is_device(e)) && !calls_on_device(s, e, &e->args[i]))
            check_expr(s, e->args[i].value);
    calls_check(s, e);
}

static void check_expr(Sema *s, const Expr *e) {
    if (!e) return;
    switch (e->kind) {
    case EXPR_NAME: check_name(s, e->name, e->span); return;
    case EXPR_STRING: names_use_interpolated(s, e->text); return;
    case EXPR_ATTRIBUTE:
        if (check_namespace(s, e)) return;
        check_expr(s, e->left);
        check_member(s, e);
        return;
    case EXPR_CALL: check_call(s, e); return;
    case EXPR_COMPREHENSION: check_comprehension(s, e); return;
    case EXPR_SUBSCRIPT:
        if (e->items.count == 0) {
            Diagnostic *d = diagnose(s->sink, NN_SYNTAX, e->span, "the subscript is empty");
            diagnostic_help(d, "x[0], x[:, 1], x[...]");
        }
        break;
    case EXPR_ELLIPSIS:
        if (!e->name) return;
        if (!scope_resolve(s, e->name)) names_report_unknown(s, e->name, e->name_span);
        return;
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_TRUE:
    case EXPR_FALSE:
    case EXPR_NONE:
    case EXPR_SLICE:
    case EXPR_UNARY:
    case EXPR_CHAIN:
    case EXPR_POWER:
    case EXPR_COMPARE:
    case EXPR_AND:
    case EXPR_OR:
    case EXPR_CONDITIONAL:
    case EXPR_TUPLE:
    case EXPR_LIST:
    case EXPR_DICT:
    case EXPR_STAR:
    case EXPR_ERROR: break;
    }
    check_expr(s, e->left);
    check_expr(s, e->right);
    check_expr(s, e->third);
    check_exprs(s, &e->items);
}

/* ---- types ---- */

static void bind_dim_names(Sema *s, const Expr *e) {
    if (!e) return;
    if (e->kind == EXPR_NAME && !scope_resolve(s, e->name))
        scope_add(s, s->scope, e->name, e->span);
    bind_dim_names(s, e->left);
    bind_dim_names(s, e->right);
    bind_dim_names(s, e->third);
    for (int i = 0; i < e->items.count; i++) bind_dim_names(s, e->items.items[i]);
}

/* A signature's type: names in it are bound, where nothing outside has them. */
static void bind_type(Sema *s, const TypeExpr *type) {
    if (!type) return;
    for (int i = 0; i < type->dim_count; i++) {
        if (!type->dims[i].spread)
            bind_dim_names(s, type->dims[i].expr);
        else if (type->dims[i].spread->length)
            scope_add(s, s->scope, type->dims[i].spread, type->dims[i].span);
    }
    if (type->name && !library_has(s, "", type->name) && !scope_resolve(s, type->name))
        scope_add(s, s->scope, type->name, type->span);
    for (int i = 0; i < type->item_count; i++) bind_type(s, type->items[i]);
}

/* A member's type: its dims are expressions over what is known; a state's may be the entry's. */
static void check_member_type(Sema *s, const TypeExpr *type, bool open) {
    if (!type) return;
    bool before = s->open_dims;
    s->open_dims = open;
    s->in_type = true;
    for (int i = 0; i < type->dim_count; i++)
        if (type->dims[i].expr) check_expr(s, type->dims[i].expr);
    s->open_dims = before;
    s->in_type = false;
    if (type->name) scope_resolve(s, type->name);
    for (int i = 0; i < type->item_count; i++) check_member_type(s, type->items[i], open);
}

/* ---- functions ---- */

static void check_function(Sema *s, const Function *f) {
    for (int i = 0; i < f->param_count; i++) check_expr(s, f->params[i].default_value);
    Place place = s->place;
    int loops = s->loops, scans = s->scans;
    NameScope *scope = scope_push(s);
    s->place = PLACE_FUNCTION;
    s->loops = s->scans = 0;
    for (int i = 0; i < f->param_count; i++) {
        scope_add(s, scope, f->params[i].name, f->params[i].span);
        bind_type(s, f->params[i].type);
    }
    for (int i = 0; i < f->result_count; i++) bind_type(s, f->results[i].type);
    check_exprs(s, &f->where);
    names_collect(s, scope, &f->body);
    check_list(s, &f->body);
    names_warn_unused(s, scope);
    scope_pop(s);
    s->place = place;
    s->loops = loops;
    s->scans = scans;
}

/* Two definitions of one name in one list; a def and its vjp are a pair. */
static void check_duplicates(Sema *s, const StmtList *list) {
    NameScope *seen[2] = {NEW(s->arena, NameScope), NEW(s->arena, NameScope)};
    for (int i = 0; i < list->count; i++) {
        const Stmt *stmt = list->items[i];
        if (stmt->kind != STMT_FUNCTION && stmt->kind != STMT_MODULE &&
            stmt->kind != STMT_OPTIMIZER && stmt->kind != STMT_TRAIN)
            continue;
        bool vjp = stmt->kind == STMT_FUNCTION && stmt->function->is_vjp;
        const Known *before = scope_lookup(seen[vjp], stmt->name);
        if (before) {
            Diagnostic *d = diagnose(s->sink, NN_DUPLICATE, stmt->name_span,
                                     "`%s` is defined twice", stmt->name->text);
            diagnostic_label(d, before->span, "first here");
            diagnostic_help(d, "rename one of them");
        }
        scope_add(s, seen[vjp], stmt->name, stmt->name_span);
        if (vjp && !scope_lookup(seen[0], stmt->name)) {
            bool later = false;
            for (int k = i + 1; k < list->count; k++)
                later = later ||
                        (list->items[k]->kind == STMT_FUNCTION &&
                         list->items[k]->name == stmt->name && !list->items[k]->function->is_vjp);
            if (!later && !scope_resolve(s, stmt->name) && !library_has(s, "", stmt->name))
                names_report_unknown(s, stmt->name, stmt->name_span);
        }
    }
}

static void check_definition(Sema *s, const Stmt *stmt) {
    Place place = s->place;
    const Stmt *owner = s->owner;
    NameScope *members = s->members, *scope = scope_push(s);
    s->place = stmt->kind == STMT_MODULE      ? PLACE_MODULE
               : stmt->kind == STMT_OPTIMIZER ? PLACE_OPTIMIZER
                                              : PLACE_TRAIN;
    s->owner = stmt;
    s->members = NEW(s->arena, NameScope);
    for (int i = 0; i < stmt->param_count; i++) {
        check_expr(s, stmt->params[i].default_value);
        scope_add(s, scope, stmt->params[i].name, stmt->params[i].span);
        if (stmt->params[i].type && stmt->params[i].type->name)
            scope_resolve(s, stmt->params[i].type->name);
    }
    scope_add(s, scope, name_of("self"), stmt->name_span);
    if (stmt->kind == STMT_OPTIMIZER) scope_add(s, scope, name_of("p"), stmt->name_span);
    names_collect(s, scope, &stmt->body);
    names_collect_members(s, s->members, &stmt->body);
    check_duplicates(s, &stmt->body);
    check_list(s, &stmt->body);
    scope_pop(s);
    s->place = place;
    s->owner = owner;
    s->members = members;
}

/* ---- places ---- */

static void misplaced(Sema *s, const Stmt *stmt, const char *word, const char *help) {
    Diagnostic *d = diagnose(s->sink, NN_CONTROL, stmt->span, "`%s` cannot stand here", word);
    diagnostic_help(d, "%s", help);
}

static void check_place(Sema *s, const Stmt *stmt) {
    bool function = s->place == PLACE_FUNCTION, file = s->place == PLACE_FILE;
    switch ((int)stmt->kind) {
    case STMT_RETURN:
        if (!function) misplaced(s, stmt, "return", "only the body of a def returns");
        break;
    case STMT_YIELD:
        if (!s->scans) misplaced(s, stmt, "yield", "only the body of a scan yields");
        break;
    case STMT_BREAK:
    case STMT_CONTINUE:
        if (!s->loops)
            misplaced(s, stmt, stmt->kind == STMT_BREAK ? "break" : "continue",
                      "it needs a `for` around it");
        break;
    case STMT_DECLARE: {
        static const char *const words[] = {"param", "buffer", "state"};
        if (function || file)
            misplaced(s, stmt, words[stmt->declare],
                      "declare it in the body of a module, beside the defs");
        break;
    }
    case STMT_MODULE:
    case STMT_OPTIMIZER:
    case STMT_TRAIN:
        if (!file)
            misplaced(s, stmt,
                      stmt->kind == STMT_MODULE      ? "module"
                      : stmt->kind == STMT_OPTIMIZER ? "optimizer"
                                                     : "train",
                      "definitions stand at the top level of the file");
        break;
    case STMT_EXPORT:
    case STMT_IMPORT:
    case STMT_FROM:
        if (!file)
            misplaced(s, stmt, stmt->kind == STMT_EXPORT ? "export" : "import",
                      "it stands at the top level of the file");
        break;
    default: break;
    }
}

/* ---- statements ---- */

static void check_target(Sema *s, const Expr *target) {
    if (target->kind == EXPR_NAME) return; /* collected */
    if (target->kind == EXPR_TUPLE || target->kind == EXPR_LIST) {
        for (int i = 0; i < target->items.count; i++) check_target(s, target->items.items[i]);
        return;
    }
    if (target->kind == EXPR_STAR) {
        check_target(s, target->left);
        return;
    }
    if (target->kind == EXPR_ATTRIBUTE)
        check_expr(s, target->left); /* the member may be new */
    else
        check_expr(s, target);
}

static void check_stmt(Sema *s, const Stmt *stmt) {
    check_place(s, stmt);
    switch ((int)stmt->kind) {
    case STMT_FUNCTION: check_function(s, stmt->function); return;
    case STMT_MODULE:
    case STMT_OPTIMIZER:
    case STMT_TRAIN: check_definition(s, stmt); return;
    case STMT_DECLARE: check_member_type(s, stmt->type, stmt->declare == DECLARE_STATE); break;
    case STMT_AUGMENTED: check_expr(s, stmt->targets.items[0]); break;
    default: break;
    }
    check_expr(s, stmt->value);
    check_expr(s, stmt->message);
    for (int i = 0; i < stmt->targets.count; i++) check_target(s, stmt->targets.items[i]);
    for (int i = 0; i < stmt->carry_count; i++) check_expr(s, stmt->carries[i].init);
    check_exprs(s, &stmt->sequences);
    int loop = stmt->kind == STMT_FOR, scan = stmt->kind == STMT_SCAN;
    s->loops += loop;
    s->scans += scan;
    check_list(s, &stmt->body);
    s->loops -= loop;
    s->scans -= scan;
    check_list(s, &stmt->otherwise);
}

static void check_list(Sema *s, const StmtList *list) {
    for (int i = 0; i < list->count; i++) check_stmt(s, list->items[i]);
}

void sema_check(Arena *arena, const SourceUnit *unit, const SemaOptions *options,
                DiagnosticSink *sink) {
    Sema sema = {.arena = arena, .unit = unit, .options = options, .sink = sink};
    sema.damaged = diagnostics_errors(sink) > 0;
    names_load_library(&sema);
    NameScope *top = scope_push(&sema);
    for (int i = 0; i < unit->lost_count; i++)
        scope_add(&sema, top, unit->lost[i], (Span){0})->used = true;
    names_collect(&sema, top, &unit->top);
    check_duplicates(&sema, &unit->top);
    check_list(&sema, &unit->top);
    names_warn_unused(&sema, top);
    scope_pop(&sema);
}
