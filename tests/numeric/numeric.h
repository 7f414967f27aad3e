/* Emitted C against the interpreter: one program with an entry per case, compiled once, then every
 * case at several sizes and numbers of threads.
 *
 * A case is the body of an entry in textual IR (see tensor/ir.h).  Buffers are exact and stand
 * between canaries, the workspace begins as garbage; results must agree with the interpreter in
 * typed mode within the case's tolerance, and be the same bits at any number of threads. */
#ifndef NNC_TESTS_NUMERIC_H
#define NNC_TESTS_NUMERIC_H

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "command.h"
#include "emit/emit.h"
#include "nncrt_train.h"
#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"

typedef struct Case {
    const char *name;
    const char *body;
    double tolerance;  /* relative to 1 + |expected|; 0: equal */
    int64_t low, high; /* of integer inputs; both 0: [0, 4) */
    double from, to;   /* of float inputs; both 0: [-2, 2] */
    int smallest;      /* N below this is skipped (max of nothing) */
} Case;

typedef struct Compiled {
    Arena *arena;
    Program *reference; /* as read; for the interpreter */
    void *library;
    const nnc_model *model;
    const Plan *plan;
} Compiled;

static uint64_t random_state = 1;
static double random_unit(void) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) * 0x1p-53;
}

static void write_text(const char *path, const Text *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text->data, 1, text->length, f), text->length);
    assert_int_equal(fclose(f), 0);
}

/* Emits the program (simplified) and compiles it with `compiler` into BINARY_DIR/numeric. */
static const Plan *emit_program(Arena *arena, const char *text, Text *header, Text *source) {
    const char *error = NULL;
    Program *program = program_read(arena, text, &error);
    if (!program) fail_msg("%s\n%s", error, text);
    simplify_program(program);
    const Plan *plan = plan_build(arena, kernel_program_build(arena, program));
    EmitOptions options = {.header_name = "model.h",
                           .file_name = "model.c",
                           .source_name = "test.nn",
                           .version = "test",
                           .info = true};
    *header = text_new(arena);
    *source = text_new(arena);
    emit_header(plan, &options, header);
    emit_c(plan, &options, source);
    return plan;
}

/* The folder of a program's files, made. */
static char *program_folder(Arena *arena, const char *name) {
    char *folder = arena_printf(arena, "%s/numeric/%s", BINARY_DIR, name);
    mkdir(arena_printf(arena, "%s/numeric", BINARY_DIR), 0777);
    mkdir(folder, 0777);
    return folder;
}

/* Runs a compiler in the folder and opens model.so there. */
static void open_program(Compiled *c, const char *folder, const char *command) {
    if (command_run_text(folder, NULL, command) != 0) fail_msg("cannot compile: %s", command);
    c->library = dlopen(arena_printf(c->arena, "%s/model.so", folder), RTLD_NOW | RTLD_LOCAL);
    if (!c->library) fail_msg("%s", dlerror());
    const char *root = c->reference->roots.data[0]->name->text;
    const nnc_model *(*get)(void) = NULL;
    *(void **)&get = dlsym(c->library, arena_printf(c->arena, "%s_model", root));
    assert_non_null(get);
    c->model = get();
}

static Compiled compile_program(const char *name, const char *text, const char *compiler) {
    Compiled c = {.arena = arena_new()};
    names_init(c.arena);
    const char *error = NULL;
    c.reference = program_read(c.arena, text, &error);
    if (!c.reference) fail_msg("%s\n%s", error, text);
    Text header, source;
    c.plan = emit_program(c.arena, text, &header, &source);
    char *folder = program_folder(c.arena, name);
    write_text(arena_printf(c.arena, "%s/model.h", folder), &header);
    write_text(arena_printf(c.arena, "%s/model.c", folder), &source);
    open_program(&c, folder,
                 arena_printf(c.arena,
                              "%s -shared -fPIC -Wall -Wextra -Werror model.c -o model.so -lm",
                              compiler));
    return c;
}

static void compiled_free(Compiled *c) {
    dlclose(c->library);
    arena_free(c->arena);
}

/* How an entry is run.  The thresholds of compile_program let small steps be shared, too. */
typedef struct Threads {
    int count;
    bool concurrent; /* one fork a call on a pool; else one fork a step */
} Threads;
static const Threads thread_forms[] = {{1, false}, {2, false}, {3, false},
                                       {2, true},  {3, true},  {8, true}};
static size_t thread_form_count = sizeof thread_forms / sizeof *thread_forms;

/* Runs the tasks backwards: a correct kernel does not care. */
static void run_backwards(void *user, int64_t n, nnc_task task, void *arg) {
    for (int64_t i = n - 1; i >= 0; i--) task(arg, i, (int)i);
}

/* A pool of 8 threads, made at the first use. */
static NncPool *thread_pool(void) {
    static NncPool *pool;
    NncError error;
    if (!pool) pool = nnc_pool_create(8, &error);
    assert_non_null(pool);
    return pool;
}

enum { CANARY = 64 };
static char *guarded_alloc(size_t bytes, int fill) {
    char *p = NULL;
    assert_int_equal(posix_memalign((void **)&p, 64, bytes + 2 * CANARY), 0);
    memset(p, 0xA5, bytes + 2 * CANARY);
    memset(p + CANARY, fill, bytes);
    return p + CANARY;
}
static void guarded_free(char *p, size_t bytes, const char *what) {
    for (int i = 0; i < CANARY; i++)
        if ((unsigned char)p[-1 - i] != 0xA5 || (unsigned char)p[bytes + (size_t)i] != 0xA5)
            fail_msg("%s: memory around it was written", what);
    free(p - CANARY);
}

static void fill_input(Tensor *t, const Case *c) {
    for (int64_t i = 0; i < t->count; i++) {
        double u = random_unit();
        if (dtype_is_float(t->dtype)) {
            double from = c->from, to = c->to;
            if (from == 0 && to == 0) from = -2, to = 2;
            tensor_set(t, i, round_to_dtype(from + (to - from) * u, t->dtype));
        } else if (t->dtype == DTYPE_BOOL) {
            tensor_set(t, i, u < 0.5);
        } else {
            int64_t low = c->low, high = c->high;
            if (low == 0 && high == 0) high = 4;
            tensor_set(t, i, (double)(low + (int64_t)(u * (double)(high - low))));
        }
    }
}

static void compare(const Case *c, int64_t n, int result, const Tensor *expected,
                    const Tensor *actual) {
    for (int64_t i = 0; i < expected->count; i++) {
        double e = tensor_get(expected, i), a = tensor_get(actual, i);
        if (isnan(e) && isnan(a)) continue;
        if (e == a) continue;
        double error = fabs(e - a) / (1 + fabs(e));
        if (!(error <= c->tolerance))
            fail_msg("%s, N = %lld, result %d, element %lld: expected %.9g, got %.9g", c->name,
                     (long long)n, result, (long long)i, e, a);
    }
}

/* One call of the compiled entry: bytes of every result. */
static void call_compiled(const Compiled *m, const nnc_entry_info *info, const int64_t *dims,
                          const void *const *arguments, char *const *results,
                          const size_t *result_bytes, Threads threads, char *weights, char *state,
                          uint64_t step) {
    size_t bytes = info->workspace_bytes(dims);
    assert_true(bytes < (size_t)1 << 40);
    char *work = guarded_alloc(bytes, 0xFF);
    nnc_context ctx = {.weights = weights,
                       .weights_bytes = m->model->weights_bytes,
                       .state = state,
                       .state_bytes = m->model->state_bytes(NULL),
                       .workspace = work,
                       .workspace_bytes = bytes,
                       .seed = 7,
                       .step = step};
    if (threads.concurrent)
        nnc_pool_attach(thread_pool(), &ctx);
    else if (threads.count > 1)
        ctx.parallel = run_backwards;
    ctx.threads = threads.count;
    ctx.flags = threads.concurrent ? NNC_CONCURRENT : 0;
    int code = info->call(&ctx, dims, arguments, (void *const *)results);
    if (code) fail_msg("%s: %d %s", info->name, code, ctx.message ? ctx.message : "");
    guarded_free(work, bytes, "workspace");
}

static void run_case(const Compiled *m, const Case *c, int entry, int64_t n) {
    Arena *arena = arena_new();
    const Root *root = m->reference->roots.data[0];
    const Entry *e = root->entries.data[entry];
    const nnc_entry_info *info = &m->model->entries[entry];
    assert_string_equal(info->name, c->name);
    int64_t *symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(m->reference->dims) + 1, int64_t);
    int64_t dims[8];
    for (int i = 0; i < e->dims.count; i++) {
        dims[i] = i ? 3 : n; /* further symbols stay small */
        symbols[dim_as_symbol(e->dims.data[i])->index] = dims[i];
    }
    Tensor *inputs[16], *expected[16];
    void *arguments[16];
    for (int i = 0; i < e->arguments.count; i++) {
        inputs[i] = tensor_of_type(arena, &e->arguments.data[i].node->type, symbols);
        fill_input(inputs[i], c);
        size_t bytes = (size_t)inputs[i]->count * dtype_bytes(inputs[i]->dtype);
        arguments[i] = guarded_alloc(bytes, 0);
        tensor_to_bytes(inputs[i], arguments[i]);
    }
    Environment *env = environment_new(arena, root, m->reference->dims);
    env->seed = 7;
    env->step = 5;
    const char *error = interpret_entry(env, INTERPRET_TYPED, e, dims, inputs, expected);
    if (error) fail_msg("%s, N = %lld: interpreter: %s", c->name, (long long)n, error);
    char *first[16] = {0};
    for (size_t form = 0; form < thread_form_count; form++) {
        Threads threads = thread_forms[form];
        char *results[16];
        size_t bytes[16];
        for (int i = 0; i < e->results.count; i++) {
            bytes[i] = (size_t)expected[i]->count * dtype_bytes(expected[i]->dtype);
            results[i] = guarded_alloc(bytes[i], 0x5A);
        }
        call_compiled(m, info, dims, (const void *const *)arguments, results, bytes, threads, NULL,
                      NULL, 5);
        for (int i = 0; i < e->results.count; i++) {
            if (form == 0) {
                Tensor *actual = tensor_of_type(arena, &e->results.data[i].node->type, symbols);
                tensor_from_bytes(actual, results[i]);
                compare(c, n, i, expected[i], actual);
                first[i] = arena_copy(arena, results[i], bytes[i]);
            } else if (memcmp(first[i], results[i], bytes[i]) != 0) {
                fail_msg("%s, N = %lld: result %d differs at %d threads%s", c->name, (long long)n,
                         i, threads.count, threads.concurrent ? ", one fork" : "");
            }
            guarded_free(results[i], bytes[i], c->name);
        }
    }
    for (int i = 0; i < e->arguments.count; i++)
        guarded_free(arguments[i], (size_t)inputs[i]->count * dtype_bytes(inputs[i]->dtype),
                     "argument");
    arena_free(arena);
}

typedef Compiled (*CompileProgram)(const char *name, const char *text, const char *compiler);

/* All cases of a table in one program, at every size. */
static inline void run_cases_with(CompileProgram compile, const char *name, const Case *cases,
                                  int count, const char *compiler) {
    Arena *arena = arena_new();
    Text text = text_new(arena);
    const char *only = getenv("NUMERIC_CASE");
    text_append(&text, "root test infer {\n");
    for (int i = 0; i < count; i++)
        if (!only || !strcmp(only, cases[i].name))
            text_printf(&text, "entry infer %s symbol=test_%s random {\n%s\n}\n", cases[i].name,
                        cases[i].name, cases[i].body);
    text_append(&text, "}\n");
    Compiled m = compile(name, text.data, compiler);
    static const int64_t sizes[] = {0, 1, 2, 7, 33, 64};
    for (int i = 0, entry = 0; i < count; i++) {
        if (only && strcmp(only, cases[i].name)) continue;
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            if (sizes[k] >= cases[i].smallest) run_case(&m, &cases[i], entry, sizes[k]);
        entry++;
    }
    compiled_free(&m);
    arena_free(arena);
}

static inline void run_cases(const char *name, const Case *cases, int count, const char *compiler) {
    run_cases_with(compile_program, name, cases, count, compiler);
}

#endif
