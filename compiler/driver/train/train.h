/* `nnc train`: epochs of a train block over data from files. */
#ifndef NNC_DRIVER_TRAIN_H
#define NNC_DRIVER_TRAIN_H

#include "driver/model.h"

typedef struct TrainOptions {
    const char *target; /* FILE[:block] */
    PipelineOptions pipeline;
    EngineOptions engine;
    const char *const *data, *const *test; /* "image=FILE" per tensor argument */
    const char *const *binds;
    int64_t epochs, batch; /* 0: 10 and 64 */
    const char *batch_dim; /* NULL: N, else B, else the first argument's first dim */
    uint64_t seed;
    const char *const *lr;      /* "0.1" or "optimizer=0.1" */
    const char *const *args;    /* "name=value": scalar arguments */
    const char *schedule;       /* NAME[:KEY=VALUE,...] of the library; NULL: constant */
    const char *schedule_every; /* "epoch" or "batch"; NULL: as the schedule says */
    int64_t warmup;             /* steps */
    const char *weights, *init_weights;
    const char *const *allow_missing, *const *allow_extra;
    const char *save, *checkpoint, *resume, *log;
    bool keep_best; /* --save gets the best epoch by the eval loss, not the last */
    bool no_shuffle, drop_last, quiet, check_finite;
    double split;             /* share of the samples that `eval` gets; 0: none */
    int64_t early_stop;       /* epochs without a smaller loss; 0: never */
    int64_t limit;            /* only the first samples */
    int64_t checkpoint_every; /* steps; 0: after each epoch */
    int64_t stop_after; /* steps of this run; 0: none.  Saves and exits 0, for tests of --resume */
} TrainOptions;

/* The names of the library's schedules, with commas. */
const char *schedule_names(Arena *arena);

int train_command(const TrainOptions *options);

#endif
