/* The files that a command line names: none is written that is read, and none is written twice.
 *
 * Input: the command line, the program with its imports (or NULL), and names that the command has
 * made itself.  Output: 0, or EXIT_USAGE after a message.  Nothing has been written yet. */
#ifndef NNC_DRIVER_PLACES_H
#define NNC_DRIVER_PLACES_H

#include "driver/options.h"
#include "tensor/program.h"

int places_check(const CommandLine *line, const Program *program, const char *const *made,
                 int made_count);

#endif
