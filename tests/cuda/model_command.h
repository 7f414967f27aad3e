/* The command that makes model.so of model.cu, seen through the tables of nnc_abi.h (adapter.cpp):
 * g++ and the shim, or, with CUDA_TESTS=device, nvcc for the GPU of this machine. */
#ifndef NNC_TESTS_CUDA_MODEL_COMMAND_H
#define NNC_TESTS_CUDA_MODEL_COMMAND_H

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static inline bool tests_on_device(void) {
    const char *where = getenv("CUDA_TESTS");
    return where && !strcmp(where, "device");
}

/* Of root `root`; `extra`: flags of the preprocessor.  No shell reads it. */
static inline const char *model_command(Arena *arena, const char *root, const char *extra) {
    const char *compiler =
        tests_on_device()
            ? "nvcc -O1 -arch=native -x cu -Xcompiler -fPIC"
            : arena_printf(arena,
                           "g++ -O1 -fno-strict-aliasing -fno-gnu-unique -fPIC -Wall -Wextra "
                           "-Werror -Wno-psabi -I%s/tests/cuda/shim",
                           SOURCE_DIR);
    return arena_printf(arena,
                        "%s -std=c++17 -shared %s -I. -include model.cu -DMODEL=%s_model "
                        "-DCUDA_MODEL=%s_cuda_model %s/tests/cuda/shim/adapter.cpp -o model.so",
                        compiler, extra, root, root, SOURCE_DIR);
}

#endif
