#include "engine.h"

namespace cmvm {

Engine::Engine(const Problem& problem, const Options& options)
    : problem_(problem), options_(options), random_(options.seed) {
  // Depths more than 40 below the limit are rounded up to it: a safe simplification.
  base_depth_ = problem.depth_limit < 0 ? 0 : std::max(0, problem.depth_limit - 40);
  nodes_.resize(problem.inputs);
  forms_.resize(size_t(problem.inputs) * problem.inputs);
  for (int i = 0; i < problem.inputs; ++i) {
    nodes_[i].range = problem.range[i];
    nodes_[i].depth = problem.depth[i];
    forms_[size_t(i) * problem.inputs + i] = 1;
  }
  rows_.resize(problem.outputs);
  for (int r = 0; r < problem.outputs; ++r) {
    Row& row = rows_[r];
    if (problem.depth_limit >= 0) {
      row.room = load_unit(problem.depth_limit);
      if (problem.bias[r] != 0) row.load = load_unit(0);
    }
  }
  plant();
  building_ = false;
  table_.each([&](Slot& slot) {
    if (slot.count < 2) return;
    slot.queued = score(slot);
    queue_.push(slot.queued, slot.key);
  });
}

void Engine::add(int row, int node, i64 delta) {
  const Term* t = find(row, node);
  set(row, node, (t ? t->coef : 0) + delta);
}

void Engine::set(int row, int node, i64 coef) {
  Row& r = rows_[row];
  Node& n = nodes_[node];
  size_t at = 0;
  while (at < r.terms.size() && r.terms[at].node != node) ++at;
  Term before{node, 0, 0, {}};
  if (at < r.terms.size()) before = r.terms[at];
  if (before.coef == coef) return;
  if (recording_) journal_.push_back({row, node, before.coef});
  if (!r.dirty) {
    r.dirty = true;
    dirty_.push_back({row, r.cost});
  }
  const Term after{node, weight(coef), coef, minimal_digits(coef)};
  operations_ += i64(r.terms.size()) + 1;
  for (const Term& other : r.terms)
    if (other.node != node) pair_update(before, after, other);
  self_update(before, after);
  flush();
  put(row, at, before, after);
  if (node >= problem_.inputs && n.uses < 2) loose_.push_back(node);
  if (!is_output(row) && r.weight < 2) loose_.push_back(owner(row));
}

// Replace the term at place `at` (behind the last: none) of a row.
void Engine::put(int row, size_t at, const Term& before, const Term& after) {
  Row& r = rows_[row];
  Node& n = nodes_[after.node];
  r.weight += after.weight - before.weight;
  n.uses += after.weight - before.weight;
  if (r.room) {
    const u64 unit = load_unit(n.depth);
    r.load += unit * u64(after.weight);
    r.load -= unit * u64(before.weight);
  }
  if (after.coef == 0) {
    r.terms[at] = r.terms.back();
    r.terms.pop_back();
    auto it = std::find(n.users.begin(), n.users.end(), row);
    *it = n.users.back();
    n.users.pop_back();
  } else if (before.coef == 0) {
    r.terms.push_back(after);
    n.users.push_back(row);
  } else {
    r.terms[at] = after;
  }
}

// Set a coefficient back; the table of patterns goes back by itself.
void Engine::restore(int row, int node, i64 coef) {
  const std::vector<Term>& terms = rows_[row].terms;
  size_t at = 0;
  while (at < terms.size() && terms[at].node != node) ++at;
  const Term before = at < terms.size() ? terms[at] : Term{node, 0, 0, {}};
  put(row, at, before, {node, weight(coef), coef, minimal_digits(coef)});
}

namespace {

// Occurrences per (relative shift, relative sign) between two small digit sets.
struct Counter {
  signed char count[256] = {};
  int touched[256];
  int used = 0;

  void add(int index, int delta) {
    if (count[index] == 0) touched[used++] = index;
    count[index] = static_cast<signed char>(count[index] + delta);
  }
};

void count_pairs(const Digits& low, const Digits& high, Counter* out) {
  for (u64 x = low.pos | low.neg; x; x &= x - 1) {
    const int kx = trailing_zeros(x);
    const bool nx = (low.neg >> kx) & 1;
    for (u64 y = high.pos | high.neg; y; y &= y - 1) {
      const int ky = trailing_zeros(y);
      const bool ny = (high.neg >> ky) & 1;
      out->add((ky - kx + 64) * 2 + int(nx != ny), 1);
    }
  }
}

bool single(const Term& t) {
  const u64 all = t.digits.pos | t.digits.neg;
  return (all & (all - 1)) == 0;
}

void count_self(const Term& t, Counter* out) {
  const u64 all = t.digits.pos | t.digits.neg;
  for (u64 x = all; x; x &= x - 1) {
    const int kx = trailing_zeros(x);
    const bool nx = (t.digits.neg >> kx) & 1;
    const i64 rest = t.coef - (nx ? -(i64(1) << kx) : (i64(1) << kx));
    for (u64 y = x & (x - 1); y; y &= y - 1) {
      const int ky = trailing_zeros(y);
      const bool ny = (t.digits.neg >> ky) & 1;
      if (weight(rest - (ny ? -(i64(1) << ky) : (i64(1) << ky))) == t.weight - 2)
        out->add((ky - kx + 64) * 2 + int(nx != ny), 1);
    }
  }
}

}  // namespace

// Count one digit against every digit of another term.
void Engine::digit_update(int node, int k, bool negative, int delta, const Term& other) {
  const bool first = node < other.node;
  const u64 head = first ? pack(node, other.node, 0, false) : pack(other.node, node, 0, false);
  for (u64 y = other.digits.pos | other.digits.neg; y; y &= y - 1) {
    const int ky = trailing_zeros(y);
    const bool ny = (other.digits.neg >> ky) & 1;
    const int shift = first ? ky - k : k - ky;
    bump(head + u64(i64(shift) * 2) + u64(ny != negative), delta);
  }
}

void Engine::pair_update(const Term& before, const Term& after, const Term& other) {
  const bool plain = single(other) || (single(before) && single(after));
  if (plain) {  // no pattern can occur twice, so the digits count one by one
    const u64 gone_pos = before.digits.pos & ~after.digits.pos;
    const u64 gone_neg = before.digits.neg & ~after.digits.neg;
    const u64 come_pos = after.digits.pos & ~before.digits.pos;
    const u64 come_neg = after.digits.neg & ~before.digits.neg;
    for (u64 x = gone_pos | gone_neg; x; x &= x - 1)
      digit_update(before.node, trailing_zeros(x), gone_neg & x & (u64(0) - x), -1, other);
    for (u64 x = come_pos | come_neg; x; x &= x - 1)
      digit_update(before.node, trailing_zeros(x), come_neg & x & (u64(0) - x), 1, other);
    return;
  }
  Counter was, now;
  const bool first = before.node < other.node;
  const int a = first ? before.node : other.node;
  const int b = first ? other.node : before.node;
  const u64 head = pack(a, b, -64, false);
  if (first) {
    count_pairs(before.digits, other.digits, &was);
    count_pairs(after.digits, other.digits, &now);
  } else {
    count_pairs(other.digits, before.digits, &was);
    count_pairs(other.digits, after.digits, &now);
  }
  const int cap_was = std::min(before.weight, other.weight);
  const int cap_now = std::min(after.weight, other.weight);
  for (int i = 0; i < was.used; ++i) {
    const int index = was.touched[i];
    const int delta =
        std::min<int>(now.count[index], cap_now) - std::min<int>(was.count[index], cap_was);
    if (delta) bump(head + u64(index), delta);
  }
  for (int i = 0; i < now.used; ++i) {
    const int index = now.touched[i];
    if (was.count[index] == 0) bump(head + u64(index), std::min<int>(now.count[index], cap_now));
  }
}

void Engine::self_update(const Term& before, const Term& after) {
  if (before.weight < 2 && after.weight < 2) return;
  Counter was, now;
  if (before.weight > 1) count_self(before, &was);
  if (after.weight > 1) count_self(after, &now);
  const u64 head = pack(before.node, before.node, -64, false);
  for (int i = 0; i < was.used; ++i) {
    const int index = was.touched[i];
    const int delta = std::min<int>(now.count[index], after.weight / 2) -
                      std::min<int>(was.count[index], before.weight / 2);
    if (delta) bump(head + u64(index), delta);
  }
  for (int i = 0; i < now.used; ++i) {
    const int index = now.touched[i];
    if (was.count[index] == 0)
      bump(head + u64(index), std::min<int>(now.count[index], after.weight / 2));
  }
}

// Bring the pending changes into the table.
void Engine::flush() {
  for (const auto& [key, delta] : pending_) {
    Slot& slot = table_.at(key);
    if (recording_) counts_.push_back({key, table_.place(slot), slot.count, slot.queued});
    slot.count += delta;
    if (building_) continue;
    if (slot.count < 2) {
      slot.queued = 0;
    } else if (delta > 0) {
      const int s = score(slot);
      if (s <= slot.queued) continue;
      slot.queued = s;
      queue_.push(s, key);
    }
  }
  pending_.clear();
}

// Adders saved times the overlap of the operands: what is saved is narrow, what stays is narrow.
int Engine::score(const Slot& slot) const {
  const Pattern p = unpack(slot.key);
  const int top_a = width(nodes_[p.a].range) + std::max(0, -p.shift);
  const int top_b = width(nodes_[p.b].range) + std::max(0, p.shift);
  const int overlap = std::min(top_a, top_b) - std::abs(p.shift);
  return (slot.count - 1) * (std::max(overlap, 0) + 3);
}

int Engine::fresh_node() {
  int id;
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else {
    id = int(nodes_.size());
    nodes_.emplace_back();
    rows_.emplace_back();
    forms_.resize(forms_.size() + problem_.inputs);
  }
  if (recording_) created_.push_back(id);
  return id;
}

int Engine::new_node(const Pattern& p) {
  const int id = fresh_node();
  const size_t n = size_t(problem_.inputs);
  const i64 fa = i64(1) << std::max(0, -p.shift);
  const i64 fb = (p.subtract ? -1 : 1) * (i64(1) << std::max(0, p.shift));
  Interval range;
  i64* f = &forms_[id * n];
  const i64* a = &forms_[p.a * n];
  const i64* b = &forms_[p.b * n];
  for (size_t i = 0; i < n; ++i) {
    const i64 c = a[i] * fa + b[i] * fb;
    f[i] = c;
    range.lo += c * (c > 0 ? problem_.range[i].lo : problem_.range[i].hi);
    range.hi += c * (c > 0 ? problem_.range[i].hi : problem_.range[i].lo);
  }
  Node& node = nodes_[id];
  node.range = range;
  node.depth = std::max(nodes_[p.a].depth, nodes_[p.b].depth) + 1;
  const int r = row_of(id);
  rows_[r].room = problem_.depth_limit >= 0 ? load_unit(node.depth) : 0;
  rows_[r].load = 0;
  if (p.a == p.b) {
    set(r, p.a, fa + fb);
  } else {
    set(r, p.a, fa);
    set(r, p.b, fb);
  }
  return id;
}

// Replace a node in one row by the node's own terms.
void Engine::expand(int row, int node) {
  const std::vector<Term> terms = rows_[row_of(node)].terms;
  const i64 c = find(row, node)->coef;
  set(row, node, 0);
  for (const Term& t : terms) add(row, t.node, c * t.coef);
}

void Engine::inline_node(int node) {
  const std::vector<Term> terms = rows_[row_of(node)].terms;
  const std::vector<int> users = nodes_[node].users;
  for (int row : users) {
    const i64 c = find(row, node)->coef;
    set(row, node, 0);
    for (const Term& t : terms) add(row, t.node, c * t.coef);
  }
  for (const Term& t : terms) set(row_of(node), t.node, 0);
  inlined_.push_back(node);
}

}  // namespace cmvm
