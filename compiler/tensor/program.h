/* A program: what lowering hands to every later stage.  Entries map (cells, arguments) to (cells,
 * results).
 *
 * A Root is one context type of the emitted code: an exported instance or a train block.  Its cells
 * are listed in registration order; parameters of a subtree are contiguous. */
#ifndef NNC_TENSOR_PROGRAM_H
#define NNC_TENSOR_PROGRAM_H

#include "tensor/graph.h"

typedef enum CellRole {
    CELL_PARAMETER, /* trained and saved: weights region */
    CELL_BUFFER,    /* saved, not trained (running_mean): state region */
    CELL_STATE,     /* kept between calls, has a reset (h of a streaming net): state region */
    CELL_GRADIENT,  /* live gradients only: state region */
    CELL_OPTIMIZER, /* per parameter or per optimizer: state region */
    CELL_SCALAR,    /* run-time hyperparameter (lr), rank 0: state region */
} CellRole;

struct Cell {
    Name name; /* key: "net.conv1.weight", "optimizer.m.net.conv1.weight" */
    CellRole role;
    TensorType type;         /* constant dims, except CELL_STATE, whose symbols are fixed by init */
    int index;               /* in Root.cells */
    const Cell *gradient_of; /* CELL_GRADIENT */
    Span span;               /* its declaration */
    int alias_count;         /* further state_dict names of a tied tensor */
    const Name *aliases;
    bool unsaved;       /* CELL_BUFFER: not among the weights (persistent=False) */
    bool default_value; /* CELL_SCALAR: default_number is the value that init writes */
    double default_number;
};

/* Whether a file of weights has it. */
static inline bool cell_is_saved(const Cell *c) {
    return (c->role == CELL_PARAMETER || c->role == CELL_BUFFER) && !c->unsaved;
}

typedef struct Argument {
    Name name;
    Node *node;
    Span span;
    Shape shape; /* as declared: where a check fixes a dim, the node has its number */
} Argument;
typedef struct Result {
    Name name;
    Node *node;
    const char *path; /* of the module that it is an output of, where it was asked for; else NULL */
} Result;
typedef struct CellWrite {
    const Cell *cell;
    Node *node;
} CellWrite;

/* A condition tested at the entry before any cell is written. */
typedef enum CheckKind {
    CHECK_DIM, /* left == right (relation '=') or left <= right ('<') or left % right == 0 ('%') */
    CHECK_RANGE, /* every element of `node` (an integer tensor) is in [low, high) or equals ignore
                  */
} CheckKind;
typedef struct Check {
    CheckKind kind;
    char relation;
    const Dim *left, *right;
    Node *node; /* CHECK_RANGE: pure function of arguments */
    const Dim *low, *high;
    bool has_ignore;
    int64_t ignore;
    const char *message; /* "T <= 1024", "label: class ids must be in [0, 10)" */
    Name argument;       /* the argument that the message names, or NULL */
    Span span;
} Check;

typedef enum EntryKind { ENTRY_INFER, ENTRY_TRAIN, ENTRY_INIT, ENTRY_RESET } EntryKind;

typedef struct Entry {
    EntryKind kind;
    Name name;          /* "fashion_mnist", "step", "init" */
    const char *symbol; /* C name without clashes: "fashion_mnist", "FashionMnist_step" */
    Graph *graph;       /* inputs = arguments; results = results then writes, in these orders */
    VECTOR(const Dim *) dims; /* symbols in order of first appearance: the C dim arguments */
    VECTOR(Argument) arguments;
    VECTOR(Result) results;
    VECTOR(const char *)
    modules; /* the paths that were called, where outputs of some are asked for */
    VECTOR(CellWrite) writes;
    VECTOR(Check) checks;
    bool uses_random; /* advances the context's step counter */
    const char *doc;  /* from ## comments, or NULL */
    Span span;
} Entry;

typedef struct Root {
    Name name; /* "fashion_mnist" / "FashionMnist": the prefix of its C symbols */
    bool is_train;
    VECTOR(Cell *) cells; /* registration order */
    VECTOR(Entry *)
    entries; /* in source order, ENTRY_INIT (and ENTRY_RESET if there is state) last */
    const char *doc;
    Span span;
    void *instance; /* lowering's instance tree, for summary; opaque here */
} Root;

typedef struct Program {
    Arena *arena;
    DimTable *dims;
    VECTOR(Root *) roots;
    const char *source_path;
    VECTOR(const char *) imports; /* paths of the other files that it was made from */
} Program;

#endif
