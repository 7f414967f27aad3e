/* A value that many shifted views read is stored: the text and the compiler's work grow with the
 * number of steps, not with its power. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "emit/emit.h"
#include "structure/programs.h"

/* Heat on a torus, one step of which reads five neighbours, and its training. */
static const char *const heat = "train Heat {\n"
                                "    self.w = nn.Parameter(torch.ones(16, 16))\n"
                                "    self.o = optim.SGD([self.w], lr=0.1)\n"
                                "    def step(self, x: f32[N, 16, 16]) -> (loss: f32) {\n"
                                "        y = x * self.w\n"
                                "        for _ in range(%d) {\n"
                                "            near = torch.roll(y, 1, 1) + torch.roll(y, -1, 1) + "
                                "torch.roll(y, 1, 2) + torch.roll(y, -1, 2)\n"
                                "            y = torch.tanh(y + 0.1 * (near - 4 * y))\n"
                                "        }\n"
                                "        loss = (y * y).mean()\n"
                                "        self.o.zero_grad()\n"
                                "        loss.backward()\n"
                                "        self.o.step()\n"
                                "        return loss\n"
                                "    }\n"
                                "}\n";

/* Pieces put together along two axes, and the derivative. */
static const char *const pieces =
    "module Pieces {\n"
    "    def forward(self, x: f32[N, %d, 4], u: f32[N, 8, 8]) -> f32[N, 4, 4] {\n"
    "        y = torch.stack([x[:, i // 2] for i in range(8)], 1)\n"
    "        y = torch.stack([y[:, :, i // 2] for i in range(8)], 2)\n"
    "        return grad((y * u).sin().sum(), x)\n"
    "    }\n"
    "}\n"
    "export Pieces() as pieces\n";

/* Bytes of the text; `memory` is what the compiler asked for. */
static size_t size_of(const char *format, int number, bool gpu, size_t *memory) {
    Arena *arena = arena_new();
    names_init(arena);
    const KernelOptions options = {.gpu = gpu};
    const Plan *plan =
        plan_of_text_with(arena, "spread.nn", arena_printf(arena, format, number), &options);
    Text out = text_new(arena);
    if (!gpu) {
        EmitOptions emit = {.header_name = "m.h", .file_name = "m.c", .version = "test"};
        emit_c(plan, &emit, &out);
    }
    *memory = arena_bytes(arena);
    size_t bytes = out.length;
    arena_free(arena);
    return bytes;
}

static void test_steps(void **state) {
    for (int gpu = 0; gpu < 2; gpu++) {
        size_t few, many;
        const size_t four = size_of(heat, 4, gpu, &few), sixteen = size_of(heat, 16, gpu, &many);
        assert_true(sixteen <= 4 * four);
        assert_true(many <= 8 * few);
    }
}

static void test_pieces(void **state) {
    for (int gpu = 0; gpu < 2; gpu++) {
        size_t memory;
        assert_true(size_of(pieces, 4, gpu, &memory) < 200000);
        assert_true(memory < 16 << 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steps), cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
