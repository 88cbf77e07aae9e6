// y[g] = sum over the channels of group g of x, in every pixel
#ifndef HWA_CHANSUM_H
#define HWA_CHANSUM_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t chansum(int index, const typename P::in0_t *x) {
    const int pixel = index % P::pixels;
    const int group = index / P::pixels;
    typename P::acc_t sum = 0;
    for (int k = 0; k < P::group_size; k++) {
        sum += typename P::acc_t(x[(group * P::group_size + k) * P::pixels + pixel]);
    }
    return typename P::out_t(sum);
}

}  // namespace hwa

#endif
