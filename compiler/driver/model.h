/* A model that can be called: compiled C, compiled CUDA code on a GPU, or the interpreter, each
 * behind one session. */
#ifndef NNC_DRIVER_MODEL_H
#define NNC_DRIVER_MODEL_H

#include "driver/jit.h"
#include "driver/options.h"
#include "driver/pipeline.h"

typedef struct EngineOptions {
    bool interpreter; /* --engine=interp */
    const char *cc;   /* --cc */
    int threads;      /* 0: one per processor */
    bool verbose;
    bool instrument; /* so that kernels can be timed */
    DeviceWish device;
    const char *nvcc; /* --nvcc */
} EngineOptions;

typedef struct Model {
    const nnc_model *table;
    const nnc_entry_info *entry; /* the chosen one */
    JitModel library;
    const NncEngine *engine; /* the interpreter's or the GPU's, or NULL */
    NncDevice *device;       /* the GPU, or NULL */
    NncPool *pool;
    const char *place; /* what it runs on, in words */
} Model;

/* Compiles and loads (or wraps) the root; `entry` may be NULL.  Returns an exit status, with a
 * message on stderr unless it is 0. */
int model_open(Model *model, const Pipeline *pipeline, Root *root, const Entry *entry,
               const EngineOptions *options);
void model_close(Model *model);
/* Opens a session on the model: init dims from --bind; not yet initialised. */
bool model_session(const Model *model, const NncBinding *bindings, int count, NncSession *session,
                   NncError *error);

/* "name=value" lists of the command line. */
typedef struct NamedText {
    const char *name; /* NULL where the text has no '=' */
    const char *value;
} NamedText;
NamedText named_text(Arena *arena, const char *text);
int list_length(const char *const *list); /* NULL-terminated, or NULL */
/* --bind N=4 …, each a dim of the model; false after a message. */
bool parse_bindings(Arena *arena, const nnc_model *table, const char *const *list, NncBinding **out,
                    int *count, NncError *error);
bool parse_number(const char *text, double *out);
bool parse_integer(const char *text, int64_t *out);
/* Prints "nnc: …" on stderr and returns `status`. */
int driver_fail(int status, const NncError *error);

#endif
