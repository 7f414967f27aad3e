/* Calls: closures in a new frame, builtins, classes, instances; partial initialisers.
 *
 * The arguments are values already.  A call checks the callee's signature for this call's shapes,
 * runs the body, and checks the results; a mistake inside the library is blamed on the
 * user's call. */
#include "lower/internal.h"

#include <string.h>

static CallArguments prepend(Lowerer *lw, const Value *first, const CallArguments *args,
                             Span span) {
    int n = args->count + 1;
    Value *values = NEW_ARRAY(lw->arena, (size_t)n, Value);
    Name *keywords = NEW_ARRAY(lw->arena, (size_t)n, Name);
    Span *spans = NEW_ARRAY(lw->arena, (size_t)n, Span);
    values[0] = *first;
    spans[0] = span;
    for (int i = 0; i < args->count; i++) {
        values[i + 1] = args->values[i];
        keywords[i + 1] = args->keywords ? args->keywords[i] : NULL;
        spans[i + 1] = args->spans ? args->spans[i] : span;
    }
    return (CallArguments){n, values, keywords, spans};
}

static CallArguments concatenate(Lowerer *lw, const CallArguments *a, const CallArguments *b,
                                 Span span) {
    int n = a->count + b->count;
    Value *values = NEW_ARRAY(lw->arena, (size_t)n, Value);
    Name *keywords = NEW_ARRAY(lw->arena, (size_t)n, Name);
    Span *spans = NEW_ARRAY(lw->arena, (size_t)n, Span);
    for (int i = 0; i < n; i++) {
        const CallArguments *from = i < a->count ? a : b;
        int k = i < a->count ? i : i - a->count;
        values[i] = from->values[k];
        keywords[i] = from->keywords ? from->keywords[k] : NULL;
        spans[i] = from->spans ? from->spans[k] : span;
    }
    return (CallArguments){n, values, keywords, spans};
}

static bool takes_self(const Closure *closure) {
    const Function *f = closure->function;
    return closure->self && f->param_count > 0 && !strcmp(f->params[0].name->text, "self");
}

/* `init.uniform(-a, a)` is a value: the initialiser without its first argument. */
static bool is_initialiser_factory(Lowerer *lw, const Closure *closure) {
    const Function *f = closure->function;
    bool outside = lw->init && closure->home == lw->init && lw->frame->home != lw->init;
    bool takes_cell =
        f->param_count > 0 && !f->params[0].type; /* calculate_gain(name: str) does not */
    return outside && takes_cell && !closure->partial && f->name->text[f->name->length - 1] != '_';
}

static Value make_partial(Lowerer *lw, const Closure *closure, const CallArguments *args,
                          Span span) {
    Closure *copy = arena_copy(lw->arena, closure, sizeof *closure);
    CallArguments *partial = NEW(lw->arena, CallArguments);
    CallArguments none = {0, NULL, NULL, NULL};
    *partial = concatenate(lw, args, &none, span);
    copy->partial = partial;
    return (Value){.kind = VALUE_FUNCTION, .as.closure = copy};
}

static Value run_closure(Lowerer *lw, const Closure *closure, const CallArguments *args,
                         Span span) {
    const Function *f = closure->function;
    Frame *frame = lw->frame;
    int skip = takes_self(closure);
    if (skip)
        scope_bind(lw, frame->scope, f->params[0].name,
                   (Value){.kind = VALUE_INSTANCE, .as.instance = closure->self},
                   f->params[0].span);
    if (!eval_bind_arguments(lw, f->params + skip, f->param_count - skip, args, f->name->text, span,
                             f->name_span, frame->scope))
        return value_error();
    Value *values = NEW_ARRAY(lw->arena, (size_t)f->param_count + 1, Value);
    for (int i = skip; i < f->param_count; i++)
        values[i] = *scope_find(frame->scope, f->params[i].name);
    if (!signature_bind(lw, f, frame->scope, values, span)) return value_error();
    if (vjp_applies(lw, closure, frame->scope))
        return eval_vjp_call(lw, closure, frame->scope, span);
    eval_block(lw, &f->body);
    Value result = frame->returned ? frame->result : value_none();
    if (result.kind != VALUE_ERROR &&
        !signature_check_results(lw, f, frame->scope, &result,
                                 frame->returned ? frame->result_span : f->name_span))
        return value_error();
    return result;
}

Value eval_call_closure(Lowerer *lw, const Closure *closure, const CallArguments *args, Span span) {
    if (!lower_step(lw, span)) return value_error();
    enum { COST = 12 }; /* of C stack, in expressions */
    lw->depth += COST;
    if (lw->depth > lw->depth_limit) {
        lower_error(lw, NN_RECURSION, span, "the calls of `%s` are nested too deeply",
                    closure->function->name->text);
        lw->halted = true;
        lw->depth -= COST;
        return value_error();
    }
    Instance *saved_instance = lw->instance;
    Scope *parent = closure->captured ? closure->captured
                    : closure->self   ? closure->self->body_scope
                                      : NULL;
    Frame frame = {.caller = lw->frame,
                   .closure = closure,
                   .home = closure->home,
                   .scope = scope_new(lw, parent),
                   .call_span = span,
                   .interpolates = lw->frame->interpolates ||
                                   !strcmp(closure->function->name->text, "extra_repr")};
    lw->frame = &frame;
    if (closure->self) lw->instance = closure->self;
    Value result = run_closure(lw, closure, args, span);
    lw->frame = frame.caller;
    lw->instance = saved_instance;
    lw->depth -= COST;
    return result;
}

static Value call_initialiser(Lowerer *lw, const Closure *closure, const CallArguments *args,
                              Span span) {
    CallArguments none = {0, NULL, NULL, NULL};
    Value v = eval_call_closure(lw, closure, &none, span);
    if (v.kind == VALUE_FUNCTION && v.as.closure->partial) return eval_call(lw, &v, args, span);
    return v;
}

static Value call_function(Lowerer *lw, const Value *callee, const CallArguments *args, Span span) {
    const Closure *closure = callee->as.closure;
    if (closure->initialiser) return call_initialiser(lw, closure, args, span);
    if (is_initialiser_factory(lw, closure)) return make_partial(lw, closure, args, span);
    if (closure->partial) {
        CallArguments all = concatenate(lw, args, closure->partial, span);
        return eval_call_closure(lw, closure, &all, span);
    }
    return eval_call_closure(lw, closure, args, span);
}

Value eval_call(Lowerer *lw, const Value *callee, const CallArguments *args, Span span) {
    if (lw->halted) return value_error();
    CallArguments with_receiver;
    if (callee->receiver) {
        with_receiver = prepend(lw, callee->receiver, args, span);
        args = &with_receiver;
    }
    switch (callee->kind) {
    case VALUE_ERROR: return value_error();
    case VALUE_FUNCTION: return call_function(lw, callee, args, span);
    case VALUE_BUILTIN: return callee->as.builtin->function(lw, args, span);
    case VALUE_CLASS:
        switch (callee->as.class_->kind) {
        case CLASS_KIND_OPTIMIZER: return optimizer_new(lw, callee->as.class_, args, span);
        case CLASS_KIND_MODULE: return module_new(lw, callee->as.class_, args, span);
        case CLASS_KIND_TRAIN: break;
        }
        lower_error(lw, NN_NOT_CALLABLE, span, "the train block `%s` cannot be instantiated",
                    callee->as.class_->name->text);
        return value_error();
    case VALUE_INSTANCE: return module_call(lw, callee->as.instance, args, span);
    case VALUE_DTYPE:
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_STR:
    case VALUE_DIM:
    case VALUE_TUPLE:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_RANGE:
    case VALUE_SLICE:
    case VALUE_ELLIPSIS:
    case VALUE_NAMESPACE:
    case VALUE_TENSOR:
    case VALUE_CELL: break;
    }
    lower_error(lw, NN_NOT_CALLABLE, span, "%s cannot be called", value_kind_name(callee));
    return value_error();
}

Value eval_call_values(Lowerer *lw, const Value *callee, const Value *values, int count,
                       Span span) {
    Name *keywords = NEW_ARRAY(lw->arena, (size_t)count + 1, Name);
    Span *spans = NEW_ARRAY(lw->arena, (size_t)count + 1, Span);
    for (int i = 0; i < count; i++) spans[i] = span;
    CallArguments args = {count, values, keywords, spans};
    return eval_call(lw, callee, &args, span);
}

Value eval_library(Lowerer *lw, const char *name, const Value *args, int count, Span span) {
    Name word = name_of(name);
    const Value *f = namespace_find(lw, library_namespace(lw, "torch"), word);
    if (!f) f = namespace_find(lw, library_namespace(lw, "F"), word);
    if (!f) {
        lower_error(lw, NN_UNKNOWN_NAME, span, "the library has no function `%s`", name);
        return value_error();
    }
    return eval_call_values(lw, f, args, count, span);
}
