// Shared ground of the optimizer: signed digits, intervals, the cost of an adder, random numbers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace cmvm {

using i64 = std::int64_t;
using u64 = std::uint64_t;
using u32 = std::uint32_t;

inline u64 magnitude(i64 value) { return value < 0 ? u64(0) - u64(value) : u64(value); }

// Least number of signed digits of a number (the weight of its non-adjacent form).
inline int weight(i64 value) {
  const u64 m = magnitude(value);
  return __builtin_popcountll(m ^ (3 * m));
}

inline int bit_length(u64 value) { return value == 0 ? 0 : 64 - __builtin_clzll(value); }
inline int trailing_zeros(u64 value) { return value == 0 ? 64 : __builtin_ctzll(value); }

// A set of signed powers of two: bit k of `pos` is +2^k, of `neg` is -2^k.
struct Digits {
  u64 pos = 0;
  u64 neg = 0;
};

// The non-adjacent form.
inline Digits canonical_digits(i64 value) {
  const u64 m = magnitude(value);
  const u64 half = m >> 1;
  const u64 sum = m + half;
  const u64 nonzero = half ^ sum;
  const Digits d{sum & nonzero, half & nonzero};
  return value < 0 ? Digits{d.neg, d.pos} : d;
}

// Every signed power of two whose removal leaves one digit fewer: the union of all minimal forms.
inline Digits minimal_digits(i64 value) {
  const int w = weight(value);
  const int top = bit_length(magnitude(value));
  Digits d;
  for (int k = trailing_zeros(magnitude(value)); k <= top; ++k) {
    if (weight(value - (i64(1) << k)) < w) d.pos |= u64(1) << k;
    if (weight(value + (i64(1) << k)) < w) d.neg |= u64(1) << k;
  }
  return d;
}

struct Interval {
  i64 lo = 0;
  i64 hi = 0;
};

// Bits of the two's complement (or, without negative values, plain) code of an interval.
inline int width(const Interval& v) {
  if (v.lo >= 0) return bit_length(u64(v.hi));
  const u64 below = u64(-(v.lo + 1));
  const u64 above = v.hi > 0 ? u64(v.hi) : 0;
  return std::max(bit_length(below), bit_length(above)) + 1;
}

// What an adder costs: `fixed` plus `bit` per position of the carry chain in steps of `granule`.
struct CostModel {
  double fixed = 0;
  double bit = 1;
  int granule = 1;
  bool ternary = false;  // a chain adds three numbers as well as two

  double chain(int bits) const {
    if (bits <= 0) return 0;
    return fixed + bit * double((bits + granule - 1) / granule * granule);
  }
};

// Positions of the carry chain of `result` = (a << max(0, -shift)) +/- (b << max(0, shift)).
inline int chain_bits(const Interval& a, const Interval& b, int shift, bool subtract,
                      const Interval& result) {
  if (result.lo == result.hi) return 0;
  const int top = width(result);
  if (shift >= 0) {
    if (!subtract && a.lo >= 0 && width(a) <= shift) return 0;  // a concatenation
    return std::max(0, top - shift);
  }
  if (subtract) return top;
  if (b.lo >= 0 && width(b) <= -shift) return 0;
  return std::max(0, top + shift);
}

inline Interval combine(const Interval& a, const Interval& b, int shift, bool subtract) {
  const i64 fa = i64(1) << std::max(0, -shift);
  const i64 fb = i64(1) << std::max(0, shift);
  if (subtract) return {a.lo * fa - b.hi * fb, a.hi * fa - b.lo * fb};
  return {a.lo * fa + b.lo * fb, a.hi * fa + b.hi * fb};
}

inline u64 mix(u64 x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

struct Random {
  u64 state;
  explicit Random(u64 seed) : state(mix(seed)) {}
  u64 next() { return mix(state++); }
  u32 below(u32 n) { return u32((u64(u32(next() >> 32)) * n) >> 32); }
};

}  // namespace cmvm
