/* Around a training loop: threads, random permutation, data loader, progress, loss curve. */
#ifndef NNCRT_TRAIN_H
#define NNCRT_TRAIN_H

#include <stdio.h>
#include "nncrt_base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Threads --------------------------------------------------------------------------------- */
typedef struct NncPool NncPool;
/* threads - 1 workers beside the caller.  threads <= 0: one per processor that the process may use.
 * A pool serves one caller at a time. */
NncPool *nnc_pool_create(int threads, NncError *error);
void nnc_pool_destroy(NncPool *pool);
int nnc_pool_threads(const NncPool *pool);
int nnc_processor_count(void);
/* Lets the context's calls run on the pool's threads (NULL: serially): parallel, wait, threads,
 * flags. */
void nnc_pool_attach(NncPool *pool, nnc_context *context);
/* An nnc_parallel: [0, n) is split into contiguous runs; which thread takes which is not fixed, but
 * n tasks run all at once when n is at most the number of threads.  user is the pool.  A task must
 * not start another job. */
void nnc_pool_run(void *pool, int64_t n, nnc_task task, void *arg);

/* --- Random ---------------------------------------------------------------------------------- */
/* Philox4x32-10 (Salmon et al. 2011). */
void nnc_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* The permutation of epoch `epoch`: Fisher-Yates from the top; for i = n-1 … 1 swaps i with
 * floor(u * (i + 1) / 2^64), u = words 0 (low) and 1 of philox(counter = {i low, i high, epoch,
 * 0x4e4e5348}, key = seed low, high).  The same everywhere. */
void nnc_permutation(uint64_t seed, uint32_t epoch, int64_t n, int64_t *order);

/* --- Data ------------------------------------------------------------------------------------ */
typedef struct NncColumn {
    const char *name;
    NncArray array; /* owned by the loader once opened */
    int axis;       /* along which the samples lie */
} NncColumn;

/* Batches of equally long columns.  The order of an epoch depends on (seed, epoch) alone. */
typedef struct NncLoader {
    NncColumn *columns;
    int column_count;
    int64_t length, batch;
    bool shuffle, drop_last;
    uint64_t seed;
    int64_t epoch, position; /* position: samples already given in this epoch */
    int64_t *order;
    void **buffers; /* one batch of each column */
} NncLoader;

/* limit > 0: only the first `limit` samples.  Takes over the columns' arrays, also on failure. */
bool nnc_loader_open(NncLoader *loader, NncColumn *columns, int count, int64_t batch, bool shuffle,
                     bool drop_last, uint64_t seed, int64_t limit, NncError *error);
void nnc_loader_close(NncLoader *loader);
/* Goes to a place: the start of an epoch, or a saved position inside one. */
bool nnc_loader_seek(NncLoader *loader, int64_t epoch, int64_t position, NncError *error);
/* The next batch: number of samples (0 at the end of the epoch), data[column_count]. */
int64_t nnc_loader_next(NncLoader *loader, const void **data);
int64_t nnc_loader_batches(const NncLoader *loader); /* of one epoch */

/* --- Progress -------------------------------------------------------------------------------- */
typedef struct NncProgress {
    FILE *out;
    bool terminal, unicode;
    int width;
    char label[64];
    int64_t total, first;
    double started, shown;
    bool line_open;
} NncProgress;

/* A bar on a terminal; on anything else a line at most every 10 seconds. */
void nnc_progress_start(NncProgress *progress, FILE *out, const char *label, int64_t first,
                        int64_t total);
void nnc_progress_update(NncProgress *progress, int64_t done, double loss, bool has_loss);
void nnc_progress_end(NncProgress *progress); /* clears the bar */
double nnc_now(void);                         /* seconds, monotonic */

typedef struct NncCurve {
    const char *name;
    const double *values; /* one a point; NaN is skipped */
    int count;
} NncCurve;
/* A chart of up to 4 curves over the same x range, `height` lines of text, with a legend. */
void nnc_curve_print(FILE *out, const NncCurve *curves, int count, int width, int height,
                     const char *x_label);

#ifdef __cplusplus
}
#endif
#endif
