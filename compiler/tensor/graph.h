/* The tensor graph: pure, typed, single assignment; what every pass from lowering to kernels reads.
 *
 * A Node computes one tensor from earlier nodes; ids grow in creation order, so increasing id is a
 * topological order inside one Graph.  Only CALL and SCAN have several results: they are read by
 * PROJ.  Nodes are immutable once made, except by passes that build a new graph.  The builder
 * functions (`op_*`) check operands, compute the result type and never merge or simplify.  They
 * return NULL after calling `graph->complain` (lowering turns that into a diagnostic) when operands
 * do not fit.
 *
 * There is no broadcasting and no type promotion here: lowering inserts EXPAND and CAST. */
#ifndef NNC_TENSOR_GRAPH_H
#define NNC_TENSOR_GRAPH_H

#include "base/source.h"
#include "base/vector.h"
#include "types/dim.h"
#include "types/dtype.h"

typedef struct Node Node;
typedef struct Graph Graph;
typedef struct Cell Cell;

typedef enum Op {
    /* sources */
    OP_INPUT,  /* an argument of the entry, or a parameter of a subgraph; attr.input */
    OP_CELL,   /* value of a cell when the entry begins; attr.cell */
    OP_CONST,  /* attr.constant: a scalar splat, or literal data */
    OP_IOTA,   /* 0, 1, 2, ... along attr.axis, in the node's (numeric) dtype */
    OP_DIM,    /* rank 0, integer or float dtype: the value of attr.dim at run time */
    OP_RANDOM, /* uniform [0,1) of dtype f32 or f64; attr.random; inputs: none (seed and step are
                  the context's) */
/* elementwise: enum order = ops.def order */
#define ELEMENTWISE(e, name, arity, rule, properties, reference) OP_##e,
#include "tensor/ops.def"
#undef ELEMENTWISE
    OP_CAST,     /* to the node's dtype: float->int truncates, int->bool is != 0 */
    OP_IDENTITY, /* a new point of the graph with the same value (detach, a new version of a cell)
                  */
    /* index maps (views): no arithmetic */
    OP_RESHAPE, /* same elements in row-major order */
    OP_PERMUTE, /* attr.axes: result axis i is input axis axes[i] */
    OP_EXPAND,  /* attr.axes[i]: input axis i becomes result axis axes[i] (increasing), all other
                   result axes are new; an input axis of extent 1 may be stretched */
    OP_SLICE,   /* attr.slice: begin, step (may be negative) per axis; extents from the type */
    OP_PAD,     /* attr.pad: low, high per axis (negative crops), inputs: x, rank-0 fill */
    OP_CONCAT,  /* along attr.axis, any number of inputs >= 1 */
    OP_UNFOLD,  /* window view: axis attr.window.axis of extent L becomes two: windows [O] in place,
                   and the window's own axis [K] appended last; out[.., o, .., k] = in[.., o*stride +
                   k*dilation, ..] */
    OP_FOLD,    /* adjoint of UNFOLD: sums windows into an axis of extent attr.window.extent */
    /* reductions and products */
    OP_REDUCE,   /* attr.reduce: kind, set of axes (removed from the shape).  ARGMAX, ARGMIN: one
                    axis, i64, first wins, NaN wins over numbers.  Empty: sum 0, prod 1, any 0, all
                    1; max/min/arg of none is an error */
    OP_CONTRACT, /* attr.contract: einsum of two operands, float dtypes; labels per axis; a label in
                    both operands but not in the result is summed; also sums a label of one operand
                    only */
    OP_PREFIX,  /* inclusive scan of sum, prod, max, min along attr.prefix.axis, optionally reversed
                 */
    OP_ARGSORT, /* stable permutation (i64) along attr.sort.axis; NaN last ascending, first
                   descending */
    /* data-dependent indexing.  x [B.., A, P..], index [B.., I..] (integer), b = attr.batch */
    OP_GATHER,      /* (x, index) -> [B.., I.., P..];  index in [0, A) is the entry's check */
    OP_SCATTER_ADD, /* (x, index, update [B.., I.., P..]) -> x with updates added, in index order */
    OP_SCATTER_SET, /* the last update in index order wins */
    OP_DYNAMIC_SLICE, /* (x, start: rank-0 i64) -> extent attr.dynamic.extent along attr.axis; start
                         is clamped */
    OP_DYNAMIC_UPDATE, /* (x, update, start) -> x with update written at start along attr.axis */
    /* structured */
    OP_CALL, /* attr.call: a function with its own vjp, kept whole until derivatives are taken */
    OP_SCAN, /* attr.scan: inputs = carries, sequences, invariants */
    OP_PROJ, /* attr.index: that result of a CALL or SCAN (its only input) */
    OP_COUNT
} Op;

typedef enum ReduceKind {
    REDUCE_SUM,
    REDUCE_PROD,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_ANY,
    REDUCE_ALL,
    REDUCE_ARGMAX,
    REDUCE_ARGMIN
} ReduceKind;
const char *reduce_name(ReduceKind kind); /* "sum", in the language and in all texts */
/* Is its result the position of a value? */
static inline bool reduce_is_arg(ReduceKind kind) {
    return kind == REDUCE_ARGMAX || kind == REDUCE_ARGMIN;
}

typedef struct TensorType {
    DType dtype;
    Shape shape;
} TensorType;

typedef struct InputAttr {
    Name name;
    int index;
} InputAttr;
/* data == NULL: every element equals `value` (float dtypes) or `integer` (others).  Otherwise
 * row-major elements, float dtypes as double, others as int64; shape must be constant. */
typedef struct ConstAttr {
    double value;
    int64_t integer;
    const void *data;
} ConstAttr;
/* Philox4x32-10: key = seed, counter = (element / 4, scan index, site, step); see docs. f64 uses
 * words 2i, 2i+1. */
typedef struct RandomAttr {
    uint32_t site;
    const char *where;
    bool at_init;
} RandomAttr;
typedef struct SliceAttr {
    const Dim *begin[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
} SliceAttr;
typedef struct PadAttr {
    const Dim *low[SHAPE_MAX_RANK];
    const Dim *high[SHAPE_MAX_RANK];
} PadAttr;
typedef struct WindowAttr {
    int axis;
    int64_t size, stride, dilation;
    const Dim *extent; /* extent of the unfolded axis */
} WindowAttr;
typedef struct ReduceAttr {
    ReduceKind kind;
    uint32_t axes; /* bit i: axis i of the input */
} ReduceAttr;
enum { CONTRACT_MAX_LABELS = 2 * SHAPE_MAX_RANK };
typedef struct ContractAttr {
    int8_t a[SHAPE_MAX_RANK], b[SHAPE_MAX_RANK], out[SHAPE_MAX_RANK]; /* label of each axis */
} ContractAttr;
typedef struct PrefixAttr {
    ReduceKind kind;
    int axis;
    bool reverse;
} PrefixAttr;
typedef struct SortAttr {
    int axis;
    bool descending;
} SortAttr;
typedef struct DynamicAttr {
    int axis;
    const Dim *extent;
} DynamicAttr;
/* body: the primal; vjp: inputs = (primal inputs.., one dy per result), results = one per
 * differentiable input listed in `wrt`. */
typedef struct CallAttr {
    Name name;
    const Graph *body;
    const Graph *vjp;
    const int *wrt;
    int wrt_count;
} CallAttr;
/* body: inputs = carries, elements (sequence without axis 0), invariants; results = next carries,
 * yields. Node results by PROJ: final carries, then stacked yields [T, ...].  reverse: elements are
 * taken from the end and yields are stored at the element's position. */
typedef struct ScanAttr {
    const Graph *body;
    const Dim *length;
    int carries, sequences, invariants;
    bool reverse;
} ScanAttr;

struct Node {
    Op op;
    TensorType type;
    int id; /* unique in the graph, increasing */
    int input_count;
    Node **inputs;
    bool no_grad;     /* derivatives stop here (detach, no_grad, computed ids) */
    bool backward;    /* made by differentiation; for readers only */
    Span span;        /* the user's line */
    const char *path; /* module path, "linear_relu_stack.0"; "" outside; interned */
    union {
        InputAttr input;
        const Cell *cell;
        ConstAttr constant;
        RandomAttr random;
        const Dim *dim;
        int axis;
        int axes[SHAPE_MAX_RANK];
        const SliceAttr *slice; /* these two are large and rare */
        const PadAttr *pad;
        WindowAttr window;
        ReduceAttr reduce;
        ContractAttr contract;
        PrefixAttr prefix;
        SortAttr sort;
        int batch;
        DynamicAttr dynamic;
        CallAttr call;
        ScanAttr scan;
        int index;
    } attr;
    void *info; /* scratch of the running pass */
};

struct Graph {
    Arena *arena;
    DimTable *dims;
    VECTOR(Node *) nodes;  /* in id order */
    VECTOR(Node *) inputs; /* OP_INPUT nodes by index */
    VECTOR(Node *) results;
    /* Where new nodes say they come from; no_grad marks new nodes. */
    Span span;
    const char *path;
    bool no_grad, backward;
    void (*complain)(void *user,
                     const char *message); /* NULL: abort on a misuse (a compiler bug) */
    void *complain_user;
};

#define TENSOR_MAX_BYTES ((int64_t)1 << 47)

/* The bytes of a tensor if every symbolic extent were one, at most INT64_MAX. */
int64_t type_constant_bytes(const TensorType *type);

Graph *graph_new(Arena *arena, DimTable *dims);

/* ---- builders ---- */
Node *op_input(Graph *g, Name name, TensorType type);
Node *op_cell(Graph *g, const Cell *cell, TensorType type);
Node *op_const_float(Graph *g, double value, TensorType type); /* splat, float dtypes */
Node *op_const_int(Graph *g, int64_t value, TensorType type);  /* splat, integer and bool dtypes */
Node *op_const_data(Graph *g, const void *data, TensorType type); /* doubles or int64s, copied */
/* A splat that picks the field by the dtype. */
Node *op_const(Graph *g, double value, TensorType type);
Node *op_iota(Graph *g, int axis, TensorType type);
Node *op_dim(Graph *g, const Dim *dim, DType dtype);
Node *op_random(Graph *g, uint32_t site, const char *where, bool at_init, TensorType type);
Node *op_elementwise(Graph *g, Op op, Node *const *inputs, int count);
Node *op_unary(Graph *g, Op op, Node *a);
Node *op_binary(Graph *g, Op op, Node *a, Node *b);
Node *op_select(Graph *g, Node *condition, Node *a, Node *b);
Node *op_cast(Graph *g, Node *x,
              DType dtype); /* returns x itself when the dtype is already right */
Node *op_identity(Graph *g, Node *x);
Node *op_reshape(Graph *g, Node *x, Shape shape);
Node *op_permute(Graph *g, Node *x, const int *axes);
Node *op_expand(Graph *g, Node *x, Shape shape, const int *axes); /* axes: see OP_EXPAND */
Node *op_slice(Graph *g, Node *x, const Dim *const *begin, const int64_t *step, Shape shape);
Node *op_slice_axis(Graph *g, Node *x, int axis, const Dim *begin, const Dim *extent, int64_t step);
Node *op_pad(Graph *g, Node *x, Node *fill, const Dim *const *low, const Dim *const *high);
Node *op_concat(Graph *g, Node *const *xs, int count, int axis);
Node *op_unfold(Graph *g, Node *x, int axis, int64_t size, int64_t stride, int64_t dilation);
Node *op_fold(Graph *g, Node *x, int axis, const Dim *extent, int64_t stride, int64_t dilation);
Node *op_reduce(Graph *g, ReduceKind kind, Node *x, uint32_t axes);
/* The same of what was allowed before more was known of x's dims: a largest element of none is the
 * identity of max, its place 0. */
Node *op_reduce_again(Graph *g, ReduceKind kind, Node *x, uint32_t axes);
Node *op_contract(Graph *g, Node *a, Node *b, const int8_t *la, const int8_t *lb,
                  const int8_t *lout, int out_rank);
Node *op_prefix(Graph *g, ReduceKind kind, Node *x, int axis, bool reverse);
Node *op_argsort(Graph *g, Node *x, int axis, bool descending);
Node *op_gather(Graph *g, Node *x, Node *index, int batch);
Node *op_scatter_add(Graph *g, Node *x, Node *index, Node *update, int batch);
Node *op_scatter_set(Graph *g, Node *x, Node *index, Node *update, int batch);
Node *op_dynamic_slice(Graph *g, Node *x, Node *start, int axis, const Dim *extent);
Node *op_dynamic_update(Graph *g, Node *x, Node *update, Node *start, int axis);
/* Several results: `out` receives the PROJ nodes, as many as the body has results. */
Node *op_call(Graph *g, CallAttr call, Node *const *inputs, int count, Node **out);
Node *op_scan(Graph *g, ScanAttr scan, Node *const *inputs, int count, Node **out);
/* Copies `body` into g with its inputs replaced; `out` receives the results. */
void graph_inline(Graph *g, const Graph *body, Node *const *inputs, Node **out);
/* One node like `model` (op, attributes, flags, place) on other inputs: for rewriting passes. */
Node *op_like(Graph *g, const Node *model, Node *const *inputs);
/* The same by the model's builder, which checks all of it, also where nothing can have changed. */
Node *op_again(Graph *g, const Node *model, Node *const *inputs);

/* ---- the operator table ---- */
typedef enum OpClass {
    CLASS_SOURCE,
    CLASS_ELEMENTWISE,
    CLASS_VIEW,
    CLASS_REDUCE,
    CLASS_CONTRACT,
    CLASS_PREFIX,
    CLASS_SORT,
    CLASS_INDEXED,
    CLASS_STRUCTURED
} OpClass;
enum { PROPERTY_COMMUTES = 1, PROPERTY_ASSOCIATES = 2, PROPERTY_CHEAP = 4 };
typedef struct OpInfo {
    const char *name; /* spelling in the textual IR */
    OpClass class_;
    int arity; /* -1: any */
    int properties;
} OpInfo;
const OpInfo *op_info(Op op);
bool op_is_elementwise(Op op); /* rows of ops.def, CAST and IDENTITY */

void type_print(Text *out, const TensorType *type); /* f32[N, 10] */

#endif
