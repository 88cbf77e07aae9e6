// Between AXI-Stream ports, padded to whole bytes and with TLAST, and the streams of the design.
#ifndef HWA_AXIS_H
#define HWA_AXIS_H

#include "types.h"

#if __has_include("ap_axi_sdata.h")
#include "ap_axi_sdata.h"
#else
// The open simulation headers lack AMD's ap_axi_sdata.h: the fields of it that are used here.
template <int DATA, int USER, int ID, int DEST>
struct ap_axiu {
    ap_uint<DATA> data;
    ap_uint<DATA / 8> keep;
    ap_uint<DATA / 8> strb;
    ap_uint<1> last;
};
#endif

namespace hwa {

template <int BEATS, class WORD, class BEAT>
void axis_in(hls::stream<WORD> &port, hls::stream<BEAT> &y) {
beat:
    for (int beat = 0; beat < BEATS; beat++) {
#pragma HLS PIPELINE II=1
        const WORD word = port.read();
        y.write(BEAT(word.data));
    }
}

// TLAST marks the last beat of a frame.
template <int BEATS, class WORD, class BEAT>
void axis_out(hls::stream<BEAT> &x, hls::stream<WORD> &port) {
beat:
    for (int beat = 0; beat < BEATS; beat++) {
#pragma HLS PIPELINE II=1
        WORD word;
        word.data = x.read();
        word.keep = -1;
        word.strb = -1;
        word.last = beat == BEATS - 1;
        port.write(word);
    }
}

}  // namespace hwa

#endif
