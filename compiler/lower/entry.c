/* Exports and train blocks to a Program: roots, their entries, symbols, checks, results.
 *
 * An entry is executed with self.training as its use of derivatives demands: if that shows only
 * while it runs, it runs again.  Invariant: cells keep their identity over the entries of a root,
 * nodes do not. */
#include "lower/internal.h"

#include <fnmatch.h>
#include <string.h>

/* ---- checks and dims ---- */

void entry_add_dim_check(Lowerer *lw, char relation, const Dim *left, const Dim *right,
                         const char *message, Span span) {
    Entry *entry = lw->entry;
    for (int i = 0; i < entry->checks.count; i++) {
        const Check *c = &entry->checks.data[i];
        if (c->kind == CHECK_DIM && c->relation == relation && c->left == left && c->right == right)
            return;
    }
    Check check = {.kind = CHECK_DIM,
                   .relation = relation,
                   .left = left,
                   .right = right,
                   .span = lower_blame(lw, span)};
    check.message = lw->check_text ? arena_printf(lw->arena, "%s (%s)", lw->check_text, message)
                                   : arena_strdup(lw->arena, message);
    vector_push(lw->arena, &entry->checks, check);
}

void entry_collect_dims(Lowerer *lw, Entry *entry) {
    const Scope *scopes[2] = {lw->frame->dims, lw->state_dims};
    for (int s = 0; s < 2; s++) {
        for (int i = 0; scopes[s] && i < scopes[s]->bindings.count; i++) {
            const Value *v = &scopes[s]->bindings.data[i].value;
            bool known = v->kind != VALUE_DIM || !dim_as_symbol(v->as.dim);
            for (int k = 0; !known && k < entry->dims.count; k++)
                known = entry->dims.data[k] == v->as.dim;
            if (!known) vector_push(lw->arena, &entry->dims, v->as.dim);
        }
    }
}

/* ---- results ---- */

static void add_result(Lowerer *lw, Entry *entry, const char *name, Value v, Span span) {
    if (value_is_list(&v)) {
        for (int i = 0; i < v.as.list->items.count; i++)
            add_result(lw, entry, arena_printf(lw->arena, "%s%d", name, i),
                       v.as.list->items.data[i], span);
        return;
    }
    bool number =
        v.kind == VALUE_INT || v.kind == VALUE_FLOAT || v.kind == VALUE_BOOL || v.kind == VALUE_DIM;
    lower_mark(lw, span);
    Node *node = number ? tensor_of(lw, &v, NULL, span) : value_node(lw, &v, span);
    if (!node) return;
    Result result = {name_of(name), node, NULL};
    vector_push(lw->arena, &entry->results, result);
}

static void add_results(Lowerer *lw, Entry *entry, const Function *f, Value result, Span span) {
    if (result.kind == VALUE_ERROR || result.kind == VALUE_NONE) return;
    bool several = value_is_list(&result) && f->result_count != 1;
    int count = several ? result.as.list->items.count : 1;
    for (int i = 0; i < count; i++) {
        const char *name =
            i < f->result_count && f->results[i].name ? f->results[i].name->text : NULL;
        if (!name) name = count == 1 ? "output" : arena_printf(lw->arena, "output%d", i);
        add_result(lw, entry, name, several ? result.as.list->items.data[i] : result, span);
    }
}

/* ---- outputs of modules (nnc run --dump) ---- */

static bool is_dumped(const Lowerer *lw, const char *path) {
    for (const char *const *pattern = lw->options->dumps; *pattern; pattern++)
        if (fnmatch(*pattern, path, 0) == 0) return true;
    return false;
}

/* Later calls of one module are path@2, path@3; parts of a tuple path-0, path-1. */
static void dump_value(Lowerer *lw, const char *path, const Value *v, Span span) {
    if (value_is_list(v)) {
        for (int i = 0; i < v->as.list->items.count; i++)
            dump_value(lw, arena_printf(lw->arena, "%s-%d", path, i), &v->as.list->items.data[i],
                       span);
        return;
    }
    if (!value_is_tensor(v)) return;
    Node *node = value_node(lw, v, span);
    if (!node) return;
    Result result = {name_of(arena_printf(lw->arena, "dumped_%d", lw->dumped.count)), node, path};
    vector_push(lw->arena, &lw->dumped, result);
}

/* Behind the entry's own results; where one of these has the module's path as its name, path@1. */
static void add_dumped(Lowerer *lw, Entry *entry) {
    int own = entry->results.count;
    for (int i = 0; i < lw->dumped.count; i++) {
        Result result = lw->dumped.data[i];
        bool taken = false;
        for (int k = 0; k < own; k++)
            taken = taken || !strcmp(entry->results.data[k].name->text, result.path);
        if (taken) result.path = arena_printf(lw->arena, "%s@1", result.path);
        vector_push(lw->arena, &entry->results, result);
    }
}

void entry_dump_output(Lowerer *lw, const Instance *module, const Value *value, Span span) {
    bool inside =
        lw->region || !lw->entry || lw->graph != lw->entry->graph; /* not a value of the entry */
    if (inside || !module->path || !module->path[0]) return;
    int times = 1;
    for (int i = 0; i < lw->entry->modules.count; i++)
        times += !strcmp(lw->entry->modules.data[i], module->path);
    vector_push(lw->arena, &lw->entry->modules, module->path);
    if (!is_dumped(lw, module->path)) return;
    const char *path =
        times == 1 ? module->path : arena_printf(lw->arena, "%s@%d", module->path, times);
    dump_value(lw, path, value, span);
}

/* ---- one entry ---- */

/* What an entry is made of: a bound function, or an instance whose forward it is. */
typedef struct Source {
    Value callee; /* FUNCTION, or INSTANCE */
    const Closure *closure;
    Name name;
    const char *symbol, *doc;
    Span span;
} Source;

static int self_count(const Closure *c) {
    return c->self && c->function->param_count &&
           !strcmp(c->function->params[0].name->text, "self");
}

static Entry *execute(Lowerer *lw, const Source *source, bool training, bool *failed) {
    const Closure *closure = source->closure;
    const Function *f = closure->function;
    Entry *entry = NEW(lw->arena, Entry);
    *entry = (Entry){.kind = ENTRY_INFER,
                     .name = source->name,
                     .symbol = source->symbol,
                     .doc = source->doc,
                     .span = source->span};
    entry->graph = lower_graph_new(lw);
    lw->entry = entry;
    lw->graph = entry->graph;
    lw->training = training;
    lw->trains = false;
    lw->dumped.count = 0;
    cells_begin_entry(lw);
    Frame frame = {.caller = lw->frame,
                   .closure = closure,
                   .home = closure->home,
                   .scope = closure->self ? closure->self->body_scope : scope_new(lw, NULL),
                   .call_span = f->name_span};
    Instance *outer = lw->instance;
    lw->frame = &frame;
    lw->instance = closure->self;
    int skip = self_count(closure);
    Value *values = NEW_ARRAY(lw->arena, (size_t)f->param_count + 1, Value);
    if (signature_entry(lw, f, skip, entry, values)) {
        entry_collect_dims(lw, entry);
        int count = entry->arguments.count;
        Name *keywords = NEW_ARRAY(lw->arena, (size_t)count + 1, Name);
        Span *spans = NEW_ARRAY(lw->arena, (size_t)count + 1, Span);
        for (int i = 0; i < count; i++) {
            keywords[i] = entry->arguments.data[i].name;
            spans[i] = entry->arguments.data[i].span;
        }
        CallArguments arguments = {count, values, keywords, spans};
        Value result = eval_call(lw, &source->callee, &arguments, f->name_span);
        add_results(lw, entry, f, result, f->name_span);
        add_dumped(lw, entry);
        *failed = result.kind == VALUE_ERROR;
        lw->lost = lw->lost || *failed;
    }
    cells_end_entry(lw, entry);
    entry->kind = lw->trains ? ENTRY_TRAIN : ENTRY_INFER;
    lw->frame = frame.caller;
    lw->instance = outer;
    lw->entry = NULL;
    lw->nodes_before += lw->graph->nodes.count;
    lw->graph = NULL;
    lw->training = false;
    return entry;
}

static bool names_backward(const Expr *e) {
    if (!e) return false;
    if (e->kind == EXPR_ATTRIBUTE && !strcmp(e->name->text, "backward")) return true;
    for (int i = 0; i < e->items.count; i++)
        if (names_backward(e->items.items[i])) return true;
    return names_backward(e->left) || names_backward(e->right) || names_backward(e->third);
}

static bool block_names_backward(const StmtList *list) {
    for (int i = 0; i < list->count; i++) {
        const Stmt *s = list->items[i];
        if (names_backward(s->value) || block_names_backward(&s->body) ||
            block_names_backward(&s->otherwise))
            return true;
    }
    return false;
}

static bool lower_entry(Lowerer *lw, Root *root, const Source *source) {
    if (lw->halted) return false;
    int before = diagnostics_errors(lw->sink);
    bool failed = true, training = block_names_backward(&source->closure->function->body);
    Entry *entry = execute(lw, source, training, &failed);
    if ((entry->kind == ENTRY_TRAIN) != training && !lw->halted)
        entry = execute(lw, source, !training, &failed);
    if (failed || diagnostics_errors(lw->sink) > before) return false;
    if (entry->results.count == 0 && !root->is_train) {
        lower_error(lw, NN_RETURNS_NOTHING, source->closure->function->name_span,
                    "the entry `%s` returns no tensor", source->name->text);
        return false;
    }
    vector_push(lw->arena, &root->entries, entry);
    return true;
}

/* ---- types of exported signatures ---- */

static bool check_typed(Lowerer *lw, const Closure *closure, Span span) {
    const Function *f = closure->function;
    if (signature_is_typed(f, self_count(closure), true) && f->has_results) return true;
    for (int i = self_count(closure); i < f->param_count; i++) {
        const Param *p = &f->params[i];
        if (signature_is_typed(&(Function){.params = p, .param_count = 1}, 0, true)) continue;
        Diagnostic *d =
            lower_error(lw, NN_EXPORT_TYPES, p->span,
                        p->type ? "`%s` of an exported function must be a tensor or a scalar"
                                : "`%s` of an exported function needs a type",
                        p->name->text);
        if (span.file) diagnostic_label(d, span, "exported here");
        diagnostic_help(d, "write, for instance, `%s: f32[N, 10]`", p->name->text);
        return false;
    }
    Diagnostic *d = lower_error(lw, NN_EXPORT_TYPES, f->name_span,
                                "the result of an exported function needs a type");
    if (span.file) diagnostic_label(d, span, "exported here");
    diagnostic_help(d, "write, for instance, `def %s(...) -> f32[N, 10]`", f->name->text);
    return false;
}

/* ---- roots ---- */

static Root *root_begin(Lowerer *lw, Name name, bool is_train, const char *doc, Span span) {
    Root *root = NEW(lw->arena, Root);
    *root = (Root){.name = name, .is_train = is_train, .doc = doc, .span = span};
    lw->root = root;
    return root;
}

static void root_finish(Lowerer *lw, Root *root, int errors_before) {
    cells_finish_root(lw, root);
    if (diagnostics_errors(lw->sink) == errors_before) cells_build_init(lw, root);
    if (lw->root_instance) {
        if (!lw->options->no_views) module_build_view(lw, lw->root_instance);
        root->instance = lw->root_instance;
    }
    vector_push(lw->arena, &lw->program->roots, root);
    lw->root = NULL;
    lw->root_instance = NULL;
}

static void adopt_instance(Lowerer *lw, Root *root, Instance *instance) {
    lw->root_instance = instance;
    module_set_path(lw, instance, "", NULL);
    cells_register_root(lw, root, instance);
    lw->members_known = true;
}

static void export_error(Lowerer *lw, const Value *v, Span span) {
    if (v->kind == VALUE_ERROR) return;
    Diagnostic *d =
        lower_error(lw, NN_EXPORT_VALUE, span, "%s cannot be exported", value_kind_name(v));
    if (v->kind == VALUE_CLASS)
        diagnostic_help(d, "make an instance: `%s(...)`", v->as.class_->name->text);
}

static void lower_inference(Lowerer *lw, Value v, Name name, const char *doc, Span span,
                            bool entry_optional) {
    int before = diagnostics_errors(lw->sink);
    Root *root = root_begin(lw, name, false, doc, span);
    Source source = {.callee = v, .name = name, .symbol = name->text, .doc = doc, .span = span};
    if (v.kind == VALUE_INSTANCE && v.as.instance->class_->kind == CLASS_KIND_MODULE) {
        if (v.as.instance->rooted) {
            lower_error(lw, NN_EXPORT_VALUE, span, "this instance is exported already");
            return;
        }
        adopt_instance(lw, root, v.as.instance);
        const Value *forward = instance_method(v.as.instance, "forward");
        if (forward) source.closure = forward->as.closure;
        if (!forward && !entry_optional) {
            lower_error(lw, NN_NO_FORWARD, span, "%s has no `forward` and cannot be an entry",
                        v.as.instance->class_->name->text);
            return;
        }
    } else if (v.kind == VALUE_FUNCTION && !v.receiver && !v.as.closure->partial) {
        source.closure = v.as.closure;
        lw->members_known = true; /* of a function alone: it has none */
        if (source.closure->self) adopt_instance(lw, root, source.closure->self);
    } else {
        export_error(lw, &v, span);
        return;
    }
    bool typed = source.closure &&
                 signature_is_typed(source.closure->function, self_count(source.closure), true);
    if (typed && (entry_optional || check_typed(lw, source.closure, span)))
        lower_entry(lw, root, &source);
    else if (!entry_optional)
        check_typed(lw, source.closure, span);
    root_finish(lw, root, before);
}

static void lower_export(Lowerer *lw, const Stmt *s) {
    lw->state_dims = scope_new(lw, NULL);
    Value v = eval_expr(lw, s->value);
    if (v.kind == VALUE_ERROR) return;
    Name name = s->name;
    if (!name && s->value->kind == EXPR_CALL && s->value->left->kind == EXPR_NAME)
        name = s->value->left->name;
    if (!name && s->value->kind == EXPR_NAME) name = s->value->name;
    if (!name) {
        lower_error(lw, NN_EXPORT_VALUE, s->span, "the export needs a name: `export ... as name`");
        return;
    }
    lower_inference(lw, v, name, s->doc, s->value->span, false);
}

/* ---- train blocks ---- */

/* A def with typed arguments, or without any but with a stated result. */
static bool is_entry(const Function *f, int skip) {
    return (f->param_count > skip || f->has_results) && signature_is_typed(f, skip, false);
}

static void lower_train(Lowerer *lw, const Stmt *s) {
    int before = diagnostics_errors(lw->sink);
    lw->state_dims = scope_new(lw, NULL);
    const Value *class_ = namespace_find(lw, lw->main_file, s->name);
    if (!class_ || class_->kind != VALUE_CLASS) return;
    Root *root = root_begin(lw, s->name, true, s->doc, s->name_span);
    CallArguments none = {0, NULL, NULL, NULL};
    Instance *self = instance_begin(lw, class_->as.class_, &none, s->name_span);
    if (!self) return;
    self->rooted = true;
    self->path = "";
    lw->root_instance = self;
    instance_run_body(lw, self, &s->body, s->name_span);
    if (self->failed) return;
    lw->members_known = diagnostics_errors(lw->sink) == before;
    if (lw->members_known) cells_register_root(lw, root, self);
    for (int i = 0; i < s->body.count; i++) {
        const Stmt *def = s->body.items[i];
        if (def->kind != STMT_FUNCTION || def->function->is_vjp) continue;
        const Value *method = instance_method(self, def->function->name->text);
        if (!method || method->as.closure->function != def->function) continue;
        int skip = self_count(method->as.closure);
        if (!is_entry(def->function, skip)) continue;
        Source source = {
            .callee = *method,
            .closure = method->as.closure,
            .name = def->function->name,
            .symbol = arena_printf(lw->arena, "%s_%s", s->name->text, def->function->name->text),
            .doc = def->function->doc,
            .span = def->function->name_span};
        lower_entry(lw, root, &source);
    }
    root_finish(lw, root, before);
}

/* ---- symbols ---- */

/* What the generated interface of a root defines besides its entries. */
static bool is_generated(const Root *root, const char *symbol) {
    static const char *const words[] = {
        "prepare",     "model",          "info",           "get", "set", "weights_bytes",
        "state_bytes", "prepared_bytes", "workspace_bytes"};
    size_t length = root->name->length;
    if (strncmp(symbol, root->name->text, length) || symbol[length] != '_') return false;
    symbol += length + 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(symbol, words[i])) return true;
    /* The interface for a GPU, which may be linked beside the one for processors. */
    return !strcmp(symbol, "cuda") || !strncmp(symbol, "cuda_", 5);
}

static void check_symbols(Lowerer *lw) {
    VECTOR(const Entry *) seen = {0};
    for (int r = 0; r < lw->program->roots.count; r++) {
        const Root *root = lw->program->roots.data[r];
        for (int e = 0; e < root->entries.count; e++) {
            const Entry *entry = root->entries.data[e];
            for (int k = 0; k < lw->program->roots.count; k++) {
                if (!is_generated(lw->program->roots.data[k], entry->symbol)) continue;
                Diagnostic *d =
                    lower_error(lw, NN_SYMBOL_CLASH, entry->span,
                                "`%s` is a function of the generated interface", entry->symbol);
                diagnostic_help(d, "give the entry another name");
                return;
            }
            for (int i = 0; i < seen.count; i++) {
                if (strcmp(seen.data[i]->symbol, entry->symbol)) continue;
                Diagnostic *d = lower_error(lw, NN_SYMBOL_CLASH, entry->span,
                                            "two entries would be `%s` in C", entry->symbol);
                diagnostic_label(d, seen.data[i]->span, "the other one");
                diagnostic_help(d, "rename one of them");
                return;
            }
            vector_push(lw->arena, &seen, entry);
        }
    }
}

/* ---- what to lower ---- */

static Name file_stem(const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path,
               *dot = strrchr(base, '.');
    size_t length = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    return name_of_n(base, length);
}

static Name c_name(Lowerer *lw, Name name) {
    char *text = arena_strdup(lw->arena, name->text);
    for (char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '_';
    return name_of(text[0] >= '0' && text[0] <= '9' ? arena_printf(lw->arena, "_%s", text) : text);
}

static void lower_class(Lowerer *lw, const Stmt *s, Name name, bool entry_optional) {
    const Value *class_ = namespace_find(lw, lw->main_file, s->name);
    lw->state_dims = scope_new(lw, NULL);
    Value v = class_ ? eval_call_values(lw, class_, NULL, 0, s->name_span) : value_error();
    if (v.kind != VALUE_ERROR) lower_inference(lw, v, name, s->doc, s->name_span, entry_optional);
}

static bool train_has_def(const Stmt *train, const char *name) {
    for (int i = 0; i < train->body.count; i++) {
        const Stmt *s = train->body.items[i];
        if (s->kind == STMT_FUNCTION && !strcmp(s->function->name->text, name)) return true;
    }
    return false;
}

static bool wanted(const Stmt *s, const char *only) {
    if (!only) return true;
    if (s->name && !strcmp(s->name->text, only)) return true;
    if (s->kind == STMT_EXPORT && !s->name && s->value->kind == EXPR_CALL &&
        s->value->left->kind == EXPR_NAME)
        return !strcmp(s->value->left->name->text, only);
    if (s->kind != STMT_TRAIN) return false;
    size_t length = s->name->length;
    if (!strncmp(only, s->name->text, length) && only[length] == '.')
        return train_has_def(s, only + length + 1);
    return train_has_def(s, only);
}

static void unknown_entry(Lowerer *lw, const StmtList *top, Span span) {
    const char *only = lw->options->only;
    Diagnostic *d =
        lower_error(lw, NN_ENTRY_NAME, span, "the file has no entry or module `%s`", only);
    Suggestion s = {only, NULL, 0};
    for (int i = 0; i < top->count; i++)
        if (top->items[i]->name) suggestion_add(&s, top->items[i]->name->text);
    suggestion_tell(&s, d);
}

static void lower_file(Lowerer *lw, const SourceUnit *unit) {
    const char *only = lw->options->only;
    const StmtList *top = &unit->top;
    Span start = {unit->file, 0, 0};
    const Stmt *last = NULL, *chosen = NULL;
    int entries = 0, lowered = 0;
    for (int i = 0; i < top->count; i++) {
        const Stmt *s = top->items[i];
        if (s->kind == STMT_MODULE) last = s;
        if (s->kind == STMT_MODULE && only && !strcmp(s->name->text, only)) chosen = s;
        if (s->kind != STMT_EXPORT && s->kind != STMT_TRAIN) continue;
        entries++;
        if (!wanted(s, only)) continue;
        lowered++;
        if (s->kind == STMT_EXPORT)
            lower_export(lw, s);
        else
            lower_train(lw, s);
    }
    if (lowered) return;
    if (chosen) {
        lower_class(lw, chosen, chosen->name, lw->options->instantiate_only);
    } else if (only) {
        unknown_entry(lw, top, start);
    } else if (!entries && last) {
        lower_class(lw, last, c_name(lw, file_stem(unit->file->path)),
                    lw->options->instantiate_only);
    } else if (!entries) {
        lower_error(lw, NN_NO_ENTRY, start, "the file has no export, no train block and no module");
    }
}

enum { STEP_LIMIT = 50 * 1000 * 1000, DEPTH_LIMIT = 2500 };

Program *lower_program(Arena *arena, const SourceUnit *unit, const LowerOptions *options,
                       DiagnosticSink *sink) {
    int before = diagnostics_errors(sink);
    Lowerer *lw = NEW(arena, Lowerer);
    LowerOptions *own = arena_copy(arena, options, sizeof *options);
    if (own->default_dtype != DTYPE_F64) own->default_dtype = DTYPE_F32;
    lw->arena = arena;
    lw->bytes_before = arena_bytes(arena);
    lw->dims = dim_table_new(arena);
    lw->sink = sink;
    lw->options = own;
    lw->step_limit = options->step_limit > 0 ? options->step_limit : STEP_LIMIT;
    lw->depth_limit = DEPTH_LIMIT;
    lw->program = NEW(arena, Program);
    *lw->program = (Program){.arena = arena, .dims = lw->dims, .source_path = unit->file->path};
    library_begin(lw, unit);
    Frame frame = {.home = lw->main_file, .scope = lw->main_file->scope};
    lw->frame = &frame;
    lower_file(lw, unit);
    if (diagnostics_errors(sink) == before) check_symbols(lw);
    return diagnostics_errors(sink) > before || lw->lost ? NULL : lw->program;
}
