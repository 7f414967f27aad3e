/* prim.*: the primitives of the graph as functions that the library calls.  Arguments are
 * torch-like (negative axes, one -1 in a shape); every function checks them and says both sides of
 * a mismatch. */
#include <string.h>

#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

/* Reads the arguments of one builtin; `x` is the first one as a node. */
static bool read(Lowerer *lw, const CallArguments *args, const char *signature, Span span, Value *v,
                 Node **x) {
    if (!args_get(lw, args, signature, span, v)) return false;
    if (!x) return true;
    if (!need_graph(lw, span)) return false;
    *x = tensor_of(lw, &v[0], NULL, span);
    lower_mark(lw, span);
    return *x != NULL;
}

static bool truth(const Value *v) {
    return v->kind == VALUE_BOOL ? v->as.boolean : v->kind == VALUE_INT && v->as.integer;
}

/* ---- reductions ---- */

static Value reduce(Lowerer *lw, ReduceKind kind, const CallArguments *args, Span span) {
    Value v[3];
    Node *x;
    if (!read(lw, args, "x, dims=None, keepdim=False", span, v, &x)) return value_error();
    uint32_t axes;
    if (!value_as_axes(lw, &v[1], x->type.shape.rank, span, &axes)) return value_error();
    bool wants_bool = kind == REDUCE_ANY || kind == REDUCE_ALL;
    if (wants_bool)
        x = op_cast(lw->graph, x, DTYPE_BOOL);
    else if ((kind == REDUCE_SUM || kind == REDUCE_PROD) && !dtype_is_float(x->type.dtype))
        x = op_cast(lw->graph, x, DTYPE_I64);
    if (!x) return value_error();
    if (reduce_is_arg(kind)) {
        if (x->type.shape.rank == 0)
            return value_of_node(lw, op_const_int(lw->graph, 0, (TensorType){.dtype = DTYPE_I64}),
                                 &v[0]);
        if (axes & (axes - 1)) {
            lower_error(lw, NN_AXIS, span, "%s works along one axis", reduce_name(kind));
            return value_error();
        }
    }
    if (kind >= REDUCE_MAX && kind != REDUCE_ANY && kind != REDUCE_ALL)
        for (int i = 0; i < x->type.shape.rank; i++)
            if (axes >> i & 1 && dim_is(x->type.shape.dims[i], 0)) {
                lower_error(lw, NN_AXIS, span, "%s over axis %d of %s, which has no elements",
                            reduce_name(kind), i, type_text(lw, &x->type));
                return value_error();
            }
    if (!axes && kind != REDUCE_ARGMAX && kind != REDUCE_ARGMIN) return value_of_node(lw, x, &v[0]);
    Node *result = op_reduce(lw->graph, kind, x, axes);
    if (truth(&v[2])) result = node_insert_axes(lw, result, axes);
    return value_of_node(lw, result, &v[0]);
}

#define REDUCTION(name, KIND)                                                            \
    static Value prim_reduce_##name(Lowerer *lw, const CallArguments *args, Span span) { \
        return reduce(lw, REDUCE_##KIND, args, span);                                    \
    }
REDUCTION(sum, SUM)
REDUCTION(prod, PROD)
REDUCTION(max, MAX)
REDUCTION(min, MIN)
REDUCTION(any, ANY)
REDUCTION(all, ALL)
REDUCTION(argmax, ARGMAX)
REDUCTION(argmin, ARGMIN)
#undef REDUCTION

/* ---- shapes ---- */

Node *tensor_reshape(Lowerer *lw, Node *x, const Dim *const *dims, int count, Span span) {
    Shape shape = shape_of(count, dims);
    const Dim *total = shape_elements(lw->dims, &x->type.shape), *known = dim_const(lw->dims, 1);
    int hole = -1;
    for (int i = 0; i < count; i++) {
        if (dim_is(dims[i], -1)) {
            if (hole >= 0) {
                lower_error(lw, NN_RESHAPE, span, "only one extent can be -1");
                return NULL;
            }
            hole = i;
        } else {
            known = dim_mul(lw->dims, known, dims[i]);
        }
    }
    if (!total || !known) {
        lower_error(lw, NN_RESHAPE, span, "the number of elements of %s is too large",
                    type_text(lw, &x->type));
        return NULL;
    }
    Diagnostic *d = NULL;
    if (hole >= 0) {
        const Dim *rest = dim_is(known, 0) ? NULL : dim_divide_exact(lw->dims, total, known);
        if (!rest) {
            Shape known_shape = shape;
            known_shape.dims[hole] = dim_const(lw->dims, -1);
            d = lower_error(lw, NN_RESHAPE, span,
                            "%s does not reshape to %s: %s does not divide %s",
                            type_text(lw, &x->type), shape_text(lw, &known_shape),
                            dim_text(lw, known), dim_text(lw, total));
        } else {
            shape.dims[hole] = rest;
        }
    } else if (dim_equal(lw->dims, total, known) == DIM_NO ||
               dim_equal_if_empty(lw->dims, total, known)) {
        d = lower_error(lw, NN_RESHAPE, span, "%s does not reshape to %s: %s elements are not %s",
                        type_text(lw, &x->type), shape_text(lw, &shape), dim_text(lw, total),
                        dim_text(lw, known));
    } else if (!dims_unify(lw, total, known, "reshape", span)) {
        return NULL;
    }
    if (d) {
        Value v = value_tensor(x);
        lower_tell_story(lw, d, "the tensor", &v);
        return NULL;
    }
    return shape_equal(&shape, &x->type.shape) ? x : op_reshape(lw->graph, x, shape);
}

static Value prim_reshape(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Node *x;
    const Dim *dims[SHAPE_MAX_RANK];
    int count = 0;
    if (!read(lw, args, "x, shape", span, v, &x) ||
        !value_flatten_dims(lw, &v[1], "reshape", span, dims, SHAPE_MAX_RANK, &count))
        return value_error();
    return value_of_node(lw, tensor_reshape(lw, x, dims, count, span), &v[0]);
}

static Value prim_permute(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Node *x;
    const Dim *dims[SHAPE_MAX_RANK];
    int count = 0, axes[SHAPE_MAX_RANK];
    uint32_t seen = 0;
    if (!read(lw, args, "x, axes", span, v, &x) ||
        !value_flatten_dims(lw, &v[1], "permute", span, dims, SHAPE_MAX_RANK, &count))
        return value_error();
    if (count != x->type.shape.rank) {
        lower_error(lw, NN_AXIS, span, "permute: %d axes are named, %s has %d", count,
                    type_text(lw, &x->type), x->type.shape.rank);
        return value_error();
    }
    bool same = true;
    for (int i = 0; i < count; i++) {
        Value axis = value_dim(dims[i]);
        if (!value_as_axis(lw, &axis, count, span, &axes[i])) return value_error();
        if (seen >> axes[i] & 1) {
            lower_error(lw, NN_AXIS, span, "permute: axis %d appears twice", axes[i]);
            return value_error();
        }
        seen |= 1u << axes[i];
        same &= axes[i] == i;
    }
    return value_of_node(lw, same ? x : op_permute(lw->graph, x, axes), &v[0]);
}

static Value prim_expand(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Node *x;
    const Dim *dims[SHAPE_MAX_RANK];
    int count = 0;
    if (!read(lw, args, "x, shape", span, v, &x) ||
        !value_flatten_dims(lw, &v[1], "expand", span, dims, SHAPE_MAX_RANK, &count))
        return value_error();
    int shift = count - x->type.shape.rank;
    for (int i = 0; i < count; i++)
        if (dim_is(dims[i], -1)) {
            if (i < shift) {
                lower_error(lw, NN_AXIS, span, "expand: -1 stands for a new axis of %s",
                            type_text(lw, &x->type));
                return value_error();
            }
            dims[i] = x->type.shape.dims[i - shift];
        }
    Shape shape = shape_of(count, dims);
    return value_of_node(lw, tensor_broadcast_to(lw, x, &shape, span), &v[0]);
}

static Value prim_broadcast(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!read(lw, args, "a, b", span, v, NULL)) return value_error();
    Operand operands[2];
    Shape shape;
    if (!operand_read(lw, &v[0], span, &operands[0]) ||
        !operand_read(lw, &v[1], span, &operands[1]) ||
        !operands_shape(lw, "broadcasting", operands, 2, &shape, span))
        return value_error();
    lower_mark(lw, span);
    Value out[2];
    for (int i = 0; i < 2; i++) {
        Node *x =
            operands[i].node ? operands[i].node : tensor_of(lw, &v[i], operands[1 - i].node, span);
        out[i] = value_of_node(lw, tensor_broadcast_to(lw, x, &shape, span), &v[i]);
        if (out[i].kind == VALUE_ERROR) return out[i];
    }
    return value_tuple(lw->arena, out, 2);
}

/* The part [start, start + extent) of an axis: what split and chunk need. */
static Value prim_narrow(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[4];
    Node *x;
    int axis;
    const Dim *start, *extent;
    if (!read(lw, args, "x, axis, start, extent", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis) ||
        !value_as_dim(lw, &v[2], "start", span, &start) ||
        !value_as_dim(lw, &v[3], "extent", span, &extent))
        return value_error();
    const Dim *end = dim_add(lw->dims, start, extent);
    if (!dims_require_order(lw, end, x->type.shape.dims[axis], NULL, span)) {
        lower_error(lw, NN_TENSOR_INDEX, span, "the part from %s to %s of axis %d is outside of %s",
                    dim_text(lw, start), dim_text(lw, end), axis, type_text(lw, &x->type));
        return value_error();
    }
    if (dim_is(start, 0) && extent == x->type.shape.dims[axis]) return value_of_node(lw, x, &v[0]);
    return value_of_node(lw, op_slice_axis(lw->graph, x, axis, start, extent, 1), &v[0]);
}

static Value prim_flip(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Node *x;
    uint32_t axes;
    if (!read(lw, args, "x, axes", span, v, &x) ||
        !value_as_axes(lw, &v[1], x->type.shape.rank, span, &axes))
        return value_error();
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    for (int i = 0; i < x->type.shape.rank; i++) {
        bool flipped = axes >> i & 1;
        step[i] = flipped ? -1 : 1;
        begin[i] = flipped ? dim_sub(lw->dims, x->type.shape.dims[i], dim_const(lw->dims, 1))
                           : dim_const(lw->dims, 0);
    }
    return value_of_node(lw, axes ? op_slice(lw->graph, x, begin, step, x->type.shape) : x, &v[0]);
}

/* low and high per axis, aligned at the right; negative extents crop. */
static Value prim_pad(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[4];
    Node *x;
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK], *zero = dim_const(lw->dims, 0);
    int lows = 0, highs = 0;
    if (!read(lw, args, "x, low, high, value=0", span, v, &x) ||
        !value_flatten_dims(lw, &v[1], "pad", span, low, SHAPE_MAX_RANK, &lows) ||
        !value_flatten_dims(lw, &v[2], "pad", span, high, SHAPE_MAX_RANK, &highs))
        return value_error();
    int rank = x->type.shape.rank;
    if (lows != highs || lows > rank) {
        lower_error(lw, NN_AXIS, span, "pad: %d and %d extents are given for %s", lows, highs,
                    type_text(lw, &x->type));
        return value_error();
    }
    const Dim *full_low[SHAPE_MAX_RANK], *full_high[SHAPE_MAX_RANK];
    bool any = false;
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - lows);
        full_low[i] = from < 0 ? zero : low[from];
        full_high[i] = from < 0 ? zero : high[from];
        any |= full_low[i] != zero || full_high[i] != zero;
    }
    if (!any) return value_of_node(lw, x, &v[0]);
    Node *fill = tensor_of(lw, &v[3], x, span);
    if (!fill) return value_error();
    return value_of_node(
        lw, op_pad(lw->graph, x, op_cast(lw->graph, fill, x->type.dtype), full_low, full_high),
        &v[0]);
}

static Value prim_concat(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    if (!read(lw, args, "tensors, axis=0", span, v, NULL)) return value_error();
    if ((v[0].kind != VALUE_LIST && v[0].kind != VALUE_TUPLE) || !v[0].as.list->items.count) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "cat and stack take a list of tensors, found %s",
                    value_is_list(&v[0]) ? "an empty one" : value_kind_name(&v[0]));
        return value_error();
    }
    int count = v[0].as.list->items.count, axis;
    Operand *operands = NEW_ARRAY(lw->arena, count, Operand);
    Node **nodes = NEW_ARRAY(lw->arena, count, Node *);
    for (int i = 0; i < count; i++) {
        operands[i].value = &v[0].as.list->items.data[i];
        operands[i].node = nodes[i] = value_node(lw, operands[i].value, span);
        if (!nodes[i]) return value_error();
    }
    lower_mark(lw, span);
    int rank = nodes[0]->type.shape.rank;
    if (!value_as_axis(lw, &v[1], rank, span, &axis)) return value_error();
    DType dtype = operands_dtype(lw, operands, count);
    for (int i = 0; i < count; i++) {
        bool fits = nodes[i]->type.shape.rank == rank;
        for (int k = 0; fits && k < rank; k++)
            if (k != axis)
                fits = dim_equal(lw->dims, nodes[0]->type.shape.dims[k],
                                 nodes[i]->type.shape.dims[k]) != DIM_NO;
        if (!fits) {
            lower_error(lw, NN_BROADCAST, span,
                        "tensor %d of the list is %s, the first is %s: only axis %d may differ", i,
                        type_text(lw, &nodes[i]->type), type_text(lw, &nodes[0]->type), axis);
            return value_error();
        }
        for (int k = 0; k < rank; k++)
            if (k != axis && !dims_unify(lw, nodes[0]->type.shape.dims[k],
                                         nodes[i]->type.shape.dims[k], "cat", span))
                return value_error();
        nodes[i] = op_cast(lw->graph, nodes[i], dtype);
    }
    if (count == 1) return value_of_node(lw, nodes[0], operands[0].value);
    return value_of_node(lw, op_concat(lw->graph, nodes, count, axis), operands[0].value);
}

/* ---- sources ---- */

/* Python's classes of numbers are dtypes for torch. */
static bool dtype_of_class(const char *name, DType *out) {
    static const struct {
        const char *name;
        DType dtype;
    } classes[] = {{"bool", DTYPE_BOOL}, {"int", DTYPE_I64}, {"float", DTYPE_F64}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (!strcmp(classes[i].name, name)) {
            *out = classes[i].dtype;
            return true;
        }
    return false;
}

static bool read_dtype(Lowerer *lw, const Value *v, DType otherwise, Span span, DType *out) {
    *out = otherwise;
    if (v->kind == VALUE_NONE) return true;
    if (v->kind == VALUE_DTYPE) {
        *out = v->as.dtype;
        return true;
    }
    if (v->kind == VALUE_BUILTIN && dtype_of_class(v->as.builtin->name, out)) return true;
    if (v->kind != VALUE_ERROR)
        lower_error(lw, NN_TENSOR_OPERAND, span, "dtype must be a dtype such as f32, found %s",
                    value_kind_name(v));
    return false;
}

static bool read_shape(Lowerer *lw, const Value *v, Span span, Shape *out) {
    out->rank = 0;
    if (!value_flatten_dims(lw, v, "shape", span, out->dims, SHAPE_MAX_RANK, &out->rank))
        return false;
    for (int i = 0; i < out->rank; i++)
        if (dim_less_equal(lw->dims, dim_const(lw->dims, 0), out->dims[i]) == DIM_NO) {
            lower_error(lw, NN_AXIS, span, "a tensor cannot have extent %s",
                        dim_text(lw, out->dims[i]));
            return false;
        }
    return true;
}

static Value prim_full(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Shape shape;
    DType dtype;
    if (!read(lw, args, "shape, value, dtype=None", span, v, NULL) || !need_graph(lw, span) ||
        !read_shape(lw, &v[0], span, &shape))
        return value_error();
    Operand fill;
    if (!operand_read(lw, &v[1], span, &fill)) return value_error();
    lower_mark(lw, span);
    if (!read_dtype(lw, &v[2], operands_dtype(lw, &fill, 1), span, &dtype)) return value_error();
    if (!fill.node && v[1].kind != VALUE_DIM) {
        double number = v[1].kind == VALUE_FLOAT ? v[1].as.number : 0;
        TensorType type = {dtype, shape};
        if (v[1].kind == VALUE_FLOAT) {
            if (dtype_is_float(dtype))
                return value_of_node(lw, op_const_float(lw->graph, number, type), NULL);
            return value_of_node(lw, op_const_int(lw->graph, (int64_t)number, type), NULL);
        }
        int64_t integer = v[1].kind == VALUE_BOOL ? v[1].as.boolean : v[1].as.integer;
        if (dtype_is_float(dtype))
            return value_of_node(lw, op_const_float(lw->graph, (double)integer, type), NULL);
        return value_of_node(
            lw, op_const_int(lw->graph, dtype == DTYPE_BOOL ? integer != 0 : integer, type), NULL);
    }
    return value_of_node(lw, operand_node(lw, &fill, dtype, &shape, span), NULL);
}

/* Nested lists as a literal: the extents from the first of each level, then the numbers. */
typedef struct Literal {
    VECTOR(Value) numbers;
    const Dim *dims[SHAPE_MAX_RANK];
    int rank;
} Literal;

static bool literal_read(Lowerer *lw, const Value *v, int level, Span span, Literal *out) {
    if (v->kind == VALUE_ERROR) return false;
    if (!lower_step(lw, span)) return false;
    if (!value_is_list(v)) {
        bool number = v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_BOOL;
        if (number && level == out->rank) {
            vector_push(lw->arena, &out->numbers, *v);
            return true;
        }
        if (number)
            lower_error(lw, NN_TENSOR_OPERAND, span, "the lists of a tensor are not equally deep");
        else
            lower_error(lw, NN_TENSOR_OPERAND, span, "a tensor is made of numbers, found %s",
                        value_kind_name(v));
        return false;
    }
    int count = v->as.list->items.count;
    int64_t extent = -1;
    if (level == SHAPE_MAX_RANK || (level == out->rank && out->numbers.count)) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "the lists of a tensor are not equally deep");
        return false;
    }
    if (level == out->rank) out->dims[out->rank++] = dim_const(lw->dims, count);
    if (!dim_is_const(out->dims[level], &extent) || extent != count) {
        lower_error(lw, NN_TENSOR_OPERAND, span,
                    "the lists of a tensor are not equally long: %lld and %d", (long long)extent,
                    count);
        return false;
    }
    for (int i = 0; i < count; i++)
        if (!literal_read(lw, &v->as.list->items.data[i], level + 1, span, out)) return false;
    return true;
}

/* prim.literal([[1, 2], [3, 4]]): numbers that are known while compiling. */
static Value prim_literal(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    DType dtype = DTYPE_BOOL;
    Literal literal = {.rank = 0};
    if (!read(lw, args, "data, dtype=None", span, v, NULL) || !need_graph(lw, span) ||
        !literal_read(lw, &v[0], 0, span, &literal))
        return value_error();
    int count = literal.numbers.count;
    if (!count) dtype = lw->options->default_dtype;
    for (int i = 0; i < count; i++) {
        ValueKind kind = literal.numbers.data[i].kind;
        if (kind == VALUE_FLOAT) dtype = lw->options->default_dtype;
        if (kind == VALUE_INT && !dtype_is_float(dtype)) dtype = DTYPE_I64;
    }
    if (!read_dtype(lw, &v[1], dtype, span, &dtype)) return value_error();
    union {
        int64_t integer;
        double number;
    } *data = arena_alloc(lw->arena, ((size_t)count + 1) * sizeof *data);
    for (int i = 0; i < count; i++) {
        const Value *n = &literal.numbers.data[i];
        double number = n->kind == VALUE_FLOAT ? n->as.number
                        : n->kind == VALUE_INT ? (double)n->as.integer
                                               : n->as.boolean;
        if (dtype_is_float(dtype))
            data[i].number = number;
        else if (dtype == DTYPE_BOOL)
            data[i].integer = number != 0;
        else if (n->kind != VALUE_FLOAT)
            data[i].integer = n->kind == VALUE_INT ? n->as.integer : n->as.boolean;
        else if (number > -0x1p63 && number < 0x1p63)
            data[i].integer = (int64_t)number;
        else {
            lower_error(lw, NN_TENSOR_OPERAND, span, "%g is no %s", number, dtype_name(dtype));
            return value_error();
        }
    }
    lower_mark(lw, span);
    TensorType type = {dtype, shape_of(literal.rank, literal.dims)};
    return value_of_node(lw, op_const_data(lw->graph, data, type), NULL);
}

static Value prim_iota(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Shape shape;
    DType dtype;
    int axis;
    if (!read(lw, args, "shape, axis=0, dtype=None", span, v, NULL) || !need_graph(lw, span) ||
        !read_shape(lw, &v[0], span, &shape) ||
        !value_as_axis(lw, &v[1], shape.rank, span, &axis) ||
        !read_dtype(lw, &v[2], DTYPE_I64, span, &dtype))
        return value_error();
    lower_mark(lw, span);
    return value_of_node(lw, op_iota(lw->graph, axis, (TensorType){dtype, shape}), NULL);
}

Value prim_random(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Shape shape;
    DType dtype;
    if (!read(lw, args, "shape, dtype=None", span, v, NULL) || !need_graph(lw, span) ||
        !read_shape(lw, &v[0], span, &shape) ||
        !read_dtype(lw, &v[1], lw->options->default_dtype, span, &dtype))
        return value_error();
    lower_mark(lw, span);
    const char *where;
    uint32_t site = random_site(lw, &where);
    DType drawn = dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32;
    Node *bits =
        op_random(lw->graph, site, where, lw->init_cell != NULL, (TensorType){drawn, shape});
    if (lw->entry && !lw->init_cell) lw->entry->uses_random = true;
    return value_of_node(lw, bits ? op_cast(lw->graph, bits, dtype) : NULL, NULL);
}

static Value prim_cast(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Node *x;
    DType dtype;
    if (!read(lw, args, "x, dtype", span, v, &x) ||
        !read_dtype(lw, &v[1], x->type.dtype, span, &dtype))
        return value_error();
    return value_of_node(lw, op_cast(lw->graph, x, dtype), &v[0]);
}

static Value prim_identity(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    Node *x;
    if (!read(lw, args, "x", span, v, &x)) return value_error();
    return value_of_node(lw, op_identity(lw->graph, x), &v[0]);
}

static Value prim_detach(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    Node *x;
    if (!read(lw, args, "x", span, v, &x)) return value_error();
    Node *cut = op_identity(lw->graph, x);
    if (cut) cut->no_grad = true;
    return value_of_node(lw, cut, &v[0]);
}

/* ---- compile-time facts ---- */

static Value prim_is_tensor(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!read(lw, args, "x", span, v, NULL)) return value_error();
    return value_bool(value_is_tensor(&v[0]));
}

static Value prim_is_floating(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!read(lw, args, "dtype", span, v, NULL)) return value_error();
    return value_bool(v[0].kind == VALUE_DTYPE && dtype_is_float(v[0].as.dtype));
}

/* Whether a number or dim is known while compiling. */
static Value prim_is_constant(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!read(lw, args, "x", span, v, NULL)) return value_error();
    return value_bool(v[0].kind == VALUE_INT || v[0].kind == VALUE_FLOAT ||
                      v[0].kind == VALUE_BOOL);
}

/* The distance from 1 to the next number of a float dtype. */
static Value prim_epsilon(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    if (!read(lw, args, "dtype", span, v, NULL)) return value_error();
    DType dtype = v[0].kind == VALUE_DTYPE ? v[0].as.dtype : DTYPE_BOOL;
    if (dtype == DTYPE_F64) return value_float(0x1p-52);
    if (dtype == DTYPE_F32) return value_float(0x1p-23);
    if (dtype == DTYPE_F16) return value_float(0x1p-10);
    if (dtype == DTYPE_BF16) return value_float(0x1p-7);
    lower_error(lw, NN_TENSOR_DTYPE, span, "only floating-point dtypes have an epsilon");
    return value_error();
}

static Value prim_result_dtype(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    Operand operands[2];
    if (!read(lw, args, "a, b", span, v, NULL) || !operand_read(lw, &v[0], span, &operands[0]) ||
        !operand_read(lw, &v[1], span, &operands[1]))
        return value_error();
    return value_dtype(operands_dtype(lw, operands, 2));
}

const Builtin prim_builtins[] = {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) {name, prim_##e},
#include "tensor/ops.def"
#undef ELEMENTWISE
    {"reduce_sum", prim_reduce_sum},
    {"reduce_prod", prim_reduce_prod},
    {"reduce_max", prim_reduce_max},
    {"reduce_min", prim_reduce_min},
    {"reduce_any", prim_reduce_any},
    {"reduce_all", prim_reduce_all},
    {"argmax", prim_reduce_argmax},
    {"argmin", prim_reduce_argmin},
    {"reshape", prim_reshape},
    {"permute", prim_permute},
    {"expand", prim_expand},
    {"broadcast", prim_broadcast},
    {"narrow", prim_narrow},
    {"flip", prim_flip},
    {"pad", prim_pad},
    {"concat", prim_concat},
    {"unfold", prim_unfold},
    {"fold", prim_fold},
    {"einsum", prim_einsum},
    {"gather", prim_gather},
    {"take", prim_take},
    {"scatter_add", prim_scatter_add},
    {"scatter_set", prim_scatter_set},
    {"dynamic_slice", prim_dynamic_slice},
    {"dynamic_update", prim_dynamic_update},
    {"prefix", prim_prefix},
    {"argsort", prim_argsort},
    {"full", prim_full},
    {"literal", prim_literal},
    {"iota", prim_iota},
    {"random", prim_random},
    {"cast", prim_cast},
    {"identity", prim_identity},
    {"detach", prim_detach},
    {"is_tensor", prim_is_tensor},
    {"is_floating", prim_is_floating},
    {"result_dtype", prim_result_dtype},
    {"is_constant", prim_is_constant},
    {"epsilon", prim_epsilon},
    {"check_range", prim_check_range},
    {"initialise", prim_initialise},
    {"children", prim_children},
    {"add_module", prim_add_module},
    {"param", prim_param},
    {"member", prim_member},
    {"runtime", prim_runtime},
    {"accepts", prim_accepts},
    {"copy", prim_copy},
    {"grad", prim_grad},
    {NULL, NULL},
};
