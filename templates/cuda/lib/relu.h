// y = max(x, 0); x is a tensor or the only element of one.
#ifndef HWA_RELU_H
#define HWA_RELU_H

#include "types.h"

namespace hwa {

template <class P, class X>
HWA_HD typename P::out_t relu(int index, X x) {
    return x[index] > 0 ? typename P::out_t(x[index]) : typename P::out_t(0);
}

}  // namespace hwa

#endif
