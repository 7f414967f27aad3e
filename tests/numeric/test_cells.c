/* Cells: parameters in their stored form, buffers, state with dims, run-time scalars; init, several
 * steps, reset.  After every call all cells of the emitted model equal those of the interpreter. */
#include "numeric/numeric.h"

static const char text[] = "root Net train {\n"
                           "cell fc.weight: f32[70, 40] parameter\n"
                           "cell fc.bias: f32[70] parameter\n"
                           "cell count: i64 buffer\n"
                           "cell running: f32[70] buffer\n"
                           "cell m.fc.weight: f32[70, 40] optimizer\n"
                           "cell lr: f32 scalar default=0.25\n"
                           "cell h: f32[N, 40] state\n"
                           "cell last: f32[40] buffer\n"
                           "cell final: f32[40] buffer\n"
                           "cell kept: f32[40] buffer\n"
                           "entry train step symbol=Net_step random {\n"
                           "dims N\n"
                           "%0: f32[N, 40] = input x\n"
                           "%1: f32[70, 40] = cell fc.weight\n"
                           "%2: f32[70] = cell fc.bias\n"
                           "%3: f32[N, 40] = cell h\n"
                           "%4: f32 = cell lr\n"
                           "%5: f32[70] = cell running\n"
                           "%6: i64 = cell count\n"
                           "%7: f32[70, 40] = cell m.fc.weight\n"
                           "%10 = add %0, %3\n"
                           "%11 = tanh %10\n"
                           "%12 = contract %11, %1 labels=ab,cb->ac\n"
                           "%13: f32[N, 70] = expand %2 axes=[1]\n"
                           "%14 = add %12, %13\n"
                           "%15 = reduce %14 kind=sum axes=[0, 1]\n"
                           "%16 = contract %14, %11 labels=ac,ab->cb\n"
                           "%17: f32[70, 40] = const 0.5\n"
                           "%18 = mul %7, %17\n"
                           "%19 = add %18, %16\n"
                           "%20: f32[70, 40] = expand %4 axes=[]\n"
                           "%30: f32[70, 40] = const 0.001\n"
                           "%31 = mul %20, %30\n"
                           "%21 = mul %19, %31\n"
                           "%22 = sub %1, %21\n"
                           "%23 = reduce %14 kind=sum axes=[0]\n"
                           "%24 = add %5, %23\n"
                           "%25: i64 = const 1\n"
                           "%26 = add %6, %25\n"
                           "%27: f32[N, 40] = random site=9\n"
                           "%28 = mul %11, %27\n"
                           "%32: f32[40] = cell last\n"
                           "%33: f32[40] = cell kept\n"
                           "%34 = scan %32, %33, %0 carries=2 sequences=1 invariants=0 length=N {\n"
                           "%0: f32[40] = input c\n"
                           "%1: f32[40] = input k\n"
                           "%2: f32[40] = input e\n"
                           "%3 = mul %0, %2\n"
                           "%4 = add %3, %1\n"
                           "%5 = tanh %4\n"
                           "return %5, %0\n"
                           "}\n"
                           "%35: f32[40] = proj %34 index=0\n"
                           "%36: f32[40] = proj %34 index=1\n"
                           "return loss=%15, y=%14, last=%35, before=%36\n"
                           "write fc.weight=%22\n"
                           "write count=%26\n"
                           "write running=%24\n"
                           "write m.fc.weight=%19\n"
                           "write h=%28\n"
                           "write last=%35\n"
                           "write final=%35\n"
                           "write kept=%36\n"
                           "}\n"
                           "entry infer read symbol=Net_read {\n"
                           "dims N\n"
                           "%0: f32[N, 40] = input x\n"
                           "%1: f32[70, 40] = cell fc.weight\n"
                           "%2 = contract %0, %1 labels=ab,cb->ac\n"
                           "%3: f32[40, 70] = permute %1 axes=[1, 0]\n"
                           "return y=%2, w=%3\n"
                           "}\n"
                           "entry init init symbol=Net_init random {\n"
                           "dims N\n"
                           "%0: f32[70, 40] = random site=1 at_init\n"
                           "%1: f32[70] = random site=2 at_init\n"
                           "%2: i64 = const 3\n"
                           "%3: f32[70] = const 0.5\n"
                           "%4: f32[70, 40] = const 0\n"
                           "%5: f32[N, 40] = const 0.125\n"
                           "%6: f32 = const 0.25\n"
                           "%7: f32[40] = const 0.5\n"
                           "return\n"
                           "write fc.weight=%0\n"
                           "write fc.bias=%1\n"
                           "write count=%2\n"
                           "write running=%3\n"
                           "write m.fc.weight=%4\n"
                           "write h=%5\n"
                           "write lr=%6\n"
                           "write last=%7\n"
                           "write final=%7\n"
                           "write kept=%7\n"
                           "}\n"
                           "}\n";

static void compare_cells(const Compiled *m, const nnc_context *ctx, const Environment *env,
                          double tolerance, const char *when) {
    Arena *arena = arena_new();
    for (int i = 0; i < m->model->cell_count; i++) {
        const Tensor *expected = env->cells[i];
        assert_non_null(expected);
        size_t bytes = (size_t)expected->count * dtype_bytes(expected->dtype);
        char *data = arena_alloc(arena, bytes);
        assert_int_equal(m->model->get(ctx, i, data, bytes), NNC_OK);
        assert_int_not_equal(m->model->get(ctx, i, data, bytes + 1), NNC_OK);
        Tensor *actual = tensor_new(arena, expected->dtype, expected->rank, expected->extents);
        tensor_from_bytes(actual, data);
        Case c = {.name = arena_printf(arena, "cell %s %s", m->model->cells[i].name, when),
                  .tolerance = tolerance};
        compare(&c, 0, i, expected, actual);
        /* What get gives, set takes: the stored form holds the same elements. */
        assert_int_equal(m->model->set((nnc_context *)(uintptr_t)ctx, i, data, bytes), NNC_OK);
        char *again = arena_alloc(arena, bytes);
        assert_int_equal(m->model->get(ctx, i, again, bytes), NNC_OK);
        assert_memory_equal(data, again, bytes);
    }
    arena_free(arena);
}

static const nnc_entry_info *entry_of(const Compiled *m, const char *name) {
    for (int i = 0; i < m->model->entry_count; i++)
        if (!strcmp(m->model->entries[i].name, name)) return &m->model->entries[i];
    fail_msg("no entry %s", name);
    return NULL;
}

static const Entry *reference_entry(const Compiled *m, const char *name) {
    const Root *root = m->reference->roots.data[0];
    for (int i = 0; i < root->entries.count; i++)
        if (!strcmp(root->entries.data[i]->name->text, name)) return root->entries.data[i];
    return NULL;
}

static void call_both(const Compiled *m, nnc_context *ctx, Environment *env, const char *name,
                      int64_t n) {
    Arena *arena = arena_new();
    const Entry *e = reference_entry(m, name);
    const nnc_entry_info *info = entry_of(m, name);
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(m->reference->dims), int64_t);
    for (int i = 0; i < e->dims.count; i++) symbols[dim_as_symbol(e->dims.data[i])->index] = n;
    Tensor *x = tensor_of_type(arena, &e->arguments.data[0].node->type, symbols);
    Case c = {.name = name, .tolerance = 2e-4};
    fill_input(x, &c);
    char *bytes = arena_alloc(arena, (size_t)x->count * 4);
    tensor_to_bytes(x, bytes);
    Tensor *expected[4];
    const char *error = interpret_entry(env, INTERPRET_TYPED, e, &n, &x, expected);
    if (error) fail_msg("%s", error);
    void *results[4];
    for (int i = 0; i < e->results.count; i++)
        results[i] = arena_alloc(arena, (size_t)expected[i]->count * 4 + 4);
    size_t work = info->workspace_bytes(&n);
    ctx->workspace = guarded_alloc(work, 0xFF);
    ctx->workspace_bytes = work;
    const void *arguments[] = {bytes};
    int code = info->call(ctx, &n, arguments, results);
    if (code) fail_msg("%s: %d %s", name, code, ctx->message);
    guarded_free(ctx->workspace, work, name);
    for (int i = 0; i < e->results.count; i++) {
        Tensor *actual =
            tensor_new(arena, expected[i]->dtype, expected[i]->rank, expected[i]->extents);
        tensor_from_bytes(actual, results[i]);
        compare(&c, n, i, expected[i], actual);
    }
    arena_free(arena);
}

static void test_steps(void **state) {
    Compiled m = compile_program("cells", text, "gcc -march=native -Wno-psabi");
    assert_int_equal(m.model->init_dim_count, 1);
    assert_string_equal(m.model->init_dims[0], "N");
    static const int64_t sizes[] = {0, 1, 7, 33};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k];
        nnc_context ctx = {.weights_bytes = m.model->weights_bytes,
                           .state_bytes = m.model->state_bytes(&n)};
        ctx.weights = guarded_alloc(ctx.weights_bytes, 0xFF);
        ctx.state = guarded_alloc(ctx.state_bytes, 0xFF);
        const nnc_entry_info *step = entry_of(&m, "step");

        /* Before init: an error, nothing else. */
        ctx.workspace_bytes = step->workspace_bytes(&n);
        ctx.workspace = guarded_alloc(ctx.workspace_bytes, 0);
        float loss = 0;
        float *y = calloc((size_t)n * 70 + 1, 4), *x = calloc((size_t)n * 40 + 1, 4);
        const void *arguments[] = {x};
        float last[40], before[40];
        void *results[] = {&loss, y, last, before};
        assert_int_equal(step->call(&ctx, &n, arguments, results), NNC_E_STATE);
        nnc_context elsewhere = ctx;
        elsewhere.state = (char *)ctx.state + 8;
        assert_int_equal(step->call(&elsewhere, &n, arguments, results), NNC_E_ARGUMENT);
        assert_non_null(strstr(elsewhere.message, "aligned"));
        guarded_free(ctx.workspace, ctx.workspace_bytes, "workspace");

        size_t work = m.model->init_workspace_bytes ? m.model->init_workspace_bytes(&n) : 0;
        ctx.workspace = guarded_alloc(work, 0xFF);
        ctx.workspace_bytes = work;
        assert_int_equal(m.model->init(&ctx, 42, &n), NNC_OK);
        guarded_free(ctx.workspace, work, "workspace");
        Environment *env = environment_new(m.arena, m.reference->roots.data[0], m.reference->dims);
        env->seed = 42;
        const char *error =
            interpret_entry(env, INTERPRET_TYPED, reference_entry(&m, "init"), &n, NULL, NULL);
        if (error) fail_msg("%s", error);
        compare_cells(&m, &ctx, env, 0, "after init");
        for (int i = 0; i < 3; i++) {
            call_both(&m, &ctx, env, "step", n);
            compare_cells(&m, &ctx, env, 5e-4, "after a step");
            call_both(&m, &ctx, env, "read", n);
        }
        assert_int_equal(ctx.step, 3);

        /* Another size than init's is refused. */
        int64_t other = n + 1;
        ctx.workspace_bytes = step->workspace_bytes(&other);
        ctx.workspace = guarded_alloc(ctx.workspace_bytes, 0);
        float *y2 = calloc((size_t)other * 70, 4), *x2 = calloc((size_t)other * 40, 4);
        const void *arguments2[] = {x2};
        void *results2[] = {&loss, y2, last, before};
        assert_int_equal(step->call(&ctx, &other, arguments2, results2), NNC_E_STATE);
        assert_non_null(ctx.message);
        guarded_free(ctx.workspace, ctx.workspace_bytes, "workspace");
        free(x), free(y), free(x2), free(y2);
        guarded_free(ctx.weights, ctx.weights_bytes, "weights");
        guarded_free(ctx.state, ctx.state_bytes, "state");
    }
    compiled_free(&m);
}

static const char checked[] = "root Checked infer {\n"
                              "cell table: f32[10, 4] parameter\n"
                              "entry infer look symbol=Checked_look {\n"
                              "dims N\n"
                              "check dim N <= 8 \"N <= 8\"\n"
                              "%0: i64[N] = input id\n"
                              "%1: f32[10, 4] = cell table\n"
                              "%2 = gather %1, %0 batch=0\n"
                              "return y=%2\n"
                              "check range %0 in 0..10 \"id: rows are [0, 10)\" argument=id\n"
                              "}\n"
                              "entry infer scaled symbol=Checked_scaled {\n"
                              "%0: f32 = input factor\n"
                              "%1: f32[10, 4] = cell table\n"
                              "%2: f32[10, 4] = expand %0 axes=[]\n"
                              "%3 = mul %1, %2\n"
                              "return y=%3\n"
                              "}\n"
                              "}\n";

/* Every misuse has its code and a message, and writes no result. */
static void test_misuse(void **state) {
    Compiled m = compile_program("misuse", checked, "gcc -march=native -Wno-psabi");
    const nnc_entry_info *look = entry_of(&m, "look");
    int64_t n = 3, many = 9, negative = -1;
    nnc_context ctx = {.weights_bytes = m.model->weights_bytes};
    ctx.weights = guarded_alloc(ctx.weights_bytes, 0);
    ctx.workspace_bytes = 1 << 16;
    ctx.workspace = guarded_alloc(ctx.workspace_bytes, 0);
    int64_t ids[9] = {1, 9, 0}, bad[3] = {1, 10, 0}, below[3] = {0, -1, 0};
    float y[36];
    void *results[] = {y};
#define CALL(dims, data) look->call(&ctx, dims, (const void *const[]){data}, results)
    assert_int_equal(CALL(&n, ids), NNC_OK);
    for (int i = 0; i < 36; i++) y[i] = -7;
    assert_int_equal(CALL(&n, bad), NNC_E_RANGE);
    assert_string_equal(ctx.message, "id: rows are [0, 10)");
    assert_int_equal(CALL(&n, below), NNC_E_RANGE);
    assert_int_equal(CALL(&many, ids), NNC_E_DIM);
    assert_string_equal(ctx.message, "N <= 8");
    assert_int_equal(CALL(&negative, ids), NNC_E_ARGUMENT);
    assert_int_equal(CALL(&n, NULL), NNC_E_ARGUMENT);
    assert_non_null(strstr(ctx.message, "id"));
    nnc_context none = ctx;
    none.weights = NULL;
    assert_int_equal(look->call(&none, &n, (const void *const[]){ids}, results), NNC_E_WORKSPACE);
    none = ctx;
    none.weights_bytes--;
    assert_int_equal(look->call(&none, &n, (const void *const[]){ids}, results), NNC_E_WORKSPACE);
    none = ctx;
    none.weights = (char *)ctx.weights + 4;
    assert_int_equal(look->call(&none, &n, (const void *const[]){ids}, results), NNC_E_ARGUMENT);
    none = ctx;
    none.workspace = NULL, none.workspace_bytes = 0;
    int code = look->call(&none, &n, (const void *const[]){ids}, results);
    assert_int_equal(code, look->workspace_bytes(&n) ? NNC_E_WORKSPACE : NNC_OK);
    assert_int_equal(look->call(NULL, &n, (const void *const[]){ids}, results), NNC_E_ARGUMENT);
    if (look->workspace_bytes(&n))
        for (int i = 0; i < 36; i++) assert_true(y[i] == -7);
    /* The arrays of pointers, and a number by pointer. */
    const void *id[] = {ids}, *nothing[] = {NULL};
    assert_int_equal(look->call(&ctx, NULL, id, results), NNC_E_ARGUMENT);
    assert_string_equal(ctx.message, "dims is NULL");
    assert_int_equal(look->call(&ctx, &n, NULL, results), NNC_E_ARGUMENT);
    assert_string_equal(ctx.message, "arguments is NULL");
    assert_int_equal(look->call(&ctx, &n, id, NULL), NNC_E_ARGUMENT);
    assert_string_equal(ctx.message, "results is NULL");
    const nnc_entry_info *scaled = entry_of(&m, "scaled");
    float table[40];
    assert_int_equal(scaled->call(&ctx, NULL, nothing, (void *const[]){table}), NNC_E_ARGUMENT);
    assert_string_equal(ctx.message, "factor is NULL");
    int64_t huge = INT64_MAX / 2;
    assert_true(look->workspace_bytes(&huge) >= look->workspace_bytes(&n));
    guarded_free(ctx.weights, ctx.weights_bytes, "weights");
    guarded_free(ctx.workspace, ctx.workspace_bytes, "workspace");
    compiled_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
