/* One compiled object runs every batch size: a batch's rows do not depend on its other rows, an
 * empty batch has empty outputs and PyTorch's loss and gradients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "programs/agree_compiled.h"

/* A row's sums may be added up in another order in another batch: within the bound of a sum of K
 * terms in f32 (relative 1.3e-6 an operation, 1 + log2 K of them in a tree; absolute for cancelled
 * terms).  K is 784 at most in both programs. */
static double bound(double want) {
    return 1e-5 + 1.3e-6 * (1 + log2(784)) * fabs(want);
}

/* The first `rows` rows of the batch of `all` from row `start`. */
static Tensor *rows_of(Arena *arena, const Tensor *all, int64_t start, int64_t rows) {
    int64_t extents[SHAPE_MAX_RANK], each = 1;
    for (int k = 0; k < all->rank; k++) extents[k] = all->extents[k];
    for (int k = 1; k < all->rank; k++) each *= extents[k];
    extents[0] = rows;
    Tensor *t = tensor_new(arena, all->dtype, all->rank, extents);
    for (int64_t i = 0; i < rows * each; i++) tensor_set(t, i, tensor_get(all, start * each + i));
    return t;
}

static void compare_rows(const Tensor *have, const Tensor *all, int64_t start) {
    int64_t each = all->count / all->extents[0];
    for (int64_t i = 0; i < have->count; i++) {
        double h = tensor_get(have, i), w = tensor_get(all, start * each + i);
        if (!(fabs(h - w) <= bound(w)))
            fail_msg("row %lld of %lld is %.9g, %.9g in the large batch", (long long)(i / each),
                     (long long)have->extents[0], h, w);
    }
}

static void batches(const char *name) {
    static const int64_t sizes[] = {0, 1, 7, 64, 1000, 0, 64, 1};
    Arena *arena = arena_new();
    const char *path = arena_printf(arena, "tests/programs/agree/%s.nn", name);
    const Program *program = agree_lower_as(arena, path, DTYPE_F32);
    const Root *root = agree_root(program, "infer");
    const Entry *entry = agree_entry(root, "infer");
    Machine *m = agree_machine(arena, program, root);
    Tensor *input = agree_argument(arena, &entry->arguments.data[0], 0, 1000);
    Tensor *all = m->call(m, entry, &input)[0];
    assert_int_equal(all->extents[0], 1000);
    double squares = 0;
    for (int64_t i = 0; i < all->count; i++) squares += tensor_get(all, i) * tensor_get(all, i);
    assert_true(squares > 1); /* NaN and an output left alone are not equal rows */
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        Tensor *some = rows_of(arena, input, 1000 - sizes[s], sizes[s]);
        Tensor *out = m->call(m, entry, &some)[0];
        assert_int_equal(out->rank, 2);
        assert_int_equal(out->extents[0], sizes[s]);
        assert_int_equal(out->extents[1], 10);
        compare_rows(out, all, 1000 - sizes[s]);
    }
    for (int64_t row = 0; row < 1000; row++) {
        Tensor *one = rows_of(arena, input, row, 1);
        compare_rows(m->call(m, entry, &one)[0], all, row);
    }
    m->close(m);
    arena_free(arena);
}

static void test_fashion(void **state) {
    batches("fashion_mnist");
}
static void test_lenet(void **state) {
    batches("lenet");
}

/* A mean over nothing is NaN; the gradients, sums over nothing, are zero: before and after a batch
 * with rows, on the same object. */
static void empty_batch(const char *name, DType dtype) {
    Arena *arena = arena_new();
    const char *path = arena_printf(arena, "tests/programs/agree/%s.nn", name);
    const Program *program = agree_lower_as(arena, path, dtype);
    const Fixtures *all = agree_read(arena, "empty");
    const Fixture *loss = agree_find(all, arena_printf(arena, "%s.loss", name));
    const Fixture *norms = agree_find(all, arena_printf(arena, "%s.gradients", name));
    const Root *root = agree_root(program, "Gradients");
    const Entry *entry = agree_entry(root, "step");
    Machine *m = agree_machine(arena, program, root);
    static const int64_t sizes[] = {0, 7, 0};
    for (int s = 0; s < 3; s++) {
        Tensor *arguments[2];
        assert_int_equal(entry->arguments.count, 2);
        for (int i = 0; i < 2; i++)
            arguments[i] = agree_argument(arena, &entry->arguments.data[i], 0, sizes[s]);
        Tensor **results = m->call(m, entry, arguments);
        double have = tensor_get(results[0], 0);
        if (sizes[s]) {
            assert_true(isfinite(have) && have > 0);
            continue;
        }
        assert_true(isnan(loss->values[0]) ? isnan(have) : have == loss->values[0]);
        assert_int_equal(norms->count, entry->results.count - 1);
        for (int r = 1; r < entry->results.count; r++) {
            double squares = 0;
            for (int64_t i = 0; i < results[r]->count; i++)
                squares += tensor_get(results[r], i) * tensor_get(results[r], i);
            if (!(sqrt(squares) == norms->values[r - 1]))
                fail_msg("%s: norm %g, torch has %g", entry->results.data[r].name->text,
                         sqrt(squares), norms->values[r - 1]);
        }
    }
    m->close(m);
    arena_free(arena);
}

static void test_empty_fashion(void **state) {
    empty_batch("fashion_mnist", DTYPE_F32);
    empty_batch("fashion_mnist", DTYPE_F64);
}
static void test_empty_lenet(void **state) {
    empty_batch("lenet", DTYPE_F32);
    empty_batch("lenet", DTYPE_F64);
}

int main(void) {
    agree_open = compiled_open;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fashion),
        cmocka_unit_test(test_lenet),
        cmocka_unit_test(test_empty_fashion),
        cmocka_unit_test(test_empty_lenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
