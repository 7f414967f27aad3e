/* Sessions, dims from inputs, weights files with their prefixes, checkpoints to the same bits. */
#include "support.h"
#include <math.h>
#include "linear_model.h"

static void open_session(NncSession *session, uint64_t seed) {
    NncError error;
    if (!nnc_session_open(session, &linear_model, NULL, NULL, &error)) fail_msg("%s", error.text);
    if (!nnc_session_init(session, seed, &error)) fail_msg("%s", error.text);
}

static float train_step(NncSession *session, int k) {
    float x[4 * LINEAR_F], y[4], loss = -1;
    NncError error;
    int64_t dims[1] = {4};
    for (int i = 0; i < 4; ++i) {
        for (int f = 0; f < LINEAR_F; ++f) x[i * LINEAR_F + f] = sinf((float)(k * 31 + i * 7 + f));
        y[i] = x[i * LINEAR_F] - 2 * x[i * LINEAR_F + 2] + 0.5f;
    }
    const void *in[2] = {x, y};
    void *out[1] = {&loss};
    if (!nnc_session_call(session, &linear_model.entries[0], dims, in, out, &error))
        fail_msg("%s", error.text);
    return loss;
}

static void test_bind(void **state) {
    const nnc_entry_info *step = nnc_model_entry(&linear_model, "step");
    const nnc_entry_info *twice = nnc_model_entry(&linear_model, "twice");
    assert_null(nnc_model_entry(&linear_model, "nothing"));
    NncArray x = {NULL, NNC_F32, 2, {5, LINEAR_F}, 0, NULL, false},
             y = {NULL, NNC_F32, 1, {5}, 0, NULL, false};
    const NncArray *in[2] = {&x, &y};
    int64_t dims[1];
    NncError error;
    assert_true(nnc_bind_dims(step, in, NULL, 0, dims, &error));
    assert_int_equal(dims[0], 5);
    y.dims[0] = 6;
    assert_false(nnc_bind_dims(step, in, NULL, 0, dims, &error));
    assert_non_null(
        strstr(error.text, "input 'y' of step is f32[N], but the array given is f32[6]"));
    assert_non_null(strstr(error.text, "N is 5 from input 'x'"));
    y.dims[0] = 5;
    NncBinding four = {"N", 4};
    assert_false(nnc_bind_dims(step, in, &four, 1, dims, &error));
    assert_non_null(strstr(error.text, "from --bind"));
    x.dtype = NNC_F64;
    assert_false(nnc_bind_dims(step, in, NULL, 0, dims, &error));
    x.dtype = NNC_F32;
    x.dims[1] = 4;
    assert_false(nnc_bind_dims(step, in, NULL, 0, dims, &error));
    const NncArray *none[2] = {NULL, NULL};
    assert_false(nnc_bind_dims(step, none, NULL, 0, dims, &error));
    assert_non_null(strstr(error.text, "--bind N="));
    assert_true(nnc_bind_dims(step, none, &four, 1, dims, &error));
    assert_int_equal(dims[0], 4);
    /* An expression dim is checked through shape(). */
    NncArray a = {NULL, NNC_F32, 1, {3}, 0, NULL, false},
             b = {NULL, NNC_F32, 1, {6}, 0, NULL, false};
    const NncArray *pair[2] = {&a, &b};
    assert_true(nnc_bind_dims(twice, pair, NULL, 0, dims, &error));
    b.dims[0] = 7;
    assert_false(nnc_bind_dims(twice, pair, NULL, 0, dims, &error));
    assert_non_null(strstr(error.text, "must be 6"));
}

static void test_weights_round_trip(void **state) {
    NncSession a, b;
    NncError error;
    NncTensorFile file;
    open_session(&a, 1);
    open_session(&b, 2);
    for (int k = 0; k < 5; ++k) train_step(&a, k);
    const char *path = in_folder("w.safetensors");
    if (!nnc_weights_save(&a, path, &error)) fail_msg("%s", error.text);
    assert_true(nnc_safetensors_read(path, &file, &error));
    assert_int_equal(file.count, 4); /* the tied tensor under both names, no optimizer state */
    assert_non_null(nnc_tensor_file_find(&file, "net.copy"));
    assert_null(nnc_tensor_file_find(&file, "optimizer.m"));
    nnc_tensor_file_free(&file);
    if (!nnc_weights_load_file(&b, path, NULL, &error)) fail_msg("%s", error.text);
    assert_memory_equal(a.context.weights, b.context.weights, sizeof(LinearWeights));
    assert_int_equal(((LinearState *)b.context.state)->seen, 20);
    const char *name;
    assert_true(nnc_weights_are_finite(&a, &name));
    ((LinearWeights *)a.context.weights)->bias[0] = NAN;
    assert_false(nnc_weights_are_finite(&a, &name));
    assert_string_equal(name, "net.bias");
    nnc_session_close(&a);
    nnc_session_close(&b);
}

/* Loads a file with these tensors (weight, bias, seen under their own names). */
static bool load_named(const char *const names[], int count, bool ours,
                       const NncLoadOptions *options, NncError *error) {
    double weight[LINEAR_F] = {1, 2, 3};
    float bias[1] = {4};
    int64_t seen = 9;
    NncArray arrays[8];
    for (int i = 0; i < count; ++i) {
        const char *n = names[i];
        size_t length = strlen(n);
        if (length >= 4 &&
            (strcmp(n + length - 4, "ight") == 0 || strcmp(n + length - 4, "copy") == 0))
            arrays[i] = (NncArray){(char *)(uintptr_t)n, NNC_F64, 2,    {1, LINEAR_F},
                                   sizeof weight,        weight,  false};
        else if (length >= 4 && strcmp(n + length - 4, "seen") == 0)
            arrays[i] = (NncArray){(char *)(uintptr_t)n, NNC_I64, 0, {0}, 8, &seen, false};
        else
            arrays[i] = (NncArray){(char *)(uintptr_t)n, NNC_F32, 1, {1}, 4, bias, false};
    }
    const char *path = in_folder("named.safetensors");
    bool written = ours ? nnc_tensor_file_write_stamped(path, arrays, count, NULL, 0, error)
                        : nnc_safetensors_write(path, arrays, count, NULL, 0, error);
    assert_true(written);
    NncSession session;
    open_session(&session, 5);
    LinearWeights before = *(LinearWeights *)session.context.weights;
    bool good = nnc_weights_load_file(&session, path, options, error);
    const LinearWeights *after = session.context.weights;
    if (good)
        assert_float_equal(after->weight[2], 3, 0); /* f64 to f32 */
    else
        assert_memory_equal(&before, after, sizeof before);
    nnc_session_close(&session);
    return good;
}

#define LOAD(ours, options, ...)                                                                  \
    load_named((const char *const[]){__VA_ARGS__},                                                \
               (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), ours, options, \
               &error)

static void test_weights_names(void **state) {
    NncError error;
    assert_true(LOAD(false, NULL, "net.weight", "net.bias", "net.seen"));
    assert_true(LOAD(false, NULL, "net.copy", "net.bias",
                     "net.seen")); /* the other name of the tied tensor */
    assert_true(LOAD(false, NULL, "net.weight", "net.copy", "net.bias", "net.seen"));
    /* One prefix put on or taken off. */
    assert_true(LOAD(false, NULL, "weight", "bias", "seen"));
    assert_true(LOAD(false, NULL, "module.net.weight", "module.net.bias", "module.net.seen"));
    assert_true(LOAD(true, NULL, "a.b.net.weight", "a.b.net.bias", "a.b.net.seen", "other.bias"));
    assert_false(LOAD(false, NULL, "a.b.net.weight", "a.b.net.bias", "a.b.net.seen", "other.bias"));
    assert_non_null(strstr(error.text, "unexpected (1):\n    other.bias"));
    assert_false(LOAD(true, NULL, "a.net.weight", "a.net.bias", "a.net.seen", "b.net.weight",
                      "b.net.bias", "b.net.seen"));
    assert_non_null(strstr(error.text, "more than one prefix"));
    assert_false(LOAD(false, NULL, "net.weight", "net.seen"));
    assert_non_null(strstr(error.text, "missing (1):\n    net.bias f32[1] (linear.nn:5)"));
    assert_false(LOAD(false, NULL, "net.weight", "net.bias", "net.seen", "net.extra"));
    assert_non_null(strstr(error.text, "net.extra"));
    static const char *const missing[] = {"*.bias", NULL}, *const extra[] = {"net.e*", NULL};
    NncLoadOptions options = {missing, extra, NULL};
    assert_true(LOAD(false, &options, "net.weight", "net.seen", "net.extra"));
    assert_false(LOAD(false, &options, "net.bias", "net.seen"));
}

static void test_weights_shape(void **state) {
    float data[6] = {0};
    int64_t seen = 0;
    NncError error;
    NncArray arrays[3] = {{"net.weight", NNC_F32, 2, {LINEAR_F, 1}, 12, data, false},
                          {"net.bias", NNC_I32, 1, {1}, 4, data, false},
                          {"net.seen", NNC_I64, 0, {0}, 8, &seen, false}};
    const char *path = in_folder("shape.safetensors");
    assert_true(nnc_safetensors_write(path, arrays, 3, NULL, 0, &error));
    NncSession session;
    open_session(&session, 1);
    assert_false(nnc_weights_load_file(&session, path, NULL, &error));
    assert_non_null(
        strstr(error.text, "net.weight is f32[1, 3] (linear.nn:4), the file has f32[3, 1]"));
    assert_non_null(strstr(error.text, "net.bias is f32[1] (linear.nn:5), the file has i32[1]"));
    nnc_session_close(&session);
}

static void test_checkpoint(void **state) {
    NncSession a, b;
    NncError error;
    NncTensorFile file;
    const char *path = in_folder("c.safetensors");
    open_session(&a, 3);
    /* Before the first step the gradient is None, and stays None through a checkpoint. */
    NncPair pairs[] = {{"epoch", "2"}, {"position", "64"}};
    if (!nnc_checkpoint_save(&a, path, pairs, 2, &error)) fail_msg("%s", error.text);
    open_session(&b, 4);
    train_step(&b, 0);
    assert_true(nnc_checkpoint_read(path, &file, &error));
    assert_null(nnc_tensor_file_find(&file, "net.weight.grad"));
    if (!nnc_checkpoint_restore(&b, &file, &error)) fail_msg("%s", error.text);
    assert_int_equal(((LinearState *)b.context.state)->has_gradient, 0);
    nnc_tensor_file_free(&file);
    for (int k = 0; k < 7; ++k) train_step(&a, k);
    if (!nnc_checkpoint_save(&a, path, pairs, 2, &error)) fail_msg("%s", error.text);
    nnc_session_close(&b);
    open_session(&b, 9);
    if (!nnc_checkpoint_read(path, &file, &error)) fail_msg("%s", error.text);
    assert_string_equal(nnc_checkpoint_pair(&file, "position"), "64");
    if (!nnc_checkpoint_restore(&b, &file, &error)) fail_msg("%s", error.text);
    nnc_tensor_file_free(&file);
    assert_int_equal(b.context.step, 7);
    assert_int_equal(b.context.seed, 3);
    for (int k = 7; k < 20; ++k) {
        float from = train_step(&a, k), to = train_step(&b, k);
        assert_memory_equal(&from, &to, 4);
    }
    assert_memory_equal(a.context.weights, b.context.weights, sizeof(LinearWeights));
    assert_memory_equal(a.context.state, b.context.state, sizeof(LinearState));
    /* A weights file is no checkpoint; a checkpoint serves as weights. */
    assert_true(nnc_weights_load_file(&b, path, NULL, &error));
    assert_true(nnc_weights_save(&a, in_folder("only.safetensors"), &error));
    assert_false(nnc_checkpoint_read(in_folder("only.safetensors"), &file, &error));
    assert_non_null(strstr(error.text, "--weights"));
    nnc_session_close(&a);
    nnc_session_close(&b);
}

static void test_damaged_checkpoint(void **state) {
    NncSession a;
    NncError error;
    NncTensorFile file;
    NncBytes bytes;
    const char *path = in_folder("d.safetensors"), *damaged = in_folder("damaged.safetensors");
    open_session(&a, 3);
    train_step(&a, 0);
    NncPair pairs[] = {{"epoch", "2"}};
    assert_true(nnc_checkpoint_save(&a, path, pairs, 1, &error));
    assert_true(nnc_file_read(path, 1 << 20, &bytes, &error));
    int accepted = 0;
    for (size_t bit = 0; bit < 8 * bytes.length; ++bit) {
        bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        put_file(damaged, bytes.data, bytes.length);
        if (nnc_checkpoint_read(damaged, &file, &error)) {
            ++accepted;
            nnc_tensor_file_free(&file);
        }
        bytes.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(accepted, 0);
    for (size_t n = 0; n < bytes.length; n += 3) {
        put_file(damaged, bytes.data, n);
        assert_false(nnc_checkpoint_read(damaged, &file, &error));
    }
    nnc_release(bytes.data);
    nnc_session_close(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bind),          cmocka_unit_test(test_weights_round_trip),
        cmocka_unit_test(test_weights_names), cmocka_unit_test(test_weights_shape),
        cmocka_unit_test(test_checkpoint),    cmocka_unit_test(test_damaged_checkpoint),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
