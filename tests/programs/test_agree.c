/* Outputs, losses, gradients and ten-step trajectories equal PyTorch's in f64, to 1e-9; so do 200
 * steps of the adversarial example, whose penalty is differentiated twice, with the numbers that it
 * draws. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree.h"

static int load_fashion(void **state) {
    return agree_load(state, "fashion_mnist");
}
static int load_lenet(void **state) {
    return agree_load(state, "lenet");
}
static int load_custom(void **state) {
    return agree_load(state, "custom");
}
static int load_models(void **state) {
    return agree_load(state, "models");
}
static int load_library(void **state) {
    return agree_load(state, "library");
}

static int load_recurrent(void **state) {
    return agree_load(state, "recurrent");
}
static int load_language(void **state) {
    return agree_load(state, "language");
}
static int load_resnet(void **state) {
    return agree_load(state, "resnet");
}
static int load_wgan_gp(void **state) {
    return agree_load_from(state, "examples", "wgan_gp");
}

static const char *const no_extra[] = {NULL};

static void test_inference(void **state) {
    AgreeProgram *l = *state;
    agree_inference(l->arena, l->program, l->fixtures);
}

static void test_gradients(void **state) {
    AgreeProgram *l = *state;
    agree_gradients(l->arena, l->program, l->fixtures, no_extra);
}

/* The derivative with respect to the input, and the derivative of a function of it. */
static void test_custom_gradients(void **state) {
    static const char *const extra[] = {"Gradients.x_grad", "Gradients.penalty",
                                        "Gradients.penalty_fc_w", NULL};
    AgreeProgram *l = *state;
    agree_gradients(l->arena, l->program, l->fixtures, extra);
}

/* What the language promises of indices, derivatives, modules and time. */
static void test_language(void **state) {
    AgreeProgram *l = *state;
    int compared = agree_entries(l->arena, l->program, l->fixtures, "Language");
    assert_int_equal(compared, l->fixtures->count);
}

AGREE_TRAJECTORY(Sgd, NULL)
AGREE_TRAJECTORY(Momentum, NULL)
AGREE_TRAJECTORY(Adam, NULL)
AGREE_TRAJECTORY(AdamW, NULL)
AGREE_TRAJECTORY(Plain, NULL)
AGREE_TRAJECTORY(Accumulated, "add")
AGREE_TRAJECTORY(Nesterov, NULL)
AGREE_TRAJECTORY(RMSprop, NULL)
AGREE_TRAJECTORY(Adagrad, NULL)
AGREE_TRAJECTORY(Lions, NULL)
AGREE_TRAJECTORY(Gpt, NULL)
AGREE_TRAJECTORY(Residual, NULL)
AGREE_TRAJECTORY(Recurrent, NULL)
AGREE_TRAJECTORY(Wgan, NULL)
AGREE_TRAJECTORY(Frozen, NULL)
AGREE_TRAJECTORY(Resnet, NULL)
AGREE_TRAJECTORY(CellAdam, NULL)
AGREE_TRAJECTORY(WganGp, NULL)

#define WITH(test, program) cmocka_unit_test_setup_teardown(test, load_##program, agree_unload)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(test_inference, fashion),  WITH(test_gradients, fashion),
        WITH(test_Sgd, fashion),        WITH(test_Momentum, fashion),
        WITH(test_Adam, fashion),       WITH(test_AdamW, fashion),
        WITH(test_inference, lenet),    WITH(test_gradients, lenet),
        WITH(test_Plain, lenet),        WITH(test_Accumulated, lenet),
        WITH(test_Nesterov, lenet),     WITH(test_Adam, lenet),
        WITH(test_RMSprop, lenet),      WITH(test_Adagrad, lenet),
        WITH(test_inference, custom),   WITH(test_custom_gradients, custom),
        WITH(test_Lions, custom),       WITH(test_AdamW, custom),
        WITH(agree_library, library),   WITH(test_language, language),
        WITH(test_Gpt, models),         WITH(test_Residual, models),
        WITH(test_Recurrent, models),   WITH(test_Wgan, models),
        WITH(test_Frozen, models),      WITH(agree_cell, recurrent),
        WITH(test_CellAdam, recurrent), WITH(test_WganGp, wgan_gp),
        WITH(test_Resnet, resnet),
    };
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
