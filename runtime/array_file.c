/* The door that reads a file of any format as an array: told apart by its first bytes (npy, PNG,
 * IDX plain or gzip), and text, whose bytes are the array, by its name.  Invariant: on failure
 * nothing is left allocated, and the error names the file. */
#include "nncrt_files.h"

#include <string.h>

bool nnc_array_read(const char *path, NncArray *out, NncError *error) {
    NncBytes bytes;
    *out = (NncArray){0};
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    bool good;
    if (nnc_text_ends(path, strlen(path), ".txt")) {
        int64_t length = (int64_t)bytes.length;
        good = nnc_array_create(out, NNC_U8, 1, &length, error);
        if (good && length) memcpy(out->data, bytes.data, bytes.length);
    } else if (bytes.length >= 6 && memcmp(bytes.data, "\x93NUMPY", 6) == 0) {
        good = nnc_npy_parse(bytes.data, bytes.length, out, error);
    } else if (bytes.length >= 8 && memcmp(bytes.data, "\x89PNG\r\n\x1a\n", 8) == 0) {
        good = nnc_png_parse(bytes.data, bytes.length, 0, out, error);
    } else if (bytes.length >= 2 && ((bytes.data[0] == 0x1f && bytes.data[1] == 0x8b) ||
                                     (bytes.data[0] == 0 && bytes.data[1] == 0))) {
        good = nnc_idx_parse(bytes.data, bytes.length, out, error);
    } else {
        good = nnc_fail(error, "not an npy, IDX (plain or gzip) or PNG file");
    }
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, path);
}
