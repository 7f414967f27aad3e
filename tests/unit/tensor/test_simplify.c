/* Simplification, rule by rule: a graph in textual IR and the graph that it becomes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

typedef struct Rewrite {
    const char *name;
    const char *before, *after;
} Rewrite;

#define X "%0: f32[2, 3] = input x\n"

static const Rewrite rewrites[] = {
    {"one is neutral for mul and div",
     X "%1: f32[2, 3] = const 1.0\n%2 = mul %0, %1\n%3 = mul %1, %2\n%4 = div %3, %1\nreturn %4\n",
     X "return %0\n"},
    {"plus zero is not neutral: it changes minus zero",
     X "%1: f32[2, 3] = const 0.0\n%2 = add %0, %1\nreturn %2\n",
     X "%1: f32[2, 3] = const 0.0\n%2: f32[2, 3] = add %0, %1\nreturn %2\n"},
    {"plus minus zero and minus zero are neutral",
     X "%1: f32[2, 3] = const -0.0\n%2: f32[2, 3] = const 0.0\n%3 = add %0, %1\n%4 = sub %3, %2\n"
       "return %4\n",
     X "return %0\n"},
    {"zero times x stays: x may be infinite",
     X "%1: f32[2, 3] = const 0.0\n%2 = mul %0, %1\nreturn %2\n",
     X "%1: f32[2, 3] = const 0.0\n%2: f32[2, 3] = mul %0, %1\nreturn %2\n"},
    {"integers plus zero",
     "%0: i64[2] = input x\n%1: i64[2] = const 0\n%2 = add %0, %1\nreturn %2\n",
     "%0: i64[2] = input x\nreturn %0\n"},
    {"double negation", X "%1 = neg %0\n%2 = neg %1\nreturn %2\n", X "return %0\n"},
    {"adding a negation subtracts", X "%1 = exp %0\n%2 = neg %1\n%3 = add %0, %2\nreturn %3\n",
     X "%1: f32[2, 3] = exp %0\n%2: f32[2, 3] = sub %0, %1\nreturn %2\n"},
    {"dividing by a power of two", X "%1: f32[2, 3] = const 4.0\n%2 = div %0, %1\nreturn %2\n",
     X "%1: f32[2, 3] = const 0.25\n%2: f32[2, 3] = mul %0, %1\nreturn %2\n"},
    {"dividing by three stays", X "%1: f32[2, 3] = const 3.0\n%2 = div %0, %1\nreturn %2\n",
     X "%1: f32[2, 3] = const 3.0\n%2: f32[2, 3] = div %0, %1\nreturn %2\n"},
    {"a square", X "%1: f32[2, 3] = const 2.0\n%2 = pow %0, %1\nreturn %2\n",
     X "%1: f32[2, 3] = mul %0, %0\nreturn %1\n"},
    {"a cast there and back", X "%1: f64[2, 3] = cast %0\n%2: f32[2, 3] = cast %1\nreturn %2\n",
     X "return %0\n"},
    {"a cast that rounds stays", X "%1: f16[2, 3] = cast %0\n%2: f32[2, 3] = cast %1\nreturn %2\n",
     X "%1: f16[2, 3] = cast %0\n%2: f32[2, 3] = cast %1\nreturn %2\n"},
    {"identity", X "%1 = identity %0\n%2 = exp %1\nreturn %2\n",
     X "%1: f32[2, 3] = exp %0\nreturn %1\n"},
    {"select by a constant",
     X "%1: bool[2, 3] = const 0\n%2 = exp %0\n%3 = select %1, %2, %0\nreturn %3\n",
     X "return %0\n"},
    {"select of the same", X "%1 = lt %0, %0\n%2 = select %1, %0, %0\nreturn %2\n",
     X "return %0\n"},
    {"reshape of reshape", X "%1: f32[6] = reshape %0\n%2: f32[3, 2] = reshape %1\nreturn %2\n",
     X "%1: f32[3, 2] = reshape %0\nreturn %1\n"},
    {"reshape there and back", X "%1: f32[6] = reshape %0\n%2: f32[2, 3] = reshape %1\nreturn %2\n",
     X "return %0\n"},
    {"permute of permute",
     "%0: f32[2, 3, 4] = input x\n%1 = permute %0 axes=[1, 2, 0]\n%2 = permute %1 axes=[1, 0, 2]\n"
     "return %2\n",
     "%0: f32[2, 3, 4] = input x\n%1: f32[4, 3, 2] = permute %0 axes=[2, 1, 0]\nreturn %1\n"},
    {"permute of an axis of one",
     "%0: f32[2, 1, 4] = input x\n%1 = permute %0 axes=[1, 0, 2]\nreturn %1\n",
     "%0: f32[2, 1, 4] = input x\n%1: f32[1, 2, 4] = reshape %0\nreturn %1\n"},
    {"expand of expand",
     X "%1: f32[4, 2, 3] = expand %0 axes=[1, 2]\n%2: f32[4, 2, 5, 3] = expand %1 axes=[0, 1, 3]\n"
       "return %2\n",
     X "%1: f32[4, 2, 5, 3] = expand %0 axes=[1, 3]\nreturn %1\n"},
    {"slice of slice",
     "%0: f32[20] = input x\n%1: f32[8] = slice %0 begin=[2] step=[2]\n"
     "%2: f32[3] = slice %1 begin=[7] step=[-3]\nreturn %2\n",
     "%0: f32[20] = input x\n%1: f32[3] = slice %0 begin=[16] step=[-6]\nreturn %1\n"},
    {"a slice that takes a pad back",
     X "%1: f32 = const 0.0\n%2 = pad %0, %1 low=[1, 0] high=[0, 2]\n"
       "%3: f32[2, 3] = slice %2 begin=[1, 0] step=[1, 1]\nreturn %3\n",
     X "return %0\n"},
    {"pad of pad",
     X "%1: f32 = const 0.0\n%2 = pad %0, %1 low=[1, 0] high=[0, 2]\n"
       "%3 = pad %2, %1 low=[1, 1] high=[0, 0]\nreturn %3\n",
     X "%1: f32 = const 0.0\n%2: f32[4, 6] = pad %0, %1 low=[2, 1] high=[0, 2]\nreturn %2\n"},
    {"a part of a concatenation",
     X "%1: f32[2, 4] = input y\n%2 = concat %0, %1 axis=1\n"
       "%3: f32[2, 4] = slice %2 begin=[0, 3] step=[1, 1]\nreturn %3\n",
     X "%1: f32[2, 4] = input y\nreturn %1\n"},
    {"padded neighbours added are put together",
     X "%1: f32[2, 4] = input y\n%2: f32[2, 2] = input z\n%3: f32 = const 0.0\n"
       "%4 = pad %0, %3 low=[0, 4] high=[0, 2]\n%5 = pad %1, %3 low=[0, 0] high=[0, 5]\n"
       "%6 = pad %2, %3 low=[0, 7] high=[0, 0]\n%7 = add %4, %5\n%8 = add %7, %6\nreturn %8\n",
     X "%1: f32[2, 4] = input y\n%2: f32[2, 2] = input z\n"
       "%3: f32[2, 9] = concat %1, %0, %2 axis=1\nreturn %3\n"},
    {"padded with a gap between them",
     X "%1: f32[2, 4] = input y\n%3: f32 = const 0.0\n"
       "%4 = pad %0, %3 low=[0, 5] high=[0, 0]\n%5 = pad %1, %3 low=[0, 0] high=[0, 4]\n"
       "%7 = add %4, %5\nreturn %7\n",
     X "%1: f32[2, 4] = input y\n%2: f32 = const 0.0\n"
       "%3: f32[2, 8] = pad %0, %2 low=[0, 5] high=[0, 0]\n"
       "%4: f32[2, 8] = pad %1, %2 low=[0, 0] high=[0, 4]\n%5: f32[2, 8] = add %3, %4\n"
       "return %5\n"},
    {"neighbours put together",
     X "%1: f32[2, 1] = slice %0 begin=[0, 0] step=[1, 1]\n"
       "%2: f32[2, 2] = slice %0 begin=[0, 1] step=[1, 1]\n%3 = concat %1, %2 axis=1\nreturn %3\n",
     X "return %0\n"},
    {"windows side by side need no sum",
     "%0: f32[5, 2, 3] = input x\n%1 = fold %0 axis=1 extent=6 stride=3 dilation=1\nreturn %1\n",
     "%0: f32[5, 2, 3] = input x\n%1: f32[5, 6] = reshape %0\nreturn %1\n"},
    {"windows side by side that end early",
     "%0: f32[5, 2, 3] = input x\n%1 = fold %0 axis=1 extent=8 stride=3 dilation=1\nreturn %1\n",
     "%0: f32[5, 2, 3] = input x\n%1: f32[5, 6] = reshape %0\n%2: f32 = const 0.0\n"
     "%3: f32[5, 8] = pad %1, %2 low=[0, 0] high=[0, 2]\nreturn %3\n"},
    {"expand of axes of one",
     X "%1: f32[2, 1, 3, 1] = reshape %0\n%2: f32[2, 4, 3, 5] = expand %1 axes=[0, 1, 2, 3]\n"
       "return %2\n",
     X "%1: f32[2, 4, 3, 5] = expand %0 axes=[0, 2]\nreturn %1\n"},
    {"windows that overlap stay",
     "%0: f32[5, 2, 3] = input x\n%1 = fold %0 axis=1 extent=5 stride=2 dilation=1\nreturn %1\n",
     "%0: f32[5, 2, 3] = input x\n%1: f32[5, 5] = fold %0 axis=1 extent=5 stride=2 dilation=1\n"
     "return %1\n"},
    {"the sum of an expansion is a product",
     "%0: f32[3] = input x\n%1: f32[5, 3] = expand %0 axes=[1]\n%2 = reduce %1 kind=sum axes=[0]\n"
     "return %2\n",
     "%0: f32[3] = input x\n%1: f32[3] = const 5.0\n%2: f32[3] = mul %0, %1\nreturn %2\n"},
    {"the maximum of an expansion",
     "%0: f32[3, 2] = input x\n%1: f32[5, 3, 2] = expand %0 axes=[1, 2]\n"
     "%2 = reduce %1 kind=max axes=[0, 2]\nreturn %2\n",
     "%0: f32[3, 2] = input x\n%1: f32[3] = reduce %0 kind=max axes=[1]\nreturn %1\n"},
    {"constants are computed",
     "%0: f32[2] = const 2.0\n%1: f32[2] = const 0.5\n%2 = add %0, %1\n%3 = mul %2, %2\n"
     "%4 = lt %1, %3\n%5: f32[2] = cast %4\n%6 = sub %3, %5\nreturn %6\n",
     "%0: f32[2] = const 5.25\nreturn %0\n"},
    {"an overflow is left for run time", "%0: i32 = const 2000000000\n%1 = add %0, %0\nreturn %1\n",
     "%0: i32 = const 2000000000\n%1: i32 = add %0, %0\nreturn %1\n"},
    {"equal expressions, either order of a sum",
     X "%1: f32[2, 3] = input y\n%2 = add %0, %1\n%3 = add %1, %0\n%4 = mul %2, %3\nreturn %4\n",
     X "%1: f32[2, 3] = input y\n%2: f32[2, 3] = add %0, %1\n%3: f32[2, 3] = mul %2, %2\n"
       "return %3\n"},
    {"differences do not commute",
     X "%1: f32[2, 3] = input y\n%2 = sub %0, %1\n%3 = sub %1, %0\n%4 = mul %2, %3\nreturn %4\n",
     X "%1: f32[2, 3] = input y\n%2: f32[2, 3] = sub %0, %1\n%3: f32[2, 3] = sub %1, %0\n"
       "%4: f32[2, 3] = mul %2, %3\nreturn %4\n"},
    {"draws of two sites are two",
     "%0: f32[2] = random site=1\n%1: f32[2] = random site=2\n%2: f32[2] = random site=1\n"
     "%3 = add %0, %1\n%4 = add %3, %2\nreturn %4\n",
     "%0: f32[2] = random site=1\n%1: f32[2] = random site=2\n%2: f32[2] = add %0, %1\n"
     "%3: f32[2] = add %2, %0\nreturn %3\n"},
    {"a transposed operand is a label",
     "%0: f32[4, 3] = input x\n%1: f32[5, 3] = input w\n%2 = permute %1 axes=[1, 0]\n"
     "%3 = contract %0, %2 labels=ab,bc->ac\n%4 = permute %3 axes=[1, 0]\nreturn %4\n",
     "%0: f32[4, 3] = input x\n%1: f32[5, 3] = input w\n"
     "%2: f32[5, 4] = contract %0, %1 labels=ab,cb->ca\nreturn %2\n"},
    {"a call is opened",
     X "%1 = call %0 name=f wrt=[0] {\n%0: f32[2, 3] = input a\n%1 = exp %0\nreturn %1\n} vjp {\n"
       "%0: f32[2, 3] = input a\n%1: f32[2, 3] = input dy\nreturn %1\n}\n"
       "%2: f32[2, 3] = proj %1 index=0\nreturn %2\n",
     X "%1: f32[2, 3] = exp %0\nreturn %1\n"},
};

static Graph *read(Arena *arena, const char *name, const char *text) {
    const char *error = NULL;
    Graph *g = graph_read(arena, dim_table_new(arena), text, &error);
    if (!g) fail_msg("%s: %s", name, error);
    return g;
}

static const char *printed(Arena *arena, const Graph *g) {
    Text text = text_new(arena);
    graph_print(&text, g, 0);
    return text.data;
}

static void test_rewrites(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        const Rewrite *r = &rewrites[i];
        Graph *g = simplify_graph(read(arena, r->name, r->before), SIMPLIFY_ALL, NULL, 0);
        const char *wrong = graph_verify(g, arena);
        if (wrong) fail_msg("%s: %s", r->name, wrong);
        const char *expected = printed(arena, read(arena, r->name, r->after));
        const char *actual = printed(arena, g);
        if (strcmp(expected, actual) != 0)
            fail_msg("%s:\nexpected %s\ngot %s", r->name, expected, actual);
        Graph *again = simplify_graph(g, SIMPLIFY_ALL, NULL, 0);
        assert_string_equal(printed(arena, again), actual);
    }
    arena_free(arena);
}

static const Node *find_op(const Graph *g, Op op) {
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.data[i]->op == op) return g->nodes.data[i];
    return NULL;
}

static int count_op(const Graph *g, Op op) {
    int count = 0;
    for (int i = 0; i < g->nodes.count; i++) count += g->nodes.data[i]->op == op;
    return count;
}

/* Unread results, carries and sequences go; equal invariants become one; fixed work moves out. */
static void test_scan_is_trimmed(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g =
        read(arena, "scan",
             "%h: f32[2] = input h\n%x: f32[3, 2] = input x\n%z: f32[3, 2] = input z\n"
             "%w: f32[2] = input w\n"
             "%s = scan %h, %h, %x, %z, %w, %w carries=2 sequences=2 invariants=2 length=3 {\n"
             "%c: f32[2] = input c\n%d: f32[2] = input d\n%e: f32[2] = input e\n"
             "%f: f32[2] = input f\n%v: f32[2] = input v\n%u: f32[2] = input u\n"
             "%v1 = exp %v\n%c1 = mul %c, %v1\n%c2 = add %c1, %e\n%c3 = mul %c2, %u\n"
             "%d1 = add %d, %f\nreturn %c3, %d1, %c2\n}\n"
             "%y: f32[2] = proj %s index=0\nreturn %y\n");
    g = simplify_graph(g, SIMPLIFY_ALL, NULL, 0);
    assert_null(graph_verify(g, arena));
    assert_int_equal(g->inputs.count, 4);
    const Node *scan = find_op(g, OP_SCAN);
    assert_non_null(scan);
    assert_int_equal(scan->attr.scan.carries, 1);
    assert_int_equal(scan->attr.scan.sequences, 1);
    assert_int_equal(scan->attr.scan.invariants, 2);
    assert_int_equal(scan->attr.scan.body->results.count, 1);
    assert_int_equal(count_op(scan->attr.scan.body, OP_EXP), 0);
    assert_int_equal(count_op(g, OP_EXP), 1);
    arena_free(arena);
}

/* The input projection goes before the loop, the read-out behind it; the recurrent
 * product stays. */
static void test_products_leave_the_loop(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "scan",
                    "%h: f32[2, 3] = input h\n%x: f32[4, 2, 5] = input x\n%u: f32[5, 3] = input u\n"
                    "%w: f32[3, 3] = input w\n%o: f32[3, 7] = input o\n"
                    "%s = scan %h, %x, %u, %w, %o carries=1 sequences=1 invariants=3 length=4 {\n"
                    "%c: f32[2, 3] = input c\n%e: f32[2, 5] = input e\n%iu: f32[5, 3] = input iu\n"
                    "%iw: f32[3, 3] = input iw\n%io: f32[3, 7] = input io\n"
                    "%a = contract %e, %iu labels=ab,bc->ac\n"
                    "%b = contract %c, %iw labels=ab,bc->ac\n%ab = add %a, %b\n%n = tanh %ab\n"
                    "%r = contract %n, %io labels=ab,bc->ac\n%y = exp %r\nreturn %n, %y\n}\n"
                    "%ys: f32[4, 2, 7] = proj %s index=1\nreturn %ys\n");
    g = simplify_graph(g, SIMPLIFY_ALL, NULL, 0);
    assert_null(graph_verify(g, arena));
    const Node *scan = find_op(g, OP_SCAN);
    assert_non_null(scan);
    assert_int_equal(count_op(scan->attr.scan.body, OP_CONTRACT), 1);
    assert_int_equal(count_op(scan->attr.scan.body, OP_EXP), 0);
    assert_int_equal(count_op(g, OP_CONTRACT), 2);
    assert_int_equal(scan->attr.scan.invariants, 1);
    arena_free(arena);
}

/* Scans are one if their bodies do the same with the same operands, and only then. */
static void test_equal_scans_are_one(void **state) {
    (void)state;
    static const char *const bodies[] = {"sub %c, %e", "sub %e, %c", "sub %c, %c"};
    for (int i = 0; i < 3; i++) {
        Arena *arena = arena_new();
        names_init(arena);
        char text[1000];
        snprintf(text, sizeof text,
                 "%%h: f32[2] = input h\n%%x: f32[3, 2] = input x\n"
                 "%%s = scan %%h, %%x carries=1 sequences=1 invariants=0 length=3 {\n"
                 "%%c: f32[2] = input c\n%%e: f32[2] = input e\n%%n = %s\n%%y = add %%n, %%e\n"
                 "return %%y\n}\n"
                 "%%t = scan %%h, %%x carries=1 sequences=1 invariants=0 length=3 {\n"
                 "%%c: f32[2] = input c\n%%e: f32[2] = input e\n%%n = %s\n%%y = add %%n, %%e\n"
                 "return %%y\n}\n"
                 "%%a: f32[2] = proj %%s index=0\n%%b: f32[2] = proj %%t index=0\n"
                 "return %%a, %%b\n",
                 bodies[0], bodies[i]);
        Graph *g = simplify_graph(read(arena, "scans", text), SIMPLIFY_MERGE, NULL, 0);
        assert_null(graph_verify(g, arena));
        assert_int_equal(count_op(g, OP_SCAN), i == 0 ? 1 : 2);
        arena_free(arena);
    }
}

/* Every rule works alone, and only when it is asked for. */
static void test_rules_are_apart(void **state) {
    (void)state;
    for (unsigned rules = 0; rules <= SIMPLIFY_ALL; rules++) {
        Arena *arena = arena_new();
        names_init(arena);
        Graph *g = read(arena, "rules",
                        "%x: f32[2] = input x\n%xs: f32[3, 2] = input xs\n"
                        "%c = call %x name=f wrt=[0] {\n%0: f32[2] = input a\n%1 = tanh %0\n"
                        "return %1\n} vjp {\n%0: f32[2] = input a\n%1: f32[2] = input y\n"
                        "return %1\n}\n"
                        "%c0: f32[2] = proj %c index=0\n"
                        "%one: f32[2] = const 1.0\n%two: f32[2] = const 2.0\n"
                        "%three = add %one, %two\n"
                        "%n = neg %x\n%nn = neg %n\n%p = exp %x\n%q = exp %x\n"
                        "%s = scan %x, %x, %xs carries=2 sequences=1 invariants=0 length=3 {\n"
                        "%a: f32[2] = input a\n%b: f32[2] = input b\n%e: f32[2] = input e\n"
                        "%na = mul %a, %e\n%nb = sin %b\nreturn %na, %nb\n}\n"
                        "%last: f32[2] = proj %s index=0\n"
                        "return %c0, %three, %nn, %p, %q, %last\n");
        assert_null(graph_verify(g, arena));
        g = simplify_graph(g, rules, NULL, 0);
        assert_null(graph_verify(g, arena));
        assert_int_equal(count_op(g, OP_CALL), rules & SIMPLIFY_CALLS ? 0 : 1);
        assert_int_equal(count_op(g, OP_TANH), rules & SIMPLIFY_CALLS ? 1 : 0);
        assert_int_equal(count_op(g, OP_ADD), rules & SIMPLIFY_CONSTANTS ? 0 : 1);
        assert_int_equal(count_op(g, OP_NEG), rules & SIMPLIFY_IDENTITIES ? 0 : 2);
        assert_int_equal(count_op(g, OP_EXP), rules & SIMPLIFY_MERGE ? 1 : 2);
        const Node *scan = find_op(g, OP_SCAN);
        assert_non_null(scan);
        assert_int_equal(scan->attr.scan.carries, rules & SIMPLIFY_SCANS ? 1 : 2);
        arena_free(arena);
    }
}

/* Roots that are no results follow their nodes; inputs that no one reads stay. */
static void test_roots(void **state) {
    (void)state;
    Arena *arena = arena_new();
    names_init(arena);
    Graph *g = read(arena, "roots",
                    "%x: f32[2] = input x\n%y: f32[2] = input y\n%a = neg %x\n%b = neg %a\n"
                    "%c = exp %b\n%d = exp %x\nreturn %c\n");
    Node *roots[2] = {g->nodes.data[5], g->inputs.data[1]};
    g = simplify_graph(g, SIMPLIFY_ALL, roots, 2);
    assert_ptr_equal(roots[0], g->results.data[0]);
    assert_ptr_equal(roots[1], g->inputs.data[1]);
    assert_int_equal(g->nodes.count, 3);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rewrites),
        cmocka_unit_test(test_scan_is_trimmed),
        cmocka_unit_test(test_products_leave_the_loop),
        cmocka_unit_test(test_equal_scans_are_one),
        cmocka_unit_test(test_rules_are_apart),
        cmocka_unit_test(test_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
