/* Line maps, and the three forms of diagnostics. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/diagnostic.h"

static Arena *arena;
static int setup(void **state) {
    arena = arena_new();
    return 0;
}
static int teardown(void **state) {
    arena_free(arena);
    return 0;
}

static char *printed(DiagnosticSink *sink, DiagnosticForm form, bool color) {
    char *data = NULL;
    size_t length = 0;
    FILE *f = open_memstream(&data, &length);
    diagnostics_print(sink, f, form, color);
    fclose(f);
    char *copy = arena_strdup(arena, data);
    free(data);
    return copy;
}

static SourceFile *source(const char *text) {
    return source_new(arena, "m.nn", text, strlen(text));
}

static Span find(SourceFile *file, const char *what) {
    const char *p = strstr(file->text, what);
    assert_non_null(p);
    return (Span){file, (uint32_t)(p - file->text), (uint32_t)(p - file->text + strlen(what))};
}

static void test_positions(void **state) {
    SourceFile *f = source("a\r\nb\rcé d\n");
    int line, column;
    source_position(f, 0, &line, &column);
    assert_int_equal(line, 1);
    source_position(f, 3, &line, &column);
    assert_int_equal(line, 2);
    source_position(f, 9, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 4); /* the accent is one column */
    source_position(f, 1000, &line, &column);
    assert_int_equal(line, 4);
    assert_int_equal(column, 1);
}

static void test_text_form(void **state) {
    SourceFile *f = source("self.fc1 = nn.Linear(256, 120)\n\nx = F.relu(self.fc1(y))\n");
    DiagnosticSink *sink = diagnostics_new(arena);
    Diagnostic *d = diagnose(sink, NN_SYNTAX, find(f, "self.fc1(y)"), "expects %d", 256);
    diagnostic_marker(d, "argument is f32[N, 400]");
    diagnostic_label(d, find(f, "256"), "declared here");
    diagnostic_story(d, "shape of y: [N, 400]");
    diagnostic_help(d, "change in_features to %d", 400);
    assert_string_equal(printed(sink, FORM_TEXT, false),
                        "error[NN0101]: expects 256\n"
                        "  --> m.nn:3:12\n"
                        " 1 | self.fc1 = nn.Linear(256, 120)\n"
                        "   |                      --- declared here\n"
                        " 3 | x = F.relu(self.fc1(y))\n"
                        "   |            ^^^^^^^^^^^ argument is f32[N, 400]\n"
                        "   = shape of y: [N, 400]\n"
                        "help: change in_features to 400\n");
    assert_string_equal(printed(sink, FORM_SHORT, false),
                        "m.nn:3:12: error[NN0101]: expects 256\n");
    assert_string_equal(
        printed(sink, FORM_JSON, false),
        "[\n  {\"code\": \"NN0101\", \"severity\": \"error\", \"message\": \"expects 256\", "
        "\"place\": {\"file\": \"m.nn\", \"line\": 3, \"column\": 12, \"end_line\": 3, "
        "\"end_column\": 23}, \"labels\": [{\"text\": \"declared here\", \"place\": {\"file\": "
        "\"m.nn\", \"line\": 1, \"column\": 22, \"end_line\": 1, \"end_column\": 25}}], "
        "\"story\": [\"shape of y: [N, 400]\"], \"help\": [\"change in_features to 400\"]}\n]\n");
    assert_non_null(strstr(printed(sink, FORM_TEXT, true), "\033["));
}

static void test_order_and_limits(void **state) {
    SourceFile *f = source("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    DiagnosticSink *sink = diagnostics_new(arena);
    assert_string_equal(printed(sink, FORM_JSON, false), "[]\n");
    for (uint32_t i = 30; i-- > 0;) {
        diagnose(sink, NN_SYNTAX, (Span){f, i, i + 1}, "at %u", i);
        diagnose(sink, NN_SYNTAX, (Span){f, i, i + 1}, "at %u", i);
    }
    diagnose(sink, NN_SYNTAX, (Span){0}, "nowhere");
    const char *text = printed(sink, FORM_SHORT, false);
    assert_true(!strncmp(text, "m.nn:1:11: error[NN0101]: at 10\nm.nn:1:12", 40));
    int lines = 0;
    for (const char *p = text; *p; p++) lines += *p == '\n';
    assert_int_equal(lines, 20);
    assert_true(diagnostics_errors(sink) >= 31);
}

static void test_codes(void **state) {
    DiagnosticCode code;
    assert_true(diagnostic_find("NN0101", &code));
    assert_int_equal(code, NN_SYNTAX);
    assert_false(diagnostic_find("NN9999", &code));
    for (int i = 0; i < NN_CODE_COUNT; i++) {
        const char *name = diagnostic_code_name((DiagnosticCode)i);
        assert_int_equal(strlen(name), 6);
        assert_true(strlen(diagnostic_title((DiagnosticCode)i)) > 3);
        assert_true(strlen(diagnostic_explanation((DiagnosticCode)i)) > 20);
        assert_true(diagnostic_find(name, &code) &&
                    code == (DiagnosticCode)i); /* codes are unique */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_positions), cmocka_unit_test(test_text_form),
        cmocka_unit_test(test_order_and_limits), cmocka_unit_test(test_codes)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
