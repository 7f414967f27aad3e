/* What an argument's data is read by: the form of the name, then the first bytes of the file.
 * Invariant: an array that has a dtype of its own is never converted; text has none, and is read as
 * the argument's dtype. */
#include "driver/data/data.h"
#include "driver/data/image_fit.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The columns of a row as the argument's dims behind the first: [rows, 784] as [rows, 28, 28]. */
static bool shape_rows(const nnc_tensor_info *info, NncArray *array, NncError *error) {
    int64_t product = 1, columns = array->dims[1];
    bool constant = info->rank > 0;
    for (int i = 1; i < info->rank; ++i) {
        constant = constant && info->dims[i] > 0 && product <= INT64_MAX / info->dims[i];
        if (constant) product *= info->dims[i];
    }
    if (info->rank == 2 && !constant) return true;
    if (constant && product == columns) {
        array->rank = info->rank;
        for (int i = 1; i < info->rank; ++i) array->dims[i] = info->dims[i];
        return true;
    }
    nnc_fail(error, "input '%s' takes ", info->name);
    if (constant)
        nnc_error_add(error, "%" PRId64 " column%s", product, product == 1 ? "" : "s");
    else
        nnc_error_add(error, "rows of a known size");
    nnc_error_add(error, ", not %" PRId64 "; choose them: FILE.csv:NAME, FILE.csv:0..3", columns);
    nnc_array_free(array);
    return false;
}

static bool read_csv(Arena *arena, const char *path, const char *columns,
                     const nnc_tensor_info *info, NncArray *out, NncError *error) {
    NncBytes bytes;
    if (!nnc_file_read(path, (size_t)1 << 46, &bytes, error)) return false;
    char separator = nnc_text_ends(path, strlen(path), ".tsv") ? '\t' : ',';
    bool good =
        nnc_csv_parse(bytes.data, bytes.length, separator, columns, info->dtype, out, error) &&
        shape_rows(info, out, error);
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, arena_strdup(arena, path));
}

bool data_read(Arena *arena, const char *spec, const nnc_tensor_info *info, NncArray *out,
               NncError *error) {
    const char *columns = NULL, *path = spec, *fit = "";
    *out = (NncArray){0};
    for (const char *colon = strchr(spec, ':'); colon && access(spec, F_OK) != 0;
         colon = strchr(colon + 1, ':')) {
        size_t length = (size_t)(colon - spec);
        bool fits = image_fit_begins(colon + 1);
        if (!fits && !nnc_text_ends(spec, length, ".csv") && !nnc_text_ends(spec, length, ".tsv"))
            continue;
        path = arena_strndup(arena, spec, length);
        *(fits ? &fit : &columns) = colon + 1;
        break;
    }
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return image_folder_read(arena, path, fit, info, out, error);
    if (*fit)
        return nnc_fail(error, "%s is no folder of images: '%s' does not go with it", path, fit);
    if (nnc_text_ends(path, strlen(path), ".csv") || nnc_text_ends(path, strlen(path), ".tsv"))
        return read_csv(arena, path, columns, info, out, error);
    return nnc_array_read(path, out, error);
}
