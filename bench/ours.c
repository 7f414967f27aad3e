/* Calls an entry of a compiled model in a tight loop and notes the time of every call.
 * Input: a shared object made from emitted C, or from a model for a GPU and templates/device.cu;
 * weights, arguments.  The process binds its own thread to the first processor it may use; the pool
 * binds its workers when NNC_PIN=1.  On a GPU, arguments and results stay there, and the time of a
 * call is that until its end.
 * Invariant: a training entry starts from the same cells after every bench_reset. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "nncrt.h"
#include "nncrt_model.h"

enum { ARGUMENTS = 8 };

/* A copy of the cells as they were before the first call. */
typedef struct Kept {
    void *copy, *region;
    size_t bytes;
} Kept;

typedef struct Bench {
    NncSession session;
    NncPool *pool;
    const nnc_entry_info *entry;
    int64_t dims[NNC_MAX_RANK];
    const void *arguments[ARGUMENTS];
    void *placed[ARGUMENTS]; /* copies of arguments, on a GPU */
    NncArray results[ARGUMENTS];
    void *result_data[ARGUMENTS];
    Kept weights, state;
    /* On a GPU; NULL: on the processor. */
    const nnc_device *cuda;
    const nnc_cuda_model *source;
    const nnc_cuda_entry_info *source_entry;
    NncDevice *device;
    nnc_cuda_context *context;
    NncError error;
} Bench;

static int64_t nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void bind_first_processor(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &set)) continue;
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
        return;
    }
}

/* ---- memory where the model runs ---- */

static bool copy_bytes(Bench *bench, void *to, const void *from, size_t bytes) {
    if (!bench->cuda) {
        memcpy(to, from, bytes);
        return true;
    }
    int error = bench->cuda->copy(to, from, bytes);
    return !error || nnc_fail(&bench->error, "%s", bench->cuda->text(error));
}

static void *make_bytes(Bench *bench, size_t bytes) {
    void *made = NULL;
    if (!bench->cuda) return nnc_allocate(bytes + 1, &bench->error);
    int error = bench->cuda->allocate(&made, bytes + 1);
    if (error) nnc_fail(&bench->error, "%s", bench->cuda->text(error));
    return made;
}

static void release_bytes(Bench *bench, void *memory) {
    if (bench->cuda)
        bench->cuda->release(memory);
    else
        nnc_release(memory);
}

static bool keep_region(Bench *bench, Kept *kept, void *region, size_t bytes) {
    *kept = (Kept){make_bytes(bench, bytes), region, bytes};
    return kept->copy && (!bytes || copy_bytes(bench, kept->copy, region, bytes));
}

static bool restore_region(Bench *bench, const Kept *kept) {
    return !kept->bytes || copy_bytes(bench, kept->region, kept->copy, kept->bytes);
}

/* ---- opening ---- */

const char *bench_error(const Bench *bench) {
    return bench->error.text;
}

static void *find_symbol(void *library, const char *prefix, const char *suffix) {
    char symbol[256];
    snprintf(symbol, sizeof symbol, "%s%s", prefix, suffix);
    return dlsym(library, symbol);
}

/* The tables of the model in the library, which is for a GPU when it says what one can do. */
static const nnc_model *find_model(Bench *bench, void *library, const char *prefix) {
    const nnc_model *(*get_model)(void) = NULL;
    const nnc_cuda_model *(*get_source)(void) = NULL;
    const nnc_device *(*get_functions)(void) = NULL;
    void *functions = find_symbol(library, "", "nnc_device_functions");
    void *address = find_symbol(library, prefix, functions ? "_cuda_model" : "_model");
    if (!address) {
        nnc_fail(&bench->error, "the library has no model %s", prefix);
        return NULL;
    }
    if (!functions) {
        memcpy(&get_model, &address, sizeof get_model);
        return get_model();
    }
    memcpy(&get_source, &address, sizeof get_source);
    memcpy(&get_functions, &functions, sizeof get_functions);
    bench->cuda = get_functions();
    bench->source = get_source();
    bench->device = nnc_device_open(bench->source, bench->cuda, &bench->error);
    if (!bench->device) return NULL;
    bench->context = nnc_device_context(bench->device);
    return nnc_device_model(bench->device);
}

static bool open_model(Bench *bench, const char *path, const char *prefix, const char *entry,
                       const char *weights, int threads) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return nnc_fail(&bench->error, "%s", dlerror());
    const nnc_model *model = find_model(bench, library, prefix);
    if (!model) return false;
    bench->entry = nnc_model_entry(model, entry);
    if (!bench->entry) return nnc_fail(&bench->error, "%s has no entry %s", prefix, entry);
    if (bench->entry->argument_count > ARGUMENTS || bench->entry->result_count > ARGUMENTS)
        return nnc_fail(&bench->error, "%s.%s has too many arguments", prefix, entry);
    bench->pool = nnc_pool_create(threads, &bench->error);
    bool open =
        bench->pool && nnc_session_open(&bench->session, model, NULL, bench->pool, &bench->error);
    if (bench->device) {
        bench->session.engine = nnc_device_engine(bench->device);
        bench->source_entry = &bench->source->entries[bench->entry - model->entries];
    }
    bind_first_processor(); /* after the pool has counted the processors */
    return open && nnc_session_init(&bench->session, 1, &bench->error) &&
           nnc_weights_load_file(&bench->session, weights, NULL, &bench->error);
}

static bool place_arguments(Bench *bench, const void *const *arguments) {
    for (int a = 0; a < bench->entry->argument_count; ++a) {
        bench->arguments[a] = arguments[a];
        if (!bench->cuda || !bench->entry->arguments[a].rank) continue;
        NncArray like;
        if (!nnc_entry_array(bench->entry, bench->dims, a, &like, &bench->error)) return false;
        void *place = bench->placed[a] = make_bytes(bench, like.bytes);
        bool placed = place && copy_bytes(bench, place, arguments[a], like.bytes);
        nnc_array_free(&like);
        if (!placed) return false;
        bench->arguments[a] = place;
    }
    return true;
}

static bool place_results(Bench *bench) {
    for (int r = 0; r < bench->entry->result_count; ++r) {
        if (!nnc_entry_array(bench->entry, bench->dims, bench->entry->argument_count + r,
                             &bench->results[r], &bench->error))
            return false;
        bench->result_data[r] = bench->results[r].data;
        if (bench->cuda) bench->result_data[r] = make_bytes(bench, bench->results[r].bytes);
        if (!bench->result_data[r]) return false;
    }
    return true;
}

static bool keep_cells(Bench *bench) {
    if (bench->cuda) {
        const nnc_cuda_context *on_gpu = bench->context;
        return keep_region(bench, &bench->weights, on_gpu->weights, bench->source->weights_bytes) &&
               keep_region(bench, &bench->state, on_gpu->state, on_gpu->state_bytes);
    }
    const nnc_context *context = &bench->session.context;
    return keep_region(bench, &bench->weights, context->weights, context->weights_bytes) &&
           keep_region(bench, &bench->state, context->state, context->state_bytes);
}

/* The caller looks at bench_error: empty when all is well. `arguments` must outlive the bench. */
Bench *bench_open(const char *path, const char *prefix, const char *entry, const char *weights,
                  int threads, int64_t batch, const void *const *arguments) {
    Bench *bench = calloc(1, sizeof *bench);
    if (!bench) return NULL;
    if (!open_model(bench, path, prefix, entry, weights, threads)) return bench;
    for (int d = 0; d < bench->entry->dim_count; ++d) bench->dims[d] = batch;
    if (place_arguments(bench, arguments) && place_results(bench) && keep_cells(bench))
        /* The first call makes the workspace. */
        nnc_session_call(&bench->session, bench->entry, bench->dims, bench->arguments,
                         bench->result_data, &bench->error);
    return bench;
}

void bench_close(Bench *bench) {
    if (!bench) return;
    release_bytes(bench, bench->weights.copy);
    release_bytes(bench, bench->state.copy);
    for (int i = 0; i < ARGUMENTS; ++i) {
        if (bench->cuda) {
            release_bytes(bench, bench->placed[i]);
            release_bytes(bench, bench->result_data[i]);
        }
        nnc_array_free(&bench->results[i]);
    }
    nnc_session_close(&bench->session);
    nnc_device_close(bench->device);
    nnc_pool_destroy(bench->pool);
    free(bench);
}

/* ---- calls ---- */

void bench_reset(Bench *bench) {
    restore_region(bench, &bench->weights);
    restore_region(bench, &bench->state);
    bench->session.context.step = 0;
    if (bench->context) bench->context->step = 0;
}

int bench_call(Bench *bench) {
    if (!bench->cuda)
        return bench->entry->call(&bench->session.context, bench->dims, bench->arguments,
                                  bench->result_data);
    int status = bench->source_entry->call(bench->context, bench->dims, bench->arguments,
                                           bench->result_data);
    return status != NNC_OK ? status : bench->source->wait(bench->context);
}

/* The first result, and a cell by the end of its name (the train block's member comes
 * before it). */
int bench_result(Bench *bench, void *data, size_t bytes) {
    if (bench->results[0].bytes != bytes) return NNC_E_ARGUMENT;
    return copy_bytes(bench, data, bench->result_data[0], bytes) ? NNC_OK : NNC_E_DEVICE;
}

int bench_cell(const Bench *bench, const char *name, void *data, size_t bytes) {
    const nnc_model *model = bench->session.model;
    for (int c = 0; c < model->cell_count; ++c) {
        size_t full = strlen(model->cells[c].name), part = strlen(name);
        if (full < part || strcmp(model->cells[c].name + full - part, name) != 0) continue;
        if (model->cells[c].role != NNC_PARAMETER) continue;
        if (bench->cuda) return bench->source->get(bench->context, c, data, bytes);
        return model->get(&bench->session.context, c, data, bytes);
    }
    return NNC_E_ARGUMENT;
}

/* Calls for `seconds` after `warm` seconds that are not counted, at least three times each; every
 * `steps` calls (0: never) the cells start again, which no time includes.  Fills times[limit] with
 * nanoseconds; returns their number, or -status. */
int64_t bench_burst(Bench *bench, double warm, double seconds, int64_t steps, int64_t *times,
                    int64_t limit) {
    int64_t count = 0, calls = 0, begin = nanoseconds();
    int64_t counted = begin + (int64_t)(1e9 * warm), end = counted + (int64_t)(1e9 * seconds);
    for (;;) {
        if (steps && calls % steps == 0) bench_reset(bench);
        ++calls;
        int64_t before = nanoseconds();
        int status = bench_call(bench);
        int64_t after = nanoseconds();
        if (status != NNC_OK) return -status;
        if (before >= counted && calls > 3 && count < limit) times[count++] = after - before;
        if ((after >= end && count >= 3) || count == limit) return count;
    }
}
