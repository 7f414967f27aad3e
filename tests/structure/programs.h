/* A program in the language, through every stage up to the plan; for the tests of structure. */
#ifndef NNC_TESTS_STRUCTURE_PROGRAMS_H
#define NNC_TESTS_STRUCTURE_PROGRAMS_H

#include <string.h>

#include "base/file.h"
#include "lower/lower.h"
#include "plan/plan.h"
#include "tensor/simplify/simplify.h"

/* In parse.h, whose tree has names that kernels use too. */
SourceUnit *syntax_parse(Arena *arena, const SourceFile *file, DiagnosticSink *sink);

static inline Plan *plan_of_text_with(Arena *arena, const char *path, const char *text,
                                      const KernelOptions *kernels) {
    DiagnosticSink *sink = diagnostics_new(arena);
    const SourceUnit *unit = syntax_parse(arena, source_new(arena, path, text, strlen(text)), sink);
    LowerOptions options = {.default_dtype = DTYPE_F32};
    Program *program = lower_program(arena, unit, &options, sink);
    if (!program) {
        diagnostics_print(sink, stderr, FORM_SHORT, false);
        fail_msg("%s does not lower", path);
    }
    simplify_program(program);
    return plan_build(arena, kernel_program_build_with(arena, program, kernels));
}

static inline Plan *plan_of_text(Arena *arena, const char *path, const char *text) {
    return plan_of_text_with(arena, path, text, &(KernelOptions){0});
}

static inline Plan *plan_of_example(Arena *arena, const char *name) {
    const char *path = arena_printf(arena, "%s/examples/%s.nn", SOURCE_DIR, name), *error = NULL;
    size_t length;
    char *text = file_read_all(arena, path, 1 << 20, &length, &error);
    if (!text) fail_msg("%s", error);
    return plan_of_text(arena, path, text);
}

static inline const EntryPlan *plan_entry(const Plan *plan, const char *symbol) {
    for (int r = 0; r < plan->roots.count; r++)
        for (int e = 0; e < plan->roots.data[r]->entries.count; e++) {
            const EntryPlan *entry = plan->roots.data[r]->entries.data[e];
            if (!strcmp(entry->entry->entry->symbol, symbol)) return entry;
        }
    fail_msg("there is no entry %s", symbol);
    return NULL;
}

#endif
