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

/* Does the pair (a, p) come before (b, q)? */
template <class B, class T>
static __device__ __forceinline__ bool nn_pair_before(T a, int32_t p, T b, int32_t q) {
    return B::before(a, b) || (!B::before(b, a) && p < q);
}
/* Takes the other pair if that belongs here: the lower place is of the one that comes before. */
template <class B, class T>
static __device__ __forceinline__ void nn_pair_take(T &key, int32_t &at, T other, int32_t place,
                                                    bool low) {
    if (low ? nn_pair_before<B>(other, place, key, at) : nn_pair_before<B>(key, at, other, place))
        key = other, at = place;
}

/* Steps of the network that stay among 64 neighbours, two in each lane's registers: for runs from
 * `first` to `last`.  `begin` is the place of the first of them in the tile. */
template <class B, class T>
static __device__ __forceinline__ void nn_sort_lanes(T *key, int32_t *at, int begin, int width,
                                                     int n, int first, int last) {
    const int lane = (int)(threadIdx.x % 32), mask = width - 1;
    T a = key[begin + lane], b = key[begin + 32 + lane];
    int32_t p = at[begin + lane], q = at[begin + 32 + lane];
    for (int run = first; run <= last; run *= 2)
        for (int by = run > 64 ? 32 : run / 2; by > 0; by /= 2) {
            const bool turned = 2 * by == run;
            if (by == 32) {
                const int from = turned ? lane ^ 31 : lane;
                const T x = (T)nn_lane(b, from), y = (T)nn_lane(a, from);
                const int32_t r = nn_lane(q, from), s = nn_lane(p, from);
                if (((begin + 32 + from) & mask) < n) nn_pair_take<B>(a, p, x, r, true);
                if (((begin + 32 + lane) & mask) < n) nn_pair_take<B>(b, q, y, s, false);
                continue;
            }
            const int from = lane ^ (turned ? run - 1 : by), high = lane < from ? from : lane;
            const T x = (T)nn_lane(a, from), y = (T)nn_lane(b, from);
            const int32_t r = nn_lane(p, from), s = nn_lane(q, from);
            if (((begin + high) & mask) < n) nn_pair_take<B>(a, p, x, r, lane < from);
            if (((begin + 32 + high) & mask) < n) nn_pair_take<B>(b, q, y, s, lane < from);
        }
    key[begin + lane] = a, key[begin + 32 + lane] = b;
    at[begin + lane] = p, at[begin + 32 + lane] = q;
}

/* Of every `width` (a power of two) of the `size` pairs, the first `count` are sorted.  A bitonic
 * network whose runs are merged from both ends inwards, so that all exchanges go one way and
 * missing elements, which would be the last, need no place.  2 * THREADS divides size. */
template <int THREADS, class B, class T>
static __device__ __forceinline__ void nn_sort_tile(T *key, int32_t *at, int size, int width,
                                                    int64_t count) {
    const int n = (int)(count < width ? count : width), warp = (int)(threadIdx.x / 32);
    int last = 2; /* longest run, at most 64, that is needed */
    while (last < 64 && last < n) last *= 2;
    __syncthreads();
    for (int begin = 64 * warp; begin < size; begin += 2 * THREADS)
        nn_sort_lanes<B>(key, at, begin, width, n, 2, last);
    __syncthreads();
    for (int run = 128; run < 2 * n; run *= 2) {
        for (int by = run / 2; by >= 64; by /= 2) {
            for (int pair = (int)threadIdx.x; pair < size / 2; pair += THREADS) {
                const int inside = pair & (by - 1), first = 2 * (pair - inside);
                const int i = first + inside;
                const int j = 2 * by == run ? first + run - 1 - inside : i + by;
                if ((j & (width - 1)) >= n) continue;
                const T a = key[i], b = key[j];
                const int32_t p = at[i], q = at[j];
                if (!nn_pair_before<B>(b, q, a, p)) continue;
                key[i] = b, key[j] = a;
                at[i] = q, at[j] = p;
            }
            __syncthreads();
        }
        for (int begin = 64 * warp; begin < size; begin += 2 * THREADS)
            nn_sort_lanes<B>(key, at, begin, width, n, run, run);
        __syncthreads();
    }
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
