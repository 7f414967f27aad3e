/* Runs the entries of a program in the interpreter, in f64, from the parameters and inputs that
 * torch_oracle.py uses, and compares with its fixtures. */
#ifndef NNC_TESTS_PROGRAMS_AGREE_H
#define NNC_TESTS_PROGRAMS_AGREE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diagnostic.h"
#include "base/file.h"
#include "lower/lower.h"
#include "syntax/parse.h"
#include "tensor/interpret/interpret.h"

static inline uint32_t agree_hash(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text; text++) h = (h ^ (unsigned char)*text) * 16777619u;
    return h;
}

/* Element `index` of the stream `name`, in [0, 1): splitmix64. */
static inline double agree_uniform(const char *name, int64_t index) {
    uint64_t z = ((uint64_t)agree_hash(name) << 32) + (uint64_t)index + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

/* ---- fixtures ---- */

enum { AGREE_MAX_LINE = 1 << 16 };
typedef struct Fixture {
    char *key;
    int count;
    double *values;
} Fixture;
typedef struct Fixtures {
    int count;
    Fixture items[512];
} Fixtures;

static inline Fixtures *agree_read(Arena *arena, const char *program) {
    Fixtures *all = NEW(arena, Fixtures);
    FILE *in =
        fopen(arena_printf(arena, SOURCE_DIR "/tests/programs/fixtures/%s.txt", program), "r");
    assert_non_null(in);
    char *line = arena_alloc(arena, AGREE_MAX_LINE);
    while (fgets(line, AGREE_MAX_LINE, in)) {
        Fixture *f = &all->items[all->count++];
        char *save = NULL, *word = strtok_r(line, " \n", &save);
        f->key = arena_strdup(arena, word);
        f->values = NEW_ARRAY(arena, 1024, double);
        while ((word = strtok_r(NULL, " \n", &save))) f->values[f->count++] = strtod(word, NULL);
    }
    fclose(in);
    return all;
}

static inline const Fixture *agree_find(const Fixtures *all, const char *key) {
    for (int i = 0; i < all->count; i++)
        if (!strcmp(all->items[i].key, key)) return &all->items[i];
    fail_msg("no fixture %s", key);
    return NULL;
}

/* How far results may be from torch's, relative to max(1, value). */
static double agree_tolerance = 1e-9;

/* `norm`: of what was summed up for the value; in f32 its rounding errors count too. */
static inline void agree_number(const char *key, int index, double have, double want, double norm) {
    double scale = fmax(1, fabs(want)) + (agree_tolerance > 1e-6 ? norm : 0);
    if (fabs(have - want) <= agree_tolerance * scale) return;
    fail_msg("%s[%d] is %.17g, torch has %.17g", key, index, have, want);
}

/* Norm, sum, first, middle and last element. */
static inline void agree_tensor(const Fixtures *all, const char *key, const Tensor *t) {
    const Fixture *f = agree_find(all, key);
    assert_int_equal(f->count, 5);
    double squares = 0, sum = 0;
    for (int64_t i = 0; i < t->count; i++)
        squares += tensor_get(t, i) * tensor_get(t, i), sum += tensor_get(t, i);
    double norm = sqrt(squares);
    agree_number(key, 0, norm, f->values[0], norm);
    agree_number(key, 1, sum, f->values[1], norm);
    agree_number(key, 2, tensor_get(t, 0), f->values[2], 0);
    agree_number(key, 3, tensor_get(t, t->count / 2), f->values[3], 0);
    agree_number(key, 4, tensor_get(t, t->count - 1), f->values[4], 0);
}

/* ---- programs ---- */

/* Lowers a file of the repository with f32 standing for f64; fails the test on any diagnostic. */
static inline Program *agree_lower_as(Arena *arena, const char *path, DType default_dtype) {
    names_init(arena);
    size_t length;
    const char *error;
    const char *full = arena_printf(arena, SOURCE_DIR "/%s", path);
    char *text = file_read_all(arena, full, 1 << 24, &length, &error);
    assert_non_null(text);
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceFile *file = source_new(arena, full, text, length);
    SourceUnit *unit = syntax_parse(arena, file, sink);
    LowerOptions options = {.default_dtype = default_dtype};
    Program *program = diagnostics_errors(sink) ? NULL : lower_program(arena, unit, &options, sink);
    if (!program || diagnostics_errors(sink)) {
        diagnostics_print(sink, stderr, FORM_TEXT, false);
        fail_msg("%s does not lower", path);
    }
    return program;
}

static inline Program *agree_lower(Arena *arena, const char *path) {
    return agree_lower_as(arena, path, DTYPE_F64);
}

static inline const Root *agree_root(const Program *program, const char *name) {
    for (int i = 0; i < program->roots.count; i++)
        if (!strcmp(program->roots.data[i]->name->text, name)) return program->roots.data[i];
    fail_msg("no root %s", name);
    return NULL;
}

static inline const Entry *agree_entry(const Root *root, const char *name) {
    for (int i = 0; i < root->entries.count; i++)
        if (!strcmp(root->entries.data[i]->name->text, name)) return root->entries.data[i];
    fail_msg("no entry %s", name);
    return NULL;
}

/* A root with its cells, ready to be called: the interpreter, or compiled
 * code (agree_compiled.h). */
typedef struct Machine {
    Arena *arena;
    const Program *program;
    const Root *root;
    void *state;
    void (*set)(struct Machine *machine, int cell, const Tensor *value);
    Tensor *(*get)(struct Machine *machine, int cell);
    Tensor **(*call)(struct Machine *machine, const Entry *entry, Tensor **arguments);
    void (*close)(struct Machine *machine);
} Machine;

static inline void interpreter_set(Machine *m, int cell, const Tensor *value) {
    Tensor *t = ((Environment *)m->state)->cells[cell];
    for (int64_t i = 0; i < t->count; i++) tensor_set(t, i, tensor_get(value, i));
}

static inline Tensor *interpreter_get(Machine *m, int cell) {
    return ((Environment *)m->state)->cells[cell];
}

static inline Tensor **interpreter_call(Machine *m, const Entry *entry, Tensor **arguments) {
    Tensor **results = NEW_ARRAY(m->arena, entry->results.count, Tensor *);
    const char *error = interpret_entry(m->state, INTERPRET_VALUE, entry, NULL, arguments, results);
    if (error) fail_msg("%s: %s", entry->name->text, error);
    return results;
}

static inline void interpreter_close(Machine *m) {
    (void)m;
}

/* What every symbolic dim is, those of `state` included. */
enum { AGREE_BATCH = 6 };

static inline Machine *interpreter_open(Arena *arena, const Program *program, const Root *root) {
    Environment *env = environment_new(arena, root, program->dims);
    const Entry *init = agree_entry(root, "init");
    int64_t *dims = NEW_ARRAY(arena, (size_t)init->dims.count + 1, int64_t);
    for (int i = 0; i < init->dims.count; i++) dims[i] = AGREE_BATCH;
    env->seed = 1;
    const char *error = interpret_entry(env, INTERPRET_VALUE, init, dims, NULL, NULL);
    if (error) fail_msg("init: %s", error);
    Machine *m = NEW(arena, Machine);
    *m = (Machine){arena,
                   program,
                   root,
                   env,
                   interpreter_set,
                   interpreter_get,
                   interpreter_call,
                   interpreter_close};
    return m;
}

static Machine *(*agree_open)(Arena *arena, const Program *program,
                              const Root *root) = interpreter_open;

/* A machine whose parameters are the formula's. */
static inline Machine *agree_machine(Arena *arena, const Program *program, const Root *root) {
    Machine *m = agree_open(arena, program, root);
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *cell = root->cells.data[i];
        if (cell->role != CELL_PARAMETER) continue;
        Tensor *t = tensor_of_type(arena, &cell->type, NULL);
        assert_non_null(t);
        double scale = t->rank > 1 ? 1 / sqrt((double)(t->count / t->extents[0])) : 0.5;
        for (int64_t k = 0; k < t->count; k++)
            tensor_set(t, k, (2 * agree_uniform(cell->name->text, k) - 1) * scale);
        m->set(m, i, t);
    }
    return m;
}

/* The argument of call number `step`: ids and pixels are integers, all else lies in [-scale,
 * scale). */
static inline Tensor *agree_argument(Arena *arena, const Argument *argument, int step,
                                     int64_t batch) {
    const char *name = argument->name->text;
    char *stream = arena_printf(arena, "%s%d", name, step);
    const TensorType *type = &argument->node->type;
    int64_t extents[SHAPE_MAX_RANK];
    for (int i = 0; i < type->shape.rank; i++)
        if (!dim_is_const(type->shape.dims[i], &extents[i])) extents[i] = batch;
    Tensor *t = tensor_new(arena, type->dtype, type->shape.rank, extents);
    bool pixels = !strcmp(name, "image"), wide = !strcmp(name, "y");
    for (int64_t i = 0; i < t->count; i++) {
        double u = agree_uniform(stream, i), scale = pixels ? 256 : 10;
        if (!strcmp(name, "lr"))
            tensor_set(t, i, 0.05 * u);
        else if (dtype_is_float(type->dtype))
            tensor_set(t, i, (2 * u - 1) * (wide ? 3 : 1));
        else
            tensor_set(t, i, floor(u * scale));
    }
    return t;
}

/* Calls an entry with the batch of `step`. */
static inline Tensor **agree_call(Machine *m, const Entry *entry, int step) {
    Tensor **arguments = NEW_ARRAY(m->arena, entry->arguments.count, Tensor *);
    for (int i = 0; i < entry->arguments.count; i++)
        arguments[i] = agree_argument(m->arena, &entry->arguments.data[i], step, AGREE_BATCH);
    return m->call(m, entry, arguments);
}

/* ---- the comparisons ---- */

static inline void agree_inference(Arena *arena, const Program *program, const Fixtures *all) {
    const Root *root = agree_root(program, "infer");
    Machine *m = agree_machine(arena, program, root);
    Tensor *out = agree_call(m, agree_entry(root, "infer"), 0)[0];
    const Fixture *f = agree_find(all, "infer.output");
    assert_int_equal(out->count, f->count);
    for (int i = 0; i < f->count; i++) agree_number(f->key, i, tensor_get(out, i), f->values[i], 0);
    m->close(m);
}

/* Results of Gradients.step: the loss, then one tensor per parameter, then those of `extra`. */
static inline void agree_gradients(Arena *arena, const Program *program, const Fixtures *all,
                                   const char *const *extra) {
    const Root *root = agree_root(program, "Gradients");
    Machine *m = agree_machine(arena, program, root);
    const Entry *entry = agree_entry(root, "step");
    Tensor **results = agree_call(m, entry, 0);
    agree_number("Gradients.loss", 0, tensor_get(results[0], 0),
                 agree_find(all, "Gradients.loss")->values[0], 0);
    int at = 1;
    for (int i = 0; i < root->cells.count; i++)
        if (root->cells.data[i]->role == CELL_PARAMETER)
            agree_tensor(all, arena_printf(arena, "grad.%s", root->cells.data[i]->name->text),
                         results[at++]);
    for (; *extra; extra++, at++) {
        const Fixture *f = agree_find(all, *extra);
        if (f->count == 1)
            agree_number(f->key, 0, tensor_get(results[at], 0), f->values[0], 0);
        else
            agree_tensor(all, *extra, results[at]);
    }
    assert_int_equal(at, entry->results.count);
    m->close(m);
}

/* Ten calls: their scalars, then parameters and buffers, then what `eval` returns if there is one.
 * Every second call is of `other`, if that is given. */
static inline void agree_trajectory(Arena *arena, const Program *program, const Fixtures *all,
                                    const char *name, const char *other) {
    const Root *root = agree_root(program, name);
    Machine *m = agree_machine(arena, program, root);
    const Entry *step = agree_entry(root, "step"), *even = other ? agree_entry(root, other) : step;
    int count = agree_find(all, arena_printf(arena, "%s.loss", name))->count;
    for (int k = 0; k < count; k++) {
        Tensor **results = agree_call(m, k % 2 ? step : even, k);
        for (int r = 0; r < step->results.count; r++) {
            char *key =
                r ? arena_printf(arena, "%s.%d", name, r) : arena_printf(arena, "%s.loss", name);
            agree_number(key, k, tensor_get(results[r], 0), agree_find(all, key)->values[k], 0);
        }
    }
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *cell = root->cells.data[i];
        if (cell->role == CELL_PARAMETER || cell->role == CELL_BUFFER)
            agree_tensor(all, arena_printf(arena, "%s.%s", name, cell->name->text), m->get(m, i));
    }
    for (int e = 0; e < root->entries.count; e++)
        if (!strcmp(root->entries.data[e]->name->text, "eval"))
            agree_tensor(all, arena_printf(arena, "%s.eval.0", name),
                         agree_call(m, root->entries.data[e], 0)[0]);
    m->close(m);
}

/* Every entry of a block, once: result k of entry e is the fixture "e.k".  Returns how many were
 * compared. */
static inline int agree_entries(Arena *arena, const Program *program, const Fixtures *all,
                                const char *name) {
    const Root *root = agree_root(program, name);
    Machine *m = agree_machine(arena, program, root);
    int count = 0;
    for (int e = 0; e < root->entries.count; e++) {
        const Entry *entry = root->entries.data[e];
        if (entry->kind == ENTRY_INIT || entry->kind == ENTRY_RESET) continue;
        Tensor **results = agree_call(m, entry, 0);
        for (int k = 0; k < entry->results.count; k++, count++)
            agree_tensor(all, arena_printf(arena, "%s.%d", entry->name->text, k), results[k]);
    }
    m->close(m);
    return count;
}

/* ---- a program of agree/, loaded for a group of tests ---- */

typedef struct AgreeProgram {
    Arena *arena;
    Program *program;
    Fixtures *fixtures;
} AgreeProgram;

/* `folder`: tests/programs/agree, or examples for a program as it stands. */
static inline int agree_load_from(void **state, const char *folder, const char *name) {
    AgreeProgram *l = calloc(1, sizeof *l);
    l->arena = arena_new();
    l->program = agree_lower(l->arena, arena_printf(l->arena, "%s/%s.nn", folder, name));
    l->fixtures = agree_read(l->arena, name);
    *state = l;
    return 0;
}

static inline int agree_load(void **state, const char *name) {
    return agree_load_from(state, "tests/programs/agree", name);
}

static inline int agree_unload(void **state) {
    AgreeProgram *l = *state;
    arena_free(l->arena);
    free(l);
    return 0;
}

/* A test of ten steps of the block `name`; see agree_trajectory. */
#define AGREE_TRAJECTORY(name, other)                                      \
    static void test_##name(void **state) {                                \
        AgreeProgram *l = *state;                                          \
        agree_trajectory(l->arena, l->program, l->fixtures, #name, other); \
    }

/* Each layer and function of the library, with derivatives. */
static inline void agree_library(void **state) {
    AgreeProgram *l = *state;
    int compared = agree_entries(l->arena, l->program, l->fixtures, "Library");
    assert_int_equal(compared, l->fixtures->count);
}

/* The cell of char_lstm.nn is nn.LSTM: what it computes, and all its derivatives. */
static inline void agree_cell(void **state) {
    AgreeProgram *l = *state;
    assert_int_equal(agree_entries(l->arena, l->program, l->fixtures, "CellGradients"), 8);
}

#endif
