/* npy: NumPy's array files, versions 1.0 to 3.0, C order, little endian.
 * Invariants: the dict holds exactly descr, fortran_order and shape; the data fills the file
 * exactly. */
#include "nncrt_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NPY_HEADER_LIMIT = 65536 };

static const struct {
    const char *descr;
    int dtype;
} descriptions[] = {
    {"|b1", NNC_BOOL}, {"|u1", NNC_U8},   {"|i1", NNC_I8},  {"<i2", NNC_I16}, {"<i4", NNC_I32},
    {"<i8", NNC_I64},  {"<f2", NNC_F16},  {"<f4", NNC_F32}, {"<f8", NNC_F64}, {"<V2", NNC_BF16},
    {"|V2", NNC_BF16}, {"<b1", NNC_BOOL}, {"<u1", NNC_U8},  {"<i1", NNC_I8},
};

typedef struct Dict {
    const char *text;
    size_t length, position;
} Dict;

static void skip_space(Dict *dict) {
    while (dict->position < dict->length &&
           (dict->text[dict->position] == ' ' || dict->text[dict->position] == '\n'))
        ++dict->position;
}

static bool accept(Dict *dict, char c) {
    skip_space(dict);
    if (dict->position >= dict->length || dict->text[dict->position] != c) return false;
    ++dict->position;
    return true;
}

static bool accept_word(Dict *dict, const char *word) {
    size_t length = strlen(word);
    skip_space(dict);
    if (dict->length - dict->position < length ||
        memcmp(dict->text + dict->position, word, length) != 0)
        return false;
    dict->position += length;
    return true;
}

/* A quoted string without escapes, at most 31 bytes. */
static bool read_quoted(Dict *dict, char out[32]) {
    skip_space(dict);
    if (dict->position >= dict->length) return false;
    char quote = dict->text[dict->position];
    if (quote != '\'' && quote != '"') return false;
    size_t length = 0;
    for (++dict->position; dict->position < dict->length; ++dict->position) {
        char c = dict->text[dict->position];
        if (c == quote) {
            ++dict->position;
            out[length] = 0;
            return true;
        }
        if (c == '\\' || length == 31) return false;
        out[length++] = c;
    }
    return false;
}

static bool read_shape(Dict *dict, NncArray *out, NncError *error) {
    if (!accept(dict, '(')) return nnc_fail(error, "npy header: the shape is not a tuple");
    while (!accept(dict, ')')) {
        skip_space(dict);
        int64_t dim = 0;
        size_t digits = 0;
        for (; dict->position < dict->length; ++dict->position, ++digits) {
            char c = dict->text[dict->position];
            if (c < '0' || c > '9') break;
            if (__builtin_mul_overflow(dim, (int64_t)10, &dim) ||
                __builtin_add_overflow(dim, (int64_t)(c - '0'), &dim))
                return nnc_fail(error, "npy header: a dim is too large");
        }
        if (!digits) return nnc_fail(error, "npy header: a dim is not a non-negative integer");
        if (out->rank == NNC_MAX_RANK)
            return nnc_fail(error, "npy header: more than %d dims", NNC_MAX_RANK);
        out->dims[out->rank++] = dim;
        if (!accept(dict, ',')) {
            if (out->rank == 1 || !accept(dict, ')'))
                return nnc_fail(error, "npy header: the shape is not a tuple");
            break;
        }
    }
    return true;
}

static bool read_dict(Dict *dict, NncArray *out, NncError *error) {
    bool has_descr = false, has_order = false, has_shape = false;
    if (!accept(dict, '{')) return nnc_fail(error, "npy header: not a dict");
    while (!accept(dict, '}')) {
        char key[32];
        if (!read_quoted(dict, key) || !accept(dict, ':'))
            return nnc_fail(error, "npy header: not a dict");
        if (strcmp(key, "descr") == 0 && !has_descr) {
            char descr[32];
            has_descr = true;
            if (!read_quoted(dict, descr))
                return nnc_fail(error,
                                "structured npy arrays are not supported; save one plain array");
            out->dtype = -1;
            for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; ++i)
                if (strcmp(descriptions[i].descr, descr) == 0) out->dtype = descriptions[i].dtype;
            if (out->dtype < 0 && descr[0] == '>')
                return nnc_fail(error,
                                "npy dtype '%s' is big endian; convert with "
                                "a.astype(a.dtype.newbyteorder('<'))",
                                descr);
            if (out->dtype < 0) return nnc_fail(error, "npy dtype '%s' is not supported", descr);
        } else if (strcmp(key, "fortran_order") == 0 && !has_order) {
            has_order = true;
            if (accept_word(dict, "True"))
                return nnc_fail(error,
                                "the array is in Fortran order; save numpy.ascontiguousarray(a)");
            if (!accept_word(dict, "False"))
                return nnc_fail(error, "npy header: fortran_order is no bool");
        } else if (strcmp(key, "shape") == 0 && !has_shape) {
            has_shape = true;
            if (!read_shape(dict, out, error)) return false;
        } else {
            return nnc_fail(error, "npy header: unexpected or repeated key '%s'", key);
        }
        if (!accept(dict, ',') && !accept(dict, '}'))
            return nnc_fail(error, "npy header: not a dict");
        else if (dict->text[dict->position - 1] == '}')
            break;
    }
    skip_space(dict);
    if (dict->position != dict->length) return nnc_fail(error, "npy header: text after the dict");
    if (!has_descr || !has_order || !has_shape)
        return nnc_fail(error, "npy header: needs descr, fortran_order and shape");
    return true;
}

bool nnc_npy_parse(const void *bytes, size_t length, NncArray *out, NncError *error) {
    const unsigned char *data = bytes;
    *out = (NncArray){0};
    if (length < 10 || memcmp(data, "\x93NUMPY", 6) != 0) return nnc_fail(error, "not an npy file");
    int version = data[6];
    if (version < 1 || version > 3)
        return nnc_fail(error, "npy version %d is not supported", version);
    size_t start = version == 1 ? 10 : 12, header;
    if (length < start) return nnc_fail(error, "the npy file is cut off in its header");
    header = version == 1 ? (size_t)data[8] | (size_t)data[9] << 8
                          : (size_t)data[8] | (size_t)data[9] << 8 | (size_t)data[10] << 16 |
                                (size_t)data[11] << 24;
    if (header > NPY_HEADER_LIMIT)
        return nnc_fail(error, "the npy header claims %zu bytes; at most %d are accepted", header,
                        NPY_HEADER_LIMIT);
    if (header > length - start) return nnc_fail(error, "the npy file is cut off in its header");
    NncArray shape = {0};
    Dict dict = {(const char *)data + start, header, 0};
    if (!read_dict(&dict, &shape, error)) return false;
    size_t count, need, have = length - start - header;
    if (!nnc_shape_bytes(shape.dtype, shape.rank, shape.dims, &count, &need, error)) return false;
    if (need != have)
        return nnc_fail(error, "the npy file has %zu bytes of data, its shape needs %zu", have,
                        need);
    const unsigned char *elements = data + start + header;
    if (shape.dtype == NNC_BOOL)
        for (size_t i = 0; i < need; ++i)
            if (elements[i] > 1)
                return nnc_fail(error, "a bool is neither 0 nor 1 (element %zu)", i);
    if (!nnc_array_create(out, shape.dtype, shape.rank, shape.dims, error)) return false;
    if (need) memcpy(out->data, elements, need);
    return true;
}

bool nnc_npy_read(const char *path, NncArray *out, NncError *error) {
    NncBytes bytes;
    *out = (NncArray){0};
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    bool good = nnc_npy_parse(bytes.data, bytes.length, out, error);
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, path);
}

bool nnc_npy_write(const char *path, const NncArray *array, NncError *error) {
    const char *descr = NULL;
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0] && !descr; ++i)
        if (descriptions[i].dtype == array->dtype) descr = descriptions[i].descr;
    size_t count, bytes;
    if (!nnc_shape_bytes(array->dtype, array->rank, array->dims, &count, &bytes, error))
        return nnc_fail_in(error, path);
    char header[1024];
    int used = 10 + snprintf(header + 10, sizeof header - 10,
                             "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < array->rank; ++i)
        used += snprintf(header + used, sizeof header - (size_t)used, "%s%" PRId64, i ? ", " : "",
                         array->dims[i]);
    used += snprintf(header + used, sizeof header - (size_t)used, "%s), }",
                     array->rank == 1 ? "," : "");
    while ((used + 1) % 64) header[used++] = ' ';
    header[used++] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((used - 10) & 255);
    header[9] = (char)((used - 10) >> 8);
    NncBytes parts[2] = {{(unsigned char *)header, (size_t)used}, {array->data, bytes}};
    return nnc_file_write(path, parts, 2, error);
}
