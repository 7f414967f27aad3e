/* A folder of images, a folder for each class, in the order of their names, as torchvision has it.
 * Invariants: the sizes of all images are one after their fit, the argument's where it says them;
 * the array's size is checked before it is allocated; a mistake names its file. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "driver/data/data.h"
#include "driver/data/image_fit.h"

typedef VECTOR(const char *) NameVector;
typedef struct Image {
    const char *path;
    int64_t class_;
} Image;
typedef VECTOR(Image) ImageVector;

enum { NESTING_LIMIT = 8 };

static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool list_folder(Arena *arena, const char *path, NameVector *out, NncError *error) {
    DIR *folder = opendir(path);
    if (!folder) return nnc_fail(error, "cannot read the folder '%s': %s", path, strerror(errno));
    const struct dirent *entry;
    /* At the end and at a failure readdir gives NULL; only errno tells them apart. */
    while (errno = 0, (entry = readdir(folder)))
        if (entry->d_name[0] != '.') {
            const char *name = arena_strdup(arena, entry->d_name);
            vector_push(arena, out, name);
        }
    int reason = errno;
    closedir(folder);
    if (reason) return nnc_fail(error, "cannot read the folder '%s': %s", path, strerror(reason));
    if (out->count) qsort(out->data, (size_t)out->count, sizeof *out->data, compare_names);
    return true;
}

/* A link that leads nowhere is no folder; what cannot be asked may be one. */
static bool check_folder(const char *path, bool *out, NncError *error) {
    struct stat status;
    *out = false;
    if (stat(path, &status) == 0)
        *out = S_ISDIR(status.st_mode);
    else if (errno != ENOENT && errno != ELOOP)
        return nnc_fail(error, "cannot read '%s': %s", path, strerror(errno));
    return true;
}

/* Other files than images may lie there; images that cannot be read may not. */
static int kind_of(const char *name) {
    static const char *const unread[] = {".bmp", ".gif", ".tif", ".tiff", ".ppm", ".webp"};
    const char *dot = strrchr(name, '.');
    if (!dot) return 0;
    for (size_t i = 0; i < sizeof unread / sizeof *unread; ++i)
        if (strcasecmp(dot, unread[i]) == 0) return -1;
    return strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 ||
           strcasecmp(dot, ".jpeg") == 0;
}

/* An image somewhere below a folder, or NULL.  Links may go around: `depth` bounds them. */
static bool find_nested(Arena *arena, const char *path, int depth, const char **out,
                        NncError *error) {
    NameVector names = {0};
    *out = NULL;
    if (depth == 0) return true;
    if (!list_folder(arena, path, &names, error)) return false;
    for (int i = 0; !*out && i < names.count; ++i) {
        const char *below = arena_printf(arena, "%s/%s", path, names.data[i]);
        bool folder;
        if (!check_folder(below, &folder, error)) return false;
        if (folder && !find_nested(arena, below, depth - 1, out, error)) return false;
        if (!folder && kind_of(names.data[i])) *out = below;
    }
    return true;
}

static bool find_images(Arena *arena, const char *path, ImageVector *images, int64_t *classes,
                        NncError *error) {
    NameVector folders = {0};
    if (!list_folder(arena, path, &folders, error)) return false;
    *classes = 0;
    for (int i = 0; i < folders.count; ++i) {
        const char *folder = arena_printf(arena, "%s/%s", path, folders.data[i]);
        NameVector files = {0};
        bool is_class;
        if (!check_folder(folder, &is_class, error)) return false;
        if (!is_class) continue;
        if (!list_folder(arena, folder, &files, error)) return false;
        int before = images->count;
        for (int k = 0; k < files.count; ++k) {
            Image image = {arena_printf(arena, "%s/%s", folder, files.data[k]), *classes};
            const char *nested = NULL;
            bool deeper;
            if (!check_folder(image.path, &deeper, error) ||
                (deeper && !find_nested(arena, image.path, NESTING_LIMIT, &nested, error)))
                return false;
            if (nested)
                return nnc_fail(error, "%s: images lie in the class folder '%s' itself, not deeper",
                                nested, folder);
            int kind = deeper ? 0 : kind_of(files.data[k]);
            if (kind < 0)
                return nnc_fail(error, "%s: only PNG and JPEG images are read; convert it",
                                image.path);
            if (kind) vector_push(arena, images, image);
        }
        if (images->count == before)
            return nnc_fail(error, "%s: the class has no PNG or JPEG image", folder);
        ++*classes;
    }
    if (images->count) return true;
    return nnc_fail(
        error, "%s: there is no folder with PNG or JPEG images in it (one for each class)", path);
}

static bool read_image(const Image *image, int channels, const ImageFit *fit, NncArray *out,
                       NncError *error) {
    NncBytes bytes;
    if (!nnc_file_read(image->path, (size_t)1 << 31, &bytes, error)) return false;
    bool good = nnc_image_parse(bytes.data, bytes.length, channels, out, error);
    if (good && !image_fit(fit, out, error)) {
        nnc_array_free(out);
        good = false;
    }
    nnc_release(bytes.data);
    return good || nnc_fail_in(error, image->path);
}

/* dims of the whole, from the argument's type and, where it leaves them open, the first image. */
static bool choose_dims(const nnc_tensor_info *info, const NncArray *first, int64_t count,
                        int64_t *dims) {
    dims[0] = count;
    int from = info->rank - 2;
    if (info->rank == 4) dims[1] = info->dims[1] == 1 ? 1 : 3;
    for (int i = 0; i < 2; ++i)
        dims[from + i] =
            info->dims[from + i] > 0 ? info->dims[from + i] : first->dims[first->rank - 2 + i];
    return info->rank == 3 || info->dims[1] == 1 || info->dims[1] == 3 || info->dims[1] < 0;
}

static bool read_pixels(const ImageVector *images, const ImageFit *fit, const nnc_tensor_info *info,
                        NncArray *out, NncError *error) {
    int channels = info->rank == 3 || info->dims[1] == 1 ? 1 : 3;
    for (int i = 0; i < images->count; ++i) {
        NncArray image;
        if (!read_image(&images->data[i], channels, fit, &image, error)) return false;
        int64_t dims[NNC_MAX_RANK];
        bool good = true;
        if (i == 0)
            good = (choose_dims(info, &image, images->count, dims) ||
                    nnc_fail(error, "input '%s' has %" PRId64 " channels; an image has 1 or 3",
                             info->name, info->dims[1])) &&
                   nnc_array_create(out, NNC_U8, info->rank, dims, error);
        const int64_t *wanted = out->dims + info->rank - 2, *have = image.dims + image.rank - 2;
        if (good && (wanted[0] != have[0] || wanted[1] != have[1]))
            good = nnc_fail(error,
                            "%s: the image has %" PRId64 " x %" PRId64
                            " pixels (rows x columns), not %" PRId64 " x %" PRId64
                            "; FOLDER:resize=N,crop=N brings all to one size",
                            images->data[i].path, have[0], have[1], wanted[0], wanted[1]);
        if (good) memcpy((char *)out->data + (size_t)i * image.bytes, image.data, image.bytes);
        nnc_array_free(&image);
        if (!good) return false;
    }
    return true;
}

bool image_folder_read(Arena *arena, const char *path, const char *fit, const nnc_tensor_info *info,
                       NncArray *out, NncError *error) {
    ImageVector images = {0};
    ImageFit size = {0};
    int64_t classes;
    bool ids = info->rank == 1 && !nnc_dtype_is_float(info->dtype);
    bool pixels = (info->rank == 3 || info->rank == 4) && info->dtype == NNC_U8;
    *out = (NncArray){0};
    if (!ids && !pixels)
        return nnc_fail(error,
                        "%s is a folder: images are u8[N, H, W] or u8[N, C, H, W], their "
                        "classes integers [N]; '%s' is neither",
                        path, info->name);
    if (*fit && !image_fit_read(fit, &size, error)) return false;
    if (!find_images(arena, path, &images, &classes, error)) return false;
    bool good;
    if (ids) {
        int64_t count = images.count, most = info->dtype == NNC_U8     ? 256
                                             : info->dtype == NNC_I8   ? 128
                                             : info->dtype == NNC_BOOL ? 2
                                                                       : 32768;
        good = classes <= most ||
               nnc_fail(error, "%s has %" PRId64 " classes, more than '%s' can tell apart", path,
                        classes, info->name);
        good = good && nnc_array_create(out, info->dtype, 1, &count, error);
        for (int64_t i = 0; good && i < count; ++i)
            nnc_element_set(info->dtype, out->data, (size_t)i, (double)images.data[i].class_);
    } else {
        good = read_pixels(&images, &size, info, out, error);
    }
    if (!good) nnc_array_free(out);
    return good;
}
