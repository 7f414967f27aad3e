/* What the entries of a program launch on a GPU, as a table or as a DOT graph: launches, blocks and
 * threads, shared memory, and registers where there is an nvcc to ask. */
#ifndef NNC_DRIVER_LAUNCHES_H
#define NNC_DRIVER_LAUNCHES_H

#include "driver/options.h"
#include "driver/pipeline.h"
#include "emit/emit.h"

/* Registers by the name of a launch. */
typedef struct Registers Registers;
/* Compiles model.cu with `line`'s nvcc; what it says of each launch.  Without one nothing is known,
 * and that is no failure. */
const Registers *launches_ask_nvcc(const CommandLine *line, const Text *source, const Text *header,
                                   const char *header_name);

/* Tables of the entries of a plan that is for a GPU, but of those that initialise. */
void launches_print(Text *out, const Plan *plan, const Registers *registers);
/* One entry: a node for each launch, an edge for each tensor that it reads. */
void launches_print_dot(Text *out, const Plan *plan, const EntryPlan *entry,
                        const Registers *registers);

/* The same from a program as it was lowered, which is rewritten on the way: for all entries or
 * those of `root`; and for one entry as DOT.  Returns an exit status. */
int launches_of_program(const CommandLine *line, const Pipeline *pipeline, const Root *root,
                        Text *out);
int launches_of_entry(const CommandLine *line, const Pipeline *pipeline, const Entry *entry,
                      Text *out);

#endif
