/* A root of the program as text of a backend.  Apart from pipeline.c, since syntax and kernels both
 * name their Expr. */
#include "driver/pipeline.h"

#include <string.h>
#include "driver/back_end.h"
#include "tensor/simplify.h"

int pipeline_emit(const Pipeline *pipeline, Root *root, const char *backend, bool instrument,
                  EmittedCode *out) {
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
