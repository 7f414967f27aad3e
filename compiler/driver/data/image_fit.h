/* Bringing pictures of all sizes to one, as torchvision's Resize and CenterCrop do with Pillow's
 * pictures. */
#ifndef NNC_DRIVER_IMAGE_FIT_H
#define NNC_DRIVER_IMAGE_FIT_H

#include "driver/model.h"

typedef struct ImageFit {
    int64_t shorter;       /* resize=N: of the shorter side, the other one in proportion; 0: no */
    int64_t height, width; /* resize=HxW; 0: no */
    int64_t crop_height, crop_width; /* crop=N or crop=HxW, of the middle; 0: no */
} ImageFit;

/* "resize=256,crop=224". */
bool image_fit_read(const char *text, ImageFit *out, NncError *error);
/* Whether `text` is meant as one. */
bool image_fit_begins(const char *text);
/* u8 [H, W] or [C, H, W] is replaced by its fit. */
bool image_fit(const ImageFit *fit, NncArray *image, NncError *error);

#endif
