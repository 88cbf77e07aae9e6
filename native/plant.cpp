// The first state: rows as digits of inputs, or as differences to other rows along a tree, over
// inputs or over sums of inputs whose columns are alike.
//
// Writing a row as another row plus the digits of the difference, along a minimum spanning tree, is
// how MCM and CMVM optimizers commonly start (e.g. Muhammad and Roy, "A graph theoretic approach
// for synthesizing very low-complexity high-speed digital filters", IEEE TCAD 2002). The same tree
// over columns gives W x = D y, with y the sums of inputs along the tree.
#include "engine.h"

namespace cmvm {

namespace {

struct Link {
  int weight = 0;
  int parent = -1;
  i64 unit = 0;  // the multiple of the parent: plus or minus a power of two
};

struct Tree {
  std::vector<Link> links;
  std::vector<int> order;  // parents first
};

constexpr int kShifts = 3;

// Prim's tree over the rows of a matrix; a link is taken where the difference has fewer digits than
// `factor` times the row's own.
Tree span(const std::vector<i64>& m, int rows, int columns, double factor, i64* operations) {
  Tree t;
  t.links.resize(size_t(rows));
  std::vector<int> own(size_t(rows), 0);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) own[r] += weight(m[size_t(r) * columns + c]);
    t.links[r].weight = own[r];
  }
  std::vector<char> placed(size_t(rows), 0);
  while (int(t.order.size()) < rows) {
    int r = -1;
    for (int k = 0; k < rows; ++k)
      if (!placed[k] && (r < 0 || t.links[k].weight < t.links[r].weight)) r = k;
    placed[r] = 1;
    t.order.push_back(r);
    if (factor <= 0 || own[r] < 2) continue;
    const i64* from = &m[size_t(r) * columns];
    for (int k = 0; k < rows; ++k) {
      if (placed[k]) continue;
      const i64* to = &m[size_t(k) * columns];
      const double most = std::min<double>(t.links[k].weight, factor * own[k]);
      *operations += columns;
      for (int shift = 0; shift < kShifts; ++shift)
        for (int sign = 0; sign < 2; ++sign) {
          const i64 unit = (sign ? -1 : 1) * (i64(1) << shift);
          int w = 1;
          for (int c = 0; c < columns && w < most; ++c) w += weight(to[c] - unit * from[c]);
          if (w < most && w < t.links[k].weight) t.links[k] = {w, r, unit};
        }
    }
  }
  return t;
}

}  // namespace

// A node for a sum of several terms, as shallow as it can be.
int Engine::sum_node(const std::vector<std::pair<int, i64>>& terms) {
  const int id = fresh_node();
  const size_t n = size_t(problem_.inputs);
  Interval range;
  u64 load = 0;
  std::fill_n(forms_.begin() + std::ptrdiff_t(size_t(id) * n), n, 0);
  for (const auto& [node, coef] : terms) {
    for (size_t i = 0; i < n; ++i) forms_[size_t(id) * n + i] += coef * forms_[size_t(node) * n + i];
    load += u64(weight(coef)) * load_unit(nodes_[node].depth);
  }
  for (size_t i = 0; i < n; ++i) {
    const i64 c = forms_[size_t(id) * n + i];
    range.lo += c * (c > 0 ? problem_.range[i].lo : problem_.range[i].hi);
    range.hi += c * (c > 0 ? problem_.range[i].hi : problem_.range[i].lo);
  }
  nodes_[id].range = range;
  nodes_[id].depth = base_depth_ + (load > 1 ? bit_length(load - 1) : 0);
  if (problem_.depth_limit < 0) nodes_[id].depth = 0;  // of no interest
  const int r = row_of(id);
  rows_[r].room = problem_.depth_limit >= 0 ? load_unit(nodes_[id].depth) : 0;
  rows_[r].load = 0;
  for (const auto& [node, coef] : terms) set(r, node, coef);
  return id;
}

// Sums of inputs whose columns are alike; `m` becomes the matrix over these sums.
std::vector<int> Engine::plant_columns(std::vector<i64>* m) {
  const int rows = problem_.outputs, columns = problem_.inputs;
  std::vector<int> base(size_t(columns), 0);
  for (int c = 0; c < columns; ++c) base[c] = c;
  if (options_.columns <= 0) return base;
  std::vector<i64> flipped(m->size());
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) flipped[size_t(c) * rows + r] = (*m)[size_t(r) * columns + c];
  const Tree t = span(flipped, columns, rows, options_.columns, &operations_);
  // The depth of the sums, before anything is built.
  std::vector<u64> load(size_t(columns), 0), unit(size_t(columns), 0);
  if (problem_.depth_limit >= 0) {
    for (int c = 0; c < columns; ++c) load[c] = load_unit(nodes_[c].depth);
    for (size_t i = t.order.size(); i-- > 0;) {
      const int c = t.order[i];
      unit[c] = u64(1) << (load[c] > 1 ? bit_length(load[c] - 1) : 0);
      if (t.links[c].parent >= 0) load[t.links[c].parent] += unit[c];
      if (load[c] > load_unit(problem_.depth_limit)) return base;
    }
  }
  std::vector<i64> differences(*m);
  for (int c = 0; c < columns; ++c)
    if (t.links[c].parent >= 0)
      for (int r = 0; r < rows; ++r)
        differences[size_t(r) * columns + c] -=
            t.links[c].unit * (*m)[size_t(r) * columns + t.links[c].parent];
  if (problem_.depth_limit >= 0)
    for (int r = 0; r < rows; ++r) {
      u64 total = rows_[r].load;
      for (int c = 0; c < columns; ++c)
        total += u64(weight(differences[size_t(r) * columns + c])) * unit[c];
      if (total > rows_[r].room) return base;
    }
  std::vector<std::vector<std::pair<int, i64>>> terms;
  terms.resize(size_t(columns));
  for (size_t i = t.order.size(); i-- > 0;) {
    const int c = t.order[i];
    if (!terms[c].empty()) {
      terms[c].push_back({c, 1});
      base[c] = sum_node(terms[c]);
    }
    if (t.links[c].parent >= 0) terms[t.links[c].parent].push_back({base[c], t.links[c].unit});
  }
  m->swap(differences);
  return base;
}

void Engine::plant() {
  std::vector<i64> m = problem_.matrix;
  const int rows = problem_.outputs, columns = problem_.inputs;
  const std::vector<int> base = plant_columns(&m);
  const Tree t = span(m, rows, columns, options_.rows, &operations_);
  std::vector<int> shared(size_t(rows), -1);
  for (int r : t.order) {
    const Link& link = t.links[r];
    bool use = link.parent >= 0;
    if (use && shared[link.parent] < 0) {
      Row& parent = rows_[link.parent];
      const u64 sum = parent.room && problem_.bias[link.parent] ? parent.load - load_unit(0)
                                                               : parent.load;
      const u64 unit = u64(1) << (sum > 1 ? bit_length(sum - 1) : 0);
      use = parent.weight > 1 && (!parent.room || parent.load - sum + unit <= parent.room);
      if (use) {
        std::vector<std::pair<int, i64>> terms;
        for (const Term& x : parent.terms) terms.push_back({x.node, x.coef});
        for (const auto& [node, coef] : terms) set(link.parent, node, 0);
        shared[link.parent] = sum_node(terms);
        set(link.parent, shared[link.parent], 1);
      }
    }
    if (use && rows_[r].room) {
      u64 total = rows_[r].load + load_unit(nodes_[shared[link.parent]].depth);
      for (int c = 0; c < columns; ++c)
        total += u64(weight(m[size_t(r) * columns + c] -
                            link.unit * m[size_t(link.parent) * columns + c])) *
                 load_unit(nodes_[base[c]].depth);
      use = total <= rows_[r].room;
    }
    for (int c = 0; c < columns; ++c)
      set(r, base[c],
          m[size_t(r) * columns + c] -
              (use ? link.unit * m[size_t(link.parent) * columns + c] : 0));
    if (use) set(r, shared[link.parent], link.unit);
  }
}

}  // namespace cmvm
