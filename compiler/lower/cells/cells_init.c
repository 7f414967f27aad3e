/* The init and reset entries: one write per cell, from its initialiser.
 *
 * An initialiser is a number, a tensor, a function of the parameter, or such a function with its
 * other arguments (`init.uniform(lo, hi)`).  Draws take their site from the cell's key, so adding a
 * layer does not change the others' values. */
#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

/* `state m = EXPR(p)`: p is the parameter's value. */
static Value evaluate_state(Lowerer *lw, CellState *c) {
    Scope *scope = NEW(lw->arena, Scope);
    scope->parent = c->scope;
    scope_bind(lw, scope, name_of("p"), value_cell(c->parameter), c->cell->span);
    Frame frame = {.caller = lw->frame,
                   .home = c->owner->class_->home,
                   .scope = scope,
                   .call_span = c->cell->span};
    Frame *saved = lw->frame;
    Instance *instance = lw->instance;
    lw->frame = &frame;
    lw->instance = c->owner;
    Value v = eval_expr(lw, c->declaration->value);
    lw->frame = saved;
    lw->instance = instance;
    return v;
}

static Node *initial_value(Lowerer *lw, CellState *c);

/* A copy begins as its original, also where that comes later or never. */
static Node *copied_value(Lowerer *lw, CellState *original) {
    CellState *before = lw->init_cell;
    lw->init_cell = original = cell_resolve(original);
    cell_refresh(lw, original);
    if (!original->current) original->current = initial_value(lw, original);
    lw->init_cell = before;
    return original->current;
}

static Node *initial_value(Lowerer *lw, CellState *c) {
    Span span = c->initialiser_span.file ? c->initialiser_span : c->cell->span;
    Value v = c->initialiser;
    if (v.kind == VALUE_CELL) return copied_value(lw, v.as.cell);
    if (c->cell->role == CELL_GRADIENT)
        v = value_int(0);
    else if (c->parameter)
        v = evaluate_state(lw, c);
    else if (v.kind == VALUE_FUNCTION) {
        Value cell = value_cell(c);
        v = eval_call_values(lw, &c->initialiser, &cell, 1, span);
    }
    if (v.kind == VALUE_ERROR) return NULL;
    if (v.kind == VALUE_NONE) {
        Diagnostic *d = lower_error(lw, NN_TENSOR_OPERAND, span, "%s has no initial value",
                                    c->cell->name->text);
        diagnostic_help(d, "write `= init.zeros()` or another initialiser after its type");
        return NULL;
    }
    return cell_convert(lw, c, &v, "the initial value of", span);
}

/* Symbols of state types are arguments of init. */
static void add_dims(Lowerer *lw, Entry *entry, const Shape *shape) {
    for (int i = 0; i < shape->rank; i++) {
        if (!dim_as_symbol(shape->dims[i])) continue;
        bool known = false;
        for (int k = 0; k < entry->dims.count; k++) known |= entry->dims.data[k] == shape->dims[i];
        if (!known) vector_push(lw->arena, &entry->dims, shape->dims[i]);
    }
}

static void build(Lowerer *lw, Root *root, EntryKind kind, const char *name, bool state_only) {
    Entry *entry = NEW(lw->arena, Entry);
    Graph *model = lw->graph, *g = graph_new(lw->arena, lw->dims);
    if (model)
        g->complain = model->complain, g->complain_user = model->complain_user;
    else if (root->entries.count) {
        const Graph *other = root->entries.data[0]->graph;
        g->complain = other->complain, g->complain_user = other->complain_user;
    }
    entry->kind = kind;
    entry->name = name_of(name);
    entry->symbol = arena_printf(lw->arena, "%s_%s", root->name->text, name);
    entry->graph = g;
    entry->span = root->span;
    Entry *outer = lw->entry;
    lw->entry = entry;
    lw->graph = g;
    g->no_grad = true;
    cells_begin_entry(lw);
    for (int i = 0; i < root->cells.count; i++) {
        CellState *c = cell_state_of(root->cells.data[i]);
        if (state_only && c->cell->role != CELL_STATE) continue;
        add_dims(lw, entry, &c->cell->type.shape);
        CellState *before = lw->init_cell;
        lw->init_cell = c;
        random_begin_cell(lw, c);
        cell_refresh(lw, c);
        const int first = g->nodes.count;
        Node *node = c->current ? c->current : initial_value(lw, c);
        /* What is not the work of a module is that of the cell: kernels have their names of it. */
        for (int k = first; k < g->nodes.count; k++)
            if (!*g->nodes.data[k]->path) g->nodes.data[k]->path = c->cell->name->text;
        lw->init_cell = before;
        c->current = node;
        if (!node) continue;
        CellWrite write = {c->cell, node};
        vector_push(lw->arena, &entry->writes, write);
        vector_push(lw->arena, &g->results, node);
    }
    /* later entries start from the stored values again */
    lw->entry_serial++;
    lw->entry = outer;
    lw->graph = model;
    vector_push(lw->arena, &root->entries, entry);
}

void cells_build_init(Lowerer *lw, Root *root) {
    bool has_state = false;
    for (int i = 0; i < root->cells.count; i++)
        has_state |= root->cells.data[i]->role == CELL_STATE;
    build(lw, root, ENTRY_INIT, "init", false);
    if (has_state) build(lw, root, ENTRY_RESET, "reset", true);
}

/* prim.initialise(p, function, arguments...): the parameter's initial value from now on; in an
 * entry, a new version drawn at once. */
Value prim_initialise(Lowerer *lw, const CallArguments *args, Span span) {
    if (args->count < 2 || args->values[0].kind != VALUE_CELL ||
        args->values[1].kind != VALUE_FUNCTION) {
        lower_error(lw, NN_TENSOR_OPERAND, span,
                    "an initialiser that ends in _ needs a parameter, found %s",
                    args->count ? value_kind_name(&args->values[0]) : "nothing");
        return value_error();
    }
    CellState *c = cell_resolve(args->values[0].as.cell);
    CallArguments *partial = NEW(lw->arena, CallArguments);
    partial->count = args->count - 2;
    partial->values =
        arena_copy(lw->arena, args->values + 2, (size_t)partial->count * sizeof(Value));
    if (args->keywords)
        partial->keywords =
            arena_copy(lw->arena, args->keywords + 2, (size_t)partial->count * sizeof(Name));
    if (args->spans)
        partial->spans =
            arena_copy(lw->arena, args->spans + 2, (size_t)partial->count * sizeof(Span));
    Closure *closure = arena_copy(lw->arena, args->values[1].as.closure, sizeof *closure);
    closure->partial = partial;
    Value function = {.kind = VALUE_FUNCTION, .as.closure = closure};
    if (!lw->entry) {
        c->drawn_as = NULL;
        c->initialiser = function;
        c->initialiser_span = lower_blame(lw, span);
        return args->values[0];
    }
    Value v = eval_call_values(lw, &function, args->values, 1, span);
    Node *node = v.kind == VALUE_ERROR ? NULL : cell_convert(lw, c, &v, "the value for", span);
    cell_write(lw, c, node, span);
    return args->values[0];
}
