// y = values[x - lo], P::in0_lanes elements per cycle.
#ifndef HWA_TABLE_H
#define HWA_TABLE_H

#include "types.h"

namespace hwa {

template <class P, class V>
void table(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y,
           const V values[P::entries]) {
    const int lanes = P::in0_lanes;
    static_assert(P::size % lanes == 0, "lanes do not divide the elements");
beat:
    for (int beat = 0; beat < P::size / lanes; beat++) {
#pragma HLS PIPELINE II=1
        const typename P::in0_beat taken = x.read();
        typename P::out_beat result = 0;
    lane:
        for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
            const typename P::acc_t value = get_lane<typename P::in0_t>(taken, i);
            set_lane(result, i, typename P::out_t(values[int(value - P::lo)]));
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
