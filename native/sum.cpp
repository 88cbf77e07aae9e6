// The order in which the terms of one row are added.
#include "engine.h"

namespace cmvm {

namespace {

int top_of(const Interval& range, int shift) { return width(range) + shift; }

}  // namespace

// Add the items two by two and return what that costs; `merges` gets the steps, whose results are
// numbered after the items. The narrowest item goes first, to the partner with which it costs least;
// with `room`, only pairs that leave the sum its depth (Kraft's inequality) are considered.
double Engine::sum(std::vector<Item>& items, u64 room, std::vector<Merge>* merges,
                   Item* total) const {
  double spent = 0;
  int next = int(items.size());
  u64 load = 0;
  if (room)
    for (const Item& i : items) load += load_unit(i.depth);
  while (items.size() > 1) {
    size_t x = 0;
    for (size_t i = 1; i < items.size(); ++i) {
      const int ti = top_of(items[i].range, items[i].shift);
      const int tx = top_of(items[x].range, items[x].shift);
      if (ti < tx || (ti == tx && items[i].shift < items[x].shift)) x = i;
    }
    size_t best_y = x, best_x = x;
    double best = 0;
    Item merged;
    Merge step{};
    const auto consider = [&](size_t i, size_t j) {
      size_t lo = i, hi = j;
      if (items[j].shift < items[i].shift) std::swap(lo, hi);
      const Item& p = items[lo];
      const Item& q = items[hi];
      const int depth = std::max(p.depth, q.depth) + 1;
      if (room && load + load_unit(depth) - load_unit(p.depth) - load_unit(q.depth) > room) return;
      const int shift = q.shift - p.shift;
      const bool subtract = p.negative != q.negative;
      Item r;
      Merge m{p.ref, q.ref, shift, subtract};
      r.shift = p.shift;
      r.depth = depth;
      r.negative = p.negative;
      const Interval straight = combine(p.range, q.range, shift, subtract);
      r.range = straight;
      double c = options_.cost.chain(chain_bits(p.range, q.range, shift, subtract, straight));
      if (p.negative && subtract) {
        const bool last = items.size() == 2;
        const Interval turned = combine(q.range, p.range, -shift, true);
        const double other =
            options_.cost.chain(chain_bits(q.range, p.range, -shift, true, turned));
        const double negation = last ? options_.cost.chain(width(turned) + r.shift) : 0;
        if (other <= c + negation) {
          c = other;
          m = {q.ref, p.ref, -shift, true};
          r.negative = false;
          r.range = turned;
        }
      }
      const double key = c + 1e-3 * top_of(r.range, r.shift);
      if (best_y == best_x || key < best) {
        best = key;
        best_x = i;
        best_y = j;
        merged = r;
        step = m;
      }
      (void)c;
    };
    for (size_t j = 0; j < items.size(); ++j)
      if (j != x) consider(x, j);
    if (best_x == best_y) {  // the two shallowest always fit
      size_t i = 0, j = 1;
      if (items[j].depth < items[i].depth) std::swap(i, j);
      for (size_t k = 2; k < items.size(); ++k) {
        if (items[k].depth < items[i].depth) {
          j = i;
          i = k;
        } else if (items[k].depth < items[j].depth) {
          j = k;
        }
      }
      consider(i, j);
    }
    const double c = best - 1e-3 * top_of(merged.range, merged.shift);
    spent += c;
    if (room)
      load += load_unit(merged.depth) - load_unit(items[best_x].depth) -
              load_unit(items[best_y].depth);
    merged.ref = next++;
    if (merges) merges->push_back(step);
    items[best_x] = merged;
    items[best_y] = items.back();
    items.pop_back();
  }
  if (!items.empty() && total) *total = items[0];
  return spent;
}

std::vector<Engine::Item> Engine::items_of(int row) const {
  std::vector<Item> items;
  for (const Term& t : rows_[row].terms) {
    const Digits d = canonical_digits(t.coef);
    for (u64 x = d.pos | d.neg; x; x &= x - 1) {
      Item i;
      i.shift = trailing_zeros(x);
      i.negative = (d.neg >> i.shift) & 1;
      i.range = nodes_[t.node].range;
      i.depth = nodes_[t.node].depth;
      i.ref = int(items.size());
      items.push_back(i);
    }
  }
  if (is_output(row) && problem_.bias[row] != 0) {
    const i64 bias = problem_.bias[row];
    Item i;
    i.shift = trailing_zeros(magnitude(bias));
    i.range.lo = i.range.hi = bias / (i64(1) << i.shift);
    i.ref = int(items.size());
    items.push_back(i);
  }
  return items;
}

double Engine::row_cost(int row) const {
  if (rows_[row].terms.empty()) return 0;
  std::vector<Item> items = items_of(row);
  Item last;
  const double total = sum(items, rows_[row].room, nullptr, &last);
  if (!is_output(row) || !last.negative) return total;
  return total + options_.cost.chain(width({-last.range.hi, -last.range.lo}));
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
