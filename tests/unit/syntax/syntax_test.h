/* Helpers of the syntax tests: parse a text, count errors, show trees. */
#ifndef NNC_TESTS_SYNTAX_TEST_H
#define NNC_TESTS_SYNTAX_TEST_H

#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "syntax/parse.h"

static Arena *arena;
static DiagnosticSink *sink;

static inline int test_setup(void **state) {
    arena = arena_new();
    names_init(arena);
    return 0;
}
static inline int test_teardown(void **state) {
    arena_free(arena);
    return 0;
}

static inline SourceUnit *parse_n(const char *text, size_t length) {
    sink = diagnostics_new(arena);
    return syntax_parse(arena, source_new(arena, "t.nn", text, length), sink);
}
static inline SourceUnit *parse(const char *text) {
    return parse_n(text, strlen(text));
}

static inline const char *short_messages(void) {
    char *data = NULL;
    size_t length = 0;
    FILE *f = open_memstream(&data, &length);
    diagnostics_print(sink, f, FORM_SHORT, false);
    fclose(f);
    const char *copy = arena_strdup(arena, data);
    free(data);
    return copy;
}

static inline SourceUnit *parse_good(const char *text) {
    SourceUnit *unit = parse(text);
    if (diagnostics_errors(sink)) fail_msg("%s\n%s", text, short_messages());
    return unit;
}

static inline const char *dump(const SourceUnit *unit) {
    Text text = text_new(arena);
    syntax_dump(&text, unit);
    return text.data;
}
static inline const char *format(const SourceUnit *unit) {
    Text text = text_new(arena);
    syntax_format(&text, unit);
    return text.data;
}

#endif
