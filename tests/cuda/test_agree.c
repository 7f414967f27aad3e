/* Whole networks on the shim equal PyTorch's in f64, to 1e-9: recurrent, attention, residual and
 * adversarial ones, and each layer and function of the library with its derivatives; twice, with
 * other orders of the threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <sys/stat.h>

#include "command.h"
#include "cuda/model_command.h"
#include "programs/agree_compiled.h"

static const char *agree_file;

static void shim_close(Machine *m) {
    Compiled *c = m->state;
    nnc_session_close(&c->session);
}

/* The root as CUDA text, written by the compiler itself, on the shim. */
static Machine *shim_open(Arena *arena, const Program *program, const Root *root) {
    const char *name = root->name->text, *error_text;
    char *folder = arena_printf(arena, "%s/cuda_%s_%s", BINARY_DIR, agree_file, name);
    mkdir(folder, 0777);
    if (command_run_text(folder, NULL,
                         arena_printf(arena,
                                      "%s/bin/nnc %s/tests/programs/agree/%s.nn --entry=%s "
                                      "--default-dtype=f64 -o model.cu",
                                      BINARY_DIR, SOURCE_DIR, agree_file, name)) != 0)
        fail_msg("%s is not emitted", name);
    if (command_run_text(folder, NULL, model_command(arena, name, "-O0 -DSCHEDULES=2")) != 0)
        fail_msg("%s does not compile", name);
    void *library = dlopen(arena_printf(arena, "%s/model.so", folder), RTLD_NOW | RTLD_LOCAL);
    error_text = library ? NULL : dlerror();
    if (error_text) fail_msg("%s", error_text);
    const nnc_model *(*get)(void) = NULL;
    *(void **)&get = dlsym(library, arena_printf(arena, "%s_model", name));
    assert_non_null(get);
    Machine *m = NEW(arena, Machine);
    Compiled *c = NEW(arena, Compiled);
    NncError error;
    c->model.table = get();
    if (!nnc_session_open(&c->session, c->model.table, NULL, NULL, &error))
        fail_msg("%s", error.text);
    if (!nnc_session_init(&c->session, 1, &error)) fail_msg("%s", error.text);
    *m = (Machine){arena, program, root, c, compiled_set, compiled_get, compiled_call, shim_close};
    return m;
}

static int load(void **state, const char *name) {
    agree_file = name;
    agree_open = shim_open;
    return agree_load(state, name);
}

static int load_models(void **state) {
    return load(state, "models");
}
static int load_library(void **state) {
    return load(state, "library");
}

AGREE_TRAJECTORY(Gpt, NULL)
AGREE_TRAJECTORY(Residual, NULL)
AGREE_TRAJECTORY(Recurrent, NULL)
AGREE_TRAJECTORY(Wgan, NULL)
AGREE_TRAJECTORY(Frozen, NULL)

#define WITH(test, program) cmocka_unit_test_setup_teardown(test, load_##program, agree_unload)

int main(void) {
    const struct CMUnitTest tests[] = {WITH(test_Gpt, models),       WITH(test_Residual, models),
                                       WITH(test_Recurrent, models), WITH(test_Wgan, models),
                                       WITH(test_Frozen, models),    WITH(agree_library, library)};
    cmocka_set_test_filter(getenv("CMOCKA_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
