/* Random programs: what is emitted agrees with the interpreter within the bound of bound.h, under
 * compilers, targets, passes and numbers of threads.
 *
 * Without arguments: RANDOM_COUNT programs (500) from seed RANDOM_SEED (1) on, in files of 20, each
 * file under two configurations in rotation, RANDOM_JOBS (2) at a time, after the programs of
 * tests/numeric/NAME.ir; then the report of what occurred, all of which must occur.
 * RANDOM_CONFIG="gcc-O0 native all" takes one configuration for all.  A failing program is shrunk
 * and printed with its seed, configuration and textual IR.
 *
 *   test_random --worker FILE CONFIG FOLDER [thorough]   one file, in this process
 *   test_random --program SEED                           the program of a seed
 *   test_random --coverage COUNT                         what occurs in so many programs
 *   test_random --shrink FILE CONFIG                     a smaller program that still fails */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "numeric/random_coverage.h"
#include "numeric/random_program.h"
#include "numeric/random_shrink.h"
#include "numeric/random_worker.h"

enum { PER_FILE = 20, CONFIGURATIONS_PER_FILE = 2 };

static char *folder;

/* ---- a worker process ---- */

/* What must be loaded before anything else for gcc's sanitizers to work in a loaded library. */
static const char *sanitizer_library(void) {
    static char path[1024], answer[1024];
    if (path[0]) return path;
    snprintf(answer, sizeof answer, "%s/libasan", folder);
    if (command_run_text(folder, "libasan", "gcc -print-file-name=libasan.so") != 0) abort();
    FILE *f = fopen(answer, "r");
    if (!f || !fgets(path, sizeof path, f)) abort();
    fclose(f);
    path[strcspn(path, "\n")] = 0;
    return path;
}

/* Its output in FOLDER.log; true when it ended well. */
static bool run_worker(Arena *arena, const char *file, const RandomConfig *config,
                       const char *where, bool thorough) {
    const char *log = arena_printf(arena, "%s.log", where);
    const char *text = random_config_text(arena, config);
    const char *library = config->compiler->sanitized ? sanitizer_library() : NULL;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) abort();
    if (pid == 0) {
        if (!freopen(log, "w", stdout) || dup2(1, 2) < 0) _exit(9);
        if (config->compiler->sanitized) {
            setenv("LD_PRELOAD", library, 1);
            setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        }
        setrlimit(RLIMIT_CPU,
                  &(struct rlimit){200, 200}); /* seconds of its own, whatever else runs */
        execl("/proc/self/exe", "test_random", "--worker", file, text, where,
              thorough ? "thorough" : NULL, (char *)NULL);
        _exit(9);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (WIFSIGNALED(status)) {
        FILE *f = fopen(log, "a");
        if (f) fprintf(f, "FAIL * killed by signal %d\n", WTERMSIG(status)), fclose(f);
    }
    return false;
}

static const char *log_text(Arena *arena, const char *where) {
    size_t length = 0;
    const char *error = NULL;
    char *text =
        file_read_all(arena, arena_printf(arena, "%s.log", where), 1 << 26, &length, &error);
    return text ? text : "";
}

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f)) abort();
}

/* ---- failures ---- */

typedef struct FailingCase {
    const RandomConfig *config;
    const char *where, *kind; /* of failure, see failure_kind */
    int trials;
} FailingCase;

/* The first failure's message up to its first figure: "killed by signal ", "N = ". */
static const char *failure_kind(Arena *arena, const char *log) {
    const char *at = strstr(log, "FAIL ");
    if (!at) return "";
    at += 5 + strcspn(at + 5, " ");
    return arena_printf(arena, "%.*s", (int)strcspn(at, "0123456789\n"), at);
}

static bool still_fails(void *user, const char *text) {
    FailingCase *f = user;
    Arena *arena = arena_new();
    const char *error = NULL;
    Program *program = program_read(arena, text, &error);
    bool fails = false;
    if (program && !program_verify(program, arena) && f->trials > 0) {
        f->trials--;
        const char *file = arena_printf(arena, "%s.ir", f->where);
        write_file(file, text);
        fails = !run_worker(arena, file, f->config, f->where, true);
        /* Not a shorter program that fails for another reason. */
        fails = fails && !strcmp(failure_kind(arena, log_text(arena, f->where)), f->kind);
    }
    arena_free(arena);
    return fails;
}

static void report_failure(Arena *arena, const char *text, const RandomConfig *config,
                           const char *where) {
    FailingCase f = {config, where, failure_kind(arena, log_text(arena, where)), 150};
    const char *budget = getenv("RANDOM_SHRINK");
    if (budget) f.trials = atoi(budget);
    printf("\nFAILED under %s\n%s%s\n", random_config_text(arena, config), log_text(arena, where),
           text);
    fflush(stdout);
    const char *small = random_shrink(arena, text, still_fails, &f);
    f.trials = 1;
    still_fails(&f, small);
    printf("SHRUNK, under %s\n%s%s\n", random_config_text(arena, config), log_text(arena, where),
           small);
    fflush(stdout);
}

/* Which programs of a file fail alone? */
static void find_failures(Arena *arena, const char *const *texts, int count,
                          const RandomConfig *config, const char *where) {
    bool found = false;
    const char *log = log_text(arena, where);
    bool all = strstr(log, "FAIL * ") != NULL;
    for (int i = 0; i < count; i++) {
        Text name = text_new(arena);
        text_append(&name, "FAIL ");
        text_append_n(&name, texts[i] + 5, (size_t)(strchr(texts[i] + 5, ' ') - texts[i] - 4));
        if (!all && !strstr(log, name.data)) continue;
        const char *alone = arena_printf(arena, "%s-%d", where, i);
        const char *file = arena_printf(arena, "%s.ir", alone);
        write_file(file, texts[i]);
        if (run_worker(arena, file, config, alone, true)) continue;
        report_failure(arena, texts[i], config, alone);
        found = true;
    }
    if (!found)
        printf("\nFAILED under %s, not alone: %s.ir\n%s\n", random_config_text(arena, config),
               where, log);
}

/* ---- files ---- */

typedef struct FileResult {
    int failed;
    long long elements, bitten;
} FileResult;

/* In a process of its own. */
static void check_file(const char *const *texts, int count, const RandomConfig *configs,
                       int config_count, const char *where, FileResult *result) {
    Arena *arena = arena_new();
    Text all = text_new(arena);
    for (int i = 0; i < count; i++) text_append(&all, texts[i]);
    const char *file = arena_printf(arena, "%s.ir", where);
    write_file(file, all.data);
    for (int k = 0; k < config_count; k++) {
        if (!run_worker(arena, file, &configs[k], where, k == 0)) {
            result->failed++;
            find_failures(arena, texts, count, &configs[k], where);
        }
        const char *done = strstr(log_text(arena, where), "DONE ");
        long long elements = 0, bitten = 0;
        if (done && sscanf(done, "DONE elements=%lld bitten=%lld", &elements, &bitten) == 2) {
            result->elements += elements;
            result->bitten += bitten;
        }
    }
    arena_free(arena);
}

static int environment_number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static const char **random_texts(Arena *arena, uint64_t *seed, int count) {
    const char **texts = NEW_ARRAY(arena, (size_t)count, const char *);
    for (int i = 0; i < count; ++*seed) {
        texts[i] = random_program_text(arena, *seed);
        if (texts[i]) i++;
    }
    return texts;
}

/* Every combination of compiler and target in 18 runs; the passes go round by another step. */
static RandomConfig configuration(int run) {
    return random_config(run % RANDOM_ROTATING, run / RANDOM_ROTATING, run % 4 == 0 ? 0 : run * 3);
}

static int run_all(void) {
    Arena *arena = arena_new();
    int count = environment_number("RANDOM_COUNT", 500);
    int jobs = environment_number("RANDOM_JOBS", 2), running = 0, failed = 0;
    uint64_t seed = (uint64_t)environment_number("RANDOM_SEED", 1);
    RandomCoverage coverage = {0};
    int files = (count + PER_FILE - 1) / PER_FILE, first_run = (int)(seed / PER_FILE);
    long long elements = 0, bitten = 0;
    int ends[2];
    if (pipe(ends)) abort();
    for (int k = 0; k < files || running; k++) {
        if (k < files) {
            Arena *batch = arena_new();
            int n = count - k * PER_FILE < PER_FILE ? count - k * PER_FILE : PER_FILE;
            const char **texts = random_texts(batch, &seed, n);
            for (int i = 0; i < n; i++) coverage_add(&coverage, texts[i]);
            RandomConfig configs[CONFIGURATIONS_PER_FILE];
            for (int i = 0; i < CONFIGURATIONS_PER_FILE; i++) {
                configs[i] = configuration((first_run + k) * CONFIGURATIONS_PER_FILE + i);
                if (getenv("RANDOM_CONFIG") &&
                    !random_config_parse(batch, getenv("RANDOM_CONFIG"), &configs[i]))
                    return 2;
                coverage_add_config(&coverage, random_config_text(batch, &configs[i]));
            }
            fflush(stdout);
            pid_t pid = fork();
            if (pid < 0) abort();
            if (pid == 0) {
                FileResult result = {0};
                check_file(texts, n, configs, getenv("RANDOM_CONFIG") ? 1 : CONFIGURATIONS_PER_FILE,
                           arena_printf(batch, "%s/%d", folder, k), &result);
                fflush(stdout);
                _exit(write(ends[1], &result, sizeof result) != sizeof result);
            }
            running++;
            arena_free(batch);
        }
        while (running && (running >= jobs || k + 1 >= files)) {
            int status;
            if (wait(&status) < 0) abort();
            running--;
            failed += status != 0;
            FileResult result = {0};
            if (status == 0 && read(ends[0], &result, sizeof result) == sizeof result) {
                failed += result.failed;
                elements += result.elements;
                bitten += result.bitten;
            }
        }
    }
    bool covered = coverage_report(&coverage, count >= 400);
    double share = elements ? (double)bitten / (double)elements : 1;
    bool bites = count < 400 || share >= 0.9; /* a few programs say little of it */
    if (!bites)
        printf("only %.1f %% of the elements have a bound that says something\n", 100 * share);
    printf("programs %d, each under %d configuration(s), failed files %d, elements %lld, "
           "with a bound that bites %.1f %%\n",
           count, getenv("RANDOM_CONFIG") ? 1 : CONFIGURATIONS_PER_FILE, failed, elements,
           100 * share);
    arena_free(arena);
    return failed || !covered || !bites;
}

/* Programs that once failed; operands along the depth; lanes; windows summed back; sorts. */
static const char *const files[] = {"found", "dots", "lanes", "folds", "sorts"};

/* The programs of a file, under every compiler and target or the configuration asked for. */
static int run_file(const char *name) {
    Arena *arena = arena_new();
    size_t length = 0;
    const char *error = NULL, *path = arena_printf(arena, SOURCE_DIR "/tests/numeric/%s.ir", name);
    int failed = 0;
    const char *text = file_read_all(arena, path, 1 << 26, &length, &error);
    if (!text) {
        printf("%s: %s\n", path, error);
        return 1;
    }
    const char *asked = getenv("RANDOM_CONFIG");
    for (int k = 0; k < (asked ? 1 : RANDOM_ROTATING + 1) && length; k++) {
        /* Every compiler once, and gcc -O3 for eight lanes beside the widest. */
        RandomConfig config = k < RANDOM_ROTATING ? random_config(k,
                                                                  k == 3   ? 1
                                                                  : k == 4 ? 3
                                                                           : k,
                                                                  k % 2)
                                                  : random_config(3, 3, 0);
        if (asked && !random_config_parse(arena, asked, &config)) return 1;
        const char *where = arena_printf(arena, "%s/%s", folder, name);
        if (run_worker(arena, path, &config, where, k == 0)) continue;
        printf("FAILED under %s: tests/numeric/%s.ir\n%s\n", random_config_text(arena, &config),
               name, log_text(arena, where));
        failed++;
    }
    printf("programs of %s.ir: %d failures\n", name, failed);
    arena_free(arena);
    return failed;
}

int main(int argc, char **argv) {
    Arena *arena = arena_new();
    names_init(arena);
    if (argc >= 5 && !strcmp(argv[1], "--worker"))
        return worker_run(argv[2], argv[3], argv[4], argc > 5);
    if (argc == 3 && !strcmp(argv[1], "--coverage")) {
        RandomCoverage coverage = {0};
        uint64_t seed = 1;
        int count = atoi(argv[2]);
        const char **texts = random_texts(arena, &seed, count);
        for (int i = 0; i < count; i++) coverage_add(&coverage, texts[i]);
        return !coverage_report(&coverage, true);
    }
    folder = arena_printf(arena, "%s/numeric", BINARY_DIR);
    mkdir(folder, 0777);
    folder = arena_printf(arena, "%s/numeric/random-%d", BINARY_DIR, (int)getpid());
    mkdir(folder, 0777);
    if (argc == 3 && !strcmp(argv[1], "--program")) {
        const char *text = random_program_text(arena, strtoull(argv[2], NULL, 10));
        puts(text ? text : "too large");
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "--shrink")) {
        size_t length = 0;
        const char *error = NULL, *text = file_read_all(arena, argv[2], 1 << 26, &length, &error);
        RandomConfig config;
        if (!text || !random_config_parse(arena, argv[3], &config)) return 2;
        const char *where = arena_printf(arena, "%s/shrink", folder);
        if (run_worker(arena, argv[2], &config, where, true)) return 0;
        report_failure(arena, text, &config, where);
        return 1;
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) failed += run_file(files[i]);
    failed += run_all();
    char *const remove[] = {"rm", "-rf", folder, NULL};
    if (!failed && !getenv("RANDOM_KEEP") && command_run("/", NULL, remove) != 0) return 1;
    arena_free(arena);
    return failed != 0;
}
