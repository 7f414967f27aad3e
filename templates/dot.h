/* Products of few rows with few columns over a long depth, the leaf whose vectors lie along the
 * depth: T[i][j] (+)= sum over p, l, k of A[i][p][l][k] * B[j][p][l][k].  The gradient of the weights
 * of a convolution with few channels is one; its columns would leave most of a vector of mma.h unused.
 *
 * A[i][p][l][k] lies at a[row(i) + p * a_plane + l * a_line + k], B[j][p][l][k] at b[column(j) +
 * p * b_plane + l * b_line + k]; row and column are i * stride, or entry i of a table where there is
 * one.  T has COLUMNS elements a row.  A block of sums stays in registers over the whole depth; the
 * lanes are added up at its end, by a fixed tree.  What a line has beyond whole vectors is a partial
 * one.
 *
 * An instance NN_DOT(nn_dot_f32_6x9, f32, float, 6, 9) is a product of as many rows and columns.  Its
 * arguments, in order:
 * - t: the tile
 * - planes, lines, along: the depth
 * - a, a_row, a_rows, a_plane, a_line: A; of row's pair the table counts unless it is NULL
 * - b, b_column, b_columns, b_plane, b_line: B, likewise
 * - accumulate: add to T rather than set it */
#ifndef NN_DOT_H
#define NN_DOT_H 1

#include "lanes.h"

/* Rows and columns of a block (MR and NC below at most); each of its sums is a vector.  A vector of
 * f64 is two registers. */
#define NN_DOT_ROWS_f32 3
#if NN_LANES == 16 || defined(__aarch64__)
#define NN_DOT_COLUMNS_f32 9 /* 32 registers: 3 x 9 sums, three vectors of A, one of B */
#define NN_DOT_ROWS_f64 3
#define NN_DOT_COLUMNS_f64 3
#else
#define NN_DOT_COLUMNS_f32 3 /* 16 registers */
#define NN_DOT_ROWS_f64 2
#define NN_DOT_COLUMNS_f64 2
#endif

#define NN_DOT_LESSER(a, b) ((a) < (b) ? (a) : (b))
/* What blocks of `most` leave of `all`, or 1: no such block is called then. */
#define NN_DOT_LEFT(all, most) ((all) % (most) ? (all) % (most) : 1)

/* What a vector of the depth adds to the sums. */
#define NN_DOT_STEP(MR, NC, T, LOAD_A, LOAD_B)                                   \
    {                                                                            \
        nnv_##T left[MR];                                                        \
        NN_UNROLL for (int i = 0; i < MR; i++) left[i] = LOAD_A;                 \
        NN_UNROLL for (int j = 0; j < NC; j++) {                                 \
            const nnv_##T right = LOAD_B;                                        \
            NN_UNROLL for (int i = 0; i < MR; i++) sum[i][j] += left[i] * right; \
        }                                                                        \
    }

/* One block of sums, over the whole depth. */
#define NN_DOT_BLOCK(NAME, T, S, MR, NC)                                                           \
    NN_INLINE void NAME(S *NN_RESTRICT t, int64_t t_row, int64_t planes, int64_t lines,            \
                        int64_t along, const S *const *row, int64_t a_plane, int64_t a_line,       \
                        const S *const *column, int64_t b_plane, int64_t b_line, int accumulate) { \
        nnv_##T sum[MR][NC];                                                                       \
        NN_UNROLL for (int i = 0; i < MR; i++) NN_UNROLL for (int j = 0; j < NC; j++) sum[i][j] =  \
            nnv_splat_##T(0);                                                                      \
        int64_t p = 0, l = 0, k = 0, a_at = 0, b_at = 0;                                           \
        while (p < planes && lines) {                                                              \
            const int64_t n = along - k;                                                           \
            if (n >= NN_LANES)                                                                     \
                NN_DOT_STEP(MR, NC, T, nnv_load_##T(row[i] + (a_at + k)),                          \
                            nnv_load_##T(column[j] + (b_at + k)))                                  \
            else                                                                                   \
                NN_DOT_STEP(MR, NC, T, nnv_load_n_##T(row[i] + (a_at + k), n),                     \
                            nnv_load_n_##T(column[j] + (b_at + k), n))                             \
            k += NN_LANES;                                                                         \
            if (k >= along) {                                                                      \
                k = 0, a_at += a_line, b_at += b_line;                                             \
                if (++l == lines) l = 0, p++, a_at = p * a_plane, b_at = p * b_plane;              \
            }                                                                                      \
        }                                                                                          \
        NN_UNROLL for (int i = 0; i < MR; i++) NN_UNROLL for (int j = 0; j < NC; j++) {            \
            const S total = nnv_reduce_sum_##T(sum[i][j]);                                         \
            t[i * t_row + j] = accumulate ? t[i * t_row + j] + total : total;                      \
        }                                                                                          \
    }

/* All columns of MR rows. */
#define NN_DOT_ROW(NAME, MR, COLUMNS, NC)                                                       \
    {                                                                                           \
        int j = 0;                                                                              \
        for (; j + (NC) <= (COLUMNS); j += (NC))                                                \
            NAME##_wide(t + i * (COLUMNS) + j, COLUMNS, planes, lines, along, row + i, a_plane, \
                        a_line, column + j, b_plane, b_line, accumulate);                       \
        if (j < (COLUMNS))                                                                      \
            NAME##_last(t + i * (COLUMNS) + j, COLUMNS, planes, lines, along, row + i, a_plane, \
                        a_line, column + j, b_plane, b_line, accumulate);                       \
    }

/* The blocks of MR rows: as wide as may be, and what these leave of the columns. */
#define NN_DOT_BLOCKS(NAME, T, S, MR, COLUMNS, NC) \
    NN_DOT_BLOCK(NAME##_wide, T, S, MR, NC)        \
    NN_DOT_BLOCK(NAME##_last, T, S, MR, NN_DOT_LEFT(COLUMNS, NC))

/* The whole product in blocks of MR rows and NC columns, and what these leave. */
#define NN_DOT_PRODUCT(NAME, T, S, ROWS, COLUMNS, MR, NC)                                          \
    NN_DOT_BLOCKS(NAME##_block, T, S, MR, COLUMNS, NC)                                             \
    NN_DOT_BLOCKS(NAME##_left, T, S, NN_DOT_LEFT(ROWS, MR), COLUMNS, NC)                           \
    static NN_NOINLINE void NAME(                                                                  \
        S *NN_RESTRICT t, int64_t planes, int64_t lines, int64_t along, const S *a, int64_t a_row, \
        const int64_t *a_rows, int64_t a_plane, int64_t a_line, const S *b, int64_t b_column,      \
        const int64_t *b_columns, int64_t b_plane, int64_t b_line, int accumulate) {               \
        const S *row[ROWS], *column[COLUMNS];                                                      \
        int i;                                                                                     \
        for (i = 0; i < (ROWS); i++) row[i] = a + (a_rows ? a_rows[i] : i * a_row);                \
        for (i = 0; i < (COLUMNS); i++) column[i] = b + (b_columns ? b_columns[i] : i * b_column); \
        for (i = 0; i + (MR) <= (ROWS); i += (MR)) NN_DOT_ROW(NAME##_block, MR, COLUMNS, NC)       \
        if (i < (ROWS)) NN_DOT_ROW(NAME##_left, NN_DOT_LEFT(ROWS, MR), COLUMNS, NC)                \
    }

#define NN_DOT(NAME, T, S, ROWS, COLUMNS)                                           \
    NN_DOT_PRODUCT(NAME, T, S, ROWS, COLUMNS, NN_DOT_LESSER(ROWS, NN_DOT_ROWS_##T), \
                   NN_DOT_LESSER(COLUMNS, NN_DOT_COLUMNS_##T))

#endif
