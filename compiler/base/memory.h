/* Memory of the compiler: arenas over one hookable allocator, and checked size arithmetic.
 *
 * Every object of a compilation lives in an arena and is never freed alone.  An allocation that
 * fails does not return: it says so on stderr and leaves the innermost memory_guard, whose caller
 * cleans up what is not in an arena (and the driver ends with exit status 3).
 * The hook is the seam of the fault-injection tests: it can make the nth allocation fail. */
#ifndef NNC_BASE_MEMORY_H
#define NNC_BASE_MEMORY_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARENA_ALIGNMENT = 16 };
typedef struct Chunk {
    struct Chunk *next;
    size_t used, capacity;
    bool in_slab; /* then it is of a regular size, and never freed alone */
    alignas(ARENA_ALIGNMENT) unsigned char data[];
} Chunk;
typedef struct Arena {
    Chunk *chunks; /* the first one is filled */
    Chunk *own;    /* of one block each, the youngest first */
    size_t next_chunk, bytes;
    struct Arena *previous, *next;
} Arena;

Arena *arena_new(void);
void arena_free(Arena *arena); /* NULL is fine */
/* All memory of `child` becomes that of `arena`; the child is gone. */
void arena_adopt(Arena *arena, Arena *child);
/* For arena_alloc: what the filled chunk has no room for. */
void *arena_alloc_slowly(Arena *arena, size_t bytes);
/* Zeroed, aligned to 16 bytes.  A size of 0 gives a unique non-NULL pointer. */
static inline void *arena_alloc(Arena *arena, size_t bytes) {
    Chunk *chunk = arena->chunks;
    size_t need = ((bytes ? bytes : 1) + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1);
    /* A size that overflows here is zero. */
    if (!chunk || chunk->capacity - chunk->used < need || !need)
        return arena_alloc_slowly(arena, bytes);
    void *block = chunk->data + chunk->used;
    chunk->used += need;
    arena->bytes += bytes;
    return block;
}
/* count * size through the checked multiply. */
void *arena_alloc_array(Arena *arena, size_t count, size_t size);
void *arena_copy(Arena *arena, const void *data, size_t bytes);
/* A larger block in the place of `block`, of `size` bytes, which is not used again; these are kept,
 * and those past them may hold anything. */
void *arena_extend(Arena *arena, void *block, size_t size, size_t bytes);
char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const Arena *arena); /* bytes handed out so far */
/* Frees every arena that is alive: for the failure handler. */
void arena_free_all(void);

#define NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define NEW_ARRAY(arena, count, Type) ((Type *)arena_alloc_array((arena), (count), sizeof(Type)))

/* The allocator under all arenas: returns NULL to fail.  NULL restores malloc. */
typedef void *(*MemoryHook)(size_t bytes);
void memory_set_hook(MemoryHook hook);
/* Runs body(user); false when memory ran out inside it.  Guards may be nested.  What body holds
 * outside of arenas must be reachable from `user`, so that the caller can give it back. */
bool memory_guard(void (*body)(void *user), void *user);
/* For memory outside of arenas: an allocation of `bytes` failed; or (unwind) a guard has cleaned up
 * and passes the failure on. */
_Noreturn void memory_fail(size_t bytes);
_Noreturn void memory_unwind(void);
/* A handler instead of message and guard; it does not return. */
typedef void (*MemoryFailure)(size_t bytes, void *user);
void memory_set_failure(MemoryFailure failure, void *user);

/* Checked arithmetic: false on overflow, *out then unspecified. */
static inline bool checked_mul(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool checked_add(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool checked_sub(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_sub_overflow(a, b, out);
}
static inline bool checked_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

#endif
