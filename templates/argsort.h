/* Sorting on a CPU: order[0..count) becomes the stable sorting permutation of keys.
 *
 * NaN comes last when ascending, first when descending.  Bottom-up merge sort; `spare` is as long as
 * `order`.  NN_ARGSORT(T, S) makes nn_argsort_T for keys of type S. */
#ifndef NN_ARGSORT_H
#define NN_ARGSORT_H 1

#include "lanes.h"

#define NN_ARGSORT(T, S)                                                                          \
    static int nn_before_##T(S a, S b, int descending) {                                          \
        if (descending) return a > b || (a != a && b == b);                                       \
        return a < b || (a == a && b != b);                                                       \
    }                                                                                             \
    static void nn_argsort_##T(const S *keys, int64_t *order, int64_t *spare, int64_t count,      \
                               int descending) {                                                  \
        int64_t *from = order, *to = spare;                                                       \
        for (int64_t i = 0; i < count; i++) order[i] = i;                                         \
        for (int64_t width = 1; width < count; width *= 2) {                                      \
            for (int64_t begin = 0; begin < count; begin += 2 * width) {                          \
                int64_t middle = nn_min(begin + width, count),                                    \
                        end = nn_min(middle + width, count);                                      \
                int64_t i = begin, j = middle;                                                    \
                for (int64_t k = begin; k < end; k++) {                                           \
                    int right =                                                                   \
                        j < end &&                                                                \
                        (i >= middle || nn_before_##T(keys[from[j]], keys[from[i]], descending)); \
                    to[k] = right ? from[j++] : from[i++];                                        \
                }                                                                                 \
            }                                                                                     \
            int64_t *exchanged = from;                                                            \
            from = to;                                                                            \
            to = exchanged;                                                                       \
        }                                                                                         \
        if (from != order)                                                                        \
            for (int64_t i = 0; i < count; i++) order[i] = from[i];                               \
    }

#endif
