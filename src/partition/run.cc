// Reads, plans and runs a conversion; and the JSON of what partition care says.
#include "base/text.h"
#include "facts/members.h"
#include "facts/tables.h"
#include "partition/instant.h"
#include "partition/online.h"
#include "partition/partition.h"
#include "partition/propose.h"
#include "pg/quote.h"

namespace pgtend::partition {
namespace {

constexpr size_t kTakenMax = 1'000'000;

Result<std::vector<std::string>> names_taken(pg::Connection& conn, const std::string& schema) {
  const pg::Rows rows = TRY_DURING(
      conn.query("select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                 "where n.nspname = $1 limit $2",
                 {schema, cat(kTakenMax)}),
      "reading names");
  std::vector<std::string> out;
  for (const pg::Row row : rows) out.emplace_back(row.text(0));
  return out;
}

Error already_partitioned(const facts::Layout& layout) {
  return {ErrorCode::Invalid, cat(layout.qualified(), " is partitioned already, by ",
                                  layout.strategy, " ", layout.key)};
}

// New partitions have neither statistics nor a visibility map.
care::Action after_care(const std::string& table) {
  care::Action out{.kind = "vacuum", .object = table};
  out.steps.push_back({.sql = cat("VACUUM (FREEZE, ANALYZE) ", table),
                       .lock = care::LockMode::ShareUpdateExclusive,
                       .in_transaction = false});
  out.verify_sql =
      cat("select coalesce(bool_and(coalesce(pg_stat_get_last_vacuum_time(t.relid) >= "
          "current_setting('pgtend.action_started')::timestamptz, false)), false) "
          "from pg_partition_tree(to_regclass(",
          pg::literal(table), ")) t where t.isleaf");
  return out;
}

template <class Visitor, class Item>
void visit_proposal(Visitor& visit, Item& p) {
  visit("schema", p.schema);
  visit("table", p.table);
  visit("column", p.column);
  visit("more", p.more);
  visit("type", p.type);
  visit("time_zone", p.time_zone);
  visit("step", p.step);
  visit("reason", p.reason);
  visit.list("partitions", p.slices, [](auto& inner, auto& slice) {
    inner("name", slice.name);
    inner("from", slice.from);
    inner("to", slice.to);
    inner("bound", slice.bound);
  });
  visit("data_from", p.data_from);
  visit("data_to", p.data_to);
  visit("planning_ms", p.planning_ms);
  visit("warnings", p.warnings);
}

json::array to_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

Result<Method> method_from(std::string_view word) {
  for (const Method known : {Method::Range, Method::List, Method::Hash}) {
    if (name(known) == word) return known;
  }
  return Error{ErrorCode::Invalid, cat("method ", printable(word), " is not range, list or hash")};
}

}  // namespace

std::string_view name(Method method) {
  switch (method) {
    case Method::Range:
      return "range";
    case Method::List:
      return "list";
    case Method::Hash:
      return "hash";
  }
  return "";
}

std::vector<std::string> Proposal::key() const {
  std::vector<std::string> out{column};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

Result<facts::Layout> show(pg::Connection& conn, const std::string& table,
                           const std::string& time_zone) {
  return facts::load_layout(conn, table, time_zone);
}

Result<Conversion> plan(pg::Connection& conn, const Request& request, const ConvertOptions& options,
                        const Policy& policy) {
  const facts::Layout layout = TRY(facts::load_layout(conn, request.table));
  if (layout.partitioned) return already_partitioned(layout);
  const Definition table = TRY(load_definition(conn, request.table));
  const Proposal proposal = TRY(propose_for(conn, table, request, policy));
  const std::vector<std::string> taken = TRY(names_taken(conn, table.schema));
  return plan_conversion(table, proposal, options, taken, policy);
}

Status nothing_begun(pg::Connection& conn, const std::string& table) {
  const auto job = TRY(reshape::find_ledger(conn, table));
  if (job) {
    return Error{ErrorCode::Invalid, cat("a conversion of ", job->job.table(), " has begun: it is ",
                                         reshape::name(job->phase))}
        .hinting("pgtend partition resume, abort, undo or finish");
  }
  // One that can still be taken back needs its partitions as they are.
  const uint32_t oid = TRY(facts::resolve_table(conn, table));
  const pg::Rows rows = TRY(
      conn.query("select relid::text from pg_partition_ancestors($1::oid) where relid <> $1::oid",
                 {cat(oid)}));
  for (const pg::Row row : rows) {
    const auto above = TRY(reshape::find_ledger(conn, std::string(row.text(0))));
    if (!above) continue;
    return Error{ErrorCode::Invalid,
                 cat("the conversion of ", above->job.table(), " above it can still be taken back")}
        .hinting(cat("pgtend partition finish ", above->job.table(), " first, or undo"));
  }
  return ok();
}

Status ready_to_copy(pg::Connection& conn, reshape::Job& job) {
  const pg::Rows rows =
      TRY(conn.query("select has_database_privilege(current_database(), 'TEMPORARY'), "
                     "current_setting('block_size')::int"));
  job.block_size = TRY(rows[0].get<int32_t>(1));
  if (TRY(rows[0].get<bool>(0))) return ok();
  return Error{ErrorCode::Denied,
               "the role may not make temporary tables, in which changed keys "
               "are kept at hand"}
      .hinting("GRANT TEMPORARY ON DATABASE … TO it");
}

Result<OnlinePlan> plan_online(pg::Connection& conn, Request request, const ConvertOptions& options,
                               Mode mode, const Policy& policy) {
  TRY(nothing_begun(conn, request.table));
  const facts::Layout layout = TRY(facts::load_layout(conn, request.table));
  if (layout.partitioned) return already_partitioned(layout);
  const Definition table = TRY(load_definition(conn, request.table));
  if (mode == Mode::Instant && request.method != Method::Range) {
    return Error{ErrorCode::Invalid,
                 cat("the table cannot become a partition by ", name(request.method),
                     " as it is: that would be one of all its rows")}
        .hinting("--mode shadow copies the rows, and so does locked");
  }
  if (mode == Mode::Instant) request.ahead += kInstantReserve;
  Proposal proposal = TRY(propose_for(conn, table, request, policy));
  const std::vector<std::string> taken = TRY(names_taken(conn, table.schema));
  if (mode == Mode::Instant) {
    return plan_instant(table, std::move(proposal), options, taken, request.ahead);
  }
  OnlinePlan out = plan_shadow(table, proposal, options, taken, policy);
  TRY(ready_to_copy(conn, out.job));
  return out;
}

Result<ConvertReport> convert(const care::GateSetup& gate, const Conversion& conversion) {
  if (!conversion.refusals.empty()) {
    return Error{
        ErrorCode::Invalid,
        cat(conversion.action.object, " cannot be converted: ", join(conversion.refusals, "; "))};
  }
  ConvertReport report;
  report.outcome = TRY(care::Gate(gate).run(conversion.action));
  if (report.outcome.already) return report;
  auto after = care::Gate(gate).run(after_care(conversion.action.object));
  if (!after) {
    report.warnings.push_back(cat("converted, but not analysed: ", after.error().message,
                                  "; run VACUUM (FREEZE, ANALYZE) ", conversion.action.object));
    return report;
  }
  for (care::StatementReport& statement : after->statements) {
    report.outcome.statements.push_back(std::move(statement));
  }
  for (std::string& warning : after->warnings) report.warnings.push_back(std::move(warning));
  return report;
}

json::object to_json(const Proposal& proposal) {
  facts::MemberWriter writer;
  visit_proposal(writer, proposal);
  writer("method", std::string(name(proposal.method)));
  writer("interval", std::string(name(proposal.interval)));
  return std::move(writer).take();
}

Result<Proposal> proposal_from_json(const json::value& value) {
  if (!value.is_object()) return Error{ErrorCode::Invalid, "a proposal must be an object"};
  Proposal proposal;
  std::string interval(name(proposal.interval));
  std::string method(name(proposal.method));
  facts::MemberReader reader(value.as_object());
  visit_proposal(reader, proposal);
  reader("interval", interval);
  reader("method", method);
  TRY_DURING(reader.finish(), "proposal");
  proposal.interval = TRY(interval_from(interval));
  proposal.method = TRY(method_from(method));
  return proposal;
}

json::object to_json(const Conversion& conversion) {
  return {{"definition", to_json(conversion.definition)},
          {"proposal", to_json(conversion.proposal)},
          {"refusals", to_array(conversion.refusals)},
          {"changes", to_array(conversion.changes)},
          {"old_table", conversion.old_table},
          {"action", to_json(conversion.action)}};
}

json::object to_json(const ConvertReport& report) {
  return {{"outcome", to_json(report.outcome)}, {"warnings", to_array(report.warnings)}};
}

}  // namespace pgtend::partition
