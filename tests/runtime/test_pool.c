/* The pool of threads: every task runs once, tasks that wait for each other run together, and with
 * NNC_PIN=1 each worker stays on a processor of its own. */
#define _GNU_SOURCE
#include "support.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MOST = 64, TASKS = 10000 };

typedef struct Seen {
    _Atomic int runs[TASKS];
    _Atomic int here; /* tasks that have begun */
    int together;     /* so many wait for each other */
    int status[MOST];
    cpu_set_t set[MOST];
} Seen;

static void count_run(void *arg, int64_t i, int worker) {
    (void)worker;
    atomic_fetch_add(&((Seen *)arg)->runs[i], 1);
}

/* Notes where the thread may run, and ends when all tasks have come so far: each is a thread's. */
static void note_processors(void *arg, int64_t i, int worker) {
    Seen *seen = arg;
    (void)worker;
    seen->status[i] = sched_getaffinity(0, sizeof seen->set[i], &seen->set[i]);
    atomic_fetch_add(&seen->here, 1);
    while (atomic_load(&seen->here) < seen->together) sched_yield();
}

static void note_pool(Seen *seen, int threads) {
    NncError error = {0};
    NncPool *pool = nnc_pool_create(threads, &error);
    assert_non_null(pool);
    assert_int_equal(nnc_pool_threads(pool), threads);
    *seen = (Seen){.together = threads};
    nnc_pool_run(pool, threads, note_processors, seen);
    nnc_pool_destroy(pool);
    for (int i = 0; i < threads; i++) assert_int_equal(seen->status[i], 0);
}

static void test_every_task_runs_once(void **state) {
    (void)state;
    static Seen seen;
    for (int threads = 1; threads <= 8; threads++) {
        NncError error = {0};
        NncPool *pool = nnc_pool_create(threads, &error);
        assert_non_null(pool);
        for (int64_t n = 0; n <= TASKS; n = n * 10 + 1) {
            seen = (Seen){0};
            nnc_pool_run(pool, n, count_run, &seen);
            for (int64_t i = 0; i < TASKS; i++) assert_int_equal(seen.runs[i], i < n);
        }
        nnc_pool_destroy(pool);
    }
}

static void test_pinned(void **state) {
    (void)state;
    static Seen seen;
    cpu_set_t allowed, used, shared;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    int processors = nnc_processor_count();
    if (processors < 2 || processors > MOST - 1) skip();
    assert_int_equal(setenv("NNC_PIN", "1", 1), 0);
    note_pool(&seen, processors);
    /* The caller's thread is left alone; worker i has the i-th processor that is allowed. */
    CPU_ZERO(&used);
    int free = 0, bound = 0;
    for (int i = 0; i < processors; i++) {
        if (CPU_EQUAL(&seen.set[i], &allowed)) {
            free++;
            continue;
        }
        assert_int_equal(CPU_COUNT(&seen.set[i]), 1);
        CPU_AND(&shared, &used, &seen.set[i]);
        assert_int_equal(CPU_COUNT(&shared), 0);
        CPU_OR(&used, &used, &seen.set[i]);
        bound++;
    }
    assert_int_equal(free, 1);
    assert_int_equal(bound, processors - 1);
    /* More threads than processors would wait for each other. */
    note_pool(&seen, processors + 1);
    for (int i = 0; i <= processors; i++) assert_true(CPU_EQUAL(&seen.set[i], &allowed));
    /* And nobody is bound who did not ask. */
    assert_int_equal(unsetenv("NNC_PIN"), 0);
    note_pool(&seen, processors);
    for (int i = 0; i < processors; i++) assert_true(CPU_EQUAL(&seen.set[i], &allowed));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_runs_once),
        cmocka_unit_test(test_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
