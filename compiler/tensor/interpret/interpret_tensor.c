/* Tensors of the interpreter: storage, bytes, rounding to the small float dtypes, row walks. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/interpret/interpret_internal.h"

static bool count_elements(int rank, const int64_t *extents, int64_t *count) {
    *count = 1;
    for (int i = 0; i < rank; i++)
        if (extents[i] < 0 || !checked_mul(*count, extents[i], count)) return false;
    int64_t bytes;
    return checked_mul(*count, 8, &bytes);
}

static Tensor tensor_header(DType dtype, int rank, const int64_t *extents, int64_t count) {
    Tensor t = {.dtype = dtype, .rank = rank, .count = count};
    for (int i = 0; i < rank; i++) t.extents[i] = extents[i];
    return t;
}

Tensor *tensor_new(Arena *arena, DType dtype, int rank, const int64_t *extents) {
    int64_t count;
    if (!count_elements(rank, extents, &count)) return NULL;
    Tensor *t = NEW(arena, Tensor);
    *t = tensor_header(dtype, rank, extents, count);
    if (dtype_is_float(dtype))
        t->floats = NEW_ARRAY(arena, (size_t)count, double);
    else
        t->integers = NEW_ARRAY(arena, (size_t)count, int64_t);
    return t;
}

Tensor *tensor_of_type(Arena *arena, const TensorType *type, const int64_t *symbols) {
    int64_t extents[SHAPE_MAX_RANK];
    for (int i = 0; i < type->shape.rank; i++)
        if (!dim_evaluate(type->shape.dims[i], symbols, &extents[i])) return NULL;
    return tensor_new(arena, type->dtype, type->shape.rank, extents);
}

double tensor_get(const Tensor *t, int64_t i) {
    return t->floats ? t->floats[i] : (double)t->integers[i];
}

void tensor_set(Tensor *t, int64_t i, double value) {
    if (t->floats)
        t->floats[i] = value;
    else
        t->integers[i] = (int64_t)value;
}

/* ---- memory of a run ---- */

void *run_get(Run *run, int64_t count, size_t size) {
    size_t bytes;
    if (!checked_mul_size((size_t)count, size, &bytes) || bytes > SIZE_MAX / 2)
        memory_fail(SIZE_MAX);
    Block *block = calloc(1, sizeof *block + bytes);
    if (!block) memory_fail(bytes);
    block->previous = &run->blocks;
    block->next = run->blocks.next;
    block->next->previous = block;
    run->blocks.next = block;
    return block + 1;
}

void run_free(void *memory) {
    if (!memory) return;
    Block *block = (Block *)memory - 1;
    block->previous->next = block->next;
    block->next->previous = block->previous;
    free(block);
}

/* ---- counted tensors ---- */

void run_fail(Run *run, const char *format, ...) {
    if (run->error) return;
    Text text = text_new(run->arena);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    run->error = text.data;
}

Tensor *run_alloc(Run *run, DType dtype, int rank, const int64_t *extents) {
    int64_t count;
    if (run->error) return NULL;
    if (!count_elements(rank, extents, &count)) {
        run_fail(run, "a tensor with a negative extent, or too large");
        return NULL;
    }
    Tensor *t = run_get(run, 1, sizeof *t);
    void *data = run_get(run, count, 8);
    *t = tensor_header(dtype, rank, extents, count);
    t->references = 1;
    if (dtype_is_float(dtype))
        t->floats = data;
    else
        t->integers = data;
    return t;
}

bool run_dim(Run *run, const Dim *d, int64_t *out) {
    if (dim_is_const(d, out)) return true;
    if (run->how->symbols && dim_evaluate(d, run->how->symbols, out)) return true;
    Text text = text_new(run->arena);
    dim_print(&text, d);
    run_fail(run, "the dim %s has no value", text.data);
    return false;
}

Tensor *run_alloc_type(Run *run, const TensorType *type) {
    int64_t extents[SHAPE_MAX_RANK];
    for (int i = 0; i < type->shape.rank; i++)
        if (!run_dim(run, type->shape.dims[i], &extents[i])) return NULL;
    return run_alloc(run, type->dtype, type->shape.rank, extents);
}

void tensor_retain(Tensor *t) {
    if (t->references) t->references++;
}

void tensor_release(Tensor *t) {
    if (!t || !t->references || --t->references) return;
    run_free(t->floats ? (void *)t->floats : (void *)t->integers);
    run_free(t);
}

/* ---- rounding ---- */

/* Nearest multiple of the dtype's unit in the last place at this magnitude; exact in f64. */
static double round_small(double value, int digits, int least_exponent, double largest) {
    if (value == 0 || !isfinite(value)) return value;
    int exponent;
    frexp(value, &exponent); /* value = m * 2^exponent, 0.5 <= |m| < 1 */
    if (exponent - 1 < least_exponent) exponent = least_exponent + 1;
    double rounded = ldexp(nearbyint(ldexp(value, digits - exponent)), exponent - digits);
    if (fabs(rounded) > largest) return copysign(INFINITY, value);
    return rounded == 0 ? copysign(0.0, value) : rounded;
}

double round_to_dtype(double value, DType dtype) {
    switch ((int)dtype) {
    case DTYPE_F16: return round_small(value, 11, -14, 65504.0);
    case DTYPE_BF16: return round_small(value, 8, -126, 0x1.fep127);
    case DTYPE_F32: return (double)(float)value;
    default: return value;
    }
}

void run_round(Run *run, Tensor *t) {
    if (!t || run->how->mode != INTERPRET_TYPED || t->dtype == DTYPE_F64 || !t->floats) return;
    if (t->dtype == DTYPE_F32) {
        for (int64_t i = 0; i < t->count; i++) t->floats[i] = (double)(float)t->floats[i];
    } else {
        for (int64_t i = 0; i < t->count; i++)
            t->floats[i] = round_to_dtype(t->floats[i], t->dtype);
    }
}

int64_t wrap_integer(int64_t value, DType dtype) {
    switch ((int)dtype) {
    case DTYPE_BOOL: return value != 0;
    case DTYPE_U8: return (uint8_t)value;
    case DTYPE_I8: return (int8_t)(uint8_t)value;
    case DTYPE_I16: return (int16_t)(uint16_t)value;
    case DTYPE_I32: return (int32_t)(uint32_t)value;
    default: return value;
    }
}

/* ---- bytes ---- */

uint16_t half_bits(double value, DType dtype) {
    value = round_to_dtype(value, dtype);
    if (dtype == DTYPE_BF16) {
        float narrow = (float)value;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        return isnan(value) ? (uint16_t)((bits >> 16 & 0x8000) | 0x7fc0) : (uint16_t)(bits >> 16);
    }
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    double magnitude = fabs(value);
    if (isnan(value)) return sign | 0x7e00;
    if (isinf(value)) return sign | 0x7c00;
    if (magnitude < 0x1p-14) return sign | (uint16_t)(magnitude * 0x1p24);
    int exponent;
    double fraction = frexp(magnitude, &exponent);
    return sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)((fraction * 2 - 1) * 1024);
}

double half_value(uint16_t bits, DType dtype) {
    if (dtype == DTYPE_BF16) {
        uint32_t wide = (uint32_t)bits << 16;
        float value;
        memcpy(&value, &wide, sizeof value);
        return value;
    }
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                   : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                  : ldexp(fraction, -24);
    return bits & 0x8000 ? -value : value;
}

#define EACH(type, expression)                                                        \
    for (int64_t i = 0; i < t->count; i++) {                                          \
        type element = (type)(expression);                                            \
        memcpy((char *)bytes + (size_t)i * sizeof element, &element, sizeof element); \
    }                                                                                 \
    break
void tensor_print_index(Text *out, const Tensor *t, int64_t i) {
    int64_t rest = t->count;
    text_append(out, "[");
    for (int a = 0; a < t->rank; ++a) {
        rest /= t->extents[a];
        text_printf(out, "%s%" PRId64, a ? ", " : "", i / rest % t->extents[a]);
    }
    text_append(out, "]");
}

void tensor_to_bytes(const Tensor *t, void *bytes) {
    switch (t->dtype) {
    case DTYPE_BOOL:
    case DTYPE_U8: EACH(uint8_t, t->integers[i]);
    case DTYPE_I8: EACH(int8_t, t->integers[i]);
    case DTYPE_I16: EACH(int16_t, t->integers[i]);
    case DTYPE_I32: EACH(int32_t, t->integers[i]);
    case DTYPE_I64: EACH(int64_t, t->integers[i]);
    case DTYPE_F16:
    case DTYPE_BF16: EACH(uint16_t, half_bits(t->floats[i], t->dtype));
    case DTYPE_F32: EACH(float, t->floats[i]);
    case DTYPE_F64: EACH(double, t->floats[i]);
    case DTYPE_COUNT: break;
    }
}
#undef EACH

#define EACH(type, destination, expression)                                                 \
    for (int64_t i = 0; i < t->count; i++) {                                                \
        type element;                                                                       \
        memcpy(&element, (const char *)bytes + (size_t)i * sizeof element, sizeof element); \
        t->destination[i] = expression;                                                     \
    }                                                                                       \
    break
void tensor_from_bytes(Tensor *t, const void *bytes) {
    switch (t->dtype) {
    case DTYPE_BOOL: EACH(uint8_t, integers, element != 0);
    case DTYPE_U8: EACH(uint8_t, integers, element);
    case DTYPE_I8: EACH(int8_t, integers, element);
    case DTYPE_I16: EACH(int16_t, integers, element);
    case DTYPE_I32: EACH(int32_t, integers, element);
    case DTYPE_I64: EACH(int64_t, integers, element);
    case DTYPE_F16:
    case DTYPE_BF16: EACH(uint16_t, floats, half_value(element, t->dtype));
    case DTYPE_F32: EACH(float, floats, (double)element);
    case DTYPE_F64: EACH(double, floats, element);
    case DTYPE_COUNT: break;
    }
}
#undef EACH

/* ---- walks ---- */

void row_major_strides(const Tensor *t, int64_t *strides) {
    int64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= t->extents[i];
    }
}

void walk_rows(int rank, const int64_t *extents, const int64_t *strides_a, int64_t base_a,
               const int64_t *strides_b, int64_t base_b, RowFunction row, void *user) {
    int64_t at[SHAPE_MAX_RANK * 2 + 1] = {0};
    for (int i = 0; i < rank; i++)
        if (extents[i] == 0) return;
    if (rank == 0) {
        row(user, base_a, base_b, 1, 0, 0);
        return;
    }
    int last = rank - 1;
    for (;;) {
        row(user, base_a, base_b, extents[last], strides_a[last], strides_b[last]);
        int axis = last - 1;
        for (; axis >= 0; axis--) {
            base_a += strides_a[axis];
            base_b += strides_b[axis];
            if (++at[axis] < extents[axis]) break;
            base_a -= strides_a[axis] * extents[axis];
            base_b -= strides_b[axis] * extents[axis];
            at[axis] = 0;
        }
        if (axis < 0) return;
    }
}
