/* Attributes of tensors that are facts or views: shape, dtype, ndim, T, mT, data, requires_grad;
 * and the bound methods that need the compiler (backward, detach come from gradient_builtins). */
#include <string.h>

#include "lower/cells/cells_internal.h"
#include "lower/tensor/tensor_internal.h"

static Value shape_value(Lowerer *lw, const Shape *shape) {
    Value dims[SHAPE_MAX_RANK];
    for (int i = 0; i < shape->rank; i++) dims[i] = value_dim(shape->dims[i]);
    return value_tuple(lw->arena, dims, shape->rank);
}

/* The type of a tensor or cell, without reading the cell (which would be a use of its value). */
static bool tensor_type_of(Lowerer *lw, const Value *x, TensorType *out) {
    (void)lw;
    if (x->kind == VALUE_TENSOR)
        *out = x->as.tensor->type;
    else if (x->kind == VALUE_CELL)
        *out = cell_resolve(x->as.cell)->cell->type;
    else
        return false;
    return true;
}

static Node *swap_last_axes(Lowerer *lw, const Value *x, bool all, Span span) {
    Node *node = value_node(lw, x, span);
    if (!node) return NULL;
    int rank = node->type.shape.rank, axes[SHAPE_MAX_RANK];
    if (rank < 2) {
        if (all) return node;
        lower_error(lw, NN_AXIS, span, "mT needs at least two axes, found %s",
                    type_text(lw, &node->type));
        return NULL;
    }
    for (int i = 0; i < rank; i++) axes[i] = all ? rank - 1 - i : i;
    if (!all) axes[rank - 2] = rank - 1, axes[rank - 1] = rank - 2;
    return op_permute(lw->graph, node, axes);
}

/* ---- methods that answer at compile time, or name a dtype ---- */

static Value method_size(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[2];
    TensorType type;
    int axis;
    if (!args_get(lw, args, "x, dim=None", span, v) || !tensor_type_of(lw, &v[0], &type))
        return value_error();
    if (v[1].kind == VALUE_NONE) return shape_value(lw, &type.shape);
    if (!value_as_axis(lw, &v[1], type.shape.rank, span, &axis)) return value_error();
    return value_dim(type.shape.dims[axis]);
}

static Value method_numel(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    TensorType type;
    if (!args_get(lw, args, "x", span, v) || !tensor_type_of(lw, &v[0], &type))
        return value_error();
    const Dim *elements = shape_elements(lw->dims, &type.shape);
    if (elements) return value_dim(elements);
    lower_error(lw, NN_RESHAPE, span, "the number of elements of %s is too large",
                type_text(lw, &type));
    return value_error();
}

static Value method_dim(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    TensorType type;
    if (!args_get(lw, args, "x", span, v) || !tensor_type_of(lw, &v[0], &type))
        return value_error();
    return value_int(type.shape.rank);
}

static Value method_is_floating_point(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[1];
    TensorType type;
    if (!args_get(lw, args, "x", span, v) || !tensor_type_of(lw, &v[0], &type))
        return value_error();
    return value_bool(dtype_is_float(type.dtype));
}

static Value method_to(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[5];
    if (!args_get(lw, args, "x, dtype, non_blocking=False, copy=False, memory_format=None", span,
                  v))
        return value_error();
    Node *x = value_node(lw, &v[0], span);
    if (!x) return value_error();
    TensorType like;
    if (value_is_tensor(&v[1]) && tensor_type_of(lw, &v[1], &like)) v[1] = value_dtype(like.dtype);
    /* `bool` is a dtype and a function; here it is the dtype. */
    if (v[1].kind == VALUE_BUILTIN && !strcmp(v[1].as.builtin->name, "bool"))
        v[1] = (Value){.kind = VALUE_DTYPE, .as.dtype = DTYPE_BOOL};
    if (v[1].kind != VALUE_DTYPE) {
        Diagnostic *d = lower_error(lw, NN_TENSOR_OPERAND, span,
                                    "to() takes a dtype here, found %s", value_kind_name(&v[1]));
        diagnostic_help(
            d, "where the program runs is chosen when it starts (--device), not in the model");
        return value_error();
    }
    lower_mark(lw, span);
    return value_of_node(lw, op_cast(lw->graph, x, v[1].as.dtype), &v[0]);
}

static const Builtin tensor_methods[] = {
    {"size", method_size},
    {"numel", method_numel},
    {"nelement", method_numel},
    {"dim", method_dim},
    {"is_floating_point", method_is_floating_point},
    {"to", method_to},
    {NULL, NULL},
};

bool tensor_attribute(Lowerer *lw, const Value *x, Name name, Span span, Value *out) {
    TensorType type;
    if (x->kind == VALUE_CELL && cell_attribute(lw, x, name, span, out)) return true;
    if (!tensor_type_of(lw, x, &type)) return false;
    const char *word = name->text;
    if (!strcmp(word, "shape")) {
        *out = shape_value(lw, &type.shape);
    } else if (!strcmp(word, "ndim")) {
        *out = value_int(type.shape.rank);
    } else if (!strcmp(word, "dtype")) {
        *out = value_dtype(type.dtype);
    } else if (!strcmp(word, "device")) {
        Diagnostic *d = lower_error(lw, NN_PYTHON_CALL, span, "a tensor has no device");
        diagnostic_help(
            d, "where the program runs is chosen when it starts (--device), not in the model");
        *out = value_error();
    } else if (!strcmp(word, "T") || !strcmp(word, "mT") || !strcmp(word, "H") ||
               !strcmp(word, "mH")) {
        lower_mark(lw, span);
        *out = value_of_node(lw, swap_last_axes(lw, x, word[0] != 'm', span), x);
    } else if (!strcmp(word, "real")) {
        *out = *x;
    } else if (!strcmp(word, "data") && x->kind == VALUE_TENSOR) {
        lower_mark(lw, span);
        Node *cut = op_identity(lw->graph, x->as.tensor);
        if (cut) cut->no_grad = true;
        *out = value_of_node(lw, cut, x);
    } else if (!strcmp(word, "grad") && x->kind == VALUE_TENSOR) {
        Diagnostic *d =
            lower_error(lw, NN_NONE_GRADIENT, span, "only parameters keep their gradient");
        diagnostic_help(d, "grad(y, x) returns the derivative with respect to any tensor");
        *out = value_error();
    } else {
        for (const Builtin *m = tensor_methods; m->name; m++)
            if (!strcmp(m->name, word)) {
                *out = method_value(lw, m, x);
                return true;
            }
        return false;
    }
    return true;
}
