/* String builder, numbers, names, edit distance. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/format.h"
#include "base/text.h"

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

static const char *shown(double x) {
    Text t = text_new(arena);
    text_double(&t, x);
    return t.data;
}

static void test_double(void **state) {
    assert_string_equal(shown(0.1), "0.1");
    assert_string_equal(shown(1e-05), "1e-05");
    assert_string_equal(shown(0.0001), "0.0001");
    assert_string_equal(shown(1), "1.0");
    assert_string_equal(shown(-0.0), "-0.0");
    assert_string_equal(shown(123456789012345680.0), "1.2345678901234568e+17");
    assert_string_equal(shown(1e16), "1e+16");
    assert_string_equal(shown(1e15), "1000000000000000.0");
    assert_string_equal(shown(100), "100.0");
    assert_string_equal(shown(2.5e-8), "2.5e-08");
    assert_string_equal(shown(1.0 / 3), "0.3333333333333333");
    assert_string_equal(shown(5e-324), "5e-324");
    assert_string_equal(shown(1.7976931348623157e308), "1.7976931348623157e+308");
    assert_string_equal(shown(INFINITY), "inf");
    assert_string_equal(shown(-INFINITY), "-inf");
    assert_string_equal(shown(NAN), "nan");
    srand(7);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = ((uint64_t)rand() << 42) ^ ((uint64_t)rand() << 21) ^ (uint64_t)rand();
        double x, back;
        memcpy(&x, &bits, 8);
        if (!isfinite(x)) continue;
        const char *s = shown(x);
        assert_true(text_parse_double(s, strlen(s), &back));
        assert_memory_equal(&x, &back, 8);
    }
}

static bool int_of(const char *s, int64_t *out) {
    return text_parse_int(s, strlen(s), out);
}

static void test_parse(void **state) {
    int64_t v;
    assert_true(int_of("1_000", &v) && v == 1000);
    assert_true(int_of("0x_ff", &v) && v == 255);
    assert_true(int_of("0b101", &v) && v == 5);
    assert_true(int_of("0o17", &v) && v == 15);
    assert_true(int_of("9223372036854775807", &v) && v == INT64_MAX);
    assert_true(int_of("-9223372036854775808", &v) && v == INT64_MIN);
    assert_false(int_of("9223372036854775808", &v));
    assert_false(int_of("0x", &v));
    assert_false(int_of("_1", &v));
    assert_false(int_of("1_", &v));
    assert_false(int_of("1__0", &v));
    assert_false(int_of("", &v));
    assert_false(int_of("12a", &v));
    double d;
    assert_true(text_parse_double("1_0.5e1", 7, &d) && d == 105);
    assert_true(text_parse_double("-inf", 4, &d) && isinf(d));
    assert_false(text_parse_double("0x1p3", 5, &d));
    assert_false(text_parse_double("1.5 ", 4, &d));
    assert_false(text_parse_double("", 0, &d));
    assert_false(text_parse_double(" 1", 2, &d));
}

static void test_names(void **state) {
    Name first = name_of("x");
    assert_ptr_equal(first, name_of_n("xyz", 1));
    for (int i = 0; i < 5000; i++) {
        char buffer[16];
        snprintf(buffer, sizeof buffer, "n%d", i);
        assert_int_equal(name_of(buffer)->index, i + 1);
    }
    assert_ptr_equal(first, name_of("x"));
    assert_int_equal(name_of("n4711")->index, 4712);
}

static void test_repr(void **state) {
    Text t = text_new(arena);
    text_repr(&t, "it's");
    text_repr(&t, "a\n\"\\'");
    assert_string_equal(t.data, "\"it's\"'a\\n\"\\\\\\''");
    for (int i = 0; i < 1000; i++) text_printf(&t, "%d,", i);
    assert_string_equal(t.data + t.length - 4, "999,");
    Text numbers = text_new(arena);
    text_integer(&numbers, INT64_MIN);
    text_indent(&numbers, 1);
    text_integer(&numbers, INT64_MAX);
    text_indent(&numbers, 0);
    text_integer(&numbers, 0);
    assert_string_equal(numbers.data, "-9223372036854775808    92233720368547758070");
    text_replace(&numbers, 1, 19, "9", 1);
    assert_string_equal(numbers.data, "-9    92233720368547758070");
    text_replace(&numbers, 0, 0, "a longer text that asks for more room than there is", 51);
    text_replace(&numbers, numbers.length, 0, "end", 3);
    assert_string_equal(numbers.data, "a longer text that asks for more room than there is"
                                      "-9    92233720368547758070end");
    assert_int_equal(numbers.length, 80);
    Text long_text = text_new(arena);
    char wide[1001];
    memset(wide, 'w', 1000);
    wide[1000] = 0;
    text_printf(&long_text, "%s", wide);
    assert_int_equal(long_text.length, 1000);
}

/* As vsnprintf has it, in rooms of every size. */
static void check_format(const char *format, ...) {
    char expected[400], got[400];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    for (size_t room = 0; room <= (size_t)n + 2; room++) {
        va_list now;
        va_copy(now, again);
        memset(got, '#', sizeof got);
        assert_int_equal(format_bytes(got, room, format, now), n);
        va_end(now);
        assert_int_equal(got[room], '#');
        if (!room) continue;
        size_t kept = room > (size_t)n ? (size_t)n : room - 1;
        assert_memory_equal(got, expected, kept);
        assert_int_equal(got[kept], 0);
    }
    va_end(again);
}

static void test_format(void **state) {
    check_format("plain");
    check_format("%s", "");
    check_format("100%% of %s, %c%c", "it", 'x', '\n');
    check_format("%d %d %d %d", 0, -1, INT32_MAX, INT32_MIN);
    check_format("%lld %lld %lld", (long long)INT64_MAX, (long long)INT64_MIN, 10LL);
    check_format("<%.*s|%.*s|%.*s>", 2, "abc", 7, "abc", 0, "abc");
    check_format("%s%5d|%-6s|%08x|%s", "a", 42, "bc", 0xbeefu, "end");
    check_format("%d %zu %llu %.9g %s", 1, (size_t)2, 3ULL, 0.1, "tail");
}

static void test_distance(void **state) {
    assert_int_equal(text_distance("relu", "relu", 3), 0);
    assert_int_equal(text_distance("rleu", "relu", 3), 1);
    assert_int_equal(text_distance("Linaer", "Linear", 3), 1);
    /* Each kind of change counts: a letter more, less, another, two exchanged. */
    assert_int_equal(text_distance("softmax", "soft", 9), 3);
    assert_int_equal(text_distance("soft", "softmax", 9), 3);
    assert_int_equal(text_distance("abc", "xyz", 9), 3);
    assert_int_equal(text_distance("abcd", "badc", 9), 2);
    assert_int_equal(text_distance("", "abc", 9), 3);
    assert_int_equal(text_distance("abc", "", 9), 3);
    assert_int_equal(text_distance("conv", "convolution", 3), 4);
    assert_int_equal(text_distance("", "ab", 3), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_double), cmocka_unit_test(test_parse),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_repr),
        cmocka_unit_test(test_format), cmocka_unit_test(test_distance)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
