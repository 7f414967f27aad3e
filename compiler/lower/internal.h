/* Inside of lowering: the state of abstract execution and the functions that its files share.
 *
 * eval_*.c     statements, expressions, calls, compile-time arithmetic (the language)
 * module*.c    classes, instances, members, cells' declaration, names and paths
 * signature.c  types of arguments and results: binding and checking dims
 * entry.c      exports and train blocks to Program entries
 * library.c    the prelude's index, namespaces, imports
 * tensor_*.c   tensors: operators with broadcasting and promotion, subscripts, `prim.*`
 * cells.c      versions, gradients, backward, grad, updates, optimizers
 * scan.c, vjp.c structured computations */
#ifndef NNC_LOWER_INTERNAL_H
#define NNC_LOWER_INTERNAL_H

#include "base/diagnostic.h"
#include "lower/lower.h"
#include "lower/value.h"
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
    Namespace *nn, *functional, *torch, *init, *optim, *math,
        *prim; /* torch also holds the bare names */
    /* budgets: steps of compile-time execution, elements of lists */
    int64_t steps, step_limit;
    int depth, depth_limit;
    bool halted; /* budget spent or too many errors: everything is VALUE_ERROR from here on */
    /* the entry or init graph in construction; NULL while only compile-time values exist */
    Graph *graph;
    Entry *entry;
    Root *root;
    Instance *root_instance;
    int entry_serial;
    bool training; /* self.training's default in this entry */
    bool trains;   /* set by backward, and by grad of a parameter: the entry is ENTRY_TRAIN */
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
Diagnostic *lower_error(Lowerer *lw, DiagnosticCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Adds the story of a tensor's shape to a diagnostic. */
void lower_tell_story(Lowerer *lw, Diagnostic *d, const char *what, const Value *tensor);

/* A graph whose complaints become diagnostics at the user's line. */
Graph *lower_graph_new(Lowerer *lw);
/* Whether the tensor is of the graph in construction (not of a scan body, an entry or a module's
 * body before). */
bool lower_check_reach(Lowerer *lw, const Node *node, Span span);

/* ---- evaluation (eval_*.c) ---- */
Value eval_expr(Lowerer *lw, const Expr *e);
void eval_block(Lowerer *lw, const StmtList *body);
/* Calls any callable value; reports and returns VALUE_ERROR on misuse. */
Value eval_call(Lowerer *lw, const Value *callee, const CallArguments *args, Span span);
Value eval_attribute(Lowerer *lw, const Value *object, Name name, Span span);
/* Binary and unary operators on any values; tensors go to tensor_binary. */
Value eval_binary(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span);
Value eval_unary(Lowerer *lw, Operator op, const Value *a, Span span);
bool eval_truth(Lowerer *lw, const Value *v, Span span,
                bool *out); /* tensors: error naming where() */
/* Looks a library function up (torch namespace first, then F) and calls it. */
Value eval_library(Lowerer *lw, const char *name, const Value *args, int count, Span span);
/* Calls with positional values. */
Value eval_call_values(Lowerer *lw, const Value *callee, const Value *values, int count, Span span);
/* Methods of list, str, tuple, dict: append, join, items, ... */
bool host_attribute(Lowerer *lw, const Value *object, Name name, Span span, Value *out);
bool host_compare(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span, bool *out);
Value eval_subscript(Lowerer *lw, const Value *object, const Value *items, int count, bool tuple,
                     Span span);
Value eval_name(Lowerer *lw, Name name, Span span);
void eval_assign(Lowerer *lw, const Expr *target, Value value, Span span);
/* Runs a closure on bound arguments in a new frame. */
Value eval_call_closure(Lowerer *lw, const Closure *closure, const CallArguments *args, Span span);
bool lower_step(Lowerer *lw, Span span); /* spends one step of the budget; false once it is spent */
/* "did you mean": the closest candidate within distance 2, collected one by one. */
typedef struct Suggestion {
    const char *wanted, *best;
    int distance;
} Suggestion;
void suggestion_add(Suggestion *s, const char *candidate);
void suggestion_tell(const Suggestion *s, Diagnostic *d);
/* Sets object.name = value as an assignment statement does. */
void eval_set_attribute(Lowerer *lw, const Value *object, Name name, Value value, Span span);
/* Iterates over tuple, list, dict keys, range, str, an instance's children, a tensor's first axis
 * (constant). */
bool eval_iterate(Lowerer *lw, const Value *v, Span span, ValueList **out);
/* {expression} and {expression!r} replaced by their text; {{ and }} are braces. */
const char *eval_interpolate(Lowerer *lw, const char *text, Span span);
/* param | buffer | state in a module's body, in the current frame. */
void module_declare(Lowerer *lw, Instance *self, const Stmt *s);
/* Binds arguments to a header's parameters in `scope` (defaults are evaluated there); `what` names
 * the callee. */
bool eval_bind_arguments(Lowerer *lw, const Param *params, int count, const CallArguments *args,
                         const char *what, Span span, Span declared, Scope *scope);
Scope *scope_new(Lowerer *lw, Scope *parent);
Binding *scope_find_binding(Scope *scope, Name name); /* this level and all above */
Value *scope_find(Scope *scope, Name name);
Value *scope_bind(Lowerer *lw, Scope *scope, Name name, Value value, Span span);

/* ---- argument readers for builtins: report NN06xx and return false ---- */
bool args_get(Lowerer *lw, const CallArguments *args, const char *signature, Span span, Value *out);
/* signature: "x, dim=None, keepdim=False": names with defaults (None, True, False, numbers) */
bool value_as_int(Lowerer *lw, const Value *v, const char *what, Span span, int64_t *out);
bool value_as_dim(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out);
bool value_as_float(Lowerer *lw, const Value *v, const char *what, Span span, double *out);
/* An int or a tuple/list of ints; axes are normalised against rank (negative from the end). */
bool value_as_ints(Lowerer *lw, const Value *v, const char *what, Span span, int64_t *out, int max,
                   int *count);
bool value_as_axis(Lowerer *lw, const Value *v, int rank, Span span, int *axis);
bool value_as_dims(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out,
                   int max, int *count);

/* ---- tensors (tensor_*.c) ---- */
bool value_is_tensor(const Value *v); /* TENSOR or CELL */
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
 * is_leaf... false: not one of them (the caller then looks for the library function of that name).
 */
bool tensor_attribute(Lowerer *lw, const Value *x, Name name, Span span, Value *out);
Node *tensor_broadcast_to(Lowerer *lw, Node *x, const Shape *shape, Span span);
bool tensor_broadcast_shapes(Lowerer *lw, const Shape *a, const Shape *b, Shape *out, Span span);
extern const Builtin prim_builtins[]; /* prim.*: ends in a NULL name */
/* Gives the graph the current place (span, path, no_grad) before nodes are made. */
void lower_mark(Lowerer *lw, Span span);
/* Two dims that must agree: true when algebra proves it or an entry check was added; false after an
 * error. */
bool dims_unify(Lowerer *lw, const Dim *a, const Dim *b, const char *what, Span span);

Value value_with_story(Lowerer *lw, Node *node, const Value *from, const char *step, Span span);

/* ---- cells (cells.c) ---- */
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

/* ---- structured ---- */
void eval_scan(Lowerer *lw, const Stmt *scan);
/* Whether a call of f is kept whole, with its vjp. */
bool vjp_applies(Lowerer *lw, const Closure *closure, const Scope *bound);
Value eval_vjp_call(Lowerer *lw, const Closure *closure, Scope *bound, Span span);

/* ---- modules (module*.c) ----
 * An instance's body_scope holds hyperparameters, body locals, and its `def`s as bound closures
 * (hoisted). `self["0"] = m` in a body registers a member by text (Sequential, ModuleList);
 * iterating, len and an int subscript of an instance go over its child instances.  A member
 * `_is_list = True` marks a list whose equal neighbours print compressed.  Cells are declared with
 * local names ("weight"); binding an instance under a rooted `self` gives it its path. A function
 * of the `init` namespace whose name does not end in `_`, called from elsewhere, gives a partial
 * closure: its first parameter is the cell's value, given later by eval_call_values(initialiser,
 * {cell}, 1). */
/* New instance with its hyperparameters bound (those of type f32.. of optimizers and train blocks
 * as CELL_SCALAR cells) and its methods hoisted; the body has not run.  NULL after an error. */
Instance *instance_begin(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span);
/* Runs statements with `self` bound to the instance, in its body_scope. */
void instance_run_body(Lowerer *lw, Instance *self, const StmtList *body, Span span);
/* The bound `def` of that name, or NULL. */
const Value *instance_method(const Instance *self, const char *name);
/* A new instance without path: binds hyperparameters, runs the body; NULL after an error. */
Instance *module_instantiate(Lowerer *lw, ModuleClass *class_, const CallArguments *args,
                             Span span);
Value module_new(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span);
/* self.name = value: registers children (path), parameters, plain values. */
void module_set_member(Lowerer *lw, Instance *self, Name name, Value value, Span span);
Value module_call(Lowerer *lw, Instance *self, const CallArguments *args, Span span); /* forward */
Value *module_find_member(Instance *self, Name name);
/* Visits an instance's parameters and buffers in torch's order. */
typedef void (*CellVisitor)(void *user, CellState *cell, const char *name);
void module_visit_cells(Instance *self, CellVisitor visit, void *user);
bool instance_training(Lowerer *lw, Instance *instance);

/* Gives a subtree its paths; does nothing where that has happened. */
void module_set_path(Lowerer *lw, Instance *self, const char *path, Instance *parent);
/* Builds the views of a tree for lower_instance_view; runs extra_repr. */
void module_build_view(Lowerer *lw, Instance *root);
/* Whether a value fits a host type (int, float, bool, str, list[..], tuples, unions, classes). */
bool signature_host_value(Lowerer *lw, const TypeExpr *type, Scope *scope, const Value *v);
void signature_print_type(Text *out, const TypeExpr *type);
/* Members, hyperparameters, `def`s, `training`, `forward`; false: none of them. */
bool module_attribute(Lowerer *lw, Instance *instance, Name name, Span span, Value *out);

/* ---- entries (entry.c) ---- */
/* One CHECK_DIM of the entry (merged with equal ones): '=' '<' '%' as in Check. */
void entry_add_dim_check(Lowerer *lw, char relation, const Dim *left, const Dim *right,
                         const char *message, Span span);
/* Symbols of the entry in order of first appearance: arguments, results, then cells' types. */
void entry_collect_dims(Lowerer *lw, Entry *entry);

/* ---- library (library.c) ---- */
Namespace *
library_namespace(Lowerer *lw,
                  const char *name); /* nn F torch init optim math prim, parsed on demand */
Value *namespace_find(Lowerer *lw, Namespace *home,
                      Name name); /* one file's or namespace's own definitions */
void library_begin(Lowerer *lw,
                   const SourceUnit *unit); /* main_file and the eager definitions of a file */
/* A name as an expression sees it from `home`: file, library, builtins, namespaces, dtypes. */
bool library_lookup(Lowerer *lw, Namespace *home, Name name, Value *out);
bool namespace_attribute(Lowerer *lw, Namespace *space, Name name, Span span, Value *out);
/* A file's definition as a value: class or function with its vjp. */
Value definition_value(Lowerer *lw, const StmtList *list, const Stmt *stmt, Namespace *home,
                       Scope *captured, Instance *self);
extern const Builtin math_builtins[]; /* math.sqrt, ...: ends in a NULL name */
extern const Builtin host_builtins[]; /* range, len, ...: ends in a NULL name (eval_builtin.c) */

/* ---- signatures (signature.c) ---- */
/* Checks arguments against a function's annotations, binding dims and dtypes in `scope`. */
bool signature_bind(Lowerer *lw, const Function *function, Scope *scope, const Value *values,
                    Span call_span);
bool signature_check_results(Lowerer *lw, const Function *function, Scope *scope, Value *result,
                             Span span);
bool signature_type(Lowerer *lw, const TypeExpr *type, Scope *scope,
                    TensorType *out); /* all dims known */
/* Binds the dim names of a `state` type that are not known in `scope` to symbols of the root. */
void signature_state_dims(Lowerer *lw, const TypeExpr *type, Scope *scope);
/* Makes the inputs of an entry from a function's annotations: fresh symbols, `where` as facts and
 * checks. `skip` parameters (self) come first.  false after an error. */
bool signature_entry(Lowerer *lw, const Function *function, int skip, Entry *entry, Value *values);
/* Whether every argument (and result) of an entry has a tensor or scalar type. */
bool signature_is_typed(const Function *function, int skip);

#endif
