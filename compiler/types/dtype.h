/* Element types and PyTorch's promotion lattice. */
#ifndef NNC_TYPES_DTYPE_H
#define NNC_TYPES_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum DType {
#define DTYPE(e, spelling, bytes, kind, ctype, st) DTYPE_##e,
#include "types/dtypes.def"
#undef DTYPE
    DTYPE_COUNT
} DType;

typedef enum DTypeKind { DTYPE_KIND_BOOLEAN, DTYPE_KIND_INTEGER, DTYPE_KIND_FLOATING } DTypeKind;

const char *dtype_name(DType t);        /* "f32" */
const char *dtype_c_type(DType t);      /* "float" */
const char *dtype_safetensors(DType t); /* "F32" */
size_t dtype_bytes(DType t);
DTypeKind dtype_kind(DType t);
static inline bool dtype_is_float(DType t) {
    return dtype_kind(t) == DTYPE_KIND_FLOATING;
}
static inline bool dtype_is_half(DType t) {
    return t == DTYPE_F16 || t == DTYPE_BF16;
}
/* In which values of t are added, compared and multiplied up: halves in f32, since rounding to the
 * dtype is for values and not for what leads to them. */
static inline DType dtype_accumulator(DType t) {
    return dtype_is_half(t) ? DTYPE_F32 : t;
}
bool dtype_parse(const char *name, DType *out);
/* torch.promote_types: bool < ints < floats; u8+i8 = i16; f16+bf16 = f32. */
DType dtype_promote(DType a, DType b);
/* Smallest and largest value of an integer dtype, as int64. */
void dtype_int_range(DType t, long long *lo, long long *hi);

/* How exactly the factors of f32 products are taken, where that makes them faster (--precision). */
typedef enum Precision { PRECISION_F32, PRECISION_TF32, PRECISION_BF16 } Precision;

/* Who multiplies matrices on a GPU (--gemm): our own kernels; cuBLASLt, wherever an operand is a
 * matrix in memory; or cuBLASLt where it is likely to be faster. */
typedef enum Gemm { GEMM_OWN, GEMM_CUBLASLT, GEMM_AUTO } Gemm;

#endif
