/* nnc: reads the command line and calls the command.
 *
 * Failures that no command sees end here: memory (exit 3), a crash of the compiler (exit 70, with
 * the pass), and standard output that cannot be written (exit 3). */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "driver/bench/bench.h"
#include "driver/commands.h"
#include "driver/run.h"
#include "driver/train/train.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(NNC_SANITIZE)
static void say(const char *text) {
    ssize_t written = write(2, text, strlen(text));
    (void)written;
}

static void on_crash(int number) {
    say("nnc: internal error: signal ");
    char digits[3] = {(char)('0' + number / 10), (char)('0' + number % 10), 0};
    say(digits);
    say(" in pass ");
    say(pass_running());
    say("; please report it with the model\n");
    _exit(EXIT_INTERNAL);
}

static void catch_crashes(void) {
    static char stack[1 << 16];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternative, NULL);
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}
#else
/* The sanitizers report crashes better. */
static void catch_crashes(void) {}
#endif

/* ---- run and train ---- */

static int engine_options(const CommandLine *line, EngineOptions *out) {
    int engine, status = options_choice(line, OPTION_ENGINE, "c|interp", &engine);
    int64_t threads;
    if (!status) status = options_integer(line, OPTION_THREADS, 0, &threads);
    if (status) return status;
    if (threads > 1024) return options_misuse(line, "--threads is at most 1024");
    *out = (EngineOptions){.interpreter = engine == 1,
                           .cc = line->value[OPTION_CC],
                           .threads = (int)threads,
                           .verbose = line->given[OPTION_VERBOSE],
                           .instrument = line->command == COMMAND_BENCH,
                           .nvcc = line->value[OPTION_NVCC]};
    status = options_device(line, &out->device);
    if (!status)
        status = options_want_gpu(line, out->device == DEVICE_AUTO || out->device == DEVICE_CUDA);
    if (status || !out->interpreter || !out->device || out->device == DEVICE_CPU) return status;
    return options_misuse(line, "--engine=interp and --device=%s do not go together",
                          line->value[OPTION_DEVICE]);
}

static int dispatch_run(const CommandLine *line) {
    int64_t seed;
    RunOptions options = {.weights = line->value[OPTION_WEIGHTS],
                          .init_weights = line->value[OPTION_INIT_WEIGHTS],
                          .allow_missing = options_list(line, OPTION_ALLOW_MISSING),
                          .allow_extra = options_list(line, OPTION_ALLOW_EXTRA),
                          .inputs = options_list(line, OPTION_INPUT),
                          .binds = options_list(line, OPTION_BIND),
                          .sets = options_list(line, OPTION_SET),
                          .output_dir = line->value[OPTION_OUTPUT_DIR],
                          .save = line->value[OPTION_SAVE],
                          .checkpoint = line->value[OPTION_CHECKPOINT],
                          .resume = line->value[OPTION_RESUME]};
    int status = only_operand(line, "file", &options.target);
    if (!status) status = pipeline_options(line, &options.pipeline);
    if (!status) status = engine_options(line, &options.engine);
    if (!status) status = options_integer(line, OPTION_SEED, 0, &seed);
    if (!status) status = options_count(line, OPTION_REPEAT, 1, &options.repeat);
    if (status) return status;
    options.pipeline.dumps = options_list(line, OPTION_DUMP);
    options.check_finite = line->given[OPTION_CHECK_FINITE];
    options.seed = (uint64_t)seed;
    return run_command(&options);
}

static int dispatch_bench(const CommandLine *line) {
    int64_t seed;
    int format;
    BenchOptions options = {.run = {.weights = line->value[OPTION_WEIGHTS],
                                    .inputs = options_list(line, OPTION_INPUT),
                                    .binds = options_list(line, OPTION_BIND),
                                    .sets = options_list(line, OPTION_SET),
                                    .makes_up = true},
                            .trace = line->value[OPTION_TRACE]};
    RunOptions *run = &options.run;
    int status = only_operand(line, "file", &run->target);
    if (!status) status = pipeline_options(line, &run->pipeline);
    if (!status) status = engine_options(line, &run->engine);
    if (!status) status = options_integer(line, OPTION_SEED, 0, &seed);
    if (!status) status = options_count(line, OPTION_REPEAT, 0, &run->repeat);
    if (!status) status = options_choice(line, OPTION_FORMAT, "text|json", &format);
    if (status) return status;
    if (run->repeat > 1000000) return options_misuse(line, "--repeat is at most 1000000");
    options.seconds = 1;
    const char *seconds = line->value[OPTION_SECONDS];
    if (seconds && (!parse_number(seconds, &options.seconds) || !(options.seconds >= 0)))
        return options_misuse(line, "--seconds wants a number, not `%s`", seconds);
    options.json = format == 1;
    run->seed = (uint64_t)seed;
    return bench_command(&options);
}

static int dispatch_train(const CommandLine *line) {
    int64_t seed;
    TrainOptions options = {.data = options_list(line, OPTION_DATA),
                            .test = options_list(line, OPTION_TEST),
                            .binds = options_list(line, OPTION_BIND),
                            .batch_dim = line->value[OPTION_BATCH_DIM],
                            .lr = options_list(line, OPTION_LR),
                            .args = options_list(line, OPTION_ARG),
                            .schedule = line->value[OPTION_SCHEDULE],
                            .schedule_every = line->value[OPTION_SCHEDULE_EVERY],
                            .weights = line->value[OPTION_WEIGHTS],
                            .init_weights = line->value[OPTION_INIT_WEIGHTS],
                            .allow_missing = options_list(line, OPTION_ALLOW_MISSING),
                            .allow_extra = options_list(line, OPTION_ALLOW_EXTRA),
                            .save = line->value[OPTION_SAVE],
                            .checkpoint = line->value[OPTION_CHECKPOINT],
                            .resume = line->value[OPTION_RESUME],
                            .log = line->value[OPTION_LOG],
                            .keep_best = line->given[OPTION_KEEP_BEST],
                            .no_shuffle = line->given[OPTION_NO_SHUFFLE],
                            .drop_last = line->given[OPTION_DROP_LAST],
                            .check_finite = line->given[OPTION_CHECK_FINITE],
                            .quiet = line->given[OPTION_QUIET]};
    int status = only_operand(line, "file", &options.target);
    if (!status) status = pipeline_options(line, &options.pipeline);
    if (!status) status = engine_options(line, &options.engine);
    if (!status) status = options_integer(line, OPTION_SEED, 0, &seed);
    if (!status) status = options_count(line, OPTION_EPOCHS, 0, &options.epochs);
    if (!status) status = options_count(line, OPTION_BATCH, 0, &options.batch);
    int every;
    if (!status) status = options_choice(line, OPTION_SCHEDULE_EVERY, "epoch|batch", &every);
    if (!status) status = options_integer(line, OPTION_WARMUP, 0, &options.warmup);
    if (!status) status = options_count(line, OPTION_EARLY_STOP, 0, &options.early_stop);
    const char *split = line->value[OPTION_SPLIT];
    if (!status && split &&
        (!parse_number(split, &options.split) || !(options.split > 0 && options.split < 1)))
        return options_misuse(line, "--split wants a number between 0 and 1, not `%s`", split);
    if (!status) status = options_count(line, OPTION_LIMIT, 0, &options.limit);
    if (!status)
        status = options_count(line, OPTION_CHECKPOINT_EVERY, 0, &options.checkpoint_every);
    if (!status) status = options_count(line, OPTION_STOP_AFTER_STEPS, 0, &options.stop_after);
    if (status) return status;
    options.seed = (uint64_t)seed;
    return train_command(&options);
}

/* ---- commands ---- */

static int dispatch_help(const CommandLine *line) {
    if (line->operands.count == 0) {
        usage_print(stdout);
        return 0;
    }
    const char *word = line->operands.data[0];
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(command_rows[i].name, word)) {
            usage_print_command(stdout, (CommandId)i);
            return 0;
        }
    return options_misuse(line, "there is no command %s", word);
}

static int dispatch(const CommandLine *line, int argc) {
    if (line->given[OPTION_VERSION]) {
        usage_print_version(stdout);
        return 0;
    }
    if (line->given[OPTION_HELP]) {
        if (line->command == COMMAND_COMPILE)
            usage_print(stdout);
        else
            usage_print_command(stdout, line->command);
        return 0;
    }
    if (argc == 1) {
        usage_print(stderr);
        return EXIT_USAGE;
    }
    switch (line->command) {
    case COMMAND_COMPILE: return command_compile(line);
    case COMMAND_CHECK: return command_check(line);
    case COMMAND_RUN: return dispatch_run(line);
    case COMMAND_TRAIN: return dispatch_train(line);
    case COMMAND_BENCH: return dispatch_bench(line);
    case COMMAND_SUMMARY: return command_summary(line);
    case COMMAND_GRAPH: return command_graph(line);
    case COMMAND_FMT: return command_fmt(line);
    case COMMAND_EXPLAIN: return command_explain(line);
    case COMMAND_LIBRARY: return command_library(line);
    case COMMAND_HELP: return dispatch_help(line);
    case COMMAND_MANUAL: usage_print_manual(stdout); return 0;
    case COMMAND_COMPLETION: {
        const char *shell;
        int status = only_operand(line, "shell", &shell);
        if (status) return status;
        if (usage_print_completion(stdout, shell)) return 0;
        return options_misuse(line, "completions are for bash, zsh and fish, not %s", shell);
    }
    case COMMAND_COUNT: break;
    }
    return EXIT_INTERNAL;
}

typedef struct MainCall {
    int argc;
    char **argv;
    int status;
} MainCall;

static void invoke(void *user) {
    MainCall *call = user;
    CommandLine line;
    call->status = options_parse(arena_new(), call->argc, call->argv, &line);
    if (!call->status) call->status = dispatch(&line, call->argc);
}

int main(int argc, char **argv) {
    MainCall call = {argc, argv, 0};
    catch_crashes();
    int status = memory_guard(invoke, &call) ? call.status : EXIT_FILES;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "nnc: cannot write standard output\n");
        if (!status) status = EXIT_FILES;
    }
    arena_free_all();
    return status;
}
