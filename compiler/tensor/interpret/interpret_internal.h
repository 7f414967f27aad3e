/* What the files of the interpreter share.
 *
 * Tensors of a run are counted and freed after their last use.  The first error stops the run:
 * run_alloc and everything after it return NULL.  When memory runs out the run is left at once, and
 * its blocks are freed by interpret_graph or interpret_entry. */
#ifndef NNC_TENSOR_INTERPRET_INTERNAL_H
#define NNC_TENSOR_INTERPRET_INTERNAL_H

#include "tensor/interpret/interpret.h"

typedef struct Block {
    struct Block *previous, *next;
} Block;

typedef struct Run {
    Arena *arena; /* of the message */
    const Interpretation *how;
    const char *error;
    uint32_t scan_index;
    Block blocks; /* a ring of what is allocated; this one is no block */
} Run;

void run_fail(Run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Zeroed memory for count elements; never NULL. */
void *run_get(Run *run, int64_t count, size_t size);
void run_free(void *memory);
/* Zeroed, one reference. */
Tensor *run_alloc(Run *run, DType dtype, int rank, const int64_t *extents);
Tensor *run_alloc_type(Run *run, const TensorType *type);
void tensor_retain(Tensor *t);
void tensor_release(Tensor *t);
bool run_dim(Run *run, const Dim *d, int64_t *out);
/* Rounds a float result to its dtype in typed mode. */
void run_round(Run *run, Tensor *t);
int64_t wrap_integer(int64_t value, DType dtype);
static inline bool tensor_is_float(const Tensor *t) {
    return dtype_is_float(t->dtype);
}

/* Walks a box of extents in row-major order, in rows along the last axis: calls
 * row(user, a, b, n, step_a, step_b) with offsets into two buffers. */
typedef void (*RowFunction)(void *user, int64_t a, int64_t b, int64_t n, int64_t step_a,
                            int64_t step_b);
void walk_rows(int rank, const int64_t *extents, const int64_t *strides_a, int64_t base_a,
               const int64_t *strides_b, int64_t base_b, RowFunction row, void *user);
void row_major_strides(const Tensor *t, int64_t *strides);

void interpret_elementwise(Run *run, const Node *node, Tensor *const *in, Tensor *out);
void interpret_cast(Run *run, const Tensor *in, Tensor *out);
void interpret_source(Run *run, const Node *node, Tensor *out);
void interpret_view(Run *run, const Node *node, Tensor *const *in, Tensor *out);
void interpret_reduce(Run *run, const Node *node, const Tensor *in, Tensor *out);
void interpret_prefix(Run *run, const Node *node, const Tensor *in, Tensor *out);
void interpret_argsort(Run *run, const Node *node, const Tensor *in, Tensor *out);
void interpret_contract(Run *run, const Node *node, Tensor *const *in, Tensor *out);
void interpret_indexed(Run *run, const Node *node, Tensor *const *in, Tensor *out);
double reference_max(double a, double b);
double reference_min(double a, double b);

#endif
