// y = max(x, 0)
#ifndef HWA_RELU_H
#define HWA_RELU_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t relu(int index, const typename P::in0_t *x) {
    return x[index] > 0 ? typename P::out_t(x[index]) : typename P::out_t(0);
}

}  // namespace hwa

#endif
