/* Merging of equal expressions: a hash table over the nodes of the graph being built.
 *
 * Two nodes are equal if operator, type, attributes and inputs are; the order of inputs does not
 * count where the operator commutes.  Bodies of scans are compared node by node. */
#include <string.h>
#include "tensor/simplify/simplify_rules.h"

typedef struct MergeSlot {
    uint64_t hash;
    Node *node; /* NULL: free */
} MergeSlot;

struct MergeTable {
    Arena *arena;
    MergeSlot *slots;
    size_t capacity, count;
};

MergeTable *merge_table_new(Arena *arena) {
    MergeTable *table = NEW(arena, MergeTable);
    table->arena = arena;
    table->capacity = 64;
    table->slots = NEW_ARRAY(arena, table->capacity, MergeSlot);
    return table;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    return (hash ^ value) * 0x9E3779B97F4A7C15u ^ hash >> 29;
}

static bool commutes(const Node *node) {
    return node->input_count == 2 && op_info(node->op)->properties & PROPERTY_COMMUTES;
}

static uint64_t hash_dims(uint64_t hash, const Dim *const *dims, int count) {
    for (int i = 0; i < count; i++) hash = mix(hash, dims[i]->hash);
    return hash;
}

/* Of the attributes that tell apart what many nodes of one type and no different inputs are. */
static uint64_t hash_attributes(const Node *node) {
    uint64_t bits;
    switch ((int)node->op) {
    case OP_INPUT: return (uint64_t)node->attr.input.index;
    case OP_CELL: return (uint64_t)node->attr.cell->index;
    case OP_CONST:
        if (node->attr.constant.data) return 1;
        memcpy(&bits, &node->attr.constant.value, sizeof bits);
        return mix(bits, (uint64_t)node->attr.constant.integer);
    case OP_DIM: return node->attr.dim->hash;
    case OP_RANDOM: return node->attr.random.site;
    case OP_SLICE: return hash_dims(1, node->attr.slice->begin, node->type.shape.rank);
    case OP_PAD: return hash_dims(1, node->attr.pad->low, node->type.shape.rank);
    case OP_PROJ: return (uint64_t)node->attr.index;
    default: return 0;
    }
}

static uint64_t hash_node(const Node *node) {
    uint64_t hash = mix((uint64_t)node->op, (uint64_t)node->type.dtype);
    hash = hash_dims(hash, node->type.shape.dims, node->type.shape.rank);
    hash = mix(hash, hash_attributes(node));
    uint64_t inputs = 0;
    for (int i = 0; i < node->input_count; i++) {
        uint64_t id = (uint64_t)node->inputs[i]->id;
        inputs = commutes(node) ? inputs + mix(1, id) : mix(inputs, id);
    }
    hash = mix(hash, inputs);
    return hash ^ hash >> 32;
}

static bool dims_equal(const Dim *const *a, const Dim *const *b, int count) {
    for (int i = 0; i < count; i++)
        if (a[i] != b[i]) return false;
    return true;
}

static bool constants_equal(const Node *a, const Node *b) {
    const ConstAttr *x = &a->attr.constant, *y = &b->attr.constant;
    if (!x->data && !y->data)
        return memcmp(&x->value, &y->value, sizeof x->value) == 0 && x->integer == y->integer;
    if (!x->data || !y->data) return false;
    int64_t elements = 1, extent;
    for (int i = 0; i < a->type.shape.rank; i++)
        if (!dim_is_const(a->type.shape.dims[i], &extent) ||
            !checked_mul(elements, extent, &elements))
            return false;
    return memcmp(x->data, y->data, (size_t)elements * 8) == 0; /* doubles or int64s */
}

static bool windows_equal(const WindowAttr *x, const WindowAttr *y) {
    return x->axis == y->axis && x->size == y->size && x->stride == y->stride &&
           x->dilation == y->dilation;
}

static bool contracts_equal(const Node *a, const Node *b) {
    const ContractAttr *x = &a->attr.contract, *y = &b->attr.contract;
    return memcmp(x->a, y->a, (size_t)a->inputs[0]->type.shape.rank) == 0 &&
           memcmp(x->b, y->b, (size_t)a->inputs[1]->type.shape.rank) == 0 &&
           memcmp(x->out, y->out, (size_t)a->type.shape.rank) == 0;
}

static bool scans_equal(const ScanAttr *x, const ScanAttr *y) {
    return x->length == y->length && x->carries == y->carries && x->sequences == y->sequences &&
           x->invariants == y->invariants && x->reverse == y->reverse &&
           simplify_graphs_equal(x->body, y->body);
}

static bool attributes_equal(const Node *a, const Node *b) {
    int rank = a->type.shape.rank;
    switch ((int)a->op) {
    case OP_INPUT: return a->attr.input.index == b->attr.input.index;
    case OP_CELL: return a->attr.cell == b->attr.cell;
    case OP_CONST: return constants_equal(a, b);
    case OP_IOTA:
    case OP_CONCAT: return a->attr.axis == b->attr.axis;
    case OP_DIM: return a->attr.dim == b->attr.dim;
    case OP_RANDOM:
        return a->attr.random.site == b->attr.random.site &&
               a->attr.random.at_init == b->attr.random.at_init;
    case OP_PERMUTE:
        return memcmp(a->attr.axes, b->attr.axes, (size_t)rank * sizeof *a->attr.axes) == 0;
    case OP_EXPAND:
        return memcmp(a->attr.axes, b->attr.axes,
                      (size_t)a->inputs[0]->type.shape.rank * sizeof *a->attr.axes) == 0;
    case OP_SLICE:
        return dims_equal(a->attr.slice->begin, b->attr.slice->begin, rank) &&
               memcmp(a->attr.slice->step, b->attr.slice->step,
                      (size_t)rank * sizeof *a->attr.slice->step) == 0;
    case OP_PAD:
        return dims_equal(a->attr.pad->low, b->attr.pad->low, rank) &&
               dims_equal(a->attr.pad->high, b->attr.pad->high, rank);
    case OP_UNFOLD:
    case OP_FOLD: return windows_equal(&a->attr.window, &b->attr.window);
    case OP_REDUCE:
        return a->attr.reduce.kind == b->attr.reduce.kind &&
               a->attr.reduce.axes == b->attr.reduce.axes;
    case OP_CONTRACT: return contracts_equal(a, b);
    case OP_PREFIX:
        return a->attr.prefix.kind == b->attr.prefix.kind &&
               a->attr.prefix.axis == b->attr.prefix.axis &&
               a->attr.prefix.reverse == b->attr.prefix.reverse;
    case OP_ARGSORT:
        return a->attr.sort.axis == b->attr.sort.axis &&
               a->attr.sort.descending == b->attr.sort.descending;
    case OP_GATHER:
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET: return a->attr.batch == b->attr.batch;
    case OP_DYNAMIC_SLICE:
    case OP_DYNAMIC_UPDATE: return a->attr.dynamic.axis == b->attr.dynamic.axis;
    case OP_CALL:
        return a->attr.call.body == b->attr.call.body && a->attr.call.vjp == b->attr.call.vjp;
    case OP_SCAN: return scans_equal(&a->attr.scan, &b->attr.scan);
    case OP_PROJ: return a->attr.index == b->attr.index;
    default: return true; /* elementwise, reshape: all is in the type */
    }
}

static bool nodes_equal(const Node *a, const Node *b) {
    if (a->op != b->op || a->input_count != b->input_count) return false;
    if (!simplify_type_equal(&a->type, &b->type)) return false;
    bool same = true;
    for (int i = 0; i < a->input_count; i++) same &= a->inputs[i] == b->inputs[i];
    if (!same && commutes(a)) same = a->inputs[0] == b->inputs[1] && a->inputs[1] == b->inputs[0];
    return same && attributes_equal(a, b);
}

bool simplify_graphs_equal(const Graph *a, const Graph *b) {
    if (a == b) return true;
    if (a->nodes.count != b->nodes.count || a->results.count != b->results.count) return false;
    for (int k = 0; k < a->nodes.count; k++) {
        const Node *x = a->nodes.data[k], *y = b->nodes.data[k];
        if (x->op != y->op || x->id != y->id || x->input_count != y->input_count) return false;
        if (!simplify_type_equal(&x->type, &y->type)) return false;
        for (int i = 0; i < x->input_count; i++)
            if (x->inputs[i]->id != y->inputs[i]->id) return false;
        if (!attributes_equal(x, y)) return false;
    }
    for (int i = 0; i < a->results.count; i++)
        if (a->results.data[i]->id != b->results.data[i]->id) return false;
    return true;
}

static void grow(MergeTable *table) {
    const MergeSlot *old = table->slots;
    size_t count = table->capacity, doubled;
    if (!checked_mul_size(count, 2, &doubled)) return;
    table->capacity = doubled;
    table->slots = NEW_ARRAY(table->arena, table->capacity, MergeSlot);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)old[i].hash & (doubled - 1);
        if (!old[i].node) continue;
        while (table->slots[at].node) at = (at + 1) & (doubled - 1);
        table->slots[at] = old[i];
    }
}

Node *merge_node(MergeTable *table, Node *candidate) {
    uint64_t hash = hash_node(candidate);
    size_t at = (size_t)hash & (table->capacity - 1);
    for (; table->slots[at].node; at = (at + 1) & (table->capacity - 1))
        if (table->slots[at].hash == hash && nodes_equal(table->slots[at].node, candidate))
            return table->slots[at].node;
    table->slots[at] = (MergeSlot){hash, candidate};
    if (++table->count * 2 > table->capacity) grow(table);
    return candidate;
}
