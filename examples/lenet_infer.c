/* Inference by hand, without any library:
 *     nnc examples/lenet.nn --entry=lenet -o lenet.c
 *     cc -O3 -march=native examples/lenet_infer.c lenet.c -lm -o lenet_infer && ./lenet_infer
 * Fills a batch of images with a pattern, runs the network on it and prints each image's class. */
#include <stdio.h>
#include <stdlib.h>
#include "lenet.h"

enum { BATCH = 5, PIXELS = 32 * 32, CLASSES = 10 };

/* The regions of a context start at multiples of 64 bytes. */
static void *region(size_t bytes) {
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

int main(void) {
    nnc_context ctx = {0};
    size_t need = lenet_workspace_bytes(BATCH), init = lenet_init_workspace_bytes();
    ctx.weights_bytes = lenet_weights_bytes();
    ctx.state_bytes = lenet_state_bytes();
    ctx.prepared_bytes = lenet_prepared_bytes();
    ctx.workspace_bytes = need > init ? need : init;
    ctx.weights = region(ctx.weights_bytes);
    ctx.state = region(ctx.state_bytes);
    ctx.prepared = region(ctx.prepared_bytes);
    ctx.workspace = region(ctx.workspace_bytes);

    static float images[BATCH][PIXELS], logits[BATCH][CLASSES];
    for (int i = 0; i < BATCH; i++)
        for (int p = 0; p < PIXELS; p++) images[i][p] = (float)((p * (i + 3)) % 17) / 17 - 0.5f;

    int status = lenet_init(&ctx, 42);
    if (!status) status = lenet_prepare(&ctx);
    if (!status) status = lenet(&ctx, BATCH, images[0], logits[0]);
    for (int i = 0; !status && i < BATCH; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (logits[i][c] > logits[i][best]) best = c;
        printf("image %d: class %d, logit %.6f\n", i, best, (double)logits[i][best]);
    }
    if (status) fprintf(stderr, "error %d: %s\n", status, ctx.message ? ctx.message : "");
    free(ctx.weights), free(ctx.state), free(ctx.prepared), free(ctx.workspace);
    return status != 0;
}
