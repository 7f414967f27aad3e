/* The builder: expressions, scopes and statements of one kernel, and interning of finished kernels.
 *
 * Input: calls of the schedules.  Output: a Kernel in the program and a CALL step.
 * Invariant: a register is assigned in the outermost scope that knows all axes, registers and
 * scratch that its value reads, so that what does not change in an inner loop is computed once. */
#include "kernel/internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- expressions ---- */

typedef struct ExprCell {
    Expr expr;
    struct ExprCell *next;
} ExprCell;

static uint32_t mix(uint32_t h, uint64_t v) {
    h ^= (uint32_t)(v ^ (v >> 32));
    h *= 0x9e3779b1u;
    return h ^ (h >> 13);
}

static bool same_expr(const Expr *a, const Expr *b) {
    if (a->kind != b->kind || a->dtype != b->dtype || a->op != b->op || a->slot != b->slot ||
        a->reg != b->reg || memcmp(&a->number, &b->number, sizeof a->number) ||
        a->integer != b->integer || a->index != b->index || a->random != b->random ||
        a->site != b->site || a->index_count != b->index_count || a->guard != b->guard ||
        a->arg_count != b->arg_count)
        return false;
    for (int i = 0; i < a->index_count; i++)
        if (a->indices[i] != b->indices[i]) return false;
    for (int i = 0; i < a->arg_count; i++)
        if (a->args[i] != b->args[i]) return false;
    return true;
}

static const Expr *make(Builder *b, Expr key) {
    uint32_t h = mix(key.kind + 3u, (uint64_t)key.op * 64 + (uint64_t)key.dtype);
    h = mix(h, (uint64_t)key.slot * 4096 + (uint64_t)key.reg);
    h = mix(h, (uint64_t)key.integer ^ (uint64_t)(uintptr_t)key.index);
    for (int i = 0; i < key.index_count; i++) h = mix(h, (uintptr_t)key.indices[i]);
    for (int i = 0; i < key.arg_count; i++) h = mix(h, (uintptr_t)key.args[i]);
    ExprCell **bucket = &b->cells[h % 256];
    for (ExprCell *c = *bucket; c; c = c->next)
        if (same_expr(&c->expr, &key)) return &c->expr;
    ExprCell *c = NEW(b->arena, ExprCell);
    c->expr = key;
    c->next = *bucket;
    *bucket = c;
    return &c->expr;
}

const Expr *expr_const(Builder *b, DType dtype, double number) {
    if (!dtype_is_float(dtype)) return expr_const_int(b, dtype, (int64_t)number);
    return make(b, (Expr){.kind = EXPR_CONST, .dtype = dtype, .number = number});
}

const Expr *expr_const_int(Builder *b, DType dtype, int64_t value) {
    if (dtype_is_float(dtype)) return expr_const(b, dtype, (double)value);
    return make(b, (Expr){.kind = EXPR_CONST, .dtype = dtype, .integer = value});
}

const Expr *expr_index(Builder *b, const Index *index, DType dtype) {
    int64_t value;
    if (index_is_const(index, &value)) return expr_const_int(b, dtype, value);
    return make(b, (Expr){.kind = EXPR_INDEX, .dtype = dtype, .index = index});
}

const Shape *builder_slot_shape(Builder *b, int slot) {
    return slot >= SCRATCH_BASE ? &b->scratch.data[slot - SCRATCH_BASE].shape
                                : &b->kernel->slots.data[slot].shape;
}

const Expr *expr_load(Builder *b, int slot, const Index *const *indices, int count) {
    DType dtype = slot >= SCRATCH_BASE ? b->scratch.data[slot - SCRATCH_BASE].dtype
                                       : b->kernel->slots.data[slot].dtype;
    const Index **copy = NEW_ARRAY(b->arena, (size_t)count, const Index *);
    for (int i = 0; i < count; i++) copy[i] = indices[i];
    return make(b, (Expr){.kind = EXPR_LOAD,
                          .dtype = dtype,
                          .slot = slot,
                          .index_count = count,
                          .indices = copy});
}

const Expr *expr_op(Builder *b, Op op, DType dtype, const Expr *const *args, int count) {
    Expr e = {.kind = EXPR_OP, .dtype = dtype, .op = op, .arg_count = count};
    for (int i = 0; i < count; i++) e.args[i] = args[i];
    return make(b, e);
}

const Expr *expr_cast(Builder *b, const Expr *a, DType dtype) {
    if (a->dtype == dtype) return a;
    if (a->kind == EXPR_INDEX && dtype == DTYPE_I64) return expr_index(b, a->index, dtype);
    return make(b, (Expr){.kind = EXPR_CAST, .dtype = dtype, .arg_count = 1, .args = {a}});
}

const Expr *expr_guard(Builder *b, const Guard *guard, const Expr *value, const Expr *fill) {
    if (!guard) return value;
    if (value->kind == EXPR_GUARD && value->guard == guard) value = value->args[0];
    return make(b, (Expr){.kind = EXPR_GUARD,
                          .dtype = value->dtype,
                          .guard = guard,
                          .arg_count = 2,
                          .args = {value, fill}});
}

const Expr *expr_register(Builder *b, int reg) {
    DType dtype = b->kernel->registers.data[reg].dtype;
    return make(b, (Expr){.kind = EXPR_REGISTER, .dtype = dtype, .reg = reg});
}

const Expr *expr_random(Builder *b, const RandomAttr *random, const Index *element, DType dtype) {
    Kernel *k = b->kernel;
    int site = 0;
    while (site < k->sites.count && k->sites.data[site] != random->site) site++;
    if (site == k->sites.count) vector_push(b->arena, &k->sites, random->site);
    return make(
        b,
        (Expr){
            .kind = EXPR_RANDOM, .dtype = dtype, .random = random, .site = site, .index = element});
}

static bool guard_depends(const Guard *guard, int axis) {
    for (int i = 0; guard && i < guard->count; i++)
        if (index_depends(guard->tests[i].value, axis)) return true;
    return false;
}

bool expr_depends(const Expr *e, int axis) {
    switch (e->kind) {
    case EXPR_CONST: return false;
    case EXPR_REGISTER: return true; /* unknown here: the cautious answer */
    case EXPR_INDEX:
    case EXPR_RANDOM: return index_depends(e->index, axis);
    case EXPR_LOAD:
        for (int i = 0; i < e->index_count; i++)
            if (index_depends(e->indices[i], axis)) return true;
        return false;
    case EXPR_GUARD:
        if (guard_depends(e->guard, axis)) return true;
        break;
    case EXPR_OP:
    case EXPR_CAST: break;
    }
    for (int i = 0; i < e->arg_count; i++)
        if (expr_depends(e->args[i], axis)) return true;
    return false;
}

const Guard *guard_and(Builder *b, const Guard *a, Test test) {
    for (int i = 0; a && i < a->count; i++) {
        const Test *x = &a->tests[i];
        if (x->kind == test.kind && x->value == test.value && x->lower == test.lower &&
            x->upper == test.upper && x->modulus == test.modulus)
            return a;
    }
    Guard *g = NEW(b->arena, Guard);
    g->count = (a ? a->count : 0) + 1;
    Test *tests = NEW_ARRAY(b->arena, (size_t)g->count, Test);
    for (int i = 0; a && i < a->count; i++) tests[i] = a->tests[i];
    tests[g->count - 1] = test;
    g->tests = tests;
    return g;
}

const Guard *guard_range(Builder *b, const Guard *a, const Index *value, const Dim *lower,
                         const Dim *upper) {
    const Dim *lo, *hi;
    index_bounds(b->table, value, &lo, &hi);
    if (lower && lo && dim_at_most(b->dims, lower, lo)) lower = NULL;
    if (upper && hi && dim_at_most(b->dims, dim_add(b->dims, hi, dim_const(b->dims, 1)), upper))
        upper = NULL;
    if (!lower && !upper) return a;
    return guard_and(b, a, (Test){TEST_RANGE, value, lower, upper, 0});
}

/* ---- the builder ---- */

Builder *builder_new(KernelProgram *program, Arena *arena) {
    Builder *b = NEW(arena, Builder);
    b->program = program;
    b->table = program->indices;
    b->dims = index_dims(program->indices);
    b->arena = arena;
    b->kernel = NEW(b->arena, Kernel);
    b->kernel->body = NEW(b->arena, Stmt);
    b->kernel->body->kind = STMT_BLOCK;
    b->scopes[0].block = b->kernel->body;
    return b;
}

static int new_axis(Builder *b, const char *name, const Dim *extent, int depth) {
    char *unique = arena_printf(b->arena, "%s%d", name, b->kernel->axes.count);
    KernelAxis axis = {unique, extent};
    vector_push(b->arena, &b->kernel->axes, axis);
    vector_push(b->arena, &b->axis_depth, depth);
    return b->kernel->axes.count - 1;
}

int builder_axis(Builder *b, const char *name, const Dim *extent) {
    return new_axis(b, name, extent, 0);
}

const Index *builder_axis_index(Builder *b, int axis) {
    return index_axis(b->table, axis, b->kernel->axes.data[axis].extent);
}

const Index *builder_tile(Builder *b, const char *name, const Dim *count) {
    if (dim_is(count, 1)) return index_const(b->table, 0);
    int axis = new_axis(b, name, count, 0);
    TileAxis tile = {axis, count};
    vector_push(b->arena, &b->kernel->tiles, tile);
    return builder_axis_index(b, axis);
}

static Stmt *new_stmt(Builder *b, StmtKind kind) {
    Stmt *s = NEW(b->arena, Stmt);
    s->kind = kind;
    return s;
}

Stmt *builder_open(Builder *b, int axis, const Index *begin, const Index *end, Binding binding) {
    if (b->depth + 1 >= MAX_SCOPES) abort();
    Stmt *loop = new_stmt(b, STMT_LOOP);
    loop->axis = axis;
    loop->begin = begin ? begin : index_const(b->table, 0);
    loop->end = end ? end : index_dim(b->table, b->kernel->axes.data[axis].extent);
    loop->binding = binding;
    b->scopes[b->depth + 1] = (Scope){loop, loop, b->scopes[b->depth].floor};
    b->depth++;
    b->axis_depth.data[axis] = b->depth;
    return loop;
}

void builder_open_if(Builder *b, const Guard *guard) {
    if (b->depth + 1 >= MAX_SCOPES) abort();
    Stmt *branch = new_stmt(b, STMT_IF);
    branch->guard = guard;
    b->scopes[b->depth + 1] = (Scope){branch, branch, b->depth + 1};
    b->depth++;
}

void builder_close(Builder *b) {
    Stmt *loop = b->scopes[b->depth--].loop;
    vector_push(b->arena, &b->scopes[b->depth].block->body, loop);
}

void builder_go_out(Builder *b, int depth, OpenScopes *open) {
    memcpy(open->scopes, b->scopes, sizeof open->scopes);
    open->depth = b->depth;
    b->depth = depth;
}

void builder_return(Builder *b, const OpenScopes *open) {
    memcpy(b->scopes, open->scopes, sizeof open->scopes);
    b->depth = open->depth;
}

int builder_register(Builder *b, DType dtype, const char *name) {
    Register r = {dtype, name};
    vector_push(b->arena, &b->kernel->registers, r);
    vector_push(b->arena, &b->register_depth, b->depth);
    return b->kernel->registers.count - 1;
}

void builder_accumulator(Builder *b, Stmt *loop, ReduceKind kind, int reg, int reg_index) {
    int n = loop->accumulator_count;
    Accumulator *list = NEW_ARRAY(b->arena, (size_t)n + 1, Accumulator);
    for (int i = 0; i < n; i++) list[i] = loop->accumulators[i];
    list[n] = (Accumulator){kind, reg, reg_index};
    loop->accumulators = list;
    loop->accumulator_count = n + 1;
}

void builder_accumulate(Builder *b, ReduceKind kind, int reg, const Expr *value,
                        const Expr *position) {
    Stmt *s = builder_leaf(b, STMT_ACCUMULATE);
    s->reg = reg;
    s->value = value;
    s->position = position;
    s->combine = kind;
}

int builder_index_depth(Builder *b, const Index *a) {
    int depth = 0;
    for (int i = 0; i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        int d = 0;
        if (atom->kind == ATOM_AXIS) d = b->axis_depth.data[atom->axis];
        if (atom->left) d = builder_index_depth(b, atom->left);
        if (d > depth) depth = d;
        if (atom->right && (d = builder_index_depth(b, atom->right)) > depth) depth = d;
        if (atom->value && (d = builder_expr_depth(b, atom->value)) > depth) depth = d;
    }
    return depth;
}

int builder_expr_depth(Builder *b, const Expr *e) {
    int depth = 0, d;
    if (e->kind == EXPR_REGISTER) return b->register_depth.data[e->reg];
    if (e->index && (d = builder_index_depth(b, e->index)) > depth) depth = d;
    if (e->kind == EXPR_LOAD && e->slot >= SCRATCH_BASE)
        depth = b->slot_depth.data[e->slot - SCRATCH_BASE];
    for (int i = 0; i < e->index_count; i++)
        if ((d = builder_index_depth(b, e->indices[i])) > depth) depth = d;
    for (int i = 0; e->guard && i < e->guard->count; i++)
        if ((d = builder_index_depth(b, e->guard->tests[i].value)) > depth) depth = d;
    for (int i = 0; i < e->arg_count; i++)
        if ((d = builder_expr_depth(b, e->args[i])) > depth) depth = d;
    return depth;
}

const Expr *builder_let(Builder *b, const Expr *value, const char *name) {
    if (value->kind == EXPR_REGISTER || value->kind == EXPR_CONST) return value;
    int depth = builder_expr_depth(b, value);
    if (depth < b->scopes[b->depth].floor) depth = b->scopes[b->depth].floor;
    if (depth > b->depth) abort();
    int reg = builder_register(b, value->dtype, name);
    b->register_depth.data[reg] = depth;
    Stmt *s = new_stmt(b, STMT_LET);
    s->reg = reg;
    s->value = value;
    vector_push(b->arena, &b->scopes[depth].block->body, s);
    return expr_register(b, reg);
}

const Expr *builder_let_here(Builder *b, const Expr *value, const char *name) {
    if (value->kind == EXPR_REGISTER || value->kind == EXPR_CONST) return value;
    int reg = builder_register(b, value->dtype, name);
    Stmt *s = builder_leaf(b, STMT_LET);
    s->reg = reg;
    s->value = value;
    return expr_register(b, reg);
}

int builder_slot(Builder *b, Buffer *buffer, Access access) {
    for (int i = 0; i < b->bindings.count; i++) {
        if (b->bindings.data[i] == buffer) {
            b->kernel->slots.data[i].access |= access;
            return i;
        }
    }
    Slot slot = {.dtype = buffer->dtype,
                 .shape = buffer->shape,
                 .layout = buffer->layout,
                 .access = access,
                 .name = arena_printf(b->arena, "p%d", b->bindings.count)};
    vector_push(b->arena, &b->kernel->slots, slot);
    vector_push(b->arena, &b->bindings, buffer);
    return b->bindings.count - 1;
}

int builder_scratch(Builder *b, const char *name, DType dtype, Shape shape) {
    return builder_scratch_in(b, SPACE_WORKER, name, dtype, shape);
}

int builder_scratch_in(Builder *b, Space space, const char *name, DType dtype, Shape shape) {
    Slot slot = {.dtype = dtype,
                 .shape = shape,
                 .access = ACCESS_UPDATE,
                 .scratch = true,
                 .space = space,
                 .name = arena_printf(b->arena, "%s%d", name, b->scratch.count)};
    vector_push(b->arena, &b->scratch, slot);
    vector_push(b->arena, &b->slot_depth, b->depth);
    return SCRATCH_BASE + b->scratch.count - 1;
}

void builder_clear(Builder *b, int slot) {
    b->scratch.data[slot - SCRATCH_BASE].cleared = true;
}

Stmt *builder_leaf(Builder *b, StmtKind kind) {
    Stmt *s = new_stmt(b, kind);
    vector_push(b->arena, &b->scopes[b->depth].block->body, s);
    return s;
}

void builder_store(Builder *b, int slot, const Index *const *indices, int count, const Expr *value,
                   const Guard *guard) {
    const Index **copy = NEW_ARRAY(b->arena, (size_t)count, const Index *);
    for (int i = 0; i < count; i++) copy[i] = indices[i];
    Stmt *s = builder_leaf(b, STMT_STORE);
    s->slot = slot;
    s->indices = copy;
    s->index_count = count;
    s->value = value;
    s->guard = guard;
}

void builder_describe(Builder *b, const Node *n) {
    Kernel *k = b->kernel;
    k->backward |= n->backward;
    if (!n->span.file || n->span.file->is_prelude) return;
    int line = span_line(n->span), at = 0;
    if (!k->file) k->file = n->span.file->path;
    while (at < k->lines.count && k->lines.data[at] < line) at++;
    if (at < k->lines.count && k->lines.data[at] == line) return;
    vector_push(b->arena, &k->lines, line);
    for (int i = k->lines.count - 1; i > at; i--) k->lines.data[i] = k->lines.data[i - 1];
    k->lines.data[at] = line;
}

/* ---- finishing ---- */

/* Scratch slots follow the parameters: their numbers are known only now.  Expressions are shared,
 * so each is patched once: a slot number below SCRATCH_BASE is final. */
static void patch_expr(Builder *b, const Expr *e);

static void patch_index(Builder *b, const Index *a) {
    for (int i = 0; a && i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        if (atom->left) patch_index(b, atom->left);
        if (atom->right) patch_index(b, atom->right);
        if (atom->value) patch_expr(b, atom->value);
    }
}

static void patch_guard(Builder *b, const Guard *g) {
    for (int i = 0; g && i < g->count; i++) patch_index(b, g->tests[i].value);
}

static void patch_expr(Builder *b, const Expr *e) {
    if (!e) return;
    if (e->kind == EXPR_LOAD && e->slot >= SCRATCH_BASE)
        ((Expr *)e)->slot = b->bindings.count + e->slot - SCRATCH_BASE;
    patch_index(b, e->index);
    for (int i = 0; i < e->index_count; i++) patch_index(b, e->indices[i]);
    patch_guard(b, e->guard);
    for (int i = 0; i < e->arg_count; i++) patch_expr(b, e->args[i]);
}

static int patch_slot(Builder *b, int slot) {
    return slot >= SCRATCH_BASE ? b->bindings.count + slot - SCRATCH_BASE : slot;
}

static void patch_stmt(Builder *b, Stmt *s) {
    for (int i = 0; i < s->body.count; i++) patch_stmt(b, s->body.data[i]);
    s->slot = patch_slot(b, s->slot);
    patch_expr(b, s->value);
    patch_expr(b, s->position);
    for (int i = 0; i < s->index_count; i++) patch_index(b, s->indices[i]);
    patch_guard(b, s->guard);
    patch_index(b, s->begin);
    patch_index(b, s->end);
    if (s->mma) {
        Mma *m = s->mma;
        m->tile_slot = patch_slot(b, m->tile_slot);
        m->a_slot = patch_slot(b, m->a_slot);
        m->b_slot = patch_slot(b, m->b_slot);
        m->a_row.table_slot = patch_slot(b, m->a_row.table_slot);
        m->a_depth.table_slot = patch_slot(b, m->a_depth.table_slot);
        m->b_depth.table_slot = patch_slot(b, m->b_depth.table_slot);
    }
    if (s->dot) {
        DotOperand *const sides[2] = {&s->dot->a, &s->dot->b};
        s->dot->tile_slot = patch_slot(b, s->dot->tile_slot);
        for (int i = 0; i < 2; i++) {
            sides[i]->slot = patch_slot(b, sides[i]->slot);
            sides[i]->across.table_slot = patch_slot(b, sides[i]->across.table_slot);
        }
    }
    if (s->pack) {
        s->pack->to_slot = patch_slot(b, s->pack->to_slot);
        s->pack->from_slot = patch_slot(b, s->pack->from_slot);
    }
    if (s->argsort) {
        ArgsortLeaf *a = s->argsort;
        a->keys_slot = patch_slot(b, a->keys_slot);
        a->order_slot = patch_slot(b, a->order_slot);
        a->spare_slot = patch_slot(b, a->spare_slot);
    }
    if (s->product) {
        TileProduct *t = s->product;
        t->rows_slot = patch_slot(b, t->rows_slot);
        t->columns_slot = patch_slot(b, t->columns_slot);
        t->sums_slot = patch_slot(b, t->sums_slot);
    }
}

/* ---- symbols: in order of first appearance, with a trace that tells apart symbols of one name
 * ---- */

typedef struct Walk {
    Builder *b;
    Kernel *kernel;
    Text trace;
    int *uses; /* of each register; then nothing is told of symbols */
} Walk;

static void walk_dim(Walk *w, const Dim *d) {
    for (int i = 0; d && !w->uses && i < d->term_count; i++) {
        for (int f = 0; f < d->terms[i].factor_count; f++) {
            const DimAtom *a = d->terms[i].factors[f].atom;
            if (a->kind != DIM_ATOM_SYMBOL) {
                walk_dim(w, a->left);
                walk_dim(w, a->right);
                continue;
            }
            int at = 0;
            while (at < w->kernel->symbols.count && w->kernel->symbols.data[at] != a->symbol) at++;
            if (at == w->kernel->symbols.count)
                vector_push(w->b->arena, &w->kernel->symbols, a->symbol);
            text_printf(&w->trace, " %d", at);
        }
    }
}

static void walk_expr(Walk *w, const Expr *e);

static void walk_index(Walk *w, const Index *a) {
    if (!a) return;
    for (int i = 0; i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        walk_dim(w, a->terms[i].factor);
        walk_index(w, atom->left);
        walk_index(w, atom->right);
        walk_dim(w, atom->divisor);
        if (atom->value) walk_expr(w, atom->value);
    }
    walk_dim(w, a->constant);
}

static void walk_guard(Walk *w, const Guard *g) {
    for (int i = 0; g && i < g->count; i++) {
        walk_index(w, g->tests[i].value);
        walk_dim(w, g->tests[i].lower);
        walk_dim(w, g->tests[i].upper);
    }
}

static void walk_expr(Walk *w, const Expr *e) {
    if (!e) return;
    if (w->uses && e->kind == EXPR_REGISTER) w->uses[e->reg]++;
    walk_index(w, e->index);
    for (int i = 0; i < e->index_count; i++) walk_index(w, e->indices[i]);
    walk_guard(w, e->guard);
    for (int i = 0; i < e->arg_count; i++) walk_expr(w, e->args[i]);
}

static void walk_stmt(Walk *w, const Stmt *s) {
    walk_index(w, s->begin);
    walk_index(w, s->end);
    walk_expr(w, s->value);
    walk_expr(w, s->position);
    for (int i = 0; i < s->index_count; i++) walk_index(w, s->indices[i]);
    walk_guard(w, s->guard);
    const LeafParts leaf = kernel_leaf_parts(s);
    for (int i = 0; i < leaf.index_count; i++) walk_index(w, leaf.indices[i]);
    for (int i = 0; i < leaf.dim_count; i++) walk_dim(w, leaf.dims[i]);
    for (int i = 0; i < s->body.count; i++) walk_stmt(w, s->body.data[i]);
}

static void walk_library(Walk *w, const LibraryProduct *p) {
    const Dim *dims[LIBRARY_DIMS];
    kernel_library_dims(p, dims);
    for (int i = 0; i < LIBRARY_DIMS; i++) walk_dim(w, dims[i]);
}

static void walk_kernel(Walk *w) {
    Kernel *k = w->kernel;
    for (int i = 0; i < k->tiles.count; i++) walk_dim(w, k->tiles.data[i].count);
    for (int i = 0; i < k->axes.count; i++) walk_dim(w, k->axes.data[i].extent);
    for (int i = 0; i < k->slots.count; i++) {
        const Slot *s = &k->slots.data[i];
        for (int d = 0; d < s->shape.rank; d++) walk_dim(w, s->shape.dims[d]);
        for (int d = 0; s->layout && d < s->layout->count; d++)
            walk_dim(w, s->layout->axes[d].extent);
    }
    walk_stmt(w, k->body);
    if (k->library) walk_library(w, k->library);
}

/* ---- what nobody reads ---- */

/* Takes out the registers that nothing uses; true: there were some. */
static bool drop_unused(Stmt *block, const int *uses) {
    bool dropped = false;
    int kept = 0;
    for (int i = 0; i < block->body.count; i++) {
        Stmt *s = block->body.data[i];
        if (s->kind == STMT_LET && !uses[s->reg]) {
            dropped = true;
            continue;
        }
        dropped = drop_unused(s, uses) || dropped;
        block->body.data[kept++] = s;
    }
    block->body.count = kept;
    return dropped;
}

/* A value may be put into a register for an expression that then turns out to be a constant. */
static void drop_unused_registers(Builder *b) {
    Walk all = {.b = b, .kernel = b->kernel};
    do {
        all.uses = NEW_ARRAY(b->arena, (size_t)b->kernel->registers.count + 1, int);
        walk_stmt(&all, b->kernel->body);
    } while (drop_unused(b->kernel->body, all.uses));
}

/* ---- what one thread alone stores is computed by that thread alone: others would read memory that
 * it changes meanwhile ---- */

static bool is_for_one(const Stmt *s) {
    int64_t end;
    return s->kind == STMT_LOOP && !s->accumulator_count &&
           (s->binding == BIND_THREAD || s->binding == BIND_WARP || s->binding == BIND_LANE) &&
           index_is_const(s->end, &end) && end == 1;
}

static bool only_computes(const Stmt *s) {
    bool found = s->kind == STMT_BLOCK || s->kind == STMT_LOOP || s->kind == STMT_IF ||
                 s->kind == STMT_LET || s->kind == STMT_ACCUMULATE;
    for (int i = 0; found && i < s->body.count; i++) found = only_computes(s->body.data[i]);
    return found;
}

/* The values that nobody else uses go to the head of the loop; past whatever stores nothing. */
static void move_values(Builder *b, Stmt *block, int loop, const int *uses) {
    Stmt *one = block->body.data[loop];
    Walk inside = {.b = b, .kernel = b->kernel};
    inside.uses = NEW_ARRAY(b->arena, (size_t)b->kernel->registers.count + 1, int);
    walk_stmt(&inside, one);
    for (int i = loop - 1; i >= 0 && only_computes(block->body.data[i]); i--) {
        Stmt *s = block->body.data[i];
        if (s->kind != STMT_LET || !uses[s->reg] || inside.uses[s->reg] != uses[s->reg]) continue;
        walk_stmt(&inside, s);
        vector_push(b->arena, &one->body, s);
        for (int k = one->body.count - 1; k > 0; k--) one->body.data[k] = one->body.data[k - 1];
        one->body.data[0] = s;
        for (int k = i; k + 1 < block->body.count; k++)
            block->body.data[k] = block->body.data[k + 1];
        block->body.count--;
    }
}

/* Outer loops first: what they get may go on to an inner one. */
static void move_values_within(Builder *b, Stmt *block, const int *uses) {
    for (int i = 0; i < block->body.count; i++) {
        Stmt *s = block->body.data[i];
        const int before = block->body.count;
        if (is_for_one(s)) move_values(b, block, i, uses);
        i -= before - block->body.count;
        move_values_within(b, s, uses);
    }
}

static void leave_to_one(Builder *b) {
    Walk all = {.b = b, .kernel = b->kernel};
    all.uses = NEW_ARRAY(b->arena, (size_t)b->kernel->registers.count + 1, int);
    walk_stmt(&all, b->kernel->body);
    move_values_within(b, b->kernel->body, all.uses);
}

static const char *identifier(Arena *arena, const char *path, const char *what, int id) {
    Text t = text_new(arena);
    text_printf(&t, "k%d", id);
    const char *parts[2] = {path ? path : "", what};
    for (int p = 0; p < 2; p++) {
        if (*parts[p]) text_char(&t, '_');
        for (const char *s = parts[p]; *s && t.length < 60; s++)
            text_char(&t, isalnum((unsigned char)*s) ? *s : '_');
    }
    return t.data;
}

/* ---- interning ---- */

/* Of what is printed of them: kernels that read the same have the same hash. */
static uint32_t hash_expr(uint32_t hash, const Expr *e) {
    hash = mix(hash, (uint64_t)e->kind);
    if (e->kind == EXPR_OP) hash = mix(hash, (uint64_t)e->op);
    if (e->kind == EXPR_CAST) hash = mix(hash, (uint64_t)e->dtype);
    if (e->kind == EXPR_REGISTER) hash = mix(hash, (uint64_t)e->reg);
    if (e->kind == EXPR_CONST && !dtype_is_float(e->dtype)) hash = mix(hash, (uint64_t)e->integer);
    for (int i = 0; i < e->arg_count; i++) hash = hash_expr(hash, e->args[i]);
    return hash;
}

static uint32_t hash_stmt(uint32_t hash, const Stmt *s) {
    int64_t end;
    if (s->kind != STMT_BLOCK) hash = mix(hash, (uint64_t)s->kind);
    if (s->kind == STMT_LOOP) {
        hash = mix(hash, (uint64_t)s->binding << 8 | (uint64_t)s->accumulator_count);
        if (index_is_const(s->end, &end)) hash = mix(hash, (uint64_t)end);
    }
    if (s->kind == STMT_LET || s->kind == STMT_ACCUMULATE) hash = mix(hash, (uint64_t)s->reg);
    if (s->value) hash = hash_expr(hash, s->value);
    for (int i = 0; i < s->body.count; i++) hash = hash_stmt(hash, s->body.data[i]);
    return hash;
}

static uint32_t hash_kernel(const Kernel *k) {
    uint32_t hash = mix((uint32_t)k->parameter_count, (uint64_t)k->threads);
    for (int i = 0; i < k->slots.count; i++) {
        const Slot *s = &k->slots.data[i];
        int64_t extent;
        hash = mix(hash, (uint64_t)s->dtype);
        for (int d = 0; d < s->shape.rank; d++)
            hash = mix(hash, dim_is_const(s->shape.dims[d], &extent) ? (uint64_t)extent : 0);
    }
    return hash_stmt(hash, k->body);
}

static const char *kernel_text(KernelProgram *p, Kernel *k) {
    if (k->text) return k->text;
    Text text = text_new(p->arena);
    kernel_print(&text, k);
    if (k->symbols.count > 1) text_printf(&text, "symbols%s\n", k->symbol_places);
    if (k->sites.count) text_printf(&text, "sites %d\n", k->sites.count);
    return k->text = text.data;
}

/* Where a kernel that reads the same stands among the program's, or would. */
static Kernel **kernel_slot(KernelProgram *p, Kernel *k) {
    for (uint32_t at = k->hash;; at++) {
        Kernel **slot = &p->kernel_slots[at & (uint32_t)(p->kernel_slot_count - 1)];
        if (!*slot ||
            ((*slot)->hash == k->hash && !strcmp(kernel_text(p, *slot), kernel_text(p, k))))
            return slot;
    }
}

/* The kernel of the program that reads the same, or k itself, which then is the program's. */
static Kernel *intern_kernel(KernelProgram *p, Kernel *k) {
    if (p->kernels.count * 2 >= p->kernel_slot_count) {
        p->kernel_slot_count = p->kernel_slot_count ? 2 * p->kernel_slot_count : 64;
        p->kernel_slots = NEW_ARRAY(p->arena, (size_t)p->kernel_slot_count, Kernel *);
        for (int i = 0; i < p->kernels.count; i++)
            *kernel_slot(p, p->kernels.data[i]) = p->kernels.data[i];
    }
    Kernel **slot = kernel_slot(p, k);
    if (*slot) return *slot;
    k->id = p->kernels.count;
    vector_push(p->arena, &p->kernels, k);
    return *slot = k;
}

/* Is all that the kernel writes empty, whatever the dims are? */
static bool writes_nothing(const Kernel *k) {
    for (int i = 0; i < k->parameter_count; i++) {
        const Slot *s = &k->slots.data[i];
        if (!(s->access & ACCESS_WRITE)) continue;
        bool empty = false;
        for (int d = 0; d < s->shape.rank; d++) empty = empty || dim_is(s->shape.dims[d], 0);
        if (!empty) return false;
    }
    return true;
}

Step *builder_finish(Builder *b, const char *what, const char *path) {
    Kernel *k = b->kernel;
    k->parameter_count = b->bindings.count;
    for (int i = 0; i < b->scratch.count; i++) vector_push(b->arena, &k->slots, b->scratch.data[i]);
    if (writes_nothing(k)) k->body->body.count = k->sites.count = 0;
    patch_stmt(b, k->body);
    drop_unused_registers(b);
    if (k->threads) leave_to_one(b);
    k->what = what;
    Walk walk = {.b = b, .kernel = k, .trace = text_new(b->arena)};
    walk_kernel(&walk);
    k->symbol_places = walk.trace.data;
    k->hash = hash_kernel(k);
    const Kernel *found = intern_kernel(b->program, k);
    if (found == k) k->name = identifier(b->arena, path, what, k->id);
    Step *step = NEW(b->arena, Step);
    step->kind = STEP_CALL;
    step->kernel = found;
    step->arguments = NEW_ARRAY(b->arena, (size_t)b->bindings.count, Buffer *);
    for (int i = 0; i < b->bindings.count; i++) step->arguments[i] = b->bindings.data[i];
    step->symbols = NEW_ARRAY(b->arena, (size_t)k->symbols.count, const DimSymbol *);
    for (int i = 0; i < k->symbols.count; i++) step->symbols[i] = k->symbols.data[i];
    step->sites = k->sites.data;
    return step;
}
