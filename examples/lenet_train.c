/* Training and inference in one process, with no file between:
 *     nnc examples/lenet.nn -o lenet.c
 *     cc -O3 -march=native examples/lenet_train.c lenet.c -lm -o lenet_train && ./lenet_train
 * Trains LeNet on ten striped patterns with noise, one a class, then lets the inference entry run
 * on the training context's parameters and counts the patterns that it knows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lenet.h"

enum { BATCH = 20, SIDE = 32, PIXELS = SIDE * SIDE, CLASSES = 10, STEPS = 400 };

static void *region(size_t bytes) {
    return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
}

static uint32_t random_state = 1;
static float noise(void) { /* xorshift32 (Marsaglia 2003), in [-0.5, 0.5) */
    random_state ^= random_state << 13, random_state ^= random_state >> 17,
        random_state ^= random_state << 5;
    return (float)(random_state >> 8) / 16777216.0f - 0.5f;
}

/* Stripes whose direction and width tell the class. */
static void draw(float *image, int class_) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int along = class_ % 2 ? x : y, width = 1 + class_ / 2;
            image[y * SIDE + x] = ((along / width) % 2 ? 1.0f : -1.0f) + 0.5f * noise();
        }
}

/* Learning rates are cells: settable between steps, saved in checkpoints. */
static int set_rate(nnc_context *ctx, float rate) {
    const nnc_model *model = LeNet_model();
    for (int i = 0; i < model->cell_count; i++)
        if (!strcmp(model->cells[i].name, "optimizer.lr"))
            return model->set(ctx, i, &rate, sizeof rate);
    return NNC_E_ARGUMENT;
}

int main(void) {
    static float images[BATCH][PIXELS], targets[BATCH][CLASSES], outputs[BATCH][CLASSES];
    nnc_context train = {0}, infer = {0};
    size_t need = LeNet_step_workspace_bytes(BATCH), other = lenet_workspace_bytes(BATCH);
    size_t init = LeNet_init_workspace_bytes();
    if (need < other) need = other;
    if (need < init) need = init;
    train.weights = region(train.weights_bytes = LeNet_weights_bytes());
    train.state = region(train.state_bytes = LeNet_state_bytes());
    train.prepared = region(train.prepared_bytes = LeNet_prepared_bytes());
    train.workspace = region(train.workspace_bytes = need);

    int status = LeNet_init(&train, 7);
    if (!status) status = set_rate(&train, 0.5f);
    float first = 0, loss = 0;
    for (int step = 0; !status && step < STEPS; step++) {
        for (int i = 0; i < BATCH; i++) {
            draw(images[i], i % CLASSES);
            for (int c = 0; c < CLASSES; c++) targets[i][c] = c == i % CLASSES;
        }
        status = LeNet_step(&train, BATCH, images[0], targets[0], &loss);
        if (step == 0) first = loss;
    }
    if (status) {
        fprintf(stderr, "training: error %d: %s\n", status, train.message ? train.message : "");
        return 1;
    }

    infer = train;
    infer.weights = (char *)train.weights + LeNet_net_WEIGHTS_OFFSET;
    infer.weights_bytes = lenet_weights_bytes();
    for (int i = 0; i < BATCH; i++) draw(images[i], i % CLASSES);
    status = lenet_prepare(&infer);
    if (!status) status = lenet(&infer, BATCH, images[0], outputs[0]);
    int right = 0;
    for (int i = 0; i < BATCH; i++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (outputs[i][c] > outputs[i][best]) best = c;
        right += best == i % CLASSES;
    }
    printf("loss %.4f -> %.4f, %d of %d patterns known\n", (double)first, (double)loss, right,
           BATCH);
    free(train.weights), free(train.state), free(train.prepared), free(train.workspace);
    return status != 0 || loss >= first;
}
