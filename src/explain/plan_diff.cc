#include "explain/plan_diff.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "explain/plan_shape.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

constexpr size_t kTableMax = 1'000'000;  // cells; longer chains are paired in their order

uint64_t name_hash(std::string_view name) {
  uint64_t out = 0xcbf29ce484222325;
  for (const char c : name) out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return out ^ (out >> 29);
}

// What a leaf reads, however it does it.
std::string object_key(const Node& node) {
  const Object& object = node.object;
  const std::string_view name = object.relation.empty() ? object.other : object.relation;
  if (!object.alias.empty()) return cat(name, " ", object.alias);
  return std::string(name.empty() ? object.index : name);
}

// For each node what it works on: the objects below it, apart from those of sub-plans.
std::vector<uint64_t> subjects(const Plan& plan) {
  std::vector<uint64_t> out(plan.nodes.size());
  for (size_t i = plan.nodes.size(); i-- > 0;) {
    const Node& node = plan.nodes[i];
    // A bitmap's index belongs to the heap scan above it.
    const bool bitmap = node.object.relation.empty() && !node.object.index.empty();
    const std::string key = bitmap ? std::string() : object_key(node);
    if (!key.empty()) out[i] += name_hash(key);
    if (node.parent != kNone && node.relation == Relation::Child) {
      out[static_cast<size_t>(node.parent)] += out[i];
    }
    if (!node.subplan_name.empty()) out[i] ^= name_hash("sub-plan");
    if (bitmap) out[i] = name_hash(cat("index ", node.object.index));
  }
  return out;
}

using Chain = std::vector<int>;

// The longest common subsequence of two chains by the types of their nodes, as pairs of positions.
std::vector<std::pair<size_t, size_t>> common(const Plan& a, const Chain& of_a, const Plan& b,
                                              const Chain& of_b) {
  const size_t rows = of_a.size(), columns = of_b.size();
  const auto same = [&](size_t i, size_t j) {
    return node_words(at(a, of_a[i])) == node_words(at(b, of_b[j]));
  };
  std::vector<std::pair<size_t, size_t>> out;
  if (rows * columns > kTableMax) {
    for (size_t i = 0; i < std::min(rows, columns); ++i) {
      if (same(i, i)) out.emplace_back(i, i);
    }
    return out;
  }
  std::vector<uint32_t> best((rows + 1) * (columns + 1));
  const auto cell = [&](size_t i, size_t j) -> uint32_t& { return best[i * (columns + 1) + j]; };
  for (size_t i = rows; i-- > 0;) {
    for (size_t j = columns; j-- > 0;) {
      cell(i, j) = same(i, j) ? cell(i + 1, j + 1) + 1 : std::max(cell(i + 1, j), cell(i, j + 1));
    }
  }
  for (size_t i = 0, j = 0; i < rows && j < columns;) {
    if (same(i, j) && cell(i, j) == cell(i + 1, j + 1) + 1) {
      out.emplace_back(i++, j++);
    } else {
      (cell(i + 1, j) >= cell(i, j + 1) ? i : j) += 1;
    }
  }
  return out;
}

// Joins, and reads of one relation, do the same step in different ways; a Sort is no Limit.
std::string_view step_of(const Node& node) {
  const std::string_view type = node.type;
  if (type == "Nested Loop" || type.ends_with(" Join")) return "join";
  if (type.ends_with(" Scan") && !node.object.relation.empty()) return "scan";
  if (type == "Sort" || type == "Incremental Sort") return "sort";
  if (type == "Gather" || type == "Gather Merge") return "gather";
  if (type == "Append" || type == "Merge Append") return "append";
  return type;
}

class Matcher {
 public:
  Matcher(const Plan& before, const Plan& after)
      : before_(before),
        after_(after),
        to_before_(after.nodes.size(), kNone),
        taken_(before.nodes.size()) {}

  std::vector<NodePair> run();

 private:
  void match(const Chain& of_before, const Chain& of_after);
  void pair(int before, int after) {
    to_before_[static_cast<size_t>(after)] = before;
    taken_[static_cast<size_t>(before)] = true;
  }

  const Plan& before_;
  const Plan& after_;
  std::vector<int> to_before_;
  std::vector<bool> taken_;
};

void Matcher::match(const Chain& of_before, const Chain& of_after) {
  size_t i = 0, j = 0;
  // Between two nodes that are the same: steps of one kind, in their order.
  const auto between = [&](size_t end_i, size_t end_j) {
    for (; j < end_j; ++j) {
      for (size_t k = i; k < end_i; ++k) {
        if (step_of(at(before_, of_before[k])) != step_of(at(after_, of_after[j]))) continue;
        pair(of_before[k], of_after[j]);
        i = k + 1;
        break;
      }
    }
  };
  for (const auto& [at_before, at_after] : common(before_, of_before, after_, of_after)) {
    between(at_before, at_after);
    pair(of_before[at_before], of_after[at_after]);
    i = at_before + 1;
    j = at_after + 1;
  }
  between(of_before.size(), of_after.size());
}

std::vector<NodePair> Matcher::run() {
  std::map<uint64_t, std::pair<Chain, Chain>> chains;
  const std::vector<uint64_t> subjects_before = subjects(before_),
                              subjects_after = subjects(after_);
  for (size_t i = 0; i < subjects_before.size(); ++i) {
    chains[subjects_before[i]].first.push_back(static_cast<int>(i));
  }
  for (size_t i = 0; i < subjects_after.size(); ++i) {
    chains[subjects_after[i]].second.push_back(static_cast<int>(i));
  }
  for (const auto& [subject, both] : chains) match(both.first, both.second);
  std::vector<NodePair> out;
  for (size_t i = 0; i < after_.nodes.size(); ++i) {
    const int was = to_before_[i];
    const bool same = was != kNone && node_words(at(before_, was)) == node_words(after_.nodes[i]);
    out.push_back({was == kNone ? NodeChange::New
                   : same       ? NodeChange::Same
                                : NodeChange::Changed,
                   was, static_cast<int>(i)});
  }
  for (size_t i = 0; i < before_.nodes.size(); ++i) {
    if (!taken_[i]) out.push_back({NodeChange::Gone, static_cast<int>(i), kNone});
  }
  return out;
}

std::string ms_text(double ms) {
  const double cut = ms >= 100 ? std::round(ms) : std::round(ms * 100) / 100;
  return cat(cut, " ms");
}

// "12 → 3", or once when nothing changed.
std::string both_texts(const std::string& before, const std::string& after, bool ascii) {
  if (before.empty() || after.empty()) return before + after;
  return before == after ? after : cat(before, ascii ? " -> " : " → ", after);
}

struct DiffRow {
  std::string mark, self, rows, blocks, node;
};

class DiffWriter {
 public:
  DiffWriter(const Report& before, const Report& after, const DiffOptions& options)
      : before_(before), after_(after), options_(options) {}

  std::string write();

 private:
  DiffRow row_of(const NodePair& pair) const;
  std::string self(const Report& report, int id) const;
  std::string rows(const Report& report, int id) const;
  std::string blocks(const Report& report, int id) const;
  std::string totals() const;
  void add(const DiffRow& row, const std::vector<size_t>& widths);

  const Report& before_;
  const Report& after_;
  DiffOptions options_;
  std::string out_;
};

std::string DiffWriter::self(const Report& report, int id) const {
  if (id == kNone || !report.plan.timed()) return {};
  return ms_text(std::max(report.timing.nodes[static_cast<size_t>(id)].self.mid, 0.0));
}

std::string DiffWriter::rows(const Report& report, int id) const {
  if (id == kNone) return {};
  const RowCount count = count_rows(report.plan, id);
  return compact(report.plan.analyzed() ? count.actual : count.estimate);
}

std::string DiffWriter::blocks(const Report& report, int id) const {
  if (id == kNone || !report.plan.has_blocks()) return {};
  return compact(report.timing.nodes[static_cast<size_t>(id)].self_blocks);
}

DiffRow DiffWriter::row_of(const NodePair& pair) const {
  const bool gone = pair.after == kNone;
  const Node& node = gone ? at(before_.plan, pair.before) : at(after_.plan, pair.after);
  DiffRow out;
  switch (pair.change) {
    case NodeChange::Same:
      out.mark = " ";
      break;
    case NodeChange::Changed:
      out.mark = "~";
      break;
    case NodeChange::New:
      out.mark = "+";
      break;
    case NodeChange::Gone:
      out.mark = "-";
      break;
  }
  out.self = both_texts(self(before_, pair.before), self(after_, pair.after), options_.ascii);
  out.rows = both_texts(rows(before_, pair.before), rows(after_, pair.after), options_.ascii);
  out.blocks = both_texts(blocks(before_, pair.before), blocks(after_, pair.after), options_.ascii);
  constexpr int kDrawn = 40;
  out.node = cat(std::string(static_cast<size_t>(2 * std::min(gone ? 0 : node.depth, kDrawn)), ' '),
                 printable(node_words(node)));
  if (pair.change == NodeChange::Changed) {
    out.node += cat("  (was ", printable(node_words(at(before_.plan, pair.before))), ")");
  }
  return out;
}

std::string DiffWriter::totals() const {
  const auto of = [](const Report& report) {
    return report.plan.timed() ? report.timing.total_ms : 0;
  };
  if (!before_.plan.timed() || !after_.plan.timed()) {
    return cat("cost ", before_.plan.root().estimate.total_cost, options_.ascii ? " -> " : " → ",
               after_.plan.root().estimate.total_cost,
               " (not both plans were run with ANALYZE and timing)");
  }
  const double was = of(before_), is = of(after_);
  std::string out = cat(ms_text(was), options_.ascii ? " -> " : " → ", ms_text(is));
  const double factor = std::max(was, is) / std::max(std::min(was, is), 1e-3);
  if (factor >= 1.05) {
    out += cat(", ", std::round(factor * 10) / 10, was > is ? " times faster" : " times slower");
  }
  return out;
}

void DiffWriter::add(const DiffRow& row, const std::vector<size_t>& widths) {
  const auto right = [](const std::string& text, size_t width) {
    const size_t have = columns(text);
    return std::string(have < width ? width - have : 0, ' ') + text;
  };
  std::string line =
      cat(row.mark, " ", right(row.self, widths[0]), "  ", right(row.rows, widths[1]), "  ",
          right(row.blocks, widths[2]), "  ", row.node);
  while (line.ends_with(' ')) line.pop_back();
  out_ += line + "\n";
}

std::string DiffWriter::write() {
  const std::vector<NodePair> pairs = match_plans(before_.plan, after_.plan);
  out_ = totals() + "\n\n";
  std::vector<DiffRow> rows = {{" ", "self", "rows", "buffers", "node"}};
  for (const NodePair& pair : pairs) rows.push_back(row_of(pair));
  std::vector<size_t> widths(3);
  for (const DiffRow& row : rows) {
    widths[0] = std::max(widths[0], columns(row.self));
    widths[1] = std::max(widths[1], columns(row.rows));
    widths[2] = std::max(widths[2], columns(row.blocks));
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const bool gone = i > 0 && pairs[i - 1].change == NodeChange::Gone;
    const bool gone_before = i > 1 && pairs[i - 2].change == NodeChange::Gone;
    if (gone && !gone_before) out_ += "\nno longer in the plan:\n";
    add(rows[i], widths);
  }
  return std::move(out_);
}

json::value id_or_null(int id) { return id == kNone ? json::value(nullptr) : json::value(id); }

json::value self_or_null(const Report& report, int id) {
  if (id == kNone || !report.plan.timed()) return nullptr;
  return report.timing.nodes[static_cast<size_t>(id)].self.mid;
}

std::string_view name(NodeChange change) {
  switch (change) {
    case NodeChange::Same:
      return "same";
    case NodeChange::Changed:
      return "changed";
    case NodeChange::New:
      return "new";
    case NodeChange::Gone:
      return "gone";
  }
  std::abort();
}

}  // namespace

std::vector<NodePair> match_plans(const Plan& before, const Plan& after) {
  return Matcher(before, after).run();
}

std::string render_diff(const Report& before, const Report& after, const DiffOptions& options) {
  return DiffWriter(before, after, options).write();
}

void write_diff_json(JsonWriter& out, const Report& before, const Report& after) {
  const auto total = [](const Report& report) {
    return report.plan.timed() ? json::value(report.timing.total_ms) : json::value(nullptr);
  };
  out.begin_object();
  out.members({{"before_ms", total(before)}, {"after_ms", total(after)}});
  out.key("nodes");
  out.begin_list();
  for (const NodePair& pair : match_plans(before.plan, after.plan)) {
    out.value(json::object{{"change", name(pair.change)},
                           {"before", id_or_null(pair.before)},
                           {"after", id_or_null(pair.after)},
                           {"self_before_ms", self_or_null(before, pair.before)},
                           {"self_after_ms", self_or_null(after, pair.after)}});
  }
  out.end();
  out.end();
}

}  // namespace pgtend::explain
