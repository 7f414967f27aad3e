/* Linked into a copy of nnc in place of the interpreter's entry points: whoever calls them dies.
 * Where the variable BROKEN_AFTER has a number, so many calls are made, and the others are errors.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tensor/interpret/interpret.h"

const char *__real_interpret_entry(Environment *env, InterpretMode mode, const Entry *entry,
                                   const int64_t *dims, Tensor *const *arguments, Tensor **results);
const char *__real_interpret_graph(Arena *arena, const Graph *graph, const Interpretation *how,
                                   Tensor *const *inputs, Tensor **results);
const char *__wrap_interpret_entry(Environment *env, InterpretMode mode, const Entry *entry,
                                   const int64_t *dims, Tensor *const *arguments, Tensor **results);
const char *__wrap_interpret_graph(Arena *arena, const Graph *graph, const Interpretation *how,
                                   Tensor *const *inputs, Tensor **results);

/* NULL: the call is made. */
static const char *broken(void) {
    static long calls;
    const char *after = getenv("BROKEN_AFTER");
    if (after) return calls++ < strtol(after, NULL, 10) ? NULL : "the interpreter is broken";
    fputs("the interpreter is broken\n", stderr);
    _Exit(99);
}

const char *__wrap_interpret_entry(Environment *env, InterpretMode mode, const Entry *entry,
                                   const int64_t *dims, Tensor *const *arguments,
                                   Tensor **results) {
    const char *error = broken();
    return error ? error : __real_interpret_entry(env, mode, entry, dims, arguments, results);
}

const char *__wrap_interpret_graph(Arena *arena, const Graph *graph, const Interpretation *how,
                                   Tensor *const *inputs, Tensor **results) {
    const char *error = broken();
    return error ? error : __real_interpret_graph(arena, graph, how, inputs, results);
}
