/* The product of two tiles in shared memory on tensor cores, by the warps of a block.
 *
 * tf32: factors are rounded to 10 bits of fraction; bf16: to 7 bits; sums are f32.  How the lanes
 * of a warp hold a small product (16 rows, 8 columns) and its factors is that of PTX's
 * mma.sync.m16n8k8 and m16n8k16.  Where there are no such instructions, lanes give each other
 * what they hold, so that a host shows the same product and the same places.  With g = lane / 4,
 * t = lane % 4: c[q], c[2 + q] are (g, 2 t + q) and (g + 8, 2 t + q) of the sums; a[2 s + h] is
 * (g + 8 h, P::place(t, s)) of the left factor, b[s] is (P::place(t, s), g) of the right one.
 * Rows of the tiles in shared memory are P::MORE longer than they are wide, so that the lanes of a
 * warp that read a factor meet different banks; every P::GROUP of them are followed by some more,
 * SKEW, so that lanes that go down the depth while they fill a tile meet different banks too. */
#ifndef NN_CUDA_MMA_H
#define NN_CUDA_MMA_H 1

#include "cuda_device.h"

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define NN_TENSOR_CORES 1
#endif

/* v without its last `dropped` bits: the nearest; ties go to even, or away from zero. */
NN_DEVICE float nn_drop_bits(float v, int dropped, bool even) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    if (v != v) return v;
    bits += ((uint32_t)1 << (dropped - 1)) - (even && !(bits >> dropped & 1));
    bits = bits >> dropped << dropped;
    memcpy(&v, &bits, sizeof v);
    return v;
}

template <class P> NN_DEVICE void nn_multiply_by_lanes(float *c, const float *a, const float *b) {
    const int g = (int)(threadIdx.x % 32 / 4), t = (int)(threadIdx.x % 4);
    for (int s = 0; s < P::SLOTS; s++)
        for (int from = 0; from < 4; from++) {
            const float upper = P::rounded(nn_lane(a[2 * s], 4 * g + from));
            const float lower = P::rounded(nn_lane(a[2 * s + 1], 4 * g + from));
            for (int q = 0; q < 2; q++) {
                const float right = P::rounded(nn_lane(b[s], 4 * (2 * t + q) + from));
                c[q] += upper * right;
                c[2 + q] += lower * right;
            }
        }
}

/* Nearest, ties away from zero. */
struct nn_tf32 {
    enum { DEPTH = 8, SLOTS = 2, MORE = 8, GROUP = 4 };
    static __device__ __forceinline__ int place(int t, int s) { return t + 4 * s; }
    static __device__ __forceinline__ float rounded(float v) { return nn_drop_bits(v, 13, false); }
    static __device__ __forceinline__ void multiply(float *c, const float *a, const float *b) {
#ifdef NN_TENSOR_CORES
        uint32_t x[4], y[2];
        for (int i = 0; i < 4; i++) asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(x[i]) : "f"(a[i]));
        for (int i = 0; i < 2; i++) asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(y[i]) : "f"(b[i]));
        asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
#else
        nn_multiply_by_lanes<nn_tf32>(c, a, b);
#endif
    }
};

/* Nearest, ties to even. */
struct nn_bf16 {
    enum { DEPTH = 16, SLOTS = 4, MORE = 4, GROUP = 8 };
    static __device__ __forceinline__ int place(int t, int s) { return 2 * t + s % 2 + s / 2 * 8; }
    static __device__ __forceinline__ float rounded(float v) { return nn_drop_bits(v, 16, true); }
#ifdef NN_TENSOR_CORES
    static __device__ __forceinline__ uint32_t pair(float low, float high) {
        uint32_t both;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
        return both;
    }
#endif
    static __device__ __forceinline__ void multiply(float *c, const float *a, const float *b) {
#ifdef NN_TENSOR_CORES
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
            "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(pair(a[0], a[2])), "r"(pair(a[1], a[3])), "r"(pair(a[4], a[6])),
              "r"(pair(a[5], a[7])), "r"(pair(b[0], b[1])), "r"(pair(b[2], b[3])));
#else
        nn_multiply_by_lanes<nn_bf16>(c, a, b);
#endif
    }
};

/* sums[i][j] += sum over k of rows[k][row(i)] * columns[k][column(j)]: DOWN of the eight warps lie
 * one above the other, and each has its part of the tile. */
template <class P, int ROWS, int COLUMNS, int CHUNK, int DOWN, int SKEW>
NN_DEVICE void nn_tile_product(const float *rows, const float *columns, float *sums) {
    enum { ACROSS = 8 / DOWN, HIGH = ROWS / DOWN / 16, WIDE = COLUMNS / ACROSS / 8 };
    const int warp = (int)(threadIdx.x / 32), g = (int)(threadIdx.x % 32 / 4),
              t = (int)(threadIdx.x % 4);
    const float *const left = rows + warp / ACROSS * (ROWS / DOWN) + g;
    const float *const right = columns + warp % ACROSS * (COLUMNS / ACROSS) + g;
    NN_UNROLL_DEVICE for (int k = 0; k < CHUNK; k += P::DEPTH) {
        float a[HIGH][2 * P::SLOTS], b[WIDE][P::SLOTS];
        NN_UNROLL_DEVICE for (int s = 0; s < P::SLOTS; s++) {
            /* The lanes that read at once are in one group. */
            const int at = k + P::place(t, s), more = (k + P::place(0, s)) / P::GROUP * SKEW;
            NN_UNROLL_DEVICE for (int i = 0; i < 2 * HIGH; i++) a[i / 2][2 * s + i % 2] =
                left[at * (ROWS + P::MORE) + more + 8 * i];
            NN_UNROLL_DEVICE for (int j = 0; j < WIDE; j++) b[j][s] =
                right[at * (COLUMNS + P::MORE) + more + 8 * j];
        }
        NN_UNROLL_DEVICE for (int i = 0; i < HIGH; i++) {
            NN_UNROLL_DEVICE for (int j = 0; j < WIDE; j++) {
                float *const c = sums + 4 * WIDE * i + 2 * j;
                float four[4] = {c[0], c[1], c[2 * WIDE], c[2 * WIDE + 1]};
                P::multiply(four, a[i], b[j]);
                c[0] = four[0], c[1] = four[1], c[2 * WIDE] = four[2], c[2 * WIDE + 1] = four[3];
            }
        }
    }
}

#endif
