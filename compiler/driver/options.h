/* The command line: one table of commands, one of options (commands.def, options.def).
 *
 * Input: argv.  Output: the command, its options, its operands; a misuse prints one line on stderr,
 * with "did you mean", and gives exit status 2.  Help, manual page and completions are printed from
 * the same tables. */
#ifndef NNC_DRIVER_OPTIONS_H
#define NNC_DRIVER_OPTIONS_H

#include <stdio.h>
#include "base/vector.h"
#include "types/dtype.h"

typedef enum CommandId {
#define COMMAND(id, name, arguments, doc) COMMAND_##id,
#include "driver/commands.def"
#undef COMMAND
    COMMAND_COUNT
} CommandId;

typedef enum OptionId {
#define OPTION(id, name, letter, kind, argument, commands, help) OPTION_##id,
#include "driver/options.def"
#undef OPTION
    OPTION_COUNT
} OptionId;

enum {
    EXIT_GOOD = 0,
    EXIT_MODEL = 1,
    EXIT_USAGE = 2,
    EXIT_FILES = 3,
    EXIT_DIFFERENT = 4,
    EXIT_INTERNAL = 70
};

typedef struct CommandLine CommandLine;
struct CommandLine {
    Arena *arena;
    CommandId command;
    bool given[OPTION_COUNT];
    const char *value[OPTION_COUNT]; /* VALUE */
    VECTOR(const char *) list[OPTION_COUNT];
    VECTOR(const char *) operands;
};

/* 0, or EXIT_USAGE after a message. */
int options_parse(Arena *arena, int argc, char **argv, CommandLine *out);
/* NULL-terminated values of a LIST option, or NULL. */
const char *const *options_list(const CommandLine *line, OptionId id);
/* A non-negative integer; EXIT_USAGE after a message if the value is none.  `missing` when not
 * given. */
int options_integer(const CommandLine *line, OptionId id, int64_t missing, int64_t *out);
/* The same for a number that is at least 1 where it is given. */
int options_count(const CommandLine *line, OptionId id, int64_t missing, int64_t *out);
/* One of the words "a|b|c", as its index; EXIT_USAGE after a message. */
int options_choice(const CommandLine *line, OptionId id, const char *words, int *out);
/* --device; where nothing was said, the processor is meant and not spoken of. */
typedef enum DeviceWish { DEVICE_UNSAID, DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA } DeviceWish;
int options_device(const CommandLine *line, DeviceWish *out);
int options_precision(const CommandLine *line, Precision *out);
int options_gemm(const CommandLine *line, Gemm *out);
/* Misuse where something is asked for that only a GPU gives, and there is none in question. */
int options_want_gpu(const CommandLine *line, bool gpu);
/* --device of a command that tells of code and runs none: cpu or cuda. */
int options_gpu(const CommandLine *line, bool *out);
/* "nnc: ..." on stderr; returns EXIT_USAGE. */
int options_misuse(const CommandLine *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void usage_print(FILE *out);
void usage_print_command(FILE *out, CommandId command);
void usage_print_version(FILE *out);
void usage_print_manual(FILE *out);
bool usage_print_completion(FILE *out, const char *shell);

/* The tables' rows. */
typedef enum OptionKind { KIND_FLAG, KIND_VALUE, KIND_LIST } OptionKind;
typedef struct OptionRow {
    const char *name;
    char letter;
    OptionKind kind;
    const char *argument;
    unsigned commands;
    const char *help;
} OptionRow;
typedef struct CommandRow {
    const char *name, *arguments, *doc;
} CommandRow;
extern const OptionRow option_rows[OPTION_COUNT];
extern const CommandRow command_rows[COMMAND_COUNT];

#endif
