/* Growth of arena vectors: doubling, with checked sizes; the old storage stays readable. */
#include "base/vector.h"

#include <limits.h>
#include <string.h>

void vector_grow(Arena *arena, void **data, int *capacity, int count, size_t element_size) {
    /* The first storage is small where elements are large. */
    size_t wanted = *capacity > 0 ? (size_t)*capacity * 2 : element_size > 32 ? 2 : 8;
    if (wanted > INT_MAX)
        wanted = *capacity < INT_MAX ? INT_MAX : SIZE_MAX; /* SIZE_MAX fails below */
    void *fresh = arena_alloc_array(arena, wanted, element_size);
    if (count) memcpy(fresh, *data, (size_t)count * element_size);
    *data = fresh;
    *capacity = (int)wanted;
}
