// y = a * b
#ifndef HWA_MULTIPLY_H
#define HWA_MULTIPLY_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t multiply(int index, const typename P::in0_t *a,
                                  const typename P::in1_t *b) {
    typedef typename P::acc_t acc_t;
    return typename P::out_t(acc_t(a[index]) * acc_t(b[index]));
}

}  // namespace hwa

#endif
