// Runs the Verilog of NNgen on frames, with a memory at its AXI master that never stalls.
//   MODEL IMAGE FRAMES BYTES_PER_FRAME X_ADDRESS Y_ADDRESS OUTPUTS LATENCY
// Prints a line per frame: the cycles from the write that starts it to the interrupt that ends it,
// then the outputs, which are signed bytes. LATENCY is the cycles from a read request to its data.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include "Vlenet.h"
#include "verilated.h"

namespace {

constexpr uint64_t LIMIT = 5'000'000;
// Registers of the slave port, in bytes.
constexpr uint32_t START = 16, ENABLE = 40, ACKNOWLEDGE = 44;

[[noreturn]] void fail(const char* text) {
    std::fprintf(stderr, "nngen_lenet: %s\n", text);
    std::exit(3);
}

std::vector<uint8_t> contents(const char* path) {
    std::FILE* file = std::fopen(path, "rb");
    if (!file) fail("cannot read a file");
    std::vector<uint8_t> data;
    for (int byte; (byte = std::fgetc(file)) != EOF;) data.push_back(static_cast<uint8_t>(byte));
    std::fclose(file);
    return data;
}

struct Request {
    uint64_t address, beats, ready_at;
};

class Bench {
  public:
    Bench(std::vector<uint8_t> image, uint64_t latency) : memory_(std::move(image)), latency_(latency) {
        memory_.resize(memory_.size() + (1 << 20));
        for (int i = 0; i < 20; i++) step();
        top_.RESETN = 1;
        for (int i = 0; i < 20; i++) step();
        write(ENABLE, 1);
    }
    uint8_t* at(uint64_t address) { return memory_.data() + address; }

    // Returns the cycles from the accepted write to the interrupt.
    uint64_t run() {
        write(START, 1);
        const uint64_t began = cycle_;
        while (!top_.irq) {
            step();
            if (cycle_ - began > LIMIT) fail("no interrupt");
        }
        const uint64_t took = cycle_ - began;
        write(ACKNOWLEDGE, 1);
        for (int i = 0; i < 20; i++) step();
        return took;
    }

  private:
    void write(uint32_t address, uint32_t value) {
        bool address_done = false, data_done = false;
        while (!address_done || !data_done) {
            top_.saxi_awvalid = !address_done;
            top_.saxi_wvalid = !data_done;
            top_.saxi_awaddr = address;
            top_.saxi_wdata = value;
            top_.saxi_wstrb = 15;
            settle();
            address_done |= top_.saxi_awvalid && top_.saxi_awready;
            data_done |= top_.saxi_wvalid && top_.saxi_wready;
            step();
        }
        top_.saxi_awvalid = top_.saxi_wvalid = 0;
    }

    void settle() {
        const bool data = !reads_.empty() && reads_.front().ready_at <= cycle_;
        top_.maxi_arready = top_.maxi_awready = 1;
        top_.maxi_wready = !writes_.empty();
        top_.maxi_bvalid = answers_ > 0;
        top_.maxi_rvalid = data;
        top_.maxi_rlast = data && reads_.front().beats == 1;
        if (data) std::memcpy(&top_.maxi_rdata, at(reads_.front().address), BUS / 8);
        top_.saxi_bready = top_.saxi_rready = 1;
        top_.CLK = 0;
        top_.eval();
    }

    // One clock: the memory hands out a beat and takes a beat.
    void step() {
        settle();
        if (top_.maxi_rvalid && top_.maxi_rready) {
            reads_.front().address += BUS / 8;
            if (--reads_.front().beats == 0) reads_.pop_front();
        }
        if (top_.maxi_wvalid && top_.maxi_wready) store();
        if (top_.maxi_bvalid && top_.maxi_bready) answers_--;
        if (top_.maxi_arvalid && top_.RESETN)
            reads_.push_back({top_.maxi_araddr, top_.maxi_arlen + 1ULL, cycle_ + latency_});
        if (top_.maxi_awvalid && top_.RESETN)
            writes_.push_back({top_.maxi_awaddr, top_.maxi_awlen + 1ULL, 0});
        top_.CLK = 1;
        top_.eval();
        cycle_++;
    }

    void store() {
        uint8_t data[BUS / 8];
        std::memcpy(data, &top_.maxi_wdata, BUS / 8);
        Request& request = writes_.front();
        for (int i = 0; i < BUS / 8; i++)
            if (top_.maxi_wstrb >> i & 1) *at(request.address + i) = data[i];
        request.address += BUS / 8;
        if (--request.beats == 0) {
            if (!top_.maxi_wlast) fail("the last beat of a write is not marked");
            writes_.pop_front();
            answers_++;
        }
    }

    std::vector<uint8_t> memory_;
    std::deque<Request> reads_, writes_;
    uint64_t latency_, cycle_ = 0, answers_ = 0;
    Vlenet top_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 8) fail("wrong arguments");
    const std::vector<uint8_t> frames = contents(argv[2]);
    uint64_t numbers[5];
    for (int i = 0; i < 5; i++) numbers[i] = std::strtoull(argv[3 + i], nullptr, 10);
    const auto [size, x, y, outputs, latency] = numbers;
    Bench bench(contents(argv[1]), latency);
    for (size_t frame = 0; frame < frames.size() / size; frame++) {
        std::memcpy(bench.at(x), frames.data() + frame * size, size);
        std::memset(bench.at(y), 0x55, outputs);
        std::printf("%llu", static_cast<unsigned long long>(bench.run()));
        for (size_t i = 0; i < outputs; i++) std::printf(" %d", int(static_cast<int8_t>(*bench.at(y + i))));
        std::printf("\n");
    }
    return 0;
}
