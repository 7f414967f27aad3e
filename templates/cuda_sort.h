/* Sorting on a GPU: tiles in shared memory, and the place of a value in a sorted row.
 *
 * Keys go with positions.  NaN comes last when ascending, first when descending; equal keys keep
 * the order of their positions.  What is done does not depend on the timing of threads. */
#ifndef NN_CUDA_SORT_H
#define NN_CUDA_SORT_H 1

#include "cuda_device.h"

struct nn_ascending {
    template <class T> static __device__ __forceinline__ bool before(T a, T b) {
        return a < b || (nn_is_nan(b) && !nn_is_nan(a));
    }
};
struct nn_descending {
    template <class T> static __device__ __forceinline__ bool before(T a, T b) {
        return a > b || (nn_is_nan(a) && !nn_is_nan(b));
    }
};

/* Of every `width` (a power of two) of the `size` pairs, the first `count` are sorted.  A bitonic
 * network whose runs are merged from both ends inwards, so that all exchanges go one way and
 * missing elements, which would be the last, need no place.  Neighbouring pairs belong to one
 * warp, which waits for nobody else while it exchanges them among themselves.
 * 2 * THREADS divides size. */
template <int THREADS, class B, class T>
static __device__ __forceinline__ void nn_sort_tile(T *key, int32_t *at, int size, int width,
                                                    int64_t count) {
    const int n = (int)(count < width ? count : width);
    int span = size; /* of the elements that an exchange of the step before reached */
    for (int run = 2; run < 2 * n; run *= 2)
        for (int by = run / 2; by > 0; by /= 2) {
            const int before = span;
            span = 2 * by;
            if (before > 64 || span > 64)
                __syncthreads();
            else
                __syncwarp();
            for (int pair = (int)threadIdx.x; pair < size / 2; pair += THREADS) {
                const int inside = pair & (by - 1), first = 2 * (pair - inside);
                const int i = first + inside;
                const int j = span == run ? first + span - 1 - inside : i + by;
                if ((j & (width - 1)) >= n) continue;
                const T a = key[i], b = key[j];
                const int32_t p = at[i], q = at[j];
                if (!(B::before(b, a) || (!B::before(a, b) && q < p))) continue;
                key[i] = b, key[j] = a;
                at[i] = q, at[j] = p;
            }
        }
    __syncthreads();
}

/* How many of the sorted elements come before the value; TIES: the equal ones too. */
template <class B, bool TIES, class T, class V>
static __device__ __forceinline__ int64_t nn_rank(const T *sorted, int64_t count, V value) {
    int64_t low = 0, high = count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const V other = (V)sorted[middle];
        if (TIES ? !B::before(value, other) : B::before(other, value))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
