/* nn.Parameter(data), register_buffer(name, tensor), register_parameter(name, parameter): cells
 * whose shape and initial value are those of a computation.  A tensor given to a module's header
 * waits for one of them.
 *
 * A module's body computes no tensors, so the tensor comes as a function without arguments.  It
 * runs once here, in a graph that is thrown away, for its type; then in `init`, for the value.  A
 * parameter has no owner until it is bound to a member: that names it and registers it
 * (parameter_place). */
#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

#include <string.h>

/* The scope as it is now: a comprehension's variable has another value next time. */
static Scope *scope_snapshot(Lowerer *lw, const Scope *from) {
    Scope *scope = scope_new(lw, from->parent);
    for (int i = 0; i < from->bindings.count; i++)
        vector_push(lw->arena, &scope->bindings, from->bindings.data[i]);
    return scope;
}

Value parameter_delay(Lowerer *lw, const Expr *data) {
    if (data->kind == EXPR_NONE) return value_none();
    if (data->kind == EXPR_CONDITIONAL) {
        Value condition = eval_expr(lw, data->third);
        bool truth;
        if (!eval_truth(lw, &condition, data->third->span, &truth)) return value_error();
        return parameter_delay(lw, truth ? data->left : data->right);
    }
    Value function = eval_delayed(lw, lw->instance, data);
    Closure *closure = arena_copy(lw->arena, function.as.closure, sizeof *closure);
    closure->captured = scope_snapshot(lw, lw->frame->scope);
    function.as.closure = closure;
    return function;
}

/* The type of what the function computes; false after an error. */
static bool type_of_value(Lowerer *lw, const Value *function, Span span, TensorType *type) {
    Entry *entry = NEW(lw->arena, Entry), *outer = lw->entry;
    Graph *model = lw->graph;
    CellState *cell = lw->init_cell;
    lw->entry = entry;
    lw->graph = entry->graph = lower_graph_new(lw);
    lw->init_cell = NULL;
    cells_begin_entry(lw);
    Value v = eval_call_values(lw, function, NULL, 0, span);
    Node *node = v.kind == VALUE_ERROR ? NULL : value_node(lw, &v, span);
    if (node) *type = node->type;
    lw->entry_serial++;
    lw->entry = outer;
    lw->graph = model;
    lw->init_cell = cell;
    return node != NULL;
}

/* A cell without owner, from the function that computes its value; NULL after an error. */
static CellState *cell_of_value(Lowerer *lw, CellRole role, const Value *function, Span span) {
    TensorType type;
    if (lw->entry) {
        Diagnostic *d = lower_error(lw, NN_MODULE_IN_FUNCTION, span,
                                    "a parameter or buffer is made inside a tensor function");
        diagnostic_help(d, "make it in a module's body: `self.weight = nn.Parameter(...)`");
        return NULL;
    }
    if (!type_of_value(lw, function, span, &type)) return NULL;
    int64_t extent;
    for (int i = 0; i < type.shape.rank; i++)
        if (!dim_is_const(type.shape.dims[i], &extent)) {
            Text text = text_new(lw->arena);
            type_print(&text, &type);
            lower_error(lw, NN_TYPE_NAME, span,
                        "the shape of a parameter or buffer must be known while compiling, "
                        "found %s",
                        text.data);
            return NULL;
        }
    CellState *c = cell_declare(lw, NULL, name_of("parameter"), role, type, span);
    c->initialiser = *function;
    c->initialiser_span = lower_blame(lw, span);
    return c;
}

Value builtin_parameter(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "data, requires_grad=True", span, v)) return value_error();
    if (v[0].kind != VALUE_FUNCTION || v[1].kind != VALUE_BOOL) {
        lower_error(lw, NN_ARGUMENT_TYPE, span, "nn.Parameter takes a tensor and a bool");
        return value_error();
    }
    CellState *c = cell_of_value(lw, CELL_PARAMETER, &v[0], span);
    if (!c) return value_error();
    if (v[1].as.boolean && !cell_may_train(lw, "nn.Parameter", c->cell->type.dtype, span))
        return value_error();
    c->requires_grad = v[1].as.boolean;
    return value_cell(c);
}

Value instance_register_buffer(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[4];
    if (!args_get(lw, args, "self, name, tensor, persistent=True", span, v)) return value_error();
    bool none = v[2].kind == VALUE_NONE;
    if (v[1].kind != VALUE_STR || (v[2].kind != VALUE_FUNCTION && !none) ||
        v[3].kind != VALUE_BOOL) {
        lower_error(lw, NN_ARGUMENT_TYPE, span,
                    "register_buffer takes a name, a tensor or None, and a bool");
        return value_error();
    }
    CellState *c = none ? NULL : cell_of_value(lw, CELL_BUFFER, &v[2], span);
    if (!c && !none) return value_error();
    if (c) c->cell->unsaved = !v[3].as.boolean;
    Value member = none ? value_none() : value_cell(c);
    module_set_member(lw, v[0].as.instance, name_of(v[1].as.text), member, span);
    return value_none();
}

Value instance_register_parameter(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    if (!args_get(lw, args, "self, name, param", span, v)) return value_error();
    bool fits = v[2].kind == VALUE_CELL || v[2].kind == VALUE_NONE;
    if (v[1].kind != VALUE_STR || !fits) {
        lower_error(lw, NN_ARGUMENT_TYPE, span,
                    "register_parameter takes a name and a parameter or None");
        return value_error();
    }
    module_set_member(lw, v[0].as.instance, name_of(v[1].as.text), v[2], span);
    return value_none();
}

static bool says_tensor(const TypeExpr *type) {
    if (type->kind == TYPE_NAME) return !strcmp(type->name->text, "Tensor");
    bool found = false;
    for (int i = 0; type->kind == TYPE_UNION && i < type->item_count; i++)
        found |= says_tensor(type->items[i]);
    return found;
}

/* A module's header says Tensor and the module is made in a body, where there are no tensors yet.
 * What has a name is handed on as it is. */
static bool header_delays(Lowerer *lw, const ModuleClass *class_, const CallArg *arg,
                          int position) {
    bool named = arg->value->kind == EXPR_NAME || arg->value->kind == EXPR_ATTRIBUTE;
    if (lw->graph || named || arg->value->kind == EXPR_NONE) return false;
    for (int i = 0; i < class_->declaration->param_count; i++) {
        const Param *p = &class_->declaration->params[i];
        if (arg->keyword ? p->name == arg->keyword : i == position)
            return p->type && says_tensor(p->type);
    }
    return false;
}

bool parameter_delays(Lowerer *lw, const Value *callee, const CallArg *arg, int position) {
    if (callee->kind == VALUE_CLASS) return header_delays(lw, callee->as.class_, arg, position);
    if (callee->kind != VALUE_BUILTIN) return false;
    bool buffer = callee->as.builtin->function == instance_register_buffer;
    if (!buffer && callee->as.builtin->function != builtin_parameter) return false;
    if (arg->keyword) return !strcmp(arg->keyword->text, buffer ? "tensor" : "data");
    return position == buffer;
}

void parameter_place(CellState *c, Instance *self, Name name) {
    if (c->owner) return;
    c->owner = self;
    c->cell->name = name;
}
