/* The reference interpreter behind the same table as compiled code: --engine=interp. */
#ifndef NNC_DRIVER_INTERPRETER_MODEL_H
#define NNC_DRIVER_INTERPRETER_MODEL_H

#include "driver/pipeline.h"
#include "nncrt.h"

/* Tables of the root (names, shapes, sizes) and the functions that execute it, in the pipeline's
 * arena.  NULL after an error. */
const nnc_model *interpreter_model(const Pipeline *pipeline, Root *root, const NncEngine **engine,
                                   NncError *error);

#endif
