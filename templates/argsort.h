/* Sorting on a CPU: order[0..count) becomes the stable sorting permutation of keys.
 *
 * NaN comes last when ascending, first when descending; -0 and 0 are equal.  Keys of up to 32 bits
 * (and of 64 bits that lie within 2^32 of each other) become words of an unsigned number that is in
 * the same order and the place in the row: words differ, so sorting them is stable.  Few are merged;
 * many are dealt to 256 places by each byte of the number, the last one first, but for bytes that all
 * have alike (an LSD radix sort).  Other keys are merged as they are, bottom up.  `spare` is as long
 * as `order`.  NN_ARGSORT(T, S) makes nn_argsort_T for keys of type S. */
#ifndef NN_ARGSORT_H
#define NN_ARGSORT_H 1

#include "lanes.h"

enum { NN_SORT_DEALT = 192 }; /* words from which dealing pays for its counts */

NN_INLINE void nn_sort_exchange(int64_t **a, int64_t **b) {
    int64_t *kept = *a;
    *a = *b;
    *b = kept;
}

/* Sorts the words in `from`; they end there or in `to`, which is returned. */
NN_OUTLINED int64_t *nn_sort_merged(int64_t *from, int64_t *to, int64_t count) {
    for (int64_t width = 1; width < count; width *= 2, nn_sort_exchange(&from, &to))
        for (int64_t begin = 0; begin < count; begin += 2 * width) {
            const int64_t middle = nn_min(begin + width, count),
                          end = nn_min(middle + width, count);
            int64_t i = begin, j = middle, k = begin;
            while (i < middle && j < end) {
                const uint64_t a = (uint64_t)from[i], b = (uint64_t)from[j];
                const int64_t right = b < a;
                to[k++] = (int64_t)(right ? b : a);
                j += right, i += 1 - right;
            }
            while (i < middle) to[k++] = from[i++];
            while (j < end) to[k++] = from[j++];
        }
    return from;
}

NN_OUTLINED int64_t *nn_sort_dealt(int64_t *from, int64_t *to, int64_t count) {
    uint32_t counts[4][256] = {{0}};
    for (int64_t i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++)
            counts[byte][(uint64_t)from[i] >> (32 + 8 * byte) & 255]++;
    for (int byte = 0; byte < 4; byte++) {
        uint32_t *const place = counts[byte];
        const int shift = 32 + 8 * byte;
        if (place[(uint64_t)from[0] >> shift & 255] == (uint64_t)count) continue;
        uint32_t next = 0;
        for (int v = 0; v < 256; v++) {
            const uint32_t begin = next;
            next += place[v];
            place[v] = begin;
        }
        for (int64_t i = 0; i < count; i++) to[place[(uint64_t)from[i] >> shift & 255]++] = from[i];
        nn_sort_exchange(&from, &to);
    }
    return from;
}

/* The words that stand in `order` give their places. */
NN_OUTLINED void nn_sort_words(int64_t *order, int64_t *spare, int64_t count) {
    const int64_t *sorted = count < NN_SORT_DEALT ? nn_sort_merged(order, spare, count)
                                                  : nn_sort_dealt(order, spare, count);
    for (int64_t i = 0; i < count; i++) order[i] = (int64_t)((uint64_t)sorted[i] & UINT32_MAX);
}

/* Unsigned numbers in the order of the keys. */
NN_INLINE uint32_t nn_sort_number_f32(float x) {
    uint32_t bits;
    if (x != x) return UINT32_MAX;
    if (x == 0.0f) x = 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits >> 31 ? UINT32_MAX : 0x80000000u);
}
NN_INLINE uint32_t nn_sort_number_i32(int32_t x) { return (uint32_t)x ^ 0x80000000u; }

#define NN_SORT_WORD(number, i) \
    (int64_t)((uint64_t)(descending ? UINT32_MAX - (number) : (number)) << 32 | (uint64_t)(i))

/* For keys that are in no number of 32 bits, and rows whose places are not. */
#define NN_ARGSORT_KEYS(T, S)                                                                     \
    NN_INLINE int nn_before_##T(S a, S b, int descending) {                                       \
        if (descending) return a > b || (a != a && b == b);                                       \
        return a < b || (a == a && b != b);                                                       \
    }                                                                                             \
    NN_OUTLINED void nn_argsort_keys_##T(const S *keys, int64_t *order, int64_t *spare,           \
                                         int64_t count, int descending) {                         \
        int64_t *from = order, *to = spare;                                                       \
        for (int64_t i = 0; i < count; i++) order[i] = i;                                         \
        for (int64_t width = 1; width < count; width *= 2, nn_sort_exchange(&from, &to))          \
            for (int64_t begin = 0; begin < count; begin += 2 * width) {                          \
                const int64_t middle = nn_min(begin + width, count),                              \
                              end = nn_min(middle + width, count);                                \
                int64_t i = begin, j = middle;                                                    \
                for (int64_t k = begin; k < end; k++) {                                           \
                    const int right =                                                             \
                        j < end &&                                                                \
                        (i >= middle || nn_before_##T(keys[from[j]], keys[from[i]], descending)); \
                    to[k] = right ? from[j++] : from[i++];                                        \
                }                                                                                 \
            }                                                                                     \
        if (from != order)                                                                        \
            for (int64_t i = 0; i < count; i++) order[i] = from[i];                               \
    }
#define NN_ARGSORT_NUMBERS(T, S, NUMBER)                                                     \
    NN_ARGSORT_KEYS(T, S)                                                                    \
    static void nn_argsort_##T(const S *keys, int64_t *order, int64_t *spare, int64_t count, \
                               int descending) {                                             \
        if (count > UINT32_MAX) {                                                            \
            nn_argsort_keys_##T(keys, order, spare, count, descending);                      \
            return;                                                                          \
        }                                                                                    \
        for (int64_t i = 0; i < count; i++) order[i] = NN_SORT_WORD(NUMBER(keys[i]), i);     \
        nn_sort_words(order, spare, count);                                                  \
    }
#define NN_ARGSORT_f32(S) NN_ARGSORT_NUMBERS(f32, S, nn_sort_number_f32)
#define NN_ARGSORT_i32(S) NN_ARGSORT_NUMBERS(i32, S, nn_sort_number_i32)
#define NN_ARGSORT_i16(S) NN_ARGSORT_NUMBERS(i16, S, nn_sort_number_i32)
#define NN_ARGSORT_i8(S) NN_ARGSORT_NUMBERS(i8, S, nn_sort_number_i32)
#define NN_ARGSORT_u8(S) NN_ARGSORT_NUMBERS(u8, S, nn_sort_number_i32)
#define NN_ARGSORT_bool(S) NN_ARGSORT_NUMBERS(bool, S, nn_sort_number_i32)
#define NN_ARGSORT_i64(S)                                                                    \
    NN_ARGSORT_KEYS(i64, S)                                                                  \
    static void nn_argsort_i64(const S *keys, int64_t *order, int64_t *spare, int64_t count, \
                               int descending) {                                             \
        S least = count ? keys[0] : 0, most = least;                                         \
        for (int64_t i = 0; i < count; i++) {                                                \
            if (keys[i] < least) least = keys[i];                                            \
            if (keys[i] > most) most = keys[i];                                              \
        }                                                                                    \
        if (count > UINT32_MAX || (uint64_t)most - (uint64_t)least > UINT32_MAX) {           \
            nn_argsort_keys_i64(keys, order, spare, count, descending);                      \
            return;                                                                          \
        }                                                                                    \
        for (int64_t i = 0; i < count; i++)                                                  \
            order[i] = NN_SORT_WORD((uint32_t)((uint64_t)keys[i] - (uint64_t)least), i);     \
        nn_sort_words(order, spare, count);                                                  \
    }
#define NN_ARGSORT_f64(S)                                                                    \
    NN_ARGSORT_KEYS(f64, S)                                                                  \
    static void nn_argsort_f64(const S *keys, int64_t *order, int64_t *spare, int64_t count, \
                               int descending) {                                             \
        nn_argsort_keys_f64(keys, order, spare, count, descending);                          \
    }
#define NN_ARGSORT(T, S) NN_ARGSORT_##T(S)

#endif
