/* Compiled programs in f32: every element of outputs, losses and gradients against the same program
 * in f64, whose results are PyTorch's (norms, sums and sampled elements of the fixtures), and
 * updates of the optimizers, from given gradients, against PyTorch's own in f32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree_compiled.h"

/* PyTorch's own tolerance for f32 (torch.testing.assert_close) is relative 1.3e-6; a sum of K
 * terms, added up in a tree, loses at most 1 + log2 K times that of one operation.  The absolute
 * part is for elements that are small because terms cancel. */
static const double relative = 1.3e-6, absolute = 1e-5;

static double bound(int64_t terms, double want) {
    return absolute + relative * (1 + log2((double)terms)) * fabs(want);
}

/* Each element within the bound; so is the whole, as a vector: its error is at most that of the
 * norm, which finds errors that are small against `absolute` but systematic. */
static void compare(const char *key, const Tensor *have, const Tensor *want, int64_t terms) {
    assert_int_equal(have->count, want->count);
    double squares = 0, norm = 0;
    for (int64_t i = 0; i < want->count; i++) {
        double h = tensor_get(have, i), w = tensor_get(want, i), e = h - w;
        if (!(fabs(e) <= bound(terms, w)))
            fail_msg("%s[%lld] is %.9g, wanted %.9g", key, (long long)i, h, w);
        squares += e * e, norm += w * w;
    }
    if (!(sqrt(squares) <= bound(terms, sqrt(norm))))
        fail_msg("%s: the norm of the error is %g, of the value %g", key, sqrt(squares),
                 sqrt(norm));
}

typedef struct Pair {
    Arena *arena;
    Machine *machines[2]; /* f64, f32 */
    Fixtures *fixtures;
} Pair;

static Pair open_pair(const char *program, const char *root) {
    agree_tolerance = 1e-9; /* of the f64 side */
    Pair p = {.arena = arena_new()};
    const char *path = arena_printf(p.arena, "tests/programs/agree/%s.nn", program);
    for (int i = 0; i < 2; i++) {
        Program *lowered = agree_lower_as(p.arena, path, i ? DTYPE_F32 : DTYPE_F64);
        Machine *m = agree_machine(p.arena, lowered, agree_root(lowered, root));
        p.machines[i] = m;
    }
    p.fixtures = agree_read(p.arena, program);
    return p;
}

static void close_pair(Pair *p) {
    for (int i = 0; i < 2; i++) p->machines[i]->close(p->machines[i]);
    arena_free(p->arena);
}

/* `terms`: the longest sum of the program's forward and backward pass. */
static void outputs(const char *program, int64_t terms) {
    Pair p = open_pair(program, "infer");
    Tensor *results[2];
    for (int i = 0; i < 2; i++)
        results[i] = agree_call(p.machines[i], agree_entry(p.machines[i]->root, "infer"), 0)[0];
    const Fixture *f = agree_find(p.fixtures, "infer.output");
    assert_int_equal(results[0]->count, f->count);
    for (int i = 0; i < f->count; i++)
        agree_number(f->key, i, tensor_get(results[0], i), f->values[i], 0);
    compare(f->key, results[1], results[0], terms);
    close_pair(&p);
}

static void gradients(const char *program, int64_t terms) {
    Pair p = open_pair(program, "Gradients");
    const Entry *entry = agree_entry(p.machines[0]->root, "step");
    Tensor **results[2];
    for (int i = 0; i < 2; i++)
        results[i] = agree_call(p.machines[i], agree_entry(p.machines[i]->root, "step"), 0);
    agree_number("Gradients.loss", 0, tensor_get(results[0][0], 0),
                 agree_find(p.fixtures, "Gradients.loss")->values[0], 0);
    const Root *root = p.machines[0]->root;
    for (int i = 0, at = 1; i < root->cells.count; i++)
        if (root->cells.data[i]->role == CELL_PARAMETER)
            agree_tensor(p.fixtures,
                         arena_printf(p.arena, "grad.%s", root->cells.data[i]->name->text),
                         results[0][at++]);
    for (int r = 0; r < entry->results.count; r++)
        compare(entry->results.data[r].name->text, results[1][r], results[0][r], terms);
    close_pair(&p);
}

static void test_fashion_outputs(void **state) {
    outputs("fashion_mnist", 784);
}
static void test_fashion_gradients(void **state) {
    gradients("fashion_mnist", 784);
}
static void test_lenet_outputs(void **state) {
    outputs("lenet", 576);
}
/* The first filter's gradient adds up 6 x 30 x 30 products. */
static void test_lenet_gradients(void **state) {
    gradients("lenet", 5400);
}
static void test_custom_outputs(void **state) {
    outputs("custom", 16);
}
/* The norm's gradient adds up 6 rows, the penalty 6 x 16 squares. */
static void test_custom_gradients(void **state) {
    gradients("custom", 96);
}

/* Two updates from given gradients: the second reads the state that the first made.  An update of
 * one element has no sums, the loss has 35 terms. */
static void test_updates(void **state) {
    static const char *const names[] = {"Sgd", "Momentum", "Adam", "AdamW", "Lions", "Plain"};
    Arena *arena = arena_new();
    const Program *program = agree_lower_as(arena, "tests/programs/agree/updates.nn", DTYPE_F32);
    const Fixtures *all = agree_read(arena, "updates");
    int compared = 0;
    for (int n = 0; n < 6; n++) {
        const Root *root = agree_root(program, names[n]);
        Machine *m = agree_machine(arena, program, root);
        for (int k = 0; k < 2; k++) {
            Tensor *loss = agree_call(m, agree_entry(root, "step"), k)[0];
            const Fixture *f = agree_find(all, arena_printf(arena, "%s.loss%d", names[n], k));
            Tensor *want = tensor_new(arena, DTYPE_F64, 0, NULL);
            tensor_set(want, 0, f->values[0]);
            compare(f->key, loss, want, 35);
            f = agree_find(all, arena_printf(arena, "%s.weight%d", names[n], k));
            for (int c = 0; c < root->cells.count; c++) {
                if (root->cells.data[c]->role != CELL_PARAMETER) continue;
                Tensor *have = m->get(m, c);
                want = tensor_new(arena, DTYPE_F64, have->rank, have->extents);
                assert_int_equal(want->count, f->count);
                for (int i = 0; i < f->count; i++) tensor_set(want, i, f->values[i]);
                compare(f->key, have, want, 1);
                compared++;
            }
        }
        m->close(m);
    }
    assert_int_equal(compared, 12);
    arena_free(arena);
}

int main(void) {
    agree_open = compiled_open;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fashion_outputs), cmocka_unit_test(test_fashion_gradients),
        cmocka_unit_test(test_lenet_outputs),   cmocka_unit_test(test_lenet_gradients),
        cmocka_unit_test(test_custom_outputs),  cmocka_unit_test(test_custom_gradients),
        cmocka_unit_test(test_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
