// From rows to two-operand adders; equal, negated and shifted sums are made once.
#include <map>
#include <unordered_map>

#include "engine.h"

namespace cmvm {

namespace {

struct Signal {
  int node = -1;  // of the graph; -1: zero
  int shift = 0;
  bool negative = false;
  int depth = 0;
};

}  // namespace

class Emitter {
 public:
  explicit Emitter(Engine& engine) : e_(engine), width_(size_t(engine.problem_.inputs) + 1) {}

  Graph run() {
    graph_.inputs = e_.problem_.inputs;
    collect_constants();
    done_.assign(e_.nodes_.size(), 0);
    signals_.resize(e_.nodes_.size());
    for (int i = 0; i < graph_.inputs; ++i) {
      done_[i] = 1;
      signals_[i].node = i;
      signals_[i].depth = e_.problem_.depth[i];
    }
    for (int r = 0; r < e_.problem_.outputs; ++r) {
      need(r);
      const Signal s = emit(r);
      Tap t{s.node, s.shift, s.negative};
      if (s.node >= 0 && s.negative) graph_.cost += negation(s);
      graph_.outputs.push_back(t);
    }
    settle_signs(graph_, ranges_, e_.options_.cost);
    return std::move(graph_);
  }

 private:
  double negation(const Signal& s) const {
    const Interval& v = ranges_[s.node];
    return v.lo == v.hi ? 0 : e_.options_.cost.chain(width({-v.hi, -v.lo}));
  }

  void collect_constants() {
    for (int i = 0; i < graph_.inputs; ++i) {
      std::vector<i64> f(width_);
      f[i] = 1;
      push(std::move(f), e_.problem_.depth[i]);
    }
    for (i64 bias : e_.problem_.bias) {
      if (bias == 0) continue;
      const i64 odd = bias / (i64(1) << trailing_zeros(magnitude(bias)));
      if (constants_.count(odd)) continue;
      constants_[odd] = graph_.inputs + int(graph_.constants.size());
      graph_.constants.push_back(odd);
      std::vector<i64> f(width_);
      f[width_ - 1] = odd;
      push(std::move(f), 0);
    }
  }

  // Emit every node below a row, without recursion.
  void need(int row) {
    std::vector<int> stack;
    for (const Term& t : e_.rows_[row].terms) stack.push_back(t.node);
    while (!stack.empty()) {
      const int node = stack.back();
      if (done_[node]) {
        stack.pop_back();
        continue;
      }
      bool ready = true;
      for (const Term& t : e_.rows_[e_.row_of(node)].terms)
        if (!done_[t.node]) {
          stack.push_back(t.node);
          ready = false;
        }
      if (!ready) continue;
      signals_[node] = emit(e_.row_of(node));
      done_[node] = 1;
      stack.pop_back();
    }
  }

  Signal emit(int row) {
    std::vector<Engine::Item> items = items_of(row);
    if (items.empty()) return {};
    std::vector<Signal> values;
    for (size_t i = 0; i < items.size(); ++i) {
      values.push_back({items[i].ref, 0, false, items[i].depth});
      items[i].ref = int(i);
    }
    std::vector<Engine::Merge> merges;
    Engine::Item last;
    e_.sum(items, row, &merges, &last);
    for (const Engine::Merge& m : merges)
      values.push_back(make(values[m.a], values[m.b], m.shift, m.subtract));
    Signal s = values.back();
    s.shift += last.shift;
    s.negative = s.negative != last.negative;
    return s;
  }

  std::vector<Engine::Item> items_of(int row) {
    std::vector<Engine::Item> items;
    for (const Term& t : e_.rows_[row].terms) {
      const Digits d = canonical_digits(t.coef);
      const Signal& s = signals_[t.node];
      for (u64 x = d.pos | d.neg; x; x &= x - 1) {
        const int k = trailing_zeros(x);
        const bool negative = (((d.neg >> k) & 1) != 0) != s.negative;
        items.push_back(Engine::item(ranges_[s.node], k + s.shift, negative, s.depth, s.node));
      }
    }
    if (e_.is_output(row) && e_.problem_.bias[row] != 0) {
      const i64 bias = e_.problem_.bias[row];
      const int shift = trailing_zeros(magnitude(bias));
      const int ref = constants_[bias / (i64(1) << shift)];
      items.push_back(Engine::item(ranges_[ref], shift, false, 0, ref));
    }
    return items;
  }

  // One adder, or the node that already has its value up to sign and shift.
  Signal make(const Signal& a, const Signal& b, int shift, bool subtract) {
    // (a << sa) +/- (b << sb), where a and b may carry a sign and a shift of their own
    int sa = std::max(0, -shift) + a.shift;
    int sb = std::max(0, shift) + b.shift;
    const int common = std::min(sa, sb);
    const bool negative = a.negative;
    const bool minus = (a.negative != b.negative) != subtract;
    std::vector<i64> f(width_);
    const i64* fa = &forms_[size_t(a.node) * width_];
    const i64* fb = &forms_[size_t(b.node) * width_];
    u64 all = 0;
    for (size_t i = 0; i < width_; ++i) {
      const i64 right = fb[i] * (i64(1) << (sb - common));
      f[i] = fa[i] * (i64(1) << (sa - common)) + (minus ? -right : right);
      all |= magnitude(f[i]);
    }
    if (all == 0) return {};
    const int depth = std::max(a.depth, b.depth) + 1;
    const auto [key, flipped, down] = normal(f, all);
    const auto it = index_.find(key);
    if (it != index_.end()) {
      for (int other : it->second) {
        const i64* g = &forms_[size_t(other) * width_];
        const auto same = match(f, g);
        if (!same.first || depths_[other] > depth) continue;
        Signal s{other, common, negative, depths_[other]};
        s.shift += same.second.first;
        s.negative = s.negative != same.second.second;
        return s;
      }
    }
    const Add add{a.node, b.node, sb - sa, minus};
    const int node = push(std::move(f), depth);
    graph_.adds.push_back(add);
    graph_.cost += e_.options_.cost.chain(
        chain_bits(ranges_[a.node], ranges_[b.node], add.shift, minus, ranges_[node]));
    return {node, common, negative, depth};
  }

  struct Normal {
    u64 key;
    bool flipped;
    int down;
  };

  Normal normal(const std::vector<i64>& f, u64 all) const {
    const int down = trailing_zeros(all);
    bool flip = false;
    u64 key = 0;
    bool first = true;
    for (i64 c : f) {
      if (c != 0 && first) {
        flip = c < 0;
        first = false;
      }
      const i64 odd = (flip ? -c : c) / (i64(1) << down);
      key = mix(key ^ u64(odd));
    }
    return {key, flip, down};
  }

  // Whether f = +/- g << shift with shift >= 0.
  std::pair<bool, std::pair<int, bool>> match(const std::vector<i64>& f, const i64* g) const {
    size_t i = 0;
    while (i < width_ && f[i] == 0 && g[i] == 0) ++i;
    if (i == width_ || f[i] == 0 || g[i] == 0) return {false, {0, false}};
    const int shift = trailing_zeros(magnitude(f[i])) - trailing_zeros(magnitude(g[i]));
    if (shift < 0) return {false, {0, false}};
    const i64 factor = ((f[i] < 0) != (g[i] < 0) ? -1 : 1) * (i64(1) << shift);
    for (size_t k = 0; k < width_; ++k)
      if (f[k] != g[k] * factor) return {false, {0, false}};
    return {true, {shift, factor < 0}};
  }

  int push(std::vector<i64>&& f, int depth) {
    const int node = int(depths_.size());
    Interval v;
    u64 all = 0;
    const size_t n = width_ - 1;
    v.lo = v.hi = f[n];
    for (size_t i = 0; i < n; ++i) {
      const Interval& x = e_.problem_.range[i];
      v.lo += f[i] * (f[i] > 0 ? x.lo : x.hi);
      v.hi += f[i] * (f[i] > 0 ? x.hi : x.lo);
    }
    for (i64 c : f) all |= magnitude(c);
    index_[normal(f, all).key].push_back(node);
    forms_.insert(forms_.end(), f.begin(), f.end());
    ranges_.push_back(v);
    depths_.push_back(depth);
    return node;
  }

  Engine& e_;
  size_t width_;
  Graph graph_;
  std::map<i64, int> constants_;
  std::vector<char> done_;
  std::vector<Signal> signals_;
  std::vector<i64> forms_;
  std::vector<Interval> ranges_;
  std::vector<int> depths_;
  std::unordered_map<u64, std::vector<int>> index_;
};

Graph Engine::emit() { return Emitter(*this).run(); }

}  // namespace cmvm
