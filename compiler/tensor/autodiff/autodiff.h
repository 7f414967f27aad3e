/* Reverse-mode differentiation as a rewrite of the graph.
 *
 * autodiff_gradients adds nodes to the graph; they are ordinary nodes, so a gradient can be
 * differentiated again.  A new node carries the span and the path of the node whose derivative it
 * is a part of.  Sub-gradients are torch's (gradients.def states them per operator).
 *
 * One node is changed in place: a SCAN on the way gets a body with more yields (the residuals that
 * its derivative reads).  They are appended, so results that exist keep their indices. */
#ifndef NNC_TENSOR_AUTODIFF_H
#define NNC_TENSOR_AUTODIFF_H

#include "tensor/graph.h"

typedef struct AutodiffError {
    const char *message; /* a sentence without a final stop */
    const Node *node;    /* the node that cannot be differentiated, or NULL */
} AutodiffError;

/* grads[k] = sum over i of <dys[i], d ys[i] / d xs[k]>, NULL where no path leads from xs[k] to a y.
 * ys are floating; dys[i] has the type of ys[i]; dys == NULL (or one dys[i] == NULL) means 1, for a
 * y of rank 0.  An x may be any node; an x that another x depends on still gets its whole
 * derivative. Nodes with no_grad pass nothing to their inputs, nor do integer and bool nodes.
 * Returns false and fills `error` where a derivative does not exist; the graph is then
 * still valid. */
bool autodiff_gradients(Graph *g, Node *const *ys, Node *const *dys, int y_count, Node *const *xs,
                        int x_count, Node **grads, AutodiffError *error);

/* Whether a differentiable path leads from x to y. */
bool autodiff_depends(const Graph *g, const Node *y, const Node *x);

/* The rules of gradients.def, for tests and listings: the text for `operand` of elementwise `op`,
 * or NULL where nothing flows to that operand. */
const char *autodiff_rule_text(Op op, int operand);

#endif
