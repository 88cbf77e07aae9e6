// y = max(x, 0), P::in0_lanes elements per cycle.
#ifndef HWA_RELU_H
#define HWA_RELU_H

#include "types.h"

namespace hwa {

template <class P>
void relu(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
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
            const typename P::in0_t value = get_lane<typename P::in0_t>(taken, i);
            typename P::out_t positive = 0;
            if (value > 0) positive = value;
            set_lane(result, i, positive);
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
