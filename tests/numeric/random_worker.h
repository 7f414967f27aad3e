/* One file of random programs under one configuration: passes, emission, compilation, calls, and
 * comparison with the bound.
 *
 * worker_run prints "FAIL <root> <what>" per root that fails ("*": all of them), and at the end
 * "DONE elements=.. bitten=..".  It runs in a process of its own, for what it tests may crash. */
#ifndef TESTS_NUMERIC_RANDOM_WORKER_H
#define TESTS_NUMERIC_RANDOM_WORKER_H

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "command.h"
#include "emit/emit.h"
#include "nnc_abi.h"
#include "numeric/bound.h"
#include "numeric/random_base.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

/* ---- configurations ---- */

typedef struct RandomCompiler {
    const char *name, *command;
    char level; /* of the optimization that the emitted text asks gcc for */
    bool sanitized;
} RandomCompiler;
#define SHIM_COMPILER                                                                      \
    "g++ -std=c++17 -O1 -fno-strict-aliasing -fno-gnu-unique -fPIC -Wall -Wextra -Werror " \
    "-Wno-psabi -I" SOURCE_DIR "/tests/cuda/shim"
static const RandomCompiler random_compilers[] = {
    {"gcc-O0", "gcc -O0", '0', false},
    {"gcc-sanitized", "gcc -O0 -fsanitize=address,undefined -fno-sanitize-recover=all", '0', true},
    {"clang-O0", "clang -O0", '3', false},
    {"gcc-O3", "gcc -O3", '3', false},
    {"clang-O3", "clang -O3", '3', false},
    {"clang-undefined", "clang -O0 -fsanitize=undefined -fsanitize-trap=undefined", '3', false},
    /* Not in the rotation.  Emits only: what passes do is interpreted. */
    {"none", NULL, '3', false},
    /* CUDA on the shim (tests/cuda/shim), by two orders of the threads. */
    {"shim", SHIM_COMPILER, '3', false},
    {"shim-sanitized", SHIM_COMPILER " -fsanitize=address -O0", '3', true},
    /* And on the GPU of this machine, if it has one. */
    {"device", "nvcc -std=c++17 -O1 -arch=native -x cu -Xcompiler -fPIC", '3', false},
};
/* x86-64-v3, where the processor has it: eight lanes, also where native has sixteen. */
static const char *const random_targets[] = {"portable", "native", "c99", "v3", "plain"};
enum {
    RANDOM_COMPILERS = sizeof random_compilers / sizeof *random_compilers,
    RANDOM_NOT_ROTATING = 4,
    RANDOM_ROTATING = RANDOM_COMPILERS - RANDOM_NOT_ROTATING,
    RANDOM_TARGETS = sizeof random_targets / sizeof *random_targets
};

/* "gcc-O3 native all": passes are all, none, or the name of one. */
typedef struct RandomConfig {
    const RandomCompiler *compiler;
    const char *target, *passes;
} RandomConfig;

static inline int random_pass_settings(void) {
    return simplify_pass_count + 2;
}
static inline const char *random_pass_setting(int i) {
    return i == 0 ? "all" : i == 1 ? "none" : simplify_passes[i - 2].name;
}
static inline const char *random_target_flags(const char *target) {
    if (!strcmp(target, "native")) return " -march=native";
    if (!strcmp(target, "plain")) return " -march=native -DNN_NO_BUILTINS";
    if (!strcmp(target, "c99")) return " -std=c99";
#if defined(__x86_64__)
    if (!strcmp(target, "v3") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return " -march=x86-64-v3";
#endif
    return "";
}
static inline RandomConfig random_config(int compiler, int target, int passes) {
    return (RandomConfig){&random_compilers[compiler % RANDOM_COMPILERS],
                          random_targets[target % RANDOM_TARGETS],
                          random_pass_setting(passes % random_pass_settings())};
}
static inline const char *random_config_text(Arena *arena, const RandomConfig *c) {
    return arena_printf(arena, "%s %s %s", c->compiler->name, c->target, c->passes);
}
static inline bool random_config_parse(Arena *arena, const char *text, RandomConfig *out) {
    for (int c = 0; c < RANDOM_COMPILERS; c++)
        for (int t = 0; t < RANDOM_TARGETS; t++)
            for (int p = 0; p < random_pass_settings(); p++) {
                *out = random_config(c, t, p);
                if (!strcmp(random_config_text(arena, out), text)) return true;
            }
    return false;
}

/* ---- values ---- */

static inline uint64_t worker_hash(const char *text) {
    uint64_t h = 1469598103934665603u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

static inline void worker_fill(Tensor *t, const char *name, RandomState *r) {
    static const double special[] = {INFINITY, -INFINITY, NAN, 0.0, -0.0, 0x1p-149, -0x1p-24, 1e30};
    bool hostile = name[0] == 'h', steps = random_graph_below(r, 4) == 0;
    long long low, high;
    for (int64_t i = 0; i < t->count; i++) {
        double u = random_graph_number(r);
        if (t->floats) {
            if (steps) u = floor(2 * u) / 2; /* ties */
            if (hostile && random_graph_below(r, 6) == 0) u = special[random_graph_below(r, 8)];
            t->floats[i] = round_to_dtype(u, t->dtype);
        } else if (t->dtype == DTYPE_BOOL) {
            t->integers[i] = u < 0;
        } else {
            dtype_int_range(t->dtype, &low, &high);
            int64_t x = (int64_t)(u * 40) + (t->dtype == DTYPE_U8 ? 80 : 0);
            if (steps) x = x / 16;
            if (hostile && random_graph_below(r, 4) == 0) x = random_graph_below(r, 2) ? low : high;
            t->integers[i] = x;
        }
    }
}

/* ---- ways to run in parallel ---- */

typedef struct WorkerTask {
    nnc_task task;
    void *arg;
    int64_t i;
} WorkerTask;
static void *worker_thread(void *p) {
    WorkerTask *t = p;
    t->task(t->arg, t->i, (int)t->i);
    return NULL;
}
static void worker_threads(void *user, int64_t n, nnc_task task, void *arg) {
    pthread_t threads[16];
    WorkerTask tasks[16];
    for (int64_t i = 0; i < n; i++) tasks[i] = (WorkerTask){task, arg, i};
    for (int64_t i = 1; i < n; i++)
        if (pthread_create(&threads[i], NULL, worker_thread, &tasks[i])) abort();
    worker_thread(&tasks[0]);
    for (int64_t i = 1; i < n; i++) pthread_join(threads[i], NULL);
}
static void worker_backwards(void *user, int64_t n, nnc_task task, void *arg) {
    for (int64_t i = n - 1; i >= 0; i--) task(arg, i, (int)i);
}

static void worker_wait(void *user, int64_t turn) {
    sched_yield();
}

typedef struct WorkerWay {
    const char *name;
    int threads, flags;
    nnc_parallel parallel;
} WorkerWay;
static const WorkerWay worker_ways[] = {
    {"1 thread", 1, 0, NULL},
    {"2 tasks, the last one first", 2, 0, worker_backwards},
    {"3 threads", 3, 0, worker_threads},
    {"2 concurrent threads", 2, NNC_CONCURRENT, worker_threads},
    {"8 concurrent threads", 8, NNC_CONCURRENT, worker_threads},
};
enum { WORKER_WAYS = sizeof worker_ways / sizeof *worker_ways };

/* ---- memory with an end ---- */

enum { WORKER_MARGIN = 64 };
static inline char *worker_alloc(size_t bytes, int fill) {
    char *p = NULL;
    if (posix_memalign((void **)&p, 64, bytes + 2 * WORKER_MARGIN)) abort();
    memset(p, 0xA5, bytes + 2 * WORKER_MARGIN);
    memset(p + WORKER_MARGIN, fill, bytes);
    return p + WORKER_MARGIN;
}
/* Exact, so that the sanitizer sees the end. */
static inline char *worker_alloc_exact(size_t bytes, int fill) {
    char *p = NULL;
    if (posix_memalign((void **)&p, 64, bytes ? bytes : 1)) abort();
    memset(p, fill, bytes);
    return p;
}

typedef struct Worker {
    Arena *arena; /* of the file */
    RandomConfig config;
    const Program *reference;
    const Plan *plan;
    void *library;
    const char *root; /* that runs */
    const char *failure;
    long long elements, bitten;
} Worker;

static inline void worker_fail(Worker *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void worker_fail(Worker *w, const char *format, ...) {
    if (w->failure) return;
    Text text = text_new(w->arena);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    w->failure = text.data;
    printf("FAIL %s %s\n", w->root, w->failure);
    fflush(stdout);
}

static inline char *worker_take(const Worker *w, size_t bytes, int fill) {
    return w->config.compiler->sanitized ? worker_alloc_exact(bytes, fill)
                                         : worker_alloc(bytes, fill);
}
static inline void worker_give(Worker *w, char *p, size_t bytes, const char *what) {
    if (w->config.compiler->sanitized) {
        free(p);
        return;
    }
    for (int i = 0; i < WORKER_MARGIN; i++)
        if ((unsigned char)p[-1 - i] != 0xA5 || (unsigned char)p[bytes + (size_t)i] != 0xA5)
            worker_fail(w, "memory around %s was written", what);
    free(p - WORKER_MARGIN);
}

static inline size_t worker_bytes(const Tensor *t) {
    return (size_t)t->count * dtype_bytes(t->dtype);
}

static inline bool worker_on_gpu(const Worker *w) {
    const char *name = w->config.compiler->name;
    return !strncmp(name, "shim", strlen("shim")) || !strcmp(name, "device");
}

/* ---- one root ---- */

enum { WORKER_TENSORS = 64, WORKER_CELLS = 16 };

typedef struct WorkerCall {
    const nnc_model *model;
    const Root *root;
    const Entry *entry;
    int64_t dims[4];
    int64_t *symbols;
    Tensor *inputs[WORKER_TENSORS];
    Bounded expected[WORKER_TENSORS]; /* results */
    Bounded before[WORKER_CELLS];     /* cells */
    Bounded after[WORKER_CELLS];
    uint64_t step;
} WorkerCall;

/* The interpreter and the bounds of all results and cells. */
static inline void worker_expect(Worker *w, WorkerCall *c, Arena *arena) {
    const Entry *e = c->entry;
    Bounded arguments[WORKER_TENSORS];
    for (int i = 0; i < e->arguments.count; i++) {
        const Tensor *t = c->inputs[i];
        arguments[i] = (Bounded){c->inputs[i], tensor_new(arena, DTYPE_F64, t->rank, t->extents)};
    }
    BoundRun b = {.cells = c->before};
    b.how = (Interpretation){INTERPRET_TYPED, c->symbols, NULL, 7, c->step, NULL};
    b.run = (Run){.arena = arena, .how = &b.how};
    b.run.blocks = (Block){&b.run.blocks, &b.run.blocks};
    Bounded *results = NEW_ARRAY(arena, (size_t)e->graph->results.count + 1, Bounded);
    bound_graph(&b, e->graph, arguments, results);
    if (b.run.error) {
        worker_fail(w, "bound: %s", b.run.error);
        return;
    }
    for (int i = 0; i < e->results.count; i++) c->expected[i] = results[i];
    for (int i = 0; i < c->root->cells.count; i++) c->after[i] = c->before[i];
    for (int i = 0; i < e->writes.count; i++)
        c->after[e->writes.data[i].cell->index] = results[e->results.count + i];
}

/* Another way of computing the program (interpreted, after passes) against the bound. */
static inline void worker_interpret(Worker *w, WorkerCall *c, const Root *root, const char *what) {
    Arena *arena = arena_new();
    Environment *env = environment_new(arena, root, root->entries.data[0]->graph->dims);
    Tensor *results[WORKER_TENSORS];
    env->seed = 7;
    env->step = c->step;
    for (int i = 0; i < root->cells.count; i++) {
        const Tensor *from = c->before[i].value;
        env->cells[i] = tensor_new(arena, from->dtype, from->rank, from->extents);
        for (int64_t k = 0; k < from->count; k++)
            if (from->floats)
                env->cells[i]->floats[k] = from->floats[k];
            else
                env->cells[i]->integers[k] = from->integers[k];
    }
    const char *error =
        interpret_entry(env, INTERPRET_TYPED, root->entries.data[0], c->dims, c->inputs, results);
    if (error) worker_fail(w, "%s, interpreted: %s", what, error);
    int count = root->entries.data[0]->results.count;
    for (int i = 0; !error && i < count + root->cells.count && !w->failure; i++) {
        const Tensor *actual = i < count ? results[i] : env->cells[i - count];
        Bounded expected = i < count ? c->expected[i] : c->after[i - count];
        for (int64_t k = 0; k < actual->count && !w->failure; k++)
            if (!bound_holds(expected, k, tensor_get(actual, k)))
                worker_fail(
                    w, "%s, interpreted: result %d, element %lld: expected %.17g, got %.17g", what,
                    i, (long long)k, tensor_get(expected.value, k), tensor_get(actual, k));
    }
    arena_free(arena);
}

static inline void worker_compare(Worker *w, const WorkerCall *c, const char *what, int which,
                                  Bounded expected, const char *bytes) {
    Arena *arena = arena_new();
    const Tensor *t = expected.value;
    Tensor *actual = tensor_new(arena, t->dtype, t->rank, t->extents);
    tensor_from_bytes(actual, bytes);
    for (int64_t i = 0; i < t->count && !w->failure; i++) {
        w->elements++;
        w->bitten += bound_bites(expected, i);
        if (!bound_holds(expected, i, tensor_get(actual, i)))
            worker_fail(w, "N = %lld, %s %d, element %lld: expected %.17g +- %.3g, got %.17g",
                        (long long)c->dims[0], what, which, (long long)i, tensor_get(t, i),
                        expected.error->floats[i], tensor_get(actual, i));
    }
    arena_free(arena);
}

/* One call of the compiled entry with fresh regions; results, then cells, land in `out`. */
static inline void worker_call(Worker *w, WorkerCall *c, const WorkerWay *way, char **out) {
    const nnc_model *m = c->model;
    const nnc_entry_info *info = &m->entries[0];
    const Entry *e = c->entry;
    size_t state = m->state_bytes(NULL), work = info->workspace_bytes(c->dims);
    if (work > (size_t)1 << 33) {
        worker_fail(w, "a workspace of %zu bytes", work);
        return;
    }
    size_t init_work = m->init_workspace_bytes ? m->init_workspace_bytes(NULL) : 0;
    nnc_context ctx = {.weights = worker_take(w, m->weights_bytes, 0xFF),
                       .weights_bytes = m->weights_bytes,
                       .state = worker_take(w, state, 0xFF),
                       .state_bytes = state,
                       .workspace = worker_take(w, init_work, 0xFF),
                       .workspace_bytes = init_work};
    int code = m->init(&ctx, 7, NULL);
    if (code) worker_fail(w, "init: %d %s", code, ctx.message ? ctx.message : "");
    worker_give(w, ctx.workspace, init_work, "the workspace of init");
    ctx.workspace = worker_take(w, work, 0xFF);
    ctx.workspace_bytes = work;
    ctx.parallel = way->parallel;
    ctx.wait = worker_wait;
    ctx.threads = way->threads;
    ctx.flags = way->flags;
    ctx.seed = 7;
    ctx.step = c->step;
    for (int i = 0; i < c->root->cells.count; i++) {
        size_t bytes = worker_bytes(c->before[i].value);
        char *data = worker_take(w, bytes, 0);
        tensor_to_bytes(c->before[i].value, data);
        if (m->set(&ctx, i, data, bytes)) worker_fail(w, "set of cell %d", i);
        worker_give(w, data, bytes, "a cell's data");
    }
    char *arguments[WORKER_TENSORS], *results[WORKER_TENSORS];
    for (int i = 0; i < e->arguments.count; i++) {
        arguments[i] = worker_take(w, worker_bytes(c->inputs[i]), 0);
        tensor_to_bytes(c->inputs[i], arguments[i]);
    }
    for (int i = 0; i < e->results.count; i++)
        results[i] = worker_take(w, worker_bytes(c->expected[i].value), 0x5A);
    code = info->call(&ctx, c->dims, (const void *const *)arguments, (void *const *)results);
    if (code) worker_fail(w, "call: %d %s", code, ctx.message ? ctx.message : "");
    for (int i = 0; i < e->results.count; i++) {
        size_t bytes = worker_bytes(c->expected[i].value);
        out[i] = arena_copy(w->arena, results[i], bytes ? bytes : 1);
        worker_give(w, results[i], bytes, "a result");
    }
    for (int i = 0; i < c->root->cells.count; i++) {
        size_t bytes = worker_bytes(c->before[i].value);
        char *data = worker_take(w, bytes, 0);
        if (m->get(&ctx, i, data, bytes)) worker_fail(w, "get of cell %d", i);
        out[e->results.count + i] = arena_copy(w->arena, data, bytes ? bytes : 1);
        worker_give(w, data, bytes, "a cell's data");
    }
    for (int i = 0; i < e->arguments.count; i++)
        worker_give(w, arguments[i], worker_bytes(c->inputs[i]), "an argument");
    worker_give(w, ctx.workspace, work, "the workspace");
    worker_give(w, ctx.weights, m->weights_bytes, "the weights");
    worker_give(w, ctx.state, state, "the state");
}

/* Two calls in a row: the second one reads the cells that the first one left. */
static inline void worker_size(Worker *w, WorkerCall *c, int size, const Program *const *passed) {
    static const int64_t sizes[][2] = {{1, 3}, {9, 0}, {17, 1}, {2, 8}, {33, 2}, {0, 7}};
    Arena *arena = arena_new();
    const Entry *e = c->entry;
    int count = e->results.count, cells = c->root->cells.count;
    RandomState random = {worker_hash(w->root) + (uint64_t)size * 977};
    c->symbols = NEW_ARRAY(arena, (size_t)dim_symbol_count(w->reference->dims) + 1, int64_t);
    bool fits = true;
    for (int i = 0; i < e->dims.count; i++) {
        const DimSymbol *s = dim_as_symbol(e->dims.data[i]);
        c->dims[i] = sizes[size][i % 2];
        fits &= c->dims[i] >= s->lower && c->dims[i] <= s->upper;
        c->symbols[s->index] = c->dims[i];
    }
    if (!fits) goto done;
    for (int i = 0; i < cells; i++) {
        Tensor *t = tensor_of_type(arena, &c->root->cells.data[i]->type, c->symbols);
        worker_fill(t, "x", &random);
        c->before[i] = (Bounded){t, tensor_new(arena, DTYPE_F64, t->rank, t->extents)};
    }
    for (c->step = 5; c->step < (cells ? 7 : 6) && !w->failure; c->step++) {
        for (int i = 0; i < e->arguments.count; i++) {
            const Node *node = e->arguments.data[i].node;
            c->inputs[i] = tensor_of_type(arena, &node->type, c->symbols);
            worker_fill(c->inputs[i], e->arguments.data[i].name->text, &random);
        }
        worker_expect(w, c, arena);
        for (int i = 0; i < random_pass_settings() && !w->failure && passed; i++)
            for (int k = 0; k < passed[i]->roots.count; k++)
                if (!strcmp(passed[i]->roots.data[k]->name->text, w->root))
                    worker_interpret(w, c, passed[i]->roots.data[k],
                                     arena_printf(arena, "passes %s", random_pass_setting(i)));
        char *first[WORKER_TENSORS + WORKER_CELLS], *again[WORKER_TENSORS + WORKER_CELLS];
        int ways = worker_on_gpu(w) ? 1 : WORKER_WAYS;
        for (int k = 0; k < ways && c->model && !w->failure; k++) {
            worker_call(w, c, &worker_ways[k], k ? again : first);
            for (int i = 0; i < count + cells && !w->failure; i++) {
                Bounded b = i < count ? c->expected[i] : c->after[i - count];
                if (k == 0)
                    worker_compare(w, c, i < count ? "result" : "cell", i < count ? i : i - count,
                                   b, first[i]);
                else if (memcmp(first[i], again[i], worker_bytes(b.value)))
                    worker_fail(w, "N = %lld, %s %d differs with %s", (long long)c->dims[0],
                                i < count ? "result" : "cell", i < count ? i : i - count,
                                worker_ways[k].name);
            }
        }
        /* The next call begins with what emitted code left: within the bounds of now. */
        for (int i = 0; i < cells; i++) c->before[i] = c->after[i];
        for (int i = 0; i < cells && c->model && !w->failure; i++) {
            Tensor *t = c->before[i].value;
            c->before[i] = (Bounded){tensor_new(arena, t->dtype, t->rank, t->extents),
                                     tensor_new(arena, DTYPE_F64, t->rank, t->extents)};
            tensor_from_bytes(c->before[i].value, first[count + i]);
        }
    }
done:
    arena_free(arena);
}

/* ---- the file ---- */

static inline bool worker_has_calls(const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        if (n->op == OP_CALL || (n->op == OP_SCAN && worker_has_calls(n->attr.scan.body)))
            return true;
    }
    return false;
}

static inline Program *worker_passed(Worker *w, const char *text, const char *passes) {
    const char *error = NULL;
    Program *p = program_read(w->arena, text, &error);
    if (!p) {
        worker_fail(w, "not readable: %s", error);
        return NULL;
    }
    for (int i = 0; i < p->roots.count; i++) /* later stages know no calls */
        if (worker_has_calls(p->roots.data[i]->entries.data[0]->graph))
            simplify_entry(p->roots.data[i]->entries.data[0], SIMPLIFY_CALLS);
    for (int i = 0; i < simplify_pass_count; i++) {
        if (strcmp(passes, "all") && strcmp(passes, simplify_passes[i].name)) continue;
        simplify_passes[i].run(p);
        error = program_verify(p, w->arena);
        if (error) worker_fail(w, "pass %s broke the program: %s", simplify_passes[i].name, error);
    }
    return p;
}

/* The text after `before` with `to` in the place of the characters up to `end`. */
static inline void worker_replace(Worker *w, Text *text, const char *before, char end,
                                  const char *to) {
    char *at = strstr(text->data, before);
    if (!at) {
        worker_fail(w, "the emitted text has no %s", before);
        return;
    }
    at += strlen(before);
    const char *rest = strchr(at, end);
    Text changed = text_new(w->arena);
    text_append_n(&changed, text->data, (size_t)(at - text->data));
    text_append(&changed, to);
    text_append(&changed, rest);
    *text = changed;
}

static inline void worker_write(const char *path, const Text *text) {
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text->data, 1, text->length, f) != text->length || fclose(f)) abort();
}

static inline bool worker_open(Worker *w, const char *folder, const char *command) {
    if (w->failure) return false;
    if (command_run_text(folder, "compile.log", command) != 0) {
        worker_fail(w, "does not compile: see %s/compile.log", folder);
        return false;
    }
    w->library = dlopen(arena_printf(w->arena, "%s/model.so", folder), RTLD_NOW | RTLD_LOCAL);
    if (!w->library) worker_fail(w, "%s", dlerror());
    return !w->failure;
}

/* Emitted for CUDA, and behind it for each root the adapter that gives it the CPU's tables. */
static inline bool worker_compile_gpu(Worker *w, const Program *program, const char *folder) {
    KernelOptions kernels = {.gpu = true};
    const KernelProgram *made = kernel_program_build_with(w->arena, program, &kernels);
    for (int i = 0; i < made->refusals.count; i++)
        worker_fail(w, "no kernel for %s", made->refusals.data[i].what);
    w->plan = plan_build(w->arena, made);
    EmitOptions options = {.header_name = "model_cuda.h",
                           .file_name = "model.cu",
                           .source_name = "test.nn",
                           .version = "test",
                           .info = true};
    Text header = text_new(w->arena), source = text_new(w->arena), all = text_new(w->arena);
    emit_cuda_header(w->plan, &options, &header);
    emit_cuda(w->plan, &options, &source);
    worker_write(arena_printf(w->arena, "%s/model_cuda.h", folder), &header);
    worker_write(arena_printf(w->arena, "%s/model.cu", folder), &source);
    text_append(&all, "#include \"model.cu\"\n#include <cstring>\n#include <utility>\n"
                      "#include <vector>\n#define SCHEDULES 2\n");
    for (int i = 0; i < program->roots.count; i++) {
        const char *root = program->roots.data[i]->name->text;
        text_printf(&all,
                    "#define MODEL %s_model\n#define CUDA_MODEL %s_cuda_model\nnamespace of_%s {\n"
                    "#include \"%s/tests/cuda/shim/adapter.cpp\"\n}\n#undef MODEL\n#undef "
                    "CUDA_MODEL\n",
                    root, root, root, SOURCE_DIR);
    }
    worker_write(arena_printf(w->arena, "%s/all.cpp", folder), &all);
    return worker_open(
        w, folder,
        arena_printf(w->arena, "%s -shared -I. all.cpp -o model.so", w->config.compiler->command));
}

static inline bool worker_compile(Worker *w, const Program *program, const char *folder) {
    if (worker_on_gpu(w)) return worker_compile_gpu(w, program, folder);
    w->plan = plan_build(w->arena, kernel_program_build(w->arena, program));
    bool c99 = !strcmp(w->config.target, "c99");
    EmitOptions options = {.header_name = "model.h",
                           .file_name = "model.c",
                           .source_name = "test.nn",
                           .version = "test",
                           .target = c99 ? "c99" : NULL,
                           .info = true};
    Text header = text_new(w->arena), source = text_new(w->arena);
    emit_header(w->plan, &options, &header);
    emit_c(w->plan, &options, &source);
    char level[] = {'O', w->config.compiler->level, 0};
    worker_replace(w, &source, "optimize(\"", '"', level);
    worker_write(arena_printf(w->arena, "%s/model.h", folder), &header);
    worker_write(arena_printf(w->arena, "%s/model.c", folder), &source);
    if (!w->config.compiler->command) return !w->failure;
    char *command =
        arena_printf(w->arena,
                     "%s%s -DNN_FORK_WORK=1 -DNN_TEAM_WORK=1 -DNN_SHARE_WORK=1 "
                     "-DNN_BARRIER_WORK=0 -DNN_UPDATE_WORK=0 -shared "
                     "-fPIC -Wall -Wextra -Werror -Wno-unused-parameter -Wno-psabi "
                     "model.c -o model.so -lm",
                     w->config.compiler->command, random_target_flags(w->config.target));
    return worker_open(w, folder, command);
}

/* `thorough`: also every setting of the passes, interpreted. */
static inline int worker_run(const char *path, const char *config, const char *folder,
                             bool thorough) {
    Worker w = {.arena = arena_new(), .root = "*"};
    names_init(w.arena);
    mkdir(folder, 0777);
    size_t length = 0;
    const char *error = NULL, *text = file_read_all(w.arena, path, 1 << 28, &length, &error);
    if (!text || !random_config_parse(w.arena, config, &w.config)) {
        printf("FAIL * no file %s or no configuration %s\n", path, config);
        return 1;
    }
    w.reference = program_read(w.arena, text, &error);
    if (!w.reference || (error = program_verify(w.reference, w.arena))) {
        printf("FAIL * not a program: %s\n", error);
        return 1;
    }
    const Program **passed = NULL;
    if (thorough) {
        passed = NEW_ARRAY(w.arena, (size_t)random_pass_settings(), const Program *);
        for (int i = 0; i < random_pass_settings(); i++)
            passed[i] = worker_passed(&w, text, random_pass_setting(i));
    }
    const Program *program = worker_passed(&w, text, w.config.passes);
    if (w.failure || !worker_compile(&w, program, folder)) return 1;
    int failed = 0;
    for (int i = 0; i < w.reference->roots.count; i++) {
        const Root *root = w.reference->roots.data[i];
        const nnc_model *(*get)(void) = NULL;
        w.root = root->name->text;
        w.failure = NULL;
        if (w.library) *(void **)&get = dlsym(w.library, arena_printf(w.arena, "%s_model", w.root));
        if (!get && w.library) {
            worker_fail(&w, "has no model");
            return 1;
        }
        WorkerCall c = {.model = get ? get() : NULL, .root = root, .entry = root->entries.data[0]};
        int settings = c.entry->dims.count ? 6 : 1;
        for (int size = 0; size < settings && !w.failure; size++)
            if (settings == 1 || size == (int)(worker_hash(w.root) % 2) ||
                size == 2 + (int)(worker_hash(w.root) % 4))
                worker_size(&w, &c, size, passed);
        failed |= w.failure != NULL;
    }
    printf("DONE elements=%lld bitten=%lld\n", w.elements, w.bitten);
    return failed;
}

#endif
