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

  void prefetch(u64 key) const { __builtin_prefetch(&slots_[home(key)], 1); }

  Slot& at(u64 key) {
    if ((used_ + 1) * 3 > slots_.size() * 2) grow();
    size_t i = home(key);
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

  // Where a slot is, until `moves` changes.
  size_t place(const Slot& slot) const { return size_t(&slot - slots_.data()); }
  Slot& at_place(size_t place) { return slots_[place]; }
  int moves() const { return moves_; }

  template <typename Visit>
  void each(Visit visit) {
    for (Slot& s : slots_)
      if (s.key != kEmpty) visit(s);
  }

 private:
  static constexpr u64 kEmpty = ~u64(0);

  size_t home(u64 key) const { return size_t((key * 0x9e3779b97f4a7c15ULL) >> shift_); }

  void resize(size_t size) {
    slots_.assign(size, Slot{kEmpty, 0, 0});
    mask_ = size - 1;
    shift_ = 64 - __builtin_ctzll(size);
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
    ++moves_;
    for (const Slot& s : old) {
      if (s.key == kEmpty || s.count == 0) continue;
      size_t i = home(s.key);
      while (slots_[i].key != kEmpty) i = (i + 1) & mask_;
      slots_[i] = s;
      ++used_;
    }
  }

  std::vector<Slot> slots_;
  size_t mask_ = 0;
  int shift_ = 0;
  size_t used_ = 0;
  int moves_ = 0;
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

  // Take a pattern of the highest score or, where `stray` says so, now and then one of the next few.
  bool pop(Random& random, bool stray, u64* key, int* score) {
    while (top_ > 0 && levels_[size_t(top_)].empty()) --top_;
    if (top_ == 0) return false;
    int at = top_;
    if (stray && random.below(100) < kStray) {
      int down = 1 + int(random.below(kNext));
      for (int l = top_ - 1; l > 0 && l >= top_ - kReach && down > 0; --l) {
        if (levels_[size_t(l)].empty()) continue;
        at = l;
        --down;
      }
    }
    auto& level = levels_[size_t(at)];
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
  static constexpr u32 kStray = 35;  // in a hundred
  static constexpr u32 kNext = 4;
  static constexpr int kReach = 40;
  std::vector<std::vector<std::pair<u64, int>>> levels_ =
      std::vector<std::vector<std::pair<u64, int>>>(kLevels);
  int top_ = 0;
};

}  // namespace cmvm
