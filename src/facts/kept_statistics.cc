#include "facts/kept_statistics.h"

#include <array>
#include <string_view>

#include "base/text.h"
#include "pg/quote.h"

namespace pgtend::facts {
namespace {

struct KeptMember {
  std::string_view name;  // of pg_stats, and of the argument
  std::string_view type;  // of the argument
};

// Columns of any type are taken as text.
constexpr std::array<KeptMember, 13> kKeptMembers = {{{"null_frac", "real"},
                                                      {"avg_width", "integer"},
                                                      {"n_distinct", "real"},
                                                      {"most_common_vals", "text"},
                                                      {"most_common_freqs", "real[]"},
                                                      {"histogram_bounds", "text"},
                                                      {"correlation", "real"},
                                                      {"most_common_elems", "text"},
                                                      {"most_common_elem_freqs", "real[]"},
                                                      {"elem_count_histogram", "real[]"},
                                                      {"range_length_histogram", "text"},
                                                      {"range_empty_frac", "real"},
                                                      {"range_bounds_histogram", "text"}}};

std::string_view type_of(std::string_view member) {
  for (const KeptMember& known : kKeptMembers) {
    if (known.name == member) return known.type;
  }
  return "text";
}

}  // namespace

size_t KeptColumn::bytes() const {
  size_t out = name.size();
  for (const auto& [member, text] : members) out += member.size() + text.size();
  return out;
}

std::string KeptColumn::restore_call(const std::string& schema, const std::string& table) const {
  std::string out = cat("pg_catalog.pg_restore_attribute_stats('schemaname', ", pg::literal(schema),
                        ", 'relname', ", pg::literal(table), ", 'attname', ", pg::literal(name),
                        ", 'inherited', ", inherited ? "true" : "false");
  for (const auto& [member, text] : members) {
    out += cat(", ", pg::literal(member), ", ", pg::literal(text), "::", type_of(member));
  }
  return out + ")";
}

std::string KeptColumn::clear_call(const std::string& schema, const std::string& table) const {
  return cat("pg_catalog.pg_clear_attribute_stats(", pg::literal(schema), ", ", pg::literal(table),
             ", ", pg::literal(name), ", ", inherited ? "true" : "false", ")");
}

Result<std::vector<KeptColumn>> load_kept_statistics(pg::Connection& conn, uint32_t oid) {
  std::vector<KeptColumn> out;
  if (conn.server_version() < kVersionRestoresStatistics) return out;
  std::string list;
  for (const KeptMember& member : kKeptMembers) list += cat(", s.", member.name, "::text");
  const pg::Rows rows = TRY_DURING(
      conn.query(cat("select s.attname, s.inherited", list,
                     " from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                     " join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname"
                     " and s.inherited = (c.relkind = 'p')"
                     " join pg_attribute a on a.attrelid = c.oid and a.attname = s.attname"
                     " where c.oid = $1::oid order by a.attnum limit 200"),
                 {cat(oid)}),
      "reading statistics to keep");
  for (const pg::Row row : rows) {
    KeptColumn column{.name = std::string(row.text(0)), .inherited = TRY(row.get<bool>(1))};
    for (size_t i = 0; i < kKeptMembers.size(); ++i) {
      const int at = static_cast<int>(i) + 2;
      if (row.null(at)) continue;
      column.members.emplace_back(kKeptMembers[i].name, row.text(at));
    }
    out.push_back(std::move(column));
  }
  return out;
}

Result<std::map<uint32_t, AnalyzeCounts>> load_analyze_counts(pg::Connection& conn,
                                                              const std::vector<uint32_t>& oids) {
  std::map<uint32_t, AnalyzeCounts> out;
  if (oids.empty()) return out;
  std::vector<std::string> list;
  for (const uint32_t oid : oids) list.push_back(cat(oid));
  const pg::Rows rows = TRY_DURING(
      conn.query("select o::int8, pg_stat_get_analyze_count(o), pg_stat_get_autoanalyze_count(o) "
                 "from unnest($1::oid[]) o",
                 {cat("{", join(list, ","), "}")}),
      "reading how often tables were analysed");
  for (const pg::Row row : rows) {
    out[static_cast<uint32_t>(TRY(row.get<int64_t>(0)))] = {
        .by_hand = TRY(row.get<int64_t>(1)), .by_autovacuum = TRY(row.get<int64_t>(2))};
  }
  return out;
}

}  // namespace pgtend::facts
