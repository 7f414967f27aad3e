/* The schedule of pointwise and row kernels: parallel axes, then phases of reductions, then stores.
 *
 * Input: a LOOPS group: full-space values, reductions over the same axes, values per row.  Output:
 * one kernel. Each phase runs over the reduced axes and accumulates all reductions of one level;
 * row results stay in registers.  Variants (which axis is the vector, how many axes are flattened)
 * are built and the one whose accesses suit vectors best is kept. */
#include "kernel/loops.h"

#include <stdlib.h>

typedef struct Variant {
    bool rows_vector; /* the vector axis is the last parallel axis; else the last reduced axis */
    int flatten;      /* the vector axis is this axis of its list and all that follow, as one */
    int panel_axis;   /* >= 0: the axis of the space that runs panel by panel, a panel being the
                         vector axis */
    int64_t panel;
    int64_t split; /* > 1: every split-th element of the vector axis at a time: halves of windows
                      are then in step */
} Variant;

static const Variant *variant_of(const Loops *x) {
    return x->choice;
}

bool node_is_reduction(const Node *n) {
    return (n->op == OP_REDUCE && !node_is_window_reduce(n)) || n->op == OP_CONTRACT;
}

int loops_level(Loops *x, const Node *n) {
    Lowering *l = x->l;
    if (l->level_seen[n->id] == x->stamp) return l->level[n->id];
    NodeState *s = lowering_state(l, n);
    int level = -1;
    bool member = s->stored && s->group == x->group;
    if (!s->stored || member)
        for (int i = 0; i < n->input_count; i++) {
            int d = loops_level(x, n->inputs[i]);
            if (d > level) level = d;
        }
    if (member && node_is_reduction(n)) level++;
    l->level_seen[n->id] = x->stamp;
    l->level[n->id] = level;
    return level;
}

int64_t loops_hint(const Shape *s, const int *axes, int from, int count) {
    int64_t p = 1;
    for (int i = from; i < count; i++) {
        int64_t e = dim_hint(s->dims[axes[i]]);
        if (e > 1 && !checked_mul(p, e, &p)) return INT64_MAX / 1024;
        if (p > INT64_MAX / 1024) return INT64_MAX / 1024;
    }
    return p;
}

/* Opens the loops of a list of axes; the last `count - flatten` axes become one vector axis when
 * `vector`. Sets at[]; returns the number of scopes opened.  `tiled`: the axes are parallel, with
 * `work` elements a point. */
static int open_axes(Loops *x, const int *axes, int count, bool vector, bool tiled, int64_t work) {
    Builder *b = x->b;
    const Shape *space = &x->group->space;
    int opened = 0;
    int plain = vector ? variant_of(x)->flatten : count;
    bool splitting = tiled;
    for (int i = 0; i <= plain && i < count; i++) {
        bool is_vector = i == plain;
        Shape run = {0};
        for (int a = i; a < (is_vector ? count : i + 1); a++)
            run.dims[run.rank++] = space->dims[axes[a]];
        const Dim *extent = dim_need(shape_elements(b->dims, &run));
        int64_t inner = work;
        if (!is_vector && !checked_mul(work, loops_hint(space, axes, i + 1, count), &inner))
            inner = INT64_MAX;
        int64_t known = 0;
        bool constant = dim_is_const(extent, &known);
        const Index *index = NULL;
        if (splitting && inner >= TILE_ELEMENTS && !is_vector && !dim_is(extent, 1)) {
            index = builder_tile(b, "i", extent);
        } else if (!dim_is(extent, 1)) {
            const Index *begin = NULL, *end = NULL;
            int64_t block = inner >= TILE_ELEMENTS ? 1 : (TILE_ELEMENTS + inner - 1) / inner;
            if (is_vector) block = (block + PANEL_MAX - 1) / PANEL_MAX * PANEL_MAX;
            if (splitting && !(constant && known <= block + block / 2)) {
                const Dim *size = dim_const(b->dims, block);
                const Dim *tiles = dim_need(dim_ceildiv(b->dims, extent, block));
                begin = index_scale(b->table, builder_tile(b, "tile", tiles), size);
                end = index_min(b->table, index_dim(b->table, extent),
                                index_add(b->table, begin, index_dim(b->table, size)));
            }
            splitting = false;
            if (is_vector && variant_of(x)->split > 1 && !begin) {
                const Dim *split = dim_const(b->dims, variant_of(x)->split);
                int part = builder_axis(b, "s", split);
                builder_open(b, part, NULL, NULL, BIND_UNROLL);
                int lane = builder_axis(b, "v", dim_const(b->dims, known / variant_of(x)->split));
                builder_open(b, lane, NULL, NULL, BIND_VECTOR);
                opened += 2;
                x->at[axes[i]] =
                    index_add(b->table, builder_axis_index(b, part),
                              index_scale(b->table, builder_axis_index(b, lane), split));
                break;
            }
            int axis = builder_axis(b, is_vector ? "v" : "i", extent);
            Binding binding = is_vector ? BIND_VECTOR : BIND_SEQ;
            builder_open(b, axis, begin, end, binding);
            opened++;
            index = builder_axis_index(b, axis);
        } else {
            index = index_const(b->table, 0);
        }
        const Index *out[SHAPE_MAX_RANK];
        index_unflatten(b->table, index, &run, out);
        for (int a = 0; a < run.rank; a++) x->at[axes[i + a]] = out[a];
        if (is_vector) break;
    }
    return opened;
}

/* The space of a group without reductions, one panel of an axis after the other, as stored panels
 * lie. */
static void open_panels(Loops *x) {
    Builder *b = x->b;
    const Shape *space = &x->group->space;
    int axis = variant_of(x)->panel_axis;
    const Dim *width = dim_const(b->dims, variant_of(x)->panel);
    const Dim *tiles = dim_need(dim_ceildiv(b->dims, space->dims[axis], variant_of(x)->panel));
    const Index *begin = index_scale(b->table, builder_tile(b, "panel", tiles), width);
    for (int i = 0; i < space->rank; i++) {
        if (i == axis) continue;
        int loop = builder_axis(b, "i", space->dims[i]);
        builder_open(b, loop, NULL, NULL, BIND_SEQ);
        x->at[i] = builder_axis_index(b, loop);
    }
    const Index *rest = index_sub(b->table, index_dim(b->table, space->dims[axis]), begin);
    int lane = builder_axis(b, "v", width);
    builder_open(b, lane, NULL, index_min(b->table, index_dim(b->table, width), rest), BIND_VECTOR);
    x->at[axis] = index_add(b->table, begin, builder_axis_index(b, lane));
}

static const Expr *reduction_value(Loops *x, const Node *n) {
    if (n->op == OP_REDUCE) return gen_value(x->gen, n->inputs[0], x->at);
    /* A product: the space is the result's labels, then the summed ones. */
    Builder *b = x->b;
    int8_t order[CONTRACT_MAX_LABELS];
    int labels = contract_labels(n, order);
    const Expr *args[2];
    for (int side = 0; side < 2; side++) {
        const int8_t *names = side ? n->attr.contract.b : n->attr.contract.a;
        const Index *at[SHAPE_MAX_RANK];
        for (int i = 0; i < n->inputs[side]->type.shape.rank; i++)
            for (int k = 0; k < labels; k++)
                if (order[k] == names[i]) at[i] = x->at[k];
        args[side] = gen_value(x->gen, n->inputs[side], at);
        args[side] = expr_cast(b, args[side], dtype_accumulator(args[side]->dtype));
    }
    return expr_op(b, OP_MUL, args[0]->dtype, args, 2);
}

static DType accumulator_dtype(const Node *n, bool arg) {
    return dtype_accumulator(arg ? n->inputs[0]->type.dtype : n->type.dtype);
}

static bool is_arg(const Node *n) {
    return n->op == OP_REDUCE && reduce_is_arg(n->attr.reduce.kind);
}

/* One pass over the reduced axes for the reductions of `level`. */
void loops_phase(Loops *x, int level) {
    Builder *b = x->b;
    Group *g = x->group;
    int depth = b->depth;
    int first_scope = depth + 1;
    int opened = x->open_reduced(x);
    loops_recall(x, level);
    int regs[SHAPE_MAX_RANK + 1];
    for (int m = 0; m < g->members.count; m++) {
        const Node *n = g->members.data[m];
        if (!node_is_reduction(n) || loops_level(x, n) != level) continue;
        bool arg = is_arg(n);
        ReduceKind kind = n->op == OP_REDUCE ? n->attr.reduce.kind : REDUCE_SUM;
        DType dtype = accumulator_dtype(n, arg);
        int position_reg = -1;
        const Expr *position = NULL;
        const Expr *value = x->taken ? x->taken(x, n, &position) : reduction_value(x, n);
        value = expr_cast(b, value, dtype);
        for (int s = 0; s < opened; s++) {
            regs[s] = builder_register(b, dtype, op_info(n->op)->name);
            b->register_depth.data[regs[s]] = first_scope + s - 1;
            if (arg) {
                position_reg = builder_register(b, n->type.dtype, "position");
                b->register_depth.data[position_reg] = first_scope + s - 1;
            }
            builder_accumulator(b, b->scopes[first_scope + s].loop, kind, regs[s], position_reg);
        }
        if (arg && !position) position = expr_index(b, x->at[x->reduced[0]], n->type.dtype);
        if (opened) {
            Found found = {n, regs[0], position_reg};
            vector_push(x->arena, &x->found, found);
            builder_accumulate(b, kind, regs[opened - 1], value, position);
            value = expr_register(b, arg ? position_reg : regs[0]);
        } else if (arg) {
            value = expr_const_int(b, DTYPE_I64, 0);
        }
        /* Outer accumulators take what the loop inside them has found, when it has ended. */
        for (int s = opened - 2; s >= 0; s--) {
            Stmt *combine = NEW(b->arena, Stmt);
            combine->kind = STMT_ACCUMULATE;
            combine->reg = regs[s];
            combine->combine = kind;
            combine->value = expr_register(b, regs[s + 1]);
            vector_push(b->arena, &x->pending[s], combine);
        }
        gen_set(x->gen, n, x->row, expr_cast(b, value, n->type.dtype));
    }
    loops_keep(x, level);
    for (int s = opened - 1; s >= 0; s--) {
        builder_close(b);
        if (s == 0) break;
        for (int i = 0; i < x->pending[s - 1].count; i++)
            vector_push(b->arena, &b->scopes[b->depth].block->body, x->pending[s - 1].data[i]);
        x->pending[s - 1].count = 0;
    }
}

bool loops_is_of_space(const void *loops, const Node *n) {
    const Loops *x = loops;
    return n->type.shape.rank == x->group->space.rank &&
           !(x->group->reduced && node_is_reduction(n));
}

static bool is_of_row(const void *loops, const Node *n) {
    return !loops_is_of_space(loops, n);
}

static void store_members(Loops *x, bool full) {
    Group *g = x->group;
    const Index *const *at = full ? x->at : x->row;
    for (int m = 0; m < g->members.count && full && !g->reduced; m++) {
        /* A product that sums nothing is a value like any other. */
        const Node *n = g->members.data[m];
        if (!node_is_reduction(n)) continue;
        const Expr *product = expr_cast(x->b, reduction_value(x, n), n->type.dtype);
        gen_set(x->gen, n, at, builder_let_here(x->b, product, "product"));
    }
    gen_store_members(x->gen, at, (StoreRequest){full ? loops_is_of_space : is_of_row, NULL, x});
}

static bool has_members(Loops *x, bool full) {
    Group *g = x->group;
    for (int m = 0; m < g->members.count; m++) {
        Node *n = g->members.data[m];
        if (loops_is_of_space(x, n) == full && lowering_needs_store(x->l, n)) return true;
    }
    return false;
}

Loops *loops_new(Lowering *l, Group *group, Arena *arena) {
    Loops *x = NEW(arena, Loops);
    x->arena = arena;
    x->stamp = ++l->stamp;
    x->l = l;
    x->group = group;
    x->b = builder_new(l->program, arena);
    x->gen = gen_new(l, x->b, group);
    for (int i = 0; i < group->space.rank; i++) {
        if (group->reduced >> i & 1)
            x->reduced[x->reduced_count++] = i;
        else
            x->kept[x->kept_count++] = i;
    }
    return x;
}

static void close_scopes(Loops *x, int depth) {
    while (x->b->depth > depth) builder_close(x->b);
}

void loops_store_rows(Loops *x) {
    int depth = x->b->depth;
    if (!has_members(x, false)) return;
    if (x->open_once) x->open_once(x);
    if (x->inside) builder_open_if(x->b, x->inside);
    store_members(x, false);
    close_scopes(x, depth);
}

void loops_store_space(Loops *x) {
    int depth = x->b->depth;
    if (!has_members(x, true)) return;
    x->open_reduced(x);
    loops_recall(x, loops_levels(x));
    if (x->inside) builder_open_if(x->b, x->inside);
    store_members(x, true);
    close_scopes(x, depth);
}

int loops_levels(Loops *x) {
    int levels = 0;
    for (int m = 0; m < x->group->members.count; m++) {
        int level = loops_level(x, x->group->members.data[m]);
        if (node_is_reduction(x->group->members.data[m]) && level + 1 > levels) levels = level + 1;
    }
    return levels;
}

bool loops_space_waits(Loops *x) {
    for (int m = 0; m < x->group->members.count; m++) {
        const Node *n = x->group->members.data[m];
        if (!loops_is_of_space(x, n) || !lowering_needs_store(x->l, n)) continue;
        if (loops_level(x, n) >= 0) return true;
        const NodeState *s = lowering_state(x->l, n);
        for (int i = 0; i < s->targets.count; i++)
            if (s->targets.data[i]->kind == BUFFER_CELL) return true;
    }
    return false;
}

void loops_body(Loops *x) {
    Group *group = x->group;
    for (int i = 0; i < x->kept_count; i++) x->row[i] = x->at[x->kept[i]];
    if (!group->reduced) {
        store_members(x, true);
        return;
    }
    int levels = loops_levels(x);
    for (int level = 0; level < levels; level++) loops_phase(x, level);
    loops_store_rows(x);
    loops_store_space(x);
}

void loops_close(Loops *x) {
    close_scopes(x, 0);
}

static int open_reduced(Loops *x) {
    return open_axes(x, x->reduced, x->reduced_count, !variant_of(x)->rows_vector, false, 1);
}

/* Elements of pointwise work that an evaluated function is worth (one that is no instruction), and
 * the tiles from which there are enough without counting them. */
enum { FUNCTION_ELEMENTS = 4, TILES_PLENTY = 16 };

/* The functions that n evaluates within the group, each once a stamp. */
static int64_t functions_of(Loops *x, const Node *n, int stamp) {
    Lowering *l = x->l;
    const NodeState *s = lowering_state(l, n);
    if (l->seen[n->id] == stamp || (s->stored && s->group != x->group)) return 0;
    l->seen[n->id] = stamp;
    int64_t count = op_is_elementwise(n->op) && n->op != OP_CAST && n->op != OP_IDENTITY &&
                    !(op_info(n->op)->properties & PROPERTY_CHEAP);
    for (int i = 0; i < n->input_count; i++) count += functions_of(x, n->inputs[i], stamp);
    return count;
}

/* Elements of pointwise work of a point of the kept axes. */
static int64_t work_of_point(Loops *x) {
    const Shape *space = &x->group->space;
    int64_t work = loops_hint(space, x->reduced, 0, x->reduced_count), whole, functions = 0;
    if (!checked_mul(work, loops_hint(space, x->kept, 0, x->kept_count), &whole) ||
        whole >= TILES_PLENTY * TILE_ELEMENTS)
        return work;
    const int stamp = ++x->l->stamp;
    for (int i = 0; i < x->group->members.count; i++)
        functions += functions_of(x, x->group->members.data[i], stamp);
    return checked_mul(work, 1 + FUNCTION_ELEMENTS * functions, &work) ? work : INT64_MAX / 1024;
}

static Loops *build(Lowering *l, Group *group, Variant variant, Arena *arena) {
    Loops *x = loops_new(l, group, arena);
    x->choice = arena_copy(arena, &variant, sizeof variant);
    x->open_reduced = open_reduced;
    if (variant.panel_axis >= 0)
        open_panels(x);
    else
        open_axes(x, x->kept, x->kept_count, variant.rows_vector, true, work_of_point(x));
    if (group->reduced && !variant.rows_vector) loops_find_kept(x);
    loops_body(x);
    loops_close(x);
    return x;
}

/* ---- choosing ---- */

typedef struct Score {
    Builder *b;
    int vector_axis; /* -1 outside of vector loops */
} Score;

static const Layout *slot_layout(Builder *b, int slot) {
    return slot >= SCRATCH_BASE ? NULL : b->kernel->slots.data[slot].layout;
}

static double access_cost(Score *s, int slot, const Index *const *indices) {
    const Index *offset =
        index_offset(s->b->table, slot_layout(s->b, slot), builder_slot_shape(s->b, slot), indices);
    const Dim *stride;
    switch (index_motion(offset, s->vector_axis, &stride)) {
    case MOTION_NONE: return 0.25;
    case MOTION_STRIDE: return dim_is(stride, 1) ? 1 : 12;
    case MOTION_OTHER: break;
    }
    return 300; /* lane by lane, with divisions */
}

static double expr_score(Score *s, const Expr *e) {
    double cost = 0;
    if (e->kind == EXPR_LOAD)
        cost = access_cost(s, e->slot, e->indices);
    else if (e->kind == EXPR_GUARD) {
        cost = 1;
        for (int i = 0; i < e->guard->count; i++) {
            Motion m = index_motion(e->guard->tests[i].value, s->vector_axis, NULL);
            cost += m == MOTION_NONE ? 0 : m == MOTION_STRIDE ? 12 : 200;
        }
    } else if (e->kind == EXPR_INDEX)
        cost = index_motion(e->index, s->vector_axis, NULL) == MOTION_OTHER ? 200 : 1;
    else
        cost = 0.5;
    for (int i = 0; i < e->arg_count; i++) cost += expr_score(s, e->args[i]);
    return cost;
}

static double stmt_score(Score *s, const Stmt *stmt);

static double body_score(Score *s, const Stmt *stmt) {
    double cost = 0;
    for (int i = 0; i < stmt->body.count; i++) cost += stmt_score(s, stmt->body.data[i]);
    return cost;
}

/* Estimated cycles. */
static double stmt_score(Score *s, const Stmt *stmt) {
    if (stmt->kind == STMT_BLOCK) return body_score(s, stmt);
    if (stmt->kind == STMT_LOOP) {
        const Kernel *k = s->b->kernel;
        double extent = (double)dim_hint(k->axes.data[stmt->axis].extent);
        /* A part of the axis: that of one tile, which was the last to be made. */
        int64_t first;
        if (k->tiles.count && !index_is_const(stmt->begin, &first)) {
            double tiles = (double)dim_hint(k->tiles.data[k->tiles.count - 1].count);
            extent = extent > tiles ? extent / tiles : 1;
        }
        double trips = extent;
        int outer = s->vector_axis;
        if (stmt->binding == BIND_VECTOR) {
            double whole = (double)((int64_t)extent / VECTOR_HINT);
            /* A partial group costs more than a whole one. */
            trips = whole + ((double)VECTOR_HINT * whole < extent ? 2 : 0);
            s->vector_axis = stmt->axis;
        }
        double cost = trips * (body_score(s, stmt) + 1) + 4 +
                      (stmt->binding == BIND_VECTOR ? 8.0 * stmt->accumulator_count : 0);
        s->vector_axis = outer;
        return cost;
    }
    double cost = 0.5;
    if (stmt->value) cost += expr_score(s, stmt->value);
    if (stmt->kind == STMT_STORE) cost += 2 * access_cost(s, stmt->slot, stmt->indices);
    return cost;
}

static double variant_cost(Loops *x) {
    Score s = {x->b, -1};
    double cost = stmt_score(&s, x->b->kernel->body);
    for (int i = 0; i < x->b->kernel->tiles.count; i++)
        cost *= (double)dim_hint(x->b->kernel->tiles.data[i].count);
    return cost;
}

static double try_variant(Lowering *l, Group *group, Variant variant) {
    Arena *trial = arena_new();
    double cost = variant_cost(build(l, group, variant, trial));
    arena_free(trial);
    return cost;
}

/* The width of the panels in which something that the group writes is stored, and their axis. */
static int64_t stored_panel(Lowering *l, Group *group, int *axis) {
    for (int m = 0; m < group->members.count; m++) {
        const NodeState *s = lowering_state(l, group->members.data[m]);
        for (int i = 0; i < s->targets.count; i++) {
            const Layout *layout = s->targets.data[i]->layout;
            if (!layout || s->targets.data[i]->shape.rank != group->space.rank) continue;
            *axis = layout->axes[0].axis;
            return layout->axes[0].divide;
        }
    }
    return 0;
}

void schedule_loops(Lowering *l, Group *group) {
    int kept = 0, reduced = 0;
    for (int i = 0; i < group->space.rank; i++) {
        if (group->reduced >> i & 1)
            reduced++;
        else
            kept++;
    }
    Variant best = {0};
    double best_cost = -1;
    int panel_axis;
    int64_t panel = group->reduced ? 0 : stored_panel(l, group, &panel_axis);
    if (panel) {
        best = (Variant){true, 0, panel_axis, panel, 1};
        best_cost = try_variant(l, group, best);
    }
    for (int rows_vector = 0; rows_vector < 2; rows_vector++) {
        int count = rows_vector ? kept : reduced;
        if (count == 0 && (rows_vector ? reduced : 1)) continue;
        for (int flatten = 0; flatten < count || (count == 0 && flatten == 0); flatten++) {
            Variant v = {rows_vector, flatten, -1, 0, 1};
            double cost = try_variant(l, group, v);
            if (best_cost >= 0 && cost >= best_cost) continue;
            best = v;
            best_cost = cost;
        }
    }
    int64_t last;
    bool parts =
        !group->reduced && kept && dim_is_const(group->space.dims[kept - 1], &last) && last > 1;
    for (int64_t split = 2; split <= 4 && parts; split++) {
        if (last % split) continue;
        Variant v = {true, kept - 1, -1, 0, split};
        double cost = try_variant(l, group, v);
        if (cost >= best_cost) continue;
        best = v;
        best_cost = cost;
    }
    Loops *x = build(l, group, best, l->arena);
    group_finish(l, group, x->b, NULL);
}
