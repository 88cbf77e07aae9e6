// Greedy elimination of common two-term patterns.
#include "engine.h"

namespace cmvm {

// A pattern that is in no more places is not taken where one of three terms saves more.
constexpr int kWeighed = 8;

void Engine::greedy() {
  u64 key = 0;
  int expected = 0;
  while (queue_.pop(random_, recording_, &key, &expected)) {
    Slot& slot = table_.at(key);
    if (slot.queued != expected) continue;  // another entry stands for it
    const int now = slot.count < 2 ? 0 : score(slot);
    if (now < expected) {
      slot.queued = now;
      if (now > 0) queue_.push(now, key);
      continue;
    }
    if (slot.count < least_) continue;
    // A pattern that cannot be used now stays out until it occurs more often.
    if (!apply(key)) continue;
    Slot& left = table_.at(key);
    left.queued = left.count < 2 ? 0 : score(left);
  }
}

// Find one place of a pattern in two terms of a row: the power of two and the sign by which it is
// multiplied there.
bool Engine::occurrence(const Pattern& p, const Term& a, const Term& b, Occurrence* found) {
  const int sa = std::max(0, -p.shift);
  const int sb = std::max(0, p.shift);
  const Digits db = p.subtract ? Digits{b.digits.neg, b.digits.pos} : b.digits;
  const u64 plus = (a.digits.pos >> sa) & (db.pos >> sb);
  const u64 minus = (a.digits.neg >> sa) & (db.neg >> sb);
  for (u64 left = plus | minus; left; left &= left - 1) {
    const int k = trailing_zeros(left);
    const bool negative = !((plus >> k) & 1);
    if (p.a == p.b) {
      const i64 da = i64(1) << (k + sa);
      const i64 both = p.subtract ? da - (i64(1) << (k + sb)) : da + (i64(1) << (k + sb));
      if (weight(a.coef - (negative ? -both : both)) != a.weight - 2) continue;
    }
    *found = {k, negative};
    return true;
  }
  return false;
}

// Take a pattern out of a row as often as it occurs and fits. The new coefficients are left in
// `a` and `b`, the multiple of the pattern in `taken`; the result is the number of occurrences.
int Engine::take(int row, const Pattern& p, int depth, Term* a, Term* b, i64* taken) const {
  const Term* ta = find(row, p.a);
  const Term* tb = ta && p.a != p.b ? find(row, p.b) : ta;
  if (!ta || !tb) return 0;
  *a = *ta;
  *b = *tb;
  *taken = 0;
  const i64 fa = i64(1) << std::max(0, -p.shift);
  const i64 fb = (p.subtract ? -1 : 1) * (i64(1) << std::max(0, p.shift));
  u64 load = rows_[row].load;
  int places = 0;
  Occurrence o;
  while (occurrence(p, *a, *b, &o)) {
    if (rows_[row].room) {
      load += load_unit(depth) - load_unit(nodes_[p.a].depth) - load_unit(nodes_[p.b].depth);
      if (load > rows_[row].room) break;
    }
    const i64 unit = (o.negative ? -1 : 1) * (i64(1) << o.shift);
    const auto update = [&](Term* t, i64 coef) {
      *t = {t->node, weight(coef), coef, minimal_digits(coef)};
    };
    if (p.a == p.b) {
      update(a, a->coef - unit * (fa + fb));
      *b = *a;
    } else {
      update(a, a->coef - unit * fa);
      update(b, b->coef - unit * fb);
    }
    *taken += unit;
    ++places;
  }
  return places;
}

// Tell whether a row that is used as a node already is the pattern (or its negative).
int Engine::existing(const Pattern& p, int row, bool* negated) const {
  if (is_output(row) || rows_[row].weight != 2) return -1;
  const i64 fa = i64(1) << std::max(0, -p.shift);
  const i64 fb = (p.subtract ? -1 : 1) * (i64(1) << std::max(0, p.shift));
  const Term* a = find(row, p.a);
  if (!a) return -1;
  if (p.a == p.b) {
    *negated = a->coef == -(fa + fb);
    return a->coef == fa + fb || *negated ? owner(row) : -1;
  }
  const Term* b = find(row, p.b);
  if (!b) return -1;
  *negated = a->coef == -fa && b->coef == -fb;
  return (a->coef == fa && b->coef == fb) || *negated ? owner(row) : -1;
}

bool Engine::apply(u64 key) {
  const Pattern p = unpack(key);
  const std::vector<int>& ua = nodes_[p.a].users;
  const std::vector<int>& ub = nodes_[p.b].users;
  const std::vector<int> rows = ua.size() < ub.size() ? ua : ub;
  operations_ += i64(rows.size());
  const int depth = std::max(nodes_[p.a].depth, nodes_[p.b].depth) + 1;
  int node = -1;
  bool negated = false;
  int places = 0;
  Term a{}, b{};
  i64 taken = 0;
  std::vector<int> hosts;
  for (int row : rows) {
    if (node < 0) {
      node = existing(p, row, &negated);
      if (node >= 0 && nodes_[node].depth > depth) {
        node = -1;
        negated = false;
      }
      if (node >= 0) continue;
    }
    const int here = take(row, p, depth, &a, &b, &taken);
    if (here == 0) continue;
    hosts.push_back(row);
    places += here;
  }
  if (places + int(node >= 0) < 2 || hosts.empty()) return false;
  if (options_.cost.ternary && places <= kWeighed && third_term(p, hosts, node >= 0)) {
    if (share_three(p, hosts)) return true;
  }
  if (node < 0) node = new_node(p);
  for (int row : hosts) {
    if (!take(row, p, nodes_[node].depth, &a, &b, &taken)) continue;
    set(row, p.a, a.coef);
    if (p.a != p.b) set(row, p.b, b.coef);
    add(row, node, negated ? -taken : taken);
  }
  return true;
}

}  // namespace cmvm
