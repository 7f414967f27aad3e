/* The commands that are not run, train or exe: each takes the parsed command line and returns an
 * exit status. */
#ifndef NNC_DRIVER_COMMANDS_H
#define NNC_DRIVER_COMMANDS_H

#include "driver/options.h"
#include "driver/pipeline.h"

/* Options that all commands on a model share; EXIT_USAGE after a message. */
int pipeline_options(const CommandLine *line, PipelineOptions *out);
/* The only operand; EXIT_USAGE after a message. */
int only_operand(const CommandLine *line, const char *what, const char **out);

int command_check(const CommandLine *line);
int command_fmt(const CommandLine *line);
int command_explain(const CommandLine *line);
int command_library(const CommandLine *line);
int command_summary(const CommandLine *line);
int command_graph(const CommandLine *line);
int command_compile(const CommandLine *line);

/* One entry's graph in the DOT language; `grad`: also what only cells' new values need. */
void graph_to_dot(Text *out, const Root *root, const Entry *entry, bool grad);

#endif
