/* One root from textual IR, executed twice: as compiled C and by the interpreter, behind one
 * session. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "driver/model.h"
#include "tensor/ir.h"

static const char text[] = "root Line train {\n"
                           "  cell net.w: f32[3] parameter\n"
                           "  cell net.count: i64 buffer\n"
                           "  cell opt.m: f32[3] optimizer\n"
                           "  cell opt.lr: f32 scalar default=0.1\n"
                           "  entry train step symbol=Line_step random {\n"
                           "    dims N in 0.. % 1\n"
                           "    %0: f32[N, 3] = input x\n"
                           "    %1: f32[N] = input y\n"
                           "    %2: f32[3] = cell net.w\n"
                           "    %3: f32[3] = cell opt.m\n"
                           "    %4: f32 = cell opt.lr\n"
                           "    %5: i64 = cell net.count\n"
                           "    %6: f32[N] = contract %0, %2 labels=ab,b->a\n"
                           "    %7: f32[N] = sub %6, %1\n"
                           "    %8: f32[N] = mul %7, %7\n"
                           "    %9: f32 = reduce %8 kind=sum axes=[0]\n"
                           "    %10: f32[3] = contract %0, %7 labels=ab,a->b\n"
                           "    %11: f32[3] = random site=7\n"
                           "    %12: f32[3] = const 0.001\n"
                           "    %13: f32[3] = mul %11, %12\n"
                           "    %14: f32[3] = add %10, %13\n"
                           "    %15: f32[3] = const 0.5\n"
                           "    %16: f32[3] = mul %3, %15\n"
                           "    %17: f32[3] = add %16, %14\n"
                           "    %18: f32[3] = expand %4 axes=[]\n"
                           "    %19: f32[3] = mul %18, %17\n"
                           "    %20: f32[3] = const 0.01\n"
                           "    %21: f32[3] = mul %19, %20\n"
                           "    %22: f32[3] = sub %2, %21\n"
                           "    %23: i64 = const 1\n"
                           "    %24: i64 = add %5, %23\n"
                           "    return loss=%9, rows=%6\n"
                           "    write net.w=%22\n"
                           "    write opt.m=%17\n"
                           "    write net.count=%24\n"
                           "  }\n"
                           "  entry init init symbol=Line_init {\n"
                           "    %0: f32[3] = random site=1 at_init\n"
                           "    %1: f32[3] = const 0\n"
                           "    %2: i64 = const 0\n"
                           "    %3: f32 = const 0.1\n"
                           "    write net.w=%0\n"
                           "    write opt.m=%1\n"
                           "    write net.count=%2\n"
                           "    write opt.lr=%3\n"
                           "  }\n"
                           "}\n";

typedef struct Side {
    Model model;
    NncSession session;
} Side;

static void open_side(Side *side, const Pipeline *pipeline, bool interpreter) {
    NncError error;
    Root *root = pipeline->program->roots.data[0];
    EngineOptions options = {.interpreter = interpreter, .threads = 2};
    assert_int_equal(model_open(&side->model, pipeline, root, root->entries.data[0], &options), 0);
    assert_non_null(side->model.entry);
    if (!model_session(&side->model, NULL, 0, &side->session, &error)) fail_msg("%s", error.text);
    if (!nnc_session_init(&side->session, 11, &error)) fail_msg("%s", error.text);
}

static void close_side(Side *side) {
    nnc_session_close(&side->session);
    model_close(&side->model);
}

static void call(Side *side, int64_t n, const float *x, const float *y, float *loss, float *rows) {
    NncError error;
    NncArray views[2] = {{NULL, NNC_F32, 2, {n, 3}, (size_t)n * 12, NULL, false},
                         {NULL, NNC_F32, 1, {n}, (size_t)n * 4, NULL, false}};
    const NncArray *given[2] = {&views[0], &views[1]};
    int64_t dims[1] = {-1};
    if (!nnc_bind_dims(side->model.entry, given, NULL, 0, dims, &error)) fail_msg("%s", error.text);
    assert_int_equal(dims[0], n);
    const void *in[2] = {x, y};
    void *out[2] = {loss, rows};
    if (!nnc_session_call(&side->session, side->model.entry, dims, in, out, &error))
        fail_msg("%s", error.text);
}

static void compare_cells(const Side *a, const Side *b) {
    for (int c = 0; c < a->model.table->cell_count; ++c) {
        NncArray x, y;
        NncError error;
        bool none;
        assert_string_equal(a->model.table->cells[c].name, b->model.table->cells[c].name);
        assert_int_equal(a->model.table->cells[c].role, b->model.table->cells[c].role);
        assert_int_equal(a->model.table->cells[c].saved, b->model.table->cells[c].saved);
        if (!nnc_session_get(&a->session, c, &x, &none, &error)) fail_msg("%s", error.text);
        if (!nnc_session_get(&b->session, c, &y, &none, &error)) fail_msg("%s", error.text);
        assert_int_equal(x.bytes, y.bytes);
        for (size_t i = 0; i < x.bytes / nnc_dtype_bytes(x.dtype); ++i) {
            double u = nnc_element_get(x.dtype, x.data, i), v = nnc_element_get(y.dtype, y.data, i);
            if (fabs(u - v) > 1e-4 * (1 + fabs(v)))
                fail_msg("%s[%zu] is %g compiled, %g interpreted", a->model.table->cells[c].name, i,
                         u, v);
        }
        nnc_array_free(&x);
        nnc_array_free(&y);
    }
}

static void test_both_engines(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    const char *message = NULL;
    Pipeline pipeline = {.arena = arena, .file = "line.nn"};
    pipeline.program = program_read(arena, text, &message);
    if (!pipeline.program) fail_msg("%s", message);
    Side compiled = {0}, interpreted = {0};
    open_side(&compiled, &pipeline, false);
    open_side(&interpreted, &pipeline, true);
    compare_cells(&compiled, &interpreted); /* the same draws at init */
    static float x[1000 * 3], y[1000], rows[2][1000];
    static const int64_t sizes[] = {7, 0, 1, 64, 1000, 3, 64};
    for (int round = 0; round < 7; ++round) {
        int64_t n = sizes[round];
        float loss[2];
        for (int64_t i = 0; i < n; ++i) {
            for (int f = 0; f < 3; ++f) x[3 * i + f] = sinf((float)(i * 3 + f + round)) / 8;
            y[i] = x[3 * i] - x[3 * i + 2];
        }
        call(&compiled, n, x, y, &loss[0], rows[0]);
        call(&interpreted, n, x, y, &loss[1], rows[1]);
        assert_true(fabsf(loss[0] - loss[1]) <= 1e-4f * (1 + fabsf(loss[1])));
        for (int64_t i = 0; i < n; ++i) assert_true(fabsf(rows[0][i] - rows[1][i]) <= 1e-4f);
        compare_cells(&compiled, &interpreted);
    }
    assert_int_equal(compiled.session.context.step, interpreted.session.context.step);
    assert_int_equal(compiled.session.context.step, 7);
    close_side(&compiled);
    close_side(&interpreted);
    arena_free_all();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_engines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
