/* The calls that -fsanitize=thread writes before every access: figures and races (watch.h).
 *
 * Invariants: addresses of a launch's copies of buffers are told apart by where the buffer really
 * lies, so two names of one buffer are one; this file itself is compiled without the sanitizer. */
#include "watch.h"

#include <algorithm>
#include <set>
#include <unistd.h>
#include <unordered_map>

namespace {

using shim::LANES;
using shim::machine;
enum { WARPS = 32, SECTOR = 32, BANKS = 32, WORD = 4, PAGE = 4096, WIDEST = 16 };
enum { READ = 1, WRITTEN = 2 };

/* A place in the text that accesses memory. */
struct Site {
    uintptr_t place = 0;
    bool write = false, shared = false;
    uint64_t accesses = 0, lanes = 0, sectors = 0, ideal_sectors = 0, passes = 0, ideal_passes = 0;
    uint64_t bytes = 0, unavoidable = 0, longest = 0, launches = 0, blocks = 0;
    uint64_t last_launch = 0, last_block = 0;
    size_t region = 0; /* of its last access */
};

struct Region {
    uintptr_t begin, end, real;
    bool shared, is_copy;
    std::vector<char> touched; /* READ, WRITTEN: each byte of a copy */
    uint64_t read = 0, written = 0;
    int site = -1;
};

/* One access of a warp, as far as its lanes have come. */
struct Group {
    uintptr_t at[LANES];
    uint32_t mask;
    uint8_t bytes;
};

/* What a warp has done at a site since its lanes last met. */
struct Turns {
    uint32_t meeting = 0;
    uint32_t count[LANES];
    std::vector<Group> groups;
};

/* Who accessed a granule of memory, and when: the epoch is the time between two barriers of one
 * block, `meetings` those of the warp that order memory. */
struct Stamp {
    uint32_t epoch, block;
    uint16_t meetings, thread;
    int32_t site;
};
struct Cell {
    Stamp written, read[2];
};
struct Page {
    size_t granule = WORD;
    std::vector<Cell> cells = std::vector<Cell>(PAGE / WORD, Cell{});
};

struct Watch : shim::Observer {
    bool running = false;
    std::vector<Site> sites;
    std::unordered_map<uintptr_t, int> site_of;
    struct {
        uintptr_t place;
        int site;
    } recent_sites[4096] = {};
    std::vector<Region> regions; /* copies of buffers and allocations, by address */
    std::vector<Region> shared;
    std::vector<Turns> turns; /* site * WARPS + warp */
    std::vector<int> active[WARPS];
    uint32_t meeting[WARPS] = {}, ordered[WARPS] = {};
    uint32_t epoch = 0, launch_epoch = 0;
    uint64_t launch = 0, block = 0;
    std::vector<uint64_t> work; /* accesses of each thread of the block */
    int last_site = -1;
    std::unordered_map<uintptr_t, Page> pages;
    struct {
        uintptr_t number;
        Page *page;
    } recent_pages[1024] = {};
    std::set<std::pair<int, int>> races_told; /* by sites */

    void begin_launch(const shim::Launch &l) override;
    void end_launch() override;
    void begin_block(unsigned) override;
    void end_block() override;
    void shared_array(const void *memory, size_t bytes) override;
    void meet(int first, int count, bool ordered) override;
    void access(const void *p, size_t bytes, bool write, void *place);

    int find_site(uintptr_t place, bool write);
    Region *find_region(Site *s, uintptr_t at);
    void add_to_group(int site, int thread, uintptr_t at, size_t bytes);
    void finish(int warp);
    void count(Site *s, const Group &g);
    Page *find_page(uintptr_t at);
    void check(const Region *r, uintptr_t at, size_t bytes, bool write, int site, int thread);
    void check_cell(Cell *c, const Region *r, uintptr_t at, bool write, const Stamp &now);
    bool races(const Stamp &before, const Stamp &now, bool is_shared) const;
    void tell(const Region *r, uintptr_t at, const Stamp &before, bool wrote, const Stamp &now,
              bool writes);
};
Watch watcher;

/* ---- launches and blocks ---- */

void Watch::begin_launch(const shim::Launch &l) {
    launch++;
    launch_epoch = ++epoch;
    regions.clear();
    for (const shim::Exact &b : l.buffers) {
        Region r = {};
        r.begin = (uintptr_t)b.copy.get();
        r.end = r.begin + b.bytes;
        r.real = (uintptr_t)b.real;
        r.is_copy = true;
        r.touched.resize(b.bytes);
        regions.push_back(std::move(r));
    }
    for (const auto &a : machine.memory) {
        Region r = {};
        r.begin = r.real = (uintptr_t)a.first;
        r.end = r.begin + a.second.bytes;
        regions.push_back(std::move(r));
    }
    std::sort(regions.begin(), regions.end(),
              [](const Region &a, const Region &b) { return a.begin < b.begin; });
}

void Watch::end_launch() {
    for (const Region &r : regions)
        if (r.site >= 0) sites[(size_t)r.site].unavoidable += r.read + r.written;
}

void Watch::begin_block(unsigned) {
    block++;
    epoch++;
    shared.clear();
    work.assign(machine.fibers.size(), 0);
    last_site = -1;
    running = true;
}

void Watch::end_block() {
    running = false;
    for (int w = 0; w < WARPS; w++) finish(w);
    if (last_site >= 0)
        for (uint64_t accesses : work)
            sites[(size_t)last_site].longest = std::max(sites[(size_t)last_site].longest, accesses);
}

void Watch::shared_array(const void *memory, size_t bytes) {
    Region r = {};
    r.begin = r.real = (uintptr_t)memory;
    r.end = r.begin + bytes;
    r.shared = true;
    shared.push_back(std::move(r));
}

void Watch::meet(int first, int count, bool orders) {
    for (int w = first / LANES; w < (first + count) / LANES; w++) {
        finish(w);
        if (orders) ordered[w]++;
    }
    if (count > LANES || count == (int)machine.fibers.size()) epoch += orders;
}

/* ---- accesses ---- */

int Watch::find_site(uintptr_t place, bool write) {
    auto &recent = recent_sites[(place >> 2) % 4096];
    if (recent.place == place) return recent.site;
    auto found = site_of.emplace(place, (int)sites.size());
    if (found.second) {
        sites.emplace_back();
        sites.back().place = place;
        sites.back().write = write;
        turns.resize(sites.size() * WARPS);
    }
    recent = {place, found.first->second};
    return found.first->second;
}

Region *Watch::find_region(Site *s, uintptr_t at) {
    if (s->region < regions.size()) {
        Region *r = &regions[s->region];
        if (at >= r->begin && at < r->end) return r;
    }
    for (Region &r : shared)
        if (at >= r.begin && at < r.end) return &r;
    auto next = std::upper_bound(regions.begin(), regions.end(), at,
                                 [](uintptr_t a, const Region &r) { return a < r.begin; });
    if (next == regions.begin() || at >= (next - 1)->end) return nullptr;
    s->region = (size_t)(next - 1 - regions.begin());
    return &regions[s->region];
}

void Watch::add_to_group(int site, int thread, uintptr_t at, size_t bytes) {
    const int warp = thread / LANES, lane = thread % LANES;
    const size_t number = (size_t)site * WARPS + (size_t)warp;
    Turns *t = &turns[number];
    if (t->meeting != meeting[warp] || t->groups.empty()) {
        t->meeting = meeting[warp];
        memset(t->count, 0, sizeof t->count);
        active[warp].push_back((int)number);
    }
    const size_t turn = t->count[lane]++;
    if (turn == t->groups.size()) {
        t->groups.emplace_back();
        t->groups.back().mask = 0;
    }
    Group *g = &t->groups[turn];
    g->at[lane] = at;
    g->mask |= 1u << lane;
    g->bytes = (uint8_t)bytes;
}

void touch(Region *r, size_t at, size_t bytes, bool write) {
    const char how = write ? WRITTEN : READ;
    for (size_t i = at; i < at + bytes && i < r->touched.size(); i++) {
        if (r->touched[i] & how) continue;
        r->touched[i] |= how;
        (write ? r->written : r->read)++;
    }
}

void Watch::access(const void *p, size_t bytes, bool write, void *place) {
    const shim::Fiber *f = machine.current;
    const uintptr_t at = (uintptr_t)p;
    if (!running || !f || at - (uintptr_t)f->stack < shim::STACK) return;
    const int number = find_site((uintptr_t)place, write);
    Site *s = &sites[(size_t)number];
    Region *r = find_region(s, at);
    if (!r) return;
    const int thread = (int)f->thread.x;
    const uintptr_t real = r->real + (at - r->begin);
    check(r, real, bytes, write, number, thread);
    if (!r->is_copy && !r->shared) return; /* flags and numbers of a call */
    s->shared = r->shared;
    if (s->last_block != block) s->last_block = block, s->blocks++;
    if (s->last_launch != launch) s->last_launch = launch, s->launches++;
    if (r->is_copy) {
        if (r->site < 0) r->site = number;
        touch(r, at - r->begin, bytes, write);
    }
    work[(size_t)thread]++;
    last_site = number;
    add_to_group(number, thread, real, bytes);
}

/* ---- what a warp's access costs ---- */

void Watch::finish(int warp) {
    for (int number : active[warp]) {
        Turns *t = &turns[(size_t)number];
        for (const Group &g : t->groups) count(&sites[(size_t)number / WARPS], g);
        t->groups.clear();
    }
    active[warp].clear();
    meeting[warp]++;
}

/* A bank gives one word in a pass, to all that want it; wide accesses are served by parts of a
 * warp, of 128 bytes at most. */
void count_passes(Site *s, const Group &g) {
    const int part = std::max(1, std::min<int>(LANES, LANES * WORD / std::max<int>(g.bytes, WORD)));
    for (int first = 0; first < LANES; first += part) {
        uintptr_t words[BANKS][LANES];
        int found[BANKS] = {0}, most = 0;
        for (int lane = first; lane < first + part; lane++) {
            if (!(g.mask >> lane & 1)) continue;
            for (uintptr_t word = g.at[lane] / WORD; word <= (g.at[lane] + g.bytes - 1) / WORD;
                 word++) {
                const size_t bank = word % BANKS;
                int i = 0;
                while (i < found[bank] && words[bank][i] != word) i++;
                if (i < found[bank]) continue;
                words[bank][found[bank]++] = word;
                most = std::max(most, found[bank]);
            }
        }
        s->passes += (uint64_t)most;
        s->ideal_passes += most > 0;
    }
}

void count_sectors(Site *s, const Group &g) {
    uintptr_t at[LANES];
    int count = 0;
    bool rising = true;
    for (int lane = 0; lane < LANES; lane++) {
        if (!(g.mask >> lane & 1)) continue;
        rising = rising && (!count || at[count - 1] <= g.at[lane]);
        at[count++] = g.at[lane];
    }
    if (!rising) std::sort(at, at + count);
    uintptr_t end = 0, next_sector = 0;
    uint64_t bytes = 0, sectors = 0;
    for (int i = 0; i < count; i++) {
        const uintptr_t last = at[i] + g.bytes;
        bytes += last > end ? last - std::max(at[i], end) : 0;
        end = std::max(end, last);
        const uintptr_t first = std::max(at[i] / SECTOR, next_sector),
                        stop = (last - 1) / SECTOR + 1;
        if (stop > first) sectors += stop - first;
        next_sector = std::max(next_sector, stop);
    }
    s->sectors += sectors;
    s->ideal_sectors += (bytes + SECTOR - 1) / SECTOR;
    s->bytes += bytes;
}

void Watch::count(Site *s, const Group &g) {
    s->accesses++;
    s->lanes += (uint64_t)__builtin_popcount(g.mask);
    if (s->shared)
        count_passes(s, g);
    else
        count_sectors(s, g);
}

/* ---- races ---- */

Page *Watch::find_page(uintptr_t at) {
    const uintptr_t number = at / PAGE;
    auto &recent = recent_pages[number % 1024];
    if (!recent.page || recent.number != number) recent = {number, &pages[number]};
    return recent.page;
}

/* A page is told of words until somebody accesses less than one. */
void split_granules(Page *p) {
    std::vector<Cell> cells(PAGE);
    for (size_t i = 0; i < PAGE; i++) cells[i] = p->cells[i / WORD];
    p->cells = std::move(cells);
    p->granule = 1;
}

bool Watch::races(const Stamp &before, const Stamp &now, bool is_shared) const {
    if (before.epoch < launch_epoch) return false;
    if (before.block != now.block) return !is_shared;
    return before.epoch == now.epoch && before.thread != now.thread &&
           (before.thread / LANES != now.thread / LANES || before.meetings == now.meetings);
}

/* Two readers are kept, of different blocks or at least warps where there are such: then a writer
 * races with one of these when it races with any reader. */
void keep_reader(Cell *c, const Stamp &now, uint32_t launch_epoch, bool is_shared) {
    auto is_old = [&](const Stamp &s) {
        return s.epoch < launch_epoch ||
               (s.epoch != now.epoch && (is_shared || s.block == now.block)) ||
               (s.block == now.block && s.thread / LANES == now.thread / LANES &&
                s.meetings != now.meetings);
    };
    auto distance = [](const Stamp &a, const Stamp &b) {
        return a.block != b.block                     ? 3
               : a.thread / LANES != b.thread / LANES ? 2
                                                      : a.thread != b.thread;
    };
    Stamp *r = c->read;
    if (is_old(r[0]) || !distance(r[0], now))
        r[0] = now;
    else if (is_old(r[1]) || distance(r[0], now) > distance(r[0], r[1]))
        r[1] = now;
}

void Watch::check_cell(Cell *c, const Region *r, uintptr_t at, bool write, const Stamp &now) {
    if (races(c->written, now, r->shared)) tell(r, at, c->written, true, now, write);
    if (!write) {
        keep_reader(c, now, launch_epoch, r->shared);
        return;
    }
    for (const Stamp &reader : c->read)
        if (races(reader, now, r->shared)) tell(r, at, reader, false, now, write);
    c->written = now;
}

void Watch::check(const Region *r, uintptr_t at, size_t bytes, bool write, int site, int thread) {
    const Stamp now = {epoch, machine.block_at.x, (uint16_t)ordered[thread / LANES],
                       (uint16_t)thread, site};
    for (uintptr_t i = at; i < at + bytes;) {
        Page *p = find_page(i);
        if (p->granule == WORD && (i % WORD || at + bytes - i < WORD)) split_granules(p);
        check_cell(&p->cells[i % PAGE / p->granule], r, i, write, now);
        i += p->granule;
    }
}

/* ---- names ---- */

struct Place {
    std::string kernel;
    int line = 0;
};

/* The kernel of each address of code, and its line there, as the debug information has it. */
std::vector<Place> find_places(const std::vector<uintptr_t> &addresses) {
    std::vector<Place> places(addresses.size());
    char self[4096] = {0}, line[8192];
    if (addresses.empty() || readlink("/proc/self/exe", self, sizeof self - 1) < 0) return places;
    const std::string list = std::string(self) + ".places",
                      command =
                          "addr2line -a -f -i -C -e '" + std::string(self) + "' @'" + list + "'";
    FILE *f = fopen(list.c_str(), "w");
    if (!f) return places;
    for (uintptr_t a : addresses) fprintf(f, "0x%llx\n", (unsigned long long)a - 1);
    fclose(f);
    FILE *answer = popen(command.c_str(), "r");
    size_t at = (size_t)-1;
    bool done = false;
    std::string function;
    while (answer && fgets(line, sizeof line, answer)) {
        if (!strncmp(line, "0x", 2)) {
            at++;
            done = false;
            continue;
        }
        const char *name = strncmp(line, "void ", 5) ? line : line + 5; /* of a template */
        function.assign(name, strcspn(name, "<(\n"));
        if (!fgets(line, sizeof line, answer) || at >= places.size() || done) continue;
        /* From the innermost function outwards: a kernel, else what is outermost. */
        const char *colon = strrchr(line, ':');
        places[at] = {function, colon ? atoi(colon + 1) : 0};
        done = !function.compare(0, 5, "nn_k_");
    }
    if (answer) pclose(answer);
    remove(list.c_str());
    /* Code that was moved belongs to the function that it was moved to: a launch of one kernel. */
    for (Place &p : places)
        for (const Place &k : places)
            if (!p.kernel.compare(0, 10, "nn_launch_") &&
                !k.kernel.compare(0, p.kernel.size() - 3, "nn_k_k" + p.kernel.substr(10) + "_"))
                p.kernel = k.kernel;
    return places;
}

void Watch::tell(const Region *r, uintptr_t at, const Stamp &before, bool wrote, const Stamp &now,
                 bool writes) {
    if (!races_told.emplace(before.site, now.site).second) return;
    const std::vector<Place> places =
        find_places({sites[(size_t)before.site].place, sites[(size_t)now.site].place});
    fprintf(stderr,
            "shim: a race in %s: byte %llu of a %s is %s at line %d by thread %u of block %u and "
            "%s at line %d by thread %u of block %u, with nothing between\n",
            places[1].kernel.c_str(), (unsigned long long)(at - r->real),
            r->shared ? "shared array" : "buffer", wrote ? "written" : "read", places[0].line,
            before.thread, before.block, writes ? "written" : "read", places[1].line, now.thread,
            now.block);
}

} // namespace

void watch::begin() {
    for (Site &s : watcher.sites) {
        const Site old = s;
        s = Site{};
        s.place = old.place;
        s.write = old.write;
    }
    machine.observer = &watcher;
}

size_t watch::races() {
    return watcher.races_told.size();
}

std::vector<watch::Figures> watch::figures() {
    std::vector<uintptr_t> addresses;
    std::vector<Figures> found;
    for (const Site &s : watcher.sites) addresses.push_back(s.place);
    const std::vector<Place> places = find_places(addresses);
    for (size_t i = 0; i < places.size(); i++) {
        const Site &s = watcher.sites[i];
        if (!s.accesses) continue;
        auto f = std::find_if(found.begin(), found.end(),
                              [&](const Figures &k) { return k.name == places[i].kernel; });
        if (f == found.end()) {
            found.emplace_back();
            f = found.end() - 1;
            f->name = places[i].kernel;
        }
        f->launches = std::max(f->launches, s.launches);
        f->blocks = std::max(f->blocks, s.blocks);
        f->accesses += s.accesses;
        f->lanes += s.lanes;
        f->sectors[s.write] += s.sectors;
        f->ideal_sectors[s.write] += s.ideal_sectors;
        f->passes += s.passes;
        f->ideal_passes += s.ideal_passes;
        f->bytes += s.bytes;
        f->unavoidable += s.unavoidable;
        f->longest = std::max(f->longest, s.longest);
    }
    return found;
}

/* ---- the sanitizer's calls ---- */

#define HERE __builtin_return_address(0)
#define ACCESS(bytes)                             \
    void __tsan_read##bytes(void *p) {            \
        watcher.access(p, bytes, false, HERE);    \
    }                                             \
    void __tsan_write##bytes(void *p) {           \
        watcher.access(p, bytes, true, HERE);     \
    }                                             \
    void __tsan_unaligned_read##bytes(void *p) {  \
        watcher.access(p, bytes, false, HERE);    \
    }                                             \
    void __tsan_unaligned_write##bytes(void *p) { \
        watcher.access(p, bytes, true, HERE);     \
    }

/* A copy of a whole object: as wide as an instruction may be, else word by word. */
static void access_range(void *p, size_t bytes, bool write, void *place) {
    const bool whole = bytes <= WIDEST && !(bytes & (bytes - 1));
    const size_t step = whole ? bytes : bytes % WORD ? 1 : (size_t)WORD;
    for (size_t at = 0; at < bytes; at += step) watcher.access((char *)p + at, step, write, place);
}

extern "C" {
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
void __tsan_read_range(void *p, size_t bytes) {
    access_range(p, bytes, false, HERE);
}
void __tsan_write_range(void *p, size_t bytes) {
    access_range(p, bytes, true, HERE);
}
void __tsan_vptr_update(void *, void *) {}
void __tsan_vptr_read(void *) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_init() {}
/* Of the C++ library only: kernels have no atomics. */
int __tsan_atomic32_fetch_add(volatile int *p, int v, int) {
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}
}
