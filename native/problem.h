// The task and its answer, as they cross the C interface.
#pragma once

#include "common.h"

namespace cmvm {

struct Problem {
  int outputs = 0;
  int inputs = 0;
  std::vector<i64> matrix;  // outputs x inputs; columns of constant inputs are zero
  std::vector<Interval> range;
  std::vector<i64> bias;
  std::vector<int> depth;
  int depth_limit = -1;  // -1: none

  i64 at(int row, int column) const { return matrix[size_t(row) * inputs + column]; }
};

struct Add {
  int a, b, shift;
  bool subtract;
};

struct Tap {
  int node, shift;
  bool negate;
};

// Nodes are numbered inputs, constants, adders.
struct Graph {
  int inputs = 0;
  std::vector<i64> constants;
  std::vector<Add> adds;
  std::vector<Tap> outputs;
  double cost = 0;
};

// Get rid of negations at outputs where turning differences round is cheaper.
void settle_signs(Graph& graph, std::vector<Interval>& ranges, const CostModel& model);

struct Options {
  u64 seed = 0;
  double rows = 0;     // rows become differences that are shorter by this factor; 0: never
  double columns = 0;  // likewise for columns
  CostModel cost;
};

}  // namespace cmvm
