#include "vacuum/compact_tables.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "facts/tables.h"

namespace pgtend::vacuum {
namespace {

int64_t won(const CompactPart& part) {
  const CompactPlan& plan = part.report.plan;
  return plan.ways.empty() ? 0 : plan.cost(plan.pick).won.count;
}

bool worth_it(const CompactPart& part) {
  const CompactPlan& plan = part.report.plan;
  return !part.error && !plan.ways.empty() && plan.pick != Way::Nothing;
}

std::string why_stop(const CompactSetup& setup) {
  if (setup.gate.cancel != nullptr && setup.gate.cancel->load()) return "cancelled";
  return setup.throttle.over ? setup.throttle.over() : "";
}

}  // namespace

Result<std::optional<std::vector<std::string>>> load_parts(const CompactSetup& setup) {
  pg::Options options = setup.gate.options;
  options.set("application_name", "pgtend/look");
  pg::Connection conn = TRY(pg::Connection::open(options));
  TRY(conn.guard());
  const uint32_t oid = TRY(facts::resolve_table(conn, setup.table));
  CompactTable table = TRY(load_compact_table(conn, oid));
  if (table.kind != 'p') return std::optional<std::vector<std::string>>();
  return std::optional(std::move(table.leaves));
}

CompactPartsReport compact_parts(const CompactSetup& setup, const std::vector<std::string>& parts,
                                 const std::function<void(const std::string&)>& on_event) {
  CompactPartsReport out{.table = setup.table};
  const auto say = [&](const std::string& line) {
    if (on_event) on_event(line);
  };
  CompactSetup one = setup;
  for (const std::string& part : parts) {
    out.stopped = why_stop(setup);
    if (!out.stopped.empty()) return out;
    one.table = part;
    CompactPart& planned = out.parts.emplace_back();
    planned.report.table = part;
    // Of a dry run also the gate's word is wanted: whether a real one would be refused.
    const Status status =
        setup.gate.policy.apply ? plan_compact(one, planned.report) : compact(one, planned.report);
    if (!status) planned.error = status.error();
  }
  std::ranges::stable_sort(out.parts, std::greater<>(), won);
  if (!setup.gate.policy.apply) return out;
  for (CompactPart& part : out.parts) {
    if (!worth_it(part)) continue;
    out.stopped = why_stop(setup);
    if (!out.stopped.empty()) return out;
    one.table = part.report.table;
    part.begun = true;
    say(cat(printable(one.table), ": ", name(part.report.plan.pick)));
    CompactReport done;
    const Status status = compact(one, done);
    if (!done.plan.ways.empty()) part.report = std::move(done);
    if (!status) part.error = status.error();
    say(status ? cat(printable(one.table), ": done")
               : cat(printable(one.table), ": ", printable(part.error->message)));
  }
  out.stopped = why_stop(setup);
  return out;
}

json::object to_json(const CompactPartsReport& report) {
  json::array parts;
  for (const CompactPart& part : report.parts) {
    json::object entry = to_json(part.report);
    entry["begun"] = part.begun;
    if (part.error) {
      entry["error"] = json::object{{"message", part.error->message},
                                    {"hint", part.error->hint},
                                    {"sqlstate", part.error->sqlstate}};
    }
    parts.emplace_back(std::move(entry));
  }
  return {{"table", report.table}, {"partitions", std::move(parts)}, {"stopped", report.stopped}};
}

}  // namespace pgtend::vacuum
