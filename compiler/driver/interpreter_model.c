/* The interpreter behind a model's table.
 *
 * Input: a root as lowered.  Output: tables as the emitter writes them, and an engine that runs
 * entries with INTERPRET_TYPED.  Cells live in the interpreter's environment; the regions of the
 * context are empty.  Invariant: no part of compiled models is used here, and compiled models use
 * nothing of this. */
#include "driver/interpreter_model.h"

#include <string.h>
#include "tensor/interpret/interpret.h"

enum { ENTRY_LIMIT = 256, ARENA_LIMIT = 256 << 20 };

typedef struct Interpreter {
    Environment *env;
    Arena *arena; /* of the environment; replaced when calls have filled it */
    const Root *root;
    const Program *program;
    const nnc_model *table;
    Entry *entries[ENTRY_LIMIT]; /* by position in the table */
    int64_t *values;             /* scratch of shape(): one for each symbol of the program */
} Interpreter;

/* The table's functions have no user pointer, so that shape() of entry i is a function of
 * its own. */
static const Interpreter *shapes_of;

static int shape_at(int entry, const int64_t *dims, int which, int64_t *out) {
    const Entry *e = shapes_of->entries[entry];
    const Node *node = which < e->arguments.count
                           ? e->arguments.data[which].node
                           : e->results.data[which - e->arguments.count].node;
    const Environment *env = shapes_of->env;
    int64_t *values = shapes_of->values;
    for (int k = 0; k < env->symbol_count; ++k)
        values[k] = env->symbols[k] >= 0 ? env->symbols[k] : 0;
    for (int k = 0; k < e->dims.count; ++k) values[dim_as_symbol(e->dims.data[k])->index] = dims[k];
    for (int i = 0; i < node->type.shape.rank; ++i)
        if (!dim_evaluate(node->type.shape.dims[i], values, &out[i])) return NNC_E_DIM;
    return NNC_OK;
}

/* clang-format off */
#define SIXTEEN(X, h)                                                                  \
    X(h##0) X(h##1) X(h##2) X(h##3) X(h##4) X(h##5) X(h##6) X(h##7)                    \
    X(h##8) X(h##9) X(h##A) X(h##B) X(h##C) X(h##D) X(h##E) X(h##F)
#define SHAPES(X)                                                                      \
    SIXTEEN(X, 0x0) SIXTEEN(X, 0x1) SIXTEEN(X, 0x2) SIXTEEN(X, 0x3)                    \
    SIXTEEN(X, 0x4) SIXTEEN(X, 0x5) SIXTEEN(X, 0x6) SIXTEEN(X, 0x7)                    \
    SIXTEEN(X, 0x8) SIXTEEN(X, 0x9) SIXTEEN(X, 0xA) SIXTEEN(X, 0xB)                    \
    SIXTEEN(X, 0xC) SIXTEEN(X, 0xD) SIXTEEN(X, 0xE) SIXTEEN(X, 0xF)
/* clang-format on */
#define SHAPE_FUNCTION(i)                                                \
    static int shape_##i(const int64_t *dims, int which, int64_t *out) { \
        return shape_at(i, dims, which, out);                            \
    }
SHAPES(SHAPE_FUNCTION)
#define SHAPE_NAME(i) shape_##i,
static int (*const shape_functions[ENTRY_LIMIT])(const int64_t *, int,
                                                 int64_t *) = {SHAPES(SHAPE_NAME)};

static size_t no_bytes(const int64_t *dims) {
    (void)dims;
    return 0;
}

/* --- the
 * engine -------------------------------------------------------------------------------- */

static Tensor *copy_tensor(Arena *arena, const Tensor *from) {
    Tensor *to = tensor_new(arena, from->dtype, from->rank, from->extents);
    if (to && from->floats)
        memcpy(to->floats, from->floats, (size_t)from->count * sizeof *from->floats);
    if (to && from->integers)
        memcpy(to->integers, from->integers, (size_t)from->count * sizeof *from->integers);
    return to;
}

static Environment *move_environment(const Environment *from, Arena *arena,
                                     const Program *program) {
    Environment *to = environment_new(arena, from->root, program->dims);
    for (int c = 0; c < from->root->cells.count; ++c)
        to->cells[c] = from->cells[c] ? copy_tensor(arena, from->cells[c]) : NULL;
    for (int k = 0; k < from->symbol_count && k < to->symbol_count; ++k)
        to->symbols[k] = from->symbols[k];
    to->seed = from->seed;
    to->step = from->step;
    return to;
}

/* Results and old values of cells stay in the arena: now and then the living move to a
 * fresh one. */
static void collect(Interpreter *interpreter) {
    if (arena_bytes(interpreter->arena) < ARENA_LIMIT) return;
    Arena *fresh = arena_new(), *old = interpreter->arena;
    interpreter->env = move_environment(interpreter->env, fresh, interpreter->program);
    interpreter->arena = fresh;
    arena_free(old);
}

static int fail_with(nnc_context *context, const Environment *env, const char *message) {
    context->message = message;
    switch (env->refusal) {
    case REFUSED_DIMS: return NNC_E_DIM;
    case REFUSED_IDS: return NNC_E_RANGE;
    case REFUSED_NOTHING: break;
    }
    return NNC_E_ARGUMENT;
}

static int engine_init(void *user, nnc_context *context, uint64_t seed, const int64_t *init_dims) {
    Interpreter *interpreter = user;
    collect(interpreter);
    interpreter->env->seed = context->seed = seed;
    interpreter->env->step = context->step = 0;
    for (int i = 0; i < interpreter->root->entries.count; ++i) {
        const Entry *entry = interpreter->root->entries.data[i];
        if (entry->kind != ENTRY_INIT) continue;
        const char *message =
            interpret_entry(interpreter->env, INTERPRET_TYPED, entry, init_dims, NULL, NULL);
        if (message) return fail_with(context, interpreter->env, message);
    }
    return NNC_OK;
}

static int engine_call(void *user, nnc_context *context, const nnc_entry_info *info,
                       const int64_t *dims, const void *const *arguments, void *const *results) {
    Interpreter *interpreter = user;
    collect(interpreter);
    Environment *env = interpreter->env;
    const Entry *entry = interpreter->entries[info - interpreter->table->entries];
    Tensor **in = NEW_ARRAY(interpreter->arena, (size_t)entry->arguments.count, Tensor *);
    Tensor **out = NEW_ARRAY(interpreter->arena, (size_t)entry->results.count, Tensor *);
    for (int a = 0; a < entry->arguments.count; ++a) {
        int64_t extents[SHAPE_MAX_RANK];
        const TensorType *type = &entry->arguments.data[a].node->type;
        if (info->shape(dims, a, extents) != NNC_OK) return NNC_E_DIM;
        in[a] = tensor_new(interpreter->arena, type->dtype, type->shape.rank, extents);
        if (!in[a]) return NNC_E_DIM;
        tensor_from_bytes(in[a], arguments[a]);
    }
    env->seed = context->seed;
    env->step = context->step;
    const char *message = interpret_entry(env, INTERPRET_TYPED, entry, dims, in, out);
    if (message) return fail_with(context, env, message);
    context->step = env->step;
    for (int r = 0; r < entry->results.count; ++r) tensor_to_bytes(out[r], results[r]);
    return NNC_OK;
}

static int engine_get(void *user, const nnc_context *context, int cell, void *data, size_t bytes) {
    Interpreter *interpreter = user;
    const Tensor *tensor = interpreter->env->cells[cell];
    (void)context;
    if (!tensor) return NNC_E_STATE;
    if (bytes != (size_t)tensor->count * dtype_bytes(tensor->dtype)) return NNC_E_ARGUMENT;
    tensor_to_bytes(tensor, data);
    return NNC_OK;
}

static int engine_set(void *user, nnc_context *context, int cell, const void *data, size_t bytes) {
    Interpreter *interpreter = user;
    const Cell *info = interpreter->root->cells.data[cell];
    (void)context;
    if (!data) {
        if (info->role != CELL_GRADIENT) return NNC_E_ARGUMENT;
        interpreter->env->cells[cell] = NULL;
        return NNC_OK;
    }
    collect(interpreter);
    Tensor *tensor = tensor_of_type(interpreter->arena, &info->type, interpreter->env->symbols);
    if (!tensor || bytes != (size_t)tensor->count * dtype_bytes(tensor->dtype))
        return NNC_E_ARGUMENT;
    tensor_from_bytes(tensor, data);
    interpreter->env->cells[cell] = tensor;
    return NNC_OK;
}

/* --- the
 * tables -------------------------------------------------------------------------------- */

static void describe(nnc_tensor_info *out, const Entry *entry, Name name, DType dtype,
                     const Shape *shape) {
    out->name = name->text;
    out->dtype = (int)dtype; /* both lists have one order; checked below */
    out->rank = shape->rank;
    for (int i = 0; i < out->rank; ++i) {
        const Dim *dim = shape->dims[i];
        if (dim_is_const(dim, &out->dims[i])) continue;
        out->dims[i] = INT64_MIN;
        for (int k = 0; k < entry->dims.count; ++k)
            if (entry->dims.data[k] == dim) out->dims[i] = -1 - k;
    }
}

_Static_assert((int)DTYPE_BOOL == NNC_BOOL && (int)DTYPE_I64 == NNC_I64 &&
                   (int)DTYPE_F16 == NNC_F16 && (int)DTYPE_F64 == NNC_F64,
               "dtypes of compiler and ABI are numbered alike");
_Static_assert((int)CELL_PARAMETER == NNC_PARAMETER && (int)CELL_GRADIENT == NNC_GRADIENT &&
                   (int)CELL_SCALAR == NNC_SCALAR,
               "roles of compiler and ABI are numbered alike");

static const Entry *init_entry(const Root *root) {
    for (int i = 0; i < root->entries.count; ++i)
        if (root->entries.data[i]->kind == ENTRY_INIT) return root->entries.data[i];
    return NULL;
}

static const char **dim_names(Arena *arena, const Entry *entry) {
    const char **names = NEW_ARRAY(arena, (size_t)entry->dims.count + 1, const char *);
    for (int k = 0; k < entry->dims.count; ++k)
        names[k] = dim_as_symbol(entry->dims.data[k])->name->text;
    return names;
}

static nnc_cell_info *describe_cells(Arena *arena, const Root *root) {
    nnc_cell_info *cells = NEW_ARRAY(arena, (size_t)root->cells.count, nnc_cell_info);
    const Entry *init = init_entry(root);
    for (int c = 0; c < root->cells.count; ++c) {
        const Cell *cell = root->cells.data[c];
        nnc_cell_info *out = &cells[c];
        out->name = cell->name->text;
        out->role = (int)cell->role;
        out->dtype = (int)cell->type.dtype;
        out->rank = cell->type.shape.rank;
        out->saved = cell_is_saved(cell);
        out->line = span_line(cell->span);
        for (int i = 0; i < out->rank; ++i) {
            const Dim *dim = cell->type.shape.dims[i];
            if (dim_is_const(dim, &out->dims[i])) continue;
            for (int k = 0; init && k < init->dims.count; ++k)
                if (init->dims.data[k] == dim) out->dims[i] = -1 - k;
        }
        if (!cell->alias_count) continue;
        const char **aliases = NEW_ARRAY(arena, (size_t)cell->alias_count + 1, const char *);
        for (int i = 0; i < cell->alias_count; ++i) aliases[i] = cell->aliases[i]->text;
        out->aliases = aliases;
    }
    return cells;
}

static void describe_entry(Arena *arena, nnc_entry_info *out, const Entry *entry, int position) {
    nnc_tensor_info *arguments = NEW_ARRAY(arena, (size_t)entry->arguments.count, nnc_tensor_info);
    nnc_tensor_info *results = NEW_ARRAY(arena, (size_t)entry->results.count, nnc_tensor_info);
    for (int a = 0; a < entry->arguments.count; ++a) {
        const Argument *argument = &entry->arguments.data[a];
        describe(&arguments[a], entry, argument->name, argument->node->type.dtype,
                 &argument->shape);
    }
    for (int r = 0; r < entry->results.count; ++r) {
        const TensorType *type = &entry->results.data[r].node->type;
        describe(&results[r], entry, entry->results.data[r].name, type->dtype, &type->shape);
    }
    *out = (nnc_entry_info){.name = entry->name->text,
                            .symbol = entry->symbol,
                            .kind = entry->kind == ENTRY_TRAIN,
                            .dim_count = entry->dims.count,
                            .argument_count = entry->arguments.count,
                            .result_count = entry->results.count,
                            .dims = dim_names(arena, entry),
                            .arguments = arguments,
                            .results = results,
                            .shape = shape_functions[position],
                            .workspace_bytes = no_bytes,
                            .doc = entry->doc};
}

const nnc_model *interpreter_model(const Pipeline *pipeline, Root *root, const NncEngine **engine,
                                   NncError *error) {
    Arena *arena = pipeline->arena;
    Interpreter *interpreter = NEW(arena, Interpreter);
    nnc_model *table = NEW(arena, nnc_model);
    nnc_entry_info *entries = NEW_ARRAY(arena, ENTRY_LIMIT, nnc_entry_info);
    const Entry *init = init_entry(root);
    const char *slash = strrchr(pipeline->file, '/');
    *table = (nnc_model){.abi = NNC_ABI,
                         .name = root->name->text,
                         .source = slash ? slash + 1 : pipeline->file,
                         .is_train = root->is_train,
                         .cell_count = root->cells.count,
                         .cells = describe_cells(arena, root),
                         .entries = entries,
                         .init_dim_count = init ? init->dims.count : 0,
                         .init_dims = init ? dim_names(arena, init) : NULL};
    for (int i = 0; i < root->entries.count; ++i) {
        Entry *entry = root->entries.data[i];
        if (entry->kind != ENTRY_INFER && entry->kind != ENTRY_TRAIN) continue;
        if (table->entry_count == ENTRY_LIMIT) {
            nnc_fail(error,
                     "the interpreter calls at most %d entries of a train block, %s has more",
                     ENTRY_LIMIT, root->name->text);
            return NULL;
        }
        interpreter->entries[table->entry_count] = entry;
        describe_entry(arena, &entries[table->entry_count], entry, table->entry_count);
        ++table->entry_count;
    }
    interpreter->root = root;
    interpreter->program = pipeline->program;
    interpreter->table = table;
    interpreter->arena = arena_new(); /* freed with all arenas at the end of the run */
    interpreter->env = environment_new(interpreter->arena, root, pipeline->program->dims);
    interpreter->values = NEW_ARRAY(arena, (size_t)interpreter->env->symbol_count, int64_t);
    shapes_of = interpreter;
    NncEngine *out = NEW(arena, NncEngine);
    *out = (NncEngine){interpreter, engine_init, engine_call, engine_get, engine_set};
    *engine = out;
    return table;
}
