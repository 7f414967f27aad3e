/* From a source file to a program, and from a root of it to code: what run, train and exe share.
 *
 * Input: FILE[:NAME] as the user wrote it.  Output: the lowered program, the chosen root and entry,
 * text.  Diagnostics of the model go to stderr here; every function returns an exit status (0, 1,
 * 3, 70). */
#ifndef NNC_DRIVER_PIPELINE_H
#define NNC_DRIVER_PIPELINE_H

#include "base/diagnostic.h"
#include "driver/passes.h"
#include "tensor/program.h"

typedef struct LineRange {
    int first, last;
} LineRange;

typedef struct CommandLine CommandLine;

typedef struct PipelineOptions {
    const CommandLine *line;          /* what else the user named (places.h), or NULL */
    const char *const *include_paths; /* NULL-terminated, or NULL */
    DType default_dtype;              /* DTYPE_F32 unless --default-dtype says otherwise */
    DiagnosticForm form;
    bool color, werror;
    PassControl *passes; /* NULL: nothing is asked of single passes */
    /* check --shapes: after each statement that binds a tensor; may be NULL */
    void (*on_statement)(void *user, Span statement, Name name, const TensorType *type);
    void *user;
    bool views;               /* the instance tree is asked for, and its extra_repr checked */
    const char *const *dumps; /* patterns of modules whose outputs are results, too; NULL: none */
    bool modules;             /* the target's name may be a module's (summary) */
    const LineRange *no_fuse; /* lines of the file whose operators share no kernel with others */
    int no_fuse_count;
    bool reads_ir;       /* a file named *.ir is a program in textual IR */
    Precision precision; /* of products on a GPU */
    Gemm gemm;           /* whose they are */
} PipelineOptions;

typedef struct SourceUnit SourceUnit;

typedef struct Pipeline {
    Arena *arena;
    PipelineOptions options;
    Program *program;
    const SourceUnit *unit;
    const char *file; /* the part of the target before the colon */
    const char *name; /* the part after it, or NULL */
} Pipeline;

/* Splits the target, parses, resolves and lowers the file. */
int pipeline_open(Pipeline *pipeline, Arena *arena, const char *target,
                  const PipelineOptions *options);

/* The passes on graphs, or `only_pass` alone; with --verify-each the program is checked behind
 * each. `passes` may be NULL.  An exit code. */
int pipeline_simplify(Pipeline *pipeline, PassControl *passes, const char *only_pass);

/* The syntax tree as text. */
void pipeline_print_tree(const Pipeline *pipeline, Text *out);

typedef enum PipelineWish { WISH_RUN, WISH_TRAIN, WISH_EXPORT } PipelineWish;
/* The root and entry that the target's name means: an export, Block, Block.def, or a def that is
 * unique. Without a name: the only or first export (RUN, EXPORT), the only block and its `step`
 * (TRAIN).  Returns 0, or 2 after a message on stderr. */
int pipeline_choose(const Pipeline *pipeline, PipelineWish wish, Root **root, Entry **entry);

/* Text of one root: model.c, which includes model.h, or model.cu and model_cuda.h; owned by the
 * pipeline's arena. */
typedef struct EmittedCode {
    Text source, header;
} EmittedCode;
/* `backend`: "c" or "cuda"; `instrument`: its kernels can be timed (nnc_profile).  Returns 1 where
 * the backend has no form for something, after diagnostics. */
int pipeline_emit(const Pipeline *pipeline, Root *root, const char *backend, bool instrument,
                  EmittedCode *out);

/* The entry of a name, whatever its kind; NULL if there is none. */
Entry *pipeline_find_entry(const Root *root, const char *name);

#endif
