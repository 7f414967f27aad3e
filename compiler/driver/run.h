/* `nnc run`: calls an entry on arrays from files. */
#ifndef NNC_DRIVER_RUN_H
#define NNC_DRIVER_RUN_H

#include "driver/model.h"

typedef struct RunOptions {
    const char *target; /* FILE[:entry] */
    PipelineOptions pipeline;
    EngineOptions engine;
    const char *weights;                                   /* --weights: strict */
    const char *init_weights;                              /* --init-weights, with the patterns */
    const char *const *allow_missing, *const *allow_extra; /* NULL-terminated lists, or NULL */
    const char *const *inputs;                             /* "x=file.npy", "x=rand", "lr=0.1" */
    const char *const *binds;                              /* "N=4" */
    const char *const *sets;                               /* --set cell=number: run-time scalars */
    uint64_t seed;
    const char *output_dir; /* results as <name>.npy; NULL: none are written */
    const char *save, *checkpoint, *resume;
    bool check_finite; /* name the first value that is not finite, and do not call */
    int64_t repeat;    /* 0 counts as 1 */
    bool makes_up; /* inputs that are not given are random; ids are in the range that is checked */
} RunOptions;

/* Returns the exit status. */
int run_command(const RunOptions *options);

#endif
