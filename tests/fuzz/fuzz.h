/* What fuzz targets share: the target's three functions, bounds on time and memory, random numbers,
 * mutation of bytes.
 *
 * A target is one file with target_run, target_mutate and target_name.  Each is linked twice: with
 * plain.c as a seeded program for every compiler, and with libfuzzer.c under clang.  Invariants: a
 * run that takes longer than the limit, holds more memory than the limit, or finds a broken promise
 * ends in abort() after a line on stderr, so that both drivers keep the input. */
#ifndef NNC_TESTS_FUZZ_H
#define NNC_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FUZZ_MEMORY_LIMIT = 512 << 20, FUZZ_SIZE_LIMIT = 1 << 16 };

/* Written by each target. */
extern const char target_name[];
void target_run(const uint8_t *data, size_t size);
/* Changes data in place; returns the new size, at most `capacity`.  `other` is another input of the
 * corpus to take parts from (may be empty). */
size_t target_mutate(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                     size_t other_size, uint64_t *random);
/* A word of the target's dictionary, or NULL past the last. */
const char *target_word(int index);

/* target_run under the bounds. */
void fuzz_run(const uint8_t *data, size_t size);
/* "fuzz: ..." on stderr, then abort(). */
void fuzz_broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The allocator that counts; fuzz_run starts every run at 0. */
void *fuzz_allocate(size_t bytes, size_t alignment);
void fuzz_count(size_t bytes);

uint64_t fuzz_random(uint64_t *state);
/* In [0, n); 0 for n == 0. */
size_t fuzz_below(uint64_t *state, size_t n);
size_t mutate_bytes(uint8_t *data, size_t size, size_t capacity, const uint8_t *other,
                    size_t other_size, uint64_t *random);
/* Replaces [begin, end) by the text; returns the new size, or the old one where it does not fit. */
size_t replace_bytes(uint8_t *data, size_t size, size_t capacity, size_t begin, size_t end,
                     const void *text, size_t length);

/* Set by the drivers: where the plain driver wants accepted programs, else NULL. */
extern void (*fuzz_accepted)(const char *source, size_t source_size, const char *header,
                             size_t header_size);

#endif
