/* Fusion: which nodes are stored, and which stored nodes share a kernel.
 *
 * Input: the normalized graph in a Lowering.  Output: NodeState.stored and .group, Lowering.groups.
 * Decides by operator class, properties, shapes and cost of recomputation, never by what a chain of
 * operators means.  A node that is not stored is computed again wherever it is read. */
#include "kernel/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    COST_CHEAP = 1,
    COST_DEAR = 8,
    COST_SHARED = 4,
    COST_REPEATED = 12,
    ROUNDS = 8,
    PLACES_MAX = 4,
    DEPTH_MAX = 100
};

bool op_is_view(Op op) {
    switch ((int)op) {
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_PAD:
    case OP_CONCAT:
    case OP_UNFOLD:
    case OP_DYNAMIC_SLICE:
    case OP_GATHER: return true;
    default: return false;
    }
}

bool node_is_inline_source(const Node *n) {
    return n->op == OP_CONST || n->op == OP_IOTA || n->op == OP_DIM || n->op == OP_RANDOM;
}

/* Where others find its value without a step: needs no storing. */
static bool has_place(const Node *n) {
    return n->op == OP_INPUT || n->op == OP_CELL;
}

bool node_is_window_reduce(const Node *n) {
    if (n->op != OP_REDUCE) return false;
    /* Only windows: the reduced axes come from UNFOLD, so that neighbours overlap or tile the
     * input. */
    const Node *x = n->inputs[0];
    int unfolds = 0;
    while (x->op == OP_UNFOLD || x->op == OP_IDENTITY || x->op == OP_CAST || x->op == OP_RESHAPE ||
           x->op == OP_PERMUTE || (op_is_elementwise(x->op) && x->input_count == 1)) {
        unfolds += x->op == OP_UNFOLD;
        x = x->inputs[0];
    }
    int64_t size = 1, e;
    for (int i = 0; i < n->inputs[0]->type.shape.rank; i++) {
        if (!(n->attr.reduce.axes >> i & 1)) continue;
        if (!dim_is_const(n->inputs[0]->type.shape.dims[i], &e) || e > WINDOW_MAX) return false;
        size *= e;
        if (size > WINDOW_MAX) return false;
    }
    return unfolds > 0 || size <= 4;
}

bool node_is_inline_scatter(const Node *n) {
    if (n->op != OP_SCATTER_ADD && n->op != OP_SCATTER_SET) return false;
    const Shape *ids = &n->inputs[1]->type.shape;
    for (int i = n->attr.batch; i < ids->rank; i++)
        if (!dim_is(ids->dims[i], 1)) return false;
    return true;
}

Node *operand_base(Node *x) {
    while (x->op == OP_RESHAPE || x->op == OP_PERMUTE || x->op == OP_EXPAND || x->op == OP_SLICE ||
           x->op == OP_UNFOLD || x->op == OP_IDENTITY)
        x = x->inputs[0];
    return x;
}

static bool anchored(const Node *n) {
    switch ((int)n->op) {
    case OP_REDUCE: return !node_is_window_reduce(n);
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET: return !node_is_inline_scatter(n);
    case OP_CONTRACT:
    case OP_PREFIX:
    case OP_ARGSORT:
    case OP_DYNAMIC_UPDATE:
    case OP_SCAN:
    case OP_PROJ: return true;
    default: return false;
    }
}

static void force(Lowering *l, Node *n, const char *why) {
    NodeState *s = lowering_state(l, n);
    if (has_place(n)) return;
    if (!s->stored) s->kept = why;
    s->stored = s->forced = true;
}

/* ---- lines that --no-fuse keeps apart ---- */

/* 1 + the fence that the node's line is in; 0: none, it may share a kernel with its like. */
static int fence_of(const Lowering *l, const Node *n) {
    const KernelOptions *options = &l->program->options;
    const char *path = l->program->program->source_path;
    if (!options->fence_count || !n->span.file || n->span.file->is_prelude) return 0;
    if (path && strcmp(path, n->span.file->path)) return 0;
    int line = span_line(n->span);
    for (int i = 0; i < options->fence_count; i++)
        if (options->fences[i].first <= line && line <= options->fences[i].last) return i + 1;
    return 0;
}

/* Stores what a fence parts from its reader; views are no work and belong to either side. */
static void store_at_fence(Lowering *l, Node *x, int fence) {
    if (has_place(x) || node_is_inline_source(x)) return;
    if (op_is_view(x->op) || x->op == OP_IDENTITY) {
        for (int i = 0; i < x->input_count; i++) store_at_fence(l, x->inputs[i], fence);
        return;
    }
    if (fence_of(l, x) != fence) force(l, x, "--no-fuse names its line or its reader's");
}

static double window_size(const Node *n) {
    if (n->op == OP_FOLD) return (double)n->attr.window.size;
    double size = 1;
    for (int i = 0; i < n->inputs[0]->type.shape.rank; i++)
        if (n->attr.reduce.axes >> i & 1)
            size *= (double)dim_hint(n->inputs[0]->type.shape.dims[i]);
    return size;
}

/* Operations to compute one element, a load counting one. */
static double node_cost(Lowering *l, const Node *n) {
    double inputs = 0;
    for (int i = 0; i < n->input_count; i++) {
        NodeState *s = lowering_state(l, n->inputs[i]);
        inputs += s->stored || has_place(n->inputs[i]) ? 1 : s->cost;
    }
    switch ((int)n->op) {
    case OP_CONST:
    case OP_DIM: return 0;
    case OP_IOTA: return 1;
    case OP_RANDOM: return 3 * COST_DEAR;
    case OP_IDENTITY:
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_UNFOLD: return inputs;
    case OP_FOLD:
    case OP_REDUCE: return window_size(n) * (inputs + 1);
    case OP_CAST: return inputs + COST_CHEAP;
    default: break;
    }
    if (op_is_elementwise(n->op))
        return inputs + (op_info(n->op)->properties & PROPERTY_CHEAP ? COST_CHEAP : COST_DEAR);
    return inputs + 2;
}

/* Is the input of this node read several times over?  A scalar is not: it is computed once
 * a tile. */
static bool repeats(const Node *n) {
    if (n->op == OP_UNFOLD || n->op == OP_GATHER || n->op == OP_FOLD) return true;
    if (n->op != OP_EXPAND) return false;
    const Shape *from = &n->inputs[0]->type.shape;
    bool real = false, fresh = false;
    for (int i = 0; i < from->rank; i++) real = real || !dim_is(from->dims[i], 1);
    for (int i = 0, next = 0; i < n->type.shape.rank; i++) {
        bool mapped = next < from->rank && n->attr.axes[next] == i;
        if ((!mapped || dim_is(from->dims[next], 1)) && !dim_is(n->type.shape.dims[i], 1))
            fresh = true;
        next += mapped;
    }
    return real && fresh;
}

/* Expressions are walked by recursion, and C compilers bound the depth of theirs: a long chain of
 * nodes is cut by storing one now and then. */
static void limit_depth(Lowering *l, Node *n) {
    NodeState *s = lowering_state(l, n);
    for (int i = 0; i < n->input_count; i++) {
        const NodeState *x = lowering_state(l, n->inputs[i]);
        if (!x->cut && !anchored(n->inputs[i]) && x->depth >= s->depth) s->depth = x->depth + 1;
    }
    if (s->depth < DEPTH_MAX || has_place(n) || n->op == OP_SCAN || n->op == OP_PROJ) return;
    force(l, n, "the chain of operators is cut here, which bounds the depth of expressions");
    s->cut = true;
}

static void see_stored(void *user, Node *read) {
    bool *plain = user;
    if (!has_place(read) && !node_is_inline_source(read)) *plain = false;
}

/* Some cheap arithmetic on arguments and cells, which a product for a GPU does while it loads. */
static bool is_load(Lowering *l, Node *x) {
    bool plain = true;
    if (!l->program->options.gpu || (!op_is_elementwise(x->op) && x->op != OP_CAST)) return false;
    if (node_cost(l, x) > COST_SHARED) return false;
    node_reads(l, x, see_stored, &plain);
    return plain;
}

/* Does n, a reduction of windows that do not overlap, read a product through operations on single
 * elements?  Then it may be computed with the product, which needs it stored. */
static bool pools_product(const Node *n) {
    if (!node_is_window_reduce(n)) return false;
    const Node *x = n->inputs[0];
    for (int steps = 0; x && steps < DEPTH_MAX; steps++) {
        const WindowAttr *w = &x->attr.window;
        if (x->op == OP_CONTRACT) return true;
        if (x->op == OP_UNFOLD && w->stride < (w->size - 1) * w->dilation + 1) return false;
        if (x->op == OP_UNFOLD || x->op == OP_RESHAPE || x->op == OP_IDENTITY) {
            x = x->inputs[0];
            continue;
        }
        if (!op_is_elementwise(x->op)) return false;
        const Node *next = NULL;
        for (int k = 0; k < x->input_count; k++) {
            const Node *y = x->inputs[k];
            if (y->op != OP_CONST && y->op != OP_EXPAND && y->type.dtype != DTYPE_BOOL) next = y;
        }
        x = next;
    }
    return false;
}

static void mark_stored(Lowering *l) {
    Graph *g = l->graph;
    for (int i = 0; i < g->nodes.count; i++) {
        Node *n = g->nodes.data[i];
        if (!lowering_state(l, n)->live) continue;
        lowering_state(l, n)->cost = node_cost(l, n);
        if (anchored(n)) force(l, n, NULL);
        if (n->op == OP_CONTRACT)
            for (int k = 0; k < 2; k++) {
                Node *base = operand_base(n->inputs[k]);
                if (!is_load(l, base)) force(l, base, "a product reads it many times over");
            }
        if (n->op == OP_SCAN)
            for (int k = 0; k < n->input_count; k++) force(l, n->inputs[k], "a scan reads it");
        if (l->program->options.fence_count && !op_is_view(n->op))
            for (int k = 0; k < n->input_count; k++)
                store_at_fence(l, n->inputs[k], fence_of(l, n));
    }
    for (int i = 0; i < g->nodes.count; i++) {
        Node *n = g->nodes.data[i];
        NodeState *s = lowering_state(l, n);
        if (!s->live) continue;
        s->cost = node_cost(l, n);
        limit_depth(l, n);
        if (!s->stored && !l->program->options.gpu && pools_product(n)) {
            s->stored = true;
            s->kept = "it reads windows of a product, with which it may be computed";
        }
        if (!repeats(n)) continue;
        NodeState *x = lowering_state(l, n->inputs[0]);
        if (x->stored || has_place(n->inputs[0]) || x->cost < COST_REPEATED) continue;
        x->stored = true;
        x->kept = "it is read several times over, and is dearer to compute again than to load";
        s->cost = node_cost(l, n);
    }
}

/* ---- values that one kernel would compute at many indices ---- */

/* The indices at which the readers of a node want it, as hashes of the views between; more than
 * PLACES_MAX are many. */
typedef struct Places {
    uint64_t at[PLACES_MAX + 1];
    int count;
} Places;

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_dims(uint64_t hash, const Shape *shape) {
    hash = mix(hash, (uint64_t)shape->rank);
    for (int i = 0; i < shape->rank; i++) hash = mix(hash, (uintptr_t)shape->dims[i]);
    return hash;
}

/* Where the reader n at `place` wants its input number k.  Views of equal effect move alike. */
static uint64_t moved(const Node *n, int k, uint64_t place) {
    const Shape *from = &n->inputs[k]->type.shape;
    place = op_is_view(n->op) ? mix(place, (uint64_t)n->op + 1) : place;
    switch ((int)n->op) {
    case OP_RESHAPE: return mix_dims(mix_dims(place, from), &n->type.shape);
    case OP_PERMUTE:
        for (int i = 0; i < from->rank; i++) place = mix(place, (uint64_t)n->attr.axes[i]);
        return place;
    case OP_EXPAND:
        for (int i = 0; i < from->rank; i++) place = mix(place, (uint64_t)n->attr.axes[i]);
        return mix_dims(mix_dims(place, from), &n->type.shape);
    case OP_SLICE:
        for (int i = 0; i < from->rank; i++)
            place = mix(mix(place, (uintptr_t)n->attr.slice->begin[i]),
                        (uint64_t)n->attr.slice->step[i]);
        return place;
    default: return op_is_view(n->op) ? mix(mix(place, (uint64_t)n->id), (uint64_t)k) : place;
    }
}

static void add_place(Places *p, uint64_t place) {
    for (int i = 0; i < p->count; i++)
        if (p->at[i] == place) return;
    if (p->count <= PLACES_MAX) p->at[p->count++] = place;
}

/* Shifted copies of shifted copies: computed again at every index, work and text would grow with
 * the power of their depth.  Readers come before what they read. */
static void store_spread(Lowering *l) {
    Graph *g = l->graph;
    Places *places = NEW_ARRAY(l->arena, (size_t)l->state_count, Places);
    for (int i = g->nodes.count - 1; i >= 0; i--) {
        Node *n = g->nodes.data[i];
        NodeState *s = lowering_state(l, n);
        Places *own = &places[n->id];
        if (!s->live) continue;
        bool computes = op_is_elementwise(n->op) || n->op == OP_CAST || n->op == OP_CONCAT;
        if (!s->stored && own->count > PLACES_MAX && s->cost >= COST_REPEATED && computes) {
            s->stored = s->spread = true;
            s->kept = "it is read at many places, and is dearer to compute again than to load";
        }
        if (s->stored || !own->count) *own = (Places){.count = 1};
        for (int k = 0; k < n->input_count; k++)
            for (int p = 0; p < own->count; p++)
                add_place(&places[n->inputs[k]->id], moved(n, k, own->at[p]));
    }
}

/* ---- reads ---- */

static void reads(Lowering *l, Node *n, ReadVisit visit, void *user, int stamp) {
    for (int i = 0; i < n->input_count; i++) {
        Node *x = n->inputs[i];
        if (l->seen[x->id] == stamp) continue;
        l->seen[x->id] = stamp;
        if (lowering_state(l, x)->stored || x->input_count == 0)
            visit(user, x);
        else
            reads(l, x, visit, user, stamp);
    }
}

void node_reads(Lowering *l, Node *n, ReadVisit visit, void *user) {
    reads(l, n, visit, user, ++l->stamp);
}

static void raise_level(Group *g, int level) {
    if (g->level >= level) return;
    g->level = level;
    for (int i = 0; i < g->users.count; i++) raise_level(g->users.data[i], level + 1);
}

static void need(Lowering *l, Group *g, Group *dep) {
    if (!dep || dep == g) return;
    for (int i = 0; i < g->needs.count; i++)
        if (g->needs.data[i] == dep) return;
    vector_push(l->arena, &g->needs, dep);
    vector_push(l->arena, &dep->users, g);
    raise_level(g, dep->level + 1);
}

void group_follow(Lowering *l, Group *g, Group *reader) {
    vector_push(l->arena, &g->after, reader);
    vector_push(l->arena, &reader->users, g);
    raise_level(g, reader->level + 1);
}

static bool reaches(Group *from, Group *to, int stamp) {
    if (from == to) return true;
    if (from->level <= to->level || from->mark == stamp) return false;
    from->mark = stamp;
    for (int i = 0; i < from->needs.count; i++)
        if (reaches(from->needs.data[i], to, stamp)) return true;
    for (int i = 0; i < from->after.count; i++)
        if (reaches(from->after.data[i], to, stamp)) return true;
    return false;
}

bool group_reaches(Lowering *l, Group *from, Group *to) {
    return reaches(from, to, ++l->stamp);
}

/* ---- grouping ---- */

typedef struct Deps {
    Lowering *l;
    VECTOR(Group *) groups;
    VECTOR(Node *) nodes;
} Deps;

static void collect_group(void *user, Node *read) {
    Deps *d = user;
    Group *g = lowering_state(d->l, read)->group;
    if (!node_is_inline_source(read)) vector_push(d->l->arena, &d->nodes, read);
    if (!g) return;
    for (int i = 0; i < d->groups.count; i++)
        if (d->groups.data[i] == g) return;
    vector_push(d->l->arena, &d->groups, g);
}

static GroupKind kind_of(const Lowering *l, const Node *n) {
    switch ((int)n->op) {
    case OP_CONTRACT: return contract_is_loops(l, n) ? GROUP_LOOPS : GROUP_CONTRACT;
    case OP_PREFIX: return GROUP_PREFIX;
    case OP_ARGSORT: return GROUP_ARGSORT;
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET: return node_is_inline_scatter(n) ? GROUP_LOOPS : GROUP_SCATTER;
    case OP_DYNAMIC_UPDATE: return GROUP_UPDATE;
    case OP_SCAN:
    case OP_PROJ: return GROUP_SCAN;
    default: return GROUP_LOOPS;
    }
}

static Shape row_shape(const Group *g) {
    Shape s = {0};
    for (int i = 0; i < g->space.rank; i++)
        if (!(g->reduced >> i & 1)) s.dims[s.rank++] = g->space.dims[i];
    return s;
}

/* Can n be computed at its own index inside g, with every member it needs available there? */
static bool legal(Lowering *l, Group *g, Node *n) {
    Arena *trial = arena_new();
    const Index *full[SHAPE_MAX_RANK], *row[SHAPE_MAX_RANK];
    int rows;
    Gen *gen = gen_new_dry(l, g, trial, full, row, &rows);
    gen->joining = n;
    for (int i = 0; i < g->members.count; i++) {
        Node *m = g->members.data[i];
        if (g->kind == GROUP_CONTRACT && !shape_equal(&m->type.shape, &g->space)) continue;
        if (g->kind == GROUP_CONTRACT || m->type.shape.rank == g->space.rank)
            gen_set(gen, m, full, expr_const(gen->b, m->type.dtype, 0));
        else
            gen_set(gen, m, row, expr_const(gen->b, m->type.dtype, 0));
    }
    NodeState *s = lowering_state(l, n);
    Group *home = s->group;
    s->group = g; /* as a member it is computed, not loaded */
    if (n->op == OP_REDUCE && anchored(n))
        gen_value(gen, n->inputs[0], full);
    else
        gen_value(gen, n, n->type.shape.rank == g->space.rank ? full : row);
    s->group = home;
    bool good = !gen->illegal;
    arena_free(trial);
    return good;
}

static bool elements_small(const Shape *s, int64_t limit) {
    int64_t product = 1, e;
    for (int i = 0; i < s->rank; i++) {
        if (!dim_is_const(s->dims[i], &e)) return false;
        product *= e;
        if (product > limit) return false;
    }
    return true;
}

/* Stores of the whole space share a kernel with reductions only where a row is a contiguous run and
 * there are many rows: otherwise the stores would become serial, or walk down columns. */
static bool keeps_parallel(const Group *g, uint32_t reduced, bool stores_full) {
    if (!stores_full || elements_small(&g->space, 1 << 12)) return true;
    Shape rows = {0};
    for (int i = 0; i < g->space.rank; i++) {
        if (reduced >> i & 1) continue;
        if (rows.rank != i && !dim_is(g->space.dims[i], 1)) return false;
        rows.dims[rows.rank++] = g->space.dims[i];
    }
    return !elements_small(&rows, 15);
}

static bool has_full_member(const Group *g) {
    for (int i = 0; i < g->members.count; i++)
        if (!node_is_reduction(g->members.data[i]) &&
            g->members.data[i]->type.shape.rank == g->space.rank)
            return true;
    return false;
}

/* Classes that start a kernel of their own, and that nothing joins behind; NULL: the class allows
 * it. */
static const char *class_forbids(GroupKind kind, bool behind) {
    switch (kind) {
    case GROUP_LOOPS: return NULL;
    case GROUP_CONTRACT: return behind ? NULL : "a product reads its operands from memory";
    case GROUP_PREFIX: return "a running sum is a kernel of its own";
    case GROUP_ARGSORT: return "a sort is a kernel of its own";
    case GROUP_SCATTER: return "a scatter is a kernel of its own";
    case GROUP_UPDATE: return "an update in place is a kernel of its own";
    case GROUP_SCAN: return "a scan is a loop over kernels of its own";
    }
    return NULL;
}

static bool fits(Lowering *l, Group *g, Node *n, const char **why) {
    *why = "the chain of operators is cut here, which bounds the depth of expressions";
    if (lowering_state(l, n)->cut || lowering_state(l, g->anchor)->cut) return false;
    *why = "--no-fuse keeps the lines apart";
    if (fence_of(l, n) != fence_of(l, g->anchor)) return false;
    if ((*why = class_forbids(kind_of(l, n), false))) return false;
    if ((*why = class_forbids(g->kind, true))) return false;
    if (g->kind == GROUP_CONTRACT) {
        *why = "a reduction needs whole rows, and a tile of the product holds a part of them";
        if (anchored(n)) return false;
        Windows windows;
        if (!shape_equal(&n->type.shape, &g->space)) {
            *why = "another shape than the product's result";
            return !l->program->options.gpu && windows_fit(l, g, n, &windows, why);
        }
    } else if (n->op == OP_CONTRACT) {
        *why = "a small product runs through an iteration space of its own";
        return false;
    } else if (anchored(n)) {
        const Node *x = n->inputs[0];
        *why = "another iteration space";
        if (!shape_equal(&x->type.shape, &g->space)) return false;
        *why = "the two reduce different axes";
        bool reduces = g->reduced || g->anchor->op == OP_CONTRACT; /* a product may sum nothing */
        if (reduces && g->reduced != n->attr.reduce.axes) return false;
        *why = "would make stores serial";
        if (!keeps_parallel(g, n->attr.reduce.axes, has_full_member(g))) return false;
    } else {
        Shape row = row_shape(g);
        bool full = shape_equal(&n->type.shape, &g->space);
        *why = "another iteration space";
        if (!full && !(g->reduced && shape_equal(&n->type.shape, &row))) return false;
        *why = "would make stores serial";
        if (full && g->reduced && !keeps_parallel(g, g->reduced, true)) return false;
    }
    *why = "the second reads the first away from its own index";
    return legal(l, g, n);
}

static Group *new_group(Lowering *l, Node *n) {
    Group *g = NEW(l->arena, Group);
    g->id = l->groups.count;
    g->kind = kind_of(l, n);
    g->anchor = n;
    g->space = n->type.shape;
    if (g->kind == GROUP_LOOPS && n->op == OP_CONTRACT) {
        int8_t order[CONTRACT_MAX_LABELS];
        int labels = contract_labels(n, order);
        for (int i = n->type.shape.rank; i < labels; i++) {
            g->space.dims[g->space.rank++] = contract_extent(n, order[i]);
            g->reduced |= 1u << i;
        }
    } else if (g->kind == GROUP_LOOPS && anchored(n)) {
        g->space = n->inputs[0]->type.shape;
        g->reduced = n->attr.reduce.axes;
    }
    vector_push(l->arena, &l->groups, g);
    return g;
}

static int latest_first(const void *a, const void *b) {
    return (*(Group *const *)b)->id - (*(Group *const *)a)->id;
}

/* A kernel over the same space that reads one of the same tensors, and that n does not have to wait
 * for. */
static Group *sibling(Lowering *l, Node *n, const Deps *deps) {
    if (kind_of(l, n) != GROUP_LOOPS || n->op == OP_CONTRACT) return NULL;
    const Shape *space = anchored(n) ? &n->inputs[0]->type.shape : &n->type.shape;
    GroupList sharing = {0};
    for (int i = 0; i < deps->nodes.count; i++) {
        if (deps->nodes.data[i]->type.shape.rank < space->rank) continue;
        const NodeState *s = lowering_state(l, deps->nodes.data[i]);
        for (int k = 0; k < s->readers.count; k++)
            vector_push(l->arena, &sharing, s->readers.data[k]);
    }
    if (sharing.count)
        qsort(sharing.data, (size_t)sharing.count, sizeof *sharing.data, latest_first);
    for (int i = 0; i < sharing.count; i++) {
        Group *g = sharing.data[i];
        if (i > 0 && g == sharing.data[i - 1]) continue;
        if (g->kind != GROUP_LOOPS || !shape_equal(&g->space, space)) continue;
        bool waits = false;
        const char *why;
        bool good = fits(l, g, n, &why);
        for (int d = 0; d < deps->groups.count && !waits && good; d++)
            waits = group_reaches(l, deps->groups.data[d], g);
        if (good && !waits) return g;
        bool reads = false;
        for (int d = 0; d < deps->groups.count; d++) reads = reads || deps->groups.data[d] == g;
        if (!reads)
            remark_apart(l, g->anchor, n,
                         good ? "both read one tensor, but the second waits for the first" : why);
    }
    return NULL;
}

/* Why n cannot be computed in the kernel of g, which it reads; NULL: it can. */
static const char *refusal(Lowering *l, const Deps *deps, Group *g, Node *n) {
    const char *why;
    if (!fits(l, g, n, &why)) return why;
    for (int d = 0; d < deps->groups.count; d++)
        if (deps->groups.data[d] != g && group_reaches(l, deps->groups.data[d], g))
            return "a value in between is computed by another kernel";
    return NULL;
}

/* `why` holds the refusals up to `home`. */
static void remark_refusals(Lowering *l, const Deps *deps, Node *n, const Group *home,
                            const char **why) {
    bool tried = true;
    for (int i = 0; i < deps->groups.count; i++) {
        Group *g = deps->groups.data[i];
        if (g == home) tried = false;
        if (g == home) continue;
        if (!tried) why[i] = refusal(l, deps, g, n);
        if (!why[i]) why[i] = "it joins the kernel of a later value that it reads";
        for (int k = 0; k < deps->nodes.count; k++)
            if (lowering_state(l, deps->nodes.data[k])->group == g)
                remark_apart(l, deps->nodes.data[k], n, why[i]);
    }
}

static void place(Lowering *l, Node *n) {
    NodeState *s = lowering_state(l, n);
    if (n->op == OP_PROJ) {
        s->group = lowering_state(l, n->inputs[0])->group;
        vector_push(l->arena, &s->group->members, n);
        return;
    }
    Deps deps = {.l = l};
    node_reads(l, n, collect_group, &deps);
    Group *home = NULL;
    const char **why = NEW_ARRAY(l->arena, (size_t)deps.groups.count + 1, const char *);
    /* The groups that it reads, latest first. */
    for (int i = 0; i < deps.groups.count; i++)
        for (int k = i; k > 0 && deps.groups.data[k]->id > deps.groups.data[k - 1]->id; k--) {
            Group *swap = deps.groups.data[k];
            deps.groups.data[k] = deps.groups.data[k - 1];
            deps.groups.data[k - 1] = swap;
        }
    for (int i = 0; i < deps.groups.count && !home; i++) {
        why[i] = refusal(l, &deps, deps.groups.data[i], n);
        if (!why[i]) home = deps.groups.data[i];
    }
    if (!home) home = sibling(l, n, &deps);
    if (home && home->kind == GROUP_LOOPS && n->op == OP_REDUCE && anchored(n))
        home->reduced = n->attr.reduce.axes;
    if (l->program->options.remarks) remark_refusals(l, &deps, n, home, why);
    const char *unused;
    Windows windows;
    if (home && home->kind == GROUP_CONTRACT && !shape_equal(&n->type.shape, &home->space) &&
        windows_fit(l, home, n, &windows, &unused))
        home->windows = windows;
    if (!home) home = new_group(l, n);
    s->group = home;
    vector_push(l->arena, &home->members, n);
    for (int d = 0; d < deps.groups.count; d++) need(l, home, deps.groups.data[d]);
    for (int i = 0; i < deps.nodes.count && home->kind == GROUP_LOOPS; i++)
        if (deps.nodes.data[i]->type.shape.rank >= home->space.rank && home->space.rank > 0)
            vector_push(l->arena, &lowering_state(l, deps.nodes.data[i])->readers, home);
}

/* Nodes that several groups would compute, and that cost more than a load: stored.  True if any was
 * found. */
static bool store_shared(Lowering *l) {
    Graph *g = l->graph;
    /* one[id]: the only group that reads it, so far; many[id]: several */
    Group **one = NEW_ARRAY(l->arena, (size_t)l->state_count, Group *);
    bool *many = NEW_ARRAY(l->arena, (size_t)l->state_count, bool);
    bool changed = false;
    for (int i = g->nodes.count - 1; i >= 0; i--) {
        Node *n = g->nodes.data[i];
        NodeState *s = lowering_state(l, n);
        if (!s->live) continue;
        Group *owner = s->stored ? s->group : one[n->id];
        bool shared = !s->stored && many[n->id];
        if (shared && op_is_elementwise(n->op) && n->op != OP_IDENTITY && s->cost > COST_SHARED) {
            s->stored = true;
            s->kept = "several kernels read it, and it is dearer to compute again than to load";
            changed = true;
            shared = false;
            owner = NULL;
        }
        if (shared && (n->op == OP_FOLD || node_is_window_reduce(n) || node_is_inline_scatter(n))) {
            s->stored = true;
            s->kept = "several kernels read it, and it is dearer to compute again than to load";
            changed = true;
            shared = false;
            owner = NULL;
        }
        if (s->stored && !owner) owner = NEW(l->arena, Group);
        for (int k = 0; k < n->input_count; k++) {
            int id = n->inputs[k]->id;
            if (shared || (one[id] && one[id] != owner)) many[id] = true;
            one[id] = owner;
        }
    }
    return changed;
}

void fuse_decide(Lowering *l) {
    mark_stored(l);
    store_spread(l);
    int remarks = l->program->remarks.count;
    for (int round = 0;; round++) {
        l->groups.count = 0;
        l->program->remarks.count = remarks;
        for (int i = 0; i < l->graph->nodes.count; i++) {
            lowering_state(l, l->graph->nodes.data[i])->group = NULL;
            lowering_state(l, l->graph->nodes.data[i])->readers.count = 0;
        }
        for (int i = 0; i < l->graph->nodes.count; i++) {
            Node *n = l->graph->nodes.data[i];
            NodeState *s = lowering_state(l, n);
            if (s->live) s->cost = node_cost(l, n);
            if (s->live && s->stored) place(l, n);
        }
        if (round == ROUNDS || !store_shared(l)) return;
    }
}
