/* Emitted CUDA code, compiled and loaded: whether this machine has a GPU and a compiler for it, and
 * a model that runs there. */
#ifndef NNC_DRIVER_CUDA_H
#define NNC_DRIVER_CUDA_H

#include "driver/model.h"

typedef struct Cuda {
    bool found;
    int capability; /* of the GPU, as in nnc_device.h; 0: not known */
} Cuda;

/* Compiles the functions of nnc_device.h alone (once: they are kept) and asks them.  0, 3 after a
 * message that says why no GPU can be used, or 130 or 143 after a signal. */
int cuda_find(const EngineOptions *options, Cuda *out, NncError *error);
/* Fills the model's table, engine and device; `cuda` is what cuda_find has found. */
int cuda_open(Model *model, const Pipeline *pipeline, Root *root, const EngineOptions *options,
              const Cuda *cuda, NncError *error);

#endif
