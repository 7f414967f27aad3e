/* Scopes, library names, unknown and unused names. */
#include "sema/internal.h"
#include "syntax/parse.h"

#include <ctype.h>
#include <string.h>

enum { LINEAR_LIMIT = 16 };

NameScope *scope_push(Sema *s) {
    NameScope *scope = NEW(s->arena, NameScope);
    scope->parent = s->scope;
    s->scope = scope;
    return scope;
}

void scope_pop(Sema *s) {
    s->scope = s->scope->parent;
}

static Known **slot_of(const NameScope *scope, Name name) {
    uint32_t at = name->hash & (uint32_t)(scope->slot_count - 1);
    while (scope->slots[at] && scope->slots[at]->name != name)
        at = (at + 1) & (uint32_t)(scope->slot_count - 1);
    return &scope->slots[at];
}

Known *scope_lookup(NameScope *scope, Name name) {
    if (scope->slots) return *slot_of(scope, name);
    for (int i = 0; i < scope->names.count; i++)
        if (scope->names.data[i].name == name) return &scope->names.data[i];
    return NULL;
}

/* The table points into the vector, so it is rebuilt whenever the vector moves. */
static void rebuild(Sema *s, NameScope *scope) {
    if (scope->names.count <= LINEAR_LIMIT) return;
    scope->slot_count = 64;
    while (scope->slot_count < scope->names.capacity * 2) scope->slot_count *= 2;
    scope->slots = NEW_ARRAY(s->arena, (size_t)scope->slot_count, Known *);
    for (int i = 0; i < scope->names.count; i++)
        *slot_of(scope, scope->names.data[i].name) = &scope->names.data[i];
}

Known *scope_add(Sema *s, NameScope *scope, Name name, Span span) {
    Known *known = scope_lookup(scope, name);
    if (known) return known;
    Known *before = scope->names.data;
    vector_push(s->arena, &scope->names, ((Known){.name = name, .span = span}));
    known = &vector_last(&scope->names);
    if (scope->names.data != before || !scope->slots)
        rebuild(s, scope);
    else
        *slot_of(scope, name) = known;
    return known;
}

Known *scope_resolve(Sema *s, Name name) {
    for (NameScope *scope = s->scope; scope; scope = scope->parent) {
        Known *known = scope_lookup(scope, name);
        if (!known) continue;
        known->used = true;
        return known;
    }
    return NULL;
}

/* ---- the library ---- */

static void add_library(void *user, const char *space, const char *name) {
    Sema *s = user;
    LibraryName entry = {name_of(space), name_of(name)};
    vector_push(s->arena, &s->library, entry);
}

void names_load_library(Sema *s) {
    static const char *const spaces[] = {
        "nn",        "F",       "torch",  "init",     "optim", "lr_scheduler",
        "swa_utils", "special", "linalg", "autograd", "math"};
    static const char *const builtins[] = {
        "range",   "len",    "zip",    "enumerate", "reversed", "sum",        "min",     "max",
        "abs",     "round",  "int",    "float",     "bool",     "str",        "repr",    "list",
        "tuple",   "dict",   "sorted", "all",       "any",      "isinstance", "getattr", "setattr",
        "hasattr", "Tensor", "grad",   "object",    "type",     "slice"};
    if (s->options->visit_library) s->options->visit_library(add_library, s);
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) add_library(s, "", spaces[i]);
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++) add_library(s, "", builtins[i]);
    for (int i = 0; s->options->words && s->options->words[i]; i++)
        add_library(s, "", s->options->words[i]);
    if (s->unit->file->is_prelude) add_library(s, "", "prim");
}

bool library_has(const Sema *s, const char *space, Name name) {
    Name wanted = name_of(space);
    for (int i = 0; i < s->library.count; i++)
        if (s->library.data[i].space == wanted && s->library.data[i].name == name) return true;
    return false;
}

bool library_has_space(const Sema *s, const char *space) {
    Name wanted = name_of(space);
    for (int i = 0; i < s->library.count; i++)
        if (s->library.data[i].space == wanted) return true;
    return false;
}

/* ---- suggestions ---- */

const char *names_closest(const char *wanted, const char *candidate, const char *best) {
    int limit = strlen(wanted) < 4 ? 1 : 2;
    int distance = text_distance(wanted, candidate, limit);
    if (distance > limit || distance == 0) return best;
    if (!best) return candidate;
    int old = text_distance(wanted, best, limit);
    return distance < old || (distance == old && strcmp(candidate, best) < 0) ? candidate : best;
}

void names_report_unknown(Sema *s, Name name, Span span) {
    if (syntax_is_lost(s->unit, name)) return;
    Diagnostic *d;
    if (!strcmp(name->text, "print")) {
        d = diagnose(s->sink, NN_PYTHON_CALL, span, "there is no print");
        diagnostic_help(d,
                        "return the value from the entry; `nnc check --shapes` shows every shape");
        return;
    }
    if (!strcmp(name->text, "__name__") || !strcmp(name->text, "super")) {
        d = diagnose(s->sink, NN_PYTHON_CALL, span, "`%s` is Python's", name->text);
        diagnostic_help(d, "export Net() as net makes an entry; a module has no base class");
        return;
    }
    if (diagnostics_full(s->sink)) {
        diagnose(s->sink, NN_UNKNOWN_NAME, span, "unknown name `%s`", name->text);
        return;
    }
    const char *best = NULL;
    for (NameScope *scope = s->scope; scope; scope = scope->parent)
        for (int i = 0; i < scope->names.count; i++)
            best = names_closest(name->text, scope->names.data[i].name->text, best);
    Name bare = name_of("");
    for (int i = 0; i < s->library.count; i++)
        if (s->library.data[i].space == bare)
            best = names_closest(name->text, s->library.data[i].name->text, best);
    d = diagnose(s->sink, NN_UNKNOWN_NAME, span, "unknown name `%s`", name->text);
    if (s->members && scope_lookup(s->members, name))
        diagnostic_help(d, "the member is written `self.%s`", name->text);
    else if (best)
        diagnostic_help(d, "did you mean `%s`?", best);
    else
        for (int i = 0; i < s->library.count; i++)
            if (s->library.data[i].name == name) {
                diagnostic_help(d, "the library's is %s.%s", s->library.data[i].space->text,
                                name->text);
                break;
            }
}

void names_report_attribute(Sema *s, const char *space, Name name, Span span) {
    const char *best = NULL;
    Name wanted = name_of(space);
    for (int i = 0; i < s->library.count; i++)
        if (s->library.data[i].space == wanted)
            best = names_closest(name->text, s->library.data[i].name->text, best);
    Diagnostic *d =
        diagnose(s->sink, NN_UNKNOWN_ATTRIBUTE, span, "%s has no `%s`", space, name->text);
    if (best) diagnostic_help(d, "did you mean `%s.%s`?", space, best);
}

void names_warn_unused(Sema *s, const NameScope *scope) {
    if (s->damaged) return;
    for (int i = 0; i < scope->names.count; i++) {
        const Known *known = &scope->names.data[i];
        if (known->used || known->name->text[0] == '_') continue;
        if (known->imported) {
            Diagnostic *d = diagnose(s->sink, NN_UNUSED_IMPORT, known->span,
                                     "`%s` is imported but not used", known->name->text);
            diagnostic_help(d, "delete the import");
        } else if (known->local) {
            Diagnostic *d = diagnose(s->sink, NN_UNUSED_NAME, known->span, "`%s` is never used",
                                     known->name->text);
            diagnostic_help(d, "delete the line, or call it `_%s`", known->name->text);
        }
    }
}

/* ---- what statements bind ---- */

void names_collect_target(Sema *s, NameScope *scope, const Expr *target, bool local) {
    switch ((int)target->kind) {
    case EXPR_NAME: {
        bool fresh = scope_lookup(scope, target->name) == NULL;
        Known *known = scope_add(s, scope, target->name, target->span);
        known->definition = NULL;
        if (fresh) known->local = local;
        break;
    }
    case EXPR_TUPLE:
    case EXPR_LIST:
        for (int i = 0; i < target->items.count; i++)
            names_collect_target(s, scope, target->items.items[i], false);
        break;
    case EXPR_STAR: names_collect_target(s, scope, target->left, false); break;
    default: break;
    }
}

static void collect_imports(Sema *s, NameScope *scope, const Stmt *stmt) {
    for (int i = 0; i < stmt->import_count; i++) {
        const ImportName *import = &stmt->imports[i];
        scope_add(s, scope, import->alias ? import->alias : import->name, import->span)->imported =
            true;
    }
    if (stmt->kind == STMT_IMPORT && stmt->name)
        scope_add(s, scope, stmt->name, stmt->name_span)->imported = true;
    if (stmt->kind == STMT_IMPORT &&
        !stmt->name) { /* the file's name without folder and extension */
        const char *slash = strrchr(stmt->path, '/'), *base = slash ? slash + 1 : stmt->path;
        size_t length = strcspn(base, ".");
        if (length) scope_add(s, scope, name_of_n(base, length), stmt->path_span)->imported = true;
    }
}

void names_collect(Sema *s, NameScope *scope, const StmtList *list) {
    bool function = s->place == PLACE_FUNCTION;
    for (int i = 0; i < list->count; i++) {
        const Stmt *stmt = list->items[i];
        for (int k = 0; k < stmt->targets.count; k++)
            names_collect_target(s, scope, stmt->targets.items[k],
                                 function && stmt->kind == STMT_ASSIGN);
        for (int k = 0; k < stmt->carry_count; k++)
            scope_add(s, scope, stmt->carries[k].name, stmt->carries[k].span);
        for (int k = 0; k < stmt->elements.count; k++)
            names_collect_target(s, scope, stmt->elements.items[k], false);
        if (stmt->kind == STMT_FUNCTION || stmt->kind == STMT_MODULE ||
            stmt->kind == STMT_OPTIMIZER || stmt->kind == STMT_TRAIN) {
            bool fresh = scope_lookup(scope, stmt->name) == NULL;
            Known *known = scope_add(s, scope, stmt->name, stmt->name_span);
            bool vjp = stmt->kind == STMT_FUNCTION && stmt->function->is_vjp;
            if (fresh && !vjp) known->definition = stmt;
            continue;
        }
        collect_imports(s, scope, stmt);
        names_collect(s, scope, &stmt->body);
        names_collect(s, scope, &stmt->otherwise);
    }
}

static void collect_member_target(Sema *s, NameScope *members, const Expr *target) {
    if (target->kind == EXPR_TUPLE || target->kind == EXPR_LIST)
        for (int i = 0; i < target->items.count; i++)
            collect_member_target(s, members, target->items.items[i]);
    if (target->kind == EXPR_ATTRIBUTE && target->left->kind == EXPR_NAME &&
        !strcmp(target->left->name->text, "self"))
        scope_add(s, members, target->name, target->name_span)->definition = NULL;
}

void names_collect_members(Sema *s, NameScope *members, const StmtList *list) {
    for (int i = 0; i < list->count; i++) {
        const Stmt *stmt = list->items[i];
        for (int k = 0; k < stmt->targets.count; k++)
            collect_member_target(s, members, stmt->targets.items[k]);
        if (stmt->kind == STMT_DECLARE) scope_add(s, members, stmt->name, stmt->name_span);
        if (stmt->kind == STMT_FUNCTION) {
            bool fresh = scope_lookup(members, stmt->name) == NULL;
            Known *known = scope_add(s, members, stmt->name, stmt->name_span);
            known->definition = fresh ? stmt : NULL;
            names_collect_members(s, members, &stmt->function->body);
        }
        names_collect_members(s, members, &stmt->body);
        names_collect_members(s, members, &stmt->otherwise);
    }
}

void names_use_interpolated(Sema *s, const char *text) {
    int depth = 0;
    for (const char *p = text; *p;) {
        if (*p == '{') depth++;
        if (*p == '}' && depth) depth--;
        if (!depth || !(isalpha((unsigned char)*p) || *p == '_')) {
            p++;
            continue;
        }
        const char *begin = p;
        while (isalnum((unsigned char)*p) || *p == '_') p++;
        scope_resolve(s, name_of_n(begin, (size_t)(p - begin)));
    }
}
