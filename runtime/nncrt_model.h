/* Models at run time: a context with its memory, dims from inputs, weights files, checkpoints.
 * Everything goes through the tables of nnc_abi.h. */
#ifndef NNCRT_MODEL_H
#define NNCRT_MODEL_H

#include <stdio.h>
#include "nncrt_files.h"
#include "nnc_cuda_abi.h"
#include "nnc_device.h"
#include "nnc_standalone.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct NncPool NncPool;

/* Another executor behind a session (an interpreter, a device); every function returns an nnc
 * status. The session still owns the regions and asks the model's tables for names and shapes. */
typedef struct NncEngine {
    void *user;
    int (*init)(void *user, nnc_context *context, uint64_t seed, const int64_t *init_dims);
    int (*call)(void *user, nnc_context *context, const nnc_entry_info *entry, const int64_t *dims,
                const void *const *arguments, void *const *results);
    int (*get)(void *user, const nnc_context *context, int cell, void *data, size_t bytes);
    int (*set)(void *user, nnc_context *context, int cell, const void *data, size_t bytes);
} NncEngine;

/* --- A GPU ----------------------------------------------------------------------------------- */
/* Makes an engine of a model that was emitted for CUDA.  NULL, with an error that says why, when
 * the GPU cannot be used.  A device serves one session at a time, and is closed after it. */
typedef struct NncDevice NncDevice;
NncDevice *nnc_device_open(const nnc_cuda_model *model, const nnc_device *cuda, NncError *error);
void nnc_device_close(NncDevice *device);
/* The model's tables, for a session and its entries, which then runs on the engine. */
const nnc_model *nnc_device_model(const NncDevice *device);
const NncEngine *nnc_device_engine(const NncDevice *device);
/* For callers that enqueue calls of the model themselves, after the session has made its regions.
 */
nnc_cuda_context *nnc_device_context(NncDevice *device);

/* A context that owns its regions. */
typedef struct NncSession {
    const nnc_model *model;
    const NncEngine *engine; /* NULL: the model's own functions */
    nnc_context context;
    int64_t *init_dims; /* [model->init_dim_count] */
    bool prepared;      /* `prepared` region is up to date */
} NncSession;

/* Allocates weights, state and prepared regions.  init_dims: model->init_dim_count values (or
 * NULL). pool may be NULL (serial). */
bool nnc_session_open(NncSession *session, const nnc_model *model, const int64_t *init_dims,
                      NncPool *pool, NncError *error);
bool nnc_session_init(NncSession *session, uint64_t seed, NncError *error);
/* Grows the workspace for the entry, prepares weights if needed, calls.  The error names
 * the entry. */
bool nnc_session_call(NncSession *session, const nnc_entry_info *entry, const int64_t *dims,
                      const void *const *arguments, void *const *results, NncError *error);
void nnc_session_close(NncSession *session);

/* The cell's dims with init dims put in. */
void nnc_session_cell_dims(const NncSession *session, const nnc_cell_info *cell, int64_t *dims);
/* Row-major copy of a cell, owned; false with *none = true where a gradient is None. */
bool nnc_session_get(const NncSession *session, int cell, NncArray *out, bool *none,
                     NncError *error);
bool nnc_session_set(NncSession *session, int cell, const void *data, size_t bytes,
                     NncError *error);
/* Sets a rank-0 cell from a number. */
bool nnc_session_set_number(NncSession *session, int cell, double value, NncError *error);

const nnc_entry_info *nnc_model_entry(const nnc_model *model, const char *name); /* or NULL */
/* What an emitted model returned, as words. */
const char *nnc_status_text(int status);

/* --- Dims of an entry from its inputs -------------------------------------------------------- */
typedef struct NncBinding {
    const char *name;
    int64_t value;
} NncBinding;

/* arguments[i] == NULL: not given (its dims must come from elsewhere).  Checks dtype, rank and
 * every dim; fills dims[entry->dim_count]. */
bool nnc_bind_dims(const nnc_entry_info *entry, const NncArray *const *arguments,
                   const NncBinding *bindings, int binding_count, int64_t *dims, NncError *error);
/* "u8[N, 28, 28]" of an argument or result, symbols by name, expressions as "?". */
char *nnc_describe_tensor(char *text, size_t size, const nnc_entry_info *entry,
                          const nnc_tensor_info *info);
/* An array for argument (which < argument_count) or result with its shape at these dims. */
bool nnc_entry_array(const nnc_entry_info *entry, const int64_t *dims, int which, NncArray *out,
                     NncError *error);

/* --- Weights files --------------------------------------------------------------------------- */
typedef struct NncLoadOptions {
    const char *const *allow_missing; /* NULL-terminated patterns with * and ?, or NULL */
    const char *const *allow_extra;
    const char *prefix; /* what is taken off the file's keys, without its dot; NULL: what fits */
} NncLoadOptions;

/* Parameters and buffers.  The file has exactly the model's keys, or does so after exactly one
 * prefix is taken off or put on.  Floats are converted to the cell's dtype.  Nothing is written on
 * failure. */
bool nnc_weights_load(NncSession *session, const NncTensorFile *file, const NncLoadOptions *options,
                      NncError *error);
/* `path` is FILE, or FILE:PREFIX where there is no file of that name. */
bool nnc_weights_load_file(NncSession *session, const char *path, const NncLoadOptions *options,
                           NncError *error);
/* Parameters and buffers, a tied tensor under every name. */
bool nnc_weights_save(const NncSession *session, const char *path, NncError *error);
/* False when a cell that is saved holds an infinity or a NaN; *name says which. */
bool nnc_weights_are_finite(const NncSession *session, const char **name);

/* --- Checkpoints ----------------------------------------------------------------------------- */
/* All cells, seed and step counter, and the caller's pairs ("epoch" → "3").  Checksums over
 * everything. */
bool nnc_checkpoint_save(const NncSession *session, const char *path, const NncPair *pairs,
                         int count, NncError *error);
/* Reads and verifies; the caller frees `file`, whose metadata has the pairs as "user.<key>". */
bool nnc_checkpoint_read(const char *path, NncTensorFile *file, NncError *error);
const char *nnc_checkpoint_pair(const NncTensorFile *file, const char *key);
/* init dims stored in the checkpoint, for nnc_session_open; count must be the model's. */
bool nnc_checkpoint_init_dims(const NncTensorFile *file, int64_t *dims, int count, NncError *error);
/* Puts every cell, the seed and the step counter back.  The session must have been initialised. */
bool nnc_checkpoint_restore(NncSession *session, const NncTensorFile *file, NncError *error);
/* True when the file was written by this runtime (weights or checkpoint); its checksums are then
 * good or the read fails. */
bool nnc_tensor_file_is_ours(const NncTensorFile *file);
bool nnc_tensor_file_verify(const NncTensorFile *file, NncError *error);
bool nnc_tensor_file_write_stamped(const char *path, const NncArray *tensors, int count,
                                   const NncPair *metadata, int metadata_count, NncError *error);

/* Writes an array as text: numbers with brackets; at most `limit` elements. */
void nnc_array_print(FILE *out, const NncArray *array, size_t limit);

#ifdef __cplusplus
}
#endif
#endif
