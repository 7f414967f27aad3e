/* Compile-time arithmetic and comparison, as Python defines them: ints are 64 bits and checked, `/`
 * is true division, `//` and `%` floor, dims keep their algebra.  Tensors go to tensor_*.c. */
#include "lower/internal.h"

#include <math.h>
#include <string.h>

static bool is_integral(const Value *v) {
    return v->kind == VALUE_INT || v->kind == VALUE_BOOL;
}
static bool is_number(const Value *v) {
    return is_integral(v) || v->kind == VALUE_FLOAT;
}
static bool is_dim(const Value *v) {
    return v->kind == VALUE_DIM || is_integral(v);
}
static int64_t integer_of(const Value *v) {
    return v->kind == VALUE_BOOL ? v->as.boolean : v->as.integer;
}
static double number_of(const Value *v) {
    return v->kind == VALUE_FLOAT ? v->as.number : (double)integer_of(v);
}

static Value overflow(Lowerer *lw, Span span) {
    lower_error(lw, NN_ARITHMETIC, span, "the result does not fit in 64 bits");
    return value_error();
}

Value eval_dim_result(Lowerer *lw, const Dim *d, Span span) {
    if (!d) return overflow(lw, span);
    if (dim_is_short(d)) return value_dim(d);
    lower_error(lw, NN_ARITHMETIC, span, "the dim is an expression of more than %d parts",
                DIM_MOST_PARTS);
    return value_error();
}

static Value division_by_zero(Lowerer *lw, Span span) {
    lower_error(lw, NN_ARITHMETIC, span, "division by zero");
    return value_error();
}

static Value operand_error(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span) {
    if (b)
        lower_error(lw, NN_OPERAND_TYPES, span, "`%s` is not defined for %s and %s",
                    operator_text(op), value_kind_name(a), value_kind_name(b));
    else
        lower_error(lw, NN_OPERAND_TYPES, span, "`%s` is not defined for %s", operator_text(op),
                    value_kind_name(a));
    return value_error();
}

static int64_t floor_divide(int64_t a, int64_t b) {
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static Value integer_power(Lowerer *lw, int64_t base, int64_t exponent, Span span) {
    if (exponent < 0) {
        if (base == 0) return division_by_zero(lw, span);
        return value_float(pow((double)base, (double)exponent));
    }
    int64_t result = 1;
    while (exponent > 0) {
        if (exponent & 1 && !checked_mul(result, base, &result)) return overflow(lw, span);
        exponent >>= 1;
        if (exponent && !checked_mul(base, base, &base)) return overflow(lw, span);
    }
    return value_int(result);
}

static Value integer_binary(Lowerer *lw, Operator op, const Value *va, const Value *vb, Span span) {
    int64_t a = integer_of(va), b = integer_of(vb), r;
    bool both_bool = va->kind == VALUE_BOOL && vb->kind == VALUE_BOOL;
    if (op == OPERATOR_ADD) return checked_add(a, b, &r) ? value_int(r) : overflow(lw, span);
    if (op == OPERATOR_SUB) return checked_sub(a, b, &r) ? value_int(r) : overflow(lw, span);
    if (op == OPERATOR_MUL) return checked_mul(a, b, &r) ? value_int(r) : overflow(lw, span);
    if (op == OPERATOR_POW) return integer_power(lw, a, b, span);
    if (op == OPERATOR_BITAND) return both_bool ? value_bool(a & b) : value_int(a & b);
    if (op == OPERATOR_BITOR) return both_bool ? value_bool(a | b) : value_int(a | b);
    if (op == OPERATOR_BITXOR) return both_bool ? value_bool(a ^ b) : value_int(a ^ b);
    if (op == OPERATOR_DIV || op == OPERATOR_FLOORDIV || op == OPERATOR_MOD) {
        if (b == 0) return division_by_zero(lw, span);
        if (op == OPERATOR_DIV) return value_float((double)a / (double)b);
        if (a == INT64_MIN && b == -1)
            return op == OPERATOR_MOD ? value_int(0) : overflow(lw, span);
        int64_t q = floor_divide(a, b);
        return value_int(op == OPERATOR_FLOORDIV ? q : a - q * b);
    }
    return operand_error(lw, op, va, vb, span);
}

static Value float_binary(Lowerer *lw, Operator op, const Value *va, const Value *vb, Span span) {
    double a = number_of(va), b = number_of(vb);
    if (op == OPERATOR_ADD) return value_float(a + b);
    if (op == OPERATOR_SUB) return value_float(a - b);
    if (op == OPERATOR_MUL) return value_float(a * b);
    if (op == OPERATOR_POW) {
        if (a < 0 && b != floor(b)) {
            lower_error(lw, NN_ARITHMETIC, span, "a negative number to a fractional power");
            return value_error();
        }
        if (a == 0 && b < 0) return division_by_zero(lw, span);
        return value_float(pow(a, b));
    }
    if (op == OPERATOR_DIV || op == OPERATOR_FLOORDIV || op == OPERATOR_MOD) {
        if (b == 0) return division_by_zero(lw, span);
        if (op == OPERATOR_DIV) return value_float(a / b);
        if (op == OPERATOR_FLOORDIV) return value_float(floor(a / b));
        double r = fmod(a, b);
        return value_float(r != 0 && (r < 0) != (b < 0) ? r + b : r);
    }
    return operand_error(lw, op, va, vb, span);
}

static Value dim_binary(Lowerer *lw, Operator op, const Value *va, const Value *vb, Span span) {
    const Dim *a = va->kind == VALUE_DIM ? va->as.dim : dim_const(lw->dims, integer_of(va));
    const Dim *b = vb->kind == VALUE_DIM ? vb->as.dim : dim_const(lw->dims, integer_of(vb));
    const Dim *r = NULL;
    if (op == OPERATOR_ADD)
        r = dim_add(lw->dims, a, b);
    else if (op == OPERATOR_SUB)
        r = dim_sub(lw->dims, a, b);
    else if (op == OPERATOR_MUL)
        r = dim_mul(lw->dims, a, b);
    else if (op == OPERATOR_FLOORDIV || op == OPERATOR_MOD) {
        r = op == OPERATOR_MOD ? dim_mod(lw->dims, a, b) : dim_floordiv(lw->dims, a, b);
        if (!r) {
            Text text = text_new(lw->arena);
            dim_print(&text, b);
            Diagnostic *d =
                lower_error(lw, NN_UNDECIDED_DIM, span, "the divisor %s may be zero", text.data);
            diagnostic_help(d, "state it in the signature: `where %s >= 1`", text.data);
            return value_error();
        }
    } else if (op == OPERATOR_POW && vb->kind == VALUE_INT && vb->as.integer >= 0 &&
               vb->as.integer <= 8) {
        r = dim_const(lw->dims, 1);
        for (int64_t i = 0; i < vb->as.integer; i++) r = dim_mul(lw->dims, r, a);
    } else if (op == OPERATOR_DIV && lw->graph) {
        /* A quotient of run-time dims is a run-time number. */
        lower_mark(lw, span);
        TensorType type = {lw->options->default_dtype, {0}};
        Value x = value_tensor(op_dim(lw->graph, a, type.dtype));
        Value y = value_tensor(op_dim(lw->graph, b, type.dtype));
        return tensor_binary(lw, op, &x, &y, span);
    } else {
        return operand_error(lw, op, va, vb, span);
    }
    return eval_dim_result(lw, r, span);
}

/* float beside a symbolic dim: a run-time number. */
static Value dim_as_tensor(Lowerer *lw, const Value *v, Span span) {
    if (v->kind != VALUE_DIM) return *v;
    lower_mark(lw, span);
    return value_tensor(op_dim(lw->graph, v->as.dim, lw->options->default_dtype));
}

static Value repeat(Lowerer *lw, const Value *sequence, int64_t times, Span span) {
    if (sequence->kind == VALUE_STR) {
        Text text = text_new(lw->arena);
        size_t length = strlen(sequence->as.text);
        for (int64_t i = 0; length && i < times && lower_step(lw, span); i++) {
            /* Text doubles its block. */
            if (!lower_room(lw, span, text.length + length)) return value_error();
            text_append_n(&text, sequence->as.text, length);
        }
        return value_str(text.data);
    }
    ValueList *out = NEW(lw->arena, ValueList);
    for (int64_t i = 0; sequence->as.list->items.count && i < times; i++)
        for (int k = 0; k < sequence->as.list->items.count; k++) {
            if (!lower_step(lw, span)) return value_error();
            vector_push(lw->arena, &out->items, sequence->as.list->items.data[k]);
        }
    return (Value){.kind = sequence->kind, .as.list = out};
}

static bool is_sequence(const Value *v) {
    return v->kind == VALUE_LIST || v->kind == VALUE_TUPLE || v->kind == VALUE_STR;
}

static Value sequence_binary(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span) {
    if (op == OPERATOR_MUL && is_sequence(a) && is_integral(b))
        return repeat(lw, a, integer_of(b), span);
    if (op == OPERATOR_MUL && is_integral(a) && is_sequence(b))
        return repeat(lw, b, integer_of(a), span);
    if (op != OPERATOR_ADD || a->kind != b->kind || !is_sequence(a))
        return operand_error(lw, op, a, b, span);
    if (a->kind == VALUE_STR) {
        Text text = text_new(lw->arena);
        if (!lower_room(lw, span, 2 * (strlen(a->as.text) + strlen(b->as.text))))
            return value_error();
        text_append(&text, a->as.text);
        text_append(&text, b->as.text);
        return value_str(text.data);
    }
    size_t count = (size_t)a->as.list->items.count + (size_t)b->as.list->items.count;
    if (!lower_room(lw, span, 4 * count * sizeof(Value))) return value_error();
    ValueList *out = NEW(lw->arena, ValueList);
    for (int i = 0; i < a->as.list->items.count; i++)
        vector_push(lw->arena, &out->items, a->as.list->items.data[i]);
    for (int i = 0; i < b->as.list->items.count; i++)
        vector_push(lw->arena, &out->items, b->as.list->items.data[i]);
    return (Value){.kind = a->kind, .as.list = out};
}

Value eval_binary(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span) {
    if (a->kind == VALUE_ERROR || b->kind == VALUE_ERROR) return value_error();
    if (value_is_tensor(a) || value_is_tensor(b)) {
        if (a->kind == VALUE_NONE || b->kind == VALUE_NONE || is_sequence(a) || is_sequence(b))
            return operand_error(lw, op, a, b, span);
        return tensor_binary(lw, op, a, b, span);
    }
    if (is_integral(a) && is_integral(b)) return integer_binary(lw, op, a, b, span);
    if (is_number(a) && is_number(b)) return float_binary(lw, op, a, b, span);
    if (is_dim(a) && is_dim(b)) return dim_binary(lw, op, a, b, span);
    if ((is_number(a) || is_dim(a)) && (is_number(b) || is_dim(b))) {
        if (lw->graph) {
            Value x = dim_as_tensor(lw, a, span), y = dim_as_tensor(lw, b, span);
            return tensor_binary(lw, op, &x, &y, span);
        }
        return operand_error(lw, op, a, b, span);
    }
    return sequence_binary(lw, op, a, b, span);
}

Value eval_unary(Lowerer *lw, Operator op, const Value *a, Span span) {
    if (a->kind == VALUE_ERROR) return value_error();
    if (op == OPERATOR_NOT) {
        bool truth;
        return eval_truth(lw, a, span, &truth) ? value_bool(!truth) : value_error();
    }
    if (value_is_tensor(a)) return tensor_unary(lw, op, a, span);
    if (op == OPERATOR_POS && is_number(a))
        return a->kind == VALUE_BOOL ? value_int(integer_of(a)) : *a;
    if (op == OPERATOR_POS && a->kind == VALUE_DIM) return *a;
    if (op == OPERATOR_NEG && a->kind == VALUE_FLOAT) return value_float(-a->as.number);
    if (op == OPERATOR_NEG && is_integral(a)) {
        int64_t r;
        return checked_sub(0, integer_of(a), &r) ? value_int(r) : overflow(lw, span);
    }
    if (op == OPERATOR_NEG && a->kind == VALUE_DIM)
        return eval_dim_result(lw, dim_neg(lw->dims, a->as.dim), span);
    if (op == OPERATOR_INVERT && is_integral(a)) return value_int(~integer_of(a));
    return operand_error(lw, op, a, NULL, span);
}

bool eval_truth(Lowerer *lw, const Value *v, Span span, bool *out) {
    *out = false;
    switch (v->kind) {
    case VALUE_ERROR: return false;
    case VALUE_NONE: return true;
    case VALUE_BOOL: *out = v->as.boolean; return true;
    case VALUE_INT: *out = v->as.integer != 0; return true;
    case VALUE_FLOAT: *out = v->as.number != 0; return true;
    case VALUE_STR: *out = v->as.text[0] != 0; return true;
    case VALUE_TUPLE:
    case VALUE_LIST:
    case VALUE_DICT: *out = v->as.list->items.count > 0; return true;
    case VALUE_RANGE: {
        int64_t stop;
        if (!dim_is_const(v->as.range->stop, &stop)) break;
        *out = v->as.range->step > 0 ? v->as.range->start < stop : v->as.range->start > stop;
        return true;
    }
    case VALUE_DIM: {
        int64_t low, high;
        dim_bounds(v->as.dim, &low, &high);
        *out = true;
        if (low > 0 || high < 0) return true;
        break;
    }
    case VALUE_TENSOR:
    case VALUE_CELL: {
        Diagnostic *d =
            lower_error(lw, NN_TENSOR_CONDITION, span,
                        "the condition depends on a tensor, which has no value while compiling");
        diagnostic_help(
            d, "choose element by element with `where(condition, a, b)`; a loop over time is "
               "`scan h = h0 for xt in x { ... }`");
        return false;
    }
    case VALUE_DTYPE:
    case VALUE_SLICE:
    case VALUE_ELLIPSIS:
    case VALUE_CLASS:
    case VALUE_INSTANCE:
    case VALUE_FUNCTION:
    case VALUE_BUILTIN:
    case VALUE_NAMESPACE: *out = true; return true;
    }
    Text text = text_new(lw->arena);
    value_print(&text, v, true);
    Diagnostic *d = lower_error(lw, NN_UNDECIDED_DIM, span,
                                "whether %s is zero is not known while compiling", text.data);
    diagnostic_help(d, "state it in the signature: `where %s > 0`", text.data);
    return false;
}

/* ---- comparison ---- */

static bool undecided(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span) {
    Text left = text_new(lw->arena), right = text_new(lw->arena);
    value_print(&left, a, true);
    value_print(&right, b, true);
    Diagnostic *d =
        lower_error(lw, NN_UNDECIDED_DIM, span, "whether %s %s %s is not known while compiling",
                    left.data, operator_text(op), right.data);
    diagnostic_help(d, "state it in the signature: `where %s %s %s`", left.data, operator_text(op),
                    right.data);
    return false;
}

/* What an assert says of dims becomes a check of the entry where it cannot be decided; false: it
 * cannot be one, and nothing was reported. */
static bool state_order(Lowerer *lw, Operator op, const Dim *a, const Dim *b, Span span) {
    const Dim *one = dim_const(lw->dims, 1);
    if (op == OPERATOR_LT) a = dim_add(lw->dims, a, one);
    if (op == OPERATOR_GT) b = dim_add(lw->dims, b, one);
    if (op == OPERATOR_LE || op == OPERATOR_LT) return dims_require_order(lw, a, b, NULL, span);
    return (op == OPERATOR_GE || op == OPERATOR_GT) && dims_require_order(lw, b, a, NULL, span);
}

static bool compare_dims(Lowerer *lw, Operator op, const Value *va, const Value *vb, Span span,
                         bool *out) {
    const Dim *a = va->kind == VALUE_DIM ? va->as.dim : dim_const(lw->dims, integer_of(va));
    const Dim *b = vb->kind == VALUE_DIM ? vb->as.dim : dim_const(lw->dims, integer_of(vb));
    bool swap = op == OPERATOR_GE || op == OPERATOR_LT;
    bool negate = op == OPERATOR_NE || op == OPERATOR_LT || op == OPERATOR_GT;
    DimTruth truth;
    if (op == OPERATOR_EQ || op == OPERATOR_NE)
        truth = dim_equal(lw->dims, a, b);
    else
        truth = swap ? dim_less_equal(lw->dims, b, a) : dim_less_equal(lw->dims, a, b);
    if (truth != DIM_UNKNOWN) {
        *out = (truth == DIM_YES) != negate;
        return true;
    }
    bool stating = lw->stating && lw->entry;
    lw->stating = false; /* the text may compare, too */
    if (stating) lw->check_text = eval_assert_text(lw, lw->asserted);
    bool stated = false, told = stating && op == OPERATOR_EQ;
    if (told)
        stated = dims_unify(lw, a, b, "assert", span);
    else if (stating)
        stated = state_order(lw, op, a, b, span);
    lw->check_text = NULL;
    *out = stated;
    return stated || (!told && undecided(lw, op, va, vb, span));
}

/* Lists may share parts, so that comparing takes exponential time, and hold themselves. */
enum { COMPARE_DEPTH = 200 };

static bool comparison_goes_on(Lowerer *lw, int depth, Span span) {
    if (!lower_step(lw, span)) return false;
    if (depth < COMPARE_DEPTH) return true;
    lower_error(lw, NN_RECURSION, span, "lists nested more than %d levels deep are not compared",
                COMPARE_DEPTH);
    return false;
}

/* -1, 0, 1 of numbers and texts; sequences lexicographically. 2: unordered (nan); 3: not
 * comparable; 4: an error was reported. */
static int order(Lowerer *lw, const Value *a, const Value *b, int depth, Span span) {
    if (is_integral(a) && is_integral(b)) {
        int64_t x = integer_of(a), y = integer_of(b);
        return x < y ? -1 : x > y;
    }
    if (is_number(a) && is_number(b)) {
        double x = number_of(a), y = number_of(b);
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
    }
    if (a->kind == VALUE_STR && b->kind == VALUE_STR) {
        int c = strcmp(a->as.text, b->as.text);
        return c < 0 ? -1 : c > 0;
    }
    if (value_is_list(a) && a->kind == b->kind) {
        int n = a->as.list->items.count, m = b->as.list->items.count;
        for (int i = 0; i < n && i < m; i++) {
            if (!comparison_goes_on(lw, depth, span)) return 4;
            int c =
                order(lw, &a->as.list->items.data[i], &b->as.list->items.data[i], depth + 1, span);
            if (c) return c;
        }
        return n < m ? -1 : n > m;
    }
    return 3;
}

static bool values_same(Lowerer *lw, Operator op, const Value *a, const Value *b, int depth,
                        Span span, bool *out) {
    if (is_dim(a) && is_dim(b) && (a->kind == VALUE_DIM || b->kind == VALUE_DIM))
        return compare_dims(lw, op, a, b, span, out);
    bool sequences = value_is_list(a) && a->kind == b->kind;
    bool same = true;
    if (sequences && a->as.list->items.count == b->as.list->items.count) {
        for (int i = 0; i < a->as.list->items.count && same; i++)
            if (!comparison_goes_on(lw, depth, span) ||
                !values_same(lw, OPERATOR_EQ, &a->as.list->items.data[i],
                             &b->as.list->items.data[i], depth + 1, span, &same))
                return false;
    } else {
        same = value_equal(a, b);
    }
    *out = (op == OPERATOR_EQ) == same;
    return true;
}

static bool contains(Lowerer *lw, const Value *item, const Value *in, Span span, bool *out) {
    if (in->kind == VALUE_STR && item->kind == VALUE_STR) {
        *out = strstr(in->as.text, item->as.text) != NULL;
        return true;
    }
    ValueList *list;
    if (!eval_iterate(lw, in, span, &list)) return false;
    *out = false;
    for (int i = 0; i < list->items.count && !*out; i++)
        if (!values_same(lw, OPERATOR_EQ, item, &list->items.data[i], 0, span, out)) return false;
    return true;
}

bool host_compare(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span, bool *out) {
    if (op == OPERATOR_IN || op == OPERATOR_NOT_IN) {
        if (!contains(lw, a, b, span, out)) return false;
        if (op == OPERATOR_NOT_IN) *out = !*out;
        return true;
    }
    if (op == OPERATOR_IS || op == OPERATOR_IS_NOT) {
        *out = (a->kind == b->kind && value_equal(a, b)) == (op == OPERATOR_IS);
        return true;
    }
    if (op == OPERATOR_EQ || op == OPERATOR_NE) return values_same(lw, op, a, b, 0, span, out);
    if (is_dim(a) && is_dim(b) && (a->kind == VALUE_DIM || b->kind == VALUE_DIM))
        return compare_dims(lw, op, a, b, span, out);
    int c = order(lw, a, b, 0, span);
    if (c == 3) operand_error(lw, op, a, b, span);
    if (c >= 3) return false;
    *out = c != 2 && (op == OPERATOR_LT   ? c < 0
                      : op == OPERATOR_LE ? c <= 0
                      : op == OPERATOR_GT ? c > 0
                                          : c >= 0);
    return true;
}
