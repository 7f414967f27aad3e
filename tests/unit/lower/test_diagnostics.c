/* Mistakes of the user: code, place, message; several per run, none as a consequence of another. */
#include "lowering.h"

#define MODULE(body) \
    "module M {\n" body "\n    def forward(self, x: f32[N, 4]) -> f32[N, 4] { return x }\n}\n"
#define FORWARD(body)                                                               \
    "module M {\n    def forward(self, x: f32[N, 4]) -> f32[N, 4] {\n        " body \
    "\n        return x\n    }\n}\n"

/* A source with one mistake; "LINE:COLUMN: error[CODE]" begins its message. */
static const struct {
    const char *source, *place, *message;
} mistakes[] = {
    {"def f(x: f32[N, 3]) -> f32[N, 3] { return x }\n" FORWARD("y = f(x)"), "4:13: error[NN0201]",
     "f takes `x: f32[N, 3]` but receives f32[N, 4]: 4 is not 3"},
    {FORWARD("return x.sum(1)"), "3:16: error[NN0202]",
     "M returns f32[N] where f32[N, 4] is declared"},
    {"module M {\n    self.fc = nn.Linear(256, 10)\n"
     "    def forward(self, x: f32[N, 400]) -> f32[N, 10] { return self.fc(x) }\n}\n",
     "3:62: error[NN0203]", "Linear expects 256 input features but receives 400"},
    {"def f(x: f32[A, 4]) -> f32[A, 4] where A <= 2 { return x }\n" FORWARD(
         "f(x[:1].expand(3, 4))"),
     "4:9: error[NN0205]", "`where A <= 2` does not hold here"},
    {MODULE("    param w: f32[K] = 0"), "2:18: error[NN0206]", "the dim `K` is not known here"},
    {FORWARD("y = smun(x)"), "3:13: error[NN0301]", "unknown name `smun`"},
    {FORWARD("y = x.sofmax(1)"), "3:15: error[NN0302]", "a tensor has no attribute `sofmax`"},
    {MODULE("    self.fc = nn.Linaer(4, 4)"), "2:18: error[NN0302]", "nn has no `Linaer`"},
    {FORWARD("y = self.fc(x)"), "3:18: error[NN0302]", "M has no member `fc`"},
    {FORWARD("if x.sum() > 0 { x = -x }"), "3:12: error[NN0401]",
     "the condition depends on a tensor"},
    {FORWARD("for i in range(N) { x = x + i }"), "3:18: error[NN0402]",
     "known while compiling, not N"},
    {FORWARD("if N == 1 { x = -x }"), "3:12: error[NN0403]",
     "whether N == 1 is not known while compiling"},
    {"def f(n: int) { return f(n + 1) }\n" MODULE("    a = f(0)"), "1:24: error[NN0405]",
     "the calls of `f` are nested too deeply"},
    {MODULE("    C = 10\n    assert C % 3 == 0 : \"C={C} is bad\""), "3:12: error[NN0406]",
     "C=10 is bad"},
    {MODULE("    a = 9223372036854775807 + 1"), "2:9: error[NN0407]", "does not fit in 64 bits"},
    {MODULE("    a = 1 // 0"), "2:9: error[NN0407]", "division by zero"},
    {MODULE("    a = 1 + -9223372036854775808 - 2"), "2:9: error[NN0407]",
     "does not fit in 64 bits"},
    {FORWARD("C = 8\n        return x / torch.sqrt(C // 2)"), "4:31: error[NN0201]",
     "sqrt takes a tensor as `x` but receives an int"},
    {FORWARD("return x / softmax(x=N, dim=0)"), "3:30: error[NN0201]",
     "softmax takes a tensor as `x` but receives a dim"},
    {MODULE("    a = 'x' + 1"), "2:9: error[NN0408]", "`+` is not defined for a str and an int"},
    {MODULE("    a = 5\n    b = a(3)"), "3:9: error[NN0409]", "an int cannot be called"},
    {MODULE("    self.fc = nn.Linear(4)"), "2:15: error[NN0410]",
     "Linear misses the argument `out_features`"},
    {MODULE("    self.fc = nn.Linear(4, 4, bais=False)"), "error[NN0410]",
     "Linear has no argument `bais`"},
    {"def f(a: f32[]) -> f32[] { return a }\n" FORWARD("return x * f([1])"), "4:20: error[NN0201]",
     "f takes `a: f32[]` but receives a list"},
    {MODULE("    a, b = 1, 2, 3"), "2:12: error[NN0411]", "cannot unpack 3 values into 2 names"},
    {MODULE("    a = [1, 2][2]"), "2:9: error[NN0412]", "index 2 is out of range"},
    {"module A(n: int) { def forward(self, x) { return x } }\n" MODULE("    self.a = A(2.5)"),
     "3:16: error[NN0413]", "A takes n: int, not 2.5"},
    {"def f(x: f32[4]) -> f32[4] {\n"
     "    if len(x.shape[7]) > 2 { if x.ndim == 1 { return x } }\n}\n" FORWARD("y = f(x[0]) + 1"),
     "2:12: error[NN0412]", "index 7 is out of range"},
    {FORWARD("x[0] = 1"), "3:9: error[NN0414]", "this cannot be assigned"},
    {FORWARD("return nn.Linear(4, 4)(x)"), "3:16: error[NN0501]",
     "is made inside a tensor function"},
    {FORWARD("self.last = x"), "3:9: error[NN0502]", "`last` cannot be set in a tensor function"},
    {"module M {\n    param w: f32[4] = 0\n    def forward(self, x: f32[N, 4]) -> f32[N, 4] {\n"
     "        w = self.w\n        w += 1\n        return x + w\n    }\n}\n",
     "5:9: error[NN0502]", "a parameter is updated where derivatives are taken"},
    {MODULE("    self.a = [nn.Linear(2, 2)]"), "2:5: error[NN0502]",
     "a plain list does not register its modules"},
    {"module A { self.n = 1 }\n" MODULE(
         "    self.a = A()") "module B {\n    self.a = A()\n"
                             "    def forward(self, x: f32[N]) -> f32[N] { return self.a(x) }\n}\n",
     "8:53: error[NN0503]", "A has no `forward`"},
    {MODULE("    self.a = nn.Linear(2, 3)\n    self.b = nn.Linear(3, 2)\n    self.a.weight = "
            "self.b.weight"),
     "4:5: error[NN0504]", "cannot share a tensor that is f32[2, 3]"},
    {FORWARD("p = nn.utils.rnn.pack_padded_sequence(x, [1, 1])"), "3:22: error[NN0302]",
     "`rnn` of torch.nn.utils is not supported"},
    {MODULE("    self.a = nn.utils.spectral_norm(nn.Linear(2, 3))"), "2:23: error[NN0302]",
     "`spectral_norm` of torch.nn.utils is not supported"},
    {FORWARD("scan h = zeros(2) for xt in x { h = torch.cat([h, h]) }"), "3:14: error[NN0505]",
     "the carry `h` begins as f32[2] and becomes f32[4]"},
    {FORWARD("out = scan h = zeros(4) for xt in x { h = h + xt }"), "3:9: error[NN0506]",
     "its body yields nothing"},
    {FORWARD("k = 1.0\n        scan h = zeros(4) for xt in x { k = k * 2; h = h + xt * k }"),
     "4:41: error[NN0506]", "`k` is read and then assigned inside the scan"},
    {"def f(x: f32[N]) -> f32[N] { return x }\nvjp f(x: f32[N]) -> f32[N] { return x }\n" FORWARD(
         "y = f(x[0])"),
     "2:5: error[NN0507]", "the vjp of `f` takes its 1 argument and 1 dy, not 1"},
    {FORWARD("l = []\n        scan h = zeros(4) for xt in x { l.append(h); h = h + xt }\n        y "
             "= l[0]"),
     "5:13: error[NN0508]", "made in another computation"},
    {"module M { def forward(self, x) { return x } }\nexport M() as m\n", "1:30: error[NN0801]",
     "`x` of an exported function needs a type"},
    {"module M { def forward(self, x: f32[N]) { return x } }\nexport M() as m\n",
     "1:16: error[NN0801]", "the result of an exported function needs a type"},
    {MODULE("") "export M as m\n", "error[NN0802]", "a module's class cannot be exported"},
    {MODULE("") "export M() as m\nexport M() as m\n", "error[NN0803]",
     "two entries would be `m` in C"},
    {"train T { def prepare(self, x: f32[N]) -> f32[N] { return x } }\n", "1:15: error[NN0803]",
     "`T_prepare` is a function of the generated interface"},
    {"def f(x) { return x }\n", "1:1: error[NN0804]", "no export, no train block and no module"},
};

static void each_mistake_has_its_code_and_place(void **state) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        Lowered r = lower_source("test.nn", mistakes[i].source, NULL);
        if (r.program || r.errors != 1 || !strstr(r.messages, mistakes[i].place) ||
            !strstr(r.messages, mistakes[i].message))
            fail_msg("%s\nexpected one error %s %s\ngot\n%s", mistakes[i].source, mistakes[i].place,
                     mistakes[i].message, r.messages);
        lowered_free(&r);
    }
}

static void an_unknown_entry_is_named(void **state) {
    LowerOptions options = {.default_dtype = DTYPE_F32, .only = "nett"};
    Lowered r = lower_source("test.nn", MODULE("") "export M() as net\n", &options);
    assert_has(r.messages, "NN0805");
    lowered_free(&r);
}

static char *long_form(const char *source) {
    Arena *arena = arena_new();
    names_init(arena);
    SourceFile *file = source_new(arena, "test.nn", source, strlen(source));
    DiagnosticSink *sink = diagnostics_new(arena);
    LowerOptions options = {.default_dtype = DTYPE_F32};
    lower_program(arena, syntax_parse(arena, file, sink), &options, sink);
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    diagnostics_print(sink, out, FORM_TEXT, false);
    fclose(out);
    arena_free(arena);
    return text;
}

static void a_shape_error_tells_its_story(void **state) {
    char *text = long_form("module Net {\n"
                           "    self.conv1 = nn.Conv2d(1, 6, 3)\n"
                           "    self.fc1 = nn.Linear(256, 120)\n"
                           "    def forward(self, image: f32[N, 1, 28, 28]) -> f32[N, 120] {\n"
                           "        x = self.conv1(image)\n"
                           "        return F.relu(self.fc1(torch.flatten(x, 1)))\n"
                           "    }\n"
                           "}\n"
                           "export Net() as net\n");
    assert_has(text, "--> test.nn:6:23");
    assert_has(text, "self.fc1 = nn.Linear(256, 120)");
    assert_has(text, "--- declared here");
    assert_has(text, "^^^^^^^^ argument is f32[N, 4056]");
    assert_has(
        text,
        "shape of x: image f32[N, 1, 28, 28] :4 \xe2\x86\x92 conv1 [N, 6, 26, 26] :5 \xe2\x86\x92 "
        "flatten(1) [N, 4056] :6");
    assert_has(text, "help: change in_features to 4056");
    free(text);
}

static void independent_mistakes_are_all_told(void **state) {
    Lowered r = lower_source("test.nn",
                             "module Net {\n"
                             "    self.a = nn.Linaer(3, 4)\n"
                             "    self.b = nn.Linear(3)\n"
                             "    def forward(self, x: f32[N, 3]) -> f32[N, 4] {\n"
                             "        y = self.a(x)\n"
                             "        if y.sum() > 0 { z = y } else { z = self.b(y) }\n"
                             "        w = x.foo()\n"
                             "        v = w + z\n"
                             "        u = undefined_name\n"
                             "        return v + u\n"
                             "    }\n"
                             "}\n"
                             "export Net() as net\n",
                             NULL);
    assert_null(r.program);
    if (r.errors != 4) fail_msg("%s", r.messages);
    assert_has(r.messages, "test.nn:2:");
    assert_has(r.messages, "test.nn:3:");
    assert_has(r.messages, "test.nn:7:");
    assert_has(r.messages, "test.nn:9:");
    lowered_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_has_its_code_and_place),
        cmocka_unit_test(an_unknown_entry_is_named),
        cmocka_unit_test(a_shape_error_tells_its_story),
        cmocka_unit_test(independent_mistakes_are_all_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
