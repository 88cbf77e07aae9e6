// How often every two-term pattern occurs, and which is worth most.
#pragma once

#include "common.h"

namespace cmvm {

// value = (a << max(0, -shift)) +/- (b << max(0, shift)), with a <= b.
struct Pattern {
  int a, b, shift;
  bool subtract;
};

inline u64 pack(int a, int b, int shift, bool subtract) {
  return (u64(a) << 40) | (u64(b) << 16) | (u64(shift + 64) << 1) | u64(subtract);
}

inline Pattern unpack(u64 key) {
  return {int(key >> 40), int((key >> 16) & 0xffffff), int((key >> 1) & 0x7f) - 64, (key & 1) != 0};
}

struct Slot {
  u64 key;
  int count;
  float worth;   // value of one saved adder; negative until it is needed
  float queued;  // best score under which it waits in the queue
};

// Open addressing; a pattern without occurrences keeps its slot until the table grows.
class Table {
 public:
  Table() { resize(1 << 10); }

  Slot& at(u64 key) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    size_t i = mix(key) & mask_;
    while (slots_[i].key != key) {
      if (slots_[i].key == kEmpty) {
        slots_[i] = {key, 0, -1.0f, 0.0f};
        ++used_;
        break;
      }
      i = (i + 1) & mask_;
    }
    return slots_[i];
  }

 private:
  static constexpr u64 kEmpty = ~u64(0);

  void resize(size_t size) {
    slots_.assign(size, Slot{kEmpty, 0, -1.0f, 0.0f});
    mask_ = size - 1;
    used_ = 0;
  }

  void grow() {
    size_t live = 0;
    for (const Slot& s : slots_) live += s.key != kEmpty && s.count > 0;
    std::vector<Slot> old;
    old.swap(slots_);
    size_t size = 1 << 10;
    while (size < live * 4) size *= 2;
    resize(size);
    for (const Slot& s : old) {
      if (s.key == kEmpty || s.count == 0) continue;
      size_t i = mix(s.key) & mask_;
      while (slots_[i].key != kEmpty) i = (i + 1) & mask_;
      slots_[i] = s;
      ++used_;
    }
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  size_t used_ = 0;
};

struct Entry {
  float score;
  u32 tie;
  u64 key;
  bool operator<(const Entry& o) const {
    if (score != o.score) return score < o.score;
    if (tie != o.tie) return tie < o.tie;
    return key < o.key;
  }
};

}  // namespace cmvm
