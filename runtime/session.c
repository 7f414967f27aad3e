/* A context that owns its regions: sizes from the model's table, cells in and out, entry calls.
 * Invariants: regions are aligned to 64 bytes; `prepared` is refilled whenever a cell may have
 * changed. */
#include "nncrt_model.h"
#include "nncrt_train.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *nnc_status_text(int status) {
    switch (status) {
    case NNC_OK: return "success";
    case NNC_E_ARGUMENT: return "bad argument";
    case NNC_E_DIM: return "the dims do not satisfy the entry's conditions";
    case NNC_E_RANGE: return "an id is out of range";
    case NNC_E_WORKSPACE: return "a memory region is too small";
    case NNC_E_STATE: return "the context is not ready for this call";
    case NNC_E_NOT_FINITE: return "the loss or a gradient is not finite";
    case NNC_E_DEVICE: return "the device has failed";
    default: return "unknown status";
    }
}

static bool fail_status(NncError *error, const nnc_context *context, const char *what, int status) {
    const char *message = context->message;
    nnc_fail(error, "%s: %s%s%s", what, nnc_status_text(status), message ? ": " : "",
             message ? message : "");
    error->environment = status == NNC_E_DEVICE;
    return false;
}

bool nnc_session_open(NncSession *session, const nnc_model *model, const int64_t *init_dims,
                      NncPool *pool, NncError *error) {
    *session = (NncSession){0};
    if (model->abi != NNC_ABI)
        return nnc_fail(error, "the model was made for ABI %d, this runtime has %d", model->abi,
                        NNC_ABI);
    session->model = model;
    session->init_dims =
        nnc_allocate_zeroed((size_t)model->init_dim_count * sizeof *session->init_dims, error);
    if (!session->init_dims) return false;
    for (int i = 0; i < model->init_dim_count; ++i)
        session->init_dims[i] = init_dims ? init_dims[i] : 0;
    nnc_context *context = &session->context;
    context->weights_bytes = model->weights_bytes;
    context->state_bytes = model->state_bytes ? model->state_bytes(session->init_dims) : 0;
    context->prepared_bytes = model->prepared_bytes;
    if (context->state_bytes == SIZE_MAX || context->weights_bytes == SIZE_MAX ||
        context->prepared_bytes == SIZE_MAX) {
        nnc_session_close(session);
        return nnc_fail(error, "the model does not fit in memory");
    }
    context->weights = nnc_allocate_zeroed(context->weights_bytes, error);
    context->state = nnc_allocate_zeroed(context->state_bytes, error);
    context->prepared = nnc_allocate_zeroed(context->prepared_bytes, error);
    if (!context->weights || !context->state || !context->prepared) {
        nnc_session_close(session);
        return false;
    }
    nnc_pool_attach(pool, context);
    return true;
}

void nnc_session_close(NncSession *session) {
    nnc_release(session->context.weights);
    nnc_release(session->context.state);
    nnc_release(session->context.prepared);
    nnc_release(session->context.workspace);
    nnc_release(session->init_dims);
    *session = (NncSession){0};
}

static bool reserve_workspace(NncSession *session, size_t bytes, NncError *error) {
    nnc_context *context = &session->context;
    if (bytes == SIZE_MAX)
        return nnc_fail(error, "the workspace for these dims does not fit in memory");
    if (context->workspace && context->workspace_bytes >= bytes) return true;
    nnc_release(context->workspace);
    context->workspace_bytes = 0;
    context->workspace = nnc_allocate(bytes, error);
    if (!context->workspace) return false;
    context->workspace_bytes = bytes;
    return true;
}

bool nnc_session_init(NncSession *session, uint64_t seed, NncError *error) {
    session->prepared = false;
    session->context.message = NULL;
    size_t (*init_bytes)(const int64_t *) = session->model->init_workspace_bytes;
    if (init_bytes && !reserve_workspace(session, init_bytes(session->init_dims), error))
        return nnc_fail_in(error, "init");
    const NncEngine *engine = session->engine;
    int status = engine ? engine->init(engine->user, &session->context, seed, session->init_dims)
                        : session->model->init(&session->context, seed, session->init_dims);
    return status == NNC_OK || fail_status(error, &session->context, "init", status);
}

bool nnc_session_call(NncSession *session, const nnc_entry_info *entry, const int64_t *dims,
                      const void *const *arguments, void *const *results, NncError *error) {
    nnc_context *context = &session->context;
    if (!reserve_workspace(session, entry->workspace_bytes(dims), error))
        return nnc_fail_in(error, entry->name);
    context->message = NULL;
    const NncEngine *engine = session->engine;
    if (!engine && !session->prepared && session->model->prepare && context->prepared_bytes) {
        int status = session->model->prepare(context);
        if (status != NNC_OK) return fail_status(error, context, "prepare", status);
        session->prepared = true;
    }
    int status = engine ? engine->call(engine->user, context, entry, dims, arguments, results)
                        : entry->call(context, dims, arguments, results);
    if (entry->kind == 1) session->prepared = false;
    return status == NNC_OK || fail_status(error, context, entry->name, status);
}

void nnc_session_cell_dims(const NncSession *session, const nnc_cell_info *cell, int64_t *dims) {
    for (int i = 0; i < cell->rank; ++i) {
        int64_t dim = cell->dims[i], which = -1 - dim;
        dims[i] = dim >= 0                                 ? dim
                  : which < session->model->init_dim_count ? session->init_dims[which]
                                                           : 0;
    }
}

bool nnc_session_get(const NncSession *session, int cell, NncArray *out, bool *none,
                     NncError *error) {
    const nnc_cell_info *info = &session->model->cells[cell];
    int64_t dims[NNC_MAX_RANK];
    *none = false;
    nnc_session_cell_dims(session, info, dims);
    if (!nnc_array_create(out, info->dtype, info->rank, dims, error))
        return nnc_fail_in(error, info->name);
    const NncEngine *engine = session->engine;
    int status = engine ? engine->get(engine->user, &session->context, cell, out->data, out->bytes)
                        : session->model->get(&session->context, cell, out->data, out->bytes);
    if (status == NNC_OK) return true;
    nnc_array_free(out);
    *none = status == NNC_E_STATE && info->role == NNC_GRADIENT;
    return fail_status(error, &session->context, info->name, status);
}

bool nnc_session_set(NncSession *session, int cell, const void *data, size_t bytes,
                     NncError *error) {
    session->prepared = false;
    const NncEngine *engine = session->engine;
    int status = engine ? engine->set(engine->user, &session->context, cell, data, bytes)
                        : session->model->set(&session->context, cell, data, bytes);
    return status == NNC_OK ||
           fail_status(error, &session->context, session->model->cells[cell].name, status);
}

bool nnc_session_set_number(NncSession *session, int cell, double value, NncError *error) {
    const nnc_cell_info *info = &session->model->cells[cell];
    uint64_t storage = 0;
    if (info->rank != 0) return nnc_fail(error, "%s is not a number", info->name);
    nnc_element_set(info->dtype, &storage, 0, value);
    return nnc_session_set(session, cell, &storage, nnc_dtype_bytes(info->dtype), error);
}

const nnc_entry_info *nnc_model_entry(const nnc_model *model, const char *name) {
    for (int i = 0; i < model->entry_count; ++i)
        if (strcmp(model->entries[i].name, name) == 0) return &model->entries[i];
    return NULL;
}
