// Split beats into narrower ones, low part first. BEATS counts the wide ones of a frame.
#ifndef HWA_UNPACK_H
#define HWA_UNPACK_H

#include "types.h"

namespace hwa {

template <int BEATS, int WIDE, int NARROW>
void unpack(hls::stream<ap_uint<WIDE> > &x, hls::stream<ap_uint<NARROW> > &y) {
    static_assert(WIDE % NARROW == 0, "the wide beat is not a whole number of narrow ones");
    ap_uint<WIDE> held = 0;
beat:
    for (int beat = 0; beat < BEATS; beat++) {
    part:
        for (int part = 0; part < WIDE / NARROW; part++) {
#pragma HLS PIPELINE II=1
            if (part == 0) held = x.read();
            y.write(ap_uint<NARROW>(held.range((part + 1) * NARROW - 1, part * NARROW)));
        }
    }
}

}  // namespace hwa

#endif
