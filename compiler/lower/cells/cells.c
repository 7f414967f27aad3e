/* Cells: parameters, buffers, state and gradients, and their versions while one entry executes.
 *
 * Reading gives the newest version; writing makes one.  A parameter's new version is a leaf: an
 * update cuts differentiation.  Whether a stored gradient is None is known only at run time, so
 * each live gradient has a bool cell beside it. */
#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

CellWork *cell_work(Lowerer *lw) {
    if (!lw->work) lw->work = NEW(lw->arena, CellWork);
    return lw->work;
}

/* Every cell of this stage knows its state. */
typedef struct OwnedCell {
    Cell cell; /* first: a Cell pointer is an OwnedCell pointer */
    CellState *state;
} OwnedCell;

CellState *cell_state_of(const Cell *cell) {
    return ((const OwnedCell *)cell)->state;
}

bool cell_may_train(Lowerer *lw, const char *name, DType dtype, Span span) {
    if (dtype_is_float(dtype)) return true;
    Diagnostic *d = lower_error(lw, NN_TENSOR_DTYPE, span,
                                "`%s` would be %s, and only floating-point parameters have a "
                                "derivative",
                                name, dtype_name(dtype));
    diagnostic_help(d, "give it a floating-point dtype; what is not trained is a buffer");
    return false;
}

CellState *cell_declare(Lowerer *lw, Instance *owner, Name name, CellRole role, TensorType type,
                        Span span) {
    OwnedCell *owned = NEW(lw->arena, OwnedCell);
    Cell *cell = &owned->cell;
    cell->name = name;
    cell->role = role;
    cell->type = type;
    cell->index = -1;
    cell->span = lower_blame(lw, span);
    CellState *state = owned->state = NEW(lw->arena, CellState);
    state->cell = cell;
    state->owner = owner;
    state->requires_grad = role == CELL_PARAMETER && dtype_is_float(type.dtype);
    vector_push(lw->arena, &lw->cells, state);
    return state;
}

CellState *cell_resolve(CellState *c) {
    while (c->tied_to) c = c->tied_to;
    return c;
}

void cell_refresh(Lowerer *lw, CellState *c) {
    if (c->entry_serial == lw->entry_serial) return;
    c->entry_serial = lw->entry_serial;
    c->read = c->current = c->valid = NULL;
    c->written = c->is_none = c->known = false;
    c->superseded.data = NULL;
    c->superseded.count = c->superseded.capacity = 0;
}

Node *node_detached(Lowerer *lw, Node *x) {
    if (!x) return NULL;
    Node *cut = op_identity(lw->graph, x);
    if (cut) cut->no_grad = true;
    return cut;
}

/* The stored value as a node of the entry's graph, also while a scan body is built. */
static Node *stored(Lowerer *lw, CellState *c) {
    if (c->read) return c->read;
    Graph *g = entry_graph(lw);
    bool no_grad = g->no_grad;
    g->no_grad = false;
    c->read = op_cell(g, c->cell, c->cell->type);
    g->no_grad = no_grad;
    return c->read;
}

static Node *zeros_like(Lowerer *lw, TensorType type) {
    return op_const(entry_graph(lw), 0, type);
}

/* Makes the version of a gradient at the entry's begin: the stored one, or zero where it
 * is None. */
static Node *gradient_load(Lowerer *lw, CellState *c) {
    Graph *g = entry_graph(lw);
    CellState *validity = c->validity;
    cell_refresh(lw, validity);
    c->live_in = true;
    c->known = true;
    c->valid = stored(lw, validity);
    static const int no_axes[1] = {0};
    Node *mask =
        c->cell->type.shape.rank ? op_expand(g, c->valid, c->cell->type.shape, no_axes) : c->valid;
    Node *value = op_select(g, mask, stored(lw, c), zeros_like(lw, c->cell->type));
    if (value) value->no_grad = true;
    return c->current = value;
}

static Node *gradient_read(Lowerer *lw, CellState *c, Span span) {
    if (!c->known) return gradient_load(lw, c);
    if (c->is_none) {
        Diagnostic *d = lower_error(lw, NN_NONE_GRADIENT, span, "the gradient of %s is None here",
                                    c->cell->gradient_of->name->text);
        diagnostic_help(d, "call backward() on a value that depends on it first");
        return NULL;
    }
    return c->current;
}

/* A cell of a module that is no member of the entry's root is nobody's: no caller could give it. */
static bool need_member(Lowerer *lw, const CellState *c, Span span) {
    const CellRole role = c->cell->role;
    const bool registered = role == CELL_PARAMETER || role == CELL_BUFFER || role == CELL_STATE;
    if (!registered || c->cell->index >= 0 || !lw->members_known) return true;
    if (!c->owner) {
        Diagnostic *d = lower_error(lw, NN_NO_MEMBER, span,
                                    "a parameter that is no member of a module: it would be "
                                    "neither saved nor trained");
        diagnostic_help(d, "bind it where it is made: `self.name = nn.Parameter(...)`");
        return false;
    }
    if (c->owner->no_member) return false;
    c->owner->no_member = true;
    const char *module = c->owner->class_->name->text;
    Diagnostic *d = lower_error(lw, NN_NO_MEMBER, span,
                                "%s of %s belongs to no member of the model: it would be neither "
                                "saved nor trained",
                                c->cell->name->text, module);
    diagnostic_help(d, "bind the module where it is made: `self.name = %s(...)`", module);
    return false;
}

Node *cell_read(Lowerer *lw, CellState *c, Span span) {
    c = cell_resolve(c);
    if (!entry_graph(lw)) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "the value of %s is not known at compile time",
                    c->cell->name->text);
        return NULL;
    }
    if (!need_member(lw, c, span)) return NULL;
    cell_refresh(lw, c);
    lower_mark(lw, span);
    if (c->cell->role == CELL_GRADIENT && c->validity) return gradient_read(lw, c, span);
    return c->current ? c->current : stored(lw, c);
}

Node *cell_convert(Lowerer *lw, CellState *c, const Value *value, const char *what, Span span) {
    const TensorType *type = &c->cell->type;
    Operand operand;
    if (!operand_read(lw, value, span, &operand)) return NULL;
    lower_mark(lw, span);
    if (operand.node) {
        const TensorType *have = &operand.node->type;
        bool fits = have->shape.rank == type->shape.rank;
        for (int i = 0; fits && i < have->shape.rank; i++)
            fits = dim_equal(lw->dims, have->shape.dims[i], type->shape.dims[i]) == DIM_YES;
        bool narrows = dtype_kind(have->dtype) > dtype_kind(type->dtype);
        if (!fits || narrows) {
            lower_error(lw, fits ? NN_TENSOR_DTYPE : NN_BROADCAST, span,
                        "%s %s is %s, and the value is %s", what, c->cell->name->text,
                        type_text(lw, type), type_text(lw, have));
            return NULL;
        }
    }
    return operand_node(lw, &operand, type->dtype, &type->shape, span);
}

void cell_write(Lowerer *lw, CellState *c, Node *value, Span span) {
    c = cell_resolve(c);
    if (!value) return;
    if (!lw->entry || lw->graph != lw->entry->graph) {
        lower_error(lw, NN_CELL_WRITE, span, "%s cannot be written %s", c->cell->name->text,
                    lw->entry ? "inside a scan or a function with its own derivative"
                              : "outside of an entry");
        return;
    }
    cell_refresh(lw, c);
    lower_mark(lw, span);
    Value v = value_tensor(value);
    value = cell_convert(lw, c, &v, "the cell", span);
    if (!value) return;
    switch (c->cell->role) {
    case CELL_PARAMETER: {
        Node *old = c->current ? c->current : c->read;
        if (old) vector_push(lw->arena, &c->superseded, old);
        c->current = node_detached(lw, value);
        break;
    }
    case CELL_GRADIENT:
        if (c->validity && !gradient_read(lw, c, span)) return;
        c->current = node_detached(lw, value);
        break;
    case CELL_BUFFER:
    case CELL_STATE:
    case CELL_OPTIMIZER:
    case CELL_SCALAR: c->current = value; break;
    }
    c->written = true;
}

/* ---- gradients ---- */

CellState *cell_gradient(Lowerer *lw, CellState *parameter) {
    parameter = cell_resolve(parameter);
    if (parameter->gradient) return parameter->gradient;
    const char *path = parameter->cell->name->text;
    TensorType flag = {.dtype = DTYPE_BOOL, .shape = {.rank = 0}};
    CellState *g =
        cell_declare(lw, parameter->owner, name_of(arena_printf(lw->arena, "%s.grad", path)),
                     CELL_GRADIENT, parameter->cell->type, parameter->cell->span);
    g->validity =
        cell_declare(lw, parameter->owner, name_of(arena_printf(lw->arena, "%s.has_grad", path)),
                     CELL_GRADIENT, flag, parameter->cell->span);
    g->cell->gradient_of = g->validity->cell->gradient_of = parameter->cell;
    parameter->gradient = g;
    return g;
}

bool cell_gradient_is_none(Lowerer *lw, CellState *parameter) {
    CellState *g = cell_gradient(lw, parameter);
    cell_refresh(lw, g);
    return g->known && g->is_none;
}

void cell_gradient_zero(Lowerer *lw, CellState *parameter) {
    CellState *g = cell_gradient(lw, parameter);
    cell_refresh(lw, g);
    g->known = g->is_none = g->written = true;
    g->current = g->valid = NULL;
}

void cell_gradient_add(Lowerer *lw, CellState *parameter, Node *value, Span span) {
    CellState *g = cell_gradient(lw, parameter);
    cell_refresh(lw, g);
    lower_mark(lw, span);
    if (!g->known) gradient_load(lw, g);
    g->current =
        node_detached(lw, g->is_none ? value : op_binary(lw->graph, OP_ADD, g->current, value));
    g->is_none = false;
    g->valid = NULL;
    g->written = g->produced = true;
}

/* ---- entries ---- */

void cells_begin_entry(Lowerer *lw) {
    CellWork *work = cell_work(lw);
    lw->entry_serial++;
    work->consumed.count = 0;
    work->undo.count = 0;
}

static void push_write(Lowerer *lw, Entry *entry, CellState *c, Node *node) {
    CellWrite write = {c->cell, node};
    vector_push(lw->arena, &entry->writes, write);
}

void cells_end_entry(Lowerer *lw, Entry *entry) {
    CellWork *work = cell_work(lw);
    for (int i = work->undo.count - 1; i >= 0; i--) {
        FlagUndo *u = &work->undo.data[i];
        if (u->instance)
            u->instance->training_override = u->override, u->instance->training = u->value;
        if (u->cell) u->cell->requires_grad = u->value;
    }
    work->undo.count = 0;
    TensorType flag = {.dtype = DTYPE_BOOL, .shape = {.rank = 0}};
    for (int i = 0; i < lw->cells.count; i++) {
        CellState *c = lw->cells.data[i];
        if (c->entry_serial != lw->entry_serial || !c->written || c->tied_to) continue;
        if (c->cell->role != CELL_GRADIENT || !c->validity) {
            if (c->current) push_write(lw, entry, c, c->current);
            continue;
        }
        if (!c->is_none) push_write(lw, entry, c, c->current);
        Node *valid = c->valid ? c->valid : op_const_int(entry->graph, !c->is_none, flag);
        push_write(lw, entry, c->validity, valid);
    }
}

static bool gradient_is_live(const Cell *cell) {
    const CellState *g = cell_state_of(cell->gradient_of)->gradient;
    return !g || (g->cell != cell && g->validity->cell != cell) || g->live_in;
}

static void set_results(Lowerer *lw, Entry *entry) {
    Graph *g = entry->graph;
    g->results.count = 0;
    for (int i = 0; i < entry->results.count; i++)
        vector_push(lw->arena, &g->results, entry->results.data[i].node);
    for (int i = 0; i < entry->writes.count; i++)
        vector_push(lw->arena, &g->results, entry->writes.data[i].node);
}

static void append_cell(Lowerer *lw, Root *root, CellState *c) {
    c->cell->index = root->cells.count;
    vector_push(lw->arena, &root->cells, c->cell);
}

static void warn_idle_optimizers(Lowerer *lw) {
    CellWork *work = cell_work(lw);
    for (int i = 0; i < work->steps.count; i++) {
        OptimizerUse *use = &work->steps.data[i];
        bool fed = false;
        ValueList *all = optimizer_parameters(lw, use->optimizer);
        for (int k = 0; k < all->items.count; k++) {
            CellState *p = cell_resolve(all->items.data[k].as.cell);
            fed |= p->gradient && p->gradient->produced;
        }
        if (!fed && diagnostics_errors(lw->sink) == 0)
            diagnose(lw->sink, NN_STEP_WITHOUT_GRADIENT, use->span,
                     "no entry computes a gradient for any parameter of this optimizer");
    }
    work->steps.count = 0;
}

static bool root_has_cell(const Root *root, const Cell *cell) {
    return cell->index >= 0 && cell->index < root->cells.count &&
           root->cells.data[cell->index] == cell;
}

void cells_finish_root(Lowerer *lw, Root *root) {
    for (int i = 0; i < lw->cells.count; i++) {
        CellState *c = lw->cells.data[i];
        if (!c->validity || !c->live_in || c->cell->index >= 0) continue;
        if (!root_has_cell(root, c->cell->gradient_of)) continue;
        append_cell(lw, root, c);
        append_cell(lw, root, c->validity);
    }
    for (int e = 0; e < root->entries.count; e++) {
        Entry *entry = root->entries.data[e];
        int kept = 0;
        for (int i = 0; i < entry->writes.count; i++) {
            const Cell *cell = entry->writes.data[i].cell;
            if (cell->role == CELL_GRADIENT && !gradient_is_live(cell)) continue;
            entry->writes.data[kept++] = entry->writes.data[i];
        }
        entry->writes.count = kept;
        set_results(lw, entry);
    }
    warn_idle_optimizers(lw);
}

/* ---- names and order of a root's cells ---- */

typedef struct Registration {
    Lowerer *lw;
    Root *root;
} Registration;

static void register_cell(void *user, CellState *state, const char *name) {
    Registration *r = user;
    CellState *c = cell_resolve(state);
    Name key = name_of(name);
    if (c->cell->index < 0) {
        c->cell->name = key;
        append_cell(r->lw, r->root, c);
        return;
    }
    Name *aliases = NEW_ARRAY(r->lw->arena, c->cell->alias_count + 1, Name);
    for (int i = 0; i < c->cell->alias_count; i++) {
        aliases[i] = c->cell->aliases[i];
        if (aliases[i] == key) return;
    }
    if (c->cell->name == key) return;
    aliases[c->cell->alias_count++] = key;
    c->cell->aliases = aliases;
}

void cells_register_root(Lowerer *lw, Root *root, Instance *instance) {
    Registration r = {lw, root};
    module_visit_cells(instance, register_cell, &r);
    for (int i = 0; i < lw->cells.count; i++) {
        CellState *c = lw->cells.data[i];
        CellRole role = c->cell->role;
        if (c->cell->index >= 0 || c->tied_to || (role != CELL_OPTIMIZER && role != CELL_SCALAR))
            continue;
        const Instance *owner = c->owner, *optimizer = owner ? owner->group_of : NULL;
        if (optimizer) owner = optimizer;
        Text key = text_new(lw->arena);
        if (owner && owner->path && *owner->path) text_printf(&key, "%s.", owner->path);
        /* what a further group has of its own is numbered; states of parameters need no number */
        for (int k = 0; optimizer && !c->parameter && k < optimizer->groups.count; k++)
            if (optimizer->groups.data[k] == c->owner) text_printf(&key, "groups.%d.", k + 1);
        text_append(&key, c->cell->name->text);
        if (c->parameter) text_printf(&key, ".%s", cell_resolve(c->parameter)->cell->name->text);
        c->cell->name = name_of(key.data);
        append_cell(lw, root, c);
    }
}

/* ---- random sites ---- */

static uint32_t fnv1a(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

/* The path that a cell's initial value is drawn from: its own, or for a copy that of the original,
 * which is the first copy's where the original is no cell of the root. */
static const char *draw_path(CellState *c) {
    CellState *original = c->drawn_as;
    if (!original) return c->cell->name->text;
    if (original->cell->index >= 0) return original->cell->name->text;
    if (!original->draw_path) original->draw_path = c->cell->name->text;
    return original->draw_path;
}

static PathDraws *draws_of(Lowerer *lw, const char *path) {
    CellWork *work = cell_work(lw);
    uint32_t index = name_of(path)->index;
    while ((uint32_t)work->draws.count <= index)
        vector_push(lw->arena, &work->draws, ((PathDraws){0}));
    return &work->draws.data[index];
}

void random_begin_cell(Lowerer *lw, CellState *c) {
    if (c->drawn_as) *draws_of(lw, draw_path(c)) = (PathDraws){lw->entry_serial, 0};
}

uint32_t random_site(Lowerer *lw, const char **where) {
    const char *path = lw->init_cell                        ? draw_path(lw->init_cell)
                       : lw->instance && lw->instance->path ? lw->instance->path
                                                            : "";
    PathDraws *draws = draws_of(lw, path);
    if (draws->entry != lw->entry_serial) *draws = (PathDraws){lw->entry_serial, 0};
    uint32_t ordinal = draws->count++;
    if (lw->init_cell && ordinal == 0)
        *where = path;
    else
        *where = arena_printf(lw->arena, "%s#%u", path, ordinal);
    return fnv1a(*where);
}
