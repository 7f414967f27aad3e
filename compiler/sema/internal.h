/* Inside of sema: scopes and the walk's state. */
#ifndef NNC_SEMA_INTERNAL_H
#define NNC_SEMA_INTERNAL_H

#include "sema/sema.h"

/* What a name is bound to where that matters. */
typedef struct Known {
    Name name;
    Span span;
    const Stmt *definition; /* module, optimizer, function: the only binding of the name */
    bool local; /* assigned in a function by `name = ...`: worth a warning when unused */
    bool imported;
    bool used;
} Known;

typedef struct NameScope {
    struct NameScope *parent;
    VECTOR(Known) names;
    Known **slots; /* open addressing; NULL while small */
    int slot_count;
} NameScope;

typedef enum Place { PLACE_FILE, PLACE_MODULE, PLACE_OPTIMIZER, PLACE_TRAIN, PLACE_FUNCTION } Place;

typedef struct LibraryName {
    Name space, name;
} LibraryName;

typedef struct Sema {
    Arena *arena;
    const SourceUnit *unit;
    const SemaOptions *options;
    DiagnosticSink *sink;
    NameScope *scope;
    Place place;
    int loops, scans;   /* of the present function */
    const Stmt *owner;  /* module, optimizer or train around */
    NameScope *members; /* of the owner: everything assigned to self, declared or defined */
    bool open_dims;     /* in `state` types: unknown names are dims of the entry */
    bool in_type;       /* in the type of a member */
    bool damaged;       /* syntax errors: what is lost may have used a name */
    VECTOR(LibraryName) library;
} Sema;

/* names.c */
NameScope *scope_push(Sema *s);
void scope_pop(Sema *s);
Known *scope_add(Sema *s, NameScope *scope, Name name, Span span);
Known *scope_lookup(NameScope *scope, Name name); /* this level only */
Known *scope_resolve(Sema *s, Name name);
void names_load_library(Sema *s);
bool library_has(const Sema *s, const char *space, Name name); /* bare: space "" */
bool library_has_space(const Sema *s, const char *space);
void names_report_unknown(Sema *s, Name name, Span span);
void names_report_attribute(Sema *s, const char *space, Name name, Span span);
void names_warn_unused(Sema *s, const NameScope *scope);
/* Adds every name that the statements bind in this scope (not in nested functions). */
void names_collect(Sema *s, NameScope *scope, const StmtList *list);
void names_collect_target(Sema *s, NameScope *scope, const Expr *target, bool local);
/* Adds every member that the statements, at any depth, give to self. */
void names_collect_members(Sema *s, NameScope *members, const StmtList *list);
/* Names in {braces} of a text count as used. */
void names_use_interpolated(Sema *s, const char *text);
const char *names_closest(const char *wanted, const char *candidate, const char *best);

/* calls.c */
void calls_check(Sema *s, const Expr *call);
void calls_check_python(Sema *s, const Expr *call);
bool calls_on_device(Sema *s, const Expr *call, const CallArg *arg);

#endif
