/* The functions of nnc_device.h, by the CUDA runtime; compiled beside a model, or alone to ask
 * whether there is a GPU.  The current device is meant: CUDA_VISIBLE_DEVICES chooses it. */
#include <cuda_runtime.h>

#include <stdio.h>

#include "nnc_device.h"

namespace {

/* A GPU for which no code was compiled does not know it. */
__global__ void nn_known_to_device() {}

char *describe_driver(char *text, size_t size, cudaError_t error) {
    int driver = 0, runtime = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess) driver = 0;
    if (cudaRuntimeGetVersion(&runtime) != cudaSuccess) runtime = 0;
    if (error == cudaErrorInsufficientDriver && driver)
        snprintf(text, size, "the CUDA driver is for CUDA %d.%d, this code wants CUDA %d.%d",
                 driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    else
        snprintf(text, size, "%s: %s", driver ? "no CUDA device" : "no CUDA driver",
                 cudaGetErrorString(error));
    return text;
}

const char *device_name() {
    static cudaDeviceProp properties;
    int device = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaGetDeviceProperties(&properties, device) != cudaSuccess)
        return "an unknown GPU";
    return properties.name;
}

const char *device_refusal() {
    static char text[256];
    int devices = 0;
    cudaFuncAttributes attributes;
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error == cudaSuccess && !devices) error = cudaErrorNoDevice;
    if (error != cudaSuccess) return describe_driver(text, sizeof text, error);
    error = cudaFuncGetAttributes(&attributes, (const void *)nn_known_to_device);
    if (error == cudaSuccess) return NULL;
    snprintf(text, sizeof text, "%s cannot run this code: %s", device_name(),
             cudaGetErrorString(error));
    return text;
}

int device_capability() {
    int device = 0, major = 0, minor = 0;
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess ||
        cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) != cudaSuccess)
        return 0;
    return 10 * major + minor;
}

int device_allocate(void **out, size_t bytes) { return (int)cudaMalloc(out, bytes); }
void device_release(void *memory) { (void)cudaFree(memory); }
int device_allocate_host(void **out, size_t bytes) { return (int)cudaMallocHost(out, bytes); }
void device_release_host(void *memory) { (void)cudaFreeHost(memory); }

int device_open_stream(void **out) {
    cudaStream_t stream = NULL;
    const cudaError_t error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    *out = stream;
    return (int)error;
}
void device_close_stream(void *stream) { (void)cudaStreamDestroy((cudaStream_t)stream); }
int device_copy(void *to, const void *from, size_t bytes) {
    const cudaError_t error = cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, NULL);
    return (int)(error ? error : cudaStreamSynchronize(NULL));
}
const char *device_text(int error) { return cudaGetErrorString((cudaError_t)error); }

} // namespace

const nnc_device *nnc_device_functions(void) {
    static const nnc_device functions = {
        device_refusal,      device_name,          device_capability,   device_allocate,
        device_release,      device_allocate_host, device_release_host, device_open_stream,
        device_close_stream, device_copy,          device_text};
    return &functions;
}
