/* The textual IR of graphs, entries and programs; what the reader refuses; entries as they run. */
#include "unit/tensor/helpers.h"

static void test_spelling(void **state) {
    Graph *g = read_graph("dims N in 1..64 % 8\n"
                          "cell net.weight: f32[3, 2] parameter\n"
                          "%x: f32[N, 2] = input image\n%w = cell net.weight\n"
                          "%y = contract %x, %w labels=ab,cb->ac no_grad\nreturn %y");
    Text text = text_new(arena);
    graph_print(&text, g, 0);
    assert_string_equal(text.data, "graph {\n"
                                   "  dims N in 8..64 % 8\n"
                                   "  cell net.weight: f32[3, 2] parameter\n"
                                   "  %0: f32[N, 2] = input image\n"
                                   "  %1: f32[3, 2] = cell net.weight\n"
                                   "  %2: f32[N, 3] = contract %0, %1 labels=ab,cb->ac no_grad\n"
                                   "  return %2\n"
                                   "}\n");
}

static const char program_text[] =
    "root Net train {\n"
    "  cell net.w: f32[2] parameter alias=[net.tied]\n"
    "  cell net.w.grad: f32[2] gradient of=net.w\n"
    "  cell lr: f32 scalar default=0.5\n"
    "  cell \"odd name\": i64[S] state\n"
    "  entry train step symbol=Net_step random {\n"
    "    dims N in 1..\n"
    "    %0: f32[N, 2] = input x\n"
    "    %1: i64[N] = input label\n"
    "    %2: f32[2] = cell net.w\n"
    "    %3: f32 = cell lr\n"
    "    %4: f32[N, 2] = random site=3 where=\"net.drop\"\n"
    "    %5: f32[N, 2] = mul %0, %4\n"
    "    %6: f32[2] = reduce %5 kind=sum axes=[0]\n"
    "    %7: f32[2] = expand %3 axes=[]\n"
    "    %8: f32[2] = mul %6, %7\n"
    "    %9: f32[2] = sub %2, %8\n"
    "    %10: f32 = reduce %6 kind=sum axes=[0]\n"
    "    return loss=%10\n"
    "    write net.w=%9\n"
    "    check dim N <= 4 \"N <= 4\" argument=x\n"
    "    check range %1 in 0..10 ignore=-100 \"label: class ids\" argument=label\n"
    "  }\n"
    "  entry init init symbol=Net_init {\n"
    "    dims S\n"
    "    %0: f32[2] = const [1.0, 2.0]\n"
    "    %1: f32 = const 0.5\n"
    "    %2: i64[S] = iota axis=0\n"
    "    return\n"
    "    write net.w=%0\n"
    "    write lr=%1\n"
    "    write \"odd name\"=%2\n"
    "  }\n"
    "}\n";

static void test_program(void **state) {
    const char *error;
    Program *program = program_read(arena, program_text, &error);
    if (!program) fail_msg("%s", error);
    Text text = text_new(arena);
    program_print(&text, program, 0);
    assert_string_equal(text.data, program_text);
    assert_null(program_verify(program, arena));
    Root *root = program->roots.data[0];
    assert_int_equal(root->cells.count, 4);
    assert_ptr_equal(root->cells.data[1]->gradient_of, root->cells.data[0]);
    Entry *entry = root->entries.data[0];
    assert_int_equal(entry->arguments.count, 2);
    assert_true(entry->uses_random);
    /* An entry alone, into the same root. */
    Text one = text_new(arena), again = text_new(arena);
    entry_print(&one, entry, 0);
    Entry *copy = entry_read(arena, program->dims, root, one.data, &error);
    if (!copy) fail_msg("%s", error);
    assert_null(entry_verify(copy, root, arena));
    entry_print(&again, copy, 0);
    assert_string_equal(one.data, again.data);
}

static void test_run_entries(void **state) {
    const char *error;
    Program *program = program_read(arena, program_text, &error);
    Root *root = program->roots.data[0];
    Entry *step = root->entries.data[0], *init = root->entries.data[1];
    Environment *env = environment_new(arena, root, program->dims);
    env->seed = 42;
    Tensor *x = tensor_new(arena, DTYPE_F32, 2, (int64_t[]){2, 2});
    Tensor *label = tensor_new(arena, DTYPE_I64, 1, (int64_t[]){2}), *loss;
    for (int i = 0; i < 4; i++) x->floats[i] = 1;
    Tensor *arguments[2] = {x, label};
    assert_string_equal(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss),
                        "net.w has no value");
    assert_string_equal(interpret_entry(env, INTERPRET_TYPED, init, NULL, NULL, NULL),
                        "dim S has no value");
    assert_null(interpret_entry(env, INTERPRET_TYPED, init, (int64_t[]){3}, NULL, NULL));
    assert_int_equal(env->cells[3]->count, 3);
    assert_null(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss));
    double first = loss->floats[0], w = env->cells[0]->floats[0];
    assert_true(first > 0 && w < 1);
    assert_int_equal(env->step, 1);
    assert_null(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss));
    assert_true(loss->floats[0] != first); /* another step, other draws */
    /* A failed check leaves cells and step alone. */
    w = env->cells[0]->floats[0];
    label->integers[1] = 10;
    error = interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss);
    assert_string_equal(error, "label: class ids: element 1 is 10");
    label->integers[1] = -100;
    assert_true(env->cells[0]->floats[0] == w);
    assert_int_equal(env->step, 2);
    arguments[1] = tensor_new(arena, DTYPE_I64, 1, (int64_t[]){3});
    assert_string_equal(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss),
                        "dim N is both 2 and 3");
    arguments[0] = tensor_new(arena, DTYPE_F32, 2, (int64_t[]){5, 2});
    arguments[1] = tensor_new(arena, DTYPE_I64, 1, (int64_t[]){5});
    assert_string_equal(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss),
                        "N <= 4");
    arguments[0] = tensor_new(arena, DTYPE_F32, 2, (int64_t[]){0, 2});
    arguments[1] = tensor_new(arena, DTYPE_I64, 1, (int64_t[]){0});
    assert_non_null(strstr(interpret_entry(env, INTERPRET_TYPED, step, NULL, arguments, &loss),
                           "dim N = 0 is outside 1.."));
}

static void test_reader_refuses(void **state) {
    expect_error("%a: f32[2] = const 1\n%b = add %a\nreturn %b", "line 2: add takes 2 operands");
    expect_error("%b = exp %a", "%a is not known");
    expect_error("%b = frobnicate", "no operator frobnicate");
    expect_error("%a = const 1", "needs its type stated");
    expect_error("%a: f99[2] = const 1", "f99 is no dtype");
    expect_error("%a: f32[2] = const 1\n%b: f32[3] = exp %a\nreturn %b",
                 "f32[3] is stated, f32[2] it is");
    expect_error("%a: f32[2] = const 1\n%a: f32[2] = const 1", "defined twice");
    expect_error("%a: f32[2] = const [1]", "1 elements do not fit");
    expect_error("%a = cell w", "cell w is not declared");
    expect_error("%a: f32[2] = const 1\nreturn %a nonsense", "unexpected 'nonsense'");
    expect_error("graph { %a: f32[2] = const 1\nreturn %a", "expected '}'");
    expect_error("%a: f32[N//0] = input", "divides by what may not be positive");
    expect_error("%a: f32[9223372036854775807 + 1] = input", "overflows");
    expect_error("%a: u8[1] = const 256", "256 does not fit u8");
    expect_error("%a: f32[1,1,1,1,1,1,1,1,1,1,1,1,1] = input", "more than 12 axes");
    expect_error("%a: f32[2] = const 1\n%p = proj %a index=0", "proj of a const");
    expect_error("dims N in 3..2\n%a: f32[N] = input", "contradicts");
    Text deep = text_new(arena);
    text_append(&deep, "%a: f32[");
    for (int i = 0; i < 100000; i++) text_char(&deep, '(');
    expect_error(deep.data, "nested too deeply");
}

static void test_subgraphs_nest(void **state) {
    read_graph(
        "%x: f32[T, N] = input\n%h: f32[N] = input\n%w: f32[N, N] = input\n"
        "%s = scan %h, %x, %w carries=1 sequences=1 {\n"
        "  %c: f32[N] = input\n  %e: f32[N] = input\n  %v: f32[N, N] = input\n"
        "  %m = contract %c, %v labels=a,ab->b\n"
        "  %k = call %m, %e name=mix wrt=[0] {\n"
        "    %a: f32[N] = input\n    %b: f32[N] = input\n    %o = add %a, %b\n    return %o\n"
        "  } vjp {\n"
        "    %a: f32[N] = input\n    %b: f32[N] = input\n    %d: f32[N] = input\n    return %d\n"
        "  }\n  %n = proj %k index=0\n  %t = tanh %n\n  return %t, %t\n}\n"
        "%last = proj %s index=0\n%all = proj %s index=1\nreturn %last, %all");
    Text text = text_new(arena);
    Graph *g = read_graph("%s = scan length=N {\n%c: f32[2] = const 1\nreturn %c }\n"
                          "%a = proj %s index=0\nreturn %a");
    graph_print(&text, g, 0);
    assert_non_null(strstr(text.data, "  %0 = scan carries=0 sequences=0 invariants=0 length=N {\n"
                                      "    %0: f32[2] = const 1.0\n    return %0\n  }\n"
                                      "  %1: f32[N, 2] = proj %0 index=0\n"));
}

static void test_places(void **state) {
    SourceFile *file = source_new(arena, "model.nn", "a\nb\n", 4);
    Graph *g = graph_new(arena, dims);
    g->path = "net.0";
    g->span = (Span){file, 2, 3};
    Node *x = op_input(g, name_of("x"), (TensorType){DTYPE_F32, {0}});
    vector_push(arena, &g->results, op_unary(g, OP_EXP, x));
    Text text = text_new(arena);
    graph_print(&text, g, IR_PLACES);
    assert_non_null(strstr(text.data, "%1: f32 = exp %0  # net.0 model.nn:2\n"));
    const char *error;
    assert_non_null(graph_read(arena, dims, text.data, &error));
}

/* Damaged texts are read or refused with a line; what is read verifies and prints. */
static void test_damaged_texts(void **state) {
    static const char alphabet[] = "%=[](){},:.-+*/#\"\n 0123456789NSabcxwreturnscanproj";
    uint32_t bits = 7;
    int accepted = 0;
    for (int round = 0; round < 4000; round++) {
        if (round % 200 == 0 && round) {
            teardown(state);
            setup(state);
        }
        char *text = arena_strdup(arena, program_text);
        size_t length = sizeof program_text - 1;
        for (int k = 0; k <= round % 4; k++) {
            bits = bits * 1664525u + 1013904223u;
            size_t at = (bits >> 8) % length;
            bits = bits * 1664525u + 1013904223u;
            if (bits >> 31)
                memmove(text + at, text + at + 1, length - at);
            else
                text[at] = alphabet[(bits >> 8) % (sizeof alphabet - 1)];
        }
        const char *error = NULL;
        Program *program = program_read(arena, text, &error);
        assert_true(program ? !error : !strncmp(error, "line ", 5));
        if (!program) continue;
        accepted++;
        program_verify(program, arena);
        Text out = text_new(arena);
        program_print(&out, program, IR_PLACES);
    }
    assert_true(accepted > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_spelling),       TEST(test_program),        TEST(test_run_entries),
        TEST(test_reader_refuses), TEST(test_subgraphs_nest), TEST(test_places),
        TEST(test_damaged_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
