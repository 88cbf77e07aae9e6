// y[c] = x[c] * mult[c] + add[c], P::in0_lanes channels per cycle.
#ifndef HWA_SCALE_H
#define HWA_SCALE_H

#include "types.h"

namespace hwa {

template <class P, class M, class A>
void scale(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y,
           const M mult[P::channels], const A add[P::channels]) {
    const int lanes = P::in0_lanes;
    static_assert(P::channels % lanes == 0, "lanes do not divide the channels");
#pragma HLS ARRAY_RESHAPE variable=mult type=cyclic factor=lanes
#pragma HLS ARRAY_RESHAPE variable=add type=cyclic factor=lanes
pixel:
    for (int pixel = 0; pixel < P::pixels; pixel++) {
    channel:
        for (int channel = 0; channel < P::channels; channel += lanes) {
#pragma HLS PIPELINE II=1
            const typename P::in0_beat taken = x.read();
            typename P::out_beat result = 0;
        lane:
            for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
                const typename P::acc_t value = get_lane<typename P::in0_t>(taken, i);
                set_lane(result, i,
                         typename P::out_t(value * mult[channel + i] + add[channel + i]));
            }
            y.write(result);
        }
    }
}

}  // namespace hwa

#endif
