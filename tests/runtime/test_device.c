/* A model on a GPU behind a session: the GPU is a table of functions over memory of the host, which
 * count and fail on purpose, and the model is that of linear_model.h.  Calls give what the model
 * gives on the processor; weights are not moved by calls; nothing is left open, whatever fails. */
#include "support.h"
#include "linear_model.h"

/* ---- the GPU ---- */

static struct {
    int calls, fail_at; /* of what returns an error */
    int live;           /* blocks of memory and streams */
    int moved;          /* cells, in and out */
    const char *refusal;
    bool refuse_ids; /* the next wait tells of a refused call */
    nnc_cuda_context *seen;
} gpu;

static int fails(void) {
    return ++gpu.calls == gpu.fail_at ? 2 : 0;
}

static int gpu_allocate(void **out, size_t bytes) {
    int error = fails();
    if (error) return error;
    *out = malloc(bytes);
    memset(*out, 0xff, bytes);
    gpu.live++;
    return 0;
}

static void gpu_release(void *memory) {
    if (memory) gpu.live--;
    free(memory);
}

static int gpu_open_stream(void **out) {
    int error = fails();
    if (!error) {
        *out = malloc(1);
        gpu.live++;
    }
    return error;
}

static const char *gpu_refusal(void) {
    return gpu.refusal;
}

static const char *gpu_name(void) {
    return "a GPU";
}

static int gpu_capability(void) {
    return 90;
}

static int gpu_copy(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
    return fails();
}

static const char *gpu_text(int error) {
    return error == 2 ? "out of memory" : "?";
}

static const nnc_device gpu_functions = {gpu_refusal, gpu_name,     gpu_capability, gpu_allocate,
                                         gpu_release, gpu_allocate, gpu_release,    gpu_open_stream,
                                         gpu_release, gpu_copy,     gpu_text};

/* ---- the model ---- */

static nnc_context on_host(nnc_cuda_context *ctx) {
    gpu.seen = ctx;
    return (nnc_context){.weights = ctx->weights,
                         .state = ctx->state,
                         .workspace = ctx->workspace,
                         .seed = ctx->seed,
                         .step = ctx->step};
}

static int outcome(nnc_cuda_context *ctx, const nnc_context *host, int code) {
    ctx->seed = host->seed;
    ctx->step = host->step;
    ctx->message = NULL;
    if (!fails()) return code;
    ctx->message = "an illegal access";
    return NNC_E_DEVICE;
}

static int gpu_init(nnc_cuda_context *ctx, uint64_t seed, const int64_t *dims) {
    nnc_context host = on_host(ctx);
    if (!ctx->control || !ctx->weights || !ctx->state) return NNC_E_WORKSPACE;
    int code = linear_init(&host, seed, dims);
    return outcome(ctx, &host, code);
}

static int gpu_step(nnc_cuda_context *ctx, const int64_t *dims, const void *const *in,
                    void *const *out) {
    nnc_context host = on_host(ctx);
    if (ctx->workspace_bytes < 64 * (size_t)dims[0]) return NNC_E_WORKSPACE;
    if (ctx->staging_bytes < 2 * 4 * (size_t)dims[0] * (LINEAR_F + 1)) return NNC_E_WORKSPACE;
    int code = linear_step(&host, dims, in, out);
    return outcome(ctx, &host, code);
}

static int gpu_get(nnc_cuda_context *ctx, int cell, void *data, size_t bytes) {
    nnc_context host = on_host(ctx);
    gpu.moved++;
    int code = linear_get(&host, cell, data, bytes);
    return outcome(ctx, &host, code);
}

static int gpu_set(nnc_cuda_context *ctx, int cell, const void *data, size_t bytes) {
    nnc_context host = on_host(ctx);
    gpu.moved++;
    int code = linear_set(&host, cell, data, bytes);
    return outcome(ctx, &host, code);
}

static int gpu_wait(nnc_cuda_context *ctx) {
    bool refused = gpu.refuse_ids;
    gpu.refuse_ids = false;
    ctx->message = refused ? "label: an id is out of range" : NULL;
    return refused ? NNC_E_RANGE : NNC_OK;
}

static void gpu_close(nnc_cuda_context *ctx) {}

static size_t gpu_workspace(const int64_t *dims) {
    return dims[0] > 1000000 ? SIZE_MAX : 64 * (size_t)dims[0];
}

static nnc_cuda_entry_info gpu_entries[1];

static const nnc_cuda_model *gpu_model(void) {
    static nnc_cuda_model model;
    const nnc_entry_info *step = &linear_model.entries[0];
    gpu_entries[0] = (nnc_cuda_entry_info){step->name,
                                           step->symbol,
                                           step->kind,
                                           step->dim_count,
                                           step->argument_count,
                                           step->result_count,
                                           step->dims,
                                           step->arguments,
                                           step->results,
                                           step->shape,
                                           gpu_workspace,
                                           gpu_step,
                                           NULL};
    model = (nnc_cuda_model){.abi = NNC_CUDA_ABI,
                             .name = "Linear_cuda",
                             .source = "linear.nn",
                             .is_train = 1,
                             .cell_count = linear_model.cell_count,
                             .entry_count = 1,
                             .cells = linear_cells,
                             .entries = gpu_entries,
                             .weights_bytes = sizeof(LinearWeights),
                             .state_bytes = linear_state_bytes,
                             .init = gpu_init,
                             .get = gpu_get,
                             .set = gpu_set,
                             .wait = gpu_wait,
                             .close = gpu_close};
    return &model;
}

/* ---- sessions ---- */

enum { ROWS_MAX = 8 };

static bool train_step(NncSession *session, int64_t rows, float *loss, NncError *error) {
    float x[ROWS_MAX * LINEAR_F], y[ROWS_MAX];
    for (int i = 0; i < rows * LINEAR_F; ++i) x[i] = 0.1f * (float)((i * 7) % 11);
    for (int i = 0; i < rows; ++i) y[i] = x[i * LINEAR_F] + 0.5f;
    const void *in[2] = {x, y};
    void *out[1] = {loss};
    return nnc_session_call(session, &session->model->entries[0], &rows, in, out, error);
}

static bool open_on_gpu(NncDevice **device, NncSession *session, NncError *error) {
    *session = (NncSession){0};
    *device = nnc_device_open(gpu_model(), &gpu_functions, error);
    if (!*device || !nnc_session_open(session, nnc_device_model(*device), NULL, NULL, error))
        return false;
    session->engine = nnc_device_engine(*device);
    return nnc_session_init(session, 5, error);
}

static void close_all(NncDevice *device, NncSession *session) {
    nnc_session_close(session);
    nnc_device_close(device);
    assert_int_equal(gpu.live, 0);
}

static void reset(void) {
    memset(&gpu, 0, sizeof gpu);
}

static void test_calls(void **state) {
    NncDevice *device;
    NncSession session, reference;
    NncError error;
    float loss = -1, expected = -2;
    reset();
    if (!open_on_gpu(&device, &session, &error)) fail_msg("%s", error.text);
    assert_string_equal(session.model->name, "Linear"); /* so that checkpoints fit both */
    assert_true(nnc_session_open(&reference, &linear_model, NULL, NULL, &error));
    assert_true(nnc_session_init(&reference, 5, &error));
    for (int k = 0; k < 6; ++k) {
        int64_t rows = k % 3 ? 4 : ROWS_MAX;
        if (!train_step(&session, rows, &loss, &error)) fail_msg("%s", error.text);
        assert_true(train_step(&reference, rows, &expected, &error));
        assert_true(loss == expected);
        if (k == 0) gpu.calls = gpu.moved = 0;
    }
    /* From the second call on nothing is allocated, and weights and state stay where they are. */
    assert_int_equal(gpu.calls, 5);
    assert_int_equal(gpu.moved, 0);
    assert_int_equal(session.context.step, 6);
    nnc_session_close(&reference);
    close_all(device, &session);
}

static void test_checkpoints(void **state) {
    NncDevice *device;
    NncSession gpu_session, session;
    NncTensorFile file;
    NncError error;
    float loss, expected;
    const char *path = in_folder("c.safetensors");
    reset();
    assert_true(open_on_gpu(&device, &gpu_session, &error));
    assert_true(train_step(&gpu_session, 4, &loss, &error));
    if (!nnc_checkpoint_save(&gpu_session, path, NULL, 0, &error)) fail_msg("%s", error.text);
    assert_true(train_step(&gpu_session, 4, &expected, &error));
    /* What the GPU wrote goes on elsewhere, and back. */
    assert_true(nnc_session_open(&session, &linear_model, NULL, NULL, &error));
    assert_true(nnc_session_init(&session, 9, &error));
    assert_true(nnc_checkpoint_read(path, &file, &error));
    if (!nnc_checkpoint_restore(&session, &file, &error)) fail_msg("%s", error.text);
    assert_int_equal(session.context.step, 1);
    assert_true(train_step(&session, 4, &loss, &error));
    assert_true(loss == expected);
    if (!nnc_checkpoint_restore(&gpu_session, &file, &error)) fail_msg("%s", error.text);
    assert_true(train_step(&gpu_session, 4, &loss, &error));
    assert_true(loss == expected);
    assert_int_equal(gpu.seen->step, 2);
    nnc_tensor_file_free(&file);
    nnc_session_close(&session);
    close_all(device, &gpu_session);
}

static void test_refusals(void **state) {
    NncDevice *device;
    NncSession session;
    NncError error;
    float loss;
    reset();
    gpu.refusal = "no CUDA driver: so it is";
    assert_null(nnc_device_open(gpu_model(), &gpu_functions, &error));
    assert_string_equal(error.text, gpu.refusal);
    reset();
    nnc_cuda_model other = *gpu_model();
    other.abi = NNC_CUDA_ABI + 1;
    assert_null(nnc_device_open(&other, &gpu_functions, &error));
    assert_non_null(strstr(error.text, "CUDA ABI"));
    /* What the caller gave is wrong, and not the device. */
    assert_true(open_on_gpu(&device, &session, &error));
    gpu.refuse_ids = true;
    assert_false(train_step(&session, 4, &loss, &error));
    assert_non_null(strstr(error.text, "step: an id is out of range: label"));
    assert_false(error.environment);
    assert_true(train_step(&session, 4, &loss, &error));
    int64_t many = 2000000;
    const void *in[2] = {&loss, &loss};
    void *out[1] = {&loss};
    assert_false(nnc_session_call(&session, &session.model->entries[0], &many, in, out, &error));
    assert_non_null(strstr(error.text, "do not fit in memory"));
    close_all(device, &session);
}

/* Every call of the device fails once: an error that says so, and nothing is left behind. */
static void test_failures(void **state) {
    int failed = 0;
    for (int at = 1;; ++at) {
        NncDevice *device;
        NncSession session;
        NncError error = {0};
        float loss;
        reset();
        gpu.fail_at = at;
        bool good = open_on_gpu(&device, &session, &error);
        for (int k = 0; good && k < 2; ++k)
            good = train_step(&session, k ? ROWS_MAX : 4, &loss, &error);
        bool reached = gpu.calls >= at;
        close_all(device, &session);
        if (!reached) break;
        ++failed;
        assert_false(good);
        if (at > 1) assert_true(error.environment);
        assert_true(strstr(error.text, "out of memory") || strstr(error.text, "illegal access"));
    }
    assert_true(failed >= 10); /* stream, three regions, init, twice two regions and a call */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
