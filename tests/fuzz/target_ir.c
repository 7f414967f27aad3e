/* The textual IR: what the reader accepts prints and reads to the same text, and a program that the
 * verifier accepts still satisfies it after simplification. */
#include <string.h>
#include "fuzz.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

const char target_name[] = "ir";

const char *target_word(int index) {
    static const char *const words[] = {"root",
                                        "train",
                                        "cell",
                                        "parameter",
                                        "gradient of=",
                                        "buffer",
                                        "state",
                                        "scalar default=",
                                        "entry infer",
                                        "entry init",
                                        "entry reset",
                                        "symbol=",
                                        "random",
                                        "dims N in 1..9 % 2, T",
                                        "check dim N <= 4 \"N\" argument=x",
                                        "check range %0 in 0..4 ignore=-100 \"ids\" argument=x",
                                        "return",
                                        "write",
                                        "input x",
                                        "const",
                                        "iota",
                                        "cast",
                                        "reshape",
                                        "expand",
                                        "permute",
                                        "slice",
                                        "pad",
                                        "concat",
                                        "unfold",
                                        "fold",
                                        "contract %0, %1 labels=ab,cb->ac",
                                        "reduce %0 kind=sum axes=[0]",
                                        "gather",
                                        "scatter",
                                        "scan",
                                        "call",
                                        "proj",
                                        "select",
                                        "compare",
                                        "exp",
                                        "pow",
                                        "index=0",
                                        "carries=1",
                                        "sequences=1",
                                        "invariants=1",
                                        "length=N",
                                        "f32[N, 4]",
                                        "f64[]",
                                        "i64[9223372036854775807]",
                                        "bool",
                                        "u8[0]",
                                        "%0",
                                        "%1",
                                        "graph {",
                                        "}",
                                        "no_grad",
                                        "# c",
                                        "=",
                                        ":",
                                        "-9223372036854775808",
                                        NULL};
    return words[index];
}

size_t target_mutate(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                     size_t other_size, uint64_t *random) {
    return mutate_bytes(data, size, capacity, other, other_size, random);
}

static void *allocate(size_t bytes) {
    return fuzz_allocate(bytes, 16);
}

static void on_memory(size_t bytes, void *user) {
    (void)user;
    fuzz_broken("no memory for %zu bytes", bytes);
}

static void check_program(Arena *arena, Program *program) {
    const char *error = NULL;
    Text once = text_new(arena), twice = text_new(arena);
    program_print(&once, program, 0);
    Program *again = program_read(arena, once.data, &error);
    if (!again) fuzz_broken("the printed text is refused: %s\n%s", error, once.data);
    program_print(&twice, again, 0);
    if (strcmp(once.data, twice.data))
        fuzz_broken("other text:\n%s\n----\n%s", once.data, twice.data);
    if (program_verify(program, arena)) return;
    simplify_program(program);
    error = program_verify(program, arena);
    if (error) fuzz_broken("simplified: %s", error);
}

static void check_graph(Arena *arena, DimTable *dims, Graph *graph) {
    const char *error = NULL;
    Text once = text_new(arena), twice = text_new(arena);
    graph_print(&once, graph, 0);
    Graph *again = graph_read(arena, dims, once.data, &error);
    if (!again) fuzz_broken("the printed text is refused: %s\n%s", error, once.data);
    graph_print(&twice, again, 0);
    if (strcmp(once.data, twice.data))
        fuzz_broken("other text:\n%s\n----\n%s", once.data, twice.data);
}

void target_run(const uint8_t *data, size_t size) {
    memory_set_hook(allocate);
    memory_set_failure(on_memory, NULL);
    Arena *arena = arena_new();
    names_init(arena);
    const char *error = NULL, *text = arena_strndup(arena, (const char *)data, size);
    Program *program = program_read(arena, text, &error);
    if (program)
        check_program(arena, program);
    else if (!error || !*error)
        fuzz_broken("a program is refused without a reason");
    error = NULL;
    DimTable *dims = dim_table_new(arena);
    Graph *graph = graph_read(arena, dims, text, &error);
    if (graph)
        check_graph(arena, dims, graph);
    else if (!error || !*error)
        fuzz_broken("a graph is refused without a reason");
    arena_free(arena);
}
