/* Entries: the public function checks, then the team's threads walk the steps of the plan.
 *
 * Input: EntryPlan.  Output: for each entry a frame (what its threads share), a function of the
 * steps that every thread runs (see templates/team.h), and the public function.  Invariant: no cell
 * is written before all checks hold. */
#include "emit/c/c.h"

#include <string.h>

/* ---- sizes ---- */

void source_sizes(SourceWriter *w, const RootPlan *root) {
    const char *prefix = emit_identifier(w->arena, root->root->root->name->text);
    EntryWriter e = {.w = w, .root = root, .state_names = root_state_names(w->arena, root)};
    text_printf(w->out, "size_t %s_weights_bytes(void) { return (size_t)%s; }\n", prefix,
                entry_dim(&e, root->weights_bytes, false));
    text_printf(w->out, "size_t %s_prepared_bytes(void) { return 0; }\n", prefix);
    text_printf(w->out, "size_t %s_state_bytes(", prefix);
    emit_dim_parameters(w->out, e.state_names, root->state_symbols.count, "void");
    text_printf(w->out, ") {\n    return nn_size(%s);\n}\n\n",
                entry_dim(&e, root->state_bytes, true));
    text_printf(w->out,
                "int %s_prepare(nnc_context *ctx) { return ctx ? NNC_OK : NNC_E_ARGUMENT; }\n\n",
                prefix);
}

static void write_workspace_size(EntryWriter *e, const char *symbol, const char *const *dims,
                                 int count) {
    Text *out = e->w->out;
    text_printf(out, "size_t %s_workspace_bytes(", symbol);
    emit_dim_parameters(out, dims, count, "void");
    text_append(out, ") {\n");
    for (int i = 0; i < count; i++) text_printf(out, "    (void)%s;\n", dims[i]);
    text_printf(out, "    return nn_size(nn_add_size(%s, nn_mul_size(NNC_WORKERS, %s)));\n}\n\n",
                entry_dim(e, e->plan->arena_bytes, true),
                entry_dim(e, e->plan->scratch_bytes, true));
}

/* Locals for the regions. */
static void write_locals(EntryWriter *e) {
    SourceWriter *w = e->w;
    source_line(w, 1, "char *const nn_weights = (char *)ctx->weights;");
    source_line(w, 1, "char *const nn_state = (char *)ctx->state;");
    source_line(w, 1, "char *const nn_work = (char *)ctx->workspace;");
    source_line(w, 1, "char *const nn_scratch = nn_work + (%s);",
                entry_dim(e, e->plan->arena_bytes, false));
    source_line(w, 1, "const size_t nn_slice = (size_t)(%s);",
                entry_dim(e, e->plan->scratch_bytes, false));
    source_line(w, 1, "const uint32_t nn_step = (uint32_t)ctx->step;");
    source_line(w, 1, "(void)nn_weights, (void)nn_state, (void)nn_work, (void)nn_scratch;");
    source_line(w, 1, "(void)nn_slice, (void)nn_step;");
}

/* Checks of the regions, and locals. */
static void open_regions(EntryWriter *e, const char *symbol, const char *dims_text, bool fresh) {
    SourceWriter *w = e->w;
    const Root *root = e->root->root->root;
    const char *prefix = emit_identifier(w->arena, root->name->text);
    bool weights = !dim_is(e->root->weights_bytes, 0), state = !dim_is(e->root->state_bytes, 0);
    int states = e->root->state_symbols.count;
    if (weights) entry_check_region(e, "weights", entry_format(e, "%s_weights_bytes()", prefix));
    if (state && !e->root->state_header)
        entry_check_region(e, "state", entry_format(e, "%s_state_bytes()", prefix));
    if (e->root->state_header && !fresh) {
        /* Its own words say how large it is. */
        entry_fail(e, "!ctx->state || ctx->state_bytes < 64", "NNC_E_WORKSPACE",
                   "state: the region is missing or too small");
        entry_fail(e, "nn_misaligned(ctx->state)", "NNC_E_ARGUMENT",
                   "state: the region must be aligned to 64 bytes");
        entry_fail(e, entry_format(e, "%s != NN_STATE_%s", source_state_word(w, 0), prefix),
                   "NNC_E_STATE", "state: the context was not initialised");
        entry_state_dims(e);
    }
    if (e->root->state_header) {
        Text call = text_new(w->arena);
        text_printf(&call, "%s_state_bytes(", prefix);
        for (int i = 0; i < states; i++)
            text_printf(&call, "%s%s", i ? ", " : "",
                        fresh ? e->state_names[i] : state_dim_name(w, i));
        text_char(&call, ')');
        entry_check_region(e, "state", call.data);
    }
    entry_check_region(e, "workspace",
                       entry_format(e, "%s_workspace_bytes(%s)", symbol, dims_text));
    write_locals(e);
}

/* ---- steps ---- */

/* In units of templates/team.h. */
static const char *work_text(EntryWriter *e, const Dim *work) {
    return work ? entry_dim(e, work, true) : "INT64_MAX";
}

/* What several threads can share of some steps, which are those that have several tiles: their work
 * and their number.  NULL: not known. */
typedef struct Shared {
    const Dim *work, *steps;
} Shared;

static Shared shared_steps(EntryWriter *e, Step *const *steps, int count) {
    enum { LONGEST = 16 }; /* terms of a polynomial that is still worth evaluating */
    DimTable *dims = e->w->plan->kernels->program->dims;
    Shared sum = {dim_const(dims, 0), dim_const(dims, 0)};
    for (int i = 0; i < count && sum.work && sum.steps; i++) {
        const Step *s = steps[i];
        Shared one = {dim_const(dims, 0), dim_const(dims, 0)};
        if (s->kind == STEP_LOOP) {
            one = shared_steps(e, s->body.data, s->body.count);
            one.work = one.work ? dim_mul(dims, one.work, s->count) : NULL;
            one.steps = one.steps ? dim_mul(dims, one.steps, s->count) : NULL;
        } else {
            bool single = true;
            for (int k = 0; k < s->kernel->tiles.count; k++)
                single = single && dim_is(s->kernel->tiles.data[k].count, 1);
            if (!single) one = (Shared){e->w->work[s->kernel->id], dim_const(dims, 1)};
        }
        sum.work = one.work ? dim_add(dims, sum.work, one.work) : NULL;
        sum.steps = one.steps ? dim_add(dims, sum.steps, one.steps) : NULL;
        if (sum.work && sum.work->term_count > LONGEST) sum.work = NULL;
        if (sum.steps && sum.steps->term_count > LONGEST) sum.steps = NULL;
    }
    return sum;
}

/* Bytes of the cells that steps write, each once. */
static int64_t updated_bytes(const Step *const *steps, int count, bool *seen) {
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        int64_t bytes = 0, elements;
        if (s->kind == STEP_LOOP)
            bytes = updated_bytes((const Step *const *)s->body.data, s->body.count, seen);
        for (int k = 0; s->kind == STEP_CALL && k < s->kernel->parameter_count; k++) {
            const Buffer *b = s->arguments[k];
            if (b->kind != BUFFER_CELL || seen[b->id]) continue;
            if (!(s->kernel->slots.data[k].access & ACCESS_WRITE)) continue;
            seen[b->id] = true;
            int64_t each = (int64_t)dtype_bytes(b->dtype);
            for (int d = 0; d < b->shape.rank; d++)
                if (!dim_is_const(b->shape.dims[d], &elements) ||
                    !checked_mul(each, elements, &each))
                    each = 0;
            if (!checked_add(bytes, each, &bytes)) bytes = INT64_MAX;
        }
        if (!checked_add(sum, bytes, &sum)) sum = INT64_MAX;
    }
    return sum;
}

static void write_call(EntryWriter *e, const Step *s, int indent) {
    SourceWriter *w = e->w;
    int number = s->kernel->id;
    const KernelPlan *kp = w->plan->kernel_plans.data[number];
    source_line(w, indent, "{");
    entry_titles(e, s, indent + 1);
    Text t = text_new(w->arena);
    text_append(&t, "const nn_call nn_c = {{");
    for (int i = 0; i < s->kernel->parameter_count; i++)
        text_printf(&t, "%s%s", i ? ", " : "", entry_buffer(e, s->arguments[i]));
    if (!s->kernel->parameter_count) text_append(&t, "NULL");
    text_append(&t, "}, {");
    for (int i = 0; i < kp->symbols.count; i++)
        text_printf(&t, "%s%s", i ? ", " : "", entry_symbol(e, kp->symbols.data[i]));
    if (!kp->symbols.count) text_char(&t, '0');
    text_printf(&t, "}, ctx->seed, (uint32_t)(%s), nn_step", e->scan);
    for (int i = 0; i < s->kernel->sites.count; i++)
        text_printf(&t, "%s%uu", i ? ", " : ", {", s->sites[i]);
    if (w->sites) text_append(&t, s->kernel->sites.count ? "}" : ", {0}");
    const char *kernel = w->kernel_names[number];
    if (w->options->instrument) {
        text_printf(&t, ", %s, ctx->profile, %d", kernel, e->calls);
        kernel = "nn_timed";
    }
    source_line(w, indent + 1, "%s};", t.data);
    source_line(w, indent + 1, "nn_run(%s, %d, %s, &nn_c, %s, %s);", e->member,
                e->plan->after.data[e->calls++], kernel, entry_tiles(e, s->kernel),
                work_text(e, e->w->work[s->kernel->id]));
    source_line(w, indent, "}");
}

/* Checks of ids run before the team starts: their failure ends the call. */
static void write_checks(EntryWriter *e) {
    const KernelEntry *k = e->plan->entry;
    if (!k->check_steps.count) return;
    source_line(e->w, 1,
                "nn_member nn_me = nn_alone(&nn_frame.nn_shared, ctx, nn_scratch, nn_slice);");
    e->calls = 0;
    entry_steps(e, k->check_steps.data, k->check_steps.count, 1);
    for (int i = 0; i < k->checks.count; i++) {
        const Check *c = k->checks.data[i].check;
        entry_fail(
            e, entry_format(e, "*(const uint8_t *)(%s)", entry_buffer(e, k->checks.data[i].flag)),
            "NNC_E_RANGE", c->message ? c->message : "an id is out of range");
    }
}

/* ---- the steps of an entry ---- */

/* Declarations of what the steps use of the public function's parameters. */
typedef struct Parameter {
    const char *type, *name;
} Parameter;
typedef struct Frame {
    const char *symbol;
    VECTOR(Parameter) parameters;
} Frame;

static Frame frame_of(EntryWriter *e, const char *symbol) {
    Arena *arena = e->w->arena;
    Frame f = {symbol, {0}};
    if (e->state_names)
        for (int i = 0; i < e->root->state_symbols.count; i++)
            vector_push(arena, &f.parameters, ((Parameter){"int64_t ", e->state_names[i]}));
    for (int i = 0; i < e->entry->dims.count && !e->state_names; i++)
        vector_push(arena, &f.parameters, ((Parameter){"int64_t ", e->names->dims[i]}));
    for (int i = 0; i < e->entry->arguments.count; i++) {
        const TensorType *t = &e->entry->arguments.data[i].node->type;
        const char *form = t->shape.rank ? "const %s *" : "%s ";
        vector_push(
            arena, &f.parameters,
            ((Parameter){entry_format(e, form, emit_c_type(t->dtype)), e->names->arguments[i]}));
    }
    for (int i = 0; i < e->entry->results.count; i++) {
        const TensorType *t = &e->entry->results.data[i].node->type;
        vector_push(
            arena, &f.parameters,
            ((Parameter){entry_format(e, "%s *", emit_c_type(t->dtype)), e->names->results[i]}));
    }
    return f;
}

/* Names for what the steps use, out of the frame. */
static void open_frame(EntryWriter *e, const Frame *f) {
    SourceWriter *w = e->w;
    source_line(w, 1, "const nnc_context *const ctx = nn_frame->nn_shared.ctx;");
    for (int i = 0; i < f->parameters.count; i++) {
        const Parameter *p = &f->parameters.data[i];
        source_line(w, 1, "%sconst %s = nn_frame->%s;", p->type, p->name, p->name);
    }
    if (!e->state_names) entry_state_dims(e);
    write_locals(e);
    for (int i = 0; i < f->parameters.count; i++)
        source_line(w, 1, "(void)%s;", f->parameters.data[i].name);
}

/* C compilers take more than linear time for long functions: many steps are several functions.
 * Loops have variables that later steps may read, so an entry with loops stays whole. */
static int parts_of(const KernelEntry *k) {
    enum { PART = 64 };
    for (int i = 0; i < k->steps.count; i++)
        if (k->steps.data[i]->kind == STEP_LOOP) return 1;
    return k->steps.count > 2 * PART ? (k->steps.count + PART - 1) / PART : 1;
}

static void write_part(EntryWriter *e, const Frame *f, int part, int parts) {
    SourceWriter *w = e->w;
    const KernelEntry *k = e->plan->entry;
    int64_t count = k->steps.count;
    int begin = (int)(count * part / parts), end = (int)(count * (part + 1) / parts);
    source_line(w, 0,
                "static NN_NOINLINE void nn_steps_%s_%d(nn_frame_%s *const nn_frame, "
                "nn_member *const nn_me) {",
                f->symbol, part, f->symbol);
    open_frame(e, f);
    e->member = "nn_me";
    entry_steps(e, k->steps.data + begin, end - begin, 1);
    e->member = "&nn_me";
    text_append(w->out, "}\n\n");
}

/* The type of the frame, and the function that every thread of the team runs. */
static void write_steps_function(EntryWriter *e, const Frame *f) {
    SourceWriter *w = e->w;
    const KernelEntry *k = e->plan->entry;
    if (!k->steps.count && !k->check_steps.count) return;
    source_line(w, 0, "typedef struct nn_frame_%s {", f->symbol);
    source_line(w, 1, "nn_team nn_shared;");
    for (int i = 0; i < f->parameters.count; i++)
        source_line(w, 1, "%s%s;", f->parameters.data[i].type, f->parameters.data[i].name);
    source_line(w, 0, "} nn_frame_%s;\n", f->symbol);
    if (!k->steps.count) return;
    int parts = parts_of(k);
    e->calls = entry_call_count(k->check_steps.data, k->check_steps.count);
    for (int i = 0; i < parts && parts > 1; i++) write_part(e, f, i, parts);
    source_line(w, 0, "static void nn_steps_%s(void *nn_arg, int64_t nn_index, int nn_worker) {",
                f->symbol);
    source_line(w, 1, "nn_frame_%s *const nn_frame = (nn_frame_%s *)nn_arg;", f->symbol, f->symbol);
    open_frame(e, f);
    source_line(w, 1,
                "nn_member nn_me = nn_join(&nn_frame->nn_shared, nn_index, nn_scratch, nn_slice);");
    source_line(w, 1, "(void)nn_worker;");
    if (parts == 1) entry_steps(e, k->steps.data, k->steps.count, 1);
    for (int i = 0; i < parts && parts > 1; i++)
        source_line(w, 1, "nn_steps_%s_%d(nn_frame, &nn_me);", f->symbol, i);
    text_append(w->out, "}\n\n");
}

static void declare_frame(EntryWriter *e, const Frame *f) {
    const KernelEntry *k = e->plan->entry;
    if (k->steps.count || k->check_steps.count)
        source_line(e->w, 1, "nn_frame_%s nn_frame;", f->symbol);
}

static void write_walk(EntryWriter *e, const Frame *f) {
    SourceWriter *w = e->w;
    const KernelEntry *k = e->plan->entry;
    if (!k->steps.count) return;
    for (int i = 0; i < f->parameters.count; i++)
        source_line(w, 1, "nn_frame.%s = %s;", f->parameters.data[i].name,
                    f->parameters.data[i].name);
    Shared shared = shared_steps(e, k->steps.data, k->steps.count);
    bool *seen = NEW_ARRAY(w->arena, (size_t)k->buffers.count + 1, bool);
    int64_t updated = updated_bytes((const Step *const *)k->steps.data, k->steps.count, seen);
    source_line(w, 1, "nn_walk(&nn_frame.nn_shared, ctx, nn_steps_%s, &nn_frame, %s, %s, %lld);",
                f->symbol, work_text(e, shared.work),
                shared.steps ? entry_dim(e, shared.steps, true) : "0", (long long)updated);
}

/* ---- what --instrument adds ---- */

/* One row for each call that entry_steps writes, in its order; `calls`: how often that step runs.
 */
static void write_kernel_rows(EntryWriter *e, Step *const *steps, int count, const Dim *calls) {
    DimTable *dims = e->w->plan->kernels->program->dims;
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        if (s->kind == STEP_LOOP) {
            write_kernel_rows(e, s->body.data, s->body.count, dim_mul(dims, calls, s->count));
            continue;
        }
        const Kernel *k = s->kernel;
        KernelCost cost = kernel_cost(e->w->plan->kernels, k);
        Text lines = text_new(e->w->arena), row = text_new(e->w->arena);
        for (int n = 0; n < k->lines.count; n++)
            text_printf(&lines, "%s%d", n ? ", " : "", k->lines.data[n]);
        emit_string(&row, k->name);
        text_append(&row, ", ");
        emit_string(&row, k->what ? k->what : "");
        text_append(&row, ", ");
        emit_string(&row, lines.data ? lines.data : "");
        const Dim *const numbers[] = {calls, cost.flops, cost.bytes};
        for (int n = 0; n < 3; n++)
            text_printf(&row, ", (double)%s", numbers[n] ? entry_dim(e, numbers[n], true) : "0");
        source_line(e->w, 2, "{%s, %s},", row.data, cost.wide ? "NNC_F64" : "NNC_F32");
    }
}

/* <entry>_kernels: the table of its calls at the caller's dims. */
static void write_kernel_table(EntryWriter *e, const char *symbol) {
    SourceWriter *w = e->w;
    const KernelEntry *entry = e->plan->entry;
    const Dim *once = dim_const(w->plan->kernels->program->dims, 1);
    int calls = entry_call_count(entry->check_steps.data, entry->check_steps.count) +
                entry_call_count(entry->steps.data, entry->steps.count);
    text_printf(w->out,
                "int %s_kernels(const nnc_context *ctx, const int64_t *dims, nnc_kernel_info *out) "
                "{\n    (void)ctx, (void)dims;\n",
                symbol);
    if (calls == 0) {
        source_line(w, 1, "(void)out;");
        source_line(w, 1, "return 0;");
        text_append(w->out, "}\n\n");
        return;
    }
    source_line(w, 1, "if (!out) return %d;", calls);
    for (int i = 0; i < e->entry->dims.count; i++)
        source_line(w, 1, "const int64_t %s = dims[%d];", e->names->dims[i], i);
    for (int i = 0; e->root->state_header && i < e->root->state_symbols.count; i++)
        source_line(w, 1, "const int64_t %s = %s;", state_dim_name(w, i),
                    source_state_word(w, i + 1));
    for (int i = 0; i < e->entry->dims.count; i++)
        source_line(w, 1, "(void)%s;", e->names->dims[i]);
    for (int i = 0; e->root->state_header && i < e->root->state_symbols.count; i++)
        source_line(w, 1, "(void)%s;", state_dim_name(w, i));
    source_line(w, 1, "const nnc_kernel_info rows[%d] = {", calls);
    write_kernel_rows(e, entry->check_steps.data, entry->check_steps.count, once);
    write_kernel_rows(e, entry->steps.data, entry->steps.count, once);
    source_line(w, 1, "};");
    source_line(w, 1, "memcpy(out, rows, sizeof rows);");
    source_line(w, 1, "return %d;", calls);
    text_append(w->out, "}\n\n");
}

/* ---- the functions ---- */

static void write_default_scalars(EntryWriter *e) {
    const Root *root = e->root->root->root;
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        if (c->role != CELL_SCALAR || !c->default_value) continue;
        source_line(e->w, 1, "*(%s *)(void *)(nn_state + %s) = %s;", emit_c_type(c->type.dtype),
                    entry_dim(e, e->root->cells[i].offset, false),
                    entry_number(e, c->type.dtype, c->default_number));
    }
}

static void write_init(EntryWriter *e) {
    SourceWriter *w = e->w;
    const Root *root = e->root->root->root;
    const char *prefix = emit_identifier(w->arena, root->name->text);
    const char *symbol = entry_format(e, "%s_init", prefix);
    int states = e->root->state_symbols.count;
    Text dims = text_new(w->arena);
    for (int i = 0; i < states; i++) text_printf(&dims, "%s%s", i ? ", " : "", e->state_names[i]);
    write_workspace_size(e, symbol, e->state_names, states);
    Frame frame = frame_of(e, symbol);
    write_steps_function(e, &frame);
    text_printf(w->out, "int %s(nnc_context *ctx, uint64_t seed", symbol);
    for (int i = 0; i < states; i++) text_printf(w->out, ", int64_t %s", e->state_names[i]);
    text_append(w->out, ") {\n    if (!ctx) return NNC_E_ARGUMENT;\n    ctx->message = NULL;\n");
    entry_check_signs(e, e->state_names, states);
    open_regions(e, symbol, dims.data ? dims.data : "", true);
    declare_frame(e, &frame);
    source_line(w, 1, "if (ctx->weights) memset(ctx->weights, 0, %s_weights_bytes());", prefix);
    if (!dim_is(e->root->state_bytes, 0))
        source_line(w, 1, "memset(ctx->state, 0, %s_state_bytes(%s));", prefix,
                    dims.data ? dims.data : "");
    if (e->root->state_header) {
        source_line(w, 1, "((int64_t *)ctx->state)[0] = NN_STATE_%s;", prefix);
        for (int i = 0; i < states; i++)
            source_line(w, 1, "((int64_t *)ctx->state)[%d] = %s;", i + 1, e->state_names[i]);
    }
    source_line(w, 1, "ctx->seed = seed;");
    source_line(w, 1, "ctx->step = 0;");
    write_default_scalars(e);
    write_walk(e, &frame);
    source_line(w, 1, "return NNC_OK;");
    text_append(w->out, "}\n\n");
}

void source_plain_init(SourceWriter *w, const RootPlan *root) {
    source_entry(w, root, entry_plain_init(w));
}

void source_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *plan) {
    const Entry *entry = plan->entry->entry;
    EntryWriter writer = entry_writer(w, root, plan), *e = &writer;
    e->member = "&nn_me";
    e->write_call = write_call;
    if (entry->kind == ENTRY_INIT) {
        write_init(e);
        return;
    }
    bool reset = entry->kind == ENTRY_RESET;
    const char *symbol = emit_symbol(w->arena, entry->symbol);
    Text dims = text_new(w->arena);
    for (int i = 0; i < entry->dims.count && !reset; i++)
        text_printf(&dims, "%s%s", i ? ", " : "", e->names->dims[i]);
    if (reset) {
        /* Its dims are those of the state. */
        const char **names = entry_state_parameters(w, root);
        for (int i = 0; i < root->state_symbols.count; i++)
            text_printf(&dims, "%s%s", i ? ", " : "", names[i]);
        text_append(w->out, "static ");
        EntryWriter sized = *e;
        sized.state_names = names;
        write_workspace_size(&sized, symbol, names, root->state_symbols.count);
        entry_without_dims(e);
    } else {
        write_workspace_size(e, symbol, e->names->dims, entry->dims.count);
    }
    Frame frame = frame_of(e, symbol);
    write_steps_function(e, &frame);
    if (reset) {
        text_printf(w->out, "int %s(nnc_context *ctx) {\n", symbol);
    } else {
        emit_entry_signature(w->out, w->options, root->root->root, e->names);
        text_append(w->out, " {\n");
    }
    text_append(w->out, "    if (!ctx) return NNC_E_ARGUMENT;\n    ctx->message = NULL;\n");
    entry_check_signs(e, e->names->dims, e->entry->dims.count);
    open_regions(e, symbol, dims.data ? dims.data : "", false);
    declare_frame(e, &frame);
    entry_check_arguments(e);
    write_checks(e);
    write_walk(e, &frame);
    if (entry->uses_random) source_line(w, 1, "ctx->step++;");
    source_line(w, 1, "return NNC_OK;");
    text_append(w->out, "}\n\n");
    if (w->options->instrument && !reset) write_kernel_table(e, symbol);
}
