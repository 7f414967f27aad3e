/* The I/O table: every file that the compiler touches goes through these pointers, so that tests
 * can fail the nth call, shorten writes, or record a trace.  The runtime has its twin. */
#ifndef NNC_BASE_FILE_H
#define NNC_BASE_FILE_H

#include <sys/types.h>
#include "base/text.h"

typedef struct FileTable {
    int (*open)(const char *path, int flags, int mode);
    ssize_t (*read)(int fd, void *data, size_t bytes);
    ssize_t (*write)(int fd, const void *data, size_t bytes);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
} FileTable;
extern FileTable file_table; /* libc's by default */

/* Reads a whole file (at most `limit` bytes); NULL and a message in *error (arena) on failure. */
char *file_read_all(Arena *arena, const char *path, size_t limit, size_t *length,
                    const char **error);
/* Writes through a temporary file in the same folder and a rename; keeps the old file and its mtime
 * when the bytes are equal, and its mode always; of a link, what it leads to is replaced; devices
 * and pipes are written through.  "-" is stdout.  NULL on success, else a message in the arena. */
const char *file_write_all(Arena *arena, const char *path, const char *data, size_t length,
                           int mode);

#endif
