// y = values[x - lo]; x is a tensor or the only element of one.
#ifndef HWA_TABLE_H
#define HWA_TABLE_H

#include "types.h"

namespace hwa {

template <class P, class X, class V>
HWA_HD typename P::out_t table(int index, X x, const V *values) {
    return typename P::out_t(values[int(int64_t(x[index]) - P::lo)]);
}

}  // namespace hwa

#endif
