// Local search: put some shared nodes back into their users, share anew, keep what is cheaper; dearer
// states are kept with a probability that falls to zero (simulated annealing over ruin and recreate).
// Always sharing the best pattern anew would mostly make again what was there: see `Queue::pop`.
#include <cmath>
#include <limits>

#include "engine.h"

namespace cmvm {

namespace {

constexpr u32 kNothing = 10, kNoTwos = 20;  // of a hundred moves: nothing is shared anew, no pairs

}  // namespace

// Bring the costs of changed rows up to date; returns by how much the total changed.
double Engine::refresh() {
  double change = 0;
  for (auto& [row, before] : dirty_) {
    Row& r = rows_[row];
    r.cost = row_cost(row);
    r.dirty = false;
    change += r.cost - before;
  }
  return change;
}

void Engine::undo() {
  recording_ = false;
  for (size_t i = journal_.size(); i-- > 0;)
    restore(journal_[i].row, journal_[i].node, journal_[i].old);
  const bool moved = table_.moves() != moves_;
  for (size_t i = counts_.size(); i-- > 0;) {
    const Was& was = counts_[i];
    Slot& slot = moved ? table_.at(was.key) : table_.at_place(was.place);
    slot.count = was.count;
    slot.queued = was.queued;
  }
  for (const auto& [row, before] : dirty_) rows_[row].cost = before;
  for (int node : created_) free_.push_back(node);
  queue_.clear();
}

void Engine::commit() {
  recording_ = false;
  for (int node : inlined_) free_.push_back(node);
}

// Nodes with one use, and nodes that are multiples of another, go back into their users.
void Engine::tidy() {
  while (!loose_.empty()) {
    const int node = loose_.back();
    loose_.pop_back();
    const Row& row = rows_[row_of(node)];
    if (row.terms.empty() || (nodes_[node].uses > 1 && row.weight > 1)) continue;
    inline_node(node);
  }
}

int Engine::random_shared() {
  const u32 shared = u32(nodes_.size()) - u32(problem_.inputs);
  for (int tries = 0; shared > 0 && tries < 64; ++tries) {
    const int node = problem_.inputs + int(random_.below(shared));
    if (!rows_[row_of(node)].terms.empty()) return node;
  }
  return -1;
}

// Put a few shared nodes back, in all of their users or in some.
void Engine::destroy() {
  const int count = 1 + int(random_.below(4));
  int node = random_shared();
  if (random_.below(100) < 60) {  // in some rows only
    for (int i = 0; i < count && node >= 0; ++i) {
      const std::vector<int>& users = nodes_[node].users;
      if (users.empty()) break;
      const int row = users[random_.below(u32(users.size()))];
      expand(row, node);
      node = random_term(row);
      if (node < 0 || random_.below(4) == 0) node = random_shared();
    }
    return;
  }
  const u32 kind = random_.below(4);
  for (int i = 0; i < count && node >= 0; ++i) {
    const std::vector<int> users = nodes_[node].users;
    if (!rows_[row_of(node)].terms.empty()) inline_node(node);
    node = -1;
    if (kind != 0 && !users.empty()) node = random_term(users[random_.below(u32(users.size()))]);
    if (node < 0) node = random_shared();
  }
}

// Where sums of three are, a sum of two that only two rows share seldom pays. Now and then such ones,
// or all, are not shared anew.
void Engine::reluctance() {
  const u32 dice = random_.below(100);
  least_ = dice < kNothing ? std::numeric_limits<int>::max() : dice < kNothing + kNoTwos ? 3 : 2;
}

// A shared node among the terms of a row, or -1.
int Engine::random_term(int row) {
  const std::vector<Term>& terms = rows_[row].terms;
  for (int tries = 0; tries < 16 && !terms.empty(); ++tries) {
    const int node = terms[random_.below(u32(terms.size()))].node;
    if (node >= problem_.inputs && !rows_[row_of(node)].terms.empty()) return node;
  }
  return -1;
}

void Engine::improve(i64 budget) {
  tidy();
  greedy();
  tidy();
  commit();
  refresh();
  dirty_.clear();
  const i64 start = operations_;
  const double hot = 5.0 * options_.cost.bit;
  while (operations_ - start < budget) {
    const double heat = hot * (1.0 - double(operations_ - start) / double(budget));
    journal_.clear();
    counts_.clear();
    moves_ = table_.moves();
    created_.clear();
    inlined_.clear();
    dirty_.clear();
    loose_.clear();
    recording_ = true;
    destroy();
    if (options_.cost.ternary) reluctance();
    for (int again = 0; again < 4; ++again) {
      greedy();
      if (loose_.empty()) break;
      tidy();
    }
    greedy();
    const double change = refresh();
    operations_ += 20;
    const double u = (double(random_.below(1u << 30)) + 1.0) / double(1u << 30);
    if (change <= 0 || (heat > 0 && change < -heat * std::log(u)))
      commit();
    else
      undo();
  }
  dirty_.clear();
  loose_.clear();
}

}  // namespace cmvm
