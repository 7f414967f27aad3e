/* Ground of the runtime: errors as text, the two test seams (I/O table, allocator), checked sizes,
 * dtypes and arrays.
 * Invariants: a function that can fail takes an NncError and returns false (or NULL) after filling
 * it; nothing here exits, prints or aborts. */
#ifndef NNCRT_BASE_H
#define NNCRT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "nnc_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Why something failed, for the user: what, where, what to do.  May hold several lines. */
typedef struct NncError {
    char text[4096];
    bool environment; /* memory or a device failed: nothing was wrong with the input */
} NncError;

#if defined(__GNUC__)
#define NNC_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define NNC_PRINTF(f, a)
#endif

/* Writes the text; always returns false, so that callers say `return nnc_fail(...)`. */
bool nnc_fail(NncError *error, const char *format, ...) NNC_PRINTF(2, 3);
/* The same for an allocation that failed. */
bool nnc_fail_memory(NncError *error, size_t bytes);
/* Puts `prefix: ` in front of the text that is there; returns false. */
bool nnc_fail_in(NncError *error, const char *prefix);
/* Adds to the text that is there (cut at the end of the buffer). */
void nnc_error_add(NncError *error, const char *format, ...) NNC_PRINTF(2, 3);

/* Every file that the runtime touches goes through this table, so that tests can fail the nth call,
 * shorten reads and writes, or record a trace.  libc's functions by default. */
typedef struct NncIo {
    int (*open)(const char *path, int flags, int mode);
    ssize_t (*read)(int fd, void *data, size_t bytes);
    ssize_t (*write)(int fd, const void *data, size_t bytes);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
} NncIo;
extern NncIo nnc_io;

/* Every allocation of the runtime.  Memory is aligned to 64 bytes. */
typedef struct NncAllocator {
    void *(*allocate)(size_t bytes); /* never called with 0; NULL on failure */
    void (*release)(void *memory);   /* NULL is fine */
} NncAllocator;
extern NncAllocator nnc_allocator;

/* At least one byte, aligned to 64; NULL and an error when there is no memory. */
void *nnc_allocate(size_t bytes, NncError *error);
void *nnc_allocate_zeroed(size_t bytes, NncError *error);
/* A larger copy of `old` (old_bytes used); `old` is released on success and kept on failure. */
void *nnc_reallocate(void *old, size_t old_bytes, size_t bytes, NncError *error);
void nnc_release(void *memory);
char *nnc_copy_text(const char *text, NncError *error);

/* Whether a name ends so, such as in ".csv"; capitals are as good. */
bool nnc_text_ends(const char *text, size_t length, const char *end);

bool nnc_multiply(size_t a, size_t b, size_t *product); /* false on overflow */
bool nnc_add(size_t a, size_t b, size_t *sum);

/* A whole file in memory.  `limit` bounds its size. */
typedef struct NncBytes {
    unsigned char *data;
    size_t length;
} NncBytes;
bool nnc_file_read(const char *path, size_t limit, NncBytes *out, NncError *error);

/* Replaces a file in one step: a temporary file in the same folder (O_EXCL), all bytes, fsync,
 * close (checked), rename, fsync of the folder.  After any failure the old file is as it was and no
 * temporary file remains.  An existing file's permission bits are kept.  The temporary file is
 * PATH.tmp-PROCESS-N, locked while it is written; one that a killed process left is removed. */
bool nnc_file_write(const char *path, const NncBytes *parts, int count, NncError *error);
/* Removes temporary files of `path` whose process is gone. */
void nnc_leftover_files_remove(const char *path);
/* Removes folders PREFIX PROCESS-... that are an hour old, with their files, when the process is
 * gone. */
void nnc_leftover_folders_remove(const char *folder, const char *prefix);

/* dtypes: the numbers of nnc_abi.h (NNC_BOOL … NNC_F64). */
enum { NNC_DTYPE_COUNT = NNC_F64 + 1 };
size_t nnc_dtype_bytes(int dtype);
const char *nnc_dtype_name(int dtype); /* "f32" */
bool nnc_dtype_is_float(int dtype);
float nnc_f16_to_f32(uint16_t bits);
uint16_t nnc_f32_to_f16(float value); /* to nearest, ties to even */
float nnc_bf16_to_f32(uint16_t bits);
uint16_t nnc_f32_to_bf16(float value);
uint16_t nnc_f64_to_f16(double value); /* one rounding */
uint16_t nnc_f64_to_bf16(double value);
/* One element as a double, and back (rounded to the dtype; integers are truncated and clamped). */
double nnc_element_get(int dtype, const void *data, size_t index);
void nnc_element_set(int dtype, void *data, size_t index, double value);
/* Float to float, each element rounded once; the same dtype is a copy.  False for other pairs. */
bool nnc_convert(int to_dtype, void *to, int from_dtype, const void *from, size_t count);

/* A dense row-major array. */
typedef struct NncArray {
    char *name; /* or NULL */
    int dtype, rank;
    int64_t dims[NNC_MAX_RANK];
    size_t bytes;
    void *data; /* owned if `owned` */
    bool owned;
} NncArray;

/* Elements and bytes of a shape, all steps checked (also when one factor is 0); negative dims
 * refused. */
bool nnc_shape_bytes(int dtype, int rank, const int64_t *dims, size_t *count, size_t *bytes,
                     NncError *error);
bool nnc_array_create(NncArray *out, int dtype, int rank, const int64_t *dims, NncError *error);
void nnc_array_free(NncArray *array); /* data and name; zeroes the struct */
/* "f32[2, 3]" into text (cut if too long); returns text. */
char *nnc_array_describe(char *text, size_t size, int dtype, int rank, const int64_t *dims);

/* A growing text or byte string; `failed` is set when memory ran out. */
typedef struct NncText {
    char *data;
    size_t length, capacity;
    bool failed;
} NncText;
void nnc_text_bytes(NncText *text, const void *data, size_t length);
void nnc_text_add(NncText *text, const char *string);
void nnc_text_format(NncText *text, const char *format, ...) NNC_PRINTF(2, 3);
void nnc_text_free(NncText *text);

#ifdef __cplusplus
}
#endif
#endif
