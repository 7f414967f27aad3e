/* Scans and functions with their own vjp: their graphs, and their values by the interpreter. */
#include "lowering.h"

#include <math.h>

/* Runs the entry on arguments given as flat lists of numbers; returns result 0. */
static Tensor *run(const Lowered *r, const char *symbol, int count, Tensor **arguments,
                   Tensor **results) {
    const Entry *entry = lowered_entry(r, symbol);
    const Root *root = NULL;
    for (int i = 0; i < r->program->roots.count; i++)
        for (int k = 0; k < r->program->roots.data[i]->entries.count; k++)
            if (r->program->roots.data[i]->entries.data[k] == entry)
                root = r->program->roots.data[i];
    Environment *env = environment_new(r->arena, root, r->program->dims);
    for (int k = 0; k < root->entries.count; k++)
        if (root->entries.data[k]->kind == ENTRY_INIT)
            assert_null(
                interpret_entry(env, INTERPRET_VALUE, root->entries.data[k], NULL, NULL, NULL));
    assert_int_equal(entry->arguments.count, count);
    const char *bad = interpret_entry(env, INTERPRET_VALUE, entry, NULL, arguments, results);
    if (bad) fail_msg("%s", bad);
    return results[0];
}

static Tensor *numbers(const Lowered *r, DType dtype, int rank, const int64_t *extents,
                       const double *values) {
    Tensor *t = tensor_new(r->arena, dtype, rank, extents);
    for (int64_t i = 0; i < t->count; i++) tensor_set(t, i, values[i]);
    return t;
}

static void expect_values(const Tensor *t, const double *values, int count) {
    assert_int_equal(t->count, count);
    for (int i = 0; i < count; i++)
        if (fabs(tensor_get(t, i) - values[i]) > 1e-12)
            fail_msg("element %d is %.17g, not %.17g", i, tensor_get(t, i), values[i]);
}

static void a_scan_carries_and_stacks(void **state) {
    Lowered r = lower_good("module M {\n"
                           "    param w: f32[] = init.constant(2)\n"
                           "    def forward(self, x: f32[T]) -> (out: f32[T], h: f32, n: f32) {\n"
                           "        k = x.shape[0]\n"
                           "        out = scan h, n = 0.0, 0 for xt in x {\n"
                           "            h = h * 0.5 + xt * self.w\n"
                           "            n = n + xt / xt\n"
                           "            yield h + n\n"
                           "        }\n"
                           "        return out, h, n\n"
                           "    }\n"
                           "}\n"
                           "export M() as m\n");
    char *text = entry_text(&r, "m");
    assert_has(text, "carries=2 sequences=1 invariants=1 length=T");
    Tensor *results[3], *x = numbers(&r, DTYPE_F32, 1, (int64_t[]){3}, (double[]){1, 2, 3});
    run(&r, "m", 1, &x, results);
    expect_values(results[0], (double[]){3, 7, 11.5}, 3);
    expect_values(results[1], (double[]){8.5}, 1);
    expect_values(results[2], (double[]){3}, 1);
    Tensor *empty = numbers(&r, DTYPE_F32, 1, (int64_t[]){0}, NULL);
    run(&r, "m", 1, &empty, results);
    expect_values(results[0], NULL, 0);
    expect_values(results[1], (double[]){0}, 1);
    lowered_free(&r);
}

static void sequences_ranges_and_reversal(void **state) {
    Lowered r =
        lower_good("module M {\n"
                   "    def forward(self, x: f32[T]) -> (a: f32[T], b: f32[T], c: f32) {\n"
                   "        a = scan h = 0.0 for xt, i in reversed(x), reversed(range(T)) {\n"
                   "            h = h + xt * i\n"
                   "            yield h\n"
                   "        }\n"
                   "        b = scan g = 0.0 for xt, i in reversed(x), range(T) {\n"
                   "            g = g + xt * i\n"
                   "            yield g\n"
                   "        }\n"
                   "        scan c = 0.0 for i in range(1, T) { c = c + i }\n"
                   "        return a, b, c\n"
                   "    }\n"
                   "}\n"
                   "export M() as m\n");
    Tensor *results[3], *x = numbers(&r, DTYPE_F32, 1, (int64_t[]){3}, (double[]){5, 7, 11});
    run(&r, "m", 1, &x, results);
    expect_values(results[0], (double[]){22, 29, 29}, 3);
    expect_values(results[1], (double[]){0, 7, 17}, 3);
    expect_values(results[2], (double[]){3}, 1);
    lowered_free(&r);
}

static void a_scan_has_a_gradient_through_time(void **state) {
    Lowered r = lower_good("module M {\n"
                           "    def forward(self, x: f32[T], w: f32) -> (g: f32, gx: f32[T]) {\n"
                           "        scan h = 1.0 for xt in x { h = h * w + xt }\n"
                           "        return grad(h, w), grad(h, x)\n"
                           "    }\n"
                           "}\n"
                           "export M() as m\n");
    Tensor *results[2], *arguments[2];
    arguments[0] = numbers(&r, DTYPE_F32, 1, (int64_t[]){2}, (double[]){3, 5});
    arguments[1] = numbers(&r, DTYPE_F32, 0, NULL, (double[]){2});
    run(&r, "m", 2, arguments, results);
    /* h = (w + 3) w + 5: dh/dw = 2w + 3 */
    expect_values(results[0], (double[]){7}, 1);
    expect_values(results[1], (double[]){2, 1}, 2);
    lowered_free(&r);
}

static void a_stated_derivative_is_used(void **state) {
    Lowered r =
        lower_good("def quantise(x: f32[...S], levels: int, y: f32[...S]) -> f32[...S] { return "
                   "round(x * levels) + y }\n"
                   "vjp quantise(x: f32[...S], levels: int, y: f32[...S], dy: f32[...S]) -> "
                   "(f32[...S], f32[...S]) {\n"
                   "    return dy * levels, 3 * dy\n"
                   "}\n"
                   "module M {\n"
                   "    def forward(self, x: f32[N]) -> (v: f32[N], gx: f32[N], gy: f32[N]) {\n"
                   "        y = x * 1\n"
                   "        v = quantise(x.detach(), 2, y) + quantise(x, 4, y.detach())\n"
                   "        return v, grad(v.sum(), x), grad(v.sum(), y)\n"
                   "    }\n"
                   "}\n"
                   "export M() as m\n");
    assert_has(entry_text(&r, "m"), "name=quantise wrt=[0, 1]");
    Tensor *results[3], *x = numbers(&r, DTYPE_F32, 1, (int64_t[]){2}, (double[]){0.3, 1.1});
    run(&r, "m", 1, &x, results);
    expect_values(results[0], (double[]){1 + 0.3 + 1 + 0.3, 2 + 1.1 + 4 + 1.1}, 2);
    expect_values(results[1], (double[]){7, 7}, 2);
    expect_values(results[2], (double[]){3, 3}, 2);
    lowered_free(&r);
}

static void ids_of_a_scan_are_checked_before_it(void **state) {
    Lowered r =
        lower_good("module M {\n"
                   "    self.embed = nn.Embedding(10, 4)\n"
                   "    def forward(self, text: u8[T, N]) -> f32[N, 4] {\n"
                   "        scan h = zeros(N, 4) for t in text { h = h + self.embed(t.long()) }\n"
                   "        return h\n"
                   "    }\n"
                   "}\n"
                   "export M() as m\n");
    const Entry *entry = lowered_entry(&r, "m");
    assert_int_equal(entry->checks.count, 1);
    assert_int_equal(entry->checks.data[0].kind, CHECK_RANGE);
    assert_ptr_equal(entry->checks.data[0].node, entry->arguments.data[0].node);
    lowered_free(&r);
}

/* A token that is carried: the range is shown from what it begins as and becomes. */
static void ids_that_a_scan_carries_have_a_range(void **state) {
    Lowered r =
        lower_good("module M {\n"
                   "    self.register_buffer(\"next\", torch.tensor([[0.0, 1.0, 0.0], "
                   "[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]))\n"
                   "    def forward(self, x: f32[T, 3], y: i64[T], force: bool[T], first: "
                   "i64[N]) -> (free: i64[T], forced: i64[T, N], sum: f32[T, 3]) {\n"
                   "        free = scan t = torch.zeros([], dtype=torch.long) for s in x {\n"
                   "            t = (self.next[t] + s).argmax(0)\n"
                   "            yield t\n"
                   "        }\n"
                   "        forced = scan t, u = first, first for s, f in y, force {\n"
                   "            u, t = t, torch.where(f, s, self.next[u].argmax(1))\n"
                   "            yield t\n"
                   "        }\n"
                   "        sum = scan h = torch.zeros(3) for s in x {\n"
                   "            h = h + s + self.next[first - 1].sum(0)\n"
                   "            yield h\n"
                   "        }\n"
                   "        return free, forced, sum\n"
                   "    }\n"
                   "}\n"
                   "export M() as m\n");
    Tensor *results[3], *arguments[4];
    arguments[0] = numbers(&r, DTYPE_F32, 2, (int64_t[]){4, 3},
                           (double[]){0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0});
    arguments[1] = numbers(&r, DTYPE_I64, 1, (int64_t[]){4}, (double[]){2, 1, 0, 2});
    arguments[2] = numbers(&r, DTYPE_BOOL, 1, (int64_t[]){4}, (double[]){0, 0, 1, 0});
    arguments[3] = numbers(&r, DTYPE_I64, 1, (int64_t[]){2}, (double[]){1, 2});
    run(&r, "m", 4, arguments, results);
    expect_values(results[0], (double[]){1, 0, 1, 2}, 4);
    expect_values(results[1], (double[]){2, 0, 2, 0, 0, 0, 0, 1}, 8);
    expect_values(results[2], (double[]){0, 1, 1, 5, 2, 2, 5, 3, 3, 5, 4, 4}, 12);
    /* Of `y` and `first`, for the carry and, less one, as ids of their own: each once. */
    assert_int_equal(lowered_entry(&r, "m")->checks.count, 3);
    lowered_free(&r);
}

/* The range of joined ids is that of all parts: one part too wide, wherever it stands, needs a
 * check. */
static void joined_ids_have_the_range_of_all_parts(void **state) {
    static const char *const parts[] = {"a, a, b", "a, b, a", "b, a, a"};
    for (int i = 0; i < 6; i++) {
        char source[600];
        snprintf(source, sizeof source,
                 "module M {\n"
                 "    self.embed = nn.Embedding(%d, 4)\n"
                 "    def forward(self, x: f32[N, 3], y: f32[N, 5]) -> f32[3*N, 4] {\n"
                 "        a = x.argmax(1)\n"
                 "        b = y.argmax(1)\n"
                 "        return self.embed(torch.cat([%s]))\n"
                 "    }\n"
                 "}\n"
                 "export M() as m\n",
                 i < 3 ? 4 : 5, parts[i % 3]);
        Lowered r = lower_good(source);
        assert_int_equal(lowered_entry(&r, "m")->checks.count, i < 3);
        lowered_free(&r);
    }
}

static void a_method_may_state_its_derivative(void **state) {
    Lowered r = lower_good(
        "module Ste(k: float = 5.0) {\n"
        "    def hard(self, x: f32[...S]) -> f32[...S] { return sign(x) }\n"
        "    vjp hard(self, x: f32[...S], dy: f32[...S]) -> f32[...S] { return dy * k }\n"
        "    def forward(self, x: f32[N]) -> f32[N] { return grad(self.hard(x).sum(), x) }\n"
        "}\n"
        "export Ste() as m\n");
    Tensor *results[1], *x = numbers(&r, DTYPE_F32, 1, (int64_t[]){2}, (double[]){-3, 4});
    run(&r, "m", 1, &x, results);
    expect_values(results[0], (double[]){5, 5}, 2);
    lowered_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_carries_and_stacks),
        cmocka_unit_test(sequences_ranges_and_reversal),
        cmocka_unit_test(a_scan_has_a_gradient_through_time),
        cmocka_unit_test(a_stated_derivative_is_used),
        cmocka_unit_test(ids_of_a_scan_are_checked_before_it),
        cmocka_unit_test(ids_that_a_scan_carries_have_a_range),
        cmocka_unit_test(joined_ids_have_the_range_of_all_parts),
        cmocka_unit_test(a_method_may_state_its_derivative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
