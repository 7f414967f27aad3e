/* What the parts of the random graphs share: options, the stream of numbers, the pool of nodes.
 *
 * A builder adds nodes to one graph and keeps in `pool` those that later steps may read. */
#ifndef TESTS_NUMERIC_RANDOM_BASE_H
#define TESTS_NUMERIC_RANDOM_BASE_H

#include "tensor/autodiff/autodiff.h"
#include "tensor/program.h"

typedef struct RandomGraphOptions {
    uint64_t seed;
    int operators;      /* how many steps; about so many nodes */
    DType dtype;        /* of the floating tensors: f32 or f64 */
    bool gradient;      /* results are followed by gradients where they exist */
    bool discontinuous; /* comparisons, rounding, sorting, argmax of computed values */
    bool symbolic;      /* one extent is a symbol (the first of the table), to be bound to >= 1 */
    bool mixed;   /* several dtypes, integers and bools too; draws; all operators (random_wide.h) */
    bool hostile; /* with mixed: constants that are not finite, domains left, no guards */
    bool cells;   /* with mixed: parameters and other cells */
    int elements; /* of a tensor at most, symbols being 4; 0: 20000 */
    bool second;  /* with gradient: gradients of the gradients too */
} RandomGraphOptions;

typedef struct RandomState {
    uint64_t bits;
} RandomState;

static inline uint64_t random_graph_next(RandomState *r) {
    uint64_t z = r->bits += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}
static inline int random_graph_below(RandomState *r, int n) {
    return (int)(random_graph_next(r) % (uint64_t)n);
}
/* Uniform in [-2, 2), exact in f32. */
static inline double random_graph_number(RandomState *r) {
    return (double)(random_graph_next(r) >> 44) * 0x1p-18 - 2.0;
}

enum { RANDOM_GRAPH_ELEMENTS = 20000 };

typedef struct RandomBuilder {
    Graph *g;
    RandomState state;
    RandomGraphOptions options;
    const Dim *symbol, *second_symbol;
    VECTOR(Node *) pool; /* without `mixed` of options.dtype only */
    DType dtypes[5];     /* that mixed graphs compute in */
    int dtype_count;
    uint32_t site; /* of the next draw */
    VECTOR(Cell *) cells;
    VECTOR(Node *) cell_nodes;
    int depth; /* of scans around */
} RandomBuilder;

static inline int rg_below(RandomBuilder *b, int n) {
    return random_graph_below(&b->state, n);
}
static inline bool rg_coin(RandomBuilder *b) {
    return rg_below(b, 2);
}
static inline const Dim *rg_dim(RandomBuilder *b, int64_t v) {
    return dim_const(b->g->dims, v);
}

/* Elements with the symbol at 4. */
static inline int64_t rg_elements(RandomBuilder *b, const Shape *s) {
    int64_t count = 1;
    for (int i = 0; i < s->rank; i++) {
        int64_t extent, bindings[8] = {4, 4, 4, 4, 4, 4, 4, 4};
        if (dim_symbol_count(b->g->dims) > 8 || !dim_evaluate(s->dims[i], bindings, &extent) ||
            !checked_mul(count, extent, &count))
            return INT64_MAX;
    }
    return count;
}
static inline bool rg_fits(RandomBuilder *b, const Shape *s) {
    int limit = b->options.elements ? b->options.elements : RANDOM_GRAPH_ELEMENTS;
    return s->rank <= 6 && rg_elements(b, s) <= limit;
}

static inline const Dim *rg_extent(RandomBuilder *b) {
    static const int extents[] = {0, 1, 2, 3, 7, 8, 9, 16, 17, 31, 33};
    if (b->second_symbol && rg_below(b, 9) == 0) return b->second_symbol;
    if (b->symbol && rg_below(b, 5) == 0) return b->symbol;
    int which = rg_below(b, 11);
    if (which == 0 && rg_below(b, 12)) which = 3; /* empty tensors, but not too often */
    return rg_dim(b, extents[which]);
}

static inline Shape rg_shape(RandomBuilder *b) {
    Shape s = {.rank = rg_below(b, 6)};
    do {
        for (int i = 0; i < s.rank; i++) s.dims[i] = rg_extent(b);
        if (!rg_fits(b, &s)) s.rank--;
    } while (!rg_fits(b, &s));
    return s;
}

static inline Node *rg_input(RandomBuilder *b, DType dtype, Shape shape) {
    char name[16] = "x";
    int at = b->g->inputs.count;
    name[1] = (char)('a' + at / 26 % 26);
    name[2] = (char)('a' + at % 26);
    return op_input(b->g, name_of(name), (TensorType){dtype, shape});
}
static inline Node *rg_number(RandomBuilder *b, double value, Shape shape) {
    return op_const(b->g, value, (TensorType){b->options.dtype, shape});
}

/* A node of the current dtype from the pool, recent ones more often; a cast one at need. */
static inline Node *rg_pick(RandomBuilder *b) {
    int count = b->pool.count, from = rg_coin(b) && count > 6 ? count - 6 : 0;
    Node *x = NULL;
    for (int tries = 0; tries < 8; tries++) {
        x = b->pool.data[from + rg_below(b, count - from)];
        if (x->type.dtype == b->options.dtype) return x;
    }
    return op_cast(b->g, x, b->options.dtype);
}
/* A floating node of exactly this shape: from the pool, a constant, or a new input. */
static inline Node *rg_pick_like(RandomBuilder *b, const Shape *shape) {
    for (int tries = 0; tries < 6; tries++) {
        Node *x = b->pool.data[rg_below(b, b->pool.count)];
        if (shape_equal(&x->type.shape, shape) && x->type.dtype == b->options.dtype) return x;
    }
    if (rg_below(b, 4) == 0)
        return rg_number(b, dtype_is_float(b->options.dtype) ? 0.5 : 1, *shape);
    return rg_input(b, b->options.dtype, *shape);
}
static inline int rg_axis(RandomBuilder *b, const Node *x) {
    return rg_below(b, x->type.shape.rank);
}
/* Row numbers in [0, extent): any integers of an input, wrapped. */
static inline Node *rg_index(RandomBuilder *b, Shape shape, const Dim *extent) {
    static const DType dtypes[] = {DTYPE_I64, DTYPE_I32, DTYPE_I64, DTYPE_I16};
    DType dtype = b->options.mixed ? dtypes[rg_below(b, 4)] : DTYPE_I64;
    Node *any = rg_input(b, dtype, shape);
    Node *limit = op_dim(b->g, extent, dtype);
    if (shape.rank) limit = op_expand(b->g, limit, shape, (const int[]){0});
    return op_binary(b->g, OP_MOD, any, limit);
}
static inline bool rg_positive(const Dim *d) {
    int64_t low, high;
    dim_bounds(d, &low, &high);
    return low >= 1;
}

/* A cell of its own, read once; in a subgraph an input. */
static inline Node *rg_cell(RandomBuilder *b, CellRole role, TensorType type) {
    bool constant = true;
    int64_t extent;
    for (int i = 0; i < type.shape.rank; i++) constant &= dim_is_const(type.shape.dims[i], &extent);
    if (!b->options.cells || b->depth || !constant || b->cells.count == 6)
        return rg_input(b, type.dtype, type.shape);
    Cell *cell = NEW(b->g->arena, Cell);
    cell->name = name_of(arena_printf(b->g->arena, "c%d", b->cells.count));
    cell->role = role;
    cell->type = type;
    cell->index = b->cells.count;
    Node *node = op_cell(b->g, cell, type);
    vector_push(b->g->arena, &b->cells, cell);
    vector_push(b->g->arena, &b->cell_nodes, node);
    return node;
}

#endif
