/* Printing of kernels, steps and buffers (--emit=kernels), and the report of
 * contractions.
 *
 * The text of a kernel is also its identity: two kernels with one text are one function. */
#include "kernel/internal.h"

typedef struct Printer {
    Text *out;
    const Kernel *kernel;
    int indent;
} Printer;

static void print_expr(Printer *p, const Expr *e);

static void print_index(Printer *p, const Index *a);

static void print_dim(Printer *p, const Dim *d) {
    dim_print(p->out, d);
}

static void print_atom(Printer *p, const IndexAtom *a) {
    switch (a->kind) {
    case ATOM_AXIS: text_append(p->out, p->kernel->axes.data[a->axis].name); return;
    case ATOM_VALUE: print_expr(p, a->value); return;
    case ATOM_FLOORDIV:
    case ATOM_MOD:
        text_char(p->out, '(');
        print_index(p, a->left);
        text_append(p->out, a->kind == ATOM_MOD ? ")%(" : ")//(");
        print_dim(p, a->divisor);
        text_char(p->out, ')');
        return;
    case ATOM_MIN:
    case ATOM_MAX:
        text_append(p->out, a->kind == ATOM_MIN ? "min(" : "max(");
        print_index(p, a->left);
        text_append(p->out, ", ");
        print_index(p, a->right);
        text_char(p->out, ')');
        return;
    }
}

static void print_index(Printer *p, const Index *a) {
    bool first = true;
    for (int i = 0; i < a->count; i++) {
        if (!first) text_append(p->out, " + ");
        first = false;
        if (!dim_is(a->terms[i].factor, 1)) {
            bool plain = a->terms[i].factor->term_count <= 1;
            if (!plain) text_char(p->out, '(');
            print_dim(p, a->terms[i].factor);
            if (!plain) text_char(p->out, ')');
            text_char(p->out, '*');
        }
        print_atom(p, a->terms[i].atom);
    }
    if (first || !dim_is(a->constant, 0)) {
        if (!first) text_append(p->out, " + ");
        print_dim(p, a->constant);
    }
}

static void print_place(Printer *p, int slot, const Index *const *indices, int count) {
    text_append(p->out, p->kernel->slots.data[slot].name);
    text_char(p->out, '[');
    for (int i = 0; i < count; i++) {
        if (i) text_append(p->out, ", ");
        print_index(p, indices[i]);
    }
    text_char(p->out, ']');
}

static void print_guard(Printer *p, const Guard *g) {
    for (int i = 0; i < g->count; i++) {
        const Test *t = &g->tests[i];
        if (i) text_append(p->out, " and ");
        if (t->kind == TEST_DIVIDES) {
            text_char(p->out, '(');
            print_index(p, t->value);
            text_printf(p->out, ") %% %lld == 0", (long long)t->modulus);
            continue;
        }
        if (t->kind == TEST_OUTSIDE) text_append(p->out, "not ");
        if (t->lower) {
            print_dim(p, t->lower);
            text_append(p->out, " <= ");
        }
        print_index(p, t->value);
        if (t->upper) {
            text_append(p->out, " < ");
            print_dim(p, t->upper);
        }
    }
}

static void print_expr(Printer *p, const Expr *e) {
    switch (e->kind) {
    case EXPR_CONST:
        if (dtype_is_float(e->dtype))
            text_double(p->out, e->number);
        else
            text_integer(p->out, e->integer);
        text_printf(p->out, ":%s", dtype_name(e->dtype));
        return;
    case EXPR_INDEX:
        text_printf(p->out, "%s(", dtype_name(e->dtype));
        print_index(p, e->index);
        text_char(p->out, ')');
        return;
    case EXPR_LOAD: print_place(p, e->slot, e->indices, e->index_count); return;
    case EXPR_REGISTER: text_printf(p->out, "r%d", e->reg); return;
    case EXPR_RANDOM:
        text_printf(p->out, "random.%s(site %d%s, ", dtype_name(e->dtype), e->site,
                    e->random->at_init ? " init" : "");
        print_index(p, e->index);
        text_char(p->out, ')');
        return;
    case EXPR_GUARD:
        text_append(p->out, "guard(");
        print_guard(p, e->guard);
        text_append(p->out, " ? ");
        print_expr(p, e->args[0]);
        text_append(p->out, " : ");
        print_expr(p, e->args[1]);
        text_char(p->out, ')');
        return;
    case EXPR_OP:
    case EXPR_CAST:
        text_append(p->out, e->kind == EXPR_CAST ? dtype_name(e->dtype) : op_info(e->op)->name);
        text_char(p->out, '(');
        for (int i = 0; i < e->arg_count; i++) {
            if (i) text_append(p->out, ", ");
            print_expr(p, e->args[i]);
        }
        text_char(p->out, ')');
        return;
    }
}

static void line(Printer *p) {
    text_char(p->out, '\n');
    text_indent(p->out, p->indent);
}

static void print_access(Printer *p, const char *name, const MmaAccess *a) {
    text_printf(p->out, " %s=%s", name, a->grouped ? "groups " : "");
    if (a->stride) {
        print_dim(p, a->stride);
        return;
    }
    text_append(p->out, p->kernel->slots.data[a->table_slot].name);
    text_char(p->out, '[');
    print_index(p, a->table_base);
    text_char(p->out, ']');
}

static void print_mma(Printer *p, const Mma *m) {
    const Slot *slots = p->kernel->slots.data;
    text_printf(p->out, "mma.%s %s[%lldx%lld] %s", dtype_name(m->dtype), slots[m->tile_slot].name,
                (long long)m->rows_max, (long long)m->columns_max, m->earlier ? "+=" : "=");
    text_append(p->out, " rows ");
    print_index(p, m->rows);
    text_append(p->out, " columns ");
    print_index(p, m->columns);
    text_append(p->out, " depth ");
    print_index(p, m->depth);
    text_printf(p->out, " a=%s@", slots[m->a_slot].name);
    print_index(p, m->a_base);
    print_access(p, "row", &m->a_row);
    print_access(p, "depth", &m->a_depth);
    text_printf(p->out, " b=%s@", slots[m->b_slot].name);
    print_index(p, m->b_base);
    text_append(p->out, " panel=");
    dim_print(p->out, m->b_panel);
    print_access(p, "depth", &m->b_depth);
    if (m->b_padded) text_append(p->out, " padded");
    if (m->b_end) {
        text_append(p->out, " padded where ");
        print_index(p, m->b_end);
        text_append(p->out, " <= ");
        dim_print(p->out, m->b_elements);
    }
    if (!m->earlier) return;
    text_append(p->out, " unless ");
    print_index(p, m->earlier);
    text_append(p->out, " is 0");
}

static void print_dot(Printer *p, const Dot *d) {
    const Slot *slots = p->kernel->slots.data;
    const DotOperand *const sides[2] = {&d->a, &d->b};
    text_printf(p->out, "dot.%s %s[%dx%d] %s", dtype_name(d->dtype), slots[d->tile_slot].name,
                d->rows, d->columns, d->earlier ? "+=" : "=");
    const Dim *const depth[3] = {d->planes, d->lines, d->along};
    static const char *const names[3] = {" planes ", " lines ", " along "};
    for (int i = 0; i < 3; i++) {
        text_append(p->out, names[i]);
        dim_print(p->out, depth[i]);
    }
    for (int i = 0; i < 2; i++) {
        text_printf(p->out, " %c=%s@", "ab"[i], slots[sides[i]->slot].name);
        print_index(p, sides[i]->base);
        print_access(p, i ? "column" : "row", &sides[i]->across);
        text_append(p->out, " plane=");
        dim_print(p->out, sides[i]->plane);
        text_append(p->out, " line=");
        dim_print(p->out, sides[i]->line);
    }
    if (!d->earlier) return;
    text_append(p->out, " unless ");
    print_index(p, d->earlier);
    text_append(p->out, " is 0");
}

static void print_pack(Printer *p, const PackLeaf *a) {
    const Slot *slots = p->kernel->slots.data;
    text_printf(p->out, "pack.%s %s in groups of %lld, depth ", dtype_name(a->dtype),
                slots[a->to_slot].name, (long long)a->group);
    print_index(p, a->depth);
    text_append(p->out, " of ");
    dim_print(p->out, a->depth_max);
    text_printf(p->out, " from %s@", slots[a->from_slot].name);
    print_index(p, a->base);
    text_append(p->out, " count ");
    print_index(p, a->count);
    const Dim *strides[3] = {a->across, a->along, a->block};
    static const char *const names[3] = {" across=", " along=", " block="};
    for (int i = 0; i < 3; i++) {
        text_append(p->out, names[i]);
        dim_print(p->out, strides[i]);
    }
}

static void print_body(Printer *p, const Stmt *s);

static void print_stmt(Printer *p, const Stmt *s) {
    static const char *const bindings[] = {"for", "unroll", "vector", "thread", "warp", "lane"};
    if (s->kind == STMT_BLOCK) {
        for (int i = 0; i < s->body.count; i++) print_stmt(p, s->body.data[i]);
        return;
    }
    line(p);
    switch (s->kind) {
    case STMT_BLOCK: return;
    case STMT_LOOP:
        text_printf(p->out, "%s %s in ", bindings[s->binding], p->kernel->axes.data[s->axis].name);
        print_index(p, s->begin);
        text_append(p->out, " .. ");
        print_index(p, s->end);
        for (int i = 0; i < s->accumulator_count; i++) {
            const Accumulator *a = &s->accumulators[i];
            text_printf(p->out, " %s r%d", reduce_name(a->kind), a->reg);
            if (a->reg_index >= 0) text_printf(p->out, "@r%d", a->reg_index);
        }
        print_body(p, s);
        return;
    case STMT_IF:
        text_append(p->out, "if ");
        print_guard(p, s->guard);
        print_body(p, s);
        return;
    case STMT_LET:
        text_printf(p->out, "r%d:%s = ", s->reg,
                    dtype_name(p->kernel->registers.data[s->reg].dtype));
        print_expr(p, s->value);
        return;
    case STMT_ACCUMULATE:
        text_printf(p->out, "r%d:%s %s= ", s->reg,
                    dtype_name(p->kernel->registers.data[s->reg].dtype), reduce_name(s->combine));
        print_expr(p, s->value);
        if (s->position) {
            text_append(p->out, " @ ");
            print_expr(p, s->position);
        }
        return;
    case STMT_STORE:
        print_place(p, s->slot, s->indices, s->index_count);
        text_append(p->out, " = ");
        print_expr(p, s->value);
        if (s->guard) {
            text_append(p->out, " if ");
            print_guard(p, s->guard);
        }
        return;
    case STMT_BARRIER: text_append(p->out, "barrier"); return;
    case STMT_SCAN:
        text_printf(p->out, "r%d:%s = scan %ss %s r%d, ", s->reg,
                    dtype_name(p->kernel->registers.data[s->reg].dtype), bindings[s->binding],
                    reduce_name(s->combine), s->carry);
        print_expr(p, s->value);
        return;
    case STMT_TILE_PRODUCT: {
        const TileProduct *t = s->product;
        const Slot *slots = p->kernel->slots.data;
        text_printf(p->out, "%s += product(%s, %s) of %lldx%lldx%lld, %lld down, %s",
                    slots[t->sums_slot].name, slots[t->rows_slot].name, slots[t->columns_slot].name,
                    (long long)t->rows, (long long)t->columns, (long long)t->chunk,
                    (long long)t->warps_down, t->precision == PRECISION_TF32 ? "tf32" : "bf16");
        return;
    }
    case STMT_MMA: print_mma(p, s->mma); return;
    case STMT_DOT: print_dot(p, s->dot); return;
    case STMT_PACK: print_pack(p, s->pack); return;
    case STMT_RANK:
        text_printf(p->out, "r%d:i64 = rank%s%s of ", s->reg, s->descending ? ".descending" : "",
                    s->ties ? ".ties" : "");
        print_expr(p, s->value);
        text_append(p->out, " in ");
        print_place(p, s->slot, s->indices, s->index_count);
        text_append(p->out, " from ");
        print_index(p, s->begin);
        text_append(p->out, " .. ");
        print_index(p, s->end);
        return;
    case STMT_ARGSORT: {
        const Slot *slots = p->kernel->slots.data;
        const ArgsortLeaf *a = s->argsort;
        if (a->width)
            text_printf(p->out, "sort%s(%s, %s) in each %lld, ", a->descending ? ".descending" : "",
                        slots[a->keys_slot].name, slots[a->order_slot].name, (long long)a->width);
        else
            text_printf(p->out, "%s = argsort%s(%s, spare %s, ", slots[a->order_slot].name,
                        a->descending ? ".descending" : "", slots[a->keys_slot].name,
                        slots[a->spare_slot].name);
        print_index(p, a->count);
        if (!a->width) text_char(p->out, ')');
        return;
    }
    }
}

static void print_body(Printer *p, const Stmt *s) {
    p->indent++;
    for (int i = 0; i < s->body.count; i++) print_stmt(p, s->body.data[i]);
    p->indent--;
}

static void print_stored(Text *out, const Shape *shape, const Layout *layout) {
    shape_print(out, shape);
    if (!layout) return;
    text_append(out, " as [");
    for (int i = 0; i < layout->count; i++) {
        const LayoutAxis *a = &layout->axes[i];
        text_printf(out, "%sd%d", i ? ", " : "", a->axis);
        if (a->divide > 1) text_printf(out, "/%lld", (long long)a->divide);
        if (a->modulus) text_printf(out, "%%%lld", (long long)a->modulus);
        text_char(out, ':');
        dim_print(out, a->extent);
    }
    text_char(out, ']');
}

void kernel_print_stored(Text *out, const Slot *slot) {
    print_stored(out, &slot->shape, slot->layout);
}

static void print_type(Text *out, DType dtype, const Shape *shape, const Layout *layout) {
    text_append(out, dtype_name(dtype));
    print_stored(out, shape, layout);
}

void kernel_print_leaf(Text *out, const Kernel *kernel, const Stmt *leaf) {
    Printer p = {out, kernel, 0};
    if (leaf->kind == STMT_MMA) print_mma(&p, leaf->mma);
    if (leaf->kind == STMT_DOT) print_dot(&p, leaf->dot);
    if (leaf->kind == STMT_PACK) print_pack(&p, leaf->pack);
}

static void print_matrix(Printer *p, const char *name, const LibraryMatrix *m, bool batched) {
    text_printf(p->out, " %s=%s@", name, p->kernel->slots.data[m->slot].name);
    print_dim(p, m->base);
    text_append(p->out, m->along_depth ? " lines of depth, leading " : " lines across, leading ");
    print_dim(p, m->leading);
    if (!batched) return;
    text_append(p->out, " batch ");
    print_dim(p, m->batch);
}

static void print_library(Printer *p, const LibraryProduct *l) {
    static const char *const precisions[] = {"", " tf32", " bf16"};
    const char *const names[] = {"batch", "rows", "columns", "depth"};
    const Dim *const sizes[] = {l->batch, l->rows, l->columns, l->depth};
    const Slot *slots = p->kernel->slots.data;
    line(p);
    text_printf(p->out, "cublaslt.%s%s", dtype_name(l->dtype), precisions[l->precision]);
    for (int i = 0; i < 4; i++) {
        text_printf(p->out, " %s ", names[i]);
        print_dim(p, sizes[i]);
    }
    const bool batched = !dim_is(l->batch, 1);
    print_matrix(p, "rows", &l->of_rows, batched);
    print_matrix(p, "columns", &l->of_columns, batched);
    print_matrix(p, "result", &l->result, batched);
    if (l->bias_slot >= 0) text_printf(p->out, " bias=%s", slots[l->bias_slot].name);
    text_printf(p->out, " workspace=%s[%lld]", slots[l->workspace_slot].name,
                (long long)l->workspace_bytes);
}

void kernel_print(Text *out, const Kernel *k) {
    static const char *const access[] = {"", "read ", "write ", "update "};
    static const char *const scratch[] = {"scratch ", "shared ", "thread's "};
    Printer p = {out, k, 1};
    text_append(out, "kernel(");
    for (int i = 0; i < k->slots.count; i++) {
        const Slot *s = &k->slots.data[i];
        if (i) text_append(out, i == k->parameter_count ? "; " : ", ");
        text_printf(out, "%s%s: ", s->scratch ? scratch[s->space] : access[s->access], s->name);
        print_type(out, s->dtype, &s->shape, s->layout);
    }
    text_append(out, ")");
    for (int i = 0; i < k->tiles.count; i++) {
        text_printf(out, " tile %s:", k->axes.data[k->tiles.data[i].axis].name);
        dim_print(out, k->tiles.data[i].count);
    }
    if (k->threads) text_printf(out, " threads %d", k->threads);
    print_stmt(&p, k->body);
    if (k->library) print_library(&p, k->library);
    text_char(out, '\n');
}

/* ---- steps ---- */

static void print_buffer_name(Text *out, const Buffer *b) {
    static const char *const kinds[] = {"argument",  "result",   "cell",
                                        "temporary", "constant", "element"};
    text_printf(out, "b%d.%s", b->id, kinds[b->kind]);
}

static void print_steps(Text *out, Step *const *steps, int count, int indent) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        text_printf(out, "%*s", indent * 4, "");
        if (s->kind == STEP_CALL) {
            text_printf(out, "%s(", s->kernel->name);
            for (int a = 0; a < s->kernel->parameter_count; a++) {
                if (a) text_append(out, ", ");
                print_buffer_name(out, s->arguments[a]);
            }
            text_append(out, ")\n");
            continue;
        }
        text_append(out, s->reverse ? "reverse loop " : "loop ");
        if (s->first) {
            text_append(out, "doubling from ");
            dim_print(out, s->first);
            text_append(out, " below ");
        }
        dim_print(out, s->count);
        for (int r = 0; r < s->rotations.count; r++) {
            text_append(out, " ");
            print_buffer_name(out, s->rotations.data[r].current);
            text_append(out, "<->");
            print_buffer_name(out, s->rotations.data[r].next);
        }
        text_char(out, '\n');
        print_steps(out, s->body.data, s->body.count, indent + 1);
    }
}

void kernel_program_print(Text *out, const KernelProgram *program) {
    for (int i = 0; i < program->kernels.count; i++) {
        const Kernel *k = program->kernels.data[i];
        text_printf(out, "# %s: %s", k->name, k->what);
        for (int n = 0; n < k->lines.count; n++)
            text_printf(out, "%s%d", n ? "," : "; lines ", k->lines.data[n]);
        text_char(out, '\n');
        kernel_print(out, k);
        text_char(out, '\n');
    }
    for (int r = 0; r < program->roots.count; r++) {
        const KernelRoot *root = program->roots.data[r];
        for (int e = 0; e < root->entries.count; e++) {
            const KernelEntry *entry = root->entries.data[e];
            text_printf(out, "entry %s\n", entry->entry->symbol);
            for (int b = 0; b < entry->buffers.count; b++) {
                const Buffer *buffer = entry->buffers.data[b];
                text_append(out, "    ");
                print_buffer_name(out, buffer);
                text_append(out, " ");
                print_type(out, buffer->dtype, &buffer->shape, buffer->layout);
                if (buffer->parent) {
                    text_append(out, " of ");
                    print_buffer_name(out, buffer->parent);
                }
                if (buffer->name) text_printf(out, " %s", buffer->name);
                text_char(out, '\n');
            }
            if (entry->check_steps.count) text_append(out, "  checks\n");
            print_steps(out, entry->check_steps.data, entry->check_steps.count, 1);
            text_append(out, "  steps\n");
            print_steps(out, entry->steps.data, entry->steps.count, 1);
        }
    }
}

void kernel_report_contractions(Text *out, const KernelProgram *program) {
    for (int i = 0; i < program->remarks.count; i++) {
        const Remark *r = &program->remarks.data[i];
        if (r->kind != REMARK_CONTRACTION) continue;
        text_printf(out, "%s: ", r->entry->symbol);
        if (r->node && r->node->span.file) text_printf(out, "line %d: ", span_line(r->node->span));
        if (r->node && r->node->path && *r->node->path) text_printf(out, "%s: ", r->node->path);
        text_printf(out, "%s\n", r->text);
    }
}

const Dim *kernel_slot_bytes(DimTable *dims, const Slot *slot) {
    return dim_mul(dims, layout_elements(dims, slot->layout, &slot->shape),
                   dim_const(dims, (int64_t)dtype_bytes(slot->dtype)));
}
