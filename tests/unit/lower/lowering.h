/* Helpers of the tests of lowering: a source text to a Program, its diagnostics and its IR
 * as text. */
#ifndef NNC_TESTS_LOWERING_H
#define NNC_TESTS_LOWERING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "lower/lower.h"
#include "syntax/parse.h"
#include "tensor/interpret/interpret.h"
#include "tensor/ir.h"
#include "tensor/verify.h"

typedef struct Lowered {
    Arena *arena;
    Program *program; /* NULL after errors */
    char *messages;   /* short form, one line per diagnostic; malloc'ed */
    int errors;       /* told ones */
} Lowered;

static inline Lowered lower_source(const char *path, const char *source,
                                   const LowerOptions *options) {
    Lowered r = {.arena = arena_new()};
    names_init(r.arena);
    LowerOptions standard = {.default_dtype = DTYPE_F32};
    SourceFile *file = source_new(r.arena, path, source, strlen(source));
    DiagnosticSink *sink = diagnostics_new(r.arena);
    SourceUnit *unit = syntax_parse(r.arena, file, sink);
    if (!diagnostics_errors(sink))
        r.program = lower_program(r.arena, unit, options ? options : &standard, sink);
    size_t length;
    FILE *out = open_memstream(&r.messages, &length);
    diagnostics_print(sink, out, FORM_SHORT, false);
    fclose(out);
    for (const char *m = r.messages; (m = strstr(m, ": error[")); m++) r.errors++;
    return r;
}

static inline void lowered_free(Lowered *r) {
    free(r->messages);
    arena_free(r->arena);
}

/* Lowers without errors, or fails the test with the messages. */
static inline Lowered lower_good(const char *source) {
    Lowered r = lower_source("test.nn", source, NULL);
    if (!r.program) fail_msg("not lowered:\n%s", r.messages);
    const char *bad = program_verify(r.program, r.arena);
    if (bad) fail_msg("verifier: %s", bad);
    return r;
}

static inline const Root *lowered_root(const Lowered *r, const char *name) {
    for (int i = 0; i < r->program->roots.count; i++)
        if (!strcmp(r->program->roots.data[i]->name->text, name)) return r->program->roots.data[i];
    fail_msg("no root %s", name);
    return NULL;
}

static inline const Entry *lowered_entry(const Lowered *r, const char *symbol) {
    for (int i = 0; i < r->program->roots.count; i++) {
        const Root *root = r->program->roots.data[i];
        for (int k = 0; k < root->entries.count; k++)
            if (!strcmp(root->entries.data[k]->symbol, symbol)) return root->entries.data[k];
    }
    fail_msg("no entry %s", symbol);
    return NULL;
}

static inline char *entry_text(const Lowered *r, const char *symbol) {
    Text text = text_new(r->arena);
    entry_print(&text, lowered_entry(r, symbol), 0);
    return text.data;
}

static inline void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("expected to find\n%s\nin\n%s", part, text);
}

#endif
