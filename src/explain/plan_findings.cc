#include "explain/plan_findings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/words.h"
#include "pg/quote.h"

namespace pgtend::explain {

double number_in(const Properties& object, std::string_view name) {
  const Value* value = find_member(object, name);
  return value != nullptr && value->is_number() ? std::max(0.0, value->to_number()) : 0;
}

const Properties* group_in(const Properties& object, std::string_view name) {
  const Value* value = find_member(object, name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view setting(const Plan& plan, std::string_view name) {
  const Properties* settings = group_in(plan.properties, "Settings");
  return settings == nullptr ? std::string_view() : text_member(*settings, name);
}

double setting_kilobytes(const Plan& plan, std::string_view name, double otherwise) {
  const std::string_view text = setting(plan, name);
  int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || number <= 0) return otherwise;
  const std::string_view unit = trim(text.substr(static_cast<size_t>(end - text.data())));
  const auto amount = static_cast<double>(number);
  if (unit == "kB") return amount;
  if (unit == "MB") return amount * 1024;
  if (unit == "GB") return amount * 1024 * 1024;
  return otherwise;
}

double rows_total(const Node& node) {
  return node.actual ? node.actual->rows * node.actual->loops : 0;
}

int input_of(const Plan& plan, int id) {
  for (const int child : at(plan, id).children) {
    if (at(plan, child).relation == Relation::Child) return child;
  }
  return kNone;
}

int input_past(const Plan& plan, int id) {
  constexpr std::array<std::string_view, 6> kPassing = {
      "Sort", "Incremental Sort", "Gather", "Gather Merge", "Materialize", "Subquery Scan"};
  int below = input_of(plan, id);
  while (below != kNone && std::ranges::find(kPassing, at(plan, below).type) != kPassing.end() &&
         at(plan, below).text("Filter").empty()) {
    below = input_of(plan, below);
  }
  return below;
}

bool makes_distinct(const Node& node) {
  if (node.type == "Unique") return true;
  const Value* output = find_member(node.properties, "Output");
  const Value* keys = find_member(node.properties, "Group Key");
  if (node.type != "Aggregate" || output == nullptr || keys == nullptr) return false;
  if (!output->is_array() || !keys->is_array()) return false;
  std::set<std::string_view> grouped_by;
  for (const Value& key : keys->get_array()) {
    if (key.is_string()) grouped_by.insert(key.get_string());
  }
  return std::ranges::all_of(output->get_array(), [&](const Value& entry) {
    return entry.is_string() && grouped_by.contains(entry.get_string());
  });
}

bool is_join(const Node& node) {
  return node.type == "Nested Loop" || node.type == "Hash Join" || node.type == "Merge Join";
}

double self_temp_blocks(const Plan& plan, int id) {
  const Node& node = at(plan, id);
  if (!node.blocks) return 0;
  double out = node.blocks->temp;
  for (const int child : node.children) {
    // A CTE's blocks are inside whoever pulls its rows, not inside its owner.
    if (at(plan, child).relation != Relation::Child || !at(plan, child).blocks) continue;
    out -= at(plan, child).blocks->temp;
  }
  return std::max(out, 0.0);
}

Spent self_of(const Examination& in, int id) {
  const NodeTime& time = time_of(in, id);
  return {time.self.low(), time.self_blocks + self_temp_blocks(in.plan, id)};
}

Spent whole_of(const Examination& in, int id) {
  const Node& node = at(in.plan, id);
  return {time_of(in, id).wall.low(), node.blocks ? node.blocks->shared() + node.blocks->temp : 0};
}

std::optional<Weight> weigh(const Examination& in, const Spent& spent) {
  const Policy& policy = in.policy;
  if (in.plan.timed()) {
    if (in.timing.total_ms <= 0) return std::nullopt;
    const Weight weight{spent.ms, 0, std::min(spent.ms / in.timing.total_ms, 1.0)};
    const bool matters =
        spent.ms >= policy.saving_ms_min && weight.share >= policy.saving_share_min;
    return matters ? std::optional(weight) : std::nullopt;
  }
  if (!in.plan.analyzed() || !in.plan.root().blocks) return std::nullopt;
  const double all = whole_of(in, 0).blocks;
  if (all <= 0 || spent.blocks < policy.pages_min) return std::nullopt;
  const Weight weight{0, spent.blocks, std::min(spent.blocks / all, 1.0)};
  return weight.share >= policy.blocks_share_min ? std::optional(weight) : std::nullopt;
}

std::string weight_text(const Weight& weight) {
  return weight.blocks > 0 ? cat(counted(weight.blocks), " pages") : milliseconds_text(weight.ms);
}

std::string node_name(const Node& node) {
  const std::string_view object = node.object.relation;
  const std::string kind = cat(node.parallel_aware ? "Parallel " : "", node.type);
  return object.empty() ? kind : cat(kind, " on ", object);
}

std::string table_name(const Node& node) {
  return node.object.schema.empty() ? pg::ident(node.object.relation)
                                    : pg::qualified(node.object.schema, node.object.relation);
}

care::Finding& add_finding(const Examination& in, Diagnosis& out, std::string_view id,
                           std::vector<int> nodes, const Weight& weight) {
  Diagnosis::Entry entry;
  entry.nodes = std::move(nodes);
  entry.saving_ms = weight.ms;
  care::Finding& finding = entry.finding;
  finding.id = id;
  finding.severity = weight.share >= 0.5 ? care::Severity::Warning : care::Severity::Notice;
  finding.saved_seconds_per_day = weight.ms / 1000 * in.policy.calls_per_day;
  finding.why =
      cat("up to ", weight_text(weight), " of the statement (", percent(weight.share), ")");
  if (!entry.nodes.empty()) {
    const Node& node = at(in.plan, entry.nodes[0]);
    finding.object = node.object.relation.empty() ? node.type : table_name(node);
    finding.evidence.push_back({"plan node", cat("#", entry.nodes[0] + 1, " ", node_name(node))});
  } else {
    finding.object = "statement";
  }
  out.entries.push_back(std::move(entry));
  return out.entries.back().finding;
}

care::Finding& add_hint(const Examination& in, Diagnosis& out, std::string_view id,
                        std::vector<int> nodes, const Weight& weight) {
  care::Finding& finding = add_finding(in, out, id, std::move(nodes), weight);
  finding.severity = care::Severity::Info;
  finding.saved_seconds_per_day = out.entries.back().saving_ms = 0;
  finding.why =
      cat("it is ", weight_text(weight), " of the statement (", percent(weight.share), ")");
  return finding;
}

care::Finding& add_question(const Examination& in, Diagnosis& out, std::string_view id,
                            std::vector<int> nodes, const Weight& weight) {
  care::Finding& finding = add_finding(in, out, id, std::move(nodes), weight);
  finding.severity = care::Severity::Notice;
  return finding;
}

bool is_told(const Diagnosis& diagnosis, int node) {
  return std::ranges::any_of(diagnosis.entries, [node](const Diagnosis::Entry& entry) {
    return std::ranges::find(entry.nodes, node) != entry.nodes.end();
  });
}

bool has_spoken(const Diagnosis& diagnosis, std::string_view id) {
  return std::ranges::any_of(
      diagnosis.entries, [id](const Diagnosis::Entry& entry) { return entry.finding.id == id; });
}

std::string work_mem(double kilobytes) {
  int64_t megabytes = 8;
  while (static_cast<double>(megabytes) * 1024 < kilobytes && megabytes < (1 << 20)) megabytes *= 2;
  return cat("SET LOCAL work_mem = '", megabytes, "MB'");
}

std::string kilobytes_text(double kilobytes) {
  return human(Bytes{static_cast<int64_t>(std::min(kilobytes, 1e15) * 1024)});
}

}  // namespace pgtend::explain
