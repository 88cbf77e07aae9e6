// y = the channels of a << a_shift, then those of b << b_shift
#ifndef HWA_CONCAT_H
#define HWA_CONCAT_H

#include "types.h"

namespace hwa {

template <class P>
HWA_HD typename P::out_t concat(int index, const typename P::in0_t *a,
                                const typename P::in1_t *b) {
    typedef typename P::acc_t acc_t;
    if (index < P::a_size) return typename P::out_t(shift_left(acc_t(a[index]), P::a_shift));
    return typename P::out_t(shift_left(acc_t(b[index - P::a_size]), P::b_shift));
}

}  // namespace hwa

#endif
