/* The host's side of a model on a GPU: failure, copies of arguments and results, launches, graphs.
 *
 * A call enqueues work on the context's stream and does not wait for it.  The first failure of the
 * CUDA runtime is kept in the context; what follows in that call does nothing. */
#ifndef NN_CUDA_HOST_H
#define NN_CUDA_HOST_H 1

#include "nnc_cuda_abi.h"
#include "cuda_device.h"

#include <string.h>

#ifndef NN_GRAPHS
#define NN_GRAPHS 1
#endif

static inline int nn_fail(nnc_cuda_context *ctx, int code, const char *message) {
    ctx->message = message;
    return code;
}
static inline int64_t nn_round_size(int64_t bytes) {
    return bytes > INT64_MAX - 63 ? INT64_MAX : (bytes + 63) / 64 * 64;
}
static inline int nn_misaligned(const void *p) { return ((uintptr_t)p & 63u) != 0; }
static inline cudaStream_t nn_stream(const nnc_cuda_context *ctx) {
    return (cudaStream_t)ctx->stream;
}

/* Notes the first failure; true when there was none so far. */
static inline bool nn_good(nnc_cuda_context *ctx, cudaError_t error) {
    if (error != cudaSuccess && !ctx->device_error) {
        ctx->device_error = (int)error;
        ctx->message = cudaGetErrorString(error);
    }
    return !ctx->device_error;
}
/* What a call returns at its end. */
static inline int nn_status(const nnc_cuda_context *ctx) {
    return ctx->device_error ? (int)NNC_E_DEVICE : (int)NNC_OK;
}

/* Begins a call: no failure yet; the control region is cleared once. */
static inline void nn_begin(nnc_cuda_context *ctx) {
    ctx->device_error = 0;
    ctx->current = ctx->stream;
    if (ctx->ready) return;
    ctx->ready =
        nn_good(ctx, cudaMemsetAsync(ctx->control, 0, NNC_CUDA_CONTROL_BYTES, nn_stream(ctx)));
}

static inline void nn_set_values(nnc_cuda_context *ctx, nn_values values) {
    void *arguments[] = {&values};
    if (!values.count || ctx->device_error) return;
    nn_good(ctx, cudaLaunchKernel(nn_put, dim3(1), dim3(32), arguments, 0, nn_stream(ctx)));
}
/* A value that is to be written; a full list is sent on its way. */
__attribute__((unused)) static inline void nn_set(nnc_cuda_context *ctx, nn_values *list, void *to,
                                                  const void *value, size_t bytes) {
    if (list->count == NN_VALUES) {
        nn_set_values(ctx, *list);
        list->count = 0;
    }
    list->to[list->count] = (uint64_t *)to;
    list->value[list->count] = 0;
    memcpy(&list->value[list->count++], value, bytes);
}

/* ---- arguments and results ---- */

static inline bool nn_is_pageable(const void *p) {
    cudaPointerAttributes attributes;
    if (cudaPointerGetAttributes(&attributes, p) != cudaSuccess) {
        (void)cudaGetLastError(); /* the answer is no failure of the call */
        return true;
    }
    return attributes.type == cudaMemoryTypeUnregistered;
}

/* Half of the staging memory is filled while the stream may still read the other one. */
static inline void nn_begin_arguments(nnc_cuda_context *ctx) {
    ctx->staging_used = 0;
    if (!ctx->staging || ctx->device_error) return;
    void **const event = &ctx->staged[ctx->turn];
    if (*event) {
        nn_good(ctx, cudaEventSynchronize((cudaEvent_t)*event));
        return;
    }
    cudaEvent_t made;
    if (nn_good(ctx, cudaEventCreateWithFlags(&made, cudaEventDisableTiming))) *event = made;
}

static inline void nn_take(nnc_cuda_context *ctx, void *to, const void *from, size_t bytes) {
    const size_t half = ctx->staging_bytes / 128 * 64;
    if (!bytes || ctx->device_error) return;
    if (ctx->staging && bytes <= half - ctx->staging_used && nn_is_pageable(from)) {
        char *const place = (char *)ctx->staging + (size_t)ctx->turn * half + ctx->staging_used;
        memcpy(place, from, bytes);
        ctx->staging_used += (bytes + 63) / 64 * 64;
        if (ctx->staging_used > half) ctx->staging_used = half;
        from = place;
    }
    nn_good(ctx, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, nn_stream(ctx)));
}

static inline void nn_end_arguments(nnc_cuda_context *ctx) {
    if (!ctx->staging || ctx->device_error) return;
    nn_good(ctx, cudaEventRecord((cudaEvent_t)ctx->staged[ctx->turn], nn_stream(ctx)));
    ctx->turn ^= 1;
}

static inline void nn_give(nnc_cuda_context *ctx, void *to, const void *from, size_t bytes) {
    if (!bytes || ctx->device_error) return;
    nn_good(ctx, cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, nn_stream(ctx)));
}

static inline void nn_zero(nnc_cuda_context *ctx, void *to, size_t bytes) {
    if (!bytes || ctx->device_error) return;
    nn_good(ctx, cudaMemsetAsync(to, 0, bytes, nn_stream(ctx)));
}
/* The address on the device of a constant. */
template <class T> static inline void *nn_constant(nnc_cuda_context *ctx, const T &symbol) {
    void *address = NULL;
    if (!ctx->device_error) nn_good(ctx, cudaGetSymbolAddress(&address, symbol));
    return address;
}

/* ---- cells, by the caller's wish: these wait ---- */

static inline int nn_wait(nnc_cuda_context *ctx) {
    if (!ctx->device_error) nn_good(ctx, cudaStreamSynchronize(nn_stream(ctx)));
    return nn_status(ctx);
}
static inline int nn_no_control(nnc_cuda_context *ctx) {
    return nn_fail(ctx, NNC_E_WORKSPACE, "control: the region is missing");
}
static inline int nn_copy(nnc_cuda_context *ctx, void *to, const void *from, size_t bytes) {
    if (!ctx->control) return nn_no_control(ctx);
    nn_begin(ctx);
    nn_give(ctx, to, from, bytes);
    return nn_wait(ctx);
}
static inline int nn_clear(nnc_cuda_context *ctx, void *to, size_t bytes) {
    if (!ctx->control) return nn_no_control(ctx);
    nn_begin(ctx);
    nn_zero(ctx, to, bytes);
    return nn_wait(ctx);
}
/* Waits for the stream; *refused: see nn_control. */
static inline int nn_wait_refused(nnc_cuda_context *ctx, uint64_t *refused) {
    nn_control *const control = (nn_control *)ctx->control;
    *refused = 0;
    ctx->message = NULL;
    nn_begin(ctx);
    nn_give(ctx, refused, &control->refused, sizeof *refused);
    const int code = nn_wait(ctx);
    if (!code && *refused)
        nn_good(ctx, cudaMemsetAsync(&control->refused, 0, sizeof *refused, nn_stream(ctx)));
    return nn_status(ctx);
}

/* ---- launches ---- */

/* Do indices up to `size` need 64 bits?  A dealt loop ends within NN_STEP_MAX of its bound. */
enum { NN_STEP_MAX = 1 << 16 };
static inline bool nn_is_wide(int64_t size) { return size > INT32_MAX - NN_STEP_MAX; }
/* The instance of a kernel for indices of 32 or 64 bits.  NN_INDEX names one type for all, which
 * halves the time to compile: with int32_t, launches that need more fail. */
#ifdef NN_INDEX
template <class Kernel>
static inline Kernel nn_one_width(nnc_cuda_context *ctx, bool fits, Kernel kernel) {
    if (!fits) (void)nn_good(ctx, cudaErrorInvalidConfiguration);
    return kernel;
}
#define NN_INSTANCE(kernel, wide) \
    nn_one_width(ctx, sizeof(NN_INDEX) == 8 || !(wide), kernel<NN_INDEX>)
#else
#define NN_INSTANCE(kernel, wide) (wide) ? kernel<int64_t> : kernel<int32_t>
#endif

template <int COUNT>
static inline void nn_launch(nnc_cuda_context *ctx, void (*kernel)(const nn_calls<COUNT>),
                             nn_calls<COUNT> calls, int threads) {
    void *arguments[] = {&calls};
    for (int i = 0; i < COUNT; i++) calls.tiles += calls.of[i].tiles;
    const unsigned blocks = (unsigned)(calls.tiles < NN_GRID_MAX ? calls.tiles : NN_GRID_MAX);
    if (ctx->device_error || !blocks) return;
    nn_good(ctx, cudaLaunchKernel(kernel, dim3(blocks), dim3((unsigned)threads), arguments, 0,
                                  (cudaStream_t)ctx->current));
}

static inline void nn_forget(nnc_cuda_graph *g) {
    if (g->executable) (void)cudaGraphExecDestroy((cudaGraphExec_t)g->executable);
    g->executable = NULL;
}

static inline bool nn_same_graph(const nnc_cuda_graph *a, const nnc_cuda_graph *b) {
    if (a->entry != b->entry || a->dim_count != b->dim_count) return false;
    for (int i = 0; i < a->dim_count; i++)
        if (a->dims[i] != b->dims[i]) return false;
    for (int i = 0; i < 4; i++)
        if (a->regions[i] != b->regions[i]) return false;
    return true;
}

/* Captures what `steps` launches; on a stream of its own, since the default one cannot be. */
template <class Steps>
static inline void nn_capture(nnc_cuda_context *ctx, nnc_cuda_graph *g, Steps steps) {
    cudaGraph_t graph = NULL;
    cudaGraphExec_t executable;
    cudaStream_t own;
    if (!ctx->capture) {
        if (!nn_good(ctx, cudaStreamCreateWithFlags(&own, cudaStreamNonBlocking))) return;
        ctx->capture = own;
    }
    own = (cudaStream_t)ctx->capture;
    if (!nn_good(ctx, cudaStreamBeginCapture(own, cudaStreamCaptureModeRelaxed))) return;
    ctx->current = own;
    steps();
    ctx->current = ctx->stream;
    nn_good(ctx, cudaStreamEndCapture(own, &graph));
    if (!ctx->device_error && nn_good(ctx, cudaGraphInstantiate(&executable, graph, 0)))
        g->executable = executable;
    if (graph) nn_good(ctx, cudaGraphDestroy(graph));
}

/* Launches the steps of an entry at these dims, as a graph where that is wanted and possible. */
template <class Steps>
static inline void nn_run_entry(nnc_cuda_context *ctx, const int64_t *dims, int dim_count,
                                Steps steps) {
    static const char own = 0; /* one of each type of Steps, so one of each entry */
    if (ctx->device_error) return;
    if (!NN_GRAPHS || ctx->flags & NNC_CUDA_NO_GRAPH || dim_count > NNC_CUDA_DIMS) {
        steps();
        return;
    }
    nnc_cuda_graph wanted = {};
    wanted.entry = &own;
    wanted.dim_count = dim_count;
    for (int i = 0; i < dim_count; i++) wanted.dims[i] = dims[i];
    wanted.regions[0] = ctx->weights;
    wanted.regions[1] = ctx->state;
    wanted.regions[2] = ctx->workspace;
    wanted.regions[3] = ctx->control;
    nnc_cuda_graph *g = NULL;
    for (int i = 0; i < NNC_CUDA_GRAPHS; i++)
        if (ctx->graphs[i].executable && nn_same_graph(&ctx->graphs[i], &wanted))
            g = &ctx->graphs[i];
    if (!g) {
        g = &ctx->graphs[ctx->next_graph];
        ctx->next_graph = (ctx->next_graph + 1) % NNC_CUDA_GRAPHS;
        nn_forget(g);
        *g = wanted;
        nn_capture(ctx, g, steps);
    }
    if (!ctx->device_error)
        nn_good(ctx, cudaGraphLaunch((cudaGraphExec_t)g->executable, nn_stream(ctx)));
}

/* Gives back all that the context holds of the CUDA runtime, when its stream has come to an end. */
static inline void nn_close(nnc_cuda_context *ctx) {
    (void)cudaStreamSynchronize(nn_stream(ctx));
    for (int i = 0; i < NNC_CUDA_GRAPHS; i++) nn_forget(&ctx->graphs[i]);
    for (int i = 0; i < 2; i++) {
        if (ctx->staged[i]) (void)cudaEventDestroy((cudaEvent_t)ctx->staged[i]);
        ctx->staged[i] = NULL;
    }
    if (ctx->capture) (void)cudaStreamDestroy((cudaStream_t)ctx->capture);
    ctx->capture = NULL;
}

#endif
