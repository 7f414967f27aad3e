/* Running sums, sorts and scatters at the sizes where their schedules for a GPU change: around a
 * warp, a chunk of a block and a tile, with symbols and without, ties, NaN and infinities.  On the
 * shim, under 8 schedules of the threads, every element is within the bound of the typed
 * interpreter (numeric/bound.h), positions are equal, and scattered sums have the bits of the
 * CPU's.
 *
 * '$' in a body is the dtype. */
#include "cuda/tables.h"

#define ALL "f32 f64 i64 i32 i8 u8 f16 bf16"
#define SUM(in, rest) " dims N\n %x: $" in " = input x\n %y = prefix %x kind=" rest "\n return y=%y"

static void test_prefix(void **state) {
    (void)state;
    static const char edges[] = "0 1 31 32 33 255 256 257 1023 1025";
    static const TableCase cases[] = {
        {"thread", SUM("[N, 7]", "sum axis=1"), "f32 i8", -2, 2, 5, 0, BOUNDED, "0 1 33 300"},
        {"warp", SUM("[64, N, 65]", "sum axis=2"), ALL, -2, 2, 5, 0, BOUNDED, "0 1 2"},
        {"warp_last", SUM("[64, N, 64]", "max axis=2 reverse"), "f64 i16 bf16", -2, 2, 90, 5,
         BOUNDED, "0 1 2"},
        {"block", SUM("[N, 1025]", "sum axis=1"), "f32 f64 i64 u8 bf16", -2, 2, 5, 0, BOUNDED,
         "0 1 3"},
        {"block_reverse", SUM("[N, 1023]", "sum axis=1 reverse"), "f32 i32", -2, 2, 5, 0, BOUNDED,
         "1 2"},
        {"block_product", SUM("[N, 513]", "prod axis=1"), "f32 f64 i64 u8", 0.98, 1.02, 4, 0,
         BOUNDED, "1 2"},
        {"open", SUM("[3, N]", "sum axis=1"), "f32 i64 f16", -2, 2, 5, 0, BOUNDED, edges},
        {"open_odd", SUM("[3, N]", "sum axis=1"), "f32", -2, 2, 5, 300, BOUNDED, edges},
        {"open_min", SUM("[3, N]", "min axis=1"), "f32 i32", -2, 2, 90, 41, BOUNDED, edges},
        {"alone", SUM("[N]", "max axis=0 reverse"), "f64 i8", -2, 2, 90, 41, BOUNDED, edges},
        {"parts", SUM("[2, 20001]", "sum axis=1"), "f32 i64 bf16", -2, 2, 5, 0, BOUNDED, "0"},
        {"parts_reverse", SUM("[2, 6, 20001]", "max axis=2 reverse"), "f32 i32", -2, 2, 90, 900,
         BOUNDED, "0"},
        {"parts_open", SUM("[512*N]", "sum axis=0 reverse"), "f32 i32", -2, 2, 5, 0, BOUNDED,
         "0 1 16 17 33"},
        {"parts_columns", SUM("[20001, 3]", "prod axis=0"), "f64 i32", 0.9999, 1.0001, 4, 0,
         BOUNDED, "0"},
        {"columns", SUM("[3, N, 1000]", "sum axis=1"), "f32 i16", -2, 2, 5, 0, BOUNDED, "0 1 5"},
        {"open_block", SUM("[20, N]", "sum axis=1"), "f64 i8", -2, 2, 5, 0, BOUNDED, edges},
        {"segments", SUM("[3, N, 700]", "sum axis=1 reverse"), "f32 i8 bf16", -2, 2, 5, 0, BOUNDED,
         "0 1 7 8 9 65"},
        {"segments_odd", SUM("[3, 41, 700]", "min axis=1"), "f64", -2, 2, 5, 50, BOUNDED, "0"},
        {"few_columns", SUM("[N, 5]", "sum axis=0"), "f32 i64", -2, 2, 5, 0, BOUNDED, edges},
    };
    run_table("prefix", "int64_t", cases, sizeof cases / sizeof *cases,
              "nn_scan_warp<nn_sum_f32> nn_scan_block<8, totals");
}

#define SORT(in, rest) " dims N\n %x: $" in " = input x\n %y = argsort %x " rest "\n return y=%y"

static void test_sort(void **state) {
    (void)state;
    static const char edges[] = "0 1 2 31 33 64 65 127 1025 2048 2049 4097";
    static const TableCase cases[] = {
        {"pairs", SORT("[N, 2]", "axis=1"), ALL, -2, 2, 3, 7, EQUAL, "0 1 255 600"},
        {"short", SORT("[N, 7]", "axis=1 descending"), "f32 i16 f16 bool", -2, 2, 3, 7, EQUAL,
         "0 1 64 65"},
        {"warp", SORT("[N, 32]", "axis=1"), "f64 i64 u8", -2, 2, 9, 7, EQUAL, "1 16 17"},
        {"odd", SORT("[N, 33]", "axis=1"), "f32", -2, 2, 9, 7, EQUAL, "1 8 9"},
        {"columns", SORT("[65, N, 3]", "axis=0"), "f32 i64", -2, 2, 9, 7, EQUAL, "1 5"},
        {"one", SORT("[N, 1]", "axis=1"), "f32", -2, 2, 9, 7, EQUAL, "0 3"},
        {"tile", SORT("[N, 1023]", "axis=1 descending"), "f32 f64 i64 f16 bool", -20, 20, 500, 31,
         EQUAL, "1 2"},
        {"full", SORT("[N, 2048]", "axis=1"), "f32 f64", -20, 20, 500, 31, EQUAL, "1"},
        {"two", SORT("[2, 2049]", "axis=1"), "f32 i64", -20, 20, 500, 31, EQUAL, "0"},
        {"chunks", SORT("[2, 1, 10000]", "axis=2 descending"), "f32", -200, 200, 500, 31, EQUAL,
         "0"},
        {"chunks_columns", SORT("[6500, 2]", "axis=0"), "f64 i8", -20, 20, 100, 31, EQUAL, "0"},
        {"open", SORT("[2, N]", "axis=1"), "f32", -20, 20, 500, 31, EQUAL, edges},
        {"open_down", SORT("[N]", "axis=0 descending"), "f64 i32 bool", -20, 20, 500, 31, EQUAL,
         edges},
        {"in_scan",
         " dims N\n %h: i64[2100] = input h\n %x: $[N, 2100] = input x\n"
         " %s = scan %h, %x carries=1 sequences=1 length=N {\n"
         "  %c: i64[2100] = input\n  %e: $[2100] = input\n"
         "  %o = argsort %e axis=0\n  %n = add %c, %o\n  return %n, %o\n }\n"
         " %l = proj %s index=0\n %a = proj %s index=1\n return l=%l, a=%a",
         "f32", -20, 20, 500, 31, EQUAL, "0 1 3"},
    };
    run_table("sort", "int32_t", cases, sizeof cases / sizeof *cases,
              "nn_sort_tile<256 nn_rank< nn_width");
}

#define SCATTER(x, ids, u, op, rest)                                                  \
    " dims N\n %x: $" x " = input x\n %i: " ids " = input i\n %u: $" u " = input u\n" \
    " %y = scatter_" op " %x, %i, %u batch=" rest "\n return y=%y"

static void test_scatter(void **state) {
    (void)state;
    static const char edges[] = "0 1 31 33 257 1025 2049 4100";
    static const TableCase cases[] = {
        {"few", SCATTER("[9, 3]", "i64[32]", "[32, 3]", "add", "0"), "f32 i64 f16", -2, 2, 9, 0,
         SAME, "0"},
        {"few_set", SCATTER("[9, N]", "i32[32]", "[32, N]", "set", "0"), "f32 bool", -2, 2, 9, 0,
         SAME, "0 1 300"},
        {"rows", SCATTER("[9, 3]", "i64[N]", "[N, 3]", "add", "0"), "f32 f64 i64 u8 f16", -2, 2, 9,
         0, SAME, edges},
        {"rows_set", SCATTER("[9, 3]", "i64[N]", "[N, 3]", "set", "0"), "f32 i8 bool", -2, 2, 9, 0,
         SAME, edges},
        {"one_row", SCATTER("[1, 33]", "i64[N]", "[N, 33]", "add", "0"), "f32 f16", -2, 2, 1, 0,
         SAME, "1 100"},
        {"odd", SCATTER("[40, 5]", "u8[N]", "[N, 5]", "add", "0"), "f32 f64", -2, 2, 40, 9, SAME,
         "1 100 300"},
        {"plane", SCATTER("[9]", "i32[N, 3]", "[N, 3]", "add", "0"), "f32 i64", -2, 2, 9, 0, SAME,
         "0 1 33 700"},
        {"batches", SCATTER("[N, 9, 2]", "i64[N, 40]", "[N, 40, 2]", "add", "1"), "f32 f64 i8", -2,
         2, 9, 0, SAME, "0 1 5"},
        {"batches_set", SCATTER("[2, N, 50]", "i64[2, N, 7, 11]", "[2, N, 7, 11]", "set", "2"),
         "f32 i32", -2, 2, 50, 0, SAME, "0 1 3"},
        {"open_rows", SCATTER("[N + 500, 2]", "i64[70, 40]", "[70, 40, 2]", "add", "0"), "f32 bf16",
         -2, 2, 500, 0, SAME, "0 1"},
        {"computed",
         " dims N\n %x: $[20, 3] = input x\n %i: i64[N] = input i\n %u: $[N, 3] = input u\n"
         " %k: i64[N] = const 1\n %j = add %i, %k\n %v = mul %u, %u\n"
         " %y = scatter_add %x, %j, %v batch=0\n return y=%y",
         "f32 f64", -2, 2, 19, 0, SAME, "0 1 100 3000"},
    };
    run_table("scatter", "int32_t", cases, sizeof cases / sizeof *cases,
              "nn_sort_tile<256 nn_rank<");
}

/* ---- choices ---- */

typedef struct Choice {
    const char *body, *has, *lacks; /* of the printed kernels and steps */
} Choice;

static void test_choices(void **state) {
    (void)state;
    static const Choice choices[] = {
        {SUM("[N, 7]", "sum axis=1"), "thread", "scan"},
        {SUM("[N, 8]", "sum axis=1"), "scan lanes", "parts"},
        {SUM("[4096, N, 1024]", "sum axis=2"), "scan lanes", "parts"},
        {SUM("[N, 1024]", "sum axis=1"), "scan threads", "parts"},
        {SUM("[N, M]", "sum axis=1"), "scan threads", "parts"},
        {SUM("[N]", "sum axis=0"), "totals of parts", "scan lanes"},
        {SUM("[1, 1000000]", "sum axis=1"), "totals of parts", "scan lanes"},
        {SUM("[1000, N, 1000]", "sum axis=1"), "thread", "scan"},
        {SUM("[N, 3]", "sum axis=0"), "totals of parts", "lanes"},
        {SUM("[20, N, 3]", "sum axis=1"), "scan threads", "lanes"},
        {SUM("[3, 1000, 2000]", "sum axis=1"), "shared totals", "scan"},
        {SORT("[N, 5]", "axis=1"), "in each 8,", "doubling"},
        {SORT("[N, 2048]", "axis=1"), "in each 2048,", "doubling"},
        {SORT("[N, 2049]", "axis=1"), "doubling from 2048 below 2049", "in each 1024"},
        {SORT("[3, N]", "axis=1"), "doubling from 2048 below N", "in each 1024"},
        {SCATTER("[9, 3]", "i64[32]", "[32, 3]", "add", "0"), "scatter_add", "sort"},
        {SCATTER("[9, 3]", "i64[33]", "[33, 3]", "add", "0"), "in each 64,", "doubling"},
        {SCATTER("[9, 9000000]", "i64[64]", "[64, 9000000]", "add", "0"), "scatter_add", "sort"},
        {SCATTER("[30000, 768]", "i64[N, M]", "[N, M, 768]", "add", "0"), "for k", "scan"},
        {SCATTER("[30000, 768]", "i64[N, M]", "[N, M, 768]", "set", "0"), "doubling", "for k"},
    };
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        Arena *arena = arena_new();
        names_init(arena);
        Text text = text_new(arena), kernels = text_new(arena);
        text_append(&text, "root test infer {\nentry infer e symbol=test_e {\n");
        append_typed(&text, choices[i].body, "f32");
        /* M is a dim of the entry where it is used. */
        char *names = strstr(text.data, " dims N\n");
        const char *typed = text.data;
        if (strstr(names, "M]") || strstr(names, "M,"))
            typed = arena_printf(arena, "%.*s dims N, M\n%s", (int)(names - text.data), text.data,
                                 names + strlen(" dims N\n"));
        typed = arena_printf(arena, "%s\n}\n}\n", typed);
        const char *error = NULL;
        Program *program = program_read(arena, typed, &error);
        if (!program) fail_msg("%s\n%s", error, typed);
        simplify_program(program);
        kernel_program_print(
            &kernels, kernel_program_build_with(arena, program, &(KernelOptions){.gpu = true}));
        if (!strstr(kernels.data, choices[i].has) || strstr(kernels.data, choices[i].lacks))
            fail_msg("not with '%s' and without '%s':\n%s", choices[i].has, choices[i].lacks,
                     kernels.data);
        arena_free(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prefix), cmocka_unit_test(test_sort),
                                       cmocka_unit_test(test_scatter),
                                       cmocka_unit_test(test_choices)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
