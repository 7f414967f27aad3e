/* A root of the program as C text.  Apart from pipeline.c, since syntax and kernels both name their
 * Expr. */
#include "driver/pipeline.h"

#include <string.h>
#include "emit/emit.h"
#include "kernel/kernel.h"
#include "plan/plan.h"
#include "tensor/simplify.h"

int pipeline_emit_c(const Pipeline *pipeline, Root *root, bool instrument, EmittedC *out) {
    /* The root alone, and as a copy: simplification rewrites entries, the interpreter wants them as
     * lowered. */
    Arena *arena = pipeline->arena;
    Program *program = arena_copy(arena, pipeline->program, sizeof *program);
    Root *copy = arena_copy(arena, root, sizeof *root);
    copy->entries.data = NEW_ARRAY(arena, (size_t)root->entries.count, Entry *);
    copy->entries.capacity = root->entries.count;
    for (int i = 0; i < root->entries.count; ++i) {
        Entry *entry = arena_copy(arena, root->entries.data[i], sizeof *entry);
        if (entry->arguments.count)
            entry->arguments.data =
                arena_copy(arena, entry->arguments.data,
                           (size_t)entry->arguments.count * sizeof *entry->arguments.data);
        if (entry->results.count)
            entry->results.data =
                arena_copy(arena, entry->results.data,
                           (size_t)entry->results.count * sizeof *entry->results.data);
        if (entry->writes.count)
            entry->writes.data =
                arena_copy(arena, entry->writes.data,
                           (size_t)entry->writes.count * sizeof *entry->writes.data);
        if (entry->checks.count)
            entry->checks.data =
                arena_copy(arena, entry->checks.data,
                           (size_t)entry->checks.count * sizeof *entry->checks.data);
        copy->entries.data[i] = entry;
    }
    memset(&program->roots, 0, sizeof program->roots);
    vector_push(arena, &program->roots, copy);
    simplify_program(program);
    KernelOptions kernels = {.fence_count = pipeline->options.no_fuse_count};
    Fence *fences = NEW_ARRAY(arena, (size_t)kernels.fence_count + 1, Fence);
    for (int i = 0; i < kernels.fence_count; ++i)
        fences[i] = (Fence){pipeline->options.no_fuse[i].first, pipeline->options.no_fuse[i].last};
    kernels.fences = fences;
    const Plan *plan = plan_build(arena, kernel_program_build_with(arena, program, &kernels));
    const char *slash = strrchr(pipeline->file, '/');
    EmitOptions options = {.header_name = "model.h",
                           .source_name = slash ? slash + 1 : pipeline->file,
                           .version = NNC_VERSION,
                           .info = true,
                           .instrument = instrument};
    out->header = text_new(arena);
    out->source = text_new(arena);
    emit_header(plan, &options, &out->header);
    emit_c(plan, &options, &out->source);
    return 0;
}
