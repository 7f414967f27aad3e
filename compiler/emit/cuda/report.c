/* What an entry launches, for people: how often, how many blocks of how many threads.
 *
 * Input: a plan of kernels that were made for a GPU.  Output: the launches as emit_cuda writes
 * them, in the entry's own dims. */
#include "emit/cuda/cuda.h"

/* The blocks of a step: the tiles of its kernel, whose symbols are the entry's by the step. */
static const Dim *step_blocks(SourceWriter *w, const Entry *entry, const Step *s) {
    DimTable *dims = w->plan->kernels->program->dims;
    const Dim *blocks = dim_const(dims, 1);
    const Dim **by = NEW_ARRAY(w->arena, (size_t)dim_symbol_count(dims), const Dim *);
    for (int i = 0; i < s->kernel->symbols.count; i++)
        by[s->kernel->symbols.data[i]->index] = plan_entry_symbol(entry, s->symbols[i]);
    for (int i = 0; i < s->kernel->tiles.count; i++)
        blocks = dim_mul(dims, blocks, dim_substitute(dims, s->kernel->tiles.data[i].count, by));
    return blocks;
}

EmittedLaunches emit_cuda_launches(Arena *arena, const Plan *plan, const EntryPlan *entry) {
    SourceWriter writer = {.arena = arena, .plan = plan}, *w = &writer;
    DimTable *dims = plan->kernels->program->dims;
    EmittedLaunches out = {0};
    cuda_find_widths(w);
    LaunchList list = cuda_launches(w, entry);
    for (int i = 0; i < list.count; i++) {
        const Launch *launch = &list.data[i];
        EmittedLaunch row = {
            .function = cuda_launch_name(w, launch),
            .steps = arena_copy(arena, launch->steps, sizeof launch->steps),
            .count = launch->count,
            .threads = launch->kernels[0]->threads,
            .blocks = dim_const(dims, 0),
            .shared = launch->shared,
            .times = launch->times,
        };
        for (int k = 0; k < launch->count; k++)
            row.blocks =
                dim_add(dims, row.blocks, step_blocks(w, entry->entry->entry, launch->steps[k]));
        vector_push(arena, &out, row);
    }
    return out;
}
