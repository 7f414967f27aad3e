/* softmax and logsumexp of any finite row are finite and consistent: links the emitted composed.c.
 *
 * Rows of 1 to WIDTH floats, their bits drawn at random (every exponent), from a few extreme
 * values, or all one value.  softmax lies in [0, 1] and sums to 1; logsumexp lies between the
 * maximum m and m + log(columns); log_softmax is at most 0 and exp of it is softmax. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "composed.h"

enum { ROWS = 64, WIDTH = 70, ROUNDS = 200 };

static uint64_t state = 1;
static uint32_t draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static float draw_finite(uint32_t kind) {
    static const float extreme[] = {FLT_MAX,   -FLT_MAX, 0.0f,    -0.0f, FLT_MIN,
                                    0x1p-149f, 88.8f,    -104.0f, 1e30f, -1e30f};
    uint32_t bits = draw();
    if (kind) return extreme[bits % (kind == 1 ? 2 : sizeof extreme / sizeof *extreme)];
    float x;
    do {
        memcpy(&x, &bits, sizeof x);
        bits = draw();
    } while (!isfinite(x));
    return x;
}

static int check_row(int columns, const float *x, const float *p, const float *q, float s) {
    /* Each term of a sum of n is off by n / 2 units at most, and the division by one more. */
    double bound = (columns + 4) * 0x1p-24, sum = 0, largest = -INFINITY;
    for (int i = 0; i < columns; i++) {
        if (!(p[i] >= 0 && p[i] <= 1 + 0x1p-23f && q[i] <= 0x1p-20f)) return 0;
        if (fabs(exp((double)q[i]) - (double)p[i]) > bound * 16) return 0;
        sum += (double)p[i];
        if ((double)x[i] > largest) largest = (double)x[i];
    }
    double slack = (fabs(largest) + 8) * 0x1p-22;
    return fabs(sum - 1) <= bound && isfinite(s) && (double)s >= largest - slack &&
           (double)s <= largest + log(columns) + slack;
}

int main(void) {
    static float x[ROWS * WIDTH], p[ROWS * WIDTH], q[ROWS * WIDTH], s[ROWS];
    for (int round = 0; round < ROUNDS; round++) {
        int columns = 1 + round % WIDTH;
        for (int r = 0; r < ROWS; r++) {
            uint32_t kind = draw() % 4;
            float same = draw_finite(draw() % 2);
            for (int i = 0; i < columns; i++)
                x[r * columns + i] = kind == 3 ? same : draw_finite(kind);
        }
        nnc_context context = {0};
        context.workspace_bytes = softmax_workspace_bytes(ROWS, columns);
        context.workspace = aligned_alloc(64, (context.workspace_bytes + 64) / 64 * 64);
        int status = softmax(&context, ROWS, columns, x, p, q, s);
        free(context.workspace);
        if (status) return 1;
        for (int r = 0; r < ROWS; r++) {
            int at = r * columns;
            if (check_row(columns, x + at, p + at, q + at, s[r])) continue;
            printf("FAILED softmax of %d columns: logsumexp %a;", columns, (double)s[r]);
            for (int i = 0; i < columns; i++)
                printf(" %a: %a, log %a;", (double)x[at + i], (double)p[at + i], (double)q[at + i]);
            printf("\n");
            return 1;
        }
    }
    printf("ok     softmax, log_softmax, logsumexp of %d finite rows\n", ROWS * ROUNDS);
    return 0;
}
