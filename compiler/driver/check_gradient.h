/* nnc check --grad: derivatives against central differences. */
#ifndef NNC_DRIVER_CHECK_GRADIENT_H
#define NNC_DRIVER_CHECK_GRADIENT_H

#include "driver/pipeline.h"

/* Tests every vjp that an entry calls, and the gradient of every entry; the target's name chooses
 * one entry, or one function.  `excused`: names of functions and entries that are not compared. One
 * line on stdout for each; returns 0, 1 where one is wrong, 2 where the name means nothing. */
int check_gradients(const Pipeline *pipeline, const char *const *excused);

#endif
