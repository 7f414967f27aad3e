/* nnc graph: an entry's tensor graph in the DOT language, as lowering made it, or its launches on a
 * GPU. */
#include <string.h>
#include "base/file.h"
#include "driver/commands.h"
#include "driver/launches.h"
#include "nncrt.h"

typedef enum Reach { REACH_NONE, REACH_GRAD, REACH_FORWARD } Reach;

static void reach(Node *const *roots, int count, Reach *marks, Reach mark, Node **stack) {
    int top = 0;
    for (int i = 0; i < count; i++)
        if (roots[i] && marks[roots[i]->id] < mark) {
            marks[roots[i]->id] = mark;
            stack[top++] = roots[i];
        }
    while (top) {
        const Node *node = stack[--top];
        for (int i = 0; i < node->input_count; i++) {
            Node *input = node->inputs[i];
            if (marks[input->id] >= mark) continue;
            marks[input->id] = mark;
            stack[top++] = input;
        }
    }
}

static void quoted(Text *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') text_char(out, '\\');
        text_char(out, *p);
    }
}

static bool is_small_constant(const Node *node) {
    return node->op == OP_CONST && node->type.shape.rank == 0 && !node->attr.constant.data;
}

/* Splats and their broadcasts are written into the nodes that use them. */
static const Node *constant_behind(const Node *node) {
    while (node->op == OP_EXPAND || node->op == OP_CAST) node = node->inputs[0];
    return is_small_constant(node) ? node : NULL;
}

static void print_node(Text *out, const Node *node, Reach mark) {
    text_printf(out, "  n%d [label=\"", node->id);
    if (node->op == OP_INPUT)
        quoted(out, node->attr.input.name->text);
    else if (node->op == OP_CELL)
        quoted(out, node->attr.cell->name->text);
    else
        text_append(out, op_info(node->op)->name);
    for (int i = 0; i < node->input_count; i++) {
        const Node *constant = constant_behind(node->inputs[i]);
        if (!constant) continue;
        text_append(out, " ");
        if (dtype_is_float(constant->type.dtype))
            text_double(out, constant->attr.constant.value);
        else
            text_printf(out, "%lld", (long long)constant->attr.constant.integer);
    }
    text_append(out, "\\n");
    type_print(out, &node->type);
    if (node->span.file) {
        const char *slash = strrchr(node->span.file->path, '/');
        text_append(out, "\\n");
        quoted(out, slash ? slash + 1 : node->span.file->path);
        text_printf(out, ":%d", span_line(node->span));
    }
    const char *style = node->op == OP_INPUT ? ", shape=ellipse, style=filled, fillcolor=lightblue"
                        : node->op == OP_CELL
                            ? ", shape=box, style=\"filled,rounded\", fillcolor=khaki"
                        : mark == REACH_FORWARD ? ", shape=box"
                                                : ", shape=box, style=filled, fillcolor=mistyrose";
    text_printf(out, "\"%s];\n", style);
}

static void print_nodes(Text *out, const Graph *g, const Reach *marks, const char *path) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        if (!marks[node->id] || strcmp(node->path ? node->path : "", path) || constant_behind(node))
            continue;
        print_node(out, node, marks[node->id]);
    }
}

static void print_clusters(Text *out, const Graph *g, const Reach *marks) {
    VECTOR(const char *) paths = {0};
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        const char *path = node->path ? node->path : "";
        bool known = false;
        for (int k = 0; k < paths.count && !known; k++) known = !strcmp(paths.data[k], path);
        if (known || !marks[node->id]) continue;
        vector_push(out->arena, &paths, path);
    }
    for (int i = 0; i < paths.count; i++) {
        if (paths.data[i][0]) {
            text_printf(out, "  subgraph cluster_%d {\n  label=\"", i);
            quoted(out, paths.data[i]);
            text_append(out, "\"; color=gray;\n");
        }
        print_nodes(out, g, marks, paths.data[i]);
        if (paths.data[i][0]) text_append(out, "  }\n");
    }
}

void graph_to_dot(Text *out, const Root *root, const Entry *entry, bool grad) {
    const Graph *g = entry->graph;
    int limit = 1;
    for (int i = 0; i < g->nodes.count; i++)
        if (g->nodes.data[i]->id >= limit) limit = g->nodes.data[i]->id + 1;
    Reach *marks = NEW_ARRAY(out->arena, (size_t)limit, Reach);
    Node **stack = NEW_ARRAY(out->arena, (size_t)limit, Node *);
    for (int i = 0; i < entry->results.count; i++)
        reach(&entry->results.data[i].node, 1, marks, REACH_FORWARD, stack);
    for (int i = 0; grad && i < entry->writes.count; i++)
        reach(&entry->writes.data[i].node, 1, marks, REACH_GRAD, stack);
    text_append(out, "digraph \"");
    quoted(out, root->name->text);
    text_printf(out, ".%s\" {\n  node [fontname=\"sans-serif\", fontsize=10];\n",
                entry->name->text);
    print_clusters(out, g, marks);
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.data[i];
        if (!marks[node->id] || constant_behind(node)) continue;
        for (int k = 0; k < node->input_count; k++)
            if (!constant_behind(node->inputs[k]))
                text_printf(out, "  n%d -> n%d;\n", node->inputs[k]->id, node->id);
    }
    for (int i = 0; i < entry->results.count; i++) {
        const Result *result = &entry->results.data[i];
        text_printf(out,
                    "  r%d [label=\"%s\", shape=ellipse, style=filled, fillcolor=palegreen];\n", i,
                    result->name ? result->name->text : "output");
        text_printf(out, "  n%d -> r%d;\n", result->node->id, i);
    }
    for (int i = 0; grad && i < entry->writes.count; i++) {
        text_printf(out, "  w%d [label=\"", i);
        quoted(out, entry->writes.data[i].cell->name->text);
        text_append(out, "'\", shape=box, style=\"filled,rounded\", fillcolor=khaki];\n");
        text_printf(out, "  n%d -> w%d;\n", entry->writes.data[i].node->id, i);
    }
    text_append(out, "}\n");
}

int command_graph(const CommandLine *line) {
    const char *target;
    PipelineOptions options;
    bool gpu;
    int status = only_operand(line, "file", &target);
    if (!status) status = pipeline_options(line, &options);
    if (!status) status = options_gpu(line, &gpu);
    if (!status) status = options_want_gpu(line, gpu);
    if (status) return status;
    Pipeline pipeline;
    status = pipeline_open(&pipeline, line->arena, target, &options);
    if (status) return status;
    bool grad = line->given[OPTION_GRAD];
    Root *root;
    Entry *entry;
    bool trains = false, exports = false;
    for (int i = 0; i < pipeline.program->roots.count; i++) {
        trains = trains || pipeline.program->roots.data[i]->is_train;
        exports = exports || !pipeline.program->roots.data[i]->is_train;
    }
    bool block = trains && (grad || !exports);
    status = pipeline_choose(&pipeline,
                             pipeline.name ? WISH_RUN
                             : block       ? WISH_TRAIN
                                           : WISH_RUN,
                             &root, &entry);
    if (status) return status;
    Text out = text_new(line->arena);
    if (gpu)
        status = launches_of_entry(line, &pipeline, entry, &out);
    else
        graph_to_dot(&out, root, entry, grad);
    if (status) return status;
    const char *path = line->value[OPTION_OUTPUT];
    if (path) nnc_leftover_files_remove(path);
    const char *error = file_write_all(line->arena, path ? path : "-", out.data, out.length, 0644);
    if (!error) return 0;
    fprintf(stderr, "nnc: %s\n", error);
    return EXIT_FILES;
}
