/* What the host asks of the CUDA runtime, in order and with sizes: one context trains two steps and
 * infers twice, so that each entry is captured once and replayed once. */
#include "api.cu"

enum { BATCH = 9, WIDTH = 20, CLASSES = 5 };

static void *take(size_t bytes) {
    void *p = nullptr;
    if (cudaMalloc(&p, bytes) != cudaSuccess) abort();
    return p;
}

static void say(const char *what, int code) {
    printf("# %s%s\n", what, code ? " failed" : "");
    for (const std::string &line : shim::host.trace) puts(line.c_str());
    shim::host.trace.clear();
}

int main() {
    static float x[BATCH * WIDTH], y[BATCH * CLASSES], loss;
    static int64_t labels[BATCH];
    nnc_cuda_context ctx = {};
    cudaStream_t stream = nullptr;
    ctx.workspace_bytes = Train_cuda_step_workspace_bytes(BATCH) + net_cuda_workspace_bytes(BATCH) +
                          Train_cuda_init_workspace_bytes();
    ctx.weights = take(ctx.weights_bytes = Train_cuda_weights_bytes());
    ctx.state = take(ctx.state_bytes = Train_cuda_state_bytes());
    ctx.workspace = take(ctx.workspace_bytes);
    ctx.control = take(NNC_CUDA_CONTROL_BYTES);
    ctx.staging_bytes = 4096;
    if (cudaMallocHost(&ctx.staging, ctx.staging_bytes) != cudaSuccess ||
        cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        return 1;
    ctx.stream = stream;
    shim::host.records = true;
    say("init", Train_cuda_init(&ctx, 1));
    say("step, captured", Train_cuda_step(&ctx, BATCH, x, labels, 1, &loss));
    say("step, replayed", Train_cuda_step(&ctx, BATCH, x, labels, 2, &loss));
    say("wait", Train_cuda_wait(&ctx));
    say("inference, captured", net_cuda(&ctx, BATCH, x, y));
    say("inference, replayed", net_cuda(&ctx, BATCH, x, y));
    say("wait", net_cuda_wait(&ctx));
    Train_cuda_close(&ctx);
    say("close", 0);
    shim::host.records = false;
    (void)cudaStreamDestroy(stream);
    for (void *p : {ctx.weights, ctx.state, ctx.workspace, ctx.control}) (void)cudaFree(p);
    (void)cudaFreeHost(ctx.staging);
    return 0;
}
