// y[o] = ((sum_{i,ky,kx} weight[o][i][ky][kx] * x[i][...]) << shift[o]) + bias[o]; zeros surround
// the image.
#ifndef HWA_CONV2D_H
#define HWA_CONV2D_H

#include "types.h"

namespace hwa {

template <class P, class W, class S, class B>
HWA_HD typename P::out_t conv2d(int index, const typename P::in0_t *x, const W *weight,
                                const S *shift, const B *bias) {
    const int per_group = P::channels / P::groups;
    const int ox = index % P::out_width;
    const int oy = index / P::out_width % P::out_height;
    const int o = index / (P::out_width * P::out_height);
    const int first = o / (P::outputs / P::groups) * per_group;
    typename P::acc_t sum = 0;
    for (int i = 0; i < per_group; i++) {
        for (int ky = 0; ky < P::kernel_height; ky++) {
            const int iy = oy * P::stride_y - P::pad_top + ky * P::dilation_y;
            if (iy < 0 || iy >= P::height) continue;
            for (int kx = 0; kx < P::kernel_width; kx++) {
                const int ix = ox * P::stride_x - P::pad_left + kx * P::dilation_x;
                if (ix < 0 || ix >= P::width) continue;
                const int at = ((first + i) * P::height + iy) * P::width + ix;
                const int tap = ((o * per_group + i) * P::kernel_height + ky) * P::kernel_width + kx;
                sum += typename P::acc_t(x[at]) * typename P::acc_t(weight[tap]);
            }
        }
    }
    return typename P::out_t(shift_left(sum, shift[o]) + bias[o]);
}

}  // namespace hwa

#endif
