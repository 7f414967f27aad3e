/* --check-finite: keeps the cells as they were before a step, finds what is not finite after it,
 * and takes the step back. Invariant: after trainer_undo the session is, bit for bit, what it was
 * at trainer_keep. */
#include "driver/finite.h"
#include "driver/train/train_internal.h"

#include <math.h>

bool trainer_keep(Trainer *trainer, NncError *error) {
    int count = trainer->model->table->cell_count;
    if (!trainer->kept) trainer->kept = NEW_ARRAY(trainer->arena, (size_t)count, NncArray);
    trainer->kept_step = trainer->session.context.step;
    return finite_cells(&trainer->session, trainer->kept, error);
}

const char *trainer_explain(const Trainer *trainer, const char **reason) {
    const Feed *feed = &trainer->feed;
    if (!trainer->root) return NULL;
    FiniteCall call = {
        trainer->program,  trainer->root, trainer->entry, feed->entry,
        feed->dims,        feed->in,      trainer->kept,  trainer->session.context.seed,
        trainer->kept_step};
    return finite_explain(trainer->arena, &call, reason);
}

bool trainer_undo(Trainer *trainer, NncError *error) {
    for (int c = 0; c < trainer->model->table->cell_count; ++c)
        if (!nnc_session_set(&trainer->session, c, trainer->kept[c].data, trainer->kept[c].bytes,
                             error))
            return false;
    trainer->session.context.step = trainer->kept_step;
    return true;
}

void trainer_free_kept(Trainer *trainer) {
    for (int c = 0; trainer->kept && c < trainer->model->table->cell_count; ++c)
        nnc_array_free(&trainer->kept[c]);
}

static bool is_finite(const NncArray *array) {
    size_t count = array->bytes / nnc_dtype_bytes(array->dtype);
    for (size_t i = 0; i < count; ++i)
        if (!isfinite(nnc_element_get(array->dtype, array->data, i))) return false;
    return true;
}

bool trainer_find_not_finite(const Trainer *trainer, const char **name, NncError *error) {
    const nnc_model *table = trainer->model->table;
    *name = NULL;
    for (int pass = 0; pass < 2; ++pass) /* gradients first: they spoil the rest */
        for (int c = 0; c < table->cell_count && !*name; ++c) {
            const nnc_cell_info *cell = &table->cells[c];
            NncArray array;
            bool none;
            if ((cell->role == NNC_GRADIENT) != (pass == 0) || !nnc_dtype_is_float(cell->dtype))
                continue;
            if (!nnc_session_get(&trainer->session, c, &array, &none, error)) {
                if (none) continue;
                return false;
            }
            if (!is_finite(&array)) *name = cell->name;
            nnc_array_free(&array);
        }
    return true;
}
