/* Schedules of what is neither pointwise, nor a row, nor a product: prefix, sort, scatter, update,
 * scan.
 *
 * Input: a group with one anchor.  Output: kernels and loops.  Orders that results depend on are
 * serial by construction: prefix along its axis, scatter along the index. */
#include "kernel/internal.h"

const char *group_what(Lowering *l, const Group *group, const char **path) {
    Text t = text_new(l->arena);
    *path = NULL;
    for (int i = 0; i < group->members.count; i++) {
        const Node *n = group->members.data[i];
        if (!*path || !**path) *path = n->path;
        const char *name = op_info(n->op)->name;
        if (n->op == OP_REDUCE) name = reduce_name(n->attr.reduce.kind);
        if (t.length + 24 < 120) text_printf(&t, "%s%s", i ? " " : "", name);
    }
    return t.data;
}

/* The operator, and those that are computed with it because nobody stored their values. */
static void describe_operators(Lowering *l, const Group *group, Builder *b, const Node *n) {
    const NodeState *s = lowering_state(l, n);
    if (l->seen[n->id] == l->stamp || (s->stored && s->group != group)) return;
    l->seen[n->id] = l->stamp;
    for (int i = 0; i < n->input_count && n->op != OP_SCAN; i++)
        describe_operators(l, group, b, n->inputs[i]);
    if (n->input_count && n->op != OP_IDENTITY && !op_is_view(n->op)) builder_describe(b, n);
}

void group_finish(Lowering *l, const Group *group, Builder *b, const char *name) {
    const char *path, *what = group_what(l, group, &path);
    while (b->depth) builder_close(b);
    l->stamp++;
    for (int m = 0; m < group->members.count; m++) {
        builder_describe(b, group->members.data[m]);
        describe_operators(l, group, b, group->members.data[m]);
    }
    vector_push(l->arena, &l->steps, builder_finish(b, name ? name : what, path));
}

typedef struct Nest {
    Lowering *l;
    Builder *b;
    Gen *gen;
} Nest;

static Nest begin(Lowering *l, Group *group) {
    Nest n = {l, builder_new(l->program, l->arena), NULL};
    n.gen = gen_new(l, n.b, group);
    return n;
}

/* A loop over an axis of extent `extent`; the axes of one result element each are tiles while
 * `tiles`. */
static const Index *loop(Nest *n, const Dim *extent, Binding binding, const char *name) {
    if (dim_is(extent, 1)) return index_const(n->b->table, 0);
    int axis = builder_axis(n->b, name, extent);
    builder_open(n->b, axis, NULL, NULL, binding);
    return builder_axis_index(n->b, axis);
}

static void close_all(Nest *n, int depth) {
    while (n->b->depth > depth) builder_close(n->b);
}

/* The node is computed afresh when it is not stored, and read when it is. */
void schedule_copy(Lowering *l, const Node *node, Buffer *dst, const char *what) {
    if (l->program->options.gpu) {
        schedule_gpu_copy(l, node, dst, what);
        return;
    }
    Builder *b = builder_new(l->program, l->arena);
    Gen *gen = gen_new(l, b, NULL);
    const Index *at[SHAPE_MAX_RANK];
    Shape run = node->type.shape;
    const Dim *elements = dim_need(shape_elements(l->dims, &run));
    const Dim *block = dim_const(l->dims, TILE_ELEMENTS);
    const Dim *tiles = dim_ceildiv(l->dims, elements, TILE_ELEMENTS);
    const Index *flat = index_const(b->table, 0);
    if (run.rank) {
        int64_t known;
        const Index *first = NULL, *end = NULL;
        if (!dim_is_const(elements, &known) || known > TILE_ELEMENTS) {
            first = index_scale(b->table, builder_tile(b, "tile", dim_need(tiles)), block);
            end = index_min(b->table, index_dim(b->table, elements),
                            index_add(b->table, first, index_dim(b->table, block)));
        }
        if (!dim_is(elements, 1)) {
            int axis = builder_axis(b, "v", elements);
            builder_open(b, axis, first, end, BIND_VECTOR);
            flat = builder_axis_index(b, axis);
        }
    }
    index_unflatten(b->table, flat, &run, at);
    const Expr *value = gen_value(gen, node, at);
    builder_store(b, builder_slot(b, dst, ACCESS_WRITE), at, run.rank, value, NULL);
    while (b->depth) builder_close(b);
    builder_describe(b, node);
    vector_push(l->arena, &l->steps, builder_finish(b, what, node->path));
}

/* ---- prefix ---- */

void schedule_prefix(Lowering *l, Group *group) {
    Nest n = begin(l, group);
    const Node *p = group->anchor;
    const Shape *s = &p->type.shape;
    int axis = p->attr.prefix.axis;
    const Index *at[SHAPE_MAX_RANK], *out[SHAPE_MAX_RANK];
    int last = s->rank - 1 == axis ? -1 : s->rank - 1;
    for (int i = 0; i < s->rank; i++) {
        if (i == axis || i == last) continue;
        at[i] = builder_tile(n.b, "i", s->dims[i]);
    }
    if (last >= 0) at[last] = loop(&n, s->dims[last], BIND_VECTOR, "v");
    int run = builder_axis(n.b, "k", s->dims[axis]);
    DType dtype = dtype_accumulator(p->type.dtype);
    int reg = builder_register(n.b, dtype, "prefix");
    Stmt *scan = builder_open(n.b, run, NULL, NULL, BIND_SEQ);
    builder_accumulator(n.b, scan, p->attr.prefix.kind, reg, -1);
    const Index *k = builder_axis_index(n.b, run);
    if (p->attr.prefix.reverse)
        k = index_sub(n.b->table,
                      index_dim(n.b->table, dim_sub(l->dims, s->dims[axis], dim_const(l->dims, 1))),
                      k);
    at[axis] = k;
    for (int i = 0; i < s->rank; i++) out[i] = at[i];
    const Expr *value = expr_cast(n.b, gen_value(n.gen, p->inputs[0], at), dtype);
    builder_accumulate(n.b, p->attr.prefix.kind, reg, value, NULL);
    gen_store(n.gen, p, out, expr_cast(n.b, expr_register(n.b, reg), p->type.dtype));
    close_all(&n, 0);
    group_finish(l, group, n.b, NULL);
}

/* ---- argsort ---- */

void schedule_argsort(Lowering *l, Group *group) {
    Nest n = begin(l, group);
    const Node *p = group->anchor;
    const Shape *s = &p->type.shape;
    int axis = p->attr.sort.axis;
    const Index *at[SHAPE_MAX_RANK];
    for (int i = 0; i < s->rank; i++)
        if (i != axis) at[i] = builder_tile(n.b, "i", s->dims[i]);
    Shape row = {1, {s->dims[axis]}};
    DType type = dtype_accumulator(p->inputs[0]->type.dtype);
    int keys = builder_scratch(n.b, "keys", type, row);
    int order = builder_scratch(n.b, "order", DTYPE_I64, row);
    int spare = builder_scratch(n.b, "spare", DTYPE_I64, row);
    int load = builder_axis(n.b, "v", s->dims[axis]);
    builder_open(n.b, load, NULL, NULL, BIND_VECTOR);
    const Index *k = at[axis] = builder_axis_index(n.b, load);
    const Expr *value = expr_cast(n.b, gen_value(n.gen, p->inputs[0], at), type);
    builder_store(n.b, keys, &k, 1, value, NULL);
    builder_close(n.b);
    Stmt *sort = builder_leaf(n.b, STMT_ARGSORT);
    sort->argsort = NEW(l->arena, ArgsortLeaf);
    *sort->argsort = (ArgsortLeaf){
        keys, order, spare, index_dim(n.b->table, s->dims[axis]), p->attr.sort.descending, 0};
    int store = builder_axis(n.b, "v", s->dims[axis]);
    builder_open(n.b, store, NULL, NULL, BIND_VECTOR);
    k = at[axis] = builder_axis_index(n.b, store);
    gen_store(n.gen, p, at, expr_load(n.b, order, &k, 1));
    close_all(&n, 0);
    group_finish(l, group, n.b, NULL);
}

/* ---- scatter and update: the result's memory holds x, then some elements change ---- */

static bool holds(Lowering *l, const Node *x, Buffer *dst) {
    return x->op == OP_CELL && lowering_state(l, x)->buffer == dst;
}

Buffer *indexed_start(Lowering *l, Group *group) {
    const Node *p = group->anchor, *x = p->inputs[0];
    NodeState *s = lowering_state(l, p);
    if (!holds(l, x, s->buffer)) schedule_copy(l, x, s->buffer, "copy");
    return s->buffer;
}

void indexed_finish(Lowering *l, Group *group) {
    NodeState *s = lowering_state(l, group->anchor);
    for (int i = 0; i < s->targets.count; i++)
        if (s->targets.data[i] != s->buffer)
            schedule_copy(l, group->anchor, s->targets.data[i], "copy");
}

void schedule_scatter(Lowering *l, Group *group) {
    const Node *p = group->anchor, *ids = p->inputs[1], *update = p->inputs[2];
    Buffer *dst = indexed_start(l, group);
    Nest n = begin(l, group);
    const Shape *s = &p->type.shape;
    int batch = p->attr.batch, index_rank = ids->type.shape.rank;
    const Index *to[SHAPE_MAX_RANK], *from[SHAPE_MAX_RANK];
    for (int i = 0; i < batch; i++) to[i] = from[i] = builder_tile(n.b, "b", s->dims[i]);
    /* Columns of a row are independent: blocks of them are tiles. */
    Shape row = {0};
    for (int i = batch + 1; i < s->rank; i++) row.dims[row.rank++] = s->dims[i];
    const Dim *width = dim_need(shape_elements(l->dims, &row));
    const Dim *block = dim_const(l->dims, 4 * PANEL_MAX);
    const Index *first = NULL, *end = NULL;
    int64_t known;
    if (!dim_is_const(width, &known) || known > 4 * PANEL_MAX) {
        const Dim *tiles = dim_ceildiv(l->dims, width, 4 * PANEL_MAX);
        first = index_scale(n.b->table, builder_tile(n.b, "tile", dim_need(tiles)), block);
        end = index_min(n.b->table, index_dim(n.b->table, width),
                        index_add(n.b->table, first, index_dim(n.b->table, block)));
    }
    for (int i = batch; i < index_rank; i++)
        from[i] = loop(&n, ids->type.shape.dims[i], BIND_SEQ, "k");
    bool pure = n.gen->pure;
    n.gen->pure = true;
    const Expr *target = expr_cast(n.b, gen_value(n.gen, ids, from), DTYPE_I64);
    n.gen->pure = pure;
    to[batch] = index_value(n.b->table, target, s->dims[batch]);
    const Index *flat = index_const(n.b->table, 0);
    if (!dim_is(width, 1)) {
        int axis = builder_axis(n.b, "v", width);
        builder_open(n.b, axis, first, end, BIND_VECTOR);
        flat = builder_axis_index(n.b, axis);
    }
    const Index *column[SHAPE_MAX_RANK];
    index_unflatten(n.b->table, flat, &row, column);
    for (int i = 0; i < row.rank; i++) to[batch + 1 + i] = from[index_rank + i] = column[i];
    const Expr *value = gen_value(n.gen, update, from);
    int slot = builder_slot(n.b, dst, p->op == OP_SCATTER_ADD ? ACCESS_UPDATE : ACCESS_WRITE);
    if (p->op == OP_SCATTER_ADD) {
        const Expr *args[2] = {expr_load(n.b, slot, to, s->rank), value};
        value = expr_op(n.b, OP_ADD, p->type.dtype, args, 2);
    }
    builder_store(n.b, slot, to, s->rank, value, NULL);
    close_all(&n, 0);
    group_finish(l, group, n.b, NULL);
    indexed_finish(l, group);
}

void schedule_update(Lowering *l, Group *group) {
    const Node *p = group->anchor, *update = p->inputs[1], *start = p->inputs[2];
    Buffer *dst = indexed_start(l, group);
    Nest n = begin(l, group);
    const Shape *s = &update->type.shape;
    int axis = p->attr.dynamic.axis;
    const Index *from[SHAPE_MAX_RANK], *to[SHAPE_MAX_RANK];
    for (int i = 0; i < s->rank; i++) {
        bool last = i == s->rank - 1;
        if (last)
            from[i] = loop(&n, s->dims[i], BIND_VECTOR, "v");
        else
            from[i] =
                i == 0 ? builder_tile(n.b, "i", s->dims[i]) : loop(&n, s->dims[i], BIND_SEQ, "i");
        to[i] = from[i];
    }
    n.gen->pure = true;
    const Expr *raw = expr_cast(n.b, gen_value(n.gen, start, NULL), DTYPE_I64);
    n.gen->pure = false;
    const Index *clamped = index_value(n.b->table, raw, NULL);
    const Index *limit =
        index_dim(n.b->table, dim_sub(l->dims, p->type.shape.dims[axis], s->dims[axis]));
    clamped =
        index_max(n.b->table, index_const(n.b->table, 0), index_min(n.b->table, clamped, limit));
    to[axis] = index_add(n.b->table, from[axis], clamped);
    const Expr *value = gen_value(n.gen, update, from);
    builder_store(n.b, builder_slot(n.b, dst, ACCESS_WRITE), to, s->rank, value, NULL);
    close_all(&n, 0);
    group_finish(l, group, n.b, NULL);
    indexed_finish(l, group);
}

/* ---- scan ---- */

static Buffer *place_of(Lowering *l, Node *n) {
    return lowering_state(l, n)->buffer;
}

void schedule_scan(Lowering *l, Group *group) {
    const Node *p = group->anchor;
    const ScanAttr *a = &p->attr.scan;
    const Graph *body = a->body;
    Step *step = NEW(l->arena, Step);
    step->kind = STEP_LOOP;
    step->count = a->length;
    step->reverse = a->reverse;
    int inputs = body->inputs.count, results = body->results.count;
    Buffer **in = NEW_ARRAY(l->arena, (size_t)inputs, Buffer *);
    Buffer **out = NEW_ARRAY(l->arena, (size_t)results, Buffer *);
    Buffer **kept = NEW_ARRAY(l->arena, (size_t)results, Buffer *);
    for (int i = 0; i < inputs; i++) {
        const Node *x = body->inputs.data[i];
        Buffer *outer = place_of(l, p->inputs[i]);
        if (i < a->carries) {
            /* The loop needs two places that are its own. */
            Buffer *current =
                lowering_buffer(l, BUFFER_TEMPORARY, x->type.dtype, x->type.shape, "carry");
            Buffer *next =
                lowering_buffer(l, BUFFER_TEMPORARY, x->type.dtype, x->type.shape, "carry");
            schedule_copy(l, p->inputs[i], current, "carry");
            Rotation r = {current, next};
            vector_push(l->arena, &step->rotations, r);
            in[i] = current;
            out[i] = next;
            kept[i] = current;
        } else if (i < a->carries + a->sequences) {
            in[i] = lowering_buffer(l, BUFFER_ELEMENT, x->type.dtype, x->type.shape, "element");
            in[i]->parent = outer;
            in[i]->loop = step;
        } else {
            in[i] = outer;
        }
    }
    for (int m = 0; m < group->members.count; m++) {
        const Node *proj = group->members.data[m];
        if (proj->op != OP_PROJ || proj->attr.index < a->carries) continue;
        kept[proj->attr.index] = lowering_state(l, proj)->buffer;
    }
    for (int i = a->carries; i < results; i++) {
        const Node *y = body->results.data[i];
        Shape whole = {.rank = y->type.shape.rank + 1};
        whole.dims[0] = a->length;
        for (int d = 0; d < y->type.shape.rank; d++) whole.dims[d + 1] = y->type.shape.dims[d];
        if (!kept[i] || kept[i]->layout)
            kept[i] = lowering_buffer(l, BUFFER_TEMPORARY, y->type.dtype, whole, "yield");
        out[i] = lowering_buffer(l, BUFFER_ELEMENT, y->type.dtype, y->type.shape, "yield");
        out[i]->parent = kept[i];
        out[i]->loop = step;
    }
    StepList steps = {0};
    lower_graph(l->program, l->entry, body, in, out, &steps);
    for (int i = 0; i < steps.count; i++) vector_push(l->arena, &step->body, steps.data[i]);
    vector_push(l->arena, &l->steps, step);
    /* Final values to where they are wanted. */
    for (int m = 0; m < group->members.count; m++) {
        Node *proj = group->members.data[m];
        if (proj->op != OP_PROJ) continue;
        NodeState *s = lowering_state(l, proj);
        Buffer *source = kept[proj->attr.index];
        Buffer *wanted = s->buffer;
        s->buffer = source;
        if (wanted && wanted != source && wanted->kind != BUFFER_TEMPORARY)
            schedule_copy(l, proj, wanted, "copy");
        for (int i = 0; i < s->targets.count; i++)
            if (s->targets.data[i] != source &&
                (s->targets.data[i] != wanted || wanted->kind == BUFFER_TEMPORARY))
                schedule_copy(l, proj, s->targets.data[i], "copy");
    }
}
