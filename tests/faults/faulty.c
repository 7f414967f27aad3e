/* nnc_faulty KIND DENSE SAMPLES FOLDER nnc-arguments...: runs the compiler's main once for each
 * fault.
 *
 * FOLDER holds all inputs and outputs (and the cache).  A first run without a fault counts the
 * allocations, I/O calls or bytes and shows the files of success.  Then, for the first and last
 * DENSE values of n and SAMPLES spread between them (0: all), a child runs with fault n.  It must
 * end with status 3 and a message, or with 0 and the files of success; each file is the old or the
 * new one, complete, and nothing else lies in the folder.  A leak under AddressSanitizer is
 * status 99. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "faults/seam.h"
#include "nncrt.h"

int nnc_main(int argc, char **argv);

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "exitcode=99";
}

/* ---- snapshots ---- */

enum { FILE_LIMIT = 256 };
typedef struct File {
    char path[300];
    bool is_folder;
    mode_t mode;
    NncBytes bytes;
} File;
typedef struct Snapshot {
    File files[FILE_LIMIT];
    int count;
} Snapshot;

static Snapshot *filling;

static _Noreturn void give_up(const char *what) {
    fprintf(stderr, "nnc_faulty: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int note(const char *path, const struct stat *info, int type, struct FTW *walk) {
    (void)walk;
    if (filling->count == FILE_LIMIT) give_up("too many files");
    File *file = &filling->files[filling->count++];
    *file = (File){.is_folder = type == FTW_D, .mode = info->st_mode & 07777};
    snprintf(file->path, sizeof file->path, "%s", path);
    NncError error;
    if (!file->is_folder && !nnc_file_read(path, (size_t)1 << 30, &file->bytes, &error))
        give_up(path);
    return 0;
}

static void snapshot_take(Snapshot *out) {
    *out = (Snapshot){0};
    filling = out;
    if (nftw(".", note, 16, FTW_PHYS) != 0) give_up("nftw");
}

static void snapshot_free(Snapshot *snapshot) {
    for (int i = 0; i < snapshot->count; ++i) nnc_release(snapshot->files[i].bytes.data);
    snapshot->count = 0;
}

static const File *snapshot_find(const Snapshot *snapshot, const char *path) {
    for (int i = 0; i < snapshot->count; ++i)
        if (strcmp(snapshot->files[i].path, path) == 0) return &snapshot->files[i];
    return NULL;
}

static bool bytes_equal(const NncBytes *a, const NncBytes *b) {
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

/* Makes the folder what it was. */
static void snapshot_restore(const Snapshot *before, const Snapshot *now) {
    for (int i = now->count; i-- > 0;) {
        const File *file = &now->files[i];
        if (!snapshot_find(before, file->path) && remove(file->path) != 0) give_up(file->path);
    }
    for (int i = 0; i < before->count; ++i) {
        const File *file = &before->files[i], *present = snapshot_find(now, file->path);
        if (file->is_folder) {
            if (!present && mkdir(file->path, file->mode) != 0) give_up(file->path);
            continue;
        }
        if (present && bytes_equal(&present->bytes, &file->bytes)) continue;
        int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC, file->mode);
        if (fd < 0 ||
            write(fd, file->bytes.data, file->bytes.length) != (ssize_t)file->bytes.length ||
            close(fd) != 0)
            give_up(file->path);
    }
}

/* ---- judgement ---- */

static bool ends_with(const char *text, const char *end) {
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* Times of day make some files differ from run to run; their own marks show that they are whole. */
static bool is_whole(const File *file) {
    NncTensorFile tensors;
    NncError error;
    const NncBytes *bytes = &file->bytes;
    if (ends_with(file->path, ".safetensors")) {
        bool good = nnc_safetensors_parse(bytes->data, bytes->length, &tensors, &error) &&
                    nnc_tensor_file_verify(&tensors, &error);
        nnc_tensor_file_free(&tensors);
        return good;
    }
    if (ends_with(file->path, ".jsonl")) {
        for (size_t at = 0; at < bytes->length;) {
            const unsigned char *end = memchr(bytes->data + at, '\n', bytes->length - at);
            if (!end || bytes->data[at] != '{' || end[-1] != '}') return false;
            at = (size_t)(end - bytes->data) + 1;
        }
        return bytes->length > 0;
    }
    return false;
}

static bool is_success(const File *file, const Snapshot *after) {
    const File *same = snapshot_find(after, file->path);
    if (same) return file->is_folder || bytes_equal(&same->bytes, &file->bytes) || is_whole(file);
    /* The name of a compiled model depends on what could be read about the processor. */
    for (int i = 0; ends_with(file->path, ".so") && i < after->count; ++i)
        if (ends_with(after->files[i].path, ".so") &&
            bytes_equal(&after->files[i].bytes, &file->bytes))
            return true;
    return false;
}

/* NULL, or what is wrong. */
static const char *judge(const Snapshot *before, const Snapshot *after, const Snapshot *now,
                         bool succeeded, const char *failed_call) {
    static char text[400];
    static const char *const clearing[] = {"unlink", "unlinkat", "rmdir", "opendir", "readdir"};
    bool cannot_clear = false;
    for (int i = 0; i < 5; ++i) cannot_clear |= strcmp(failed_call, clearing[i]) == 0;
    for (int i = 0; i < now->count; ++i) {
        const File *file = &now->files[i], *old = snapshot_find(before, file->path);
        if (is_success(file, after)) continue;
        if (!succeeded && old && (file->is_folder || bytes_equal(&old->bytes, &file->bytes)))
            continue;
        if (cannot_clear && (strstr(file->path, "/build-") || strstr(file->path, ".tmp"))) continue;
        snprintf(text, sizeof text, "%s is neither the old nor the new file", file->path);
        return text;
    }
    for (int i = 0; i < (succeeded ? after : before)->count; ++i) {
        const char *path = (succeeded ? after : before)->files[i].path;
        if (snapshot_find(now, path) || ends_with(path, ".so")) continue;
        snprintf(text, sizeof text, "%s is missing", path);
        return text;
    }
    return NULL;
}

/* ---- runs ---- */

typedef struct Outcome {
    int status; /* 128 + n after signal n */
    SeamCounts counts;
    char output[8192];
} Outcome;

static void run_once(Fault fault, int argc, char **argv, Outcome *out) {
    int fd = memfd_create("output", 0);
    if (fd < 0) give_up("memfd_create");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) give_up("fork");
    if (child == 0) {
        dup2(fd, 1);
        dup2(fd, 2);
        alarm(300);
        seam_arm(fault);
        exit(nnc_main(argc, argv));
    }
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR) give_up("waitpid");
    out->counts = *seam_counts;
    out->status = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    ssize_t length = pread(fd, out->output, sizeof out->output - 1, 0);
    out->output[length > 0 ? length : 0] = 0;
    close(fd);
}

static const char *const kinds[] = {"none", "memory", "exhausted", "heap",
                                    "call", "eintr",  "short",     "full"};

static long total_of(FaultKind kind, const SeamCounts *counts) {
    if (kind == FAULT_MEMORY || kind == FAULT_EXHAUSTED) return counts->allocations;
    if (kind == FAULT_HEAP) return counts->heap;
    if (kind == FAULT_FULL) return counts->bytes;
    return kind == FAULT_SHORT ? 8 : counts->calls;
}

int main(int argc, char **argv) {
    static Snapshot before, after, now;
    static Outcome outcome;
    if (argc < 6) give_up("usage: nnc_faulty KIND DENSE SAMPLES FOLDER arguments...");
    int kind = 0;
    for (int i = 1; i <= FAULT_FULL; ++i)
        if (strcmp(argv[1], kinds[i]) == 0) kind = i;
    if (!kind) give_up(argv[1]);
    long dense = atol(argv[2]), samples = atol(argv[3]);
    if (chdir(argv[4]) != 0) give_up(argv[4]);
    seam_counts =
        mmap(NULL, sizeof *seam_counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seam_counts == MAP_FAILED) give_up("mmap");
    argc -= 4;
    argv += 4;
    argv[0] = "nnc";

    snapshot_take(&before);
    run_once((Fault){FAULT_NONE, 0}, argc, argv, &outcome);
    snapshot_take(&after);
    snapshot_restore(&before, &after);
    if (outcome.status != 0) {
        fprintf(stderr, "nnc_faulty: status %d without a fault:\n%s\n", outcome.status,
                outcome.output);
        return 1;
    }
    long total = total_of((FaultKind)kind, &outcome.counts), runs = 0, refused = 0, bad = 0;
    bool must_succeed = kind == FAULT_EINTR || kind == FAULT_SHORT;
    if (2 * dense >= total || !samples) {
        dense = total;
        samples = 0;
    }
    for (long i = 1; i <= dense + samples + (samples ? dense : 0) && bad < 5; ++i) {
        long n = i <= dense             ? i
                 : i <= dense + samples ? dense + (i - dense) * (total - 2 * dense) / (samples + 1)
                                        : total - (i - dense - samples) + 1;
        run_once((Fault){(FaultKind)kind, n}, argc, argv, &outcome);
        snapshot_take(&now);
        bool success = outcome.status == 0;
        const char *problem = judge(&before, &after, &now, success, outcome.counts.name);
        if (!success && (outcome.status != 3 || must_succeed)) problem = "wrong exit status";
        if (!success && !strstr(outcome.output, "nnc: ")) problem = "no message";
        if (!success && kind <= FAULT_HEAP && !strstr(outcome.output, "memory"))
            problem = "the message does not speak of memory";
        if (problem) {
            fprintf(stderr, "%s %ld (%s): status %d, %s:\n%s\n", kinds[kind], n,
                    outcome.counts.name, outcome.status, problem, outcome.output);
            ++bad;
        }
        ++runs;
        refused += outcome.status == 3;
        snapshot_restore(&before, &now);
        snapshot_free(&now);
    }
    printf("%s, nnc %s: %ld runs of %ld, %ld refused, %ld wrong\n", kinds[kind], argv[1], runs,
           total, refused, bad);
    snapshot_free(&before);
    snapshot_free(&after);
    return bad || (runs && !must_succeed && !refused);
}
