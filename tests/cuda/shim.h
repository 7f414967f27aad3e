/* Programs for the tests of the CUDA backend: emitted as model.cu, compiled for the host with the
 * shim and the adapter of tests/cuda/shim (or for a GPU: model_command.h), and called like any
 * other emitted model. */
#ifndef NNC_TESTS_CUDA_SHIM_TESTS_H
#define NNC_TESTS_CUDA_SHIM_TESTS_H

#include "cuda/model_command.h"
#include "numeric/numeric.h"

/* model.cu and its header in `folder`; the program is simplified. */
static inline const Plan *emit_shim_program(Arena *arena, Program *program,
                                            const KernelOptions *kernels, const char *folder) {
    const KernelProgram *made = kernel_program_build_with(arena, program, kernels);
    if (made->refusals.count)
        fail_msg("%s: no kernel for %s", made->refusals.data[0].entry->symbol,
                 made->refusals.data[0].what);
    const Plan *plan = plan_build(arena, made);
    EmitOptions options = {.header_name = "model_cuda.h",
                           .file_name = "model.cu",
                           .source_name = "test.nn",
                           .version = "test",
                           .info = true};
    Text header = text_new(arena), source = text_new(arena);
    emit_cuda_header(plan, &options, &header);
    emit_cuda(plan, &options, &source);
    write_text(arena_printf(arena, "%s/model_cuda.h", folder), &header);
    write_text(arena_printf(arena, "%s/model.cu", folder), &source);
    return plan;
}

/* As compile_program; `extra`: further flags; `kernels`: what kernels are built with, `gpu` too. */
static inline Compiled compile_for_shim_with(const char *name, const char *text, const char *extra,
                                             const KernelOptions *kernels) {
    Compiled c = {.arena = arena_new()};
    names_init(c.arena);
    const char *error = NULL;
    c.reference = program_read(c.arena, text, &error);
    Program *program = program_read(c.arena, text, &error);
    if (!c.reference || !program) fail_msg("%s\n%s", error, text);
    simplify_program(program);
    char *folder = program_folder(c.arena, arena_printf(c.arena, "cuda_%s", name));
    c.plan = emit_shim_program(c.arena, program, kernels, folder);
    open_program(&c, folder, model_command(c.arena, c.reference->roots.data[0]->name->text, extra));
    return c;
}

static inline Compiled compile_for_shim(const char *name, const char *text, const char *extra) {
    return compile_for_shim_with(name, text, extra, &(KernelOptions){.gpu = true});
}

#endif
