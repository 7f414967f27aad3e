/* Linked into a copy of nnc in place of the interpreter's entry points: whoever calls them dies. */
#include <stdio.h>
#include <stdlib.h>

void __wrap_interpret_entry(void);
void __wrap_interpret_graph(void);

static _Noreturn void broken(void) {
    fputs("the interpreter is broken\n", stderr);
    _Exit(99);
}
void __wrap_interpret_entry(void) {
    broken();
}
void __wrap_interpret_graph(void) {
    broken();
}
