// The order in which the terms of one row are added.
#include <limits>

#include "engine.h"

namespace cmvm {

namespace {

Interval negated(const Interval& v) { return {-v.hi, -v.lo}; }

}  // namespace

Engine::Item Engine::item(const Interval& node, int shift, bool negative, int depth, int ref) {
  Item i;
  const i64 factor = i64(1) << shift;
  i.range = {node.lo * factor, node.hi * factor};
  i.top = width(i.range);
  if (negative) i.range = negated(i.range);
  i.shift = shift;
  i.negative = negative;
  i.depth = depth;
  i.ref = ref;
  return i;
}

// Join two items by one adder: what it costs, what it gives, how it is written.
double Engine::join(const Item& x, const Item& y, bool last, Item* joined, Merge* step) const {
  const bool ordered = x.shift <= y.shift;
  const Item& low = ordered ? x : y;
  const Item& high = ordered ? y : x;
  const int shift = high.shift - low.shift;
  const bool subtract = low.negative != high.negative;
  Item r;
  r.range = {low.range.lo + high.range.lo, low.range.hi + high.range.hi};
  r.shift = low.shift;
  r.depth = std::max(low.depth, high.depth) + 1;
  r.negative = low.negative;
  r.top = width(low.negative ? negated(r.range) : r.range);
  *step = {low.ref, high.ref, shift, subtract};
  const CostModel& model = options_.cost;
  double cost = 0;
  if (r.range.lo != r.range.hi) {
    const bool apart = !subtract && low.top <= high.shift &&
                       (low.negative ? low.range.hi <= 0 : low.range.lo >= 0);
    if (!apart) cost = model.chain(r.top - high.shift);
    if (r.negative && (subtract || last)) {  // (high << shift) - low instead of low - ...
      const int top = width(r.range);
      const double other = model.chain(top - low.shift);
      const double negation = last ? other : 0;
      if (subtract && other <= cost + negation) {
        cost = other;
        *step = {high.ref, low.ref, -shift, true};
        r.negative = false;
        r.top = top;
      }
    }
  }
  *joined = r;
  return cost;
}

// The place of the narrowest item.
size_t Engine::narrowest(const std::vector<Item>& items) {
  size_t x = 0;
  for (size_t i = 1; i < items.size(); ++i)
    if (items[i].top < items[x].top ||
        (items[i].top == items[x].top && items[i].shift < items[x].shift))
      x = i;
  return x;
}

// The place of the item that makes the shortest chain with `items[x]`, which begins at the shift of
// that item, but not below `low` nor above `high`. With `room`, only pairs that leave the sum its
// depth (Kraft's inequality) are considered; `x` where there is none.
size_t Engine::cheapest(const std::vector<Item>& items, size_t x, u64 load, u64 room, int low,
                        int high) const {
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
    const int key = (top - std::clamp(q.shift, low, high)) * 1024 + top + noise();
    if (y == x || key < best) {
      best = key;
      y = j;
    }
  }
  return y;
}

// The place of the item with which `items[x]` is added at least cost. With `room`, only pairs that
// leave the sum its depth (Kraft's inequality) are considered; `x` becomes one of the two shallowest
// where it is in none.
size_t Engine::partner(const std::vector<Item>& items, u64 load, u64 room, size_t* place) const {
  size_t& x = *place;
  size_t y = cheapest(items, x, load, room, items[x].shift, std::numeric_limits<int>::max());
  if (y != x) return y;
  y = x == 0 ? 1 : 0;  // the two shallowest always fit
  for (size_t k = 0; k < items.size(); ++k) {
    if (k == x || k == y) continue;
    size_t& deeper = items[x].depth > items[y].depth ? x : y;
    if (items[k].depth < items[deeper].depth) deeper = k;
  }
  return y;
}

// Add the items two by two and return what that costs; `merges` gets the steps, whose results are
// numbered after the items. The narrowest item goes first, to its best partner.
double Engine::sum_of_pairs(std::vector<Item>& items, u64 room, std::vector<Merge>* merges,
                            Item* total) const {
  double spent = 0;
  int next = int(items.size());
  u64 load = 0;
  if (room)
    for (const Item& i : items) load += load_unit(i.depth);
  Item joined;
  Merge step;
  while (items.size() > 1) {
    size_t x = narrowest(items);
    const size_t y = partner(items, load, room, &x);
    spent += join(items[x], items[y], items.size() == 2, &joined, &step);
    if (room) load += load_unit(joined.depth) - load_unit(items[x].depth) - load_unit(items[y].depth);
    joined.ref = next++;
    if (merges) merges->push_back(step);
    items[x] = joined;
    items[y] = items.back();
    items.pop_back();
  }
  if (!items.empty()) *total = items[0];
  return spent;
}

// Add the items of a row, see `sum_of_pairs` and `sum_of_threes`.
double Engine::sum(std::vector<Item>& items, int row, std::vector<Merge>* merges, Item* total) {
  const u64 room = rows_[row].room;
  if (options_.cost.ternary) return sum_of_threes(items, room, is_output(row), merges, total);
  return sum_of_pairs(items, room, merges, total);
}

void Engine::items_of(int row, std::vector<Item>* items) const {
  items->clear();
  for (const Term& t : rows_[row].terms) {
    const Digits d = canonical_digits(t.coef);
    const Node& n = nodes_[t.node];
    for (u64 x = d.pos | d.neg; x; x &= x - 1) {
      const int k = trailing_zeros(x);
      items->push_back(item(n.range, k, (d.neg >> k) & 1, n.depth, int(items->size())));
    }
  }
  if (is_output(row) && problem_.bias[row] != 0) {
    const i64 bias = problem_.bias[row];
    const int shift = trailing_zeros(magnitude(bias));
    const i64 odd = bias / (i64(1) << shift);
    items->push_back(item({odd, odd}, shift, false, 0, int(items->size())));
  }
}

double Engine::row_cost(int row) {
  if (rows_[row].terms.empty()) return 0;
  items_of(row, &scratch_);
  Item last;
  const double total = sum(scratch_, row, nullptr, &last);
  if (options_.cost.ternary || !is_output(row) || !last.negative) return total;
  return total + options_.cost.chain(width(last.range) - last.shift);
}

double Engine::cost() {
  double total = 0;
  for (size_t r = 0; r < rows_.size(); ++r) total += row_cost(int(r));
  return total;
}

i64 Engine::adders() const {
  i64 total = 0;
  for (size_t r = 0; r < rows_.size(); ++r) {
    const bool bias = is_output(int(r)) && problem_.bias[r] != 0;
    total += std::max(0, rows_[r].weight + int(bias) - 1);
  }
  return total;
}

}  // namespace cmvm
