// A system of shared sums, and the moves that keep every sum's value.
//
// Every output and every shared node is a row: a sparse sum of integer multiples of nodes. A row of
// total digit weight w needs w - 1 adders. `set` is the only function that changes a row; it keeps
// the table of two-term patterns up to date and writes the journal that `undo` reads.
#pragma once

#include "problem.h"
#include "table.h"

namespace cmvm {

struct Term {
  int node;
  int weight;
  i64 coef;
  Digits digits;
};

struct Row {
  std::vector<Term> terms;
  int weight = 0;   // adders + 1, constants left out
  u64 load = 0;     // sum over digits of 2^depth
  u64 room = 0;     // most load that keeps the row's depth; 0 where depth is free
  double cost = 0;   // of its summation
  bool dirty = false;  // the cost is out of date
};

struct Node {
  Interval range;
  int depth = 0;
  int uses = 0;            // digits in all rows
  std::vector<int> users;  // rows
};

class Engine {
 public:
  Engine(const Problem& problem, const Options& options);

  void greedy();
  double cost();
  i64 adders() const;
  Graph emit();
  void improve(i64 budget);

 private:
  struct Change {
    int row, node;
    i64 old;
  };
  struct Was {  // a slot of the table before a change
    u64 key;
    size_t place;
    int count, queued;
  };
  struct Occurrence {
    int shift;
    bool negative;
  };

  // engine.cpp
  int row_of(int node) const { return problem_.outputs + node - problem_.inputs; }
  int owner(int row) const { return row - problem_.outputs + problem_.inputs; }
  bool is_output(int row) const { return row < problem_.outputs; }
  const Term* find(int row, int node) const {
    for (const Term& t : rows_[row].terms)
      if (t.node == node) return &t;
    return nullptr;
  }
  void set(int row, int node, i64 coef);
  void restore(int row, int node, i64 coef);
  void put(int row, size_t at, const Term& before, const Term& after);
  void add(int row, int node, i64 delta);
  void pair_update(const Term& before, const Term& after, const Term& other);
  void digit_update(int node, int k, bool negative, int delta, const Term& other);
  void self_update(const Term& before, const Term& after);
  void bump(u64 key, int delta) {
    table_.prefetch(key);
    pending_.emplace_back(key, delta);
  }
  void flush();
  int score(const Slot& slot) const;
  int fresh_node();
  int new_node(const Pattern& p);
  void inline_node(int node);
  void expand(int row, int node);
  u64 load_unit(int depth) const {
    return u64(1) << std::min(50, std::max(0, depth - base_depth_));
  }

  // plant.cpp
  void plant();
  std::vector<int> plant_columns(std::vector<i64>* matrix);
  int sum_node(const std::vector<std::pair<int, i64>>& terms);

  // greedy.cpp
  bool apply(u64 key);
  static bool occurrence(const Pattern& p, const Term& a, const Term& b, Occurrence* found);
  int take(int row, const Pattern& p, int depth, Term* a, Term* b, i64* taken) const;
  int existing(const Pattern& p, int row, bool* negated) const;

  // search.cpp
  double refresh();
  void undo();
  void commit();
  void tidy();
  void destroy();
  void reluctance();
  int random_shared();
  int random_term(int row);

  // triples.cpp
  using Sum = std::vector<std::pair<int, i64>>;  // nodes and coefficients
  bool third_term(const Pattern& p, const std::vector<int>& hosts, bool known);
  void thirds_of(int row, const Pattern& p, double chain);
  bool share_three(const Pattern& p, const std::vector<int>& hosts);
  i64 multiple(int row, const Sum& sum, int digits, int depth) const;
  static i64 place(const Sum& sum, const std::vector<i64>& left, int digits);

  // sum.cpp
  double row_cost(int row);
  struct Item {
    Interval range;         // of what it contributes: sign and shift included
    int shift = 0;
    int top = 0;            // bits of the contribution's magnitude code
    bool negative = false;  // the contribution is the negative of a node
    int depth = 0;
    int ref = -1;
  };
  struct Merge {
    int a, b, shift;
    bool subtract;
  };
  static Item item(const Interval& node, int shift, bool negative, int depth, int ref);
  double join(const Item& x, const Item& y, bool last, Item* joined, Merge* step) const;
  static size_t narrowest(const std::vector<Item>& items);
  size_t cheapest(const std::vector<Item>& items, size_t x, u64 load, u64 room, int low,
                  int high) const;
  size_t partner(const std::vector<Item>& items, u64 load, u64 room, size_t* place) const;
  double sum_of_pairs(std::vector<Item>& items, u64 room, std::vector<Merge>* merges,
                      Item* total) const;
  double sum(std::vector<Item>& items, int row, std::vector<Merge>* merges, Item* total);
  void items_of(int row, std::vector<Item>* items) const;

  // three.cpp
  enum class Plan { kPairs, kPairFirst, kPairLast };
  double triple(const Item& x, const Item& y, const Item& z, const Item& sum) const;
  size_t third(const std::vector<Item>& items, size_t x, const Merge& made, u64 load,
               u64 room) const;
  double paired(const std::vector<Merge>& steps, size_t items);
  double planned(Plan plan, u64 room, bool output, Item* total);
  int noise() const { return dice_ ? int(dice_->below(4096)) : 0; }
  double sum_of_threes(const std::vector<Item>& items, u64 room, bool output,
                       std::vector<Merge>* merges, Item* total);

  std::vector<Item> scratch_, tree_, left_;
  std::vector<Merge> steps_;
  std::vector<double> price_, spent_;
  Random* dice_ = nullptr;  // where sums are planned at random
  const Problem& problem_;
  Options options_;
  std::vector<Row> rows_;
  std::vector<Node> nodes_;
  std::vector<i64> forms_;
  std::vector<int> free_;
  std::vector<int> created_;
  std::vector<Change> journal_;
  std::vector<Was> counts_;  // of the table, as the journal is of the rows
  int moves_ = 0;            // of the table, when recording began
  bool recording_ = false;
  std::vector<std::pair<int, double>> dirty_;  // rows and their costs before
  std::vector<int> loose_;                     // nodes that may have lost their purpose
  std::vector<int> inlined_;

  Table table_;
  Queue queue_;
  std::vector<std::pair<u64, int>> pending_;  // changes of counts not yet in the table
  bool building_ = true;
  Random random_;
  int base_depth_ = 0;
  int least_ = 2;  // occurrences of a pattern that is shared
  std::vector<std::pair<u64, double>> thirds_;  // terms beside a pattern, what a chain less saves
  u64 third_ = 0;                               // the best of them
  i64 operations_ = 0;

  friend class Emitter;
};

}  // namespace cmvm
