/* Products by cuBLASLt (--gemm=cublaslt) on the shim, of operands that lie in every way, at the
 * sizes around tiles, with nothing, a bias, and more behind them: within the bound of the typed
 * interpreter, captured as a graph and not.  Which of these are one call: test_library.c. */
#include "cuda/gemm.h"
#include "cuda/tables.h"

#define TWO(x, w, labels)                         \
    " dims N\n %x: $[" x "] = input x\n %w: $[" w \
    "] = input w\n %p = contract %x, %w labels=" labels "\n"
#define PRODUCT(x, w, labels) TWO(x, w, labels) " return y=%p"
#define BIASED(x, w, labels, of, out, axis)                                   \
    TWO(x, w, labels)                                                         \
    " %v: $[" of "] = input v\n %e: $[" out "] = expand %v axes=[" axis "]\n" \
    " %y = add %p, %e\n"

#define SIZES "0 1 31 32 33 1025"
#define FLOATS "f32 f64 f16 bf16"

static void run_products(const char *name, const TableCase *cases, int count, Precision precision,
                         const char *used) {
    Arena *arena = arena_new();
    const KernelOptions kernels = {.gpu = true, .gemm = GEMM_CUBLASLT, .precision = precision};
    run_table_with(name,
                   arena_printf(arena, "-DSCHEDULES=2 -DNN_INDEX=int64_t %s", gemm_flag(arena)),
                   &kernels, cases, count, used);
    arena_free(arena);
}

static void test_orientations(void **state) {
    (void)state;
    const TableCase cases[] = {
        {"plain", PRODUCT("N, 40", "40, 24", "ab,bc->ac"), FLOATS, -2, 2, 0, 0, BOUNDED, SIZES},
        {"turned", PRODUCT("N, 40", "24, 40", "ab,cb->ac"), FLOATS, -2, 2, 0, 0, BOUNDED, SIZES},
        {"across", PRODUCT("N, 24", "N, 40", "ab,ac->bc"), FLOATS, -2, 2, 0, 0, BOUNDED, SIZES},
        {"both", PRODUCT("N, 24", "40, N", "ab,ca->bc"), FLOATS, -2, 2, 0, 0, BOUNDED, SIZES},
        {"columns", PRODUCT("24, 33", "33, N", "ab,bc->ac"), "f32", -2, 2, 0, 0, BOUNDED, SIZES},
        {"swapped", PRODUCT("24, 33", "N, 24", "ab,ca->cb"), "f32", -2, 2, 0, 0, BOUNDED, SIZES},
        {"batch", PRODUCT("3, N, 17", "3, 17, 9", "abc,acd->abd"), "f32 bf16", -2, 2, 0, 0, BOUNDED,
         SIZES},
        {"batches", PRODUCT("N, 7, 17", "N, 9, 17", "abc,adc->abd"), "f32 f64", -2, 2, 0, 0,
         BOUNDED, SIZES},
        {"heads", PRODUCT("N, 3, 8", "5, 3, 8", "abc,dbc->abd"), "f32", -2, 2, 0, 0, BOUNDED,
         SIZES},
        {"flattened", PRODUCT("2, N, 17", "17, 9", "abc,cd->abd"), "f32", -2, 2, 0, 0, BOUNDED,
         SIZES},
        {"view",
         " dims N\n %x: $[N, 43] = input x\n %s: $[N, 40] = slice %x begin=[0, 3] step=[1, 1]\n"
         " %w: $[40, 29] = input w\n %t: $[40, 24] = slice %w begin=[0, 1] step=[1, 1]\n"
         " %y = contract %s, %t labels=ab,bc->ac\n return y=%y",
         FLOATS, -2, 2, 0, 0, BOUNDED, SIZES},
        {"itself",
         " dims N\n %x: $[N, 40] = input x\n %y = contract %x, %x labels=ab,cb->ac\n return y=%y",
         "f32", -2, 2, 0, 0, BOUNDED, "0 1 33"},
        {"deep", PRODUCT("9, 2100", "2100, 33", "ab,bc->ac"), FLOATS, -2, 2, 0, 0, BOUNDED, "0"},
        {"odd", PRODUCT("N, 40", "40, 24", "ab,bc->ac"), "f32", -2, 2, 0, 50, BOUNDED, "1 33"},
    };
    run_products("gemm", cases, sizeof cases / sizeof *cases, PRECISION_F32,
                 "nn_multiply NN_COMPUTE_64F, NN_R_16F, NN_R_16BF,");
}

static void test_epilogues(void **state) {
    (void)state;
    const TableCase cases[] = {
        {"bias", BIASED("N, 40", "40, 24", "ab,bc->ac", "24", "N, 24", "1") " return y=%y",
         "f32 f64 f16 bf16", -2, 2, 0, 0, BOUNDED, SIZES},
        {"bias_odd", BIASED("N, 40", "40, 24", "ab,bc->ac", "24", "N, 24", "1") " return y=%y",
         "f32", -2, 2, 0, 9, BOUNDED, "1 33"},
        {"bias_batch",
         BIASED("3, N, 17", "3, 17, 9", "abc,acd->abd", "9", "3, N, 9", "2") " return y=%y", "f32",
         -2, 2, 0, 0, BOUNDED, SIZES},
        {"bias_no_depth", BIASED("5, N", "N, 24", "ab,bc->ac", "24", "5, 24", "1") " return y=%y",
         FLOATS, -2, 2, 0, 0, BOUNDED, "0 1 33"},
        {"bias_rows", BIASED("N, 40", "40, 24", "ab,bc->ac", "N", "N, 24", "0") " return y=%y",
         "f32", -2, 2, 0, 0, BOUNDED, SIZES},
        {"bias_square", BIASED("N, 40", "40, N", "ab,bc->ac", "N", "N, N", "0") " return y=%y",
         "f32", -2, 2, 0, 0, BOUNDED, "0 1 33"},
        {"both_kept",
         BIASED("N, 40", "40, 24", "ab,bc->ac", "24", "N, 24", "1") " return y=%y, p=%p", "f32 f16",
         -2, 2, 0, 0, BOUNDED, SIZES},
        {"relu",
         BIASED("N, 40", "40, 24", "ab,bc->ac", "24", "N, 24",
                "1") " %o: $[N, 24] = const 0\n"
                     " %r = maximum %y, %o\n return r=%r",
         "f32 bf16", -2, 2, 0, 9, BOUNDED, SIZES},
        {"turned_result", PRODUCT("N, 3, 40", "40, 24", "abc,cd->adb"), "f32", -2, 2, 0, 0, BOUNDED,
         SIZES},
        {"no_depth", PRODUCT("3, 5, N", "3, N, 9", "abc,acd->abd"), FLOATS, -2, 2, 0, 0, BOUNDED,
         "0 1"},
        {"in_scan",
         " dims N\n %h: $[N, 15] = input h\n %x: $[5, 15, 15] = input x\n"
         " %s = scan %h, %x carries=1 sequences=1 length=5 {\n"
         "  %c: $[N, 15] = input\n  %u: $[15, 15] = input\n"
         "  %m = contract %c, %u labels=ab,bc->ac\n  %n = tanh %m\n  return %n, %m\n }\n"
         " %y = proj %s index=0\n %z = proj %s index=1\n return y=%y, z=%z",
         "f32", -0.5, 0.5, 0, 0, BOUNDED, "0 1 33"},
    };
    run_products("gemm_epilogue", cases, sizeof cases / sizeof *cases, PRECISION_F32,
                 "nn_multiply");
}

/* Factors that are whole in the shorter form; others would leave the bound. */
#define CAST(x, w, labels)                                                                   \
    " dims N\n %i: $[" x "] = input x\n %j: $[" w "] = input w\n %x: f32[" x "] = cast %i\n" \
    " %w: f32[" w "] = cast %j\n %p = contract %x, %w labels=" labels "\n return p=%p, x=%x, w=%w"

static void test_precisions(void **state) {
    (void)state;
    const TableCase
        tf32 = {"tf32", CAST("N, 40", "40, 24", "ab,bc->ac"), "f16", -2, 2, 0, 0, BOUNDED, "1 33"},
        bf16 = {"bf16", CAST("N, 40", "40, 24", "ab,bc->ac"), "bf16", -2, 2, 0, 0, BOUNDED, "1 33"};
    run_products("gemm_tf32", &tf32, 1, PRECISION_TF32, "NN_COMPUTE_32F_FAST_TF32,");
    run_products("gemm_bf16", &bf16, 1, PRECISION_BF16, "NN_COMPUTE_32F_FAST_16BF,");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orientations),
                                       cmocka_unit_test(test_epilogues),
                                       cmocka_unit_test(test_precisions)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
