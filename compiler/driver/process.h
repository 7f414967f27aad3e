/* Child processes without a shell, and the signals that end a run. */
#ifndef NNC_DRIVER_PROCESS_H
#define NNC_DRIVER_PROCESS_H

#include <signal.h>
#include "nncrt.h"

/* SIGINT or SIGTERM once signals_install was called and one arrived, else 0.  Long loops
 * poll it. */
extern volatile sig_atomic_t signals_received;
void signals_install(void);

/* Runs argv[0] (looked up in PATH), collects stdout and stderr together.  False when it cannot be
 * started or was ended by a signal; *status is its exit status otherwise.  *missing (may be NULL)
 * tells that there is no such program. */
bool process_run(const char *const *argv, NncText *output, int *status, bool *missing,
                 NncError *error);
/* Splits at spaces ("ccache gcc -m64") into words[0 … count), which point into `buffer`. */
int process_split(const char *text, char *buffer, size_t size, const char **words, int limit);
/* Whether a program of this name is in PATH. */
bool process_find(const char *name);

#endif
