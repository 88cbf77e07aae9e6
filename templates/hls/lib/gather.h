// Element k of the stream is element order[k] of the operand's stream, or fill where that is -1.
//
// Where the order does not change, beats pass as they are. Otherwise the frame is kept and read
// back, a beat per cycle; the lanes of a beat move together.
#ifndef HWA_GATHER_H
#define HWA_GATHER_H

#include "types.h"

namespace hwa {

template <class P, class Table>
void gather(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y,
            const Table *order) {
    const int lanes = P::in0_lanes;
    static_assert(P::in_size % lanes == 0, "lanes do not divide the elements");
    static_assert(P::size % lanes == 0, "lanes do not divide the elements of the result");

    if (P::unchanged) {
    pass:
        for (int beat = 0; beat < P::size / lanes; beat++) {
#pragma HLS PIPELINE II=1
            y.write(x.read());
        }
        return;
    }

    static typename P::in0_beat frame[P::in_size / lanes];
write:
    for (int beat = 0; beat < P::in_size / lanes; beat++) {
#pragma HLS PIPELINE II=1
        frame[beat] = x.read();
    }
read:
    for (int beat = 0; beat < P::size / lanes; beat++) {
#pragma HLS PIPELINE II=1
        const int from = int(order[beat * lanes]);
        const typename P::in0_beat taken = frame[from < 0 ? 0 : from / lanes];
        typename P::out_beat result = 0;
    lane:
        for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
            const typename P::out_t value = get_lane<typename P::in0_t>(taken, i);
            set_lane(result, i, from < 0 ? typename P::out_t(P::fill) : value);
        }
        y.write(result);
    }
}

}  // namespace hwa

#endif
