/* Printer of the textual IR (ir.h).  Output depends on the graph alone. */
#include <string.h>

#include "tensor/ir.h"

typedef struct Printer {
    Text *out;
    int flags;
    int depth;
} Printer;

static const char *const role_names[] = {"parameter", "buffer",    "state",
                                         "gradient",  "optimizer", "scalar"};
static const char *const entry_kind_names[] = {"infer", "train", "init", "reset"};

const char *ir_role_name(CellRole role) {
    return role_names[role];
}

const char *ir_entry_kind_name(EntryKind kind) {
    return entry_kind_names[kind];
}

bool ir_is_plain_name(const char *text) {
    if (!*text) return false;
    for (const char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
              *c == '_' || *c == '.'))
            return false;
    return true;
}

static void print_indent(Printer *p) {
    for (int i = 0; i < p->depth; i++) text_append(p->out, "  ");
}

/* Double quotes, and backslash before quote, backslash and line ends. */
static void print_string(Printer *p, const char *text) {
    text_char(p->out, '"');
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '"' || *c == '\\') text_char(p->out, '\\');
        if (*c == '\n')
            text_append(p->out, "\\n");
        else
            text_char(p->out, *c);
    }
    text_char(p->out, '"');
}

static void print_name(Printer *p, const char *text) {
    if (ir_is_plain_name(text))
        text_append(p->out, text);
    else
        print_string(p, text);
}

static void print_dims(Printer *p, const char *key, const Dim *const *dims, int count) {
    text_printf(p->out, " %s=[", key);
    for (int i = 0; i < count; i++) {
        if (i) text_append(p->out, ", ");
        dim_print(p->out, dims[i]);
    }
    text_char(p->out, ']');
}

static void print_integers(Printer *p, const char *key, const int64_t *values, int count) {
    text_printf(p->out, " %s=[", key);
    for (int i = 0; i < count; i++)
        text_printf(p->out, "%s%lld", i ? ", " : "", (long long)values[i]);
    text_char(p->out, ']');
}

static void print_axes(Printer *p, const int *axes, int count) {
    int64_t values[SHAPE_MAX_RANK];
    for (int i = 0; i < count; i++) values[i] = axes[i];
    print_integers(p, "axes", values, count);
}

static void print_constant(Printer *p, const Node *node) {
    const ConstAttr *c = &node->attr.constant;
    bool is_float = dtype_is_float(node->type.dtype);
    text_char(p->out, ' ');
    if (!c->data) {
        if (is_float)
            text_double(p->out, c->value);
        else
            text_integer(p->out, c->integer);
        return;
    }
    int64_t count = 1, extent;
    for (int i = 0; i < node->type.shape.rank; i++)
        if (dim_is_const(node->type.shape.dims[i], &extent)) count *= extent;
    text_char(p->out, '[');
    for (int64_t i = 0; i < count; i++) {
        if (i) text_append(p->out, ", ");
        if (is_float)
            text_double(p->out, ((const double *)c->data)[i]);
        else
            text_integer(p->out, ((const int64_t *)c->data)[i]);
    }
    text_char(p->out, ']');
}

static void print_labels(Printer *p, const int8_t *labels, int count) {
    for (int i = 0; i < count; i++) text_char(p->out, (char)('a' + labels[i]));
}

static void print_body(Printer *p, const Graph *g);

static void print_attributes(Printer *p, const Node *node) {
    Text *out = p->out;
    int rank = node->type.shape.rank;
    int in_rank = node->input_count ? node->inputs[0]->type.shape.rank : 0;
    switch ((int)node->op) {
    case OP_INPUT:
        text_char(out, ' ');
        print_name(p, node->attr.input.name->text);
        break;
    case OP_CELL:
        text_char(out, ' ');
        print_name(p, node->attr.cell->name->text);
        break;
    case OP_CONST: print_constant(p, node); break;
    case OP_IOTA:
    case OP_CONCAT: text_printf(out, " axis=%d", node->attr.axis); break;
    case OP_DIM:
        text_char(out, ' ');
        dim_print(out, node->attr.dim);
        break;
    case OP_RANDOM:
        text_printf(out, " site=%lu", (unsigned long)node->attr.random.site);
        if (node->attr.random.where[0]) {
            text_append(out, " where=");
            print_string(p, node->attr.random.where);
        }
        if (node->attr.random.at_init) text_append(out, " at_init");
        break;
    case OP_PERMUTE: print_axes(p, node->attr.axes, rank); break;
    case OP_EXPAND: print_axes(p, node->attr.axes, in_rank); break;
    case OP_SLICE:
        print_dims(p, "begin", node->attr.slice->begin, rank);
        print_integers(p, "step", node->attr.slice->step, rank);
        break;
    case OP_PAD:
        print_dims(p, "low", node->attr.pad->low, rank);
        print_dims(p, "high", node->attr.pad->high, rank);
        break;
    case OP_UNFOLD:
        text_printf(out, " axis=%d size=%lld stride=%lld dilation=%lld", node->attr.window.axis,
                    (long long)node->attr.window.size, (long long)node->attr.window.stride,
                    (long long)node->attr.window.dilation);
        break;
    case OP_FOLD:
        text_printf(out, " axis=%d extent=", node->attr.window.axis);
        dim_print(out, node->attr.window.extent);
        text_printf(out, " stride=%lld dilation=%lld", (long long)node->attr.window.stride,
                    (long long)node->attr.window.dilation);
        break;
    case OP_REDUCE: {
        int64_t axes[SHAPE_MAX_RANK];
        int count = 0;
        for (int i = 0; i < in_rank; i++)
            if (node->attr.reduce.axes >> i & 1) axes[count++] = i;
        text_printf(out, " kind=%s", reduce_name(node->attr.reduce.kind));
        print_integers(p, "axes", axes, count);
        break;
    }
    case OP_CONTRACT:
        text_append(out, " labels=");
        print_labels(p, node->attr.contract.a, in_rank);
        text_char(out, ',');
        print_labels(p, node->attr.contract.b, node->inputs[1]->type.shape.rank);
        text_append(out, "->");
        print_labels(p, node->attr.contract.out, rank);
        break;
    case OP_PREFIX:
        text_printf(out, " kind=%s axis=%d%s", reduce_name(node->attr.prefix.kind),
                    node->attr.prefix.axis, node->attr.prefix.reverse ? " reverse" : "");
        break;
    case OP_ARGSORT:
        text_printf(out, " axis=%d%s", node->attr.sort.axis,
                    node->attr.sort.descending ? " descending" : "");
        break;
    case OP_GATHER:
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET: text_printf(out, " batch=%d", node->attr.batch); break;
    case OP_DYNAMIC_SLICE:
        text_printf(out, " axis=%d extent=", node->attr.dynamic.axis);
        dim_print(out, node->attr.dynamic.extent);
        break;
    case OP_DYNAMIC_UPDATE: text_printf(out, " axis=%d", node->attr.dynamic.axis); break;
    case OP_PROJ: text_printf(out, " index=%d", node->attr.index); break;
    case OP_CALL:
        text_append(out, " name=");
        print_name(p, node->attr.call.name->text);
        if (node->attr.call.vjp) {
            int64_t *wrt = NEW_ARRAY(out->arena, (size_t)node->attr.call.wrt_count, int64_t);
            for (int i = 0; i < node->attr.call.wrt_count; i++) wrt[i] = node->attr.call.wrt[i];
            print_integers(p, "wrt", wrt, node->attr.call.wrt_count);
        }
        break;
    case OP_SCAN:
        text_printf(out, " carries=%d sequences=%d invariants=%d length=", node->attr.scan.carries,
                    node->attr.scan.sequences, node->attr.scan.invariants);
        dim_print(out, node->attr.scan.length);
        if (node->attr.scan.reverse) text_append(out, " reverse");
        break;
    default: break;
    }
    if (node->no_grad) text_append(out, " no_grad");
}

static void print_place(Printer *p, const Node *node) {
    if (!(p->flags & IR_PLACES)) return;
    if (!node->path[0] && !node->span.file) return;
    text_append(p->out, "  #");
    if (node->path[0]) text_printf(p->out, " %s", node->path);
    if (node->span.file)
        text_printf(p->out, " %s:%d", node->span.file->path, span_line(node->span));
}

static void print_node(Printer *p, const Node *node) {
    print_indent(p);
    text_printf(p->out, "%%%d", node->id);
    if (node->op != OP_CALL && node->op != OP_SCAN) {
        text_append(p->out, ": ");
        type_print(p->out, &node->type);
    }
    text_printf(p->out, " = %s", op_info(node->op)->name);
    for (int i = 0; i < node->input_count; i++)
        text_printf(p->out, "%s%%%d", i ? ", " : " ", node->inputs[i]->id);
    print_attributes(p, node);
    const Graph *body = node->op == OP_CALL   ? node->attr.call.body
                        : node->op == OP_SCAN ? node->attr.scan.body
                                              : NULL;
    if (body) {
        text_append(p->out, " {");
        print_place(p, node);
        text_char(p->out, '\n');
        print_body(p, body);
        if (node->op == OP_CALL && node->attr.call.vjp) {
            text_append(p->out, " vjp {\n");
            print_body(p, node->attr.call.vjp);
        }
    } else {
        print_place(p, node);
    }
    text_char(p->out, '\n');
}

static void print_nodes(Printer *p, const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) print_node(p, g->nodes.data[i]);
}

static void print_returns(Printer *p, const Graph *g) {
    print_indent(p);
    text_append(p->out, "return");
    for (int i = 0; i < g->results.count; i++)
        text_printf(p->out, "%s%%%d", i ? ", " : " ", g->results.data[i]->id);
    text_char(p->out, '\n');
}

/* Nodes, results and the closing brace of a subgraph; the opening one is on the line before. */
static void print_body(Printer *p, const Graph *g) {
    p->depth++;
    print_nodes(p, g);
    print_returns(p, g);
    p->depth--;
    print_indent(p);
    text_char(p->out, '}');
}

static void print_cell(Printer *p, const Cell *cell) {
    print_indent(p);
    text_append(p->out, "cell ");
    print_name(p, cell->name->text);
    text_append(p->out, ": ");
    type_print(p->out, &cell->type);
    text_printf(p->out, " %s%s", ir_role_name(cell->role), cell->unsaved ? " unsaved" : "");
    if (cell->gradient_of) {
        text_append(p->out, " of=");
        print_name(p, cell->gradient_of->name->text);
    }
    if (cell->alias_count) {
        text_append(p->out, " alias=[");
        for (int i = 0; i < cell->alias_count; i++) {
            if (i) text_append(p->out, ", ");
            print_name(p, cell->aliases[i]->text);
        }
        text_char(p->out, ']');
    }
    if (cell->default_value) {
        text_append(p->out, " default=");
        text_double(p->out, cell->default_number);
    }
    text_char(p->out, '\n');
}

static bool symbol_has_facts(const DimTable *dims, const DimSymbol *s) {
    return s->lower != 0 || s->upper != INT64_MAX || dim_symbol_divisor(dims, s) != 1;
}

static void print_symbol(Printer *p, const DimTable *dims, const DimSymbol *s) {
    print_name(p, s->name->text);
    if (s->lower != 0 || s->upper != INT64_MAX) {
        text_printf(p->out, " in %lld..", (long long)s->lower);
        if (s->upper != INT64_MAX) text_integer(p->out, s->upper);
    }
    int64_t divisor = dim_symbol_divisor(dims, s);
    if (divisor != 1) text_printf(p->out, " %% %lld", (long long)divisor);
}

/* Marks the symbols that d mentions. */
static void mark_symbols(const Dim *d, bool *marks) {
    for (int i = 0; d && i < d->term_count; i++) {
        for (int j = 0; j < d->terms[i].factor_count; j++) {
            const DimAtom *atom = d->terms[i].factors[j].atom;
            if (atom->kind == DIM_ATOM_SYMBOL) {
                marks[atom->symbol->index] = true;
            } else {
                mark_symbols(atom->left, marks);
                mark_symbols(atom->right, marks);
            }
        }
    }
}

/* A lone graph states what is known of the symbols in its types, and the cells that it reads. */
static void print_graph_head(Printer *p, const Graph *g) {
    int count = dim_symbol_count(g->dims), printed = 0;
    bool *marks = NEW_ARRAY(p->out->arena, (size_t)count, bool);
    for (int i = 0; i < g->nodes.count; i++) {
        const Shape *s = &g->nodes.data[i]->type.shape;
        for (int j = 0; j < s->rank; j++) mark_symbols(s->dims[j], marks);
    }
    for (int i = 0; i < count; i++) {
        const DimSymbol *s = dim_symbol_at(g->dims, i);
        if (!marks[i] || !symbol_has_facts(g->dims, s)) continue;
        if (!printed) print_indent(p);
        text_append(p->out, printed++ ? ", " : "dims ");
        print_symbol(p, g->dims, s);
    }
    if (printed) text_char(p->out, '\n');
    VECTOR(const Cell *) cells = {0};
    for (int i = 0; i < g->nodes.count; i++) {
        if (g->nodes.data[i]->op != OP_CELL) continue;
        const Cell *cell = g->nodes.data[i]->attr.cell;
        bool known = false;
        for (int j = 0; j < cells.count; j++) known |= cells.data[j] == cell;
        if (known) continue;
        vector_push(p->out->arena, &cells, cell);
        if (!cell->gradient_of) continue;
        for (int j = 0; j < cells.count; j++) known |= cells.data[j] == cell->gradient_of;
        if (known) continue;
        vector_last(&cells) = cell->gradient_of;
        vector_push(p->out->arena, &cells, cell);
    }
    for (int i = 0; i < cells.count; i++) print_cell(p, cells.data[i]);
}

void graph_print(Text *out, const Graph *g, int flags) {
    Printer p = {out, flags, 1};
    text_append(out, "graph {\n");
    print_graph_head(&p, g);
    print_nodes(&p, g);
    print_returns(&p, g);
    text_append(out, "}\n");
}

static void print_check(Printer *p, const Check *check) {
    print_indent(p);
    if (check->kind == CHECK_DIM) {
        text_append(p->out, "check dim ");
        dim_print(p->out, check->left);
        text_append(p->out, check->relation == '<'   ? " <= "
                            : check->relation == '%' ? " % "
                                                     : " = ");
        dim_print(p->out, check->right);
    } else {
        text_printf(p->out, "check range %%%d in ", check->node->id);
        dim_print(p->out, check->low);
        text_append(p->out, "..");
        dim_print(p->out, check->high);
        if (check->has_ignore) text_printf(p->out, " ignore=%lld", (long long)check->ignore);
    }
    text_char(p->out, ' ');
    print_string(p, check->message);
    if (check->argument) {
        text_append(p->out, " argument=");
        print_name(p, check->argument->text);
    }
    text_char(p->out, '\n');
}

static void print_entry(Printer *p, const Entry *entry) {
    print_indent(p);
    text_printf(p->out, "entry %s ", ir_entry_kind_name(entry->kind));
    print_name(p, entry->name->text);
    text_append(p->out, " symbol=");
    print_name(p, entry->symbol);
    text_append(p->out, entry->uses_random ? " random {\n" : " {\n");
    p->depth++;
    const DimTable *dims = entry->graph->dims;
    for (int i = 0; i < entry->dims.count; i++) {
        if (i == 0) print_indent(p);
        text_append(p->out, i ? ", " : "dims ");
        print_symbol(p, dims, dim_as_symbol(entry->dims.data[i]));
    }
    if (entry->dims.count) text_char(p->out, '\n');
    print_nodes(p, entry->graph);
    print_indent(p);
    text_append(p->out, "return");
    for (int i = 0; i < entry->results.count; i++) {
        text_append(p->out, i ? ", " : " ");
        print_name(p, entry->results.data[i].name->text);
        text_printf(p->out, "=%%%d", entry->results.data[i].node->id);
    }
    text_char(p->out, '\n');
    for (int i = 0; i < entry->writes.count; i++) {
        print_indent(p);
        text_append(p->out, "write ");
        print_name(p, entry->writes.data[i].cell->name->text);
        text_printf(p->out, "=%%%d\n", entry->writes.data[i].node->id);
    }
    for (int i = 0; i < entry->checks.count; i++) print_check(p, &entry->checks.data[i]);
    p->depth--;
    print_indent(p);
    text_append(p->out, "}\n");
}

static void print_root(Printer *p, const Root *root) {
    print_indent(p);
    text_append(p->out, "root ");
    print_name(p, root->name->text);
    text_append(p->out, root->is_train ? " train {\n" : " infer {\n");
    p->depth++;
    for (int i = 0; i < root->cells.count; i++) print_cell(p, root->cells.data[i]);
    for (int i = 0; i < root->entries.count; i++) print_entry(p, root->entries.data[i]);
    p->depth--;
    print_indent(p);
    text_append(p->out, "}\n");
}

void entry_print(Text *out, const Entry *entry, int flags) {
    print_entry(&(Printer){out, flags, 0}, entry);
}

void root_print(Text *out, const Root *root, int flags) {
    print_root(&(Printer){out, flags, 0}, root);
}

void program_print(Text *out, const Program *program, int flags) {
    for (int i = 0; i < program->roots.count; i++) root_print(out, program->roots.data[i], flags);
}
