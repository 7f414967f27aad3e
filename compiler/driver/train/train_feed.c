/* What an entry is fed: files named by --data and --arg become columns of samples or fixed
 * arguments, batch by batch.
 *
 * Input: the entry's row, options.  Output: pointers and dims of the next call (feed_next).  A text
 * that is one long stream is cut into windows (cut_streams); --split takes one of two parts.
 * Invariants: which samples a part has depends on the seed and their number alone; shapes are bound
 * again only where the size of the batch changes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver/data/data.h"
#include "driver/process.h"
#include "driver/train/train_internal.h"

static bool has_dim(const nnc_tensor_info *info, int dim, int *axis) {
    for (int i = 0; i < info->rank; ++i)
        if (info->dims[i] == -1 - dim) {
            *axis = i;
            return true;
        }
    return false;
}

/* Index of the batch dim among the entry's dims, -1 after a message. */
static int find_batch_dim(const nnc_entry_info *entry, const char *wanted, NncError *error) {
    const char *candidates[] = {wanted ? wanted : "N", wanted ? wanted : "B"};
    for (int k = 0; k < 2; ++k)
        for (int d = 0; d < entry->dim_count; ++d)
            if (strcmp(entry->dims[d], candidates[k]) == 0) return d;
    if (!wanted && entry->argument_count > 0 && entry->arguments[0].rank > 0 &&
        entry->arguments[0].dims[0] < 0 && entry->arguments[0].dims[0] != INT64_MIN)
        return (int)(-1 - entry->arguments[0].dims[0]);
    nnc_fail(error, "%s has no batch dim%s%s; name it with --batch-dim", entry->name,
             wanted ? " " : "", wanted ? wanted : "");
    return -1;
}

static bool read_column(Arena *arena, const char *path, const nnc_tensor_info *info, NncArray *out,
                        NncError *error) {
    /* FILE:+k leaves the first k samples out: the next character of a text. */
    size_t length = strlen(path);
    const char *colon = strrchr(path, ':');
    int64_t shift = 0;
    char *plain = nnc_allocate(length + 1, error);
    if (!plain) return false;
    memcpy(plain, path, length + 1);
    if (colon && colon[1] == '+' && parse_integer(colon + 2, &shift)) plain[colon - path] = 0;
    bool good = data_read(arena, plain, info, out, error);
    if (good && shift > 0 && (out->rank < 1 || out->dims[0] < shift)) {
        good = nnc_fail(error, "%s: fewer than %" PRId64 " samples", plain, shift);
        nnc_array_free(out);
    } else if (good && shift > 0) {
        size_t row = out->dims[0] ? out->bytes / (size_t)out->dims[0] : 0;
        out->dims[0] -= shift;
        out->bytes -= row * (size_t)shift;
        memmove(out->data, (char *)out->data + row * (size_t)shift, out->bytes);
    }
    nnc_release(plain);
    return good;
}

/* How a text becomes samples: `count` streams, each a contiguous part of it, in `windows` windows
 * of `length` elements; the rest of the text is left out.  Sample w * count + k is window w of
 * stream k, so that a batch of `count` goes on where the one before ended. */
typedef struct Streams {
    int64_t count, windows, length;
} Streams;

/* The length of a window of input `info`, from --bind. */
static int64_t window_length(const nnc_entry_info *entry, const nnc_tensor_info *info, int axis,
                             const NncBinding *bindings, int binding_count, NncError *error) {
    int64_t length = info->dims[1 - axis];
    for (int b = 0; length < 0 && length != INT64_MIN && b < binding_count; ++b)
        if (strcmp(bindings[b].name, entry->dims[-1 - length]) == 0) length = bindings[b].value;
    if (length < 1)
        nnc_fail(
            error,
            "input '%s' is cut from a stream: give the length of a sample with --bind %s=NUMBER",
            info->name,
            info->dims[1 - axis] == INT64_MIN ? "DIM" : entry->dims[-1 - info->dims[1 - axis]]);
    return length;
}

/* [L] becomes [samples, T], or [T, samples] where the batch lies along the second axis. */
static bool cut_stream(const Streams *streams, int axis, NncArray *array, NncError *error) {
    const int64_t length = streams->length, samples = streams->count * streams->windows;
    const int64_t dims[2] = {axis == 0 ? samples : length, axis == 0 ? length : samples};
    NncArray cut;
    if (!nnc_array_create(&cut, array->dtype, 2, dims, error)) return false;
    const size_t width = nnc_dtype_bytes(array->dtype);
    for (int64_t i = 0; i < samples; ++i) {
        const int64_t from = (i % streams->count * streams->windows + i / streams->count) * length;
        for (int64_t t = 0; t < length; ++t)
            memcpy((char *)cut.data +
                       (size_t)(axis == 0 ? i * length + t : t * samples + i) * width,
                   (const char *)array->data + (size_t)(from + t) * width, width);
    }
    nnc_array_free(array);
    *array = cut;
    return true;
}

/* Cuts every column that is one long stream, all in the same places.  *count: of streams; 0 where
 * no column is one. */
static bool cut_streams(const nnc_entry_info *entry, const int *column_of, NncColumn *columns,
                        int64_t batch, const NncBinding *bindings, int binding_count,
                        int64_t *count, NncError *error) {
    Streams streams = {0};
    int64_t samples = INT64_MAX;
    for (int pass = 0; pass < 2; ++pass) {
        for (int a = 0; a < entry->argument_count; ++a) {
            const nnc_tensor_info *info = &entry->arguments[a];
            NncColumn *column = column_of[a] < 0 ? NULL : &columns[column_of[a]];
            if (!column || column->array.rank != 1 || info->rank != 2) continue;
            const int64_t length =
                window_length(entry, info, column->axis, bindings, binding_count, error);
            if (length < 1) return false;
            streams.length = length;
            if (pass == 0 && column->array.dims[0] / length < samples)
                samples = column->array.dims[0] / length;
            if (pass == 1 && !cut_stream(&streams, column->axis, &column->array, error))
                return false;
        }
        if (samples == INT64_MAX) return true;
        *count = streams.count = batch < samples ? batch : samples;
        streams.windows = streams.count ? samples / streams.count : 0;
    }
    return true;
}

int feed_find_argument(const nnc_entry_info *entry, const char *name) {
    for (int a = 0; a < entry->argument_count; ++a)
        if (strcmp(entry->arguments[a].name, name) == 0) return a;
    return -1;
}

void feed_list_arguments(const nnc_entry_info *entry, NncError *error) {
    char shape[256];
    for (int a = 0; a < entry->argument_count; ++a)
        nnc_error_add(error, "\n  %s: %s", entry->arguments[a].name,
                      nnc_describe_tensor(shape, sizeof shape, entry, &entry->arguments[a]));
}

/* An argument that is the same in every call: a number or a file. */
static int read_fixed(Arena *arena, Feed *feed, int argument, const char *text, NncError *error) {
    const nnc_tensor_info *info = &feed->entry->arguments[argument];
    NncArray *array = &feed->fixed[argument];
    double number;
    if (array->data) return 0;
    if (info->rank == 0 && parse_number(text, &number)) {
        if (!nnc_array_create(array, info->dtype, 0, NULL, error)) return 3;
        nnc_element_set(info->dtype, array->data, 0, number);
        return 0;
    }
    return data_read(arena, text, info, array, error) ? 0 : 3;
}

/* One of the two parts that --split makes of the first --limit samples: which are held back depends
 * on the seed and their number alone, of `streams` streams they are the last windows of each; the
 * order of the samples stays. */
static bool take_part(NncColumn *column, const TrainOptions *options, int64_t streams,
                      uint64_t seed, FeedPart part, NncError *error) {
    NncArray *array = &column->array;
    const double share = options->split;
    const int64_t all = array->dims[column->axis];
    int64_t count = options->limit > 0 && options->limit < all ? options->limit : all;
    if (streams) count -= count % streams;
    int64_t held = streams ? (int64_t)(share * (double)(count / streams) + 0.5) * streams
                           : (int64_t)(share * (double)count + 0.5);
    if (held < 1 || held >= count)
        return nnc_fail(error, "--split %g of %" PRId64 " samples leaves a part without any", share,
                        count);
    size_t bytes, outer = 1, inner = nnc_dtype_bytes(array->dtype);
    if (!nnc_multiply((size_t)count, sizeof(int64_t), &bytes))
        return nnc_fail(error, "too many samples");
    int64_t *order = nnc_allocate(bytes, error);
    bool *is_held = order ? nnc_allocate_zeroed((size_t)count, error) : NULL;
    NncArray taken = {0};
    int64_t dims[NNC_MAX_RANK];
    for (int i = 0; i < array->rank; ++i) {
        dims[i] = array->dims[i];
        if (i < column->axis) outer *= (size_t)dims[i];
        if (i > column->axis) inner *= (size_t)dims[i];
    }
    dims[column->axis] = part == PART_HELD ? held : count - held;
    bool good = is_held && nnc_array_create(&taken, array->dtype, array->rank, dims, error);
    if (good) {
        /* No epoch has this number (nnc_loader_seek). */
        nnc_permutation(seed, UINT32_MAX, count, order);
        for (int64_t i = 0; i < held; ++i) is_held[streams ? count - 1 - i : order[i]] = true;
        char *to = taken.data;
        for (size_t o = 0; inner && o < outer; ++o)
            for (int64_t i = 0; i < count; ++i) {
                if (is_held[i] != (part == PART_HELD)) continue;
                memcpy(to, (char *)array->data + (o * (size_t)all + (size_t)i) * inner, inner);
                to += inner;
            }
        nnc_array_free(array);
        *array = taken;
    }
    nnc_release(is_held);
    nnc_release(order);
    return good;
}

int feed_open(Feed *feed, Arena *arena, const TrainOptions *options, const nnc_entry_info *entry,
              const char *const *data, const char *option, bool shuffle, bool drop_last,
              uint64_t seed, FeedPart part, const NncBinding *bindings, int binding_count,
              NncError *error) {
    char shape[256];
    *feed = (Feed){.entry = entry, .bindings = bindings, .binding_count = binding_count};
    size_t arguments = (size_t)entry->argument_count;
    feed->fixed = NEW_ARRAY(arena, arguments, NncArray);
    feed->given = NEW_ARRAY(arena, arguments, const NncArray *);
    feed->views = NEW_ARRAY(arena, arguments, NncArray);
    feed->column_of = NEW_ARRAY(arena, arguments, int);
    feed->batch = NEW_ARRAY(arena, arguments, const void *);
    feed->in = NEW_ARRAY(arena, arguments, const void *);
    feed->out = NEW_ARRAY(arena, (size_t)entry->result_count, void *);
    feed->results = NEW_ARRAY(arena, (size_t)entry->result_count, NncArray);
    feed->dims = NEW_ARRAY(arena, (size_t)entry->dim_count, int64_t);
    feed->batch_dim = find_batch_dim(entry, options->batch_dim, error);
    if (feed->batch_dim < 0) return 2;
    for (int i = 0; i < list_length(data); ++i) {
        NamedText pair = named_text(arena, data[i]);
        if (part == PART_HELD && pair.name && feed_find_argument(entry, pair.name) < 0) continue;
        if (!pair.name || feed_find_argument(entry, pair.name) < 0) {
            nnc_fail(error, "%s has no input for '%s %s'; its inputs are:", entry->name, option,
                     data[i]);
            feed_list_arguments(entry, error);
            return 2;
        }
    }
    NncColumn *columns = feed->columns = NEW_ARRAY(arena, arguments, NncColumn);
    int status = 0;
    for (int a = 0; status == 0 && a < entry->argument_count; ++a) {
        const nnc_tensor_info *info = &entry->arguments[a];
        const char *text = NULL;
        int axis = 0;
        bool batched = has_dim(info, feed->batch_dim, &axis);
        feed->column_of[a] = -1;
        for (int i = 0; i < list_length(data); ++i) {
            NamedText pair = named_text(arena, data[i]);
            if (pair.name && strcmp(pair.name, info->name) == 0) text = pair.value;
        }
        for (int i = 0; !batched && i < list_length(options->args); ++i) {
            NamedText pair = named_text(arena, options->args[i]);
            if (pair.name && strcmp(pair.name, info->name) == 0) text = pair.value;
        }
        if (!text && trainer_is_rate_argument(info))
            for (int i = 0; i < list_length(options->lr); ++i) {
                NamedText pair = named_text(arena, options->lr[i]);
                if (!pair.name || strcmp(pair.name, "lr") == 0) text = pair.value;
            }
        if (!text) {
            nnc_fail(error, "%s needs '%s' (%s); give %s %s=%s", entry->name, info->name,
                     nnc_describe_tensor(shape, sizeof shape, entry, info),
                     batched ? option : "--arg", info->name, info->rank ? "FILE" : "NUMBER");
            status = 2;
        } else if (!batched) {
            status = read_fixed(arena, feed, a, text, error);
        } else {
            feed->column_of[a] = feed->column_count;
            columns[feed->column_count] = (NncColumn){.name = info->name, .axis = axis};
            if (!read_column(arena, text, info, &columns[feed->column_count].array, error)) {
                status = 3;
            } else {
                NncArray *array = &columns[feed->column_count++].array;
                const bool stream = array->rank == 1 && info->rank == 2;
                /* Rank and dtype here; the other dims with the first batch. */
                if ((array->rank != info->rank && !stream) || array->dtype != info->dtype) {
                    char given[256];
                    nnc_fail(error, "input '%s' of %s is %s, but %s holds %s", info->name,
                             entry->name, nnc_describe_tensor(shape, sizeof shape, entry, info),
                             text,
                             nnc_array_describe(given, sizeof given, array->dtype, array->rank,
                                                array->dims));
                    status = 3;
                }
            }
        }
    }
    int64_t batch = options->batch > 0 ? options->batch : 64;
    int64_t streams = 0;
    if (status == 0 && !cut_streams(entry, feed->column_of, columns, batch, bindings, binding_count,
                                    &streams, error))
        status = 3;
    if (status != 0) return status;
    int column_count = feed->column_count;
    for (int c = 0; part != PART_ALL && c < column_count; ++c)
        if (!take_part(&columns[c], options, streams, seed, part, error)) return 3;
    feed->column_count = 0;
    return nnc_loader_open(&feed->loader, columns, column_count, batch, shuffle && !streams,
                           drop_last, seed, options->limit, error)
               ? 0
               : 3;
}

void feed_close(Feed *feed) {
    for (int c = 0; c < feed->column_count; ++c) nnc_array_free(&feed->columns[c].array);
    for (int a = 0; feed->entry && a < feed->entry->argument_count; ++a)
        if (feed->fixed) nnc_array_free(&feed->fixed[a]);
    for (int r = 0; feed->entry && r < feed->entry->result_count; ++r)
        if (feed->results) nnc_array_free(&feed->results[r]);
    nnc_loader_close(&feed->loader);
    *feed = (Feed){0};
}

int64_t feed_next(Feed *feed, NncError *error) {
    const nnc_entry_info *entry = feed->entry;
    int64_t count = nnc_loader_next(&feed->loader, feed->batch);
    if (count == 0) return 0;
    for (int a = 0; a < entry->argument_count; ++a) {
        int column = feed->column_of[a];
        feed->in[a] = column < 0 ? feed->fixed[a].data : feed->batch[column];
    }
    if (count == feed->bound) return count;
    for (int a = 0; a < entry->argument_count; ++a) {
        int column = feed->column_of[a];
        feed->views[a] = column < 0 ? feed->fixed[a] : feed->loader.columns[column].array;
        if (column >= 0) feed->views[a].dims[feed->loader.columns[column].axis] = count;
        feed->given[a] = &feed->views[a];
    }
    if (!nnc_bind_dims(entry, feed->given, feed->bindings, feed->binding_count, feed->dims, error))
        return -1;
    for (int r = 0; r < entry->result_count; ++r) {
        nnc_array_free(&feed->results[r]);
        if (!nnc_entry_array(entry, feed->dims, entry->argument_count + r, &feed->results[r],
                             error))
            return -1;
        feed->out[r] = feed->results[r].data;
    }
    feed->bound = count;
    return count;
}
