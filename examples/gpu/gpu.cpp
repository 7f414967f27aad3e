// The GPU's half: device memory for the context's regions, one call, one wait.
#include <cstdio>
#include <cuda_runtime_api.h>
#include "infer.h"
#include "lenet_cuda.h"

static bool good(cudaError_t error) {
    if (error != cudaSuccess) std::printf("no GPU: %s\n", cudaGetErrorString(error));
    return error == cudaSuccess;
}

static bool region(void **out, size_t bytes) {
    return !bytes || good(cudaMalloc(out, bytes));
}

bool infer_on_gpu(const float *images, float *logits) {
    int devices = 0;
    if (!good(cudaGetDeviceCount(&devices))) return false;
    nnc_cuda_context ctx = {};
    size_t need = lenet_cuda_workspace_bytes(BATCH), init = lenet_cuda_init_workspace_bytes();
    bool ready = region(&ctx.weights, ctx.weights_bytes = lenet_cuda_weights_bytes()) &&
                 region(&ctx.state, ctx.state_bytes = lenet_cuda_state_bytes()) &&
                 region(&ctx.workspace, ctx.workspace_bytes = need > init ? need : init) &&
                 region(&ctx.control, NNC_CUDA_CONTROL_BYTES);
    int status = ready ? lenet_cuda_init(&ctx, SEED) : NNC_E_WORKSPACE;
    if (!status) status = lenet_cuda(&ctx, BATCH, images, logits);
    if (!status) status = lenet_cuda_wait(&ctx);
    if (ready && status) std::printf("error %d: %s\n", status, ctx.message ? ctx.message : "");
    if (ready) lenet_cuda_close(&ctx);
    cudaFree(ctx.weights), cudaFree(ctx.state);
    cudaFree(ctx.workspace), cudaFree(ctx.control);
    return !status;
}
