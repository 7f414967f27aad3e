/* Wrappers around libc for nnc_faulty; see seam.h. */
#define _GNU_SOURCE
#include "faults/seam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/memory.h"

static SeamCounts unused;
SeamCounts *seam_counts = &unused;
static Fault fault;

static void hit(const char *name) {
    seam_counts->hit = true;
    snprintf(seam_counts->name, sizeof seam_counts->name, "%s", name);
}

/* ---- memory ---- */

static bool no_memory(const char *name, bool in_arena) {
    long n = ++seam_counts->allocations;
    long heap = seam_counts->heap += !in_arena;
    bool fails = (fault.kind == FAULT_MEMORY && n == fault.at) ||
                 (fault.kind == FAULT_EXHAUSTED && n >= fault.at) ||
                 (fault.kind == FAULT_HEAP && !in_arena && heap == fault.at);
    if (!fails) return false;
    hit(name);
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes) {
    return no_memory("malloc", false) ? NULL : __real_malloc(bytes);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes) {
    return no_memory("calloc", false) ? NULL : __real_calloc(count, bytes);
}

int __real_posix_memalign(void **out, size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **out, size_t alignment, size_t bytes) {
    return no_memory("posix_memalign", false) ? ENOMEM
                                              : __real_posix_memalign(out, alignment, bytes);
}

static void *arena_memory(size_t bytes) {
    return no_memory("arena", true) ? NULL : __real_malloc(bytes);
}

void seam_arm(Fault wanted) {
    *seam_counts = (SeamCounts){0};
    fault = wanted;
    memory_set_hook(arena_memory);
}

/* ---- files ---- */

static bool fails(const char *name, int reason) {
    long n = ++seam_counts->calls;
    if (n != fault.at) return false;
    if (fault.kind == FAULT_EINTR)
        reason = EINTR;
    else if (fault.kind != FAULT_CALL)
        return false;
    hit(name);
    errno = reason;
    return true;
}

/* Calls that no signal interrupts. */
static bool fails_whole(const char *name, int reason) {
    if (fault.kind == FAULT_EINTR) {
        ++seam_counts->calls;
        return false;
    }
    return fails(name, reason);
}

static size_t portion(size_t bytes) {
    if (fault.kind != FAULT_SHORT || bytes <= (size_t)fault.at) return bytes;
    seam_counts->hit = true;
    return (size_t)fault.at;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return fails("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes) {
    return fails("read", EIO) ? -1 : __real_read(fd, data, portion(bytes));
}

ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes) {
    if (fails("write", EIO)) return -1;
    bytes = portion(bytes);
    if (fault.kind == FAULT_FULL && fd > 2) {
        long room = fault.at - 1 - seam_counts->bytes;
        if (bytes && room <= 0) {
            hit("write");
            errno = ENOSPC;
            return -1;
        }
        if (bytes > (size_t)room) bytes = (size_t)room;
    }
    ssize_t written = __real_write(fd, data, bytes);
    if (written > 0 && fd > 2) seam_counts->bytes += written;
    return written;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd) {
    bool failing = fails("close", EIO);
    int reason = errno, result = __real_close(fd);
    if (failing) errno = reason;
    return failing ? -1 : result;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode) {
    return fails_whole("fopen", EMFILE) ? NULL : __real_fopen(path, mode);
}

DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_opendir(const char *path) {
    return fails_whole("opendir", EMFILE) ? NULL : __real_opendir(path);
}

struct dirent *__real_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder) {
    return fails_whole("readdir", EIO) ? NULL : __real_readdir(folder);
}

char *__real_mkdtemp(char *path);
char *__wrap_mkdtemp(char *path);
char *__wrap_mkdtemp(char *path) {
    return fails_whole("mkdtemp", ENOSPC) ? NULL : __real_mkdtemp(path);
}

int __real_posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *argv, char *const *env);
int __wrap_posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *argv, char *const *env);
int __wrap_posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const *argv, char *const *env) {
    return fails_whole("posix_spawnp", 0)
               ? EAGAIN
               : __real_posix_spawnp(child, file, actions, attributes, argv, env);
}

/* int f(arguments) that return -1 on failure */
#define WRAP(check, name, reason, parameters, arguments)            \
    int __real_##name parameters;                                   \
    int __wrap_##name parameters;                                   \
    int __wrap_##name parameters {                                  \
        return check(#name, reason) ? -1 : __real_##name arguments; \
    }
WRAP(fails, fsync, EIO, (int fd), (fd))
WRAP(fails_whole, rename, EACCES, (const char *from, const char *to), (from, to))
WRAP(fails_whole, unlink, EACCES, (const char *path), (path))
WRAP(fails_whole, unlinkat, EACCES, (int folder, const char *name, int flags),
     (folder, name, flags))
WRAP(fails_whole, rmdir, EACCES, (const char *path), (path))
WRAP(fails_whole, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
WRAP(fails_whole, stat, EIO, (const char *path, struct stat *out), (path, out))
WRAP(fails_whole, lstat, EIO, (const char *path, struct stat *out), (path, out))
WRAP(fails_whole, fstat, EIO, (int fd, struct stat *out), (fd, out))
WRAP(fails_whole, access, EIO, (const char *path, int mode), (path, mode))
WRAP(fails_whole, fchmod, EIO, (int fd, mode_t mode), (fd, mode))
WRAP(fails_whole, chmod, EIO, (const char *path, mode_t mode), (path, mode))
WRAP(fails_whole, pipe2, EMFILE, (int ends[2], int flags), (ends, flags))
WRAP(fails, poll, EIO, (struct pollfd * set, unsigned long count, int limit), (set, count, limit))
