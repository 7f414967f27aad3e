/* Reports of a training run, and what of it a checkpoint keeps beside the model's cells.
 * Numbers in checkpoints are written as hexadecimal floats: they come back as the same bits. */
#include "driver/train/train_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double mean_of(const Sums *sums, int result) {
    return sums->count ? sums->sums[result] / (double)sums->count : NAN;
}

/* JSON has no infinity and no NaN. */
static void json_number(NncText *out, double value) {
    if (isfinite(value))
        nnc_text_format(out, "%.9g", value);
    else
        nnc_text_add(out, "null");
}

static void json_sums(NncText *out, const char *name, const nnc_entry_info *entry,
                      const Sums *sums) {
    bool first = true;
    nnc_text_format(out, ",\"%s\":{", name);
    for (int r = 0; r < entry->result_count; ++r) {
        if (!is_metric(&entry->results[r])) continue;
        nnc_text_format(out, "%s\"%s\":", first ? "" : ",", entry->results[r].name);
        json_number(out, mean_of(sums, r));
        first = false;
    }
    nnc_text_add(out, "}");
}

static void remember(Trainer *trainer, double train, double test) {
    if (trainer->history_count == trainer->history_capacity) {
        int larger = trainer->history_capacity ? 2 * trainer->history_capacity : 64;
        for (int k = 0; k < 2; ++k) {
            NncError ignored;
            size_t old = (size_t)trainer->history_count * sizeof(double);
            double *grown =
                nnc_reallocate(trainer->history[k], old, (size_t)larger * sizeof(double), &ignored);
            if (!grown) return; /* the curve is a picture; training goes on without it */
            trainer->history[k] = grown;
        }
        trainer->history_capacity = larger;
    }
    trainer->history[0][trainer->history_count] = train;
    trainer->history[1][trainer->history_count++] = test;
}

void trainer_free_history(Trainer *trainer) {
    nnc_release(trainer->history[0]);
    nnc_release(trainer->history[1]);
    nnc_text_free(&trainer->log);
}

static void print_sums(const char *prefix, const nnc_entry_info *entry, const Sums *sums) {
    for (int r = 0; r < entry->result_count; ++r)
        if (is_metric(&entry->results[r]))
            printf("  %s%s %.4f", prefix, entry->results[r].name, mean_of(sums, r));
}

void trainer_report(Trainer *trainer, int64_t epoch, double seconds) {
    const nnc_entry_info *entry = trainer->feed.entry;
    int train_loss = trainer_loss_index(entry),
        test_loss = trainer->has_test ? trainer_loss_index(trainer->test.entry) : -1;
    remember(trainer, train_loss >= 0 ? mean_of(&trainer->train_sums, train_loss) : NAN,
             test_loss >= 0 ? mean_of(&trainer->test_sums, test_loss) : NAN);
    printf("epoch %*" PRId64 "/%" PRId64,
           trainer->epochs < 10    ? 1
           : trainer->epochs < 100 ? 2
                                   : 3,
           epoch, trainer->epochs);
    print_sums("", entry, &trainer->train_sums);
    if (trainer->has_test) print_sums("test ", trainer->test.entry, &trainer->test_sums);
    if (trainer->rate_count) printf("  lr %.4g", trainer->rates[0].now);
    printf("  %.2f s\n", seconds);
    fflush(stdout);
    NncText *log = &trainer->log;
    nnc_text_format(log, "{\"epoch\":%" PRId64 ",\"step\":%" PRId64, epoch, trainer->step);
    json_sums(log, "train", entry, &trainer->train_sums);
    if (trainer->has_test) json_sums(log, "test", trainer->test.entry, &trainer->test_sums);
    for (int r = 0; r < trainer->rate_count; ++r) {
        nnc_text_format(log, "%s\"%s\":", r ? "," : ",\"lr\":{", trainer->rates[r].name);
        json_number(log, trainer->rates[r].now);
    }
    nnc_text_add(log, trainer->rate_count ? "},\"seconds\":" : ",\"seconds\":");
    json_number(log, seconds);
    nnc_text_add(log, "}\n");
}

void trainer_summary(const Trainer *trainer, double seconds, bool saved) {
    const TrainOptions *options = trainer->options;
    NncCurve curves[2] = {{"train loss", trainer->history[0], trainer->history_count},
                          {"test loss", trainer->history[1], trainer->history_count}};
    if (!options->quiet)
        nnc_curve_print(stdout, curves, trainer->has_test ? 2 : 1, 60, 12, "epoch");
    printf("%" PRId64 " steps in %.1f s, %s", trainer->step - trainer->first_step, seconds,
           trainer->model->place);
    if (trainer->ended)
        printf("; ended early: %" PRId64 " epochs without a smaller loss", trainer->stale);
    if (options->save && saved) printf("; weights in %s", options->save);
    if (options->keep_best && trainer->has_best) printf(" (best loss %.4f)", trainer->best);
    printf("\n");
}

bool trainer_write_log(const Trainer *trainer, NncError *error) {
    if (trainer->log.failed) return nnc_fail_memory(error, trainer->log.length);
    NncBytes part = {(unsigned char *)trainer->log.data, trainer->log.length};
    return nnc_file_write(trainer->options->log, &part, 1, error);
}

/* ---
 * checkpoints ------------------------------------------------------------------------------- */

static char *hex(Arena *arena, double value) {
    return arena_printf(arena, "%a", value);
}

static char *hex_list(Arena *arena, const double *values, int count) {
    Text text = text_new(arena);
    for (int i = 0; i < count; ++i) text_printf(&text, "%s%a", i ? " " : "", values[i]);
    return text.data;
}

bool trainer_checkpoint(const Trainer *trainer, NncError *error) {
    if (trainer->log.failed) return nnc_fail_memory(error, trainer->log.length);
    /* An arena of its own: a run may write many checkpoints. */
    Arena *arena = arena_new();
    const NncLoader *loader = &trainer->feed.loader;
    const nnc_entry_info *entry = trainer->feed.entry;
    NncPair *pairs = NEW_ARRAY(arena, 32 + (size_t)trainer->rate_count, NncPair);
    int count = 0;
    pairs[count++] = (NncPair){"epoch", arena_printf(arena, "%" PRId64, loader->epoch)};
    pairs[count++] = (NncPair){"position", arena_printf(arena, "%" PRId64, loader->position)};
    pairs[count++] = (NncPair){"batch", arena_printf(arena, "%" PRId64, loader->batch)};
    pairs[count++] = (NncPair){"samples", arena_printf(arena, "%" PRId64, loader->length)};
    pairs[count++] = (NncPair){"shuffle", loader->shuffle ? "1" : "0"};
    pairs[count++] = (NncPair){"data_seed", arena_printf(arena, "%" PRIu64, loader->seed)};
    pairs[count++] = (NncPair){"step", arena_printf(arena, "%" PRId64, trainer->step)};
    pairs[count++] =
        (NncPair){"sum_count", arena_printf(arena, "%" PRId64, trainer->train_sums.count)};
    pairs[count++] =
        (NncPair){"sums", hex_list(arena, trainer->train_sums.sums, entry->result_count)};
    pairs[count++] = (NncPair){"recent", hex(arena, trainer->recent)};
    pairs[count++] = (NncPair){"seconds", hex(arena, trainer->epoch_seconds)};
    if (trainer->has_best) pairs[count++] = (NncPair){"best", hex(arena, trainer->best)};
    pairs[count++] = (NncPair){"stale", arena_printf(arena, "%" PRId64, trainer->stale)};
    pairs[count++] =
        (NncPair){"train_loss", hex_list(arena, trainer->history[0], trainer->history_count)};
    pairs[count++] =
        (NncPair){"test_loss", hex_list(arena, trainer->history[1], trainer->history_count)};
    pairs[count++] = (NncPair){"log", trainer->log.data ? trainer->log.data : ""};
    for (int r = 0; r < trainer->rate_count; ++r) {
        const char *name = trainer->rates[r].name;
        pairs[count++] =
            (NncPair){arena_printf(arena, "lr.%s", name), hex(arena, trainer->rates[r].base)};
    }
    bool good =
        nnc_checkpoint_save(&trainer->session, trainer->options->checkpoint, pairs, count, error);
    arena_free(arena);
    return good;
}

static bool read_integer(const NncTensorFile *file, const char *key, int64_t *out,
                         NncError *error) {
    const char *text = nnc_checkpoint_pair(file, key);
    if (!text || !parse_integer(text, out) || *out < 0)
        return nnc_fail(error, "the checkpoint was not written by `nnc train`: it has no '%s'",
                        key);
    return true;
}

bool trainer_checkpoint_seed(const NncTensorFile *file, uint64_t *seed, NncError *error) {
    const char *text = nnc_checkpoint_pair(file, "data_seed");
    char *end;
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return nnc_fail(error,
                        "the checkpoint was not written by `nnc train`: it has no 'data_seed'");
    *seed = value;
    return true;
}

/* Reads up to `limit` hexadecimal floats; -1 if the text is something else. */
static int read_hex_list(const char *text, double *out, int limit) {
    int count = 0;
    while (text && *text) {
        char *end;
        double value = strtod(text, &end);
        if (end == text || count == limit) return -1;
        out[count++] = value;
        text = *end == ' ' ? end + 1 : end;
        if (*end && *end != ' ') return -1;
    }
    return text ? count : -1;
}

static bool check_same(const char *what, int64_t stored, int64_t present, NncError *error) {
    if (stored == present) return true;
    return nnc_fail(error, "the checkpoint was made with %s %" PRId64 ", this run has %" PRId64,
                    what, stored, present);
}

bool trainer_continue(Trainer *trainer, const NncTensorFile *file, NncError *error) {
    NncLoader *loader = &trainer->feed.loader;
    int64_t epoch, position, batch, samples, shuffle;
    if (!read_integer(file, "epoch", &epoch, error) ||
        !read_integer(file, "position", &position, error) ||
        !read_integer(file, "batch", &batch, error) ||
        !read_integer(file, "samples", &samples, error) ||
        !read_integer(file, "shuffle", &shuffle, error) ||
        !read_integer(file, "step", &trainer->step, error) ||
        !read_integer(file, "sum_count", &trainer->train_sums.count, error))
        return false;
    if (!check_same("--batch", batch, loader->batch, error) ||
        !check_same("the number of samples", samples, loader->length, error) ||
        !check_same("shuffling", shuffle, loader->shuffle, error))
        return false;
    int results = trainer->feed.entry->result_count;
    const char *recent = nnc_checkpoint_pair(file, "recent"),
               *best = nnc_checkpoint_pair(file, "best");
    const char *seconds = nnc_checkpoint_pair(file, "seconds"),
               *log = nnc_checkpoint_pair(file, "log");
    if (read_hex_list(nnc_checkpoint_pair(file, "sums"), trainer->train_sums.sums, results) !=
            results ||
        read_hex_list(recent, &trainer->recent, 1) != 1 ||
        read_hex_list(seconds, &trainer->epoch_seconds, 1) != 1 ||
        (best && read_hex_list(best, &trainer->best, 1) != 1))
        return nnc_fail(error, "the checkpoint's sums do not fit this entry");
    trainer->has_best = best != NULL;
    if (nnc_checkpoint_pair(file, "stale") && !read_integer(file, "stale", &trainer->stale, error))
        return false;
    trainer->recent_set = true;
    if (log) nnc_text_add(&trainer->log, log);
    for (int r = 0; r < trainer->rate_count; ++r) {
        Rate *rate = &trainer->rates[r];
        const char *name = rate->name;
        const char *stored = nnc_checkpoint_pair(file, arena_printf(trainer->arena, "lr.%s", name));
        if (!rate->given && read_hex_list(stored, &rate->base, 1) != 1)
            return nnc_fail(error, "the checkpoint has no learning rate for '%s'", name);
    }
    double *train = NEW_ARRAY(trainer->arena, (size_t)epoch + 1, double);
    double *test = NEW_ARRAY(trainer->arena, (size_t)epoch + 1, double);
    int length = read_hex_list(nnc_checkpoint_pair(file, "train_loss"), train, (int)epoch + 1);
    if (length < 0 ||
        read_hex_list(nnc_checkpoint_pair(file, "test_loss"), test, (int)epoch + 1) != length)
        return nnc_fail(error, "the checkpoint's history is damaged");
    for (int i = 0; i < length; ++i) remember(trainer, train[i], test[i]);
    return nnc_loader_seek(loader, epoch, position, error);
}
