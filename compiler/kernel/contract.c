/* Contractions. */
#include "kernel/internal.h"

#include <stdlib.h>

int contract_labels(const Node *n, int8_t *order) {
    const ContractAttr *c = &n->attr.contract;
    int count = 0;
    for (int i = 0; i < n->type.shape.rank; i++) order[count++] = c->out[i];
    for (int side = 0; side < 2; side++) {
        const int8_t *names = side ? c->b : c->a;
        for (int i = 0; i < n->inputs[side]->type.shape.rank; i++) {
            bool known = false;
            for (int k = 0; k < count; k++) known = known || order[k] == names[i];
            if (!known) order[count++] = names[i];
        }
    }
    return count;
}

const Dim *contract_extent(const Node *n, int label) {
    const ContractAttr *c = &n->attr.contract;
    for (int side = 0; side < 2; side++) {
        const int8_t *names = side ? c->b : c->a;
        for (int i = 0; i < n->inputs[side]->type.shape.rank; i++)
            if (names[i] == label) return n->inputs[side]->type.shape.dims[i];
    }
    abort();
}

bool contract_is_loops(const Node *n) {
    return true;
}

void schedule_contract(Lowering *l, Group *group) {
    schedule_loops(l, group);
}
