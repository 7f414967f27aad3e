/* The interface between models that were emitted for CUDA and whatever calls them; beside nnc_abi.h,
 * whose codes and tables of names it uses.  This text is pasted, guarded, into the header of every
 * model for CUDA.  C99 and C++11; it needs no header of CUDA. */
#ifndef NNC_CUDA_ABI
#define NNC_CUDA_ABI 1

#include "nnc_abi.h"

/* Beside those of nnc_abi.h: a call of the CUDA runtime has failed.  nnc_cuda_context.message is its
 * text, device_error its number. */
enum { NNC_E_DEVICE = 7 };

/* nnc_cuda_context.flags.  NNC_CUDA_NO_GRAPH: kernels are launched one by one; else an entry is captured as
 * a graph when it is first called with some dims, and launched as one from then on. */
enum { NNC_CUDA_NO_GRAPH = 1 };

enum { NNC_CUDA_CONTROL_BYTES = 256, NNC_CUDA_GRAPHS = 8, NNC_CUDA_DIMS = 16 };

typedef struct nnc_cuda_graph {
    const void *entry; /* an address of its own for each entry of the process */
    int dim_count;
    int64_t dims[NNC_CUDA_DIMS];
    void *regions[4];
    void *executable; /* cudaGraphExec_t, or NULL */
} nnc_cuda_graph;

/* One context: four regions of device memory owned by the caller, as cudaMalloc gives them, and a stream.
 * Zero it, set the regions and the stream, then call <prefix>_cuda_init (fresh values) or set the cells.
 *
 * Calls only enqueue work on the stream: arguments and results may be pointers to device or to host memory
 * (rank-0 arguments go by value), and what a call writes is there when the stream has come so far, which
 * <prefix>_cuda_wait waits for.  Results in pageable host memory are there when the call returns.
 * Conditions on the values of arguments (ids in range) are tested on the device: a call that fails them
 * writes no cell, its results mean nothing, and the next <prefix>_cuda_wait returns NNC_E_RANGE.
 * Any number of contexts may run at once, each on a stream of its own.  A context may serve all entries of its
 * weights, an inference entry's too (weights + <Train>_<member>_WEIGHTS_OFFSET).  A copy of one that has run
 * would share its graphs: zero graphs, staged, capture and library in it. */
typedef struct nnc_cuda_context {
    void *weights; /* <prefix>_cuda_weights_bytes: parameters, row by row */
    size_t weights_bytes;
    /* <prefix>_cuda_state_bytes: buffers, state, optimizer, live gradients, scalars */
    void *state;
    size_t state_bytes;
    /* <prefix>_cuda_<entry>_workspace_bytes(dims): temporaries, copies of arguments */
    void *workspace;
    size_t workspace_bytes;
    void *control; /* NNC_CUDA_CONTROL_BYTES */
    /* page-locked host memory (cudaMallocHost) through which arguments in pageable memory go without
     * a wait: twice the bytes of a call's arguments; NULL: none */
    void *staging;
    size_t staging_bytes;
    void *stream;        /* cudaStream_t; NULL: the default stream */
    int flags;           /* 0 or NNC_CUDA_NO_GRAPH */
    uint64_t seed;       /* key of the random stream */
    uint64_t step;       /* counter of the random stream: calls that drew random numbers */
    const char *message; /* after an error: which argument, what was expected (static text) */
    int device_error;    /* cudaError_t of the last call */
    /* What follows is the model's own; <prefix>_cuda_close gives back what lies behind the pointers. */
    int64_t made_for[NNC_CUDA_DIMS + 1]; /* dims of the state */
    int ready, turn, next_graph;
    void *staged[2]; /* cudaEvent_t: a half of `staging` has been read */
    size_t staging_used;
    void *capture; /* cudaStream_t */
    void *current; /* cudaStream_t that kernels are launched on */
    nnc_cuda_graph graphs[NNC_CUDA_GRAPHS];
    void *library; /* what products by cuBLASLt keep, where there are any */
} nnc_cuda_context;

/* As in nnc_abi.h, with this context. */
typedef struct nnc_cuda_entry_info {
    const char *name;
    const char *symbol;
    int kind;
    int dim_count, argument_count, result_count;
    const char *const *dims;
    const nnc_tensor_info *arguments, *results;
    int (*shape)(const int64_t *dims, int which, int64_t *out);
    size_t (*workspace_bytes)(const int64_t *dims);
    int (*call)(nnc_cuda_context *ctx, const int64_t *dims, const void *const *arguments,
                void *const *results);
    const char *doc;
} nnc_cuda_entry_info;

typedef struct nnc_cuda_model {
    int abi;            /* NNC_CUDA_ABI */
    const char *name;   /* prefix of the C names */
    const char *source; /* file name of the .nn file, without folders */
    int is_train;
    int cell_count, entry_count, init_dim_count;
    const nnc_cell_info *cells;
    const nnc_cuda_entry_info *entries;
    size_t weights_bytes;
    size_t (*state_bytes)(const int64_t *init_dims);
    int (*init)(nnc_cuda_context *ctx, uint64_t seed, const int64_t *init_dims);
    /* Waits; data is host or device memory, row by row. */
    int (*get)(nnc_cuda_context *ctx, int cell, void *data, size_t bytes);
    int (*set)(nnc_cuda_context *ctx, int cell, const void *data, size_t bytes);
    int (*wait)(nnc_cuda_context *ctx);
    void (*close)(nnc_cuda_context *ctx);
    const char *const *init_dims;
    size_t (*init_workspace_bytes)(const int64_t *init_dims);
} nnc_cuda_model;

#endif
