/* compare A B BOUND: two safetensors files have the same tensors, and no element of one differs
 * from the other's by more than BOUND times the largest magnitude of its tensor (or of 1, where
 * that is larger). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "nncrt.h"

int main(int argc, char **argv) {
    NncTensorFile files[2];
    NncError error;
    double bound = argc == 4 ? atof(argv[3]) : -1, worst = 0;
    if (bound < 0) return 2;
    for (int i = 0; i < 2; ++i)
        if (!nnc_safetensors_read(argv[1 + i], &files[i], &error)) {
            fprintf(stderr, "%s\n", error.text);
            return 1;
        }
    if (files[0].count != files[1].count || files[0].count == 0) {
        fprintf(stderr, "%d and %d tensors\n", files[0].count, files[1].count);
        return 1;
    }
    for (int t = 0; t < files[0].count; ++t) {
        const NncArray *a = &files[0].tensors[t], *b = nnc_tensor_file_find(&files[1], a->name);
        if (!b || b->dtype != a->dtype || b->bytes != a->bytes) {
            fprintf(stderr, "%s is not in both\n", a->name);
            return 1;
        }
        size_t count = a->bytes / nnc_dtype_bytes(a->dtype);
        double largest = 1, difference = 0;
        for (size_t i = 0; i < count; ++i) {
            double x = nnc_element_get(a->dtype, a->data, i),
                   y = nnc_element_get(b->dtype, b->data, i);
            largest = fmax(largest, fmax(fabs(x), fabs(y)));
            if (!(fabs(x - y) <= difference)) difference = isfinite(x - y) ? fabs(x - y) : INFINITY;
        }
        worst = fmax(worst, difference / largest);
    }
    printf("%d tensors, largest difference %.3g\n", files[0].count, worst);
    return worst <= bound ? 0 : 1;
}
