// y = clip(round(x * 2^-shift), lo, hi), or with wrap the low bits; P::in0_lanes per cycle.
//
// rounding: 0 floor, 1 half up, 2 half to even. A negative shift is a left shift.
#ifndef HWA_REQUANT_H
#define HWA_REQUANT_H

#include "types.h"

namespace hwa {

// x * 2^-SHIFT rounded; WIDE holds x and one half.
template <int SHIFT, int ROUNDING, class WIDE>
WIDE round_shift(const WIDE &x) {
#pragma HLS INLINE
    const int right = SHIFT > 0 ? SHIFT : 0;
    const int left = SHIFT < 0 ? -SHIFT : 0;
    if (SHIFT <= 0) return x << left;
    if (ROUNDING == 0) return x >> right;
    const WIDE half = WIDE(1) << (right > 0 ? right - 1 : 0);
    if (ROUNDING == 1) return (x + half) >> right;
    // One half less one unit, plus the bit that will be last: ties go to even.
    return (x + half - 1 + ((x >> right) & 1)) >> right;
}

template <class P>
void requant(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
    const int lanes = P::in0_lanes;
    const int in_bits = P::in0_t::width + 2;
    const int shift_bits = (P::shift > 0 ? P::shift : 0) + 2;
    const int step_bits = in_bits > shift_bits ? in_bits : shift_bits;
    const int bits = P::acc_t::width > step_bits ? P::acc_t::width : step_bits;
    typedef ap_int<bits> wide_t;
    static_assert(P::size % lanes == 0, "lanes do not divide the elements");
beat:
    for (int beat = 0; beat < P::size / lanes; beat++) {
#pragma HLS PIPELINE II=1
        const typename P::in0_beat taken = x.read();
        typename P::out_beat result = 0;
    lane:
        for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
            const wide_t value = get_lane<typename P::in0_t>(taken, i);
            wide_t rounded = round_shift<P::shift, P::rounding>(value);
            if (!P::wrap && rounded < wide_t(P::lo)) rounded = wide_t(P::lo);
            if (!P::wrap && rounded > wide_t(P::hi)) rounded = wide_t(P::hi);
            set_lane(result, i, typename P::out_t(rounded));
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
