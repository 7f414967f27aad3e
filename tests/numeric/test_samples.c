/* Every sample of sample.h: emitted C equals the interpreter, at every size and number
 * of threads. */
#include "numeric/numeric.h"
#include "numeric/sample.h"

/* One program per batch: a compiler takes long over one file with everything. */
enum { BATCH = 64, BATCHES = 64 };

static void test_batch(void **state) {
    int batch = (int)(intptr_t)*state;
    Arena *arena = arena_new();
    names_init(arena);
    SampleList list = samples_make(arena);
    int first = batch * BATCH, count = 0;
    Case cases[BATCH];
    for (; count < BATCH && first + count < list.count; count++) {
        const Sample *s = &list.data[first + count];
        cases[count] =
            (Case){s->name, s->body, s->tolerance, s->low, s->high, s->from, s->to, s->smallest};
    }
    const char *only = getenv("NUMERIC_CASE");
    bool any = !only;
    for (int i = 0; i < count && only; i++) any |= !strcmp(only, cases[i].name);
    if (any)
        run_cases(arena_printf(arena, "samples_%d", batch), cases, count,
                  "gcc -march=native -Wno-psabi");
    arena_free(arena);
}

int main(void) {
    Arena *arena = arena_new();
    names_init(arena);
    int batches = (samples_make(arena).count + BATCH - 1) / BATCH;
    static struct CMUnitTest tests[BATCHES];
    for (int i = 0; i < batches; i++)
        tests[i] = (struct CMUnitTest){arena_printf(arena, "samples_%d", i), test_batch, NULL, NULL,
                                       (void *)(intptr_t)i};
    return _cmocka_run_group_tests("samples", tests, (size_t)batches, NULL, NULL);
}
