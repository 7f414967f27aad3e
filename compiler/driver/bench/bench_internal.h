/* What bench.c measures and bench_report.c writes. */
#ifndef NNC_DRIVER_BENCH_INTERNAL_H
#define NNC_DRIVER_BENCH_INTERNAL_H

#include "driver/bench/bench.h"
#include "driver/invocation.h"
#include "driver/bench/roofline.h"

/* A thread's part of one run of a kernel; nanoseconds of nnc_now's clock. */
typedef struct Slice {
    int row, thread;
    uint64_t begin, end;
} Slice;

/* One kernel, all its places in the entry together. */
typedef struct BenchKernel {
    const nnc_kernel_info *info;
    double calls, flops, bytes; /* in one call of the entry */
    double seconds;             /* while any thread runs it: the median over the timed calls */
    double fastest;             /* what the roofline allows at best, in seconds */
    int bound;                  /* level whose bandwidth bounds it; -1: arithmetic */
} BenchKernel;

typedef struct Bench {
    const BenchOptions *options;
    Invocation run;
    Roofline roofline;
    nnc_kernel_info *rows; /* by number */
    int row_count;
    int *kernel_of_row;
    BenchKernel *kernels; /* slowest first */
    int kernel_count;
    int calls;                       /* of each kind */
    double median, fastest, slowest; /* seconds of a plain call */
    double timed;                    /* median of a call with timing */
    double sum;                      /* of the kernels' seconds */
    Slice *slices;                   /* of the timed call nearest to the median */
    int64_t slice_count;
} Bench;

void bench_print(const Bench *bench);
bool bench_print_json(const Bench *bench, NncError *error);
bool bench_write_trace(const Bench *bench, NncError *error);

#endif
