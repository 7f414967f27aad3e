/* Bounds of a run, random numbers and the mutation of bytes (fuzz.h). */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Seconds of processor time: instrumented code is a few times slower. */
#if defined(__SANITIZE_ADDRESS__) || defined(NNC_SANITIZE)
enum { SECONDS = 8 };
#else
enum { SECONDS = 1 };
#endif

void (*fuzz_accepted)(const char *source, size_t source_size, const char *header,
                      size_t header_size);
static size_t held;

void fuzz_broken(const char *format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "fuzz: %s: ", target_name);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    abort();
}

static void on_time(int number) {
    static const char text[] = "fuzz: the run takes too long\n";
    ssize_t written = write(2, text, sizeof text - 1);
    (void)written;
    (void)number;
    abort();
}

void fuzz_count(size_t bytes) {
    held += bytes;
    if (bytes > FUZZ_MEMORY_LIMIT || held > FUZZ_MEMORY_LIMIT)
        fuzz_broken("more than %d bytes are asked for (%zu at once)", FUZZ_MEMORY_LIMIT, bytes);
}

void *fuzz_allocate(size_t bytes, size_t alignment) {
    fuzz_count(bytes);
    void *memory = NULL;
    if (alignment <= 16) return calloc(1, bytes);
    return posix_memalign(&memory, alignment, bytes) ? NULL : memory;
}

void fuzz_run(const uint8_t *data, size_t size) {
    static bool ready;
    if (!ready) signal(SIGVTALRM, on_time);
    ready = true;
    held = 0;
    struct itimerval limit = {.it_value = {.tv_sec = SECONDS}}, none = {0};
    setitimer(ITIMER_VIRTUAL, &limit, NULL);
    target_run(data, size);
    setitimer(ITIMER_VIRTUAL, &none, NULL);
}

uint64_t fuzz_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t fuzz_below(uint64_t *state, size_t n) {
    return n ? fuzz_random(state) % n : 0;
}

size_t replace_bytes(uint8_t *data, size_t size, size_t capacity, size_t begin, size_t end,
                     const void *text, size_t length) {
    size_t grown = size - (end - begin) + length;
    if (grown > capacity) return size;
    memmove(data + begin + length, data + end, size - end);
    if (length) memcpy(data + begin, text, length);
    return grown;
}

/* One change: a bit, a byte, an edge value of 1 to 8 bytes in either order, a run cut, doubled,
 * moved or taken from the other input, a word of the dictionary, the end. */
static size_t mutate_once(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                          size_t other_size, uint64_t *random) {
    static const uint64_t edges[] = {0,        1,          0x7f,      0x80,       0xff,
                                     0x7fff,   0x8000,     0xffff,    1 << 24,    0x7fffffff,
                                     1u << 31, 0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX};
    size_t at = fuzz_below(random, size), run = 1 + fuzz_below(random, 12);
    if (at + run > size) run = size - at;
    switch (fuzz_below(random, 9)) {
    case 0:
        if (size) data[at] ^= (uint8_t)(1u << fuzz_below(random, 8));
        return size;
    case 1:
        if (size) data[at] = (uint8_t)fuzz_random(random);
        return size;
    case 2: {
        uint64_t edge = edges[fuzz_below(random, sizeof edges / sizeof *edges)];
        size_t width = (size_t)1 << fuzz_below(random, 4);
        bool big = fuzz_below(random, 2);
        for (size_t i = 0; i < width && at + i < size; i++)
            data[at + i] = (uint8_t)(edge >> 8 * (big ? width - 1 - i : i));
        return size;
    }
    case 3: return replace_bytes(data, size, capacity, at, at + run, NULL, 0);
    case 4: {
        uint8_t copy[12];
        if (run) memcpy(copy, data + at, run);
        return replace_bytes(data, size, capacity, at, at, copy, run);
    }
    case 5: {
        size_t from = fuzz_below(random, size);
        if (from + run <= size) memmove(data + at, data + from, run);
        return size;
    }
    case 6: {
        if (!other_size) return size;
        size_t from = fuzz_below(random, other_size), length = 1 + fuzz_below(random, 64);
        if (from + length > other_size) length = other_size - from;
        return replace_bytes(data, size, capacity, at, at + fuzz_below(random, 2) * run,
                             other + from, length);
    }
    case 7: {
        int words = 0;
        while (target_word(words)) words++;
        const char *word = words ? target_word((int)fuzz_below(random, (size_t)words)) : "0";
        return replace_bytes(data, size, capacity, at, at + fuzz_below(random, 2) * run, word,
                             strlen(word));
    }
    default: return fuzz_below(random, 8) ? size : at;
    }
}

size_t mutate_bytes(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                    size_t other_size, uint64_t *random) {
    for (size_t edits = 1 + fuzz_below(random, 4); edits; edits--)
        size = mutate_once(data, size, capacity, other, other_size, random);
    return size;
}
