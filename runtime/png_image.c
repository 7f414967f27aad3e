/* PNG through libpng: 8-bit gray or colour in, planar u8 out, and back.
 * Invariants: the picture's size is bounded by what the compressed bytes can hold before pixels are
 * allocated; libpng's errors come back here by longjmp and become text; warnings are silent. */
#include "nncrt_files.h"

#include <png.h>
#include <setjmp.h>
#include <string.h>

typedef struct PngState {
    const unsigned char *data;
    size_t length, position;
    NncText *out;
    NncError *error;
} PngState;

static void on_error(png_structp png, png_const_charp text) {
    PngState *state = png_get_error_ptr(png);
    nnc_fail(state->error, "PNG: %s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t bytes) {
    PngState *state = png_get_io_ptr(png);
    if (bytes > state->length - state->position) png_error(png, "the file is cut off");
    memcpy(out, state->data + state->position, bytes);
    state->position += bytes;
}

static void on_write(png_structp png, png_bytep data, size_t bytes) {
    PngState *state = png_get_io_ptr(png);
    nnc_text_bytes(state->out, data, bytes);
    if (state->out->failed) png_error(png, "out of memory");
}

static void on_flush(png_structp png) {
    (void)png;
}

/* Reads header and pixels; allocations live in *pixels and *out so that the caller frees them. */
static bool read_pixels(png_structp png, png_infop info, PngState *state, int channels,
                        unsigned char **pixels, NncArray *out) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, state, on_read);
    png_set_user_limits(png, 1 << 20, 1 << 20);
    /* Of chunks only those are read that pixels need: libpng asks for the memory of another, as
     * long as it says that it is, before it looks for its bytes. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(png, info);
    png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    int color = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    png_set_expand(png); /* palette to RGB, fewer bits to 8, tRNS to alpha */
    if (depth == 16) png_set_strip_16(png);
    png_set_strip_alpha(png);
    bool has_color = (color & PNG_COLOR_MASK_COLOR) != 0;
    if (channels == 3 && !has_color) png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t planes = png_get_channels(png, info), row = png_get_rowbytes(png, info), total;
    if ((planes != 1 && planes != 3) || row != (size_t)width * planes)
        png_error(png, "unexpected layout");
    if (!nnc_multiply(row, height, &total)) png_error(png, "the picture is too large");
    /* Raw bits per compressed byte: deflate's bound, and a bit is expanded to at most
     * 24 (palette). */
    if (total / 24 / 1040 > state->length) png_error(png, "the picture is larger than its data");
    *pixels = nnc_allocate(total, state->error);
    if (!*pixels) return false;
    int passes = png_get_interlace_type(png, info) == PNG_INTERLACE_ADAM7 ? 7 : 1;
    for (int pass = 0; pass < passes; ++pass)
        for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, *pixels + y * row, NULL);
    png_read_end(png, NULL);
    int64_t dims[3] = {3, (int64_t)height, (int64_t)width};
    bool planar = planes == 3 && channels != 1;
    if (!nnc_array_create(out, NNC_U8, planar ? 3 : 2, planar ? dims : dims + 1, state->error))
        return false;
    size_t area = (size_t)width * height;
    unsigned char *to = out->data;
    for (size_t i = 0; i < area; ++i) {
        const unsigned char *pixel = *pixels + i * planes;
        if (planes == 3 && !planar) to[i] = nnc_luma(pixel);
        for (size_t plane = 0; planar && plane < 3; ++plane) to[plane * area + i] = pixel[plane];
        if (planes == 1) to[i] = *pixel;
    }
    return true;
}

bool nnc_png_parse(const void *bytes, size_t length, int channels, NncArray *out, NncError *error) {
    PngState state = {bytes, length, 0, NULL, error};
    *out = (NncArray){0};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    unsigned char *pixels = NULL;
    bool good = info ? read_pixels(png, info, &state, channels, &pixels, out)
                     : nnc_fail(error, "PNG: out of memory");
    nnc_release(pixels);
    if (!good) nnc_array_free(out);
    png_destroy_read_struct(&png, &info, NULL);
    return good;
}

static bool write_pixels(png_structp png, png_infop info, PngState *state, const NncArray *image,
                         unsigned char *row) {
    if (setjmp(png_jmpbuf(png))) return false;
    size_t planes = image->rank == 3 ? (size_t)image->dims[0] : 1;
    size_t height = (size_t)image->dims[image->rank - 2],
           width = (size_t)image->dims[image->rank - 1];
    png_set_write_fn(png, state, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 planes == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    const unsigned char *from = image->data;
    for (size_t y = 0; y < height; ++y) {
        for (size_t x = 0; x < width; ++x)
            for (size_t plane = 0; plane < planes; ++plane)
                row[x * planes + plane] = from[plane * width * height + y * width + x];
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return true;
}

bool nnc_png_write(const char *path, const NncArray *image, NncError *error) {
    bool planar = image->rank == 3 && (image->dims[0] == 1 || image->dims[0] == 3);
    if (image->dtype != NNC_U8 || (image->rank != 2 && !planar))
        return nnc_fail(error, "%s: a picture is u8[H, W] or u8[3, H, W]", path);
    for (int i = image->rank - 2; i < image->rank; ++i)
        if (image->dims[i] < 1 || image->dims[i] > 1 << 20)
            return nnc_fail(error, "%s: a picture of this size cannot be written", path);
    NncText text = {0};
    PngState state = {NULL, 0, 0, &text, error};
    unsigned char *row = nnc_allocate((size_t)image->dims[image->rank - 1] * 3, error);
    if (!row) return false;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good =
        info ? write_pixels(png, info, &state, image, row) : nnc_fail(error, "PNG: out of memory");
    png_destroy_write_struct(&png, &info);
    if (good) {
        NncBytes part = {(unsigned char *)text.data, text.length};
        good = nnc_file_write(path, &part, 1, error);
    } else {
        nnc_fail_in(error, path);
    }
    nnc_release(row);
    nnc_text_free(&text);
    return good;
}
