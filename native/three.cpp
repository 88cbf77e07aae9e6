// Sums of rows where a carry chain adds three numbers: an adder and one of its operands, an adder
// that nobody else reads, become one chain.
#include "engine.h"

namespace cmvm {

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
  const int low = std::min(a, b), high = std::max(a, b);
  size_t y = x;
  int best = 0;
  const Item& p = items[x];
  const u64 unit = room ? load_unit(p.depth) : 0;
  for (size_t j = 0; j < items.size(); ++j) {
    if (j == x) continue;
    const Item& q = items[j];
    if (room) {
      const u64 other = load_unit(q.depth);
      if (load + 2 * std::max(unit, other) - unit - other > room) continue;
    }
    const int top = width({p.range.lo + q.range.lo, p.range.hi + q.range.hi});
    const int key = (top - std::clamp(q.shift, low, high)) * 1024 + top;
    if (y == x || key < best) {
      best = key;
      y = j;
    }
  }
  return y;
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

// Add the items in the order of one plan.
double Engine::planned(Plan plan, u64 room, std::vector<Merge>* steps, Item* total) {
  std::vector<Item>& left = left_;
  left.assign(tree_.begin(), tree_.end());
  const size_t count = left.size();
  steps->clear();
  price_.clear();
  u64 load = 0;
  if (room)
    for (const Item& i : left) load += load_unit(i.depth);
  for (size_t i = 0; i < count; ++i) left[i].ref = int(i);
  bool pair = plan == Plan::kPairs || (plan == Plan::kPairFirst && count % 2 == 0);
  bool open = false;  // the last sum wants a third number
  size_t x = 0;
  while (left.size() > 1) {
    size_t y = x;
    if (open) y = third(left, x, steps->back(), load, room);
    if (y == x) {
      open = false;
      x = narrowest(left);
      y = partner(left, load, room, &x);
    }
    Item joined;
    Merge step;
    price_.push_back(join(left[x], left[y], left.size() == 2, &joined, &step));
    if (room)
      load += load_unit(joined.depth) - load_unit(left[x].depth) - load_unit(left[y].depth);
    joined.ref = int(tree_.size());
    tree_.push_back(joined);
    steps->push_back(step);
    left[x] = joined;
    left[y] = left.back();
    if (x + 1 == left.size()) x = y;
    left.pop_back();
    open = !open && !pair;
    if (plan != Plan::kPairs) pair = false;
  }
  *total = left[0];
  const double spent = paired(*steps, count);
  tree_.resize(count);
  return spent;
}

// The cheapest way to add the items; the order of the steps as in `sum`.
double Engine::sum_of_threes(const std::vector<Item>& items, u64 room, bool output,
                             std::vector<Merge>* merges, Item* total) {
  if (items.empty()) return 0;
  if (items.size() == 1) {
    *total = items[0];
    return 0;
  }
  double best = 0;
  bool first = true;
  Item last;
  for (const Plan plan : {Plan::kPairs, Plan::kPairFirst, Plan::kPairLast}) {
    if (plan == Plan::kPairFirst && items.size() % 2) continue;
    tree_.assign(items.begin(), items.end());
    double spent = planned(plan, room, &steps_, &last);
    if (last.negative && output) spent += options_.cost.chain(width(last.range) - last.shift);
    if (!first && spent >= best) continue;
    best = spent;
    first = false;
    *total = last;
    if (merges) merges->swap(steps_);
  }
  return best;
}

}  // namespace cmvm
