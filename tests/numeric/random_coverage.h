/* What occurs in a set of random programs: operators, dtypes, ranks, empty tensors, the schedules
 * that kernels get, and the configurations.  The report fails when one of them does not occur. */
#ifndef TESTS_NUMERIC_RANDOM_COVERAGE_H
#define TESTS_NUMERIC_RANDOM_COVERAGE_H

#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "tensor/ir.h"
#include "tensor/simplify/simplify.h"

/* Found in the printed kernels and remarks of a simplified program. */
typedef struct CoverageSchedule {
    const char *name, *text;
} CoverageSchedule;
static const CoverageSchedule coverage_schedules[] = {
    {"product, columns direct", "columns direct"},
    {"product, columns packed", "columns packed scratch"},
    {"product, columns stored", "columns packed stored"},
    {"product, rows direct", "rows direct"},
    {"product, rows packed", "rows packed scratch"},
    {"product, rows by offsets", "rows by offsets"},
    {"product leaf", "mma."},
    {"sort leaf", "argsort"},
    {"vector loop", " vector"},
    {"loop of steps", "loop "},
    {"reversed loop of steps", "reverse"},
    {"guarded value", "guard("},
};
enum {
    COVERAGE_SCHEDULES = sizeof coverage_schedules / sizeof *coverage_schedules,
    COVERAGE_CONFIGS = 64
};

typedef struct RandomCoverage {
    int ops[OP_COUNT], dtypes[DTYPE_COUNT], ranks[SHAPE_MAX_RANK + 1], reduces[8], prefixes[8];
    int empty, symbolic, scans_in_scans, gradients, writes, roles[8];
    int schedules[COVERAGE_SCHEDULES];
    int config_count;
    char configs[COVERAGE_CONFIGS][48];
    int config_uses[COVERAGE_CONFIGS];
} RandomCoverage;

static inline void coverage_graph(RandomCoverage *c, const Graph *g, int depth) {
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *n = g->nodes.data[i];
        c->ops[n->op]++;
        c->dtypes[n->type.dtype]++;
        c->ranks[n->type.shape.rank]++;
        for (int k = 0; k < n->type.shape.rank; k++) {
            int64_t extent;
            if (!dim_is_const(n->type.shape.dims[k], &extent))
                c->symbolic++;
            else if (extent == 0)
                c->empty++;
        }
        if (n->op == OP_REDUCE) c->reduces[n->attr.reduce.kind]++;
        if (n->op == OP_PREFIX) c->prefixes[n->attr.prefix.kind]++;
        if (n->op == OP_SCAN) {
            c->scans_in_scans += depth > 0;
            coverage_graph(c, n->attr.scan.body, depth + 1);
        }
    }
}

static inline void coverage_add(RandomCoverage *c, const char *text) {
    Arena *arena = arena_new();
    const char *error = NULL;
    Program *p = program_read(arena, text, &error);
    const Root *root = p->roots.data[0];
    coverage_graph(c, root->entries.data[0]->graph, 0);
    c->writes += root->entries.data[0]->writes.count;
    for (int i = 0; i < root->cells.count; i++) c->roles[root->cells.data[i]->role]++;
    simplify_program(p);
    KernelProgram *k = kernel_program_build(arena, p);
    Text printed = text_new(arena);
    kernel_program_print(&printed, k);
    kernel_report_contractions(&printed, k);
    for (int i = 0; i < COVERAGE_SCHEDULES; i++)
        c->schedules[i] += strstr(printed.data, coverage_schedules[i].text) != NULL;
    arena_free(arena);
}

static inline void coverage_add_config(RandomCoverage *c, const char *text) {
    int i = 0;
    while (i < c->config_count && strcmp(c->configs[i], text)) i++;
    if (i == COVERAGE_CONFIGS) return;
    if (i == c->config_count) {
        snprintf(c->configs[i], sizeof c->configs[i], "%s", text);
        c->config_count++;
    }
    c->config_uses[i]++;
}

static inline int coverage_count(const char *what, int count, bool required) {
    printf("  %-28s %d%s\n", what, count, required && !count ? "   MISSING" : "");
    return required && !count;
}

/* Is a word of a configuration in use? */
static inline int coverage_word(const RandomCoverage *c, const char *word) {
    int uses = 0;
    for (int i = 0; i < c->config_count; i++) {
        const char *at = strstr(c->configs[i], word);
        if (at) uses += c->config_uses[i];
    }
    return uses;
}

static inline bool coverage_report(const RandomCoverage *c, bool required) {
    int missing = 0;
    char name[64];
    printf("occurrences:\n");
    for (int i = 0; i < OP_COUNT; i++)
        missing += coverage_count(op_info((Op)i)->name, c->ops[i], required);
    for (int i = 0; i < DTYPE_COUNT; i++)
        missing += coverage_count(dtype_name((DType)i), c->dtypes[i], required);
    for (int i = 0; i <= 6; i++) {
        snprintf(name, sizeof name, "rank %d", i);
        missing += coverage_count(name, c->ranks[i], required);
    }
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "reduce %s", reduce_name((ReduceKind)i));
        missing += coverage_count(name, c->reduces[i], required);
    }
    for (int i = 0; i <= REDUCE_MIN; i++) {
        snprintf(name, sizeof name, "prefix %s", reduce_name((ReduceKind)i));
        missing += coverage_count(name, c->prefixes[i], required);
    }
    missing += coverage_count("extent 0", c->empty, required);
    missing += coverage_count("symbolic extent", c->symbolic, required);
    missing += coverage_count("scan in a scan", c->scans_in_scans, required);
    missing += coverage_count("write of a cell", c->writes, required);
    for (int i = 0; i < COVERAGE_SCHEDULES; i++)
        missing += coverage_count(coverage_schedules[i].name, c->schedules[i], required);
    for (int i = 0; i < c->config_count; i++)
        printf("  %-40s %d\n", c->configs[i], c->config_uses[i]);
    return missing == 0;
}

#endif
