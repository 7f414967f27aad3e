/* How operators, casts, constants, loads and stores are spelled, for scalars and for lanes.
 *
 * Scalars are plain C where C says the same thing, nns_ functions otherwise; lanes are operators
 * and nnv_ functions of templates/lanes.h.  f16 and bf16 are computed in float and rounded after
 * every operation. */
#include "emit/kernel/writer.h"

#include <string.h>

const char *scalar_type(DType dtype) {
    switch (dtype) {
    case DTYPE_BOOL: return "int";
    case DTYPE_F16:
    case DTYPE_BF16:
    case DTYPE_F32: return "float";
    case DTYPE_F64: return "double";
    case DTYPE_U8:
    case DTYPE_I8:
    case DTYPE_I16:
    case DTYPE_I32:
    case DTYPE_I64:
    case DTYPE_COUNT: break;
    }
    return dtype_c_type(dtype);
}

const char *memory_name(DType dtype) {
    return dtype_name(dtype);
}
const char *lane_name(DType dtype) {
    return dtype_is_half(dtype) ? "f32" : dtype_name(dtype);
}

const char *scalar_constant(Writer *w, DType dtype, double number, int64_t integer) {
    Text t = text_new(w->arena);
    if (dtype_is_float(dtype))
        emit_float(&t, number, dtype);
    else
        emit_int(&t, integer);
    return t.data[0] == '-' ? writer_format(w, "(%s)", t.data) : t.data;
}

/* ---- operators ---- */

static const char *infix(Op op) {
    switch ((int)op) {
    case OP_EQ: return "==";
    case OP_NE: return "!=";
    case OP_LT: return "<";
    case OP_LE: return "<=";
    case OP_GT: return ">";
    case OP_GE: return ">=";
    case OP_AND: return "&";
    case OP_OR: return "|";
    case OP_XOR: return "^";
    case OP_ADD: return "+";
    case OP_SUB: return "-";
    case OP_MUL: return "*";
    case OP_DIV: return "/";
    default: return NULL;
    }
}

bool op_compares(Op op) {
    return op == OP_EQ || op == OP_NE || op == OP_LT || op == OP_LE || op == OP_GT || op == OP_GE;
}
static bool is_bitwise(Op op) {
    return op == OP_AND || op == OP_OR || op == OP_XOR;
}
static bool is_arithmetic(Op op) {
    return op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_DIV;
}

const char *scalar_op(Writer *w, Op op, DType operand, DType result, const char *const *a) {
    const char *sign = infix(op), *text;
    bool floating = dtype_is_float(operand), boolean = operand == DTYPE_BOOL;
    if (op == OP_SELECT) return writer_format(w, "(%s ? %s : %s)", a[0], a[1], a[2]);
    if (op == OP_ISNAN) /* an integer is read all the same: its variable has to have a use */
        return writer_format(w, floating ? "(%s != %s)" : "((void)%s, 0)", a[0], a[0]);
    if (op_compares(op)) return writer_format(w, "(%s %s %s)", a[0], sign, a[1]);
    if (boolean) {
        if (op == OP_NOT) return writer_format(w, "!%s", a[0]);
        if (op == OP_MAXIMUM || op == OP_ADD) sign = "|";
        if (op == OP_MINIMUM || op == OP_MUL) sign = "&";
        return writer_format(w, "(%s %s %s)", a[0], sign, a[1]);
    }
    if (is_bitwise(op))
        return writer_format(w, "(%s)(%s %s %s)", scalar_type(result), a[0], sign, a[1]);
    if (op == OP_NOT) return writer_format(w, "(%s)~%s", scalar_type(result), a[0]);
    if (floating && is_arithmetic(op))
        text = writer_format(w, "(%s %s %s)", a[0], sign, a[1]);
    else if (floating && op == OP_NEG)
        text = writer_format(w, "(-%s)", a[0]);
    else if (op_info(op)->arity == 1)
        text = writer_format(w, "nns_%s_%s(%s)", op_info(op)->name, lane_name(operand), a[0]);
    else
        text = writer_format(w, "nns_%s_%s(%s, %s)", op_info(op)->name, lane_name(operand), a[0],
                             a[1]);
    return dtype_is_half(result) ? writer_format(w, "nns_round_%s(%s)", dtype_name(result), text)
                                 : text;
}

const char *vector_op(Writer *w, Op op, DType operand, DType result, const char *const *a) {
    const char *sign = infix(op), *text, *lane = lane_name(operand);
    bool floating = dtype_is_float(operand), boolean = operand == DTYPE_BOOL;
    if (op == OP_SELECT)
        return writer_format(w, "nnv_select_%s(%s, %s, %s)", lane_name(result), a[0], a[1], a[2]);
    if (op == OP_ISNAN)
        return floating ? writer_format(w, "nnv_ne_%s(%s, %s)", lane, a[0], a[0])
                        : writer_format(w, "((void)%s, nnv_splat_bool(0))", a[0]);
    if (op_compares(op)) {
        /* true is -1 in a lane: the order is reversed. */
        bool swap = boolean && op != OP_EQ && op != OP_NE;
        return writer_format(w, "nnv_%s_%s(%s, %s)", op_info(op)->name, boolean ? "i32" : lane,
                             a[swap], a[!swap]);
    }
    if (boolean) {
        if (op == OP_NOT) return writer_format(w, "~%s", a[0]);
        if (op == OP_MAXIMUM || op == OP_ADD) sign = "|";
        if (op == OP_MINIMUM || op == OP_MUL) sign = "&";
        return writer_format(w, "(%s %s %s)", a[0], sign, a[1]);
    }
    if (is_bitwise(op)) return writer_format(w, "(nnv_%s)(%s %s %s)", lane, a[0], sign, a[1]);
    if (op == OP_NOT) return writer_format(w, "(nnv_%s)~%s", lane, a[0]);
    if (floating && is_arithmetic(op))
        text = writer_format(w, "(%s %s %s)", a[0], sign, a[1]);
    else if (floating && op == OP_NEG)
        text = writer_format(w, "(-%s)", a[0]);
    else if (op_info(op)->arity == 1)
        text = writer_format(w, "nnv_%s_%s(%s)", op_info(op)->name, lane, a[0]);
    else
        text = writer_format(w, "nnv_%s_%s(%s, %s)", op_info(op)->name, lane, a[0], a[1]);
    return dtype_is_half(result) ? writer_format(w, "nnv_round_%s(%s)", dtype_name(result), text)
                                 : text;
}

/* ---- casts ---- */

const char *scalar_cast(Writer *w, DType from, DType to, const char *a) {
    if (from == to) return a;
    if (to == DTYPE_BOOL) return writer_format(w, "(%s != 0)", a);
    if (dtype_is_half(to)) return writer_format(w, "nns_round_%s((float)%s)", dtype_name(to), a);
    if (dtype_is_float(from) && !dtype_is_float(to))
        return writer_format(w, "nns_%s_of_%s(%s)", dtype_name(to), lane_name(from), a);
    return writer_format(w, "((%s)%s)", scalar_type(to), a);
}

static bool is_narrow(DType t) {
    return t == DTYPE_U8 || t == DTYPE_I8 || t == DTYPE_I16;
}

const char *vector_cast(Writer *w, DType from, DType to, const char *a) {
    const char *f = lane_name(from), *t = lane_name(to);
    if (from == to) return a;
    if (to == DTYPE_BOOL) return writer_format(w, "nnv_ne_%s(%s, nnv_splat_%s(0))", f, a, f);
    if (from == DTYPE_BOOL) {
        a = writer_format(w, "(%s & 1)", a);
        f = "i32";
    }
    if (dtype_is_float(from) && !dtype_is_float(to))
        return writer_format(w, "nnv_%s_of_%s(%s)", t, f, a);
    /* Compilers convert between bytes and floats well only by way of 32-bit integers. */
    if (is_narrow(from) && dtype_is_float(to)) a = writer_format(w, "nnv_cast(i32, %s)", a);
    if (strcmp(f, t)) a = writer_format(w, "nnv_cast(%s, %s)", t, a);
    return dtype_is_half(to) ? writer_format(w, "nnv_round_%s(%s)", dtype_name(to), a) : a;
}

/* ---- memory, scalar ---- */

const char *scalar_load(Writer *w, int slot, const char *offset) {
    DType t = w->kernel->slots.data[slot].dtype;
    const char *name = w->slot_names[slot];
    if (t == DTYPE_BOOL) return writer_format(w, "(%s[%s] != 0)", name, offset);
    if (dtype_is_half(t))
        return writer_format(w, "nns_load_%s(&%s[%s])", dtype_name(t), name, offset);
    return writer_format(w, "%s[%s]", name, offset);
}

void scalar_store(Writer *w, int slot, const char *offset, const char *value) {
    DType t = w->kernel->slots.data[slot].dtype;
    const char *name = w->slot_names[slot];
    if (dtype_is_half(t))
        writer_line(w, "nns_store_%s(&%s[%s], %s);", dtype_name(t), name, offset, value);
    else if (t == DTYPE_BOOL)
        writer_line(w, "%s[%s] = (uint8_t)(%s);", name, offset, value);
    else
        writer_line(w, "%s[%s] = %s;", name, offset, value);
}
