// Negated outputs without negations: differences are turned round, as far down as nobody else looks.
#include "problem.h"

namespace cmvm {

namespace {

class Signs {
 public:
  Signs(Graph& graph, std::vector<Interval>& ranges, const CostModel& model)
      : g_(graph), ranges_(ranges), model_(model), uses_(ranges.size(), 0) {
    for (const Add& a : g_.adds) {
      ++uses_[a.a];
      ++uses_[a.b];
    }
    for (const Tap& t : g_.outputs)
      if (t.node >= 0) ++uses_[t.node];
  }

  void run() {
    for (Tap& t : g_.outputs) {
      if (t.node < first() || !t.negate || uses_[t.node] != 1) continue;
      const double saved = model_.chain(width(turned(t.node)));
      const double extra = turn(t.node, 0, false);
      if (extra >= saved) continue;
      turn(t.node, 0, true);
      t.negate = false;
      g_.cost += extra - saved;
    }
  }

 private:
  int first() const { return g_.inputs + int(g_.constants.size()); }
  Interval turned(int node) const { return {-ranges_[node].hi, -ranges_[node].lo}; }

  double price(const Interval& a, const Interval& b, const Add& add, const Interval& r) const {
    return model_.chain(chain_bits(a, b, add.shift, add.subtract, r));
  }

  // What it costs to make the negative of a node instead of the node; `apply` does it.
  double turn(int node, int level, bool apply) {
    constexpr double kNever = 1e18;
    if (node < first() || uses_[node] != 1 || level > 32) return kNever;
    Add& add = g_.adds[size_t(node - first())];
    const double before = price(ranges_[add.a], ranges_[add.b], add, ranges_[node]);
    const Interval r = turned(node);
    const Add left{add.a, add.b, add.shift, true}, right{add.b, add.a, -add.shift, true};
    double best = kNever;
    Add chosen = right;
    int below = -1;
    if (add.subtract) {
      best = price(ranges_[add.b], ranges_[add.a], right, r) - before;
    } else if (add.a != add.b) {
      const double l = turn(add.a, level + 1, false) +
                       price(turned(add.a), ranges_[add.b], left, r) - before;
      const double h = turn(add.b, level + 1, false) +
                       price(turned(add.b), ranges_[add.a], right, r) - before;
      best = std::min(l, h);
      chosen = l <= h ? left : right;
      below = chosen.a;
    }
    if (!apply) return best;
    if (below >= 0) turn(below, level + 1, true);
    add = chosen;
    ranges_[node] = r;
    return best;
  }

  Graph& g_;
  std::vector<Interval>& ranges_;
  CostModel model_;
  std::vector<int> uses_;
};

}  // namespace

void settle_signs(Graph& graph, std::vector<Interval>& ranges, const CostModel& model) {
  Signs(graph, ranges, model).run();
}

}  // namespace cmvm
