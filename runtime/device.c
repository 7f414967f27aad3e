/* A model on a GPU behind a session.
 *
 * Input: the model's CUDA tables, and the functions of nnc_device.h.  Output: tables as every other
 * model has them, and an engine.  Invariants: weights and state stay on the device between calls,
 * and the session's own regions are empty; when a function of the engine returns, the device has
 * done its work and results are in the caller's memory; nothing of CUDA is linked by this file. */
#include "nncrt_model.h"

#include <string.h>

typedef struct NncDevice {
    const nnc_cuda_model *source;
    const nnc_device *cuda;
    nnc_cuda_context context;
    nnc_model model;
    nnc_entry_info *entries;
    char *name; /* of the model, without the family */
    NncEngine engine;
} NncDevice;

/* ---- memory ---- */

static int fail(NncDevice *device, nnc_context *context, int error) {
    device->context.device_error = error;
    context->message = device->cuda->text(error);
    return NNC_E_DEVICE;
}

typedef struct Region {
    void **memory;
    size_t *bytes;
    int (*allocate)(void **out, size_t bytes);
    void (*release)(void *memory);
} Region;

/* Makes a region as large as `bytes`; its contents are lost when it grows. */
static int reserve(NncDevice *device, nnc_context *context, Region region, size_t bytes) {
    if (*region.memory && *region.bytes >= bytes) return NNC_OK;
    if (bytes == SIZE_MAX) {
        context->message = "the dims do not fit in memory";
        return NNC_E_WORKSPACE;
    }
    if (!bytes) return NNC_OK;
    region.release(*region.memory);
    *region.memory = NULL;
    *region.bytes = 0;
    int error = region.allocate(region.memory, bytes);
    if (error) return fail(device, context, error);
    *region.bytes = bytes;
    return NNC_OK;
}

static int reserve_workspace(NncDevice *device, nnc_context *context, size_t bytes) {
    nnc_cuda_context *c = &device->context;
    Region region = {&c->workspace, &c->workspace_bytes, device->cuda->allocate,
                     device->cuda->release};
    return reserve(device, context, region, bytes);
}

/* Page-locked memory for two calls' arguments, so that copying them waits for nothing. */
static int reserve_staging(NncDevice *device, nnc_context *context,
                           const nnc_cuda_entry_info *entry, const int64_t *dims) {
    nnc_cuda_context *c = &device->context;
    size_t total = 0;
    for (int a = 0; a < entry->argument_count; ++a) {
        NncError ignored;
        int64_t shape[NNC_MAX_RANK];
        size_t count, bytes;
        if (entry->shape(dims, a, shape) != NNC_OK ||
            !nnc_shape_bytes(entry->arguments[a].dtype, entry->arguments[a].rank, shape, &count,
                             &bytes, &ignored) ||
            !nnc_add(bytes, 64, &bytes) || !nnc_add(total, bytes, &total))
            return NNC_OK; /* the entry refuses such dims */
    }
    if (!nnc_multiply(total, 2, &total) || (c->staging && c->staging_bytes >= total)) return NNC_OK;
    Region region = {&c->staging, &c->staging_bytes, device->cuda->allocate_host,
                     device->cuda->release_host};
    return reserve(device, context, region, total);
}

static int reserve_model(NncDevice *device, nnc_context *context, const int64_t *init_dims) {
    const nnc_cuda_model *source = device->source;
    nnc_cuda_context *c = &device->context;
    size_t state_bytes = source->state_bytes ? source->state_bytes(init_dims) : 0;
    size_t control_bytes = 0;
    int (*allocate)(void **, size_t) = device->cuda->allocate;
    void (*release)(void *) = device->cuda->release;
    Region weights = {&c->weights, &c->weights_bytes, allocate, release},
           state = {&c->state, &c->state_bytes, allocate, release},
           control = {&c->control, &control_bytes, allocate, release};
    int status = reserve(device, context, weights, source->weights_bytes);
    if (status == NNC_OK) status = reserve(device, context, state, state_bytes);
    if (status == NNC_OK && !c->control)
        status = reserve(device, context, control, NNC_CUDA_CONTROL_BYTES);
    return status;
}

/* ---- the engine ---- */

/* What a call leaves in the device's context: the outcome, and where the random stream stands. */
static int settle(NncDevice *device, nnc_context *context, int status) {
    if (status == NNC_OK) status = device->source->wait(&device->context);
    context->message = device->context.message;
    context->seed = device->context.seed;
    context->step = device->context.step;
    return status;
}

static int device_init(void *user, nnc_context *context, uint64_t seed, const int64_t *init_dims) {
    NncDevice *device = user;
    size_t (*workspace)(const int64_t *) = device->source->init_workspace_bytes;
    int status = reserve_model(device, context, init_dims);
    if (status == NNC_OK && workspace)
        status = reserve_workspace(device, context, workspace(init_dims));
    if (status != NNC_OK) return status;
    return settle(device, context, device->source->init(&device->context, seed, init_dims));
}

static int device_call(void *user, nnc_context *context, const nnc_entry_info *entry,
                       const int64_t *dims, const void *const *arguments, void *const *results) {
    NncDevice *device = user;
    const nnc_cuda_entry_info *source = &device->source->entries[entry - device->entries];
    int status = reserve_workspace(device, context, source->workspace_bytes(dims));
    if (status == NNC_OK) status = reserve_staging(device, context, source, dims);
    if (status != NNC_OK) return status;
    device->context.seed = context->seed;
    device->context.step = context->step;
    return settle(device, context, source->call(&device->context, dims, arguments, results));
}

static int device_get(void *user, const nnc_context *context, int cell, void *data, size_t bytes) {
    (void)context;
    NncDevice *device = user;
    return device->source->get(&device->context, cell, data, bytes);
}

static int device_set(void *user, nnc_context *context, int cell, const void *data, size_t bytes) {
    NncDevice *device = user;
    int status = device->source->set(&device->context, cell, data, bytes);
    context->message = device->context.message;
    return status;
}

/* ---- tables ---- */

static size_t no_workspace(const int64_t *dims) {
    (void)dims;
    return 0;
}

static bool copy_tables(NncDevice *device, NncError *error) {
    static const char family[] = "_cuda";
    const nnc_cuda_model *source = device->source;
    size_t count = (size_t)source->entry_count, length = strlen(source->name);
    device->entries = nnc_allocate_zeroed((count + 1) * sizeof *device->entries, error);
    device->name = nnc_copy_text(source->name, error);
    if (!device->entries || !device->name) return false;
    if (length >= sizeof family && !strcmp(source->name + length - (sizeof family - 1), family))
        device->name[length - (sizeof family - 1)] = 0;
    for (size_t i = 0; i < count; ++i) {
        const nnc_cuda_entry_info *e = &source->entries[i];
        device->entries[i] = (nnc_entry_info){.name = e->name,
                                              .symbol = e->symbol,
                                              .kind = e->kind,
                                              .dim_count = e->dim_count,
                                              .argument_count = e->argument_count,
                                              .result_count = e->result_count,
                                              .dims = e->dims,
                                              .arguments = e->arguments,
                                              .results = e->results,
                                              .shape = e->shape,
                                              .workspace_bytes = no_workspace,
                                              .doc = e->doc};
    }
    device->model = (nnc_model){.abi = NNC_ABI,
                                .name = device->name,
                                .source = source->source,
                                .is_train = source->is_train,
                                .cell_count = source->cell_count,
                                .entry_count = source->entry_count,
                                .init_dim_count = source->init_dim_count,
                                .cells = source->cells,
                                .entries = device->entries,
                                .init_dims = source->init_dims};
    return true;
}

NncDevice *nnc_device_open(const nnc_cuda_model *model, const nnc_device *cuda, NncError *error) {
    if (model->abi != NNC_CUDA_ABI) {
        nnc_fail(error, "the model was made for CUDA ABI %d, this runtime has %d", model->abi,
                 NNC_CUDA_ABI);
        return NULL;
    }
    const char *refusal = cuda->refusal();
    if (refusal) {
        nnc_fail(error, "%s", refusal);
        return NULL;
    }
    NncDevice *device = nnc_allocate_zeroed(sizeof *device, error);
    if (!device) return NULL;
    device->source = model;
    device->cuda = cuda;
    device->engine = (NncEngine){device, device_init, device_call, device_get, device_set};
    int failed = cuda->open_stream(&device->context.stream);
    if (failed) nnc_fail(error, "%s: %s", cuda->name(), cuda->text(failed));
    if (!failed && copy_tables(device, error)) return device;
    nnc_device_close(device);
    return NULL;
}

void nnc_device_close(NncDevice *device) {
    if (!device) return;
    nnc_cuda_context *c = &device->context;
    const nnc_device *cuda = device->cuda;
    if (c->control) device->source->close(c);
    cuda->release(c->weights);
    cuda->release(c->state);
    cuda->release(c->workspace);
    cuda->release(c->control);
    cuda->release_host(c->staging);
    if (c->stream) cuda->close_stream(c->stream);
    nnc_release(device->entries);
    nnc_release(device->name);
    nnc_release(device);
}

const nnc_model *nnc_device_model(const NncDevice *device) {
    return &device->model;
}

nnc_cuda_context *nnc_device_context(NncDevice *device) {
    return &device->context;
}

const NncEngine *nnc_device_engine(const NncDevice *device) {
    return &device->engine;
}
