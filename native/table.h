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
  int queued;  // score of its valid entry in the queue, or that at which it last was of no use
};

// Open addressing; a pattern without occurrences keeps its slot until the table grows.
class Table {
 public:
  Table() { resize(1 << 10); }

  void prefetch(u64 key) const { __builtin_prefetch(&slots_[mix(key) & mask_], 1); }

  Slot& at(u64 key) {
    if ((used_ + 1) * 2 > slots_.size()) grow();
    size_t i = mix(key) & mask_;
    while (slots_[i].key != key) {
      if (slots_[i].key == kEmpty) {
        slots_[i] = {key, 0, 0};
        ++used_;
        break;
      }
      i = (i + 1) & mask_;
    }
    return slots_[i];
  }

  template <typename Visit>
  void each(Visit visit) {
    for (Slot& s : slots_)
      if (s.key != kEmpty) visit(s);
  }

 private:
  static constexpr u64 kEmpty = ~u64(0);

  void resize(size_t size) {
    slots_.assign(size, Slot{kEmpty, 0, 0});
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

// Patterns by score; among equals a random one comes first. Entries are not removed when scores
// change: whoever takes one compares it with the slot.
class Queue {
 public:
  void push(int score, u64 key) {
    const int level = std::min(score, kLevels - 1);
    levels_[size_t(level)].push_back({key, score});
    top_ = std::max(top_, level);
  }

  bool pop(Random& random, u64* key, int* score) {
    while (top_ > 0 && levels_[size_t(top_)].empty()) --top_;
    if (top_ == 0) return false;
    auto& level = levels_[size_t(top_)];
    std::swap(level[random.below(u32(level.size()))], level.back());
    *key = level.back().first;
    *score = level.back().second;
    level.pop_back();
    return true;
  }

  void clear() {
    for (; top_ > 0; --top_) levels_[size_t(top_)].clear();
  }

 private:
  static constexpr int kLevels = 4096;
  std::vector<std::vector<std::pair<u64, int>>> levels_ =
      std::vector<std::vector<std::pair<u64, int>>>(kLevels);
  int top_ = 0;
};

}  // namespace cmvm
