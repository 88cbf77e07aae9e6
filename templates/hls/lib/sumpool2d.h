// y = sum over the taps of each window, zeros around the image, P::in0_lanes channels per cycle.
#ifndef HWA_SUMPOOL2D_H
#define HWA_SUMPOOL2D_H

#include "window.h"

namespace hwa {

// The pooling in the words of window.h.
template <class P>
struct sumpool2d_window {
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
    static const int dilation_y = 1;
    static const int dilation_x = 1;
    static const int pad_top = P::pad_top;
    static const int pad_left = P::pad_left;
    static typename P::in0_beat pad() { return 0; }
};

template <class P>
void sumpool2d_reduce(hls::stream<typename P::in0_beat> &taps,
                      hls::stream<typename P::out_beat> &y) {
    const int lanes = P::in0_lanes;
    static_assert(P::channels % lanes == 0, "lanes do not divide the channels");
    typename P::acc_t acc[lanes];
#pragma HLS ARRAY_PARTITION variable=acc type=complete

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
                    typename P::acc_t sum = 0;
                    if (tap != 0) sum = acc[i];
                    sum += get_lane<typename P::in0_t>(taken, i);
                    acc[i] = sum;
                    set_lane(result, i, typename P::out_t(sum));
                }
                if (tap == P::kernel_height * P::kernel_width - 1) y.write(result);
            }
        }
    }
}

template <class P>
void sumpool2d(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y) {
#pragma HLS DATAFLOW
    hls::stream<typename P::in0_beat> taps("taps");
    window<sumpool2d_window<P> >(x, taps);
    sumpool2d_reduce<P>(taps, y);
}

}  // namespace hwa

#endif
