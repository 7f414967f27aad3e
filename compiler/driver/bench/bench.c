/* Measures an entry: plain calls for the time of a call, then calls that report every kernel.
 *
 * Each thread writes slices into a log of its own.  A kernel's time in one call is the time while
 * any thread runs it; medians over the calls are reported.  Invariant: the code is one and the same
 * for both kinds of calls, only the context's profile differs. */
#define _GNU_SOURCE
#include "driver/bench/bench_internal.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "driver/process.h"

enum { CALLS_LEAST = 3, CALLS_MOST = 10000, LOG_FIRST = 1024 };

/* ---- recording ---- */

typedef struct ThreadLog {
    _Alignas(64) Slice *slices;
    int64_t count, capacity;
    bool failed;
} ThreadLog;

typedef struct Recorder {
    ThreadLog *logs; /* [threads] */
    int threads;
} Recorder;

/* Threads are numbered as they come; the one that calls is the first. */
static atomic_int next_thread;
static _Thread_local int own_thread = -1;

static int thread_number(void) {
    if (own_thread < 0) own_thread = atomic_fetch_add(&next_thread, 1);
    return own_thread;
}

static uint64_t read_clock(void *user) {
    struct timespec now;
    (void)user;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void record_slice(void *user, int number, uint64_t begin) {
    const uint64_t end = read_clock(NULL);
    Recorder *recorder = user;
    int thread = thread_number();
    if (thread >= recorder->threads) thread = recorder->threads - 1;
    ThreadLog *log = &recorder->logs[thread];
    if (log->count == log->capacity) {
        NncError ignored;
        int64_t larger = log->capacity ? 2 * log->capacity : LOG_FIRST;
        Slice *grown = nnc_reallocate(log->slices, (size_t)log->capacity * sizeof *grown,
                                      (size_t)larger * sizeof *grown, &ignored);
        log->failed = log->failed || !grown;
        if (!grown) return;
        log->slices = grown;
        log->capacity = larger;
    }
    log->slices[log->count++] = (Slice){number, thread, begin, end};
}

static int by_row_and_time(const void *left, const void *right) {
    const Slice *a = left, *b = right;
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    return (a->begin > b->begin) - (a->begin < b->begin);
}

/* The slices of all threads, sorted; owned by the caller. */
static Slice *gather_slices(Recorder *recorder, int64_t *count, NncError *error) {
    int64_t total = 0;
    for (int t = 0; t < recorder->threads; ++t) {
        if (recorder->logs[t].failed) {
            nnc_fail(error, "out of memory");
            return NULL;
        }
        total += recorder->logs[t].count;
    }
    Slice *all = nnc_allocate((size_t)(total + 1) * sizeof *all, error);
    *count = 0;
    for (int t = 0; all && t < recorder->threads; ++t) {
        ThreadLog *log = &recorder->logs[t];
        if (log->count) memcpy(all + *count, log->slices, (size_t)log->count * sizeof *all);
        *count += log->count;
        log->count = 0;
    }
    if (all) qsort(all, (size_t)*count, sizeof *all, by_row_and_time);
    return all;
}

/* ---- tables ---- */

static bool read_rows(Bench *bench, NncError *error) {
    int (*kernels)(const nnc_context *, const int64_t *, nnc_kernel_info *) = NULL;
    Invocation *run = &bench->run;
    const char *symbol = arena_printf(run->arena, "%s_kernels", run->model.entry->symbol);
    if (!jit_symbol(&run->model.library, symbol, &kernels, sizeof kernels))
        return nnc_fail(error, "the compiled code has no function '%s'", symbol);
    bench->row_count = kernels(&run->session.context, run->dims, NULL);
    size_t count = (size_t)bench->row_count + 1;
    bench->rows = NEW_ARRAY(run->arena, count, nnc_kernel_info);
    bench->kernel_of_row = NEW_ARRAY(run->arena, count, int);
    bench->kernels = NEW_ARRAY(run->arena, count, BenchKernel);
    kernels(&run->session.context, run->dims, bench->rows);
    return true;
}

static void make_kernels(Bench *bench) {
    for (int r = 0; r < bench->row_count; ++r) {
        const nnc_kernel_info *row = &bench->rows[r];
        int k = 0;
        while (k < bench->kernel_count && strcmp(bench->kernels[k].info->name, row->name) != 0) ++k;
        if (k == bench->kernel_count) bench->kernels[bench->kernel_count++].info = row;
        BenchKernel *kernel = &bench->kernels[k];
        bench->kernel_of_row[r] = k;
        const Roofline *roofline = &bench->roofline;
        int level = roofline_level(roofline, row->bytes);
        double arithmetic = row->flops / roofline->flops[row->dtype == NNC_F64];
        double moving = row->bytes / roofline->levels[level].bandwidth;
        kernel->calls += row->calls;
        kernel->flops += row->calls * row->flops;
        kernel->bytes += row->calls * row->bytes;
        kernel->fastest += row->calls * fmax(arithmetic, moving);
        kernel->bound = arithmetic > moving ? -1 : level;
    }
}

/* Adds what each kernel took to seconds[kernel]: the time while any thread ran it. */
static void add_times(const Bench *bench, const Slice *slices, int64_t count, double *seconds) {
    uint64_t reached = 0;
    for (int64_t i = 0; i < count; ++i) {
        const Slice *s = &slices[i];
        if (i == 0 || slices[i - 1].row != s->row) reached = 0;
        uint64_t begin = s->begin > reached ? s->begin : reached;
        if (s->end <= begin) continue;
        seconds[bench->kernel_of_row[s->row]] += 1e-9 * (double)(s->end - begin);
        reached = s->end;
    }
}

/* ---- calls ---- */

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median_of(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static bool call_once(Bench *bench, double *seconds, NncError *error) {
    if (signals_received) return nnc_fail(error, "stopped by a signal");
    double start = nnc_now();
    bool good = invocation_call(&bench->run, error);
    *seconds = nnc_now() - start;
    return good;
}

static bool measure_plain(Bench *bench, NncError *error) {
    const BenchOptions *options = bench->options;
    int limit = options->run.repeat > 0 ? (int)options->run.repeat : CALLS_MOST;
    double *times = NEW_ARRAY(bench->run.arena, (size_t)limit, double), first, start;
    if (!call_once(bench, &first, error)) return false;
    start = nnc_now();
    while (bench->calls < limit && (options->run.repeat > 0 || bench->calls < CALLS_LEAST ||
                                    nnc_now() - start < options->seconds))
        if (!call_once(bench, &times[bench->calls++], error)) return false;
    bench->median = median_of(times, bench->calls);
    bench->fastest = times[0];
    bench->slowest = times[bench->calls - 1];
    return true;
}

static bool measure_timed(Bench *bench, Recorder *recorder, NncError *error) {
    Arena *arena = bench->run.arena;
    int kernels = bench->kernel_count, calls = bench->calls;
    double *whole = NEW_ARRAY(arena, (size_t)calls, double);
    double *times = NEW_ARRAY(arena, (size_t)calls * (size_t)kernels + 1, double);
    double *now = NEW_ARRAY(arena, (size_t)kernels + 1, double), nearest = INFINITY;
    for (int c = 0; c < calls; ++c) {
        int64_t count;
        if (!call_once(bench, &whole[c], error)) return false;
        Slice *slices = gather_slices(recorder, &count, error);
        if (!slices) return false;
        memset(now, 0, ((size_t)kernels + 1) * sizeof *now);
        add_times(bench, slices, count, now);
        for (int k = 0; k < kernels; ++k) times[(size_t)k * (size_t)calls + (size_t)c] = now[k];
        double distance = fabs(whole[c] - bench->median);
        Slice *old = distance < nearest ? bench->slices : slices;
        if (distance < nearest) {
            nearest = distance;
            bench->slices = slices;
            bench->slice_count = count;
        }
        nnc_release(old);
    }
    for (int k = 0; k < kernels; ++k) {
        bench->kernels[k].seconds = median_of(times + (size_t)k * (size_t)calls, calls);
        bench->sum += bench->kernels[k].seconds;
    }
    bench->timed = median_of(whole, calls);
    return true;
}

static int by_seconds(const void *left, const void *right) {
    const BenchKernel *a = left, *b = right;
    if (a->seconds != b->seconds) return a->seconds < b->seconds ? 1 : -1;
    return a->info < b->info ? -1 : 1; /* in the order of the calls */
}

static bool measure(Bench *bench, NncError *error) {
    Recorder recorder = {.threads = nnc_pool_threads(bench->run.model.pool)};
    nnc_profile profile = {&recorder, read_clock, record_slice};
    recorder.logs = NEW_ARRAY(bench->run.arena, (size_t)recorder.threads, ThreadLog);
    (void)thread_number();
    if (!read_rows(bench, error)) return false;
    make_kernels(bench);
    bool good = measure_plain(bench, error);
    bench->run.session.context.profile = &profile;
    good = good && measure_timed(bench, &recorder, error);
    bench->run.session.context.profile = NULL;
    for (int t = 0; t < recorder.threads; ++t) nnc_release(recorder.logs[t].slices);
    if (good)
        qsort(bench->kernels, (size_t)bench->kernel_count, sizeof *bench->kernels, by_seconds);
    return good;
}

int bench_command(const BenchOptions *options) {
    Bench bench = {.options = options};
    NncError error = {0};
    int status = invocation_open(&bench.run, &options->run);
    if (status == 0) {
        const EngineOptions *engine = &options->run.engine;
        status = roofline_measure(engine->cc, engine->verbose, bench.run.model.pool,
                                  &bench.roofline, &error);
        if (status == 0 && !measure(&bench, &error))
            status = signals_received ? 128 + signals_received : STATUS_INPUT;
        if (status == 0 && options->json && !bench_print_json(&bench, &error))
            status = STATUS_FILES;
        if (status == 0 && !options->json) bench_print(&bench);
        if (status == 0 && options->trace && !bench_write_trace(&bench, &error))
            status = STATUS_FILES;
        if (status != 0) driver_fail(status, &error);
        nnc_release(bench.slices);
    }
    invocation_close(&bench.run);
    return status;
}
