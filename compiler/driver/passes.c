/* The pass table and its bookkeeping.  The simplifier brings its own rows. */
#define _POSIX_C_SOURCE 200809L
#include "driver/passes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "tensor/simplify/simplify.h"

static const PassRow before[] = {
    {"parse", "syntax", "text to syntax tree"},
    {"sema", "syntax", "names, arity and places, in all code"},
    {"lower", "tensor",
     "abstract execution: modules, shapes, derivatives; gives the tensor graphs"},
};
static const PassRow after[] = {
    {"kernels", "kernel", "fusion, loop nests and schedules"},
    {"plan", "plan", "liveness and offsets of every buffer"},
    {"emit", "text", "C or CUDA text"},
};
enum { BEFORE = sizeof before / sizeof *before, AFTER = sizeof after / sizeof *after };

int pass_count(void) {
    return BEFORE + simplify_pass_count + AFTER;
}

const PassRow *pass_at(int index) {
    static PassRow row;
    if (index < BEFORE) return &before[index];
    if (index >= BEFORE + simplify_pass_count) return &after[index - BEFORE - simplify_pass_count];
    const SimplifyPass *pass = &simplify_passes[index - BEFORE];
    row = (PassRow){pass->name, "tensor", pass->doc};
    return &row;
}

int pass_find(const char *name) {
    for (int i = 0; i < pass_count(); i++)
        if (!strcmp(pass_at(i)->name, name)) return i;
    return -1;
}

const char *pass_suggest(const char *name) {
    for (int distance = 1; distance <= 3; distance++)
        for (int i = 0; i < pass_count(); i++)
            if (text_distance(name, pass_at(i)->name, 3) == distance) return pass_at(i)->name;
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const char *running = "start";
const char *pass_running(void) {
    return running;
}

void pass_begin(PassControl *control, const char *name) {
    running = name;
    if (control && control->times) control->began = now();
}

bool pass_end(PassControl *control, const char *name) {
    if (!control) return false;
    if (control->times) control->seconds[pass_find(name)] = now() - control->began;
    if (control->stop_after && !strcmp(control->stop_after, name)) control->stopped = true;
    return control->print_after && !strcmp(control->print_after, name);
}

void pass_report_times(const PassControl *control) {
    double total = 0;
    for (int i = 0; i < pass_count(); i++) total += control->seconds[i];
    fprintf(stderr, "%10s  %5s  pass\n", "ms", "%");
    for (int i = 0; i < pass_count(); i++)
        fprintf(stderr, "%10.3f  %5.1f  %s\n", control->seconds[i] * 1e3,
                total > 0 ? 100 * control->seconds[i] / total : 0, pass_at(i)->name);
    fprintf(stderr, "%10.3f  %5.1f  total\n", total * 1e3, 100.0);
}
