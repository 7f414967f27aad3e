/* A root of the program as text of a backend.  Apart from pipeline.c, since syntax and kernels both
 * name their Expr. */
#include "driver/pipeline.h"

#include "driver/back_end.h"
#include "tensor/simplify/simplify.h"

int pipeline_emit(const Pipeline *pipeline, Root *root, const char *backend, bool instrument,
                  EmittedCode *out) {
    Arena *arena = pipeline->arena;
    Program *program = simplify_root(arena, pipeline->program, root);
    const Backend *row = backend_find(backend);
    BackEnd back = {
        .arena = arena,
        .program = program,
        .pipeline = pipeline,
        .backend = row,
        .options = {.header_name = arena_printf(arena, "model%s", row->header_extension),
                    .file_name = arena_printf(arena, "model%s", row->extension),
                    .info = true,
                    .instrument = instrument}};
    back_end_run(&back);
    out->header = back.header;
    out->source = back.source;
    return back.errors ? 1 : 0;
}
