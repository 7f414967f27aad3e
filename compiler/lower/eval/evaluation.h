/* The language at compile time: expressions, calls, names, and the arguments of builtins.
 *
 * Included by internal.h, which declares the state.  Every function that can fail has reported the
 * mistake when it returns VALUE_ERROR, NULL or false. */
#ifndef NNC_LOWER_EVALUATION_H
#define NNC_LOWER_EVALUATION_H

#include "lower/eval/value.h"

/* ---- evaluation (eval_*.c) ---- */
Value eval_expr(Lowerer *lw, const Expr *e);
void eval_block(Lowerer *lw, const StmtList *body);
/* Calls any callable value; reports and returns VALUE_ERROR on misuse. */
Value eval_call(Lowerer *lw, const Value *callee, const CallArguments *args, Span span);
/* `of` is the expression whose value `object` is, or NULL. */
Value eval_attribute(Lowerer *lw, const Value *object, const Expr *of, Name name, Span span);
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
/* The text of an assert, its {x} printed; NULL: it has none. */
const char *eval_assert_text(Lowerer *lw, const Stmt *s);
bool host_compare(Lowerer *lw, Operator op, const Value *a, const Value *b, Span span, bool *out);
Value eval_subscript(Lowerer *lw, const Value *object, const Value *items, int count, bool tuple,
                     Span span);
Value eval_name(Lowerer *lw, Name name, Span span);
void eval_assign(Lowerer *lw, const Expr *target, Value value, Span span);
/* Runs a closure on bound arguments in a new frame. */
Value eval_call_closure(Lowerer *lw, const Closure *closure, const CallArguments *args, Span span);
/* Whether so many bytes more may be taken; false once they may not, after an error. */
bool lower_room(Lowerer *lw, Span span, size_t bytes);
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
/* A dim that was computed; an error where it is NULL (too large) or too long. */
Value eval_dim_result(Lowerer *lw, const Dim *d, Span span);
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

#endif
