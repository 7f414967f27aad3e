/* Child processes by posix_spawn: argv only, output through one pipe. */
#define _GNU_SOURCE
#include "driver/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

volatile sig_atomic_t signals_received;

static void on_signal(int number) {
    /* A second one ends the program at once. */
    if (signals_received) _exit(128 + number);
    signals_received = number;
}

void signals_install(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Reads until the child has closed its end.  A signal may come just before poll waits: hence the
 * time limit. */
static bool collect(int fd, pid_t child, NncText *output) {
    char buffer[4096];
    bool told = false;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (signals_received && !told) {
            kill(-child, SIGTERM);
            told = true;
        }
        int events = poll(&ready, 1, 100);
        if (events == 0 || (events < 0 && errno == EINTR)) continue;
        ssize_t n = events < 0 ? -1 : read(fd, buffer, sizeof buffer);
        if (n > 0) {
            if (output && output->length < ((size_t)1 << 20))
                nnc_text_bytes(output, buffer, (size_t)n);
        } else if (n == 0) {
            return true;
        } else if (errno != EINTR) {
            return false;
        }
    }
}

bool process_run(const char *const *argv, NncText *output, int *status, bool *missing,
                 NncError *error) {
    int ends[2];
    if (missing) *missing = false;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return nnc_fail(error, "cannot make a pipe: %s", strerror(errno));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    /* A group of its own, so that a signal reaches what the C compiler has started, too. */
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    pid_t child;
    int failure = posix_spawnp(&child, argv[0], &actions, &attributes,
                               (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        if (missing) *missing = failure == ENOENT || failure == EACCES || failure == ENOTDIR;
        return nnc_fail(error, "cannot start '%s': %s", argv[0], strerror(failure));
    }
    bool read_all = collect(ends[0], child, output);
    int reason = errno, state;
    close(ends[0]);
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return nnc_fail(error, "cannot wait for '%s': %s", argv[0], strerror(errno));
    if (!read_all)
        return nnc_fail(error, "cannot read the output of '%s': %s", argv[0], strerror(reason));
    if (!WIFEXITED(state))
        return nnc_fail(error, "'%s' was ended by signal %d", argv[0], WTERMSIG(state));
    *status = WEXITSTATUS(state);
    return true;
}

int process_split(const char *text, char *buffer, size_t size, const char **words, int limit) {
    size_t length = strlen(text);
    int count = 0;
    if (length >= size) return 0;
    memcpy(buffer, text, length + 1);
    for (char *at = buffer; *at && count < limit;) {
        while (*at == ' ') ++at;
        if (!*at) break;
        words[count++] = at;
        while (*at && *at != ' ') ++at;
        if (*at) *at++ = 0;
    }
    return count;
}

bool process_find(const char *name) {
    char path[4096];
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    const char *list = getenv("PATH");
    for (const char *at = list ? list : "/usr/bin:/bin"; *at;) {
        size_t length = strcspn(at, ":");
        int used = snprintf(path, sizeof path, "%.*s/%s", (int)length, at, name);
        if (used > 0 && (size_t)used < sizeof path && access(path, X_OK) == 0) return true;
        at += length + (at[length] == ':');
    }
    return false;
}
