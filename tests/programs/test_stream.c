/* A stream of the example, given one character at a time, remembers: with the values of a model of
 * one layer it gives what that gives for the whole text at once, and again after a reset; in the
 * interpreter and in compiled code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>

#include "programs/agree_compiled.h"

enum { LENGTH = 40 };

/* The key that a parameter of the stream has in the model. */
static const char *key_of_model(const char *key) {
    static const char *const keys[][2] = {{"cell.weight_ih", "lstm.weight_ih_l0"},
                                          {"cell.weight_hh", "lstm.weight_hh_l0"},
                                          {"cell.bias_ih", "lstm.bias_ih_l0"},
                                          {"cell.bias_hh", "lstm.bias_hh_l0"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!strcmp(key, keys[i][0])) return keys[i][1];
    return key;
}

static int cell_of(const Root *root, const char *key) {
    for (int i = 0; i < root->cells.count; i++)
        if (!strcmp(root->cells.data[i]->name->text, key)) return i;
    fail_msg("no cell %s", key);
    return -1;
}

static void copy_parameters(Machine *stream, Machine *whole) {
    int copied = 0;
    for (int i = 0; i < stream->root->cells.count; i++) {
        const Cell *cell = stream->root->cells.data[i];
        if (cell->role != CELL_PARAMETER) continue;
        int from = cell_of(whole->root, key_of_model(cell->name->text));
        stream->set(stream, i, whole->get(whole, from));
        copied++;
    }
    assert_int_equal(copied, 7);
}

static void interpreter_reset(Machine *m) {
    const char *error =
        interpret_entry(m->state, INTERPRET_VALUE, agree_entry(m->root, "reset"), NULL, NULL, NULL);
    if (error) fail_msg("%s", error);
}

/* As a C program would: by its name in the header. */
static void compiled_reset(Machine *m) {
    Compiled *c = m->state;
    int (*reset)(nnc_context * context) = NULL;
    *(void **)&reset = dlsym(c->model.library.library, "stream_reset");
    assert_non_null(reset);
    assert_int_equal(reset(&c->session.context), NNC_OK);
}

static void compare(Machine *stream, const Tensor *text, const Tensor *want, int first, int last) {
    const int64_t extent = AGREE_BATCH;
    for (int t = first; t < last; t++) {
        Tensor *ch = tensor_new(stream->arena, DTYPE_U8, 1, &extent);
        for (int n = 0; n < AGREE_BATCH; n++)
            tensor_set(ch, n, tensor_get(text, t * AGREE_BATCH + n));
        Tensor *have = stream->call(stream, agree_entry(stream->root, "stream"), &ch)[0];
        const int64_t each = have->count;
        assert_int_equal(want->count, each * LENGTH);
        for (int64_t i = 0; i < each; i++) {
            double h = tensor_get(have, i), w = tensor_get(want, t * each + i);
            if (!(fabs(h - w) <= 1e-13 * fmax(1, fabs(w))))
                fail_msg("character %d, element %d: %.17g, at once %.17g", t, (int)i, h, w);
        }
    }
}

static void test_stream(Machine *(*open)(Arena *, const Program *, const Root *),
                        void (*reset)(Machine *)) {
    Arena *arena = arena_new();
    const Program *program = agree_lower(arena, "tests/programs/agree/recurrent.nn");
    agree_open = open;
    Machine *whole = agree_machine(arena, program, agree_root(program, "whole"));
    Machine *stream = agree_machine(arena, program, agree_root(program, "stream"));
    copy_parameters(stream, whole);
    const int64_t extents[] = {LENGTH, AGREE_BATCH};
    Tensor *text = tensor_new(arena, DTYPE_U8, 2, extents);
    for (int64_t i = 0; i < text->count; i++)
        tensor_set(text, i, floor(12 * agree_uniform("text", i)));
    const Tensor *want = whole->call(whole, agree_entry(whole->root, "whole"), &text)[0];
    compare(stream, text, want, 0, LENGTH);
    reset(stream);
    compare(stream, text, want, 0, 5);
    reset(stream);
    compare(stream, text, want, 0, LENGTH);
    whole->close(whole);
    stream->close(stream);
    arena_free(arena);
}

static void test_interpreter(void **state) {
    test_stream(interpreter_open, interpreter_reset);
}
static void test_compiled(void **state) {
    test_stream(compiled_open, compiled_reset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpreter),
        cmocka_unit_test(test_compiled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
