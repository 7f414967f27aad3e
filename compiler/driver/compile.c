/* nnc FILE: from a program to C, objects, libraries, binaries and the texts between.
 *
 * Everything is made in memory first and written at the end, each file in one step; an error leaves
 * all files as they were. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "driver/back_end.h"
#include "driver/commands.h"
#include "driver/exe.h"
#include "driver/jit.h"
#include "driver/launches.h"
#include "driver/places.h"
#include "driver/process.h"
#include "driver/targets.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"

typedef enum EmitKind {
    EMIT_C = 1,
    EMIT_HEADER = 2,
    EMIT_EXE = 4,
    EMIT_OBJ = 8,
    EMIT_LIB = 16,
    EMIT_AST = 32,
    EMIT_IR = 64,
    EMIT_KERNELS = 128,
    EMIT_PLAN = 256,
    EMIT_DOT = 512,
} EmitKind;
static const struct {
    const char *name;
    EmitKind kind;
} kinds[] = {{"c", EMIT_C},       {"cuda", EMIT_C},  {"header", EMIT_HEADER},
             {"exe", EMIT_EXE},   {"obj", EMIT_OBJ}, {"lib", EMIT_LIB},
             {"ast", EMIT_AST},   {"ir", EMIT_IR},   {"kernels", EMIT_KERNELS},
             {"plan", EMIT_PLAN}, {"dot", EMIT_DOT}};
enum {
    EMIT_CODE = EMIT_C | EMIT_HEADER | EMIT_OBJ | EMIT_LIB,
    EMIT_BETWEEN = EMIT_AST | EMIT_IR | EMIT_KERNELS | EMIT_PLAN | EMIT_DOT,
    WORD_LIMIT = 64
};

static const char *const object_flags[] = {
    "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-w",
    "-fPIC",      "-c"};

typedef struct Compilation {
    const CommandLine *line;
    Arena *arena;
    Pipeline pipeline;
    const char *only_pass; /* of the passes on graphs; NULL: all */
    PassControl passes;
    unsigned kinds;
    unsigned remarks; /* 1 << RemarkKind of those to print */
    bool cuda;        /* --emit names it */
    bool no_graph;    /* --cuda-graph=off */
    const Target *target;
    const char *output, *stem; /* -o, or NULL; the name without folder and extension */
    bool stream;               /* -o is standard output, a device or a pipe */
    const KernelProgram *kernels;
    const Plan *plan;
    Text header, source;
    const char *header_name, *source_name; /* without folders */
} Compilation;

static int read_kinds(Compilation *c) {
    const char *text = c->line->value[OPTION_EMIT];
    if (!text) {
        c->kinds = EMIT_C | EMIT_HEADER;
        return 0;
    }
    while (*text) {
        size_t length = strcspn(text, ",");
        unsigned found = 0;
        c->cuda = c->cuda || (length == 4 && !strncmp(text, "cuda", length));
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (strlen(kinds[i].name) == length && !strncmp(kinds[i].name, text, length))
                found = kinds[i].kind;
        if (!found)
            return options_misuse(c->line,
                                  "--emit=%.*s: the kinds are c, cuda, header, exe, obj, lib, ast, "
                                  "ir, kernels, plan, "
                                  "dot",
                                  (int)length, text);
        c->kinds |= found;
        text += length + (text[length] == ',');
    }
    if (c->kinds & EMIT_EXE && c->kinds != EMIT_EXE)
        return options_misuse(c->line, "--emit=exe stands alone");
    return 0;
}

/* Which options go with which kinds. */
static int check_kinds(const Compilation *c) {
    static const struct {
        OptionId option;
        unsigned kinds;
    } of_gpus[] = {{OPTION_DEVICE, EMIT_EXE},
                   {OPTION_CUDA_ARCH, EMIT_EXE | EMIT_PLAN},
                   {OPTION_NVCC, EMIT_EXE | EMIT_PLAN}};
    for (size_t i = 0; i < sizeof of_gpus / sizeof *of_gpus; i++)
        if (c->line->given[of_gpus[i].option] && !(c->kinds & of_gpus[i].kinds))
            return options_misuse(c->line, "--%s wants --emit=exe%s; CUDA code is --target=cuda",
                                  option_rows[of_gpus[i].option].name,
                                  of_gpus[i].kinds & EMIT_PLAN ? " or plan" : "");
    static const OptionId for_code[] = {OPTION_REMARKS, OPTION_INSTRUMENT};
    for (size_t i = 0; i < sizeof for_code / sizeof *for_code && c->kinds == EMIT_EXE; i++)
        if (c->line->given[for_code[i]])
            return options_misuse(c->line, "--%s does not go with --emit=exe",
                                  option_rows[for_code[i]].name);
    return 0;
}

static int read_remarks(Compilation *c) {
    static const struct {
        const char *name;
        unsigned remarks;
    } known[] = {{"fuse", 1u << REMARK_FUSED | 1u << REMARK_NOT_FUSED},
                 {"contract", 1u << REMARK_CONTRACTION},
                 {"all", ~0u}};
    for (const char *text = c->line->value[OPTION_REMARKS]; text && *text;) {
        size_t length = strcspn(text, ",");
        unsigned found = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strlen(known[i].name) == length && !strncmp(known[i].name, text, length))
                found = known[i].remarks;
        if (!found)
            return options_misuse(c->line, "--remarks=%.*s: the kinds are fuse, contract, all",
                                  (int)length, text);
        c->remarks |= found;
        text += length + (text[length] == ',');
    }
    return 0;
}

static int read_pass_name(const Compilation *c, OptionId id, const char **out) {
    *out = c->line->value[id];
    if (!*out || pass_find(*out) >= 0) return 0;
    const char *near = pass_suggest(*out);
    if (near) return options_misuse(c->line, "unknown pass %s; did you mean %s?", *out, near);
    return options_misuse(c->line, "unknown pass %s", *out);
}

/* ---- entries ---- */

/* NAME, or BLOCK.def: keeps that root, and of a block only that def and what init needs. */
static bool keep_named(Compilation *c, Root *root, const char *name) {
    size_t length = root->name->length;
    if (!strcmp(root->name->text, name)) return true;
    if (strncmp(root->name->text, name, length) || name[length] != '.') return false;
    Root *copy = root;
    int kept = 0;
    bool found = false;
    for (int i = 0; i < copy->entries.count; i++) {
        Entry *entry = copy->entries.data[i];
        bool wanted = !strcmp(entry->name->text, name + length + 1);
        found = found || wanted;
        if (wanted || entry->kind == ENTRY_INIT || entry->kind == ENTRY_RESET)
            copy->entries.data[kept++] = entry;
    }
    if (found) copy->entries.count = kept;
    return found;
}

static int choose_entries(Compilation *c) {
    Program *program = c->pipeline.program;
    VECTOR(const char *) names = {0};
    for (int i = 0; i < c->line->list[OPTION_ENTRY].count; i++)
        vector_push(c->arena, &names, c->line->list[OPTION_ENTRY].data[i]);
    if (c->pipeline.name) vector_push(c->arena, &names, c->pipeline.name);
    if (!names.count) return 0;
    int kept = 0;
    bool *used = NEW_ARRAY(c->arena, (size_t)names.count, bool);
    for (int r = 0; r < program->roots.count; r++) {
        bool keep = false;
        for (int i = 0; i < names.count && !keep; i++) {
            keep = keep_named(c, program->roots.data[r], names.data[i]);
            used[i] = used[i] || keep;
        }
        if (keep) program->roots.data[kept++] = program->roots.data[r];
    }
    for (int i = 0; i < names.count; i++) {
        if (used[i]) continue;
        fprintf(stderr, "nnc: %s has no entry `%s`; it has", c->pipeline.file, names.data[i]);
        for (int r = 0; r < program->roots.count; r++)
            fprintf(stderr, " %s", program->roots.data[r]->name->text);
        fprintf(stderr, "\n");
        return EXIT_USAGE;
    }
    program->roots.count = kept;
    return 0;
}

/* ---- passes ---- */

static bool tells_launches(const Compilation *c) {
    return c->kinds & EMIT_PLAN && backend_find(c->target->backend)->gpu;
}

static int back_passes(Compilation *c) {
    /* The plan of a GPU tells of launches, and of registers, which nvcc knows. */
    bool code = c->kinds & EMIT_CODE || tells_launches(c);
    BackEnd back = {.arena = c->arena,
                    .program = c->pipeline.program,
                    .pipeline = &c->pipeline,
                    .passes = &c->passes,
                    .remarks = c->remarks,
                    .backend = backend_find(c->target->backend),
                    .ends_with_plan = !code,
                    .options = {.header_name = c->header_name,
                                .file_name = c->source_name,
                                .target = c->target->emitted,
                                .info = !c->line->given[OPTION_NO_INFO],
                                .no_graph = c->no_graph,
                                .instrument = c->line->given[OPTION_INSTRUMENT]}};
    back_end_run(&back);
    c->kernels = back.kernels;
    c->plan = back.plan;
    c->header = back.header;
    c->source = back.source;
    return back.errors ? EXIT_MODEL : 0;
}

/* ---- output ---- */

static int write_file(Compilation *c, const char *path, const char *data, size_t length, int mode) {
    nnc_leftover_files_remove(path);
    const char *error = file_write_all(c->arena, path, data, length, mode);
    if (!error) return 0;
    fprintf(stderr, "nnc: %s\n", error);
    return EXIT_FILES;
}

/* What is written has no folder and no name that others could be derived from. */
static bool is_stream(const char *path) {
    struct stat file;
    return !strcmp(path, "-") ||
           (!stat(path, &file) && !S_ISREG(file.st_mode) && !S_ISDIR(file.st_mode));
}

/* The name with another extension, in the folder of -o. */
static const char *sibling(const Compilation *c, const char *extension) {
    bool named = c->output && !c->stream;
    const char *base = named ? c->output : c->stem;
    const char *slash = strrchr(base, '/'), *dot = strrchr(base, '.');
    size_t length =
        named && dot && (!slash || dot > slash + 1) ? (size_t)(dot - base) : strlen(base);
    return arena_printf(c->arena, "%.*s%s", (int)length, base, extension);
}

static const char *source_path(const Compilation *c) {
    return c->output && !c->stream && c->kinds & EMIT_C
               ? c->output
               : sibling(c, backend_find(c->target->backend)->extension);
}

static const char *header_path(const Compilation *c) {
    return sibling(c, backend_find(c->target->backend)->header_extension);
}

static const char *object_path(const Compilation *c, bool library) {
    bool named = c->output && !(c->kinds & EMIT_C) && !(library && c->kinds & EMIT_OBJ);
    return named ? c->output : sibling(c, library ? ".a" : ".o");
}

/* -o is the header's where that is all there is. */
static const char *header_place(const Compilation *c) {
    return c->output && (c->kinds & EMIT_CODE) == EMIT_HEADER ? c->output : header_path(c);
}

/* Every file that is made has a place of its own. */
static int check_places(const Compilation *c) {
    const char *paths[4] = {NULL}, *made[4];
    int count = 0;
    if (c->kinds & EMIT_C && !c->stream) paths[0] = source_path(c);
    if (c->kinds & EMIT_OBJ) paths[1] = object_path(c, false);
    if (c->kinds & EMIT_LIB) paths[2] = object_path(c, true);
    if (c->kinds & EMIT_CODE && !c->stream) paths[3] = header_place(c);
    bool taken = c->kinds & EMIT_BETWEEN;
    for (int i = 0; i < 4; i++) {
        if (!paths[i]) continue;
        if (paths[i] != c->output || taken) made[count++] = paths[i];
        taken = taken || paths[i] == c->output;
    }
    return places_check(c->line, c->pipeline.program, made, count);
}

static const char *without_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* #include knows no escapes. */
static bool can_be_included(const char *name) {
    for (; *name; name++)
        if (*name == '"' || *name == '\\' || (unsigned char)*name < ' ' || *name == 127)
            return false;
    return true;
}

/* The header takes the place of its #include. */
static void inline_header(Compilation *c) {
    const char *include = arena_printf(c->arena, "#include \"%s\"\n", c->header_name);
    const char *at = strstr(c->source.data, include);
    text_replace(&c->source, at ? (size_t)(at - c->source.data) : 0, at ? strlen(include) : 0,
                 c->header.data, c->header.length);
}

static int run_tool(Compilation *c, const char *const *argv) {
    NncError error = {0};
    NncText output = {0};
    int code = 0;
    bool missing = false;
    if (c->line->given[OPTION_VERBOSE]) {
        for (int i = 0; argv[i]; i++) fprintf(stderr, "%s%s", i ? " " : "", argv[i]);
        fprintf(stderr, "\n");
    }
    if (!process_run(argv, &output, &code, &missing, &error)) {
        if (missing) jit_explain_missing(JIT_C, argv[0], &error);
        if (signals_received) return 128 + signals_received;
        fprintf(stderr, "nnc: %s\n", error.text);
        return EXIT_FILES;
    }
    if (code == 0) return 0;
    if (signals_received) return 128 + signals_received;
    fprintf(stderr, "nnc: internal error: %s refuses the emitted code:\n%.*s\n", argv[0],
            (int)output.length, output.data ? output.data : "");
    return EXIT_INTERNAL;
}

/* model.c and model.h in a folder of their own, compiled to model.o, and packed for a library. */
static int build_object(Compilation *c, const char *folder, bool library, const char **product) {
    NncError error = {0};
    if (!jit_write_file(folder, "model.c", c->source.data, c->source.length, &error) ||
        !jit_write_file(folder, c->header_name, c->header.data, c->header.length, &error)) {
        fprintf(stderr, "nnc: %s\n", error.text);
        return EXIT_FILES;
    }
    char buffer[4096];
    const char *words[WORD_LIMIT], *argv[WORD_LIMIT + 20];
    JitCompiler compiler = {.command = c->line->value[OPTION_CC]};
    int count = jit_words(&compiler, buffer, words, WORD_LIMIT, &error), n = 0;
    if (!count) return options_misuse(c->line, "%s", error.text);
    for (int i = 0; i < count; i++) argv[n++] = words[i];
    for (size_t i = 0; i < sizeof object_flags / sizeof *object_flags; i++)
        argv[n++] = object_flags[i];
    if (c->target->march) argv[n++] = c->target->march;
    const char *object = arena_printf(c->arena, "%s/model.o", folder);
    argv[n++] = arena_printf(c->arena, "%s/model.c", folder);
    argv[n++] = "-o";
    argv[n++] = object;
    argv[n] = NULL;
    *product = object;
    int status = run_tool(c, argv);
    if (status || !library) return status;
    *product = arena_printf(c->arena, "%s/model.a", folder);
    const char *const pack[] = {"ar", "rcsD", *product, object, NULL};
    return run_tool(c, pack);
}

/* An object or library on its way to its place. */
typedef struct Building {
    Compilation *compilation;
    char folder[4096];
    bool library;
    int status;
} Building;

static void build_and_write(void *user) {
    Building *building = user;
    Compilation *c = building->compilation;
    bool library = building->library;
    const char *product = NULL, *problem = NULL;
    building->status = build_object(c, building->folder, library, &product);
    if (building->status) return;
    size_t length;
    char *data = file_read_all(c->arena, product, (size_t)1 << 31, &length, &problem);
    if (!data) {
        fprintf(stderr, "nnc: %s\n", problem);
        building->status = EXIT_FILES;
        return;
    }
    const char *path = object_path(c, library);
    building->status = write_file(c, path, data, length, 0644);
    if (!building->status && !(path == c->output && c->stream))
        building->status = write_file(c, header_path(c), c->header.data, c->header.length, 0644);
}

static int write_object(Compilation *c, bool library) {
    Building building = {.compilation = c, .library = library};
    NncError error = {0};
    if (!jit_make_folder(building.folder, &error)) {
        fprintf(stderr, "nnc: %s\n", error.text);
        return EXIT_FILES;
    }
    if (!memory_guard(build_and_write, &building)) building.status = EXIT_FILES;
    jit_remove_folder(building.folder);
    return building.status;
}

/* Texts between the stages go to -o, or to standard output. */
static int write_between(Compilation *c, const Text *text) {
    return write_file(c, c->output ? c->output : "-", text->data, text->length, 0644);
}

static int write_code(Compilation *c) {
    int status = 0;
    /* From here on there are children and a folder to clear away. */
    if (c->kinds & (EMIT_OBJ | EMIT_LIB)) signals_install();
    if (c->kinds & EMIT_OBJ) status = write_object(c, false);
    if (!status && c->kinds & EMIT_LIB) status = write_object(c, true);
    if (!status && c->kinds & EMIT_C && c->stream) {
        inline_header(c);
        return write_file(c, c->output, c->source.data, c->source.length, 0644);
    }
    if (!status && c->kinds & EMIT_HEADER)
        status = write_file(c, header_place(c), c->header.data, c->header.length, 0644);
    if (!status && c->kinds & EMIT_C)
        status = write_file(c, source_path(c), c->source.data, c->source.length, 0644);
    return status;
}

static int produce(Compilation *c) {
    Text text = text_new(c->arena);
    if (c->kinds & EMIT_AST) {
        pipeline_print_tree(&c->pipeline, &text);
        if (c->kinds == EMIT_AST) return write_between(c, &text);
    }
    int status = choose_entries(c);
    if (!status) status = pipeline_simplify(&c->pipeline, &c->passes, c->only_pass);
    if (!status && c->passes.stopped && text.length) return write_between(c, &text);
    if (status || c->passes.stopped) return status;
    if (c->kinds & EMIT_IR) program_print(&text, c->pipeline.program, IR_PLACES);
    if (c->kinds & EMIT_DOT)
        for (int r = 0; r < c->pipeline.program->roots.count; r++) {
            const Root *root = c->pipeline.program->roots.data[r];
            for (int i = 0; i < root->entries.count; i++)
                graph_to_dot(&text, root, root->entries.data[i], true);
        }
    if (c->remarks || c->kinds & (EMIT_CODE | EMIT_KERNELS | EMIT_PLAN)) status = back_passes(c);
    if (!status && c->passes.stopped && text.length) return write_between(c, &text);
    if (status || c->passes.stopped) return status;
    if (c->kinds & EMIT_KERNELS) kernel_program_print(&text, c->kernels);
    if (c->kinds & EMIT_PLAN) plan_print(&text, c->plan);
    if (tells_launches(c))
        launches_print(&text, c->plan,
                       launches_ask_nvcc(c->line, &c->source, &c->header, c->header_name));
    if (text.length) status = write_between(c, &text);
    return status ? status : write_code(c);
}

static int make_executable(const Compilation *c, const char *target,
                           const PipelineOptions *pipeline) {
    if (!c->output) return options_misuse(c->line, "--emit=exe needs -o FILE");
    const char *entry =
        c->line->list[OPTION_ENTRY].count ? c->line->list[OPTION_ENTRY].data[0] : NULL;
    ExeOptions options = {.target = entry ? arena_printf(c->arena, "%s:%s", target, entry) : target,
                          .pipeline = *pipeline,
                          .weights = c->line->value[OPTION_WEIGHTS],
                          .labels = c->line->value[OPTION_LABELS],
                          .output = c->output,
                          .cc = c->line->value[OPTION_CC],
                          .for_target = c->target,
                          .nvcc = c->line->value[OPTION_NVCC],
                          .cuda_arch = c->line->value[OPTION_CUDA_ARCH],
                          .verbose = c->line->given[OPTION_VERBOSE]};
    int status = options_device(c->line, &options.device);
    return status ? status : exe_command(&options);
}

/* Asked for by --emit, or by the name of the output. */
static bool wants_cuda(const Compilation *c) {
    size_t length = c->output ? strlen(c->output) : 0;
    return c->cuda || (length > 3 && !strcmp(c->output + length - 3, ".cu"));
}

static int read_graph(Compilation *c) {
    const char *graph = c->line->value[OPTION_CUDA_GRAPH];
    c->no_graph = graph && !strcmp(graph, "off");
    if (graph && !c->no_graph && strcmp(graph, "on"))
        return options_misuse(c->line, "--cuda-graph is on or off, not `%s`", graph);
    return 0;
}

static int check_cuda(Compilation *c) {
    if (c->kinds & (EMIT_EXE | EMIT_OBJ | EMIT_LIB))
        return options_misuse(c->line,
                              "--target=cuda gives the text of a model: exe, obj and lib do "
                              "not go with it; a binary for a GPU is --emit=exe --device=cuda");
    if (c->line->given[OPTION_INSTRUMENT])
        return options_misuse(c->line, "--instrument does not go with --target=cuda");
    return 0;
}

static int check_architecture(const Compilation *c) {
    const char *name = c->line->value[OPTION_CUDA_ARCH];
    if (!name || strcmp(name, "native")) return 0;
    return options_misuse(c->line,
                          "--cuda-arch=native depends on the machine that builds: name the "
                          "GPU, such as sm_90");
}

static int read_target(Compilation *c) {
    const char *name = c->line->value[OPTION_TARGET];
    bool cuda = wants_cuda(c);
    c->target = &targets[0];
    if (cuda && name && strcmp(name, "cuda"))
        return options_misuse(c->line, "CUDA code and --target=%s do not go together", name);
    if (cuda) name = "cuda";
    int status = read_graph(c);
    if (status) return status;
    if (c->no_graph && (!name || strcmp(name, "cuda")))
        return options_misuse(c->line, "--cuda-graph=off is for CUDA code (--target=cuda)");
    status = options_want_gpu(c->line, (name && !strcmp(name, "cuda")) ||
                                           (c->kinds & EMIT_EXE && c->line->given[OPTION_DEVICE]));
    if (status || !name) return status;
    const Target *target = target_find(name);
    if (target) {
        c->target = target;
        return strcmp(name, "cuda") ? 0 : check_cuda(c);
    }
    Text names = text_new(c->arena);
    target_list(&names);
    return options_misuse(c->line, "--target is %s, not `%s`", names.data, name);
}

/* One pass on graphs by itself: it is printed, and the way ends there. */
static int read_only_pass(Compilation *c) {
    int status = read_pass_name(c, OPTION_ONLY_PASS, &c->only_pass);
    if (status || !c->only_pass) return status;
    for (int i = 0; i < simplify_pass_count; i++) {
        if (strcmp(c->only_pass, simplify_passes[i].name)) continue;
        c->passes.print_after = c->passes.stop_after = c->only_pass;
        return 0;
    }
    return options_misuse(c->line, "--only-pass: %s is no pass on tensor graphs", c->only_pass);
}

int command_compile(const CommandLine *line) {
    if (line->given[OPTION_PRINT_CFLAGS]) {
        for (int i = 0; jit_code_flags[i]; i++) printf("%s%s", i ? " " : "", jit_code_flags[i]);
        printf("\n");
        return 0;
    }
    Compilation *c = NEW(line->arena, Compilation);
    *c = (Compilation){.line = line, .arena = line->arena, .output = line->value[OPTION_OUTPUT]};
    c->stream = c->output && is_stream(c->output);
    const char *target;
    PipelineOptions options;
    int status = only_operand(line, "file", &target);
    if (!status) status = pipeline_options(line, &options);
    if (!status) status = read_kinds(c);
    if (!status) status = check_kinds(c);
    if (!status) status = read_remarks(c);
    if (!status) status = check_architecture(c);
    if (!status) status = read_target(c);
    if (!status) status = read_pass_name(c, OPTION_PRINT_AFTER, &c->passes.print_after);
    if (!status) status = read_pass_name(c, OPTION_STOP_AFTER, &c->passes.stop_after);
    if (!status) status = read_only_pass(c);
    if (status) return status;
    if (c->kinds & EMIT_EXE) return make_executable(c, target, &options);
    c->passes.times = line->given[OPTION_TIME_REPORT];
    c->passes.verify_each = line->given[OPTION_VERIFY_EACH];
    c->passes.seconds = NEW_ARRAY(c->arena, (size_t)pass_count(), double);
    options.passes = &c->passes;
    options.reads_ir = c->only_pass || !(c->kinds & ~(EMIT_IR | EMIT_KERNELS | EMIT_PLAN));
    status = pipeline_open(&c->pipeline, c->arena, target, &options);
    if (!status && !c->passes.stopped) {
        const char *file = c->pipeline.file, *base = without_folder(file);
        const char *dot = strrchr(base, '.');
        c->stem = !strcmp(file, "-")  ? "model"
                  : dot && dot > base ? arena_strndup(c->arena, base, (size_t)(dot - base))
                                      : base;
        c->header_name = without_folder(header_path(c));
        c->source_name = without_folder(source_path(c));
        if (c->kinds & EMIT_CODE && !can_be_included(c->header_name))
            return options_misuse(line,
                                  "%s cannot be the name of a header: it holds a quote, a "
                                  "backslash or a control character; see --output",
                                  c->header_name);
        c->header = text_new(c->arena);
        c->source = text_new(c->arena);
        status = check_places(c);
        if (!status) status = produce(c);
    }
    if (c->passes.times) pass_report_times(&c->passes);
    return status;
}
