/* Signatures: binding of dims, spreads and dtypes, `where`, checks at the entry, results. */
#include "lowering.h"

static Lowered lower_function(const char *definitions, const char *types, const char *body) {
    char source[2048];
    snprintf(source, sizeof source,
             "%s\nmodule M {\n    def forward(self, %s {\n%s\n    }\n}\nexport M() as m\n",
             definitions, types, body);
    return lower_source("test.nn", source, NULL);
}

static void expect_good(const char *definitions, const char *types, const char *body,
                        const char *ir) {
    Lowered r = lower_function(definitions, types, body);
    if (!r.program) fail_msg("%s\n%s", types, r.messages);
    const char *bad = program_verify(r.program, r.arena);
    if (bad) fail_msg("verifier: %s", bad);
    assert_has(entry_text(&r, "m"), ir);
    lowered_free(&r);
}

static void expect_error(const char *definitions, const char *types, const char *body,
                         const char *message) {
    Lowered r = lower_function(definitions, types, body);
    assert_null(r.program);
    assert_int_equal(r.errors, 1);
    assert_has(r.messages, message);
    lowered_free(&r);
}

static void the_first_lone_name_binds(void **state) {
    expect_good("def f(x: f32[A, 2*A]) -> f32[2*A, A] { return x.T }", "x: f32[3, 6]) -> f32[6, 3]",
                "return f(x)", "f32[6, 3]");
    expect_good("def f(x: f32[A, B], y: f32[A + B]) -> f32[B] { return x.sum(0) + y[0] }",
                "x: f32[N, 4], y: f32[N + 4]) -> f32[4]", "return f(x, y)", "f32[N + 4] = input y");
    expect_error("def f(x: f32[A, 2*A]) -> f32[A] { return x[0] }", "x: f32[3, 5]) -> f32[3]",
                 "return f(x)", "NN0201");
}

static void a_spread_is_a_run_of_dims(void **state) {
    const char *f = "def f(x: D[...S, K], y: D[...S]) -> D[...S] { return x.sum(-1) + y }";
    expect_good(f, "x: f32[N, 2, 3], y: f32[N, 2]) -> f32[N, 2]", "return f(x, y)", "f32[N, 2]");
    expect_good(f, "x: f32[3], y: f32[]) -> f32[]", "return f(x, y)", "f32 = input y");
    expect_error(f, "x: f32[N, 2, 3], y: f32[N]) -> f32[N, 2]", "return f(x, y)",
                 "...S has 1 dims here and 2 before");
    expect_error(f, "x: f32[N, 2, 3], y: f64[N, 2]) -> f32[N, 2]", "return f(x, y)", "NN0201");
}

static void where_states_facts(void **state) {
    expect_good("", "x: f32[B, T]) -> f32[B, T] where T <= 64, B % 8 == 0, T >= 1",
                "assert T >= 1 and B % 4 == 0\nreturn x.reshape(B // 8, 8, T).reshape(B, T)",
                "check dim B % 8 \"B % 8 == 0\"");
    expect_good("", "x: f32[A, 2], y: f32[B, 2]) -> f32[A, 2] where A == B", "return x + y",
                "check dim");
    expect_good("def f(x: f32[T]) -> f32[T] where T <= 9 { return x }", "x: f32[N]) -> f32[N]",
                "return f(x)", "check dim N <= 9 \"T <= 9\"");
    expect_error("def f(x: f32[T]) -> f32[T] where T <= 9 { return x }", "x: f32[10]) -> f32[10]",
                 "return f(x)", "NN0205");
}

static void what_algebra_cannot_decide_is_checked_once(void **state) {
    Lowered r = lower_function("def f(x: f32[K], y: f32[K]) -> f32[K] { return x + y }",
                               "x: f32[N], z: f32[M], y: f32[M * M]) -> f32[N]",
                               "a = f(x, y)\nb = f(x, y)\nreturn a + b");
    if (!r.program) fail_msg("%s", r.messages);
    assert_int_equal(lowered_entry(&r, "m")->checks.count, 1);
    lowered_free(&r);
}

static void independent_names_do_not_meet(void **state) {
    Lowered r = lower_function("def f(x: f32[K], y: f32[K]) -> f32[K] { return x + y }",
                               "x: f32[N], y: f32[M]) -> f32[N]", "return f(x, y)");
    assert_null(r.program);
    assert_int_equal(r.errors, 1);
    assert_has(r.messages, "test.nn:4:");
    lowered_free(&r);
}

/* Only axes of extent 1 go, whatever is asked for. */
static void squeeze_keeps_what_is_longer(void **state) {
    expect_good(
        "", "x: f32[2, 1, 3, 1]) -> (f32[2, 3], f32[2, 1, 3], f32[2, 3, 1], f32[2, 1, 3, 1])",
        "return x.squeeze(), x.squeeze(3), x.squeeze((1, 2)), x.squeeze(0)", "f32[2, 3] = reshape");
}

static void results_are_checked_and_named(void **state) {
    expect_error("", "x: f32[N, 3]) -> f32[N, 4]", "return x", "NN0202");
    expect_error("", "x: f32[N, 3]) -> (f32[N, 3], f32)", "return x",
                 "declares 2 results but returns 1");
    expect_good("", "x: f32[N, 3]) -> (f32[N, K], f32)", "return x, x.sum()",
                "return output0=%0, output1=%1");
    expect_good("def f(x: f32[A, 3]) -> (top: f32, low: f32) { return x.max(), x.min() }",
                "x: f32[N, 3]) -> f32", "r = f(x)\nreturn r.top - r.low", "sub");
    expect_good("", "x: f32[N, 3]) -> (a: f32[N, 3], n: f32)", "return x, 2", "return a=%0, n=");
}

static void members_of_a_call_keep_the_declared_dims(void **state) {
    /* A local named like a dim does not disturb the check of the result. */
    expect_good("", "x: f32[N, 3]) -> f32[N, 3]", "N = 7\nreturn x * N", "const 7.0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_lone_name_binds),
        cmocka_unit_test(a_spread_is_a_run_of_dims),
        cmocka_unit_test(where_states_facts),
        cmocka_unit_test(what_algebra_cannot_decide_is_checked_once),
        cmocka_unit_test(independent_names_do_not_meet),
        cmocka_unit_test(squeeze_keeps_what_is_longer),
        cmocka_unit_test(results_are_checked_and_named),
        cmocka_unit_test(members_of_a_call_keep_the_declared_dims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
