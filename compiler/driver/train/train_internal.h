/* The state of a training run, shared by train.c (the loop), train_feed.c (batches),
 * train_schedule.c (learning rates), train_finite.c (the first tensor that is not finite) and
 * train_state.c (reports, checkpoints). */
#ifndef NNC_DRIVER_TRAIN_INTERNAL_H
#define NNC_DRIVER_TRAIN_INTERNAL_H

#include "driver/train/train.h"

/* Batches for one entry: columns from files, fixed arguments, and the arrays of its results. */
typedef struct Feed {
    const nnc_entry_info *entry;
    NncColumn *columns; /* those read so far, until the loader takes them */
    int column_count;
    NncLoader loader;
    int batch_dim;
    const NncBinding *bindings;
    int binding_count;
    NncArray *fixed; /* [arguments] those that do not depend on the batch */
    int *column_of;  /* [arguments] -1: fixed */
    NncArray *views; /* [arguments] shapes of the present batch */
    const NncArray **given;
    int64_t bound; /* batch size that dims and results are made for */
    int64_t *dims;
    const void **batch; /* by column of the loader */
    const void **in;
    void **out;
    NncArray *results;
} Feed;

/* Of the samples: all, those that --split holds back for `eval`, or the others. */
typedef enum FeedPart { PART_ALL, PART_HELD, PART_REST } FeedPart;

int feed_open(Feed *feed, Arena *arena, const TrainOptions *options, const nnc_entry_info *entry,
              const char *const *data, const char *option, bool shuffle, bool drop_last,
              uint64_t seed, FeedPart part, const NncBinding *bindings, int binding_count,
              NncError *error);
void feed_close(Feed *feed);
/* Index of the entry's argument of that name, or -1. */
int feed_find_argument(const nnc_entry_info *entry, const char *name);
/* Adds a line for each argument to the message. */
void feed_list_arguments(const nnc_entry_info *entry, NncError *error);
/* Makes in, out and dims of the next batch; its size, 0 at the end of the epoch, -1 on failure. */
int64_t feed_next(Feed *feed, NncError *error);

/* A learning rate: a run-time cell of the model, or (cell -1) an argument of the step. */
typedef struct Rate {
    int cell, argument;
    const char *name;
    double base, now;
    bool given;       /* by --lr */
    double scheduled; /* what the schedule says, without warm-up */
    int64_t time;     /* of the schedule then */
} Rate;

typedef struct Schedule Schedule;

/* Sums of the rank-0 results, each weighted by the batch's size. */
typedef struct Sums {
    double *sums;
    int64_t count;
} Sums;

typedef struct Trainer {
    const TrainOptions *options;
    const Model *model;
    Arena *arena;
    NncSession session;
    NncTensorFile checkpoint; /* that of --resume */
    Feed feed, test;
    bool has_test;
    NncBinding *bindings;
    int binding_count;
    Rate *rates;
    int rate_count;
    bool follows;       /* --schedule or --warmup: every step sets the rates */
    Schedule *schedule; /* NULL: constant */
    const Program *program;
    const Entry *entry; /* its `step` */
    const Root *root;   /* what the model was made from; NULL in tests of a table alone */
    const nnc_entry_info *epoch_entry; /* the block's `epoch`, or NULL */
    NncArray epoch_argument, *epoch_results;
    int64_t epochs, batches, step, first_step;
    Sums train_sums, test_sums;
    double best;
    bool has_best;
    int64_t stale; /* epochs since the best one */
    bool ended;    /* by --early-stop */
    double recent; /* running mean of the loss, for the progress line */
    bool recent_set, left;
    double epoch_seconds;
    NncText log;        /* one JSON line an epoch */
    double *history[2]; /* train and test loss, one value an epoch */
    int history_count, history_capacity;
    NncArray *kept; /* [cells] before this step, with --check-finite */
    uint64_t kept_step;
} Trainer;

bool is_metric(const nnc_tensor_info *info);
/* The result that a run is judged by: `loss`, else the first float of rank 0; -1 if there is none.
 */
int trainer_loss_index(const nnc_entry_info *entry);
/* The entry whose loss that is: `eval` where there are samples for it, else `step`. */
const nnc_entry_info *trainer_judge(const Trainer *trainer);
/* A step may take its learning rate as an argument: --lr and --schedule then mean it. */
bool trainer_is_rate_argument(const nnc_tensor_info *info);
/* The rates of the block and --lr; the schedule; the rates of the next step; an epoch's loss. */
int trainer_find_rates(Trainer *trainer, NncError *error);
int trainer_open_schedule(Trainer *trainer, NncError *error);
bool trainer_set_rates(Trainer *trainer, NncError *error);
/* What the rates are now, for reports. */
bool trainer_read_rates(Trainer *trainer, NncError *error);
bool trainer_observe(Trainer *trainer, double loss, NncError *error);
void trainer_close_schedule(Trainer *trainer);

/* The loop on a model that is open; returns the exit status. */
int train_model(Trainer *trainer);
void trainer_close(Trainer *trainer);

void trainer_report(Trainer *trainer, int64_t epoch,
                    double seconds); /* one line on stdout, log, history */
void trainer_summary(const Trainer *trainer, double seconds,
                     bool saved); /* the curve and what was written */
bool trainer_write_log(const Trainer *trainer, NncError *error);
bool trainer_checkpoint(const Trainer *trainer, NncError *error);
bool trainer_checkpoint_seed(const NncTensorFile *file, uint64_t *seed, NncError *error);
/* Takes over position, sums, rates and history from a checkpoint. */
bool trainer_continue(Trainer *trainer, const NncTensorFile *file, NncError *error);
/* --check-finite: remember the cells, go back to them, name the first that is not finite (gradients
 * come first; NULL if all are finite). */
bool trainer_keep(Trainer *trainer, NncError *error);
/* What the first value was that was not finite in the step after trainer_keep; NULL if unknown,
 * with a reason where the step could not be made again. */
const char *trainer_explain(const Trainer *trainer, const char **reason);
bool trainer_undo(Trainer *trainer, NncError *error);
bool trainer_find_not_finite(const Trainer *trainer, const char **name, NncError *error);
void trainer_free_kept(Trainer *trainer);
void trainer_free_history(Trainer *trainer);

#endif
