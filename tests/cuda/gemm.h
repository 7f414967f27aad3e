/* A libcublasLt for tests that call models on the shim: tests/cuda/shim/cublaslt.cpp, built once.
 */
#ifndef NNC_TESTS_CUDA_GEMM_H
#define NNC_TESTS_CUDA_GEMM_H

#include "cuda/shim.h"

/* The flag by which a model opens it; without effect on a GPU, which has the library itself. */
static inline const char *gemm_flag(Arena *arena) {
    static bool built;
    if (tests_on_device()) return "-DNN_TESTS_GEMM";
    char *folder = program_folder(arena, "cublaslt");
    const char *path = arena_printf(arena, "%s/libcublasLt.so.13", folder);
    const char *command =
        arena_printf(arena,
                     "g++ -std=c++17 -O2 -ffp-contract=off -Wall -Wextra -Werror -fPIC -shared "
                     "-I%s/tests/cuda/shim %s/tests/cuda/shim/cublaslt.cpp -o libcublasLt.so.13",
                     SOURCE_DIR, SOURCE_DIR);
    if (!built && command_run_text(folder, NULL, command) != 0) fail_msg("%s", command);
    built = true;
    return arena_printf(arena, "-DNN_CUBLASLT_NAMES=\"%s\"", path);
}

#endif
