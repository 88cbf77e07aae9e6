// y = values[x - lo]
#ifndef HWA_TABLE_H
#define HWA_TABLE_H

#include "types.h"

namespace hwa {

template <class P, class V>
HWA_HD typename P::out_t table(int index, const typename P::in0_t *x, const V *values) {
    return typename P::out_t(values[int(int64_t(x[index]) - P::lo)]);
}

}  // namespace hwa

#endif
