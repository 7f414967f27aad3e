/* Programs that tests run: words, without a shell between.
 * Input: a folder to run in, a file there for stdout and stderr (NULL: the test's own), words.
 * Output: the exit status; -1 if the program cannot be run or a signal ended it. */
#ifndef TESTS_COMMAND_H
#define TESTS_COMMAND_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static inline int command_run(const char *folder, const char *log, char *const *argv) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) return -1;
    if (child == 0) {
        int fd = -1;
        if (chdir(folder) != 0) _exit(126);
        if (log && (fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666)) < 0) _exit(126);
        if (log && (dup2(fd, 1) < 0 || dup2(fd, 2) < 0)) _exit(126);
        execvp(argv[0], argv);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The words of `text` are separated by single spaces. */
static inline int command_run_text(const char *folder, const char *log, const char *text) {
    enum { MOST = 64 };
    char *argv[MOST + 1], *copy = strdup(text), *rest = copy;
    int count = 0;
    while (copy && count < MOST && (argv[count] = strsep(&rest, " "))) count++;
    argv[count] = NULL;
    int status = copy && count < MOST ? command_run(folder, log, argv) : -1;
    free(copy);
    return status;
}

#endif
