/* The scan statement: a loop over time as one node.
 *
 *     out = scan h, c = h0, c0 for xt in x { ...; yield h }
 *
 * Carries and elements are inputs of the body; what it reads from outside becomes invariants; cells
 * are read outside and cannot be written inside. */
#include "lower/region.h"
#include "lower/tensor/tensor_internal.h"

#include <string.h>

typedef struct ScanWork {
    Lowerer *lw;
    const Stmt *stmt;
    const Dim *length;
    bool reverse;
    int carries, sequences;
    Node **initial;  /* [carries] */
    bool *is_number; /* [carries]: given as a number, its dtype follows the body */
    Node **sequence; /* [sequences] */
    VECTOR(Node *) next;
    VECTOR(Node *) yields;
} ScanWork;

/* ---- sequences ---- */

static const Expr *reversed_argument(Lowerer *lw, const Expr *e) {
    if (e->kind != EXPR_CALL || e->left->kind != EXPR_NAME || e->arg_count != 1) return NULL;
    if (strcmp(e->left->name->text, "reversed")) return NULL;
    Value v = eval_expr(lw, e->left);
    return v.kind == VALUE_BUILTIN ? e->args[0].value : NULL;
}

static Node *flip(Lowerer *lw, Node *x) {
    const Dim *length = x->type.shape.dims[0];
    const Dim *last = dim_sub(lw->dims, length, dim_const(lw->dims, 1));
    return op_slice_axis(lw->graph, x, 0, last, length, -1);
}

static Node *range_sequence(Lowerer *lw, const RangeValue *range, Span span) {
    if (range->step != 1) {
        lower_error(lw, NN_SCAN_BODY, span,
                    "a scan counts in steps of 1; use reversed(range(...)) to count down");
        return NULL;
    }
    const Dim *start = dim_const(lw->dims, range->start);
    Shape shape = {.rank = 1, .dims = {dim_sub(lw->dims, range->stop, start)}};
    Node *iota = op_iota(lw->graph, 0, (TensorType){DTYPE_I64, shape});
    if (!iota || range->start == 0) return iota;
    return op_binary(lw->graph, OP_ADD, iota, op_const_int(lw->graph, range->start, iota->type));
}

static Node *read_sequence(Lowerer *lw, const Expr *e) {
    Value v = eval_expr(lw, e);
    lower_mark(lw, e->span);
    if (v.kind == VALUE_RANGE) return range_sequence(lw, v.as.range, e->span);
    if (v.kind == VALUE_ERROR) return NULL;
    if (!value_is_tensor(&v)) {
        Diagnostic *d =
            lower_error(lw, NN_NOT_ITERABLE, e->span, "a scan runs over tensors and ranges, not %s",
                        value_kind_name(&v));
        diagnostic_help(d, "torch.stack makes a tensor of a list; `for` loops over lists");
        return NULL;
    }
    Node *node = value_node(lw, &v, e->span);
    if (node && node->type.shape.rank == 0) {
        lower_error(lw, NN_NOT_ITERABLE, e->span,
                    "a scan runs over the first axis, and this tensor has none");
        return NULL;
    }
    return node;
}

static bool read_sequences(ScanWork *w) {
    const Stmt *s = w->stmt;
    Lowerer *lw = w->lw;
    w->sequences = s->sequences.count;
    w->sequence = NEW_ARRAY(lw->arena, (size_t)w->sequences + 1, Node *);
    const Expr **inner = NEW_ARRAY(lw->arena, (size_t)w->sequences + 1, const Expr *);
    w->reverse = w->sequences > 0;
    for (int i = 0; i < w->sequences; i++) {
        inner[i] = reversed_argument(lw, s->sequences.items[i]);
        w->reverse &= inner[i] != NULL;
    }
    bool ok = true;
    for (int i = 0; i < w->sequences; i++) {
        const Expr *e = inner[i] ? inner[i] : s->sequences.items[i];
        w->sequence[i] = read_sequence(lw, e);
        if (w->sequence[i] && inner[i] && !w->reverse) w->sequence[i] = flip(lw, w->sequence[i]);
        if (!w->sequence[i]) {
            ok = false;
            continue;
        }
        const Dim *length = w->sequence[i]->type.shape.dims[0];
        if (!w->length)
            w->length = length;
        else
            ok &= dims_unify(lw, w->length, length, "the scan's sequences", e->span);
    }
    return ok;
}

/* ---- carries ---- */

static bool read_carries(ScanWork *w) {
    const Stmt *s = w->stmt;
    Lowerer *lw = w->lw;
    bool ok = true;
    w->carries = s->carry_count;
    w->initial = NEW_ARRAY(lw->arena, (size_t)w->carries + 1, Node *);
    w->is_number = NEW_ARRAY(lw->arena, (size_t)w->carries + 1, bool);
    for (int i = 0; i < w->carries; i++) {
        const ScanCarry *c = &s->carries[i];
        Value v = eval_expr(lw, c->init);
        if (v.kind == VALUE_ERROR) {
            ok = false;
            continue;
        }
        lower_mark(lw, c->span);
        w->is_number[i] = !value_is_tensor(&v);
        w->initial[i] = tensor_of(lw, &v, NULL, c->init->span);
        ok &= w->initial[i] != NULL;
    }
    return ok;
}

static bool same_type(Lowerer *lw, const TensorType *a, const TensorType *b) {
    if (a->dtype != b->dtype || a->shape.rank != b->shape.rank) return false;
    for (int i = 0; i < a->shape.rank; i++)
        if (dim_equal(lw->dims, a->shape.dims[i], b->shape.dims[i]) != DIM_YES) return false;
    return true;
}

/* A number as initial carry takes the type of the carry after one step. */
static bool adapt_number(ScanWork *w, int i, const TensorType *type) {
    Lowerer *lw = w->lw;
    if (!w->is_number[i]) return false;
    for (int k = 0; k < type->shape.rank; k++)
        if (!type->shape.dims[k]) return false;
    Node *cast = op_cast(lw->graph, w->initial[i], type->dtype);
    w->initial[i] = tensor_broadcast_to(lw, cast, &type->shape, w->stmt->carries[i].span);
    w->is_number[i] = false;
    return w->initial[i] != NULL;
}

/* ---- the body ---- */

static bool run_body(ScanWork *w, Region *region) {
    Lowerer *lw = w->lw;
    const Stmt *s = w->stmt;
    Frame *frame = lw->frame;
    Scope *outer = frame->scope;
    ValueList *outer_yields = frame->yields;
    for (int i = 0; i < outer->bindings.count; i++) outer->bindings.data[i].used = false;
    ValueList yields = {0};
    frame->scope = scope_new(lw, outer);
    frame->yields = &yields;
    w->next.count = w->yields.count = 0;
    bool ok = true;
    lower_mark(lw, s->span);
    for (int i = 0; i < w->carries; i++) {
        Node *p = region_carry(lw, region, s->carries[i].name, w->initial[i]);
        scope_bind(lw, frame->scope, s->carries[i].name, value_tensor(p), s->carries[i].span);
    }
    for (int i = 0; i < w->sequences; i++) {
        TensorType type = w->sequence[i]->type;
        type.shape = shape_of(type.shape.rank - 1, type.shape.dims + 1);
        const Expr *target = i < s->elements.count ? s->elements.items[i] : NULL;
        Name name = target && target->kind == EXPR_NAME
                        ? target->name
                        : name_of(arena_printf(lw->arena, "element%d", i));
        Node *p = region_parameter(lw, region, name, type, w->sequence[i]);
        if (target) eval_assign(lw, target, value_tensor(p), target->span);
    }
    eval_block(lw, &s->body);
    for (int i = 0; i < w->carries; i++) {
        const Value *v = scope_find(frame->scope, s->carries[i].name);
        lower_mark(lw, s->carries[i].span);
        Node *node =
            v->kind == VALUE_ERROR ? NULL : tensor_of(lw, v, w->initial[i], s->carries[i].span);
        vector_push(lw->arena, &w->next, node);
        ok &= node != NULL;
    }
    Value *items = yields.items.data;
    int count = yields.items.count;
    if (count == 1 && items[0].kind == VALUE_TUPLE) {
        count = items[0].as.list->items.count;
        items = items[0].as.list->items.data;
    }
    for (int i = 0; i < count; i++) {
        Node *node = items[i].kind == VALUE_ERROR ? NULL : tensor_of(lw, &items[i], NULL, s->span);
        vector_push(lw->arena, &w->yields, node);
        ok &= node != NULL;
    }
    frame->scope = outer;
    frame->yields = outer_yields;
    frame->breaking = frame->continuing = false;
    return region_check_writes(lw, region, "a scan", s->span) && ok;
}

/* Whether carries keep their type; `again` if a number has adapted and the body must run
 * once more. */
static bool check_carries(ScanWork *w, Region *region, bool *again) {
    Lowerer *lw = w->lw;
    *again = false;
    bool ok = true;
    bool *differs = NEW_ARRAY(lw->arena, (size_t)w->carries + 1, bool);
    for (int i = 0; i < w->carries; i++) {
        const TensorType *from = &w->initial[i]->type, *to = &w->next.data[i]->type;
        differs[i] = !same_type(lw, from, to);
        if (!differs[i] || w->is_number[i]) {
            *again |= differs[i];
            continue;
        }
        Text a = text_new(lw->arena), b = text_new(lw->arena);
        type_print(&a, from);
        type_print(&b, to);
        Diagnostic *d = lower_error(lw, NN_SCAN_CARRY, w->stmt->carries[i].span,
                                    "the carry `%s` begins as %s and becomes %s",
                                    w->stmt->carries[i].name->text, a.data, b.data);
        diagnostic_help(d, "give the initial value the type that the body makes");
        ok = false;
    }
    if (!ok || !*again) return ok;
    TensorType *types = NEW_ARRAY(lw->arena, (size_t)w->carries + 1, TensorType);
    for (int i = 0; i < w->carries; i++) types[i] = w->next.data[i]->type;
    region_abandon(lw, region);
    for (int i = 0; i < w->carries; i++)
        if (differs[i]) ok &= adapt_number(w, i, &types[i]);
    return ok;
}

/* Ranges that the body took for granted hold after a step, too.  To show one may need another. */
static bool check_carry_ranges(ScanWork *w, Region *region) {
    Lowerer *lw = w->lw;
    bool ok = true;
    for (int k = 0; k < region->carry_ranges.count; k++) {
        CarryRange range = region->carry_ranges.data[k];
        for (int i = 0; i < w->carries; i++) {
            if (region->parameters.data[i] != range.carry) continue;
            const ScanCarry *carry = &w->stmt->carries[i];
            const char *what = arena_printf(lw->arena, "%s, which the carry `%s` becomes,",
                                            range.what, carry->name->text);
            ok &= tensor_check_range(lw, w->next.data[i], dim_const(lw->dims, range.low),
                                     range.high, NULL, what, carry->span);
        }
    }
    return ok;
}

/* ---- the statement ---- */

static void poison_targets(Lowerer *lw, const Stmt *s) {
    for (int i = 0; i < s->carry_count; i++)
        scope_bind(lw, lw->frame->scope, s->carries[i].name, value_error(), s->carries[i].span);
    for (int i = 0; i < s->targets.count; i++)
        eval_assign(lw, s->targets.items[i], value_error(), s->span);
}

static bool build_node(ScanWork *w, Region *region) {
    Lowerer *lw = w->lw;
    const Stmt *s = w->stmt;
    int results = w->carries + w->yields.count;
    Node **nodes = NEW_ARRAY(lw->arena, (size_t)results + 1, Node *);
    for (int i = 0; i < w->carries; i++) nodes[i] = w->next.data[i];
    for (int i = 0; i < w->yields.count; i++) nodes[w->carries + i] = w->yields.data[i];
    ValueList invariants = {0};
    Graph *body = region_extract(lw, region, nodes, results, &invariants);
    int count = w->carries + w->sequences + invariants.items.count;
    Node **inputs = NEW_ARRAY(lw->arena, (size_t)count + 1, Node *);
    for (int i = 0; i < w->carries; i++) inputs[i] = w->initial[i];
    for (int i = 0; i < w->sequences; i++) inputs[w->carries + i] = w->sequence[i];
    for (int i = 0; i < invariants.items.count; i++)
        inputs[w->carries + w->sequences + i] = invariants.items.data[i].as.tensor;
    ScanAttr attr = {.body = body,
                     .length = w->length,
                     .carries = w->carries,
                     .sequences = w->sequences,
                     .invariants = invariants.items.count,
                     .reverse = w->reverse};
    Node **out = NEW_ARRAY(lw->arena, (size_t)results + 1, Node *);
    lower_mark(lw, s->span);
    if (!op_scan(lw->graph, attr, inputs, count, out)) return false;
    for (int i = 0; i < w->carries; i++)
        scope_bind(lw, lw->frame->scope, s->carries[i].name, value_tensor(out[i]),
                   s->carries[i].span);
    if (!s->targets.count) return true;
    Value *stacks = NEW_ARRAY(lw->arena, (size_t)w->yields.count + 1, Value);
    for (int i = 0; i < w->yields.count; i++) {
        Node *stack = out[w->carries + i];
        stacks[i] =
            value_with_story(lw, w->reverse ? flip(lw, stack) : stack, NULL, "scan", s->span);
    }
    Value all = w->yields.count == 1 ? stacks[0] : value_tuple(lw->arena, stacks, w->yields.count);
    for (int i = 0; i < s->targets.count; i++) eval_assign(lw, s->targets.items[i], all, s->span);
    return true;
}

void eval_scan(Lowerer *lw, const Stmt *s) {
    ScanWork w = {.lw = lw, .stmt = s};
    if (!lw->graph) {
        lower_error(lw, NN_SCAN_BODY, s->span,
                    "a scan computes with tensors: it stands in a function");
        poison_targets(lw, s);
        return;
    }
    bool ok = read_carries(&w);
    ok &= read_sequences(&w);
    if (ok && !w.length) {
        lower_error(lw, NN_NOT_ITERABLE, s->span, "a scan runs over at least one sequence");
        ok = false;
    }
    Region region = {0};
    for (int attempt = 0; ok && attempt < 2; attempt++) {
        bool again;
        region_begin(lw, &region);
        ok = run_body(&w, &region) && check_carries(&w, &region, &again);
        if (!ok || !again) break;
    }
    ok = ok && check_carry_ranges(&w, &region);
    if (ok && s->targets.count && !w.yields.count) {
        Diagnostic *d = lower_error(lw, NN_SCAN_BODY, s->span,
                                    "the scan is assigned, but its body yields nothing");
        diagnostic_help(
            d, "add `yield ...`, or let the scan stand alone: its carries hold their last values");
        ok = false;
    }
    if (!ok && lw->region == &region) region_abandon(lw, &region);
    if (!ok || !build_node(&w, &region)) poison_targets(lw, s);
}
