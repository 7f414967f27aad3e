/* GPUs behind run and train: a small program asks for one, then the model is compiled for it. */
#include "driver/cuda.h"

#include <string.h>
#include "base/embedded.h"
#include "emit/common/common.h"

static const char functions_symbol[] = "nnc_device_functions";
typedef const nnc_device *(*DeviceFunctions)(void);

static JitFile embedded_file(const char *name) {
    for (const EmbeddedFile *file = templates_files; file->name; ++file)
        if (strcmp(file->name, name) == 0) return (JitFile){file->name, file->text, file->length};
    return (JitFile){0};
}

static const nnc_device *device_functions(const JitModel *library) {
    DeviceFunctions functions = NULL;
    return jit_symbol(library, functions_symbol, &functions, sizeof functions) ? functions() : NULL;
}

int cuda_find(const EngineOptions *options, Cuda *out, NncError *error) {
    JitFile files[] = {embedded_file("device.cu"), embedded_file("nnc_device.h")};
    JitCompiler compiler = {.language = JIT_CUDA,
                            .command = options->nvcc,
                            .verbose = options->verbose,
                            .is_probe = true};
    JitModel library;
    int status = jit_open(files, 2, functions_symbol, &compiler, &library, error);
    if (status != 0) return status;
    const nnc_device *cuda = device_functions(&library);
    const char *refusal = cuda->refusal();
    if (refusal) {
        nnc_fail(error, "%s", refusal);
        status = 3;
    } else {
        *out = (Cuda){true, cuda->capability()};
    }
    jit_unload(&library);
    return status;
}

int cuda_open(Model *model, const Pipeline *pipeline, Root *root, const EngineOptions *options,
              const Cuda *cuda, NncError *error) {
    static const char text[] = "#include \"model.cu\"\n#include \"device.cu\"\n";
    Arena *arena = pipeline->arena;
    EmittedCode emitted;
    const nnc_cuda_model *(*get_model)(void) = NULL;
    int status = pipeline_emit(pipeline, root, "cuda", false, &emitted);
    if (status != 0) return status;
    JitFile files[] = {{"both.cu", text, sizeof text - 1},
                       {"model.cu", emitted.source.data, emitted.source.length},
                       {"model_cuda.h", emitted.header.data, emitted.header.length},
                       embedded_file("device.cu"),
                       embedded_file("nnc_device.h")};
    JitCompiler compiler = {
        .language = JIT_CUDA,
        .command = options->nvcc,
        .march = cuda->capability ? arena_printf(arena, "-arch=sm_%d", cuda->capability) : NULL,
        .verbose = options->verbose};
    const char *symbol =
        arena_printf(arena, "%s_cuda_model", emit_identifier(arena, root->name->text));
    status = jit_open(files, 5, symbol, &compiler, &model->library, error);
    if (status != 0) return status;
    jit_symbol(&model->library, symbol, &get_model, sizeof get_model);
    const nnc_device *functions = device_functions(&model->library);
    model->device = nnc_device_open(get_model(), functions, error);
    if (!model->device) return 3;
    model->table = nnc_device_model(model->device);
    model->engine = nnc_device_engine(model->device);
    model->place = arena_printf(arena, "%s", functions->name());
    return 0;
}
