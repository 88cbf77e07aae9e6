// y[c] = x[c] * mult[c] + add[c]; x is a tensor or the only element of one.
#ifndef HWA_SCALE_H
#define HWA_SCALE_H

#include "types.h"

namespace hwa {

template <class P, class X, class M, class A>
HWA_HD typename P::out_t scale(int index, X x, const M *mult, const A *add) {
    typedef typename P::acc_t acc_t;
    const int c = index / P::pixels;
    return typename P::out_t(acc_t(x[index]) * acc_t(mult[c]) + acc_t(add[c]));
}

}  // namespace hwa

#endif
