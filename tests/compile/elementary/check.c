/* Largest error of an elementary function: check FUNCTION STRIDE OBJECT...
 *
 * Runs apply_FUNCTION of each shared object over every STRIDEth float (1: all of them) and over
 * every float next to a special one, against the C library in double; where the error lies so near
 * to the bound that double cannot tell, in long double.  Prints a line for each object: the largest
 * error and where it is; the exit status is 1 if one exceeds the bound of functions.def, a NaN
 * stands where none should (or the reverse), or a sign is wrong. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096, OBJECTS = 16, WORKERS = 2 };
typedef enum Unit { RESULT, ARGUMENT } Unit;
typedef void (*Apply)(const float *x, float *y, size_t n);

#define COMPOSED FUNCTION
#define FUNCTION(name, unit, bound, reference) \
    static double exact_##name(double x) {     \
        return reference;                      \
    }
#define CALL(f) f
#include "functions.def"
#undef FUNCTION
#undef CALL
#define FUNCTION(name, unit, bound, reference)        \
    static long double finest_##name(long double x) { \
        return reference;                             \
    }
#define CALL(f) f##l
#include "functions.def"
#undef FUNCTION

typedef struct Function {
    const char *name;
    Unit unit;
    double bound;
    double (*exact)(double);
    long double (*finest)(long double);
} Function;
#define FUNCTION(name, unit, bound, reference) {#name, unit, bound, exact_##name, finest_##name},
static const Function functions[] = {
#include "functions.def"
};

typedef struct Worst {
    double error;
    float x;
    uint64_t bad; /* NaN for a number or the reverse, or a wrong sign */
} Worst;

static const Function *function;
static uint64_t stride;
static int objects;
static Apply apply[OBJECTS];

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The distance from y to exact in last places of `of`; infinity stands at 2^128, where
 * it begins. */
static long double units(float y, long double exact, long double of) {
    int exponent = 0;
    frexpl(of, &exponent);
    if (exponent < -125) exponent = -125;
    if (exponent > 128) exponent = 128;
    long double end = 0x1p128L, value = isinf(y) ? copysignl(end, y) : y;
    if (fabsl(exact) > end) exact = copysignl(end, exact);
    return fabsl(value - exact) / ldexpl(1, exponent - 24);
}

static void judge(Worst *worst, float x, float y, double exact) {
    bool wrong = isnan(exact) ? !isnan(y) : isnan(y) || !signbit(y) != !signbit(exact);
    if (wrong) {
        if (!worst->bad++) worst->x = x;
        return;
    }
    if (isnan(exact) || (double)y == exact) return;
    bool result = function->unit == RESULT;
    long double error = units(y, exact, result ? exact : x);
    if (error > worst->error && fabsl(error - function->bound) < 1e-6L) {
        long double finest = function->finest(x);
        error = units(y, finest, result ? finest : x);
    }
    if (error > worst->error) {
        worst->error = (double)error;
        if (!worst->bad) worst->x = x;
    }
}

static void judge_block(Worst *worst, const float *x) {
    static _Thread_local float y[BLOCK];
    static _Thread_local double exact[BLOCK];
    for (int i = 0; i < BLOCK; i++) exact[i] = function->exact(x[i]);
    for (int k = 0; k < objects; k++) {
        apply[k](x, y, BLOCK);
        for (int i = 0; i < BLOCK; i++) /* The nearest float is off by half a unit at most. */
            if (y[i] != (float)exact[i] || y[i] == 0 || worst[k].error < 0.5)
                judge(&worst[k], x[i], y[i], exact[i]);
    }
}

typedef struct Worker {
    pthread_t thread;
    int number;
    Worst worst[OBJECTS];
} Worker;

static void *run_worker(void *arg) {
    Worker *worker = arg;
    static _Thread_local float x[BLOCK];
    uint64_t blocks = 0x100000000u / (BLOCK * stride);
    for (uint64_t b = (uint64_t)worker->number; b <= blocks; b += WORKERS) {
        for (uint64_t i = 0; i < BLOCK; i++) x[i] = float_of((uint32_t)((b * BLOCK + i) * stride));
        judge_block(worker->worst, x);
    }
    return NULL;
}

/* The floats around the ends of ranges, of formats, and of exactness. */
static void judge_special(Worst *worst) {
    static const float special[] = {
        0.0f,        0x1p-149f,  0x1p-126f,   0x1p-24f, 0x1p-12f, 0.25f,    0.5f,
        0.70710678f, 1.0f,       2.0f,        4.0f,     9.01f,    17.33f,   87.33654f,
        88.722839f,  103.97208f, 16777216.0f, 0x1p31f,  0x1p63f,  INFINITY, NAN};
    static float x[BLOCK];
    enum { SPECIAL = sizeof special / sizeof *special, NEAR = BLOCK / SPECIAL / 2 };
    int count = 0;
    for (int i = 0; i < SPECIAL; i++)
        for (int d = 0; d < NEAR; d++) {
            uint32_t bits;
            memcpy(&bits, &special[i], sizeof bits);
            bits += (uint32_t)(d - NEAR / 2);
            x[count++] = float_of(bits);
            x[count++] = float_of(bits ^ 0x80000000u);
        }
    judge_block(worst, x);
}

static int report(Worker *workers, char **names) {
    int status = 0;
    for (int k = 0; k < objects; k++) {
        Worst all = workers[0].worst[k];
        for (int w = 1; w < WORKERS; w++) {
            const Worst *other = &workers[w].worst[k];
            if (other->bad > all.bad || (other->bad == all.bad && other->error > all.error))
                all.error = other->error, all.x = other->x;
            all.bad += other->bad;
        }
        bool wrong = all.bad || all.error > function->bound;
        printf("%s %-8s max %.4f ULP%s at %a, bound %.2f", wrong ? "FAILED" : "ok    ",
               function->name, all.error, function->unit == ARGUMENT ? " of x" : "", (double)all.x,
               function->bound);
        if (all.bad) printf(", %llu of wrong kind or sign", (unsigned long long)all.bad);
        printf(" (%s)\n", strrchr(names[k], '/') ? strrchr(names[k], '/') + 1 : names[k]);
        status |= wrong;
    }
    return status;
}

int main(int argc, char **argv) {
    if (argc < 4 || argc - 3 > OBJECTS) return 2;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, argv[1])) function = &functions[i];
    stride = strtoull(argv[2], NULL, 10);
    if (!function || !stride) return 2;
    char symbol[64];
    snprintf(symbol, sizeof symbol, "apply_%s", argv[1]);
    for (objects = 0; objects < argc - 3; objects++) {
        void *object = dlopen(argv[3 + objects], RTLD_NOW | RTLD_LOCAL);
        void *found = object ? dlsym(object, symbol) : NULL;
        if (!found) {
            fprintf(stderr, "%s: %s\n", argv[3 + objects], dlerror());
            return 2;
        }
        memcpy(&apply[objects], &found, sizeof found);
    }
    static Worker workers[WORKERS];
    judge_special(workers[0].worst);
    for (int w = 0; w < WORKERS; w++) {
        workers[w].number = w;
        if (pthread_create(&workers[w].thread, NULL, run_worker, &workers[w])) return 2;
    }
    for (int w = 0; w < WORKERS; w++) pthread_join(workers[w].thread, NULL);
    return report(workers, argv + 3);
}
