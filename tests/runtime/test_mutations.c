/* Seeded mutations of valid files through every parser: no crash, no leak, no wild allocation. What
 * is accepted must be consistent with itself. */
#include "support.h"

enum { ROUNDS = 20000, SIZE_LIMIT = 8192 };

static size_t largest;
static NncAllocator real_allocator;
static void *watch_allocate(size_t bytes) {
    if (bytes > largest) largest = bytes;
    return real_allocator.allocate(bytes);
}

typedef struct Seed {
    unsigned char data[SIZE_LIMIT];
    size_t length;
} Seed;

static size_t mutate(const Seed *seed, unsigned char *out, uint64_t *random) {
    static const unsigned char edges[] = {0,   1,   0x7f, 0x80, 0xff, '"',  '{',
                                          '}', '[', ']',  ',',  '9',  '\\', ' '};
    size_t length = seed->length;
    memcpy(out, seed->data, length);
    int edits = 1 + (int)(test_random(random) % 4);
    for (int k = 0; k < edits && length > 0; ++k) {
        size_t at = test_random(random) % length, other = test_random(random) % length;
        size_t run = 1 + test_random(random) % 8;
        switch (test_random(random) % 7) {
        case 0: out[at] ^= (unsigned char)(1u << test_random(random) % 8); break;
        case 1: out[at] = (unsigned char)test_random(random); break;
        case 2: out[at] = edges[test_random(random) % sizeof edges]; break;
        case 3: length = at; break; /* cut */
        case 4:                     /* take out a run */
            if (at + run > length) run = length - at;
            memmove(out + at, out + at + run, length - at - run);
            length -= run;
            break;
        case 5: /* double a run */
            if (at + run > length || length + run > SIZE_LIMIT) break;
            memmove(out + at + run, out + at, length - at);
            length += run;
            break;
        default: /* copy a run elsewhere */
            if (at + run > length || other + run > length) break;
            memmove(out + at, out + other, run);
            break;
        }
    }
    return length;
}

static void check_array(const NncArray *array) {
    size_t count, bytes;
    NncError error;
    if (array->dtype < 0) return;
    if (!nnc_shape_bytes(array->dtype, array->rank, array->dims, &count, &bytes, &error))
        fail_msg("%s", error.text);
    assert_int_equal(bytes, array->bytes);
    unsigned sum = 0; /* reads every byte, for the sanitizers */
    for (size_t i = 0; i < bytes; ++i) sum += ((const unsigned char *)array->data)[i];
    assert_true(sum < UINT32_MAX);
}

typedef bool (*ArrayParser)(const void *bytes, size_t length, NncArray *out, NncError *error);

static bool parse_png(const void *bytes, size_t length, NncArray *out, NncError *error) {
    return nnc_png_parse(bytes, length, 0, out, error);
}

static void run_arrays(const char *path, ArrayParser parse, uint64_t random) {
    static Seed seed;
    NncBytes bytes;
    NncError error;
    if (!nnc_file_read(path, SIZE_LIMIT, &bytes, &error)) fail_msg("%s", error.text);
    memcpy(seed.data, bytes.data, bytes.length);
    seed.length = bytes.length;
    nnc_release(bytes.data);
    int accepted = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        unsigned char *copy = malloc(SIZE_LIMIT);
        size_t length = mutate(&seed, copy, &random);
        copy = realloc(copy, length ? length : 1); /* exact, so that a byte too far is seen */
        NncArray array;
        error.text[0] = 0;
        if (parse(copy, length, &array, &error)) {
            check_array(&array);
            nnc_array_free(&array);
            ++accepted;
        } else {
            assert_true(error.text[0]);
        }
        free(copy);
    }
    assert_true(accepted < ROUNDS);
}

static int set_up(void **state) {
    real_allocator = nnc_allocator;
    nnc_allocator.allocate = watch_allocate;
    largest = 0;
    return make_folder(state);
}

static int tear_down(void **state) {
    nnc_allocator = real_allocator;
    /* Deflate's bound on 8 KiB, and room for tables; nothing near what a header may claim. */
    if (largest > ((size_t)SIZE_LIMIT * 1040 * 24)) return -1;
    return remove_folder(state);
}

static void put_gzip(const char *from, const char *to) {
    char command[1100];
    snprintf(command, sizeof command, "gzip -c '%s' > '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static void test_npy(void **state) {
    float data[6] = {1, 2, 3, 4, 5, 6};
    NncArray array = {NULL, NNC_F32, 2, {2, 3}, 24, data, false};
    NncError error;
    assert_true(nnc_npy_write(in_folder("a.npy"), &array, &error));
    run_arrays(in_folder("a.npy"), nnc_npy_parse, 1);
}

static void test_idx(void **state) {
    unsigned char data[12 + 600] = {0, 0, 8, 2, 0, 0, 0, 20, 0, 0, 0, 30};
    for (int i = 12; i < 612; ++i) data[i] = (unsigned char)(i * i / 7);
    put_file(in_folder("a.idx"), data, sizeof data);
    run_arrays(in_folder("a.idx"), nnc_idx_parse, 2);
    put_gzip(in_folder("a.idx"), in_folder("a.gz"));
    run_arrays(in_folder("a.gz"), nnc_idx_parse, 3);
}

static void test_png(void **state) {
    unsigned char data[3 * 9 * 11];
    NncError error;
    for (size_t i = 0; i < sizeof data; ++i) data[i] = (unsigned char)(i * 5);
    NncArray image = {NULL, NNC_U8, 3, {3, 9, 11}, sizeof data, data, false};
    assert_true(nnc_png_write(in_folder("a.png"), &image, &error));
    run_arrays(in_folder("a.png"), parse_png, 4);
}

static void test_tensor_file(void **state) {
    static Seed seed;
    float data[6] = {1, 2, 3, 4, 5, 6};
    uint64_t random = 5;
    NncArray arrays[3] = {{"net.w", NNC_F32, 2, {2, 3}, 24, data, false},
                          {"net.b", NNC_U8, 1, {3}, 3, data, false},
                          {"s", NNC_F64, 0, {0}, 8, data, false}};
    NncPair pairs[2] = {{"a", "b"}, {"nnc.kind", "weights"}};
    NncError error;
    NncBytes bytes;
    assert_true(nnc_tensor_file_write_stamped(in_folder("a.st"), arrays, 3, pairs, 2, &error));
    assert_true(nnc_file_read(in_folder("a.st"), SIZE_LIMIT, &bytes, &error));
    memcpy(seed.data, bytes.data, bytes.length);
    seed.length = bytes.length;
    nnc_release(bytes.data);
    for (int round = 0; round < ROUNDS; ++round) {
        unsigned char *copy = malloc(SIZE_LIMIT);
        size_t length = mutate(&seed, copy, &random);
        copy = realloc(copy, length ? length : 1);
        NncTensorFile file;
        if (nnc_safetensors_parse(copy, length, &file, &error)) {
            for (int i = 0; i < file.count; ++i) check_array(&file.tensors[i]);
            /* What passes the checksums is what was written. */
            if (nnc_tensor_file_is_ours(&file) && nnc_tensor_file_verify(&file, &error)) {
                assert_int_equal(file.count, 3);
                assert_memory_equal(nnc_tensor_file_find(&file, "net.w")->data, data, 24);
            }
            nnc_tensor_file_free(&file);
        }
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_npy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_idx, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_png, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tensor_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
