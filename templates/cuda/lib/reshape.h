// y.flat[i] = x.flat[i] in C order; with channels_last, x is counted pixel by pixel.
#ifndef HWA_RESHAPE_H
#define HWA_RESHAPE_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t reshape(int index, const typename P::in0_t *x) {
    const int pixels = P::size / P::channels;
    const int transposed = index % P::channels * pixels + index / P::channels;
    return typename P::out_t(x[P::channels_last ? transposed : index]);
}

}  // namespace hwa

#endif
