/* `nnc FILE --emit=exe`: a standalone binary around one exported entry, its weights inside. */
#ifndef NNC_DRIVER_EXE_H
#define NNC_DRIVER_EXE_H

#include "driver/model.h"
#include "driver/targets.h"

typedef struct ExeOptions {
    const char *target; /* FILE[:export] */
    PipelineOptions pipeline;
    const char *weights; /* needed when the model has parameters */
    const char *labels;  /* a text file, one name a line; may be NULL */
    const char *output;
    const char *cc;
    const Target *for_target; /* one with a march: code for that alone; otherwise the best of
                                 several is chosen at start */
    DeviceWish device;        /* CUDA: code for a GPU, too; AUTO: if there is a compiler for it */
    const char *nvcc, *cuda_arch; /* --nvcc, --cuda-arch, or NULL */
    bool verbose;
} ExeOptions;

int exe_command(const ExeOptions *options);

#endif
