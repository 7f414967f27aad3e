/* The elementary functions of lanes against the C library in double: every nth float of all, with
 * NaN, infinities and subnormals; conversions of 16-bit floats over all patterns; Philox's known
 * answers. */
#pragma GCC diagnostic ignored "-Wpsabi"
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "elementary.h"
#include "philox.h"

typedef nnv_f32 (*Lanes)(nnv_f32);
typedef double (*Exact)(double);
static nnv_f32 lanes_exp(nnv_f32 x) {
    return nnv_exp_f32(x);
}
static nnv_f32 lanes_expm1(nnv_f32 x) {
    return nnv_expm1_f32(x);
}
static nnv_f32 lanes_log1p(nnv_f32 x) {
    return nnv_log1p_f32(x);
}
static nnv_f32 lanes_log(nnv_f32 x) {
    return nnv_log_f32(x);
}
static nnv_f32 lanes_tanh(nnv_f32 x) {
    return nnv_tanh_f32(x);
}
static nnv_f32 lanes_sigmoid(nnv_f32 x) {
    return nnv_sigmoid_f32(x);
}
static nnv_f32 lanes_erf(nnv_f32 x) {
    return nnv_erf_f32(x);
}
static nnv_f32 lanes_floor(nnv_f32 x) {
    return nnv_floor_f32(x);
}
static nnv_f32 lanes_ceil(nnv_f32 x) {
    return nnv_ceil_f32(x);
}
static nnv_f32 lanes_round(nnv_f32 x) {
    return nnv_round_f32(x);
}
static nnv_f32 lanes_trunc(nnv_f32 x) {
    return nnv_trunc_f32(x);
}
static nnv_f32 lanes_sqrt(nnv_f32 x) {
    return nnv_sqrt_f32(x);
}
static double exact_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Distance in units of the last place of the float nearest to `exact`. */
static double ulps(float y, double exact) {
    int exponent = 0;
    frexp(exact, &exponent);
    if (exponent < -125) exponent = -125;
    return fabs((double)y - exact) / ldexp(1, exponent - 24);
}

static void check_function(const char *name, Lanes f, Exact g, double bound) {
    for (uint64_t u = 0; u < 0x100000000u; u += 1009u * NN_LANES) {
        nnv_f32 x = nnv_splat_f32(0);
        for (int i = 0; i < NN_LANES; i++)
            NN_SET(x, i, float_of((uint32_t)(u + 1009u * (unsigned)i)));
        nnv_f32 y = f(x);
        for (int i = 0; i < NN_LANES; i++) {
            float a = NN_GET(x, i), b = NN_GET(y, i);
            double exact = g((double)a);
            float nearest = (float)exact;
            if (isnan(exact) ? isnan(b) : isinf(nearest) || nearest == 0 ? b == nearest : false)
                continue;
            /* Near the ends of the range a neighbour of the nearest float is allowed. */
            if (isnan(exact) || isinf(b) != isinf(nearest) || !(ulps(b, exact) <= bound))
                fail_msg("%s(%a) = %a, exactly %a", name, (double)a, (double)b, exact);
        }
    }
    static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 0x1p-149f, -0x1p-149f};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        float y = NN_GET(f(nnv_splat_f32(special[i])), 0);
        double exact = g((double)special[i]);
        if (isnan(exact) ? !isnan(y) : (float)exact != y && !(ulps(y, exact) <= bound))
            fail_msg("%s(%a) = %a, exactly %a", name, (double)special[i], (double)y, exact);
    }
}

static void test_functions(void **state) {
    check_function("exp", lanes_exp, exp, 1.0);
    check_function("log", lanes_log, log, 1.0);
    check_function("expm1", lanes_expm1, expm1, 2.0);
    check_function("log1p", lanes_log1p, log1p, 2.0);
    check_function("tanh", lanes_tanh, tanh, 2.0);
    check_function("sigmoid", lanes_sigmoid, exact_sigmoid, 2.0);
    check_function("erf", lanes_erf, erf, 1.0);
    check_function("floor", lanes_floor, floor, 0);
    check_function("ceil", lanes_ceil, ceil, 0);
    check_function("round", lanes_round, nearbyint, 0);
    check_function("trunc", lanes_trunc, trunc, 0);
    check_function("sqrt", lanes_sqrt, sqrt, 0.5);
}

static void test_halves(void **state) {
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t bits = (uint16_t)h, back = 0;
        float x = nns_load_f16(&bits);
        int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
        double exact = exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                       : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                      : ldexp(fraction, -24);
        if (h >> 15) exact = -exact;
        if (isnan(exact)) {
            assert_true(isnan(x));
        } else {
            assert_true((double)x == exact);
            nns_store_f16(&back, x);
            assert_int_equal(back, bits);
        }
        float y = nns_load_bf16(&bits);
        assert_true(isnan(y) ? isnan(float_of(h << 16)) : y == float_of(h << 16));
        if (!isnan(y)) {
            nns_store_bf16(&back, y);
            assert_int_equal(back, bits);
        }
    }
    /* Ties go to even. */
    assert_true(nns_round_f16(0x1.002p0f) == 1.0f);
    assert_true(nns_round_f16(0x1.006p0f) == 0x1.008p0f);
    assert_true(nns_round_bf16(0x1.01p0f) == 1.0f);
    assert_true(nns_round_bf16(0x1.03p0f) == 0x1.04p0f);
    assert_true(isinf(nns_round_f16(65520.0f)));
}

static void test_philox(void **state) {
    uint32_t c[4] = {0, 0, 0, 0};
    nn_philox(c, 0);
    const uint32_t zeros[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    assert_memory_equal(c, zeros, sizeof c);
    uint32_t d[4] = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
    nn_philox(d, 0xffffffffffffffffu);
    const uint32_t ones[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    assert_memory_equal(d, ones, sizeof d);
    nn_random r = {0x0123456789abcdefu, 1, 2, 3};
    for (int64_t first = 0; first < 40; first++) {
        nnv_f32 x = nnv_random_f32(r, nnv_lanes() + first);
        nnv_f64 y = nnv_random_f64(r, nnv_lanes() + first);
        for (int i = 0; i < NN_LANES; i++) {
            assert_true(NN_GET(x, i) == nns_random_f32(r, first + i));
            assert_true(NN_GET(y, i) == nns_random_f64(r, first + i));
            assert_true(NN_GET(x, i) >= 0 && NN_GET(x, i) < 1);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_functions),
                                       cmocka_unit_test(test_halves),
                                       cmocka_unit_test(test_philox)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
