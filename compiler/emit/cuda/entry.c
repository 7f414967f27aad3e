/* Entries on a GPU: the public function checks, brings arguments to the device, launches the steps
 * as one sequence (a graph, where that is wanted), and takes results away.
 *
 * Input: EntryPlan.  Output: for each entry the places of its copies of arguments and results, a
 * function that launches the steps, and the public function.  Invariant: nothing waits for the
 * device. */
#include "emit/cuda/cuda.h"

#include <string.h>

/* Of indices of 32 bits; the last step of a dealt loop goes beyond its end. */
enum { NARROW_MAX = INT32_MAX - (1 << 16) };

/* How far the writing of an entry's launches has come. */
typedef struct CudaEntry {
    LaunchList launches;
    int next;         /* the launch that is open or comes next */
    int written;      /* its steps that are written */
    const char *wide; /* when they need indices of 64 bits; NULL: never, so far */
    bool asks;        /* a library, before its steps are captured */
} CudaEntry;

static const char *prefix_of(EntryWriter *e) {
    return emit_prefix(e->w->arena, e->w->options, e->root->root->root);
}

/* ---- sizes ---- */

/* "int64_t N, int64_t M, " of what the entry is called with. */
static int dim_count(const EntryWriter *e) {
    return e->state_names ? e->root->state_symbols.count : e->entry->dims.count;
}

static const char *dim_name(const EntryWriter *e, int i) {
    return e->state_names ? e->state_names[i] : e->names->dims[i];
}

static const char *dims_text(EntryWriter *e, const char *type, const char *before) {
    Text t = text_new(e->w->arena);
    for (int i = 0; i < dim_count(e); i++)
        text_printf(&t, "%s%s%s", i ? ", " : before, type, dim_name(e, i));
    return t.length ? t.data : "";
}

static int argument_count(const EntryWriter *e) {
    return e->state_names ? 0 : e->entry->arguments.count;
}

static const TensorType *argument_type(const EntryWriter *e, int i) {
    return &e->entry->arguments.data[i].node->type;
}

static const TensorType *result_type(const EntryWriter *e, int i) {
    return &e->entry->results.data[i].node->type;
}

static const char *bytes_text(EntryWriter *e, const TensorType *t, bool saturating) {
    DimTable *dims = e->w->plan->kernels->program->dims;
    const Dim *n = dim_mul(dims, shape_elements(dims, &t->shape),
                           dim_const(dims, (int64_t)dtype_bytes(t->dtype)));
    return entry_dim(e, n, saturating);
}

/* nn_places_X: where the copies of arguments and results lie, behind the temporaries. */
static void write_places(EntryWriter *e, const char *symbol) {
    SourceWriter *w = e->w;
    int arguments = argument_count(e), results = e->entry->results.count;
    source_line(w, 0, "static int64_t nn_places_%s(%sint64_t *at) {", symbol,
                dim_count(e) ? entry_format(e, "%s, ", dims_text(e, "int64_t ", "")) : "");
    for (int i = 0; i < dim_count(e); i++) source_line(w, 1, "(void)%s;", dim_name(e, i));
    source_line(w, 1, "int64_t nn_end = nn_round_size(%s);",
                entry_dim(e, e->plan->arena_bytes, true));
    source_line(w, 1, "(void)at;");
    for (int i = 0; i < arguments + results; i++) {
        const TensorType *t = i < arguments ? argument_type(e, i) : result_type(e, i - arguments);
        source_line(w, 1, "at[%d] = nn_end;", i);
        source_line(w, 1, "nn_end = nn_add_size(nn_end, nn_round_size(%s));",
                    t->shape.rank ? bytes_text(e, t, true) : "8");
    }
    source_line(w, 1, "return nn_end;");
    source_line(w, 0, "}");
}

static void write_sizes(EntryWriter *e, const char *symbol, bool local) {
    SourceWriter *w = e->w;
    int places = argument_count(e) + e->entry->results.count;
    write_places(e, symbol);
    source_line(w, 0, "%ssize_t %s_workspace_bytes(%s) {", local ? "static " : "", symbol,
                dim_count(e) ? dims_text(e, "int64_t ", "") : "void");
    source_line(w, 1, "int64_t nn_at[%d];", places ? places : 1);
    source_line(w, 1, "return nn_size(nn_places_%s(%snn_at));", symbol,
                dim_count(e) ? entry_format(e, "%s, ", dims_text(e, "", "")) : "");
    source_line(w, 0, "}\n");
}

/* ---- steps ---- */

/* One element of nn_calls.of. */
static const char *call_text(EntryWriter *e, const Step *s) {
    const Kernel *k = s->kernel;
    const KernelPlan *kp = e->w->plan->kernel_plans.data[k->id];
    Text t = text_new(e->w->arena);
    text_append(&t, "{{");
    for (int i = 0; i < k->parameter_count; i++)
        text_printf(&t, "%sNN_BUFFER(%s, %s)", i ? ", " : "", entry_buffer(e, s->arguments[i]),
                    entry_bytes(e, s->arguments[i]));
    if (!k->parameter_count) text_append(&t, "NULL");
    text_append(&t, "}, {");
    for (int i = 0; i < kp->symbols.count; i++)
        text_printf(&t, "%s%s", i ? ", " : "", entry_symbol(e, kp->symbols.data[i]));
    if (!kp->symbols.count) text_char(&t, '0');
    text_printf(&t, "}, nn_control_, %s, (uint32_t)(%s), %du, %du, {", entry_tiles(e, k), e->scan,
                e->number, e->checked);
    for (int i = 0; i < k->sites.count; i++) text_printf(&t, "%s%uu", i ? ", " : "", s->sites[i]);
    text_printf(&t, "%s}}", k->sites.count ? "" : "0");
    return t.data;
}

/* Condition, as text, under which 32 bits do not hold the kernel's indices; NULL: they always do.
 */
static const char *wide_text(EntryWriter *e, const Kernel *k) {
    const Dim *size = kernel_index_size(e->w->plan->kernels, k);
    int64_t known;
    if (!size) return "true";
    if (!dim_is_const(size, &known))
        return entry_format(e, "nn_is_wide(%s)", entry_dim(e, size, true));
    return known > NARROW_MAX ? "true" : NULL;
}

/* The condition of either of two. */
static const char *wide_either(EntryWriter *e, const char *a, const char *b) {
    if (!a || !b) return a ? a : b;
    if (!strcmp(a, "true") || !strcmp(b, "true")) return "true";
    return strcmp(a, b) ? entry_format(e, "%s || %s", a, b) : a;
}

/* A step opens a launch, or is one of those that the open launch takes. */
static void write_call(EntryWriter *e, const Step *s, int indent) {
    SourceWriter *w = e->w;
    CudaEntry *c = e->backend;
    const Launch *launch = &c->launches.data[c->next];
    if (s->kernel->library) {
        cuda_library_call(e, s, indent);
        c->next++;
        return;
    }
    if (!c->written) {
        source_line(w, indent, "{");
        source_line(w, indent + 1, "const nn_calls<%d> nn_c = {{", launch->count);
    }
    entry_titles(e, s, indent + 2);
    source_line(w, indent + 2, "%s,", call_text(e, s));
    const char *name = cuda_launch_name(w, launch);
    c->wide = wide_either(e, c->wide, wide_text(e, s->kernel));
    if (++c->written < launch->count) return;
    source_line(w, indent + 1, "}, 0};");
    const bool always = c->wide && !strcmp(c->wide, "true");
    const char *instance = always    ? entry_format(e, "%s<int64_t>", name)
                           : c->wide ? entry_format(e, "NN_INSTANCE(%s, %s)", name, c->wide)
                                     : entry_format(e, "%s<int32_t>", name);
    source_line(w, indent + 1, "nn_launch(ctx, %s, nn_c, %d);", instance, s->kernel->threads);
    source_line(w, indent, "}");
    c->written = 0;
    c->wide = NULL;
    c->next++;
}

static void write_locals(EntryWriter *e) {
    SourceWriter *w = e->w;
    source_line(w, 1, "char *const nn_weights = (char *)ctx->weights;");
    source_line(w, 1, "char *const nn_state = (char *)ctx->state;");
    source_line(w, 1, "char *const nn_work = (char *)ctx->workspace;");
    source_line(w, 1, "nn_control *const nn_control_ = (nn_control *)ctx->control;");
    source_line(w, 1, "(void)nn_weights, (void)nn_state, (void)nn_work, (void)nn_control_;");
}

/* Arguments and results are copies in the workspace; flags of checks are bytes of the control. */
static void place_buffers(EntryWriter *e) {
    const KernelEntry *k = e->plan->entry;
    for (int i = 0; i < k->buffers.count; i++) {
        const Buffer *b = k->buffers.data[i];
        int place = b->kind == BUFFER_ARGUMENT ? b->index
                    : b->kind == BUFFER_RESULT ? argument_count(e) + b->index
                                               : -1;
        if (place >= 0) e->local[i] = entry_format(e, "nn_work + nn_at[%d]", place);
        if (b->kind == BUFFER_CONSTANT)
            e->local[i] = entry_format(e, "nn_constant(ctx, nn_c%d)", source_constant(e->w, b));
    }
    for (int i = 0; i < k->checks.count; i++)
        e->local[k->checks.data[i].flag->id] = entry_format(e, "&nn_control_->flags[%d]", i);
}

/* Launches the checks of ids, whose outcome the kernels behind them look at, and then these. */
static void write_steps(EntryWriter *e, const char *symbol) {
    SourceWriter *w = e->w;
    const KernelEntry *k = e->plan->entry;
    source_line(w, 0, "static void nn_steps_%s(nnc_cuda_context *ctx%s, const int64_t *nn_at) {",
                symbol, dims_text(e, "int64_t ", ", "));
    write_locals(e);
    if (!e->state_names) entry_state_dims(e);
    for (int i = 0; i < dim_count(e); i++) source_line(w, 1, "(void)%s;", dim_name(e, i));
    source_line(w, 1, "(void)nn_at;");
    e->checked = 0;
    entry_steps(e, k->check_steps.data, k->check_steps.count, 1);
    e->checked = k->checks.count;
    entry_steps(e, k->steps.data, k->steps.count, 1);
    source_line(w, 0, "}\n");
    CudaEntry *c = e->backend;
    c->asks = cuda_library_questions(e, symbol, dims_text(e, "[[maybe_unused]] int64_t ", ", "));
}

/* ---- the public functions ---- */

static void open_regions(EntryWriter *e, const char *symbol, bool fresh) {
    SourceWriter *w = e->w;
    const char *prefix = prefix_of(e);
    bool header = e->root->state_header;
    entry_fail(e, "!ctx->control", "NNC_E_WORKSPACE", "control: the region is missing");
    entry_fail(e, "nn_misaligned(ctx->control)", "NNC_E_ARGUMENT",
               "control: the region must be aligned to 64 bytes");
    if (!dim_is(e->root->weights_bytes, 0))
        entry_check_region(e, "weights", entry_format(e, "%s_weights_bytes()", prefix));
    if (header && !fresh) {
        entry_fail(e, entry_format(e, "%s != NN_STATE_%s", source_state_word(w, 0), prefix),
                   "NNC_E_STATE", "state: the context was not initialised");
        entry_state_dims(e);
    }
    Text names = text_new(w->arena);
    for (int i = 0; i < e->root->state_symbols.count; i++)
        text_printf(&names, "%s%s", i ? ", " : "",
                    fresh ? e->state_names[i] : state_dim_name(w, i));
    if (!dim_is(e->root->state_bytes, 0))
        entry_check_region(
            e, "state",
            entry_format(e, "%s_state_bytes(%s)", prefix, names.data ? names.data : ""));
    entry_check_region(e, "workspace",
                       entry_format(e, "%s_workspace_bytes(%s)", symbol, dims_text(e, "", "")));
    write_locals(e);
}

static bool draws(Step *const *steps, int count) {
    for (int i = 0; i < count; i++)
        if (steps[i]->kind == STEP_CALL ? steps[i]->kernel->sites.count > 0
                                        : draws(steps[i]->body.data, steps[i]->body.count))
            return true;
    return false;
}

/* Numbers that kernels read: the random stream, arguments by value, first values of scalars. */
static void write_values(EntryWriter *e, bool defaults) {
    SourceWriter *w = e->w;
    const Root *root = e->root->root->root;
    source_line(w, 1, "nn_values nn_list = {};");
    if (draws(e->plan->entry->steps.data, e->plan->entry->steps.count)) {
        source_line(w, 1, "nn_set(ctx, &nn_list, &nn_control_->seed, &ctx->seed, 8);");
        source_line(w, 1, "nn_set(ctx, &nn_list, &nn_control_->step, &ctx->step, 8);");
    }
    for (int i = 0; i < argument_count(e); i++)
        if (!argument_type(e, i)->shape.rank)
            source_line(w, 1, "nn_set(ctx, &nn_list, nn_work + nn_at[%d], &%s, sizeof %s);", i,
                        e->names->arguments[i], e->names->arguments[i]);
    for (int i = 0; i < root->cells.count && defaults; i++) {
        const Cell *c = root->cells.data[i];
        if (c->role != CELL_SCALAR || !c->default_value) continue;
        source_line(w, 1, "{");
        source_line(w, 2, "const %s nn_value = %s;", emit_c_type(c->type.dtype),
                    entry_number(e, c->type.dtype, c->default_number));
        source_line(w, 2, "nn_set(ctx, &nn_list, nn_state + %s, &nn_value, sizeof nn_value);",
                    entry_dim(e, e->root->cells[i].offset, false));
        source_line(w, 1, "}");
    }
    source_line(w, 1, "nn_set_values(ctx, nn_list);");
}

static void write_places_call(EntryWriter *e, const char *symbol) {
    int places = argument_count(e) + e->entry->results.count;
    source_line(e->w, 1, "int64_t nn_at[%d];", places ? places : 1);
    source_line(e->w, 1, "(void)nn_places_%s(%snn_at);", symbol,
                dim_count(e) ? entry_format(e, "%s, ", dims_text(e, "", "")) : "");
}

static void write_run(EntryWriter *e, const char *symbol) {
    SourceWriter *w = e->w;
    const CudaEntry *c = e->backend;
    int dims = dim_count(e);
    if (c->asks) source_line(w, 1, "nn_products_%s(ctx%s);", symbol, dims_text(e, "", ", "));
    source_line(w, 1, "const int64_t nn_key[%d] = {%s};", dims ? dims : 1,
                dims ? dims_text(e, "", "") : "0");
    source_line(w, 1, "nn_run_entry(ctx, nn_key, %d, [&]() { nn_steps_%s(ctx%s, nn_at); });", dims,
                symbol, dims_text(e, "", ", "));
}

static void write_init(EntryWriter *e) {
    SourceWriter *w = e->w;
    const char *prefix = prefix_of(e), *symbol = entry_format(e, "%s_init", prefix);
    write_sizes(e, symbol, false);
    write_steps(e, symbol);
    source_line(w, 0, "int %s(nnc_cuda_context *ctx, uint64_t seed%s) {", symbol,
                dims_text(e, "int64_t ", ", "));
    source_line(w, 1, "if (!ctx) return NNC_E_ARGUMENT;");
    source_line(w, 1, "ctx->message = NULL;");
    entry_check_signs(e, e->state_names, dim_count(e));
    open_regions(e, symbol, true);
    write_places_call(e, symbol);
    source_line(w, 1, "nn_begin(ctx);");
    /* Graphs of other dims of the state. */
    source_line(w, 1, "for (int i = 0; i < NNC_CUDA_GRAPHS; i++) nn_forget(&ctx->graphs[i]);");
    source_line(w, 1, "nn_zero(ctx, ctx->weights, %s_weights_bytes());", prefix);
    source_line(w, 1, "nn_zero(ctx, ctx->state, %s_state_bytes(%s));", prefix,
                dims_text(e, "", ""));
    if (e->root->state_header) {
        source_line(w, 1, "%s = NN_STATE_%s;", source_state_word(w, 0), prefix);
        for (int i = 0; i < dim_count(e); i++)
            source_line(w, 1, "%s = %s;", source_state_word(w, i + 1), e->state_names[i]);
    }
    source_line(w, 1, "ctx->seed = seed;");
    source_line(w, 1, "ctx->step = 0;");
    write_values(e, true);
    write_run(e, symbol);
    source_line(w, 1, "return nn_status(ctx);");
    source_line(w, 0, "}\n");
}

static void write_arguments(EntryWriter *e) {
    SourceWriter *w = e->w;
    source_line(w, 1, "nn_begin_arguments(ctx);");
    for (int i = 0; i < argument_count(e); i++)
        if (argument_type(e, i)->shape.rank)
            source_line(w, 1, "nn_take(ctx, nn_work + nn_at[%d], %s, (size_t)(%s));", i,
                        e->names->arguments[i], bytes_text(e, argument_type(e, i), false));
    source_line(w, 1, "nn_end_arguments(ctx);");
}

static void write_results(EntryWriter *e) {
    for (int i = 0; i < e->entry->results.count; i++)
        source_line(e->w, 1, "nn_give(ctx, %s, nn_work + nn_at[%d], (size_t)(%s));",
                    e->names->results[i], argument_count(e) + i,
                    bytes_text(e, result_type(e, i), false));
}

static void write_function(EntryWriter *e, const char *symbol, bool reset) {
    SourceWriter *w = e->w;
    if (reset) {
        text_printf(w->out, "int %s(nnc_cuda_context *ctx)", symbol);
    } else {
        emit_entry_signature(w->out, w->options, e->root->root->root, e->names);
    }
    text_append(w->out, " {\n");
    source_line(w, 1, "if (!ctx) return NNC_E_ARGUMENT;");
    source_line(w, 1, "ctx->message = NULL;");
    if (!reset) entry_check_signs(e, e->names->dims, e->entry->dims.count);
    open_regions(e, symbol, false);
    entry_check_arguments(e);
    write_places_call(e, symbol);
    source_line(w, 1, "nn_begin(ctx);");
    write_values(e, false);
    if (argument_count(e)) write_arguments(e);
    write_run(e, symbol);
    write_results(e);
    if (e->plan->entry->entry->uses_random) source_line(w, 1, "ctx->step++;");
    source_line(w, 1, "return nn_status(ctx);");
    source_line(w, 0, "}\n");
}

void cuda_entry(SourceWriter *w, const RootPlan *root, const EntryPlan *plan, int number) {
    const Entry *entry = plan->entry->entry;
    EntryWriter writer = entry_writer(w, root, plan), *e = &writer;
    e->number = number;
    e->write_call = write_call;
    CudaEntry launches = {.launches = cuda_launches(w, plan)};
    e->backend = &launches;
    place_buffers(e);
    if (entry->kind == ENTRY_INIT) {
        write_init(e);
        return;
    }
    bool reset = entry->kind == ENTRY_RESET;
    if (reset) {
        /* Its dims are those of the state. */
        entry_without_dims(e);
        e->state_names = entry_state_parameters(w, root);
    }
    const char *symbol = emit_entry_symbol(w->arena, w->options, root->root->root, entry);
    write_sizes(e, symbol, reset);
    write_steps(e, symbol);
    write_function(e, symbol, reset);
}

void cuda_plain_init(SourceWriter *w, const RootPlan *root) {
    cuda_entry(w, root, entry_plain_init(w), root->entries.count);
}

/* ---- what belongs to the root ---- */

/* Which condition a refused call did not meet. */
static void write_reasons(SourceWriter *w, const RootPlan *root, const char *prefix) {
    source_line(w, 0, "static const char *nn_reason_%s(uint64_t refused) {", prefix);
    source_line(w, 1, "switch (refused) {");
    for (int i = 0; i < root->entries.count; i++) {
        const KernelEntry *k = root->entries.data[i]->entry;
        for (int c = 0; c < k->checks.count; c++) {
            const char *message = k->checks.data[c].check->message;
            text_printf(w->out, "    case (uint64_t)%d << 32 | %d: return ", i, c + 1);
            emit_string(w->out, message ? message : "an id is out of range");
            text_append(w->out, ";\n");
        }
    }
    source_line(w, 1, "default: return \"an id is out of range\";");
    source_line(w, 1, "}");
    source_line(w, 0, "}");
}

void cuda_root(SourceWriter *w, const RootPlan *root) {
    const char *prefix = emit_prefix(w->arena, w->options, root->root->root);
    EntryWriter e = {.w = w, .root = root, .state_names = root_state_names(w->arena, root)};
    text_printf(w->out, "size_t %s_weights_bytes(void) { return (size_t)%s; }\n", prefix,
                entry_dim(&e, root->weights_bytes, false));
    text_printf(w->out, "size_t %s_state_bytes(", prefix);
    emit_dim_parameters(w->out, e.state_names, root->state_symbols.count, "void");
    text_printf(w->out, ") {\n    return nn_size(%s);\n}\n",
                entry_dim(&e, root->state_bytes, true));
    write_reasons(w, root, prefix);
    source_line(w, 0, "int %s_wait(nnc_cuda_context *ctx) {", prefix);
    source_line(w, 1, "uint64_t refused;");
    source_line(w, 1, "if (!ctx) return NNC_E_ARGUMENT;");
    source_line(w, 1, "if (!ctx->control) return nn_no_control(ctx);");
    source_line(w, 1, "const int code = nn_wait_refused(ctx, &refused);");
    source_line(w, 1, "if (code || !refused) return code;");
    source_line(w, 1, "return nn_fail(ctx, NNC_E_RANGE, nn_reason_%s(refused));", prefix);
    source_line(w, 0, "}");
    source_line(w, 0, "void %s_close(nnc_cuda_context *ctx) {", prefix);
    source_line(w, 1, "if (ctx) nn_close(ctx);");
    if (cuda_has_library(w->plan)) source_line(w, 1, "if (ctx) nn_close_library(ctx);");
    source_line(w, 0, "}\n");
}
