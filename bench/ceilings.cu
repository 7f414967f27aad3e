/* What the GPU can do at most: f32 multiply-adds a second, bytes a second read from L2 and from
 * memory, and the shortest time from a call to the end of what it launched. Output: one line "fma
 * l2 dram call", in FLOP/s, bytes/s and seconds.  Every figure is the best of several runs, as a
 * ceiling has to be. */
#include <cuda_runtime.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

enum { THREADS = 256, BLOCKS_EACH = 8, CHAINS = 8, RUNS = 25, CALLS = 1000 };

void need(cudaError_t error) {
    if (error == cudaSuccess) return;
    fprintf(stderr, "ceilings: %s\n", cudaGetErrorString(error));
    exit(3);
}

/* What is computed could be stored, for all that the compiler knows: it drops nothing. */
__global__ void multiply_add(float *out, float factor, float term, int repeat) {
    float sum[CHAINS];
    for (int c = 0; c < CHAINS; c++) sum[c] = (float)threadIdx.x;
    for (int k = 0; k < repeat; k++)
#pragma unroll
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + term;
    float all = 0;
    for (int c = 0; c < CHAINS; c++) all += sum[c];
    if (all == -1.0f) *out = all;
}

__global__ void read_all(float *out, const float4 *data, int64_t count, int repeat) {
    float4 sum = {0, 0, 0, 0};
    for (int k = 0; k < repeat; k++)
        for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < count;
             i += (int64_t)gridDim.x * THREADS) {
            const float4 v = __ldcg(&data[i]);
            sum.x += v.x, sum.y += v.y, sum.z += v.z, sum.w += v.w;
        }
    if (sum.x + sum.y + sum.z + sum.w == -1.0f) *out = sum.x;
}

__global__ void nothing() {}

/* Seconds of what `launch` enqueues, the best of RUNS after one that is not counted. */
template <class Launch> double best_of(Launch launch) {
    cudaEvent_t begin, end;
    float milliseconds, best = 0;
    need(cudaEventCreate(&begin));
    need(cudaEventCreate(&end));
    for (int r = 0; r <= RUNS; r++) {
        need(cudaEventRecord(begin));
        launch();
        need(cudaGetLastError());
        need(cudaEventRecord(end));
        need(cudaEventSynchronize(end));
        need(cudaEventElapsedTime(&milliseconds, begin, end));
        if (r == 1 || (r && milliseconds < best)) best = milliseconds;
    }
    need(cudaEventDestroy(begin));
    need(cudaEventDestroy(end));
    return 1e-3 * (double)best;
}

double multiply_adds(int blocks, float *out) {
    const int repeat = 20000;
    const double seconds =
        best_of([&] { multiply_add<<<blocks, THREADS>>>(out, 0.5f, 1e-3f, repeat); });
    return 2.0 * CHAINS * repeat * THREADS * blocks / seconds;
}

double bandwidth(int blocks, float *out, size_t bytes, double volume) {
    const int64_t count = (int64_t)(bytes / sizeof(float4));
    const int repeat = (int)(volume / (double)bytes) + 1;
    float4 *data;
    need(cudaMalloc((void **)&data, (size_t)count * sizeof(float4)));
    need(cudaMemset(data, 0, (size_t)count * sizeof(float4)));
    const double seconds =
        best_of([&] { read_all<<<blocks, THREADS>>>(out, data, count, repeat); });
    need(cudaFree(data));
    return (double)count * sizeof(float4) * repeat / seconds;
}

double shortest_call() {
    double best = 1;
    for (int i = 0; i < CALLS; i++) {
        const auto begin = std::chrono::steady_clock::now();
        nothing<<<1, 32>>>();
        need(cudaStreamSynchronize(0));
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        if (time.count() < best) best = time.count();
    }
    return best;
}

} // namespace

int main() {
    int device, processors, l2;
    float *out;
    need(cudaGetDevice(&device));
    need(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
    need(cudaDeviceGetAttribute(&l2, cudaDevAttrL2CacheSize, device));
    need(cudaMalloc((void **)&out, sizeof *out));
    const int blocks = processors * BLOCKS_EACH;
    /* A part of L2 that is near all processors of a large GPU. */
    const double near = bandwidth(blocks, out, (size_t)l2 / 4, 4e9),
                 far = bandwidth(blocks, out, (size_t)l2 * 16, 8e9);
    printf("%.0f %.0f %.0f %.9f\n", multiply_adds(blocks, out), near, far, shortest_call());
    return 0;
}
