/* Entries, what every backend writes alike: dims and names as text, the checks of a call, the walk
 * over the steps.
 *
 * Input: EntryPlan.  Output: C statements.  A backend brings the text of one call of a kernel. */
#include "emit/common/entry_writer.h"

#include <string.h>

const char *state_dim_name(SourceWriter *w, int k) {
    return arena_printf(w->arena, "nn_dim%d", k);
}

const char *source_state_word(SourceWriter *w, int k) {
    return arena_printf(w->arena,
                        source_is_cuda(w) ? "ctx->made_for[%d]" : "((int64_t *)ctx->state)[%d]", k);
}

/* SymbolText: the entry's own dims, else those that the state region keeps. */
EntryWriter entry_writer(SourceWriter *w, const RootPlan *root, const EntryPlan *plan) {
    const Entry *entry = plan->entry->entry;
    EntryWriter e = {.w = w,
                     .root = root,
                     .plan = plan,
                     .entry = entry,
                     .names = entry_names(w->arena, entry),
                     .scan = "0"};
    e.local = NEW_ARRAY(w->arena, (size_t)plan->entry->buffers.count, const char *);
    if (entry->kind == ENTRY_INIT) e.state_names = root_state_names(w->arena, root);
    return e;
}

const EntryPlan *entry_plain_init(SourceWriter *w) {
    Entry *entry = NEW(w->arena, Entry);
    KernelEntry *steps = NEW(w->arena, KernelEntry);
    EntryPlan *plan = NEW(w->arena, EntryPlan);
    entry->kind = ENTRY_INIT;
    steps->entry = entry;
    plan->entry = steps;
    plan->arena_bytes = plan->scratch_bytes = dim_const(w->plan->kernels->program->dims, 0);
    return plan;
}

const char **entry_state_parameters(SourceWriter *w, const RootPlan *root) {
    const char **names = NEW_ARRAY(w->arena, (size_t)root->state_symbols.count, const char *);
    for (int i = 0; i < root->state_symbols.count; i++) names[i] = state_dim_name(w, i);
    return names;
}

void entry_without_dims(EntryWriter *e) {
    Entry *none = NEW(e->w->arena, Entry);
    none->kind = ENTRY_RESET;
    e->entry = e->names->entry = none;
}

const char *entry_symbol(void *user, const DimSymbol *symbol) {
    EntryWriter *e = user;
    if (symbol == e->w->plan->kernels->run) return "nn_width";
    if (!e->state_names && plan_entry_symbol(e->entry, symbol))
        return entry_symbol_text(e->names, symbol);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < e->root->state_symbols.count; i++) {
            const DimSymbol *s = e->root->state_symbols.data[i];
            if (pass ? s->name == symbol->name : s == symbol)
                return e->state_names ? e->state_names[i] : state_dim_name(e->w, i);
        }
    return entry_symbol_text(e->names, symbol);
}

const char *entry_dim(EntryWriter *e, const Dim *d, bool saturating) {
    Text t = text_new(e->w->arena);
    if (saturating)
        emit_dim_saturating(&t, d, entry_symbol, e);
    else
        emit_dim(&t, d, entry_symbol, e);
    return t.data;
}

/* ---- checks ---- */

void entry_fail(EntryWriter *e, const char *condition, const char *code, const char *message) {
    Text *out = e->w->out;
    text_printf(out, "    if (%s)\n        return nn_fail(ctx, %s, ", condition, code);
    emit_string(out, message);
    text_append(out, ");\n");
}

const char *entry_format(EntryWriter *e, const char *text, ...) {
    Text t = text_new(e->w->arena);
    va_list args;
    va_start(args, text);
    text_vprintf(&t, text, args);
    va_end(args);
    return t.data;
}

void entry_check_region(EntryWriter *e, const char *region, const char *bytes) {
    entry_fail(
        e, entry_format(e, "ctx->%s_bytes < %s || (!ctx->%s && %s)", region, bytes, region, bytes),
        "NNC_E_WORKSPACE", entry_format(e, "%s: the region is missing or too small", region));
    entry_fail(e, entry_format(e, "nn_misaligned(ctx->%s)", region), "NNC_E_ARGUMENT",
               entry_format(e, "%s: the region must be aligned to 64 bytes", region));
}

/* Locals for the dims that the state's header keeps. */
void entry_state_dims(EntryWriter *e) {
    for (int i = 0; i < e->root->state_symbols.count; i++) {
        const char *name = state_dim_name(e->w, i);
        source_line(e->w, 1, "const int64_t %s = %s;", name, source_state_word(e->w, i + 1));
        source_line(e->w, 1, "(void)%s;", name);
    }
}

void entry_check_signs(EntryWriter *e, const char *const *names, int count) {
    for (int i = 0; i < count; i++)
        entry_fail(e, entry_format(e, "%s < 0", names[i]), "NNC_E_ARGUMENT",
                   entry_format(e, "%s: a dim must not be negative", names[i]));
}

void entry_check_arguments(EntryWriter *e) {
    const Entry *entry = e->entry;
    DimTable *dims = e->w->plan->kernels->program->dims;
    for (int i = 0; i < entry->checks.count; i++) {
        const Check *c = &entry->checks.data[i];
        if (c->kind != CHECK_DIM) continue;
        const char *left = entry_dim(e, c->left, true), *right = entry_dim(e, c->right, true);
        const char *wrong = c->relation == '=' ? entry_format(e, "%s != %s", left, right)
                            : c->relation == '<'
                                ? entry_format(e, "%s > %s", left, right)
                                : entry_format(e, "%s <= 0 || %s %% %s != 0", right, left, right);
        entry_fail(e, wrong, "NNC_E_DIM",
                   c->message ? c->message : "a condition on the dims does not hold");
    }
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < (pass ? entry->results.count : entry->arguments.count); i++) {
            const TensorType *t =
                pass ? &entry->results.data[i].node->type : &entry->arguments.data[i].node->type;
            const char *name = pass ? e->names->results[i] : e->names->arguments[i];
            if (!pass && t->shape.rank == 0) continue;
            const Dim *n = shape_elements(dims, &t->shape);
            int64_t count;
            bool always = n && dim_is_const(n, &count) && count > 0;
            entry_fail(e,
                       always || !n ? entry_format(e, "!%s", name)
                                    : entry_format(e, "!%s && %s > 0", name, entry_dim(e, n, true)),
                       "NNC_E_ARGUMENT", entry_format(e, "%s is NULL", name));
        }
    /* Dims that the state was made for. */
    for (int i = 0; e->root->state_header && i < e->root->state_symbols.count; i++) {
        const DimSymbol *s = e->root->state_symbols.data[i];
        if (!plan_entry_symbol(entry, s)) continue;
        entry_fail(
            e, entry_format(e, "%s != %s", entry_symbol_text(e->names, s), state_dim_name(e->w, i)),
            "NNC_E_STATE",
            entry_format(e, "%s: the context was initialised for another value", s->name->text));
    }
}

/* ---- calls ---- */

const char *entry_tiles(EntryWriter *e, const Kernel *k) {
    Text t = text_new(e->w->arena);
    for (int i = 0; i < k->tiles.count; i++) {
        text_append(&t, i ? " * " : "");
        text_printf(&t, emit_dim_is_atom(k->tiles.data[i].count) ? "%s" : "(%s)",
                    entry_dim(e, k->tiles.data[i].count, false));
    }
    return t.length ? t.data : "1";
}

/* For the reader: what the program calls the memory behind a parameter of a kernel; temporaries
 * have numbers. */
static const char *buffer_title(EntryWriter *e, const Buffer *b) {
    switch (b->kind) {
    case BUFFER_ARGUMENT: return e->names->arguments[b->index];
    case BUFFER_RESULT: return e->names->results[b->index];
    case BUFFER_CELL: return b->cell->name->text;
    case BUFFER_TEMPORARY: return entry_format(e, "t%d", b->id);
    case BUFFER_CONSTANT: return entry_format(e, "nn_c%d", source_constant(e->w, b));
    case BUFFER_ELEMENT: return entry_format(e, "element of %s", buffer_title(e, b->parent));
    }
    return "";
}

void entry_titles(EntryWriter *e, const Step *s, int indent) {
    Text titles = text_new(e->w->arena), comment = text_new(e->w->arena);
    for (int written = 0; written < 2; written++) {
        int count = 0;
        for (int i = 0; i < s->kernel->parameter_count; i++) {
            unsigned access = s->kernel->slots.data[i].access;
            if (!(access & (written ? ACCESS_WRITE : ACCESS_READ))) continue;
            const char *before = count++ ? ", " : !written ? "" : titles.length ? " -> " : "-> ";
            text_printf(&titles, "%s%s", before, buffer_title(e, s->arguments[i]));
        }
    }
    if (!titles.length) return;
    emit_comment_lines(&comment, "", titles.data);
    source_line(e->w, indent, "/* %.*s */", (int)comment.length - 1, comment.data);
}

const char *entry_number(EntryWriter *e, DType dtype, double value) {
    Text t = text_new(e->w->arena);
    if (dtype_is_half(dtype))
        text_printf(&t, "%u", emit_half_bits(value, dtype));
    else if (dtype_is_float(dtype))
        emit_float(&t, value, dtype);
    else
        emit_int(&t, (int64_t)value);
    return t.data;
}

const char *entry_buffer(EntryWriter *e, const Buffer *b) {
    if (e->local[b->id]) return e->local[b->id];
    switch (b->kind) {
    case BUFFER_ARGUMENT: {
        bool scalar = e->entry->arguments.data[b->index].node->type.shape.rank == 0;
        return entry_format(e, "(void *)%s%s", scalar ? "&" : "", e->names->arguments[b->index]);
    }
    case BUFFER_RESULT: return entry_format(e, "%s", e->names->results[b->index]);
    case BUFFER_CELL:
        return entry_format(e, "nn_%s + %s", b->cell->role == CELL_PARAMETER ? "weights" : "state",
                            entry_dim(e, e->root->cells[b->cell->index].offset, false));
    case BUFFER_TEMPORARY: {
        const Place *p = &e->plan->places[b->id];
        if (!p->bytes) return "nn_work"; /* never used */
        return entry_format(e, "nn_work + %s", entry_dim(e, p->offset, false));
    }
    case BUFFER_CONSTANT: return entry_format(e, "(void *)nn_c%d", source_constant(e->w, b));
    case BUFFER_ELEMENT: break;
    }
    return "NULL";
}

const char *entry_bytes(EntryWriter *e, const Buffer *b) {
    DimTable *dims = e->w->plan->kernels->program->dims;
    const Dim *n = layout_elements(dims, b->layout, &b->shape);
    return entry_dim(e, dim_mul(dims, n, dim_const(dims, (int64_t)dtype_bytes(b->dtype))), false);
}

/* ---- steps ---- */

/* Locals for the element buffers of a loop; parents come before children. */
static void declare_elements(EntryWriter *e, const Step *loop, int indent) {
    const KernelEntry *entry = e->plan->entry;
    for (int i = 0; i < entry->buffers.count; i++) {
        const Buffer *b = entry->buffers.data[i];
        if (b->kind != BUFFER_ELEMENT || b->loop != loop) continue;
        const char *name = entry_format(e, "nn_e%d", b->id);
        source_line(e->w, indent, "char *const %s = (char *)(%s) + %s * (%s);", name,
                    entry_buffer(e, b->parent), e->scan, entry_bytes(e, b));
        source_line(e->w, indent, "(void)%s;", name);
        e->local[b->id] = name;
    }
}

static void write_loop(EntryWriter *e, const Step *s, int indent) {
    SourceWriter *w = e->w;
    const char *outer = e->scan;
    int n = e->depth++;
    const char *extent = entry_dim(e, s->count, false);
    for (int i = 0; i < s->rotations.count; i++) {
        Buffer *const pair[] = {s->rotations.data[i].current, s->rotations.data[i].next};
        for (int k = 0; k < 2; k++) {
            if (e->local[pair[k]->id]) continue;
            const char *name = entry_format(e, "nn_b%d", pair[k]->id);
            source_line(w, indent, "char *%s = %s;", name, entry_buffer(e, pair[k]));
            e->local[pair[k]->id] = name;
        }
    }
    if (s->first) {
        source_line(w, indent, "for (int64_t nn_width = %s; nn_width < %s; nn_width *= 2) {",
                    entry_dim(e, s->first, false), extent);
    } else {
        source_line(w, indent, "for (int64_t nn_i%d = 0; nn_i%d < %s; nn_i%d++) {", n, n, extent,
                    n);
        source_line(w, indent + 1, "const int64_t nn_t%d = %s;", n,
                    s->reverse ? entry_format(e, "(%s) - 1 - nn_i%d", extent, n)
                               : entry_format(e, "nn_i%d", n));
        source_line(w, indent + 1, "(void)nn_t%d;", n);
        e->scan = entry_format(e, "nn_t%d", n);
        declare_elements(e, s, indent + 1);
    }
    entry_steps(e, s->body.data, s->body.count, indent + 1);
    for (int i = 0; i < s->rotations.count; i++) {
        const char *a = e->local[s->rotations.data[i].current->id];
        const char *b = e->local[s->rotations.data[i].next->id];
        source_line(w, indent + 1, "{");
        source_line(w, indent + 2, "char *const nn_swap = %s;", a);
        source_line(w, indent + 2, "%s = %s;", a, b);
        source_line(w, indent + 2, "%s = nn_swap;", b);
        source_line(w, indent + 1, "}");
    }
    source_line(w, indent, "}");
    e->scan = outer;
}

void entry_steps(EntryWriter *e, Step *const *steps, int count, int indent) {
    for (int i = 0; i < count; i++) {
        if (steps[i]->kind == STEP_CALL)
            e->write_call(e, steps[i], indent);
        else
            write_loop(e, steps[i], indent);
    }
}

int entry_call_count(Step *const *steps, int count) {
    int calls = 0;
    for (int i = 0; i < count; i++)
        calls += steps[i]->kind == STEP_CALL
                     ? 1
                     : entry_call_count(steps[i]->body.data, steps[i]->body.count);
    return calls;
}
