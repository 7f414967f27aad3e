/* Whole-file reading and atomic writing through the I/O table.
 * Invariant: a file that exists is either replaced completely or left as it was. */
#define _POSIX_C_SOURCE 200809L
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int libc_open(const char *path, int flags, int mode) {
    return open(path, flags, mode);
}

FileTable file_table = {libc_open, read, write, fsync, close, rename, unlink};

char *file_read_all(Arena *arena, const char *path, size_t limit, size_t *length,
                    const char **error) {
    bool standard = !strcmp(path, "-");
    int fd = standard ? 0 : file_table.open(path, O_RDONLY | O_CLOEXEC, 0);
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

/* A device, a pipe or a link is written through, not replaced. */
static bool is_replaceable(const char *path) {
    struct stat status;
    return lstat(path, &status) != 0 || S_ISREG(status.st_mode);
}

static const char *write_through(Arena *arena, const char *path, const char *data, size_t length) {
    int fd = file_table.open(path, O_WRONLY | O_TRUNC | O_CLOEXEC, 0);
    if (fd < 0) return arena_printf(arena, "cannot open %s: %s", path, strerror(errno));
    bool good = write_fully(fd, data, length);
    int saved = errno;
    if (file_table.close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    return good ? NULL : arena_printf(arena, "cannot write %s: %s", path, strerror(saved));
}

const char *file_write_all(Arena *arena, const char *path, const char *data, size_t length,
                           int mode) {
    if (!strcmp(path, "-"))
        return write_fully(1, data, length)
                   ? NULL
                   : arena_printf(arena, "cannot write standard output: %s", strerror(errno));
    if (!is_replaceable(path)) return write_through(arena, path, data, length);
    if (file_has(arena, path, data, length)) return NULL;
    const char *temporary = arena_printf(arena, "%s.tmp%ld", path, (long)getpid());
    int fd = file_table.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0) return arena_printf(arena, "cannot create %s: %s", path, strerror(errno));
    bool good = write_fully(fd, data, length) && file_table.fsync(fd) == 0;
    int saved = errno;
    if (file_table.close(fd) != 0 && good) {
        good = false;
        saved = errno;
    }
    if (good && file_table.rename(temporary, path) != 0) {
        good = false;
        saved = errno;
    }
    if (good) return NULL;
    file_table.unlink(temporary);
    return arena_printf(arena, "cannot write %s: %s", path, strerror(saved));
}
