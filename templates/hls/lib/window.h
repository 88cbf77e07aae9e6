// The taps of a sliding window, in the order
//
//   for oy, ox:  for group:  for repeat:  for ky, kx:  for g in 0 .. group_beats-1
//       beat g of the group, at (oy*stride_y - pad_top + ky*dilation_y,
//                                ox*stride_x - pad_left + kx*dilation_x)
//
// Outside the image the beat is G::pad(). Only the rows a window spans are held, in a ring.
#ifndef HWA_WINDOW_H
#define HWA_WINDOW_H

#include "types.h"

namespace hwa {

template <class G, class BEAT>
void window(hls::stream<BEAT> &x, hls::stream<BEAT> &taps) {
    const int pixel_beats = G::groups * G::group_beats;
    const int row_beats = G::width * pixel_beats;
    const int span = (G::kernel_height - 1) * G::dilation_y + 1;
    const int rows = span < G::height ? span : G::height;

    static BEAT ring[rows * row_beats];
#pragma HLS BIND_STORAGE variable=ring type=ram_s2p
    // Where each row of the window begins in the ring, or -1 outside the image.
    int row_start[G::kernel_height];
    int loaded = 0;

out_row:
    for (int oy = 0; oy < G::out_height; oy++) {
        const int top = oy * G::stride_y - G::pad_top;
    load:
        while (loaded < top + span && loaded < G::height) {
#pragma HLS LOOP_TRIPCOUNT min=0 max=rows
            const int start = (loaded % rows) * row_beats;
        load_row:
            for (int i = 0; i < row_beats; i++) {
#pragma HLS PIPELINE II=1
                ring[start + i] = x.read();
            }
            loaded++;
        }
    locate:
        for (int ky = 0; ky < G::kernel_height; ky++) {
            const int iy = top + ky * G::dilation_y;
            row_start[ky] = (iy < 0 || iy >= G::height) ? -1 : (iy % rows) * row_beats;
        }
    out_column:
        for (int ox = 0; ox < G::out_width; ox++) {
        group:
            for (int group = 0; group < G::groups; group++) {
            repeat:
                for (int repeat = 0; repeat < G::repeat; repeat++) {
                tap_y:
                    for (int ky = 0; ky < G::kernel_height; ky++) {
                    tap_x:
                        for (int kx = 0; kx < G::kernel_width; kx++) {
                        tap_beat:
                            for (int g = 0; g < G::group_beats; g++) {
#pragma HLS PIPELINE II=1
                                const int ix = ox * G::stride_x - G::pad_left + kx * G::dilation_x;
                                const bool inside = row_start[ky] >= 0 && ix >= 0 && ix < G::width;
                                const int at = row_start[ky] + ix * pixel_beats +
                                               group * G::group_beats + g;
                                taps.write(inside ? ring[at] : G::pad());
                            }
                        }
                    }
                }
            }
        }
    }

    // Rows below the last window.
discard:
    for (; loaded < G::height; loaded++) {
#pragma HLS LOOP_TRIPCOUNT min=0 max=rows
    discard_row:
        for (int i = 0; i < row_beats; i++) {
#pragma HLS PIPELINE II=1
            x.read();
        }
    }
}

}  // namespace hwa

#endif
