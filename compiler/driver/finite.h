/* Which value of a call is the first that is not finite: --check-finite of run and train. */
#ifndef NNC_DRIVER_FINITE_H
#define NNC_DRIVER_FINITE_H

#include "driver/model.h"

/* One call as it was before it was made. */
typedef struct FiniteCall {
    const Program *program;
    const Root *root;
    const Entry *entry;
    const nnc_entry_info *info;
    const int64_t *dims;
    const void *const *in;
    const NncArray *cells; /* by index; without data: a gradient that is None */
    uint64_t seed, step;
} FiniteCall;

/* The interpreter makes the call again, node by node, and nothing of it is kept.  The description
 * of the value (arena), or NULL where all are finite, or where the interpreter could not make the
 * call: *error says why (else it is NULL).  Infinities that stand in the model, and what is made of
 * nothing else, do not count. */
const char *finite_explain(Arena *arena, const FiniteCall *call, const char **error);
/* All cells of a session, as FiniteCall wants them; the caller frees each. */
bool finite_cells(const NncSession *session, NncArray *cells, NncError *error);

#endif
