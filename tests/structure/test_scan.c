/* What the length of a scan costs the compiler: nothing.  One recurrent program with 1, 2, 10,000
 * and T steps, for inference and for training, has on the CPU as many steps, bodies of loops and
 * kernels, text of the same size, and takes the compiler the same work (its allocations).  On a GPU
 * the loops and their bodies are the same; around them a long sum may have a second kernel for its
 * parts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "emit/emit.h"
#include "structure/programs.h"

static const char *const lengths[] = {"T", "1", "2", "10000"};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* The example's own cell, in a file that imports it, and a loop beside it that has no result. */
static const char *const text =
    "from \"char_lstm.nn\" import Cell\n"
    "module Last {\n"
    "    self.cell = Cell(8, 12)\n"
    "    def forward(self, x: f32[%s, N, 8]) -> (out: f32[%s, N, 12], energy: f32[N]) {\n"
    "        out, _, c = self.cell(x)\n"
    "        scan energy = zeros(N) for xt, ot in reversed(x), out {\n"
    "            energy = 0.5 * energy + xt.sum(1) * ot.mean(1)\n"
    "        }\n"
    "        return out, energy + c.sum(1)\n"
    "    }\n"
    "}\n"
    "export Last() as last\n"
    "train Fit {\n"
    "    self.model = Last()\n"
    "    self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)\n"
    "    def step(self, x: f32[%s, N, 8], y: f32[%s, N, 12]) -> (loss: f32) {\n"
    "        out, energy = self.model(x)\n"
    "        loss = F.mse_loss(out, y) + energy.mean()\n"
    "        self.optimizer.zero_grad()\n"
    "        loss.backward()\n"
    "        self.optimizer.step()\n"
    "        return loss\n"
    "    }\n"
    "}\n";

typedef struct Measure {
    int steps, loops, bodies; /* of the top level, of scans, in all bodies of scans */
    int kernels;
    size_t bytes;  /* of the emitted text */
    size_t memory; /* that the compiler asked for */
} Measure;

static void count_steps(const Step *step, bool inside, Measure *m) {
    if (step->kind == STEP_LOOP) {
        m->loops++;
        for (int i = 0; i < step->body.count; i++) count_steps(step->body.data[i], true, m);
    }
    if (inside)
        m->bodies++;
    else
        m->steps++;
}

static Measure measure(const char *length, const char *entry, bool gpu) {
    Arena *arena = arena_new();
    names_init(arena);
    const char *path = SOURCE_DIR "/examples/test.nn";
    const char *program = arena_printf(arena, text, length, length, length, length);
    const KernelOptions options = {.gpu = gpu};
    const Plan *plan = plan_of_text_with(arena, path, program, &options);
    const KernelEntry *kernels = plan_entry(plan, entry)->entry;
    Measure m = {.kernels = plan->kernels->kernels.count};
    for (int i = 0; i < kernels->steps.count; i++) count_steps(kernels->steps.data[i], false, &m);
    if (!gpu) {
        EmitOptions emit = {.header_name = "m.h", .file_name = "m.c", .version = "test"};
        Text out = text_new(arena);
        emit_c(plan, &emit, &out);
        m.bytes = out.length;
    }
    m.memory = arena_bytes(arena);
    arena_free(arena);
    return m;
}

static void near(size_t have, size_t want) {
    assert_true(have * 100 < want * 104 && have * 100 > want * 96);
}

static void compare(const char *entry) {
    for (int gpu = 0; gpu < 2; gpu++) {
        const Measure of_symbol = measure(lengths[0], entry, gpu);
        assert_true(of_symbol.loops >= 2 && of_symbol.bodies > of_symbol.loops);
        for (int i = 1; i < LENGTHS; i++) {
            const Measure m = measure(lengths[i], entry, gpu);
            assert_int_equal(m.loops, of_symbol.loops);
            assert_int_equal(m.bodies, of_symbol.bodies);
            if (gpu) continue;
            assert_int_equal(m.steps, of_symbol.steps);
            assert_int_equal(m.kernels, of_symbol.kernels);
            near(m.bytes, of_symbol.bytes);
            near(m.memory, of_symbol.memory);
        }
    }
}

static void test_inference(void **state) {
    compare("last");
}
static void test_training(void **state) {
    compare("Fit_step");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inference),
        cmocka_unit_test(test_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
