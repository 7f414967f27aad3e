/* What the runtime asks of the CUDA runtime beside a model's own functions: whether there is a GPU,
 * memory on it, a stream.  templates/device.cu has the functions; who has only this table needs no
 * header and no library of CUDA.  C99 and C++11. */
#ifndef NNC_DEVICE_H
#define NNC_DEVICE_H 1

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What returns int returns 0, or the number of an error, of which `text` tells the meaning. */
typedef struct nnc_device {
    /* NULL, or why the GPU cannot be used; what follows is for a GPU that can. */
    const char *(*refusal)(void);
    const char *(*name)(void);
    int (*capability)(void); /* 10 * major + minor: 90 for sm_90 */
    int (*allocate)(void **out, size_t bytes);
    void (*release)(void *memory);
    int (*allocate_host)(void **out, size_t bytes); /* page-locked memory of the host */
    void (*release_host)(void *memory);
    int (*open_stream)(void **out);
    void (*close_stream)(void *stream);
    /* Between any two of device and host memory, when the streams that use them have been waited
     * for. */
    int (*copy)(void *to, const void *from, size_t bytes);
    const char *(*text)(int error);
} nnc_device;

const nnc_device *nnc_device_functions(void);

#ifdef __cplusplus
}
#endif
#endif
