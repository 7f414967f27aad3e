/* Random graphs with gradients, simplified, planned, emitted and compiled: equal to the
 * interpreter.
 *
 * RANDOM_SEED=k RANDOM_COUNT=n tries n other graphs from seed k on. */
#include "numeric/numeric.h"
#include "numeric/random_graph.h"

enum { GRAPHS = 24, MAX_TENSORS = 16 };

/* The nodes of a graph and named results, as the body of an entry. */
static const char *entry_body(Arena *arena, const Graph *g) {
    Text printed = text_new(arena), body = text_new(arena);
    graph_print(&printed, g, 0);
    const char *begin = strchr(printed.data, '\n') + 1, *end = strstr(begin, "\n  return ");
    text_append_n(&body, begin, (size_t)(end + 1 - begin));
    text_append(&body, "return ");
    for (int i = 0; i < g->results.count; i++)
        text_printf(&body, "%sr%d=%%%d", i ? ", " : "", i, g->results.data[i]->id);
    return body.data;
}

/* Whether the symbol can be bound: some input has an axis of exactly that extent. */
static bool binds_symbol(const Graph *g) {
    for (int i = 0; i < g->inputs.count; i++)
        for (int k = 0; k < g->inputs.data[i]->type.shape.rank; k++)
            if (dim_as_symbol(g->inputs.data[i]->type.shape.dims[k])) return true;
    return false;
}

static void run_random(const char *name, DType dtype, bool discontinuous, double tolerance) {
    Arena *arena = arena_new();
    names_init(arena);
    const char *from = getenv("RANDOM_SEED"), *count = getenv("RANDOM_COUNT");
    int total = count ? atoi(count) : GRAPHS;
    Case *cases = NEW_ARRAY(arena, (size_t)total, Case);
    uint64_t seed = from ? strtoull(from, NULL, 10) : 1;
    for (int made = 0; made < total; seed++) {
        RandomGraphOptions options = {.seed = seed,
                                      .operators = 2 + (int)(seed % 9),
                                      .dtype = dtype,
                                      .gradient = seed % 2,
                                      .discontinuous = discontinuous,
                                      .symbolic = seed % 3 == 0};
        Graph *g = random_graph(arena, dim_table_new(arena), options);
        if (g->inputs.count > MAX_TENSORS || g->results.count > MAX_TENSORS) continue;
        if (options.symbolic && !binds_symbol(g)) continue;
        cases[made++] = (Case){.name = arena_printf(arena, "seed%d", (int)seed),
                               .body = entry_body(arena, g),
                               .tolerance = tolerance,
                               .high = 40,
                               .smallest = 1};
    }
    run_cases(name, cases, total, "gcc -march=native -Wno-psabi -Wno-unused-parameter");
    arena_free(arena);
}

static void test_double(void **state) {
    run_random("random_f64", DTYPE_F64, false, 1e-9);
}
static void test_single(void **state) {
    run_random("random_f32", DTYPE_F32, false, 2e-4);
}
static void test_decisions(void **state) {
    run_random("random_decisions", DTYPE_F64, true, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double),
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
