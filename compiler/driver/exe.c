/* Standalone binaries: emitted C in several variants, CUDA code where it is asked for, weights,
 * labels and the runtime in one file.
 * Invariants: weights are checked against the model before anything is built; the output is
 * replaced in one step; only libc and libm stay shared, of CUDA nothing. */
#define _GNU_SOURCE
#include "driver/exe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/embedded.h"
#include "driver/process.h"
#include "emit/common/common.h"

enum { WORD_LIMIT = 64, PART_LIMIT = 8, LABEL_LIMIT = 1 << 20 };

static const char *const host_flags[] = {"-std=gnu11", "-O2", "-w", "-c"};
static const char *const model_flags[] = {
    "-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-w",
    "-fPIE",      "-c"};

/* nvcc links with the C++ compiler, which brings libraries of its own. */
static const char *const cuda_flags[] = {"-std=c++17", "-O3", "-w",        "-Xcompiler",
                                         "-fPIE",      "-c",  "--threads", "0"};
/* Compute capabilities that a binary has code for. */
static const int cuda_architectures[] = {75, 80, 86, 89, 90, 100, 120};
static const char *const link_flags[] = {"-pthread", "-Wl,--gc-sections"};
static const char *const cuda_link_flags[] = {
    "-cudart",        "static",     "-Xcompiler",        "-pthread", "-Xcompiler",
    "-static-libgcc", "-Xcompiler", "-static-libstdc++", "-Xlinker", "--gc-sections"};
#if defined(__SANITIZE_ADDRESS__)
static const char *const sanitizers[] = {"-fsanitize=address", "-fsanitize=undefined"};
#endif

/* A compiler, in words. */
typedef struct Tool {
    JitCompiler compiler;
    char buffer[4096];
    const char *words[WORD_LIMIT];
    int count;
} Tool;

/* The arguments of a call of a tool. */
typedef struct Arguments {
    const char *words[WORD_LIMIT + 64];
    int count;
} Arguments;
#define ADD_ALL(arguments, list) add_words(arguments, list, (int)(sizeof list / sizeof list[0]))

typedef struct Build {
    const ExeOptions *options;
    Arena *arena;
    char folder[4096];
    Tool cc, nvcc;
    bool cuda;                       /* the binary holds code for a GPU */
    const Target *parts[PART_LIMIT]; /* compilations of the model */
    int part_count;
    bool localize; /* several parts: their symbols are made local, but one */
    const char *runtime;
    Model model;
    NncSession session;
    NncBytes labels;
    NncError error;
    int status;
} Build;

static const char *in_folder(const Build *build, const char *name) {
    return arena_printf(build->arena, "%s/%s", build->folder, name);
}

static void add_words(Arguments *arguments, const char *const *words, int count) {
    for (int i = 0; i < count; ++i) arguments->words[arguments->count++] = words[i];
}

static void add_word(Arguments *arguments, const char *word) {
    add_words(arguments, &word, 1);
}

/* Runs a tool; `ours`: a failure of it is a mistake of the compiler's. */
static int run_tool(Build *build, JitLanguage language, Arguments *arguments, bool ours,
                    const char *hint) {
    const char **argv = arguments->words;
    NncText output = {0};
    bool missing;
    int status = 0, result = 0;
    argv[arguments->count] = NULL;
    if (build->options->verbose) {
        for (int i = 0; argv[i]; ++i) fprintf(stderr, "%s%s", i ? " " : "+ ", argv[i]);
        fputc('\n', stderr);
    }
    if (!process_run(argv, &output, &status, &missing, &build->error)) {
        if (missing) jit_explain_missing(language, argv[0], &build->error);
        result = signals_received ? 128 + signals_received : 3;
    } else if (status != 0) {
        nnc_fail(&build->error, "%s failed (status %d)%s:\n%.3000s", argv[0], status, hint,
                 output.data ? output.data : "");
        result = signals_received ? 128 + signals_received : ours ? 70 : 3;
    }
    nnc_text_free(&output);
    return result;
}

static const char *find_runtime(Arena *arena) {
    static const char *const places[] = {"..", "../lib", "../lib/x86_64-linux-gnu",
                                         "../lib/aarch64-linux-gnu", "../lib64"};
    const char *wish = getenv("NNC_RUNTIME_DIR");
    if (wish && *wish) {
        const char *path = arena_printf(arena, "%s/libnncrt.a", wish);
        return access(path, R_OK) == 0 ? path : NULL;
    }
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) return NULL;
    self[length] = 0;
    char *slash = strrchr(self, '/');
    if (!slash) return NULL;
    *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; ++i) {
        const char *path = arena_printf(arena, "%s/%s/libnncrt.a", self, places[i]);
        if (access(path, R_OK) == 0) return path;
    }
    return NULL;
}

/* A C string literal of any bytes. */
static void add_literal(Text *out, const char *text, size_t length) {
    text_char(out, '"');
    for (size_t i = 0; i < length; ++i) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '?')
            text_printf(out, "\\%03o", c);
        else
            text_char(out, (char)c);
    }
    text_char(out, '"');
}

/* labels.txt as a table; empty lines at the end do not count. */
static int add_labels(Build *build, Text *out, int64_t classes) {
    const NncBytes *labels = &build->labels;
    const char *path = build->options->labels;
    int count = 0;
    text_append(out, "const char *const nnc_labels[] = {\n");
    if (path) {
        if (!nnc_file_read(path, LABEL_LIMIT, &build->labels, &build->error)) return 3;
        const char *nul = memchr(labels->data, 0, labels->length);
        if (nul) {
            nnc_fail(&build->error, "'%s' is no text: byte %td is 0", path,
                     nul - (const char *)labels->data);
            return 3;
        }
        size_t end = labels->length;
        const bool marked = end >= 3 && memcmp(labels->data, "\xef\xbb\xbf", 3) == 0;
        while (end > 0 && (labels->data[end - 1] == '\n' || labels->data[end - 1] == '\r')) --end;
        for (size_t at = marked ? 3 : 0; at < end;) {
            size_t stop = at;
            while (stop < end && labels->data[stop] != '\n') ++stop;
            size_t length = stop - at;
            if (length && labels->data[at + length - 1] == '\r') --length;
            text_append(out, "    ");
            add_literal(out, (const char *)labels->data + at, length);
            text_append(out, ",\n");
            ++count;
            at = stop + 1;
        }
        if (classes >= 0 && count != classes) {
            nnc_fail(&build->error, "'%s' has %d names, the model has %lld classes", path, count,
                     (long long)classes);
            return 3;
        }
    }
    text_printf(out, "    0};\nconst int nnc_label_count = %d;\n", count);
    return 0;
}

/* Classes of the entry: the last dim of its first float result of rank 2 whose size is fixed, or
 * -1. */
static int64_t class_count(const nnc_entry_info *entry) {
    for (int r = 0; r < entry->result_count; ++r) {
        const nnc_tensor_info *info = &entry->results[r];
        if (info->rank == 2 && nnc_dtype_is_float(info->dtype) && info->dims[1] >= 0)
            return info->dims[1];
    }
    return -1;
}

/* Checks the weights against the model and writes them in the model's own names. */
static int write_weights(Build *build, const Model *model) {
    const nnc_model *table = model->table;
    bool needs = false;
    for (int c = 0; c < table->cell_count; ++c) needs = needs || table->cells[c].saved;
    if (needs && !build->options->weights) {
        nnc_fail(&build->error,
                 "'%s' has parameters; give their values with --weights FILE.safetensors",
                 table->name);
        return 2;
    }
    const char *path = in_folder(build, "weights.safetensors");
    NncSession *session = &build->session;
    bool good =
        model_session(model, NULL, 0, session, &build->error) &&
        nnc_session_init(session, 0, &build->error) &&
        (!needs || nnc_weights_load_file(session, build->options->weights, NULL, &build->error)) &&
        nnc_weights_save(session, path, &build->error);
    return good ? 0 : 3;
}

static bool write_text(Build *build, const char *name, const Text *text) {
    return jit_write_file(build->folder, name, text->data, text->length, &build->error);
}

static bool is_host_file(const char *name) {
    static const char *const names[] = {"standalone.c",   "nnc_standalone.h", "nnc_abi.h",
                                        "nnc_cuda_abi.h", "nnc_device.h",     "device.cu"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

/* model.cu, and a file that compiles it beside the functions of the device. */
static int write_cuda(Build *build, const Pipeline *pipeline, Root *root) {
    EmittedCode emitted;
    Text both = text_new(build->arena);
    text_printf(&both,
                "#include \"model.cu\"\n"
                "#include \"device.cu\"\n"
                "extern \"C\" const nnc_cuda_model *nnc_cuda_variant(void) {\n"
                "    return %s_cuda_model();\n"
                "}\n",
                emit_identifier(build->arena, root->name->text));
    int status = pipeline_emit(pipeline, root, "cuda", false, &emitted);
    if (status != 0) return status;
    return write_text(build, "model.cu", &emitted.source) &&
                   write_text(build, "model_cuda.h", &emitted.header) &&
                   write_text(build, "variant_cuda.cu", &both)
               ? 0
               : 3;
}

static int write_sources(Build *build, const Model *model, const Root *root,
                         const EmittedCode *emitted) {
    NncError *error = &build->error;
    bool good = write_text(build, "model.c", &emitted->source) &&
                write_text(build, "model.h", &emitted->header);
    for (const EmbeddedFile *file = templates_files; good && file->name; ++file)
        if (is_host_file(file->name))
            good = jit_write_file(build->folder, file->name, file->text, file->length, error);
    for (int v = 0; good && v < build->part_count; ++v) {
        const char *name = build->parts[v]->part;
        const char *text =
            arena_printf(build->arena,
                         "#include \"model.c\"\n"
                         "const nnc_model *nnc_variant_%s(void);\n"
                         "const nnc_model *nnc_variant_%s(void) { return %s_model(); }\n",
                         name, name, emit_identifier(build->arena, root->name->text));
        good = jit_write_file(build->folder, arena_printf(build->arena, "variant_%s.c", name), text,
                              strlen(text), error);
    }
    if (!good) return 3;
    Text data = text_new(build->arena);
    text_append(&data,
                "extern const char *const nnc_labels[];\nextern const int nnc_label_count;\n");
    int status = add_labels(build, &data, class_count(model->entry));
    if (status != 0) return status;
    text_append(&data, "__asm__(\".section .rodata\\n\"\n"
                       "        \".balign 64\\n\"\n"
                       "        \".globl nnc_weights_begin\\n\"\n"
                       "        \"nnc_weights_begin:\\n\"\n"
                       "        \".incbin \\\"weights.safetensors\\\"\\n\"\n"
                       "        \".globl nnc_weights_end\\n\"\n"
                       "        \"nnc_weights_end:\\n\"\n"
                       "        \".byte 0\\n\"\n"
                       "        \".text\\n\");\n");
    Text configuration = text_new(build->arena);
    text_append(&configuration, "#define NNC_VARIANTS(X)");
    for (int v = 0; v < build->part_count; ++v)
        text_printf(&configuration, " X(%s, %s, \"%s\")", build->parts[v]->part,
                    build->parts[v]->test, build->parts[v]->text);
    text_append(&configuration, "\n#define NNC_ENTRY ");
    add_literal(&configuration, model->entry->name, strlen(model->entry->name));
    text_append(&configuration, build->cuda ? "\n#define NNC_HOLDS_CUDA 1\n" : "\n");
    return write_text(build, "data.c", &data) &&
                   write_text(build, "configuration.h", &configuration)
               ? 0
               : 3;
}

/* Compiles `source` to `object`, both in the folder. */
static int compile_file(Build *build, const Tool *tool, const char *const *flags, int flag_count,
                        const char *flag, const char *source, const char *object, bool ours,
                        const char *hint) {
    Arguments arguments = {.count = 0};
    add_words(&arguments, tool->words, tool->count);
    add_words(&arguments, flags, flag_count);
    if (flag) add_word(&arguments, flag);
    add_word(&arguments, "-o");
    add_word(&arguments, in_folder(build, object));
    add_word(&arguments, in_folder(build, source));
    return run_tool(build, tool->compiler.language, &arguments, ours, hint);
}

static int compile_part(Build *build, const Target *part) {
    const char *name = arena_printf(build->arena, "variant_%s", part->part);
    const char *object = arena_printf(build->arena, "%s.o", name);
    int status = compile_file(build, &build->cc, model_flags,
                              (int)(sizeof model_flags / sizeof model_flags[0]), part->march,
                              arena_printf(build->arena, "%s.c", name), object, true,
                              ", which refuses the emitted C code: a mistake in nnc");
    if (status != 0 || !build->localize) return status;
    Arguments keep = {.count = 0};
    add_word(&keep, "objcopy");
    add_word(&keep, arena_printf(build->arena, "--keep-global-symbol=nnc_%s", name));
    add_word(&keep, in_folder(build, object));
    return run_tool(build, JIT_C, &keep, true, "");
}

static int compile_cuda(Build *build) {
    const char *arch = build->options->cuda_arch;
    Arguments flags = {.count = 0};
    ADD_ALL(&flags, cuda_flags);
    if (arch) add_word(&flags, arena_printf(build->arena, "-arch=%s", arch));
    const int count = sizeof cuda_architectures / sizeof cuda_architectures[0];
    for (int i = 0; !arch && i < count; ++i) {
        const int a = cuda_architectures[i];
        add_word(&flags, arena_printf(build->arena, "-gencode=arch=compute_%d,code=sm_%d", a, a));
        if (i == count - 1) /* for GPUs that come after */
            add_word(&flags,
                     arena_printf(build->arena, "-gencode=arch=compute_%d,code=compute_%d", a, a));
    }
    return compile_file(build, &build->nvcc, flags.words, flags.count, NULL, "variant_cuda.cu",
                        "variant_cuda.o", false, " while compiling CUDA code");
}

/* The main program, and weights and labels. */
static int compile_host(Build *build) {
    Arguments arguments = {.count = 0};
    add_words(&arguments, build->cc.words, build->cc.count);
    ADD_ALL(&arguments, host_flags);
    add_word(&arguments, "-include");
    add_word(&arguments, in_folder(build, "configuration.h"));
    add_word(&arguments, arena_printf(build->arena, "-I%s", build->folder));
    add_word(&arguments, "-o");
    add_word(&arguments, in_folder(build, "standalone.o"));
    add_word(&arguments, in_folder(build, "standalone.c"));
    int status = run_tool(build, JIT_C, &arguments, true, "");
    if (status != 0) return status;
    return compile_file(
        build, &build->cc, host_flags, (int)(sizeof host_flags / sizeof host_flags[0]),
        arena_printf(build->arena, "-Wa,-I,%s", build->folder), "data.c", "data.o", true, "");
}

static int link_binary(Build *build) {
    Arguments arguments = {.count = 0};
    const Tool *tool = build->cuda ? &build->nvcc : &build->cc;
    add_words(&arguments, tool->words, tool->count);
    add_word(&arguments, "-o");
    add_word(&arguments, in_folder(build, "binary"));
    add_word(&arguments, in_folder(build, "standalone.o"));
    add_word(&arguments, in_folder(build, "data.o"));
    for (int v = 0; v < build->part_count; ++v)
        add_word(&arguments, in_folder(build, arena_printf(build->arena, "variant_%s.o",
                                                           build->parts[v]->part)));
    if (build->cuda) add_word(&arguments, in_folder(build, "variant_cuda.o"));
    add_word(&arguments, build->runtime);
    add_word(&arguments, "-l:libpng16.a");
    add_word(&arguments, "-l:libjpeg.a");
    add_word(&arguments, "-l:libz.a");
    add_word(&arguments, "-lm");
#if defined(__SANITIZE_ADDRESS__) /* as libnncrt.a was built */
    for (size_t i = 0; i < sizeof sanitizers / sizeof sanitizers[0]; ++i) {
        if (build->cuda) add_word(&arguments, "-Xcompiler");
        add_word(&arguments, sanitizers[i]);
    }
#endif
    if (build->cuda)
        ADD_ALL(&arguments, cuda_link_flags);
    else
        ADD_ALL(&arguments, link_flags);
    return run_tool(
        build, tool->compiler.language, &arguments, false,
        " while linking; libpng16.a, libjpeg.a and libz.a are needed (Debian: libpng-dev, "
        "libjpeg-dev, zlib1g-dev)");
}

static int install_binary(Build *build) {
    NncBytes bytes;
    const char *output = build->options->output;
    if (!nnc_file_read(in_folder(build, "binary"), (size_t)1 << 40, &bytes, &build->error))
        return 3;
    bool good = nnc_file_write(output, &bytes, 1, &build->error);
    nnc_release(bytes.data);
    if (!good) return 3;
    struct stat info;
    /* A device takes the bytes and stays what it is. */
    if (stat(output, &info) == 0 && !S_ISREG(info.st_mode)) return 0;
    if (stat(output, &info) != 0 ||
        chmod(output, (info.st_mode & 0777) | ((info.st_mode & 0444) >> 2)) != 0) {
        nnc_fail(&build->error, "cannot make '%s' executable: %s", output, strerror(errno));
        return 3;
    }
    return 0;
}

static int build_binary(Build *build, const Pipeline *pipeline, Root *root, const Model *model) {
    EmittedCode emitted;
    if (!model->entry || model->entry->argument_count != 1) {
        nnc_fail(&build->error, "a standalone binary needs an export with one input; '%s' has %d",
                 root->name->text, model->entry ? model->entry->argument_count : 0);
        return 1;
    }
    if (model->table->init_dim_count) {
        nnc_fail(
            &build->error,
            "the state of '%s' has dim %s, and a standalone binary is not told of any: write a "
            "number in the state's type",
            root->name->text, model->table->init_dims[0]);
        return 1;
    }
    build->runtime = find_runtime(build->arena);
    if (!build->runtime) {
        nnc_fail(&build->error, "libnncrt.a is neither beside the compiler nor in NNC_RUNTIME_DIR");
        return 3;
    }
    if (!jit_make_folder(build->folder, &build->error)) return 3;
    int status = write_weights(build, model);
    if (status == 0) status = pipeline_emit(pipeline, root, "c", false, &emitted);
    if (status == 0) status = write_sources(build, model, root, &emitted);
    if (status == 0 && build->cuda) status = write_cuda(build, pipeline, root);
    for (int v = 0; status == 0 && v < build->part_count; ++v)
        status = compile_part(build, build->parts[v]);
    if (status == 0 && build->cuda) status = compile_cuda(build);
    if (status == 0) status = compile_host(build);
    if (status == 0) status = link_binary(build);
    if (status == 0) status = install_binary(build);
    return status;
}

static void build_target(void *user) {
    Build *build = user;
    const ExeOptions *options = build->options;
    EngineOptions engine = {.cc = options->cc, .threads = 1, .verbose = options->verbose};
    Pipeline pipeline;
    Root *root;
    Entry *entry;
    int status = pipeline_open(&pipeline, build->arena, options->target, &options->pipeline);
    if (status == 0) status = pipeline_choose(&pipeline, WISH_EXPORT, &root, &entry);
    if (status == 0) status = model_open(&build->model, &pipeline, root, entry, &engine);
    if (status == 0) {
        status = build_binary(build, &pipeline, root, &build->model);
        if (status != 0 && build->error.text[0]) driver_fail(status, &build->error);
    }
    build->status = status;
}

static bool read_tool(Tool *tool, NncError *error) {
    tool->count = jit_words(&tool->compiler, tool->buffer, tool->words, WORD_LIMIT, error);
    return tool->count > 0;
}

/* Whether the binary is to hold code for a GPU; false when it cannot, but must. */
static bool choose_devices(Build *build) {
    DeviceWish wish = build->options->device;
    if (wish != DEVICE_AUTO && wish != DEVICE_CUDA) return true;
    build->cuda = read_tool(&build->nvcc, &build->error) && process_find(build->nvcc.words[0]);
    if (build->cuda) return true;
    if (build->nvcc.count) jit_explain_missing(JIT_CUDA, build->nvcc.words[0], &build->error);
    if (wish == DEVICE_CUDA) return false;
    fprintf(stderr, "nnc: %s\nnnc: the binary is for the processor alone\n", build->error.text);
    return true;
}

/* The one that --target names; otherwise all common ones, or, where their symbols can't be kept
 * apart, that which runs everywhere. */
static void choose_parts(Build *build) {
    const Target *named = build->options->for_target;
    build->localize = !named->march && process_find("objcopy");
    for (int i = 0; i < target_count; i++) {
        const Target *t = &targets[i];
        if (!t->part || (named->march ? t != named : !t->common)) continue;
        if (!named->march && !build->localize) build->part_count = 0;
        build->parts[build->part_count++] = t;
    }
}

int exe_command(const ExeOptions *options) {
    Build build = {.options = options, .arena = arena_new()};
    signals_install();
    choose_parts(&build);
    build.cc.compiler = (JitCompiler){.language = JIT_C, .command = options->cc};
    build.nvcc.compiler = (JitCompiler){.language = JIT_CUDA, .command = options->nvcc};
    if (!build.part_count) {
        nnc_fail(&build.error, "binaries for x86-64 are built on x86-64 only");
        build.status = driver_fail(2, &build.error);
    } else if (!read_tool(&build.cc, &build.error)) {
        build.status = driver_fail(2, &build.error);
    } else if (!choose_devices(&build)) {
        build.status = driver_fail(3, &build.error);
    } else if (!memory_guard(build_target, &build)) {
        build.status = 3;
    }
    if (build.folder[0]) jit_remove_folder(build.folder);
    nnc_release(build.labels.data);
    nnc_session_close(&build.session);
    model_close(&build.model);
    arena_free(build.arena);
    return build.status;
}
