/* JPEG: the pixels that Pillow 12 decodes, by their CRC-32 (planes of RGB, then its "L"); what is
 * cut off, arithmetic, CMYK or too large for its bytes is refused.  The files are also what the
 * fuzzer begins with. */
#include "support.h"

#include <zlib.h>

#define FOLDER SOURCE_DIR "/tests/fuzz/corpus/jpeg/"

static const struct {
    const char *name;
    bool has_color;
    unsigned long rgb, gray;
} pictures[] = {{"rgb420", true, 2316864088, 2979293695},
                {"rgb444_prog", true, 609502857, 1509279005},
                {"restart", true, 1957129180, 176961924},
                {"gray", false, 1773670656, 1858403981}};
enum { WIDTH = 19, HEIGHT = 13, PICTURES = sizeof pictures / sizeof *pictures };

static NncBytes read_file(const char *name) {
    NncBytes bytes;
    NncError error;
    char path[1024];
    snprintf(path, sizeof path, FOLDER "%s", name);
    if (!nnc_file_read(path, 1 << 20, &bytes, &error)) fail_msg("%s", error.text);
    return bytes;
}

static void test_pixels(void **state) {
    for (int i = 0; i < PICTURES; i++) {
        NncBytes bytes = read_file(pictures[i].name);
        for (int channels = 0; channels <= 3; channels++) {
            if (channels == 2) continue;
            NncArray image;
            NncError error;
            bool planar = channels == 3 || (channels == 0 && pictures[i].has_color);
            if (!nnc_image_parse(bytes.data, bytes.length, channels, &image, &error))
                fail_msg("%s: %s", pictures[i].name, error.text);
            assert_int_equal(image.dtype, NNC_U8);
            assert_int_equal(image.rank, planar ? 3 : 2);
            assert_int_equal(image.dims[image.rank - 2], HEIGHT);
            assert_int_equal(image.dims[image.rank - 1], WIDTH);
            assert_int_equal(crc32(0, image.data, (uInt)image.bytes),
                             planar ? pictures[i].rgb : pictures[i].gray);
            nnc_array_free(&image);
        }
        nnc_release(bytes.data);
    }
}

static void refuse(const NncBytes *bytes, size_t length, const char *words) {
    NncArray image;
    NncError error = {0};
    if (nnc_image_parse(bytes->data, length, 0, &image, &error)) fail_msg("%s: accepted", words);
    if (!strstr(error.text, words)) fail_msg("%s, not %s", error.text, words);
}

static void test_refused(void **state) {
    for (int i = 0; i < PICTURES; i++) {
        NncBytes bytes = read_file(pictures[i].name);
        for (size_t n = 0; n < bytes.length; n++) refuse(&bytes, n, n < 3 ? "picture" : "JPEG: ");
        nnc_release(bytes.data);
    }
    NncBytes bytes = read_file("cmyk");
    refuse(&bytes, bytes.length, "neither gray nor RGB");
    nnc_release(bytes.data);
    /* The frame header's height and width, and its kind. */
    bytes = read_file("rgb420");
    unsigned char *frame = bytes.data;
    while (frame[0] != 0xff || frame[1] != 0xc0) frame++;
    frame[5] = frame[7] = 0xff;
    refuse(&bytes, bytes.length, "larger than its data");
    frame[5] = frame[7] = 0;
    frame[1] = 0xc9;
    refuse(&bytes, bytes.length, "arithmetic");
    nnc_release(bytes.data);
}

/* A progressive picture may bring the same scan again and again: not without end. */
static void test_scans(void **state) {
    NncBytes bytes = read_file("rgb444_prog");
    size_t scan = 0, end = 0;
    for (size_t i = 0; i + 1 < bytes.length && !end; i++) {
        if (bytes.data[i] != 0xff) continue;
        if (bytes.data[i + 1] == 0xda && !scan)
            scan = i;
        else if (scan && bytes.data[i + 1] != 0)
            end = i;
    }
    assert_true(scan && end > scan);
    size_t length = end - scan, total = scan + 1000 * length;
    unsigned char *many = malloc(total);
    memcpy(many, bytes.data, scan);
    for (int i = 0; i < 1000; i++)
        memcpy(many + scan + (size_t)i * length, bytes.data + scan, length);
    NncBytes all = {many, total};
    refuse(&all, total, "JPEG: ");
    free(many);
    nnc_release(bytes.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pixels),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_scans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
