/* What this processor can do at most, with the vectors that emitted code uses: multiply-adds in
 * registers, and reads of a buffer.  `nnc bench` compiles it as it compiles models, and times it.
 */
#include "lanes.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "fp-contract=fast")
#elif defined(__clang__)
#pragma clang fp contract(fast)
#endif

/* One register each, whatever the element type. */
#if NN_LANES > 1
typedef float nn_floats __attribute__((vector_size(NN_LANES * 4)));
typedef double nn_doubles __attribute__((vector_size(NN_LANES * 4)));
#else
typedef float nn_floats;
typedef double nn_doubles;
#endif

/* Enough independent chains to hide the latency, few enough to stay in 16 registers. */
enum { NN_CHAINS = 12 };
#define NN_MULTIPLY_ADD(NAME, V, S)                                                    \
    static double NAME(int64_t rounds, S factor, S term) {                             \
        const V zero = (V){0}, f = zero + factor, t = zero + term;                     \
        V sums[NN_CHAINS], total = zero;                                               \
        S all = 0;                                                                     \
        NN_UNROLL for (int k = 0; k < NN_CHAINS; k++) sums[k] = zero + (S)k;           \
        for (int64_t i = 0; i < rounds; i++) {                                         \
            NN_UNROLL for (int k = 0; k < NN_CHAINS; k++) sums[k] = sums[k] * f + t;   \
        }                                                                              \
        NN_UNROLL for (int k = 0; k < NN_CHAINS; k++) total += sums[k];                \
        for (size_t i = 0; i < sizeof total / sizeof(S); i++) all += NN_GET(total, i); \
        return (double)all;                                                            \
    }
NN_MULTIPLY_ADD(multiply_add_f32, nn_floats, float)
NN_MULTIPLY_ADD(multiply_add_f64, nn_doubles, double)

static double read_all(const int32_t *data, int64_t elements, int64_t passes) {
    nnv_i32 sums[8];
    double total = 0;
    NN_UNROLL for (int k = 0; k < 8; k++) sums[k] = nnv_splat_i32(0);
    for (int64_t p = 0; p < passes; p++)
        for (int64_t i = 0; i + 8 * NN_LANES <= elements; i += 8 * NN_LANES) {
            NN_UNROLL for (int k = 0; k < 8; k++) sums[k] += nnv_load_i32(data + i + k * NN_LANES);
        }
    NN_UNROLL for (int k = 0; k < 8; k++) for (int lane = 0; lane < NN_LANES; lane++) total +=
        (double)NN_GET(sums[k], lane);
    return total;
}

/* Does `amount` of a work: 0 and 1, rounds of multiply-adds in f32 and f64; 2, passes over `data`.
 * Returns the operations or bytes; *sink keeps the compiler from leaving the work out. */
double nnc_roofline(int work, int64_t amount, const void *data, int64_t bytes, double *sink);
double nnc_roofline(int work, int64_t amount, const void *data, int64_t bytes, double *sink) {
    if (work == 0) {
        *sink += multiply_add_f32(amount, (float)*sink, 1.0f);
        return 2.0 * NN_CHAINS * (double)(sizeof(nn_floats) / sizeof(float)) * (double)amount;
    }
    if (work == 1) {
        *sink += multiply_add_f64(amount, *sink, 1.0);
        return 2.0 * NN_CHAINS * (double)(sizeof(nn_doubles) / sizeof(double)) * (double)amount;
    }
    const int64_t elements = bytes / 4 / (8 * NN_LANES) * (8 * NN_LANES);
    *sink += read_all((const int32_t *)data, elements, amount);
    return 4.0 * (double)elements * (double)amount;
}
