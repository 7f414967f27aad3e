/* What the machine can do at most, measured with T pinned threads: f32 multiply-adds a second, and
 * bytes a second read from L2, L3 and memory.
 * Input: ceilings CPU,CPU,...  Output: one line "fma l2 l3 dram", in FLOP/s and bytes/s.
 * Every figure is the best of several runs of all threads at once, as a ceiling has to be. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { CHAINS = 12, LIMIT = 64, RUNS = 25 };
typedef float Vector __attribute__((vector_size(LANES * 4)));

typedef struct Thread {
    pthread_t id;
    int cpu;
    float *data;
    size_t floats;
    long repeat;
    double begin, end;
    float sink;
} Thread;

static pthread_barrier_t barrier;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Sums are kept live through registers: the compiler may drop none of the work. */
static void multiply_add(Thread *thread) {
    Vector sum[CHAINS] = {0}, factor = {0}, term = {0};
    for (int i = 0; i < LANES; ++i) factor[i] = 0.5f, term[i] = 1e-3f * (float)(i + 1);
    for (long k = 0; k < thread->repeat; ++k) {
        __asm__ volatile("" : "+x"(factor), "+x"(term));
        for (int c = 0; c < CHAINS; ++c) sum[c] = sum[c] * factor + term;
    }
    for (int c = 0; c < CHAINS; ++c) thread->sink += sum[c][0];
}

static void read_all(Thread *thread) {
    Vector sum[8] = {0};
    for (long k = 0; k < thread->repeat; ++k) {
        const float *data = thread->data;
        __asm__ volatile("" : "+r"(data)::"memory");
        for (size_t i = 0; i + 8 * LANES <= thread->floats; i += 8 * LANES)
            for (int c = 0; c < 8; ++c) sum[c] += *(const Vector *)(data + i + (size_t)c * LANES);
    }
    for (int c = 0; c < 8; ++c) thread->sink += sum[c][0];
}

typedef struct Job {
    Thread *thread;
    void (*work)(Thread *thread);
} Job;

static void *thread_main(void *argument) {
    Job *job = argument;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(job->thread->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    job->work(job->thread); /* warm: pages, caches, clock */
    pthread_barrier_wait(&barrier);
    job->thread->begin = now();
    job->work(job->thread);
    job->thread->end = now();
    return NULL;
}

/* Seconds from the first start to the last end. */
static double run(Thread *threads, int count, void (*work)(Thread *thread)) {
    Job jobs[LIMIT];
    pthread_barrier_init(&barrier, NULL, (unsigned)count);
    for (int t = 0; t < count; ++t) {
        jobs[t] = (Job){&threads[t], work};
        if (pthread_create(&threads[t].id, NULL, thread_main, &jobs[t]) != 0) exit(3);
    }
    for (int t = 0; t < count; ++t) pthread_join(threads[t].id, NULL);
    pthread_barrier_destroy(&barrier);
    double begin = threads[0].begin, end = threads[0].end;
    for (int t = 1; t < count; ++t) {
        if (threads[t].begin < begin) begin = threads[t].begin;
        if (threads[t].end > end) end = threads[t].end;
    }
    return end - begin;
}

static double peak(Thread *threads, int count) {
    double best = 0;
    for (int t = 0; t < count; ++t) threads[t].repeat = 2000000;
    for (int r = 0; r < RUNS; ++r) {
        double rate = 2.0 * LANES * CHAINS * 2e6 * count / run(threads, count, multiply_add);
        if (rate > best) best = rate;
    }
    return best;
}

static double bandwidth(Thread *threads, int count, size_t bytes, double volume) {
    double best = 0;
    for (int t = 0; t < count; ++t) {
        threads[t].floats = bytes / 4 / (8 * LANES) * (8 * LANES);
        threads[t].repeat = (long)(volume / (double)bytes) + 1;
        threads[t].data = aligned_alloc(64, bytes / 64 * 64);
        if (!threads[t].data) exit(3);
        memset(threads[t].data, 1, bytes / 64 * 64);
    }
    for (int r = 0; r < RUNS; ++r) {
        double moved = 4.0 * (double)threads[0].floats * (double)threads[0].repeat * count;
        double rate = moved / run(threads, count, read_all);
        if (rate > best) best = rate;
    }
    for (int t = 0; t < count; ++t) free(threads[t].data);
    return best;
}

static size_t cache_bytes(int name, size_t otherwise) {
    long bytes = sysconf(name);
    return bytes > 0 ? (size_t)bytes : otherwise;
}

int main(int argc, char **argv) {
    Thread threads[LIMIT] = {0};
    int count = 0;
    if (argc != 2) return 2;
    for (char *text = strtok(argv[1], ","); text && count < LIMIT; text = strtok(NULL, ","))
        threads[count++].cpu = atoi(text);
    if (count == 0) return 2;
    size_t l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1u << 20);
    size_t l3 = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 32u << 20);
    double fma = peak(threads, count);
    double level2 = bandwidth(threads, count, l2 / 2, 4e8);
    double level3 = bandwidth(threads, count, 3 * l2, 2e8);
    double memory = bandwidth(threads, count, 4 * l3 / (size_t)count, 1e8);
    printf("%.0f %.0f %.0f %.0f\n", fma, level2, level3, memory);
    return 0;
}
