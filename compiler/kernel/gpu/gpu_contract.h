/* Inside the schedule of products for a GPU: a product with its labels sorted, which becomes a
 * tiled kernel of our own (gpu_contract.c) or a call of cuBLASLt (gpu_cublaslt.c). */
#ifndef NNC_KERNEL_GPU_CONTRACT_H
#define NNC_KERNEL_GPU_CONTRACT_H

#include "kernel/contract/contract.h"

/* threads = 256 = slices * (rows / row_each) * (columns / column_each); a slice has whole warps. */
typedef struct Tiling {
    int64_t rows, columns, row_each, column_each, chunk, slices;
    int64_t warps_down; /* of tensor cores: warps of the block one above the other; 0: none */
} Tiling;

/* Which labels an index set of the product belongs to. */
enum { BATCH, ROWS, COLUMNS, DEPTH, SETS };

typedef struct Product {
    Lowering *l;
    Group *group;
    const Node *n;
    Builder *b;
    IndexTable *t;
    Gen *gen;
    DType dtype; /* of the sum */
    const Tiling *tiling;
    int row_side; /* the operand that has the rows */
    Labels sets[SETS];
    const Dim *total[SETS];
    const Index *begin[SETS]; /* of the tile; BATCH: the position itself */
    int thread;               /* axis of a loop over all threads */
    int tile[2], sums;
    Buffer *parts; /* of the depth; NULL: it is summed whole */
} Product;

/* The indices of an operand, or of the result (side 2), at flat positions of the sets. */
void gpu_product_indices_at(Product *p, int side, const Index *const *flat, const Index **out);
/* A kernel, left open in p->b, in which every element takes the product from memory and computes
 * what the group wants of it.  from: p->parts, whose parts it sums in order; or the products,
 * [batch][rows][columns]. */
void gpu_product_rest(Product *p, Buffer *from);
/* Schedules the product as a call of cuBLASLt, where that is wanted and possible; else says why
 * not. */
bool gpu_library_product(Product *p, const char **why);

#endif
