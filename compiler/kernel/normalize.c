/* Normalization: a private copy of a graph in the form that fusion expects.
 *
 * Results that are sources, or values of a scan, get a node of their own, so that each result is
 * computed by some kernel.  Input: a simplified graph.  Output: a new graph with equal results. */
#include "kernel/internal.h"

static bool needs_own_node(const Node *n) {
    return n->op == OP_INPUT || n->op == OP_CELL || node_is_inline_source(n);
}

Graph *graph_normalize(Arena *arena, const Graph *graph) {
    Graph *g = graph_new(arena, graph->dims);
    int top = 0;
    for (int i = 0; i < graph->nodes.count; i++)
        if (graph->nodes.data[i]->id >= top) top = graph->nodes.data[i]->id + 1;
    Node **copy = NEW_ARRAY(arena, (size_t)top, Node *);
    for (int i = 0; i < graph->inputs.count; i++) {
        const Node *n = graph->inputs.data[i];
        copy[n->id] = op_input(g, n->attr.input.name, n->type);
    }
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *n = graph->nodes.data[i];
        if (n->op == OP_INPUT) continue;
        Node **operands = NEW_ARRAY(arena, (size_t)n->input_count, Node *);
        for (int k = 0; k < n->input_count; k++) operands[k] = copy[n->inputs[k]->id];
        g->span = n->span;
        g->path = n->path;
        copy[n->id] = op_like(g, n, operands);
    }
    for (int i = 0; i < graph->results.count; i++) {
        Node *n = copy[graph->results.data[i]->id];
        g->span = n->span;
        g->path = n->path;
        vector_push(arena, &g->results, needs_own_node(n) ? op_identity(g, n) : n);
    }
    return g;
}
