// y = max over the taps of each window that lie inside the image, P::in0_lanes channels per cycle.
#ifndef HWA_MAXPOOL2D_H
#define HWA_MAXPOOL2D_H

#include "window.h"

namespace hwa {

// The pooling in the words of window.h.
template <class P>
struct maxpool2d_window {
    static const int groups = P::channels / P::in0_lanes;
    static const int group_beats = 1;
    static const int repeat = 1;
    static const int height = P::height;
    static const int width = P::width;
    static const int out_height = P::out_height;
    static const int out_width = P::out_width;
    static const int kernel_height = P::kernel_height;
    static const int kernel_width = P::kernel_width;
    static const int stride_y = P::stride_y;
    static const int stride_x = P::stride_x;
    static const int dilation_y = P::dilation_y;
    static const int dilation_x = P::dilation_x;
    static const int pad_top = P::pad_top;
    static const int pad_left = P::pad_left;

    // The smallest input never wins.
    static typename P::in0_beat pad() {
#pragma HLS INLINE
        typename P::in0_beat beat = 0;
        for (int i = 0; i < P::in0_lanes; i++) {
#pragma HLS UNROLL
            set_lane(beat, i, typename P::in0_t(P::in0_lo));
        }
        return beat;
    }
};

template <class P>
void maxpool2d_reduce(hls::stream<typename P::in0_beat> &taps,
                      hls::stream<typename P::out_beat> &y) {
    const int lanes = P::in0_lanes;
    static_assert(P::channels % lanes == 0, "lanes do not divide the channels");
    typename P::in0_t best[lanes];
#pragma HLS ARRAY_PARTITION variable=best type=complete

pixel:
    for (int pixel = 0; pixel < P::out_height * P::out_width; pixel++) {
    channel:
        for (int channel = 0; channel < P::channels; channel += lanes) {
        tap:
            for (int tap = 0; tap < P::kernel_height * P::kernel_width; tap++) {
#pragma HLS PIPELINE II=1
                const typename P::in0_beat taken = taps.read();
                typename P::out_beat result = 0;
            lane:
                for (int i = 0; i < lanes; i++) {
#pragma HLS UNROLL
                    typename P::in0_t most = get_lane<typename P::in0_t>(taken, i);
                    if (tap != 0 && best[i] > most) most = best[i];
                    best[i] = most;
                    set_lane(result, i, typename P::out_t(most));
                }
                if (tap == P::kernel_height * P::kernel_width - 1) y.write(result);
            }
        }
    }
}

template <class P>
void maxpool2d(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
#pragma HLS DATAFLOW
    hls::stream<typename P::in0_beat> taps("taps");
    window<maxpool2d_window<P> >(x, taps);
    maxpool2d_reduce<P>(taps, y);
}

}  // namespace hwa

#endif
