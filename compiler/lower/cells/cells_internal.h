/* What the files cells*.c and optimizer.c share. */
#ifndef NNC_LOWER_CELLS_INTERNAL_H
#define NNC_LOWER_CELLS_INTERNAL_H

#include "lower/internal.h"

/* train(), eval() and requires_grad_() inside an entry hold until its end. */
typedef struct FlagUndo {
    Instance *instance;
    CellState *cell;
    bool override, value;
} FlagUndo;
/* Draws so far of one module path in an entry: the next ordinal. */
typedef struct PathDraws {
    int entry; /* whose serial number this is; those of others do not count */
    uint32_t count;
} PathDraws;
typedef struct OptimizerUse {
    Instance *optimizer;
    Span span;
} OptimizerUse;

typedef struct CellWork {
    VECTOR(FlagUndo) undo;
    VECTOR(PathDraws) draws; /* by the index of the path's name */
    VECTOR(OptimizerUse) steps;
    VECTOR(bool) consumed; /* by node id: a backward() has freed what it saved */
} CellWork;
CellWork *cell_work(Lowerer *lw);

CellState *cell_state_of(const Cell *cell);

/* Forgets versions that belong to another entry. */
void cell_refresh(Lowerer *lw, CellState *c);
/* The gradient cell of a parameter, made on first use. */
CellState *cell_gradient(Lowerer *lw, CellState *parameter);
/* Whether `c`'s gradient is None for certain (no backward reached it since zero_grad). */
bool cell_gradient_is_none(Lowerer *lw, CellState *parameter);
void cell_gradient_add(Lowerer *lw, CellState *parameter, Node *g, Span span);
void cell_gradient_zero(Lowerer *lw, CellState *parameter);
/* x behind a cut: derivatives stop. */
Node *node_detached(Lowerer *lw, Node *x);
/* A value as a node of exactly the cell's type; NULL after an error. */
Node *cell_convert(Lowerer *lw, CellState *c, const Value *value, const char *what, Span span);
/* Site of the next draw, from the running module's path (or the parameter's, in an initialiser). */
uint32_t random_site(Lowerer *lw, const char **where);
/* Before the initial value of a cell: a copy's draws are counted like its original's. */
void random_begin_cell(Lowerer *lw, CellState *c);
/* A method of `self` as a value that can be called. */
Value method_value(Lowerer *lw, const Builtin *method, const Value *self);

typedef struct CellList {
    VECTOR(CellState *) cells;
    VECTOR(const char *) names;
} CellList;
/* Cells of one role below an instance in torch's order, shared ones once. */
CellList instance_cells(Lowerer *lw, Instance *instance, CellRole role);
void optimizer_step(Lowerer *lw, Instance *optimizer, Span span);
/* The parameters of all groups. */
ValueList *optimizer_parameters(Lowerer *lw, Instance *optimizer);
/* A dict for each group: "params", and every hyperparameter. */
Value optimizer_group_list(Lowerer *lw, Instance *optimizer);

Value prim_children(Lowerer *lw, const CallArguments *args, Span span);
Value prim_add_module(Lowerer *lw, const CallArguments *args, Span span);
Value prim_param(Lowerer *lw, const CallArguments *args, Span span);
/* grad(y, x, dy=None), also prim.grad: a library function of that name calls it. */
Value builtin_grad(Lowerer *lw, const CallArguments *args, Span span);
Value prim_grad(Lowerer *lw, const CallArguments *args, Span span);
Value prim_member(Lowerer *lw, const CallArguments *args, Span span);
Value prim_copy(Lowerer *lw, const CallArguments *args, Span span);
Value prim_accepts(Lowerer *lw, const CallArguments *args, Span span);
Value prim_runtime(Lowerer *lw, const CallArguments *args, Span span);

#endif
