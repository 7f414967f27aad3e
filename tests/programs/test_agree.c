/* Outputs, losses, gradients and ten-step trajectories equal PyTorch's in f64, to 1e-9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree.h"

typedef struct Loaded {
    Arena *arena;
    Program *program;
    Fixtures *fixtures;
} Loaded;

static int load(void **state, const char *name) {
    Loaded *l = calloc(1, sizeof *l);
    l->arena = arena_new();
    l->program = agree_lower(l->arena, arena_printf(l->arena, "tests/programs/agree/%s.nn", name));
    l->fixtures = agree_read(l->arena, name);
    *state = l;
    return 0;
}

static int load_fashion(void **state) {
    return load(state, "fashion_mnist");
}
static int load_lenet(void **state) {
    return load(state, "lenet");
}
static int load_custom(void **state) {
    return load(state, "custom");
}
static int load_models(void **state) {
    return load(state, "models");
}
static int load_library(void **state) {
    return load(state, "library");
}

static int unload(void **state) {
    Loaded *l = *state;
    arena_free(l->arena);
    free(l);
    return 0;
}

static const char *const no_extra[] = {NULL};

static void test_inference(void **state) {
    Loaded *l = *state;
    agree_inference(l->arena, l->program, l->fixtures);
}

static void test_gradients(void **state) {
    Loaded *l = *state;
    agree_gradients(l->arena, l->program, l->fixtures, no_extra);
}

/* The derivative with respect to the input, and the derivative of a function of it. */
static void test_custom_gradients(void **state) {
    static const char *const extra[] = {"Gradients.x_grad", "Gradients.penalty",
                                        "Gradients.penalty_fc_w", NULL};
    Loaded *l = *state;
    agree_gradients(l->arena, l->program, l->fixtures, extra);
}

#define TRAJECTORY(name, other)                                            \
    static void test_##name(void **state) {                                \
        Loaded *l = *state;                                                \
        agree_trajectory(l->arena, l->program, l->fixtures, #name, other); \
    }
TRAJECTORY(Sgd, NULL)
TRAJECTORY(Momentum, NULL)
TRAJECTORY(Adam, NULL)
TRAJECTORY(AdamW, NULL)
TRAJECTORY(Plain, NULL)
TRAJECTORY(Accumulated, "add")
TRAJECTORY(Nesterov, NULL)
TRAJECTORY(RMSprop, NULL)
TRAJECTORY(Adagrad, NULL)
TRAJECTORY(Lions, NULL)
TRAJECTORY(Gpt, NULL)
TRAJECTORY(Residual, NULL)
TRAJECTORY(Recurrent, NULL)
TRAJECTORY(Wgan, NULL)
TRAJECTORY(Frozen, NULL)

/* Each layer and function of the library, with derivatives. */
static void test_library(void **state) {
    Loaded *l = *state;
    int compared = agree_entries(l->arena, l->program, l->fixtures, "Library");
    assert_int_equal(compared, l->fixtures->count);
}

#define WITH(test, program) cmocka_unit_test_setup_teardown(test, load_##program, unload)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(test_inference, fashion), WITH(test_gradients, fashion),
        WITH(test_Sgd, fashion),       WITH(test_Momentum, fashion),
        WITH(test_Adam, fashion),      WITH(test_AdamW, fashion),
        WITH(test_inference, lenet),   WITH(test_gradients, lenet),
        WITH(test_Plain, lenet),       WITH(test_Accumulated, lenet),
        WITH(test_Nesterov, lenet),    WITH(test_Adam, lenet),
        WITH(test_RMSprop, lenet),     WITH(test_Adagrad, lenet),
        WITH(test_inference, custom),  WITH(test_custom_gradients, custom),
        WITH(test_Lions, custom),      WITH(test_AdamW, custom),
        WITH(test_library, library),   WITH(test_Gpt, models),
        WITH(test_Residual, models),   WITH(test_Recurrent, models),
        WITH(test_Wgan, models),       WITH(test_Frozen, models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
