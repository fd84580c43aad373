#include "explain/report_json.h"

#include <utility>

#include "base/text.h"
#include "explain/rows.h"

namespace pgtend::explain {
namespace {

json::value number_or_null(std::optional<double> value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr)
                      : json::value(json::string_view(text.data(), text.size()));
}

json::array to_list(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

json::object to_json(const Span& span) {
  return {{"ms", span.mid}, {"low_ms", span.low()}, {"high_ms", span.high()}};
}

// What one node says, without its children.
json::object node_json(const Report& report, int id) {
  const Node& node = at(report.plan, id);
  const NodeTime& time = report.timing.nodes[static_cast<size_t>(id)];
  const RowCount rows = count_rows(report.plan, id);
  json::object out;
  out["id"] = id;
  out["type"] = node.type;
  out["relationship"] = node.relationship;
  out["subplan"] = node.subplan_name;
  out["schema"] = node.object.schema;
  out["relation"] = node.object.relation;
  out["alias"] = node.object.alias;
  out["index"] = node.object.index;
  out["never_executed"] = node.never_executed();
  if (report.plan.timed()) {
    out["self"] = to_json(time.self);
    out["total"] = to_json(time.wall);
  }
  json::object counted;
  counted["actual"] = node.actual ? json::value(rows.actual) : json::value(nullptr);
  counted["error"] = rows.error;
  counted["estimate"] = rows.estimate;
  counted["factor"] = rows.factor;
  counted["excuse"] = std::string(rows.excuse);
  out["rows"] = std::move(counted);
  out["blocks"] = node.blocks ? json::value(node.blocks->shared()) : json::value(nullptr);
  out["self_blocks"] = time.self_blocks;
  out["cost"] = node.estimate.total_cost;
  out["properties"] = to_json(node.properties);
  return out;
}

// The nodes stand parents first: one that is less deep ends what is open.
void write_tree(JsonWriter& out, const Report& report) {
  int open = 0;
  const auto close_to = [&](int depth) {
    for (; open > depth; --open) {
      out.end();
      out.end();
    }
  };
  for (size_t i = 0; i < report.plan.nodes.size(); ++i) {
    close_to(report.plan.nodes[i].depth);
    out.begin_object();
    out.members(node_json(report, static_cast<int>(i)));
    out.key("children");
    out.begin_list();
    ++open;
  }
  close_to(0);
}

// The statements of the first action, or what to try where there is none, as one text.
std::string sql_of(const care::Finding& finding) {
  std::vector<std::string> statements = finding.statements;
  if (!finding.actions.empty()) {
    statements.clear();
    for (const care::Step& step : finding.actions.front().steps) statements.push_back(step.sql);
  }
  std::string out;
  for (const std::string& sql : statements) out += cat(out.empty() ? "" : "\n", sql, ";");
  return out;
}

json::object finding_json(const Report& report, size_t index) {
  const care::Finding& finding = report.findings[index];
  json::object out;
  out["id"] = finding.id;
  out["level"] = care::name(finding.proof).substr(0, 2);
  json::array places;
  for (const int node : report.places[index]) places.push_back(node);
  out["node"] = places.empty() ? json::value(nullptr) : places.front();
  out["nodes"] = std::move(places);
  out["cause"] = finding.what;
  out["sql"] = text_or_null(sql_of(finding));
  out["saving"] = {{"predicted", text_or_null(finding.prediction)},
                   {"measured", text_or_null(finding.measured)}};
  for (auto& member : care::to_json(finding)) out.emplace(member.key(), std::move(member.value()));
  return out;
}

}  // namespace

json::object summary_json(const Report& report) {
  const Plan& plan = report.plan;
  json::object out;
  out["format"] = name(report.format);
  out["line"] = report.line;
  out["nodes"] = plan.nodes.size();
  out["analyzed"] = plan.analyzed();
  out["planning_ms"] = number_or_null(plan.planning_ms);
  out["execution_ms"] = number_or_null(plan.execution_ms);
  out["total_ms"] = plan.timed() ? json::value(report.timing.total_ms) : json::value(nullptr);
  out["gap_ms"] = number_or_null(report.timing.gap_ms);
  out["self_times_add_up"] = report.timing.adds_up();
  out["query"] = text_or_null(plan.query_text);
  out["properties"] = to_json(plan.properties);
  json::array parameters;
  for (const ParameterValue& each : report.parameters) {
    parameters.push_back(
        json::object{{"value", each.value ? json::value(*each.value) : json::value(nullptr)},
                     {"origin", each.origin}});
  }
  out["parameters"] = std::move(parameters);
  return out;
}

json::object findings_json(const Report& report) {
  json::object out;
  json::array findings;
  for (size_t i = 0; i < report.findings.size(); ++i) {
    findings.push_back(finding_json(report, i));
  }
  out["findings"] = std::move(findings);
  out["warnings"] = to_list(report.warnings);
  json::array missing;
  for (const facts::MissingRight& right : report.missing) missing.push_back(facts::to_json(right));
  out["missing_rights"] = std::move(missing);
  return out;
}

void write_json(JsonWriter& out, const Report& report) {
  out.begin_object();
  out.members(summary_json(report));
  out.key("root");
  write_tree(out, report);
  out.members(findings_json(report));
  out.end();
}

}  // namespace pgtend::explain
