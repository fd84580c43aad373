#include "vacuum/bloat_measure.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "facts/meters.h"
#include "vacuum/bloat_extension.h"
#include "vacuum/bloat_heap.h"
#include "vacuum/bloat_sample.h"

namespace pgtend::vacuum {
namespace {

constexpr double kGoodWidth = 0.1;      // of the relation
constexpr int64_t kSampleAtLeast = 34;  // pages left for a sample of 30

double width(const Bloat& bloat) {
  const Interval share = bloat.share();
  return share.high - share.low;
}

bool worth_measuring(const Bloat& bloat, int block_size, const BloatSetup& setup) {
  if (bloat.pages <= 0) return false;
  if (setup.exact || !bloat.known()) return true;
  return bloat.share().best >= setup.share_min &&
         bloat.wasted().best * block_size >= static_cast<double>(setup.wasted_min.count);
}

// One relation that is worth it.
struct Candidate {
  enum class Part : uint8_t { Heap, Toast, Index };
  TableBloat* table = nullptr;
  Part part = Part::Heap;
  size_t index = 0;  // its place among the table's

  Bloat& bloat() const {
    if (part == Part::Index) return table->indexes[index].bloat;
    return part == Part::Toast ? *table->toast : table->heap;
  }
  // Pages that it may waste.
  double stake() const {
    return bloat().known() ? bloat().wasted().best : static_cast<double>(bloat().pages);
  }
};

std::vector<Candidate> candidates(std::vector<TableBloat>& stored, int block_size,
                                  const BloatSetup& setup) {
  std::vector<Candidate> out;
  for (TableBloat& table : stored) {
    if (worth_measuring(table.heap, block_size, setup)) out.push_back({.table = &table});
    if (table.toast && worth_measuring(*table.toast, block_size, setup)) {
      out.push_back({.table = &table, .part = Candidate::Part::Toast});
    }
    for (size_t i = 0; i < table.indexes.size(); ++i) {
      const Bloat& bloat = table.indexes[i].bloat;
      const bool worth = setup.exact || !bloat.known();
      if (!worth || bloat.pages <= 0) continue;
      out.push_back({.table = &table, .part = Candidate::Part::Index, .index = i});
    }
  }
  std::ranges::stable_sort(out, std::greater<>(), &Candidate::stake);
  return out;
}

// Measures one relation after the other. Thread: one.
class Measuring {
 public:
  Measuring(pg::Connection& conn, const BloatSetup& setup, const facts::Layouts& layouts,
            facts::Meters meters)
      : conn_(conn), setup_(setup), layouts_(layouts), meters_(std::move(meters)) {}

  int64_t pages_read() const { return pages_read_; }
  Status index(const facts::TableFacts& table, const facts::StoredIndex& index, Bloat& out);
  Status relation(const facts::TableFacts& table, const facts::TableLayout& layout, bool toast,
                  Bloat& out);

 private:
  int64_t left() const { return std::max<int64_t>(setup_.pages_max - pages_read_, 0); }
  Result<Ways> ways(const facts::TableFacts& table, const Target& target);
  Result<const RowsMeasured*> rows(const facts::TableFacts& table,
                                   const facts::TableLayout& layout);
  Result<Bloat> measured(Method method, const Target& target, const facts::TableFacts& table,
                         const facts::TableLayout& layout);

  pg::Connection& conn_;
  const BloatSetup& setup_;
  const facts::Layouts& layouts_;
  facts::Meters meters_;
  std::map<uint32_t, RowsMeasured> rows_ = {};  // by table: they tell of its TOAST, too
  int64_t pages_read_ = 0;
};

Result<Ways> Measuring::ways(const facts::TableFacts& table, const Target& target) {
  Ways out{.map = meters_.free_space.usable() && target.counted && target.vacuumed,
           .approximation = approximates(meters_, target),
           .tuples = meters_.tuples.usable(),
           .rows = table.rights.select,
           .pages = target.pages,
           .row_pages = rows_.contains(table.oid) ? 0 : table.size.pages};
  if (out.approximation) {
    out.approximation_pages = TRY(pages_by_approximation(conn_, meters_, target));
  }
  return out;
}

Result<const RowsMeasured*> Measuring::rows(const facts::TableFacts& table,
                                            const facts::TableLayout& layout) {
  auto known = rows_.find(table.oid);
  if (known == rows_.end()) {
    const Measure how{
        .all = setup_.exact, .blocks_wanted = setup_.sample_blocks, .pages_left = left()};
    RowsMeasured found = TRY(measure_rows(conn_, table, layout, layouts_.block_size, how));
    pages_read_ += found.pages_read;
    known = rows_.emplace(table.oid, std::move(found)).first;
  }
  return &known->second;
}

Result<Bloat> Measuring::measured(Method method, const Target& target,
                                  const facts::TableFacts& table,
                                  const facts::TableLayout& layout) {
  if (method == Method::FreeSpaceMap) return measure_by_map(conn_, meters_, target);
  if (method == Method::Approximation) {
    return measure_by_approximation(conn_, meters_, target, pages_read_);
  }
  if (method == Method::Tuples) {
    pages_read_ += target.pages;
    return measure_by_tuples(conn_, meters_, target);
  }
  const RowsMeasured* found = TRY(rows(table, layout));
  return target.chunks ? found->toast : found->heap;
}

Status Measuring::relation(const facts::TableFacts& table, const facts::TableLayout& layout,
                           bool toast, Bloat& out) {
  const Target target =
      toast ? toast_target(layout, layouts_) : heap_target(table, layout, layouts_);
  const Bloat before = out;
  std::string why;
  const Ways usable = TRY(ways(table, target));
  for (const Method method : ladder(usable, setup_, left())) {
    Bloat found = TRY(measured(method, target, table, layout));
    if (!found.known()) {
      why = std::move(found.why);
      continue;
    }
    const bool good = accurate_enough(found, before);
    // Rows are what a rewrite would write; what others say has to be better than what is known.
    const bool better = found.method >= Method::Sample || !out.known() || width(found) < width(out);
    if (better) out = std::move(found);
    if (good || out.method >= Method::Sample) return ok();
  }
  if (out.method != before.method) return ok();
  if (!why.empty() && (out.known() || toast)) out.why = cat("not measured: ", why);
  if (out.known() || !toast) return ok();
  if (!usable.rows) {
    out.why = cat("no SELECT on ", table.qualified(), ", whose rows tell what they have there");
    out.grant = cat("GRANT SELECT ON ", table.qualified(), " TO ", meters_.role);
  } else if (!why.empty()) {
    out.grant = meters_.free_space_grant();
  }
  return ok();
}

Status Measuring::index(const facts::TableFacts& table, const facts::StoredIndex& index,
                        Bloat& out) {
  const bool can = meters_.index.usable() && index.method == "btree" && index.valid;
  if (!can || index.pages > left()) return ok();
  const RowCount count = count_rows(table, 0, layouts_.sample_rows());
  Bloat found = TRY(measure_by_density(conn_, meters_, table, index, count, layouts_.block_size));
  pages_read_ += index.pages;
  if (!out.known() || width(found) < width(out)) out = std::move(found);
  return ok();
}

}  // namespace

std::vector<Method> ladder(const Ways& ways, const BloatSetup& setup, int64_t pages_left) {
  std::vector<Method> out;
  const bool all_rows = ways.rows && ways.row_pages <= pages_left;
  const bool all_tuples = ways.tuples && ways.pages <= pages_left;
  if (setup.exact && all_rows) out.push_back(Method::Count);
  if (setup.exact && all_tuples) out.push_back(Method::Tuples);
  if (ways.map) out.push_back(Method::FreeSpaceMap);
  const bool approximate = ways.approximation && ways.approximation_pages <= pages_left;
  const bool cheap = ways.approximation_pages <= setup.sample_blocks;
  if (approximate && cheap) out.push_back(Method::Approximation);
  const bool sample = pages_left >= kSampleAtLeast || ways.row_pages <= pages_left;
  // Without room for a sample it is tried nevertheless: it says why there is none.
  if (ways.rows && pages_left > 0 && (sample || out.empty())) out.push_back(Method::Sample);
  if (approximate && !cheap) out.push_back(Method::Approximation);
  if (all_tuples && !ways.approximation && !setup.exact) out.push_back(Method::Tuples);
  return out;
}

bool accurate_enough(const Bloat& found, const Bloat& before) {
  if (!found.known() || width(found) > kGoodWidth) return false;
  return !before.known() || width(found) < width(before);
}

Result<int64_t> measure_bloat(pg::Connection& conn, const BloatSetup& setup,
                              const std::vector<facts::TableFacts>& tables,
                              const facts::Layouts& layouts, std::vector<TableBloat>& stored) {
  const std::vector<Candidate> worth = candidates(stored, layouts.block_size, setup);
  if (worth.empty()) return int64_t{0};
  Measuring measuring(conn, setup, layouts, TRY(facts::load_meters(conn)));
  for (const Candidate& candidate : worth) {
    const auto table = std::ranges::find(tables, candidate.table->oid, &facts::TableFacts::oid);
    const auto layout = layouts.tables.find(candidate.table->oid);
    if (table == tables.end() || layout == layouts.tables.end()) continue;
    if (candidate.part == Candidate::Part::Index) {
      const facts::StoredIndex& index = layout->second.indexes[candidate.index];
      TRY(measuring.index(*table, index, candidate.bloat()));
    } else {
      const bool toast = candidate.part == Candidate::Part::Toast;
      TRY(measuring.relation(*table, layout->second, toast, candidate.bloat()));
    }
  }
  return measuring.pages_read();
}

}  // namespace pgtend::vacuum
