// Products of bytes, four at a time: tensors as words of four neighbouring channels of a pixel, and
// matrices and convolutions over them. Four outputs of a pixel share what is read of the operand.
#ifndef HWA_PACKED_H
#define HWA_PACKED_H

#include "types.h"

namespace hwa {

// Word number `index` of an operand whose words lie on boundaries of four bytes.
HWA_HD uint32_t load4(const void *words, int index) {
#ifdef __CUDA_ARCH__
    return static_cast<const uint32_t *>(words)[index];
#else
    uint32_t word;
    memcpy(&word, static_cast<const char *>(words) + 4LL * index, 4);
    return word;
#endif
}

// sum + four products of bytes, each side signed or not: one instruction where the GPU has it
// (compute capability 6.1), multiplications elsewhere.
template <bool X_SIGNED, bool W_SIGNED>
HWA_HD int32_t dot4(uint32_t x, uint32_t w, int32_t sum) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
    int32_t result;
    if (X_SIGNED && W_SIGNED) {
        asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    } else if (X_SIGNED) {
        asm("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    } else if (W_SIGNED) {
        asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    } else {
        asm("dp4a.u32.u32 %0, %1, %2, %3;" : "=r"(result) : "r"(x), "r"(w), "r"(sum));
    }
    return result;
#else
    for (int i = 0; i < 4; i++) {
        const uint8_t a = uint8_t(x >> (8 * i));
        const uint8_t b = uint8_t(w >> (8 * i));
        sum += (X_SIGNED ? int32_t(int8_t(a)) : int32_t(a)) *
               (W_SIGNED ? int32_t(int8_t(b)) : int32_t(b));
    }
    return sum;
#endif
}

// Sums of four outputs, or a word for each.
struct alignas(16) four {
    int32_t at[4];
};

HWA_HD four load_four(const int32_t *words) {
#ifdef __CUDA_ARCH__
    const int4 w = *reinterpret_cast<const int4 *>(words);
    return {{w.x, w.y, w.z, w.w}};
#else
    four w;
    memcpy(&w, words, sizeof(w));
    return w;
#endif
}

// The sums of outputs number 4 * block and on, at a pixel; zeros surround the image. The weights
// are words in the order (groups, group_words, kernel_height, kernel_width, group_blocks, 4).
template <class P>
HWA_HD four packed(int block, int pixel, const void *x, const int32_t *weight) {
    const int group = block / P::group_blocks;
    const int top = pixel / P::out_width * P::stride_y - P::pad_top;
    const int left = pixel % P::out_width * P::stride_x - P::pad_left;
    four sum = {{0, 0, 0, 0}};
    for (int k = 0; k < P::group_words; k++) {
        const int plane = group * P::group_words + k;
        for (int ky = 0; ky < P::kernel_height; ky++) {
            const int iy = top + ky * P::dilation_y;
            if (iy < 0 || iy >= P::height) continue;
            for (int kx = 0; kx < P::kernel_width; kx++) {
                const int ix = left + kx * P::dilation_x;
                if (ix < 0 || ix >= P::width) continue;
                const uint32_t word = load4(x, (plane * P::height + iy) * P::width + ix);
                const int tap = (plane * P::kernel_height + ky) * P::kernel_width + kx;
                const int at = tap * P::group_blocks + block % P::group_blocks;
                const four w = load_four(weight + 4 * at);
                HWA_UNROLL
                for (int o = 0; o < 4; o++) {
                    sum.at[o] = dot4<P::in0_signed, P::weight_signed>(word, w.at[o], sum.at[o]);
                }
            }
        }
    }
    return sum;
}

// The output that a block has as number `lane`; -1 past the last of a group.
template <class P>
HWA_HD int output_of(int block, int lane) {
    const int within = block % P::group_blocks * 4 + lane;
    const int first = block / P::group_blocks * P::group_outputs;
    return within < P::group_outputs ? first + within : -1;
}

// (sum << shift) + bias
template <class P, class S, class B>
HWA_HD typename P::out_t finished(int32_t sum, S shift, B bias) {
    return typename P::out_t(shift_left(sum, shift) + bias);
}

// Word number i of a batch of bytes: channels past the last of a group are zero.
template <int GROUPS, int GROUP_SIZE, int PIXELS>
struct packing {
    typedef uint32_t out_t;
    template <class T>
    static HWA_DEVICE out_t at(long long i, const T *x) {
        const int group_words = (GROUP_SIZE + 3) / 4;
        const int words = GROUPS * group_words * PIXELS;
        const int index = int(i % words);
        const int plane = index / PIXELS;
        const int first = plane % group_words * 4;
        const long long channel = i / words * (GROUPS * GROUP_SIZE) +
                                  plane / group_words * GROUP_SIZE + first;
        uint32_t word = 0;
        for (int lane = 0; lane < 4; lane++) {
            if (first + lane >= GROUP_SIZE) break;
            const T value = x[(channel + lane) * PIXELS + index % PIXELS];
            word |= uint32_t(uint8_t(value)) << (8 * lane);
        }
        return word;
    }
};

}  // namespace hwa

#endif
