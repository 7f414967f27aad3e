/* Execution of statements in the current frame.
 *
 * An error leaves VALUE_ERROR in what the statement assigns, and execution goes on, so that one run
 * reports every independent mistake. */
#include "lower/cells/cells_internal.h"
#include "syntax/parse.h"

#include <string.h>

/* ---- assignment ---- */

static void assign_error(Lowerer *lw, Span span, const char *help) {
    Diagnostic *d = lower_error(lw, NN_ASSIGNMENT, span, "this cannot be assigned");
    if (help) diagnostic_help(d, "%s", help);
}

static void assign_name(Lowerer *lw, Name name, Value value, Span span) {
    Frame *frame = lw->frame;
    Binding *outer = frame->yields && frame->scope->parent
                         ? scope_find_binding(frame->scope->parent, name)
                         : NULL;
    bool local = false;
    for (int i = 0; i < frame->scope->bindings.count; i++)
        local |= frame->scope->bindings.data[i].name == name;
    if (outer && !local && outer->used) {
        Diagnostic *d = lower_error(lw, NN_SCAN_BODY, span,
                                    "`%s` is read and then assigned inside the scan", name->text);
        diagnostic_help(d, "make it a carry: `scan ..., %s = ..., %s for ...`", name->text,
                        name->text);
        value = value_error();
    }
    scope_bind(lw, frame->scope, name, value, span);
}

static void assign_subscript(Lowerer *lw, const Expr *target, Value value) {
    Value object = eval_expr(lw, target->left);
    if (object.kind == VALUE_ERROR) return;
    if (target->items.count != 1 || value_is_tensor(&object)) {
        assign_error(lw, target->span,
                     value_is_tensor(&object)
                         ? "tensors are values: build the new one with where(), cat() or pad()"
                         : NULL);
        return;
    }
    Value key = eval_expr(lw, target->items.items[0]);
    if (key.kind == VALUE_ERROR) return;
    if (object.kind == VALUE_INSTANCE && key.kind == VALUE_STR) {
        eval_set_attribute(lw, &object, name_of(key.as.text), value, target->span);
    } else if (object.kind == VALUE_LIST) {
        int64_t index, length = object.as.list->items.count;
        if (!value_as_int(lw, &key, "an index", target->span, &index)) return;
        if (index < -length || index >= length) {
            lower_error(lw, NN_SUBSCRIPT, target->span,
                        "index %lld is out of range: the list has %lld elements", (long long)index,
                        (long long)length);
            return;
        }
        object.as.list->items.data[index < 0 ? index + length : index] = value;
    } else if (object.kind == VALUE_DICT) {
        ValueList *dict = object.as.list;
        for (int i = 0; i + 1 < dict->items.count; i += 2) {
            if (!value_equal(&dict->items.data[i], &key)) continue;
            Value *now = &dict->items.data[i + 1];
            if (dict->fixed && now->kind == VALUE_CELL)
                cell_assign_hyperparameter(lw, now->as.cell, name_of(key.as.text), &value,
                                           target->span);
            else if (dict->fixed)
                assign_error(lw, target->span,
                             "only hyperparameters of type f32 are known at run time");
            else
                *now = value;
            return;
        }
        if (dict->fixed) {
            assign_error(lw, target->span, "the group has no hyperparameter of this name");
            return;
        }
        vector_push(lw->arena, &dict->items, key);
        vector_push(lw->arena, &dict->items, value);
    } else {
        assign_error(lw, target->span, NULL);
    }
}

static void assign_tuple(Lowerer *lw, const Expr *target, Value value, Span span) {
    ValueList *parts = NULL;
    int count = target->items.count, star = -1;
    for (int i = 0; i < count; i++)
        if (target->items.items[i]->kind == EXPR_STAR) star = i;
    bool ok = value.kind != VALUE_ERROR && eval_iterate(lw, &value, span, &parts);
    int given = ok ? parts->items.count : 0;
    if (ok && (star < 0 ? given != count : given < count - 1)) {
        lower_error(lw, NN_NOT_ITERABLE, span, "cannot unpack %d value%s into %d name%s", given,
                    given == 1 ? "" : "s", count, count == 1 ? "" : "s");
        ok = false;
    }
    for (int i = 0, at = 0; i < count; i++) {
        const Expr *part = target->items.items[i];
        if (i != star) {
            eval_assign(lw, part, ok ? parts->items.data[at] : value_error(), span);
            at++;
            continue;
        }
        int rest = given - (count - 1);
        Value list = ok ? value_list(lw->arena, parts->items.data + at, rest) : value_error();
        eval_assign(lw, part->left, list, span);
        at += ok ? rest : 0;
    }
}

void eval_assign(Lowerer *lw, const Expr *target, Value value, Span span) {
    if (target->kind == EXPR_NAME) {
        assign_name(lw, target->name, value, target->span);
    } else if (target->kind == EXPR_ATTRIBUTE) {
        Value object = eval_expr(lw, target->left);
        eval_set_attribute(lw, &object, target->name, value, target->span);
    } else if (target->kind == EXPR_SUBSCRIPT) {
        assign_subscript(lw, target, value);
    } else if (target->kind == EXPR_TUPLE || target->kind == EXPR_LIST) {
        assign_tuple(lw, target, value, span);
    } else if (target->kind != EXPR_ERROR) {
        assign_error(lw, target->span, NULL);
    }
}

void eval_set_attribute(Lowerer *lw, const Value *object, Name name, Value value, Span span) {
    if (object->kind == VALUE_ERROR) return;
    if (object->kind == VALUE_INSTANCE) {
        module_set_member(lw, object->as.instance, name, value, span);
        return;
    }
    if (value.kind == VALUE_ERROR) return;
    if (object->kind == VALUE_CELL && !strcmp(name->text, "data")) {
        Node *now = value_node(lw, object, span);
        Node *node = now ? tensor_of(lw, &value, now, span) : NULL;
        if (node) cell_write(lw, object->as.cell, node, span);
        return;
    }
    if (object->kind == VALUE_CELL && !strcmp(name->text, "grad") && value.kind == VALUE_NONE) {
        cell_gradient_zero(lw, cell_resolve(object->as.cell));
        return;
    }
    if (object->kind == VALUE_CELL && !strcmp(name->text, "requires_grad")) {
        Value method;
        if (cell_attribute(lw, object, name_of("requires_grad_"), span, &method))
            eval_call_values(lw, &method, &value, 1, span);
        return;
    }
    lower_error(lw, NN_ASSIGNMENT, span, "`%s` of %s cannot be assigned", name->text,
                value_kind_name(object));
}

/* ---- blocks whose condition failed: what they assign becomes an error ---- */

static void poison_target(Lowerer *lw, const Expr *target) {
    if (target->kind == EXPR_NAME)
        scope_bind(lw, lw->frame->scope, target->name, value_error(), target->span);
    for (int i = 0;
         (target->kind == EXPR_TUPLE || target->kind == EXPR_LIST) && i < target->items.count; i++)
        poison_target(lw, target->items.items[i]);
}

static bool poison(Lowerer *lw, const StmtList *body) {
    bool returns = false;
    for (int i = 0; i < body->count; i++) {
        const Stmt *s = body->items[i];
        for (int k = 0; k < s->targets.count; k++) poison_target(lw, s->targets.items[k]);
        for (int k = 0; k < s->carry_count; k++)
            scope_bind(lw, lw->frame->scope, s->carries[k].name, value_error(), s->carries[k].span);
        if (s->kind == STMT_DECLARE && lw->instance) {
            Instance *self = lw->instance;
            if (!module_find_member(self, s->name))
                vector_push(lw->arena, &self->members, ((Member){s->name, value_error(), s->span}));
        }
        returns |= s->kind == STMT_RETURN;
        returns |= poison(lw, &s->body);
        returns |= poison(lw, &s->otherwise);
    }
    return returns;
}

static void poison_blocks(Lowerer *lw, const Stmt *s) {
    bool returns = poison(lw, &s->body);
    returns |= poison(lw, &s->otherwise);
    for (int k = 0; k < s->targets.count; k++) poison_target(lw, s->targets.items[k]);
    if (!returns) return;
    lw->frame->returned = true;
    lw->frame->result = value_error();
}

/* ---- statements ---- */

static void tell_statement(Lowerer *lw, const Stmt *s, const Expr *target) {
    if (!lw->options->on_statement || !s->span.file || s->span.file->is_prelude) return;
    if (target->kind == EXPR_NAME) {
        Value *v = scope_find(lw->frame->scope, target->name);
        if (v && v->kind == VALUE_TENSOR)
            lw->options->on_statement(lw->options->user, s->span, target->name,
                                      &v->as.tensor->type);
    }
    for (int i = 0; target->kind == EXPR_TUPLE && i < target->items.count; i++)
        tell_statement(lw, s, target->items.items[i]);
}

static void eval_for(Lowerer *lw, const Stmt *s) {
    Frame *frame = lw->frame;
    Value iterable = eval_expr(lw, s->value);
    ValueList *items;
    if (!eval_iterate(lw, &iterable, s->value->span, &items)) {
        poison_blocks(lw, s);
        return;
    }
    for (int i = 0; i < items->items.count && !frame->returned; i++) {
        if (!lower_step(lw, s->span)) return;
        eval_assign(lw, s->targets.items[0], items->items.data[i], s->value->span);
        eval_block(lw, &s->body);
        frame->continuing = false;
        if (frame->breaking) break;
    }
    if (!frame->breaking && s->has_otherwise && !frame->returned) eval_block(lw, &s->otherwise);
    frame->breaking = false;
}

const char *eval_assert_text(Lowerer *lw, const Stmt *s) {
    if (!s->message) return NULL;
    if (s->message->kind == EXPR_STRING)
        return eval_interpolate(lw, s->message->text, s->message->span);
    Value message = eval_expr(lw, s->message);
    Text printed = text_new(lw->arena);
    value_print(&printed, &message, false);
    return printed.data;
}

static void eval_assert(Lowerer *lw, const Stmt *s) {
    const Stmt *outer = lw->asserted;
    lw->asserted = s;
    Value condition = eval_expr(lw, s->value);
    lw->asserted = outer;
    bool truth;
    if (!eval_truth(lw, &condition, s->value->span, &truth) || truth) return;
    const char *text = eval_assert_text(lw, s);
    Span blame = lower_blame(lw, s->value->span);
    Diagnostic *d = lower_error(lw, NN_ASSERTION, s->value->span, "%s",
                                text ? text : "the assertion does not hold");
    lower_tell_arguments(lw, d);
    if (lw->frame->call_span.file && !lw->frame->call_span.file->is_prelude &&
        (blame.file != lw->frame->call_span.file || blame.begin != lw->frame->call_span.begin))
        diagnostic_label(d, lw->frame->call_span,
                         lw->frame->declares ? "made here" : "called here");
    lw->frame->returned = true; /* as an exception would */
    lw->frame->result = value_error();
}

static void eval_no_grad(Lowerer *lw, const Stmt *s) {
    bool saved = lw->graph && lw->graph->no_grad;
    if (lw->graph) lw->graph->no_grad = true;
    eval_block(lw, &s->body);
    if (lw->graph) lw->graph->no_grad = saved;
}

static void misplaced(Lowerer *lw, const Stmt *s, const char *what) {
    lower_error(lw, NN_CONTROL, s->span, "`%s` cannot stand here", what);
}

static void eval_return(Lowerer *lw, const Stmt *s) {
    Frame *frame = lw->frame;
    Value v = s->value ? eval_expr(lw, s->value) : value_none();
    if (frame->yields) {
        misplaced(lw, s, "return");
        return;
    }
    frame->returned = true;
    frame->result = v;
    frame->result_span = s->value ? s->value->span : s->span;
}

static void eval_yield(Lowerer *lw, const Stmt *s) {
    Frame *frame = lw->frame;
    if (!frame->yields) {
        misplaced(lw, s, "yield");
        return;
    }
    Value v = eval_expr(lw, s->value);
    if (frame->yields->items.count) {
        lower_error(lw, NN_SCAN_BODY, s->span, "a scan body yields once");
        return;
    }
    vector_push(lw->arena, &frame->yields->items, v);
}

/* `p -= lr * g` with a parameter p updates it, as in torch; other tensors are rebound. */
static bool update_parameter(Lowerer *lw, const Value *now, const Value *value, Span span) {
    if (now->kind != VALUE_CELL || now->detached || !lw->entry) return false;
    CellState *c = cell_resolve(now->as.cell);
    if (c->cell->role != CELL_PARAMETER) return false;
    if (value->kind == VALUE_ERROR) return true;
    if (!lw->graph->no_grad) {
        Diagnostic *d =
            lower_error(lw, NN_MEMBER, span, "a parameter is updated where derivatives are taken");
        diagnostic_help(d, "write `no_grad { ... }` around the update");
        return true;
    }
    Node *node = cell_convert(lw, c, value, "the new value of", span);
    if (node) cell_write(lw, c, node, span);
    return true;
}

static void eval_augmented(Lowerer *lw, const Stmt *s) {
    const Expr *target = s->targets.items[0];
    Value now = eval_expr(lw, target);
    Value by = eval_expr(lw, s->value);
    Value v = eval_binary(lw, s->op, &now, &by, s->span);
    if (update_parameter(lw, &now, &v, s->span)) return;
    eval_assign(lw, target, v, s->span);
    tell_statement(lw, s, target);
}

static void eval_definition(Lowerer *lw, const Stmt *s) {
    if (s->function->is_vjp) {
        Value *of = scope_find(lw->frame->scope, s->function->name);
        if (!of || of->kind != VALUE_FUNCTION || of->as.closure->vjp) return;
        Closure *closure = arena_copy(lw->arena, of->as.closure, sizeof *closure);
        closure->vjp = s->function;
        of->as.closure = closure;
        return;
    }
    Frame *frame = lw->frame;
    Value *now = frame->declares ? scope_find(frame->scope, s->function->name) : NULL;
    if (now && now->kind == VALUE_FUNCTION && now->as.closure->function == s->function) return;
    Instance *self = frame->declares ? lw->instance : NULL;
    Value v = definition_value(lw, NULL, s, frame->home, frame->scope, self);
    scope_bind(lw, frame->scope, s->function->name, v, s->function->name_span);
}

static void eval_stmt(Lowerer *lw, const Stmt *s) {
    bool truth;
    Value v;
    switch (s->kind) {
    case STMT_EXPR: eval_expr(lw, s->value); return;
    case STMT_ASSIGN:
        v = eval_expr(lw, s->value);
        for (int i = 0; i < s->targets.count; i++) {
            eval_assign(lw, s->targets.items[i], v, s->value->span);
            tell_statement(lw, s, s->targets.items[i]);
        }
        return;
    case STMT_AUGMENTED: eval_augmented(lw, s); return;
    case STMT_RETURN: eval_return(lw, s); return;
    case STMT_YIELD: eval_yield(lw, s); return;
    case STMT_IF:
        v = eval_expr(lw, s->value);
        if (!eval_truth(lw, &v, s->value->span, &truth))
            poison_blocks(lw, s);
        else if (truth)
            eval_block(lw, &s->body);
        else
            eval_block(lw, &s->otherwise);
        return;
    case STMT_FOR: eval_for(lw, s); return;
    case STMT_SCAN: eval_scan(lw, s); return;
    case STMT_NO_GRAD: eval_no_grad(lw, s); return;
    case STMT_ASSERT: eval_assert(lw, s); return;
    case STMT_PASS: return;
    case STMT_BREAK: lw->frame->breaking = true; return;
    case STMT_CONTINUE: lw->frame->continuing = true; return;
    case STMT_DECLARE:
        if (lw->frame->declares)
            module_declare(lw, lw->instance, s);
        else
            misplaced(lw, s,
                      s->declare == DECLARE_PARAM    ? "param"
                      : s->declare == DECLARE_BUFFER ? "buffer"
                                                     : "state");
        return;
    case STMT_FUNCTION: eval_definition(lw, s); return;
    case STMT_MODULE:
    case STMT_OPTIMIZER:
    case STMT_TRAIN:
    case STMT_EXPORT:
    case STMT_IMPORT:
    case STMT_FROM: misplaced(lw, s, "a definition of the file"); return;
    case STMT_ERROR: return;
    }
}

void eval_block(Lowerer *lw, const StmtList *body) {
    Frame *frame = lw->frame;
    for (int i = 0; i < body->count; i++) {
        if (frame->returned || frame->breaking || frame->continuing) return;
        if (lower_step(lw, body->items[i]->span)) eval_stmt(lw, body->items[i]);
        if (lw->halted) {
            frame->returned = true;
            frame->result = value_error();
        }
    }
}

/* ---- text with {expressions} ---- */

/* The expression between braces, parsed as the right side of an assignment. */
static Value interpolated(Lowerer *lw, const char *text, size_t length, Span span) {
    char *line = arena_printf(lw->arena, "_ = %.*s\n", (int)length, text);
    SourceFile *source = source_new(lw->arena, "<text>", line, strlen(line));
    source->is_prelude = true; /* mistakes are reported at the text */
    DiagnosticSink *sink = diagnostics_new(lw->arena);
    const SourceUnit *unit = syntax_parse(lw->arena, source, sink);
    if (diagnostics_errors(sink) || unit->top.count != 1 ||
        unit->top.items[0]->kind != STMT_ASSIGN) {
        lower_error(lw, NN_ASSERTION, span, "{%.*s} is not an expression; write {{ for a brace",
                    (int)length, text);
        return value_error();
    }
    Frame frame = *lw->frame;
    frame.caller = lw->frame;
    frame.call_span = span;
    frame.interpolates = false;
    Frame *saved = lw->frame;
    lw->frame = &frame;
    Value v = eval_expr(lw, unit->top.items[0]->value);
    lw->frame = saved;
    return v;
}

const char *eval_interpolate(Lowerer *lw, const char *text, Span span) {
    Text out = text_new(lw->arena);
    for (const char *c = text; *c; c++) {
        const char *end = strchr(c, '}');
        if ((c[0] == '{' && c[1] == '{') || (c[0] == '}' && c[1] == '}')) {
            text_char(&out, *c++);
        } else if (c[0] == '{' && end && end > c + 1) {
            size_t length = (size_t)(end - c - 1);
            bool repr = length > 2 && !memcmp(end - 2, "!r", 2);
            Value v = interpolated(lw, c + 1, repr ? length - 2 : length, span);
            value_print(&out, &v, repr);
            c = end;
        } else {
            text_char(&out, *c);
        }
    }
    return out.data;
}
