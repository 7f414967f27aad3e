/* A fork-join thread pool for nnc_parallel.
 * Each worker sleeps on its own epoch counter (one cache line): it spins for about 20 us, then
 * waits in the kernel.  Tasks are cut into contiguous runs by index, so which thread runs a task is
 * fixed. Invariants: one job at a time; pool_run returns after every worker has finished its part.
 */
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

enum { LINE = 64, THREAD_LIMIT = 1024, SPIN_NANOSECONDS = 20000 };

typedef struct Worker {
    _Alignas(LINE) _Atomic uint32_t start; /* job number to run */
    _Atomic uint32_t sleeping;
    _Alignas(LINE) _Atomic uint32_t done; /* job number that was run */
    NncPool *pool;
    int index;
    pthread_t thread;
} Worker;

struct NncPool {
    _Alignas(LINE) int threads;
    uint32_t job;
    int64_t count;
    nnc_task task;
    void *arg;
    bool stop;
    _Alignas(
        LINE) _Atomic uint32_t waiting; /* the caller sleeps on it until the last worker is done */
    _Atomic int32_t running;
    Worker *workers; /* [threads - 1] */
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

/* Spins until the word differs from `old`; false when the time is up. */
static bool spin(_Atomic uint32_t *word, uint32_t old) {
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < 64; ++i) {
            if (atomic_load_explicit(word, memory_order_acquire) != old) return true;
            relax();
        }
        int64_t now = nanoseconds();
        if (!end)
            end = now + SPIN_NANOSECONDS;
        else if (now > end)
            return false;
    }
}

static void run_part(NncPool *pool, int index) {
    int64_t count = pool->count, threads = pool->threads;
    /* Equal runs; the first count % threads of them have one more. */
    int64_t size = count / threads, rest = count % threads;
    int64_t begin = size * index + (index < rest ? index : rest);
    int64_t end = begin + size + (index < rest);
    for (int64_t i = begin; i < end; ++i) pool->task(pool->arg, i, index);
}

static void *worker_main(void *argument) {
    Worker *worker = argument;
    NncPool *pool = worker->pool;
    uint32_t seen = 0;
    for (;;) {
        if (!spin(&worker->start, seen)) {
            atomic_store(&worker->sleeping, 1);
            while (atomic_load(&worker->start) == seen) futex_wait(&worker->start, seen);
            atomic_store(&worker->sleeping, 0);
        }
        seen = atomic_load_explicit(&worker->start, memory_order_acquire);
        if (pool->stop) return NULL;
        run_part(pool, worker->index);
        atomic_store_explicit(&worker->done, seen, memory_order_release);
        if (atomic_fetch_sub(&pool->running, 1) == 1) {
            /* The last one; the caller may sleep. */
            if (atomic_exchange(&pool->waiting, 0) == 1) futex_wake(&pool->waiting);
        }
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
    if (!pool->workers) {
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

static void start_workers(NncPool *pool) {
    ++pool->job;
    for (int i = 0; i + 1 < pool->threads; ++i) {
        Worker *worker = &pool->workers[i];
        atomic_store(&worker->start, pool->job);
        if (atomic_load(&worker->sleeping)) futex_wake(&worker->start);
    }
}

void nnc_pool_destroy(NncPool *pool) {
    if (!pool) return;
    pool->stop = true;
    start_workers(pool);
    for (int i = 0; i + 1 < pool->threads; ++i) pthread_join(pool->workers[i].thread, NULL);
    nnc_release(pool->workers);
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
    pool->count = n;
    pool->task = task;
    pool->arg = arg;
    atomic_store(&pool->running, pool->threads - 1);
    atomic_store(&pool->waiting, 0);
    start_workers(pool);
    run_part(pool, 0);
    for (int64_t end = nanoseconds() + SPIN_NANOSECONDS; nanoseconds() < end;) {
        for (int i = 0; i < 64; ++i) {
            if (atomic_load_explicit(&pool->running, memory_order_acquire) == 0) return;
            relax();
        }
    }
    atomic_store(&pool->waiting, 1);
    /* Sequentially consistent: either the last worker sees `waiting`, or we see `running` at 0. */
    while (atomic_load(&pool->running) != 0) {
        if (atomic_load(&pool->waiting) == 0) continue;
        futex_wait(&pool->waiting, 1);
    }
}
