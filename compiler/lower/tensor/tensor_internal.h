/* What the files tensor_*.c and cells*.c share: texts of types, promotion, and small node builders.
 * Every builder marks nothing: the caller has called lower_mark. NULL operands give NULL. */
#ifndef NNC_LOWER_TENSOR_INTERNAL_H
#define NNC_LOWER_TENSOR_INTERNAL_H

#include "lower/internal.h"

const char *type_text(Lowerer *lw, const TensorType *type);
const char *shape_text(Lowerer *lw, const Shape *shape);
const char *dim_text(Lowerer *lw, const Dim *dim);

/* A tensor or a number beside others: what promotion looks at. */
typedef struct Operand {
    const Value *value;
    Node *node; /* NULL: a Python number, bool or dim (weak) */
} Operand;
/* Whether tensors are computed here; false after an error. */
bool need_graph(Lowerer *lw, Span span);
/* Reads `v` as tensor or number; false after an error. */
bool operand_read(Lowerer *lw, const Value *v, Span span, Operand *out);
/* torch.result_type of up to `count` operands. */
DType operands_dtype(Lowerer *lw, const Operand *operands, int count);
/* The operand as a node of exactly `dtype` and `shape` (NULL: its own, rank 0 for numbers). */
Node *operand_node(Lowerer *lw, const Operand *operand, DType dtype, const Shape *shape, Span span);
/* The common shape of all operands; false after an error that names both types and the axis. */
bool operands_shape(Lowerer *lw, const char *what, const Operand *operands, int count, Shape *out,
                    Span span);

/* x without its axes of extent 1 in `drop` (bits). */
Node *node_drop_axes(Lowerer *lw, Node *x, uint32_t drop);
/* x with new axes of extent 1 so that result axis i is new where bit i of `insert` is set. */
Node *node_insert_axes(Lowerer *lw, Node *x, uint32_t insert);
Node *node_scalar(Lowerer *lw, double value, DType dtype);
/* A value with the story of `from`, or VALUE_ERROR for a NULL node. */
Value value_of_node(Lowerer *lw, Node *node, const Value *from);
/* The graph where cells and checks live: the entry's, also inside scan bodies. */
Graph *entry_graph(Lowerer *lw);

/* A list of dims, ints or nested tuples; -1 stays as the constant -1. */
bool value_flatten_dims(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out,
                        int max, int *count);
/* None: all axes; an int or a list of ints, normalised, as a bit set. */
bool value_as_axes(Lowerer *lw, const Value *v, int rank, Span span, uint32_t *axes);

/* Reshape with one -1; checks the number of elements. */
Node *tensor_reshape(Lowerer *lw, Node *x, const Dim *const *dims, int count, Span span);
/* Gathers along `axis` with an integer index of any rank (the index's axes replace it). */
Node *tensor_take(Lowerer *lw, Node *x, int axis, Node *index);
/* Entry check that all elements of `ids` lie in [low, high) or equal `ignore`; proved ranges need
 * none. */
bool tensor_check_range(Lowerer *lw, Node *ids, const Dim *low, const Dim *high,
                        const int64_t *ignore, const char *message, Span span);

/* prim.*: each function reads its own arguments. */
#define ELEMENTWISE(e, name, arity, rule, properties, reference) \
    Value prim_##e(Lowerer *lw, const CallArguments *args, Span span);
#include "tensor/ops.def"
#undef ELEMENTWISE
Value prim_initialise(Lowerer *lw, const CallArguments *args, Span span);
Value prim_einsum(Lowerer *lw, const CallArguments *args, Span span);
Value prim_unfold(Lowerer *lw, const CallArguments *args, Span span);
Value prim_fold(Lowerer *lw, const CallArguments *args, Span span);
Value prim_gather(Lowerer *lw, const CallArguments *args, Span span);
Value prim_take(Lowerer *lw, const CallArguments *args, Span span);
Value prim_scatter_add(Lowerer *lw, const CallArguments *args, Span span);
Value prim_scatter_set(Lowerer *lw, const CallArguments *args, Span span);
Value prim_dynamic_slice(Lowerer *lw, const CallArguments *args, Span span);
Value prim_dynamic_update(Lowerer *lw, const CallArguments *args, Span span);
Value prim_prefix(Lowerer *lw, const CallArguments *args, Span span);
Value prim_argsort(Lowerer *lw, const CallArguments *args, Span span);
Value prim_check_range(Lowerer *lw, const CallArguments *args, Span span);
Value prim_random(Lowerer *lw, const CallArguments *args, Span span);

#endif
