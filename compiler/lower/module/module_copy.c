/* prim.copy(m): a fresh module like m, as copy.deepcopy makes one.
 *
 * Instances, cells and lists below m are copied once each, so what m shares its copy shares too;
 * everything else is shared with m.  A copy's cells begin with the values that those of m begin
 * with: they keep the initialiser and draw where the original draws (CellState.drawn_as). */
#include "lower/cells/cells_internal.h"

typedef struct CopiedInstance {
    Instance *from, *to;
} CopiedInstance;
typedef struct CopiedCell {
    CellState *from, *to;
} CopiedCell;
typedef struct CopyWork {
    Lowerer *lw;
    Span span;
    VECTOR(CopiedInstance) instances;
    VECTOR(CopiedCell) cells;
} CopyWork;

static Instance *copy_instance(CopyWork *w, Instance *from);

static CellState *copy_cell(CopyWork *w, CellState *from, Instance *owner) {
    from = cell_resolve(from);
    for (int i = 0; i < w->cells.count; i++)
        if (w->cells.data[i].from == from) return w->cells.data[i].to;
    CellState *to = cell_declare(w->lw, owner, from->cell->name, from->cell->role, from->cell->type,
                                 from->cell->span);
    to->cell->unsaved = from->cell->unsaved;
    to->initialiser = from->initialiser;
    to->initialiser_span = from->initialiser_span;
    to->requires_grad = from->requires_grad;
    to->drawn_as = from->drawn_as ? from->drawn_as : from;
    vector_push(w->lw->arena, &w->cells, ((CopiedCell){from, to}));
    return to;
}

/* `owner` is the copy that gets the value. */
static Value copy_value(CopyWork *w, const Value *from, Instance *owner) {
    Value to = *from;
    Lowerer *lw = w->lw;
    switch ((int)from->kind) {
    case VALUE_INSTANCE: to.as.instance = copy_instance(w, from->as.instance); break;
    case VALUE_CELL: to.as.cell = copy_cell(w, from->as.cell, owner); break;
    case VALUE_TUPLE:
    case VALUE_LIST:
    case VALUE_DICT:
        to.as.list = NEW(lw->arena, ValueList);
        to.as.list->declared = from->as.list->declared;
        for (int i = 0; i < from->as.list->items.count; i++) {
            Value item = copy_value(w, &from->as.list->items.data[i], owner);
            vector_push(lw->arena, &to.as.list->items, item);
        }
        break;
    case VALUE_FUNCTION:
        if (from->as.closure->self) {
            Instance *self = copy_instance(w, from->as.closure->self);
            Closure *closure = arena_copy(lw->arena, from->as.closure, sizeof *closure);
            if (self && closure->captured == closure->self->body_scope)
                closure->captured = self->body_scope;
            closure->self = self;
            to.as.closure = closure;
        }
        break;
    default: break;
    }
    return to;
}

static Instance *copy_instance(CopyWork *w, Instance *from) {
    Lowerer *lw = w->lw;
    for (int i = 0; i < w->instances.count; i++)
        if (w->instances.data[i].from == from) return w->instances.data[i].to;
    if (!lower_step(lw, w->span)) return NULL;
    if (from->class_->kind != CLASS_KIND_MODULE) {
        lower_error(lw, NN_TENSOR_OPERAND, w->span, "%s, which the module holds, cannot be copied",
                    from->class_->name->text);
        lw->halted = true;
        return NULL;
    }
    Instance *to = NEW(lw->arena, Instance);
    vector_push(lw->arena, &w->instances, ((CopiedInstance){from, to}));
    to->class_ = from->class_;
    to->span = w->span;
    to->body_scope = scope_new(lw, NULL);
    to->training_override = from->training_override;
    to->training = from->training;
    to->frozen = from->frozen;
    to->failed = from->failed;
    for (int i = 0; i < from->hyperparameters.count; i++) {
        Binding b = from->hyperparameters.data[i];
        b.value = copy_value(w, &b.value, to);
        vector_push(lw->arena, &to->hyperparameters, b);
    }
    for (int i = 0; i < from->members.count; i++) {
        Member m = from->members.data[i];
        m.value = copy_value(w, &m.value, to);
        if (m.value.kind == VALUE_INSTANCE && m.value.as.instance && !m.value.as.instance->parent)
            m.value.as.instance->parent = to;
        vector_push(lw->arena, &to->members, m);
    }
    for (int i = 0; i < from->body_scope->bindings.count; i++) {
        Binding b = from->body_scope->bindings.data[i];
        b.value = copy_value(w, &b.value, to);
        vector_push(lw->arena, &to->body_scope->bindings, b);
    }
    vector_push(lw->arena, &lw->instances, to);
    return to;
}

Value prim_copy(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!args_get(lw, args, "module", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[0].as.instance->class_->kind != CLASS_KIND_MODULE) {
        if (v[0].kind != VALUE_ERROR)
            lower_error(lw, NN_TENSOR_OPERAND, span, "a copy is made of a module, found %s",
                        value_kind_name(&v[0]));
        return value_error();
    }
    CopyWork work = {.lw = lw, .span = span};
    Instance *copy = copy_instance(&work, v[0].as.instance);
    if (lw->entry && work.cells.count) {
        Diagnostic *d = lower_error(lw, NN_MODULE_IN_FUNCTION, span,
                                    "a module with parameters is copied inside a tensor function");
        diagnostic_help(d, "copy it in a module's body: `self.layer = ...`");
        return value_error();
    }
    return copy && !lw->halted ? (Value){.kind = VALUE_INSTANCE, .as.instance = copy}
                               : value_error();
}
