/* Representation of diagnostics, shared by diagnostic.c and diagnostic_print.c only. */
#ifndef NNC_BASE_DIAGNOSTIC_PRIVATE_H
#define NNC_BASE_DIAGNOSTIC_PRIVATE_H

#include "base/diagnostic.h"
#include "base/vector.h"

enum {
    DIAGNOSTICS_MOST_ERRORS = 20,
    DIAGNOSTICS_MOST_WARNINGS = 100,
    DIAGNOSTICS_MOST_KEPT = 1000
};

typedef struct DiagnosticRow {
    const char *code, *slug;
    Severity severity;
    const char *title, *explanation;
} DiagnosticRow;
extern const DiagnosticRow diagnostic_rows[NN_CODE_COUNT];

typedef struct DiagnosticLabel {
    Span span;
    const char *text;
} DiagnosticLabel;

struct Diagnostic {
    Arena *arena;
    DiagnosticCode code;
    Severity severity;
    Span span;
    const char *message;
    const char *marker; /* beside the ^^^ of the main span; NULL: none */
    VECTOR(DiagnosticLabel) labels;
    VECTOR(const char *) story;
    VECTOR(const char *) help;
    int file_order, order;
    bool hidden; /* one too many */
};

struct DiagnosticSink {
    Arena *arena;
    VECTOR(Diagnostic *) items;
    VECTOR(const SourceFile *) files; /* by first diagnostic */
    int errors, warnings;             /* raised, shown or not */
    int shown_errors, hidden_errors, shown_warnings;
    bool werror;
};

#endif
