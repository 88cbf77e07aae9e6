// y[o] = ((sum_i weight[o][i] * x[i]) << shift[o]) + bias[o]
#ifndef HWA_DENSE_H
#define HWA_DENSE_H

#include "types.h"

namespace hwa {

HWA_HD uint32_t load4(const void *bytes) {
#ifdef __CUDA_ARCH__
    return *static_cast<const uint32_t *>(bytes);
#else
    uint32_t word;
    memcpy(&word, bytes, 4);
    return word;
#endif
}

// sum + four products of bytes, x of X_SIGNED sign by signed w: one instruction on the GPU.
template <bool X_SIGNED>
HWA_HD int32_t dot4(uint32_t x, uint32_t w, int32_t sum) {
#ifdef __CUDA_ARCH__
    int32_t result;
    if (X_SIGNED) {
        asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    } else {
        asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    }
    return result;
#else
    for (int i = 0; i < 4; i++) {
        const uint8_t byte = uint8_t(x >> (8 * i));
        sum += (X_SIGNED ? int32_t(int8_t(byte)) : int32_t(byte)) * int8_t(w >> (8 * i));
    }
    return sum;
#endif
}

// Rows of bytes, whole words long: four products at a time.
template <class P, bool PACKED>
struct dense_row {
    template <class W>
    static HWA_HD typename P::acc_t sum(const typename P::in0_t *x, const W *row) {
        typename P::acc_t sum = 0;
        for (int i = 0; i < P::inputs; i++) {
            sum += typename P::acc_t(x[i]) * typename P::acc_t(row[i]);
        }
        return sum;
    }
};

template <class P>
struct dense_row<P, true> {
    template <class W>
    static HWA_HD int32_t sum(const typename P::in0_t *x, const W *row) {
        int32_t sum = 0;
        for (int i = 0; i < P::inputs; i += 4) {
            sum = dot4<P::in0_signed>(load4(x + i), load4(row + i), sum);
        }
        return sum;
    }
};

template <class P, class W, class S, class B>
HWA_HD typename P::out_t dense(int o, const typename P::in0_t *x, const W *weight, const S *shift,
                               const B *bias) {
    const bool packed = sizeof(typename P::in0_t) == 1 && sizeof(W) == 1 &&
                        sizeof(typename P::acc_t) == 4 && P::inputs % 4 == 0;
    const typename P::acc_t sum = dense_row<P, packed>::sum(x, weight + o * P::inputs);
    return typename P::out_t(shift_left(sum, shift[o]) + bias[o]);
}

}  // namespace hwa

#endif
