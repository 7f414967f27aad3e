/* Vector loops around a reduction along another axis (sums of columns and the like), several
 * vectors at a time.
 *
 * Input: a vector loop.  Output: nothing, or a loop over NN_JAM vectors a turn that stands before
 * the usual one and leaves it the rest: "unroll and jam" of the loop into the reduction.  One
 * vector alone waits for its own last addition and takes one line of every row.  Every lane sums as
 * before. */
#include <string.h>

#include "emit/kernel/writer.h"

enum {
    JAM_ACCUMULATORS = 2, /* vectors that stay in registers, of each NN_JAM */
    JAM_NODES = 12,       /* of the reduction's expressions: more has other things to wait for */
    JAM_EXTENT = 32,      /* of the axis, at least */
};

/* Are its loads whole vectors, and its operations an instruction or two? */
static bool expr_suits(Writer *w, const Expr *e, int *nodes) {
    const Dim *stride;
    if (++*nodes > JAM_NODES || e->guard) return false;
    switch ((int)e->kind) {
    case EXPR_CONST:
    case EXPR_REGISTER: return true;
    case EXPR_LOAD:
        switch (writer_motion(w, slot_offset(w, e->slot, e->indices), &stride)) {
        case MOTION_NONE: return true;
        case MOTION_STRIDE: return dim_is(stride, 1);
        case MOTION_OTHER: break;
        }
        return false;
    case EXPR_OP:
        if (!(op_info(e->op)->properties & PROPERTY_CHEAP)) return false;
        break;
    case EXPR_CAST: break;
    default: return false;
    }
    for (int i = 0; i < e->arg_count; i++)
        if (!expr_suits(w, e->args[i], nodes)) return false;
    return true;
}

static bool leaves_suit(Writer *w, const Stmt *s, int first, int *nodes) {
    for (int i = first; i < s->body.count; i++) {
        const Stmt *one = s->body.data[i];
        if (one->kind != STMT_LET && one->kind != STMT_ACCUMULATE) return false;
        if (!expr_suits(w, one->value, nodes)) return false;
    }
    return true;
}

static bool is_nest(const Stmt *s) {
    return s->body.count && s->body.data[0]->kind == STMT_LOOP;
}

/* A loop with accumulators around what it takes in, or around another such loop and what it takes
 * of that one's. */
static bool reduction_suits(Writer *w, const Stmt *s, int *accumulators, int *nodes) {
    if (s->kind != STMT_LOOP || s->binding != BIND_SEQ) return false;
    *accumulators += s->accumulator_count;
    if (!*accumulators || *accumulators > JAM_ACCUMULATORS) return false;
    for (int i = 0; i < s->accumulator_count; i++)
        if (s->accumulators[i].reg_index >= 0) return false;
    if (index_varies(w, s->begin) || index_varies(w, s->end)) return false;
    if (is_nest(s) && !reduction_suits(w, s->body.data[0], accumulators, nodes)) return false;
    return leaves_suit(w, s, is_nest(s), nodes);
}

static bool loop_suits(Writer *w, const Stmt *s) {
    int64_t extent;
    if (w->cuda || s->accumulator_count || !s->body.count) return false;
    if (dim_is_const(w->kernel->axes.data[s->axis].extent, &extent) && extent < JAM_EXTENT)
        return false;
    int accumulators = 0, nodes = 0;
    return reduction_suits(w, s->body.data[0], &accumulators, &nodes);
}

static void each_vector(Writer *w, const char *axis, const char *name, Stmt *const *body,
                        int count) {
    writer_line(w, "NN_UNROLL");
    writer_line(w, "for (int nn_u = 0; nn_u < NN_JAM; nn_u++) {");
    w->indent++;
    writer_line(w, "const int64_t %s = %s + nn_u * NN_LANES;", name, axis);
    writer_line(w, "(void)%s;", name);
    for (int i = 0; i < count; i++) writer_statement(w, body[i]);
    w->indent--;
    writer_line(w, "}");
}

/* The names of its accumulators are those of vector nn_u from here on. */
static void declare(Writer *w, const Stmt *reduction) {
    for (int i = 0; i < reduction->accumulator_count; i++) {
        const Accumulator *a = &reduction->accumulators[i];
        const char *lane = lane_name(w->kernel->registers.data[a->reg].dtype);
        const char *name = w->register_names[a->reg];
        w->register_names[a->reg] = writer_format(w, "%s[nn_u]", name);
        w->register_is_vector[a->reg] = true;
        writer_line(w, "nnv_%s %s[NN_JAM];", lane, name);
        writer_line(w, "NN_UNROLL");
        writer_line(w, "for (int nn_u = 0; nn_u < NN_JAM; nn_u++) %s = nnv_splat_%s(%s);",
                    w->register_names[a->reg], lane, writer_neutral(w, a));
    }
}

static void write_reduction(Writer *w, const Stmt *s, const char *axis, const char *name) {
    declare(w, s);
    const char *begin = writer_bound(w, s->begin), *end = writer_bound(w, s->end);
    const char *loop = w->axis_names[s->axis];
    writer_line(w, "for (int64_t %s = %s; %s < %s; %s++) {", loop, begin, loop, end, loop);
    w->indent++;
    const int first = is_nest(s);
    if (first) write_reduction(w, s->body.data[0], axis, name);
    if (s->body.count > first)
        each_vector(w, axis, name, s->body.data + first, s->body.count - first);
    w->indent--;
    writer_line(w, "}");
}

void writer_jam(Writer *w, const Stmt *s, const char *end) {
    if (!loop_suits(w, s)) return;
    const char *axis = w->axis_names[s->axis], *name = writer_format(w, "%s_u", axis);
    const char **names = w->register_names;
    const size_t registers = (size_t)w->kernel->registers.count;
    w->register_names = NEW_ARRAY(w->arena, registers + 1, const char *);
    memcpy(w->register_names, names, registers * sizeof *names);
    w->axis_names[s->axis] = name;
    writer_line(w, "for (; %s + NN_JAM * NN_LANES <= %s; %s += NN_JAM * NN_LANES) {", axis, end,
                axis);
    w->indent++;
    write_reduction(w, s->body.data[0], axis, name);
    if (s->body.count > 1) each_vector(w, axis, name, s->body.data + 1, s->body.count - 1);
    w->indent--;
    writer_line(w, "}");
    w->axis_names[s->axis] = axis;
    w->register_names = names;
}
