/* Moving a region of nodes into a subgraph; see region.h. */
#include "lower/region.h"

void region_begin(Lowerer *lw, Region *region) {
    *region = (Region){.enclosing = lw->region,
                       .begin = lw->graph->nodes.count,
                       .inputs_begin = lw->graph->inputs.count};
    for (int i = 0; i < lw->cells.count; i++) {
        const CellState *c = lw->cells.data[i];
        Node *current = c->entry_serial == lw->entry_serial ? c->current : NULL;
        vector_push(lw->arena, &region->before, current);
    }
    lw->region = region;
}

Node *region_parameter(Lowerer *lw, Region *region, Name name, TensorType type, Node *whole) {
    Node *node = op_input(lw->graph, name, type);
    if (!node) return NULL;
    vector_push(lw->arena, &region->parameters, node);
    vector_push(lw->arena, &region->wholes, whole);
    vector_push(lw->arena, &region->initial, NULL);
    return node;
}

Node *region_carry(Lowerer *lw, Region *region, Name name, Node *initial) {
    Node *node = region_parameter(lw, region, name, initial->type, NULL);
    if (node) vector_last(&region->initial) = initial;
    return node;
}

/* Through operations that only move or widen integers. */
static Node *origin(Node *node) {
    for (;;) {
        bool moves = node->op == OP_IDENTITY || node->op == OP_RESHAPE || node->op == OP_PERMUTE ||
                     node->op == OP_EXPAND || node->op == OP_SLICE;
        bool widens =
            node->op == OP_CAST && dtype_kind(node->inputs[0]->type.dtype) == DTYPE_KIND_INTEGER &&
            dtype_promote(node->inputs[0]->type.dtype, node->type.dtype) == node->type.dtype;
        if (!moves && !widens) return node;
        node = node->inputs[0];
    }
}

Node *region_whole(Lowerer *lw, Node *node) {
    for (const Region *r = lw->region; r; r = r->enclosing) {
        if (node->id < r->begin) continue;
        node = origin(node);
        if (node->id < r->begin) continue;
        Node *whole = NULL;
        for (int i = 0; i < r->parameters.count; i++)
            if (r->parameters.data[i] == node) whole = r->wholes.data[i];
        if (!whole) return NULL;
        node = whole;
    }
    return node;
}

Region *region_of_carry(Lowerer *lw, Node *node, int *parameter) {
    node = origin(node);
    for (Region *r = lw->region; r; r = r->enclosing)
        for (int i = 0; i < r->parameters.count; i++) {
            if (r->parameters.data[i] != node || !r->initial.data[i]) continue;
            *parameter = i;
            return r;
        }
    return NULL;
}

bool region_check_writes(Lowerer *lw, const Region *region, const char *what, Span span) {
    bool ok = true;
    for (int i = 0; i < lw->cells.count; i++) {
        CellState *c = lw->cells.data[i];
        Node *now = c->entry_serial == lw->entry_serial ? c->current : NULL;
        Node *before = i < region->before.count ? region->before.data[i] : NULL;
        if (now == before || now == NULL || now == c->read) continue;
        Diagnostic *d = lower_error(lw, NN_SCAN_BODY, span, "`%s` cannot be written inside %s",
                                    c->cell->name->text, what);
        diagnostic_help(d, "carry the value and write it after the loop");
        c->current = before;
        ok = false;
    }
    return ok;
}

static void append(Lowerer *lw, Graph *g, Node *node) {
    node->id = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    vector_push(lw->arena, &g->nodes, node);
}

typedef struct Cut {
    Lowerer *lw;
    Graph *outer, *body;
    Node **nodes; /* of the region, in order */
    int count, first_id;
    bool *checked; /* [count]: a check before the entry's work needs it, which stays outside */
    VECTOR(Node *) outside, inside; /* invariants and their inputs in the body */
} Cut;

/* Where the region has the node; -1 if it is none of its. */
static int place(const Cut *cut, const Node *node) {
    int at = node->id - cut->first_id;
    return at >= 0 && at < cut->count && cut->nodes[at] == node ? at : -1;
}

static bool is_internal(const Cut *cut, const Node *node) {
    int at = place(cut, node);
    return at >= 0 && node->op != OP_CELL && !cut->checked[at];
}

static bool is_scalar_constant(const Node *node) {
    return node->op == OP_CONST && !node->attr.constant.data;
}

static void note_outside(Cut *cut, Node *node) {
    if (is_internal(cut, node)) return;
    for (int i = 0; i < cut->outside.count; i++)
        if (cut->outside.data[i] == node) return;
    vector_push(cut->lw->arena, &cut->outside, node);
}

static Node *replaced(const Cut *cut, Node *node) {
    for (int i = 0; i < cut->outside.count; i++)
        if (cut->outside.data[i] == node) return cut->inside.data[i];
    return node;
}

/* Of ids that the body makes of arguments alone. */
static void find_checked(Cut *cut, const Entry *entry) {
    cut->checked = NEW_ARRAY(cut->lw->arena, (size_t)cut->count + 1, bool);
    for (int i = 0; entry && i < entry->checks.count; i++) {
        const Node *node = entry->checks.data[i].node;
        int at = node ? place(cut, node) : -1;
        if (at >= 0) cut->checked[at] = true;
    }
    for (int i = cut->count - 1; i >= 0; i--)
        for (int k = 0; cut->checked[i] && k < cut->nodes[i]->input_count; k++) {
            int at = place(cut, cut->nodes[i]->inputs[k]);
            if (at >= 0) cut->checked[at] = true;
        }
}

static Cut take_nodes(Lowerer *lw, Region *region) {
    Graph *g = lw->graph;
    Cut cut = {.lw = lw, .outer = g, .count = g->nodes.count - region->begin};
    cut.nodes =
        arena_copy(lw->arena, g->nodes.data + region->begin, (size_t)cut.count * sizeof(Node *));
    cut.first_id = cut.count ? cut.nodes[0]->id : 0;
    find_checked(&cut, lw->entry);
    return cut;
}

static void keep_cells(Cut *cut, const Region *region) {
    cut->outer->nodes.count = region->begin;
    cut->outer->inputs.count = region->inputs_begin;
    for (int i = 0; i < cut->count; i++)
        if (cut->nodes[i]->op == OP_CELL || cut->checked[i])
            append(cut->lw, cut->outer, cut->nodes[i]);
}

void region_abandon(Lowerer *lw, Region *region) {
    lw->region = region->enclosing;
    Cut cut = take_nodes(lw, region);
    keep_cells(&cut, region);
}

Graph *region_extract(Lowerer *lw, Region *region, Node *const *results, int result_count,
                      ValueList *invariants) {
    lw->region = region->enclosing;
    Cut cut = take_nodes(lw, region);
    for (int i = 0; i < cut.count; i++)
        for (int k = 0; is_internal(&cut, cut.nodes[i]) && k < cut.nodes[i]->input_count; k++)
            note_outside(&cut, cut.nodes[i]->inputs[k]);
    for (int i = 0; i < result_count; i++) note_outside(&cut, results[i]);
    bool *internal = NEW_ARRAY(lw->arena, (size_t)cut.count + 1, bool);
    for (int i = 0; i < cut.count; i++) internal[i] = is_internal(&cut, cut.nodes[i]);

    keep_cells(&cut, region);
    cut.body = lower_graph_new(lw);
    for (int i = 0; i < region->parameters.count; i++) {
        Node *p = region->parameters.data[i];
        append(lw, cut.body, p);
        p->attr.input.index = i;
        vector_push(lw->arena, &cut.body->inputs, p);
    }
    for (int i = 0; i < cut.outside.count; i++) {
        Node *node = cut.outside.data[i], *inside;
        cut.body->span = node->span;
        if (is_scalar_constant(node)) {
            inside = op_like(cut.body, node, NULL);
        } else {
            inside =
                op_input(cut.body, name_of(arena_printf(lw->arena, "invariant%d", i)), node->type);
            vector_push(lw->arena, &invariants->items, value_tensor(node));
        }
        vector_push(lw->arena, &cut.inside, inside);
    }
    for (int i = 0; i < cut.count; i++) {
        Node *node = cut.nodes[i];
        bool parameter = false;
        for (int k = 0; k < region->parameters.count; k++)
            parameter |= region->parameters.data[k] == node;
        if (!internal[i] || parameter) continue;
        for (int k = 0; k < node->input_count; k++)
            node->inputs[k] = replaced(&cut, node->inputs[k]);
        append(lw, cut.body, node);
    }
    for (int i = 0; i < result_count; i++)
        vector_push(lw->arena, &cut.body->results, replaced(&cut, results[i]));
    return cut.body;
}
