/* dtypes of results as torch.result_type has them: a tensor of every dtype with dims beside a
 * scalar tensor of every dtype and a number of every kind, and a scalar tensor beside numbers. */
#include "lowering.h"

enum { DTYPES = 10, KINDS = 3 };

static const char *const dtypes[DTYPES] = {"bool", "u8",  "i8",   "i16", "i32",
                                           "i64",  "f16", "bf16", "f32", "f64"};
static const char *const numbers[KINDS] = {"True", "2", "0.5"};

/* A row for each dtype of the tensor: beside scalar tensors, beside numbers; a scalar tensor of it
 * beside numbers. */
static const char *const expected[DTYPES][DTYPES + 2 * KINDS] = {
    {"bool", "u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64", "bool", "i64", "f32",
     "bool", "i64", "f32"},
    {"u8", "u8", "u8", "u8", "u8", "u8", "f16", "bf16", "f32", "f64", "u8", "u8", "f32", "u8", "u8",
     "f32"},
    {"i8", "i8", "i8", "i8", "i8", "i8", "f16", "bf16", "f32", "f64", "i8", "i8", "f32", "i8", "i8",
     "f32"},
    {"i16", "i16", "i16", "i16", "i16", "i16", "f16", "bf16", "f32", "f64", "i16", "i16", "f32",
     "i16", "i16", "f32"},
    {"i32", "i32", "i32", "i32", "i32", "i32", "f16", "bf16", "f32", "f64", "i32", "i32", "f32",
     "i32", "i32", "f32"},
    {"i64", "i64", "i64", "i64", "i64", "i64", "f16", "bf16", "f32", "f64", "i64", "i64", "f32",
     "i64", "i64", "f32"},
    {"f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16", "f16",
     "f16", "f16", "f16"},
    {"bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16", "bf16",
     "bf16", "bf16", "bf16", "bf16"},
    {"f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32", "f32",
     "f32", "f32", "f32"},
    {"f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64",
     "f64", "f64", "f64"},
};

/* `left * right` in both orders, and what where() makes of the two. */
static void put(Text *out, const char *left, const char *right, const char *want) {
    text_printf(out, "        assert (%s * %s).dtype == torch.%s, \"%s * %s: {(%s * %s).dtype}\"\n",
                left, right, want, left, right, left, right);
    text_printf(out, "        assert (%s * %s).dtype == torch.%s, \"%s * %s: {(%s * %s).dtype}\"\n",
                right, left, want, right, left, right, left);
    text_printf(out,
                "        assert where(t_bool > 0, %s, %s).dtype == torch.%s, \"where(%s, %s)\"\n",
                left, right, want, left, right);
}

static void test_result_types(void **state) {
    Arena *arena = arena_new();
    Text text = text_new(arena);
    text_append(&text, "module P {\n    def forward(self");
    for (int i = 0; i < DTYPES; i++)
        text_printf(&text, ", t_%s: %s[N], s_%s: %s", dtypes[i], dtypes[i], dtypes[i], dtypes[i]);
    text_append(&text, ") -> (y: f32[N]) {\n");
    for (int i = 0; i < DTYPES; i++) {
        const char *tensor = arena_printf(arena, "t_%s", dtypes[i]);
        const char *scalar = arena_printf(arena, "s_%s", dtypes[i]);
        for (int k = 0; k < DTYPES; k++)
            put(&text, tensor, arena_printf(arena, "s_%s", dtypes[k]), expected[i][k]);
        for (int k = 0; k < KINDS; k++) {
            put(&text, tensor, numbers[k], expected[i][DTYPES + k]);
            put(&text, scalar, numbers[k], expected[i][DTYPES + KINDS + k]);
        }
    }
    text_append(&text, "        return t_f32\n    }\n}\nexport P() as p\n");
    Lowered r = lower_good(text.data);
    lowered_free(&r);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_result_types)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
