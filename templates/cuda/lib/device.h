// Kernels and memory of the GPU. Every function returns a cudaError_t as int, 0 for success.
#ifndef HWA_DEVICE_H
#define HWA_DEVICE_H

#include <cuda_runtime.h>

#include "types.h"

namespace hwa {

typedef cudaStream_t queue_t;

// One thread per element of the batch; with more elements than threads, each takes several.
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
    const int threads = 256;
    const long long wanted = (size + threads - 1) / threads;
    const long long most = 1 << 20;
    const int blocks = int(wanted < most ? wanted : most);
    if (blocks == 0) return 0;
    fill_kernel<NODE><<<blocks, threads, 0, queue>>>(size, y, x...);
    return cudaGetLastError();
}

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
