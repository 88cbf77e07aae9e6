// For simulation only: tensors in files, as frames of 64-bit integers in C order.
#ifndef HWA_CSIM_H
#define HWA_CSIM_H

#include <cstddef>
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

// Index in C order of place `at` of the stream: channels are innermost there.
template <class PORT>
int c_order(int at) {
    return (at % PORT::channels) * PORT::pixels + at / PORT::channels;
}

// The frames of a file, sent one by one. PORT says element type, lanes, channels and pixels.
template <class PORT>
class source {
  public:
    hls::stream<typename PORT::word_t> port;

    explicit source(const char *name) : port(name), name_(name), at_(0) {
        std::FILE *file = std::fopen(name, "rb");
        if (file == nullptr) fail("cannot be opened", name);
        long long value;
        while (std::fread(&value, sizeof value, 1, file) == 1) values_.push_back(value);
        std::fclose(file);
        if (values_.size() % PORT::size != 0) fail("does not hold whole frames", name);
    }

    bool more() const { return at_ < values_.size(); }

    void send() {
        if (!more()) fail("holds fewer frames than the first input", name_);
        for (int beat = 0; beat < PORT::size; beat += PORT::lanes) {
            ap_uint<PORT::lanes * PORT::element_t::width> packed = 0;
            for (int i = 0; i < PORT::lanes; i++) {
                const long long value = values_[at_ + c_order<PORT>(beat + i)];
                set_lane(packed, i, typename PORT::element_t(value));
            }
            typename PORT::word_t word;
            word.data = packed;
            word.keep = -1;
            word.strb = -1;
            word.last = beat + PORT::lanes == PORT::size;
            port.write(word);
        }
        at_ += PORT::size;
    }

  private:
    const char *name_;
    std::size_t at_;
    std::vector<long long> values_;
};

// Frames received one by one, and written to a file. TLAST must be where each frame ends.
template <class PORT>
class sink {
  public:
    hls::stream<typename PORT::word_t> port;

    explicit sink(const char *name) : port(name), name_(name) {}

    void receive() {
        const std::size_t start = values_.size();
        values_.resize(start + PORT::size);
        for (int beat = 0; beat < PORT::size; beat += PORT::lanes) {
            if (port.empty()) fail("the frame is too short", name_);
            const typename PORT::word_t word = port.read();
            const ap_uint<PORT::lanes * PORT::element_t::width> packed = word.data;
            for (int i = 0; i < PORT::lanes; i++) {
                const typename PORT::element_t value =
                    get_lane<typename PORT::element_t>(packed, i);
                values_[start + c_order<PORT>(beat + i)] = (long long)value;
            }
            const bool last = beat + PORT::lanes == PORT::size;
            if ((word.last == 1) != last) fail("TLAST is not at the end of the frame", name_);
        }
        if (!port.empty()) fail("the frame is too long", name_);
    }

    void save() const {
        std::FILE *file = std::fopen(name_, "wb");
        if (file == nullptr) fail("cannot be written", name_);
        const std::size_t n = std::fwrite(values_.data(), sizeof(long long), values_.size(), file);
        if (std::fclose(file) != 0 || n != values_.size()) fail("cannot be written", name_);
    }

  private:
    const char *name_;
    std::vector<long long> values_;
};

}  // namespace hwa

#endif
