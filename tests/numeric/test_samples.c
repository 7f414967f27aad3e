/* Every sample of sample.h: emitted C equals the interpreter, at every size and number of threads.
 */
#include "numeric/numeric.h"
#include "numeric/sample.h"

/* One program per batch: a compiler takes long over one file with everything. */
enum { BATCH = 120 };

static void test_samples(void **state) {
    Arena *arena = arena_new();
    names_init(arena);
    SampleList list = samples_make(arena);
    Case *cases = NEW_ARRAY(arena, (size_t)list.count, Case);
    for (int i = 0; i < list.count; i++) {
        const Sample *s = &list.data[i];
        cases[i] =
            (Case){s->name, s->body, s->tolerance, s->low, s->high, s->from, s->to, s->smallest};
    }
    for (int i = 0; i < list.count; i += BATCH) {
        int count = list.count - i < BATCH ? list.count - i : BATCH;
        run_cases(arena_printf(arena, "samples_%d", i / BATCH), cases + i, count,
                  "gcc -march=native -Wno-psabi");
    }
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
