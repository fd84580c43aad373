#include "explain/advice.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "explain/index_model.h"

namespace pgtend::explain {
namespace {

constexpr double kBrinCorrelationMin = 0.99;
constexpr double kBrinChangedShareMax = 0.05;  // rows updated or deleted, of those inserted
constexpr double kBrinSavingShareMin = 0.9;    // of what the btree saves
constexpr double kKeptShareMax = 0.1;
constexpr size_t kEqualityColumnsMax = 4;

bool is_time(std::string_view type) { return type.starts_with("timestamp") || type == "date"; }

// A cast that PostgreSQL only writes down: the stored value is used as it is.
bool harmless_cast(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  if (predicate.wrapping != sql::Wrapping::Cast || !column) return false;
  const bool text = predicate.wrapped_by == "text" || predicate.wrapped_by == "pg_catalog.text";
  return (text && column->type == "character varying") || predicate.wrapped_by == column->type;
}

// Why no index can serve `predicate` although it compares one column; "" if one can.
std::string obstacle(const sql::Predicate& predicate, const Examination& in,
                     const facts::ColumnFacts* column) {
  const std::string name = printable(predicate.column);
  if (predicate.other == sql::OtherSide::PerRow) return {};
  for (const std::string& function : predicate.functions) {
    if (in.facts.volatility(function) != sql::Volatility::Volatile) continue;
    return cat("the condition on ", name, " calls ", printable(function),
               "(), which is volatile: it is evaluated for every row and no index on ", name,
               " would be used; write now() or statement_timestamp() if one value per statement "
               "will do");
  }
  if (predicate.wrapping == sql::Wrapping::None || harmless_cast(predicate, column)) return {};
  const std::string by = printable(predicate.wrapped_by);
  if (predicate.wrapping == sql::Wrapping::Cast) {
    return cat("the condition casts ", name, " to ", by, ": an index on ", name,
               " would not be used; compare the bare column with a value or range of its own type");
  }
  return cat("the condition wraps ", name, " in ", by,
             predicate.wrapping == sql::Wrapping::Function ? "()" : "", ": an index on ", name,
             " would not be used; compare the bare column with a range instead (or index the "
             "expression, if it is immutable)");
}

// The conditions sorted by what they mean for an index.
struct Sorted {
  std::vector<const sql::Predicate*> equality;
  std::vector<const sql::Predicate*> range;  // all on one column
  int unusable = 0;
  std::string blocked;
  bool volatility_unknown = false;
};

bool named(const std::vector<const sql::Predicate*>& list, const std::string& column) {
  return std::ranges::any_of(list, [&](const sql::Predicate* p) { return p->column == column; });
}

bool seekable(const sql::Predicate& predicate, const facts::ColumnFacts* column) {
  if (predicate.column.empty() || predicate.other == sql::OtherSide::PerRow) return false;
  if (predicate.operators == sql::OperatorClass::Other) return false;
  return !column || column->btree;
}

Sorted sort_out(const WastefulScan& scan, const Examination& in) {
  Sorted out;
  std::vector<const sql::Predicate*> ranges;
  for (const sql::Predicate& predicate : scan.predicates) {
    const facts::ColumnFacts* column = scan.facts ? scan.facts->column(predicate.column) : nullptr;
    if (!seekable(predicate, column)) {
      ++out.unusable;
      continue;
    }
    std::string why = obstacle(predicate, in, column);
    if (!why.empty()) {
      ++out.unusable;
      if (out.blocked.empty()) out.blocked = std::move(why);
      continue;
    }
    out.volatility_unknown |= std::ranges::any_of(predicate.functions, [&](const std::string& f) {
      return in.facts.volatility(f) == sql::Volatility::Unknown;
    });
    if (predicate.operators == sql::OperatorClass::Range) {
      ranges.push_back(&predicate);
    } else if (!named(out.equality, predicate.column)) {
      out.equality.push_back(&predicate);
    }
  }
  // One range column: the one that follows the clock, else the first.
  const auto first = std::ranges::find_if(ranges, &sql::Predicate::relative_to_now);
  const sql::Predicate* chosen =
      ranges.empty() ? nullptr : (first == ranges.end() ? ranges[0] : *first);
  for (const sql::Predicate* range : ranges) {
    if (range->column == chosen->column && !named(out.equality, range->column)) {
      out.range.push_back(range);
    } else {
      ++out.unusable;
    }
  }
  return out;
}

// Equality columns with the most selective last (their order is free for this query, and fewer
// values in front serve more other queries), then the range column.
std::vector<std::string> key_columns(const Sorted& sorted, const WastefulScan& scan) {
  struct Weighed {
    std::string column;
    double distinct;
  };
  std::vector<Weighed> equality;
  const double rows = scan.kept + scan.removed;
  for (const sql::Predicate* predicate : sorted.equality) {
    const facts::ColumnFacts* column = scan.facts ? scan.facts->column(predicate->column) : nullptr;
    equality.push_back(
        {predicate->column, column && column->stats ? column->stats->distinct(rows) : 0});
  }
  std::ranges::stable_sort(equality, {}, &Weighed::distinct);
  if (equality.size() > kEqualityColumnsMax) {
    equality.erase(equality.begin(), equality.end() - kEqualityColumnsMax);
  }
  std::vector<std::string> out;
  for (Weighed& entry : equality) out.push_back(std::move(entry.column));
  if (!sorted.range.empty()) out.push_back(sorted.range[0]->column);
  return out;
}

// Share of the rows that the usable conditions alone select; nullopt when others may be what
// drops the rows and the statistics do not tell.
std::optional<double> usable_share(const Sorted& sorted, const WastefulScan& scan) {
  if (sorted.unusable == 0) return scan.kept_share();
  double share = 1;
  bool known = sorted.range.empty();
  for (const sql::Predicate* predicate : sorted.equality) {
    const facts::ColumnFacts* column = scan.facts ? scan.facts->column(predicate->column) : nullptr;
    if (!column || !column->stats) return {};
    share /= column->stats->distinct(scan.kept + scan.removed);
  }
  known |= share <= kKeptShareMax;
  if (!known) return {};
  return std::max(share, scan.kept_share());
}

bool serves(const facts::IndexFacts& index, const Sorted& sorted) {
  if (!index.predicate.empty() || !index.default_classes || index.keys.empty()) return false;
  const bool range = !sorted.range.empty();
  if (index.method == "brin") {
    return sorted.equality.empty() && range &&
           std::ranges::find(index.keys, sorted.range[0]->column) != index.keys.end();
  }
  if (index.method == "hash") {
    return !range && sorted.equality.size() == 1 && index.keys[0] == sorted.equality[0]->column;
  }
  if (index.method != "btree") return false;
  // The leading keys must be the equality columns in any order, then the range column.
  const size_t equal = sorted.equality.size();
  if (index.keys.size() < equal + (range ? 1 : 0)) return false;
  for (size_t i = 0; i < equal; ++i) {
    if (!named(sorted.equality, index.keys[i])) return false;
  }
  return !range || index.keys[equal] == sorted.range[0]->column;
}

Heap heap_of(const WastefulScan& scan, const std::string& column) {
  Heap out{scan.pages, scan.kept + scan.removed, 0};
  const facts::ColumnFacts* facts = scan.facts ? scan.facts->column(column) : nullptr;
  if (facts && facts->stats && facts->stats->correlation) {
    out.correlation = std::min(std::abs(*facts->stats->correlation), 1.0);
  }
  return out;
}

KeyShape key_shape(const std::vector<std::string>& columns, const WastefulScan& scan) {
  KeyShape out{0, 1, true};
  const double rows = scan.kept + scan.removed;
  for (const std::string& column : columns) {
    const facts::ColumnFacts* facts = scan.facts ? scan.facts->column(column) : nullptr;
    out.width += facts && facts->stats ? facts->stats->avg_width : 8;
    out.distinct *= facts && facts->stats ? facts->stats->distinct(rows) : rows;
    out.deduplicates &= facts && facts->deduplicates;
  }
  out.distinct = std::min(out.distinct, rows);
  return out;
}

Candidate btree_candidate(std::vector<std::string> columns, const WastefulScan& scan,
                          double share) {
  Candidate out{.method = "btree", .columns = std::move(columns)};
  const Heap heap = heap_of(scan, out.columns.back());
  out.size = btree_size(heap, key_shape(out.columns, scan));
  const double most = heap.pages + static_cast<double>(out.size.count) / 8192;
  out.query_pages_max = std::min(btree_pages(heap, out.size, share), most);
  out.query_pages =
      std::min(btree_pages({heap.pages, heap.rows, 1}, out.size, share), out.query_pages_max);
  out.build_seconds = build_seconds(heap, true);
  return out;
}

Candidate brin_candidate(const std::string& column, const WastefulScan& scan, double share) {
  Candidate out{.method = "brin", .columns = {column}};
  const Heap heap = heap_of(scan, column);
  out.pages_per_range = pages_per_range(heap);
  out.size = brin_size(heap, key_shape({column}, scan).width, out.pages_per_range);
  out.query_pages_max = brin_pages(heap, out.size, share, out.pages_per_range);
  out.query_pages = out.query_pages_max;
  out.build_seconds = build_seconds(heap, false);
  return out;
}

std::string size_ratio(const Candidate& big, const Candidate& small) {
  return cat(human(small.size), " instead of ", human(big.size));
}

// Why BRIN would not do, "" if it would.
std::string brin_refusal(const WastefulScan& scan, const Candidate& brin, const Candidate& btree) {
  const facts::ColumnFacts* column = scan.facts ? scan.facts->column(brin.columns[0]) : nullptr;
  if (!column || !column->stats) {
    return cat("physical order unknown: ",
               column ? printable(column->stats_why_not) : "no facts about the column");
  }
  if (!column->brin) return cat("no BRIN operator class for ", printable(column->type));
  const double correlation = std::abs(column->stats->correlation.value_or(0));
  const std::string shown = cat(std::round(correlation * 10'000) / 10'000);
  if (correlation < kBrinCorrelationMin) {
    return cat("the rows do not lie in the order of the column (correlation ", shown,
               ", BRIN needs ", kBrinCorrelationMin, ")");
  }
  const facts::TableCounters& counters = scan.facts->table->counters;
  const auto changed = static_cast<double>(counters.updated + counters.deleted);
  const double written = std::max(static_cast<double>(counters.inserted), scan.kept + scan.removed);
  if (counters.present && changed > kBrinChangedShareMax * written) {
    return cat(grouped(counters.updated + counters.deleted),
               " rows were updated or deleted, which scatters the physical order");
  }
  const double saved = scan.pages - brin.query_pages;
  if (saved < kBrinSavingShareMin * (scan.pages - btree.query_pages_max)) {
    return cat("its block ranges are too coarse here: ", grouped(std::llround(brin.query_pages)),
               " pages a query against ", grouped(std::llround(btree.query_pages_max)));
  }
  return {};
}

void choose_method(Advice& out, const WastefulScan& scan, Candidate btree, double share) {
  if (btree.columns.size() != 1 || scan.predicates.empty() || !out.time_window) {
    out.candidates = {std::move(btree)};
    return;
  }
  Candidate brin = brin_candidate(btree.columns[0], scan, share);
  const std::string refusal = brin_refusal(scan, brin, btree);
  if (refusal.empty()) {
    brin.reason = cat("rows lie in the order of the column and stay where they are: ",
                      size_ratio(btree, brin), ", and inserts pay almost nothing for it");
    btree.reason = "finds single rows and short windows faster, for the larger size";
    out.candidates = {std::move(brin), std::move(btree)};
  } else {
    btree.reason = cat("BRIN would be ", size_ratio(btree, brin), ", but ", refusal);
    out.candidates = {std::move(btree)};
  }
}

void add_notes(Advice& out, const WastefulScan& scan, const Sorted& sorted) {
  const facts::TableFacts* table = scan.facts && scan.facts->table ? &*scan.facts->table : nullptr;
  if (!table) {
    out.notes.push_back(cat(
        "existing indexes, physical order and write load of the table are unknown",
        scan.facts && !scan.facts->why_not.empty() ? cat(" (", printable(scan.facts->why_not), ")")
                                                   : " (no server was asked)"));
  } else if (table->counters.present && table->counters.inserted > 0) {
    const facts::TableCounters& counters = table->counters;
    out.notes.push_back(cat("write price: one more entry for each of ", grouped(counters.inserted),
                            " inserts counted so far",
                            counters.updated > 0 ? cat("; ", grouped(counters.updated_hot), " of ",
                                                       grouped(counters.updated),
                                                       " updates were HOT, those that change "
                                                       "an indexed column no longer will be")
                                                 : ""));
  }
  if (sorted.volatility_unknown) {
    out.notes.push_back(
        "the condition calls a function whose volatility is unknown here: were it "
        "volatile, no index would be used");
  }
  if (out.time_window) {
    out.notes.push_back(
        "alternative: range partitions on the column, none longer than the usual "
        "window; the scan then reads one or two partitions, and old ones are "
        "detached instead of deleted");
  }
}

bool over_time(const sql::Predicate& predicate, const WastefulScan& scan) {
  const facts::ColumnFacts* column = scan.facts ? scan.facts->column(predicate.column) : nullptr;
  return predicate.operators == sql::OperatorClass::Range &&
         (predicate.relative_to_now || (column && is_time(column->type)));
}

// An index of the scan's table that makes a new one pointless.
void look_at_existing(Advice& out, const WastefulScan& scan, const Sorted& sorted) {
  if (!scan.facts) return;
  for (const facts::IndexFacts& index : scan.facts->indexes) {
    if (!serves(index, sorted)) continue;
    (index.valid ? out.existing : out.broken) = index.name;
  }
}

}  // namespace

Advice advise(const WastefulScan& scan, const Examination& examination) {
  Advice out;
  const Sorted sorted = sort_out(scan, examination);
  out.time_window = std::ranges::any_of(
      scan.predicates, [&](const sql::Predicate& predicate) { return over_time(predicate, scan); });
  out.blocked = sorted.blocked;
  if (sorted.equality.empty() && sorted.range.empty()) return out;
  look_at_existing(out, scan, sorted);
  if (!out.existing.empty() || !out.broken.empty()) return out;
  const std::optional<double> share = usable_share(sorted, scan);
  if (!share && !sorted.blocked.empty()) return out;  // the condition to rewrite may be the one
  if (share && *share > kKeptShareMax) {
    out.notes.push_back(cat("the conditions that an index could serve select about ",
                            std::llround(*share * 100), " % of the rows: no index would help"));
    return out;
  }
  if (!share) {
    out.notes.push_back(
        "other conditions of the filter, which the index cannot serve, may be what "
        "drops the rows");
  }
  Candidate btree =
      btree_candidate(key_columns(sorted, scan), scan, share.value_or(scan.kept_share()));
  add_notes(out, scan, sorted);
  choose_method(out, scan, std::move(btree), share.value_or(scan.kept_share()));
  return out;
}

}  // namespace pgtend::explain
