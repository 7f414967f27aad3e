/* prim.* for products, windows and data-dependent indexing: einsum, unfold, fold, gather,
 * scatter, dynamic slices, prefix scans, sorting, and the range checks of ids. */
#include <string.h>

#include "lower/tensor/tensor_internal.h"

static bool read(Lowerer *lw, const CallArguments *args, const char *signature, Span span, Value *v,
                 Node **x) {
    if (!args_get(lw, args, signature, span, v)) return false;
    *x = value_node(lw, &v[0], span);
    lower_mark(lw, span);
    return *x != NULL;
}

/* ---- contract ---- */

typedef struct Labels {
    int8_t of[SHAPE_MAX_RANK];
    int count;
} Labels;

/* Checks that equal labels have equal extents, promotes, and builds the node; `values` are the two
 * operands as the program has them, for the story of their shapes. */
static Node *contract(Lowerer *lw, Node *a, Node *b, const Value *const values[2], const Labels *la,
                      const Labels *lb, const Labels *lout, Span span) {
    if (la->count != a->type.shape.rank || lb->count != b->type.shape.rank) {
        lower_error(lw, NN_CONTRACTION, span, "%d and %d labels for %s and %s", la->count,
                    lb->count, type_text(lw, &a->type), type_text(lw, &b->type));
        return NULL;
    }
    for (int i = 0; i < la->count; i++)
        for (int k = 0; k < lb->count; k++) {
            if (la->of[i] != lb->of[k]) continue;
            const Dim *da = a->type.shape.dims[i], *db = b->type.shape.dims[k];
            DimTruth truth = dim_equal(lw->dims, da, db);
            if (truth == DIM_YES) continue;
            if (truth == DIM_UNKNOWN && dims_unify(lw, da, db, "product", span)) continue;
            if (truth == DIM_UNKNOWN) return NULL;
            Diagnostic *d = lower_error(
                lw, NN_CONTRACTION, span,
                "%s and %s do not multiply: axis %d of the first has %s, axis %d of the second %s",
                type_text(lw, &a->type), type_text(lw, &b->type), i, dim_text(lw, da), k,
                dim_text(lw, db));
            lower_tell_story(lw, d, "the first operand", values[0]);
            lower_tell_story(lw, d, "the second operand", values[1]);
            return NULL;
        }
    Operand operands[2] = {{.node = a}, {.node = b}};
    DType dtype = operands_dtype(lw, operands, 2);
    if (!dtype_is_float(dtype)) {
        /* integer products have no contraction leaf: broadcast, multiply, sum */
        if (dtype == DTYPE_BOOL) dtype = DTYPE_I64;
    } else {
        return op_contract(lw->graph, op_cast(lw->graph, a, dtype), op_cast(lw->graph, b, dtype),
                           la->of, lb->of, lout->of, lout->count);
    }
    int8_t order[CONTRACT_MAX_LABELS];
    const Dim *extent[CONTRACT_MAX_LABELS];
    int total = 0;
    for (int pass = 0; pass < 2; pass++) {
        const Labels *labels = pass ? lb : la;
        Node *x = pass ? b : a;
        for (int i = 0; i < labels->count; i++) {
            bool known = false;
            for (int k = 0; k < total; k++) known |= order[k] == labels->of[i];
            if (known) continue;
            order[total] = labels->of[i];
            extent[total++] = x->type.shape.dims[i];
        }
    }
    /* result labels first, summed ones last */
    int8_t sorted[CONTRACT_MAX_LABELS];
    const Dim *dims[CONTRACT_MAX_LABELS];
    int n = 0;
    for (int i = 0; i < lout->count; i++)
        for (int k = 0; k < total; k++)
            if (order[k] == lout->of[i]) sorted[n] = order[k], dims[n++] = extent[k];
    for (int k = 0; k < total; k++) {
        bool kept = false;
        for (int i = 0; i < lout->count; i++) kept |= lout->of[i] == order[k];
        if (!kept) sorted[n] = order[k], dims[n++] = extent[k];
    }
    if (n > SHAPE_MAX_RANK) {
        lower_error(lw, NN_AXIS, span, "a tensor has at most %d axes", SHAPE_MAX_RANK);
        return NULL;
    }
    Shape shape = shape_of(n, dims);
    Node *product = NULL;
    for (int pass = 0; pass < 2; pass++) {
        const Labels *labels = pass ? lb : la;
        Node *x = op_cast(lw->graph, pass ? b : a, dtype);
        int axes[SHAPE_MAX_RANK], where[SHAPE_MAX_RANK], used = 0;
        for (int k = 0; k < n; k++)
            for (int i = 0; i < labels->count; i++)
                if (labels->of[i] == sorted[k]) axes[used] = i, where[used++] = k;
        x = op_expand(lw->graph, op_permute(lw->graph, x, axes), shape, where);
        product = pass ? op_binary(lw->graph, OP_MUL, product, x) : x;
    }
    uint32_t summed = 0;
    for (int k = lout->count; k < n; k++) summed |= 1u << k;
    return summed ? op_reduce(lw->graph, REDUCE_SUM, product, summed) : product;
}

/* ---- einsum ---- */

enum { EINSUM_MAX_OPERANDS = 8, EINSUM_ELLIPSIS = -1 };

/* Labels of "nij,...jk->nik": letters are numbered by first appearance; EINSUM_ELLIPSIS stands for
 * `...`. */
typedef struct Equation {
    Labels operands[EINSUM_MAX_OPERANDS], out;
    int count, letters;
    bool has_out;
} Equation;

/* The result without `->`: `...`, and the letters that stand once, in their order in ASCII. */
static bool einsum_imply(Equation *e, const int8_t *number) {
    for (int c = -1; c < 128; c++) {
        int8_t label = c < 0 ? EINSUM_ELLIPSIS : number[c];
        int times = 0;
        if (c >= 0 && label < 0) continue;
        for (int k = 0; k < e->count; k++)
            for (int i = 0; i < e->operands[k].count; i++) times += e->operands[k].of[i] == label;
        if (c < 0 ? !times : times != 1) continue;
        if (e->out.count == SHAPE_MAX_RANK) return false;
        e->out.of[e->out.count++] = label;
    }
    return true;
}

/* What is wrong with the equation, or NULL. */
static const char *einsum_parse(Lowerer *lw, const char *text, Equation *e) {
    static const char *const unreadable = "the equation cannot be read";
    int8_t number[128];
    memset(number, -1, sizeof number);
    memset(e, 0, sizeof *e);
    e->count = 1;
    for (const char *c = text; *c; c++) {
        Labels *labels = e->has_out ? &e->out : &e->operands[e->count - 1];
        if (*c == ' ') continue;
        if (*c == ',') {
            if (e->has_out || e->count == EINSUM_MAX_OPERANDS) return unreadable;
            e->count++;
        } else if (c[0] == '-' && c[1] == '>') {
            if (e->has_out) return unreadable;
            e->has_out = true;
            c++;
        } else {
            int8_t label = EINSUM_ELLIPSIS;
            if (c[0] == '.' && c[1] == '.' && c[2] == '.') {
                c += 2;
            } else if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) {
                int8_t *slot = &number[(unsigned char)*c];
                if (*slot < 0) {
                    if (e->has_out)
                        return arena_printf(lw->arena, "`%c` of the result is in no operand", *c);
                    if (e->letters == CONTRACT_MAX_LABELS) return "too many letters";
                    *slot = (int8_t)e->letters++;
                }
                label = *slot;
            } else {
                return unreadable;
            }
            if (labels->count == SHAPE_MAX_RANK) return "too many axes";
            for (int i = 0; i < labels->count; i++)
                if (labels->of[i] == label && (e->has_out || label == EINSUM_ELLIPSIS))
                    return arena_printf(lw->arena, "`%.*s` stands twice in %s",
                                        label == EINSUM_ELLIPSIS ? 3 : 1,
                                        label == EINSUM_ELLIPSIS ? "..." : c,
                                        e->has_out ? "the result" : "an operand");
            labels->of[labels->count++] = label;
        }
    }
    return e->has_out || einsum_imply(e, number) ? NULL : "too many axes";
}

/* Replaces `...` by `width` labels after the letters, the last `have` of them. */
static bool expand_ellipsis(Labels *labels, int letters, int width, int have) {
    Labels out = {.count = 0};
    for (int i = 0; i < labels->count; i++) {
        if (labels->of[i] != EINSUM_ELLIPSIS) {
            if (out.count == SHAPE_MAX_RANK) return false;
            out.of[out.count++] = labels->of[i];
            continue;
        }
        for (int k = width - have; k < width; k++) {
            if (out.count == SHAPE_MAX_RANK || letters + k >= CONTRACT_MAX_LABELS) return false;
            out.of[out.count++] = (int8_t)(letters + k);
        }
    }
    *labels = out;
    return true;
}

static bool has_label(const Labels *labels, int8_t label) {
    for (int i = 0; i < labels->count; i++)
        if (labels->of[i] == label) return true;
    return false;
}

/* x with its axes summed or ordered so that they are exactly `out`'s. */
static Node *einsum_single(Lowerer *lw, Node *x, const Labels *labels, const Labels *out) {
    uint32_t summed = 0;
    int axes[SHAPE_MAX_RANK], position[SHAPE_MAX_RANK], kept = 0;
    for (int i = 0; i < labels->count; i++) {
        if (has_label(out, labels->of[i]))
            position[i] = kept++;
        else
            summed |= 1u << i, position[i] = -1;
    }
    if (summed) x = op_reduce(lw->graph, REDUCE_SUM, x, summed);
    if (!x) return NULL;
    bool same = true;
    for (int k = 0; k < out->count; k++)
        for (int i = 0; i < labels->count; i++)
            if (labels->of[i] == out->of[k]) axes[k] = position[i], same &= position[i] == k;
    return same ? x : op_permute(lw->graph, x, axes);
}

/* An axis of extent 1 under `...` broadcasts: it is dropped where another operand has more. */
static Node *drop_broadcast(Lowerer *lw, Node *x, Labels *labels, int letters,
                            const Dim *const *widest) {
    uint32_t drop = 0;
    Labels kept = {.count = 0};
    for (int i = 0; i < labels->count; i++) {
        const Dim *wide = labels->of[i] >= letters ? widest[labels->of[i] - letters] : NULL;
        if (wide && dim_is(x->type.shape.dims[i], 1) && !dim_is(wide, 1))
            drop |= 1u << i;
        else
            kept.of[kept.count++] = labels->of[i];
    }
    *labels = kept;
    return drop ? node_drop_axes(lw, x, drop) : x;
}

static Value einsum_error(Lowerer *lw, const char *problem, Span span) {
    Diagnostic *d = lower_error(lw, NN_CONTRACTION, span, "einsum: %s", problem);
    diagnostic_help(
        d, "one letter per axis, no letter twice in the result: einsum(\"nij,jk->nik\", a, b)");
    return value_error();
}

/* The diagonal of every two axes that have one letter, as a last axis. */
static Node *take_diagonals(Lowerer *lw, Node *x, Labels *labels, Span span) {
    for (int a = 0; a < labels->count; a++)
        for (int b = a + 1; b < labels->count; b++) {
            if (labels->of[a] != labels->of[b]) continue;
            Value given[4] = {value_tensor(x), value_int(0), value_int(a), value_int(b)};
            Value diagonal = eval_library(lw, "diagonal", given, 4, span);
            if (diagonal.kind != VALUE_TENSOR) return NULL;
            x = diagonal.as.tensor;
            Labels rest = {.count = 0};
            for (int i = 0; i < labels->count; i++)
                if (i != a && i != b) rest.of[rest.count++] = labels->of[i];
            rest.of[rest.count++] = labels->of[a];
            *labels = rest;
            a = -1;
            break;
        }
    return x;
}

/* prim.einsum(equation, a, b, ...): several operands are contracted from left to right. */
Value prim_einsum(Lowerer *lw, const CallArguments *args, Span span) {
    Equation e;
    for (int i = 0; i < args->count; i++)
        if (args->values[i].kind == VALUE_ERROR) return value_error();
    if (args->count < 2 || args->values[0].kind != VALUE_STR)
        return einsum_error(lw, "an equation and its operands are expected", span);
    const char *problem = einsum_parse(lw, args->values[0].as.text, &e);
    if (!problem && e.count != args->count - 1)
        problem = arena_printf(lw->arena, "the equation has %d operands, not %d", e.count,
                               args->count - 1);
    if (problem) return einsum_error(lw, problem, span);
    Node *nodes[EINSUM_MAX_OPERANDS];
    int have[EINSUM_MAX_OPERANDS], width = 0;
    for (int i = 0; i < e.count; i++) {
        nodes[i] = value_node(lw, &args->values[i + 1], span);
        if (!nodes[i]) return value_error();
        bool ellipsis = has_label(&e.operands[i], EINSUM_ELLIPSIS);
        int named = e.operands[i].count - ellipsis;
        have[i] = nodes[i]->type.shape.rank - named;
        if (have[i] < 0 || (have[i] && !ellipsis)) {
            lower_error(lw, NN_CONTRACTION, span,
                        "%s: operand %d has %d axes, the equation names %d: %s",
                        args->values[0].as.text, i, nodes[i]->type.shape.rank, named,
                        type_text(lw, &nodes[i]->type));
            return value_error();
        }
        if (have[i] > width) width = have[i];
    }
    lower_mark(lw, span);
    const Dim *widest[SHAPE_MAX_RANK];
    for (int k = 0; k < width; k++) widest[k] = dim_const(lw->dims, 1);
    for (int i = 0; i < e.count; i++) {
        if (!expand_ellipsis(&e.operands[i], e.letters, width, have[i]))
            return einsum_error(lw, "too many axes", span);
        nodes[i] = take_diagonals(lw, nodes[i], &e.operands[i], span);
        if (!nodes[i]) return value_error();
        for (int a = 0; a < e.operands[i].count; a++)
            if (e.operands[i].of[a] >= e.letters &&
                dim_is(widest[e.operands[i].of[a] - e.letters], 1))
                widest[e.operands[i].of[a] - e.letters] = nodes[i]->type.shape.dims[a];
    }
    if (!expand_ellipsis(&e.out, e.letters, width, width))
        return einsum_error(lw, "too many axes", span);
    for (int i = 0; i < e.count; i++)
        nodes[i] = drop_broadcast(lw, nodes[i], &e.operands[i], e.letters, widest);
    /* the result keeps the axes that are 1 everywhere: some operand still has them */
    Node *x = nodes[0];
    Labels labels = e.operands[0];
    for (int i = 1; i < e.count && x; i++) {
        Labels next = {.count = 0};
        for (int pass = 0; pass < 2; pass++) {
            const Labels *source = pass ? &e.operands[i] : &labels;
            for (int a = 0; a < source->count; a++) {
                bool later = has_label(&e.out, source->of[a]);
                for (int k = i + 1; k < e.count; k++)
                    later |= has_label(&e.operands[k], source->of[a]);
                if (!later || has_label(&next, source->of[a])) continue;
                if (next.count == SHAPE_MAX_RANK) return einsum_error(lw, "too many axes", span);
                next.of[next.count++] = source->of[a];
            }
        }
        if (i == e.count - 1) next = e.out;
        const Value product = value_tensor(x), *values[2] = {&product, &args->values[i + 1]};
        if (i == 1) values[0] = &args->values[1];
        x = contract(lw, x, nodes[i], values, &labels, &e.operands[i], &next, span);
        labels = next;
    }
    if (x && e.count == 1) x = einsum_single(lw, x, &labels, &e.out);
    return value_of_node(lw, x, &args->values[1]);
}

/* ---- windows ---- */

Value prim_unfold(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[5];
    Node *x;
    int axis;
    int64_t size, stride, dilation;
    if (!read(lw, args, "x, axis, size, stride=1, dilation=1", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis) ||
        !value_as_int(lw, &v[2], "window size", span, &size) ||
        !value_as_int(lw, &v[3], "stride", span, &stride) ||
        !value_as_int(lw, &v[4], "dilation", span, &dilation))
        return value_error();
    if (size < 1 || stride < 1 || dilation < 1) {
        lower_error(lw, NN_WINDOW, span,
                    "window size %lld, stride %lld and dilation %lld must be at least 1",
                    (long long)size, (long long)stride, (long long)dilation);
        return value_error();
    }
    const Dim *extent = x->type.shape.dims[axis];
    int64_t reach;
    if (!checked_mul(size - 1, dilation, &reach) || !checked_add(reach, 1, &reach)) {
        lower_error(lw, NN_WINDOW, span, "a window of %lld with dilation %lld is too large",
                    (long long)size, (long long)dilation);
        return value_error();
    }
    const char *outside = arena_printf(
        lw->arena, "a window of %lld does not fit into axis %d of %s (padding included)",
        (long long)reach, axis, type_text(lw, &x->type));
    if (!dims_require_order(lw, dim_const(lw->dims, reach), extent, outside, span)) {
        lower_error(lw, NN_WINDOW, span, "%s", outside);
        return value_error();
    }
    return value_of_node(lw, op_unfold(lw->graph, x, axis, size, stride, dilation), &v[0]);
}

Value prim_fold(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[5];
    Node *x;
    int axis;
    int64_t stride, dilation;
    const Dim *extent;
    if (!read(lw, args, "x, axis, extent, stride=1, dilation=1", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank - 1, span, &axis) ||
        !value_as_dim(lw, &v[2], "extent", span, &extent) ||
        !value_as_int(lw, &v[3], "stride", span, &stride) ||
        !value_as_int(lw, &v[4], "dilation", span, &dilation))
        return value_error();
    return value_of_node(lw, op_fold(lw->graph, x, axis, extent, stride, dilation), &v[0]);
}

/* ---- indexing ---- */

static bool read_index(Lowerer *lw, const Value *v, Span span, Node **out) {
    *out = value_node(lw, v, span);
    if (!*out) return false;
    if (dtype_kind((*out)->type.dtype) == DTYPE_KIND_INTEGER) return true;
    lower_error(lw, NN_TENSOR_DTYPE, span, "ids must be integers, found %s",
                type_text(lw, &(*out)->type));
    return false;
}

/* Leading `batch` axes of x and index must agree. */
static bool check_batch(Lowerer *lw, const Node *x, const Node *index, int64_t batch, Span span) {
    if (batch < 0 || batch >= x->type.shape.rank || batch > index->type.shape.rank) {
        lower_error(lw, NN_AXIS, span, "gather: %lld batch axes for %s and ids %s",
                    (long long)batch, type_text(lw, &x->type), type_text(lw, &index->type));
        return false;
    }
    for (int i = 0; i < batch; i++) {
        DimTruth truth = dim_equal(lw->dims, x->type.shape.dims[i], index->type.shape.dims[i]);
        if (truth == DIM_NO) {
            lower_error(lw, NN_BROADCAST, span, "gather: %s and ids %s differ in axis %d",
                        type_text(lw, &x->type), type_text(lw, &index->type), i);
            return false;
        }
        if (truth == DIM_UNKNOWN &&
            !dims_unify(lw, x->type.shape.dims[i], index->type.shape.dims[i], "gather", span))
            return false;
    }
    return true;
}

Value prim_gather(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Node *x, *index;
    int64_t batch;
    if (!read(lw, args, "x, index, batch=0", span, v, &x) || !read_index(lw, &v[1], span, &index) ||
        !value_as_int(lw, &v[2], "batch", span, &batch) || !check_batch(lw, x, index, batch, span))
        return value_error();
    lower_mark(lw, span);
    return value_of_node(lw, op_gather(lw->graph, x, index, (int)batch), &v[0]);
}

Value prim_take(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Node *x, *index;
    int axis;
    if (!read(lw, args, "x, axis, index", span, v, &x) || !read_index(lw, &v[2], span, &index) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis))
        return value_error();
    lower_mark(lw, span);
    return value_of_node(lw, tensor_take(lw, x, axis, index), &v[0]);
}

static Value scatter(Lowerer *lw, const CallArguments *args, Span span, bool add) {
    Value v[4];
    Node *x, *index;
    int64_t batch;
    if (!read(lw, args, "x, index, update, batch=0", span, v, &x) ||
        !read_index(lw, &v[1], span, &index) || !value_as_int(lw, &v[3], "batch", span, &batch) ||
        !check_batch(lw, x, index, batch, span))
        return value_error();
    Node *update = value_node(lw, &v[2], span);
    if (!update) return value_error();
    lower_mark(lw, span);
    update = op_cast(lw->graph, update, x->type.dtype);
    int b = (int)batch;
    return value_of_node(lw,
                         add ? op_scatter_add(lw->graph, x, index, update, b)
                             : op_scatter_set(lw->graph, x, index, update, b),
                         &v[0]);
}

Value prim_scatter_add(Lowerer *lw, const CallArguments *args, Span span) {
    return scatter(lw, args, span, true);
}
Value prim_scatter_set(Lowerer *lw, const CallArguments *args, Span span) {
    return scatter(lw, args, span, false);
}

static Node *start_node(Lowerer *lw, const Value *v, Span span) {
    Node *start = tensor_of(lw, v, NULL, span);
    if (start && start->type.shape.rank) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "the start must be one number, found %s",
                    type_text(lw, &start->type));
        return NULL;
    }
    return start ? op_cast(lw->graph, start, DTYPE_I64) : NULL;
}

Value prim_dynamic_slice(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[4];
    Node *x, *start;
    int axis;
    const Dim *extent;
    if (!read(lw, args, "x, axis, start, extent", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis) ||
        !(start = start_node(lw, &v[2], span)) || !value_as_dim(lw, &v[3], "extent", span, &extent))
        return value_error();
    return value_of_node(lw, op_dynamic_slice(lw->graph, x, start, axis, extent), &v[0]);
}

Value prim_dynamic_update(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[4];
    Node *x, *start, *update;
    int axis;
    if (!read(lw, args, "x, axis, start, update", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis) ||
        !(start = start_node(lw, &v[2], span)) || !(update = value_node(lw, &v[3], span)))
        return value_error();
    lower_mark(lw, span);
    update = op_cast(lw->graph, update, x->type.dtype);
    return value_of_node(lw, op_dynamic_update(lw->graph, x, update, start, axis), &v[0]);
}

Value prim_prefix(Lowerer *lw, const CallArguments *args, Span span) {
    static const struct {
        const char *name;
        ReduceKind kind;
    } kinds[] = {
        {"sum", REDUCE_SUM}, {"prod", REDUCE_PROD}, {"max", REDUCE_MAX}, {"min", REDUCE_MIN}};
    Value v[4];
    Node *x;
    int axis;
    if (!read(lw, args, "x, kind, axis, reverse=False", span, v, &x) ||
        !value_as_axis(lw, &v[2], x->type.shape.rank, span, &axis))
        return value_error();
    bool arithmetic =
        v[1].kind == VALUE_STR && (!strcmp(v[1].as.text, "sum") || !strcmp(v[1].as.text, "prod"));
    if (arithmetic && !dtype_is_float(x->type.dtype)) x = op_cast(lw->graph, x, DTYPE_I64);
    bool reverse = v[3].kind == VALUE_BOOL && v[3].as.boolean;
    for (int i = 0; i < 4; i++)
        if (v[1].kind == VALUE_STR && !strcmp(v[1].as.text, kinds[i].name))
            return value_of_node(lw, op_prefix(lw->graph, kinds[i].kind, x, axis, reverse), &v[0]);
    lower_error(lw, NN_TENSOR_OPERAND, span,
                "prefix: the kind is \"sum\", \"prod\", \"max\" or \"min\"");
    return value_error();
}

Value prim_argsort(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[3];
    Node *x;
    int axis;
    if (!read(lw, args, "x, axis, descending=False", span, v, &x) ||
        !value_as_axis(lw, &v[1], x->type.shape.rank, span, &axis))
        return value_error();
    bool descending = v[2].kind == VALUE_BOOL && v[2].as.boolean;
    return value_of_node(lw, op_argsort(lw->graph, x, axis, descending), &v[0]);
}
