/* `nnc train`: sets up model, data and options, then runs epochs.
 * Invariants: the run is a function of its options and files alone; a resumed run continues to the
 * same bits, also in the middle of an epoch; files are replaced only by states whose loss and
 * weights are finite. */
#include "driver/train/train.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "driver/data/data.h"
#include "driver/process.h"
#include "driver/train/train_internal.h"

/* ---- sums of results ---- */

bool is_metric(const nnc_tensor_info *info) {
    return info->rank == 0;
}

int trainer_loss_index(const nnc_entry_info *entry) {
    int first = -1;
    for (int r = 0; r < entry->result_count; ++r) {
        const nnc_tensor_info *info = &entry->results[r];
        if (!is_metric(info) || !nnc_dtype_is_float(info->dtype)) continue;
        if (strcmp(info->name, "loss") == 0) return r;
        if (first < 0) first = r;
    }
    return first;
}

const nnc_entry_info *trainer_judge(const Trainer *trainer) {
    return trainer->has_test ? trainer->test.entry : trainer->feed.entry;
}

static void add_results(Sums *sums, const Feed *feed, int64_t count) {
    for (int r = 0; r < feed->entry->result_count; ++r)
        if (is_metric(&feed->entry->results[r]))
            sums->sums[r] +=
                (double)count * nnc_element_get(feed->results[r].dtype, feed->results[r].data, 0);
    sums->count += count;
}

static void clear_sums(Sums *sums, const nnc_entry_info *entry) {
    for (int r = 0; r < entry->result_count; ++r) sums->sums[r] = 0;
    sums->count = 0;
}

/* ---- epochs ---- */

static int evaluate(Trainer *trainer, NncError *error) {
    Feed *feed = &trainer->test;
    clear_sums(&trainer->test_sums, feed->entry);
    if (!nnc_loader_seek(&feed->loader, 0, 0, error)) return 3;
    for (int64_t count; (count = feed_next(feed, error)) != 0;) {
        if (count < 0) return 3;
        if (!nnc_session_call(&trainer->session, feed->entry, feed->dims, feed->in, feed->out,
                              error))
            return error->environment ? 3 : 1;
        add_results(&trainer->test_sums, feed, count);
        if (signals_received) return 128 + signals_received;
    }
    return 0;
}

static int stop_not_finite(const Trainer *trainer, const char *what, int64_t step,
                           NncError *error) {
    nnc_fail(error,
             "%s is not finite at step %" PRId64 " (epoch %" PRId64
             "): training stops; no file was replaced "
             "by this state.\nA smaller --lr or gradient clipping (clip_grad_norm_) often helps",
             what, step, (step > 0 ? step - 1 : 0) / trainer->batches + 1);
    return 1;
}

static int save_checkpoint(Trainer *trainer, NncError *error) {
    const char *name;
    if (!trainer->options->checkpoint) return 0;
    if (!nnc_weights_are_finite(&trainer->session, &name))
        return stop_not_finite(trainer, name, trainer->step, error);
    return trainer_checkpoint(trainer, error) ? 0 : 3;
}

static int save_weights(Trainer *trainer, NncError *error) {
    const char *name;
    if (!trainer->options->save) return 0;
    if (!nnc_weights_are_finite(&trainer->session, &name))
        return stop_not_finite(trainer, name, trainer->step, error);
    return nnc_weights_save(&trainer->session, trainer->options->save, error) ? 0 : 3;
}

/* What a signal, --stop-after or the end of the run leaves behind. */
static int leave(Trainer *trainer, int status, NncError *error) {
    int saved = save_checkpoint(trainer, error);
    if (saved == 0 && !(trainer->options->keep_best && trainer->has_best))
        saved = save_weights(trainer, error);
    if (saved != 0) return saved;
    if (status > 128) {
        const TrainOptions *options = trainer->options;
        fprintf(stderr, "nnc: stopped by a signal after step %" PRId64 "%s%s%s%s\n", trainer->step,
                options->checkpoint ? "; continue with --resume " : "",
                options->checkpoint ? options->checkpoint : "",
                options->save ? "; weights in " : "", options->save ? options->save : "");
    }
    trainer->left = true;
    return status;
}

/* The block's `epoch`: its one argument, if it has one, is the loss that the epoch is judged by. */
static int call_epoch(Trainer *trainer, double loss, NncError *error) {
    const nnc_entry_info *entry = trainer->epoch_entry;
    if (!entry) return 0;
    if (entry->argument_count)
        nnc_element_set(entry->arguments[0].dtype, trainer->epoch_argument.data, 0, loss);
    const void *in[1] = {trainer->epoch_argument.data};
    void **out = NEW_ARRAY(trainer->arena, (size_t)entry->result_count, void *);
    for (int r = 0; r < entry->result_count; ++r) out[r] = trainer->epoch_results[r].data;
    if (nnc_session_call(&trainer->session, entry, NULL, in, out, error)) return 0;
    return error->environment ? 3 : 1;
}

static int open_epoch(Trainer *trainer, NncError *error) {
    const nnc_entry_info *entry = nnc_model_entry(trainer->model->table, "epoch");
    if (!entry) return 0;
    const nnc_tensor_info *loss = entry->arguments;
    if (entry->argument_count > 1 ||
        (entry->argument_count && (loss->rank || !nnc_dtype_is_float(loss->dtype)))) {
        nnc_fail(error, "%s is called after each epoch: it takes nothing, or the loss as a scalar",
                 entry->symbol);
        return 2;
    }
    trainer->epoch_entry = entry;
    trainer->epoch_results = NEW_ARRAY(trainer->arena, (size_t)entry->result_count, NncArray);
    bool good = !entry->argument_count ||
                nnc_array_create(&trainer->epoch_argument, loss->dtype, 0, NULL, error);
    for (int r = 0; good && r < entry->result_count; ++r)
        good = nnc_entry_array(entry, NULL, entry->argument_count + r, &trainer->epoch_results[r],
                               error);
    return good ? 0 : 3;
}

/* What a run is judged by must be there for what goes by it. */
static int check_judge(const Trainer *trainer, NncError *error) {
    const nnc_entry_info *judge = trainer_judge(trainer), *epoch = trainer->epoch_entry;
    const char *what = trainer->options->early_stop > 0 ? "--early-stop"
                       : trainer->options->keep_best    ? "--keep-best"
                       : epoch && epoch->argument_count ? epoch->symbol
                                                        : NULL;
    if (!what || trainer_loss_index(judge) >= 0) return 0;
    nnc_fail(error, "%s goes by a loss, but no result of %s is a float of rank 0", what,
             judge->name);
    return 2;
}

static bool stops_early(const Trainer *trainer) {
    int64_t patience = trainer->options->early_stop;
    return patience > 0 && trainer->stale >= patience;
}

static int end_epoch(Trainer *trainer, double seconds, NncError *error) {
    Feed *feed = &trainer->feed;
    int status = trainer->has_test ? evaluate(trainer, error) : 0;
    if (status > 128) { /* the epoch's evaluation is done again after a resume */
        return leave(trainer, status, error);
    }
    if (status != 0) return status;
    int64_t epoch = feed->loader.epoch + 1;
    if (!trainer_read_rates(trainer, error)) return 3;
    trainer_report(trainer, epoch, seconds);
    const Sums *judge = trainer->has_test ? &trainer->test_sums : &trainer->train_sums;
    const nnc_entry_info *entry = trainer_judge(trainer);
    int loss = trainer_loss_index(entry);
    double value = loss >= 0 && judge->count ? judge->sums[loss] / (double)judge->count : NAN;
    if (loss >= 0 && !isfinite(value)) {
        const char *name = entry->results[loss].name;
        if (trainer->has_test) name = arena_printf(trainer->arena, "test %s", name);
        return stop_not_finite(trainer, name, trainer->step, error);
    }
    bool best = loss >= 0 && (!trainer->has_best || value < trainer->best);
    ++trainer->stale;
    if (best) {
        trainer->best = value;
        trainer->has_best = true;
        trainer->stale = 0;
    }
    if (stops_early(trainer)) trainer->ended = true;
    status = call_epoch(trainer, value, error);
    if (status != 0) return status;
    if (!trainer_observe(trainer, value, error)) return 1;
    clear_sums(&trainer->train_sums, feed->entry);
    trainer->epoch_seconds = 0;
    if (!nnc_loader_seek(&feed->loader, epoch, 0, error)) return 3;
    if (trainer->options->keep_best && best) status = save_weights(trainer, error);
    if (status == 0) status = save_checkpoint(trainer, error);
    if (status == 0 && trainer->options->log && !trainer_write_log(trainer, error)) status = 3;
    return status;
}

/* The step of `count` samples did not end well: as if it had not been. */
static int take_back(Trainer *trainer, const char *what, int64_t count, NncError *error) {
    const char *reason = NULL, *first = trainer_explain(trainer, &reason);
    if (!trainer_undo(trainer, error)) return 3;
    trainer->feed.loader.position -= count;
    int status = save_checkpoint(trainer, error);
    if (status != 0) return status;
    status = stop_not_finite(trainer, what, trainer->step + 1, error);
    if (first) nnc_error_add(error, ".\nThe first value that is not finite is %s", first);
    if (reason) nnc_error_add(error, ".\nWhich value was first could not be found: %s", reason);
    nnc_error_add(error, ".\nThe step was taken back%s%s",
                  trainer->options->checkpoint ? "; the state before it is in " : "",
                  trainer->options->checkpoint ? trainer->options->checkpoint : "");
    return status;
}

static int run_epoch(Trainer *trainer, NncError *error) {
    const TrainOptions *options = trainer->options;
    Feed *feed = &trainer->feed;
    int loss = trainer_loss_index(feed->entry);
    char label[64];
    NncProgress progress;
    snprintf(label, sizeof label, "epoch %" PRId64 "/%" PRId64, feed->loader.epoch + 1,
             trainer->epochs);
    int64_t done = feed->loader.position / feed->loader.batch;
    if (!options->quiet) nnc_progress_start(&progress, stderr, label, done, trainer->batches);
    double start = nnc_now();
    int status = 0;
    for (int64_t count; status == 0 && (count = feed_next(feed, error)) != 0;) {
        if (count > 0 && !trainer_set_rates(trainer, error)) {
            status = error->environment ? 3 : 1;
            break;
        }
        if (count < 0 || (options->check_finite && !trainer_keep(trainer, error))) {
            status = 3;
            break;
        }
        if (!nnc_session_call(&trainer->session, feed->entry, feed->dims, feed->in, feed->out,
                              error)) {
            status = error->environment ? 3 : 1;
            break;
        }
        double value =
            loss >= 0 ? nnc_element_get(feed->results[loss].dtype, feed->results[loss].data, 0) : 0;
        const char *spoilt = isfinite(value) ? NULL : feed->entry->results[loss].name;
        if (options->check_finite && !spoilt && !trainer_find_not_finite(trainer, &spoilt, error)) {
            status = 3;
            break;
        }
        if (spoilt) {
            status = options->check_finite
                         ? take_back(trainer, spoilt, count, error)
                         : stop_not_finite(trainer, spoilt, trainer->step + 1, error);
            break;
        }
        add_results(&trainer->train_sums, feed, count);
        ++trainer->step;
        ++done;
        trainer->recent = trainer->recent_set ? 0.98 * trainer->recent + 0.02 * value : value;
        trainer->recent_set = true;
        if (!options->quiet) nnc_progress_update(&progress, done, trainer->recent, loss >= 0);
        trainer->epoch_seconds += nnc_now() - start;
        start = nnc_now();
        bool last = feed->loader.position >= feed->loader.length;
        if (signals_received) {
            status = leave(trainer, 128 + signals_received, error);
        } else if (options->stop_after > 0 &&
                   trainer->step - trainer->first_step >= options->stop_after) {
            status = leave(trainer, 0, error);
            break;
        } else if (options->checkpoint_every > 0 &&
                   trainer->step % options->checkpoint_every == 0 && !last) {
            status = save_checkpoint(trainer, error);
        }
    }
    if (!options->quiet) nnc_progress_end(&progress);
    if (status != 0 || trainer->left) return status;
    return end_epoch(trainer, trainer->epoch_seconds, error);
}

/* The folder that a file is to be written into. */
static bool check_folder(const char *path, NncError *error) {
    const char *slash = strrchr(path, '/');
    char folder[4096];
    size_t length = slash ? (size_t)(slash - path) + 1 : 2;
    if (length >= sizeof folder) return nnc_fail(error, "%s: the name is too long", path);
    memcpy(folder, slash ? path : "./", length);
    folder[length] = 0;
    if (access(folder, W_OK | X_OK) == 0) return true;
    return nnc_fail(error, "%s cannot be written: %s", path, strerror(errno));
}

static int check_options(const TrainOptions *options, NncError *error) {
    if (options->epochs < 0 || options->batch < 0 || options->warmup < 0) {
        nnc_fail(error, "--epochs, --batch and --warmup want positive numbers");
        return 2;
    }
    if (options->split > 0 && list_length(options->test) > 0) {
        nnc_fail(error, "--split takes the samples for `eval` from --data: leave out --test");
        return 2;
    }
    if (options->keep_best && !options->save) {
        nnc_fail(error, "--keep-best needs --save FILE");
        return 2;
    }
    /* Not at the end of a long run. */
    const char *const written[] = {options->save, options->checkpoint, options->log};
    for (int i = 0; i < 3; ++i)
        if (written[i] && !check_folder(written[i], error)) return 3;
    return 0;
}

/* The initial state: fresh, then weights, or all of a checkpoint. */
static int load_state(Trainer *trainer, const NncTensorFile *checkpoint, NncError *error) {
    const TrainOptions *options = trainer->options;
    bool good = model_session(trainer->model, trainer->bindings, trainer->binding_count,
                              &trainer->session, error) &&
                nnc_session_init(&trainer->session, options->seed, error);
    if (good && checkpoint) {
        good = nnc_checkpoint_restore(&trainer->session, checkpoint, error);
        if (!good) nnc_fail_in(error, options->resume);
    }
    if (good && options->weights)
        good = nnc_weights_load_file(&trainer->session, options->weights, NULL, error);
    if (good && options->init_weights) {
        NncLoadOptions load = {options->allow_missing, options->allow_extra, NULL};
        good = nnc_weights_load_file(&trainer->session, options->init_weights, &load, error);
    }
    return good ? 0 : 3;
}

/* Each --arg NAME=NUMBER is an argument of `step` or of `eval`. */
static int check_arguments(const Trainer *trainer, NncError *error) {
    const nnc_entry_info *step = trainer->model->entry,
                         *eval = nnc_model_entry(trainer->model->table, "eval");
    for (int i = 0; i < list_length(trainer->options->args); ++i) {
        const char *text = trainer->options->args[i];
        NamedText pair = named_text(trainer->arena, text);
        if (pair.name && (feed_find_argument(step, pair.name) >= 0 ||
                          (eval && feed_find_argument(eval, pair.name) >= 0)))
            continue;
        nnc_fail(error,
                 "--arg wants NAME=NUMBER with an argument of %s, not '%s'; they are:", step->name,
                 text);
        feed_list_arguments(step, error);
        return 2;
    }
    return 0;
}

static int prepare(Trainer *trainer, const NncTensorFile *checkpoint, NncError *error) {
    const TrainOptions *options = trainer->options;
    const nnc_model *table = trainer->model->table;
    int status = check_options(options, error);
    if (status != 0) return status;
    trainer->epochs = options->epochs > 0 ? options->epochs : 10;
    if (!parse_bindings(trainer->arena, trainer->model->table, options->binds, &trainer->bindings,
                        &trainer->binding_count, error))
        return 2;
    status = check_arguments(trainer, error);
    if (status != 0) return status;
    uint64_t seed = options->seed;
    if (checkpoint && !trainer_checkpoint_seed(checkpoint, &seed, error)) return 3;
    status = feed_open(&trainer->feed, trainer->arena, options, trainer->model->entry,
                       options->data, "--data", !options->no_shuffle, options->drop_last, seed,
                       options->split > 0 ? PART_REST : PART_ALL, trainer->bindings,
                       trainer->binding_count, error);
    if (status != 0) return status;
    trainer->batches = nnc_loader_batches(&trainer->feed.loader);
    if (trainer->batches == 0) {
        nnc_fail(error, "the data has no full batch, and --drop-last leaves the rest out");
        return 3;
    }
    const nnc_entry_info *eval = nnc_model_entry(table, "eval");
    bool split = options->split > 0;
    if (list_length(options->test) > 0 || split) {
        if (!eval) {
            nnc_fail(error, "%s needs an entry `eval` in the train block '%s'",
                     split ? "--split" : "--test", table->name);
            return 2;
        }
        status = feed_open(&trainer->test, trainer->arena, options, eval,
                           split ? options->data : options->test, split ? "--data" : "--test",
                           false, false, split ? seed : 0, split ? PART_HELD : PART_ALL,
                           trainer->bindings, trainer->binding_count, error);
        if (status != 0) return status;
        trainer->has_test = true;
        trainer->test_sums.sums = NEW_ARRAY(trainer->arena, (size_t)eval->result_count, double);
    }
    trainer->train_sums.sums =
        NEW_ARRAY(trainer->arena, (size_t)trainer->feed.entry->result_count, double);
    status = open_epoch(trainer, error);
    if (status == 0) status = check_judge(trainer, error);
    if (status == 0) status = load_state(trainer, checkpoint, error);
    if (status == 0) status = trainer_find_rates(trainer, error);
    if (status == 0 && checkpoint && !trainer_continue(trainer, checkpoint, error)) status = 3;
    if (status == 0) status = trainer_open_schedule(trainer, error);
    trainer->first_step = trainer->step;
    return status;
}

int train_model(Trainer *trainer) {
    const TrainOptions *options = trainer->options;
    NncError error = {0};
    double start = nnc_now();
    int status = 0;
    if (options->resume && !nnc_checkpoint_read(options->resume, &trainer->checkpoint, &error))
        status = 3;
    if (status == 0)
        status = prepare(trainer, options->resume ? &trainer->checkpoint : NULL, &error);
    if (status != 0 && signals_received) status = 128 + signals_received;
    trainer->ended = status == 0 && stops_early(trainer);
    while (status == 0 && !trainer->left && !trainer->ended &&
           trainer->feed.loader.epoch < trainer->epochs)
        status = trainer->feed.loader.position >= trainer->feed.loader.length
                     ? end_epoch(trainer, trainer->epoch_seconds, &error)
                     : run_epoch(trainer, &error);
    if (status == 0 && !trainer->left) {
        const double seconds = nnc_now() - start;
        if (!options->keep_best) status = save_weights(trainer, &error);
        trainer_summary(trainer, seconds, status == 0);
    }
    if (status != 0 && error.text[0]) driver_fail(status, &error);
    if (status == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
        nnc_fail(&error, "cannot write to standard output");
        status = driver_fail(3, &error);
    }
    return status;
}

void trainer_close(Trainer *trainer) {
    nnc_tensor_file_free(&trainer->checkpoint);
    trainer_free_history(trainer);
    trainer_free_kept(trainer);
    feed_close(&trainer->feed);
    feed_close(&trainer->test);
    nnc_array_free(&trainer->epoch_argument);
    for (int r = 0; trainer->epoch_entry && r < trainer->epoch_entry->result_count; ++r)
        nnc_array_free(&trainer->epoch_results[r]);
    trainer_close_schedule(trainer);
    nnc_session_close(&trainer->session);
}

typedef struct Training {
    Trainer trainer;
    Model model;
    int status;
} Training;

static void train_target(void *user) {
    Training *training = user;
    const TrainOptions *options = training->trainer.options;
    Pipeline pipeline;
    Root *root;
    Entry *entry;
    int status =
        pipeline_open(&pipeline, training->trainer.arena, options->target, &options->pipeline);
    if (status == 0) status = pipeline_choose(&pipeline, WISH_TRAIN, &root, &entry);
    if (status == 0) {
        training->trainer.root = root;
        training->trainer.entry = entry;
        training->trainer.program = pipeline.program;
    }
    if (status == 0)
        status = model_open(&training->model, &pipeline, root, entry, &options->engine);
    if (status == 0) status = train_model(&training->trainer);
    training->status = status;
}

int train_command(const TrainOptions *options) {
    Training training = {.trainer = {.options = options, .arena = arena_new()}};
    training.trainer.model = &training.model;
    signals_install();
    if (!memory_guard(train_target, &training)) training.status = 3;
    trainer_close(&training.trainer);
    model_close(&training.model);
    arena_free(training.trainer.arena);
    return training.status;
}
