/* What the tests of the kernel layer share: a program from textual IR, its kernels, and questions
 * about them. */
#ifndef TESTS_KERNEL_TEST_H
#define TESTS_KERNEL_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "kernel/kernel.h"
#include "tensor/ir.h"

static inline KernelProgram *kernels_of(Arena *arena, const char *text) {
    names_init(arena);
    const char *error = NULL;
    Program *program = program_read(arena, text, &error);
    if (!program) fail_msg("%s", error);
    return kernel_program_build(arena, program);
}

static inline const KernelEntry *entry_of(const KernelProgram *p, int index) {
    return p->roots.data[0]->entries.data[index];
}

static inline const char *printed_kernel(Arena *arena, const Kernel *kernel) {
    Text text = text_new(arena);
    kernel_print(&text, kernel);
    return text.data;
}

static inline const char *printed(const KernelProgram *p) {
    Text t = text_new(p->arena);
    kernel_program_print(&t, p);
    return t.data;
}

static inline const char *contractions(const KernelProgram *p) {
    Text t = text_new(p->arena);
    kernel_report_contractions(&t, p);
    return t.data;
}

static inline int occurrences(const char *text, const char *what) {
    int n = 0;
    for (const char *s = text; (s = strstr(s, what)); s += strlen(what)) n++;
    return n;
}

#endif
