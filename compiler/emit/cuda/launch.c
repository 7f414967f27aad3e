/* Launches: steps that need nothing of each other are one launch, whose blocks are dealt to them.
 *
 * Input: steps in order, and how far back what they need lies (EntryPlan.after).  Output: for each
 * combination of kernels a __global__ function, which entry.c launches.  Invariant: a step joins
 * the open launch only when all that it needs was launched before; a library's call is a launch by
 * itself. */
#include "emit/cuda/cuda.h"

enum {
    SHARED_MAX = 40 << 10, /* bytes of shared memory of the kernels of a launch */
    ARGUMENT_BYTES = 4064, /* of a launch */
    CALL_BYTES = 64,       /* of nn_call, beside what has a variable width */
};

static int64_t shared_bytes(const SourceWriter *w, const Kernel *k) {
    int64_t sum = cuda_fold_bytes(k, k->body), bytes;
    for (int i = 0; i < k->slots.count; i++)
        if (k->slots.data[i].space == SPACE_SHARED &&
            dim_is_const(kernel_slot_bytes(w->plan->kernels->program->dims, &k->slots.data[i]),
                         &bytes))
            sum += bytes;
    return sum;
}

static bool uses_shared(const Kernel *k) {
    for (int i = 0; i < k->slots.count; i++)
        if (k->slots.data[i].space == SPACE_SHARED) return true;
    return false;
}

/* How many calls the arguments of a launch have room for. */
static int calls_max(const SourceWriter *w) {
    int64_t bytes = CALL_BYTES + 8 * w->widths.buffers + 8 * w->widths.dims + 4 * w->widths.sites;
    int64_t fit = ARGUMENT_BYTES / bytes;
    return fit < 1 ? 1 : fit < LAUNCH_MAX ? (int)fit : LAUNCH_MAX;
}

/* ---- which steps go together ---- */

/* How often the body of a loop runs that itself runs `times`. */
static const char *loop_times(SourceWriter *w, const Step *loop, const char *times) {
    Text t = text_new(w->arena);
    text_printf(&t, loop->first ? "%s%slog2((" : "%s%s(", times, *times ? " * " : "");
    dim_print(&t, loop->count);
    if (loop->first) {
        text_append(&t, ") / (");
        dim_print(&t, loop->first);
        text_char(&t, ')');
    }
    text_char(&t, ')');
    return t.data;
}

/* The launches of a list of steps, in the order in which they are written. */
static void find_launches(SourceWriter *w, LaunchList *list, const EntryPlan *plan,
                          Step *const *steps, int count, const char *times, int *calls) {
    Launch open = {0};
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        if (s->kind == STEP_LOOP) {
            if (open.count) vector_push(w->arena, list, open);
            open.count = 0;
            find_launches(w, list, plan, s->body.data, s->body.count, loop_times(w, s, times),
                          calls);
            continue;
        }
        int64_t bytes = shared_bytes(w, s->kernel);
        bool joins = open.count && !open.kernels[0]->library && !s->kernel->library &&
                     open.count < calls_max(w) && plan->after.data[*calls] > open.count &&
                     open.kernels[0]->threads == s->kernel->threads &&
                     open.shared + bytes <= SHARED_MAX;
        if (!joins && open.count) {
            vector_push(w->arena, list, open);
            open.count = 0;
        }
        if (!open.count) open = (Launch){.times = times};
        open.shared += bytes;
        open.steps[open.count] = s;
        open.kernels[open.count++] = s->kernel;
        ++*calls;
    }
    if (open.count) vector_push(w->arena, list, open);
}

LaunchList cuda_launches(SourceWriter *w, const EntryPlan *plan) {
    LaunchList list = {0};
    const KernelEntry *k = plan->entry;
    int calls = 0;
    find_launches(w, &list, plan, k->check_steps.data, k->check_steps.count, "", &calls);
    find_launches(w, &list, plan, k->steps.data, k->steps.count, "", &calls);
    return list;
}

const char *cuda_launch_name(SourceWriter *w, const Launch *launch) {
    Text t = text_new(w->arena);
    if (launch->kernels[0]->library) return "cublasLtMatmul";
    text_append(&t, "nn_launch");
    for (int i = 0; i < launch->count; i++) text_printf(&t, "_%d", launch->kernels[i]->id);
    return t.data;
}

/* ---- functions ---- */

static void write_launch(SourceWriter *w, const Launch *launch) {
    int count = launch->count;
    bool shared = false;
    source_line(w, 0, "template <class nn_int>");
    source_line(w, 0, "static __global__ void __launch_bounds__(%d) %s(",
                launch->kernels[0]->threads, cuda_launch_name(w, launch));
    source_line(w, 2, "const __grid_constant__ nn_calls<%d> nn_all) {", count);
    source_line(w, 1, "if (nn_refused(&nn_all.of[0])) return;");
    source_line(w, 1,
                "for (int64_t nn_block = blockIdx.x; nn_block < nn_all.tiles; "
                "nn_block += gridDim.x) {");
    source_line(w, 2, "int64_t nn_tile = nn_block;");
    for (int i = 0; i < count; i++) {
        const char *name = w->kernel_names[launch->kernels[i]->id];
        shared = shared || uses_shared(launch->kernels[i]);
        if (i + 1 < count) {
            source_line(w, 2, "if (nn_tile < nn_all.of[%d].tiles) {", i);
            source_line(w, 3, "%s(&nn_all.of[%d], (nn_int)nn_tile);", name, i);
            source_line(w, 2, "} else {");
            source_line(w, 2, "nn_tile -= nn_all.of[%d].tiles;", i);
        } else {
            source_line(w, 2, "%s(&nn_all.of[%d], (nn_int)nn_tile);", name, i);
        }
    }
    for (int i = 0; i + 1 < count; i++) source_line(w, 2, "}");
    /* A block that goes on to another tile uses its shared memory again. */
    if (shared) source_line(w, 2, "__syncthreads();");
    source_line(w, 1, "}");
    source_line(w, 0, "}\n");
}

static bool same_launch(const Launch *a, const Launch *b) {
    if (a->count != b->count) return false;
    for (int i = 0; i < a->count; i++)
        if (a->kernels[i] != b->kernels[i]) return false;
    return true;
}

void cuda_write_launches(SourceWriter *w) {
    LaunchList known = {0};
    for (int r = 0; r < w->plan->roots.count; r++)
        for (int e = 0; e < w->plan->roots.data[r]->entries.count; e++) {
            LaunchList list = cuda_launches(w, w->plan->roots.data[r]->entries.data[e]);
            for (int i = 0; i < list.count; i++) {
                int at = 0;
                if (list.data[i].kernels[0]->library) continue;
                while (at < known.count && !same_launch(&known.data[at], &list.data[i])) at++;
                if (at < known.count) continue;
                vector_push(w->arena, &known, list.data[i]);
                write_launch(w, &list.data[i]);
            }
        }
}
