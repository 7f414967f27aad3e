/* Compile-time evaluation: Python's values, arithmetic, methods and messages. */
#include "lowering.h"

/* An expression and Python's str of it. */
static const struct {
    const char *expression, *expected;
} values[] = {
    {"7 / 2", "3.5"},
    {"-7 // 2", "-4"},
    {"-7 % 3", "2"},
    {"7.5 // 2", "3.0"},
    {"-7.5 % 2", "0.5"},
    {"2 ** 10", "1024"},
    {"2 ** -1", "0.5"},
    {"-2 ** 2", "-4"},
    {"1 + 2 * 3 - 4", "3"},
    {"-9223372036854775808", "-9223372036854775808"},
    {"[-9_223_372_036_854_775_808, - 0x8000000000000000]",
     "[-9223372036854775808, -9223372036854775808]"},
    {"0 if False else -9223372036854775808 + 1", "-9223372036854775807"},
    {"-9223372036854775808 == -9223372036854775807 - 1", "True"},
    {"2 * -0x4000000000000000", "-9223372036854775808"},
    {"5 & 3 | 8 ^ 1", "9"},
    {"True + True", "2"},
    {"1 < 2 < 3", "True"},
    {"1 < 2 > 3", "False"},
    {"1 == 1.0", "True"},
    {"not 0", "True"},
    {"0 or 'x'", "x"},
    {"1 and 2", "2"},
    {"3 if 1 > 2 else 4", "4"},
    {"2 in [1, 2]", "True"},
    {"'b' not in 'abc'", "False"},
    {"None is None", "True"},
    {"(1,)", "(1,)"},
    {"[1, 2.0, 'a', None, (True, [])]", "[1, 2.0, 'a', None, (True, [])]"},
    {"[x * x for x in range(5) if x % 2 == 0]", "[0, 4, 16]"},
    {"[(i, j) for i in range(2) for j in range(i + 1)]", "[(0, 0), (1, 0), (1, 1)]"},
    {"list(range(10))[2:8:3]", "[2, 5]"},
    {"[k for k in {'a': 1, 'b': 2}]", "['a', 'b']"},
    {"(len({'a': 1, 'b': 2}), list({'x': 3}), list({}))", "(2, ['x'], [])"},
    {"([1, 2, 1, 3].count(1), [1, 2, 1].count(4), [1, 2, 1].index(1))", "(2, 0, 0)"},
    {"[list({'a': 1, 'b': 2, 'c': 3}.keys()), list({'a': 1, 'b': 2}.values())]",
     "[['a', 'b', 'c'], [1, 2]]"},
    {"[k * v for k, v in {'a': 1, 'b': 2, 'c': 0}.items()]", "['a', 'bb', '']"},
    {"list(range(5))[::-1]", "[4, 3, 2, 1, 0]"},
    {"(1, 2, 3)[-1]", "3"},
    {"(1, 2) + (3,)", "(1, 2, 3)"},
    {"[0] * 3", "[0, 0, 0]"},
    {"'ab' * 2 + 'c'", "ababc"},
    {"'abc'[1:]", "bc"},
    {"len([1, 2]) + len('abc')", "5"},
    {"list(zip([1, 2], 'ab'))", "[(1, 'a'), (2, 'b')]"},
    {"list(enumerate('ab', 1))", "[(1, 'a'), (2, 'b')]"},
    {"list(reversed([1, 2]))", "[2, 1]"},
    {"sum([1, 2, 3.5])", "6.5"},
    {"min(3, 1, 2), max([4, 5])", "(1, 5)"},
    {"abs(-3), round(2.5), round(2.567, 2)", "(3, 2, 2.57)"},
    {"int(3.9), float(2), int('12')", "(3, 2.0, 12)"},
    {"str(1.0) + repr('x')", "1.0'x'"},
    {"sorted([3, 1, 2])", "[1, 2, 3]"},
    {"any([0, 1]), all([])", "(True, True)"},
    {"isinstance(1, int), isinstance(1, (float, str))", "(True, False)"},
    {"float('-inf')", "-inf"},
    {"1e-5, 1e16, 123456789.0", "(1e-05, 1e+16, 123456789.0)"},
    {"math.sqrt(16), math.floor(2.7), math.pi", "(4.0, 2, 3.141592653589793)"},
    {"1 / sqrt(16), floor(2.7), exp(0.0)", "(0.25, 2, 1.0)"},
    {"math.floor(9007199254740993), math.ceil(-9007199254740993)",
     "(9007199254740993, -9007199254740993)"},
    {"math.prod((2, 3, 4))", "24"},
    {"', '.join(['a', 'b'])", "a, b"},
    {"'Adam'.lower().startswith('ad')", "True"},
    {"[1, 2, 3].index(2)", "1"},
    {"(lo, hi)", "(1, 2)"},
};

static void evaluates_as_python(void **state) {
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char source[512];
        snprintf(source, sizeof source,
                 "module M {\n    lo, hi = 1, 2\n    value = %s\n    assert False : \"<{value}>\"\n"
                 "    def forward(self, x: f32[N]) -> f32[N] { return x }\n}\n",
                 values[i].expression);
        Lowered r = lower_source("test.nn", source, NULL);
        char expected[256];
        snprintf(expected, sizeof expected, "<%s>", values[i].expected);
        if (!strstr(r.messages, expected))
            fail_msg("%s: expected %s, got\n%s", values[i].expression, expected, r.messages);
        lowered_free(&r);
    }
}

static void statements_of_a_body(void **state) {
    Lowered r = lower_good("def fib(n: int) {\n"
                           "    if n < 2 { return n }\n"
                           "    return fib(n - 1) + fib(n - 2)\n"
                           "}\n"
                           "LIMIT = 3\n"
                           "module M(k: int = 5) {\n"
                           "    found = []\n"
                           "    for i in range(100) {\n"
                           "        if i % 2 == 1 { continue }\n"
                           "        if len(found) == LIMIT { break }\n"
                           "        found.append(i * k)\n"
                           "    }\n"
                           "    assert found == [0, 10, 20]\n"
                           "    assert later(3) == 8 and self.later(1) == 6\n"
                           "    def later(n: int) { return n + 5 }\n"
                           "    (a, [b, c]), *rest = (1, [2, 3]), 4, 5\n"
                           "    assert a + b + c == 6 and rest == [4, 5]\n"
                           "    a -= 1; a *= 8; a /= 4\n"
                           "    d = ({\"x\": 1})\n"
                           "    d[\"y\"] = 2\n"
                           "    assert d[\"y\"] == 2 and d.get(\"z\", 3) == 3\n"
                           "    found[-1] = fib(10)\n"
                           "    assert found[2] == 55\n"
                           "    self.half = k / 2\n"
                           "    assert self.half == 2.5 and self.k == 5\n"
                           "    def forward(self, x: f32[N]) -> f32[N] {\n"
                           "        total = 0.0\n"
                           "        for i, v in enumerate([1, 2]) { total += v * i }\n"
                           "        return x * total * self.half\n"
                           "    }\n"
                           "}\n"
                           "export M() as m\n");
    assert_has(entry_text(&r, "m"), "const 2.0");
    assert_has(entry_text(&r, "m"), "const 2.5");
    lowered_free(&r);
}

static void dims_are_values(void **state) {
    Lowered r = lower_good("module M {\n"
                           "    def forward(self, x: f32[B, T, 12]) -> f32[T * B, 3, 4] {\n"
                           "        B, T, C = x.shape\n"
                           "        assert C == 12 and B * T == T * B and T + T == 2 * T\n"
                           "        assert x.size()[:-1] == (B, T)\n"
                           "        return x.view(B * T, 3, C // 3)\n"
                           "    }\n"
                           "}\n"
                           "export M() as m\n");
    assert_has(entry_text(&r, "m"), "dims B, T");
    assert_has(entry_text(&r, "m"), "reshape");
    lowered_free(&r);
}

static void user_definitions_shadow_the_library(void **state) {
    Lowered r = lower_good("def sqrt(x) { return x + 41 }\n"
                           "module M {\n"
                           "    def forward(self, x: f32[N]) -> f32[N] { return sqrt(x) }\n"
                           "}\n"
                           "export M() as m\n");
    assert_has(entry_text(&r, "m"), "41.0");
    assert_null(strstr(entry_text(&r, "m"), "sqrt"));
    lowered_free(&r);
}

static void the_budget_ends_every_run(void **state) {
    LowerOptions options = {.default_dtype = DTYPE_F32, .step_limit = 2000};
    Lowered r = lower_source("test.nn",
                             "module M {\n"
                             "    for i in range(100000) { y = i }\n"
                             "    def forward(self, x: f32[N]) -> f32[N] { return x }\n"
                             "}\n",
                             &options);
    assert_null(r.program);
    assert_int_equal(r.errors, 1);
    assert_has(r.messages, "NN0404");
    lowered_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluates_as_python),
        cmocka_unit_test(statements_of_a_body),
        cmocka_unit_test(dims_are_values),
        cmocka_unit_test(user_definitions_shadow_the_library),
        cmocka_unit_test(the_budget_ends_every_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
