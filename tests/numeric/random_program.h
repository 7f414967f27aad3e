/* A random program: one root with cells and one entry, as textual IR.
 *
 * random_program_text(arena, seed) -> "root p17 train { cell.. entry train step .. }".  The seed
 * decides everything.  Names say what an argument is filled with: x.. moderate numbers, h.. also
 * NaN, infinities, zeros of both signs, subnormals and the ends of the integers. */
#ifndef TESTS_NUMERIC_RANDOM_PROGRAM_H
#define TESTS_NUMERIC_RANDOM_PROGRAM_H

#include "numeric/random_graph.h"
#include "tensor/ir.h"

/* New values for cells: a step along a gradient, any node of the type, the cell of another. */
static inline void random_program_writes(RandomBuilder *b, Entry *entry) {
    Graph *g = b->g;
    int cells = b->cells.count;
    for (int i = 0; i < cells; i++) {
        const Cell *cell = b->cells.data[i];
        if (rg_below(b, 4) == 0) continue;
        Node *old = b->cell_nodes.data[i], *value = NULL;
        for (int k = g->results.count; k-- > 0 && !value;) {
            Node *r = g->results.data[k];
            if (r != old && r->type.dtype == cell->type.dtype && r->op != OP_CELL &&
                shape_equal(&r->type.shape, &cell->type.shape))
                value = r;
        }
        b->options.dtype = cell->type.dtype;
        if (value && dtype_is_float(cell->type.dtype))
            value = op_binary(g, OP_SUB, old, rg_times_number(b, value, 0.125));
        if (!value && rg_coin(b)) value = rg_pick_like(b, &cell->type.shape);
        if (!value) value = rg_row(b, old);
        if (!value || value->type.dtype != cell->type.dtype ||
            !shape_equal(&value->type.shape, &cell->type.shape))
            value =
                b->cell_nodes.data[rg_below(b, cells)]; /* an exchange, if the types are equal */
        if (value->type.dtype != cell->type.dtype ||
            !shape_equal(&value->type.shape, &cell->type.shape))
            continue;
        CellWrite write = {cell, value};
        vector_push(g->arena, &entry->writes, write);
    }
}

static inline bool random_program_draws(const Graph *g) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        if (n->op == OP_RANDOM) return true;
        if (n->op == OP_SCAN && random_program_draws(n->attr.scan.body)) return true;
    }
    return false;
}

static inline RandomGraphOptions random_program_options(uint64_t seed) {
    RandomState s = {seed * 0x9E3779B97F4A7C15u + 7};
    RandomGraphOptions o = {.seed = seed, .mixed = true, .discontinuous = true};
    o.operators = 1 + random_graph_below(&s, 12);
    o.gradient = random_graph_below(&s, 5) < 2;
    o.second = o.gradient && random_graph_below(&s, 3) == 0;
    if (o.gradient) o.operators = 1 + o.operators / 2;
    o.symbolic = random_graph_below(&s, 2);
    o.cells = random_graph_below(&s, 2);
    o.hostile = !o.gradient && random_graph_below(&s, 5) == 0;
    o.elements = random_graph_below(&s, 6) ? 3000 : 16900;
    return o;
}

/* NULL where the seed gives a program with too many arguments, results or nodes. */
static inline const char *random_program_text(Arena *arena, uint64_t seed) {
    enum { MOST_TENSORS = 40, MOST_NODES = 600 };
    DimTable *dims = dim_table_new(arena);
    RandomGraphOptions options = random_program_options(seed);
    RandomBuilder b = rg_builder(arena, dims, options);
    rg_make(&b);
    Graph *g = b.g;
    Entry entry = {.kind = ENTRY_TRAIN, .name = name_of("step"), .graph = g};
    entry.symbol = arena_printf(arena, "p%llu_step", (unsigned long long)seed);
    random_program_writes(&b, &entry);
    if (g->inputs.count > MOST_TENSORS || g->results.count > MOST_TENSORS ||
        g->nodes.count > MOST_NODES)
        return NULL;
    for (int i = 0; i < g->inputs.count; i++) {
        Name old = g->inputs.data[i]->attr.input.name;
        Name name = options.hostile ? name_of(arena_printf(arena, "h%s", old->text + 1)) : old;
        g->inputs.data[i]->attr.input.name = name;
        vector_push(arena, &entry.arguments, ((Argument){.name = name, .node = g->inputs.data[i]}));
    }
    for (int i = 0; i < g->results.count; i++)
        vector_push(arena, &entry.results,
                    ((Result){name_of(arena_printf(arena, "r%d", i)), g->results.data[i], NULL}));
    for (int i = 0; i < dim_symbol_count(dims); i++)
        vector_push(arena, &entry.dims, dim_of_symbol(dims, dim_symbol_at(dims, i)));
    entry.uses_random = random_program_draws(g);
    Root root = {.name = name_of(arena_printf(arena, "p%llu", (unsigned long long)seed)),
                 .is_train = true};
    for (int i = 0; i < b.cells.count; i++) vector_push(arena, &root.cells, b.cells.data[i]);
    vector_push(arena, &root.entries, &entry);
    Text text = text_new(arena);
    root_print(&text, &root, 0);
    return text.data;
}

#endif
