/* Inside of autodiff: what one operator's derivative rule sees, and the rules by class.
 *
 * A rule reads `node` and the adjoints of its results, and fills adjoint[i] for each input i with
 * wanted[i] (NULL stays: nothing flows there).  g->span and g->path are already the node's. */
#ifndef NNC_TENSOR_AUTODIFF_RULES_H
#define NNC_TENSOR_AUTODIFF_RULES_H

#include "tensor/autodiff/autodiff.h"

typedef struct Reverse {
    Graph *g;
    Node *node;
    Node *dy;           /* adjoint of the node's one result */
    Node **dys;         /* CALL, SCAN: adjoint per result, or NULL */
    const bool *wanted; /* per input: floating, and a path leads to it from an x */
    Node **adjoint;     /* per input: filled by the rule */
    AutodiffError *error;
} Reverse;

bool autodiff_rule_elementwise(Reverse *r);
bool autodiff_rule_view(Reverse *r);
bool autodiff_rule_indexed(Reverse *r);
bool autodiff_rule_reduce(Reverse *r);
bool autodiff_rule_contract(Reverse *r);
bool autodiff_rule_prefix(Reverse *r);
bool autodiff_rule_call(Reverse *r);
bool autodiff_rule_scan(Reverse *r);

/* reached[id]: the value depends differentiably on a node that was marked before the call.  Marks
 * in id order; `count` entries. */
void autodiff_mark_reached(const Graph *g, bool *reached, int count);
/* For a scan whose inputs are reached as stated: which of its body's inputs are active, carries by
 * fixpoint. `active` has one entry per body input, filled on entry with the outer inputs' state. */
void autodiff_scan_active(const Node *scan, bool *active, bool *result_reached);

/* Entries that an array indexed by node id needs. */
int autodiff_id_count(const Graph *g);

/* Small builders that several rules share. */
static inline Node *autodiff_zeros(Graph *g, TensorType type) {
    return op_const(g, 0.0, type);
}
/* x (without the axes of the mask) seen in `shape`, the axes of the mask new. */
Node *autodiff_expand_axes(Graph *g, Node *x, Shape shape, uint32_t axes);

#endif
