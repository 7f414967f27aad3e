/* Bringing pictures of all sizes to one: resize, then crop the middle.
 *
 * Resizing is the antialiased bilinear filter of Pillow (a triangle as wide as the step, weights of
 * 22 bits, a pass along the rows and then one along the columns, each rounded to 8 bits), so that a
 * model that was trained on torchvision's transforms sees the same bytes.  Invariant: the result's
 * size is checked before it is allocated. */
#include "driver/data/image_fit.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "driver/process.h"

enum { WEIGHT_BITS = 22, SIDE_LIMIT = 1 << 16 };

bool image_fit_begins(const char *text) {
    return !strncmp(text, "resize=", 7) || !strncmp(text, "crop=", 5);
}

/* N, or H x W as HxW; the position behind it, or NULL. */
static const char *read_sides(const char *text, int64_t sides[2], int *count) {
    char word[64];
    size_t length = strcspn(text, ",");
    if (length >= sizeof word) return NULL;
    memcpy(word, text, length);
    word[length] = 0;
    char *x = strchr(word, 'x');
    if (x) *x = 0;
    *count = x ? 2 : 1;
    for (int i = 0; i < *count; i++)
        if (!parse_integer(i ? x + 1 : word, &sides[i]) || sides[i] < 1 || sides[i] > SIDE_LIMIT)
            return NULL;
    if (!x) sides[1] = sides[0];
    return text + length;
}

bool image_fit_read(const char *text, ImageFit *out, NncError *error) {
    const char *at = text;
    *out = (ImageFit){0};
    while (at) {
        bool crop = !strncmp(at, "crop=", 5);
        int64_t sides[2];
        int count;
        if (!image_fit_begins(at)) break;
        if (crop ? out->crop_height > 0 : out->shorter + out->height > 0)
            return nnc_fail(error, "'%s' gives %s twice", text, crop ? "crop=" : "resize=");
        at = read_sides(strchr(at, '=') + 1, sides, &count);
        if (!at) break;
        if (crop)
            out->crop_height = sides[0], out->crop_width = sides[1];
        else if (count == 1)
            out->shorter = sides[0];
        else
            out->height = sides[0], out->width = sides[1];
        if (!*at) return true;
        at++;
    }
    return nnc_fail(error,
                    "a folder of images takes resize=N (the shorter side) or resize=HxW, and "
                    "crop=N or crop=HxW, of 1 to %d pixels each; not '%s'",
                    SIDE_LIMIT, text);
}

/* What one pixel of a line is made of: `count` pixels from `first` on. */
typedef struct Taps {
    int64_t first, count;
    const int32_t *weights;
} Taps;

/* Of every pixel of a line of `out` pixels that is made of `in`; NULL after an error. */
static Taps *make_taps(int64_t in, int64_t out, int32_t **weights, NncError *error) {
    const double step = (double)in / (double)out, reach = step < 1 ? 1 : step;
    const int64_t most = (int64_t)ceil(reach) * 2 + 1;
    size_t bytes, row;
    *weights = NULL;
    if (!nnc_multiply((size_t)most, sizeof **weights, &row) ||
        !nnc_multiply(row, (size_t)out, &bytes)) {
        nnc_fail(error, "the picture is too large");
        return NULL;
    }
    *weights = nnc_allocate(bytes, error);
    Taps *taps = *weights ? nnc_allocate((size_t)out * sizeof *taps, error) : NULL;
    for (int64_t i = 0; taps && i < out; ++i) {
        const double center = ((double)i + 0.5) * step;
        int64_t first = (int64_t)(center - reach + 0.5), end = (int64_t)(center + reach + 0.5);
        if (first < 0) first = 0;
        if (end > in) end = in;
        int32_t *w = *weights + i * most;
        double sum = 0;
        for (int pass = 0; pass < 2; ++pass)
            for (int64_t k = first; k < end; ++k) {
                const double away = fabs(((double)k - center + 0.5) * (1 / reach));
                const double weight = away < 1 ? 1 - away : 0;
                if (pass == 0)
                    sum += weight;
                else
                    w[k - first] = (int32_t)(0.5 + weight / sum * (1 << WEIGHT_BITS));
            }
        taps[i] = (Taps){first, end - first, w};
    }
    return taps;
}

/* `lines` lines whose pixels are `stride` apart, the lines `from_line` and `to_line`. */
static void resample(const Taps *taps, int64_t out, int64_t lines, const unsigned char *from,
                     int64_t from_line, unsigned char *to, int64_t to_line, int64_t stride) {
    for (int64_t line = 0; line < lines; ++line)
        for (int64_t i = 0; i < out; ++i) {
            int32_t sum = 1 << (WEIGHT_BITS - 1);
            for (int64_t k = 0; k < taps[i].count; ++k)
                sum += from[line * from_line + (taps[i].first + k) * stride] * taps[i].weights[k];
            sum >>= WEIGHT_BITS;
            to[line * to_line + i * stride] = (unsigned char)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
}

/* Another array with the sides height and width; its planes are as many. */
static bool like(const NncArray *image, int64_t height, int64_t width, NncArray *out,
                 NncError *error) {
    int64_t dims[3] = {image->dims[0]};
    dims[image->rank - 2] = height;
    dims[image->rank - 1] = width;
    return nnc_array_create(out, NNC_U8, image->rank, dims, error);
}

static bool resize(NncArray *image, int64_t height, int64_t width, NncError *error) {
    const int64_t rows = image->dims[image->rank - 2], columns = image->dims[image->rank - 1];
    const int64_t planes = image->rank == 3 ? image->dims[0] : 1;
    NncArray across = {0}, all = {0};
    int32_t *weights_across = NULL, *weights_down = NULL;
    Taps *taps_across = make_taps(columns, width, &weights_across, error);
    Taps *taps_down = taps_across ? make_taps(rows, height, &weights_down, error) : NULL;
    bool good = taps_down && like(image, rows, width, &across, error) &&
                like(image, height, width, &all, error);
    if (good) {
        /* A pass that keeps its side has one weight of 1 for each pixel. */
        resample(taps_across, width, planes * rows, image->data, columns, across.data, width, 1);
        for (int64_t p = 0; p < planes; ++p)
            for (int64_t x = 0; x < width; ++x)
                resample(taps_down, height, 1, (unsigned char *)across.data + p * rows * width + x,
                         0, (unsigned char *)all.data + p * height * width + x, 0, width);
        nnc_array_free(image);
        *image = all;
    }
    nnc_array_free(&across);
    nnc_release(taps_across);
    nnc_release(taps_down);
    nnc_release(weights_across);
    nnc_release(weights_down);
    return good;
}

static bool crop(NncArray *image, int64_t height, int64_t width, NncError *error) {
    const int64_t rows = image->dims[image->rank - 2], columns = image->dims[image->rank - 1];
    const int64_t planes = image->rank == 3 ? image->dims[0] : 1;
    if (height > rows || width > columns)
        return nnc_fail(error,
                        "crop=%" PRId64 "x%" PRId64 " of an image with %" PRId64 " x %" PRId64
                        " pixels (rows x columns)",
                        height, width, rows, columns);
    /* Halves to even, as Python's round. */
    const int64_t top = (int64_t)rint((double)(rows - height) / 2),
                  left = (int64_t)rint((double)(columns - width) / 2);
    NncArray part;
    if (!like(image, height, width, &part, error)) return false;
    for (int64_t p = 0; p < planes; ++p)
        for (int64_t y = 0; y < height; ++y)
            memcpy((unsigned char *)part.data + (p * height + y) * width,
                   (unsigned char *)image->data + (p * rows + top + y) * columns + left,
                   (size_t)width);
    nnc_array_free(image);
    *image = part;
    return true;
}

bool image_fit(const ImageFit *fit, NncArray *image, NncError *error) {
    const int64_t rows = image->dims[image->rank - 2], columns = image->dims[image->rank - 1];
    int64_t height = fit->height, width = fit->width;
    if (fit->shorter && rows <= columns)
        height = fit->shorter, width = fit->shorter * columns / rows;
    else if (fit->shorter)
        width = fit->shorter, height = fit->shorter * rows / columns;
    if (height > SIDE_LIMIT || width > SIDE_LIMIT)
        return nnc_fail(error, "the image would have %" PRId64 " x %" PRId64 " pixels", height,
                        width);
    if (height && (height != rows || width != columns) && !resize(image, height, width, error))
        return false;
    return !fit->crop_height || crop(image, fit->crop_height, fit->crop_width, error);
}
