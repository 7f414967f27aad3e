/* An emitted model on a pool of threads: the same bits serially, with a fork for each step, and
 * with one fork a call and barriers, at several numbers of threads. concurrent [CALLS] Compiled by
 * concurrent.sh together with the model, whose table is MODEL(), under ThreadSanitizer too.  Every
 * entry is called with made-up arguments, then once with ids out of range. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model.h"
#include "nncrt.h"

enum { ARGUMENTS = 8, DIM = 37 };

#ifndef EACH_STEP
#define EACH_STEP 0 /* 1: code that ignores NNC_CONCURRENT */
#endif

static int forks; /* of the entry's last calls */

typedef struct Run {
    const nnc_model *model;
    const nnc_entry_info *entry;
    int64_t dims[ARGUMENTS];
    void *arguments[ARGUMENTS], *results[ARGUMENTS];
    size_t result_bytes[ARGUMENTS];
    nnc_context context;
} Run;

static void die(const char *what, const char *where) {
    fprintf(stderr, "FAIL: %s: %s\n", where, what);
    exit(1);
}

static void *region(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) die("no memory", "region");
    memset(p, 0, bytes);
    return p;
}

static int64_t elements(const Run *r, int which, const nnc_tensor_info *info) {
    int64_t dims[NNC_MAX_RANK], n = 1;
    if (r->entry->shape(r->dims, which, dims)) die("shape", r->entry->name);
    for (int i = 0; i < info->rank; i++) n *= dims[i];
    return n;
}

static void fill(void *to, int dtype, int64_t n, uint32_t seed) {
    for (int64_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        double u = (double)(seed >> 8) / 16777216.0;
        nnc_element_set(dtype, to, i,
                        dtype == NNC_F32 || dtype == NNC_F64 ? 2 * u - 1 : seed >> 31);
    }
}

static void open_run(Run *r, const nnc_model *model, const nnc_entry_info *entry) {
    memset(r, 0, sizeof *r);
    r->model = model;
    r->entry = entry;
    for (int i = 0; i < entry->dim_count; i++) r->dims[i] = i ? DIM / 4 : DIM;
    for (int i = 0; i < entry->argument_count; i++) {
        const nnc_tensor_info *info = &entry->arguments[i];
        int64_t n = elements(r, i, info);
        r->arguments[i] = region((size_t)n * nnc_dtype_bytes(info->dtype));
        fill(r->arguments[i], info->dtype, n, (uint32_t)i + 1);
    }
    for (int i = 0; i < entry->result_count; i++) {
        const nnc_tensor_info *info = &entry->results[i];
        int64_t n = elements(r, entry->argument_count + i, info);
        r->result_bytes[i] = (size_t)n * nnc_dtype_bytes(info->dtype);
        r->results[i] = region(r->result_bytes[i]);
    }
    nnc_context *c = &r->context;
    c->weights = region(c->weights_bytes = model->weights_bytes);
    c->state = region(c->state_bytes = model->state_bytes(NULL));
    size_t need = entry->workspace_bytes(r->dims), init = model->init_workspace_bytes(NULL);
    c->workspace = region(c->workspace_bytes = need > init ? need : init);
}

static void close_run(Run *r) {
    for (int i = 0; i < ARGUMENTS; i++) free(r->arguments[i]), free(r->results[i]);
    free(r->context.weights), free(r->context.state), free(r->context.workspace);
}

/* The pool's own. */
static nnc_parallel pool_parallel;

static void counted_parallel(void *user, int64_t n, nnc_task task, void *arg) {
    if (n < 2) die("a fork for one task", "parallel");
    forks++;
    pool_parallel(user, n, task, arg);
}

static void attach(nnc_context *c, NncPool *pool, int concurrent) {
    nnc_pool_attach(pool, c);
    pool_parallel = c->parallel;
    if (c->parallel) c->parallel = counted_parallel;
    c->flags = concurrent ? NNC_CONCURRENT : 0;
}

static void call(Run *r, int calls) {
    nnc_context *c = &r->context;
    if (r->model->init(c, 7, NULL)) die("init", r->entry->name);
    forks = 0;
    for (int i = 0; i < calls; i++)
        if (r->entry->call(c, r->dims, (const void *const *)r->arguments, r->results))
            die(c->message ? c->message : "call", r->entry->name);
}

static void compare(const Run *a, const Run *b, const char *how) {
    char where[200];
    snprintf(where, sizeof where, "%s, %s", a->entry->name, how);
    if (memcmp(a->context.weights, b->context.weights, a->model->weights_bytes))
        die("other weights", where);
    if (memcmp(a->context.state, b->context.state, a->context.state_bytes))
        die("other state", where);
    for (int i = 0; i < a->entry->result_count; i++)
        if (memcmp(a->results[i], b->results[i], a->result_bytes[i])) die("other result", where);
}

/* Ids out of range end the call before a cell is written. */
static int refuse(Run *r, const Run *good) {
    int refused = 0;
    for (int i = 0; i < r->entry->argument_count; i++) {
        const nnc_tensor_info *info = &r->entry->arguments[i];
        if (info->dtype != NNC_I64 && info->dtype != NNC_U8) continue;
        int64_t last = elements(r, i, info) - 1;
        double old = nnc_element_get(info->dtype, r->arguments[i], last);
        nnc_element_set(info->dtype, r->arguments[i], last, 200);
        int code =
            r->entry->call(&r->context, r->dims, (const void *const *)r->arguments, r->results);
        nnc_element_set(info->dtype, r->arguments[i], last, old);
        if (code != NNC_E_RANGE) die("an id out of range is taken", r->entry->name);
        compare(r, good, "after an id out of range");
        refused++;
    }
    return refused;
}

int main(int argc, char **argv) {
    static const int sizes[] = {1, 2, 3, 8};
    int calls = argc > 1 ? atoi(argv[1]) : 5, compared = 0, refused = 0;
    const nnc_model *model = MODEL();
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        NncError error;
        NncPool *pool = nnc_pool_create(sizes[t], &error);
        if (!pool) die(error.text, "pool");
        for (int e = 0; e < model->entry_count; e++)
            for (int concurrent = 0; concurrent < 2; concurrent++) {
                Run serial, other;
                char how[80];
                snprintf(how, sizeof how, "%d threads, %s", sizes[t],
                         concurrent ? "one fork a call" : "one fork a step");
                open_run(&serial, model, &model->entries[e]);
                open_run(&other, model, &model->entries[e]);
                attach(&other.context, pool, concurrent);
                if (sizes[t] == 1) other.context.parallel = counted_parallel;
                serial.context.threads = 8; /* nobody is there to run them */
                call(&serial, calls);
                call(&other, calls);
                compare(&serial, &other, how);
                if (sizes[t] == 1 ? forks > 0 : forks == 0) die("forks or does not", how);
                if (concurrent && !EACH_STEP && forks > calls)
                    die("more than one fork a call", how);
                refused += refuse(&other, &serial);
                close_run(&serial), close_run(&other);
                compared++;
            }
        nnc_pool_destroy(pool);
    }
    printf("%d comparisons, %d refusals\n", compared, refused);
    return 0;
}
