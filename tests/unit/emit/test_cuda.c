/* The kernel IR as CUDA text: an elementwise kernel and a row reduction are printed, and nvcc,
 * where there is one, accepts them;
 * what has no CUDA form is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emit/emit.h"
#include "tensor/ir.h"
#include "tensor/simplify.h"

static const char program_text[] =
    "root test infer {\n"
    "entry infer pointwise symbol=pointwise {\ndims N\n"
    "%0: f32[N, 300] = input x\n%1 = exp %0\n%2 = tanh %0\n%3 = mul %1, %2\nreturn y=%3\n}\n"
    "entry infer rows symbol=rows {\ndims N\n"
    "%0: f32[N, 3000] = input x\n%1 = reduce %0 kind=max axes=[1]\n"
    "%2: f32[N, 3000] = expand %1 axes=[0]\n%3 = sub %0, %2\n%4 = exp %3\n"
    "%5 = reduce %4 kind=sum axes=[1]\nreturn y=%5\n}\n"
    "entry infer wave symbol=wave {\ndims N\n"
    "%0: f32[N, 300] = input x\n%1 = sin %0\nreturn y=%1\n}\n"
    "entry infer whole symbol=whole {\ndims N\n"
    "%0: i32[N, 300] = input x\n%1 = maximum %0, %0\n%2 = abs %1\nreturn y=%2\n}\n}\n";

static const char *find_nvcc(void) {
    static const char *const places[] = {"nvcc", "/usr/local/cuda/bin/nvcc"};
    static char command[128];
    for (int i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", places[i]);
        if (system(command) == 0) return places[i];
    }
    return NULL;
}

/* Text of the only kernel of an entry. */
static Text kernel_text(Arena *arena, const Plan *plan, int entry) {
    const KernelEntry *e = plan->roots.data[0]->entries.data[entry]->entry;
    assert_int_equal(e->steps.count, 1);
    Text text = text_new(arena);
    assert_true(emit_cuda_kernel(plan, e->steps.data[0]->kernel, &text));
    return text;
}

static void compile(const char *name, const Text *text) {
    const char *nvcc = find_nvcc();
    if (!nvcc) skip();
    char path[512], command[1200];
    snprintf(path, sizeof path, "%s/cuda_%s.cu", BINARY_DIR, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text->data, f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command, "%s -w -std=c++14 -ptx '%s' -o '%s.ptx'", nvcc, path, path);
    assert_int_equal(system(command), 0);
}

static const Plan *plan_of_text(Arena *arena) {
    const char *error = NULL;
    names_init(arena);
    Program *program = program_read(arena, program_text, &error);
    if (!program) fail_msg("%s", error);
    simplify_program(program);
    return plan_build(arena, kernel_program_build(arena, program));
}

static void test_pointwise(void **state) {
    Arena *arena = arena_new();
    Text text = kernel_text(arena, plan_of_text(arena), 0);
    assert_non_null(strstr(text.data, "__global__"));
    assert_non_null(strstr(text.data, "blockIdx.x"));
    assert_non_null(strstr(text.data, "+= blockDim.x"));
    compile("pointwise", &text);
    arena_free(arena);
}

static void test_rows(void **state) {
    Arena *arena = arena_new();
    Text text = kernel_text(arena, plan_of_text(arena), 1);
    assert_non_null(strstr(text.data, "NN_BLOCK_FOLD(float, "));
    assert_non_null(strstr(text.data, "NN_SUM"));
    assert_non_null(strstr(text.data, "NN_MAX"));
    compile("rows", &text);
    arena_free(arena);
}

/* Operators that the prologue does not define are refused, and nothing is written. */
static void test_refusals(void **state) {
    Arena *arena = arena_new();
    const Plan *plan = plan_of_text(arena);
    for (int entry = 2; entry < 4; entry++) {
        const KernelEntry *e = plan->roots.data[0]->entries.data[entry]->entry;
        Text text = text_new(arena);
        assert_int_equal(e->steps.count, 1);
        assert_false(emit_cuda_kernel(plan, e->steps.data[0]->kernel, &text));
        assert_int_equal(text.length, 0);
    }
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pointwise),
                                       cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
