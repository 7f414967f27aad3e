/* Inside the kernel layer: the builder of one kernel, the state of one graph on its way to steps,
 * and the schedules' common functions.  Order of use: normalize -> fuse (groups) -> schedules ->
 * steps. */
#ifndef NNC_KERNEL_INTERNAL_H
#define NNC_KERNEL_INTERNAL_H

#include "kernel/kernel.h"

/* Sizes are target-independent: the leaf splits a tile into what the target's registers hold. */
enum {
    VECTOR_HINT = 16,     /* lanes that padding of panels aims at */
    PANEL_MAX = 64,       /* columns of a product's tile, at most */
    ROWS_MAX = 24,        /* rows of a product's tile, at most */
    TILE_ELEMENTS = 4096, /* elements of pointwise work that a tile should have */
    SYMBOL_HINT = 64,     /* value of an unknown dim in cost estimates */
    WINDOW_MAX = 64, /* reductions of at most this many elements are computed where they are read */
    MAX_SCOPES = 40,
};

const Dim *dim_need(const Dim *d); /* aborts on NULL: sizes were validated earlier */
int64_t dim_hint(const Dim *d);    /* the value, or an estimate */
bool index_depends(const Index *a, int axis);
bool expr_depends(const Expr *e, int axis);

/* ---- builder of one kernel ---- */
typedef struct Scope {
    Stmt *block; /* statements of this scope; a loop enters its parent's block when it is closed */
    Stmt *loop;
    int floor; /* scopes below this one do not know that indices are in bounds */
} Scope;

typedef struct Builder {
    KernelProgram *program;
    IndexTable *table;
    DimTable *dims;
    Arena *arena;
    Kernel *kernel;
    VECTOR(Buffer *) bindings; /* by parameter slot */
    VECTOR(int) axis_depth;    /* scope that defines each axis */
    VECTOR(int) register_depth;
    VECTOR(int) slot_depth; /* scratch: scope that fills it */
    Scope scopes[MAX_SCOPES];
    int depth;      /* scopes[depth] is open; 0: the tile */
    int parameters; /* slots so far that are parameters; scratch slots are numbered from
                       SCRATCH_BASE */
    VECTOR(Slot) scratch;
    struct ExprCell *cells[256]; /* hash-consing: equal expressions of one kernel are one */
} Builder;
enum { SCRATCH_BASE = 1000 }; /* renumbered by builder_finish */

/* Trial builders live in an arena of their own, which the caller frees. */
Builder *builder_new(KernelProgram *program, Arena *arena);
int builder_axis(Builder *b, const char *name, const Dim *extent);         /* for a loop */
const Index *builder_tile(Builder *b, const char *name, const Dim *count); /* a tile axis */
const Index *builder_axis_index(Builder *b, int axis);
/* begin and end may be NULL: 0 and the axis' extent. */
Stmt *builder_open(Builder *b, int axis, const Index *begin, const Index *end, Binding binding);
/* Closed like a loop.  What is generated inside may be out of bounds outside, and stays inside. */
void builder_open_if(Builder *b, const Guard *guard);
void builder_close(Builder *b);
/* Statements go to the end of the scope `depth`, around what is open, until builder_return. */
typedef struct OpenScopes {
    Scope scopes[MAX_SCOPES];
    int depth;
} OpenScopes;
void builder_go_out(Builder *b, int depth, OpenScopes *open);
void builder_return(Builder *b, const OpenScopes *open);
int builder_register(Builder *b, DType dtype, const char *name);
/* Adds an accumulator to an open loop; its registers live in the scope around the loop. */
void builder_accumulator(Builder *b, Stmt *loop, ReduceKind kind, int reg, int reg_index);
void builder_accumulate(Builder *b, ReduceKind kind, int reg, const Expr *value,
                        const Expr *position);
/* A register holding `value`, assigned in the outermost scope that can compute it. */
const Expr *builder_let(Builder *b, const Expr *value, const char *name);
/* A register assigned in the open scope. */
const Expr *builder_let_here(Builder *b, const Expr *value, const char *name);
int builder_slot(Builder *b, Buffer *buffer, Access access);
int builder_scratch(Builder *b, const char *name, DType dtype, Shape shape);
int builder_scratch_in(Builder *b, Space space, const char *name, DType dtype, Shape shape);
/* That scratch is zero at first. */
void builder_clear(Builder *b, int slot);
void builder_store(Builder *b, int slot, const Index *const *indices, int count, const Expr *value,
                   const Guard *guard);
Stmt *builder_leaf(Builder *b, StmtKind kind);
int builder_expr_depth(Builder *b, const Expr *e);
int builder_index_depth(Builder *b, const Index *a);
/* Interns the kernel and appends a call. */
Step *builder_finish(Builder *b, const char *what, const char *path);
const Shape *builder_slot_shape(Builder *b, int slot);

/* ---- expressions ---- */
const Expr *expr_const(Builder *b, DType dtype, double number);
const Expr *expr_const_int(Builder *b, DType dtype, int64_t value);
const Expr *expr_index(Builder *b, const Index *index, DType dtype);
const Expr *expr_load(Builder *b, int slot, const Index *const *indices, int count);
const Expr *expr_op(Builder *b, Op op, DType dtype, const Expr *const *args, int count);
const Expr *expr_cast(Builder *b, const Expr *a, DType dtype);
const Expr *expr_guard(Builder *b, const Guard *guard, const Expr *value, const Expr *fill);
const Expr *expr_register(Builder *b, int reg);
const Expr *expr_random(Builder *b, const RandomAttr *random, const Index *element, DType dtype);
/* The conjunction of a (may be NULL) and one more test; NULL when the test is provable and a is
 * NULL. */
const Guard *guard_and(Builder *b, const Guard *a, Test test);
const Guard *guard_range(Builder *b, const Guard *a, const Index *value, const Dim *lower,
                         const Dim *upper);

/* ---- a graph on its way ---- */
typedef enum GroupKind {
    GROUP_LOOPS,
    GROUP_CONTRACT,
    GROUP_PREFIX,
    GROUP_ARGSORT,
    GROUP_SCATTER,
    GROUP_UPDATE,
    GROUP_SCAN
} GroupKind;

/* Members of a CONTRACT group that read windows of its result (bands.c): their shape, and per axis
 * the stride of windows in the result, in which windows do not overlap.  Columns of the product are
 * the labels `first` and later of operand `side`; `axis` is that of label `first`.  rank
 * 0: none. */
typedef struct Windows {
    Shape shape;
    int64_t stride[SHAPE_MAX_RANK];
    int side, first, axis;
} Windows;

typedef struct Group {
    int id;
    GroupKind kind;
    Node *anchor;           /* what is not LOOPS: the node that names the schedule */
    Shape space;            /* LOOPS: the full iteration space; CONTRACT: the result's shape */
    Windows windows;        /* CONTRACT */
    uint32_t reduced;       /* LOOPS: axes of `space` that reductions of the group sum over */
    VECTOR(Node *) members; /* in id order: reductions, anchor, stored nodes */
    VECTOR(struct Group *) needs; /* groups whose values it reads */
    VECTOR(struct Group *) after; /* groups that read a cell which this one overwrites */
    VECTOR(struct Group *) users; /* groups that have it among their needs or after */
    VECTOR(const Cell *) cells;   /* read by it; known when grouping has ended */
    int mark;
    int level; /* more than that of every group that it needs or follows */
} Group;

typedef VECTOR(Group *) GroupList;

typedef struct NodeState {
    const Node *node;
    int users;
    bool live;
    bool stored;              /* has a place in memory (or is a register of its group) */
    bool forced;              /* stored by class, not by cost */
    Group *group;             /* of stored nodes */
    Buffer *buffer;           /* where others read it; NULL until known */
    VECTOR(Buffer *) targets; /* results and cells that it also is */
    double cost;              /* of recomputing one element, through what is not stored */
    int depth;                /* of the expression that is computed where it is read */
    VECTOR(Group *) readers;  /* LOOPS groups of at most its rank that read it */
    bool cut;                 /* stored to bound the depth: a kernel that no other node joins */
    bool spread;              /* stored because many places read it: no kernel computes it away
                               * from its own index */
    const char *kept;         /* why it is stored, where its class does not say; for remarks */
} NodeState;

typedef struct Lowering {
    KernelProgram *program;
    KernelEntry *entry;
    Graph *graph; /* normalized copy */
    Arena *arena;
    DimTable *dims;
    IndexTable *table;
    NodeState *states; /* by node id */
    int state_count;
    int *seen;  /* by node id: the stamp of the walk that last met it */
    int *level; /* by node id, with level_seen: see loops.c */
    int *level_seen;
    int *number; /* by node id: in the signature of reuse.c */
    int stamp;
    VECTOR(Group *) groups; /* in creation order */
    VECTOR(Step *) steps;
    Buffer **inputs;                /* by OP_INPUT index */
    VECTOR(Group *) order;          /* execution order */
    VECTOR(GroupList) cell_readers; /* by Cell.index; known when grouping has ended */
} Lowering;

NodeState *lowering_state(Lowering *l, const Node *n);
Buffer *lowering_buffer(Lowering *l, BufferKind kind, DType dtype, Shape shape, const char *name);
/* The entry's constant of these elements. */
Buffer *lowering_constant(Lowering *l, DType dtype, Shape shape, const int64_t *data,
                          const char *name);
void lowering_remark(Lowering *l, RemarkKind kind, const Node *n, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Lowers graph (inputs bound to `inputs`) so that results[i] ends in outputs[i]; the steps go to
 * `steps`. */
typedef VECTOR(Step *) StepList;
void lower_graph(KernelProgram *program, KernelEntry *entry, const Graph *graph, Buffer **inputs,
                 Buffer **outputs, StepList *steps);

/* remarks.c: nothing is made unless the options want it. */
/* `first`'s value is read by `second`, or both read one tensor; they are in different kernels. */
void remark_apart(Lowering *l, const Node *first, const Node *second, const char *why);
/* The operators that the step's kernel computes. */
void remark_together(Lowering *l, const Group *group, const Step *step);

/* normalize.c: a private copy in the form that the schedules expect. */
Graph *graph_normalize(Arena *arena, const Graph *graph);
/* fuse.c: decides what is stored and which nodes share a kernel. */
void fuse_decide(Lowering *l);
/* Visits what n reads through nodes that are not stored: stored nodes, inputs, cells, constants. */
typedef void (*ReadVisit)(void *user, Node *read);
void node_reads(Lowering *l, Node *n, ReadVisit visit, void *user);
bool group_reaches(Lowering *l, Group *from, Group *to); /* from needs or follows to */
void group_follow(Lowering *l, Group *g, Group *reader); /* g runs after reader */
bool op_is_view(Op op);
bool node_is_inline_source(const Node *n);
/* A reduction that is computed where it is read, as a small inner loop. */
bool node_is_window_reduce(const Node *n);
bool node_is_inline_scatter(const Node *n);
bool node_is_reduction(const Node *n); /* of a LOOPS group: REDUCE, or a CONTRACT by plain loops */
bool contract_is_loops(const Lowering *l, const Node *n); /* too small for the leaf */

/* bands.c: how n, of another shape than the product's result, reads it; false and a reason: not so
 * that the group can compute it. */
bool windows_fit(Lowering *l, Group *g, Node *n, Windows *out, const char **why);

/* Labels of a contraction: those of the result in order, then the summed ones in order of
 * appearance. */
int contract_labels(const Node *n, int8_t *order);
const Dim *contract_extent(const Node *n, int label);
/* The operand whose values contraction operand x reads without any guard or arithmetic. */
Node *operand_base(Node *x);

/* ---- values: "node n at index i" inside a kernel ---- */
typedef struct Memo {
    const Node *node;
    const Guard *guard;
    const Index *const *indices;
    const Expr *value;
    struct Memo *next;
} Memo;
typedef struct Gen Gen;
struct Gen {
    Builder *b;
    Lowering *l;
    Group *group;
    const Guard *guard;  /* holds for all loads that are being generated */
    Memo *memo[64];      /* by node id, modulo */
    bool illegal;        /* a member was read where it is not available */
    const Node *joining; /* dry: a node that asks to join the group */
    bool dry;            /* ask only: members count as available at their own index */
    bool pure; /* expressions only: no registers, so that an index shows on what it depends */
    const Index *const *space;      /* dry: the current point of the group's space */
    VECTOR(const Cell *) elsewhere; /* dry: cells read at another point than `space` */
    /* CONTRACT: the value of the anchor `n` at any element of the tile; NULL: it is known only
     * where gen_set says. */
    const Expr *(*place)(Gen *g, const Node *n, const Index *const *indices);
    void *place_user;
};
Gen *gen_new(Lowering *l, Builder *b, Group *group);
/* For questions alone, at one point of the group's space: full, and of it row, the `rows` indices
 * that no reduction runs over. */
Gen *gen_new_dry(Lowering *l, Group *group, Arena *trial, const Index **full, const Index **row,
                 int *rows);
const Expr *gen_value(Gen *g, const Node *n, const Index *const *indices);
/* An integer node as an index, promised to be in [0, extent); NULL: nothing is.  No register of an
 * outer scope holds a part of it. */
const Index *gen_index(Gen *g, const Node *n, const Index *const *indices, const Dim *extent);
/* Says that node n at these indices is `value` (a register, a scratch element). */
void gen_set(Gen *g, const Node *n, const Index *const *indices, const Expr *value);
/* Stores values (generated before any store) of stored node n at indices into its buffer and
 * targets. */
void gen_store(Gen *g, const Node *n, const Index *const *indices, const Expr *value);
/* At these indices: the values of those members of the group that have a place in memory and that
 * `wanted` (NULL: all) names, each as `change` (NULL: as it is) makes it; then the stores, since a
 * store may change what another value reads. */
typedef struct StoreRequest {
    bool (*wanted)(const void *user, const Node *n);
    const Expr *(*change)(void *user, const Expr *value);
    void *user;
} StoreRequest;
void gen_store_members(Gen *g, const Index *const *indices, StoreRequest request);
bool lowering_needs_store(Lowering *l, const Node *n);

/* Positions of a flat index in a shape, row-major. */
void index_unflatten(IndexTable *table, const Index *flat, const Shape *shape, const Index **out);
const Index *index_flatten(IndexTable *table, const Index *const *indices, const Shape *shape);

/* ---- schedules ---- */
/* reuse.c: the step of an equal group that was scheduled before, or `schedule`. */
void reuse_or_schedule(Lowering *l, Group *group, void (*schedule)(Lowering *l, Group *group));
/* Where a product's plan is kept for those of the same operands and stores, whatever is computed in
 * between; empty (NULL) before the first.  NULL: there is no such place. */
void **reuse_plan(Lowering *l, Group *group);
void schedule_loops(Lowering *l, Group *group);
void schedule_contract(Lowering *l, Group *group);
void schedule_prefix(Lowering *l, Group *group);
void schedule_argsort(Lowering *l, Group *group);
void schedule_scatter(Lowering *l, Group *group);
void schedule_update(Lowering *l, Group *group);
void schedule_scan(Lowering *l, Group *group);
/* gpu_loops.c, gpu_contract.c, gpu_indexed.c, gpu_prefix.c, gpu_sort.c, gpu_scatter.c:
 * the same for blocks and threads. */
void schedule_gpu_loops(Lowering *l, Group *group);
/* Where a group reads across the rows that it writes; false: it does not, and nothing was made. */
bool schedule_gpu_transposed(Lowering *l, Group *group);
void schedule_gpu_contract(Lowering *l, Group *group);
/* What schedules assume of the device, beside each other in cycles; and their blocks. */
enum {
    GPU_THREADS = 256, /* of a block */
    GPU_WARPS = GPU_THREADS / WARP_LANES,
    GPU_SORT_TILE = 2048, /* elements that a block sorts in shared memory, at most */
    GPU_PROCESSORS = 132,
    GPU_RESIDENT = 2048, /* threads of a processor */
    GPU_BYTES = 2048,    /* from and to memory in a cycle */
    GPU_LAUNCH = 4000,   /* of a kernel behind another one */
};
double gpu_size(const Dim *d);    /* the value, or an estimate */
double gpu_traffic(double bytes); /* cycles */
/* Opens a loop over the elements of a shape, each with a thread of its own; `at`: its indices. */
void gpu_open_elements(Builder *b, const Shape *shape, const Index **at);
/* gpu_sort.c: rows of keys, sorted, and the position that each key had; NULL where nobody stores
 * them.  Neighbours in a row are neighbours in memory. */
typedef struct SortedRows {
    Buffer *keys, *order; /* [rows, length] */
} SortedRows;
typedef struct SortRequest {
    const Dim *rows, *length;
    DType dtype; /* of keys; no half */
    bool descending;
    /* The key at a place, and (unless NULL) what is done with the position that comes to a place,
     * where one tile holds a row: no rows are stored then. */
    const Expr *(*key)(void *user, Builder *b, Gen *gen, const Index *row, const Index *k);
    void (*store)(void *user, Builder *b, Gen *gen, const Index *row, const Index *k,
                  const Index *position);
    void *user;
} SortRequest;
SortedRows gpu_sort(Lowering *l, Group *group, const SortRequest *request);
/* How many elements [begin, end) of the row of a slot [rows, length], which are sorted there, come
 * before `value`; the caller says of what sort, and whether equals count. */
Stmt *gpu_search(Builder *b, int slot, const Index *row, const Index *begin, const Index *end,
                 const Expr *value);
void schedule_gpu_prefix(Lowering *l, Group *group);
void schedule_gpu_argsort(Lowering *l, Group *group);
void schedule_gpu_scatter(Lowering *l, Group *group);
void schedule_gpu_update(Lowering *l, Group *group);
void schedule_gpu_copy(Lowering *l, const Node *n, Buffer *dst, const char *what);
/* Where a scatter or an update changes some elements: memory that holds all of them before. */
Buffer *indexed_start(Lowering *l, Group *group);
/* And copies of the result that others want. */
void indexed_finish(Lowering *l, Group *group);
/* dst = node n's value (n may be anything that can be generated), as a kernel of its own. */
void schedule_copy(Lowering *l, const Node *n, Buffer *dst, const char *what);
/* Fills name lists of a kernel from the nodes of a group. */
void builder_describe(Builder *b, const Node *n);
const char *group_what(Lowering *l, const Group *group, const char **path);
/* Closes what is open, fills the name lists from the group's members, and appends the call.  name
 * NULL: the kernel is named after their operators. */
void group_finish(Lowering *l, const Group *group, Builder *b, const char *name);
/* The layout of a cell's type in this program. */
const Layout *layout_of_type(const KernelProgram *program, const TensorType *type);
/* stored_forms.c: the stored form of every cell, by type, for the whole program. */
void layouts_decide(KernelProgram *program);
int64_t panel_width(int64_t extent);

#endif
