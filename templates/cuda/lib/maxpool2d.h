// y = max over the taps of each window that lie inside the image.
#ifndef HWA_MAXPOOL2D_H
#define HWA_MAXPOOL2D_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t maxpool2d(int index, const typename P::in0_t *x) {
    const int ox = index % P::out_width;
    const int oy = index / P::out_width % P::out_height;
    const int c = index / (P::out_width * P::out_height);
    typename P::in0_t best = typename P::in0_t(P::in0_lo);
    for (int ky = 0; ky < P::kernel_height; ky++) {
        const int iy = oy * P::stride_y - P::pad_top + ky * P::dilation_y;
        if (iy < 0 || iy >= P::height) continue;
        for (int kx = 0; kx < P::kernel_width; kx++) {
            const int ix = ox * P::stride_x - P::pad_left + kx * P::dilation_x;
            if (ix < 0 || ix >= P::width) continue;
            const typename P::in0_t value = x[(c * P::height + iy) * P::width + ix];
            if (value > best) best = value;
        }
    }
    return typename P::out_t(best);
}

}  // namespace hwa

#endif
