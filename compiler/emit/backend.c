/* The table of backends. */
#include "emit/backend.h"

#include <string.h>

const Backend backends[] = {{"c", ".c", ".h", false, emit_header, emit_c},
                            {"cuda", ".cu", "_cuda.h", true, emit_cuda_header, emit_cuda},
                            {NULL, NULL, NULL, false, NULL, NULL}};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}
