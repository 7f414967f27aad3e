/* What the files of the graph builders share.  Not for other layers.
 *
 * A builder checks its operands, then makes one node by graph_node.  A misuse is reported once, by
 * build_misuse, and NULL is returned; NULL operands (an earlier misuse) give NULL silently. */
#ifndef NNC_TENSOR_BUILD_H
#define NNC_TENSOR_BUILD_H

#include "tensor/graph.h"

Node *graph_node(Graph *g, Op op, TensorType type, Node *const *inputs, int count);
/* Always NULL.  The message is prefixed with the operator's name; %T-like pieces come from
 * build_type_text. */
Node *build_misuse(Graph *g, Op op, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *build_type_text(Graph *g, const Node *x);
const char *build_shape(Graph *g, const Shape *s);
const char *build_dim(Graph *g, const Dim *d);
/* Equal by algebra under the facts of now. */
bool build_same_dim(Graph *g, const Dim *a, const Dim *b);
bool build_same_shape(Graph *g, const Shape *a, const Shape *b);
static inline TensorType build_of(DType dtype, Shape shape) {
    return (TensorType){dtype, shape};
}
/* floor((extent - dilation*(size - 1) - 1) / stride) + 1 */
const Dim *build_window_count(DimTable *dims, const Dim *extent, int64_t size, int64_t stride,
                              int64_t dilation);

#endif
