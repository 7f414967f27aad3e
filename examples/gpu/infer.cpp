// A batch through the network on the processor, and, in a program that has the code, on a GPU: the
// same classes. CMakeLists.txt beside it builds it.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "infer.h"
#include "lenet.h"

static void *region(size_t bytes) {
    return bytes ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr;
}

static int infer(const float *images, float *logits) {
    nnc_context ctx = {};
    size_t need = lenet_workspace_bytes(BATCH), init = lenet_init_workspace_bytes();
    ctx.weights = region(ctx.weights_bytes = lenet_weights_bytes());
    ctx.state = region(ctx.state_bytes = lenet_state_bytes());
    ctx.prepared = region(ctx.prepared_bytes = lenet_prepared_bytes());
    ctx.workspace = region(ctx.workspace_bytes = need > init ? need : init);
    int status = lenet_init(&ctx, SEED);
    if (!status) status = lenet_prepare(&ctx);
    if (!status) status = lenet(&ctx, BATCH, images, logits);
    if (status) std::fprintf(stderr, "error %d: %s\n", status, ctx.message ? ctx.message : "");
    std::free(ctx.weights), std::free(ctx.state);
    std::free(ctx.prepared), std::free(ctx.workspace);
    return status;
}

int main() {
    std::vector<float> images(BATCH * PIXELS), logits(BATCH * CLASSES);
    for (int i = 0; i < BATCH * PIXELS; i++)
        images[static_cast<size_t>(i)] =
            static_cast<float>((i % PIXELS * (i / PIXELS + 3)) % 17) / 17 - 0.5f;
    if (infer(images.data(), logits.data())) return 1;
    for (size_t i = 0; i < BATCH; i++) {
        const float *row = &logits[i * CLASSES];
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (row[c] > row[best]) best = c;
        std::printf("image %zu: class %d, logit %.6f\n", i, best, static_cast<double>(row[best]));
    }
#ifdef HAS_GPU
    std::vector<float> others(logits.size());
    if (!infer_on_gpu(images.data(), others.data())) return 0;
    float most = 0;
    for (size_t i = 0; i < logits.size(); i++)
        most = std::fmax(most, std::fabs(logits[i] - others[i]));
    std::printf("the GPU's logits differ by at most %.2g\n", static_cast<double>(most));
    return most < 1e-4f ? 0 : 1;
#else
    std::printf("built without code for a GPU\n");
    return 0;
#endif
}
