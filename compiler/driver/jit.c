/* The C and CUDA compilers as back ends of run and train: hash, cache, spawn, dlopen. */
#define _GNU_SOURCE
#include "driver/jit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "driver/process.h"

const char *const jit_code_flags[] = {
    "-O3",
#if defined(__x86_64__)
    "-march=native",
    "-mprefer-vector-width=512",
#elif defined(__aarch64__)
    "-mcpu=native",
#endif
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    NULL,
};
static const char *const shared_flags[] = {"-std=gnu11", "-w", "-fPIC", "-shared", NULL};
static const char *const cuda_flags[] = {"-std=c++17", "-O3",     "-w",     "-Xcompiler", "-fPIC",
                                         "-shared",    "-cudart", "static", NULL};
enum { WORD_LIMIT = 64, FLAG_LIMIT = 32 };

/* How each language is compiled. */
static const struct {
    const char *variable, *command, *code; /* what names the compiler; its name; what it reads */
    const char *missing, *advice;
    const char *const *flags[2];
} languages[] = {
    [JIT_C] = {"CC",
               "cc",
               "C code",
               "no C compiler",
               "run and train compile the emitted C code. Install one (Debian, Ubuntu: apt install "
               "gcc), or name one with --cc or CC,\nor use --engine=interp, which needs none but "
               "is slow",
               {jit_code_flags, shared_flags}},
    [JIT_CUDA] = {"NVCC",
                  "nvcc",
                  "CUDA code",
                  "no CUDA compiler",
                  "Code for a GPU is compiled by nvcc of NVIDIA's CUDA toolkit (12 or later). "
                  "Install it, or name it with --nvcc or NVCC",
                  {cuda_flags}},
};

int jit_words(const JitCompiler *compiler, char buffer[4096], const char **words, int limit,
              NncError *error) {
    const char *text = compiler->command;
    if (!text || !*text) text = getenv(languages[compiler->language].variable);
    if (!text || !*text) text = languages[compiler->language].command;
    int count = process_split(text, buffer, 4096, words, limit);
    if (count == 0) nnc_fail(error, "the name of the compiler is empty or too long");
    return count;
}

void jit_explain_missing(JitLanguage language, const char *word, NncError *error) {
    nnc_fail(error, "%s: '%s' cannot be started.\n%s", languages[language].missing, word,
             languages[language].advice);
}

/* Two FNV-1a streams: 128 bits, against accidents (the folder is the user's own). */
typedef struct Hash {
    uint64_t a, b;
} Hash;

static void hash_bytes(Hash *hash, const void *data, size_t length) {
    const unsigned char *bytes = data;
    for (size_t i = 0; i < length; ++i) {
        hash->a = (hash->a ^ bytes[i]) * 0x100000001b3ull;
        hash->b = (hash->b ^ (bytes[i] + 0x9eu)) * 0x100000001b3ull;
        hash->b ^= hash->b >> 29;
    }
}

static void hash_text(Hash *hash, const char *text) {
    hash_bytes(hash, text, strlen(text) + 1);
}

/* Model and features of the processor: -march=native means another thing on each. */
static void hash_processor(Hash *hash) {
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[8192];
    int seen = 0;
    while (file && seen < 2 && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 || strncmp(line, "flags", 5) == 0 ||
            strncmp(line, "Features", 8) == 0) {
            hash_text(hash, line);
            ++seen;
        }
    if (file) fclose(file);
}

static bool make_private(const char *path, NncError *error) {
    struct stat info;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return nnc_fail(error, "cannot make the folder '%s': %s", path, strerror(errno));
    if (lstat(path, &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
        (info.st_mode & 022))
        return nnc_fail(
            error,
            "'%s' must be a folder that belongs to you and that only you can write to; set "
            "XDG_CACHE_HOME to another place",
            path);
    return true;
}

static bool try_cache(const char *base, const char *middle, const char *name, char path[4096],
                      NncError *error) {
    char parent[4096];
    int used = snprintf(parent, sizeof parent, "%s%s", base, middle);
    if (used < 0 || (size_t)used + strlen(name) + 2 >= 4096)
        return nnc_fail(error, "the path is too long");
    if (mkdir(parent, 0700) != 0 && errno != EEXIST)
        return nnc_fail(error, "cannot make the folder '%s': %s", parent, strerror(errno));
    memcpy(path, parent, (size_t)used);
    snprintf(path + used, 4096 - (size_t)used, "/%s", name);
    return make_private(path, error) &&
           (access(path, W_OK) == 0 ||
            nnc_fail(error, "cannot write to '%s': %s", path, strerror(errno)));
}

static bool cache_folder(char path[4096], NncError *error) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"),
               *temporary = getenv("TMPDIR");
    char own[64];
    if (cache && cache[0] == '/') return try_cache(cache, "", "nnc", path, error);
    if (home && home[0] == '/' && try_cache(home, "/.cache", "nnc", path, error)) return true;
    snprintf(own, sizeof own, "nnc-%ld", (long)geteuid());
    return try_cache(temporary && temporary[0] == '/' ? temporary : "/tmp", "", own, path, error);
}

bool jit_make_folder(char path[4096], NncError *error) {
    char cache[4096];
    path[0] = 0;
    if (!cache_folder(cache, error)) return false;
    nnc_leftover_folders_remove(cache, "build-");
    int used = snprintf(path, 4096, "%s/build-%ld-XXXXXX", cache, (long)getpid());
    bool fits = used > 0 && used < 4096;
    if (fits && mkdtemp(path)) return true;
    path[0] = 0;
    return fits ? nnc_fail(error, "cannot make a folder in '%s': %s", cache, strerror(errno))
                : nnc_fail(error, "the path is too long");
}

void jit_remove_folder(const char *path) {
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder) closedir(folder);
    rmdir(path);
}

bool jit_write_file(const char *folder, const char *name, const void *data, size_t length,
                    NncError *error) {
    char path[4096];
    int used = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (used < 0 || (size_t)used >= sizeof path) return nnc_fail(error, "the path is too long");
    NncBytes part = {(unsigned char *)(uintptr_t)data, length};
    return nnc_file_write(path, &part, 1, error);
}

static int after_failure(int status) {
    return signals_received ? 128 + signals_received : status;
}

/* A compiler in words, and its flags. */
typedef struct Command {
    const JitCompiler *compiler;
    char buffer[4096];
    const char *words[WORD_LIMIT + FLAG_LIMIT];
    int word_count, count; /* count: with the flags */
    bool answers;          /* to --version, as compilers do */
} Command;

static bool read_command(const JitCompiler *compiler, Command *out, NncError *error) {
    out->compiler = compiler;
    out->word_count = jit_words(compiler, out->buffer, out->words, WORD_LIMIT, error);
    out->count = out->word_count;
    for (int f = 0; f < 2; ++f)
        for (const char *const *flag = languages[compiler->language].flags[f]; flag && *flag;
             ++flag)
            out->words[out->count++] = *flag;
    if (compiler->march) out->words[out->count++] = compiler->march;
    return out->word_count > 0;
}

/* Runs the compiler on the first file in `folder`; the object is folder/model.so. */
static int compile(const char *folder, const JitFile *files, int count, const Command *command,
                   NncError *error) {
    char source[4200], object[4200];
    const JitCompiler *compiler = command->compiler;
    for (int i = 0; i < count; ++i)
        if (!jit_write_file(folder, files[i].name, files[i].text, files[i].length, error)) return 3;
    snprintf(source, sizeof source, "%s/%s", folder, files[0].name);
    snprintf(object, sizeof object, "%s/model.so", folder);
    const char *argv[WORD_LIMIT + FLAG_LIMIT + 8];
    int used = 0;
    for (int i = 0; i < command->count; ++i) argv[used++] = command->words[i];
    argv[used++] = "-o";
    argv[used++] = object;
    argv[used++] = source;
    argv[used++] = "-lm";
    argv[used] = NULL;
    if (compiler->verbose) {
        for (int i = 0; i < used; ++i) fprintf(stderr, "%s%s", i ? " " : "+ ", argv[i]);
        fputc('\n', stderr);
    }
    NncText output = {0};
    bool missing;
    int status = 0, result = 0;
    if (!process_run(argv, &output, &status, &missing, error)) {
        if (missing) jit_explain_missing(compiler->language, argv[0], error);
        result = after_failure(3);
    } else if (status != 0) {
        const char *said = output.data ? output.data : "";
        bool blames_us = command->answers && !compiler->is_probe;
        if (!blames_us)
            nnc_fail(error, "%s does not compile (status %d):\n%.3000s", argv[0], status, said);
        else
            nnc_fail(error,
                     "%s refuses the emitted %s (status %d), which is a mistake in nnc:\n%.3000s",
                     argv[0], languages[compiler->language].code, status, said);
        result = after_failure(blames_us ? 70 : 3);
    }
    nnc_text_free(&output);
    return result;
}

static int hash_everything(const JitFile *files, int count, Command *command, Hash *hash,
                           NncError *error) {
    const char *argv[WORD_LIMIT + 2];
    NncText version = {0};
    bool missing;
    int status;
    for (int i = 0; i < command->word_count; ++i) argv[i] = command->words[i];
    argv[command->word_count] = "--version";
    argv[command->word_count + 1] = NULL;
    if (!process_run(argv, &version, &status, &missing, error)) {
        if (missing) jit_explain_missing(command->compiler->language, argv[0], error);
        nnc_text_free(&version);
        return after_failure(3);
    }
    command->answers = status == 0;
    if (version.data) hash_text(hash, version.data);
    nnc_text_free(&version);
    for (int i = 0; i < command->count; ++i) hash_text(hash, command->words[i]);
    for (int i = 0; i < count; ++i) {
        hash_text(hash, files[i].name);
        hash_bytes(hash, files[i].text, files[i].length);
    }
    hash_processor(hash);
    return 0;
}

static bool open_library(const char *path, const char *symbol, JitLanguage language, JitModel *out,
                         NncError *error) {
    /* The CUDA runtime in the object has threads and ends with the process. */
    int stays = language == JIT_CUDA ? RTLD_NODELETE : 0;
    out->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | stays);
    if (!out->library) return nnc_fail(error, "cannot load the compiled code: %s", dlerror());
    if (dlsym(out->library, symbol)) return true;
    jit_unload(out);
    return nnc_fail(error, "the compiled code has no function '%s'", symbol);
}

bool jit_symbol(const JitModel *model, const char *symbol, void *function, size_t bytes) {
    void *address = dlsym(model->library, symbol);
    if (address) memcpy(function, &address, bytes); /* as POSIX has it */
    return address != NULL;
}

int jit_open(const JitFile *files, int count, const char *symbol, const JitCompiler *compiler,
             JitModel *out, NncError *error) {
    char cache[4096], path[4200], folder[4096], object[4200];
    Command command;
    *out = (JitModel){0};
    if (!read_command(compiler, &command, error)) return 3;
    Hash hash = {0xcbf29ce484222325ull, 0x84222325cbf29ce4ull};
    int status = hash_everything(files, count, &command, &hash, error);
    if (status != 0) return status;
    if (!cache_folder(cache, error)) return 3;
    snprintf(path, sizeof path, "%s/%016" PRIx64 "%016" PRIx64 ".so", cache, hash.a, hash.b);
    if (access(path, R_OK) == 0) {
        if (open_library(path, symbol, compiler->language, out, error)) return 0;
        unlink(path); /* damaged: made anew */
    }
    if (!jit_make_folder(folder, error)) return 3;
    status = compile(folder, files, count, &command, error);
    if (status == 0) {
        snprintf(object, sizeof object, "%s/model.so", folder);
        if (rename(object, path) != 0) {
            nnc_fail(error, "cannot put the compiled model at '%s': %s", path, strerror(errno));
            status = 3;
        }
    }
    jit_remove_folder(folder);
    if (status != 0) return status;
    return open_library(path, symbol, compiler->language, out, error) ? 0 : 70;
}

void jit_unload(JitModel *model) {
    if (model->library) dlclose(model->library);
    *model = (JitModel){0};
}
