/* Every primitive but the elementwise ones: emitted C equals the interpreter. */
#include "numeric/numeric.h"

static const Case views[] = {
    {"reshape",
     "dims N\n %0: f32[N, 6] = input x\n %1: f32[3*N, 2] = reshape %0\n %2 = exp %1\n return y=%2",
     1e-6},
    {"permute",
     "dims N\n %0: f32[N, 5, 3] = input x\n %1 = permute %0 axes=[2, 0, 1]\n %2 = neg %1\n return "
     "y=%2, z=%1",
     0},
    {"expand",
     "dims N\n %0: f32[N, 1] = input x\n %1: f32[2, N, 7] = expand %0 axes=[1, 2]\n %2: f32[2, N, "
     "7] = input y\n %3 = add %1, %2\n return y=%3",
     0},
    {"slice",
     "dims N\n %0: f32[N, 9] = input x\n %1: f32[N, 4] = slice %0 begin=[0, 1] step=[1, 2]\n "
     "return y=%1",
     0},
    {"slice_back",
     "dims N\n %0: f32[N, 9] = input x\n %1: f32[N, 4] = slice %0 begin=[0, 8] step=[1, -2]\n %2 = "
     "mul %1, %1\n return y=%2",
     1e-6},
    {"flip",
     "dims N\n %0: f32[N, 3] = input x\n %1: f32[N, 3] = slice %0 begin=[N - 1, 0] step=[-1, 1]\n "
     "return y=%1",
     0, 0, 0, 0, 0, 1},
    {"pad",
     "dims N\n %0: f32[N, 5] = input x\n %1: f32 = const 1.5\n %2 = pad %0, %1 low=[2, 1] high=[0, "
     "3]\n %3 = exp %2\n return y=%2, z=%3",
     2e-6},
    {"crop",
     "dims N\n %0: f32[N, 9] = input x\n %1: f32 = const 0\n %2 = pad %0, %1 low=[0, -2] high=[1, "
     "-1]\n return y=%2",
     0},
    {"guarded_scalar", /* N - 3 appears where it is tested, and nowhere else */
     "dims N\n %0: f32[N] = input x\n %1: f32 = input s\n %2: f32[9] = expand %1 axes=[]\n %3: "
     "f32 = const 0.5\n %4 = pad %2, %3 low=[N] high=[7]\n %5: f32[7] = slice %4 begin=[3] "
     "step=[1]\n %6 = reduce %0 kind=sum axes=[0]\n return y=%5, z=%6",
     2e-6},
    {"concat",
     "dims N\n %0: f32[N, 3] = input x\n %1: f32[N, 5] = input y\n %2 = concat %0, %1, %0 axis=1\n "
     "%3 = tanh %2\n return y=%3",
     1e-6},
    {"concat0",
     "dims N\n %0: i32[N, 3] = input x\n %1: i32[2, 3] = input y\n %2 = concat %0, %1 axis=0\n "
     "return y=%2",
     0},
    {"unfold",
     "dims N\n %0: f32[2, N] = input x\n %4: f32 = const 0\n %5 = pad %0, %4 low=[0, 3] high=[0, "
     "2]\n %1 = unfold %5 axis=1 size=3 stride=2 dilation=2\n %2 = reduce %1 kind=sum axes=[2]\n "
     "return y=%1, s=%2",
     1e-6},
    {"fold",
     "dims N\n %0: f32[2, N, 3] = input x\n %1 = fold %0 axis=1 extent=N + 4 stride=1 dilation=2\n "
     "return y=%1",
     1e-6},
    {"fold2",
     "dims N\n %0: f32[2, N, 2] = input x\n %1 = fold %0 axis=1 extent=2*N + 1 stride=2 "
     "dilation=1\n return y=%1",
     1e-6},
};

static const Case reductions[] = {
    {"sum_rows",
     "dims N\n %0: f32[N, 37] = input x\n %1 = reduce %0 kind=sum axes=[1]\n return y=%1", 4e-6},
    {"sum_columns",
     "dims N\n %0: f32[N, 37] = input x\n %1 = reduce %0 kind=sum axes=[0]\n return y=%1", 2e-6},
    {"sum_all",
     "dims N\n %0: f32[N, 37] = input x\n %1 = reduce %0 kind=sum axes=[0, 1]\n return y=%1", 2e-5},
    {"sum_f64",
     "dims N\n %0: f64[N, 37] = input x\n %1 = reduce %0 kind=sum axes=[1]\n return y=%1", 1e-13},
    {"sum_i32", "dims N\n %0: i32[N, 5] = input x\n %1 = reduce %0 kind=sum axes=[0]\n return y=%1",
     0, -1000, 1000},
    {"sum_f16", "dims N\n %0: f16[N, 5] = input x\n %1 = reduce %0 kind=sum axes=[1]\n return y=%1",
     2e-3},
    {"prod", "dims N\n %0: f32[N, 5] = input x\n %1 = reduce %0 kind=prod axes=[1]\n return y=%1",
     4e-6},
    {"max",
     "dims N\n %0: f32[N, 37] = input x\n %1 = reduce %0 kind=max axes=[1]\n %2 = reduce %0 "
     "kind=min axes=[1]\n return y=%1, z=%2",
     0},
    {"max0", "dims N\n %0: f32[N, 37] = input x\n %1 = reduce %0 kind=max axes=[0]\n return y=%1",
     0, 0, 0, 0, 0, 1},
    {"max_u8", "dims N\n %0: u8[N, 37] = input x\n %1 = reduce %0 kind=max axes=[1]\n return y=%1",
     0, 0, 255},
    {"any",
     "dims N\n %0: bool[N, 3] = input x\n %1 = reduce %0 kind=any axes=[1]\n %2 = reduce %0 "
     "kind=all axes=[1]\n return y=%1, z=%2",
     0},
    {"any_all",
     "dims N\n %0: bool[N, 3] = input x\n %1 = reduce %0 kind=any axes=[0, 1]\n %2 = reduce %0 "
     "kind=all axes=[0, 1]\n return y=%1, z=%2",
     0},
    {"argmax",
     "dims N\n %0: f32[N, 21] = input x\n %1 = reduce %0 kind=argmax axes=[1]\n %2 = reduce %0 "
     "kind=argmin axes=[1]\n return y=%1, z=%2",
     0},
    {"argmax0",
     "dims N\n %0: i32[N, 21] = input x\n %1 = reduce %0 kind=argmax axes=[0]\n return y=%1", 0, 0,
     0, 0, 0, 1},
    {"argmax_ties",
     "dims N\n %0: i32[N, 40] = input x\n %1 = reduce %0 kind=argmax axes=[1]\n return y=%1", 0, 0,
     3},
    {"argmax_nan",
     "dims N\n %0: f32[N, 40] = input x\n %2 = sqrt %0\n %1 = reduce %2 kind=argmax axes=[1]\n %3 "
     "= reduce %2 kind=max axes=[1]\n return y=%1, z=%3",
     0},
    {"mean",
     "dims N\n %0: f32[N, 6] = input x\n %1 = exp %0\n %2 = reduce %1 kind=sum axes=[0]\n %3: f32 "
     "= dim N\n %4: f32[6] = expand %3 axes=[]\n %5 = div %2, %4\n return y=%5",
     4e-6},
    {"softmax",
     "dims N\n %0: f32[N, 10] = input x\n %1 = reduce %0 kind=max axes=[1]\n %2: f32[N, 10] = "
     "expand %1 axes=[0]\n %3 = sub %0, %2\n %4 = exp %3\n"
     " %5 = reduce %4 kind=sum axes=[1]\n %6: f32[N, 10] = expand %5 axes=[0]\n %7 = div %4, %6\n "
     "return y=%7",
     1e-6},
    {"layernorm",
     "dims N\n %0: f32[N, 48] = input x\n %1 = reduce %0 kind=sum axes=[1]\n %9: f32[N] = const "
     "0.02083333395421505\n %2 = mul %1, %9\n %3: f32[N, 48] = expand %2 axes=[0]\n %4 = sub %0, "
     "%3\n"
     " %5 = mul %4, %4\n %6 = reduce %5 kind=sum axes=[1]\n %7 = mul %6, %9\n %8 = rsqrt %7\n %10: "
     "f32[N, 48] = expand %8 axes=[0]\n %11 = mul %4, %10\n return y=%11",
     5e-6},
};

static const Case products[] = {
    {"matmul",
     "dims N\n %0: f32[N, 37] = input x\n %1: f32[37, 19] = input w\n %2 = contract %0, %1 "
     "labels=ab,bc->ac\n return y=%2",
     2e-5},
    {"linear",
     "dims N\n %0: f32[N, 40] = input x\n %1: f32[70, 40] = input w\n %3: f32[70] = input b\n %2 = "
     "contract %0, %1 labels=ab,cb->ac\n %4: f32[N, 70] = expand %3 axes=[1]\n %5 = add %2, %4\n "
     "%7: f32[N, 70] = const 0\n %6 = maximum %5, %7\n return y=%6",
     2e-5},
    {"linear_big",
     "dims N\n %0: f32[N, 300] = input x\n %1: f32[130, 300] = input w\n %2 = contract %0, %1 "
     "labels=ab,cb->ac\n return y=%2",
     1e-4},
    {"transposed",
     "dims N\n %0: f32[N, 33] = input x\n %1: f32[N, 20] = input g\n %2 = contract %1, %0 "
     "labels=na,nb->ab\n return y=%2",
     2e-5},
    {"matmul_f64",
     "dims N\n %0: f64[N, 37] = input x\n %1: f64[37, 19] = input w\n %2 = contract %0, %1 "
     "labels=ab,bc->ac\n return y=%2",
     1e-12},
    {"batched",
     "dims N\n %0: f32[3, N, 8] = input x\n %1: f32[3, 8, N] = input y\n %2 = contract %0, %1 "
     "labels=bij,bjk->bik\n return y=%2",
     1e-5},
    {"outer",
     "dims N\n %0: f32[N] = input x\n %1: f32[5] = input y\n %2 = contract %0, %1 labels=a,b->ab\n "
     "return y=%2",
     1e-6},
    {"dot",
     "dims N\n %0: f32[N, 7] = input x\n %1: f32[N, 7] = input y\n %2 = contract %0, %1 "
     "labels=ab,ab->\n return y=%2",
     2e-5},
    {"one_sided",
     "dims N\n %0: f32[N, 7, 2] = input x\n %1: f32[7, 3] = input y\n %2 = contract %0, %1 "
     "labels=nac,ab->nb\n return y=%2",
     2e-5},
    {"vector",
     "dims N\n %0: f32[N, 64] = input x\n %1: f32[64] = input y\n %2 = contract %0, %1 "
     "labels=nk,k->n\n return y=%2",
     2e-5},
    {"half_matmul",
     "dims N\n %0: f16[N, 16] = input x\n %1: f16[16, 8] = input w\n %2 = contract %0, %1 "
     "labels=ab,bc->ac\n return y=%2",
     4e-3},
    {"empty_depth",
     "dims N\n %0: f32[N, 0] = input x\n %1: f32[0, 19] = input w\n %2 = contract %0, %1 "
     "labels=ab,bc->ac\n %3 = exp %2\n return y=%3",
     0},
    {"empty_depth_permuted",
     "dims N\n %0: f32[0, N, 3] = input x\n %1: f32[3, 0, 5] = input w\n %2 = contract %0, %1 "
     "labels=abk,kac->bc\n return y=%2",
     0},
    {"conv",
     "dims N\n %0: f32[N, 3, 9, 8] = input x\n %1: f32[6, 3, 3, 3] = input w\n %2 = unfold %0 "
     "axis=2 size=3 stride=1 dilation=1\n %3 = unfold %2 axis=3 size=3 stride=1 dilation=1\n"
     " %4 = contract %3, %1 labels=nchwkl,ockl->nohw\n return y=%4",
     2e-5},
    {"conv_padded",
     "dims N\n %0: f32[N, 2, 7, 7] = input x\n %1: f32[20, 2, 3, 3] = input w\n %9: f32 = const "
     "0\n %8 = pad %0, %9 low=[0, 0, 1, 1] high=[0, 0, 1, 1]\n %2 = unfold %8 axis=2 size=3 "
     "stride=2 dilation=1\n %3 = unfold %2 axis=3 size=3 stride=2 dilation=1\n"
     " %4 = contract %3, %1 labels=nchwkl,ockl->nohw\n %5: f32[20] = input b\n %6: f32[N, 20, 4, "
     "4] = expand %5 axes=[1]\n %7 = add %4, %6\n return y=%7",
     2e-5},
    {"conv_dw",
     "dims N\n %0: f32[N, 3, 9, 8] = input x\n %1: f32[N, 6, 7, 6] = input g\n %2 = unfold %0 "
     "axis=2 size=3 stride=1 dilation=1\n %3 = unfold %2 axis=3 size=3 stride=1 dilation=1\n"
     " %4 = contract %1, %3 labels=nohw,nchwkl->ockl\n return y=%4",
     2e-4},
    {"conv_dx",
     "dims N\n %0: f32[N, 6, 7, 6] = input g\n %1: f32[6, 3, 3, 3] = input w\n %2 = contract %0, "
     "%1 labels=nohw,ockl->nchwkl\n %3 = fold %2 axis=3 extent=8 stride=1 dilation=1\n %4 = fold "
     "%3 axis=2 extent=9 stride=1 dilation=1\n return y=%4",
     4e-5},
    {"pool",
     "dims N\n %0: f32[N, 2, 8, 6] = input x\n %1 = unfold %0 axis=2 size=2 stride=2 dilation=1\n "
     "%2 = unfold %1 axis=3 size=2 stride=2 dilation=1\n %3 = reduce %2 kind=max axes=[4, 5]\n "
     "return y=%3",
     0},
    {"attention",
     "dims N\n %0: f32[2, N, 8] = input q\n %1: f32[2, N, 8] = input k\n %2: f32[2, N, 8] = input "
     "v\n %3 = contract %0, %1 labels=bid,bjd->bij\n %4 = reduce %3 kind=max axes=[2]\n %5: f32[2, "
     "N, N] = expand %4 axes=[0, 1]\n"
     " %6 = sub %3, %5\n %7 = exp %6\n %8 = reduce %7 kind=sum axes=[2]\n %9: f32[2, N, N] = "
     "expand %8 axes=[0, 1]\n %10 = div %7, %9\n %11 = contract %10, %2 labels=bij,bjd->bid\n "
     "return y=%11",
     1e-5, 0, 0, 0, 0, 1},
};

static const Case indexed[] = {
    {"gather",
     "dims N\n %0: f32[4, 5] = input x\n %1: i64[N] = input i\n %2 = gather %0, %1 batch=0\n %3 = "
     "exp %2\n return y=%3, z=%2",
     1e-6},
    {"gather_u8",
     "dims N\n %0: f32[4, 5] = input x\n %1: u8[N, 2] = input i\n %2 = gather %0, %1 batch=0\n "
     "return y=%2",
     0},
    {"gather_batch",
     "dims N\n %0: f32[N, 4] = input x\n %1: i32[N] = input i\n %2 = gather %0, %1 batch=1\n "
     "return y=%2",
     0},
    {"scatter_add",
     "dims N\n %0: f32[4, 5] = input x\n %1: i64[N] = input i\n %2: f32[N, 5] = input u\n %3 = "
     "scatter_add %0, %1, %2 batch=0\n return y=%3",
     2e-5},
    {"scatter_set",
     "dims N\n %0: f32[4, 5] = input x\n %1: i64[N] = input i\n %2: f32[N, 5] = input u\n %3 = "
     "scatter_set %0, %1, %2 batch=0\n return y=%3",
     0},
    {"scatter_batch",
     "dims N\n %0: f32[N, 4] = input x\n %1: i32[N] = input i\n %2: f32[N] = input u\n %3 = "
     "scatter_add %0, %1, %2 batch=1\n return y=%3",
     1e-6},
    {"dynamic_slice",
     "dims N\n %0: f32[N, 9] = input x\n %1: i64 = input s\n %2 = dynamic_slice %0, %1 axis=1 "
     "extent=4\n return y=%2",
     0, -3, 12},
    {"dynamic_update",
     "dims N\n %0: f32[N, 9] = input x\n %1: f32[N, 3] = input u\n %2: i64 = input s\n %3 = "
     "dynamic_update %0, %1, %2 axis=1\n return y=%3",
     0, -3, 12},
    {"argsort",
     "dims N\n %0: f32[N, 11] = input x\n %1 = argsort %0 axis=1\n %2 = argsort %0 axis=1 "
     "descending\n return y=%1, z=%2",
     0},
    {"argsort0", "dims N\n %0: i32[N, 3] = input x\n %1 = argsort %0 axis=0\n return y=%1", 0},
    {"argsort_nan",
     "dims N\n %0: f32[3, N] = input x\n %2 = sqrt %0\n %1 = argsort %2 axis=1 descending\n %3 = "
     "argsort %2 axis=1\n return y=%1, z=%3",
     0},
    {"prefix",
     "dims N\n %0: f32[N, 6] = input x\n %1 = prefix %0 kind=sum axis=1\n %2 = prefix %0 kind=max "
     "axis=0\n %3 = prefix %0 kind=sum axis=0 reverse\n return y=%1, z=%2, w=%3",
     1e-5},
    {"prefix_prod",
     "dims N\n %0: f32[N, 6] = input x\n %1 = prefix %0 kind=prod axis=1 reverse\n %2 = prefix %0 "
     "kind=min axis=1\n return y=%1, z=%2",
     1e-5},
};

static const Case scans[] = {
    {"scan",
     "dims N\n %0: f32[N, 4] = input x\n %1: f32[4] = input h\n"
     " %2 = scan %1, %0 carries=1 sequences=1 invariants=0 length=N { %0: f32[4] = input h\n %1: "
     "f32[4] = input x\n %2 = add %0, %1\n %3 = tanh %2\n return %3, %2 }\n"
     " %3: f32[4] = proj %2 index=0\n %4: f32[N, 4] = proj %2 index=1\n return h=%3, y=%4",
     1e-5},
    {"scan_back",
     "dims N\n %0: f32[N, 4] = input x\n %1: f32[4] = input h\n"
     " %2 = scan %1, %0 carries=1 sequences=1 invariants=0 length=N reverse { %0: f32[4] = input "
     "h\n %1: f32[4] = input x\n %2 = mul %0, %1\n %3 = tanh %2\n return %3, %2 }\n"
     " %3: f32[4] = proj %2 index=0\n %4: f32[N, 4] = proj %2 index=1\n return h=%3, y=%4",
     1e-5},
    {"scan_rnn",
     "dims N\n %0: f32[N, 2, 5] = input x\n %1: f32[2, 6] = input h\n %8: f32[6, 6] = input w\n "
     "%9: f32[6, 5] = input u\n"
     " %2 = scan %1, %0, %8, %9 carries=1 sequences=1 invariants=2 length=N { %0: f32[2, 6] = "
     "input h\n %1: f32[2, 5] = input x\n %2: f32[6, 6] = input w\n %3: f32[6, 5] = input u\n"
     " %4 = contract %0, %2 labels=bi,oi->bo\n %5 = contract %1, %3 labels=bi,oi->bo\n %6 = add "
     "%4, %5\n %7 = tanh %6\n return %7, %7 }\n"
     " %3: f32[2, 6] = proj %2 index=0\n %4: f32[N, 2, 6] = proj %2 index=1\n return h=%3, y=%4",
     1e-4},
    {"scan_in_scan",
     "dims N\n %0: f32[N, N, 4] = input x\n %1: f32[4] = input h\n %9: f32[N, 4] = input e\n"
     " %2 = scan %1, %0, %9 carries=1 sequences=2 invariants=0 length=N {\n"
     " %0: f32[4] = input h\n %1: f32[N, 4] = input x\n %8: f32[4] = input e\n"
     " %2 = scan %0, %1, %8 carries=1 sequences=1 invariants=1 length=N {\n"
     " %0: f32[4] = input h\n %1: f32[4] = input x\n %2: f32[4] = input e\n"
     " %3 = add %0, %1\n %4 = tanh %3\n %5 = mul %4, %2\n return %5, %3 }\n"
     " %3: f32[4] = proj %2 index=0\n %4: f32[N, 4] = proj %2 index=1\n return %3, %4 }\n"
     " %3: f32[4] = proj %2 index=0\n %4: f32[N, N, 4] = proj %2 index=1\n return h=%3, y=%4",
     1e-5},
    {"scan_random",
     "dims N\n %0: f32[N, 4] = input x\n %1: f32[4] = input h\n"
     " %2 = scan %1, %0 carries=1 sequences=1 invariants=0 length=N { %0: f32[4] = input h\n %1: "
     "f32[4] = input x\n %5: f32[4] = random site=3\n %2 = add %1, %5\n return %2, %2 }\n"
     " %3: f32[4] = proj %2 index=0\n %4: f32[N, 4] = proj %2 index=1\n return h=%3, y=%4",
     1e-6},
};

#define TABLE(name)                                                                                \
    static void test_##name(void **state) {                                                        \
        run_cases(#name, name, (int)(sizeof name / sizeof *name), "gcc -march=native -Wno-psabi"); \
    }
TABLE(views)
TABLE(reductions)
TABLE(products)
TABLE(indexed)
TABLE(scans)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views), cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_products), cmocka_unit_test(test_indexed),
        cmocka_unit_test(test_scans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
