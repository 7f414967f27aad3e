/* What a row keeps between its passes: values that are dear to compute and needed by more than one.
 *
 * Softmax sums exp(x - max) in one pass and divides the same values by the sum in the next.  Input:
 * a LOOPS group with reductions, whose reduced axes are the vector's.  Output: a scratch row for
 * each such value, written in the first pass that computes it and read by the others.  A value is
 * dear if its operator is not CHEAP (tensor/ops.def); of a chain only the last is kept.  Invariant:
 * values are those that would be computed again, to the bit. */
#include "kernel/loops.h"

/* More than this is recomputed: a row should stay in a worker's cache. */
enum { KEPT_ELEMENTS_MAX = 1 << 16 };

typedef struct Evaluated {
    const Node *node;
    int first, last; /* passes; the last one is the store's */
} Evaluated;

typedef struct Search {
    Loops *x;
    VECTOR(Evaluated) nodes;
} Search;

static Kept *find_kept(Loops *x, const Node *n) {
    for (int i = 0; i < x->kept_rows.count; i++)
        if (x->kept_rows.data[i].node == n) return &x->kept_rows.data[i];
    return NULL;
}

static Shape row_shape(const Loops *x) {
    Shape row = {0};
    for (int i = 0; i < x->reduced_count; i++)
        row.dims[row.rank++] = x->group->space.dims[x->reduced[i]];
    return row;
}

static void keep(Loops *x, const Node *n, int first) {
    Kept kept = {n, builder_scratch(x->b, "row", n->type.dtype, row_shape(x)), first};
    vector_push(x->arena, &x->kept_rows, kept);
}

/* n is computed at every point of pass `pass`. */
static void visit(Search *s, const Node *n, int pass) {
    Loops *x = s->x;
    const NodeState *state = lowering_state(x->l, n);
    bool cast = n->op == OP_CAST || n->op == OP_IDENTITY;
    if (state->stored && state->group != x->group) return;
    if (!op_is_elementwise(n->op) || find_kept(x, n)) return;
    Evaluated *known = NULL;
    for (int i = 0; i < s->nodes.count && !known; i++)
        if (s->nodes.data[i].node == n) known = &s->nodes.data[i];
    if (known && known->last == pass) return;
    if (known) {
        known->last = pass;
        if (!cast && !(op_info(n->op)->properties & PROPERTY_CHEAP)) {
            keep(x, n, known->first);
            return;
        }
    } else {
        Evaluated now = {n, pass, pass};
        vector_push(x->arena, &s->nodes, now);
    }
    for (int i = 0; i < n->input_count; i++) visit(s, n->inputs[i], pass);
}

void loops_find_kept(Loops *x) {
    const Group *g = x->group;
    Search search = {.x = x};
    Shape row = row_shape(x);
    int64_t count;
    const Dim *elements = dim_need(shape_elements(x->b->dims, &row));
    if (dim_is_const(elements, &count) && (count < 2 || count > KEPT_ELEMENTS_MAX)) return;
    int levels = loops_levels(x);
    for (int pass = 0; pass <= levels; pass++)
        for (int m = 0; m < g->members.count; m++) {
            const Node *n = g->members.data[m];
            if (pass < levels && n->op == OP_REDUCE && loops_level(x, n) == pass)
                visit(&search, n->inputs[0], pass);
            if (pass == levels && loops_is_of_space(x, n) && lowering_needs_store(x->l, n))
                visit(&search, n, pass);
        }
}

static void place(const Loops *x, const Index **at) {
    for (int i = 0; i < x->reduced_count; i++) at[i] = x->at[x->reduced[i]];
}

void loops_recall(Loops *x, int pass) {
    const Index *at[SHAPE_MAX_RANK];
    place(x, at);
    for (int i = 0; i < x->kept_rows.count; i++) {
        const Kept *kept = &x->kept_rows.data[i];
        if (kept->first >= pass) continue;
        gen_set(x->gen, kept->node, x->at, expr_load(x->b, kept->slot, at, x->reduced_count));
    }
}

void loops_keep(Loops *x, int pass) {
    const Index *at[SHAPE_MAX_RANK];
    place(x, at);
    for (int i = 0; i < x->kept_rows.count; i++) {
        const Kept *kept = &x->kept_rows.data[i];
        if (kept->first != pass) continue;
        const Expr *value = gen_value(x->gen, kept->node, x->at);
        builder_store(x->b, kept->slot, at, x->reduced_count, value, NULL);
    }
}
