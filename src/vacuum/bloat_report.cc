#include "vacuum/bloat_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "base/text.h"
#include "vacuum/bloat_btree.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/bloat_sample.h"

namespace pgtend::vacuum {
namespace {

Bloat toast_bloat(const facts::TableLayout& layout) {
  return {.pages = layout.toast_pages,
          .why = "the server keeps no statistics of TOAST: only measuring tells"};
}

TableBloat table_bloat(const facts::TableFacts& table, const facts::TableLayout& layout,
                       const facts::Layouts& server) {
  TableBloat out{.oid = table.oid, .table = table.qualified(), .parent = table.parent};
  RowCount rows;
  out.heap = heap_bloat(table, layout, server, &rows);
  if (layout.toast_pages > 0) out.toast = toast_bloat(layout);
  for (const facts::StoredIndex& index : layout.indexes) {
    out.indexes.push_back(
        {index.qualified(), index.method, btree_bloat(table, rows, index, server)});
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
    out.push_back(table_bloat(table, layout->second, layouts));
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

bool worth_measuring(const Bloat& bloat, int block_size, const BloatSetup& setup) {
  if (setup.exact) return true;
  if (!bloat.known()) return bloat.pages > 0;
  return bloat.share().best >= setup.share_min &&
         bloat.wasted().best * block_size >= static_cast<double>(setup.wasted_min.count);
}

// Measures the heaps that are worth it, the most wasted first, until the budget is spent.
Result<int64_t> measure(pg::Connection& conn, const BloatSetup& setup,
                        const std::vector<facts::TableFacts>& tables, const facts::Layouts& layouts,
                        std::vector<TableBloat>& stored) {
  int64_t pages_read = 0;
  std::ranges::stable_sort(stored, std::greater<>(), wasted);
  for (TableBloat& bloat : stored) {
    const auto table = std::ranges::find(tables, bloat.oid, &facts::TableFacts::oid);
    const auto layout = layouts.tables.find(bloat.oid);
    if (table == tables.end() || layout == layouts.tables.end() || !table->rights.select) continue;
    if (!worth_measuring(bloat.heap, layouts.block_size, setup)) continue;
    const Measure how{.all = setup.exact,
                      .blocks_wanted = setup.sample_blocks,
                      .pages_left = setup.pages_max - pages_read};
    Bloat measured =
        TRY(measure_heap(conn, *table, layout->second, layouts.block_size, how, pages_read));
    if (measured.known()) {
      bloat.heap = std::move(measured);
    } else if (bloat.heap.known()) {
      bloat.heap.why = cat("not measured: ", measured.why);
    }
  }
  return pages_read;
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
  std::vector<uint32_t> oids;
  for (const facts::TableFacts& table : tables) oids.push_back(table.oid);
  const facts::Layouts layouts = TRY(facts::load_layouts(conn, oids));
  std::vector<TableBloat> stored = estimates(tables, layouts);
  const int64_t pages_read = TRY(measure(conn, setup, tables, layouts, stored));
  BloatReport out = assembled(tables, std::move(stored), layouts.block_size);
  out.pages_read = pages_read;
  return out;
}

json::object to_json(const Interval& interval) {
  return {{"low", interval.low}, {"best", interval.best}, {"high", interval.high}};
}

json::object to_json(const Bloat& bloat, int block_size) {
  json::object out{{"method", name(bloat.method)}, {"pages", bloat.pages}};
  if (bloat.known()) {
    const Interval pages = bloat.wasted();
    const auto bytes = [&](double count) { return std::round(count) * block_size; };
    out["pages_needed"] = to_json(bloat.needed);
    out["wasted_bytes"] = to_json(
        Interval{.low = bytes(pages.low), .best = bytes(pages.best), .high = bytes(pages.high)});
    out["wasted_share"] = to_json(bloat.share());
  }
  if (!bloat.why.empty()) out["why"] = bloat.why;
  if (!bloat.grant.empty()) out["grant"] = bloat.grant;
  return out;
}

json::object to_json(const BloatReport& report) {
  json::array tables;
  for (const TableBloat& table : report.tables) {
    json::object one{{"table", table.table}};
    if (!table.parent.empty()) one["parent"] = table.parent;
    if (table.partitioned) one["partitions"] = table.partitions;
    one["heap"] = to_json(table.heap, report.block_size);
    if (table.toast) one["toast"] = to_json(*table.toast, report.block_size);
    json::array indexes;
    for (const IndexBloat& index : table.indexes) {
      json::object entry = to_json(index.bloat, report.block_size);
      entry["name"] = index.name;
      if (!index.method.empty()) entry["access_method"] = index.method;
      indexes.emplace_back(std::move(entry));
    }
    one["indexes"] = std::move(indexes);
    tables.emplace_back(std::move(one));
  }
  json::array missing;
  for (const facts::MissingRight& right : report.missing) missing.emplace_back(to_json(right));
  return {{"block_size", report.block_size},
          {"pages_read", report.pages_read},
          {"tables", std::move(tables)},
          {"missing_rights", std::move(missing)}};
}

}  // namespace pgtend::vacuum
