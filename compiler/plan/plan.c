/* Lifetimes over the step tree, regions of cells, scratch of kernels.
 *
 * Input: a KernelProgram.  Output: a Plan.  Invariants: a temporary that is used inside a loop but
 * first used before it, rotated by it, or read and written element by element in it, lives as long
 * as the loop. */
#include "plan/internal.h"

#include <stdlib.h>

/* ---- symbols that a kernel's text mentions ---- */

typedef struct SymbolSet {
    Arena *arena;
    VECTOR(const DimSymbol *) found;
} SymbolSet;

static void collect_dim(SymbolSet *set, const Dim *d) {
    if (!d) return;
    for (int i = 0; i < d->term_count; i++)
        for (int k = 0; k < d->terms[i].factor_count; k++) {
            const DimAtom *a = d->terms[i].factors[k].atom;
            collect_dim(set, a->left);
            collect_dim(set, a->right);
            if (a->kind != DIM_ATOM_SYMBOL) continue;
            int at = 0;
            while (at < set->found.count && set->found.data[at]->index < a->symbol->index) at++;
            if (at < set->found.count && set->found.data[at] == a->symbol) continue;
            vector_push(set->arena, &set->found, a->symbol);
            for (int m = set->found.count - 1; m > at; m--)
                set->found.data[m] = set->found.data[m - 1];
            set->found.data[at] = a->symbol;
        }
}

static void collect_expr(SymbolSet *set, const Expr *e);

static void collect_index(SymbolSet *set, const Index *x) {
    if (!x) return;
    collect_dim(set, x->constant);
    for (int i = 0; i < x->count; i++) {
        const IndexAtom *a = x->terms[i].atom;
        collect_dim(set, x->terms[i].factor);
        collect_index(set, a->left);
        collect_index(set, a->right);
        collect_dim(set, a->divisor);
        collect_expr(set, a->value);
    }
}

static void collect_guard(SymbolSet *set, const Guard *g) {
    for (int i = 0; g && i < g->count; i++) {
        collect_index(set, g->tests[i].value);
        collect_dim(set, g->tests[i].lower);
        collect_dim(set, g->tests[i].upper);
    }
}

static void collect_expr(SymbolSet *set, const Expr *e) {
    if (!e) return;
    collect_index(set, e->index);
    for (int i = 0; i < e->index_count; i++) collect_index(set, e->indices[i]);
    collect_guard(set, e->guard);
    for (int i = 0; i < e->arg_count; i++) collect_expr(set, e->args[i]);
}

static void collect_stmt(SymbolSet *set, const Stmt *s) {
    if (!s) return;
    for (int i = 0; i < s->body.count; i++) collect_stmt(set, s->body.data[i]);
    collect_index(set, s->begin);
    collect_index(set, s->end);
    collect_expr(set, s->value);
    collect_expr(set, s->position);
    for (int i = 0; i < s->index_count; i++) collect_index(set, s->indices[i]);
    collect_guard(set, s->guard);
    const LeafParts leaf = kernel_leaf_parts(s);
    for (int i = 0; i < leaf.index_count; i++) collect_index(set, leaf.indices[i]);
    for (int i = 0; i < leaf.dim_count; i++) collect_dim(set, leaf.dims[i]);
}

static void collect_library(SymbolSet *set, const LibraryProduct *p) {
    const Dim *dims[LIBRARY_DIMS];
    kernel_library_dims(p, dims);
    for (int i = 0; i < LIBRARY_DIMS; i++) collect_dim(set, dims[i]);
}

static KernelPlan *plan_one_kernel(Arena *arena, DimTable *dims, const Kernel *kernel) {
    KernelPlan *p = NEW(arena, KernelPlan);
    SymbolSet set = {arena, {0}};
    p->kernel = kernel;
    for (int i = 0; i < kernel->slots.count; i++) {
        const Slot *s = &kernel->slots.data[i];
        for (int k = 0; k < s->shape.rank; k++) collect_dim(&set, s->shape.dims[k]);
        for (int k = 0; s->layout && k < s->layout->count; k++)
            collect_dim(&set, s->layout->axes[k].extent);
    }
    for (int i = 0; i < kernel->axes.count; i++) collect_dim(&set, kernel->axes.data[i].extent);
    for (int i = 0; i < kernel->tiles.count; i++) collect_dim(&set, kernel->tiles.data[i].count);
    collect_dim(&set, kernel->flops);
    collect_dim(&set, kernel->bytes);
    collect_stmt(&set, kernel->body);
    if (kernel->library) collect_library(&set, kernel->library);
    for (int i = 0; i < set.found.count; i++) vector_push(arena, &p->symbols, set.found.data[i]);

    p->scratch = NEW_ARRAY(arena, (size_t)kernel->slots.count, Place);
    p->scratch_bytes = dim_const(dims, 0);
    int64_t stack = 0;
    for (int i = kernel->parameter_count; i < kernel->slots.count; i++) {
        if (kernel->slots.data[i].space != SPACE_WORKER) continue;
        const Dim *bytes = plan_need(kernel_slot_bytes(dims, &kernel->slots.data[i]));
        int64_t value;
        if (dim_is_const(bytes, &value) && value <= PLAN_STACK_LIMIT - stack) {
            stack += (value + PLAN_ALIGNMENT - 1) / PLAN_ALIGNMENT * PLAN_ALIGNMENT;
            continue;
        }
        const Dim *plain = plan_plain(dims, bytes);
        p->scratch[i] = (Place){p->scratch_bytes, plain ? plain : plan_round(dims, bytes)};
        p->scratch_bytes = plan_need(dim_add(dims, p->scratch_bytes, p->scratch[i].bytes));
    }
    return p;
}

const KernelPlan *plan_kernel(const Plan *plan, const Kernel *kernel) {
    return plan->kernel_plans.data[kernel->id];
}

/* ---- cells ---- */

const Dim *plan_cell_bytes(const KernelProgram *kernels, const Cell *cell) {
    DimTable *dims = kernels->program->dims;
    const Dim *n = layout_elements(dims, kernel_cell_layout(kernels, cell), &cell->type.shape);
    return plan_need(dim_mul(dims, n, dim_const(dims, (int64_t)dtype_bytes(cell->type.dtype))));
}

static void plan_cells(Arena *arena, const KernelProgram *kernels, RootPlan *plan) {
    DimTable *dims = kernels->program->dims;
    const Root *root = plan->root->root;
    plan->cells = NEW_ARRAY(arena, (size_t)root->cells.count, Place);
    plan->weights_bytes = dim_const(dims, 0);
    SymbolSet set = {arena, {0}};
    for (int i = 0; i < root->cells.count; i++)
        for (int k = 0; k < root->cells.data[i]->type.shape.rank; k++)
            collect_dim(&set, root->cells.data[i]->type.shape.dims[k]);
    for (int i = 0; i < set.found.count; i++)
        vector_push(arena, &plan->state_symbols, set.found.data[i]);
    plan->state_header = set.found.count > 0;
    int64_t header = plan->state_header ? 8 * (1 + set.found.count) : 0;
    plan->state_bytes = plan_round(dims, dim_const(dims, header));
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *cell = root->cells.data[i];
        const Dim **end = cell->role == CELL_PARAMETER ? &plan->weights_bytes : &plan->state_bytes;
        plan->cells[i] = (Place){*end, plan_round(dims, plan_cell_bytes(kernels, cell))};
        *end = plan_need(dim_add(dims, *end, plan->cells[i].bytes));
    }
}

/* ---- entries ---- */

const Dim *plan_entry_symbol(const Entry *entry, const DimSymbol *symbol) {
    for (int i = 0; i < entry->dims.count; i++)
        if (dim_as_symbol(entry->dims.data[i]) == symbol) return entry->dims.data[i];
    for (int i = 0; i < entry->dims.count; i++) {
        const DimSymbol *s = dim_as_symbol(entry->dims.data[i]);
        if (s && s->name == symbol->name) return entry->dims.data[i];
    }
    return NULL;
}

typedef struct Lifetimes {
    Interval *intervals; /* [buffers]; first < 0: not used */
    int next;
} Lifetimes;

static void touch(Lifetimes *l, const Buffer *b, int position) {
    while (b->kind == BUFFER_ELEMENT) b = b->parent;
    Interval *i = &l->intervals[b->id];
    if (i->first < 0 || position < i->first) i->first = position;
    if (position > i->last) i->last = position;
}

static void touch_elements(Lifetimes *l, const Step *step, int begin, int end) {
    if (step->kind == STEP_LOOP) {
        for (int i = 0; i < step->body.count; i++)
            touch_elements(l, step->body.data[i], begin, end);
        return;
    }
    for (int i = 0; i < step->kernel->parameter_count; i++)
        if (step->arguments[i]->kind == BUFFER_ELEMENT) {
            touch(l, step->arguments[i], begin);
            touch(l, step->arguments[i], end);
        }
}

static void walk_steps(Lifetimes *l, Step *const *steps, int count, int buffers) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        int begin = l->next++;
        if (s->kind == STEP_CALL) {
            for (int k = 0; k < s->kernel->parameter_count; k++) touch(l, s->arguments[k], begin);
            continue;
        }
        walk_steps(l, s->body.data, s->body.count, buffers);
        int end = l->next++;
        for (int k = 0; k < s->rotations.count; k++) {
            touch(l, s->rotations.data[k].current, begin);
            touch(l, s->rotations.data[k].next, begin);
            touch(l, s->rotations.data[k].current, end);
            touch(l, s->rotations.data[k].next, end);
        }
        touch_elements(l, s, begin, end);
        for (int b = 0; b < buffers; b++) {
            Interval *v = &l->intervals[b];
            if (v->first >= 0 && v->first < begin && v->last > begin) v->last = end;
        }
    }
}

/* After an odd number of exchanges the value of `current` lies in the memory of `next`. */
static void tie_rotations(Lifetimes *l, Step *const *steps, int count) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        if (s->kind != STEP_LOOP) continue;
        tie_rotations(l, s->body.data, s->body.count);
        for (int k = 0; k < s->rotations.count; k++) {
            Interval *a = &l->intervals[s->rotations.data[k].current->id];
            Interval *b = &l->intervals[s->rotations.data[k].next->id];
            a->last = b->last = a->last > b->last ? a->last : b->last;
        }
    }
}

static const Dim *buffer_bytes(DimTable *dims, const Buffer *b) {
    const Dim *n = layout_elements(dims, b->layout, &b->shape);
    return plan_need(dim_mul(dims, n, dim_const(dims, (int64_t)dtype_bytes(b->dtype))));
}

/* A dim over a kernel's symbols in those of the entry. */
static const Dim *rename_symbols(Arena *arena, DimTable *dims, const Entry *entry, const Dim *d) {
    SymbolSet set = {arena, {0}};
    collect_dim(&set, d);
    if (!set.found.count) return d;
    const Dim **by = NEW_ARRAY(arena, (size_t)dim_symbol_count(dims), const Dim *);
    for (int i = 0; i < set.found.count; i++)
        by[set.found.data[i]->index] = plan_entry_symbol(entry, set.found.data[i]);
    return plan_need(dim_substitute(dims, d, by));
}

static void add_scratch(Arena *arena, DimTable *dims, const Plan *plan, EntryPlan *p,
                        Step *const *steps, int count) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        add_scratch(arena, dims, plan, p, s->body.data, s->body.count);
        if (s->kind != STEP_CALL) continue;
        const Dim *bytes = rename_symbols(arena, dims, p->entry->entry,
                                          plan_kernel(plan, s->kernel)->scratch_bytes);
        const Dim *plain = plan_plain(dims, bytes);
        p->scratch_bytes = plain ? plan_upper(dims, p->scratch_bytes, plain)
                                 : plan_need(dim_max(dims, p->scratch_bytes, bytes));
    }
}

static EntryPlan *plan_entry(Arena *arena, const Plan *plan, const KernelEntry *entry) {
    DimTable *dims = plan->kernels->program->dims;
    EntryPlan *p = NEW(arena, EntryPlan);
    int buffers = entry->buffers.count;
    p->entry = entry;
    p->places = NEW_ARRAY(arena, (size_t)buffers, Place);
    Lifetimes l = {NEW_ARRAY(arena, (size_t)buffers, Interval), 0};
    for (int i = 0; i < buffers; i++) l.intervals[i] = (Interval){i, -1, -1, NULL};
    walk_steps(&l, entry->check_steps.data, entry->check_steps.count, buffers);
    for (int i = 0; i < entry->checks.count; i++) touch(&l, entry->checks.data[i].flag, l.next);
    l.next++;
    walk_steps(&l, entry->steps.data, entry->steps.count, buffers);
    tie_rotations(&l, entry->steps.data, entry->steps.count);

    Interval *used = NEW_ARRAY(arena, (size_t)buffers, Interval);
    int count = 0;
    for (int i = 0; i < buffers; i++) {
        const Buffer *b = entry->buffers.data[i];
        if (b->kind != BUFFER_TEMPORARY || l.intervals[i].first < 0) continue;
        used[count] = l.intervals[i];
        used[count++].bytes = buffer_bytes(dims, b);
    }
    plan_pack(arena, dims, used, count, p->places, &p->arena_bytes, &p->arena_reference);
    p->lower_bound = plan_lower_bound(arena, dims, used, count);
    p->scratch_bytes = dim_const(dims, 0);
    add_scratch(arena, dims, plan, p, entry->check_steps.data, entry->check_steps.count);
    add_scratch(arena, dims, plan, p, entry->steps.data, entry->steps.count);
    plan_order(arena, dims, p);
    return p;
}

Plan *plan_build(Arena *arena, const KernelProgram *kernels) {
    Plan *plan = NEW(arena, Plan);
    plan->kernels = kernels;
    for (int i = 0; i < kernels->kernels.count; i++)
        vector_push(arena, &plan->kernel_plans,
                    plan_one_kernel(arena, kernels->program->dims, kernels->kernels.data[i]));
    for (int i = 0; i < kernels->roots.count; i++) {
        RootPlan *root = NEW(arena, RootPlan);
        root->root = kernels->roots.data[i];
        plan_cells(arena, kernels, root);
        for (int k = 0; k < root->root->entries.count; k++)
            vector_push(arena, &root->entries,
                        plan_entry(arena, plan, root->root->entries.data[k]));
        vector_push(arena, &plan->roots, root);
    }
    return plan;
}

void plan_print(Text *out, const Plan *plan) {
    for (int i = 0; i < plan->roots.count; i++) {
        const RootPlan *root = plan->roots.data[i];
        text_printf(out, "%s: weights ", root->root->root->name->text);
        dim_print(out, root->weights_bytes);
        text_append(out, ", state ");
        dim_print(out, root->state_bytes);
        text_char(out, '\n');
        for (int k = 0; k < root->entries.count; k++) {
            const EntryPlan *e = root->entries.data[k];
            text_printf(out, "  %s: arena ", e->entry->entry->symbol);
            dim_print(out, e->arena_bytes);
            text_append(out, ", scratch ");
            dim_print(out, e->scratch_bytes);
            text_printf(out, ", at reference dims %lld of %lld alive (%.3f)\n",
                        (long long)e->arena_reference, (long long)e->lower_bound,
                        e->lower_bound ? (double)e->arena_reference / (double)e->lower_bound : 1.0);
            for (int b = 0; b < e->entry->buffers.count; b++) {
                const Place *p = &e->places[b];
                if (!p->bytes) continue;
                text_printf(out, "    %4d  offset ", b);
                dim_print(out, p->offset);
                text_append(out, "  bytes ");
                dim_print(out, p->bytes);
                text_printf(out, "  %s\n", e->entry->buffers.data[b]->name);
            }
        }
    }
}
