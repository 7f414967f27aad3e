/* Which vector loops go through their reduction several vectors at a time. */
#include "unit/kernel/kernel_test.h"

#include <stdio.h>

#include "emit/emit.h"
#include "plan/plan.h"

/* The emitted text of one entry. */
static const char *emitted(Arena *a, const char *body) {
    char text[1000];
    snprintf(text, sizeof text,
             "root m infer {\nentry infer e symbol=e {\ndims N in 1..4096\n%s\n }\n}\n", body);
    KernelProgram *kernels = kernels_of(a, text);
    const Plan *plan = plan_build(a, kernels);
    Text source = text_new(a);
    emit_c(plan,
           &(EmitOptions){
               .header_name = "m.h", .file_name = "m.c", .source_name = "m.nn", .version = "test"},
           &source);
    return source.data;
}

static int jams(const char *body) {
    Arena *a = arena_new();
    int count = occurrences(emitted(a, body), "+ NN_JAM * NN_LANES <=");
    arena_free(a);
    return count;
}

static void test_sums_of_columns(void **state) {
    (void)state;
    assert_int_equal(
        jams(
            "%0: f32[N, 512] = input x\n %1: f32[512] = reduce %0 kind=sum axes=[0]\n return y=%1"),
        1);
    /* With what is computed of it, and of two operands. */
    assert_int_equal(
        jams("%0: f32[N, 512] = input x\n %1: f32[N, 512] = input g\n %2 = mul %0, %1\n"
             "%3: f32[512] = reduce %2 kind=max axes=[0]\n %4 = exp %3\n return y=%4"),
        1);
    /* Two axes that are reduced are two loops around the vectors. */
    assert_int_equal(jams("%0: f32[N, 7, 64] = input x\n %1: f32[64] = reduce %0 kind=sum axes=[0, "
                          "1]\n return y=%1"),
                     1);
}

static void test_what_does_not_pay(void **state) {
    (void)state;
    /* Along the rows; functions, which have other things to wait for; too few columns; positions.
     */
    assert_int_equal(
        jams("%0: f32[N, 512] = input x\n %1: f32[N] = reduce %0 kind=sum axes=[1]\n return y=%1"),
        0);
    assert_int_equal(jams("%0: f32[N, 512] = input x\n %1 = exp %0\n %2: f32[512] = reduce %1 "
                          "kind=sum axes=[0]\n return y=%2"),
                     0);
    assert_int_equal(
        jams("%0: f32[N, 24] = input x\n %1: f32[24] = reduce %0 kind=sum axes=[0]\n return y=%1"),
        0);
    assert_int_equal(jams("%0: f32[N, 512] = input x\n %1: i64[512] = reduce %0 kind=argmax "
                          "axes=[0]\n return y=%1"),
                     0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums_of_columns),
        cmocka_unit_test(test_what_does_not_pay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
