// y = (a << a_shift) + (b << b_shift), minus with subtract, P::out_lanes elements per cycle.
#ifndef HWA_ADD_H
#define HWA_ADD_H

#include "types.h"

namespace hwa {

template <class P>
void add(hls::stream<typename P::in0_beat> &a, hls::stream<typename P::in1_beat> &b,
         hls::stream<typename P::out_beat> &y) {
    const int lanes = P::out_lanes;
    static_assert(P::size % lanes == 0, "lanes do not divide the elements");
beat:
    for (int beat = 0; beat < P::size / lanes; beat++) {
#pragma HLS PIPELINE II=1
        const typename P::in0_beat taken_a = a.read();
        const typename P::in1_beat taken_b = b.read();
        typename P::out_beat result = 0;
    lane:
        for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
            typename P::acc_t left = get_lane<typename P::in0_t>(taken_a, i);
            typename P::acc_t right = get_lane<typename P::in1_t>(taken_b, i);
            left <<= P::a_shift;
            right <<= P::b_shift;
            set_lane(result, i,
                     typename P::out_t(P::subtract ? left - right : left + right));
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
