/* Measures the roofline: all threads of the pool do the same work at once, the best of some tries
 * counts.  Buffers are half as large as the level that they measure, so that they stay in it. */
#include "driver/bench/roofline.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/embedded.h"
#include "base/text.h"
#include "driver/jit.h"
#include "emit/common/common.h"

enum { WORK_F32, WORK_F64, WORK_READ };
/* Short tries: other programs on the machine spoil fewer of them. */
enum { TRIES = 16, MEMORY_LEAST = 64 << 20, MEMORY_MOST = 512 << 20 };
static const double try_seconds = 0.002;

typedef double (*RooflineWork)(int work, int64_t amount, const void *data, int64_t bytes,
                               double *sink);

typedef struct Measurement {
    RooflineWork run;
    int work;
    int64_t amount;
    const char *data; /* threads * bytes, or NULL */
    int64_t bytes;    /* of each thread */
    double *done;     /* [threads] */
    int threads;
    NncPool *pool;
} Measurement;

static void do_share(void *arg, int64_t i, int worker) {
    Measurement *m = arg;
    double sink = 0.5;
    (void)worker;
    m->done[i] =
        m->run(m->work, m->amount, m->data ? m->data + i * m->bytes : NULL, m->bytes, &sink);
}

/* Seconds of one try. */
static double try_once(Measurement *m) {
    double start = nnc_now();
    nnc_pool_run(m->pool, m->threads, do_share, m);
    return nnc_now() - start;
}

static double best_rate(Measurement *m) {
    double best = 0;
    m->amount = 1;
    while (try_once(m) < try_seconds && m->amount < INT64_MAX / 4) m->amount *= 2;
    for (int k = 0; k < TRIES; ++k) {
        double seconds = try_once(m), all = 0;
        for (int t = 0; t < m->threads; ++t) all += m->done[t];
        if (seconds > 0) best = fmax(best, all / seconds);
    }
    return best;
}

/* Bytes of a data cache of the first processor; `otherwise` where the system does not say. */
static int64_t cache_bytes(int level, int64_t otherwise) {
    for (int index = 0; index < 8; ++index) {
        char path[96], type[32] = "";
        long size = 0;
        int found = 0;
        const char *folder = "/sys/devices/system/cpu/cpu0/cache";
        snprintf(path, sizeof path, "%s/index%d/level", folder, index);
        FILE *file = fopen(path, "re");
        if (!file) break;
        bool good = fscanf(file, "%d", &found) == 1 && found == level;
        fclose(file);
        snprintf(path, sizeof path, "%s/index%d/type", folder, index);
        file = good ? fopen(path, "re") : NULL;
        good = file && fscanf(file, "%31s", type) == 1 && strcmp(type, "Instruction") != 0;
        if (file) fclose(file);
        snprintf(path, sizeof path, "%s/index%d/size", folder, index);
        file = good ? fopen(path, "re") : NULL;
        good = file && fscanf(file, "%ldK", &size) == 1 && size > 0;
        if (file) fclose(file);
        if (good) return (int64_t)size * 1024;
    }
    const int names[] = {0, _SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    long bytes = sysconf(names[level]);
    return bytes > 0 ? bytes : otherwise;
}

static bool add_level(Roofline *r, Measurement *m, const char *name, double capacity, int64_t bytes,
                      NncError *error) {
    m->bytes = bytes / 4096 * 4096;
    char *data = nnc_allocate((size_t)m->bytes * (size_t)m->threads, error);
    if (!data) return false;
    memset(data, 1, (size_t)m->bytes * (size_t)m->threads);
    m->data = data;
    r->levels[r->level_count].name = name;
    r->levels[r->level_count].capacity = capacity;
    r->levels[r->level_count++].bandwidth = best_rate(m);
    nnc_release(data);
    return true;
}

static bool measure_levels(Roofline *r, Measurement *m, NncError *error) {
    int64_t first = cache_bytes(1, 32 << 10), second = cache_bytes(2, 1 << 20);
    int64_t third = cache_bytes(3, 0), threads = m->threads;
    m->work = WORK_READ;
    if (!add_level(r, m, "L1", (double)(first * threads), first / 2, error)) return false;
    if (second > first && !add_level(r, m, "L2", (double)(second * threads), second / 2, error))
        return false;
    /* Shared: no more than the second level holds is no level of its own. */
    if (third / 2 / threads > second &&
        !add_level(r, m, "L3", (double)third, third / 2 / threads, error))
        return false;
    int64_t memory = 4 * (third > second * threads ? third : second * threads);
    if (memory < MEMORY_LEAST) memory = MEMORY_LEAST;
    if (memory > MEMORY_MOST) memory = MEMORY_MOST;
    return add_level(r, m, "memory", INFINITY, memory / threads, error);
}

int roofline_measure(const char *cc, bool verbose, NncPool *pool, Roofline *out, NncError *error) {
    Arena *arena = arena_new();
    Text text = text_new(arena);
    JitModel code;
    *out = (Roofline){.threads = nnc_pool_threads(pool)};
    emit_template(&text, "lanes.h");
    emit_template(&text, "roofline.c");
    JitFile file = {"roofline.c", text.data, text.length};
    JitCompiler compiler = {.command = cc, .verbose = verbose};
    int status = jit_open(&file, 1, "nnc_roofline", &compiler, &code, error);
    arena_free(arena);
    if (status != 0) return status;
    Measurement m = {.pool = pool, .threads = out->threads};
    m.done = nnc_allocate_zeroed((size_t)m.threads * sizeof *m.done, error);
    bool good = m.done && jit_symbol(&code, "nnc_roofline", &m.run, sizeof m.run);
    for (int work = WORK_F32; good && work <= WORK_F64; ++work) {
        m.work = work;
        out->flops[work] = best_rate(&m);
    }
    good = good && measure_levels(out, &m, error);
    nnc_release(m.done);
    jit_unload(&code);
    return good ? 0 : 3;
}

int roofline_level(const Roofline *roofline, double bytes) {
    int level = 0;
    while (level < roofline->level_count - 1 && bytes > roofline->levels[level].capacity) ++level;
    return level;
}
