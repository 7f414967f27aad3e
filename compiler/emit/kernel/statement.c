/* Statements as C: loops, accumulators, stores.  Leaves are in leaf.c.
 *
 * A vector loop is written as a loop over whole groups and one partial group.  Its accumulators are
 * lanes until it ends and are then folded by a fixed tree, so their value does not depend on where
 * the range begins. */
#include "emit/kernel/writer.h"

#include <stdarg.h>
#include <string.h>

void writer_line(Writer *w, const char *format, ...) {
    if (format[0] != '#') text_indent(w->out, w->indent); /* the preprocessor's: at the margin */
    va_list args;
    va_start(args, format);
    text_vprintf(w->out, format, args);
    va_end(args);
    text_char(w->out, '\n');
}

const char *writer_format(Writer *w, const char *format, ...) {
    Text t = text_new(w->arena);
    va_list args;
    va_start(args, format);
    text_vprintf(&t, format, args);
    va_end(args);
    return t.data;
}

/* ---- accumulators ---- */

static const char *neutral(Writer *w, ReduceKind kind, DType t) {
    long long lowest = 0, highest = 1;
    if (!dtype_is_float(t) && t != DTYPE_BOOL) dtype_int_range(t, &lowest, &highest);
    bool floating = dtype_is_float(t);
    const char *least = floating ? "-INFINITY" : scalar_constant(w, t, 0, lowest);
    const char *most = floating ? "INFINITY" : scalar_constant(w, t, 0, highest);
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_ANY: return "0";
    case REDUCE_PROD:
    case REDUCE_ALL: return "1";
    case REDUCE_MAX:
    case REDUCE_ARGMAX: return least;
    case REDUCE_MIN:
    case REDUCE_ARGMIN: return most;
    }
    return "0";
}

static Op combine_op(ReduceKind kind) {
    switch (kind) {
    case REDUCE_SUM: return OP_ADD;
    case REDUCE_PROD: return OP_MUL;
    case REDUCE_MAX:
    case REDUCE_ARGMAX: return OP_MAXIMUM;
    case REDUCE_MIN:
    case REDUCE_ARGMIN: return OP_MINIMUM;
    case REDUCE_ANY: return OP_OR;
    case REDUCE_ALL: return OP_AND;
    }
    return OP_ADD;
}

const char *writer_combine(Writer *w, ReduceKind kind, DType dtype, const char *a, const char *b) {
    const char *args[] = {a, b};
    return scalar_op(w, combine_op(kind), dtype, dtype, args);
}

static bool is_vector_mode(const Writer *w) {
    return w->mode == MODE_WHOLE || w->mode == MODE_PART;
}
static DType register_dtype(const Writer *w, int reg) {
    return w->kernel->registers.data[reg].dtype;
}
const char *writer_neutral(Writer *w, const Accumulator *a) {
    return neutral(w, a->kind, register_dtype(w, a->reg));
}
static void declare_accumulator(Writer *w, const Accumulator *a, bool lanes) {
    DType t = register_dtype(w, a->reg);
    const char *first = neutral(w, a->kind, t), *name = w->register_names[a->reg];
    w->register_is_vector[a->reg] = lanes;
    if (lanes)
        writer_line(w, "nnv_%s %s = nnv_splat_%s(%s);", lane_name(t), name, lane_name(t), first);
    else
        writer_line(w, "%s %s = %s;", scalar_type(t), name, first);
    if (!reduce_is_arg(a->kind)) return;
    w->register_is_vector[a->reg_index] = lanes;
    const DType position = register_dtype(w, a->reg_index);
    const char *at = w->register_names[a->reg_index], *l = lane_name(position);
    if (lanes)
        writer_line(w, "nnv_%s %s = nnv_splat_%s(-1);", l, at, l);
    else
        writer_line(w, "%s %s = -1;", scalar_type(position), at);
}

/* The condition that (value, position) replaces (best, at): first wins, NaN wins over numbers. */
static const char *arg_better(Writer *w, ReduceKind kind, bool lanes, DType t, DType position,
                              const char *value, const char *best, const char *at) {
    const char *better = kind == REDUCE_ARGMAX ? "gt" : "lt", *l = lane_name(t);
    if (t == DTYPE_BOOL && lanes) {
        better = kind == REDUCE_ARGMAX ? "lt" : "gt";
        l = "i32";
    }
    if (lanes)
        return writer_format(
            w,
            "(nnv_lt_%s(%s, nnv_splat_%s(0)) | nnv_%s_%s(%s, %s) | (nnv_ne_%s(%s, %s) & "
            "nnv_eq_%s(%s, %s)))",
            lane_name(position), at, lane_name(position), better, l, value, best, l, value, value,
            l, best, best);
    return writer_format(w, "%s < 0 || %s %s %s || (%s != %s && %s == %s)", at, value,
                         kind == REDUCE_ARGMAX ? ">" : "<", best, value, value, best, best);
}

static const Accumulator *find_accumulator(const Stmt *s, int reg) {
    if (s->kind == STMT_LOOP)
        for (int i = 0; i < s->accumulator_count; i++)
            if (s->accumulators[i].reg == reg) return &s->accumulators[i];
    for (int i = 0; i < s->body.count; i++) {
        const Accumulator *a = find_accumulator(s->body.data[i], reg);
        if (a) return a;
    }
    return NULL;
}

static void write_accumulate(Writer *w, const Stmt *s) {
    writer_begin_statement(w, (const Expr *const[]){s->value, s->position}, 2);
    DType t = register_dtype(w, s->reg), sum = dtype_accumulator(t);
    const char *name = w->register_names[s->reg];
    bool lanes = w->register_is_vector[s->reg] && is_vector_mode(w);
    bool masked = lanes && w->mode == MODE_PART && w->register_is_lanes_accumulator[s->reg];
    const char *value = lanes ? writer_vector(w, s->value) : writer_scalar(w, s->value);
    if (reduce_is_arg(s->combine)) {
        const Accumulator *a = find_accumulator(w->kernel->body, s->reg);
        const char *at = w->register_names[a->reg_index];
        const DType p = register_dtype(w, a->reg_index);
        const char *position =
            lanes ? writer_vector(w, s->position) : writer_scalar(w, s->position);
        int n = w->next_temporary++;
        const char *v = writer_format(w, "x%d", n);
        if (lanes) {
            writer_line(w, "const nnv_%s %s = %s;", lane_name(t), v, value);
            writer_line(w, "const nnv_bool t%d_better = %s%s;", n,
                        arg_better(w, s->combine, true, t, p, v, name, at),
                        masked ? " & nnv_below(nn_n)" : "");
            writer_line(w, "%s = nnv_select_%s(t%d_better, %s, %s);", name, lane_name(t), n, v,
                        name);
            writer_line(w, "%s = nnv_select_%s(t%d_better, %s, %s);", at, lane_name(p), n, position,
                        at);
        } else {
            writer_line(w, "const %s %s = %s;", scalar_type(t), v, value);
            writer_line(w, "if (%s) {", arg_better(w, s->combine, false, t, p, v, name, at));
            writer_line(w, "    %s = %s;", name, v);
            writer_line(w, "    %s = %s;", at, position);
            writer_line(w, "}");
        }
        return;
    }
    const char *args[] = {name, value};
    Op op = combine_op(s->combine);
    const char *next = lanes ? vector_op(w, op, sum, sum, args) : scalar_op(w, op, sum, sum, args);
    if (masked)
        next = writer_format(w, "nnv_select_%s(nnv_below(nn_n), %s, %s)", lane_name(t), next, name);
    writer_line(w, "%s = %s;", name, next);
}

/* After a vector loop: lanes to one value, under the register's own name. */
static void fold_accumulator(Writer *w, const Accumulator *a, const char *lanes_name,
                             const char *lanes_at) {
    DType t = register_dtype(w, a->reg);
    const char *name = w->register_names[a->reg];
    w->register_is_vector[a->reg] = false;
    if (reduce_is_arg(a->kind)) {
        const char *at = w->register_names[a->reg_index];
        const DType position = register_dtype(w, a->reg_index);
        w->register_is_vector[a->reg_index] = false;
        const char *get = t == DTYPE_BOOL ? writer_format(w, "-NN_GET(%s, nn_l)", lanes_name)
                                          : writer_format(w, "NN_GET(%s, nn_l)", lanes_name);
        writer_line(w, "%s %s = %s;", scalar_type(t), name, neutral(w, a->kind, t));
        writer_line(w, "%s %s = -1;", scalar_type(position), at);
        writer_line(w, "for (int nn_l = 0; nn_l < NN_LANES; nn_l++) {");
        writer_line(w, "    const %s nn_v = %s;", scalar_type(t), get);
        writer_line(w, "    const %s nn_p = NN_GET(%s, nn_l);", scalar_type(position), lanes_at);
        writer_line(w,
                    "    if (nn_p >= 0 && (%s || (nn_p < %s && (nn_v == %s || (nn_v != nn_v && %s "
                    "!= %s))))) {",
                    arg_better(w, a->kind, false, t, position, "nn_v", name, at), at, name, name,
                    name);
        writer_line(w, "        %s = nn_v;", name);
        writer_line(w, "        %s = nn_p;", at);
        writer_line(w, "    }");
        writer_line(w, "}");
        return;
    }
    const char *fold = reduce_name(a->kind);
    if (t == DTYPE_BOOL) {
        bool any = a->kind == REDUCE_ANY || a->kind == REDUCE_MAX || a->kind == REDUCE_SUM;
        writer_line(w, "int %s = nnv_reduce_%s(%s);", name, any ? "any" : "all", lanes_name);
    } else {
        writer_line(w, "%s %s = nnv_reduce_%s_%s(%s);", scalar_type(t), name, fold, lane_name(t),
                    lanes_name);
    }
}

/* ---- loops ---- */

void writer_body(Writer *w, const Stmt *s) {
    w->indent++;
    for (int i = 0; i < s->body.count; i++) writer_statement(w, s->body.data[i]);
    w->indent--;
}

const char *writer_bound(Writer *w, const Index *x) {
    writer_begin_statement(w, NULL, 0);
    return writer_index(w, x);
}

static bool is_name(const char *text) {
    for (; *text; text++)
        if (*text == ' ' || *text == '(') return false;
    return true;
}

static void write_vector_loop(Writer *w, const Stmt *s) {
    const char *axis = w->axis_names[s->axis], **names = w->register_names;
    const char **own = NEW_ARRAY(w->arena, (size_t)s->accumulator_count + 1, const char *);
    const char **own_at = NEW_ARRAY(w->arena, (size_t)s->accumulator_count + 1, const char *);
    /* While the loop runs, an accumulator goes by another name; afterwards it is a scalar. */
    for (int i = 0; i < s->accumulator_count; i++) {
        const Accumulator *a = &s->accumulators[i];
        own[i] = names[a->reg];
        names[a->reg] = writer_format(w, "%s_lanes", own[i]);
        if (reduce_is_arg(a->kind)) {
            own_at[i] = names[a->reg_index];
            names[a->reg_index] = writer_format(w, "%s_lanes", own_at[i]);
        }
        declare_accumulator(w, a, true);
        w->register_is_lanes_accumulator[a->reg] = true;
    }
    const char *begin = writer_bound(w, s->begin), *end = writer_bound(w, s->end);
    writer_line(w, "{");
    w->indent++;
    writer_line(w, "int64_t %s = %s;", axis, begin);
    if (!is_name(end)) {
        const char *name = writer_format(w, "%s_end", axis);
        writer_line(w, "const int64_t %s = %s;", name, end);
        end = name;
    }
    w->vector_axis = s->axis;
    w->mode = MODE_WHOLE;
    writer_jam(w, s, end);
    writer_line(w, "for (; %s + NN_LANES <= %s; %s += NN_LANES) {", axis, end, axis);
    writer_body(w, s);
    writer_line(w, "}");
    w->mode = MODE_PART;
    writer_line(w, "if (%s < %s) {", axis, end);
    w->indent++;
    writer_line(w, "const int64_t nn_n = %s - %s;", end, axis);
    writer_line(w, "(void)nn_n;");
    w->indent--;
    writer_body(w, s);
    writer_line(w, "}");
    w->mode = MODE_SCALAR;
    w->vector_axis = -1;
    w->indent--;
    writer_line(w, "}");
    for (int i = 0; i < s->accumulator_count; i++) {
        const Accumulator *a = &s->accumulators[i];
        const char *lanes = names[a->reg],
                   *lanes_at = reduce_is_arg(a->kind) ? names[a->reg_index] : "";
        names[a->reg] = own[i];
        if (reduce_is_arg(a->kind)) names[a->reg_index] = own_at[i];
        w->register_is_lanes_accumulator[a->reg] = false;
        fold_accumulator(w, a, lanes, lanes_at);
    }
}

void writer_accumulators(Writer *w, const Stmt *s) {
    for (int i = 0; i < s->accumulator_count; i++)
        declare_accumulator(w, &s->accumulators[i], false);
}

static void write_loop(Writer *w, const Stmt *s) {
    if (s->binding == BIND_THREAD || s->binding == BIND_WARP || s->binding == BIND_LANE) {
        cuda_dealt_loop(w, s);
        return;
    }
    if (s->binding == BIND_VECTOR) {
        write_vector_loop(w, s);
        return;
    }
    for (int i = 0; i < s->accumulator_count; i++)
        declare_accumulator(w, &s->accumulators[i], is_vector_mode(w));
    const char *axis = w->axis_names[s->axis];
    const char *begin = writer_bound(w, s->begin), *end = writer_bound(w, s->end);
    if (!is_name(end)) {
        const char *name = writer_format(w, "%s_end%d", axis, w->next_temporary++);
        writer_line(w, "const %s %s = %s;", writer_index_type(w), name, end);
        end = name;
    }
    if (s->binding == BIND_UNROLL) writer_line(w, "NN_UNROLL");
    writer_line(w, "for (%s %s = %s; %s < %s; %s++) {", writer_index_type(w), axis, begin, axis,
                end, axis);
    writer_body(w, s);
    writer_line(w, "}");
}

/* ---- assignments ---- */

static void write_let(Writer *w, const Stmt *s) {
    writer_begin_statement(w, &s->value, 1);
    DType t = register_dtype(w, s->reg);
    const char *name = w->register_names[s->reg];
    bool lanes = is_vector_mode(w) && expr_varies(w, s->value);
    const char *value = lanes ? writer_vector(w, s->value) : writer_scalar(w, s->value);
    w->register_is_vector[s->reg] = lanes;
    if (lanes)
        writer_line(w, "const nnv_%s %s = %s;", lane_name(t), name, value);
    else
        writer_line(w, "const %s %s = %s;", scalar_type(t), name, value);
}

static void store_lane(Writer *w, const Stmt *s, const Index *offset, const char *lanes) {
    const char *condition = s->guard ? writer_guard(w, s->guard) : "1";
    bool always = !strcmp(condition, "1");
    if (!always) {
        writer_line(w, "if (%s) {", condition);
        w->indent++;
    }
    const char *at = writer_index(w, offset);
    const char *value =
        lanes
            ? writer_format(
                  w, s->value->dtype == DTYPE_BOOL ? "(NN_GET(%s, nn_l) != 0)" : "NN_GET(%s, nn_l)",
                  lanes)
            : writer_scalar(w, s->value);
    scalar_store(w, s->slot, at, value);
    if (!always) {
        w->indent--;
        writer_line(w, "}");
    }
}

static void store_by_lanes(Writer *w, const Stmt *s, const Index *offset, const char *value) {
    const char *name = value;
    if (value && strchr(value, '(')) {
        name = writer_format(w, "x%d", w->next_temporary++);
        writer_line(w, "const nnv_%s %s = %s;", lane_name(s->value->dtype), name, value);
    }
    LaneScope scope = writer_open_lanes(w);
    store_lane(w, s, offset, name);
    writer_close_lanes(w, scope);
}

/* All lanes at once; the offset moves by a stride and the guard does not vary. */
static void store_group(Writer *w, const Stmt *s, const Index *offset, const Dim *stride,
                        const char *value) {
    const Slot *slot = &w->kernel->slots.data[s->slot];
    const char *part = w->mode == MODE_PART ? "_n" : "", *tail = *part ? ", nn_n" : "";
    const char *name = w->slot_names[s->slot], *at = writer_index(w, offset);
    if (dim_is(stride, 1))
        writer_line(w, "nnv_store%s_%s(&%s[%s], %s%s);", part, memory_name(slot->dtype), name, at,
                    value, tail);
    else
        writer_line(w, "nnv_store_strided%s_%s(&%s[%s], %s, %s%s);", part, memory_name(slot->dtype),
                    name, at, writer_dim(w, stride), value, tail);
}

static void write_store(Writer *w, const Stmt *s) {
    writer_begin_statement(w, &s->value, 1);
    const Index *offset = slot_offset(w, s->slot, s->indices);
    bool lanes = is_vector_mode(w);
    const Dim *stride;
    Motion motion = lanes ? writer_motion(w, offset, &stride) : MOTION_NONE;
    if (!lanes || (motion == MOTION_NONE && !expr_varies(w, s->value) &&
                   !(s->guard && guard_varies(w, s->guard)))) {
        /* Loads of the value belong under the guard. */
        const char *condition = s->guard ? writer_guard(w, s->guard) : "1";
        bool always = !strcmp(condition, "1");
        writer_line(w, "%s", always ? "{" : writer_format(w, "if (%s) {", condition));
        w->indent++;
        const char *value = writer_scalar(w, s->value);
        scalar_store(w, s->slot, writer_index(w, offset), value);
        w->indent--;
        writer_line(w, "}");
        return;
    }
    if (!s->guard) {
        writer_line(w, "{");
        w->indent++;
        const char *value = writer_vector(w, s->value);
        if (motion == MOTION_STRIDE)
            store_group(w, s, offset, stride, value);
        else
            store_by_lanes(w, s, offset, value);
        w->indent--;
        writer_line(w, "}");
        return;
    }
    const char *all = motion == MOTION_STRIDE ? writer_guard_all_lanes(w, s->guard) : NULL;
    if (all) {
        writer_line(w, "if (%s) {", all);
        w->indent++;
        store_group(w, s, offset, stride, writer_vector(w, s->value));
        w->indent--;
        w->temporaries.count = 0;
        writer_line(w, "} else {");
    } else {
        writer_line(w, "{");
    }
    w->indent++;
    store_by_lanes(w, s, offset, NULL);
    w->indent--;
    writer_line(w, "}");
}

/* ---- statements ---- */

void writer_statement(Writer *w, const Stmt *s) {
    switch (s->kind) {
    case STMT_BLOCK:
        for (int i = 0; i < s->body.count; i++) writer_statement(w, s->body.data[i]);
        break;
    case STMT_LOOP: write_loop(w, s); break;
    case STMT_LET: write_let(w, s); break;
    case STMT_ACCUMULATE: write_accumulate(w, s); break;
    case STMT_STORE: write_store(w, s); break;
    case STMT_IF:
        writer_begin_statement(w, NULL, 0);
        writer_line(w, "if (%s) {", writer_guard(w, s->guard));
        writer_body(w, s);
        writer_line(w, "}");
        break;
    case STMT_MMA:
    case STMT_DOT:
    case STMT_PACK: writer_leaf(w, s); break;
    case STMT_ARGSORT:
        if (s->argsort->width)
            cuda_sort(w, s->argsort);
        else
            writer_leaf(w, s);
        break;
    case STMT_BARRIER: writer_line(w, "__syncthreads();"); break;
    case STMT_SCAN: cuda_scan(w, s); break;
    case STMT_RANK: cuda_rank(w, s); break;
    case STMT_TILE_PRODUCT: cuda_tile_product(w, s->product); break;
    }
}
