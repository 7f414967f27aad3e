/* dtypes, conversions between float formats, and dense arrays with checked sizes. */
#include "nncrt_base.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned char bytes, is_float;
} dtype_table[NNC_DTYPE_COUNT] = {
    [NNC_BOOL] = {"bool", 1, 0}, [NNC_U8] = {"u8", 1, 0},     [NNC_I8] = {"i8", 1, 0},
    [NNC_I16] = {"i16", 2, 0},   [NNC_I32] = {"i32", 4, 0},   [NNC_I64] = {"i64", 8, 0},
    [NNC_F16] = {"f16", 2, 1},   [NNC_BF16] = {"bf16", 2, 1}, [NNC_F32] = {"f32", 4, 1},
    [NNC_F64] = {"f64", 8, 1},
};

static bool is_dtype(int dtype) {
    return dtype >= 0 && dtype < NNC_DTYPE_COUNT;
}
size_t nnc_dtype_bytes(int dtype) {
    return is_dtype(dtype) ? dtype_table[dtype].bytes : 0;
}
const char *nnc_dtype_name(int dtype) {
    return is_dtype(dtype) ? dtype_table[dtype].name : "?";
}
bool nnc_dtype_is_float(int dtype) {
    return is_dtype(dtype) && dtype_table[dtype].is_float;
}

static uint32_t bits_of_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static uint64_t bits_of_f64(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

static float f32_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

float nnc_f16_to_f32(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000u) << 16, exponent = (bits >> 10) & 31u,
             mantissa = bits & 0x3ffu;
    if (exponent == 31) return f32_of_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent) return f32_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    float value = (float)mantissa * 0x1p-24f;
    return sign ? -value : value;
}

float nnc_bf16_to_f32(uint16_t bits) {
    return f32_of_bits((uint32_t)bits << 16);
}

/* Rounds the bits of a double once to a format of `mantissa_bits` and `exponent_bits`, ties to
 * even. */
static uint16_t round_f64(double value, int mantissa_bits, int exponent_bits) {
    uint64_t bits = bits_of_f64(value);
    uint16_t sign = (uint16_t)(bits >> 63 << 15);
    uint64_t mantissa = bits & 0xfffffffffffffull;
    int exponent = (int)(bits >> 52 & 2047);
    int bias = (1 << (exponent_bits - 1)) - 1, top = (1 << exponent_bits) - 1;
    if (exponent == 2047) {
        uint16_t infinity = (uint16_t)(top << mantissa_bits);
        if (!mantissa) return sign | infinity;
        /* A NaN keeps the top of its payload and is made quiet. */
        return (uint16_t)(sign | infinity | 1u << (mantissa_bits - 1) |
                          mantissa >> (52 - mantissa_bits));
    }
    if (exponent == 0) return sign; /* far below half of the smallest subnormal of either format */
    int target = exponent - 1023 + bias;
    uint64_t significand = mantissa | 1ull << 52;
    int shift = 52 - mantissa_bits;
    if (target <= 0) { /* subnormal result: the exponent field becomes 0 */
        shift += 1 - target;
        if (shift > 62) return sign;
        target = 0;
    }
    uint64_t rounded = significand >> shift, rest = significand & ((1ull << shift) - 1),
             half = 1ull << (shift - 1);
    if (rest > half || (rest == half && (rounded & 1))) ++rounded;
    /* The implicit bit, and a carry out of the mantissa, add to the exponent by themselves. */
    uint64_t field = target > 0 ? ((uint64_t)(target - 1) << mantissa_bits) + rounded : rounded;
    uint64_t infinity = (uint64_t)top << mantissa_bits;
    if (field > infinity) field = infinity;
    return (uint16_t)(sign | field);
}

uint16_t nnc_f64_to_f16(double value) {
    return round_f64(value, 10, 5);
}
uint16_t nnc_f64_to_bf16(double value) {
    return round_f64(value, 7, 8);
}
uint16_t nnc_f32_to_f16(float value) {
    return round_f64((double)value, 10, 5);
}

uint16_t nnc_f32_to_bf16(float value) {
    uint32_t bits = bits_of_f32(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#define LOAD(type)                                                                  \
    (__extension__({                                                                \
        type value_;                                                                \
        memcpy(&value_, (const char *)data + index * sizeof value_, sizeof value_); \
        value_;                                                                     \
    }))
#define STORE(type, expression)                                               \
    do {                                                                      \
        type value_ = (type)(expression);                                     \
        memcpy((char *)data + index * sizeof value_, &value_, sizeof value_); \
    } while (0)

double nnc_element_get(int dtype, const void *data, size_t index) {
    switch (dtype) {
    case NNC_BOOL:
    case NNC_U8: return LOAD(uint8_t);
    case NNC_I8: return LOAD(int8_t);
    case NNC_I16: return LOAD(int16_t);
    case NNC_I32: return LOAD(int32_t);
    case NNC_I64: return (double)LOAD(int64_t);
    case NNC_F16: return (double)nnc_f16_to_f32(LOAD(uint16_t));
    case NNC_BF16: return (double)nnc_bf16_to_f32(LOAD(uint16_t));
    case NNC_F32: return (double)LOAD(float);
    case NNC_F64: return LOAD(double);
    default: return 0;
    }
}

static int64_t clamp(double value, double low, double high) {
    if (!(value > low)) return (int64_t)low; /* NaN too */
    if (value >= high) return high >= 0x1p63 ? INT64_MAX : (int64_t)high;
    return (int64_t)value;
}

void nnc_element_set(int dtype, void *data, size_t index, double value) {
    switch (dtype) {
    case NNC_BOOL: STORE(uint8_t, value != 0); break;
    case NNC_U8: STORE(uint8_t, clamp(value, 0, 255)); break;
    case NNC_I8: STORE(int8_t, clamp(value, -128, 127)); break;
    case NNC_I16: STORE(int16_t, clamp(value, -32768, 32767)); break;
    case NNC_I32: STORE(int32_t, clamp(value, -0x1p31, 0x1p31 - 1)); break;
    case NNC_I64: STORE(int64_t, clamp(value, -0x1p63, 0x1p63)); break;
    case NNC_F16: STORE(uint16_t, nnc_f64_to_f16(value)); break;
    case NNC_BF16: STORE(uint16_t, nnc_f64_to_bf16(value)); break;
    case NNC_F32: STORE(float, value); break;
    case NNC_F64: STORE(double, value); break;
    default: break;
    }
}

bool nnc_convert(int to_dtype, void *to, int from_dtype, const void *from, size_t count) {
    if (to_dtype == from_dtype) {
        if (count) memcpy(to, from, count * nnc_dtype_bytes(to_dtype));
        return true;
    }
    if (!nnc_dtype_is_float(to_dtype) || !nnc_dtype_is_float(from_dtype)) return false;
    for (size_t i = 0; i < count; ++i)
        nnc_element_set(to_dtype, to, i, nnc_element_get(from_dtype, from, i));
    return true;
}

bool nnc_shape_bytes(int dtype, int rank, const int64_t *dims, size_t *count, size_t *bytes,
                     NncError *error) {
    if (!is_dtype(dtype)) return nnc_fail(error, "unknown dtype %d", dtype);
    if (rank < 0 || rank > NNC_MAX_RANK)
        return nnc_fail(error, "rank %d; at most %d is supported", rank, NNC_MAX_RANK);
    /* Overflow is looked for with zeros counted as ones: a 0 must not hide a wild product. */
    size_t product = 1;
    bool empty = false;
    for (int i = 0; i < rank; ++i) {
        if (dims[i] < 0) return nnc_fail(error, "dim %d is negative (%" PRId64 ")", i, dims[i]);
        if (dims[i] == 0) empty = true;
        if (!nnc_multiply(product, dims[i] ? (size_t)dims[i] : 1, &product) ||
            product > ((size_t)1 << 47))
            return nnc_fail(error, "the shape has more elements than fit in memory");
    }
    *count = empty ? 0 : product;
    *bytes = *count * nnc_dtype_bytes(dtype);
    return true;
}

bool nnc_array_create(NncArray *out, int dtype, int rank, const int64_t *dims, NncError *error) {
    size_t count, bytes;
    *out = (NncArray){0};
    if (!nnc_shape_bytes(dtype, rank, dims, &count, &bytes, error)) return false;
    out->data = nnc_allocate_zeroed(bytes, error);
    if (!out->data) return false;
    out->owned = true;
    out->dtype = dtype;
    out->rank = rank;
    out->bytes = bytes;
    if (rank) memcpy(out->dims, dims, (size_t)rank * sizeof *dims);
    return true;
}

void nnc_array_free(NncArray *array) {
    if (array->owned) nnc_release(array->data);
    nnc_release(array->name);
    *array = (NncArray){0};
}

char *nnc_array_describe(char *text, size_t size, int dtype, int rank, const int64_t *dims) {
    size_t used = 0;
    int n = snprintf(text, size, "%s[", nnc_dtype_name(dtype));
    for (int i = 0; n >= 0 && i <= rank; ++i) {
        used += (size_t)n;
        if (used >= size) break;
        n = i == rank ? snprintf(text + used, size - used, "]")
                      : snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "", dims[i]);
    }
    return text;
}
