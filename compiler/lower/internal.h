/* Inside of lowering: the state of abstract execution and the functions that its files share.
 *
 * eval/        statements, expressions, calls, compile-time arithmetic (the language)
 * module/      classes, instances, members, cells' declaration, names and paths
 * tensor/      tensors: operators with broadcasting and promotion, subscripts, `prim.*`
 * cells/       versions, gradients, backward, grad, updates, optimizers
 * signature.c  types of arguments and results: binding and checking dims
 * entry.c      exports and train blocks to Program entries
 * library.c    the prelude's index, namespaces, imports
 * scan.c, vjp.c structured computations
 * blame.c, story.c where an error is reported, and how its shape came about */
#ifndef NNC_LOWER_INTERNAL_H
#define NNC_LOWER_INTERNAL_H

#include "base/diagnostic.h"
#include "lower/lower.h"
#include "lower/eval/value.h"
#include "tensor/graph.h"

/* One call of a .nn function being executed. */
typedef struct Frame {
    struct Frame *caller;
    const Closure *closure;
    Namespace *home;
    Scope *scope;
    Span call_span; /* the call, in the caller */
    bool returned;
    Value result;
    bool breaking, continuing;
    ValueList *yields; /* inside a scan body */
    bool interpolates; /* texts in extra_repr and in what it calls */
    Scope *dims;       /* what the signature bound: dims, dtypes, spreads ("...S") */
    Span result_span;  /* of the returned expression */
    bool declares;     /* a module's body: param, buffer and state may stand here */
} Frame;

struct Lowerer {
    Arena *arena;
    DimTable *dims;
    DiagnosticSink *sink;
    const LowerOptions *options;
    Program *program;
    Frame *frame;
    Instance *instance; /* whose body or method is running; its path marks nodes */
    Namespace *main_file;
    VECTOR(Namespace *) files;
    Namespace *nn, *functional, *torch, *init, *optim, *lr_scheduler, *swa_utils, *special, *linalg,
        *autograd, *math, *prim;  /* torch also holds the bare names */
    SourceFile **library_sources; /* by row of prelude_files; NULL until first asked for */
    /* budgets: steps of compile-time execution, bytes (lower_room) */
    int64_t steps, step_limit;
    size_t bytes_before;   /* in the arena when lowering began */
    int nodes_before;      /* of the graphs that are complete */
    VECTOR(Result) dumped; /* outputs of modules that the running entry gives besides its own */
    bool lost;             /* an entry has no result: an error must be in the sink */
    int depth, depth_limit;
    const Stmt *asserted;   /* the assert that is running; NULL */
    bool stating;           /* its condition is being compared: what is undecided becomes a check */
    const char *check_text; /* what such a check says before its condition; NULL */
    int visits;             /* walks through the modules so far */
    bool halted; /* budget spent or too many errors: everything is VALUE_ERROR from here on */
    /* the entry or init graph in construction; NULL while only compile-time values exist */
    Graph *graph;
    Entry *entry;
    Root *root;
    Instance *root_instance;
    int entry_serial;
    bool members_known; /* the cells of the root are registered: its body had no mistake */
    bool training;      /* self.training's default in this entry */
    bool trains;        /* set by backward, and by grad of a parameter: the entry is ENTRY_TRAIN */
    uint32_t random_ordinal;
    VECTOR(CellState *) cells;
    VECTOR(Instance *)
    instances;         /* all that were made, for restoring train/eval flags after an entry */
    Scope *state_dims; /* of the root: dim names in `state` types; entries bind the same symbols */
    struct Region *region; /* innermost scan body or own derivative in construction (region.h) */
    struct OwnDerivative
        *deriving; /* vjp.c: functions whose vjp is being built; calls of them in it are plain */
    CellState *init_cell;  /* its initialiser is running: draws take their site from its path */
    struct CellWork *work; /* cells*.c's own */
};

/* ---- places ---- */
/* The span to blame: `span` itself, or the nearest call in the user's files when it lies in the
 * prelude. */
Span lower_blame(Lowerer *lw, Span span);
/* Where the user wrote the argument that is *name in the running library function, however many of
 * the library's functions passed it on by name; *name and *f become those of the outermost.  No
 * place: the value is not an argument of the user's. */
Span lower_argument_place(Lowerer *lw, Name *name, const Function **f);
Diagnostic *lower_error(Lowerer *lw, DiagnosticCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds the story of a tensor's shape to a diagnostic. */
void lower_tell_story(Lowerer *lw, Diagnostic *d, const char *what, const Value *tensor);
/* The stories of the tensors that a user's call gave to the library, when that is running. */
void lower_tell_arguments(Lowerer *lw, Diagnostic *d);

/* A graph whose complaints become diagnostics at the user's line. */
Graph *lower_graph_new(Lowerer *lw);
/* Whether the tensor is of the graph in construction (not of a scan body, an entry or a module's
 * body before). */
bool lower_check_reach(Lowerer *lw, const Node *node, Span span);

/* ---- tensors (tensor_*.c) ---- */
bool value_is_tensor(const Value *v); /* TENSOR or CELL */
/* A computation of a module's body that waits for `init` (parameter.c). */
bool value_is_delayed(const Value *v);
/* Current node of a TENSOR or CELL; NULL after reporting otherwise. */
Node *value_node(Lowerer *lw, const Value *v, Span span);
/* Numbers become rank-0 constants of the dtype that torch would give beside `like` (NULL: default
 * dtype). */
Node *tensor_of(Lowerer *lw, const Value *v, const Node *like, Span span);
Value tensor_binary(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span);
Value tensor_unary(Lowerer *lw, Operator op, const Value *a, Span span);
Value tensor_compare(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span);
Value tensor_subscript(Lowerer *lw, const Value *x, const Value *items, int count, Span span);
/* Attributes of tensors that are not library functions: shape, dtype, T, mT, ndim, grad, data,
 * is_leaf... false: not one of them (the caller then looks for the library function of
 * that name). */
bool tensor_attribute(Lowerer *lw, const Value *x, Name name, Span span, Value *out);
Node *tensor_broadcast_to(Lowerer *lw, Node *x, const Shape *shape, Span span);
bool tensor_broadcast_shapes(Lowerer *lw, const Shape *a, const Shape *b, Shape *out, Span span);
extern const Builtin prim_builtins[]; /* prim.*: ends in a NULL name */
/* Gives the graph the current place (span, path, no_grad) before nodes are made. */
void lower_mark(Lowerer *lw, Span span);
/* Two dims that must agree: true when algebra proves it or an entry check was added; false after an
 * error. */
bool dims_unify(Lowerer *lw, const Dim *a, const Dim *b, const char *what, Span span);
/* left <= right: proved, or checked at the entry; false where it is certainly wrong (nothing
 * reported).  `what` the check says when it fails, before the dims; or NULL. */
bool dims_require_order(Lowerer *lw, const Dim *left, const Dim *right, const char *what,
                        Span span);

Value value_with_story(Lowerer *lw, Node *node, const Value *from, const char *step, Span span);

/* ---- cells (cells.c) ---- */
/* Whether a parameter `name` of this dtype can be trained; says so if not. */
bool cell_may_train(Lowerer *lw, const char *name, DType dtype, Span span);
CellState *cell_declare(Lowerer *lw, Instance *owner, Name name, CellRole role, TensorType type,
                        Span span);
CellState *cell_resolve(CellState *c); /* follows tied_to */
Node *cell_read(Lowerer *lw, CellState *c, Span span);
void cell_write(Lowerer *lw, CellState *c, Node *value, Span span);
/* Methods and attributes of cells: grad, data, add_, sub_, copy_, zero_, requires_grad_, ... */
bool cell_attribute(Lowerer *lw, const Value *cell, Name name, Span span, Value *out);
extern const Builtin gradient_builtins[]; /* grad(y, x), and methods backward, detach */
/* Methods of instances that are not written in .nn: parameters(), named_parameters(), zero_grad(),
 * train(), eval(), requires_grad_(), step() of optimizers, ...; false: not one of them. */
bool instance_attribute(Lowerer *lw, Instance *instance, Name name, Span span, Value *out);
/* Creates the optimizer's instance: the parameter list is the implicit first argument. */
Value optimizer_new(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span);
/* A hyperparameter of a tensor dtype (`lr: f32`) of an optimizer or train block: a CELL_SCALAR and
 * its value. */
Value cell_hyperparameter(Lowerer *lw, Instance *owner, Name name, DType dtype, const Value *number,
                          Span span);
/* self.optimizer.lr = value; false: `name` is not a run-time hyperparameter. */
bool optimizer_assign(Lowerer *lw, Instance *self, Name name, const Value *value, Span span);
/* Writes a run-time hyperparameter in an entry, or its first value where there is none. */
void cell_assign_hyperparameter(Lowerer *lw, CellState *c, Name name, const Value *value,
                                Span span);
/* eval's STMT_DECLARE inside an optimizer's body: `state m = EXPR(p)` or `state t: i64 = 0`. */
void optimizer_declare(Lowerer *lw, Instance *optimizer, const Stmt *declaration);
/* After the root's instance is constructed and has its paths: names all cells ("net.conv1.weight",
 * "optimizer.m.net.conv1.weight") and appends them to root->cells in registration order.  Gradient
 * cells follow in cells_finish_root. */
void cells_register_root(Lowerer *lw, Root *root, Instance *instance);
void cells_begin_entry(Lowerer *lw);             /* forgets versions; increases entry_serial */
void cells_end_entry(Lowerer *lw, Entry *entry); /* appends the writes to entry->writes */
/* After all entries of a block: drops gradient cells that no entry reads before zeroing them, and
 * sets every graph's results to entry->results followed by entry->writes. */
void cells_finish_root(Lowerer *lw, Root *root);
/* Builds ENTRY_INIT (and ENTRY_RESET) from the cells' initialisers. */
void cells_build_init(Lowerer *lw, Root *root);

#include "lower/eval/evaluation.h"
#include "lower/module/modules.h"

#endif
