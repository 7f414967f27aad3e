/* A target as a plain seeded program: the corpus, then mutations of it.
 *
 *     fuzz_TARGET [--runs=N] [--seed=S] [--accepted=FOLDER [--keep=K]] [--words] FILE-OR-FOLDER...
 *
 * Output: one line with counts.  An input on which the target ends badly is kept as crash-TARGET in
 * the current folder.  The same arguments give the same runs everywhere: files are read in order of
 * their names.  --words prints the dictionary in libFuzzer's form. */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct Input {
    uint8_t *data;
    size_t size;
} Input;

static Input *inputs;
static int input_count;
static const uint8_t *running;
static size_t running_size;
static char crash_path[256];

static void keep_input(int number) {
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ssize_t written = write(fd, running, running_size);
    (void)written;
    close(fd);
    static const char text[] = "fuzz: the input is kept as ";
    written = write(2, text, sizeof text - 1);
    written = write(2, crash_path, strlen(crash_path));
    written = write(2, "\n", 1);
    signal(number, SIG_DFL);
    raise(number);
}

static void run_input(const uint8_t *data, size_t size) {
    /* A block of exactly this size, so that the sanitizers see a byte too far. */
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) exit(3);
    if (size) memcpy(copy, data, size);
    running = copy;
    running_size = size;
    fuzz_run(copy, size);
    running_size = 0;
    free(copy);
}

static void add_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(FUZZ_SIZE_LIMIT);
    if (!file || !data) {
        fprintf(stderr, "fuzz: cannot read %s\n", path);
        exit(3);
    }
    size_t size = fread(data, 1, FUZZ_SIZE_LIMIT, file);
    fclose(file);
    inputs = realloc(inputs, (size_t)(input_count + 1) * sizeof *inputs);
    if (!inputs) exit(3);
    inputs[input_count++] = (Input){data, size};
}

static void add_path(const char *path) {
    struct stat status;
    if (stat(path, &status) == 0 && !S_ISDIR(status.st_mode)) {
        add_file(path);
        return;
    }
    struct dirent **names;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "fuzz: cannot read %s\n", path);
        exit(3);
    }
    for (int i = 0; i < count; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') add_file(file);
        free(names[i]);
    }
    free(names);
}

/* ---- what accepted programs become ---- */

static const char *accepted_folder;
static int accepted_count;
static bool mutated;

static void write_text(const char *name, const char *text, size_t size) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%d%s", accepted_folder, accepted_count, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "fuzz: cannot write %s\n", path);
        exit(3);
    }
}

static void keep_accepted(const char *source, size_t source_size, const char *header,
                          size_t header_size) {
    if (!mutated) return;
    write_text(".c", source, source_size);
    write_text(".h", header, header_size);
    write_text(".nn", (const char *)running, running_size);
    accepted_count++;
}

/* ---- command line ---- */

static void print_words(void) {
    for (int i = 0; target_word(i); i++) {
        printf("\"");
        for (const unsigned char *c = (const unsigned char *)target_word(i); *c; c++)
            printf(*c == '"' || *c == '\\' ? "\\%c" : (*c < ' ' || *c > '~' ? "\\x%02x" : "%c"),
                   *c);
        printf("\"\n");
    }
}

static void mutate_inputs(long runs, uint64_t seed, int keep) {
    static uint8_t data[FUZZ_SIZE_LIMIT];
    mutated = true;
    for (long i = 0; i < runs && (!accepted_folder || accepted_count < keep); i++) {
        uint64_t random = seed * 0x100000001b3u + (uint64_t)i;
        const Input *input = &inputs[fuzz_below(&random, (size_t)input_count)];
        const Input *other = &inputs[fuzz_below(&random, (size_t)input_count)];
        memcpy(data, input->data, input->size);
        size_t size =
            target_mutate(data, input->size, sizeof data, other->data, other->size, &random);
        run_input(data, size);
    }
}

int main(int argc, char **argv) {
    long runs = 0, keep = 1000000;
    uint64_t seed = 1;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--runs=", 7))
            runs = atol(argv[i] + 7);
        else if (!strncmp(argv[i], "--seed=", 7))
            seed = strtoull(argv[i] + 7, NULL, 10);
        else if (!strncmp(argv[i], "--keep=", 7))
            keep = atol(argv[i] + 7);
        else if (!strncmp(argv[i], "--accepted=", 11))
            accepted_folder = argv[i] + 11;
        else if (!strcmp(argv[i], "--words"))
            return print_words(), 0;
        else
            add_path(argv[i]);
    }
    snprintf(crash_path, sizeof crash_path, "crash-%s", target_name);
    static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], keep_input);
    if (!input_count) {
        fprintf(stderr, "fuzz: no input to begin with\n");
        return 2;
    }
    if (accepted_folder) fuzz_accepted = keep_accepted;
    for (int i = 0; i < input_count; i++) run_input(inputs[i].data, inputs[i].size);
    mutate_inputs(runs, seed, (int)keep);
    printf("%s: %d inputs, %ld mutations, %d accepted programs kept\n", target_name, input_count,
           runs, accepted_count);
    for (int i = 0; i < input_count; i++) free(inputs[i].data);
    free(inputs);
    return 0;
}
