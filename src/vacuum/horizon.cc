#include "vacuum/horizon.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "care/trail.h"
#include "vacuum/vacuum.h"

namespace pgtend::vacuum {
namespace {

HeldTable held_table(const facts::HorizonHolder& holder, const Suffering& suffering) {
  HeldTable out{.rows = suffering.rows};
  const std::optional<OwnVacuum>& own = suffering.own;
  if (own && own->rows_not_removable > 0 && own->cutoff_age &&
      holder.age_xids >= *own->cutoff_age) {
    out.rows_not_removable = own->rows_not_removable;
    out.own_vacuum_at = own->at;
  }
  return out;
}

// One table on a line: "public.t: 60,000 dead rows; our VACUUM of …".
std::string line_of(const HeldTable& table) {
  std::string out = cat(printable(table.rows.table), table.rows.toast ? " (TOAST)" : "", ": ",
                        grouped(table.rows.rows_dead), " dead rows");
  if (table.rows_not_removable) {
    out += cat("; our VACUUM of ", table.own_vacuum_at, " could not remove ",
               grouped(*table.rows_not_removable));
  }
  return out;
}

void append_lines(std::vector<std::string>& lines, const Held& held, size_t tables_max) {
  const facts::HorizonHolder& holder = held.holder;
  lines.push_back(holder.describe());
  const std::string holds = holder.holds.describe();
  if (holds.empty()) {
    lines.push_back(
        "  holds    no rows, but the age of the database: only its session may freeze it");
  } else {
    lines.push_back(cat("  holds    ", holds, ": rows that died since transaction ", holder.xid,
                        " (by its ", holder.through, ")"));
  }
  lines.push_back(cat("  since    ", grouped(holder.age_xids), " transactions, ",
                      holder.age_s ? facts::human_seconds(*holder.age_s)
                                   : "a time that the server does "
                                     "not tell"));
  if (!holder.session.query.empty()) {
    lines.push_back(cat("  last ran ", printable(holder.session.query)));
  }
  for (size_t i = 0; i < std::min(held.tables.size(), tables_max); ++i) {
    lines.push_back(cat(i == 0 ? "  tables   " : "           ", line_of(held.tables[i])));
  }
  if (held.tables.size() > tables_max) {
    lines.push_back(cat("           ", held.tables.size() - tables_max, " more; ",
                        grouped(held.rows_dead), " dead rows in all"));
  }
  if (held.tables.empty() && !holds.empty()) lines.emplace_back("  tables   none has dead rows");
  lines.push_back(cat("  a person may run: ", holder.remedy()));
  const std::string note = holder.remedy_note();
  if (!note.empty()) lines.push_back(cat("    ", note));
}

}  // namespace

std::optional<int64_t> recorded::number(const json::object& record, std::string_view name) {
  const json::value* found = record.if_contains(name);
  if (found == nullptr || !found->is_number()) return {};
  boost::system::error_code failed;
  const auto number = found->to_number<int64_t>(failed);
  if (failed) return {};
  return number;
}

Result<std::optional<OwnVacuum>> last_own_vacuum(pg::Connection& conn, store::Audit& audit,
                                                 const std::string& place,
                                                 const std::string& table) {
  std::optional<OwnVacuum> none;
  const auto entry = TRY(audit.last_verified(place, "vacuum", table));
  if (!entry || entry->record.after.empty()) return none;
  const auto after = parse_json(entry->record.after);
  if (!after || !after->is_object()) return none;
  const auto kept = recorded::number(after->as_object(), recorded::kRowsNotRemovable);
  if (!kept) return none;
  OwnVacuum out{.at = entry->at, .rows_not_removable = *kept};
  const auto cutoff = recorded::number(after->as_object(), recorded::kCutoff);
  if (cutoff && *cutoff >= 3 && *cutoff <= 0xffffffffLL) {
    const pg::Rows age = TRY(conn.query("select age($1::text::xid)::bigint", {cat(*cutoff)}));
    out.cutoff_age = TRY(age[0].get<int64_t>(0));
  }
  return std::optional(std::move(out));
}

std::vector<Held> attribute(const std::vector<facts::HorizonHolder>& holders,
                            const std::vector<Suffering>& tables) {
  std::vector<Held> out;
  for (const facts::HorizonHolder& holder : holders) {
    Held held{.holder = holder};
    for (const Suffering& suffering : tables) {
      if (!holder.holds.includes(suffering.rows.horizon)) continue;
      held.rows_dead += suffering.rows.rows_dead;
      held.tables.push_back(held_table(holder, suffering));
    }
    std::ranges::stable_sort(held.tables, std::ranges::greater{},
                             [](const HeldTable& table) { return table.rows.rows_dead; });
    out.push_back(std::move(held));
  }
  return out;
}

Result<HorizonReport> load_horizon(pg::Connection& conn, store::Audit* audit) {
  facts::Holders holders = TRY(facts::load_holders(conn));
  const std::string place = audit == nullptr ? std::string() : TRY(care::place_of(conn));
  std::vector<Suffering> tables;
  for (facts::DeadRows& rows : TRY(facts::load_dead_rows(conn))) {
    Suffering suffering{.rows = std::move(rows)};
    if (audit != nullptr && !suffering.rows.toast) {
      suffering.own = TRY(last_own_vacuum(conn, *audit, place, suffering.rows.table));
    }
    tables.push_back(std::move(suffering));
  }
  return HorizonReport{.held = attribute(holders.holders, tables),
                       .missing = std::move(holders.missing)};
}

json::object to_json(const HorizonReport& report) {
  json::array holders;
  for (const Held& held : report.held) {
    json::object out = to_json(held.holder);
    out["remedy"] = held.holder.remedy();
    out["remedy_note"] = held.holder.remedy_note();
    out["rows_dead"] = held.rows_dead;
    json::array tables;
    for (const HeldTable& table : held.tables) {
      json::object item = to_json(table.rows);
      if (table.rows_not_removable) {
        item["rows_not_removable"] = *table.rows_not_removable;
        item["own_vacuum_at"] = table.own_vacuum_at;
      }
      tables.push_back(std::move(item));
    }
    out["tables"] = std::move(tables);
    holders.push_back(std::move(out));
  }
  return {{"holders", std::move(holders)}};
}

std::string to_text(const HorizonReport& report, size_t tables_max) {
  std::vector<std::string> lines;
  for (const Held& held : report.held) {
    if (!lines.empty()) lines.emplace_back();
    append_lines(lines, held, tables_max);
  }
  if (lines.empty()) lines.emplace_back("nobody keeps dead rows from being removed");
  return join(lines, "\n");
}

}  // namespace pgtend::vacuum
