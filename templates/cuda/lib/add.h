// y = (a << a_shift) + (b << b_shift), minus with subtract
#ifndef HWA_ADD_H
#define HWA_ADD_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t add(int index, const typename P::in0_t *a, const typename P::in1_t *b) {
    typedef typename P::acc_t acc_t;
    const acc_t left = shift_left(acc_t(a[index]), P::a_shift);
    const acc_t right = shift_left(acc_t(b[index]), P::b_shift);
    return typename P::out_t(P::subtract ? left - right : left + right);
}

}  // namespace hwa

#endif
