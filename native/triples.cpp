// Patterns of three terms, for chains that add three numbers.
//
// A row of w digits takes w / 2 such chains, rounded down. A shared sum of three terms so is one
// chain, as a shared sum of two is, but saves twice as much in every row that uses it.
#include "engine.h"

namespace cmvm {

namespace {

constexpr int kWider = 3;     // bits by which the chains of rows are guessed to be wider than a pattern's
constexpr double kHalf = 0.5;  // of a chain, what a digit less saves in a row that will lose more
constexpr double kOdd = 0.1;   // likewise where the row keeps its number of chains

i64 power(int k, bool negative) { return negative ? -(i64(1) << k) : i64(1) << k; }

u64 pack_third(int node, int shift, bool negative) {
  return (u64(node) << 8) | u64((shift + 64) << 1) | u64(negative);
}

}  // namespace

// Find the third term with which a pattern saves most in the rows that have it; whether that is more
// than the pattern alone saves.
bool Engine::third_term(const Pattern& p, const std::vector<int>& hosts, bool known) {
  const Interval &ra = nodes_[p.a].range, &rb = nodes_[p.b].range;
  const Interval sum = combine(ra, rb, p.shift, p.subtract);
  const CostModel& model = options_.cost;
  const double own = model.chain(chain_bits(ra, rb, p.shift, p.subtract, sum));
  double two = known ? 0 : -own;
  thirds_.clear();
  for (int row : hosts) {
    const Row& r = rows_[row];
    const int digits = r.weight + int(is_output(row) && problem_.bias[row] != 0);
    const int chains = digits / 2;
    const bool settled = recording_ && r.cost > 0;
    const double chain = settled ? (chains ? r.cost / chains : 0) : own + kWider * model.bit;
    Term a{}, b{};
    i64 taken = 0;
    const int places = take(row, p, 0, &a, &b, &taken);
    const int fewer = chains - (digits - places) / 2;
    two += recording_ ? chain * (fewer + kOdd * (places - 2 * fewer)) : chain * kHalf * places;
    thirds_of(row, p, chain);
  }
  std::sort(thirds_.begin(), thirds_.end());
  double three = 0;
  for (size_t i = 0, j = 0; i < thirds_.size(); i = j) {
    double saved = -own - 2 * model.bit;
    for (; j < thirds_.size() && thirds_[j].first == thirds_[i].first; ++j)
      saved += thirds_[j].second;
    if (j - i < 2 || saved <= three) continue;
    three = saved;
    third_ = thirds_[i].first;
  }
  return three > 0 && three > two;
}

// List the digits that a row has beside the first place of a pattern, relative to it.
void Engine::thirds_of(int row, const Pattern& p, double chain) {
  Occurrence o;
  if (!occurrence(p, *find(row, p.a), *find(row, p.b), &o)) return;
  const i64 fa = power(o.shift + std::max(0, -p.shift), o.negative);
  const i64 fb = power(o.shift + std::max(0, p.shift), o.negative != p.subtract);
  for (const Term& t : rows_[row].terms) {
    Digits d = t.digits;
    if (t.node == p.a || t.node == p.b)
      d = minimal_digits(t.coef - (t.node == p.a ? fa : 0) - (t.node == p.b ? fb : 0));
    for (u64 x = d.pos | d.neg; x; x &= x - 1) {
      const int k = trailing_zeros(x);
      const bool negative = (((d.neg >> k) & 1) != 0) != o.negative;
      thirds_.push_back({pack_third(t.node, k - o.shift, negative), chain});
    }
  }
  operations_ += i64(rows_[row].terms.size());
}

// Make a pattern with the third term that was found a node, in all of `hosts` that have it.
bool Engine::share_three(const Pattern& p, const std::vector<int>& hosts) {
  const int k = int((third_ >> 1) & 0x7f) - 64, up = std::max(0, -k);
  Sum sum;
  const auto include = [&sum](int node, i64 coef) {
    for (auto& [other, total] : sum)
      if (other == node) {
        total += coef;
        return;
      }
    sum.push_back({node, coef});
  };
  include(p.a, power(std::max(0, -p.shift) + up, false));
  include(p.b, power(std::max(0, p.shift) + up, p.subtract));
  include(int(third_ >> 8), power(k + up, third_ & 1));
  u64 load = 0;
  int digits = 0;
  for (const auto& [node, coef] : sum) {
    load += u64(weight(coef)) * load_unit(nodes_[node].depth);
    digits += weight(coef);
  }
  if (digits < 3) return false;
  const int depth = base_depth_ + (load > 1 ? bit_length(load - 1) : 0);
  std::vector<std::pair<int, i64>> users;
  for (int row : hosts) {
    const i64 taken = multiple(row, sum, digits, depth);
    if (taken != 0) users.push_back({row, taken});
  }
  if (users.size() < 2) return false;
  const int made = sum_node(sum);
  for (const auto& [row, taken] : users) {
    for (const auto& [node, coef] : sum) add(row, node, -taken * coef);
    add(row, made, taken);
  }
  return true;
}

// How often a sum of several digits is in a row, as a multiple of it. A row of limited depth has to
// have room for it at `depth`.
i64 Engine::multiple(int row, const Sum& sum, int digits, int depth) const {
  std::vector<i64> left;
  for (const auto& [node, coef] : sum) {
    const Term* t = find(row, node);
    if (!t) return 0;
    left.push_back(t->coef);
  }
  u64 load = rows_[row].load;
  i64 taken = 0;
  for (;;) {
    const i64 unit = place(sum, left, digits);
    if (unit == 0) return taken;
    if (rows_[row].room) {
      load += load_unit(depth);
      for (const auto& [node, coef] : sum) load -= load_unit(nodes_[node].depth) * u64(weight(coef));
      if (load > rows_[row].room) return taken;
    }
    for (size_t i = 0; i < sum.size(); ++i) left[i] -= unit * sum[i].second;
    taken += unit;
  }
}

// A signed power of two times a sum whose removal from some coefficients takes all its digits away;
// 0 if there is none.
i64 Engine::place(const Sum& sum, const std::vector<i64>& left, int digits) {
  const Digits lead = minimal_digits(left[0]);
  const int low = trailing_zeros(magnitude(sum[0].second));
  for (u64 x = (lead.pos | lead.neg) >> low; x; x &= x - 1)
    for (const bool negative : {false, true}) {
      const i64 unit = power(trailing_zeros(x), negative);
      int fewer = 0;
      for (size_t i = 0; i < sum.size(); ++i)
        fewer += weight(left[i]) - weight(left[i] - unit * sum[i].second);
      if (fewer == digits) return unit;
    }
  return 0;
}

}  // namespace cmvm
