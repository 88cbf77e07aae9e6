// y[o] = ((sum_i weight[o][i] * x[i]) << shift[o]) + bias[o]
#ifndef HWA_DENSE_H
#define HWA_DENSE_H

#include "types.h"

namespace hwa {

template <class P, class W, class S, class B>
HWA_HD typename P::out_t dense(int o, const typename P::in0_t *x, const W *weight, const S *shift,
                               const B *bias) {
    typename P::acc_t sum = 0;
    for (int i = 0; i < P::inputs; i++) {
        sum += typename P::acc_t(x[i]) * typename P::acc_t(weight[o * P::inputs + i]);
    }
    return typename P::out_t(shift_left(sum, shift[o]) + bias[o]);
}

}  // namespace hwa

#endif
