/* Reverse mode where central differences cannot look: sub-gradients at ties and zeros, what depends
 * on what, the form that derivatives of convolutions keep, places of new nodes, refusals. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "tensor/autodiff/autodiff.h"
#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/verify.h"

static Graph *read(Arena *arena, const char *text) {
    const char *error = NULL;
    Graph *g = graph_read(arena, dim_table_new(arena), text, &error);
    if (!g) fail_msg("%s", error);
    return g;
}

/* ---- torch's sub-gradients: one input x of rank 1, dy = 1, 2, 3, ... ---- */

typedef struct SubGradient {
    const char *name, *text;
    int count;
    double x[6], expected[6];
} SubGradient;

#define X5 "%x: f64[5] = input x\n"
#define X4 "%x: f64[4] = input x\n"
#define X3 "%x: f64[3] = input x\n"

static const SubGradient sub_gradients[] = {
    {"abs at zero", X3 "%y = abs %x\nreturn %y\n", 3, {-1, 0, 2}, {-1, 0, 3}},
    {"sign has derivative zero", X3 "%y = sign %x\nreturn %y\n", 3, {-1, 0, 2}, {0, 0, 0}},
    {"rounding has derivative zero", X3 "%y = round %x\nreturn %y\n", 3, {-1, 0, 2}, {0, 0, 0}},
    {"maximum halves at a tie",
     X3 "%c: f64[3] = const 1.0\n%y = maximum %x, %c\nreturn %y\n",
     3,
     {0, 1, 2},
     {0, 1, 3}},
    {"minimum halves at a tie",
     X3 "%c: f64[3] = const 1.0\n%y = minimum %x, %c\nreturn %y\n",
     3,
     {0, 1, 2},
     {1, 1, 0}},
    {"maximum of a tensor with itself",
     X3 "%y = maximum %x, %x\nreturn %y\n",
     3,
     {1, 2, 3},
     {1, 2, 3}},
    {"a tensor to the power zero",
     X3 "%c: f64[3] = const 0.0\n%y = pow %x, %c\nreturn %y\n",
     3,
     {0, 1, 2},
     {0, 0, 0}},
    {"squares at zero",
     X3 "%c: f64[3] = const 2.0\n%y = pow %x, %c\nreturn %y\n",
     3,
     {0, 1, -2},
     {0, 4, -12}},
    {"zero to the power x",
     X3 "%c: f64[3] = const 0.0\n%y = pow %c, %x\nreturn %y\n",
     3,
     {0, 1, 2},
     {0, 0, 0}},
    {"the largest share among ties",
     X5 "%y = reduce %x kind=max axes=[0]\nreturn %y\n",
     5,
     {1, 4, 4, 2, 4},
     {0, 1.0 / 3, 1.0 / 3, 0, 1.0 / 3}},
    {"the smallest share among ties",
     X4 "%y = reduce %x kind=min axes=[0]\nreturn %y\n",
     4,
     {1, 4, 1, 2},
     {0.5, 0, 0.5, 0}},
    {"product with one zero",
     X3 "%y = reduce %x kind=prod axes=[0]\nreturn %y\n",
     3,
     {2, 0, 5},
     {0, 10, 0}},
    {"product with two zeros",
     X3 "%y = reduce %x kind=prod axes=[0]\nreturn %y\n",
     3,
     {0, 7, 0},
     {0, 0, 0}},
    {"running maximum takes the latest of equals",
     X4 "%y = prefix %x kind=max axis=0\nreturn %y\n",
     4,
     {3, 3, 1, 5},
     {1, 2 + 3, 0, 4}},
    {"running minimum backwards",
     X4 "%y = prefix %x kind=min axis=0 reverse\nreturn %y\n",
     4,
     {2, 1, 1, 4},
     {0, 1 + 2, 3, 4}},
    {"the first of equals through argmax",
     "%x: f64[4] = input x\n%i = reduce %x kind=argmax axes=[0]\n%y = gather %x, %i batch=0\n"
     "return %y\n",
     4,
     {1, 4, 4, 2},
     {0, 1, 0, 0}},
    {"relu at zero",
     X3 "%z: f64[3] = const 0.0\n%c = gt %x, %z\n%y = select %c, %x, %z\nreturn %y\n",
     3,
     {-1, 0, 2},
     {0, 0, 3}},
    {"NaN goes through a maximum",
     X3 "%z: f64[3] = const 0.0\n%y = maximum %x, %z\nreturn %y\n",
     3,
     {-1, NAN, 2},
     {0, 2, 3}},
    {"arctangent of two zeros is undefined",
     X3 "%z: f64[3] = const 0.0\n%y = atan2 %x, %z\nreturn %y\n",
     3,
     {1, 0, 2},
     {0, NAN, 0}},
};

static void test_sub_gradients(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sub_gradients / sizeof *sub_gradients; i++) {
        const SubGradient *c = &sub_gradients[i];
        Arena *arena = arena_new();
        names_init(arena);
        Graph *g = read(arena, c->text);
        TensorType type = g->results.data[0]->type;
        Node *dy = op_input(g, name_of("dy"), type), *x = g->inputs.data[0], *gradient = NULL;
        AutodiffError error = {0};
        assert_true(autodiff_gradients(g, g->results.data, &dy, 1, &x, 1, &gradient, &error));
        assert_non_null(gradient);
        g->results.count = 0;
        vector_push(arena, &g->results, gradient);
        assert_null(graph_verify(g, arena));
        Tensor *inputs[2] = {tensor_of_type(arena, &x->type, NULL),
                             tensor_of_type(arena, &type, NULL)};
        Tensor *result;
        for (int k = 0; k < c->count; k++) inputs[0]->floats[k] = c->x[k];
        for (int64_t k = 0; k < inputs[1]->count; k++) inputs[1]->floats[k] = (double)k + 1;
        Interpretation how = {.mode = INTERPRET_VALUE};
        assert_null(interpret_graph(arena, g, &how, inputs, &result));
        for (int k = 0; k < c->count; k++) {
            double actual = result->floats[k], expected = c->expected[k];
            bool same = isnan(expected) ? isnan(actual) : fabs(actual - expected) < 1e-15;
            if (!same) fail_msg("%s: element %d is %g, not %g", c->name, k, actual, expected);
        }
        arena_free(arena);
    }
}

/* ---- what depends on what ---- */

static void test_dependence(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "%x: f32[2] = input x\n%w: f32[2] = input w\n%a = exp %x\n"
                           "%b = identity %a no_grad\n%c = mul %b, %w\n%i: i64[2] = cast %x\n"
                           "%f: f32[2] = cast %i\n%d = add %c, %f\n%n = floor %x\nreturn %d\n");
    Node **node = g->nodes.data, *x = node[0], *w = node[1];
    assert_true(autodiff_depends(g, node[2], x));
    assert_false(autodiff_depends(g, node[7], x)); /* cut by no_grad and by integers */
    assert_true(autodiff_depends(g, node[7], w));
    assert_true(autodiff_depends(g, node[7], node[3])); /* the cut node itself is a value */
    assert_true(autodiff_depends(g, node[8], x));       /* with derivative zero */
    assert_true(autodiff_depends(g, x, x));
    assert_false(autodiff_depends(g, x, node[2]));

    Node *dy = op_input(g, name_of("dy"), node[7]->type), *xs[] = {x, w, node[3], dy};
    Node *grads[4], *y = node[7];
    AutodiffError error = {0};
    assert_true(autodiff_gradients(g, &y, &dy, 1, xs, 4, grads, &error));
    assert_null(grads[0]);
    assert_non_null(grads[1]);
    assert_non_null(grads[2]);
    assert_null(grads[3]);
    arena_free(arena);
}

/* An intermediate x that another x depends on: both get their whole derivative. */
static void test_intermediate(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "%x: f64 = input x\n%a = mul %x, %x\n%b = mul %a, %x\nreturn %b\n");
    Node *xs[] = {g->nodes.data[0], g->nodes.data[1], g->nodes.data[2]}, *grads[3];
    AutodiffError error = {0};
    assert_true(autodiff_gradients(g, g->results.data, NULL, 1, xs, 3, grads, &error));
    g->results.count = 0;
    for (int i = 0; i < 3; i++) vector_push(arena, &g->results, grads[i]);
    Tensor *input = tensor_new(arena, DTYPE_F64, 0, NULL), *results[3];
    input->floats[0] = 3;
    Interpretation how = {.mode = INTERPRET_VALUE};
    assert_null(interpret_graph(arena, g, &how, &input, results));
    assert_true(results[0]->floats[0] == 27); /* 3 x^2 */
    assert_true(results[1]->floats[0] == 3);  /* x */
    assert_true(results[2]->floats[0] == 1);
    arena_free(arena);
}

/* ---- forms ---- */

/* By its input, a convolution's derivative is a fold of a fold of a product; by its weight, one
 * product over the same windows. */
static void test_convolution_keeps_its_form(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "%x: f32[N, 3, 8, 8] = input x\n%w: f32[5, 3, 3, 3] = input w\n"
                           "%z: f32 = const 0.0\n"
                           "%p = pad %x, %z low=[0, 0, 1, 1] high=[0, 0, 1, 1]\n"
                           "%u = unfold %p axis=2 size=3 stride=2 dilation=1\n"
                           "%v = unfold %u axis=3 size=3 stride=2 dilation=1\n"
                           "%y = contract %v, %w labels=abcdef,gbef->agcd\nreturn %y\n");
    Node *y = g->results.data[0], *windows = y->inputs[0];
    Node *dy = op_input(g, name_of("dy"), y->type), *xs[] = {g->inputs.data[0], g->inputs.data[1]};
    Node *grads[2];
    AutodiffError error = {0};
    assert_true(autodiff_gradients(g, &y, &dy, 1, xs, 2, grads, &error));
    static const Op form[] = {OP_PAD, OP_FOLD, OP_FOLD, OP_CONTRACT};
    Node *at = grads[0];
    for (int i = 0; i < 4; i++, at = at->inputs[0]) assert_int_equal(at->op, form[i]);
    assert_ptr_equal(at, dy);
    assert_int_equal(grads[1]->op, OP_CONTRACT);
    assert_ptr_equal(grads[1]->inputs[0], windows);
    assert_ptr_equal(grads[1]->inputs[1], dy);
    arena_free(arena);
}

/* The gradient of a recurrent weight is one product over all steps, behind the reversed loop. */
static void test_invariants_are_contracted_once(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "%h: f32[4, 8] = input h\n%x: f32[T, 4, 8] = input x\n"
                           "%w: f32[8, 8] = input w\n"
                           "%s = scan %h, %x, %w carries=1 sequences=1 invariants=1 length=T {\n"
                           "%c: f32[4, 8] = input c\n%e: f32[4, 8] = input e\n"
                           "%v: f32[8, 8] = input v\n%p = contract %c, %v labels=ab,cb->ac\n"
                           "%q = add %p, %e\n%n = tanh %q\nreturn %n, %n\n}\n"
                           "%ys: f32[T, 4, 8] = proj %s index=1\n"
                           "%y = reduce %ys kind=sum axes=[0, 1, 2]\nreturn %y\n");
    Node *w = g->inputs.data[2], *gradient;
    AutodiffError error = {0};
    assert_true(autodiff_gradients(g, g->results.data, NULL, 1, &w, 1, &gradient, &error));
    assert_null(graph_verify(g, arena));
    assert_int_equal(gradient->op, OP_CONTRACT);
    assert_int_equal(gradient->inputs[0]->type.shape.rank, 3);
    const Node *reversed = NULL;
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.data[i]->op == OP_SCAN) reversed = g->nodes.data[i];
    assert_true(reversed->attr.scan.reverse);
    assert_int_equal(reversed->attr.scan.carries, 1); /* the adjoint of h, no accumulated weight */
    arena_free(arena);
}

/* New nodes say whose derivative they are a part of. */
static void test_places(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = graph_new(arena, dim_table_new(arena));
    TensorType type = {DTYPE_F32, {0}};
    Node *x = op_input(g, name_of("x"), type);
    g->path = "net.act";
    Node *y = op_unary(g, OP_TANH, x);
    g->path = "net.loss";
    Node *z = op_unary(g, OP_EXP, y);
    g->path = "step";
    int before = g->nodes.count;
    Node *gradient;
    AutodiffError error = {0};
    assert_true(autodiff_gradients(g, &z, NULL, 1, &x, 1, &gradient, &error));
    assert_string_equal(g->path, "step");
    assert_string_equal(gradient->path, "net.act");
    for (int i = before; i < g->nodes.count; i++)
        assert_true(strcmp(g->nodes.data[i]->path, "net.act") == 0 ||
                    strcmp(g->nodes.data[i]->path, "net.loss") == 0);
    arena_free(arena);
}

static void test_refusals(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "%x: f32[2] = input x\n%y = exp %x\n%i: i64[2] = cast %y\nreturn %y\n");
    Node *x = g->nodes.data[0], *y = g->nodes.data[1], *i = g->nodes.data[2], *gradient;
    AutodiffError error = {0};
    assert_false(autodiff_gradients(g, &y, NULL, 1, &x, 1, &gradient, &error));
    assert_ptr_equal(error.node, y);
    assert_non_null(strstr(error.message, "dy"));
    assert_false(autodiff_gradients(g, &i, NULL, 1, &x, 1, &gradient, &error));
    assert_ptr_equal(error.node, i);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sub_gradients),
        cmocka_unit_test(test_dependence),
        cmocka_unit_test(test_intermediate),
        cmocka_unit_test(test_convolution_keeps_its_form),
        cmocka_unit_test(test_invariants_are_contracted_once),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
