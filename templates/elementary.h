/* Elementary functions of lanes.
 *
 * nnv_exp_f32 and the like take and give nnv_f32.  exp, expm1, log, log1p, tanh, sigmoid, erf are
 * our own: right at NaN, infinities, zeros, subnormals; the error is bounded over all floats, with
 * FMA and without; beside each stands the bound, in units of the last place of the exact result.
 * The polynomials are minimax fits of the error that the result sees, their coefficients rounded
 * one after the other, each before the rest is fitted again.
 * The others, and everything of f64, call the C library lane by lane.  The scalar form of an f32
 * function is lane 0 of the same code, so an element has the same bits wherever it lies. */
#ifndef NN_ELEMENTARY
#define NN_ELEMENTARY 1

#include "lanes.h"

/* The scalar form of a function of lanes. */
#define NN_SCALAR_1(name)                                     \
    NN_INLINE float nns_##name##_f32(float x) {               \
        return NN_GET(nnv_##name##_f32(nnv_splat_f32(x)), 0); \
    }

/* section: nnv_abs_f32 nnv_copysign_f32 nnv_sign_f32 nnv_trunc_f32 nnv_floor_f32 nnv_ceil_f32
   nnv_round_f32 nnv_sqrt_f32 nnv_at_most_f32 nnv_at_least_f32 nnv_rsqrt_f32 nnv_floordiv_f32
   nns_sign_f32 */
/* ---- sign, rounding, square root ---- */
NN_INLINE nnv_f32 nnv_abs_f32(nnv_f32 x) { return nnv_f32_of(nnv_f32_bits(x) & 0x7fffffff); }
NN_INLINE nnv_f32 nnv_copysign_f32(nnv_f32 x, nnv_f32 s) {
    return nnv_f32_of((nnv_f32_bits(x) & 0x7fffffff) | (nnv_f32_bits(s) & INT32_MIN));
}
NN_INLINE nnv_f32 nnv_sign_f32(nnv_f32 x) {
    nnv_f32 zero = nnv_splat_f32(0.0f);
    return nnv_select_f32(nnv_gt_f32(x, zero), nnv_splat_f32(1.0f),
                          nnv_select_f32(nnv_lt_f32(x, zero), nnv_splat_f32(-1.0f), zero));
}
/* Beyond 2^23 every float is an integer; below, the conversion is exact. */
NN_INLINE nnv_f32 nnv_trunc_f32(nnv_f32 x) {
    nnv_bool small = nnv_lt_f32(nnv_abs_f32(x), nnv_splat_f32(0x1p23f));
    nnv_f32 whole = nnv_cast(f32, nnv_cast(i32, nnv_select_f32(small, x, nnv_splat_f32(0.0f))));
    return nnv_select_f32(small, nnv_copysign_f32(whole, x), x);
}
NN_INLINE nnv_f32 nnv_floor_f32(nnv_f32 x) {
    nnv_f32 t = nnv_trunc_f32(x);
    return nnv_select_f32(nnv_gt_f32(t, x), t - 1.0f, t);
}
NN_INLINE nnv_f32 nnv_ceil_f32(nnv_f32 x) {
    nnv_f32 t = nnv_trunc_f32(x);
    return nnv_select_f32(nnv_lt_f32(t, x), nnv_copysign_f32(t + 1.0f, x), t);
}
NN_INLINE nnv_f32 nnv_round_f32(nnv_f32 x) {
    nnv_f32 t = nnv_trunc_f32(x), d = nnv_abs_f32(x - t);
    nnv_i32 odd = nnv_cast(i32, nnv_select_f32(nnv_lt_f32(nnv_abs_f32(t), nnv_splat_f32(0x1p23f)),
                                               t, nnv_splat_f32(0.0f))) &
                  1;
    nnv_bool away = nnv_gt_f32(d, nnv_splat_f32(0.5f)) |
                    (nnv_eq_f32(d, nnv_splat_f32(0.5f)) & nnv_ne_i32(odd, nnv_splat_i32(0)));
    return nnv_select_f32(away, t + nnv_copysign_f32(nnv_splat_f32(1.0f), x), t);
}
NN_INLINE nnv_f32 nnv_sqrt_f32(nnv_f32 x) {
#if NN_LANES > 1 && NN_HAS(__builtin_elementwise_sqrt)
    return __builtin_elementwise_sqrt(x);
#elif NN_LANES == 16 && defined(__clang__) && NN_HAS(__builtin_ia32_sqrtps512)
    return (nnv_f32)__builtin_ia32_sqrtps512(x, 4);
#elif NN_LANES == 16 && NN_HAS(__builtin_ia32_sqrtps512_mask)
    return (nnv_f32)__builtin_ia32_sqrtps512_mask(x, x, -1, 4);
#elif NN_LANES == 8 && NN_HAS(__builtin_ia32_sqrtps256)
    return (nnv_f32)__builtin_ia32_sqrtps256(x);
#else
    for (int i = 0; i < NN_LANES; i++) NN_SET(x, i, sqrtf(NN_GET(x, i)));
    return x;
#endif
}
/* x, but the bound where x is beyond it; NaN stays. */
NN_INLINE nnv_f32 nnv_at_most_f32(float bound, nnv_f32 x) {
    return NN_FIRST_IF(minps, lt, nnv_splat_f32(bound), x);
}
NN_INLINE nnv_f32 nnv_at_least_f32(float bound, nnv_f32 x) {
    return NN_FIRST_IF(maxps, gt, nnv_splat_f32(bound), x);
}
NN_INLINE nnv_f32 nnv_rsqrt_f32(nnv_f32 x) { return nnv_splat_f32(1.0f) / nnv_sqrt_f32(x); }
NN_INLINE nnv_f32 nnv_floordiv_f32(nnv_f32 a, nnv_f32 b) { return nnv_floor_f32(a / b); }
NN_SCALAR_1(sign)

/* section: *_of_f32 *_of_f64 */
/* ---- to integers: truncates, saturates, NaN becomes 0 ---- */
#define NN_TO_INTEGER(T, S, F, FS, low, past, least, most)                              \
    NN_INLINE S nns_##T##_of_##F(FS x) {                                                \
        return (S)(x >= (past) ? (most) : x >= (low) ? (S)x : x < (low) ? (least) : 0); \
    }                                                                                   \
    NN_INLINE nnv_##T nnv_##T##_of_##F(nnv_##F x) {                                     \
        nnv_bool high = nnv_ge_##F(x, nnv_splat_##F(past)),                             \
                 below = nnv_lt_##F(x, nnv_splat_##F(low));                             \
        nnv_bool odd = high | below | nnv_ne_##F(x, x);                                 \
        nnv_##F safe = nnv_select_##F(odd, nnv_splat_##F(0), x);                        \
        nnv_##T y = NN_NARROW_##T(safe);                                                \
        y = nnv_select_##T(high, nnv_splat_##T(most), y);                               \
        return nnv_select_##T(below, nnv_splat_##T(least), y);                          \
    }
/* Compilers convert between bytes and floats well only by way of 32-bit integers. */
#define NN_NARROW_i64(x) nnv_cast(i64, x)
#define NN_NARROW_i32(x) nnv_cast(i32, x)
#define NN_NARROW_i16(x) nnv_cast(i16, nnv_cast(i32, x))
#define NN_NARROW_i8(x) nnv_cast(i8, nnv_cast(i32, x))
#define NN_NARROW_u8(x) nnv_cast(u8, nnv_cast(i32, x))
NN_TO_INTEGER(i64, int64_t, f32, float, -0x1p63f, 0x1p63f, INT64_MIN, INT64_MAX)
NN_TO_INTEGER(i32, int32_t, f32, float, -0x1p31f, 0x1p31f, INT32_MIN, INT32_MAX)
NN_TO_INTEGER(i16, int16_t, f32, float, -0x1p15f, 0x1p15f, INT16_MIN, INT16_MAX)
NN_TO_INTEGER(i8, int8_t, f32, float, -0x1p7f, 0x1p7f, INT8_MIN, INT8_MAX)
NN_TO_INTEGER(u8, uint8_t, f32, float, 0.0f, 0x1p8f, 0, UINT8_MAX)
NN_TO_INTEGER(i64, int64_t, f64, double, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)
NN_TO_INTEGER(i32, int32_t, f64, double, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)
NN_TO_INTEGER(i16, int16_t, f64, double, -0x1p15, 0x1p15, INT16_MIN, INT16_MAX)
NN_TO_INTEGER(i8, int8_t, f64, double, -0x1p7, 0x1p7, INT8_MIN, INT8_MAX)
NN_TO_INTEGER(u8, uint8_t, f64, double, 0.0, 0x1p8, 0, UINT8_MAX)

/* section: nnv_exponential nnv_exp_split nnv_exp_scale nnv_exp_f32 nns_exp_f32 */
/* ---- exp and its family ---- */
/* exp(x - lost) as (high + low) * 2^e, for x in [-110, 100]; NaN stays NaN.  x is e * ln2 + head +
 * tail, |head| < 0.35; e times the first part of ln2 has few bits, so head is exact and the rest in
 * tail.  1 + head is cut into high and what its rounding loses, which joins the small terms: high +
 * low is right to a tenth of a unit, and rounding it adds the half. */
typedef struct nnv_exponential {
    nnv_f32 high, low;
    nnv_i32 scale; /* its low bits are e + 254: both halves of the sum are exponents of floats */
} nnv_exponential;
NN_INLINE nnv_exponential nnv_exp_split(nnv_f32 x, nnv_f32 lost) {
    nnv_exponential y;
    nnv_f32 z = x * 0x1.715476p0f + (0x1.8p23f + 254.0f), n = z - (0x1.8p23f + 254.0f);
    nnv_f32 head = x - n * 0x1.62e4p-1f, tail = n * -0x1.7f7d1cp-20f - lost, r = head + tail;
    nnv_f32 q = r * 0x1.6b796ap-10f + 0x1.12305ep-7f;
    q = q * r + 0x1.55567ep-5f;
    q = q * r + 0x1.5554a2p-3f;
    q = q * r + 0.5f;
    y.high = head + 1.0f;
    y.low = (r * r) * q + ((head - (y.high - 1.0f)) + tail);
    y.scale = nnv_f32_bits(z);
    return y;
}
/* y * 2^e, for |e| < 127. */
NN_INLINE nnv_f32 nnv_exp_scale_normal(nnv_f32 y, nnv_i32 scale) {
    return y * nnv_f32_of((nnv_i32)(((nnv_u32)scale - 127u) << 23));
}
/* y * 2^e in two factors: the second multiplication rounds once into subnormals or infinity. */
NN_INLINE nnv_f32 nnv_exp_scale(nnv_f32 y, nnv_i32 scale) {
    nnv_u32 e = (nnv_u32)scale, half = e >> 1;
    nnv_f32 first = nnv_f32_of((nnv_i32)(half << 23));
    nnv_f32 second = nnv_f32_of((nnv_i32)((e - half) << 23));
    return y * first * second;
}
/* exp: at most 1 unit. */
NN_INLINE nnv_f32 nnv_exp_f32(nnv_f32 x) {
    x = nnv_at_least_f32(-110.0f, nnv_at_most_f32(100.0f, x));
    nnv_exponential y = nnv_exp_split(x, nnv_splat_f32(0.0f));
    return nnv_exp_scale(y.high + y.low, y.scale);
}
NN_SCALAR_1(exp)
/* section: nnv_sigmoid_f32 nns_sigmoid_f32 */
/* sigmoid: at most 2 units.  e / (1 + e), e = exp(-|x|), or 1 / (1 + e) where x is positive.  Just
 * below a power of two the rounding of e and of 1 + e weighs up to one unit each: what they lost
 * corrects the quotient. */
NN_INLINE nnv_f32 nnv_sigmoid_f32(nnv_f32 x) {
    nnv_f32 zero = nnv_splat_f32(0.0f), one = nnv_splat_f32(1.0f);
    nnv_exponential y = nnv_exp_split(nnv_at_least_f32(-110.0f, -nnv_abs_f32(x)), zero);
    nnv_f32 sum = y.high + y.low, e = nnv_exp_scale(sum, y.scale), d = one + e;
    nnv_f32 lost = y.low - (sum - y.high), rest = e - (d - one);
    nnv_bool negative = nnv_lt_f32(x, zero);
    nnv_f32 q = nnv_select_f32(negative, e, one) / d;
    nnv_f32 inverse = nnv_select_f32(negative, one - q, q); /* 1 / d */
    nnv_f32 c = nnv_select_f32(negative, lost, zero) - rest * inverse;
    return q * c + q;
}
NN_SCALAR_1(sigmoid)
/* section: nnv_tanh_f32 nns_tanh_f32 */
/* tanh: at most 2 units.  A polynomial near 0, 1 - 2 / (exp(2 a) + 1) beyond. */
NN_INLINE nnv_f32 nnv_tanh_f32(nnv_f32 x) {
    nnv_f32 a = nnv_abs_f32(x), t = a * a;
    nnv_exponential e = nnv_exp_split(nnv_at_most_f32(40.0f, a * 2.0f), nnv_splat_f32(0.0f));
    nnv_f32 big = 1.0f - 2.0f / (nnv_exp_scale_normal(e.high + e.low, e.scale) + 1.0f);
    nnv_f32 p = t * -0x1.75e1ccp-8f + 0x1.52269cp-6f;
    p = p * t - 0x1.b83c5ap-5f;
    p = p * t + 0x1.110726p-3f;
    p = p * t - 0x1.555532p-2f;
    p = (a * t) * p + a;
    return nnv_copysign_f32(nnv_select_f32(nnv_lt_f32(a, nnv_splat_f32(0.625f)), p, big), x);
}
NN_SCALAR_1(tanh)

/* section: nnv_expm1_f32 nns_expm1_f32 */
/* expm1: at most 2 units.  Near 0, 2^e * high - 1 is exact, and low is what cancellation leaves.
 * Below -18 the result is -1; e is halved as in exp. */
NN_INLINE nnv_f32 nnv_expm1_f32(nnv_f32 x) {
    nnv_f32 inside = nnv_at_least_f32(-18.0f, nnv_at_most_f32(100.0f, x));
    nnv_exponential y = nnv_exp_split(inside, nnv_splat_f32(0.0f));
    nnv_u32 e = (nnv_u32)y.scale, half = e >> 1, rest = (e - half) << 23;
    nnv_f32 first = nnv_f32_of((nnv_i32)(half << 23)), second = nnv_f32_of((nnv_i32)rest);
    nnv_f32 one = nnv_f32_of((nnv_i32)(0x7f000000u - rest)); /* 1 / second */
    return nnv_copysign_f32(((y.high * first - one) + y.low * first) * second, x);
}
NN_SCALAR_1(expm1)

/* section: nnv_log_sum nnv_log_domain NN_SQRT_HALF nnv_log_f32 nns_log_f32 */
/* log(2^n * (1 + f)), sqrt(1/2) <= 1 + f < sqrt(2): log(1 + f) by s = f / (2 + f). */
NN_INLINE nnv_f32 nnv_log_sum(nnv_f32 n, nnv_f32 f) {
    nnv_f32 s = f / (f + 2.0f), z = s * s, half = 0.5f * f * f;
    nnv_f32 r = z * 0x1.e2f664p-3f + 0x1.2438d8p-2f;
    r = r * z + 0x1.999a7ap-2f;
    r = r * z + 0x1.555554p-1f;
    nnv_f32 y = s * (half + r * z) + n * 0x1.2fefa2p-17f;
    y = (y - half) + f;
    return n * 0x1.62e3p-1f + y;
}
/* -infinity at 0, NaN below, infinity and NaN of themselves; y for other u. */
NN_INLINE nnv_f32 nnv_log_domain(nnv_f32 u, nnv_f32 y) {
    nnv_f32 zero = nnv_splat_f32(0.0f);
    nnv_bool usual = nnv_gt_f32(u, zero) & nnv_lt_f32(u, nnv_splat_f32(INFINITY));
    nnv_f32 below = nnv_select_f32(nnv_lt_f32(u, zero), nnv_splat_f32(NAN), u);
    nnv_f32 other = nnv_select_f32(nnv_eq_f32(u, zero), nnv_splat_f32(-INFINITY), below);
    return nnv_select_f32(usual, y, other);
}
#define NN_SQRT_HALF 0x3f3504f3 /* its bits: taking them off leaves the exponent of x / sqrt(1/2) */
/* log: at most 1 unit. */
NN_INLINE nnv_f32 nnv_log_f32(nnv_f32 x) {
    nnv_bool tiny = nnv_lt_f32(x, nnv_splat_f32(0x1p-126f));
    nnv_f32 scaled = nnv_select_f32(tiny, x * 0x1p25f, x);
    nnv_i32 bits = (nnv_i32)((nnv_u32)nnv_f32_bits(scaled) - (uint32_t)NN_SQRT_HALF);
    nnv_i32 k = (bits >> 23) - (tiny & 25);
    nnv_f32 f = nnv_f32_of((bits & 0x7fffff) + NN_SQRT_HALF) - 1.0f;
    return nnv_log_domain(x, nnv_log_sum(nnv_cast(f32, k), f));
}
NN_SCALAR_1(log)
/* section: nnv_log1p_f32 nns_log1p_f32 */
/* log1p: at most 2 units.  What 1 + x loses joins f; where 1 + x has exponent 0, f is x itself. */
NN_INLINE nnv_f32 nnv_log1p_f32(nnv_f32 x) {
    nnv_f32 u = x + 1.0f, back = u - x, lost = (x - (u - back)) + (1.0f - back);
    nnv_i32 bits = (nnv_i32)((nnv_u32)nnv_f32_bits(u) - (uint32_t)NN_SQRT_HALF);
    nnv_f32 f = nnv_f32_of((bits & 0x7fffff) + NN_SQRT_HALF) - 1.0f;
    /* 2^-k; for k = 128 these are the bits of -infinity, and what is lost does not count. */
    nnv_f32 scale = nnv_f32_of((nnv_i32)(0x3f800000u - ((nnv_u32)bits & 0xff800000u)));
    scale = nnv_at_least_f32(0.0f, scale);
    nnv_f32 y = nnv_log_sum(nnv_cast(f32, bits >> 23), lost * scale + f);
    return nnv_log_domain(u, nnv_copysign_f32(y, x));
}
NN_SCALAR_1(log1p)

/* section: nnv_erf_f32 nns_erf_f32 */
/* erf: at most 1 unit.  Near 0: a + a * p(a * a); beyond: 1 - exp(-(2 u + u * h(u))).  Both
 * polynomials are about a point inside their range: their terms are small where they count, and so
 * is their rounding, even without FMA; what the last sum loses goes into the exponential's tail. */
NN_INLINE nnv_f32 nnv_erf_f32(nnv_f32 x) {
    nnv_f32 a = nnv_abs_f32(x), t = a * a - 0.3125f;
    nnv_f32 p = t * 0x1.69ea7ep-14f - 0x1.58e84ep-11f;
    p = p * t + 0x1.097838p-8f;
    p = p * t - 0x1.59bccep-6f;
    p = p * t + 0x1.728dcep-4f;
    p = p * t - 0x1.406236p-2f;
    p = p * t + 0x1.597b24p-6f;
    nnv_f32 near = a * p + a;
    nnv_f32 u = nnv_at_most_f32(3.95f, a), w = u - 1.0f; /* erf is 1 from 3.92 on */
    nnv_f32 h = w * -0x1.c4a46ap-13f + 0x1.19eed0p-9f;
    h = h * w - 0x1.8efd8ap-7f;
    h = h * w + 0x1.b845cep-5f;
    h = h * w + 0x1.94273ap-1f;
    h = h * w - 0x1.340206p-3f;
    nnv_f32 twice = u + u, v = u * h, g = twice + v, lost = v - (g - twice);
    nnv_exponential e = nnv_exp_split(-g, lost);
    nnv_f32 far = 1.0f - nnv_exp_scale_normal(e.high + e.low, e.scale);
    return nnv_copysign_f32(nnv_select_f32(nnv_lt_f32(a, nnv_splat_f32(0.87f)), near, far), x);
}
NN_SCALAR_1(erf)

/* section: nnv_sin_f32 nnv_cos_f32 nnv_tan_f32 nnv_asin_f32 nnv_acos_f32 nnv_atan_f32 nnv_sinh_f32
   nnv_cosh_f32 nnv_asinh_f32 nnv_acosh_f32 nnv_atanh_f32 nnv_erfc_f32 nnv_mod_f32 nnv_pow_f32
   nnv_atan2_f32 nns_rsqrt_f32 nns_floordiv_f32 nns_abs_f32 nns_floor_f32 nns_ceil_f32 nns_trunc_f32
   nns_round_f32 nns_sqrt_f32 nns_sin_f32 nns_cos_f32 nns_tan_f32 nns_asin_f32 nns_acos_f32
   nns_atan_f32 nns_sinh_f32 nns_cosh_f32 nns_asinh_f32 nns_acosh_f32 nns_atanh_f32 nns_erfc_f32
   nns_pow_f32 nns_atan2_f32 nns_mod_f32 nns_mod_f64 nns_sign_f64 nns_sigmoid_f64 nns_rsqrt_f64
   nns_floordiv_f64 nns_round_f64 nns_abs_f64 nns_floor_f64 nns_ceil_f64 nns_trunc_f64 nns_sqrt_f64
   nns_exp_f64 nns_expm1_f64 nns_log_f64 nns_log1p_f64 nns_sin_f64 nns_cos_f64 nns_tan_f64
   nns_asin_f64 nns_acos_f64 nns_atan_f64 nns_sinh_f64 nns_cosh_f64 nns_tanh_f64 nns_asinh_f64
   nns_acosh_f64 nns_atanh_f64 nns_erf_f64 nns_erfc_f64 nns_pow_f64 nns_atan2_f64 nnv_abs_f64
   nnv_sign_f64 nnv_floor_f64 nnv_ceil_f64 nnv_trunc_f64 nnv_round_f64 nnv_sqrt_f64 nnv_rsqrt_f64
   nnv_exp_f64 nnv_expm1_f64 nnv_log_f64 nnv_log1p_f64 nnv_sin_f64 nnv_cos_f64 nnv_tan_f64
   nnv_asin_f64 nnv_acos_f64 nnv_atan_f64 nnv_sinh_f64 nnv_cosh_f64 nnv_tanh_f64 nnv_asinh_f64
   nnv_acosh_f64 nnv_atanh_f64 nnv_sigmoid_f64 nnv_erf_f64 nnv_erfc_f64 nnv_floordiv_f64 nnv_mod_f64
   nnv_pow_f64 nnv_atan2_f64 */
/* ---- the C library, lane by lane ---- */
#define NN_LANEWISE_1(name, T, call)                                         \
    NN_INLINE nnv_##T nnv_##name##_##T(nnv_##T x) {                          \
        for (int i = 0; i < NN_LANES; i++) NN_SET(x, i, call(NN_GET(x, i))); \
        return x;                                                            \
    }
#define NN_LANEWISE_2(name, T, call)                                                       \
    NN_INLINE nnv_##T nnv_##name##_##T(nnv_##T x, nnv_##T y) {                             \
        for (int i = 0; i < NN_LANES; i++) NN_SET(x, i, call(NN_GET(x, i), NN_GET(y, i))); \
        return x;                                                                          \
    }
/* Python's modulo: the result has the sign of the divisor. */
NN_INLINE float nns_mod_f32(float a, float b) {
    float r = fmodf(a, b);
    return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
NN_INLINE double nns_mod_f64(double a, double b) {
    double r = fmod(a, b);
    return r != 0.0 && (r < 0.0) != (b < 0.0) ? r + b : r;
}
NN_INLINE double nns_sign_f64(double x) { return x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0; }
NN_INLINE double nns_sigmoid_f64(double x) {
    double e = exp(-fabs(x));
    return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
NN_INLINE double nns_rsqrt_f64(double x) { return 1.0 / sqrt(x); }
NN_INLINE double nns_floordiv_f64(double a, double b) { return floor(a / b); }
#define nns_round_f64 nearbyint
NN_LANEWISE_1(sin, f32, sinf)
NN_LANEWISE_1(cos, f32, cosf)
NN_LANEWISE_1(tan, f32, tanf)
NN_LANEWISE_1(asin, f32, asinf)
NN_LANEWISE_1(acos, f32, acosf)
NN_LANEWISE_1(atan, f32, atanf)
NN_LANEWISE_1(sinh, f32, sinhf)
NN_LANEWISE_1(cosh, f32, coshf)
NN_LANEWISE_1(asinh, f32, asinhf)
NN_LANEWISE_1(acosh, f32, acoshf)
NN_LANEWISE_1(atanh, f32, atanhf)
NN_LANEWISE_1(erfc, f32, erfcf)
NN_LANEWISE_2(mod, f32, nns_mod_f32)
NN_LANEWISE_2(pow, f32, powf)
NN_LANEWISE_2(atan2, f32, atan2f)
#define NN_DOUBLES_1(name, call) NN_LANEWISE_1(name, f64, call)
NN_DOUBLES_1(abs, fabs)
NN_DOUBLES_1(sign, nns_sign_f64)
NN_DOUBLES_1(floor, floor)
NN_DOUBLES_1(ceil, ceil)
NN_DOUBLES_1(trunc, trunc)
NN_DOUBLES_1(round, nearbyint)
NN_DOUBLES_1(sqrt, sqrt)
NN_DOUBLES_1(rsqrt, nns_rsqrt_f64)
NN_DOUBLES_1(exp, exp)
NN_DOUBLES_1(expm1, expm1)
NN_DOUBLES_1(log, log)
NN_DOUBLES_1(log1p, log1p)
NN_DOUBLES_1(sin, sin)
NN_DOUBLES_1(cos, cos)
NN_DOUBLES_1(tan, tan)
NN_DOUBLES_1(asin, asin)
NN_DOUBLES_1(acos, acos)
NN_DOUBLES_1(atan, atan)
NN_DOUBLES_1(sinh, sinh)
NN_DOUBLES_1(cosh, cosh)
NN_DOUBLES_1(tanh, tanh)
NN_DOUBLES_1(asinh, asinh)
NN_DOUBLES_1(acosh, acosh)
NN_DOUBLES_1(atanh, atanh)
NN_DOUBLES_1(sigmoid, nns_sigmoid_f64)
NN_DOUBLES_1(erf, erf)
NN_DOUBLES_1(erfc, erfc)
NN_LANEWISE_2(floordiv, f64, nns_floordiv_f64)
NN_LANEWISE_2(mod, f64, nns_mod_f64)
NN_LANEWISE_2(pow, f64, pow)
NN_LANEWISE_2(atan2, f64, atan2)

/* ---- scalar forms that are the C library ---- */
NN_INLINE float nns_rsqrt_f32(float x) { return 1.0f / sqrtf(x); }
NN_INLINE float nns_floordiv_f32(float a, float b) { return floorf(a / b); }
#define nns_abs_f32 fabsf
#define nns_floor_f32 floorf
#define nns_ceil_f32 ceilf
#define nns_trunc_f32 truncf
#define nns_round_f32 nearbyintf
#define nns_sqrt_f32 sqrtf
#define nns_sin_f32 sinf
#define nns_cos_f32 cosf
#define nns_tan_f32 tanf
#define nns_asin_f32 asinf
#define nns_acos_f32 acosf
#define nns_atan_f32 atanf
#define nns_sinh_f32 sinhf
#define nns_cosh_f32 coshf
#define nns_asinh_f32 asinhf
#define nns_acosh_f32 acoshf
#define nns_atanh_f32 atanhf
#define nns_erfc_f32 erfcf
#define nns_pow_f32 powf
#define nns_atan2_f32 atan2f
#define nns_abs_f64 fabs
#define nns_floor_f64 floor
#define nns_ceil_f64 ceil
#define nns_trunc_f64 trunc
#define nns_sqrt_f64 sqrt
#define nns_exp_f64 exp
#define nns_expm1_f64 expm1
#define nns_log_f64 log
#define nns_log1p_f64 log1p
#define nns_sin_f64 sin
#define nns_cos_f64 cos
#define nns_tan_f64 tan
#define nns_asin_f64 asin
#define nns_acos_f64 acos
#define nns_atan_f64 atan
#define nns_sinh_f64 sinh
#define nns_cosh_f64 cosh
#define nns_tanh_f64 tanh
#define nns_asinh_f64 asinh
#define nns_acosh_f64 acosh
#define nns_atanh_f64 atanh
#define nns_erf_f64 erf
#define nns_erfc_f64 erfc
#define nns_pow_f64 pow
#define nns_atan2_f64 atan2

/* section */
#endif
