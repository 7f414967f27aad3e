/* model.c: licence, settings, templates, constants, kernels, entries, tables.
 *
 * Input: plan.  Output: one C file that needs its header and libm only. */
#include "emit/c/c.h"

#include <string.h>

/* ---- settings and the code around kernels ---- */

static const char settings[] =
    "/* Speed does not depend on -O, nor contraction of a * b + c on -std.  What is to be vector "
    "code is\n"
    " * written as such; gcc 12's own vectoriser is wrong about guarded lanes with AVX-512. */\n"
    "#if defined(__clang__)\n"
    "#pragma clang fp contract(fast)\n"
    "#elif defined(__GNUC__)\n"
    "#pragma GCC push_options\n"
    "#pragma GCC optimize(\"O3\", \"no-tree-loop-vectorize\", \"no-tree-slp-vectorize\", "
    "\"fp-contract=fast\", \"no-math-errno\", \"no-trapping-math\")\n"
    "#endif\n\n";

static const char timed_members[] =
    "    void (*kernel)(const struct nn_call *call, int64_t begin, int64_t end, char *scratch);\n"
    "    const nnc_profile *profile;\n"
    "    int number;\n";

/* With --instrument this stands where the kernel would. */
static const char timing[] =
    "static void nn_timed(const nn_call *call, int64_t begin, int64_t end, char *scratch) {\n"
    "    const nnc_profile *const profile = call->profile;\n"
    "    const uint64_t start = profile ? profile->now(profile->user) : 0;\n"
    "    call->kernel(call, begin, end, scratch);\n"
    "    if (profile) profile->slice(profile->user, call->number, start);\n"
    "}\n"
    "\n";

static const char drawing[] =
    "NN_INLINE nn_random nn_draw(const nn_call *call, int site, int at_init) {\n"
    "    nn_random r;\n"
    "    r.seed = call->seed, r.scan = call->scan, r.site = call->sites[site];\n"
    "    r.step = at_init ? 0 : call->step;\n"
    "    return r;\n"
    "}\n\n";

/* ---- what the kernels need ---- */

typedef struct Needs {
    MmaUse mma[MMA_FORMS];
    bool has_mma, has_dot;
    uint32_t dots[2][DOT_ROWS_MAX + 1]; /* of f32, of f64: bit n of a number of rows: n columns */
    unsigned pack_forms, argsort_dtypes;
} Needs;

static void find_needs(const Kernel *kernel, const Stmt *s, Needs *needs) {
    for (int i = 0; i < s->body.count; i++) find_needs(kernel, s->body.data[i], needs);
    if (s->kind == STMT_MMA) {
        mma_use(&needs->mma[mma_form(s->mma)], kernel, s->mma);
        needs->has_mma = true;
    }
    if (s->kind == STMT_DOT) {
        needs->dots[s->dot->dtype == DTYPE_F64][s->dot->rows] |= UINT32_C(1) << s->dot->columns;
        needs->has_dot = true;
    }
    if (s->kind == STMT_PACK) needs->pack_forms |= 1u << pack_form(s->pack);
    if (s->kind == STMT_ARGSORT)
        needs->argsort_dtypes |= 1u << kernel->slots.data[s->argsort->keys_slot].dtype;
}

static void write_templates(SourceWriter *w) {
    Needs needs = {0};
    for (int i = 0; i < w->plan->kernel_plans.count; i++) {
        const Kernel *k = w->plan->kernel_plans.data[i]->kernel;
        find_needs(k, k->body, &needs);
    }
    for (int i = 0; i < w->plan->kernel_plans.count; i++) {
        int sites = w->plan->kernel_plans.data[i]->kernel->sites.count;
        if (sites > w->sites) w->sites = sites;
    }
    if (w->sites) emit_template(w->out, "philox.h");
    if (needs.has_mma) emit_template(w->out, "mma.h");
    for (int form = 0; form < MMA_FORMS; form++)
        if (needs.mma[form].columns) emit_mma_form(w->out, form, &needs.mma[form]);
    if (needs.has_dot) emit_template(w->out, "dot.h");
    for (int wide = 0; needs.has_dot && wide < 2; wide++)
        for (int rows = 0; rows <= DOT_ROWS_MAX; rows++)
            for (int columns = 0; columns <= DOT_COLUMNS_MAX; columns++)
                if (needs.dots[wide][rows] >> columns & 1)
                    emit_dot_form(w->out, wide ? DTYPE_F64 : DTYPE_F32, rows, columns);
    if (needs.pack_forms) emit_template(w->out, "pack.h");
    for (int form = 0; form < PACK_FORMS; form++)
        if (needs.pack_forms >> form & 1) emit_pack_form(w->out, form);
    if (needs.argsort_dtypes) emit_template(w->out, "argsort.h");
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (needs.argsort_dtypes >> t & 1)
            text_printf(w->out, "NN_ARGSORT(%s, %s)\n", dtype_name((DType)t),
                        emit_c_type((DType)t));
    int buffers = 1, dims = 1;
    for (int i = 0; i < w->plan->kernel_plans.count; i++) {
        const KernelPlan *p = w->plan->kernel_plans.data[i];
        if (p->kernel->parameter_count > buffers) buffers = p->kernel->parameter_count;
        if (p->symbols.count > dims) dims = p->symbols.count;
    }
    text_append(w->out, "\n");
    text_append(w->out, source_size_code);
    text_printf(w->out,
                "typedef struct nn_call {\n    void *buffers[%d];\n    int64_t dims[%d];\n"
                "    uint64_t seed;\n    uint32_t scan, step",
                buffers, dims);
    if (w->sites) text_printf(w->out, ", sites[%d]", w->sites);
    text_printf(w->out, ";\n%s} nn_call;\n\n", w->options->instrument ? timed_members : "");
    if (w->sites) text_append(w->out, drawing);
    emit_template(w->out, "team.h");
    text_append(w->out, "\n");
    if (w->options->instrument) text_append(w->out, timing);
}

/* ---- the file ---- */

/* What stands in the file, and what a caller may call. */
static void write_contents(SourceWriter *w) {
    Text *out = w->out;
    text_append(
        out,
        " *\n"
        " * Contents, by headings: templates (vectors, elementary functions, leaves, the team\n"
        " * of threads), constants, kernels; then for each export and train block sizes,\n"
        " * entries");
    text_append(out, w->options->info ? " and tables.  Entries:\n" : ".  Entries:\n");
    for (int i = 0; i < w->plan->roots.count; i++) {
        const RootPlan *root = w->plan->roots.data[i];
        text_printf(out, " *   %s_init", emit_identifier(w->arena, root->root->root->name->text));
        for (int k = 0; k < root->entries.count; k++) {
            const Entry *entry = root->entries.data[k]->entry->entry;
            if (entry->kind != ENTRY_INIT)
                text_printf(out, ", %s", emit_symbol(w->arena, entry->symbol));
        }
        text_char(out, '\n');
    }
}

static const char kernel_comment[] =
    "/* In kernels p0, p1, ... are buffers in the order of the call, d_N is the dim N, r0, r1,\n"
    " * ... are values that are kept; an array of the function's own is a block of a result,\n"
    " * or an operand laid out as the product reads it.  Loops are numbered and named after\n"
    " * what they run over: b a batch, m and n rows and columns of a product, k its depth or\n"
    " * an axis that is reduced, q panels of 16 columns, w a window, r and p what is packed, i\n"
    " * elements, v elements by vectors.\n"
    " *\n"
    " * A buffer's comment is its shape; \"[10, 84] as [d0/16:1, d1:84, d0%16:16]\" lies in\n"
    " * memory as an array of these axes: d0 is the first of the logical ones, :84 an extent.\n"
    " * Before a call of a leaf a comment has its arguments: a=p0@8 begins at element 8 of p0,\n"
    " * row=9 is a stride, row=groups 60 one from packed group to group, and row=p2[0] a table\n"
    " * of offsets, from element 0 of p2 on. */\n\n";

static const char call_comment[] =
    "/* The steps of an entry are blocks { const nn_call nn_c = {...}; nn_run(...); }.  The\n"
    " * comment says what is read -> written: arguments, cells, constants, and temporaries t0,\n"
    " * t1, ... of the workspace, whose bytes serve several that are not needed at once.  nn_c\n"
    " * has the pointers in the order of the kernel's parameters, dims, seed, scan index, step\n"
    " * of training, and the sites of its random numbers.  The arguments of nn_run are the\n"
    " * thread; how many steps back everything is done that this one needs (1: the last one\n"
    " * has to be, 2: all before the last one); the kernel, its call, its tiles; and its work,\n"
    " * operations and bytes, by which it is shared by threads or not. */\n\n";

void emit_c(const Plan *plan, const EmitOptions *asked, Text *source) {
    EmitOptions own = *asked, *options = &own;
    own.family = "";
    SourceWriter writer = {.arena = source->arena, .out = source, .plan = plan, .options = options};
    SourceWriter *w = &writer;
    text_printf(source, "/* Generated by nnc %s from %s: do not edit.\n", options->version,
                options->source_name);
    text_append(source, " * Output of nnc is yours: no licence terms of nnc apply to this file.\n");
    write_contents(w);
    text_append(source, " */\n");
    if (options->target && !strcmp(options->target, "c99"))
        text_append(source, "#define NN_NO_VECTORS 1\n");
    text_append(source, settings);
    /* No escapes between these quotes. */
    text_printf(source, "#include \"%s\"\n\n/* ---- templates ---- */\n\n", options->header_name);
    Text behind = text_new(source->arena);
    w->out = &behind;
    write_templates(w);

    source_constants(w, "static const");
    text_append(w->out, "/* ---- kernels ---- */\n\n");
    text_append(w->out, kernel_comment);
    source_kernel_names(w);
    w->work = NEW_ARRAY(w->arena, (size_t)plan->kernel_plans.count, const Dim *);
    for (int i = 0; i < plan->kernel_plans.count; i++) {
        const KernelPlan *k = plan->kernel_plans.data[i];
        KernelCost cost = kernel_cost(plan->kernels, k->kernel);
        if (cost.flops && cost.bytes)
            w->work[k->kernel->id] = dim_add(plan->kernels->program->dims, cost.flops, cost.bytes);
        emit_kernel_function(w->out, k, plan->kernels->indices, w->kernel_names[i], false);
    }
    text_append(
        w->out,
        "#if defined(__GNUC__) && !defined(__clang__)\n#pragma GCC pop_options\n#endif\n\n");
    text_append(w->out, call_comment);
    for (int i = 0; i < plan->roots.count; i++) {
        const RootPlan *root = plan->roots.data[i];
        text_printf(w->out, "/* ---- %s: sizes ---- */\n\n", root->root->root->name->text);
        if (root->state_header)
            text_printf(w->out, "#define NN_STATE_%s INT64_C(0x%08x%08x)\n",
                        emit_identifier(w->arena, root->root->root->name->text), 0x4e4e4353u,
                        root->root->root->name->hash);
        source_sizes(w, root);
        text_printf(w->out, "/* ---- %s: entries ---- */\n\n", root->root->root->name->text);
        if (!root_entry(root, ENTRY_INIT)) source_plain_init(w, root);
        for (int k = 0; k < root->entries.count; k++) source_entry(w, root, root->entries.data[k]);
        if (!options->info) continue;
        text_printf(w->out, "/* ---- %s: tables ---- */\n\n", root->root->root->name->text);
        source_tables(w, root);
    }
    static const char *const vectors[] = {"lanes.h", "elementary.h"};
    emit_template_sections(source, vectors, 2, &behind);
    text_append_n(source, behind.data, behind.length);
}
