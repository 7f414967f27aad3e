/* Products by cuBLASLt, which is opened when an entry first wants it: the text needs no header of
 * it, the binary starts without it.
 *
 * What is declared here of its interface is what is used.  The library knows matrices column by
 * column, a model row by row, so it is told that it computes the transposed result: its A is the
 * operand that has the columns, its B the one that has the rows.  Invariants: what may not be asked
 * while a stream is captured is asked before (nn_ask_product), and kept in the context for each
 * form of a product; the memory that it works in is the caller's; no sum is reduced in an order
 * that is not fixed. */
#ifndef NN_CUDA_GEMM_H
#define NN_CUDA_GEMM_H 1

#include "cuda_host.h"

#include <dlfcn.h>
#include <stdlib.h>

#ifndef NN_CUBLASLT_NAMES
#define NN_CUBLASLT_NAMES "libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"
#endif
#ifndef NN_LIBRARY_ALIGNMENT /* of the workspace */
#define NN_LIBRARY_ALIGNMENT 256
#endif

/* ---- of cublasLt.h ---- */

enum { /* cudaDataType_t, cublasComputeType_t */
       NN_R_32F = 0,
       NN_R_64F = 1,
       NN_R_16F = 2,
       NN_R_16BF = 14,
       NN_COMPUTE_32F = 68,
       NN_COMPUTE_64F = 70,
       NN_COMPUTE_32F_FAST_16BF = 75,
       NN_COMPUTE_32F_FAST_TF32 = 77
};
enum { /* attributes */
       NN_LAYOUT_BATCH_COUNT = 5,
       NN_LAYOUT_STRIDED_BATCH_OFFSET = 6,
       NN_DESC_TRANSA = 3,
       NN_DESC_TRANSB = 4,
       NN_DESC_EPILOGUE = 7,
       NN_DESC_BIAS_POINTER = 8,
       NN_PREF_MAX_WORKSPACE_BYTES = 1,
       NN_PREF_REDUCTION_SCHEME_MASK = 3,
       NN_PREF_MIN_ALIGNMENT_A_BYTES = 5,
       NN_PREF_MIN_ALIGNMENT_B_BYTES = 6,
       NN_PREF_MIN_ALIGNMENT_C_BYTES = 7,
       NN_PREF_MIN_ALIGNMENT_D_BYTES = 8
};
/* Parts of a sum lie in the workspace and are added in a step of its own.  Not: in place, in the
 * dtype of the result, one block after the other. */
enum { NN_REDUCTION_SCHEME_COMPUTE_TYPE = 2, NN_EPILOGUE_BIAS = 4, NN_OP_T = 1 };

typedef struct nn_lt_algorithm {
    uint64_t data[8];
} nn_lt_algorithm;
typedef struct nn_lt_heuristic {
    nn_lt_algorithm algorithm;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
} nn_lt_heuristic;
/* Its functions; handles, layouts, operations and preferences are pointers to what is its own. */
typedef struct nn_lt {
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    int (*layout_create)(void **layout, int type, uint64_t rows, uint64_t columns, int64_t leading);
    int (*layout_destroy)(void *layout);
    int (*layout_set)(void *layout, int attribute, const void *value, size_t bytes);
    int (*operation_create)(void **operation, int compute, int scale);
    int (*operation_destroy)(void *operation);
    int (*operation_set)(void *operation, int attribute, const void *value, size_t bytes);
    int (*preference_create)(void **preference);
    int (*preference_destroy)(void *preference);
    int (*preference_set)(void *preference, int attribute, const void *value, size_t bytes);
    int (*heuristic)(void *handle, void *operation, void *a, void *b, void *c, void *d,
                     void *preference, int wanted, nn_lt_heuristic *results, int *found);
    int (*matmul)(void *handle, void *operation, const void *alpha, const void *a, void *layout_a,
                  const void *b, void *layout_b, const void *beta, const void *c, void *layout_c,
                  void *d, void *layout_d, const nn_lt_algorithm *algorithm, void *workspace,
                  size_t workspace_bytes, cudaStream_t stream);
} nn_lt;
/* In the order of nn_lt. */
static const char *const nn_lt_names[] = {"cublasLtCreate",
                                          "cublasLtDestroy",
                                          "cublasLtMatrixLayoutCreate",
                                          "cublasLtMatrixLayoutDestroy",
                                          "cublasLtMatrixLayoutSetAttribute",
                                          "cublasLtMatmulDescCreate",
                                          "cublasLtMatmulDescDestroy",
                                          "cublasLtMatmulDescSetAttribute",
                                          "cublasLtMatmulPreferenceCreate",
                                          "cublasLtMatmulPreferenceDestroy",
                                          "cublasLtMatmulPreferenceSetAttribute",
                                          "cublasLtMatmulAlgoGetHeuristic",
                                          "cublasLtMatmul"};
enum { NN_LT_FUNCTIONS = sizeof nn_lt_names / sizeof *nn_lt_names };
static_assert(sizeof(nn_lt) == NN_LT_FUNCTIONS * sizeof(void *), "a name for each function");

/* ---- a product ---- */

/* Element (i, d) of a matrix at i * leading + d where it lies along the depth, else at
 * i + d * leading; batch: elements from one to the next; alignment: bytes that its address is a
 * multiple of.  No padding: products are told apart by their bytes. */
typedef struct nn_matrix {
    int64_t along_depth, leading, batch, alignment;
} nn_matrix;
typedef struct nn_product {
    int64_t type, compute, batch, rows, columns, depth, has_bias, workspace;
    nn_matrix of_rows, of_columns, result;
} nn_product;

/* What the library wants to be told of one form of product, and what it chose for that. */
typedef struct nn_product_plan {
    nn_product product;
    void *operation, *a, *b, *d;
    nn_lt_algorithm algorithm;
    struct nn_product_plan *next;
} nn_product_plan;
/* nnc_cuda_context.library */
typedef struct nn_library {
    nn_lt lt;
    void *handle;
    nn_product_plan *plans;
    int count;
} nn_library;
enum { NN_PLANS_MAX = 4096 };

/* The largest power of two up to 64, to which regions are aligned, that divides the offset. */
static inline int64_t nn_alignment(int64_t offset) { return (offset | 64) & -(offset | 64); }

/* ---- failure ---- */

static inline const char *nn_lt_text(int status) {
    switch (status) {
    case 1: return "cuBLASLt: not initialized (no GPU, or no memory on it)";
    case 3: return "cuBLASLt: allocation failed";
    case 7: return "cuBLASLt: invalid value";
    case 8: return "cuBLASLt: not for the architecture of this GPU";
    case 11: return "cuBLASLt: access to memory of the GPU failed";
    case 13: return "cuBLASLt: execution failed";
    case 14: return "cuBLASLt: internal error";
    case 15: return "cuBLASLt: the product is not supported";
    case 16: return "cuBLASLt: no licence";
    default: return "cuBLASLt: unknown failure";
    }
}
/* Notes the first failure of a call, as nn_good does; device_error is what the CUDA runtime has for
 * it. */
static inline bool nn_lt_fail(nnc_cuda_context *ctx, int device_error, const char *message) {
    if (!ctx->device_error) {
        ctx->device_error = device_error;
        ctx->message = message;
    }
    return false;
}
enum { NN_NO_LIBRARY = 303, NN_LIBRARY_FAILS = 999 /* SharedObjectInitFailed, Unknown */ };
static inline bool nn_lt_good(nnc_cuda_context *ctx, int status) {
    return status ? nn_lt_fail(ctx, NN_LIBRARY_FAILS, nn_lt_text(status)) : !ctx->device_error;
}

/* ---- the library ---- */

static inline bool nn_load_library(nnc_cuda_context *ctx, nn_lt *lt) {
    static const char *const names[] = {NN_CUBLASLT_NAMES};
    void *functions[NN_LT_FUNCTIONS], *library = NULL;
    for (size_t i = 0; !library && i < sizeof names / sizeof *names; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return nn_lt_fail(ctx, NN_NO_LIBRARY,
                          "cuBLASLt is missing: the dynamic linker finds no libcublasLt.so.13, "
                          ".12 or .11 (see LD_LIBRARY_PATH); --gemm=own does without");
    for (int i = 0; i < NN_LT_FUNCTIONS; i++)
        if (!(functions[i] = dlsym(library, nn_lt_names[i])))
            return nn_lt_fail(ctx, NN_NO_LIBRARY, "cuBLASLt: libcublasLt.so lacks a function");
    memcpy(lt, functions, sizeof *lt);
    return true;
}

static inline void nn_forget_plan(const nn_lt *lt, nn_product_plan *plan) {
    if (plan->operation) (void)lt->operation_destroy(plan->operation);
    if (plan->a) (void)lt->layout_destroy(plan->a);
    if (plan->b) (void)lt->layout_destroy(plan->b);
    if (plan->d) (void)lt->layout_destroy(plan->d);
    free(plan);
}
static inline void nn_forget_plans(nn_library *library) {
    while (library->plans) {
        nn_product_plan *plan = library->plans;
        library->plans = plan->next;
        nn_forget_plan(&library->lt, plan);
    }
    library->count = 0;
}

/* The library stays open when the context is closed: graphs and others may use it. */
static inline void nn_close_library(nnc_cuda_context *ctx) {
    nn_library *library = (nn_library *)ctx->library;
    if (!library) return;
    nn_forget_plans(library);
    if (library->handle) (void)library->lt.destroy(library->handle);
    free(library);
    ctx->library = NULL;
}

/* Before the products of an entry are asked for.  Graphs need no plans, so old ones may go. */
static inline void nn_begin_products(nnc_cuda_context *ctx) {
    nn_library *library = (nn_library *)ctx->library;
    if (library && library->count > NN_PLANS_MAX) nn_forget_plans(library);
    if (library || ctx->device_error) return;
    library = (nn_library *)calloc(1, sizeof *library);
    if (!library) {
        (void)nn_lt_fail(ctx, NN_LIBRARY_FAILS, nn_lt_text(3));
        return;
    }
    ctx->library = library;
    if (!nn_load_library(ctx, &library->lt) ||
        !nn_lt_good(ctx, library->lt.create(&library->handle))) {
        library->handle = NULL;
        nn_close_library(ctx);
    }
}

/* ---- plans ---- */

static inline nn_product_plan *nn_find_plan(const nn_library *library, const nn_product *p) {
    nn_product_plan *plan = library->plans;
    while (plan && memcmp(&plan->product, p, sizeof *p)) plan = plan->next;
    return plan;
}

/* A matrix as the library sees it: `across` by `down` where its lines go down. */
static inline bool nn_make_layout(nnc_cuda_context *ctx, void **out, const nn_product *p,
                                  int64_t across, int64_t down, const nn_matrix *m) {
    const nn_lt *lt = &((nn_library *)ctx->library)->lt;
    const int32_t batch = (int32_t)p->batch;
    const uint64_t rows = (uint64_t)(m->along_depth ? down : across);
    const uint64_t columns = (uint64_t)(m->along_depth ? across : down);
    if (!nn_lt_good(ctx, lt->layout_create(out, (int)p->type, rows, columns, m->leading)))
        return false;
    return batch == 1 ||
           (nn_lt_good(ctx, lt->layout_set(*out, NN_LAYOUT_BATCH_COUNT, &batch, sizeof batch)) &&
            nn_lt_good(ctx, lt->layout_set(*out, NN_LAYOUT_STRIDED_BATCH_OFFSET, &m->batch,
                                           sizeof m->batch)));
}

static inline bool nn_make_operation(nnc_cuda_context *ctx, nn_product_plan *plan) {
    const nn_lt *lt = &((nn_library *)ctx->library)->lt;
    const nn_product *p = &plan->product;
    const int32_t transpose = NN_OP_T;
    const uint32_t epilogue = NN_EPILOGUE_BIAS;
    /* The heuristic sees how the bias is aligned, and does not read it. */
    const void *const bias = (const void *)(uintptr_t)64;
    const int scale = p->type == NN_R_64F ? NN_R_64F : NN_R_32F;
    if (!nn_lt_good(ctx, lt->operation_create(&plan->operation, (int)p->compute, scale)))
        return false;
    if (p->of_columns.along_depth &&
        !nn_lt_good(
            ctx, lt->operation_set(plan->operation, NN_DESC_TRANSA, &transpose, sizeof transpose)))
        return false;
    if (!p->of_rows.along_depth &&
        !nn_lt_good(
            ctx, lt->operation_set(plan->operation, NN_DESC_TRANSB, &transpose, sizeof transpose)))
        return false;
    return !p->has_bias || (nn_lt_good(ctx, lt->operation_set(plan->operation, NN_DESC_EPILOGUE,
                                                              &epilogue, sizeof epilogue)) &&
                            nn_lt_good(ctx, lt->operation_set(plan->operation, NN_DESC_BIAS_POINTER,
                                                              &bias, sizeof bias)));
}

static inline bool nn_prefer(nnc_cuda_context *ctx, void *preference, int attribute,
                             int64_t value) {
    const nn_lt *lt = &((nn_library *)ctx->library)->lt;
    const uint32_t narrow = (uint32_t)value;
    const uint64_t wide = (uint64_t)value;
    const bool is_wide = attribute == NN_PREF_MAX_WORKSPACE_BYTES;
    return nn_lt_good(ctx, lt->preference_set(preference, attribute,
                                              is_wide ? (const void *)&wide : (const void *)&narrow,
                                              is_wide ? sizeof wide : sizeof narrow));
}

static inline bool nn_choose(nnc_cuda_context *ctx, nn_product_plan *plan, void *preference) {
    const nn_library *library = (const nn_library *)ctx->library;
    const nn_product *p = &plan->product;
    nn_lt_heuristic best = {};
    int found = 0;
    if (!nn_prefer(ctx, preference, NN_PREF_MAX_WORKSPACE_BYTES, p->workspace) ||
        !nn_prefer(ctx, preference, NN_PREF_REDUCTION_SCHEME_MASK,
                   NN_REDUCTION_SCHEME_COMPUTE_TYPE) ||
        !nn_prefer(ctx, preference, NN_PREF_MIN_ALIGNMENT_A_BYTES, p->of_columns.alignment) ||
        !nn_prefer(ctx, preference, NN_PREF_MIN_ALIGNMENT_B_BYTES, p->of_rows.alignment) ||
        !nn_prefer(ctx, preference, NN_PREF_MIN_ALIGNMENT_C_BYTES, p->result.alignment) ||
        !nn_prefer(ctx, preference, NN_PREF_MIN_ALIGNMENT_D_BYTES, p->result.alignment))
        return false;
    if (!nn_lt_good(ctx, library->lt.heuristic(library->handle, plan->operation, plan->a, plan->b,
                                               plan->d, plan->d, preference, 1, &best, &found)))
        return false;
    if (!found || best.state)
        return nn_lt_fail(ctx, NN_LIBRARY_FAILS,
                          "cuBLASLt: there is no algorithm for a product of these sizes");
    plan->algorithm = best.algorithm;
    return true;
}

static inline bool nn_make_plan(nnc_cuda_context *ctx, nn_product_plan *plan) {
    const nn_lt *lt = &((nn_library *)ctx->library)->lt;
    const nn_product *p = &plan->product;
    void *preference = NULL;
    if (!nn_make_operation(ctx, plan) ||
        !nn_make_layout(ctx, &plan->a, p, p->columns, p->depth, &p->of_columns) ||
        !nn_make_layout(ctx, &plan->b, p, p->rows, p->depth, &p->of_rows) ||
        !nn_make_layout(ctx, &plan->d, p, p->rows, p->columns, &p->result) ||
        !nn_lt_good(ctx, lt->preference_create(&preference)))
        return false;
    const bool chosen = nn_choose(ctx, plan, preference);
    (void)lt->preference_destroy(preference);
    return chosen;
}

static inline bool nn_is_empty(const nn_product *p) { return !p->batch || !p->rows || !p->columns; }

/* Outside of any capture, which the library's choice of an algorithm may refuse. */
static inline void nn_ask_product(nnc_cuda_context *ctx, nn_product p) {
    nn_library *library = (nn_library *)ctx->library;
    if (ctx->device_error || nn_is_empty(&p) || !p.depth || nn_find_plan(library, &p)) return;
    if (nn_is_wide(p.batch)) {
        (void)nn_lt_fail(ctx, NN_LIBRARY_FAILS, "cuBLASLt: too many products in a batch");
        return;
    }
    nn_product_plan *plan = (nn_product_plan *)calloc(1, sizeof *plan);
    if (!plan) {
        (void)nn_lt_fail(ctx, NN_LIBRARY_FAILS, nn_lt_text(3));
        return;
    }
    plan->product = p;
    if (!nn_make_plan(ctx, plan)) {
        nn_forget_plan(&library->lt, plan);
        return;
    }
    plan->next = library->plans;
    library->plans = plan;
    library->count++;
}

/* ---- calls ---- */

/* What a product of no depth is: 0, or 0 and the bias.  T: a number of as many bits. */
template <class T> struct nn_bare {
    T *result;
    const T *bias;
    int64_t count, rows, columns, leading, batch;
};
template <class T> static __global__ void nn_put_bare(const __grid_constant__ nn_bare<T> b) {
    const int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < b.count; i += step) {
        const int64_t column = i % b.columns, row = i / b.columns;
        const T value = b.bias ? b.bias[column] : (T)0;
        /* 0 + -0 is 0. */
        b.result[row / b.rows * b.batch + row % b.rows * b.leading + column] =
            (T)(value << 1) ? value : (T)0;
    }
}
template <class T>
static inline void nn_launch_bare(nnc_cuda_context *ctx, const nn_product *p, void *result,
                                  const void *bias) {
    const int64_t threads = 256, most = 1024;
    nn_bare<T> b = {};
    b.result = (T *)NN_BUFFER(result, ((p->batch - 1) * p->result.batch +
                                       (p->rows - 1) * p->result.leading + p->columns) *
                                          (int64_t)sizeof(T));
    if (p->has_bias) b.bias = (const T *)NN_BUFFER(bias, p->columns * (int64_t)sizeof(T));
    b.count = p->batch * p->rows * p->columns;
    b.rows = p->rows, b.columns = p->columns;
    b.leading = p->result.leading, b.batch = p->result.batch;
    const int64_t blocks = (b.count + threads - 1) / threads;
    const dim3 grid((unsigned)(blocks < most ? blocks : most)), block((unsigned)threads);
    void *arguments[] = {&b};
    nn_good(ctx, cudaLaunchKernel(nn_put_bare<T>, grid, block, arguments, 0,
                                  (cudaStream_t)ctx->current));
}

/* Enqueues a product that was asked for. */
static inline void nn_multiply(nnc_cuda_context *ctx, nn_product p, const void *of_rows,
                               const void *of_columns, void *result, const void *bias,
                               void *workspace) {
    static const float one = 1, zero = 0;
    static const double wide_one = 1, wide_zero = 0;
    if (ctx->device_error || nn_is_empty(&p)) return;
    const bool wide = p.type == NN_R_64F;
    if (!p.depth) {
        (wide                 ? nn_launch_bare<uint64_t>
         : p.type == NN_R_32F ? nn_launch_bare<uint32_t>
                              : nn_launch_bare<uint16_t>)(ctx, &p, result, bias);
        return;
    }
    const nn_library *library = (const nn_library *)ctx->library;
    const nn_product_plan *plan = nn_find_plan(library, &p);
    if (!plan) {
        (void)nn_lt_fail(ctx, NN_LIBRARY_FAILS, "cuBLASLt: a product was not asked for");
        return;
    }
    if (p.has_bias &&
        !nn_lt_good(ctx, library->lt.operation_set(plan->operation, NN_DESC_BIAS_POINTER, &bias,
                                                   sizeof bias)))
        return;
    const uintptr_t above = (uintptr_t)workspace + NN_LIBRARY_ALIGNMENT - 1;
    void *const room = (void *)(above / NN_LIBRARY_ALIGNMENT * NN_LIBRARY_ALIGNMENT);
    const void *alpha = wide ? (const void *)&wide_one : (const void *)&one;
    const void *beta = wide ? (const void *)&wide_zero : (const void *)&zero;
    (void)nn_lt_good(ctx, library->lt.matmul(library->handle, plan->operation, alpha, of_columns,
                                             plan->a, of_rows, plan->b, beta, result, plan->d,
                                             result, plan->d, &plan->algorithm, room,
                                             (size_t)p.workspace, (cudaStream_t)ctx->current));
}

#endif
