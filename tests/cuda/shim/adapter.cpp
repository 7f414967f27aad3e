/* A model that was emitted for CUDA, seen through the tables of nnc_abi.h, so that whatever tests a
 * model for the CPU tests it too.
 *
 * Compiled behind model.cu (-include) with -DMODEL=root -DCUDA_MODEL=root_cuda_model, by a host
 * compiler for the shim or by nvcc for a GPU.  Regions of the caller are host memory, as the CPU's;
 * each call brings them to the device and back.  Every call runs once for each of SCHEDULES orders
 * of the threads (on a GPU: so many times), with and without a graph in turn, and fails when bytes
 * differ from those of the first. */
#include <cstring>
#include <utility>
#include <vector>

#ifndef SCHEDULES
#define SCHEDULES 8
#endif
#ifndef ADAPTER_ENTRIES
#define ADAPTER_ENTRIES 128
#endif

extern "C" const nnc_model *MODEL(void);

namespace {

const nnc_cuda_model *device_model() {
    return CUDA_MODEL();
}

#ifdef NNC_TESTS_CUDA_SHIM_H
void bring(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
}
void schedule(int number) {
    shim::schedule((uint64_t)number);
}
#else
void bring(void *to, const void *from, size_t bytes) {
    (void)cudaMemcpy(to, from, bytes, cudaMemcpyDefault);
}
void schedule(int) {}
#endif

struct Region {
    void *device = nullptr;
    std::vector<char> host;
    Region(const void *from, size_t bytes)
        : host((const char *)from, (const char *)from + (from ? bytes : 0)) {
        if (from && cudaMalloc(&device, bytes) == cudaSuccess) bring(device, from, bytes);
    }
    ~Region() { cudaFree(device); }
    void fetch() {
        if (device) bring(host.data(), device, host.size());
    }
};

/* A context on the device with the contents of one on the host. */
struct Device {
    Region weights, state, workspace, control;
    nnc_cuda_context context = {};
    static const void *zeros() {
        static const char bytes[NNC_CUDA_CONTROL_BYTES] = {0};
        return bytes;
    }
    Device(const nnc_context *ctx, int number)
        : weights(ctx->weights, ctx->weights_bytes), state(ctx->state, ctx->state_bytes),
          workspace(ctx->workspace, ctx->workspace_bytes),
          control(zeros(), NNC_CUDA_CONTROL_BYTES) {
        context.weights = weights.device;
        context.weights_bytes = ctx->weights_bytes;
        context.state = state.device;
        context.state_bytes = ctx->state_bytes;
        context.workspace = workspace.device;
        context.workspace_bytes = ctx->workspace_bytes;
        context.control = control.device;
        context.seed = ctx->seed;
        context.step = ctx->step;
        context.flags = number % 2 ? NNC_CUDA_NO_GRAPH : 0;
        /* The dims of the state are kept by the context; the host's region has room for them. */
        const int dims = device_model()->init_dim_count;
        if (dims && ctx->state && ctx->state_bytes >= 64)
            memcpy(context.made_for, ctx->state, 8 * (size_t)(dims + 1));
    }
    ~Device() { device_model()->close(&context); }
    void fetch(nnc_context *ctx) {
        const int dims = device_model()->init_dim_count;
        weights.fetch();
        state.fetch();
        if (dims && state.host.size() >= 64)
            memcpy(state.host.data(), context.made_for, 8 * (size_t)(dims + 1));
        ctx->message = context.message;
    }
};

void keep(const Region &r, void *to) {
    if (!r.host.empty()) memcpy(to, r.host.data(), r.host.size());
}

/* Runs `what` on fresh copies, once a schedule; `outputs` must come out the same. */
template <class What>
int run_schedules(nnc_context *ctx, const std::vector<std::pair<void *, size_t>> &outputs,
                  What what) {
    std::vector<std::vector<char>> first;
    std::vector<char> first_weights, first_state;
    int first_code = 0;
    for (int number = SCHEDULES - 1; number >= 0; number--) {
        schedule(number);
        Device device(ctx, number);
        int code = what(&device.context);
        if (!code) code = device_model()->wait(&device.context);
        device.fetch(ctx);
        std::vector<std::vector<char>> bytes;
        for (const auto &o : outputs)
            bytes.emplace_back((char *)o.first, (char *)o.first + o.second);
        if (number == SCHEDULES - 1) {
            first = bytes;
            first_weights = device.weights.host;
            first_state = device.state.host;
            first_code = code;
        } else if (code != first_code || (!code && bytes != first) ||
                   device.weights.host != first_weights || device.state.host != first_state) {
            ctx->message = "the bits depend on the schedule";
            return NNC_E_DEVICE;
        }
        if (number) continue;
        keep(device.weights, ctx->weights);
        keep(device.state, ctx->state);
        ctx->seed = device.context.seed;
        ctx->step = device.context.step;
        return code;
    }
    return 0;
}

size_t dtype_size(int dtype) {
    static const size_t bytes[] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
    return bytes[dtype];
}

size_t result_bytes(const nnc_cuda_entry_info *e, const int64_t *dims, int result) {
    int64_t shape[NNC_MAX_RANK];
    size_t n = dtype_size(e->results[result].dtype);
    e->shape(dims, e->argument_count + result, shape);
    for (int i = 0; i < e->results[result].rank; i++) n *= (size_t)shape[i];
    return n;
}

int call_entry(size_t number, nnc_context *ctx, const int64_t *dims, const void *const *arguments,
               void *const *results) {
    const nnc_cuda_entry_info *e = &device_model()->entries[number];
    if (!ctx) return NNC_E_ARGUMENT;
    std::vector<std::pair<void *, size_t>> outputs;
    for (int i = 0; i < e->result_count; i++)
        if (results[i]) outputs.emplace_back(results[i], result_bytes(e, dims, i));
    return run_schedules(ctx, outputs, [&](nnc_cuda_context *device) {
        return e->call(device, dims, arguments, results);
    });
}
template <size_t I>
int call(nnc_context *ctx, const int64_t *dims, const void *const *arguments,
         void *const *results) {
    return call_entry(I, ctx, dims, arguments, results);
}

typedef int (*Call)(nnc_context *, const int64_t *, const void *const *, void *const *);
template <size_t... I> void fill_calls(Call *calls, std::index_sequence<I...>) {
    Call all[] = {call<I>...};
    memcpy(calls, all, sizeof all);
}

int init(nnc_context *ctx, uint64_t seed, const int64_t *dims) {
    return run_schedules(ctx, {}, [&](nnc_cuda_context *device) {
        return device_model()->init(device, seed, dims);
    });
}
int prepare(nnc_context *ctx) {
    return ctx ? NNC_OK : NNC_E_ARGUMENT;
}
/* Getting and setting want no workspace, which the caller may have given back. */
nnc_context without_workspace(const nnc_context *ctx) {
    nnc_context copy = *ctx;
    copy.workspace = nullptr;
    copy.workspace_bytes = 0;
    return copy;
}
int get(const nnc_context *ctx, int cell, void *data, size_t bytes) {
    const nnc_context cells = without_workspace(ctx);
    Device device(&cells, 0);
    return device_model()->get(&device.context, cell, data, bytes);
}
int set(nnc_context *ctx, int cell, const void *data, size_t bytes) {
    const nnc_context cells = without_workspace(ctx);
    Device device(&cells, 0);
    int code = device_model()->set(&device.context, cell, data, bytes);
    device.fetch(ctx);
    keep(device.weights, ctx->weights);
    keep(device.state, ctx->state);
    return code;
}
size_t no_workspace(const int64_t *) {
    return 0;
}

} // namespace

extern "C" const nnc_model *MODEL(void) {
    static nnc_model model;
    static nnc_entry_info entries[ADAPTER_ENTRIES];
    const nnc_cuda_model *m = device_model();
    if (model.abi || m->entry_count > ADAPTER_ENTRIES) return model.abi ? &model : nullptr;
    Call calls[ADAPTER_ENTRIES];
    fill_calls(calls, std::make_index_sequence<ADAPTER_ENTRIES>());
    for (int i = 0; i < m->entry_count; i++) {
        const nnc_cuda_entry_info *e = &m->entries[i];
        entries[i] = {
            e->name, e->symbol,    e->kind,    e->dim_count, e->argument_count,  e->result_count,
            e->dims, e->arguments, e->results, e->shape,     e->workspace_bytes, calls[i],
            e->doc};
    }
    model.abi = NNC_ABI;
    model.name = m->name;
    model.source = m->source;
    model.is_train = m->is_train;
    model.cell_count = m->cell_count;
    model.entry_count = m->entry_count;
    model.init_dim_count = m->init_dim_count;
    model.cells = m->cells;
    model.entries = entries;
    model.weights_bytes = m->weights_bytes;
    model.state_bytes = m->state_bytes;
    model.init = init;
    model.prepare = prepare;
    model.get = get;
    model.set = set;
    model.init_dims = m->init_dims;
    model.init_workspace_bytes = m->init_workspace_bytes ? m->init_workspace_bytes : no_workspace;
    return &model;
}
