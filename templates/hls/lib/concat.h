// y = the channels of a << a_shift, then those of b << b_shift; a pixel per cycle.
#ifndef HWA_CONCAT_H
#define HWA_CONCAT_H

#include "types.h"

namespace hwa {

template <class P>
void concat(hls::stream<typename P::in0_beat> &a, hls::stream<typename P::in1_beat> &b,
            hls::stream<typename P::out_beat> &y) {
    static_assert(P::in0_lanes + P::in1_lanes == P::out_lanes, "a beat is a pixel");
pixel:
    for (int pixel = 0; pixel < P::pixels; pixel++) {
#pragma HLS PIPELINE II=1
        const typename P::in0_beat taken_a = a.read();
        const typename P::in1_beat taken_b = b.read();
        typename P::out_beat result = 0;
    lane_a:
        for (int i = 0; i < P::in0_lanes; i++) {
#pragma HLS UNROLL
            const typename P::acc_t value = get_lane<typename P::in0_t>(taken_a, i);
            set_lane(result, i, typename P::out_t(value << P::a_shift));
        }
    lane_b:
        for (int i = 0; i < P::in1_lanes; i++) {
#pragma HLS UNROLL
            const typename P::acc_t value = get_lane<typename P::in1_t>(taken_b, i);
            set_lane(result, P::in0_lanes + i, typename P::out_t(value << P::b_shift));
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
