/* What templates/cuda_gemm.h declares of cuBLASLt is what cublasLt.h says: numbers, sizes, and how
 * each function takes its arguments.  Compiles or does not. */
#include <cublasLt.h>
#include <cstddef>
#include <type_traits>

#define NN_CHECKS 1
#include "cuda_gemm.h"

#define SAME(ours, theirs) static_assert((int)(ours) == (int)(theirs), #theirs)
SAME(NN_R_32F, CUDA_R_32F);
SAME(NN_R_64F, CUDA_R_64F);
SAME(NN_R_16F, CUDA_R_16F);
SAME(NN_R_16BF, CUDA_R_16BF);
SAME(NN_COMPUTE_32F, CUBLAS_COMPUTE_32F);
SAME(NN_COMPUTE_64F, CUBLAS_COMPUTE_64F);
SAME(NN_COMPUTE_32F_FAST_16BF, CUBLAS_COMPUTE_32F_FAST_16BF);
SAME(NN_COMPUTE_32F_FAST_TF32, CUBLAS_COMPUTE_32F_FAST_TF32);
SAME(NN_LAYOUT_BATCH_COUNT, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
SAME(NN_LAYOUT_STRIDED_BATCH_OFFSET, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
SAME(NN_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSA);
SAME(NN_DESC_TRANSB, CUBLASLT_MATMUL_DESC_TRANSB);
SAME(NN_DESC_EPILOGUE, CUBLASLT_MATMUL_DESC_EPILOGUE);
SAME(NN_DESC_BIAS_POINTER, CUBLASLT_MATMUL_DESC_BIAS_POINTER);
SAME(NN_PREF_MAX_WORKSPACE_BYTES, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
SAME(NN_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
SAME(NN_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
SAME(NN_PREF_MIN_ALIGNMENT_B_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
SAME(NN_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
SAME(NN_PREF_MIN_ALIGNMENT_D_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
SAME(NN_REDUCTION_SCHEME_COMPUTE_TYPE, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
SAME(NN_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_BIAS);
SAME(NN_OP_T, CUBLAS_OP_T);
SAME(NN_NO_LIBRARY, cudaErrorSharedObjectInitFailed);
SAME(NN_LIBRARY_FAILS, cudaErrorUnknown);
SAME(sizeof(nn_lt_algorithm), sizeof(cublasLtMatmulAlgo_t));
SAME(sizeof(nn_lt_heuristic), sizeof(cublasLtMatmulHeuristicResult_t));
SAME(offsetof(nn_lt_heuristic, algorithm), offsetof(cublasLtMatmulHeuristicResult_t, algo));
SAME(offsetof(nn_lt_heuristic, workspace),
     offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
SAME(offsetof(nn_lt_heuristic, state), offsetof(cublasLtMatmulHeuristicResult_t, state));

/* Pointers stand for pointers, and numbers for numbers of their size. */
template <class Ours, class Theirs> constexpr bool alike() {
    return sizeof(Ours) == sizeof(Theirs) && std::is_pointer<Ours>() == std::is_pointer<Theirs>();
}
template <class R, class... Ours, class S, class... Theirs>
constexpr bool match(R (*)(Ours...), S (*)(Theirs...)) {
    if constexpr (sizeof...(Ours) == sizeof...(Theirs))
        return alike<R, S>() && (alike<Ours, Theirs>() && ...);
    return false;
}
#define MATCH(member, function) \
    static_assert(match(decltype(nn_lt::member)(nullptr), decltype (&function)(nullptr)), #function)
MATCH(create, cublasLtCreate);
MATCH(destroy, cublasLtDestroy);
MATCH(layout_create, cublasLtMatrixLayoutCreate);
MATCH(layout_destroy, cublasLtMatrixLayoutDestroy);
MATCH(layout_set, cublasLtMatrixLayoutSetAttribute);
MATCH(operation_create, cublasLtMatmulDescCreate);
MATCH(operation_destroy, cublasLtMatmulDescDestroy);
MATCH(operation_set, cublasLtMatmulDescSetAttribute);
MATCH(preference_create, cublasLtMatmulPreferenceCreate);
MATCH(preference_destroy, cublasLtMatmulPreferenceDestroy);
MATCH(preference_set, cublasLtMatmulPreferenceSetAttribute);
MATCH(heuristic, cublasLtMatmulAlgoGetHeuristic);
MATCH(matmul, cublasLtMatmul);
