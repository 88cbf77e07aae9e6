// Between beats of LANES elements and arrays in the order of the stream.
#ifndef HWA_LANES_H
#define HWA_LANES_H

#include "types.h"

namespace hwa {

// Fill an array from as many beats as it takes.
template <int LANES, class BEAT, class T, int COUNT>
void gather(hls::stream<BEAT> &x, T (&array)[COUNT]) {
#pragma HLS INLINE
    static_assert(COUNT % LANES == 0, "an array is not a whole number of beats");
beat:
    for (int beat = 0; beat < COUNT / LANES; beat++) {
#pragma HLS UNROLL
        const BEAT taken = x.read();
    lane:
        for (int i = 0; i < LANES; i++) {
#pragma HLS UNROLL
            array[beat * LANES + i] = get_lane<T>(taken, i);
        }
    }
}

// Put an array out.
template <int LANES, class BEAT, class T, int COUNT>
void scatter(const T (&array)[COUNT], hls::stream<BEAT> &y) {
#pragma HLS INLINE
    static_assert(COUNT % LANES == 0, "an array is not a whole number of beats");
beat:
    for (int beat = 0; beat < COUNT / LANES; beat++) {
#pragma HLS UNROLL
        BEAT result = 0;
    lane:
        for (int i = 0; i < LANES; i++) {
#pragma HLS UNROLL
            set_lane(result, i, array[beat * LANES + i]);
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
