/* Builders of sources, elementwise operators, reductions, products and sorts, with their type
 * rules. */
#include "tensor/build.h"

#include <string.h>

/* ---- sources ---- */

Node *op_input(Graph *g, Name name, TensorType type) {
    Node *node = graph_node(g, OP_INPUT, type, NULL, 0);
    if (!node) return NULL;
    node->attr.input = (InputAttr){name, g->inputs.count};
    vector_push(g->arena, &g->inputs, node);
    return node;
}

Node *op_cell(Graph *g, const Cell *cell, TensorType type) {
    Node *node = graph_node(g, OP_CELL, type, NULL, 0);
    if (node) node->attr.cell = cell;
    return node;
}

Node *op_const_float(Graph *g, double value, TensorType type) {
    if (!dtype_is_float(type.dtype))
        return build_misuse(g, OP_CONST, "a float value in dtype %s", dtype_name(type.dtype));
    Node *node = graph_node(g, OP_CONST, type, NULL, 0);
    if (node) node->attr.constant.value = value;
    return node;
}

Node *op_const_int(Graph *g, int64_t value, TensorType type) {
    if (dtype_is_float(type.dtype))
        return build_misuse(g, OP_CONST, "an integer value in dtype %s", dtype_name(type.dtype));
    long long low, high;
    dtype_int_range(type.dtype, &low, &high);
    if (value < low || value > high)
        return build_misuse(g, OP_CONST, "%lld does not fit %s", (long long)value,
                            dtype_name(type.dtype));
    Node *node = graph_node(g, OP_CONST, type, NULL, 0);
    if (node) node->attr.constant.integer = value;
    return node;
}

Node *op_const(Graph *g, double value, TensorType type) {
    if (dtype_is_float(type.dtype)) return op_const_float(g, value, type);
    if (!(value >= -0x1p63 && value < 0x1p63) || value != (double)(int64_t)value)
        return build_misuse(g, OP_CONST, "%g is no value of dtype %s", value,
                            dtype_name(type.dtype));
    return op_const_int(g, (int64_t)value, type);
}

Node *op_const_data(Graph *g, const void *data, TensorType type) {
    int64_t count;
    size_t bytes;
    if (!dim_is_const(shape_elements(g->dims, &type.shape), &count) || count < 0 ||
        !checked_mul_size((size_t)count, 8, &bytes))
        return build_misuse(g, OP_CONST, "literal data needs a constant shape, not %s",
                            build_shape(g, &type.shape));
    Node *node = graph_node(g, OP_CONST, type, NULL, 0);
    if (!node) return NULL;
    if (!dtype_is_float(type.dtype)) {
        long long low, high;
        dtype_int_range(type.dtype, &low, &high);
        for (int64_t i = 0; i < count; i++) {
            int64_t value = ((const int64_t *)data)[i];
            if (value < low || value > high)
                return build_misuse(g, OP_CONST, "%lld does not fit %s", (long long)value,
                                    dtype_name(type.dtype));
        }
    }
    node->attr.constant.data = arena_copy(g->arena, data, bytes);
    return node;
}

Node *op_iota(Graph *g, int axis, TensorType type) {
    if (type.dtype == DTYPE_BOOL) return build_misuse(g, OP_IOTA, "dtype bool cannot count");
    if (axis < 0 || axis >= type.shape.rank)
        return build_misuse(g, OP_IOTA, "axis %d of a tensor with %d axes", axis, type.shape.rank);
    Node *node = graph_node(g, OP_IOTA, type, NULL, 0);
    if (node) node->attr.axis = axis;
    return node;
}

Node *op_dim(Graph *g, const Dim *dim, DType dtype) {
    dim = dim_refresh(g->dims, dim);
    if (!dim) return build_misuse(g, OP_DIM, "the value is too large");
    if (dtype == DTYPE_BOOL) return build_misuse(g, OP_DIM, "a dim has no value of dtype bool");
    Node *node = graph_node(g, OP_DIM, build_of(dtype, (Shape){0}), NULL, 0);
    if (node) node->attr.dim = dim;
    return node;
}

Node *op_random(Graph *g, uint32_t site, const char *where, bool at_init, TensorType type) {
    if (type.dtype != DTYPE_F32 && type.dtype != DTYPE_F64)
        return build_misuse(g, OP_RANDOM, "uniforms have dtype f32 or f64, not %s",
                            dtype_name(type.dtype));
    Node *node = graph_node(g, OP_RANDOM, type, NULL, 0);
    if (node)
        node->attr.random = (RandomAttr){site, arena_strdup(g->arena, where ? where : ""), at_init};
    return node;
}

/* ---- elementwise ---- */

typedef enum Rule { RULE_SAME, RULE_FLOAT, RULE_BOOL, RULE_SELECT, RULE_LOGIC, RULE_BITS } Rule;

static Rule elementwise_rule(Op op) {
#define COMMUTES 0
#define ASSOCIATES 0
#define CHEAP 0
    switch ((int)op) {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) \
    case OP_##e:                                                 \
        return RULE_##rule;
#include "tensor/ops.def"
#undef ELEMENTWISE
    default: return RULE_SAME;
    }
}

static bool rule_accepts(Rule rule, Op op, DType dtype) {
    switch (rule) {
    case RULE_SAME: return dtype != DTYPE_BOOL || op == OP_MAXIMUM || op == OP_MINIMUM;
    case RULE_FLOAT: return dtype_is_float(dtype);
    case RULE_LOGIC: return dtype == DTYPE_BOOL;
    case RULE_BITS: return !dtype_is_float(dtype);
    case RULE_BOOL:
    case RULE_SELECT: return true;
    }
    return false;
}

Node *op_elementwise(Graph *g, Op op, Node *const *inputs, int count) {
    for (int i = 0; i < count; i++)
        if (!inputs[i]) return NULL;
    if (count != op_info(op)->arity)
        return build_misuse(g, op, "takes %d operands, not %d", op_info(op)->arity, count);
    Rule rule = elementwise_rule(op);
    int first = rule == RULE_SELECT ? 1 : 0;
    if (rule == RULE_SELECT && inputs[0]->type.dtype != DTYPE_BOOL)
        return build_misuse(g, op, "the condition is bool, not %s",
                            dtype_name(inputs[0]->type.dtype));
    DType dtype = inputs[first < count ? first : 0]->type.dtype;
    for (int i = first + 1; i < count; i++)
        if (inputs[i]->type.dtype != dtype)
            return build_misuse(g, op, "operands of different dtypes %s and %s", dtype_name(dtype),
                                dtype_name(inputs[i]->type.dtype));
    if (!rule_accepts(rule, op, dtype))
        return build_misuse(g, op, "not defined for dtype %s", dtype_name(dtype));
    for (int i = 1; i < count; i++)
        if (!build_same_shape(g, &inputs[0]->type.shape, &inputs[i]->type.shape))
            return build_misuse(g, op, "operands of different shapes %s and %s",
                                build_shape(g, &inputs[0]->type.shape),
                                build_shape(g, &inputs[i]->type.shape));
    DType result = rule == RULE_BOOL || rule == RULE_LOGIC ? DTYPE_BOOL : dtype;
    return graph_node(g, op, build_of(result, inputs[0]->type.shape), inputs, count);
}

Node *op_unary(Graph *g, Op op, Node *a) {
    return op_elementwise(g, op, &a, 1);
}

Node *op_binary(Graph *g, Op op, Node *a, Node *b) {
    return op_elementwise(g, op, (Node *[]){a, b}, 2);
}

Node *op_select(Graph *g, Node *condition, Node *a, Node *b) {
    return op_elementwise(g, OP_SELECT, (Node *[]){condition, a, b}, 3);
}

Node *op_cast(Graph *g, Node *x, DType dtype) {
    if (!x || x->type.dtype == dtype) return x;
    return graph_node(g, OP_CAST, build_of(dtype, x->type.shape), &x, 1);
}

Node *op_identity(Graph *g, Node *x) {
    return x ? graph_node(g, OP_IDENTITY, x->type, &x, 1) : NULL;
}

/* ---- reductions, prefixes, sorts ---- */

static bool provably_empty(const Dim *d) {
    int64_t lower, upper;
    dim_bounds(d, &lower, &upper);
    return upper <= 0;
}

static Node *reduce_node(Graph *g, ReduceKind kind, Node *x, uint32_t axes, bool may_be_empty) {
    if (!x) return NULL;
    const char *name = reduce_name(kind);
    int rank = x->type.shape.rank;
    DType dtype = x->type.dtype;
    bool argument = reduce_is_arg(kind);
    if (axes >> rank)
        return build_misuse(g, OP_REDUCE, "%s over an axis that %s does not have", name,
                            build_type_text(g, x));
    if ((kind == REDUCE_ANY || kind == REDUCE_ALL) && dtype != DTYPE_BOOL)
        return build_misuse(g, OP_REDUCE, "%s is of bool tensors, not %s", name, dtype_name(dtype));
    if ((kind == REDUCE_SUM || kind == REDUCE_PROD) && dtype == DTYPE_BOOL)
        return build_misuse(g, OP_REDUCE, "%s is not defined for dtype bool", name);
    if (argument && (axes == 0 || (axes & (axes - 1))))
        return build_misuse(g, OP_REDUCE, "%s takes exactly one axis", name);
    Shape shape = {0};
    for (int i = 0; i < rank; i++) {
        if (!(axes >> i & 1)) {
            shape.dims[shape.rank++] = x->type.shape.dims[i];
        } else if (!may_be_empty && (argument || kind == REDUCE_MAX || kind == REDUCE_MIN) &&
                   provably_empty(x->type.shape.dims[i])) {
            return build_misuse(g, OP_REDUCE, "%s of no elements: axis %d of %s is empty", name, i,
                                build_type_text(g, x));
        }
    }
    Node *node = graph_node(g, OP_REDUCE, build_of(argument ? DTYPE_I64 : dtype, shape), &x, 1);
    if (node) node->attr.reduce = (ReduceAttr){kind, axes};
    return node;
}

Node *op_reduce(Graph *g, ReduceKind kind, Node *x, uint32_t axes) {
    return reduce_node(g, kind, x, axes, false);
}

Node *op_reduce_again(Graph *g, ReduceKind kind, Node *x, uint32_t axes) {
    return reduce_node(g, kind, x, axes, true);
}

Node *op_prefix(Graph *g, ReduceKind kind, Node *x, int axis, bool reverse) {
    if (!x) return NULL;
    if (kind != REDUCE_SUM && kind != REDUCE_PROD && kind != REDUCE_MAX && kind != REDUCE_MIN)
        return build_misuse(g, OP_PREFIX, "%s has no prefix form", reduce_name(kind));
    if (x->type.dtype == DTYPE_BOOL)
        return build_misuse(g, OP_PREFIX, "not defined for dtype bool");
    if (axis < 0 || axis >= x->type.shape.rank)
        return build_misuse(g, OP_PREFIX, "axis %d of %s", axis, build_type_text(g, x));
    Node *node = graph_node(g, OP_PREFIX, x->type, &x, 1);
    if (node) node->attr.prefix = (PrefixAttr){kind, axis, reverse};
    return node;
}

Node *op_argsort(Graph *g, Node *x, int axis, bool descending) {
    if (!x) return NULL;
    if (axis < 0 || axis >= x->type.shape.rank)
        return build_misuse(g, OP_ARGSORT, "axis %d of %s", axis, build_type_text(g, x));
    Node *node = graph_node(g, OP_ARGSORT, build_of(DTYPE_I64, x->type.shape), &x, 1);
    if (node) node->attr.sort = (SortAttr){axis, descending};
    return node;
}

/* ---- contraction ---- */

static bool contract_operand(Graph *g, Node *x, const int8_t *labels, const Dim **extents) {
    uint32_t seen = 0;
    for (int i = 0; i < x->type.shape.rank; i++) {
        int label = labels[i];
        if (label < 0 || label >= CONTRACT_MAX_LABELS || (seen >> label & 1)) {
            build_misuse(g, OP_CONTRACT, "axis %d of %s has a bad or repeated label", i,
                         build_type_text(g, x));
            return false;
        }
        seen |= 1u << label;
        const Dim *extent = x->type.shape.dims[i];
        if (extents[label] && !build_same_dim(g, extents[label], extent)) {
            build_misuse(g, OP_CONTRACT, "one label, two extents: %s and %s",
                         build_dim(g, extents[label]), build_dim(g, extent));
            return false;
        }
        if (!extents[label]) extents[label] = extent;
    }
    return true;
}

Node *op_contract(Graph *g, Node *a, Node *b, const int8_t *la, const int8_t *lb,
                  const int8_t *lout, int out_rank) {
    if (!a || !b) return NULL;
    if (a->type.dtype != b->type.dtype)
        return build_misuse(g, OP_CONTRACT, "operands of different dtypes %s and %s",
                            dtype_name(a->type.dtype), dtype_name(b->type.dtype));
    if (!dtype_is_float(a->type.dtype))
        return build_misuse(g, OP_CONTRACT, "not defined for dtype %s", dtype_name(a->type.dtype));
    if (out_rank < 0 || out_rank > SHAPE_MAX_RANK)
        return build_misuse(g, OP_CONTRACT, "a tensor has at most %d axes", SHAPE_MAX_RANK);
    const Dim *extents[CONTRACT_MAX_LABELS] = {0};
    if (!contract_operand(g, a, la, extents) || !contract_operand(g, b, lb, extents)) return NULL;
    Shape shape = {.rank = out_rank};
    uint32_t seen = 0;
    for (int i = 0; i < out_rank; i++) {
        int label = lout[i];
        if (label < 0 || label >= CONTRACT_MAX_LABELS || !extents[label] || (seen >> label & 1))
            return build_misuse(g, OP_CONTRACT, "result axis %d has a bad or repeated label", i);
        seen |= 1u << label;
        shape.dims[i] = extents[label];
    }
    Node *node = graph_node(g, OP_CONTRACT, build_of(a->type.dtype, shape), (Node *[]){a, b}, 2);
    if (!node) return NULL;
    memcpy(node->attr.contract.a, la, (size_t)a->type.shape.rank);
    memcpy(node->attr.contract.b, lb, (size_t)b->type.shape.rank);
    memcpy(node->attr.contract.out, lout, (size_t)out_rank);
    return node;
}
