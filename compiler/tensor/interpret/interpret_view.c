/* Index maps of the interpreter, data-dependent indexing, and the reductions that are one walk. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC optimize("O2") /* debug builds run whole models through these loops */
#endif
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/interpret/interpret_internal.h"

typedef struct Pair {
    Tensor *out;
    const Tensor *in;
} Pair;

/* a walks the result, b the operand. */
static void copy_row(void *user, int64_t a, int64_t b, int64_t n, int64_t step_a, int64_t step_b) {
    const Pair *p = user;
    if (p->out->floats)
        for (int64_t i = 0; i < n; i++)
            p->out->floats[a + i * step_a] = p->in->floats[b + i * step_b];
    else
        for (int64_t i = 0; i < n; i++)
            p->out->integers[a + i * step_a] = p->in->integers[b + i * step_b];
}

static void add_row(void *user, int64_t a, int64_t b, int64_t n, int64_t step_a, int64_t step_b) {
    const Pair *p = user;
    if (p->out->floats)
        for (int64_t i = 0; i < n; i++)
            p->out->floats[a + i * step_a] += p->in->floats[b + i * step_b];
    else
        for (int64_t i = 0; i < n; i++)
            p->out->integers[a + i * step_a] =
                wrap_integer((int64_t)((uint64_t)p->out->integers[a + i * step_a] +
                                       (uint64_t)p->in->integers[b + i * step_b]),
                             p->out->dtype);
}

/* Is every element of the box inside a buffer of `count` elements? */
static bool box_fits(int rank, const int64_t *extents, const int64_t *strides, int64_t base,
                     int64_t count) {
    int64_t low = base, high = base;
    for (int i = 0; i < rank; i++) {
        if (extents[i] == 0) return true;
        if (strides[i] < 0)
            low += strides[i] * (extents[i] - 1);
        else
            high += strides[i] * (extents[i] - 1);
    }
    return low >= 0 && high < count;
}

static void copy_view(Run *run, const Node *node, Tensor *out, const Tensor *in, int64_t base,
                      const int64_t *in_strides) {
    int64_t strides[SHAPE_MAX_RANK];
    row_major_strides(out, strides);
    if (!box_fits(out->rank, out->extents, in_strides, base, in->count)) {
        run_fail(run, "%%%d (%s) reads outside its operand", node->id, op_info(node->op)->name);
        return;
    }
    walk_rows(out->rank, out->extents, strides, 0, in_strides, base, copy_row, &(Pair){out, in});
}

static void view_slice(Run *run, const Node *node, const Tensor *in, Tensor *out) {
    int64_t strides[SHAPE_MAX_RANK], base = 0, begin;
    row_major_strides(in, strides);
    for (int i = 0; i < in->rank; i++) {
        if (!run_dim(run, node->attr.slice->begin[i], &begin)) return;
        int64_t last = begin + (out->extents[i] - 1) * node->attr.slice->step[i];
        if (out->count &&
            (begin < 0 || begin >= in->extents[i] || last < 0 || last >= in->extents[i])) {
            run_fail(run, "%%%d: the slice leaves axis %d of extent %lld", node->id, i,
                     (long long)in->extents[i]);
            return;
        }
        base += begin * strides[i];
        strides[i] *= node->attr.slice->step[i];
    }
    if (out->count) copy_view(run, node, out, in, base, strides);
}

static void view_pad(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    int64_t from[SHAPE_MAX_RANK], to[SHAPE_MAX_RANK], extents[SHAPE_MAX_RANK];
    int64_t base_in = 0, base_out = 0, low;
    for (int64_t i = 0; i < out->count; i++) {
        if (out->floats)
            out->floats[i] = in[1]->floats[0];
        else
            out->integers[i] = in[1]->integers[0];
    }
    row_major_strides(in[0], from);
    row_major_strides(out, to);
    for (int i = 0; i < out->rank; i++) {
        if (!run_dim(run, node->attr.pad->low[i], &low)) return;
        int64_t begin = low < 0 ? -low : 0, end = in[0]->extents[i];
        if (out->extents[i] - low < end) end = out->extents[i] - low;
        if (end <= begin) return;
        extents[i] = end - begin;
        base_in += begin * from[i];
        base_out += (begin + low) * to[i];
    }
    walk_rows(out->rank, extents, to, base_out, from, base_in, copy_row, &(Pair){out, in[0]});
}

static void view_concat(const Node *node, Tensor *const *in, Tensor *out) {
    int64_t to[SHAPE_MAX_RANK], base = 0;
    row_major_strides(out, to);
    for (int i = 0; i < node->input_count; i++) {
        int64_t from[SHAPE_MAX_RANK];
        row_major_strides(in[i], from);
        walk_rows(out->rank, in[i]->extents, to, base, from, 0, copy_row, &(Pair){out, in[i]});
        base += in[i]->extents[node->attr.axis] * to[node->attr.axis];
    }
}

/* Strides of the unfolded view over the buffer of the plain axis. */
static void window_strides(const WindowAttr *w, const Tensor *plain, int64_t *strides) {
    row_major_strides(plain, strides);
    strides[plain->rank] = strides[w->axis] * w->dilation;
    strides[w->axis] *= w->stride;
}

void interpret_view(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    int64_t strides[SHAPE_MAX_RANK + 1], view[SHAPE_MAX_RANK];
    switch ((int)node->op) {
    case OP_RESHAPE:
        if (in[0]->count != out->count) {
            run_fail(run, "%%%d: %lld elements reshaped to %lld", node->id, (long long)in[0]->count,
                     (long long)out->count);
            return;
        }
        if (out->floats)
            memcpy(out->floats, in[0]->floats, (size_t)out->count * 8);
        else
            memcpy(out->integers, in[0]->integers, (size_t)out->count * 8);
        break;
    case OP_PERMUTE:
        row_major_strides(in[0], strides);
        for (int i = 0; i < out->rank; i++) view[i] = strides[node->attr.axes[i]];
        copy_view(run, node, out, in[0], 0, view);
        break;
    case OP_EXPAND:
        row_major_strides(in[0], strides);
        for (int i = 0; i < out->rank; i++) view[i] = 0;
        for (int i = 0; i < in[0]->rank; i++)
            if (in[0]->extents[i] != 1) view[node->attr.axes[i]] = strides[i];
        copy_view(run, node, out, in[0], 0, view);
        break;
    case OP_SLICE: view_slice(run, node, in[0], out); break;
    case OP_PAD: view_pad(run, node, in, out); break;
    case OP_CONCAT: view_concat(node, in, out); break;
    case OP_UNFOLD:
        window_strides(&node->attr.window, in[0], strides);
        copy_view(run, node, out, in[0], 0, strides);
        break;
    case OP_FOLD: {
        window_strides(&node->attr.window, out, strides);
        row_major_strides(in[0], view);
        if (!box_fits(in[0]->rank, in[0]->extents, strides, 0, out->count)) {
            run_fail(run, "%%%d: the windows do not fit", node->id);
            return;
        }
        walk_rows(in[0]->rank, in[0]->extents, strides, 0, view, 0, add_row, &(Pair){out, in[0]});
        break;
    }
    default: break;
    }
}

/* ---- gather, scatter, dynamic slices ---- */

/* x [batch, extent, inner], index [batch, picks]. */
typedef struct Picks {
    int64_t batch, extent, inner, picks;
} Picks;

static Picks picks_of(const Node *node, const Tensor *x, const Tensor *index) {
    Picks p = {1, x->extents[node->attr.batch], 1, 1};
    for (int i = 0; i < node->attr.batch; i++) p.batch *= x->extents[i];
    for (int i = node->attr.batch + 1; i < x->rank; i++) p.inner *= x->extents[i];
    for (int i = node->attr.batch; i < index->rank; i++) p.picks *= index->extents[i];
    return p;
}

static void gather_scatter(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    const Tensor *x = in[0], *index = in[1];
    Picks p = picks_of(node, x, index);
    if (node->op != OP_GATHER) {
        if (out->floats)
            memcpy(out->floats, x->floats, (size_t)out->count * 8);
        else
            memcpy(out->integers, x->integers, (size_t)out->count * 8);
    }
    for (int64_t i = 0; i < p.batch * p.picks; i++) {
        int64_t pick = index->integers[i];
        if (p.inner == 0) return;
        if (pick < 0 || pick >= p.extent) {
            run_fail(run, "%%%d (%s): index %lld is outside [0, %lld)", node->id,
                     op_info(node->op)->name, (long long)pick, (long long)p.extent);
            return;
        }
        int64_t at = (i / p.picks * p.extent + pick) * p.inner;
        if (node->op == OP_GATHER)
            copy_row(&(Pair){out, x}, i * p.inner, at, p.inner, 1, 1);
        else if (node->op == OP_SCATTER_ADD)
            add_row(&(Pair){out, in[2]}, at, i * p.inner, p.inner, 1, 1);
        else
            copy_row(&(Pair){out, in[2]}, at, i * p.inner, p.inner, 1, 1);
    }
}

void interpret_indexed(Run *run, const Node *node, Tensor *const *in, Tensor *out) {
    if (node->op != OP_DYNAMIC_SLICE && node->op != OP_DYNAMIC_UPDATE) {
        gather_scatter(run, node, in, out);
        return;
    }
    bool update = node->op == OP_DYNAMIC_UPDATE;
    int axis = node->attr.dynamic.axis;
    const Tensor *part = update ? in[1] : out, *whole = in[0];
    int64_t start = in[update ? 2 : 1]->integers[0];
    int64_t room = whole->extents[axis] - part->extents[axis];
    if (room < 0) {
        run_fail(run, "%%%d: %lld elements of an axis of %lld", node->id,
                 (long long)part->extents[axis], (long long)whole->extents[axis]);
        return;
    }
    start = start < 0 ? 0 : start > room ? room : start;
    int64_t whole_strides[SHAPE_MAX_RANK], part_strides[SHAPE_MAX_RANK];
    row_major_strides(whole, whole_strides);
    row_major_strides(part, part_strides);
    int64_t base = start * whole_strides[axis];
    if (update) {
        if (out->floats)
            memcpy(out->floats, whole->floats, (size_t)out->count * 8);
        else
            memcpy(out->integers, whole->integers, (size_t)out->count * 8);
        walk_rows(part->rank, part->extents, whole_strides, base, part_strides, 0, copy_row,
                  &(Pair){out, part});
    } else {
        walk_rows(part->rank, part->extents, part_strides, 0, whole_strides, base, copy_row,
                  &(Pair){out, whole});
    }
}
