#include "explain/render_term.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "explain/folding.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

constexpr size_t kBar = 6;

std::string padded(const std::string& text, size_t width, bool right = true) {
  const size_t have = columns(text);
  const std::string space(have < width ? width - have : 0, ' ');
  return right ? space + text : text + space;
}

std::string number(double value) {
  if (value >= 100) return compact(value);
  const double cut = value >= 10 ? std::round(value * 10) / 10 : std::round(value * 100) / 100;
  return cat(cut);
}

std::string ms(double value) {
  if (value >= 10'000) return cat(std::round(value / 10) / 100, " s");
  if (value >= 100) return cat(std::llround(value), " ms");
  return cat(number(value), " ms");
}

std::string count(double value) {
  return value < 100'000 ? grouped(std::llround(value)) : compact(value);
}

// The start of `text` in at most `width` columns; a cut is marked.
std::string clipped(const std::string& text, int width, bool ascii) {
  const auto limit = static_cast<size_t>(std::max(width, 20));
  if (width <= 0 || columns(text) <= limit) return text;
  const std::string_view mark = ascii ? "..." : "…";
  size_t keep = limit - columns(mark), bytes = 0;
  while (bytes < text.size() && keep > 0) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
    --keep;
  }
  return cat(text.substr(0, bytes), mark);
}

std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> out(1);
  for (const std::string_view word : split(text, ' ')) {
    if (!out.back().empty() && columns(out.back()) + 1 + columns(word) > width) out.emplace_back();
    if (!out.back().empty()) out.back() += ' ';
    out.back() += word;
  }
  return out;
}

// The planner's cost of a node alone. A node below LIMIT costs more than its parent is charged.
double self_cost(const Plan& plan, size_t id) {
  double out = plan.nodes[id].estimate.total_cost;
  for (const int child : plan.nodes[id].children) {
    out -= plan.nodes[static_cast<size_t>(child)].estimate.total_cost;
  }
  return std::clamp(out, 0.0, plan.root().estimate.total_cost);
}

// Writes one report. Lives during one call.
class TermWriter {
 public:
  TermWriter(const Report& report, const RenderOptions& options)
      : report_(report), options_(options) {}

  std::string write() {
    folds_ = options_.fold ? fold_plan(report_) : std::vector<Fold>(report_.plan.nodes.size());
    prepare_rows();
    heading();
    for (size_t id = 0; id < report_.plan.nodes.size(); ++id) {
      if (!folds_[id].hidden) node_line(id);
    }
    summary();
    parameters();
    for (size_t i = 0; i < report_.findings.size(); ++i) finding(i);
    for (const std::string& warning : report_.warnings) {
      paragraph(options_.ascii ? "! " : "⚠ ", printable(warning), "33");
    }
    return std::move(out_);
  }

 private:
  struct Cells {
    double share = 0;
    std::string self, total, rows, blocks;
  };
  struct Widths {
    size_t self = 4, total = 5, rows = 4, blocks = 7;
  };

  void prepare_rows();
  Cells cells_of(size_t id) const;
  double share_of(size_t id) const;
  void heading();
  void node_line(size_t id);
  void summary();
  void parameters();
  void finding(size_t i);
  void action(const care::Action& action, bool first);
  void paragraph(const std::string& lead, const std::string& text, std::string_view color = {});
  void line(const std::string& text, std::string_view color = {});
  std::string bar(double share) const;
  std::string branch(size_t id) const;
  std::string label(size_t id) const;
  std::string marks(size_t id) const;
  std::string folded(size_t id) const;
  std::string painted(const std::string& text, std::string_view color) const;

  const Report& report_;
  const RenderOptions& options_;
  std::vector<Fold> folds_;
  std::vector<int> last_child_;  // of those that are shown
  std::vector<Cells> cells_;
  Widths widths_;
  std::string out_;
};

std::string TermWriter::painted(const std::string& text, std::string_view color) const {
  if (!options_.color || color.empty()) return text;
  return cat("\x1b[", color, "m", text, "\x1b[0m");
}

void TermWriter::line(const std::string& text, std::string_view color) {
  out_ += painted(clipped(text, options_.width, options_.ascii), color);
  out_ += '\n';
}

void TermWriter::paragraph(const std::string& lead, const std::string& text,
                           std::string_view color) {
  const size_t indent = columns(lead);
  const size_t width =
      options_.width > 0 ? static_cast<size_t>(std::max(options_.width, 40)) - indent : 1'000'000;
  bool first = true;
  for (const std::string& part : wrapped(text, width)) {
    out_ += painted(cat(first ? lead : std::string(indent, ' '), part), color);
    out_ += '\n';
    first = false;
  }
}

double TermWriter::share_of(size_t id) const {
  const Plan& plan = report_.plan;
  const NodeTime& time = report_.timing.nodes[id];
  if (plan.timed()) {
    return report_.timing.total_ms > 0 ? time.self.mid / report_.timing.total_ms : 0;
  }
  if (plan.analyzed() && plan.root().blocks && plan.root().blocks->shared() > 0) {
    return time.self_blocks / plan.root().blocks->shared();
  }
  // Nothing was measured: the node's part of the planner's cost.
  const double all = plan.root().estimate.total_cost;
  return all > 0 ? self_cost(plan, id) / all : 0;
}

std::string rows_cell(const Plan& plan, int id, bool ascii) {
  const RowCount rows = count_rows(plan, id);
  const std::string_view arrow = ascii ? "->" : "→";
  if (!plan.nodes[static_cast<size_t>(id)].actual) return cat(count(rows.estimate), " est");
  std::string out = cat(count(rows.estimate), arrow, count(rows.actual));
  if (rows.excuse.empty() && rows.factor >= 2) {
    out += cat(ascii ? " x" : " ×", rows.factor < 10 ? number(rows.factor) : count(rows.factor));
  }
  return out;
}

TermWriter::Cells TermWriter::cells_of(size_t id) const {
  const Plan& plan = report_.plan;
  const NodeTime& time = report_.timing.nodes[id];
  Cells out;
  out.share = std::clamp(share_of(id), 0.0, 1.0);
  if (plan.timed()) {
    out.self = ms(std::max(time.self.mid, 0.0));
    // The error bar where it matters: more than 5 % of the value and visible.
    if (time.self.eps > 0.05 * std::max(time.self.mid, 0.0) && time.self.eps >= 0.05) {
      out.self += cat(options_.ascii ? " +-" : " ±", number(time.self.eps));
    }
    out.total = ms(time.wall.mid);
  } else {
    out.total = cat("cost ", number(plan.nodes[id].estimate.total_cost));
  }
  out.rows = rows_cell(plan, static_cast<int>(id), options_.ascii);
  if (plan.nodes[id].blocks) out.blocks = count(plan.nodes[id].blocks->shared());
  return out;
}

void TermWriter::prepare_rows() {
  cells_.resize(report_.plan.nodes.size());
  last_child_.assign(cells_.size(), kNone);
  for (size_t id = 0; id < cells_.size(); ++id) {
    if (folds_[id].hidden) continue;
    const int parent = report_.plan.nodes[id].parent;
    if (parent != kNone) last_child_[static_cast<size_t>(parent)] = static_cast<int>(id);
    cells_[id] = cells_of(id);
    widths_.self = std::max(widths_.self, columns(cells_[id].self));
    widths_.total = std::max(widths_.total, columns(cells_[id].total));
    widths_.rows = std::max(widths_.rows, columns(cells_[id].rows));
    widths_.blocks = std::max(widths_.blocks, columns(cells_[id].blocks));
  }
}

std::string TermWriter::bar(double share) const {
  const auto full = static_cast<size_t>(std::lround(share * static_cast<double>(kBar)));
  std::string out;
  for (size_t i = 0; i < kBar; ++i) {
    out += i < full ? (options_.ascii ? "#" : "█") : (options_.ascii ? "." : "·");
  }
  return out;
}

void TermWriter::heading() {
  const std::string_view arrow = options_.ascii ? "->" : "→";
  line(
      cat(padded("share", kBar + 5, false), " ", padded("self", widths_.self), "  ",
          padded("total", widths_.total), "  ", padded(cat("rows est", arrow, "act"), widths_.rows),
          "  ", padded("buffers", widths_.blocks), "  node"),
      "2");
}

// The tree's lines in front of node `id`.
std::string TermWriter::branch(size_t id) const {
  const std::vector<Node>& nodes = report_.plan.nodes;
  std::string out;
  // Very deep trees keep their last levels; the depth is told instead of drawn.
  constexpr int kDrawn = 24;
  int drawn = 0;
  for (size_t at = id; nodes[at].parent != kNone; at = static_cast<size_t>(nodes[at].parent)) {
    if (++drawn > kDrawn) return cat("[", nodes[id].depth, "] ", out);
    const bool last = last_child_[static_cast<size_t>(nodes[at].parent)] == static_cast<int>(at);
    std::string_view piece;
    if (at == id) {
      piece = options_.ascii ? (last ? "`- " : "|- ") : (last ? "└─ " : "├─ ");
    } else {
      piece = last ? "   " : (options_.ascii ? "|  " : "│  ");
    }
    out.insert(0, piece);
  }
  return out;
}

std::string TermWriter::marks(size_t id) const {
  std::string out;
  for (size_t i = 0; i < report_.places.size(); ++i) {
    const std::vector<int>& nodes = report_.places[i];
    if (std::ranges::find(nodes, static_cast<int>(id)) != nodes.end()) out += cat(" [", i + 1, "]");
  }
  return out;
}

// What is hidden at this node.
std::string TermWriter::folded(size_t id) const {
  const Fold& fold = folds_[id];
  std::string out;
  if (fold.alike > 0) {
    const std::string time = report_.plan.timed() ? cat(", ", ms(fold.alike_ms)) : "";
    out += cat(options_.ascii ? "  and " : "  ⋯ and ", fold.alike, " alike", time);
  }
  if (fold.below > 0) out += cat(options_.ascii ? "  + " : "  ⋯ ", fold.below, " nodes below");
  return out;
}

std::string TermWriter::label(size_t id) const {
  const Node& node = report_.plan.nodes[id];
  std::string out = node.subplan_name.empty() ? "" : cat(node.subplan_name, ": ");
  out += cat(node.parallel_aware ? "Parallel " : "", node.type);
  const Object& object = node.object;
  if (!object.index.empty()) out += cat(" using ", object.index);
  const std::string_view name = object.relation.empty() ? object.other : object.relation;
  if (!name.empty()) {
    out += cat(" on ", object.schema.empty() ? "" : cat(object.schema, "."), name);
    if (!object.alias.empty() && object.alias != name) out += cat(" ", object.alias);
  }
  if (node.never_executed()) out += " (never executed)";
  return printable(out);
}

void TermWriter::node_line(size_t id) {
  const Cells& cells = cells_[id];
  const std::string share = cat(std::llround(cells.share * 100), "%");
  const std::string text = cat(
      bar(cells.share), " ", padded(share, 4), " ", padded(cells.self, widths_.self), "  ",
      padded(cells.total, widths_.total), "  ",
      padded(cells.rows,
             std::max(widths_.rows, columns(cat("rows est", options_.ascii ? "->" : "→", "act")))),
      "  ", padded(cells.blocks, widths_.blocks), "  ", branch(id), label(id), marks(id),
      folded(id));
  // Yellow to red reads without telling colours apart: the share stands beside the bar.
  line(text, cells.share >= 0.5 ? "1;31" : cells.share >= 0.2 ? "33" : "");
}

void TermWriter::summary() {
  std::vector<std::string> parts;
  const Plan& plan = report_.plan;
  if (plan.planning_ms) parts.push_back(cat("planning ", ms(*plan.planning_ms)));
  if (plan.execution_ms) parts.push_back(cat("execution ", ms(*plan.execution_ms)));
  for (const TriggerTime& trigger : plan.triggers) {
    parts.push_back(cat("trigger ", printable(trigger.name), " ", ms(trigger.ms), " in ",
                        count(trigger.calls), " calls"));
  }
  if (plan.serialization_ms) parts.push_back(cat("serialization ", ms(*plan.serialization_ms)));
  if (plan.jit_ms) parts.push_back(cat("JIT ", ms(*plan.jit_ms)));
  const auto gap = report_.timing.gap_ms;
  if (gap && *gap > 0.05 * report_.timing.total_ms) {
    parts.push_back(cat("outside the nodes ", ms(*gap)));
  }
  if (!parts.empty()) line(join(parts, options_.ascii ? ", " : " · "), "2");
}

void TermWriter::parameters() {
  for (size_t i = 0; i < report_.parameters.size(); ++i) {
    const ParameterValue& each = report_.parameters[i];
    paragraph(cat("$", i + 1, " = "), cat(printable(shown(each)), "  ", printable(each.origin)),
              "2");
  }
}

void TermWriter::action(const care::Action& entry, bool first) {
  paragraph("    ", first ? "fix:" : "or:");
  for (const care::Step& step : entry.steps) out_ += cat("      ", printable(step.sql), ";\n");
}

void TermWriter::finding(size_t i) {
  const care::Finding& entry = report_.findings[i];
  out_ += '\n';
  paragraph(cat("[", i + 1, "] ", entry.id, " "), printable(entry.what),
            entry.severity >= care::Severity::Warning ? "1;31" : "1");
  paragraph("    why: ", printable(entry.why));
  if (!entry.prediction.empty()) {
    paragraph(entry.actions.empty() ? "    do: " : "    expected: ",
              entry.actions.empty()
                  ? printable(entry.prediction)
                  : cat(printable(entry.prediction), " [", name(entry.proof), "]"));
  }
  if (!entry.measured.empty()) paragraph("    measured: ", printable(entry.measured));
  for (size_t at = 0; at < entry.actions.size(); ++at) action(entry.actions[at], at == 0);
  if (!entry.statements.empty()) paragraph("    ", "try:");
  for (const std::string& sql : entry.statements) out_ += cat("      ", printable(sql), ";\n");
  if (!options_.evidence) return;
  for (const care::Evidence& evidence : entry.evidence) {
    paragraph(cat("    ", options_.ascii ? "- " : "· ", evidence.name, ": "),
              printable(evidence.value), "2");
  }
}

}  // namespace

std::string render_term(const Report& report, const RenderOptions& options) {
  return TermWriter(report, options).write();
}

}  // namespace pgtend::explain
