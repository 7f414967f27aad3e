/* The grammar: trees of each construct, newline rules, contextual keywords, limits. */
#include "syntax_test.h"

static void same(const char *a, const char *b) {
    const char *first = arena_strdup(arena, dump(parse_good(a)));
    assert_string_equal(first, dump(parse_good(b)));
}

static void test_newlines(void **state) {
    same("x = (1 +\n 2)\n", "x = (1 + 2)");
    same("x = f(a,\n\n  b)", "x = f(a, b)");
    same("x = a\n  .b()\n  .c\n", "x = a.b().c");
    same("x = a\n  / b\n  == c\n", "x = a / b == c");
    same("x = a +\n b", "x = a + b");
    same("x = a\n and b\n not in c", "x = a and b not in c");
    same("def f(x)\n -> f32[N]\n where N > 1\n {\n return x }",
         "def f(x) -> f32[N] where N > 1 { return x }");
    same("if a { x }\nelse { y }", "if a { x } else { y }");
    same("x = 1; y = 2", "x = 1\ny = 2\n");
    same("x = 1 \\\n + 2", "x = 1 + 2");
    same("def f() { return 1 } y = 2", "def f() { return 1 }\ny = 2");
    same("\xEF\xBB\xBFx = 1\r\ny = 2\rz = 3", "x = 1\ny = 2\nz = 3");
    assert_int_equal(parse_good("x = a\n-b")->top.count, 2);
    assert_int_equal(parse_good("x = a\n*b, c = d")->top.count, 2);
    assert_int_equal(parse_good("return\nx")->top.count, 2);
}

static void test_contextual_keywords(void **state) {
    SourceUnit *unit =
        parse_good("param weight: f32[N]\nparam = 1\nstate.x = 2\ntrain(x)\nexport = 3\n"
                   "scan = 4\ny = scan\nvjp = where(a, b, c)\nmodule = 5\nx.if.def.class = 1\n"
                   "buffer, state = 1, 2\noptimizer.step()\nno_grad = 1\nno_grad { x }\nwhere = 2");
    static const StmtKind kinds[] = {STMT_DECLARE, STMT_ASSIGN,  STMT_ASSIGN, STMT_EXPR,
                                     STMT_ASSIGN,  STMT_ASSIGN,  STMT_ASSIGN, STMT_ASSIGN,
                                     STMT_ASSIGN,  STMT_ASSIGN,  STMT_ASSIGN, STMT_EXPR,
                                     STMT_ASSIGN,  STMT_NO_GRAD, STMT_ASSIGN};
    assert_int_equal(unit->top.count, (int)(sizeof kinds / sizeof *kinds));
    for (int i = 0; i < unit->top.count; i++) assert_int_equal(unit->top.items[i]->kind, kinds[i]);
    parse_good("def where(where: f32[where], x=where(1, 2, 3)) -> f32[where] where where > 1 { "
               "return where }");
    parse_good("def f(param, buffer, state, train, export, optimizer, vjp, scan, module, step, lr, "
               "p, dim) { }");
}

static const char *of(const char *expr) {
    return dump(parse_good(expr));
}

static void test_precedence(void **state) {
    assert_string_equal(of("-x ** 2"),
                        "expression\n  value unary -\n    power **\n      name x\n      int 2\n");
    same("a + b * c - d", "a + (b * c) - d");
    same("not a == b", "not (a == b)");
    same("a or b and c", "a or (b and c)");
    same("a | b ^ c & d + e", "a | (b ^ (c & (d + e)))");
    same("2 ** -x ** y", "2 ** (-(x ** y))");
    same("x if a else y if b else z", "x if a else (y if b else z)");
    same("(x, y)", "x, y");
    assert_string_equal(of("a < b <= c is not d"), "expression\n  value compare < <= is not\n    "
                                                   "name a\n    name b\n    name c\n    name d\n");
    assert_string_equal(
        of("x[:, 1:, ::2, None, ..., ...S]"),
        "expression\n  value subscript\n    name x\n    slice\n    slice\n      int 1\n    slice\n"
        "      step int 2\n    none\n    ellipsis\n    ellipsis S\n");
    assert_string_equal(of("f(*a, b, k=[i for i, j in x if i if j])"),
                        "expression\n  value call\n    name f\n    star\n      name a\n    name "
                        "b\n    k comprehension\n"
                        "      name i\n      for tuple\n        name i\n        name j\n      in "
                        "name x\n      if name i\n"
                        "      if name j\n");
    parse_good("x = [{\"k\": v, 'l': [1, {2: 3,}]}, {}, (), [], (1,), *y]\nsum(i for i in x)\na = "
               "b = c, d\n*a, b = c");
}

static void test_statements(void **state) {
    parse_good("module A(x: int | (int, int) = 1, y: list[int] = [], *args, z: (float, float) = "
               "(1, 2)) {\n"
               "\"doc\"\nparam w: f32[4*H, ...S] = init.ones()\nbuffer b: i64\nstate s = 0\n"
               "def f(self, x: D[...S, C // 2], y: f32) -> (a: f32[N], b: i64) where T <= 4, N % 8 "
               "== 0 { return x, y }\n"
               "def g(self) -> f32 { pass }\n}\n");
    parse_good("out = scan h, c = h0, c0 for a, b in x, y { yield h }\nscan h = h0 for t in "
               "range(T) { h = h + 1 }\n"
               "a, b = scan h = h0 for x, y in zip(u, v) { yield x, y }\n");
    parse_good("for i, (a, b) in enumerate(x) { continue }\nfor x in y, z { break }\nfor i in "
               "range(3) { }\n"
               "if a { } elif b { } else if c { } else { }\n");
    parse_good(
        "import \"a.nn\"\nimport \"b.nn\" as b\nfrom \"c.nn\" import A, B as C\nfrom \"d.nn\" "
        "import (A,\n B,)\n"
        "export A(1, 2) as a\nexport m\nassert x, \"text\"\nassert x : \"text\"\nassert y\n");
    parse_good("vjp f(x: f32[N], dy: f32[N]) -> (dx: f32[N]) { return dy }\ntrain T { }\noptimizer "
               "O(lr: f32 = 1) { state m = 0 }\n"
               "x += 1; x -= 1; x *= 2; x /= 2; x //= 2; x %= 2; x **= 2; x @= y; x &= y; x |= y; "
               "x ^= y\n");
    SourceUnit *unit = parse_good("## One.\n## Two.\nmodule M {\n}\n\ndef f() "
                                  "{\n'''Doc\nstring.'''\n}\n# no doc\ndef g() { }");
    assert_string_equal(unit->top.items[0]->doc, "One.\nTwo.");
    assert_string_equal(unit->top.items[1]->function->doc, "Doc\nstring.");
    assert_null(unit->top.items[2]->doc);
}

static void test_literals(void **state) {
    SourceUnit *unit = parse_good(
        "1_000\n0x_ff\n1e-3\n.5\n5.\n'a' "
        "\"b\"\n'\\n\\x41\\u00e9\\\\'\n\"it's\"\n0\n00\n9223372036854775807\n\"\"\n'''a\"'b'''");
    const Stmt *const *s = (const Stmt *const *)unit->top.items;
    assert_true(s[0]->value->integer == 1000 && s[0]->value->kind == EXPR_INT);
    assert_true(s[1]->value->integer == 255);
    assert_true(s[2]->value->number == 1e-3 && s[2]->value->kind == EXPR_FLOAT);
    assert_true(s[3]->value->number == 0.5 && s[4]->value->number == 5.0);
    assert_string_equal(s[5]->value->text, "ab");
    assert_string_equal(s[6]->value->text, "\nA\xC3\xA9\\");
    assert_string_equal(s[7]->value->text, "it's");
    assert_true(s[10]->value->integer == INT64_MAX);
    assert_string_equal(s[12]->value->text, "a\"'b");
}

static char *repeated(const char *before, const char *part, int times, const char *after) {
    Text text = text_new(arena);
    text_append(&text, before);
    for (int i = 0; i < times; i++) text_append(&text, part);
    text_append(&text, after);
    return text.data;
}

static void one_error(const char *text, const char *code) {
    parse(text);
    const char *messages = short_messages();
    if (diagnostics_errors(sink) != 1 || !strstr(messages, code))
        fail_msg("%.100s\n%s", text, messages);
}

static void test_limits(void **state) {
    SourceUnit *unit = parse_good(repeated("x = ", "a + ", 190000, "1\n"));
    assert_int_equal(unit->top.items[0]->value->items.count, 190001);
    assert_int_equal(unit->top.items[0]->value->depth, 2);
    one_error(repeated("x = ", "a + ", 1000000, "1\n"), "NN0113");
    one_error(repeated("", "a", 256, " = 1\n"), "NN0113");
    parse_good(repeated("", "a", 255, " = 1\n"));
    parse_good(repeated("x = a", " < b", 100000, ""));
    parse_good(repeated("x = a", " and b", 100000, ""));
    parse_good(repeated("x = a", "\n.b(1)", 400, ""));
    parse_good(repeated("x = ", "(", 900, repeated("1", ")", 900, "")));
    one_error(repeated("x = ", "(", 20000, repeated("1", ")", 20000, "\n")), "NN0108");
    one_error(repeated("x = ", "[1, ", 100000, ""), "NN0108");
    one_error(repeated("x = ", "-", 20000, "1"), "NN0108");
    one_error(repeated("x = ", "not ", 300000, "1"), "NN0108");
    one_error(repeated("x = ", "a ** ", 20000, "1"), "NN0108");
    one_error(repeated("x = ", "a if b else ", 20000, "1"), "NN0108");
    one_error(repeated("", "if a { ", 20000, repeated("", "}", 20000, "")), "NN0108");
    one_error(repeated("x = a", ".b", 20000, ""), "NN0108");
}

/* Any bytes end in a tree, without a crash; errors are reported whenever the text is not UTF-8. */
static void test_noise(void **state) {
    static const char *const words[] = {
        "(",       ")",       "[",   "]",       "{",     "}",     "\n",      " ",
        ":",       ",",       "=",   "def ",    "if ",   "else ", "for ",    "in ",
        "scan ",   "module ", "x",   "1",       "\"s\"", "->",    "where ",  "class ",
        "...",     "*",       ".",   "lambda ", "#c\n",  "'''",   "import ", "elif ",
        "return ", "try",     "f\"", "train ",  ";",     "not "};
    srand(11);
    for (int round = 0; round < 3000; round++) {
        Arena *outer = arena;
        arena = arena_new();
        names_init(arena);
        Text text = text_new(arena);
        int length = 1 + rand() % 60;
        for (int i = 0; i < length; i++) {
            if (rand() % 40 == 0)
                text_char(&text, (char)(1 + rand() % 255));
            else
                text_append(&text, words[(size_t)rand() % (sizeof words / sizeof *words)]);
        }
        SourceUnit *unit = parse_n(text.data, text.length);
        dump(unit);
        short_messages();
        if (diagnostics_errors(sink) == 0) {
            const char *once = format(unit), *tree = dump(unit);
            SourceUnit *again = parse(once);
            if (diagnostics_errors(sink))
                fail_msg("{%s}\nbecame\n{%s}\n%s", text.data, once, short_messages());
            if (strcmp(tree, dump(again))) fail_msg("{%s}\nbecame\n{%s}", text.data, once);
            if (strcmp(once, format(again)))
                fail_msg("{%s}\nbecame\n{%s}\nbecame\n{%s}", text.data, once, format(again));
        }
        arena_free(arena);
        arena = outer;
        names_init(arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newlines),   cmocka_unit_test(test_contextual_keywords),
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_statements),
        cmocka_unit_test(test_literals),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
