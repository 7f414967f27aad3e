/* An entry that is ready to be called: compiled, inputs read or made up, a session with weights. */
#ifndef NNC_DRIVER_INVOCATION_H
#define NNC_DRIVER_INVOCATION_H

#include "driver/run.h"

/* The status for a failed call: a value of the user's is wrong (1), all else is the environment
 * (3). */
enum { STATUS_INPUT = 1, STATUS_USAGE = 2, STATUS_FILES = 3 };

typedef struct Invocation {
    const RunOptions *options;
    Arena *arena;
    Model model;
    const Entry *source; /* what model.entry was made from */
    const Root *root;
    const Program *program;
    const DimTable *symbols;
    NncSession session;
    NncTensorFile checkpoint;
    NncBinding *bindings;
    int binding_count;
    NncArray *arguments, *results;
    const char **specs; /* what --input said, per argument */
    int64_t *dims;
    const void **in;
    void **out;
} Invocation;

/* Returns an exit status, with a message on stderr unless it is 0; close in both cases. */
int invocation_open(Invocation *run, const RunOptions *options);
bool invocation_call(Invocation *run, NncError *error);
void invocation_close(Invocation *run);

#endif
