/* Philox, permutations, the loader, the pool, the curve. */
#include "support.h"
#include <math.h>
#include <stdatomic.h>

static void test_philox(void **state) {
    /* Random123's kat_vectors, philox4x32 with 10 rounds. */
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (int i = 0; i < 3; ++i) {
        uint32_t out[4];
        nnc_philox(known[i].counter, known[i].key, out);
        assert_memory_equal(out, known[i].expected, sizeof out);
    }
}

static void test_permutation(void **state) {
    int64_t a[1000], b[1000];
    bool seen[1000] = {0};
    nnc_permutation(42, 3, 1000, a);
    nnc_permutation(42, 3, 1000, b);
    assert_memory_equal(a, b, sizeof a);
    for (int i = 0; i < 1000; ++i) {
        assert_true(a[i] >= 0 && a[i] < 1000 && !seen[a[i]]);
        seen[a[i]] = true;
    }
    nnc_permutation(42, 4, 1000, b);
    assert_memory_not_equal(a, b, sizeof a);
    nnc_permutation(43, 3, 1000, b);
    assert_memory_not_equal(a, b, sizeof a);
    nnc_permutation(42, 3, 0, b);
    nnc_permutation(42, 3, 1, b);
    assert_int_equal(b[0], 0);
    /* Each of the 6 orders of 3 comes about equally often over the epochs. */
    int counts[27] = {0};
    for (uint32_t epoch = 0; epoch < 6000; ++epoch) {
        nnc_permutation(1, epoch, 3, b);
        ++counts[b[0] * 9 + b[1] * 3 + b[2]];
    }
    for (int i = 0; i < 27; ++i)
        assert_true(counts[i] == 0 || (counts[i] > 850 && counts[i] < 1150));
}

/* x[n, 2] = {i, -i}, y[3, n] with the samples along axis 1. */
static void open_loader(NncLoader *loader, int64_t n, int64_t batch, bool shuffle, bool drop) {
    NncError error;
    NncColumn columns[2] = {{"x", {0}, 0}, {"y", {0}, 1}};
    assert_true(nnc_array_create(&columns[0].array, NNC_F32, 2, (int64_t[]){n, 2}, &error));
    assert_true(nnc_array_create(&columns[1].array, NNC_I64, 2, (int64_t[]){3, n}, &error));
    for (int64_t i = 0; i < n; ++i) {
        ((float *)columns[0].array.data)[2 * i] = (float)i;
        ((float *)columns[0].array.data)[2 * i + 1] = (float)-i;
        for (int r = 0; r < 3; ++r) ((int64_t *)columns[1].array.data)[r * n + i] = 1000 * r + i;
    }
    if (!nnc_loader_open(loader, columns, 2, batch, shuffle, drop, 77, 0, &error))
        fail_msg("%s", error.text);
}

static void test_loader(void **state) {
    for (int shuffle = 0; shuffle < 2; ++shuffle) {
        NncLoader loader, again;
        NncError error;
        const void *data[2];
        int order[10], count = 0;
        bool seen[10] = {0};
        open_loader(&loader, 10, 4, shuffle, false);
        assert_int_equal(nnc_loader_batches(&loader), 3);
        assert_true(nnc_loader_seek(&loader, 5, 0, &error));
        for (int64_t n, batch = 0; (n = nnc_loader_next(&loader, data)) > 0; ++batch) {
            assert_int_equal(n, batch < 2 ? 4 : 2);
            for (int64_t i = 0; i < n; ++i) {
                int id = (int)((const float *)data[0])[2 * i];
                assert_int_equal((int)((const float *)data[0])[2 * i + 1], -id);
                for (int r = 0; r < 3; ++r)
                    assert_int_equal(((const int64_t *)data[1])[r * n + i], 1000 * r + id);
                assert_false(seen[id]);
                seen[id] = true;
                order[count++] = id;
            }
        }
        assert_int_equal(count, 10);
        assert_int_equal(nnc_loader_next(&loader, data), 0);
        if (!shuffle) assert_int_equal(order[7], 7);
        /* Another loader that goes straight to the second batch gives the same samples. */
        open_loader(&again, 10, 4, shuffle, false);
        assert_true(nnc_loader_seek(&again, 5, 4, &error));
        assert_int_equal(nnc_loader_next(&again, data), 4);
        for (int i = 0; i < 4; ++i)
            assert_int_equal((int)((const float *)data[0])[2 * i], order[4 + i]);
        assert_false(nnc_loader_seek(&again, 0, 11, &error));
        nnc_loader_close(&again);
        nnc_loader_close(&loader);
    }
    NncLoader loader;
    const void *data[2];
    open_loader(&loader, 10, 4, true, true);
    assert_int_equal(nnc_loader_batches(&loader), 2);
    assert_int_equal(nnc_loader_next(&loader, data), 4);
    assert_int_equal(nnc_loader_next(&loader, data), 4);
    assert_int_equal(nnc_loader_next(&loader, data), 0);
    nnc_loader_close(&loader);
}

static void test_loader_refuses(void **state) {
    NncLoader loader;
    NncError error;
    NncColumn columns[2] = {{"x", {0}, 0}, {"y", {0}, 0}};
    assert_true(nnc_array_create(&columns[0].array, NNC_U8, 1, (int64_t[]){4}, &error));
    assert_true(nnc_array_create(&columns[1].array, NNC_U8, 1, (int64_t[]){5}, &error));
    assert_false(nnc_loader_open(&loader, columns, 2, 2, false, false, 0, 0, &error));
    assert_non_null(strstr(error.text, "'y' has 5 samples"));
    NncColumn scalar = {"s", {0}, 0};
    assert_true(nnc_array_create(&scalar.array, NNC_U8, 0, NULL, &error));
    assert_false(nnc_loader_open(&loader, &scalar, 1, 2, false, false, 0, 0, &error));
}

typedef struct Job {
    _Atomic int counts[1000];
    int worker[1000];
    int threads;
} Job;

static void count_task(void *arg, int64_t i, int worker) {
    Job *job = arg;
    if (worker < 0 || worker >= job->threads) abort();
    atomic_fetch_add(&job->counts[i], 1);
    job->worker[i] = worker;
}

static void test_pool(void **state) {
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, 1000};
    for (int threads = 1; threads <= 5; ++threads) {
        NncError error;
        NncPool *pool = nnc_pool_create(threads, &error);
        assert_non_null(pool);
        assert_int_equal(nnc_pool_threads(pool), threads);
        for (int round = 0; round < 400; ++round) {
            static Job job;
            int64_t n = sizes[round % 7];
            memset(&job, 0, sizeof job);
            job.threads = threads;
            if (round % 50 == 49) usleep(300); /* lets the workers fall asleep */
            nnc_pool_run(pool, n, count_task, &job);
            for (int64_t i = 0; i < 1000; ++i) assert_int_equal(job.counts[i], i < n);
        }
        nnc_pool_destroy(pool);
    }
}

static void test_curve(void **state) {
    double values[200], few[3] = {3, NAN, 1};
    for (int i = 0; i < 200; ++i) values[i] = 2.0 / (1 + i);
    NncCurve curves[2] = {{"train", values, 200}, {"test", few, 3}};
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    nnc_curve_print(out, curves, 2, 60, 10, "epoch");
    fclose(out);
    int lines = 0;
    for (size_t i = 0; i < length; ++i) lines += text[i] == '\n';
    assert_int_equal(lines, 12);
    assert_non_null(strchr(text, '*'));
    assert_non_null(strchr(text, 'o'));
    assert_non_null(strstr(text, "test"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox), cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_loader), cmocka_unit_test(test_loader_refuses),
        cmocka_unit_test(test_pool),   cmocka_unit_test(test_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
