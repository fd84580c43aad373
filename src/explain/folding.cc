#include "explain/folding.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "explain/plan_shape.h"

namespace pgtend::explain {
namespace {

constexpr int kAlikeMin = 4;          // siblings of one shape that are told as one
constexpr size_t kScreenNodes = 50;   // a plan of fewer keeps its small nodes
constexpr double kSmallShare = 0.01;  // of the statement, with all that is below
constexpr int kSmallNodesMin = 3;     // hiding fewer saves nothing

// What is the same for a whole call.
struct Folding {
  const Plan& plan;
  std::vector<bool> marked;  // nodes that findings are about, and their ancestors
  std::vector<int> end;      // one behind the last node of each node's subtree
  std::vector<double> ms;    // of each subtree: self times added up
  std::vector<Fold> folds;

  void hide(int first, int last) {
    for (int i = first; i < last; ++i) folds[static_cast<size_t>(i)].hidden = true;
  }
};

size_t as_index(int id) { return static_cast<size_t>(id); }

void mark_findings(const Report& report, Folding& all) {
  for (const std::vector<int>& places : report.places) {
    int before = kNone;
    for (const int place : places) {
      // Of partitions that one finding is about the first stands for the others.
      const int parent = at(all.plan, place).parent;
      if (before != kNone && parent != kNone && at(all.plan, before).parent == parent) continue;
      before = place;
      for (int id = place; id != kNone && !all.marked[as_index(id)]; id = at(all.plan, id).parent) {
        all.marked[as_index(id)] = true;
      }
    }
  }
}

void add_up(const Report& report, Folding& all) {
  const size_t count = all.plan.nodes.size();
  for (size_t i = count; i-- > 0;) {
    all.end[i] = std::max(all.end[i], static_cast<int>(i) + 1);
    all.ms[i] += std::max(report.timing.nodes[i].self.mid, 0.0);
    const int parent = all.plan.nodes[i].parent;
    if (parent == kNone) continue;
    all.end[as_index(parent)] = std::max(all.end[as_index(parent)], all.end[i]);
    all.ms[as_index(parent)] += all.ms[i];
  }
}

// Children of an Append that did the same: one that a finding is about or, without, the one that
// took longest stands for all.
void fold_alike(const Node& node, const std::vector<uint64_t>& shapes, Folding& all) {
  std::unordered_map<uint64_t, std::vector<int>> by_shape;
  for (const int child : node.children) by_shape[shapes[as_index(child)]].push_back(child);
  for (const auto& [shape, children] : by_shape) {
    if (static_cast<int>(children.size()) < kAlikeMin) continue;
    const int shown = *std::max_element(children.begin(), children.end(), [&](int a, int b) {
      const bool marked_a = all.marked[as_index(a)], marked_b = all.marked[as_index(b)];
      return marked_a == marked_b ? all.ms[as_index(a)] < all.ms[as_index(b)] : marked_b;
    });
    Fold& fold = all.folds[as_index(shown)];
    for (const int child : children) {
      if (child == shown || all.marked[as_index(child)]) continue;
      ++fold.alike;
      fold.alike_ms += all.ms[as_index(child)];
      all.hide(child, all.end[as_index(child)]);
    }
  }
}

void fold_small(const Report& report, Folding& all) {
  if (!report.plan.timed() || report.plan.nodes.size() <= kScreenNodes) return;
  const double limit = kSmallShare * report.timing.total_ms;
  for (size_t i = 1; i < report.plan.nodes.size(); ++i) {
    const int below = all.end[i] - static_cast<int>(i) - 1;
    if (all.folds[i].hidden || all.marked[i] || below < kSmallNodesMin || all.ms[i] >= limit) {
      continue;
    }
    all.hide(static_cast<int>(i) + 1, all.end[i]);
    all.folds[i].below = below;
  }
}

}  // namespace

std::vector<Fold> fold_plan(const Report& report) {
  const size_t count = report.plan.nodes.size();
  Folding all{report.plan, std::vector<bool>(count), std::vector<int>(count),
              std::vector<double>(count), std::vector<Fold>(count)};
  mark_findings(report, all);
  add_up(report, all);
  const std::vector<uint64_t> shapes = subtree_shapes(report.plan);
  for (size_t i = 0; i < count; ++i) {
    const Node& node = report.plan.nodes[i];
    const bool append = node.type == "Append" || node.type == "Merge Append";
    if (append && !all.folds[i].hidden) fold_alike(node, shapes, all);
  }
  fold_small(report, all);
  return std::move(all.folds);
}

}  // namespace pgtend::explain
