/* Python's operators on tensors: arithmetic, comparison, bits, and `@`, which is the library's
 * matmul. Operands are promoted and broadcast first, so that the graph sees equal types only. */
#include "lower/tensor/tensor_internal.h"

static Node *apply(Lowerer *lw, Op op, const Operand *operands, int count, DType dtype,
                   const Shape *shape, Span span) {
    Node *nodes[3];
    for (int i = 0; i < count; i++) {
        nodes[i] = operand_node(lw, &operands[i], dtype, shape, span);
        if (!nodes[i]) return NULL;
    }
    return op_elementwise(lw->graph, op, nodes, count);
}

static Value dtype_error(Lowerer *lw, const char *operator_, DType dtype, const char *help,
                         Span span) {
    Diagnostic *d =
        lower_error(lw, NN_TENSOR_DTYPE, span, "'%s' is not defined for tensors of dtype %s",
                    operator_, dtype_name(dtype));
    if (help) diagnostic_help(d, "%s", help);
    return value_error();
}

/* x ** n by multiplications: exact for integers, and torch's own result for small n. */
static Node *integer_power(Lowerer *lw, Node *x, int64_t n) {
    Node *result = NULL, *square = x;
    for (uint64_t rest = (uint64_t)n; rest; rest >>= 1) {
        if (rest & 1) result = result ? op_binary(lw->graph, OP_MUL, result, square) : square;
        if (rest > 1) square = op_binary(lw->graph, OP_MUL, square, square);
    }
    return result;
}

/* Powers with a constant exponent that need no pow(); NULL when there is no such form. */
static Node *constant_power(Lowerer *lw, Node *x, double exponent) {
    Graph *g = lw->graph;
    bool floating = dtype_is_float(x->type.dtype);
    if (exponent == 0) return op_const(g, 1, x->type);
    if (exponent == 1) return op_identity(g, x);
    if (exponent == 2 || exponent == 3) return integer_power(lw, x, (int64_t)exponent);
    if (!floating) {
        bool whole = exponent > 0 && exponent < 64 && exponent == (double)(int64_t)exponent;
        return whole ? integer_power(lw, x, (int64_t)exponent) : NULL;
    }
    if (exponent == 0.5) return op_unary(g, OP_SQRT, x);
    if (exponent == -0.5) return op_unary(g, OP_RSQRT, x);
    if (exponent == -1) return op_binary(g, OP_DIV, op_const(g, 1, x->type), x);
    if (exponent == -2)
        return op_binary(g, OP_DIV, op_const(g, 1, x->type), integer_power(lw, x, 2));
    return NULL;
}

static Value power(Lowerer *lw, const Operand *operands, DType dtype, Span span) {
    if (dtype == DTYPE_BOOL) dtype = DTYPE_I64;
    const Value *exponent = operands[1].value;
    bool constant = !operands[1].node && exponent->kind != VALUE_DIM;
    if (constant && operands[0].node) {
        double e = exponent->kind == VALUE_FLOAT ? exponent->as.number
                   : exponent->kind == VALUE_INT ? (double)exponent->as.integer
                                                 : exponent->as.boolean;
        Node *x = op_cast(lw->graph, operands[0].node, dtype);
        if (!dtype_is_float(dtype) && e < 0) {
            lower_error(lw, NN_TENSOR_DTYPE, span,
                        "integers to negative integer powers are not allowed (%s)",
                        dtype_name(dtype));
            return value_error();
        }
        Node *result = x ? constant_power(lw, x, e) : NULL;
        if (result) return value_of_node(lw, result, operands[0].value);
    }
    if (!dtype_is_float(dtype) && !operands[1].node)
        return dtype_error(lw, "**", dtype, "convert the operands with .float()", span);
    if (!dtype_is_float(dtype)) {
        Value both[2] = {*operands[0].value, *exponent};
        return eval_library(lw, "pow", both, 2, span);
    }
    Shape shape;
    if (!operands_shape(lw, "'**'", operands, 2, &shape, span)) return value_error();
    return value_of_node(lw, apply(lw, OP_POW, operands, 2, dtype, &shape, span),
                         operands[0].value);
}

Value tensor_binary(Lowerer *lw, Operator operator_, const Value *a, const Value *b, Span span) {
    if (operator_ >= OPERATOR_EQ && operator_ <= OPERATOR_GE)
        return tensor_compare(lw, operator_, a, b, span);
    if (operator_ == OPERATOR_MATMUL) {
        Value both[2] = {*a, *b};
        return eval_library(lw, "matmul", both, 2, span);
    }
    Operand operands[2];
    bool ok = operand_read(lw, a, span, &operands[0]);
    if (!operand_read(lw, b, span, &operands[1]) || !ok) return value_error();
    lower_mark(lw, span);
    DType dtype = operands_dtype(lw, operands, 2);
    bool boolean = dtype == DTYPE_BOOL, floating = dtype_is_float(dtype);
    Op op;
    switch ((int)operator_) {
    case OPERATOR_ADD: op = boolean ? OP_OR : OP_ADD; break;
    case OPERATOR_SUB:
        if (boolean) return dtype_error(lw, "-", dtype, "use `^` or `~` on bool tensors", span);
        op = OP_SUB;
        break;
    case OPERATOR_MUL: op = boolean ? OP_AND : OP_MUL; break;
    case OPERATOR_DIV:
        if (!floating) dtype = lw->options->default_dtype;
        op = OP_DIV;
        break;
    case OPERATOR_FLOORDIV:
    case OPERATOR_MOD:
        if (boolean) return dtype_error(lw, operator_text(operator_), dtype, NULL, span);
        op = operator_ == OPERATOR_MOD ? OP_MOD : OP_FLOORDIV;
        break;
    case OPERATOR_POW: return power(lw, operands, dtype, span);
    case OPERATOR_BITAND:
    case OPERATOR_BITOR:
    case OPERATOR_BITXOR:
        if (floating)
            return dtype_error(lw, operator_text(operator_), dtype,
                               "compare first, or convert with .bool()", span);
        op = operator_ == OPERATOR_BITAND ? OP_AND : operator_ == OPERATOR_BITOR ? OP_OR : OP_XOR;
        break;
    default:
        lower_error(lw, NN_TENSOR_OPERAND, span, "'%s' is not defined for tensors",
                    operator_text(operator_));
        return value_error();
    }
    const char *what = arena_printf(lw->arena, "'%s'", operator_text(operator_));
    Shape shape;
    if (!operands_shape(lw, what, operands, 2, &shape, span)) return value_error();
    const Value *from = a->kind == VALUE_TENSOR ? a : b;
    return value_of_node(lw, apply(lw, op, operands, 2, dtype, &shape, span), from);
}

/* An int that the tensor's dtype cannot hold (u8 ids against -100): compared as i64. */
static bool beyond_range(const Operand *operand, DType dtype) {
    long long low, high;
    if (operand->node || operand->value->kind != VALUE_INT ||
        dtype_kind(dtype) != DTYPE_KIND_INTEGER)
        return false;
    dtype_int_range(dtype, &low, &high);
    return operand->value->as.integer < low || operand->value->as.integer > high;
}

Value tensor_compare(Lowerer *lw, Operator operator_, const Value *a, const Value *b, Span span) {
    static const Op ops[] = {OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE};
    if (operator_ < OPERATOR_EQ || operator_ > OPERATOR_GE) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "'%s' is not defined for tensors",
                    operator_text(operator_));
        return value_error();
    }
    Operand operands[2];
    bool ok = operand_read(lw, a, span, &operands[0]);
    if (!operand_read(lw, b, span, &operands[1]) || !ok) return value_error();
    lower_mark(lw, span);
    const char *what = arena_printf(lw->arena, "'%s'", operator_text(operator_));
    Shape shape;
    if (!operands_shape(lw, what, operands, 2, &shape, span)) return value_error();
    DType dtype = operands_dtype(lw, operands, 2);
    if (beyond_range(&operands[0], dtype) || beyond_range(&operands[1], dtype)) dtype = DTYPE_I64;
    Node *node = apply(lw, ops[operator_ - OPERATOR_EQ], operands, 2, dtype, &shape, span);
    return value_of_node(lw, node, a->kind == VALUE_TENSOR ? a : b);
}

Value tensor_unary(Lowerer *lw, Operator operator_, const Value *a, Span span) {
    Node *x = value_node(lw, a, span);
    if (!x) return value_error();
    lower_mark(lw, span);
    DType dtype = x->type.dtype;
    switch ((int)operator_) {
    case OPERATOR_POS: return value_of_node(lw, x, a);
    case OPERATOR_NEG:
        if (dtype == DTYPE_BOOL)
            return dtype_error(lw, "-", dtype, "use `~` on bool tensors", span);
        return value_of_node(lw, op_unary(lw->graph, OP_NEG, x), a);
    case OPERATOR_INVERT:
        if (dtype_is_float(dtype)) return dtype_error(lw, "~", dtype, NULL, span);
        return value_of_node(lw, op_unary(lw->graph, OP_NOT, x), a);
    default:
        lower_error(lw, NN_TENSOR_OPERAND, span, "'%s' is not defined for tensors",
                    operator_text(operator_));
        return value_error();
    }
}

/* ---- the rows of ops.def as prim functions, with broadcasting and promotion ---- */

typedef enum TypeRule {
    RULE_SAME,
    RULE_FLOAT,
    RULE_BOOL,
    RULE_SELECT,
    RULE_LOGIC,
    RULE_BITS
} TypeRule;

static Value elementwise(Lowerer *lw, Op op, const char *name, int arity, TypeRule rule,
                         const CallArguments *args, Span span) {
    const char *what = arena_printf(lw->arena, "'%s'", name);
    if (args->count != arity) {
        lower_error(lw, NN_TENSOR_OPERAND, span, "%s takes %d operand%s, found %d", what, arity,
                    arity == 1 ? "" : "s", args->count);
        return value_error();
    }
    Operand operands[3];
    for (int i = 0; i < arity; i++)
        if (!operand_read(lw, &args->values[i], args->spans ? args->spans[i] : span, &operands[i]))
            return value_error();
    lower_mark(lw, span);
    Shape shape;
    if (!operands_shape(lw, what, operands, arity, &shape, span)) return value_error();
    int first = rule == RULE_SELECT ? 1 : 0;
    DType dtype = operands_dtype(lw, operands + first, arity - first);
    if (rule == RULE_FLOAT && !dtype_is_float(dtype)) dtype = lw->options->default_dtype;
    if ((rule == RULE_BITS || rule == RULE_LOGIC) && dtype_is_float(dtype))
        return dtype_error(lw, name, dtype, NULL, span);
    Node *nodes[3];
    for (int i = 0; i < arity; i++) {
        nodes[i] = operand_node(lw, &operands[i], i < first ? DTYPE_BOOL : dtype, &shape, span);
        if (!nodes[i]) return value_error();
    }
    const Value *from = &args->values[first];
    return value_of_node(lw, op_elementwise(lw->graph, op, nodes, arity), from);
}

#define ELEMENTWISE(e, name, arity, rule, properties, reference)              \
    Value prim_##e(Lowerer *lw, const CallArguments *args, Span span) {       \
        return elementwise(lw, OP_##e, name, arity, RULE_##rule, args, span); \
    }
#include "tensor/ops.def"
#undef ELEMENTWISE
