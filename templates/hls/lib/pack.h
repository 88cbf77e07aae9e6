// Join beats into wider ones, first in the low bits. BEATS counts the wide ones of a frame.
#ifndef HWA_PACK_H
#define HWA_PACK_H

#include "types.h"

namespace hwa {

template <int BEATS, int NARROW, int WIDE>
void pack(hls::stream<ap_uint<NARROW> > &x, hls::stream<ap_uint<WIDE> > &y) {
    static_assert(WIDE % NARROW == 0, "the wide beat is not a whole number of narrow ones");
    ap_uint<WIDE> gathered = 0;
beat:
    for (int beat = 0; beat < BEATS; beat++) {
    part:
        for (int part = 0; part < WIDE / NARROW; part++) {
#pragma HLS PIPELINE II=1
            gathered.range((part + 1) * NARROW - 1, part * NARROW) = x.read();
            if (part == WIDE / NARROW - 1) y.write(gathered);
        }
    }
}

}  // namespace hwa

#endif
