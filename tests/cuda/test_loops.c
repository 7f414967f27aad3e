/* Reductions and transposed reads at the sizes where their schedules for a GPU change: rows of a
 * thread, a warp, a block, columns side by side, and parts; alone, several at once, and with what
 * is stored beside them or computed from them. */
#include "cuda/tables.h"

#define FLOATS "f32 f64 f16 bf16"
#define ALL FLOATS " i64 i32 i8 u8"
#define REDUCE(in, rest) \
    " dims N\n %x: $" in " = input x\n %y = reduce %x kind=" rest "\n return y=%y"

static void test_rows(void **state) {
    (void)state;
    static const TableCase cases[] = {
        {"thread", REDUCE("[N, 8]", "sum axes=[1]"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 255 257"},
        {"warp", REDUCE("[N, 9]", "max axes=[1]"), ALL, -2, 2, 90, 7, BOUNDED, "0 1 7 8 9 33"},
        {"warp_at", REDUCE("[N, 33]", "argmax axes=[1]"), ALL, -2, 2, 9, 7, EQUAL, "0 1 9 33"},
        {"block", REDUCE("[N, 1025]", "sum axes=[1]"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 3"},
        {"block_at", REDUCE("[N, 1025]", "argmin axes=[1]"), ALL, -2, 2, 90, 31, EQUAL, "0 1 3"},
        {"all", REDUCE("[N, 3]", "sum axes=[0, 1]"), FLOATS, -2, 2, 5, 0, BOUNDED,
         "0 1 31 32 33 1023 1025"},
        {"between", REDUCE("[N, 5, 31]", "sum axes=[0, 2]"), FLOATS " i32", -2, 2, 5, 0, BOUNDED,
         "0 1 33"},
    };
    run_table("rows", "int32_t", cases, sizeof cases / sizeof *cases,
              "nn_fold_warp<nn_max_f32> nn_fold_block<8");
}

static void test_columns(void **state) {
    (void)state;
    /* Of what is none of no elements, and of the rest. */
    static const char edges[] = "1 7 8 9 33 1025", sums[] = "0 1 7 8 9 33 1025";
    static const TableCase cases[] = {
        {"sum", REDUCE("[N, 33]", "sum axes=[0]"), ALL, -2, 2, 5, 0, BOUNDED, sums},
        {"whole", REDUCE("[N, 64]", "max axes=[0]"), FLOATS " i32", -2, 2, 90, 31, BOUNDED, edges},
        {"at", REDUCE("[N, 40]", "argmax axes=[0]"), ALL, -2, 2, 9, 31, EQUAL, edges},
        {"open", REDUCE("[100, N]", "prod axes=[0]"), "f32 f64 i32", 0.98, 1.02, 4, 0, BOUNDED,
         "0 1 31 32 33 64 65"},
        {"inner", REDUCE("[3, 100, N]", "argmin axes=[1]"), "f32 i64", -2, 2, 9, 31, EQUAL,
         "0 1 31 33"},
        {"softmax",
         " dims N\n %x: $[N, 33] = input x\n %m = reduce %x kind=max axes=[0]\n"
         " %b: $[N, 33] = expand %m axes=[1]\n %d = sub %x, %b\n %e = exp %d\n"
         " %s = reduce %e kind=sum axes=[0]\n %t: $[N, 33] = expand %s axes=[1]\n"
         " %y = div %e, %t\n return y=%y",
         "f32 f64", -2, 2, 0, 0, BOUNDED, "1 33 1025"},
        {"beside",
         " dims N\n %x: $[N, 40] = input x\n %y = mul %x, %x\n"
         " %s = reduce %y kind=sum axes=[0]\n %m = reduce %x kind=argmax axes=[0]\n"
         " return y=%y, s=%s, m=%m",
         "f32 f64 i32", -2, 2, 5, 0, BOUNDED, edges},
    };
    run_table("columns", "int32_t", cases, sizeof cases / sizeof *cases,
              "nn_fold_column<8 nn_fold_column_at<8");
}

static void test_parts(void **state) {
    (void)state;
    static const TableCase cases[] = {
        {"all", REDUCE("[300007]", "sum axes=[0]"), "f32 f64 i32", -2, 2, 5, 0, BOUNDED, "0"},
        {"largest", REDUCE("[2, 300007]", "max axes=[1]"), "f32", -2, 2, 5, 999, BOUNDED, "0"},
        {"at", REDUCE("[300007]", "argmax axes=[0]"), "f32 i32", -2, 2, 9, 0, EQUAL, "0"},
        {"at_odd", REDUCE("[300007]", "argmin axes=[0]"), "f64", -2, 2, 9, 9999, EQUAL, "0"},
        {"channels", REDUCE("[64, 5, 3000]", "sum axes=[0, 2]"), "f32", -2, 2, 5, 0, BOUNDED, "0"},
        {"columns", REDUCE("[9001, 40]", "sum axes=[0]"), "f32 bf16", -2, 2, 5, 0, BOUNDED, "0"},
        {"columns_at", REDUCE("[9001, 40]", "argmin axes=[0]"), "f32", -2, 2, 9, 0, EQUAL, "0"},
        {"open", REDUCE("[40000*N]", "sum axes=[0]"), "f32", -2, 2, 5, 0, BOUNDED, "0 1 2 7"},
        {"beside",
         " %x: $[9001, 40] = input x\n %y = mul %x, %x\n %s = reduce %y kind=sum axes=[0]\n"
         " %m = reduce %x kind=argmax axes=[0]\n %h = mul %s, %s\n"
         " return y=%y, s=%s, m=%m, h=%h",
         "f32 i32", -2, 2, 5, 0, BOUNDED, "0"},
    };
    run_table("parts", "int32_t", cases, sizeof cases / sizeof *cases, "parts positions");
}

/* Loads across the rows that are written come through shared memory. */
static void test_transposed(void **state) {
    (void)state;
    static const char edges[] = "0 1 7 31 32 33 65";
    static const TableCase cases[] = {
        {"matrix", " dims N\n %x: $[N, 40] = input x\n %y = permute %x axes=[1, 0]\n return y=%y",
         ALL " bool", -2, 2, 5, 0, EQUAL, edges},
        {"last",
         " dims N\n %x: $[N, 3, 40, 5] = input x\n %y = permute %x axes=[0, 2, 3, 1]\n"
         " return y=%y",
         "f32", -2, 2, 5, 0, EQUAL, "0 1 3"},
        {"channels",
         " dims N\n %x: $[2, 12, N, 5] = input x\n %y = permute %x axes=[0, 2, 3, 1]\n"
         " return y=%y",
         "f32 f64", -2, 2, 5, 0, EQUAL, edges},
        {"heads",
         " dims N\n %x: $[2, N, 4, 16] = input x\n %y = permute %x axes=[0, 2, 3, 1]\n"
         " %z = permute %x axes=[0, 2, 1, 3]\n %n = neg %y\n return y=%n, z=%z",
         "f32 i32", -2, 2, 5, 0, EQUAL, edges},
        {"both",
         " dims N\n %x: $[N, N] = input x\n %t = permute %x axes=[1, 0]\n"
         " %y = add %x, %t\n %z = mul %y, %t\n return y=%y, z=%z",
         "f32 f64 f16 i64", -2, 2, 5, 0, BOUNDED, edges},
        {"padded",
         " dims N\n %x: $[N, 40] = input x\n %c: $ = const 3\n %p = pad %x, %c low=[1, 2] high=[2, "
         "0]\n"
         " %y = permute %p axes=[1, 0]\n return y=%y",
         "f32", -2, 2, 5, 0, EQUAL, edges},
    };
    run_table("transposed", "int64_t", cases, sizeof cases / sizeof *cases, "square0[");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_columns),
                                       cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_transposed)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
