/* Diagnostics: collecting.  Printing lives in diagnostic_print.c.
 * Invariants: of several errors at one place the first is kept, since the others follow from it;
 * after the 20th error further ones are kept but not shown; files are numbered by their first
 * diagnostic, which fixes the order. */
#include "base/diagnostic_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const DiagnosticRow diagnostic_rows[NN_CODE_COUNT] = {
#define DIAGNOSTIC(code, slug, severity, title, explanation) \
    {code, #slug, severity, title, explanation},
#include "base/diagnostics.def"
#undef DIAGNOSTIC
};

DiagnosticSink *diagnostics_new(Arena *arena) {
    DiagnosticSink *sink = NEW(arena, DiagnosticSink);
    sink->arena = arena;
    return sink;
}

enum { MESSAGE_LIMIT = 2000 };

/* Names and values in messages are the user's and may be megabytes long. */
static char *format_message(Arena *arena, const char *format, va_list args) {
    Text text = text_new(arena);
    text_vprintf(&text, format, args);
    if (text.length <= MESSAGE_LIMIT) return text.data;
    size_t end = MESSAGE_LIMIT;
    while (end > 0 && ((unsigned char)text.data[end] & 0xC0) == 0x80) end--;
    memcpy(text.data + end, "...", 4);
    return text.data;
}

static int file_index(DiagnosticSink *sink, const SourceFile *file) {
    for (int i = 0; i < sink->files.count; i++)
        if (sink->files.data[i] == file) return i;
    vector_push(sink->arena, &sink->files, file);
    return sink->files.count - 1;
}

Diagnostic *diagnose(DiagnosticSink *sink, DiagnosticCode code, Span span, const char *format,
                     ...) {
    va_list args;
    va_start(args, format);
    char *message = format_message(sink->arena, format, args);
    va_end(args);
    Severity severity = diagnostic_rows[code].severity;
    if (severity == SEVERITY_WARNING && sink->werror) severity = SEVERITY_ERROR;
    Diagnostic *d = NEW(sink->arena, Diagnostic);
    *d = (Diagnostic){.arena = sink->arena,
                      .code = code,
                      .severity = severity,
                      .span = span,
                      .message = message,
                      .order = sink->items.count};
    bool error = severity == SEVERITY_ERROR;
    if (error)
        sink->errors++;
    else
        sink->warnings++;
    if (sink->items.count == DIAGNOSTICS_MOST_KEPT) return d; /* a copy that nobody prints */
    for (int i = 0; i < sink->items.count; i++) {
        const Diagnostic *old = sink->items.data[i];
        bool place = old->span.file == span.file && old->span.begin == span.begin;
        bool same = old->code == code && !strcmp(old->message, message);
        bool both = error && old->severity == SEVERITY_ERROR && span.file;
        if (place && (same || both)) return d;
    }
    int *shown = error ? &sink->shown_errors : &sink->shown_warnings;
    d->hidden = *shown == (error ? DIAGNOSTICS_MOST_ERRORS : DIAGNOSTICS_MOST_WARNINGS);
    if (!d->hidden)
        ++*shown;
    else if (error)
        sink->hidden_errors++;
    d->file_order = file_index(sink, span.file);
    vector_push(sink->arena, &sink->items, d);
    return d;
}

void diagnostic_label(Diagnostic *d, Span span, const char *format, ...) {
    va_list args;
    va_start(args, format);
    DiagnosticLabel label = {span, format_message(d->arena, format, args)};
    va_end(args);
    vector_push(d->arena, &d->labels, label);
}

void diagnostic_marker(Diagnostic *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    d->marker = format_message(d->arena, format, args);
    va_end(args);
}

void diagnostic_story(Diagnostic *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *line = format_message(d->arena, format, args);
    va_end(args);
    vector_push(d->arena, &d->story, line);
}

void diagnostic_help(Diagnostic *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *line = format_message(d->arena, format, args);
    va_end(args);
    vector_push(d->arena, &d->help, line);
}

int diagnostics_errors(const DiagnosticSink *sink) {
    return sink->errors;
}
bool diagnostics_full(const DiagnosticSink *sink) {
    return sink->shown_errors == DIAGNOSTICS_MOST_ERRORS;
}
int diagnostics_warnings(const DiagnosticSink *sink) {
    return sink->warnings;
}
void diagnostics_set_werror(DiagnosticSink *sink, bool werror) {
    sink->werror = werror;
}

bool diagnostic_find(const char *code, DiagnosticCode *out) {
    for (int i = 0; i < NN_CODE_COUNT; i++) {
        if (strcmp(diagnostic_rows[i].code, code)) continue;
        *out = (DiagnosticCode)i;
        return true;
    }
    return false;
}

const char *diagnostic_code_name(DiagnosticCode code) {
    return diagnostic_rows[code].code;
}
const char *diagnostic_title(DiagnosticCode code) {
    return diagnostic_rows[code].title;
}
const char *diagnostic_explanation(DiagnosticCode code) {
    return diagnostic_rows[code].explanation;
}
