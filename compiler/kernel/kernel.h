/* The kernel IR: what fusion and scheduling make of a program, and what plan and emitters read.
 *
 * A KernelProgram has, per entry, an ordered tree of Steps (calls of kernels, loops of scans) over
 * Buffers. A Kernel is one function over a range of tiles: a statement tree over loop axes,
 * registers, parameter slots and scratch.  Indices stay logical: a slot's Layout turns them into an
 * element offset
 * (`index_offset`).  Steps are in execution order; each call's tiles are independent of each other,
 * and a step may start when the one before has ended.  All in-place decisions are made here: a call
 * that writes a cell's buffer comes after the last read of its old value, or reads it at the same
 * element.
 *
 * Everything is deterministic; Dims and Indices are hash-consed per program (equal <=> same
 * pointer), Exprs per kernel: an Expr may have several users, which a register or a temporary of
 * the emitted text spares a second computation. */
#ifndef NNC_KERNEL_KERNEL_H
#define NNC_KERNEL_KERNEL_H

#include "kernel/index.h"
#include "tensor/program.h"

typedef struct Buffer Buffer;
typedef struct Kernel Kernel;
typedef struct Step Step;
typedef struct Expr Expr;
typedef struct Stmt Stmt;

/* ---- expressions: pure, of one dtype, lane-wise inside a vector loop ---- */

/* A conjunction of tests; no tests: true. */
typedef enum TestKind {
    TEST_RANGE,   /* lower <= value < upper; a NULL bound is not tested */
    TEST_OUTSIDE, /* value < lower or value >= upper; of a STMT_IF only */
    TEST_DIVIDES, /* value % modulus == 0 (value may be negative) */
} TestKind;
typedef struct Test {
    TestKind kind;
    const Index *value;
    const Dim *lower, *upper; /* RANGE, OUTSIDE */
    int64_t modulus;          /* DIVIDES */
} Test;
typedef struct Guard {
    int count;
    const Test *tests;
} Guard;

typedef enum ExprKind {
    EXPR_CONST, /* constant: `number` (float dtypes) or `integer` */
    EXPR_INDEX, /* the value of `index`, converted to dtype (exact integer when dtype is i64) */
    EXPR_LOAD,  /* slot at `indices` (rank of the slot); always in bounds where it is evaluated */
    EXPR_OP,   /* elementwise `op` of args (a row of ops.def, SELECT included); dtype = result dtype
                */
    EXPR_CAST, /* args[0] to dtype, semantics of OP_CAST */
    EXPR_GUARD, /* guard ? args[0] : args[1]; args[0] (its loads!) must not be evaluated where the
                   guard fails */
    EXPR_REGISTER, /* current value of a register */
    EXPR_RANDOM,   /* uniform [0, 1): Kernel.sites[site], element `index` (row-major linear), see
                      templates/philox.h;   seed, step and scan index are run-time values of the call
                    */
} ExprKind;

enum { EXPR_MAX_ARGS = 3 };
struct Expr {
    ExprKind kind;
    DType dtype;
    Op op;
    int slot; /* LOAD */
    int reg;  /* REGISTER */
    double number;
    int64_t integer;
    const Index *index;          /* INDEX, RANDOM */
    const RandomAttr *random;    /* RANDOM: its site is sites[site] of the call */
    int site;                    /* RANDOM */
    int index_count;             /* LOAD */
    const Index *const *indices; /* LOAD */
    const Guard *guard;          /* GUARD */
    int arg_count;
    const Expr *args[EXPR_MAX_ARGS];
};

/* ---- statements: executed in order ---- */

typedef enum Binding {
    BIND_SEQ,
    BIND_UNROLL, /* constant bounds, small: may be unrolled whole */
    BIND_VECTOR, /* NN_LANES consecutive values at a time; the last group may be partial.  Never
                    nested */
    /* Of kernels for an accelerator, where a tile is a block of Kernel.threads threads.  Iterations
     * are dealt in turn: to the threads of the block, to its warps (whose lanes all run them), to
     * the lanes of a warp.  Accumulators of a THREAD, LANE or WARP loop are folded over the block,
     * the warp, or the lanes of one number in all warps, by a fixed tree, and each of them has the
     * result; such a loop runs where the block or the warp is together. */
    BIND_THREAD,
    BIND_WARP,
    BIND_LANE,
} Binding;
enum {
    WARP_LANES = 32,
    LAUNCH_ARGUMENTS_MAX = 480, /* buffers, dims and sites of a kernel on a GPU: 4 KB at most */
    GPU_CHECKS_MAX = 128,       /* conditions on ids of an entry there */
};

typedef enum StmtKind {
    STMT_BLOCK,
    STMT_LOOP,
    STMT_LET, /* reg = value; registers are assigned once per execution of their scope, in a LET or
                 as accumulator */
    STMT_ACCUMULATE, /* reg = combine(reg, value) */
    STMT_STORE,      /* slot[indices] = value, where the guard (NULL: always) holds */
    STMT_IF,         /* body where the guard holds; the guard does not depend on a vector axis */
    STMT_MMA,        /* the leaf: small matrix product into a scratch tile */
    STMT_DOT,        /* the leaf with vectors along the depth, into a scratch tile */
    STMT_PACK,       /* the leaf's operand, copied into the order in which it is read */
    STMT_ARGSORT,    /* the sort leaf on scratch rows */
    STMT_BARRIER,    /* every thread of the block has come so far, and sees what all have stored */
    STMT_SCAN,       /* reg = carry combined with the values of the threads (binding THREAD) or
                        lanes (LANE) up to this one, by a fixed tree; then carry = reg of the last.
                        All of them come, in a loop with one iteration for each; carry is an
                        accumulator of a SEQ loop around it */
    STMT_RANK,       /* reg (i64) = how many of slot[indices.., begin .. end), which are sorted,
                        come before value; with `ties`, those equal to it too */
    STMT_TILE_PRODUCT, /* the block's threads add the product of two shared tiles to their sums, on
                          tensor cores */
} StmtKind;

/* An accumulator register of a loop: set to the monoid's neutral element before the first
 * iteration, combined by ACCUMULATE in the body, readable after the loop (and inside a SEQ loop:
 * running value).  In a VECTOR loop: one lane accumulator, then a fixed tree over the lanes, so the
 * register is scalar after the loop; lanes outside a partial group do not take part.  Inside an
 * enclosing vector loop it is lane-wise. MAX, MIN: NaN wins; neutral -inf/+inf (floats),
 * lowest/highest (integers), false/true (bool).  ANY, ALL: bool. ARGMAX, ARGMIN: reg holds the best
 * value, reg_index (i64 or i32) its position; the first wins, NaN wins over numbers; ACCUMULATE
 * gives value and position; positions arrive in increasing order per lane.  Neutral:
 * position -1. */
typedef struct Accumulator {
    ReduceKind kind;
    int reg, reg_index; /* reg_index: -1 unless ARGMAX, ARGMIN */
} Accumulator;

/* Neighbours in memory: columns of a panel, rows of a packed group (those of a register tile). */
enum { PANEL_COLUMNS = 16, GROUP_ROWS = 6 };

/* T[i][j] (+)= sum over k of A[i][k] * B[k][j], i < rows, j < columns, k < depth.  All offsets are
 * elements. T: scratch slot of dtype f32 or f64, row-major with `columns_max` elements a row.  Same
 * dtype for A, B, T. A[i][k] at base + row(i) + depth(k): row and depth are i * stride, or the
 * entry i of an i64 table (slot), or, in packed groups, i / GROUP_ROWS * stride + i % GROUP_ROWS.
 * B[k][j] at base + depth(k) + j / PANEL_COLUMNS * b_panel + j % PANEL_COLUMNS.  When b_padded,
 * or where b_end says so, whole rows of columns_max may be read (but columns >= `columns` hold
 * anything, finite or not, and T there may be written with anything). Order of the sum: k = 0, 1,
 * ... in one chain per element of T, for every element alike.  */
typedef struct MmaAccess {
    const Dim *stride;       /* NULL: use the table */
    bool grouped;            /* rows of A only */
    int table_slot;          /* i64 */
    const Index *table_base; /* first entry used */
} MmaAccess;
typedef struct Mma {
    DType dtype;
    int tile_slot;
    int64_t rows_max, columns_max; /* constant size of T */
    const Index *rows, *columns, *depth;
    int a_slot;
    const Index *a_base; /* element offset in the slot */
    MmaAccess a_row, a_depth;
    int b_slot;
    const Index *b_base;
    const Dim *b_panel;
    MmaAccess b_depth;
    bool b_padded;
    /* One past the last element of the slot that a whole row of columns_max would read: rows are
     * read whole where that is within the slot.  NULL: unknown. */
    const Index *b_end;
    const Dim *b_elements; /* of the slot, with b_end */
    /* NULL: T is set, whatever it held; otherwise it is set where this is 0 and added to where it
     * is more. */
    const Index *earlier;
} Mma;

/* T[i][j] (+)= sum over planes, lines and places of A[i] * B[j], of few rows and columns; along the
 * places, of which a vector is taken, both lie side by side: templates/dot.h.  Offsets of the
 * slots: base + row or column + plane * its stride + line * its stride + place. */
enum { DOT_ROWS_MAX = 18, DOT_COLUMNS_MAX = 18 };
typedef struct DotOperand {
    int slot;
    const Index *base;
    MmaAccess across; /* over rows or columns */
    const Dim *plane, *line;
} DotOperand;
typedef struct Dot {
    DType dtype;
    int tile_slot; /* [rows][columns] */
    int rows, columns;
    const Dim *planes, *lines, *along;
    DotOperand a, b;
    const Index *earlier; /* as in Mma */
} Dot;

/* to[i / group * group * depth_max + k * group + i % group] = from[base + i * across + k / 16 *
 * block + k % 16 * along], i < count, k < depth: an operand of Mma, packed.  group: PANEL_COLUMNS
 * or GROUP_ROWS. */
typedef struct PackLeaf {
    DType dtype;
    int64_t group;
    int to_slot; /* scratch, [ceil(count / group)][depth_max][group] */
    const Dim *depth_max;
    int from_slot;
    const Index *base, *count, *depth;
    const Dim *across, *along, *block;
} PackLeaf;

/* order[0..count) = stable sorting permutation of keys[0..count) (scratch slots, rank 1); `spare`
 * is i64 scratch of the same length.  NaN last ascending, first descending.
 * On a GPU, by a whole block: the first `count` pairs (key, order) of every `width` in shared
 * memory are put in order, by key and, where keys are equal, by what `order` (i32) holds before. */
typedef struct ArgsortLeaf {
    int keys_slot, order_slot, spare_slot; /* no spare on a GPU */
    const Index *count;
    bool descending;
    int64_t width; /* a power of two; 0 on the CPU */
} ArgsortLeaf;

/* On a GPU: sums[i][j] += sum over k < chunk of rows[k][row] * columns[k][column], rounded to
 * `precision` before they are multiplied.  Which row and column i and j mean to a thread:
 * templates/cuda_mma.h.  Tiles are [chunk][width + MORE of the precision] of f32 in shared memory.
 */
typedef struct TileProduct {
    Precision precision;
    int rows_slot, columns_slot, sums_slot;
    int64_t rows, columns, chunk, warps_down;
    int64_t skew; /* elements behind each group of rows in shared memory: templates/cuda_mma.h */
} TileProduct;

struct Stmt {
    StmtKind kind;
    VECTOR(Stmt *) body; /* BLOCK, LOOP, IF */
    /* LOOP: axis runs begin, begin + 1, ... < end.  RANK: what is searched */
    int axis;
    const Index *begin, *end;
    Binding binding;
    int accumulator_count;
    Accumulator *accumulators;
    /* LET, ACCUMULATE, STORE, SCAN, RANK */
    int reg;
    int carry;             /* SCAN */
    bool descending, ties; /* RANK */
    const Expr *value;
    const Expr *position; /* ACCUMULATE of ARGMAX, ARGMIN: i64 */
    ReduceKind combine;   /* ACCUMULATE, SCAN: that of the accumulator */
    int slot;
    int index_count;
    const Index *const *indices;
    const Guard *guard; /* STORE, IF */
    Mma *mma;
    Dot *dot;
    PackLeaf *pack;
    ArgsortLeaf *argsort;
    TileProduct *product;
};

/* The indices and dims of a leaf, in no order that means anything; a statement that is none has
 * none. */
enum { LEAF_PARTS = 16 };
typedef struct LeafParts {
    int index_count, dim_count;
    const Index *indices[LEAF_PARTS];
    const Dim *dims[LEAF_PARTS];
} LeafParts;
LeafParts kernel_leaf_parts(const Stmt *leaf);

/* ---- kernels ---- */

typedef struct KernelAxis {
    const char *name;  /* i0, i1, k.. */
    const Dim *extent; /* 0 <= axis < extent, always */
} KernelAxis;

/* A call runs tile = 0 .. product of counts; the last tile axis is fastest.  `axis` takes 0 ..
 * count - 1. */
typedef struct TileAxis {
    int axis; /* in Kernel.axes */
    const Dim *count;
} TileAxis;

typedef enum Access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_UPDATE = 3 } Access;

/* Where scratch lies: with a worker of the CPU; in the shared memory of a block; with one thread,
 * in its registers. */
typedef enum Space { SPACE_WORKER, SPACE_SHARED, SPACE_THREAD } Space;

/* Parameters first (bound to buffers by each call), then scratch (private to a tile; contents
 * undefined at its start). */
typedef struct Slot {
    const char *name;
    DType dtype;
    Shape shape;          /* logical */
    const Layout *layout; /* NULL: row-major */
    Access access;
    bool scratch;
    bool cleared; /* of scratch: lanes are read that nothing has written, and not used */
    Space space;  /* of scratch */
} Slot;

typedef struct Register {
    DType dtype;
    const char *name;
} Register;

/* A matrix in memory: element (i, d, b) of slot at base + i * leading + d + b * batch where it lies
 * along the depth, else at base + i + d * leading + b * batch.  All are elements; leading is at
 * least the extent of what lies in a line. */
typedef struct LibraryMatrix {
    int slot;
    const Dim *base, *leading, *batch;
    bool along_depth;
} LibraryMatrix;

/* result[b][i][j] = sum over d of of_rows[b][i][d] * of_columns[b][j][d] (+ bias[j]), by one call
 * of cuBLASLt.  The sum is of dtype_accumulator(dtype), its factors as `precision` has them; it is
 * rounded once, behind the bias.  The result lies in rows: along_depth, its depth being j. */
typedef struct LibraryProduct {
    DType dtype;
    Precision precision;
    const Dim *batch, *rows, *columns, *depth;
    LibraryMatrix of_rows, of_columns, result;
    int bias_slot; /* from its first element on; -1: none */
    int workspace_slot;
    /* That it may use, from the first multiple of LIBRARY_ALIGNMENT in its slot on. */
    int64_t workspace_bytes;
} LibraryProduct;
enum { LIBRARY_ALIGNMENT = 256, LIBRARY_DIMS = 13 };
/* All dims that it names. */
void kernel_library_dims(const LibraryProduct *product, const Dim **out);

struct Kernel {
    int id; /* order of first use */
    const char
        *name; /* unique in the program, C identifier: "linear_relu_stack_0_contract_add_maximum" */
    const char *what;  /* operators fused, "contract add maximum" */
    VECTOR(int) lines; /* source lines fused, increasing */
    const char *file;  /* of the lines, NULL if none */
    bool backward;     /* something in it was made by differentiation */
    VECTOR(Slot) slots;
    int parameter_count; /* slots[0 .. parameter_count) are parameters */
    VECTOR(KernelAxis) axes;
    VECTOR(Register) registers;
    VECTOR(TileAxis) tiles; /* empty: one tile */
    int threads;            /* of a block; 0: for the CPU, or of no block of ours */
    Stmt *body;
    const LibraryProduct *library; /* not NULL: this is what it does, and the body is empty */
    /* The symbols that its dims name, in order of first appearance: one kernel may serve entries
     * whose own symbols differ, so a call gives the value of each (Step.symbols). */
    VECTOR(const DimSymbol *) symbols;
    VECTOR(uint32_t) sites; /* of random numbers; the call gives its own (Step.sites) */
    const Dim *flops;       /* about, of one call; NULL: unknown */
    const Dim *bytes;
    /* The key of interning: the printed form, NULL until one of the same hash asks for it, with the
     * places of the symbols. */
    const char *text, *symbol_places;
    uint32_t hash;
};

/* ---- buffers and steps ---- */

typedef enum BufferKind {
    BUFFER_ARGUMENT,  /* Entry.arguments[index]; read only, row-major */
    BUFFER_RESULT,    /* Entry.results[index]; row-major */
    BUFFER_CELL,      /* the cell's storage */
    BUFFER_TEMPORARY, /* workspace */
    BUFFER_CONSTANT,  /* `data`: elements row-major, float dtypes as double, others as int64;
                         constant shape */
    BUFFER_ELEMENT,   /* inside a loop: parent[t] along axis 0 (rank one less), t = position of this
                         iteration */
} BufferKind;

struct Buffer {
    int id; /* in KernelEntry.buffers */
    BufferKind kind;
    DType dtype;
    Shape shape;
    const Layout *layout; /* NULL: row-major */
    int index;
    const Cell *cell;
    const void *data; /* CONSTANT */
    Buffer *parent;   /* ELEMENT: row-major */
    const Step *loop; /* ELEMENT: whose position counts */
    const char *name; /* for prints and comments */
};

typedef enum StepKind { STEP_CALL, STEP_LOOP } StepKind;
typedef struct Rotation {
    Buffer *current, *next;
} Rotation; /* two temporaries of one type */
struct Step {
    StepKind kind;
    /* CALL */
    const Kernel *kernel;
    Buffer **arguments; /* [kernel->parameter_count] */
    const DimSymbol *
        *symbols; /* [kernel->symbols.count]: the entry's symbol for each of the kernel's */
    const uint32_t *sites; /* [kernel->sites.count] */
    /* LOOP: iteration i = 0 .. count - 1 runs `body`; ELEMENT buffers of this loop stand for
     * position t = reverse ? count - 1 - i : i.  After each iteration every rotation exchanges its
     * two buffers (pointers), so `current` holds the carry before, between and after iterations.
     * The scan index of EXPR_RANDOM is t. */
    const Dim *count;
    bool reverse;
    /* LOOP, not NULL: KernelProgram.run is first, 2 * first, 4 * first, ... < count in its
     * iterations, kernels of the body may name it, and there are no positions. */
    const Dim *first;
    VECTOR(Rotation) rotations;
    VECTOR(Step *) body;
};

/* A CHECK_RANGE: `flag` (bool, rank 0) is true after the check steps when some element is out of
 * range. */
typedef struct KernelCheck {
    const Check *check;
    Buffer *flag;
} KernelCheck;

typedef struct KernelEntry {
    const Entry *entry;
    VECTOR(Buffer *) buffers;
    VECTOR(Buffer *) cell_buffers; /* by Cell.index; NULL: the entry does not touch the cell */
    VECTOR(Step *) check_steps;    /* run first; they write no cell */
    VECTOR(KernelCheck) checks;
    VECTOR(Step *) steps;
} KernelEntry;

typedef struct KernelRoot {
    const Root *root;
    VECTOR(KernelEntry *) entries; /* as Root.entries */
} KernelRoot;

/* Why something was or was not fused, and which path a contraction took; in order of decision. */
typedef enum RemarkKind { REMARK_FUSED, REMARK_NOT_FUSED, REMARK_CONTRACTION } RemarkKind;
typedef struct Remark {
    RemarkKind kind;
    const Entry *entry;
    const Node *node;
    const char *text; /* "contract f32[N, 512] K=784: packed stored" */
} Remark;

/* Lines of the program's source file whose operators share no kernel with those of other lines. */
typedef struct Fence {
    int first, last;
} Fence;
typedef struct KernelOptions {
    bool remarks; /* about fusion; those about contractions are always made */
    int fence_count;
    const Fence *fences;
    bool gpu; /* axes are bound to blocks and threads; all tensors are stored row by row */
    Precision precision; /* of the factors of f32 products on a GPU */
    Gemm gemm;           /* whose products, there */
} KernelOptions;

/* What no schedule for the target exists for; the program must not be emitted. */
typedef struct Refusal {
    const Entry *entry;
    const Node *node;
    const char *what; /* "a sort" */
} Refusal;

typedef struct KernelProgram {
    Arena *arena;
    const Program *program;
    KernelOptions options;
    IndexTable *indices;
    VECTOR(KernelRoot *) roots; /* as Program.roots */
    VECTOR(Kernel *) kernels;   /* interned, by id */
    Kernel **kernel_slots;      /* the same by their hash: open addressing, power of two */
    int kernel_slot_count;
    const DimSymbol *run; /* the length of sorted runs in a loop of merges; NULL: no such loop */
    VECTOR(Remark) remarks;
    VECTOR(Refusal) refusals;  /* none for the CPU */
    struct StoredForms *forms; /* of cells: see kernel_cell_layout */
    struct Reuse *reuse;       /* groups that were scheduled: see reuse.c */
} KernelProgram;

/* The whole stage.  Graphs are simplified and free of CALL.  Never fails: every primitive has a
 * schedule for the CPU; what has none for a GPU is among `refusals`. */
KernelProgram *kernel_program_build(Arena *arena, const Program *program);
KernelProgram *kernel_program_build_with(Arena *arena, const Program *program,
                                         const KernelOptions *options);

/* The one stored form of a cell, equal in all roots and entries (NULL: row-major): for get, set and
 * init. */
const Layout *kernel_cell_layout(const KernelProgram *program, const Cell *cell);

/* Of one call, in the kernel's symbols; NULL where a number is too large.  Not part of a kernel:
 * made when somebody asks. */
typedef struct KernelCost {
    const Dim *flops, *bytes;
    bool wide; /* some of its arithmetic is f64 */
} KernelCost;
KernelCost kernel_cost(const KernelProgram *program, const Kernel *kernel);

/* What no index, offset or bound of a loop exceeds in size, in the kernel's symbols; NULL: nothing
 * is known (a number from memory, or a product beyond 64 bits). */
const Dim *kernel_index_size(const KernelProgram *program, const Kernel *kernel);

/* ---- reading ---- */
void kernel_print(Text *out, const Kernel *kernel);
void kernel_program_print(Text *out, const KernelProgram *program); /* --emit=kernels */
/* One line per contraction: entry, shape, path ("packed stored", "packed scratch", "direct", "small
 * loops"). */
void kernel_report_contractions(Text *out, const KernelProgram *program);
/* One line per remark of the kinds 1 << REMARK_..., as a diagnostic: "net.nn:12: remark: ...". */
void kernel_print_remarks(Text *out, const KernelProgram *program, unsigned kinds);
/* "mma.f32 tile0[24x64] = rows ...": the form of one leaf, a product or a packed operand. */
void kernel_print_leaf(Text *out, const Kernel *kernel, const Stmt *leaf);
/* "[120, 576] as [d0/16:8, d1:576, d0%16:16]": the shape of a slot and how it is stored. */
void kernel_print_stored(Text *out, const Slot *slot);
/* Bytes of scratch slot `slot` (elements of its layout, times dtype). */
const Dim *kernel_slot_bytes(DimTable *dims, const Slot *slot);

#endif
