/* The formatter: programs round trip, comments stay, formatting twice changes nothing. */
#include <glob.h>
#include "syntax_test.h"

static int count_comments(const char *text) {
    int count = 0;
    for (const char *p = text; *p; p++)
        count += *p == '#' && p[1] != '#' && (p == text || p[-1] != '#');
    return count;
}

static void round_trip(const char *text) {
    SourceUnit *unit = parse_good(text);
    const char *once = format(unit), *tree = dump(unit);
    SourceUnit *again = parse_good(once);
    if (strcmp(once, format(again)))
        fail_msg("formatting is not stable:\n%s\n---\n%s", once, format(again));
    if (strcmp(tree, dump(again))) fail_msg("the tree changed:\n%s\n---\n%s", text, once);
    assert_int_equal(unit->trivia_count, again->trivia_count);
}

static const char *read_file(const char *path) {
    size_t length;
    const char *error = NULL, *text = file_read_all(arena, path, 1 << 24, &length, &error);
    if (!text) fail_msg("%s", error);
    return text;
}

static int each_file(const char *pattern, void (*check)(const char *text)) {
    glob_t found;
    int count = 0;
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            check(read_file(found.gl_pathv[i]));
            count++;
        }
        globfree(&found);
    }
    return count;
}

static void unchanged(const char *text) {
    round_trip(text);
    assert_string_equal(format(parse_good(text)), text);
}

static void test_programs(void **state) {
    assert_true(each_file(SOURCE_DIR "/examples/*.nn", unchanged) >= 7);
    assert_true(each_file(SOURCE_DIR "/compiler/prelude/*/*.nn", round_trip) >= 20);
}

/* Comments before, after and inside every line of every program. */
static void commented(const char *text) {
    Text out = text_new(arena);
    int number = 0;
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        if (!end) end = line + strlen(line);
        text_printf(&out, "# own %d\n", number++);
        text_append_n(&out, line, (size_t)(end - line));
        if (!strstr(line, "#") || strstr(line, "#") > end)
            text_printf(&out, "   # end %d", number++);
        text_char(&out, '\n');
        line = *end ? end + 1 : end;
    }
    round_trip(out.data);
    assert_int_equal(count_comments(format(parse_good(out.data))), count_comments(out.data));
}

static void test_comments_everywhere(void **state) {
    each_file(SOURCE_DIR "/examples/*.nn", commented);
}

/* A comment and a line end after every token that stands in brackets. */
static void torn(const char *text) {
    Text out = text_new(arena);
    int depth = 0, number = 0;
    bool comment = false, string = false;
    for (const char *p = text; *p; p++) {
        text_char(&out, *p);
        if (*p == '"' && !comment) string = !string;
        if (string) continue;
        if (*p == '#') comment = true;
        if (*p == '\n') comment = false;
        if (comment) continue;
        if (*p == '(' || *p == '[') depth++;
        if (*p == ')' || *p == ']') depth--;
        if (depth > 0 && (*p == '(' || *p == '[' || *p == ',' || *p == ')' || *p == ']'))
            text_printf(&out, " # torn %d\n", number++);
    }
    round_trip(out.data);
}

static void test_torn_brackets(void **state) {
    each_file(SOURCE_DIR "/examples/*.nn", torn);
}

static void becomes(const char *text, const char *expected) {
    round_trip(text);
    assert_string_equal(format(parse_good(text)), expected);
}

static void test_layout(void **state) {
    becomes("x=1;y = 2   # two\n\n\n\n#three\nz=f( a,b = 3 )",
            "x = 1\ny = 2  # two\n\n#three\nz = f(a, b=3)\n");
    becomes("module M{ self.a=1\n}\nmodule N { }",
            "module M {\n    self.a = 1\n}\n\nmodule N { }\n");
    becomes("if a{x}else{y}", "if a { x } else { y }\n");
    becomes("if a {\nx\n} else if b { # note\ny }\nelse { z }",
            "if a {\n    x\n} elif b {  # note\n    y\n} else { z }\n");
    becomes("x = f(\n a,\n b,\n)\ny = f(\n a,\n b\n)", "x = f(\n    a,\n    b,\n)\ny = f(a, b)\n");
    becomes("x = x*x+b\ny = 2 * 3\nz = a [ 1 : n ]", "x = x*x+b\ny = 2 * 3\nz = a[1:n]\n");
    becomes("x = (a +  # why\n b)", "# why\nx = (a + b)\n");
    becomes("x = f(a, # first\n  # own\n b)", "x = f(\n    a,  # first\n    # own\n    b,\n)\n");
    becomes("def f( x:f32[N,...S],y=3 )->(a:f32,b:i64)where N>1{return x}",
            "def f(x: f32[N, ...S], y=3) -> (a: f32, b: i64) where N > 1 { return x }\n");
    becomes("", "");
    becomes("# only\n", "# only\n");
    becomes("x = 1 . a + (2).b + 3.5.c", "x = 1 .a + (2).b + 3.5.c\n");
    becomes("x = ((1))\ny = (((a, b)))\nz = ('s')", "x = (1)\ny = (a, b)\nz = ('s')\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_comments_everywhere),
        cmocka_unit_test(test_torn_brackets),
        cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
