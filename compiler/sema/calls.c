/* Arity of calls whose callee is known by name, and calls that only Python has. */
#include "sema/internal.h"

#include <string.h>

typedef struct Callee {
    const char *what;
    const Param *params;
    int count;
    Span declared;
    bool implicit; /* an optimizer's list of parameters, before the header's */
} Callee;

static bool find_callee(Sema *s, const Expr *left, Callee *callee) {
    const Stmt *definition = NULL;
    bool method = false;
    if (left->kind == EXPR_NAME) {
        for (NameScope *scope = s->scope; scope && !definition; scope = scope->parent) {
            const Known *known = scope_lookup(scope, left->name);
            if (!known) continue;
            definition = known->definition;
            break;
        }
    } else if (left->kind == EXPR_ATTRIBUTE && left->left->kind == EXPR_NAME && s->members &&
               !strcmp(left->left->name->text, "self")) {
        const Known *known = scope_lookup(s->members, left->name);
        definition = known ? known->definition : NULL;
        method = true;
    }
    if (!definition || definition->kind == STMT_TRAIN) return false;
    if (definition->kind == STMT_FUNCTION) {
        const Function *f = definition->function;
        bool self = f->param_count && !strcmp(f->params[0].name->text, "self");
        if (self && !method)
            return false; /* a method by its bare name: bound, or not, as lowering decides */
        *callee =
            (Callee){f->name->text, f->params + self, f->param_count - self, f->name_span, false};
        return true;
    }
    *callee = (Callee){definition->name->text, definition->params, definition->param_count,
                       definition->name_span, definition->kind == STMT_OPTIMIZER};
    return true;
}

static Diagnostic *report(Sema *s, const Callee *callee, Span span, const char *message) {
    Diagnostic *d = diagnose(s->sink, NN_CALL_ARGUMENTS, span, "%s", message);
    diagnostic_label(d, callee->declared, "declared here");
    return d;
}

static int find_param(const Callee *callee, Name keyword) {
    for (int i = 0; i < callee->count; i++)
        if (callee->params[i].name == keyword && !callee->params[i].star) return i;
    return -1;
}

void calls_check(Sema *s, const Expr *call) {
    Callee callee;
    if (!find_callee(s, call->left, &callee)) return;
    int positional = -(int)callee.implicit, star = -1;
    bool spread = false;
    bool *given = NEW_ARRAY(s->arena, (size_t)callee.count, bool);
    for (int i = 0; i < callee.count; i++)
        if (callee.params[i].star) star = i;
    for (int i = 0; i < call->arg_count; i++) {
        const CallArg *arg = &call->args[i];
        if (arg->keyword) continue;
        if (arg->value->kind == EXPR_STAR)
            spread = true;
        else
            positional++;
    }
    if (!spread && star < 0 && positional > callee.count) {
        report(s, &callee, call->span,
               arena_printf(s->arena, "%s takes %d argument%s but receives %d", callee.what,
                            callee.count, callee.count == 1 ? "" : "s", positional));
        return;
    }
    for (int i = 0; i < positional && i < callee.count; i++) given[i] = true;
    for (int i = 0; i < call->arg_count; i++) {
        const CallArg *arg = &call->args[i];
        if (!arg->keyword) continue;
        int at = find_param(&callee, arg->keyword);
        if (at >= 0 && given[at] && !spread) {
            report(
                s, &callee, arg->value->span,
                arena_printf(s->arena, "%s receives `%s` twice", callee.what, arg->keyword->text));
            return;
        }
        if (at >= 0) {
            given[at] = true;
            continue;
        }
        if (callee.implicit && !strcmp(arg->keyword->text, "params")) {
            positional++;
            continue;
        }
        const char *best = NULL;
        for (int k = 0; k < callee.count; k++)
            best = names_closest(arg->keyword->text, callee.params[k].name->text, best);
        Diagnostic *d = report(
            s, &callee, arg->value->span,
            arena_printf(s->arena, "%s has no argument `%s`", callee.what, arg->keyword->text));
        if (best) diagnostic_help(d, "did you mean `%s`?", best);
        return;
    }
    for (int i = 0; i < callee.count && !spread; i++) {
        if (given[i] || callee.params[i].default_value || callee.params[i].star) continue;
        report(s, &callee, call->span,
               arena_printf(s->arena, "%s misses the argument `%s`", callee.what,
                            callee.params[i].name->text));
        return;
    }
}

/* device=..., where the callee is not of this file: lowering knows whether it takes that. */
bool calls_on_device(Sema *s, const Expr *call, const CallArg *arg) {
    Callee callee;
    return arg->keyword && !strcmp(arg->keyword->text, "device") &&
           !find_callee(s, call->left, &callee);
}

/* .item(), .cuda(), .to(device): unless the file itself has a method of that name. */
void calls_check_python(Sema *s, const Expr *call) {
    static const char *const methods[] = {"item", "cuda", "cpu", "numpy", "tolist"};
    const Expr *left = call->left;
    if (left->kind != EXPR_ATTRIBUTE) return;
    if (s->members && scope_lookup(s->members, left->name)) return;
    const char *help = NULL;
    Span place = left->name_span;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(left->name->text, methods[i]) && call->arg_count == 0)
            help = i == 0 || i > 2
                       ? "a tensor has no value while compiling: return it from the entry"
                       : "tensors have no device: delete the call";
    if (!strcmp(left->name->text, "to") && call->arg_count >= 1) {
        const Expr *where = call->args[0].value;
        bool name = where->kind == EXPR_NAME && !strcmp(where->name->text, "device");
        bool text = where->kind == EXPR_STRING &&
                    (!strncmp(where->text, "cuda", 4) || !strcmp(where->text, "cpu") ||
                     !strcmp(where->text, "mps"));
        if (name || text) help = "tensors have no device: delete the call";
        place = where->span;
    }
    if (!help) return;
    Diagnostic *d = diagnose(s->sink, NN_PYTHON_CALL, place, "`.%s(...)` has no meaning here",
                             left->name->text);
    diagnostic_help(d, "%s", help);
}
