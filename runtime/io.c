/* Errors, the I/O table, the allocator hook, whole-file reads and atomic writes.
 * Input: paths and bytes.  Output: bytes, or files that are replaced in one step.
 * Invariants: reads and writes loop over short counts and EINTR; every return value is checked. */
#include "nncrt_base.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int default_open(const char *path, int flags, int mode) {
    return open(path, flags, mode);
}
static int default_rename(const char *from, const char *to) {
    return rename(from, to);
}

NncIo nnc_io = {default_open, read, write, fsync, close, default_rename, unlink};

/* Weights, workspaces and data that fill a huge page ask for them: products go through megabytes,
 * and a processor prefetches within a page (a step of a large batch takes 1 to 2 % less time). */
enum { HUGE_PAGE = 2 << 20 };

static void *default_allocate(size_t bytes) {
    void *memory = NULL;
    const bool large = bytes >= HUGE_PAGE;
    if (posix_memalign(&memory, large ? HUGE_PAGE : 64, bytes) != 0) return NULL;
#ifdef MADV_HUGEPAGE
    if (large) madvise(memory, bytes, MADV_HUGEPAGE); /* advice: that it is not taken is no error */
#endif
    return memory;
}

NncAllocator nnc_allocator = {default_allocate, free};

/* Names out of files are part of messages, and a terminal obeys control characters. */
static void make_printable(char *text) {
    for (; *text; ++text)
        if (((unsigned char)*text < ' ' && *text != '\n' && *text != '\t') || *text == 127)
            *text = '?';
}

bool nnc_fail(NncError *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    make_printable(error->text);
    error->environment = false;
    return false;
}

bool nnc_fail_memory(NncError *error, size_t bytes) {
    nnc_fail(error, "out of memory (%zu bytes)", bytes);
    error->environment = true;
    return false;
}

bool nnc_fail_in(NncError *error, const char *prefix) {
    char text[sizeof error->text];
    memcpy(text, error->text, sizeof text);
    text[sizeof text - 1] = 0;
    int used = snprintf(error->text, sizeof error->text, "%s: ", prefix);
    if (used >= 0 && (size_t)used < sizeof error->text) {
        size_t room = sizeof error->text - (size_t)used - 1, length = strlen(text);
        if (length > room) length = room;
        memcpy(error->text + used, text, length);
        error->text[(size_t)used + length] = 0;
    }
    return false;
}

void nnc_error_add(NncError *error, const char *format, ...) {
    size_t used = strlen(error->text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - used, format, arguments);
    va_end(arguments);
    make_printable(error->text + used);
}

void *nnc_allocate(size_t bytes, NncError *error) {
    void *memory = nnc_allocator.allocate(bytes ? bytes : 1);
    if (!memory) nnc_fail_memory(error, bytes);
    return memory;
}

void *nnc_allocate_zeroed(size_t bytes, NncError *error) {
    void *memory = nnc_allocate(bytes, error);
    if (memory) memset(memory, 0, bytes ? bytes : 1);
    return memory;
}

void *nnc_reallocate(void *old, size_t old_bytes, size_t bytes, NncError *error) {
    void *memory = nnc_allocate(bytes, error);
    if (!memory) return NULL;
    if (old_bytes) memcpy(memory, old, old_bytes < bytes ? old_bytes : bytes);
    nnc_release(old);
    return memory;
}

void nnc_release(void *memory) {
    if (memory) nnc_allocator.release(memory);
}

char *nnc_copy_text(const char *text, NncError *error) {
    size_t bytes = strlen(text) + 1;
    char *copy = nnc_allocate(bytes, error);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

bool nnc_text_ends(const char *text, size_t length, const char *end) {
    size_t tail = strlen(end);
    return length >= tail && strncasecmp(text + length - tail, end, tail) == 0;
}

bool nnc_multiply(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

bool nnc_add(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

static int open_retrying(const char *path, int flags, int mode) {
    for (;;) {
        int fd = nnc_io.open(path, flags, mode);
        if (fd >= 0 || errno != EINTR) return fd;
    }
}

static bool sync_fully(int fd) {
    for (;;) {
        if (nnc_io.fsync(fd) == 0) return true;
        if (errno != EINTR) return false;
    }
}

/* After EINTR the descriptor is gone; what matters was synced before. */
static bool close_checked(int fd) {
    return nnc_io.close(fd) == 0 || errno == EINTR;
}

/* A pipe is open without blocking, and waited for where a signal ends the wait. */
static ssize_t read_some(int fd, void *data, size_t bytes) {
    for (;;) {
        ssize_t n = nnc_io.read(fd, data, bytes < ((size_t)1 << 30) ? bytes : (size_t)1 << 30);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) return n;
        if (errno == EAGAIN && poll(&ready, 1, -1) < 0) return -1;
    }
}

/* What the caller was given open, such as bash's <(COMMAND). */
static bool is_descriptor(const char *path) {
    return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0 ||
           strcmp(path, "/dev/stdin") == 0;
}

bool nnc_file_read(const char *path, size_t limit, NncBytes *out, NncError *error) {
    *out = (NncBytes){0};
    /* To open a named pipe would wait for somebody who writes. */
    int fd = open_retrying(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0) return nnc_fail(error, "cannot open '%s': %s", path, strerror(errno));
    struct stat info;
    size_t capacity = 1 << 16;
    if (fstat(fd, &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            nnc_io.close(fd);
            return nnc_fail(error, "cannot read '%s': it is a folder", path);
        }
        /* /dev/zero would fill the memory. */
        if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
            nnc_io.close(fd);
            return nnc_fail(error, "cannot read '%s': it is a device", path);
        }
        if (!S_ISREG(info.st_mode) && !is_descriptor(path)) {
            nnc_io.close(fd);
            return nnc_fail(error, "cannot read '%s': it is not a regular file", path);
        }
        if (S_ISREG(info.st_mode)) {
            if ((uintmax_t)info.st_size > limit) {
                nnc_io.close(fd);
                return nnc_fail(error, "'%s' has %jd bytes; at most %zu are accepted here", path,
                                (intmax_t)info.st_size, limit);
            }
            capacity =
                (size_t)info.st_size + 1; /* one more, so that the end shows in the same read */
        }
    }
    unsigned char *data = nnc_allocate(capacity, error);
    size_t length = 0;
    bool good = data != NULL;
    while (good) {
        if (length == capacity) {
            unsigned char *larger = nnc_reallocate(data, length, capacity * 2, error);
            if (!larger) {
                good = false;
                break;
            }
            data = larger;
            capacity *= 2;
        }
        ssize_t n = read_some(fd, data + length, capacity - length);
        if (n < 0) good = nnc_fail(error, "cannot read '%s': %s", path, strerror(errno));
        if (n <= 0) break;
        length += (size_t)n;
        if (length > limit) good = nnc_fail(error, "'%s' has more than %zu bytes", path, limit);
    }
    nnc_io.close(fd);
    if (!good) {
        nnc_release(data);
        return false;
    }
    out->data = data;
    out->length = length;
    return true;
}

static bool write_parts(int fd, const NncBytes *parts, int count) {
    for (int i = 0; i < count; ++i) {
        const unsigned char *data = parts[i].data;
        size_t left = parts[i].length;
        while (left > 0) {
            ssize_t n = nnc_io.write(fd, data, left < ((size_t)1 << 30) ? left : (size_t)1 << 30);
            if (n < 0 && errno == EINTR) continue;
            if (n == 0) errno = EIO;
            if (n <= 0) return false;
            data += n;
            left -= (size_t)n;
        }
    }
    return true;
}

static bool sync_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char folder[4096];
    if (!slash) {
        strcpy(folder, ".");
    } else {
        size_t length = slash == path ? 1 : (size_t)(slash - path);
        if (length >= sizeof folder) return false;
        memcpy(folder, path, length);
        folder[length] = 0;
    }
    int fd = open_retrying(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return false;
    /* Some file systems refuse fsync on a folder with EINVAL; there is then nothing to be had. */
    bool good = sync_fully(fd) || errno == EINVAL;
    int saved = errno;
    if (!close_checked(fd) && good) return false;
    errno = saved;
    return good;
}

bool nnc_file_write(const char *path, const NncBytes *parts, int count, NncError *error) {
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return nnc_fail(error, "cannot write '%s': it is a folder", path);
    if (exists && !S_ISREG(info.st_mode)) { /* a device or a pipe is written through */
        int through = open_retrying(path, O_WRONLY | O_CLOEXEC, 0);
        if (through < 0) return nnc_fail(error, "cannot open '%s': %s", path, strerror(errno));
        bool written = write_parts(through, parts, count);
        int reason = errno;
        if (close_checked(through) && written) return true;
        return nnc_fail(error, "cannot write '%s': %s", path, strerror(written ? errno : reason));
    }
    nnc_leftover_files_remove(path);
    char temporary[4096];
    int fd = -1;
    for (int attempt = 0; attempt < 100 && fd < 0; ++attempt) {
        int used =
            snprintf(temporary, sizeof temporary, "%s.tmp-%ld-%d", path, (long)getpid(), attempt);
        if (used < 0 || (size_t)used >= sizeof temporary)
            return nnc_fail(error, "cannot write '%s': the name is too long", path);
        fd = open_retrying(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0) return nnc_fail(error, "cannot create '%s': %s", temporary, strerror(errno));
    (void)!flock(fd, LOCK_EX | LOCK_NB); /* nnc_leftover_files_remove leaves it alone */
    if (exists && S_ISREG(info.st_mode)) (void)!fchmod(fd, info.st_mode & 0777);
    bool good = write_parts(fd, parts, count);
    if (good) good = sync_fully(fd);
    int saved = errno;
    if (!close_checked(fd) && good) {
        good = false;
        saved = errno;
    }
    if (good && nnc_io.rename(temporary, path) != 0) {
        good = false;
        saved = errno;
    }
    if (!good) {
        nnc_io.unlink(temporary);
        return nnc_fail(error, "cannot write '%s': %s", path, strerror(saved));
    }
    if (!sync_folder(path))
        return nnc_fail(error, "'%s' was written, but its folder could not be synced to disk: %s",
                        path, strerror(errno));
    return true;
}

void nnc_text_bytes(NncText *text, const void *data, size_t length) {
    if (text->failed) return;
    size_t need;
    if (!nnc_add(text->length, length, &need) || !nnc_add(need, 1, &need)) {
        text->failed = true;
        return;
    }
    if (need > text->capacity) {
        size_t capacity = text->capacity ? text->capacity : 256;
        while (capacity < need) capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
        NncError ignored;
        char *larger = nnc_reallocate(text->data, text->length, capacity, &ignored);
        if (!larger) {
            text->failed = true;
            return;
        }
        text->data = larger;
        text->capacity = capacity;
    }
    if (length) memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = 0;
}

void nnc_text_add(NncText *text, const char *string) {
    nnc_text_bytes(text, string, strlen(string));
}

void nnc_text_format(NncText *text, const char *format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    if (used < 0) {
        text->failed = true;
    } else if ((size_t)used < sizeof buffer) {
        nnc_text_bytes(text, buffer, (size_t)used);
    } else {
        NncError ignored;
        char *large = nnc_allocate((size_t)used + 1, &ignored);
        if (!large) {
            text->failed = true;
            return;
        }
        va_start(arguments, format);
        vsnprintf(large, (size_t)used + 1, format, arguments);
        va_end(arguments);
        nnc_text_bytes(text, large, (size_t)used);
        nnc_release(large);
    }
}

void nnc_text_free(NncText *text) {
    nnc_release(text->data);
    *text = (NncText){0};
}
