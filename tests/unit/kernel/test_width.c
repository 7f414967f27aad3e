/* The bound of a kernel's index arithmetic: no element of any buffer lies beyond it, it says when
 * nothing is known, and where arithmetic is plain it is not far from the truth. */
#include <stdio.h>

#include "kernel_test.h"

static KernelProgram *gpu_kernels(Arena *arena, const char *body) {
    char text[4000];
    const char *error = NULL;
    snprintf(text, sizeof text, "root m infer {\nentry infer e symbol=e {\ndims N\n%s\n }\n}\n",
             body);
    names_init(arena);
    Program *program = program_read(arena, text, &error);
    if (!program) fail_msg("%s", error);
    return kernel_program_build_with(arena, program, &(KernelOptions){.gpu = true});
}

static int64_t value_at(const Dim *d, int64_t n) {
    int64_t symbols[16], value;
    for (int i = 0; i < 16; i++) symbols[i] = n;
    assert_non_null(d);
    assert_true(dim_evaluate(d, symbols, &value));
    return value;
}

/* Of the kernels of a body: every index of their parameters is below the bound, which is at most
 * `factor` times the largest of these plus a block's steps. */
static void check(const char *body, int64_t factor) {
    Arena *a = arena_new();
    KernelProgram *p = gpu_kernels(a, body);
    assert_true(p->kernels.count > 0);
    for (int i = 0; i < p->kernels.count; i++)
        for (int64_t n = 1; n < 3000000; n = 7 * n + 1) {
            const Kernel *k = p->kernels.data[i];
            int64_t size = value_at(kernel_index_size(p, k), n), largest = 0;
            for (int s = 0; s < k->parameter_count; s++) {
                const Dim *elements =
                    shape_elements(index_dims(p->indices), &k->slots.data[s].shape);
                if (value_at(elements, n) > largest) largest = value_at(elements, n);
            }
            if (size < largest - 1)
                fail_msg("%s: %lld of %lld", k->what, (long long)size, (long long)largest);
            if (factor && size > factor * (largest + 65536))
                fail_msg("%s: %lld, far from %lld", k->what, (long long)size, (long long)largest);
        }
    arena_free(a);
}

static void test_holds(void **state) {
    (void)state;
    check("%0: f32[N, 1000] = input x\n %1 = exp %0\n return y=%1", 2);
    check("%0: f32[N, 1000] = input x\n %1 = permute %0 axes=[1, 0]\n return y=%1", 3);
    check("%0: f32[N, 1000] = input x\n %1 = reduce %0 kind=sum axes=[0]\n return y=%1", 3);
    check("%0: f32[N, 1000] = input x\n %1 = argsort %0 axis=1\n return y=%1", 0);
    check("%0: f32[N, 1000] = input x\n %1 = prefix %0 kind=sum axis=1 reverse\n return y=%1", 0);
    check("%0: f32[N, 64] = input x\n %1: f32[64, 96] = input w\n"
          " %2 = contract %0, %1 labels=ab,bc->ac\n return y=%2",
          3);
    check("%0: f32[N, 1000] = input x\n %1: f32[N, 500] = slice %0 begin=[0, 998] step=[1, -2]\n"
          " return y=%1",
          4);
}

static void test_is_unknown(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = gpu_kernels(a, "%0: f32[N, 8] = input x\n %1: f32[2, 8] = input u\n"
                                      " %2: i64 = input at\n"
                                      " %3 = dynamic_update %0, %1, %2 axis=0\n return y=%3");
    int unknown = 0;
    for (int i = 0; i < p->kernels.count; i++) unknown += !kernel_index_size(p, p->kernels.data[i]);
    assert_int_equal(unknown, 1);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_holds),
                                       cmocka_unit_test(test_is_unknown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
