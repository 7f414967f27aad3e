/* Expressions as C: scalars, lanes, and the loops over lanes where neither fits.
 *
 * Input: Expr of the current statement.  Output: C expressions; statements that they need are
 * written before.  Invariant: a load is written only where its guard holds. */
#include "emit/kernel/writer.h"

#include <string.h>

/* ---- uses and variation, per statement ---- */

/* The entry of a node in the table of the current statement, made where there is none.  A pointer
 * into the table: good until the next call, which may make the table larger. */
static UseCount *use_of(Writer *w, const void *key) {
    if (!w->statement) w->statement = 1;
    if (2 * w->use_count >= w->use_slots) {
        UseCount *old = w->uses;
        int slots = w->use_slots;
        w->use_slots = slots ? 2 * slots : 32;
        w->uses = NEW_ARRAY(w->arena, (size_t)w->use_slots, UseCount);
        w->use_count = 0;
        for (int i = 0; i < slots; i++)
            if (old[i].statement == w->statement) *use_of(w, old[i].key) = old[i];
    }
    uintptr_t h = (uintptr_t)key >> 4;
    h ^= h >> 15;
    int at = (int)(h % (unsigned)w->use_slots);
    UseCount *use = &w->uses[at];
    while (use->statement == w->statement && use->key != key) {
        at = (at + 1) % w->use_slots;
        use = &w->uses[at];
    }
    if (use->statement != w->statement) {
        *use = (UseCount){.key = key, .statement = w->statement};
        w->use_count++;
    }
    return use;
}

static void count_expr(Writer *w, const Expr *e);

static void count_index(Writer *w, const Index *x) {
    for (int i = 0; i < x->count; i++) {
        const IndexAtom *a = x->terms[i].atom;
        if (a->left) count_index(w, a->left);
        if (a->right) count_index(w, a->right);
        if (a->value) count_expr(w, a->value);
    }
}

static void count_expr(Writer *w, const Expr *e) {
    if (use_of(w, e)->count++) return;
    if (e->index) count_index(w, e->index);
    for (int i = 0; i < e->index_count; i++) count_index(w, e->indices[i]);
    for (int i = 0; e->guard && i < e->guard->count; i++) count_index(w, e->guard->tests[i].value);
    for (int i = 0; i < e->arg_count; i++) count_expr(w, e->args[i]);
}

void writer_begin_statement(Writer *w, const Expr *const *roots, int count) {
    w->temporaries.count = 0;
    w->statement++;
    w->use_count = 0;
    for (int i = 0; i < count; i++)
        if (roots[i]) count_expr(w, roots[i]);
}

static bool compute_varies(Writer *w, const Expr *e) {
    if (e->kind == EXPR_REGISTER) return w->register_is_vector[e->reg];
    if (e->index && index_varies(w, e->index)) return true;
    for (int i = 0; i < e->index_count; i++)
        if (index_varies(w, e->indices[i])) return true;
    if (e->guard && guard_varies(w, e->guard)) return true;
    for (int i = 0; i < e->arg_count; i++)
        if (expr_varies(w, e->args[i])) return true;
    return false;
}

bool expr_varies(Writer *w, const Expr *e) {
    if (w->vector_axis < 0) return false;
    UseCount *u = use_of(w, e);
    if (u->varies_known) return u->varies;
    bool varies = compute_varies(w, e);
    u = use_of(w, e); /* the table may have grown */
    u->varies_known = true;
    u->varies = varies;
    return varies;
}

/* ---- temporaries ---- */

static const char *find_temporary(Writer *w, const Expr *e, bool vector) {
    for (int i = w->temporaries.count - 1; i >= 0; i--)
        if (w->temporaries.data[i].expr == e && w->temporaries.data[i].vector == vector)
            return w->temporaries.data[i].text;
    return NULL;
}

static const char *keep(Writer *w, const Expr *e, bool vector, const char *text) {
    vector_push(w->arena, &w->temporaries, ((Temporary){e, text, vector}));
    return text;
}

static const char *vector_type(Writer *w, DType t) {
    return writer_format(w, "nnv_%s", lane_name(t));
}

/* Names the value when it is used again or would make a long line. */
static const char *name_value(Writer *w, const Expr *e, bool vector, const char *text) {
    bool again = use_of(w, e)->count > 1;
    if (!again && strlen(text) < 160) return text;
    const char *name = writer_format(w, "x%d", w->next_temporary++);
    writer_line(w, "const %s %s = %s;", vector ? vector_type(w, e->dtype) : scalar_type(e->dtype),
                name, text);
    return keep(w, e, vector, name);
}

const char *writer_lane_count(const Writer *w) {
    return w->mode == MODE_PART ? "nn_n" : "NN_LANES";
}

LaneScope writer_open_lanes(Writer *w) {
    LaneScope scope = {w->mode, w->temporaries.count};
    writer_line(w, "for (int nn_l = 0; nn_l < %s; nn_l++) {", writer_lane_count(w));
    w->indent++;
    w->mode = MODE_LANE;
    return scope;
}

void writer_close_lanes(Writer *w, LaneScope scope) {
    w->mode = scope.mode;
    w->temporaries.count = scope.mark;
    w->indent--;
    writer_line(w, "}");
}

/* Every lane computed by scalar code. */
static const char *by_lanes(Writer *w, const Expr *e) {
    const char *name = writer_format(w, "x%d", w->next_temporary++), *lane = lane_name(e->dtype);
    writer_line(w, "nnv_%s %s = nnv_splat_%s(0);", lane, name, lane);
    LaneScope scope = writer_open_lanes(w);
    const char *value = writer_scalar(w, e);
    writer_line(w, "NN_SET(%s, nn_l, %s%s);", name, e->dtype == DTYPE_BOOL ? "-" : "",
                e->dtype == DTYPE_BOOL ? writer_format(w, "(%s)", value) : value);
    writer_close_lanes(w, scope);
    return keep(w, e, true, name);
}

/* ---- guards ---- */

/* Writes `e` into a text of its own; what must stand before it is appended to *before. */
static const char *separately(Writer *w, const Expr *e, bool vector, Text *before, int indent) {
    Text *out = w->out;
    int mark = w->temporaries.count;
    *before = text_new(w->arena);
    w->out = before;
    w->indent += indent;
    const char *value = vector ? writer_vector(w, e) : writer_scalar(w, e);
    w->indent -= indent;
    w->out = out;
    w->temporaries.count = mark;
    return value;
}

/* A variable that is `other`, and where the condition holds `value`, behind what stands before it.
 */
static const char *value_where(Writer *w, const Expr *e, bool vector, const char *name,
                               const char *other, const char *condition, const Text *before,
                               const char *value) {
    writer_line(w, "%s %s = %s;", vector ? vector_type(w, e->dtype) : scalar_type(e->dtype), name,
                other);
    if (!strcmp(condition, "1") && !before->length) {
        writer_line(w, "%s = %s;", name, value);
        return keep(w, e, vector, name);
    }
    writer_line(w, "if (%s) {", condition);
    text_append(w->out, before->length ? before->data : "");
    w->indent++;
    writer_line(w, "%s = %s;", name, value);
    w->indent--;
    writer_line(w, "}");
    return keep(w, e, vector, name);
}

static const char *guarded(Writer *w, const Expr *e, bool vector) {
    Text before;
    const char *condition = writer_guard(w, e->guard);
    const char *other = vector ? writer_vector(w, e->args[1]) : writer_scalar(w, e->args[1]);
    const char *value = separately(w, e->args[0], vector, &before, 1);
    if (!before.length && !vector)
        return name_value(w, e, false, writer_format(w, "(%s ? %s : %s)", condition, value, other));
    const char *name = writer_format(w, "x%d", w->next_temporary++);
    return value_where(w, e, vector, name, other, condition, &before, value);
}

/* May it be computed where the guard does not hold? */
static bool reads_nothing(const Expr *e) {
    if (e->kind == EXPR_LOAD || e->kind == EXPR_GUARD) return false;
    for (int i = 0; i < e->arg_count; i++)
        if (!reads_nothing(e->args[i])) return false;
    return !e->index;
}

/* The offset in lane 0 of a load of neighbours in memory; NULL: it is something else. */
static const char *neighbours_offset(Writer *w, const Expr *load) {
    if (load->kind != EXPR_LOAD || w->kernel->slots.data[load->slot].dtype != load->dtype)
        return NULL;
    const Dim *stride;
    const Index *offset = slot_offset(w, load->slot, load->indices);
    if (writer_motion(w, offset, &stride) != MOTION_STRIDE || !dim_is(stride, 1)) return NULL;
    return writer_index(w, offset);
}

/* Lanes of which those from some one to some other are within the guard, as at the ends of a padded
 * row: a load of neighbours, a value that all share, or one that reads nothing.  NULL: it is
 * something else. */
static const char *guarded_window(Writer *w, const Expr *e) {
    const Expr *value = e->args[0];
    if (e->dtype != DTYPE_F32 && e->dtype != DTYPE_F64 && e->dtype != DTYPE_I64 &&
        e->dtype != DTYPE_I32)
        return NULL;
    Window window;
    if (!writer_guard_window(w, e->guard, &window)) return NULL;
    const char *at = neighbours_offset(w, value), *lane = lane_name(e->dtype);
    bool shared = !expr_varies(w, value), pure = reads_nothing(value);
    if (!at && !shared && !pure) return NULL;
    /* Numbered after what the offset has named. */
    const char *name = writer_format(w, "x%d", w->next_temporary++);
    Text before = {0};
    const char *other = writer_vector(w, e->args[1]), *text;
    if (at)
        text = writer_format(w, "nnv_load_within_%s(%s, %s, %s, %s, %s)", lane,
                             w->slot_names[value->slot], at, window.begin, window.end, name);
    else
        text = writer_format(w, "nnv_select_%s(nnv_within(%s, %s), %s, %s)", lane, window.begin,
                             window.end, separately(w, value, true, &before, 1), name);
    /* What is read is within the tensor if some lane's is. */
    const char *condition =
        at || pure ? window.condition
                   : writer_format(w, "%s && %s < %s", window.condition, window.begin, window.end);
    return value_where(w, e, true, name, other, condition, &before, text);
}

/* The guard differs by lane: a window of them, one test for the whole group, else lane by lane. */
static const char *guarded_lanes(Writer *w, const Expr *e) {
    const char *window = guarded_window(w, e);
    if (window) return window;
    const char *all = writer_guard_all_lanes(w, e->guard);
    if (!all) return by_lanes(w, e);
    Text before, lanes = text_new(w->arena);
    const char *name = writer_format(w, "x%d", w->next_temporary++);
    const char *value = separately(w, e->args[0], true, &before, 1);
    writer_line(w, "%s %s;", vector_type(w, e->dtype), name);
    writer_line(w, "if (%s) {", all);
    text_append(w->out, before.length ? before.data : "");
    w->indent++;
    writer_line(w, "%s = %s;", name, value);
    w->indent--;
    writer_line(w, "} else {");
    Text *out = w->out;
    int mark = w->temporaries.count;
    w->out = &lanes;
    w->indent++;
    const char *slow = by_lanes(w, e);
    writer_line(w, "%s = %s;", name, slow);
    w->indent--;
    w->out = out;
    w->temporaries.count = mark;
    text_append(w->out, lanes.data);
    writer_line(w, "}");
    return keep(w, e, true, name);
}

/* ---- values ---- */

static const char *random_text(Writer *w, const Expr *e) {
    return writer_format(w, "nn_draw(call, %d, %d)", e->site, e->random->at_init);
}

const char *writer_scalar(Writer *w, const Expr *e) {
    const char *found = find_temporary(w, e, false);
    if (found) return found;
    const char *args[EXPR_MAX_ARGS];
    switch (e->kind) {
    case EXPR_CONST: return scalar_constant(w, e->dtype, e->number, e->integer);
    case EXPR_REGISTER:
        if (!w->register_is_vector[e->reg]) return w->register_names[e->reg];
        if (e->dtype == DTYPE_BOOL)
            return writer_format(w, "(NN_GET(%s, nn_l) != 0)", w->register_names[e->reg]);
        return writer_format(w, "NN_GET(%s, nn_l)", w->register_names[e->reg]);
    case EXPR_INDEX:
        return name_value(w, e, false,
                          scalar_cast(w, DTYPE_I64, e->dtype,
                                      writer_format(w, w->cuda ? "(int64_t)(%s)" : "(%s)",
                                                    writer_index(w, e->index))));
    case EXPR_LOAD:
        return name_value(
            w, e, false,
            scalar_load(w, e->slot, writer_index(w, slot_offset(w, e->slot, e->indices))));
    case EXPR_OP:
        for (int i = 0; i < e->arg_count; i++) args[i] = writer_scalar(w, e->args[i]);
        return name_value(w, e, false,
                          scalar_op(w, e->op, e->args[e->op == OP_SELECT]->dtype, e->dtype, args));
    case EXPR_CAST:
        return name_value(
            w, e, false, scalar_cast(w, e->args[0]->dtype, e->dtype, writer_scalar(w, e->args[0])));
    case EXPR_GUARD: return guarded(w, e, false);
    case EXPR_RANDOM:
        return name_value(w, e, false,
                          writer_format(w, "nns_random_%s(%s, %s)", lane_name(e->dtype),
                                        random_text(w, e), writer_index(w, e->index)));
    }
    return "0";
}

static const char *vector_index(Writer *w, const Expr *e) {
    const Dim *stride;
    if (writer_motion(w, e->index, &stride) != MOTION_STRIDE) return by_lanes(w, e);
    /* Of 32 bits from the start: half the registers, and nothing to narrow. */
    if (e->dtype == DTYPE_I32)
        return name_value(w, e, true,
                          writer_format(w, "(nnv_lanes_i32() * (int32_t)(%s) + (int32_t)(%s))",
                                        writer_dim(w, stride), writer_index(w, e->index)));
    const char *text = dim_is(stride, 1)
                           ? writer_format(w, "(nnv_lanes() + (%s))", writer_index(w, e->index))
                           : writer_format(w, "(nnv_lanes() * %s + (%s))", writer_dim(w, stride),
                                           writer_index(w, e->index));
    return name_value(w, e, true, vector_cast(w, DTYPE_I64, e->dtype, text));
}

/* Two positions compared, as in a causal mask: by how far they are apart, in lanes of 32 bits,
 * where that moves by a small stride.  A lane is worth at most 2^24; what is farther apart than
 * 2^30 is clipped there. (16 lanes of 64 bits are two registers, whose comparison gcc 12 writes
 * lane by lane.)  NULL: it is something else. */
static const char *vector_positions(Writer *w, const Expr *e) {
    enum { STRIDE_MAX = 1 << 20 };
    if (!op_compares(e->op) || e->args[0]->kind != EXPR_INDEX || e->args[1]->kind != EXPR_INDEX ||
        e->args[0]->dtype != DTYPE_I64 || e->args[1]->dtype != DTYPE_I64)
        return NULL;
    const Index *apart = index_sub(w->indices, e->args[0]->index, e->args[1]->index);
    const Dim *stride;
    int64_t by;
    if (writer_motion(w, apart, &stride) != MOTION_STRIDE || !dim_is_const(stride, &by) ||
        by > STRIDE_MAX || by < -STRIDE_MAX)
        return NULL;
    return name_value(
        w, e, true,
        writer_format(w, "nnv_%s_i32(nnv_lanes_i32() * %lld, nnv_splat_i32(nn_near(-(%s))))",
                      op_info(e->op)->name, (long long)by, writer_index(w, apart)));
}

static const char *vector_load(Writer *w, const Expr *e) {
    const Index *offset = slot_offset(w, e->slot, e->indices);
    const Dim *stride;
    const char *part = w->mode == MODE_PART ? "_n" : "", *tail = *part ? ", nn_n" : "";
    DType t = w->kernel->slots.data[e->slot].dtype;
    if (writer_motion(w, offset, &stride) != MOTION_STRIDE) return by_lanes(w, e);
    const char *at = writer_index(w, offset), *name = w->slot_names[e->slot];
    const char *text =
        dim_is(stride, 1)
            ? writer_format(w, "nnv_load%s_%s(&%s[%s]%s)", part, memory_name(t), name, at, tail)
            : writer_format(w, "nnv_load_strided%s_%s(&%s[%s], %s%s)", part, memory_name(t), name,
                            at, writer_dim(w, stride), tail);
    return name_value(w, e, true, text);
}

static const char *vector_random(Writer *w, const Expr *e) {
    const Dim *stride;
    if (writer_motion(w, e->index, &stride) != MOTION_STRIDE) return by_lanes(w, e);
    return name_value(w, e, true,
                      writer_format(w, "nnv_random_%s(%s, nnv_lanes() * %s + (%s))",
                                    lane_name(e->dtype), random_text(w, e), writer_dim(w, stride),
                                    writer_index(w, e->index)));
}

const char *writer_vector(Writer *w, const Expr *e) {
    const char *found = find_temporary(w, e, true);
    if (found) return found;
    if (!expr_varies(w, e))
        return writer_format(w, "nnv_splat_%s(%s)", lane_name(e->dtype), writer_scalar(w, e));
    const char *args[EXPR_MAX_ARGS];
    switch (e->kind) {
    case EXPR_CONST: break; /* never varies */
    case EXPR_REGISTER: return w->register_names[e->reg];
    case EXPR_INDEX: return vector_index(w, e);
    case EXPR_LOAD: return vector_load(w, e);
    case EXPR_OP:
        if (e->arg_count == 2 && (args[0] = vector_positions(w, e)) != NULL) return args[0];
        for (int i = 0; i < e->arg_count; i++) args[i] = writer_vector(w, e->args[i]);
        return name_value(w, e, true,
                          vector_op(w, e->op, e->args[e->op == OP_SELECT]->dtype, e->dtype, args));
    case EXPR_CAST:
        return name_value(
            w, e, true, vector_cast(w, e->args[0]->dtype, e->dtype, writer_vector(w, e->args[0])));
    case EXPR_GUARD: return guard_varies(w, e->guard) ? guarded_lanes(w, e) : guarded(w, e, true);
    case EXPR_RANDOM: return vector_random(w, e);
    }
    return "0";
}
