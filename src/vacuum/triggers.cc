#include "vacuum/triggers.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace pgtend::vacuum {
namespace {

constexpr int kVersionMaxThreshold = 180000;  // also: inserts count against unfrozen pages only

// A reloption as a number, if it is set to one.
std::optional<double> option(const facts::TableFacts& table, const std::string& name) {
  const auto found = table.options.find(name);
  if (found == table.options.end()) return {};
  const auto number = parse_double(found->second);
  if (!number) return {};
  return *number;
}

double option_or(const facts::TableFacts& table, const std::string& name, double setting) {
  return option(table, name).value_or(setting);
}

// Boolean reloptions are kept as the user wrote them.
bool switched_off(const facts::TableFacts& table) {
  const auto found = table.options.find("autovacuum_enabled");
  if (found == table.options.end()) return false;
  const std::string value = lower(found->second);
  return value == "false" || value == "off" || value == "no" || value == "0" || value == "f" ||
         value == "n";
}

// The share of the table's pages that a VACUUM could still freeze; 1 when nothing is known.
double unfrozen_share(const facts::TableSize& size) {
  if (!size.pages_frozen || *size.pages_frozen <= 0 || size.pages_known <= 0) return 1;
  const int64_t frozen = std::min(*size.pages_frozen, size.pages_known);
  return 1 - static_cast<double>(frozen) / static_cast<double>(size.pages_known);
}

}  // namespace

Triggers triggers(const facts::TableFacts& table, const facts::ServerSettings& settings) {
  const facts::AutovacuumSettings& set = settings.autovacuum;
  const double rows = std::max(table.reltuples, 0.0);
  Triggers out;
  out.enabled = set.enabled && !switched_off(table);

  out.dead =
      option_or(table, "autovacuum_vacuum_threshold", static_cast<double>(set.vacuum_threshold)) +
      option_or(table, "autovacuum_vacuum_scale_factor", set.vacuum_scale) * rows;
  if (settings.version >= kVersionMaxThreshold) {
    const double most =
        option_or(table, "autovacuum_vacuum_max_threshold",
                  static_cast<double>(set.vacuum_threshold_max.value_or(100'000'000)));
    if (most >= 0) out.dead = std::min(out.dead, most);
  }

  const double inserts = option_or(table, "autovacuum_vacuum_insert_threshold",
                                   static_cast<double>(set.insert_threshold));
  if (inserts >= 0) {
    const double share = settings.version >= kVersionMaxThreshold ? unfrozen_share(table.size) : 1;
    out.inserts =
        inserts +
        option_or(table, "autovacuum_vacuum_insert_scale_factor", set.insert_scale) * rows * share;
  }

  if (table.kind != 'p') {
    out.changes = option_or(table, "autovacuum_analyze_threshold",
                            static_cast<double>(set.analyze_threshold)) +
                  option_or(table, "autovacuum_analyze_scale_factor", set.analyze_scale) * rows;
  }

  const auto age = [&](const char* name, int64_t setting) {
    const auto own = option(table, name);
    return own ? std::min(static_cast<int64_t>(*own), setting) : setting;
  };
  out.xid_age = age("autovacuum_freeze_max_age", set.freeze_age_max);
  out.mxid_age = age("autovacuum_multixact_freeze_max_age", set.freeze_mxid_age_max);
  return out;
}

}  // namespace pgtend::vacuum
