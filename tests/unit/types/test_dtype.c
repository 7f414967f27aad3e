/* Dtypes: the promotion lattice against torch's table, and integer ranges. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "types/dtype.h"

enum {
    B = DTYPE_BOOL,
    U8 = DTYPE_U8,
    I8 = DTYPE_I8,
    I16 = DTYPE_I16,
    I32 = DTYPE_I32,
    I64 = DTYPE_I64,
    F16 = DTYPE_F16,
    BF = DTYPE_BF16,
    F32 = DTYPE_F32,
    F64 = DTYPE_F64
};

static void test_promotion(void **state) {
    /* torch.promote_types over bool u8 i8 i16 i32 i64 f16 bf16 f32 f64. */
    static const int expected[DTYPE_COUNT][DTYPE_COUNT] = {
        {B, U8, I8, I16, I32, I64, F16, BF, F32, F64},
        {U8, U8, I16, I16, I32, I64, F16, BF, F32, F64},
        {I8, I16, I8, I16, I32, I64, F16, BF, F32, F64},
        {I16, I16, I16, I16, I32, I64, F16, BF, F32, F64},
        {I32, I32, I32, I32, I32, I64, F16, BF, F32, F64},
        {I64, I64, I64, I64, I64, I64, F16, BF, F32, F64},
        {F16, F16, F16, F16, F16, F16, F16, F32, F32, F64},
        {BF, BF, BF, BF, BF, BF, F32, BF, F32, F64},
        {F32, F32, F32, F32, F32, F32, F32, F32, F32, F64},
        {F64, F64, F64, F64, F64, F64, F64, F64, F64, F64},
    };
    for (int a = 0; a < DTYPE_COUNT; a++)
        for (int b = 0; b < DTYPE_COUNT; b++)
            assert_int_equal(dtype_promote((DType)a, (DType)b), expected[a][b]);
}

static void test_table(void **state) {
    DType t;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        assert_true(dtype_parse(dtype_name((DType)i), &t));
        assert_int_equal(t, i);
    }
    assert_false(dtype_parse("f33", &t));
    assert_int_equal(dtype_bytes(DTYPE_BF16), 2);
    assert_true(dtype_is_float(DTYPE_BF16));
    assert_false(dtype_is_float(DTYPE_BOOL));
    long long lo, hi;
    dtype_int_range(DTYPE_I8, &lo, &hi);
    assert_int_equal(lo, -128);
    assert_int_equal(hi, 127);
    dtype_int_range(DTYPE_U8, &lo, &hi);
    assert_int_equal(hi, 255);
    dtype_int_range(DTYPE_I64, &lo, &hi);
    assert_true(lo == INT64_MIN && hi == INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_promotion),
                                       cmocka_unit_test(test_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
