// y[c] = x[c] * mult[c] + add[c]
#ifndef HWA_SCALE_H
#define HWA_SCALE_H

#include "types.h"

namespace hwa {

template <class P, class M, class A>
HWA_HD typename P::out_t scale(int index, const typename P::in0_t *x, const M *mult, const A *add) {
    typedef typename P::acc_t acc_t;
    const int c = index / P::pixels;
    return typename P::out_t(acc_t(x[index]) * acc_t(mult[c]) + acc_t(add[c]));
}

}  // namespace hwa

#endif
