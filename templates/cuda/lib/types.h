// What the functions of this library are on each compiler. A function computes ONE element of a
// result, from tensors in C order (channels, height, width) and tables in C order. It is the same
// text on the GPU (nvcc) and on the host (g++), so that the arithmetic is checked without a GPU.
#ifndef HWA_TYPES_H
#define HWA_TYPES_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define HWA_HD __host__ __device__ __forceinline__
#define HWA_DEVICE __device__ __forceinline__
// Tables lie in global memory: threads of a warp read different rows of a matrix, which constant
// memory would serialize, and a network is soon larger than its 64 KiB.
#define HWA_TABLE alignas(16) static __device__ const
#else
#define HWA_HD inline
#define HWA_DEVICE inline
#define HWA_TABLE alignas(16) static const
#endif

namespace hwa {

// x * 2^bits where that fits T; C++17 defines no shift of a negative number.
template <class T>
HWA_HD T shift_left(T x, int bits) {
    return T(uint64_t(int64_t(x)) << bits);
}

}  // namespace hwa

#endif
