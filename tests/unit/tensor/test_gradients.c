/* Derivatives against central differences in double, with random upstream gradients, to second
 * order.
 *
 * For y = f(x) and random dy, the gradient must be the slope of <dy, f(x)>; for random r, the
 * second derivative must be the slope of <r, gradient(x, dy)>, by the inputs and by dy.  Every
 * graph is also simplified and must keep its values. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "numeric/random_graph.h"
#include "tensor/autodiff/autodiff.h"
#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"
#include "unit/tensor/gradient_cases.h"

enum { MAX_INPUTS = 64, MAX_RESULTS = 128 };

typedef struct Sample {
    const char *name;
    Arena *arena;
    Graph *g;
    int64_t symbols[8];
    Tensor *inputs[MAX_INPUTS];
    RandomState random;
    double low, high;
    double tolerance;
} Sample;

static void evaluate(Sample *s, const Graph *g, Tensor **results) {
    Interpretation how = {.mode = INTERPRET_VALUE, .symbols = s->symbols, .seed = 5, .step = 3};
    assert_in_range(g->results.count, 0, MAX_RESULTS);
    const char *wrong = interpret_graph(s->arena, g, &how, s->inputs, results);
    if (wrong) fail_msg("%s: %s", s->name, wrong);
}

static Tensor *random_tensor(Sample *s, const TensorType *type) {
    Tensor *t = tensor_of_type(s->arena, type, s->symbols);
    assert_non_null(t);
    for (int64_t i = 0; i < t->count; i++) {
        double unit = (random_graph_number(&s->random) + 2.0) / 4.0;
        if (dtype_is_float(t->dtype))
            t->floats[i] = s->low + (s->high - s->low) * unit;
        else
            t->integers[i] = (int64_t)(unit * 100);
    }
    return t;
}

/* Values for the inputs that have none yet. */
static void fill_inputs(Sample *s) {
    assert_in_range(s->g->inputs.count, 0, MAX_INPUTS);
    for (int i = 0; i < s->g->inputs.count; i++)
        if (!s->inputs[i]) s->inputs[i] = random_tensor(s, &s->g->inputs.data[i]->type);
}

static double dot(const Tensor *a, const Tensor *b) {
    double sum = 0;
    for (int64_t i = 0; i < a->count; i++) sum += a->floats[i] * b->floats[i];
    return sum;
}

/* sum over the outputs of <weights[i], output[i]>, where outputs are results first.. of
 * the graph. */
static double weighted(Sample *s, int first, int count, Tensor *const *weights) {
    Tensor *results[MAX_RESULTS];
    double sum = 0;
    evaluate(s, s->g, results);
    for (int i = 0; i < count; i++) sum += dot(weights[i], results[first + i]);
    return sum;
}

/* The slope of `weighted` by each element of an input must be `gradient` (NULL: zero). */
static void check_slope(Sample *s, int input, const Tensor *gradient, int first, int count,
                        Tensor *const *weights, const char *order) {
    Tensor *x = s->inputs[input];
    int64_t step = x->count > 24 ? x->count / 12 : 1; /* a sample of a large tensor */
    for (int64_t i = 0; i < x->count; i += step) {
        double h = 1e-5, middle = x->floats[i];
        x->floats[i] = middle + h;
        double up = weighted(s, first, count, weights);
        x->floats[i] = middle - h;
        double down = weighted(s, first, count, weights);
        x->floats[i] = middle;
        double expected = (up - down) / (2 * h), actual = gradient ? gradient->floats[i] : 0.0;
        double scale = 1.0 + fabs(expected) + 1e-5 * (fabs(up) + fabs(down));
        if (!(fabs(expected - actual) <= s->tolerance * scale))
            fail_msg("%s: %s derivative by element %lld of input %d is %.12g, not %.12g", s->name,
                     order, (long long)i, input, actual, expected);
    }
}

static void check_simplified(Sample *s) {
    Tensor *before[MAX_RESULTS], *after[MAX_RESULTS];
    const char *wrong = graph_verify(s->g, s->arena);
    if (wrong) fail_msg("%s: %s", s->name, wrong);
    Graph *simple = simplify_graph(s->g, SIMPLIFY_ALL, NULL, 0);
    wrong = graph_verify(simple, s->arena);
    if (wrong) fail_msg("%s, simplified: %s", s->name, wrong);
    evaluate(s, s->g, before);
    evaluate(s, simple, after);
    for (int i = 0; i < s->g->results.count; i++)
        for (int64_t k = 0; k < before[i]->count; k++) {
            double a = tensor_get(before[i], k), b = tensor_get(after[i], k);
            if (!(fabs(a - b) <= 1e-12 * (1 + fabs(a))) && !(isnan(a) && isnan(b)) && a != b)
                fail_msg("%s: simplified result %d differs at %lld: %.17g, was %.17g", s->name, i,
                         (long long)k, b, a);
        }
}

/* Adds gradients of the results from `first` on with new inputs as upstream gradients; they become
 * results.  Returns how many; which[i] is the input that gradient i belongs to. */
static int differentiate(Sample *s, int first, int count, int *which, Tensor **upstream) {
    Graph *g = s->g;
    int inputs = g->inputs.count, x_count = 0, added = 0;
    Node *xs[MAX_INPUTS], *dys[MAX_RESULTS], *grads[MAX_INPUTS];
    int place[MAX_INPUTS];
    for (int i = 0; i < inputs; i++)
        if (dtype_is_float(g->inputs.data[i]->type.dtype)) {
            place[x_count] = i;
            xs[x_count++] = g->inputs.data[i];
        }
    for (int i = 0; i < count; i++)
        dys[i] = op_input(g, name_of("dy"), g->results.data[first + i]->type);
    AutodiffError error = {0};
    if (!autodiff_gradients(g, g->results.data + first, dys, count, xs, x_count, grads, &error))
        fail_msg("%s: %s", s->name, error.message);
    fill_inputs(s);
    for (int i = 0; i < count; i++) upstream[i] = s->inputs[inputs + i];
    for (int i = 0; i < x_count; i++) {
        if (!grads[i]) continue;
        vector_push(s->arena, &g->results, grads[i]);
        which[added++] = place[i];
    }
    return added;
}

static void check_gradients(Sample *s, int first, int count, const char *order) {
    Tensor *upstream[MAX_RESULTS], *results[MAX_RESULTS];
    int which[MAX_INPUTS], inputs = s->g->inputs.count, at = s->g->results.count;
    int added = differentiate(s, first, count, which, upstream);
    evaluate(s, s->g, results);
    for (int i = 0, k = 0; i < inputs; i++) {
        if (!dtype_is_float(s->inputs[i]->dtype)) continue;
        const Tensor *gradient = k < added && which[k] == i ? results[at + k++] : NULL;
        check_slope(s, i, gradient, first, count, upstream, order);
    }
}

/* First and second derivative of a graph's results; simplification at each stage. */
static void check_sample(Sample *s) {
    fill_inputs(s);
    int values = s->g->results.count;
    check_gradients(s, 0, values, "first");
    check_simplified(s);
    int gradients = s->g->results.count - values;
    if (gradients) check_gradients(s, values, gradients, "second");
    check_simplified(s);
}

static Sample sample_new(const char *name, uint64_t seed, double low, double high) {
    Sample s = {.name = name, .arena = arena_new(), .low = low, .high = high, .tolerance = 2e-7};
    s.random.bits = seed;
    for (int i = 0; i < 8; i++) s.symbols[i] = 3;
    names_init(s.arena);
    return s;
}

/* ---- elementwise ---- */

typedef struct Range {
    Op op;
    double low, high;
} Range;

/* Where the operators are smooth and have values. */
static const Range ranges[] = {
    {OP_ADD, -2, 2},     {OP_SUB, -2, 2},      {OP_MUL, -2, 2},     {OP_DIV, 0.5, 2},
    {OP_MOD, 0.1, 0.9},  {OP_NEG, -2, 2},      {OP_ABS, -2, 2},     {OP_MAXIMUM, -2, 2},
    {OP_MINIMUM, -2, 2}, {OP_POW, 0.3, 2},     {OP_SQRT, 0.3, 2},   {OP_RSQRT, 0.3, 2},
    {OP_EXP, -2, 2},     {OP_EXPM1, -2, 2},    {OP_LOG, 0.3, 2},    {OP_LOG1P, -0.5, 2},
    {OP_SIN, -2, 2},     {OP_COS, -2, 2},      {OP_TAN, -1, 1},     {OP_ASIN, -0.8, 0.8},
    {OP_ACOS, -.8, .8},  {OP_ATAN, -2, 2},     {OP_ATAN2, 0.3, 2},  {OP_SINH, -2, 2},
    {OP_COSH, -2, 2},    {OP_TANH, -2, 2},     {OP_ASINH, -2, 2},   {OP_ACOSH, 1.3, 3},
    {OP_ATANH, -.8, .8}, {OP_SIGMOID, -2, 2},  {OP_ERF, -2, 2},     {OP_ERFC, -2, 2},
    {OP_SIGN, 0.1, 2},   {OP_FLOOR, 0.1, .9},  {OP_CEIL, 0.1, 0.9}, {OP_ROUND, 0.6, 0.9},
    {OP_TRUNC, 0.1, .9}, {OP_FLOORDIV, 1, 1.9}};

static void test_elementwise(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        Op op = ranges[i].op;
        Sample s = sample_new(op_info(op)->name, 100 + i, ranges[i].low, ranges[i].high);
        DimTable *dims = dim_table_new(s.arena);
        const Dim *extents[] = {dim_const(dims, 2), dim_const(dims, 3)};
        TensorType type = {DTYPE_F64, shape_of(2, extents)};
        s.g = graph_new(s.arena, dims);
        Node *operands[2] = {op_input(s.g, name_of("a"), type), NULL};
        if (op_info(op)->arity == 2) operands[1] = op_input(s.g, name_of("b"), type);
        Node *y = op_elementwise(s.g, op, operands, op_info(op)->arity);
        vector_push(s.arena, &s.g->results, y);
        check_sample(&s);
        arena_free(s.arena);
    }
}

/* Every floating operator has a row in gradients.def that can be read; the test above covers it. */
static void test_every_operator_has_a_rule(void **state) {
    (void)state;
    for (int op = OP_ADD; op <= OP_SELECT; op++) {
        bool covered = false;
        for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
            covered |= ranges[i].op == (Op)op;
        bool has_rule = autodiff_rule_text((Op)op, 0) != NULL;
        if (has_rule != covered) fail_msg("%s: no test, or no rule", op_info((Op)op)->name);
    }
}

/* ---- the other operators, compositions, scans ---- */

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof gradient_cases / sizeof *gradient_cases; i++) {
        const GradientCase *c = &gradient_cases[i];
        Sample s = sample_new(c->name, 1 + i, c->low, c->high);
        const char *error = NULL;
        s.g = graph_read(s.arena, dim_table_new(s.arena), c->text, &error);
        if (!s.g) fail_msg("%s: %s", c->name, error);
        check_sample(&s);
        arena_free(s.arena);
    }
}

static void test_symbolic_extents(void **state) {
    (void)state;
    Sample s = sample_new("symbolic extents", 77, -2, 2);
    const char *error = NULL;
    s.g = graph_read(s.arena, dim_table_new(s.arena),
                     "%x: f64[N, 4] = input x\n%w: f64[2, 4] = input w\n"
                     "%h = contract %x, %w labels=ab,cb->ac\n%t = tanh %h\n"
                     "%r: f64[N, 2] = slice %t begin=[N - 1, 0] step=[-1, 1]\n"
                     "%m = mul %t, %r\n%z: f64 = const 0.0\n"
                     "%p = pad %m, %z low=[1, 0] high=[N, 0]\n"
                     "%q = concat %p, %t axis=0\n%y = reduce %q kind=prod axes=[1]\n"
                     "%f = prefix %y kind=sum axis=0\nreturn %f\n",
                     &error);
    if (!s.g) fail_msg("%s", error);
    check_sample(&s);
    arena_free(s.arena);
}

static void test_random_graphs(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        Sample s = sample_new("random graph", seed, -2, 2);
        char name[32];
        snprintf(name, sizeof name, "random graph %d", (int)seed);
        s.name = name;
        s.tolerance = 1e-5; /* differences of long sums of large terms */
        RandomGraphOptions options = {.seed = seed,
                                      .operators = 2 + (int)(seed % 6),
                                      .dtype = DTYPE_F64,
                                      .symbolic = seed % 4 == 0};
        s.g = random_graph(s.arena, dim_table_new(s.arena), options);
        fill_inputs(&s);
        int values = s.g->results.count;
        check_gradients(&s, 0, values, "first");
        check_simplified(&s);
        arena_free(s.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operator_has_a_rule),
        cmocka_unit_test(test_elementwise),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_symbolic_extents),
        cmocka_unit_test(test_random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
