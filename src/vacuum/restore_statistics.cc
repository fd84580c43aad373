#include "vacuum/restore_statistics.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::vacuum {
namespace {

using facts::KeptColumn;

// True while pg_stats shows exactly these of the columns.
std::string shows(const facts::TableFacts& table, const std::vector<KeptColumn>& columns) {
  std::vector<std::string> parts;
  for (const KeptColumn& column : columns) {
    std::string part = cat(
        "exists (select from pg_catalog.pg_stats where schemaname = ", pg::literal(table.schema),
        " and tablename = ", pg::literal(table.name), " and attname = ", pg::literal(column.name),
        " and inherited = ", column.inherited ? "true" : "false");
    for (const auto& [member, text] : column.members) {
      part += cat(" and ", member, "::text = ", pg::literal(text));
    }
    parts.push_back(part + ")");
  }
  return cat("select ", join(parts, " and "));
}

std::vector<std::string> restoring_calls(const facts::TableFacts& table,
                                         const std::vector<KeptColumn>& columns) {
  std::vector<std::string> out;
  for (const KeptColumn& column : columns) {
    out.push_back(cat("select ", column.clear_call(table.schema, table.name)));
    out.push_back(cat("select ", column.restore_call(table.schema, table.name)));
  }
  return out;
}

}  // namespace

std::vector<KeptColumn> chosen(const std::vector<KeptColumn>& kept,
                               const std::vector<std::string>& columns) {
  std::vector<KeptColumn> out;
  for (const KeptColumn& column : kept) {
    if (std::ranges::find(columns, column.name) != columns.end()) out.push_back(column);
  }
  return out;
}

care::Action restore_action(const facts::TableFacts& table, const std::vector<KeptColumn>& before,
                            const std::vector<KeptColumn>& now) {
  care::Action out{.kind = "restore-statistics", .object = table.qualified()};
  const auto mode = care::LockMode::ShareUpdateExclusive;
  if (table.kind != 'm') {  // LOCK takes no materialised views
    out.steps.push_back(
        {.sql = cat("lock table only ", out.object, " in share update exclusive mode"),
         .lock = mode});
  }
  out.steps.push_back({.sql = shows(table, now),
                       .check = true,
                       .failure = "somebody has analysed the table meanwhile"});
  for (const KeptColumn& column : before) {
    out.steps.push_back(
        {.sql = cat("select ", column.clear_call(table.schema, table.name)), .lock = mode});
    out.steps.push_back({.sql = cat("select ", column.restore_call(table.schema, table.name)),
                         .lock = mode,
                         .check = true,
                         .failure = "the server has not taken the statistics"});
  }
  out.verify_sql = shows(table, before);
  out.undo = restoring_calls(table, now);
  out.undo_in_transaction = true;
  return out;
}

Status rehearse_restore(const care::GateSetup& gate, const facts::TableFacts& table,
                        const std::vector<KeptColumn>& before,
                        std::function<Status(pg::Connection&)> look) {
  if (before.empty()) return ok();
  care::Rehearsal rehearsal{.kind = "restore-statistics", .object = table.qualified()};
  rehearsal.before = restoring_calls(table, before);
  rehearsal.sql = std::move(rehearsal.before.back());
  rehearsal.before.pop_back();
  rehearsal.lock = care::LockMode::ShareUpdateExclusive;
  rehearsal.look = std::move(look);
  TRY(care::rehearse(gate, rehearsal));
  return ok();
}

}  // namespace pgtend::vacuum
