/* Names, arity and places of statements, before anything is evaluated, in all code, used or not.
 *
 * Input: a syntax tree (it may hold STMT_ERRORs; names lost in them count as known).  Output:
 * diagnostics only. Invariant: a valid program gets no error.  What depends on a value's kind
 * (methods, members, shapes) is left to lowering; errors that both find have the same code, place
 * and text, so that they are printed once. */
#ifndef NNC_SEMA_SEMA_H
#define NNC_SEMA_SEMA_H

#include "base/diagnostic.h"
#include "syntax/ast.h"

/* Calls `each` for every library name: namespace "" holds bare names, else "nn", "F", "init",
 * "optim", ... */
typedef void (*SemaVisitLibrary)(void (*each)(void *user, const char *namespace_, const char *name),
                                 void *user);

typedef struct SemaOptions {
    SemaVisitLibrary visit_library;
    const char *const *words; /* further bare names (dtypes), NULL-terminated; may be NULL */
} SemaOptions;

void sema_check(Arena *arena, const SourceUnit *unit, const SemaOptions *options,
                DiagnosticSink *sink);

#endif
