/* Kernels, plan and emission: what compile, run, train, bench and exe do with a program alike. */
#include "driver/back_end.h"

#include <stdio.h>
#include <string.h>
#include "kernel/kernel.h"

static void print_text(const Text *text) {
    fwrite(text->data, 1, text->length, stdout);
}

/* True when the way ends here. */
static bool stopped(const BackEnd *b) {
    return b->passes && b->passes->stopped;
}

static void build_kernels(BackEnd *b) {
    const PipelineOptions *asked = &b->pipeline->options;
    KernelOptions options = {.remarks = b->remarks != 0,
                             .fence_count = asked->no_fuse_count,
                             .gpu = b->backend->gpu,
                             .precision = asked->precision,
                             .gemm = asked->gemm};
    Fence *fences = NEW_ARRAY(b->arena, (size_t)options.fence_count + 1, Fence);
    for (int i = 0; i < options.fence_count; i++)
        fences[i] = (Fence){asked->no_fuse[i].first, asked->no_fuse[i].last};
    options.fences = fences;
    pass_begin(b->passes, "kernels");
    b->kernels = kernel_program_build_with(b->arena, b->program, &options);
    if (b->remarks) {
        Text remarks = text_new(b->arena);
        kernel_print_remarks(&remarks, b->kernels, b->remarks);
        if (remarks.length) fputs(remarks.data, stderr);
    }
    if (!pass_end(b->passes, "kernels")) return;
    Text text = text_new(b->arena);
    kernel_program_print(&text, b->kernels);
    print_text(&text);
}

static void build_plan(BackEnd *b) {
    pass_begin(b->passes, "plan");
    b->plan = plan_build(b->arena, b->kernels);
    if (!pass_end(b->passes, "plan")) return;
    Text text = text_new(b->arena);
    plan_print(&text, b->plan);
    print_text(&text);
}

/* Diagnostics for what the target has no schedule for, at the user's lines. */
static bool refused(BackEnd *b) {
    DiagnosticSink *sink = diagnostics_new(b->arena);
    for (int i = 0; i < b->kernels->refusals.count; i++) {
        const Refusal *r = &b->kernels->refusals.data[i];
        diagnose(sink, NN_TARGET_LACKS, r->node->span, "%s has no kernel for --target=%s yet (%s)",
                 r->what, b->backend->name, r->entry->symbol);
    }
    b->errors = diagnostics_errors(sink);
    diagnostics_print(sink, stderr, b->pipeline->options.form, b->pipeline->options.color);
    return b->errors > 0;
}

void back_end_run(BackEnd *b) {
    b->header = text_new(b->arena);
    b->source = text_new(b->arena);
    build_kernels(b);
    if (stopped(b) || refused(b)) return;
    build_plan(b);
    if (stopped(b) || b->ends_with_plan) return;
    const char *slash = strrchr(b->pipeline->file, '/');
    b->options.source_name = slash ? slash + 1 : b->pipeline->file;
    b->options.version = NNC_VERSION;
    pass_begin(b->passes, "emit");
    b->backend->header(b->plan, &b->options, &b->header);
    b->backend->source(b->plan, &b->options, &b->source);
    if (pass_end(b->passes, "emit")) print_text(&b->source);
}
