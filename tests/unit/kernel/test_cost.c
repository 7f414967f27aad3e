/* Operations and bytes of kernels whose numbers are known by hand. */
#include <stdio.h>
#include <string.h>

#include "kernel_test.h"

typedef struct Sum {
    int64_t flops, bytes;
    bool wide;
} Sum;

/* Of all kernels of one entry together, every symbol being `n`. */
static Sum sum_of(const char *body, int64_t n) {
    Arena *a = arena_new();
    char text[4000];
    snprintf(text, sizeof text,
             "root m infer {\n cell w: f32[64, 96] parameter\nentry infer e symbol=e {\n"
             "dims N in 1..4096\n%s\n }\n}\n",
             body);
    KernelProgram *p = kernels_of(a, text);
    int64_t symbols[16], value;
    for (int i = 0; i < 16; i++) symbols[i] = n;
    Sum sum = {0};
    for (int i = 0; i < p->kernels.count; i++) {
        KernelCost cost = kernel_cost(p, p->kernels.data[i]);
        assert_non_null(cost.flops);
        assert_non_null(cost.bytes);
        assert_true(dim_evaluate(cost.flops, symbols, &value));
        sum.flops += value;
        assert_true(dim_evaluate(cost.bytes, symbols, &value));
        sum.bytes += value;
        sum.wide = sum.wide || cost.wide;
    }
    arena_free(a);
    return sum;
}

static void test_product(void **state) {
    (void)state;
    for (int64_t n = 1; n < 200; n += 37) {
        Sum s = sum_of("%0: f32[N, 64] = input x\n %1: f32[64, 96] = cell w\n"
                       "%2: f32[N, 96] = contract %0, %1 labels=ab,bc->ac\n return y=%2",
                       n);
        assert_int_equal(s.flops, 2 * n * 64 * 96);
        assert_int_equal(s.bytes, 4 * (n * 64 + 64 * 96 + n * 96));
        assert_false(s.wide);
    }
}

static void test_product_with_epilogue(void **state) {
    (void)state;
    Sum s = sum_of("%0: f32[N, 64] = input x\n %1: f32[64, 96] = cell w\n"
                   "%2: f32[N, 96] = contract %0, %1 labels=ab,bc->ac\n %3 = mul %2, %2\n"
                   "return y=%3",
                   48);
    assert_int_equal(s.flops, 2 * 48 * 64 * 96 + 48 * 96);
    assert_int_equal(s.bytes, 4 * (48 * 64 + 64 * 96 + 48 * 96));
}

static void test_elementwise(void **state) {
    (void)state;
    /* Two operations an element, one of them a function of eight; tiles do not divide N. */
    Sum s = sum_of("%0: f32[N, 7] = input x\n %1 = exp %0\n %2 = add %1, %0\n return y=%2", 1000);
    assert_int_equal(s.flops, 9 * 7000);
    assert_int_equal(s.bytes, 2 * 4 * 7000);
}

/* 2,048 elements are one tile's pointwise work; with five functions each they are several's. */
static void test_functions_are_work(void **state) {
    (void)state;
    static const char *const bodies[] = {"%1 = add %0, %0\n %2 = mul %1, %0\n return y=%2",
                                         "%1 = tanh %0\n %2 = exp %1\n %3 = sigmoid %2\n"
                                         "%4 = tanh %3\n %5 = erf %4\n return y=%5"};
    for (int i = 0; i < 2; i++) {
        Arena *a = arena_new();
        char text[400];
        snprintf(
            text, sizeof text,
            "root m infer {\nentry infer e symbol=e {\n%%0: f32[16, 128] = input x\n%s\n }\n}\n",
            bodies[i]);
        const KernelProgram *p = kernels_of(a, text);
        assert_int_equal(p->kernels.count, 1);
        const Kernel *k = p->kernels.data[0];
        int64_t tiles = 1, count = 0;
        for (int t = 0; t < k->tiles.count; t++) {
            assert_true(dim_is_const(k->tiles.data[t].count, &count));
            tiles *= count;
        }
        if (i == 0)
            assert_int_equal(tiles, 1);
        else
            assert_in_range(tiles, 4, 32);
        arena_free(a);
    }
}

static void test_broadcast_counts_once(void **state) {
    (void)state;
    Sum s = sum_of("%0: f32[N, 128] = input x\n %1: f32[128] = input b\n"
                   "%2: f32[N, 128] = expand %1 axes=[1]\n %3 = add %0, %2\n return y=%3",
                   512);
    assert_int_equal(s.flops, 512 * 128);
    assert_int_equal(s.bytes, 4 * (2 * 512 * 128 + 128));
}

static void test_reduction(void **state) {
    (void)state;
    Sum s =
        sum_of("%0: f32[N, 128] = input x\n %1 = reduce %0 kind=sum axes=[1]\n return y=%1", 512);
    assert_int_equal(s.flops, 512 * 128);
    assert_int_equal(s.bytes, 4 * (512 * 128 + 512));
}

/* A gathered row counts where it is fetched, the table never more than whole. */
static void test_gather(void **state) {
    (void)state;
    const char *body = "%0: f32[1000, 32] = input t\n %1: i64[N] = input i\n"
                       "%2: f32[N, 32] = gather %0, %1 batch=0\n return y=%2";
    assert_int_equal(sum_of(body, 10).bytes, 10 * 8 + 2 * 4 * 10 * 32);
    assert_int_equal(sum_of(body, 4000).bytes, 4000 * 8 + 4 * 1000 * 32 + 4 * 4000 * 32);
}

/* Many reads of one parameter count soon, whatever their number, and at most as the whole. */
static void test_many_reads(void **state) {
    (void)state;
    enum { READS = 40 };
    char body[4000] = "%0: f32[5000] = input u\n%1: f32[N] = slice %0 begin=[0] step=[1]\n";
    for (int i = 1; i < READS; i++) {
        char *end = body + strlen(body);
        snprintf(end, (size_t)(body + sizeof body - end),
                 "%%%d: f32[N] = slice %%0 begin=[%d] step=[1]\n%%%d = add %%%d, %%%d\n", 2 * i, i,
                 2 * i + 1, 2 * i - 1, 2 * i);
    }
    snprintf(body + strlen(body), sizeof body - strlen(body), "return y=%%%d", 2 * READS - 1);
    assert_int_equal(sum_of(body, 10).bytes, 4 * (READS * 10 + 10));
    assert_int_equal(sum_of(body, 1000).bytes, 4 * (5000 + 1000));
}

static void test_double_precision_shows(void **state) {
    (void)state;
    Sum s = sum_of("%0: f64[N] = input x\n %1 = mul %0, %0\n return y=%1", 100);
    assert_true(s.wide);
    assert_int_equal(s.bytes, 2 * 8 * 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_product_with_epilogue),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_broadcast_counts_once),
        cmocka_unit_test(test_functions_are_work),
        cmocka_unit_test(test_reduction),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_many_reads),
        cmocka_unit_test(test_double_precision_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
