/* Machines of agree.h whose root is compiled C, called through the runtime's session. */
#ifndef NNC_TESTS_PROGRAMS_AGREE_COMPILED_H
#define NNC_TESTS_PROGRAMS_AGREE_COMPILED_H

#include "driver/model.h"
#include "programs/agree.h"

typedef struct Compiled {
    Pipeline pipeline;
    Model model;
    NncSession session;
} Compiled;

static inline void compiled_set(Machine *m, int cell, const Tensor *value) {
    Compiled *c = m->state;
    NncError error;
    size_t bytes = (size_t)value->count * dtype_bytes(value->dtype);
    void *data = arena_alloc(m->arena, bytes);
    tensor_to_bytes(value, data);
    if (!nnc_session_set(&c->session, cell, data, bytes, &error)) fail_msg("%s", error.text);
}

static inline Tensor *compiled_get(Machine *m, int cell) {
    Compiled *c = m->state;
    NncError error;
    NncArray array;
    bool none;
    if (!nnc_session_get(&c->session, cell, &array, &none, &error)) fail_msg("%s", error.text);
    Tensor *t = tensor_new(m->arena, m->root->cells.data[cell]->type.dtype, array.rank, array.dims);
    tensor_from_bytes(t, array.data);
    nnc_array_free(&array);
    return t;
}

static inline Tensor **compiled_call(Machine *m, const Entry *entry, Tensor **arguments) {
    Compiled *c = m->state;
    NncError error;
    const nnc_entry_info *info = nnc_model_entry(c->model.table, entry->name->text);
    assert_non_null(info);
    int inputs = entry->arguments.count, outputs = entry->results.count;
    NncArray *views = NEW_ARRAY(m->arena, inputs, NncArray);
    const NncArray **given = NEW_ARRAY(m->arena, inputs, const NncArray *);
    const void **in = NEW_ARRAY(m->arena, inputs, const void *);
    void **out = NEW_ARRAY(m->arena, outputs, void *);
    int64_t dims[64] = {0};
    for (int i = 0; i < 64; i++) dims[i] = -1;
    for (int i = 0; i < inputs; i++) {
        const Tensor *t = arguments[i];
        views[i] = (NncArray){.dtype = info->arguments[i].dtype, .rank = t->rank};
        for (int k = 0; k < t->rank; k++) views[i].dims[k] = t->extents[k];
        views[i].bytes = (size_t)t->count * dtype_bytes(t->dtype);
        views[i].data = arena_alloc(m->arena, views[i].bytes);
        tensor_to_bytes(t, views[i].data);
        in[i] = views[i].data;
        given[i] = &views[i];
    }
    if (!nnc_bind_dims(info, given, NULL, 0, dims, &error)) fail_msg("%s", error.text);
    NncArray *made = NEW_ARRAY(m->arena, outputs, NncArray);
    for (int i = 0; i < outputs; i++) {
        if (!nnc_entry_array(info, dims, inputs + i, &made[i], &error)) fail_msg("%s", error.text);
        out[i] = made[i].data;
    }
    if (!nnc_session_call(&c->session, info, dims, in, out, &error)) fail_msg("%s", error.text);
    Tensor **results = NEW_ARRAY(m->arena, outputs, Tensor *);
    for (int i = 0; i < outputs; i++) {
        const Node *node = entry->results.data[i].node;
        results[i] = tensor_new(m->arena, node->type.dtype, made[i].rank, made[i].dims);
        tensor_from_bytes(results[i], made[i].data);
        nnc_array_free(&made[i]);
    }
    return results;
}

static inline void compiled_close(Machine *m) {
    Compiled *c = m->state;
    nnc_session_close(&c->session);
    model_close(&c->model);
}

static inline Machine *compiled_open(Arena *arena, const Program *program, const Root *root) {
    Machine *m = NEW(arena, Machine);
    Compiled *c = NEW(arena, Compiled);
    NncError error;
    EngineOptions options = {.threads = 2};
    c->pipeline = (Pipeline){.arena = arena, .program = (Program *)program, .file = "agree.nn"};
    if (model_open(&c->model, &c->pipeline, (Root *)root, root->entries.data[0], &options) != 0)
        fail_msg("%s does not compile", root->name->text);
    const nnc_model *table = c->model.table;
    NncBinding *bindings = NEW_ARRAY(arena, (size_t)table->init_dim_count + 1, NncBinding);
    for (int i = 0; i < table->init_dim_count; i++)
        bindings[i] = (NncBinding){table->init_dims[i], AGREE_BATCH};
    if (!model_session(&c->model, bindings, table->init_dim_count, &c->session, &error))
        fail_msg("%s", error.text);
    if (!nnc_session_init(&c->session, 1, &error)) fail_msg("%s", error.text);
    *m = (Machine){arena,        program,      root,          c,
                   compiled_set, compiled_get, compiled_call, compiled_close};
    return m;
}

#endif
