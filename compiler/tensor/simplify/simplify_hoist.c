/* Products out of loops: one contraction over all steps instead of one per step.
 *
 * Before the loop go products (and what is elementwise around them) that depend on sequences and
 * invariants only: they become sequences.  Behind the loop go products that only yields read: their
 * operands are yielded instead.  Each element keeps its terms; only where it is
 * computed changes. */
#include "tensor/simplify/simplify_rules.h"

typedef struct Hoist {
    Graph *g;
    Arena *keep; /* for the new body */
    const ScanAttr *attr;
    const Graph *body;
    Node **in;
    int inputs, results, invariants_begin;
    bool *varies;   /* by body id: differs from step to step */
    bool *serial;   /* by body id: needs a carry or a draw */
    bool *before;   /* by body id: can be computed for all steps before the loop */
    bool *behind;   /* by body id: computed for all steps behind the loop */
    bool *product;  /* by body id: a product is in its `before` part */
    Node **outside; /* by body id: outer node of a value that does not vary */
    Node **stack;   /* by body id: outer node of all steps' values */
} Hoist;

static int id_count(const Graph *g) {
    return g->nodes.count ? g->nodes.data[g->nodes.count - 1]->id + 1 : 0;
}

static bool free_label(const Node *contract, int8_t *label) {
    const ContractAttr *c = &contract->attr.contract;
    int8_t most = -1;
    for (int i = 0; i < contract->inputs[0]->type.shape.rank; i++)
        most = c->a[i] > most ? c->a[i] : most;
    for (int i = 0; i < contract->inputs[1]->type.shape.rank; i++)
        most = c->b[i] > most ? c->b[i] : most;
    *label = (int8_t)(most + 1);
    return *label < CONTRACT_MAX_LABELS;
}

/* Operators that this file can apply to all steps at once. */
static bool is_mappable(const Node *node) {
    int8_t label;
    if (node->type.shape.rank == SHAPE_MAX_RANK) return false;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i]->type.shape.rank == SHAPE_MAX_RANK) return false;
    switch ((int)node->op) {
    case OP_PERMUTE:
    case OP_RESHAPE:
    case OP_EXPAND: return true;
    case OP_CONTRACT: return free_label(node, &label);
    default: return op_is_elementwise(node->op);
    }
}

/* ---- what can move ---- */

static void mark_dependence(Hoist *h) {
    for (int i = 0; i < h->inputs; i++) {
        int id = h->body->inputs.data[i]->id;
        h->varies[id] = i < h->invariants_begin;
        h->serial[id] = i < h->attr->carries;
        if (i >= h->invariants_begin) h->outside[id] = h->in[i];
        if (i >= h->attr->carries && i < h->invariants_begin) h->stack[id] = h->in[i];
    }
    for (int k = 0; k < h->body->nodes.count; k++) {
        const Node *node = h->body->nodes.data[k];
        if (node->op == OP_INPUT) {
            h->before[node->id] = h->varies[node->id] && !h->serial[node->id];
            continue;
        }
        bool fits = is_mappable(node), varies = node->op == OP_RANDOM;
        bool serial = node->op == OP_RANDOM, product = node->op == OP_CONTRACT;
        for (int i = 0; i < node->input_count; i++) {
            int id = node->inputs[i]->id;
            varies |= h->varies[id];
            serial |= h->serial[id];
            product |= h->product[id];
            fits &= h->before[id] || !h->varies[id];
        }
        h->varies[node->id] = varies;
        h->serial[node->id] = serial;
        h->before[node->id] = varies && !serial && fits;
        h->product[node->id] = h->before[node->id] && product;
    }
}

/* Nodes between a product and the yields that alone read it. */
static void mark_behind(Hoist *h) {
    size_t ids = (size_t)id_count(h->body) + 1;
    bool *shared = NEW_ARRAY(h->g->arena, ids, bool); /* read by something that stays */
    for (int i = 0; i < h->attr->carries; i++) shared[h->body->results.data[i]->id] = true;
    for (int k = h->body->nodes.count; k-- > 0;) {
        const Node *node = h->body->nodes.data[k];
        bool leaves =
            h->varies[node->id] && h->serial[node->id] && !shared[node->id] && is_mappable(node);
        for (int i = 0; !leaves && i < node->input_count; i++) shared[node->inputs[i]->id] = true;
        h->behind[node->id] = leaves;
    }
    for (int k = 0; k < h->body->nodes.count; k++) {
        const Node *node = h->body->nodes.data[k];
        bool product = node->op == OP_CONTRACT;
        for (int i = 0; i < node->input_count; i++) product |= h->behind[node->inputs[i]->id];
        h->behind[node->id] &= product;
    }
}

/* ---- values of all steps in the outer graph ---- */

static Node *build_outside(Hoist *h, const Node *node) {
    Node **slot = &h->outside[node->id];
    if (*slot) return *slot;
    Node **inputs = NEW_ARRAY(h->g->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) inputs[i] = build_outside(h, node->inputs[i]);
    return *slot = op_like(h->g, node, inputs);
}

static Shape stacked(const Hoist *h, const Shape *shape) {
    Shape result = {.rank = shape->rank + 1};
    result.dims[0] = h->attr->length;
    for (int i = 0; i < shape->rank; i++) result.dims[i + 1] = shape->dims[i];
    return result;
}

static Node *build_stack(Hoist *h, const Node *node);

static Node *stack_contract(Hoist *h, const Node *node) {
    const ContractAttr *c = &node->attr.contract;
    const int8_t *from[2] = {c->a, c->b};
    int8_t labels[2][SHAPE_MAX_RANK], out[SHAPE_MAX_RANK], label = 0;
    Node *operands[2];
    free_label(node, &label);
    for (int k = 0; k < 2; k++) {
        Node *operand = node->inputs[k];
        int shift = h->varies[operand->id] ? 1 : 0;
        labels[k][0] = label;
        for (int i = 0; i < operand->type.shape.rank; i++) labels[k][i + shift] = from[k][i];
        operands[k] = shift ? build_stack(h, operand) : build_outside(h, operand);
    }
    out[0] = label;
    for (int i = 0; i < node->type.shape.rank; i++) out[i + 1] = c->out[i];
    return op_contract(h->g, operands[0], operands[1], labels[0], labels[1], out,
                       node->type.shape.rank + 1);
}

static Node *stack_view(Hoist *h, const Node *node) {
    int axes[SHAPE_MAX_RANK] = {0};
    const Node *x = node->inputs[0];
    Node *in = build_stack(h, x);
    if (node->op == OP_RESHAPE) return op_reshape(h->g, in, stacked(h, &node->type.shape));
    for (int i = 0; i < x->type.shape.rank; i++) axes[i + 1] = node->attr.axes[i] + 1;
    return node->op == OP_PERMUTE ? op_permute(h->g, in, axes)
                                  : op_expand(h->g, in, stacked(h, &node->type.shape), axes);
}

static Node *build_stack(Hoist *h, const Node *node) {
    Node **slot = &h->stack[node->id];
    if (*slot) return *slot;
    h->g->span = node->span;
    h->g->path = node->path;
    h->g->backward = node->backward;
    if (!h->varies[node->id]) {
        int axes[SHAPE_MAX_RANK];
        for (int i = 0; i < node->type.shape.rank; i++) axes[i] = i + 1;
        return *slot = op_expand(h->g, build_outside(h, node), stacked(h, &node->type.shape), axes);
    }
    if (node->op == OP_CONTRACT) return *slot = stack_contract(h, node);
    if (op_info(node->op)->class_ == CLASS_VIEW) return *slot = stack_view(h, node);
    Node **inputs = NEW_ARRAY(h->g->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) inputs[i] = build_stack(h, node->inputs[i]);
    return *slot = op_like(h->g, node, inputs);
}

/* ---- the loop that remains ---- */

typedef struct Loop {
    Graph *body;
    ScanAttr attr;
    VECTOR(Node *) outer; /* inputs of the scan */
    Node **map;
    bool *kept;     /* by old body id */
    bool *entering; /* by old body id: computed before, read in the loop */
    bool *leaving;  /* by old body id: computed in the loop, read behind it */
} Loop;

/* Results that are stacks made outside. */
static bool is_moved(const Hoist *h, int result) {
    int id = h->body->results.data[result]->id;
    return result >= h->attr->carries && (h->behind[id] || h->product[id]);
}

static bool plan_loop(const Hoist *h, const bool *used, Loop *loop) {
    bool moves = false;
    for (int i = 0; i < h->results; i++) {
        const Node *result = h->body->results.data[i];
        if (i >= h->attr->carries && !(used && used[i])) continue;
        if (is_moved(h, i))
            moves = true;
        else
            loop->kept[result->id] = true;
    }
    for (int k = h->body->nodes.count; k-- > 0;) {
        const Node *node = h->body->nodes.data[k];
        if (h->behind[node->id]) {
            for (int i = 0; i < node->input_count; i++) {
                int id = node->inputs[i]->id;
                if (h->behind[id] || !h->varies[id] || h->before[id]) continue;
                loop->kept[id] = loop->leaving[id] = true;
            }
            continue;
        }
        if (!loop->kept[node->id]) continue;
        if (h->product[node->id]) {
            loop->entering[node->id] = moves = true;
            continue;
        }
        for (int i = 0; i < node->input_count; i++) loop->kept[node->inputs[i]->id] = true;
    }
    return moves;
}

static bool is_kept_result(const Hoist *h, const bool *used, int i) {
    return i < h->attr->carries || (used && used[i] && !is_moved(h, i));
}

/* Inputs of the new loop: the old ones, and after the sequences those that enter. */
static void add_inputs(Hoist *h, Loop *loop) {
    Arena *arena = h->g->arena;
    for (int i = 0; i <= h->inputs; i++) {
        for (int k = 0; i == h->invariants_begin && k < h->body->nodes.count; k++) {
            const Node *node = h->body->nodes.data[k];
            if (!loop->entering[node->id]) continue;
            loop->map[node->id] = op_input(loop->body, name_of("product"), node->type);
            vector_push(arena, &loop->outer, build_stack(h, node));
            loop->attr.sequences++;
        }
        if (i == h->inputs) break;
        const Node *input = h->body->inputs.data[i];
        loop->map[input->id] = op_input(loop->body, input->attr.input.name, input->type);
        vector_push(arena, &loop->outer, h->in[i]);
    }
}

static void copy_kept(Hoist *h, Loop *loop) {
    for (int k = 0; k < h->body->nodes.count; k++) {
        const Node *node = h->body->nodes.data[k];
        if (!loop->kept[node->id] || loop->map[node->id]) continue;
        Node **inputs = NEW_ARRAY(h->g->arena, (size_t)node->input_count + 1, Node *);
        for (int i = 0; i < node->input_count; i++) inputs[i] = loop->map[node->inputs[i]->id];
        loop->map[node->id] = op_like(loop->body, node, inputs);
    }
}

static void build_loop(Hoist *h, const bool *used, Loop *loop, Node **out) {
    Arena *arena = h->g->arena;
    loop->attr = *h->attr;
    loop->attr.body = loop->body = graph_new(h->keep, h->g->dims);
    loop->body->complain = h->g->complain;
    loop->body->complain_user = h->g->complain_user;
    add_inputs(h, loop);
    copy_kept(h, loop);
    int *place = NEW_ARRAY(arena, (size_t)id_count(h->body) + 1, int); /* yield of a node, or 0 */
    for (int i = 0; i < h->results; i++) {
        if (!is_kept_result(h, used, i)) continue;
        int id = h->body->results.data[i]->id;
        if (i >= h->attr->carries && !place[id]) place[id] = loop->body->results.count + 1;
        vector_push(h->keep, &loop->body->results, loop->map[id]);
    }
    for (int id = 0; id < id_count(h->body); id++) {
        if (!loop->leaving[id] || place[id]) continue;
        vector_push(h->keep, &loop->body->results, loop->map[id]);
        place[id] = loop->body->results.count;
    }
    Node **projected = NEW_ARRAY(arena, (size_t)loop->body->results.count + 1, Node *);
    if (loop->body->results.count)
        op_scan(h->g, loop->attr, loop->outer.data, loop->outer.count, projected);
    for (int id = 0; id < id_count(h->body); id++)
        if (loop->leaving[id]) h->stack[id] = projected[place[id] - 1];
    for (int i = 0, at = 0; i < h->results; i++) {
        if (is_kept_result(h, used, i))
            out[i] = projected[at++];
        else if (used && used[i])
            out[i] = build_stack(h, h->body->results.data[i]);
    }
}

bool simplify_hoist(Rewriter *w, const ScanAttr *attr, const Graph *body, Node **in,
                    const bool *used, Node **out) {
    Arena *arena = w->g->arena;
    size_t ids = (size_t)id_count(body) + 1;
    Hoist h = {.g = w->g,
               .keep = w->keep,
               .attr = attr,
               .body = body,
               .in = in,
               .inputs = body->inputs.count,
               .results = body->results.count,
               .invariants_begin = attr->carries + attr->sequences,
               .varies = NEW_ARRAY(arena, ids, bool),
               .serial = NEW_ARRAY(arena, ids, bool),
               .before = NEW_ARRAY(arena, ids, bool),
               .behind = NEW_ARRAY(arena, ids, bool),
               .product = NEW_ARRAY(arena, ids, bool),
               .outside = NEW_ARRAY(arena, ids, Node *),
               .stack = NEW_ARRAY(arena, ids, Node *)};
    mark_dependence(&h);
    mark_behind(&h);
    Loop loop = {.map = NEW_ARRAY(arena, ids, Node *),
                 .kept = NEW_ARRAY(arena, ids, bool),
                 .entering = NEW_ARRAY(arena, ids, bool),
                 .leaving = NEW_ARRAY(arena, ids, bool)};
    if (!plan_loop(&h, used, &loop)) return false;
    build_loop(&h, used, &loop, out);
    return true;
}
