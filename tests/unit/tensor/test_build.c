/* Type rules of the builders: what each operator gives, and what it refuses, with the message. */
#include "unit/tensor/helpers.h"

/* The type of the last node of a text that must be accepted. */
static void gives(const char *text, const char *type) {
    const char *error;
    Graph *g = graph_read(arena, dims, text, &error);
    if (!g) fail_msg("%s\n%s", error, text);
    error = graph_verify(g, arena);
    if (error) fail_msg("%s\n%s", error, text);
    Text shown = text_new(arena);
    type_print(&shown, &vector_last(&g->nodes)->type);
    assert_string_equal(shown.data, type);
}

static void test_elementwise(void **state) {
    gives("%a: f32[N, 3] = input\n%b = exp %a", "f32[N, 3]");
    gives("%a: f32[N, 3] = input\n%b = lt %a, %a", "bool[N, 3]");
    gives("%a: bool[2] = input\n%b = maximum %a, %a", "bool[2]");
    gives("%a: u8[2] = input\n%b = and %a, %a", "u8[2]");
    expect_error("%a: f32[2] = input\n%b: f32[3] = input\n%c = add %a, %b",
                 "add: operands of different shapes [2] and [3]");
    expect_error("%a: f32[N] = input\n%b: f32[M] = input\n%c = add %a, %b", "[N] and [M]");
    expect_error("%a: f32[2] = input\n%b: f64[2] = input\n%c = add %a, %b", "dtypes f32 and f64");
    expect_error("%a: bool[2] = input\n%c = add %a, %a", "not defined for dtype bool");
    expect_error("%a: i32[2] = input\n%c = exp %a", "exp: not defined for dtype i32");
    expect_error("%a: i32[2] = input\n%c = div %a, %a", "not defined for dtype i32");
    expect_error("%a: f32[2] = input\n%c = xor %a, %a", "not defined for dtype f32");
    expect_error("%a: f32[2] = input\n%c = select %a, %a, %a", "condition is bool, not f32");
    expect_error("%a: f32[2] = input\n%c: f32[2] = cast %a", "cast to the dtype of the operand");
}

static void test_facts_make_shapes_fit(void **state) {
    const Dim *n = dim_symbol(dims, name_of("N")), *m = dim_symbol(dims, name_of("M"));
    const char *text = "%a: f32[N] = input\n%b: f32[M] = input\n%c = add %a, %b";
    expect_error(text, "[N] and [M]");
    assert_true(dim_assume_equal(dims, n, m));
    gives(text, "f32[N]");
    const char *fold = "%a: f32[N//2, 2] = input\n%b: f32[N] = reshape %a";
    expect_error(fold, "reshape: f32[N//2, 2] has 2*(N//2) elements");
    assert_true(dim_assume_divisible(dims, n, 4));
    gives(fold, "f32[N]");
}

static void test_sources(void **state) {
    gives("%a: i64 = dim N + 1", "i64");
    expect_error("%a: bool = dim 3", "no value of dtype bool");
    expect_error("%a: bool[2] = iota axis=0", "cannot count");
    expect_error("%a: i64[2] = iota axis=1", "axis 1 of a tensor with 1 axes");
    expect_error("%a: f16[2] = random site=1", "f32 or f64, not f16");
    expect_error("%a: f32[N] = const [1, 2]", "do not fit");
    expect_error("%a: f32[3 - 5] = input", "negative");
    expect_error("%a: f32[4611686018427387904, 4] = input\n%b: f32[1] = reshape %a", "too large");
}

static void test_views(void **state) {
    gives("%a: f32[N, 1, 28, 28] = input\n%b: f32[N, 784] = reshape %a", "f32[N, 784]");
    expect_error("%a: f32[2, 3] = input\n%b: f32[5] = reshape %a", "has 6 elements, [5] has 5");
    gives("%a: f32[2, N, 3] = input\n%b = permute %a axes=[2, 0, 1]", "f32[3, 2, N]");
    expect_error("%a: f32[2, 3] = input\n%b = permute %a axes=[0, 0]", "no permutation");
    expect_error("%a: f32[2, 3] = input\n%b = permute %a axes=[0]", "1 elements instead of 2");
    gives("%a: f32[1, 3] = input\n%b: f32[N, 2, 3] = expand %a axes=[0, 2]", "f32[N, 2, 3]");
    expect_error("%a: f32[2] = input\n%b: f32[3] = expand %a", "does not stretch to 3");
    expect_error("%a: f32[2, 3] = input\n%b: f32[3, 2] = expand %a axes=[1, 0]", "no place");
    gives("%a: f32[N, 8] = input\n%b: f32[N, 3] = slice %a begin=[0, 7] step=[1, -3]", "f32[N, 3]");
    expect_error("%a: f32[8] = input\n%b: f32[3] = slice %a begin=[6]", "leave axis 0");
    expect_error("%a: f32[8] = input\n%b: f32[2] = slice %a begin=[0] step=[-1]", "leave axis 0");
    expect_error("%a: f32[8] = input\n%b: f32[2] = slice %a begin=[0] step=[0]", "step 0");
    expect_error("%a: f32[N] = input\n%b: f32[1] = slice %a begin=[N]", "leave axis 0");
    gives("%a: f32[8] = input\n%b: f32[0] = slice %a begin=[8]", "f32[0]");
    gives("%a: f32[N, 3] = input\n%z: f32 = const 0\n%b = pad %a, %z low=[0, 1] high=[2, -2]",
          "f32[N + 2, 2]");
    expect_error("%a: f32[3] = input\n%z: f32 = const 0\n%b = pad %a, %z low=[-2] high=[-2]",
                 "would be negative: -1");
    expect_error("%a: f32[3] = input\n%z: f64 = const 0\n%b = pad %a, %z low=[1] high=[1]",
                 "the fill is one f32, not f64");
    gives("%a: f32[N, 3] = input\n%b: f32[M, 3] = input\n%c = concat %a, %b axis=0",
          "f32[N + M, 3]");
    expect_error("%a: f32[2, 3] = input\n%b: f32[2, 4] = input\n%c = concat %a, %b axis=0",
                 "differ outside axis 0");
    expect_error("%c = concat axis=0", "of no tensors");
}

static void test_windows(void **state) {
    gives(
        "%a: f32[N, 3, 32, 32] = input\n%b = unfold %a axis=2 size=3\n%c = unfold %b axis=3 size=5 "
        "stride=2",
        "f32[N, 3, 30, 14, 3, 5]");
    gives("%a: f32[H] = input\n%b = unfold %a axis=0 size=3 stride=2", "f32[(H + 1)//2 - 1, 3]");
    gives("%a: f32[H] = input\n%b = unfold %a axis=0 size=3 stride=2 dilation=2\n"
          "%c = fold %b axis=0 extent=H stride=2 dilation=2",
          "f32[H]");
    expect_error("%a: f32[4] = input\n%b = unfold %a axis=0 size=0", "each is at least 1");
    expect_error("%a: f32[4] = input\n%b = unfold %a axis=1 size=1", "axis 1 of f32[4]");
    expect_error("%a: f32[3, 2] = input\n%b = fold %a axis=0 extent=5",
                 "has 4 windows of 2, not 3");
    expect_error("%a: f32[3, N] = input\n%b = fold %a axis=0 extent=5", "is no window");
}

static void test_reductions(void **state) {
    gives("%a: f32[N, 3, 4] = input\n%b = reduce %a kind=sum axes=[0, 2]", "f32[3]");
    gives("%a: u8[N, 3] = input\n%b = reduce %a kind=argmax axes=[1]", "i64[N]");
    expect_error("%a: bool[3] = input\n%b = reduce %a kind=sum axes=[0]",
                 "not defined for dtype bool");
    expect_error("%a: f32[3] = input\n%b = reduce %a kind=any axes=[0]", "any is of bool tensors");
    expect_error("%a: f32[3, 2] = input\n%b = reduce %a kind=argmax axes=[0, 1]",
                 "exactly one axis");
    expect_error("%a: f32[3] = input\n%b = reduce %a kind=sum axes=[1]", "does not have");
    expect_error("%a: f32[0] = input\n%b = reduce %a kind=max axes=[0]", "max of no elements");
    expect_error("%a: f32[0] = input\n%b = reduce %a kind=argmin axes=[0]",
                 "argmin of no elements");
    expect_error("%a: f32[3] = input\n%b = prefix %a kind=any axis=0", "any has no prefix form");
    expect_error("%a: f32[3] = input\n%b = prefix %a kind=sum axis=1", "axis 1 of f32[3]");
    expect_error("%a: f32[3] = input\n%b = argsort %a axis=1", "axis 1 of f32[3]");
    gives("%a: f32[N, K] = input\n%b: f32[M, K] = input\n%c = contract %a, %b labels=ab,cb->ac",
          "f32[N, M]");
    expect_error("%a: f32[2, 3] = input\n%b: f32[4, 2] = input\n"
                 "%c = contract %a, %b labels=ab,bc->ac",
                 "one label, two extents: 3 and 4");
    expect_error("%a: i32[2, 2] = input\n%c = contract %a, %a labels=ab,bc->ac", "dtype i32");
    expect_error("%a: f32[2, 2] = input\n%c = contract %a, %a labels=aa,ab->b", "repeated label");
    expect_error("%a: f32[2, 2] = input\n%c = contract %a, %a labels=ab,bc->ad", "result axis 1");
}

static void test_indexed(void **state) {
    gives("%x: f32[V, D] = input\n%i: i64[N, T] = input\n%y = gather %x, %i batch=0",
          "f32[N, T, D]");
    gives("%x: f32[N, V] = input\n%i: u8[N] = input\n%y = gather %x, %i batch=1", "f32[N]");
    expect_error("%x: f32[4] = input\n%i: f32[2] = input\n%y = gather %x, %i batch=0",
                 "integer dtype, not f32");
    expect_error("%x: f32[4] = input\n%i: i64[2] = input\n%y = gather %x, %i batch=1",
                 "1 batch axes");
    expect_error("%x: f32[4, 5] = input\n%i: i64[3] = input\n%y = gather %x, %i batch=1",
                 "batch axis 0 differs");
    expect_error("%x: f32[4] = input\n%i: i64[2] = input\n%u: f32[3] = input\n"
                 "%y = scatter_add %x, %i, %u batch=0",
                 "updates have shape [2], not [3]");
    expect_error("%x: bool[4] = input\n%i: i64[2] = input\n%u: bool[2] = input\n"
                 "%y = scatter_add %x, %i, %u batch=0",
                 "not defined for dtype bool");
    expect_error("%x: f32[4] = input\n%s: i32 = const 0\n%y = dynamic_slice %x, %s axis=0 extent=2",
                 "the start is one i64, not i32");
    expect_error("%x: f32[4] = input\n%s: i64 = const 0\n%y = dynamic_slice %x, %s axis=0 extent=5",
                 "5 elements of axis 0");
    expect_error("%x: f32[4, 2] = input\n%u: f32[2, 3] = input\n%s: i64 = const 0\n"
                 "%y = dynamic_update %x, %u, %s axis=0",
                 "does not fit");
    gives("%x: f32[L, 2] = input\n%u: f32[1, 2] = input\n%s: i64 = const 0\n"
          "%y = dynamic_update %x, %u, %s axis=0",
          "f32[L, 2]");
}

static void test_structured(void **state) {
    const char *call =
        "%%x: f32[%s] = input\n%%r = call %%x name=f wrt=[%s] {\n%%a: f32[2] = input\n"
        "return %%a } vjp {\n%%a: f32[2] = input\n%%d: f32[2] = input\nreturn %s }\n";
    gives(arena_printf(arena, call, "2", "0", "%d"), "f32[2]");
    expect_error(arena_printf(arena, call, "3", "0", "%d"), "input 0 has type f32[2], not f32[3]");
    expect_error(arena_printf(arena, call, "2", "1", "%d"), "names input 1 of 1");
    expect_error(arena_printf(arena, call, "2", "0", "%d, %a"), "gives 1 results");
    const char *scan = "%%h: f32[2] = input\n%%x: f32[%s] = input\n"
                       "%%s = scan %%h, %%x carries=1 sequences=1 length=T {\n%%c: f32[2] = input\n"
                       "%%e: f32[2] = input\nreturn %s }\n%%y = proj %%s index=1\n";
    gives(arena_printf(arena, scan, "T, 2", "%c, %e"), "f32[T, 2]");
    expect_error(arena_printf(arena, scan, "T, 3", "%c, %e"), "body input 1 has type f32[3]");
    expect_error(arena_printf(arena, scan, "5, 2", "%c, %e"), "has not T elements");
    expect_error(arena_printf(arena, scan, "T, 2", "%c"), "proj reads result 1 of 1");
    expect_error("%h: f32[2] = input\n%s = scan %h carries=1 length=3 {\n%c: f32[2] = input\n"
                 "%d: f32[2, 2] = expand %c\nreturn %d }",
                 "carry 0 has type f32[2], not f32[2, 2]");
}

/* ---- inlining and copying ---- */

static void test_inline(void **state) {
    Graph *body = read_graph("%a: f32[N] = input\n%b: f32[N] = input\n%c = mul %a, %b\n"
                             "%d = add %c, %a\nreturn %d, %c");
    Graph *g = read_graph("%x: f32[N] = input\n%y: f32[N] = input\nreturn %x");
    Node *out[2];
    g->no_grad = true;
    graph_inline(g, body, (Node *[]){g->inputs.data[0], g->inputs.data[1]}, out);
    g->results.data[0] = out[0];
    assert_null(graph_verify(g, arena));
    assert_int_equal(g->nodes.count, 4);
    assert_true(out[0]->no_grad);
    assert_ptr_equal(out[0]->inputs[0], out[1]);
    assert_ptr_equal(out[0]->inputs[1], g->inputs.data[0]);
}

static void complain(void *user, const char *message) {
    *(const char **)user = message;
}

static void test_misuse_is_reported_once(void **state) {
    const char *message = NULL;
    Graph *g = graph_new(arena, dims);
    g->complain = complain;
    g->complain_user = &message;
    Shape two = shape_of(1, (const Dim *[]){dim_const(dims, 2)});
    Node *x = op_input(g, name_of("x"), (TensorType){DTYPE_I32, two});
    Node *y = op_unary(g, OP_EXP, x);
    assert_null(y);
    assert_string_equal(message, "exp: not defined for dtype i32");
    message = NULL;
    assert_null(op_binary(g, OP_ADD, x, y)); /* silent: the cause has been told */
    assert_null(message);
    assert_ptr_equal(op_cast(g, x, DTYPE_I32), x);
    assert_null(op_const(g, 0.5, (TensorType){DTYPE_I32, two}));
    assert_string_equal(message, "const: 0.5 is no value of dtype i32");
}

/* ---- the verifier on broken graphs ---- */

static void refuses(Graph *g, const char *part) {
    const char *error = graph_verify(g, arena);
    if (!error) fail_msg("accepted, expected: %s", part);
    if (!strstr(error, part)) fail_msg("'%s' does not say '%s'", error, part);
}

static Graph *sample(void) {
    return read_graph("%x: f32[2, 3] = input\n%y = exp %x\n%z = reduce %y kind=sum axes=[1]\n"
                      "return %z");
}

static void test_verifier(void **state) {
    Graph *g = sample();
    g->nodes.data[2]->type.dtype = DTYPE_F64;
    refuses(g, "%2 (reduce): has type f64[2], its rule gives f32[2]");
    g = sample();
    g->nodes.data[1]->id = 2;
    refuses(g, "ids do not increase at position 2");
    g = sample();
    g->nodes.data[1]->inputs[0] = g->nodes.data[2];
    refuses(g, "%1 (exp): input 0 is no earlier node of the same graph");
    g = sample();
    g->nodes.data[2]->inputs[0] = sample()->nodes.data[1];
    refuses(g, "is no earlier node of the same graph");
    g = sample();
    g->results.data[0] = sample()->results.data[0];
    refuses(g, "result 0 is no node of the graph");
    g = sample();
    g->inputs.count = 0;
    refuses(g, "is not input 0 of its graph");
    g = sample();
    g->nodes.data[2]->attr.reduce.axes = 4;
    refuses(g, "does not have");
    g = sample();
    g->nodes.data[1]->input_count = 0;
    refuses(g, "has 0 inputs instead of 1");
    g = read_graph("%s = scan length=N {\n%c: f32[2] = const 1\nreturn %c }\n"
                   "%a = proj %s index=0\nreturn %a");
    g->nodes.data[1]->attr.index = 1;
    refuses(g, "reads result 1 of 1");
    Graph *body = (Graph *)g->nodes.data[0]->attr.scan.body;
    g->nodes.data[1]->attr.index = 0;
    Cell *cell = NEW(arena, Cell);
    cell->name = name_of("w");
    cell->type = body->nodes.data[0]->type;
    op_cell(body, cell, cell->type);
    refuses(g, "a subgraph reads a cell");
}

static void test_entry_verifier(void **state) {
    const char *text = "root R train {\n cell w: f32[2] parameter\n entry train step {\n dims N\n"
                       "  %x: f32[N] = input x\n  %i: i64[N] = input i\n  %w = cell w\n"
                       "  %v = exp %w\n  return\n  write w=%v\n"
                       "  check range %i in 0..3 \"i\" argument=i\n }\n}\n";
    const char *error;
    struct {
        int what;
        const char *part;
    } breaks[] = {
        {0, "is not graph result 0"},
        {1, "cell w has type f32[2] and is written with f32[N]"},
        {2, "argument x has a dim that is no dim of the entry"},
        {3, "tests dtype f32"},
        {4, "is of no cell of the root"},
        {5, "is not graph input 0"},
    };
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        Program *program = program_read(arena, text, &error);
        if (!program) fail_msg("%s", error);
        assert_null(program_verify(program, arena));
        Root *root = program->roots.data[0];
        Entry *entry = root->entries.data[0];
        Graph *g = entry->graph;
        if (breaks[i].what == 0) entry->writes.data[0].node = g->nodes.data[2];
        if (breaks[i].what == 1) entry->writes.data[0].node = g->results.data[0] = g->nodes.data[0];
        if (breaks[i].what == 2) entry->dims.count = 0;
        if (breaks[i].what == 3) entry->checks.data[0].node = g->nodes.data[3];
        if (breaks[i].what == 4) entry->writes.data[0].cell = NEW(arena, Cell);
        if (breaks[i].what == 5) entry->arguments.data[0].node = g->nodes.data[1];
        error = program_verify(program, arena);
        assert_non_null(error);
        if (!strstr(error, breaks[i].part))
            fail_msg("'%s' does not say '%s'", error, breaks[i].part);
        assert_non_null(strstr(error, "R.step: "));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_elementwise), TEST(test_facts_make_shapes_fit),
        TEST(test_sources),     TEST(test_views),
        TEST(test_windows),     TEST(test_reductions),
        TEST(test_indexed),     TEST(test_structured),
        TEST(test_inline),      TEST(test_misuse_is_reported_once),
        TEST(test_verifier),    TEST(test_entry_verifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
