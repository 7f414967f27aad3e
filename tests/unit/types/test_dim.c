/* The dim algebra: normal forms, printing, facts, proofs, exact division; and a random check that
 * every rewriting keeps the value. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "types/dim.h"

static Arena *arena;
static DimTable *table;
static const Dim *N, *T, *H;

static int setup(void **state) {
    arena = arena_new();
    names_init(arena);
    table = dim_table_new(arena);
    N = dim_symbol(table, name_of("N"));
    T = dim_symbol(table, name_of("T"));
    H = dim_symbol(table, name_of("H"));
    return 0;
}

static int teardown(void **state) {
    arena_free(arena);
    return 0;
}

static const Dim *k(int64_t value) {
    return dim_const(table, value);
}
static const Dim *add(const Dim *a, const Dim *b) {
    return dim_add(table, a, b);
}
static const Dim *sub(const Dim *a, const Dim *b) {
    return dim_sub(table, a, b);
}
static const Dim *mul(const Dim *a, const Dim *b) {
    return dim_mul(table, a, b);
}
static const Dim *quo(const Dim *a, const Dim *b) {
    return dim_floordiv(table, a, b);
}

static void assert_prints(const Dim *d, const char *expected) {
    Text text = text_new(arena);
    dim_print(&text, d);
    assert_string_equal(text.data, expected);
}

static void test_normal_form(void **state) {
    assert_ptr_equal(add(N, T), add(T, N));
    assert_ptr_equal(mul(add(N, k(1)), add(N, k(1))), add(mul(N, N), add(mul(k(2), N), k(1))));
    assert_ptr_equal(sub(add(N, T), T), N);
    assert_ptr_equal(quo(quo(N, k(2)), k(3)), quo(N, k(6)));
    assert_ptr_equal(quo(add(mul(k(4), N), k(3)), k(4)), N);
    assert_ptr_equal(quo(add(quo(add(N, k(1)), k(2)), k(1)), k(2)), quo(add(N, k(3)), k(4)));
    assert_ptr_equal(quo(mul(k(6), N), k(4)), quo(mul(k(3), N), k(2)));
    assert_ptr_equal(quo(mul(N, T), k(1)), mul(N, T));
    assert_ptr_equal(dim_mod(table, mul(k(8), N), k(4)), k(0));
    assert_ptr_equal(quo(k(-7), k(2)), k(-4));
    assert_null(quo(N, k(0)));
    assert_null(quo(T, N)); /* N may be 0 */
    assert_true(dim_is(sub(N, N), 0));
}

static void test_print(void **state) {
    assert_prints(mul(k(4), H), "4*H");
    assert_prints(mul(T, N), "N*T");
    assert_prints(add(quo(sub(H, k(3)), k(2)), k(1)), "(H + 1)//2 - 1");
    assert_prints(mul(k(4), quo(H, k(2))), "4*(H//2)");
    assert_prints(sub(k(3), N), "3 - N");
    assert_prints(dim_neg(table, N), "-N");
    assert_prints(k(0), "0");
    assert_prints(dim_max(table, add(N, T), add(H, T)), "T + max(N, H)");
    assert_prints(k(INT64_MIN), "-9223372036854775808");
}

static void test_overflow_is_null(void **state) {
    const Dim *big = k(INT64_MAX);
    assert_null(add(big, k(1)));
    assert_null(mul(mul(k(1LL << 40), N), k(1LL << 40)));
    assert_null(add(NULL, N));
    assert_null(dim_neg(table, k(INT64_MIN)));
    int64_t values[3] = {INT64_MAX, 2, 0}, out;
    assert_false(dim_evaluate(mul(N, T), values, &out));
}

/* Atoms inside of atoms double what is written out, not what is kept. */
static void test_length(void **state) {
    (void)state;
    assert_true(dim_is_short(add(N, k(1))));
    const Dim *d = N;
    for (int i = 0; i < 64; i++) {
        const Dim *next = quo(add(mul(d, k(3)), k(1)), k(2));
        if (!dim_is_short(d)) break;
        d = next;
    }
    assert_false(dim_is_short(d));
    const Dim *power = N;
    for (int i = 0; i < 7; i++) power = mul(power, power);
    assert_non_null(power); /* N^128 */
    power = mul(power, power);
    assert_non_null(power);
    assert_null(mul(power, N));
    assert_int_equal(dim_weight(sub(mul(N, k(3)), k(4))), 7);
    assert_int_equal(dim_weight(mul(N, k(INT64_MIN))), INT64_MAX);
    assert_int_equal(dim_weight(sub(mul(N, k(INT64_MAX)), k(1))), INT64_MAX);
}

static void test_divide_exact(void **state) {
    assert_ptr_equal(dim_divide_exact(table, mul(k(400), N), k(400)), N);
    assert_ptr_equal(dim_divide_exact(table, mul(mul(N, T), k(6)), mul(k(2), T)), mul(k(3), N));
    const Dim *square = sub(mul(N, N), k(1));
    assert_ptr_equal(dim_divide_exact(table, square, add(N, k(1))), sub(N, k(1)));
    assert_null(dim_divide_exact(table, N, k(2)));
    assert_null(dim_divide_exact(table, N, k(0)));
    assert_true(dim_assume_divisible(table, N, 4));
    assert_ptr_equal(dim_divide_exact(table, N, k(2)), quo(N, k(2)));
}

static void test_divisible(void **state) {
    assert_true(dim_assume_divisible(table, N, 8));
    const Dim *half = quo(N, k(2));
    assert_int_equal(dim_equal(table, mul(k(2), half), N), DIM_YES);
    assert_true(dim_is(dim_mod(table, N, k(4)), 0));
    const Dim *now = add(N, k(0));
    assert_non_null(dim_as_symbol(now));
    assert_string_equal(dim_as_symbol(now)->name->text, "N");
    assert_prints(now, "N");
    assert_prints(mul(now, add(now, T)), "T*N + N*N");
    int64_t values[3] = {24, 0, 0}, out;
    assert_true(dim_evaluate(half, values, &out));
    assert_int_equal(out, 12);
    assert_true(dim_assume_divisible(table, N, 12)); /* lcm 24 */
    assert_true(dim_is(dim_mod(table, N, k(24)), 0));
    assert_int_equal(dim_equal(table, half, quo(N, k(2))), DIM_YES);
    const Dim *replace[3] = {mul(k(48), T), NULL, NULL};
    assert_ptr_equal(dim_substitute(table, half, replace), mul(k(24), T));
    const Dim *other[3] = {H, NULL, NULL};
    assert_ptr_equal(dim_substitute(table, now, other), H);
    assert_false(dim_assume_divisible(table, k(7), 2));
    /* A divisibility that is not of one symbol. */
    assert_true(dim_assume_divisible(table, mul(T, H), 3));
    assert_true(dim_is(dim_mod(table, mul(T, H), k(3)), 0));
}

static void test_bounds(void **state) {
    assert_true(dim_assume_bounds(table, T, 1, 1024));
    int64_t lower, upper;
    dim_bounds(quo(add(T, k(7)), k(8)), &lower, &upper);
    assert_int_equal(lower, 1);
    assert_int_equal(upper, 128);
    assert_int_equal(dim_less_equal(table, T, k(1024)), DIM_YES);
    assert_int_equal(dim_less_equal(table, T, k(2000)), DIM_YES);
    assert_int_equal(dim_less_equal(table, k(1025), T), DIM_NO);
    assert_int_equal(dim_less_equal(table, T, k(512)), DIM_UNKNOWN);
    assert_int_equal(dim_less_equal(table, N, add(N, T)), DIM_YES);
    assert_int_equal(dim_less_equal(table, N, mul(N, T)), DIM_YES); /* T >= 1 */
    assert_int_equal(dim_less_equal(table, mul(k(2), quo(N, k(2))), N), DIM_YES);
    assert_int_equal(dim_less_equal(table, N, add(mul(k(2), quo(N, k(2))), k(1))), DIM_YES);
    assert_int_equal(dim_less_equal(table, N, dim_max(table, N, H)), DIM_YES);
    assert_false(dim_assume_bounds(table, T, 2000, 3000));
    assert_true(dim_assume_bounds(table, add(mul(k(2), H), k(1)), 6, 10)); /* H in 3..4 */
    dim_bounds(H, &lower, &upper);
    assert_int_equal(lower, 3);
    assert_int_equal(upper, 4);
    /* An inequality of two symbols is a fact of its own. */
    assert_int_equal(dim_less_equal(table, T, N), DIM_UNKNOWN);
    assert_true(dim_assume_bounds(table, sub(N, T), 0, INT64_MAX));
    assert_int_equal(dim_less_equal(table, T, N), DIM_YES);
    assert_int_equal(dim_less_equal(table, mul(k(3), T), mul(k(3), N)), DIM_YES);
    assert_ptr_equal(dim_floordiv(table, add(mul(T, N), sub(T, k(1))), T), N);
    assert_ptr_equal(dim_ceildiv(table, k(9), 4), k(3));
    assert_ptr_equal(dim_ceildiv(table, mul(k(8), N), 4), mul(k(2), N));
}

static void test_equal(void **state) {
    assert_int_equal(dim_equal(table, N, T), DIM_UNKNOWN);
    assert_int_equal(dim_equal(table, N, add(N, k(1))), DIM_NO);
    assert_int_equal(dim_equal(table, mul(k(2), N), add(mul(k(2), T), k(1))), DIM_NO);
    assert_true(dim_assume_equal(table, N, T));
    assert_int_equal(dim_equal(table, N, T), DIM_YES);
    assert_int_equal(dim_equal(table, mul(N, N), mul(N, T)), DIM_YES);
    assert_ptr_equal(add(N, k(1)), add(T, k(1)));
    assert_true(dim_assume_equal(table, H, add(k(5), k(2))));
    assert_ptr_equal(mul(H, k(2)), k(14));
    assert_false(dim_assume_equal(table, N, add(T, k(1))));
}

static void test_equal_of_expressions(void **state) {
    assert_true(dim_assume_equal(table, mul(N, T), mul(H, H)));
    assert_int_equal(dim_equal(table, mul(N, T), mul(H, H)), DIM_YES);
    assert_int_equal(dim_equal(table, mul(k(2), mul(N, T)), mul(H, mul(k(2), H))), DIM_YES);
    assert_true(dim_assume_equal(table, quo(N, k(2)), T)); /* T is written by N */
    assert_ptr_equal(add(T, k(0)), quo(N, k(2)));
}

static void test_substitute(void **state) {
    const Dim *d = add(quo(add(N, T), k(2)), mul(N, H));
    const Dim *by[3] = {k(4), mul(k(2), H), NULL};
    assert_ptr_equal(dim_substitute(table, d, by), add(mul(k(5), H), k(2)));
    const Dim *m = dim_max(table, N, T);
    const Dim *numbers[3] = {k(4), k(9), NULL};
    assert_ptr_equal(dim_substitute(table, m, numbers), k(9));
}

static uint32_t seed = 12345;
static uint32_t next(uint32_t n) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % n;
}

/* Random expressions, evaluated beside their dims at several points. */
static const Dim *random_dim(int depth, int64_t values[][3], int64_t *out, int points) {
    if (depth == 0 || next(5) == 0) {
        uint32_t which = next(4);
        int64_t constant = (int64_t)next(12) - 4;
        for (int i = 0; i < points; i++) out[i] = which < 3 ? values[i][which] : constant;
        return which == 0 ? N : which == 1 ? T : which == 2 ? H : k(constant);
    }
    int64_t a[8], b[8];
    const Dim *x = random_dim(depth - 1, values, a, points);
    const Dim *y = random_dim(depth - 1, values, b, points);
    int64_t divisor = 1 + next(6);
    uint32_t op = next(6);
    for (int i = 0; i < points; i++) {
        int64_t q = a[i] / divisor - (a[i] % divisor < 0);
        out[i] = op == 0   ? a[i] + b[i]
                 : op == 1 ? a[i] - b[i]
                 : op == 2 ? a[i] * b[i]
                 : op == 3 ? q
                 : op == 4 ? a[i] - q * divisor
                           : (a[i] > b[i] ? a[i] : b[i]);
    }
    switch (op) {
    case 0: return add(x, y);
    case 1: return sub(x, y);
    case 2: return mul(x, y);
    case 3: return quo(x, k(divisor));
    case 4: return dim_mod(table, x, k(divisor));
    default: return dim_max(table, x, y);
    }
}

static void test_random_values(void **state) {
    for (int round = 0; round < 1500; round++) {
        if (round % 250 == 0 && round) {
            teardown(state);
            setup(state);
            if (round >= 500) assert_true(dim_assume_divisible(table, N, 6));
            if (round >= 750) assert_true(dim_assume_bounds(table, T, 2, 40));
            if (round >= 1000) assert_true(dim_assume_equal(table, H, add(T, quo(N, k(4)))));
        }
        int64_t values[8][3], a[8], b[8];
        for (int i = 0; i < 8; i++) {
            values[i][0] = round >= 500 ? 6 * next(7) : next(40);
            values[i][1] = 2 + next(38);
            values[i][2] = round >= 1000 ? values[i][1] + values[i][0] / 4 : next(40);
        }
        const Dim *x = random_dim(4, values, a, 8), *y = random_dim(4, values, b, 8);
        assert_non_null(x);
        DimTruth equal = dim_equal(table, x, y), less = dim_less_equal(table, x, y);
        int64_t lower, upper;
        dim_bounds(x, &lower, &upper);
        for (int i = 0; i < 8; i++) {
            int64_t value;
            assert_true(dim_evaluate(x, values[i], &value));
            assert_int_equal(value, a[i]);
            assert_true(lower <= value && value <= upper);
            if (equal == DIM_YES) assert_int_equal(a[i], b[i]);
            if (equal == DIM_NO) assert_int_not_equal(a[i], b[i]);
            if (less == DIM_YES) assert_true(a[i] <= b[i]);
            if (less == DIM_NO) assert_true(a[i] > b[i]);
        }
    }
}

/* What an operation gave is remembered, until more is known. */
static void test_new_facts_count(void **state) {
    const Dim *product = mul(H, T), *half = quo(H, k(2)), *rest = sub(N, H);
    assert_int_equal(dim_less_equal(table, N, H), DIM_UNKNOWN);
    assert_int_equal(dim_less_equal(table, T, mul(k(2), H)), DIM_UNKNOWN);
    assert_null(dim_divide_exact(table, N, k(4)));
    assert_true(dim_assume_bounds(table, N, 0, 9));
    assert_true(dim_assume_bounds(table, H, 10, 20));
    assert_int_equal(dim_less_equal(table, N, H), DIM_YES);
    assert_true(dim_at_most(table, N, H));
    assert_false(dim_at_most(table, H, N));
    assert_int_equal(dim_less_equal(table, H, N), DIM_NO);
    assert_true(dim_assume_bounds(table, sub(mul(k(2), H), T), 0, INT64_MAX));
    assert_int_equal(dim_less_equal(table, T, mul(k(2), H)), DIM_YES);
    assert_true(dim_assume_divisible(table, N, 4));
    assert_prints(dim_divide_exact(table, N, k(4)), "N//4");
    assert_true(dim_assume_equal(table, H, k(15)));
    assert_ptr_equal(mul(H, T), mul(k(15), T));
    assert_ptr_equal(dim_refresh(table, product), mul(k(15), T));
    assert_ptr_equal(quo(H, k(2)), k(7));
    assert_ptr_equal(dim_refresh(table, half), k(7));
    assert_ptr_equal(sub(N, H), dim_refresh(table, rest));
}

static void test_free_symbols(void **state) {
    const DimSymbol *n = dim_as_symbol(N), *t = dim_as_symbol(T), *h = dim_as_symbol(H);
    assert_true(dim_assume_bounds(table, N, 2, 100));
    assert_true(dim_symbol_is_free(table, n));
    assert_true(dim_assume_bounds(table, sub(quo(T, k(2)), H), 0, INT64_MAX));
    assert_true(dim_symbol_is_free(table, n));
    assert_false(dim_symbol_is_free(table, t));
    assert_false(dim_symbol_is_free(table, h));
    assert_true(dim_assume_divisible(table, N, 4));
    assert_false(dim_symbol_is_free(table, n));
}

static void test_shape(void **state) {
    Shape s = shape_of(3, (const Dim *[]){N, k(1), k(28)});
    Text text = text_new(arena);
    shape_print(&text, &s);
    assert_string_equal(text.data, "[N, 1, 28]");
    assert_ptr_equal(shape_elements(table, &s), mul(k(28), N));
    Shape other = s;
    other.dims[1] = k(2);
    assert_false(shape_equal(&s, &other));
    Shape huge = shape_of(2, (const Dim *[]){k(1LL << 40), k(1LL << 40)});
    assert_null(shape_elements(table, &huge));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_normal_form),  TEST(test_print),         TEST(test_overflow_is_null),
        TEST(test_length),       TEST(test_divide_exact),  TEST(test_divisible),
        TEST(test_bounds),       TEST(test_equal),         TEST(test_equal_of_expressions),
        TEST(test_substitute),   TEST(test_random_values), TEST(test_new_facts_count),
        TEST(test_free_symbols), TEST(test_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
