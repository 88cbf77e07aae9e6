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

struct Options {
  u64 seed = 0;
  i64 budget = 0;         // operations of the local search; 0: greedy only
  bool any_digits = true; // every minimal signed form instead of the canonical one
  double greed = 1.0;     // exponent of the count in the score of a pattern
  CostModel cost;
};

}  // namespace cmvm
