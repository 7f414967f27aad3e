/* --remarks: every refusal to fuse is said with its operators, lines and reason, and so is what was
 * fused; --no-fuse keeps lines apart. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

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

static const unsigned fusion = 1u << REMARK_FUSED | 1u << REMARK_NOT_FUSED;

static KernelProgram *kernels_of(Arena *arena, const char *text, bool remarks, int fence) {
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceFile *file = source_new(arena, "net.nn", text, strlen(text));
    const SourceUnit *unit = syntax_parse(arena, file, sink);
    LowerOptions options = {.default_dtype = DTYPE_F32};
    Program *program = lower_program(arena, unit, &options, sink);
    if (!program) {
        diagnostics_print(sink, stderr, FORM_SHORT, false);
        fail_msg("does not lower");
    }
    program->source_path = "net.nn";
    simplify_program(program);
    Fence fences[1] = {{fence, fence}};
    KernelOptions kernels = {.remarks = remarks, .fence_count = fence > 0, .fences = fences};
    return kernel_program_build_with(arena, program, &kernels);
}

/* The module's forward has these lines, from line 4 on. */
static const char *module_of(Arena *arena, const char *members, const char *signature,
                             const char *body) {
    return arena_printf(arena,
                        "module M {\n    %s\n    def forward(%s {\n%s    }\n}\nexport M() as m\n",
                        members, signature, body);
}

static const char *remarks_of(Arena *arena, const char *text) {
    Text out = text_new(arena);
    kernel_print_remarks(&out, kernels_of(arena, text, true, 0), fusion);
    return out.data ? out.data : "";
}

static void expect(const char *remarks, const char *line) {
    if (!strstr(remarks, line)) fail_msg("no\n  %s\nin\n%s", line, remarks);
}

static void test_product_reads_memory(void **state) {
    const char *text = module_of(*state, "self.a = nn.Linear(64, 64); self.b = nn.Linear(64, 64)",
                                 "self, x: f32[N, 64]) -> f32[N, 64]",
                                 "        y = tanh(self.a(x))\n        return self.b(y)\n");
    expect(remarks_of(*state, text),
           "net.nn:5: remark: not fused: tanh (line 4) and contract of b (line 5): a product reads "
           "its operands from memory [m]\n");
    expect(remarks_of(*state, text), "net.nn:4: remark: fused: contract, add of a (line 4), tanh "
                                     "(line 4) are kernel k0_a_contract_tanh [m]\n");
}

static void test_reduction_after_product(void **state) {
    const char *text =
        module_of(*state, "self.a = nn.Linear(64, 64)", "self, x: f32[N, 64]) -> f32[N]",
                  "        y = self.a(x)\n        return y.sum(1)\n");
    expect(remarks_of(*state, text),
           "net.nn:5: remark: not fused: contract of a (line 4) and sum (line 5): a reduction "
           "needs whole rows, and a tile of the product holds a part of them [m]\n");
}

static void test_serial_stores(void **state) {
    const char *text = module_of(*state, "", "self, x: f32[N, 64]) -> (y: f32[N, 64], s: f32[64])",
                                 "        y = exp(x)\n        return y, y.sum(0)\n");
    expect(remarks_of(*state, text),
           "net.nn:5: remark: not fused: exp (line 4) and sum (line 5): would make stores serial; "
           "exp is in memory since the entry returns it or keeps it [m]\n");
}

static void test_classes(void **state) {
    const char *text = module_of(
        *state, "", "self, x: f32[N, 64]) -> (y: f32[N, 64], a: f32[N, 64], b: i64[N, 64])",
        "        y = exp(x)\n        a = y.cumsum(1)\n"
        "        b = y.argsort(1)\n        return y, a, b\n");
    const char *remarks = remarks_of(*state, text);
    expect(remarks, "net.nn:5: remark: not fused: exp (line 4) and cumsum (line 5): a running sum "
                    "is a kernel of its own");
    expect(remarks, "net.nn:6: remark: not fused: exp (line 4) and argsort (line 6): a sort is a "
                    "kernel of its own");
}

static void test_iteration_space(void **state) {
    const char *text = module_of(*state, "", "self, x: f32[N, 64]) -> f32",
                                 "        y = x.sum(1)\n        return (y*y).sum(0)\n");
    expect(remarks_of(*state, text),
           "net.nn:5: remark: not fused: sum (line 4) and sum (line 5): another iteration space");
}

static void test_different_axes(void **state) {
    const char *text = module_of(*state, "", "self, x: f32[N, 64]) -> (y: f32[N], z: f32[64])",
                                 "        y = x.sum(1)\n        return y, x.sum(0)\n");
    expect(remarks_of(*state, text), "net.nn:5: remark: not fused: sum (line 4) and sum (line 5): "
                                     "the two reduce different axes");
}

static void test_away_from_index(void **state) {
    /* Row i has the sum over row i; the second wants that of row j. */
    const char *text =
        module_of(*state, "", "self, x: f32[64, 64]) -> (y: f32[64], z: f32[64, 64])",
                  "        y = x.sum(1)\n        return y, x - y\n");
    expect(remarks_of(*state, text),
           "net.nn:5: remark: not fused: sum (line 4) and sub (line 5): the second reads the first "
           "away from its own index");
}

static void test_value_in_between(void **state) {
    const char *text =
        module_of(*state, "", "self, x: f32[N, 64]) -> (y: f32[N, 64], z: f32[N, 64])",
                  "        y = exp(x)\n        z = y.cumsum(1)\n"
                  "        return y, y*z\n");
    expect(remarks_of(*state, text),
           "net.nn:6: remark: not fused: exp (line 4) and mul (line 6): a value in between is "
           "computed by another kernel");
}

static void test_cut_chain(void **state) {
    Text body = text_new(*state);
    for (int i = 0; i < 250; i++) text_append(&body, "        x = sin(x)\n");
    text_append(&body, "        return x\n");
    expect(
        remarks_of(*state, module_of(*state, "", "self, x: f32[N, 64]) -> f32[N, 64]", body.data)),
        "the chain of operators is cut here, which bounds the depth of expressions");
}

static void test_old_value_read_elsewhere(void **state) {
    const char *text = "module M {\n    state w: f32[64, 64] = 0\n"
                       "    def forward(self, x: f32[64]) -> f32[64] {\n"
                       "        self.w = exp(self.w.permute(1, 0)) + x\n"
                       "        return 2*x\n    }\n}\nexport M() as m\n";
    expect(remarks_of(*state, text),
           "net.nn:4: remark: not fused: w is computed into a temporary and copied: its old value "
           "is read elsewhere, at other elements or later [m]");
}

static void test_several_kernels(void **state) {
    const char *text = module_of(
        *state, "self.a = nn.Linear(64, 64)", "self, x: f32[N, 64]) -> (y: f32[N, 64], z: f32[64])",
        "        y = exp(tanh(x))\n        return y.cumsum(1), y.sum(0)\n");
    expect(remarks_of(*state, text), "and it is dearer to compute again than to load");
}

static void test_silent_unless_asked(void **state) {
    const char *text = module_of(*state, "", "self, x: f32[N, 64]) -> (y: f32[N, 64], s: f32[64])",
                                 "        y = exp(x)\n        return y, y.sum(0)\n");
    Text out = text_new(*state);
    kernel_print_remarks(&out, kernels_of(*state, text, false, 0), fusion);
    assert_int_equal(out.length, 0);
}

static void test_contractions(void **state) {
    const char *text =
        module_of(*state, "self.a = nn.Linear(64, 64)", "self, x: f32[N, 64]) -> f32[N, 64]",
                  "        return self.a(x)\n");
    Text out = text_new(*state);
    kernel_print_remarks(&out, kernels_of(*state, text, false, 0), 1u << REMARK_CONTRACTION);
    expect(out.data,
           "net.nn:4: remark: product: f32[N, 64] = f32[N, 64] x f32[64, 64]: leaf, columns packed "
           "stored");
}

static int steps_with_fence(Arena *arena, const char *text, int line) {
    return kernels_of(arena, text, false, line)->roots.data[0]->entries.data[0]->steps.count;
}

static void test_fence(void **state) {
    const char *text = module_of(*state, "", "self, x: f32[N, 64]) -> f32[N, 64]",
                                 "        y = exp(x)\n        z = sin(y)\n"
                                 "        return z * z + x\n");
    assert_int_equal(steps_with_fence(*state, text, 0), 1);
    assert_int_equal(steps_with_fence(*state, text, 4), 2);
    assert_int_equal(steps_with_fence(*state, text, 5), 3);
    assert_int_equal(steps_with_fence(*state, text, 6), 2);
    assert_int_equal(steps_with_fence(*state, text, 7), 1);
    Text out = text_new(*state);
    kernel_print_remarks(&out, kernels_of(*state, text, true, 5), fusion);
    expect(out.data, "net.nn:5: remark: not fused: exp (line 4) and sin (line 5): --no-fuse keeps "
                     "the lines apart");
}

/* The epilogue of a product is a fusion like any other. */
static void test_fence_behind_product(void **state) {
    const char *text =
        module_of(*state, "self.a = nn.Linear(64, 64)", "self, x: f32[N, 64]) -> f32[N, 64]",
                  "        y = self.a(x)\n        return tanh(y)\n");
    assert_int_equal(steps_with_fence(*state, text, 0), 1);
    assert_int_equal(steps_with_fence(*state, text, 5), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_product_reads_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reduction_after_product, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serial_stores, setup, teardown),
        cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_iteration_space, setup, teardown),
        cmocka_unit_test_setup_teardown(test_different_axes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away_from_index, setup, teardown),
        cmocka_unit_test_setup_teardown(test_value_in_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_value_read_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_several_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_unless_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contractions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fence_behind_product, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
