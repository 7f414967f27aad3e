/* Numbers at the edges as PyTorch has them: ties, NaN, infinities, zeros of both signs, empty
 * tensors, ids out of range; in the interpreter and in compiled code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree_compiled.h"

/* Arguments and results as numbers, one string each; _ is any value. */
typedef struct Edge {
    const char *entry;
    const char *arguments[2];
    const char *results[7];
} Edge;

static const Edge edges[] = {
    /* relu'(0) = 0; NaN goes through, its derivative is that of the line above 0 */
    {"relu", {"nan -1 0 -0 2 inf -inf"}, {"nan 0 0 0 2 inf 0", "1 0 0 0 1 1 0"}},
    /* selu'(0) is that from below */
    {"selu", {"0 1 -1"}, {"0 1.0507010 -1.1113307", "1.7580993 1.0507010 0.6467686"}},
    {"integer_signs", {"-3 0 5", "7 0 -2"}, {"-1 0 1", "1 0 -1"}},
    {"powers",
     {"2 -4 0 -0 inf nan", "-2 3 0 1 -1 2"},
     {"0.5 -0.25 inf -inf 0 nan", "0.25 0.0625 inf inf 0 nan", "1 1 1 1 1 1", "-8 27 0 1 -1 8",
      "1 1 1 1 1 1"}},
    {"clip", {"nan -2 -1 0 1 2 inf -inf"}, {"nan -1 -1 0 1 1 1 -1", "_ 0 1 1 1 0 0 0"}},
    {"maximum",
     {"nan 1 2 3 inf -inf", "1 nan 2 1 0 -inf"},
     {"nan nan 2 3 inf -inf", "_ _ 0.5 1 1 0.5", "_ _ 0.5 0 0 0.5"}},
    {"minimum",
     {"nan 1 2 3 inf -inf", "1 nan 2 1 0 -inf"},
     {"nan nan 2 1 0 -inf", "_ _ 0.5 0 0 0.5", "_ _ 0.5 1 1 0.5"}},
    /* amax and max of all share the gradient among ties, max(dim) and pooling take the first */
    {"amax",
     {"1 3 3 2  0 0 0 0  1 nan 2 0"},
     {"3 0 nan", "0 0.5 0.5 0 0.25 0.25 0.25 0.25 _ _ _ _"}},
    {"max_dim",
     {"1 3 3 2  0 0 0 0  1 nan nan 0"},
     {"3 0 nan", "1 0 1", "0 1 0 0  1 0 0 0  0 1 0 0"}},
    {"max_all", {"1 3 3 2  0 3 1 2"}, {"3", "0 1/3 1/3 0 0 1/3 0 0"}},
    {"max_all", {"1 3 nan 2"}, {"nan", "_ _ _ _"}},
    {"pool",
     {"1 5 2 -1  5 5 2 2   0 0 1 nan  0 0 nan 2"},
     {"5 2 0 nan", "0 1 1 0  0 0 0 0   1 0 0 1  0 0 0 0"}},
    {"bins", {"1 2 3 4"}, {"1.5 3.5", "1 2 3 4", "2.5 2.5 4.5 4.5"}},
    {"bins",
     {"1 3 -2 0  5 5 4 2  0 1 7 1"},
     {"2 2.5", "2/3 10/3 2 3", "1 1 1 1 1 1  7/6 7/6 7/6 7/6 7/6 7/6"}},
    /* norm'(0) = 0 */
    {"norm", {"0 0 0"}, {"0", "0 0 0"}},
    {"norm", {"3 0 -4"}, {"5", "0.6 0 -0.8"}},
    {"norm", {"3 nan 4"}, {"nan", "_ nan _"}},
    {"sorted", {"2 nan 1 inf 1 -inf nan"}, {"-inf 1 1 2 inf nan nan", "5 2 4 0 3 1 6", "1", "1"}},
    {"sorted", {"2 7 1 7 1"}, {"1 1 2 7 7", "2 4 0 1 3", "1", "2"}},
    {"softmax",
     {"-inf -inf -inf  1000 0 1000  -inf 0 -inf  nan 0 0  -1e30 -1e30 -1e30"},
     {"nan nan nan  0.5 0 0.5  0 1 0  nan nan nan  1/3 1/3 1/3",
      "nan nan nan  -0.69314718 -1000.6931 -0.69314718  -inf 0 -inf  nan nan nan"
      "  -1.0986123 -1.0986123 -1.0986123"}},
    {"ignored", {"1 2 3  4 5 6", "-100 -100"}, {"nan", "0", "0 0 0 0 0 0"}},
    {"ignored", {"0 0 0  9 9 9", "-100 1"}, {"1.0986123", "1.0986123", "0 0 0  1/3 -2/3 1/3"}},
    {"empty", {""}, {"0", "nan", "1"}},
    {"divided", {"7 -7 7 -7 6 -6 0", "2 2 -2 -2 3 3 5"}, {"3 -4 -4 3 2 -2 0", "1 1 -1 -1 0 0 0"}},
    {"divided_floats",
     {"7 -7 7 -7 5.5 -0.5 1", "2 2 -2 -2 2 1 inf"},
     {"3 -4 -4 3 2 -1 0", "1 1 -1 -1 1.5 0.5 1"}},
    /* truncation, the ends, NaN: defined here, where C and PyTorch leave it open */
    {"casts",
     {"2.9 -2.9 3e9 -3e9 300 nan inf 0"},
     {"2 -2 2147483647 -2147483648 300 0 2147483647 0", "2 0 255 0 255 0 255 0",
      "2 -2 3000000000 -3000000000 300 0 9223372036854775807 0", "1 1 1 1 1 1 1 0"}},
    {"zeros_seen",
     {"0 -0"},
     {"-inf inf", "inf inf", "inf inf", "inf inf", "inf -inf", "inf -inf", "inf -inf"}},
    {"zeros_seen",
     {"-0.25 -4"},
     {"4 0.25", "4 0.25", "-4 -0.25", "4 0.25", "-4 -0.25", "-inf -inf", "-inf -0.25"}},
    {"signs", {"nan 0 -0 inf -3"}, {"0 0 0 1 -1", "1 0 0 0 0"}},
    {"roots", {"0 -1 4 nan inf"}, {"0 nan 2 nan inf", "inf nan 0.25 nan 0"}},
};

static int numbers(const char *text, double *values, bool *any) {
    int count = 0;
    char *end = NULL;
    while (text += strspn(text, " "), *text) {
        any[count] = *text == '_';
        values[count] = any[count] ? 0 : strtod(text, &end);
        text = any[count] ? text + 1 : end;
        if (*text == '/') values[count] /= strtod(text + 1, &end), text = end;
        count++;
    }
    return count;
}

static Tensor *argument_of(Arena *arena, const Argument *argument, const char *text) {
    double values[64];
    bool any[64];
    int count = numbers(text, values, any);
    const TensorType *type = &argument->node->type;
    int64_t extents[SHAPE_MAX_RANK], rest = 1;
    for (int i = 1; i < type->shape.rank; i++) {
        assert_true(dim_is_const(type->shape.dims[i], &extents[i]));
        rest *= extents[i];
    }
    extents[0] = count / rest;
    Tensor *t = tensor_new(arena, type->dtype, type->shape.rank, extents);
    for (int i = 0; i < count; i++) tensor_set(t, i, values[i]);
    return t;
}

static void check_edge(Machine *m, const Edge *edge) {
    const Entry *entry = agree_entry(m->root, edge->entry);
    Tensor *arguments[2];
    for (int i = 0; i < entry->arguments.count; i++)
        arguments[i] = argument_of(m->arena, &entry->arguments.data[i], edge->arguments[i]);
    Tensor **results = m->call(m, entry, arguments);
    for (int i = 0; i < entry->results.count; i++) {
        double want[64];
        bool any[64];
        int count = numbers(edge->results[i], want, any);
        assert_int_equal(results[i]->count, count);
        for (int k = 0; k < count; k++) {
            double have = tensor_get(results[i], k);
            bool good = any[k] || have == want[k] || (isnan(have) && isnan(want[k])) ||
                        fabs(have - want[k]) <= 1e-6 * fabs(want[k]); /* five operations in f32 */
            if (!good)
                fail_msg("%s(%s), result %d, element %d: %.9g, not %.9g", edge->entry,
                         edge->arguments[0], i, k, have, want[k]);
        }
    }
}

static void check_edges(Machine *(*open)(Arena *, const Program *, const Root *)) {
    Arena *arena = arena_new();
    const Program *program = agree_lower_as(arena, "tests/programs/edges.nn", DTYPE_F32);
    agree_open = open;
    Machine *m = agree_machine(arena, program, agree_root(program, "Edges"));
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) check_edge(m, &edges[i]);
    m->close(m);
    arena_free(arena);
}

static void test_interpreter(void **state) {
    check_edges(interpreter_open);
}
static void test_compiled(void **state) {
    check_edges(compiled_open);
}

/* Ids out of range: the error names the argument, and no cell has changed. */
static void test_ranges(void **state) {
    static const char *const bad[] = {"0 3", "-1 0", "-101 1", "2147483648 0"};
    for (int compiled = 0; compiled < 2; compiled++) {
        Arena *arena = arena_new();
        const Program *program = agree_lower_as(arena, "tests/programs/edges.nn", DTYPE_F32);
        agree_open = compiled ? compiled_open : interpreter_open;
        Machine *m = agree_machine(arena, program, agree_root(program, "Edges"));
        const Entry *entry = agree_entry(m->root, "step");
        Tensor *x = argument_of(arena, &entry->arguments.data[0], "1 2 3  4 5 6");
        int w = 0;
        while (strcmp(m->root->cells.data[w]->name->text, "w")) w++;
        double before[3];
        for (int k = 0; k < 3; k++) before[k] = tensor_get(m->get(m, w), k);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            Tensor *label = argument_of(arena, &entry->arguments.data[1], bad[i]);
            const char *message;
            if (compiled) {
                Compiled *c = m->state;
                NncError error = {0};
                const nnc_entry_info *info = nnc_model_entry(c->model.table, "step");
                float data[6], loss = 7;
                int64_t ids[2], n = 2;
                tensor_to_bytes(x, data);
                tensor_to_bytes(label, ids);
                const void *in[] = {data, ids};
                void *out[] = {&loss};
                assert_false(nnc_session_call(&c->session, info, &n, in, out, &error));
                assert_true(loss == 7);
                message = arena_strdup(arena, error.text);
            } else {
                message = interpret_entry(m->state, INTERPRET_TYPED, entry, NULL,
                                          (Tensor *[]){x, label}, NULL);
                assert_non_null(message);
            }
            if (!strstr(message, "label")) fail_msg("no argument in '%s'", message);
            for (int k = 0; k < 3; k++) assert_true(tensor_get(m->get(m, w), k) == before[k]);
        }
        /* ignore_index passes, and a good label changes the cell. */
        Tensor *good[] = {x, argument_of(arena, &entry->arguments.data[1], "-100 1")};
        m->call(m, entry, good);
        assert_true(tensor_get(m->get(m, w), 0) != before[0]);
        m->close(m);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpreter),
        cmocka_unit_test(test_compiled),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
