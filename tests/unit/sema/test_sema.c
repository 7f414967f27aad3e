/* Names, arity and places: what is reported where, and what is not.  The library here is a small
 * made-up one. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sema/sema.h"
#include "syntax/parse.h"

static Arena *arena;
static int setup(void **state) {
    arena = arena_new();
    names_init(arena);
    return 0;
}
static int teardown(void **state) {
    arena_free(arena);
    return 0;
}

static void visit(void (*each)(void *user, const char *space, const char *name), void *user) {
    static const char *const rows[][2] = {
        {"nn", "Linear"},   {"nn", "Sequential"}, {"nn", "ReLU"},   {"F", "relu"},
        {"F", "linear"},    {"optim", "SGD"},     {"init", "ones"}, {"init", "zeros"},
        {"", "zeros"},      {"", "sqrt"},         {"", "where"},    {"", "rand"},
        {"torch", "zeros"}, {"", "f32"},          {"", "i64"},      {"", "u8"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) each(user, rows[i][0], rows[i][1]);
}

static const char *check(const char *text) {
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceUnit *unit = syntax_parse(arena, source_new(arena, "t.nn", text, strlen(text)), sink);
    SemaOptions options = {.visit_library = visit};
    sema_check(arena, unit, &options, sink);
    char *data = NULL;
    size_t length = 0;
    FILE *f = open_memstream(&data, &length);
    diagnostics_print(sink, f, FORM_TEXT, false);
    fclose(f);
    const char *copy = arena_strdup(arena, data);
    free(data);
    return copy;
}

static void clean(const char *text) {
    const char *said = check(text);
    if (said[0]) fail_msg("%s\n%s", text, said);
}

static void says(const char *text, const char *expected) {
    const char *said = check(text);
    if (!strstr(said, expected)) fail_msg("%s\nshould say: %s\nsays:\n%s", text, expected, said);
}

static void test_valid(void **state) {
    /* Dims that the types of a tuple's members name. */
    clean("def f(x: (f32[H], f32[H, K])) -> f32[H] { return x[0] + zeros(H) * K }\n"
          "module M { def forward(self, x: f32[N], y: f32[N, 3]) -> f32[N] { return f((x, y)) } }\n"
          "export M() as m\n");
    clean("module A(C: int, bias: bool = True) {\n    param w: f32[C, 4*C] = init.ones()\n    if "
          "bias { self.b = C }\n"
          "    self.l = nn.Sequential(*[nn.Linear(C, C) for _ in range(3)])\n    state h: f32[N, "
          "C] = 0\n"
          "    def forward(self, x: f32[N, ...S, C]) -> (y: f32[N, M]) where N <= 4 {\n        n = "
          "N * C\n"
          "        for i, (a, b) in enumerate(zip(self.l, [1])) { x = x + a * b + i + n }\n        "
          "return self.helper(x)\n    }\n"
          "    def helper(self, x, k=1) { return F.relu(x) * k }\n}\n"
          "def f(x: D[...S], b: float) -> D[...S] { return sqrt(x) + later(b) }\n"
          "vjp f(x: D[...S], b: float, dy: D[...S]) -> D[...S] { return dy }\n"
          "def later(y) { B, T = y.shape\n return B + T }\n"
          "export A(3, bias=False) as a\n"
          "train T(n: int = 3) {\n    self.m = A(n)\n    self.o = O(self.m.parameters(), lr=0.1)\n"
          "    def step(self, x: f32[N]) -> (loss: f32) {\n        loss = self.m(x)\n        "
          "self.o.step()\n        return loss\n    }\n}\n"
          "optimizer O(lr: f32 = 1.0, wd: float = 0) {\n    state m = zeros(3) + p\n"
          "    def update(self, p, g) { return p - lr * g - wd }\n}\n");
    clean("def f(x) {\n    out = scan h = zeros(3) for a, b in x, x {\n        h = h + a + b\n     "
          "   yield h\n    }\n    return out, h\n}\n");
    clean("def f(x) {\n    def inner(y) { return y + x }\n    g = inner\n    return g(1) + "
          "where(x, 1, 2)\n}\n");
    clean("def where(a, b, c, d) { return a + b + c + d }\ndef g() { return where(1, 2, 3, 4) }\n");
    clean("def f(x, *rest) { return rest[0] + x }\ndef g(a) { return f(a, 1, 2, 3) + f(*a) }\n");
    clean("assert len([1]) == 1, \"n={n}\"\nn = 3\n");
    clean("def f(x) {\n    n = 3\n    return \"{n} {x}\"\n}\n");
}

static void test_unknown(void **state) {
    says("def f(x) { return y }", "unknown name `y`");
    says("def f(alpha) { return alhpa }", "did you mean `alpha`?");
    says("x = sqtr(2)", "did you mean `sqrt`?");
    says("x = Linear(2, 3)", "the library's is nn.Linear");
    says("x = nn.Linaer(2, 3)", "did you mean `nn.Linear`?");
    says("module A {\n    self.fc1 = 3\n    def f(self) { return self.fcl + fc1 }\n}",
         "A has no member `fcl`");
    says("module A {\n    self.fc1 = 3\n    def f(self) { return fc1 }\n}",
         "the member is written `self.fc1`");
    says("module A { param w: f32[K] = 1\n}", "the dim `K` is not known here");
    says("def f(x) { return [i for i in x] + i }", "unknown name `i`");
    says("def f(x) { print(x)\n return x.item() }", "there is no print");
    says("def f(x) { return x.item() }", "a tensor has no value while compiling");
    says("def f(x) { return x.to(device) }", "tensors have no device");
    clean(
        "module A {\n    def item(self) { return 1 }\n    def f(self) { return self.item() }\n}\n");
    assert_null(
        strstr(check("module Net(a: int b) { }\nx = Net(1)\n"), "unknown")); /* lost, not unknown */
}

static void test_arity(void **state) {
    const char *m = "module M(a: int, b: int = 2) { }\n";
    says(arena_printf(arena, "%sx = M()", m), "M misses the argument `a`");
    says(arena_printf(arena, "%sx = M(1, 2, 3)", m), "M takes 2 arguments but receives 3");
    says(arena_printf(arena, "%sx = M(1, c=3)", m), "M has no argument `c`");
    says(arena_printf(arena, "%sx = M(1, a=3)", m), "M receives `a` twice");
    clean(arena_printf(arena, "%sx = M(b=1, a=3)\ny = M(*x)\n", m));
    clean("def f(x) { return x }\ndef g(f) { return f(1, 2, 3) }\n");
    says("module A {\n    def f(self, x) { return x }\n    def g(self) { return self.f() }\n}",
         "f misses the argument `x`");
    clean("module A {\n    def f(self, x) { return x }\n    self.f2 = 1\n    def g(self) { self.f "
          "= 2\n return self.f() }\n}\n");
    says("optimizer O(lr: f32) {\n def update(self, p, g) { return p }\n}\nx = O([], 1, 2)",
         "O takes 1 argument but receives 2");
}

static void test_places(void **state) {
    says("return 1", "`return` cannot stand here");
    says("def f(x) { yield x }", "`yield` cannot stand here");
    says("def f(x) { break }", "`break` cannot stand here");
    says("def f(x) { for i in x { def g() { continue } } }", "`continue` cannot stand here");
    says("def f(x) { param w: f32[1] }", "`param` cannot stand here");
    says("def f(x) { module A { } }", "`module` cannot stand here");
    says("module A { export B() as b\n}", "`export` cannot stand here");
    says("def f() { }\ndef f(x) { }", "`f` is defined twice");
    says("module A { def g() { }\n def g() { } }", "`g` is defined twice");
    says("x = y[]\ny = 1", "the subscript is empty");
}

static void test_unused(void **state) {
    says("def f(x) {\n    y = x\n    return x\n}", "warning[NN1001]: `y` is never used");
    says("import \"a.nn\" as b", "warning[NN1002]: `b` is imported but not used");
    clean("def f(x) {\n    _y = x\n    a, b = x\n    return a\n}");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_valid), cmocka_unit_test(test_unknown),
                                       cmocka_unit_test(test_arity), cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_unused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
