/* Reading the command line by the tables. */
#include "driver/options.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"

const OptionRow option_rows[OPTION_COUNT] = {
#define OPTION(id, name, letter, kind, argument, commands, help) \
    {name, letter, KIND_##kind, argument, commands, help},
#include "driver/options.def"
#undef OPTION
};
const CommandRow command_rows[COMMAND_COUNT] = {
#define COMMAND(id, name, arguments, doc) {name, arguments, doc},
#include "driver/commands.def"
#undef COMMAND
};

int options_misuse(const CommandLine *line, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("nnc: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    if (line->command == COMMAND_COMPILE)
        fputs(" (see nnc --help)\n", stderr);
    else
        fprintf(stderr, " (see nnc help %s)\n", command_rows[line->command].name);
    return EXIT_USAGE;
}

static bool belongs(int id, CommandId command) {
    return option_rows[id].commands >> command & 1;
}

static int find_option(const CommandLine *line, const char *name, size_t length) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (belongs(i, line->command) && strlen(option_rows[i].name) == length &&
            !strncmp(option_rows[i].name, name, length))
            return i;
    return -1;
}

static int unknown_option(const CommandLine *line, const char *text, size_t length) {
    const char *name = arena_strndup(line->arena, text, length), *best = NULL;
    const char *dashes = name[0] && !name[1] ? "-" : "--";
    int distance = 4;
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (!belongs(i, line->command)) continue;
        int d = text_distance(name, option_rows[i].name, 3);
        if (d < distance && d < (int)length) {
            distance = d;
            best = option_rows[i].name;
        }
    }
    if (best)
        return options_misuse(line, "unknown option %s%s; did you mean --%s?", dashes, name, best);
    for (int i = 0; i < OPTION_COUNT; i++)
        if (!strcmp(option_rows[i].name, name))
            return options_misuse(line, "%s%s is not an option of `nnc %s`", dashes, name,
                                  command_rows[line->command].name);
    return options_misuse(line, "unknown option %s%s", dashes, name);
}

/* NAME=... of a name that has been given a value: which of them is meant? */
static bool is_given_twice(const CommandLine *line, int id, const char *value, int *length) {
    const char *equals = strchr(value, '=');
    if (option_rows[id].kind != KIND_LIST || !strchr(option_rows[id].argument, '=') || !equals)
        return false;
    *length = (int)(equals - value);
    for (int i = 0; i < line->list[id].count; i++)
        if (!strncmp(line->list[id].data[i], value, (size_t)*length + 1)) return true;
    return false;
}

static int set_option(CommandLine *line, int id, const char *value) {
    int length;
    if (value && is_given_twice(line, id, value, &length))
        return options_misuse(line, "--%s gives %.*s twice", option_rows[id].name, length, value);
    line->given[id] = true;
    if (option_rows[id].kind == KIND_VALUE) line->value[id] = value;
    if (option_rows[id].kind == KIND_LIST) vector_push(line->arena, &line->list[id], value);
    return 0;
}

/* The option at argv[*at]; moves *at over a separate value. */
static int read_option(CommandLine *line, int argc, char **argv, int *at) {
    const char *text = argv[*at], *value = NULL;
    int id = -1;
    if (text[1] == '-') {
        const char *equals = strchr(text, '=');
        size_t length = equals ? (size_t)(equals - text - 2) : strlen(text + 2);
        id = find_option(line, text + 2, length);
        if (id < 0) return unknown_option(line, text + 2, length);
        if (equals) value = equals + 1;
    } else if (!strcmp(text, "-Werror")) {
        id = OPTION_WERROR;
        if (!belongs(id, line->command)) return unknown_option(line, text + 1, strlen(text + 1));
    } else {
        for (int i = 0; i < OPTION_COUNT; i++)
            if (belongs(i, line->command) && option_rows[i].letter == text[1]) id = i;
        if (id < 0) return unknown_option(line, text + 1, 1);
        if (text[2]) value = text + 2;
    }
    const OptionRow *row = &option_rows[id];
    if (row->kind == KIND_FLAG)
        return value ? options_misuse(line, "--%s takes no value", row->name)
                     : set_option(line, id, NULL);
    if (!value && *at + 1 < argc) value = argv[++*at];
    if (!value) return options_misuse(line, "--%s needs a value: %s", row->name, row->argument);
    return set_option(line, id, value);
}

static bool find_command(const char *word, CommandId *out) {
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(command_rows[i].name, word)) continue;
        *out = (CommandId)i;
        return true;
    }
    return false;
}

/* The first operand is no command: a file, or a command misspelt. */
static int check_first_operand(const CommandLine *line, const char *word) {
    if (access(word, F_OK) == 0 || strchr(word, '.') || strchr(word, '/') || !strcmp(word, "-"))
        return 0;
    const char *best = NULL;
    int distance = 3;
    for (int i = 0; i < COMMAND_COUNT; i++) {
        int d = text_distance(word, command_rows[i].name, 2);
        if (d >= distance) continue;
        distance = d;
        best = command_rows[i].name;
    }
    if (best) return options_misuse(line, "unknown command %s; did you mean %s?", word, best);
    return options_misuse(line, "unknown command %s", word);
}

int options_parse(Arena *arena, int argc, char **argv, CommandLine *out) {
    memset(out, 0, sizeof *out);
    out->arena = arena;
    out->command = COMMAND_COMPILE;
    int at = 1;
    bool named = at < argc && find_command(argv[at], &out->command);
    if (named) at++;
    bool options = true;
    for (; at < argc; at++) {
        const char *text = argv[at];
        if (options && !strcmp(text, "--")) {
            options = false;
        } else if (options && text[0] == '-' && text[1]) {
            int status = read_option(out, argc, argv, &at);
            if (status) return status;
        } else {
            if (!named && out->operands.count == 0) {
                int status = check_first_operand(out, text);
                if (status) return status;
            }
            vector_push(arena, &out->operands, text);
        }
    }
    return 0;
}

const char *const *options_list(const CommandLine *line, OptionId id) {
    int count = line->list[id].count;
    if (!count) return NULL;
    const char **list = NEW_ARRAY(line->arena, (size_t)count + 1, const char *);
    memcpy(list, line->list[id].data, (size_t)count * sizeof *list);
    return list;
}

int options_integer(const CommandLine *line, OptionId id, int64_t missing, int64_t *out) {
    *out = missing;
    const char *text = line->value[id];
    if (!text) return 0;
    if (text_parse_int(text, strlen(text), out) && *out >= 0) return 0;
    return options_misuse(line, "--%s wants a number, not `%s`", option_rows[id].name, text);
}

int options_count(const CommandLine *line, OptionId id, int64_t missing, int64_t *out) {
    int status = options_integer(line, id, missing, out);
    if (status || !line->value[id] || *out > 0) return status;
    return options_misuse(line, "--%s is at least 1", option_rows[id].name);
}

int options_choice(const CommandLine *line, OptionId id, const char *words, int *out) {
    *out = 0;
    const char *text = line->value[id];
    if (!text) return 0;
    int index = 0;
    for (const char *word = words; word; index++) {
        const char *bar = strchr(word, '|');
        size_t length = bar ? (size_t)(bar - word) : strlen(word);
        if (strlen(text) == length && !strncmp(text, word, length)) {
            *out = index;
            return 0;
        }
        word = bar ? bar + 1 : NULL;
    }
    return options_misuse(line, "--%s is one of %s, not `%s`", option_rows[id].name, words, text);
}

int options_device(const CommandLine *line, DeviceWish *out) {
    int which = 0, status = options_choice(line, OPTION_DEVICE, "auto|cpu|cuda", &which);
    *out = line->given[OPTION_DEVICE] ? (DeviceWish)(DEVICE_AUTO + which) : DEVICE_UNSAID;
    return status;
}

int options_precision(const CommandLine *line, Precision *out) {
    int which = 0, status = options_choice(line, OPTION_PRECISION, "f32|tf32|bf16", &which);
    *out = (Precision)which;
    return status;
}

int options_gemm(const CommandLine *line, Gemm *out) {
    int which = 0, status = options_choice(line, OPTION_GEMM, "own|cublaslt|auto", &which);
    *out = (Gemm)which;
    return status;
}

int options_want_gpu(const CommandLine *line, bool gpu) {
    Precision precision;
    Gemm gemm;
    int status = options_precision(line, &precision);
    if (!status) status = options_gemm(line, &gemm);
    if (status || gpu || (precision == PRECISION_F32 && gemm == GEMM_OWN)) return status;
    const OptionId id = precision == PRECISION_F32 ? OPTION_GEMM : OPTION_PRECISION;
    return options_misuse(line, "--%s=%s is for a GPU", option_rows[id].name, line->value[id]);
}

int options_gpu(const CommandLine *line, bool *out) {
    int which = 0, status = options_choice(line, OPTION_DEVICE, "cpu|cuda", &which);
    *out = which == 1;
    return status;
}
