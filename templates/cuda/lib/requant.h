// y = clip(round(x * 2^-shift), lo, hi), or with wrap reduced modulo hi - lo + 1.
//
// x is a tensor or the only element of one. rounding: 0 floor, 1 half up, 2 half to even. A negative shift is a left shift.
#ifndef HWA_REQUANT_H
#define HWA_REQUANT_H

#include "types.h"

namespace hwa {

// The type of the arithmetic: that of the accumulator where one half fits it too.
template <class ACC, bool FITS>
struct requant_type {
    typedef ACC type;
};
template <class ACC>
struct requant_type<ACC, false> {
    typedef int64_t type;
};

// x * 2^-SHIFT rounded.
template <int SHIFT, int ROUNDING, class T>
HWA_HD T round_shift(T x) {
    const int right = SHIFT > 0 ? SHIFT : 0;
    const int left = SHIFT < 0 ? -SHIFT : 0;
    if (SHIFT <= 0) return shift_left(x, left);
    if (ROUNDING == 0) return x >> right;
    const T half = T(1) << (right > 0 ? right - 1 : 0);
    if (ROUNDING == 1) return (x + half) >> right;
    // One half less one unit, plus the bit that will be last: ties go to even.
    return (x + (half - 1) + ((x >> right) & 1)) >> right;
}

template <class P, class X>
HWA_HD typename P::out_t requant(int index, X x) {
    typedef typename requant_type<typename P::acc_t, (P::shift < 30)>::type wide_t;
    const wide_t lo = wide_t(P::lo);
    const wide_t hi = wide_t(P::hi);
    const wide_t rounded = round_shift<P::shift, P::rounding>(wide_t(x[index]));
    if (P::wrap) return typename P::out_t(((rounded - lo) & (hi - lo)) + lo);
    return typename P::out_t(rounded < lo ? lo : rounded > hi ? hi : rounded);
}

}  // namespace hwa

#endif
