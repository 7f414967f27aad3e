/* Syntax errors: codes and places, several per run, no cascades; pasted Python. */
#include "syntax_test.h"

/* `expected`: one "line:column code" per line, as short_messages prints them. */
static void errors(const char *text, const char *expected) {
    parse(text);
    Text got = text_new(arena);
    const char *p = short_messages();
    while (*p) {
        const char *colon = strchr(p, ':'), *end = strchr(p, '\n'), *code = strstr(p, "[NN");
        const char *place_end = strstr(colon, ": ");
        text_printf(&got, "%.*s %.6s\n", (int)(place_end - colon - 1), colon + 1, code + 1);
        p = end + 1;
    }
    if (strcmp(got.data, expected))
        fail_msg("%s\nexpected\n%sgot\n%s", text, expected, short_messages());
}

static void test_recovery(void **state) {
    errors("x = 1 +\n* 2\ny = = 3\nz = 4\nw = )\n", "2:1 NN0101\n3:5 NN0101\n5:5 NN0107\n");
}

static void test_brackets(void **state) {
    errors("x = f(1, 2\ndef g() { return 1 }\ny = 2\n", "1:6 NN0107\n");
    errors("module M {\n self.a = nn.Linear(1, 2\n self.b = 3\n}\n", "2:20 NN0107\n");
    errors("x = (1, 2]\ny = 3\n", "1:10 NN0107\n");
    errors("x = 1\n}\ny = 2\n", "2:1 NN0107\n");
    errors("module M {\n x = 1\n", "1:10 NN0107\n");
    errors("d = {\"a\": 1}\n", "1:5 NN0112\n");
    errors("module A(a: int b: int) {\n x = 1\n}\ny = = 2", "1:17 NN0101\n4:5 NN0101\n");
    errors("def f(x) {\n if x = 3 {\n return 1\n }\n return 2\n}\n", "2:7 NN0101\n");
}

static void test_lexical(void **state) {
    errors("x = 9223372036854775808\ny = 0xfffffffffffffffff\nz = 1e999\n",
           "1:5 NN0105\n2:5 NN0105\n3:5 NN0105\n");
    errors("x = 012 + 1_ + 0b12 + 1.5f + 0x\n",
           "1:5 NN0104\n1:11 NN0104\n1:16 NN0104\n1:23 NN0104\n1:30 NN0104\n");
    errors("x = \"abc\ny = 'a\\x0'\nz = '\\0'", "1:5 NN0106\n2:5 NN0106\n3:5 NN0106\n");
    errors("x = '''abc\n\ny = 1", "1:5 NN0106\n");
    errors("x = a \xC3\x97 b\ny = \xE2\x80\x9Cs\xE2\x80\x9D\n",
           "1:7 NN0103\n2:5 NN0103\n2:7 NN0103\n");
    errors("x = \xFF\n", "1:5 NN0102\n");
    parse_n("x = 1\0y", 7);
    assert_non_null(strstr(short_messages(), "NN0102"));
    errors("x = \xED\xA0\x80\n", "1:5 NN0102\n"); /* a surrogate */
    errors("x = \xC0\x80\n", "1:5 NN0102\n");     /* too long a form */
    errors("x = $y\nz = a ? b\n", "1:5 NN0103\n2:7 NN0103\n");
}

static void test_meaning(void **state) {
    errors("f(x) = 3\n1 = x\na + b += 1\n", "1:1 NN0109\n2:1 NN0109\n3:1 NN0109\n");
    errors("def f(x: 3, y: a + b) { }\n", "1:10 NN0111\n1:16 NN0111\n");
    errors("scan a, b = 1 for x in y { }\nscan a = 1 for x, z in y, u, v { }\n",
           "1:6 NN0110\n2:16 NN0110\n");
    errors("f(a=1, a=2)\nf(a=1, b)\ndef g(x, x) { }\n", "1:8 NN0101\n2:8 NN0101\n3:10 NN0101\n");
}

static void test_python(void **state) {
    errors("import torch\nimport torch.nn as nn\nfrom torch import nn\nfrom . import x\n",
           "1:1 NN0124\n2:1 NN0124\n3:1 NN0124\n4:1 NN0124\n");
    errors("class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        "
           "self.a = 1\n\n"
           "    def forward(self, x):\n        if x:\n            return 1\n        elif y: return "
           "2\n        else:\n"
           "            return 3\n\nx = = 1\n",
           "1:1 NN0120\n2:9 NN0121\n3:9 NN0122\n13:5 NN0101\n");
    errors("def f(x):\n    for i in x:\n        y = i\n    return y\n\nz = 1\n", "1:9 NN0123\n");
    errors("while a {\n x = 1\n}\nwith torch.no_grad():\n    y = 2\n", "1:1 NN0126\n4:1 NN0125\n");
    errors("try:\n    x = 1\nexcept ValueError as e:\n    raise e\nfinally:\n    y = 2\n",
           "1:1 NN0126\n4:5 NN0126\n");
    errors("f = lambda x, y: x + y\nx = f'{a}' + b\"c\"\n@torch.compile\ndel x\nglobal y\n",
           "1:5 NN0126\n2:5 NN0127\n2:14 NN0127\n3:1 NN0126\n4:1 NN0126\n5:1 NN0126\n");
    assert_non_null(parse("class A(nn.Module):\n    def f(self):\n        return 1\n")
                        ->top.items[0]
                        ->body.items[0]
                        ->function);
}

static void test_help(void **state) {
    parse("if a = 3 { }");
    assert_non_null(strstr(short_messages(), "unexpected `=`; expected `{`"));
    parse("x = (1");
    assert_non_null(strstr(short_messages(), "`(` is never closed"));
}

/* Names that are lost in a damaged statement are kept, so that later checks do not cascade. */
static void test_lost(void **state) {
    SourceUnit *unit = parse("module Net(a: int b) { self.x = 1 }\ny = 1\n");
    bool found = false;
    for (int i = 0; i < unit->lost_count; i++) found = found || !strcmp(unit->lost[i]->text, "Net");
    assert_true(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recovery), cmocka_unit_test(test_brackets),
        cmocka_unit_test(test_lexical),  cmocka_unit_test(test_meaning),
        cmocka_unit_test(test_python),   cmocka_unit_test(test_help),
        cmocka_unit_test(test_lost),
    };
    return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
