/* The reference interpreter: one node after the other, unfused, obviously right.
 *
 * INTERPRET_VALUE computes every float in f64, whatever its dtype; INTERPRET_TYPED rounds the
 * result of every operation to its dtype (f16 and bf16 included).  Integers are exact and wrap
 * around at their width in both.  A reduction, contraction, prefix or scatter is one operation: it
 * accumulates in f64 and rounds once.
 *
 * Meanings that C leaves open: integer floordiv and mod are Python's, by zero they give 0;
 * float -> integer truncates, saturates at the ends of the dtype, and takes NaN to 0; integer ->
 * integer wraps; anything != 0 (NaN too) is true.  max and min give NaN if an operand is NaN;
 * sign(NaN) is 0; argmax and argmin take the first, a NaN before any number.  The start of a
 * dynamic slice is clamped.  An index outside its axis is an error. */
#ifndef NNC_TENSOR_INTERPRET_H
#define NNC_TENSOR_INTERPRET_H

#include "tensor/program.h"

/* Row-major.  Float dtypes use `floats`, all others (bool too, as 0 and 1) `integers`. */
typedef struct Tensor {
    DType dtype;
    int rank;
    int64_t extents[SHAPE_MAX_RANK];
    int64_t count;
    double *floats;
    int64_t *integers;
    int references; /* of the interpreter; 0 in tensors of an arena */
} Tensor;

/* Zeroed, in the arena; NULL if the size overflows or an extent is negative. */
Tensor *tensor_new(Arena *arena, DType dtype, int rank, const int64_t *extents);
/* The type's dims under an assignment of all symbols (may be NULL for constant shapes). */
Tensor *tensor_of_type(Arena *arena, const TensorType *type, const int64_t *symbols);
/* Element i as a double (integers may lose bits above 2^53). */
double tensor_get(const Tensor *t, int64_t i);
void tensor_set(Tensor *t, int64_t i, double value);
/* "[0, 2]": where element i is. */
void tensor_print_index(Text *out, const Tensor *t, int64_t i);
/* Elements in the bytes of their dtype (f16 and bf16 as their bit patterns, bool as 0 and 1),
 * rounding where needed, and back.  `bytes` holds count * dtype_bytes. */
void tensor_to_bytes(const Tensor *t, void *bytes);
void tensor_from_bytes(Tensor *t, const void *bytes);
/* Rounded to a float dtype: nearest, ties to even, overflow to infinity. */
double round_to_dtype(double value, DType dtype);
uint16_t half_bits(double value, DType dtype); /* F16 or BF16 */
double half_value(uint16_t bits, DType dtype);

typedef enum InterpretMode { INTERPRET_VALUE, INTERPRET_TYPED } InterpretMode;

/* Sees every value of a graph and of the bodies in it, in the order of evaluation. */
typedef struct Watch {
    void (*see)(void *user, const Node *node, Tensor *const *inputs, const Tensor *value);
    void *user;
} Watch;

typedef struct Interpretation {
    InterpretMode mode;
    const int64_t *symbols; /* value per DimSymbol.index; NULL if the graph has no symbols */
    Tensor *const *cells;   /* value per Cell.index; NULL if the graph reads none */
    uint64_t seed, step;    /* of OP_RANDOM; at_init nodes use step 0 */
    const Watch *watch;     /* or NULL */
} Interpretation;

/* Fills results[i] (in the arena) for each result of the graph.  NULL, or what went
 * wrong (arena). */
const char *interpret_graph(Arena *arena, const Graph *g, const Interpretation *how,
                            Tensor *const *inputs, Tensor **results);

/* ---- entries ---- */

/* What the arguments of a call that was not made do not meet. */
typedef enum CallRefusal { REFUSED_NOTHING, REFUSED_DIMS, REFUSED_IDS } CallRefusal;

/* The context of one root: what emitted code keeps in its weights and state regions. */
typedef struct Environment {
    Arena *arena;
    const Root *root;
    Tensor **cells;   /* by Cell.index; NULL: not written yet */
    int64_t *symbols; /* values that ENTRY_INIT has fixed for dims of state; -1: none */
    int symbol_count;
    uint64_t seed, step; /* step counts the calls of entries that draw random numbers */
    const Watch *watch;  /* or NULL */
    CallRefusal refusal; /* of the last call */
} Environment;

Environment *environment_new(Arena *arena, const Root *root, const DimTable *dims);

/* Runs an entry: binds the dims from the arguments' extents (or from `dims`, one per entry->dims,
 * -1 or a NULL array: infer), tests every check, then computes, then writes the cells all at once.
 * `results`: one per entry->results, in the environment's arena; may be NULL.
 * ENTRY_INIT sets env->seed before the call by the caller, and resets env->step to 0.
 * NULL, or what went wrong; then no cell has changed. */
const char *interpret_entry(Environment *env, InterpretMode mode, const Entry *entry,
                            const int64_t *dims, Tensor *const *arguments, Tensor **results);

#endif
