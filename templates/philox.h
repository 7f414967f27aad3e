/* Random numbers: Philox4x32-10, counter based, the same bits everywhere; runtime/philox.c has the
 * generator once more, for the runtime's own draws.
 *
 * key = (low, high word of the seed); counter = (element / 4, scan index, site, step), each 32 bits.
 * A uniform f32 of element e is (word e % 4 of its block >> 8) * 2^-24.  A uniform f64 of element e
 * takes the words that the f32 elements 2e and 2e + 1 would: ((w0 >> 5) * 2^26 + (w1 >> 6)) * 2^-53. */
#ifndef NN_PHILOX
#define NN_PHILOX 1

#include "lanes.h"

typedef struct nn_random {
    uint64_t seed;
    uint32_t scan, site, step;
} nn_random;

/* Functions of their own: a kernel for every parameter draws. */
NN_OUTLINED void nn_philox(uint32_t c[4], uint64_t seed) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t c0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, c2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[0] = c0;
        c[1] = (uint32_t)p1;
        c[2] = c2;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

NN_INLINE float nns_random_f32(nn_random r, int64_t element) {
    uint32_t c[4] = {(uint32_t)(element >> 2), r.scan, r.site, r.step};
    nn_philox(c, r.seed);
    return (float)(c[element & 3] >> 8) * 0x1p-24f;
}
NN_INLINE double nns_random_f64(nn_random r, int64_t element) {
    uint32_t c[4] = {(uint32_t)(element >> 1), r.scan, r.site, r.step};
    nn_philox(c, r.seed);
    int at = (int)(element & 1) * 2;
    return ((double)(c[at] >> 5) * 0x1p26 + (double)(c[at + 1] >> 6)) * 0x1p-53;
}

/* One block of four words per lane, in lanes of 64 bits for the wide products. */
NN_OUTLINED void nnv_philox(nnv_u64 c[4], uint64_t seed) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        nnv_u64 p0 = c[0] * 0xD2511F53u, p1 = c[2] * 0xCD9E8D57u;
        nnv_u64 c0 = (p1 >> 32) ^ c[1] ^ k0, c2 = (p0 >> 32) ^ c[3] ^ k1;
        c[0] = c0;
        c[1] = p1 & 0xffffffffu;
        c[2] = c2;
        c[3] = p0 & 0xffffffffu;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}
NN_INLINE nnv_f32 nnv_random_f32(nn_random r, nnv_i64 element) {
    nnv_u64 e = nnv_cast(u64, element), word = e & 3;
    nnv_u64 c[4] = {(e >> 2) & 0xffffffffu, nnv_splat_u64(r.scan), nnv_splat_u64(r.site),
                    nnv_splat_u64(r.step)};
    nnv_philox(c, r.seed);
    nnv_i32 w = nnv_cast(i32, word), chosen = nnv_cast(i32, c[0] >> 8);
    chosen = nnv_select_i32(nnv_eq_i32(w, nnv_splat_i32(1)), nnv_cast(i32, c[1] >> 8), chosen);
    chosen = nnv_select_i32(nnv_eq_i32(w, nnv_splat_i32(2)), nnv_cast(i32, c[2] >> 8), chosen);
    chosen = nnv_select_i32(nnv_eq_i32(w, nnv_splat_i32(3)), nnv_cast(i32, c[3] >> 8), chosen);
    return nnv_cast(f32, chosen) * 0x1p-24f;
}
NN_INLINE nnv_f64 nnv_random_f64(nn_random r, nnv_i64 element) {
    nnv_f64 v = nnv_splat_f64(0.0);
    for (int i = 0; i < NN_LANES; i++) NN_SET(v, i, nns_random_f64(r, NN_GET(element, i)));
    return v;
}

#endif
