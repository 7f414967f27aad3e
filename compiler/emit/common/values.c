/* Numbers and dims as C text.
 *
 * Output is exact: the fewest decimals that a correctly rounding reader takes for the value. */
#include "emit/common/common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void emit_int(Text *out, int64_t value) {
    if (value == INT64_MIN)
        text_append(out, "INT64_MIN");
    else if (value > INT32_MAX || value < -INT32_MAX)
        text_printf(out, "INT64_C(%lld)", (long long)value);
    else
        text_integer(out, value);
}

static void put_decimals(Text *out, double value, DType dtype) {
    char text[40];
    bool single = dtype != DTYPE_F64;
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) break;
    }
    text_append(out, text);
    if (!strpbrk(text, ".e")) text_append(out, ".0");
}

void emit_float(Text *out, double value, DType dtype) {
    const char *suffix = dtype == DTYPE_F64 ? "" : "f";
    if (dtype == DTYPE_F32) value = (double)(float)value;
    if (value != value) {
        text_append(out, dtype == DTYPE_F64 ? "(double)NAN" : "NAN");
    } else if (isinf(value)) {
        const char *sign = value < 0 ? "-" : "";
        text_printf(out, dtype == DTYPE_F64 ? "(%s(double)INFINITY)" : "(%sINFINITY)", sign);
    } else if (value == floor(value) && fabs(value) < 1e7) {
        if (signbit(value)) text_char(out, '-');
        text_integer(out, (int64_t)fabs(value));
        text_append(out, ".0");
        text_append(out, suffix);
    } else {
        put_decimals(out, value, dtype);
        text_append(out, suffix);
    }
}

/* Rounds |value| to a float of `fraction` bits below the leading one and least exponent `least`. */
static uint32_t round_half(double value, int fraction, int least, uint32_t infinity) {
    if (value != value) return infinity | 1u << (fraction - 1);
    value = fabs(value);
    if (isinf(value)) return infinity;
    if (value == 0) return 0;
    int exponent = 0;
    frexp(value, &exponent);
    exponent = exponent - 1 < least ? least : exponent - 1;
    double unit = ldexp(1.0, exponent - fraction);
    double count = value / unit, whole = floor(count);
    double rest = count - whole;
    if (rest > 0.5 || (rest == 0.5 && fmod(whole, 2.0) == 1.0)) whole += 1.0;
    uint32_t bits = (uint32_t)whole + ((uint32_t)(exponent - least) << fraction);
    return bits > infinity ? infinity : bits;
}

uint16_t emit_half_bits(double value, DType dtype) {
    uint32_t bits = dtype == DTYPE_F16 ? round_half(value, 10, -14, 0x7c00)
                                       : round_half(value, 7, -126, 0x7f80);
    return (uint16_t)(bits | (signbit(value) ? 0x8000u : 0u));
}

const char *emit_c_type(DType dtype) {
    return dtype_c_type(dtype);
}

const char *emit_abi_dtype(DType dtype) {
    static const char *const names[DTYPE_COUNT] = {
        [DTYPE_BOOL] = "NNC_BOOL", [DTYPE_U8] = "NNC_U8",     [DTYPE_I8] = "NNC_I8",
        [DTYPE_I16] = "NNC_I16",   [DTYPE_I32] = "NNC_I32",   [DTYPE_I64] = "NNC_I64",
        [DTYPE_F16] = "NNC_F16",   [DTYPE_BF16] = "NNC_BF16", [DTYPE_F32] = "NNC_F32",
        [DTYPE_F64] = "NNC_F64"};
    return names[dtype];
}

/* ---- dims ---- */

static bool atom_alone(const Dim *d) {
    return d->term_count == 1 && d->terms[0].coefficient == 1 && d->terms[0].factor_count == 1 &&
           d->terms[0].factors[0].power == 1;
}

bool emit_dim_is_atom(const Dim *d) {
    int64_t value;
    return (dim_is_const(d, &value) && value >= 0) || atom_alone(d);
}

static void emit_atom(Text *out, const DimAtom *a, SymbolText name, void *user) {
    switch (a->kind) {
    case DIM_ATOM_SYMBOL: text_append(out, name(user, a->symbol)); break;
    case DIM_ATOM_FLOORDIV:
        text_append(out, "nn_floordiv(");
        emit_dim(out, a->left, name, user);
        text_append(out, ", ");
        emit_dim(out, a->right, name, user);
        text_char(out, ')');
        break;
    case DIM_ATOM_MAX:
        text_append(out, "nn_max(");
        emit_dim(out, a->left, name, user);
        text_append(out, ", ");
        emit_dim(out, a->right, name, user);
        text_char(out, ')');
        break;
    }
}

void emit_dim(Text *out, const Dim *d, SymbolText name, void *user) {
    if (!d->term_count) text_char(out, '0');
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        int64_t c = t->coefficient;
        if (i) text_append(out, c < 0 ? " - " : " + ");
        if (i && c < 0 && c != INT64_MIN) c = -c;
        if (!t->factor_count || c != 1) {
            emit_int(out, c);
            if (t->factor_count) text_append(out, " * ");
        }
        bool first = true;
        for (int f = 0; f < t->factor_count; f++)
            for (int k = 0; k < t->factors[f].power; k++) {
                if (!first) text_append(out, " * ");
                first = false;
                emit_atom(out, t->factors[f].atom, name, user);
            }
    }
}

static void saturating_atom(Text *out, const DimAtom *a, SymbolText name, void *user) {
    if (a->kind == DIM_ATOM_SYMBOL) {
        text_append(out, name(user, a->symbol));
        return;
    }
    text_append(out, a->kind == DIM_ATOM_MAX ? "nn_max(" : "nn_floordiv(");
    emit_dim_saturating(out, a->left, name, user);
    text_append(out, ", ");
    emit_dim_saturating(out, a->right, name, user);
    text_char(out, ')');
}

void emit_dim_saturating(Text *out, const Dim *d, SymbolText name, void *user) {
    int64_t value;
    if (dim_is_const(d, &value)) {
        emit_int(out, value);
        return;
    }
    for (int i = 1; i < d->term_count; i++) text_append(out, "nn_add_size(");
    for (int i = 0; i < d->term_count; i++) {
        const DimTerm *t = &d->terms[i];
        int factors = 0;
        for (int f = 0; f < t->factor_count; f++) factors += t->factors[f].power;
        if (i) text_append(out, ", ");
        for (int f = 0; f < factors; f++) text_append(out, "nn_mul_size(");
        emit_int(out, t->coefficient);
        for (int f = 0; f < t->factor_count; f++)
            for (int k = 0; k < t->factors[f].power; k++) {
                text_append(out, ", ");
                saturating_atom(out, t->factors[f].atom, name, user);
                text_char(out, ')');
            }
        if (i) text_char(out, ')');
    }
}

bool entry_workspace_constant(const EntryPlan *entry, int64_t *arena, int64_t *scratch) {
    return dim_is_const(entry->arena_bytes, arena) && dim_is_const(entry->scratch_bytes, scratch);
}
