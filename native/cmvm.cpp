// The C interface, and the choice among several first states and searches. A result is built by
// cmvm_solve, read by the other functions, freed by cmvm_free.
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "engine.h"

namespace {

using cmvm::Engine;
using cmvm::Graph;
using cmvm::i64;
using cmvm::Options;
using cmvm::Problem;
using cmvm::u64;

struct Result {
  Graph graph;
};

struct Start {
  double rows, columns;
};

// Tried in this order; which one is best differs from matrix to matrix.
constexpr Start kStarts[] = {{0.9, 0},    {0, 0},    {0.95, 0.85}, {1.0, 0},
                             {0.9, 0.9}, {0.8, 0}, {0.85, 0.95}, {0.95, 0.75}};
constexpr int kStartCount = int(sizeof(kStarts) / sizeof(kStarts[0]));

// Call work(0) ... work(count - 1) on some threads; the first exception is thrown on.
template <typename Work>
void in_parallel(int count, int threads, Work work) {
  std::atomic<int> next{0};
  std::exception_ptr failed;
  std::mutex guard;
  const auto loop = [&] {
    for (int i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard<std::mutex> hold(guard);
        if (!failed) failed = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < std::min(threads, count); ++t) others.emplace_back(loop);
  loop();
  for (std::thread& t : others) t.join();
  if (failed) std::rethrow_exception(failed);
}

// Several greedy starts, then `runs` local searches that share the budget, from the best starts in
// turn. Every task is a function of its number alone, so the answer does not depend on threads.
Graph best_of(const Problem& p, Options base, i64 budget, int starts, int runs, int threads) {
  starts = std::max(1, std::min(starts, kStartCount));
  const auto options = [&](int start, int run) {
    Options o = base;
    o.rows = kStarts[start].rows;
    o.columns = kStarts[start].columns;
    o.seed = cmvm::mix(base.seed * 1000003 + u64(run));
    return o;
  };
  std::vector<double> costs(size_t(starts), 0);
  std::unique_ptr<Engine> best;
  int best_start = -1;
  std::mutex guard;
  in_parallel(starts, threads, [&](int i) {
    auto engine = std::make_unique<Engine>(p, options(i, 0));
    engine->greedy();
    costs[size_t(i)] = engine->cost();
    const std::lock_guard<std::mutex> hold(guard);
    if (best_start < 0 || costs[i] < costs[best_start] ||
        (costs[i] == costs[best_start] && i < best_start)) {
      best_start = i;
      best = std::move(engine);
    }
  });
  if (budget <= 0) return best->emit();
  std::vector<int> order;
  for (int i = 0; i < starts; ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return costs[a] < costs[b]; });
  runs = std::max(1, runs);
  std::vector<Graph> graphs;
  graphs.resize(size_t(runs));
  in_parallel(runs, threads, [&](int i) {
    std::unique_ptr<Engine> engine;
    if (i == 0) {
      engine = std::move(best);
    } else {
      engine = std::make_unique<Engine>(p, options(order[size_t(i) % order.size()], i));
      engine->greedy();
    }
    engine->improve(budget / runs);
    graphs[size_t(i)] = engine->emit();
    if (base.cost.ternary) graphs[size_t(i)].cost = engine->cost();
  });
  size_t chosen = 0;
  for (size_t i = 1; i < graphs.size(); ++i)
    if (graphs[i].cost < graphs[chosen].cost) chosen = i;
  return std::move(graphs[chosen]);
}

}  // namespace

extern "C" {

// Returns null when memory runs out.
void* cmvm_solve(int outputs, int inputs, const i64* matrix, const i64* lo, const i64* hi,
                 const i64* bias, const int* depth, int depth_limit, u64 seed, i64 budget,
                 int starts, int runs, int threads, double cost_fixed, double cost_bit,
                 int cost_granule, int cost_ternary) {
  try {
    Problem p;
    p.outputs = outputs;
    p.inputs = inputs;
    p.matrix.assign(matrix, matrix + size_t(outputs) * size_t(inputs));
    for (int i = 0; i < inputs; ++i) p.range.push_back({lo[i], hi[i]});
    p.bias.assign(bias, bias + outputs);
    p.depth.assign(depth, depth + inputs);
    p.depth_limit = depth_limit;
    Options o;
    o.seed = seed;
    o.cost = {cost_fixed, cost_bit, cost_granule, cost_ternary != 0};
    auto result = std::make_unique<Result>();
    result->graph = best_of(p, o, budget, starts, runs, threads);
    return result.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

// Fills the numbers of constants and adders.
void cmvm_sizes(const void* result, int* constants, int* adds) {
  const Graph& g = static_cast<const Result*>(result)->graph;
  *constants = int(g.constants.size());
  *adds = int(g.adds.size());
}

// Fills the constants, four numbers per adder (a, b, shift, subtract) and three per output (node,
// shift, negate).
void cmvm_read(const void* result, i64* constants, int* adds, int* outputs) {
  const Graph& g = static_cast<const Result*>(result)->graph;
  for (const i64 c : g.constants) *constants++ = c;
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
