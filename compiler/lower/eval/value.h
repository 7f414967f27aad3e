/* Values of abstract execution: what an expression of a .nn file is while the compiler runs the
 * program.
 *
 * Everything that does not depend on a tensor is a compile-time value; a tensor is a Node of the
 * current entry's graph; a cell is a reference (reading it gives its current version).  Values are
 * small and copied; lists, dicts and instances are shared by reference as in Python. */
#ifndef NNC_LOWER_VALUE_H
#define NNC_LOWER_VALUE_H

#include "syntax/ast.h"
#include "tensor/program.h"

typedef struct Value Value;
typedef struct Lowerer Lowerer;
typedef struct Instance Instance;
typedef struct Closure Closure;
typedef struct ModuleClass ModuleClass;
typedef struct ValueList ValueList;
typedef struct CellState CellState;
typedef struct Story Story;

typedef enum ValueKind {
    VALUE_NONE,
    VALUE_BOOL,  /* as.boolean */
    VALUE_INT,   /* as.integer; also every constant dim */
    VALUE_FLOAT, /* as.number */
    VALUE_STR,   /* as.text */
    VALUE_DTYPE, /* as.dtype */
    VALUE_DIM,   /* as.dim: a non-constant dim; arithmetic keeps dims, comparisons need dim_equal */
    VALUE_TUPLE, /* as.list, immutable */
    VALUE_LIST,  /* as.list; lists of modules are what ModuleList takes */
    VALUE_DICT,  /* as.list: keys and values alternating */
    VALUE_RANGE, /* as.range; a dim as stop is allowed only in scan */
    VALUE_SLICE, /* as.list of three: in subscripts */
    VALUE_ELLIPSIS,
    VALUE_CLASS,     /* as.class_: a module or optimizer before instantiation */
    VALUE_INSTANCE,  /* as.instance: module, optimizer or train block */
    VALUE_FUNCTION,  /* as.closure: def, bound method, nested def, partial initialiser */
    VALUE_BUILTIN,   /* as.builtin: implemented in C (see builtin tables) */
    VALUE_NAMESPACE, /* as.namespace_: nn, F, torch, init, optim, math, an imported file */
    VALUE_TENSOR,    /* as.tensor */
    VALUE_CELL, /* as.cell: a parameter, buffer or state as a reference; `.data` sets detached */
    VALUE_ERROR /* an error was reported; everything made of it is an error, silently */
} ValueKind;

struct ValueList {
    VECTOR(Value) items;
    bool
        fixed; /* DICT whose keys and values stay, but for cells, which may be written through it */
    const Function
        *declared; /* TUPLE that a function with named results returned: r.values, r.indices */
};

typedef struct RangeValue {
    int64_t start, step;
    const Dim *stop;
} RangeValue;

/* A function implemented in C.  Arguments are already evaluated; `keywords[i]` is NULL for
 * positional. */
typedef struct CallArguments {
    int count;
    const Value *values;
    const Name *keywords;
    const Span *spans;
} CallArguments;
typedef Value (*BuiltinFunction)(Lowerer *lw, const CallArguments *args, Span span);
typedef struct Builtin {
    const char *name;
    BuiltinFunction function;
} Builtin;

struct Value {
    ValueKind kind;
    bool detached; /* CELL: reached through .data */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;
        DType dtype;
        const Dim *dim;
        ValueList *list;
        const RangeValue *range;
        ModuleClass *class_;
        Instance *instance;
        const Closure *closure;
        const Builtin *builtin;
        struct Namespace *namespace_;
        Node *tensor;
        CellState *cell;
    } as;
    const Story *story;    /* TENSOR: how its shape came about, for diagnostics; may be NULL */
    const Value *receiver; /* BUILTIN, FUNCTION: a bound method's first argument, or NULL (see
                              value_bound) */
};

/* The shape's story: one line per step, newest first. */
struct Story {
    const Story *previous;
    const char *step;
    Span span;
    Node *node;
};

/* Names of one lexical level: arguments, locals, hyperparameters, dims. */
typedef struct Binding {
    Name name;
    Value value;
    Span span;
    bool is_dim;
    bool used;
} Binding;
typedef struct Scope {
    struct Scope *parent;
    VECTOR(Binding) bindings;
} Scope;

/* A file's top level, or a library namespace. */
enum { KNOWN_NAMES = 64 };
typedef struct KnownName {
    Name name; /* NULL: none */
    Value value;
} KnownName;
typedef struct Namespace {
    Name name;
    const SourceUnit *unit; /* a user's file, else NULL */
    const char *folder;     /* of the library's files, else NULL */
    Scope *scope;           /* definitions; of the library: those that were asked for */
    bool is_prelude;
    bool loading; /* its imports are being read: meeting it again is a cycle */
    /* Of the library: what library_lookup found lately, by the name's hash. */
    KnownName known[KNOWN_NAMES];
} Namespace;

struct Closure {
    const Function *function;
    Namespace *home;
    Scope *captured;              /* nested def; NULL at top level */
    Instance *self;               /* bound method, or NULL */
    const Function *vjp;          /* a user's vjp for it, or NULL */
    const CallArguments *partial; /* init.uniform(lo, hi): arguments after the parameter */
    bool initialiser; /* an initialiser's expression: a partial that it returns is called with the
                         parameter */
};

typedef enum ClassKind { CLASS_KIND_MODULE, CLASS_KIND_OPTIMIZER, CLASS_KIND_TRAIN } ClassKind;
struct ModuleClass {
    ClassKind kind;
    const Stmt *declaration;
    Namespace *home;
    Name name;
};

typedef struct Member {
    Name name;
    Value value; /* CELL, INSTANCE, or a compile-time value */
    Span span;
} Member;

/* An instance of a module, optimizer or train block.  Instantiating is specialising. */
struct Instance {
    ModuleClass *class_;
    const char *path; /* "" for a root, "linear_relu_stack.0"; set when first bound under self */
    Instance *parent; /* of the first binding */
    VECTOR(Binding) hyperparameters;
    VECTOR(Member)
    members; /* registration order, parameters before children inside one instance as torch lists
                them */
    Scope *body_scope;                /* locals of the module's body */
    bool training_override, training; /* m.train(), m.eval() */
    bool frozen;                      /* requires_grad_(False) */
    bool rooted;                      /* path is final */
    bool failed;                      /* an assertion of its body does not hold */
    bool no_member;                   /* it was said that it belongs to no root */
    int visit;                        /* the last walk that came here (Lowerer.visits) */
    /* optimizers */
    ValueList *parameters; /* CELLs in order, when kind is OPTIMIZER */
    VECTOR(CellState *) optimizer_cells;
    VECTOR(Instance *)
    groups;              /* parameter groups after the first, each with its own hyperparameters */
    Instance *group_of;  /* of such a group: the optimizer */
    VECTOR(Value) hooks; /* functions that step() calls first, with the optimizer */
    /* recorded by calls, for summary: types of the first call's input and output */
    bool called;
    TensorType input_type, output_type;
    void *extra;
    Span span;
};

/* A cell and its versions during the execution of one entry. */
struct CellState {
    Cell *cell;
    Value initialiser; /* number, tensor function, partial initialiser */
    Span initialiser_span;
    CellState *tied_to;  /* sharing: the cell that stores it */
    CellState *drawn_as; /* of a copied module: the original, whose initial draws are its own too */
    const char
        *draw_path;      /* of an original: whose draws they are where it is no cell of the root */
    CellState *gradient; /* of a parameter: its gradient cell */
    bool requires_grad;
    Instance *owner;
    /* the current entry */
    int entry_serial; /* versions below are valid if equal to lowerer's serial */
    Node *read;       /* the OP_CELL node, or NULL if not read yet */
    Node *current;    /* newest version, NULL = the stored one */
    bool written;
    /* gradients: */
    bool is_none;        /* known None in this entry */
    bool known;          /* zeroed or written in this entry: the stored value no longer matters */
    bool live_in;        /* some entry reads the stored gradient */
    CellState *validity; /* bool cell: the stored gradient is not None */
    Node *valid; /* GRADIENT: whether it is not None, where that is known only at run time */
    /* superseded versions of this entry: backward through one is an error */
    VECTOR(Node *) superseded;
    /* OPTIMIZER cells of one parameter: `state m = EXPR(p)` */
    CellState *parameter;
    const Stmt *declaration;
    Scope *scope;  /* where the declaration's value is evaluated */
    bool produced; /* GRADIENT: some entry computes it */
};

static inline bool value_is_list(const Value *v) {
    return v->kind == VALUE_LIST || v->kind == VALUE_TUPLE;
}
static inline Value value_none(void) {
    return (Value){.kind = VALUE_NONE};
}
static inline Value value_error(void) {
    return (Value){.kind = VALUE_ERROR};
}
static inline Value value_bool(bool b) {
    return (Value){.kind = VALUE_BOOL, .as.boolean = b};
}
static inline Value value_int(int64_t i) {
    return (Value){.kind = VALUE_INT, .as.integer = i};
}
static inline Value value_float(double x) {
    return (Value){.kind = VALUE_FLOAT, .as.number = x};
}
static inline Value value_str(const char *s) {
    return (Value){.kind = VALUE_STR, .as.text = s};
}
static inline Value value_tensor(Node *n) {
    return (Value){.kind = VALUE_TENSOR, .as.tensor = n};
}
static inline Value value_cell(CellState *c) {
    return (Value){.kind = VALUE_CELL, .as.cell = c};
}
Value value_dim(const Dim *d); /* INT when constant */
Value value_dtype(DType t);
Value value_tuple(Arena *arena, const Value *items, int count);
Value value_list(Arena *arena, const Value *items, int count);
const char *value_kind_name(const Value *v); /* "an int", "a tensor", "a module": for messages */
/* A builtin or function as a method of `receiver`: calling it passes the receiver first. */
Value value_bound(Arena *arena, Value callee, const Value *receiver);
/* Python's str and repr of compile-time values; tensors print as f32[N, 10]. */
void value_print(Text *out, const Value *v, bool repr);
/* Lists nested more than 200 levels deep, or compared in more than ten million steps, count as
 * different. */
bool value_equal(const Value *a, const Value *b);

#endif
