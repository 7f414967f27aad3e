/* `nnc bench`: where the time of an entry goes, kernel by kernel, against what the machine
 * can do. */
#ifndef NNC_DRIVER_BENCH_H
#define NNC_DRIVER_BENCH_H

#include "driver/run.h"

typedef struct BenchOptions {
    RunOptions run;    /* target, inputs, weights; .repeat: calls of each kind, 0: as time allows */
    double seconds;    /* of plain calls and of timed calls, each */
    bool json;         /* a JSON object on stdout, not a table */
    const char *trace; /* a file of trace events, or NULL */
} BenchOptions;

/* Returns the exit status. */
int bench_command(const BenchOptions *options);

#endif
