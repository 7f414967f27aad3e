/* Calls of a library: products by cuBLASLt, and what it is asked before an entry is captured.
 *
 * Input: steps whose kernel is a LibraryProduct.  Output: text for templates/cuda_gemm.h.
 * Invariant: a step's call and its question name the product by the same text, in dims of the
 * entry alone, so that one question serves all iterations of a loop. */
#include "emit/cuda/cuda.h"

#include <string.h>

static const char *type_name(DType t) {
    return t == DTYPE_F64   ? "NN_R_64F"
           : t == DTYPE_F32 ? "NN_R_32F"
           : t == DTYPE_F16 ? "NN_R_16F"
                            : "NN_R_16BF";
}

static const char *compute_name(const LibraryProduct *p) {
    static const char *const names[] = {"NN_COMPUTE_32F", "NN_COMPUTE_32F_FAST_TF32",
                                        "NN_COMPUTE_32F_FAST_16BF"};
    return p->dtype == DTYPE_F64 ? "NN_COMPUTE_64F" : names[p->precision];
}

static const char *offset_text(EntryWriter *e, const LibraryProduct *p, const LibraryMatrix *m) {
    DimTable *dims = e->w->plan->kernels->program->dims;
    const int64_t size = (int64_t)dtype_bytes(p->dtype);
    return entry_dim(e, dim_mul(dims, m->base, dim_const(dims, size)), false);
}

/* Of its address: regions are aligned, and so is what the plan puts there; elements of a parent are
 * as its rows lie, constants as their dtype is. */
static const char *alignment_text(EntryWriter *e, const Step *s, const LibraryMatrix *m) {
    const LibraryProduct *p = s->kernel->library;
    const Buffer *b = s->arguments[m->slot];
    Text t = text_new(e->w->arena);
    if (!dim_is(m->base, 0)) text_printf(&t, " | (%s)", offset_text(e, p, m));
    for (; b->kind == BUFFER_ELEMENT; b = b->parent) text_printf(&t, " | (%s)", entry_bytes(e, b));
    if (b->kind == BUFFER_CONSTANT) return entry_format(e, "%zu", dtype_bytes(p->dtype));
    return t.length ? entry_format(e, "nn_alignment(%s)", t.data + strlen(" | ")) : "64";
}

static const char *matrix_text(EntryWriter *e, const Step *s, const LibraryMatrix *m) {
    return entry_format(e, "{%d, %s, %s, %s}", m->along_depth, entry_dim(e, m->leading, false),
                        entry_dim(e, m->batch, false), alignment_text(e, s, m));
}

static const char *product_text(EntryWriter *e, const Step *s) {
    const LibraryProduct *p = s->kernel->library;
    return entry_format(e, "{%s, %s, %s, %s, %s, %s, %d, %lld, %s, %s, %s}", type_name(p->dtype),
                        compute_name(p), entry_dim(e, p->batch, false),
                        entry_dim(e, p->rows, false), entry_dim(e, p->columns, false),
                        entry_dim(e, p->depth, false), p->bias_slot >= 0,
                        (long long)p->workspace_bytes, matrix_text(e, s, &p->of_rows),
                        matrix_text(e, s, &p->of_columns), matrix_text(e, s, &p->result));
}

static const char *address_text(EntryWriter *e, const Step *s, const LibraryMatrix *m) {
    const char *at = entry_buffer(e, s->arguments[m->slot]);
    return dim_is(m->base, 0)
               ? at
               : entry_format(e, "(char *)(%s) + %s", at, offset_text(e, s->kernel->library, m));
}

void cuda_library_call(EntryWriter *e, const Step *s, int indent) {
    SourceWriter *w = e->w;
    const LibraryProduct *p = s->kernel->library;
    source_line(w, indent, "{");
    entry_titles(e, s, indent + 1);
    source_line(w, indent + 1, "const nn_product nn_p = %s;", product_text(e, s));
    source_line(w, indent + 1, "nn_multiply(ctx, nn_p, %s, %s,", address_text(e, s, &p->of_rows),
                address_text(e, s, &p->of_columns));
    source_line(w, indent + 1, "            %s, %s, %s);", address_text(e, s, &p->result),
                p->bias_slot < 0 ? "NULL" : entry_buffer(e, s->arguments[p->bias_slot]),
                entry_buffer(e, s->arguments[p->workspace_slot]));
    source_line(w, indent, "}");
}

/* ---- questions ---- */

typedef VECTOR(const char *) TextList;

static void find_products(EntryWriter *e, Step *const *steps, int count, TextList *found) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        if (s->kind == STEP_LOOP) find_products(e, s->body.data, s->body.count, found);
        if (s->kind != STEP_CALL || !s->kernel->library) continue;
        const char *text = product_text(e, s);
        int at = 0;
        while (at < found->count && strcmp(found->data[at], text) != 0) at++;
        if (at == found->count) vector_push(e->w->arena, found, text);
    }
}

bool cuda_library_questions(EntryWriter *e, const char *symbol, const char *parameters) {
    SourceWriter *w = e->w;
    TextList found = {0};
    find_products(e, e->plan->entry->steps.data, e->plan->entry->steps.count, &found);
    if (!found.count) return false;
    source_line(w, 0, "static void nn_products_%s(nnc_cuda_context *ctx%s) {", symbol, parameters);
    if (!e->state_names) entry_state_dims(e);
    source_line(w, 1, "nn_begin_products(ctx);");
    for (int i = 0; i < found.count; i++)
        source_line(w, 1, "nn_ask_product(ctx, nn_product%s);", found.data[i]);
    source_line(w, 0, "}\n");
    return true;
}
