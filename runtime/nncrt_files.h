/* File formats: safetensors (read and write), npy (read and write), IDX plain and gzip, CSV,
 * PNG, JPEG.
 * Readers validate before they allocate and refuse whatever the format forbids; a text form of each
 * refusal names the place.  The *_parse functions work on memory and are what tests feed. */
#ifndef NNCRT_FILES_H
#define NNCRT_FILES_H

#include "nncrt_base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct NncPair {
    char *key, *value;
} NncPair;

/* A safetensors file in memory.  Tensors are sorted by name (bytes), metadata by key. */
typedef struct NncTensorFile {
    int count;
    NncArray *tensors; /* data points into `data`, each aligned to 64 bytes; dtype -1: one that we
                          do not have */
    int metadata_count;
    NncPair *metadata;
    void *data;
} NncTensorFile;

bool nnc_safetensors_parse(const void *bytes, size_t length, NncTensorFile *out, NncError *error);
bool nnc_safetensors_read(const char *path, NncTensorFile *out, NncError *error);
void nnc_tensor_file_free(NncTensorFile *file);
const NncArray *nnc_tensor_file_find(const NncTensorFile *file, const char *name);
const char *nnc_tensor_file_metadata(const NncTensorFile *file, const char *key); /* NULL: absent */

/* Writes atomically; order and bytes depend on the contents alone.  Two entries may share data (a
 * tied tensor under each of its names).  Names must be unique. */
bool nnc_safetensors_write(const char *path, const NncArray *tensors, int count,
                           const NncPair *metadata, int metadata_count, NncError *error);

/* npy versions 1 to 3, C order, little endian; bf16 is '<V2'. */
bool nnc_npy_parse(const void *bytes, size_t length, NncArray *out, NncError *error);
bool nnc_npy_read(const char *path, NncArray *out, NncError *error);
bool nnc_npy_write(const char *path, const NncArray *array, NncError *error);

/* IDX (MNIST's format), plain or gzip. */
bool nnc_idx_parse(const void *bytes, size_t length, NncArray *out, NncError *error);

/* CSV as [rows, columns] of the dtype.  `columns`: NULL (all), names of the header, positions from
 * 0, ranges of either, with commas ("label", "0..3,7", "pixel0.."). */
bool nnc_csv_parse(const void *bytes, size_t length, char separator, const char *columns, int dtype,
                   NncArray *out, NncError *error);

/* PNG as u8 [H, W] (gray) or [3, H, W] (colour).  channels: 0 as in the file, 1 gray, 3 colour.
 * Palettes and fewer bits are expanded, 16 bits cut to 8, alpha dropped, gamma ignored. */
bool nnc_png_parse(const void *bytes, size_t length, int channels, NncArray *out, NncError *error);
bool nnc_png_write(const char *path, const NncArray *image, NncError *error);
/* The same of a JPEG, as Pillow decodes it. */
bool nnc_jpeg_parse(const void *bytes, size_t length, int channels, NncArray *out, NncError *error);
/* Gray of red, green, blue: Pillow's "L", the weights of CCIR 601 (0.299, 0.587, 0.114) in 1 /
 * 65536. */
unsigned char nnc_luma(const unsigned char *rgb);
/* Whether the bytes begin as those of a PNG or JPEG do; either of them. */
bool nnc_is_image(const void *bytes, size_t length);
bool nnc_image_parse(const void *bytes, size_t length, int channels, NncArray *out,
                     NncError *error);

/* Any of npy, IDX, PNG, JPEG, by their first bytes; a name that ends in .txt is u8[length]. */
bool nnc_array_read(const char *path, NncArray *out, NncError *error);

#ifdef __cplusplus
}
#endif
#endif
