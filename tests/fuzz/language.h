/* The part of the language target that knows the syntax tree: kernels and syntax both name
 * an Expr. */
#ifndef NNC_TESTS_FUZZ_LANGUAGE_H
#define NNC_TESTS_FUZZ_LANGUAGE_H

#include "base/diagnostic.h"

typedef struct SourceUnit SourceUnit;

/* Parses and checks; NULL after syntax errors.  A tree without errors must format to a text that
 * formats to itself. */
SourceUnit *language_check(Arena *arena, const SourceFile *file, DiagnosticSink *sink);

#endif
