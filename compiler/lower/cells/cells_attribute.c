/* Attributes and methods of cells and instances that the library cannot write itself: grad, data
 * and the in-place methods; parameters(), zero_grad(), train(), eval(),
 * requires_grad_(), step(). */
#include <string.h>

#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

Value method_value(Lowerer *lw, const Builtin *method, const Value *self) {
    Value callee = {.kind = VALUE_BUILTIN, .as.builtin = method};
    return value_bound(lw->arena, callee, self);
}

/* ---- cells ---- */

/* The cell that an in-place method may write; NULL after an error. */
static CellState *writable(Lowerer *lw, const Value *v, const char *method, Span span) {
    CellState *c = cell_resolve(v->as.cell);
    bool leaf = c->cell->role == CELL_PARAMETER && c->requires_grad && !v->detached;
    if (leaf && lw->graph && !lw->graph->no_grad) {
        Diagnostic *d = lower_error(lw, NN_CELL_WRITE, span,
                                    "%s on the parameter %s, which requires a gradient", method,
                                    c->cell->name->text);
        diagnostic_help(d, "write p.data.%s(...), or put the statement into no_grad { ... }",
                        method);
        return NULL;
    }
    return c;
}

static Value write_back(Lowerer *lw, const Value *self, const char *method, const Value *result,
                        Span span) {
    CellState *c = writable(lw, self, method, span);
    if (!c || result->kind == VALUE_ERROR) return value_error();
    Node *node = cell_convert(lw, c, result, "the cell", span);
    if (!node) return value_error();
    cell_write(lw, c, node, span);
    return *self;
}

static Value inplace_binary(Lowerer *lw, const CallArguments *args, const char *method, Operator op,
                            bool alpha, Span span) {
    Value v[3];
    if (!args_get(lw, args, alpha ? "self, other, alpha=1" : "self, other", span, v))
        return value_error();
    Value other = v[1];
    if (alpha && !(v[2].kind == VALUE_INT && v[2].as.integer == 1))
        other = eval_binary(lw, OPERATOR_MUL, &v[2], &v[1], span);
    Value result = tensor_binary(lw, op, &v[0], &other, span);
    return write_back(lw, &v[0], method, &result, span);
}

#define INPLACE(name, OPERATOR, alpha)                                            \
    static Value cell_##name(Lowerer *lw, const CallArguments *args, Span span) { \
        return inplace_binary(lw, args, #name, OPERATOR, alpha, span);            \
    }
INPLACE(add_, OPERATOR_ADD, true)
INPLACE(sub_, OPERATOR_SUB, true)
INPLACE(mul_, OPERATOR_MUL, false)
INPLACE(div_, OPERATOR_DIV, false)
#undef INPLACE

static Value cell_copy_(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "self, source", span, v)) return value_error();
    CellState *c = cell_resolve(v[0].as.cell);
    Operand operand;
    if (!operand_read(lw, &v[1], span, &operand)) return value_error();
    lower_mark(lw, span);
    Value copied = value_of_node(
        lw, operand_node(lw, &operand, c->cell->type.dtype, &c->cell->type.shape, span), NULL);
    return write_back(lw, &v[0], "copy_", &copied, span);
}

static Value cell_fill_(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "self, value", span, v)) return value_error();
    return write_back(lw, &v[0], "fill_", &v[1], span);
}

static Value cell_zero_(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1], zero = value_int(0);
    if (!args_get(lw, args, "self", span, v)) return value_error();
    return write_back(lw, &v[0], "zero_", &zero, span);
}

/* self + value * (a op b) */
static Value inplace_fused(Lowerer *lw, const CallArguments *args, const char *method, Operator op,
                           Span span) {
    Value v[4];
    if (!args_get(lw, args, "self, a, b, value=1", span, v)) return value_error();
    Value term = eval_binary(lw, op, &v[1], &v[2], span);
    if (!(v[3].kind == VALUE_INT && v[3].as.integer == 1))
        term = eval_binary(lw, OPERATOR_MUL, &v[3], &term, span);
    Value result = tensor_binary(lw, OPERATOR_ADD, &v[0], &term, span);
    return write_back(lw, &v[0], method, &result, span);
}

static Value cell_addcmul_(Lowerer *lw, const CallArguments *args, Span span) {
    return inplace_fused(lw, args, "addcmul_", OPERATOR_MUL, span);
}

static Value cell_addcdiv_(Lowerer *lw, const CallArguments *args, Span span) {
    return inplace_fused(lw, args, "addcdiv_", OPERATOR_DIV, span);
}

static Value cell_lerp_(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    if (!args_get(lw, args, "self, end, weight", span, v)) return value_error();
    Value gap = tensor_binary(lw, OPERATOR_SUB, &v[1], &v[0], span);
    Value part = eval_binary(lw, OPERATOR_MUL, &v[2], &gap, span);
    Value result = tensor_binary(lw, OPERATOR_ADD, &v[0], &part, span);
    return write_back(lw, &v[0], "lerp_", &result, span);
}

/* clamp_(min, max), by the library's clamp. */
static Value cell_clamp_(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    if (!args_get(lw, args, "self, min=None, max=None", span, v)) return value_error();
    Value result = eval_library(lw, "clamp", v, 3, span);
    return write_back(lw, &v[0], "clamp_", &result, span);
}

static void set_requires_grad(Lowerer *lw, CellState *c, bool on) {
    c = cell_resolve(c);
    if (lw->entry) {
        FlagUndo undo = {NULL, c, false, c->requires_grad};
        vector_push(lw->arena, &cell_work(lw)->undo, undo);
    }
    c->requires_grad = on && dtype_is_float(c->cell->type.dtype);
}

static bool read_flag(Lowerer *lw, const CallArguments *args, Span span, Value *self, bool *on) {
    Value v[2];
    if (!args_get(lw, args, "self, on=True", span, v)) return false;
    *self = v[0];
    return eval_truth(lw, &v[1], span, on);
}

static Value cell_requires_grad_(Lowerer *lw, const CallArguments *args, Span span) {
    Value self;
    bool on;
    if (!read_flag(lw, args, span, &self, &on)) return value_error();
    set_requires_grad(lw, self.as.cell, on);
    return self;
}

static const Builtin cell_methods[] = {
    {"add_", cell_add_},   {"sub_", cell_sub_},         {"mul_", cell_mul_},
    {"div_", cell_div_},   {"copy_", cell_copy_},       {"fill_", cell_fill_},
    {"zero_", cell_zero_}, {"addcmul_", cell_addcmul_}, {"addcdiv_", cell_addcdiv_},
    {"lerp_", cell_lerp_}, {"clamp_", cell_clamp_},     {"requires_grad_", cell_requires_grad_},
    {NULL, NULL},
};

bool cell_attribute(Lowerer *lw, const Value *cell, Name name, Span span, Value *out) {
    CellState *c = cell_resolve(cell->as.cell);
    const char *word = name->text;
    if (!strcmp(word, "data")) {
        *out = *cell;
        out->detached = true;
    } else if (!strcmp(word, "requires_grad")) {
        *out = value_bool(c->requires_grad);
    } else if (!strcmp(word, "is_leaf")) {
        *out = value_bool(true);
    } else if (!strcmp(word, "grad")) {
        if (c->cell->role != CELL_PARAMETER || (lw->entry && cell_gradient_is_none(lw, c))) {
            *out = value_none();
        } else if (!lw->entry) {
            lower_error(lw, NN_NONE_GRADIENT, span,
                        "gradients exist only in the entries of a train block");
            *out = value_error();
        } else {
            *out = value_cell(cell_gradient(lw, c));
        }
    } else {
        for (const Builtin *m = cell_methods; m->name; m++)
            if (!strcmp(m->name, word)) {
                *out = method_value(lw, m, cell);
                return true;
            }
        return false;
    }
    return true;
}

/* ---- instances ---- */

typedef struct Collector {
    Lowerer *lw;
    CellList *list;
    CellRole role;
} Collector;

static void collect(void *user, CellState *state, const char *name) {
    Collector *k = user;
    CellState *c = cell_resolve(state);
    if (c->cell->role != k->role) return;
    for (int i = 0; i < k->list->cells.count; i++)
        if (k->list->cells.data[i] == c) return;
    vector_push(k->lw->arena, &k->list->cells, c);
    const char *kept = arena_strdup(k->lw->arena, name);
    vector_push(k->lw->arena, &k->list->names, kept);
}

CellList instance_cells(Lowerer *lw, Instance *instance, CellRole role) {
    CellList list = {0};
    Collector collector = {lw, &list, role};
    module_visit_cells(instance, collect, &collector);
    return list;
}

static bool read_self(Lowerer *lw, const CallArguments *args, Span span, Instance **self) {
    Value v[1];
    if (!args_get(lw, args, "self", span, v)) return false;
    *self = v[0].as.instance;
    return true;
}

static Value list_cells(Lowerer *lw, const CallArguments *args, CellRole role, bool named,
                        Span span) {
    Instance *self;
    if (!read_self(lw, args, span, &self)) return value_error();
    CellList list = instance_cells(lw, self, role);
    Value *items = NEW_ARRAY(lw->arena, list.cells.count, Value);
    for (int i = 0; i < list.cells.count; i++) {
        Value pair[2] = {value_str(list.names.data[i]), value_cell(list.cells.data[i])};
        items[i] = named ? value_tuple(lw->arena, pair, 2) : pair[1];
    }
    return value_list(lw->arena, items, list.cells.count);
}

#define LISTING(name, ROLE, named)                                                    \
    static Value instance_##name(Lowerer *lw, const CallArguments *args, Span span) { \
        return list_cells(lw, args, ROLE, named, span);                               \
    }
LISTING(parameters, CELL_PARAMETER, false)
LISTING(named_parameters, CELL_PARAMETER, true)
LISTING(buffers, CELL_BUFFER, false)
LISTING(named_buffers, CELL_BUFFER, true)
#undef LISTING

static bool is_module(const Value *v) {
    return v->kind == VALUE_INSTANCE && v->as.instance->class_->kind == CLASS_KIND_MODULE;
}

static Value list_children(Lowerer *lw, Instance *self, bool named) {
    Value list = value_list(lw->arena, NULL, 0);
    for (int i = 0; i < self->members.count; i++) {
        const Member *m = &self->members.data[i];
        if (!is_module(&m->value)) continue;
        Value pair[2] = {value_str(m->name->text), m->value};
        Value item = named ? value_tuple(lw->arena, pair, 2) : m->value;
        vector_push(lw->arena, &list.as.list->items, item);
    }
    return list;
}

static Value instance_children(Lowerer *lw, const CallArguments *args, Span span) {
    Instance *self;
    return read_self(lw, args, span, &self) ? list_children(lw, self, false) : value_error();
}

static Value instance_named_children(Lowerer *lw, const CallArguments *args, Span span) {
    Instance *self;
    return read_self(lw, args, span, &self) ? list_children(lw, self, true) : value_error();
}

static void list_modules(Lowerer *lw, Instance *self, ValueList *list) {
    for (int i = 0; i < list->items.count; i++)
        if (list->items.data[i].as.instance == self) return;
    Value v = {.kind = VALUE_INSTANCE, .as.instance = self};
    vector_push(lw->arena, &list->items, v);
    for (int i = 0; i < self->members.count; i++)
        if (is_module(&self->members.data[i].value))
            list_modules(lw, self->members.data[i].value.as.instance, list);
}

static Value instance_modules(Lowerer *lw, const CallArguments *args, Span span) {
    Instance *self;
    if (!read_self(lw, args, span, &self)) return value_error();
    Value list = value_list(lw->arena, NULL, 0);
    list_modules(lw, self, list.as.list);
    return list;
}

static Value set_training(Lowerer *lw, Instance *self, bool on) {
    Value list = value_list(lw->arena, NULL, 0);
    list_modules(lw, self, list.as.list);
    for (int i = 0; i < list.as.list->items.count; i++) {
        Instance *m = list.as.list->items.data[i].as.instance;
        if (lw->entry) {
            FlagUndo undo = {m, NULL, m->training_override, m->training};
            vector_push(lw->arena, &cell_work(lw)->undo, undo);
        }
        m->training_override = true;
        m->training = on;
    }
    return (Value){.kind = VALUE_INSTANCE, .as.instance = self};
}

static Value instance_train(Lowerer *lw, const CallArguments *args, Span span) {
    Value self;
    bool on;
    return read_flag(lw, args, span, &self, &on) ? set_training(lw, self.as.instance, on)
                                                 : value_error();
}

static Value instance_eval(Lowerer *lw, const CallArguments *args, Span span) {
    Instance *self;
    return read_self(lw, args, span, &self) ? set_training(lw, self, false) : value_error();
}

static Value instance_requires_grad_(Lowerer *lw, const CallArguments *args, Span span) {
    Value self;
    bool on;
    if (!read_flag(lw, args, span, &self, &on)) return value_error();
    CellList list = instance_cells(lw, self.as.instance, CELL_PARAMETER);
    for (int i = 0; i < list.cells.count; i++) set_requires_grad(lw, list.cells.data[i], on);
    return self;
}

static bool need_entry(Lowerer *lw, const char *method, Span span) {
    if (lw->entry) return true;
    lower_error(lw, NN_CELL_WRITE, span, "%s belongs into an entry of a train block", method);
    return false;
}

static Value instance_zero_grad(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "self, set_to_none=True", span, v) ||
        !need_entry(lw, "zero_grad()", span))
        return value_error();
    Instance *self = v[0].as.instance;
    CellList list = {0};
    if (self->class_->kind == CLASS_KIND_OPTIMIZER) {
        ValueList *all = optimizer_parameters(lw, self);
        for (int i = 0; i < all->items.count; i++) {
            CellState *c = cell_resolve(all->items.data[i].as.cell);
            vector_push(lw->arena, &list.cells, c);
        }
    } else {
        list = instance_cells(lw, self, CELL_PARAMETER);
    }
    bool to_none = !(v[1].kind == VALUE_BOOL && !v[1].as.boolean);
    for (int i = 0; i < list.cells.count; i++) {
        CellState *c = list.cells.data[i];
        if (to_none) {
            cell_gradient_zero(lw, c);
        } else if (!cell_gradient_is_none(lw, c)) {
            /* torch zeroes what is there and leaves None alone; reading keeps what is known
             * of that */
            CellState *g = cell_gradient(lw, c);
            if (cell_read(lw, g, span))
                cell_write(lw, g, op_const(lw->graph, 0, g->cell->type), span);
        }
    }
    return value_none();
}

static Value instance_step(Lowerer *lw, const CallArguments *args, Span span) {
    Instance *self;
    if (!read_self(lw, args, span, &self) || !need_entry(lw, "step()", span)) return value_error();
    optimizer_step(lw, self, span);
    return value_none();
}

/* A function of the optimizer that every step() calls first. */
static Value instance_register_step_pre_hook(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "self, hook", span, v)) return value_error();
    if (lw->entry || v[1].kind != VALUE_FUNCTION) {
        lower_error(lw, NN_OPTIMIZER, span,
                    lw->entry ? "a hook is registered in a module's body" : "a hook is a function");
        return value_error();
    }
    vector_push(lw->arena, &v[0].as.instance->hooks, v[1]);
    return value_none();
}

static const Builtin module_methods[] = {
    {"parameters", instance_parameters},
    {"named_parameters", instance_named_parameters},
    {"buffers", instance_buffers},
    {"named_buffers", instance_named_buffers},
    {"children", instance_children},
    {"named_children", instance_named_children},
    {"modules", instance_modules},
    {"zero_grad", instance_zero_grad},
    {"train", instance_train},
    {"eval", instance_eval},
    {"requires_grad_", instance_requires_grad_},
    {"register_buffer", instance_register_buffer},
    {"register_parameter", instance_register_parameter},
    {NULL, NULL},
};
static const Builtin optimizer_methods[] = {
    {"zero_grad", instance_zero_grad},
    {"step", instance_step},
    {"register_step_pre_hook", instance_register_step_pre_hook},
    {NULL, NULL},
};

bool instance_attribute(Lowerer *lw, Instance *instance, Name name, Span span, Value *out) {
    (void)span;
    Value self = {.kind = VALUE_INSTANCE, .as.instance = instance};
    bool optimizer = instance->class_->kind == CLASS_KIND_OPTIMIZER;
    if (!optimizer && !strcmp(name->text, "training")) {
        *out = value_bool(instance_training(lw, instance));
        return true;
    }
    if (optimizer && !strcmp(name->text, "param_groups")) {
        *out = optimizer_group_list(lw, instance);
        return true;
    }
    for (const Builtin *m = optimizer ? optimizer_methods : module_methods; m->name; m++)
        if (!strcmp(m->name, name->text)) {
            *out = method_value(lw, m, &self);
            return true;
        }
    return false;
}

/* ---- for the library: members whose names are computed ---- */

/* prim.param(self, name, shape, initialiser): `param name: f32[shape] = initialiser`. */
Value prim_param(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[5];
    TensorType type = {.dtype = lw->options->default_dtype, .shape = {.rank = 0}};
    if (!args_get(lw, args, "self, name, shape, initialiser, dtype=None", span, v))
        return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[1].kind != VALUE_STR) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "prim.param takes self and a name");
        return value_error();
    }
    if (v[4].kind == VALUE_DTYPE) type.dtype = v[4].as.dtype;
    if (!value_flatten_dims(lw, &v[2], "shape", span, type.shape.dims, SHAPE_MAX_RANK,
                            &type.shape.rank))
        return value_error();
    if (!cell_may_train(lw, v[1].as.text, type.dtype, span)) return value_error();
    Name name = name_of(v[1].as.text);
    CellState *c =
        cell_declare(lw, v[0].as.instance, name, CELL_PARAMETER, type, lower_blame(lw, span));
    c->initialiser = v[3];
    c->initialiser_span = lower_blame(lw, span);
    module_set_member(lw, v[0].as.instance, name, value_cell(c), span);
    return value_none();
}

/* prim.member(self, name): the member, or None. */
Value prim_member(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "self, name", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[1].kind != VALUE_STR) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "prim.member takes self and a name");
        return value_error();
    }
    Value *found = module_find_member(v[0].as.instance, name_of(v[1].as.text));
    return found ? *found : value_none();
}

/* prim.accepts(class, name): whether the header has a hyperparameter of that name. */
Value prim_accepts(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "class, name", span, v)) return value_error();
    if (v[0].kind != VALUE_CLASS || v[1].kind != VALUE_STR) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "prim.accepts takes a module's class and a name");
        return value_error();
    }
    const Stmt *d = v[0].as.class_->declaration;
    bool found = false;
    for (int i = 0; i < d->param_count; i++)
        found |= !strcmp(d->params[i].name->text, v[1].as.text);
    return value_bool(found);
}

Value prim_children(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!args_get(lw, args, "self", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE) return value_error();
    return list_children(lw, v[0].as.instance, false);
}

Value prim_add_module(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    if (!args_get(lw, args, "self, name, module", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[1].kind != VALUE_STR || !is_module(&v[2])) {
        if (v[2].kind != VALUE_ERROR)
            lower_error(lw, NN_TENSOR_OPERAND, span, "a container takes modules, found %s",
                        value_kind_name(&v[2]));
        return value_error();
    }
    module_set_member(lw, v[0].as.instance, name_of(v[1].as.text), v[2], span);
    return value_none();
}
