/* What every backend writes alike around kernels and entries: lines, constants, names of kernels,
 * the arithmetic of sizes.
 *
 * Input: plan.  Output: C text.  Invariant: constants with the same contents are one array. */
#include "emit/common/source_writer.h"

#include <stdarg.h>
#include <string.h>

void source_line(SourceWriter *w, int indent, const char *format, ...) {
    text_indent(w->out, indent);
    va_list args;
    va_start(args, format);
    text_vprintf(w->out, format, args);
    va_end(args);
    text_char(w->out, '\n');
}

/* ---- constants ---- */

static int64_t constant_elements(const Buffer *b) {
    int64_t n = 1, extent = 0;
    for (int i = 0; i < b->shape.rank; i++)
        n *= dim_is_const(b->shape.dims[i], &extent) ? extent : 0;
    return n;
}

int source_constant(SourceWriter *w, const Buffer *b) {
    int64_t n = constant_elements(b);
    for (int i = 0; i < w->constants.count; i++) {
        const Buffer *c = w->constants.data[i];
        if (c->dtype == b->dtype && constant_elements(c) == n &&
            (c->data == b->data || !memcmp(c->data, b->data, (size_t)n * 8)))
            return i;
    }
    vector_push(w->arena, &w->constants, b);
    return w->constants.count - 1;
}

static void write_constant(SourceWriter *w, const char *qualifiers, const Buffer *b, int number) {
    int64_t n = constant_elements(b);
    if (b->name && *b->name) {
        Text name = text_new(w->arena);
        emit_comment_lines(&name, "", b->name);
        text_printf(w->out, "/* %.*s */\n", (int)name.length - 1, name.data);
    }
    text_printf(w->out, "%s %s nn_c%d[%lld] = {", qualifiers, emit_c_type(b->dtype), number,
                (long long)(n ? n : 1));
    for (int64_t i = 0; i < n; i++) {
        text_append(w->out, i % 8 ? " " : "\n    ");
        if (dtype_is_half(b->dtype))
            text_printf(w->out, "0x%04x", emit_half_bits(((const double *)b->data)[i], b->dtype));
        else if (dtype_is_float(b->dtype))
            emit_float(w->out, ((const double *)b->data)[i], b->dtype);
        else
            emit_int(w->out, ((const int64_t *)b->data)[i]);
        text_char(w->out, ',');
    }
    if (!n) text_append(w->out, "0");
    text_append(w->out, "\n};\n");
}

static void collect_constants(SourceWriter *w) {
    for (int i = 0; i < w->plan->roots.count; i++)
        for (int k = 0; k < w->plan->roots.data[i]->entries.count; k++) {
            const KernelEntry *e = w->plan->roots.data[i]->entries.data[k]->entry;
            for (int b = 0; b < e->buffers.count; b++)
                if (e->buffers.data[b]->kind == BUFFER_CONSTANT)
                    source_constant(w, e->buffers.data[b]);
        }
}

void source_constants(SourceWriter *w, const char *qualifiers) {
    collect_constants(w);
    if (w->constants.count) text_append(w->out, "/* ---- constants ---- */\n\n");
    for (int i = 0; i < w->constants.count; i++)
        write_constant(w, qualifiers, w->constants.data[i], i);
}

void source_kernel_names(SourceWriter *w) {
    NameSet set = {w->arena, {0}};
    w->kernel_names = NEW_ARRAY(w->arena, (size_t)w->plan->kernel_plans.count, const char *);
    for (int i = 0; i < w->plan->kernel_plans.count; i++) {
        const char *name = emit_identifier(w->arena, w->plan->kernel_plans.data[i]->kernel->name);
        w->kernel_names[i] = name_set_add(&set, arena_printf(w->arena, "nn_k_%s", name));
    }
}

bool source_is_cuda(const SourceWriter *w) {
    return *w->options->family != 0;
}

const char source_size_code[] = "/* Sizes saturate, so that no dims of a caller overflow. */\n"
                                "static NN_NOINLINE int64_t nn_mul_size(int64_t a, int64_t b) {\n"
                                "    if (a == 0 || b == 0) return 0;\n"
                                "    if (a == INT64_MIN || b == INT64_MIN) return INT64_MAX;\n"
                                "    if ((a < 0 ? -a : a) > INT64_MAX / (b < 0 ? -b : b))\n"
                                "        return (a < 0) == (b < 0) ? INT64_MAX : -INT64_MAX;\n"
                                "    return a * b;\n"
                                "}\n"
                                "static NN_NOINLINE int64_t nn_add_size(int64_t a, int64_t b) {\n"
                                "    if (b > 0 && a > INT64_MAX - b) return INT64_MAX;\n"
                                "    if (b < 0 && a < INT64_MIN - b) return INT64_MIN;\n"
                                "    return a + b;\n"
                                "}\n"
                                "NN_INLINE size_t nn_size(int64_t bytes) {\n"
                                "    if (bytes < 0 || bytes == INT64_MAX || (uint64_t)bytes > "
                                "(uint64_t)SIZE_MAX) return SIZE_MAX;\n"
                                "    return (size_t)bytes;\n"
                                "}\n\n";
