/* Launches of CUDA code for people to read.
 *
 * Input: a plan, and what ptxas says while nvcc compiles the emitted text.  Output: text.  A kernel
 * whose index arithmetic comes in two widths is told as the narrow one, which runs. */
#include "driver/launches.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "driver/back_end.h"
#include "driver/jit.h"
#include "driver/process.h"
#include "tensor/simplify/simplify.h"

typedef struct Measured {
    const char *function;
    bool narrow;
    long registers, shared; /* of a thread; bytes of a block */
} Measured;

struct Registers {
    const char *arch;
    VECTOR(Measured) found;
};

/* ---- what ptxas says ---- */

/* The function of a mangled name such as _Z11nn_launch_3IiEv...; its first template argument is the
 * type of indices. */
static bool read_name(Arena *arena, const char *text, Measured *out) {
    const char *at = strstr(text, "nn_launch_");
    if (!at || at == text || !isdigit((unsigned char)at[-1])) return false;
    const char *digits = at;
    while (digits > text && isdigit((unsigned char)digits[-1])) --digits;
    size_t length = (size_t)strtoul(digits, NULL, 10);
    if (length > strlen(at)) return false;
    out->function = arena_strndup(arena, at, length);
    out->narrow = strncmp(at + length, "Ii", 2) == 0;
    return true;
}

/* The number that stands before `word` in the line. */
static long number_before(const char *line, const char *word) {
    const char *at = strstr(line, word);
    while (at && at > line && isdigit((unsigned char)at[-1])) --at;
    return at ? strtol(at, NULL, 10) : 0;
}

static void read_report(Arena *arena, const char *text, Registers *out) {
    Measured open = {0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        const char *line = arena_strndup(arena, text, length);
        if (strstr(line, "Compiling entry function")) {
            open = (Measured){0};
            read_name(arena, line, &open);
        }
        if (open.function && strstr(line, "Used ")) {
            open.registers = number_before(line, " registers");
            open.shared = number_before(line, " bytes smem");
            vector_push(arena, &out->found, open);
            open.function = NULL;
        }
        text += length + (text[length] == '\n');
    }
}

static const Measured *find_measured(const Registers *registers, const char *function) {
    const Measured *best = NULL;
    for (int i = 0; i < registers->found.count; i++) {
        const Measured *m = &registers->found.data[i];
        if (strcmp(m->function, function) == 0 && (!best || m->narrow)) best = m;
    }
    return best;
}

static bool compile(const CommandLine *line, const char *const *words, int count,
                    const char *folder, const char *arch, NncText *output, NncError *error) {
    enum { ARGUMENTS = 16 };
    Arena *arena = line->arena;
    const char **argv = NEW_ARRAY(arena, (size_t)count + ARGUMENTS, const char *);
    const char *const flags[] = {"-std=c++17",
                                 "-w",
                                 "-Xptxas",
                                 "-v",
                                 "-cubin",
                                 arena_printf(arena, "-arch=%s", arch),
                                 "-o",
                                 arena_printf(arena, "%s/model.cubin", folder),
                                 arena_printf(arena, "%s/model.cu", folder)};
    int used = 0, status = 0;
    for (int i = 0; i < count; i++) argv[used++] = words[i];
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) argv[used++] = flags[i];
    if (line->given[OPTION_VERBOSE]) {
        for (int i = 0; i < used; i++) fprintf(stderr, "%s%s", i ? " " : "+ ", argv[i]);
        fputc('\n', stderr);
    }
    if (!process_run(argv, output, &status, NULL, error)) return false;
    return status == 0 || nnc_fail(error, "%s failed (status %d):\n%.3000s", argv[0], status,
                                   output->data ? output->data : "");
}

const Registers *launches_ask_nvcc(const CommandLine *line, const Text *source, const Text *header,
                                   const char *header_name) {
    enum { WORD_LIMIT = 64 };
    char buffer[4096], folder[4096];
    const char *words[WORD_LIMIT], *arch = line->value[OPTION_CUDA_ARCH];
    NncError error = {0};
    NncText output = {0};
    Registers *out = NEW(line->arena, Registers);
    JitCompiler compiler = {.language = JIT_CUDA, .command = line->value[OPTION_NVCC]};
    int count = jit_words(&compiler, buffer, words, WORD_LIMIT, &error);
    out->arch = arch ? arch : "sm_80";
    if (!count || !process_find(words[0])) return out;
    signals_install();
    bool good = jit_make_folder(folder, &error);
    good = good && jit_write_file(folder, "model.cu", source->data, source->length, &error) &&
           jit_write_file(folder, header_name, header->data, header->length, &error) &&
           compile(line, words, count, folder, out->arch, &output, &error);
    if (folder[0]) jit_remove_folder(folder);
    if (good && output.data) read_report(line->arena, output.data, out);
    if (!good) fprintf(stderr, "nnc: registers are not known: %s\n", error.text);
    nnc_text_free(&output);
    return out;
}

/* ---- rows ---- */

typedef struct Row {
    const char *cells[7]; /* as `titles` */
} Row;
static const char *const titles[] = {"launch", "times",     "blocks",  "threads",
                                     "shared", "registers", "computes"};
enum { COLUMNS = sizeof titles / sizeof *titles };

static const char *blocks_text(Arena *arena, const Dim *blocks) {
    Text text = text_new(arena);
    if (!blocks) return "?";
    dim_print(&text, blocks);
    return text.data;
}

/* The operators of the kernels that share the launch, with their lines. */
static const char *what_text(Arena *arena, const EmittedLaunch *launch) {
    Text text = text_new(arena);
    for (int i = 0; i < launch->count; i++) {
        const Kernel *k = launch->steps[i]->kernel;
        text_printf(&text, "%s%s", i ? "; " : "", k->what ? k->what : k->name);
        for (int n = 0; n < k->lines.count; n++)
            text_printf(&text, "%s%d", n ? ", " : " (line ", k->lines.data[n]);
        if (k->lines.count) text_char(&text, ')');
    }
    return text.data;
}

static Row make_row(Arena *arena, const EmittedLaunch *launch, const Registers *registers) {
    const Measured *m = find_measured(registers, launch->function);
    const char *times = launch->times[0] ? launch->times : "1";
    if (!launch->threads) /* a library's: it alone knows */
        return (Row){{launch->function, times, "-", "-", "-", "-", what_text(arena, launch)}};
    return (Row){{launch->function, times, blocks_text(arena, launch->blocks),
                  arena_printf(arena, "%d", launch->threads),
                  arena_printf(arena, "%ld", m ? m->shared : (long)launch->shared),
                  m ? arena_printf(arena, "%ld", m->registers) : "-", what_text(arena, launch)}};
}

static bool is_called(const EntryPlan *entry) {
    EntryKind kind = entry->entry->entry->kind;
    return kind == ENTRY_INFER || kind == ENTRY_TRAIN;
}

static void print_entry(Text *out, const Plan *plan, const EntryPlan *entry,
                        const Registers *registers) {
    Arena *arena = out->arena;
    EmittedLaunches launches = emit_cuda_launches(arena, plan, entry);
    Row *rows = NEW_ARRAY(arena, (size_t)launches.count + 1, Row);
    int widths[COLUMNS];
    memcpy(rows[0].cells, titles, sizeof titles);
    for (int i = 0; i < launches.count; i++)
        rows[i + 1] = make_row(arena, &launches.data[i], registers);
    for (int c = 0; c < COLUMNS; c++) {
        widths[c] = 0;
        for (int r = 0; r <= launches.count; r++)
            if ((int)strlen(rows[r].cells[c]) > widths[c])
                widths[c] = (int)strlen(rows[r].cells[c]);
    }
    text_printf(out, "%s on a GPU: %d launch%s\n", entry->entry->entry->symbol, launches.count,
                launches.count == 1 ? "" : "es");
    for (int r = 0; r <= launches.count; r++) {
        const char *const *cells = rows[r].cells;
        text_printf(out, "  %-*s", widths[0], cells[0]);
        for (int c = 1; c + 1 < COLUMNS; c++) text_printf(out, "  %*s", widths[c], cells[c]);
        text_printf(out, "  %s\n", cells[COLUMNS - 1]);
    }
}

/* Where the numbers come from. */
static void print_source(Text *out, const Registers *registers) {
    if (registers->found.count)
        text_printf(
            out, "bytes of shared memory and registers of a thread as ptxas allots them for %s\n",
            registers->arch);
    else
        text_append(out, "bytes of shared memory at most; registers are not known without nvcc\n");
}

void launches_print(Text *out, const Plan *plan, const Registers *registers) {
    for (int r = 0; r < plan->roots.count; r++)
        for (int e = 0; e < plan->roots.data[r]->entries.count; e++)
            if (is_called(plan->roots.data[r]->entries.data[e]))
                print_entry(out, plan, plan->roots.data[r]->entries.data[e], registers);
    print_source(out, registers);
}

/* ---- DOT ---- */

static const Buffer *whole(const Buffer *b) {
    while (b->kind == BUFFER_ELEMENT) b = b->parent;
    return b;
}

static void print_type(Text *out, const Buffer *b) {
    TensorType type = {.dtype = b->dtype, .shape = b->shape};
    type_print(out, &type);
}

static void print_label(Text *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\') text_char(out, '\\');
        text_char(out, *p);
    }
}

/* An edge from whoever wrote the buffer last: a launch, or the caller. */
static void print_edge(Text *out, const Buffer *b, const int *writers, int reader) {
    int writer = writers[b->id];
    if (writer == reader || (writer < 0 && b->kind != BUFFER_ARGUMENT)) return;
    text_printf(out, writer < 0 ? "  a%d -> " : "  l%d -> ", writer < 0 ? b->index : writer);
    text_printf(out, "l%d [label=\"", reader);
    print_type(out, b);
    text_append(out, "\"];\n");
}

static void print_launch(Text *out, const Row *row, int number) {
    text_printf(out, "  l%d [shape=box, label=\"%s\\n", number, row->cells[0]);
    print_label(out, row->cells[6]);
    text_append(out, "\\nblocks ");
    print_label(out, row->cells[2]);
    text_printf(out, ", threads %s, shared %s, registers %s", row->cells[3], row->cells[4],
                row->cells[5]);
    if (strcmp(row->cells[1], "1") != 0) {
        text_append(out, "\\ntimes ");
        print_label(out, row->cells[1]);
    }
    text_append(out, "\"];\n");
}

void launches_print_dot(Text *out, const Plan *plan, const EntryPlan *entry,
                        const Registers *registers) {
    Arena *arena = out->arena;
    const Entry *source = entry->entry->entry;
    EmittedLaunches launches = emit_cuda_launches(arena, plan, entry);
    int *writers = NEW_ARRAY(arena, (size_t)entry->entry->buffers.count + 1, int);
    for (int i = 0; i < entry->entry->buffers.count; i++) writers[i] = -1;
    text_printf(out, "digraph \"%s on a GPU\" {\n", source->symbol);
    text_append(out, "  node [fontname=\"sans-serif\", fontsize=10];\n"
                     "  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (int i = 0; i < source->arguments.count; i++) {
        text_printf(out, "  a%d [label=\"", i);
        print_label(out, source->arguments.data[i].node->attr.input.name->text);
        text_append(out, "\", shape=ellipse, style=filled, fillcolor=lightblue];\n");
    }
    for (int i = 0; i < launches.count; i++) {
        const EmittedLaunch *launch = &launches.data[i];
        Row row = make_row(arena, launch, registers);
        print_launch(out, &row, i);
        for (int k = 0; k < launch->count; k++) {
            const Step *s = launch->steps[k];
            for (int p = 0; p < s->kernel->parameter_count; p++)
                if (s->kernel->slots.data[p].access & ACCESS_READ)
                    print_edge(out, whole(s->arguments[p]), writers, i);
        }
        for (int k = 0; k < launch->count; k++) {
            const Step *s = launch->steps[k];
            for (int p = 0; p < s->kernel->parameter_count; p++)
                if (s->kernel->slots.data[p].access & ACCESS_WRITE)
                    writers[whole(s->arguments[p])->id] = i;
        }
    }
    for (int i = 0; i < entry->entry->buffers.count; i++) {
        const Buffer *b = entry->entry->buffers.data[i];
        if (b->kind != BUFFER_RESULT || writers[i] < 0) continue;
        const Result *result = &source->results.data[b->index];
        text_printf(out, "  r%d [label=\"", b->index);
        print_label(out, result->name ? result->name->text : "output");
        text_append(out, "\", shape=ellipse, style=filled, fillcolor=palegreen];\n");
        text_printf(out, "  l%d -> r%d;\n", writers[i], b->index);
    }
    text_append(out, "}\n");
}

/* ---- from a program ---- */

/* Builds the CUDA code of the program's roots, or of `root` alone. */
static int build(const CommandLine *line, const Pipeline *opened, const Root *root, BackEnd *back) {
    Pipeline *pipeline = arena_copy(line->arena, opened, sizeof *opened);
    Program *program = pipeline->program =
        arena_copy(line->arena, opened->program, sizeof *opened->program);
    if (root) {
        memset(&program->roots, 0, sizeof program->roots);
        for (int r = 0; r < opened->program->roots.count; r++)
            if (opened->program->roots.data[r] == root)
                vector_push(line->arena, &program->roots, opened->program->roots.data[r]);
    }
    int status = pipeline_simplify(pipeline, NULL, NULL);
    if (status) return status;
    *back = (BackEnd){.arena = line->arena,
                      .program = program,
                      .pipeline = pipeline,
                      .backend = backend_find("cuda"),
                      .options = {.header_name = "model_cuda.h", .file_name = "model.cu"}};
    back_end_run(back);
    return back->errors ? EXIT_MODEL : 0;
}

int launches_of_program(const CommandLine *line, const Pipeline *pipeline, const Root *root,
                        Text *out) {
    BackEnd back;
    int status = build(line, pipeline, root, &back);
    if (status) return status;
    launches_print(out, back.plan,
                   launches_ask_nvcc(line, &back.source, &back.header, "model_cuda.h"));
    return 0;
}

int launches_of_entry(const CommandLine *line, const Pipeline *pipeline, const Entry *entry,
                      Text *out) {
    BackEnd back;
    int status = build(line, pipeline, NULL, &back);
    if (status) return status;
    const Registers *registers =
        launches_ask_nvcc(line, &back.source, &back.header, "model_cuda.h");
    for (int r = 0; r < back.plan->roots.count; r++)
        for (int e = 0; e < back.plan->roots.data[r]->entries.count; e++)
            if (back.plan->roots.data[r]->entries.data[e]->entry->entry == entry)
                launches_print_dot(out, back.plan, back.plan->roots.data[r]->entries.data[e],
                                   registers);
    return 0;
}
