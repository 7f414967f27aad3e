/* The driver of simplification: rounds of copying a graph through the rules, and the list of
 * passes.
 *
 * Every round walks the old graph in id order and copies what is needed, into an arena of its own
 * that is freed when the next round has read it; a round that changed nothing is the last.  Dead
 * nodes are never copied. */
#include "tensor/simplify/simplify_rules.h"

#include <string.h>

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
    w->g->backward = node->backward;
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

typedef struct Rounds {
    Graph *graph;
    Arena *arena; /* of the last round, where the graph is; NULL before the first */
    Arena *keep;
    Node **roots;
    int root_count;
    bool changed;
} Rounds;

static Rewriter round_begin(const Rounds *rounds, unsigned rules) {
    const Graph *from = rounds->graph;
    Arena *arena = arena_new();
    Graph *g = graph_new(arena, from->dims);
    g->complain = from->complain;
    g->complain_user = from->complain_user;
    size_t ids = (size_t)id_count(from) + 1;
    return (Rewriter){.g = g,
                      .from = from,
                      .keep = rounds->keep,
                      .rules = rules,
                      .map = NEW_ARRAY(arena, ids, Node *),
                      .results = NEW_ARRAY(arena, ids, Node **),
                      .result_used = NEW_ARRAY(arena, ids, bool *),
                      .merge = rules & SIMPLIFY_MERGE ? merge_table_new(arena) : NULL};
}

/* Is the graph what a round would copy, node by node?  Such a round is the last one of every pass,
 * so that finding out is worth more than the copy.  Not asked of graphs that no round has made,
 * nor of those with calls and scans, which a round may rebuild. */
static bool is_settled(const Rounds *rounds, unsigned rules) {
    const Graph *g = rounds->graph;
    if (!rounds->arena) return false;
    for (int k = 0; k < g->nodes.count; k++)
        if (op_info(g->nodes.data[k]->op)->class_ == CLASS_STRUCTURED) return false;
    Rewriter w = round_begin(rounds, rules);
    const bool *needed = mark_needed(&w, rounds->roots, rounds->root_count);
    for (int k = 0; k < g->nodes.count && !w.changed; k++) {
        Node *node = g->nodes.data[k];
        if (node->op == OP_INPUT) continue;
        w.changed = !needed[node->id] || apply_rules(&w, node, node->inputs) ||
                    (w.merge && merge_node(w.merge, node) != node);
    }
    arena_free(w.g->arena);
    return !w.changed;
}

static void run_round(Rounds *rounds, unsigned rules) {
    rounds->changed = false;
    if (is_settled(rounds, rules)) return;
    Rewriter w = round_begin(rounds, rules);
    const Graph *from = rounds->graph;
    Graph *g = w.g;
    Arena *arena = g->arena;
    Node **roots = rounds->roots;
    bool *needed = mark_needed(&w, roots, rounds->root_count);
    for (int i = 0; i < from->inputs.count; i++) {
        Node *input = from->inputs.data[i];
        w.map[input->id] = op_like(g, input, NULL);
        needed[input->id] = false;
    }
    for (int k = 0; k < from->nodes.count; k++)
        if (needed[from->nodes.data[k]->id]) copy_node(&w, from->nodes.data[k]);
    for (int i = 0; i < from->results.count; i++)
        vector_push(arena, &g->results, w.map[from->results.data[i]->id]);
    for (int i = 0; i < rounds->root_count; i++) roots[i] = w.map[roots[i]->id];
    g->span = from->span;
    g->path = from->path;
    g->backward = false;
    arena_free(rounds->arena);
    rounds->graph = g;
    rounds->arena = arena;
    rounds->changed = w.changed;
}

static bool has_scans(const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.data[i]->op == OP_SCAN) return true;
    return false;
}

static void run_rounds(Rounds *rounds, unsigned rules) {
    rounds->changed = true;
    for (int round = 0; rounds->changed && round < MAX_ROUNDS; round++) run_round(rounds, rules);
    /* Rebuilt scans project all their results: leave out those that no one reads. */
    if (rules & SIMPLIFY_SCANS && has_scans(rounds->graph)) run_round(rounds, 0);
}

/* The graph moves to the arena that outlives the rounds. */
static Graph *settle(Rounds *rounds) {
    arena_adopt(rounds->keep, rounds->arena);
    rounds->graph->arena = rounds->keep;
    return rounds->graph;
}

Graph *simplify_graph(const Graph *g, unsigned rules, Node **roots, int root_count) {
    Rounds rounds = {(Graph *)g, NULL, g->arena, roots, root_count, false};
    run_rounds(&rounds, rules);
    return settle(&rounds);
}

/* ---- entries and programs ---- */

/* A graph that is not in `keep` is in an arena of its own, which an earlier pass left; `last`: no
 * pass comes after. */
static void run_entry(Entry *entry, Arena *keep, unsigned rules, bool last) {
    int count =
        entry->arguments.count + entry->results.count + entry->writes.count + entry->checks.count;
    Node **roots = NEW_ARRAY(keep, (size_t)count + 1, Node *);
    int at = 0;
    for (int i = 0; i < entry->arguments.count; i++) roots[at++] = entry->arguments.data[i].node;
    for (int i = 0; i < entry->results.count; i++) roots[at++] = entry->results.data[i].node;
    for (int i = 0; i < entry->writes.count; i++) roots[at++] = entry->writes.data[i].node;
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].node) roots[at++] = entry->checks.data[i].node;
    Rounds rounds = {.graph = entry->graph,
                     .arena = entry->graph->arena == keep ? NULL : entry->graph->arena,
                     .keep = keep,
                     .roots = roots,
                     .root_count = at};
    run_rounds(&rounds, rules);
    entry->graph = last ? settle(&rounds) : rounds.graph;
    at = 0;
    for (int i = 0; i < entry->arguments.count; i++) entry->arguments.data[i].node = roots[at++];
    for (int i = 0; i < entry->results.count; i++) entry->results.data[i].node = roots[at++];
    for (int i = 0; i < entry->writes.count; i++) entry->writes.data[i].node = roots[at++];
    for (int i = 0; i < entry->checks.count; i++)
        if (entry->checks.data[i].node) entry->checks.data[i].node = roots[at++];
}

void simplify_entry(Entry *entry, unsigned rules) {
    run_entry(entry, entry->graph->arena, rules, true);
}

static void run_rules(Program *program, unsigned rules, bool last) {
    for (int i = 0; i < program->roots.count; i++) {
        Root *root = program->roots.data[i];
        for (int k = 0; k < root->entries.count; k++)
            run_entry(root->entries.data[k], program->arena, rules, last);
    }
}

static void pass_open_calls(Program *program) {
    run_rules(program, SIMPLIFY_CALLS, false);
}
static void pass_constants(Program *program) {
    run_rules(program, SIMPLIFY_CONSTANTS, false);
}
static void pass_identities(Program *program) {
    run_rules(program, SIMPLIFY_IDENTITIES, false);
}
static void pass_merge(Program *program) {
    run_rules(program, SIMPLIFY_MERGE, false);
}
static void pass_scans(Program *program) {
    run_rules(program, SIMPLIFY_SCANS, false);
}
static void pass_settle(Program *program) {
    run_rules(program, SIMPLIFY_ALL, true);
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

#define COPY_VECTOR(arena, vector)                                                               \
    ((vector).data = (vector).count ? arena_copy((arena), (vector).data,                         \
                                                 (size_t)(vector).count * sizeof *(vector).data) \
                                    : NULL)

static Entry *copy_entry(Arena *arena, const Entry *from) {
    Entry *entry = arena_copy(arena, from, sizeof *entry);
    COPY_VECTOR(arena, entry->arguments);
    COPY_VECTOR(arena, entry->results);
    COPY_VECTOR(arena, entry->writes);
    COPY_VECTOR(arena, entry->checks);
    return entry;
}

Program *simplify_root(Arena *arena, const Program *program, const Root *root) {
    Program *copy = arena_copy(arena, program, sizeof *copy);
    Root *own = arena_copy(arena, root, sizeof *own);
    COPY_VECTOR(arena, own->entries);
    for (int i = 0; i < own->entries.count; i++)
        own->entries.data[i] = copy_entry(arena, root->entries.data[i]);
    memset(&copy->roots, 0, sizeof copy->roots);
    vector_push(arena, &copy->roots, own);
    simplify_program(copy);
    return copy;
}
