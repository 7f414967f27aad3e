/* Arenas: bump allocation in chunks that grow, over one hookable allocator.
 *
 * Invariants: all live arenas are in one list, so that the failure handler can free everything;
 * chunk memory is zeroed when it is made and handed out once; blocks larger than a chunk get their
 * own, and under a hook every block does, so that tests see each allocation. */
#include "base/memory.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1024 * 1024 };

typedef struct Chunk {
    struct Chunk *next;
    size_t used, capacity;
    alignas(ALIGNMENT) unsigned char data[];
} Chunk;

struct Arena {
    Chunk *chunks; /* the first one is filled */
    size_t next_chunk, bytes;
    Arena *previous, *next;
};

static Arena *live_arenas;
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

void arena_free(Arena *arena) {
    if (!arena) return;
    for (Chunk *c = arena->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    if (arena->previous)
        arena->previous->next = arena->next;
    else
        live_arenas = arena->next;
    if (arena->next) arena->next->previous = arena->previous;
    free(arena);
}

void arena_free_all(void) {
    while (live_arenas) arena_free(live_arenas);
}

void *arena_alloc(Arena *arena, size_t bytes) {
    size_t need;
    if (__builtin_add_overflow(bytes ? bytes : 1, (size_t)ALIGNMENT - 1, &need)) memory_fail(bytes);
    need &= ~(size_t)(ALIGNMENT - 1);
    Chunk *chunk = arena->chunks;
    if (!chunk || chunk->capacity - chunk->used < need) {
        bool own = hook || need > arena->next_chunk / 2;
        size_t capacity = own ? need : arena->next_chunk, total;
        if (__builtin_add_overflow(capacity, sizeof(Chunk), &total)) memory_fail(bytes);
        Chunk *fresh = memory_get(total);
        fresh->capacity = capacity;
        if (own && chunk) { /* keep filling the current chunk */
            fresh->next = chunk->next;
            chunk->next = fresh;
        } else {
            fresh->next = chunk;
            arena->chunks = fresh;
        }
        if (!own && arena->next_chunk < LARGEST_CHUNK) arena->next_chunk *= 2;
        chunk = fresh;
    }
    void *p = chunk->data + chunk->used;
    chunk->used += need;
    arena->bytes += bytes;
    return p;
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
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = arena_alloc(arena, (size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0) vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

size_t arena_bytes(const Arena *arena) {
    return arena->bytes;
}
