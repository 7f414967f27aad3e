/* Layouts: how logical indices become element offsets, and how many elements a stored tensor has.
 *
 * Input: shapes and panel widths.  Output: offsets as Index.  Invariant: row-major is the NULL
 * layout. */
#include "kernel/internal.h"

const Index *index_offset(IndexTable *t, const Layout *layout, const Shape *shape,
                          const Index *const *indices) {
    DimTable *dims = index_dims(t);
    const Index *offset = index_const(t, 0);
    const Dim *stride = dim_const(dims, 1);
    if (!layout) {
        for (int i = shape->rank - 1; i >= 0; i--) {
            offset = index_add(t, offset, index_scale(t, indices[i], stride));
            stride = dim_need(dim_mul(dims, stride, shape->dims[i]));
        }
        return offset;
    }
    for (int i = layout->count - 1; i >= 0; i--) {
        const LayoutAxis *a = &layout->axes[i];
        const Index *place = indices[a->axis];
        if (a->divide > 1) place = index_floordiv(t, place, dim_const(dims, a->divide));
        if (a->modulus) place = index_mod(t, place, dim_const(dims, a->modulus));
        offset = index_add(t, offset, index_scale(t, place, stride));
        stride = dim_need(dim_mul(dims, stride, a->extent));
    }
    return offset;
}

const Dim *layout_elements(DimTable *dims, const Layout *layout, const Shape *shape) {
    if (!layout) return shape_elements(dims, shape);
    const Dim *n = dim_const(dims, 1);
    for (int i = 0; i < layout->count; i++) n = dim_mul(dims, n, layout->axes[i].extent);
    return n;
}

const Layout *layout_panels(Arena *arena, DimTable *dims, const Shape *shape, int axis,
                            int64_t width) {
    Layout *l = NEW(arena, Layout);
    const Dim *w = dim_const(dims, width);
    const Dim *padded = dim_add(dims, shape->dims[axis], dim_const(dims, width - 1));
    l->axes[l->count++] = (LayoutAxis){axis, width, 0, dim_need(dim_floordiv(dims, padded, w))};
    for (int i = 0; i < shape->rank; i++)
        if (i != axis) l->axes[l->count++] = (LayoutAxis){i, 1, 0, shape->dims[i]};
    l->axes[l->count++] = (LayoutAxis){axis, 1, width, w};
    return l;
}
