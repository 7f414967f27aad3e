/* Inside of simplify: one round of rewriting, and the groups of rules.
 *
 * A rule sees a node of the old graph and its inputs already in the new graph; it returns the node
 * of the new graph that replaces it, or NULL.  It may build several nodes; they are looked at again
 * in the next round. */
#ifndef NNC_TENSOR_SIMPLIFY_RULES_H
#define NNC_TENSOR_SIMPLIFY_RULES_H

#include "tensor/simplify/simplify.h"

typedef struct MergeTable MergeTable;

typedef struct Rewriter {
    Graph *g; /* new; its arena is that of the round */
    const Graph *from;
    Arena *keep; /* outlives the rounds: bodies of scans go there */
    unsigned rules;
    bool changed;
    int *uses;          /* by id of the old graph: readers and results */
    Node **map;         /* by id of the old graph; NULL: not needed, or several results */
    Node ***results;    /* by id of the old graph: results of a CALL that was opened or a SCAN */
    bool **result_used; /* by id of the old graph: which results of a SCAN are read */
    MergeTable *merge;
} Rewriter;

Node *simplify_identity(Rewriter *w, const Node *node, Node **in);
Node *simplify_view(Rewriter *w, const Node *node, Node **in);
Node *simplify_sum_of_pads(Graph *g, Node **in);
Node *simplify_contract(Rewriter *w, const Node *node, Node **in);
Node *simplify_reduction(Rewriter *w, const Node *node, Node **in);
Node *simplify_constant(Rewriter *w, const Node *node, Node **in);
/* Rebuilds a scan without what no one reads; `out` receives its results (NULL where not used). */
void simplify_scan(Rewriter *w, const Node *node, Node **in, const bool *used, Node **out);

/* Moves products out of a loop (simplify_hoist.c); false: there is nothing to move. */
bool simplify_hoist(Rewriter *w, const ScanAttr *attr, const Graph *body, Node **in,
                    const bool *used, Node **out);

/* A node equal to `candidate` that the table already has, or the candidate, now in the table. */
MergeTable *merge_table_new(Arena *arena);
Node *merge_node(MergeTable *table, Node *candidate);
bool simplify_graphs_equal(const Graph *a, const Graph *b);

/* A splat constant of any dtype. */
static inline bool simplify_is_splat(const Node *node) {
    return node->op == OP_CONST && !node->attr.constant.data;
}
bool simplify_is_value(const Node *node,
                       double value); /* a splat of exactly this value, sign of zero too */
bool simplify_type_equal(const TensorType *a, const TensorType *b);
/* The same splat in another type. */
Node *simplify_splat_like(Graph *g, const Node *splat, TensorType type);

#endif
