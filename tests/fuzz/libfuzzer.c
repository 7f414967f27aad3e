/* A target under libFuzzer: its own mutations for three of four, libFuzzer's for the rest. */
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size, const uint8_t *second,
                                 size_t second_size, uint8_t *out, size_t capacity, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_run(data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    uint64_t random = seed;
    if (fuzz_below(&random, 4) == 0) return LLVMFuzzerMutate(data, size, capacity);
    return target_mutate(data, size, capacity, NULL, 0, &random);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *first, size_t first_size, const uint8_t *second,
                                 size_t second_size, uint8_t *out, size_t capacity, unsigned seed) {
    uint64_t random = seed;
    size_t size = first_size < capacity ? first_size : capacity;
    memcpy(out, first, size);
    return target_mutate(out, size, capacity, second, second_size, &random);
}
