/* The door that reads a file of any format as an array: told apart by its first bytes (npy, PNG,
 * JPEG, IDX plain or gzip), and text, whose bytes are the array, by its name.  Invariant: on
 * failure nothing is left allocated, and the error names the file. */
#include "nncrt_files.h"

#include <string.h>

static bool begins_with(const NncBytes *bytes, const char *magic, size_t length) {
    return bytes->length >= length && memcmp(bytes->data, magic, length) == 0;
}

static bool is_png(const NncBytes *bytes) {
    return begins_with(bytes, "\x89PNG\r\n\x1a\n", 8);
}

static bool is_jpeg(const NncBytes *bytes) {
    return begins_with(bytes, "\xff\xd8\xff", 3);
}

unsigned char nnc_luma(const unsigned char *rgb) {
    return (unsigned char)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

bool nnc_is_image(const void *bytes, size_t length) {
    const NncBytes all = {(unsigned char *)(uintptr_t)bytes, length};
    return is_png(&all) || is_jpeg(&all);
}

bool nnc_image_parse(const void *bytes, size_t length, int channels, NncArray *out,
                     NncError *error) {
    const NncBytes all = {(unsigned char *)(uintptr_t)bytes, length};
    if (is_png(&all)) return nnc_png_parse(bytes, length, channels, out, error);
    if (is_jpeg(&all)) return nnc_jpeg_parse(bytes, length, channels, out, error);
    *out = (NncArray){0};
    return nnc_fail(error, "neither a PNG nor a JPEG picture");
}

bool nnc_array_read(const char *path, NncArray *out, NncError *error) {
    NncBytes bytes;
    *out = (NncArray){0};
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    bool good;
    if (nnc_text_ends(path, strlen(path), ".txt")) {
        int64_t length = (int64_t)bytes.length;
        good = nnc_array_create(out, NNC_U8, 1, &length, error);
        if (good && length) memcpy(out->data, bytes.data, bytes.length);
    } else if (begins_with(&bytes, "\x93NUMPY", 6)) {
        good = nnc_npy_parse(bytes.data, bytes.length, out, error);
    } else if (nnc_is_image(bytes.data, bytes.length)) {
        good = nnc_image_parse(bytes.data, bytes.length, 0, out, error);
    } else if (begins_with(&bytes, "\x1f\x8b", 2) || begins_with(&bytes, "\0\0", 2)) {
        good = nnc_idx_parse(bytes.data, bytes.length, out, error);
    } else {
        good = nnc_fail(error, "not an npy, IDX (plain or gzip), PNG or JPEG file");
    }
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, path);
}
