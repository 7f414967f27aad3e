/* Derivatives of reductions, prefix operations and contractions.
 *
 * Products are exact where factors are zero: they use exclusive products of both sides, never a
 * quotient.  A contraction's derivative is a contraction of the other operand with
 * dy, relabelled. */
#include "tensor/autodiff/autodiff_rules.h"

/* The axis shifted by one place: towards higher indices, or lower ones; `fill` enters. */
static Node *shift_axis(Graph *g, Node *x, int axis, bool up, double fill) {
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    for (int i = 0; i < x->type.shape.rank; i++) {
        low[i] = dim_const(g->dims, i != axis ? 0 : up ? 1 : -1);
        high[i] = dim_neg(g->dims, low[i]);
    }
    return op_pad(g, x, op_const(g, fill, (TensorType){x->type.dtype, {0}}), low, high);
}

/* Product of the elements before (reverse: after) each element. */
static Node *exclusive_product(Graph *g, Node *x, int axis, bool reverse) {
    return op_prefix(g, REDUCE_PROD, shift_axis(g, x, axis, !reverse, 1.0), axis, reverse);
}

/* ---- reductions ---- */

static Node *product_of_others(Graph *g, Node *x, int axis) {
    Node *before = exclusive_product(g, x, axis, false);
    Node *after = exclusive_product(g, x, axis, true);
    return op_binary(g, OP_MUL, before, after);
}

static Node *product_adjoint(Graph *g, Node *x, Node *dy, uint32_t axes) {
    Shape shape = x->type.shape;
    int order[SHAPE_MAX_RANK], inverse[SHAPE_MAX_RANK], kept = 0, reduced = 0;
    for (int i = 0; i < shape.rank; i++)
        if (!(axes >> i & 1)) order[kept++] = i;
    Shape flat = {.rank = kept + 1};
    flat.dims[kept] = dim_const(g->dims, 1);
    for (int i = 0; i < kept; i++) flat.dims[i] = shape.dims[order[i]];
    for (int i = 0; i < shape.rank; i++) {
        if (!(axes >> i & 1)) continue;
        order[kept + reduced++] = i;
        flat.dims[kept] = dim_mul(g->dims, flat.dims[kept], shape.dims[i]);
    }
    Node *others;
    if (reduced == 1) {
        int axis = order[kept];
        others = product_of_others(g, x, axis);
    } else {
        Node *ordered = op_permute(g, x, order);
        others = product_of_others(g, op_reshape(g, ordered, flat), kept);
        others = op_reshape(g, others, ordered->type.shape);
        for (int i = 0; i < shape.rank; i++) inverse[order[i]] = i;
        others = op_permute(g, others, inverse);
    }
    return op_binary(g, OP_MUL, autodiff_expand_axes(g, dy, shape, axes), others);
}

/* Ties share dy equally. */
static Node *extremum_adjoint(Graph *g, Node *x, Node *y, Node *dy, uint32_t axes) {
    Shape shape = x->type.shape;
    Node *best = op_binary(g, OP_EQ, x, autodiff_expand_axes(g, y, shape, axes));
    Node *mask = op_cast(g, best, x->type.dtype);
    Node *count = op_reduce(g, REDUCE_SUM, mask, axes);
    Node *spread = autodiff_expand_axes(g, dy, shape, axes);
    return op_binary(g, OP_DIV, op_binary(g, OP_MUL, spread, mask),
                     autodiff_expand_axes(g, count, shape, axes));
}

bool autodiff_rule_reduce(Reverse *r) {
    Node *x = r->node->inputs[0];
    uint32_t axes = r->node->attr.reduce.axes;
    switch (r->node->attr.reduce.kind) {
    case REDUCE_SUM:
        r->adjoint[0] = autodiff_expand_axes(r->g, r->dy, x->type.shape, axes);
        return true;
    case REDUCE_PROD:
        r->adjoint[0] = axes ? product_adjoint(r->g, x, r->dy, axes) : r->dy;
        return true;
    case REDUCE_MAX:
    case REDUCE_MIN:
        r->adjoint[0] = axes ? extremum_adjoint(r->g, x, r->node, r->dy, axes) : r->dy;
        return true;
    case REDUCE_ANY:
    case REDUCE_ALL:
    case REDUCE_ARGMAX:
    case REDUCE_ARGMIN: break; /* bool and integers are never reached */
    }
    *r->error = (AutodiffError){"this reduction has no derivative", r->node};
    return false;
}

/* ---- prefix operations ---- */

static void move_axis(const Shape *shape, int from, int to, int *order, int *inverse) {
    int next = 0;
    for (int i = 0; i < shape->rank; i++) {
        if (i == to) {
            order[i] = from;
            continue;
        }
        if (next == from) next++;
        order[i] = next++;
    }
    for (int i = 0; i < shape->rank; i++) inverse[order[i]] = i;
}

/* s_k = dy_k + x_(k+1) * s_(k+1): what the products from k on give, without the factor x_k. */
static Node *suffix_sums(Graph *g, Node *dy, Node *next, bool reverse) {
    Graph *body = graph_new(g->arena, g->dims);
    body->span = g->span;
    body->path = g->path;
    TensorType type = {dy->type.dtype, {.rank = dy->type.shape.rank - 1}};
    for (int i = 0; i < type.shape.rank; i++) type.shape.dims[i] = dy->type.shape.dims[i + 1];
    Node *sum = op_input(body, name_of("sum"), type);
    Node *element = op_input(body, name_of("dy"), type);
    Node *factor = op_input(body, name_of("factor"), type);
    Node *result = op_binary(body, OP_ADD, element, op_binary(body, OP_MUL, factor, sum));
    vector_push(body->arena, &body->results, result);
    vector_push(body->arena, &body->results, result);
    ScanAttr scan = {.body = body,
                     .length = dy->type.shape.dims[0],
                     .carries = 1,
                     .sequences = 2,
                     .reverse = reverse};
    Node *inputs[3] = {autodiff_zeros(g, type), dy, next}, *out[2];
    op_scan(g, scan, inputs, 3, out);
    return out[1];
}

static Node *prefix_product_adjoint(Graph *g, Node *x, Node *dy, int axis, bool reverse) {
    int order[SHAPE_MAX_RANK], inverse[SHAPE_MAX_RANK];
    move_axis(&x->type.shape, axis, 0, order, inverse);
    Node *first = op_permute(g, x, order);
    Node *others = exclusive_product(g, first, 0, reverse);
    Node *next = shift_axis(g, first, 0, reverse, 0.0);
    Node *sums = suffix_sums(g, op_permute(g, dy, order), next, !reverse);
    return op_permute(g, op_binary(g, OP_MUL, others, sums), inverse);
}

/* Each result takes its value from one place, the latest among equals; dy goes there. */
static Node *prefix_extremum_adjoint(Graph *g, Node *x, Node *y, Node *dy, int axis, bool reverse) {
    int order[SHAPE_MAX_RANK], inverse[SHAPE_MAX_RANK], rank = x->type.shape.rank;
    move_axis(&x->type.shape, axis, rank - 1, order, inverse);
    TensorType places = {DTYPE_I64, x->type.shape};
    Node *record = op_binary(g, OP_OR, op_binary(g, OP_EQ, x, y), op_unary(g, OP_ISNAN, x));
    Node *place = op_iota(g, axis, places);
    Node *none = op_const_int(g, 0, places);
    if (reverse) {
        const Dim *last = dim_sub(g->dims, x->type.shape.dims[axis], dim_const(g->dims, 1));
        none = autodiff_expand_axes(g, op_dim(g, last, DTYPE_I64), places.shape, (1u << rank) - 1);
    }
    Node *source = op_prefix(g, reverse ? REDUCE_MIN : REDUCE_MAX,
                             op_select(g, record, place, none), axis, reverse);
    Node *update = op_permute(g, dy, order);
    Node *sum = op_scatter_add(g, autodiff_zeros(g, update->type), op_permute(g, source, order),
                               update, rank - 1);
    return op_permute(g, sum, inverse);
}

bool autodiff_rule_prefix(Reverse *r) {
    Node *x = r->node->inputs[0];
    const PrefixAttr *prefix = &r->node->attr.prefix;
    if (prefix->kind == REDUCE_SUM)
        r->adjoint[0] = op_prefix(r->g, REDUCE_SUM, r->dy, prefix->axis, !prefix->reverse);
    else if (prefix->kind == REDUCE_PROD)
        r->adjoint[0] = prefix_product_adjoint(r->g, x, r->dy, prefix->axis, prefix->reverse);
    else
        r->adjoint[0] =
            prefix_extremum_adjoint(r->g, x, r->node, r->dy, prefix->axis, prefix->reverse);
    return true;
}

/* ---- contractions ---- */

static bool has_label(const int8_t *labels, int count, int8_t label) {
    for (int i = 0; i < count; i++)
        if (labels[i] == label) return true;
    return false;
}

/* Adjoint of the operand with labels `own`: a label that neither dy nor the other operand has was
 * summed on this side alone, so the adjoint does not vary along it. */
static Node *operand_adjoint(Reverse *r, int operand) {
    Graph *g = r->g;
    const ContractAttr *c = &r->node->attr.contract;
    Node *self = r->node->inputs[operand], *other = r->node->inputs[1 - operand];
    const int8_t *own = operand ? c->b : c->a, *its = operand ? c->a : c->b;
    int rank = self->type.shape.rank, out_rank = r->node->type.shape.rank;
    int8_t result[SHAPE_MAX_RANK];
    int result_rank = 0;
    uint32_t absent = 0;
    for (int i = 0; i < rank; i++) {
        if (has_label(c->out, out_rank, own[i]) || has_label(its, other->type.shape.rank, own[i]))
            result[result_rank++] = own[i];
        else
            absent |= 1u << i;
    }
    Node *x = operand ? op_contract(g, other, r->dy, its, c->out, result, result_rank)
                      : op_contract(g, r->dy, other, c->out, its, result, result_rank);
    return autodiff_expand_axes(g, x, self->type.shape, absent);
}

bool autodiff_rule_contract(Reverse *r) {
    for (int i = 0; i < 2; i++)
        if (r->wanted[i]) r->adjoint[i] = operand_adjoint(r, i);
    return true;
}
