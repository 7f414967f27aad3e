/* What a program may ask of the CUDA runtime, and when: the rules of the shim for the host's side.
 *
 * Every object has a number of its kind, and every call can be recorded as a line of text
 * (host.trace).  Broken rules end the program and name the call: memory used or freed after it was
 * freed, or by the wrong function, or while work that uses it may still run; copies and kernels
 * that leave an allocation; page-locked memory that changes before a copy from it was waited for;
 * two streams on one memory with no wait between; calls that capturing does not allow; objects that
 * nobody has given back when the program ends.  Work itself is done when it is enqueued. */
#ifndef NNC_TESTS_CUDA_SHIM_HOST_H
#define NNC_TESTS_CUDA_SHIM_HOST_H 1

#include <cstdarg>
#include <deque>
#include <string>

namespace shim {

enum Kind { PINNED = 1, DEVICE, CONSTANT, STREAM, EVENT, GRAPH, EXECUTABLE, KINDS };
inline const char *const kind_names[] = {
    "", "page-locked memory", "memory", "constant", "stream", "event", "graph", "executable"};

struct Range {
    uintptr_t begin, end;
    bool written;
    std::vector<char> bytes; /* of page-locked memory that is copied from */
};

/* Work that the host has not waited for. */
struct Operation {
    uint64_t number;
    std::vector<Range> ranges;
};

struct Graph {
    std::vector<std::shared_ptr<Launch>> launches;
};
struct Stream {
    Graph *capture = nullptr;
    uint64_t operations = 0;
    std::vector<Operation> pending;
};
struct Event {
    Stream *stream = nullptr;
    uint64_t after = 0; /* operations */
};

struct Object {
    Kind kind;
    int number;
};

struct Host {
    std::map<const void *, Object> objects; /* but memory */
    std::map<const void *, size_t> freed;   /* memory that is kept for a while, and its bytes */
    std::deque<const void *> freed_order;
    size_t freed_bytes = 0;
    int numbers[KINDS] = {0}, captures = 0;
    Stream standard; /* NULL */
    bool records = false;
    std::vector<std::string> trace;
    ~Host();
};
inline Host host;

[[noreturn]] inline void broken(const char *call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "shim: %s: ", call);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    abort();
}

inline Host::~Host() {
    for (const auto &o : objects)
        broken("at the end", "%s %d was not given back", kind_names[o.second.kind],
               o.second.number);
    for (const auto &m : machine.memory)
        if (m.second.kind != CONSTANT)
            broken("at the end", "%s %d of %zu bytes was not given back", kind_names[m.second.kind],
                   m.second.number, m.second.bytes);
    for (const void *p : freed_order) free((void *)p);
}

/* ---- names ---- */

inline void record(const char *format, ...) {
    char line[256];
    if (!host.records) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    host.trace.push_back(line);
}

inline const std::pair<const void *const, Allocation> *find_memory(const void *p) {
    auto next = machine.memory.upper_bound(p);
    if (next == machine.memory.begin()) return nullptr;
    --next;
    const size_t at = (size_t)((const char *)p - (const char *)next->first);
    return at < next->second.bytes || p == next->first ? &*next : nullptr;
}

inline std::string name_of(const void *p) {
    const auto *m = find_memory(p);
    auto o = host.objects.find(p);
    if (m) return kind_names[m->second.kind] + std::string(" ") + std::to_string(m->second.number);
    if (o == host.objects.end()) return p ? "host" : "no stream";
    return kind_names[o->second.kind] + std::string(" ") + std::to_string(o->second.number);
}

/* ---- objects ---- */

template <class T> T *create(Kind kind, T *object) {
    host.objects[object] = {kind, ++host.numbers[kind]};
    return object;
}
inline void need(const char *call, Kind kind, const void *object) {
    auto found = host.objects.find(object);
    if (found == host.objects.end() || found->second.kind != kind)
        broken(call, "this is no %s", kind_names[kind]);
}
template <class T> void destroy(const char *call, Kind kind, T *object) {
    need(call, kind, object);
    record("%s %s", call, name_of(object).c_str());
    host.objects.erase(object);
    delete object;
}
inline Stream *need_stream(const char *call, Stream *stream) {
    if (stream) need(call, STREAM, stream);
    return stream ? stream : &host.standard;
}
inline void outside_capture(const char *call) {
    if (host.captures) broken(call, "not while a stream is captured");
}

/* ---- memory ---- */

inline void *take_memory(size_t bytes, int kind) {
    void *p = aligned_alloc(256, (bytes + 255) / 256 * 256 + (bytes ? 0 : 256));
    if (!p) return nullptr;
    memset(p, 0xff, bytes);
    machine.memory[p] = {kind, bytes, ++host.numbers[kind]};
    return p;
}

/* The memory that bytes from p on lie in; NULL: it is the host's own. */
inline const Allocation *need_memory(const char *call, const void *p, size_t bytes) {
    const auto *m = find_memory(p);
    auto next = host.freed.upper_bound(p);
    if (!m && next != host.freed.begin() &&
        (size_t)((const char *)p - (const char *)(--next)->first) < next->second)
        broken(call, "this memory was freed");
    if (m && (size_t)((const char *)p - (const char *)m->first) + bytes > m->second.bytes)
        broken(call, "%zu bytes leave %s of %zu", bytes, name_of(p).c_str(), m->second.bytes);
    return m ? &m->second : nullptr;
}

template <class What> void each_stream(What what) {
    what(&host.standard);
    for (const auto &o : host.objects)
        if (o.second.kind == STREAM) what((Stream *)o.first);
}

inline bool meet(const Range &a, const Range &b) {
    return a.begin < b.end && b.begin < a.end;
}

inline void give_memory(const char *call, void *p, int kind) {
    enum { KEPT = 64 << 20 };
    if (!p) return;
    auto found = machine.memory.find(p);
    if (host.freed.count(p)) broken(call, "this memory was freed");
    if (found == machine.memory.end() || found->second.kind != kind)
        broken(call, "this is no %s", kind_names[kind]);
    record("%s %s", call, name_of(p).c_str());
    const size_t bytes = found->second.bytes;
    const Range whole = {(uintptr_t)p, (uintptr_t)p + bytes, true, {}};
    each_stream([&](Stream *s) {
        for (const Operation &o : s->pending)
            for (const Range &r : o.ranges)
                if (meet(r, whole)) broken(call, "work that uses it may still run");
    });
    machine.memory.erase(found);
    host.freed[p] = bytes;
    host.freed_order.push_back(p);
    host.freed_bytes += bytes;
    while (host.freed_bytes > KEPT) {
        void *oldest = (void *)host.freed_order.front();
        host.freed_bytes -= host.freed[oldest];
        host.freed.erase(oldest);
        host.freed_order.pop_front();
        free(oldest);
    }
}

/* ---- work ---- */

inline Range range_of(const void *p, size_t bytes, bool written) {
    return {(uintptr_t)p, (uintptr_t)p + bytes, written, {}};
}

inline void enqueue(const char *call, Stream *stream, std::vector<Range> ranges) {
    each_stream([&](Stream *other) {
        if (other == stream) return;
        for (const Operation &o : other->pending)
            for (const Range &theirs : o.ranges)
                for (const Range &ours : ranges)
                    if ((theirs.written || ours.written) && meet(theirs, ours))
                        broken(call, "another stream may still use this memory");
    });
    for (Range &r : ranges) {
        const auto *m = find_memory((const void *)r.begin);
        if (m && m->second.kind == PINNED && !r.written)
            r.bytes.assign((const char *)r.begin, (const char *)r.end);
    }
    stream->pending.push_back({++stream->operations, std::move(ranges)});
}

/* The host has waited for the first `number` operations. */
inline void complete(const char *call, Stream *stream, uint64_t number) {
    std::vector<Operation> left;
    for (Operation &o : stream->pending) {
        if (o.number > number) {
            left.push_back(std::move(o));
            continue;
        }
        for (const Range &r : o.ranges)
            if (!r.bytes.empty() && memcmp(r.bytes.data(), (const void *)r.begin, r.bytes.size()))
                broken(call, "memory changed before a copy from it was waited for");
    }
    stream->pending = std::move(left);
}

inline void check_buffers(const char *call, const Launch &launch) {
    for (const LibraryRange &r : launch.ranges) {
        const Allocation *m = need_memory(call, r.at, r.bytes);
        if (!m || m->kind == PINNED)
            broken(call, "a matrix of %zu bytes is no memory of the device", r.bytes);
    }
    for (const Exact &b : launch.buffers) {
        if (!b.bytes) continue;
        const Allocation *m = need_memory(call, b.real, b.bytes);
        if (!m || m->kind == PINNED)
            broken(call, "a buffer of %zu bytes is no memory of the device", b.bytes);
    }
}

inline void launch_now(const char *call, Stream *stream, Launch &launch) {
    std::vector<Range> ranges;
    if (launch.whole)
        launch.whole();
    else
        run_launch(launch);
    for (const LibraryRange &r : launch.ranges)
        ranges.push_back(range_of(r.at, r.bytes, r.written));
    for (const Exact &b : launch.buffers)
        if (b.bytes)
            ranges.push_back(
                range_of(b.real, b.bytes, memcmp(b.copy.get(), b.before.get(), b.bytes)));
    enqueue(call, stream, std::move(ranges));
}

inline void check_launch(const char *call, dim3 grid, dim3 block, size_t argument_bytes) {
    enum { ARGUMENTS = 4096, THREADS = 1024, GRID = 2147483647 };
    if (!grid.x || grid.x > GRID || grid.y != 1 || grid.z != 1)
        broken(call, "a grid of %u x %u x %u blocks", grid.x, grid.y, grid.z);
    if (!block.x || block.x > THREADS || block.x % LANES || block.y != 1 || block.z != 1)
        broken(call, "a block of %u x %u x %u threads", block.x, block.y, block.z);
    if (argument_bytes > ARGUMENTS) broken(call, "%zu bytes of arguments", argument_bytes);
}

} // namespace shim

#endif
