/* Models for run and train: compile or wrap, threads, and the small parsers of their options. */
#include "driver/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver/cuda.h"
#include "driver/interpreter_model.h"
#include "emit/common/common.h"

int driver_fail(int status, const NncError *error) {
    fprintf(stderr, "nnc: %s\n", error->text);
    return status;
}

static int open_interpreted(Model *model, const Pipeline *pipeline, Root *root, NncError *error) {
    model->table = interpreter_model(pipeline, root, &model->engine, error);
    model->place = "the interpreter";
    return model->table ? 0 : 1;
}

static int open_compiled(Model *model, const Pipeline *pipeline, Root *root,
                         const EngineOptions *options, NncError *error) {
    Arena *arena = pipeline->arena;
    EmittedCode text;
    const nnc_model *(*get_model)(void) = NULL;
    int status = pipeline_emit(pipeline, root, "c", options->instrument, &text);
    if (status != 0) return status;
    JitFile files[] = {{"model.c", text.source.data, text.source.length},
                       {"model.h", text.header.data, text.header.length}};
    JitCompiler compiler = {.command = options->cc, .verbose = options->verbose};
    const char *symbol = arena_printf(arena, "%s_model", emit_identifier(arena, root->name->text));
    status = jit_open(files, 2, symbol, &compiler, &model->library, error);
    if (status != 0) return status;
    jit_symbol(&model->library, symbol, &get_model, sizeof get_model);
    model->table = get_model();
    model->pool = nnc_pool_create(options->threads, error);
    if (!model->pool) return 3;
    int threads = nnc_pool_threads(model->pool);
    model->place = arena_printf(arena, "%d thread%s", threads, threads == 1 ? "" : "s");
    return 0;
}

int model_open(Model *model, const Pipeline *pipeline, Root *root, const Entry *entry,
               const EngineOptions *options) {
    NncError error = {0};
    *model = (Model){0};
    Cuda cuda = {0};
    int status = 0;
    if (options->device == DEVICE_AUTO || options->device == DEVICE_CUDA) {
        status = cuda_find(options, &cuda, &error);
        if (status == 3 && options->device == DEVICE_AUTO) {
            fprintf(stderr, "nnc: %s\n", error.text);
            status = 0;
        }
    }
    if (status == 0 && options->device != DEVICE_UNSAID)
        fprintf(stderr, "Using %s device\n", cuda.found ? "cuda" : "cpu");
    if (status == 0)
        status = cuda.found             ? cuda_open(model, pipeline, root, options, &cuda, &error)
                 : options->interpreter ? open_interpreted(model, pipeline, root, &error)
                                        : open_compiled(model, pipeline, root, options, &error);
    if (status != 0) {
        model_close(model);
        return error.text[0] ? driver_fail(status, &error) : status;
    }
    if (entry) model->entry = nnc_model_entry(model->table, entry->name->text);
    return 0;
}

void model_close(Model *model) {
    nnc_device_close(model->device);
    nnc_pool_destroy(model->pool);
    jit_unload(&model->library);
    *model = (Model){0};
}

bool model_session(const Model *model, const NncBinding *bindings, int count, NncSession *session,
                   NncError *error) {
    /* A state's dims have the entry's names, so --bind fixes both. */
    const nnc_model *table = model->table;
    int64_t *dims = nnc_allocate_zeroed((size_t)table->init_dim_count * sizeof *dims, error);
    bool good = dims != NULL;
    for (int k = 0; good && k < table->init_dim_count; ++k) {
        const char *name =
            model->entry && k < model->entry->dim_count ? model->entry->dims[k] : NULL;
        if (table->init_dims) name = table->init_dims[k];
        bool found = false;
        for (int b = 0; b < count && name; ++b)
            if (strcmp(bindings[b].name, name) == 0) {
                dims[k] = bindings[b].value;
                found = true;
            }
        if (!found)
            good = nnc_fail(error, "the state of '%s' has dim %s; give it with --bind %s=NUMBER",
                            table->name, name ? name : "?", name ? name : "NAME");
    }
    good = good && nnc_session_open(session, table, dims, model->pool, error);
    nnc_release(dims);
    if (good) session->engine = model->engine;
    return good;
}

NamedText named_text(Arena *arena, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals) return (NamedText){NULL, text};
    return (NamedText){arena_strndup(arena, text, (size_t)(equals - text)), equals + 1};
}

int list_length(const char *const *list) {
    int count = 0;
    while (list && list[count]) ++count;
    return count;
}

bool parse_number(const char *text, double *out) {
    return text_parse_double(text, strlen(text), out);
}
bool parse_integer(const char *text, int64_t *out) {
    return text_parse_int(text, strlen(text), out);
}

static bool has_dim(const nnc_model *table, const char *name) {
    for (int d = 0; d < table->init_dim_count; ++d)
        if (strcmp(table->init_dims[d], name) == 0) return true;
    for (int e = 0; e < table->entry_count; ++e)
        for (int d = 0; d < table->entries[e].dim_count; ++d)
            if (strcmp(table->entries[e].dims[d], name) == 0) return true;
    return false;
}

bool parse_bindings(Arena *arena, const nnc_model *table, const char *const *list, NncBinding **out,
                    int *count, NncError *error) {
    *count = list_length(list);
    *out = NEW_ARRAY(arena, (size_t)*count, NncBinding);
    for (int i = 0; i < *count; ++i) {
        NamedText pair = named_text(arena, list[i]);
        if (!pair.name || !parse_integer(pair.value, &(*out)[i].value) || (*out)[i].value < 0)
            return nnc_fail(error, "--bind wants NAME=NUMBER, not '%s'", list[i]);
        if (!has_dim(table, pair.name))
            return nnc_fail(error, "--bind %s: '%s' has no dim %s", list[i], table->name,
                            pair.name);
        for (int k = 0; k < i; ++k)
            if (strcmp((*out)[k].name, pair.name) == 0)
                return nnc_fail(error, "--bind gives %s twice", pair.name);
        (*out)[i].name = pair.name;
    }
    return true;
}
