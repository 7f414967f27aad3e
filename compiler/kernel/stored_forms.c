/* Stored forms of cells: decided once per program and type, so that every root and entry agrees.
 *
 * Input: all entries' graphs.  Output: a layout per (dtype, shape), read by layout_of_type.
 * A matrix [n, k] whose first use in each entry is as an operand with k summed and n kept is stored
 * in panels of n, as the leaf reads columns, unless rows of it are also gathered.  Its gradient and
 * optimizer state have the same type and follow.  For a GPU all is stored row by row.  Invariant:
 * depends on types and uses in the whole program alone. */
#include "kernel/internal.h"

typedef struct StoredForm {
    TensorType type;
    const Layout *layout;
    bool wanted, refused;
    struct StoredForm *next;
} StoredForm;

struct StoredForms {
    StoredForm *first;
};

int64_t panel_width(int64_t extent) {
    int64_t best = PANEL_COLUMNS, best_padded = INT64_MAX;
    for (int64_t w = PANEL_MAX; w >= PANEL_COLUMNS; w -= PANEL_COLUMNS) {
        int64_t padded = (extent + w - 1) / w * w;
        if (padded < best_padded) {
            best = w;
            best_padded = padded;
        }
    }
    return best;
}

static StoredForm *form_of(const KernelProgram *program, const TensorType *type) {
    for (StoredForm *f = program->forms->first; f; f = f->next)
        if (f->type.dtype == type->dtype && shape_equal(&f->type.shape, &type->shape)) return f;
    return NULL;
}

const Layout *layout_of_type(const KernelProgram *program, const TensorType *type) {
    const StoredForm *f = form_of(program, type);
    return f ? f->layout : NULL;
}

static StoredForm *note(KernelProgram *program, const TensorType *type) {
    StoredForm *f = form_of(program, type);
    if (f) return f;
    f = NEW(program->arena, StoredForm);
    f->type = *type;
    f->next = program->forms->first;
    program->forms->first = f;
    return f;
}

/* The cell behind moves of axes, and which of its axes each axis of x is. */
static const Node *seen_cell(const Node *x, int *axes) {
    int rank = x->type.shape.rank;
    for (int i = 0; i < rank; i++) axes[i] = i;
    while (x->op == OP_PERMUTE || x->op == OP_IDENTITY) {
        if (x->op == OP_PERMUTE)
            for (int i = 0; i < rank; i++) axes[i] = x->attr.axes[axes[i]];
        x = x->inputs[0];
    }
    return x->op == OP_CELL ? x : NULL;
}

static bool in_list(const int8_t *names, int rank, int label) {
    for (int i = 0; i < rank; i++)
        if (names[i] == label) return true;
    return false;
}

static bool suits(const TensorType *type) {
    int64_t n, k;
    return type->shape.rank == 2 && (type->dtype == DTYPE_F32 || type->dtype == DTYPE_F64) &&
           dim_is_const(type->shape.dims[0], &n) && dim_is_const(type->shape.dims[1], &k) &&
           n > 1 && k >= VECTOR_HINT;
}

static void note_product(KernelProgram *program, const Node *n, bool *used) {
    for (int side = 0; side < 2; side++) {
        int axes[SHAPE_MAX_RANK];
        const Node *x = n->inputs[side], *cell = seen_cell(x, axes);
        if (!cell || cell->attr.cell->role != CELL_PARAMETER || !suits(&cell->type)) continue;
        /* The first use in an entry is the forward one. */
        if (used[cell->attr.cell->index]) continue;
        used[cell->attr.cell->index] = true;
        const int8_t *names = side ? n->attr.contract.b : n->attr.contract.a;
        int label[2] = {0, 0};
        for (int i = 0; i < 2; i++) label[axes[i]] = names[i];
        bool kept = in_list(n->attr.contract.out, n->type.shape.rank, label[0]);
        bool summed = !in_list(n->attr.contract.out, n->type.shape.rank, label[1]);
        StoredForm *f = note(program, &cell->type);
        if (kept && summed) f->wanted = true;
    }
}

static void note_entry(KernelProgram *program, const Root *root, const Entry *entry) {
    bool *used = NEW_ARRAY(program->arena, (size_t)root->cells.count + 1, bool);
    const Graph *g = entry->graph;
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        if (n->op == OP_CONTRACT) note_product(program, n, used);
        bool rows = n->op == OP_GATHER || n->op == OP_SCATTER_ADD || n->op == OP_SCATTER_SET;
        if (!rows) continue;
        const Node *x = operand_base(n->inputs[0]);
        if (x->type.shape.rank == 2) note(program, &x->type)->refused = true;
    }
}

void layouts_decide(KernelProgram *p) {
    p->forms = NEW(p->arena, struct StoredForms);
    if (p->options.gpu) return;
    for (int r = 0; r < p->program->roots.count; r++) {
        const Root *root = p->program->roots.data[r];
        for (int e = 0; e < root->entries.count; e++) note_entry(p, root, root->entries.data[e]);
    }
    for (StoredForm *f = p->forms->first; f; f = f->next) {
        int64_t n;
        if (!f->wanted || f->refused || !dim_is_const(f->type.shape.dims[0], &n)) continue;
        f->layout = layout_panels(p->arena, p->program->dims, &f->type.shape, 0, PANEL_COLUMNS);
    }
}
