/* Index algebra: normal forms, ranges, offsets of views and of stored panels. */
#include "kernel_test.h"

typedef struct Fixture {
    Arena *arena;
    DimTable *dims;
    IndexTable *table;
} Fixture;

static Fixture begin(void) {
    Fixture f = {.arena = arena_new()};
    names_init(f.arena);
    f.dims = dim_table_new(f.arena);
    f.table = index_table_new(f.arena, f.dims);
    return f;
}

static const Dim *number(Fixture *f, int64_t v) {
    return dim_const(f->dims, v);
}

static void test_division_of_ranges(void **state) {
    (void)state;
    Fixture f = begin();
    const Index *i = index_axis(f.table, 0, number(&f, 8));
    const Index *j = index_axis(f.table, 1, number(&f, 4));
    const Index *flat = index_add(f.table, index_scale(f.table, i, number(&f, 4)), j);
    assert_ptr_equal(index_floordiv(f.table, flat, number(&f, 4)), i);
    assert_ptr_equal(index_mod(f.table, flat, number(&f, 4)), j);
    /* floor((4i + j) / 8) = floor(i / 2), as j < 4. */
    assert_ptr_equal(index_floordiv(f.table, flat, number(&f, 8)),
                     index_floordiv(f.table, i, number(&f, 2)));
    /* Nothing is known of 4i + 2j: j may carry. */
    const Index *wide = index_add(f.table, index_scale(f.table, i, number(&f, 4)),
                                  index_scale(f.table, j, number(&f, 2)));
    assert_ptr_not_equal(index_floordiv(f.table, wide, number(&f, 4)), i);
    arena_free(f.arena);
}

static void test_symbolic_extents(void **state) {
    (void)state;
    Fixture f = begin();
    const Dim *n = dim_symbol(f.dims, name_of("N")), *m = dim_symbol(f.dims, name_of("M"));
    const Index *i = index_axis(f.table, 0, n), *j = index_axis(f.table, 1, m);
    const Index *flat = index_add(f.table, index_scale(f.table, i, m), j);
    assert_ptr_equal(index_floordiv(f.table, flat, m), i);
    assert_ptr_equal(index_mod(f.table, flat, m), j);
    assert_true(index_in_range(f.table, flat, dim_mul(f.dims, n, m)));
    assert_false(index_in_range(f.table, flat, n));
    assert_false(index_in_range(f.table, index_sub(f.table, i, j), n));
    arena_free(f.arena);
}

/* So is a run of it that begins at a multiple of the last extent, in which the mods have split. */
static void test_recombination_of_a_run(void **state) {
    (void)state;
    Fixture f = begin();
    Shape s = {3, {number(&f, 16), number(&f, 6), number(&f, 6)}};
    const Index *tile = index_axis(f.table, 0, number(&f, 6)),
                *place = index_axis(f.table, 1, number(&f, 96));
    const Index *v = index_add(f.table, index_scale(f.table, tile, number(&f, 96)), place);
    const Index *at[3] = {
        index_floordiv(f.table, v, number(&f, 36)),
        index_mod(f.table, index_floordiv(f.table, v, number(&f, 6)), number(&f, 6)),
        index_mod(f.table, v, number(&f, 6))};
    assert_ptr_equal(index_offset(f.table, NULL, &s, at), v);
    /* Of another value's quotient nothing is known. */
    const Index *other = index_axis(f.table, 2, number(&f, 96));
    const Index *apart = index_add(
        f.table, index_scale(f.table, index_mod(f.table, other, number(&f, 6)), number(&f, 6)),
        at[2]);
    assert_int_equal(apart->count, 2);
    arena_free(f.arena);
}

/* (v / 12, v / 4 % 3, v % 4) of a row-major [N, 3, 4] is v again. */
static void test_recombination(void **state) {
    (void)state;
    Fixture f = begin();
    const Dim *n = dim_symbol(f.dims, name_of("N"));
    Shape s = {3, {n, number(&f, 3), number(&f, 4)}};
    const Index *v = index_axis(f.table, 0, dim_mul(f.dims, n, number(&f, 12)));
    const Index *at[3] = {
        index_floordiv(f.table, v, number(&f, 12)),
        index_mod(f.table, index_floordiv(f.table, v, number(&f, 4)), number(&f, 3)),
        index_mod(f.table, v, number(&f, 4))};
    assert_ptr_equal(index_offset(f.table, NULL, &s, at), v);
    const Dim *stride;
    assert_int_equal(index_motion(at[0], 0, &stride), MOTION_OTHER);
    assert_int_equal(index_motion(index_offset(f.table, NULL, &s, at), 0, &stride), MOTION_STRIDE);
    assert_true(dim_is(stride, 1));
    arena_free(f.arena);
}

static void test_panels(void **state) {
    (void)state;
    Fixture f = begin();
    Shape s = {2, {number(&f, 100), number(&f, 30)}};
    const Layout *l = layout_panels(f.arena, f.dims, &s, 0, 16);
    assert_true(dim_is(layout_elements(f.dims, l, &s), 7 * 30 * 16));
    const Index *p = index_axis(f.table, 0, number(&f, 7)),
                *j = index_axis(f.table, 1, number(&f, 16));
    const Index *k = index_axis(f.table, 2, number(&f, 30));
    const Index *at[2] = {index_add(f.table, index_scale(f.table, p, number(&f, 16)), j), k};
    const Index *offset = index_offset(f.table, l, &s, at);
    const Dim *stride;
    assert_int_equal(index_motion(offset, 1, &stride), MOTION_STRIDE);
    assert_true(dim_is(stride, 1));
    assert_int_equal(index_motion(offset, 2, &stride), MOTION_STRIDE);
    assert_true(dim_is(stride, 16));
    assert_int_equal(index_motion(offset, 0, &stride), MOTION_STRIDE);
    assert_true(dim_is(stride, 480));
    arena_free(f.arena);
}

/* Every index of a panel layout has a place of its own, in bounds. */
static void test_panels_are_injective(void **state) {
    (void)state;
    Fixture f = begin();
    Shape s = {2, {number(&f, 37), number(&f, 5)}};
    const Layout *l = layout_panels(f.arena, f.dims, &s, 0, 16);
    bool taken[3 * 5 * 16] = {false};
    for (int n = 0; n < 37; n++) {
        for (int k = 0; k < 5; k++) {
            const Index *at[2] = {index_const(f.table, n), index_const(f.table, k)};
            int64_t place;
            assert_true(index_is_const(index_offset(f.table, l, &s, at), &place));
            assert_in_range(place, 0, 3 * 5 * 16 - 1);
            assert_false(taken[place]);
            taken[place] = true;
        }
    }
    arena_free(f.arena);
}

/* Numbers as substitution gives them. */
static void test_evaluate(void **state) {
    (void)state;
    Fixture f = begin();
    const Index *i = index_axis(f.table, 2, number(&f, 100));
    const Index *moved =
        index_sub(f.table, index_scale(f.table, i, number(&f, 3)), index_const(f.table, 50));
    const Index *cases[] = {
        moved,
        index_floordiv(f.table, moved, number(&f, 7)),
        index_mod(f.table, moved, number(&f, 7)),
        index_min(f.table, moved, i),
        index_max(f.table, index_floordiv(f.table, moved, number(&f, 4)), index_const(f.table, 9)),
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int64_t at = 0; at < 100; at++) {
            const Index *by[3] = {NULL, NULL, index_const(f.table, at)};
            int64_t expected, value;
            assert_true(index_is_const(index_substitute(f.table, cases[c], by, 3), &expected));
            AxisValue known[2] = {{5, 77}, {2, at}};
            assert_true(index_evaluate(cases[c], known, 2, &value));
            assert_int_equal(value, expected);
        }
    int64_t value;
    AxisValue first = {2, 0};
    const Index *other = index_axis(f.table, 1, number(&f, 9));
    assert_false(index_evaluate(index_add(f.table, i, other), &first, 1, &value));
    assert_false(
        index_evaluate(index_dim(f.table, dim_symbol(f.dims, name_of("N"))), &first, 1, &value));
    arena_free(f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_division_of_ranges),
        cmocka_unit_test(test_symbolic_extents),
        cmocka_unit_test(test_recombination),
        cmocka_unit_test(test_recombination_of_a_run),
        cmocka_unit_test(test_panels),
        cmocka_unit_test(test_panels_are_injective),
        cmocka_unit_test(test_evaluate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
