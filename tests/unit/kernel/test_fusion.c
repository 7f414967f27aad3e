/* Fusion: how many kernels a graph becomes, and what stays out of memory. */
#include "kernel_test.h"

#define HEAD                                                                                    \
    "root m infer {\n cell w: f32[64, 48] parameter\n cell v: f32[64, 48] optimizer\n cell b: " \
    "f32[64] parameter\n"                                                                       \
    " entry infer e symbol=e {\n dims N in 1..100000, T\n"

static int steps_of(Arena *arena, const char *body, KernelProgram **out) {
    const char *text = arena_printf(arena, "%s%s\n }\n}\n", HEAD, body);
    KernelProgram *p = kernels_of(arena, text);
    if (out) *out = p;
    return entry_of(p, 0)->steps.count;
}

/* x * sigmoid(x) + x with a bias: one kernel, whatever the chain means. */
static void test_chain_is_one_kernel(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(
        steps_of(
            a,
            "%0: f32[N, 64] = input x\n %1: f32[64] = cell b\n %2: f32[N, 64] = expand %1 "
            "axes=[1]\n"
            "%3 = add %0, %2\n %4 = sigmoid %3\n %5 = mul %3, %4\n %6 = add %5, %0\n return y=%6",
            &p),
        1);
    /* One evaluation of the shared sum, no temporary. */
    assert_int_equal(occurrences(printed(p), "temporary"), 0);
    assert_int_equal(occurrences(printed(p), "sigmoid("), 1);
    arena_free(a);
}

static void test_two_consumers_share_a_kernel(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(
        steps_of(a,
                 "%0: f32[N, 64] = input x\n %1 = exp %0\n %2 = tanh %1\n %3 = sin %1\n"
                 "%4 = add %2, %0\n return y=%1, z=%4, u=%3",
                 &p),
        1);
    assert_int_equal(occurrences(printed(p), "exp("), 1);
    arena_free(a);
}

/* However long, a chain neither exhausts the stack nor makes one expression of its own depth. */
static void test_long_chain_is_cut(void **state) {
    (void)state;
    enum { LENGTH = 20000 };
    Arena *a = arena_new();
    Text body = text_new(a);
    text_append(&body, "%0: f32[N, 64] = input x\n");
    for (int i = 1; i <= LENGTH; i++) text_printf(&body, "%%%d = sin %%%d\n", i, i - 1);
    text_printf(&body, "return y=%%%d", LENGTH);
    int steps = steps_of(a, body.data, NULL);
    assert_in_range(steps, LENGTH / 200, LENGTH / 50);
    arena_free(a);
}

static void test_softmax_is_one_kernel(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(
        steps_of(a,
                 "%0: f32[N, T] = input x\n %1 = reduce %0 kind=max axes=[1]\n"
                 "%2: f32[N, T] = expand %1 axes=[0]\n %3 = sub %0, %2\n %4 = exp %3\n"
                 "%5 = reduce %4 kind=sum axes=[1]\n %6: f32[N, T] = expand %5 axes=[0]\n"
                 "%7 = div %4, %6\n return y=%7",
                 &p),
        1);
    assert_int_equal(occurrences(printed(p), "temporary"), 0);
    assert_int_equal(occurrences(printed(p), "max r"), 1);
    arena_free(a);
}

/* A column sum does not make the stores of its operand serial. */
static void test_column_sum_stays_apart(void **state) {
    (void)state;
    Arena *a = arena_new();
    assert_int_equal(
        steps_of(a,
                 "%0: f32[N, 64] = input x\n %1 = exp %0\n %2 = reduce %1 kind=sum axes=[0]\n"
                 "return y=%1, z=%2",
                 NULL),
        2);
    arena_free(a);
}

static void test_pooling_reads_windows_in_place(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(
        steps_of(
            a,
            "%0: f32[N, 3, 8, 8] = input x\n %1 = unfold %0 axis=2 size=2 stride=2 dilation=1\n"
            "%2 = unfold %1 axis=3 size=2 stride=2 dilation=1\n"
            "%3 = reduce %2 kind=max axes=[4, 5]\n %4 = exp %3\n return y=%4",
            &p),
        1);
    assert_int_equal(occurrences(printed(p), "temporary"), 0);
    arena_free(a);
}

/* The old value is read at the element that is written: no copy.  Elsewhere: through
 * a temporary. */
static void test_cells_in_place(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(steps_of(a, "%0: f32[64] = cell b\n %1 = add %0, %0\n write b=%1", &p), 1);
    assert_int_equal(occurrences(printed(p), "update p0"), 1);
    assert_int_equal(
        steps_of(
            a,
            "%0: f32[64] = cell b\n %1: f32[64] = slice %0 begin=[63] step=[-1]\n %2 = exp %1\n"
            "write b=%2",
            &p),
        2);
    assert_int_equal(occurrences(printed(p), "temporary"), 3);
    arena_free(a);
}

/* A reader of the old value runs before the writer, although it comes later in the graph. */
static void test_readers_before_writer(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    assert_int_equal(
        steps_of(
            a,
            "%0: f32[64] = cell b\n %1 = exp %0\n %2: f32[64] = slice %0 begin=[63] step=[-1]\n"
            "%3: f32[N, 64] = expand %2 axes=[1]\n %4: f32[N, 64] = input x\n %5 = mul %3, %4\n"
            "return y=%5\n write b=%1",
            &p),
        2);
    const Kernel *first = entry_of(p, 0)->steps.data[0]->kernel;
    assert_non_null(strstr(printed_kernel(a, first), "mul("));
    assert_int_equal(occurrences(printed(p), "temporary"), 0);
    arena_free(a);
}

static void test_equal_kernels_are_one(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(
        a,
        "root m infer {\n cell a: f32[64, 64] parameter\n cell b: f32[64, 64] parameter\n"
        "entry infer e symbol=e {\n dims N in 1..9\n %0: f32[N, 64] = input x\n %1: f32[64, 64] = "
        "cell a\n"
        "%2: f32[N, 64] = contract %0, %1 labels=ab,cb->ac\n %3 = tanh %2\n %4: f32[64, 64] = cell "
        "b\n"
        "%5: f32[N, 64] = contract %3, %4 labels=ab,cb->ac\n %6 = tanh %5\n return y=%6\n }\n"
        "entry infer f symbol=f {\n dims N in 1..9\n %0: f32[N, 64] = input x\n %1: f32[64, 64] = "
        "cell a\n"
        "%2: f32[N, 64] = contract %0, %1 labels=ab,cb->ac\n %3 = tanh %2\n return y=%3\n }\n}\n");
    assert_int_equal(p->kernels.count, 1);
    assert_int_equal(entry_of(p, 0)->steps.count, 2);
    const Step *other = entry_of(p, 1)->steps.data[0];
    assert_ptr_equal(other->kernel, p->kernels.data[0]);
    assert_int_equal(other->kernel->symbols.count, 1);
    assert_non_null(other->symbols[0]);
    arena_free(a);
}

static void test_scan_is_a_loop(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p;
    steps_of(
        a,
        "%0: f32[64] = input h\n %1: f32[T, 64] = input x\n"
        "%2 = scan %0, %1 carries=1 sequences=1 invariants=0 length=T {\n %0: f32[64] = input h\n"
        "%1: f32[64] = input x\n %2 = add %0, %1\n %3 = tanh %2\n return %3, %3\n }\n"
        "%3: f32[64] = proj %2 index=0\n %4: f32[T, 64] = proj %2 index=1\n return h=%3, y=%4",
        &p);
    const Step *loop = NULL;
    for (int i = 0; i < entry_of(p, 0)->steps.count; i++)
        if (entry_of(p, 0)->steps.data[i]->kind == STEP_LOOP) loop = entry_of(p, 0)->steps.data[i];
    assert_non_null(loop);
    assert_int_equal(loop->rotations.count, 1);
    assert_int_equal(loop->body.count, 1);
    /* The yields are written where the caller wants them. */
    const Buffer *y = NULL;
    for (int i = 0; i < loop->body.data[0]->kernel->parameter_count; i++)
        if (loop->body.data[0]->arguments[i]->kind == BUFFER_ELEMENT &&
            loop->body.data[0]->arguments[i]->parent->kind == BUFFER_RESULT)
            y = loop->body.data[0]->arguments[i];
    assert_non_null(y);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain_is_one_kernel),
        cmocka_unit_test(test_two_consumers_share_a_kernel),
        cmocka_unit_test(test_long_chain_is_cut),
        cmocka_unit_test(test_softmax_is_one_kernel),
        cmocka_unit_test(test_column_sum_stays_apart),
        cmocka_unit_test(test_pooling_reads_windows_in_place),
        cmocka_unit_test(test_cells_in_place),
        cmocka_unit_test(test_readers_before_writer),
        cmocka_unit_test(test_equal_kernels_are_one),
        cmocka_unit_test(test_scan_is_a_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
