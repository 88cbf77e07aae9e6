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
#define HWA_UNROLL _Pragma("unroll")
#else
#define HWA_HD inline
#define HWA_DEVICE inline
#define HWA_TABLE alignas(16) static const
#define HWA_UNROLL
#endif

namespace hwa {

// -x. A factor that the assembler does not know: that of CUDA 13.0 (ptxas) makes one VIMNMX3 of the
// maximum of three, on sm_90 and sm_100, and loses the sign of what was negated right before.
#ifdef __CUDACC__
static __constant__ int32_t minus_one = -1;
#endif

template <class T>
HWA_DEVICE T negated(T x) {
#ifdef __CUDA_ARCH__
    if (sizeof(T) == sizeof(minus_one)) return x * T(minus_one);
#endif
    return -x;
}

// A tensor of which one element is known, whatever its index: what follows a node takes that where
// it is made.
template <class T>
struct only_element {
    T value;
    HWA_HD T operator[](int) const { return value; }
};

template <class T>
HWA_HD only_element<T> only(T value) {
    return {value};
}

// x * 2^bits where that fits T; C++17 defines no shift of a negative number.
template <class T>
HWA_HD T shift_left(T x, int bits) {
    return T(uint64_t(int64_t(x)) << bits);
}

}  // namespace hwa

#endif
