/* Range checks of ids: what can be proved from the graph needs no check; what depends on arguments
 * becomes a CHECK_RANGE of the entry, tested before any cell is written; the rest is an error. */
#include "lower/region.h"
#include "lower/tensor/tensor_internal.h"

enum { ASSUMED_MAX = 4 };

/* low <= every element < high (NULL: unknown; a low that is unknown is INT64_MIN), provided that
 * the dims `assumed` are not negative: M - 1, the last place of an axis, is none where M is 0. */
typedef struct Interval {
    bool known;
    int64_t low;
    const Dim *high;
    const Dim *assumed[ASSUMED_MAX];
} Interval;

static Interval interval_unknown(void) {
    return (Interval){.known = false};
}

static Interval interval(int64_t low, const Dim *high) {
    return (Interval){.known = true, .low = low, .high = high};
}

/* `out` holds if `d` is not negative. */
static Interval interval_assume(Interval out, const Dim *d) {
    int64_t lower, upper;
    if (!d) return interval_unknown();
    dim_bounds(d, &lower, &upper);
    if (lower >= 0) return out;
    int i = 0;
    while (i < ASSUMED_MAX && out.assumed[i] && out.assumed[i] != d) i++;
    if (i == ASSUMED_MAX) return interval_unknown();
    out.assumed[i] = d;
    return out;
}

/* `out` was made of a and b. */
static Interval interval_of_both(Interval out, Interval a, Interval b) {
    for (int i = 0; i < ASSUMED_MAX; i++) {
        if (a.assumed[i]) out = interval_assume(out, a.assumed[i]);
        if (b.assumed[i]) out = interval_assume(out, b.assumed[i]);
    }
    return out;
}

static Interval interval_join(Lowerer *lw, Interval a, Interval b) {
    if (!a.known || !b.known) return interval_unknown();
    Interval out = {true,
                    a.low < b.low ? a.low : b.low,
                    a.high && b.high ? dim_max(lw->dims, a.high, b.high) : NULL,
                    {0}};
    return interval_of_both(out, a, b);
}

static Interval interval_of(Lowerer *lw, const Node *n, int depth);

/* Of maximum(a, b), or minimum: one of the two may be unknown. */
static Interval interval_extreme(Lowerer *lw, const Node *a, const Node *b, bool maximum,
                                 int depth) {
    Interval x = interval_of(lw, a, depth), y = interval_of(lw, b, depth);
    if (!x.known) x = (Interval){.low = INT64_MIN};
    if (!y.known) y = (Interval){.low = INT64_MIN};
    Interval out = {.known = x.known || y.known, .low = INT64_MIN};
    if (maximum) {
        out.low = x.low > y.low ? x.low : y.low;
        if (x.high && y.high) out.high = dim_max(lw->dims, x.high, y.high);
    } else {
        out.low = x.low < y.low ? x.low : y.low;
        out.high = x.high && (!y.high || dim_at_most(lw->dims, x.high, y.high)) ? x.high : y.high;
    }
    return interval_of_both(out, x, y);
}

/* The node below what changes no value: casts between integers that keep every one, and a single
 * number for every element. */
static const Node *value_below(const Node *n) {
    for (;; n = n->inputs[0]) {
        if (n->op == OP_EXPAND && n->inputs[0]->type.shape.rank == 0) continue;
        if (n->op != OP_CAST) return n;
        DType from = n->inputs[0]->type.dtype, to = n->type.dtype;
        if (dtype_is_float(from) || dtype_is_float(to) || to == DTYPE_BOOL) return n;
        long long low, high, least = 0, most = 1;
        if (from != DTYPE_BOOL) dtype_int_range(from, &least, &most);
        dtype_int_range(to, &low, &high);
        if (least < low || most > high) return n;
    }
}

/* Whether two nodes are the same number everywhere. */
static bool same_value(const Node *a, const Node *b) {
    a = value_below(a);
    b = value_below(b);
    if (a == b) return true;
    if (a->op != b->op) return false;
    if (a->op == OP_DIM) return a->attr.dim == b->attr.dim;
    return a->op == OP_CONST && !a->attr.constant.data && !b->attr.constant.data &&
           !dtype_is_float(a->type.dtype) && !dtype_is_float(b->type.dtype) &&
           a->attr.constant.integer == b->attr.constant.integer;
}

/* What the bodies around take for granted of a carry. */
static Interval interval_of_carry(Lowerer *lw, const Node *n) {
    Interval out = {.low = INT64_MIN};
    for (const Region *r = lw->region; r; r = r->enclosing)
        for (int i = 0; i < r->carry_ranges.count; i++) {
            const CarryRange *range = &r->carry_ranges.data[i];
            if (range->carry != n) continue;
            out.known = true;
            if (range->low > out.low) out.low = range->low;
            if (!out.high || dim_at_most(lw->dims, range->high, out.high)) out.high = range->high;
        }
    return out.known ? out : interval_unknown();
}

/* `depth` bounds the walk: a proof that needs more is not attempted. */
static Interval interval_of(Lowerer *lw, const Node *n, int depth) {
    if (depth == 0) return interval_unknown();
    const Dim *one = dim_const(lw->dims, 1);
    switch ((int)n->op) {
    case OP_CONST: {
        if (dtype_is_float(n->type.dtype)) break;
        if (!n->attr.constant.data) {
            int64_t v = n->attr.constant.integer;
            return interval(v, dim_add(lw->dims, dim_const(lw->dims, v), one));
        }
        const Dim *elements = shape_elements(lw->dims, &n->type.shape);
        const int64_t *data = n->attr.constant.data;
        int64_t count, low, high;
        if (!elements || !dim_is_const(elements, &count) || count == 0) break;
        low = high = data[0];
        for (int64_t i = 1; i < count; i++) {
            if (data[i] < low) low = data[i];
            if (data[i] > high) high = data[i];
        }
        return interval(low, dim_add(lw->dims, dim_const(lw->dims, high), one));
    }
    case OP_IOTA: return interval(0, n->type.shape.dims[n->attr.axis]);
    case OP_DIM: {
        int64_t lower, upper;
        dim_bounds(n->attr.dim, &lower, &upper);
        Interval out = {.known = true, .low = lower, .high = dim_add(lw->dims, n->attr.dim, one)};
        if (lower >= 0 || upper < 0) return out;
        out.low = 0;
        return interval_assume(out, n->attr.dim);
    }
    case OP_INPUT: {
        Interval carry = interval_of_carry(lw, n);
        if (carry.known) return carry;
        break;
    }
    case OP_ARGSORT: return interval(0, n->type.shape.dims[n->attr.sort.axis]);
    case OP_REDUCE: {
        /* What is found is an element, and a place, if there is one. */
        ReduceKind kind = n->attr.reduce.kind;
        const Shape *shape = &n->inputs[0]->type.shape;
        bool extreme = kind == REDUCE_MAX || kind == REDUCE_MIN;
        if (!extreme && kind != REDUCE_ARGMAX && kind != REDUCE_ARGMIN) break;
        Interval out = extreme ? interval_of(lw, n->inputs[0], depth - 1) : interval(0, NULL);
        for (int i = 0; i < shape->rank; i++) {
            if (!(n->attr.reduce.axes >> i & 1)) continue;
            if (!extreme) out.high = shape->dims[i];
            out = interval_assume(out, dim_sub(lw->dims, shape->dims[i], one));
        }
        return out;
    }
    case OP_CAST:
        if (n->type.dtype != DTYPE_I64 && n->type.dtype != DTYPE_I32) break;
        if (dtype_is_float(n->inputs[0]->type.dtype)) break;
        return interval_of(lw, n->inputs[0], depth - 1);
    case OP_ADD: {
        Interval a = interval_of(lw, n->inputs[0], depth - 1),
                 b = interval_of(lw, n->inputs[1], depth - 1);
        int64_t low;
        if (n->type.dtype != DTYPE_I64 || !a.known || !b.known || !a.high || !b.high ||
            !checked_add(a.low, b.low, &low))
            break;
        return interval_of_both(
            interval(low, dim_sub(lw->dims, dim_add(lw->dims, a.high, b.high), one)), a, b);
    }
    case OP_MUL: {
        Interval a = interval_of(lw, n->inputs[0], depth - 1),
                 b = interval_of(lw, n->inputs[1], depth - 1);
        int64_t low;
        if (n->type.dtype != DTYPE_I64 || !a.known || !b.known || !a.high || !b.high || a.low < 0 ||
            b.low < 0 || !checked_mul(a.low, b.low, &low))
            break;
        const Dim *most =
            dim_mul(lw->dims, dim_sub(lw->dims, a.high, one), dim_sub(lw->dims, b.high, one));
        return interval_of_both(interval(low, most ? dim_add(lw->dims, most, one) : NULL), a, b);
    }
    case OP_MOD: {
        Interval b = interval_of(lw, n->inputs[1], depth - 1);
        if (b.known && b.low > 0 && b.high)
            return interval_of_both(interval(0, dim_sub(lw->dims, b.high, one)), b, b);
        break;
    }
    case OP_MAXIMUM:
    case OP_MINIMUM:
        return interval_extreme(lw, n->inputs[0], n->inputs[1], n->op == OP_MAXIMUM, depth - 1);
    case OP_SELECT: {
        /* clamp: x < low ? low : x, and x > high ? high : x */
        const Node *is = n->inputs[0], *bound = n->inputs[1], *x = n->inputs[2];
        if ((is->op == OP_LT || is->op == OP_GT) && same_value(is->inputs[0], x) &&
            same_value(is->inputs[1], bound))
            return interval_extreme(lw, bound, x, is->op == OP_LT, depth - 1);
        return interval_join(lw, interval_of(lw, bound, depth - 1), interval_of(lw, x, depth - 1));
    }
    case OP_IDENTITY:
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_GATHER:
    case OP_UNFOLD: return interval_of(lw, n->inputs[0], depth - 1);
    case OP_CONCAT: {
        Interval all = interval_of(lw, n->inputs[0], depth - 1);
        for (int i = 1; i < n->input_count; i++)
            all = interval_join(lw, all, interval_of(lw, n->inputs[i], depth - 1));
        return all;
    }
    default: break;
    }
    if (n->type.dtype == DTYPE_BOOL) return interval(0, dim_const(lw->dims, 2));
    if (n->type.dtype == DTYPE_U8) return interval(0, dim_const(lw->dims, 256));
    return interval_unknown();
}

/* What a value depends on; `argument` is the first argument found. */
typedef struct Sources {
    Name argument;
    bool others;
} Sources;

static bool is_argument(const Entry *entry, const Node *n) {
    for (int i = 0; i < entry->arguments.count; i++)
        if (entry->arguments.data[i].node == n) return true;
    return false;
}

static Sources find_sources(Lowerer *lw, const Node *root, const Graph *g) {
    Sources out = {NULL, false};
    bool *needed = NEW_ARRAY(lw->arena, root->id + 1, bool);
    needed[root->id] = true;
    for (int id = root->id; id >= 0; id--) {
        if (!needed[id]) continue;
        const Node *n = g->nodes.data[id];
        if (n->op == OP_INPUT && is_argument(lw->entry, n))
            out.argument = n->attr.input.name;
        else
            out.others |= n->op == OP_INPUT; /* a carry or an element of a scan */
        out.others |= n->op == OP_CELL || n->op == OP_RANDOM;
        for (int i = 0; i < n->input_count; i++) needed[n->inputs[i]->id] = true;
    }
    return out;
}

/* What the proof of a range assumes is checked at the entry. */
static bool assume_range(Lowerer *lw, const Interval *range, const char *message, Span span) {
    const Dim *one = dim_const(lw->dims, 1);
    for (int i = 0; i < ASSUMED_MAX && range->assumed[i]; i++) {
        const Dim *extent = dim_add(lw->dims, range->assumed[i], one);
        if (dims_require_order(lw, one, extent, NULL, span)) continue;
        lower_error(lw, NN_RANGE_CHECK, span, "%s: there is nothing to index, %s is 0", message,
                    dim_text(lw, extent));
        return false;
    }
    return true;
}

/* Ids that a carry holds: what it begins as is checked now, the body goes on with the range, and
 * what it makes of the carry is checked at its end. */
static bool check_carry(Lowerer *lw, Region *region, int parameter, int64_t low, const Dim *high,
                        const char *message, Span span) {
    if (!tensor_check_range(lw, region->initial.data[parameter], dim_const(lw->dims, low), high,
                            NULL, message, span))
        return false;
    CarryRange range = {region->parameters.data[parameter], low, high, message};
    vector_push(lw->arena, &region->carry_ranges, range);
    return true;
}

/* The nodes whose elements, and no others, those of `n` are; 0 if they cannot be told apart. */
static int value_parts(const Node *n, Node *const **parts) {
    while (n->op == OP_IDENTITY || n->op == OP_RESHAPE || n->op == OP_PERMUTE ||
           n->op == OP_EXPAND || n->op == OP_SLICE)
        n = n->inputs[0];
    *parts = n->inputs + (n->op == OP_SELECT);
    return n->op == OP_SELECT ? 2 : n->op == OP_CONCAT ? n->input_count : 0;
}

bool tensor_check_range(Lowerer *lw, Node *ids, const Dim *low, const Dim *high,
                        const int64_t *ignore, const char *message, Span span) {
    Interval range = interval_of(lw, ids, 24);
    int64_t low_value;
    bool above =
        range.known && ((dim_is_const(low, &low_value) && range.low >= low_value) ||
                        (range.low >= 0 && dim_at_most(lw->dims, low, dim_const(lw->dims, 0))));
    if (above && range.high && dim_at_most(lw->dims, range.high, high))
        return assume_range(lw, &range, message, span);
    /* Of numbers that are known the largest is one of them, so what is left to check is a dim. */
    if (ids->op == OP_CONST && range.known && range.high && dim_is_const(low, &low_value) &&
        range.low >= low_value && dim_less_equal(lw->dims, range.high, high) == DIM_UNKNOWN)
        return dims_require_order(lw, range.high, high, NULL, span);
    /* Inside a scan, the sequence that the element is from is checked before the loop. */
    Node *whole = region_whole(lw, ids);
    if (whole) ids = whole;
    for (int i = 0; i < lw->entry->checks.count; i++) {
        const Check *c = &lw->entry->checks.data[i];
        if (c->kind == CHECK_RANGE && c->node == ids && c->low == low && c->high == high)
            return true;
    }
    Sources sources = {NULL, false};
    bool in_entry = lw->entry && lw->graph == lw->entry->graph &&
                    ids->id < lw->graph->nodes.count && lw->graph->nodes.data[ids->id] == ids;
    if (in_entry) sources = find_sources(lw, ids, lw->graph);
    if (!in_entry || sources.others || !sources.argument) {
        int parameter;
        Region *region = ignore ? NULL : region_of_carry(lw, ids, &parameter);
        if (region && dim_is_const(low, &low_value))
            return check_carry(lw, region, parameter, low_value, high, message, span);
        Node *const *parts;
        int count = ignore ? 0 : value_parts(ids, &parts);
        for (int i = 0; i < count; i++)
            if (!tensor_check_range(lw, parts[i], low, high, NULL, message, span)) return false;
        if (count) return true;
        Diagnostic *d =
            lower_error(lw, NN_RANGE_CHECK, span, "%s cannot be shown to be in [%s, %s)", message,
                        dim_text(lw, low), dim_text(lw, high));
        diagnostic_help(d, "%s",
                        in_entry ? "bound the ids, for instance with argmax or clamp"
                                 : "index before the scan, or pass the ids as a sequence that is "
                                   "looked up outside");
        return false;
    }
    Check check = {.kind = CHECK_RANGE,
                   .node = ids,
                   .low = low,
                   .high = high,
                   .argument = sources.argument,
                   .span = lower_blame(lw, span),
                   .has_ignore = ignore != NULL,
                   .ignore = ignore ? *ignore : 0};
    check.message = arena_printf(lw->arena, "%s: %s must be in [%s, %s)", sources.argument->text,
                                 message, dim_text(lw, low), dim_text(lw, high));
    vector_push(lw->arena, &lw->entry->checks, check);
    return true;
}

Value prim_check_range(Lowerer *lw, const CallArguments *args, Span span) {
    Value v[5];
    if (!args_get(lw, args, "ids, low, high, ignore=None, message=None", span, v))
        return value_error();
    Node *ids = value_node(lw, &v[0], span);
    const Dim *low, *high;
    int64_t ignore = 0;
    if (!ids || !value_as_dim(lw, &v[1], "low", span, &low) ||
        !value_as_dim(lw, &v[2], "high", span, &high))
        return value_error();
    bool has_ignore = v[3].kind != VALUE_NONE;
    if (has_ignore && !value_as_int(lw, &v[3], "ignore", span, &ignore)) return value_error();
    if (dtype_kind(ids->type.dtype) != DTYPE_KIND_INTEGER) {
        lower_error(lw, NN_TENSOR_DTYPE, span, "%s must be integers, found %s",
                    v[4].kind == VALUE_STR ? v[4].as.text : "ids", type_text(lw, &ids->type));
        return value_error();
    }
    if (!tensor_check_range(lw, ids, low, high, has_ignore ? &ignore : NULL,
                            v[4].kind == VALUE_STR ? v[4].as.text : "ids", span))
        return value_error();
    return v[0];
}
