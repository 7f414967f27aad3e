/* Which steps need which: how far before a call the nearest one lies that it must wait for.
 *
 * Input: the steps of an entry and the places of its temporaries.  Output: EntryPlan.after.
 * Two calls are independent when every byte that one writes is certainly apart from all bytes of
 * the other.  Only a few calls back are looked at, and never across the begin or end of a loop:
 * what lies further back counts as needed. */
#include "plan/internal.h"

enum { LOOK_BACK = 4 };

typedef struct Order {
    Arena *arena;
    DimTable *dims;
    EntryPlan *plan;
    const Dim **ends; /* [buffers]: of temporaries, NULL until asked for */
    bool *rotated;    /* [buffers]: its memory changes places with another's */
} Order;

static void mark_rotations(Order *o, Step *const *steps, int count) {
    for (int i = 0; i < count; i++) {
        const Step *s = steps[i];
        for (int k = 0; k < s->rotations.count; k++) {
            o->rotated[s->rotations.data[k].current->id] = true;
            o->rotated[s->rotations.data[k].next->id] = true;
        }
        mark_rotations(o, s->body.data, s->body.count);
    }
}

static const Buffer *whole(const Buffer *b) {
    while (b->kind == BUFFER_ELEMENT) b = b->parent;
    return b;
}

static const Dim *end_of(Order *o, const Buffer *b) {
    const Place *p = &o->plan->places[b->id];
    if (!o->ends[b->id]) o->ends[b->id] = plan_need(dim_add(o->dims, p->offset, p->bytes));
    return o->ends[b->id];
}

/* Arguments are read only; results are the caller's and apart from each other. */
static bool may_overlap(Order *o, const Buffer *a, const Buffer *b) {
    if (a == b) return true;
    if (a->kind != b->kind) return false;
    if (a->kind == BUFFER_CELL) return a->cell == b->cell;
    if (a->kind != BUFFER_TEMPORARY) return false;
    if (o->rotated[a->id] || o->rotated[b->id]) return true;
    const Place *p = &o->plan->places[a->id], *q = &o->plan->places[b->id];
    return dim_less_equal(o->dims, end_of(o, a), q->offset) != DIM_YES &&
           dim_less_equal(o->dims, end_of(o, b), p->offset) != DIM_YES;
}

static bool needs(Order *o, const Step *later, const Step *earlier) {
    for (int i = 0; i < later->kernel->parameter_count; i++)
        for (int k = 0; k < earlier->kernel->parameter_count; k++) {
            int access = later->kernel->slots.data[i].access;
            access |= earlier->kernel->slots.data[k].access;
            if (access & ACCESS_WRITE &&
                may_overlap(o, whole(later->arguments[i]), whole(earlier->arguments[k])))
                return true;
        }
    return false;
}

static void order_steps(Order *o, Step *const *steps, int count) {
    int calls = 0; /* since the list began or a loop ended */
    for (int i = 0; i < count; i++) {
        if (steps[i]->kind == STEP_LOOP) {
            order_steps(o, steps[i]->body.data, steps[i]->body.count);
            calls = 0;
            continue;
        }
        int after = 1;
        while (after <= calls && after <= LOOK_BACK && !needs(o, steps[i], steps[i - after]))
            after++;
        vector_push(o->arena, &o->plan->after, after);
        calls++;
    }
}

void plan_order(Arena *arena, DimTable *dims, EntryPlan *plan) {
    const KernelEntry *entry = plan->entry;
    size_t buffers = (size_t)entry->buffers.count;
    Order o = {arena, dims, plan, NEW_ARRAY(arena, buffers, const Dim *),
               NEW_ARRAY(arena, buffers, bool)};
    mark_rotations(&o, entry->check_steps.data, entry->check_steps.count);
    mark_rotations(&o, entry->steps.data, entry->steps.count);
    order_steps(&o, entry->check_steps.data, entry->check_steps.count);
    order_steps(&o, entry->steps.data, entry->steps.count);
}
