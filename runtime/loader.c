/* The data loader: equally long columns, an order per epoch, batches gathered into its own buffers.
 * Invariants: an epoch's order depends on (seed, epoch) alone, so a position is two numbers and can
 * be restored; the last batch may be shorter; no data is changed. */
#include "nncrt_train.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of one sample's run, and how many runs a sample has (dims before the axis). */
static void column_layout(const NncColumn *column, size_t *outer, size_t *inner) {
    *outer = 1;
    *inner = nnc_dtype_bytes(column->array.dtype);
    for (int i = 0; i < column->array.rank; ++i) {
        if (i < column->axis) *outer *= (size_t)column->array.dims[i];
        if (i > column->axis) *inner *= (size_t)column->array.dims[i];
    }
}

static bool open_checked(NncLoader *loader, int64_t limit, NncError *error) {
    if (loader->column_count < 1) return nnc_fail(error, "a loader needs data");
    if (loader->batch < 1) return nnc_fail(error, "the batch size must be at least 1");
    for (int i = 0; i < loader->column_count; ++i) {
        const NncColumn *column = &loader->columns[i];
        if (column->axis < 0 || column->axis >= column->array.rank)
            return nnc_fail(error, "data '%s' has no axis %d for the samples", column->name,
                            column->axis);
        int64_t length = column->array.dims[column->axis];
        if (i == 0)
            loader->length = length;
        else if (length != loader->length)
            return nnc_fail(error, "data '%s' has %" PRId64 " samples, '%s' has %" PRId64,
                            column->name, length, loader->columns[0].name, loader->length);
    }
    if (limit > 0 && limit < loader->length) loader->length = limit;
    if (loader->length == 0) return nnc_fail(error, "the data has no samples");
    if (loader->batch > loader->length) loader->batch = loader->length;
    size_t bytes;
    if (!nnc_multiply((size_t)loader->length, sizeof *loader->order, &bytes))
        return nnc_fail(error, "too many samples");
    loader->order = nnc_allocate(bytes, error);
    loader->buffers =
        nnc_allocate_zeroed((size_t)loader->column_count * sizeof *loader->buffers, error);
    if (!loader->order || !loader->buffers) return false;
    for (int i = 0; i < loader->column_count; ++i) {
        size_t outer, inner;
        column_layout(&loader->columns[i], &outer, &inner);
        if (!nnc_multiply(outer, inner, &bytes) ||
            !nnc_multiply(bytes, (size_t)loader->batch, &bytes))
            return nnc_fail(error, "a batch of '%s' is too large", loader->columns[i].name);
        loader->buffers[i] = nnc_allocate(bytes, error);
        if (!loader->buffers[i]) return false;
    }
    return nnc_loader_seek(loader, 0, 0, error);
}

bool nnc_loader_open(NncLoader *loader, NncColumn *columns, int count, int64_t batch, bool shuffle,
                     bool drop_last, uint64_t seed, int64_t limit, NncError *error) {
    *loader = (NncLoader){0};
    loader->columns = nnc_allocate((size_t)count * sizeof *columns, error);
    if (!loader->columns) {
        for (int i = 0; i < count; ++i) nnc_array_free(&columns[i].array);
        return false;
    }
    memcpy(loader->columns, columns, (size_t)count * sizeof *columns);
    loader->column_count = count;
    loader->batch = batch;
    loader->shuffle = shuffle;
    loader->drop_last = drop_last;
    loader->seed = seed;
    if (open_checked(loader, limit, error)) return true;
    nnc_loader_close(loader);
    return false;
}

void nnc_loader_close(NncLoader *loader) {
    for (int i = 0; i < loader->column_count; ++i) {
        nnc_array_free(&loader->columns[i].array);
        if (loader->buffers) nnc_release(loader->buffers[i]);
    }
    nnc_release(loader->columns);
    nnc_release(loader->buffers);
    nnc_release(loader->order);
    *loader = (NncLoader){0};
}

bool nnc_loader_seek(NncLoader *loader, int64_t epoch, int64_t position, NncError *error) {
    if (epoch < 0 || epoch > UINT32_MAX || position < 0 || position > loader->length)
        return nnc_fail(error, "the data has no position %" PRId64 " in epoch %" PRId64, position,
                        epoch);
    loader->epoch = epoch;
    loader->position = position;
    if (loader->shuffle) {
        nnc_permutation(loader->seed, (uint32_t)epoch, loader->length, loader->order);
    } else {
        for (int64_t i = 0; i < loader->length; ++i) loader->order[i] = i;
    }
    return true;
}

int64_t nnc_loader_next(NncLoader *loader, const void **data) {
    int64_t count = loader->length - loader->position;
    if (count > loader->batch) count = loader->batch;
    if (loader->drop_last && count < loader->batch) return 0;
    const int64_t *order = loader->order + loader->position;
    for (int c = 0; c < loader->column_count; ++c) {
        const NncColumn *column = &loader->columns[c];
        size_t outer, inner, stride = (size_t)column->array.dims[column->axis];
        column_layout(column, &outer, &inner);
        char *to = loader->buffers[c];
        const char *from = column->array.data;
        for (size_t o = 0; inner && o < outer; ++o)
            for (int64_t i = 0; i < count; ++i, to += inner)
                memcpy(to, from + (o * stride + (size_t)order[i]) * inner, inner);
        data[c] = loader->buffers[c];
    }
    loader->position += count;
    return count;
}

int64_t nnc_loader_batches(const NncLoader *loader) {
    return loader->drop_last
               ? loader->length / loader->batch
               : loader->length / loader->batch + (loader->length % loader->batch != 0);
}
