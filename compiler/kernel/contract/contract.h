/* Inside the schedule of contractions: the plan of one product, made by contract.c (how operands
 * are read, tiles, cost) and turned into a kernel by contract_build.c. */
#ifndef NNC_KERNEL_CONTRACT_H
#define NNC_KERNEL_CONTRACT_H

#include "kernel/internal.h"

enum {
    PARALLEL_CYCLES = 20000, /* work that is worth more than one thread */
    CALL_CYCLES = 60,        /* of a call of a leaf, beside its work */
    TURN = 16,               /* block of a copy that is contiguous along the outer loop's axis */
    DEPTH_TABLE_MAX = 4096,  /* entries of a constant table of offsets */
    DEPTH_CALL_MAX = 16384,  /* depth of one leaf call whose offsets are tables */
};

/* A list of labels and the shape that they span. */
typedef struct Labels {
    int count;
    int name[CONTRACT_MAX_LABELS];
    const Dim *extent[CONTRACT_MAX_LABELS];
} Labels;

typedef struct LabelGroups {
    Labels batch, side[2], depth; /* in both operands; in one; summed */
} LabelGroups;

/* How an operand reaches the leaf of templates/mma.h. */
typedef enum OperandPath {
    OPERAND_DIRECT, /* in place */
    OPERAND_COPIED, /* plain loads with strides: packed by the pack leaf */
    OPERAND_VALUES, /* anything else: evaluated into scratch */
} OperandPath;

typedef struct Operand {
    const Node *node;
    int side; /* which operand of the contraction it is: 0 or 1 */
    OperandPath path;
    int slot;          /* DIRECT, COPIED: where it lies, */
    const Index *base; /* and the offset of the element whose probing axes are 0 */
    const Dim *across; /* stride over rows; over the columns of a panel it is 1.  NULL: a table */
    const Dim *panel;  /* columns: stride over panels */
    const Dim *depth;  /* stride over depth.  NULL: a table */
    const Dim *along, *block; /* COPIED: strides over depth inside blocks of 16, and over blocks */
    const Index *across_entry, *depth_entry; /* what tables hold, at axes (row or depth) */
    double pack_cost;                        /* cycles per element when it is packed */
    bool turned;        /* VALUES: it is contiguous along the outer axis of that scratch */
    bool stored_panels; /* the slot has a layout of its own */
} Operand;

typedef struct ProductPlan {
    Lowering *l;
    Group *group;
    const Node *n;
    Arena *arena;
    Builder *b;
    Gen *gen;
    DType dtype; /* of the leaf */
    Labels outer, rows, columns, depth_outer, depth;
    const Dim *row_total, *column_total, *depth_total;
    /* A tile has rows_tile rows, worked on row_block at a time, and `panel` columns; chunk: depth
     * of one call of the leaf, 0: the whole. */
    int64_t rows_tile, row_block, panel, chunk;
    /* Columns by bands: the columns of a tile are `band` positions of their first label with all
     * those of the later ones, of which the last goes in rows of `pitch` (as memory does; what is
     * beyond its extent is computed and not used).  band 0: a tile is any run of columns. */
    int64_t band, pitch;
    int64_t step;      /* columns from a tile to the next; at most `panel` */
    bool shared_panel; /* the columns are packed once a tile, for all its blocks of rows */
    bool dots; /* vectors go along the depth: rows_tile by panel results, `depth` is one label */
    const Index *outer_at[CONTRACT_MAX_LABELS], *depth_outer_at[CONTRACT_MAX_LABELS];
    const Index *band_index;                    /* which band the tile is */
    const Index *tile_row_begin, *tile_row_end; /* of the tile */
    const Index *row_begin, *row_end;           /* of the block */
    const Index *column_begin, *column_end, *depth_begin, *depth_end;
    /* Probing axes of offsets, positions inside the block: a row; the panel (-1: only one) and the
     * column in it, or a column of all; the depth, or the block of 16 and the place in it. */
    int row_axis, panel_axis, column_axis, columns_axis;
    int depth_axis, depth_block_axis, depth_place_axis;
    int depth_outer_axis[CONTRACT_MAX_LABELS];
    Operand a, b_side; /* A and B of the leaf: whose labels are rows, and columns */
    int tile;          /* slot of the scratch tile, once made: slots of scratch are never 0 */
    double cost;
} ProductPlan;

/* contract.c */
/* The labels of the axes of operand `side`, or of the result (side 2). */
const int8_t *contract_names(const Node *n, int side, int *rank);
/* Puts the positions of labels where operand or result `side` has their axes. */
void contract_place(const Node *n, int side, const Labels *list, const Index *const *at,
                    const Index **out);
/* The flat position, counted in `shape`, that labels of the result have at its indices. */
const Index *contract_flat(IndexTable *t, const Node *n, const Labels *list, const Shape *shape,
                           const Index *const *at);
/* The blocks of `size` that cover `total`. */
static inline double block_count(double total, double size) {
    return (double)(int64_t)((total + size - 1) / size);
}
LabelGroups contract_sort_labels(const Node *n); /* in the order of contract_labels */
Shape labels_shape(const Labels *list);
double labels_hint(const Labels *list); /* elements, or an estimate */
bool labels_one(const Labels *list);    /* all extents are 1 */
/* In which flat positions of columns count: the last extent is the pitch, if there is one. */
Shape product_columns_shape(const ProductPlan *p);
const Dim *product_constant(ProductPlan *p, int64_t v); /* v as a dim */
/* The operand's (or result's: side 2) indices when the flat positions of the three groups are
 * given; those of a NULL group are left alone. */
void product_indices_at(ProductPlan *p, int side, const Index *row, const Index *column,
                        const Index *depth, const Index **out);
/* The tile's axes, and what they say of rows and columns. */
void product_tiles(ProductPlan *p);
/* The loop over the blocks of rows of a tile, and those over the depth outside of the leaf, with
 * the probing axes inside.  open: loops are opened in the builder; false: axes are made, to ask how
 * indices move along them. */
void product_rows(ProductPlan *p, bool open);
void product_depth(ProductPlan *p, bool open);
/* The state of a member of the group that has the result's own shape; NULL: it has another. */
NodeState *product_result_member(const ProductPlan *p, int index);
/* Does the group store something in panels of the product's columns? */
bool product_stores_panels(const ProductPlan *p);
/* Are neighbours of what it stores neighbouring rows, so that vectors should go along them? */
bool product_stores_along_rows(ProductPlan *p);

/* contract_operands.c */
/* Offset in memory of the operand's element, when it is one plain load of the leaf's dtype;
 * `panels`: in a layout of its own.  NULL: it is something else. */
const Index *product_offset(ProductPlan *p, const Operand *o, const Index *across,
                            const Index *depth, int *slot, bool *panels);
/* The stride of an offset along an axis: NULL when it moves otherwise. */
const Dim *product_stride_along(ProductPlan *p, const Index *offset, int axis);
/* The index with 0 in the place of one axis. */
const Index *product_without(ProductPlan *p, const Index *a, int axis);
/* How the operand reaches the leaf; its probing axes are there. */
void product_operand(ProductPlan *p, Operand *o);

/* bands.c */
/* Does the group store something of the result's own shape? */
bool product_stores_result(const ProductPlan *p);
/* Sets what says of bands; the columns are the operand's labels from one on.  Without effect where
 * an extent is unknown. */
void product_bands(ProductPlan *p);

/* contract_ones.c */
enum { TILE_OUTER = -1 }; /* in the place of a tile: product_outer gives its elements */
/* The product of a row's and a column's only element along a depth of one. */
const Expr *product_outer(ProductPlan *p, const Index *row, const Index *column);
/* Branches for extents that turn out to be one; leaves the branch of the general way open, if there
 * are any. */
void product_open_general(ProductPlan *p, const Index *columns);

/* contract_dots.c */
/* Is the product possible with vectors along the depth, for less than `limit`?  Sets tile and cost.
 * `store`: cycles of an element. */
bool product_dots(ProductPlan *p, double store, double limit);
/* Parts the labels of the depth as that way does. */
void product_depth_of_dots(ProductPlan *p);
void product_build_dots(ProductPlan *p); /* the kernel, in p->b */

/* contract_build.c */
/* A stride, or a table of `entry` over `axis`, for a leaf that wants `count` of them. */
MmaAccess product_access(ProductPlan *p, const Dim *stride, const Index *entry, int axis,
                         const Index *count);
const Dim *product_whole_depth(ProductPlan *p); /* products that an element sums */
/* Where the depth may be empty at run time, the tile is zero. */
void product_zero_if_empty(ProductPlan *p, int tile, const Index *rows);
int product_tile(ProductPlan *p); /* scratch for one block of rows */
/* What is computed from the block's elements, which lie in the tile. */
void product_epilogue(ProductPlan *p, int tile, const Index *columns);
/* The kernel of a plan whose choices are made, in p->b. */
void product_build(ProductPlan *p);

#endif
