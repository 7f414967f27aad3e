/* The derivative of a scan: a scan in the opposite direction over stacked residuals.
 *
 * The body's derivative is taken in a scratch graph that holds a copy of the body (its forward
 * nodes) and the gradient nodes behind it.  Forward nodes that the gradient reads become residuals
 * (the forward scan yields them too), unless they are cheap to repeat.  The gradient of an
 * invariant is a sum over the steps: products are not added up in the loop but contracted once
 * after it, over the stacks of their operands; everything else is accumulated in a carry. */
#include "tensor/autodiff/autodiff_rules.h"
#include "tensor/build.h"

typedef VECTOR(Node *) Nodes;

typedef struct ScanReverse {
    Reverse *r;
    Node *scan;
    int inputs, carries, sequences, results;
    bool *active;          /* per body input: differentiable and reached */
    Graph *work;           /* copy of the body, then its gradient */
    int forward_count;     /* ids below it are the copy */
    Node **input;          /* work: the body's inputs */
    Node **dy;             /* work: input for the adjoint of each result, or NULL */
    Node **result;         /* work: the body's results */
    Node **gradient;       /* work: adjoint of each body input, or NULL */
    bool *varies;          /* by work id: differs from step to step */
    Nodes residuals;       /* forward nodes that the derivative reads from a stack */
    Nodes stacks;          /* gradient nodes that are yielded for a contraction after the loop */
    Nodes accumulated;     /* gradient nodes whose sum over the steps is carried */
    Node **residual_stack; /* outer graph, like residuals */
    Node **stack;          /* outer graph, like stacks */
    Node **total;          /* outer graph, like accumulated */
} ScanReverse;

static int find_node(const Nodes *nodes, const Node *node) {
    for (int i = 0; i < nodes->count; i++)
        if (nodes->data[i] == node) return i;
    return -1;
}

static void add_once(Arena *arena, Nodes *nodes, Node *node) {
    if (find_node(nodes, node) < 0) vector_push(arena, nodes, node);
}

/* Forward: the copy of the body, and results that its own inner scans gained as residuals. */
static bool is_forward(const ScanReverse *s, const Node *node) {
    return node->id < s->forward_count ||
           (node->op == OP_PROJ && node->inputs[0]->id < s->forward_count);
}

/* ---- the scratch graph ---- */

static Graph *graph_like(const Graph *place, const Graph *model) {
    Graph *g = graph_new(place->arena, place->dims);
    g->span = place->span;
    g->path = place->path;
    g->complain = model->complain;
    g->complain_user = model->complain_user;
    return g;
}

static void copy_body(ScanReverse *s) {
    const Graph *body = s->scan->attr.scan.body;
    Arena *arena = s->r->g->arena;
    s->work = graph_like(s->r->g, s->r->g);
    s->input = NEW_ARRAY(arena, (size_t)s->inputs + 1, Node *);
    s->result = NEW_ARRAY(arena, (size_t)s->results + 1, Node *);
    for (int i = 0; i < s->inputs; i++) {
        const Node *input = body->inputs.data[i];
        s->input[i] = op_input(s->work, input->attr.input.name, input->type);
        s->input[i]->no_grad = input->no_grad;
    }
    graph_inline(s->work, body, s->input, s->result);
    s->forward_count = autodiff_id_count(s->work);
}

static bool differentiate_body(ScanReverse *s) {
    Arena *arena = s->r->g->arena;
    bool *reached = NEW_ARRAY(arena, (size_t)s->results + 1, bool);
    s->active = NEW_ARRAY(arena, (size_t)s->inputs + 1, bool);
    for (int i = 0; i < s->inputs; i++) s->active[i] = s->r->wanted[i];
    autodiff_scan_active(s->scan, s->active, reached);

    s->dy = NEW_ARRAY(arena, (size_t)s->results + 1, Node *);
    Nodes ys = {0}, dys = {0}, xs = {0};
    for (int i = 0; i < s->results; i++) {
        if (!(i < s->carries ? s->active[i] : reached[i] && s->r->dys[i])) continue;
        s->dy[i] = op_input(s->work, name_of("dy"), s->result[i]->type);
        vector_push(arena, &ys, s->result[i]);
        vector_push(arena, &dys, s->dy[i]);
    }
    for (int i = 0; i < s->inputs; i++)
        if (s->active[i]) vector_push(arena, &xs, s->input[i]);
    Node **grads = NEW_ARRAY(arena, (size_t)xs.count + 1, Node *);
    if (!autodiff_gradients(s->work, ys.data, dys.data, ys.count, xs.data, xs.count, grads,
                            s->r->error))
        return false;
    s->gradient = NEW_ARRAY(arena, (size_t)s->inputs + 1, Node *);
    for (int i = 0, k = 0; i < s->inputs; i++)
        if (s->active[i]) s->gradient[i] = grads[k++];
    return true;
}

static void mark_varying(ScanReverse *s) {
    int invariants_begin = s->carries + s->sequences;
    s->varies = NEW_ARRAY(s->r->g->arena, (size_t)autodiff_id_count(s->work), bool);
    for (int i = 0; i < invariants_begin; i++) s->varies[s->input[i]->id] = true;
    for (int i = 0; i < s->results; i++)
        if (s->dy[i]) s->varies[s->dy[i]->id] = true;
    for (int k = 0; k < s->work->nodes.count; k++) {
        const Node *node = s->work->nodes.data[k];
        s->varies[node->id] |= node->op == OP_RANDOM;
        for (int i = 0; i < node->input_count; i++)
            s->varies[node->id] |= s->varies[node->inputs[i]->id];
    }
}

/* ---- sums over the steps ---- */

static bool is_sequence(const ScanReverse *s, const Node *node, int *index) {
    for (int i = s->carries; i < s->carries + s->sequences; i++)
        if (s->input[i] == node) {
            *index = i;
            return true;
        }
    return false;
}

static bool is_zero_fill(const Node *fill) {
    return fill->op == OP_CONST && !fill->attr.constant.data && fill->attr.constant.value == 0.0;
}

/* Whether the sum over the steps of this gradient node is the same map of its operands' sums. */
static bool is_linear(const ScanReverse *s, const Node *node) {
    if (is_forward(s, node) || node->op == OP_INPUT) return false;
    switch ((int)node->op) {
    case OP_ADD:
    case OP_SUB:
    case OP_NEG:
    case OP_IDENTITY:
    case OP_PERMUTE:
    case OP_RESHAPE:
    case OP_EXPAND: return true;
    case OP_PAD: return is_zero_fill(node->inputs[1]);
    default: return false;
    }
}

static bool fits_label(const ContractAttr *c, const Node *node, int8_t *label) {
    int ranks[2] = {node->inputs[0]->type.shape.rank, node->inputs[1]->type.shape.rank};
    int8_t most = -1;
    if (ranks[0] == SHAPE_MAX_RANK || ranks[1] == SHAPE_MAX_RANK) return false;
    for (int i = 0; i < ranks[0]; i++) most = c->a[i] > most ? c->a[i] : most;
    for (int i = 0; i < ranks[1]; i++) most = c->b[i] > most ? c->b[i] : most;
    *label = (int8_t)(most + 1);
    return *label < CONTRACT_MAX_LABELS;
}

static bool is_hoisted_product(const ScanReverse *s, const Node *node) {
    int8_t label;
    return node->op == OP_CONTRACT && !is_forward(s, node) && s->varies[node->inputs[0]->id] &&
           s->varies[node->inputs[1]->id] && fits_label(&node->attr.contract, node, &label);
}

/* A stack seen through a permutation or a reshape is the stack's permutation or reshape. */
static bool is_stack_view(const Node *node) {
    return node->op == OP_PERMUTE || node->op == OP_RESHAPE || node->op == OP_IDENTITY;
}

static void request_stack(ScanReverse *s, Node *node) {
    int index;
    Arena *arena = s->r->g->arena;
    while (is_stack_view(node)) node = node->inputs[0];
    if (is_sequence(s, node, &index)) return;
    for (int i = s->carries; i < s->results; i++)
        if (s->dy[i] == node) return;
    if (is_forward(s, node))
        add_once(arena, &s->residuals, node);
    else
        add_once(arena, &s->stacks, node);
}

static void request_total(ScanReverse *s, Node *node) {
    if (is_linear(s, node)) {
        int operands = node->op == OP_PAD ? 1 : node->input_count;
        for (int i = 0; i < operands; i++) request_total(s, node->inputs[i]);
    } else if (is_hoisted_product(s, node)) {
        request_stack(s, node->inputs[0]);
        request_stack(s, node->inputs[1]);
    } else {
        add_once(s->r->g->arena, &s->accumulated, node);
    }
}

static Shape stacked_shape(const ScanReverse *s, const Shape *shape) {
    Shape stacked = {.rank = shape->rank + 1};
    stacked.dims[0] = s->scan->attr.scan.length;
    for (int i = 0; i < shape->rank; i++) stacked.dims[i + 1] = shape->dims[i];
    return stacked;
}

static Node *build_stack(ScanReverse *s, Node *node) {
    Graph *g = s->r->g;
    int index;
    if (node->op == OP_IDENTITY) return build_stack(s, node->inputs[0]);
    if (node->op == OP_RESHAPE)
        return op_reshape(g, build_stack(s, node->inputs[0]), stacked_shape(s, &node->type.shape));
    if (node->op == OP_PERMUTE) {
        int axes[SHAPE_MAX_RANK] = {0};
        for (int i = 0; i < node->type.shape.rank; i++) axes[i + 1] = node->attr.axes[i] + 1;
        return op_permute(g, build_stack(s, node->inputs[0]), axes);
    }
    if (is_sequence(s, node, &index)) return s->scan->inputs[index];
    for (int i = s->carries; i < s->results; i++)
        if (s->dy[i] == node) return s->r->dys[i];
    if (is_forward(s, node)) return s->residual_stack[find_node(&s->residuals, node)];
    return s->stack[find_node(&s->stacks, node)];
}

/* The contraction over the stacks: the label of the steps is in both operands, so it is summed. */
static Node *build_product(ScanReverse *s, Node *node) {
    const ContractAttr *c = &node->attr.contract;
    int8_t a[SHAPE_MAX_RANK], b[SHAPE_MAX_RANK], label = 0;
    fits_label(c, node, &label);
    Node *left = build_stack(s, node->inputs[0]), *right = build_stack(s, node->inputs[1]);
    a[0] = b[0] = label;
    for (int i = 1; i < left->type.shape.rank; i++) a[i] = c->a[i - 1];
    for (int i = 1; i < right->type.shape.rank; i++) b[i] = c->b[i - 1];
    return op_contract(s->r->g, left, right, a, b, c->out, node->type.shape.rank);
}

static Node *build_total(ScanReverse *s, Node *node) {
    Graph *g = s->r->g;
    g->span = node->span;
    g->path = node->path;
    if (is_linear(s, node)) {
        Node *inputs[2] = {build_total(s, node->inputs[0]), NULL};
        if (node->op == OP_PAD)
            inputs[1] = op_const(g, 0.0, node->inputs[1]->type);
        else if (node->input_count == 2)
            inputs[1] = build_total(s, node->inputs[1]);
        return op_like(g, node, inputs);
    }
    if (is_hoisted_product(s, node)) return build_product(s, node);
    return s->total[find_node(&s->accumulated, node)];
}

/* ---- residuals ---- */

/* Forward nodes that the derivative repeats instead of reading a stack. */
static bool is_repeated(const ScanReverse *s, const Node *node) {
    if (!s->varies[node->id]) return node->op != OP_INPUT;
    if (node->op == OP_CAST || node->op == OP_IDENTITY) return true;
    OpClass class_ = op_info(node->op)->class_;
    if (class_ == CLASS_VIEW) return node->op != OP_FOLD;
    return class_ == CLASS_ELEMENTWISE && op_info(node->op)->properties & PROPERTY_CHEAP;
}

static void mark_node(const ScanReverse *s, bool *needed, const Node *node) {
    if (node) needed[node->id] = true;
}

/* What the derivative's body holds, by work id; adds the residuals that it reads. */
static bool *mark_needed(ScanReverse *s) {
    bool *needed = NEW_ARRAY(s->r->g->arena, (size_t)autodiff_id_count(s->work), bool);
    int index;
    for (int i = 0; i < s->carries + s->sequences; i++) mark_node(s, needed, s->gradient[i]);
    for (int i = 0; i < s->stacks.count; i++) mark_node(s, needed, s->stacks.data[i]);
    for (int i = 0; i < s->accumulated.count; i++) mark_node(s, needed, s->accumulated.data[i]);
    for (int k = s->work->nodes.count; k-- > 0;) {
        Node *node = s->work->nodes.data[k];
        if (!needed[node->id]) continue;
        if (is_forward(s, node) && !is_repeated(s, node)) {
            bool invariant = !s->varies[node->id];
            if (!invariant && !is_sequence(s, node, &index))
                add_once(s->r->g->arena, &s->residuals, node);
            continue;
        }
        for (int i = 0; i < node->input_count; i++) needed[node->inputs[i]->id] = true;
    }
    return needed;
}

/* Copies `node` of the scratch graph; its inputs are already in `map` (by work id). */
static void copy_node(Graph *g, Node *node, Node **map) {
    Node **inputs = NEW_ARRAY(g->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) inputs[i] = map[node->inputs[i]->id];
    map[node->id] = op_like(g, node, inputs);
}

/* A further reader of the scan: result `index`, of a body that may have grown. */
static Node *project_stack(Graph *g, const ScanReverse *s, int index) {
    const Node *result = s->scan->attr.scan.body->results.data[index];
    TensorType type = {result->type.dtype, stacked_shape(s, &result->type.shape)};
    Node *scan = s->scan, *proj = graph_node(g, OP_PROJ, type, &scan, 1);
    if (proj) proj->attr.index = index;
    return proj;
}

/* Gives the scan a body that also yields the residuals, and projects their stacks. */
static bool extend_scan(ScanReverse *s) {
    Graph *g = s->r->g;
    int ids = autodiff_id_count(s->work), fresh = 0;
    s->residual_stack = NEW_ARRAY(g->arena, (size_t)s->residuals.count + 1, Node *);
    int *place = NEW_ARRAY(g->arena, (size_t)s->residuals.count + 1, int);
    for (int i = 0; i < s->residuals.count; i++) {
        const Node *residual = s->residuals.data[i];
        if (residual->type.shape.rank == SHAPE_MAX_RANK) {
            *s->r->error = (AutodiffError){
                "the derivative of a scan must stack this, which has too many axes", residual};
            return false;
        }
        place[i] = -1;
        for (int k = s->carries; k < s->results && place[i] < 0; k++)
            if (s->result[k] == residual) place[i] = k;
        if (place[i] < 0) place[i] = s->results + fresh++;
    }
    if (fresh) {
        Graph *body = graph_like(g, g);
        Node **map = NEW_ARRAY(g->arena, (size_t)ids, Node *);
        bool *needed = NEW_ARRAY(g->arena, (size_t)ids, bool);
        for (int i = 0; i < s->inputs; i++) copy_node(body, s->input[i], map);
        for (int i = 0; i < s->results; i++) needed[s->result[i]->id] = true;
        for (int i = 0; i < s->residuals.count; i++) needed[s->residuals.data[i]->id] = true;
        for (int k = s->work->nodes.count; k-- > 0;) {
            const Node *node = s->work->nodes.data[k];
            for (int i = 0; needed[node->id] && i < node->input_count; i++)
                needed[node->inputs[i]->id] = true;
        }
        for (int k = 0; k < s->work->nodes.count; k++) {
            Node *node = s->work->nodes.data[k];
            if (needed[node->id] && !map[node->id]) copy_node(body, node, map);
        }
        for (int i = 0; i < s->results; i++)
            vector_push(g->arena, &body->results, map[s->result[i]->id]);
        for (int i = 0; i < s->residuals.count; i++)
            if (place[i] >= s->results)
                vector_push(g->arena, &body->results, map[s->residuals.data[i]->id]);
        s->scan->attr.scan.body = body;
    }
    for (int i = 0; i < s->residuals.count; i++)
        s->residual_stack[i] = project_stack(g, s, place[i]);
    return true;
}

/* ---- the reversed scan ---- */

typedef struct Building {
    ScanReverse *s;
    Graph *body;
    Node **map;  /* work id -> body */
    Nodes outer; /* inputs of the scan */
    int carries, sequences, invariants;
} Building;

static void add_input(Building *b, Node *work, Node *outer, int *count) {
    b->map[work->id] = op_input(
        b->body, work->attr.input.name ? work->attr.input.name : name_of("residual"), work->type);
    vector_push(b->body->arena, &b->outer, outer);
    ++*count;
}

static void add_inputs(Building *b, const bool *needed, Node **totals) {
    ScanReverse *s = b->s;
    Graph *g = s->r->g;
    for (int i = 0; i < s->carries; i++) {
        if (!s->dy[i]) continue;
        Node *dy = s->r->dys[i];
        add_input(b, s->dy[i], dy ? dy : autodiff_zeros(g, s->dy[i]->type), &b->carries);
    }
    for (int i = 0; i < s->accumulated.count; i++) {
        TensorType type = s->accumulated.data[i]->type;
        totals[i] = op_input(b->body, name_of("total"), type);
        vector_push(g->arena, &b->outer, autodiff_zeros(g, type));
        b->carries++;
    }
    for (int i = s->carries; i < s->results; i++)
        if (s->dy[i] && needed[s->dy[i]->id]) add_input(b, s->dy[i], s->r->dys[i], &b->sequences);
    for (int i = s->carries; i < s->carries + s->sequences; i++)
        if (needed[s->input[i]->id]) add_input(b, s->input[i], s->scan->inputs[i], &b->sequences);
    for (int i = 0; i < s->residuals.count; i++) {
        Node *residual = s->residuals.data[i];
        if (!needed[residual->id]) continue;
        b->map[residual->id] = op_input(b->body, name_of("residual"), residual->type);
        vector_push(g->arena, &b->outer, s->residual_stack[i]);
        b->sequences++;
    }
    for (int i = s->carries + s->sequences; i < s->inputs; i++)
        if (needed[s->input[i]->id]) add_input(b, s->input[i], s->scan->inputs[i], &b->invariants);
}

static void build_reversed(ScanReverse *s, const bool *needed) {
    Graph *g = s->r->g;
    Arena *arena = g->arena;
    Building b = {.s = s, .body = graph_like(g, g)};
    b.map = NEW_ARRAY(arena, (size_t)autodiff_id_count(s->work), Node *);
    Node **totals = NEW_ARRAY(arena, (size_t)s->accumulated.count + 1, Node *);
    add_inputs(&b, needed, totals);
    for (int k = 0; k < s->work->nodes.count; k++) {
        Node *node = s->work->nodes.data[k];
        if (needed[node->id] && !b.map[node->id]) copy_node(b.body, node, b.map);
    }
    for (int i = 0; i < s->carries; i++) {
        if (!s->dy[i]) continue;
        Node *next =
            s->gradient[i] ? b.map[s->gradient[i]->id] : autodiff_zeros(b.body, s->dy[i]->type);
        vector_push(arena, &b.body->results, next);
    }
    for (int i = 0; i < s->accumulated.count; i++) {
        Node *term = b.map[s->accumulated.data[i]->id];
        b.body->span = term->span;
        b.body->path = term->path;
        Node *sum = op_binary(b.body, OP_ADD, totals[i], term);
        vector_push(arena, &b.body->results, sum);
    }
    for (int i = s->carries; i < s->carries + s->sequences; i++)
        if (s->r->wanted[i] && s->gradient[i])
            vector_push(arena, &b.body->results, b.map[s->gradient[i]->id]);
    for (int i = 0; i < s->stacks.count; i++)
        vector_push(arena, &b.body->results, b.map[s->stacks.data[i]->id]);

    ScanAttr attr = {.body = b.body,
                     .length = s->scan->attr.scan.length,
                     .carries = b.carries,
                     .sequences = b.sequences,
                     .invariants = b.invariants,
                     .reverse = !s->scan->attr.scan.reverse};
    Node **out = NEW_ARRAY(arena, (size_t)b.body->results.count + 1, Node *);
    if (b.body->results.count) op_scan(g, attr, b.outer.data, b.outer.count, out);

    int at = 0;
    for (int i = 0; i < s->carries; i++)
        if (s->dy[i]) s->r->adjoint[i] = out[at++];
    s->total = out + at;
    at += s->accumulated.count;
    for (int i = s->carries; i < s->carries + s->sequences; i++)
        if (s->r->wanted[i] && s->gradient[i]) s->r->adjoint[i] = out[at++];
    s->stack = out + at;
}

bool autodiff_rule_scan(Reverse *r) {
    const ScanAttr *attr = &r->node->attr.scan;
    ScanReverse s = {.r = r,
                     .scan = r->node,
                     .inputs = r->node->input_count,
                     .carries = attr->carries,
                     .sequences = attr->sequences,
                     .results = attr->body->results.count};
    copy_body(&s);
    if (!differentiate_body(&s)) return false;
    mark_varying(&s);
    for (int i = s.carries + s.sequences; i < s.inputs; i++)
        if (r->wanted[i] && s.gradient[i]) request_total(&s, s.gradient[i]);
    bool *needed = mark_needed(&s);
    if (!extend_scan(&s)) return false;
    build_reversed(&s, needed);
    Span span = r->g->span;
    const char *path = r->g->path;
    for (int i = s.carries + s.sequences; i < s.inputs; i++)
        if (r->wanted[i] && s.gradient[i]) r->adjoint[i] = build_total(&s, s.gradient[i]);
    r->g->span = span;
    r->g->path = path;
    return true;
}
