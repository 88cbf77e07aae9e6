// For simulation only: tensors in files, as frames of 64-bit integers in C order.
#ifndef HWA_CSIM_H
#define HWA_CSIM_H

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "axis.h"

namespace hwa {

// End the simulation with one line.
inline void fail(const char *what, const char *name) {
    std::fprintf(stderr, "csim: error: %s: %s\n", name, what);
    std::exit(1);
}

inline std::vector<long long> read_file(const char *name) {
    std::vector<long long> values;
    std::FILE *file = std::fopen(name, "rb");
    if (file == nullptr) fail("cannot be read", name);
    std::fseek(file, 0, SEEK_END);
    values.resize(std::ftell(file) / sizeof(long long));
    std::rewind(file);
    if (std::fread(values.data(), sizeof(long long), values.size(), file) != values.size()) {
        fail("cannot be read to its end", name);
    }
    std::fclose(file);
    return values;
}

inline void write_file(const char *name, const std::vector<long long> &values) {
    std::FILE *file = std::fopen(name, "wb");
    if (file == nullptr) fail("cannot be written", name);
    if (std::fwrite(values.data(), sizeof(long long), values.size(), file) != values.size()) {
        fail("cannot be written to its end", name);
    }
    std::fclose(file);
}

// Send one frame. PORT describes the tensor: element type, lanes, channels, pixels.
template <class PORT>
void send(const long long *frame, hls::stream<typename PORT::word_t> &port) {
    for (int at = 0; at < PORT::channels * PORT::pixels; at += PORT::lanes) {
        ap_uint<PORT::lanes * PORT::element_t::width> beat = 0;
        for (int i = 0; i < PORT::lanes; i++) {
            const int channel = (at + i) % PORT::channels;
            const int pixel = (at + i) / PORT::channels;
            set_lane(beat, i, typename PORT::element_t(frame[channel * PORT::pixels + pixel]));
        }
        typename PORT::word_t word;
        word.data = beat;
        word.keep = -1;
        word.strb = -1;
        word.last = at + PORT::lanes == PORT::channels * PORT::pixels;
        port.write(word);
    }
}

// Receive one frame; TLAST must be where the frame ends.
template <class PORT>
void receive(hls::stream<typename PORT::word_t> &port, long long *frame, const char *name) {
    for (int at = 0; at < PORT::channels * PORT::pixels; at += PORT::lanes) {
        if (port.empty()) fail("the frame is too short", name);
        const typename PORT::word_t word = port.read();
        const ap_uint<PORT::lanes * PORT::element_t::width> beat = word.data;
        for (int i = 0; i < PORT::lanes; i++) {
            const int channel = (at + i) % PORT::channels;
            const int pixel = (at + i) / PORT::channels;
            const typename PORT::element_t value =
                get_lane<typename PORT::element_t>(beat, i);
            frame[channel * PORT::pixels + pixel] = (long long)(value);
        }
        const bool end = at + PORT::lanes == PORT::channels * PORT::pixels;
        if (bool(word.last) != end) fail("TLAST is not at the end of the frame", name);
    }
    if (!port.empty()) fail("the frame is too long", name);
}

}  // namespace hwa

#endif
