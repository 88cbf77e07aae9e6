// The C interface. A result is built by cmvm_solve, read by the other functions, freed by cmvm_free.
#include <exception>
#include <new>

#include "engine.h"

#ifndef CMVM_SOURCE
#define CMVM_SOURCE ""
#endif

namespace {

struct Result {
  cmvm::Graph graph;
};

}  // namespace

extern "C" {

// Raised whenever the meaning of an argument or a result changes.
int cmvm_abi() { return 1; }

// The hash of the sources, so that a library built from others is never taken for this one.
const char* cmvm_source() { return CMVM_SOURCE; }

// Returns null when memory runs out.
void* cmvm_solve(int outputs, int inputs, const cmvm::i64* matrix, const cmvm::i64* lo,
                 const cmvm::i64* hi, const cmvm::i64* bias, const int* depth, int depth_limit,
                 cmvm::u64 seed, cmvm::i64 budget, int any_digits, double cost_fixed,
                 double cost_bit, int cost_granule) {
  try {
    cmvm::Problem p;
    p.outputs = outputs;
    p.inputs = inputs;
    p.matrix.assign(matrix, matrix + size_t(outputs) * size_t(inputs));
    for (int i = 0; i < inputs; ++i) p.range.push_back({lo[i], hi[i]});
    p.bias.assign(bias, bias + outputs);
    p.depth.assign(depth, depth + inputs);
    p.depth_limit = depth_limit;
    cmvm::Options o;
    o.seed = seed;
    o.budget = budget;
    o.any_digits = any_digits != 0;
    o.cost = {cost_fixed, cost_bit, cost_granule};
    cmvm::Engine engine(p, o);
    engine.greedy();
    if (budget > 0) engine.improve(budget);
    auto* result = new Result;
    result->graph = engine.emit();
    return result;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// Fills the numbers of constants and adders.
void cmvm_sizes(const void* result, int* constants, int* adds) {
  const auto& g = static_cast<const Result*>(result)->graph;
  *constants = int(g.constants.size());
  *adds = int(g.adds.size());
}

// Fills the constants, four numbers per adder (a, b, shift, subtract) and three per output (node,
// shift, negate).
void cmvm_read(const void* result, cmvm::i64* constants, int* adds, int* outputs) {
  const auto& g = static_cast<const Result*>(result)->graph;
  for (cmvm::i64 c : g.constants) *constants++ = c;
  const int first = g.inputs + int(g.constants.size());
  (void)first;
  for (const cmvm::Add& a : g.adds) {
    *adds++ = a.a;
    *adds++ = a.b;
    *adds++ = a.shift;
    *adds++ = a.subtract;
  }
  for (const cmvm::Tap& t : g.outputs) {
    *outputs++ = t.node;
    *outputs++ = t.shift;
    *outputs++ = t.negate;
  }
}

double cmvm_cost(const void* result) { return static_cast<const Result*>(result)->graph.cost; }

void cmvm_free(void* result) { delete static_cast<Result*>(result); }

}  // extern "C"
