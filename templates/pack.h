/* Packing an operand of a product (mma.h): element (i, k) of a strided matrix goes to dst[i / G * G * D +
 * k * G + i % G], so that the leaf reads G neighbours of every k in a row.  G is 16 for columns
 * (panels) and 6 for rows (the register tile's rows).
 *
 * Element (i, k) lies at src[i * across + k / 16 * block + k % 16 * along]: a plain matrix has
 * block = 16 * along, stored panels that are read across have another.  D >= depth is the packed
 * depth.  Places of the last group past `count` are left as they are.  Values are moved, never
 * computed with.
 *
 * An instance NN_PACK(nn_pack_f32, float, 16) is nn_pack_f32_by_16(dst, D, src, count, depth, across,
 * along, block), for i < count and k < depth. */
#ifndef NN_PACK_H
#define NN_PACK_H 1

#include "lanes.h"

#if defined(__AVX__) && NN_LANES > 1 && NN_HAS(__builtin_shufflevector)
#define NN_PACK_TURN 1
typedef float nn_pack_v8 __attribute__((vector_size(32), aligned(4), may_alias));
/* Eight rows of eight, turned: dst[k * step] = src[k], src[k + across], ... */
NN_INLINE void nn_pack_turn(float *NN_RESTRICT dst, int64_t step, const float *src,
                            int64_t across) {
    nn_pack_v8 r[8], s[8];
    NN_UNROLL for (int i = 0; i < 8; i++) r[i] = *(const nn_pack_v8 *)(src + i * across);
    NN_UNROLL for (int i = 0; i < 8; i += 2) {
        s[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        s[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    NN_UNROLL for (int i = 0; i < 8; i += 4) {
        r[i] = __builtin_shufflevector(s[i], s[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        r[i + 1] = __builtin_shufflevector(s[i], s[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        r[i + 2] = __builtin_shufflevector(s[i + 1], s[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        r[i + 3] = __builtin_shufflevector(s[i + 1], s[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    NN_UNROLL for (int i = 0; i < 4; i++) {
        *(nn_pack_v8 *)(dst + i * step) =
            __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        *(nn_pack_v8 *)(dst + (i + 4) * step) =
            __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}
#endif

/* One group of n <= G neighbours. */
#define NN_PACK_GROUP(NAME, S, G)                                                   \
    NN_INLINE void NAME(S *NN_RESTRICT dst, const S *src, int64_t n, int64_t depth, \
                        int64_t across, int64_t along, int64_t block) {             \
        for (int64_t first = 0; first < depth; first += 16, src += block) {         \
            const int64_t end = nn_min(depth - first, 16);                          \
            for (int64_t k = 0; k < end; k++, dst += G) {                           \
                const S *from = src + k * along;                                    \
                for (int64_t i = 0; i < n; i++) dst[i] = from[i * across];          \
            }                                                                       \
        }                                                                           \
    }
NN_PACK_GROUP(nn_pack_f32_6, float, 6)
NN_PACK_GROUP(nn_pack_f64_6, double, 6)
NN_PACK_GROUP(nn_pack_f64_16, double, 16)
NN_PACK_GROUP(nn_pack_f32_16_plain, float, 16)
NN_INLINE void nn_pack_f32_16(float *NN_RESTRICT dst, const float *src, int64_t n, int64_t depth,
                              int64_t across, int64_t along, int64_t block) {
#ifdef NN_PACK_TURN
    if (along == 1 && n == 16)
        for (; depth >= 16; depth -= 16, src += block, dst += 16 * 16)
            NN_UNROLL for (int i = 0; i < 16; i += 8) NN_UNROLL for (int k = 0; k < 16; k += 8)
                nn_pack_turn(dst + k * 16 + i, 16, src + i * across + k, across);
#endif
    nn_pack_f32_16_plain(dst, src, n, depth, across, along, block);
}

/* Moves a group's neighbours; one of six floats as a vector of eight, of which the last two come where
 * the group's next row will; the last row that a group has room for is copied exactly. */
#ifdef NN_PACK_TURN
#define NN_PACK_SPILL_f32_6 2
#define NN_PACK_MOVE_f32_6(to, from) (*(nn_pack_v8 *)(to) = *(const nn_pack_v8 *)(from))
#else
#define NN_PACK_SPILL_f32_6 0
#define NN_PACK_MOVE_f32_6(to, from) memcpy(to, from, 6 * sizeof(float))
#endif

/* Rows of neighbours that are contiguous: row by row, as memory lies, for all groups; a row some
 * steps ahead is asked for, which no prefetcher sees where rows are pages apart. */
#define NN_PACK_ROWS(NAME, S, G, SPILL, MOVE)                                                  \
    NN_INLINE void NAME(S *NN_RESTRICT dst, int64_t packed_depth, const S *src, int64_t count, \
                        int64_t depth, int64_t along, int64_t block) {                         \
        for (int64_t first = 0; first < depth; first += 16, src += block) {                    \
            const int64_t end = nn_min(depth - first, 16);                                     \
            for (int64_t k = 0; k < end; k++, dst += G) {                                      \
                const S *from = src + k * along;                                               \
                S *to = dst;                                                                   \
                const int64_t moved = (SPILL) && first + k + 1 == packed_depth ? 0 : count;    \
                int64_t i = 0;                                                                 \
                for (; i < count; i += 64 / (int64_t)sizeof(S))                                \
                    NN_PREFETCH(NN_AHEAD(from, NN_PACK_AHEAD *along + i));                     \
                for (i = 0; i + G + (SPILL) <= moved; i += G, to += G * packed_depth)          \
                    MOVE(to, from + i);                                                        \
                for (; (SPILL) && i + G <= count; i += G, to += G * packed_depth)              \
                    memcpy(to, from + i, G * sizeof(S));                                       \
                for (int64_t j = 0; j < count - i; j++) to[j] = from[i + j];                   \
            }                                                                                  \
        }                                                                                      \
    }
#define NN_PACK_MOVE_f64_6(to, from) memcpy(to, from, 6 * sizeof(double))
#define NN_PACK_MOVE_f32_16(to, from) memcpy(to, from, 16 * sizeof(float))
#define NN_PACK_MOVE_f64_16(to, from) memcpy(to, from, 16 * sizeof(double))
enum { NN_PACK_AHEAD = 6 };
NN_PACK_ROWS(nn_pack_f32_rows_6, float, 6, NN_PACK_SPILL_f32_6, NN_PACK_MOVE_f32_6)
NN_PACK_ROWS(nn_pack_f64_rows_6, double, 6, 0, NN_PACK_MOVE_f64_6)
NN_PACK_ROWS(nn_pack_f32_rows_16, float, 16, 0, NN_PACK_MOVE_f32_16)
NN_PACK_ROWS(nn_pack_f64_rows_16, double, 16, 0, NN_PACK_MOVE_f64_16)

/* All groups. */
#define NN_PACK(NAME, S, G)                                                                       \
    static void NAME##_by_##G(S *NN_RESTRICT dst, int64_t packed_depth, const S *src,             \
                              int64_t count, int64_t depth, int64_t across, int64_t along,        \
                              int64_t block) {                                                    \
        if (across == 1) {                                                                        \
            NAME##_rows_##G(dst, packed_depth, src, count, depth, along, block);                  \
            return;                                                                               \
        }                                                                                         \
        for (int64_t i = 0; i < count; i += G, dst += G * packed_depth)                           \
            NAME##_##G(dst, src + i * across, nn_min(count - i, G), depth, across, along, block); \
    }

#endif
