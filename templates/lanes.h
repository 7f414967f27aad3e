/* Lanes: the vector unit that generated code is written for.
 *
 * NN_LANES is the number of lanes of every vector, whatever the element type: 16 with AVX-512, 8
 * with AVX2, 4 with any other GNU vectors, 1 without them and on a GPU.  A vector is nnv_f32,
 * nnv_i64, ...; a boolean vector nnv_bool holds 0 or -1 in lanes of 32 bits.  f16 and bf16 live in
 * nnv_f32 and are rounded.  A partial load fills the lanes from n on with zeros; a partial store
 * leaves memory from n on alone.  Horizontal reductions use one fixed tree.  The nns_ functions are
 * the scalar forms.
 *
 * A generated file has only those sections of this text and of elementary.h that it uses; a comment
 * `section: NAMES` begins one. */
#ifndef NN_LANES_H
#define NN_LANES_H 1

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wtautological-compare"
#endif
#if defined(__CUDACC__)
#pragma nv_diag_suppress 186 /* the same as the last two */
#endif
#if defined(NN_CUDA)
#define NN_INLINE static __host__ __device__ __forceinline__ __attribute__((unused))
#define NN_NOINLINE __attribute__((unused))
#define NN_OUTLINED NN_INLINE
#define NN_RESTRICT __restrict__
#define NN_ALIGNED
#define NN_UNROLL NN_UNROLL_DEVICE
#define NN_PREFETCH(p) ((void)(p))
#define NN_LANES 1
#elif defined(__GNUC__) && !defined(NN_NO_VECTORS)
#define NN_INLINE static inline __attribute__((always_inline, unused))
#define NN_NOINLINE __attribute__((noinline))
#define NN_OUTLINED static __attribute__((noinline, unused))
#define NN_RESTRICT __restrict__
#define NN_ALIGNED __attribute__((aligned(64)))
#define NN_UNROLL _Pragma("GCC unroll 32")
#define NN_PREFETCH(p) __builtin_prefetch(p)
#if defined(__AVX512F__)
#define NN_LANES 16
#elif defined(__AVX2__)
#define NN_LANES 8
#else
#define NN_LANES 4
#endif
#else
#if defined(__GNUC__)
#define NN_INLINE static inline __attribute__((unused))
#else
#define NN_INLINE static inline
#endif
#define NN_NOINLINE
#define NN_OUTLINED NN_INLINE
#define NN_RESTRICT
#define NN_ALIGNED
#define NN_UNROLL
#define NN_PREFETCH(p) ((void)(p))
#define NN_LANES 1
#endif
/* The address of p[n], which may lie outside of the array and is then not read. */
#define NN_AHEAD(p, n) ((const void *)((uintptr_t)(p) + (uintptr_t)(n) * sizeof *(p)))
/* A compiler promises no builtin: without one, plain code says the same (as NN_NO_BUILTINS asks). */
#if defined(__has_builtin) && !defined(NN_NO_BUILTINS)
#define NN_HAS(builtin) __has_builtin(builtin)
#else
#define NN_HAS(builtin) 0
#endif
/* Before a loop over tiles: a tile's bits may not depend on those that one thread has with it, as
 * where clang multiplies before it shuffles and then has nothing to contract. */
#if defined(__clang__)
#define NN_TILES _Pragma("clang loop vectorize(disable) interleave(disable) unroll(disable)")
#else
#define NN_TILES
#endif

/* Vectors of a loop that go through a reduction together. */
#define NN_JAM 4

#if NN_LANES > 1
/* Vectors wider than a register are aligned as one. */
#define NN_VECTOR_ALIGN(S) (sizeof(S) < 4 ? NN_LANES * sizeof(S) : NN_LANES * 4)
#define NN_VECTOR_TYPE(T, S)                                                               \
    typedef S nnv_##T                                                                      \
        __attribute__((vector_size(NN_LANES * sizeof(S)), aligned(NN_VECTOR_ALIGN(S))));   \
    typedef S nnv_##T##_u                                                                  \
        __attribute__((vector_size(NN_LANES * sizeof(S)), aligned(sizeof(S)), may_alias)); \
    NN_INLINE nnv_##T nnv_splat_##T(S x) { return x - (nnv_##T){0}; }                      \
    NN_INLINE nnv_##T nnv_load_##T(const S *p) { return *(const nnv_##T##_u *)p; }         \
    NN_INLINE void nnv_store_##T(S *p, nnv_##T v) { *(nnv_##T##_u *)p = v; }
#define NN_GET(v, i) ((v)[i])
#define NN_SET(v, i, x) ((v)[i] = (x))
#define nnv_cast(T, v) __builtin_convertvector((v), nnv_##T)
#define nnv_bits(T, v) ((nnv_##T)(v))
#else
#define NN_VECTOR_TYPE(T, S)                                  \
    typedef S nnv_##T;                                        \
    NN_INLINE nnv_##T nnv_splat_##T(S x) { return x; }        \
    NN_INLINE nnv_##T nnv_load_##T(const S *p) { return *p; } \
    NN_INLINE void nnv_store_##T(S *p, nnv_##T v) { *p = v; }
#define NN_GET(v, i) (v)
#define NN_SET(v, i, x) ((v) = (x))
#define nnv_cast(T, v) ((nnv_##T)(v))
#endif

NN_VECTOR_TYPE(f32, float)
NN_VECTOR_TYPE(f64, double)
NN_VECTOR_TYPE(i64, int64_t)
NN_VECTOR_TYPE(i32, int32_t)
NN_VECTOR_TYPE(i16, int16_t)
NN_VECTOR_TYPE(i8, int8_t)
NN_VECTOR_TYPE(u8, uint8_t)
NN_VECTOR_TYPE(u16, uint16_t)
NN_VECTOR_TYPE(u32, uint32_t)
NN_VECTOR_TYPE(u64, uint64_t)
typedef nnv_i32 nnv_bool;

#if NN_LANES > 1
NN_INLINE nnv_i32 nnv_f32_bits(nnv_f32 v) { return (nnv_i32)v; }
NN_INLINE nnv_f32 nnv_f32_of(nnv_i32 v) { return (nnv_f32)v; }
#else
NN_INLINE nnv_i32 nnv_f32_bits(nnv_f32 v) {
    int32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
NN_INLINE nnv_f32 nnv_f32_of(nnv_i32 v) {
    float x;
    memcpy(&x, &v, sizeof x);
    return x;
}
#endif

/* Index arithmetic: b > 0. */
#if defined(NN_CUDA)
/* In the wider type of the two; quotient and rest are of what is not negative. */
template <class A, class B> NN_INLINE auto nn_min(A a, B b) { return a < b ? a : b; }
template <class A, class B> NN_INLINE auto nn_max(A a, B b) { return a > b ? a : b; }
template <class A, class B> NN_INLINE auto nn_floordiv(A a, B b) { return a / b - (a % b < 0); }
template <class A, class B> NN_INLINE auto nn_mod(A a, B b) {
    return a % b < 0 ? a % b + b : a % b;
}
NN_INLINE uint32_t nn_magnitude(int32_t v) { return (uint32_t)v; }
NN_INLINE uint64_t nn_magnitude(int64_t v) { return (uint64_t)v; }
template <class A, class B> NN_INLINE auto nn_quotient(A a, B b) {
    return (decltype(a + b))(nn_magnitude(a) / nn_magnitude(b));
}
template <class A, class B> NN_INLINE auto nn_rest(A a, B b) {
    return (decltype(a + b))(nn_magnitude(a) % nn_magnitude(b));
}
#else
NN_INLINE int64_t nn_min(int64_t a, int64_t b) { return a < b ? a : b; }
NN_INLINE int64_t nn_max(int64_t a, int64_t b) { return a > b ? a : b; }
NN_INLINE int64_t nn_floordiv(int64_t a, int64_t b) { return a / b - (a % b < 0); }
NN_INLINE int64_t nn_mod(int64_t a, int64_t b) { return a % b < 0 ? a % b + b : a % b; }
#endif

/* 0, 1, 2, ... */
NN_INLINE nnv_i64 nnv_lanes(void) {
    nnv_i64 v = nnv_splat_i64(0);
    NN_UNROLL for (int i = 0; i < NN_LANES; i++) NN_SET(v, i, i);
    return v;
}
NN_INLINE nnv_i32 nnv_lanes_i32(void) {
    nnv_i32 v = nnv_splat_i32(0);
    NN_UNROLL for (int i = 0; i < NN_LANES; i++) NN_SET(v, i, i);
    return v;
}
/* A distance between positions in lanes of 32 bits: what is farther than 2^30 is far all the same,
 * since a group of lanes is not as wide. */
NN_INLINE int32_t nn_near(int64_t d) {
    return (int32_t)(d > (1 << 30) ? 1 << 30 : d < -(1 << 30) ? -(1 << 30) : d);
}
/* Lanes below n. */
NN_INLINE nnv_bool nnv_below(int64_t n) {
    const nnv_i32 v = nnv_lanes_i32();
#if NN_LANES > 1
    return v < (int32_t)(n < NN_LANES ? n : NN_LANES);
#else
    return -(v < n);
#endif
}

/* ---- memory: lanes apart by a stride, at indices, or only the first n ---- */
#define NN_VECTOR_MEMORY(T, S)                                                         \
    NN_INLINE nnv_##T nnv_load_apart_##T(const S *p, int64_t stride) {                 \
        nnv_##T v = nnv_splat_##T(0);                                                  \
        NN_UNROLL for (int i = 0; i < NN_LANES; i++) NN_SET(v, i, p[i * stride]);      \
        return v;                                                                      \
    }                                                                                  \
    NN_INLINE void nnv_store_apart_##T(S *p, int64_t stride, nnv_##T v) {              \
        NN_UNROLL for (int i = 0; i < NN_LANES; i++) p[i * stride] = NN_GET(v, i);     \
    }                                                                                  \
    NN_INLINE nnv_##T nnv_load_apart_n_##T(const S *p, int64_t stride, int64_t n) {    \
        nnv_##T v = nnv_splat_##T(0);                                                  \
        for (int i = 0; i < NN_LANES && i < n; i++) NN_SET(v, i, p[i * stride]);       \
        return v;                                                                      \
    }                                                                                  \
    NN_INLINE void nnv_store_apart_n_##T(S *p, int64_t stride, nnv_##T v, int64_t n) { \
        for (int i = 0; i < NN_LANES && i < n; i++) p[i * stride] = NN_GET(v, i);      \
    }                                                                                  \
    NN_INLINE nnv_##T nnv_gather_##T(const S *p, nnv_i64 at) {                         \
        nnv_##T v = nnv_splat_##T(0);                                                  \
        NN_UNROLL for (int i = 0; i < NN_LANES; i++) NN_SET(v, i, p[NN_GET(at, i)]);   \
        return v;                                                                      \
    }                                                                                  \
    NN_INLINE nnv_##T nnv_gather_n_##T(const S *p, nnv_i64 at, int64_t n) {            \
        nnv_##T v = nnv_splat_##T(0);                                                  \
        for (int i = 0; i < NN_LANES && i < n; i++) NN_SET(v, i, p[NN_GET(at, i)]);    \
        return v;                                                                      \
    }                                                                                  \
    /* Lanes whose condition does not hold read nothing and are 0. */                  \
    NN_INLINE nnv_##T nnv_gather_if_##T(const S *p, nnv_i64 at, nnv_bool c) {          \
        nnv_##T v = nnv_splat_##T(0);                                                  \
        NN_UNROLL for (int i = 0; i < NN_LANES; i++) if (NN_GET(c, i))                 \
            NN_SET(v, i, p[NN_GET(at, i)]);                                            \
        return v;                                                                      \
    }                                                                                  \
    NN_INLINE void nnv_scatter_n_##T(S *p, nnv_i64 at, nnv_##T v, int64_t n) {         \
        for (int i = 0; i < NN_LANES && i < n; i++) p[NN_GET(at, i)] = NN_GET(v, i);   \
    }
#define NN_VECTOR_PARTIAL(T, S)                                      \
    NN_INLINE nnv_##T nnv_load_n_##T(const S *p, int64_t n) {        \
        S lanes[NN_LANES];                                           \
        NN_UNROLL for (int i = 0; i < NN_LANES; i++) lanes[i] = 0;   \
        for (int i = 0; i < NN_LANES && i < n; i++) lanes[i] = p[i]; \
        return nnv_load_##T(lanes);                                  \
    }                                                                \
    NN_INLINE void nnv_store_n_##T(S *p, nnv_##T v, int64_t n) {     \
        S lanes[NN_LANES];                                           \
        nnv_store_##T(lanes, v);                                     \
        for (int i = 0; i < NN_LANES && i < n; i++) p[i] = lanes[i]; \
    }

NN_VECTOR_MEMORY(f32, float)
NN_VECTOR_MEMORY(f64, double)
NN_VECTOR_MEMORY(i64, int64_t)
NN_VECTOR_MEMORY(i32, int32_t)
NN_VECTOR_MEMORY(i16, int16_t)
NN_VECTOR_MEMORY(i8, int8_t)
NN_VECTOR_MEMORY(u8, uint8_t)
NN_VECTOR_MEMORY(u16, uint16_t)
NN_VECTOR_PARTIAL(f64, double)
NN_VECTOR_PARTIAL(i64, int64_t)
NN_VECTOR_PARTIAL(i16, int16_t)
NN_VECTOR_PARTIAL(i8, int8_t)
NN_VECTOR_PARTIAL(u8, uint8_t)
NN_VECTOR_PARTIAL(u16, uint16_t)

/* Masked moves: one instruction, and no fault past the end. */
#if NN_LANES == 16 && NN_HAS(__builtin_ia32_loadups512_mask) && \
    NN_HAS(__builtin_ia32_storeups512_mask)
#define NN_MASKS 16
#elif NN_LANES == 8 && NN_HAS(__builtin_ia32_maskloadps256) && NN_HAS(__builtin_ia32_maskstoreps256)
#define NN_MASKS 8
#else
#define NN_MASKS 0
#endif
#if NN_MASKS == 16
NN_INLINE uint16_t nn_mask16(int64_t n) {
    return (uint16_t)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1);
}
NN_INLINE nnv_f32 nnv_load_n_f32(const float *p, int64_t n) {
    return (nnv_f32)__builtin_ia32_loadups512_mask(p, (nnv_f32){0}, nn_mask16(n));
}
NN_INLINE void nnv_store_n_f32(float *p, nnv_f32 v, int64_t n) {
    __builtin_ia32_storeups512_mask(p, v, nn_mask16(n));
}
NN_INLINE nnv_i32 nnv_load_n_i32(const int32_t *p, int64_t n) {
    return (nnv_i32)nnv_load_n_f32((const float *)(const void *)p, n);
}
NN_INLINE void nnv_store_n_i32(int32_t *p, nnv_i32 v, int64_t n) {
    nnv_store_n_f32((float *)(void *)p, (nnv_f32)v, n);
}
#elif NN_MASKS == 8
NN_INLINE nnv_f32 nnv_load_n_f32(const float *p, int64_t n) {
    return (nnv_f32)__builtin_ia32_maskloadps256((const nnv_f32 *)(const void *)p, nnv_below(n));
}
NN_INLINE void nnv_store_n_f32(float *p, nnv_f32 v, int64_t n) {
    __builtin_ia32_maskstoreps256((nnv_f32 *)(void *)p, nnv_below(n), v);
}
NN_INLINE nnv_i32 nnv_load_n_i32(const int32_t *p, int64_t n) {
    return (nnv_i32)nnv_load_n_f32((const float *)(const void *)p, n);
}
NN_INLINE void nnv_store_n_i32(int32_t *p, nnv_i32 v, int64_t n) {
    nnv_store_n_f32((float *)(void *)p, (nnv_f32)v, n);
}
#else
NN_VECTOR_PARTIAL(f32, float)
NN_VECTOR_PARTIAL(i32, int32_t)
#endif

/* Every second element is two loads and a shuffle; the second load ends with the last element. */
#if NN_LANES > 1 && NN_HAS(__builtin_shufflevector)
#define NN_EVEN 1
#if NN_LANES == 16
#define nnv_even(a, b) \
    __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31)
#elif NN_LANES == 8
#define nnv_even(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15)
#else
#define nnv_even(a, b) __builtin_shufflevector(a, b, 0, 2, 5, 7)
#endif
#endif
NN_INLINE nnv_f32 nnv_load_strided_f32(const float *p, int64_t stride) {
#ifdef NN_EVEN
    if (__builtin_constant_p(stride) && stride == 2)
        return nnv_even(nnv_load_f32(p), nnv_load_f32(p + NN_LANES - 1));
#endif
    return nnv_load_apart_f32(p, stride);
}
NN_INLINE nnv_f32 nnv_load_strided_n_f32(const float *p, int64_t stride, int64_t n) {
#ifdef NN_EVEN
    if (__builtin_constant_p(stride) && stride == 2)
        return nnv_even(nnv_load_n_f32(p, 2 * n - 1),
                        nnv_load_n_f32((const float *)NN_AHEAD(p, NN_LANES - 1), 2 * n - NN_LANES));
#endif
    return nnv_load_apart_n_f32(p, stride, n);
}
/* So are stores, where one instruction leaves the elements between alone. */
NN_INLINE void nnv_store_strided_n_f32(float *p, int64_t stride, nnv_f32 v, int64_t n) {
#if defined(NN_EVEN) && NN_MASKS == 16
    if (__builtin_constant_p(stride) && stride == 2) {
        const uint16_t low = nn_mask16(2 * n - 1) & 0x5555, high = nn_mask16(2 * n - 17) & 0x5555;
        __builtin_ia32_storeups512_mask(
            p, __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), low);
        if (high)
            __builtin_ia32_storeups512_mask(p + 16,
                                            __builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11,
                                                                    11, 12, 12, 13, 13, 14, 14, 15,
                                                                    15),
                                            high);
        return;
    }
#endif
    nnv_store_apart_n_f32(p, stride, v, n);
}
NN_INLINE void nnv_store_strided_f32(float *p, int64_t stride, nnv_f32 v) {
#if defined(NN_EVEN) && NN_MASKS == 16
    if (__builtin_constant_p(stride) && stride == 2) {
        nnv_store_strided_n_f32(p, 2, v, NN_LANES);
        return;
    }
#endif
    nnv_store_apart_f32(p, stride, v);
}
#define NN_VECTOR_STRIDED(T, S)                                                          \
    NN_INLINE nnv_##T nnv_load_strided_##T(const S *p, int64_t stride) {                 \
        return nnv_load_apart_##T(p, stride);                                            \
    }                                                                                    \
    NN_INLINE nnv_##T nnv_load_strided_n_##T(const S *p, int64_t stride, int64_t n) {    \
        return nnv_load_apart_n_##T(p, stride, n);                                       \
    }                                                                                    \
    NN_INLINE void nnv_store_strided_##T(S *p, int64_t stride, nnv_##T v) {              \
        nnv_store_apart_##T(p, stride, v);                                               \
    }                                                                                    \
    NN_INLINE void nnv_store_strided_n_##T(S *p, int64_t stride, nnv_##T v, int64_t n) { \
        nnv_store_apart_n_##T(p, stride, v, n);                                          \
    }
NN_VECTOR_STRIDED(f64, double)
NN_VECTOR_STRIDED(i64, int64_t)
NN_VECTOR_STRIDED(i32, int32_t)
NN_VECTOR_STRIDED(i16, int16_t)
NN_VECTOR_STRIDED(i8, int8_t)
NN_VECTOR_STRIDED(u8, uint8_t)
NN_VECTOR_STRIDED(u16, uint16_t)

/* ---- comparison, choice ---- */
#if NN_LANES > 1
#define NN_VECTOR_SELECT(T, M)                                           \
    NN_INLINE nnv_##T nnv_select_##T(nnv_bool c, nnv_##T a, nnv_##T b) { \
        nnv_##M m = nnv_cast(M, c);                                      \
        return (nnv_##T)((m & (nnv_##M)a) | (~m & (nnv_##M)b));          \
    }
#define NN_VECTOR_COMPARE(T, M)                                                            \
    NN_INLINE nnv_bool nnv_eq_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a == b); } \
    NN_INLINE nnv_bool nnv_ne_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a != b); } \
    NN_INLINE nnv_bool nnv_lt_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a < b); }  \
    NN_INLINE nnv_bool nnv_le_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a <= b); } \
    NN_INLINE nnv_bool nnv_gt_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a > b); }  \
    NN_INLINE nnv_bool nnv_ge_##T(nnv_##T a, nnv_##T b) { return nnv_cast(bool, a >= b); } \
    NN_VECTOR_SELECT(T, M)
#else
#define NN_VECTOR_COMPARE(T, M)                                               \
    NN_INLINE nnv_bool nnv_eq_##T(nnv_##T a, nnv_##T b) { return -(a == b); } \
    NN_INLINE nnv_bool nnv_ne_##T(nnv_##T a, nnv_##T b) { return -(a != b); } \
    NN_INLINE nnv_bool nnv_lt_##T(nnv_##T a, nnv_##T b) { return -(a < b); }  \
    NN_INLINE nnv_bool nnv_le_##T(nnv_##T a, nnv_##T b) { return -(a <= b); } \
    NN_INLINE nnv_bool nnv_gt_##T(nnv_##T a, nnv_##T b) { return -(a > b); }  \
    NN_INLINE nnv_bool nnv_ge_##T(nnv_##T a, nnv_##T b) { return -(a >= b); } \
    NN_INLINE nnv_##T nnv_select_##T(nnv_bool c, nnv_##T a, nnv_##T b) { return c ? a : b; }
#endif
/* Lanes of 64 bits are two registers, which gcc compares lane by lane: here half by half.  Of a mask
 * of 64 bits one word is taken; its words are alike. */
#if NN_LANES > 1 && !defined(__clang__) && NN_HAS(__builtin_shufflevector)
#if NN_LANES == 16
#define NN_EVEN_WORDS 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#elif NN_LANES == 8
#define NN_EVEN_WORDS 0, 2, 4, 6, 8, 10, 12, 14
#else
#define NN_EVEN_WORDS 0, 2, 4, 6
#endif
typedef double nnv_half_f64 __attribute__((vector_size(NN_LANES * 4), may_alias));
typedef int64_t nnv_half_i64 __attribute__((vector_size(NN_LANES * 4), may_alias));
#define NN_WIDE_COMPARE_BY(NAME, T, OPERATOR)                     \
    NN_INLINE nnv_bool nnv_##NAME##_##T(nnv_##T a, nnv_##T b) {   \
        const nnv_half_##T *const x = (const nnv_half_##T *)&a;   \
        const nnv_half_##T *const y = (const nnv_half_##T *)&b;   \
        const nnv_bool low = (nnv_bool)(x[0] OPERATOR y[0]);      \
        const nnv_bool high = (nnv_bool)(x[1] OPERATOR y[1]);     \
        return __builtin_shufflevector(low, high, NN_EVEN_WORDS); \
    }
#define NN_WIDE_COMPARE(T)        \
    NN_WIDE_COMPARE_BY(eq, T, ==) \
    NN_WIDE_COMPARE_BY(ne, T, !=) \
    NN_WIDE_COMPARE_BY(lt, T, <)  \
    NN_WIDE_COMPARE_BY(le, T, <=) \
    NN_WIDE_COMPARE_BY(gt, T, >)  \
    NN_WIDE_COMPARE_BY(ge, T, >=) \
    NN_VECTOR_SELECT(T, i64)
#endif
#ifndef NN_WIDE_COMPARE
#define NN_WIDE_COMPARE(T) NN_VECTOR_COMPARE(T, i64)
#endif
NN_VECTOR_COMPARE(f32, i32)
NN_WIDE_COMPARE(f64)
NN_WIDE_COMPARE(i64)
NN_VECTOR_COMPARE(i32, i32)
NN_VECTOR_COMPARE(i16, i16)
NN_VECTOR_COMPARE(i8, i8)
NN_VECTOR_COMPARE(u8, i8)
NN_INLINE nnv_bool nnv_select_bool(nnv_bool c, nnv_bool a, nnv_bool b) {
    return (c & a) | (~c & b);
}
NN_INLINE nnv_bool nnv_splat_bool(int x) { return nnv_splat_i32(-(x != 0)); }
NN_INLINE nnv_bool nnv_load_bool(const uint8_t *p) {
    return nnv_ne_i32(nnv_cast(i32, nnv_load_u8(p)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_load_n_bool(const uint8_t *p, int64_t n) {
    return nnv_ne_i32(nnv_cast(i32, nnv_load_n_u8(p, n)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_load_strided_bool(const uint8_t *p, int64_t stride) {
    return nnv_ne_i32(nnv_cast(i32, nnv_load_strided_u8(p, stride)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_load_strided_n_bool(const uint8_t *p, int64_t stride, int64_t n) {
    return nnv_ne_i32(nnv_cast(i32, nnv_load_strided_n_u8(p, stride, n)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_gather_bool(const uint8_t *p, nnv_i64 at) {
    return nnv_ne_i32(nnv_cast(i32, nnv_gather_u8(p, at)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_gather_n_bool(const uint8_t *p, nnv_i64 at, int64_t n) {
    return nnv_ne_i32(nnv_cast(i32, nnv_gather_n_u8(p, at, n)), nnv_splat_i32(0));
}
NN_INLINE nnv_bool nnv_gather_if_bool(const uint8_t *p, nnv_i64 at, nnv_bool c) {
    return nnv_ne_i32(nnv_cast(i32, nnv_gather_if_u8(p, at, c)), nnv_splat_i32(0));
}
NN_INLINE nnv_u8 nnv_bool_bytes(nnv_bool v) { return nnv_cast(u8, v & 1); }
NN_INLINE void nnv_store_bool(uint8_t *p, nnv_bool v) { nnv_store_u8(p, nnv_bool_bytes(v)); }
NN_INLINE void nnv_store_n_bool(uint8_t *p, nnv_bool v, int64_t n) {
    nnv_store_n_u8(p, nnv_bool_bytes(v), n);
}
NN_INLINE void nnv_store_strided_bool(uint8_t *p, int64_t stride, nnv_bool v) {
    nnv_store_strided_u8(p, stride, nnv_bool_bytes(v));
}
NN_INLINE void nnv_store_strided_n_bool(uint8_t *p, int64_t stride, nnv_bool v, int64_t n) {
    nnv_store_strided_n_u8(p, stride, nnv_bool_bytes(v), n);
}
NN_INLINE void nnv_scatter_n_bool(uint8_t *p, nnv_i64 at, nnv_bool v, int64_t n) {
    nnv_scatter_n_u8(p, at, nnv_bool_bytes(v), n);
}

/* section: nns_maximum_f nns_minimum_f nnv_maximum_f nnv_minimum_f NN_FIRST_IF */
/* ---- maximum, minimum: NaN wins over numbers ---- */
/* a where it is beyond b, otherwise b, NaN or not: what the instructions do. */
#if NN_LANES == 16 && NN_HAS(__builtin_ia32_maxps512)
#define NN_FIRST_IF(instruction, compare, a, b) __builtin_ia32_##instruction##512(a, b, 4)
#elif NN_LANES == 16 && NN_HAS(__builtin_ia32_maxps512_mask)
#define NN_FIRST_IF(instruction, compare, a, b) \
    __builtin_ia32_##instruction##512_mask(a, b, a, -1, 4)
#elif NN_LANES == 8 && NN_HAS(__builtin_ia32_maxps256)
#define NN_FIRST_IF(instruction, compare, a, b) __builtin_ia32_##instruction##256(a, b)
#elif NN_LANES == 4 && NN_HAS(__builtin_ia32_maxps)
#define NN_FIRST_IF(instruction, compare, a, b) __builtin_ia32_##instruction(a, b)
#else
#define NN_FIRST_IF(instruction, compare, a, b) nnv_select_f32(nnv_##compare##_f32(a, b), a, b)
#endif
NN_INLINE float nns_maximum_f32(float a, float b) { return a > b || a != a ? a : b; }
NN_INLINE float nns_minimum_f32(float a, float b) { return a < b || a != a ? a : b; }
NN_INLINE double nns_maximum_f64(double a, double b) { return a > b || a != a ? a : b; }
NN_INLINE double nns_minimum_f64(double a, double b) { return a < b || a != a ? a : b; }
NN_INLINE nnv_f32 nnv_maximum_f32(nnv_f32 a, nnv_f32 b) {
    return nnv_select_f32(nnv_ne_f32(a, a), a, NN_FIRST_IF(maxps, gt, a, b));
}
NN_INLINE nnv_f32 nnv_minimum_f32(nnv_f32 a, nnv_f32 b) {
    return nnv_select_f32(nnv_ne_f32(a, a), a, NN_FIRST_IF(minps, lt, a, b));
}
NN_INLINE nnv_f64 nnv_maximum_f64(nnv_f64 a, nnv_f64 b) {
    return nnv_select_f64(nnv_gt_f64(a, b) | nnv_ne_f64(a, a), a, b);
}
NN_INLINE nnv_f64 nnv_minimum_f64(nnv_f64 a, nnv_f64 b) {
    return nnv_select_f64(nnv_lt_f64(a, b) | nnv_ne_f64(a, a), a, b);
}

/* section: nns_add_ nns_sub_ nns_mul_ nns_neg_ nnv_add_ nnv_sub_ nnv_mul_ nnv_neg_ nns_maximum_i
   nns_maximum_u nns_minimum_i nns_minimum_u nns_floordiv_i nns_floordiv_u nns_mod_i nns_mod_u
   nns_abs_i nns_abs_u nns_sign_i nns_sign_u nnv_maximum_i nnv_maximum_u nnv_minimum_i nnv_minimum_u
   nnv_floordiv_i nnv_floordiv_u nnv_mod_i nnv_mod_u nnv_abs_i nnv_abs_u nnv_sign_i nnv_sign_u */
/* ---- integers: wrapping arithmetic, and division as in Python; x // 0 and x % 0 are 0 ---- */
/* Sums and products wrap: those of signed vectors are undefined where they overflow. */
#if NN_LANES > 1
#define NN_WRAPPING(T, V)                                 \
    NN_INLINE nnv_##T nnv_add_##T(nnv_##T a, nnv_##T b) { \
        return (nnv_##T)((nnv_##V)a + (nnv_##V)b);        \
    }                                                     \
    NN_INLINE nnv_##T nnv_sub_##T(nnv_##T a, nnv_##T b) { \
        return (nnv_##T)((nnv_##V)a - (nnv_##V)b);        \
    }                                                     \
    NN_INLINE nnv_##T nnv_mul_##T(nnv_##T a, nnv_##T b) { \
        return (nnv_##T)((nnv_##V)a * (nnv_##V)b);        \
    }                                                     \
    NN_INLINE nnv_##T nnv_neg_##T(nnv_##T a) { return (nnv_##T)(-(nnv_##V)a); }
#else
#define NN_WRAPPING(T, V)                                                             \
    NN_INLINE nnv_##T nnv_add_##T(nnv_##T a, nnv_##T b) { return nns_add_##T(a, b); } \
    NN_INLINE nnv_##T nnv_sub_##T(nnv_##T a, nnv_##T b) { return nns_sub_##T(a, b); } \
    NN_INLINE nnv_##T nnv_mul_##T(nnv_##T a, nnv_##T b) { return nns_mul_##T(a, b); } \
    NN_INLINE nnv_##T nnv_neg_##T(nnv_##T a) { return nns_neg_##T(a); }
#endif
#define NN_INTEGER(T, S, U, V)                                                                    \
    NN_INLINE S nns_maximum_##T(S a, S b) { return a > b ? a : b; }                               \
    NN_INLINE S nns_minimum_##T(S a, S b) { return a < b ? a : b; }                               \
    NN_INLINE nnv_##T nnv_maximum_##T(nnv_##T a, nnv_##T b) {                                     \
        return nnv_select_##T(nnv_gt_##T(a, b), a, b);                                            \
    }                                                                                             \
    NN_INLINE nnv_##T nnv_minimum_##T(nnv_##T a, nnv_##T b) {                                     \
        return nnv_select_##T(nnv_lt_##T(a, b), a, b);                                            \
    }                                                                                             \
    NN_INLINE S nns_add_##T(S a, S b) { return (S)((U)a + (U)b); }                                \
    NN_INLINE S nns_sub_##T(S a, S b) { return (S)((U)a - (U)b); }                                \
    NN_INLINE S nns_mul_##T(S a, S b) { return (S)((U)a * (U)b); }                                \
    NN_INLINE S nns_neg_##T(S a) { return (S)(0 - (U)a); }                                        \
    NN_INLINE S nns_floordiv_##T(S a, S b) {                                                      \
        if (b == 0) return 0;                                                                     \
        if (b == (S)-1) return (S)-1 < 0 ? nns_neg_##T(a) : (S)(a / b);                           \
        return (S)(a / b - (a % b != 0 && (a < 0) != (b < 0)));                                   \
    }                                                                                             \
    NN_INLINE S nns_mod_##T(S a, S b) {                                                           \
        if (b == 0 || ((S)-1 < 0 && b == (S)-1)) return 0;                                        \
        S r = (S)(a % b);                                                                         \
        return (S)(r != 0 && (r < 0) != (b < 0) ? r + b : r);                                     \
    }                                                                                             \
    NN_INLINE S nns_abs_##T(S a) { return a < 0 ? nns_neg_##T(a) : a; }                           \
    NN_INLINE S nns_sign_##T(S a) { return (S)((a > 0) - (a < 0)); }                              \
    NN_WRAPPING(T, V)                                                                             \
    NN_INLINE nnv_##T nnv_floordiv_##T(nnv_##T a, nnv_##T b) {                                    \
        for (int i = 0; i < NN_LANES; i++)                                                        \
            NN_SET(a, i, nns_floordiv_##T(NN_GET(a, i), NN_GET(b, i)));                           \
        return a;                                                                                 \
    }                                                                                             \
    NN_INLINE nnv_##T nnv_mod_##T(nnv_##T a, nnv_##T b) {                                         \
        for (int i = 0; i < NN_LANES; i++) NN_SET(a, i, nns_mod_##T(NN_GET(a, i), NN_GET(b, i))); \
        return a;                                                                                 \
    }                                                                                             \
    NN_INLINE nnv_##T nnv_abs_##T(nnv_##T a) {                                                    \
        return nnv_select_##T(nnv_lt_##T(a, nnv_splat_##T(0)), nnv_neg_##T(a), a);                \
    }                                                                                             \
    NN_INLINE nnv_##T nnv_sign_##T(nnv_##T a) {                                                   \
        nnv_##T zero = nnv_splat_##T(0);                                                          \
        return nnv_select_##T(nnv_gt_##T(a, zero), nnv_splat_##T(1),                              \
                              nnv_select_##T(nnv_lt_##T(a, zero), nnv_splat_##T((S)-1), zero));   \
    }
NN_INTEGER(i64, int64_t, uint64_t, u64)
NN_INTEGER(i32, int32_t, uint32_t, u32)
NN_INTEGER(i16, int16_t, uint32_t, u16)
NN_INTEGER(i8, int8_t, uint32_t, u8)
NN_INTEGER(u8, uint8_t, uint32_t, u8)

/* section: nnv_load_within_ nnv_within */
/* ---- lanes of which only those from some one to some other lie within a tensor ---- */
NN_INLINE nnv_bool nnv_within(int64_t begin, int64_t end) {
    return nnv_below(end) & ~nnv_below(begin);
}
/* Lane l is p[at + l] where begin <= l < end, and `other` elsewhere; nothing else is read, and p + at
 * may lie outside. */
#define NN_LOAD_WITHIN(T, S)                                                                  \
    NN_INLINE nnv_##T nnv_load_within_##T(const S *p, int64_t at, int64_t begin, int64_t end, \
                                          nnv_##T other) {                                    \
        if (begin <= 0 && end >= NN_LANES) return nnv_load_##T(p + at);                       \
        for (int64_t l = nn_max(begin, 0); l < nn_min(end, NN_LANES); l++)                    \
            NN_SET(other, l, p[at + l]);                                                      \
        return other;                                                                         \
    }
#if NN_MASKS == 16
NN_INLINE nnv_f32 nnv_load_within_f32(const float *p, int64_t at, int64_t begin, int64_t end,
                                      nnv_f32 other) {
    const float *const from = (const float *)NN_AHEAD(p, at);
    const uint16_t mask = nn_mask16(end) & (uint16_t)~nn_mask16(begin);
    return (nnv_f32)__builtin_ia32_loadups512_mask(from, other, mask);
}
#elif NN_MASKS == 8
NN_INLINE nnv_f32 nnv_load_within_f32(const float *p, int64_t at, int64_t begin, int64_t end,
                                      nnv_f32 other) {
    const float *const from = (const float *)NN_AHEAD(p, at);
    const nnv_bool mask = nnv_within(begin, end);
    return nnv_select_f32(
        mask, (nnv_f32)__builtin_ia32_maskloadps256((const nnv_f32 *)(const void *)from, mask),
        other);
}
#else
NN_LOAD_WITHIN(f32, float)
#endif
NN_LOAD_WITHIN(f64, double)
NN_LOAD_WITHIN(i64, int64_t)
NN_LOAD_WITHIN(i32, int32_t)

/* section: nnv_reduce_ */
/* ---- horizontal reductions: halves are folded onto each other, so the tree is fixed ---- */
#define NN_FOLD(name, T, S, step)                                       \
    NN_INLINE S nnv_reduce_##name##_##T(nnv_##T v) {                    \
        S lanes[NN_LANES];                                              \
        nnv_store_##T(lanes, v);                                        \
        NN_UNROLL for (int width = NN_LANES / 2; width > 0; width /= 2) \
            NN_UNROLL for (int i = 0; i < width; i++) {                 \
            S a = lanes[i], b = lanes[i + width];                       \
            lanes[i] = step;                                            \
        }                                                               \
        return lanes[0];                                                \
    }
#if NN_LANES == 16
/* A vector whose address is taken stays in memory, and so would sums that a loop keeps in it. */
#if NN_HAS(__builtin_shufflevector)
#define NN_HALVES(v, V8)                                                  \
    const V8 low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7); \
    const V8 half = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
#define NN_HALVES(v, V8)          \
    V8 half, low;                 \
    memcpy(&low, &v, sizeof low); \
    memcpy(&half, (const char *)&v + sizeof low, sizeof half);
#endif
NN_INLINE float nnv_reduce_sum_f32(nnv_f32 v) {
    typedef float f8 __attribute__((vector_size(32)));
    typedef float f4 __attribute__((vector_size(16)));
    NN_HALVES(v, f8)
    f8 a = low + half;
    f4 b, c;
    memcpy(&b, &a, sizeof b);
    memcpy(&c, (const char *)&a + sizeof b, sizeof c);
    b += c;
    return (b[0] + b[2]) + (b[1] + b[3]);
}
#else
NN_FOLD(sum, f32, float, a + b)
#endif
NN_FOLD(prod, f32, float, a *b)
NN_FOLD(max, f32, float, nns_maximum_f32(a, b))
NN_FOLD(min, f32, float, nns_minimum_f32(a, b))
NN_FOLD(sum, f64, double, a + b)
NN_FOLD(prod, f64, double, a *b)
NN_FOLD(max, f64, double, nns_maximum_f64(a, b))
NN_FOLD(min, f64, double, nns_minimum_f64(a, b))
#define NN_FOLD_INTEGER(T, S)                 \
    NN_FOLD(sum, T, S, nns_add_##T(a, b))     \
    NN_FOLD(prod, T, S, nns_mul_##T(a, b))    \
    NN_FOLD(max, T, S, nns_maximum_##T(a, b)) \
    NN_FOLD(min, T, S, nns_minimum_##T(a, b))
NN_FOLD_INTEGER(i64, int64_t)
NN_FOLD_INTEGER(i32, int32_t)
NN_FOLD_INTEGER(i16, int16_t)
NN_FOLD_INTEGER(i8, int8_t)
NN_FOLD_INTEGER(u8, uint8_t)
NN_INLINE int nnv_reduce_any(nnv_bool v) {
    int32_t any = 0;
    NN_UNROLL for (int i = 0; i < NN_LANES; i++) any |= NN_GET(v, i);
    return any != 0;
}
NN_INLINE int nnv_reduce_all(nnv_bool v) {
    int32_t all = -1;
    NN_UNROLL for (int i = 0; i < NN_LANES; i++) all &= NN_GET(v, i);
    return all != 0;
}

/* section: *f16 nnv_f16_word nnv_bf16_word */
/* ---- 16-bit floats: stored as bits, computed in f32, rounded to nearest even ---- */
NN_INLINE nnv_f32 nnv_of_bf16(nnv_u16 h) { return nnv_f32_of((nnv_i32)(nnv_cast(u32, h) << 16)); }
NN_INLINE nnv_u32 nnv_bf16_word(nnv_f32 x) {
    nnv_u32 u = (nnv_u32)nnv_f32_bits(x);
    nnv_u32 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    nnv_u32 quiet = (u >> 16) | 0x40u;
    return (nnv_u32)nnv_select_i32(nnv_ne_f32(x, x), (nnv_i32)quiet, (nnv_i32)rounded);
}
NN_INLINE nnv_u16 nnv_to_bf16(nnv_f32 x) { return nnv_cast(u16, nnv_bf16_word(x)); }
NN_INLINE nnv_f32 nnv_round_bf16(nnv_f32 x) {
    return nnv_f32_of((nnv_i32)(nnv_bf16_word(x) << 16));
}
NN_INLINE nnv_f32 nnv_of_f16(nnv_u16 h) {
    nnv_u32 u = nnv_cast(u32, h), sign = (u & 0x8000u) << 16, magnitude = u & 0x7fffu;
    /* Scaling by 2^112 makes subnormals right; infinities and NaN take the exponent of f32. */
    nnv_f32 scaled = nnv_f32_of((nnv_i32)(magnitude << 13)) * 0x1p112f;
    nnv_i32 special = (nnv_i32)((magnitude << 13) | 0x7f800000u);
    nnv_bool finite = nnv_lt_i32((nnv_i32)magnitude, nnv_splat_i32(0x7c00));
    return nnv_f32_of((nnv_i32)sign | nnv_select_i32(finite, nnv_f32_bits(scaled), special));
}
NN_INLINE nnv_u32 nnv_f16_word(nnv_f32 x) {
    nnv_u32 u = (nnv_u32)nnv_f32_bits(x), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    nnv_f32 magnitude = nnv_f32_of((nnv_i32)a);
    /* Subnormal: adding 2^-1 lines the last bit up with 2^-24 and rounds. */
    nnv_u32 small = (nnv_u32)nnv_f32_bits(magnitude + 0.5f) - 0x3f000000u;
    nnv_u32 normal = (a + 0xc8000fffu + ((a >> 13) & 1u)) >> 13;
    nnv_i32 h = nnv_select_i32(nnv_lt_f32(magnitude, nnv_splat_f32(0x1p-14f)), (nnv_i32)small,
                               (nnv_i32)normal);
    h = nnv_select_i32(nnv_ge_f32(magnitude, nnv_splat_f32(65520.0f)), nnv_splat_i32(0x7c00), h);
    h = nnv_select_i32(nnv_ne_f32(x, x), nnv_splat_i32(0x7e00), h);
    return (nnv_u32)h | sign;
}
NN_INLINE nnv_u16 nnv_to_f16(nnv_f32 x) { return nnv_cast(u16, nnv_f16_word(x)); }
NN_INLINE nnv_f32 nnv_round_f16(nnv_f32 x) { return nnv_of_f16(nnv_to_f16(x)); }
#define NN_VECTOR_HALF(T)                                                                       \
    NN_INLINE nnv_f32 nnv_load_##T(const uint16_t *p) { return nnv_of_##T(nnv_load_u16(p)); }   \
    NN_INLINE nnv_f32 nnv_load_n_##T(const uint16_t *p, int64_t n) {                            \
        return nnv_of_##T(nnv_load_n_u16(p, n));                                                \
    }                                                                                           \
    NN_INLINE nnv_f32 nnv_load_strided_##T(const uint16_t *p, int64_t stride) {                 \
        return nnv_of_##T(nnv_load_strided_u16(p, stride));                                     \
    }                                                                                           \
    NN_INLINE nnv_f32 nnv_load_strided_n_##T(const uint16_t *p, int64_t stride, int64_t n) {    \
        return nnv_of_##T(nnv_load_strided_n_u16(p, stride, n));                                \
    }                                                                                           \
    NN_INLINE nnv_f32 nnv_gather_##T(const uint16_t *p, nnv_i64 at) {                           \
        return nnv_of_##T(nnv_gather_u16(p, at));                                               \
    }                                                                                           \
    NN_INLINE nnv_f32 nnv_gather_n_##T(const uint16_t *p, nnv_i64 at, int64_t n) {              \
        return nnv_of_##T(nnv_gather_n_u16(p, at, n));                                          \
    }                                                                                           \
    NN_INLINE nnv_f32 nnv_gather_if_##T(const uint16_t *p, nnv_i64 at, nnv_bool c) {            \
        return nnv_of_##T(nnv_gather_if_u16(p, at, c));                                         \
    }                                                                                           \
    NN_INLINE void nnv_store_##T(uint16_t *p, nnv_f32 v) { nnv_store_u16(p, nnv_to_##T(v)); }   \
    NN_INLINE void nnv_store_n_##T(uint16_t *p, nnv_f32 v, int64_t n) {                         \
        nnv_store_n_u16(p, nnv_to_##T(v), n);                                                   \
    }                                                                                           \
    NN_INLINE void nnv_store_strided_##T(uint16_t *p, int64_t stride, nnv_f32 v) {              \
        nnv_store_strided_u16(p, stride, nnv_to_##T(v));                                        \
    }                                                                                           \
    NN_INLINE void nnv_store_strided_n_##T(uint16_t *p, int64_t stride, nnv_f32 v, int64_t n) { \
        nnv_store_strided_n_u16(p, stride, nnv_to_##T(v), n);                                   \
    }                                                                                           \
    NN_INLINE void nnv_scatter_n_##T(uint16_t *p, nnv_i64 at, nnv_f32 v, int64_t n) {           \
        nnv_scatter_n_u16(p, at, nnv_to_##T(v), n);                                             \
    }                                                                                           \
    NN_INLINE float nns_load_##T(const uint16_t *p) {                                           \
        return NN_GET(nnv_of_##T(nnv_splat_u16(*p)), 0);                                        \
    }                                                                                           \
    NN_INLINE void nns_store_##T(uint16_t *p, float x) {                                        \
        *p = NN_GET(nnv_to_##T(nnv_splat_f32(x)), 0);                                           \
    }                                                                                           \
    NN_INLINE float nns_round_##T(float x) { return NN_GET(nnv_round_##T(nnv_splat_f32(x)), 0); }
NN_VECTOR_HALF(bf16)
NN_VECTOR_HALF(f16)

/* section */
#endif
