/* What a standalone binary hands to the runtime's main.  Shared by templates/standalone.c and the
 * runtime. */
#ifndef NNC_STANDALONE_H
#define NNC_STANDALONE_H

#include "nnc_abi.h"
#include "nnc_cuda_abi.h"
#include "nnc_device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct NncStandalone {
    const nnc_model *model;
    const char *entry;
    const void *weights; /* a safetensors file */
    size_t weights_bytes;
    const char *const *labels; /* names of the classes, or NULL */
    int label_count;
    const char *target; /* what the code was compiled for, for --describe */
    /* The same model for a GPU, and the functions that reach it; NULL where there is none. */
    const nnc_cuda_model *cuda_model;
    const nnc_device *cuda;
} NncStandalone;

/* The binary's main: reads images or arrays, prints labels and probabilities (or the results).
 * Returns the exit status. */
int nnc_standalone_main(int argc, char **argv, const NncStandalone *standalone);

#ifdef __cplusplus
}
#endif
#endif
