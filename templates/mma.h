/* Products of matrices, the leaf that every contraction on a CPU comes down to: T[i][j] (+)= sum over
 * k of A[i][k] * B[k][j], in register tiles of MR rows and NV vectors.
 *
 * A[i][k] lies at a[row(i) + depth(k)]; row and depth are i * stride, entry i of a table, or (rows
 * that pack.h has packed) i / 6 * stride + i % 6.  B[k][j] lies at b[depth(k) + j / 16 * b_panel +
 * j % 16]: panels of 16 columns; b_panel is 16 where a row of B is contiguous.  T has `t_row`
 * elements a row.  One chain of k = 0, 1, ... per element of T.  With `padded` whole vectors of B
 * are read and whole vectors of T written; otherwise the last vector of a row is partial.  Every
 * number of rows up to 6 has its own exact tile; one or two rows alone, which are bound by the
 * bytes of B, take more vectors at a time to cover the latency of their chains.
 *
 * An instance holds the tiles that its calls can reach, and no more; its last two parameters say
 * which: of ROWS bit v where v rows remain behind whole tiles (v = 6: whole tiles), bits 7 and 8 for
 * one and two rows alone; MOST is the largest t_row.
 *
 * An instance NN_MMA(nn_mma_f32_tsg, ...) has a letter each for the rows of A, the depth of A and
 * the depth of B: s i * stride, t entry i of a table, g packed rows.  Its arguments, in order:
 * - t, t_row: the tile and its elements a row
 * - rows, columns, depth: of the product
 * - a, a_row, a_rows, a_depth, a_depths: A; of each pair the stride or the table counts
 * - b, b_panel, b_depth, b_depths: B, the distance of its panels, and the depth as in A
 * - padded: whole vectors may be read and written; accumulate: add to T rather than set it */
#ifndef NN_MMA_H
#define NN_MMA_H 1

#include "lanes.h"

/* Vectors of a tile: of a panel of rows (WIDE), of two rows alone (PAIR), of one (LINE).  A vector
 * of f64 is two registers. */
#if NN_LANES == 16 || defined(__aarch64__)
#define NN_MMA_WIDE_f32 4 /* 32 registers: 6 x 4 accumulators, a row of B, a broadcast */
#define NN_MMA_WIDE_f64 2
#else
#define NN_MMA_WIDE_f32 2 /* 16 registers: 6 x 2 */
#define NN_MMA_WIDE_f64 1
#endif
#define NN_MMA_PAIR 4
#if NN_LANES == 16
#define NN_MMA_LINE 4
#else
#define NN_MMA_LINE 8
#endif

#define NN_MMA_STRIDE(i, stride, table) ((i) * (stride))
#define NN_MMA_TABLE(i, stride, table) ((table)[i])
#define NN_MMA_GROUP(i, stride, table) (i)
/* The arguments a, a_row, a_rows of the tile whose first row is i; a tile is within one group. */
#define NN_MMA_ROWS(ROW, i) ROW##_ROWS(i)
#define NN_MMA_STRIDE_ROWS(i) a + (i)*a_row, a_row, a_rows
#define NN_MMA_TABLE_ROWS(i) a, a_row, a_rows + (i)
#define NN_MMA_GROUP_ROWS(i) a + (i) / 6 * a_row + (i) % 6, a_row, a_rows
/* Column j of a row of B. */
#define NN_MMA_COLUMN(j) ((j) / 16 * b_panel + (j) % 16)

/* One register tile of whole vectors.  ROW, AD, BD say how offsets are found. */
#define NN_MMA_TILE(NAME, T, S, MR, NV, ROW, AD, BD)                                               \
    NN_INLINE void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t depth, const S *a, int64_t a_row, \
                        const int64_t *a_rows, int64_t a_depth, const int64_t *a_depths,           \
                        const S *b, int64_t b_panel, int64_t b_depth, const int64_t *b_depths,     \
                        int accumulate) {                                                          \
        nnv_##T acc[MR][NV];                                                                       \
        const S *row[MR];                                                                          \
        (void)a_row, (void)a_rows, (void)a_depth, (void)a_depths;                                  \
        (void)b_panel, (void)b_depth, (void)b_depths;                                              \
        NN_UNROLL for (int i = 0; i < MR; i++) {                                                   \
            row[i] = a + ROW(i, a_row, a_rows);                                                    \
            NN_UNROLL for (int j = 0; j < NV; j++) {                                               \
                acc[i][j] = nnv_splat_##T(0);                                                      \
                if (accumulate) acc[i][j] = nnv_load_##T(t + i * t_row + j * NN_LANES);            \
            }                                                                                      \
        }                                                                                          \
        for (int64_t k = 0; k < depth; k++) {                                                      \
            nnv_##T line[NV];                                                                      \
            const S *from = b + BD(k, b_depth, b_depths);                                          \
            const int64_t at = AD(k, a_depth, a_depths);                                           \
            NN_UNROLL for (int j = 0; j < NV; j++) line[j] =                                       \
                nnv_load_##T(from + NN_MMA_COLUMN(j * NN_LANES));                                  \
            NN_UNROLL for (int i = 0; i < MR; i++) {                                               \
                const nnv_##T x = nnv_splat_##T(row[i][at]);                                       \
                NN_UNROLL for (int j = 0; j < NV; j++) acc[i][j] += x * line[j];                   \
            }                                                                                      \
        }                                                                                          \
        NN_UNROLL for (int i = 0; i < MR; i++) NN_UNROLL for (int j = 0; j < NV; j++)              \
            nnv_store_##T(t + i * t_row + j * NN_LANES, acc[i][j]);                                \
    }

/* A column of one vector, of which the first `last` lanes count. */
#define NN_MMA_LAST(NAME, T, S, MR, ROW, AD, BD)                                                   \
    NN_INLINE void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t depth, const S *a, int64_t a_row, \
                        const int64_t *a_rows, int64_t a_depth, const int64_t *a_depths,           \
                        const S *b, int64_t last, int64_t b_depth, const int64_t *b_depths,        \
                        int accumulate) {                                                          \
        nnv_##T acc[MR];                                                                           \
        const S *row[MR];                                                                          \
        (void)a_row, (void)a_rows, (void)a_depth, (void)a_depths, (void)b_depth, (void)b_depths;   \
        NN_UNROLL for (int i = 0; i < MR; i++) {                                                   \
            row[i] = a + ROW(i, a_row, a_rows);                                                    \
            acc[i] = nnv_splat_##T(0);                                                             \
            if (accumulate) acc[i] = nnv_load_n_##T(t + i * t_row, last);                          \
        }                                                                                          \
        for (int64_t k = 0; k < depth; k++) {                                                      \
            const nnv_##T line = nnv_load_n_##T(b + BD(k, b_depth, b_depths), last);               \
            const int64_t at = AD(k, a_depth, a_depths);                                           \
            NN_UNROLL for (int i = 0; i < MR; i++) acc[i] += nnv_splat_##T(row[i][at]) * line;     \
        }                                                                                          \
        NN_UNROLL for (int i = 0; i < MR; i++) nnv_store_n_##T(t + i * t_row, acc[i], last);       \
    }

/* The exact tile of the last MR rows, those from i on. */
#define NN_MMA_TAIL(NAME, ROW, ROWS, MR)                                                           \
    case MR:                                                                                       \
        if ((ROWS) >> MR & 1)                                                                      \
            NAME##_##MR(t, t_row, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, wide, b_depth, \
                        b_depths, accumulate);                                                     \
        break;

/* All rows of a panel, by NAME_6 ... NAME_1.  `wide` is what these take there: b_panel, or of
 * NN_MMA_LAST `last`. */
#define NN_MMA_PANEL(NAME, S, ROW, ROWS)                                                           \
    static NN_NOINLINE void NAME(                                                                  \
        S *NN_RESTRICT t, int64_t t_row, int64_t rows, int64_t depth, const S *a, int64_t a_row,   \
        const int64_t *a_rows, int64_t a_depth, const int64_t *a_depths, const S *b, int64_t wide, \
        int64_t b_depth, const int64_t *b_depths, int accumulate) {                                \
        int64_t i = 0;                                                                             \
        for (; (ROWS) >> 6 & 1 && i + 6 <= rows; i += 6)                                           \
            NAME##_6(t + i * t_row, t_row, depth, NN_MMA_ROWS(ROW, i), a_depth, a_depths, b, wide, \
                     b_depth, b_depths, accumulate);                                               \
        t += i * t_row;                                                                            \
        switch (rows - i) {                                                                        \
            NN_MMA_TAIL(NAME, ROW, ROWS, 5)                                                        \
            NN_MMA_TAIL(NAME, ROW, ROWS, 4)                                                        \
            NN_MMA_TAIL(NAME, ROW, ROWS, 3)                                                        \
            NN_MMA_TAIL(NAME, ROW, ROWS, 2)                                                        \
            NN_MMA_TAIL(NAME, ROW, ROWS, 1)                                                        \
        default: break;                                                                            \
        }                                                                                          \
    }

/* The whole product: one or two rows by themselves, panels of WIDE vectors, then single vectors.
 * Where whole vectors may be taken, one or two rows take whole panels of 16 columns: one tile of many
 * vectors in the place of single ones.  There are never more columns than T has room for. */
#define NN_MMA(NAME, T, S, ROW, AD, BD, ROWS, MOST)                                             \
    NN_MMA_TILE(NAME##_wide_6, T, S, 6, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_TILE(NAME##_wide_5, T, S, 5, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_TILE(NAME##_wide_4, T, S, 4, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_TILE(NAME##_wide_3, T, S, 3, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_TILE(NAME##_wide_2, T, S, 2, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_TILE(NAME##_wide_1, T, S, 1, NN_MMA_WIDE_##T, ROW, AD, BD)                           \
    NN_MMA_PANEL(NAME##_wide, S, ROW, ROWS)                                                     \
    NN_MMA_LAST(NAME##_last_6, T, S, 6, ROW, AD, BD)                                            \
    NN_MMA_LAST(NAME##_last_5, T, S, 5, ROW, AD, BD)                                            \
    NN_MMA_LAST(NAME##_last_4, T, S, 4, ROW, AD, BD)                                            \
    NN_MMA_LAST(NAME##_last_3, T, S, 3, ROW, AD, BD)                                            \
    NN_MMA_LAST(NAME##_last_2, T, S, 2, ROW, AD, BD)                                            \
    NN_MMA_LAST(NAME##_last_1, T, S, 1, ROW, AD, BD)                                            \
    NN_MMA_PANEL(NAME##_last, S, ROW, ROWS)                                                     \
    NN_MMA_TILE(NAME##_pair, T, S, 2, NN_MMA_PAIR, ROW, AD, BD)                                 \
    NN_MMA_TILE(NAME##_line, T, S, 1, NN_MMA_LINE, ROW, AD, BD)                                 \
    static void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t rows, int64_t columns,            \
                     int64_t depth, const S *a, int64_t a_row, const int64_t *a_rows,           \
                     int64_t a_depth, const int64_t *a_depths, const S *b, int64_t b_panel,     \
                     int64_t b_depth, const int64_t *b_depths, int padded, int accumulate) {    \
        int64_t j = 0;                                                                          \
        if (padded && rows <= 2) columns = (columns + 15) / 16 * 16;                            \
        if (padded) columns = (columns + NN_LANES - 1) / NN_LANES * NN_LANES;                   \
        if (columns > t_row) columns = t_row;                                                   \
        if ((ROWS) >> 7 & 1 && (MOST) >= NN_MMA_LINE * NN_LANES && rows == 1)                   \
            for (; j + NN_MMA_LINE * NN_LANES <= columns; j += NN_MMA_LINE * NN_LANES)          \
                NAME##_line(t + j, t_row, depth, NN_MMA_ROWS(ROW, 0), a_depth, a_depths,        \
                            b + NN_MMA_COLUMN(j), b_panel, b_depth, b_depths, accumulate);      \
        if ((ROWS) >> 8 & 1 && (MOST) >= NN_MMA_PAIR * NN_LANES && rows == 2)                   \
            for (; j + NN_MMA_PAIR * NN_LANES <= columns; j += NN_MMA_PAIR * NN_LANES)          \
                NAME##_pair(t + j, t_row, depth, NN_MMA_ROWS(ROW, 0), a_depth, a_depths,        \
                            b + NN_MMA_COLUMN(j), b_panel, b_depth, b_depths, accumulate);      \
        if ((MOST) >= NN_MMA_WIDE_##T * NN_LANES)                                               \
            for (; j + NN_MMA_WIDE_##T * NN_LANES <= columns; j += NN_MMA_WIDE_##T * NN_LANES)  \
                NAME##_wide(t + j, t_row, rows, depth, a, a_row, a_rows, a_depth, a_depths,     \
                            b + NN_MMA_COLUMN(j), b_panel, b_depth, b_depths, accumulate);      \
        for (; j < columns; j += NN_LANES)                                                      \
            NAME##_last(t + j, t_row, rows, depth, a, a_row, a_rows, a_depth, a_depths,         \
                        b + NN_MMA_COLUMN(j), nn_min(columns - j, NN_LANES), b_depth, b_depths, \
                        accumulate);                                                            \
    }

#endif
