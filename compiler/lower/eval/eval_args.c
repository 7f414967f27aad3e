/* Arguments: binding them to a header's parameters, and the readers that builtins use. */
#include "lower/internal.h"

#include <string.h>

Scope *scope_new(Lowerer *lw, Scope *parent) {
    Scope *scope = NEW(lw->arena, Scope);
    scope->parent = parent;
    return scope;
}

Binding *scope_find_binding(Scope *scope, Name name) {
    for (; scope; scope = scope->parent)
        for (int i = scope->bindings.count - 1; i >= 0; i--)
            if (scope->bindings.data[i].name == name) return &scope->bindings.data[i];
    return NULL;
}

Value *scope_find(Scope *scope, Name name) {
    Binding *b = scope_find_binding(scope, name);
    return b ? &b->value : NULL;
}

Value *scope_bind(Lowerer *lw, Scope *scope, Name name, Value value, Span span) {
    for (int i = 0; i < scope->bindings.count; i++) {
        Binding *b = &scope->bindings.data[i];
        if (b->name != name) continue;
        b->value = value;
        b->span = span;
        b->is_dim = false;
        return &b->value;
    }
    vector_push(lw->arena, &scope->bindings,
                ((Binding){.name = name, .value = value, .span = span}));
    return &vector_last(&scope->bindings).value;
}

/* ---- headers ---- */

static const char *plural(int n) {
    return n == 1 ? "" : "s";
}

static bool too_many(Lowerer *lw, const char *what, int takes, int given, Span span,
                     Span declared) {
    Diagnostic *d =
        lower_error(lw, NN_CALL_ARGUMENTS, span, "%s takes %d argument%s but receives %d", what,
                    takes, plural(takes), given);
    if (declared.file && !declared.file->is_prelude) diagnostic_label(d, declared, "declared here");
    return false;
}

/* Words that name an argument of any library function: torch's for the first and second tensor,
 * and NumPy's, which torch takes too. */
static const struct {
    const char *word;
    int place; /* -1: the parameter called `name` */
    const char *name;
} library_words[] = {
    {"input", 0, NULL}, {"other", 1, NULL}, {"axis", -1, "dim"}, {"keepdims", -1, "keepdim"}};

/* The parameter that a keyword names, or -1. `*size` of a library function is named as a whole. */
static int named_parameter(const Param *params, int count, Name keyword) {
    bool library = count && params[0].span.file && params[0].span.file->is_prelude;
    for (int i = 0; i < count; i++)
        if (params[i].name == keyword && (!params[i].star || library)) return i;
    for (size_t k = 0; library && k < sizeof library_words / sizeof *library_words; k++) {
        if (strcmp(library_words[k].word, keyword->text)) continue;
        int place = library_words[k].place;
        if (place >= 0) return place < count && !params[place].type ? place : -1;
        for (int i = 0; i < count; i++)
            if (!strcmp(params[i].name->text, library_words[k].name)) return i;
    }
    return -1;
}

static bool bind_keyword(Lowerer *lw, const Param *params, int count, const CallArguments *args,
                         int index, const char *what, Span span, bool *given, Value *values,
                         Span *spans) {
    Name keyword = args->keywords[index];
    int i = named_parameter(params, count, keyword);
    if (i >= 0) {
        if (given[i]) {
            lower_error(lw, NN_CALL_ARGUMENTS, args->spans[index], "%s receives `%s` twice", what,
                        keyword->text);
            return false;
        }
        given[i] = true;
        values[i] = args->values[index];
        spans[i] = args->spans[index];
        return true;
    }
    Diagnostic *d =
        lower_error(lw, NN_CALL_ARGUMENTS, args->spans[index].file ? args->spans[index] : span,
                    "%s has no argument `%s`", what, keyword->text);
    Suggestion s = {keyword->text, NULL, 0};
    for (int i = 0; i < count; i++) suggestion_add(&s, params[i].name->text);
    suggestion_tell(&s, d);
    return false;
}

bool eval_bind_arguments(Lowerer *lw, const Param *params, int count, const CallArguments *args,
                         const char *what, Span span, Span declared, Scope *scope) {
    bool *given = NEW_ARRAY(lw->arena, (size_t)count + 1, bool);
    Value *values = NEW_ARRAY(lw->arena, (size_t)count + 1, Value);
    Span *spans = NEW_ARRAY(lw->arena, (size_t)count + 1, Span);
    ValueList *rest = NULL;
    int star = -1, position = 0, positional = 0;
    for (int i = 0; i < count; i++)
        if (params[i].star) star = i;
    for (int i = 0; i < args->count; i++) {
        if (args->keywords && args->keywords[i]) continue;
        positional++;
        Span place = args->spans ? args->spans[i] : span;
        if (star >= 0 && position >= star) {
            if (!rest) rest = NEW(lw->arena, ValueList);
            vector_push(lw->arena, &rest->items, args->values[i]);
        } else if (position < count) {
            given[position] = true;
            spans[position] = place;
            values[position++] = args->values[i];
        }
    }
    if (star < 0 && positional > count)
        return too_many(lw, what, count, positional, span, declared);
    if (rest) given[star] = true;
    for (int i = 0; i < args->count; i++)
        if (args->keywords && args->keywords[i] &&
            !bind_keyword(lw, params, count, args, i, what, span, given, values, spans))
            return false;
    if (star >= 0) {
        spans[star] = span;
        values[star] = rest ? (Value){.kind = VALUE_TUPLE, .as.list = rest}
                            : value_tuple(lw->arena, &values[star], given[star]);
        given[star] = true;
    }
    for (int i = 0; i < count; i++) {
        if (!given[i] && !params[i].default_value) {
            Diagnostic *d = lower_error(lw, NN_CALL_ARGUMENTS, span, "%s misses the argument `%s`",
                                        what, params[i].name->text);
            if (declared.file && !declared.file->is_prelude)
                diagnostic_label(d, declared, "declared here");
            return false;
        }
    }
    for (int i = 0; i < count; i++) {
        if (!given[i]) {
            values[i] = eval_expr(lw, params[i].default_value);
            spans[i] = params[i].span;
            if (values[i].kind == VALUE_ERROR) return false;
        }
        scope_bind(lw, scope, params[i].name, values[i], spans[i]);
    }
    return true;
}

/* ---- builtins ---- */

static Value parse_default(Lowerer *lw, const char *text, size_t length) {
    int64_t integer;
    double number;
    if (length == 4 && !strncmp(text, "None", 4)) return value_none();
    if (length == 4 && !strncmp(text, "True", 4)) return value_bool(true);
    if (length == 5 && !strncmp(text, "False", 5)) return value_bool(false);
    bool negative = length && text[0] == '-';
    if (text_parse_int(text + negative, length - negative, &integer))
        return value_int(negative ? -integer : integer);
    if (text_parse_double(text, length, &number)) return value_float(number);
    if (length >= 2 && text[0] == '"')
        return value_str(arena_strndup(lw->arena, text + 1, length - 2));
    return value_none();
}

bool args_get(Lowerer *lw, const CallArguments *args, const char *signature, Span span,
              Value *out) {
    enum { MOST = 24 };
    const char *names[MOST];
    size_t lengths[MOST], default_lengths[MOST];
    const char *defaults[MOST];
    bool given[MOST] = {false};
    int count = 0;
    for (const char *s = signature; *s && count < MOST; count++) {
        while (*s == ' ' || *s == ',') s++;
        names[count] = s;
        size_t n = strcspn(s, ",= ");
        lengths[count] = n;
        s += n;
        defaults[count] = NULL;
        default_lengths[count] = 0;
        if (*s == '=') {
            defaults[count] = ++s;
            default_lengths[count] = strcspn(s, ",");
            s += default_lengths[count];
        }
        while (*s == ' ' || *s == ',') s++;
    }
    int position = 0;
    for (int i = 0; i < args->count; i++) {
        Name keyword = args->keywords ? args->keywords[i] : NULL;
        int at = -1;
        if (!keyword) {
            at = position++;
            if (at >= count) {
                lower_error(lw, NN_CALL_ARGUMENTS, span, "the function takes %d argument%s (%s)",
                            count, plural(count), signature);
                return false;
            }
        } else {
            for (int k = 0; k < count; k++)
                if (keyword->length == lengths[k] && !memcmp(keyword->text, names[k], lengths[k]))
                    at = k;
            if (at < 0 || given[at]) {
                lower_error(lw, NN_CALL_ARGUMENTS, span,
                            "the function has no argument `%s` to set (%s)", keyword->text,
                            signature);
                return false;
            }
        }
        given[at] = true;
        out[at] = args->values[i];
        if (out[at].kind == VALUE_ERROR) return false;
    }
    for (int i = 0; i < count; i++) {
        if (given[i]) continue;
        if (!defaults[i]) {
            lower_error(lw, NN_CALL_ARGUMENTS, span, "the argument `%.*s` is missing (%s)",
                        (int)lengths[i], names[i], signature);
            return false;
        }
        out[i] = parse_default(lw, defaults[i], default_lengths[i]);
    }
    return true;
}

static bool wrong(Lowerer *lw, const Value *v, const char *what, const char *expected, Span span) {
    if (v->kind == VALUE_ERROR) return false;
    Text text = text_new(lw->arena);
    value_print(&text, v, true);
    lower_error(lw, NN_HOST_TYPE, span, "%s must be %s, not %s", what, expected,
                v->kind == VALUE_NONE || v->kind == VALUE_STR ? text.data : value_kind_name(v));
    return false;
}

bool value_as_int(Lowerer *lw, const Value *v, const char *what, Span span, int64_t *out) {
    if (v->kind == VALUE_INT)
        *out = v->as.integer;
    else if (v->kind == VALUE_BOOL)
        *out = v->as.boolean;
    else
        return wrong(lw, v, what, "an int", span);
    return true;
}

bool value_as_dim(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out) {
    if (v->kind == VALUE_DIM) {
        *out = v->as.dim;
        return true;
    }
    int64_t integer;
    if (v->kind != VALUE_INT && v->kind != VALUE_BOOL)
        return wrong(lw, v, what, "an int or a dim", span);
    value_as_int(lw, v, what, span, &integer);
    *out = dim_const(lw->dims, integer);
    return true;
}

bool value_as_float(Lowerer *lw, const Value *v, const char *what, Span span, double *out) {
    if (v->kind == VALUE_FLOAT)
        *out = v->as.number;
    else if (v->kind == VALUE_INT)
        *out = (double)v->as.integer;
    else if (v->kind == VALUE_BOOL)
        *out = v->as.boolean;
    else
        return wrong(lw, v, what, "a number", span);
    return true;
}

static bool too_long(Lowerer *lw, const char *what, int max, Span span) {
    lower_error(lw, NN_HOST_TYPE, span, "%s has more than %d elements", what, max);
    return false;
}

bool value_as_ints(Lowerer *lw, const Value *v, const char *what, Span span, int64_t *out, int max,
                   int *count) {
    if (!value_is_list(v)) {
        *count = 1;
        return value_as_int(lw, v, what, span, out);
    }
    const ValueList *list = v->as.list;
    if (list->items.count > max) return too_long(lw, what, max, span);
    for (int i = 0; i < list->items.count; i++)
        if (!value_as_int(lw, &list->items.data[i], what, span, &out[i])) return false;
    *count = list->items.count;
    return true;
}

bool value_as_dims(Lowerer *lw, const Value *v, const char *what, Span span, const Dim **out,
                   int max, int *count) {
    if (!value_is_list(v)) {
        *count = 1;
        return value_as_dim(lw, v, what, span, out);
    }
    const ValueList *list = v->as.list;
    if (list->items.count > max) return too_long(lw, what, max, span);
    for (int i = 0; i < list->items.count; i++)
        if (!value_as_dim(lw, &list->items.data[i], what, span, &out[i])) return false;
    *count = list->items.count;
    return true;
}

bool value_as_axis(Lowerer *lw, const Value *v, int rank, Span span, int *axis) {
    int64_t i;
    if (!value_as_int(lw, v, "an axis", span, &i)) return false;
    int64_t least = rank ? rank : 1;
    if (i < -least || i >= least) {
        lower_error(lw, NN_AXIS, span, "axis %lld is out of range for a tensor of rank %d",
                    (long long)i, rank);
        return false;
    }
    *axis = (int)(i < 0 ? i + least : i);
    return true;
}
