/* Products on tensor cores (--precision): factors that are whole in the shorter form give what f32
 * gives, within its bound, at the sizes around every tile; other factors are rounded as PTX says,
 * and sums are not. */
#include "cuda/tables.h"

#define PRODUCT(x, w, labels)                                                                \
    " dims N\n %x: $[" x "] = input x\n %w: $[" w "] = input w\n %a: f32[" x "] = cast %x\n" \
    " %b: f32[" w "] = cast %w\n %y = contract %a, %b labels=" labels "\n return y=%y"

enum { SMALL_CASES = 6 };

/* Those that ask for the smallest tile, under 8 schedules of the threads; the others, of which each
 * asks for a larger one, under one. */
static void run_products(const char *name, const char *dtype, Precision precision) {
    const TableCase cases[] = {
        {"square", PRODUCT("N, 40", "40, 24", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED,
         "0 1 15 16 17 31 32 33 65"},
        {"deep", PRODUCT("24, N", "N, 40", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED,
         "0 1 7 8 9 15 16 17 33"},
        {"along", PRODUCT("24, N", "40, N", "ab,cb->ac"), dtype, -2, 2, 0, 0, BOUNDED, "1 31 33"},
        {"across", PRODUCT("N, 24", "N, 40", "ab,ac->bc"), dtype, -2, 2, 0, 0, BOUNDED, "1 31 33"},
        {"batch", PRODUCT("3, N, 17", "3, 17, 9", "abc,acd->abd"), dtype, -2, 2, 0, 0, BOUNDED,
         "0 1 9 33"},
        {"parts", PRODUCT("33, 2100", "2100, 9", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED, "0"},
        {"large", PRODUCT("1345, 9", "9, 1473", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED, "0"},
        {"middle", PRODUCT("600, 32", "32, 1100", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED, "0"},
        {"column", PRODUCT("16800, 9", "9, 32", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED, "0"},
        {"row", PRODUCT("32, 9", "9, 16800", "ab,bc->ac"), dtype, -2, 2, 0, 0, BOUNDED, "0"},
    };
    static const char *const larger[] = {"128,128", "64,64", "128,32", "32,128"};
    enum { LARGE_CASES = sizeof cases / sizeof *cases - SMALL_CASES };
    const KernelOptions kernels = {.gpu = true, .precision = precision};
    char used[64], folder[64];
    snprintf(folder, sizeof folder, "%s_small", name);
    snprintf(used, sizeof used, "nn_tile_product<nn_%s,32,32 parts", name);
    run_table_with(folder, "-DSCHEDULES=4", &kernels, cases, SMALL_CASES, used);
    for (int i = 0; i < LARGE_CASES; i++) {
        snprintf(folder, sizeof folder, "%s_%s", name, cases[SMALL_CASES + i].name);
        snprintf(used, sizeof used, "nn_tile_product<nn_%s,%s", name, larger[i]);
        run_table_with(folder, "-DSCHEDULES=1", &kernels, &cases[SMALL_CASES + i], 1, used);
    }
}

/* bf16 has 7 bits of fraction; f16 has 10, as many as tf32. */
static void test_tf32(void **state) {
    (void)state;
    run_products("tf32", "f16", PRECISION_TF32);
}

static void test_bf16(void **state) {
    (void)state;
    run_products("bf16", "bf16", PRECISION_BF16);
}

/* ---- rounding ---- */

enum { SIDE = 16 };

/* v with so many bits of fraction: the nearest; of two as near the one away from zero, or even. */
static double rounded(double v, int bits, bool even) {
    int exponent;
    double scaled = ldexp(frexp(v, &exponent), bits + 1);
    double whole = even ? nearbyint(scaled) : round(scaled);
    return ldexp(whole, exponent - bits - 1);
}

/* A factor beside the unit matrix comes out as it was rounded, from either side. */
static void check_rounding(const char *name, Precision precision, int bits, bool even) {
    static const char text[] =
        "root test infer {\nentry infer left symbol=test_left {\n %x: f32[16, 16] = input x\n"
        " %w: f32[16, 16] = input w\n %y = contract %x, %w labels=ab,bc->ac\n"
        " %z = contract %w, %x labels=ab,bc->ac\n return y=%y, z=%z\n}\n}\n";
    const KernelOptions kernels = {.gpu = true, .precision = precision};
    Compiled c = compile_for_shim_with(name, text, "-DSCHEDULES=8", &kernels);
    float x[SIDE * SIDE], unit[SIDE * SIDE] = {0}, got[2][SIDE * SIDE];
    uint64_t random = 42;
    for (int i = 0; i < SIDE * SIDE; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const double v = ldexp((double)(random >> 11), -53) * 2 - 1;
        /* Every third value lies between two others, every third of those one bit beside it. */
        const double between = trunc(ldexp(v, bits)) + 0.5;
        x[i] = (float)ldexp(i % 3 ? v : between / ldexp(1, bits), i % 40 - 20);
        if (i % 9 == 3) x[i] = nextafterf(x[i], i % 2 ? 2 : -2);
        unit[i] = i / SIDE == i % SIDE;
    }
    const nnc_entry_info *info = &c.model->entries[0];
    nnc_context context = {.workspace_bytes = info->workspace_bytes(NULL)};
    context.workspace = malloc(context.workspace_bytes + 1);
    const void *const arguments[] = {x, unit};
    void *const results[] = {got[0], got[1]};
    assert_int_equal(info->call(&context, NULL, arguments, results), 0);
    int differ = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        const double wanted = rounded(x[i], bits, even);
        differ += wanted != x[i];
        if (got[0][i] != wanted || got[1][i] != wanted)
            fail_msg("%s, %a: expected %a, got %a and %a", name, x[i], wanted, got[0][i],
                     got[1][i]);
    }
    assert_true(differ > SIDE * SIDE / 2);
    free(context.workspace);
    compiled_free(&c);
}

static void test_rounding(void **state) {
    (void)state;
    check_rounding("rounds_tf32", PRECISION_TF32, 10, false);
    check_rounding("rounds_bf16", PRECISION_BF16, 7, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tf32), cmocka_unit_test(test_bf16),
                                       cmocka_unit_test(test_rounding)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
