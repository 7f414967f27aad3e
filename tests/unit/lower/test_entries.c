/* Entries: exports, train blocks, defaults, symbols, imports, and the example programs. */
#include "lowering.h"

#include <sys/stat.h>
#include <unistd.h>

#define IDENTITY(name) "module " name " { def forward(self, x: f32[N]) -> f32[N] { return x } }\n"

static void the_last_module_stands_for_a_file_without_entries(void **state) {
    Lowered r = lower_source("some/my-net.nn", IDENTITY("A") IDENTITY("B"), NULL);
    if (!r.program) fail_msg("%s", r.messages);
    assert_int_equal(r.program->roots.count, 1);
    const Entry *entry = lowered_entry(&r, "my_net");
    assert_string_equal(entry->arguments.data[0].name->text, "x");
    assert_string_equal(entry->results.data[0].name->text, "output");
    assert_int_equal(lowered_entry(&r, "my_net_init")->kind, ENTRY_INIT);
    lowered_free(&r);
}

static void entries_keep_the_order_of_the_source(void **state) {
    Lowered r = lower_good(IDENTITY("A") "## doc of one\n"
                                         "export A() as one\n"
                                         "train T {\n"
                                         "    self.a = nn.Linear(2, 2)\n"
                                         "    ## doc of f\n"
                                         "    def f(self, B: f32[M, 2], scale: f32) -> (y: f32[M, "
                                         "2]) { return self.a(B) * scale }\n"
                                         "}\n"
                                         "export A() as two\n");
    assert_int_equal(r.program->roots.count, 3);
    assert_string_equal(r.program->roots.data[1]->name->text, "T");
    assert_true(r.program->roots.data[1]->is_train);
    assert_string_equal(r.program->roots.data[2]->name->text, "two");
    assert_string_equal(r.program->roots.data[0]->doc, "doc of one");
    const Entry *f = lowered_entry(&r, "T_f");
    assert_string_equal(f->doc, "doc of f");
    assert_int_equal(f->arguments.count, 2);
    assert_int_equal(f->arguments.data[1].node->type.shape.rank, 0);
    lowered_free(&r);
}

static void defaults_of_host_arguments_stand(void **state) {
    Lowered r = lower_good(
        "module M {\n"
        "    def forward(self, x: f32[N], y: f32[N], mask=None, k: int = 3) -> f32[N] {\n"
        "        return x * k + y if mask is None else x\n"
        "    }\n"
        "}\n"
        "export M() as m\n");
    const Entry *entry = lowered_entry(&r, "m");
    assert_int_equal(entry->arguments.count, 2);
    assert_string_equal(entry->arguments.data[1].name->text, "y");
    assert_has(entry_text(&r, "m"), "const 3.0");
    lowered_free(&r);
}

/* From either side; within the range nothing is converted. */
static void numbers_beyond_a_dtype_are_compared_as_i64(void **state) {
    static const char *const compared[] = {"300 > ids", "ids < 300", "-1 == ids", "200 > ids"};
    for (int i = 0; i < 4; i++) {
        char source[200];
        snprintf(source, sizeof source,
                 "module M { def forward(self, ids: u8[N]) -> bool[N] { return %s } }\n"
                 "export M() as m\n",
                 compared[i]);
        Lowered r = lower_good(source);
        const char *text = entry_text(&r, "m");
        if ((strstr(text, "i64[N] = cast") != NULL) != (i < 3))
            fail_msg("%s\n%s", compared[i], text);
        lowered_free(&r);
    }
}

static void one_root_can_be_chosen(void **state) {
    const char *source =
        IDENTITY("A") "export A() as one\nexport A() as two\n"
                      "train T { def f(self, x: f32[N]) -> f32[N] { return x } }\n";
    static const struct {
        const char *only, *root;
    } cases[] = {{"two", "two"}, {"T", "T"}, {"T.f", "T"}, {"f", "T"}, {"A", "A"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LowerOptions options = {.default_dtype = DTYPE_F32, .only = cases[i].only};
        Lowered r = lower_source("test.nn", source, &options);
        if (!r.program) fail_msg("%s: %s", cases[i].only, r.messages);
        assert_int_equal(r.program->roots.count, 1);
        assert_string_equal(r.program->roots.data[0]->name->text, cases[i].root);
        lowered_free(&r);
    }
}

typedef struct Shapes {
    Text text;
} Shapes;

static void note_shape(void *user, Span statement, Name name, const TensorType *type) {
    Shapes *shapes = user;
    text_printf(&shapes->text, "%d %s ", span_line(statement), name->text);
    type_print(&shapes->text, type);
    text_char(&shapes->text, '\n');
}

static void shapes_are_told_line_by_line(void **state) {
    Arena *arena = arena_new();
    Shapes shapes = {text_new(arena)};
    LowerOptions options = {
        .default_dtype = DTYPE_F32, .on_statement = note_shape, .user = &shapes};
    Lowered r = lower_source("test.nn",
                             "module M {\n"
                             "    def forward(self, x: f32[N, 4]) -> f32[N, 2] {\n"
                             "        a, b = x.chunk(2, dim=1)\n"
                             "        k = 3\n"
                             "        a += b * k\n"
                             "        return F.relu(a)\n"
                             "    }\n"
                             "}\n",
                             &options);
    if (!r.program) fail_msg("%s", r.messages);
    assert_string_equal(shapes.text.data, "3 a f32[N, 2]\n3 b f32[N, 2]\n5 a f32[N, 2]\n");
    lowered_free(&r);
    arena_free(arena);
}

/* ---- files ---- */

static void write_file(const char *folder, const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static Lowered lower_file_in(const char *folder, const char *name, const char *source,
                             const LowerOptions *options) {
    char path[512];
    write_file(folder, name, source);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return lower_source(path, source, options);
}

static void imports_bring_definitions_only(void **state) {
    char folder[] = "/tmp/nnc_lower_XXXXXX", sub[64];
    assert_non_null(mkdtemp(folder));
    snprintf(sub, sizeof sub, "%s/sub", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(folder, "blocks.nn",
               "from \"inner.nn\" import half\n" IDENTITY(
                   "A") "export A() as hidden\n"
                        "module B { def forward(self, x) { return half(x) } }\n");
    write_file(sub, "inner.nn", "def half(x) { return x * 0.5 }\n");
    const char *include[] = {sub, NULL};
    LowerOptions options = {.default_dtype = DTYPE_F32, .include_paths = include};
    Lowered r =
        lower_file_in(folder, "main.nn",
                      "import \"blocks.nn\" as blocks\n"
                      "from \"blocks.nn\" import A as Same\n"
                      "module M {\n"
                      "    self.b = blocks.B()\n"
                      "    self.s = Same()\n"
                      "    def forward(self, x: f32[N]) -> f32[N] { return self.s(self.b(x)) }\n"
                      "}\n"
                      "export M() as m\n",
                      &options);
    if (!r.program) fail_msg("%s", r.messages);
    assert_int_equal(r.program->roots.count, 1);
    assert_has(entry_text(&r, "m"), "const 0.5");
    lowered_free(&r);

    write_file(folder, "a.nn", "import \"b.nn\" as b\n");
    write_file(folder, "b.nn", "import \"a.nn\" as a\n");
    r = lower_file_in(folder, "c.nn", "import \"a.nn\" as a\n" IDENTITY("M"), NULL);
    assert_null(r.program);
    assert_int_equal(r.errors, 1);
    assert_has(r.messages, "NN0902");
    assert_has(r.messages, "a.nn -> ");
    lowered_free(&r);

    r = lower_file_in(folder, "d.nn",
                      "import \"missing.nn\" as x\nfrom \"b.nn\" import nothing\n" IDENTITY("M"),
                      NULL);
    assert_has(r.messages, "NN0901");
    lowered_free(&r);
    r = lower_file_in(folder, "e.nn", "from \"sub/inner.nn\" import hald\n" IDENTITY("M"), NULL);
    assert_int_equal(r.errors, 1);
    assert_has(r.messages, "NN0903");
    lowered_free(&r);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- the example programs ---- */

static void programs_lower_and_verify(void **state) {
    static const char *const programs[] = {"fashion_mnist", "lenet",    "custom", "wgan_gp",
                                           "char_lstm",     "resnet18", "gpt2"};
    static const DType dtypes[] = {DTYPE_F32, DTYPE_F64};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        for (size_t k = 0; k < 2; k++) {
            char path[512];
            snprintf(path, sizeof path, SOURCE_DIR "/examples/%s.nn", programs[i]);
            Arena *arena = arena_new();
            size_t length;
            const char *error = NULL;
            char *text = file_read_all(arena, path, 1 << 20, &length, &error);
            if (!text) fail_msg("%s", error);
            LowerOptions options = {.default_dtype = dtypes[k]};
            Lowered r = lower_source(path, text, &options);
            if (!r.program) fail_msg("%s", r.messages);
            const char *bad = program_verify(r.program, r.arena);
            if (bad) fail_msg("%s: %s", programs[i], bad);
            lowered_free(&r);
            arena_free(arena);
        }
    }
}

static void lowering_is_deterministic(void **state) {
    const char *source =
        "train T {\n"
        "    self.net = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5), nn.Linear(3, 1))\n"
        "    self.opt = optim.Adam(self.net.parameters())\n"
        "    def step(self, x: f32[N, 2]) -> (loss: f32) {\n"
        "        loss = self.net(x).mean()\n"
        "        self.opt.zero_grad(); loss.backward(); self.opt.step()\n"
        "        return loss\n"
        "    }\n"
        "}\n";
    char *first = NULL;
    for (int i = 0; i < 2; i++) {
        Lowered r = lower_good(source);
        Text text = text_new(r.arena);
        program_print(&text, r.program, IR_PLACES);
        if (first)
            assert_string_equal(first, text.data);
        else
            first = strdup(text.data);
        lowered_free(&r);
    }
    free(first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_module_stands_for_a_file_without_entries),
        cmocka_unit_test(entries_keep_the_order_of_the_source),
        cmocka_unit_test(defaults_of_host_arguments_stand),
        cmocka_unit_test(numbers_beyond_a_dtype_are_compared_as_i64),
        cmocka_unit_test(one_root_can_be_chosen),
        cmocka_unit_test(shapes_are_told_line_by_line),
        cmocka_unit_test(imports_bring_definitions_only),
        cmocka_unit_test(programs_lower_and_verify),
        cmocka_unit_test(lowering_is_deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
