/* The verifier: re-derives every type by the builders' own rules and checks the invariants of
 * graph.h and program.h.  It runs after every pass in tests and under --verify-each.
 *
 * Each function returns NULL, or the first violation as a sentence in `arena`. */
#ifndef NNC_TENSOR_VERIFY_H
#define NNC_TENSOR_VERIFY_H

#include "tensor/program.h"

const char *graph_verify(const Graph *g, Arena *arena);
const char *entry_verify(const Entry *entry, const Root *root, Arena *arena);
const char *program_verify(const Program *program, Arena *arena);

#endif
