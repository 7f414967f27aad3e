/* JPEG through libjpeg: gray or colour, baseline or progressive, to planar u8.
 * Invariants: the picture's size is bounded by what the compressed bytes can hold before pixels are
 * allocated, and the scans of a progressive one by a constant; libjpeg's errors come back here by
 * longjmp and become text; its warnings are errors where pixels are missing or damaged. */
#include "nncrt_files.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { SCAN_LIMIT = 100 };

typedef struct JpegState {
    struct jpeg_error_mgr manager; /* first: libjpeg knows this part */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    NncError *error;
    unsigned char *row;
} JpegState;

static _Noreturn void fail(j_common_ptr jpeg, const char *text) {
    JpegState *state = (JpegState *)(void *)jpeg->err;
    nnc_fail(state->error, "JPEG: %s", text);
    longjmp(state->back, 1);
}

static _Noreturn void on_error(j_common_ptr jpeg) {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    fail(jpeg, text);
}

/* level < 0: a warning.  These two are about what lies around the picture. */
static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR) on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg) {
    if (((j_decompress_ptr)jpeg)->input_scan_number > SCAN_LIMIT) fail(jpeg, "too many scans");
}

static bool read_pixels(j_decompress_ptr jpeg, JpegState *state, const void *bytes, size_t length,
                        int channels, NncArray *out) {
    if (setjmp(state->back)) return false;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &state->progress;
    jpeg_mem_src(jpeg, bytes, (unsigned long)length);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        fail((j_common_ptr)jpeg, "neither gray nor RGB");
    bool has_color = jpeg->num_components == 3;
    /* A block of 8 x 8 samples takes a bit at least, unless it is coded arithmetically. */
    if (jpeg->arith_code) fail((j_common_ptr)jpeg, "arithmetic coding is not read");
    size_t blocks = 0;
    for (int i = 0; i < jpeg->num_components; ++i)
        blocks += (size_t)jpeg->comp_info[i].width_in_blocks * jpeg->comp_info[i].height_in_blocks;
    if (blocks / 8 > length) fail((j_common_ptr)jpeg, "the picture is larger than its data");
    const size_t width = jpeg->image_width, height = jpeg->image_height;
    size_t area, stride;
    if (!nnc_multiply(width, height, &area) || !nnc_multiply(width, 3, &stride))
        fail((j_common_ptr)jpeg, "the picture is too large");
    jpeg->out_color_space = has_color ? JCS_RGB : JCS_GRAYSCALE;
    const bool planar = channels == 3 || (channels == 0 && has_color);
    const int64_t dims[3] = {3, (int64_t)height, (int64_t)width};
    state->row = nnc_allocate(stride, state->error);
    if (!state->row ||
        !nnc_array_create(out, NNC_U8, planar ? 3 : 2, planar ? dims : dims + 1, state->error))
        return false;
    jpeg_start_decompress(jpeg);
    unsigned char *to = out->data;
    for (size_t y = 0; y < height; ++y, to += width) {
        JSAMPROW rows[1] = {state->row};
        jpeg_read_scanlines(jpeg, rows, 1);
        for (size_t x = 0; x < width; ++x)
            for (size_t plane = 0; plane < (planar ? 3u : 1u); ++plane)
                to[plane * area + x] = !has_color ? state->row[x]
                                       : planar   ? state->row[3 * x + plane]
                                                  : nnc_luma(state->row + 3 * x);
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

bool nnc_jpeg_parse(const void *bytes, size_t length, int channels, NncArray *out,
                    NncError *error) {
    struct jpeg_decompress_struct jpeg = {0};
    JpegState state = {.error = error};
    jpeg.err = jpeg_std_error(&state.manager);
    state.manager.error_exit = on_error;
    state.manager.emit_message = on_message;
    state.progress.progress_monitor = on_progress;
    *out = (NncArray){0};
    bool good = read_pixels(&jpeg, &state, bytes, length, channels, out);
    nnc_release(state.row);
    if (!good) nnc_array_free(out);
    jpeg_destroy_decompress(&jpeg);
    return good;
}
