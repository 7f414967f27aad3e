/* A CUDA runtime without a GPU: the text of a .cu file is C++, and this header runs it on the host.
 *
 * Every thread of a block is a fiber; blocks run one after the other.  Which fiber goes on after a
 * barrier or a shuffle, and which block is next, is drawn from a seed (shim_schedule; 0: in order).
 * Found while running: threads that wait at different barriers or shuffles, or wait for one that
 * has ended; reads of shared memory that nobody has written (it holds NaN); and with
 * -fsanitize=address every access outside of a kernel's own buffers or shared arrays, since each of
 * them is a block of memory of its own.  Work on streams is done when it is enqueued; a stream that
 * is being captured records it instead.  Whoever wants to know more sets an observer: watch.h tells
 * of races and of what accesses cost.  What cannot be found: memory order, time. */
#ifndef NNC_TESTS_CUDA_SHIM_H
#define NNC_TESTS_CUDA_SHIM_H 1

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <vector>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#include "library.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define __host__
#define __device__
#define __global__ __attribute__((unused))
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __grid_constant__

/* Memory of a block by the line of its declaration; a buffer as a block of its own. */
#define NN_BLOCK_ARRAY(T, name, count) \
    T *const name = (T *)shim::shared_memory(__LINE__, sizeof(T) * (size_t)(count))
#define NN_BUFFER(at, bytes) shim::exact_buffer((void *)(at), (size_t)(bytes))

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorUnknown = 999
};

namespace shim {

[[noreturn]] inline void fail(const char *what, int line) {
    fprintf(stderr, "shim: %s (line %d of the .cu file)\n", what, line);
    abort();
}

/* splitmix64 */
struct Random {
    uint64_t state;
    uint64_t next() {
        uint64_t z = state += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
};

/* ---- fibers ---- */

enum { STACK = 96 << 10, LANES = 32, SHARED = 48 << 10 };
enum State { READY, AT_BARRIER, AT_SHUFFLE, ENDED };

struct Fiber {
    dim3 thread;
    State state;
    int line;       /* where it waits */
    void *position; /* stack pointer, or ucontext_t */
    char *stack;
    void *fake; /* AddressSanitizer's */
};

struct Warp {
    int arrived, line;
    unsigned generation;
    char slots[2][LANES][8];
};

struct Array {
    int line;
    std::unique_ptr<char[]> memory;
};

/* Is told what happens in a launch; threads are numbered in their block. */
struct Launch;
struct Observer {
    virtual void begin_launch(const Launch &) = 0;
    virtual void end_launch() = 0;
    virtual void begin_block(unsigned block) = 0;
    virtual void end_block() = 0;
    virtual void shared_array(const void *memory, size_t bytes) = 0;
    /* All of them have come to one place; ordered: and see each other's memory from there on. */
    virtual void meet(int first, int count, bool ordered) = 0;
};

struct Free {
    void operator()(char *p) const { free(p); }
};

/* What cudaMalloc and the like gave (Kind in host.h). */
struct Allocation {
    int kind;
    size_t bytes;
    int number;
};

struct Machine {
    uint64_t seed = 0, launches = 0, calls = 0, fail_at = 0;
    uint64_t waits = 0; /* of the host for the device */
    Random random{1};
    dim3 grid, block, block_at;
    std::vector<Fiber> fibers;
    std::vector<std::unique_ptr<char[], Free>> stacks;
    std::vector<int> ready;
    std::vector<Warp> warps;
    std::vector<Array> arrays;
    std::map<int, size_t> shared_bytes; /* of a launch, by line */
    std::function<void()> body;
    Observer *observer = nullptr;
    Fiber *current = nullptr;
    void *scheduler = nullptr;
    int arrived = 0, ended = 0, barrier_line = 0;
    std::map<const void *, Allocation> memory;
#if defined(__SANITIZE_ADDRESS__)
    void *scheduler_fake = nullptr;
    const void *scheduler_stack = nullptr;
    size_t scheduler_stack_bytes = 0;
#endif
};
inline Machine machine;

#if defined(__x86_64__)
/* Keeps what a call must keep, and goes on where `to` was left. */
__attribute__((naked, noinline)) inline void switch_stacks(void **, void *) {
    asm volatile("pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
                 "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
                 "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}
#else
inline void switch_stacks(void **from, void *to) {
    if (!*from) *from = new ucontext_t;
    swapcontext((ucontext_t *)*from, (ucontext_t *)to);
}
#endif

inline void to_scheduler() {
    Fiber *self = machine.current;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(self->state == ENDED ? nullptr : &self->fake,
                                   machine.scheduler_stack, machine.scheduler_stack_bytes);
#endif
    switch_stacks(&self->position, machine.scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self->fake, &machine.scheduler_stack,
                                    &machine.scheduler_stack_bytes);
#endif
}

inline void to_fiber(Fiber *f) {
    machine.current = f;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&machine.scheduler_fake, f->stack, STACK);
#endif
    switch_stacks(&machine.scheduler, f->position);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(machine.scheduler_fake, nullptr, nullptr);
#endif
}

inline void fiber_main() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &machine.scheduler_stack,
                                    &machine.scheduler_stack_bytes);
#endif
    machine.body();
    machine.current->state = ENDED;
    machine.ended++;
    to_scheduler();
    abort();
}

inline void prepare(Fiber *f, char *stack) {
    f->stack = stack;
    f->fake = nullptr;
    f->state = READY;
#if defined(__x86_64__)
    void **top = (void **)(stack + STACK);
    *--top = nullptr;
    *--top = (void *)fiber_main;
    for (int i = 0; i < 6; i++) *--top = nullptr;
    f->position = top;
#else
    if (!f->position) f->position = new ucontext_t;
    ucontext_t *context = (ucontext_t *)f->position;
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK;
    context->uc_link = nullptr;
    makecontext(context, fiber_main, 0);
#endif
}

inline void wait_as(State state, int line) {
    machine.current->state = state;
    machine.current->line = line;
    to_scheduler();
}

inline void release(int from, int count) {
    for (int i = from; i < from + count; i++) {
        machine.fibers[(size_t)i].state = READY;
        machine.ready.push_back(i);
    }
}

inline void barrier(int line) {
    Machine &m = machine;
    if (m.arrived && m.barrier_line != line) fail("threads wait at different barriers", line);
    if (m.ended) fail("a barrier after some threads have ended", line);
    m.barrier_line = line;
    if (++m.arrived == (int)m.fibers.size()) {
        m.arrived = 0;
        if (m.observer) m.observer->meet(0, (int)m.fibers.size(), true);
        /* This one goes on like all others. */
        release(0, (int)m.fibers.size());
    }
    wait_as(m.arrived ? AT_BARRIER : READY, line);
}

/* Every lane gives a value and takes that of another one. */
template <class T>
inline T shuffle(unsigned mask, T value, int from, int line, bool ordered = false) {
    Machine &m = machine;
    const int thread = (int)m.current->thread.x, lane = thread % LANES;
    Warp &w = m.warps[(size_t)(thread / LANES)];
    if (mask != 0xffffffffu) fail("a shuffle of less than a warp", line);
    if (w.arrived && w.line != line) fail("lanes of a warp shuffle at different places", line);
    const unsigned generation = w.generation;
    w.line = line;
    static_assert(sizeof(T) <= 8, "a register has at most 8 bytes");
    memcpy(w.slots[generation & 1][lane], &value, sizeof(T));
    if (++w.arrived == LANES) {
        w.arrived = 0;
        w.generation++;
        if (m.observer) m.observer->meet(thread - lane, LANES, ordered);
        release(thread - lane, LANES);
    }
    wait_as(w.arrived ? AT_SHUFFLE : READY, line);
    if (from < 0 || from >= LANES) return value;
    memcpy(&value, w.slots[generation & 1][from], sizeof(T));
    return value;
}

inline int lane() {
    return (int)machine.current->thread.x % LANES;
}

/* All bytes 0xff: a NaN, or an index that is far outside. */
inline void *shared_memory(int line, size_t bytes) {
    for (Array &a : machine.arrays)
        if (a.line == line) return a.memory.get();
    machine.shared_bytes[line] = bytes;
    machine.arrays.push_back({line, std::unique_ptr<char[]>(new char[bytes])});
    memset(machine.arrays.back().memory.get(), 0xff, bytes);
    if (machine.observer) machine.observer->shared_array(machine.arrays.back().memory.get(), bytes);
    return machine.arrays.back().memory.get();
}

inline void run_block(unsigned block) {
    Machine &m = machine;
    const int threads = (int)(m.block.x * m.block.y * m.block.z);
    m.block_at = dim3(block, 0, 0);
    m.current = nullptr;
    m.arrays.clear();
    m.arrived = m.ended = 0;
    m.fibers.resize((size_t)threads);
    m.warps.assign((size_t)(threads + LANES - 1) / LANES, Warp{});
    m.ready.clear();
    while (m.stacks.size() < (size_t)threads)
        m.stacks.emplace_back((char *)aligned_alloc(64, STACK));
    for (int i = 0; i < threads; i++) {
        m.fibers[(size_t)i].thread = dim3((unsigned)i, 0, 0);
        prepare(&m.fibers[(size_t)i], m.stacks[(size_t)i].get());
        m.ready.push_back(i);
    }
    if (m.observer) m.observer->begin_block(block);
    size_t turn = 0;
    while (!m.ready.empty()) {
        size_t at = m.seed ? (size_t)(m.random.next() % m.ready.size()) : turn;
        if (at >= m.ready.size()) at = 0;
        turn = at;
        const int next = m.ready[at];
        m.ready[at] = m.ready.back();
        m.ready.pop_back();
        to_fiber(&m.fibers[(size_t)next]);
    }
    for (const Fiber &f : m.fibers)
        if (f.state != ENDED)
            fail(f.state == AT_BARRIER ? "a barrier that not all threads reach"
                                       : "a shuffle that not all lanes reach",
                 f.line);
    if (m.observer) m.observer->end_block();
}

/* ---- launches ---- */

/* A buffer of a kernel: only the bytes that the kernel changes are brought back. */
struct Exact {
    void *real;
    std::unique_ptr<char[]> copy, before;
    size_t bytes;
};
inline std::vector<Exact> pending;

inline void *exact_buffer(void *real, size_t bytes) {
    pending.push_back({real, std::unique_ptr<char[]>(new char[bytes]),
                       std::unique_ptr<char[]>(new char[bytes]), bytes});
    return pending.back().copy.get();
}

/* Those that the argument of a kernel points to; others were meant for a launch that did not
 * happen. */
inline std::vector<Exact> buffers_of(const void *argument, size_t bytes) {
    std::vector<Exact> found;
    for (Exact &b : pending) {
        const char *copy = b.copy.get();
        for (size_t at = 0; at + sizeof copy <= bytes; at += sizeof copy)
            if (!memcmp((const char *)argument + at, &copy, sizeof copy)) {
                found.push_back(std::move(b));
                break;
            }
    }
    pending.clear();
    return found;
}

struct Launch {
    std::vector<Exact> buffers;
    dim3 grid, block;
    std::function<void()> body;
    std::function<void()> whole; /* of a library, which has no threads here */
    std::vector<LibraryRange> ranges;
};

inline void run_launch(Launch &launch) {
    Machine &m = machine;
    for (Exact &b : launch.buffers) {
        memcpy(b.copy.get(), b.real, b.bytes);
        memcpy(b.before.get(), b.real, b.bytes);
    }
    m.launches++;
    if (const char *path = getenv("SHIM_LAUNCHES")) { /* a line for each launch */
        if (FILE *log = fopen(path, "a")) {
            fprintf(log, "%u %u\n", launch.grid.x, launch.block.x);
            fclose(log);
        }
    }
    m.grid = launch.grid;
    m.block = launch.block;
    m.body = launch.body;
    m.random = {m.seed * 1000003u + m.launches};
    std::vector<unsigned> order(launch.grid.x);
    for (unsigned i = 0; i < launch.grid.x; i++) order[i] = i;
    for (unsigned i = launch.grid.x; m.seed && i > 1; i--)
        std::swap(order[i - 1], order[(size_t)(m.random.next() % i)]);
    m.shared_bytes.clear();
    if (m.observer) m.observer->begin_launch(launch);
    for (unsigned block : order) run_block(block);
    if (m.observer) m.observer->end_launch();
    size_t shared = 0;
    for (const auto &array : m.shared_bytes) shared += (array.second + 15) / 16 * 16;
    if (shared > SHARED) fail("more shared memory than a block has", m.shared_bytes.begin()->first);
    for (Exact &b : launch.buffers)
        for (size_t i = 0; i < b.bytes; i++)
            if (b.copy[i] != b.before[i]) ((char *)b.real)[i] = b.copy[i];
}

/* The fail_at-th call of the runtime fails. */
inline bool fails() {
    return ++machine.calls == machine.fail_at;
}

inline void schedule(uint64_t seed) {
    machine.seed = seed;
}

} // namespace shim

#define threadIdx (shim::machine.current->thread)
#define blockIdx (shim::machine.block_at)
#define blockDim (shim::machine.block)
#define gridDim (shim::machine.grid)
#define __syncthreads() shim::barrier(__LINE__)
#define __shfl_sync(mask, value, from) shim::shuffle(mask, value, from, __LINE__)
#define __syncwarp() ((void)shim::shuffle(0xffffffffu, 0, 0, __LINE__, true))
#define __shfl_down_sync(mask, value, by) shim::shuffle(mask, value, shim::lane() + (by), __LINE__)

/* ---- the runtime, as far as emitted code calls it ---- */

#include "host.h"

typedef shim::Stream *cudaStream_t;
typedef shim::Graph *cudaGraph_t, *cudaGraphExec_t;
typedef shim::Event *cudaEvent_t;
enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault
};
enum cudaMemoryType {
    cudaMemoryTypeUnregistered,
    cudaMemoryTypeHost,
    cudaMemoryTypeDevice,
    cudaMemoryTypeManaged
};
struct cudaPointerAttributes {
    cudaMemoryType type;
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };

#define SHIM_CALL \
    if (shim::fails()) return cudaErrorUnknown

inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaSuccess ? "no error" : "an error of the device";
}
inline cudaError_t cudaGetLastError() {
    return cudaSuccess;
}
/* SHIM_REFUSES=driver, old, device or code: what the machine lacks. */
inline bool shim_refuses(const char *what) {
    const char *said = getenv("SHIM_REFUSES");
    return said && !strcmp(said, what);
}
inline cudaError_t cudaGetDeviceCount(int *out) {
    *out = 1;
    if (shim_refuses("driver") || shim_refuses("old")) return cudaErrorInsufficientDriver;
    return shim_refuses("device") ? cudaErrorNoDevice : cudaSuccess;
}
inline cudaError_t cudaDriverGetVersion(int *out) {
    *out = shim_refuses("driver") ? 0 : shim_refuses("old") ? 11040 : 13000;
    return cudaSuccess;
}
inline cudaError_t cudaRuntimeGetVersion(int *out) {
    *out = 13000;
    return cudaSuccess;
}
struct cudaFuncAttributes {
    int numRegs;
};
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *, const void *) {
    return shim_refuses("code") ? cudaErrorUnknown : cudaSuccess;
}
struct cudaDeviceProp {
    char name[256];
};
enum { cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76 };
inline cudaError_t cudaGetDevice(int *out) {
    *out = 0;
    return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int) {
    snprintf(out->name, sizeof out->name, "shim");
    return cudaSuccess;
}
inline cudaError_t cudaDeviceGetAttribute(int *out, int which, int) {
    *out = which == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
    return cudaSuccess;
}
template <class T> inline cudaError_t cudaMalloc(T **out, size_t bytes) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    *out = (T *)shim::take_memory(bytes, shim::DEVICE);
    shim::record("cudaMalloc %s, %zu bytes", shim::name_of(*out).c_str(), bytes);
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}
template <class T> inline cudaError_t cudaMallocHost(T **out, size_t bytes) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    *out = (T *)shim::take_memory(bytes, shim::PINNED);
    shim::record("cudaMallocHost %s, %zu bytes", shim::name_of(*out).c_str(), bytes);
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFree(void *p) {
    shim::outside_capture(__func__);
    shim::give_memory(__func__, p, shim::DEVICE);
    return cudaSuccess;
}
inline cudaError_t cudaFreeHost(void *p) {
    shim::outside_capture(__func__);
    shim::give_memory(__func__, p, shim::PINNED);
    return cudaSuccess;
}
inline cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *out, const void *p) {
    SHIM_CALL;
    const shim::Allocation *found = shim::need_memory(__func__, p, 0);
    out->type = !found                        ? cudaMemoryTypeUnregistered
                : found->kind == shim::PINNED ? cudaMemoryTypeHost
                                              : cudaMemoryTypeDevice;
    return cudaSuccess;
}
template <class T> inline cudaError_t cudaGetSymbolAddress(void **out, const T &symbol) {
    SHIM_CALL;
    *out = (void *)&symbol;
    if (!shim::find_memory(*out))
        shim::machine.memory[*out] = {shim::CONSTANT, sizeof symbol,
                                      ++shim::host.numbers[shim::CONSTANT]};
    return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t stream) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::Stream *s = shim::need_stream(__func__, stream);
    const bool leaves = shim::need_memory(__func__, from, bytes) != nullptr;
    const bool stays = shim::need_memory(__func__, to, bytes) != nullptr;
    shim::record("cudaMemcpyAsync %s <- %s, %zu bytes, %s", shim::name_of(to).c_str(),
                 shim::name_of(from).c_str(), bytes, shim::name_of(stream).c_str());
    memcpy(to, from, bytes);
    std::vector<shim::Range> ranges;
    if (leaves) ranges.push_back(shim::range_of(from, bytes, false));
    if (stays) ranges.push_back(shim::range_of(to, bytes, true));
    shim::enqueue(__func__, s, std::move(ranges));
    if (!stays) shim::complete(__func__, s, s->operations); /* pageable: it has been waited for */
    return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::Stream *s = shim::need_stream(__func__, stream);
    const shim::Allocation *m = shim::need_memory(__func__, to, bytes);
    if (!m || m->kind != shim::DEVICE) shim::broken(__func__, "this is no memory of the device");
    shim::record("cudaMemsetAsync %s, %zu bytes, %s", shim::name_of(to).c_str(), bytes,
                 shim::name_of(stream).c_str());
    memset(to, value, bytes);
    shim::enqueue(__func__, s, {shim::range_of(to, bytes, true)});
    return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    *out = shim::create(shim::STREAM, new shim::Stream);
    shim::record("cudaStreamCreateWithFlags %s", shim::name_of(*out).c_str());
    return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    shim::outside_capture(__func__);
    shim::destroy(__func__, shim::STREAM, stream);
    return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::Stream *s = shim::need_stream(__func__, stream);
    shim::record("cudaStreamSynchronize %s", shim::name_of(stream).c_str());
    shim::complete(__func__, s, s->operations);
    shim::machine.waits++;
    return cudaSuccess;
}
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    *out = shim::create(shim::EVENT, new shim::Event);
    shim::record("cudaEventCreateWithFlags %s", shim::name_of(*out).c_str());
    return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
    shim::destroy(__func__, shim::EVENT, event);
    return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::need(__func__, shim::EVENT, event);
    event->stream = shim::need_stream(__func__, stream);
    event->after = event->stream->operations;
    shim::record("cudaEventRecord %s, %s", shim::name_of(event).c_str(),
                 shim::name_of(stream).c_str());
    return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::need(__func__, shim::EVENT, event);
    shim::record("cudaEventSynchronize %s", shim::name_of(event).c_str());
    shim::each_stream([&](shim::Stream *s) {
        if (s == event->stream) shim::complete(__func__, s, event->after);
    });
    shim::machine.waits++;
    return cudaSuccess;
}
inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    if (!stream) shim::broken(__func__, "the standard stream cannot be captured");
    shim::need(__func__, shim::STREAM, stream);
    shim::record("cudaStreamBeginCapture %s", shim::name_of(stream).c_str());
    stream->capture = new shim::Graph;
    shim::host.captures++;
    return cudaSuccess;
}
/* A capture that fails has ended all the same. */
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
    shim::need(__func__, shim::STREAM, stream);
    if (!stream->capture) shim::broken(__func__, "nothing is captured");
    *out = shim::create(shim::GRAPH, stream->capture);
    shim::record("cudaStreamEndCapture %s, %s", shim::name_of(stream).c_str(),
                 shim::name_of(*out).c_str());
    stream->capture = nullptr;
    shim::host.captures--;
    SHIM_CALL;
    return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph,
                                        unsigned long long) {
    SHIM_CALL;
    shim::need(__func__, shim::GRAPH, graph);
    *out = shim::create(shim::EXECUTABLE, new shim::Graph(*graph));
    shim::record("cudaGraphInstantiate %s, %s", shim::name_of(*out).c_str(),
                 shim::name_of(graph).c_str());
    return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    shim::destroy(__func__, shim::GRAPH, graph);
    return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
    shim::destroy(__func__, shim::EXECUTABLE, graph);
    return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
    SHIM_CALL;
    shim::outside_capture(__func__);
    shim::need(__func__, shim::EXECUTABLE, graph);
    shim::Stream *s = shim::need_stream(__func__, stream);
    shim::record("cudaGraphLaunch %s, %s", shim::name_of(graph).c_str(),
                 shim::name_of(stream).c_str());
    for (auto &launch : graph->launches) {
        shim::check_buffers(__func__, *launch);
        shim::launch_now(__func__, s, *launch);
    }
    return cudaSuccess;
}
/* ---- libraries ---- */

namespace shim {

inline void enqueue_library(void *stream, const char *call, std::function<void()> run,
                            std::vector<LibraryRange> ranges) {
    Stream *s = need_stream(call, (Stream *)stream);
    if (host.captures && !s->capture) broken(call, "another stream is captured");
    auto launch = std::make_shared<Launch>();
    launch->whole = std::move(run);
    launch->ranges = std::move(ranges);
    check_buffers(call, *launch);
    record("%s %s", call, name_of(stream).c_str());
    if (s->capture)
        s->capture->launches.push_back(launch);
    else
        launch_now(call, s, *launch);
}

inline void *open_library(const char *name, int mode) {
    static const LibraryHooks hooks = {[]() { return host.captures > 0; }, enqueue_library};
    void *library = dlopen(name, mode);
    void (*connect)(const LibraryHooks *) = nullptr;
    if (library) *(void **)&connect = dlsym(library, "shim_connect");
    if (connect) connect(&hooks);
    return library;
}

} // namespace shim

#define dlopen shim::open_library

/* Static, as CUDA's own: files of one program may have arguments of one name and different sizes.
 */
template <class A>
static inline cudaError_t cudaLaunchKernel(void (*kernel)(A), dim3 grid, dim3 block,
                                           void **arguments, size_t, cudaStream_t stream) {
    auto launch = std::make_shared<shim::Launch>();
    A argument = *(A *)arguments[0];
    launch->buffers = shim::buffers_of(&argument, sizeof argument);
    SHIM_CALL;
    shim::Stream *s = shim::need_stream(__func__, stream);
    if (shim::host.captures && !s->capture) shim::broken(__func__, "another stream is captured");
    shim::check_launch(__func__, grid, block, sizeof argument);
    shim::check_buffers(__func__, *launch);
    shim::record("cudaLaunchKernel %s", shim::name_of(stream).c_str());
    launch->grid = grid;
    launch->block = block;
    launch->body = [kernel, argument]() { kernel(argument); };
    if (s->capture)
        s->capture->launches.push_back(launch);
    else
        shim::launch_now(__func__, s, *launch);
    return cudaSuccess;
}

#endif
