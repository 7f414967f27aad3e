/* The passes of a compilation, in order, and what the user asked to see of them.
 *
 * One table (passes.c): names for --print-after and --stop-after, the rows of --time-report, the
 * manual's chapter. */
#ifndef NNC_DRIVER_PASSES_H
#define NNC_DRIVER_PASSES_H

#include <stdbool.h>
#include "base/text.h"

typedef struct PassRow {
    const char *name, *stage, *doc;
} PassRow;
int pass_count(void);
const PassRow *pass_at(int index);
/* Index by name, or -1. */
int pass_find(const char *name);
/* The closest name, for "did you mean"; NULL if none is near. */
const char *pass_suggest(const char *name);

typedef struct PassControl {
    const char *print_after, *stop_after; /* names of rows, or NULL */
    bool times, verify_each;
    double began;
    double *seconds; /* [pass_count()], of finished passes */
    bool stopped;    /* stop_after has been reached: the rest is left out */
} PassControl;

/* NULL controls are fine everywhere. */
void pass_begin(PassControl *control, const char *name);
/* The pass that runs, for the message of an internal error. */
const char *pass_running(void);
/* Notes the time; true when its result is to be printed. */
bool pass_end(PassControl *control, const char *name);
void pass_report_times(const PassControl *control);

#endif
