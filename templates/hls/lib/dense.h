// y[o] = ((sum_i weight[o][i] * x[i]) << shift[o]) + bias[o]
//
// Takes P::simd inputs and computes P::pe outputs per cycle. The vector is kept for the groups of
// outputs after the first.
#ifndef HWA_DENSE_H
#define HWA_DENSE_H

#include "types.h"

namespace hwa {

template <class P, class W, class S, class B>
void dense(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y,
           const W weight[P::outputs][P::inputs], const S shift[P::outputs],
           const B bias[P::outputs]) {
    const int pe = P::pe;
    const int simd = P::simd;
    const int beats = P::inputs / simd;
    static_assert(P::outputs % pe == 0 && P::inputs % simd == 0, "fold does not divide the matrix");
#pragma HLS ARRAY_RESHAPE variable=weight type=cyclic factor=pe dim=1
#pragma HLS ARRAY_RESHAPE variable=weight type=cyclic factor=simd dim=2
#pragma HLS ARRAY_RESHAPE variable=shift type=cyclic factor=pe
#pragma HLS ARRAY_RESHAPE variable=bias type=cyclic factor=pe

    static typename P::in0_beat vector[beats];
    typename P::acc_t acc[pe];
#pragma HLS ARRAY_PARTITION variable=acc type=complete

repeat:
    for (int repeat = 0; repeat < P::outputs / pe; repeat++) {
    reduce:
        for (int beat = 0; beat < beats; beat++) {
#pragma HLS PIPELINE II=1
            const typename P::in0_beat taken = repeat == 0 ? x.read() : vector[beat];
            if (repeat == 0) vector[beat] = taken;
        output:
            for (int p = 0; p < pe; p++) {
#pragma HLS UNROLL
                const int o = repeat * pe + p;
                typename P::acc_t sum = 0;
                if (beat != 0) sum = acc[p];
            input:
                for (int s = 0; s < simd; s++) {
#pragma HLS UNROLL
                    sum += get_lane<typename P::in0_t>(taken, s) * weight[o][beat * simd + s];
                }
                acc[p] = sum;
            }
            if (beat == beats - 1) {
                typename P::out_beat result = 0;
            finish:
                for (int p = 0; p < pe; p++) {
#pragma HLS UNROLL
                    const int o = repeat * pe + p;
                    set_lane(result, p, typename P::out_t((acc[p] << int(shift[o])) + bias[o]));
                }
                y.write(result);
            }
        }
    }
}

}  // namespace hwa

#endif
