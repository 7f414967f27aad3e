/* Damaged files through every loader: cut at every length, every bit of the header flipped, 10,000
 * flips in the data.  What has a checksum (gzip, PNG, our own tensor files) is refused or read as
 * if nothing had happened; the others refuse what contradicts itself and read the rest without
 * touching a byte too many. */
#include "support.h"
#include <zlib.h>
#include "linear_model.h"

enum { FLIPS = 10000 };

/* 0 when the file is refused, else a number made of everything that was read. */
typedef uint64_t (*Reader)(const unsigned char *data, size_t length);

typedef struct Damage {
    Reader read;
    size_t header; /* bytes whose every bit is flipped */
    bool summed;   /* a checksum covers everything that matters */
} Damage;

static uint64_t mix(uint64_t sum, const void *data, size_t length) {
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return sum | 1;
}

static uint64_t refused(const NncError *error) {
    assert_true(error->text[0]);
    return 0;
}

static uint64_t sum_array(const NncArray *array) {
    size_t count, bytes;
    NncError error;
    assert_true(nnc_shape_bytes(array->dtype, array->rank, array->dims, &count, &bytes, &error));
    assert_int_equal(bytes, array->bytes);
    if (array->dtype == NNC_BOOL)
        for (size_t i = 0; i < bytes; i++) assert_true(((unsigned char *)array->data)[i] <= 1);
    uint64_t sum =
        mix((uint64_t)array->dtype + 7, array->dims, sizeof *array->dims * (size_t)array->rank);
    return mix(sum, array->data, bytes);
}

static uint64_t use_array(bool good, NncArray *array, const NncError *error) {
    if (!good) return refused(error);
    uint64_t sum = sum_array(array);
    nnc_array_free(array);
    return sum;
}

static uint64_t read_npy(const unsigned char *data, size_t length) {
    NncArray array;
    NncError error = {0};
    return use_array(nnc_npy_parse(data, length, &array, &error), &array, &error);
}

static uint64_t read_idx(const unsigned char *data, size_t length) {
    NncArray array;
    NncError error = {0};
    return use_array(nnc_idx_parse(data, length, &array, &error), &array, &error);
}

static uint64_t read_png(const unsigned char *data, size_t length) {
    NncArray array;
    NncError error = {0};
    return use_array(nnc_png_parse(data, length, 0, &array, &error), &array, &error);
}

static uint64_t sum_tensors(const NncTensorFile *file) {
    uint64_t sum = 1;
    for (int i = 0; i < file->count; i++) {
        uint64_t one = file->tensors[i].dtype < 0 ? 3 : sum_array(&file->tensors[i]);
        sum = mix(mix(sum, file->tensors[i].name, strlen(file->tensors[i].name)), &one, sizeof one);
    }
    for (int i = 0; i < file->metadata_count; i++) {
        sum = mix(sum, file->metadata[i].key, strlen(file->metadata[i].key) + 1);
        sum = mix(sum, file->metadata[i].value, strlen(file->metadata[i].value) + 1);
    }
    return sum;
}

static uint64_t read_foreign(const unsigned char *data, size_t length) {
    NncTensorFile file;
    NncError error = {0};
    if (!nnc_safetensors_parse(data, length, &file, &error)) return refused(&error);
    uint64_t sum = sum_tensors(&file);
    nnc_tensor_file_free(&file);
    return sum;
}

/* A file of ours: read, summed up and put into a model. */
static uint64_t read_checkpoint(const unsigned char *data, size_t length) {
    NncTensorFile file;
    NncSession session;
    NncError error = {0};
    put_file(in_folder("damaged"), data, length);
    if (!nnc_checkpoint_read(in_folder("damaged"), &file, &error)) return refused(&error);
    assert_true(nnc_session_open(&session, &linear_model, NULL, NULL, &error));
    assert_true(nnc_session_init(&session, 1, &error));
    bool good = nnc_checkpoint_restore(&session, &file, &error);
    uint64_t sum = good ? sum_tensors(&file) : refused(&error);
    nnc_session_close(&session);
    nnc_tensor_file_free(&file);
    return sum;
}

/* A copy of exactly this size, so that the sanitizers see a byte too far. */
static uint64_t read_copy(const Damage *damage, const unsigned char *data, size_t length,
                          size_t flipped) {
    unsigned char *copy = malloc(length ? length : 1);
    assert_non_null(copy);
    if (length) memcpy(copy, data, length);
    if (flipped < length * 8) copy[flipped / 8] ^= (unsigned char)(1u << flipped % 8);
    uint64_t sum = damage->read(copy, length);
    free(copy);
    return sum;
}

static void damage_file(const Damage *damage, const char *path) {
    NncBytes bytes;
    NncError error;
    assert_true(nnc_file_read(path, 1 << 20, &bytes, &error));
    uint64_t whole = read_copy(damage, bytes.data, bytes.length, SIZE_MAX);
    assert_true(whole);
    for (size_t length = 0; length < bytes.length; length++)
        if (read_copy(damage, bytes.data, length, SIZE_MAX))
            fail_msg("%s cut to %zu of %zu bytes is read", path, length, bytes.length);
    size_t header = damage->header < bytes.length ? damage->header : bytes.length;
    size_t header_bits = header * 8, data_bits = bytes.length * 8 - header_bits;
    uint64_t random = 1;
    for (size_t i = 0; i < header_bits + (data_bits ? FLIPS : 0); i++) {
        size_t bit = i < header_bits ? i : header_bits + test_random(&random) % data_bits;
        uint64_t sum = read_copy(damage, bytes.data, bytes.length, bit);
        if (damage->summed && sum && sum != whole)
            fail_msg("%s with bit %zu flipped is read as something else", path, bit);
    }
    nnc_release(bytes.data);
}

static void test_npy(void **state) {
    float data[64] = {1, 2, 3};
    bool bits[64] = {true};
    NncArray array = {NULL, NNC_F32, 2, {8, 8}, sizeof data, data, false};
    NncArray bools = {NULL, NNC_BOOL, 1, {64}, sizeof bits, bits, false};
    NncError error;
    Damage damage = {read_npy, 128, false};
    assert_true(nnc_npy_write(in_folder("a.npy"), &array, &error));
    damage_file(&damage, in_folder("a.npy"));
    assert_true(nnc_npy_write(in_folder("b.npy"), &bools, &error));
    damage_file(&damage, in_folder("b.npy"));
}

static unsigned char idx[12 + 600] = {0, 0, 8, 2, 0, 0, 0, 20, 0, 0, 0, 30};

static void test_idx(void **state) {
    for (int i = 12; i < 612; ++i) idx[i] = (unsigned char)(i * i / 7);
    put_file(in_folder("a.idx"), idx, sizeof idx);
    Damage damage = {read_idx, 12, false};
    damage_file(&damage, in_folder("a.idx"));
}

static void test_gzip(void **state) {
    gzFile file = gzopen(in_folder("a.gz"), "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, idx, sizeof idx), sizeof idx);
    assert_int_equal(gzclose(file), Z_OK);
    Damage damage = {read_idx, 10, true};
    damage_file(&damage, in_folder("a.gz"));
}

static void test_png(void **state) {
    unsigned char data[3 * 9 * 11];
    for (size_t i = 0; i < sizeof data; ++i) data[i] = (unsigned char)(i * 5);
    NncArray image = {NULL, NNC_U8, 3, {3, 9, 11}, sizeof data, data, false};
    NncError error;
    assert_true(nnc_png_write(in_folder("a.png"), &image, &error));
    Damage damage = {read_png, 33, true};
    damage_file(&damage, in_folder("a.png"));
}

static void test_foreign_tensors(void **state) {
    float data[6] = {1, 2, 3, 4, 5, 6};
    NncArray arrays[2] = {{"net.w", NNC_F32, 2, {2, 3}, 24, data, false},
                          {"net.b", NNC_U8, 1, {3}, 3, data, false}};
    NncPair pairs[1] = {{"format", "pt"}};
    NncError error;
    assert_true(nnc_safetensors_write(in_folder("f.st"), arrays, 2, pairs, 1, &error));
    Damage damage = {read_foreign, 300, false};
    damage_file(&damage, in_folder("f.st"));
}

static void test_checkpoint(void **state) {
    NncSession session;
    NncError error;
    NncPair pair = {"epoch", "3"};
    assert_true(nnc_session_open(&session, &linear_model, NULL, NULL, &error));
    assert_true(nnc_session_init(&session, 7, &error));
    assert_true(nnc_checkpoint_save(&session, in_folder("c.st"), &pair, 1, &error));
    nnc_session_close(&session);
    NncBytes bytes;
    assert_true(nnc_file_read(in_folder("c.st"), 1 << 20, &bytes, &error));
    size_t header = 8;
    for (int i = 7; i >= 0; --i) header += (size_t)bytes.data[i] << 8 * i;
    nnc_release(bytes.data);
    Damage damage = {read_checkpoint, header, true};
    damage_file(&damage, in_folder("c.st"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_npy, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_idx, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_gzip, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_png, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_foreign_tensors, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_checkpoint, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
