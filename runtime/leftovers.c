/* Removes what a killed process left beside the files that it was writing.
 * Input: the path of a file that is about to be written, or a folder of scratch folders.
 * Invariants: only names that this project's own writers make are touched, and only when the
 * process in the name is gone.  The number may mean a process of another container or machine that
 * shares the folder, so a file must also be free of its writer's lock, and a folder an hour old.
 * Failures are silent; nothing depends on it. */
#include "nncrt_base.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool process_is_gone(long process) {
    return process > 0 && process != (long)getpid() && kill((pid_t)process, 0) != 0 &&
           errno == ESRCH;
}

/* Is `name` PREFIX, the number of a process that is gone, a minus and more? */
static bool is_left(const char *name, const char *prefix, size_t length) {
    if (strncmp(name, prefix, length) != 0 || !isdigit((unsigned char)name[length])) return false;
    char *end;
    errno = 0;
    long process = strtol(name + length, &end, 10);
    return errno == 0 && end[0] == '-' && end[1] && process_is_gone(process);
}

static bool is_unlocked(int fd) {
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void nnc_leftover_files_remove(const char *path) {
    char name[4096], folder[4096];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int used = snprintf(name, sizeof name, "%s.tmp-", base);
    int room = snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
                        slash ? path : ".");
    if (used < 0 || (size_t)used >= sizeof name || room < 0 || (size_t)room >= sizeof folder)
        return;
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *number = entry->d_name + used;
        if (!is_left(entry->d_name, name, (size_t)used)) continue;
        if (number[strspn(number, "0123456789")] != '-' ||
            number[strspn(number, "0123456789-")] != 0)
            continue;
        int fd =
            openat(dirfd(entries), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (is_unlocked(fd)) unlinkat(dirfd(entries), entry->d_name, 0);
        if (fd >= 0) close(fd);
    }
    if (entries) closedir(entries);
}

enum { SECONDS_KEPT = 3600 };

static void remove_folder(int parent, const char *name) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat info;
    bool old = fd >= 0 && fstat(fd, &info) == 0 && time(NULL) - info.st_mtime > SECONDS_KEPT;
    DIR *entries = old ? fdopendir(fd) : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries) unlinkat(parent, name, AT_REMOVEDIR);
    if (entries)
        closedir(entries);
    else if (fd >= 0)
        close(fd);
}

void nnc_leftover_folders_remove(const char *folder, const char *prefix) {
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (is_left(entry->d_name, prefix, strlen(prefix)))
            remove_folder(dirfd(entries), entry->d_name);
    if (entries) closedir(entries);
}
