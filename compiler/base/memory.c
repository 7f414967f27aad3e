/* Arenas: bump allocation in chunks that grow, over one hookable allocator.
 *
 * Invariants: all live arenas are in one list, so that the failure handler can free everything;
 * memory of a chunk past `used` is zero; blocks larger than a chunk get their own, and under a hook
 * every block does, so that tests see each allocation.  Chunks are cut from slabs of large pages,
 * and those of freed arenas serve the next ones: a page that was touched is cheaper than a
 * new one. */
#include "base/memory.h"

#include "base/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The address sanitizer is to see every use of what was freed. */
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(NNC_SANITIZE)
#include <sys/mman.h>
#define HAS_SLABS 1
#else
#define HAS_SLABS 0
#endif

enum {
    FIRST_CHUNK = 16 * 1024,
    LARGEST_CHUNK = 256 * 1024,
    LONG_BLOCK = 1024 * 1024, /* is the system's when it grows */
    CHUNK_SIZES =
        13, /* regular ones: each is twice the one before; blocks of their own are larger */
    LARGEST_REGULAR = FIRST_CHUNK << (CHUNK_SIZES - 1),
    LARGE_PAGE = 2 * 1024 * 1024,
    LARGEST_SLAB = LARGEST_REGULAR,
};

static Arena *live_arenas;
static Chunk *spare_chunks[CHUNK_SIZES]; /* of slabs, by size */
static MemoryHook hook;
static MemoryFailure failure_handler;
static void *failure_user;

typedef struct Guard {
    jmp_buf place;
    struct Guard *outer;
} Guard;
static Guard *innermost;

void memory_set_hook(MemoryHook h) {
    hook = h;
}

void memory_set_failure(MemoryFailure failure, void *user) {
    failure_handler = failure;
    failure_user = user;
}

_Noreturn void memory_unwind(void) {
    if (!innermost) exit(3);
    longjmp(innermost->place, 1);
}

_Noreturn void memory_fail(size_t bytes) {
    if (failure_handler) failure_handler(bytes, failure_user);
    fprintf(stderr, "nnc: out of memory (%zu bytes were needed)\n", bytes);
    memory_unwind();
}

bool memory_guard(void (*body)(void *user), void *user) {
    Guard guard = {.outer = innermost};
    innermost = &guard;
    if (setjmp(guard.place) != 0) {
        innermost = guard.outer;
        return false;
    }
    body(user);
    innermost = guard.outer;
    return true;
}

/* calloc, so that fresh pages are not touched before they are used. */
static void *memory_get(size_t bytes) {
    void *p = hook ? hook(bytes) : calloc(1, bytes);
    if (!p) memory_fail(bytes);
    if (hook) memset(p, 0, bytes);
    return p;
}

Arena *arena_new(void) {
    Arena *arena = memory_get(sizeof *arena);
    arena->next_chunk = FIRST_CHUNK;
    arena->next = live_arenas;
    if (live_arenas) live_arenas->previous = arena;
    live_arenas = arena;
    return arena;
}

/* ---- slabs ---- */

/* The list of spare chunks of a regular size, header included. */
static Chunk **spares_of(size_t size) {
    Chunk **list = spare_chunks;
    for (size_t s = FIRST_CHUNK; s < size; s *= 2) list++;
    return list;
}

static void release_chunks(Chunk *list) {
    for (Chunk *c = list, *next; c; c = next) {
        next = c->next;
        if (!c->in_slab) {
            free(c);
            continue;
        }
        Chunk **spares = spares_of(c->capacity + sizeof *c);
        c->next = *spares;
        *spares = c;
    }
}

#if HAS_SLABS
typedef struct Slab {
    struct Slab *next;
    unsigned char *data;
    size_t used, bytes;
} Slab;
static Slab *slabs; /* the first one is cut */

/* Zeroed and aligned to large pages, which the system is asked for; NULL: there is no memory. */
static void *map_pages(size_t bytes) {
    size_t total = bytes + LARGE_PAGE;
    unsigned char *p =
        mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = (size_t)(-(uintptr_t)p & (LARGE_PAGE - 1));
    if (before) munmap(p, before);
    munmap(p + before + bytes, LARGE_PAGE - before);
    madvise(p + before, bytes, MADV_HUGEPAGE);
    return p + before;
}

static Chunk *take_from_slab(size_t size) {
    Chunk *c = (Chunk *)(void *)(slabs->data + slabs->used);
    slabs->used += size;
    *c = (Chunk){.capacity = size - sizeof *c, .in_slab = true};
    return c;
}

/* What is left of a slab that has no room for the next chunk serves smaller ones. */
static void slab_use_up(void) {
    for (size_t size = LARGEST_REGULAR; size >= FIRST_CHUNK; size /= 2)
        while (slabs->bytes - slabs->used >= size) release_chunks(take_from_slab(size));
}

static Chunk *slab_cut(size_t size) {
    if (!slabs || slabs->bytes - slabs->used < size) {
        if (slabs) slab_use_up();
        size_t bytes = slabs ? 2 * slabs->bytes : LARGE_PAGE;
        while (bytes < size) bytes *= 2;
        if (bytes > LARGEST_SLAB) bytes = LARGEST_SLAB;
        unsigned char *data = map_pages(bytes);
        /* Where memory is short, less at a time. */
        while (!data && bytes / 2 >= size && bytes > LARGE_PAGE) data = map_pages(bytes /= 2);
        if (!data) memory_fail(bytes);
        Slab *fresh = memory_get(sizeof *fresh);
        *fresh = (Slab){slabs, data, 0, bytes};
        slabs = fresh;
    }
    return take_from_slab(size);
}

static void slabs_free(void) {
    memset(spare_chunks, 0, sizeof spare_chunks);
    for (Slab *next; slabs; slabs = next) {
        next = slabs->next;
        munmap(slabs->data, slabs->bytes);
        free(slabs);
    }
}
#else
static Chunk *slab_cut(size_t size) {
    Chunk *c = memory_get(size);
    c->capacity = size - sizeof *c;
    return c;
}
static void slabs_free(void) {}
#endif

void arena_free(Arena *arena) {
    if (!arena) return;
    release_chunks(arena->chunks);
    release_chunks(arena->own);
    if (arena->previous)
        arena->previous->next = arena->next;
    else
        live_arenas = arena->next;
    if (arena->next) arena->next->previous = arena->previous;
    free(arena);
}

void arena_free_all(void) {
    while (live_arenas) arena_free(live_arenas);
    slabs_free();
}

static Chunk *chunk_make(size_t capacity) {
    size_t total;
    if (__builtin_add_overflow(capacity, sizeof(Chunk), &total)) memory_fail(capacity);
    Chunk *c = memory_get(total);
    c->capacity = capacity;
    return c;
}

/* Of a regular size, header included. */
static Chunk *chunk_take(size_t size) {
    Chunk **list = spares_of(size), *c = *list;
    if (c) {
        *list = c->next;
        memset(c->data, 0, c->used);
    } else {
        c = slab_cut(size);
    }
    return c;
}

static Chunk **last_link(Chunk **list) {
    while (*list) list = &(*list)->next;
    return list;
}

void arena_adopt(Arena *arena, Arena *child) {
    *last_link(&arena->own) = child->own;
    *last_link(&arena->chunks) = child->chunks;
    arena->bytes += child->bytes;
    child->own = child->chunks = NULL;
    arena_free(child);
}

/* For one block: of a regular size, too, unless it is very large. */
static Chunk *chunk_for(size_t need) {
    size_t size = FIRST_CHUNK;
    if (hook || !HAS_SLABS || need > LARGEST_REGULAR - sizeof(Chunk)) return chunk_make(need);
    while (size < need + sizeof(Chunk)) size *= 2;
    return chunk_take(size);
}

static bool round_up(size_t bytes, size_t *need) {
    if (__builtin_add_overflow(bytes ? bytes : 1, (size_t)ARENA_ALIGNMENT - 1, need)) return false;
    *need &= ~(size_t)(ARENA_ALIGNMENT - 1);
    return true;
}

void *arena_alloc_slowly(Arena *arena, size_t bytes) {
    size_t need;
    if (!round_up(bytes, &need)) memory_fail(bytes);
    bool own = hook || need > arena->next_chunk / 2;
    Chunk *chunk = own ? chunk_for(need) : chunk_take(arena->next_chunk);
    Chunk **list = own ? &arena->own : &arena->chunks;
    chunk->next = *list;
    chunk->used = need;
    *list = chunk;
    arena->bytes += bytes;
    if (!own && arena->next_chunk < LARGEST_CHUNK) arena->next_chunk *= 2;
    return chunk->data;
}

/* Where the list of blocks with a chunk of their own has this one; NULL: it has none. */
static Chunk **own_link(Arena *arena, const void *block, size_t size) {
    if (!hook && size <= FIRST_CHUNK / 2) return NULL; /* as arena_alloc_slowly decides */
    Chunk **link = &arena->own;
    while (*link && (*link)->data != (const unsigned char *)block) link = &(*link)->next;
    return *link ? link : NULL;
}

/* The block grows where it is, if it is the last of its chunk. */
static bool extend_in_place(Arena *arena, const unsigned char *block, size_t size, size_t bytes) {
    Chunk **own = own_link(arena, block, size), *c = own ? *own : arena->chunks;
    size_t old, need;
    if (!c || !round_up(size, &old) || !round_up(bytes, &need)) return false;
    if (c->used < old || block != c->data + (c->used - old)) return false;
    if (c->capacity - c->used < need - old) return false;
    c->used += need - old;
    arena->bytes += bytes - size;
    return true;
}

/* Long blocks that grow are the system's, which can move pages without a copy. */
void *arena_extend(Arena *arena, void *block, size_t size, size_t bytes) {
    if (extend_in_place(arena, block, size, bytes)) return block;
    Chunk **link = own_link(arena, block, size);
    size_t total;
    bool is_long =
        !hook && bytes >= LONG_BLOCK && !__builtin_add_overflow(bytes, sizeof(Chunk), &total);
    if (is_long && link && !(*link)->in_slab) {
        Chunk *c = realloc(*link, total);
        if (!c) memory_fail(bytes);
        *link = c;
        arena->bytes += bytes - c->capacity;
        c->used = c->capacity = bytes;
        return c->data;
    }
    void *fresh;
    if (is_long) {
        Chunk *c = chunk_make(bytes);
        c->used = bytes;
        c->next = arena->own;
        arena->own = c;
        arena->bytes += bytes;
        fresh = c->data;
    } else {
        fresh = arena_alloc(arena, bytes);
    }
    memcpy(fresh, block, size);
    link = own_link(arena, block, size); /* the list may have a new head */
    if (link) {
        Chunk *left = *link;
        *link = left->next;
        left->next = NULL;
        release_chunks(left);
    }
    return fresh;
}

void *arena_alloc_array(Arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (!checked_mul_size(count, size, &bytes)) memory_fail(SIZE_MAX);
    return arena_alloc(arena, bytes);
}

void *arena_copy(Arena *arena, const void *data, size_t bytes) {
    void *p = arena_alloc(arena, bytes);
    if (bytes) memcpy(p, data, bytes);
    return p;
}

char *arena_strdup(Arena *arena, const char *text) {
    return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(Arena *arena, const char *text, size_t length) {
    size_t bytes;
    if (__builtin_add_overflow(length, (size_t)1, &bytes)) memory_fail(length);
    char *p = arena_alloc(arena, bytes);
    if (length) memcpy(p, text, length);
    return p;
}

char *arena_printf(Arena *arena, const char *format, ...) {
    char local[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t n = format_bytes(local, sizeof local, format, args);
    va_end(args);
    char *p = arena_alloc(arena, n + 1);
    if (n < sizeof local)
        memcpy(p, local, n + 1);
    else
        format_bytes(p, n + 1, format, again);
    va_end(again);
    return p;
}

size_t arena_bytes(const Arena *arena) {
    return arena->bytes;
}
