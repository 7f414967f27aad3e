/* An entry, its inputs and a session, ready to be called: what run and bench share. */
#include "driver/invocation.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "driver/data/data.h"
#include "driver/process.h"

static bool is_made_up(const char *spec) {
    return strcmp(spec, "rand") == 0 || strcmp(spec, "randn") == 0 || strcmp(spec, "zeros") == 0 ||
           strcmp(spec, "ones") == 0 || strncmp(spec, "randint:", 8) == 0;
}

/* Numbers of the stream (seed, argument): element i from counter i. */
static bool make_up(const char *spec, int64_t limit, uint64_t seed, uint32_t argument,
                    NncArray *array, NncError *error) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    size_t count = array->bytes / nnc_dtype_bytes(array->dtype);
    if (limit <= 0) limit = array->dtype == NNC_U8 ? 256 : 2;
    if (strncmp(spec, "randint:", 8) == 0 && (!parse_integer(spec + 8, &limit) || limit < 1))
        return nnc_fail(error, "'%s' wants a positive bound", spec);
    bool is_float = nnc_dtype_is_float(array->dtype);
    for (size_t i = 0; i < count; ++i) {
        uint32_t counter[4] = {(uint32_t)i, (uint32_t)((uint64_t)i >> 32), argument, 0x52554e00u},
                 word[4];
        nnc_philox(counter, key, word);
        double u = (double)(word[0] >> 8) * 0x1p-24, value;
        if (spec[0] == 'z' || spec[0] == 'o')
            value = spec[0] == 'o';
        else if (strcmp(spec, "randn") == 0)
            value = sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * ((double)word[1] * 0x1p-32));
        else if (is_float && strcmp(spec, "rand") == 0)
            value = u;
        else
            value = (double)(int64_t)(((uint64_t)word[1] * (uint64_t)limit) >> 32);
        nnc_element_set(array->dtype, array->data, i, value);
    }
    return true;
}

static int read_inputs(Invocation *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    char shape[256];
    for (int i = 0; i < list_length(run->options->inputs); ++i) {
        NamedText pair = named_text(run->arena, run->options->inputs[i]);
        int which = -1;
        for (int a = 0; a < entry->argument_count; ++a)
            if (pair.name && strcmp(pair.name, entry->arguments[a].name) == 0) which = a;
        if (!pair.name && entry->argument_count == 1) which = 0;
        if (which < 0) {
            nnc_fail(error, "%s has no input for '--input %s'; its inputs are:", entry->name,
                     run->options->inputs[i]);
            for (int a = 0; a < entry->argument_count; ++a)
                nnc_error_add(
                    error, "\n  %s: %s", entry->arguments[a].name,
                    nnc_describe_tensor(shape, sizeof shape, entry, &entry->arguments[a]));
            return STATUS_USAGE;
        }
        run->specs[which] = pair.value;
    }
    for (int a = 0; a < entry->argument_count; ++a) {
        const nnc_tensor_info *info = &entry->arguments[a];
        double number;
        if (!run->specs[a] && run->options->makes_up) run->specs[a] = "rand";
        if (!run->specs[a]) {
            nnc_fail(error, "%s needs input '%s' (%s); give --input %s=FILE.npy or %s=rand",
                     entry->name, info->name, nnc_describe_tensor(shape, sizeof shape, entry, info),
                     info->name, info->name);
            return STATUS_USAGE;
        }
        if (is_made_up(run->specs[a])) continue;
        if (info->rank == 0 && parse_number(run->specs[a], &number)) {
            if (!nnc_array_create(&run->arguments[a], info->dtype, 0, NULL, error))
                return STATUS_FILES;
            nnc_element_set(info->dtype, run->arguments[a].data, 0, number);
            continue;
        }
        if (!data_read(run->arena, run->specs[a], info, &run->arguments[a], error))
            return STATUS_FILES;
    }
    return 0;
}

/* The bound that the entry checks argument `a` against; 0 if there is none. */
static int64_t id_limit(const Invocation *run, int a) {
    const Entry *entry = run->source;
    int64_t limit = 0, value;
    if (!run->options->makes_up) return 0;
    int64_t *symbols = NEW_ARRAY(run->arena, (size_t)dim_symbol_count(run->symbols) + 1, int64_t);
    for (int d = 0; d < entry->dims.count; ++d) {
        const DimSymbol *symbol = dim_as_symbol(entry->dims.data[d]);
        if (symbol) symbols[symbol->index] = run->dims[d];
    }
    for (int i = 0; i < entry->checks.count; ++i) {
        const Check *check = &entry->checks.data[i];
        if (check->kind != CHECK_RANGE) continue;
        const Node *node = check->node;
        while (node->input_count == 1) node = node->inputs[0];
        if (node != entry->arguments.data[a].node || !dim_evaluate(check->high, symbols, &value))
            continue;
        if (value > 0 && (limit == 0 || value < limit)) limit = value;
    }
    return limit;
}

/* Dims from the inputs, then the made-up inputs and room for the results. */
static int bind_inputs(Invocation *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    const NncArray **given = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const NncArray *);
    for (int a = 0; a < entry->argument_count; ++a)
        given[a] = run->arguments[a].data ? &run->arguments[a] : NULL;
    if (!nnc_bind_dims(entry, given, run->bindings, run->binding_count, run->dims, error))
        return STATUS_FILES;
    for (int a = 0; a < entry->argument_count; ++a) {
        if (given[a]) continue;
        if (!nnc_entry_array(entry, run->dims, a, &run->arguments[a], error)) return STATUS_FILES;
        if (!make_up(run->specs[a], id_limit(run, a), run->options->seed, (uint32_t)a,
                     &run->arguments[a], error))
            return STATUS_USAGE;
    }
    for (int r = 0; r < entry->result_count; ++r)
        if (!nnc_entry_array(entry, run->dims, entry->argument_count + r, &run->results[r], error))
            return STATUS_FILES;
    return 0;
}

static int load_state(Invocation *run, NncError *error) {
    const RunOptions *options = run->options;
    if (options->resume && !nnc_checkpoint_read(options->resume, &run->checkpoint, error))
        return STATUS_FILES;
    /* A dim of the state is the entry's dim of that name. */
    const nnc_entry_info *entry = run->model.entry;
    int count = run->binding_count + entry->dim_count;
    NncBinding *bindings = NEW_ARRAY(run->arena, (size_t)count, NncBinding);
    for (int b = 0; b < run->binding_count; ++b) bindings[b] = run->bindings[b];
    for (int d = 0; d < entry->dim_count; ++d)
        bindings[run->binding_count + d] = (NncBinding){entry->dims[d], run->dims[d]};
    bool good = model_session(&run->model, bindings, count, &run->session, error) &&
                nnc_session_init(&run->session, options->seed, error);
    if (good && options->resume) {
        good = nnc_checkpoint_restore(&run->session, &run->checkpoint, error);
        if (!good) nnc_fail_in(error, options->resume);
    }
    if (good && options->weights)
        good = nnc_weights_load_file(&run->session, options->weights, NULL, error);
    if (good && options->init_weights) {
        NncLoadOptions load = {options->allow_missing, options->allow_extra, NULL};
        good = nnc_weights_load_file(&run->session, options->init_weights, &load, error);
    }
    if (!good) return STATUS_FILES;
    for (int i = 0; i < list_length(options->sets); ++i) {
        NamedText pair = named_text(run->arena, options->sets[i]);
        double value;
        int found = -1;
        for (int c = 0; pair.name && c < run->model.table->cell_count; ++c)
            if (strcmp(run->model.table->cells[c].name, pair.name) == 0) found = c;
        if (found < 0 || !parse_number(pair.value, &value)) {
            nnc_fail(error, "--set wants CELL=NUMBER with a cell of the model, not '%s'",
                     options->sets[i]);
            return STATUS_USAGE;
        }
        if (!nnc_session_set_number(&run->session, found, value, error)) return STATUS_USAGE;
    }
    return 0;
}

static int prepare(Invocation *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    run->arguments = NEW_ARRAY(run->arena, (size_t)entry->argument_count, NncArray);
    run->results = NEW_ARRAY(run->arena, (size_t)entry->result_count, NncArray);
    run->specs = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const char *);
    run->dims = NEW_ARRAY(run->arena, (size_t)entry->dim_count, int64_t);
    if (!parse_bindings(run->arena, run->model.table, run->options->binds, &run->bindings,
                        &run->binding_count, error))
        return STATUS_USAGE;
    int status = read_inputs(run, error);
    if (status == 0) status = bind_inputs(run, error);
    if (status == 0) status = load_state(run, error);
    run->in = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const void *);
    run->out = NEW_ARRAY(run->arena, (size_t)entry->result_count, void *);
    for (int a = 0; a < entry->argument_count; ++a) run->in[a] = run->arguments[a].data;
    for (int r = 0; r < entry->result_count; ++r) run->out[r] = run->results[r].data;
    return status;
}

/* Every --dump names a module that the entry calls. */
static int check_dumps(const Entry *entry, Arena *arena, const char *const *dumps,
                       NncError *error) {
    for (int i = 0; i < list_length(dumps); ++i) {
        bool found = false;
        const char *closest = NULL;
        int best = 4;
        for (int k = 0; k < entry->modules.count; ++k) {
            const char *path = entry->modules.data[k], *last = strrchr(path, '.');
            found = found || fnmatch(dumps[i], path, 0) == 0;
            const char *forms[2] = {path, last ? arena_printf(arena, "*%s", last) : path};
            for (int f = 0; f < 2; ++f) {
                int distance = text_distance(dumps[i], forms[f], 3);
                if (distance >= best) continue;
                best = distance;
                closest = forms[f];
            }
        }
        if (found) continue;
        nnc_fail(error, "--dump %s: %s calls no such module", dumps[i], entry->name->text);
        if (closest) nnc_error_add(error, "; did you mean '%s'?", closest);
        nnc_error_add(error, entry->modules.count ? "\nIt calls:" : "\nIt calls none.");
        for (int k = 0; k < entry->modules.count && k < 40; ++k)
            nnc_error_add(error, " %s", entry->modules.data[k]);
        return STATUS_USAGE;
    }
    return 0;
}

int invocation_open(Invocation *run, const RunOptions *options) {
    *run = (Invocation){.options = options, .arena = arena_new()};
    Pipeline pipeline;
    Root *root;
    Entry *entry;
    NncError error = {0};
    signals_install();
    int status = pipeline_open(&pipeline, run->arena, options->target, &options->pipeline);
    if (status == 0) status = pipeline_choose(&pipeline, WISH_RUN, &root, &entry);
    if (status == 0) {
        status = check_dumps(entry, run->arena, options->pipeline.dumps, &error);
        if (status != 0) return driver_fail(status, &error);
    }
    if (status == 0) status = model_open(&run->model, &pipeline, root, entry, &options->engine);
    if (status != 0) return status;
    run->source = entry;
    run->root = root;
    run->program = pipeline.program;
    run->symbols = pipeline.program->dims;
    status = prepare(run, &error);
    return status == 0 ? 0 : driver_fail(status, &error);
}

bool invocation_call(Invocation *run, NncError *error) {
    return nnc_session_call(&run->session, run->model.entry, run->dims, run->in, run->out, error);
}

void invocation_close(Invocation *run) {
    const nnc_entry_info *entry = run->model.entry;
    nnc_tensor_file_free(&run->checkpoint);
    nnc_session_close(&run->session);
    for (int a = 0; run->arguments && a < entry->argument_count; ++a)
        nnc_array_free(&run->arguments[a]);
    for (int r = 0; run->results && r < entry->result_count; ++r) nnc_array_free(&run->results[r]);
    model_close(&run->model);
    arena_free(run->arena);
}
