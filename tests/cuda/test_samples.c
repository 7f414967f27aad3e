/* Samples of every primitive that has a kernel for a GPU: on the shim the emitted kernels equal the
 * interpreter at every size, and themselves to the bit under several schedules of their threads.
 * CUDA_SAMPLES=all takes every sample, else it is one in four. */
#include "cuda/shim.h"
#include "numeric/sample.h"

enum { BATCH = 96, BATCHES = 64 };

/* Has every primitive of the sample a schedule? */
static bool has_kernels(Arena *arena, const Sample *s) {
    const char *error = NULL;
    Program *program = program_read(
        arena,
        arena_printf(arena, "root test infer {\nentry infer %s symbol=test_%s random {\n%s\n}\n}\n",
                     s->name, s->name, s->body),
        &error);
    if (!program) fail_msg("%s\n%s", error, s->body);
    simplify_program(program);
    return kernel_program_build_with(arena, program, &(KernelOptions){.gpu = true})
               ->refusals.count == 0;
}

/* Of how many samples one is taken. */
static int samples_step(void) {
    const char *all = getenv("CUDA_SAMPLES");
    return (all && !strcmp(all, "all")) || getenv("NUMERIC_CASE") ? 1 : 4;
}

static void test_batch(void **state) {
    int batch = (int)(intptr_t)*state;
    Arena *arena = arena_new();
    names_init(arena);
    SampleList list = samples_make(arena);
    const char *only = getenv("NUMERIC_CASE");
    int every = samples_step(), first = batch * BATCH * every, count = 0;
    Case cases[BATCH];
    for (int i = first; i < first + BATCH * every && i < list.count; i += every) {
        const Sample *s = &list.data[i];
        if ((only && strcmp(only, s->name)) || !has_kernels(arena, s)) continue;
        cases[count++] =
            (Case){s->name, s->body, s->tolerance, s->low, s->high, s->from, s->to, s->smallest};
    }
    thread_form_count = 1;
    /* Indices of 32 and of 64 bits in turn. */
    if (count)
        run_cases_with(compile_for_shim, arena_printf(arena, "samples_%d", batch), cases, count,
                       batch % 2 ? "-DSCHEDULES=3 -DNN_INDEX=int64_t"
                                 : "-DSCHEDULES=3 -DNN_INDEX=int32_t");
    arena_free(arena);
}

int main(void) {
    Arena *arena = arena_new();
    names_init(arena);
    int step = BATCH * samples_step(), batches = (samples_make(arena).count + step - 1) / step;
    static struct CMUnitTest tests[BATCHES];
    for (int i = 0; i < batches; i++)
        tests[i] = (struct CMUnitTest){arena_printf(arena, "samples_%d", i), test_batch, NULL, NULL,
                                       (void *)(intptr_t)i};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return _cmocka_run_group_tests("cuda samples", tests, (size_t)batches, NULL, NULL);
}
