// A line buffer: takes a pixel per step and presents every window, in the order of its results.
//
// A pass of PITCH steps moves along one row of the image and reads it. Windows that hang over the
// right edge complete in the steps after, where the columns outside the image hold nothing that
// counts; those that hang over the bottom complete in passes below it. Outside the image every
// element is G::pad.
#ifndef HWA_LINES_H
#define HWA_LINES_H

#include "types.h"

namespace hwa {

template <class G, class BEAT>
struct lines {
    // From the first to the last tap, and from the first to the last window of a row.
    static const int down = (G::kernel_height - 1) * G::dilation_y;
    static const int right = (G::kernel_width - 1) * G::dilation_x;
    static const int travel = (G::out_width - 1) * G::stride_x;
    // Passes and steps in front, for windows that end above the image or left of it.
    static const int above = G::pad_top > down ? G::pad_top - down : 0;
    static const int before = G::pad_left > right ? G::pad_left - right : 0;
    // No shorter than keeps the windows of two rows apart.
    static const int pitch = before + G::width > travel ? before + G::width : travel + 1;
    // The step that completes the first window, the last window, and that takes the last pixel.
    static const int first = (above + down - G::pad_top) * pitch + before + right - G::pad_left;
    static const int done = first + (G::out_height - 1) * G::stride_y * pitch + travel;
    static const int taken = (above + G::height - 1) * pitch + before + G::width - 1;
    static const int steps = (done > taken ? done : taken) + 1;
    static const int held = down > 0 ? down : 1;

    BEAT rows[held][G::width];
    BEAT window[G::kernel_height][right + 1];
    // The pixel of this step.
    int row, column;
    // The corner of the next window, and the steps before the one that completes it.
    int top, left, wait;

    lines() : row(-above), column(-before), top(-G::pad_top), left(-G::pad_left), wait(first) {
#pragma HLS ARRAY_PARTITION variable=rows dim=1 complete
#pragma HLS ARRAY_PARTITION variable=window dim=0 complete
    }

    // Take a step; true when it completes a window, whose taps are then in the array.
    template <class T, int COUNT>
    bool step(hls::stream<BEAT> &x, T (&taps)[COUNT]) {
#pragma HLS INLINE
        shift(x);
        if (wait > 0) {
            wait--;
            return false;
        }
        if (top > last_top) return false;
        present(taps);
        advance();
        return true;
    }

private:
    static const int last_top = (G::out_height - 1) * G::stride_y - G::pad_top;

    // Move the window by one column, which ends in the pixel of this step.
    void shift(hls::stream<BEAT> &x) {
#pragma HLS INLINE
        BEAT next[down + 1];
#pragma HLS ARRAY_PARTITION variable=next complete
        for (int r = 0; r <= down; r++) next[r] = 0;
        if (column >= 0 && column < G::width) {
            if (row >= 0 && row < G::height) next[down] = x.read();
            for (int r = 0; r < down; r++) {
#pragma HLS UNROLL
                next[r] = rows[r][column];
            }
            for (int r = 0; r < down; r++) {
#pragma HLS UNROLL
                rows[r][column] = next[r + 1];
            }
        }
        for (int ky = 0; ky < G::kernel_height; ky++) {
#pragma HLS UNROLL
            for (int k = 0; k < right; k++) {
#pragma HLS UNROLL
                window[ky][k] = window[ky][k + 1];
            }
            window[ky][right] = next[ky * G::dilation_y];
        }
        column++;
        if (column == pitch - before) {
            column = -before;
            row++;
        }
    }

    template <class T, int COUNT>
    void present(T (&taps)[COUNT]) const {
#pragma HLS INLINE
        static_assert(COUNT == G::kernel_height * G::kernel_width * G::channels, "not a window");
        for (int ky = 0; ky < G::kernel_height; ky++) {
#pragma HLS UNROLL
            for (int kx = 0; kx < G::kernel_width; kx++) {
#pragma HLS UNROLL
                const int iy = top + ky * G::dilation_y;
                const int ix = left + kx * G::dilation_x;
                const bool inside = iy >= 0 && iy < G::height && ix >= 0 && ix < G::width;
                for (int c = 0; c < G::channels; c++) {
#pragma HLS UNROLL
                    const int tap = (ky * G::kernel_width + kx) * G::channels + c;
                    taps[tap] = T(G::pad);
                    if (inside) taps[tap] = get_lane<T>(window[ky][kx * G::dilation_x], c);
                }
            }
        }
    }

    void advance() {
#pragma HLS INLINE
        if (left + G::pad_left < travel) {
            left += G::stride_x;
            wait = G::stride_x - 1;
        } else {
            left = -G::pad_left;
            top += G::stride_y;
            wait = G::stride_y * pitch - travel - 1;
        }
    }
};

}  // namespace hwa

#endif
