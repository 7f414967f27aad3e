/* A fork-join thread pool for nnc_parallel.
 * A job is cut into as many contiguous chunks as there are threads.  Each thread first claims the
 * chunk of its own number (its caches know it), then any that no one has begun: a worker that the
 * system does not run at the moment holds up nobody.  Which thread runs a task changes no result.
 * Tasks that wait for each other (NNC_CONCURRENT) are no more than the threads, so that each is a
 * chunk and a thread that has begun one takes no other before all have begun.
 * Workers spin for about 50 us, then wait in the kernel. Invariants: one job at a time; every chunk
 * is claimed once; nnc_pool_run returns after all are done; a worker that comes late finds all
 * chunks of its job claimed. */
#define _GNU_SOURCE
#include "nncrt_train.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 64, THREAD_LIMIT = 1024, SPIN_NANOSECONDS = 50000 };

typedef struct Worker {
    _Alignas(LINE) _Atomic uint32_t start; /* changes when there is a new job */
    _Atomic uint32_t sleeping;
    NncPool *pool;
    int index;
    pthread_t thread;
} Worker;

typedef struct Chunk {
    _Alignas(LINE) _Atomic uint64_t claimed; /* the last job that claimed it */
} Chunk;

struct NncPool {
    _Alignas(LINE) _Atomic uint64_t current; /* job number * THREAD_LIMIT + chunks - 1 */
    _Atomic int64_t count;
    _Atomic(nnc_task) task;
    _Atomic(void *) arg;
    _Atomic bool stop;
    int threads;
    uint64_t job;
    _Alignas(LINE) _Atomic uint32_t done; /* chunks of this job */
    _Alignas(
        LINE) _Atomic uint32_t waiting; /* the caller sleeps on it until the last chunk is done */
    Worker *workers;                    /* [threads - 1] */
    Chunk *chunks;                      /* [threads] */
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Spins until the word is `value`, or (other) is not; false when the time is up. */
static bool spin(_Atomic uint32_t *word, uint32_t value, bool other) {
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < 64; ++i) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) != other) return true;
            relax();
        }
        int64_t now = nanoseconds();
        if (!end)
            end = now + SPIN_NANOSECONDS;
        else if (now > end)
            return false;
    }
}

static void run_chunk(NncPool *pool, int64_t chunk, int64_t chunks, int index) {
    int64_t count = atomic_load_explicit(&pool->count, memory_order_relaxed);
    nnc_task task = atomic_load_explicit(&pool->task, memory_order_relaxed);
    void *arg = atomic_load_explicit(&pool->arg, memory_order_relaxed);
    /* Equal runs; the first count % chunks of them have one more. */
    int64_t size = count / chunks, rest = count % chunks;
    int64_t begin = size * chunk + (chunk < rest ? chunk : rest);
    int64_t end = begin + size + (chunk < rest);
    for (int64_t i = begin; i < end; ++i) task(arg, i, index);
    if (atomic_fetch_add(&pool->done, 1) + 1 == (uint32_t)chunks &&
        atomic_exchange(&pool->waiting, 0) == 1)
        futex_wake(&pool->waiting);
}

/* Works on job `current` until all its chunks are claimed. */
static void take_part(NncPool *pool, uint64_t current, int index) {
    uint64_t job = current / THREAD_LIMIT;
    int64_t chunks = (int64_t)(current % THREAD_LIMIT) + 1;
    for (int64_t k = 0; k < chunks; ++k) {
        int64_t chunk = (index + k) % chunks;
        _Atomic uint64_t *claimed = &pool->chunks[chunk].claimed;
        uint64_t last = atomic_load_explicit(claimed, memory_order_relaxed);
        /* Job numbers only grow: a claim by a later job means that this one is over. */
        if (last < job && atomic_compare_exchange_strong(claimed, &last, job))
            run_chunk(pool, chunk, chunks, index);
    }
}

static void *worker_main(void *argument) {
    Worker *worker = argument;
    NncPool *pool = worker->pool;
    uint32_t seen = 0;
    for (;;) {
        if (!spin(&worker->start, seen, true)) {
            atomic_store(&worker->sleeping, 1);
            while (atomic_load(&worker->start) == seen) futex_wait(&worker->start, seen);
            atomic_store(&worker->sleeping, 0);
        }
        seen = atomic_load_explicit(&worker->start, memory_order_acquire);
        if (atomic_load(&pool->stop)) return NULL;
        take_part(pool, atomic_load_explicit(&pool->current, memory_order_acquire), worker->index);
    }
}

int nnc_processor_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int count = CPU_COUNT(&set);
        if (count > 0) return count;
    }
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

/* Binds worker i to the i-th allowed processor.  Only on request: with two programs on one machine,
 * or fewer processors than threads, binding makes threads wait for each other. */
static void bind_worker(const Worker *worker, int threads) {
    cpu_set_t allowed, one;
    const char *wish = getenv("NNC_PIN");
    if (!wish || strcmp(wish, "1") != 0 || threads > nnc_processor_count()) return;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    int left = worker->index;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed) || left-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        pthread_setaffinity_np(worker->thread, sizeof one, &one);
        return;
    }
}

NncPool *nnc_pool_create(int threads, NncError *error) {
    if (threads <= 0) threads = nnc_processor_count();
    if (threads > THREAD_LIMIT) threads = THREAD_LIMIT;
    NncPool *pool = nnc_allocate_zeroed(sizeof *pool, error);
    if (!pool) return NULL;
    pool->threads = 1;
    pool->workers = nnc_allocate_zeroed((size_t)threads * sizeof *pool->workers, error);
    pool->chunks = nnc_allocate_zeroed((size_t)threads * sizeof *pool->chunks, error);
    if (!pool->workers || !pool->chunks) {
        nnc_release(pool->workers);
        nnc_release(pool->chunks);
        nnc_release(pool);
        return NULL;
    }
    /* Workers take no signals: those belong to the thread that started them. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = 0; i + 1 < threads; ++i) {
        Worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->index = i + 1;
        int status = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (status != 0) {
            pthread_sigmask(SIG_SETMASK, &old, NULL);
            nnc_pool_destroy(pool);
            nnc_fail(error, "cannot start %d threads: %s", threads, strerror(status));
            return NULL;
        }
        bind_worker(worker, threads);
        pool->threads = i + 2;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pool;
}

static void start_workers(NncPool *pool, int count) {
    for (int i = 0; i < count; ++i) {
        Worker *worker = &pool->workers[i];
        atomic_store(&worker->start, (uint32_t)pool->job);
        if (atomic_load(&worker->sleeping)) futex_wake(&worker->start);
    }
}

void nnc_pool_destroy(NncPool *pool) {
    if (!pool) return;
    atomic_store(&pool->stop, true);
    ++pool->job;
    start_workers(pool, pool->threads - 1);
    for (int i = 0; i + 1 < pool->threads; ++i) pthread_join(pool->workers[i].thread, NULL);
    nnc_release(pool->workers);
    nnc_release(pool->chunks);
    nnc_release(pool);
}

int nnc_pool_threads(const NncPool *pool) {
    return pool ? pool->threads : 1;
}

void nnc_pool_run(void *user, int64_t n, nnc_task task, void *arg) {
    NncPool *pool = user;
    if (n <= 1 || pool->threads == 1) {
        for (int64_t i = 0; i < n; ++i) task(arg, i, 0);
        return;
    }
    uint32_t chunks = n < pool->threads ? (uint32_t)n : (uint32_t)pool->threads;
    uint64_t current = ++pool->job * THREAD_LIMIT + chunks - 1;
    atomic_store_explicit(&pool->count, n, memory_order_relaxed);
    atomic_store_explicit(&pool->task, task, memory_order_relaxed);
    atomic_store_explicit(&pool->arg, arg, memory_order_relaxed);
    atomic_store(&pool->done, 0);
    atomic_store(&pool->waiting, 0);
    atomic_store_explicit(&pool->current, current, memory_order_release);
    start_workers(pool, (int)chunks - 1);
    take_part(pool, current, 0);
    if (spin(&pool->done, chunks, false)) return;
    atomic_store(&pool->waiting, 1);
    /* Sequentially consistent: either the last chunk sees `waiting`, or we see it done. */
    while (atomic_load(&pool->done) != chunks) {
        if (atomic_load(&pool->waiting) == 0) continue;
        futex_wait(&pool->waiting, 1);
    }
}

/* Others get the processor.  After about a millisecond the thread sleeps: the one that it waits for
 * may be kept off a processor by another program. */
static void wait_turn(void *user, int64_t turn) {
    enum { YIELDS = 4000 };
    (void)user;
    if (turn < YIELDS)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

void nnc_pool_attach(NncPool *pool, nnc_context *context) {
    context->threads = nnc_pool_threads(pool);
    context->flags &= ~NNC_CONCURRENT;
    context->parallel = NULL;
    if (context->threads == 1) return;
    context->parallel = nnc_pool_run;
    context->parallel_user = pool;
    context->wait = wait_turn;
    /* More threads than processors would wait for each other at every barrier. */
    if (context->threads <= nnc_processor_count()) context->flags |= NNC_CONCURRENT;
}
