/* One kernel as a device function of a tile, which is a block: loops are dealt to its threads.
 *
 * Input: kernel IR that was scheduled for a GPU; what is not said here is written as for the CPU,
 * without vectors.  Output: one __device__ function, which launches call (launch.c), and the types
 * that combine two values of an accumulator.  Invariant: folds take the same tree whatever the
 * timing of threads. */
#include "emit/kernel/writer.h"

void cuda_open_kernel(Writer *w, const char *name) {
    writer_line(w, "template <class nn_int>");
    writer_line(w, "static __device__ __forceinline__ void %s(", name);
    writer_line(w, "        const nn_call *const call, const nn_int nn_tile) {");
}

void cuda_declare_scratch(Writer *w, int slot) {
    const Slot *s = &w->kernel->slots.data[slot];
    const char *type = emit_c_type(s->dtype), *name = w->slot_names[slot];
    long long elements = (long long)writer_scratch_elements(w, s);
    if (s->space == SPACE_SHARED)
        writer_line(w, "NN_BLOCK_ARRAY(%s, %s, %lld);", type, name, elements);
    else
        writer_line(w, "%s %s[%lld];", type, name, elements);
}

/* ---- folds ---- */

static void find_folds(const Kernel *k, const Stmt *s, unsigned *found) {
    bool dealt = s->kind == STMT_LOOP && s->binding >= BIND_THREAD;
    for (int i = 0; dealt && i < s->accumulator_count; i++) {
        const Accumulator *a = &s->accumulators[i];
        if (!reduce_is_arg(a->kind)) found[a->kind] |= 1u << k->registers.data[a->reg].dtype;
    }
    if (s->kind == STMT_SCAN) found[s->combine] |= 1u << k->registers.data[s->reg].dtype;
    for (int i = 0; i < s->body.count; i++) find_folds(k, s->body.data[i], found);
}

static const char *fold_name(Writer *w, ReduceKind kind, DType dtype) {
    if (reduce_is_arg(kind))
        return kind == REDUCE_ARGMAX ? "nn_first_largest" : "nn_first_smallest";
    return writer_format(w, "nn_%s_%s", reduce_name(kind), dtype_name(dtype));
}

void cuda_write_folds(Text *out, const Plan *plan) {
    unsigned found[REDUCE_ARGMIN + 1] = {0};
    Writer w = {.arena = out->arena, .out = out};
    for (int i = 0; i < plan->kernel_plans.count; i++) {
        const Kernel *k = plan->kernel_plans.data[i]->kernel;
        find_folds(k, k->body, found);
    }
    for (int kind = 0; kind <= REDUCE_ARGMIN; kind++)
        for (int t = 0; t < DTYPE_COUNT; t++) {
            if (!(found[kind] >> t & 1)) continue;
            const char *type = scalar_type((DType)t);
            writer_line(&w, "struct %s {", fold_name(&w, (ReduceKind)kind, (DType)t));
            writer_line(&w,
                        "    static __device__ __forceinline__ %s of(%s a, %s b) { return %s; }",
                        type, type, type, writer_combine(&w, (ReduceKind)kind, (DType)t, "a", "b"));
            writer_line(&w, "};");
        }
    text_char(out, '\n');
}

/* Numbers of 8 bytes in shared memory that the folds of a loop pass on: values, and positions. */
static int fold_numbers(const Kernel *k, const Stmt *s) {
    if (s->kind != STMT_LOOP || !s->accumulator_count) return 0;
    bool at = false;
    for (int i = 0; i < s->accumulator_count; i++)
        at = at || reduce_is_arg(s->accumulators[i].kind);
    int values = s->binding == BIND_THREAD ? k->threads / WARP_LANES
                 : s->binding == BIND_WARP ? k->threads
                                           : 0;
    return at ? 2 * values : values;
}

int64_t cuda_fold_bytes(const Kernel *k, const Stmt *s) {
    int64_t bytes = 8 * fold_numbers(k, s);
    if (s->kind == STMT_SCAN && s->binding == BIND_THREAD) bytes += 8 * k->threads / WARP_LANES;
    for (int i = 0; i < s->body.count; i++) bytes += cuda_fold_bytes(k, s->body.data[i]);
    return bytes;
}

static void write_fold(Writer *w, const Stmt *s, const Accumulator *a) {
    DType t = w->kernel->registers.data[a->reg].dtype;
    const char *reg = w->register_names[a->reg], *fold = fold_name(w, a->kind, t);
    const char *at = reduce_is_arg(a->kind)
                         ? writer_format(w, "%s, %s", reg, w->register_names[a->reg_index])
                         : reg;
    const char *with = reduce_is_arg(a->kind) ? "_at" : "";
    if (s->binding == BIND_LANE)
        writer_line(w, "nn_fold_warp%s<%s>(%s);", with, fold, at);
    else
        writer_line(w, "nn_fold_%s%s<%d, %s>(%s, nn_parts);",
                    s->binding == BIND_WARP ? "column" : "block", with,
                    w->kernel->threads / WARP_LANES, fold, at);
}

void cuda_scan(Writer *w, const Stmt *s) {
    writer_begin_statement(w, &s->value, 1);
    DType t = w->kernel->registers.data[s->reg].dtype;
    const char *reg = w->register_names[s->reg], *carry = w->register_names[s->carry];
    const char *fold = fold_name(w, s->combine, t);
    w->register_is_vector[s->reg] = false;
    writer_line(w, "%s %s = %s;", scalar_type(t), reg, writer_scalar(w, s->value));
    if (s->binding == BIND_LANE) {
        writer_line(w, "nn_scan_warp<%s>(%s, %s);", fold, reg, carry);
        return;
    }
    int warps = w->kernel->threads / WARP_LANES;
    writer_line(w, "{");
    w->indent++;
    writer_line(w, "NN_BLOCK_ARRAY(double, nn_parts, %d);", warps);
    writer_line(w, "nn_scan_block<%d, %s>(%s, %s, nn_parts);", warps, fold, reg, carry);
    w->indent--;
    writer_line(w, "}");
}

/* ---- sorts ---- */

static const char *order_name(bool descending) {
    return descending ? "nn_descending" : "nn_ascending";
}

void cuda_sort(Writer *w, const ArgsortLeaf *a) {
    writer_begin_statement(w, NULL, 0);
    const Slot *keys = &w->kernel->slots.data[a->keys_slot];
    writer_line(w, "nn_sort_tile<%d, %s>(%s, %s, %lld, %lld, %s);", w->kernel->threads,
                order_name(a->descending), w->slot_names[a->keys_slot],
                w->slot_names[a->order_slot], (long long)writer_scratch_elements(w, keys),
                (long long)a->width, writer_index(w, a->count));
}

void cuda_rank(Writer *w, const Stmt *s) {
    const Index *at[SHAPE_MAX_RANK];
    writer_begin_statement(w, &s->value, 1);
    for (int i = 0; i < s->index_count; i++) at[i] = s->indices[i];
    at[s->index_count] = s->begin;
    const char *value = writer_scalar(w, s->value);
    w->register_is_vector[s->reg] = false;
    writer_line(w, "const int64_t %s = nn_rank<%s, %s>(%s + (%s), %s, %s);",
                w->register_names[s->reg], order_name(s->descending), s->ties ? "true" : "false",
                w->slot_names[s->slot], writer_index(w, slot_offset(w, s->slot, at)),
                writer_index(w, index_sub(w->indices, s->end, s->begin)), value);
}

void cuda_tile_product(Writer *w, const TileProduct *t) {
    writer_line(w, "nn_tile_product<%s,%lld,%lld,%lld,%lld,%lld>(%s, %s, %s);",
                t->precision == PRECISION_TF32 ? "nn_tf32" : "nn_bf16", (long long)t->rows,
                (long long)t->columns, (long long)t->chunk, (long long)t->warps_down,
                (long long)t->skew, w->slot_names[t->rows_slot], w->slot_names[t->columns_slot],
                w->slot_names[t->sums_slot]);
}

/* ---- loops ---- */

/* Every thread of the block, or lane of the warp, has exactly one iteration, so that barriers and
 * scans may stand inside. */
static bool is_whole(const Writer *w, const Stmt *s) {
    int64_t begin, end, all = s->binding == BIND_THREAD ? w->kernel->threads : WARP_LANES;
    return s->binding != BIND_WARP && index_is_const(s->begin, &begin) && begin == 0 &&
           index_is_const(s->end, &end) && end == all;
}

void cuda_dealt_loop(Writer *w, const Stmt *s) {
    static const char *const first[] = {[BIND_THREAD] = "threadIdx.x",
                                        [BIND_WARP] = "threadIdx.x / 32",
                                        [BIND_LANE] = "threadIdx.x % 32"};
    int step = s->binding == BIND_THREAD ? w->kernel->threads
               : s->binding == BIND_WARP ? w->kernel->threads / WARP_LANES
                                         : WARP_LANES;
    const char *axis = w->axis_names[s->axis];
    int parts = fold_numbers(w->kernel, s);
    writer_accumulators(w, s);
    const char *begin = writer_bound(w, s->begin), *end = writer_bound(w, s->end);
    if (is_whole(w, s)) {
        writer_line(w, "{");
        w->indent++;
        writer_line(w, "const nn_int %s = (nn_int)(%s);", axis, first[s->binding]);
        writer_line(w, "(void)%s;", axis);
        w->indent--;
    } else {
        const char *limit = writer_format(w, "%s_end%d", axis, w->next_temporary++);
        writer_line(w, "const nn_int %s = %s;", limit, end);
        writer_line(w, "for (nn_int %s = %s + (nn_int)(%s); %s < %s; %s += %d) {", axis, begin,
                    first[s->binding], axis, limit, axis, step);
    }
    writer_body(w, s);
    writer_line(w, "}");
    if (parts) {
        writer_line(w, "{");
        w->indent++;
        writer_line(w, "NN_BLOCK_ARRAY(double, nn_parts, %d);", parts);
    }
    for (int i = 0; i < s->accumulator_count; i++) write_fold(w, s, &s->accumulators[i]);
    if (parts) {
        w->indent--;
        writer_line(w, "}");
    }
}
