#include "vacuum/bloat_btree.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/text.h"
#include "vacuum/page_fill.h"
#include "vacuum/posting.h"
#include "vacuum/tuple_length.h"

namespace pgtend::vacuum {
namespace {

using facts::StoredColumn;
using facts::StoredIndex;
using facts::StoredStats;

constexpr double kInnerFill = 70;       // percent, BTREE_NONLEAF_FILLFACTOR
constexpr int64_t kCompressed = 500;    // bytes of a value from which an index may compress it
constexpr double kDistinctDoubt = 1.5;  // on top of what no estimator can do better
constexpr double kChance = 0.002;       // of the leaf pages

// Distinct values among `rows` that are not null, by the statistics of one column.
double distinct(double n_distinct, double rows) {
  const double count = n_distinct < 0 ? -n_distinct * rows : n_distinct;
  return std::clamp(count, 1.0, std::max(rows, 1.0));
}

// The place of the key column with the most values: the one whose common values and NULLs matter.
size_t main_key(const StoredIndex& index, double rows) {
  size_t out = 0;
  double most = 0;
  for (size_t i = 0; i < static_cast<size_t>(index.keys); ++i) {
    const auto& stats = index.columns[i].stats;
    const double here = stats ? distinct(stats->n_distinct, rows) : 1;
    if (here > most) {
      most = here;
      out = i;
    }
  }
  return out;
}

// How many combinations of the other key columns' values there may be.
double other_keys(const StoredIndex& index, size_t main, double rows) {
  double product = 1;
  for (size_t i = 0; i < static_cast<size_t>(index.keys); ++i) {
    const auto& stats = index.columns[i].stats;
    if (i == main || !stats) continue;
    product *= distinct(stats->n_distinct, rows) + (stats->null_frac > 0 ? 1 : 0);
  }
  return std::min(product, std::max(rows, 1.0));
}

// How many of `product` possible keys come up in `rows` rows.
double hit(double product, double rows) {
  return product * -std::expm1(-rows / std::max(product, 1.0));
}

// Leaf pages, not rounded, of an index without lists of row addresses.
double plain_leaves(double rows, const TupleLengths& lengths, double shift, int capacity) {
  double mean = 0;
  for (const LengthWeight& length : lengths.lengths) mean += length.weight * length.bytes;
  const double bytes = std::max(lengths.mean + shift, 8.0);
  return rows / items_per_page(lengths.lengths, capacity) * (bytes + 4) / (mean + 4);
}

// Rows of equal keys, by the main key column's value.
struct Duplicates {
  double null_rows = 0;
  std::vector<double> common = {};  // rows of each most common value
  double rest_rows = 0;
  Interval rest_values = {};  // how many values the rest has
};

Duplicates duplicates(const StoredColumn& main, double rows, double sample) {
  Duplicates out{.rest_rows = rows};
  if (!main.stats) return out;
  const StoredStats& stats = *main.stats;
  out.null_rows = rows * std::clamp(stats.null_frac, 0.0, 1.0);
  out.rest_rows -= out.null_rows;
  for (const double share : stats.common_frequencies) {
    const double here = std::min(rows * std::clamp(share, 0.0, 1.0), out.rest_rows);
    out.common.push_back(here);
    out.rest_rows -= here;
  }
  const double values = distinct(stats.n_distinct, rows);
  const auto common = static_cast<double>(out.common.size());
  const auto left = [&](double all) {
    return std::clamp(all - common, 1.0, std::max(out.rest_rows, 1.0));
  };
  out.rest_values = {.low = left(values), .best = left(values), .high = left(values)};
  if (rows > sample) {
    // No estimate from a sample is surer than by the square root of what was not looked at.
    out.rest_values.high = left(values * kDistinctDoubt * std::sqrt(rows / sample));
    out.rest_values.low = left(0.6 * values);
  }
  return out;
}

// The lengths of entries whose main key is null, or is not.
Result<std::vector<LengthWeight>> lengths_where(const StoredIndex& index, size_t main, bool null,
                                                const TupleShape& shape) {
  std::vector<StoredColumn> columns = index.columns;
  StoredColumn& column = columns[main];
  if (column.stats) column.stats->null_frac = null ? 1 : 0;
  column.not_null = !null;
  return TRY(tuple_lengths(columns, shape)).lengths;
}

// Leaf pages of an index that keeps equal keys in lists.
Result<Interval> listed_leaves(const StoredIndex& index, double rows, const TupleShape& tuple,
                               const LeafShape& shape) {
  const size_t main = main_key(index, rows);
  const Duplicates groups = duplicates(index.columns[main], rows, tuple.sample);
  const auto bases = TRY(lengths_where(index, main, false, tuple));
  const double others = other_keys(index, main, rows);
  // Pages of `count` rows that are `parts` groups of equal keys.
  const auto pages_of = [&](std::span<const LengthWeight> base, double count, double parts,
                            bool spread) {
    parts = std::clamp(parts, 1.0, std::max(count, 1.0));
    return parts * pages_per_group(base, count / parts, spread, shape);
  };
  double sure = 0;
  if (groups.null_rows >= 1) {
    const auto null_bases = TRY(lengths_where(index, main, true, tuple));
    sure += pages_of(null_bases, groups.null_rows, hit(others, groups.null_rows), others > 1);
  }
  for (const double common : groups.common) {
    sure += pages_of(bases, common, hit(others, common), others > 1);
  }
  Interval out{.low = sure, .best = sure, .high = sure};
  if (groups.rest_rows < 1) return out;
  const auto rest = [&](double values, double combinations, bool spread) {
    const bool counted = index.n_distinct.has_value() || combinations <= 1;
    const double keys = values * combinations;
    return pages_of(bases, groups.rest_rows,
                    counted ? keys : std::max(values, hit(keys, groups.rest_rows)), spread);
  };
  // Columns may depend on each other: then there are fewer combinations, one a value at least.
  double known = others;
  if (index.n_distinct) {
    known = std::clamp(*index.n_distinct / distinct(index.columns[main].stats->n_distinct, rows),
                       1.0, others);
  }
  const double fewest = index.n_distinct ? known : 1;
  out.best += rest(groups.rest_values.best, known, true);
  out.low = out.high = out.best;
  for (const double values :
       {groups.rest_values.low, groups.rest_values.best, groups.rest_values.high}) {
    for (const double combinations : {fewest, known}) {
      for (const bool spread : {false, true}) {
        const double pages = sure + rest(values, combinations, spread);
        out.low = std::min(out.low, pages);
        out.high = std::max(out.high, pages);
      }
    }
  }
  return out;
}

// Mean bytes of a key in the pages above the leaves: cut behind the first column in which
// neighbours differ; with a row address when all are equal.
double pivot_bytes(const StoredIndex& index, double rows, const TupleShape& shape) {
  double bytes = 0;
  double left = 1;  // probability that the columns so far are equal
  double product = 1;
  for (int keys = 1; keys <= index.keys; ++keys) {
    const auto prefix = std::span(index.columns).first(static_cast<size_t>(keys));
    const auto lengths = tuple_lengths(prefix, shape);
    if (!lengths) return 16;
    if (prefix.back().stats) product *= distinct(prefix.back().stats->n_distinct, rows);
    const double differ =
        index.unique && keys == index.keys ? 1 : std::min(product / std::max(rows, 1.0), 1.0);
    const double here = std::max(differ - (1 - left), 0.0);
    bytes += here * lengths->mean;
    left -= here;
    if (keys == index.keys) bytes += left * (lengths->mean + 8);
  }
  return bytes;
}

// Why the statistics of a column do not tell what its entries are like; "" if they do.
std::string why_unfit(const StoredColumn& column) {
  if (column.unseen()) return column.stats_why_not;
  if (column.length >= 0) return "";
  int64_t longest = static_cast<int64_t>(column.stats->avg_width);
  for (const int64_t length : column.stats->bound_lengths) longest = std::max(longest, length);
  for (const int64_t length : column.stats->common_lengths) longest = std::max(longest, length);
  if (longest < kCompressed) return "";
  return cat("long values of ", printable(column.name),
             " are compressed in the index, how far is not known");
}

Result<Interval> leaves_of(const StoredIndex& index, const Interval& rows,
                           const TupleLengths& lengths, const TupleShape& tuple,
                           const LeafShape& shape) {
  const int capacity = LeafBuilder(shape.block_size, shape.fillfactor).capacity();
  const double relative = lengths.error / (lengths.mean + 4);
  if (!keeps_lists(index)) {
    return Interval{.low = plain_leaves(rows.low, lengths, -lengths.error, capacity),
                    .best = plain_leaves(rows.best, lengths, 0, capacity),
                    .high = plain_leaves(rows.high, lengths, lengths.error, capacity)};
  }
  Interval out = TRY(listed_leaves(index, rows.best, tuple, shape));
  if (rows.best > 0) {
    out.low *= rows.low / rows.best * (1 - relative);
    out.high *= rows.high / rows.best * (1 + relative);
  }
  return out;
}

// The entries of a partial index follow its own count, as the table has grown or shrunk since.
Interval entries(const facts::TableFacts& table, const RowCount& rows, const StoredIndex& index) {
  if (!index.partial) return rows.rows;
  const double then = std::max(table.reltuples, 1.0);
  const double own = std::max(index.reltuples, 0.0);
  const Interval grown{.low = own * std::min(rows.rows.low / then, 1.0),
                       .best = own * rows.rows.best / then,
                       .high = own * std::max(rows.rows.high / then, 1.0)};
  return {.low = std::min(grown.low, grown.best), .best = grown.best, .high = grown.high};
}

}  // namespace

bool keeps_lists(const StoredIndex& index) {
  return index.deduplicates && !index.unique &&
         index.keys == static_cast<int>(index.columns.size());
}

double btree_pages(double leaves, double pivot, int block_size) {
  double level = std::max(std::ceil(leaves - 1e-9), 1.0);
  double pages = 1 + level;
  const double capacity = block_size - 48 - block_size * (100 - kInnerFill) / 100;
  // The first entry of a page has no key.
  const double fanout = std::max(1 + std::floor((capacity - 12) / (pivot + 4)), 2.0);
  while (level > 1) {
    level = std::ceil(level / fanout);
    pages += level;
  }
  return pages;
}

Bloat btree_bloat(const facts::TableFacts& table, const RowCount& rows, const StoredIndex& index,
                  const facts::Layouts& server) {
  if (index.method != "btree") {
    return unknown_bloat(index.pages, cat("no estimate for the method ", printable(index.method)));
  }
  if (!index.valid)
    return unknown_bloat(index.pages, "the index is not valid: it is built or to drop");
  if (index.partial && index.reltuples < 0) {
    return unknown_bloat(index.pages, cat("entries never counted: ANALYZE ", table.qualified()));
  }
  for (const StoredColumn& column : index.columns) {
    std::string why = why_unfit(column);
    if (why.empty() && !column.stats && keeps_lists(index)) why = column.stats_why_not;
    if (!why.empty()) return unknown_bloat(index.pages, std::move(why), column.grant);
  }
  if (rows.changed >= 1) {
    return unknown_bloat(
        index.pages,
        cat("statistics are stale, as many changes as rows since: ANALYZE ", table.qualified()));
  }
  const Interval count = entries(table, rows, index);
  Bloat out{.method = Method::Statistics, .pages = index.pages};
  if (count.high < 0.5) {
    out.needed = {.low = 1, .best = 1, .high = 1};
    return out;
  }
  const TupleShape shape{.index = true,
                         .rows = count.best,
                         .sample = server.sample_rows(),
                         .changed = rows.changed,
                         .block_size = server.block_size};
  auto lengths = tuple_lengths(index.columns, shape);
  if (!lengths) return unknown_bloat(index.pages, lengths.error().message);
  const LeafShape leaf{.block_size = server.block_size, .fillfactor = index.fillfactor};
  const auto found = leaves_of(index, count, *lengths, shape, leaf);
  if (!found) return unknown_bloat(index.pages, found.error().message);
  const Interval& leaves = *found;
  const double pivot = pivot_bytes(index, count.best, shape);
  const bool exact = !keeps_lists(index) && leaves.low == leaves.high && lengths->error < 1e-9;
  const double slack = exact ? 0 : 1;
  const double chance = exact ? 0 : kChance;
  out.needed.best = btree_pages(leaves.best, pivot, server.block_size);
  out.needed.low = std::max(
      btree_pages(std::max(leaves.low * (1 - chance) - slack, 0.0), pivot, server.block_size), 1.0);
  out.needed.high = btree_pages(leaves.high * (1 + chance) + slack, pivot + 8, server.block_size);
  return out;
}

}  // namespace pgtend::vacuum
