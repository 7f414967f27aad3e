/* library: what the library of layers and functions says of itself.
 *
 * Input: the library's files in the binary.  Output: for a name its header, its comment, on demand
 * its text; for no name the whole as Markdown, which docs/library.md is.
 * In a comment an indented line is an example: an expression, and behind # the types of what stands
 * in it and of its value. */
#include <string.h>
#include "base/embedded.h"
#include "driver/commands.h"
#include "lower/lower.h"
#include "syntax/print.h"

typedef struct Definition {
    const LibrarySpace *space;
    const SourceUnit *unit; /* its file */
    const Stmt *stmt;
    const char *name, *doc;
} Definition;

typedef struct Library {
    Arena *arena;
    VECTOR(Definition) all; /* by namespace and file, in the files' order */
} Library;

static const char *defined_name(const Stmt *s) {
    if (s->kind == STMT_FUNCTION) return s->function->is_vjp ? NULL : s->function->name->text;
    return s->kind == STMT_MODULE || s->kind == STMT_OPTIMIZER ? s->name->text : NULL;
}

static void read_file_of(Library *l, const LibrarySpace *space, const EmbeddedFile *f) {
    const char *path = arena_printf(l->arena, "<prelude>/%s", f->name);
    SourceFile *file = source_of(l->arena, path, f->text, f->length);
    const SourceUnit *unit = syntax_parse(l->arena, file, diagnostics_new(l->arena));
    for (int i = 0; i < unit->top.count; i++) {
        const Stmt *s = unit->top.items[i];
        const char *name = defined_name(s);
        if (!name || name[0] == '_') continue;
        Definition d = {space, unit, s, name, s->doc};
        vector_push(l->arena, &l->all, d);
    }
}

static void read_library(Library *l) {
    for (const LibrarySpace *space = library_spaces; space->name; space++) {
        size_t folder = strlen(space->folder);
        for (const EmbeddedFile *f = prelude_files; f->name; f++)
            if (!strncmp(f->name, space->folder, folder) && f->name[folder] == '/')
                read_file_of(l, space, f);
    }
}

/* ---- one definition ---- */

/* nn.Linear(in_features: int, out_features: int, bias: bool = True), in lines of PRINT_WIDTH. */
static void put_header(Text *out, const Definition *d) {
    bool function = d->stmt->kind == STMT_FUNCTION;
    const Param *params = function ? d->stmt->function->params : d->stmt->params;
    int count = function ? d->stmt->function->param_count : d->stmt->param_count;
    size_t begin = out->length;
    text_printf(out, "%s.%s(", d->space->name, d->name);
    size_t margin = out->length - begin;
    for (int i = 0; i < count; i++) {
        Text one = text_new(out->arena);
        Printer p = {.out = &one};
        print_param(&p, &params[i]);
        if (i) text_char(out, ',');
        if (i && out->length - begin + one.length + 2 > PRINT_WIDTH) {
            text_char(out, '\n');
            begin = out->length;
            for (size_t n = 0; n < margin; n++) text_char(out, ' ');
        } else if (i) {
            text_char(out, ' ');
        }
        text_append(out, one.data);
    }
    text_append(out, ")\n");
}

static bool is_example(const char *line) {
    return !strncmp(line, "    ", 4);
}

/* A sentence as Markdown: what stands in backquotes is left as it is. */
static void put_markdown(Text *out, const char *text, size_t length) {
    bool code = false;
    for (size_t i = 0; i < length; i++) {
        code ^= text[i] == '`';
        if (!code && strchr("*_<[\\", text[i])) text_char(out, '\\');
        text_char(out, text[i]);
    }
}

/* The lines of its comment that are examples, or those that are not. */
static void put_doc(Text *out, const Definition *d, bool examples, const char *indent,
                    void (*put)(Text *out, const char *text, size_t length)) {
    for (const char *line = d->doc; line && *line;) {
        size_t length = strcspn(line, "\n");
        if (is_example(line) == examples) {
            const char *text = examples ? line + 4 : line;
            text_append(out, indent);
            put(out, text, length - (size_t)(text - line));
            text_char(out, '\n');
        }
        line += length + (line[length] == '\n');
    }
}

static void put_definition(Text *out, const Definition *d, bool source) {
    put_header(out, d);
    put_doc(out, d, false, "    ", text_append_n);
    put_doc(out, d, true, "        ", text_append_n);
    if (!source) return;
    Span span = d->stmt->span;
    text_printf(out, "\n# %s:%d\n", span.file->path, span_line(span));
    text_append_n(out, span.file->text + span.begin, span.end - span.begin);
    text_char(out, '\n');
}

/* Whether a dotted name is `tail`, or ends in it behind a dot. */
static bool ends_in(const char *name, const char *tail) {
    size_t length = strlen(name), end = strlen(tail);
    if (length < end || strcmp(name + length - end, tail)) return false;
    return length == end || name[length - end - 1] == '.';
}

/* Linear in any namespace, nn.Linear, torch.nn.Linear, torch.nn.functional.relu. */
static bool is_called(const Library *l, const Definition *d, const char *name) {
    if (!strchr(name, '.')) return !strcmp(name, d->name);
    return ends_in(name, arena_printf(l->arena, "%s.%s", d->space->name, d->name)) ||
           ends_in(name, arena_printf(l->arena, "%s.%s", d->space->folder, d->name));
}

static int unknown_name(const CommandLine *line, const Library *l, const char *name) {
    const char *best = NULL, *dot = strrchr(name, '.');
    int least = 3;
    for (int i = 0; i < l->all.count; i++) {
        const Definition *d = &l->all.data[i];
        int distance = text_distance(dot ? dot + 1 : name, d->name, least);
        if (distance >= least) continue;
        least = distance;
        best = arena_printf(l->arena, "%s.%s", d->space->name, d->name);
    }
    if (best) return options_misuse(line, "the library has no %s; did you mean %s?", name, best);
    return options_misuse(line, "the library has no %s; `nnc library` prints all of it", name);
}

/* ---- the whole ---- */

static void put_file_title(Text *out, const SourceUnit *unit) {
    size_t length = unit->doc ? strcspn(unit->doc, "\n") : 0;
    if (!length) return;
    if (unit->doc[length - 1] == '.') length--;
    text_append(out, "\n### ");
    text_append_n(out, unit->doc, length);
    text_char(out, '\n');
}

static void put_manual(Text *out, const Library *l) {
    text_append(out,
                "# The library\n\n"
                "Layers, functions, losses, initialisers and optimizers, with PyTorch's names, "
                "arguments and\nmeaning. This page is what `nnc library` prints, made of the "
                "comments in `compiler/prelude`;\n`nnc library NAME` prints one of them, "
                "with `--source` how it is written. An example is\nan expression; behind `#` "
                "stand the types of what it is given and of its value. A function\nof `torch` "
                "is a bare name, too, and a method of its first argument.\n");
    const Definition *before = NULL;
    for (int i = 0; i < l->all.count; i++) {
        const Definition *d = &l->all.data[i];
        if (!before || before->space != d->space) text_printf(out, "\n## %s\n", d->space->name);
        if (!before || before->unit != d->unit) put_file_title(out, d->unit);
        text_printf(out, "\n#### %s.%s\n\n", d->space->name, d->name);
        put_doc(out, d, false, "", put_markdown);
        text_append(out, d->doc ? "\n```py\n" : "```py\n");
        put_header(out, d);
        put_doc(out, d, true, "", text_append_n);
        text_append(out, "```\n");
        before = d;
    }
}

int command_library(const CommandLine *line) {
    names_init(line->arena);
    Library library = {.arena = line->arena};
    read_library(&library);
    Text out = text_new(line->arena);
    if (!line->operands.count) put_manual(&out, &library);
    for (int i = 0; i < line->operands.count; i++) {
        int found = 0;
        for (int k = 0; k < library.all.count; k++) {
            if (!is_called(&library, &library.all.data[k], line->operands.data[i])) continue;
            if (out.length) text_char(&out, '\n');
            put_definition(&out, &library.all.data[k], line->given[OPTION_SOURCE]);
            found++;
        }
        if (!found) return unknown_name(line, &library, line->operands.data[i]);
    }
    fputs(out.data, stdout);
    return 0;
}
