#include "vacuum/rules_bloat.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "vacuum/vacuum.h"
#include "vacuum/wording.h"

namespace pgtend::vacuum {
namespace {

using care::Finding;
using care::Severity;

struct Limits {
  const Policy& policy;
  int block_size = 8192;

  double bytes(double pages) const { return pages * block_size; }
  Bytes size(double pages) const { return Bytes{std::llround(bytes(pages))}; }
  bool passed(const Bloat& bloat) const {
    return share_passed(bloat) && enough(bloat.wasted().low);
  }
  bool share_passed(const Bloat& bloat) const {
    return bloat.known() && bloat.share().low >= policy.bloat_share_min;
  }
  bool enough(double pages) const {
    return bytes(pages) >= static_cast<double>(policy.bloat_min.count);
  }
  Severity severity(const Interval& wasted, double pages) const {
    const bool most = wasted.low >= policy.bloat_share_grave * pages;
    const bool much = bytes(wasted.low) >= 10 * static_cast<double>(policy.bloat_min.count);
    return most && much ? Severity::Warning : Severity::Notice;
  }
};

std::string share_words(const Interval& share) {
  return cat(percent(share.best), " (", percent(share.low), " to ", percent(share.high), ")");
}

care::Evidence measured_by(const Bloat& bloat) {
  return {"method", bloat.why.empty() ? std::string(name(bloat.method))
                                      : cat(name(bloat.method), ", ", bloat.why)};
}

// What is told of a table's pages, or those of its TOAST.
Finding pages_finding(std::string_view id, const TableBloat& table, const Bloat& bloat,
                      const Limits& limits) {
  const Interval wasted = bloat.wasted();
  Finding out{.id = std::string(id), .object = table.table};
  out.severity = limits.severity(wasted, static_cast<double>(bloat.pages));
  out.what = cat(
      human(limits.size(wasted.best)), " of ", human(limits.size(static_cast<double>(bloat.pages))),
      id == "toast-bloat" ? " of TOAST" : "", " are bloat, ", share_words(bloat.share()));
  out.evidence = {measured_by(bloat),
                  {"pages", grouped(bloat.pages)},
                  {"pages_needed", cat(count(bloat.needed.low), " to ", count(bloat.needed.high))}};
  if (table.growth_day) {
    out.evidence.push_back({"growth", cat(percent(*table.growth_day), " of its rows a day")});
  }
  return out;
}

// Whether rows to come fill the space within the policy's days.
bool fills(const TableBloat& table, const Bloat& bloat, const Policy& policy) {
  return table.growth_day &&
         *table.growth_day * policy.reuse_days * bloat.needed.best >= bloat.wasted().best;
}

std::optional<Finding> heap_finding(const TableBloat& table, const Limits& limits) {
  const Bloat& bloat = table.heap;
  if (!limits.passed(bloat) || fills(table, bloat, limits.policy)) return {};
  Finding out = pages_finding("table-bloat", table, bloat, limits);
  out.why =
      "scans, the cache and backups carry pages that hold little; VACUUM makes the space usable "
      "again for rows of this table, but gives back only empty pages at its end";
  out.prediction = cat("`pgtend vacuum compact ", shell_word(table.table),
                       "` shows the ways to give it back; with --apply it moves the rows while "
                       "others read and write, about ",
                       human(limits.size(bloat.wasted().best)), " less");
  return out;
}

std::optional<Finding> toast_finding(const TableBloat& table, const Limits& limits) {
  if (!table.toast) return {};
  const Bloat& bloat = *table.toast;
  if (!limits.passed(bloat) || fills(table, bloat, limits.policy)) return {};
  Finding out = pages_finding("toast-bloat", table, bloat, limits);
  out.why =
      "long values that were deleted or changed have left their space; new ones use it, the disk "
      "does not get it back";
  out.prediction = cat("`pgtend vacuum compact ", shell_word(table.table),
                       "` shows the ways to give it back; with --apply it stores the values anew "
                       "while others read and write, about ",
                       human(limits.size(bloat.wasted().best)), " less");
  return out;
}

std::optional<Finding> indexes_finding(const TableBloat& table, const Limits& limits) {
  Interval wasted;
  double pages = 0;
  std::vector<const IndexBloat*> worth;
  for (const IndexBloat& index : table.indexes) {
    if (!index.concurrently || !limits.share_passed(index.bloat)) continue;
    const Interval here = index.bloat.wasted();
    wasted = {.low = wasted.low + here.low,
              .best = wasted.best + here.best,
              .high = wasted.high + here.high};
    pages += static_cast<double>(index.bloat.pages);
    worth.push_back(&index);
  }
  if (worth.empty() || !limits.enough(wasted.low)) return {};
  std::ranges::stable_sort(worth, std::ranges::greater(),
                           [](const IndexBloat* index) { return index->bloat.wasted().best; });
  Finding out{
      .id = "index-bloat",
      .object = table.table,
      .severity = limits.severity(wasted, pages),
      .what = cat(human(limits.size(wasted.best)), " of ", human(limits.size(pages)), " of ",
                  worth.size() == 1 ? std::string("an index") : cat(worth.size(), " indexes"),
                  " are bloat"),
      .why =
          "each search and each VACUUM reads leaf pages that hold little; pages that are not "
          "empty are never joined"};
  for (const IndexBloat* index : worth) {
    out.evidence.push_back(
        {index->name, cat(share_words(index->bloat.share()), " of ",
                          human(limits.size(static_cast<double>(index->bloat.pages))), ", by ",
                          measured_by(index->bloat).value)});
    out.statements.push_back(cat("REINDEX INDEX CONCURRENTLY ", index->name));
  }
  out.prediction = cat("about ", human(limits.size(wasted.best)),
                       " less, while readers and writers go on; each index needs its new size on "
                       "the disk meanwhile");
  return out;
}

using Check = std::optional<Finding> (*)(const TableBloat&, const Limits&);

std::optional<Finding> checked(const facts::TableFacts& table, const Context& context,
                               const Policy& policy, Check check) {
  if (table.kind == 'p') return {};
  const auto found = std::ranges::find(context.bloat.tables, table.qualified(), &TableBloat::table);
  if (found == context.bloat.tables.end()) return {};
  return check(*found, {.policy = policy, .block_size = context.bloat.block_size});
}

}  // namespace

std::optional<Finding> table_bloat(const facts::TableFacts& table, const Context& context,
                                   const Policy& policy) {
  return checked(table, context, policy, heap_finding);
}

std::optional<Finding> toast_bloat(const facts::TableFacts& table, const Context& context,
                                   const Policy& policy) {
  return checked(table, context, policy, toast_finding);
}

std::optional<Finding> index_bloat(const facts::TableFacts& table, const Context& context,
                                   const Policy& policy) {
  return checked(table, context, policy, indexes_finding);
}

std::vector<Finding> bloat_findings(const BloatReport& report, const Policy& policy) {
  const Limits limits{.policy = policy, .block_size = report.block_size};
  std::vector<Finding> out;
  for (const TableBloat& table : report.tables) {
    if (table.partitioned) continue;
    for (const Check check : {heap_finding, toast_finding, indexes_finding}) {
      if (auto found = check(table, limits)) out.push_back(std::move(*found));
    }
  }
  return out;
}

Status add_bloat(pg::Connection& conn, Facts& facts, const Policy& policy) {
  std::vector<facts::TableFacts> big;
  for (const facts::TableFacts& table : facts.tables) {
    const Bytes largest = std::max({table.size.heap, table.size.indexes, table.size.toast});
    if (table.kind != 'p' && largest >= policy.bloat_min) big.push_back(table);
  }
  if (big.empty()) return ok();
  BloatReport report = TRY(load_bloat_of(conn, big, {.pages_max = 0}));
  for (facts::MissingRight& missing : report.missing) facts.missing.push_back(std::move(missing));
  report.missing.clear();
  facts.context.bloat = std::move(report);
  return ok();
}

}  // namespace pgtend::vacuum
