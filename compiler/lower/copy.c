/* Copies of modules: a module made again from its header's arguments, whose parameters and buffers
 * are new ones and begin as the original's.
 *
 * Input: an instance, in a module's body.  Invariant: an instance that occurs twice in the
 * arguments is one in the copy, too. */
#include "lower/cells_internal.h"

typedef struct CopyPair {
    const Instance *from;
    Instance *to;
} CopyPair;

typedef struct Copier {
    Lowerer *lw;
    Span span;
    VECTOR(CopyPair) done;
} Copier;

static Instance *copy_instance(Copier *k, const Instance *from);

static Value copy_value(Copier *k, const Value *v) {
    if (v->kind == VALUE_INSTANCE && v->as.instance->class_->kind == CLASS_KIND_MODULE) {
        Instance *to = copy_instance(k, v->as.instance);
        return to ? (Value){.kind = VALUE_INSTANCE, .as.instance = to} : value_error();
    }
    if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE && v->kind != VALUE_DICT) return *v;
    Value copy = *v;
    copy.as.list = NEW(k->lw->arena, ValueList);
    copy.as.list->declared = v->as.list->declared;
    for (int i = 0; i < v->as.list->items.count; i++) {
        Value item = copy_value(k, &v->as.list->items.data[i]);
        vector_push(k->lw->arena, &copy.as.list->items, item);
    }
    return copy;
}

/* The header's arguments again: by name, or all by place where a run of them has none. */
static Instance *make_again(Copier *k, const Instance *from) {
    Arena *arena = k->lw->arena;
    const Stmt *header = from->class_->declaration;
    VECTOR(Value) values = {0};
    VECTOR(Name) keywords = {0};
    VECTOR(Span) spans = {0};
    int star = -1;
    for (int i = 0; i < header->param_count; i++)
        if (header->params[i].star) star = i;
    for (int i = 0; i < header->param_count; i++) {
        Value v = copy_value(k, &from->hyperparameters.data[i].value);
        if (v.kind == VALUE_ERROR) return NULL;
        int count = i == star ? v.as.list->items.count : 1;
        for (int n = 0; n < count; n++) {
            Name keyword = i <= star ? NULL : header->params[i].name;
            vector_push(arena, &values, i == star ? v.as.list->items.data[n] : v);
            vector_push(arena, &keywords, keyword);
            vector_push(arena, &spans, k->span);
        }
    }
    CallArguments args = {values.count, values.data, keywords.data, spans.data};
    return module_instantiate(k->lw, from->class_, &args, k->span);
}

static Instance *copy_instance(Copier *k, const Instance *from) {
    for (int i = 0; i < k->done.count; i++)
        if (k->done.data[i].from == from) return k->done.data[i].to;
    Instance *to = make_again(k, from);
    if (!to || to->failed) return NULL;
    CopyPair pair = {from, to};
    vector_push(k->lw->arena, &k->done, pair);
    return to;
}

static bool begin_as(Copier *k, Instance *from, Instance *to, CellRole role) {
    CellList originals = instance_cells(k->lw, from, role),
             copies = instance_cells(k->lw, to, role);
    if (originals.cells.count != copies.cells.count) return false;
    for (int i = 0; i < copies.cells.count; i++) {
        const TensorType *a = &originals.cells.data[i]->cell->type;
        const TensorType *b = &copies.cells.data[i]->cell->type;
        if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape)) return false;
        copies.cells.data[i]->initialiser = value_cell(originals.cells.data[i]);
    }
    return true;
}

/* prim.copy(module) */
Value prim_copy(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!args_get(lw, args, "module", span, v)) return value_error();
    if (v[0].kind != VALUE_INSTANCE || v[0].as.instance->class_->kind != CLASS_KIND_MODULE) {
        if (v[0].kind != VALUE_ERROR)
            lower_error(lw, NN_TENSOR_OPERAND, span, "only a module can be copied, found %s",
                        value_kind_name(&v[0]));
        return value_error();
    }
    Copier copier = {.lw = lw, .span = span};
    Instance *from = v[0].as.instance, *to = copy_instance(&copier, from);
    if (!to) return value_error();
    if (begin_as(&copier, from, to, CELL_PARAMETER) && begin_as(&copier, from, to, CELL_BUFFER))
        return (Value){.kind = VALUE_INSTANCE, .as.instance = to};
    lower_error(lw, NN_MEMBER, span,
                "%s has other parameters than its header says: it was changed after it was made",
                from->class_->name->text);
    return value_error();
}
