/* What was fused and what was not, as lines in the manner of diagnostics.
 *
 * Input: the decisions of fuse.c.  Output: Remarks, and their text: "net.nn:14: remark: not fused:
 * exp (line 12) and sum (line 14): why [entry]".  Made only when KernelOptions asks. */
#include "kernel/internal.h"

#include <string.h>

enum { OPERATORS_MAX = 24 };

static const char *operator_name(const Node *n) {
    if (n->op == OP_PREFIX)
        return n->attr.prefix.kind == REDUCE_SUM    ? "cumsum"
               : n->attr.prefix.kind == REDUCE_PROD ? "cumprod"
                                                    : "prefix";
    return n->op == OP_REDUCE ? reduce_name(n->attr.reduce.kind) : op_info(n->op)->name;
}

static bool has_line(const Node *n) {
    return n->span.file && !n->span.file->is_prelude;
}

/* "contract of net.fc1 (line 17)". */
static void describe(Text *out, const Node *n, const SourceFile *file) {
    text_append(out, operator_name(n));
    if (n->path && *n->path) text_printf(out, " of %s", n->path);
    if (!has_line(n)) return;
    text_append(out, " (");
    if (file && file != n->span.file) text_printf(out, "%s ", n->span.file->path);
    text_printf(out, "line %d)", span_line(n->span));
}

void remark_apart(Lowering *l, const Node *first, const Node *second, const char *why) {
    if (!l->program->options.remarks) return;
    const NodeState *s = lowering_state(l, first);
    Text t = text_new(l->arena);
    describe(&t, first, second->span.file);
    text_append(&t, " and ");
    describe(&t, second, second->span.file);
    text_printf(&t, ": %s", why);
    /* Of a product it is said already. */
    if (s->kept && second->op != OP_CONTRACT)
        text_printf(&t, "; %s is in memory since %s", operator_name(first), s->kept);
    lowering_remark(l, REMARK_NOT_FUSED, second, "%s", t.data);
}

/* ---- operators of a kernel ---- */

typedef struct Operators {
    Lowering *l;
    const Group *group;
    const Node *found[OPERATORS_MAX];
    int count;
    bool more;
    int stamp;
} Operators;

static void collect(Operators *o, Node *n) {
    const NodeState *s = lowering_state(o->l, n);
    if (o->l->seen[n->id] == o->stamp || (s->stored && s->group != o->group)) return;
    o->l->seen[n->id] = o->stamp;
    for (int i = 0; i < n->input_count && n->op != OP_SCAN; i++) collect(o, n->inputs[i]);
    if (n->input_count == 0 || n->op == OP_IDENTITY || op_is_view(n->op)) return;
    if (o->count < OPERATORS_MAX)
        o->found[o->count++] = n;
    else
        o->more = true;
}

void remark_together(Lowering *l, const Group *group, const Step *step) {
    if (!l->program->options.remarks || step->kind != STEP_CALL) return;
    Operators o = {.l = l, .group = group, .stamp = ++l->stamp};
    for (int i = 0; i < group->members.count; i++) collect(&o, group->members.data[i]);
    if (o.count < 2) return;
    Text t = text_new(l->arena);
    const Node *last = group->members.data[group->members.count - 1];
    for (int i = 0; i < o.count; i++) {
        if (i) text_append(&t, ", ");
        /* The place once for a run of operators that share it. */
        const Node *n = o.found[i], *next = i + 1 < o.count ? o.found[i + 1] : NULL;
        if (next && n->path == next->path && n->span.file == next->span.file &&
            span_line(n->span) == span_line(next->span))
            text_append(&t, operator_name(n));
        else
            describe(&t, n, last->span.file);
    }
    text_printf(&t, "%s are kernel %s", o.more ? ", ..." : "", step->kernel->name);
    lowering_remark(l, REMARK_FUSED, last, "%s", t.data);
}

/* ---- text ---- */

static void print_remark(Text *out, const KernelProgram *program, const Remark *r) {
    static const char *const words[] = {"fused: ", "not fused: ", "product: "};
    const char *file = program->program->source_path;
    bool placed = r->node && has_line(r->node);
    if (placed) file = r->node->span.file->path;
    text_append(out, file ? file : "model");
    if (placed) text_printf(out, ":%d", span_line(r->node->span));
    text_printf(out, ": remark: %s%s [%s]\n", words[r->kind], r->text, r->entry->symbol);
}

void kernel_print_remarks(Text *out, const KernelProgram *program, unsigned kinds) {
    Arena *arena = arena_new();
    VECTOR(const char *) seen = {0}; /* of the entry at hand: a line says it for all its likes */
    const Entry *entry = NULL;
    for (int i = 0; i < program->remarks.count; i++) {
        const Remark *r = &program->remarks.data[i];
        if (!(kinds >> r->kind & 1)) continue;
        if (r->entry != entry) seen.count = 0;
        entry = r->entry;
        Text line = text_new(arena);
        print_remark(&line, program, r);
        bool known = false;
        for (int k = 0; k < seen.count && !known; k++) known = !strcmp(seen.data[k], line.data);
        if (known) continue;
        vector_push(arena, &seen, line.data);
        text_append(out, line.data);
    }
    arena_free(arena);
}
