/* `nnc run`: weights in, inputs from files or made up, one entry called, results out.
 * Invariants: files are written after the call has succeeded; nothing is printed on stdout but
 * results. */
#include "driver/invocation.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "driver/finite.h"
#include "driver/places.h"
#include "driver/process.h"

enum { PRINT_LIMIT = 64 };

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* 1 after a message where a value of the coming call is not finite. */
static int check_finite(Invocation *run, NncError *error) {
    size_t count = (size_t)run->model.table->cell_count;
    NncArray *cells = NEW_ARRAY(run->arena, count + 1, NncArray);
    FiniteCall call = {run->program,
                       run->root,
                       run->source,
                       run->model.entry,
                       run->dims,
                       run->in,
                       cells,
                       run->session.context.seed,
                       run->session.context.step};
    bool good = finite_cells(&run->session, cells, error);
    const char *reason = NULL, *text = good ? finite_explain(run->arena, &call, &reason) : NULL;
    for (size_t c = 0; c < count; ++c) nnc_array_free(&cells[c]);
    if (text)
        nnc_fail(error, "%s: the first value that is not finite is %s", run->model.entry->name,
                 text);
    if (reason)
        nnc_fail(error, "%s: --check-finite cannot make the call: %s", run->model.entry->name,
                 reason);
    return !good ? STATUS_FILES : text || reason ? STATUS_INPUT : 0;
}

static int call_entry(Invocation *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    int status = run->options->check_finite ? check_finite(run, error) : 0;
    if (status != 0) return status;
    int64_t repeat = run->options->repeat > 0 ? run->options->repeat : 1;
    double *times = NEW_ARRAY(run->arena, (size_t)repeat, double);
    for (int64_t k = 0; k < repeat; ++k) {
        double start = nnc_now();
        if (!invocation_call(run, error)) return error->environment ? STATUS_FILES : STATUS_INPUT;
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

/* A key of a ModuleDict may be any text; a file's name may not.  Other names give other files. */
static const char *file_name(Arena *arena, const char *name) {
    Text text = text_new(arena);
    for (; *name; ++name) {
        if (*name == '/' || *name == '%')
            text_printf(&text, "%%%02X", *name);
        else
            text_printf(&text, "%c", *name);
    }
    return text.data;
}

static const char *result_name(const Invocation *run, int r) {
    const char *path = run->source->results.data[r].path;
    return path ? path : run->model.entry->results[r].name;
}

static const char *result_file(const Invocation *run, int r) {
    return arena_printf(run->arena, "%s/%s.npy", run->options->output_dir,
                        file_name(run->arena, result_name(run, r)));
}

/* Before the call: results replace no input, and have a file each. */
static int check_places(const Invocation *run) {
    const CommandLine *line = run->options->pipeline.line;
    int count = run->model.entry->result_count;
    if (!line || !run->options->output_dir) return 0;
    const char **made = NEW_ARRAY(run->arena, (size_t)count, const char *);
    for (int r = 0; r < count; ++r) made[r] = result_file(run, r);
    return places_check(line, run->program, made, count);
}

static int write_results(Invocation *run, NncError *error) {
    const nnc_entry_info *entry = run->model.entry;
    const RunOptions *options = run->options;
    if (options->output_dir && mkdir(options->output_dir, 0777) != 0 && errno != EEXIST) {
        nnc_fail(error, "cannot make the folder '%s': %s", options->output_dir, strerror(errno));
        return STATUS_FILES;
    }
    for (int r = 0; r < entry->result_count; ++r) {
        print_result(&run->results[r], result_name(run, r));
        if (options->output_dir && !nnc_npy_write(result_file(run, r), &run->results[r], error))
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

typedef struct Running {
    Invocation invocation;
    const RunOptions *options;
    int status;
} Running;

static void run_target(void *user) {
    Running *running = user;
    Invocation *run = &running->invocation;
    NncError error = {0};
    running->status = invocation_open(run, running->options);
    if (running->status == 0) running->status = check_places(run);
    if (running->status != 0) return;
    int status = call_entry(run, &error);
    if (status == 0) status = write_results(run, &error);
    if (status != 0) driver_fail(status, &error);
    running->status = status;
}

int run_command(const RunOptions *options) {
    Running running = {.options = options};
    if (!memory_guard(run_target, &running)) running.status = STATUS_FILES;
    invocation_close(&running.invocation);
    return running.status;
}
