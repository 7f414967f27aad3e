/* Diagnostics: collected, deduplicated, sorted by place, printed in three forms.
 *
 * A code is stable (NN0203) and has a row in diagnostics.def: code, slug, severity, title, the long
 * text of `nnc explain`.  Use:
 *     Diagnostic *d = diagnose(sink, NN_MODULE_SHAPE, span, "Linear expects %s ...", ...);
 *     diagnostic_label(d, other_span, "declared here");
 *     diagnostic_story(d, "shape of x: ...");
 *     diagnostic_help(d, "change in_features to %s", ...);
 * At most 20 errors are kept per run; diagnose() never fails and never prints.
 * An error whose span lies in a prelude file must be reported by the caller at the user's call. */
#ifndef NNC_BASE_DIAGNOSTIC_H
#define NNC_BASE_DIAGNOSTIC_H

#include <stdio.h>
#include "base/source.h"
#include "base/text.h"

typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING } Severity;

typedef enum DiagnosticCode {
#define DIAGNOSTIC(code, slug, severity, title, explanation) NN_##slug,
#include "base/diagnostics.def"
#undef DIAGNOSTIC
    NN_CODE_COUNT
} DiagnosticCode;

typedef struct Diagnostic Diagnostic;
typedef struct DiagnosticSink DiagnosticSink;

DiagnosticSink *diagnostics_new(Arena *arena);
Diagnostic *diagnose(DiagnosticSink *sink, DiagnosticCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diagnostic_label(Diagnostic *d, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diagnostic_story(Diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void diagnostic_help(Diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text beside the ^^^ of the main place. */
void diagnostic_marker(Diagnostic *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Raised so far, those included that are not shown because another error has their place. */
int diagnostics_errors(const DiagnosticSink *sink);
int diagnostics_warnings(const DiagnosticSink *sink);
/* Further errors are counted but not shown: nobody needs to look for their help. */
bool diagnostics_full(const DiagnosticSink *sink);
void diagnostics_set_werror(DiagnosticSink *sink, bool werror);

typedef enum DiagnosticForm { FORM_TEXT, FORM_SHORT, FORM_JSON } DiagnosticForm;
void diagnostics_print(const DiagnosticSink *sink, FILE *out, DiagnosticForm form, bool color);

/* "NN0203" -> code; false if there is none. */
bool diagnostic_find(const char *code, DiagnosticCode *out);
const char *diagnostic_code_name(DiagnosticCode code);
const char *diagnostic_title(DiagnosticCode code);
const char *diagnostic_explanation(DiagnosticCode code);

#endif
