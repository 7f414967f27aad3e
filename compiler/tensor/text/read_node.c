/* One line of the textual IR: a node with its operands, attributes and bodies. */
#include <string.h>

#include "tensor/build.h"
#include "tensor/text/read_internal.h"

/* Every attribute that a line may state; `given` has a bit per key. */
typedef struct Attributes {
    uint64_t given;
    int64_t axis, size, stride, dilation, batch, index, site, carries, sequences, invariants;
    int64_t axes[64], step[64], wrt[64];
    int axes_count, step_count, wrt_count;
    const Dim *begin[SHAPE_MAX_RANK], *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    int begin_count, low_count, high_count;
    const Dim *extent, *length;
    Name kind, name;
    const char *labels, *where;
    bool reverse, descending, at_init, no_grad;
} Attributes;

typedef enum KeyForm {
    KEY_INT,
    KEY_INTS,
    KEY_DIM,
    KEY_DIMS,
    KEY_NAME,
    KEY_RAW,
    KEY_TEXT,
    KEY_FLAG
} KeyForm;

typedef struct Key {
    const char *name;
    KeyForm form;
    size_t offset, count_offset;
} Key;

#define AT(field) offsetof(Attributes, field)
static const Key keys[] = {
    {"axis", KEY_INT, AT(axis), 0},
    {"size", KEY_INT, AT(size), 0},
    {"stride", KEY_INT, AT(stride), 0},
    {"dilation", KEY_INT, AT(dilation), 0},
    {"batch", KEY_INT, AT(batch), 0},
    {"index", KEY_INT, AT(index), 0},
    {"site", KEY_INT, AT(site), 0},
    {"carries", KEY_INT, AT(carries), 0},
    {"sequences", KEY_INT, AT(sequences), 0},
    {"invariants", KEY_INT, AT(invariants), 0},
    {"axes", KEY_INTS, AT(axes), AT(axes_count)},
    {"step", KEY_INTS, AT(step), AT(step_count)},
    {"wrt", KEY_INTS, AT(wrt), AT(wrt_count)},
    {"begin", KEY_DIMS, AT(begin), AT(begin_count)},
    {"low", KEY_DIMS, AT(low), AT(low_count)},
    {"high", KEY_DIMS, AT(high), AT(high_count)},
    {"extent", KEY_DIM, AT(extent), 0},
    {"length", KEY_DIM, AT(length), 0},
    {"kind", KEY_NAME, AT(kind), 0},
    {"name", KEY_NAME, AT(name), 0},
    {"labels", KEY_RAW, AT(labels), 0},
    {"where", KEY_TEXT, AT(where), 0},
    {"reverse", KEY_FLAG, AT(reverse), 0},
    {"descending", KEY_FLAG, AT(descending), 0},
    {"at_init", KEY_FLAG, AT(at_init), 0},
    {"no_grad", KEY_FLAG, AT(no_grad), 0},
};
#undef AT
enum { KEY_COUNT = sizeof keys / sizeof *keys };

static bool given(const Attributes *a, const char *name) {
    for (int i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0) return a->given >> i & 1;
    return false;
}

static void read_value(Reader *r, const Key *key, Attributes *a) {
    void *field = (char *)a + key->offset;
    int *count = (int *)(void *)((char *)a + key->count_offset);
    if (key->form == KEY_FLAG) {
        *(bool *)field = true;
        return;
    }
    reader_expect(r, "=");
    switch (key->form) {
    case KEY_INT: *(int64_t *)field = reader_integer(r); break;
    case KEY_DIM: *(const Dim **)field = reader_dim(r); break;
    case KEY_NAME: *(Name *)field = reader_name(r); break;
    case KEY_RAW: *(const char **)field = reader_raw(r); break;
    case KEY_TEXT: *(const char **)field = reader_string(r); break;
    case KEY_INTS:
    case KEY_DIMS: {
        int limit = key->form == KEY_INTS ? 64 : SHAPE_MAX_RANK;
        reader_expect(r, "[");
        *count = 0;
        while (!r->error && !reader_accept(r, "]")) {
            if (*count == limit) {
                reader_fail(r, "%s has more than %d elements", key->name, limit);
                return;
            }
            if (*count) reader_expect(r, ",");
            if (key->form == KEY_INTS)
                ((int64_t *)field)[*count] = reader_integer(r);
            else
                ((const Dim **)field)[*count] = reader_dim(r);
            ++*count;
        }
        break;
    }
    case KEY_FLAG: break;
    }
}

static void read_attributes(Reader *r, Attributes *a) {
    for (bool found = true; found && !r->error;) {
        found = false;
        for (int i = 0; i < KEY_COUNT && !found; i++) {
            if (!reader_accept_word(r, keys[i].name)) continue;
            found = true;
            a->given |= 1ULL << i;
            read_value(r, &keys[i], a);
        }
    }
}

/* ---- labels ---- */

Node *reader_label(Reader *r) {
    reader_expect(r, "%");
    Name name = reader_name(r);
    if (r->error) return NULL;
    for (int i = r->scope->labels.count - 1; i >= 0; i--)
        if (r->scope->labels.data[i]->name == name) return r->scope->labels.data[i]->node;
    reader_fail(r, "%%%s is not known here", name->text);
    return NULL;
}

static void define_label(Reader *r, Name name, Node *node) {
    for (int i = 0; i < r->scope->labels.count; i++)
        if (r->scope->labels.data[i]->name == name)
            reader_fail(r, "%%%s is defined twice", name->text);
    Label *label = NEW(r->arena, Label);
    label->name = name;
    label->node = node;
    vector_push(r->arena, &r->scope->labels, label);
    /* A numeric label is the node's id wherever ids stay in order. */
    int64_t id;
    if (text_parse_int(name->text, name->length, &id) && id > node->id && id < INT32_MAX)
        node->id = (int)id;
}

/* ---- operators with special forms ---- */

static void complain(void *user, const char *message) {
    reader_fail(user, "%s", message);
}

static Graph *read_subgraph(Reader *r) {
    Graph *g = graph_new(r->arena, r->dims);
    g->complain = complain;
    g->complain_user = r;
    Scope scope = {.outer = r->scope, .graph = g};
    r->scope = &scope;
    if (++r->depth > 100) reader_fail(r, "subgraphs nested too deeply");
    reader_expect(r, "{");
    while (reader_node(r)) {
    }
    if (!r->error && !reader_accept_word(r, "return")) reader_fail(r, "expected 'return'");
    while (reader_accept(r, g->results.count ? "," : "")) {
        Node *node = reader_label(r);
        if (r->error) break;
        vector_push(r->arena, &g->results, node);
    }
    reader_expect(r, "}");
    r->depth--;
    r->scope = scope.outer;
    for (int i = 0; i < g->nodes.count; i++) g->nodes.data[i]->info = NULL;
    g->complain = NULL;
    g->complain_user = NULL;
    return g;
}

/* The builder adds PROJ nodes at once; here they stand on lines of their own. */
static Node *keep_alone(Reader *r, Node *node, Node **out) {
    if (!node) return NULL;
    Graph *g = r->scope->graph;
    while (vector_last(&g->nodes) != node) g->nodes.count--;
    node->info = out;
    return node;
}

static Node *read_call(Reader *r, Node **in, int count, const Attributes *a) {
    CallAttr call = {.name = a->name ? a->name : name_of("f"), .wrt_count = a->wrt_count};
    int *wrt = NEW_ARRAY(r->arena, (size_t)a->wrt_count, int);
    for (int i = 0; i < a->wrt_count; i++) wrt[i] = (int)a->wrt[i];
    call.wrt = wrt;
    call.body = read_subgraph(r);
    if (reader_accept_word(r, "vjp")) call.vjp = read_subgraph(r);
    if (r->error) return NULL;
    Node **out = NEW_ARRAY(r->arena, (size_t)call.body->results.count, Node *);
    return keep_alone(r, op_call(r->scope->graph, call, in, count, out), out);
}

static Node *read_scan(Reader *r, Node **in, int count, const Attributes *a) {
    ScanAttr scan = {.carries = (int)a->carries,
                     .sequences = (int)a->sequences,
                     .invariants = (int)a->invariants,
                     .length = a->length,
                     .reverse = a->reverse};
    if (!given(a, "invariants")) scan.invariants = count - scan.carries - scan.sequences;
    scan.body = read_subgraph(r);
    if (!r->error && !scan.length) {
        if (scan.sequences > 0 && scan.carries < count && in[scan.carries]->type.shape.rank)
            scan.length = in[scan.carries]->type.shape.dims[0];
        else
            reader_fail(r, "a scan without sequences states its length");
    }
    if (r->error) return NULL;
    Node **out = NEW_ARRAY(r->arena, (size_t)scan.body->results.count, Node *);
    return keep_alone(r, op_scan(r->scope->graph, scan, in, count, out), out);
}

static Node *read_projection(Reader *r, Node *from, const Attributes *a) {
    if (from->op != OP_CALL && from->op != OP_SCAN) {
        reader_fail(r, "proj of a %s", op_info(from->op)->name);
        return NULL;
    }
    int count = from->op == OP_CALL ? from->attr.call.body->results.count
                                    : from->attr.scan.body->results.count;
    if (a->index < 0 || a->index >= count) {
        reader_fail(r, "proj reads result %lld of %d", (long long)a->index, count);
        return NULL;
    }
    TensorType type = ((Node **)from->info)[a->index]->type;
    Node *node = graph_node(r->scope->graph, OP_PROJ, type, &from, 1);
    if (node) node->attr.index = (int)a->index;
    return node;
}

static Node *read_constant(Reader *r, const TensorType *type) {
    Graph *g = r->scope->graph;
    bool is_float = dtype_is_float(type->dtype);
    if (!reader_accept(r, "[")) {
        if (is_float) return op_const_float(g, reader_double(r), *type);
        int64_t value = reader_integer(r);
        return r->error ? NULL : op_const_int(g, value, *type);
    }
    VECTOR(int64_t) words = {0};
    while (!r->error && !reader_accept(r, "]")) {
        int64_t word = 0;
        if (words.count) reader_expect(r, ",");
        if (is_float) {
            double value = reader_double(r);
            memcpy(&word, &value, sizeof word);
        } else {
            word = reader_integer(r);
        }
        vector_push(r->arena, &words, word);
    }
    int64_t count;
    if (!r->error &&
        (!dim_is_const(shape_elements(r->dims, &type->shape), &count) || count != words.count))
        reader_fail(r, "%d elements do not fit the shape", words.count);
    return r->error ? NULL : op_const_data(g, words.data, *type);
}

static bool parse_labels(const char *text, int8_t labels[3][SHAPE_MAX_RANK], int counts[3]) {
    int part = 0;
    counts[0] = counts[1] = counts[2] = 0;
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == ',' && part == 0) {
            part = 1;
        } else if (*c == '-' && c[1] == '>' && part == 1) {
            part = 2;
            c++;
        } else {
            if (*c < 'a' || *c >= 'a' + CONTRACT_MAX_LABELS || counts[part] == SHAPE_MAX_RANK)
                return false;
            labels[part][counts[part]++] = (int8_t)(*c - 'a');
        }
    }
    return part == 2;
}

static Node *read_contraction(Reader *r, Node **in, const Attributes *a) {
    int8_t labels[3][SHAPE_MAX_RANK] = {{0}};
    int counts[3];
    if (!parse_labels(a->labels, labels, counts) || counts[0] != in[0]->type.shape.rank ||
        counts[1] != in[1]->type.shape.rank) {
        reader_fail(r, "labels=%s do not name the axes of the operands",
                    a->labels ? a->labels : "");
        return NULL;
    }
    return op_contract(r->scope->graph, in[0], in[1], labels[0], labels[1], labels[2], counts[2]);
}

static bool reduce_kind(Reader *r, const Attributes *a, ReduceKind *out) {
    for (int i = REDUCE_SUM; i <= REDUCE_ARGMIN && a->kind; i++) {
        if (strcmp(reduce_name((ReduceKind)i), a->kind->text)) continue;
        *out = (ReduceKind)i;
        return true;
    }
    reader_fail(r, "kind=%s is no reduction", a->kind ? a->kind->text : "");
    return false;
}

static bool axes_of(Reader *r, const Attributes *a, int count, int *axes) {
    if (a->axes_count != count) {
        reader_fail(r, "axes has %d elements instead of %d", a->axes_count, count);
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (a->axes[i] < 0 || a->axes[i] >= SHAPE_MAX_RANK) {
            reader_fail(r, "there is no axis %lld", (long long)a->axes[i]);
            return false;
        }
        axes[i] = (int)a->axes[i];
    }
    return true;
}

/* A list of one value per axis; `missing` for every axis where the key is not given. */
static bool dims_of(Reader *r, const char *key, const Dim *const *dims, int count, int rank,
                    const Dim **out) {
    for (int i = 0; i < rank; i++) out[i] = count ? dims[i < count ? i : 0] : dim_const(r->dims, 0);
    if (!count || count == rank) return true;
    reader_fail(r, "%s has %d elements for %d axes", key, count, rank);
    return false;
}

static Node *read_view(Reader *r, Op op, Node **in, int count, const TensorType *type,
                       const Attributes *a) {
    Graph *g = r->scope->graph;
    int rank = count ? in[0]->type.shape.rank : 0, axes[SHAPE_MAX_RANK];
    const Dim *low[SHAPE_MAX_RANK], *high[SHAPE_MAX_RANK];
    int64_t step[SHAPE_MAX_RANK];
    switch ((int)op) {
    case OP_RESHAPE: return op_reshape(g, in[0], type->shape);
    case OP_PERMUTE: return axes_of(r, a, rank, axes) ? op_permute(g, in[0], axes) : NULL;
    case OP_EXPAND:
        if (given(a, "axes")) {
            if (!axes_of(r, a, rank, axes)) return NULL;
        } else {
            for (int i = 0; i < rank; i++) axes[i] = type->shape.rank - rank + i;
        }
        return op_expand(g, in[0], type->shape, axes);
    case OP_SLICE:
        if (a->step_count && a->step_count != rank)
            reader_fail(r, "step has %d elements for %d axes", a->step_count, rank);
        for (int i = 0; i < rank; i++) step[i] = a->step_count ? a->step[i] : 1;
        if (!dims_of(r, "begin", a->begin, a->begin_count, rank, low) || r->error) return NULL;
        return op_slice(g, in[0], low, step, type->shape);
    case OP_PAD:
        if (!dims_of(r, "low", a->low, a->low_count, rank, low) ||
            !dims_of(r, "high", a->high, a->high_count, rank, high))
            return NULL;
        return op_pad(g, in[0], in[1], low, high);
    case OP_CONCAT: return op_concat(g, in, count, (int)a->axis);
    case OP_UNFOLD: return op_unfold(g, in[0], (int)a->axis, a->size, a->stride, a->dilation);
    default: return NULL;
    }
}

static Node *read_source(Reader *r, Op op, Name label, const TensorType *type, bool named,
                         Name name) {
    Graph *g = r->scope->graph;
    switch ((int)op) {
    case OP_INPUT: return op_input(g, named ? name : label, *type);
    case OP_CELL: {
        const Cell *cell = reader_find_cell(r, name);
        if (!cell) {
            reader_fail(r, "cell %s is not declared", name->text);
            return NULL;
        }
        return op_cell(g, cell, cell->type);
    }
    case OP_CONST: return read_constant(r, type);
    case OP_DIM: {
        const Dim *d = reader_dim(r);
        return r->error ? NULL : op_dim(g, d, type->dtype);
    }
    default: return NULL;
    }
}

static Node *build_node(Reader *r, Op op, Node **in, int count, const TensorType *type,
                        const Attributes *a) {
    Graph *g = r->scope->graph;
    ReduceKind kind;
    uint32_t axes = 0;
    switch ((int)op) {
    case OP_IOTA: return op_iota(g, (int)a->axis, *type);
    case OP_RANDOM: return op_random(g, (uint32_t)a->site, a->where, a->at_init, *type);
    case OP_CAST:
        if (type->dtype == in[0]->type.dtype) {
            reader_fail(r, "cast to the dtype of the operand");
            return NULL;
        }
        return op_cast(g, in[0], type->dtype);
    case OP_IDENTITY: return op_identity(g, in[0]);
    case OP_RESHAPE:
    case OP_PERMUTE:
    case OP_EXPAND:
    case OP_SLICE:
    case OP_PAD:
    case OP_CONCAT:
    case OP_UNFOLD: return read_view(r, op, in, count, type, a);
    case OP_FOLD: return op_fold(g, in[0], (int)a->axis, a->extent, a->stride, a->dilation);
    case OP_REDUCE:
        if (!reduce_kind(r, a, &kind)) return NULL;
        for (int i = 0; i < a->axes_count; i++)
            axes |= 1u << (a->axes[i] >= 0 && a->axes[i] < 31 ? a->axes[i] : 31);
        if (!given(a, "axes")) axes = (1u << in[0]->type.shape.rank) - 1;
        return op_reduce(g, kind, in[0], axes);
    case OP_CONTRACT: return read_contraction(r, in, a);
    case OP_PREFIX:
        if (!reduce_kind(r, a, &kind)) return NULL;
        return op_prefix(g, kind, in[0], (int)a->axis, a->reverse);
    case OP_ARGSORT: return op_argsort(g, in[0], (int)a->axis, a->descending);
    case OP_GATHER: return op_gather(g, in[0], in[1], (int)a->batch);
    case OP_SCATTER_ADD: return op_scatter_add(g, in[0], in[1], in[2], (int)a->batch);
    case OP_SCATTER_SET: return op_scatter_set(g, in[0], in[1], in[2], (int)a->batch);
    case OP_DYNAMIC_SLICE: return op_dynamic_slice(g, in[0], in[1], (int)a->axis, a->extent);
    case OP_DYNAMIC_UPDATE: return op_dynamic_update(g, in[0], in[1], in[2], (int)a->axis);
    case OP_CALL: return read_call(r, in, count, a);
    case OP_SCAN: return read_scan(r, in, count, a);
    case OP_PROJ: return read_projection(r, in[0], a);
    default: return op_elementwise(g, op, in, count);
    }
}

static bool find_op(const char *name, Op *out) {
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(op_info((Op)i)->name, name)) continue;
        *out = (Op)i;
        return true;
    }
    return false;
}

static bool type_is_needed(Op op) {
    return op == OP_INPUT || op == OP_CONST || op == OP_IOTA || op == OP_RANDOM || op == OP_CAST ||
           op == OP_RESHAPE || op == OP_EXPAND || op == OP_SLICE || op == OP_DIM;
}

static void check_stated(Reader *r, const Node *node, const TensorType *stated) {
    if (stated->dtype == node->type.dtype &&
        build_same_shape(r->scope->graph, &stated->shape, &node->type.shape))
        return;
    Text text = text_new(r->arena);
    type_print(&text, stated);
    text_append(&text, " is stated, ");
    type_print(&text, &node->type);
    reader_fail(r, "%s it is", text.data);
}

bool reader_node(Reader *r) {
    if (!reader_accept(r, "%")) return false;
    Name label = reader_name(r), name = NULL;
    int line = r->line;
    TensorType stated = {0};
    bool typed = reader_accept(r, ":");
    if (typed) stated = reader_type(r);
    reader_expect(r, "=");
    Name op_name = reader_name(r);
    Op op = OP_INPUT;
    if (!r->error && !find_op(op_name->text, &op))
        reader_fail(r, "there is no operator %s", op_name->text);
    if (!r->error && type_is_needed(op) && !typed)
        reader_fail(r, "%s needs its type stated", op_name->text);
    Attributes a = {.stride = 1, .dilation = 1};
    VECTOR(Node *) in = {0};
    Node *node = NULL;
    bool special = op == OP_INPUT || op == OP_CELL || op == OP_CONST || op == OP_DIM;
    if (!r->error && special) {
        bool named =
            op == OP_CELL || (op == OP_INPUT && reader_more_on_line(r) && reader_peek_name(r));
        if (named) name = reader_name(r);
        if (!r->error) node = read_source(r, op, label, &stated, named, name);
        read_attributes(r, &a);
    } else if (!r->error) {
        while (!r->error && reader_more_on_line(r) &&
               (in.count ? reader_accept(r, ",") : *r->at == '%')) {
            Node *operand = reader_label(r);
            vector_push(r->arena, &in, operand);
        }
        read_attributes(r, &a);
        /* Reading attributes has looked past the end of the line: blame the line itself. */
        int after = r->line, arity = op_info(op)->arity;
        bool has_body = op == OP_CALL || op == OP_SCAN;
        if (!r->error && !has_body) r->line = line;
        if (!r->error && arity >= 0 && in.count != arity)
            reader_fail(r, "%s takes %d operands, not %d", op_name->text, arity, in.count);
        if (!r->error) node = build_node(r, op, in.data, in.count, &stated, &a);
        if (!r->error && node && typed) check_stated(r, node, &stated);
        if (!r->error && !has_body) r->line = after;
    }
    if (!r->error && !node) reader_fail(r, "%s does not fit its operands", op_name->text);
    if (r->error) return false;
    node->no_grad = a.no_grad;
    if (typed && special) check_stated(r, node, &stated);
    define_label(r, label, node);
    return !r->error;
}
