/* Builtin functions of compile time: range, len, zip, ..., and math.*.
 *
 * Where Python's builtin also takes tensors (sum, min, max, abs, round), the library's function of
 * that name does the work. */
#include "lower/internal.h"

#include <math.h>
#include <string.h>

static bool any_keyword(const CallArguments *args) {
    for (int i = 0; args->keywords && i < args->count; i++)
        if (args->keywords[i]) return true;
    return false;
}

static bool count_between(Lowerer *lw, const CallArguments *args, const char *name, int least,
                          int most, Span span) {
    for (int i = 0; i < args->count; i++)
        if (args->values[i].kind == VALUE_ERROR) return false;
    if (args->count >= least && args->count <= most) return true;
    if (least == most)
        lower_error(lw, NN_CALL_ARGUMENTS, span, "%s() takes %d argument%s but receives %d", name,
                    least, least == 1 ? "" : "s", args->count);
    else
        lower_error(lw, NN_CALL_ARGUMENTS, span, "%s() takes %d to %d arguments but receives %d",
                    name, least, most, args->count);
    return false;
}

static Value builtin_range(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "range", 1, 3, span)) return value_error();
    RangeValue *range = NEW(lw->arena, RangeValue);
    range->step = 1;
    const Value *stop = &args->values[args->count > 1 ? 1 : 0];
    if (value_is_tensor(stop)) {
        Diagnostic *d =
            lower_error(lw, NN_TENSOR_LOOP, span, "the number of rounds depends on a tensor");
        diagnostic_help(d, "`for` is unrolled while compiling; a loop over time is `scan h = h0 "
                           "for xt in x { ... }`");
        return value_error();
    }
    if (args->count > 1 &&
        !value_as_int(lw, &args->values[0], "range's start", span, &range->start))
        return value_error();
    if (!value_as_dim(lw, stop, "range's stop", span, &range->stop)) return value_error();
    if (args->count > 2 && !value_as_int(lw, &args->values[2], "range's step", span, &range->step))
        return value_error();
    if (range->step == 0) {
        lower_error(lw, NN_ARITHMETIC, span, "range's step cannot be 0");
        return value_error();
    }
    return (Value){.kind = VALUE_RANGE, .as.range = range};
}

static Value builtin_len(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "len", 1, 1, span)) return value_error();
    const Value *v = &args->values[0];
    if (value_is_tensor(v)) {
        const Node *node = value_node(lw, v, span);
        if (!node) return value_error();
        if (node->type.shape.rank) return value_dim(node->type.shape.dims[0]);
        lower_error(lw, NN_OPERAND_TYPES, span, "len() of a tensor of rank 0");
        return value_error();
    }
    if (v->kind == VALUE_STR) return value_int((int64_t)strlen(v->as.text));
    if (v->kind == VALUE_RANGE && v->as.range->start == 0 && v->as.range->step == 1)
        return value_dim(v->as.range->stop);
    ValueList *items;
    return eval_iterate(lw, v, span, &items) ? value_int(items->items.count) : value_error();
}

static Value builtin_zip(Lowerer *lw, const CallArguments *args, Span span) {
    ValueList **lists = NEW_ARRAY(lw->arena, (size_t)args->count + 1, ValueList *);
    Value *row = NEW_ARRAY(lw->arena, (size_t)args->count + 1, Value);
    int shortest = 0;
    for (int i = 0; i < args->count; i++) {
        if (!eval_iterate(lw, &args->values[i], span, &lists[i])) return value_error();
        if (i == 0 || lists[i]->items.count < shortest) shortest = lists[i]->items.count;
    }
    ValueList *out = NEW(lw->arena, ValueList);
    for (int k = 0; k < shortest; k++) {
        for (int i = 0; i < args->count; i++) row[i] = lists[i]->items.data[k];
        vector_push(lw->arena, &out->items, value_tuple(lw->arena, row, args->count));
    }
    return (Value){.kind = VALUE_LIST, .as.list = out};
}

static Value builtin_enumerate(Lowerer *lw, const CallArguments *args, Span span) {
    Value in[2];
    int64_t start;
    ValueList *items;
    if (!args_get(lw, args, "iterable, start=0", span, in) ||
        !value_as_int(lw, &in[1], "enumerate's start", span, &start) ||
        !eval_iterate(lw, &in[0], span, &items))
        return value_error();
    ValueList *out = NEW(lw->arena, ValueList);
    for (int i = 0; i < items->items.count; i++) {
        Value pair[2] = {value_int(start + i), items->items.data[i]};
        vector_push(lw->arena, &out->items, value_tuple(lw->arena, pair, 2));
    }
    return (Value){.kind = VALUE_LIST, .as.list = out};
}

static Value builtin_reversed(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "reversed", 1, 1, span)) return value_error();
    ValueList *items;
    if (!eval_iterate(lw, &args->values[0], span, &items)) return value_error();
    ValueList *out = NEW(lw->arena, ValueList);
    for (int i = items->items.count - 1; i >= 0; i--)
        vector_push(lw->arena, &out->items, items->items.data[i]);
    return (Value){.kind = VALUE_LIST, .as.list = out};
}

static Value library_instead(Lowerer *lw, const char *name, const CallArguments *args, Span span) {
    const Value *f = namespace_find(lw, library_namespace(lw, "torch"), name_of(name));
    if (!f) {
        lower_error(lw, NN_UNKNOWN_NAME, span, "the library has no function `%s` of tensors", name);
        return value_error();
    }
    return eval_call(lw, f, args, span);
}

static Value builtin_sum(Lowerer *lw, const CallArguments *args, Span span) {
    if (args->count && (value_is_tensor(&args->values[0]) || any_keyword(args)))
        return library_instead(lw, "sum", args, span);
    if (!count_between(lw, args, "sum", 1, 2, span)) return value_error();
    ValueList *items;
    if (!eval_iterate(lw, &args->values[0], span, &items)) return value_error();
    Value total = args->count > 1 ? args->values[1] : value_int(0);
    for (int i = 0; i < items->items.count; i++)
        total = eval_binary(lw, OPERATOR_ADD, &total, &items->items.data[i], span);
    return total;
}

static Value extreme(Lowerer *lw, const char *name, Operator better, const CallArguments *args,
                     Span span) {
    if (any_keyword(args)) return library_instead(lw, name, args, span);
    for (int i = 0; i < args->count; i++)
        if (value_is_tensor(&args->values[i])) return library_instead(lw, name, args, span);
    if (!count_between(lw, args, name, 1, 1 << 20, span)) return value_error();
    ValueList list = {.items = {(Value *)args->values, args->count, args->count}}, *items = &list;
    if (args->count == 1 && !eval_iterate(lw, &args->values[0], span, &items)) return value_error();
    if (items->items.count == 0) {
        lower_error(lw, NN_ARITHMETIC, span, "%s() of nothing", name);
        return value_error();
    }
    Value best = items->items.data[0];
    for (int i = 1; i < items->items.count; i++) {
        const Value *v = &items->items.data[i];
        bool take;
        if (better == OPERATOR_GT && (best.kind == VALUE_DIM || v->kind == VALUE_DIM)) {
            const Dim *a, *b;
            if (!value_as_dim(lw, &best, name, span, &a) || !value_as_dim(lw, v, name, span, &b))
                return value_error();
            best = eval_dim_result(lw, dim_max(lw->dims, a, b), span);
            if (best.kind == VALUE_ERROR) return best;
            continue;
        }
        if (!host_compare(lw, better, v, &best, span, &take)) return value_error();
        if (take) best = *v;
    }
    return best;
}

static Value builtin_min(Lowerer *lw, const CallArguments *args, Span span) {
    return extreme(lw, "min", OPERATOR_LT, args, span);
}
static Value builtin_max(Lowerer *lw, const CallArguments *args, Span span) {
    return extreme(lw, "max", OPERATOR_GT, args, span);
}

static Value builtin_abs(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "abs", 1, 1, span)) return value_error();
    const Value *v = &args->values[0];
    if (value_is_tensor(v)) return library_instead(lw, "abs", args, span);
    if (v->kind == VALUE_FLOAT) return value_float(fabs(v->as.number));
    int64_t i;
    if (!value_as_int(lw, v, "abs()'s argument", span, &i)) return value_error();
    Value x = value_int(i);
    return i < 0 ? eval_unary(lw, OPERATOR_NEG, &x, span) : x;
}

static bool to_int(Lowerer *lw, double x, Span span, Value *out) {
    if (!(x > -9.2e18 && x < 9.2e18)) {
        lower_error(lw, NN_ARITHMETIC, span, "the number does not fit in an int");
        return false;
    }
    *out = value_int((int64_t)x);
    return true;
}

static Value builtin_round(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "round", 1, 2, span)) return value_error();
    if (value_is_tensor(&args->values[0])) return library_instead(lw, "round", args, span);
    double x;
    int64_t digits = 0;
    if (!value_as_float(lw, &args->values[0], "round()'s argument", span, &x)) return value_error();
    Value v = value_error();
    if (args->count == 1) return to_int(lw, nearbyint(x), span, &v) ? v : value_error();
    if (!value_as_int(lw, &args->values[1], "round()'s digits", span, &digits))
        return value_error();
    double scale = pow(10, (double)digits);
    return value_float(nearbyint(x * scale) / scale);
}

static Value builtin_int(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "int", 1, 1, span)) return value_error();
    const Value *v = &args->values[0];
    Value out;
    int64_t parsed;
    if (v->kind == VALUE_DIM || v->kind == VALUE_INT) return *v;
    if (v->kind == VALUE_BOOL) return value_int(v->as.boolean);
    if (v->kind == VALUE_FLOAT)
        return to_int(lw, trunc(v->as.number), span, &out) ? out : value_error();
    if (v->kind == VALUE_STR && text_parse_int(v->as.text, strlen(v->as.text), &parsed))
        return value_int(parsed);
    if (value_is_tensor(v)) {
        Diagnostic *d =
            lower_error(lw, NN_TENSOR_CONDITION, span, "a tensor has no int value while compiling");
        diagnostic_help(d, "`.long()` converts the elements");
        return value_error();
    }
    lower_error(lw, NN_OPERAND_TYPES, span, "int() of %s", value_kind_name(v));
    return value_error();
}

static Value builtin_float(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "float", 1, 1, span)) return value_error();
    const Value *v = &args->values[0];
    double x;
    if (v->kind == VALUE_STR) {
        const char *s = v->as.text;
        bool negative = s[0] == '-';
        const char *word = s + (negative || s[0] == '+');
        if (!strcmp(word, "inf") || !strcmp(word, "infinity"))
            return value_float(negative ? -INFINITY : INFINITY);
        if (!strcmp(word, "nan")) return value_float(NAN);
        if (text_parse_double(s, strlen(s), &x)) return value_float(x);
        lower_error(lw, NN_ARITHMETIC, span, "float() of the text \"%s\"", s);
        return value_error();
    }
    if (v->kind == VALUE_DIM && lw->graph) {
        lower_mark(lw, span);
        return value_tensor(op_dim(lw->graph, v->as.dim, lw->options->default_dtype));
    }
    return value_as_float(lw, v, "float()'s argument", span, &x) ? value_float(x) : value_error();
}

static Value builtin_bool(Lowerer *lw, const CallArguments *args, Span span) {
    bool truth;
    if (!count_between(lw, args, "bool", 1, 1, span) ||
        !eval_truth(lw, &args->values[0], span, &truth))
        return value_error();
    return value_bool(truth);
}

static Value printed(Lowerer *lw, const CallArguments *args, const char *name, bool repr,
                     Span span) {
    if (!count_between(lw, args, name, 1, 1, span)) return value_error();
    Text text = text_new(lw->arena);
    value_print(&text, &args->values[0], repr);
    return value_str(text.data);
}
static Value builtin_str(Lowerer *lw, const CallArguments *args, Span span) {
    return printed(lw, args, "str", false, span);
}
static Value builtin_repr(Lowerer *lw, const CallArguments *args, Span span) {
    return printed(lw, args, "repr", true, span);
}

static Value converted(Lowerer *lw, const CallArguments *args, const char *name, ValueKind kind,
                       Span span) {
    if (!count_between(lw, args, name, 0, 1, span)) return value_error();
    ValueList *items = NEW(lw->arena, ValueList);
    if (args->count && !eval_iterate(lw, &args->values[0], span, &items)) return value_error();
    return (Value){.kind = kind, .as.list = items};
}
static Value builtin_list(Lowerer *lw, const CallArguments *args, Span span) {
    return converted(lw, args, "list", VALUE_LIST, span);
}
static Value builtin_tuple(Lowerer *lw, const CallArguments *args, Span span) {
    return converted(lw, args, "tuple", VALUE_TUPLE, span);
}

static Value builtin_sorted(Lowerer *lw, const CallArguments *args, Span span) {
    Value v = converted(lw, args, "sorted", VALUE_LIST, span);
    if (v.kind == VALUE_ERROR) return v;
    Value *items = v.as.list->items.data;
    for (int i = 1; i < v.as.list->items.count; i++)
        for (int k = i; k > 0; k--) {
            bool less;
            if (!lower_step(lw, span) ||
                !host_compare(lw, OPERATOR_LT, &items[k], &items[k - 1], span, &less))
                return value_error();
            if (!less) break;
            Value swap = items[k];
            items[k] = items[k - 1];
            items[k - 1] = swap;
        }
    return v;
}

static Value quantified(Lowerer *lw, const CallArguments *args, const char *name, bool all,
                        Span span) {
    if (args->count && (value_is_tensor(&args->values[0]) || any_keyword(args)))
        return library_instead(lw, name, args, span);
    ValueList *items;
    if (!count_between(lw, args, name, 1, 1, span) ||
        !eval_iterate(lw, &args->values[0], span, &items))
        return value_error();
    for (int i = 0; i < items->items.count; i++) {
        bool truth;
        if (!eval_truth(lw, &items->items.data[i], span, &truth)) return value_error();
        if (truth != all) return value_bool(!all);
    }
    return value_bool(all);
}
static Value builtin_all(Lowerer *lw, const CallArguments *args, Span span) {
    return quantified(lw, args, "all", true, span);
}
static Value builtin_any(Lowerer *lw, const CallArguments *args, Span span) {
    return quantified(lw, args, "any", false, span);
}

/* Classes may stand in tuples of tuples; a list that holds itself has an end here too. */
enum { CLASSES_DEPTH = 8 };

static bool is_instance(const Value *v, const Value *of, int depth) {
    if (value_is_list(of)) {
        for (int i = 0; depth < CLASSES_DEPTH && i < of->as.list->items.count; i++)
            if (is_instance(v, &of->as.list->items.data[i], depth + 1)) return true;
        return false;
    }
    if (of->kind == VALUE_CLASS)
        return v->kind == VALUE_INSTANCE &&
               v->as.instance->class_->declaration == of->as.class_->declaration;
    if (of->kind == VALUE_NONE) return v->kind == VALUE_NONE;
    if (of->kind != VALUE_BUILTIN) return false;
    const char *name = of->as.builtin->name;
    if (!strcmp(name, "int"))
        return v->kind == VALUE_INT || v->kind == VALUE_DIM || v->kind == VALUE_BOOL;
    if (!strcmp(name, "float")) return v->kind == VALUE_FLOAT;
    if (!strcmp(name, "bool")) return v->kind == VALUE_BOOL;
    if (!strcmp(name, "str")) return v->kind == VALUE_STR;
    if (!strcmp(name, "list")) return v->kind == VALUE_LIST;
    if (!strcmp(name, "tuple")) return v->kind == VALUE_TUPLE;
    if (!strcmp(name, "Tensor")) return value_is_tensor(v);
    return false;
}

static Value builtin_isinstance(Lowerer *lw, const CallArguments *args, Span span) {
    if (!count_between(lw, args, "isinstance", 2, 2, span)) return value_error();
    return value_bool(is_instance(&args->values[0], &args->values[1], 0));
}

static Value builtin_tensor_class(Lowerer *lw, const CallArguments *args, Span span) {
    lower_error(lw, NN_NOT_CALLABLE, span,
                "tensors are made by zeros, ones, full, arange, randn and the like");
    return value_error();
}

static bool attribute_arguments(Lowerer *lw, const CallArguments *args, const char *name, int least,
                                int most, Span span) {
    if (!count_between(lw, args, name, least, most, span)) return false;
    if (args->values[0].kind == VALUE_INSTANCE && args->values[1].kind == VALUE_STR) return true;
    lower_error(lw, NN_OPERAND_TYPES, span, "%s() takes a module and a name", name);
    return false;
}

static Value builtin_getattr(Lowerer *lw, const CallArguments *args, Span span) {
    if (!attribute_arguments(lw, args, "getattr", 2, 3, span)) return value_error();
    Name name = name_of(args->values[1].as.text);
    Value v;
    if (args->count == 3 && !module_attribute(lw, args->values[0].as.instance, name, span, &v))
        return args->values[2];
    return eval_attribute(lw, &args->values[0], NULL, name, span);
}
static Value builtin_setattr(Lowerer *lw, const CallArguments *args, Span span) {
    if (!attribute_arguments(lw, args, "setattr", 3, 3, span)) return value_error();
    module_set_member(lw, args->values[0].as.instance, name_of(args->values[1].as.text),
                      args->values[2], span);
    return value_none();
}
static Value builtin_hasattr(Lowerer *lw, const CallArguments *args, Span span) {
    if (!attribute_arguments(lw, args, "hasattr", 2, 2, span)) return value_error();
    Value v;
    return value_bool(module_attribute(lw, args->values[0].as.instance,
                                       name_of(args->values[1].as.text), span, &v));
}

const Builtin host_builtins[] = {{"range", builtin_range},
                                 {"len", builtin_len},
                                 {"zip", builtin_zip},
                                 {"enumerate", builtin_enumerate},
                                 {"reversed", builtin_reversed},
                                 {"sum", builtin_sum},
                                 {"min", builtin_min},
                                 {"max", builtin_max},
                                 {"abs", builtin_abs},
                                 {"round", builtin_round},
                                 {"int", builtin_int},
                                 {"float", builtin_float},
                                 {"bool", builtin_bool},
                                 {"str", builtin_str},
                                 {"repr", builtin_repr},
                                 {"list", builtin_list},
                                 {"tuple", builtin_tuple},
                                 {"sorted", builtin_sorted},
                                 {"all", builtin_all},
                                 {"any", builtin_any},
                                 {"isinstance", builtin_isinstance},
                                 {"getattr", builtin_getattr},
                                 {"setattr", builtin_setattr},
                                 {"hasattr", builtin_hasattr},
                                 {"Tensor", builtin_tensor_class},
                                 {NULL, NULL}};

/* ---- math ---- */

static Value math_result(Lowerer *lw, double y, const char *name, Span span) {
    if (!isnan(y)) return value_float(y);
    lower_error(lw, NN_ARITHMETIC, span, "math.%s is not defined for this number", name);
    return value_error();
}

/* Of a dim that only a call knows, in a computation: the library's function of its number. */
static bool is_of_dim(const Lowerer *lw, const CallArguments *args) {
    return lw->graph && args->count == 1 && args->values[0].kind == VALUE_DIM && !any_keyword(args);
}
static Value math_of_dim(Lowerer *lw, const CallArguments *args, const char *name, Span span) {
    Node *number = op_dim(lw->graph, args->values[0].as.dim, lw->options->default_dtype);
    const Value v = value_tensor(number);
    return number ? eval_library(lw, name, &v, 1, span) : value_error();
}

#define MATH1(name)                                                                       \
    static Value math_##name(Lowerer *lw, const CallArguments *args, Span span) {         \
        double x;                                                                         \
        if (is_of_dim(lw, args)) return math_of_dim(lw, args, #name, span);               \
        if (!count_between(lw, args, "math." #name, 1, 1, span) ||                        \
            !value_as_float(lw, &args->values[0], "math." #name "'s argument", span, &x)) \
            return value_error();                                                         \
        return math_result(lw, name(x), #name, span);                                     \
    }
MATH1(sqrt)
MATH1(exp)
MATH1(log1p)
MATH1(expm1)
MATH1(log2)
MATH1(log10)
MATH1(sin)
MATH1(cos)
MATH1(tan)
MATH1(asin)
MATH1(acos)
MATH1(atan)
MATH1(sinh)
MATH1(cosh)
MATH1(tanh)
MATH1(erf)
MATH1(fabs)
#undef MATH1

static Value math_log(Lowerer *lw, const CallArguments *args, Span span) {
    double x, base = 0;
    if (is_of_dim(lw, args)) return math_of_dim(lw, args, "log", span);
    if (!count_between(lw, args, "math.log", 1, 2, span) ||
        !value_as_float(lw, &args->values[0], "math.log's argument", span, &x) ||
        (args->count == 2 && !value_as_float(lw, &args->values[1], "math.log's base", span, &base)))
        return value_error();
    if (x <= 0) {
        lower_error(lw, NN_ARITHMETIC, span, "math.log of a number that is not positive");
        return value_error();
    }
    return math_result(lw, args->count == 2 ? log(x) / log(base) : log(x), "log", span);
}

static Value math_pow(Lowerer *lw, const CallArguments *args, Span span) {
    double x, y;
    if (!count_between(lw, args, "math.pow", 2, 2, span) ||
        !value_as_float(lw, &args->values[0], "math.pow's argument", span, &x) ||
        !value_as_float(lw, &args->values[1], "math.pow's argument", span, &y))
        return value_error();
    return math_result(lw, pow(x, y), "pow", span);
}

static Value rounded(Lowerer *lw, const CallArguments *args, const char *name, double (*f)(double),
                     Span span) {
    double x;
    Value v;
    if (!count_between(lw, args, name, 1, 1, span)) return value_error();
    if (args->values[0].kind == VALUE_INT || args->values[0].kind == VALUE_DIM)
        return args->values[0];
    if (!value_as_float(lw, &args->values[0], name, span, &x)) return value_error();
    return to_int(lw, f(x), span, &v) ? v : value_error();
}
static Value math_floor(Lowerer *lw, const CallArguments *args, Span span) {
    return rounded(lw, args, "math.floor", floor, span);
}
static Value math_ceil(Lowerer *lw, const CallArguments *args, Span span) {
    return rounded(lw, args, "math.ceil", ceil, span);
}
static Value math_trunc(Lowerer *lw, const CallArguments *args, Span span) {
    return rounded(lw, args, "math.trunc", trunc, span);
}

static Value math_prod(Lowerer *lw, const CallArguments *args, Span span) {
    ValueList *items;
    if (!count_between(lw, args, "math.prod", 1, 1, span) ||
        !eval_iterate(lw, &args->values[0], span, &items))
        return value_error();
    Value product = value_int(1);
    for (int i = 0; i < items->items.count; i++)
        product = eval_binary(lw, OPERATOR_MUL, &product, &items->items.data[i], span);
    return product;
}

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a < 0 ? -a : a;
}
static Value math_gcd(Lowerer *lw, const CallArguments *args, Span span) {
    int64_t a, b;
    if (!count_between(lw, args, "math.gcd", 2, 2, span) ||
        !value_as_int(lw, &args->values[0], "math.gcd's argument", span, &a) ||
        !value_as_int(lw, &args->values[1], "math.gcd's argument", span, &b))
        return value_error();
    if (a == INT64_MIN || b == INT64_MIN) {
        lower_error(lw, NN_ARITHMETIC, span, "the result does not fit in 64 bits");
        return value_error();
    }
    return value_int(gcd(a, b));
}

const Builtin math_builtins[] = {
    {"sqrt", math_sqrt},   {"exp", math_exp},     {"log", math_log},     {"log1p", math_log1p},
    {"expm1", math_expm1}, {"log2", math_log2},   {"log10", math_log10}, {"sin", math_sin},
    {"cos", math_cos},     {"tan", math_tan},     {"asin", math_asin},   {"acos", math_acos},
    {"atan", math_atan},   {"sinh", math_sinh},   {"cosh", math_cosh},   {"tanh", math_tanh},
    {"erf", math_erf},     {"fabs", math_fabs},   {"pow", math_pow},     {"floor", math_floor},
    {"ceil", math_ceil},   {"trunc", math_trunc}, {"prod", math_prod},   {"gcd", math_gcd},
    {NULL, NULL}};
