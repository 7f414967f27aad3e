/* The interpreter on values worked out by hand, every primitive, with zero-sized dims; each graph
 * also makes the round trip through text and the verifier. */
#include "unit/tensor/helpers.h"

static void test_elementwise_floats(void **state) {
    EXPECT(
        "%a: f32[3] = const [1, 2, 3]\n%b: f32[3] = const [4, -5, 0.5]\n%c = add %a, %b\nreturn %c",
        "f32[3]", 5, -3, 3.5);
    EXPECT("%a: f32[4] = const [7, -7, 7, -7]\n%b: f32[4] = const [3, 3, -3, -3]\n"
           "%c = floordiv %a, %b\nreturn %c",
           "f32[4]", 2, -3, -3, 2);
    EXPECT("%a: f32[4] = const [7, -7, 7, -7]\n%b: f32[4] = const [3, 3, -3, -3]\n"
           "%c = mod %a, %b\nreturn %c",
           "f32[4]", 1, 2, -2, -1);
    EXPECT("%a: f32[4] = const [nan, 1, 2, inf]\n%b: f32[4] = const [1, nan, 3, 0]\n"
           "%c = maximum %a, %b\nreturn %c",
           "f32[4]", NAN, NAN, 3, INFINITY);
    EXPECT("%a: f32[3] = const [nan, 1, 2]\n%b: f32[3] = const [1, nan, 3]\n"
           "%c = minimum %a, %b\nreturn %c",
           "f32[3]", NAN, NAN, 2);
    EXPECT("%a: f32[4] = const [-2, 0, 5, nan]\n%c = sign %a\nreturn %c", "f32[4]", -1, 0, 1, 0);
    EXPECT("%a: f32[4] = const [0.5, 1.5, 2.5, -0.5]\n%c = round %a\nreturn %c", "f32[4]", 0, 2, 2,
           -0.0);
    EXPECT("%a: f64[2] = const [0, 1]\n%c = sigmoid %a\nreturn %c", "f64[2]", 0.5,
           0.7310585786300049);
    EXPECT("%a: f64[1] = const [0.5]\n%c = erf %a\nreturn %c", "f64[1]", 0.5204998778130465);
    EXPECT("%a: f64[2] = const [2, 4]\n%c = rsqrt %a\nreturn %c", "f64[2]", 0.7071067811865475,
           0.5);
    EXPECT("%a: f64[2] = const [2, 3]\n%b: f64[2] = const [0.5, -1]\n%c = pow %a, %b\nreturn %c",
           "f64[2]", 1.4142135623730951, 1 / 3.0);
    EXPECT("%a: f32[3] = const [1, nan, 2]\n%b: f32[3] = const [1, nan, 3]\n%c = eq %a, %b\n"
           "return %c",
           "bool[3]", 1, 0, 0);
    EXPECT("%a: f32[3] = const [1, nan, 2]\n%b = ne %a, %a\nreturn %b", "bool[3]", 0, 1, 0);
    EXPECT("%a: f32[3] = const [1, nan, 2]\n%b = isnan %a\nreturn %b", "bool[3]", 0, 1, 0);
    EXPECT("%c: bool[3] = const [1, 0, 1]\n%a: f32[3] = const [1, 2, 3]\n%b: f32[3] = const 9\n"
           "%d = select %c, %a, %b\nreturn %d",
           "f32[3]", 1, 9, 3);
    EXPECT("%a: f32 = const 2\n%b = mul %a, %a\nreturn %b", "f32", 4);
    EXPECT_EMPTY("%a: f32[0, 3] = const 2\n%b = exp %a\nreturn %b", "f32[0, 3]");
}

static void test_elementwise_integers(void **state) {
    EXPECT(
        "%a: u8[3] = const [250, 3, 0]\n%b: u8[3] = const [10, 4, 1]\n%c = add %a, %b\nreturn %c",
        "u8[3]", 4, 7, 1);
    EXPECT("%a: i8[3] = const [127, -128, 100]\n%b: i8[3] = const [1, 1, 3]\n%c = mul %a, %b\n"
           "return %c",
           "i8[3]", 127, -128, 44);
    EXPECT("%a: u8[2] = const [3, 0]\n%c = neg %a\nreturn %c", "u8[2]", 253, 0);
    EXPECT("%a: i32[6] = const [7, -7, 7, -7, 5, -2147483648]\n"
           "%b: i32[6] = const [2, 2, -2, -2, 0, -1]\n%c = floordiv %a, %b\nreturn %c",
           "i32[6]", 3, -4, -4, 3, 0, -2147483648.0);
    EXPECT("%a: i64[5] = const [7, -7, 7, -7, 5]\n%b: i64[5] = const [3, 3, -3, -3, 0]\n"
           "%c = mod %a, %b\nreturn %c",
           "i64[5]", 1, 2, -2, -1, 0);
    EXPECT("%a: i32[2] = const [12, -1]\n%b: i32[2] = const [10, 6]\n%c = xor %a, %b\nreturn %c",
           "i32[2]", 6, -7);
    EXPECT("%a: bool[2] = const [1, 0]\n%c = not %a\nreturn %c", "bool[2]", 0, 1);
    EXPECT("%a: u8[2] = const [1, 255]\n%c = not %a\nreturn %c", "u8[2]", 254, 0);
    /* Above 2^53 doubles would lose it. */
    EXPECT("%a: i64[1] = const [9007199254740993]\n%b: i64[1] = const [9007199254740992]\n"
           "%c = sub %a, %b\nreturn %c",
           "i64[1]", 1);
    EXPECT("%a: i64[1] = const [9223372036854775807]\n%b: i64[1] = const 1\n%c = add %a, %b\n"
           "%d = lt %c, %a\nreturn %d",
           "bool[1]", 1);
}

static void test_casts(void **state) {
    EXPECT("%a: f32[6] = const [1.9, -1.9, 300, nan, inf, -5]\n%b: u8[6] = cast %a\nreturn %b",
           "u8[6]", 1, 0, 255, 0, 255, 0);
    EXPECT("%a: f64[3] = const [1e20, -1e20, 2.5]\n%b: i32[3] = cast %a\nreturn %b", "i32[3]",
           2147483647, -2147483648.0, 2);
    EXPECT("%a: i32[3] = const [256, 257, -1]\n%b: u8[3] = cast %a\nreturn %b", "u8[3]", 0, 1, 255);
    EXPECT("%a: f32[4] = const [0, 0.5, nan, -0.0]\n%b: bool[4] = cast %a\nreturn %b", "bool[4]", 0,
           1, 1, 0);
    EXPECT("%a: bool[2] = const [1, 0]\n%b: f32[2] = cast %a\nreturn %b", "f32[2]", 1, 0);
    EXPECT_TYPED("%a: i64[1] = const [16777217]\n%b: f32[1] = cast %a\nreturn %b", "f32[1]",
                 16777216);
    EXPECT("%a: i64[1] = const [16777217]\n%b: f32[1] = cast %a\nreturn %b", "f32[1]", 16777217);
}

static void test_typed_rounding(void **state) {
    EXPECT_TYPED("%a: f32[1] = const [0.1]\n%b: f32[1] = const [0.2]\n%c = add %a, %b\nreturn %c",
                 "f32[1]", (double)(0.1f + 0.2f));
    EXPECT("%a: f32[1] = const [0.1]\n%b: f32[1] = const [0.2]\n%c = add %a, %b\nreturn %c",
           "f32[1]", 0.1 + 0.2);
    EXPECT_TYPED("%a: f32[5] = const [1.0009765625, 2049, 65520, 6e-08, 65519]\n"
                 "%b: f16[5] = cast %a\nreturn %b",
                 "f16[5]", 1.0009765625, 2048, INFINITY, 0x1p-24, 65504);
    EXPECT_TYPED("%a: f32[4] = const [1.00390625, 1.01171875, 3.4e38, 257]\n%b: bf16[4] = cast %a\n"
                 "return %b",
                 "bf16[4]", 1, 1.015625, INFINITY, 256);
    for (int dtype = DTYPE_F16; dtype <= DTYPE_BF16; dtype++) {
        for (uint32_t bits = 0; bits < 0x10000; bits++) {
            double value = half_value((uint16_t)bits, (DType)dtype);
            if (isnan(value)) {
                assert_true(isnan(half_value(half_bits(value, (DType)dtype), (DType)dtype)));
                continue;
            }
            assert_int_equal(half_bits(value, (DType)dtype), bits);
        }
    }
    assert_int_equal(half_bits(0x1.002p0, DTYPE_F16), 0x3c00); /* tie to even */
    assert_int_equal(half_bits(0x1.006p0, DTYPE_F16), 0x3c02);
}

static void test_sources(void **state) {
    EXPECT("%a: i64[2, 3] = iota axis=1\nreturn %a", "i64[2, 3]", 0, 1, 2, 0, 1, 2);
    EXPECT("%a: f32[2, 3] = iota axis=0\nreturn %a", "f32[2, 3]", 0, 0, 0, 1, 1, 1);
    EXPECT("%a: i64 = dim (7 + 2)//2\nreturn %a", "i64", 4);
    EXPECT("%a: f32[2] = const [1, nan]\nreturn %a", "f32[2]", 1, NAN);
    EXPECT_EMPTY("%a: f32[0] = const []\nreturn %a", "f32[0]");
}

static void test_random(void **state) {
    /* Philox4x32-10 of counter (0, 0, site, step) and key (1, 0); words by the published algorithm:
     * each step checked below against an independent evaluation of its definition. */
    Graph *g = read_graph("%a: f32[9] = random site=7\n%b: f64[3] = random site=7\n"
                          "%c: f32[9] = random site=7 at_init\nreturn %a, %b, %c");
    Interpretation how = {.mode = INTERPRET_TYPED, .seed = 0x0000000500000001, .step = 3};
    Tensor *r[3], *s[3];
    assert_null(interpret_graph(arena, g, &how, NULL, r));
    for (int i = 0; i < 9; i++) {
        uint32_t c[4] = {(uint32_t)i / 4, 0, 7, 3}, k[2] = {1, 5};
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)c[0] * 0xD2511F53u, p1 = (uint64_t)c[2] * 0xCD9E8D57u;
            uint32_t n[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ k[0], (uint32_t)p1,
                             (uint32_t)(p0 >> 32) ^ c[3] ^ k[1], (uint32_t)p0};
            memcpy(c, n, sizeof c);
            k[0] += 0x9E3779B9u;
            k[1] += 0xBB67AE85u;
        }
        assert_true(r[0]->floats[i] == (c[i % 4] >> 8) / 16777216.0);
        if (i == 0 || i == 5) {
            int pair = i == 0 ? 0 : 2, at = i == 0 ? 0 : 0;
            assert_true(r[1]->floats[pair] ==
                        ((c[at] >> 5) * 67108864.0 + (c[at + 1] >> 6)) / 9007199254740992.0);
        }
    }
    how.step = 4;
    assert_null(interpret_graph(arena, g, &how, NULL, s));
    assert_true(s[0]->floats[0] != r[0]->floats[0]);
    assert_true(s[2]->floats[0] == r[2]->floats[0]); /* at_init ignores the step */
    for (int i = 0; i < 9; i++) assert_true(r[0]->floats[i] >= 0 && r[0]->floats[i] < 1);
}

static void test_philox_known_answer(void **state) {
    /* The test vector of Random123: counter and key 0. */
    Graph *g = read_graph("%a: f32[4] = random site=0\nreturn %a");
    Interpretation how = {.mode = INTERPRET_TYPED};
    Tensor *r;
    assert_null(interpret_graph(arena, g, &how, NULL, &r));
    static const uint32_t words[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++) assert_true(r->floats[i] == (words[i] >> 8) / 16777216.0);
}

static void test_views(void **state) {
    EXPECT("%a: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%b: f32[3, 2] = reshape %a\nreturn %b",
           "f32[3, 2]", 1, 2, 3, 4, 5, 6);
    EXPECT("%a: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%b = permute %a axes=[1, 0]\nreturn %b",
           "f32[3, 2]", 1, 4, 2, 5, 3, 6);
    EXPECT("%a: f32[3] = const [1, 2, 3]\n%b: f32[2, 3] = expand %a\nreturn %b", "f32[2, 3]", 1, 2,
           3, 1, 2, 3);
    EXPECT("%a: f32[2] = const [1, 2]\n%b: f32[2, 3] = expand %a axes=[0]\nreturn %b", "f32[2, 3]",
           1, 1, 1, 2, 2, 2);
    EXPECT("%a: f32[2, 1] = const [1, 2]\n%b: f32[2, 2] = expand %a\nreturn %b", "f32[2, 2]", 1, 1,
           2, 2);
    EXPECT("%a: i32[2, 4] = const [0, 1, 2, 3, 4, 5, 6, 7]\n"
           "%b: i32[2, 2] = slice %a begin=[1, 3] step=[-1, -2]\nreturn %b",
           "i32[2, 2]", 7, 5, 3, 1);
    EXPECT("%a: f32[2] = const [1, 2]\n%z: f32 = const -1\n%b = pad %a, %z low=[1] high=[2]\n"
           "return %b",
           "f32[5]", -1, 1, 2, -1, -1);
    EXPECT("%a: f32[4] = const [1, 2, 3, 4]\n%z: f32 = const 0\n%b = pad %a, %z low=[-1] high=[1]\n"
           "return %b",
           "f32[4]", 2, 3, 4, 0);
    EXPECT("%a: f32[2, 2] = const [1, 2, 3, 4]\n%z: f32 = const 9\n"
           "%b = pad %a, %z low=[-1, 1] high=[0, -1]\nreturn %b",
           "f32[1, 2]", 9, 3);
    EXPECT_EMPTY("%a: f32[3] = const 1\n%z: f32 = const 0\n%b = pad %a, %z low=[-2] high=[-1]\n"
                 "return %b",
                 "f32[0]");
    EXPECT("%a: f32[2, 1] = const [1, 2]\n%b: f32[2, 2] = const [3, 4, 5, 6]\n%e: f32[2, 0] = "
           "const 1\n"
           "%c = concat %a, %e, %b axis=1\nreturn %c",
           "f32[2, 3]", 1, 3, 4, 2, 5, 6);
    EXPECT("%a: f32[5] = const [1, 2, 3, 4, 5]\n%b = unfold %a axis=0 size=2 stride=2\nreturn %b",
           "f32[2, 2]", 1, 2, 3, 4);
    EXPECT("%a: f32[5] = const [1, 2, 3, 4, 5]\n%b = unfold %a axis=0 size=3 dilation=2\nreturn %b",
           "f32[1, 3]", 1, 3, 5);
    EXPECT("%a: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%b = unfold %a axis=0 size=2\nreturn %b",
           "f32[1, 3, 2]", 1, 4, 2, 5, 3, 6);
    EXPECT("%a: f32[3, 2] = const [1, 2, 3, 4, 5, 6]\n%b = fold %a axis=0 extent=4\nreturn %b",
           "f32[4]", 1, 5, 9, 6);
    EXPECT("%a: f32[2, 2] = const [1, 2, 3, 4]\n%b = fold %a axis=0 extent=6 stride=3 dilation=2\n"
           "return %b",
           "f32[6]", 1, 0, 2, 3, 0, 4);
    EXPECT_EMPTY("%a: f32[2] = const 1\n%b = unfold %a axis=0 size=3\nreturn %b", "f32[0, 3]");
    EXPECT_EMPTY("%a: f32[0, 3] = const 1\n%b = permute %a axes=[1, 0]\nreturn %b", "f32[3, 0]");
    expect_error("%a: f32[2] = const 1\n%b = unfold %a axis=0 size=4\nreturn %b", "no window");
}

static void test_reductions(void **state) {
    const char *head = "%a: f32[2, 3] = const [1, 5, 2, 4, 3, 6]\n";
#define REDUCE(kind, axes, type, ...)                                                            \
    EXPECT(                                                                                      \
        arena_printf(arena, "%s%%b = reduce %%a kind=%s axes=%s\nreturn %%b", head, kind, axes), \
        type, __VA_ARGS__)
    REDUCE("sum", "[1]", "f32[2]", 8, 13);
    REDUCE("sum", "[0]", "f32[3]", 5, 8, 8);
    REDUCE("sum", "[0, 1]", "f32", 21);
    REDUCE("prod", "[1]", "f32[2]", 10, 72);
    REDUCE("max", "[0]", "f32[3]", 4, 5, 6);
    REDUCE("min", "[1]", "f32[2]", 1, 3);
    REDUCE("argmax", "[1]", "i64[2]", 1, 2);
    REDUCE("argmin", "[0]", "i64[3]", 0, 1, 0);
#undef REDUCE
    EXPECT("%a: f32[4] = const [1, 3, 3, 2]\n%b = reduce %a kind=argmax axes=[0]\nreturn %b", "i64",
           1);
    EXPECT("%a: f32[4] = const [1, nan, 3, nan]\n%b = reduce %a kind=argmax axes=[0]\nreturn %b",
           "i64", 1);
    EXPECT("%a: f32[3] = const [1, nan, -3]\n%b = reduce %a kind=argmin axes=[0]\nreturn %b", "i64",
           1);
    EXPECT("%a: f32[3] = const [1, nan, 3]\n%b = reduce %a kind=max\nreturn %b", "f32", NAN);
    EXPECT("%a: bool[2, 2] = const [1, 0, 1, 1]\n%b = reduce %a kind=all axes=[1]\nreturn %b",
           "bool[2]", 0, 1);
    EXPECT("%a: bool[2, 2] = const [0, 0, 1, 0]\n%b = reduce %a kind=any axes=[1]\nreturn %b",
           "bool[2]", 0, 1);
    EXPECT("%a: i32[2] = const [2147483647, 1]\n%b = reduce %a kind=sum\nreturn %b", "i32",
           -2147483648.0);
    EXPECT("%a: f32[2, 0] = const 1\n%b = reduce %a kind=sum axes=[1]\nreturn %b", "f32[2]", 0, 0);
    EXPECT("%a: f32[2, 0] = const 1\n%b = reduce %a kind=prod axes=[1]\nreturn %b", "f32[2]", 1, 1);
    EXPECT("%a: bool[0] = const 1\n%b = reduce %a kind=all\nreturn %b", "bool", 1);
    EXPECT_EMPTY("%a: f32[0, 2] = const 1\n%b = reduce %a kind=max axes=[1]\nreturn %b", "f32[0]");
    EXPECT_TYPED("%a: f32[3] = const [16777216, 1, 1]\n%b = reduce %a kind=sum\nreturn %b", "f32",
                 16777218);
}

static void test_prefix_and_sort(void **state) {
    EXPECT("%a: f32[4] = const [1, 2, 3, 4]\n%b = prefix %a kind=sum axis=0\nreturn %b", "f32[4]",
           1, 3, 6, 10);
    EXPECT("%a: f32[4] = const [1, 2, 3, 4]\n%b = prefix %a kind=prod axis=0 reverse\nreturn %b",
           "f32[4]", 24, 24, 12, 4);
    EXPECT("%a: f32[2, 2] = const [3, 1, 2, 4]\n%b = prefix %a kind=max axis=0\nreturn %b",
           "f32[2, 2]", 3, 1, 3, 4);
    EXPECT("%a: u8[3] = const [200, 100, 1]\n%b = prefix %a kind=sum axis=0\nreturn %b", "u8[3]",
           200, 44, 45);
    EXPECT("%a: f32[5] = const [3, nan, 1, nan, 2]\n%b = argsort %a axis=0\nreturn %b", "i64[5]", 2,
           4, 0, 1, 3);
    EXPECT("%a: f32[5] = const [3, nan, 1, nan, 2]\n%b = argsort %a axis=0 descending\nreturn %b",
           "i64[5]", 1, 3, 0, 4, 2);
    EXPECT("%a: i32[4] = const [1, 1, 2, 2]\n%b = argsort %a axis=0 descending\nreturn %b",
           "i64[4]", 2, 3, 0, 1);
    EXPECT("%a: f32[3, 2] = const [3, 1, 2, 2, 1, 3]\n%b = argsort %a axis=0\nreturn %b",
           "i64[3, 2]", 2, 0, 1, 1, 0, 2);
    EXPECT_EMPTY("%a: f32[0] = const 1\n%b = argsort %a axis=0\nreturn %b", "i64[0]");
    EXPECT_EMPTY("%a: f32[0] = const 1\n%b = prefix %a kind=sum axis=0\nreturn %b", "f32[0]");
}

static void test_contract(void **state) {
    EXPECT("%a: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%b: f32[3, 2] = const [1, 0, 0, 1, 1, 1]\n"
           "%c = contract %a, %b labels=ab,bc->ac\nreturn %c",
           "f32[2, 2]", 4, 5, 10, 11);
    EXPECT("%a: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%b: f32[2, 3] = const [1, 0, 1, 0, 1, 0]\n"
           "%c = contract %a, %b labels=ab,cb->ca\nreturn %c",
           "f32[2, 2]", 4, 10, 2, 5);
    EXPECT("%a: f32[2, 2] = const [1, 2, 3, 4]\n%b: f32[2, 2] = const [5, 6, 7, 8]\n"
           "%c = contract %a, %b labels=ab,ab->a\nreturn %c",
           "f32[2]", 17, 53);
    EXPECT("%a: f32[2] = const [1, 2]\n%b: f32[3] = const [1, 2, 3]\n"
           "%c = contract %a, %b labels=a,b->ba\nreturn %c",
           "f32[3, 2]", 1, 2, 2, 4, 3, 6);
    /* a label of one operand only is summed */
    EXPECT("%a: f32[2, 2] = const [1, 2, 3, 4]\n%b: f32[3] = const [1, 1, 2]\n"
           "%c = contract %a, %b labels=ab,c->a\nreturn %c",
           "f32[2]", 12, 28);
    EXPECT("%a: f32[2, 1, 2] = const [1, 2, 3, 4]\n%b: f32[2, 2, 1] = const [1, 1, 2, 2]\n"
           "%c = contract %a, %b labels=abc,acd->abd\nreturn %c",
           "f32[2, 1, 1]", 3, 14);
    EXPECT("%a: f32 = const 3\n%b: f32 = const 4\n%c = contract %a, %b labels=,->\nreturn %c",
           "f32", 12);
    EXPECT("%a: f32[2, 0] = const 1\n%b: f32[0, 2] = const 1\n"
           "%c = contract %a, %b labels=ab,bc->ac\nreturn %c",
           "f32[2, 2]", 0, 0, 0, 0);
    EXPECT_EMPTY("%a: f32[0, 2] = const 1\n%b: f32[2, 2] = const 1\n"
                 "%c = contract %a, %b labels=ab,bc->ac\nreturn %c",
                 "f32[0, 2]");
}

/* Against the definition, on extents that cross the block size. */
static void test_contract_blocks(void **state) {
    Graph *g = read_graph("%a: f64[3, 131, 7] = input\n%b: f64[131, 150, 3] = input\n"
                          "%c = contract %a, %b labels=abc,bde->ecd\nreturn %c");
    Tensor *a = tensor_new(arena, DTYPE_F64, 3, (int64_t[]){3, 131, 7});
    Tensor *b = tensor_new(arena, DTYPE_F64, 3, (int64_t[]){131, 150, 3}), *c;
    for (int64_t i = 0; i < a->count; i++) a->floats[i] = (double)(i * 7 % 13 - 6);
    for (int64_t i = 0; i < b->count; i++) b->floats[i] = (double)(i * 5 % 11 - 5);
    Interpretation how = {.mode = INTERPRET_TYPED};
    assert_null(interpret_graph(arena, g, &how, (Tensor *[]){a, b}, &c));
    for (int e = 0; e < 3; e++)
        for (int m = 0; m < 7; m++)
            for (int d = 0; d < 150; d += 37) {
                double sum = 0;
                for (int x = 0; x < 3; x++)
                    for (int k = 0; k < 131; k++)
                        sum += a->floats[(x * 131 + k) * 7 + m] * b->floats[(k * 150 + d) * 3 + e];
                assert_true(c->floats[(e * 7 + m) * 150 + d] == sum);
            }
}

static void test_indexed(void **state) {
    EXPECT("%x: f32[3, 2] = const [1, 2, 3, 4, 5, 6]\n%i: i64[2] = const [2, 0]\n"
           "%y = gather %x, %i batch=0\nreturn %y",
           "f32[2, 2]", 5, 6, 1, 2);
    EXPECT("%x: f32[2, 3] = const [1, 2, 3, 4, 5, 6]\n%i: u8[2] = const [2, 0]\n"
           "%y = gather %x, %i batch=1\nreturn %y",
           "f32[2]", 3, 4);
    EXPECT("%x: f32[3] = const [1, 2, 3]\n%i: i32[2, 2] = const [0, 1, 2, 2]\n"
           "%y = gather %x, %i batch=0\nreturn %y",
           "f32[2, 2]", 1, 2, 3, 3);
    EXPECT("%x: f32[3] = const [1, 2, 3]\n%i: i64 = const 1\n%y = gather %x, %i batch=0\nreturn %y",
           "f32", 2);
    EXPECT(
        "%x: f32[3, 2] = const 1\n%i: i64[3] = const [0, 2, 0]\n"
        "%u: f32[3, 2] = const [1, 2, 3, 4, 5, 6]\n%y = scatter_add %x, %i, %u batch=0\nreturn %y",
        "f32[3, 2]", 7, 9, 1, 1, 4, 5);
    EXPECT("%x: f32[3] = const 0\n%i: i64[3] = const [0, 2, 0]\n%u: f32[3] = const [1, 2, 3]\n"
           "%y = scatter_set %x, %i, %u batch=0\nreturn %y",
           "f32[3]", 3, 0, 2);
    EXPECT("%x: f32[2, 2] = const 0\n%i: i64[2, 1] = const [1, 0]\n%u: f32[2, 1] = const [5, 6]\n"
           "%y = scatter_add %x, %i, %u batch=1\nreturn %y",
           "f32[2, 2]", 0, 5, 6, 0);
    EXPECT_EMPTY("%x: f32[3, 0] = const 1\n%i: i64[2] = const 1\n%y = gather %x, %i batch=0\n"
                 "return %y",
                 "f32[2, 0]");
    EXPECT_EMPTY("%x: f32[0, 2] = const 1\n%i: i64[0] = const 1\n%y = gather %x, %i batch=0\n"
                 "return %y",
                 "f32[0, 2]");
    expect_run_error("%x: f32[3] = const 1\n%i: i64[1] = const 3\n%y = gather %x, %i batch=0\n"
                     "return %y",
                     "index 3 is outside [0, 3)");
    expect_run_error("%x: f32[3] = const 1\n%i: i64[1] = const -1\n%u: f32[1] = const 0\n"
                     "%y = scatter_set %x, %i, %u batch=0\nreturn %y",
                     "index -1");
    const char *x = "%x: f32[5] = const [1, 2, 3, 4, 5]\n";
    EXPECT(arena_printf(arena,
                        "%s%%s: i64 = const 1\n%%y = dynamic_slice %%x, %%s axis=0 extent=2\n"
                        "return %%y",
                        x),
           "f32[2]", 2, 3);
    EXPECT(arena_printf(arena,
                        "%s%%s: i64 = const 9\n%%y = dynamic_slice %%x, %%s axis=0 extent=2\n"
                        "return %%y",
                        x),
           "f32[2]", 4, 5);
    EXPECT(arena_printf(arena,
                        "%s%%s: i64 = const -3\n%%u: f32[2] = const 0\n"
                        "%%y = dynamic_update %%x, %%u, %%s axis=0\nreturn %%y",
                        x),
           "f32[5]", 0, 0, 3, 4, 5);
}

static void test_call_and_scan(void **state) {
    EXPECT("%x: f32[2] = const [1, 2]\n%r = call %x name=square {\n%a: f32[2] = input\n"
           "%b = mul %a, %a\nreturn %b }\n%y = proj %r index=0\nreturn %y",
           "f32[2]", 1, 4);
    const char *scan = "%%h: f32 = const 0\n%%x: f32[3] = const [1, 2, 3]\n%%k: f32 = const 10\n"
                       "%%s = scan %%h, %%x, %%k carries=1 sequences=1 length=3%s {\n"
                       "%%c: f32 = input\n%%e: f32 = input\n%%i: f32 = input\n"
                       "%%p = mul %%c, %%i\n%%n = add %%p, %%e\nreturn %%n, %%p }\n"
                       "%%last = proj %%s index=0\n%%all = proj %%s index=1\n%s";
    EXPECT(arena_printf(arena, scan, "", "return %last"), "f32", 123);
    EXPECT(arena_printf(arena, scan, "", "return %all"), "f32[3]", 0, 10, 120);
    EXPECT(arena_printf(arena, scan, " reverse", "return %last"), "f32", 321);
    EXPECT(arena_printf(arena, scan, " reverse", "return %all"), "f32[3]", 320, 30, 0);
    /* No steps: empty stacks, initial carries. */
    const char *none = "%%h: f32[2] = const [4, 5]\n%%s = scan %%h carries=1 length=0 {\n"
                       "%%c: f32[2] = input\n%%d: f32[3, 2] = expand %%c\nreturn %%c, %%d }\n"
                       "%%a = proj %%s index=%d\nreturn %%a";
    EXPECT(arena_printf(arena, none, 0), "f32[2]", 4, 5);
    EXPECT_EMPTY(arena_printf(arena, none, 1), "f32[0, 3, 2]");
    /* Each iteration draws its own numbers; the element of a reversed scan keeps them. */
    Graph *g = read_graph("%s = scan length=3 {\n%r: f32[2] = random site=1\nreturn %r }\n"
                          "%a = proj %s index=0\n%t = scan length=3 reverse {\n"
                          "%r: f32[2] = random site=1\nreturn %r }\n%b = proj %t index=0\n"
                          "return %a, %b");
    Interpretation how = {.mode = INTERPRET_TYPED, .seed = 9};
    Tensor *r[2];
    assert_null(interpret_graph(arena, g, &how, NULL, r));
    assert_true(r[0]->floats[0] != r[0]->floats[2]);
    for (int i = 0; i < 6; i++) assert_true(r[0]->floats[i] == r[1]->floats[i]);
}

static void test_symbols_and_bytes(void **state) {
    Graph *g = read_graph("%x: f32[N, 2] = input\n%n: f32 = dim N\n%e: f32[N, 2] = expand %n\n"
                          "%y = mul %x, %e\nreturn %y");
    int64_t symbols[1] = {2};
    Interpretation how = {.mode = INTERPRET_TYPED, .symbols = symbols};
    Tensor *x = tensor_of_type(arena, &g->inputs.data[0]->type, symbols), *y;
    float raw[4] = {1, 2, 3, 4}, back[4];
    tensor_from_bytes(x, raw);
    assert_null(interpret_graph(arena, g, &how, &x, &y));
    tensor_to_bytes(y, back);
    for (int i = 0; i < 4; i++) assert_true(back[i] == 2 * raw[i]);
    symbols[0] = 3;
    assert_string_equal(interpret_graph(arena, g, &how, &x, &y), "x does not have type f32[N, 2]");
    for (int t = 0; t < DTYPE_COUNT; t++) {
        Tensor *a = tensor_new(arena, (DType)t, 1, (int64_t[]){3});
        Tensor *b = tensor_new(arena, (DType)t, 1, (int64_t[]){3});
        for (int i = 0; i < 3; i++) tensor_set(a, i, i % 2);
        char bytes[24];
        tensor_to_bytes(a, bytes);
        tensor_from_bytes(b, bytes);
        for (int i = 0; i < 3; i++) assert_true(tensor_get(b, i) == i % 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_elementwise_floats),
        TEST(test_elementwise_integers),
        TEST(test_casts),
        TEST(test_typed_rounding),
        TEST(test_sources),
        TEST(test_random),
        TEST(test_philox_known_answer),
        TEST(test_views),
        TEST(test_reductions),
        TEST(test_prefix_and_sort),
        TEST(test_contract),
        TEST(test_contract_blocks),
        TEST(test_indexed),
        TEST(test_call_and_scan),
        TEST(test_symbols_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
