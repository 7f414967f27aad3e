/* The functions of templates/elementary.h over arrays: a shared object for each set of compiler
 * flags. */
#include "elementary.h"

#include <stddef.h>

/* n is a multiple of every number of lanes. */
#define COMPOSED(name, unit, bound, reference)
#define FUNCTION(name, unit, bound, reference)                           \
    void apply_##name(const float *x, float *y, size_t n) {              \
        for (size_t i = 0; i < n; i += NN_LANES)                         \
            nnv_store_f32(y + i, nnv_##name##_f32(nnv_load_f32(x + i))); \
    }
#include "functions.def"
