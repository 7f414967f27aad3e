/* The example programs as tensor programs: lowered and simplified forms verify, make the round trip
 * through text, and mean the same (interpreted in f64, every entry, where the model is small). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "lower/lower.h"
#include "syntax/parse.h"
#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

static const char *const examples[] = {"char_lstm", "custom",   "fashion_mnist", "gpt2",
                                       "lenet",     "resnet18", "wgan_gp"};

static Program *lower_example(Arena *arena, const char *name) {
    const char *path = arena_printf(arena, "%s/examples/%s.nn", SOURCE_DIR, name), *error = NULL;
    size_t length;
    char *text = file_read_all(arena, path, 1 << 20, &length, &error);
    if (!text) fail_msg("%s", error);
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceUnit *unit = syntax_parse(arena, source_new(arena, path, text, length), sink);
    LowerOptions options = {.default_dtype = DTYPE_F64};
    Program *program = lower_program(arena, unit, &options, sink);
    if (!program) {
        diagnostics_print(sink, stderr, FORM_SHORT, false);
        fail_msg("%s does not lower", name);
    }
    return program;
}

static void verify(const Program *program, Arena *arena, const char *name, const char *when) {
    const char *error = program_verify(program, arena);
    if (error) fail_msg("%s, %s: %s", name, when, error);
}

static void round_trip(const Program *program, Arena *arena, const char *name) {
    Text first = text_new(arena), second = text_new(arena);
    const char *error = NULL;
    program_print(&first, program, 0);
    Program *again = program_read(arena, first.data, &error);
    if (!again) fail_msg("%s: %s", name, error);
    verify(again, arena, name, "read back");
    program_print(&second, again, 0);
    assert_string_equal(first.data, second.data);
}

static void test_forms(void **state) {
    const char *name = *state;
    Arena *arena = arena_new();
    names_init(arena);
    Program *program = lower_example(arena, name);
    verify(program, arena, name, "lowered");
    round_trip(program, arena, name);
    simplify_program(program);
    verify(program, arena, name, "simplified");
    round_trip(program, arena, name);
    arena_free(arena);
}

/* ---- values ---- */

static uint64_t draws;
static double draw(void) {
    draws = draws * 6364136223846793005u + 1442695040888963407u;
    return (double)(draws >> 11) * 0x1p-53;
}

static int64_t cell_elements(const Root *root) {
    int64_t total = 0;
    for (int i = 0; i < root->cells.count; i++) {
        const Shape *s = &root->cells.data[i]->type.shape;
        int64_t count = 1, extent;
        for (int j = 0; j < s->rank; j++) count *= dim_is_const(s->dims[j], &extent) ? extent : 4;
        total += count;
    }
    return total;
}

/* Runs init and then every other entry; all results and cells of all calls, in order. */
typedef struct Trace {
    Arena *arena;
    VECTOR(const Tensor *) values;
} Trace;

static void keep(Trace *trace, const Tensor *t) {
    if (!t) return;
    Tensor *copy = tensor_new(trace->arena, t->dtype, t->rank, t->extents);
    for (int64_t i = 0; i < t->count; i++) tensor_set(copy, i, tensor_get(t, i));
    vector_push(trace->arena, &trace->values, (const Tensor *)copy);
}

static void run_entry(Trace *trace, Environment *env, const Program *program, const Root *root,
                      const Entry *entry, const char *name) {
    Arena *arena = trace->arena;
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(program->dims), int64_t);
    int64_t *dims = NEW_ARRAY(arena, (size_t)entry->dims.count + 1, int64_t);
    for (int i = 0; i < entry->dims.count; i++) {
        const DimSymbol *s = dim_as_symbol(entry->dims.data[i]);
        int64_t least = s->lower > 3 ? s->lower : 3, step = dim_symbol_divisor(program->dims, s);
        dims[i] = symbols[s->index] = (least + step - 1) / step * step;
    }
    Tensor **arguments = NEW_ARRAY(arena, (size_t)entry->arguments.count + 1, Tensor *);
    for (int i = 0; i < entry->arguments.count; i++) {
        Tensor *t = arguments[i] =
            tensor_of_type(arena, &entry->arguments.data[i].node->type, symbols);
        assert_non_null(t);
        for (int64_t j = 0; j < t->count; j++) tensor_set(t, j, t->floats ? draw() : draw() < 0.5);
    }
    Tensor **results = NEW_ARRAY(arena, (size_t)entry->results.count + 1, Tensor *);
    const char *error = interpret_entry(env, INTERPRET_VALUE, entry, dims, arguments, results);
    if (error) fail_msg("%s, %s.%s: %s", name, root->name->text, entry->name->text, error);
    for (int i = 0; i < entry->results.count; i++) keep(trace, results[i]);
    for (int i = 0; i < root->cells.count; i++) keep(trace, env->cells[i]);
}

static void run_root(Trace *trace, const Program *program, const Root *root, const char *name) {
    Environment *env = environment_new(trace->arena, root, program->dims);
    env->seed = 3;
    draws = 1;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < root->entries.count; i++)
            if ((root->entries.data[i]->kind == ENTRY_INIT) == (pass == 0))
                run_entry(trace, env, program, root, root->entries.data[i], name);
}

static void test_values(void **state) {
    const char *name = *state;
    Arena *arena = arena_new();
    names_init(arena);
    Program *program = lower_example(arena, name), *simple = lower_example(arena, name);
    simplify_program(simple);
    int compared = 0;
    for (int i = 0; i < program->roots.count; i++) {
        if (cell_elements(program->roots.data[i]) > 3000000) continue;
        Trace before = {.arena = arena}, after = {.arena = arena};
        run_root(&before, program, program->roots.data[i], name);
        run_root(&after, simple, simple->roots.data[i], name);
        assert_int_equal(before.values.count, after.values.count);
        for (int j = 0; j < before.values.count; j++) {
            const Tensor *a = before.values.data[j], *b = after.values.data[j];
            assert_int_equal(a->count, b->count);
            for (int64_t k = 0; k < a->count; k++) {
                double x = tensor_get(a, k), y = tensor_get(b, k);
                if (!(fabs(x - y) <= 1e-9 * (1 + fabs(x))))
                    fail_msg("%s: value %d, element %lld: %.17g, simplified %.17g", name, j,
                             (long long)k, x, y);
            }
        }
        compared++;
    }
    arena_free(arena);
    if (compared == 0) skip();
}

int main(void) {
    enum { COUNT = sizeof examples / sizeof *examples };
    static struct CMUnitTest tests[2 * COUNT];
    for (int i = 0; i < COUNT; i++) {
        tests[2 * i] =
            (struct CMUnitTest){examples[i], test_forms, NULL, NULL, (void *)examples[i]};
        tests[2 * i + 1] =
            (struct CMUnitTest){examples[i], test_values, NULL, NULL, (void *)examples[i]};
    }
    return _cmocka_run_group_tests("examples", tests, 2 * COUNT, NULL, NULL);
}
