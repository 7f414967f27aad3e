/* Optimizers: instances made from `optimizer X(...)`, their cells, and one step() as one
 * simultaneous update of all parameters that have a gradient. */
#include <string.h>

#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

/* The optimizer whose body runs; its parameter list is the implicit first argument. */
static bool read_parameters(Lowerer *lw, const Value *v, Span span, ValueList *out) {
    bool list = value_is_list(v);
    for (int i = 0; list && i < v->as.list->items.count; i++) {
        const Value *item = &v->as.list->items.data[i];
        if (item->kind == VALUE_ERROR) return false;
        /* named_parameters(): pairs */
        if (item->kind == VALUE_TUPLE && item->as.list->items.count == 2)
            item = &item->as.list->items.data[1];
        if (item->kind != VALUE_CELL || cell_resolve(item->as.cell)->cell->role != CELL_PARAMETER) {
            lower_error(lw, NN_OPTIMIZER, span,
                        "element %d of the parameter list is %s, not a parameter", i,
                        value_kind_name(item));
            return false;
        }
        CellState *c = cell_resolve(item->as.cell);
        for (int k = 0; k < out->items.count; k++)
            if (out->items.data[k].as.cell == c) {
                lower_error(lw, NN_OPTIMIZER, span, "the parameter %s appears twice in the list",
                            c->cell->name->text);
                return false;
            }
        Value cell = value_cell(c);
        vector_push(lw->arena, &out->items, cell);
    }
    if (list && out->items.count) return true;
    if (v->kind == VALUE_ERROR) return false;
    Diagnostic *d = lower_error(lw, NN_OPTIMIZER, span,
                                "an optimizer takes a list of parameters first, found %s",
                                list ? "an empty one" : value_kind_name(v));
    diagnostic_help(d, "optim.SGD(self.model.parameters(), lr=0.1)");
    return false;
}

/* One parameter group: the optimizer's arguments, overridden by what its dict says. */
static Instance *make_group(Lowerer *lw, ModuleClass *class_, const CallArguments *args, int skip,
                            const Value *dict, ValueList *parameters, Span span) {
    int extra = dict ? dict->as.list->items.count / 2 : 0, most = args->count + extra, count = 0;
    Value *values = NEW_ARRAY(lw->arena, most, Value);
    Name *keywords = NEW_ARRAY(lw->arena, most, Name);
    Span *spans = NEW_ARRAY(lw->arena, most, Span);
    for (int i = 0; i < extra; i++) {
        const Value *key = &dict->as.list->items.data[2 * i];
        if (!strcmp(key->as.text, "params")) continue;
        keywords[count] = name_of(key->as.text);
        values[count] = dict->as.list->items.data[2 * i + 1];
        spans[count++] = span;
    }
    int overridden = count;
    for (int i = 0; i < args->count; i++) {
        Name keyword = args->keywords ? args->keywords[i] : NULL;
        bool again = i == skip;
        for (int k = 0; k < overridden; k++) again |= keyword && keywords[k] == keyword;
        if (again) continue;
        values[count] = args->values[i];
        keywords[count] = keyword;
        spans[count++] = args->spans ? args->spans[i] : span;
    }
    CallArguments all = {count, values, keywords, spans};
    Instance *instance = instance_begin(lw, class_, &all, span);
    if (!instance) return NULL;
    instance->parameters = parameters;
    instance_run_body(lw, instance, &class_->declaration->body, span);
    return instance;
}

static const Value *dict_find(const Value *dict, const char *key) {
    for (int i = 0; i + 1 < dict->as.list->items.count; i += 2) {
        const Value *k = &dict->as.list->items.data[i];
        if (k->kind == VALUE_STR && !strcmp(k->as.text, key))
            return &dict->as.list->items.data[i + 1];
    }
    return NULL;
}

/* [{"params": list, "lr": 0.1}, ...]: the first group is the optimizer itself. */
static Instance *make_groups(Lowerer *lw, ModuleClass *class_, const CallArguments *args, int first,
                             Span span) {
    const ValueList *dicts = args->values[first].as.list;
    Instance *optimizer = NULL;
    for (int i = 0; i < dicts->items.count; i++) {
        const Value *dict = &dicts->items.data[i], *list = NULL;
        if (dict->kind == VALUE_DICT) list = dict_find(dict, "params");
        for (int k = 0; dict->kind == VALUE_DICT && k < dict->as.list->items.count; k += 2)
            if (dict->as.list->items.data[k].kind != VALUE_STR) list = NULL;
        if (!list) {
            Diagnostic *d = lower_error(lw, NN_OPTIMIZER, span, "group %d has no \"params\"", i);
            diagnostic_help(
                d, "[{\"params\": self.body.parameters()}, {\"params\": ..., \"lr\": 1e-3}]");
            return NULL;
        }
        ValueList *parameters = NEW(lw->arena, ValueList);
        if (!read_parameters(lw, list, span, parameters)) return NULL;
        Instance *group = make_group(lw, class_, args, first, dict, parameters, span);
        if (!group) return NULL;
        if (!optimizer) {
            optimizer = group;
        } else {
            group->group_of = optimizer;
            vector_push(lw->arena, &optimizer->groups, group);
        }
    }
    return optimizer;
}

Value optimizer_new(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span) {
    int first = -1;
    for (int i = 0; i < args->count && first < 0; i++) {
        Name keyword = args->keywords ? args->keywords[i] : NULL;
        if (!keyword || !strcmp(keyword->text, "params")) first = i;
    }
    const Value *list = first < 0 ? NULL : &args->values[first];
    Instance *instance;
    if (list && list->kind == VALUE_LIST && list->as.list->items.count &&
        list->as.list->items.data[0].kind == VALUE_DICT) {
        instance = make_groups(lw, class_, args, first, span);
    } else {
        Value none = value_none();
        ValueList *parameters = NEW(lw->arena, ValueList);
        if (!read_parameters(lw, list ? list : &none, span, parameters)) return value_error();
        instance = make_group(lw, class_, args, first, NULL, parameters, span);
    }
    if (!instance) return value_error();
    return (Value){.kind = VALUE_INSTANCE, .as.instance = instance};
}

/* ---- cells ---- */

static void bind_member(Lowerer *lw, Instance *self, Name name, Value value, Span span) {
    Value *found = module_find_member(self, name);
    if (found) {
        *found = value;
        return;
    }
    Member member = {name, value, span};
    vector_push(lw->arena, &self->members, member);
}

/* The type of `state m = EXPR(p)`: EXPR is evaluated in a graph that is thrown away. */
static bool state_type(Lowerer *lw, CellState *c, const Stmt *declaration, TensorType *out) {
    Graph *graph = lw->graph, *scratch = graph_new(lw->arena, lw->dims);
    Entry *entry = lw->entry;
    Node *p = op_cell(scratch, c->parameter->cell, c->parameter->cell->type);
    Scope *scope = NEW(lw->arena, Scope);
    scope->parent = c->scope;
    scope_bind(lw, scope, name_of("p"), value_tensor(p), declaration->span);
    lw->graph = scratch;
    lw->entry = NULL;
    Frame frame = *lw->frame;
    frame.caller = lw->frame;
    frame.scope = scope;
    Frame *saved = lw->frame;
    lw->frame = &frame;
    Value v = eval_expr(lw, declaration->value);
    lw->frame = saved;
    bool ok = true;
    if (value_is_tensor(&v)) {
        Node *node = value_node(lw, &v, declaration->span);
        ok = node != NULL;
        if (ok) *out = node->type;
    } else if (v.kind == VALUE_INT || v.kind == VALUE_FLOAT || v.kind == VALUE_BOOL) {
        *out = c->parameter->cell->type;
    } else {
        ok = false;
        if (v.kind != VALUE_ERROR)
            lower_error(lw, NN_OPTIMIZER, declaration->span,
                        "state %s starts as a number or a tensor, found %s",
                        declaration->name->text, value_kind_name(&v));
    }
    lw->graph = graph;
    lw->entry = entry;
    return ok;
}

void optimizer_declare(Lowerer *lw, Instance *optimizer, const Stmt *d) {
    if (d->declare != DECLARE_STATE || !d->value) {
        lower_error(lw, NN_OPTIMIZER, d->span, "an optimizer's body declares `state name = value`");
        return;
    }
    ValueList *parameters = optimizer->parameters;
    if (d->type || !parameters) {
        TensorType type;
        if (!d->type || !signature_type(lw, d->type, lw->frame->scope, &type)) return;
        CellState *c = cell_declare(lw, optimizer, d->name, CELL_OPTIMIZER, type, d->span);
        c->initialiser = eval_expr(lw, d->value);
        c->initialiser_span = d->value->span;
        bind_member(lw, optimizer, d->name, value_cell(c), d->name_span);
        vector_push(lw->arena, &optimizer->optimizer_cells, c);
        return;
    }
    for (int i = 0; i < parameters->items.count; i++) {
        CellState *p = cell_resolve(parameters->items.data[i].as.cell);
        CellState *c = cell_declare(lw, optimizer, d->name, CELL_OPTIMIZER, p->cell->type, d->span);
        c->parameter = p;
        c->declaration = d;
        c->scope = lw->frame->scope;
        if (!state_type(lw, c, d, &c->cell->type)) return;
        if (i == 0) bind_member(lw, optimizer, d->name, value_cell(c), d->name_span);
        vector_push(lw->arena, &optimizer->optimizer_cells, c);
    }
}

Value cell_hyperparameter(Lowerer *lw, Instance *owner, Name name, DType dtype, const Value *number,
                          Span span) {
    if (number->kind == VALUE_CELL) return *number;
    double value;
    if (!value_as_float(lw, number, name->text, span, &value)) return value_error();
    TensorType type = {.dtype = dtype, .shape = {.rank = 0}};
    CellState *c = cell_declare(lw, owner, name, CELL_SCALAR, type, span);
    c->initialiser = *number;
    c->initialiser_span = span;
    c->cell->default_value = true;
    c->cell->default_number = value;
    return value_cell(c);
}

void cell_assign_hyperparameter(Lowerer *lw, CellState *c, Name name, const Value *value,
                                Span span) {
    double number;
    c = cell_resolve(c);
    if (lw->entry) {
        cell_write(lw, c, cell_convert(lw, c, value, "the hyperparameter", span), span);
    } else if (value_as_float(lw, value, name->text, span, &number)) {
        c->initialiser = *value;
        c->cell->default_number = number;
    }
}

static bool assign_one(Lowerer *lw, Instance *self, Name name, const Value *value, Span span) {
    for (int i = 0; i < self->hyperparameters.count; i++) {
        const Binding *b = &self->hyperparameters.data[i];
        if (b->name != name || b->value.kind != VALUE_CELL) continue;
        if (cell_resolve(b->value.as.cell)->cell->role != CELL_SCALAR) continue;
        cell_assign_hyperparameter(lw, b->value.as.cell, name, value, span);
        return true;
    }
    return false;
}

bool optimizer_assign(Lowerer *lw, Instance *self, Name name, const Value *value, Span span) {
    bool found = assign_one(lw, self, name, value, span);
    for (int i = 0; i < self->groups.count; i++)
        found |= assign_one(lw, self->groups.data[i], name, value, span);
    return found;
}

/* ---- step ---- */

/* self.m means this parameter's m while update(self, p, g) runs. */
static void bind_states(Lowerer *lw, Instance *optimizer, CellState *parameter) {
    for (int i = 0; i < optimizer->optimizer_cells.count; i++) {
        CellState *c = optimizer->optimizer_cells.data[i];
        if (c->parameter == parameter)
            bind_member(lw, optimizer, c->declaration->name, value_cell(c), c->cell->span);
    }
}

static bool call_method(Lowerer *lw, Instance *optimizer, const char *name, const Value *values,
                        int count, Span span, Value *out) {
    *out = eval_call_values(lw, instance_method(optimizer, name), values, count, span);
    return out->kind != VALUE_ERROR;
}

/* A state written by update() keeps its old value where the gradient turns out to be None. */
static void guard_states(Lowerer *lw, Instance *optimizer, CellState *parameter, Node *valid,
                         Node *const *before) {
    for (int i = 0; i < optimizer->optimizer_cells.count; i++) {
        CellState *c = optimizer->optimizer_cells.data[i];
        if (c->parameter != parameter || !before[i]) continue;
        Node *now = cell_read(lw, c, c->cell->span);
        if (now == before[i]) continue;
        Node *mask = tensor_broadcast_to(lw, valid, &now->type.shape, c->cell->span);
        c->current = op_select(lw->graph, mask, now, before[i]);
    }
}

/* The new values of one group's parameters; NULL where there is no gradient.  False after
 * an error. */
static bool step_group(Lowerer *lw, Instance *group, Node **updated, Span span) {
    int count = group->parameters->items.count, states = group->optimizer_cells.count;
    Node **before = NEW_ARRAY(lw->arena, states, Node *);
    bool begun = false;
    for (int i = 0; i < count; i++) {
        CellState *p = cell_resolve(group->parameters->items.data[i].as.cell);
        if (!p->requires_grad || cell_gradient_is_none(lw, p)) continue;
        Value result;
        if (!begun && instance_method(group, "begin") &&
            !call_method(lw, group, "begin", NULL, 0, span, &result))
            return false;
        begun = true;
        CellState *gradient = cell_gradient(lw, p);
        Node *g = cell_read(lw, gradient, span);
        Node *valid = gradient->valid;
        bind_states(lw, group, p);
        for (int k = 0; k < states; k++) {
            CellState *c = group->optimizer_cells.data[k];
            before[k] = valid && c->parameter == p ? cell_read(lw, c, span) : NULL;
        }
        Value arguments[2] = {value_cell(p), value_of_node(lw, g, NULL)};
        if (!call_method(lw, group, "update", arguments, 2, span, &result)) return false;
        if (result.kind == VALUE_NONE) {
            lower_error(lw, NN_OPTIMIZER, span,
                        "update(self, p, g) of %s returns nothing; it must return the new value",
                        group->class_->name->text);
            return false;
        }
        updated[i] = cell_convert(lw, p, &result, "the parameter", span);
        if (!updated[i]) return false;
        if (valid) {
            guard_states(lw, group, p, valid, before);
            Node *mask = tensor_broadcast_to(lw, valid, &p->cell->type.shape, span);
            updated[i] = op_select(lw->graph, mask, updated[i], cell_read(lw, p, span));
        }
    }
    return true;
}

void optimizer_step(Lowerer *lw, Instance *optimizer, Span span) {
    CellWork *work = cell_work(lw);
    OptimizerUse use = {optimizer, lower_blame(lw, span)};
    vector_push(lw->arena, &work->steps, use);
    if (lw->graph != lw->entry->graph) {
        lower_error(lw, NN_CELL_WRITE, span, "step() cannot stand inside a scan");
        return;
    }
    if (!instance_method(optimizer, "update")) {
        lower_error(lw, NN_OPTIMIZER, span, "optimizer %s has no `def update(self, p, g)`",
                    optimizer->class_->name->text);
        return;
    }
    bool no_grad = lw->graph->no_grad, ok = true;
    lw->graph->no_grad = true;
    for (int i = 0; i < optimizer->hooks.count && ok; i++) {
        Value self = {.kind = VALUE_INSTANCE, .as.instance = optimizer};
        Value result = eval_call_values(lw, &optimizer->hooks.data[i], &self, 1, span);
        ok = result.kind != VALUE_ERROR;
    }
    int groups = 1 + optimizer->groups.count;
    Node ***updated = NEW_ARRAY(lw->arena, groups, Node **);
    for (int k = 0; k < groups && ok; k++) {
        Instance *group = k ? optimizer->groups.data[k - 1] : optimizer;
        updated[k] = NEW_ARRAY(lw->arena, group->parameters->items.count, Node *);
        ok = step_group(lw, group, updated[k], span);
    }
    for (int k = 0; k < groups && ok; k++) {
        Instance *group = k ? optimizer->groups.data[k - 1] : optimizer;
        for (int i = 0; i < group->parameters->items.count; i++)
            if (updated[k][i])
                cell_write(lw, group->parameters->items.data[i].as.cell, updated[k][i], span);
    }
    lw->graph->no_grad = no_grad;
}

ValueList *optimizer_parameters(Lowerer *lw, Instance *optimizer) {
    if (!optimizer->groups.count) return optimizer->parameters;
    ValueList *all = NEW(lw->arena, ValueList);
    for (int k = 0; k <= optimizer->groups.count; k++) {
        const ValueList *part =
            k ? optimizer->groups.data[k - 1]->parameters : optimizer->parameters;
        for (int i = 0; i < part->items.count; i++)
            vector_push(lw->arena, &all->items, part->items.data[i]);
    }
    return all;
}

/* ---- what torch calls param_groups ---- */

static Value group_dict(Lowerer *lw, const Instance *group) {
    ValueList *dict = NEW(lw->arena, ValueList);
    dict->fixed = true;
    Value key = value_str("params"), list = {.kind = VALUE_LIST, .as.list = group->parameters};
    vector_push(lw->arena, &dict->items, key);
    vector_push(lw->arena, &dict->items, list);
    for (int i = 0; i < group->hyperparameters.count; i++) {
        key = value_str(group->hyperparameters.data[i].name->text);
        vector_push(lw->arena, &dict->items, key);
        vector_push(lw->arena, &dict->items, group->hyperparameters.data[i].value);
    }
    return (Value){.kind = VALUE_DICT, .as.list = dict};
}

Value optimizer_group_list(Lowerer *lw, Instance *optimizer) {
    Value list = value_list(lw->arena, NULL, 0);
    for (int k = 0; k <= optimizer->groups.count; k++) {
        Value dict = group_dict(lw, k ? optimizer->groups.data[k - 1] : optimizer);
        vector_push(lw->arena, &list.as.list->items, dict);
    }
    return list;
}

static Value make_cell(Lowerer *lw, Instance *group, Name name, Value *number, Span span) {
    if (number->kind == VALUE_INT || number->kind == VALUE_FLOAT)
        *number = cell_hyperparameter(lw, group, name, lw->options->default_dtype, number, span);
    return *number;
}

static void make_hyperparameter_cell(Lowerer *lw, Instance *group, Name name, Span span) {
    for (int i = 0; i < group->hyperparameters.count; i++) {
        Binding *b = &group->hyperparameters.data[i];
        if (b->name != name) continue;
        if (b->value.kind == VALUE_TUPLE && b->value.as.list->items.count) {
            const ValueList *old = b->value.as.list;
            b->value = value_tuple(lw->arena, old->items.data, old->items.count);
            make_cell(lw, group, name, &b->value.as.list->items.data[0], span);
        } else {
            make_cell(lw, group, name, &b->value, span);
        }
        scope_bind(lw, group->body_scope, name, b->value, b->span);
    }
}

/* prim.runtime(optimizer, name): the number of that name, or the first of its tuple, is a cell from
 * now on, in every group. */
Value prim_runtime(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!args_get(lw, args, "optimizer, name", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[1].kind != VALUE_STR) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "prim.runtime takes an optimizer and a name");
        return value_error();
    }
    Instance *optimizer = v[0].as.instance;
    for (int k = 0; k <= optimizer->groups.count; k++)
        make_hyperparameter_cell(lw, k ? optimizer->groups.data[k - 1] : optimizer,
                                 name_of(v[1].as.text), span);
    return value_none();
}
