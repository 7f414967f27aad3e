/* The compiled programs agree with PyTorch in f64 as closely as the interpreter does, to 1e-9.
 * f32 is test_agree_single.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree_compiled.h"

typedef struct Loaded {
    Arena *arena;
    Program *program;
    Fixtures *fixtures;
} Loaded;

static Loaded load_from(const char *folder, const char *name) {
    agree_open = compiled_open;
    agree_tolerance = 1e-9;
    Loaded l = {.arena = arena_new()};
    const char *path = arena_printf(l.arena, "%s/%s.nn", folder, name);
    l.program = agree_lower_as(l.arena, path, DTYPE_F64);
    l.fixtures = agree_read(l.arena, name);
    return l;
}

static Loaded load(const char *name) {
    return load_from("tests/programs/agree", name);
}

static const char *const no_extra[] = {NULL};
static const char *const custom_extra[] = {"Gradients.x_grad", "Gradients.penalty",
                                           "Gradients.penalty_fc_w", NULL};

static void values_and_gradients(const char *name, const char *const *extra) {
    Loaded l = load(name);
    agree_inference(l.arena, l.program, l.fixtures);
    agree_gradients(l.arena, l.program, l.fixtures, extra);
    arena_free(l.arena);
}

static void trajectory(const char *program, const char *root, const char *other) {
    Loaded l = load(program);
    agree_trajectory(l.arena, l.program, l.fixtures, root, other);
    arena_free(l.arena);
}

static void test_fashion_f64(void **state) {
    values_and_gradients("fashion_mnist", no_extra);
}
static void test_lenet_f64(void **state) {
    values_and_gradients("lenet", no_extra);
}
static void test_custom_f64(void **state) {
    values_and_gradients("custom", custom_extra);
}
static void test_sgd(void **state) {
    trajectory("fashion_mnist", "Sgd", NULL);
}
static void test_fashion_adam(void **state) {
    trajectory("fashion_mnist", "Adam", NULL);
}
static void test_clipped_adamw(void **state) {
    trajectory("custom", "AdamW", NULL);
}
static void test_momentum(void **state) {
    trajectory("fashion_mnist", "Momentum", NULL);
}
static void test_adamw(void **state) {
    trajectory("fashion_mnist", "AdamW", NULL);
}
static void test_plain(void **state) {
    trajectory("lenet", "Plain", NULL);
}
static void test_accumulated(void **state) {
    trajectory("lenet", "Accumulated", "add");
}
static void test_adam(void **state) {
    trajectory("lenet", "Adam", NULL);
}
static void test_lion(void **state) {
    trajectory("custom", "Lions", NULL);
}
static void test_gpt(void **state) {
    trajectory("models", "Gpt", NULL);
}
static void test_residual(void **state) {
    trajectory("models", "Residual", NULL);
}
static void test_recurrent(void **state) {
    trajectory("models", "Recurrent", NULL);
}
static void test_wgan(void **state) {
    trajectory("models", "Wgan", NULL);
}
static void test_frozen(void **state) {
    trajectory("models", "Frozen", NULL);
}
static void test_cell(void **state) {
    Loaded l = load("recurrent");
    assert_int_equal(agree_entries(l.arena, l.program, l.fixtures, "CellGradients"), 8);
    arena_free(l.arena);
}
static void test_cell_adam(void **state) {
    trajectory("recurrent", "CellAdam", NULL);
}
/* A minute of the C compiler: only with AGREE_LONG=1. */
static void test_resnet(void **state) {
    if (!getenv("AGREE_LONG")) skip();
    trajectory("resnet", "Resnet", NULL);
}
/* 200 steps of the example as it stands. */
static void test_wgan_gp(void **state) {
    Loaded l = load_from("examples", "wgan_gp");
    agree_trajectory(l.arena, l.program, l.fixtures, "WganGp", NULL);
    arena_free(l.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fashion_f64),   cmocka_unit_test(test_lenet_f64),
        cmocka_unit_test(test_custom_f64),    cmocka_unit_test(test_momentum),
        cmocka_unit_test(test_adamw),         cmocka_unit_test(test_plain),
        cmocka_unit_test(test_accumulated),   cmocka_unit_test(test_adam),
        cmocka_unit_test(test_lion),          cmocka_unit_test(test_gpt),
        cmocka_unit_test(test_residual),      cmocka_unit_test(test_recurrent),
        cmocka_unit_test(test_wgan),          cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_sgd),           cmocka_unit_test(test_fashion_adam),
        cmocka_unit_test(test_clipped_adamw), cmocka_unit_test(test_cell),
        cmocka_unit_test(test_cell_adam),     cmocka_unit_test(test_wgan_gp),
        cmocka_unit_test(test_resnet),
    };
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
