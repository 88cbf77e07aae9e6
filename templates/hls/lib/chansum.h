// y[g] = sum over the channels of group g of x, in every pixel.
//
// Takes P::simd channels of P::pe groups per cycle; with several groups, all channels of each.
#ifndef HWA_CHANSUM_H
#define HWA_CHANSUM_H

#include "types.h"

namespace hwa {

template <class P>
void chansum(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
    const int pe = P::pe;
    const int simd = P::simd;
    const int beats = P::group_size / simd;
    static_assert(P::groups % pe == 0 && P::group_size % simd == 0, "fold does not divide groups");
    static_assert(pe == 1 || beats == 1, "several groups at a time must be whole");
    typename P::acc_t acc[pe];
#pragma HLS ARRAY_PARTITION variable=acc type=complete

group:
    for (int group = 0; group < P::pixels * P::groups / pe; group++) {
    reduce:
        for (int beat = 0; beat < beats; beat++) {
#pragma HLS PIPELINE II=1
            const typename P::in0_beat taken = x.read();
            typename P::out_beat result = 0;
        output:
            for (int p = 0; p < pe; p++) {
#pragma HLS UNROLL
                typename P::acc_t sum = 0;
                if (beat != 0) sum = acc[p];
            input:
                for (int s = 0; s < simd; s++) {
#pragma HLS UNROLL
                    sum += get_lane<typename P::in0_t>(taken, p * simd + s);
                }
                acc[p] = sum;
                set_lane(result, p, typename P::out_t(sum));
            }
            if (beat == beats - 1) y.write(result);
        }
    }
}

}  // namespace hwa

#endif
