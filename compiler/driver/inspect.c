/* check, fmt, explain: commands that read the source and write no code. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "driver/check_gradient.h"
#include "driver/commands.h"
#include "nncrt.h"
#include "syntax/parse.h"

enum { SOURCE_LIMIT = 64 << 20 };

static int diagnostic_options(const CommandLine *line, DiagnosticForm *form, bool *color) {
    int choice, status = options_choice(line, OPTION_DIAGNOSTICS, "text|short|json", &choice);
    if (status) return status;
    *form = choice == 0 ? FORM_TEXT : choice == 1 ? FORM_SHORT : FORM_JSON;
    status = options_choice(line, OPTION_COLOR, "auto|always|never", &choice);
    if (status) return status;
    *color = choice == 1 || (choice == 0 && isatty(2) && !getenv("NO_COLOR"));
    return 0;
}

/* "12" or "12-15" of each --no-fuse. */
static int line_ranges(const CommandLine *line, PipelineOptions *out) {
    int count = line->list[OPTION_NO_FUSE].count;
    LineRange *ranges = NEW_ARRAY(line->arena, (size_t)count + 1, LineRange);
    for (int i = 0; i < count; i++) {
        const char *text = line->list[OPTION_NO_FUSE].data[i], *dash = strchr(text, '-');
        int64_t first, last;
        size_t length = dash ? (size_t)(dash - text) : strlen(text);
        bool good = text_parse_int(text, length, &first);
        last = first;
        if (good && dash) good = text_parse_int(dash + 1, strlen(dash + 1), &last);
        if (!good || first < 1 || last < first || last > INT32_MAX)
            return options_misuse(line, "--no-fuse wants LINE or FIRST-LAST, not `%s`", text);
        ranges[i] = (LineRange){(int)first, (int)last};
    }
    out->no_fuse = ranges;
    out->no_fuse_count = count;
    return 0;
}

int pipeline_options(const CommandLine *line, PipelineOptions *out) {
    *out = (PipelineOptions){.line = line,
                             .default_dtype = DTYPE_F32,
                             .include_paths = options_list(line, OPTION_INCLUDE),
                             .werror = line->given[OPTION_WERROR]};
    int status = diagnostic_options(line, &out->form, &out->color);
    if (!status) status = line_ranges(line, out);
    if (!status) status = options_precision(line, &out->precision);
    if (!status) status = options_gemm(line, &out->gemm);
    if (status) return status;
    const char *dtype = line->value[OPTION_DEFAULT_DTYPE];
    if (!dtype) return 0;
    if (!dtype_parse(dtype, &out->default_dtype) ||
        (out->default_dtype != DTYPE_F32 && out->default_dtype != DTYPE_F64))
        return options_misuse(line, "--default-dtype is f32 or f64, not `%s`", dtype);
    return 0;
}

int only_operand(const CommandLine *line, const char *what, const char **out) {
    if (line->operands.count == 0) return options_misuse(line, "%s is missing", what);
    if (line->operands.count > 1)
        return options_misuse(line, "one %s only: `%s` is too many", what, line->operands.data[1]);
    *out = line->operands.data[0];
    return 0;
}

/* ---- check ---- */

typedef struct Shown {
    Span place;
    const char *text; /* "x: f32[N, 10]" */
    int order;
} Shown;
typedef struct Shapes {
    Arena *arena;
    VECTOR(Shown) items;
} Shapes;

static void note_shape(void *user, Span statement, Name name, const TensorType *type) {
    Shapes *shapes = user;
    Text text = text_new(shapes->arena);
    text_printf(&text, "%s: ", name ? name->text : "result");
    type_print(&text, type);
    for (int i = shapes->items.count; i-- > 0;) {
        const Shown *old = &shapes->items.data[i];
        if (old->place.file == statement.file && old->place.begin == statement.begin &&
            !strcmp(old->text, text.data))
            return;
    }
    vector_push(shapes->arena, &shapes->items,
                ((Shown){statement, text.data, shapes->items.count}));
}

static int compare_shown(const void *pa, const void *pb) {
    const Shown *a = pa, *b = pb;
    int files = strcmp(a->place.file->path, b->place.file->path);
    if (files) return files;
    if (a->place.begin != b->place.begin) return a->place.begin < b->place.begin ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void print_shapes(Shapes *shapes) {
    qsort(shapes->items.data, (size_t)shapes->items.count, sizeof(Shown), compare_shown);
    int last = 0;
    const SourceFile *file = NULL;
    for (int i = 0; i < shapes->items.count; i++) {
        const Shown *shown = &shapes->items.data[i];
        if (shown->place.file != file) printf("%s\n", shown->place.file->path);
        int line = span_line(shown->place);
        if (shown->place.file != file || line != last) {
            const char *begin = shown->place.file->text + shown->place.begin;
            printf("%4d  %.*s\n", line, (int)strcspn(begin, "\r\n"), begin);
        }
        printf("      # %s\n", shown->text);
        file = shown->place.file;
        last = line;
    }
}

int command_check(const CommandLine *line) {
    if (!line->operands.count) return options_misuse(line, "a file is missing");
    int worst = 0;
    for (int i = 0; i < line->operands.count; i++) {
        PipelineOptions options;
        int status = pipeline_options(line, &options);
        if (status) return status;
        options.views = true;
        Arena *arena = arena_new();
        Shapes shapes = {.arena = arena};
        if (line->given[OPTION_SHAPES]) {
            options.on_statement = note_shape;
            options.user = &shapes;
        }
        Pipeline pipeline;
        status = pipeline_open(&pipeline, arena, line->operands.data[i], &options);
        if (line->given[OPTION_SHAPES]) print_shapes(&shapes);
        if (!status && line->given[OPTION_GRAD])
            status = check_gradients(&pipeline, options_list(line, OPTION_EXCEPT));
        arena_free(arena);
        if (status > worst) worst = status;
    }
    return worst;
}

/* ---- fmt ---- */

static int format_file(const CommandLine *line, const char *path, Arena *arena) {
    DiagnosticForm form;
    bool color;
    int status = diagnostic_options(line, &form, &color);
    if (status) return status;
    names_init(arena);
    size_t length;
    const char *error = NULL;
    char *text = file_read_all(arena, path, SOURCE_LIMIT, &length, &error);
    if (!text) {
        fprintf(stderr, "nnc: %s\n", error);
        return EXIT_FILES;
    }
    DiagnosticSink *sink = diagnostics_new(arena);
    SourceUnit *unit = syntax_parse(arena, source_new(arena, path, text, length), sink);
    diagnostics_print(sink, stderr, form, color);
    if (diagnostics_errors(sink)) return EXIT_MODEL;
    Text out = text_new(arena);
    syntax_format(&out, unit);
    bool same = out.length == length && !memcmp(out.data, text, length);
    if (line->given[OPTION_CHECK_FORMAT]) {
        if (!same) printf("%s\n", path);
        return same ? 0 : EXIT_DIFFERENT;
    }
    bool rewrite = line->given[OPTION_WRITE] && strcmp(path, "-") != 0;
    if (rewrite && same) return 0;
    if (rewrite) nnc_leftover_files_remove(path);
    error = file_write_all(arena, rewrite ? path : "-", out.data, out.length, 0644);
    if (!error) return 0;
    fprintf(stderr, "nnc: %s\n", error);
    return EXIT_FILES;
}

int command_fmt(const CommandLine *line) {
    if (!line->operands.count)
        return options_misuse(line, "a file is missing (`-` is standard input)");
    int worst = 0;
    for (int i = 0; i < line->operands.count; i++) {
        Arena *arena = arena_new();
        int status = format_file(line, line->operands.data[i], arena);
        arena_free(arena);
        if (status > worst) worst = status;
    }
    return worst;
}

/* ---- explain ---- */

int command_explain(const CommandLine *line) {
    const char *text = NULL;
    int status = only_operand(line, "code", &text);
    if (status) return status;
    DiagnosticCode code;
    if (diagnostic_find(text, &code)) {
        printf("%s: %s\n\n%s\n", text, diagnostic_title(code), diagnostic_explanation(code));
        return 0;
    }
    const char *best = NULL;
    for (int i = 0; i < NN_CODE_COUNT && !best; i++)
        if (text_distance(text, diagnostic_code_name((DiagnosticCode)i), 1) <= 1)
            best = diagnostic_code_name((DiagnosticCode)i);
    if (best) return options_misuse(line, "there is no code %s; did you mean %s?", text, best);
    return options_misuse(line, "there is no code %s; codes are printed as error[NN0301]", text);
}
