#include "vacuum/rules_settings.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using care::Finding;
using care::Severity;
using facts::TableFacts;

// How many MB of pages a second are read at most with these cost settings; infinite without a
// delay.
double ceiling_mb_s(const facts::VacuumCosts& costs, double limit, double delay_ms) {
  if (delay_ms <= 0) return INFINITY;
  const double pages_s = limit / delay_ms * 1000 / std::max(costs.page_miss, 1.0);
  return pages_s * static_cast<double>(costs.block_size) / 1e6;
}

std::string speed(double mb_s) {
  return std::isinf(mb_s) ? "without a limit" : cat("up to ", count(mb_s), " MB/s");
}

std::optional<double> number_option(const TableFacts& table, const std::string& name) {
  const auto found = table.options.find(name);
  if (found == table.options.end()) return {};
  const auto number = parse_double(found->second);
  return number ? std::optional(*number) : std::nullopt;
}

}  // namespace

// Tables with cost settings of their own get a budget of their own.
std::optional<Finding> own_cost_budget(const TableFacts& table, const Context& context,
                                       const Policy&) {
  if (!context.costs) return {};
  const facts::VacuumCosts& costs = *context.costs;
  const auto own_limit = number_option(table, "autovacuum_vacuum_cost_limit");
  const auto own_delay = number_option(table, "autovacuum_vacuum_cost_delay");
  if (!own_limit && !own_delay) return {};
  const double limit = own_limit.value_or(0) > 0 ? *own_limit : costs.effective_limit();
  const double delay = own_delay.value_or(-1) >= 0 ? *own_delay : costs.effective_delay_ms();
  const double own = ceiling_mb_s(costs, limit, delay);
  const double shared = ceiling_mb_s(costs, costs.effective_limit(), costs.effective_delay_ms());
  if (own < shared) return {};
  Finding finding{
      .id = "own-cost-budget",
      .object = table.qualified(),
      .severity = Severity::Notice,
      .what = cat("autovacuum reads it ", speed(own), ", beside the budget of all other tables"),
      .why = cat("workers on tables with cost settings of their own do not take part in the common "
                 "budget (",
                 speed(shared), "): each such table adds its own to the I/O of all")};
  if (own_limit) finding.evidence.push_back({"autovacuum_vacuum_cost_limit", count(*own_limit)});
  if (own_delay) {
    finding.evidence.push_back(
        {"autovacuum_vacuum_cost_delay", table.options.at("autovacuum_vacuum_cost_delay")});
  }
  finding.statements = {cat("ALTER TABLE ", table.qualified(),
                            " RESET (autovacuum_vacuum_cost_limit, autovacuum_vacuum_cost_delay)")};
  finding.prediction = "autovacuum's I/O stays within one budget";
  return finding;
}

std::optional<Finding> low_hot(const TableFacts& table, const Context& context,
                               const Policy& policy) {
  const facts::TableCounters& counters = table.counters;
  if (table.kind != 'r' || counters.updated < policy.updates_min) return {};
  const auto updated = static_cast<double>(counters.updated);
  const double share = static_cast<double>(counters.updated_hot) / updated;
  if (share >= policy.hot_share_min || table.size.indexes.count == 0) return {};
  const auto others = static_cast<double>(counters.updated - counters.updated_hot);
  const auto moved = context.updated_to_new_page.find(table.oid);
  const bool told = context.settings.version >= 160000;
  const double no_room =
      moved == context.updated_to_new_page.end() ? 0 : static_cast<double>(moved->second) / others;
  const bool room = told && no_room >= policy.no_room_share;
  std::string cause =
      "an indexed column changes, or there was no room on the page: up to 15 the "
      "server does not tell which";
  if (room) cause = cat(percent(no_room), " of the others found no room on their page");
  if (told && !room)
    cause = cat("an indexed column changes: ", percent(1 - no_room),
                " of the others had room on their page");
  Finding finding{.id = "low-hot",
                  .object = table.qualified(),
                  .severity = Severity::Info,
                  .what = cat("only ", percent(share), " of the updates are HOT; ", cause),
                  .why =
                      "each other update writes to every index, and leaves dead entries there "
                      "for VACUUM to find"};
  finding.evidence = {{"updated", grouped(counters.updated)},
                      {"updated_hot", grouped(counters.updated_hot)}};
  const auto fillfactor = table.options.find("fillfactor");
  const bool full = fillfactor == table.options.end() || fillfactor->second == "100";
  if (room && full) {
    finding.statements = {cat("ALTER TABLE ", table.qualified(), " SET (fillfactor = 90)")};
    finding.prediction =
        "new pages keep room for updates; those that are full stay as they are "
        "until they are written anew";
  } else {
    finding.prediction =
        "indexes that no query needs, or without the columns that change, make "
        "updates HOT";
  }
  return finding;
}

}  // namespace pgtend::vacuum
