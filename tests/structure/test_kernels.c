/* What is fused with what: kernels per entry, the path of every contraction, the arena against the
 * bytes that are alive.  Programs use activations, residuals and layers of their own. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "structure/programs.h"

static int setup(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    *state = arena;
    return 0;
}
static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

static int steps_of(Arena *arena, const char *text, const char *symbol) {
    return plan_entry(plan_of_text(arena, "test.nn", text), symbol)->entry->steps.count;
}

/* ---- fusion ---- */

static void test_own_activation_in_epilogue(void **state) {
    assert_int_equal(
        steps_of(*state,
                 "def bump(x) { return x / (1 + x*x) + 0.25*sin(x) }\n"
                 "module M {\n"
                 "    self.fc = nn.Linear(48, 96)\n"
                 "    def forward(self, x: f32[N, 48]) -> f32[N, 96] { return bump(self.fc(x)) }\n"
                 "}\nexport M() as m\n",
                 "m"),
        1);
}

static void test_residual_in_epilogue(void **state) {
    assert_int_equal(steps_of(*state,
                              "module M {\n"
                              "    self.fc = nn.Linear(64, 64)\n"
                              "    def forward(self, x: f32[N, 64]) -> f32[N, 64] {\n"
                              "        return x + F.relu(self.fc(x))\n    }\n"
                              "}\nexport M() as m\n",
                              "m"),
                     1);
}

/* A value that two products need is computed by its producer, once. */
static void test_two_consumers(void **state) {
    assert_int_equal(steps_of(*state,
                              "def soft(x) { return x * sigmoid(1.5*x) }\n"
                              "module M {\n"
                              "    self.a = nn.Linear(64, 64)\n"
                              "    self.b = nn.Linear(64, 64)\n"
                              "    self.c = nn.Linear(64, 64)\n"
                              "    def forward(self, x: f32[N, 64]) -> f32[N, 64] {\n"
                              "        h = soft(self.a(x))\n"
                              "        return self.b(h) - soft(self.c(h))\n    }\n"
                              "}\nexport M() as m\n",
                              "m"),
                     3);
}

static void test_elementwise_chain_is_one_kernel(void **state) {
    assert_int_equal(
        steps_of(
            *state,
            "module M {\n"
            "    def forward(self, x: f32[N, 7], y: f32[7]) -> (a: f32[N, 7], b: f32[N, 7]) {\n"
            "        t = tanh(x + y) * exp(-x)\n"
            "        return t.transpose(0, 1).transpose(0, 1) + 1, where(t > 0, t, x)\n    }\n"
            "}\nexport M() as m\n",
            "m"),
        1);
}

static void test_rows_are_one_kernel(void **state) {
    assert_int_equal(steps_of(*state,
                              "module M {\n"
                              "    def forward(self, x: f32[N, 300]) -> f32[N, 300] {\n"
                              "        c = x - x.mean(-1, keepdim=True)\n"
                              "        return torch.softmax(c * rsqrt((c*c).mean(-1, keepdim=True) "
                              "+ 1e-5), 1)\n    }\n"
                              "}\nexport M() as m\n",
                              "m"),
                     1);
}

typedef VECTOR(const Expr *) ExprList;

static void collect(Arena *arena, const Expr *e, Op op, ExprList *found) {
    if (!e) return;
    if (e->kind == EXPR_OP && e->op == op) {
        for (int i = 0; i < found->count; i++)
            if (found->data[i] == e) return;
        vector_push(arena, found, e);
    }
    for (int i = 0; i < e->arg_count; i++) collect(arena, e->args[i], op, found);
}

static void collect_steps(Arena *arena, const Stmt *s, Op op, ExprList *found) {
    collect(arena, s->value, op, found);
    for (int i = 0; i < s->body.count; i++) collect_steps(arena, s->body.data[i], op, found);
}

/* How many different expressions of `op` the first kernel of softmax computes, and its scratch. */
static int count_in_softmax(Arena *arena, const char *extent, const char *axis, int *scratch) {
    const char *program =
        arena_printf(arena,
                     "module M {\n    def forward(self, x: f32[N, %s]) -> f32[N, %s] { return "
                     "torch.softmax(x, %s) }\n}\nexport M() as m\n",
                     extent, extent, axis);
    const Plan *plan = plan_of_text(arena, "test.nn", program);
    const Kernel *k = plan_entry(plan, "m")->entry->steps.data[0]->kernel;
    ExprList found = {0};
    collect_steps(arena, k->body, OP_EXP, &found);
    *scratch = 0;
    for (int i = 0; i < k->slots.count; i++) *scratch += k->slots.data[i].scratch;
    return found.count;
}

/* A row keeps its exponentials for the division, unless it is very long. */
static void test_rows_keep_what_is_dear(void **state) {
    int scratch;
    assert_int_equal(count_in_softmax(*state, "300", "1", &scratch), 1);
    assert_int_equal(scratch, 1);
    assert_int_equal(count_in_softmax(*state, "T", "1", &scratch), 1);
    assert_int_equal(scratch, 1);
    assert_int_equal(count_in_softmax(*state, "70000", "1", &scratch), 2);
    assert_int_equal(scratch, 0);
}

/* Entries with symbols of their own share kernels; where more is known of one, they do not. */
static void test_entries_share_kernels(void **state) {
    const char *program = "module M {\n"
                          "    self.fc = nn.Linear(32, 48)\n"
                          "    def forward(self, x: f32[N, 32]) -> f32[N, 48] {\n"
                          "        return tanh(self.fc(x))\n    }\n"
                          "}\n"
                          "module Even {\n"
                          "    self.fc = nn.Linear(32, 48)\n"
                          "    def forward(self, x: f32[N, 32]) -> f32[N, 48] where N % 64 == 0 {\n"
                          "        return tanh(self.fc(x))\n    }\n"
                          "}\n"
                          "export M() as one\nexport Even() as even\nexport M() as other\n";
    const Plan *plan = plan_of_text(*state, "test.nn", program);
    const Step *one = plan_entry(plan, "one")->entry->steps.data[0];
    const Step *even = plan_entry(plan, "even")->entry->steps.data[0];
    const Step *other = plan_entry(plan, "other")->entry->steps.data[0];
    assert_ptr_equal(one->kernel, other->kernel);
    assert_ptr_not_equal(one->kernel, even->kernel);
    assert_int_equal(one->kernel->symbols.count, 1);
    assert_ptr_equal(one->symbols[0], one->kernel->symbols.data[0]);
    assert_ptr_not_equal(one->symbols[0], other->symbols[0]);
    assert_ptr_equal(dim_of_symbol(plan->kernels->program->dims, other->symbols[0]),
                     other->arguments[0]->shape.dims[0]);
}

/* Equal layers are one function, called more than once. */
static void test_equal_layers_share_kernels(void **state) {
    Arena *arena = *state;
    const char *program = "module M(n: int) {\n"
                          "    self.layers = nn.ModuleList([nn.Linear(32, 32) for _ in range(n)])\n"
                          "    def forward(self, x: f32[N, 32]) -> f32[N, 32] {\n"
                          "        for layer in self.layers { x = tanh(layer(x)) }\n"
                          "        return x\n    }\n"
                          "}\nexport M(%d) as m\n";
    char text[512];
    int kernels[2];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, program, i ? 24 : 4);
        const Plan *plan = plan_of_text(arena, "test.nn", text);
        const KernelEntry *entry = plan_entry(plan, "m")->entry;
        assert_int_equal(entry->steps.count, i ? 24 : 4);
        bool seen[256] = {false};
        kernels[i] = 0;
        for (int s = 0; s < entry->steps.count; s++) {
            int id = entry->steps.data[s]->kernel->id;
            assert_in_range(id, 0, 255);
            kernels[i] += !seen[id];
            seen[id] = true;
        }
    }
    assert_int_equal(kernels[0], kernels[1]);
    assert_in_range(kernels[1], 1, 3);
}

/* Two padded convolutions, each with what is pooled from it: two kernels, and two for
 * the padding. */
static void test_pools_join_padded_convolutions(void **state) {
    assert_int_equal(steps_of(*state,
                              "module M {\n"
                              "    self.a = nn.Conv2d(3, 8, 3, padding=1)\n"
                              "    self.b = nn.Conv2d(8, 8, 3, padding=1)\n"
                              "    def forward(self, x: f32[N, 3, 16, 16]) -> f32[N, 8, 4, 4] {\n"
                              "        x = F.max_pool2d(F.relu(self.a(x)), 2)\n"
                              "        return F.relu(F.avg_pool2d(self.b(x), 2))\n    }\n"
                              "}\nexport M() as m\n",
                              "m"),
                     4);
}

/* A pool's largest element and its position come from one loop, and positions are i32. */
static void test_pool_and_its_position(void **state) {
    Arena *arena = *state;
    const Plan *plan =
        plan_of_text(arena, "test.nn",
                     "train T {\n"
                     "    self.conv = nn.Conv2d(1, 4, 3)\n"
                     "    self.optimizer = optim.SGD(self.conv.parameters(), lr=1e-2)\n"
                     "    def step(self, x: f32[N, 1, 12, 12]) -> (loss: f32) {\n"
                     "        loss = F.max_pool2d(self.conv(x), 2).square().mean()\n"
                     "        self.optimizer.zero_grad()\n"
                     "        loss.backward()\n"
                     "        self.optimizer.step()\n"
                     "        return loss\n    }\n}\n");
    Text text = text_new(arena);
    kernel_program_print(&text, plan->kernels);
    assert_non_null(strstr(text.data, "argmax="));
    assert_null(strstr(strstr(text.data, "argmax=") + 1, "argmax="));
    assert_null(strstr(text.data, " max="));
    assert_null(strstr(text.data, "i64[N"));
    assert_null(strstr(text.data, "i64("));
}

/* What relu's derivative asks of its argument it asks of the result, which the next product reads:
 * the step's forward kernels are those of inference and store one tensor. */
static void test_relu_keeps_one_tensor(void **state) {
    Arena *arena = *state;
    const char *program = "module M {\n"
                          "    self.a = nn.Linear(64, 64)\n"
                          "    self.b = nn.Linear(64, 64)\n"
                          "    def forward(self, x: f32[N, 64]) -> f32[N, 64] {\n"
                          "        return self.b(F.relu(self.a(x)))\n    }\n}\n"
                          "export M() as m\n"
                          "train T {\n"
                          "    self.m = M()\n"
                          "    self.optimizer = optim.SGD(self.m.parameters(), lr=1e-2)\n"
                          "    def step(self, x: f32[N, 64]) -> (loss: f32) {\n"
                          "        loss = self.m(x).square().mean()\n"
                          "        self.optimizer.zero_grad()\n"
                          "        loss.backward()\n"
                          "        self.optimizer.step()\n"
                          "        return loss\n    }\n}\n";
    const Plan *plan = plan_of_text(arena, "test.nn", program);
    const Step *infer = plan_entry(plan, "m")->entry->steps.data[0];
    const Step *train = plan_entry(plan, "T_step")->entry->steps.data[0];
    assert_string_equal(infer->kernel->what, "contract select");
    assert_string_equal(train->kernel->what, "contract select");
    int written[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        const Kernel *k = i ? train->kernel : infer->kernel;
        for (int p = 0; p < k->parameter_count; p++)
            written[i] += k->slots.data[p].access != ACCESS_READ;
    }
    assert_int_equal(written[0], 1);
    assert_int_equal(written[1], 1);
}

/* ---- the programs ---- */

static void test_contraction_paths(void **state) {
    static const char *const names[] = {"fashion_mnist", "lenet", "custom"};
    Arena *arena = *state;
    Text report = text_new(arena);
    for (int i = 0; i < 3; i++)
        kernel_report_contractions(&report, plan_of_example(arena, names[i])->kernels);
    const char *path = SOURCE_DIR "/tests/structure/contractions.txt", *error = NULL;
    if (getenv("UPDATE")) error = file_write_all(arena, path, report.data, report.length, 0644);
    size_t length;
    const char *golden = error ? NULL : file_read_all(arena, path, 1 << 20, &length, &error);
    if (!golden) fail_msg("%s", error);
    assert_string_equal(report.data, golden);
}

static void test_arena_near_lower_bound(void **state) {
    static const char *const names[] = {"fashion_mnist", "lenet", "custom", "char_lstm", "wgan_gp"};
    for (int i = 0; i < 5; i++) {
        const Plan *plan = plan_of_example(*state, names[i]);
        for (int r = 0; r < plan->roots.count; r++)
            for (int e = 0; e < plan->roots.data[r]->entries.count; e++) {
                const EntryPlan *entry = plan->roots.data[r]->entries.data[e];
                if ((double)entry->arena_reference > 1.1 * (double)entry->lower_bound)
                    fail_msg("%s: arena %lld, alive %lld", entry->entry->entry->symbol,
                             (long long)entry->arena_reference, (long long)entry->lower_bound);
            }
    }
}

static void test_steps_of_programs(void **state) {
    static const struct {
        const char *program, *symbol;
        int most;
    } limits[] = {
        {"fashion_mnist", "fashion_mnist", 5},
        {"fashion_mnist", "FashionMnist_step", 16},
        {"lenet", "lenet", 8},
        {"lenet", "LeNet_step", 26},
        {"custom", "Regression_step", 14},
    };
    for (int i = 0; i < 5; i++) {
        const Plan *plan = plan_of_example(*state, limits[i].program);
        int steps = plan_entry(plan, limits[i].symbol)->entry->steps.count;
        if (steps > limits[i].most)
            fail_msg("%s takes %d steps, more than %d", limits[i].symbol, steps, limits[i].most);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own_activation_in_epilogue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_residual_in_epilogue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_consumers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elementwise_chain_is_one_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_are_one_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_keep_what_is_dear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_entries_share_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_layers_share_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pools_join_padded_convolutions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pool_and_its_position, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relu_keeps_one_tensor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contraction_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arena_near_lower_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steps_of_programs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
