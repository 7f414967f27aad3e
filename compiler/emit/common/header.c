/* The header of a generated model: C99 and C++11.
 *
 * Input: plan.  Output: sizes, macros where they are constant, and one function per entry with
 * every argument documented. */
#include "emit/common/common.h"

#include "base/embedded.h"

#include <string.h>

void emit_template(Text *out, const char *name) {
    for (const EmbeddedFile *f = templates_files; f->name; f++) {
        if (strcmp(f->name, name)) continue;
        for (const char *line = f->text; *line;) {
            const char *end = strchr(line, '\n');
            size_t length = end ? (size_t)(end - line) + 1 : strlen(line);
            if (strncmp(line, "#include \"", 10)) text_append_n(out, line, length);
            line += length;
        }
    }
}

static void write_argument(Text *out, const char *name, const TensorType *type, bool result) {
    text_printf(out, " *   %s: ", name);
    type_print(out, type);
    text_append(out, result ? ", written\n" : type->shape.rank ? "\n" : ", by value\n");
}

static void write_entry(Text *out, const Root *root, const EntryPlan *plan,
                        const EmitOptions *options) {
    const Entry *e = plan->entry->entry;
    EntryNames *names = entry_names(out->arena, e);
    const char *symbol = emit_entry_symbol(out->arena, options, root, e);
    int64_t arena, scratch;
    text_append(out, "/* ");
    text_printf(out, "%s %s.\n", e->kind == ENTRY_TRAIN ? "Training entry" : "Entry",
                e->name->text);
    if (e->doc) emit_comment_lines(out, " * ", e->doc);
    for (int i = 0; i < e->arguments.count; i++)
        write_argument(out, names->arguments[i], &e->arguments.data[i].node->type, false);
    for (int i = 0; i < e->results.count; i++)
        write_argument(out, names->results[i], &e->results.data[i].node->type, true);
    for (int i = 0; i < e->checks.count; i++)
        if (e->checks.data[i].kind == CHECK_DIM && e->checks.data[i].message)
            emit_comment_lines(out, " * Needs ", e->checks.data[i].message);
    text_append(out, " */\n");
    emit_entry_signature(out, options, root, names);
    text_append(out, ";\n");
    text_printf(out, "size_t %s_workspace_bytes(", symbol);
    emit_dim_parameters(out, names->dims, e->dims.count, "void");
    text_append(out, ");\n");
    if (!*options->family && entry_workspace_constant(plan, &arena, &scratch)) {
        text_printf(out, "#define %s_WORKSPACE_BYTES ((size_t)%lld", symbol, (long long)arena);
        if (scratch) text_printf(out, " + (size_t)NNC_WORKERS * %lld", (long long)scratch);
        text_append(out, ")\n");
    }
    if (options->instrument && !*options->family)
        text_printf(out,
                    "/* Its calls of kernels, at most one row each into `out`; their number.  The "
                    "context is one that\n * init has filled; `out` may be NULL. */\n"
                    "int %s_kernels(const nnc_context *ctx, const int64_t *dims, nnc_kernel_info "
                    "*out);\n",
                    symbol);
    text_char(out, '\n');
}

/* <root>_<member>_WEIGHTS_OFFSET: parameters of a member are contiguous, so an inference context
 * can point into the weights of a training context. */
static void write_member_offsets(Text *out, const RootPlan *plan, const EmitOptions *options) {
    const Root *root = plan->root->root;
    const char *prefix = emit_prefix(out->arena, options, root);
    const char *last = "";
    size_t last_length = 0;
    NameSet set = {out->arena, {0}};
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        int64_t offset;
        const char *dot = strchr(c->name->text, '.');
        if (c->role != CELL_PARAMETER || !dot || !dim_is_const(plan->cells[i].offset, &offset))
            continue;
        size_t length = (size_t)(dot - c->name->text);
        if (length == last_length && !strncmp(last, c->name->text, length)) continue;
        last = c->name->text;
        last_length = length;
        const char *member = arena_strndup(out->arena, c->name->text, length);
        const char *name = name_set_add(&set, emit_identifier(out->arena, member));
        text_printf(out, "#define %s_%s_WEIGHTS_OFFSET ((size_t)%lld)\n", prefix, name,
                    (long long)offset);
    }
}

static void write_root(Text *out, const RootPlan *plan, const EmitOptions *options) {
    const Root *root = plan->root->root;
    const char *prefix = emit_prefix(out->arena, options, root);
    const char **state = root_state_names(out->arena, plan);
    int states = plan->state_symbols.count;
    int64_t bytes;
    text_printf(out, "/* ---- %s: %s ---- */\n\n", prefix,
                root->is_train ? "training" : "inference");
    if (root->doc) {
        text_append(out, "/*\n");
        emit_comment_lines(out, " * ", root->doc);
        text_append(out, " */\n");
    }
    if (dim_is_const(plan->weights_bytes, &bytes))
        text_printf(out, "#define %s_WEIGHTS_BYTES ((size_t)%lld)\n", prefix, (long long)bytes);
    if (dim_is_const(plan->state_bytes, &bytes))
        text_printf(out, "#define %s_STATE_BYTES ((size_t)%lld)\n", prefix, (long long)bytes);
    const bool cuda = *options->family != 0;
    if (!cuda) text_printf(out, "#define %s_PREPARED_BYTES ((size_t)0)\n", prefix);
    write_member_offsets(out, plan, options);
    text_printf(out, "size_t %s_weights_bytes(void);\nsize_t %s_state_bytes(", prefix, prefix);
    emit_dim_parameters(out, state, states, "void");
    text_append(out, ");\n");
    if (!cuda) text_printf(out, "size_t %s_prepared_bytes(void);\n", prefix);
    text_printf(
        out,
        "/* Fresh values for all cells, drawn from `seed`. */\nint %s_init(nnc%s_context *ctx, "
        "uint64_t seed",
        prefix, options->family);
    for (int i = 0; i < states; i++) text_printf(out, ", int64_t %s", state[i]);
    text_printf(out, ");\nsize_t %s_init_workspace_bytes(", prefix);
    emit_dim_parameters(out, state, states, "void");
    text_append(out, ");\n");
    if (cuda)
        text_printf(
            out,
            "/* Waits for the context's stream; says whether a call was refused since the last "
            "wait. */\nint %s_wait(nnc_cuda_context *ctx);\n"
            "/* Gives back the graphs and events that the context holds. */\n"
            "void %s_close(nnc_cuda_context *ctx);\n",
            prefix, prefix);
    else
        text_printf(out,
                    "/* After the weights have changed, before the next call. */\n"
                    "int %s_prepare(nnc_context *ctx);\n",
                    prefix);
    const KernelEntry *reset = root_entry(plan, ENTRY_RESET);
    if (reset)
        text_printf(out, "/* State back to its first values. */\nint %s(nnc%s_context *ctx);\n",
                    emit_entry_symbol(out->arena, options, root, reset->entry), options->family);
    if (options->info) {
        text_append(out, "/* Names, dtypes and dims of everything, and calls by pointer. */\n");
        text_printf(out, "const nnc%s_model *%s_model(void);\n", options->family, prefix);
    }
    text_char(out, '\n');
    for (int i = 0; i < plan->entries.count; i++) {
        EntryKind kind = plan->entries.data[i]->entry->entry->kind;
        if (kind == ENTRY_INFER || kind == ENTRY_TRAIN)
            write_entry(out, root, plan->entries.data[i], options);
    }
}

/* `abi`: what stands before the declarations. */
static void write_file(Text *out, const Plan *plan, const EmitOptions *options, const char *build,
                       void (*abi)(Text *out)) {
    const char *guard = emit_identifier(out->arena, options->header_name);
    text_printf(out, "/* Generated by nnc %s from %s: do not edit.\n", options->version,
                options->source_name);
    text_printf(out,
                " * Output of nnc is yours: no licence terms of nnc apply to this file.\n"
                " *\n"
                " * Build:  %s%s */\n",
                options->file_name, build);
    text_printf(out, "#ifndef NNC_MODEL_%s\n#define NNC_MODEL_%s\n\n", guard, guard);
    abi(out);
    text_append(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    for (int i = 0; i < plan->roots.count; i++) write_root(out, plan->roots.data[i], options);
    text_append(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static void write_abi(Text *out) {
    emit_template(out, "nnc_abi.h");
    text_append(out,
                "\n/* Most threads that one call uses; with less, a workspace may be smaller. */\n"
                "#ifndef NNC_WORKERS\n#define NNC_WORKERS 8\n#endif\n\n");
}

static void write_cuda_abi(Text *out) {
    emit_template(out, "nnc_abi.h");
    emit_template(out, "nnc_cuda_abi.h");
    text_char(out, '\n');
}

void emit_header(const Plan *plan, const EmitOptions *asked, Text *out) {
    EmitOptions options = *asked;
    options.family = "";
    options.file_name = arena_printf(out->arena, "cc -O3 -march=native -c %s", asked->file_name);
    write_file(
        out, plan, &options,
        "   (link with -lm)\n"
        " * Vectors are as wide as the compiler's target says; no other flag is needed.\n"
        " * All memory is the caller's: zero an nnc_context, set its regions, call init once or\n"
        " * load the weights, then the entries.  No function allocates or writes a global; a\n"
        " * context belongs to one caller at a time.  What returns int returns 0 or an NNC_E_\n"
        " * code; sizes are size_t, and SIZE_MAX when they do not fit.",
        write_abi);
}

void emit_cuda_header(const Plan *plan, const EmitOptions *asked, Text *out) {
    EmitOptions options = *asked;
    options.family = "_cuda";
    options.file_name =
        arena_printf(out->arena, "nvcc -O3 -std=c++17 -arch=sm_80 -c %s", asked->file_name);
    write_file(out, plan, &options,
               "   (or another architecture; -lcudart)\n"
               " * All memory is the caller's: zero an nnc_cuda_context, set its regions and its\n"
               " * stream, call init once or set the cells, then the entries; see the comment at\n"
               " * nnc_cuda_context.  What returns int returns 0 or an NNC_E_ code; sizes are\n"
               " * size_t, and SIZE_MAX when they do not fit.",
               write_cuda_abi);
}
