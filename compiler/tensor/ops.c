/* The operator table: one row per Op, the elementwise ones from ops.def. */
#include "tensor/graph.h"

#define COMMUTES PROPERTY_COMMUTES
#define ASSOCIATES PROPERTY_ASSOCIATES
#define CHEAP PROPERTY_CHEAP

static const OpInfo table[OP_COUNT] = {
    [OP_INPUT] = {"input", CLASS_SOURCE, 0, 0},
    [OP_CELL] = {"cell", CLASS_SOURCE, 0, 0},
    [OP_CONST] = {"const", CLASS_SOURCE, 0, CHEAP},
    [OP_IOTA] = {"iota", CLASS_SOURCE, 0, CHEAP},
    [OP_DIM] = {"dim", CLASS_SOURCE, 0, CHEAP},
    [OP_RANDOM] = {"random", CLASS_SOURCE, 0, 0},
#define ELEMENTWISE(e, name, arity, rule, properties, reference) \
    [OP_##e] = {name, CLASS_ELEMENTWISE, arity, properties},
#include "tensor/ops.def"
#undef ELEMENTWISE
    [OP_CAST] = {"cast", CLASS_ELEMENTWISE, 1, CHEAP},
    [OP_IDENTITY] = {"identity", CLASS_ELEMENTWISE, 1, CHEAP},
    [OP_RESHAPE] = {"reshape", CLASS_VIEW, 1, 0},
    [OP_PERMUTE] = {"permute", CLASS_VIEW, 1, 0},
    [OP_EXPAND] = {"expand", CLASS_VIEW, 1, 0},
    [OP_SLICE] = {"slice", CLASS_VIEW, 1, 0},
    [OP_PAD] = {"pad", CLASS_VIEW, 2, 0},
    [OP_CONCAT] = {"concat", CLASS_VIEW, -1, 0},
    [OP_UNFOLD] = {"unfold", CLASS_VIEW, 1, 0},
    [OP_FOLD] = {"fold", CLASS_REDUCE, 1, 0},
    [OP_REDUCE] = {"reduce", CLASS_REDUCE, 1, 0},
    [OP_CONTRACT] = {"contract", CLASS_CONTRACT, 2, 0},
    [OP_PREFIX] = {"prefix", CLASS_PREFIX, 1, 0},
    [OP_ARGSORT] = {"argsort", CLASS_SORT, 1, 0},
    [OP_GATHER] = {"gather", CLASS_INDEXED, 2, 0},
    [OP_SCATTER_ADD] = {"scatter_add", CLASS_INDEXED, 3, 0},
    [OP_SCATTER_SET] = {"scatter_set", CLASS_INDEXED, 3, 0},
    [OP_DYNAMIC_SLICE] = {"dynamic_slice", CLASS_INDEXED, 2, 0},
    [OP_DYNAMIC_UPDATE] = {"dynamic_update", CLASS_INDEXED, 3, 0},
    [OP_CALL] = {"call", CLASS_STRUCTURED, -1, 0},
    [OP_SCAN] = {"scan", CLASS_STRUCTURED, -1, 0},
    [OP_PROJ] = {"proj", CLASS_STRUCTURED, 1, 0},
};

const OpInfo *op_info(Op op) {
    return &table[op];
}

bool op_is_elementwise(Op op) {
    return table[op].class_ == CLASS_ELEMENTWISE;
}

const char *reduce_name(ReduceKind kind) {
    static const char *const names[] = {"sum", "prod", "max",    "min",
                                        "any", "all",  "argmax", "argmin"};
    return names[kind];
}
