/* The verifier (verify.h): every node is built again in a scratch graph and its type compared, so
 * that there is one statement of the type rules; then ids, closure of subgraphs, and entries. */
#include "tensor/verify.h"

#include <string.h>

#include "tensor/build.h"

typedef struct Verifier {
    Arena *arena;      /* of the answer */
    const char *error; /* the first one */
    Graph *scratch;
    const Node *node; /* being checked */
} Verifier;

static void fail(Verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(Verifier *v, const char *format, ...) {
    if (v->error) return;
    Text text = text_new(v->arena);
    if (v->node) text_printf(&text, "%%%d (%s): ", v->node->id, op_info(v->node->op)->name);
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    v->error = text.data;
}

static void scratch_complains(void *user, const char *message) {
    fail(user, "%s", message);
}

static const char *type_text(Verifier *v, const TensorType *type) {
    Text text = text_new(v->arena);
    type_print(&text, type);
    return text.data;
}

static void expect_type(Verifier *v, const TensorType *rule, const TensorType *actual) {
    if (rule->dtype != actual->dtype || !build_same_shape(v->scratch, &rule->shape, &actual->shape))
        fail(v, "has type %s, its rule gives %s", type_text(v, actual), type_text(v, rule));
}

static void verify_graph(Verifier *v, const Graph *g, bool is_subgraph);

static int result_count(const Node *node) {
    return node->op == OP_CALL ? node->attr.call.body->results.count
                               : node->attr.scan.body->results.count;
}

/* Builds the CALL or SCAN again; the PROJ nodes of the rebuilt one tell the types of results. */
static Node **rebuild_structured(Verifier *v, const Node *node) {
    Node **out = NEW_ARRAY(v->scratch->arena, (size_t)result_count(node), Node *);
    Node *made = node->op == OP_CALL
                     ? op_call(v->scratch, node->attr.call, node->inputs, node->input_count, out)
                     : op_scan(v->scratch, node->attr.scan, node->inputs, node->input_count, out);
    return made ? out : NULL;
}

static void verify_projection(Verifier *v, const Node *node) {
    const Node *from = node->inputs[0];
    if (from->op != OP_CALL && from->op != OP_SCAN) {
        fail(v, "reads a %s, which has one result", op_info(from->op)->name);
        return;
    }
    if (node->attr.index < 0 || node->attr.index >= result_count(from)) {
        fail(v, "reads result %d of %d", node->attr.index, result_count(from));
        return;
    }
    Node **out = rebuild_structured(v, from);
    if (out) expect_type(v, &out[node->attr.index]->type, &node->type);
}

static void verify_node(Verifier *v, const Node *node) {
    int arity = op_info(node->op)->arity;
    if (arity >= 0 && node->input_count != arity) {
        fail(v, "has %d inputs instead of %d", node->input_count, arity);
        return;
    }
    switch ((int)node->op) {
    case OP_CALL:
    case OP_SCAN:
        if (node->op == OP_CALL) {
            verify_graph(v, node->attr.call.body, true);
            if (node->attr.call.vjp) verify_graph(v, node->attr.call.vjp, true);
        } else {
            verify_graph(v, node->attr.scan.body, true);
        }
        v->node = node;
        if (!v->error) rebuild_structured(v, node);
        return;
    case OP_PROJ: verify_projection(v, node); return;
    case OP_CAST:
        if (node->inputs[0]->type.dtype == node->type.dtype) {
            fail(v, "casts %s to itself", dtype_name(node->type.dtype));
            return;
        }
        break;
    default: break;
    }
    Node *again = op_again(v->scratch, node, node->inputs);
    if (again)
        expect_type(v, &again->type, &node->type);
    else
        fail(v, "cannot be built again");
}

static bool belongs(const Node *const *by_id, int id_count, const Node *node) {
    return node && node->id >= 0 && node->id < id_count && by_id[node->id] == node;
}

static void verify_graph(Verifier *v, const Graph *g, bool is_subgraph) {
    v->node = NULL;
    if (g->dims != v->scratch->dims) fail(v, "a subgraph has dims of another table");
    int id_count = 0;
    for (int i = 0; i < g->nodes.count; i++) {
        if (g->nodes.data[i]->id < id_count)
            fail(v, "ids do not increase at position %d", i);
        else
            id_count = g->nodes.data[i]->id + 1;
    }
    if (v->error) return;
    const Node **by_id = NEW_ARRAY(v->scratch->arena, (size_t)id_count, const Node *);
    int inputs = 0;
    for (int i = 0; i < g->nodes.count && !v->error; i++) {
        const Node *node = v->node = g->nodes.data[i];
        for (int j = 0; j < node->input_count && !v->error; j++) {
            const Node *in = node->inputs[j];
            if (!belongs(by_id, id_count, in))
                fail(v, "input %d is no earlier node of the same graph", j);
            else if (node->op != OP_PROJ && (in->op == OP_CALL || in->op == OP_SCAN))
                fail(v, "input %d is a %s, read without proj", j, op_info(in->op)->name);
        }
        if (v->error) return;
        if (node->op == OP_INPUT) {
            int at = node->attr.input.index;
            inputs++;
            if (at < 0 || at >= g->inputs.count || g->inputs.data[at] != node)
                fail(v, "is not input %d of its graph", at);
        }
        if (node->op == OP_CELL && is_subgraph) fail(v, "a subgraph reads a cell");
        verify_node(v, node);
        by_id[node->id] = node;
    }
    v->node = NULL;
    if (inputs != g->inputs.count) fail(v, "%d input nodes for %d inputs", inputs, g->inputs.count);
    for (int i = 0; i < g->results.count; i++)
        if (!belongs(by_id, id_count, g->results.data[i]))
            fail(v, "result %d is no node of the graph", i);
}

static Verifier verifier_new(Arena *arena, DimTable *dims) {
    Verifier v = {.arena = arena, .scratch = graph_new(arena_new(), dims)};
    v.scratch->complain = scratch_complains;
    return v;
}

const char *graph_verify(const Graph *g, Arena *arena) {
    Verifier v = verifier_new(arena, g->dims);
    v.scratch->complain_user = &v;
    verify_graph(&v, g, false);
    arena_free(v.scratch->arena);
    return v.error;
}

/* ---- entries ---- */

/* pure[id]: computed from arguments alone. */
static void mark_pure(const Graph *g, bool *pure) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        pure[node->id] = node->op != OP_CELL && node->op != OP_RANDOM;
        for (int j = 0; j < node->input_count; j++) pure[node->id] &= pure[node->inputs[j]->id];
    }
}

static bool mentions_only(const Dim *d, const Entry *entry) {
    for (int i = 0; i < d->term_count; i++) {
        for (int j = 0; j < d->terms[i].factor_count; j++) {
            const DimAtom *atom = d->terms[i].factors[j].atom;
            if (atom->kind != DIM_ATOM_SYMBOL) {
                if (!mentions_only(atom->left, entry) || !mentions_only(atom->right, entry))
                    return false;
                continue;
            }
            bool found = false;
            for (int k = 0; k < entry->dims.count && !found; k++)
                found = dim_as_symbol(entry->dims.data[k]) == atom->symbol;
            if (!found) return false;
        }
    }
    return true;
}

static bool cell_belongs(const Root *root, const Cell *cell) {
    return cell && cell->index >= 0 && cell->index < root->cells.count &&
           root->cells.data[cell->index] == cell;
}

static void verify_check(Verifier *v, const Entry *entry, const Check *check, const bool *pure,
                         int id_count) {
    if (check->kind == CHECK_DIM) {
        if (!check->left || !check->right)
            fail(v, "check '%s' lacks a side", check->message);
        else if (!strchr("=<%", check->relation) || !check->relation)
            fail(v, "check '%s' has relation '%c'", check->message, check->relation);
        return;
    }
    const Node *node = check->node;
    bool ours = false;
    for (int i = 0; i < entry->graph->nodes.count; i++) ours |= entry->graph->nodes.data[i] == node;
    if (!ours)
        fail(v, "check '%s' tests a node of another graph", check->message);
    else if (dtype_kind(node->type.dtype) != DTYPE_KIND_INTEGER)
        fail(v, "check '%s' tests dtype %s", check->message, dtype_name(node->type.dtype));
    else if (node->id < id_count && !pure[node->id])
        fail(v, "check '%s' depends on a cell or on random numbers", check->message);
}

static void verify_entry(Verifier *v, const Entry *entry, const Root *root) {
    const Graph *g = entry->graph;
    verify_graph(v, g, false);
    v->node = NULL;
    if (v->error) return;
    if (g->inputs.count != entry->arguments.count)
        fail(v, "%d arguments, %d graph inputs", entry->arguments.count, g->inputs.count);
    if (g->results.count != entry->results.count + entry->writes.count)
        fail(v, "%d results and %d writes, %d graph results", entry->results.count,
             entry->writes.count, g->results.count);
    for (int i = 0; i < entry->dims.count; i++)
        if (!dim_as_symbol(entry->dims.data[i])) fail(v, "dim %d is no symbol", i);
    if (v->error) return;
    for (int i = 0; i < entry->arguments.count; i++) {
        const Node *node = entry->arguments.data[i].node;
        if (node != g->inputs.data[i])
            fail(v, "argument %s is not graph input %d", entry->arguments.data[i].name->text, i);
        for (int j = 0; j < node->type.shape.rank; j++)
            if (!mentions_only(node->type.shape.dims[j], entry))
                fail(v, "argument %s has a dim that is no dim of the entry",
                     entry->arguments.data[i].name->text);
    }
    for (int i = 0; i < entry->results.count; i++)
        if (entry->results.data[i].node != g->results.data[i])
            fail(v, "result %s is not graph result %d", entry->results.data[i].name->text, i);
    for (int i = 0; i < entry->writes.count; i++) {
        const CellWrite *write = &entry->writes.data[i];
        if (write->node != g->results.data[entry->results.count + i])
            fail(v, "write %d is not graph result %d", i, entry->results.count + i);
        if (!cell_belongs(root, write->cell)) fail(v, "write %d is of no cell of the root", i);
        if (v->error) return;
        if (write->node->type.dtype != write->cell->type.dtype ||
            !build_same_shape(v->scratch, &write->node->type.shape, &write->cell->type.shape))
            fail(v, "cell %s has type %s and is written with %s", write->cell->name->text,
                 type_text(v, &write->cell->type), type_text(v, &write->node->type));
        for (int j = 0; j < i; j++)
            if (entry->writes.data[j].cell == write->cell)
                fail(v, "cell %s is written twice", write->cell->name->text);
    }
    int id_count = g->nodes.count ? vector_last(&g->nodes)->id + 1 : 0;
    bool *pure = NEW_ARRAY(v->scratch->arena, (size_t)id_count, bool);
    mark_pure(g, pure);
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        if (node->op == OP_CELL && !cell_belongs(root, node->attr.cell))
            fail(v, "%%%d reads a cell of another root", node->id);
        if (node->op == OP_CELL && node->type.dtype != node->attr.cell->type.dtype)
            fail(v, "%%%d reads cell %s in another dtype", node->id, node->attr.cell->name->text);
    }
    for (int i = 0; i < entry->checks.count; i++)
        verify_check(v, entry, &entry->checks.data[i], pure, id_count);
}

const char *entry_verify(const Entry *entry, const Root *root, Arena *arena) {
    Verifier v = verifier_new(arena, entry->graph->dims);
    v.scratch->complain_user = &v;
    verify_entry(&v, entry, root);
    arena_free(v.scratch->arena);
    if (!v.error) return NULL;
    return arena_printf(arena, "%s.%s: %s", root->name->text, entry->name->text, v.error);
}

const char *program_verify(const Program *program, Arena *arena) {
    for (int i = 0; i < program->roots.count; i++) {
        const Root *root = program->roots.data[i];
        for (int j = 0; j < root->cells.count; j++)
            if (root->cells.data[j]->index != j)
                return arena_printf(arena, "%s: cell %s has index %d at position %d",
                                    root->name->text, root->cells.data[j]->name->text,
                                    root->cells.data[j]->index, j);
        for (int j = 0; j < root->entries.count; j++) {
            const char *error = entry_verify(root->entries.data[j], root, arena);
            if (error) return error;
        }
    }
    return NULL;
}
