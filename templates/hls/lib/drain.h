// Take the beats of a frame that nothing reads.
#ifndef HWA_DRAIN_H
#define HWA_DRAIN_H

#include "types.h"

namespace hwa {

template <int BEATS, class BEAT>
void drain(hls::stream<BEAT> &x) {
beat:
    for (int beat = 0; beat < BEATS; beat++) {
#pragma HLS PIPELINE II=1
        x.read();
    }
}

}  // namespace hwa

#endif
