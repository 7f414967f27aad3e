/* What one call of a kernel does: operations on floating point numbers and bytes of memory.
 *
 * Input: a finished kernel.  Output: two dims over its symbols.  The operations of a product are
 * exact; those of loops are counted along the statements, with the extent of an axis for every loop
 * over it.  Bytes are the distinct elements that each parameter is read or written at, at most the
 * whole parameter: a gathered row counts as often as it is fetched, a broadcast value once.
 * Invariant: a loop that runs through its tile's share of an axis counts once for all tiles. */
#include "kernel/internal.h"

enum {
    LEVELS_MAX = 64,
    FUNCTION_FLOPS = 8 /* of exp, tanh, ...: about the operations of their polynomials */
};

/* A tile axis or an open loop; sets of levels are bit masks. */
typedef struct Level {
    int axis;
    const Dim *trip;
    uint64_t covers; /* levels whose shares of the axis this loop runs through */
} Level;

typedef struct Counter {
    DimTable *dims;
    const Kernel *kernel;
    Level levels[LEVELS_MAX];
    int depth;
    uint64_t *registers; /* levels that each depends on */
    const Dim *flops;
    const Dim **read, **written; /* [parameter_count] elements */
    bool wide;
} Counter;

static uint64_t expr_levels(const Counter *c, const Expr *e);

static uint64_t index_levels(const Counter *c, const Index *a) {
    uint64_t found = 0;
    for (int i = 0; a && i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        for (int k = 0; k < c->depth && atom->kind == ATOM_AXIS; k++)
            if (c->levels[k].axis == atom->axis) found |= UINT64_C(1) << k;
        found |= index_levels(c, atom->left) | index_levels(c, atom->right);
        if (atom->value) found |= expr_levels(c, atom->value);
    }
    return found;
}

static uint64_t expr_levels(const Counter *c, const Expr *e) {
    uint64_t found = e->kind == EXPR_REGISTER ? c->registers[e->reg] : 0;
    if (e->index) found |= index_levels(c, e->index);
    for (int i = 0; i < e->index_count; i++) found |= index_levels(c, e->indices[i]);
    for (int i = 0; e->guard && i < e->guard->count; i++)
        found |= index_levels(c, e->guard->tests[i].value);
    for (int i = 0; i < e->arg_count; i++) found |= expr_levels(c, e->args[i]);
    return found;
}

/* Iterations of these levels together. */
static const Dim *positions(const Counter *c, uint64_t levels) {
    const Dim *product = dim_const(c->dims, 1);
    for (int k = 0; k < c->depth; k++)
        if (levels >> k & 1) levels &= ~c->levels[k].covers;
    for (int k = 0; k < c->depth; k++)
        if (levels >> k & 1) product = dim_mul(c->dims, product, c->levels[k].trip);
    return product;
}

static const Dim *smaller(DimTable *dims, const Dim *a, const Dim *b) {
    if (!a || !b) return a ? a : b;
    if (dim_at_most(dims, a, b)) return a;
    if (dim_at_most(dims, b, a)) return b;
    return dim_sub(dims, dim_add(dims, a, b), dim_max(dims, a, b));
}

static void touch(Counter *c, const Dim **elements, int slot, const Dim *count) {
    if (slot < c->kernel->parameter_count) elements[slot] = dim_add(c->dims, elements[slot], count);
}

/* At most the whole parameter; asked once, when all has been added up, since a sum of minima of
 * symbols has no short form. */
static const Dim *touched(const Counter *c, const Dim *const *elements, int slot) {
    const Dim *whole = shape_elements(c->dims, &c->kernel->slots.data[slot].shape);
    return smaller(c->dims, elements[slot], whole);
}

/* Operations of the expression at one point; notes what it reads. */
static int64_t count_expr(Counter *c, const Expr *e);

static void count_index(Counter *c, const Index *a) {
    for (int i = 0; a && i < a->count; i++) {
        count_index(c, a->terms[i].atom->left);
        count_index(c, a->terms[i].atom->right);
        if (a->terms[i].atom->value) count_expr(c, a->terms[i].atom->value);
    }
}

static int64_t count_expr(Counter *c, const Expr *e) {
    int64_t flops = 0;
    for (int i = 0; i < e->arg_count; i++) flops += count_expr(c, e->args[i]);
    for (int i = 0; i < e->index_count; i++) count_index(c, e->indices[i]);
    if (e->index) count_index(c, e->index);
    if (e->kind == EXPR_LOAD) {
        uint64_t levels = 0;
        for (int i = 0; i < e->index_count; i++) levels |= index_levels(c, e->indices[i]);
        touch(c, c->read, e->slot, positions(c, levels));
    }
    if (e->kind != EXPR_OP || e->op == OP_SELECT || !dtype_is_float(e->dtype)) return flops;
    c->wide = c->wide || e->dtype == DTYPE_F64;
    return flops + (op_info(e->op)->properties & PROPERTY_CHEAP ? 1 : FUNCTION_FLOPS);
}

static void add_flops(Counter *c, int64_t flops) {
    const Dim *all = positions(c, c->depth ? UINT64_MAX >> (LEVELS_MAX - c->depth) : 0);
    c->flops = dim_add(c->dims, c->flops, dim_mul(c->dims, all, dim_const(c->dims, flops)));
}

static void count_stmt(Counter *c, const Stmt *s);

/* The beginning moves with tiles by equal steps: their shares make up the axis. */
static uint64_t shares(const Counter *c, const Index *begin) {
    for (int i = 0; i < begin->count; i++)
        if (begin->terms[i].atom->kind != ATOM_AXIS) return 0;
    return dim_is(begin->constant, 0) ? index_levels(c, begin) : 0;
}

static void count_loop(Counter *c, const Stmt *s) {
    const Dim *extent = c->kernel->axes.data[s->axis].extent;
    Level level = {s->axis, extent, shares(c, s->begin)};
    if (!s->end->count && !s->begin->count)
        level.trip =
            smaller(c->dims, dim_sub(c->dims, s->end->constant, s->begin->constant), extent);
    if (c->depth == LEVELS_MAX) {
        c->flops = NULL;
        return;
    }
    c->levels[c->depth++] = level;
    for (int i = 0; i < s->body.count; i++) count_stmt(c, s->body.data[i]);
    c->depth--;
    for (int i = 0; i < s->accumulator_count; i++) {
        const Accumulator *a = &s->accumulators[i];
        uint64_t open = c->depth ? UINT64_MAX >> (LEVELS_MAX - c->depth) : 0;
        c->registers[a->reg] &= open;
        if (a->reg_index >= 0) c->registers[a->reg_index] = c->registers[a->reg];
    }
}

static void count_mma(Counter *c, const Mma *m) {
    const Dim *rows = dim_const(c->dims, m->rows_max);
    const Dim *columns = dim_const(c->dims, m->columns_max);
    const Dim *depth = m->depth->count ? NULL : m->depth->constant; /* NULL: it varies */
    c->wide = c->wide || m->dtype == DTYPE_F64;
    for (int side = 0; side < 2; side++) {
        int slot = side ? m->b_slot : m->a_slot;
        if (slot >= c->kernel->parameter_count) continue;
        const Dim *whole = shape_elements(c->dims, &c->kernel->slots.data[slot].shape);
        uint64_t levels = index_levels(c, side ? m->b_base : m->a_base);
        const Dim *tile = dim_mul(c->dims, side ? columns : rows, depth);
        const Dim *all = dim_mul(c->dims, tile, positions(c, levels));
        touch(c, c->read, slot, depth ? all : whole);
    }
}

/* Every tile reads all of the depth. */
static void count_dot(Counter *c, const Dot *d) {
    const DotOperand *const sides[2] = {&d->a, &d->b};
    c->wide = c->wide || d->dtype == DTYPE_F64;
    for (int i = 0; i < 2; i++)
        if (sides[i]->slot < c->kernel->parameter_count)
            touch(c, c->read, sides[i]->slot,
                  shape_elements(c->dims, &c->kernel->slots.data[sides[i]->slot].shape));
}

static void count_stmt(Counter *c, const Stmt *s) {
    switch (s->kind) {
    case STMT_LOOP: count_loop(c, s); return;
    case STMT_BLOCK:
    case STMT_IF:
        for (int i = 0; i < s->body.count; i++) count_stmt(c, s->body.data[i]);
        return;
    case STMT_LET:
        add_flops(c, count_expr(c, s->value));
        c->registers[s->reg] = expr_levels(c, s->value);
        return;
    case STMT_SCAN:
    case STMT_ACCUMULATE: {
        bool counts = dtype_is_float(s->value->dtype) && !s->position;
        add_flops(c, count_expr(c, s->value) + counts);
        if (s->position) count_expr(c, s->position);
        c->registers[s->reg] |= expr_levels(c, s->value);
        return;
    }
    case STMT_STORE: {
        uint64_t levels = 0;
        add_flops(c, count_expr(c, s->value));
        for (int i = 0; i < s->index_count; i++) {
            count_index(c, s->indices[i]);
            levels |= index_levels(c, s->indices[i]);
        }
        touch(c, c->written, s->slot, positions(c, levels));
        return;
    }
    case STMT_TILE_PRODUCT: {
        const TileProduct *t = s->product;
        add_flops(c, 2 * t->rows * t->columns * t->chunk);
        return;
    }
    case STMT_MMA: count_mma(c, s->mma); return;
    case STMT_DOT: count_dot(c, s->dot); return;
    case STMT_PACK:
        if (s->pack->from_slot < c->kernel->parameter_count)
            touch(c, c->read, s->pack->from_slot,
                  shape_elements(c->dims, &c->kernel->slots.data[s->pack->from_slot].shape));
        return;
    case STMT_RANK:
        add_flops(c, count_expr(c, s->value));
        c->registers[s->reg] = expr_levels(c, s->value);
        if (s->slot < c->kernel->parameter_count)
            touch(c, c->read, s->slot,
                  shape_elements(c->dims, &c->kernel->slots.data[s->slot].shape));
        return;
    case STMT_ARGSORT:
    case STMT_BARRIER: return;
    }
}

/* Its matrices are read and written whole. */
static void count_library(Counter *c, const LibraryProduct *p) {
    const LibraryMatrix *const matrices[] = {&p->of_rows, &p->of_columns, &p->result};
    const Dim *const pairs[][2] = {
        {p->rows, p->depth}, {p->columns, p->depth}, {p->rows, p->columns}};
    const Dim *results = dim_mul(c->dims, p->batch, dim_mul(c->dims, p->rows, p->columns));
    const Dim *each = dim_mul(c->dims, p->depth, dim_const(c->dims, 2));
    if (p->bias_slot >= 0) each = dim_add(c->dims, each, dim_const(c->dims, 1));
    c->flops = dim_add(c->dims, c->flops, dim_mul(c->dims, results, each));
    c->wide = c->wide || p->dtype == DTYPE_F64;
    for (int i = 0; i < 3; i++) {
        const Dim *count = dim_mul(c->dims, pairs[i][0], pairs[i][1]);
        if (!dim_is(matrices[i]->batch, 0)) count = dim_mul(c->dims, count, p->batch);
        touch(c, i == 2 ? c->written : c->read, matrices[i]->slot, count);
    }
    if (p->bias_slot >= 0) touch(c, c->read, p->bias_slot, p->columns);
}

KernelCost kernel_cost(const KernelProgram *program, const Kernel *kernel) {
    Arena *arena = arena_new();
    DimTable *dims = program->program->dims;
    Counter counter = {.dims = dims, .kernel = kernel, .flops = dim_const(dims, 0)};
    Counter *c = &counter;
    c->registers = NEW_ARRAY(arena, (size_t)kernel->registers.count, uint64_t);
    c->read = NEW_ARRAY(arena, (size_t)kernel->parameter_count, const Dim *);
    c->written = NEW_ARRAY(arena, (size_t)kernel->parameter_count, const Dim *);
    for (int i = 0; i < kernel->parameter_count; i++)
        c->read[i] = c->written[i] = dim_const(dims, 0);
    for (int i = 0; i < kernel->tiles.count; i++)
        c->levels[c->depth++] = (Level){kernel->tiles.data[i].axis, kernel->tiles.data[i].count, 0};
    count_stmt(c, kernel->body);
    if (kernel->library) count_library(c, kernel->library);
    const Dim *bytes = dim_const(dims, 0);
    for (int i = 0; i < kernel->parameter_count; i++) {
        const Dim *elements = dim_add(dims, touched(c, c->read, i), touched(c, c->written, i));
        int64_t size = (int64_t)dtype_bytes(kernel->slots.data[i].dtype);
        bytes = dim_add(dims, bytes, dim_mul(dims, elements, dim_const(dims, size)));
    }
    const Dim *flops = kernel->flops ? dim_add(dims, c->flops, kernel->flops) : c->flops;
    arena_free(arena);
    return (KernelCost){flops, bytes, c->wide};
}
