/* Evaluation of expressions: an expression in the current frame to a value.
 *
 * Nothing here knows tensors: operators and subscripts that meet one go to tensor_*.c.  Every node
 * costs one step of the budget; VALUE_ERROR makes everything around it VALUE_ERROR, silently. */
#include "lower/internal.h"

#include <string.h>

/* Lists, texts and frames are bounded together; a program of many modules or a large graph has more
 * of them, so the bound grows with these. */
bool lower_room(Lowerer *lw, Span span, size_t bytes) {
    enum { MEBIBYTE = 1 << 20, HOST = 96, MOST = 2048, INSTANCE_BYTES = 65536, NODE_BYTES = 2048 };
    if (lw->halted) return false;
    size_t nodes = (size_t)lw->nodes_before + (lw->graph ? (size_t)lw->graph->nodes.count : 0);
    size_t limit =
        (size_t)HOST * MEBIBYTE + nodes * NODE_BYTES + (size_t)lw->instances.count * INSTANCE_BYTES;
    if (limit > (size_t)MOST * MEBIBYTE) limit = (size_t)MOST * MEBIBYTE;
    if (bytes <= limit && arena_bytes(lw->arena) - lw->bytes_before <= limit - bytes) return true;
    Diagnostic *d = lower_error(lw, NN_BUDGET, span,
                                "compile-time execution needs more than %zu MiB", limit / MEBIBYTE);
    diagnostic_help(d, "a loop or a recursion here may not end, or a list or a text is very long");
    lw->halted = true;
    return false;
}

bool lower_step(Lowerer *lw, Span span) {
    enum { BETWEEN = 16 }; /* a step alone does not need much room */
    if (lw->halted || (lw->steps % BETWEEN == 0 && !lower_room(lw, span, 0))) return false;
    if (++lw->steps <= lw->step_limit) return true;
    Diagnostic *d = lower_error(lw, NN_BUDGET, span, "compile-time execution exceeds %lld steps",
                                (long long)lw->step_limit);
    diagnostic_help(d, "a loop or a recursion here may not end");
    lw->halted = true;
    return false;
}

void suggestion_add(Suggestion *s, const char *candidate) {
    int limit = strlen(s->wanted) <= 3 ? 1 : 2;
    int distance = text_distance(s->wanted, candidate, limit);
    if (distance > limit || candidate[0] == '_' || (s->best && distance >= s->distance)) return;
    s->best = candidate;
    s->distance = distance;
}

void suggestion_tell(const Suggestion *s, Diagnostic *d) {
    if (s->best) diagnostic_help(d, "did you mean `%s`?", s->best);
}

/* ---- names ---- */

typedef struct NameSearch {
    Suggestion suggestion;
} NameSearch;

static void suggest_library(void *user, const char *space, const char *name) {
    NameSearch *search = user;
    if (!space[0]) suggestion_add(&search->suggestion, name);
}

static Value unknown_name(Lowerer *lw, Name name, Span span) {
    if (diagnostics_full(lw->sink)) {
        lower_error(lw, NN_UNKNOWN_NAME, span, "unknown name `%s`", name->text);
        return value_error();
    }
    NameSearch search = {{name->text, NULL, 0}};
    for (Scope *s = lw->frame->scope; s; s = s->parent)
        for (int i = 0; i < s->bindings.count; i++)
            suggestion_add(&search.suggestion, s->bindings.data[i].name->text);
    const StmtList *top =
        lw->frame->home && lw->frame->home->unit ? &lw->frame->home->unit->top : NULL;
    for (int i = 0; top && i < top->count; i++) {
        const Stmt *s = top->items[i];
        if (s->kind == STMT_FUNCTION)
            suggestion_add(&search.suggestion, s->function->name->text);
        else if (s->name)
            suggestion_add(&search.suggestion, s->name->text);
    }
    lower_visit_library(suggest_library, &search);
    Diagnostic *d = lower_error(lw, NN_UNKNOWN_NAME, span, "unknown name `%s`", name->text);
    Instance *self = lw->instance;
    if (self && module_find_member(self, name))
        diagnostic_help(d, "the member is written `self.%s`", name->text);
    else
        suggestion_tell(&search.suggestion, d);
    return value_error();
}

/* Tensors that a module's body made stay behind when an entry runs. */
static Value usable(Lowerer *lw, Value v, Span span) {
    if (v.kind != VALUE_TENSOR || !v.as.tensor) return v;
    return lower_check_reach(lw, v.as.tensor, span) ? v : value_error();
}

Value eval_name(Lowerer *lw, Name name, Span span) {
    Binding *binding = scope_find_binding(lw->frame->scope, name);
    if (binding) {
        binding->used = true;
        const Closure *where = lw->frame->closure;
        bool computes = where && where->initialiser && value_is_delayed(&binding->value);
        if (computes) return eval_call_values(lw, &binding->value, NULL, 0, span);
        return usable(lw, binding->value, span);
    }
    Value v;
    if (library_lookup(lw, lw->frame->home, name, &v)) return v;
    return unknown_name(lw, name, span);
}

/* ---- parts ---- */

static Value eval_items(Lowerer *lw, const ExprList *items, bool tuple) {
    ValueList *list = NEW(lw->arena, ValueList);
    bool failed = false;
    for (int i = 0; i < items->count; i++) {
        const Expr *e = items->items[i];
        if (e->kind != EXPR_STAR) {
            Value v = eval_expr(lw, e);
            failed |= v.kind == VALUE_ERROR && lw->halted;
            vector_push(lw->arena, &list->items, v);
            continue;
        }
        Value many = eval_expr(lw, e->left);
        ValueList *parts;
        if (!eval_iterate(lw, &many, e->span, &parts)) return value_error();
        for (int k = 0; k < parts->items.count; k++)
            vector_push(lw->arena, &list->items, parts->items.data[k]);
    }
    if (failed) return value_error();
    return (Value){.kind = tuple ? VALUE_TUPLE : VALUE_LIST, .as.list = list};
}

static Value eval_dict(Lowerer *lw, const Expr *e) {
    Value v = eval_items(lw, &e->items, false);
    if (v.kind == VALUE_LIST) v.kind = VALUE_DICT;
    return v;
}

static Value eval_slice(Lowerer *lw, const Expr *e) {
    Value parts[3];
    const Expr *from[3] = {e->left, e->right, e->third};
    for (int i = 0; i < 3; i++) {
        parts[i] = from[i] ? eval_expr(lw, from[i]) : value_none();
        if (parts[i].kind == VALUE_ERROR) return value_error();
    }
    Value v = value_tuple(lw->arena, parts, 3);
    v.kind = VALUE_SLICE;
    return v;
}

static Value eval_chain(Lowerer *lw, const Expr *e) {
    Value v = eval_expr(lw, e->items.items[0]);
    for (int i = 1; i < e->items.count; i++) {
        Value right = eval_expr(lw, e->items.items[i]);
        v = eval_binary(lw, e->operators[i - 1], &v, &right,
                        span_join(e->items.items[0]->span, e->items.items[i]->span));
        if (lw->halted) return value_error();
    }
    return v;
}

static Value eval_compare_pair(Lowerer *lw, Operator op, const Value *a, const Value *b,
                               Span span) {
    if (a->kind == VALUE_ERROR || b->kind == VALUE_ERROR) return value_error();
    bool identity = op == OPERATOR_IS || op == OPERATOR_IS_NOT;
    bool membership = op == OPERATOR_IN || op == OPERATOR_NOT_IN;
    bool none = a->kind == VALUE_NONE || b->kind == VALUE_NONE;
    if ((value_is_tensor(a) || value_is_tensor(b)) && !identity && !membership && !none)
        return tensor_compare(lw, op, a, b, span);
    bool result;
    if (!host_compare(lw, op, a, b, span, &result)) return value_error();
    return value_bool(result);
}

static Value eval_compare(Lowerer *lw, const Expr *e) {
    Value left = eval_expr(lw, e->items.items[0]);
    Value all = value_bool(true);
    for (int i = 1; i < e->items.count; i++) {
        Value right = eval_expr(lw, e->items.items[i]);
        Span span = span_join(e->items.items[i - 1]->span, e->items.items[i]->span);
        lw->stating = lw->asserted && e == lw->asserted->value;
        Value v = eval_compare_pair(lw, e->operators[i - 1], &left, &right, span);
        lw->stating = false;
        if (v.kind == VALUE_ERROR) return v;
        if (i == 1)
            all = v;
        else if (all.kind == VALUE_TENSOR || v.kind == VALUE_TENSOR)
            all = eval_binary(lw, OPERATOR_BITAND, &all, &v, e->span);
        else
            all = value_bool(all.as.boolean && v.as.boolean);
        if (all.kind == VALUE_BOOL && !all.as.boolean) return all;
        left = right;
    }
    return all;
}

/* Python's and/or return the deciding operand. */
static Value eval_logic(Lowerer *lw, const Expr *e, bool is_and) {
    Value v = value_none();
    for (int i = 0; i < e->items.count; i++) {
        v = eval_expr(lw, e->items.items[i]);
        if (i + 1 == e->items.count) return v;
        bool truth;
        if (!eval_truth(lw, &v, e->items.items[i]->span, &truth)) return value_error();
        if (truth != is_and) return v;
    }
    return v;
}

static bool comprehension_clause(Lowerer *lw, const Expr *e, int clause, ValueList *out) {
    if (clause == e->clause_count) {
        Value v = eval_expr(lw, e->left);
        vector_push(lw->arena, &out->items, v);
        return v.kind != VALUE_ERROR || !lw->halted;
    }
    const ForClause *c = &e->clauses[clause];
    Value iterable = eval_expr(lw, c->iterable);
    ValueList *items;
    if (!eval_iterate(lw, &iterable, c->iterable->span, &items)) return false;
    for (int i = 0; i < items->items.count; i++) {
        if (!lower_step(lw, e->span)) return false;
        eval_assign(lw, c->target, items->items.data[i], c->target->span);
        bool keep = true;
        for (int k = 0; k < c->conditions.count && keep; k++) {
            Value condition = eval_expr(lw, c->conditions.items[k]);
            if (!eval_truth(lw, &condition, c->conditions.items[k]->span, &keep)) return false;
        }
        if (keep && !comprehension_clause(lw, e, clause + 1, out)) return false;
    }
    return true;
}

static Value eval_comprehension(Lowerer *lw, const Expr *e) {
    ValueList *out = NEW(lw->arena, ValueList);
    Scope *saved = lw->frame->scope;
    lw->frame->scope = scope_new(lw, saved);
    bool ok = comprehension_clause(lw, e, 0, out);
    lw->frame->scope = saved;
    if (!ok) return value_error();
    return (Value){.kind = VALUE_LIST, .as.list = out};
}

/* "conv1", "flatten(1)": one step of a shape's story. */
static const char *step_text(Lowerer *lw, const Expr *e, const CallArguments *args) {
    Text text = text_new(lw->arena);
    text_append(&text, e->left->name ? e->left->name->text : "call");
    bool open = false;
    for (int i = 0; i < args->count; i++) {
        const Value *v = &args->values[i];
        if (v->kind != VALUE_INT && v->kind != VALUE_BOOL && v->kind != VALUE_DIM &&
            v->kind != VALUE_TUPLE)
            continue;
        text_append(&text, open ? ", " : "(");
        open = true;
        value_print(&text, v, true);
    }
    if (open) text_char(&text, ')');
    return text.data;
}

static bool is_library_text(Span span) {
    return !span.file || span.file->is_prelude;
}

/* A tensor that a library call in a user's file makes remembers what it was made from. */
static Value with_step(Lowerer *lw, Value result, const Value *callee, const CallArguments *args,
                       const Expr *e) {
    if (result.kind != VALUE_TENSOR || !result.as.tensor || is_library_text(e->span)) return result;
    const Value *from =
        callee->receiver && callee->receiver->kind == VALUE_TENSOR ? callee->receiver : NULL;
    for (int i = 0; !from && i < args->count; i++)
        if (args->values[i].kind == VALUE_TENSOR) from = &args->values[i];
    bool changed = result.story && (!from || result.story != from->story);
    if (!from || changed || from->as.tensor == result.as.tensor) return result;
    return value_with_story(lw, result.as.tensor, from, step_text(lw, e, args), e->left->span);
}

/* The bare name of a tensor function that is given only numbers: `1 / sqrt(C)`. */
static void prefer_number_function(Lowerer *lw, const Expr *e, const CallArguments *args,
                                   Value *callee) {
    if (e->left->kind != EXPR_NAME || callee->kind != VALUE_FUNCTION || args->count == 0 ||
        callee->as.closure->home != library_namespace(lw, "torch") ||
        (lw->frame->home && lw->frame->home->is_prelude))
        return;
    for (int i = 0; i < args->count; i++) {
        const ValueKind kind = args->values[i].kind;
        if (args->keywords[i] || (kind != VALUE_INT && kind != VALUE_FLOAT && kind != VALUE_DIM))
            return;
    }
    const Value *of_numbers = namespace_find(lw, library_namespace(lw, "math"), e->left->name);
    if (of_numbers) *callee = *of_numbers;
}

static bool takes_keyword(const Param *params, int count, Name keyword) {
    for (int i = 0; i < count; i++)
        if (params[i].name == keyword && !params[i].star) return true;
    return false;
}

/* device=..., unless the callee is a program's own that has an argument of that name.  None says
 * nothing: what of the library makes tensors of any dtype takes that, as torch's. */
static bool refuse_device(Lowerer *lw, const Value *callee, const CallArg *arg) {
    if (!arg->keyword || strcmp(arg->keyword->text, "device")) return false;
    bool makes_tensors = false;
    const Value *called =
        callee->kind == VALUE_INSTANCE ? instance_method(callee->as.instance, "forward") : callee;
    if (called && called->kind == VALUE_FUNCTION) {
        const Function *f = called->as.closure->function;
        if (takes_keyword(f->params, f->param_count, arg->keyword)) return false;
        makes_tensors =
            f->span.file->is_prelude && takes_keyword(f->params, f->param_count, name_of("dtype"));
    }
    if (called && called->kind == VALUE_CLASS) {
        const Stmt *s = called->as.class_->declaration;
        if (takes_keyword(s->params, s->param_count, arg->keyword)) return false;
        makes_tensors =
            s->span.file->is_prelude && takes_keyword(s->params, s->param_count, name_of("dtype"));
    }
    if (makes_tensors && arg->value->kind == EXPR_NONE) return true;
    Diagnostic *d =
        lower_error(lw, NN_PYTHON_CALL, arg->value->span, "`device=...` has no meaning here");
    diagnostic_help(d, "delete the argument: where a program runs is chosen when it starts "
                       "(--device), not in the model");
    return true;
}

static Value eval_call_expr(Lowerer *lw, const Expr *e) {
    Value callee = eval_expr(lw, e->left);
    VECTOR(Value) values = {0};
    VECTOR(Name) keywords = {0};
    VECTOR(Span) spans = {0};
    vector_reserve(lw->arena, &values, e->arg_count);
    vector_reserve(lw->arena, &keywords, e->arg_count);
    vector_reserve(lw->arena, &spans, e->arg_count);
    bool failed = callee.kind == VALUE_ERROR;
    for (int i = 0; i < e->arg_count; i++) {
        const CallArg *arg = &e->args[i];
        if (arg->value->kind == EXPR_STAR) {
            Value many = eval_expr(lw, arg->value->left);
            ValueList *parts;
            if (!eval_iterate(lw, &many, arg->value->span, &parts)) {
                failed = true;
                continue;
            }
            for (int k = 0; k < parts->items.count; k++) {
                failed |= parts->items.data[k].kind == VALUE_ERROR;
                vector_push(lw->arena, &values, parts->items.data[k]);
                vector_push(lw->arena, &keywords, (Name)NULL);
                vector_push(lw->arena, &spans, arg->value->span);
            }
            continue;
        }
        if (refuse_device(lw, &callee, arg)) continue;
        bool delays = parameter_delays(lw, &callee, arg, i);
        Value v = delays ? parameter_delay(lw, arg->value) : eval_expr(lw, arg->value);
        failed |= v.kind == VALUE_ERROR;
        vector_push(lw->arena, &values, v);
        vector_push(lw->arena, &keywords, arg->keyword);
        vector_push(lw->arena, &spans, arg->value->span);
    }
    if (failed) return value_error();
    CallArguments args = {values.count, values.data, keywords.data, spans.data};
    prefer_number_function(lw, e, &args, &callee);
    /* The place of a call is the callee's text: `self.fc1`, not its arguments. */
    return with_step(lw, eval_call(lw, &callee, &args, e->left->span), &callee, &args, e);
}

static Value eval_subscript_expr(Lowerer *lw, const Expr *e) {
    Value object = eval_expr(lw, e->left);
    VECTOR(Value) items = {0};
    bool failed = object.kind == VALUE_ERROR, tuple = e->items.count != 1;
    const ExprList *list = &e->items;
    if (list->count == 1 && list->items[0]->kind == EXPR_TUPLE) {
        list = &list->items[0]->items;
        tuple = true;
    }
    for (int i = 0; i < list->count; i++) {
        Value v = eval_expr(lw, list->items[i]);
        failed |= v.kind == VALUE_ERROR;
        vector_push(lw->arena, &items, v);
    }
    if (failed) return value_error();
    return eval_subscript(lw, &object, items.data, items.count, tuple, e->span);
}

static Value eval_conditional(Lowerer *lw, const Expr *e) {
    Value condition = eval_expr(lw, e->third);
    bool truth;
    if (!eval_truth(lw, &condition, e->third->span, &truth)) return value_error();
    return eval_expr(lw, truth ? e->left : e->right);
}

static Value eval_node(Lowerer *lw, const Expr *e) {
    switch (e->kind) {
    case EXPR_INT: return value_int(e->integer);
    case EXPR_FLOAT: return value_float(e->number);
    case EXPR_STRING:
        return value_str(lw->frame->interpolates ? eval_interpolate(lw, e->text, e->span)
                                                 : e->text);
    case EXPR_TRUE: return value_bool(true);
    case EXPR_FALSE: return value_bool(false);
    case EXPR_NONE: return value_none();
    case EXPR_NAME: return eval_name(lw, e->name, e->span);
    case EXPR_ELLIPSIS: return (Value){.kind = VALUE_ELLIPSIS};
    case EXPR_ATTRIBUTE: {
        Value object = eval_expr(lw, e->left);
        if (object.kind == VALUE_ERROR) return object;
        Span place = e->name_span.file ? e->name_span : e->span;
        return usable(lw, eval_attribute(lw, &object, e->left, e->name, place), e->span);
    }
    case EXPR_CALL: return eval_call_expr(lw, e);
    case EXPR_SUBSCRIPT: return usable(lw, eval_subscript_expr(lw, e), e->span);
    case EXPR_SLICE: return eval_slice(lw, e);
    case EXPR_UNARY: {
        if (e->op == OPERATOR_NEG && e->right->kind == EXPR_INT && e->right->integer == INT64_MIN)
            return value_int(INT64_MIN); /* the literal has its sign already */
        Value v = eval_expr(lw, e->right);
        return eval_unary(lw, e->op, &v, e->span);
    }
    case EXPR_CHAIN: return eval_chain(lw, e);
    case EXPR_POWER: {
        Value a = eval_expr(lw, e->left), b = eval_expr(lw, e->right);
        return eval_binary(lw, OPERATOR_POW, &a, &b, e->span);
    }
    case EXPR_COMPARE: return eval_compare(lw, e);
    case EXPR_AND: return eval_logic(lw, e, true);
    case EXPR_OR: return eval_logic(lw, e, false);
    case EXPR_CONDITIONAL: return eval_conditional(lw, e);
    case EXPR_TUPLE: return eval_items(lw, &e->items, true);
    case EXPR_LIST: return eval_items(lw, &e->items, false);
    case EXPR_DICT: return eval_dict(lw, e);
    case EXPR_COMPREHENSION: return eval_comprehension(lw, e);
    case EXPR_STAR:
        lower_error(lw, NN_CALL_ARGUMENTS, e->span, "`*` stands only in calls, lists and headers");
        return value_error();
    case EXPR_ERROR: return value_error();
    }
    return value_error();
}

Value eval_expr(Lowerer *lw, const Expr *e) {
    if (!lower_step(lw, e->span)) return value_error();
    if (++lw->depth > lw->depth_limit) {
        lower_error(lw, NN_RECURSION, e->span, "the calls are nested too deeply");
        lw->halted = true;
        lw->depth--;
        return value_error();
    }
    Value v = eval_node(lw, e);
    lw->depth--;
    return v;
}

/* ---- attributes and subscripts ---- */

/* A library function with the tensor as first argument; `_method_NAME` is in torch's namespace
 * where the method's arguments stand in another order than the function's. */
static Value library_method(Lowerer *lw, const Value *object, Name name) {
    Namespace *spaces[2] = {library_namespace(lw, "torch"), library_namespace(lw, "F")};
    Name own = name_of(arena_printf(lw->arena, "_method_%s", name->text));
    for (int i = -1; i < 2; i++) {
        const Value *found = namespace_find(lw, spaces[i < 0 ? 0 : i], i < 0 ? own : name);
        if (found && (found->kind == VALUE_FUNCTION || found->kind == VALUE_BUILTIN))
            return value_bound(lw->arena, *found, object);
    }
    return value_none();
}

static void suggest_method(void *user, const char *space, const char *name) {
    if (!space[0]) suggestion_add(user, name);
}

static Value tensor_or_cell_attribute(Lowerer *lw, const Value *object, Name name, Span span) {
    Value v;
    if (tensor_attribute(lw, object, name, span, &v)) return v;
    for (const Builtin *b = gradient_builtins; b->name; b++)
        if (!strcmp(b->name, name->text))
            return value_bound(lw->arena, (Value){.kind = VALUE_BUILTIN, .as.builtin = b}, object);
    v = library_method(lw, object, name);
    if (v.kind != VALUE_NONE) return v;
    Diagnostic *d =
        lower_error(lw, NN_UNKNOWN_ATTRIBUTE, span, "a tensor has no attribute `%s`", name->text);
    Suggestion s = {name->text, NULL, 0};
    lower_visit_library(suggest_method, &s);
    suggestion_tell(&s, d);
    return value_error();
}

/* A library function asks its argument for what only tensors have: the user's argument is reported.
 * false, silently, when the value is not one of the user's arguments. */
static bool blame_argument(Lowerer *lw, const Value *object, const Expr *of) {
    const Function *f;
    Name name = of && of->kind == EXPR_NAME ? of->name : NULL;
    Span place = lower_argument_place(lw, &name, &f);
    if (!place.file) return false;
    Diagnostic *d =
        lower_error(lw, NN_ARGUMENT_TYPE, place, "%s takes a tensor as `%s` but receives %s",
                    f->name->text, name->text, value_kind_name(object));
    bool number = object->kind == VALUE_INT || object->kind == VALUE_FLOAT;
    if (number && namespace_find(lw, library_namespace(lw, "math"), f->name))
        diagnostic_help(d, "of a number it is math.%s(...)", f->name->text);
    return true;
}

/* module.to(...), module.half() and the like. */
static bool converts(const char *word) {
    static const char *const words[] = {"to", "half", "float", "double", "bfloat16", "type"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) return true;
    return false;
}

Value eval_attribute(Lowerer *lw, const Value *object, const Expr *of, Name name, Span span) {
    Value v;
    Suggestion s = {name->text, NULL, 0};
    switch (object->kind) {
    case VALUE_ERROR: return value_error();
    case VALUE_TENSOR:
    case VALUE_CELL: return tensor_or_cell_attribute(lw, object, name, span);
    case VALUE_NAMESPACE:
        if (namespace_attribute(lw, object->as.namespace_, name, span, &v)) return v;
        return value_error();
    case VALUE_INSTANCE:
        if (module_attribute(lw, object->as.instance, name, span, &v)) return v;
        if (instance_attribute(lw, object->as.instance, name, span, &v)) return v;
        if (blame_argument(lw, object, of)) return value_error();
        {
            const Instance *i = object->as.instance;
            Diagnostic *d = lower_error(lw, NN_UNKNOWN_ATTRIBUTE, span, "%s has no member `%s`",
                                        i->class_->name->text, name->text);
            for (int k = 0; k < i->members.count; k++)
                suggestion_add(&s, i->members.data[k].name->text);
            for (int k = 0; k < i->body_scope->bindings.count; k++)
                suggestion_add(&s, i->body_scope->bindings.data[k].name->text);
            if (converts(name->text))
                diagnostic_help(d, "a layer takes its dtype where it is made: `nn.Linear(4, 4, "
                                   "dtype=torch.bfloat16)`; --device chooses where it runs");
            else
                suggestion_tell(&s, d);
        }
        return value_error();
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_STR:
    case VALUE_DTYPE:
    case VALUE_DIM:
    case VALUE_TUPLE:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_RANGE:
    case VALUE_SLICE:
    case VALUE_ELLIPSIS:
    case VALUE_CLASS:
    case VALUE_FUNCTION:
    case VALUE_BUILTIN:
        if (host_attribute(lw, object, name, span, &v)) return v;
        if (blame_argument(lw, object, of)) return value_error();
        lower_error(lw, NN_UNKNOWN_ATTRIBUTE, span, "%s has no attribute `%s`",
                    value_kind_name(object), name->text);
        return value_error();
    }
    return value_error();
}

static bool slice_bounds(Lowerer *lw, const Value *slice, int64_t length, Span span, int64_t *from,
                         int64_t *to, int64_t *step) {
    const Value *part = slice->as.list->items.data;
    *step = 1;
    if (part[2].kind != VALUE_NONE && !value_as_int(lw, &part[2], "a slice's step", span, step))
        return false;
    if (*step == 0) {
        lower_error(lw, NN_SUBSCRIPT, span, "a slice's step cannot be 0");
        return false;
    }
    int64_t low = *step < 0 ? -1 : 0, high = *step < 0 ? length - 1 : length;
    *from = *step < 0 ? high : low;
    *to = *step < 0 ? low : high;
    for (int i = 0; i < 2; i++) {
        int64_t v;
        if (part[i].kind == VALUE_NONE) continue;
        if (!value_as_int(lw, &part[i], "a slice's bound", span, &v)) return false;
        if (v < 0) v = v < -length ? low : v + length;
        if (v < low) v = low;
        if (v > high) v = high;
        *(i ? to : from) = v;
    }
    return true;
}

static Value list_subscript(Lowerer *lw, const Value *object, const ValueList *list,
                            const Value *item, Span span) {
    int64_t length = list->items.count, index, from, to, step;
    if (item->kind == VALUE_SLICE) {
        if (!slice_bounds(lw, item, length, span, &from, &to, &step)) return value_error();
        ValueList *out = NEW(lw->arena, ValueList);
        for (int64_t i = from; step > 0 ? i < to : i > to; i += step)
            vector_push(lw->arena, &out->items, list->items.data[i]);
        return (Value){.kind = object->kind == VALUE_TUPLE ? VALUE_TUPLE : VALUE_LIST,
                       .as.list = out};
    }
    if (!value_as_int(lw, item, "an index", span, &index)) return value_error();
    if (index < -length || index >= length) {
        lower_error(lw, NN_SUBSCRIPT, span, "index %lld is out of range: %s has %lld element%s",
                    (long long)index, value_kind_name(object) + 2, (long long)length,
                    length == 1 ? "" : "s");
        return value_error();
    }
    return list->items.data[index < 0 ? index + length : index];
}

static Value dict_subscript(Lowerer *lw, const ValueList *dict, const Value *key, Span span) {
    for (int i = 0; i + 1 < dict->items.count; i += 2)
        if (value_equal(&dict->items.data[i], key)) return dict->items.data[i + 1];
    Text text = text_new(lw->arena);
    value_print(&text, key, true);
    lower_error(lw, NN_SUBSCRIPT, span, "the dict has no key %s", text.data);
    return value_error();
}

static Value str_subscript(Lowerer *lw, const char *text, const Value *item, Span span) {
    int64_t length = (int64_t)strlen(text), index, from, to, step;
    if (item->kind == VALUE_SLICE) {
        if (!slice_bounds(lw, item, length, span, &from, &to, &step)) return value_error();
        Text out = text_new(lw->arena);
        for (int64_t i = from; step > 0 ? i < to : i > to; i += step) text_char(&out, text[i]);
        return value_str(out.data);
    }
    if (!value_as_int(lw, item, "an index", span, &index)) return value_error();
    if (index < -length || index >= length) {
        lower_error(lw, NN_SUBSCRIPT, span,
                    "index %lld is out of range: the text has %lld characters", (long long)index,
                    (long long)length);
        return value_error();
    }
    return value_str(arena_strndup(lw->arena, text + (index < 0 ? index + length : index), 1));
}

Value eval_subscript(Lowerer *lw, const Value *object, const Value *items, int count, bool tuple,
                     Span span) {
    if (object->kind == VALUE_ERROR) return value_error();
    if (value_is_tensor(object)) return tensor_subscript(lw, object, items, count, span);
    Value item = tuple ? value_tuple(lw->arena, items, count) : items[0];
    if (object->kind == VALUE_DICT) return dict_subscript(lw, object->as.list, &item, span);
    if (count == 1) {
        ValueList *list;
        if (value_is_list(object)) return list_subscript(lw, object, object->as.list, &item, span);
        if (object->kind == VALUE_STR) return str_subscript(lw, object->as.text, &item, span);
        if (object->kind == VALUE_RANGE) {
            if (!eval_iterate(lw, object, span, &list)) return value_error();
            return list_subscript(lw, object, list, &item, span);
        }
        if (object->kind == VALUE_INSTANCE) {
            if (item.kind == VALUE_STR)
                return eval_attribute(lw, object, NULL, name_of(item.as.text), span);
            if (!eval_iterate(lw, object, span, &list)) return value_error();
            return list_subscript(lw, object, list, &item, span);
        }
    }
    lower_error(lw, NN_SUBSCRIPT, span, "%s cannot be indexed", value_kind_name(object));
    return value_error();
}

/* ---- iteration ---- */

static bool iterate_range(Lowerer *lw, const RangeValue *range, Span span, ValueList *out) {
    int64_t stop;
    if (!dim_is_const(range->stop, &stop)) {
        Text text = text_new(lw->arena);
        dim_print(&text, range->stop);
        Diagnostic *d = lower_error(
            lw, NN_TENSOR_LOOP, span,
            "`for` needs a number of rounds that is known while compiling, not %s", text.data);
        diagnostic_help(d, "a loop over time is `scan h = h0 for t in range(%s) { ... }`",
                        text.data);
        return false;
    }
    for (int64_t i = range->start; range->step > 0 ? i < stop : i > stop;) {
        if (!lower_step(lw, span)) return false;
        vector_push(lw->arena, &out->items, value_int(i));
        if (!checked_add(i, range->step, &i)) break;
    }
    return true;
}

static bool iterate_tensor(Lowerer *lw, const Value *v, Span span, ValueList *out) {
    const Node *node = value_node(lw, v, span);
    if (!node) return false;
    int64_t extent;
    Text text = text_new(lw->arena);
    type_print(&text, &node->type);
    if (node->type.shape.rank == 0 || !dim_is_const(node->type.shape.dims[0], &extent)) {
        Diagnostic *d =
            lower_error(lw, NN_TENSOR_LOOP, span, "cannot loop over %s while compiling", text.data);
        diagnostic_help(d, "a loop over time is `scan h = h0 for xt in x { ... }`");
        return false;
    }
    for (int64_t i = 0; i < extent; i++) {
        if (!lower_step(lw, span)) return false;
        Value index = value_int(i);
        vector_push(lw->arena, &out->items, tensor_subscript(lw, v, &index, 1, span));
    }
    return true;
}

bool eval_iterate(Lowerer *lw, const Value *v, Span span, ValueList **result) {
    ValueList *out = NEW(lw->arena, ValueList);
    *result = out;
    switch (v->kind) {
    case VALUE_ERROR: return false;
    case VALUE_TUPLE:
    case VALUE_LIST:
        for (int i = 0; i < v->as.list->items.count; i++)
            vector_push(lw->arena, &out->items, v->as.list->items.data[i]);
        return true;
    case VALUE_DICT:
        for (int i = 0; i < v->as.list->items.count; i += 2)
            vector_push(lw->arena, &out->items, v->as.list->items.data[i]);
        return true;
    case VALUE_RANGE: return iterate_range(lw, v->as.range, span, out);
    case VALUE_STR:
        for (const char *c = v->as.text; *c; c++)
            vector_push(lw->arena, &out->items, value_str(arena_strndup(lw->arena, c, 1)));
        return true;
    case VALUE_INSTANCE:
        for (int i = 0; i < v->as.instance->members.count; i++) {
            const Member *m = &v->as.instance->members.data[i];
            bool numbered = m->name->text[0] >= '0' && m->name->text[0] <= '9';
            if (m->value.kind == VALUE_INSTANCE || (numbered && m->value.kind == VALUE_CELL))
                vector_push(lw->arena, &out->items, m->value);
        }
        return true;
    case VALUE_TENSOR:
    case VALUE_CELL: return iterate_tensor(lw, v, span, out);
    case VALUE_NONE:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_DTYPE:
    case VALUE_DIM:
    case VALUE_SLICE:
    case VALUE_ELLIPSIS:
    case VALUE_CLASS:
    case VALUE_FUNCTION:
    case VALUE_BUILTIN:
    case VALUE_NAMESPACE: break;
    }
    Diagnostic *d =
        lower_error(lw, NN_NOT_ITERABLE, span, "%s cannot be iterated", value_kind_name(v));
    if (v->kind == VALUE_INT || v->kind == VALUE_DIM) diagnostic_help(d, "use range(...)");
    return false;
}
