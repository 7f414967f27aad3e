/* safetensors: round trips, every refusal that the format asks for, damage at every byte. */
#include "support.h"

static bool parse_text(const char *header, const void *data, size_t data_bytes, NncTensorFile *out,
                       NncError *error) {
    size_t length = strlen(header);
    unsigned char *bytes = malloc(8 + length + data_bytes);
    for (int i = 0; i < 8; ++i) bytes[i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8, header, length);
    if (data_bytes) memcpy(bytes + 8 + length, data, data_bytes);
    bool good = nnc_safetensors_parse(bytes, 8 + length + data_bytes, out, error);
    free(bytes);
    return good;
}

static void refuses(const char *header, size_t data_bytes, const char *reason) {
    static const unsigned char zeros[64];
    NncTensorFile file;
    NncError error = {0};
    if (parse_text(header, zeros, data_bytes, &file, &error)) fail_msg("accepted: %s", header);
    if (!strstr(error.text, reason))
        fail_msg("'%s' gave '%s', not '%s'", header, error.text, reason);
}

static void test_accepts(void **state) {
    static const float data[2] = {1, 2};
    NncTensorFile file;
    NncError error;
    assert_true(
        parse_text(" \n{\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]},"
                   "\"a\" : {\"shape\":[1],\"data_offsets\":[0,4],\"dtype\":\"F32\",\"x\":[1,{}]},"
                   "\"e\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[8,8]},"
                   "\"__metadata__\":{\"k\\u00e9\\ud83d\\ude00\":\"v\\n\"}} \t",
                   data, 8, &file, &error));
    assert_int_equal(file.count, 3);
    assert_string_equal(file.tensors[0].name, "a");
    assert_int_equal(file.tensors[1].rank, 0);
    assert_float_equal(*(float *)file.tensors[1].data, 2, 0);
    assert_int_equal(file.tensors[2].bytes, 0);
    assert_int_equal(file.tensors[2].dims[1], 3);
    assert_int_equal((uintptr_t)file.tensors[1].data % 64, 0);
    assert_string_equal(nnc_tensor_file_metadata(&file, "k\xc3\xa9\xf0\x9f\x98\x80"), "v\n");
    assert_null(nnc_tensor_file_find(&file, "c"));
    nnc_tensor_file_free(&file);
    assert_true(parse_text("{}", NULL, 0, &file, &error));
    nnc_tensor_file_free(&file);
    /* A dtype that this runtime does not have is read past, not refused. */
    assert_true(parse_text("{\"q\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", data,
                           2, &file, &error));
    assert_int_equal(file.tensors[0].dtype, -1);
    nnc_tensor_file_free(&file);
}

#define T(shape, begin, end) \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void test_refuses(void **state) {
    refuses("", 0, "'{' expected");
    refuses("[]", 0, "'{' expected");
    refuses("{} x", 0, "text after");
    refuses("{\"a\":" T("[1]", "0", "4"), 4, "'}' expected");
    refuses("{\"a\":" T("[1]", "0", "4") "}", 8, "the data has 8");
    refuses("{\"a\":" T("[1]", "0", "4") "}", 0, "the data has 0");
    refuses("{\"a\":" T("[1]", "4", "8") "}", 8, "begins at byte 4");
    refuses("{\"a\":" T("[1]", "0", "4") ",\"b\":" T("[1]", "0", "4") "}", 4, "begins at byte 0");
    refuses("{\"a\":" T("[1]", "0", "4") ",\"b\":" T("[1]", "8", "12") "}", 12, "begins at byte 8");
    refuses("{\"a\":" T("[2]", "0", "4") "}", 4, "need 8");
    refuses("{\"a\":" T("[1]", "4", "0") "}", 4, "begins at byte 4");
    refuses("{\"a\":" T("[1]", "0", "4") ",\"a\":" T("[1]", "4", "8") "}", 8, "twice");
    refuses("{\"a\":" T("[1]", "0", "4") ",\"\\u0061\":" T("[1]", "4", "8") "}", 8, "twice");
    refuses("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "twice");
    refuses("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "twice");
    refuses("{\"__metadata__\":{\"k\":1}}", 0, "'\"' expected");
    refuses("{\"a\":" T("[-1]", "0", "4") "}", 4, "non-negative");
    refuses("{\"a\":" T("[1.0]", "0", "4") "}", 4, "integer expected");
    refuses("{\"a\":" T("[01]", "0", "4") "}", 4, "begin with 0");
    refuses("{\"a\":" T("[99999999999999999999]", "0", "4") "}", 4, "too large");
    /* Products that wrap to 0 or to 4 bytes, also behind a zero. */
    refuses("{\"a\":" T("[4294967296,4294967296]", "0", "0") "}", 0, "overflows");
    refuses("{\"a\":" T("[0,4294967296,4294967296,4294967296]", "0", "0") "}", 0, "overflows");
    refuses("{\"a\":{\"dtype\":\"F99\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, "unknown dtype");
    refuses("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
            "given twice");
    refuses("{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 4, "needs dtype");
    refuses("{\"a\":{}}", 0, "without dtype");
    refuses("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "whole bytes");
    refuses("{\"a\xff\":" T("[1]", "0", "4") "}", 4, "UTF-8");
    refuses("{\"a\xed\xa0\x80\":" T("[1]", "0", "4") "}", 4, "UTF-8");
    refuses("{\"\\ud800\":" T("[1]", "0", "4") "}", 4, "surrogate");
    refuses("{\"a\\u0000b\":" T("[1]", "0", "4") "}", 4, "NUL");
    refuses("{\"a\":" T("[1,1,1,1,1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "rank 13");
    char deep[4096] = "{\"a\":{\"x\":";
    for (int i = 0; i < 1000; ++i) strcat(deep, "[");
    refuses(deep, 0, "too deeply");
}

static void test_lengths(void **state) {
    NncTensorFile file;
    NncError error;
    unsigned char bytes[16] = {0};
    for (size_t n = 0; n < 8; ++n) assert_false(nnc_safetensors_parse(bytes, n, &file, &error));
    memset(bytes, 0xff, 8);
    assert_false(nnc_safetensors_parse(bytes, 16, &file, &error));
    memset(bytes, 0, 8);
    bytes[0] = 9;
    assert_false(nnc_safetensors_parse(bytes, 16, &file, &error));
}

static NncArray make(const char *name, int dtype, int rank, const int64_t *dims, uint64_t *seed) {
    NncArray array;
    NncError error;
    assert_true(nnc_array_create(&array, dtype, rank, dims, &error));
    for (size_t i = 0; i < array.bytes; ++i)
        ((unsigned char *)array.data)[i] =
            (unsigned char)(test_random(seed) & (dtype == NNC_BOOL ? 1 : 255));
    array.name = nnc_copy_text(name, &error);
    return array;
}

static void test_round_trip(void **state) {
    static const int64_t dims[][3] = {{2, 3, 5}, {0, 7, 1}, {1, 1, 1}, {4, 4, 3}};
    NncArray arrays[40];
    NncError error;
    uint64_t seed = 7;
    int count = 0;
    for (int dtype = 0; dtype < NNC_DTYPE_COUNT; ++dtype)
        for (int shape = 0; shape < 4; ++shape) {
            char name[64];
            snprintf(name, sizeof name, "layer.%d.\"%s\"\t\xc3\xa9", shape, nnc_dtype_name(dtype));
            arrays[count++] = make(name, dtype, shape == 2 ? 0 : 3, dims[shape], &seed);
        }
    NncPair pairs[] = {{"z", "last"}, {"a", "quote \" and \\ and \n"}};
    const char *path = in_folder("round.safetensors");
    if (!nnc_safetensors_write(path, arrays, count, pairs, 2, &error)) fail_msg("%s", error.text);
    NncTensorFile file;
    if (!nnc_safetensors_read(path, &file, &error)) fail_msg("%s", error.text);
    assert_int_equal(file.count, count);
    for (int i = 0; i < count; ++i) {
        const NncArray *back = nnc_tensor_file_find(&file, arrays[i].name);
        assert_non_null(back);
        assert_int_equal(back->dtype, arrays[i].dtype);
        assert_int_equal(back->rank, arrays[i].rank);
        assert_memory_equal(back->dims, arrays[i].dims, sizeof back->dims);
        assert_int_equal(back->bytes, arrays[i].bytes);
        if (back->bytes) assert_memory_equal(back->data, arrays[i].data, back->bytes);
    }
    assert_string_equal(nnc_tensor_file_metadata(&file, "a"), "quote \" and \\ and \n");
    nnc_tensor_file_free(&file);
    /* The data begins at a multiple of 64; the bytes do not depend on the order given. */
    NncBytes first, second;
    assert_true(nnc_file_read(path, 1 << 20, &first, &error));
    assert_int_equal((first.data[0] | first.data[1] << 8 | first.data[2] << 16) % 64, 56);
    for (int i = 0; i < count / 2; ++i) {
        NncArray swap = arrays[i];
        arrays[i] = arrays[count - 1 - i];
        arrays[count - 1 - i] = swap;
    }
    assert_true(nnc_safetensors_write(path, arrays, count, pairs, 2, &error));
    assert_true(nnc_file_read(path, 1 << 20, &second, &error));
    assert_int_equal(first.length, second.length);
    assert_memory_equal(first.data, second.data, first.length);
    /* Cut at every length: always refused. */
    for (size_t n = 0; n < first.length; ++n)
        if (nnc_safetensors_parse(first.data, n, &file, &error))
            fail_msg("cut at %zu was accepted", n);
    nnc_release(first.data);
    nnc_release(second.data);
    for (int i = 0; i < count; ++i) nnc_array_free(&arrays[i]);
}

static void test_random_damage(void **state) {
    /* Must neither crash nor leak; acceptance is fine where the damage has another
     * valid meaning. */
    static const char header[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" T(
        "[2]", "0", "8") ",\"b\":" T("[]", "8", "12") "}";
    unsigned char bytes[8 + sizeof header - 1 + 12];
    uint64_t seed = 3;
    for (int round = 0; round < 20000; ++round) {
        size_t length = sizeof header - 1;
        memset(bytes, 0, sizeof bytes);
        bytes[0] = (unsigned char)length;
        memcpy(bytes + 8, header, length);
        for (int k = 0; k < 1 + round % 3; ++k)
            bytes[test_random(&seed) % sizeof bytes] ^=
                (unsigned char)(1u << (test_random(&seed) % 8));
        NncTensorFile file;
        NncError error;
        if (nnc_safetensors_parse(bytes, sizeof bytes, &file, &error)) nnc_tensor_file_free(&file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),       cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_lengths),       cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
