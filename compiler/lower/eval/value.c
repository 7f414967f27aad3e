/* Values: constructors, Python's str and repr, equality, and their names in messages. */
#include "lower/eval/value.h"

#include <string.h>

Value value_dim(const Dim *d) {
    int64_t constant;
    if (!d) return value_error();
    if (dim_is_const(d, &constant)) return value_int(constant);
    return (Value){.kind = VALUE_DIM, .as.dim = d};
}

Value value_dtype(DType t) {
    return (Value){.kind = VALUE_DTYPE, .as.dtype = t};
}

static ValueList *list_of(Arena *arena, const Value *items, int count) {
    ValueList *list = NEW(arena, ValueList);
    for (int i = 0; i < count; i++) vector_push(arena, &list->items, items[i]);
    return list;
}

Value value_tuple(Arena *arena, const Value *items, int count) {
    return (Value){.kind = VALUE_TUPLE, .as.list = list_of(arena, items, count)};
}

Value value_list(Arena *arena, const Value *items, int count) {
    return (Value){.kind = VALUE_LIST, .as.list = list_of(arena, items, count)};
}

Value value_bound(Arena *arena, Value callee, const Value *receiver) {
    callee.receiver = arena_copy(arena, receiver, sizeof *receiver);
    return callee;
}

const char *value_kind_name(const Value *v) {
    switch (v->kind) {
    case VALUE_NONE: return "None";
    case VALUE_BOOL: return "a bool";
    case VALUE_INT: return "an int";
    case VALUE_FLOAT: return "a float";
    case VALUE_STR: return "a str";
    case VALUE_DTYPE: return "a dtype";
    case VALUE_DIM: return "a dim";
    case VALUE_TUPLE: return "a tuple";
    case VALUE_LIST: return "a list";
    case VALUE_DICT: return "a dict";
    case VALUE_RANGE: return "a range";
    case VALUE_SLICE: return "a slice";
    case VALUE_ELLIPSIS: return "...";
    case VALUE_CLASS:
        return v->as.class_->kind == CLASS_KIND_OPTIMIZER ? "an optimizer's class"
                                                          : "a module's class";
    case VALUE_INSTANCE:
        switch (v->as.instance->class_->kind) {
        case CLASS_KIND_MODULE: return "a module";
        case CLASS_KIND_OPTIMIZER: return "an optimizer";
        case CLASS_KIND_TRAIN: return "a train block";
        }
        return "a module";
    case VALUE_FUNCTION:
    case VALUE_BUILTIN: return "a function";
    case VALUE_NAMESPACE: return "a namespace";
    case VALUE_TENSOR: return "a tensor";
    case VALUE_CELL:
        switch (v->as.cell->cell->role) {
        case CELL_PARAMETER: return "a parameter";
        case CELL_BUFFER: return "a buffer";
        case CELL_STATE: return "a state";
        case CELL_GRADIENT: return "a gradient";
        case CELL_OPTIMIZER: return "an optimizer's state";
        case CELL_SCALAR: return "a run-time scalar";
        }
        return "a cell";
    case VALUE_ERROR: return "an error";
    }
    return "a value";
}

/* Lists may share parts or hold themselves: their text is cut. */
enum { PRINT_LIMIT = 4000 };

static void print_items(Text *out, const ValueList *list, const char *open, const char *close,
                        bool tuple) {
    text_append(out, open);
    for (int i = 0; i < list->items.count; i++) {
        if (i) text_append(out, ", ");
        if (out->length > PRINT_LIMIT) {
            text_append(out, "...");
            break;
        }
        value_print(out, &list->items.data[i], true);
    }
    if (tuple && list->items.count == 1) text_char(out, ',');
    text_append(out, close);
}

void value_print(Text *out, const Value *v, bool repr) {
    switch (v->kind) {
    case VALUE_NONE: text_append(out, "None"); break;
    case VALUE_BOOL: text_append(out, v->as.boolean ? "True" : "False"); break;
    case VALUE_INT: text_printf(out, "%lld", (long long)v->as.integer); break;
    case VALUE_FLOAT: text_double(out, v->as.number); break;
    case VALUE_STR:
        if (repr)
            text_repr(out, v->as.text);
        else
            text_append(out, v->as.text);
        break;
    case VALUE_DTYPE: text_append(out, dtype_name(v->as.dtype)); break;
    case VALUE_DIM: dim_print(out, v->as.dim); break;
    case VALUE_TUPLE: print_items(out, v->as.list, "(", ")", true); break;
    case VALUE_LIST: print_items(out, v->as.list, "[", "]", false); break;
    case VALUE_DICT:
        text_char(out, '{');
        for (int i = 0; i + 1 < v->as.list->items.count; i += 2) {
            if (i) text_append(out, ", ");
            if (out->length > PRINT_LIMIT) {
                text_append(out, "...");
                break;
            }
            value_print(out, &v->as.list->items.data[i], true);
            text_append(out, ": ");
            value_print(out, &v->as.list->items.data[i + 1], true);
        }
        text_char(out, '}');
        break;
    case VALUE_RANGE:
        text_printf(out, "range(%lld, ", (long long)v->as.range->start);
        dim_print(out, v->as.range->stop);
        if (v->as.range->step != 1) text_printf(out, ", %lld", (long long)v->as.range->step);
        text_char(out, ')');
        break;
    case VALUE_SLICE:
        text_append(out, "slice");
        print_items(out, v->as.list, "(", ")", false);
        break;
    case VALUE_ELLIPSIS: text_append(out, "Ellipsis"); break;
    case VALUE_CLASS: text_append(out, v->as.class_->name->text); break;
    case VALUE_INSTANCE: text_printf(out, "%s(...)", v->as.instance->class_->name->text); break;
    case VALUE_FUNCTION: text_append(out, v->as.closure->function->name->text); break;
    case VALUE_BUILTIN: text_append(out, v->as.builtin->name); break;
    case VALUE_NAMESPACE: text_append(out, v->as.namespace_->name->text); break;
    case VALUE_TENSOR: type_print(out, &v->as.tensor->type); break;
    case VALUE_CELL: type_print(out, &v->as.cell->cell->type); break;
    case VALUE_ERROR: text_append(out, "?"); break;
    }
}

static bool is_numeric(const Value *v) {
    return v->kind == VALUE_BOOL || v->kind == VALUE_INT || v->kind == VALUE_FLOAT;
}

static bool numbers_equal(const Value *a, const Value *b) {
    if (a->kind != VALUE_FLOAT && b->kind != VALUE_FLOAT) {
        int64_t x = a->kind == VALUE_BOOL ? a->as.boolean : a->as.integer;
        int64_t y = b->kind == VALUE_BOOL ? b->as.boolean : b->as.integer;
        return x == y;
    }
    double x = a->kind == VALUE_FLOAT  ? a->as.number
               : a->kind == VALUE_BOOL ? a->as.boolean
                                       : (double)a->as.integer;
    double y = b->kind == VALUE_FLOAT  ? b->as.number
               : b->kind == VALUE_BOOL ? b->as.boolean
                                       : (double)b->as.integer;
    return x == y;
}

/* What is left of a comparison: lists may share parts or hold themselves. */
typedef struct Comparison {
    int depth, steps;
} Comparison;

static bool equal_within(const Value *a, const Value *b, Comparison *left);

static bool lists_equal(const ValueList *a, const ValueList *b, Comparison *left) {
    if (a->items.count != b->items.count || left->depth == 0) return false;
    left->depth--;
    bool equal = true;
    for (int i = 0; i < a->items.count && equal; i++)
        equal = left->steps-- > 0 && equal_within(&a->items.data[i], &b->items.data[i], left);
    left->depth++;
    return equal;
}

bool value_equal(const Value *a, const Value *b) {
    Comparison left = {200, 10 * 1000 * 1000};
    return equal_within(a, b, &left);
}

static bool equal_within(const Value *a, const Value *b, Comparison *left) {
    if (is_numeric(a) && is_numeric(b)) return numbers_equal(a, b);
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case VALUE_NONE:
    case VALUE_ELLIPSIS: return true;
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT: return numbers_equal(a, b);
    case VALUE_STR: return strcmp(a->as.text, b->as.text) == 0;
    case VALUE_DTYPE: return a->as.dtype == b->as.dtype;
    case VALUE_DIM: return a->as.dim == b->as.dim;
    case VALUE_TUPLE:
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_SLICE: return a->as.list == b->as.list || lists_equal(a->as.list, b->as.list, left);
    case VALUE_RANGE:
        return a->as.range->start == b->as.range->start && a->as.range->step == b->as.range->step &&
               a->as.range->stop == b->as.range->stop;
    case VALUE_CLASS: return a->as.class_ == b->as.class_;
    case VALUE_INSTANCE: return a->as.instance == b->as.instance;
    case VALUE_FUNCTION:
        return a->as.closure->function == b->as.closure->function &&
               a->as.closure->self == b->as.closure->self;
    case VALUE_BUILTIN: return a->as.builtin == b->as.builtin;
    case VALUE_NAMESPACE: return a->as.namespace_ == b->as.namespace_;
    case VALUE_TENSOR: return a->as.tensor == b->as.tensor;
    case VALUE_CELL: return a->as.cell == b->as.cell;
    case VALUE_ERROR: return true;
    }
    return false;
}
