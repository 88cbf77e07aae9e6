// y.flat[i] = x.flat[i] in C order; with channels_last, x is counted pixel by pixel.
//
// Where the order of the stream does not change, beats pass as they are, in any number of lanes.
// Otherwise the frame is kept and read back, one element per cycle.
#ifndef HWA_RESHAPE_H
#define HWA_RESHAPE_H

#include "types.h"

namespace hwa {

template <class P>
struct reshape_order {
    static const int pixels = P::size / P::channels;
    static const int out_pixels = P::size / P::out_channels;
    static const bool same_shape = P::channels == P::out_channels;
    // One pixel, or one channel: the stream is in C order already.
    static const bool flat_in = pixels == 1 || P::channels == 1;
    static const bool flat_out = out_pixels == 1 || P::out_channels == 1;
    static const bool unchanged = P::channels_last || same_shape || (flat_in && flat_out);
};

template <class P>
void reshape(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
    typedef reshape_order<P> O;
    static_assert(P::size % P::in0_lanes == 0, "lanes do not divide the elements");
    static_assert(O::unchanged || P::in0_lanes == 1, "elements that move need one lane");

    if (O::unchanged) {
    pass:
        for (int beat = 0; beat < P::size / P::in0_lanes; beat++) {
#pragma HLS PIPELINE II=1
            y.write(x.read());
        }
        return;
    }

    static typename P::in0_beat frame[P::size];  // in C order
write_pixel:
    for (int pixel = 0; pixel < O::pixels; pixel++) {
    write_channel:
        for (int channel = 0; channel < P::channels; channel++) {
#pragma HLS PIPELINE II=1
            frame[channel * O::pixels + pixel] = x.read();
        }
    }
read_pixel:
    for (int pixel = 0; pixel < O::out_pixels; pixel++) {
    read_channel:
        for (int channel = 0; channel < P::out_channels; channel++) {
#pragma HLS PIPELINE II=1
            y.write(frame[channel * O::out_pixels + pixel]);
        }
    }
}

}  // namespace hwa

#endif
