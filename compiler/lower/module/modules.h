/* Module instances, signatures, entries and structured computations; included by internal.h. */
#ifndef NNC_LOWER_MODULES_H
#define NNC_LOWER_MODULES_H

#include "lower/eval/value.h"

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
 * of the `init` namespace whose first parameter has no type and whose name does not end in `_`,
 * called from elsewhere, gives a partial closure: the cell comes later, by
 * eval_call_values(initialiser, {cell}, 1). */
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
/* An expression as a function without arguments: it may need tensors, which exist only in `init`.
 */
Value eval_delayed(Lowerer *lw, Instance *self, const Expr *value);
/* nn.Parameter and what registers cells (parameter.c).  Whether an argument comes as such a
 * function: of these, and of the classes of modules whose header says Tensor; that function. */
Value builtin_parameter(Lowerer *lw, const CallArguments *args, Span span);
Value instance_register_buffer(Lowerer *lw, const CallArguments *args, Span span);
Value instance_register_parameter(Lowerer *lw, const CallArguments *args, Span span);
bool parameter_delays(Lowerer *lw, const Value *callee, const CallArg *arg, int position);
Value parameter_delay(Lowerer *lw, const Expr *data);
/* A cell without owner is named and registered by the member that it is first bound to. */
void parameter_place(CellState *c, Instance *self, Name name);
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
/* The output of a module, as a result of the running entry, where its path is asked for; a call
 * inside of a scan or of a function with its own derivative has none. */
void entry_dump_output(Lowerer *lw, const Instance *module, const Value *value, Span span);
/* Symbols of the entry in order of first appearance: arguments, results, then cells' types. */
void entry_collect_dims(Lowerer *lw, Entry *entry);

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
/* Whether every argument has a tensor or scalar type; `defaults`: or is no tensor and has a
 * default. */
bool signature_is_typed(const Function *function, int skip, bool defaults);

#endif
