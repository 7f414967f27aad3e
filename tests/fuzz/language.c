/* Parsing, checking and formatting of the language target (language.h). */
#include "language.h"

#include <string.h>
#include "fuzz.h"
#include "lower/lower.h"
#include "sema/sema.h"
#include "syntax/parse.h"

static Text format_text(Arena *arena, const char *text, size_t length) {
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceUnit *unit = syntax_parse(arena, source_new(arena, "formatted.nn", text, length), sink);
    if (diagnostics_errors(sink)) fuzz_broken("the formatter's text is refused:\n%s", text);
    Text out = text_new(arena);
    syntax_format(&out, unit);
    return out;
}

static void check_format(Arena *arena, const SourceUnit *unit) {
    Text once = text_new(arena);
    syntax_format(&once, unit);
    Text twice = format_text(arena, once.data, once.length);
    if (once.length != twice.length || memcmp(once.data, twice.data, once.length))
        fuzz_broken("formatting twice differs:\n%s\n----\n%s", once.data, twice.data);
}

SourceUnit *language_check(Arena *arena, const SourceFile *file, DiagnosticSink *sink) {
    static const char *const words[] = {"u32", NULL};
    SemaOptions options = {.visit_library = lower_visit_library, .words = words};
    SourceUnit *unit = syntax_parse(arena, file, sink);
    bool readable = diagnostics_errors(sink) == 0;
    Text dump = text_new(arena);
    syntax_dump(&dump, unit);
    if (readable) check_format(arena, unit);
    sema_check(arena, unit, &options, sink);
    return readable ? unit : NULL;
}
