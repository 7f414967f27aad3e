/* Methods of compile-time values: list.append, str.join, dict.items and their kind. */
#include "lower/internal.h"

#include <string.h>

typedef struct HostMethod {
    ValueKind kind;
    Builtin builtin; /* its first argument is the receiver */
} HostMethod;

static bool takes(Lowerer *lw, const CallArguments *args, int least, int most, const char *name,
                  Span span) {
    int given = args->count - 1;
    if (given >= least && given <= most) return true;
    lower_error(lw, NN_CALL_ARGUMENTS, span, "%s() takes %d argument%s but receives %d", name,
                least, least == 1 ? "" : "s", given);
    return false;
}

static Value list_append(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 1, 1, "append", span) || !lower_step(lw, span)) return value_error();
    vector_push(lw->arena, &args->values[0].as.list->items, args->values[1]);
    return value_none();
}
static Value list_extend(Lowerer *lw, const CallArguments *args, Span span) {
    ValueList *more;
    if (!takes(lw, args, 1, 1, "extend", span) || !eval_iterate(lw, &args->values[1], span, &more))
        return value_error();
    for (int i = 0; i < more->items.count; i++)
        vector_push(lw->arena, &args->values[0].as.list->items, more->items.data[i]);
    return value_none();
}
static Value list_insert(Lowerer *lw, const CallArguments *args, Span span) {
    int64_t at;
    if (!takes(lw, args, 2, 2, "insert", span) ||
        !value_as_int(lw, &args->values[1], "an index", span, &at))
        return value_error();
    ValueList *list = args->values[0].as.list;
    int64_t n = list->items.count;
    if (at < 0) at = at < -n ? 0 : at + n;
    if (at > n) at = n;
    vector_push(lw->arena, &list->items, args->values[2]);
    for (int64_t i = n; i > at; i--) list->items.data[i] = list->items.data[i - 1];
    list->items.data[at] = args->values[2];
    return value_none();
}
static Value list_pop(Lowerer *lw, const CallArguments *args, Span span) {
    ValueList *list = args->values[0].as.list;
    int64_t at = -1, n = list->items.count;
    if (!takes(lw, args, 0, 1, "pop", span) ||
        (args->count == 2 && !value_as_int(lw, &args->values[1], "an index", span, &at)))
        return value_error();
    if (at < -n || at >= n) {
        lower_error(lw, NN_SUBSCRIPT, span, "pop from a list of %lld elements", (long long)n);
        return value_error();
    }
    if (at < 0) at += n;
    Value v = list->items.data[at];
    for (int64_t i = at; i + 1 < n; i++) list->items.data[i] = list->items.data[i + 1];
    list->items.count--;
    return v;
}
static Value list_reverse(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 0, 0, "reverse", span)) return value_error();
    ValueList *list = args->values[0].as.list;
    for (int i = 0, k = list->items.count - 1; i < k; i++, k--) {
        Value swap = list->items.data[i];
        list->items.data[i] = list->items.data[k];
        list->items.data[k] = swap;
    }
    return value_none();
}
static Value sequence_index(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 1, 1, "index", span)) return value_error();
    const ValueList *list = args->values[0].as.list;
    for (int i = 0; i < list->items.count; i++)
        if (value_equal(&list->items.data[i], &args->values[1])) return value_int(i);
    lower_error(lw, NN_SUBSCRIPT, span, "the value is not in the list");
    return value_error();
}
static Value sequence_count(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 1, 1, "count", span)) return value_error();
    int64_t n = 0;
    const ValueList *list = args->values[0].as.list;
    for (int i = 0; i < list->items.count; i++)
        n += value_equal(&list->items.data[i], &args->values[1]);
    return value_int(n);
}
/* torch.Size.numel */
static Value tuple_numel(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 0, 0, "numel", span)) return value_error();
    Value n = value_int(1);
    const ValueList *list = args->values[0].as.list;
    for (int i = 0; i < list->items.count; i++)
        n = eval_binary(lw, OPERATOR_MUL, &n, &list->items.data[i], span);
    return n;
}

static Value str_join(Lowerer *lw, const CallArguments *args, Span span) {
    ValueList *parts;
    if (!takes(lw, args, 1, 1, "join", span) || !eval_iterate(lw, &args->values[1], span, &parts))
        return value_error();
    Text text = text_new(lw->arena);
    for (int i = 0; i < parts->items.count; i++) {
        if (parts->items.data[i].kind != VALUE_STR) {
            lower_error(lw, NN_OPERAND_TYPES, span, "join() takes texts, not %s",
                        value_kind_name(&parts->items.data[i]));
            return value_error();
        }
        if (i) text_append(&text, args->values[0].as.text);
        text_append(&text, parts->items.data[i].as.text);
    }
    return value_str(text.data);
}
static Value str_affix(Lowerer *lw, const CallArguments *args, bool prefix, Span span) {
    if (!takes(lw, args, 1, 1, prefix ? "startswith" : "endswith", span)) return value_error();
    if (args->values[1].kind != VALUE_STR) {
        lower_error(lw, NN_OPERAND_TYPES, span, "a text is expected, not %s",
                    value_kind_name(&args->values[1]));
        return value_error();
    }
    const char *s = args->values[0].as.text, *affix = args->values[1].as.text;
    size_t n = strlen(s), m = strlen(affix);
    return value_bool(m <= n && !memcmp(prefix ? s : s + n - m, affix, m));
}
static Value str_startswith(Lowerer *lw, const CallArguments *args, Span span) {
    return str_affix(lw, args, true, span);
}
static Value str_endswith(Lowerer *lw, const CallArguments *args, Span span) {
    return str_affix(lw, args, false, span);
}
static Value str_case(Lowerer *lw, const CallArguments *args, char from, char to, Span span) {
    if (!takes(lw, args, 0, 0, from == 'a' ? "upper" : "lower", span)) return value_error();
    char *copy = arena_strdup(lw->arena, args->values[0].as.text);
    for (char *c = copy; *c; c++)
        if (*c >= from && *c <= from + 25) *c = (char)(*c - from + to);
    return value_str(copy);
}
static Value str_lower(Lowerer *lw, const CallArguments *args, Span span) {
    return str_case(lw, args, 'A', 'a', span);
}
static Value str_upper(Lowerer *lw, const CallArguments *args, Span span) {
    return str_case(lw, args, 'a', 'A', span);
}

static Value dict_part(Lowerer *lw, const CallArguments *args, int part, const char *name,
                       Span span) {
    if (!takes(lw, args, 0, 0, name, span)) return value_error();
    const ValueList *dict = args->values[0].as.list;
    ValueList *out = NEW(lw->arena, ValueList);
    for (int i = 0; i + 1 < dict->items.count; i += 2)
        vector_push(lw->arena, &out->items,
                    part == 2 ? value_tuple(lw->arena, &dict->items.data[i], 2)
                              : dict->items.data[i + part]);
    return (Value){.kind = VALUE_LIST, .as.list = out};
}
static Value dict_keys(Lowerer *lw, const CallArguments *args, Span span) {
    return dict_part(lw, args, 0, "keys", span);
}
static Value dict_values(Lowerer *lw, const CallArguments *args, Span span) {
    return dict_part(lw, args, 1, "values", span);
}
static Value dict_items(Lowerer *lw, const CallArguments *args, Span span) {
    return dict_part(lw, args, 2, "items", span);
}
static Value dict_get(Lowerer *lw, const CallArguments *args, Span span) {
    if (!takes(lw, args, 1, 2, "get", span)) return value_error();
    const ValueList *dict = args->values[0].as.list;
    for (int i = 0; i + 1 < dict->items.count; i += 2)
        if (value_equal(&dict->items.data[i], &args->values[1])) return dict->items.data[i + 1];
    return args->count == 3 ? args->values[2] : value_none();
}

static const HostMethod methods[] = {
    {VALUE_LIST, {"append", list_append}},    {VALUE_LIST, {"extend", list_extend}},
    {VALUE_LIST, {"insert", list_insert}},    {VALUE_LIST, {"pop", list_pop}},
    {VALUE_LIST, {"reverse", list_reverse}},  {VALUE_LIST, {"index", sequence_index}},
    {VALUE_LIST, {"count", sequence_count}},  {VALUE_TUPLE, {"index", sequence_index}},
    {VALUE_TUPLE, {"count", sequence_count}}, {VALUE_TUPLE, {"numel", tuple_numel}},
    {VALUE_STR, {"join", str_join}},          {VALUE_STR, {"startswith", str_startswith}},
    {VALUE_STR, {"endswith", str_endswith}},  {VALUE_STR, {"lower", str_lower}},
    {VALUE_STR, {"upper", str_upper}},        {VALUE_DICT, {"keys", dict_keys}},
    {VALUE_DICT, {"values", dict_values}},    {VALUE_DICT, {"items", dict_items}},
    {VALUE_DICT, {"get", dict_get}},
};

bool host_attribute(Lowerer *lw, const Value *object, Name name, Span span, Value *out) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].kind != object->kind || strcmp(methods[i].builtin.name, name->text))
            continue;
        *out = value_bound(
            lw->arena, (Value){.kind = VALUE_BUILTIN, .as.builtin = &methods[i].builtin}, object);
        return true;
    }
    const Function *declared = object->kind == VALUE_TUPLE ? object->as.list->declared : NULL;
    for (int i = 0; declared && i < declared->result_count; i++) {
        if (declared->results[i].name != name) continue;
        *out = object->as.list->items.data[i];
        return true;
    }
    if (object->kind != VALUE_CLASS) return false;
    if (!strcmp(name->text, "__name__")) {
        *out = value_str(object->as.class_->name->text);
        return true;
    }
    /* a `def` without self needs no instance */
    const StmtList *body = &object->as.class_->declaration->body;
    for (int i = 0; i < body->count; i++) {
        const Stmt *s = body->items[i];
        if (s->kind != STMT_FUNCTION || s->function->is_vjp || s->function->name != name) continue;
        const Function *f = s->function;
        if (f->param_count && !strcmp(f->params[0].name->text, "self")) return false;
        *out = definition_value(lw, body, s, object->as.class_->home, NULL, NULL);
        return true;
    }
    return false;
}
