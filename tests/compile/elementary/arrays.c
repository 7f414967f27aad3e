/* What the prelude composes of elementary functions, over arrays: with the emitted composed.c a
 * shared object. */
#include "composed.h"

#define FUNCTION(name, unit, bound, reference)
#define COMPOSED(name, unit, bound, reference)              \
    void apply_##name(const float *x, float *y, size_t n);  \
    void apply_##name(const float *x, float *y, size_t n) { \
        nnc_context context = {0};                          \
        if (name(&context, (int64_t)n, x, y)) y[0] = -1;    \
    }
#include "functions.def"
