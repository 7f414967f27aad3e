/* The writer of one kernel: kernel IR to C statements.
 *
 * Outside a vector loop an expression is scalar C.  Inside one it is written twice: for whole
 * groups of NN_LANES, and for the last, partial group of nn_n lanes.  What does not vary with the
 * vector axis stays scalar.  What no vector form fits (a gather, a guard that differs by lane)
 * becomes a loop over the lanes.  Expressions used more than once in a statement get a temporary of
 * the block in which they are first needed. */
#ifndef NNC_EMIT_KERNEL_WRITER_H
#define NNC_EMIT_KERNEL_WRITER_H

#include "emit/common/common.h"

typedef enum WriterMode {
    MODE_SCALAR,
    MODE_WHOLE, /* lanes [i, i + NN_LANES) of the vector axis */
    MODE_PART,  /* lanes [i, i + nn_n) */
    MODE_LANE,  /* one lane: scalar code with the axis at i + nn_l */
} WriterMode;

typedef struct Temporary {
    const Expr *expr;
    const char *text;
    bool vector;
} Temporary;

typedef struct UseCount {
    const void *key;
    int statement; /* the place is free unless this is the current one's number */
    int count;
    bool varies, varies_known;
} UseCount;

typedef struct Writer {
    Arena *arena;
    Text *out;
    const Kernel *kernel;
    IndexTable *indices;
    bool cuda; /* print for the device */
    int indent;
    WriterMode mode;
    int vector_axis;           /* -1 outside vector loops */
    const char *axis_override; /* text of the vector axis, when not the usual one */
    const char **dim_names;    /* by DimSymbol.index */
    const char **axis_names, **slot_names, **register_names;
    bool *register_is_vector;            /* holds lanes */
    bool *register_is_lanes_accumulator; /* accumulator of the vector loop that is open */
    VECTOR(Temporary) temporaries;
    UseCount *uses; /* open addressing; of the current statement */
    int use_slots, use_count;
    int statement; /* its number, from 1 */
    int next_temporary;
} Writer;

/* ---- index.c ---- */
const char *writer_symbol(void *user, const DimSymbol *symbol); /* SymbolText over a Writer */
const char *writer_dim(Writer *w,
                       const Dim *d); /* a C operand: in parentheses where it needs them */
/* Of loop variables and dims: int64_t; on a GPU nn_int, which an instance of the kernel defines. */
const char *writer_index_type(const Writer *w);
const char *writer_index(Writer *w, const Index *index); /* int64 expression in the current mode */
bool index_varies(Writer *w, const Index *index);        /* with the lane */
/* How an index moves from lane to lane: not, by a stride (in *stride), otherwise. */
Motion writer_motion(Writer *w, const Index *index, const Dim **stride);
bool guard_varies(Writer *w, const Guard *guard);
/* C condition in the current mode; "1" when there are no tests. */
const char *writer_guard(Writer *w, const Guard *guard);
/* A condition that implies the guard for all lanes of the group, or NULL. */
const char *writer_guard_all_lanes(Writer *w, const Guard *guard);
/* The lanes of a group where a guard holds, when they are those from `begin` to before `end` if
 * `condition` holds and none otherwise; false: they are not a run. */
typedef struct Window {
    const char *condition, *begin, *end;
} Window;
bool writer_guard_window(Writer *w, const Guard *guard, Window *window);
/* The element of a slot's memory that logical indices name. */
const Index *slot_offset(Writer *w, int slot, const Index *const *indices);

/* ---- expression.c ---- */
bool expr_varies(Writer *w, const Expr *e);
/* Begins a statement: forgets temporaries, counts uses in `roots`. */
void writer_begin_statement(Writer *w, const Expr *const *roots, int count);
/* Scalar value: in MODE_WHOLE and MODE_PART only of expressions that do not vary. */
const char *writer_scalar(Writer *w, const Expr *e);
/* Lanes: in MODE_WHOLE and MODE_PART. */
const char *writer_vector(Writer *w, const Expr *e);
/* Opens and closes a loop over the lanes of the group. */
typedef struct LaneScope {
    WriterMode mode;
    int mark;
} LaneScope;
LaneScope writer_open_lanes(Writer *w);
void writer_close_lanes(Writer *w, LaneScope scope);
const char *writer_lane_count(const Writer *w); /* "NN_LANES" or "nn_n" */

/* ---- spelling.c: operands are C operands (names, calls, or in parentheses), so are results ----
 */
bool op_compares(Op op);
const char *scalar_type(DType dtype);
const char *lane_name(DType dtype);   /* "f32": of a vector in registers (f16, bf16 live in f32) */
const char *memory_name(DType dtype); /* "f16": suffix of loads and stores */
const char *scalar_constant(Writer *w, DType dtype, double number, int64_t integer);
const char *scalar_op(Writer *w, Op op, DType operand, DType result, const char *const *args);
const char *vector_op(Writer *w, Op op, DType operand, DType result, const char *const *args);
const char *scalar_cast(Writer *w, DType from, DType to, const char *a);
const char *vector_cast(Writer *w, DType from, DType to, const char *a);
const char *scalar_load(Writer *w, int slot, const char *offset);
void scalar_store(Writer *w, int slot, const char *offset, const char *value); /* a line */

/* ---- statement.c ---- */
/* A line at the current indentation; text in the arena. */
void writer_line(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *writer_format(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void writer_statement(Writer *w, const Stmt *s);
/* Declares the accumulators of a loop as scalars. */
void writer_accumulators(Writer *w, const Stmt *s);
void writer_body(Writer *w, const Stmt *s);
/* The text of a loop bound, computed before the loop. */
const char *writer_bound(Writer *w, const Index *x);
/* The text of combining two values of an accumulator. */
const char *writer_combine(Writer *w, ReduceKind kind, DType dtype, const char *a, const char *b);
/* The text of the value that an accumulator begins with. */
const char *writer_neutral(Writer *w, const Accumulator *a);

/* ---- jam.c ---- */
/* Before a vector loop up to `end`, whose axis is declared: the same for several vectors at a time
 * where that pays; otherwise nothing. */
void writer_jam(Writer *w, const Stmt *s, const char *end);

/* ---- device.c: statements that only kernels of a GPU have ---- */
void cuda_open_kernel(Writer *w, const char *name);
void cuda_declare_scratch(Writer *w, int slot);
/* Of shared memory, through which folds and scans of a statement pass values on. */
int64_t cuda_fold_bytes(const Kernel *k, const Stmt *s);
void cuda_tile_product(Writer *w, const TileProduct *t);
/* A loop whose iterations are dealt to threads, warps or lanes. */
void cuda_dealt_loop(Writer *w, const Stmt *s);
void cuda_scan(Writer *w, const Stmt *s);
void cuda_sort(Writer *w, const ArgsortLeaf *a);
void cuda_rank(Writer *w, const Stmt *s);
/* Types that combine two values, for the accumulators of all dealt loops of the kernels. */
void cuda_write_folds(Text *out, const Plan *plan);

/* ---- leaf.c ---- */
void writer_leaf(Writer *w, const Stmt *leaf); /* MMA, DOT, PACK, or ARGSORT of a CPU */
/* Which instance of the product leaf `m` calls: 0 .. MMA_FORMS - 1; its suffix follows from that.
 */
int mma_form(const Mma *m);
/* What the calls of a form reach: rows and columns as in templates/mma.h, 0: it is not called. */
typedef struct MmaUse {
    unsigned rows;
    int64_t columns;
} MmaUse;
/* Adds what `m`, of `kernel`, reaches. */
void mma_use(MmaUse *use, const Kernel *kernel, const Mma *m);
int pack_form(const PackLeaf *p); /* likewise: 0 .. PACK_FORMS - 1 */
enum { MMA_FORMS = 24, PACK_FORMS = 4 };
/* The lines that make the instances. */
void emit_mma_form(Text *out, int form, const MmaUse *use);
void emit_pack_form(Text *out, int form);
void emit_dot_form(Text *out, DType dtype, int rows, int columns); /* of as many rows and columns */

/* ---- function.c ---- */
/* The function of one kernel: C over a range of tiles, or (cuda) a block per tile. */
void emit_kernel_function(Text *out, const KernelPlan *plan, IndexTable *indices, const char *name,
                          bool cuda);
/* Elements of scratch whose size is known; 0: it is not. */
int64_t writer_scratch_elements(const Writer *w, const Slot *slot);

#endif
