/* Modules: cells' names and order, sharing, containers, views, state, initial values. */
#include "lowering.h"

static char *cell_names(const Lowered *r, const Root *root) {
    Text text = text_new(r->arena);
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        text_printf(&text, "%s%s", i ? " " : "", c->name->text);
        for (int k = 0; k < c->alias_count; k++) text_printf(&text, "=%s", c->aliases[k]->text);
    }
    return text.data;
}

static void names_follow_torch(void **state) {
    Lowered r =
        lower_good("module Block(C: int) {\n"
                   "    self.fc = nn.Linear(C, C, bias=False)\n"
                   "    param scale: f32[C] = init.ones()\n"
                   "    buffer count: i64[] = 0\n"
                   "    param shift: f32[C] = 0\n"
                   "    def forward(self, x) { return self.fc(x) * self.scale + self.shift }\n"
                   "}\n"
                   "module Net {\n"
                   "    self.layers = nn.ModuleList([Block(4) for _ in range(2)])\n"
                   "    self.seq = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))\n"
                   "    def forward(self, x: f32[N, 4]) -> f32[N, 2] {\n"
                   "        for b in self.layers { x = b(x) }\n"
                   "        return self.seq(x)\n"
                   "    }\n"
                   "}\n"
                   "export Net() as net\n");
    assert_string_equal(cell_names(&r, lowered_root(&r, "net")),
                        "layers.0.scale layers.0.shift layers.0.count layers.0.fc.weight "
                        "layers.1.scale layers.1.shift layers.1.count layers.1.fc.weight "
                        "seq.1.weight seq.1.bias");
    lowered_free(&r);
}

/* What is said about a tensor of the library's modules points at the line that made the module. */
static void cells_point_at_the_users_line(void **state) {
    Lowered r = lower_good("module Net {\n"
                           "    param scale: f32[4] = 1\n"
                           "    self.fc = nn.Linear(4, 2)\n"
                           "    def forward(self, x: f32[N, 4]) -> f32[N, 2] {\n"
                           "        return self.fc(x * self.scale)\n"
                           "    }\n"
                           "}\n"
                           "export Net() as net\n");
    const Root *root = lowered_root(&r, "net");
    assert_int_equal(root->cells.count, 3);
    for (int i = 0; i < root->cells.count; i++) {
        const Span span = root->cells.data[i]->span;
        assert_false(span.file->is_prelude);
        assert_int_equal(span_line(span), i == 0 ? 2 : 3);
    }
    lowered_free(&r);
}

static void tied_tensors_are_stored_once(void **state) {
    Lowered r = lower_good("module Net {\n"
                           "    self.wte = nn.Embedding(10, 4)\n"
                           "    self.head = nn.Linear(4, 10, bias=False)\n"
                           "    self.head.weight = self.wte.weight\n"
                           "    shared = nn.Linear(4, 4)\n"
                           "    self.a = shared\n"
                           "    self.b = shared\n"
                           "    def forward(self, i: i64[N]) -> f32[N, 10] {\n"
                           "        return self.head(self.b(self.a(self.wte(i))))\n"
                           "    }\n"
                           "}\n"
                           "export Net() as net\n");
    assert_string_equal(cell_names(&r, lowered_root(&r, "net")),
                        "wte.weight=head.weight a.weight=b.weight a.bias=b.bias");
    lowered_free(&r);
}

static void instances_print_as_torch(void **state) {
    Lowered r = lower_good(
        "module Net {\n"
        "    self.conv = nn.Conv2d(1, 6, 3, padding=1)\n"
        "    self.blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(2)])\n"
        "    def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 6, 8, 8] { return self.conv(x) }\n"
        "    def extra_repr(self) { return \"blocks={len(self.blocks)}\" }\n"
        "}\n"
        "export Net() as net\n");
    const InstanceView *view = lower_instance_view(r.arena, lowered_root(&r, "net")->instance);
    assert_string_equal(view->class_name, "Net");
    assert_string_equal(view->extra_repr, "blocks=2");
    assert_null(view->member_name);
    assert_true(view->called);
    assert_int_equal(view->child_count, 2);
    const InstanceView *conv = view->children[0];
    assert_string_equal(conv->member_name, "conv");
    assert_string_equal(conv->extra_repr,
                        "1, 6, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)");
    assert_int_equal(conv->cell_count, 2);
    Text output = text_new(r.arena);
    type_print(&output, &conv->output);
    assert_string_equal(output.data, "f32[N, 6, 8, 8]");
    assert_true(view->children[1]->is_container_list);
    assert_false(view->children[1]->called);
    assert_string_equal(view->children[1]->children[1]->path, "blocks.1");
    lowered_free(&r);
}

static void a_class_without_entry_can_be_viewed(void **state) {
    LowerOptions options = {.default_dtype = DTYPE_F32, .only = "Part", .instantiate_only = true};
    Lowered r = lower_source("test.nn",
                             "module Part(n: int = 3) {\n"
                             "    self.fc = nn.Linear(n, n)\n"
                             "    def forward(self, x) { return self.fc(x) }\n"
                             "}\n"
                             "module Other { def forward(self, x) { return x } }\n",
                             &options);
    assert_non_null(r.program);
    const InstanceView *view = lower_instance_view(r.arena, r.program->roots.data[0]->instance);
    assert_string_equal(view->children[0]->extra_repr, "in_features=3, out_features=3, bias=True");
    lowered_free(&r);
}

static void state_dims_are_the_entrys(void **state) {
    Lowered r = lower_good("module Net(C: int = 3) {\n"
                           "    state h: f32[N, C] = 0\n"
                           "    def forward(self, x: f32[N, C]) -> f32[N, C] {\n"
                           "        self.h = self.h * 0.5 + x\n"
                           "        return self.h\n"
                           "    }\n"
                           "}\n"
                           "export Net() as net\n");
    const Entry *entry = lowered_entry(&r, "net"), *init = lowered_entry(&r, "net_init");
    assert_int_equal(entry->writes.count, 1);
    assert_int_equal(entry->dims.count, 1);
    assert_int_equal(init->dims.count, 1);
    assert_ptr_equal(entry->dims.data[0], init->dims.data[0]);
    assert_int_equal(lowered_entry(&r, "net_reset")->kind, ENTRY_RESET);
    lowered_free(&r);
}

static void initial_values_may_be_tensors(void **state) {
    Lowered r =
        lower_good("module Net {\n"
                   "    buffer mask: f32[3, 3] = torch.tril(torch.ones(3, 3))\n"
                   "    param w: f32[3] = init.constant(init.calculate_gain(\"tanh\") * 1.5)\n"
                   "    param v: f32[3] = init.uniform(-1, 1)\n"
                   "    nn.init.zeros_(self.v)\n"
                   "    def forward(self, x: f32[N, 3]) -> f32[N, 3] {\n"
                   "        return x @ self.mask * self.w + self.v\n"
                   "    }\n"
                   "}\n"
                   "export Net() as net\n");
    const Root *root = lowered_root(&r, "net");
    Environment *env = environment_new(r.arena, root, r.program->dims);
    assert_null(
        interpret_entry(env, INTERPRET_VALUE, lowered_entry(&r, "net_init"), NULL, NULL, NULL));
    static const double mask[9] = {1, 0, 0, 1, 1, 0, 1, 1, 1};
    for (int c = 0; c < root->cells.count; c++) {
        const Tensor *t = env->cells[c];
        const char *name = root->cells.data[c]->name->text;
        for (int64_t i = 0; i < t->count; i++) {
            double expected = !strcmp(name, "mask") ? mask[i] : !strcmp(name, "w") ? 2.5 : 0;
            assert_true(tensor_get(t, i) == expected);
        }
    }
    lowered_free(&r);
}

static void training_is_a_constant_of_the_entry(void **state) {
    Lowered r = lower_good(
        "train T(lr: f32 = 0.1) {\n"
        "    self.net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))\n"
        "    self.opt = optim.SGD(self.net.parameters(), lr=lr)\n"
        "    def step(self, x: f32[N, 2]) -> (loss: f32) {\n"
        "        loss = self.net(x).sum()\n"
        "        self.opt.zero_grad(); loss.backward(); self.opt.step()\n"
        "        return loss\n"
        "    }\n"
        "    def eval(self, x: f32[N, 2]) -> f32[N, 2] { return self.net(x) }\n"
        "    def sample(self, x: f32[N, 2]) -> f32[N, 2] { self.net.train(); return self.net(x) }\n"
        "    def frozen(self, x: f32[N, 2]) -> f32[N, 2] { return self.net(x) }\n"
        "    def helper(self, x, k: int) { return x * k }\n"
        "}\n");
    const Root *root = lowered_root(&r, "T");
    assert_int_equal(root->entries.count, 5);
    assert_int_equal(lowered_entry(&r, "T_step")->kind, ENTRY_TRAIN);
    assert_true(lowered_entry(&r, "T_step")->uses_random);
    assert_int_equal(lowered_entry(&r, "T_eval")->kind, ENTRY_INFER);
    assert_false(lowered_entry(&r, "T_eval")->uses_random);
    assert_true(lowered_entry(&r, "T_sample")->uses_random);
    assert_false(lowered_entry(&r, "T_frozen")->uses_random);
    assert_has(cell_names(&r, root), "net.0.weight net.0.bias lr");
    lowered_free(&r);
}

static void updates_by_hand_write_parameters(void **state) {
    Lowered r = lower_good(
        "train T {\n"
        "    self.net = nn.Linear(2, 1)\n"
        "    def step(self, x: f32[N, 2], lr: f32) -> (loss: f32) {\n"
        "        loss = self.net(x).sum()\n"
        "        self.net.zero_grad()\n"
        "        loss.backward()\n"
        "        no_grad {\n"
        "            for p in self.net.parameters() { p -= lr * p.grad; p.grad = None }\n"
        "        }\n"
        "        return loss\n"
        "    }\n"
        "    def other(self, x: f32[N, 2]) -> (loss: f32) {\n"
        "        loss = self.net(x).sum()\n"
        "        g = grad(loss, self.net.weight)\n"
        "        no_grad { self.net.weight *= 0.5 - g }\n"
        "        self.net.bias.data = self.net.bias.data * 2\n"
        "        return loss\n"
        "    }\n"
        "}\n");
    assert_int_equal(lowered_entry(&r, "T_step")->writes.count, 2);
    assert_int_equal(lowered_entry(&r, "T_other")->writes.count, 2);
    assert_int_equal(lowered_entry(&r, "T_other")->kind, ENTRY_TRAIN);
    lowered_free(&r);
}

static void default_dtype_maps_f32(void **state) {
    LowerOptions options = {.default_dtype = DTYPE_F64};
    Lowered r = lower_source("test.nn",
                             "module Net {\n"
                             "    self.fc = nn.Linear(2, 2)\n"
                             "    def forward(self, x: f32[N, 2], k: u8[N, 2]) -> f32[N, 2] {\n"
                             "        return self.fc(x + k.float() / 255)\n"
                             "    }\n"
                             "}\n"
                             "export Net() as net\n",
                             &options);
    if (!r.program) fail_msg("%s", r.messages);
    assert_null(strstr(entry_text(&r, "net"), "f32"));
    assert_has(entry_text(&r, "net"), "f64[N, 2]");
    lowered_free(&r);
}

static void a_check_may_fix_a_dim(void **state) {
    Lowered r = lower_good("module A {\n"
                           "    def forward(self, x: f32[N, 4]) -> f32[N, 4] {\n"
                           "        return x + torch.tensor([[1.0], [2.0], [3.0]])\n"
                           "    }\n"
                           "}\n"
                           "export A() as a\n");
    const Entry *entry = lowered_entry(&r, "a");
    assert_int_equal(entry->checks.count, 1);
    assert_int_equal(entry->dims.count, 1);
    assert_ptr_equal(entry->arguments.data[0].shape.dims[0], entry->dims.data[0]);
    lowered_free(&r);
}

/* Names, sharing and order of a copy are the original's, its cells are its own. */
static void copies_are_modules_of_their_own(void **state) {
    Lowered r = lower_good("module Tied {\n"
                           "    self.a = nn.Linear(3, 3)\n"
                           "    self.b = nn.Linear(3, 3, bias=False)\n"
                           "    self.b.weight = self.a.weight\n"
                           "    self.act = nn.Sequential(self.a, nn.Tanh())\n"
                           "    buffer calls: i64 = 0\n"
                           "    def forward(self, x) { return self._again(self.act(x)) }\n"
                           "    def _again(self, x) { return self.b(x) }\n"
                           "    def twice(x) { return 2 * x }\n"
                           "}\n"
                           "module Net {\n"
                           "    self.first = Tied()\n"
                           "    self.first.a.requires_grad_(False)\n"
                           "    self.second = deepcopy(self.first)\n"
                           "    self.second.a.bias = None\n"
                           "    def forward(self, x: f32[N, 3]) -> f32[N, 3] {\n"
                           "        return self.first(x) + Tied.twice(self.second.twice(x))\n"
                           "    }\n"
                           "}\n"
                           "export Net() as net\n");
    const Root *root = r.program->roots.data[0];
    static const char *const names[] = {"first.calls", "first.a.weight", "first.a.bias",
                                        "second.calls", "second.a.weight"};
    assert_int_equal(root->cells.count, 5);
    for (int i = 0; i < 5; i++) assert_string_equal(root->cells.data[i]->name->text, names[i]);
    assert_int_equal(root->cells.data[4]->alias_count, 2);
    assert_string_equal(root->cells.data[4]->aliases[0]->text, "second.b.weight");
    lowered_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_torch),
        cmocka_unit_test(cells_point_at_the_users_line),
        cmocka_unit_test(tied_tensors_are_stored_once),
        cmocka_unit_test(instances_print_as_torch),
        cmocka_unit_test(a_class_without_entry_can_be_viewed),
        cmocka_unit_test(state_dims_are_the_entrys),
        cmocka_unit_test(initial_values_may_be_tensors),
        cmocka_unit_test(training_is_a_constant_of_the_entry),
        cmocka_unit_test(updates_by_hand_write_parameters),
        cmocka_unit_test(default_dtype_maps_f32),
        cmocka_unit_test(a_check_may_fix_a_dim),
        cmocka_unit_test(copies_are_modules_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
