// What the two halves of the example share.
#ifndef INFER_H
#define INFER_H

enum { BATCH = 5, PIXELS = 32 * 32, CLASSES = 10, SEED = 42 };

// The logits of a batch by a GPU; false, after a line that says why, when there is none.
bool infer_on_gpu(const float *images, float *logits);

#endif
