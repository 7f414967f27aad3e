/* The main of a standalone binary: picks the code for this processor and hands over to the runtime.
 * NNC_VARIANTS(X) lists X(name, test, text) from the best to the baseline, NNC_ENTRY names the
 * entry, NNC_HOLDS_CUDA says that the model is there for a GPU, too; these come from the command
 * line of the compiler that builds the binary. */
#include "nnc_standalone.h"

#ifndef NNC_VARIANTS
#define NNC_VARIANTS(X) X(baseline, 1, "any processor of this architecture")
#endif
#ifndef NNC_ENTRY
#define NNC_ENTRY "main"
#endif

extern const unsigned char nnc_weights_begin[], nnc_weights_end[];
extern const char *const nnc_labels[];
extern const int nnc_label_count;

#define DECLARE(name, test, text) const nnc_model *nnc_variant_##name(void);
NNC_VARIANTS(DECLARE)
#ifdef NNC_HOLDS_CUDA
const nnc_cuda_model *nnc_cuda_variant(void);
#endif

int main(int argc, char **argv) {
    NncStandalone standalone = {0};
    standalone.entry = NNC_ENTRY;
    standalone.weights = nnc_weights_begin;
    standalone.weights_bytes = (size_t)(nnc_weights_end - nnc_weights_begin);
    standalone.labels = nnc_labels;
    standalone.label_count = nnc_label_count;
#define CHOOSE(name, test, text)                 \
    if (!standalone.model && (test)) {           \
        standalone.model = nnc_variant_##name(); \
        standalone.target = text;                \
    }
    NNC_VARIANTS(CHOOSE)
#ifdef NNC_HOLDS_CUDA
    standalone.cuda_model = nnc_cuda_variant();
    standalone.cuda = nnc_device_functions();
#endif
    return nnc_standalone_main(argc, argv, &standalone);
}
