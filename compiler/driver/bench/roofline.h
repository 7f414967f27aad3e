/* The bounds of this machine: multiply-adds and bytes per second, measured. */
#ifndef NNC_DRIVER_ROOFLINE_H
#define NNC_DRIVER_ROOFLINE_H

#include "nncrt.h"

enum { ROOFLINE_LEVELS = 4 };

typedef struct Roofline {
    int threads;
    double flops[2]; /* a second, all threads together: f32, f64 */
    int level_count;
    struct {
        const char *name; /* "L1", "L2", "L3", "memory" */
        double capacity;  /* bytes that all threads' shares hold; the last level's is infinite */
        double bandwidth; /* bytes a second, reading, all threads together */
    } levels[ROOFLINE_LEVELS];
} Roofline;

/* The measurement is compiled by the compiler of the models (jit.h) and runs on the pool.  Returns
 * an exit status. */
int roofline_measure(const char *cc, bool verbose, NncPool *pool, Roofline *out, NncError *error);
/* The innermost level that holds so many bytes. */
int roofline_level(const Roofline *roofline, double bytes);

#endif
