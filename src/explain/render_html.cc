#include "explain/render_html.h"

#include <cmath>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "explain/page_source.h"
#include "explain/render_text.h"
#include "explain/report_json.h"
#include "explain/rows.h"
#include "explain/sql_spans.h"

namespace pgtend::explain {
namespace {

constexpr size_t kTextBytesMax = size_t{16} << 20;

// Times to a tenth of a microsecond: sums of what EXPLAIN prints have digits that say nothing.
double short_number(double value) { return std::round(value * 1e4) / 1e4; }

// Whole numbers without ".0" and exponent: half of the page is numbers.
json::value number_json(double value) {
  const double cut = short_number(value);
  if (!std::isfinite(cut)) return nullptr;
  constexpr double kExact = 9e15;
  if (std::fabs(cut) < kExact && cut == std::trunc(cut)) return static_cast<int64_t>(cut);
  return cut;
}

// Each text once; a column holds its number.
class Names {
 public:
  // `text` lives as long as this.
  json::value number(std::string_view text) {
    const auto [it, fresh] = numbers_.try_emplace(text, numbers_.size());
    if (fresh) list_.emplace_back(json::string_view(text.data(), text.size()));
    return it->second;
  }
  json::array take() { return std::move(list_); }

 private:
  std::unordered_map<std::string_view, size_t> numbers_;
  json::array list_;
};

// The members of all nodes' properties; nodes of one kind have the same names in the same order.
class Shapes {
 public:
  // [shape, value, value …]
  json::array row(const Properties& properties) {
    std::string key;
    for (const Property& member : properties) {
      key += member.key;
      key += '\n';
    }
    const auto [it, fresh] = numbers_.try_emplace(std::move(key), numbers_.size());
    json::array out;
    json::array names;
    out.reserve(properties.size() + 1);
    out.emplace_back(it->second);
    for (const Property& member : properties) {
      if (fresh) names.emplace_back(json::string_view(member.key.data(), member.key.size()));
      out.push_back(to_json(member.value));
    }
    if (fresh) list_.push_back(std::move(names));
    return out;
  }
  json::array take() { return std::move(list_); }

 private:
  std::unordered_map<std::string, size_t> numbers_;
  json::array list_;
};

// A column of the nodes: what --json says of each under the same name, without what is the same
// everywhere.
struct NodeColumn {
  const char* name;
  json::value (*value)(const Report& report, int id, const RowCount& rows);
};
struct NameColumn {
  const char* name;
  std::string_view (*value)(const Node& node);
};

const NodeTime& time_of(const Report& report, int id) {
  return report.timing.nodes[static_cast<size_t>(id)];
}

const NodeColumn kNumberColumns[] = {
    {"depth",
     [](const Report& r, int id, const RowCount&) -> json::value { return at(r.plan, id).depth; }},
    {"never_executed",
     [](const Report& r, int id, const RowCount&) -> json::value {
       return at(r.plan, id).never_executed() ? 1 : 0;
     }},
    {"parallel",
     [](const Report& r, int id, const RowCount&) -> json::value {
       return at(r.plan, id).parallel_aware ? 1 : 0;
     }},
    {"loops",
     [](const Report& r, int id, const RowCount&) {
       const Node& node = at(r.plan, id);
       return node.actual ? number_json(node.actual->loops) : json::value(nullptr);
     }},
    {"self_ms",
     [](const Report& r, int id, const RowCount&) { return number_json(time_of(r, id).self.mid); }},
    {"self_error",
     [](const Report& r, int id, const RowCount&) { return number_json(time_of(r, id).self.eps); }},
    {"total_ms",
     [](const Report& r, int id, const RowCount&) { return number_json(time_of(r, id).wall.mid); }},
    {"total_error",
     [](const Report& r, int id, const RowCount&) { return number_json(time_of(r, id).wall.eps); }},
    {"actual",
     [](const Report& r, int id, const RowCount& rows) {
       return at(r.plan, id).actual ? number_json(rows.actual) : json::value(nullptr);
     }},
    {"actual_error",
     [](const Report&, int, const RowCount& rows) { return number_json(rows.error); }},
    {"estimate",
     [](const Report&, int, const RowCount& rows) { return number_json(rows.estimate); }},
    {"factor", [](const Report&, int, const RowCount& rows) { return number_json(rows.factor); }},
    {"blocks",
     [](const Report& r, int id, const RowCount&) {
       const Node& node = at(r.plan, id);
       return node.blocks ? number_json(node.blocks->shared()) : json::value(nullptr);
     }},
    {"self_blocks", [](const Report& r, int id,
                       const RowCount&) { return number_json(time_of(r, id).self_blocks); }},
    {"cost", [](const Report& r, int id,
                const RowCount&) { return number_json(at(r.plan, id).estimate.total_cost); }},
};

const NameColumn kNameColumns[] = {
    {"type", [](const Node& node) { return node.type; }},
    {"relationship", [](const Node& node) { return node.relationship; }},
    {"subplan", [](const Node& node) { return node.subplan_name; }},
    {"schema", [](const Node& node) { return node.object.schema; }},
    {"relation", [](const Node& node) { return node.object.relation; }},
    {"alias", [](const Node& node) { return node.object.alias; }},
    {"index", [](const Node& node) { return node.object.index; }},
    {"other", [](const Node& node) { return node.object.other; }},
};

// Text of JSON that means the same to a JSON reader and nothing to an HTML one: all of these stand
// in strings alone.
void append_inert(std::string& out, std::string_view text) {
  constexpr std::string_view kSpecial = "<>&\xE2";
  size_t done = 0;
  for (size_t at = text.find_first_of(kSpecial); at != text.npos;
       at = text.find_first_of(kSpecial, at + 1)) {
    size_t length = 1;
    std::string_view escape;
    switch (text[at]) {
      case '<':
        escape = "\\u003c";
        break;
      case '>':
        escape = "\\u003e";
        break;
      case '&':
        escape = "\\u0026";
        break;
      default:
        length = 3;
        if (text.substr(at, 3) == "\xE2\x80\xA8") escape = "\\u2028";
        if (text.substr(at, 3) == "\xE2\x80\xA9") escape = "\\u2029";
    }
    if (escape.empty()) continue;
    out += text.substr(done, at - done);
    out += escape;
    done = at + length;
  }
  out += text.substr(done);
}

// Writes the data of one report. Lives during one call.
class PageWriter {
 public:
  PageWriter(const Report& report, std::string& out) : report_(report), out_(out) {}

  void write() {
    out_ += '{';
    members(summary_json(report_));
    member("timed", report_.plan.timed());
    member("outside", outside());
    member("spans", spans());
    member("text", text());
    nodes();
    members(findings_json(report_));
    out_ += '}';
  }

 private:
  void member(std::string_view name, const json::value& value) {
    if (out_.back() != '{') out_ += ',';
    append_inert(out_, to_text(json::value(json::string_view(name.data(), name.size()))));
    out_ += ':';
    append_inert(out_, to_text(value));
  }
  void members(const json::object& object) {
    for (const auto& entry : object) {
      member(std::string_view(entry.key().data(), entry.key().size()), entry.value());
    }
  }
  json::array outside() const;
  json::array spans() const;
  json::value text() const;
  void nodes();

  const Report& report_;
  std::string& out_;
};

// What the statement did beside its nodes: [what, milliseconds].
json::array PageWriter::outside() const {
  const Plan& plan = report_.plan;
  json::array out;
  const auto add = [&](std::string_view what, std::optional<double> ms) {
    if (ms)
      out.push_back(json::array{json::string_view(what.data(), what.size()), number_json(*ms)});
  };
  add("planning", plan.planning_ms);
  for (const TriggerTime& trigger : plan.triggers) {
    add(cat("trigger ", trigger.name, trigger.relation.empty() ? "" : " on ", trigger.relation,
            ", calls: ", number_json(trigger.calls).to_number<double>()),
        trigger.ms);
  }
  add("serialization", plan.serialization_ms);
  if (report_.timing.outside_ms > 0) add("after the last row", report_.timing.outside_ms);
  if (report_.timing.gap_ms && *report_.timing.gap_ms > 0) {
    add("start, stop and what no node tells", report_.timing.gap_ms);
  }
  add("JIT (partly inside the nodes)", plan.jit_ms);
  return out;
}

// [finding, begin, end] in UTF-16 units, as the page counts.
json::array PageWriter::spans() const {
  const std::string& query = report_.plan.query_text;
  const std::vector<SqlSpan> found = sql_spans(report_);
  if (found.empty()) return {};
  std::vector<size_t> units(query.size() + 1, 0);
  size_t count = 0;
  for (size_t at = 0; at < query.size();) {
    const size_t length = character_length(std::string_view(query).substr(at));
    if (length == 0) return {};  // what a browser makes of such bytes is its own affair
    for (size_t i = 0; i < length; ++i) units[at + i] = count;
    count += length == 4 ? 2 : 1;
    at += length;
  }
  units[query.size()] = count;
  json::array out;
  for (const SqlSpan& span : found) {
    out.push_back(json::array{span.finding, units[span.place.begin], units[span.place.end]});
  }
  return out;
}

json::value PageWriter::text() const {
  auto text = render_text(report_.plan, kTextBytesMax);
  return text ? json::value(*text) : json::value(nullptr);
}

// The tree as columns: with a name before each value, 100,000 nodes were five times as large.
void PageWriter::nodes() {
  const int count = static_cast<int>(report_.plan.nodes.size());
  std::map<std::string_view, json::array> columns;
  Names names;
  for (int id = 0; id < count; ++id) {
    const RowCount rows = count_rows(report_.plan, id);
    for (const NodeColumn& column : kNumberColumns) {
      columns[column.name].push_back(column.value(report_, id, rows));
    }
    for (const NameColumn& column : kNameColumns) {
      columns[column.name].push_back(names.number(column.value(at(report_.plan, id))));
    }
    columns["excuse"].push_back(names.number(rows.excuse));
  }
  member("names", names.take());
  out_ += ",\"columns\":{";
  for (auto& [name, column] : columns) member(name, std::exchange(column, {}));
  out_ += "},\"node_properties\":[";
  Shapes shapes;
  for (int id = 0; id < count; ++id) {
    if (id > 0) out_ += ',';
    append_inert(out_, to_text(shapes.row(at(report_.plan, id).properties)));
  }
  out_ += ']';
  member("shapes", shapes.take());
}

}  // namespace

std::string render_html(std::span<const Report> reports) {
  std::string out(kPageHead);
  for (const Report& report : reports) {
    out += "<script type=\"application/json\" class=\"plan\">";
    PageWriter(report, out).write();
    out += "</script>\n";
  }
  out += kPageTail;
  return out;
}

}  // namespace pgtend::explain
