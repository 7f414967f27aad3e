/* Source text through the whole compiler: parse, check, lower, simplify, kernels, plan, C.
 *
 * Promises: every refusal has a diagnostic; a tree without errors formats to itself; what is
 * lowered satisfies the verifier, before and after simplification.  Files do not exist here, except
 * that every import of a name with "self" reads the input again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "emit/emit.h"
#include "fuzz.h"
#include "language.h"
#include "lower/lower.h"
#include "plan/plan.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

const char target_name[] = "language";

static const uint8_t *input;
static size_t input_size, read_position;

static int open_input(const char *path, int flags, int mode) {
    (void)flags;
    (void)mode;
    read_position = 0;
    if (strstr(path, "self")) return 1000;
    errno = ENOENT;
    return -1;
}

static ssize_t read_input(int fd, void *data, size_t bytes) {
    (void)fd;
    size_t left = input_size - read_position, n = bytes < left ? bytes : left;
    memcpy(data, input + read_position, n);
    read_position += n;
    return (ssize_t)n;
}

static int close_input(int fd) {
    (void)fd;
    return 0;
}

static void *allocate(size_t bytes) {
    return fuzz_allocate(bytes, 16);
}

static void on_memory(size_t bytes, void *user) {
    (void)user;
    fuzz_broken("no memory for %zu bytes", bytes);
}

static void verify(Program *program, Arena *arena, const char *when) {
    const char *violation = program_verify(program, arena);
    if (violation) fuzz_broken("%s: %s", when, violation);
}

static void emit_program(Arena *arena, Program *program) {
    verify(program, arena, "lowered");
    simplify_program(program);
    verify(program, arena, "simplified");
    const Plan *plan = plan_build(arena, kernel_program_build(arena, program));
    EmitOptions options = {.header_name = "model.h",
                           .file_name = "model.c",
                           .source_name = "model.nn",
                           .version = "0",
                           .info = true};
    Text source = text_new(arena), header = text_new(arena);
    emit_header(plan, &options, &header);
    emit_c(plan, &options, &source);
    if (fuzz_accepted) fuzz_accepted(source.data, source.length, header.data, header.length);
}

void target_run(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    if (!nowhere) nowhere = fopen("/dev/null", "w");
    input = data;
    input_size = size;
    file_table.open = open_input;
    file_table.read = read_input;
    file_table.close = close_input;
    memory_set_hook(allocate);
    memory_set_failure(on_memory, NULL);
    Arena *arena = arena_new();
    names_init(arena);
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceFile *file =
        source_new(arena, "model.nn", arena_strndup(arena, (const char *)data, size), size);
    SourceUnit *unit = language_check(arena, file, sink);
    Program *program = NULL;
    if (unit && !diagnostics_errors(sink)) {
        LowerOptions options = {.default_dtype = DTYPE_F32};
        program = lower_program(arena, unit, &options, sink);
        if (!program && !diagnostics_errors(sink)) fuzz_broken("no program and no diagnostic");
    }
    diagnostics_print(sink, nowhere, FORM_TEXT, true);
    diagnostics_print(sink, nowhere, FORM_JSON, false);
    if (program && !diagnostics_errors(sink)) emit_program(arena, program);
    arena_free(arena);
}
