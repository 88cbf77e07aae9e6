// Kernels and memory of the GPU. Every function returns a cudaError_t as int, 0 for success.
#ifndef HWA_DEVICE_H
#define HWA_DEVICE_H

#include <cuda_runtime.h>

#include "types.h"

namespace hwa {

typedef cudaStream_t queue_t;

const int THREADS = 256;

// Blocks for one thread per element; with more elements than threads, each takes several.
inline int blocks_for(long long size) {
    const long long wanted = (size + THREADS - 1) / THREADS;
    const long long most = 1 << 20;
    return int(wanted < most ? wanted : most);
}

// One thread per element of the batch.
template <class NODE, class... IN>
__global__ void fill_kernel(long long size, typename NODE::out_t *y, const IN *...x) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += step) {
        y[i] = NODE::at(i, x...);
    }
}

// y[i] = NODE::at(i, x...) for every i below size.
template <class NODE, class... IN>
int fill(queue_t queue, long long size, typename NODE::out_t *y, const IN *...x) {
    const int blocks = blocks_for(size);
    if (blocks == 0) return 0;
    fill_kernel<NODE><<<blocks, THREADS, 0, queue>>>(size, y, x...);
    return cudaGetLastError();
}

// One thread per call of a circuit.
template <class NODE, class... TENSOR>
__global__ void each_kernel(long long size, TENSOR *...t) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += step) {
        NODE::at(i, t...);
    }
}

// NODE::at(i, t...) for every i below size.
template <class NODE, class... TENSOR>
int each(queue_t queue, long long size, TENSOR *...t) {
    const int blocks = blocks_for(size);
    if (blocks == 0) return 0;
    each_kernel<NODE><<<blocks, THREADS, 0, queue>>>(size, t...);
    return cudaGetLastError();
}

inline int device_count(int *devices) { return cudaGetDeviceCount(devices); }
// For the calling thread.
inline int use_device(int device) { return cudaSetDevice(device); }

inline int allocate(void **memory, long long bytes) {
    return cudaMalloc(memory, bytes > 0 ? bytes : 1);
}
inline void release(void *memory) { cudaFree(memory); }

inline int copy_in(queue_t queue, void *to, const void *from, long long bytes) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, queue);
}
inline int copy_out(queue_t queue, void *to, const void *from, long long bytes) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, queue);
}
inline int copy_inside(queue_t queue, void *to, const void *from, long long bytes) {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, queue);
}
inline int finish(queue_t queue) { return cudaStreamSynchronize(queue); }

inline const char *error_text(int code) { return cudaGetErrorString(cudaError_t(code)); }

}  // namespace hwa

#endif
