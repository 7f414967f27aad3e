/* Calls of functions that state their own derivative: `vjp f(args..., dy) -> (...)`.
 *
 * The call stays one CALL node with two bodies: the function and its vjp.  Both are closed: they
 * use their arguments only. */
#include "lower/region.h"

#include <string.h>

typedef struct OwnCall {
    const Function *function, *vjp;
    const Closure *closure;
    Span span;
    int skip;            /* 1: the first parameter is self */
    VECTOR(int) tensors; /* positions of tensor parameters */
    VECTOR(Node *) inputs;
    VECTOR(TensorType) results;
    bool tuple;
} OwnCall;

/* One function whose vjp is being built, on the C stack. */
typedef struct OwnDerivative {
    const Function *function;
    struct OwnDerivative *outer;
} OwnDerivative;

bool vjp_applies(Lowerer *lw, const Closure *closure, const Scope *bound) {
    if (!closure->vjp || !lw->graph) return false;
    for (const OwnDerivative *d = lw->deriving; d; d = d->outer)
        if (d->function == closure->function) return false;
    for (int i = 0; i < bound->bindings.count; i++)
        if (value_is_tensor(&bound->bindings.data[i].value)) return true;
    return false;
}

static bool closed(Lowerer *lw, const ValueList *invariants, const Function *f) {
    if (!invariants->items.count) return true;
    Diagnostic *d =
        lower_error(lw, NN_OWN_VJP, f->name_span,
                    "`%s` has its own vjp and uses a tensor from outside", f->name->text);
    diagnostic_help(d, "pass it as an argument");
    return false;
}

static bool collect_results(Lowerer *lw, const Value *v, Span span, ValueList *out) {
    if (value_is_list(v)) {
        for (int i = 0; i < v->as.list->items.count; i++)
            if (!collect_results(lw, &v->as.list->items.data[i], span, out)) return false;
        return true;
    }
    if (v->kind == VALUE_ERROR) return false;
    if (v->kind == VALUE_NONE) {
        vector_push(lw->arena, &out->items, *v);
        return true;
    }
    lower_mark(lw, span);
    Node *node = tensor_of(lw, v, NULL, span);
    if (!node) return false;
    vector_push(lw->arena, &out->items, value_tensor(node));
    return true;
}

static Graph *extract(Lowerer *lw, Region *region, const ValueList *results, const Function *f) {
    Node **nodes = NEW_ARRAY(lw->arena, (size_t)results->items.count + 1, Node *);
    for (int i = 0; i < results->items.count; i++) nodes[i] = results->items.data[i].as.tensor;
    ValueList invariants = {0};
    Graph *g = region_extract(lw, region, nodes, results->items.count, &invariants);
    return closed(lw, &invariants, f) ? g : NULL;
}

static Graph *build_body(Lowerer *lw, OwnCall *call, Scope *bound) {
    const Function *f = call->function;
    Region region;
    region_begin(lw, &region);
    for (int i = 0; i < call->tensors.count; i++) {
        const Param *p = &f->params[call->tensors.data[i]];
        Node *node = region_parameter(lw, &region, p->name, call->inputs.data[i]->type,
                                      call->inputs.data[i]);
        if (!node) {
            region_abandon(lw, &region);
            return NULL;
        }
        scope_bind(lw, bound, p->name, value_tensor(node), p->span);
    }
    eval_block(lw, &f->body);
    Value result = lw->frame->returned ? lw->frame->result : value_none();
    ValueList results = {0};
    bool ok = result.kind != VALUE_ERROR &&
              signature_check_results(lw, f, bound, &result, lw->frame->result_span) &&
              collect_results(lw, &result, f->name_span, &results) &&
              region_check_writes(lw, &region, "a function with its own vjp", f->name_span);
    for (int i = 0; ok && i < results.items.count; i++) {
        if (results.items.data[i].kind == VALUE_NONE) {
            lower_error(lw, NN_OWN_VJP, f->name_span,
                        "`%s` has its own vjp and must return tensors", f->name->text);
            ok = false;
        } else {
            vector_push(lw->arena, &call->results, results.items.data[i].as.tensor->type);
        }
    }
    call->tuple = value_is_list(&result);
    if (!ok) {
        region_abandon(lw, &region);
        return NULL;
    }
    return extract(lw, &region, &results, f);
}

/* Which arguments the results of the vjp belong to; fills wrt. */
static bool match_results(Lowerer *lw, const OwnCall *call, ValueList *results, int *wrt,
                          int *wrt_count) {
    int floating = 0, tensors = call->tensors.count, given = results->items.count;
    for (int i = 0; i < tensors; i++) floating += dtype_is_float(call->inputs.data[i]->type.dtype);
    if (given != floating && given != tensors) {
        Diagnostic *d = lower_error(lw, NN_OWN_VJP, call->vjp->name_span,
                                    "the vjp of `%s` returns %d result%s for %d tensor argument%s",
                                    call->function->name->text, given, given == 1 ? "" : "s",
                                    floating, floating == 1 ? "" : "s");
        diagnostic_label(d, call->function->name_span, "the function");
        return false;
    }
    int kept = 0;
    for (int i = 0, at = 0; i < tensors; i++) {
        const Node *input = call->inputs.data[i];
        bool differentiable = dtype_is_float(input->type.dtype);
        if (!differentiable && given != tensors) continue;
        Value v = results->items.data[at++];
        if (!differentiable || v.kind == VALUE_NONE) continue;
        const TensorType *have = &v.as.tensor->type;
        bool fits = have->dtype == input->type.dtype && have->shape.rank == input->type.shape.rank;
        for (int k = 0; fits && k < have->shape.rank; k++)
            fits = dim_equal(lw->dims, have->shape.dims[k], input->type.shape.dims[k]) == DIM_YES;
        if (!fits) {
            Text a = text_new(lw->arena), b = text_new(lw->arena);
            type_print(&a, have);
            type_print(&b, &input->type);
            lower_error(lw, NN_OWN_VJP, call->vjp->name_span,
                        "the vjp gives %s for `%s`, which is %s", a.data,
                        call->function->params[call->tensors.data[i]].name->text, b.data);
            return false;
        }
        wrt[kept] = i;
        results->items.data[kept++] = v;
    }
    results->items.count = *wrt_count = kept;
    return true;
}

static Graph *build_vjp(Lowerer *lw, OwnCall *call, const Value *values, int *wrt, int *wrt_count) {
    const Function *f = call->function, *vjp = call->vjp;
    int expected = f->param_count + call->results.count, skip = call->skip;
    if (vjp->param_count != expected) {
        int arguments = f->param_count - skip;
        Diagnostic *d = lower_error(lw, NN_OWN_VJP, vjp->name_span,
                                    "the vjp of `%s` takes its %d argument%s and %d dy, not %d",
                                    f->name->text, arguments, arguments == 1 ? "" : "s",
                                    call->results.count, vjp->param_count - skip);
        diagnostic_label(d, f->name_span, "the function");
        return NULL;
    }
    Region region;
    region_begin(lw, &region);
    Value *args = NEW_ARRAY(lw->arena, (size_t)expected + 1, Value);
    for (int i = 0; i < f->param_count; i++) args[i] = values[i];
    for (int i = 0; i < call->tensors.count; i++) {
        int at = call->tensors.data[i];
        args[at] = value_tensor(region_parameter(lw, &region, vjp->params[at].name,
                                                 call->inputs.data[i]->type, call->inputs.data[i]));
    }
    for (int i = 0; i < call->results.count; i++) {
        int at = f->param_count + i;
        args[at] = value_tensor(
            region_parameter(lw, &region, vjp->params[at].name, call->results.data[i], NULL));
    }
    Closure closure = *call->closure;
    closure.function = vjp;
    closure.vjp = NULL;
    Value callee = {.kind = VALUE_FUNCTION,
                    .as.closure = arena_copy(lw->arena, &closure, sizeof closure)};
    OwnDerivative own = {f, lw->deriving};
    lw->deriving = &own;
    Value result = eval_call_values(lw, &callee, args + skip, expected - skip, call->span);
    lw->deriving = own.outer;
    ValueList results = {0};
    if (!collect_results(lw, &result, vjp->name_span, &results) ||
        !region_check_writes(lw, &region, "a vjp", vjp->name_span) ||
        !match_results(lw, call, &results, wrt, wrt_count)) {
        region_abandon(lw, &region);
        return NULL;
    }
    return extract(lw, &region, &results, vjp);
}

Value eval_vjp_call(Lowerer *lw, const Closure *closure, Scope *bound, Span span) {
    const Function *f = closure->function;
    OwnCall call = {.function = f, .vjp = closure->vjp, .closure = closure, .span = span};
    call.skip = closure->self && f->param_count && !strcmp(f->params[0].name->text, "self");
    Value *values = NEW_ARRAY(lw->arena, (size_t)f->param_count + 1, Value);
    for (int i = 0; i < f->param_count; i++) {
        const Value *v = scope_find(bound, f->params[i].name);
        values[i] = v ? *v : value_none();
        if (!value_is_tensor(&values[i])) continue;
        Node *node = value_node(lw, &values[i], span);
        if (!node) return value_error();
        vector_push(lw->arena, &call.tensors, i);
        vector_push(lw->arena, &call.inputs, node);
    }
    Graph *body = build_body(lw, &call, bound);
    int *wrt = NEW_ARRAY(lw->arena, (size_t)call.tensors.count + 1, int), wrt_count = 0;
    Graph *vjp = body ? build_vjp(lw, &call, values, wrt, &wrt_count) : NULL;
    if (!vjp) return value_error();
    CallAttr attr = {.name = f->name, .body = body, .vjp = vjp, .wrt = wrt, .wrt_count = wrt_count};
    Node **out = NEW_ARRAY(lw->arena, (size_t)call.results.count + 1, Node *);
    lower_mark(lw, span);
    if (!op_call(lw->graph, attr, call.inputs.data, call.inputs.count, out)) return value_error();
    Value *items = NEW_ARRAY(lw->arena, (size_t)call.results.count + 1, Value);
    for (int i = 0; i < call.results.count; i++) items[i] = value_tensor(out[i]);
    if (!call.tuple) return items[0];
    Value tuple = value_tuple(lw->arena, items, call.results.count);
    if (f->result_count == call.results.count) tuple.as.list->declared = f;
    return tuple;
}
