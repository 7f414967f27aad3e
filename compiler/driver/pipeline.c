/* Source file to program, the passes on its graphs, and the root and entry that a target names. */
#include "driver/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "driver/places.h"
#include "lower/lower.h"
#include "sema/sema.h"
#include "syntax/parse.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"
#include "tensor/verify.h"

enum { SOURCE_LIMIT = 16 << 20 };

static void split_target(Pipeline *pipeline, const char *target) {
    const char *colon = strrchr(target, ':'), *slash = strrchr(target, '/');
    pipeline->file = target;
    pipeline->name = NULL;
    if (!colon || (slash && slash > colon) || access(target, F_OK) == 0) return;
    pipeline->file = arena_strndup(pipeline->arena, target, (size_t)(colon - target));
    pipeline->name = colon[1] ? colon + 1 : NULL;
}

/* Whether the target's name is to be made an instance of: everything but exports and blocks. */
static bool names_module(const Pipeline *pipeline) {
    const StmtList *top = &pipeline->unit->top;
    for (int i = 0; pipeline->name && i < top->count; i++) {
        const Stmt *s = top->items[i];
        if ((s->kind == STMT_EXPORT || s->kind == STMT_TRAIN) && s->name &&
            !strcmp(s->name->text, pipeline->name))
            return false;
    }
    return pipeline->name != NULL;
}

void pipeline_print_tree(const Pipeline *pipeline, Text *out) {
    if (pipeline->unit) syntax_dump(out, pipeline->unit);
}

static void print_text(const Text *text) {
    fwrite(text->data, 1, text->length, stdout);
}

/* Parse, sema, lower; stops where the user said so. */
static void front_passes(Pipeline *pipeline, const SourceFile *file, DiagnosticSink *sink) {
    Arena *arena = pipeline->arena;
    PassControl *passes = pipeline->options.passes;
    Text text = text_new(arena);
    pass_begin(passes, "parse");
    SourceUnit *unit = syntax_parse(arena, file, sink);
    pipeline->unit = unit;
    if (pass_end(passes, "parse")) {
        syntax_dump(&text, unit);
        print_text(&text);
    }
    if (passes && passes->stopped) return;
    pass_begin(passes, "sema");
    static const char *const words[] = {"u32", NULL};
    SemaOptions sema = {.visit_library = lower_visit_library, .words = words};
    bool readable = diagnostics_errors(sink) == 0;
    sema_check(arena, unit, &sema, sink);
    pass_end(passes, "sema");
    if (!readable || (passes && passes->stopped)) return;
    pass_begin(passes, "lower");
    bool module = pipeline->options.modules && names_module(pipeline);
    LowerOptions lower = {.default_dtype = pipeline->options.default_dtype,
                          .include_paths = pipeline->options.include_paths,
                          .only = module ? pipeline->name : NULL,
                          .instantiate_only = module,
                          .dumps = pipeline->options.dumps,
                          .no_views = !pipeline->options.views,
                          .on_statement = pipeline->options.on_statement,
                          .user = pipeline->options.user};
    pipeline->program = lower_program(arena, unit, &lower, sink);
    if (diagnostics_errors(sink)) pipeline->program = NULL;
    if (pipeline->program) pipeline->program->source_path = pipeline->file;
    if (pass_end(passes, "lower") && pipeline->program) {
        program_print(&text, pipeline->program, IR_PLACES);
        print_text(&text);
    }
}

static bool is_ir(const char *file) {
    size_t length = strlen(file);
    return length > 3 && !strcmp(file + length - 3, ".ir");
}

/* A program as --emit=ir prints it.  Its names are not held to what C asks, so nothing is emitted.
 */
static int read_ir(Pipeline *pipeline, const char *text) {
    const char *error = NULL;
    pipeline->program = program_read(pipeline->arena, text, &error);
    if (pipeline->program) {
        pipeline->program->source_path = pipeline->file;
        return 0;
    }
    fprintf(stderr, "nnc: %s: %s\n", pipeline->file, error);
    return 1;
}

int pipeline_open(Pipeline *pipeline, Arena *arena, const char *target,
                  const PipelineOptions *options) {
    *pipeline = (Pipeline){.arena = arena, .options = *options};
    names_init(arena);
    split_target(pipeline, target);
    int clash = options->line ? places_check(options->line, NULL, NULL, 0) : 0;
    if (clash) return clash;
    size_t length;
    const char *error = NULL;
    char *text = file_read_all(arena, pipeline->file, SOURCE_LIMIT, &length, &error);
    if (!text) {
        fprintf(stderr, "nnc: %s\n", error);
        return 3;
    }
    if (is_ir(pipeline->file) && options->reads_ir) return read_ir(pipeline, text);
    DiagnosticSink *sink = diagnostics_new(arena);
    diagnostics_set_werror(sink, options->werror);
    front_passes(pipeline, source_new(arena, pipeline->file, text, length), sink);
    diagnostics_print(sink, stderr, options->form, options->color);
    if (diagnostics_errors(sink) && is_ir(pipeline->file))
        fprintf(stderr,
                "nnc: %s was read as source; a program in textual IR goes with --emit=ir, "
                "--emit=kernels, --emit=plan and --only-pass alone\n",
                pipeline->file);
    if (diagnostics_errors(sink)) return 1;
    if (!pipeline->program && !(options->passes && options->passes->stopped)) {
        fprintf(stderr, "nnc: internal error: lowering made no program and gave no reason\n");
        return 70;
    }
    return options->line && pipeline->program
               ? places_check(options->line, pipeline->program, NULL, 0)
               : 0;
}

static int verify(const Pipeline *pipeline, const PassControl *passes, const char *pass) {
    if (!passes || !passes->verify_each) return 0;
    const char *violation = program_verify(pipeline->program, pipeline->arena);
    if (!violation) return 0;
    fprintf(stderr, "nnc: internal error: after pass %s: %s\n", pass, violation);
    return 70;
}

int pipeline_simplify(Pipeline *pipeline, PassControl *passes, const char *only_pass) {
    int status = verify(pipeline, passes, "lower");
    for (int i = 0; i < simplify_pass_count && !status && !(passes && passes->stopped); i++) {
        const char *name = simplify_passes[i].name;
        if (only_pass && strcmp(only_pass, name)) continue;
        pass_begin(passes, name);
        simplify_passes[i].run(pipeline->program);
        if (pass_end(passes, name)) {
            Text text = text_new(pipeline->arena);
            program_print(&text, pipeline->program, IR_PLACES);
            fputs(text.data, stdout);
        }
        status = verify(pipeline, passes, name);
    }
    return status;
}

static bool is_callable(const Entry *entry) {
    return entry->kind == ENTRY_INFER || entry->kind == ENTRY_TRAIN;
}

Entry *pipeline_find_entry(const Root *root, const char *name) {
    for (int i = 0; i < root->entries.count; ++i)
        if (strcmp(root->entries.data[i]->name->text, name) == 0) return root->entries.data[i];
    return NULL;
}

static Entry *find_callable(const Root *root, const char *name) {
    Entry *entry = pipeline_find_entry(root, name);
    return entry && is_callable(entry) ? entry : NULL;
}

static Entry *first_entry(const Root *root) {
    for (int i = 0; i < root->entries.count; ++i)
        if (is_callable(root->entries.data[i])) return root->entries.data[i];
    return NULL;
}

static void list_entries(const Pipeline *pipeline) {
    const Program *program = pipeline->program;
    fprintf(stderr, "its entries are:\n");
    for (int r = 0; r < program->roots.count; ++r) {
        const Root *root = program->roots.data[r];
        for (int i = 0; i < root->entries.count; ++i) {
            const Entry *entry = root->entries.data[i];
            if (!is_callable(entry)) continue;
            if (root->is_train)
                fprintf(stderr, "  %s:%s.%s\n", pipeline->file, root->name->text,
                        entry->name->text);
            else
                fprintf(stderr, "  %s:%s\n", pipeline->file, entry->name->text);
        }
    }
}

static int fail_choice(const Pipeline *pipeline, const char *what) {
    fprintf(stderr, "nnc: %s%s%s %s; ", pipeline->file, pipeline->name ? ":" : "",
            pipeline->name ? pipeline->name : "", what);
    list_entries(pipeline);
    return 2;
}

static int choose_named(const Pipeline *pipeline, PipelineWish wish, Root **root, Entry **entry) {
    const Program *program = pipeline->program;
    const char *name = pipeline->name, *dot = strchr(name, '.');
    int found = 0;
    for (int r = 0; r < program->roots.count; ++r) {
        Root *candidate = program->roots.data[r];
        size_t length = candidate->name->length;
        Entry *match = NULL;
        if (strcmp(candidate->name->text, name) == 0)
            match = candidate->is_train ? find_callable(candidate, "step") : first_entry(candidate);
        else if (dot && (size_t)(dot - name) == length &&
                 strncmp(candidate->name->text, name, length) == 0)
            match = find_callable(candidate, dot + 1);
        if (!match) continue;
        *root = candidate;
        *entry = match;
        found = 1;
        break;
    }
    for (int r = 0; !found && !dot && r < program->roots.count; ++r) {
        Root *candidate = program->roots.data[r];
        Entry *match = find_callable(candidate, name);
        if (!match) continue;
        *root = candidate;
        *entry = match;
        for (int other = r + 1; other < program->roots.count; ++other)
            if (find_callable(program->roots.data[other], name))
                return fail_choice(pipeline, "is in several blocks");
        found = 1;
    }
    if (!found) return fail_choice(pipeline, "is no entry of the file");
    if (wish == WISH_TRAIN && !(*root)->is_train)
        return fail_choice(pipeline, "is not in a train block");
    if (wish == WISH_EXPORT && (*root)->is_train) return fail_choice(pipeline, "is not an export");
    return 0;
}

int pipeline_choose(const Pipeline *pipeline, PipelineWish wish, Root **root, Entry **entry) {
    const Program *program = pipeline->program;
    if (pipeline->name) return choose_named(pipeline, wish, root, entry);
    bool wants_train = wish == WISH_TRAIN;
    int blocks = 0;
    *root = NULL;
    for (int r = 0; r < program->roots.count; ++r) {
        if (program->roots.data[r]->is_train != wants_train) continue;
        if (!*root) *root = program->roots.data[r];
        ++blocks;
    }
    if (!*root) return fail_choice(pipeline, wants_train ? "has no train block" : "has no export");
    if (wants_train && blocks > 1)
        return fail_choice(pipeline, "has several train blocks: name one");
    *entry = wants_train ? find_callable(*root, "step") : first_entry(*root);
    if (!*entry)
        return fail_choice(pipeline,
                           wants_train ? "has no `step` with typed arguments" : "has no entry");
    return 0;
}
