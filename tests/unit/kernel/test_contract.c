/* Contractions: the path that each takes, stored panels, and what joins them. */
#include <stdio.h>

#include "kernel_test.h"

static const char linear[] =
    "root m train {\n cell w: f32[512, 784] parameter\n cell v: f32[512, 784] optimizer\n cell b: "
    "f32[512] parameter\n"
    "entry train e symbol=e {\n dims N in 1..100000\n %0: f32[N, 784] = input x\n %1: f32[512, "
    "784] = cell w\n"
    "%2: f32[N, 512] = contract %0, %1 labels=ab,cb->ac\n %3: f32[512] = cell b\n"
    "%4: f32[N, 512] = expand %3 axes=[1]\n %5 = add %2, %4\n %6 = tanh %5\n %7: f32[N, 512] = "
    "input dy\n"
    "%8: f32[512, 784] = contract %7, %0 labels=ac,ab->cb\n %9: f32[N, 784] = contract %7, %1 "
    "labels=ac,cb->ab\n"
    "%10: f32[512, 784] = cell v\n %11: f32[512, 784] = const 0.9\n %12 = mul %10, %11\n %13 = add "
    "%12, %8\n"
    "%14 = sub %1, %13\n return y=%6, dx=%9\n write v=%13\n write w=%14\n }\n"
    "entry init i symbol=i random {\n %0: f32[512, 784] = random site=1\n write w=%0\n }\n}\n";

static void test_linear_in_all_directions(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(a, linear);
    const KernelEntry *e = entry_of(p, 0);
    /* Forward with bias and activation; the gradient of x; the gradient of w with the update. */
    assert_int_equal(e->steps.count, 3);
    assert_int_equal(occurrences(printed(p), "temporary"), 0);
    const char *paths = contractions(p);
    assert_int_equal(occurrences(paths, "columns packed stored, rows direct"), 1);
    assert_non_null(strstr(paths, "joined: contract tanh"));
    assert_non_null(strstr(paths,
                           "columns packed scratch, rows packed scratch, tile 162x128, joined: "
                           "contract add sub"));
    /* Panels of 16 of the 512 columns, 4 at a time. */
    assert_non_null(strstr(printed_kernel(a, e->steps.data[0]->kernel),
                           " b=p1@50176*panel0 panel=12544 depth=16 padded"));
    /* The old w is read for dx before the update writes it. */
    assert_non_null(strstr(printed_kernel(a, e->steps.data[2]->kernel), "update"));
    arena_free(a);
}

/* Few rows with few columns over a long depth: vectors lie along it where both operands do. */
static void test_vectors_along_the_depth(void **state) {
    (void)state;
    Arena *a = arena_new();
    /* The gradient of a convolution's weights, one channel in: 6 x 9 results, two tiles. */
    KernelProgram *p = kernels_of(
        a, "root m train {\n entry train e symbol=e {\n dims N in 1..100000\n"
           "%0: f32[N, 1, 32, 32] = input x\n"
           "%1: f32[N, 1, 30, 32, 3] = unfold %0 axis=2 size=3 stride=1 dilation=1\n"
           "%2: f32[N, 1, 30, 30, 3, 3] = unfold %1 axis=3 size=3 stride=1 dilation=1\n"
           "%3: f32[N, 6, 30, 30] = input g\n"
           "%4: f32[6, 1, 3, 3] = contract %2, %3 labels=abcdef,agcd->gbef\n return r=%4\n }\n}\n");
    const char *kernel = printed_kernel(a, entry_of(p, 0)->steps.data[0]->kernel);
    assert_non_null(strstr(kernel, "[3x9] = planes N lines 30 along 30 "));
    assert_non_null(strstr(kernel, " row=900 plane=5400 line=30 "));
    assert_non_null(strstr(kernel, " plane=1024 line=32"));
    assert_non_null(
        strstr(contractions(p), "columns along the depth, rows along the depth, tile 3x9"));
    /* Four labels of the depth: the first is a loop around the leaf. */
    p = kernels_of(
        a, "root m train {\n entry train e symbol=e {\n"
           "%0: f32[3, 1, 5, 6, 49] = input x\n"
           "%1: f32[3, 1, 4, 6, 49, 2] = unfold %0 axis=2 size=2 stride=1 dilation=1\n"
           "%2: f32[3, 1, 4, 5, 49, 2, 2] = unfold %1 axis=3 size=2 stride=1 dilation=1\n"
           "%3: f32[3, 1, 4, 5, 48, 2, 2, 2] = unfold %2 axis=4 size=2 stride=1 dilation=1\n"
           "%4: f32[3, 3, 4, 5, 48] = input g\n"
           "%5: f32[3, 1, 2, 2, 2] = contract %3, %4 labels=abcdefgh,aicde->ibfgh\n"
           "return r=%5\n }\n}\n");
    kernel = printed_kernel(a, entry_of(p, 0)->steps.data[0]->kernel);
    assert_non_null(strstr(kernel, "+= planes 4 lines 5 along 48 "));
    /* Places apart in one operand: the usual leaf. */
    p = kernels_of(a, "root m train {\n entry train e symbol=e {\n %0: f32[501, 6] = input x\n"
                      "%1: f32[501, 3] = input y\n"
                      "%2: f32[6, 3] = contract %0, %1 labels=ca,cb->ab\n return r=%2\n }\n}\n");
    assert_null(strstr(contractions(p), "along the depth"));
    arena_free(a);
}

/* Windows of stride 2 that are summed back, of 4 taps: products of windows of two places, stored
 * where the phases lie.  Of 3 taps: the windows are stored and summed. */
static void test_phases_of_a_strided_sum(void **state) {
    (void)state;
    Arena *a = arena_new();
    for (int taps = 3; taps <= 4; taps++) {
        char text[800];
        const int width = 2 * 15 + taps;
        snprintf(
            text, sizeof text,
            "root m train {\n entry train e symbol=e {\n %%0: f32[4, 1, 64, 16, 16] = input x\n"
            "%%1: f32[1, 64, 32, %d, %d] = input w\n"
            "%%2: f32[4, 1, 32, 16, 16, %d, %d] = contract %%0, %%1 labels=abcde,bcfgh->abfdegh\n"
            "%%3: f32[4, 32, 16, 16, %d, %d] = reshape %%2\n"
            "%%4: f32[4, 32, 16, %d, %d] = fold %%3 axis=3 extent=%d stride=2 dilation=1\n"
            "%%5: f32[4, 32, %d, %d] = fold %%4 axis=2 extent=%d stride=2 dilation=1\n"
            "return r=%%5\n }\n}\n",
            taps, taps, taps, taps, taps, taps, width, taps, width, width, width, width);
        const KernelProgram *p = kernels_of(a, text);
        const char *all = printed(p);
        assert_int_equal(occurrences(all, "write p1: f32[4, 1, 64, 18, 18]"), taps == 4);
        assert_int_equal(occurrences(all, "write p5: f32[4, 32, 17, 2, 17, 2]"), taps == 4);
        assert_int_equal(occurrences(all, "f32[4, 1, 32, 16, 16, 3, 3]") > 0, taps == 3);
    }
    arena_free(a);
}

/* A convolution of images whose size only a call knows: padding keeps the rows of the image,
 * channels (which are known) are the columns, and the depth is one call of the leaf. */
static void test_images_of_unknown_size(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(
        a,
        "root m train {\n entry train e symbol=e {\n dims N in 1..100000, H in 1..100000, W in "
        "1..100000\n"
        "%0: f32[N, 512, (H + 31)//32, (W + 31)//32] = input x\n %6: f32 = const 0\n"
        "%1: f32[N, 512, (H + 31)//32 + 2, (W + 31)//32 + 2] = pad %0, %6 low=[0, 0, 1, 1] "
        "high=[0, 0, 1, 1]\n"
        "%2: f32[N, 512, (H + 31)//32, (W + 31)//32 + 2, 3] = unfold %1 axis=2 size=3 stride=1 "
        "dilation=1\n"
        "%3: f32[N, 512, (H + 31)//32, (W + 31)//32, 3, 3] = unfold %2 axis=3 size=3 stride=1 "
        "dilation=1\n"
        "%4: f32[512, 512, 3, 3] = input w\n"
        "%5: f32[N, 512, (H + 31)//32, (W + 31)//32] = contract %3, %4 labels=abcdef,gbef->agcd\n"
        "return r=%5\n }\n}\n");
    const KernelEntry *e = entry_of(p, 0);
    assert_int_equal(e->steps.count, 2);
    const char *pad = printed_kernel(a, e->steps.data[0]->kernel);
    assert_null(strstr(pad, "%"));
    assert_non_null(strstr(contractions(p), "columns packed scratch, rows by offsets"));
    const char *product = printed_kernel(a, e->steps.data[1]->kernel);
    assert_int_equal(occurrences(product, "mma.f32"), 1);
    assert_null(strstr(product, " depth 9 "));
    arena_free(a);
}

/* With one sample: the gradient of w is an outer product and that of x runs along w as it lies;
 * neither copies an operand or goes by way of the leaf. */
static void test_one_sample(void **state) {
    (void)state;
    Arena *a = arena_new();
    const KernelEntry *e = entry_of(
        kernels_of(a,
                   "root m train {\n cell w: f32[120, 576] parameter\n entry train e symbol=e {\n"
                   "dims N in 1..100000\n %0: f32[N, 576] = input x\n %1: f32[120, 576] = cell w\n"
                   "%2: f32[N, 120] = contract %0, %1 labels=ab,cb->ac\n"
                   "%3: f32[N, 120] = input dy\n"
                   "%4: f32[N, 576] = contract %3, %1 labels=ac,cb->ab\n"
                   "%5: f32[120, 576] = contract %3, %0 labels=ac,ab->cb\n %6 = sub %1, %5\n"
                   "return y=%2, dx=%4\n write w=%6\n }\n}\n"),
        0);
    assert_int_equal(e->steps.count, 3);
    for (int i = 0; i < 3; i++) {
        Text t = text_new(a);
        kernel_print(&t, e->steps.data[i]->kernel);
        const char *one = strstr(t.data, "    if N < 2\n");
        const char *general = strstr(t.data, "    if not 1 <= N < 2\n");
        assert_true(i == 0 ? !one && !general : one && general && one < general);
        assert_true(i == 0 || strstr(t.data, "mma.") > general);
        assert_true(i == 0 || strstr(t.data, "pack.") > general);
        assert_true((i == 1) == (strstr(t.data, " sum= mul") != NULL));
    }
    arena_free(a);
}

static void test_optimizer_state_follows_its_parameter(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(a, linear);
    const Root *root = p->roots.data[0]->root;
    const Layout *w = kernel_cell_layout(p, root->cells.data[0]);
    assert_non_null(w);
    assert_int_equal(w->axes[0].divide, PANEL_COLUMNS);
    assert_ptr_equal(kernel_cell_layout(p, root->cells.data[1]), w);
    assert_null(kernel_cell_layout(p, root->cells.data[2]));
    arena_free(a);
}

/* Rows of a table that are gathered stay rows, even when the table is also multiplied. */
static void test_gathered_table_is_not_packed(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(
        a, "root m infer {\n cell w: f32[512, 64] parameter\n entry infer e symbol=e {\n dims N in "
           "1..100000\n"
           "%0: i64[N] = input ids\n %1: f32[512, 64] = cell w\n %2 = gather %1, %0 batch=0\n"
           "%3: f32[N, 512] = contract %2, %1 labels=ab,cb->ac\n return y=%3\n }\n}\n");
    assert_null(kernel_cell_layout(p, p->roots.data[0]->root->cells.data[0]));
    assert_non_null(strstr(contractions(p), "packed scratch"));
    arena_free(a);
}

static void test_convolution_reads_windows_by_offsets(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(
        a, "root m infer {\n cell w: f32[16, 6, 3, 3] parameter\n entry infer e symbol=e {\n dims "
           "N in 1..100000\n"
           "%0: f32[N, 6, 15, 15] = input x\n %1 = unfold %0 axis=2 size=3 stride=1 dilation=1\n"
           "%2 = unfold %1 axis=3 size=3 stride=1 dilation=1\n %3: f32[16, 6, 3, 3] = cell w\n"
           "%4: f32[N, 16, 13, 13] = contract %2, %3 labels=abcdef,gbef->agcd\n %5 = tanh %4\n "
           "return y=%5\n }\n}\n");
    assert_int_equal(entry_of(p, 0)->steps.count, 1);
    assert_non_null(strstr(contractions(p), "columns direct, rows direct"));
    /* The offsets of the 54 taps are constant data. */
    const Buffer *table = NULL;
    for (int i = 0; i < entry_of(p, 0)->buffers.count; i++)
        if (entry_of(p, 0)->buffers.data[i]->kind == BUFFER_CONSTANT)
            table = entry_of(p, 0)->buffers.data[i];
    assert_non_null(table);
    assert_true(dim_is(table->shape.dims[0], 54));
    assert_int_equal(((const int64_t *)table->data)[53], 5 * 225 + 2 * 15 + 2);
    arena_free(a);
}

/* A padded image is stored once, then read in place: the leaf never sees a guard. */
static void test_padding_is_stored(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(a, "root m infer {\n cell w: f32[16, 8, 3, 3] parameter\n entry "
                                     "infer e symbol=e {\n dims N in 1..100000\n"
                                     "%0: f32[N, 8, 14, 14] = input x\n %1: f32 = const 0\n %2 = "
                                     "pad %0, %1 low=[0, 0, 1, 1] high=[0, 0, 1, 1]\n"
                                     "%3 = unfold %2 axis=2 size=3 stride=1 dilation=1\n %4 = "
                                     "unfold %3 axis=3 size=3 stride=1 dilation=1\n"
                                     "%5: f32[16, 8, 3, 3] = cell w\n %6: f32[N, 16, 14, 14] = "
                                     "contract %4, %5 labels=abcdef,gbef->agcd\n"
                                     "return y=%6\n }\n}\n");
    assert_int_equal(entry_of(p, 0)->steps.count, 2);
    assert_non_null(strstr(contractions(p), "columns direct"));
    arena_free(a);
}

/* Channels that lie more than 2^31 elements apart. */
static void test_far_offsets(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p = kernels_of(
        a, "root m infer {\n entry infer e symbol=e {\n %0: f32[1, 4, 30000, 30000] = input x\n"
           "%1: f32[8, 4, 3, 3] = input w\n %2 = unfold %0 axis=2 size=3 stride=1 dilation=1\n"
           "%3 = unfold %2 axis=3 size=3 stride=1 dilation=1\n"
           "%4 = contract %3, %1 labels=nchikl,ockl->nohi\n return y=%4\n }\n}\n");
    const Buffer *table = NULL;
    for (int i = 0; i < entry_of(p, 0)->buffers.count; i++)
        if (entry_of(p, 0)->buffers.data[i]->kind == BUFFER_CONSTANT)
            table = entry_of(p, 0)->buffers.data[i];
    assert_non_null(table);
    assert_int_equal(((const int64_t *)table->data)[35], 3 * INT64_C(900000000) + 2 * 30000 + 2);
    arena_free(a);
}

static void test_small_products_are_loops(void **state) {
    (void)state;
    Arena *a = arena_new();
    KernelProgram *p =
        kernels_of(a, "root m infer {\n cell w: f32[1, 784] parameter\n entry infer e symbol=e {\n"
                      "%0: f32[4, 5] = input x\n %1: f32[5, 6] = input y\n %2: f32[4, 6] = "
                      "contract %0, %1 labels=ab,bc->ac\n"
                      "%3 = tanh %2\n return z=%3\n }\n}\n");
    assert_int_equal(entry_of(p, 0)->steps.count, 1);
    assert_int_equal(occurrences(printed(p), "mma."), 0);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_in_all_directions),
        cmocka_unit_test(test_vectors_along_the_depth),
        cmocka_unit_test(test_phases_of_a_strided_sum),
        cmocka_unit_test(test_images_of_unknown_size),
        cmocka_unit_test(test_one_sample),
        cmocka_unit_test(test_optimizer_state_follows_its_parameter),
        cmocka_unit_test(test_gathered_table_is_not_packed),
        cmocka_unit_test(test_convolution_reads_windows_by_offsets),
        cmocka_unit_test(test_padding_is_stored),
        cmocka_unit_test(test_far_offsets),
        cmocka_unit_test(test_small_products_are_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
