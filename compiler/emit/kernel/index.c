/* Index expressions and guards as C.
 *
 * Input: Index, Guard of a kernel.  Output: int64 expressions over the loop variables.
 * Invariant: products are exact because extents of valid tensors fit. */
#include "emit/kernel/writer.h"

const char *writer_symbol(void *user, const DimSymbol *symbol) {
    const Writer *w = user;
    return w->dim_names[symbol->index];
}

const char *writer_dim(Writer *w, const Dim *d) {
    Text t = text_new(w->arena);
    if (emit_dim_is_atom(d)) {
        emit_dim(&t, d, writer_symbol, w);
    } else {
        text_char(&t, '(');
        emit_dim(&t, d, writer_symbol, w);
        text_char(&t, ')');
    }
    return t.data;
}

static const char *axis_text(Writer *w, int axis) {
    if (axis != w->vector_axis) return w->axis_names[axis];
    if (w->axis_override) return w->axis_override;
    if (w->mode == MODE_LANE) return writer_format(w, "(%s + nn_l)", w->axis_names[axis]);
    return w->axis_names[axis];
}

const char *writer_index_type(const Writer *w) {
    return w->cuda ? "nn_int" : "int64_t";
}

/* Division and remainder; a GPU has short ones for what is not negative. */
static const char *division_text(Writer *w, const IndexAtom *a) {
    const char *name = a->kind == ATOM_MOD ? "nn_mod" : "nn_floordiv";
    const Dim *lower = NULL, *upper;
    if (w->cuda) index_bounds(w->indices, a->left, &lower, &upper);
    if (lower && dim_at_most(index_dims(w->indices), dim_const(index_dims(w->indices), 0), lower))
        name = a->kind == ATOM_MOD ? "nn_rest" : "nn_quotient";
    return writer_format(w, "%s(%s, %s)", name, writer_index(w, a->left),
                         writer_dim(w, a->divisor));
}

static const char *atom_text(Writer *w, const IndexAtom *a) {
    switch (a->kind) {
    case ATOM_AXIS: return axis_text(w, a->axis);
    case ATOM_FLOORDIV:
    case ATOM_MOD: return division_text(w, a);
    case ATOM_MIN:
        return writer_format(w, "nn_min(%s, %s)", writer_index(w, a->left),
                             writer_index(w, a->right));
    case ATOM_MAX:
        return writer_format(w, "nn_max(%s, %s)", writer_index(w, a->left),
                             writer_index(w, a->right));
    case ATOM_VALUE:
        return writer_format(w, "(%s)(%s)", writer_index_type(w), writer_scalar(w, a->value));
    }
    return "0";
}

const char *writer_index(Writer *w, const Index *index) {
    Text t = text_new(w->arena);
    bool any = false;
    for (int i = 0; i < index->count; i++) {
        const IndexTerm *term = &index->terms[i];
        const char *atom = atom_text(w, term->atom);
        int64_t factor;
        bool plain = dim_is_const(term->factor, &factor);
        if (any)
            text_append(&t, plain && factor == -1 ? " - " : " + ");
        else if (plain && factor == -1)
            text_append(&t, "-");
        any = true;
        if (!plain || (factor != 1 && factor != -1))
            text_printf(&t, "%s * ", writer_dim(w, term->factor));
        text_append(&t, atom);
    }
    int64_t constant;
    if (!any || !dim_is_const(index->constant, &constant) || constant) {
        if (dim_is_const(index->constant, &constant) && any && constant < 0 &&
            constant > -INT32_MAX) {
            text_printf(&t, " - %lld", (long long)-constant);
        } else {
            if (any) text_append(&t, " + ");
            text_append(&t, writer_dim(w, index->constant));
        }
    }
    return t.data;
}

static bool atom_varies(Writer *w, const IndexAtom *a) {
    switch (a->kind) {
    case ATOM_AXIS: return a->axis == w->vector_axis;
    case ATOM_FLOORDIV:
    case ATOM_MOD: return index_varies(w, a->left);
    case ATOM_MIN:
    case ATOM_MAX: return index_varies(w, a->left) || index_varies(w, a->right);
    case ATOM_VALUE: return expr_varies(w, a->value);
    }
    return false;
}

bool index_varies(Writer *w, const Index *index) {
    if (w->vector_axis < 0) return false;
    for (int i = 0; i < index->count; i++)
        if (atom_varies(w, index->terms[i].atom)) return true;
    return false;
}

Motion writer_motion(Writer *w, const Index *index, const Dim **stride) {
    Motion motion = MOTION_NONE;
    *stride = NULL;
    for (int i = 0; i < index->count; i++) {
        const IndexAtom *a = index->terms[i].atom;
        if (!atom_varies(w, a)) continue;
        if (a->kind != ATOM_AXIS) return MOTION_OTHER;
        motion = MOTION_STRIDE;
        *stride = index->terms[i].factor;
    }
    return motion;
}

bool guard_varies(Writer *w, const Guard *guard) {
    for (int i = 0; guard && i < guard->count; i++)
        if (index_varies(w, guard->tests[i].value)) return true;
    return false;
}

static void test_text(Writer *w, Text *t, const Test *test) {
    const char *value = writer_index(w, test->value);
    if (test->kind == TEST_DIVIDES) {
        text_printf(t, "(%s) %% %lld == 0", value, (long long)test->modulus);
        return;
    }
    int64_t one;
    /* lower <= value < lower + 1 */
    if (test->lower && test->upper &&
        dim_is_const(dim_sub(index_dims(w->indices), test->upper, test->lower), &one) && one == 1) {
        text_printf(t, "%s %s %s", value,
                    test->kind == TEST_OUTSIDE ? "!=" : "==", writer_dim(w, test->lower));
        return;
    }
    if (test->kind == TEST_OUTSIDE) {
        text_printf(t, "(%s < %s || %s >= %s)", value, writer_dim(w, test->lower), value,
                    writer_dim(w, test->upper));
        return;
    }
    if (test->lower) text_printf(t, "%s >= %s", value, writer_dim(w, test->lower));
    if (test->lower && test->upper) text_append(t, " && ");
    if (test->upper) text_printf(t, "%s < %s", value, writer_dim(w, test->upper));
    if (!test->lower && !test->upper) text_append(t, "1");
}

const char *writer_guard(Writer *w, const Guard *guard) {
    Text t = text_new(w->arena);
    for (int i = 0; guard && i < guard->count; i++) {
        if (i) text_append(&t, " && ");
        test_text(w, &t, &guard->tests[i]);
    }
    if (!t.length) text_append(&t, "1");
    return t.data;
}

const char *writer_guard_all_lanes(Writer *w, const Guard *guard) {
    Text t = text_new(w->arena);
    for (int i = 0; i < guard->count; i++) {
        const Test *test = &guard->tests[i];
        const Dim *stride;
        Motion motion = writer_motion(w, test->value, &stride);
        if (motion == MOTION_OTHER) return NULL;
        if (motion == MOTION_STRIDE && test->kind == TEST_DIVIDES) return NULL;
        if (i) text_append(&t, " && ");
        test_text(w, &t, test);
        if (motion == MOTION_NONE) continue;
        /* Linear in the lane: true at both ends is true between. */
        text_append(&t, " && ");
        w->axis_override =
            writer_format(w, "(%s + %s - 1)", w->axis_names[w->vector_axis], writer_lane_count(w));
        test_text(w, &t, test);
        w->axis_override = NULL;
    }
    return t.data;
}

bool writer_guard_window(Writer *w, const Guard *guard, Window *window) {
    Text condition = text_new(w->arena);
    const char *begin = "0", *end = writer_lane_count(w);
    for (int i = 0; i < guard->count; i++) {
        const Test *test = &guard->tests[i];
        const Dim *stride;
        Motion motion = writer_motion(w, test->value, &stride);
        if (motion == MOTION_NONE) {
            if (condition.length) text_append(&condition, " && ");
            test_text(w, &condition, test);
            continue;
        }
        if (motion == MOTION_OTHER || test->kind != TEST_RANGE || !dim_is(stride, 1)) return false;
        const char *first = writer_index(w, test->value); /* in lane 0 */
        if (test->lower)
            begin =
                writer_format(w, "nn_max(%s, %s - (%s))", begin, writer_dim(w, test->lower), first);
        if (test->upper)
            end = writer_format(w, "nn_min(%s, %s - (%s))", end, writer_dim(w, test->upper), first);
    }
    *window = (Window){condition.length ? condition.data : "1", begin, end};
    return true;
}

const Index *slot_offset(Writer *w, int slot, const Index *const *indices) {
    const Slot *s = &w->kernel->slots.data[slot];
    return index_offset(w->indices, s->layout, &s->shape, indices);
}
