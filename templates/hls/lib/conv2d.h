// y[o] = ((sum_{i,ky,kx} weight[o][i][ky][kx] * x[i][...]) << shift[o]) + bias[o]
//
// Takes P::simd input channels and computes P::pe output channels per cycle; a depthwise
// convolution has one input channel for each of its P::pe lanes. Zeros surround the image.
#ifndef HWA_CONV2D_H
#define HWA_CONV2D_H

#include "window.h"

namespace hwa {

// The convolution in the words of window.h.
template <class P>
struct conv2d_window {
    static const bool depthwise = P::groups == P::outputs && P::groups == P::channels;
    static const int inputs = P::channels / P::groups;
    static const int groups = depthwise ? P::outputs / P::pe : P::groups;
    static const int group_beats = depthwise ? 1 : inputs / P::simd;
    static const int repeat = depthwise ? 1 : P::outputs / P::groups / P::pe;
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
    static typename P::in0_beat pad() { return 0; }
};

template <class P, class W, class S, class B>
void conv2d_accumulate(
    hls::stream<typename P::in0_beat> &taps, hls::stream<typename P::out_beat> &y,
    const W weight[P::outputs][P::channels / P::groups][P::kernel_height][P::kernel_width],
    const S shift[P::outputs], const B bias[P::outputs]) {
    typedef conv2d_window<P> G;
    const int pe = P::pe;
    const int simd = P::simd;
    static_assert(G::groups * G::repeat * pe == P::outputs, "fold does not divide the outputs");
    static_assert(G::group_beats * simd == G::inputs, "fold does not divide the inputs");
#pragma HLS ARRAY_RESHAPE variable=weight type=cyclic factor=pe dim=1
#pragma HLS ARRAY_RESHAPE variable=weight type=cyclic factor=simd dim=2
#pragma HLS ARRAY_RESHAPE variable=shift type=cyclic factor=pe
#pragma HLS ARRAY_RESHAPE variable=bias type=cyclic factor=pe

    typename P::acc_t acc[pe];
#pragma HLS ARRAY_PARTITION variable=acc type=complete

pixel:
    for (int pixel = 0; pixel < P::out_height * P::out_width; pixel++) {
    channel:
        for (int channel = 0; channel < P::outputs; channel += pe) {
        tap_y:
            for (int ky = 0; ky < P::kernel_height; ky++) {
            tap_x:
                for (int kx = 0; kx < P::kernel_width; kx++) {
                tap_beat:
                    for (int g = 0; g < G::group_beats; g++) {
#pragma HLS PIPELINE II=1
                        const bool first = ky == 0 && kx == 0 && g == 0;
                        const bool last = ky == P::kernel_height - 1 &&
                                          kx == P::kernel_width - 1 && g == G::group_beats - 1;
                        const typename P::in0_beat taken = taps.read();
                    output:
                        for (int p = 0; p < pe; p++) {
#pragma HLS UNROLL
                            const int o = channel + p;
                            typename P::acc_t sum = 0;
                            if (!first) sum = acc[p];
                        input:
                            for (int s = 0; s < simd; s++) {
#pragma HLS UNROLL
                                const int lane = G::depthwise ? p : s;
                                sum += get_lane<typename P::in0_t>(taken, lane) *
                                       weight[o][g * simd + s][ky][kx];
                            }
                            acc[p] = sum;
                        }
                        if (last) {
                            typename P::out_beat result = 0;
                        finish:
                            for (int p = 0; p < pe; p++) {
#pragma HLS UNROLL
                                const int o = channel + p;
                                set_lane(result, p,
                                         typename P::out_t((acc[p] << int(shift[o])) + bias[o]));
                            }
                            y.write(result);
                        }
                    }
                }
            }
        }
    }
}

template <class P, class W, class S, class B>
void conv2d(hls::stream<typename P::in0_beat> &x, hls::stream<typename P::out_beat> &y,
            const W weight[P::outputs][P::channels / P::groups][P::kernel_height][P::kernel_width],
            const S shift[P::outputs], const B bias[P::outputs]) {
#pragma HLS DATAFLOW
    hls::stream<typename P::in0_beat> taps("taps");
    window<conv2d_window<P> >(x, taps);
    conv2d_accumulate<P>(taps, y, weight, shift, bias);
}

}  // namespace hwa

#endif
