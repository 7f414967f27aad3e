/* What the memory accesses of kernels cost on a GPU, and races, found on the shim.
 *
 * Input: a .cu file that was compiled with -fsanitize=thread, for its calls before every access;
 * they come to watch.cpp, which takes the place of that sanitizer's library.  Output: figures per
 * kernel (watch::figures), and a line on stderr for each two places whose threads race.
 *
 * The threads of a warp run one after the other here.  What a GPU does at once is put together
 * again: the n-th execution of a place in the text since the warp last met (at a barrier or a
 * shuffle), by each of its lanes, is one access of the warp.  Lanes that skip a turn of a loop are
 * taken for early in the next one, so figures of code that diverges are near, not exact.  Caches
 * are not modelled. */
#ifndef NNC_TESTS_CUDA_WATCH_H
#define NNC_TESTS_CUDA_WATCH_H 1

#include "cuda_runtime.h"

#include <string>

namespace watch {

/* Of one kernel, over all its launches since `begin`. */
struct Figures {
    std::string name;
    uint64_t launches = 0, blocks = 0;
    uint64_t accesses = 0,
             lanes = 0;           /* of warps, to global and shared memory; lanes that took part */
    uint64_t sectors[2] = {0, 0}; /* of 32 bytes, of global memory; [1]: written */
    uint64_t ideal_sectors[2] = {0, 0};    /* if the same bytes lay side by side */
    uint64_t passes = 0, ideal_passes = 0; /* of shared memory: a bank gives one word in each */
    uint64_t bytes = 0;                    /* of global memory, distinct in each access */
    uint64_t unavoidable = 0;              /* every byte that is read, and that is written, once */
    uint64_t longest = 0;                  /* accesses of the thread that has most of them */
};

/* Begins to watch; figures are counted from here on. */
void begin();
std::vector<Figures> figures();
/* How many races have been told. */
size_t races();

} // namespace watch

#endif
