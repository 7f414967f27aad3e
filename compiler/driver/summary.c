/* nnc summary: torch's print(model), then a table of modules, then totals; --parameters lists the
 * parameters. */
#include <string.h>
#include "driver/commands.h"
#include "driver/launches.h"
#include "lower/lower.h"
#include "tensor/interpret/interpret.h"
#include "tensor/simplify/simplify.h"

/* ---- print(model) ---- */

static const char *representation(Arena *arena, const InstanceView *view);

/* All lines but the first are moved to the right, as torch's _addindent does. */
static const char *indented(Arena *arena, const char *text) {
    if (!strchr(text, '\n')) return text;
    Text out = text_new(arena);
    for (const char *p = text; *p; p++) {
        text_char(&out, *p);
        if (*p == '\n') text_append(&out, "  ");
    }
    return out.data;
}

typedef VECTOR(const char *) Lines;

static void add_children(Arena *arena, const InstanceView *view, Lines *lines) {
    for (int i = 0; i < view->child_count; i++) {
        const InstanceView *child = view->children[i];
        const char *text = representation(arena, child);
        int last = i;
        while (view->is_container_list && last + 1 < view->child_count &&
               !strcmp(representation(arena, view->children[last + 1]), text))
            last++;
        if (last > i)
            text = arena_printf(arena, "(%s-%s): %d x %s", child->member_name,
                                view->children[last]->member_name, last - i + 1, text);
        else
            text = arena_printf(arena, "(%s): %s", child->member_name, text);
        vector_push(arena, lines, indented(arena, text));
        i = last;
    }
}

static const char *representation(Arena *arena, const InstanceView *view) {
    Lines lines = {0};
    const char *extra = view->extra_repr ? view->extra_repr : "";
    int extra_lines = 0;
    for (const char *p = extra; *p;) {
        size_t length = strcspn(p, "\n");
        vector_push(arena, &lines, arena_strndup(arena, p, length));
        extra_lines++;
        p += length + (p[length] == '\n');
    }
    add_children(arena, view, &lines);
    Text out = text_new(arena);
    text_printf(&out, "%s(", view->class_name);
    if (extra_lines == 1 && lines.count == 1) {
        text_append(&out, lines.data[0]);
    } else if (lines.count) {
        for (int i = 0; i < lines.count; i++) text_printf(&out, "\n  %s", lines.data[i]);
        text_char(&out, '\n');
    }
    text_char(&out, ')');
    return out.data;
}

/* ---- the table ---- */

static int64_t elements_of(const TensorType *type) {
    int64_t count = 1, extent;
    for (int i = 0; i < type->shape.rank; i++)
        if (!dim_is_const(type->shape.dims[i], &extent) || !checked_mul(count, extent, &count))
            return 0;
    return count;
}

static int64_t own_parameters(const InstanceView *view) {
    int64_t count = 0;
    for (int i = 0; i < view->cell_count; i++)
        if (view->cells[i]->role == CELL_PARAMETER) count += elements_of(&view->cells[i]->type);
    return count;
}

static const char *grouped(Arena *arena, int64_t value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    Text out = text_new(arena);
    size_t length = strlen(digits);
    for (size_t i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text_char(&out, ',');
        text_char(&out, digits[i]);
    }
    return out.data;
}

/* Multiply-adds of one contraction: the product of its labels' extents. */
static const Dim *contraction_work(DimTable *dims, const Node *node) {
    const Dim *extents[CONTRACT_MAX_LABELS] = {NULL}, *work = dim_const(dims, 1);
    const int8_t *labels[2] = {node->attr.contract.a, node->attr.contract.b};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < node->inputs[i]->type.shape.rank; k++)
            extents[labels[i][k]] = node->inputs[i]->type.shape.dims[k];
    for (int i = 0; i < CONTRACT_MAX_LABELS; i++)
        if (extents[i]) work = dim_mul(dims, work, extents[i]);
    return work;
}

/* Multiply-adds of the contractions that run in the module `path` (NULL: in any), `times` each; the
 * graph is free of CALL. */
static const Dim *graph_work(const Graph *graph, const char *path, const Dim *times) {
    const Dim *sum = dim_const(graph->dims, 0);
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *node = graph->nodes.data[i];
        if (node->op == OP_SCAN) {
            const Dim *often = dim_mul(graph->dims, times, node->attr.scan.length);
            sum = dim_add(graph->dims, sum, graph_work(node->attr.scan.body, path, often));
        } else if (node->op == OP_CONTRACT &&
                   (!path || !strcmp(node->path ? node->path : "", path))) {
            const Dim *work = contraction_work(graph->dims, node);
            sum = dim_add(graph->dims, sum, dim_mul(graph->dims, times, work));
        }
    }
    return sum;
}

/* A size for people: grouped when constant, an expression of the dims otherwise, "-"
 * for nothing. */
static const char *size_text(Arena *arena, const Dim *size) {
    int64_t value;
    Text out = text_new(arena);
    if (!size || dim_is(size, 0)) return "-";
    if (dim_is_const(size, &value)) return grouped(arena, value);
    dim_print(&out, size);
    return out.data;
}

typedef struct Row {
    const char *name, *output;
    int64_t parameters;
    const char *work, *bytes;
} Row;
typedef VECTOR(Row) Rows;

/* `graph` is the entry's, NULL when there is none. */
static void add_rows(Arena *arena, const InstanceView *view, const Graph *graph, int depth,
                     Rows *rows) {
    Text name = text_new(arena), output = text_new(arena);
    for (int i = 0; i < depth; i++) text_append(&name, "  ");
    if (view->member_name) text_printf(&name, "%s: ", view->member_name);
    text_append(&name, view->class_name);
    if (view->called)
        type_print(&output, &view->output);
    else
        text_char(&output, '-');
    Row row = {name.data, output.data, own_parameters(view), "-", "-"};
    if (graph)
        row.work = size_text(arena, graph_work(graph, view->path, dim_const(graph->dims, 1)));
    if (graph && view->called) {
        const Dim *width = dim_const(graph->dims, (int64_t)dtype_bytes(view->output.dtype));
        const Dim *count = shape_elements(graph->dims, &view->output.shape);
        row.bytes = size_text(arena, dim_mul(graph->dims, count, width));
    }
    vector_push(arena, rows, row);
    for (int i = 0; i < view->child_count; i++)
        add_rows(arena, view->children[i], graph, depth + 1, rows);
}

static void widen(int *width, const char *text) {
    if ((int)strlen(text) > *width) *width = (int)strlen(text);
}

static void print_table(Arena *arena, const InstanceView *view, const Graph *graph) {
    Rows rows = {0};
    add_rows(arena, view, graph, 0, &rows);
    int name = 6, output = 6, work = 13, bytes = 16;
    for (int i = 0; i < rows.count; i++) {
        widen(&name, rows.data[i].name);
        widen(&output, rows.data[i].output);
        widen(&work, rows.data[i].work);
        widen(&bytes, rows.data[i].bytes);
    }
    printf("\n%-*s  %-*s  %12s  %*s  %*s\n", name, "module", output, "output", "parameters", work,
           "multiply-adds", bytes, "activation bytes");
    for (int i = 0; i < rows.count; i++) {
        const Row *row = &rows.data[i];
        printf("%-*s  %-*s  %12s  %*s  %*s\n", name, row->name, output, row->output,
               row->parameters ? grouped(arena, row->parameters) : "-", work, row->work, bytes,
               row->bytes);
    }
}

static void print_totals(Arena *arena, const Root *root, const Graph *graph) {
    int64_t counts[3] = {0}, bytes[3] = {0};
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *cell = root->cells.data[i];
        int kind = cell->role == CELL_PARAMETER ? 0 : cell->role == CELL_BUFFER ? 1 : 2;
        int64_t elements = elements_of(&cell->type);
        counts[kind] += elements;
        bytes[kind] += elements * (int64_t)dtype_bytes(cell->type.dtype);
    }
    static const char *const names[] = {"parameters", "buffers", "other state"};
    printf("\n");
    for (int i = 0; i < 3; i++)
        if (counts[i] || i == 0)
            printf("%-12s %14s  (%s bytes)\n", names[i], grouped(arena, counts[i]),
                   grouped(arena, bytes[i]));
    if (graph)
        printf("%-13s %s\n", "multiply-adds",
               size_text(arena, graph_work(graph, NULL, dim_const(graph->dims, 1))));
}

/* ---- parameters ---- */

static void print_values(Arena *arena, const Tensor *tensor) {
    enum { SHOWN = 4 };
    Text text = text_new(arena);
    for (int64_t i = 0; i < tensor->count && i < SHOWN; i++) {
        if (i) text_append(&text, ", ");
        if (tensor->floats)
            text_printf(&text, "%.4f", tensor->floats[i]);
        else
            text_printf(&text, "%lld", (long long)tensor->integers[i]);
    }
    printf("[%s%s]", text.data, tensor->count > SHOWN ? ", ..." : "");
}

static void print_parameters(Arena *arena, const Pipeline *pipeline, const Root *root,
                             uint64_t seed) {
    Environment *environment = environment_new(arena, root, pipeline->program->dims);
    environment->seed = seed;
    const char *problem = "the root has no initialisation";
    for (int i = 0; i < root->entries.count; i++)
        if (root->entries.data[i]->kind == ENTRY_INIT)
            problem = interpret_entry(environment, INTERPRET_TYPED, root->entries.data[i], NULL,
                                      NULL, NULL);
    int width = 0;
    for (int i = 0; i < root->cells.count; i++)
        if ((int)root->cells.data[i]->name->length > width)
            width = (int)root->cells.data[i]->name->length;
    printf("\n");
    for (int i = 0; i < root->cells.count; i++) {
        const Cell *cell = root->cells.data[i];
        if (cell->role != CELL_PARAMETER && cell->role != CELL_BUFFER) continue;
        Text type = text_new(arena);
        type_print(&type, &cell->type);
        printf("%-*s  %-18s  ", width, cell->name->text, type.data);
        if (!problem && environment->cells[cell->index])
            print_values(arena, environment->cells[cell->index]);
        printf("%s\n", cell->unsaved               ? "  (buffer, not saved)"
                       : cell->role == CELL_BUFFER ? "  (buffer)"
                                                   : "");
        for (int k = 0; k < cell->alias_count; k++)
            printf("%-*s  the same tensor\n", width, cell->aliases[k]->text);
    }
    if (!problem)
        printf("\nThe values are the initial ones of seed %llu.\n", (unsigned long long)seed);
}

int command_summary(const CommandLine *line) {
    const char *target;
    PipelineOptions options;
    int64_t seed;
    bool gpu;
    int status = only_operand(line, "file", &target);
    if (!status) status = pipeline_options(line, &options);
    if (!status) status = options_integer(line, OPTION_SEED, 0, &seed);
    if (!status) status = options_gpu(line, &gpu);
    if (!status) status = options_want_gpu(line, gpu);
    if (status) return status;
    options.modules = options.views = true;
    Arena *arena = line->arena;
    Pipeline pipeline;
    status = pipeline_open(&pipeline, arena, target, &options);
    if (status) return status;
    const Root *root = NULL;
    for (int i = 0; i < pipeline.program->roots.count; i++) {
        const Root *candidate = pipeline.program->roots.data[i];
        bool matches = !pipeline.name || !strcmp(candidate->name->text, pipeline.name);
        if (!root && matches && candidate->instance) root = candidate;
    }
    if (!root && pipeline.program->roots.count && !pipeline.name)
        root = pipeline.program->roots.data[0];
    if (!root || !root->instance)
        return options_misuse(line, "%s has no module or export `%s`", pipeline.file,
                              pipeline.name ? pipeline.name : "");
    const InstanceView *view = lower_instance_view(arena, root->instance);
    printf("%s\n", representation(arena, view));
    const Program *computed = simplify_root(arena, pipeline.program, root);
    const Graph *graph = root->entries.count && root->entries.data[0]->kind != ENTRY_INIT
                             ? computed->roots.data[0]->entries.data[0]->graph
                             : NULL;
    print_table(arena, view, graph);
    print_totals(arena, root, graph);
    if (line->given[OPTION_PARAMETERS]) print_parameters(arena, &pipeline, root, (uint64_t)seed);
    if (!gpu) return 0;
    Text launches = text_new(arena);
    status = launches_of_program(line, &pipeline, pipeline.name ? root : NULL, &launches);
    if (!status) printf("\n%s", launches.data);
    return status;
}
