/* What kernels on a GPU share: the arguments of a call, folds over a warp and a block.
 *
 * A kernel is launched with at most NN_GRID_MAX blocks; a block goes from tile to tile.  Folds take
 * one fixed tree, so a sum has the same bits in every run.  The text is C++ that a host compiler
 * takes too, where <cuda_runtime.h> gives it threads.  It stands behind nnc_cuda_abi.h, and NN_CHECKS,
 * the most conditions on ids that an entry may have. */
#ifndef NN_CUDA_DEVICE_H
#define NN_CUDA_DEVICE_H 1

#ifndef NN_CUDA
#define NN_CUDA 1
#endif
#include <cuda_runtime.h>
#ifdef __CUDACC__
#define NN_UNROLL_DEVICE _Pragma("unroll")
#else
#define NN_UNROLL_DEVICE
#endif
#include "lanes.h"

#ifndef NN_BUFFERS /* of one kernel, at most; NN_DIMS and NN_SITES likewise */
#define NN_BUFFERS 8
#define NN_DIMS 4
#define NN_SITES 1
#endif
#ifndef NN_GRID_MAX
#define NN_GRID_MAX 2147483647
#endif
/* Memory of a block, and (on the host) what a launch takes as a buffer of so many bytes. */
#ifndef NN_BLOCK_ARRAY
#define NN_BLOCK_ARRAY(T, name, count) __shared__ T name[count]
#define NN_BUFFER(at, bytes) ((void *)(at))
#endif

#define NN_DEVICE static __device__ __forceinline__ __attribute__((unused))
#define NN_ALL_LANES 0xffffffffu

/* nnc_cuda_context.control */
typedef struct nn_control {
    uint64_t seed, step;
    uint64_t refused; /* of the last call that was refused: entry << 32 | 1 + check; 0: none */
    uint8_t flags[NN_CHECKS]; /* of the running call: check i does not hold */
} nn_control;
static_assert(sizeof(nn_control) <= NNC_CUDA_CONTROL_BYTES, "the caller's region holds it");

typedef struct nn_call {
    void *buffers[NN_BUFFERS];
    int64_t dims[NN_DIMS];
    nn_control *control;
    int64_t tiles;
    uint32_t scan, entry, checks, sites[NN_SITES];
} nn_call;

/* Calls that one launch makes: its blocks are dealt to them, in order. */
template <int COUNT> struct nn_calls {
    nn_call of[COUNT];
    int64_t tiles; /* of all */
};

/* After a check that does not hold, the kernels of a call do nothing. */
NN_DEVICE bool nn_refused(const nn_call *call) {
    for (uint32_t i = 0; i < call->checks; i++)
        if (call->control->flags[i]) {
            if (blockIdx.x == 0 && threadIdx.x == 0)
                call->control->refused = (uint64_t)call->entry << 32 | (i + 1);
            return true;
        }
    return false;
}

/* ---- folds ---- */

/* The value of the lane that lies `by` lanes on; T as the shuffles have it. */
NN_DEVICE float nn_down(float v, int by) { return __shfl_down_sync(NN_ALL_LANES, v, by); }
NN_DEVICE double nn_down(double v, int by) { return __shfl_down_sync(NN_ALL_LANES, v, by); }
NN_DEVICE int nn_down(int v, int by) { return __shfl_down_sync(NN_ALL_LANES, v, by); }
NN_DEVICE int64_t nn_down(int64_t v, int by) {
    return (int64_t)__shfl_down_sync(NN_ALL_LANES, (long long)v, by);
}
NN_DEVICE int nn_down(int16_t v, int by) { return nn_down((int)v, by); }
NN_DEVICE int nn_down(int8_t v, int by) { return nn_down((int)v, by); }
NN_DEVICE int nn_down(uint8_t v, int by) { return nn_down((int)v, by); }
/* That of lane `from`. */
NN_DEVICE float nn_lane(float v, int from) { return __shfl_sync(NN_ALL_LANES, v, from); }
NN_DEVICE double nn_lane(double v, int from) { return __shfl_sync(NN_ALL_LANES, v, from); }
NN_DEVICE int nn_lane(int v, int from) { return __shfl_sync(NN_ALL_LANES, v, from); }
NN_DEVICE int64_t nn_lane(int64_t v, int from) {
    return (int64_t)__shfl_sync(NN_ALL_LANES, (long long)v, from);
}
NN_DEVICE int nn_lane(int16_t v, int from) { return nn_lane((int)v, from); }
NN_DEVICE int nn_lane(int8_t v, int from) { return nn_lane((int)v, from); }
NN_DEVICE int nn_lane(uint8_t v, int from) { return nn_lane((int)v, from); }

/* Every lane gets the fold of all lanes' values: F::of over halves, as lane 0 sees it. */
template <class F, class T> static __device__ __forceinline__ void nn_fold_warp(T &v) {
    for (int by = 16; by > 0; by /= 2) v = F::of(v, (T)nn_down(v, by));
    v = (T)nn_lane(v, 0);
}
/* Every thread of a block of WARPS warps gets the fold of all: warps in order. */
template <int WARPS, class F, class T>
static __device__ __forceinline__ void nn_fold_block(T &v, double *parts) {
    T *const part = (T *)(void *)parts;
    nn_fold_warp<F>(v);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = part[0];
    for (int i = 1; i < WARPS; i++) v = F::of(v, part[i]);
}

/* Every lane gets the fold of the lanes of its number in all warps, in order. */
template <int WARPS, class F, class T>
static __device__ __forceinline__ void nn_fold_column(T &v, double *parts) {
    T *const part = (T *)(void *)parts;
    __syncthreads();
    part[threadIdx.x] = v;
    __syncthreads();
    v = part[threadIdx.x % 32];
    for (int i = 1; i < WARPS; i++) v = F::of(v, part[32 * i + threadIdx.x % 32]);
}

/* ---- running values ---- */

/* Every lane gets the values of all lanes up to its own, folded: by distances of 1, 2, 4, ... */
template <class F, class T> static __device__ __forceinline__ void nn_scan_lanes(T &v) {
    const int lane = (int)(threadIdx.x % 32);
    for (int by = 1; by < 32; by *= 2) {
        const T other = (T)nn_lane(v, lane < by ? lane : lane - by);
        if (lane >= by) v = F::of(other, v);
    }
}
/* And `carry` before them; carry becomes what the last lane has. */
template <class F, class T> static __device__ __forceinline__ void nn_scan_warp(T &v, T &carry) {
    nn_scan_lanes<F>(v);
    v = F::of(carry, v);
    carry = (T)nn_lane(v, 31);
}
/* The same over a block: warps in order. */
template <int WARPS, class F, class T>
static __device__ __forceinline__ void nn_scan_block(T &v, T &carry, double *parts) {
    T *const part = (T *)(void *)parts;
    T before = carry;
    nn_scan_lanes<F>(v);
    __syncthreads();
    if (threadIdx.x % 32 == 31) part[threadIdx.x / 32] = v;
    __syncthreads();
    for (int i = 0; i < WARPS; i++) {
        if (i == (int)(threadIdx.x / 32)) before = carry;
        carry = F::of(carry, part[i]);
    }
    v = F::of(before, v);
}

/* ---- folds with positions ---- */

/* Values with positions: the best value and its first position; NaN is better than numbers, and
 * position -1 is none. */
template <class T> NN_DEVICE bool nn_is_nan(T v) { return v != v; }
template <class T, class P> NN_DEVICE bool nn_replaces(T v, P at, T best, P best_at, bool better) {
    if (at < 0) return false;
    if (best_at < 0 || better || (nn_is_nan(v) && !nn_is_nan(best))) return true;
    return at < best_at && (v == best || (nn_is_nan(v) && nn_is_nan(best)));
}
struct nn_first_largest {
    template <class T, class P>
    static __device__ __forceinline__ bool better(T v, P at, T best, P best_at) {
        return nn_replaces(v, at, best, best_at, v > best);
    }
};
struct nn_first_smallest {
    template <class T, class P>
    static __device__ __forceinline__ bool better(T v, P at, T best, P best_at) {
        return nn_replaces(v, at, best, best_at, v < best);
    }
};
template <class F, class T, class P>
static __device__ __forceinline__ void nn_fold_warp_at(T &v, P &at) {
    for (int by = 16; by > 0; by /= 2) {
        const T other = (T)nn_down(v, by);
        const P other_at = (P)nn_down(at, by);
        if (F::better(other, other_at, v, at)) v = other, at = other_at;
    }
    v = (T)nn_lane(v, 0);
    at = (P)nn_lane(at, 0);
}
template <int WARPS, class F, class T, class P>
static __device__ __forceinline__ void nn_fold_block_at(T &v, P &at, double *parts) {
    T *const part = (T *)(void *)parts;
    P *const part_at = (P *)(void *)(parts + WARPS);
    nn_fold_warp_at<F>(v, at);
    __syncthreads();
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v, part_at[threadIdx.x / 32] = at;
    __syncthreads();
    v = part[0];
    at = part_at[0];
    for (int i = 1; i < WARPS; i++)
        if (F::better(part[i], part_at[i], v, at)) v = part[i], at = part_at[i];
}

template <int WARPS, class F, class T, class P>
static __device__ __forceinline__ void nn_fold_column_at(T &v, P &at, double *parts) {
    T *const part = (T *)(void *)parts;
    P *const part_at = (P *)(void *)(parts + 32 * WARPS);
    const unsigned lane = threadIdx.x % 32;
    __syncthreads();
    part[threadIdx.x] = v, part_at[threadIdx.x] = at;
    __syncthreads();
    v = part[lane];
    at = part_at[lane];
    for (unsigned i = lane + 32; i < 32 * WARPS; i += 32)
        if (F::better(part[i], part_at[i], v, at)) v = part[i], at = part_at[i];
}

/* ---- numbers from the host, one by one ---- */

enum { NN_VALUES = 16 };
typedef struct nn_values {
    int count;
    uint64_t *to[NN_VALUES];
    uint64_t value[NN_VALUES];
} nn_values;
static __global__ void nn_put(const __grid_constant__ nn_values values) {
    if ((int)threadIdx.x < values.count) *values.to[threadIdx.x] = values.value[threadIdx.x];
}

#endif
