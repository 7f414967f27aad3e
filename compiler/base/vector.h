/* Growable arrays in an arena.  A vector is any struct with {data, count, capacity}:
 *     VECTOR(Node *) nodes = {0};  vector_push(arena, &nodes, node);
 * Old storage stays in the arena, so pointers into `data` stay readable after growth. */
#ifndef NNC_BASE_VECTOR_H
#define NNC_BASE_VECTOR_H

#include "base/memory.h"

#define VECTOR(T)     \
    struct {          \
        T *data;      \
        int count;    \
        int capacity; \
    }

void vector_grow(Arena *arena, void **data, int *capacity, int count, size_t element_size);

#define vector_push(arena, v, value)                                              \
    do {                                                                          \
        if ((v)->count == (v)->capacity)                                          \
            vector_grow((arena), (void **)&(v)->data, &(v)->capacity, (v)->count, \
                        sizeof(*(v)->data));                                      \
        (v)->data[(v)->count++] = (value);                                        \
    } while (0)
/* Room for `wanted` elements in a vector that is still empty. */
#define vector_reserve(arena, v, wanted)                                                   \
    do {                                                                                   \
        (v)->capacity = (wanted);                                                          \
        (v)->data = arena_alloc_array((arena), (size_t)(v)->capacity, sizeof(*(v)->data)); \
    } while (0)
#define vector_last(v) ((v)->data[(v)->count - 1])
#define vector_pop(v) ((v)->data[--(v)->count])

#endif
