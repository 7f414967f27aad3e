/* A region of the entry's graph that becomes a subgraph: how scan bodies and functions with their
 * own derivative are built.
 *
 * The body is executed into the current graph, behind inputs that stand for its parameters; then
 * all nodes made since are moved into a graph of their own, and what they read from before becomes
 * further inputs (invariants).  Cells that were read for the first time stay outside, and so does
 * what a check of arguments needs: their values are invariants. */
#ifndef NNC_LOWER_REGION_H
#define NNC_LOWER_REGION_H

#include "lower/internal.h"

/* What the body takes for granted of a carry: low <= every element < high.  It holds for what the
 * carry begins as, and is left to show for what the body makes of it. */
typedef struct CarryRange {
    const Node *carry;
    int64_t low;
    const Dim *high;
    const char *what; /* uses the carry so */
} CarryRange;

typedef struct Region {
    struct Region *enclosing;
    int begin, inputs_begin; /* counts in the graph before the region */
    VECTOR(Node *) parameters;
    VECTOR(Node *)
    wholes; /* of each parameter: the outer node that holds all its values, or NULL */
    VECTOR(Node *) initial; /* of each parameter: what a carry begins as, NULL for others */
    VECTOR(CarryRange) carry_ranges;
    VECTOR(Node *) before; /* of each cell: its version when the region began */
} Region;

void region_begin(Lowerer *lw, Region *region);
Node *region_parameter(Lowerer *lw, Region *region, Name name, TensorType type, Node *whole);
Node *region_carry(Lowerer *lw, Region *region, Name name, Node *initial);
/* The region that `node`, but for operations that only move or widen integers, is a carry of; NULL
 * if it is none. */
Region *region_of_carry(Lowerer *lw, Node *node, int *parameter);
/* A node outside all regions that holds every value of `node`; NULL if there is none. */
Node *region_whole(Lowerer *lw, Node *node);
/* Reports cells that the region has written; false if there are some. */
bool region_check_writes(Lowerer *lw, const Region *region, const char *what, Span span);
/* Moves the region out.  `invariants` receives the outer nodes that follow the parameters as
 * inputs. */
Graph *region_extract(Lowerer *lw, Region *region, Node *const *results, int result_count,
                      ValueList *invariants);
/* Drops the region's nodes, keeping cells that were read. */
void region_abandon(Lowerer *lw, Region *region);

#endif
