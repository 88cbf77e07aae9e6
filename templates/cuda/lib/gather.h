// Element k of the stream is element order[k] of the operand's stream, or fill where that is -1.
#ifndef HWA_GATHER_H
#define HWA_GATHER_H

#include "types.h"

namespace hwa {

template <class P, class Table>
HWA_HD typename P::out_t gather(int index, const typename P::in0_t *x, const Table *order) {
    const int pixels = P::size / P::channels;
    const int in_pixels = P::in_size / P::in_channels;
    const int from = order[index % pixels * P::channels + index / pixels];
    if (from < 0) return typename P::out_t(P::fill);
    return typename P::out_t(x[from % P::in_channels * in_pixels + from / P::in_channels]);
}

}  // namespace hwa

#endif
