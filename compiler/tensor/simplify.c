/* The driver of simplification: rounds of copying a graph through the rules, and the list of
 * passes.
 *
 * Every round walks the old graph in id order and copies what is needed; a round that changed
 * nothing is the last.  Dead nodes are never copied. */
#include "tensor/simplify_rules.h"

enum { MAX_ROUNDS = 32 };

static int id_count(const Graph *g) {
    return g->nodes.count ? g->nodes.data[g->nodes.count - 1]->id + 1 : 0;
}

static int result_count(const Node *structured) {
    return structured->op == OP_CALL ? structured->attr.call.body->results.count
                                     : structured->attr.scan.body->results.count;
}

bool simplify_type_equal(const TensorType *a, const TensorType *b) {
    return a->dtype == b->dtype && shape_equal(&a->shape, &b->shape);
}

/* ---- what is needed ---- */

static bool *mark_needed(Rewriter *w, Node *const *roots, int root_count) {
    const Graph *g = w->from;
    bool *needed = NEW_ARRAY(w->g->arena, (size_t)id_count(g) + 1, bool);
    w->uses = NEW_ARRAY(w->g->arena, (size_t)id_count(g) + 1, int);
    for (int i = 0; i < root_count; i++) {
        needed[roots[i]->id] = true;
        w->uses[roots[i]->id]++;
    }
    for (int i = 0; i < g->results.count; i++) {
        needed[g->results.data[i]->id] = true;
        w->uses[g->results.data[i]->id]++;
    }
    for (int k = g->nodes.count; k-- > 0;) {
        const Node *node = g->nodes.data[k];
        if (!needed[node->id]) continue;
        for (int i = 0; i < node->input_count; i++) {
            needed[node->inputs[i]->id] = true;
            w->uses[node->inputs[i]->id]++;
        }
        if (node->op != OP_PROJ) continue;
        const Node *parent = node->inputs[0];
        if (!w->result_used[parent->id])
            w->result_used[parent->id] = NEW_ARRAY(w->g->arena, (size_t)result_count(parent), bool);
        w->result_used[parent->id][node->attr.index] = true;
    }
    return needed;
}

/* ---- one round ---- */

static Node *apply_rules(Rewriter *w, const Node *node, Node **in) {
    Node *result = NULL;
    if (w->rules & SIMPLIFY_CALLS && node->op == OP_IDENTITY) result = in[0];
    if (!result && w->rules & SIMPLIFY_CONSTANTS) result = simplify_constant(w, node, in);
    if (!result && w->rules & SIMPLIFY_IDENTITIES) {
        OpClass class_ = op_info(node->op)->class_;
        if (op_is_elementwise(node->op))
            result = simplify_identity(w, node, in);
        else if (class_ == CLASS_VIEW || node->op == OP_FOLD)
            result = simplify_view(w, node, in);
        else if (class_ == CLASS_CONTRACT)
            result = simplify_contract(w, node, in);
        else if (class_ == CLASS_REDUCE)
            result = simplify_reduction(w, node, in);
    }
    if (result) w->changed = true;
    return result;
}

static bool has_calls(const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        if (n->op == OP_CALL || (n->op == OP_SCAN && has_calls(n->attr.scan.body))) return true;
    }
    return false;
}

static void copy_structured(Rewriter *w, const Node *node, Node **in) {
    Arena *arena = w->g->arena;
    int count = result_count(node);
    Node **out = NEW_ARRAY(arena, (size_t)count + 1, Node *);
    w->results[node->id] = out;
    if (node->op == OP_CALL && w->rules & SIMPLIFY_CALLS) {
        graph_inline(w->g, node->attr.call.body, in, out);
        w->changed = true;
    } else if (node->op == OP_SCAN && w->rules & SIMPLIFY_SCANS) {
        simplify_scan(w, node, in, w->result_used[node->id], out);
    } else {
        w->map[node->id] = op_like(w->g, node, in);
        Node *copy = w->map[node->id];
        if (node->op == OP_SCAN && w->rules & SIMPLIFY_CALLS && has_calls(node->attr.scan.body)) {
            copy->attr.scan.body = simplify_graph(node->attr.scan.body, SIMPLIFY_CALLS, NULL, 0);
            w->changed = true;
        }
        if (w->merge) w->map[node->id] = merge_node(w->merge, copy);
        w->changed |= w->map[node->id] != copy;
    }
}

static void copy_node(Rewriter *w, const Node *node) {
    Node **in = NEW_ARRAY(w->g->arena, (size_t)node->input_count + 1, Node *);
    for (int i = 0; i < node->input_count; i++) in[i] = w->map[node->inputs[i]->id];
    w->g->span = node->span;
    w->g->path = node->path;
    if (node->op == OP_CALL || node->op == OP_SCAN) {
        copy_structured(w, node, in);
        return;
    }
    if (node->op == OP_PROJ && !in[0]) {
        w->map[node->id] = w->results[node->inputs[0]->id][node->attr.index];
        return;
    }
    Node *result = apply_rules(w, node, in);
    if (!result) {
        result = op_like(w->g, node, in);
        Node *merged = w->merge ? merge_node(w->merge, result) : result;
        w->changed |= merged != result;
        result = merged;
    }
    w->map[node->id] = result;
}

static Graph *run_round(const Graph *from, unsigned rules, Node **roots, int root_count,
                        bool *changed) {
    Graph *g = graph_new(from->arena, from->dims);
    g->complain = from->complain;
    g->complain_user = from->complain_user;
    size_t ids = (size_t)id_count(from) + 1;
    Rewriter w = {.g = g,
                  .from = from,
                  .rules = rules,
                  .map = NEW_ARRAY(g->arena, ids, Node *),
                  .results = NEW_ARRAY(g->arena, ids, Node **),
                  .result_used = NEW_ARRAY(g->arena, ids, bool *),
                  .merge = rules & SIMPLIFY_MERGE ? merge_table_new(g->arena) : NULL};
    bool *needed = mark_needed(&w, roots, root_count);
    for (int i = 0; i < from->inputs.count; i++) {
        Node *input = from->inputs.data[i];
        w.map[input->id] = op_like(g, input, NULL);
        needed[input->id] = false;
    }
    for (int k = 0; k < from->nodes.count; k++)
        if (needed[from->nodes.data[k]->id]) copy_node(&w, from->nodes.data[k]);
    for (int i = 0; i < from->results.count; i++)
        vector_push(g->arena, &g->results, w.map[from->results.data[i]->id]);
    for (int i = 0; i < root_count; i++) roots[i] = w.map[roots[i]->id];
    g->span = from->span;
    g->path = from->path;
    *changed = w.changed;
    return g;
}

Graph *simplify_graph(const Graph *g, unsigned rules, Node **roots, int root_count) {
    bool changed = true;
    Graph *result = run_round(g, rules, roots, root_count, &changed);
    for (int round = 1; changed && round < MAX_ROUNDS; round++)
        result = run_round(result, rules, roots, root_count, &changed);
    /* Rebuilt scans project all their results: leave out those that no one reads. */
    return rules & SIMPLIFY_SCANS ? run_round(result, 0, roots, root_count, &changed) : result;
}

/* ---- entries and programs ---- */

void simplify_entry(Entry *entry, unsigned rules) {
    Graph *g = entry->graph;
    int count =
        entry->arguments.count + entry->results.count + entry->writes.count + entry->checks.count;
    Node **roots = NEW_ARRAY(g->arena, (size_t)count + 1, Node *);
    int at = 0;
    for (int i = 0; i < entry->arguments.count; i++) roots[at++] = entry->arguments.data[i].node;
    for (int i = 0; i < entry->results.count; i++) roots[at++] = entry->results.data[i].node;
    for (int i = 0; i < entry->writes.count; i++) roots[at++] = entry->writes.data[i].node;
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].node) roots[at++] = entry->checks.data[i].node;
    entry->graph = simplify_graph(g, rules, roots, at);
    at = 0;
    for (int i = 0; i < entry->arguments.count; i++) entry->arguments.data[i].node = roots[at++];
    for (int i = 0; i < entry->results.count; i++) entry->results.data[i].node = roots[at++];
    for (int i = 0; i < entry->writes.count; i++) entry->writes.data[i].node = roots[at++];
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].node) entry->checks.data[i].node = roots[at++];
}

static void run_rules(Program *program, unsigned rules) {
    for (int i = 0; i < program->roots.count; i++) {
        Root *root = program->roots.data[i];
        for (int k = 0; k < root->entries.count; k++) simplify_entry(root->entries.data[k], rules);
    }
}

static void pass_open_calls(Program *program) {
    run_rules(program, SIMPLIFY_CALLS);
}
static void pass_constants(Program *program) {
    run_rules(program, SIMPLIFY_CONSTANTS);
}
static void pass_identities(Program *program) {
    run_rules(program, SIMPLIFY_IDENTITIES);
}
static void pass_merge(Program *program) {
    run_rules(program, SIMPLIFY_MERGE);
}
static void pass_scans(Program *program) {
    run_rules(program, SIMPLIFY_SCANS);
}
static void pass_settle(Program *program) {
    run_rules(program, SIMPLIFY_ALL);
}

const SimplifyPass simplify_passes[] = {
    {"open-calls", pass_open_calls, "replaces calls by their bodies; drops dead nodes"},
    {"fold-constants", pass_constants, "computes operators on constants"},
    {"identities", pass_identities, "removes operations that change nothing"},
    {"merge-equal", pass_merge, "computes equal expressions once"},
    {"trim-scans", pass_scans, "drops unread results of scans; moves fixed work out of loops"},
    {"settle", pass_settle, "repeats these rules until nothing changes"},
};
const int simplify_pass_count = sizeof simplify_passes / sizeof *simplify_passes;

void simplify_program(Program *program) {
    for (int i = 0; i < simplify_pass_count; i++) simplify_passes[i].run(program);
}
