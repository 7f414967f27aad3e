/* The leaf: T[i][j] (+)= sum over k of A[i][k] * B[k][j], in register tiles of MR rows and NV vectors.
 *
 * A[i][k] lies at a[row(i) + depth(k)], B[k][j] at b[depth(k) + j]; row and depth are i * stride, or
 * entry i of a table.  T has `t_row` elements a row.  One chain of k = 0, 1, ... per element of T.
 * With `padded` whole vectors of B are read and whole vectors of T written; otherwise the last
 * vector of a row is partial.  Row tails have their own exact tiles (4, 2, 1). */
#ifndef NN_MMA_H
#define NN_MMA_H 1

#include "lanes.h"

/* Vectors of a wide and of a half panel.  A vector of f64 is two registers. */
#if NN_LANES == 16 || defined(__aarch64__)
#define NN_MMA_WIDE_f32 4 /* 32 registers: 6 x 4 accumulators, a row of B, a broadcast */
#define NN_MMA_HALF_f32 2
#define NN_MMA_WIDE_f64 2
#else
#define NN_MMA_WIDE_f32 2 /* 16 registers: 6 x 2 */
#define NN_MMA_HALF_f32 1
#define NN_MMA_WIDE_f64 1
#endif
#define NN_MMA_HALF_f64 1

#define NN_MMA_STRIDE(i, stride, table) ((i) * (stride))
#define NN_MMA_TABLE(i, stride, table) ((int64_t)(table)[i])

/* One register tile.  ROW, AD, BD say how offsets are found. */
#define NN_MMA_TILE(NAME, T, S, MR, NV, ROW, AD, BD)                                               \
    NN_INLINE void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t last, int64_t depth, const S *a,  \
                        int64_t a_row, const int32_t *a_rows, int64_t a_depth,                     \
                        const int32_t *a_depths, const S *b, int64_t b_depth,                      \
                        const int32_t *b_depths, int accumulate) {                                 \
        nnv_##T acc[MR][NV];                                                                       \
        const S *row[MR];                                                                          \
        const int whole = last == NN_LANES;                                                        \
        (void)a_row, (void)a_rows, (void)a_depth, (void)a_depths, (void)b_depth, (void)b_depths;   \
        NN_UNROLL for (int i = 0; i < MR; i++) {                                                   \
            row[i] = a + ROW(i, a_row, a_rows);                                                    \
            NN_UNROLL for (int j = 0; j < NV; j++) {                                               \
                acc[i][j] = nnv_splat_##T(0);                                                      \
                if (accumulate)                                                                    \
                    acc[i][j] = whole || j + 1 < NV                                                \
                                    ? nnv_load_##T(t + i * t_row + j * NN_LANES)                   \
                                    : nnv_load_n_##T(t + i * t_row + j * NN_LANES, last);          \
            }                                                                                      \
        }                                                                                          \
        if (whole) {                                                                               \
            for (int64_t k = 0; k < depth; k++) {                                                  \
                nnv_##T line[NV];                                                                  \
                const S *from = b + BD(k, b_depth, b_depths);                                      \
                const int64_t at = AD(k, a_depth, a_depths);                                       \
                NN_UNROLL for (int j = 0; j < NV; j++) line[j] = nnv_load_##T(from + j * NN_LANES); \
                NN_UNROLL for (int i = 0; i < MR; i++) {                                           \
                    const nnv_##T x = nnv_splat_##T(row[i][at]);                                   \
                    NN_UNROLL for (int j = 0; j < NV; j++) acc[i][j] += x * line[j];               \
                }                                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            for (int64_t k = 0; k < depth; k++) {                                                  \
                nnv_##T line[NV];                                                                  \
                const S *from = b + BD(k, b_depth, b_depths);                                      \
                const int64_t at = AD(k, a_depth, a_depths);                                       \
                NN_UNROLL for (int j = 0; j + 1 < NV; j++)                                         \
                    line[j] = nnv_load_##T(from + j * NN_LANES);                                   \
                line[NV - 1] = nnv_load_n_##T(from + (NV - 1) * NN_LANES, last);                   \
                NN_UNROLL for (int i = 0; i < MR; i++) {                                           \
                    const nnv_##T x = nnv_splat_##T(row[i][at]);                                   \
                    NN_UNROLL for (int j = 0; j < NV; j++) acc[i][j] += x * line[j];               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        NN_UNROLL for (int i = 0; i < MR; i++) NN_UNROLL for (int j = 0; j < NV; j++) {            \
            if (whole || j + 1 < NV) nnv_store_##T(t + i * t_row + j * NN_LANES, acc[i][j]);       \
            else nnv_store_n_##T(t + i * t_row + j * NN_LANES, acc[i][j], last);                   \
        }                                                                                          \
    }

/* All rows of a panel of NV vectors. */
#define NN_MMA_PANEL(NAME, T, S, NV, ROW, AD, BD)                                                  \
    NN_MMA_TILE(NAME##_6, T, S, 6, NV, ROW, AD, BD)                                                \
    NN_MMA_TILE(NAME##_4, T, S, 4, NV, ROW, AD, BD)                                                \
    NN_MMA_TILE(NAME##_2, T, S, 2, NV, ROW, AD, BD)                                                \
    NN_MMA_TILE(NAME##_1, T, S, 1, NV, ROW, AD, BD)                                                \
    static NN_NOINLINE void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t rows, int64_t last,      \
                                 int64_t depth, const S *a, int64_t a_row, const int32_t *a_rows,  \
                                 int64_t a_depth, const int32_t *a_depths, const S *b,             \
                                 int64_t b_depth, const int32_t *b_depths, int accumulate) {       \
        int64_t i = 0;                                                                             \
        for (; i + 6 <= rows; i += 6, t += 6 * t_row)                                              \
            NAME##_6(t, t_row, last, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, b_depth,    \
                     b_depths, accumulate);                                                        \
        if (i + 4 <= rows) {                                                                       \
            NAME##_4(t, t_row, last, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, b_depth,    \
                     b_depths, accumulate);                                                        \
            i += 4, t += 4 * t_row;                                                                \
        }                                                                                          \
        if (i + 2 <= rows) {                                                                       \
            NAME##_2(t, t_row, last, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, b_depth,    \
                     b_depths, accumulate);                                                        \
            i += 2, t += 2 * t_row;                                                                \
        }                                                                                          \
        if (i < rows)                                                                              \
            NAME##_1(t, t_row, last, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, b_depth,    \
                     b_depths, accumulate);                                                        \
    }
/* The arguments a, a_row, a_rows of the tile whose first row is i. */
#define NN_MMA_ROWS(ROW, i) ROW##_ROWS(i)
#define NN_MMA_STRIDE_ROWS(i) a + (i) * a_row, a_row, a_rows
#define NN_MMA_TABLE_ROWS(i) a, a_row, a_rows + (i)

/* The whole product: panels of WIDE vectors, then narrower ones. */
#define NN_MMA(NAME, T, S, ROW, AD, BD)                                                            \
    NN_MMA_PANEL(NAME##_wide, T, S, NN_MMA_WIDE_##T, ROW, AD, BD)                                  \
    NN_MMA_PANEL(NAME##_half, T, S, NN_MMA_HALF_##T, ROW, AD, BD)                                  \
    NN_MMA_PANEL(NAME##_one, T, S, 1, ROW, AD, BD)                                                 \
    static void NAME(                                                                              \
        S *NN_RESTRICT t, int64_t t_row, int64_t rows, int64_t columns, int64_t depth, const S *a, \
        int64_t a_row, const int32_t *a_rows, int64_t a_depth, const int32_t *a_depths,            \
        const S *b, int64_t b_depth, const int32_t *b_depths, int padded, int accumulate) {        \
        int64_t j = 0;                                                                             \
        if (padded) columns = (columns + NN_LANES - 1) / NN_LANES * NN_LANES;                      \
        if (columns > t_row) columns = t_row;                                                      \
        for (; j + (NN_MMA_WIDE_##T - 1) * NN_LANES < columns; j += NN_MMA_WIDE_##T * NN_LANES)    \
            NAME##_wide(t + j, t_row, rows,                                                        \
                        nn_min(columns - j - (NN_MMA_WIDE_##T - 1) * NN_LANES, NN_LANES), depth,   \
                        a, a_row, a_rows, a_depth, a_depths, b + j, b_depth, b_depths,             \
                        accumulate);                                                               \
        for (; j + (NN_MMA_HALF_##T - 1) * NN_LANES < columns; j += NN_MMA_HALF_##T * NN_LANES)    \
            NAME##_half(t + j, t_row, rows,                                                        \
                        nn_min(columns - j - (NN_MMA_HALF_##T - 1) * NN_LANES, NN_LANES), depth,   \
                        a, a_row, a_rows, a_depth, a_depths, b + j, b_depth, b_depths,             \
                        accumulate);                                                               \
        for (; j < columns; j += NN_LANES)                                                         \
            NAME##_one(t + j, t_row, rows, nn_min(columns - j, NN_LANES), depth, a, a_row, a_rows, \
                       a_depth, a_depths, b + j, b_depth, b_depths, accumulate);                   \
    }

#endif
