/* Names, numbers and dims as C text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit/common/common.h"

static Arena *arena;
static int setup(void **state) {
    arena = arena_new();
    names_init(arena);
    return 0;
}
static int teardown(void **state) {
    arena_free(arena);
    return 0;
}

static void test_identifiers(void **state) {
    assert_string_equal(emit_identifier(arena, "image"), "image");
    assert_string_equal(emit_identifier(arena, "a.b-c"), "a_b_c");
    assert_string_equal(emit_identifier(arena, "0.weight"), "_0_weight");
    assert_string_equal(emit_identifier(arena, ""), "_");
    assert_string_equal(emit_identifier(arena, "int"), "int_");
    assert_string_equal(emit_identifier(arena, "int_"), "int__");
    assert_string_equal(emit_identifier(arena, "INT64_MAX"), "INT64_MAX_");
    assert_string_equal(emit_identifier(arena, "__LINE__"), "__LINE___");
    assert_string_equal(emit_identifier(arena, "tanhf"), "tanhf");
    assert_string_equal(emit_symbol(arena, "tanhf"), "tanhf_");
    assert_string_equal(emit_symbol(arena, "tanhf_"), "tanhf__");
    assert_string_equal(emit_symbol(arena, "read"), "read_");
    assert_string_equal(emit_symbol(arena, "reader"), "reader");
    assert_string_equal(emit_identifier(arena, "class"), "class_");
    assert_string_equal(emit_identifier(arena, "ctx"), "ctx_");
    assert_string_equal(emit_identifier(arena, "nn_run"), "nn_run_");
    assert_string_equal(emit_identifier(arena, "nnc_model"), "nnc_model_");
    NameSet set = {arena, {0}};
    assert_string_equal(name_set_add(&set, "x"), "x");
    assert_string_equal(name_set_add(&set, "x"), "x_2");
    assert_string_equal(name_set_add(&set, "x_2"), "x_2_2");
    assert_string_equal(name_set_add(&set, "x"), "x_3");
}

/* Each word of the lists of names.c, which have to be sorted. */
static void test_taken_words(void **state) {
    FILE *in = fopen(SOURCE_DIR "/compiler/emit/common/names.c", "r");
    assert_non_null(in);
    char line[256];
    int words = 0;
    while (fgets(line, sizeof line, in)) {
        if (strncmp(line, "    \"", 5)) continue;
        for (char *word = strtok(line + 5, " \";\n"); word; word = strtok(NULL, " \";\n")) {
            char taken[64];
            snprintf(taken, sizeof taken, "%s_", word);
            assert_string_equal(emit_symbol(arena, word), taken);
            words++;
        }
    }
    fclose(in);
    assert_true(words > 500);
}

static void test_text_cannot_escape(void **state) {
    Text t = text_new(arena);
    emit_string(&t, "a\"b\\c\n?\?=\xc3\xa9");
    assert_string_equal(t.data, "\"a\\\"b\\\\c\\012\\?\\?=\\303\\251\"");
    t = text_new(arena);
    emit_comment_lines(&t, " * ", "ends */ here\nand /* there ?\?/");
    assert_null(strstr(t.data, "*/"));
    assert_null(strstr(t.data, "/*"));
    assert_string_equal(t.data, " * ends * / here\n * and / * there ? ?/\n");
}

static void check_float(double value, DType dtype) {
    Text t = text_new(arena);
    emit_float(&t, value, dtype);
    char *end = NULL;
    double back = dtype == DTYPE_F64 ? strtod(t.data, &end) : (double)strtof(t.data, &end);
    double want = dtype == DTYPE_F64 ? value : (double)(float)value;
    if (back != want || signbit(back) != signbit(want)) fail_msg("%a printed as %s", value, t.data);
    assert_string_equal(end, dtype == DTYPE_F64 ? "" : "f");
}

static void test_floats_read_back(void **state) {
    static const double values[] = {0.0,      -0.0,      1.0,   -255.0, 0.1,    1e-5,      3e38,
                                    0x1p-149, 0x1p-1074, 1e300, 2.5,    -1e-30, 16777216.0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        check_float(values[i], DTYPE_F64);
        if (fabs(values[i]) < 3.3e38) check_float(values[i], DTYPE_F32);
    }
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double v;
        memcpy(&v, &bits, sizeof v);
        if (isfinite(v)) check_float(v, DTYPE_F64);
        if (isfinite((float)v)) check_float(v, DTYPE_F32);
        float single;
        memcpy(&single, &bits, sizeof single);
        if (isfinite(single)) check_float((double)single, DTYPE_F32);
    }
    Text t = text_new(arena);
    emit_float(&t, INFINITY, DTYPE_F32);
    assert_string_equal(t.data, "(INFINITY)");
    t = text_new(arena);
    emit_float(&t, NAN, DTYPE_F32);
    assert_string_equal(t.data, "NAN");
}

static void test_integers(void **state) {
    Text t = text_new(arena);
    emit_int(&t, INT64_MIN);
    assert_string_equal(t.data, "INT64_MIN");
    t = text_new(arena);
    emit_int(&t, 5000000000);
    assert_string_equal(t.data, "INT64_C(5000000000)");
    t = text_new(arena);
    emit_int(&t, -7);
    assert_string_equal(t.data, "-7");
}

static void test_half_bits(void **state) {
    assert_int_equal(emit_half_bits(1.0, DTYPE_F16), 0x3c00);
    assert_int_equal(emit_half_bits(-2.0, DTYPE_F16), 0xc000);
    assert_int_equal(emit_half_bits(65504.0, DTYPE_F16), 0x7bff);
    assert_int_equal(emit_half_bits(65520.0, DTYPE_F16), 0x7c00);
    assert_int_equal(emit_half_bits(0x1p-24, DTYPE_F16), 0x0001);
    assert_int_equal(emit_half_bits(0x1p-25, DTYPE_F16), 0x0000);
    assert_int_equal(emit_half_bits(1.0, DTYPE_BF16), 0x3f80);
    assert_int_equal(emit_half_bits(0x1.01p0, DTYPE_BF16), 0x3f80);
    assert_int_equal(emit_half_bits(0x1.03p0, DTYPE_BF16), 0x3f82);
    assert_int_equal(emit_half_bits(INFINITY, DTYPE_BF16), 0x7f80);
}

static const char *symbol_name(void *user, const DimSymbol *s) {
    return s->name->text;
}

static void test_dims(void **state) {
    DimTable *dims = dim_table_new(arena);
    const Dim *n = dim_symbol(dims, name_of("N")), *t = dim_symbol(dims, name_of("T"));
    const Dim *d =
        dim_add(dims, dim_mul(dims, dim_mul(dims, n, t), dim_const(dims, 4)), dim_const(dims, -3));
    Text text = text_new(arena);
    emit_dim(&text, d, symbol_name, NULL);
    assert_true(!strcmp(text.data, "4 * N * T - 3") || !strcmp(text.data, "4 * T * N - 3"));
    text = text_new(arena);
    emit_dim(&text, dim_floordiv(dims, dim_add(dims, n, dim_const(dims, 1)), dim_const(dims, 2)),
             symbol_name, NULL);
    assert_string_equal(text.data, "nn_floordiv(N + 1, 2)");
    text = text_new(arena);
    emit_dim_saturating(&text,
                        dim_add(dims, dim_mul(dims, n, dim_const(dims, 5)), dim_const(dims, 2)),
                        symbol_name, NULL);
    assert_string_equal(text.data, "nn_add_size(nn_mul_size(5, N), 2)");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_identifiers),
                                       TEST(test_taken_words),
                                       TEST(test_text_cannot_escape),
                                       TEST(test_floats_read_back),
                                       TEST(test_integers),
                                       TEST(test_half_bits),
                                       TEST(test_dims)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
