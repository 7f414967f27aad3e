/* One kernel as one C function over a range of tiles.
 *
 * Input: a Kernel and its plan.  Output: static void name(call, nn_begin, nn_end, scratch), or for
 * CUDA a function of one tile.  Invariant: what the function needs comes through the call: buffers,
 * dims, the random stream. */
#include "emit/kernel/writer.h"

#include <string.h>

static void name_things(Writer *w, const KernelPlan *plan) {
    const Kernel *k = w->kernel;
    NameSet set = {w->arena, {0}};
    int symbols = 0;
    for (int i = 0; i < plan->symbols.count; i++)
        if (plan->symbols.data[i]->index >= symbols) symbols = plan->symbols.data[i]->index + 1;
    w->dim_names = NEW_ARRAY(w->arena, (size_t)symbols, const char *);
    name_set_add(&set, "call");
    name_set_add(&set, "scratch");
    for (int i = 0; i < plan->symbols.count; i++)
        w->dim_names[plan->symbols.data[i]->index] = name_set_add(
            &set,
            writer_format(w, "d_%s", emit_identifier(w->arena, plan->symbols.data[i]->name->text)));
    w->axis_names = NEW_ARRAY(w->arena, (size_t)k->axes.count, const char *);
    for (int i = 0; i < k->axes.count; i++)
        w->axis_names[i] = name_set_add(&set, emit_identifier(w->arena, k->axes.data[i].name));
    w->slot_names = NEW_ARRAY(w->arena, (size_t)k->slots.count, const char *);
    for (int i = 0; i < k->slots.count; i++)
        w->slot_names[i] = name_set_add(&set, emit_identifier(w->arena, k->slots.data[i].name));
    w->register_names = NEW_ARRAY(w->arena, (size_t)k->registers.count, const char *);
    w->register_is_vector = NEW_ARRAY(w->arena, (size_t)k->registers.count, bool);
    w->register_is_lanes_accumulator = NEW_ARRAY(w->arena, (size_t)k->registers.count, bool);
    for (int i = 0; i < k->registers.count; i++)
        w->register_names[i] = name_set_add(&set, writer_format(w, "r%d", i));
}

static void write_comment(Writer *w) {
    const Kernel *k = w->kernel;
    Text t = text_new(w->arena);
    text_printf(&t, "%s%s", k->backward ? "backward: " : "", k->what ? k->what : k->name);
    if (k->file && k->lines.count) {
        /* Without folders: the output does not depend on where the file lies. */
        const char *slash = strrchr(k->file, '/');
        text_printf(&t, "; %s line%s", slash ? slash + 1 : k->file, k->lines.count > 1 ? "s" : "");
        for (int i = 0; i < k->lines.count; i++)
            text_printf(&t, "%s %d", i ? "," : "", k->lines.data[i]);
    }
    text_append(w->out, "/* ");
    for (const char *p = t.data; *p; p++) {
        text_char(w->out, *p);
        if (p[0] == '*' && p[1] == '/') text_char(w->out, ' ');
    }
    text_append(w->out, " */\n");
}

static const char *stored_text(Writer *w, const Slot *slot) {
    Text t = text_new(w->arena);
    kernel_print_stored(&t, slot);
    return t.data;
}

int64_t writer_scratch_elements(const Writer *w, const Slot *slot) {
    int64_t bytes = 0;
    dim_is_const(kernel_slot_bytes(index_dims(w->indices), slot), &bytes);
    return bytes / (int64_t)dtype_bytes(slot->dtype);
}

static void declare_slots(Writer *w, const KernelPlan *plan) {
    const Kernel *k = w->kernel;
    for (int i = 0; i < k->slots.count; i++) {
        const Slot *s = &k->slots.data[i];
        const char *type = emit_c_type(s->dtype), *name = w->slot_names[i];
        if (s->space != SPACE_WORKER) {
            cuda_declare_scratch(w, i);
        } else if (!s->scratch) {
            const char *constant = s->access & ACCESS_WRITE ? "" : "const ";
            writer_line(w, "%s%s *const %s = (%s%s *)call->buffers[%d]; /* %s */", constant, type,
                        name, constant, type, i, stored_text(w, s));
        } else if (plan->scratch[i].bytes) {
            writer_line(w, "%s *const %s = (%s *)(void *)(scratch + %s); /* %s */", type, name,
                        type, writer_dim(w, plan->scratch[i].offset), stored_text(w, s));
        } else {
            int64_t elements = writer_scratch_elements(w, s);
            writer_line(w, "NN_ALIGNED %s %s[%lld]%s; /* %s */", type, name,
                        (long long)(elements ? elements : 1), s->cleared ? " = {0}" : "",
                        stored_text(w, s));
        }
    }
}

static void decode_tile(Writer *w) {
    const Kernel *k = w->kernel;
    /* The last tile axis is fastest. */
    const char *rest = "nn_tile", *type = writer_index_type(w);
    for (int i = k->tiles.count - 1; i >= 0; i--) {
        const TileAxis *t = &k->tiles.data[i];
        const char *axis = w->axis_names[t->axis];
        if (i == 0) {
            writer_line(w, "const %s %s = %s;", type, axis, rest);
        } else {
            /* With an empty axis there is no tile: only the text must not divide by zero. */
            const char *count = dim_is(t->count, 0) ? "1" : writer_dim(w, t->count);
            if (w->cuda)
                writer_line(w,
                            "const nn_int %s = nn_rest(%s, %s), nn_rest%d = nn_quotient(%s, %s);",
                            axis, rest, count, i, rest, count);
            else
                writer_line(w, "const int64_t %s = %s %% %s, nn_rest%d = %s / %s;", axis, rest,
                            count, i, rest, count);
            rest = writer_format(w, "nn_rest%d", i);
        }
    }
}

/* Names that a compiler shall not call unused, some in a line. */
static void silence(Writer *w, const char *const *names, int count) {
    enum { A_LINE = 8 };
    for (int i = 0; i < count; i += A_LINE) {
        Text t = text_new(w->arena);
        for (int k = i; k < count && k < i + A_LINE; k++)
            text_printf(&t, "%s(void)%s", k > i ? ", " : "", names[k]);
        writer_line(w, "%s;", t.data);
    }
}

static void silence_unused(Writer *w, const KernelPlan *plan) {
    int symbols = plan->symbols.count, slots = w->kernel->slots.count, count = 0;
    const char **names = NEW_ARRAY(w->arena, (size_t)(2 + symbols + slots), const char *);
    names[count++] = "call";
    names[count++] = w->cuda ? "nn_tile" : "scratch";
    for (int i = 0; i < symbols; i++) names[count++] = w->dim_names[plan->symbols.data[i]->index];
    for (int i = 0; i < slots; i++) names[count++] = w->slot_names[i];
    silence(w, names, count);
}

static void open_kernel(Writer *w, const KernelPlan *plan, const char *name) {
    if (w->cuda)
        cuda_open_kernel(w, name);
    else
        writer_line(w,
                    "static void %s(const nn_call *call, int64_t nn_begin, int64_t nn_end, char "
                    "*scratch) {",
                    name);
    w->indent++;
    for (int i = 0; i < plan->symbols.count; i++)
        writer_line(w, "const %s %s = %scall->dims[%d];", writer_index_type(w),
                    w->dim_names[plan->symbols.data[i]->index], w->cuda ? "(nn_int)" : "", i);
    declare_slots(w, plan);
    silence_unused(w, plan);
    if (!w->cuda) writer_line(w, "NN_TILES");
    writer_line(w,
                w->cuda ? "{" : "for (int64_t nn_tile = nn_begin; nn_tile < nn_end; nn_tile++) {");
    w->indent++;
}

void emit_kernel_function(Text *out, const KernelPlan *plan, IndexTable *indices, const char *name,
                          bool cuda) {
    Writer writer = {.arena = out->arena,
                     .out = out,
                     .kernel = plan->kernel,
                     .indices = indices,
                     .cuda = cuda,
                     .vector_axis = -1};
    Writer *w = &writer;
    name_things(w, plan);
    write_comment(w);
    open_kernel(w, plan, name);
    decode_tile(w);
    int tiles = w->kernel->tiles.count;
    const char **names = NEW_ARRAY(w->arena, (size_t)tiles + 1, const char *);
    for (int i = 0; i < tiles; i++) names[i] = w->axis_names[w->kernel->tiles.data[i].axis];
    silence(w, names, tiles);
    writer_statement(w, w->kernel->body);
    w->indent--;
    writer_line(w, "}");
    w->indent--;
    writer_line(w, "}\n");
}
