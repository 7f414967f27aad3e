/* Classes and instances: making, members, paths, calling.
 *
 * Instantiating is specialising: the header's arguments are bound in the instance's body_scope, the
 * body runs there, and every `def` becomes a closure bound to the instance.  An instance gets its
 * path when it is first bound under a rooted self; bound again it is shared. */
#include "lower/cells/cells_internal.h"

#include <string.h>

static const char *join_path(Lowerer *lw, const char *path, const char *name) {
    return path && path[0] ? arena_printf(lw->arena, "%s.%s", path, name)
                           : arena_strdup(lw->arena, name);
}

Value *module_find_member(Instance *self, Name name) {
    for (int i = 0; i < self->members.count; i++)
        if (self->members.data[i].name == name) return &self->members.data[i].value;
    return NULL;
}

static Binding *find_hyperparameter(Instance *self, Name name) {
    for (int i = 0; i < self->hyperparameters.count; i++)
        if (self->hyperparameters.data[i].name == name) return &self->hyperparameters.data[i];
    return NULL;
}

const Value *instance_method(const Instance *self, const char *name) {
    for (int i = 0; i < self->body_scope->bindings.count; i++) {
        const Binding *b = &self->body_scope->bindings.data[i];
        if (b->value.kind == VALUE_FUNCTION && b->value.as.closure->self == self &&
            !strcmp(b->name->text, name))
            return &b->value;
    }
    return NULL;
}

/* ---- making ---- */

static bool is_dtype_name(const TypeExpr *type) {
    DType dtype;
    return type && type->kind == TYPE_NAME && dtype_parse(type->name->text, &dtype) &&
           dtype != DTYPE_BOOL;
}

static bool bind_scalar_cell(Lowerer *lw, Instance *self, const Param *p, Binding *b, Span span) {
    if (b->value.kind == VALUE_CELL) return true;
    TensorType type;
    if (!signature_type(lw, p->type, self->body_scope, &type)) return false;
    b->value = cell_hyperparameter(lw, self, p->name, type.dtype, &b->value,
                                   b->span.file ? b->span : span);
    return b->value.kind != VALUE_ERROR;
}

static bool says_dtype(const TypeExpr *type) {
    return type && type->kind == TYPE_NAME && !strcmp(type->name->text, "dtype");
}

/* A layer of the library without a dtype, dtype=None, has the default one, as torch's. */
static bool takes_default_dtype(const Param *p, const Value *v) {
    return v->kind == VALUE_NONE && p->default_value && p->span.file->is_prelude &&
           says_dtype(p->type);
}

static bool check_hyperparameter(Lowerer *lw, Instance *self, const Param *p, Binding *b,
                                 Span span) {
    bool scalar = self->class_->kind != CLASS_KIND_MODULE && is_dtype_name(p->type);
    if (scalar) return bind_scalar_cell(lw, self, p, b, span);
    if (takes_default_dtype(p, &b->value)) b->value = eval_expr(lw, p->default_value);
    if (!p->type || p->star || signature_host_value(lw, p->type, self->body_scope, &b->value))
        return true;
    Text expected = text_new(lw->arena), given = text_new(lw->arena);
    signature_print_type(&expected, p->type);
    value_print(&given, &b->value, true);
    Span place = b->span.file ? b->span : span;
    Diagnostic *d = lower_error(lw, NN_HOST_TYPE, place, "%s takes %s: %s, not %s",
                                self->class_->name->text, p->name->text, expected.data,
                                value_is_tensor(&b->value) ? "a tensor" : given.data);
    if (!p->span.file->is_prelude) diagnostic_label(d, p->span, "declared here");
    if (says_dtype(p->type))
        diagnostic_help(d, "a dtype is torch.float32, torch.bfloat16, torch.int64, torch.bool ...");
    return false;
}

static void hoist_methods(Lowerer *lw, Instance *self) {
    const StmtList *body = &self->class_->declaration->body;
    for (int i = 0; i < body->count; i++) {
        const Stmt *s = body->items[i];
        if (s->kind != STMT_FUNCTION || s->function->is_vjp) continue;
        Value v = definition_value(lw, body, s, self->class_->home, self->body_scope, self);
        scope_bind(lw, self->body_scope, s->function->name, v, s->function->name_span);
    }
}

Instance *instance_begin(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span) {
    enum { INSTANCE_LIMIT = 100 * 1000 };
    if (lw->instances.count >= INSTANCE_LIMIT) {
        if (!lw->halted)
            lower_error(lw, NN_BUDGET, span, "the program makes more than %d modules",
                        INSTANCE_LIMIT);
        lw->halted = true;
        return NULL;
    }
    Instance *self = NEW(lw->arena, Instance);
    self->class_ = class_;
    self->span = span;
    self->body_scope = scope_new(lw, NULL);
    const Stmt *declaration = class_->declaration;
    Frame frame = {
        .caller = lw->frame, .home = class_->home, .scope = self->body_scope, .call_span = span};
    Instance *outer = lw->instance;
    lw->frame = &frame;
    bool ok =
        eval_bind_arguments(lw, declaration->params, declaration->param_count, args,
                            class_->name->text, span, declaration->name_span, self->body_scope);
    for (int i = 0; ok && i < declaration->param_count; i++) {
        const Param *p = &declaration->params[i];
        Binding *b = scope_find_binding(self->body_scope, p->name);
        ok = check_hyperparameter(lw, self, p, b, span);
        vector_push(lw->arena, &self->hyperparameters, *b);
    }
    lw->frame = frame.caller;
    lw->instance = outer;
    if (!ok) return NULL;
    if (lw->entry && outer) self->path = outer->path;
    hoist_methods(lw, self);
    vector_push(lw->arena, &lw->instances, self);
    return self;
}

void instance_run_body(Lowerer *lw, Instance *self, const StmtList *body, Span span) {
    enum { COST = 12 };
    lw->depth += COST;
    if (lw->depth > lw->depth_limit) {
        lower_error(lw, NN_RECURSION, span,
                    "the modules are nested too deeply: does `%s` contain itself?",
                    self->class_->name->text);
        lw->halted = true;
        lw->depth -= COST;
        return;
    }
    Frame frame = {.caller = lw->frame,
                   .home = self->class_->home,
                   .scope = self->body_scope,
                   .call_span = span,
                   .declares = true};
    Instance *outer = lw->instance;
    lw->frame = &frame;
    lw->instance = self;
    /* `self` is a name of the body only: methods bind their own. */
    frame.scope = scope_new(lw, self->body_scope);
    scope_bind(lw, frame.scope, name_of("self"),
               (Value){.kind = VALUE_INSTANCE, .as.instance = self}, span);
    eval_block(lw, body);
    /* What the body bound becomes visible to its methods. */
    for (int i = 1; i < frame.scope->bindings.count; i++) {
        const Binding *b = &frame.scope->bindings.data[i];
        scope_bind(lw, self->body_scope, b->name, b->value, b->span);
    }
    self->failed |= frame.returned;
    lw->frame = frame.caller;
    lw->instance = outer;
    lw->depth -= COST;
}

Instance *module_instantiate(Lowerer *lw, ModuleClass *class_, const CallArguments *args,
                             Span span) {
    Instance *self = instance_begin(lw, class_, args, span);
    if (self) instance_run_body(lw, self, &class_->declaration->body, span);
    return self;
}

Value module_new(Lowerer *lw, ModuleClass *class_, const CallArguments *args, Span span) {
    Instance *self = module_instantiate(lw, class_, args, span);
    return self && !self->failed ? (Value){.kind = VALUE_INSTANCE, .as.instance = self}
                                 : value_error();
}

/* ---- cells of a body ---- */

static bool contains_call(const Expr *e) {
    if (!e) return false;
    if (e->kind == EXPR_CALL || e->kind == EXPR_COMPREHENSION) return true;
    for (int i = 0; i < e->items.count; i++)
        if (contains_call(e->items.items[i])) return true;
    return contains_call(e->left) || contains_call(e->right) || contains_call(e->third);
}

Value eval_delayed(Lowerer *lw, Instance *self, const Expr *value) {
    Stmt *result = NEW(lw->arena, Stmt);
    *result = (Stmt){.kind = STMT_RETURN, .span = value->span, .value = (Expr *)value};
    Stmt **items = NEW(lw->arena, Stmt *);
    items[0] = result;
    Function *f = NEW(lw->arena, Function);
    *f = (Function){.name = name_of("initialiser"),
                    .span = value->span,
                    .name_span = value->span,
                    .body = {.items = items, .count = 1, .span = value->span}};
    Closure *closure = NEW(lw->arena, Closure);
    *closure = (Closure){.function = f,
                         .home = lw->frame->home,
                         .captured = lw->frame->scope,
                         .self = self,
                         .initialiser = true};
    return (Value){.kind = VALUE_FUNCTION, .as.closure = closure};
}

static bool constant_shape(Lowerer *lw, const Stmt *s, const TensorType *type) {
    int64_t extent;
    for (int i = 0; i < type->shape.rank; i++) {
        if (dim_is_const(type->shape.dims[i], &extent) && extent >= 0) continue;
        Text text = text_new(lw->arena);
        dim_print(&text, type->shape.dims[i]);
        lower_error(lw, NN_TYPE_NAME, s->type->span,
                    "the shape of `%s` must be known while compiling, found %s", s->name->text,
                    text.data);
        return false;
    }
    return true;
}

void module_declare(Lowerer *lw, Instance *self, const Stmt *s) {
    if (self->class_->kind == CLASS_KIND_OPTIMIZER) {
        optimizer_declare(lw, self, s);
        return;
    }
    if (module_find_member(self, s->name)) {
        lower_error(lw, NN_MEMBER, s->name_span, "`%s` has a member `%s` already",
                    self->class_->name->text, s->name->text);
        return;
    }
    Member member = {s->name, value_error(), s->span};
    CellRole role = s->declare == DECLARE_PARAM    ? CELL_PARAMETER
                    : s->declare == DECLARE_BUFFER ? CELL_BUFFER
                                                   : CELL_STATE;
    TensorType type;
    if (lw->entry) {
        Diagnostic *d = lower_error(lw, NN_MODULE_IN_FUNCTION, s->span,
                                    "a module with parameters is made inside a tensor function");
        diagnostic_help(d, "make it in a module's body: `self.layer = ...`");
    } else if (!s->type) {
        lower_error(lw, NN_TYPE_NAME, s->name_span, "`%s` needs a type, such as f32[10]",
                    s->name->text);
    } else if (role == CELL_STATE)
        signature_state_dims(lw, s->type, lw->frame->scope);
    if (!lw->entry && s->type && signature_type(lw, s->type, lw->frame->scope, &type) &&
        (role == CELL_STATE || constant_shape(lw, s, &type)) &&
        (role != CELL_PARAMETER || cell_may_train(lw, s->name->text, type.dtype, s->type->span))) {
        CellState *c = cell_declare(lw, self, s->name, role, type, s->name_span);
        if (c) {
            c->requires_grad = role == CELL_PARAMETER;
            c->initialiser_span = lower_blame(lw, s->value ? s->value->span : s->span);
            if (!s->value)
                c->initialiser = value_int(0);
            else if (contains_call(s->value))
                c->initialiser = eval_delayed(lw, self, s->value);
            else
                c->initialiser = eval_expr(lw, s->value);
            member.value = value_cell(c);
        }
    }
    vector_push(lw->arena, &self->members, member);
}

/* ---- paths ---- */

void module_set_path(Lowerer *lw, Instance *self, const char *path, Instance *parent) {
    if (self->rooted) return;
    self->rooted = true;
    self->path = path;
    if (!self->parent) self->parent = parent;
    for (int i = 0; i < self->members.count; i++) {
        const Member *m = &self->members.data[i];
        if (m->value.kind == VALUE_INSTANCE)
            module_set_path(lw, m->value.as.instance, join_path(lw, path, m->name->text), self);
    }
}

/* ---- members ---- */

static void write_cell_member(Lowerer *lw, CellState *c, const char *name, Value value, Span span) {
    CellState *to = cell_resolve(c);
    if (to->cell->role == CELL_PARAMETER) {
        Diagnostic *d = lower_error(lw, NN_MEMBER, span, "a parameter is not replaced by a tensor");
        diagnostic_help(d, "write its value: `.data = ...` or `.copy_(...)`");
        return;
    }
    Node *node = cell_convert(lw, to, &value, "the new value of", span);
    if (node) cell_write(lw, to, node, span);
}

static void tie(Lowerer *lw, Value *member, CellState *to, const char *name, Span span) {
    CellState *old = cell_resolve(member->as.cell);
    to = cell_resolve(to);
    if (old == to) return;
    const TensorType *a = &old->cell->type, *b = &to->cell->type;
    if (a->dtype != b->dtype || !shape_equal(&a->shape, &b->shape)) {
        Text have = text_new(lw->arena), want = text_new(lw->arena);
        type_print(&have, b);
        type_print(&want, a);
        Diagnostic *d =
            lower_error(lw, NN_TIED_TYPE, span, "`%s` is %s and cannot share a tensor that is %s",
                        name, want.data, have.data);
        diagnostic_label(d, old->cell->span, "declared here");
        return;
    }
    old->tied_to = to;
    *member = value_cell(to);
}

static bool list_holds_modules(const Value *v) {
    if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE) return false;
    for (int i = 0; i < v->as.list->items.count; i++)
        if (v->as.list->items.data[i].kind == VALUE_INSTANCE) return true;
    return false;
}

/* Whether `self` is `from` or below it; a walk sees every module once. */
static bool walk_finds(Lowerer *lw, Instance *from, const Instance *self) {
    if (from == self) return true;
    if (from->visit == lw->visits) return false;
    from->visit = lw->visits;
    for (int i = 0; i < from->members.count; i++) {
        const Value *v = &from->members.data[i].value;
        if (v->kind == VALUE_INSTANCE && walk_finds(lw, v->as.instance, self)) return true;
    }
    return false;
}

/* Keys of a weights file are paths of names, so that a name with a dot could be two paths. */
static bool can_be_part_of_path(Lowerer *lw, Name name, Span span) {
    bool dotted = strchr(name->text, '.') != NULL;
    if (!dotted && name->length) return true;
    Diagnostic *d = lower_error(lw, NN_MEMBER, span, "the name of a module, parameter or buffer %s",
                                dotted ? "cannot hold a `.`" : "cannot be empty");
    if (dotted)
        diagnostic_help(d, "`%s`: keys of weights files join the names of members by dots",
                        name->text);
    return false;
}

static void add_member(Lowerer *lw, Instance *self, Name name, Value value, Span span) {
    if ((value.kind == VALUE_INSTANCE || value.kind == VALUE_CELL) &&
        !can_be_part_of_path(lw, name, span)) {
        value = value_error();
    } else if (value.kind == VALUE_TENSOR) {
        Diagnostic *d = lower_error(lw, NN_MEMBER, span, "a tensor cannot be a plain member");
        diagnostic_help(d, "declare it: `buffer %s: f32[...] = ...`", name->text);
        value = value_error();
    } else if (list_holds_modules(&value)) {
        Diagnostic *d =
            lower_error(lw, NN_MEMBER, span, "a plain list does not register its modules");
        diagnostic_help(d, "write `self.%s = nn.ModuleList(...)`", name->text);
        value = value_error();
    } else if (value.kind == VALUE_CELL) {
        parameter_place(value.as.cell, self, name);
    } else if (value.kind == VALUE_INSTANCE) {
        Instance *child = value.as.instance;
        lw->visits++;
        /* A module that is no member yet is below nothing. */
        if (child == self || (self->parent && walk_finds(lw, child, self))) {
            lower_error(lw, NN_MEMBER, span, "a module cannot contain itself");
            value = value_error();
        } else {
            if (!child->parent) child->parent = self;
            if (self->rooted)
                module_set_path(lw, child, join_path(lw, self->path, name->text), self);
        }
    }
    Value *now = module_find_member(self, name);
    if (now)
        *now = value;
    else
        vector_push(lw->arena, &self->members, ((Member){name, value, span}));
}

void module_set_member(Lowerer *lw, Instance *self, Name name, Value value, Span span) {
    bool constructing = !lw->entry || lw->frame->declares;
    Value *now = module_find_member(self, name);
    if (value.kind == VALUE_ERROR) {
        if (constructing && !now)
            vector_push(lw->arena, &self->members, ((Member){name, value, span}));
    } else if (now && value.kind == VALUE_CELL && !value.as.cell->owner) {
        parameter_place(value.as.cell, self, name); /* a new one in the place of the old */
        *now = value;
    } else if (now && now->kind == VALUE_CELL) {
        if (lw->entry)
            write_cell_member(lw, now->as.cell, name->text, value, span);
        else if (value.kind == VALUE_CELL)
            tie(lw, now, value.as.cell, name->text, span);
        else if (value.kind == VALUE_NONE)
            *now = value;
        else
            lower_error(lw, NN_MEMBER, span, "`%s` is %s, which %s cannot replace", name->text,
                        value_kind_name(now), value_kind_name(&value));
    } else if (!now && optimizer_assign(lw, self, name, &value, span)) {
        return;
    } else if (!constructing) {
        Diagnostic *d =
            lower_error(lw, NN_MEMBER, span, "`%s` cannot be set in a tensor function", name->text);
        if (value_is_tensor(&value))
            diagnostic_help(d, "keep a tensor between calls in `state %s: f32[...] = 0`",
                            name->text);
        else
            diagnostic_help(d, "set it in the module's body");
    } else {
        add_member(lw, self, name, value, span);
    }
}

bool module_attribute(Lowerer *lw, Instance *instance, Name name, Span span, Value *out) {
    Value *member = module_find_member(instance, name);
    if (member) {
        *out = *member;
        return true;
    }
    if (!strcmp(name->text, "training")) {
        *out = value_bool(instance_training(lw, instance));
        return true;
    }
    Binding *hyper = find_hyperparameter(instance, name);
    if (hyper) {
        *out = hyper->value;
        return true;
    }
    for (int i = 0; i < instance->body_scope->bindings.count; i++) {
        const Binding *b = &instance->body_scope->bindings.data[i];
        if (b->name != name || b->value.kind != VALUE_FUNCTION ||
            b->value.as.closure->self != instance)
            continue;
        *out = b->value;
        return true;
    }
    return false;
}

bool instance_training(Lowerer *lw, Instance *instance) {
    for (const Instance *i = instance; i; i = i->parent)
        if (i->training_override) return i->training;
    return lw->training;
}

/* ---- calling ---- */

static const TensorType *first_tensor_type(const Value *v) {
    if (v->kind == VALUE_TENSOR) return &v->as.tensor->type;
    if (v->kind == VALUE_CELL) return &v->as.cell->cell->type;
    if (v->kind != VALUE_TUPLE && v->kind != VALUE_LIST) return NULL;
    for (int i = 0; i < v->as.list->items.count; i++) {
        const TensorType *type = first_tensor_type(&v->as.list->items.data[i]);
        if (type) return type;
    }
    return NULL;
}

Value module_call(Lowerer *lw, Instance *self, const CallArguments *args, Span span) {
    const Value *forward = instance_method(self, "forward");
    if (!forward) {
        Diagnostic *d =
            lower_error(lw, NN_NO_FORWARD, span, "%s has no `forward` and cannot be called",
                        self->class_->name->text);
        Value *is_list = module_find_member(self, name_of("_is_list"));
        if (is_list) diagnostic_help(d, "loop over it: `for m in ... { x = m(x) }`");
        return value_error();
    }
    Value result = eval_call(lw, forward, args, span);
    if (lw->options->dumps) entry_dump_output(lw, self, &result, span);
    const TensorType *in = args->count ? first_tensor_type(&args->values[0]) : NULL;
    const TensorType *out = first_tensor_type(&result);
    if (!self->called && in && out) {
        self->called = true;
        self->input_type = *in;
        self->output_type = *out;
    }
    return result;
}
