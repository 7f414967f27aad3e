/* dtypes and the array formats: npy, IDX plain and gzip, PNG. */
#include "support.h"
#include <math.h>
#include <zlib.h>

static void test_half(void **state) {
    /* Every f16 and bf16 goes to f32 and back to the same bits (NaN stays NaN). */
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        float half = nnc_f16_to_f32((uint16_t)bits), brain = nnc_bf16_to_f32((uint16_t)bits);
        if (isnan(half))
            assert_true(isnan(nnc_f16_to_f32(nnc_f32_to_f16(half))));
        else
            assert_int_equal(nnc_f32_to_f16(half), bits);
        if (isnan(brain))
            assert_true(isnan(nnc_bf16_to_f32(nnc_f32_to_bf16(brain))));
        else {
            assert_int_equal(nnc_f32_to_bf16(brain), bits);
            assert_int_equal(nnc_f64_to_bf16((double)brain), bits);
        }
    }
    assert_int_equal(nnc_f32_to_f16(65504.0f), 0x7bff);
    assert_int_equal(nnc_f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(nnc_f32_to_f16(65520.0f), 0x7c00); /* a tie goes to even: infinity */
    assert_int_equal(nnc_f32_to_f16(0x1p-25f), 0);      /* a tie with zero */
    assert_int_equal(nnc_f32_to_f16(0x1.000002p-25f), 1);
    assert_int_equal(nnc_f32_to_f16(-0.0f), 0x8000);
    assert_int_equal(nnc_f32_to_f16(1.00048828125f), 0x3c00); /* 1 + 2^-11: tie to even */
    assert_int_equal(nnc_f32_to_f16(1.00146484375f), 0x3c02); /* 1 + 3 * 2^-11 */
    /* One rounding from f64: just above the tie, which f32 would lose. */
    assert_int_equal(nnc_f64_to_f16(1.0 + 0x1p-11 + 0x1p-40), 0x3c01);
    uint64_t seed = 1;
    for (int i = 0; i < 200000; ++i) {
        /* Against the neighbours: the result is the nearest of the format. */
        uint32_t word = (uint32_t)test_random(&seed);
        float value;
        memcpy(&value, &word, 4);
        if (!isfinite(value) || fabsf(value) > 65504) continue;
        uint16_t bits = nnc_f32_to_f16(value);
        double error = fabs((double)nnc_f16_to_f32(bits) - (double)value);
        for (int step = -1; step <= 1; step += 2) {
            uint16_t other = (uint16_t)(bits + step);
            if ((other & 0x7c00) == 0x7c00 || ((other ^ bits) & 0x8000)) continue;
            assert_true(fabs((double)nnc_f16_to_f32(other) - (double)value) >= error);
        }
    }
}

static void test_npy_round_trip(void **state) {
    static const int64_t dims[12] = {2, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2};
    static const int64_t empty[2] = {3, 0};
    uint64_t seed = 5;
    NncError error;
    for (int dtype = 0; dtype < NNC_DTYPE_COUNT; ++dtype)
        for (int rank = 0; rank <= 13; ++rank) {
            NncArray array, back;
            const int64_t *shape = rank == 13 ? empty : dims;
            assert_true(nnc_array_create(&array, dtype, rank == 13 ? 2 : rank, shape, &error));
            for (size_t i = 0; i < array.bytes; ++i)
                ((unsigned char *)array.data)[i] =
                    (unsigned char)(test_random(&seed) & (dtype == NNC_BOOL ? 1 : 255));
            const char *path = in_folder("a.npy");
            if (!nnc_npy_write(path, &array, &error)) fail_msg("%s", error.text);
            if (!nnc_array_read(path, &back, &error)) fail_msg("%s", error.text);
            assert_int_equal(back.dtype, dtype);
            assert_int_equal(back.rank, array.rank);
            assert_memory_equal(back.dims, array.dims, sizeof back.dims);
            if (array.bytes) assert_memory_equal(back.data, array.data, array.bytes);
            nnc_array_free(&back);
            nnc_array_free(&array);
        }
}

static bool parse_npy(int version, const char *dict, size_t data_bytes, NncError *error) {
    unsigned char bytes[1024] = "\x93NUMPY";
    size_t length = strlen(dict), start = version == 1 ? 10 : 12;
    bytes[6] = (unsigned char)version;
    bytes[8] = (unsigned char)length;
    memcpy(bytes + start, dict, length);
    NncArray array;
    bool good = nnc_npy_parse(bytes, start + length + data_bytes, &array, error);
    if (good) nnc_array_free(&array);
    return good;
}

static void test_npy_headers(void **state) {
    NncError error;
    assert_true(
        parse_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, &error));
    assert_true(
        parse_npy(2, "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f4\"}", 8, &error));
    assert_true(parse_npy(3, "{'descr': '|b1', 'fortran_order': False, 'shape': ()}", 1, &error));
    static const struct {
        const char *dict;
        size_t bytes;
        const char *reason;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 20, "needs 24"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", 28, "needs 24"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", 24, "Fortran"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", 4, "big endian"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8, "not supported"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", 4, "non-negative"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4)}", 16, "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 0,
         "fit in memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296, 9)}", 0,
         "fit in memory"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0,
         "too large"},
        {"{'descr': '<f4', 'shape': (1,)}", 4, "needs descr"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, "repeated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", 4, "after the dict"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 4, "not a dict"},
        {"", 0, "not a dict"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        if (parse_npy(1, bad[i].dict, bad[i].bytes, &error)) fail_msg("accepted %s", bad[i].dict);
        if (!strstr(error.text, bad[i].reason)) fail_msg("%s gave %s", bad[i].dict, error.text);
    }
    assert_false(parse_npy(4, "{}", 0, &error));
    /* 12 bytes that claim a header of 4 GiB. */
    static const unsigned char claim[12] = {0x93, 'N', 'U', 'M', 'P', 'Y',
                                            2,    0,   255, 255, 255, 255};
    NncArray array;
    for (size_t n = 0; n <= 12; ++n) assert_false(nnc_npy_parse(claim, n, &array, &error));
}

static void test_idx(void **state) {
    static const unsigned char plain[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    static const unsigned char ints[] = {0, 0, 12, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe};
    NncArray array;
    NncError error;
    assert_true(nnc_idx_parse(plain, sizeof plain, &array, &error));
    assert_int_equal(array.rank, 2);
    assert_int_equal(array.dims[1], 3);
    assert_int_equal(((unsigned char *)array.data)[5], 6);
    nnc_array_free(&array);
    assert_true(nnc_idx_parse(ints, sizeof ints, &array, &error));
    assert_int_equal(*(int32_t *)array.data, -2);
    nnc_array_free(&array);
    for (size_t n = 0; n < sizeof plain; ++n) assert_false(nnc_idx_parse(plain, n, &array, &error));
    static const unsigned char huge[] = {0,   0,   8,   3,   255, 255, 255, 255,
                                         255, 255, 255, 255, 255, 255, 255, 255};
    assert_false(nnc_idx_parse(huge, sizeof huge, &array, &error));
    static const unsigned char strange[] = {0, 0, 7, 0};
    assert_false(nnc_idx_parse(strange, sizeof strange, &array, &error));
}

static size_t gzip(const void *data, size_t length, unsigned char *out, size_t capacity) {
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    stream.next_out = out;
    stream.avail_out = (uInt)capacity;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t used = capacity - stream.avail_out;
    deflateEnd(&stream);
    return used;
}

static void test_idx_gzip(void **state) {
    unsigned char plain[12 + 600], packed[2048];
    uint64_t seed = 9;
    memcpy(plain, (unsigned char[]){0, 0, 8, 2, 0, 0, 0, 20, 0, 0, 0, 30}, 12);
    for (int i = 0; i < 600; ++i)
        plain[12 + i] = (unsigned char)(test_random(&seed) &
                                        15); /* no stored block, whose padding means nothing */
    size_t length = gzip(plain, sizeof plain, packed, sizeof packed);
    NncArray array;
    NncError error;
    if (!nnc_idx_parse(packed, length, &array, &error)) fail_msg("%s", error.text);
    assert_memory_equal(array.data, plain + 12, 600);
    nnc_array_free(&array);
    for (size_t n = 0; n < length; ++n)
        if (nnc_idx_parse(packed, n, &array, &error)) fail_msg("cut at %zu accepted", n);
    packed[length] = 0; /* trailing byte */
    assert_false(nnc_idx_parse(packed, length + 1, &array, &error));
    /* Any flip in the data or in gzip's sum is noticed; bytes 3..9 of gzip's header mean nothing
     * here. */
    for (size_t at = 10; at < length; ++at) {
        packed[at] ^= 16;
        if (nnc_idx_parse(packed, length, &array, &error)) {
            assert_memory_equal(array.data, plain + 12, 600); /* a bit of padding */
            nnc_array_free(&array);
        }
        packed[at] ^= 16;
    }
    length = gzip(plain, sizeof plain - 1, packed, sizeof packed); /* one element too few */
    assert_false(nnc_idx_parse(packed, length, &array, &error));
    plain[4] = 2; /* claims 32 M rows: more than these bytes can hold, refused before allocation */
    length = gzip(plain, sizeof plain, packed, sizeof packed);
    assert_false(nnc_idx_parse(packed, length, &array, &error));
    assert_non_null(strstr(error.text, "can hold"));
}

static void test_png(void **state) {
    static const int64_t gray_dims[2] = {5, 7}, color_dims[3] = {3, 4, 6};
    NncArray gray, color, back;
    NncError error;
    uint64_t seed = 11;
    assert_true(nnc_array_create(&gray, NNC_U8, 2, gray_dims, &error));
    assert_true(nnc_array_create(&color, NNC_U8, 3, color_dims, &error));
    for (size_t i = 0; i < gray.bytes; ++i)
        ((unsigned char *)gray.data)[i] = (unsigned char)test_random(&seed);
    for (size_t i = 0; i < color.bytes; ++i)
        ((unsigned char *)color.data)[i] = (unsigned char)test_random(&seed);
    const char *path = in_folder("p.png");
    if (!nnc_png_write(path, &gray, &error)) fail_msg("%s", error.text);
    if (!nnc_array_read(path, &back, &error)) fail_msg("%s", error.text);
    assert_int_equal(back.rank, 2);
    assert_memory_equal(back.data, gray.data, gray.bytes);
    nnc_array_free(&back);
    NncBytes bytes;
    assert_true(nnc_file_read(path, 1 << 20, &bytes, &error));
    assert_true(nnc_png_parse(bytes.data, bytes.length, 3, &back, &error));
    assert_int_equal(back.rank, 3);
    assert_memory_equal((char *)back.data + 2 * gray.bytes, gray.data, gray.bytes);
    nnc_array_free(&back);
    for (size_t n = 0; n < bytes.length; ++n)
        if (nnc_png_parse(bytes.data, n, 0, &back, &error)) fail_msg("cut at %zu accepted", n);
    for (size_t at = 8; at < bytes.length; ++at) { /* every chunk has a checksum */
        bytes.data[at] ^= 1;
        if (nnc_png_parse(bytes.data, bytes.length, 0, &back, &error))
            fail_msg("flip at %zu accepted", at);
        bytes.data[at] ^= 1;
    }
    nnc_release(bytes.data);
    if (!nnc_png_write(path, &color, &error)) fail_msg("%s", error.text);
    if (!nnc_array_read(path, &back, &error)) fail_msg("%s", error.text);
    assert_int_equal(back.rank, 3);
    assert_memory_equal(back.data, color.data, color.bytes);
    nnc_array_free(&back);
    nnc_array_free(&gray);
    nnc_array_free(&color);
}

static void test_unknown_file(void **state) {
    NncArray array;
    NncError error;
    put_file(in_folder("x.bin"), "hello", 5);
    assert_false(nnc_array_read(in_folder("x.bin"), &array, &error));
    put_file(in_folder("empty"), "", 0);
    assert_false(nnc_array_read(in_folder("empty"), &array, &error));
    assert_false(nnc_array_read(in_folder("absent"), &array, &error));
    assert_false(nnc_array_read(test_folder, &array, &error));
    assert_non_null(strstr(error.text, "folder"));
    put_file(in_folder("t.txt"), "abc", 3);
    assert_true(nnc_array_read(in_folder("t.txt"), &array, &error));
    assert_int_equal(array.dims[0], 3);
    nnc_array_free(&array);
}

static void check_text(int rank, const int64_t *dims, const char *expected) {
    NncArray array;
    NncError error;
    char *text = NULL;
    size_t length;
    assert_true(nnc_array_create(&array, NNC_U8, rank, dims, &error));
    FILE *out = open_memstream(&text, &length);
    nnc_array_print(out, &array, 100);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    nnc_array_free(&array);
}

static void test_print(void **state) {
    check_text(0, NULL, "0\n");
    check_text(1, (const int64_t[]){0}, "[]\n");
    check_text(2, (const int64_t[]){3, 0}, "[[]]\n");
    check_text(3, (const int64_t[]){0, 2, 2}, "[[[]]]\n");
    check_text(2, (const int64_t[]){2, 2}, "[[0, 0],\n [0, 0]]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),         cmocka_unit_test(test_npy_round_trip),
        cmocka_unit_test(test_npy_headers),  cmocka_unit_test(test_idx),
        cmocka_unit_test(test_idx_gzip),     cmocka_unit_test(test_png),
        cmocka_unit_test(test_unknown_file), cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
