/* Calls an entry of a compiled model in a tight loop and notes the time of every call.
 * Input: a shared object made from emitted C, weights, arguments.  The process binds its own thread
 * to the first processor it may use; the pool binds its workers when NNC_PIN=1.
 * Invariant: a training entry starts from the same cells after every bench_reset. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "nncrt.h"

enum { ARGUMENTS = 8 };

typedef struct Bench {
    NncSession session;
    NncPool *pool;
    const nnc_entry_info *entry;
    int64_t dims[NNC_MAX_RANK];
    const void *arguments[ARGUMENTS];
    NncArray results[ARGUMENTS];
    void *result_data[ARGUMENTS];
    void *weights, *state; /* as they were before the first call */
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

static bool copy_region(void **copy, const void *region, size_t bytes, NncError *error) {
    *copy = nnc_allocate(bytes ? bytes : 1, error);
    if (*copy && bytes) memcpy(*copy, region, bytes);
    return *copy != NULL;
}

const char *bench_error(const Bench *bench) {
    return bench->error.text;
}

static bool open_model(Bench *bench, const char *path, const char *prefix, const char *entry,
                       const char *weights, int threads) {
    char symbol[256];
    const nnc_model *(*get_model)(void) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return nnc_fail(&bench->error, "%s", dlerror());
    snprintf(symbol, sizeof symbol, "%s_model", prefix);
    void *address = dlsym(library, symbol);
    if (!address) return nnc_fail(&bench->error, "%s has no %s", path, symbol);
    memcpy(&get_model, &address, sizeof get_model);
    const nnc_model *model = get_model();
    bench->entry = nnc_model_entry(model, entry);
    if (!bench->entry) return nnc_fail(&bench->error, "%s has no entry %s", prefix, entry);
    if (bench->entry->argument_count > ARGUMENTS || bench->entry->result_count > ARGUMENTS)
        return nnc_fail(&bench->error, "%s.%s has too many arguments", prefix, entry);
    bench->pool = nnc_pool_create(threads, &bench->error);
    bool open =
        bench->pool && nnc_session_open(&bench->session, model, NULL, bench->pool, &bench->error);
    bind_first_processor(); /* after the pool has counted the processors */
    return open && nnc_session_init(&bench->session, 1, &bench->error) &&
           nnc_weights_load_file(&bench->session, weights, NULL, &bench->error);
}

/* The caller looks at bench_error: empty when all is well. `arguments` must outlive the bench. */
Bench *bench_open(const char *path, const char *prefix, const char *entry, const char *weights,
                  int threads, int64_t batch, const void *const *arguments) {
    Bench *bench = calloc(1, sizeof *bench);
    if (!bench) return NULL;
    if (!open_model(bench, path, prefix, entry, weights, threads)) return bench;
    for (int d = 0; d < bench->entry->dim_count; ++d) bench->dims[d] = batch;
    for (int a = 0; a < bench->entry->argument_count; ++a) bench->arguments[a] = arguments[a];
    for (int r = 0; r < bench->entry->result_count; ++r) {
        if (!nnc_entry_array(bench->entry, bench->dims, bench->entry->argument_count + r,
                             &bench->results[r], &bench->error))
            return bench;
        bench->result_data[r] = bench->results[r].data;
    }
    const nnc_context *context = &bench->session.context;
    if (copy_region(&bench->weights, context->weights, context->weights_bytes, &bench->error) &&
        copy_region(&bench->state, context->state, context->state_bytes, &bench->error))
        /* The first call makes the workspace. */
        nnc_session_call(&bench->session, bench->entry, bench->dims, bench->arguments,
                         bench->result_data, &bench->error);
    return bench;
}

void bench_reset(Bench *bench) {
    nnc_context *context = &bench->session.context;
    memcpy(context->weights, bench->weights, context->weights_bytes);
    if (context->state_bytes) memcpy(context->state, bench->state, context->state_bytes);
    context->step = 0;
}

int bench_call(Bench *bench) {
    return bench->entry->call(&bench->session.context, bench->dims, bench->arguments,
                              bench->result_data);
}

/* The first result, and a cell by the end of its name (the train block's member comes
 * before it). */
int bench_result(const Bench *bench, void *data, size_t bytes) {
    if (bench->results[0].bytes != bytes) return NNC_E_ARGUMENT;
    memcpy(data, bench->results[0].data, bytes);
    return NNC_OK;
}

int bench_cell(const Bench *bench, const char *name, void *data, size_t bytes) {
    const nnc_model *model = bench->session.model;
    for (int c = 0; c < model->cell_count; ++c) {
        size_t full = strlen(model->cells[c].name), part = strlen(name);
        if (full < part || strcmp(model->cells[c].name + full - part, name) != 0) continue;
        if (model->cells[c].role != NNC_PARAMETER) continue;
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
