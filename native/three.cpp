// Sums of rows where a carry chain adds three numbers: an adder and one of its operands, an adder
// that nobody else reads, become one chain.
#include "engine.h"

namespace cmvm {

namespace {

constexpr int kAttempts = 200;   // plans at random for a sum that is built
constexpr u32 kRandom = 30;      // steps in a hundred of these that begin with any item

}  // namespace

// What a chain costs that adds `x`, `y` and `z` to `sum`. Below the second lowest of them the lowest
// passes through, unless it is subtracted.
double Engine::triple(const Item& x, const Item& y, const Item& z, const Item& sum) const {
  if (sum.range.lo == sum.range.hi) return 0;
  const Item* low = &x;
  const Item* next = &y;
  if (next->shift < low->shift) std::swap(low, next);
  if (z.shift < low->shift) {
    next = low;
    low = &z;
  } else if (z.shift < next->shift) {
    next = &z;
  }
  const bool passes = low->negative == sum.negative;
  return options_.cost.chain(sum.top - (passes ? next : low)->shift);
}

// The place of the item that is best added to `items[x]`, the sum that the last step made, in the
// same chain, or `x` where `room` leaves none.
size_t Engine::third(const std::vector<Item>& items, size_t x, const Merge& made, u64 load,
                     u64 room) const {
  const int a = tree_[made.a].shift, b = tree_[made.b].shift;
  return cheapest(items, x, load, room, std::min(a, b), std::max(a, b));
}

// What the steps of a sum cost where each may take in one of its operands that is a step as well.
// `tree_` holds the items, then the results of the steps.
double Engine::paired(const std::vector<Merge>& steps, size_t items) {
  spent_.assign(tree_.size(), 0);
  for (size_t v = items; v < tree_.size(); ++v) {
    const Merge& m = steps[v - items];
    const size_t ends[] = {size_t(m.a), size_t(m.b)};
    double best = price_[v - items] + spent_[ends[0]] + spent_[ends[1]];
    for (int i = 0; i < 2; ++i) {
      const size_t inner = ends[i], other = ends[1 - i];
      if (inner < items) continue;
      const Merge& n = steps[inner - items];
      const double cost = triple(tree_[n.a], tree_[n.b], tree_[other], tree_[v]) + spent_[n.a] +
                          spent_[n.b] + spent_[other];
      best = std::min(best, cost);
    }
    spent_[v] = best;
  }
  return spent_.back();
}

// Add the items of `tree_` in the order of one plan; the steps are left in `steps_`.
double Engine::planned(Plan plan, u64 room, bool output, Item* total) {
  const size_t count = tree_.size();
  std::vector<Item>& left = left_;
  left.assign(tree_.begin(), tree_.end());
  steps_.clear();
  price_.clear();
  u64 load = 0;
  if (room)
    for (const Item& i : left) load += load_unit(i.depth);
  for (size_t i = 0; i < count; ++i) left[i].ref = int(i);
  bool pair = plan == Plan::kPairs || plan == Plan::kPairFirst;
  bool open = false;  // the last step may take in a third number
  size_t x = 0;
  while (left.size() > 1) {
    size_t y = open ? third(left, x, steps_.back(), load, room) : x;
    if (y == x) {
      open = false;
      const bool random = dice_ && dice_->below(100) < kRandom;
      x = random ? dice_->below(u32(left.size())) : narrowest(left);
      y = partner(left, load, room, &x);
    }
    Item joined;
    Merge step;
    price_.push_back(join(left[x], left[y], left.size() == 2, &joined, &step));
    if (room) load += load_unit(joined.depth) - load_unit(left[x].depth) - load_unit(left[y].depth);
    joined.ref = int(tree_.size());
    tree_.push_back(joined);
    steps_.push_back(step);
    left[x] = joined;
    left[y] = left.back();
    if (x + 1 == left.size()) x = y;
    left.pop_back();
    open = !open && !pair;
    if (plan != Plan::kPairs) pair = false;
  }
  *total = left[0];
  const double spent = paired(steps_, count);
  tree_.resize(count);
  if (!output || !total->negative) return spent;
  return spent + options_.cost.chain(width(total->range) - total->shift);
}

// The cheapest known way to add the items, a negation at an output included; the order of the steps
// as in `sum_of_pairs`. What is to be built, so that `merges` is wanted, is planned often.
double Engine::sum_of_threes(const std::vector<Item>& items, u64 room, bool output,
                             std::vector<Merge>* merges, Item* total) {
  if (items.empty()) return 0;
  double best = -1;
  Item last;
  const auto attempt = [&](Plan plan) {
    tree_.assign(items.begin(), items.end());
    const double spent = planned(plan, room, output, &last);
    if (best >= 0 && spent >= best) return;
    best = spent;
    *total = last;
    if (merges) *merges = steps_;
  };
  if (room || items.size() < 5) attempt(Plan::kPairs);
  if (items.size() < 3) return best;
  if (items.size() % 2 == 0) attempt(Plan::kPairFirst);
  attempt(Plan::kPairLast);
  if (!merges || items.size() == 3) return best;
  Random dice(items.size());
  dice_ = &dice;
  for (int i = 0; i < kAttempts; ++i) attempt(Plan(dice.below(3)));
  dice_ = nullptr;
  return best;
}

}  // namespace cmvm
