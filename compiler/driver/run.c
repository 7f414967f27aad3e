/* `nnc run`: weights in, inputs from files or made up, one entry called, results out.
 * Invariants: files are written after the call has succeeded; nothing is printed on stdout but
 * results. */
#include "driver/run.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "driver/process.h"

enum { PRINT_LIMIT = 64 };

typedef struct Run {
    const RunOptions *options;
    Arena *arena;
    Model model;
    NncSession session;
    NncBinding *bindings;
    int binding_count;
    NncArray *arguments, *results;
    const char **specs; /* what --input said, per argument */
    int64_t *dims;
} Run;

/* The status for a failed call: a value of the user's is wrong (1), all else is the environment
 * (3). */
enum { STATUS_INPUT = 1, STATUS_USAGE = 2, STATUS_FILES = 3 };

static bool is_made_up(const char *spec) {
    return strcmp(spec, "rand") == 0 || strcmp(spec, "randn") == 0 || strcmp(spec, "zeros") == 0 ||
           strcmp(spec, "ones") == 0 || strncmp(spec, "randint:", 8) == 0;
}

/* Numbers of the stream (seed, argument): element i from counter i. */
static bool make_up(const char *spec, uint64_t seed, uint32_t argument, NncArray *array,
                    NncError *error) {
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    size_t count = array->bytes / nnc_dtype_bytes(array->dtype);
    int64_t limit = array->dtype == NNC_U8 ? 256 : 2;
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

static int read_inputs(Run *run, NncError *error) {
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
        if (!nnc_array_read(run->specs[a], &run->arguments[a], error)) return STATUS_FILES;
    }
    return 0;
}

/* Dims from the inputs, then the made-up inputs and room for the results. */
static int bind_inputs(Run *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    const NncArray **given = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const NncArray *);
    for (int a = 0; a < entry->argument_count; ++a)
        given[a] = run->arguments[a].data ? &run->arguments[a] : NULL;
    if (!nnc_bind_dims(entry, given, run->bindings, run->binding_count, run->dims, error))
        return STATUS_FILES;
    for (int a = 0; a < entry->argument_count; ++a) {
        if (given[a]) continue;
        if (!nnc_entry_array(entry, run->dims, a, &run->arguments[a], error)) return STATUS_FILES;
        if (!make_up(run->specs[a], run->options->seed, (uint32_t)a, &run->arguments[a], error))
            return STATUS_USAGE;
    }
    for (int r = 0; r < entry->result_count; ++r)
        if (!nnc_entry_array(entry, run->dims, entry->argument_count + r, &run->results[r], error))
            return STATUS_FILES;
    return 0;
}

static int load_state(Run *run, NncError *error) {
    const RunOptions *options = run->options;
    NncTensorFile checkpoint = {0};
    if (options->resume && !nnc_checkpoint_read(options->resume, &checkpoint, error))
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
        good = nnc_checkpoint_restore(&run->session, &checkpoint, error);
        if (!good) nnc_fail_in(error, options->resume);
    }
    nnc_tensor_file_free(&checkpoint);
    if (good && options->weights)
        good = nnc_weights_load_file(&run->session, options->weights, NULL, error);
    if (good && options->init_weights) {
        NncLoadOptions load = {options->allow_missing, options->allow_extra};
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

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int call_entry(Run *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    int64_t repeat = run->options->repeat > 0 ? run->options->repeat : 1;
    const void **in = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const void *);
    void **out = NEW_ARRAY(run->arena, (size_t)entry->result_count, void *);
    double *times = NEW_ARRAY(run->arena, (size_t)repeat, double);
    for (int a = 0; a < entry->argument_count; ++a) in[a] = run->arguments[a].data;
    for (int r = 0; r < entry->result_count; ++r) out[r] = run->results[r].data;
    for (int64_t k = 0; k < repeat; ++k) {
        double start = nnc_now();
        if (!nnc_session_call(&run->session, entry, run->dims, in, out, error)) return STATUS_INPUT;
        times[k] = nnc_now() - start;
        if (signals_received) {
            nnc_fail(error, "stopped by a signal");
            return 128 + signals_received;
        }
    }
    if (repeat > 1) {
        qsort(times, (size_t)repeat, sizeof *times, compare_doubles);
        fprintf(stderr, "%s: %" PRId64 " calls, median %.4g ms, fastest %.4g ms, slowest %.4g ms\n",
                entry->name, repeat, 1e3 * times[repeat / 2], 1e3 * times[0],
                1e3 * times[repeat - 1]);
    }
    return 0;
}

static void print_result(const NncArray *array, const char *name) {
    char shape[256];
    size_t count = array->bytes / nnc_dtype_bytes(array->dtype);
    nnc_array_describe(shape, sizeof shape, array->dtype, array->rank, array->dims);
    if (count <= PRINT_LIMIT) {
        printf("%s %s =%s", name, shape, array->rank > 1 ? "\n" : " ");
        nnc_array_print(stdout, array, PRINT_LIMIT);
        return;
    }
    double low = INFINITY, high = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; ++i) {
        double value = nnc_element_get(array->dtype, array->data, i);
        low = fmin(low, value);
        high = fmax(high, value);
        sum += value;
    }
    printf("%s %s: min %.6g, mean %.6g, max %.6g\n", name, shape, low, sum / (double)count, high);
}

static int write_results(Run *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    const RunOptions *options = run->options;
    if (options->output_dir && mkdir(options->output_dir, 0777) != 0 && errno != EEXIST) {
        nnc_fail(error, "cannot make the folder '%s': %s", options->output_dir, strerror(errno));
        return STATUS_FILES;
    }
    for (int r = 0; r < entry->result_count; ++r) {
        const char *name = entry->results[r].name;
        print_result(&run->results[r], name);
        if (options->output_dir &&
            !nnc_npy_write(arena_printf(run->arena, "%s/%s.npy", options->output_dir, name),
                           &run->results[r], error))
            return STATUS_FILES;
    }
    if (options->save && !nnc_weights_save(&run->session, options->save, error))
        return STATUS_FILES;
    if (options->checkpoint &&
        !nnc_checkpoint_save(&run->session, options->checkpoint, NULL, 0, error))
        return STATUS_FILES;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        nnc_fail(error, "cannot write to standard output");
        return STATUS_FILES;
    }
    return 0;
}

static int run_model(Run *run) {
    const nnc_entry_info *entry = run->model.entry;
    NncError error = {{0}};
    run->arguments = NEW_ARRAY(run->arena, (size_t)entry->argument_count, NncArray);
    run->results = NEW_ARRAY(run->arena, (size_t)entry->result_count, NncArray);
    run->specs = NEW_ARRAY(run->arena, (size_t)entry->argument_count, const char *);
    run->dims = NEW_ARRAY(run->arena, (size_t)entry->dim_count, int64_t);
    int status =
        parse_bindings(run->arena, run->options->binds, &run->bindings, &run->binding_count, &error)
            ? 0
            : STATUS_USAGE;
    if (status == 0) status = read_inputs(run, &error);
    if (status == 0) status = bind_inputs(run, &error);
    if (status == 0) status = load_state(run, &error);
    if (status == 0) status = call_entry(run, &error);
    if (status == 0) status = write_results(run, &error);
    if (status != 0) driver_fail(status, &error);
    nnc_session_close(&run->session);
    for (int a = 0; a < entry->argument_count; ++a) nnc_array_free(&run->arguments[a]);
    for (int r = 0; r < entry->result_count; ++r) nnc_array_free(&run->results[r]);
    return status;
}

int run_command(const RunOptions *options) {
    Run run = {.options = options, .arena = arena_new()};
    Pipeline pipeline;
    Root *root;
    Entry *entry;
    signals_install();
    int status = pipeline_open(&pipeline, run.arena, options->target, &options->pipeline);
    if (status == 0) status = pipeline_choose(&pipeline, WISH_RUN, &root, &entry);
    if (status == 0) status = model_open(&run.model, &pipeline, root, entry, &options->engine);
    if (status == 0) {
        status = run_model(&run);
        model_close(&run.model);
    }
    arena_free(run.arena);
    return status;
}
