/* Builders of data-dependent indexing and of the structured operators CALL and SCAN. */
#include "tensor/build.h"

#include <string.h>

/* ---- gather, scatter ---- */

static bool index_fits(Graph *g, Op op, Node *x, Node *index, int batch) {
    const Shape *s = &x->type.shape, *t = &index->type.shape;
    if (dtype_kind(index->type.dtype) != DTYPE_KIND_INTEGER) {
        build_misuse(g, op, "the index has an integer dtype, not %s",
                     dtype_name(index->type.dtype));
        return false;
    }
    if (batch < 0 || batch >= s->rank || batch > t->rank) {
        build_misuse(g, op, "%d batch axes of %s and index %s", batch, build_type_text(g, x),
                     build_type_text(g, index));
        return false;
    }
    for (int i = 0; i < batch; i++) {
        if (build_same_dim(g, s->dims[i], t->dims[i])) continue;
        build_misuse(g, op, "batch axis %d differs: %s and index %s", i, build_type_text(g, x),
                     build_type_text(g, index));
        return false;
    }
    if (t->rank + s->rank - batch - 1 > SHAPE_MAX_RANK) {
        build_misuse(g, op, "a tensor has at most %d axes", SHAPE_MAX_RANK);
        return false;
    }
    return true;
}

/* [B.., I.., P..] of x [B.., A, P..] and index [B.., I..]. */
static Shape indexed_shape(const Node *x, const Node *index, int batch) {
    Shape shape = index->type.shape;
    for (int i = batch + 1; i < x->type.shape.rank; i++)
        shape.dims[shape.rank++] = x->type.shape.dims[i];
    return shape;
}

Node *op_gather(Graph *g, Node *x, Node *index, int batch) {
    if (!x || !index || !index_fits(g, OP_GATHER, x, index, batch)) return NULL;
    TensorType type = build_of(x->type.dtype, indexed_shape(x, index, batch));
    Node *node = graph_node(g, OP_GATHER, type, (Node *[]){x, index}, 2);
    if (node) node->attr.batch = batch;
    return node;
}

static Node *scatter(Graph *g, Op op, Node *x, Node *index, Node *update, int batch) {
    if (!x || !index || !update || !index_fits(g, op, x, index, batch)) return NULL;
    Shape expected = indexed_shape(x, index, batch);
    if (update->type.dtype != x->type.dtype)
        return build_misuse(g, op, "updates of dtype %s into %s", dtype_name(update->type.dtype),
                            dtype_name(x->type.dtype));
    if (!build_same_shape(g, &update->type.shape, &expected))
        return build_misuse(g, op, "updates have shape %s, not %s", build_shape(g, &expected),
                            build_shape(g, &update->type.shape));
    if (op == OP_SCATTER_ADD && x->type.dtype == DTYPE_BOOL)
        return build_misuse(g, op, "not defined for dtype bool");
    Node *node = graph_node(g, op, x->type, (Node *[]){x, index, update}, 3);
    if (node) node->attr.batch = batch;
    return node;
}

Node *op_scatter_add(Graph *g, Node *x, Node *index, Node *update, int batch) {
    return scatter(g, OP_SCATTER_ADD, x, index, update, batch);
}

Node *op_scatter_set(Graph *g, Node *x, Node *index, Node *update, int batch) {
    return scatter(g, OP_SCATTER_SET, x, index, update, batch);
}

static bool start_fits(Graph *g, Op op, Node *x, Node *start, int axis, const Dim *extent) {
    if (start->type.shape.rank != 0 || start->type.dtype != DTYPE_I64) {
        build_misuse(g, op, "the start is one i64, not %s", build_type_text(g, start));
        return false;
    }
    if (axis < 0 || axis >= x->type.shape.rank) {
        build_misuse(g, op, "axis %d of %s", axis, build_type_text(g, x));
        return false;
    }
    if (dim_less_equal(g->dims, extent, x->type.shape.dims[axis]) == DIM_NO) {
        build_misuse(g, op, "%s elements of axis %d of %s", build_dim(g, extent), axis,
                     build_type_text(g, x));
        return false;
    }
    return true;
}

Node *op_dynamic_slice(Graph *g, Node *x, Node *start, int axis, const Dim *extent) {
    if (!x || !start || !start_fits(g, OP_DYNAMIC_SLICE, x, start, axis, extent)) return NULL;
    TensorType type = x->type;
    type.shape.dims[axis] = extent;
    Node *node = graph_node(g, OP_DYNAMIC_SLICE, type, (Node *[]){x, start}, 2);
    if (node) node->attr.dynamic = (DynamicAttr){axis, type.shape.dims[axis]};
    return node;
}

Node *op_dynamic_update(Graph *g, Node *x, Node *update, Node *start, int axis) {
    if (!x || !update || !start) return NULL;
    const Shape *s = &x->type.shape, *u = &update->type.shape;
    bool fits = u->rank == s->rank && update->type.dtype == x->type.dtype;
    for (int i = 0; i < s->rank && fits; i++)
        fits = i == axis || build_same_dim(g, u->dims[i], s->dims[i]);
    if (!fits)
        return build_misuse(g, OP_DYNAMIC_UPDATE, "update %s does not fit %s along axis %d",
                            build_type_text(g, update), build_type_text(g, x), axis);
    if (axis < 0 || axis >= s->rank)
        return build_misuse(g, OP_DYNAMIC_UPDATE, "axis %d of %s", axis, build_type_text(g, x));
    if (!start_fits(g, OP_DYNAMIC_UPDATE, x, start, axis, u->dims[axis])) return NULL;
    Node *node = graph_node(g, OP_DYNAMIC_UPDATE, x->type, (Node *[]){x, update, start}, 3);
    if (node) node->attr.dynamic = (DynamicAttr){axis, u->dims[axis]};
    return node;
}

/* ---- call, scan ---- */

static bool same_type(Graph *g, const TensorType *a, const TensorType *b) {
    return a->dtype == b->dtype && build_same_shape(g, &a->shape, &b->shape);
}

static const char *type_text(Graph *g, const TensorType *type) {
    Text text = text_new(g->arena);
    type_print(&text, type);
    return text.data;
}

static bool expect_type(Graph *g, Op op, const char *what, int index, const TensorType *expected,
                        const TensorType *actual) {
    if (same_type(g, expected, actual)) return true;
    build_misuse(g, op, "%s %d has type %s, not %s", what, index, type_text(g, expected),
                 type_text(g, actual));
    return false;
}

static bool project(Graph *g, Node *node, int count, const TensorType *types, Node **out) {
    for (int i = 0; i < count; i++) {
        out[i] = graph_node(g, OP_PROJ, types[i], &node, 1);
        if (!out[i]) return false;
        out[i]->attr.index = i;
    }
    return true;
}

static bool call_vjp_fits(Graph *g, const CallAttr *call) {
    const Graph *body = call->body, *vjp = call->vjp;
    if (vjp->inputs.count != body->inputs.count + body->results.count ||
        vjp->results.count != call->wrt_count) {
        build_misuse(g, OP_CALL,
                     "the vjp of %s takes %d inputs and gives %d results, not %d and %d",
                     call->name->text, body->inputs.count + body->results.count, call->wrt_count,
                     vjp->inputs.count, vjp->results.count);
        return false;
    }
    for (int i = 0; i < vjp->inputs.count; i++) {
        const Node *primal = i < body->inputs.count ? body->inputs.data[i]
                                                    : body->results.data[i - body->inputs.count];
        if (!expect_type(g, OP_CALL, "vjp input", i, &primal->type, &vjp->inputs.data[i]->type))
            return false;
    }
    for (int i = 0; i < call->wrt_count; i++) {
        if (call->wrt[i] < 0 || call->wrt[i] >= body->inputs.count) {
            build_misuse(g, OP_CALL, "the vjp of %s names input %d of %d", call->name->text,
                         call->wrt[i], body->inputs.count);
            return false;
        }
        if (!expect_type(g, OP_CALL, "vjp result", i, &body->inputs.data[call->wrt[i]]->type,
                         &vjp->results.data[i]->type))
            return false;
    }
    return true;
}

Node *op_call(Graph *g, CallAttr call, Node *const *inputs, int count, Node **out) {
    const Graph *body = call.body;
    for (int i = 0; i < count; i++)
        if (!inputs[i]) return NULL;
    if (count != body->inputs.count)
        return build_misuse(g, OP_CALL, "%s takes %d inputs, not %d", call.name->text,
                            body->inputs.count, count);
    if (body->results.count < 1)
        return build_misuse(g, OP_CALL, "%s has no result", call.name->text);
    for (int i = 0; i < count; i++)
        if (!expect_type(g, OP_CALL, "input", i, &body->inputs.data[i]->type, &inputs[i]->type))
            return NULL;
    if (call.vjp && !call_vjp_fits(g, &call)) return NULL;
    TensorType *types = NEW_ARRAY(g->arena, (size_t)body->results.count, TensorType);
    for (int i = 0; i < body->results.count; i++) types[i] = body->results.data[i]->type;
    Node *node = graph_node(g, OP_CALL, types[0], inputs, count);
    if (!node) return NULL;
    if (call.wrt_count)
        call.wrt = arena_copy(g->arena, call.wrt, (size_t)call.wrt_count * sizeof *call.wrt);
    node->attr.call = call;
    return project(g, node, body->results.count, types, out) ? node : NULL;
}

Node *op_scan(Graph *g, ScanAttr scan, Node *const *inputs, int count, Node **out) {
    const Graph *body = scan.body;
    for (int i = 0; i < count; i++)
        if (!inputs[i]) return NULL;
    if (scan.carries < 0 || scan.sequences < 0 || scan.invariants < 0 ||
        scan.carries + scan.sequences + scan.invariants != count || count != body->inputs.count)
        return build_misuse(g, OP_SCAN,
                            "%d carries, %d sequences, %d invariants: the body has %d "
                            "inputs, the node %d",
                            scan.carries, scan.sequences, scan.invariants, body->inputs.count,
                            count);
    scan.length = dim_refresh(g->dims, scan.length);
    if (!scan.length) return build_misuse(g, OP_SCAN, "the length is too large");
    if (body->results.count < scan.carries || body->results.count < 1)
        return build_misuse(g, OP_SCAN, "the body has %d results for %d carries",
                            body->results.count, scan.carries);
    for (int i = 0; i < count; i++) {
        TensorType type = inputs[i]->type;
        if (i >= scan.carries && i < scan.carries + scan.sequences) {
            if (type.shape.rank == 0 || !build_same_dim(g, type.shape.dims[0], scan.length))
                return build_misuse(g, OP_SCAN, "sequence %s has not %s elements",
                                    build_type_text(g, inputs[i]), build_dim(g, scan.length));
            type.shape = shape_of(type.shape.rank - 1, type.shape.dims + 1);
        }
        if (!expect_type(g, OP_SCAN, "body input", i, &type, &body->inputs.data[i]->type))
            return NULL;
    }
    TensorType *types = NEW_ARRAY(g->arena, (size_t)body->results.count, TensorType);
    for (int i = 0; i < body->results.count; i++) {
        types[i] = body->results.data[i]->type;
        if (i < scan.carries) {
            if (!expect_type(g, OP_SCAN, "carry", i, &inputs[i]->type, &types[i])) return NULL;
            types[i] = inputs[i]->type;
        } else {
            if (types[i].shape.rank == SHAPE_MAX_RANK)
                return build_misuse(g, OP_SCAN, "a tensor has at most %d axes", SHAPE_MAX_RANK);
            memmove(types[i].shape.dims + 1, types[i].shape.dims,
                    (size_t)types[i].shape.rank * sizeof *types[i].shape.dims);
            types[i].shape.dims[0] = scan.length;
            types[i].shape.rank++;
        }
    }
    Node *node = graph_node(g, OP_SCAN, types[0], inputs, count);
    if (!node) return NULL;
    node->attr.scan = scan;
    return project(g, node, body->results.count, types, out) ? node : NULL;
}
