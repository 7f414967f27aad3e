/* The table of backends. */
#include "emit/backend.h"

#include <string.h>

const Backend backends[] = {{"c", ".c", emit_header, emit_c}, {NULL, NULL, NULL, NULL}};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}
