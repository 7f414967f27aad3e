/* The nth allocation fails, for every n: parsing and printing end in the failure handler, and
 * nothing is lost. */
#include "syntax_test.h"

static jmp_buf jump;
static long left;
static void *failing(size_t bytes) {
    return left-- > 0 ? malloc(bytes) : NULL;
}
static void failed(size_t bytes, void *user) {
    longjmp(jump, 1);
}

static const char text[] =
    "## Doc.\nmodule A(C: int, *rest) {\n    param w: f32[C, ...S] = init.ones()  # why\n"
    "    def f(self, x) -> (y: f32[N]) where N > 1 { return x[1:, None] + [i for i in x] }\n}\n"
    "x = = 3\ny = f(1,\n  # own\n  2)\nclass B(nn.Module):\n    def g(self):\n        return 1\n";

static bool attempt(void) {
    if (setjmp(jump)) {
        arena_free_all();
        return false;
    }
    arena = arena_new();
    names_init(arena);
    SourceUnit *unit = parse(arena_strdup(arena, text));
    dump(unit);
    if (!unit->lost_count) format(unit);
    arena_free(arena);
    return true;
}

static void test_every_allocation(void **state) {
    memory_set_failure(failed, NULL);
    memory_set_hook(failing);
    int failures = 0;
    for (long n = 0;; n++) {
        left = n;
        if (attempt()) break;
        failures++;
        assert_true(n < 10000);
    }
    memory_set_hook(NULL);
    memory_set_failure(NULL, NULL);
    assert_true(failures > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
