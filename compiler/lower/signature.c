/* Types of arguments and results: binding dims and dtypes at the call, checking by algebra.
 *
 * The first use of a name that stands alone binds it; later uses must agree.  What algebra
 * disproves is an error, what it cannot decide becomes an entry check (dims_unify).  Bindings live
 * in frame->dims, so that a local of the same name does not disturb the check of the results. */
#include "lower/internal.h"
#include "syntax/parse.h"

#include <ctype.h>
#include <string.h>

static bool dtype_named(Lowerer *lw, Name name, DType *out) {
    if (!dtype_parse(name->text, out)) return false;
    if (*out == DTYPE_F32) *out = lw->options->default_dtype;
    return true;
}

void signature_print_type(Text *out, const TypeExpr *type) {
    if (type->name) text_append(out, type->name->text);
    const char *open = type->kind == TYPE_TENSOR || type->kind == TYPE_LIST ? "["
                       : type->kind == TYPE_TUPLE                           ? "("
                                                                            : "";
    const char *close = *open == '[' ? "]" : *open ? ")" : "";
    if (type->kind == TYPE_LIST && !type->name) text_append(out, "list");
    text_append(out, open);
    for (int i = 0; i < type->dim_count; i++) {
        if (i) text_append(out, ", ");
        if (type->dims[i].expr)
            syntax_print_expr(out, type->dims[i].expr);
        else
            text_printf(out, "...%s", type->dims[i].spread ? type->dims[i].spread->text : "");
    }
    for (int i = 0; i < type->item_count; i++) {
        if (i) text_append(out, type->kind == TYPE_UNION ? " | " : ", ");
        signature_print_type(out, type->items[i]);
    }
    text_append(out, close);
}

/* As it is written, but with the dtype that a hyperparameter gives. */
static const char *type_spelling(Lowerer *lw, const TypeExpr *type) {
    Text text = text_new(lw->arena);
    TypeExpr known = *type;
    const Value *v = type->name ? scope_find(lw->frame->scope, type->name) : NULL;
    if (v && v->kind == VALUE_DTYPE) known.name = name_of(dtype_name(v->as.dtype));
    signature_print_type(&text, &known);
    return text.data;
}

static const char *spelling(Lowerer *lw, const Value *v) {
    Text text = text_new(lw->arena);
    value_print(&text, v, true);
    return text.data;
}

/* ---- names in types ---- */

/* Only ints and dims count: a tensor argument may have the name of a dim. */
static const Value *find_dim(Lowerer *lw, Scope *scope, Name name) {
    for (; scope; scope = scope->parent)
        for (int i = scope->bindings.count - 1; i >= 0; i--) {
            const Binding *b = &scope->bindings.data[i];
            if (b->name != name) continue;
            if (b->value.kind == VALUE_INT || b->value.kind == VALUE_DIM ||
                b->value.kind == VALUE_ERROR)
                return &b->value;
        }
    Namespace *home = lw->frame->home;
    const Value *v = home && home->unit ? namespace_find(lw, home, name) : NULL;
    return v && v->kind == VALUE_INT ? v : NULL;
}

/* The first dim name in an expression that nothing binds, or NULL. */
static const Expr *first_unbound(Lowerer *lw, Scope *scope, const Expr *e) {
    if (!e) return NULL;
    if (e->kind == EXPR_NAME) return find_dim(lw, scope, e->name) ? NULL : e;
    if (e->kind == EXPR_ATTRIBUTE || e->kind == EXPR_CALL || e->kind == EXPR_SUBSCRIPT) return NULL;
    for (int i = 0; i < e->items.count; i++) {
        const Expr *found = first_unbound(lw, scope, e->items.items[i]);
        if (found) return found;
    }
    const Expr *parts[3] = {e->left, e->right, e->third};
    for (int i = 0; i < 3; i++) {
        const Expr *found = first_unbound(lw, scope, parts[i]);
        if (found) return found;
    }
    return NULL;
}

static bool eval_dim(Lowerer *lw, Scope *scope, const Expr *e, const Dim **out) {
    const Value *known = e->kind == EXPR_NAME ? find_dim(lw, scope, e->name) : NULL;
    Value v;
    if (known) {
        v = *known;
    } else {
        const Expr *unbound = first_unbound(lw, scope, e);
        if (unbound) {
            Diagnostic *d = lower_error(lw, NN_TYPE_NAME, unbound->span,
                                        "the dim `%s` is not known here", unbound->name->text);
            diagnostic_help(d, "a name binds where it stands alone in the type of an argument");
            return false;
        }
        Scope *saved = lw->frame->scope;
        lw->frame->scope = scope;
        v = eval_expr(lw, e);
        lw->frame->scope = saved;
    }
    if (v.kind == VALUE_ERROR || !value_as_dim(lw, &v, "a dim", e->span, out)) return false;
    *out = dim_add(lw->dims, *out,
                   dim_const(lw->dims, 0)); /* the normal form under the facts of now */
    if (!*out) lower_error(lw, NN_ARITHMETIC, e->span, "the dim does not fit in 64 bits");
    return *out != NULL;
}

static Name spread_key(Lowerer *lw, Name spread) {
    return name_of(arena_printf(lw->arena, "...%s", spread ? spread->text : ""));
}

static bool resolve_dtype(Lowerer *lw, Scope *scope, Name name, Span span, DType *out) {
    if (dtype_named(lw, name, out)) return true;
    const Value *v = scope_find(scope, name);
    if (v && v->kind == VALUE_DTYPE) {
        *out = v->as.dtype;
        return true;
    }
    lower_error(lw, NN_TYPE_NAME, span, "`%s` is not a dtype", name->text);
    return false;
}

/* Byte sizes and element counts of what is declared stay far from the end of 64 bits. */
static bool size_fits(Lowerer *lw, const TypeExpr *type, const TensorType *t) {
    if (type_constant_bytes(t) <= TENSOR_MAX_BYTES) return true;
    Text text = text_new(lw->arena);
    type_print(&text, t);
    lower_error(lw, NN_TENSOR_SIZE, type->span, "the tensor is too large: %s", text.data);
    return false;
}

bool signature_type(Lowerer *lw, const TypeExpr *type, Scope *scope, TensorType *out) {
    if (type->kind != TYPE_TENSOR && type->kind != TYPE_NAME) {
        lower_error(lw, NN_TYPE_NAME, type->span, "a tensor type is expected, such as f32[N, 10]");
        return false;
    }
    *out = (TensorType){.shape = {.rank = 0}};
    if (!resolve_dtype(lw, scope, type->name, type->span, &out->dtype)) return false;
    for (int i = 0; i < type->dim_count; i++) {
        const TypeDim *dim = &type->dims[i];
        const Dim *run[SHAPE_MAX_RANK];
        int count = 1;
        if (dim->expr) {
            if (!eval_dim(lw, scope, dim->expr, &run[0])) return false;
        } else {
            const Value *v = scope_find(scope, spread_key(lw, dim->spread));
            if (!v) {
                lower_error(lw, NN_TYPE_NAME, dim->span,
                            "the run of dims `...%s` is not known here",
                            dim->spread ? dim->spread->text : "");
                return false;
            }
            if (!value_as_dims(lw, v, "a shape", dim->span, run, SHAPE_MAX_RANK, &count))
                return false;
        }
        if (out->shape.rank + count > SHAPE_MAX_RANK) {
            lower_error(lw, NN_TYPE_NAME, type->span, "a tensor has at most %d dims",
                        SHAPE_MAX_RANK);
            return false;
        }
        for (int k = 0; k < count; k++) out->shape.dims[out->shape.rank++] = run[k];
    }
    return size_fits(lw, type, out);
}

static void bind_state_names(Lowerer *lw, const Expr *e, Scope *scope) {
    const Expr *unbound;
    while ((unbound = first_unbound(lw, scope, e))) {
        const Value *known = scope_find(lw->state_dims, unbound->name);
        Value v = known ? *known : value_dim(dim_symbol(lw->dims, unbound->name));
        if (!known) scope_bind(lw, lw->state_dims, unbound->name, v, unbound->span);
        scope_bind(lw, scope, unbound->name, v, unbound->span);
    }
}

void signature_state_dims(Lowerer *lw, const TypeExpr *type, Scope *scope) {
    for (int i = 0; i < type->dim_count; i++)
        if (type->dims[i].expr) bind_state_names(lw, type->dims[i].expr, scope);
}

/* ---- host types ---- */

static bool host_word(Lowerer *lw, Name name, Scope *scope, const Value *v) {
    const char *w = name->text;
    DType dtype;
    if (!strcmp(w, "int"))
        return v->kind == VALUE_INT || v->kind == VALUE_DIM || v->kind == VALUE_BOOL;
    if (!strcmp(w, "float"))
        return v->kind == VALUE_FLOAT || v->kind == VALUE_INT || v->kind == VALUE_CELL ||
               v->kind == VALUE_TENSOR;
    if (!strcmp(w, "bool")) return v->kind == VALUE_BOOL || value_is_tensor(v);
    if (!strcmp(w, "str")) return v->kind == VALUE_STR;
    if (!strcmp(w, "list")) return value_is_list(v);
    if (!strcmp(w, "tuple")) return v->kind == VALUE_TUPLE;
    if (!strcmp(w, "dict")) return v->kind == VALUE_DICT;
    if (!strcmp(w, "dtype")) return v->kind == VALUE_DTYPE;
    if (!strcmp(w, "Tensor")) return value_is_tensor(v) || value_is_delayed(v);
    if (!strcmp(w, "module")) return v->kind == VALUE_INSTANCE;
    if (!strcmp(w, "None")) return v->kind == VALUE_NONE;
    if (dtype_parse(w, &dtype))
        return v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_BOOL ||
               v->kind == VALUE_DIM || value_is_tensor(v);
    Value class_;
    Value *local = scope_find(scope, name);
    if (local)
        class_ = *local;
    else if (!library_lookup(lw, lw->frame->home, name, &class_))
        return true;
    if (class_.kind != VALUE_CLASS) return true;
    return v->kind == VALUE_INSTANCE &&
           v->as.instance->class_->declaration == class_.as.class_->declaration;
}

bool signature_host_value(Lowerer *lw, const TypeExpr *type, Scope *scope, const Value *v) {
    bool sequence = value_is_list(v);
    switch (type->kind) {
    case TYPE_NAME: return host_word(lw, type->name, scope, v);
    case TYPE_TENSOR: return value_is_tensor(v);
    case TYPE_UNION:
        for (int i = 0; i < type->item_count; i++)
            if (signature_host_value(lw, type->items[i], scope, v)) return true;
        return false;
    case TYPE_LIST:
        for (int i = 0; sequence && i < v->as.list->items.count; i++)
            if (!signature_host_value(lw, type->items[0], scope, &v->as.list->items.data[i]))
                return false;
        return sequence;
    case TYPE_TUPLE:
        if (!sequence || v->as.list->items.count != type->item_count) return false;
        for (int i = 0; i < type->item_count; i++)
            if (!signature_host_value(lw, type->items[i], scope, &v->as.list->items.data[i]))
                return false;
        return true;
    }
    return false;
}

/* ---- binding ---- */

/* What is being checked, for messages. */
typedef struct Subject {
    const Function *function;
    const char *name; /* the argument's, or NULL for a result */
    Span span, declared;
    bool result;
} Subject;

static const TensorType *tensor_type(const Value *v) {
    if (v->kind == VALUE_TENSOR) return &v->as.tensor->type;
    if (v->kind == VALUE_CELL) return &cell_resolve(v->as.cell)->cell->type;
    return NULL;
}

/* What the user called: a function of the library whose name begins with _ is part of another. */
static const char *callee_name(Lowerer *lw, const Subject *s) {
    for (const Frame *frame = lw->frame; frame && frame->closure; frame = frame->caller) {
        const Function *f = frame->closure->function;
        if (!f->name_span.file || !f->name_span.file->is_prelude) break;
        if (f->name->text[0] != '_' && f != s->function) return f->name->text;
        if (f->name->text[0] != '_') break;
    }
    const Closure *c = lw->frame->closure;
    if (c && c->self && !strcmp(s->function->name->text, "forward"))
        return c->self->class_->name->text;
    return s->function->name->text;
}

static void mismatch(Lowerer *lw, const Subject *s, const TypeExpr *type, const Value *v,
                     const char *detail) {
    Diagnostic *d;
    if (s->result)
        d = lower_error(lw, NN_RESULT_TYPE, s->span, "%s returns %s where %s is declared%s",
                        callee_name(lw, s),
                        value_is_tensor(v) ? spelling(lw, v) : value_kind_name(v),
                        type_spelling(lw, type), detail);
    else
        d = lower_error(lw, NN_ARGUMENT_TYPE, s->span, "%s takes `%s: %s` but receives %s%s",
                        callee_name(lw, s), s->name, type_spelling(lw, type),
                        value_is_tensor(v) ? spelling(lw, v) : value_kind_name(v), detail);
    if (s->declared.file && !s->declared.file->is_prelude)
        diagnostic_label(d, s->declared, "declared here");
    lower_tell_story(lw, d, s->name ? s->name : "the result", v);
}

static int spread_index(const TypeExpr *type) {
    for (int i = 0; i < type->dim_count; i++)
        if (!type->dims[i].expr) return i;
    return -1;
}

/* First pass: dtype names, spreads and lone dim names that are still free. */
static bool bind_tensor(Lowerer *lw, const Subject *s, const TypeExpr *type, const Value *v) {
    Scope *dims = lw->frame->dims;
    const TensorType *actual = tensor_type(v);
    DType dtype;
    Value *bound = scope_find(dims, type->name);
    if (!dtype_named(lw, type->name, &dtype)) {
        if (!bound)
            scope_bind(lw, dims, type->name, value_dtype(actual->dtype), type->span);
        else if (bound->kind != VALUE_DTYPE)
            bound = NULL;
        dtype = bound ? bound->as.dtype : actual->dtype;
    }
    if (dtype != actual->dtype) {
        const char *detail = arena_printf(lw->arena, "; convert it: `.to(%s)`", dtype_name(dtype));
        mismatch(lw, s, type, v, detail);
        return false;
    }
    int spread = type->kind == TYPE_TENSOR ? spread_index(type) : -1;
    int fixed = type->dim_count - (spread >= 0), rank = actual->shape.rank;
    if (spread < 0 ? rank != fixed : rank < fixed) {
        const char *detail = arena_printf(lw->arena, ": %d dims%s instead of %d", fixed,
                                          spread < 0 ? "" : " or more", rank);
        mismatch(lw, s, type, v, detail);
        return false;
    }
    for (int i = 0, at = 0; i < type->dim_count; i++) {
        const TypeDim *dim = &type->dims[i];
        if (dim->expr) {
            const Expr *e = dim->expr;
            if (e->kind == EXPR_NAME && !find_dim(lw, dims, e->name))
                scope_bind(lw, dims, e->name, value_dim(actual->shape.dims[at]), e->span);
            at++;
            continue;
        }
        Value run[SHAPE_MAX_RANK];
        int count = rank - fixed;
        for (int k = 0; k < count; k++) run[k] = value_dim(actual->shape.dims[at + k]);
        at += count;
        if (dim->spread && dim->spread->length && !scope_find(dims, spread_key(lw, dim->spread)))
            scope_bind(lw, dims, spread_key(lw, dim->spread), value_tuple(lw->arena, run, count),
                       dim->span);
    }
    return true;
}

static const char *human(Lowerer *lw, const char *name) {
    char *text = arena_strdup(lw->arena, name);
    for (char *c = text; *c; c++)
        if (*c == '_') *c = ' ';
    if (!strncmp(text, "in ", 3)) return arena_printf(lw->arena, "input %s", text + 3);
    if (!strncmp(text, "out ", 4)) return arena_printf(lw->arena, "output %s", text + 4);
    return text;
}

/* "Linear expects 256 input features but receives 400": the dim is a hyperparameter of
 * the layer. */
static bool module_mismatch(Lowerer *lw, const Subject *s, const Expr *e, const Dim *want,
                            const Dim *have, const Value *v) {
    const Closure *closure = lw->frame->closure;
    Instance *self = closure ? closure->self : NULL;
    const Binding *hyper = NULL;
    for (int i = 0; self && e->kind == EXPR_NAME && i < self->hyperparameters.count; i++)
        if (self->hyperparameters.data[i].name == e->name) hyper = &self->hyperparameters.data[i];
    if (!hyper || s->result) return false;
    Text expected = text_new(lw->arena), given = text_new(lw->arena);
    dim_print(&expected, want);
    dim_print(&given, have);
    Diagnostic *d =
        lower_error(lw, NN_MODULE_SHAPE, s->span, "%s expects %s %s but receives %s",
                    self->class_->name->text, expected.data, human(lw, e->name->text), given.data);
    diagnostic_marker(d, "argument is %s", spelling(lw, v));
    if (hyper->span.file && !hyper->span.file->is_prelude)
        diagnostic_label(d, hyper->span, "declared here");
    lower_tell_story(lw, d, s->name, v);
    int64_t constant;
    if (dim_is_const(have, &constant))
        diagnostic_help(d, "change %s to %s", e->name->text, given.data);
    return true;
}

static bool check_extent(Lowerer *lw, const Subject *s, const TypeExpr *type, const Expr *e,
                         const Dim *have, const Value *v) {
    const Dim *want;
    if (!eval_dim(lw, lw->frame->dims, e, &want)) return false;
    DimTruth truth = dim_equal(lw->dims, want, have);
    if (truth == DIM_YES) return true;
    if (truth == DIM_UNKNOWN)
        return dims_unify(
            lw, have, want,
            s->name ? arena_printf(lw->arena, "argument `%s`", s->name) : "the result", s->span);
    if (module_mismatch(lw, s, e, want, have, v)) return false;
    Text text = text_new(lw->arena), name = text_new(lw->arena);
    syntax_print_expr(&name, e);
    text_append(&text, ": ");
    dim_print(&text, have);
    text_append(&text, " is not ");
    Text value = text_new(lw->arena);
    dim_print(&value, want);
    if (strcmp(name.data, value.data)) text_printf(&text, "%s = ", name.data);
    text_append(&text, value.data);
    mismatch(lw, s, type, v, text.data);
    return false;
}

/* Second pass: every dim agrees. */
static bool check_tensor(Lowerer *lw, const Subject *s, const TypeExpr *type, const Value *v) {
    const TensorType *actual = tensor_type(v);
    int rank = actual->shape.rank, at = 0;
    int fixed = type->dim_count - (spread_index(type) >= 0);
    for (int i = 0; i < type->dim_count; i++) {
        const TypeDim *dim = &type->dims[i];
        if (dim->expr) {
            if (!check_extent(lw, s, type, dim->expr, actual->shape.dims[at++], v)) return false;
            continue;
        }
        int count = rank - fixed;
        const Value *run = dim->spread && dim->spread->length
                               ? scope_find(lw->frame->dims, spread_key(lw, dim->spread))
                               : NULL;
        if (run && run->as.list->items.count != count) {
            mismatch(lw, s, type, v,
                     arena_printf(lw->arena, ": ...%s has %d dims here and %d before",
                                  dim->spread->text, count, run->as.list->items.count));
            return false;
        }
        for (int k = 0; run && k < count; k++) {
            const Dim *want;
            if (!value_as_dim(lw, &run->as.list->items.data[k], "a dim", s->span, &want))
                return false;
            const Dim *have = actual->shape.dims[at + k];
            DimTruth truth = dim_equal(lw->dims, want, have);
            if (truth == DIM_NO) {
                mismatch(
                    lw, s, type, v,
                    arena_printf(lw->arena, ": ...%s is %s", dim->spread->text, spelling(lw, run)));
                return false;
            }
            if (truth == DIM_UNKNOWN &&
                !dims_unify(lw, have, want, s->name ? s->name : "the result", s->span))
                return false;
        }
        at += count;
    }
    return true;
}

typedef bool (*TensorPass)(Lowerer *lw, const Subject *s, const TypeExpr *type, const Value *v);

static bool apply(Lowerer *lw, const Subject *s, const TypeExpr *type, const Value *v,
                  TensorPass pass) {
    if (v->kind == VALUE_ERROR) return false;
    bool tensor = value_is_tensor(v), sequence = value_is_list(v);
    DType dtype;
    if (type->kind == TYPE_TENSOR && tensor) return pass(lw, s, type, v);
    if (type->kind == TYPE_NAME && tensor && dtype_parse(type->name->text, &dtype))
        return pass(lw, s, type, v);
    if ((type->kind == TYPE_TUPLE || type->kind == TYPE_LIST) && sequence) {
        int count = v->as.list->items.count;
        if (type->kind == TYPE_LIST || count == type->item_count) {
            for (int i = 0; i < count; i++)
                if (!apply(lw, s, type->items[type->kind == TYPE_LIST ? 0 : i],
                           &v->as.list->items.data[i], pass))
                    return false;
            return true;
        }
    }
    bool rank_zero = type->kind == TYPE_TENSOR && type->dim_count == 0;
    bool number = v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_BOOL ||
                  v->kind == VALUE_DIM;
    if (rank_zero && number) return true;
    if (signature_host_value(lw, type, lw->frame->scope, v)) return true;
    mismatch(lw, s, type, v, "");
    return false;
}

/* ---- where ---- */

static bool where_failed(Lowerer *lw, const Expr *condition, Span span, Span declared) {
    Text text = text_new(lw->arena);
    syntax_print_expr(&text, condition);
    Diagnostic *d =
        lower_error(lw, NN_WHERE_FALSE, span, "`where %s` does not hold here", text.data);
    if (declared.file && !declared.file->is_prelude &&
        (declared.file != span.file || declared.begin != span.begin))
        diagnostic_label(d, declared, "stated here");
    return false;
}

static bool state_fact(Lowerer *lw, char relation, const Dim *a, const Dim *b,
                       const Expr *condition, Span span) {
    Text text = text_new(lw->arena);
    syntax_print_expr(&text, condition);
    int64_t k, low, high;
    bool possible = true;
    if (lw->entry) entry_add_dim_check(lw, relation, a, b, text.data, condition->span);
    if (relation == '=')
        possible = dim_assume_equal(lw->dims, a, b);
    else if (relation == '%')
        possible = dim_is_const(b, &k) && dim_assume_divisible(lw->dims, a, k);
    else if (dim_is_const(b, &high))
        possible = dim_assume_bounds(lw->dims, a, INT64_MIN, high);
    else if (dim_is_const(a, &low))
        possible = dim_assume_bounds(lw->dims, b, low, INT64_MAX);
    else
        possible = dim_assume_bounds(lw->dims, dim_sub(lw->dims, b, a), 0, INT64_MAX);
    return possible || where_failed(lw, condition, span, condition->span);
}

static bool where_pair(Lowerer *lw, Operator op, const Expr *left, const Expr *right,
                       const Expr *condition, Span span) {
    Scope *scope = lw->frame->dims;
    const Dim *a, *b;
    const Expr *chain = left;
    if (op == OPERATOR_EQ && chain->kind == EXPR_CHAIN && chain->items.count == 2 &&
        chain->operators[0] == OPERATOR_MOD && right->kind == EXPR_INT && right->integer == 0) {
        if (!eval_dim(lw, scope, chain->items.items[0], &a) ||
            !eval_dim(lw, scope, chain->items.items[1], &b))
            return false;
        const Dim *rest = dim_mod(lw->dims, a, b);
        DimTruth truth = rest ? dim_equal(lw->dims, rest, dim_const(lw->dims, 0)) : DIM_UNKNOWN;
        if (truth == DIM_NO) return where_failed(lw, condition, span, condition->span);
        return truth == DIM_YES || state_fact(lw, '%', a, b, condition, span);
    }
    if (!eval_dim(lw, scope, left, &a) || !eval_dim(lw, scope, right, &b)) return false;
    const Dim *one = dim_const(lw->dims, 1);
    if (op == OPERATOR_GE || op == OPERATOR_GT) {
        const Dim *swap = a;
        a = b;
        b = swap;
        op = op == OPERATOR_GE ? OPERATOR_LE : OPERATOR_LT;
    }
    if (op == OPERATOR_LT) a = dim_add(lw->dims, a, one);
    char relation = op == OPERATOR_EQ ? '=' : '<';
    if (op != OPERATOR_EQ && op != OPERATOR_LE && op != OPERATOR_LT) {
        lower_error(lw, NN_WHERE_FALSE, condition->span,
                    "`where` states ==, <=, <, >=, > and divisibility (N %% 8 == 0)");
        return false;
    }
    DimTruth truth = relation == '=' ? dim_equal(lw->dims, a, b) : dim_less_equal(lw->dims, a, b);
    if (truth == DIM_NO) return where_failed(lw, condition, span, condition->span);
    return truth == DIM_YES || state_fact(lw, relation, a, b, condition, span);
}

static bool where_condition(Lowerer *lw, const Expr *e, Span span) {
    if (e->kind == EXPR_AND) {
        for (int i = 0; i < e->items.count; i++)
            if (!where_condition(lw, e->items.items[i], span)) return false;
        return true;
    }
    if (e->kind == EXPR_COMPARE) {
        for (int i = 0; i + 1 < e->items.count; i++)
            if (!where_pair(lw, e->operators[i], e->items.items[i], e->items.items[i + 1], e, span))
                return false;
        return true;
    }
    Scope *saved = lw->frame->scope;
    lw->frame->scope = lw->frame->dims;
    Value v = eval_expr(lw, e);
    lw->frame->scope = saved;
    bool truth;
    if (!eval_truth(lw, &v, e->span, &truth)) return false;
    return truth || where_failed(lw, e, span, e->span);
}

/* ---- calls ---- */

bool signature_bind(Lowerer *lw, const Function *f, Scope *scope, const Value *values, Span span) {
    Frame *frame = lw->frame;
    frame->dims = scope_new(lw, scope->parent);
    for (int i = 0; i < f->param_count; i++)
        if (values[i].kind == VALUE_INT || values[i].kind == VALUE_DIM)
            scope_bind(lw, frame->dims, f->params[i].name, values[i], f->params[i].span);
    TensorPass passes[2] = {bind_tensor, check_tensor};
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < f->param_count; i++) {
            const Param *p = &f->params[i];
            if (!p->type || p->star || (i == 0 && !strcmp(p->name->text, "self"))) continue;
            if (values[i].kind == VALUE_NONE && p->default_value &&
                p->default_value->kind == EXPR_NONE)
                continue;
            Subject s = {f, p->name->text, span, p->span, false};
            if (!apply(lw, &s, p->type, &values[i], passes[pass])) return false;
        }
    }
    for (int i = 0; i < frame->dims->bindings.count; i++) {
        const Binding *b = &frame->dims->bindings.data[i];
        bool taken = false;
        for (int k = 0; k < scope->bindings.count; k++)
            taken |= scope->bindings.data[k].name == b->name;
        if (!taken) scope_bind(lw, scope, b->name, b->value, b->span);
    }
    for (int i = 0; i < f->where.count; i++)
        if (!where_condition(lw, f->where.items[i], span)) return false;
    return true;
}

static bool result_value(Lowerer *lw, const ResultDecl *r, Value *v, Span span) {
    DType dtype;
    bool scalar = r->type->kind == TYPE_NAME
                      ? dtype_named(lw, r->type->name, &dtype)
                      : r->type->kind == TYPE_TENSOR && r->type->dim_count == 0 &&
                            dtype_named(lw, r->type->name, &dtype);
    bool number = v->kind == VALUE_INT || v->kind == VALUE_FLOAT || v->kind == VALUE_BOOL ||
                  v->kind == VALUE_DIM;
    if (!scalar || !number || !lw->graph) return true;
    lower_mark(lw, span);
    Node *node = tensor_of(lw, v, NULL, span);
    if (!node) return false;
    *v = value_tensor(op_cast(lw->graph, node, dtype));
    return v->as.tensor != NULL;
}

bool signature_check_results(Lowerer *lw, const Function *f, Scope *scope, Value *result,
                             Span span) {
    if (!f->has_results || f->result_count == 0) return true;
    Value *values = result;
    if (f->result_count > 1) {
        bool tuple = value_is_list(result);
        int given = tuple ? result->as.list->items.count : 1;
        if (given != f->result_count) {
            Diagnostic *d =
                lower_error(lw, NN_RESULT_TYPE, span, "`%s` declares %d results but returns %d",
                            f->name->text, f->result_count, given);
            if (!f->name_span.file->is_prelude) diagnostic_label(d, f->name_span, "declared here");
            return false;
        }
        *result = value_tuple(lw->arena, result->as.list->items.data, given);
        result->as.list->declared = f;
        values = result->as.list->items.data;
    } else if (result->kind == VALUE_NONE) {
        lower_error(lw, NN_RESULT_TYPE, span, "`%s` declares a result but returns nothing",
                    f->name->text);
        return false;
    }
    if (!lw->frame->dims) lw->frame->dims = scope_new(lw, scope->parent);
    TensorPass passes[2] = {bind_tensor, check_tensor};
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < f->result_count; i++) {
            const ResultDecl *r = &f->results[i];
            if (!r->type) continue;
            if (pass == 0 && !result_value(lw, r, &values[i], span)) return false;
            Subject s = {f, r->name ? r->name->text : NULL, span, r->span, true};
            if (!apply(lw, &s, r->type, &values[i], passes[pass])) return false;
        }
    }
    return true;
}

/* ---- entries ---- */

static bool is_tensor_type(const TypeExpr *type) {
    DType dtype;
    if (!type) return false;
    if (type->kind == TYPE_TENSOR) return true;
    return type->kind == TYPE_NAME && dtype_parse(type->name->text, &dtype);
}

/* `mask=None`, `k: int = 3`: an entry takes the default. */
static bool left_out(const Param *p) {
    return p->default_value && !is_tensor_type(p->type);
}

bool signature_is_typed(const Function *f, int skip, bool defaults) {
    for (int i = skip; i < f->param_count; i++) {
        const Param *p = &f->params[i];
        if (p->star || !(is_tensor_type(p->type) || (defaults && left_out(p)))) return false;
    }
    return true;
}

static bool entry_symbols(Lowerer *lw, const Param *p) {
    Scope *dims = lw->frame->dims;
    for (int i = 0; i < p->type->dim_count; i++) {
        const TypeDim *dim = &p->type->dims[i];
        if (!dim->expr) {
            Diagnostic *d = lower_error(lw, NN_EXPORT_TYPES, dim->span,
                                        "an exported argument needs a fixed number of dims");
            diagnostic_help(d, "name every dim: `%s: %s[N, C]`", p->name->text,
                            p->type->name->text);
            return false;
        }
        if (dim->expr->kind != EXPR_NAME) continue;
        Name name = dim->expr->name;
        const Value *known = find_dim(lw, dims, name);
        /* One of a state stands in the module's scope: this is its place among the entry's dims. */
        if (known && known->kind != VALUE_DIM) continue;
        if (!known && lw->state_dims) known = scope_find(lw->state_dims, name);
        scope_bind(lw, dims, name, known ? *known : value_dim(dim_symbol(lw->dims, name)),
                   dim->expr->span);
    }
    return true;
}

bool signature_entry(Lowerer *lw, const Function *f, int skip, Entry *entry, Value *values) {
    lw->frame->dims = scope_new(lw, lw->frame->scope);
    for (int i = skip; i < f->param_count; i++)
        if (!left_out(&f->params[i]) && !entry_symbols(lw, &f->params[i])) return false;
    /* With the names that `where` makes equal to others or to numbers: arrays bind them. */
    Shape *declared = NEW_ARRAY(lw->arena, (size_t)f->param_count + 1, Shape);
    for (int i = skip; i < f->param_count; i++) {
        TensorType type;
        if (left_out(&f->params[i])) continue;
        if (!signature_type(lw, f->params[i].type, lw->frame->dims, &type)) return false;
        declared[i] = type.shape;
    }
    for (int i = 0; i < f->where.count; i++)
        if (!where_condition(lw, f->where.items[i], f->where.items[i]->span)) return false;
    for (int i = skip; i < f->param_count; i++) {
        const Param *p = &f->params[i];
        TensorType type;
        if (left_out(p)) continue;
        if (!signature_type(lw, p->type, lw->frame->dims, &type)) return false;
        lower_mark(lw, p->span);
        Node *node = op_input(lw->graph, p->name, type);
        if (!node) return false;
        Argument argument = {p->name, node, p->span, declared[i]};
        vector_push(lw->arena, &entry->arguments, argument);
        values[entry->arguments.count - 1] =
            value_with_story(lw, node, NULL, p->name->text, p->span);
    }
    return true;
}
