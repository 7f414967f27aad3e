/* Graphs: nodes in creation order, misuse reports, copying one node or a whole body. */
#include "tensor/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/build.h"

Graph *graph_new(Arena *arena, DimTable *dims) {
    Graph *g = NEW(arena, Graph);
    g->arena = arena;
    g->dims = dims;
    g->path = "";
    return g;
}

int64_t type_constant_bytes(const TensorType *type) {
    int64_t bytes = (int64_t)dtype_bytes(type->dtype), extent;
    for (int i = 0; i < type->shape.rank; i++) {
        if (!dim_is_const(type->shape.dims[i], &extent) || extent <= 1) continue;
        if (!checked_mul(bytes, extent, &bytes)) return INT64_MAX;
    }
    return bytes;
}

void type_print(Text *out, const TensorType *type) {
    text_append(out, dtype_name(type->dtype));
    if (type->shape.rank) shape_print(out, &type->shape);
}

const char *build_type_text(Graph *g, const Node *x) {
    Text text = text_new(g->arena);
    type_print(&text, &x->type);
    return text.data;
}

const char *build_shape(Graph *g, const Shape *s) {
    Text text = text_new(g->arena);
    shape_print(&text, s);
    return text.data;
}

const char *build_dim(Graph *g, const Dim *d) {
    Text text = text_new(g->arena);
    dim_print(&text, d);
    return text.data;
}

Node *build_misuse(Graph *g, Op op, const char *format, ...) {
    Text text = text_new(g->arena);
    text_printf(&text, "%s: ", op_info(op)->name);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    if (!g->complain) {
        fprintf(stderr, "nnc: bug: %s\n", text.data);
        abort();
    }
    g->complain(g->complain_user, text.data);
    return NULL;
}

bool build_same_dim(Graph *g, const Dim *a, const Dim *b) {
    return a == b || dim_equal(g->dims, a, b) == DIM_YES;
}

bool build_same_shape(Graph *g, const Shape *a, const Shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (!build_same_dim(g, a->dims[i], b->dims[i])) return false;
    return true;
}

static Node *append(Graph *g, Node *const *inputs, int count) {
    Node *node = NEW(g->arena, Node);
    node->id = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    node->input_count = count;
    if (count) node->inputs = arena_copy(g->arena, inputs, (size_t)count * sizeof *inputs);
    vector_push(g->arena, &g->nodes, node);
    return node;
}

Node *graph_node(Graph *g, Op op, TensorType type, Node *const *inputs, int count) {
    if (type.shape.rank < 0 || type.shape.rank > SHAPE_MAX_RANK)
        return build_misuse(g, op, "a tensor has at most %d axes", SHAPE_MAX_RANK);
    int64_t most = (int64_t)dtype_bytes(type.dtype); /* where every name is 1 */
    bool empty = false, fits = true;
    for (int i = 0; i < type.shape.rank; i++) {
        type.shape.dims[i] = dim_refresh(g->dims, type.shape.dims[i]);
        if (!type.shape.dims[i])
            return build_misuse(g, op, "the extent of axis %d is too large", i);
        if (g->complain && !dim_is_short(type.shape.dims[i]))
            return build_misuse(g, op,
                                "the extent of axis %d is an expression of more than %d parts", i,
                                DIM_MOST_PARTS);
        int64_t lower, upper;
        dim_bounds(type.shape.dims[i], &lower, &upper);
        if (lower < 0 && dim_at_most(g->dims, type.shape.dims[i], dim_const(g->dims, -1)))
            return build_misuse(g, op, "the extent of axis %d would be negative: %s", i,
                                build_dim(g, type.shape.dims[i]));
        empty |= upper == 0;
        int64_t weight = dim_weight(type.shape.dims[i]), extent = lower > weight ? lower : weight;
        fits = fits && checked_mul(most, extent > 1 ? extent : 1, &most);
    }
    /* Sizes of buffers, sums and products of them in later passes then fit in 64 bits. */
    if (g->complain && !empty && (!fits || most > TENSOR_MAX_BYTES))
        return build_misuse(g, op, "the tensor is too large: %s", build_shape(g, &type.shape));
    for (int i = type.shape.rank; i < SHAPE_MAX_RANK; i++) type.shape.dims[i] = NULL;
    Node *node = append(g, inputs, count);
    node->op = op;
    node->type = type;
    node->no_grad = g->no_grad;
    node->backward = g->backward;
    node->span = g->span;
    node->path = g->path ? g->path : "";
    return node;
}

/* The structured node alone, without the PROJ nodes that read it. */
static Node *structured_like(Graph *g, const Node *model, Node *const *inputs) {
    Node *node = graph_node(g, model->op, model->type, inputs, model->input_count);
    if (node) node->attr = model->attr;
    return node;
}

/* Would the builder of the model check and compute now what it did then? */
static bool has_operands_of(Graph *g, const Node *m, Node *const *in) {
    if (op_info(m->op)->class_ == CLASS_STRUCTURED || m->op == OP_INPUT) return false;
    if (m->op == OP_CONST && m->attr.constant.data) return false;
    for (int i = 0; i < m->type.shape.rank; i++)
        if (dim_refresh(g->dims, m->type.shape.dims[i]) != m->type.shape.dims[i]) return false;
    for (int i = 0; i < m->input_count; i++)
        if (!in[i] || in[i]->type.dtype != m->inputs[i]->type.dtype ||
            !shape_equal(&in[i]->type.shape, &m->inputs[i]->type.shape))
            return false;
    return true;
}

/* Attributes move to the graph's arena, and to the normal form of today. */
static Node *copy_node(Graph *g, const Node *m, Node *const *in) {
    Node *node = append(g, in, m->input_count);
    Node **inputs = node->inputs;
    int id = node->id, rank = m->type.shape.rank;
    *node = *m;
    node->id = id;
    node->inputs = inputs;
    node->no_grad |= g->no_grad;
    node->backward |= g->backward;
    node->info = NULL;
    switch ((int)m->op) {
    case OP_DIM: node->attr.dim = dim_refresh(g->dims, m->attr.dim); break;
    case OP_RANDOM: node->attr.random.where = arena_strdup(g->arena, m->attr.random.where); break;
    case OP_SLICE: {
        SliceAttr *slice = arena_copy(g->arena, m->attr.slice, sizeof *slice);
        for (int i = 0; i < rank; i++) slice->begin[i] = dim_refresh(g->dims, slice->begin[i]);
        node->attr.slice = slice;
        break;
    }
    case OP_PAD: {
        PadAttr *pad = arena_copy(g->arena, m->attr.pad, sizeof *pad);
        for (int i = 0; i < rank; i++) {
            pad->low[i] = dim_refresh(g->dims, pad->low[i]);
            pad->high[i] = dim_refresh(g->dims, pad->high[i]);
        }
        node->attr.pad = pad;
        break;
    }
    case OP_UNFOLD:
    case OP_FOLD: node->attr.window.extent = dim_refresh(g->dims, m->attr.window.extent); break;
    case OP_DYNAMIC_SLICE:
        node->attr.dynamic.extent = dim_refresh(g->dims, m->attr.dynamic.extent);
        break;
    default: break;
    }
    return node;
}

static Node *build_like(Graph *g, const Node *m, Node *const *in) {
    switch (m->op) {
    case OP_INPUT: return op_input(g, m->attr.input.name, m->type);
    case OP_CELL: return op_cell(g, m->attr.cell, m->type);
    case OP_CONST:
        if (m->attr.constant.data) return op_const_data(g, m->attr.constant.data, m->type);
        if (dtype_is_float(m->type.dtype))
            return op_const_float(g, m->attr.constant.value, m->type);
        return op_const_int(g, m->attr.constant.integer, m->type);
    case OP_IOTA: return op_iota(g, m->attr.axis, m->type);
    case OP_DIM: return op_dim(g, m->attr.dim, m->type.dtype);
    case OP_RANDOM:
        return op_random(g, m->attr.random.site, m->attr.random.where, m->attr.random.at_init,
                         m->type);
    case OP_CAST: return op_cast(g, in[0], m->type.dtype);
    case OP_IDENTITY: return op_identity(g, in[0]);
    case OP_RESHAPE: return op_reshape(g, in[0], m->type.shape);
    case OP_PERMUTE: return op_permute(g, in[0], m->attr.axes);
    case OP_EXPAND: return op_expand(g, in[0], m->type.shape, m->attr.axes);
    case OP_SLICE:
        return op_slice(g, in[0], m->attr.slice->begin, m->attr.slice->step, m->type.shape);
    case OP_PAD: return op_pad(g, in[0], in[1], m->attr.pad->low, m->attr.pad->high);
    case OP_CONCAT: return op_concat(g, in, m->input_count, m->attr.axis);
    case OP_UNFOLD:
        return op_unfold(g, in[0], m->attr.window.axis, m->attr.window.size, m->attr.window.stride,
                         m->attr.window.dilation);
    case OP_FOLD:
        return op_fold(g, in[0], m->attr.window.axis, m->attr.window.extent, m->attr.window.stride,
                       m->attr.window.dilation);
    case OP_REDUCE: return op_reduce_again(g, m->attr.reduce.kind, in[0], m->attr.reduce.axes);
    case OP_CONTRACT:
        return op_contract(g, in[0], in[1], m->attr.contract.a, m->attr.contract.b,
                           m->attr.contract.out, m->type.shape.rank);
    case OP_PREFIX:
        return op_prefix(g, m->attr.prefix.kind, in[0], m->attr.prefix.axis,
                         m->attr.prefix.reverse);
    case OP_ARGSORT: return op_argsort(g, in[0], m->attr.sort.axis, m->attr.sort.descending);
    case OP_GATHER: return op_gather(g, in[0], in[1], m->attr.batch);
    case OP_SCATTER_ADD: return op_scatter_add(g, in[0], in[1], in[2], m->attr.batch);
    case OP_SCATTER_SET: return op_scatter_set(g, in[0], in[1], in[2], m->attr.batch);
    case OP_DYNAMIC_SLICE:
        return op_dynamic_slice(g, in[0], in[1], m->attr.dynamic.axis, m->attr.dynamic.extent);
    case OP_DYNAMIC_UPDATE: return op_dynamic_update(g, in[0], in[1], in[2], m->attr.dynamic.axis);
    case OP_CALL:
    case OP_SCAN: return structured_like(g, m, in);
    case OP_PROJ: {
        Node *node = graph_node(g, OP_PROJ, m->type, in, 1);
        if (node) node->attr.index = m->attr.index;
        return node;
    }
#define ELEMENTWISE(e, name, arity, rule, properties, reference) case OP_##e:
#include "tensor/ops.def"
#undef ELEMENTWISE
        return op_elementwise(g, m->op, in, m->input_count);
    case OP_COUNT: break;
    }
    return NULL;
}

Node *op_again(Graph *g, const Node *model, Node *const *inputs) {
    Span span = g->span;
    const char *path = g->path;
    bool no_grad = g->no_grad, backward = g->backward;
    g->span = model->span;
    g->path = model->path;
    g->no_grad |= model->no_grad;
    g->backward |= model->backward;
    Node *node = build_like(g, model, inputs);
    g->span = span;
    g->path = path;
    g->no_grad = no_grad;
    g->backward = backward;
    return node;
}

Node *op_like(Graph *g, const Node *model, Node *const *inputs) {
    return has_operands_of(g, model, inputs) ? copy_node(g, model, inputs)
                                             : op_again(g, model, inputs);
}

void graph_inline(Graph *g, const Graph *body, Node *const *inputs, Node **out) {
    int id_count = body->nodes.count ? vector_last(&body->nodes)->id + 1 : 0;
    Node **copies = NEW_ARRAY(g->arena, (size_t)id_count, Node *);
    for (int i = 0; i < body->nodes.count; i++) {
        const Node *node = body->nodes.data[i];
        if (node->op == OP_INPUT) {
            copies[node->id] = inputs[node->attr.input.index];
            continue;
        }
        Node **in = NEW_ARRAY(g->arena, (size_t)node->input_count, Node *);
        bool known = true;
        for (int j = 0; j < node->input_count; j++) {
            in[j] = copies[node->inputs[j]->id];
            known &= in[j] != NULL;
        }
        copies[node->id] = known ? op_like(g, node, in) : NULL;
    }
    for (int i = 0; i < body->results.count; i++) out[i] = copies[body->results.data[i]->id];
}
