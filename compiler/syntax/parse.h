/* Source text to syntax tree.  The only door to the generated scanner and parser. */
#ifndef NNC_SYNTAX_PARSE_H
#define NNC_SYNTAX_PARSE_H

#include "base/diagnostic.h"
#include "syntax/ast.h"

/* Never NULL; errors are in the sink, and the tree holds what could be read (for
 * further checks). */
SourceUnit *syntax_parse(Arena *arena, const SourceFile *file, DiagnosticSink *sink);

/* The definitions in [begin, end) of a file that is known to be well encoded and right; only the
 * unit's `top` is filled. */
SourceUnit *syntax_parse_part(Arena *arena, const SourceFile *file, uint32_t begin, uint32_t end,
                              DiagnosticSink *sink);

/* Does the name stand in text that was not understood?  It may have been defined there. */
bool syntax_is_lost(const SourceUnit *unit, Name name);

/* Canonical layout of the unit: comments kept, idempotent.  Only for units without
 * syntax errors. */
void syntax_format(Text *out, const SourceUnit *unit);
/* One line per node, for --emit=ast. */
void syntax_dump(Text *out, const SourceUnit *unit);
/* An expression as source, for messages. */
void syntax_print_expr(Text *out, const Expr *expr);

#endif
