/* Reuse: equal groups of a program are scheduled once.
 *
 * Input: a group whose buffers are known.  Output: a call step, where an equal group has been
 * scheduled before.  Groups are equal when their signatures are: a list of words that holds all
 * that a schedule may ask of the group (operators, types, attributes, which nodes are computed,
 * loaded or stored, and the buffers and symbols by order of appearance with their forms).  A
 * schedule is a function of that, so the kernel is the same and only its buffers and symbols
 * differ. */
#include "kernel/internal.h"

#include <string.h>

typedef struct Signature {
    Lowering *l;
    Group *group;
    VECTOR(uint64_t) words;
    VECTOR(Buffer *) buffers; /* in order of appearance */
    VECTOR(uint32_t) sites;   /* likewise */
    VECTOR(const DimSymbol *) symbols;
    int count;    /* nodes met */
    bool refused; /* something that a signature does not describe */
} Signature;

/* How the step of a known group is made for another one. */
typedef struct Recipe {
    uint64_t hash;
    const uint64_t *words;
    int word_count;
    const Step *step;
    int *places;        /* by argument: in Signature.buffers; -1: a constant of these elements */
    int *sites;         /* by site of the kernel: in Signature.sites */
    int *symbols;       /* by symbol of the kernel: in Signature.symbols */
    const char *remark; /* about the anchor, NULL if none */
    RemarkKind remark_kind;
    struct Recipe *next;
} Recipe;

/* What a product's plan was, for the next one of the same operands and stores. */
typedef struct PlanNote {
    uint64_t hash;
    const uint64_t *words;
    int word_count;
    void *plan;
    struct PlanNote *next;
} PlanNote;

struct Reuse {
    Recipe *buckets[1024];
    PlanNote *plans[256];
    Signature spare; /* whose memory the next signature takes */
};

static void put(Signature *s, uint64_t word) {
    vector_push(s->l->arena, &s->words, word);
}

static void put_pointer(Signature *s, const void *pointer) {
    put(s, (uint64_t)(uintptr_t)pointer);
}

static void put_bytes(Signature *s, const void *data, size_t bytes) {
    const unsigned char *from = data;
    for (size_t i = 0; i < bytes; i += sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, from + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        put(s, word);
    }
}

/* By number.  Where more is known of a symbol than its bounds, no other can stand for it. */
static void put_symbol(Signature *s, const DimSymbol *symbol) {
    int at = 0;
    while (at < s->symbols.count && s->symbols.data[at] != symbol) at++;
    put(s, (uint64_t)at);
    if (at < s->symbols.count) return;
    vector_push(s->l->arena, &s->symbols, symbol);
    put_pointer(s, dim_symbol_is_free(s->l->dims, symbol) ? NULL : symbol);
    put_pointer(s, symbol->name);
    put(s, (uint64_t)symbol->lower);
    put(s, (uint64_t)symbol->upper);
}

static void put_symbols(Signature *s, const Dim *d) {
    for (int i = 0; i < d->term_count; i++)
        for (int f = 0; f < d->terms[i].factor_count; f++) {
            const DimAtom *a = d->terms[i].factors[f].atom;
            if (a->kind == DIM_ATOM_SYMBOL) {
                put_symbol(s, a->symbol);
                continue;
            }
            put_symbols(s, a->left);
            put_symbols(s, a->right);
        }
}

static bool has_symbols_only(const Dim *d) {
    for (int i = 0; i < d->term_count; i++)
        for (int f = 0; f < d->terms[i].factor_count; f++)
            if (d->terms[i].factors[f].atom->kind != DIM_ATOM_SYMBOL) return false;
    return true;
}

/* A polynomial of symbols by its structure; others are equal when they are one and their symbols
 * are. */
static void put_dim(Signature *s, const Dim *d) {
    int64_t value;
    if (!d || dim_is_const(d, &value) || !has_symbols_only(d)) {
        put_pointer(s, d);
        if (d) put_symbols(s, d);
        return;
    }
    put(s, (uint64_t)d->term_count);
    for (int i = 0; i < d->term_count; i++) {
        put(s, (uint64_t)d->terms[i].coefficient);
        put(s, (uint64_t)d->terms[i].factor_count);
        for (int f = 0; f < d->terms[i].factor_count; f++) {
            put(s, (uint64_t)d->terms[i].factors[f].power);
            put_symbol(s, d->terms[i].factors[f].atom->symbol);
        }
    }
}

static void put_shape(Signature *s, const Shape *shape) {
    put(s, (uint64_t)shape->rank);
    for (int i = 0; i < shape->rank; i++) put_dim(s, shape->dims[i]);
}

static void put_buffer(Signature *s, Buffer *buffer) {
    int at = 0;
    while (at < s->buffers.count && s->buffers.data[at] != buffer) at++;
    put(s, buffer ? (uint64_t)at + 1 : 0);
    if (!buffer || at < s->buffers.count) return;
    vector_push(s->l->arena, &s->buffers, buffer);
    put(s, (uint64_t)buffer->kind << 32 | buffer->dtype);
    put_pointer(s, buffer->layout);
    put_shape(s, &buffer->shape);
}

static void put_site(Signature *s, const RandomAttr *random) {
    int at = 0;
    while (at < s->sites.count && s->sites.data[at] != random->site) at++;
    if (at == s->sites.count) vector_push(s->l->arena, &s->sites, random->site);
    put(s, (uint64_t)at << 1 | random->at_init);
}

static void put_attributes(Signature *s, const Node *n) {
    int rank = n->type.shape.rank;
    switch ((int)n->op) {
    case OP_CONST:
        /* Literal data becomes a buffer when it is first read. */
        if (n->attr.constant.data) s->refused = true;
        put_bytes(s, &n->attr.constant.value, sizeof n->attr.constant.value);
        put(s, (uint64_t)n->attr.constant.integer);
        return;
    case OP_IOTA:
    case OP_CONCAT: put(s, (uint64_t)n->attr.axis); return;
    case OP_DIM: put_dim(s, n->attr.dim); return;
    case OP_RANDOM: put_site(s, &n->attr.random); return;
    case OP_PERMUTE: put_bytes(s, n->attr.axes, (size_t)rank * sizeof *n->attr.axes); return;
    case OP_EXPAND:
        put_bytes(s, n->attr.axes, (size_t)n->inputs[0]->type.shape.rank * sizeof *n->attr.axes);
        return;
    case OP_SLICE:
        for (int i = 0; i < rank; i++) put_dim(s, n->attr.slice->begin[i]);
        put_bytes(s, n->attr.slice->step, (size_t)rank * sizeof *n->attr.slice->step);
        return;
    case OP_PAD:
        for (int i = 0; i < rank; i++) put_dim(s, n->attr.pad->low[i]);
        for (int i = 0; i < rank; i++) put_dim(s, n->attr.pad->high[i]);
        return;
    case OP_UNFOLD:
    case OP_FOLD:
        put(s, (uint64_t)n->attr.window.axis);
        put(s, (uint64_t)n->attr.window.size);
        put(s, (uint64_t)n->attr.window.stride);
        put(s, (uint64_t)n->attr.window.dilation);
        put_dim(s, n->attr.window.extent);
        return;
    case OP_REDUCE:
        put(s, (uint64_t)n->attr.reduce.kind << 32 | n->attr.reduce.axes);
        put(s, node_is_window_reduce(n));
        return;
    case OP_CONTRACT:
        put_bytes(s, n->attr.contract.a, (size_t)n->inputs[0]->type.shape.rank);
        put_bytes(s, n->attr.contract.b, (size_t)n->inputs[1]->type.shape.rank);
        put_bytes(s, n->attr.contract.out, (size_t)rank);
        put(s, contract_is_loops(s->l, n));
        return;
    case OP_GATHER: put(s, (uint64_t)n->attr.batch); return;
    case OP_SCATTER_ADD:
    case OP_SCATTER_SET:
        put(s, (uint64_t)n->attr.batch);
        put(s, node_is_inline_scatter(n));
        return;
    case OP_DYNAMIC_SLICE:
        put(s, (uint64_t)n->attr.dynamic.axis);
        put_dim(s, n->attr.dynamic.extent);
        return;
    case OP_IDENTITY:
    case OP_RESHAPE:
    case OP_CAST: return;
    default: s->refused = s->refused || !op_is_elementwise(n->op);
    }
}

/* Describes n and what it is computed from, once; gives its number. */
static int put_node(Signature *s, Node *n) {
    Lowering *l = s->l;
    if (l->seen[n->id] == l->stamp) return l->number[n->id];
    l->seen[n->id] = l->stamp;
    NodeState *state = lowering_state(l, n);
    bool member = state->stored && state->group == s->group;
    bool leaf =
        n->op == OP_INPUT || n->op == OP_CELL || n->op == OP_PROJ || (state->stored && !member);
    for (int i = 0; i < n->input_count && !leaf; i++) put_node(s, n->inputs[i]);
    int number = l->number[n->id] = s->count++;
    put(s, (uint64_t)n->op << 32 | (uint64_t)leaf << 16 | (uint64_t)member << 8 | n->type.dtype);
    put_shape(s, &n->type.shape);
    if (leaf) {
        if (!state->buffer) s->refused = true;
        put_buffer(s, state->buffer);
        return number;
    }
    put(s, state->users > 1);
    put_attributes(s, n);
    put(s, (uint64_t)n->input_count);
    for (int i = 0; i < n->input_count; i++) put(s, (uint64_t)l->number[n->inputs[i]->id]);
    return number;
}

static void put_group(Signature *s) {
    Lowering *l = s->l;
    Group *g = s->group;
    l->stamp++;
    put(s, (uint64_t)g->kind << 32 | g->reduced);
    put_shape(s, &g->space);
    put(s, (uint64_t)put_node(s, g->anchor));
    for (int m = 0; m < g->members.count && !s->refused; m++) {
        NodeState *state = lowering_state(l, g->members.data[m]);
        put(s, (uint64_t)put_node(s, g->members.data[m]));
        put_buffer(s, state->buffer);
        put(s, (uint64_t)state->targets.count);
        for (int i = 0; i < state->targets.count; i++) put_buffer(s, state->targets.data[i]);
    }
}

static uint64_t hash_words(const uint64_t *words, int count) {
    uint64_t hash = 1;
    for (int i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static const uint64_t *copy_words(const Signature *s) {
    return arena_copy(s->l->arena, s->words.data, (size_t)s->words.count * sizeof *s->words.data);
}

static bool same_words(const Signature *s, const uint64_t *words, int count) {
    return s->words.count == count && !memcmp(words, s->words.data, (size_t)count * sizeof *words);
}

static Recipe **bucket_of(Lowering *l, uint64_t hash) {
    struct Reuse *reuse = l->program->reuse;
    return &reuse->buckets[hash % (sizeof reuse->buckets / sizeof *reuse->buckets)];
}

static void apply(Lowering *l, const Signature *s, const Recipe *r) {
    Step *step = NEW(l->arena, Step);
    *step = *r->step;
    int count = step->kernel->parameter_count;
    step->arguments = NEW_ARRAY(l->arena, (size_t)count, Buffer *);
    for (int i = 0; i < count; i++) {
        const Buffer *model = r->step->arguments[i];
        step->arguments[i] = r->places[i] >= 0 ? s->buffers.data[r->places[i]]
                                               : lowering_constant(l, model->dtype, model->shape,
                                                                   model->data, model->name);
    }
    int site_count = step->kernel->sites.count;
    uint32_t *sites = NEW_ARRAY(l->arena, (size_t)site_count, uint32_t);
    for (int i = 0; i < site_count; i++) sites[i] = s->sites.data[r->sites[i]];
    step->sites = sites;
    int symbol_count = step->kernel->symbols.count;
    step->symbols = NEW_ARRAY(l->arena, (size_t)symbol_count, const DimSymbol *);
    for (int i = 0; i < symbol_count; i++) step->symbols[i] = s->symbols.data[r->symbols[i]];
    vector_push(l->arena, &l->steps, step);
    if (!r->remark) return;
    Remark remark = {r->remark_kind, l->entry->entry, s->group->anchor, r->remark};
    vector_push(l->arena, &l->program->remarks, remark);
}

/* What the schedule has done, if it is one call of buffers that the signature names, or of
 * constants. */
static void learn(Lowering *l, const Signature *s, uint64_t hash, int steps, int remarks) {
    if (l->steps.count != steps + 1 || l->program->remarks.count > remarks + 1) return;
    const Step *step = l->steps.data[steps];
    int count = step->kernel->parameter_count;
    Recipe *r = NEW(l->arena, Recipe);
    *r = (Recipe){.hash = hash,
                  .words = copy_words(s),
                  .word_count = s->words.count,
                  .step = step,
                  .places = NEW_ARRAY(l->arena, (size_t)count, int),
                  .sites = NEW_ARRAY(l->arena, (size_t)step->kernel->sites.count, int),
                  .symbols = NEW_ARRAY(l->arena, (size_t)step->kernel->symbols.count, int)};
    for (int i = 0; i < count; i++) {
        r->places[i] = -1;
        for (int k = 0; k < s->buffers.count; k++)
            if (s->buffers.data[k] == step->arguments[i]) r->places[i] = k;
        if (r->places[i] < 0 && step->arguments[i]->kind != BUFFER_CONSTANT) return;
    }
    for (int i = 0; i < step->kernel->sites.count; i++)
        while (s->sites.data[r->sites[i]] != step->sites[i]) r->sites[i]++;
    for (int i = 0; i < step->kernel->symbols.count; i++) {
        int *at = &r->symbols[i];
        while (*at < s->symbols.count && s->symbols.data[*at] != step->symbols[i]) ++*at;
        if (*at == s->symbols.count) return;
    }
    if (l->program->remarks.count > remarks) {
        const Remark *remark = &l->program->remarks.data[remarks];
        if (remark->node != s->group->anchor) return;
        r->remark = remark->text;
        r->remark_kind = remark->kind;
    }
    Recipe **bucket = bucket_of(l, hash);
    r->next = *bucket;
    *bucket = r;
}

/* Applies what is known of an equal group, or schedules this one. */
static void find_or_schedule(Lowering *l, const Signature *s,
                             void (*schedule)(Lowering *l, Group *group)) {
    uint64_t hash = hash_words(s->words.data, s->words.count);
    for (const Recipe *r = *bucket_of(l, hash); r; r = r->next) {
        if (r->hash != hash || !same_words(s, r->words, r->word_count)) continue;
        apply(l, s, r);
        return;
    }
    int steps = l->steps.count, remarks = l->program->remarks.count;
    schedule(l, s->group);
    learn(l, s, hash, steps, remarks);
}

/* An empty signature, in memory that the one before has left. */
static Signature signature_begin(Lowering *l, Group *group) {
    if (!l->program->reuse) l->program->reuse = NEW(l->arena, struct Reuse);
    struct Reuse *reuse = l->program->reuse;
    Signature s = reuse->spare;
    reuse->spare = (Signature){0};
    s.l = l;
    s.group = group;
    s.words.count = s.buffers.count = s.sites.count = s.symbols.count = s.count = 0;
    s.refused = false;
    return s;
}

void **reuse_plan(Lowering *l, Group *group) {
    Signature s = signature_begin(l, group);
    l->stamp++;
    put_node(&s, group->anchor);
    const Windows *w = &group->windows;
    put(&s, (uint64_t)w->shape.rank);
    for (int i = 0; i < w->shape.rank; i++) {
        put_dim(&s, w->shape.dims[i]);
        put(&s, (uint64_t)w->stride[i]);
    }
    for (int m = 0; m < group->members.count; m++) {
        NodeState *state = lowering_state(l, group->members.data[m]);
        put_buffer(&s, state->buffer);
        put(&s, (uint64_t)state->targets.count);
        for (int i = 0; i < state->targets.count; i++) put_buffer(&s, state->targets.data[i]);
    }
    PlanNote *note = NULL;
    if (!s.refused) {
        struct Reuse *reuse = l->program->reuse;
        uint64_t hash = hash_words(s.words.data, s.words.count);
        PlanNote **bucket = &reuse->plans[hash % (sizeof reuse->plans / sizeof *reuse->plans)];
        for (note = *bucket; note; note = note->next)
            if (note->hash == hash && same_words(&s, note->words, note->word_count)) break;
        if (!note) {
            note = NEW(l->arena, PlanNote);
            *note = (PlanNote){hash, copy_words(&s), s.words.count, NULL, *bucket};
            *bucket = note;
        }
    }
    l->program->reuse->spare = s;
    return note ? &note->plan : NULL;
}

void reuse_or_schedule(Lowering *l, Group *group, void (*schedule)(Lowering *l, Group *group)) {
    Signature s = signature_begin(l, group);
    put_group(&s);
    if (s.refused)
        schedule(l, group);
    else
        find_or_schedule(l, &s, schedule);
    l->program->reuse->spare = s;
}
