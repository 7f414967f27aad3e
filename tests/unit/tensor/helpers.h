/* Helpers of the tensor layer's tests: graphs from text, run, compared with numbers. */
#ifndef NNC_TESTS_TENSOR_HELPERS_H
#define NNC_TESTS_TENSOR_HELPERS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/verify.h"

static Arena *arena;
static DimTable *dims;

static int setup(void **state) {
    arena = arena_new();
    names_init(arena);
    dims = dim_table_new(arena);
    return 0;
}

static int teardown(void **state) {
    arena_free(arena);
    arena = NULL;
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* The graph of the text; it must be well-formed, verify, and read back from its own print. */
static inline Graph *read_graph(const char *text) {
    const char *error = NULL;
    Graph *g = graph_read(arena, dims, text, &error);
    if (!g) fail_msg("%s\n%s", error, text);
    error = graph_verify(g, arena);
    if (error) fail_msg("%s\n%s", error, text);
    Text first = text_new(arena), second = text_new(arena);
    graph_print(&first, g, 0);
    Graph *again = graph_read(arena, dims, first.data, &error);
    if (!again) fail_msg("%s\n%s", error, first.data);
    graph_print(&second, again, 0);
    assert_string_equal(first.data, second.data);
    return g;
}

static inline void expect_error(const char *text, const char *part) {
    const char *error = NULL;
    Graph *g = graph_read(arena, dims, text, &error);
    if (g) fail_msg("accepted, expected: %s\n%s", part, text);
    if (!strstr(error, part)) fail_msg("'%s' does not say '%s'", error, part);
}

static inline bool close_to(double a, double b, double tolerance) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b)) return a == b;
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

/* Runs a graph without inputs; its one result must have these elements. */
static inline void expect_in(InterpretMode mode, const char *text, const char *type, int count,
                             const double *expected) {
    Graph *g = read_graph(text);
    Interpretation how = {.mode = mode, .seed = 1, .step = 2};
    Tensor *result = NULL;
    assert_int_equal(g->results.count, 1);
    const char *error = interpret_graph(arena, g, &how, NULL, &result);
    if (error) fail_msg("%s\n%s", error, text);
    Text shown = text_new(arena);
    type_print(&shown, &g->results.data[0]->type);
    assert_string_equal(shown.data, type);
    assert_int_equal(result->count, count);
    for (int i = 0; i < count; i++) {
        double got = tensor_get(result, i);
        if (!close_to(got, expected[i], 1e-12) || signbit(got) != signbit(expected[i]))
            if (!(isnan(got) && isnan(expected[i])))
                fail_msg("element %d is %.17g, not %.17g\n%s", i, got, expected[i], text);
    }
}

#define NUMBERS(...) ((const double[]){__VA_ARGS__})
#define EXPECT(text, type, ...)                                                                 \
    expect_in(INTERPRET_VALUE, text, type, (int)(sizeof NUMBERS(__VA_ARGS__) / sizeof(double)), \
              NUMBERS(__VA_ARGS__))
#define EXPECT_TYPED(text, type, ...)                                                           \
    expect_in(INTERPRET_TYPED, text, type, (int)(sizeof NUMBERS(__VA_ARGS__) / sizeof(double)), \
              NUMBERS(__VA_ARGS__))
#define EXPECT_EMPTY(text, type) expect_in(INTERPRET_VALUE, text, type, 0, NULL)

static inline void expect_run_error(const char *text, const char *part) {
    Graph *g = read_graph(text);
    Interpretation how = {.mode = INTERPRET_VALUE};
    Tensor *results[8];
    const char *error = interpret_graph(arena, g, &how, NULL, results);
    if (!error) fail_msg("ran, expected: %s\n%s", part, text);
    if (!strstr(error, part)) fail_msg("'%s' does not say '%s'", error, part);
}

#endif
