// Between tensors in C order (channels, height, width) and the arrays of a circuit: pixel by pixel,
// the channels of each together. Call number `call` is about the pixels after those of the calls
// before.
#ifndef HWA_PIXELS_H
#define HWA_PIXELS_H

#include "types.h"

namespace hwa {

template <int CHANNELS, int PIXELS, class T, int COUNT>
HWA_HD void gather(const T *x, int call, T (&array)[COUNT]) {
    const int first = call * (COUNT / CHANNELS);
    for (int pixel = 0; pixel < COUNT / CHANNELS; pixel++) {
        for (int c = 0; c < CHANNELS; c++) {
            array[pixel * CHANNELS + c] = x[c * PIXELS + first + pixel];
        }
    }
}

template <int CHANNELS, int PIXELS, class T, int COUNT>
HWA_HD void scatter(const T (&array)[COUNT], int call, T *y) {
    const int first = call * (COUNT / CHANNELS);
    for (int pixel = 0; pixel < COUNT / CHANNELS; pixel++) {
        for (int c = 0; c < CHANNELS; c++) {
            y[c * PIXELS + first + pixel] = array[pixel * CHANNELS + c];
        }
    }
}

// The taps of window number `call`, in the order of the results; outside the image they are P::pad.
template <class P, class T, int COUNT>
HWA_HD void window(const T *x, int call, T (&taps)[COUNT]) {
    static_assert(COUNT == P::kernel_height * P::kernel_width * P::channels, "not a window");
    const int top = call / P::out_width * P::stride_y - P::pad_top;
    const int left = call % P::out_width * P::stride_x - P::pad_left;
    for (int ky = 0; ky < P::kernel_height; ky++) {
        for (int kx = 0; kx < P::kernel_width; kx++) {
            const int iy = top + ky * P::dilation_y;
            const int ix = left + kx * P::dilation_x;
            const bool inside = iy >= 0 && iy < P::height && ix >= 0 && ix < P::width;
            for (int c = 0; c < P::channels; c++) {
                taps[(ky * P::kernel_width + kx) * P::channels + c] =
                    inside ? x[(c * P::height + iy) * P::width + ix] : T(P::pad);
            }
        }
    }
}

}  // namespace hwa

#endif
