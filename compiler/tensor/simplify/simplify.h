/* Simplification: passes over a complete graph that build a smaller one with the same values.
 *
 * Runs after all derivatives are taken (calls are opened, points of the graph merge).  Rewrites are
 * exact: no sum is reordered and no rounding is skipped, except where the header of a rule says
 * that it replaces a sum of equal terms by one product, or pow by what torch computes for that
 * exponent. Draws of RANDOM are merged only where site and type are equal, which is the
 * same draw. */
#ifndef NNC_TENSOR_SIMPLIFY_H
#define NNC_TENSOR_SIMPLIFY_H

#include "tensor/program.h"

typedef enum SimplifyRules {
    SIMPLIFY_CALLS = 1,      /* CALL becomes its body, IDENTITY its input */
    SIMPLIFY_CONSTANTS = 2,  /* operators on splats, views of splats */
    SIMPLIFY_IDENTITIES = 4, /* x * 1, view of view, cast of cast, sum of expand, ... */
    SIMPLIFY_MERGE = 8,      /* one node for equal expressions */
    SIMPLIFY_SCANS =
        16, /* results, carries and inputs that no one reads; work that no step changes */
    SIMPLIFY_ALL = 31,
} SimplifyRules;

/* Rewrites until nothing changes.  The new graph has all inputs in their order and only nodes
 * that its results and the given roots need; roots[i] is replaced by the node that stands
 * for it. */
Graph *simplify_graph(const Graph *g, unsigned rules, Node **roots, int root_count);

/* The same for an entry: graph, arguments, results, writes and checks. */
void simplify_entry(Entry *entry, unsigned rules);
void simplify_program(Program *program);
/* A program of a copy of `root` alone, simplified; `program` stays as it was lowered. */
Program *simplify_root(Arena *arena, const Program *program, const Root *root);

/* The passes in the order in which simplify_program runs them, for the driver's table. */
typedef struct SimplifyPass {
    const char *name;
    void (*run)(Program *program);
    const char *doc;
} SimplifyPass;
extern const SimplifyPass simplify_passes[];
extern const int simplify_pass_count;

#endif
