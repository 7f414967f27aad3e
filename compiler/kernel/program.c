/* From one graph to steps: buffers, order of groups, writes of cells; and the program's driver.
 *
 * Input: a graph, the buffers of its inputs and of its outputs.  Output: steps.
 * Invariants: a group runs after all groups it needs and after all readers of a cell that it
 * overwrites; where that is impossible the new value goes to a temporary and is copied when all
 * groups have run. */
#include "kernel/internal.h"

#include <stdlib.h>
#include <string.h>

/* A symbol is taken for SYMBOL_HINT.  What is left of it after some strides, a quotient, is not
 * taken for fewer than QUOTIENT_HINT: the shapes that a program meets are larger than a guess for
 * all of them can be. */
enum { QUOTIENT_HINT = 8 };

static int64_t atom_hint(const DimAtom *a) {
    if (a->kind == DIM_ATOM_SYMBOL) return SYMBOL_HINT;
    int64_t left = dim_hint(a->left), right = dim_hint(a->right);
    if (a->kind == DIM_ATOM_MAX) return left > right ? left : right;
    return left / right > QUOTIENT_HINT ? left / right : QUOTIENT_HINT;
}

int64_t dim_hint(const Dim *d) {
    int64_t lower, upper, sum = 0;
    if (dim_is_const(d, &sum)) return sum;
    dim_bounds(d, &lower, &upper);
    if (upper < SYMBOL_HINT) return upper > 0 ? upper : 1;
    sum = 0;
    for (int t = 0; t < d->term_count; t++) {
        int64_t product = d->terms[t].coefficient;
        for (int f = 0; f < d->terms[t].factor_count; f++)
            for (int k = 0; k < d->terms[t].factors[f].power; k++)
                if (!checked_mul(product, atom_hint(d->terms[t].factors[f].atom), &product))
                    return INT32_MAX;
        if (!checked_add(sum, product, &sum)) return INT32_MAX;
    }
    return sum > 0 ? sum : 1;
}

NodeState *lowering_state(Lowering *l, const Node *n) {
    return &l->states[n->id];
}

Buffer *lowering_buffer(Lowering *l, BufferKind kind, DType dtype, Shape shape, const char *name) {
    Buffer *b = NEW(l->arena, Buffer);
    *b = (Buffer){.id = l->entry->buffers.count,
                  .kind = kind,
                  .dtype = dtype,
                  .shape = shape,
                  .name = name,
                  .index = -1};
    vector_push(l->arena, &l->entry->buffers, b);
    return b;
}

Buffer *lowering_constant(Lowering *l, DType dtype, Shape shape, const int64_t *data,
                          const char *name) {
    int64_t count = 1, extent;
    for (int i = 0; i < shape.rank; i++) count *= dim_is_const(shape.dims[i], &extent) ? extent : 0;
    for (int i = 0; i < l->entry->buffers.count; i++) {
        Buffer *old = l->entry->buffers.data[i];
        if (old->kind == BUFFER_CONSTANT && old->dtype == dtype &&
            shape_equal(&old->shape, &shape) &&
            !memcmp(old->data, data, (size_t)count * sizeof *data))
            return old;
    }
    Buffer *buffer = lowering_buffer(l, BUFFER_CONSTANT, dtype, shape, name);
    buffer->data = data;
    return buffer;
}

void lowering_remark(Lowering *l, RemarkKind kind, const Node *n, const char *format, ...) {
    Text t = text_new(l->arena);
    va_list args;
    va_start(args, format);
    text_vprintf(&t, format, args);
    va_end(args);
    Remark r = {kind, l->entry->entry, n, t.data};
    vector_push(l->arena, &l->program->remarks, r);
}

const Layout *kernel_cell_layout(const KernelProgram *program, const Cell *cell) {
    return layout_of_type(program, &cell->type);
}

static Buffer *cell_buffer(KernelProgram *program, KernelEntry *entry, const Cell *cell) {
    while (entry->cell_buffers.count <= cell->index)
        vector_push(program->arena, &entry->cell_buffers, NULL);
    Buffer **known = &entry->cell_buffers.data[cell->index];
    if (*known) return *known;
    Buffer *b = NEW(program->arena, Buffer);
    *b = (Buffer){.id = entry->buffers.count,
                  .kind = BUFFER_CELL,
                  .dtype = cell->type.dtype,
                  .shape = cell->type.shape,
                  .layout = kernel_cell_layout(program, cell),
                  .index = cell->index,
                  .cell = cell,
                  .name = cell->name->text};
    vector_push(program->arena, &entry->buffers, b);
    return *known = b;
}

/* From users to what they read: the nodes of a graph stand in topological order. */
static void mark_live(Lowering *l) {
    for (int i = 0; i < l->graph->results.count; i++) {
        NodeState *s = lowering_state(l, l->graph->results.data[i]);
        s->users++;
        s->live = true;
    }
    for (int i = l->graph->nodes.count - 1; i >= 0; i--) {
        const Node *n = l->graph->nodes.data[i];
        if (!lowering_state(l, n)->live) continue;
        for (int k = 0; k < n->input_count; k++) {
            NodeState *s = lowering_state(l, n->inputs[k]);
            s->users++;
            s->live = true;
        }
    }
}

/* ---- cells ---- */

typedef struct CellReads {
    const Cell *cell;
    bool found;
} CellReads;

static void see_cell(void *user, Node *read) {
    CellReads *r = user;
    if (read->op == OP_CELL && read->attr.cell == r->cell) r->found = true;
}

typedef struct GroupCells {
    Arena *arena;
    Group *group;
} GroupCells;

static void note_cell(void *user, Node *read) {
    GroupCells *c = user;
    if (read->op != OP_CELL) return;
    for (int i = 0; i < c->group->cells.count; i++)
        if (c->group->cells.data[i] == read->attr.cell) return;
    vector_push(c->arena, &c->group->cells, read->attr.cell);
}

static void note_cells(Lowering *l) {
    for (int i = 0; i < l->groups.count; i++) {
        Group *g = l->groups.data[i];
        GroupCells c = {l->arena, g};
        for (int m = 0; m < g->members.count; m++) node_reads(l, g->members.data[m], note_cell, &c);
        for (int k = 0; k < g->anchor->input_count; k++) note_cell(&c, g->anchor->inputs[k]);
        for (int k = 0; k < g->cells.count; k++) {
            int index = g->cells.data[k]->index;
            while (l->cell_readers.count <= index)
                vector_push(l->arena, &l->cell_readers, (GroupList){0});
            vector_push(l->arena, &l->cell_readers.data[index], g);
        }
    }
}

static bool group_reads_cell(const Group *g, const Cell *cell) {
    for (int i = 0; i < g->cells.count; i++)
        if (g->cells.data[i] == cell) return true;
    return false;
}

/* Does the group read the cell only at the element that it then writes? */
static bool reads_in_place(Lowering *l, Group *g, const Cell *cell, Arena *trial) {
    if (!group_reads_cell(g, cell)) return true;
    if (g->kind == GROUP_UPDATE || g->kind == GROUP_SCATTER) {
        const Node *x = g->anchor->inputs[0];
        if (x->op != OP_CELL || x->attr.cell != cell) return false;
        CellReads r = {cell, false};
        for (int i = 1; i < g->anchor->input_count; i++) {
            see_cell(&r, g->anchor->inputs[i]);
            if (!lowering_state(l, g->anchor->inputs[i])->stored)
                node_reads(l, g->anchor->inputs[i], see_cell, &r);
        }
        return !r.found;
    }
    if ((g->kind != GROUP_LOOPS && g->kind != GROUP_CONTRACT) || g->windows.shape.rank)
        return false;
    if (g->reduced && cell->type.shape.rank != g->space.rank) {
        /* A row value is written once per row, after every inner loop: reading it there is reading
         * it in place. */
        for (int i = 0; i < g->members.count; i++)
            if (g->members.data[i]->type.shape.rank == g->space.rank) return false;
    }
    const Index *full[SHAPE_MAX_RANK], *row[SHAPE_MAX_RANK];
    int rows;
    Gen *gen = gen_new_dry(l, g, trial, full, row, &rows);
    bool is_row = g->reduced && cell->type.shape.rank != g->space.rank;
    if (cell->type.shape.rank != (is_row ? rows : g->space.rank)) return false;
    gen->space = is_row ? row : full;
    for (int i = 0; i < g->members.count; i++) {
        Node *m = g->members.data[i];
        if (m->op == OP_CONTRACT) {
            CellReads r = {cell, false};
            node_reads(l, m, see_cell, &r);
            if (r.found) return false;
            gen_set(gen, m, g->kind == GROUP_CONTRACT ? full : row,
                    expr_const(gen->b, m->type.dtype, 0));
            continue;
        }
        if (m->op == OP_REDUCE && !node_is_window_reduce(m)) {
            gen_value(gen, m->inputs[0], full);
            gen_set(gen, m, row, expr_const(gen->b, m->type.dtype, 0));
            continue;
        }
        gen_value(gen, m, m->type.shape.rank == g->space.rank ? full : row);
    }
    for (int i = 0; i < gen->elsewhere.count; i++)
        if (gen->elsewhere.data[i] == cell) return false;
    return true;
}

/* True when the group may write the cell's own storage; adds the edges that order it after the
 * readers. */
static bool may_overwrite(Lowering *l, Group *g, const Cell *cell) {
    Arena *trial = arena_new();
    bool in_place = reads_in_place(l, g, cell, trial);
    arena_free(trial);
    if (!in_place) return false;
    if (cell->index >= l->cell_readers.count) return true;
    const GroupList *readers = &l->cell_readers.data[cell->index];
    for (int i = 0; i < readers->count; i++)
        if (readers->data[i] != g && group_reaches(l, readers->data[i], g)) return false;
    for (int i = 0; i < readers->count; i++)
        if (readers->data[i] != g) group_follow(l, g, readers->data[i]);
    return true;
}

/* ---- buffers ---- */

typedef struct Outside {
    Lowering *l;
    Group *group;
} Outside;

static void give_buffer(Lowering *l, Node *n) {
    NodeState *s = lowering_state(l, n);
    if (s->buffer) return;
    for (int i = 0; i < s->targets.count && !s->buffer; i++)
        if (shape_equal(&s->targets.data[i]->shape, &n->type.shape)) s->buffer = s->targets.data[i];
    if (!s->buffer)
        s->buffer = lowering_buffer(l, BUFFER_TEMPORARY, n->type.dtype, n->type.shape, n->path);
}

static void see_outside(void *user, Node *read) {
    Outside *o = user;
    NodeState *s = lowering_state(o->l, read);
    if (s->stored && s->group && s->group != o->group) give_buffer(o->l, read);
}

static void give_buffers(Lowering *l) {
    for (int i = 0; i < l->groups.count; i++) {
        Group *g = l->groups.data[i];
        Outside o = {l, g};
        for (int m = 0; m < g->members.count; m++) {
            Node *n = g->members.data[m];
            NodeState *s = lowering_state(l, n);
            if (n->op != OP_PROJ) node_reads(l, n, see_outside, &o);
            if (s->targets.count) give_buffer(l, n);
            /* These kernels work in their result's memory. */
            if (g->kind != GROUP_LOOPS && g->kind != GROUP_CONTRACT && n->op != OP_SCAN)
                give_buffer(l, n);
        }
    }
}

/* ---- order ---- */

static int by_id(const void *a, const void *b) {
    return (*(Group *const *)a)->id - (*(Group *const *)b)->id;
}

static void visit_group(Lowering *l, Group *g) {
    if (g->mark == -1) return;
    g->mark = -1;
    for (int pass = 0; pass < 2; pass++) {
        int count = pass ? g->after.count : g->needs.count;
        Group **list = pass ? g->after.data : g->needs.data;
        /* By id, so that the order does not depend on how dependences were found. */
        if (count) qsort(list, (size_t)count, sizeof *list, by_id);
        for (int i = 0; i < count; i++) visit_group(l, list[i]);
    }
    vector_push(l->arena, &l->order, g);
}

static void refuse(Lowering *l, const Node *n, const char *what) {
    Refusal r = {l->entry->entry, n, what};
    vector_push(l->arena, &l->program->refusals, r);
}

/* The arguments of a kernel go with its launch. */
static void check_arguments(Lowering *l, const Group *g, int from) {
    for (int i = from; i < l->steps.count; i++) {
        const Step *s = l->steps.data[i];
        if (s->kind == STEP_CALL &&
            s->kernel->parameter_count + s->kernel->symbols.count + s->kernel->sites.count >
                LAUNCH_ARGUMENTS_MAX)
            refuse(l, g->anchor, "an operation on so many tensors at once");
    }
}

static void schedule_group_gpu(Lowering *l, Group *g) {
    int steps = l->steps.count;
    switch (g->kind) {
    case GROUP_LOOPS: reuse_or_schedule(l, g, schedule_gpu_loops); break;
    case GROUP_CONTRACT: reuse_or_schedule(l, g, schedule_gpu_contract); break;
    case GROUP_PREFIX: schedule_gpu_prefix(l, g); break;
    case GROUP_ARGSORT: schedule_gpu_argsort(l, g); break;
    case GROUP_SCATTER: schedule_gpu_scatter(l, g); break;
    case GROUP_UPDATE: schedule_gpu_update(l, g); break;
    case GROUP_SCAN: schedule_scan(l, g); break;
    }
    check_arguments(l, g, steps);
}

static void schedule_group(Lowering *l, Group *g) {
    if (l->program->options.gpu) {
        schedule_group_gpu(l, g);
        return;
    }
    switch (g->kind) {
    case GROUP_LOOPS: reuse_or_schedule(l, g, schedule_loops); return;
    case GROUP_CONTRACT: reuse_or_schedule(l, g, schedule_contract); return;
    case GROUP_PREFIX: schedule_prefix(l, g); return;
    case GROUP_ARGSORT: schedule_argsort(l, g); return;
    case GROUP_SCATTER: schedule_scatter(l, g); return;
    case GROUP_UPDATE: schedule_update(l, g); return;
    case GROUP_SCAN: schedule_scan(l, g); return;
    }
}

/* Copies between buffers of one shape: what could not be written in place. */
static void copy_buffer(Lowering *l, Buffer *from, Buffer *to) {
    Graph *g = graph_new(l->arena, l->dims);
    Node *x = op_input(g, name_of("x"), (TensorType){from->dtype, from->shape});
    vector_push(l->arena, &g->results, op_identity(g, x));
    StepList steps = {0};
    Buffer *inputs[1] = {from}, *outputs[1] = {to};
    lower_graph(l->program, l->entry, g, inputs, outputs, &steps);
    for (int i = 0; i < steps.count; i++) vector_push(l->arena, &l->steps, steps.data[i]);
}

/* It lies where its loop leaves it, which is known when the loop is scheduled. */
static bool is_final_carry(const Node *n) {
    return n->op == OP_PROJ && n->inputs[0]->op == OP_SCAN &&
           n->attr.index < n->inputs[0]->attr.scan.carries;
}

void lower_graph(KernelProgram *program, KernelEntry *entry, const Graph *graph, Buffer **inputs,
                 Buffer **outputs, StepList *steps) {
    Lowering *l = NEW(program->arena, Lowering);
    l->program = program;
    l->entry = entry;
    l->arena = program->arena;
    l->table = program->indices;
    l->dims = index_dims(program->indices);
    l->graph = graph_normalize(l->arena, graph);
    l->inputs = inputs;
    for (int i = 0; i < l->graph->nodes.count; i++)
        if (l->graph->nodes.data[i]->id >= l->state_count)
            l->state_count = l->graph->nodes.data[i]->id + 1;
    l->states = NEW_ARRAY(l->arena, (size_t)l->state_count, NodeState);
    l->seen = NEW_ARRAY(l->arena, (size_t)l->state_count, int);
    l->level = NEW_ARRAY(l->arena, (size_t)l->state_count, int);
    l->level_seen = NEW_ARRAY(l->arena, (size_t)l->state_count, int);
    l->number = NEW_ARRAY(l->arena, (size_t)l->state_count, int);
    for (int i = 0; i < l->graph->nodes.count; i++) {
        Node *n = l->graph->nodes.data[i];
        NodeState *s = lowering_state(l, n);
        s->node = n;
        if (n->op == OP_INPUT) s->buffer = inputs[n->attr.input.index];
        if (n->op == OP_CELL) s->buffer = cell_buffer(program, entry, n->attr.cell);
    }
    mark_live(l);

    /* Where results go.  A reshaped value lies in a caller's buffer as the value itself does. */
    for (int i = 0; i < l->graph->results.count; i++) {
        Node *n = l->graph->results.data[i];
        Buffer *out = outputs[i];
        while (n->op == OP_RESHAPE && out->kind == BUFFER_RESULT && n->inputs[0]->op != OP_INPUT &&
               n->inputs[0]->op != OP_CELL && n->inputs[0]->input_count > 0) {
            n = n->inputs[0];
            out->shape = n->type.shape;
        }
        NodeState *s = lowering_state(l, n);
        s->stored = s->forced = true;
        s->kept = "the entry returns it or keeps it";
        if (out->kind != BUFFER_CELL) vector_push(l->arena, &s->targets, out);
    }
    fuse_decide(l);
    note_cells(l);

    VECTOR(int) copies = {0}; /* results that are moved into cells at the end */
    for (int i = 0; i < l->graph->results.count; i++) {
        Buffer *out = outputs[i];
        if (out->kind != BUFFER_CELL) continue;
        Node *n = l->graph->results.data[i];
        NodeState *s = lowering_state(l, n);
        if (may_overwrite(l, s->group, out->cell)) {
            vector_push(l->arena, &s->targets, out);
            continue;
        }
        if (program->options.remarks)
            lowering_remark(l, REMARK_NOT_FUSED, n,
                            "%s is computed into a temporary and copied: its old value is read "
                            "elsewhere, at other elements or later",
                            out->cell->name->text);
        if (!s->buffer && !is_final_carry(n))
            s->buffer = lowering_buffer(l, BUFFER_TEMPORARY, n->type.dtype, n->type.shape, "next");
        vector_push(l->arena, &copies, i);
    }
    give_buffers(l);
    for (int i = 0; i < l->groups.count; i++) l->groups.data[i]->mark = 0;
    for (int i = 0; i < l->groups.count; i++) visit_group(l, l->groups.data[i]);
    for (int i = 0; i < l->order.count; i++) {
        int before = l->steps.count;
        schedule_group(l, l->order.data[i]);
        if (l->steps.count > before)
            remark_together(l, l->order.data[i], l->steps.data[l->steps.count - 1]);
    }
    for (int i = 0; i < copies.count; i++) {
        int result = copies.data[i];
        copy_buffer(l, lowering_state(l, l->graph->results.data[result])->buffer, outputs[result]);
    }
    for (int i = 0; i < l->steps.count; i++) vector_push(l->arena, steps, l->steps.data[i]);
}

/* ---- entries ---- */

/* flag = any element outside [low, high) (and not `ignore`). */
static void lower_check(KernelProgram *program, KernelEntry *ke, const Check *check,
                        Buffer **inputs) {
    Arena *arena = program->arena;
    const Graph *whole = ke->entry->graph;
    DimTable *dims = index_dims(program->indices);
    Graph *g = graph_new(arena, dims);
    g->span = check->span;
    if (check->argument) g->path = check->argument->text;
    /* The condition is a pure function of the arguments: copy its cone. */
    Node **copy = NEW_ARRAY(arena, (size_t)check->node->id + 1, Node *);
    bool *wanted = NEW_ARRAY(arena, (size_t)check->node->id + 1, bool);
    wanted[check->node->id] = true;
    for (int i = whole->nodes.count - 1; i >= 0; i--) {
        Node *n = whole->nodes.data[i];
        if (n->id > check->node->id || !wanted[n->id]) continue;
        for (int k = 0; k < n->input_count; k++) wanted[n->inputs[k]->id] = true;
    }
    for (int i = 0; i < whole->inputs.count; i++) {
        Node *n = whole->inputs.data[i];
        Node *made = op_input(g, n->attr.input.name, n->type);
        if (n->id <= check->node->id) copy[n->id] = made;
    }
    for (int i = 0; i < whole->nodes.count; i++) {
        Node *n = whole->nodes.data[i];
        if (n->id > check->node->id || !wanted[n->id] || n->op == OP_INPUT) continue;
        Node **operands = NEW_ARRAY(arena, (size_t)n->input_count, Node *);
        for (int k = 0; k < n->input_count; k++) operands[k] = copy[n->inputs[k]->id];
        copy[n->id] = op_like(g, n, operands);
    }
    Node *x = op_cast(g, copy[check->node->id], DTYPE_I64);
    int axes[1] = {0};
    Node *low = op_expand(g, op_dim(g, check->low, DTYPE_I64), x->type.shape, axes);
    Node *high = op_expand(g, op_dim(g, check->high, DTYPE_I64), x->type.shape, axes);
    Node *bad = op_binary(g, OP_OR, op_binary(g, OP_LT, x, low), op_binary(g, OP_GE, x, high));
    if (check->has_ignore) {
        Node *ignore = op_const_int(g, check->ignore, x->type);
        bad = op_binary(g, OP_AND, bad, op_binary(g, OP_NE, x, ignore));
    }
    int rank = x->type.shape.rank;
    Node *any = rank ? op_reduce(g, REDUCE_ANY, bad, (1u << rank) - 1) : op_identity(g, bad);
    vector_push(arena, &g->results, any);
    Buffer *flag = NEW(arena, Buffer);
    *flag = (Buffer){.id = ke->buffers.count,
                     .kind = BUFFER_TEMPORARY,
                     .dtype = DTYPE_BOOL,
                     .name = "out_of_range",
                     .index = -1};
    vector_push(arena, &ke->buffers, flag);
    StepList steps = {0};
    lower_graph(program, ke, g, inputs, &flag, &steps);
    for (int i = 0; i < steps.count; i++) vector_push(arena, &ke->check_steps, steps.data[i]);
    KernelCheck made = {check, flag};
    vector_push(arena, &ke->checks, made);
}

/* Flags of checks lie in a region of fixed size on a GPU. */
static void refuse_checks(KernelProgram *program, const KernelEntry *entry) {
    if (!program->options.gpu || entry->checks.count <= GPU_CHECKS_MAX) return;
    Refusal r = {entry->entry, entry->checks.data[GPU_CHECKS_MAX].check->node,
                 "an entry with so many conditions on ids"};
    vector_push(program->arena, &program->refusals, r);
}

static KernelEntry *lower_entry(KernelProgram *program, const Entry *entry) {
    Arena *arena = program->arena;
    KernelEntry *ke = NEW(arena, KernelEntry);
    ke->entry = entry;
    int inputs = entry->graph->inputs.count, results = entry->results.count;
    Buffer **in = NEW_ARRAY(arena, (size_t)inputs, Buffer *);
    Buffer **out = NEW_ARRAY(arena, (size_t)(results + entry->writes.count), Buffer *);
    for (int i = 0; i < inputs; i++) {
        const Node *n = entry->graph->inputs.data[i];
        in[i] = NEW(arena, Buffer);
        *in[i] = (Buffer){.id = ke->buffers.count,
                          .kind = BUFFER_ARGUMENT,
                          .dtype = n->type.dtype,
                          .shape = n->type.shape,
                          .index = i,
                          .name = n->attr.input.name->text};
        vector_push(arena, &ke->buffers, in[i]);
    }
    for (int i = 0; i < results; i++) {
        const Node *n = entry->results.data[i].node;
        out[i] = NEW(arena, Buffer);
        Name name = entry->results.data[i].name;
        *out[i] = (Buffer){.id = ke->buffers.count,
                           .kind = BUFFER_RESULT,
                           .dtype = n->type.dtype,
                           .shape = n->type.shape,
                           .index = i,
                           .name = name ? name->text : NULL};
        vector_push(arena, &ke->buffers, out[i]);
    }
    for (int i = 0; i < entry->writes.count; i++)
        out[results + i] = cell_buffer(program, ke, entry->writes.data[i].cell);
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].kind == CHECK_RANGE)
            lower_check(program, ke, &entry->checks.data[i], in);
    refuse_checks(program, ke);
    StepList steps = {0};
    lower_graph(program, ke, entry->graph, in, out, &steps);
    for (int i = 0; i < steps.count; i++) vector_push(arena, &ke->steps, steps.data[i]);
    return ke;
}

KernelProgram *kernel_program_build(Arena *arena, const Program *program) {
    return kernel_program_build_with(arena, program, &(KernelOptions){0});
}

KernelProgram *kernel_program_build_with(Arena *arena, const Program *program,
                                         const KernelOptions *options) {
    KernelProgram *p = NEW(arena, KernelProgram);
    p->options = *options;
    p->arena = arena;
    p->program = program;
    p->indices = index_table_new(arena, program->dims);
    layouts_decide(p);
    for (int r = 0; r < program->roots.count; r++) {
        KernelRoot *root = NEW(arena, KernelRoot);
        root->root = program->roots.data[r];
        vector_push(arena, &p->roots, root);
        for (int e = 0; e < root->root->entries.count; e++) {
            KernelEntry *entry = lower_entry(p, root->root->entries.data[e]);
            vector_push(arena, &root->entries, entry);
        }
    }
    return p;
}
