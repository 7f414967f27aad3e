/* Packing of buffers with lifetimes: never two live ones on the same bytes, whatever the dims, and
 * close to the lower bound. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "plan/internal.h"

static uint32_t seed;
static int random_below(int n) {
    seed = seed * 1664525u + 1013904223u;
    return (int)((seed >> 8) % (uint32_t)n);
}

static int64_t value_at(const Dim *d, const int64_t *symbols) {
    int64_t v = -1;
    assert_true(dim_evaluate(d, symbols, &v));
    return v;
}

static void check_apart(DimTable *dims, const Interval *v, int count, const Place *places,
                        const Dim *total) {
    static const int64_t values[][2] = {{0, 0}, {1, 1}, {2, 9}, {7, 1}, {33, 64}, {1000, 3}};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        for (int i = 0; i < count; i++) {
            int64_t at = value_at(places[v[i].id].offset, values[k]);
            int64_t size = value_at(v[i].bytes, values[k]);
            assert_true(at >= 0 && at % 8 == 0);
            assert_true(at + size <= value_at(total, values[k]));
            for (int j = 0; j < i; j++) {
                if (v[j].first > v[i].last || v[i].first > v[j].last) continue;
                int64_t other = value_at(places[v[j].id].offset, values[k]);
                int64_t length = value_at(v[j].bytes, values[k]);
                if (size && length && at < other + length && other < at + size)
                    fail_msg("buffers %d and %d share bytes at N = %lld, T = %lld", i, j,
                             (long long)values[k][0], (long long)values[k][1]);
            }
        }
}

/* kinds: 1 constants, 2 multiples of N, 3 N*T and T*T too, 4 with floors and differences. */
static const Dim *random_size(DimTable *dims, const Dim *n, const Dim *t, int kinds) {
    const Dim *c = dim_const(dims, 4 * (1 + random_below(600)));
    switch (random_below(kinds)) {
    case 0: return c;
    case 1: return dim_mul(dims, c, n);
    case 2: return dim_mul(dims, c, random_below(2) ? dim_mul(dims, n, t) : dim_mul(dims, t, t));
    default: {
        const Dim *half =
            dim_floordiv(dims, dim_add(dims, n, dim_const(dims, 3)), dim_const(dims, 2));
        return dim_mul(dims, c, dim_mul(dims, half, dim_floordiv(dims, t, dim_const(dims, 2))));
    }
    }
}

static void test_random(void **state) {
    for (int round = 0; round < 60; round++) {
        Arena *arena = arena_new();
        names_init(arena);
        DimTable *dims = dim_table_new(arena);
        const Dim *n = dim_symbol(dims, name_of("N")), *t = dim_symbol(dims, name_of("T"));
        seed = (uint32_t)round;
        int count = 1 + random_below(40), kinds = 1 + round % 4;
        Interval *v = NEW_ARRAY(arena, (size_t)count, Interval);
        Place *places = NEW_ARRAY(arena, (size_t)count, Place);
        for (int i = 0; i < count; i++) {
            int first = random_below(50);
            v[i] = (Interval){i, first, first + random_below(10), random_size(dims, n, t, kinds)};
        }
        const Dim *total = NULL;
        int64_t reference = 0;
        plan_pack(arena, dims, v, count, places, &total, &reference);
        check_apart(dims, v, count, places, total);
        assert_int_equal(reference, plan_reference(arena, dims, total));
        assert_true(reference >= plan_lower_bound(arena, dims, v, count));
        arena_free(arena);
    }
}

/* So many that they are packed as a heap would. */
static void test_many(void **state) {
    for (int kinds = 1; kinds <= 4; kinds++) {
        Arena *arena = arena_new();
        names_init(arena);
        DimTable *dims = dim_table_new(arena);
        const Dim *n = dim_symbol(dims, name_of("N")), *t = dim_symbol(dims, name_of("T"));
        seed = (uint32_t)kinds;
        enum { COUNT = 1300 };
        Interval v[COUNT];
        Place *places = NEW_ARRAY(arena, COUNT, Place);
        for (int i = 0; i < COUNT; i++) {
            int first = random_below(COUNT), life = random_below(10) ? 4 : 100;
            v[i] = (Interval){i, first, first + random_below(life), random_size(dims, n, t, kinds)};
        }
        const Dim *total = NULL;
        int64_t reference = 0;
        plan_pack(arena, dims, v, COUNT, places, &total, &reference);
        check_apart(dims, v, COUNT, places, total);
        assert_int_equal(reference, plan_reference(arena, dims, total));
        int64_t bound = plan_lower_bound(arena, dims, v, COUNT);
        assert_true(reference >= bound);
        if (kinds == 1) assert_true(reference <= bound + bound / 4);
        arena_free(arena);
    }
}

/* What forward makes and backward frees, newest first, takes no more than is alive. */
static void test_deep_training_is_tight(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    DimTable *dims = dim_table_new(arena);
    const Dim *n = dim_symbol(dims, name_of("N"));
    enum { LAYERS = 1000 };
    Interval v[2 * LAYERS];
    Place *places = NEW_ARRAY(arena, 2 * LAYERS, Place);
    for (int i = 0; i < LAYERS; i++) {
        const Dim *bytes = dim_mul(dims, n, dim_const(dims, 256));
        v[i] = (Interval){i, i, 2 * LAYERS - i, bytes};
        v[LAYERS + i] = (Interval){LAYERS + i, LAYERS + i, LAYERS + i + 1, bytes};
    }
    const Dim *total = NULL;
    int64_t reference = 0;
    plan_pack(arena, dims, v, 2 * LAYERS, places, &total, &reference);
    assert_int_equal(reference, plan_lower_bound(arena, dims, v, 2 * LAYERS));
    arena_free(arena);
}

/* A chain of layers: every value dies when the next one is there. */
static void test_chain_is_tight(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    DimTable *dims = dim_table_new(arena);
    const Dim *n = dim_symbol(dims, name_of("N"));
    static const int widths[] = {784, 512, 512, 10, 300, 20, 10};
    enum { COUNT = sizeof widths / sizeof *widths };
    Interval v[COUNT];
    Place places[COUNT];
    for (int i = 0; i < COUNT; i++)
        v[i] = (Interval){i, i, i + 1, dim_mul(dims, n, dim_const(dims, 4 * widths[i]))};
    const Dim *total = NULL;
    int64_t reference = 0;
    plan_pack(arena, dims, v, COUNT, places, &total, &reference);
    check_apart(dims, v, COUNT, places, total);
    int64_t bound = plan_lower_bound(arena, dims, v, COUNT);
    assert_true((double)reference <= 1.1 * (double)bound);
    arena_free(arena);
}

/* Values kept for the backward pass, as in training: within a tenth of what is alive at once. */
static void test_training_is_tight(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    DimTable *dims = dim_table_new(arena);
    const Dim *n = dim_symbol(dims, name_of("N"));
    enum { LAYERS = 12 };
    Interval v[2 * LAYERS];
    Place places[2 * LAYERS];
    for (int i = 0; i < LAYERS; i++) {
        const Dim *bytes = dim_mul(dims, n, dim_const(dims, 256 * (1 + i % 5)));
        int back = 2 * LAYERS - 1 - i;
        v[i] = (Interval){i, i, back, bytes};
        v[LAYERS + i] = (Interval){LAYERS + i, back, back + 1, bytes};
    }
    const Dim *total = NULL;
    int64_t reference = 0;
    plan_pack(arena, dims, v, 2 * LAYERS, places, &total, &reference);
    check_apart(dims, v, 2 * LAYERS, places, total);
    int64_t bound = plan_lower_bound(arena, dims, v, 2 * LAYERS);
    assert_true((double)reference <= 1.1 * (double)bound);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_deep_training_is_tight),
                                       cmocka_unit_test(test_chain_is_tight),
                                       cmocka_unit_test(test_training_is_tight)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
