/* IDX, the format of MNIST and its kin, plain or gzip.
 * Invariants: the claimed size is compared with what the file can hold before anything is allocated
 * (deflate expands at most 1032 times); trailing bytes are refused; gzip's own checksum
 * is checked. */
#include "nncrt_files.h"

#include <string.h>
#include <zlib.h>

static bool idx_header(const unsigned char *data, size_t length, NncArray *shape, size_t *header,
                       NncError *error) {
    *shape = (NncArray){0};
    if (length < 4 || data[0] || data[1]) return nnc_fail(error, "not an IDX file");
    switch (data[2]) {
    case 0x08: shape->dtype = NNC_U8; break;
    case 0x09: shape->dtype = NNC_I8; break;
    case 0x0b: shape->dtype = NNC_I16; break;
    case 0x0c: shape->dtype = NNC_I32; break;
    case 0x0d: shape->dtype = NNC_F32; break;
    case 0x0e: shape->dtype = NNC_F64; break;
    default: return nnc_fail(error, "IDX type 0x%02x is unknown", data[2]);
    }
    shape->rank = data[3];
    if (shape->rank > NNC_MAX_RANK) return nnc_fail(error, "IDX with %d dims", shape->rank);
    *header = 4 + 4 * (size_t)shape->rank;
    if (length < *header) return nnc_fail(error, "the IDX file is cut off in its header");
    for (int i = 0; i < shape->rank; ++i) {
        const unsigned char *p = data + 4 + 4 * i;
        shape->dims[i] =
            (int64_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
    }
    size_t count;
    return nnc_shape_bytes(shape->dtype, shape->rank, shape->dims, &count, &shape->bytes, error);
}

static void swap_elements(unsigned char *data, size_t bytes, size_t width) {
    for (size_t at = 0; width > 1 && at + width <= bytes; at += width)
        for (size_t i = 0; i < width / 2; ++i) {
            unsigned char byte = data[at + i];
            data[at + i] = data[at + width - 1 - i];
            data[at + width - 1 - i] = byte;
        }
}

/* Feeds zlib, whose counts are 32 bits wide; returns bytes written, or SIZE_MAX on
 * damaged input. */
static size_t inflate_some(z_stream *stream, const unsigned char **next, size_t *left,
                           unsigned char *out, size_t wanted, bool *ended) {
    size_t done = 0;
    while (done < wanted && !*ended) {
        uInt input = *left < (1u << 30) ? (uInt)*left : 1u << 30;
        uInt output = wanted - done < (1u << 30) ? (uInt)(wanted - done) : 1u << 30;
        stream->next_in = (Bytef *)(uintptr_t)*next;
        stream->avail_in = input;
        stream->next_out = out + done;
        stream->avail_out = output;
        int status = inflate(stream, Z_NO_FLUSH);
        *next += input - stream->avail_in;
        *left -= input - stream->avail_in;
        done += output - stream->avail_out;
        if (status == Z_STREAM_END)
            *ended = true;
        else if (status != Z_OK)
            return SIZE_MAX;
    }
    return done;
}

static bool parse_gzip(const unsigned char *data, size_t length, NncArray *out, NncError *error) {
    z_stream stream = {0};
    if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) return nnc_fail(error, "out of memory");
    unsigned char header[4 + 4 * NNC_MAX_RANK] = {0}, extra;
    const unsigned char *next = data;
    size_t left = length, header_bytes = 4, got;
    NncArray shape = {0};
    bool ended = false, good = false;
    got = inflate_some(&stream, &next, &left, header, 4, &ended);
    if (got == 4 && header[3] <= NNC_MAX_RANK) {
        got = inflate_some(&stream, &next, &left, header + 4, 4 * (size_t)header[3], &ended);
        if (got != SIZE_MAX) got += 4;
    }
    if (got == SIZE_MAX) {
        nnc_fail(error, "the gzip file is damaged");
    } else if (!idx_header(header, got, &shape, &header_bytes, error)) {
        nnc_error_add(error, " (inside gzip)");
    } else if (shape.bytes / 1040 > length) {
        nnc_fail(error,
                 "the header claims %zu bytes of data, more than %zu compressed bytes can hold",
                 shape.bytes, length);
    } else if (nnc_array_create(out, shape.dtype, shape.rank, shape.dims, error)) {
        got = inflate_some(&stream, &next, &left, out->data, shape.bytes, &ended);
        if (got == SIZE_MAX)
            nnc_fail(error, "the gzip file is damaged");
        else if (got != shape.bytes)
            nnc_fail(error, "the IDX file is cut off: %zu of %zu bytes", got, shape.bytes);
        else {
            /* One more byte asked for makes zlib reach the end and check its sum. */
            got = ended ? 0 : inflate_some(&stream, &next, &left, &extra, 1, &ended);
            if (got == SIZE_MAX || !ended)
                nnc_fail(error, "the gzip file is damaged or longer than its shape");
            else if (got || left)
                nnc_fail(error, "the IDX file goes on after its data");
            else
                good = true;
        }
    }
    inflateEnd(&stream);
    if (!good)
        nnc_array_free(out);
    else
        swap_elements(out->data, out->bytes, nnc_dtype_bytes(out->dtype));
    return good;
}

bool nnc_idx_parse(const void *bytes, size_t length, NncArray *out, NncError *error) {
    const unsigned char *data = bytes;
    *out = (NncArray){0};
    if (length >= 2 && data[0] == 0x1f && data[1] == 0x8b)
        return parse_gzip(data, length, out, error);
    NncArray shape;
    size_t header;
    if (!idx_header(data, length, &shape, &header, error)) return false;
    if (length - header != shape.bytes)
        return nnc_fail(error, "the IDX file has %zu bytes of data, its shape needs %zu",
                        length - header, shape.bytes);
    if (!nnc_array_create(out, shape.dtype, shape.rank, shape.dims, error)) return false;
    if (shape.bytes) memcpy(out->data, data + header, shape.bytes);
    swap_elements(out->data, out->bytes, nnc_dtype_bytes(out->dtype));
    return true;
}
