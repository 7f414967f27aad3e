/* Element types: the table of dtypes.def and PyTorch's promotion lattice.  No state. */
#include "types/dtype.h"

#include <string.h>

typedef struct DTypeRow {
    const char *name, *c_type, *safetensors;
    size_t bytes;
    DTypeKind kind;
} DTypeRow;

static const DTypeRow rows[DTYPE_COUNT] = {
#define DTYPE(e, spelling, size, k, ctype, st) {spelling, ctype, st, size, DTYPE_KIND_##k},
#include "types/dtypes.def"
#undef DTYPE
};

const char *dtype_name(DType t) {
    return rows[t].name;
}

const char *dtype_c_type(DType t) {
    return rows[t].c_type;
}

const char *dtype_safetensors(DType t) {
    return rows[t].safetensors;
}

size_t dtype_bytes(DType t) {
    return rows[t].bytes;
}

DTypeKind dtype_kind(DType t) {
    return rows[t].kind;
}

bool dtype_parse(const char *name, DType *out) {
    for (int i = 0; i < DTYPE_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *out = (DType)i;
            return true;
        }
    }
    return false;
}

DType dtype_promote(DType a, DType b) {
    if (a == b) return a;
    if (rows[a].kind != rows[b].kind) return rows[a].kind > rows[b].kind ? a : b;
    DType low = a < b ? a : b, high = a < b ? b : a;
    if (low == DTYPE_F16 && high == DTYPE_BF16) return DTYPE_F32;
    if (low == DTYPE_U8 && high == DTYPE_I8) return DTYPE_I16;
    return high;
}

void dtype_int_range(DType t, long long *lo, long long *hi) {
    int bits = (int)rows[t].bytes * 8;
    if (t == DTYPE_BOOL) {
        *lo = 0;
        *hi = 1;
    } else if (t == DTYPE_U8) {
        *lo = 0;
        *hi = 255;
    } else {
        *hi = (long long)(~0ULL >> (65 - bits));
        *lo = -*hi - 1;
    }
}
