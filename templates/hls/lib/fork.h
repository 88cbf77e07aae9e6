// Copy every beat of a frame to two streams.
#ifndef HWA_FORK_H
#define HWA_FORK_H

#include "types.h"

namespace hwa {

template <int BEATS, class BEAT>
void fork(hls::stream<BEAT> &x, hls::stream<BEAT> &a, hls::stream<BEAT> &b) {
beat:
    for (int beat = 0; beat < BEATS; beat++) {
#pragma HLS PIPELINE II=1
        const BEAT taken = x.read();
        a.write(taken);
        b.write(taken);
    }
}

}  // namespace hwa

#endif
