/* Whole-file reading and atomic writing through the I/O table.
 * Invariants: a file that exists is either replaced completely or left as it was; SIGINT and
 * SIGTERM wait until the temporary file is gone. */
#define _XOPEN_SOURCE 700
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int libc_open(const char *path, int flags, int mode) {
    return open(path, flags, mode);
}

FileTable file_table = {libc_open, read, write, fsync, close, rename, unlink};

static int open_retrying(const char *path, int flags, int mode) {
    for (;;) {
        int fd = file_table.open(path, flags, mode);
        if (fd >= 0 || errno != EINTR) return fd;
    }
}

/* After EINTR the descriptor is gone. */
static bool close_checked(int fd) {
    return file_table.close(fd) == 0 || errno == EINTR;
}

char *file_read_all(Arena *arena, const char *path, size_t limit, size_t *length,
                    const char **error) {
    bool standard = !strcmp(path, "-");
    int fd = standard ? 0 : open_retrying(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        *error = arena_printf(arena, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    Text text = text_new(arena);
    char block[16384];
    const char *problem = NULL;
    for (;;) {
        ssize_t n = file_table.read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) problem = arena_printf(arena, "cannot read %s: %s", path, strerror(errno));
        if (n <= 0) break;
        if ((size_t)n > limit - text.length) {
            problem = arena_printf(arena, "%s is larger than %zu bytes", path, limit);
            break;
        }
        text_append_n(&text, block, (size_t)n);
    }
    if (!standard) file_table.close(fd);
    if (problem) {
        *error = problem;
        return NULL;
    }
    *length = text.length;
    return text.data;
}

static bool write_fully(int fd, const char *data, size_t length) {
    while (length) {
        ssize_t n = file_table.write(fd, data, length);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            if (n == 0) errno = ENOSPC;
            return false;
        }
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static bool file_has(Arena *arena, const char *path, const char *data, size_t length) {
    const char *ignored;
    size_t old_length;
    char *old = file_read_all(arena, path, length, &old_length, &ignored);
    return old && old_length == length && !memcmp(old, data, length);
}

/* The file to replace: `path`, or what a link there leads to.  NULL: a device or a pipe, which is
 * written through.  *mode becomes that of the file that exists. */
static const char *file_to_replace(Arena *arena, const char *path, int *mode) {
    struct stat status;
    if (stat(path, &status) != 0) return path;
    if (!S_ISREG(status.st_mode)) return NULL;
    *mode = (int)(status.st_mode & 0777);
    if (lstat(path, &status) != 0 || !S_ISLNK(status.st_mode)) return path;
    /* /dev/stdout and its like stand for an open file, not for a name. */
    if (!strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6)) return NULL;
    char *room = arena_alloc(arena, PATH_MAX);
    return realpath(path, room) ? room : path;
}

static const char *write_through(Arena *arena, const char *path, const char *data, size_t length) {
    int fd = open_retrying(path, O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
    if (fd < 0) return arena_printf(arena, "cannot open %s: %s", path, strerror(errno));
    bool good = write_fully(fd, data, length);
    int saved = errno;
    if (!close_checked(fd) && good) {
        good = false;
        saved = errno;
    }
    return good ? NULL : arena_printf(arena, "cannot write %s: %s", path, strerror(saved));
}

/* An errno, or 0.  No temporary file stays. */
static int replace(Arena *arena, const char *path, const char *data, size_t length, int mode,
                   int kept) {
    const char *temporary = NULL;
    int fd = -1;
    errno = EEXIST;
    for (int attempt = 0; attempt < 100 && fd < 0 && errno == EEXIST; attempt++) {
        temporary = arena_printf(arena, "%s.tmp-%ld-%d", path, (long)getpid(), attempt);
        fd = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    }
    if (fd < 0) return errno;
    (void)!flock(fd, LOCK_EX | LOCK_NB); /* it has an owner, who is alive (runtime/leftovers.c) */
    if (kept >= 0) (void)!fchmod(fd, (mode_t)kept);
    bool good = write_fully(fd, data, length);
    while (good && file_table.fsync(fd) != 0) good = errno == EINTR;
    int reason = good ? 0 : errno;
    if (!close_checked(fd) && good) reason = errno;
    if (!reason && file_table.rename(temporary, path) != 0) reason = errno;
    if (reason) file_table.unlink(temporary);
    return reason;
}

const char *file_write_all(Arena *arena, const char *path, const char *data, size_t length,
                           int mode) {
    if (!strcmp(path, "-"))
        return write_fully(1, data, length)
                   ? NULL
                   : arena_printf(arena, "cannot write standard output: %s", strerror(errno));
    const char *named = path;
    int kept = -1;
    path = file_to_replace(arena, named, &kept);
    if (!path) return write_through(arena, named, data, length);
    if (file_has(arena, path, data, length)) return NULL;
    sigset_t stopping, before;
    sigemptyset(&stopping);
    sigaddset(&stopping, SIGINT);
    sigaddset(&stopping, SIGTERM);
    sigprocmask(SIG_BLOCK, &stopping, &before);
    int reason = replace(arena, path, data, length, mode, kept);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return reason ? arena_printf(arena, "cannot write %s: %s", path, strerror(reason)) : NULL;
}
