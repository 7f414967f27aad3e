/* Tables that describe a model: cells, entries, and access to both by pointer.
 *
 * Input: RootPlan.  Output: <root>_model() and what it points to.  Everything is const. */
#include "emit/common/source_writer.h"

#include <string.h>

typedef struct TableWriter {
    SourceWriter *w;
    const RootPlan *root;
    const Entry *entry; /* whose dims are dims[k]; NULL: those of the state region */
} TableWriter;

static const char *symbol_text(void *user, const DimSymbol *symbol) {
    TableWriter *t = user;
    const Dim *d = t->entry ? plan_entry_symbol(t->entry, symbol) : NULL;
    for (int i = 0; t->entry && i < t->entry->dims.count; i++)
        if (t->entry->dims.data[i] == d) return arena_printf(t->w->arena, "dims[%d]", i);
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < t->root->state_symbols.count; i++) {
            const DimSymbol *s = t->root->state_symbols.data[i];
            if (pass ? s->name == symbol->name : s == symbol) return state_dim_name(t->w, i);
        }
    return symbol->name->text;
}

static const char *dim_text(TableWriter *t, const Dim *d, bool saturating) {
    Text text = text_new(t->w->arena);
    if (saturating)
        emit_dim_saturating(&text, d, symbol_text, t);
    else
        emit_dim(&text, d, symbol_text, t);
    return text.data;
}

/* {extents}: constants, -1 - k for the k-th dim, INT64_MIN for an expression. */
static void write_shape(TableWriter *t, const Shape *shape) {
    Text *out = t->w->out;
    text_append(out, "{");
    for (int i = 0; i < shape->rank; i++) {
        int64_t value;
        const DimSymbol *s = dim_as_symbol(shape->dims[i]);
        if (i) text_append(out, ", ");
        if (dim_is_const(shape->dims[i], &value)) {
            emit_int(out, value);
            continue;
        }
        int at = -1;
        if (s && t->entry) {
            const Dim *d = plan_entry_symbol(t->entry, s);
            for (int k = 0; k < t->entry->dims.count; k++)
                if (t->entry->dims.data[k] == d) at = k;
        } else if (s) {
            for (int k = 0; k < t->root->state_symbols.count; k++)
                if (t->root->state_symbols.data[k] == s) at = k;
        }
        if (at >= 0)
            emit_int(out, -1 - at);
        else
            text_append(out, "INT64_MIN");
    }
    if (!shape->rank) text_append(out, "0");
    text_append(out, "}");
}

/* ---- cells ---- */

static void write_cells(TableWriter *t, const char *prefix) {
    static const char *const roles[] = {"NNC_PARAMETER", "NNC_BUFFER",    "NNC_STATE",
                                        "NNC_GRADIENT",  "NNC_OPTIMIZER", "NNC_SCALAR"};
    Text *out = t->w->out;
    const Root *root = t->root->root->root;
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        if (!c->alias_count) continue;
        text_printf(out, "static const char *const nn_%s_aliases%d[] = {", prefix, i);
        for (int k = 0; k < c->alias_count; k++) {
            emit_string(out, c->aliases[k]->text);
            text_append(out, ", ");
        }
        text_append(out, "NULL};\n");
    }
    text_printf(out, "static const nnc_cell_info nn_%s_cells[] = {\n", prefix);
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        text_append(out, "    {");
        emit_string(out, c->name->text);
        text_printf(out, ", %s, %s, %d, ", roles[c->role], emit_abi_dtype(c->type.dtype),
                    c->type.shape.rank);
        write_shape(t, &c->type.shape);
        text_printf(out, ", %d, %d, ", cell_is_saved(c), span_line(c->span));
        if (c->alias_count)
            text_printf(out, "nn_%s_aliases%d},\n", prefix, i);
        else
            text_append(out, "NULL},\n");
    }
    if (!root->cells.count) text_append(out, "    {NULL, 0, 0, 0, {0}, 0, 0, NULL},\n");
    text_append(out, "};\n\n");
}

/* ---- get and set: row-major copies of the stored form ---- */

static bool has_stored_forms(SourceWriter *w, const Root *root) {
    for (int i = 0; i < root->cells.count; i++)
        if (kernel_cell_layout(w->plan->kernels, root->cells.data[i])) return true;
    return false;
}

static const char stored_code[] =
    "#ifndef NN_STORED\n"
    "#define NN_STORED 1\n"
    "/* A stored form: physical axes, outermost first; axis, divide, extent. */\n"
    "typedef struct nn_stored {\n"
    "    int count, rank;\n"
    "    int64_t axes[16][3];\n"
    "    int64_t dims[NNC_MAX_RANK];\n"
    "} nn_stored;\n"
    "/* Copies between stored form and rows; padding becomes 0. */\n"
    "static void nn_convert(const nn_stored *f, char *stored, char *rows, size_t element, int out) "
    "{\n"
    "    int64_t stride[NNC_MAX_RANK], place[16] = {0}, total = 1;\n"
    "    const int last = f->count - 1;\n"
    "    for (int64_t i = f->rank - 1, n = 1; i >= 0; i--) {\n"
    "        stride[i] = n;\n"
    "        n *= f->dims[i];\n"
    "    }\n"
    "    for (int i = 0; i < last; i++) total *= f->axes[i][2];\n"
    "    for (int64_t k = 0; k < total; k++) {\n"
    "        int64_t at[NNC_MAX_RANK] = {0}, base = 0;\n"
    "        int inside = 1;\n"
    "        const int64_t axis = f->axes[last][0], divide = f->axes[last][1], run = "
    "f->axes[last][2];\n"
    "        for (int i = 0; i < last; i++) at[f->axes[i][0]] += place[i] * f->axes[i][1];\n"
    "        for (int i = 0; i < f->rank; i++) {\n"
    "            if (at[i] >= f->dims[i]) inside = 0;\n"
    "            base += at[i] * stride[i];\n"
    "        }\n"
    "        for (int64_t q = 0; q < run; q++, stored += element) {\n"
    "            char *row = rows + (size_t)(base + q * divide * stride[axis]) * element;\n"
    "            if (inside && at[axis] + q * divide < f->dims[axis])\n"
    "                memcpy(out ? row : stored, out ? stored : row, element);\n"
    "            else if (!out) memset(stored, 0, element);\n"
    "        }\n"
    "        for (int i = last - 1; i >= 0; i--) {\n"
    "            if (++place[i] < f->axes[i][2]) break;\n"
    "            place[i] = 0;\n"
    "        }\n"
    "    }\n"
    "}\n"
    "#endif\n";

static void write_state_dims(TableWriter *t, const char *prefix) {
    Text *out = t->w->out;
    if (!t->root->state_header) return;
    text_printf(out,
                "    if (!ctx->state || ctx->state_bytes < 64 ||\n"
                "        %s != NN_STATE_%s) return NNC_E_STATE;\n",
                source_state_word(t->w, 0), prefix);
    for (int i = 0; i < t->root->state_symbols.count; i++) {
        const char *name = state_dim_name(t->w, i);
        text_printf(out, "    const int64_t %s = %s;\n    (void)%s;\n", name,
                    source_state_word(t->w, i + 1), name);
    }
}

static const Dim *cell_bytes(TableWriter *t, const Cell *c) {
    DimTable *dims = t->w->plan->kernels->program->dims;
    return dim_mul(dims, shape_elements(dims, &c->type.shape),
                   dim_const(dims, (int64_t)dtype_bytes(c->type.dtype)));
}

static void write_cell_comment(Text *out, const Cell *c) {
    text_append(out, "/* ");
    for (const char *p = c->name->text; *p; p++) text_char(out, *p == '*' ? '.' : *p);
    text_append(out, " */");
}

/* ---- where cells lie, when no dim has a say in it: a table ---- */

static const char place_code[] = "#ifndef NN_PLACE\n"
                                 "#define NN_PLACE 1\n"
                                 "/* Where a cell lies; form: 1 + its stored form, 0: rows. */\n"
                                 "typedef struct nn_place {\n"
                                 "    int64_t offset, bytes;\n"
                                 "    int in_state, form;\n"
                                 "} nn_place;\n"
                                 "#endif\n";

static bool places_are_constant(TableWriter *t) {
    const Root *root = t->root->root->root;
    int64_t value;
    if (!root->cells.count || t->root->state_header) return false;
    for (int i = 0; i < root->cells.count; i++) {
        const Dim *bytes = cell_bytes(t, root->cells.data[i]);
        if (!dim_is_const(bytes, &value) || !dim_is_const(t->root->cells[i].offset, &value))
            return false;
    }
    return true;
}

static void write_form(TableWriter *t, const Layout *l, const Shape *shape) {
    Text *out = t->w->out;
    text_printf(out, "    {%d, %d, {", l->count, shape->rank);
    for (int k = 0; k < l->count; k++)
        text_printf(out, "%s{%d, %lld, %s}", k ? ", " : "", l->axes[k].axis,
                    (long long)l->axes[k].divide, dim_text(t, l->axes[k].extent, false));
    text_append(out, "}, {");
    for (int k = 0; k < shape->rank; k++)
        text_printf(out, "%s%s", k ? ", " : "", dim_text(t, shape->dims[k], false));
    text_append(out, "}},\n");
}

static void write_places(TableWriter *t, const char *prefix, bool forms) {
    Text *out = t->w->out;
    const Root *root = t->root->root->root;
    VECTOR(const Layout *) layouts = {0};
    text_append(out, place_code);
    if (forms) text_printf(out, "static const nn_stored nn_%s_forms[] = {\n", prefix);
    int *form = NEW_ARRAY(t->w->arena, (size_t)root->cells.count, int);
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        const Layout *l = kernel_cell_layout(t->w->plan->kernels, c);
        if (!l) continue;
        int at = 0;
        while (at < layouts.count && layouts.data[at] != l) at++;
        form[i] = at + 1;
        if (at < layouts.count) continue;
        vector_push(t->w->arena, &layouts, l);
        write_form(t, l, &c->type.shape);
    }
    if (forms) text_append(out, "};\n");
    text_printf(out, "static const nn_place nn_%s_places[] = {\n", prefix);
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        text_printf(out, "    {%s, %s, %d, %d}, ", dim_text(t, t->root->cells[i].offset, false),
                    dim_text(t, cell_bytes(t, c), false), c->role != CELL_PARAMETER, form[i]);
        write_cell_comment(out, c);
        text_char(out, '\n');
    }
    text_printf(out,
                "};\n"
                "static int nn_%s_locate(const nnc%s_context *ctx, int cell, char **at, size_t "
                "*bytes%s) {\n"
                "    const nn_place *place;\n"
                "    char *region;\n"
                "    if (!ctx || cell < 0 || cell >= %d) return NNC_E_ARGUMENT;\n"
                "    place = &nn_%s_places[cell];\n"
                "    region = (char *)(place->in_state ? ctx->state : ctx->weights);\n"
                "    if (!region) return NNC_E_WORKSPACE;\n"
                "    *at = region + place->offset;\n"
                "    *bytes = (size_t)place->bytes;\n",
                prefix, t->w->options->family, forms ? ", nn_stored *form" : "", root->cells.count,
                prefix);
    if (forms)
        text_printf(out, "    if (place->form) *form = nn_%s_forms[place->form - 1];\n", prefix);
    text_append(out, "    return NNC_OK;\n}\n");
}

/* ---- and when dims have: a switch ---- */

static void write_locate(TableWriter *t, const char *prefix, bool forms) {
    SourceWriter *w = t->w;
    Text *out = w->out;
    const Root *root = t->root->root->root;
    if (places_are_constant(t)) {
        write_places(t, prefix, forms);
        return;
    }
    text_printf(
        out,
        "static int nn_%s_locate(const nnc%s_context *ctx, int cell, char **at, size_t *bytes%s) "
        "{\n",
        prefix, w->options->family, forms ? ", nn_stored *form" : "");
    text_append(out, "    if (!ctx) return NNC_E_ARGUMENT;\n");
    write_state_dims(t, prefix);
    text_append(
        out,
        "    char *const nn_weights = (char *)ctx->weights, *const nn_state = (char *)ctx->state;\n"
        "    (void)nn_weights, (void)nn_state, (void)at, (void)bytes;\n");
    text_append(out, "    switch (cell) {\n");
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *c = root->cells.data[i];
        const char *region = c->role == CELL_PARAMETER ? "weights" : "state";
        const Dim *n = cell_bytes(t, c);
        text_printf(out, "    case %d: ", i);
        write_cell_comment(out, c);
        text_char(out, '\n');
        text_printf(out, "        if (!nn_%s) return NNC_E_WORKSPACE;\n", region);
        text_printf(out, "        *at = nn_%s + %s;\n", region,
                    dim_text(t, t->root->cells[i].offset, false));
        text_printf(out, "        *bytes = (size_t)(%s);\n", dim_text(t, n, false));
        const Layout *l = kernel_cell_layout(w->plan->kernels, c);
        if (l) {
            text_printf(out, "        form->count = %d, form->rank = %d;\n", l->count,
                        c->type.shape.rank);
            for (int k = 0; k < l->count; k++)
                text_printf(out,
                            "        form->axes[%d][0] = %d, form->axes[%d][1] = %lld, "
                            "form->axes[%d][2] = %s;\n",
                            k, l->axes[k].axis, k, (long long)l->axes[k].divide, k,
                            dim_text(t, l->axes[k].extent, false));
            for (int k = 0; k < c->type.shape.rank; k++)
                text_printf(out, "        form->dims[%d] = %s;\n", k,
                            dim_text(t, c->type.shape.dims[k], false));
        }
        text_append(out, "        return NNC_OK;\n");
    }
    text_append(out, "    default: return NNC_E_ARGUMENT;\n    }\n}\n");
}

static void write_get_set(TableWriter *t, const char *prefix) {
    Text *out = t->w->out;
    const Root *root = t->root->root->root;
    bool forms = has_stored_forms(t->w, root), cuda = source_is_cuda(t->w);
    if (forms) text_append(out, stored_code);
    write_locate(t, prefix, forms);
    const char *family = t->w->options->family;
    for (int set = 0; set < 2; set++) {
        text_printf(
            out,
            "static int nn_%s_%s(%snnc%s_context *ctx, int cell, %svoid *data, size_t bytes) {\n",
            prefix, set ? "set" : "get", cuda ? "" : "const ", family, set ? "const " : "");
        text_append(out, "    char *at = NULL;\n    size_t need = 0;\n");
        if (forms) text_append(out, "    nn_stored form = {0};\n");
        text_printf(out, "    int code = nn_%s_locate(ctx, cell, &at, &need%s);\n", prefix,
                    forms ? ", &form" : "");
        text_append(out, "    if (code) return code;\n");
        if (set) /* A gradient that is None reads as zeros. */
            text_printf(out,
                        "    if (!data && nn_%s_cells[cell].role == NNC_GRADIENT) {\n"
                        "%s    }\n",
                        prefix,
                        cuda ? "        return nn_clear(ctx, at, need);\n"
                             : "        memset(at, 0, need);\n        return NNC_OK;\n");
        text_append(out, "    if (bytes != need || (!data && need)) return NNC_E_ARGUMENT;\n"
                         "    if (!need) return NNC_OK;\n");
        if (forms) {
            text_append(out,
                        "    if (form.count) {\n        const size_t element = need / (size_t)(1");
            for (int k = 0; k < SHAPE_MAX_RANK; k++)
                text_printf(out, "\n            * (form.rank > %d ? form.dims[%d] : 1)", k, k);
            text_append(out, ");\n");
            text_printf(out, "        nn_convert(&form, at, (char *)data, element, %d);\n", !set);
            text_append(out, "        return NNC_OK;\n    }\n");
        }
        text_printf(out,
                    cuda ? "    return nn_copy(ctx, %s, %s, need);\n}\n"
                         : "    memcpy(%s, %s, need);\n    return NNC_OK;\n}\n",
                    set ? "at" : "data", set ? "data" : "at");
    }
    text_append(out, "\n");
}

/* ---- entries ---- */

static void write_tensors(TableWriter *t, const char *name, bool results) {
    Text *out = t->w->out;
    const Entry *e = t->entry;
    int count = results ? e->results.count : e->arguments.count;
    text_printf(out, "static const nnc_tensor_info %s_%s[] = {\n", name,
                results ? "results" : "arguments");
    for (int i = 0; i < count; i++) {
        const TensorType *type =
            results ? &e->results.data[i].node->type : &e->arguments.data[i].node->type;
        text_append(out, "    {");
        emit_string(out, (results ? e->results.data[i].name : e->arguments.data[i].name)->text);
        text_printf(out, ", %s, %d, ", emit_abi_dtype(type->dtype), type->shape.rank);
        write_shape(t, results ? &type->shape : &e->arguments.data[i].shape);
        text_append(out, "},\n");
    }
    if (!count) text_append(out, "    {NULL, 0, 0, {0}},\n");
    text_append(out, "};\n");
}

static void write_shape_function(TableWriter *t, const char *name) {
    Text *out = t->w->out;
    const Entry *e = t->entry;
    text_printf(out,
                "static int %s_shape(const int64_t *dims, int which, int64_t *out) {\n"
                "    (void)dims, (void)out;\n    switch (which) {\n",
                name);
    for (int i = 0; i < e->arguments.count + e->results.count; i++) {
        bool result = i >= e->arguments.count;
        const TensorType *type = result ? &e->results.data[i - e->arguments.count].node->type
                                        : &e->arguments.data[i].node->type;
        text_printf(out, "    case %d:\n", i);
        for (int k = 0; k < type->shape.rank; k++)
            text_printf(out, "        out[%d] = %s;\n", k, dim_text(t, type->shape.dims[k], true));
        text_append(out, "        return NNC_OK;\n");
    }
    text_append(out, "    default: return NNC_E_ARGUMENT;\n    }\n}\n");
}

/* What is handed over by pointer to pointer; the entry itself knows only what stands there. */
static void write_null_checks(TableWriter *t) {
    Text *out = t->w->out;
    const Entry *e = t->entry;
    text_append(out, "    if (!ctx) return NNC_E_ARGUMENT;\n");
    const struct {
        const char *name;
        int count;
    } arrays[] = {
        {"dims", e->dims.count}, {"arguments", e->arguments.count}, {"results", e->results.count}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (arrays[i].count)
            text_printf(out, "    if (!%s) return nn_fail(ctx, NNC_E_ARGUMENT, \"%s is NULL\");\n",
                        arrays[i].name, arrays[i].name);
    for (int i = 0; i < e->arguments.count; i++) {
        const Argument *a = &e->arguments.data[i];
        if (a->node->type.shape.rank) continue;
        text_printf(out, "    if (!arguments[%d]) return nn_fail(ctx, NNC_E_ARGUMENT, ", i);
        emit_string(out, arena_printf(t->w->arena, "%s is NULL", a->name->text));
        text_append(out, ");\n");
    }
}

static void write_wrappers(TableWriter *t, const char *name) {
    Text *out = t->w->out;
    const Entry *e = t->entry;
    const char *symbol = emit_entry_symbol(t->w->arena, t->w->options, t->root->root->root, e);
    text_printf(out,
                "static size_t %s_bytes(const int64_t *dims) {\n    (void)dims;\n"
                "    return %s_workspace_bytes(",
                name, symbol);
    for (int i = 0; i < e->dims.count; i++) text_printf(out, "%sdims[%d]", i ? ", " : "", i);
    text_append(out, ");\n}\n");
    text_printf(out,
                "static int %s_call(nnc%s_context *ctx, const int64_t *dims,\n"
                "        const void *const *arguments, void *const *results) {\n"
                "    (void)dims, (void)arguments, (void)results;\n",
                name, t->w->options->family);
    write_null_checks(t);
    text_printf(out, "    return %s(ctx", symbol);
    for (int i = 0; i < e->dims.count; i++) text_printf(out, ", dims[%d]", i);
    for (int i = 0; i < e->arguments.count; i++) {
        const TensorType *type = &e->arguments.data[i].node->type;
        text_printf(out, ", %s(const %s *)arguments[%d]", type->shape.rank ? "" : "*",
                    emit_c_type(type->dtype), i);
    }
    for (int i = 0; i < e->results.count; i++)
        text_printf(out, ", (%s *)results[%d]", emit_c_type(e->results.data[i].node->type.dtype),
                    i);
    text_append(out, ");\n}\n");
}

static bool is_public(const Entry *e) {
    return e->kind == ENTRY_INFER || e->kind == ENTRY_TRAIN;
}

static const char *table_name(TableWriter *t, const Entry *e) {
    return arena_printf(t->w->arena, "nn_e_%s",
                        emit_entry_symbol(t->w->arena, t->w->options, t->root->root->root, e));
}

static int write_entries(TableWriter *t, const char *prefix) {
    Text *out = t->w->out;
    int count = 0;
    for (int i = 0; i < t->root->entries.count; i++) {
        const Entry *e = t->root->entries.data[i]->entry->entry;
        if (!is_public(e)) continue;
        const char *name = table_name(t, e);
        t->entry = e;
        text_printf(out, "static const char *const %s_dims[] = {", name);
        for (int k = 0; k < e->dims.count; k++) {
            const DimSymbol *s = dim_as_symbol(e->dims.data[k]);
            emit_string(out, s ? s->name->text : "");
            text_append(out, ", ");
        }
        text_append(out, "NULL};\n");
        write_tensors(t, name, false);
        write_tensors(t, name, true);
        write_shape_function(t, name);
        write_wrappers(t, name);
        t->entry = NULL;
        count++;
    }
    text_printf(out, "static const nnc%s_entry_info nn_%s_entries[] = {\n", t->w->options->family,
                prefix);
    for (int i = 0; i < t->root->entries.count; i++) {
        const Entry *e = t->root->entries.data[i]->entry->entry;
        if (!is_public(e)) continue;
        const char *name = table_name(t, e);
        text_append(out, "    {");
        emit_string(out, e->name->text);
        text_append(out, ", ");
        emit_string(out, emit_entry_symbol(t->w->arena, t->w->options, t->root->root->root, e));
        text_printf(out,
                    ", %d, %d, %d, %d, %s_dims,\n     %s_arguments, %s_results, %s_shape, "
                    "%s_bytes, %s_call, ",
                    e->kind == ENTRY_TRAIN, e->dims.count, e->arguments.count, e->results.count,
                    name, name, name, name, name, name);
        if (e->doc)
            emit_string(out, e->doc);
        else
            text_append(out, "NULL");
        text_append(out, "},\n");
    }
    if (!count)
        text_append(out,
                    "    {NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL},\n");
    text_append(out, "};\n\n");
    return count;
}

void source_tables(SourceWriter *w, const RootPlan *root) {
    Text *out = w->out;
    const Root *r = root->root->root;
    const char *prefix = emit_prefix(w->arena, w->options, r);
    TableWriter table = {w, root, NULL};
    TableWriter *t = &table;
    write_cells(t, prefix);
    write_get_set(t, prefix);
    int entries = write_entries(t, prefix), states = root->state_symbols.count;
    text_printf(out,
                "static size_t nn_%s_state(const int64_t *dims) {\n    (void)dims;\n"
                "    return %s_state_bytes(",
                prefix, prefix);
    for (int i = 0; i < states; i++) text_printf(out, "%sdims[%d]", i ? ", " : "", i);
    text_printf(
        out,
        ");\n}\nstatic int nn_%s_init(nnc%s_context *ctx, uint64_t seed, const int64_t *dims) {\n"
        "    (void)dims;\n    return %s_init(ctx, seed",
        prefix, w->options->family, prefix);
    for (int i = 0; i < states; i++) text_printf(out, ", dims[%d]", i);
    text_append(out, ");\n}\n");
    bool has_init = root_entry(root, ENTRY_INIT) != NULL;
    if (has_init) {
        text_printf(out,
                    "static size_t nn_%s_init_workspace(const int64_t *dims) {\n    (void)dims;\n"
                    "    return %s_init_workspace_bytes(",
                    prefix, prefix);
        for (int i = 0; i < states; i++) text_printf(out, "%sdims[%d]", i ? ", " : "", i);
        text_append(out, ");\n}\n");
    }
    text_printf(out, "static const char *const nn_%s_init_dims[] = {", prefix);
    for (int i = 0; i < states; i++) {
        emit_string(out, root->state_symbols.data[i]->name->text);
        text_append(out, ", ");
    }
    text_append(out, "NULL};\n");
    const char *weights =
        arena_printf(w->arena, "(size_t)%s", dim_text(t, root->weights_bytes, false));
    const char *init_workspace =
        has_init ? arena_printf(w->arena, "nn_%s_init_workspace", prefix) : "NULL";
    if (!source_is_cuda(w))
        text_printf(
            out,
            "static int nn_%s_set_cell(nnc_context *ctx, int cell, const void *data, size_t "
            "bytes) {\n    return nn_%s_set(ctx, cell, data, bytes);\n}\n",
            prefix, prefix);
    text_printf(out,
                "const nnc%s_model *%s_model(void) {\n    static const nnc%s_model model = {\n",
                w->options->family, prefix, w->options->family);
    text_printf(out, "        %s, ", source_is_cuda(w) ? "NNC_CUDA_ABI" : "NNC_ABI");
    emit_string(out, prefix);
    text_append(out, ", ");
    emit_string(out, w->options->source_name);
    text_printf(out, ", %d, %d, %d, %d,\n        nn_%s_cells, nn_%s_entries, %s, ", r->is_train,
                r->cells.count, entries, states, prefix, prefix, weights);
    if (source_is_cuda(w))
        text_printf(out,
                    "nn_%s_state,\n        nn_%s_init, nn_%s_get, nn_%s_set, %s_wait, %s_close, "
                    "nn_%s_init_dims, %s};\n",
                    prefix, prefix, prefix, prefix, prefix, prefix, prefix, init_workspace);
    else
        text_printf(out,
                    "0, nn_%s_state,\n        nn_%s_init, %s_prepare, nn_%s_get, nn_%s_set_cell, "
                    "NULL, nn_%s_init_dims,\n        %s};\n",
                    prefix, prefix, prefix, prefix, prefix, prefix, init_workspace);
    text_append(out, "    return &model;\n}\n\n");
}
