/* Leaves as C: calls of what templates/ has by hand, and the instances of it that a file needs.
 *
 * Input: STMT_MMA, STMT_DOT, STMT_PACK, and STMT_ARGSORT of a CPU.  Output: one call, behind a
 * comment that says what its arguments are; the lines NN_MMA(...), NN_PACK(...), NN_DOT(...) that
 * make the functions.  Invariant: an instance holds every tile that some call of it reaches. */
#include "emit/kernel/writer.h"

#include <string.h>

/* ---- instances ---- */

/* How the offsets of an access are found, and what its instance of the leaf is called by. */
typedef enum AccessForm { FORM_STRIDE, FORM_TABLE, FORM_GROUP } AccessForm;
static const char form_letters[] = "stg";

static AccessForm access_form(const MmaAccess *a) {
    return a->grouped ? FORM_GROUP : a->stride ? FORM_STRIDE : FORM_TABLE;
}

int mma_form(const Mma *m) {
    return (int)access_form(&m->b_depth) | (int)access_form(&m->a_depth) << 1 |
           (m->dtype == DTYPE_F64) << 2 | (int)access_form(&m->a_row) << 3;
}

static const char *mma_name(Writer *w, int form) {
    return writer_format(w, "nn_mma_%s_%c%c%c", form & 4 ? "f64" : "f32", form_letters[form >> 3],
                         form_letters[form >> 1 & 1], form_letters[form & 1]);
}

enum { COUNTED_AXES = 3, COUNTED_VALUES = 4096 };

/* Adds the axes of an index to those that are there; false: there are too many. */
static bool find_axes(const Index *a, AxisValue *axes, int *count) {
    for (int i = 0; i < a->count; i++) {
        const IndexAtom *atom = a->terms[i].atom;
        if (atom->left && !find_axes(atom->left, axes, count)) return false;
        if (atom->right && !find_axes(atom->right, axes, count)) return false;
        if (atom->kind != ATOM_AXIS) continue;
        int at = 0;
        while (at < *count && axes[at].axis != atom->axis) at++;
        if (at == COUNTED_AXES) return false;
        axes[at].axis = atom->axis;
        if (at == *count) ++*count;
    }
    return true;
}

/* What a number of rows reaches, as MmaUse has it. */
static unsigned rows_bits(int64_t rows) {
    if (rows <= 0) return 0;
    unsigned bits = rows >= GROUP_ROWS ? 1u << GROUP_ROWS : 0;
    if (rows % GROUP_ROWS) bits |= 1u << rows % GROUP_ROWS;
    return bits | (rows <= 2 ? 1u << (GROUP_ROWS + rows) : 0);
}

/* The tiles for all values that the number of rows takes while its axes run. */
static bool rows_counted(const Kernel *kernel, const Index *rows, unsigned *bits) {
    AxisValue axes[COUNTED_AXES] = {0};
    int64_t extents[COUNTED_AXES], values = 1, value;
    int count = 0;
    if (!find_axes(rows, axes, &count)) return false;
    for (int i = 0; i < count; i++)
        if (!dim_is_const(kernel->axes.data[axes[i].axis].extent, &extents[i]) ||
            !checked_mul(values, extents[i], &values) || values > COUNTED_VALUES)
            return false;
    for (int64_t v = 0; v < values; v++) {
        int64_t rest = v;
        for (int i = 0; i < count; i++) {
            axes[i].value = rest % extents[i];
            rest /= extents[i];
        }
        if (!index_evaluate(rows, axes, count, &value)) return false;
        *bits |= rows_bits(value);
    }
    return true;
}

void mma_use(MmaUse *use, const Kernel *kernel, const Mma *m) {
    unsigned bits = 0;
    if (!rows_counted(kernel, m->rows, &bits))
        for (int64_t rows = 1; rows <= m->rows_max; rows++) bits |= rows_bits(rows);
    use->rows |= bits;
    if (m->columns_max > use->columns) use->columns = m->columns_max;
}

void emit_mma_form(Text *out, int form, const MmaUse *use) {
    Writer w = {.arena = out->arena};
    static const char *const kind[] = {"NN_MMA_STRIDE", "NN_MMA_TABLE", "NN_MMA_GROUP"};
    text_printf(out, "NN_MMA(%s, %s, %s, %s, %s, %s, 0x%x, %lld)\n", mma_name(&w, form),
                form & 4 ? "f64" : "f32", form & 4 ? "double" : "float", kind[form >> 3],
                kind[form >> 1 & 1], kind[form & 1], use->rows, (long long)use->columns);
}

int pack_form(const PackLeaf *p) {
    return (p->group == GROUP_ROWS) | (p->dtype == DTYPE_F64) << 1;
}

void emit_pack_form(Text *out, int form) {
    const char *dtype = form & 2 ? "f64" : "f32", *type = form & 2 ? "double" : "float";
    text_printf(out, "NN_PACK(nn_pack_%s, %s, %d)\n", dtype, type,
                form & 1 ? GROUP_ROWS : PANEL_COLUMNS);
}

void emit_dot_form(Text *out, DType dtype, int rows, int columns) {
    text_printf(out, "NN_DOT(nn_dot_%s_%dx%d, %s, %s, %d, %d)\n", dtype_name(dtype), rows, columns,
                dtype_name(dtype), dtype == DTYPE_F64 ? "double" : "float", rows, columns);
}

/* ---- calls ---- */

/* The element of a slot at an index, as a pointer.  The parentheses keep every step in bounds. */
static const char *slot_address(Writer *w, int slot, const Index *index) {
    const char *name = w->slot_names[slot], *at = writer_index(w, index);
    return strcmp(at, "0") ? writer_format(w, "%s + (%s)", name, at) : name;
}

static void write_pack(Writer *w, const PackLeaf *p) {
    writer_begin_statement(w, NULL, 0);
    writer_line(w, "nn_pack_%s_by_%lld(%s, %s, %s, %s, %s, %s, %s, %s);",
                p->dtype == DTYPE_F64 ? "f64" : "f32", (long long)p->group,
                w->slot_names[p->to_slot], writer_dim(w, p->depth_max),
                slot_address(w, p->from_slot, p->base), writer_index(w, p->count),
                writer_index(w, p->depth), writer_dim(w, p->across), writer_dim(w, p->along),
                writer_dim(w, p->block));
}

static const char *mma_access(Writer *w, const MmaAccess *a) {
    if (a->stride) return writer_format(w, "%s, NULL", writer_dim(w, a->stride));
    return writer_format(w, "0, %s", slot_address(w, a->table_slot, a->table_base));
}

static void write_mma(Writer *w, const Mma *m) {
    writer_begin_statement(w, NULL, 0);
    const char *padded = m->b_padded ? "1" : "0";
    if (m->b_end)
        padded =
            writer_format(w, "%s <= %s", writer_index(w, m->b_end), writer_dim(w, m->b_elements));
    writer_line(w, "%s(%s, %lld, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s);",
                mma_name(w, mma_form(m)), w->slot_names[m->tile_slot], (long long)m->columns_max,
                writer_index(w, m->rows), writer_index(w, m->columns), writer_index(w, m->depth),
                slot_address(w, m->a_slot, m->a_base), mma_access(w, &m->a_row),
                mma_access(w, &m->a_depth), slot_address(w, m->b_slot, m->b_base),
                writer_dim(w, m->b_panel), mma_access(w, &m->b_depth), padded,
                m->earlier ? writer_format(w, "%s > 0", writer_index(w, m->earlier)) : "0");
}

static const char *dot_operand(Writer *w, const DotOperand *o) {
    return writer_format(w, "%s, %s, %s, %s", slot_address(w, o->slot, o->base),
                         mma_access(w, &o->across), writer_dim(w, o->plane),
                         writer_dim(w, o->line));
}

static void write_dot(Writer *w, const Dot *d) {
    writer_begin_statement(w, NULL, 0);
    writer_line(w, "nn_dot_%s_%dx%d(%s, %s, %s, %s, %s, %s, %s);", dtype_name(d->dtype), d->rows,
                d->columns, w->slot_names[d->tile_slot], writer_dim(w, d->planes),
                writer_dim(w, d->lines), writer_dim(w, d->along), dot_operand(w, &d->a),
                dot_operand(w, &d->b),
                d->earlier ? writer_format(w, "%s > 0", writer_index(w, d->earlier)) : "0");
}

static void write_argsort(Writer *w, const ArgsortLeaf *a) {
    writer_begin_statement(w, NULL, 0);
    DType t = w->kernel->slots.data[a->keys_slot].dtype;
    writer_line(w, "nn_argsort_%s(%s, %s, %s, %s, %d);", dtype_name(t), w->slot_names[a->keys_slot],
                w->slot_names[a->order_slot], w->slot_names[a->spare_slot],
                writer_index(w, a->count), a->descending);
}

void writer_leaf(Writer *w, const Stmt *leaf) {
    if (leaf->kind != STMT_ARGSORT) { /* what the many arguments are */
        Text t = text_new(w->arena);
        kernel_print_leaf(&t, w->kernel, leaf);
        writer_line(w, "/* %s */", t.data);
    }
    switch ((int)leaf->kind) {
    case STMT_MMA: write_mma(w, leaf->mma); break;
    case STMT_DOT: write_dot(w, leaf->dot); break;
    case STMT_PACK: write_pack(w, leaf->pack); break;
    case STMT_ARGSORT: write_argsort(w, leaf->argsort); break;
    }
}
