// y = sum over the taps of each window, zeros around the image.
#ifndef HWA_SUMPOOL2D_H
#define HWA_SUMPOOL2D_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t sumpool2d(int index, const typename P::in0_t *x) {
    const int ox = index % P::out_width;
    const int oy = index / P::out_width % P::out_height;
    const int c = index / (P::out_width * P::out_height);
    typename P::acc_t sum = 0;
    for (int ky = 0; ky < P::kernel_height; ky++) {
        const int iy = oy * P::stride_y - P::pad_top + ky;
        if (iy < 0 || iy >= P::height) continue;
        for (int kx = 0; kx < P::kernel_width; kx++) {
            const int ix = ox * P::stride_x - P::pad_left + kx;
            if (ix < 0 || ix >= P::width) continue;
            sum += typename P::acc_t(x[(c * P::height + iy) * P::width + ix]);
        }
    }
    return typename P::out_t(sum);
}

}  // namespace hwa

#endif
