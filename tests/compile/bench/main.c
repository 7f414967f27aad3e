/* Calls bench/ours.c as the benchmark does: the same losses after every reset, falling losses in
 * between, as many times as calls, and an error for an entry that does not exist.
 * Input: the shared object of bench/models/lenet.nn, its weights. */
#include <stdio.h>
#include <string.h>
#include "nncrt.h"

typedef struct Bench Bench;
const char *bench_error(const Bench *bench);
Bench *bench_open(const char *path, const char *prefix, const char *entry, const char *weights,
                  int threads, int64_t batch, const void *const *arguments);
void bench_close(Bench *bench);
void bench_reset(Bench *bench);
int bench_call(Bench *bench);
int bench_result(Bench *bench, void *data, size_t bytes);
int bench_cell(const Bench *bench, const char *name, void *data, size_t bytes);
int64_t bench_burst(Bench *bench, double warm, double seconds, int64_t steps, int64_t *times,
                    int64_t limit);

enum { BATCH = 4, STEPS = 6, LIMIT = 1000 };

static int complain(const char *what) {
    fprintf(stderr, "%s\n", what);
    return 1;
}

static int train(Bench *bench, float *losses) {
    bench_reset(bench);
    for (int k = 0; k < STEPS; ++k)
        if (bench_call(bench) != NNC_OK || bench_result(bench, &losses[k], sizeof *losses) != 0)
            return complain("a step failed");
    return 0;
}

int main(int argc, char **argv) {
    static float x[BATCH * 32 * 32];
    int64_t label[BATCH] = {3, 1, 4, 1}, times[LIMIT];
    float first[STEPS], second[STEPS], bias[84], moved[84];
    const void *arguments[] = {x, label};
    if (argc != 3) return 2;
    for (int i = 0; i < BATCH * 32 * 32; ++i) x[i] = (float)(i * 7919 % 1000) / 1000;

    Bench *bench = bench_open(argv[1], "LenetSgd", "step", argv[2], 2, BATCH, arguments);
    if (!bench || *bench_error(bench)) return complain(bench ? bench_error(bench) : "no memory");
    if (train(bench, first) || bench_cell(bench, "fc2.bias", moved, sizeof moved) != NNC_OK)
        return 1;
    int64_t count = bench_burst(bench, 0.001, 0.01, 5, times, LIMIT);
    if (count < 3 || count > LIMIT) return complain("a burst has too few or too many times");
    for (int64_t i = 0; i < count; ++i)
        if (times[i] <= 0) return complain("a call took no time");
    if (train(bench, second)) return 1;
    if (memcmp(first, second, sizeof first) != 0) return complain("a reset does not start again");
    for (int k = 1; k < STEPS; ++k)
        if (!(first[k] < first[k - 1])) return complain("the loss does not fall");
    bench_reset(bench);
    if (bench_cell(bench, "fc2.bias", bias, sizeof bias) != NNC_OK ||
        memcmp(bias, moved, sizeof bias) == 0)
        return complain("a reset leaves the parameters");
    if (bench_cell(bench, "fc9.bias", bias, sizeof bias) != NNC_E_ARGUMENT)
        return complain("a parameter that does not exist was found");
    Bench *none = bench_open(argv[1], "lenet", "step", argv[2], 1, BATCH, arguments);
    if (!none || !*bench_error(none)) return complain("an entry that does not exist was opened");
    bench_close(none);
    bench_close(bench);
    return 0;
}
