/* Lowering: runs the program over compile-time values and tensors, and returns its entries as
 * graphs.
 *
 * Input: a syntax tree without errors, resolved by sema.  Output: a Program, or NULL with errors in
 * the sink.  Imported files and the library are read through `read_import` and the embedded
 * prelude. */
#ifndef NNC_LOWER_LOWER_H
#define NNC_LOWER_LOWER_H

#include "base/diagnostic.h"
#include "tensor/program.h"

/* syntax/ast.h; not included, so that later stages may name their own statements
 * and expressions. */
typedef struct SourceUnit SourceUnit;

typedef struct LowerOptions {
    DType default_dtype;              /* DTYPE_F32; F64 makes every f32 an f64, and .float() too */
    const char *const *include_paths; /* NULL-terminated, for imports; may be NULL */
    int64_t step_limit;               /* 0: default budget of compile-time steps */
    const char *only; /* NULL, or the one export / block / module to lower ("FILE:Module") */
    const char *const *dumps; /* NULL-terminated patterns: outputs of these modules are results */
    bool no_views;            /* nobody asks for the instance tree */
    bool instantiate_only;    /* with `only` a module class: no entry needed (summary, graph) */
    /* check --shapes: called after each executed statement of a user's file that binds tensors; may
     * be NULL */
    void (*on_statement)(void *user, Span statement, Name name, const TensorType *type);
    void *user;
} LowerOptions;

Program *lower_program(Arena *arena, const SourceUnit *unit, const LowerOptions *options,
                       DiagnosticSink *sink);

/* The folders of the library, and what a program calls them; ends in NULL. */
typedef struct LibrarySpace {
    const char *name, *folder;
    const char *inside; /* the namespace that has it by its folder's name: torch.linalg; or NULL */
} LibrarySpace;
extern const LibrarySpace library_spaces[];

/* Names known without import, for sema's did-you-mean: calls `visit` for each; namespace "" is
 * bare. */
void lower_visit_library(void (*visit)(void *user, const char *namespace_, const char *name),
                         void *user);

/* ---- the instance tree of a root, for summary and graph ---- */
typedef struct InstanceView {
    const char *class_name;  /* "Conv2d" */
    const char *member_name; /* "conv1", "0"; NULL at the root */
    const char *path;        /* "net.conv1" */
    const char *extra_repr;  /* text between the parentheses, "" if none */
    bool is_container_list;  /* ModuleList, whose equal neighbours print as (0-11): 12 x */
    bool called;             /* the types below are of its first call */
    TensorType input, output;
    int child_count;
    const struct InstanceView *const *children;
    int cell_count; /* own cells only */
    const Cell *const *cells;
    Span span;
} InstanceView;
/* `instance` is Root.instance. */
const InstanceView *lower_instance_view(Arena *arena, void *instance);

#endif
