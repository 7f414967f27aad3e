/* What the files that write entries share, for every backend: names, dims as text, checks.
 *
 * Input: EntryPlan.  Output: C text.  Invariant: an entry checks all that it can before it touches
 * a cell. */
#ifndef NNC_EMIT_COMMON_ENTRY_WRITER_H
#define NNC_EMIT_COMMON_ENTRY_WRITER_H

#include "emit/common/source_writer.h"

typedef struct EntryWriter {
    SourceWriter *w;
    const RootPlan *root;
    const EntryPlan *plan;
    const Entry *entry;
    EntryNames *names;
    const char **state_names; /* parameters of init, NULL elsewhere */
    const char **local;       /* by buffer id: rotated and element buffers */
    int depth;                /* open loops */
    const char *member;       /* the running thread's nn_member, as text */
    int calls;                /* number of the next call: check_steps, then steps */
    const char *scan;         /* text of the scan index */
    int number;               /* of the entry, in its root */
    int checked;              /* checks that ran before the next step */
    void *backend;            /* what it keeps while it writes the entry */
    void (*write_call)(struct EntryWriter *e, const Step *s, int indent);
} EntryWriter;

/* Of one entry; an init has state_names from the start. */
EntryWriter entry_writer(SourceWriter *w, const RootPlan *root, const EntryPlan *plan);
/* A plan of an init with nothing to do, for a root that has none. */
const EntryPlan *entry_plain_init(SourceWriter *w);
/* The dims that the state was made for, as parameters. */
const char **entry_state_parameters(SourceWriter *w, const RootPlan *root);
/* An entry of kind RESET has no dims of its own from here on. */
void entry_without_dims(EntryWriter *e);

/* SymbolText: the entry's own dims, else those that the state was made for. */
const char *entry_symbol(void *user, const DimSymbol *symbol);
const char *entry_dim(EntryWriter *e, const Dim *d, bool saturating);
const char *entry_format(EntryWriter *e, const char *text, ...)
    __attribute__((format(printf, 2, 3)));
/* if (condition) return nn_fail(ctx, code, message) */
void entry_fail(EntryWriter *e, const char *condition, const char *code, const char *message);
void entry_check_region(EntryWriter *e, const char *region, const char *bytes);
void entry_check_signs(EntryWriter *e, const char *const *names, int count);
/* Dims, pointers, and the dims that the state was made for. */
void entry_check_arguments(EntryWriter *e);
/* Locals for the dims that the state was made for. */
void entry_state_dims(EntryWriter *e);
/* The number of tiles of a kernel, in the entry's dims. */
const char *entry_tiles(EntryWriter *e, const Kernel *k);
/* For the reader: a comment that says what lies behind each pointer of a call. */
void entry_titles(EntryWriter *e, const Step *s, int indent);
const char *entry_bytes(EntryWriter *e, const Buffer *b);
/* The memory behind a buffer, as a pointer; e->local has the first word. */
const char *entry_buffer(EntryWriter *e, const Buffer *b);
/* Calls and loops, through write_call. */
void entry_steps(EntryWriter *e, Step *const *steps, int count, int indent);
int entry_call_count(Step *const *steps, int count);
/* A value as the bytes of a dtype, in C. */
const char *entry_number(EntryWriter *e, DType dtype, double value);

#endif
