/* The targets: a row for each, which objects, libraries, binaries and messages are made from. */
#include "driver/targets.h"

#include <string.h>

#if defined(__x86_64__)
#define PART(part, test, text, common) part, test, text, common
#define SUPPORTS(feature) "__builtin_cpu_supports(\"" feature "\")"
#else
#define PART(part, test, text, common) NULL, NULL, NULL, false
#endif

/* The best of the processors of a family stands first, the one that runs everywhere last. */
const Target targets[] = {
    {.name = "portable", .backend = "c"},
    {.name = "c99", .backend = "c", .emitted = "c99"},
    {"native", "c", NULL, "-march=native", "native", "1", "the processor it was built on", false},
    {"x86-64-v4", "c", NULL, "-march=x86-64-v4",
     PART("v4",
          SUPPORTS("avx512f") "&&" SUPPORTS("avx512bw") "&&" SUPPORTS("avx512dq") "&&" SUPPORTS(
              "avx512vl") "&&" SUPPORTS("avx512cd"),
          "x86-64 with AVX-512", true)},
    {"x86-64-v3", "c", NULL, "-march=x86-64-v3",
     PART("v3", SUPPORTS("avx2") "&&" SUPPORTS("fma") "&&" SUPPORTS("bmi2"), "x86-64 with AVX2",
          true)},
    {"x86-64-v2", "c", NULL, "-march=x86-64-v2",
     PART("v2", SUPPORTS("sse4.2") "&&" SUPPORTS("popcnt"), "x86-64 with SSE4.2", false)},
    {"x86-64", "c", NULL, "-march=x86-64", PART("v1", "1", "any x86-64", true)},
#if !defined(__x86_64__)
    {"base", "c", NULL, NULL, "base", "1", "any processor of this architecture", true},
#endif
    {.name = "cuda", .backend = "cuda"},
};
const int target_count = sizeof targets / sizeof *targets;

static const char *short_name(const Target *t) {
    const char *version = strstr(t->name, "-v");
    return version ? version + 1 : t->name;
}

const Target *target_find(const char *name) {
    for (int i = 0; i < target_count; i++)
        if (!strcmp(name, targets[i].name) || !strcmp(name, short_name(&targets[i])))
            return &targets[i];
    return NULL;
}

void target_list(Text *text) {
    for (int i = 0; i < target_count; i++) {
        if (i) text_append(text, i + 1 < target_count ? ", " : " or ");
        text_append(text, targets[i].name);
        if (short_name(&targets[i]) != targets[i].name)
            text_printf(text, " (%s)", short_name(&targets[i]));
    }
}
