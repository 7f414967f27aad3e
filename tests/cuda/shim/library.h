/* What a library that runs on a GPU asks of the shim, which stands for the GPU: work on streams.
 *
 * The shim opens libraries in the place of dlopen, and gives these hooks to one that has a function
 * shim_connect.  A library cannot see the shim otherwise: every model has a shim of its own. */
#ifndef NNC_TESTS_CUDA_SHIM_LIBRARY_H
#define NNC_TESTS_CUDA_SHIM_LIBRARY_H 1

#include <cstddef>
#include <dlfcn.h>
#include <functional>
#include <vector>

namespace shim {

struct LibraryRange {
    const void *at;
    size_t bytes;
    bool written;
};
struct LibraryHooks {
    bool (*is_capturing)();
    /* `run` does the work: now, or each time that the graph is launched into which it is captured.
     */
    void (*enqueue)(void *stream, const char *call, std::function<void()> run,
                    std::vector<LibraryRange> ranges);
};

} // namespace shim

#endif
