/* Files and namespaces: the library's parsed on demand, imports, and what a bare name means.
 *
 * A user's file fills its namespace with all its definitions; definitions are cheap (a class or
 * closure is a pointer), only top-level constants are evaluated.  The library has definitions only,
 * and each is parsed when its name is first asked for, found by the index that the build made.
 * Names resolve to the file, then Python's builtins, then the tensor functions, namespaces and
 * dtypes. */
#include "lower/internal.h"

#include "base/embedded.h"
#include "base/file.h"
#include "syntax/parse.h"

#include <math.h>
#include <string.h>

enum { IMPORT_LIMIT = 16 << 20 };

const LibrarySpace library_spaces[] = {{"nn", "nn", "torch"},
                                       {"F", "functional", "nn"},
                                       {"torch", "tensor", NULL},
                                       {"init", "init", "nn"},
                                       {"optim", "optim", "torch"},
                                       {"lr_scheduler", "lr_scheduler", "optim"},
                                       {"swa_utils", "swa_utils", "optim"},
                                       {"special", "special", "torch"},
                                       {"linalg", "linalg", "torch"},
                                       {"autograd", "autograd", "torch"},
                                       {NULL, NULL, NULL}};
enum { SPACE_COUNT = sizeof library_spaces / sizeof *library_spaces - 1 };

/* ---- definitions ---- */

static const Function *find_vjp(const StmtList *list, Name name) {
    for (int i = 0; list && list->has_vjp && i < list->count; i++) {
        const Stmt *s = list->items[i];
        if (s->kind == STMT_FUNCTION && s->function->is_vjp && s->function->name == name)
            return s->function;
    }
    return NULL;
}

Value definition_value(Lowerer *lw, const StmtList *list, const Stmt *s, Namespace *home,
                       Scope *captured, Instance *self) {
    if (s->kind == STMT_FUNCTION) {
        Closure *c = NEW(lw->arena, Closure);
        *c = (Closure){.function = s->function,
                       .home = home,
                       .captured = captured,
                       .self = self,
                       .vjp = find_vjp(list, s->function->name)};
        return (Value){.kind = VALUE_FUNCTION, .as.closure = c};
    }
    ModuleClass *class_ = NEW(lw->arena, ModuleClass);
    *class_ = (ModuleClass){.kind = s->kind == STMT_MODULE      ? CLASS_KIND_MODULE
                                    : s->kind == STMT_OPTIMIZER ? CLASS_KIND_OPTIMIZER
                                                                : CLASS_KIND_TRAIN,
                            .declaration = s,
                            .home = home,
                            .name = s->name};
    return (Value){.kind = VALUE_CLASS, .as.class_ = class_};
}

static Namespace *load_import(Lowerer *lw, Namespace *from, const Stmt *s);

static void define_import(Lowerer *lw, Namespace *home, const Stmt *s) {
    Namespace *file = load_import(lw, home, s);
    Value error = value_error();
    if (s->kind == STMT_IMPORT) {
        Value v = file ? (Value){.kind = VALUE_NAMESPACE, .as.namespace_ = file} : error;
        Name name = s->name;
        if (!name) {
            const char *slash = strrchr(s->path, '/'), *base = slash ? slash + 1 : s->path;
            const char *dot = strrchr(base, '.');
            name = name_of_n(base, dot ? (size_t)(dot - base) : strlen(base));
        }
        scope_bind(lw, home->scope, name, v, s->span);
        return;
    }
    for (int i = 0; i < s->import_count; i++) {
        const ImportName *import = &s->imports[i];
        const Value *v = file ? namespace_find(lw, file, import->name) : &error;
        if (!v) {
            Diagnostic *d = lower_error(lw, NN_IMPORT_NAME, import->span,
                                        "%s has no definition `%s`", s->path, import->name->text);
            Suggestion suggestion = {import->name->text, NULL, 0};
            for (int k = 0; k < file->scope->bindings.count; k++)
                suggestion_add(&suggestion, file->scope->bindings.data[k].name->text);
            suggestion_tell(&suggestion, d);
            v = &error;
        }
        scope_bind(lw, home->scope, import->alias ? import->alias : import->name, *v, import->span);
    }
}

static void fill(Lowerer *lw, Namespace *space) {
    const StmtList *top = &space->unit->top;
    for (int i = 0; i < top->count; i++) {
        const Stmt *s = top->items[i];
        if (s->kind == STMT_IMPORT || s->kind == STMT_FROM) {
            define_import(lw, space, s);
        } else if (s->kind == STMT_FUNCTION && !s->function->is_vjp) {
            Value v = definition_value(lw, top, s, space, NULL, NULL);
            scope_bind(lw, space->scope, s->function->name, v, s->function->name_span);
        } else if (s->kind == STMT_MODULE || s->kind == STMT_OPTIMIZER || s->kind == STMT_TRAIN) {
            scope_bind(lw, space->scope, s->name, definition_value(lw, top, s, space, NULL, NULL),
                       s->name_span);
        }
    }
    /* Constants, in order: they may use everything above. */
    Frame frame = {.caller = lw->frame, .home = space, .scope = space->scope};
    Frame *saved = lw->frame;
    lw->frame = &frame;
    for (int i = 0; i < top->count; i++) {
        Stmt *one = top->items[i];
        if (one->kind != STMT_ASSIGN && one->kind != STMT_ASSERT) continue;
        StmtList list = {.items = &one, .count = 1, .span = one->span};
        eval_block(lw, &list);
    }
    lw->frame = saved;
}

static Namespace *space_new(Lowerer *lw, const char *name, const SourceUnit *unit,
                            bool is_prelude) {
    Namespace *space = NEW(lw->arena, Namespace);
    space->name = name_of(name);
    space->unit = unit;
    space->scope = scope_new(lw, NULL);
    space->is_prelude = is_prelude;
    return space;
}

void library_begin(Lowerer *lw, const SourceUnit *unit) {
    lw->main_file = space_new(lw, unit->file->path, unit, false);
    vector_push(lw->arena, &lw->files, lw->main_file);
    fill(lw, lw->main_file);
}

/* ---- the library ---- */

/* Row `file` of the library's files, read once. */
static const SourceFile *library_source(Lowerer *lw, int file) {
    if (!lw->library_sources)
        lw->library_sources = NEW_ARRAY(lw->arena, (size_t)prelude_file_count, SourceFile *);
    SourceFile **source = &lw->library_sources[file];
    if (!*source) {
        const EmbeddedFile *f = &prelude_files[file];
        const char *path = arena_printf(lw->arena, "<prelude>/%s", f->name);
        *source = source_of(lw->arena, path, f->text, f->length);
        (*source)->is_prelude = true;
    }
    return *source;
}

static const char *space_folder(const char *name) {
    for (int i = 0; i < SPACE_COUNT; i++)
        if (!strcmp(library_spaces[i].name, name)) return library_spaces[i].folder;
    return NULL;
}

/* The first part of a folder that is not before this name. */
static int part_position(const char *folder, const char *name) {
    int low = 0, high = prelude_part_count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const EmbeddedPart *p = &prelude_parts[middle];
        int order = strcmp(p->space, folder);
        if (!order) order = strcmp(p->name, name);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Parses the definition and its vjp. */
static Value *define_part(Lowerer *lw, Namespace *space, Name name) {
    StmtList *list = NEW(lw->arena, StmtList);
    list->items = NEW_ARRAY(lw->arena, 2, Stmt *);
    for (int i = part_position(space->folder, name->text);
         i < prelude_part_count && list->count < 2; i++) {
        const EmbeddedPart *p = &prelude_parts[i];
        if (strcmp(p->space, space->folder) || strcmp(p->name, name->text)) break;
        const SourceUnit *unit =
            syntax_parse_part(lw->arena, library_source(lw, p->file), p->begin, p->end, lw->sink);
        if (unit->top.count != 1) continue;
        list->items[list->count++] = unit->top.items[0];
        list->has_vjp = list->has_vjp || unit->top.has_vjp;
    }
    if (!list->count) return NULL;
    const Stmt *s = list->items[0];
    if (s->kind == STMT_FUNCTION && s->function->is_vjp) return NULL;
    Span span = s->kind == STMT_FUNCTION ? s->function->name_span : s->name_span;
    return scope_bind(lw, space->scope, name, definition_value(lw, list, s, space, NULL, NULL),
                      span);
}

static Namespace **space_slot(Lowerer *lw, const char *name) {
    if (!strcmp(name, "nn")) return &lw->nn;
    if (!strcmp(name, "F")) return &lw->functional;
    if (!strcmp(name, "torch")) return &lw->torch;
    if (!strcmp(name, "init")) return &lw->init;
    if (!strcmp(name, "optim")) return &lw->optim;
    if (!strcmp(name, "lr_scheduler")) return &lw->lr_scheduler;
    if (!strcmp(name, "swa_utils")) return &lw->swa_utils;
    if (!strcmp(name, "special")) return &lw->special;
    if (!strcmp(name, "linalg")) return &lw->linalg;
    if (!strcmp(name, "autograd")) return &lw->autograd;
    if (!strcmp(name, "math")) return &lw->math;
    if (!strcmp(name, "prim")) return &lw->prim;
    return NULL;
}

static void fill_builtins(Lowerer *lw, Namespace *space, const Builtin *table) {
    for (const Builtin *b = table; b->name; b++)
        scope_bind(lw, space->scope, name_of(b->name),
                   (Value){.kind = VALUE_BUILTIN, .as.builtin = b}, (Span){0});
}

static void fill_math(Lowerer *lw, Namespace *space) {
    static const struct {
        const char *name;
        double value;
    } constants[] = {{"pi", 3.14159265358979323846},
                     {"e", 2.71828182845904523536},
                     {"tau", 6.28318530717958647692},
                     {"inf", INFINITY},
                     {"nan", NAN}};
    fill_builtins(lw, space, math_builtins);
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        scope_bind(lw, space->scope, name_of(constants[i].name), value_float(constants[i].value),
                   (Span){0});
}

Namespace *library_namespace(Lowerer *lw, const char *name) {
    Namespace **slot = space_slot(lw, name);
    if (!slot) return NULL;
    if (*slot) return *slot;
    if (!strcmp(name, "math") || !strcmp(name, "prim")) {
        *slot = space_new(lw, name, NULL, true);
        if (name[0] == 'm')
            fill_math(lw, *slot);
        else
            fill_builtins(lw, *slot, prim_builtins);
        return *slot;
    }
    *slot = space_new(lw, name, NULL, true);
    (*slot)->folder = space_folder(name);
    return *slot;
}

Value *namespace_find(Lowerer *lw, Namespace *home, Name name) {
    for (int i = 0; i < home->scope->bindings.count; i++)
        if (home->scope->bindings.data[i].name == name) return &home->scope->bindings.data[i].value;
    return home->folder ? define_part(lw, home, name) : NULL;
}

static bool dtype_word(const char *word, DType *out) {
    static const struct {
        const char *name;
        DType dtype;
    } names[] = {{"float32", DTYPE_F32},   {"float", DTYPE_F32},   {"float64", DTYPE_F64},
                 {"double", DTYPE_F64},    {"float16", DTYPE_F16}, {"half", DTYPE_F16},
                 {"bfloat16", DTYPE_BF16}, {"int8", DTYPE_I8},     {"int16", DTYPE_I16},
                 {"short", DTYPE_I16},     {"int32", DTYPE_I32},   {"int", DTYPE_I32},
                 {"int64", DTYPE_I64},     {"long", DTYPE_I64},    {"uint8", DTYPE_U8}};
    if (dtype_parse(word, out)) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, word)) continue;
        *out = names[i].dtype;
        return true;
    }
    return false;
}

static Value dtype_of_word(Lowerer *lw, DType dtype) {
    return value_dtype(dtype == DTYPE_F32 ? lw->options->default_dtype : dtype);
}

static Value space_value(Namespace *space) {
    return (Value){.kind = VALUE_NAMESPACE, .as.namespace_ = space};
}

static const Builtin parameter_class = {"Parameter", builtin_parameter};

/* torch.nn, nn.functional, nn.init, nn.utils, torch.optim, optim.lr_scheduler, torch.float32. */
static bool nested_space(Lowerer *lw, const Namespace *space, const char *word, Value *out) {
    const char *to = NULL;
    DType dtype;
    for (const LibrarySpace *s = library_spaces; s->name && !to; s++)
        if (s->inside && *space_slot(lw, s->inside) == space && !strcmp(word, s->folder))
            to = s->name;
    if (!to && space == lw->torch) {
        if (dtype_word(word, &dtype)) {
            *out = dtype_of_word(lw, dtype);
            return true;
        }
        Value *constant = namespace_find(lw, library_namespace(lw, "math"), name_of(word));
        if (constant && constant->kind == VALUE_FLOAT) {
            *out = *constant;
            return true;
        }
    } else if (!to && space == lw->nn) {
        if (!strcmp(word, parameter_class.name)) {
            *out = (Value){.kind = VALUE_BUILTIN, .as.builtin = &parameter_class};
            return true;
        }
        if (!strcmp(word, "utils")) to = "torch";
    }
    if (!to) return false;
    *out = space_value(library_namespace(lw, to));
    return true;
}

/* The names that a folder of the library defines, but for its own. */
static void visit_parts(const char *folder, const char *space, bool bare,
                        void (*visit)(void *user, const char *space, const char *name),
                        void *user) {
    for (int i = part_position(folder, ""); i < prelude_part_count; i++) {
        const EmbeddedPart *p = &prelude_parts[i];
        if (strcmp(p->space, folder)) break;
        if (p->is_vjp || p->name[0] == '_') continue;
        visit(user, space, p->name);
        if (bare) visit(user, "", p->name);
    }
}

static void suggest_name(void *user, const char *space, const char *name) {
    (void)space;
    suggestion_add(user, name);
}

/* torch.device("cuda"), torch.cuda.is_available(): what a Python program asks of a machine. */
static bool is_device_word(const char *word) {
    static const char *const words[] = {"device", "cuda", "mps", "backends"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) return true;
    return false;
}

/* Parts of torch that models use, that are not here, and that a few lines replace. */
static const char *instead_of(const char *word) {
    static const struct {
        const char *word, *instead;
    } absent[] = {
        {"rnn",
         "leave the batch padded: self.rnn(x) gives every step, out[torch.arange(N), lengths "
         "- 1] the last of each row, and a mask of torch.arange(T) < lengths[:, None] keeps "
         "the rest out of a loss; a scan with torch.where(mask, new, h) stops the state"},
        {"weight_norm", "keep g and v as parameters and use F.linear(x, self.g * self.v / "
                        "self.v.norm(dim=1, keepdim=True), self.bias), or F.conv2d, in forward"},
        {"spectral_norm", "keep the vector u as a buffer and, in forward, use F.linear(x, "
                          "self.weight / sigma), where v = F.normalize(self.weight.T @ self.u, "
                          "dim=0) and sigma = self.u @ self.weight @ v"},
        {"parametrizations", "compute the weight in forward from parameters of the module: for "
                             "weight_norm, F.linear(x, self.g * self.v / self.v.norm(dim=1, "
                             "keepdim=True), self.bias)"},
        {"parametrize", "compute the weight in forward from parameters of the module, and call "
                        "F.linear or F.conv2d with it"},
    };
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (!strcmp(word, absent[i].word)) return absent[i].instead;
    return NULL;
}

bool namespace_attribute(Lowerer *lw, Namespace *space, Name name, Span span, Value *out) {
    DType dtype;
    if (space == lw->torch &&
        dtype_word(name->text, &dtype)) { /* torch.bool is a dtype, x.bool() a function */
        *out = dtype_of_word(lw, dtype);
        return true;
    }
    const Value *found = namespace_find(lw, space, name);
    if (!found && nested_space(lw, space, name->text, out)) return true;
    if (!found && space == lw->functional)
        found = namespace_find(lw, library_namespace(lw, "torch"), name);
    if (!found && space == lw->torch) found = namespace_find(lw, library_namespace(lw, "F"), name);
    if (found) {
        *out = *found;
        return true;
    }
    if (space == lw->torch && is_device_word(name->text)) {
        Diagnostic *d =
            lower_error(lw, NN_PYTHON_CALL, span, "`torch.%s` has no meaning here", name->text);
        diagnostic_help(
            d, "where a program runs is chosen when it starts (--device), not in the model");
        return false;
    }
    const char *instead = space == lw->torch ? instead_of(name->text) : NULL;
    if (instead) {
        Diagnostic *d = lower_error(lw, NN_UNKNOWN_ATTRIBUTE, span,
                                    "`%s` of torch.nn.utils is not supported", name->text);
        diagnostic_help(d, "%s", instead);
        return false;
    }
    const char *word =
        space->unit && !space->is_prelude ? space->unit->file->path : space->name->text;
    Diagnostic *d = lower_error(lw, NN_UNKNOWN_ATTRIBUTE, span, "%s has no `%s`", word, name->text);
    Suggestion s = {name->text, NULL, 0};
    if (space->folder) visit_parts(space->folder, "", false, suggest_name, &s);
    for (int i = 0; i < space->scope->bindings.count; i++)
        suggestion_add(&s, space->scope->bindings.data[i].name->text);
    suggestion_tell(&s, d);
    return false;
}

static bool look_up(Lowerer *lw, Namespace *home, Name name, Value *out) {
    const Value *found = home ? namespace_find(lw, home, name) : NULL;
    DType dtype;
    const Builtin *tables[2] = {host_builtins, gradient_builtins};
    /* Inside the library `float`, `max` and the like are the language's, which pass tensors on. */
    if (found && home->is_prelude)
        for (const Builtin *b = host_builtins; b->name; b++)
            if (!strcmp(b->name, name->text)) found = NULL;
    for (int t = 0; !found && t < 2; t++) {
        for (const Builtin *b = tables[t]; b->name; b++) {
            if (strcmp(b->name, name->text)) continue;
            *out = (Value){.kind = VALUE_BUILTIN, .as.builtin = b};
            return true;
        }
    }
    if (!found && strcmp(name->text, "prim") == 0 && home && home->is_prelude) {
        *out = space_value(library_namespace(lw, "prim"));
        return true;
    }
    if (!found && strcmp(name->text, "prim") && space_slot(lw, name->text)) {
        *out = space_value(library_namespace(lw, name->text));
        return true;
    }
    if (!found && dtype_parse(name->text, &dtype)) {
        *out = dtype_of_word(lw, dtype);
        return true;
    }
    if (!found) found = namespace_find(lw, library_namespace(lw, "torch"), name);
    if (!found) return false;
    *out = *found;
    return true;
}

bool library_lookup(Lowerer *lw, Namespace *home, Name name, Value *out) {
    /* A user's file may define the name further down. */
    if (!home || !home->is_prelude) return look_up(lw, home, name, out);
    KnownName *known = &home->known[name->hash % KNOWN_NAMES];
    if (known->name != name) {
        if (!look_up(lw, home, name, out)) return false;
        *known = (KnownName){name, *out};
    }
    *out = known->value;
    return true;
}

void lower_visit_library(void (*visit)(void *user, const char *namespace_, const char *name),
                         void *user) {
    for (int i = 0; i < SPACE_COUNT; i++) {
        const LibrarySpace *space = &library_spaces[i];
        visit_parts(space->folder, space->name, !strcmp(space->name, "torch"), visit, user);
        visit(user, "", library_spaces[i].name);
    }
    visit(user, "", "math");
    const Builtin *tables[2] = {host_builtins, gradient_builtins};
    for (int t = 0; t < 2; t++)
        for (const Builtin *b = tables[t]; b->name; b++) visit(user, "", b->name);
    for (const Builtin *b = math_builtins; b->name; b++) visit(user, "math", b->name);
    static const char *const constants[] = {"pi", "e", "tau", "inf", "nan"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        visit(user, "math", constants[i]);
    for (int i = 0; i < DTYPE_COUNT; i++) visit(user, "", dtype_name((DType)i));
}

/* ---- imports ---- */

static char *read_import(Lowerer *lw, const Namespace *from, const Stmt *s, const char **path,
                         size_t *length) {
    const char *error = NULL, *here = from->unit->file->path, *slash = strrchr(here, '/');
    if (s->path[0] == '/' || !slash)
        *path = s->path;
    else
        *path = arena_printf(lw->arena, "%.*s/%s", (int)(slash - here), here, s->path);
    char *text = file_read_all(lw->arena, *path, IMPORT_LIMIT, length, &error);
    for (const char *const *folder = lw->options->include_paths; !text && folder && *folder;
         folder++) {
        *path = arena_printf(lw->arena, "%s/%s", *folder, s->path);
        text = file_read_all(lw->arena, *path, IMPORT_LIMIT, length, &error);
    }
    if (text) return text;
    Diagnostic *d = lower_error(lw, NN_IMPORT_MISSING, s->path_span.file ? s->path_span : s->span,
                                "cannot read %s: %s", s->path, error ? error : "no such file");
    diagnostic_help(d, "the path is relative to %s, then to the folders of -I", here);
    return NULL;
}

static void report_cycle(Lowerer *lw, const Namespace *again, const Stmt *s) {
    Text chain = text_new(lw->arena);
    bool inside = false;
    for (int i = 0; i < lw->files.count; i++) {
        const Namespace *f = lw->files.data[i];
        inside |= f == again;
        if (inside && f->loading) text_printf(&chain, "%s -> ", f->unit->file->path);
    }
    text_append(&chain, again->unit->file->path);
    lower_error(lw, NN_IMPORT_CYCLE, s->path_span.file ? s->path_span : s->span,
                "the files import each other: %s", chain.data);
}

static Namespace *load_import(Lowerer *lw, Namespace *from, const Stmt *s) {
    const char *path;
    size_t length;
    char *text = read_import(lw, from, s, &path, &length);
    if (!text) return NULL;
    vector_push(lw->arena, &lw->program->imports, path);
    from->loading = true;
    for (int i = 0; i < lw->files.count; i++) {
        Namespace *known = lw->files.data[i];
        if (strcmp(known->unit->file->path, path)) continue;
        if (!known->loading) return known;
        report_cycle(lw, known, s);
        return NULL;
    }
    SourceFile *source = source_new(lw->arena, path, text, length);
    int before = diagnostics_errors(lw->sink);
    const SourceUnit *unit = syntax_parse(lw->arena, source, lw->sink);
    if (diagnostics_errors(lw->sink) > before) return NULL;
    Namespace *file = space_new(lw, path, unit, false);
    vector_push(lw->arena, &lw->files, file);
    file->loading = true;
    fill(lw, file);
    file->loading = false;
    return file;
}
