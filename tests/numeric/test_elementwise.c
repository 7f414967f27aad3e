/* Every row of ops.def, in every dtype that it takes, and casts between all dtypes: emitted C
 * equals the interpreter. */
#include "numeric/numeric.h"

typedef enum Rule { SAME, FLOAT, BOOL, SELECT, LOGIC, BITS } Rule;
typedef struct Row {
    const char *name;
    int arity;
    Rule rule;
} Row;
static const Row rows[] = {
#define ELEMENTWISE(e, name, arity, rule, properties, reference) {name, arity, rule},
#include "tensor/ops.def"
#undef ELEMENTWISE
};

static const char *const dtypes[] = {"f32", "f64", "f16", "bf16", "i64",
                                     "i32", "i16", "i8",  "u8",   "bool"};
enum { DTYPES = 10, FLOATS = 4, BOOLEAN = 9 };

static bool takes(const Row *r, int t) {
    switch (r->rule) {
    case SAME: return t != BOOLEAN;
    case FLOAT: return t < FLOATS;
    case BOOL: return strcmp(r->name, "isnan") ? true : t < FLOATS;
    case SELECT: return true;
    case LOGIC: return t == BOOLEAN;
    case BITS: return t >= FLOATS;
    }
    return false;
}

static double tolerance(int t) {
    static const double of[] = {2e-6, 1e-13, 2e-3, 1.6e-2};
    return t < FLOATS ? of[t] : 0;
}

static void test_operators(void **state) {
    Arena *arena = arena_new();
    VECTOR(Case) cases = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int t = 0; t < DTYPES; t++) {
            const Row *r = &rows[i];
            if (!takes(r, t)) continue;
            Text body = text_new(arena);
            text_append(&body, "dims N\n");
            for (int k = 0; k < r->arity; k++)
                text_printf(&body, "%%%d: %s[N, 5] = input x%d\n", k,
                            r->rule == SELECT && !k ? "bool" : dtypes[t], k);
            text_printf(&body, "%%9 = %s", r->name);
            for (int k = 0; k < r->arity; k++) text_printf(&body, "%s %%%d", k ? "," : "", k);
            text_append(&body, "\nreturn y=%9");
            Case c = {arena_printf(arena, "op_%s_%s", r->name, dtypes[t]), body.data, tolerance(t)};
            if (!strcmp(r->name, "tan") || !strcmp(r->name, "pow")) c.tolerance *= 4;
            if (t >= FLOATS && t != BOOLEAN) {
                c.low = t == 8 ? 0 : -60; /* u8 */
                c.high = 100;
            }
            vector_push(arena, &cases, c);
        }
    assert_true(cases.count > 150);
    run_cases("operators", cases.data, cases.count, "gcc -march=native -Wno-psabi");
    arena_free(arena);
}

static void test_casts(void **state) {
    Arena *arena = arena_new();
    VECTOR(Case) cases = {0};
    for (int from = 0; from < DTYPES; from++)
        for (int to = 0; to < DTYPES; to++) {
            if (from == to) continue;
            Case c = {arena_printf(arena, "cast_%s_%s", dtypes[from], dtypes[to]),
                      arena_printf(arena,
                                   "dims N\n%%0: %s[N, 5] = input x\n%%1: %s[N, 5] = cast %%0\n"
                                   "return y=%%1",
                                   dtypes[from], dtypes[to]),
                      0};
            c.from = -300;
            c.to = 300;
            c.low = from == 8 ? 0 : -120;
            c.high = 120;
            vector_push(arena, &cases, c);
        }
    run_cases("casts", cases.data, cases.count, "gcc -march=native -Wno-psabi");
    arena_free(arena);
}

static const Case chains[] = {
    {"chain",
     "dims N\n %0: f32[N, 3] = input x\n %1: f32[N, 3] = exp %0\n"
     " %2: f32[N, 3] = mul %1, %0\n %3: f32[N, 3] = sub %2, %1\n"
     " %4: f32[N, 3] = tanh %3\n return z=%4, w=%2",
     2e-6},
    {"scalar",
     "dims N\n %0: f32[N] = input x\n %1: f32 = input k\n %2: f32[N] = expand %1 axes=[]\n"
     " %3 = mul %0, %2\n return z=%3",
     0},
    {"iota",
     "dims N\n %0: i64[N, 3] = iota axis=0\n %1: f32[N, 3] = iota axis=1\n"
     " %2: f32[N, 3] = cast %0\n %3 = add %1, %2\n return z=%3, i=%0",
     0},
    {"dim",
     "dims N\n %0: f32[N] = input x\n %1: f32 = dim N\n %2: f32[N] = expand %1 axes=[]\n"
     " %3 = div %0, %2\n return z=%3, n=%1",
     1e-7},
    {"random",
     "dims N\n %0: f32[N, 5] = random site=11\n %1: f64[N, 3] = random site=12\n"
     " return a=%0, b=%1",
     0},
    {"random_init", "dims N\n %0: f32[N, 5] = random site=11 at_init\n return a=%0", 0},
    {"constants",
     "dims N\n %0: f32[3] = const [1.5, -inf, 0.1]\n %1: f32[N, 3] = expand %0 axes=[1]\n"
     " %2: f32[N, 3] = input x\n %3 = maximum %1, %2\n return y=%3",
     0},
};

static void test_chains(void **state) {
    run_cases("chains", chains, (int)(sizeof chains / sizeof *chains),
              "gcc -march=native -Wno-psabi");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_operators),
                                       cmocka_unit_test(test_casts), cmocka_unit_test(test_chains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
