/* What a leaf speaks of: its indices and dims, for everything that walks statements. */
#include "kernel/kernel.h"

static void add_index(LeafParts *p, const Index *index) {
    if (index) p->indices[p->index_count++] = index;
}

static void add_dim(LeafParts *p, const Dim *dim) {
    if (dim) p->dims[p->dim_count++] = dim;
}

static void add_access(LeafParts *p, const MmaAccess *a) {
    add_dim(p, a->stride);
    add_index(p, a->table_base);
}

static void add_mma(LeafParts *p, const Mma *m) {
    const Index *const all[] = {m->rows,   m->columns, m->depth, m->a_base,
                                m->b_base, m->earlier, m->b_end};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) add_index(p, all[i]);
    add_access(p, &m->a_row);
    add_access(p, &m->a_depth);
    add_access(p, &m->b_depth);
    add_dim(p, m->b_panel);
    add_dim(p, m->b_elements);
}

static void add_dot(LeafParts *p, const Dot *d) {
    const DotOperand *const sides[2] = {&d->a, &d->b};
    add_index(p, d->earlier);
    add_dim(p, d->planes);
    add_dim(p, d->lines);
    add_dim(p, d->along);
    for (int i = 0; i < 2; i++) {
        add_index(p, sides[i]->base);
        add_access(p, &sides[i]->across);
        add_dim(p, sides[i]->plane);
        add_dim(p, sides[i]->line);
    }
}

static void add_pack(LeafParts *p, const PackLeaf *a) {
    const Dim *const dims[] = {a->depth_max, a->across, a->along, a->block};
    for (int i = 0; i < 4; i++) add_dim(p, dims[i]);
    add_index(p, a->base);
    add_index(p, a->count);
    add_index(p, a->depth);
}

LeafParts kernel_leaf_parts(const Stmt *s) {
    LeafParts parts = {0};
    if (s->mma) add_mma(&parts, s->mma);
    if (s->dot) add_dot(&parts, s->dot);
    if (s->pack) add_pack(&parts, s->pack);
    if (s->argsort) add_index(&parts, s->argsort->count);
    return parts;
}
