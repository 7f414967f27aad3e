/* Scans without what no one reads: results, carries, sequences and invariants that do not matter
 * are dropped, equal inputs become one, a carry that never changes becomes an invariant, and work
 * that is the same in every step moves before the loop.  The body is simplified by the
 * same rules. */
#include "tensor/simplify/simplify_rules.h"

typedef struct Trim {
    Rewriter *w;
    const Node *node;
    const ScanAttr *attr;
    const Graph *body; /* simplified */
    Node **in;
    int inputs, results, invariants_begin;
    bool *carry;    /* per carry: its value matters */
    bool *needed;   /* by body id */
    bool *varies;   /* by body id */
    Node **outside; /* by body id: node of the outer graph with this value, if it does not vary */
} Trim;

static int id_count(const Graph *g) {
    return g->nodes.count ? g->nodes.data[g->nodes.count - 1]->id + 1 : 0;
}

/* A carry that every step hands on as it is. */
static bool is_constant_carry(const Trim *t, int i) {
    return t->body->results.data[i] == t->body->inputs.data[i];
}

static void mark_needed(Trim *t, const bool *used) {
    Arena *arena = t->w->g->arena;
    t->needed = NEW_ARRAY(arena, (size_t)id_count(t->body) + 1, bool);
    t->carry = NEW_ARRAY(arena, (size_t)t->attr->carries + 1, bool);
    for (int i = 0; i < t->attr->carries; i++) t->carry[i] = used && used[i];
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < t->results; i++)
            if (i < t->attr->carries ? t->carry[i] : used && used[i])
                t->needed[t->body->results.data[i]->id] = true;
        for (int k = t->body->nodes.count; k-- > 0;) {
            const Node *node = t->body->nodes.data[k];
            for (int i = 0; t->needed[node->id] && i < node->input_count; i++)
                t->needed[node->inputs[i]->id] = true;
        }
        for (int i = 0; i < t->attr->carries; i++)
            if (!t->carry[i] && t->needed[t->body->inputs.data[i]->id])
                t->carry[i] = changed = true;
    }
}

/* A sequence of equal elements: that element in the outer graph, else NULL. */
static Node *repeated_element(Trim *t, int i) {
    Graph *g = t->w->g;
    Node *sequence = t->in[i];
    TensorType type = t->body->inputs.data[i]->type;
    if (simplify_is_splat(sequence)) return simplify_splat_like(g, sequence, type);
    if (sequence->op != OP_EXPAND) return NULL;
    Node *x = sequence->inputs[0];
    int axes[SHAPE_MAX_RANK] = {0}, rank = x->type.shape.rank;
    if (rank && sequence->attr.axes[0] == 0) return NULL;
    for (int k = 0; k < rank; k++) axes[k] = sequence->attr.axes[k] - 1;
    return shape_equal(&x->type.shape, &type.shape) ? x : op_expand(g, x, type.shape, axes);
}

static void mark_varying(Trim *t) {
    Arena *arena = t->w->g->arena;
    t->varies = NEW_ARRAY(arena, (size_t)id_count(t->body) + 1, bool);
    t->outside = NEW_ARRAY(arena, (size_t)id_count(t->body) + 1, Node *);
    for (int i = 0; i < t->inputs; i++) {
        const Node *input = t->body->inputs.data[i];
        bool fixed = i >= t->invariants_begin || (i < t->attr->carries && is_constant_carry(t, i));
        Node *value = fixed ? t->in[i] : NULL;
        if (!fixed && i >= t->attr->carries) value = repeated_element(t, i);
        t->varies[input->id] = !value;
        t->outside[input->id] = value;
    }
    for (int k = 0; k < t->body->nodes.count; k++) {
        const Node *node = t->body->nodes.data[k];
        t->varies[node->id] |= node->op == OP_RANDOM;
        for (int i = 0; i < node->input_count; i++)
            t->varies[node->id] |= t->varies[node->inputs[i]->id];
    }
}

/* Nodes that stay in the body although they do not vary: constants and maps cost nothing there. */
static bool stays_inside(const Node *node) {
    OpClass class_ = op_info(node->op)->class_;
    return class_ == CLASS_VIEW || class_ == CLASS_SOURCE;
}

/* The value of a body node that does not vary, in the outer graph. */
static Node *build_outside(Trim *t, const Node *node) {
    Node **slot = &t->outside[node->id];
    if (*slot) return *slot;
    Node **inputs = NEW_ARRAY(t->w->g->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) inputs[i] = build_outside(t, node->inputs[i]);
    *slot = op_like(t->w->g, node, inputs);
    return *slot;
}

/* ---- the new scan ---- */

typedef struct Build {
    Trim *t;
    Graph *body;
    Node **map; /* by old body id */
    VECTOR(Node *) outer;
    VECTOR(Node *) inner;
    int fixed_begin; /* first invariant in outer and inner */
} Build;

static void add_input(Build *b, const Node *old, Node *outer, Name name) {
    Node *inner = op_input(b->body, name, old->type);
    b->map[old->id] = inner;
    vector_push(b->body->arena, &b->outer, outer);
    vector_push(b->body->arena, &b->inner, inner);
}

/* A fixed value from outside: constants are repeated in the body, equal values enter once. */
static Node *import_fixed(Build *b, const Node *old) {
    if (b->map[old->id]) return b->map[old->id];
    Node *outer = build_outside(b->t, old);
    if (simplify_is_splat(outer)) {
        b->map[old->id] = simplify_splat_like(b->body, outer, old->type);
        return b->map[old->id];
    }
    for (int i = b->fixed_begin; i < b->outer.count; i++)
        if (b->outer.data[i] == outer) return b->map[old->id] = b->inner.data[i];
    Name name = old->op == OP_INPUT ? old->attr.input.name : name_of("fixed");
    add_input(b, old, outer, name);
    return b->map[old->id];
}

static void copy_inside(Build *b, Node *node) {
    Node **inputs = NEW_ARRAY(b->body->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) inputs[i] = b->map[node->inputs[i]->id];
    b->map[node->id] = op_like(b->body, node, inputs);
}

static bool needs_import(const Node *node) {
    return node->op == OP_INPUT || !stays_inside(node);
}

/* Values that do not vary and that something in the body reads directly. */
static void import_all(Build *b, const bool *read) {
    const Trim *t = b->t;
    for (int k = 0; k < t->body->nodes.count; k++) {
        Node *node = t->body->nodes.data[k];
        if (t->varies[node->id] || !read[node->id] || !needs_import(node)) continue;
        import_fixed(b, node);
    }
}

/* Nodes that the new body holds: varying needed nodes, and below them maps of fixed values. */
static bool *mark_read(const Trim *t, const bool *used) {
    bool *read = NEW_ARRAY(t->w->g->arena, (size_t)id_count(t->body) + 1, bool);
    for (int i = 0; i < t->results; i++)
        if (i < t->attr->carries ? t->carry[i] && !is_constant_carry(t, i) : used && used[i])
            read[t->body->results.data[i]->id] = true;
    for (int k = t->body->nodes.count; k-- > 0;) {
        const Node *node = t->body->nodes.data[k];
        if (!read[node->id] || (!t->varies[node->id] && needs_import(node))) continue;
        for (int i = 0; i < node->input_count; i++) read[node->inputs[i]->id] = true;
    }
    return read;
}

static void build_scan(Trim *t, const bool *used, Node **out) {
    Graph *g = t->w->g;
    Build b = {.t = t, .body = graph_new(t->w->keep, g->dims)};
    b.body->complain = g->complain;
    b.body->complain_user = g->complain_user;
    b.map = NEW_ARRAY(g->arena, (size_t)id_count(t->body) + 1, Node *);
    bool *read = mark_read(t, used);
    ScanAttr attr = {.length = t->attr->length, .reverse = t->attr->reverse};
    for (int i = 0; i < t->invariants_begin; i++) {
        const Node *input = t->body->inputs.data[i];
        bool is_carry = i < t->attr->carries;
        if (is_carry ? !t->carry[i] || is_constant_carry(t, i)
                     : !read[input->id] || !t->varies[input->id])
            continue;
        add_input(&b, input, t->in[i], input->attr.input.name);
        if (is_carry)
            attr.carries++;
        else
            attr.sequences++;
    }
    b.fixed_begin = b.outer.count;
    import_all(&b, read);
    attr.invariants = b.outer.count - b.fixed_begin;
    for (int k = 0; k < t->body->nodes.count; k++) {
        Node *node = t->body->nodes.data[k];
        if (read[node->id] && !b.map[node->id]) copy_inside(&b, node);
    }
    int kept = 0;
    for (int i = 0; i < t->results; i++) {
        bool is_carry = i < t->attr->carries;
        if (is_carry ? !t->carry[i] || is_constant_carry(t, i) : !(used && used[i])) continue;
        vector_push(b.body->arena, &b.body->results, b.map[t->body->results.data[i]->id]);
        kept++;
    }
    attr.body = b.body;
    Node **projected = NEW_ARRAY(g->arena, (size_t)kept + 1, Node *);
    if (kept) op_scan(g, attr, b.outer.data, b.outer.count, projected);
    int at = 0;
    for (int i = 0; i < t->results; i++) {
        bool is_carry = i < t->attr->carries;
        if (is_carry && t->carry[i] && is_constant_carry(t, i))
            out[i] = t->in[i];
        else if (is_carry ? t->carry[i] : used && used[i])
            out[i] = projected[at++];
    }
    t->w->changed |= attr.carries != t->attr->carries || attr.sequences != t->attr->sequences ||
                     attr.invariants != t->attr->invariants ||
                     b.body->results.count != t->results ||
                     b.body->nodes.count != t->body->nodes.count;
}

void simplify_scan(Rewriter *w, const Node *node, Node **in, const bool *used, Node **out) {
    const Graph *body = node->attr.scan.body;
    Trim t = {.w = w,
              .node = node,
              .attr = &node->attr.scan,
              .body = simplify_graph(body, w->rules, NULL, 0),
              .in = in,
              .inputs = body->inputs.count,
              .results = body->results.count,
              .invariants_begin = node->attr.scan.carries + node->attr.scan.sequences};
    w->changed |= t.body->nodes.count != body->nodes.count;
    if (simplify_hoist(w, t.attr, t.body, in, used, out)) {
        w->changed = true;
        return;
    }
    mark_needed(&t, used);
    mark_varying(&t);
    build_scan(&t, used, out);
}
