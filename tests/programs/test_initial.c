/* Initial values have torch's distributions and depend on the seed and the key alone; dropout and
 * random numbers differ from place to place and from call to call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree.h"

static int load(void **state) {
    AgreeProgram *l = calloc(1, sizeof *l);
    l->arena = arena_new();
    l->program = agree_lower(l->arena, "tests/programs/agree/initial.nn");
    *state = l;
    return 0;
}

static Environment *initialise(AgreeProgram *l, const char *name, uint64_t seed) {
    const Root *root = agree_root(l->program, name);
    Environment *env = environment_new(l->arena, root, l->program->dims);
    env->seed = seed;
    const char *error =
        interpret_entry(env, INTERPRET_VALUE, agree_entry(root, "init"), NULL, NULL, NULL);
    if (error) fail_msg("init: %s", error);
    return env;
}

static const Tensor *cell(const Environment *env, const char *key) {
    for (int i = 0; i < env->root->cells.count; i++)
        if (!strcmp(env->root->cells.data[i]->name->text, key)) return env->cells[i];
    fail_msg("no cell %s", key);
    return NULL;
}

static void moments(const Tensor *t, double *mean, double *deviation, double *least, double *most) {
    double sum = 0, squares = 0;
    *least = INFINITY, *most = -INFINITY;
    for (int64_t i = 0; i < t->count; i++) {
        double v = tensor_get(t, i);
        sum += v, squares += v * v;
        if (v < *least) *least = v;
        if (v > *most) *most = v;
    }
    *mean = sum / (double)t->count;
    *deviation = sqrt(squares / (double)t->count - *mean * *mean);
}

/* Uniform in [-bound, bound): the ends are nearly reached, mean and deviation fit. */
static void check_uniform(const Environment *env, const char *key, double bound) {
    const Tensor *t = cell(env, key);
    double mean, deviation, least, most, error = 6 * bound / sqrt((double)t->count);
    moments(t, &mean, &deviation, &least, &most);
    if (least < -bound || most >= bound || fabs(mean) > error ||
        fabs(deviation - bound / sqrt(3)) > error || most < bound * (1 - 40.0 / (double)t->count))
        fail_msg("%s: mean %g, deviation %g, in [%g, %g]; bound %g", key, mean, deviation, least,
                 most, bound);
}

static void check_normal(const Tensor *t, const char *key, double center, double width) {
    double mean, deviation, least, most, error = 5 * width / sqrt((double)t->count);
    moments(t, &mean, &deviation, &least, &most);
    if (fabs(mean - center) > error || fabs(deviation - width) > error || most - center > 6 * width)
        fail_msg("%s: mean %g, deviation %g", key, mean, deviation);
}

static void check_constant(const Environment *env, const char *key, double value) {
    const Tensor *t = cell(env, key);
    for (int64_t i = 0; i < t->count; i++)
        if (tensor_get(t, i) != value) fail_msg("%s[%d] is %g", key, (int)i, tensor_get(t, i));
}

static void test_distributions(void **state) {
    Environment *env = initialise(*state, "layers", 7);
    check_uniform(env, "linear.weight", 1 / sqrt(64));
    check_uniform(env, "linear.bias", 1 / sqrt(64));
    check_uniform(env, "conv.weight", 1 / sqrt(4 * 9));
    check_uniform(env, "conv.bias", 1 / sqrt(4 * 9));
    check_uniform(env, "lstm.weight_hh_l0", 1 / sqrt(16));
    check_uniform(env, "lstm.bias_ih_l0", 1 / sqrt(16));
    check_uniform(env, "xavier.weight", 2 * sqrt(6.0 / 164));
    check_normal(cell(env, "embed.weight"), "embed.weight", 0, 1);
    check_normal(cell(env, "own"), "own", 1, 0.02);
    check_constant(env, "xavier.bias", 0);
    check_constant(env, "bn.weight", 1);
    check_constant(env, "bn.bias", 0);
    check_constant(env, "bn.running_mean", 0);
    check_constant(env, "bn.running_var", 1);
    check_constant(env, "bn.num_batches_tracked", 0);
    check_constant(env, "ln.weight", 1);
    check_constant(env, "ln.bias", 0);
    check_constant(env, "prelu.weight", 0.25);
    check_constant(env, "mine", 0.5);
    check_constant(env, "plain", 7);
    for (int i = 0; i < 9; i++) assert_true(tensor_get(cell(env, "eye"), i) == (i % 4 ? 0 : 2));
    for (int i = 0; i < 3; i++) assert_true(tensor_get(cell(env, "steps"), i) == i);
}

static bool same(const Tensor *a, const Tensor *b) {
    for (int64_t i = 0; i < a->count; i++)
        if (tensor_get(a, i) != tensor_get(b, i)) return false;
    return true;
}

static void test_seeds(void **state) {
    Environment *a = initialise(*state, "layers", 7), *b = initialise(*state, "layers", 7);
    Environment *c = initialise(*state, "layers", 8);
    assert_true(same(cell(a, "linear.weight"), cell(b, "linear.weight")));
    assert_false(same(cell(a, "linear.weight"), cell(c, "linear.weight")));
    assert_false(same(cell(a, "linear.weight"), cell(a, "twin.weight")));
    assert_true(same(cell(a, "bn.weight"), cell(c, "bn.weight")));
}

static Tensor **call(Environment *env, const char *name, Tensor *x) {
    const Entry *entry = agree_entry(env->root, name);
    Tensor **results = NEW_ARRAY(env->arena, entry->results.count, Tensor *);
    const char *error =
        interpret_entry(env, INTERPRET_VALUE, entry, NULL, (Tensor *[]){x}, results);
    if (error) fail_msg("%s: %s", name, error);
    return results;
}

static Tensor *ones(Arena *arena) {
    Tensor *x = tensor_new(arena, DTYPE_F64, 2, (int64_t[]){50, 100});
    for (int64_t i = 0; i < x->count; i++) tensor_set(x, i, 1);
    return x;
}

static void test_dropout(void **state) {
    AgreeProgram *l = *state;
    Environment *env = initialise(l, "Masks", 3);
    Tensor *x = ones(l->arena);
    Tensor **first = call(env, "step", x), **second = call(env, "step", x);
    int64_t kept = 0;
    for (int64_t i = 0; i < x->count; i++) {
        double v = tensor_get(first[0], i);
        assert_true(v == 0 || fabs(v - 1 / 0.75) < 1e-15);
        kept += v != 0;
    }
    assert_true(kept > 3600 && kept < 3900);
    assert_false(same(first[0], first[1]));  /* another place */
    assert_false(same(first[0], second[0])); /* another call */
    assert_true(same(call(env, "calm", x)[0], x));
}

/* A context of the same seed draws the same again. */
static void test_noise(void **state) {
    AgreeProgram *l = *state;
    Tensor *x = ones(l->arena);
    Tensor **a = call(initialise(l, "Masks", 3), "noise", x),
           **b = call(initialise(l, "Masks", 3), "noise", x);
    assert_true(same(a[0], b[0]) && same(a[1], b[1]));
    check_normal(a[0], "randn", 0, 1);
    double mean, deviation, least, most;
    moments(a[1], &mean, &deviation, &least, &most);
    assert_true(least == 3 && most == 6 && fabs(mean - 4.5) < 0.1);
}

static bool equal(const Tensor *a, const Tensor *b) {
    for (int64_t i = 0; i < a->count; i++)
        if (tensor_get(a, i) != tensor_get(b, i)) return false;
    return a->count == b->count;
}

/* A copy begins with the values of the original, or of the other copies where that is no member. */
static void test_copies(void **state) {
    Environment *env = initialise(*state, "layers", 7);
    assert_true(equal(cell(env, "copied.weight"), cell(env, "xavier.weight")));
    assert_false(equal(cell(env, "twin.weight"), cell(env, "linear.weight")));
    const Tensor *weight = cell(env, "stack.layers.0.self_attn.in_proj_weight");
    assert_true(equal(weight, cell(env, "stack.layers.1.self_attn.in_proj_weight")));
    assert_true(equal(weight, cell(env, "fresh.layers.0.self_attn.in_proj_weight")));
    weight = cell(env, "stack.layers.0.linear1.weight");
    assert_true(equal(weight, cell(env, "stack.layers.1.linear1.weight")));
    assert_false(equal(weight, cell(env, "stack.layers.1.linear2.weight")));
    assert_false(equal(weight, cell(env, "fresh.layers.1.linear1.weight")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_copies, load, agree_unload),
        cmocka_unit_test_setup_teardown(test_distributions, load, agree_unload),
        cmocka_unit_test_setup_teardown(test_seeds, load, agree_unload),
        cmocka_unit_test_setup_teardown(test_dropout, load, agree_unload),
        cmocka_unit_test_setup_teardown(test_noise, load, agree_unload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
