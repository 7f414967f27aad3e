/* A program of the host's with one mistake: host_faults NUMBER; 0: none.  The shim ends each of
 * them with a message (host.h). */
#include "cuda_runtime.h"

enum { BYTES = 1024, COUNT = BYTES / sizeof(float), SHARED_FLOATS = 8192 };
struct Call {
    float *data;
    int fault;
};
struct Wide {
    Call call;
    char rest[4096];
};

static __global__ void twice(const Call call) {
    NN_BLOCK_ARRAY(float, part, SHARED_FLOATS);
    const unsigned t = threadIdx.x;
    part[t] = call.data[t];
    if (call.fault == 15) {
        NN_BLOCK_ARRAY(float, more, SHARED_FLOATS);
        more[t] = part[t];
    }
    call.data[t] = 2 * part[t];
}
static __global__ void twice_wide(const Wide wide) {
    twice(wide.call);
}

static void launch(float *data, cudaStream_t stream, int fault) {
    const dim3 grid(fault == 12 ? 0 : 1), block(fault == 13 ? 2048 : 32);
    Wide wide = {};
    wide.call = {(float *)NN_BUFFER(data, BYTES), fault};
    void *arguments[] = {&wide};
    if (fault == 14)
        (void)cudaLaunchKernel(twice_wide, grid, block, arguments, 0, stream);
    else
        (void)cudaLaunchKernel(twice, grid, block, arguments, 0, stream);
}

int main(int count, char **words) {
    const int fault = count > 1 ? atoi(words[1]) : 0;
    float *device = nullptr, *spare = nullptr, *pinned = nullptr, own[2 * COUNT];
    cudaStream_t stream = nullptr, other = nullptr;
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaEvent_t event = nullptr;
    for (float &v : own) v = 1;
    (void)cudaMalloc(&device, BYTES);
    (void)cudaMalloc(&spare, BYTES);
    (void)cudaMallocHost(&pinned, BYTES);
    (void)cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    (void)cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking);
    (void)cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
    if (fault == 4) (void)cudaFree(device);
    (void)cudaMemcpyAsync(device, own, fault == 5 ? 2 * BYTES : BYTES, cudaMemcpyDefault, stream);
    memset(pinned, 0, BYTES);
    (void)cudaMemcpyAsync(spare, pinned, BYTES, cudaMemcpyDefault, stream);
    (void)cudaEventRecord(event, stream);
    if (fault != 16) (void)cudaEventSynchronize(event);
    memset(pinned, 1, BYTES);
    (void)cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
    if (fault == 8) (void)cudaStreamSynchronize(stream);
    if (fault == 9) (void)cudaMalloc(&spare, BYTES);
    if (fault == 10) (void)cudaMemcpyAsync(device, own, BYTES, cudaMemcpyDefault, stream);
    launch(fault == 11 ? own : device, fault == 20 ? other : stream, fault);
    (void)cudaStreamEndCapture(stream, &graph);
    (void)cudaGraphInstantiate(&executable, graph, 0);
    (void)cudaGraphLaunch(executable, stream);
    if (fault != 19) (void)cudaStreamSynchronize(stream);
    launch(device, other, 0);
    (void)cudaMemcpyAsync(own, device, BYTES, cudaMemcpyDefault, other);
    if (fault == 17) (void)cudaGraphLaunch(executable, stream);
    (void)cudaFree(device);
    if (fault == 1) (void)cudaFree(device);
    if (fault == 18) (void)cudaGraphLaunch(executable, stream);
    (void)cudaFree(fault == 2 ? pinned : fault == 6 ? nullptr : spare);
    (void)cudaFreeHost(fault == 3 ? own : pinned);
    (void)cudaGraphDestroy(graph);
    (void)cudaGraphExecDestroy(fault == 21 ? graph : executable);
    (void)cudaEventDestroy(event);
    (void)cudaStreamDestroy(stream);
    if (fault != 7) (void)cudaStreamDestroy(other);
    return 0;
}
