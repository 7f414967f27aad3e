/* Every sample entry of tests/numeric/sample.h: verifies, makes the round trip through text, runs
 * in both modes at several sizes, and means the same after simplification. */
#include "unit/tensor/helpers.h"

#include "numeric/sample.h"
#include "tensor/simplify/simplify.h"

static uint64_t seed = 1;
static double unit(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

static void fill(Tensor *t, const Sample *s) {
    for (int64_t i = 0; i < t->count; i++) {
        double u = unit();
        if (t->floats)
            t->floats[i] = round_to_dtype(s->from + (s->to - s->from) * u, t->dtype);
        else if (t->dtype == DTYPE_BOOL)
            t->integers[i] = u < 0.5;
        else
            t->integers[i] = s->low + (int64_t)(u * (double)(s->high - s->low));
    }
}

static Program *program_of(const Sample *s) {
    const char *error,
        *text = arena_printf(arena, "root r infer {\n entry infer e random {\n%s\n}\n}\n", s->body);
    Program *program = program_read(arena, text, &error);
    if (!program) fail_msg("%s: %s\n%s", s->name, error, text);
    error = program_verify(program, arena);
    if (error) fail_msg("%s: %s\n%s", s->name, error, text);
    return program;
}

static void run(const Sample *s, Program *program, InterpretMode mode, int64_t n, uint64_t inputs,
                Tensor **results) {
    const Root *root = program->roots.data[0];
    const Entry *entry = root->entries.data[0];
    Environment *env = environment_new(arena, root, program->dims);
    int64_t symbols[8] = {0};
    symbols[dim_as_symbol(entry->dims.data[0])->index] = n;
    Tensor *arguments[8];
    seed = inputs;
    for (int i = 0; i < entry->arguments.count; i++) {
        arguments[i] = tensor_of_type(arena, &entry->arguments.data[i].node->type, symbols);
        fill(arguments[i], s);
    }
    const char *error = interpret_entry(env, mode, entry, &n, arguments, results);
    if (error) fail_msg("%s, N = %lld: %s\n%s", s->name, (long long)n, error, s->body);
}

static void test_samples(void **state) {
    static const int64_t sizes[] = {0, 1, 2, 3, 9, 33};
    SampleList names = samples_make(arena);
    assert_true(names.count > 800);
    int count = names.count;
    for (int i = 0; i < count; i++) {
        teardown(state);
        setup(state);
        SampleList list = samples_make(arena);
        const Sample *s = &list.data[i];
        Program *program = program_of(s), *simple = program_of(s);
        Text first = text_new(arena), second = text_new(arena);
        program_print(&first, program, 0);
        const char *error;
        program_print(&second, program_read(arena, first.data, &error), 0);
        assert_string_equal(first.data, second.data);
        simplify_program(simple);
        error = program_verify(simple, arena);
        if (error) fail_msg("%s: %s\n%s", s->name, error, s->body);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            if (sizes[k] < s->smallest) continue;
            Tensor *value[4], *typed[4], *after[4];
            run(s, program, INTERPRET_VALUE, sizes[k], k + 1, value);
            run(s, program, INTERPRET_TYPED, sizes[k], k + 1, typed);
            run(s, simple, INTERPRET_TYPED, sizes[k], k + 1, after);
            const Entry *entry = program->roots.data[0]->entries.data[0];
            for (int r = 0; r < entry->results.count; r++) {
                for (int64_t e = 0; e < typed[r]->count; e++) {
                    double a = tensor_get(value[r], e), b = tensor_get(typed[r], e);
                    double c = tensor_get(after[r], e);
                    double unit_roundoff = 8 * sample_tolerance(typed[r]->dtype);
                    double bound = s->tolerance > unit_roundoff ? s->tolerance : unit_roundoff;
                    if (!close_to(b, a, bound) || !close_to(c, b, bound))
                        fail_msg("%s, N = %lld, result %d, element %lld: value %.9g, typed %.9g, "
                                 "simplified %.9g\n%s",
                                 s->name, (long long)sizes[k], r, (long long)e, a, b, c, s->body);
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
