/* Data of an argument from what --data, --test and --input name: array files, CSV, folders of
 * images. */
#ifndef NNC_DRIVER_DATA_H
#define NNC_DRIVER_DATA_H

#include "driver/model.h"

/* FILE, FILE.csv[:COLUMNS], or FOLDER[:resize=N,crop=N] with a folder for each class.  What has no
 * dtype of its own is read as the argument's. */
bool data_read(Arena *arena, const char *spec, const nnc_tensor_info *info, NncArray *out,
               NncError *error);

/* A folder: u8 images for an argument of rank 3 or 4, ids of classes for integers of rank 1.  `fit`
 * brings the images to one size; "": all have it. */
bool image_folder_read(Arena *arena, const char *path, const char *fit, const nnc_tensor_info *info,
                       NncArray *out, NncError *error);

#endif
