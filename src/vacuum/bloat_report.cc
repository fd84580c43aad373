#include "vacuum/bloat_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "base/text.h"
#include "vacuum/bloat_btree.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/bloat_measure.h"

namespace pgtend::vacuum {
namespace {

Bloat unmeasured_toast(const facts::TableLayout& layout) {
  return {.pages = layout.toast_pages,
          .why = "the server keeps no statistics of TOAST: only measuring tells"};
}

std::optional<double> growth_of(const facts::TableFacts& table, const facts::Layouts& server) {
  if (!server.counted_days || !table.counters.present || table.rows() < 1) return {};
  const auto won = static_cast<double>(table.counters.inserted - table.counters.deleted);
  return won / *server.counted_days / table.rows();
}

TableBloat estimated(const facts::TableFacts& table, const facts::TableLayout& layout,
                     const facts::Layouts& server) {
  TableBloat out{.oid = table.oid, .table = table.qualified(), .parent = table.parent};
  RowCount rows;
  out.heap = heap_bloat(table, layout, server, &rows);
  if (layout.toast_pages > 0) out.toast = unmeasured_toast(layout);
  out.growth_day = growth_of(table, server);
  for (const facts::StoredIndex& index : layout.indexes) {
    out.indexes.push_back({index.qualified(), index.method, btree_bloat(table, rows, index, server),
                           !index.exclusion});
  }
  return out;
}

// Sums up relations: unknown as soon as one is, since a sum of the others would look complete.
class Sum {
 public:
  void add(const Bloat& part) {
    ++parts_;
    sum_.pages += part.pages;
    sum_.method = std::max(sum_.method, part.method);
    sum_.needed.low += part.needed.low;
    sum_.needed.best += part.needed.best;
    sum_.needed.high += part.needed.high;
    if (part.known()) return;
    if (unknown_++ == 0) {
      sum_.why = part.why;
      sum_.grant = part.grant;
    }
  }
  // `parts` names what was summed up.
  Bloat take(std::string_view parts) && {
    if (unknown_ > 0) {
      sum_.why = cat(unknown_, " of ", parts_, " ", parts, " unknown: ", sum_.why);
      sum_.method = Method::Unknown;
      sum_.needed = {};
    } else if (parts_ == 0) {
      sum_.method = Method::Statistics;
    }
    return std::move(sum_);
  }

 private:
  Bloat sum_ = {};
  int parts_ = 0;
  int unknown_ = 0;
};

// The tables below `parent`, itself included, all levels.
std::vector<std::string> family(const facts::TableFacts& parent,
                                const std::vector<facts::TableFacts>& tables) {
  std::vector<std::string> out{parent.qualified()};
  for (size_t at = 0; at < out.size(); ++at) {
    for (const facts::TableFacts& table : tables) {
      if (table.kind == 'p' && table.parent == out[at]) out.push_back(table.qualified());
    }
  }
  return out;
}

// The sums of a partitioned table: of all that store rows below it.
TableBloat rolled_up(const facts::TableFacts& parent, const std::vector<facts::TableFacts>& tables,
                     const std::vector<TableBloat>& stored) {
  TableBloat out{.oid = parent.oid, .table = parent.qualified(), .parent = parent.parent};
  Sum heap;
  Sum toast;
  Sum indexes;
  const std::vector<std::string> above = family(parent, tables);
  for (const TableBloat& table : stored) {
    if (std::ranges::find(above, table.parent) == above.end()) continue;
    ++out.partitions;
    heap.add(table.heap);
    if (table.toast) toast.add(*table.toast);
    for (const IndexBloat& index : table.indexes) indexes.add(index.bloat);
  }
  out.partitioned = true;
  out.heap = std::move(heap).take("partitions");
  Bloat outside = std::move(toast).take("partitions");
  if (outside.pages > 0) out.toast = std::move(outside);
  out.indexes.push_back({"(all indexes)", "", std::move(indexes).take("indexes")});
  return out;
}

double wasted(const TableBloat& table) {
  double pages = table.heap.known() ? table.heap.wasted().best : 0;
  for (const IndexBloat& index : table.indexes) {
    if (index.bloat.known()) pages += index.bloat.wasted().best;
  }
  return pages;
}

// One line for each GRANT, naming how many numbers it would show.
std::vector<facts::MissingRight> missing_rights(const std::vector<TableBloat>& tables) {
  std::map<std::string, std::pair<std::string, int>> by_grant;
  const auto add = [&](const std::string& relation, const Bloat& bloat) {
    if (bloat.grant.empty()) return;
    auto& [first, count] = by_grant[bloat.grant];
    if (count++ == 0) first = relation;
  };
  for (const TableBloat& table : tables) {
    add(table.table, table.heap);
    if (table.toast) add(cat("the TOAST of ", table.table), *table.toast);
    for (const IndexBloat& index : table.indexes) add(index.name, index.bloat);
  }
  std::vector<facts::MissingRight> out;
  for (const auto& [grant, what] : by_grant) {
    const auto& [first, count] = what;
    out.push_back(
        {cat("bloat of ", first, count > 1 ? cat(" and ", count - 1, " more") : ""), grant});
  }
  return out;
}

std::vector<TableBloat> estimates(const std::vector<facts::TableFacts>& tables,
                                  const facts::Layouts& layouts) {
  std::vector<TableBloat> out;
  for (const facts::TableFacts& table : tables) {
    const auto layout = layouts.tables.find(table.oid);
    if (table.kind == 'p' || layout == layouts.tables.end()) continue;
    out.push_back(estimated(table, layout->second, layouts));
  }
  return out;
}

BloatReport assembled(const std::vector<facts::TableFacts>& tables, std::vector<TableBloat> stored,
                      int block_size) {
  BloatReport out{.block_size = block_size};
  out.missing = missing_rights(stored);
  for (const facts::TableFacts& table : tables) {
    if (table.kind == 'p') out.tables.push_back(rolled_up(table, tables, stored));
  }
  std::ranges::stable_sort(stored, std::greater<>(), wasted);
  for (TableBloat& table : stored) out.tables.push_back(std::move(table));
  return out;
}

}  // namespace

BloatReport estimate_bloat(const std::vector<facts::TableFacts>& tables,
                           const facts::Layouts& layouts) {
  return assembled(tables, estimates(tables, layouts), layouts.block_size);
}

Result<BloatReport> load_bloat(pg::Connection& conn, const BloatSetup& setup) {
  std::vector<facts::TableFacts> tables;
  std::vector<std::string> names = setup.tables;
  if (names.empty()) names.emplace_back();
  for (const std::string& name : names) {
    facts::Tables found = TRY(facts::load_tables(conn, {.table = name}));
    for (facts::TableFacts& table : found.tables) {
      const bool again =
          names.size() > 1 &&
          std::ranges::find(tables, table.oid, &facts::TableFacts::oid) != tables.end();
      if (!again) tables.push_back(std::move(table));
    }
  }
  return load_bloat_of(conn, tables, setup);
}

Result<BloatReport> load_bloat_of(pg::Connection& conn,
                                  const std::vector<facts::TableFacts>& tables,
                                  const BloatSetup& setup) {
  std::vector<uint32_t> oids;
  for (const facts::TableFacts& table : tables) oids.push_back(table.oid);
  const facts::Layouts layouts = TRY(facts::load_layouts(conn, oids));
  std::vector<TableBloat> stored = estimates(tables, layouts);
  const int64_t pages_read = TRY(measure_bloat(conn, setup, tables, layouts, stored));
  BloatReport out = assembled(tables, std::move(stored), layouts.block_size);
  out.pages_read = pages_read;
  return out;
}

}  // namespace pgtend::vacuum
